"""From the chain rule to the line of code, where the code is shorter: each thing that is used on the way, in order.

A closed form leaves out gradients that the chain rule goes through.  Their formulas are put in, the whole is multiplied
out, what is zero is left out with the proof that it is, and what is left is the line of code, once the names that the
code uses are known.  Every equation is evaluated on the example and on another draw of numbers, and nothing of it is
shown where one of them does not hold.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.explain.algebra import (
    ZERO,
    add,
    children,
    mapped,
    size_of,
    substituted,
    terms_of,
)
from chainrule.explain.coded import Coded
from chainrule.explain.derivation import Part, Route, Shortening
from chainrule.explain.expansion import Expansion, TooLongError, side_by_side, sums_in
from chainrule.explain.formula import Element, Equation, Formula, Index, Partial
from chainrule.explain.index_forms.reading import NoIndexFormError
from chainrule.language import Message, listed, message

__all__ = ["shortened"]

_LONGEST = 120  # nodes of a formula that anyone reads
_MOST_UNFOLDED = 6  # names that are written out for a proof
_MOST_TRIED = 4  # of the names that are known, to see what a step stands on
_MOST_TOGETHER = 8  # terms of which those that cancel are looked for

_Fact = tuple[Message, Equation]


def shortened(coded: Coded, parts: Sequence[Part]) -> tuple[Part, ...]:
    """Parts with how the chain rule becomes the code, where that leaves out gradients that the chain rule goes through.

    Args:
        coded: the code of a derivation, or of the body of a loop in it, with what it is derived from.
        parts: what is said of each statement.
    """
    made = coded.made
    told_of = {
        id(route): route
        for part in parts
        for route in part.routes
        if id(route) in made.own_routes and route.name in made.chains
    }
    by_name = {route.name: route for route in reversed(told_of.values())}
    steps = {
        route.name: k for k, part in enumerate(parts, 1) for route in part.routes if by_name.get(route.name) is route
    }
    numbers = {made.forward.names[n]: n for n in made.active}
    shortenings = _Shortenings(coded, steps)
    changed: dict[int, Route] = {}
    told: set[int] = set()
    for key, route in told_of.items():
        if route.lines and route.chain is not None and route.name in numbers:
            found, names = shortenings.of(route.name, numbers[route.name])
            without = [by_name[name] for name in names if not by_name[name].lines]
            # What made the lines shorter is said where they are.
            said = [identity for other in (*without, route) if id(other) not in told for identity in other.identities]
            told.update(map(id, without))
            own = tuple(identity for k, identity in enumerate(said) if identity not in said[:k])
            changed[key] = replace(route, shortening=found, identities=own)
            changed.update((id(other), replace(other, identities=())) for other in without)
    return tuple(replace(part, routes=tuple(changed.get(id(r), r) for r in part.routes)) for part in parts)


class _Shortenings:
    """Says for each gradient how the chain rule becomes its lines of code.

    Args:
        coded: the code, with what it is derived from.
        steps: for each array the number of the step that says how its gradient is found.
    """

    def __init__(self, coded: Coded, steps: Mapping[str, int]) -> None:
        self.coded = coded
        self.made = coded.made
        self.letters = coded.letters
        self.steps = steps
        self.readings = {r.out.number: r for r in self.made.forward.readings if r.form is not None}
        self.formed = set(self.made.formed())
        self.order = {r.out.number: k for k, r in enumerate(self.made.forward.readings)}

    def of(self, name: str, number: int) -> tuple[tuple[Shortening, ...], list[str]]:
        """How the chain rule of an array becomes the lines of its gradient, and the arrays whose gradients are put in.

        Where all that the chain rule names is formed, it is one step: what the names mean that only the line has.
        Nothing where there are none, or where no way is found that holds.
        """
        chain = self.made.chains.get(name)
        if chain is None:
            return (), []
        free = chain.free
        way = _Way(self, chain.element, number, Expansion(self.letters, (i.name for i in free)))
        try:
            found = tuple(way.found(chain.worked))
        except (TooLongError, NoIndexFormError, ChainruleError, ValueError, KeyError):
            return (), []
        if not all(self.coded.holds(s, free, number) for s in found):
            if way.names:
                self.made.dropped.append(name)
            return (), []
        for step in found:
            for equation in (*(fact for _, fact in step.facts), step.equation):
                self.made.use(equation.left)
                for side in equation.right:
                    self.made.use(side)
        return found, way.names

    # ---- what is put in

    def unformed(self, x: Formula) -> list[Partial]:
        """The gradients in a formula that the code does not form."""
        return [p for p in _partials(x) if p.of.name == self.made.result.name and p.by.name not in self.formed]


class _Way:
    """The way from one chain rule to its code."""

    def __init__(self, all_: _Shortenings, element: Element, number: int, expansion: Expansion) -> None:
        self.all = all_
        self.element = element
        self.number = number
        self.expansion = expansion
        self.left = Partial(all_.made.result, element)
        self.names: list[str] = []

    def found(self, start: Formula) -> Iterator[Shortening]:
        """The steps of the way."""
        current = start
        while missing := self.all.unformed(current):
            current, names, raw = self._put_in(current, missing)
            self.names += names
            kept, facts, before = self._cancelled(raw)
            yield self._step(listed(map(self._from_step, names)), (), message("That gives"), before)
            if not facts:
                kept, facts, opened = self._opened(raw)
                if facts:
                    yield self._step(None, (), message("Multiplied out"), opened)
            if facts:
                current = add(*kept)
                yield self._step(None, facts, message("What is left"), current)
        yield from (step for step in self._coded(current) if self.names or step.facts)

    def _opened(self, raw: list[Formula]) -> tuple[list[Formula], list[_Fact], Formula]:
        """The same with sums of what the forward pass holds multiplied out, which is worth it where terms cancel."""
        try:
            found = self._cancelled(self.expansion.terms(side_by_side(raw), whole=True))
        except TooLongError:
            return [], [], ZERO
        return found if size_of(found[2]) <= _LONGEST else ([], [], ZERO)

    def _cancelled(self, raw: list[Formula]) -> tuple[list[Formula], list[_Fact], Formula]:
        kept, gone = self.expansion.together(raw)
        before = side_by_side([*kept, *(t for group in gone for t in group)])
        facts = [(message("That is zero"), Equation(side_by_side(group), (ZERO,))) for group in gone]
        left, more = self._without_zeros(kept)
        return left, facts + more, before

    def _step(self, said: Message | str | None, facts: Iterable[_Fact], label: Message, side: Formula) -> Shortening:
        if size_of(side) > _LONGEST:
            raise TooLongError(f"a formula has more than {_LONGEST} parts")
        return Shortening(said, tuple(facts), label, Equation(self.left, (side,)))

    def _from_step(self, name: str) -> Message | str:
        gradient = self.all.made.prefix + name
        step = self.all.steps.get(name)
        return gradient if step is None else message("{gradient} from step {step}", gradient=gradient, step=step)

    def _put_in(self, x: Formula, missing: Sequence[Partial]) -> tuple[Formula, list[str], list[Formula]]:
        """A formula with gradients in place of which their formulas stand: those of one term with the next one."""
        names: list[str] = []
        while True:
            target = min(missing, key=lambda p: self.all.order.get(p.by.variable, -1)).by
            chain = self.all.made.chains.get(target.name)
            if chain is None or chain.element.variable != target.variable:
                raise TooLongError(f"the gradient of {target.name} has no formula that could be put in")
            names.append(target.name)
            x = _written_out(x, Partial, chain.element, chain.worked)
            raw = self.expansion.terms(x)
            x = side_by_side(raw)
            missing = self.all.unformed(x)
            if len(terms_of(chain.worked)) > 1 or not missing:
                return x, names, raw
            x = add(*self.expansion.together(raw)[0])
            missing = self.all.unformed(x)

    # ---- what is zero

    def _without_zeros(self, terms: list[Formula]) -> tuple[list[Formula], list[_Fact]]:
        """The terms that are not zero, alone or together; and the proofs of those that are."""
        facts: list[_Fact] = []
        kept: list[Formula] = []
        for term in terms:
            proof = next((p for s in reversed(list(sums_in(term))) if (p := self._proved(s)) is not None), None)
            if proof is None:
                kept.append(term)
            else:
                facts += [fact for fact in proof if fact not in facts]
        for size in (2, 3) if len(kept) <= _MOST_TOGETHER else ():
            for group in itertools.combinations(kept, size):
                proof = self._proved(side_by_side(group)) if all(t in kept for t in group) else None
                if proof is not None:
                    facts += [fact for fact in proof if fact not in facts]
                    kept = [t for t in kept if t not in group]
        return kept, facts

    def _proved(self, x: Formula) -> list[_Fact] | None:
        """Why a formula is zero: with names written out, one after the other, until all its terms cancel."""
        if not self.all.coded.vanishes(x):
            return None
        raw = self.expansion.terms(x, whole=True)
        if not self.expansion.together(raw)[0]:
            opened = () if terms_of(x) == tuple(raw) else (side_by_side(raw),)
            return [(message("That is zero"), Equation(x, (*opened, ZERO)))]
        sides: list[Formula] = []
        used: list[_Fact] = []
        current = x
        for _ in range(_MOST_UNFOLDED):
            reading = self._latest(current)
            if reading is None:
                return None
            current = _written_out(current, Element, reading.element, reading.form)
            kept, _ = self.expansion.together(self.expansion.terms(current, whole=True))
            current = add(*kept)
            used.append((message("Because"), Equation(reading.element, (reading.form,))))
            if not kept:
                return [(message("That is zero"), Equation(x, (*sides, ZERO))), *used]
            if size_of(current) > _LONGEST:
                return None
            sides.append(current)
        return None

    def _latest(self, x: Formula) -> Any:
        """The statement that made the latest of the arrays that a formula reads."""
        known = {e.variable for e in _elements(x) if e.variable in self.all.readings and not e.transposed}
        return self.all.readings[max(known)] if known else None

    # ---- the code

    def _coded(self, current: Formula) -> Iterator[Shortening]:
        """The line of code, with the names that it has for parts of the formula."""
        coded = self.all.coded
        gradient = coded.gradient(self.number)
        if gradient is None or gradient.number not in coded.variables:
            return  # the code is nothing but a name
        try:
            shape = np.shape(coded.draws[0].gradients[self.number])
            side = coded.code_form(gradient, self.element.indices, shape)
        except NoIndexFormError:
            return  # the code is said of whole arrays only
        there = {e.variable for e in _elements(current)}
        arriving = {p.by.variable for p in _partials(current)}
        facts: dict[int, Equation] = {}
        pending: list[Formula] = [side]
        while pending:
            for e in _elements(pending.pop(0)):
                n = e.variable
                if n in facts or n in there:
                    continue
                form = self._helper(n, arriving)
                if form is not None:
                    facts[n] = form
                    pending.append(form.right[0])
                elif n in self.all.readings:
                    facts[n] = Equation(self.all.readings[n].element, (self.all.readings[n].form,))
        for n in self._more(current, side, facts, there):
            facts[n] = Equation(self.all.readings[n].element, (self.all.readings[n].form,))
        if facts or side != self.named(current):
            yield self._step(None, [(message("With"), f) for f in facts.values()], message("As in the code"), side)

    def named(self, x: Any) -> Any:
        """A formula with the gradients that the code has under the names that they have there."""
        if isinstance(x, Partial) and x.by.variable in self.all.coded.arriving:
            name, g = self.all.coded.arriving[x.by.variable]
            return Element(name, x.by.indices, g)
        return mapped(x, self.named)

    def _helper(self, n: int, arriving: Collection[int]) -> Equation | None:
        """What a name that only the code has stands for; nothing where it is that of a gradient that arrives."""
        coded = self.all.coded
        forms, own = coded.code
        arrived = {coded.arriving[v][1] for v in arriving if v in coded.arriving}
        if n not in own or n not in forms.steps or n in arrived:
            return None
        shape = np.shape(coded.draws[0].code[n])
        indices = forms.letters.axes(n, shape, ())
        return Equation(Element(own[n], indices, n), (coded.code_form(coded.variables[n], indices, shape),))

    def _more(
        self, current: Formula, side: Formula, facts: Mapping[int, Equation], there: Collection[int]
    ) -> Iterator[int]:
        """The statements that must be known beyond these for both formulas to be the same when multiplied out."""
        left, right = self.named(current), side
        if size_of(left) + size_of(right) > 2 * _LONGEST:
            return
        try:
            for n in sorted(facts, reverse=True):
                helper = facts[n].left
                assert isinstance(helper, Element)
                right = _written_out(right, Element, helper, facts[n].right[0])
            if self.expansion.same(left, right):
                return
            shared = sorted((n for n in there if n in self.all.readings), reverse=True)[:_MOST_TRIED]
            for names in (*((n,) for n in shared), shared[:2], shared):
                sides = left, right
                for n in names:
                    reading = self.all.readings[n]
                    sides = tuple(_written_out(side, Element, reading.element, reading.form) for side in sides)
                if self.expansion.same(*sides):
                    yield from names
                    return
        except TooLongError:
            return


def _partials(x: Any) -> Iterator[Partial]:
    if isinstance(x, Partial):
        yield x
    for child in children(x):
        yield from _partials(child)


def _elements(x: Any) -> Iterator[Element]:
    if isinstance(x, Element):
        yield x
    for child in children(x):
        yield from _elements(child)


def _written_out(x: Any, kind: type[Element | Partial], element: Element, form: Formula) -> Any:
    """A formula with the elements of an array, or the gradients by them, exchanged for what they are."""

    def change(y: Any) -> Any:
        if isinstance(y, kind):
            place = y.by if isinstance(y, Partial) else y
            return _at(element, place, form) if place.variable == element.variable else y
        return mapped(y, change)

    return change(x)


def _at(element: Element, place: Element, form: Formula) -> Formula:
    pairs = zip(element.indices, place.indices, strict=True)
    given = {i.name: p for i, p in pairs if isinstance(i, Index) and i != p}
    found: Formula = substituted(form, given)
    return found
