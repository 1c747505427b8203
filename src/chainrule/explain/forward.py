"""The user's statements as formulas: from one named value to the next, with what is unnamed put in its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.explain.algebra import size_of
from chainrule.explain.formula import Element, Formula, Index
from chainrule.explain.index_forms.reading import Forms, NoIndexFormError
from chainrule.explain.letters import Letters
from chainrule.ir import Const, Step, Var
from chainrule.lengths import Symbol
from chainrule.loops import loop_in
from chainrule.names import Namespace
from chainrule.sizes import is_size
from chainrule.wording import invented_name, several_names

__all__ = ["Forward", "Reading"]

_LARGEST = 90  # nodes of a formula that is read at one go
_SAYS_AGAIN = frozenset("maximum minimum clip absolute where log log1p sin cos arctan power square".split())
_PRODUCTS = frozenset("matmul dot einsum tensordot inner convolve".split())
_SMALL = 12  # of what is not worth a name of its own


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One statement of the user's, from named values to a named value.

    Attributes:
        step: that step.
        out: what it computes.
        element: one element of that, with a letter per axis.
        form: that element in terms of elements of what the statement reads; nothing where there is no index form.
        reads: the named variables and arrays that it reads, by number.
    """

    step: Step
    out: Var
    element: Element
    form: Formula | None
    reads: tuple[int, ...]

    def free(self) -> tuple[Index, ...]:
        """The letters of the result."""
        return tuple(i for i in self.element.indices if isinstance(i, Index))


