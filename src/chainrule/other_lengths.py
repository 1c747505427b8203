"""Which lengths of the example what was written depends on: turns that are written out, numbers made of lengths.

Code that was written turn by turn, or with a number in the place of a length, would be silently wrong for arrays of
other lengths.  Where that may be, the function is traced for other lengths, one after the other: what is written holds
for those for which the trace is the same, and says so of the others.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from chainrule.calls import TracedCall
from chainrule.emit.material import OPPOSITE, Fixed, Leaf, Material, length_text
from chainrule.emit.text import formatted_path
from chainrule.ir import Const, Program, Var
from chainrule.lengths import whole_symbols
from chainrule.loops import loop_in
from chainrule.members import lists_in
from chainrule.rules.helpers import FixedLength
from chainrule.simplify.lengths import join_lengths
from chainrule.simplify.scalars import Lengths
from chainrule.sizes import is_size, leaves_of, named_number, plain_number
from chainrule.statics import canonical
from chainrule.tape import Tape
from chainrule.trace import program_of
from chainrule.trees import flatten, unflatten
from chainrule.turns import count_of

__all__ = ["fixed_lengths"]

_OTHERS: tuple[Callable[[int], int], ...] = (lambda n: n + 1, lambda n: n - 1, lambda n: 2 * n + 3)
_MOST_STEPS = 5000
_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "bool": "!="}

Axis = tuple[Leaf, int]
Arguments = tuple[Sequence[Any], Mapping[str, Any]]


def fixed_lengths(
    material: Material,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    prepare: Callable[[TracedCall], None] | None,
) -> tuple[Fixed, ...]:
    """The lengths of the arguments that what was written holds for alone.

    Args:
        material: what was written.
        args: the arguments that it was written from.
        kwargs: its keyword arguments.
        prepare: what was done with the traced call before it was written: chooses outputs, rolls loops.
    """
    trial = _Trial(material, args, kwargs, prepare)
    return tuple(trial.fixed())


class _Trial:
    def __init__(
        self,
        material: Material,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        prepare: Callable[[TracedCall], None] | None,
    ) -> None:
        self.material = material
        self.args = args
        self.kwargs = kwargs
        self.prepare = prepare

    def fixed(self) -> Iterator[Fixed]:
        """What is said of each length."""
        program = self._traced((self.args, self.kwargs))
        if program is None or len(program.steps) > _MOST_STEPS:
            return
        self.own = program
        self.outline = _outline(program)
        written, alone = self.material.program, set()
        symbols = whole_symbols(written).of
        for guard in written.guards:
            if isinstance(guard.value, FixedLength):
                alone.add(symbols[guard.variable.number][guard.value.axis])
        told: set[tuple[int, int]] = set()  # axes of which it is said already
        for axes in self._classes(program):
            leaf, k = axes[0]
            count = leaf.variable.shape[k]
            found = self._said(length_text(leaf, k), count, partial(self._resized, axes, told))
            if not found and any(("length", x.variable.number, a) in alone for x, a in axes):
                found = [Fixed(length_text(leaf, k), "==", repr(count))]
            if found is None:
                counting = any(self._counts(x, a) for x, a in axes)
                found = [Fixed(length_text(leaf, k), "==", repr(count))] if counting else []
            if found:
                told.update((leaf.variable.number, k) for leaf, k in axes)
            yield from found
        for name, value in self._settings():
            yield from self._said(name, value, partial(self._reset, name)) or []
        for path, count, lists in self._lists():
            found = self._said(f"len({path})", count, partial(self._relisted, lists))
            if found is None:
                counting = any(formatted_path(x) == path for own in program.counts for x in own if type(x) is str)
                found = [Fixed(f"len({path})", "==", repr(count))] if counting else []
            yield from found

    def _said(self, text: str, count: Any, others: Callable[[int], Iterator[Arguments]]) -> list[Fixed] | None:
        """What must hold, where the steps are others for other lengths; ``None`` where that could not be tried."""
        tried = False
        found: dict[Any, Fixed] = {}
        for change in _OTHERS:
            n = change(count)
            for arguments in others(n) if n > 0 else ():
                program = self._traced(arguments)
                if program is None:
                    continue
                other = _outline(program)
                tried |= other[0] == self.outline[0]
                if _decides_further(self.outline[0], other[0]):
                    return [Fixed(text, "==", repr(count))]
                if other[0] == self.outline[0] and other != self.outline:
                    conditions = self._conditions(program)
                    if conditions is None:
                        return [Fixed(text, "==", repr(count))]
                    found.update(conditions)
                break
        return list(found.values()) if tried else None

    def _counts(self, leaf: Leaf, axis: int) -> bool:
        """Whether an axis says how many turns a loop has that is written out."""
        numbers = dict(zip((x.source for x in self.material.leaves), self.own.inputs, strict=False))
        leaves = [own for counts in self.own.counts for x in counts for own in leaves_of(x)]
        return ("length", numbers[leaf.source].number, axis) in leaves

    def _conditions(self, other: Program) -> dict[Any, Fixed] | None:
        """What lengths decided otherwise in another trace; ``None`` where that is not all that differs."""
        before, after = _decided_by_lengths(self.own), _decided_by_lengths(other)
        found: dict[Any, Fixed] = {}
        for position, own in before.items():
            if position not in after or [d[-1] for d in own] == [d[-1] for d in after[position]]:
                continue
            text = self._condition(own[0]) if len(own) == len(after[position]) == 1 else None
            if text is None:
                return None
            found[position] = text
        return found or None

    def _condition(self, decision: Sequence[Any]) -> Fixed | None:
        """A comparison of lengths of the arguments."""
        operation, *sides, result = decision
        sign = _SIGNS.get(operation)
        if sign is None or len(sides) != 2 or type(result) is not bool:
            return None
        names = dict(zip((x.number for x in self.own.inputs), (x.source for x in self.material.leaves), strict=False))
        leaves = [leaf for x in sides for leaf in leaves_of(x)]
        if any(head != "name" and (head not in ("length", "size") or of[0] not in names) for head, *of in leaves):
            return None
        left, right = (x.describe(names.__getitem__) if is_size(x) else repr(x) for x in sides)
        return Fixed(left, sign if result else OPPOSITE[sign], right, True)

    def _traced(self, arguments: Arguments) -> Program | None:
        """The record of the function for these arguments; ``None`` where it does not run."""
        args, kwargs = arguments
        state = np.random.get_state()
        try:
            with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
                with Tape(names=True, loops=True) as tape:
                    call = TracedCall(self.material.function, args, dict(kwargs), (), tape)
                    if self.prepare is not None:
                        self.prepare(call)
                    tape.counts += [count_of(r, tape.items) for r in tape.loops or ()]
                return program_of(call)
        except Exception:
            return None
        finally:
            np.random.set_state(state)

    def _classes(self, program: Program) -> list[list[Axis]]:
        """The axes of arguments that have the same length wherever the function runs."""
        lengths = Lengths()
        join_lengths(program, {}, lengths)
        found: dict[int, list[Axis]] = {}
        numbers = [x.number for x in program.inputs]
        for leaf, number in zip(self.material.leaves, numbers, strict=False):
            for k, axis in enumerate(lengths.axes(number, leaf.variable.shape)):
                found.setdefault(lengths.find(axis), []).append((leaf, k))
        return [axes for root, axes in found.items() if root != 0]

    def _resized(self, axes: Sequence[Axis], told: Collection[tuple[int, int]], n: int) -> Iterator[Arguments]:
        """The arguments with another length along these axes; then along all that are as long as these."""
        leaf, k = axes[0]
        count = leaf.variable.shape[k]
        alike = [(x, a) for x in self.material.leaves for a, m in enumerate(x.variable.shape) if m == count]
        further = len(alike) > len(axes) and not any((x.variable.number, a) in told for x, a in alike)
        for chosen in (axes, alike) if further else (axes,):
            values = {id(x.value): x.value for x, _ in chosen}
            for x, a in chosen:
                values[id(x.value)] = np.take(values[id(x.value)], np.arange(n) % count, axis=a)
            yield self._with(values)

    def _with(self, values: Mapping[int, Any]) -> Arguments:
        trees = []
        for tree in (*self.args, *self.kwargs.values()):
            leaves, structure = flatten(tree)
            trees.append(unflatten(structure, [np.copy(v) if isinstance(v := values.get(id(x), x), np.ndarray) else v
                                               for x in leaves]))  # fmt: skip
        return trees[: len(self.args)], dict(zip(self.kwargs, trees[len(self.args) :], strict=True))

    def _settings(self) -> list[tuple[str, Any]]:
        """The arguments that are numbers and are written by their names."""
        given = (*self.args, *self.kwargs.values())
        return [(x.expression[1], plain_number(x)) for x in given if is_size(x) and x.expression[0] == "name"]

    def _reset(self, name: str, value: Any) -> Iterator[Arguments]:
        """The arguments with another number for this one."""

        def other(x: Any) -> Any:
            return named_number(value, name) if is_size(x) and x.expression[:2] == ("name", name) else x

        yield [other(x) for x in self.args], {key: other(x) for key, x in self.kwargs.items()}

    def _lists(self) -> list[tuple[str, int, list[Any]]]:
        """The lists in the arguments, those of the same length together."""
        found: dict[int, tuple[str, int, list[Any]]] = {}
        for _, path, x in lists_in(self.material.parameters, (*self.args, *self.kwargs.values())):
            if isinstance(x, list) and x:
                found.setdefault(len(x), (formatted_path(path), len(x), []))[2].append(x)
        return list(found.values())

    def _relisted(self, lists: Sequence[Any], n: int) -> Iterator[Arguments]:
        """The arguments with other numbers of items in these lists: one is left out, or repeated."""
        count = len(lists[0])
        for k in range(count - 1, -1, -1):
            places = [*range(k), *[k] * (n - count + 1), *range(k + 1, count)] if n > count else None
            if n == count - 1:
                places = [*range(k), *range(k + 1, count)]
            if places is None:
                return
            known = {id(x): [x[p] for p in places] for x in lists}
            trees = [_replaced(tree, known) for tree in (*self.args, *self.kwargs.values())]
            yield trees[: len(self.args)], dict(zip(self.kwargs, trees[len(self.args) :], strict=True))


def _replaced(tree: Any, known: Mapping[int, Any]) -> Any:
    if id(tree) in known:
        return known[id(tree)]
    if type(tree) in (list, tuple):
        return type(tree)(_replaced(x, known) for x in tree)
    if type(tree) is dict:
        return {key: _replaced(x, known) for key, x in tree.items()}
    return np.copy(tree) if isinstance(tree, np.ndarray) else tree


def _decided_by_lengths(program: Program) -> dict[str, Sequence[Any]]:
    return {str(g.position): g.lengths for g in program.guards if g.lengths}


def _outline(program: Program) -> tuple[Any, Any]:
    """What values decided; and the steps that the outputs depend on, as something that can be compared."""
    decided = [(str(g.position), g.value) for g in program.guards if g.position is not None and not g.lengths]
    return decided, _steps(program, list(program.outputs))


def _decides_further(own: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether a trace decides all that another one does alike, and more or less of it."""
    before, after = _by_position(own), _by_position(other)
    if before == after or before.keys() != after.keys():
        return False
    return all(a == b for own_, other_ in zip(before.values(), (after[p] for p in before), strict=True)
               for a, b in zip(own_, other_, strict=False))  # fmt: skip


