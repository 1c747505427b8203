"""The line to write instead: the statement of the exact backward pass, in the names that the candidate uses.

A line is only said to mend a candidate where the candidate was run with it and is right then.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chainrule.backward import Backward, backward_of
from chainrule.check.candidate import Candidate
from chainrule.check.exact import Exact
from chainrule.check.forward import Forward
from chainrule.check.locating import Location, Witness, witness_of
from chainrule.check.traced_lines import Entry
from chainrule.check.verdicts import Suspect
from chainrule.emit.material import Material, material_of
from chainrule.emit.writing import Writing
from chainrule.errors import ChainruleError
from chainrule.ir import Const, Var
from chainrule.lengths import whole_symbols
from chainrule.loop_sums import sums_begun
from chainrule.simplify.rewriting import simplify
from chainrule.statements.request import Request

__all__ = ["Fix", "Mender", "lines_written", "mended", "with_written"]

_LONGEST = 60  # backward steps that are simplified: those of many turns of a loop take long, and say little
_MOST_ROUNDS = 4  # faults of one candidate
_MOST_LINES = 6  # of code to write instead of one line
_WIDTH = 92
_UNKNOWN = "not_at_hand_"  # stands for what the candidate has no name for


@dataclass(frozen=True, slots=True)
class Fix:
    """What to write in the place of a line of the candidate.

    Attributes:
        location: where it goes wrong.
        text: the lines to write instead.
        mends: the gradients that are right when the candidate is run with them.
        tried: whether it could be run.
        replaced: how many lines of the candidate it takes the place of.
    """

    location: Location
    text: str
    mends: tuple[str, ...] = ()
    tried: bool = False
    replaced: int = 1


def _earlier(line: int, moved: Sequence[tuple[int, int]]) -> int:
    """The line of the file as it was before lines were replaced by more or fewer lines."""
    for at, by in reversed(moved):
        line -= by if line > at else 0
    return line


class _Anonymous:
    """Stands for a function whose own names for lengths are not those of the code that is written."""

    def __call__(self) -> None:
        """Nothing."""


class Mender:
    """Writes lines of the exact backward pass in a candidate's names, and runs the candidate with them.

    Args:
        candidate: the candidate.
        forward: the forward function.
        exacts: two draws of the same sizes with general values.
    """

    def __init__(self, candidate: Candidate, forward: Forward, exacts: Sequence[Exact]) -> None:
        self.candidate = candidate
        self.exacts = exacts
        first = exacts[0]
        args, kwargs = forward.split(first.draw.arguments)
        program = first.backward.program
        own = material_of(forward.function, args, program, kwargs, first.backward.structure)
        self.material: Material = replace(own, function=_Anonymous())
        self.forward = forward
        self.partial: dict[str, list[Backward]] = {}
        self.versions: list[Backward] = [first.backward]
        with contextlib.suppress(ChainruleError):  # the steps as they are will do
            if len(program.steps) - first.backward.forward_steps <= _LONGEST:
                self.versions.insert(0, sums_begun(simplify(first.backward)))

    def fixes(self, witness: Witness, wrong: Sequence[str]) -> list[Fix]:
        """A fix for each place where the candidate goes wrong, the first one first; each is tried with those before."""
        found: list[Fix] = []
        candidate, remaining, moved = self.candidate, list(wrong), list[tuple[int, int]]()
        for _ in range(_MOST_ROUNDS):
            locations = sorted(witness.locate(remaining), key=witness.order)
            if not self._can_run(candidate):
                texts = [(at, self._texts(witness, at)) for at in locations]
                return [Fix(at, own[0]) for at, own in texts if own]
            step = next((s for s in (self._fixed(witness, candidate, at) for at in locations) if s is not None), None)
            if step is None:
                break
            fix, candidate, witness = step
            line = fix.location.line
            found.append(replace(fix, location=replace(fix.location, line=_earlier(line, moved))))
            moved.append((line, fix.text.count("\n") + 1 - fix.replaced))
            remaining = [n for n in remaining if not witness.is_right(n)]
            if not remaining:
                break
        return [replace(f, mends=tuple(n for n in f.location.gradients if n not in remaining)) for f in found]

    def _fixed(
        self, witness: Witness, candidate: Candidate, location: Location
    ) -> tuple[Fix, Candidate, Witness] | None:
        """The line to write at a place: the shortest one with which the candidate is right there."""
        for text in self._texts(witness, location):
            changed = self._replaced(candidate, witness, location, text)
            again = None if changed is None else witness_of(changed, self.exacts)
            if changed is None or again is None:
                continue
            if any(witness.is_right(n) and not again.is_right(n) for n in witness.lines.finals):
                continue  # another gradient is right with the line that stands there
            moved = again.locate(n for n in location.gradients if not again.is_right(n))
            # Right in the end, or right here and wrong further on.
            if all(witness.order(location) < again.order(m) for m in moved):
                last = witness.lines.statements.get(location.line)
                count = 1 if last is None else (last.end_lineno or location.line) - location.line + 1
                return Fix(location, text, (), True, count), changed, again
        return None

    def _can_run(self, candidate: Candidate) -> bool:
        return callable(getattr(candidate, "replaced", None))

    def _replaced(self, candidate: Candidate, witness: Witness, location: Location, text: str) -> Candidate | None:
        make = getattr(candidate, "replaced", None)
        if not callable(make) or location.line <= 0:
            return None
        statement = witness.lines.statements.get(location.line)
        last = location.line if statement is None else statement.end_lineno or location.line
        changed: Candidate | None = make(location.line, text, last)
        return changed

    # ---- what to write
    def _texts(self, witness: Witness, location: Location) -> list[str]:
        entry = witness.entry_at(location)
        if entry is None or location.number < 0:
            return []
        statement = witness.lines.statements.get(entry.line)
        found = []
        for backward in [*self._from(location), *self.versions]:
            try:
                lines = self._lines(witness, entry, backward, location.number)
            except ChainruleError:
                continue
            if lines is None:
                continue
            target = witness.lines.spelled(entry.name, entry.line)
            text = _in_statement(lines, statement, entry, target)
            if text is not None and text not in found and _UNKNOWN not in text:
                found.append(text)
        return sorted(found, key=lambda t: (t.count("\n"), -_likeness(t, entry.text), len(t)))

    def _from(self, location: Location) -> list[Backward]:
        """The backward pass of the part of the forward pass before what the line reads the gradient of."""
        variables = self.exacts[0].backward.program.by_number()
        names = [x.name for x in (variables.get(n) for n in location.reads) if isinstance(x, Var) and x.name]
        if len(location.reads) != 1 or len(names) != 1:
            return []
        (name,) = names
        if name not in self.partial:
            args, kwargs = self.forward.split(self.exacts[0].draw.arguments)
            order = self.forward.by_position
            places: list[int | str] = [order.index(n) if n in order else n for n in self.candidate.wrt]
            found = []
            with contextlib.suppress(ChainruleError):
                found.append(sums_begun(simplify(backward_of(self.forward.function, args, places, kwargs, name))))
            self.partial[name] = found
        return self.partial[name]

    def _lines(self, witness: Witness, entry: Entry, backward: Backward, number: int) -> list[str] | None:
        """Statements that compute the gradient of a forward variable; the last one assigns it to ``_``."""
        gradient = _gradient_in(backward, number)
        if not isinstance(gradient, Var):
            return None
        shape = backward.program.by_number()[number]
        if isinstance(shape, Var) and gradient.shape != shape.shape:
            return None
        given = self._given(witness, entry, backward)
        if gradient.number in given:
            return [f"_ = {given[gradient.number]}"]
        names = {e.name for e in witness.lines.entries if e.name.isidentifier()}
        request = Request(
            backward.program,
            whole_symbols(backward.program, backward.likes),
            backward.forward_steps,
            (gradient,),
            given,
            {},  # what the candidate has no name for is written where it is used
            {},
            taken=tuple(names - set(given.values())),
            fixed=True,
            late=True,
        )
        writing = Writing(self.material, request, _WIDTH)
        lines = [line for texts in writing.texts for line in texts]
        name = writing.statements.names.get(gradient.number)
        head = f"{name} = "
        place = next((k for k in reversed(range(len(lines))) if lines[k].startswith(head)), None)
        if name is None or place is None:
            return None
        return [*lines[:place], "_ = " + lines[place].removeprefix(head), *lines[place + 1 :]]

    def _given(self, witness: Witness, entry: Entry, backward: Backward) -> dict[int, str]:
        """What exists under which name where the line stands."""
        given = {x.number: f"{_UNKNOWN}{k}" for k, x in enumerate(backward.program.inputs)}
        given.update((c.number, c.name or _UNKNOWN) for c in backward.program.constants)
        if self.candidate.style == "script":
            forward = [
                *backward.program.inputs,
                *(o for s in backward.program.steps[: backward.forward_steps] for o in s.outputs),
            ]
            given.update((x.number, x.name) for x in forward if x.name is not None and x not in backward.cotangents)
        for e in witness.lines.before(entry).values():
            if e.match is None or not e.match.exact:
                continue
            number, name = e.match.known.number, witness.lines.spelled(e.name, entry.line)
            if e.match.known.role == "value":
                given[number] = name
            elif e.match.known.role == "gradient":
                held = _gradient_in(backward, number)
                if isinstance(held, Var):
                    given[held.number] = name
                given.update((c.number, name) for c in backward.cotangents if backward.likes.get(c.number) == number)
        return given


def _likeness(text: str, other: str) -> float:
    """How much two single lines have in common, roughly: people want the one that is like their own."""
    return 0.0 if "\n" in text else round(difflib.SequenceMatcher(None, text, other).ratio(), 1)


def _gradient_in(backward: Backward, number: int) -> Var | Const | None:
    """The whole gradient of a forward variable in a record."""
    for x, gradient in zip(backward.wrt, backward.gradients, strict=True):
        if x.number == number:
            return gradient
    link = backward.links.get(number)
    if type(link) is not int:
        return None
    found = backward.program.by_number().get(link)
    return found if isinstance(found, Var) else None


def _in_statement(lines: Sequence[str], statement: ast.stmt | None, entry: Entry, target: str) -> str | None:
    """Statements in the place of one of the candidate's: the last line takes the place of what that assigns."""
    *before, last = lines
    text = last.removeprefix("_ = ")
    if not last.startswith("_ = "):
        return None
    if statement is None:
        return "\n".join([*before, f"{target} = {text}"])
    if isinstance(statement, ast.AugAssign | ast.For | ast.While) or entry.expression is None:
        return None
    if isinstance(statement, ast.Assign) and statement.value is entry.expression:
        targets = " = ".join(ast.unparse(t) for t in statement.targets)
        return "\n".join([*before, f"{targets} = {text}"])
    if isinstance(statement, ast.Return) and statement.value is entry.expression:
        return "\n".join([*before, f"return {text}"])
    try:
        wanted = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    changed = _Swap(entry.expression, wanted).visit(statement)
    return "\n".join([*before, ast.unparse(ast.fix_missing_locations(changed))])