class Forward:
    """The statements of a forward pass.

    Args:
        steps: its steps.
        given: names of arguments and constants.
        preferred: names that values have elsewhere, in the lines of code.
        needed: the numbers of the values that must have a name.
        symbols: a symbol per axis of each variable.
        taken: names that are something else.
        sizes: what the user calls lengths.
        values: the arrays of the example.
        number_text: how the user wrote a number.
        sources: the arguments, each with whether its first axis is that of the rows of data.
        letters: letters that are in use already, for the body of a loop.
        counters: for the body of a loop, the indices that count turns, by the numbers of their variables.

    Attributes:
        names: the name of each value that has one.
        renamed: names that had to be changed because two values have the same, with what the user calls both.
        invented: the numbers of the values that the user gave no name.
        letters: the letters of indices.
        forms: the reader of index forms.
        readings: the statements, in order.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        given: Mapping[int, str],
        preferred: Mapping[int, str],
        needed: Collection[int],
        symbols: Mapping[int, tuple[Symbol, ...]],
        taken: Collection[str],
        sizes: Mapping[Symbol, str],
        values: Mapping[int, Any],
        number_text: Any,
        sources: Sequence[tuple[Var | Const, bool]],
        letters: Letters | None = None,
        counters: Mapping[int, Index] | None = None,
    ) -> None:
        self.steps = steps
        self.values = values
        self.preferred = preferred
        self.producer = {out.number: k for k, step in enumerate(steps) for out in step.outputs}
        self.live = self._live(needed)
        self.space = Namespace([*given.values(), *taken])
        self.names: dict[int, str] = dict(given)
        self.renamed: dict[str, str] = {}
        self.invented: set[int] = set()
        self._size_names = dict(sizes)
        for k in self.live:
            for out in steps[k].outputs:
                own = (loop_in(steps[k]) is not None or len(steps[k].outputs) > 1) and out.number in self.wanted
                if out.number not in self.wanted and loop_in(steps[k]) is not None:
                    continue  # kept for the backward pass
                if out.name is not None or out.number in needed or out.number in preferred or own:
                    self._name(out, k)
        single = {name for name in self.names.values() if len(name) == 1} | {n for n in taken if len(n) == 1}
        self.letters = Letters(symbols, single, sizes) if letters is None else letters.within(symbols)
        rows = {x.number for x, first in sources if first}
        for k in self.live:
            for x in (*_shown(steps[k]), *steps[k].outputs):
                if x.number in self.names:
                    self.letters.note(x, self.names[x.number], x.number in rows or x in steps[k].outputs)
        self.number_text = number_text
        self.counters = counters or {}
        self.forms = self._forms()
        self.readings = self._read()

    def _forms(self) -> Forms:
        forms = Forms(
            [self.steps[k] for k in self.live], self.names, self.letters, self.values, self.size_text, self.number_text
        )
        forms.counters = self.counters
        return forms

    def _live(self, needed: Collection[int]) -> list[int]:
        wanted, live = set(needed), []
        for k in range(len(self.steps) - 1, -1, -1):
            if any(out.number in wanted for out in self.steps[k].outputs):
                live.append(k)
                wanted.update(x.number for x in self.steps[k].inputs if isinstance(x, Var))
        self.wanted = wanted
        return live[::-1]

    # ---- names

    def _name(self, out: Var, k: int) -> None:
        if out.number in self.names:
            return
        step = self.steps[k]
        wanted = self.preferred.get(out.number) or out.name
        if wanted is None:
            self.invented.add(out.number)
            several = len(step.outputs) > 1
            wanted = several_names(step)[step.outputs.index(out)] if several else invented_name(step, self._phrase)
        if not wanted.isidentifier() and wanted not in self.names.values():
            self.names[out.number] = wanted
            return
        name = self.space.claim(wanted)
        if name != wanted and out.name is not None:
            self.renamed[name] = wanted
        self.names[out.number] = name

    def _phrase(self, x: Any) -> str:
        return self.names.get(x.number, "") if isinstance(x, Var) or x.number >= 0 else ""

    def size_text(self, x: Any) -> str:
        """How a number that was computed from lengths is written."""
        if is_size(x):
            head, *operands = x.expression
            if head == "length":
                symbols = self.letters.symbols.get(operands[0], ())
                if operands[1] < len(symbols):
                    own = self._size_names.get(symbols[operands[1]])
                    index = (
                        self.letters.index(symbols[operands[1]], int(x), ())
                        if symbols[operands[1]][0] != "number"
                        else None
                    )
                    if own or (index is not None and index.size):
                        return own or (index.size if index is not None else "")
            text: str = x.describe(lambda number: self.names.get(number, ""))
            return "" if text.startswith(".") or "(." in text or " ." in text else text
        return ""

    # ---- statements

    def _read(self) -> list[Reading]:
        while True:
            before = len(self.names)
            readings = [r for k in self.live for r in self._statement(k)]
            if len(self.names) == before:
                return readings
            self.forms = self._forms()

    def _statement(self, k: int) -> list[Reading]:
        step = self.steps[k]
        found = []
        for out in step.outputs:
            if out.number not in self.names:
                continue
            indices = self.letters.axes(out.number, out.shape, ())
            element = Element(self.names[out.number], indices, out.number)
            scope = frozenset(i.name for i in indices if isinstance(i, Index))
            form: Formula | None
            try:
                form = self.forms.read(step, indices, scope)
            except NoIndexFormError as missing:
                form = None
                self._stop(missing.step, step)
            if form is not None and size_of(form) > _LARGEST:
                self._divide(step, scope)
            self._set_apart(step)
            found.append(Reading(step, out, element, form, tuple(self._reads(step))))
        return found

    def _stop(self, missing: Step, step: Step) -> None:
        """Give names around a step that has no index form, so that everything else has one."""
        own = step is missing
        for x in missing.inputs if own else missing.outputs:
            number = x.number
            if number in self.producer:
                made = self.steps[self.producer[number]]
                self._name(next(o for o in made.outputs if o.number == number), self.producer[number])
            elif number >= 0 and number not in self.names:
                self.names[number] = self.space.claim("constant")

    def _set_apart(self, step: Step) -> None:
        """Give a name to a product inside of a function whose derivative would say it once more: the z of max(0, z)."""
        pending = [step]
        while pending:
            current = pending.pop()
            for x in current.inputs:
                if isinstance(x, Var) and x.number in self.producer and x.number not in self.names:
                    inner = self.steps[self.producer[x.number]]
                    if current.operation.name in _SAYS_AGAIN and self._has_product(inner):
                        self._name(x, self.producer[x.number])
                    else:
                        pending.append(inner)

    def _has_product(self, step: Step) -> bool:
        if step.operation.name in _PRODUCTS:
            return True
        inner = [x.number for x in step.inputs if isinstance(x, Var) and x.number not in self.names]
        return any(self._has_product(self.steps[self.producer[n]]) for n in inner if n in self.producer)

    def _divide(self, step: Step, scope: frozenset[str]) -> None:
        """Give names to the larger parts of a statement whose formula is too long to be read."""
        pending = [step]
        best: tuple[int, Var] | None = None
        while pending:
            for x in pending.pop().inputs:
                if isinstance(x, Var) and x.number in self.producer and x.number not in self.names:
                    inner = self.steps[self.producer[x.number]]
                    own = self.letters.axes(x.number, x.shape, scope)
                    try:
                        size = size_of(
                            self.forms.read(inner, own, scope | {i.name for i in own if isinstance(i, Index)})
                        )
                    except NoIndexFormError:
                        continue
                    if size > _SMALL and (best is None or abs(size - _LARGEST // 2) < abs(best[0] - _LARGEST // 2)):
                        best = size, x
                    pending.append(inner)
        if best is not None:
            self._name(best[1], self.producer[best[1].number])

    def _reads(self, step: Step) -> list[int]:
        found: dict[int, None] = {}
        pending: list[Any] = list(reversed(step.inputs))
        while pending:
            x = pending.pop()
            if isinstance(x, Const):
                if x.number >= 0 and np.ndim(x.value):
                    found[x.number] = None
            elif x.number in self.names:
                found[x.number] = None
            else:
                pending.extend(reversed(self.steps[self.producer[x.number]].inputs))
        return list(found)


def _shown(step: Step) -> Sequence[Var | Const]:
    """The operands of a step; of a loop what all turns share, what it begins with, and the first item of each list."""
    loop = loop_in(step)
    if loop is None:
        return step.inputs
    return [step.inputs[slot.place] for slot in loop.slots]
