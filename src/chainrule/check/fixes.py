"""The line to write instead: the statement of the exact backward pass, in the names that the candidate uses.

A line is only said to mend a candidate where the candidate was run with it and is right then.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from chainrule.check.anywhere import Tries, fixes_anywhere, wrong_on
from chainrule.check.candidate import Candidate
from chainrule.check.carrying import mended_between_turns
from chainrule.check.changing import Scene, last_line_of, text_of
from chainrule.check.clock import spent
from chainrule.check.dialects import respelled, unparsed
from chainrule.check.exact import Exact
from chainrule.check.exact_lines import ExactLines
from chainrule.check.findings import Place
from chainrule.check.forward import Forward
from chainrule.check.locating import Location, Witness, witness_of
from chainrule.check.mending import Fix, augmented, earlier_line, in_statement
from chainrule.check.moving import later_updates
from chainrule.check.order_repairs import with_parts_exchanged
from chainrule.check.repairs import changes_of_value, likeliest_first
from chainrule.check.scenes import scene_of
from chainrule.check.statement_repairs import changes_of_statement
from chainrule.check.traced_lines import Entry
from chainrule.check.vocabulary import kind_named

__all__ = ["Mender"]

_MOST_ROUNDS = 4  # faults of one candidate
_MOST_MEANT = 2  # variables that a line may compute the gradient of, instead of the likeliest one
_LONGEST = 6  # lines of code to write instead of one
_MOST_TEXTS = 3  # lines of the exact backward pass that are tried for one variable
_MOST_STEPS = 3  # lines that are looked behind, which are right where they stand
_FEW_LINES = 2  # that are more than a person wants to read in the place of one
_SECONDS = 0.15  # of one processor for small changes of one line
_LONGER = 0.4  # where everything that it reads is known to be right
_TOTAL = 0.75  # for those of all lines
_MOST_LINES = 3  # other lines of the candidate that are changed


class Mender:
    """Writes lines of the exact backward pass in a candidate's names, and runs the candidate with them.

    Args:
        candidate: the candidate.
        forward: the forward function.
        exacts: two draws of the same sizes with general values.
        others: draws on which a line must hold too, of other sizes.
        kinds: what is said of each gradient.
    """

    def __init__(
        self,
        candidate: Candidate,
        forward: Forward,
        exacts: Sequence[Exact],
        others: Sequence[Exact] = (),
        kinds: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.candidate = candidate
        self.exacts = exacts
        self.others = others
        self.kinds = kinds or {}
        self.exact_lines = ExactLines(candidate, forward, exacts[0])
        self.end = 0.0  # in seconds of the processor
        self._runs: dict[int, tuple[Candidate, dict[int, bool]]] = {}
        self._tries = Tries(exacts[0], ())
        self._scenes: dict[tuple[int, int], tuple[Witness, Scene]] = {}

    def fixes(self, witness: Witness, wrong: Sequence[str]) -> list[Fix]:
        """A fix for each place where the candidate goes wrong, the first one first; each is tried with those before."""
        example = next((e for e in self.exacts if e.draw.label == "example"), None)
        self._tries = Tries(self.exacts[0], wrong, example)
        found: list[Fix] = []
        candidate, own, remaining, moved = self.candidate, witness, list(wrong), list[tuple[int, int]]()
        meant = self._kinds_of(wrong)
        faults = {frozenset(self.kinds.get(n, ())) for n in wrong}
        elsewhere: list[Fix] | None = None
        if "uses_updated_weights" in meant:
            moved_fix = self._moved(wrong)
            if moved_fix is not None:
                return [moved_fix]
        between = mended_between_turns(candidate, witness, wrong, self._tries, self.others)
        if between is not None:
            return [between]
        if "swapped_outputs" in meant:
            swapped_fix = self._swapped(witness, wrong)
            if swapped_fix is not None:
                return [swapped_fix]
        located = witness.locate(wrong)
        if len(faults) == 1 and (len(located) > 1 or any(witness.lines.called(at.line) for at in located)):
            # It is likely to be a line that all of them go through.
            elsewhere = self._elsewhere(own, wrong, True)
            if any(set(f.mends) >= set(wrong) and f.word in meant for f in elsewhere):
                return elsewhere
        self.end = spent() + _TOTAL
        for _ in range(_MOST_ROUNDS):
            locations = sorted(witness.locate(remaining), key=witness.order)
            if not any(self._can_run_with(candidate, witness, at.line) for at in locations):
                if not found and not self._can_run_with_others(candidate, witness):
                    return [f for f in (self._untried(witness, at) for at in locations) if f is not None]
                break
            step = next((s for s in (self._fixed(witness, candidate, at) for at in locations) if s is not None), None)
            if step is None:
                break
            fix, candidate, changed = step
            line = fix.location.line
            now = tuple(n for n in remaining if changed is None or changed.is_right(n))
            found.append(replace(fix, location=replace(fix.location, line=earlier_line(line, moved)), mends=now))
            moved.append((line, fix.text.count("\n") + 1 - fix.replaced))
            remaining = [n for n in remaining if n not in now]
            if not remaining or changed is None:
                break
            witness = changed
        places = {at.line for at in located}
        odd = any(f.word and f.word not in meant and f.location.line not in places for f in found)
        long = any(not f.word and f.text.count("\n") + 1 >= _FEW_LINES for f in found)
        if remaining or long or len(found) > len(faults) or odd:
            elsewhere = self._elsewhere(own, wrong, False) if elsewhere is None else elsewhere
            mended = len({n for f in elsewhere for n in f.mends})
            better = long or len(elsewhere) < len(found) or all(f.word in meant for f in elsewhere)
            if mended > len(wrong) - len(remaining) or (mended == len(wrong) and better):
                return elsewhere
        return [
            replace(
                f, mends=tuple(n for n in wrong if n in f.mends or (n in f.location.gradients and n not in remaining))
            )
            for f in found
        ]

    def _elsewhere(self, witness: Witness, wrong: Sequence[str], alone: bool) -> list[Fix]:
        """Small changes of any lines with which the candidate is right, if it can be run with another line at all."""
        if not self._can_run_with_others(self.candidate, witness):
            return []
        return fixes_anywhere(
            self.candidate, witness, wrong, self.exacts, self.others, self._kinds_of, self._tries, alone
        )

    def _moved(self, wrong: Sequence[str]) -> Fix | None:
        """The lines of an update in another order, with which the candidate is right."""
        for m in later_updates(self.candidate):
            left = self._tries.wrong_with(self.candidate, m.first, m.last, m.text)
            if left is not None and not left:
                at = Location(tuple(wrong), m.first, m.own, "", Place(), Place())
                return Fix(at, m.text, tuple(wrong), True, m.last - m.first + 1, "uses_updated_weights")
        return None

    def _swapped(self, witness: Witness, wrong: Sequence[str]) -> Fix | None:
        """What is returned with two parts in each other's place, with which the candidate is right."""
        statements = dict.fromkeys(s for s in witness.lines.statements.values() if isinstance(s, ast.Return))
        for statement in statements:
            last = last_line_of(statement)
            for exchanged in with_parts_exchanged(statement):
                text = text_of(exchanged)
                left = self._tries.wrong_with(self.candidate, statement.lineno, last, text)
                if left is not None and not left:
                    at = Location(tuple(wrong), statement.lineno, text_of(statement), "", Place(), Place())
                    count = last - statement.lineno + 1
                    return Fix(at, text, tuple(wrong), True, count, "swapped_outputs")
        return None

    def _untried(self, witness: Witness, location: Location) -> Fix | None:
        """The line to write at a place of a candidate that cannot be run with it."""
        entry = witness.entry_at(location)
        for text, word in [] if entry is None else self._own_line_changed(witness, location, entry):
            return Fix(location, text, word=word)
        if self.exact_lines.long:
            return None  # takes long, and there are no such lines in a loop
        texts = [
            t for t in self.exact_lines.texts(witness, location) if not re.search(r"\w\[\d+\]", t)
        ]  # the item of one turn
        return Fix(location, texts[0]) if texts else None

    def _fixed(
        self, witness: Witness, candidate: Candidate, location: Location
    ) -> tuple[Fix, Candidate, Witness | None] | None:
        """The line to write at a place: the first one with which the candidate is right in the end, or right there.

        With it stands the candidate with that line, and its variables where something is still wrong.
        """
        if not self._can_run_with(candidate, witness, location.line):
            return None
        others = list[tuple[Location, str, str]]()
        for at, text, word in self._proposed(witness, candidate, location):
            last = _last_line(witness, at.line)
            wrong = self._tries.wrong_with(candidate, at.line, last, text)
            if wrong is not None and not wrong:
                changed = self._replaced(candidate, witness, at.line, text)
                if changed is not None and self._holds(changed, list(self.exacts[0].gradients)):
                    return Fix(at, text, (), True, last - at.line + 1, word), changed, None
            elif wrong is not None and not wrong & set(location.gradients):
                step = self._step(witness, candidate, location, at, text, word)
                if step is not None and not step[1]:
                    return step[0]
            others.append((at, text, word))
        for at, text, word in others[:_MOST_STEPS]:  # right here, and wrong further on
            step = self._step(witness, candidate, location, at, text, word)
            if step is not None and all(witness.order(location) < step[0][2].order(m) for m in step[1]):
                return step[0]
        return None

    def _step(
        self, witness: Witness, candidate: Candidate, location: Location, at: Location, text: str, word: str
    ) -> tuple[tuple[Fix, Candidate, Witness], list[Location]] | None:
        """The candidate with another line, and where it goes wrong then; ``None`` where that mends nothing."""
        changed = self._replaced(candidate, witness, at.line, text)
        again = None if changed is None else witness_of(changed, self.exacts)
        if changed is None or again is None:
            return None
        if any(witness.is_right(n) and not again.is_right(n) for n in witness.lines.finals):
            return None  # another gradient is right with the line that stands there
        mended = [n for n in location.gradients if again.is_right(n)]
        if not self._holds(changed, mended):
            return None
        count = _last_line(witness, at.line) - at.line + 1
        fix = Fix(at, text, (), True, count, word)
        return (fix, changed, again), again.locate(n for n in location.gradients if n not in mended)

    def _proposed(
        self, witness: Witness, candidate: Candidate, location: Location
    ) -> Iterator[tuple[Location, str, str]]:
        """Lines to write and where: the candidate's own with a small change, or that of the exact backward pass."""
        entry = witness.entry_at(location)
        if entry is None:
            return
        places = [(location, entry), *self._others(witness, location, entry)]
        for at, e in places:
            if e is entry or e in witness.lines.finals.values():
                for text, word in self._own_line_changed(witness, at, e):
                    yield at, text, word
        for number in self._also_meant(witness, location, entry):
            for text, word in self._own_line_changed(witness, replace(location, number=number), entry):
                yield location, text, word
        end = min(self.end, spent() + _SECONDS)
        for at, e in places:
            for text, word in self._by_running(witness, candidate, at, e, end):
                yield at, text, word
        if witness.repeats(entry):
            return  # the exact backward pass has a line for each turn, and none for all
        for number in (location.number, *reversed(self._also_meant(witness, location, entry))):
            meant = replace(location, number=number)
            exact = [t for t in self.exact_lines.texts(witness, meant) if t.count("\n") < _LONGEST]
            texts = [respelled(t, candidate.style) for t in exact[:_MOST_TEXTS]]
            yield from ((location, t, "") for t in texts if t is not None)

    def _also_meant(self, witness: Witness, location: Location, entry: Entry) -> list[int]:
        """What else a line may compute the gradient of: ``dc`` may be that of the old cell or that of the new one."""
        shape = np.shape(entry.values[0])
        named = [g for g in witness.references.gradients.values() if g.name and np.shape(g.values[0]) == shape]
        return sorted(g.number for g in named if g.number > location.number)[-_MOST_MEANT:] if shape else []

    def _others(self, witness: Witness, location: Location, entry: Entry) -> list[tuple[Location, Entry]]:
        """Other lines that it may be: where the gradient is there in the end, and what is not known to be right."""
        found: list[tuple[Location, Entry]] = []
        for name in location.gradients[:1]:
            final = witness.lines.finals.get(name)
            chain = [] if final is None else witness.lines.ancestors(final)
            number = witness.number_of(name)
            for e in reversed(chain):
                unknown = e.right is None and e.match is None and not e.parameter and witness.has_gradient(e)
                lines = {entry.line, *(at.line for at, _ in found)}
                if e.frame == entry.frame and (e is final or unknown) and e.line not in lines:
                    known = number if e is final else -1
                    at = replace(location, line=e.line, text=e.text, name=e.name, number=known)
                    found.append((at, e))
        return found[:_MOST_LINES]

    def _own_line_changed(self, witness: Witness, location: Location, entry: Entry) -> list[tuple[str, str]]:
        """The candidate's own line with one thing changed, where that gives the right value."""
        known = witness.references.gradients.get(location.number)
        if known is None or entry.expression is None:
            return []
        statement = witness.lines.statements.get(entry.line)
        kinds = self._said_of(location)
        found = []
        end = min(self.end, spent() + (_LONGER if location.certain else _SECONDS))
        for change in changes_of_value(entry.expression, self._scene(witness, entry), known.values, end, kinds):
            added = _added(statement, change.node, entry)
            if added is not None:
                found.append((text_of(added), "overwrites_instead_of_accumulates"))
                continue
            text = f"_ = {unparsed(change.node)}"
            if isinstance(statement, ast.AugAssign):
                text = augmented(statement, entry.expression, change.node)
            else:
                written = in_statement([text], statement, entry, witness.lines.spelled(entry.name, entry.line))
                if written is None:
                    continue
                text = written
            found.append((text, change.word))
        return found

    def _said_of(self, location: Location) -> set[str]:
        """The kinds of mistakes that are suspected in what comes through a line, and those near them."""
        return self._kinds_of(location.gradients)

    def _kinds_of(self, names: Sequence[str]) -> set[str]:
        said = {k for n in names for k in self.kinds.get(n, ())}
        return said | {n for k in said for n in kind_named(k).near}

    def _scene(self, witness: Witness, entry: Entry) -> Scene:
        key = (id(witness), entry.index)
        if key not in self._scenes:  # with its witness, so that no other has its number
            self._scenes[key] = witness, scene_of(witness, entry)
        return self._scenes[key][1]

    def _by_running(
        self, witness: Witness, candidate: Candidate, location: Location, entry: Entry, end: float
    ) -> Iterator[tuple[str, str]]:
        """Suspected changes of a line whose value cannot be known alone, judged by what the candidate gives."""
        statement = witness.lines.statements.get(entry.line)
        if statement is None or not self._can_run_with(candidate, witness, location.line):
            return
        # Where nothing is suspected, anything may be.
        scene = replace(self._scene(witness, entry), kinds=self._said_of(location) or None)
        for change in likeliest_first(changes_of_statement(statement, scene)):
            if spent() > end:
                return
            text = text_of(change.node)
            wrong = self._tries.wrong_with(candidate, location.line, _last_line(witness, location.line), text)
            if wrong is not None and not wrong & set(location.gradients):
                yield text, change.word

    def _holds(self, candidate: Candidate, names: Sequence[str]) -> bool:
        """Whether gradients are right on draws of other sizes, too."""
        return not names or not any(set(names) & wrong_on(candidate, exact) for exact in self.others)

    def _can_run_with(self, candidate: Candidate, witness: Witness, line: int) -> bool:
        """Whether the candidate can be run with another line there: not where that is in code of another file."""
        statement = witness.lines.statements.get(line)
        if statement is None:
            return False
        if candidate.style == "script":
            return True
        runs = self._runs.setdefault(id(candidate), (candidate, {}))[1]  # kept, so that no other has its number
        if line not in runs:
            runs[line] = self._replaced(candidate, witness, line, unparsed(statement)) is not None
        return runs[line]

    def _can_run_with_others(self, candidate: Candidate, witness: Witness) -> bool:
        """Whether the candidate can be run with another line anywhere, as one without source cannot."""
        first = [f.body[0].lineno for f in witness.lines.functions] or list(witness.lines.statements)[:1]
        return any(self._can_run_with(candidate, witness, line) for line in first)

    def _replaced(self, candidate: Candidate, witness: Witness, line: int, text: str) -> Candidate | None:
        make = getattr(candidate, "replaced", None)
        if not callable(make) or line <= 0:
            return None
        changed: Candidate | None = make(line, text, _last_line(witness, line))
        return changed


def _last_line(witness: Witness, line: int) -> int:
    """Where the statement of a line ends."""
    statement = witness.lines.statements.get(line)
    return line if statement is None else last_line_of(statement)


def _added(statement: ast.stmt | None, node: ast.AST, entry: Entry) -> ast.stmt | None:
    """The line with ``+=``, where it is right with what its variable held before added to it."""
    match statement, node:
        case ast.Assign(targets=[target], value=value), ast.BinOp(left, ast.Add(), right):
            again = left is value and ast.unparse(right) == ast.unparse(target)
            return ast.AugAssign(target, ast.Add(), value) if again else None  # type: ignore[arg-type]
    return None
