"""Which axes have the same length whatever the sizes: each axis is given a symbol, and equal symbols are equal lengths.

Code that chainrule writes must name a length by an array that it has.  The user's ``((Y - T) ** 2).mean()`` divides
by the size of an array without a name; the symbols say that ``Y.size`` is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.indexing import HOLE, Index
from chainrule.ir import Const, Program, Step, Var
from chainrule.sizes import is_size

__all__ = ["ONE", "Symbol", "symbols_of"]

# ("length", variable, axis) for an axis that cannot be traced back any further; ONE for a length of always 1.
Symbol = tuple[Any, ...]
ONE: Symbol = ("number", 1)

_REDUCTIONS = frozenset(
    "sum mean max min prod std var any all argmax argmin nansum nanmean median average count_nonzero amax amin "
    "linalg.norm logsumexp scipy.special.logsumexp".split()
)
_SAME = frozenset(
    "zeros_like ones_like empty_like full_like copy identity astype setitem add.at cumsum cumprod flip roll sort real "
    "imag conjugate tril triu nan_to_num clip round argsort".split()
)
_MADE = frozenset("zeros ones empty full broadcast_to reshape".split())


class _Symbols:
    def __init__(self) -> None:
        self.of: dict[int, tuple[Symbol, ...]] = {}

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
                    length = (x.shape if isinstance(x, Var) else x.value.shape)[k]
                    candidates.append((own[k], length))
            different = list(dict.fromkeys(symbol for symbol, _ in candidates))
            long = [symbol for symbol, length in candidates if length != 1]
            if not candidates:
                result.append(ONE)
            elif long:
                result.append(long[0])
            else:
                # All are of length 1 in the example.  The backward pass sums over none of them, so none is broadcast.
                result.append(different[0])
        return tuple(result)

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


def _is_elementwise(step: Step) -> bool:
    function = step.operation.function
    ufunc = isinstance(function, np.ufunc) and function.signature is None
    return ufunc or step.operation.kind == "elementwise" or step.operation.name == "where"


_Found = Sequence[Symbol | None]


def _param(step: Step, name: str, place: int, default: Any = None) -> Any:
    """A static argument by its name, or by its place in the call."""
    return step.params.get(name, step.params.get(f"argument {place}", default))


def _reduced(symbols: _Symbols, step: Step, out: Var) -> _Found:
    own = symbols.get(step.inputs[0])
    axis = _param(step, "axis", 1)
    axes = range(len(own)) if axis is None else [a % len(own) for a in (axis if isinstance(axis, tuple) else (axis,))]
    if step.params.get("keepdims"):
        return [ONE if k in axes else s for k, s in enumerate(own)]
    return [s for k, s in enumerate(own) if k not in axes]


def _same(symbols: _Symbols, step: Step, out: Var) -> _Found:
    return symbols.get(step.inputs[0])


def _made(symbols: _Symbols, step: Step, out: Var) -> _Found:
    for value in step.params.values():
        if isinstance(value, tuple | int):
            lengths = value if isinstance(value, tuple) else (value,)
            if len(lengths) == len(out.shape):
                return [symbols.number(n) for n in lengths]
    return ()


def _arange(symbols: _Symbols, step: Step, out: Var) -> _Found:
    (stop,) = [x.value for x in step.inputs if isinstance(x, Const)] or list(step.params.values())
    return [symbols.number(stop)]


def _transposed(symbols: _Symbols, step: Step, out: Var) -> _Found:
    own = symbols.get(step.inputs[0])
    axes = _param(step, "axes", 1)
    return own[::-1] if axes is None else [own[a] for a in axes]


def _swapped(symbols: _Symbols, step: Step, out: Var) -> _Found:
    own = list(symbols.get(step.inputs[0]))
    a, b = _param(step, "axis1", 1), _param(step, "axis2", 2)
    own[a], own[b] = own[b], own[a]
    return own


def _matmul(symbols: _Symbols, step: Step, out: Var) -> _Found:
    left, right = symbols.get(step.inputs[0]), symbols.get(step.inputs[1])
    if step.operation.name == "dot" and len(right) > 2:
        return ()
    if max(len(left), len(right)) > 2 and step.operation.name == "matmul":
        batch: list[Symbol | None] = [None] * (len(out.shape) - (len(left) > 1) - (len(right) > 1))
        if len(left) == len(right) and left[:-2] == right[:-2]:
            batch = list(left[:-2])
        return [*batch, *left[-2:-1], *(right[-1:] if len(right) > 1 else ())]
    return [*left[:-1], *(right[1:] if len(right) > 1 else ())]


def _outer(symbols: _Symbols, step: Step, out: Var) -> _Found:
    return [*symbols.get(step.inputs[0]), *symbols.get(step.inputs[1])]


def _item(symbols: _Symbols, step: Step, out: Var) -> _Found:
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


_Rule = Callable[[_Symbols, Step, Var], _Found]
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
}


def symbols_of(program: Program) -> Mapping[int, tuple[Symbol, ...]]:
    """A symbol per axis of each variable and constant of a program, by its number."""
    symbols = _Symbols()
    for x in program.inputs:
        symbols.of[x.number] = tuple(("length", x.number, axis) for axis in range(len(x.shape)))
    for c in program.constants:
        symbols.of[c.number] = tuple(("length", c.number, axis) for axis in range(getattr(c.value, "ndim", 0)))
    for step in program.steps:
        for out in step.outputs:
            if len(step.outputs) > 1:
                symbols.of[out.number] = tuple(("length", out.number, axis) for axis in range(len(out.shape)))
            else:
                symbols.of[out.number] = symbols.step(step, out)
    return symbols.of