class _Swap(ast.NodeTransformer):
    """Puts one expression in the place of another, in a copy of the statement around it."""

    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old = old
        self.new = new

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if node is self.old:
            return self.new
        fields: dict[str, Any] = {}
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                fields[name] = [self.visit(v) if isinstance(v, ast.AST) else v for v in value]
            else:
                fields[name] = self.visit(value) if isinstance(value, ast.AST) else value
        return ast.copy_location(type(node)(**fields), node)


# ---- suspects
def mended(suspects: Sequence[Suspect], fixes: Sequence[Fix], locations: Sequence[Location]) -> list[Suspect]:
    """Suspects with the line of the candidate where they sit, and the line to write instead.

    Args:
        suspects: the suspects, likeliest first.
        fixes: what was found to mend the candidate.
        locations: where the candidate goes wrong.
    """
    return [_mended(s, fixes, locations) for s in suspects]


def _mended(s: Suspect, fixes: Sequence[Fix], locations: Sequence[Location]) -> Suspect:
    f = next((f for f in fixes if _concerns(f.location, s)), None)
    at = f.location if f is not None else next((x for x in locations if _concerns(x, s)), None)
    own = [x for x in locations if set(x.gradients) & set(s.gradients)]
    if at is None and len(own) == 1:  # there is no other line that it can be about
        at = own[0]
        f = next(
            (f for f in fixes if f.location.line == at.line and set(f.location.gradients) & set(s.gradients)), None
        )
    if at is not None and at.line and s.candidate_line is None:
        s = replace(s, candidate_line=at.line, candidate_source=at.text)
    if f is None or s.fix is not None:
        return s
    explained = set(s.gradients) or set(f.location.gradients)
    return replace(s, fix=f.text, fix_holds=explained <= set(f.mends) if f.tried else None)


