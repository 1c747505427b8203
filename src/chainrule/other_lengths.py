"""Which lengths of the example what was written depends on: turns that are written out, numbers made of lengths.

Code that was written turn by turn, or with a number in the place of a length, would be silently wrong for arrays of
other lengths.  Where that may be, the function is traced for other lengths, one after the other: what is written holds
for those for which the trace is the same, and says so of the others.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from chainrule.calls import TracedCall
from chainrule.emit.material import OPPOSITE, Fixed, Material, length_text
from chainrule.emit.text import formatted_path
from chainrule.ir import Program
from chainrule.lengths import whole_symbols
from chainrule.members import lists_in
from chainrule.other_examples import Arguments, Axis, Example
from chainrule.outlines import decided_by_lengths, decides_further, outline
from chainrule.rules.helpers import FixedLength
from chainrule.simplify.lengths import join_lengths
from chainrule.simplify.scalars import Lengths
from chainrule.sizes import is_size, leaves_of
from chainrule.tape import Tape
from chainrule.trace import input_names, program_of
from chainrule.turns import count_of

__all__ = ["fixed_lengths"]

_OTHERS: tuple[Callable[[int], int], ...] = (lambda n: n + 1, lambda n: n - 1, lambda n: 2 * n + 3)
_MOST_STEPS = 5000
_MANY = 12  # turns of a loop, beyond which fewer show the same in less time
_FEW = 6
_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "bool": "!="}


def fixed_lengths(
    material: Material,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    prepare: Callable[[TracedCall], None] | None,
    holds: Callable[..., bool],
) -> tuple[Fixed, ...]:
    """The lengths of the arguments that what was written holds for alone.

    Args:
        material: what was written.
        args: the arguments that it was written from.
        kwargs: its keyword arguments.
        prepare: what was done with the traced call before it was written: chooses outputs, rolls loops.
        holds: runs what was written on other arguments, and tells whether it is right; with ``runs``, whether it runs.
    """
    trial = _Trial(material, args, kwargs, prepare, holds)
    return tuple(trial.fixed())


@dataclass(slots=True)
class _Verdict:
    """What trials with other lengths have shown.

    Attributes:
        tried: whether the function ran for one of them, and values decided as they do in the example.
        same: whether the steps were the same for one of them.
        wrong: whether what is written is wrong for one of them, though the steps are the same.
        others: whether the steps are others.
        alone: whether they are others and what is written is right all the same.
        conditions: comparisons of lengths that came out otherwise, where that is all.
    """

    tried: bool = False
    same: bool = False
    wrong: bool = False
    others: bool = False
    alone: bool = False
    conditions: list[Fixed] | None = None


class _Trial:
    def __init__(
        self,
        material: Material,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        prepare: Callable[[TracedCall], None] | None,
        holds: Callable[..., bool],
    ) -> None:
        self.holds = holds
        self.material = material
        self.example = Example(args, kwargs, material.leaves, material.parameters)
        self.prepare = prepare
        self.equal: set[tuple[str, str]] = set()
        self.recorded: set[Any] = set()  # the lengths that steps were recorded for
        self.turns: list[list[Any]] = []  # per loop what says how many turns it has
        self.lengths = {x.source: x.variable.shape for x in material.leaves}
        self.numbers: dict[str, int] = {}

    def fixed(self) -> Iterator[Fixed]:
        """What is said of each length."""
        traced = self._traced((self.example.args, self.example.kwargs))
        if traced is None or len(traced[0].steps) > _MOST_STEPS:
            return
        self._start_from(*traced)
        settings = dict(self.example.settings())
        self._take_few_turns()
        written = self.material.program
        symbols = whole_symbols(written).of
        for guard in written.guards:
            if isinstance(guard.value, FixedLength):
                self.recorded.add(symbols[guard.variable.number][guard.value.axis])
        yield from self._axes(self._classes())
        for name, value in self.example.settings():
            found = self._said(name, value, partial(self.example.reset, name), settings[name])
            yield from found or self._enough(name, partial(self.example.reset, name), ("name", name, value))
        for path, count, lists in self.example.lists():
            found = self._said(f"len({path})", count, partial(self.example.relisted, lists))
            if found is None:
                counting = _says_turns(self.own.counts, path)  # of a loop that is written out
                found = [Fixed(f"len({path})", "==", repr(count))] if counting else []
            yield from found or self._enough(f"len({path})", partial(self.example.relisted, lists), path)

    def _start_from(self, program: Program, paths: Sequence[str]) -> None:
        """Let the trace that was made last be the one that others are compared with."""
        self.own = program
        self.numbers = dict(
            zip((x.source for x in self.material.leaves), (x.number for x in program.inputs), strict=False)
        )
        self.outline = outline(program, paths)
        self.turns = self.counted

    def _take_few_turns(self) -> None:
        """Go on from a smaller example where loops have many turns and what is written is right for few of them."""
        for place in range(len(self._classes())):
            axes = self._classes()[place]
            leaf, k = axes[0]
            counting = _says_turns(self.turns, *self._lengths_along(axes))
            if counting and leaf.variable.shape[k] > _MANY:
                few = self.example.free_length(_FEW)
                self._go_on_from(*self.example.resized(self.example.alike(axes), few))
        for name, value in self.example.settings():
            if value > _MANY and _says_turns(self.turns, ("name", name, value)):
                self._go_on_from(*self.example.reset(name, _FEW))

    def _go_on_from(self, arguments: Arguments) -> None:
        """Make others from this example, if the function does the same there, and what is written is right."""
        traced = self._traced(arguments)
        if traced is None or outline(*traced) != self.outline or _results(traced[0]) != _results(self.own):
            return
        if not self.holds(*arguments):
            return
        self.example = self.example.like_this(arguments)
        self._start_from(*traced)

    def _axes(self, classes: Sequence[Sequence[Axis]]) -> Iterator[Fixed]:
        """What is said of the lengths of the arrays."""
        told: set[tuple[int, int]] = set()  # axes of which it is known already
        fixed: set[tuple[int, int]] = set()  # and of which something is said
        untried: list[Sequence[Axis]] = []
        shorter: list[Sequence[Axis]] = []
        for axes in classes:
            leaf, k = axes[0]
            verdict = self._tried(leaf.variable.shape[k], partial(self.example.resized, axes))
            alone = verdict.alone and not verdict.same
            if alone and len(self.example.alike(axes)) > len(axes):
                shorter.append(axes)  # others may have to be longer with it
            verdict.others |= alone and axes not in shorter
            verdict.others |= any(("length", x.variable.number, a) in self.recorded for x, a in axes)
            if axes in shorter or not (verdict.tried or verdict.others):
                untried.append(axes)
            if verdict.conditions or verdict.wrong or verdict.others:
                told.update((leaf.variable.number, k) for leaf, k in axes)
                fixed.update((leaf.variable.number, k) for leaf, k in axes)
                found = self._as_long(axes, classes) if verdict.wrong and not verdict.others else None
                yield from verdict.conditions or [self._same(axes)] if found is None else found
        # What a length alone does not show, or cannot: two arrays that must be equally long.
        for axes in classes:
            alike = self.example.alike(axes)
            alone = len(alike) == len(axes) and axes not in untried
            if alone or any((x.variable.number, a) in told for x, a in alike):
                continue
            leaf, k = axes[0]
            verdict = self._tried(leaf.variable.shape[k], partial(self.example.resized, alike))
            verdict.others |= verdict.alone and not verdict.same
            told.update((x.variable.number, a) for x, a in alike)
            if verdict.conditions or verdict.wrong or verdict.others:
                fixed.update((x.variable.number, a) for x, a in alike)
                yield from verdict.conditions or [self._same(axes)]
            elif not verdict.tried:
                for own in untried:
                    counting = own in shorter or _says_turns(self.own.counts, *self._lengths_along(own))
                    if own[0] in alike and counting:
                        yield self._same(own)
        for axes in classes:
            leaf, k = axes[0]
            if (leaf.variable.number, k) not in fixed:
                others = partial(self.example.resized, axes)
                yield from self._enough(length_text(leaf, k), others, *self._lengths_along(axes))

    def _enough(self, text: str, others: Callable[[int], Iterator[Arguments]], *counting: Any) -> Iterator[Fixed]:
        """That there must be so many turns, where what is written is wrong for less and the function itself runs."""
        for few in (2, 1, 0) if _says_turns(self.turns, *counting) else ():
            if not all(self.holds(*own, runs=True) for own in others(few)):
                yield Fixed(text, ">", repr(few), True)
                return

    def _lengths_along(self, axes: Sequence[Axis]) -> list[Any]:
        """The lengths along these axes as sizes are computed from them."""
        return [("length", self.numbers[leaf.source], axis) for leaf, axis in axes]

    def _same(self, axes: Sequence[Axis]) -> Fixed:
        leaf, k = axes[0]
        return Fixed(length_text(leaf, k), "==", repr(self.lengths[leaf.source][k]))

    def _as_long(self, axes: Sequence[Axis], classes: Sequence[Sequence[Axis]]) -> list[Fixed] | None:
        """That an array must be as long as another one, where what is written is right if both are longer.

        Nothing where that is said of the other one; ``None`` where there is no such array.
        """
        leaf, k = axes[0]
        count = leaf.variable.shape[k]
        for other in classes:
            own, a = other[0]
            if other is not axes and own.variable.shape[a] == count:
                verdict = self._tried(count, partial(self.example.resized, [*axes, *other]))
                if verdict.tried and not (verdict.wrong or verdict.others or verdict.conditions):
                    said = (length_text(own, a), length_text(leaf, k))
                    if said in self.equal:
                        return []
                    self.equal.add((said[1], said[0]))
                    return [Fixed(said[1], "==", said[0])]
        return None

    def _said(
        self, text: str, count: Any, others: Callable[[int], Iterator[Arguments]], given: Any = None
    ) -> list[Fixed] | None:
        """What must hold, where what is written is wrong for other lengths; ``None`` where that could not be tried."""
        verdict = self._tried(count, others)
        if verdict.wrong or verdict.others:
            return [Fixed(text, "==", repr(count if given is None else given))]
        return verdict.conditions or ([] if verdict.tried else None)

    def _tried(self, count: Any, others: Callable[[int], Iterator[Arguments]]) -> _Verdict:
        """What is written, for other lengths."""
        verdict = _Verdict()
        found: dict[Any, Fixed] = {}
        for change in _OTHERS:
            n = change(count)
            for arguments in others(n) if n > 0 else ():
                traced = self._traced(arguments)
                if traced is None:
                    continue
                other = outline(*traced)
                if decides_further(self.outline[0], other[0]):
                    verdict.tried = verdict.others = True
                    break
                if other[0] != self.outline[0]:
                    break
                verdict.tried = True
                if other == self.outline:
                    verdict.same = True
                    # What is stretched of arrays of one row is found out for itself.
                    compared = 1 not in (count, n) and not self._stretches(traced[0])
                    verdict.wrong |= compared and not verdict.wrong and not self.holds(*arguments)
                    break
                conditions = self._conditions(traced[0])
                if conditions is not None:
                    found.update(conditions)
                # One turn is no loop: that the steps are others then says nothing.
                elif self.holds(*arguments):
                    verdict.alone = True
                else:
                    verdict.others = True
                break
        verdict.conditions = list(found.values()) or None
        return verdict

    def _stretches(self, other: Program) -> bool:
        """Whether an array of the same steps has a single row, or none, that has several in the example."""
        pairs = zip(self.own.steps, other.steps, strict=False)
        shapes = ((x.shape, y.shape) for a, b in pairs for x, y in zip(a.outputs, b.outputs, strict=False))
        return any(m < 2 <= n for own, given in shapes for n, m in zip(own, given, strict=False))

    def _conditions(self, other: Program) -> dict[Any, Fixed] | None:
        """What lengths decided otherwise in another trace; ``None`` where that is not all that differs."""
        before, after = decided_by_lengths(self.own), decided_by_lengths(other)
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

    def _traced(self, arguments: Arguments) -> tuple[Program, list[str]] | None:
        """The record of the function for these arguments, with how the inputs are reached from them.

        ``None`` where it does not run.
        """
        args, kwargs = arguments
        state = np.random.get_state()
        try:
            with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
                with Tape(names=True, loops=True) as tape:
                    call = TracedCall(self.material.function, args, dict(kwargs), (), tape)
                    self.counted = [count_of(r, tape.items) for r in tape.loops or ()]
                    if self.prepare is not None:
                        self.prepare(call)
                    tape.counts += [count_of(r, tape.items) for r in tape.loops or ()]
                return program_of(call), self._paths(call, arguments)
        except Exception:
            return None
        finally:
            np.random.set_state(state)

    def _paths(self, call: TracedCall, arguments: Arguments) -> list[str]:
        """How the inputs are reached; the last item of a list is counted from its end."""
        args, kwargs = arguments
        found = input_names(call)
        for _, path, x in lists_in(self.material.parameters, (*args, *kwargs.values())):
            if isinstance(x, list) and len(x) > 1:
                last = f"{path}[{len(x) - 1}]"
                found = [name.replace(last, f"{path}[-1]", 1) if name.startswith(last) else name for name in found]
        return found

    def _classes(self) -> list[list[Axis]]:
        """The axes of arguments that have the same length wherever the function runs."""
        lengths = Lengths()
        join_lengths(self.own, {}, lengths)
        found: dict[int, list[Axis]] = {}
        for leaf, x in zip(self.example.leaves, self.own.inputs, strict=False):
            for k, axis in enumerate(lengths.axes(x.number, leaf.variable.shape)):
                found.setdefault(lengths.find(axis), []).append((leaf, k))
        return [axes for root, axes in found.items() if root != 0]


def _says_turns(loops: Sequence[Sequence[Any]], *counting: Any) -> bool:
    """Whether one of these, lengths, names or paths to lists, says how many turns one of the loops has."""
    counts: list[Any] = []
    for x in (x for own in loops for x in own):
        counts += [formatted_path(x)] if type(x) is str else leaves_of(x)
    return any(x in counts for x in counting)


def _results(program: Program) -> dict[str, set[str]]:
    """What the comparisons of lengths came out as, by where they stand."""
    return {position: {repr(d[-1]) for d in own} for position, own in decided_by_lengths(program).items()}
