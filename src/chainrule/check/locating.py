"""The first wrong step of a candidate, by its own intermediate values: a witness beside the search for what was edited.

Each variable of the candidate is compared, on fresh draws, with what is known: the values of the forward pass, their
exact gradients, and constant multiples and transposes of them.  Where the line stands that makes the first wrong value
out of right ones, it goes wrong.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.check.candidate import Candidate
from chainrule.check.evaluating import NoValueError, evaluated, path_of
from chainrule.check.exact import Exact
from chainrule.check.findings import Place, place_of
from chainrule.check.judging import gradients_in
from chainrule.check.matching import Known, Match, References, is_close, references_of
from chainrule.check.seeding import seeded
from chainrule.check.traced_lines import Entry, Lines, lines_of_candidate

__all__ = ["Location", "Witness", "witness_of"]

_DEEPEST = 6  # lines that are read into each other
_ROUNDING = 1e-6  # of the largest number of the backward pass: a smaller one is compared with this


@dataclass(frozen=True, slots=True)
class Location:
    """Where a candidate goes wrong first, on the way to some of its gradients.

    Attributes:
        gradients: the wrong gradients that come after it.
        line: of the candidate's file; 0 where that is not known.
        text: that line.
        name: the variable that it assigns.
        place: the statement of the forward pass through which the gradient is passed there.
        until: the statement furthest back that it may as well be, where a line passes several; the same as ``place``
            if there is but one.
        number: the forward variable whose gradient the line must compute; -1 where that is not known.
        relation: how the wrong value relates to the right one, where it is a multiple of it or its transpose.
        certain: whether everything that the line reads is known to be right.
        reads: the forward variables whose right gradients it is computed from.
    """

    gradients: tuple[str, ...]
    line: int
    text: str
    name: str
    place: Place
    until: Place
    number: int = -1
    relation: Match | None = None
    certain: bool = True
    reads: tuple[int, ...] = ()

    def covers(self, line: int | None) -> bool:
        """Whether a statement of the forward pass is among those that are passed there."""
        ends = [p.line for p in (self.place, self.until) if p.line is not None]
        return line is not None and bool(ends) and min(ends) <= line <= max(ends)


def witness_of(candidate: Candidate, exacts: Sequence[Exact]) -> Witness | None:
    """What the candidate's own variables show, on draws for which the exact values are known.

    Args:
        candidate: the candidate; it is run once more on each draw.
        exacts: two draws of the same sizes, with general values; of more, the first two are used.

    Returns:
        ``None`` where its variables cannot be seen.
    """
    first, *others = exacts
    steps = len(first.backward.program.steps)
    alike = [e for e in others if len(e.backward.program.steps) == steps and _sizes(e) == _sizes(first)]
    used = [first, *alike[:1]]
    answers = []
    for exact in used:
        with seeded(exact.draw.seed):
            answers.append(candidate.answer(exact.draw.arguments, exact.draw.cotangent, look=True))
    if any(a.error is not None for a in answers) or not any(a.seen or a.gradients for a in answers):
        return None
    steps_of = [[(s.name, s.line) for s in a.seen] for a in answers]
    if any(other != steps_of[0] for other in steps_of[1:]):  # it takes other branches on the other draw
        used, answers = used[:1], answers[:1]
    references = references_of(first.backward, [e.values for e in used])
    gradients = [gradients_in(a, e.leaves) for a, e in zip(answers, used, strict=True)]
    return Witness(lines_of_candidate(candidate, answers, references, gradients), used)


def _sizes(exact: Exact) -> list[tuple[int, ...]]:
    return [np.shape(g) for g in exact.gradients.values()]


class Witness:
    """The candidate's own variables, next to the exact values."""

    def __init__(self, lines: Lines, exacts: Sequence[Exact]) -> None:
        self.lines = lines
        self.exacts = exacts
        self.references: References = lines.references
        self.backward = exacts[0].backward
        self.producer = {
            out.number: k
            for k, step in enumerate(self.backward.program.steps[: self.backward.forward_steps])
            for out in step.outputs
        }
        # Variables whose gradients are passed on further back.
        self.passed_on = self.producer.keys() | set(self.backward.likes.values())
        self._operands: dict[tuple[int, int], list[tuple[int, Entry | None]]] = {}
        self._known: dict[tuple[int, int], dict[str, Any]] = {}
        self._matches: dict[tuple[int, int], Match | None] = {}
        self._carrying: dict[str, bool] = {}
        self._located: dict[str, Location | None] = {}
        self._holding: list[bool] = []

    def locate(self, wrong: Iterable[str]) -> list[Location]:
        """Where each of these gradients goes wrong first; one record for those that go wrong at the same place."""
        found: dict[tuple[int, str], Location] = {}
        for name in wrong:
            if name not in self._located:
                self._located[name] = self._locate(name)
            location = self._located[name]
            if location is None:
                continue
            key = (location.line, location.name)
            if key in found:
                names = (*found[key].gradients, name)
                found[key] = Location(names, *(getattr(found[key], f) for f in _FIELDS[1:]))
            else:
                found[key] = location
        return list(found.values())

    def _locate(self, name: str) -> Location | None:
        final = self.lines.finals.get(name)
        known = self._gradient_of(name)
        if final is None or known is None:
            return None
        end = self.references.relation(final.values, known)
        chain = self.lines.ancestors(final, until=_is_right_gradient)
        suspicious = [e for e in chain if e is final or self._deviates(e, end)]
        first = suspicious[0]
        number = known.number if first is final else first.meant
        if number is None and first.match is not None and first.match.known.role == "gradient":
            number = first.match.known.number
        blamed = None
        if first is final and (end is None or not end.transposed):
            blamed = self._blamed(first, known, 0)
            if blamed is not None:
                first, number = blamed
        relation = end if first is final else first.match
        unknown = [] if relation is not None else self._unknown_before(first)
        operands = self._right_operands(first)
        places = [self.place(o) for o, _ in operands]
        targets = self._uses(number)
        shared = [p for p in places if p in targets]
        place = (shared or places or targets or [Place()])[-1]
        until = targets[-1] if targets else place
        at = first
        if places and not shared and targets:
            # A statement was passed over: the line that should have passed it is that of the value read here.
            held = [e for _, e in operands if e is not None and not e.parameter]
            if (held or unknown) and not self._goes_wrong_itself(first, held, number):
                at = held[-1] if held else first
                number = self._input_of(operands[-1][0])
        if unknown:
            at = unknown[0]
        right = relation if relation is not None and number == relation.known.number else None
        return Location(
            (name,),
            at.line,
            at.text,
            at.name,
            place,
            until,
            -1 if number is None else number,
            right,
            not unknown and blamed is None,
            tuple(number for number, _ in operands),
        )

    def _blamed(self, entry: Entry, known: Known, depth: int) -> tuple[Entry, int] | None:
        """The variable that an entry reads with which it would be right if that were some gradient, and of what."""
        if entry.expression is None or depth > _DEEPEST:
            return None
        values = [self.values(entry, k) for k in range(len(entry.values))]
        for e in entry.sources:
            if e.parameter or e.right or (e.match is not None and e.match.exact) or e.frame != entry.frame:
                continue
            shape = np.shape(e.values[0])
            for other in self.references.gradients.values():
                if shape and np.shape(other.values[0]) == shape and self._would_be(entry, e, other, known, values):
                    return self._blamed(e, other, depth + 1) or (e, other.number)
        return None

    def _goes_wrong_itself(self, entry: Entry, held: Sequence[Entry], number: int | None) -> bool:
        """Whether an entry would stay wrong, whatever gradient the last one were that it reads."""
        known = self.references.gradients.get(-1 if number is None else number)
        if entry.expression is None or not held or known is None or entry.meant is None:
            return False
        values = [self.values(entry, k) for k in range(len(entry.values))]
        own = Known("value", -1, "", entry.values)
        if not self._would_be(entry, held[-1], Known("value", -1, "", held[-1].values), own, values):
            return False  # its expression cannot be evaluated
        shape = np.shape(held[-1].values[0])
        others = [g for g in self.references.gradients.values() if np.shape(g.values[0]) == shape]
        fitting = [g.number for g in others if self._would_be(entry, held[-1], g, known, values)]
        matches = [e.match.known for e in self.lines.before(entry).values() if e.right and e.match is not None]
        there = {known.number for known in matches if known.role == "gradient"}
        return not fitting or not there.isdisjoint(fitting)  # one of them is there, and was not read

    def _would_be(self, entry: Entry, e: Entry, other: Known, known: Known, values: Sequence[dict[str, Any]]) -> bool:
        """Whether an entry would be a gradient, if a variable that it reads were another one."""
        assert entry.expression is not None
        try:
            for k, v in enumerate(values):
                if not is_close(evaluated(entry.expression, {**v, e.name: other.values[k]}), known.values[k]):
                    return False
        except NoValueError:
            return False
        return True

    def is_right(self, name: str) -> bool:
        """Whether a gradient is right on these draws."""
        known = self._gradient_of(name)
        if known is None or not all(name in g for g in self.lines.gradients):
            return False
        given = [g[name] for g in self.lines.gradients]
        relation = self.references.relation(given, known)
        if relation is not None and relation.exact:
            return True
        # Zero by an identity, such as that of a bias before a mean is subtracted, up to rounding.
        scales = [_ROUNDING * e.scale for e in self.exacts]
        return all(is_close(v, w, scale) for v, w, scale in zip(given, known.values, scales, strict=True))

    def last_right(self, location: Location) -> Entry | None:
        """The last gradient before a place that is right and goes into what is wrong there."""
        entry = self.entry_at(location)
        if entry is None:
            return None
        known = [e for e in self.lines.ancestors(entry) if e is not entry and e.right and not e.parameter]
        return next((e for e in reversed(known) if e.match is not None and e.match.known.role == "gradient"), None)

    def order(self, location: Location) -> int:
        """The place of a location in the order in which the candidate's variables are assigned."""
        entry = self.entry_at(location)
        return len(self.lines.entries) if entry is None else entry.index

    def entry_at(self, location: Location) -> Entry | None:
        """The entry that a location stands for."""
        fitting = [e for e in self.lines.entries if (e.line, e.name) == (location.line, location.name)]
        return fitting[-1] if fitting else None

    def repeats(self, entry: Entry) -> bool:
        """Whether the line of an entry is met in several turns of a loop."""
        alike = (e for e in self.lines.entries if (e.line, e.name, e.frame) == (entry.line, entry.name, entry.frame))
        return sum(1 for _ in alike) > 1

    def number_of(self, name: str) -> int:
        """The number of an argument; -1 where there is none of this name."""
        leaves = [leaf.name for leaf in self.exacts[0].leaves]
        return self.backward.wrt[leaves.index(name)].number if name in leaves else -1

    def _gradient_of(self, name: str) -> Known | None:
        return self.references.gradients.get(self.number_of(name))

    def _deviates(self, e: Entry, end: Match | None) -> bool:
        """Whether an entry is off in the way in which the gradient in the end is.

        A factor that is not there in the end was a convention on the way.
        """
        if e.right or e.match is None:
            return e.right is False
        if e.meant is not None and e.match.known.number != e.meant:
            return True
        if end is None or end.exact:
            return False
        if end.transposed:
            return e.match.transposed
        return bool(abs(e.match.factor / end.factor - 1.0) < 1e-6)

    def _unknown_before(self, entry: Entry) -> list[Entry]:
        """What an entry is made of and is not known to be right or wrong, but depends on a gradient."""
        found: dict[int, Entry] = {}
        pending = list(entry.sources)
        while pending:
            e = pending.pop()
            if e.match is None and e.right is None and e.index not in found and self.has_gradient(e):
                found[e.index] = e
                pending += e.sources
        return [found[k] for k in sorted(found)]

    def carries_gradient(self, name: str) -> bool:
        """Whether a variable holds a gradient at any time."""
        if name not in self._carrying:
            own = [e for e in self.lines.entries if e.name == name]
            self._carrying[name] = any(self.has_gradient(e) for e in own[:1] + own[-1:])
        return self._carrying[name]

    def has_gradient(self, e: Entry) -> bool:
        """Whether a gradient goes into an entry."""
        for a in self.lines.entries[len(self._holding) :]:  # each is made of earlier ones
            self._holding.append(self._holds(a))
        return self._holds(e)

    def _holds(self, e: Entry) -> bool:
        own = e.match is not None and e.match.known.role != "value"
        return own or any(self._holding[s.index] for s in e.sources)

    def _right_operands(self, entry: Entry) -> list[tuple[int, Entry | None]]:
        """The gradients that an entry is computed from, as they come: of which variables, and in which entry."""
        found = self._collected(entry, 0)
        order = {number: self.producer.get(number, -1) for number, _ in found}
        return sorted(dict(found).items(), key=lambda pair: -order[pair[0]])

    def _collected(self, entry: Entry, depth: int) -> list[tuple[int, Entry | None]]:
        if depth > _DEEPEST:
            return []
        key = (entry.index, depth)
        if key not in self._operands:
            self._operands[key] = self._collect(entry, depth)
        return self._operands[key]

    def _collect(self, entry: Entry, depth: int) -> list[tuple[int, Entry | None]]:
        found: list[tuple[int, Entry | None]] = []

        def visit(node: ast.expr) -> None:
            path = path_of(node)
            held = next((e for e in entry.sources if e.name == path), None)
            whole = node is entry.expression and held is None
            match = held.match if held is not None else None if whole else self.matched(node, entry)
            if match is not None and match.known.role == "gradient" and match.known.number in self.passed_on:
                found.append((match.known.number, held))
                return
            if held is not None:
                if held.match is None and not held.parameter:
                    found.extend(self._collected(held, depth + 1))
                return
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    visit(child)

        if entry.expression is not None:
            visit(entry.expression)
            return found
        for e in entry.sources:
            if e.match is not None and e.match.known.role == "gradient" and e.match.known.number in self.passed_on:
                found.append((e.match.known.number, e))
            elif e.match is None and not e.parameter:
                found.extend(self._collected(e, depth + 1))
        return found

    def matched(self, node: ast.expr, entry: Entry) -> Match | None:
        """What a part of an entry's expression is."""
        if isinstance(node, ast.Constant):
            return None
        key = (entry.index, id(node))
        if key not in self._matches:
            self._matches[key] = self._match(node, entry)
        return self._matches[key]

    def _match(self, node: ast.expr, entry: Entry) -> Match | None:
        try:
            results = [evaluated(node, self.values(entry, k)) for k in range(len(entry.values))]
        except NoValueError:
            return None
        if not all(isinstance(r, np.ndarray | np.generic) for r in results):
            return None  # a list of arrays, which is no array
        if any(r.dtype.kind not in "fc" or not r.shape for r in results):
            return None
        return self.references.match(results)

    def values(self, entry: Entry, draw: int) -> dict[str, Any]:
        """What the names in an entry's expression stand for."""
        key = (entry.index, draw)
        if key not in self._known:
            known: dict[str, Any] = {
                k.name: k.values[draw] for k in self.references.known if k.role == "value" and k.name
            }
            known.update(self.exacts[draw].draw.arguments)
            known.update({name: e.values[draw] for name, e in self.lines.before(entry).items()})
            self._known[key] = known
        return self._known[key]

    # ---- the forward pass
    def place(self, number: int) -> Place:
        """The statement that computes a forward variable."""
        return place_of(self.backward.program, self.backward.forward_steps, self.producer.get(number, -1))

    def _uses(self, number: int | None) -> list[Place]:
        """The statements that a gradient comes through on its way to a variable, the last one first."""
        shares = self.backward.contributions.get(number, ()) if number is not None else ()
        steps = sorted({step for step, _ in shares}, reverse=True)
        return list(dict.fromkeys(place_of(self.backward.program, self.backward.forward_steps, step) for step in steps))

    def _input_of(self, number: int) -> int | None:
        """The named forward variable that a statement with one of them passes the gradient on to."""
        place = self.place(number)
        steps = self.backward.program.steps[: self.backward.forward_steps]
        inside = [k for k in range(len(steps)) if place_of(self.backward.program, len(steps), k) == place]
        made = {out.number for k in inside for out in steps[k].outputs}
        read = {
            x.number
            for k in inside
            for x in steps[k].inputs
            if x.number not in made and x.number in self.backward.links
        }
        return next(iter(read)) if len(read) == 1 else None


def _is_right_gradient(e: Entry) -> bool:
    """Whether an entry is an exact gradient, so that nothing can be wrong with what it was made of."""
    return bool(e.right) and e.match is not None and e.match.exact and e.match.known.role == "gradient"


_FIELDS = tuple(Location.__dataclass_fields__)
