"""Which axes have the same length whatever the sizes: each axis is given a symbol, and equal symbols are equal lengths.

Code that chainrule writes must name a length by an array that it has.  The user's ``((Y - T) ** 2).mean()`` divides
by the size of an array without a name; the symbols say that ``Y.size`` is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.indexing import HOLE, Index
from chainrule.ir import Const, Program, Step, Var, shape_of
from chainrule.sizes import is_size
from chainrule.tape import Tape

__all__ = ["ONE", "Symbol", "Symbols", "TapeLengths", "symbols_of", "whole_symbols"]

# ("length", variable, axis) for an axis that cannot be traced back any further; ONE for a length of always 1.
Symbol = tuple[Any, ...]
ONE: Symbol = ("number", 1)

_REDUCTIONS = frozenset(
    "sum mean max min prod std var any all argmax argmin nansum nanmean median average count_nonzero amax amin "
    "linalg.norm logsumexp scipy.special.logsumexp".split()
)
_SAME = frozenset(
    "zeros_like ones_like empty_like full_like copy identity astype setitem add.at cumsum cumprod flip roll sort real "
    "imag conjugate tril triu nan_to_num clip round argsort linalg.inv linalg.cholesky".split()
)
_MADE = frozenset("zeros ones empty full reshape".split())


class Symbols:
    """A symbol per axis of each variable, found step by step.

    Attributes:
        of: the symbols of the axes of each variable and constant, by its number.
        rows: the axes ``(variable, axis)`` of arguments that are of length 1 by the user's code: they were stretched.
        ties: axes of length 1 that meet, each with the one that was taken for the longer one, and whether that can be
            told, as one of them is a product of matrices or the like.
    """

    def __init__(self) -> None:
        self.of: dict[int, tuple[Symbol, ...]] = {}
        self.rows: set[tuple[int, int]] = set()
        self.ambiguous: dict[tuple[int, int], Symbol] = {}
        self.ties: list[tuple[Symbol, Symbol, bool]] = []
        self.made: set[int] = set()
        self.gathered: set[int] = set()  # what products and sums went into

    def own(self, x: Var | Const) -> tuple[Symbol, ...]:
        """Symbols of their own for the axes of an argument or constant."""
        rank = len(x.shape) if isinstance(x, Var) else np.ndim(x.value)
        return tuple(ONE if (x.number, k) in self.rows else ("length", x.number, k) for k in range(rank))

    def add(self, step: Step) -> None:
        """The symbols of the outputs of a step."""
        for x in step.inputs:
            if (isinstance(x, Var) or x.number >= 0) and x.number not in self.of:
                self.of[x.number] = self.own(x)
        if step.operation.name == "loop":
            self._add_loop(step)
            return
        for out in step.outputs:
            single = len(step.outputs) == 1
            self.of[out.number] = self.step(step, out) if single else self.own(out)
            self.made.add(out.number)
            if not _is_elementwise(step) or any(x.number in self.gathered for x in step.inputs):
                self.gathered.add(out.number)

    def _add_loop(self, step: Step) -> None:
        """Those of what a loop leaves: of an array that turns write into, those of the array."""
        loop: Any = step.operation.function
        for out, x in zip(loop.left(), step.outputs, strict=True):
            self.of[x.number] = self.own(x)
            self.made.add(x.number)
            self.gathered.add(x.number)
            slot = _written_slot(loop, out)
            if slot is not None:
                self.of[x.number] = self.get(step.inputs[slot.place])

    def get(self, x: Var | Const) -> tuple[Symbol, ...]:
        if isinstance(x, Const) and x.number < 0:
            return ()
        return self.of.get(x.number, ())

    def number(self, x: Any) -> Symbol | None:
        """The symbol of a length that is written as a number or a size."""
        if is_size(x):
            head, *operands = x.expression
            if head == "length" and operands[0] in self.of and operands[1] < len(self.of[operands[0]]):
                return self.of[operands[0]][operands[1]]
            return ("expression", x.expression)
        return ONE if x == 1 else None

    def broadcast(self, operands: Sequence[Var | Const], out: Var) -> tuple[Symbol, ...]:
        rank = len(out.shape)
        result: list[Symbol] = []
        for axis in range(rank):
            candidates = []
            for x in operands:
                own = self.get(x)
                k = axis - rank + len(own)
                if k >= 0 and own[k] != ONE:
                    length = shape_of(x)[k]
                    candidates.append((own[k], length, x.number in self.made))
                    if length == 1 != out.shape[axis] and own[k][0] == "length" and own[k][1] not in self.made:
                        self.rows.add((own[k][1], own[k][2]))
            long = [symbol for symbol, length, _ in candidates if length != 1]
            if not candidates:
                result.append(ONE)
            elif long:
                result.append(long[0])
            else:
                # All are of length 1 in the example.  What is computed has the axis of the data: b of shape (1, n)
                # in x @ W + b may be a row for any x, or one row per row of x.
                chosen = next((symbol for symbol, _, made in candidates if made), candidates[0][0])
                result.append(chosen)
                told = any(x.number in self.gathered for x in operands)
                self.ties += [(symbol, chosen, told) for symbol, _, _ in candidates if symbol != chosen]
                self._note_ambiguous(operands, axis - rank, rank, chosen)
        return tuple(result)

    def _note_ambiguous(self, operands: Sequence[Var | Const], axis: int, rank: int, chosen: Symbol) -> None:
        """Note arguments that may be stretched along an axis (from the end) for other sizes, or may not."""
        for x in operands:
            if isinstance(x, Var) and x.number not in self.made and len(x.shape) == rank:
                symbol = self.get(x)[axis]
                if symbol not in (ONE, chosen) and symbol[:2] == ("length", x.number):
                    self.ambiguous.setdefault((x.number, symbol[2]), chosen)

    def is_ambiguous(self, x: Var, axis: int) -> bool:
        """Whether an argument of length 1 along an axis may have one row for all, or as many as what it meets.

        One that is stretched along another axis has the shape of its use already: a bias of shape (1, 1) on (1, n).
        """
        return (x.number, axis) in self.ambiguous and not any(variable == x.number for variable, _ in self.rows)

    def step(self, step: Step, out: Var) -> tuple[Symbol, ...]:
        own = tuple(("length", out.number, axis) for axis in range(len(out.shape)))
        rule = _RULES.get(step.operation.name)
        try:
            if rule is not None:
                found = rule(self, step, out)
            elif _is_elementwise(step):
                found = self.broadcast(step.inputs, out)
            else:
                return own
        except (IndexError, TypeError, ValueError):
            return own
        return (
            tuple(f if f is not None else o for f, o in zip(found, own, strict=True)) if len(found) == len(own) else own
        )


def _written_slot(loop: Any, out: Any) -> Any:
    """The slot of the array that an output of a loop holds, where its turns do nothing but write into it."""
    slots = loop.slots if out.kind in ("final", "next") else ()
    return next((s for s in slots if s.kind == "carried" and (out.variable is s or out.variable == s.following)
                 and _is_written(loop, s)), None)  # fmt: skip


def _is_written(loop: Any, slot: Any) -> bool:
    """Whether what a turn hands on is the array that it was given, written into."""
    made = {o.number: (step, k) for step in loop.program.steps for k, o in enumerate(step.outputs)}
    v = slot.following
    while v != slot.variable:
        step, k = made.get(v, (None, 0))
        if step is None or step.operation.name not in ("setitem", "add.at", "loop"):
            return False
        place = 0
        if step.operation.name == "loop":
            inner = step.operation.function
            own = _written_slot(inner, inner.left()[k])
            if own is None:
                return False
            place = own.place
        v = step.inputs[place].number
    return True


def _is_elementwise(step: Step) -> bool:
    function = step.operation.function
    ufunc = isinstance(function, np.ufunc) and function.signature is None
    return ufunc or step.operation.kind == "elementwise" or step.operation.name == "where"


_Found = Sequence[Symbol | None]


def _param(step: Step, name: str, place: int, default: Any = None) -> Any:
    """A static argument by its name, or by its place in the call."""
    return step.params.get(name, step.params.get(f"argument {place}", default))


def _reduced(symbols: Symbols, step: Step, out: Var) -> _Found:
    own = symbols.get(step.inputs[0])
    axis = _param(step, "axis", 1)
    axes = range(len(own)) if axis is None else [a % len(own) for a in (axis if isinstance(axis, tuple) else (axis,))]
    if step.params.get("keepdims"):
        return [ONE if k in axes else s for k, s in enumerate(own)]
    return [s for k, s in enumerate(own) if k not in axes]


def _same(symbols: Symbols, step: Step, out: Var) -> _Found:
    return symbols.get(step.inputs[0])


def _made(symbols: Symbols, step: Step, out: Var) -> _Found:
    for value in step.params.values():
        if isinstance(value, tuple | int):
            lengths = value if isinstance(value, tuple) else (value,)
            if len(lengths) == len(out.shape):
                return [symbols.number(n) for n in lengths]
    return ()


def _arange(symbols: Symbols, step: Step, out: Var) -> _Found:
    (stop,) = [x.value for x in step.inputs if isinstance(x, Const)] or list(step.params.values())
    return [symbols.number(stop)]


def _transposed(symbols: Symbols, step: Step, out: Var) -> _Found:
    own = symbols.get(step.inputs[0])
    axes = _param(step, "axes", 1)
    return own[::-1] if axes is None else [own[a] for a in axes]


def _swapped(symbols: Symbols, step: Step, out: Var) -> _Found:
    own = list(symbols.get(step.inputs[0]))
    a, b = _param(step, "axis1", 1), _param(step, "axis2", 2)
    own[a], own[b] = own[b], own[a]
    return own


def _matmul(symbols: Symbols, step: Step, out: Var) -> _Found:
    left, right = symbols.get(step.inputs[0]), symbols.get(step.inputs[1])
    if step.operation.name == "dot" and len(right) > 2:
        return ()
    if max(len(left), len(right)) > 2 and step.operation.name == "matmul":
        batch: list[Symbol | None] = [None] * (len(out.shape) - (len(left) > 1) - (len(right) > 1))
        if len(right) <= 2 or left[:-2] == right[:-2]:  # one matrix for all, or one each
            batch = list(left[:-2])
        elif len(left) <= 2:
            batch = list(right[:-2])
        return [*batch, *left[-2:-1], *(right[-1:] if len(right) > 1 else ())]
    return [*left[:-1], *(right[1:] if len(right) > 1 else ())]


def _outer(symbols: Symbols, step: Step, out: Var) -> _Found:
    return [*symbols.get(step.inputs[0]), *symbols.get(step.inputs[1])]


def _item(symbols: Symbols, step: Step, out: Var) -> _Found:
    own = list(symbols.get(step.inputs[0]))
    index: Index = step.params["index"]
    result: list[Symbol | None] = []
    arrays = list(step.inputs[1:])
    consumed = sum(p is not None and p is not Ellipsis for p in index.parts)
    advanced = 0
    for part in index.parts:
        if part is None:
            result.append(ONE)
        elif part is Ellipsis:
            while len(own) > consumed:
                result.append(own.pop(0))
        elif part is HOLE:
            array = arrays.pop(0)
            if (array.dtype if isinstance(array, Var) else array.value.dtype).kind == "b":
                return ()
            advanced += 1
            consumed -= 1
            own.pop(0)
            if advanced == 1:
                result.extend(symbols.get(array))
            elif len(symbols.get(array)) > 1:
                return ()
        elif type(part) is slice:
            symbol = own.pop(0)
            consumed -= 1
            result.append(symbol if part == slice(None) or part in (slice(None, None, -1),) else None)
        else:
            own.pop(0)
            consumed -= 1
    return [*result, *own]


def _expanded(symbols: Symbols, step: Step, out: Var) -> _Found:
    axis = _param(step, "axis", 1)
    rank = len(out.shape)
    new = {a % rank for a in (axis if isinstance(axis, tuple | list) else (axis,))}
    rest = iter(symbols.get(step.inputs[0]))
    return [ONE if k in new else next(rest) for k in range(rank)]


def _squeezed(symbols: Symbols, step: Step, out: Var) -> _Found:
    own = symbols.get(step.inputs[0])
    axis = _param(step, "axis", 1)
    if axis is None:
        return ()
    dropped = {a % len(own) for a in (axis if isinstance(axis, tuple | list) else (axis,))}
    return [s for k, s in enumerate(own) if k not in dropped]


def _moved(symbols: Symbols, step: Step, out: Var) -> _Found:
    own = symbols.get(step.inputs[0])
    places = np.moveaxis(np.empty(range(1, len(own) + 1)), _param(step, "source", 1), _param(step, "destination", 2))
    return [own[n - 1] for n in places.shape]


def _broadcast(symbols: Symbols, step: Step, out: Var) -> _Found:
    shape = _param(step, "shape", 1)
    given = [symbols.number(n) for n in (shape if isinstance(shape, tuple) else (shape,))]
    # An axis of length 1 that is stretched is as long as nothing that is known.
    own = [
        None if o == ONE != ("number", n) else o
        for n, o in zip(out.shape, symbols.broadcast(step.inputs, out), strict=True)
    ]
    return [o if g is None else g for g, o in zip(given, own, strict=True)]


def _joined(symbols: Symbols, step: Step, out: Var) -> _Found:
    """All axes but the one along which arrays are joined."""
    axis = _param(step, "axis", 1, 0)
    own = list(symbols.get(step.inputs[0]))
    if step.operation.name == "stack":
        return [*own[: axis % len(out.shape)], None, *own[axis % len(out.shape) :]]
    if axis is None:
        return ()
    own[axis % len(own)] = None  # type: ignore[call-overload]
    return own


def _repeated(symbols: Symbols, step: Step, out: Var) -> _Found:
    """All axes but the one along which elements are repeated."""
    axis = _param(step, "axis", 2)
    own = list(symbols.get(step.inputs[0]))
    if axis is None or len(own) != len(out.shape):
        return ()
    own[axis % len(own)] = None  # type: ignore[call-overload]
    return own


def _einsum(symbols: Symbols, step: Step, out: Var) -> _Found:
    before, _, after = step.params["subscripts"].replace(" ", "").partition("->")
    if "." in before or (not after and len(out.shape)):
        return ()
    known: dict[str, Symbol] = {}
    for letters, x in zip(before.split(","), step.inputs, strict=True):
        for letter, symbol in zip(letters, symbols.get(x), strict=True):
            if known.get(letter, ONE) == ONE:
                known[letter] = symbol
    return [known[letter] for letter in after]


def _solved(symbols: Symbols, step: Step, out: Var) -> _Found:
    return symbols.get(step.inputs[1])


_Rule = Callable[[Symbols, Step, Var], _Found]
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_REDUCTIONS, _reduced),
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(_MADE, _made),
    "arange": _arange,
    "transpose": _transposed,
    "swapaxes": _swapped,
    "matmul": _matmul,
    "dot": _matmul,
    "outer": _outer,
    "getitem": _item,
    "expand_dims": _expanded,
    "squeeze": _squeezed,
    "moveaxis": _moved,
    "broadcast_to": _broadcast,
    "concatenate": _joined,
    "stack": _joined,
    "repeat": _repeated,
    "einsum": _einsum,
    "linalg.solve": _solved,
}


def symbols_of(program: Program, same: Mapping[int, int] | None = None) -> Mapping[int, tuple[Symbol, ...]]:
    """A symbol per axis of each variable and constant of a program, by its number.

    Args:
        program: the steps.
        same: for inputs that are as large as a variable of the program (cotangents), that variable.
    """
    return whole_symbols(program, same).of


def whole_symbols(
    program: Program, same: Mapping[int, int] | None = None, ones: Collection[tuple[int, int]] = ()
) -> Symbols:
    """As :func:`symbols_of`, to be continued with further steps; ``ones`` are axes of length 1 for any sizes."""
    rows: set[tuple[int, int]] = set(ones)
    while True:
        symbols = Symbols()
        symbols.rows |= rows
        leaves: tuple[Var | Const, ...] = (*program.inputs, *program.constants)
        for x in leaves:
            if x.number not in (same or {}):
                symbols.of[x.number] = symbols.own(x)
        waiting = dict(same or {})
        for step in program.steps:
            for cotangent, primal in list(waiting.items()):
                if primal in symbols.of:
                    symbols.of[cotangent] = symbols.of[primal]
                    del waiting[cotangent]
            symbols.add(step)
        if symbols.rows == rows:
            return symbols
        rows = symbols.rows


class TapeLengths:
    """Whether an axis is of length 1 by construction, for a tape that is being written.

    Args:
        tape: the tape.
        symbols: those of the steps written so far.
        done: how many steps these are; all that are on the tape, if not given.
    """

    def __init__(self, tape: Tape, symbols: Symbols, done: int | None = None) -> None:
        self.tape = tape
        self.symbols = symbols
        self.done = len(tape.steps) if done is None else done

    def __call__(self, variable: int, axis: int) -> bool:
        while self.done < len(self.tape.steps):
            operation, inputs, params, outputs, _, _ = self.tape.steps[self.done]
            given: Any = inputs
            operands = tuple(self._var(x) if type(x) is int else Const(x[0]) for x in given)
            numbers: Any = outputs if type(outputs) is tuple else (outputs,)
            made = tuple(self._var(v) for v in numbers)
            self.symbols.add(Step(operation, operands, params, made, None))
            self.done += 1
        own = self.symbols.of.get(variable, ())
        return axis < len(own) and own[axis] == ONE

    def _var(self, number: int) -> Var:
        value = self.tape.values[number]
        return Var(np.shape(value), np.asarray(value).dtype, None, number)