def _by_position(decided: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for position, value in decided:
        found.setdefault(position, []).append(value)
    return found


def _steps(program: Program, outputs: Sequence[Var | Const]) -> Any:
    live: set[int] = {x.number for x in outputs}
    chosen = []
    for step in reversed(program.steps):
        if any(out.number in live for out in step.outputs):
            chosen.append(step)
            live.update(x.number for x in step.inputs)
    numbers: dict[int, Any] = {x.number: ("input", k) for k, x in enumerate(program.inputs)}
    found: list[Any] = []

    def static(x: Any, loops: Mapping[int, int] | None = None) -> Any:
        mentioned: list[int] = []
        text = canonical(x, mentioned, loops or {})
        return text, [numbers.get(n, n) for n in mentioned]

    def operand(x: Var | Const) -> Any:
        if isinstance(x, Const) and x.number < 0:
            return static(x.value)
        if isinstance(x, Const):
            return "array", np.shape(x.value), np.asarray(x.value).tobytes()
        return numbers[x.number]

    for k, step in enumerate(reversed(chosen)):
        loop = loop_in(step)
        name = step.operation.name if loop is None else _loop(loop, static)
        inputs = [operand(x) for x in step.inputs]
        if loop is not None:  # the items of lists are as many as the turns
            inputs = [inputs[s.place] for s in loop.slots if s.kind != "item"]
        params = {key: static(v) for key, v in step.params.items()}
        found.append((name, inputs, params, step.position))
        numbers.update({out.number: (k, o) for o, out in enumerate(step.outputs)})
    return found, [operand(x) for x in outputs]


def _loop(loop: Any, static: Callable[..., Any]) -> Any:
    """A loop without how many turns it has where that follows the lengths."""
    numbers = {v: k for k, v in enumerate([s.variable for s in loop.slots])}
    items = [s.items and (s.items.path, s.items.suffix, s.items.first, s.items.step) for s in loop.slots]
    slots = [(s.kind, s.first, own) for s, own in zip(loop.slots, items, strict=True)]
    outs = [(o.kind, getattr(o.variable, "variable", o.variable)) for o in loop.outs]
    header = loop.header
    counted = None if header.counted is None else static(header.counted)
    return slots, outs, counted, header.turned, _body(loop), numbers


def _body(loop: Any) -> Any:
    return _steps(loop.program, [*loop.program.outputs])