def with_written(suspects: Sequence[Suspect], written: Mapping[tuple[int, str], str]) -> list[Suspect]:
    """Suspects with the lines that ``write`` gives where there is nothing else to say.

    Args:
        suspects: the suspects.
        written: the lines, by the line of the forward statement that they belong to and what they assign.
    """
    found = []
    for s in suspects:
        asked = [at for at in written if at[0] == s.line and at[1] in _wanted(s)]
        whole = _with_needed(asked, written)
        # More lines than these are no longer a line to write instead.
        rows = whole if len(whole) <= _MOST_LINES else [at for at in written if at in asked]
        found.append(replace(s, fix="\n".join(written[at] for at in rows) or None) if s.fix is None else s)
    return found


def _with_needed(asked: Iterable[tuple[int, str]], written: Mapping[tuple[int, str], str]) -> list[tuple[int, str]]:
    """Lines with those that assign what they read, which the candidate has no name for, in their order."""
    assigns = {at[1]: at for at in written}
    needed, open_ = set[tuple[int, str]](), list(asked)
    while open_:
        at = open_.pop()
        if at not in needed:
            needed.add(at)
            read = {n.id for n in ast.walk(ast.parse(written[at])) if isinstance(n, ast.Name)} - {at[1]}
            open_ += [assigns[name] for name in read if name in assigns]
    return [at for at in written if at in needed]


def _concerns(location: Location, s: Suspect) -> bool:
    """Whether a place in the candidate is that of a suspect."""
    if s.gradients and not set(location.gradients) & set(s.gradients):
        return False
    return s.line is None or location.covers(s.line)


def _wanted(s: Suspect) -> set[str]:
    return {f"d{name}" for name in s.gradients}


def lines_written(text: str) -> dict[tuple[int, str], str]:
    """The lines of a backward pass by the line of the forward statement that they stand under and what they assign."""
    found: dict[tuple[int, str], str] = {}
    line = 0
    for row in text.splitlines():
        header = re.match(r"# .*\bline (\d+)", row)
        assigned = re.match(r"([A-Za-z_]\w*) = ", row)
        if header:
            line = int(header[1])
        elif assigned and line:
            found[line, assigned[1]] = row
    return found
