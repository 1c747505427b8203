"""Suspects with the line of the candidate where they sit, and the line to write instead."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from chainrule.check.changing import replaced, text_of
from chainrule.check.dialects import unparsed
from chainrule.check.locating import Location
from chainrule.check.traced_lines import Entry
from chainrule.check.verdicts import Suspect
from chainrule.emit.writing import words_of

__all__ = ["Fix", "augmented", "earlier_line", "in_statement", "likeness", "lines_written", "mended", "with_written"]

_MOST_LINES = 6  # of code to write instead of one line


@dataclass(frozen=True, slots=True)
class Fix:
    """What to write in the place of a line of the candidate.

    Attributes:
        location: where it goes wrong.
        text: the lines to write instead.
        mends: the gradients that are right when the candidate is run with them.
        tried: whether it could be run.
        replaced: how many lines of the candidate it takes the place of.
        word: what was changed in the candidate's own line, as a word of the vocabulary; empty for another line.
    """

    location: Location
    text: str
    mends: tuple[str, ...] = ()
    tried: bool = False
    replaced: int = 1
    word: str = ""


def earlier_line(line: int, moved: Sequence[tuple[int, int]]) -> int:
    """The line of the file as it was before lines were replaced by more or fewer lines."""
    for at, by in reversed(moved):
        line -= by if line > at else 0
    return line


def mended(suspects: Sequence[Suspect], fixes: Sequence[Fix], locations: Sequence[Location]) -> list[Suspect]:
    """Suspects with the line of the candidate where they sit, and the line to write instead.

    Args:
        suspects: the suspects, likeliest first.
        fixes: what was found to mend the candidate.
        locations: where the candidate goes wrong.
    """
    pairs = [_mended(s, fixes, locations) for each in suspects for s in _by_line(each, fixes)]
    shown = [f for _, f in pairs if f is not None]
    found = []
    for s, f in pairs:
        needed = [g for g in fixes if set(g.location.gradients) & set(s.gradients)]
        if f is not None and s.fix_holds and any(g not in shown for g in needed):
            s = replace(s, fix_holds=False)  # it takes a line more, about which nothing is said
        found.append(s)
    return found


def _by_line(s: Suspect, fixes: Sequence[Fix]) -> list[Suspect]:
    """A suspect as one for each line, where the same slip stands in several lines, each of some of the gradients."""
    own = [f for f in fixes if f.tried and set(f.mends) & set(s.gradients)]
    apart = sum(len(set(f.mends) & set(s.gradients)) for f in own) == len(s.gradients)
    if len({f.location.line for f in own}) < max(2, len(own)) or not apart or s.together or s.fix is not None:
        return [s]
    return [replace(s, gradients=tuple(n for n in s.gradients if n in f.mends)) for f in own]


def _mended(s: Suspect, fixes: Sequence[Fix], locations: Sequence[Location]) -> tuple[Suspect, Fix | None]:
    f = next((f for f in fixes if _concerns(f.location, s)), None)
    at = f.location if f is not None else next((x for x in locations if _concerns(x, s)), None)
    own = [x for x in locations if set(x.gradients) & set(s.gradients)]
    if at is None and len(own) == 1:  # there is no other line that it can be about
        at = own[0]
        f = next(
            (f for f in fixes if f.location.line == at.line and set(f.location.gradients) & set(s.gradients)), None
        )
    if f is None:  # a change somewhere else, with which it is right
        f = next((f for f in fixes if f.tried and s.gradients and set(s.gradients) <= set(f.mends)), None)
        at = f.location if f is not None else at
    if at is not None and at.line and s.candidate_line is None:
        s = replace(s, candidate_line=at.line, candidate_source=at.text)
    if f is None or s.fix is not None:
        return s, None
    explained = set(s.gradients) or set(f.location.gradients)
    return replace(
        s, fix=_quoted_alike(f.text, f.location.text), fix_holds=explained <= set(f.mends) if f.tried else None
    ), f


def _quoted_alike(text: str, own: str) -> str:
    """A line with the quotes that the candidate's own line has."""
    return text.replace("'", '"') if '"' in own and "'" not in own and '"' not in text else text


def with_written(
    suspects: Sequence[Suspect], written: Mapping[tuple[int, str], str], known: Collection[str]
) -> list[Suspect]:
    """Suspects with the lines that ``write`` gives where there is nothing else to say.

    Args:
        suspects: the suspects.
        written: the lines, by the line of the forward statement that they belong to and what they assign.
        known: the names that mean something to the reader; a line with any other is not shown.
    """
    found = []
    for s in suspects:
        asked = [at for at in written if at[0] == s.line and at[1] in _wanted(s)]
        whole = _with_needed(asked, written)
        # More lines than these are no longer a line to write instead.
        rows = whole if len(whole) <= _MOST_LINES else [at for at in written if at in asked]
        read = {n for at in rows for n in words_of([written[at]])}
        shown = [written[at] for at in rows] if read <= {*known, *(at[1] for at in rows)} else []
        found.append(replace(s, fix="\n".join(shown) or None) if s.fix is None else s)
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


def augmented(statement: ast.AugAssign, old: ast.expr, new: ast.expr) -> str:
    """A changed value as a statement: with the same operator where what was there before is still the left operand."""
    target = unparsed(statement.target)
    kept = isinstance(old, ast.BinOp) and isinstance(new, ast.BinOp) and isinstance(new.op, type(old.op))
    if kept and unparsed(new.left) == unparsed(old.left):  # type: ignore[attr-defined]
        return unparsed(ast.AugAssign(statement.target, new.op, new.right))  # type: ignore[attr-defined]
    return f"{target} = {unparsed(new)}"


def likeness(text: str, other: str) -> float:
    """How much two single lines have in common, roughly: people want the one that is like their own."""
    return 0.0 if "\n" in text else round(difflib.SequenceMatcher(None, text, other).ratio(), 1)


def in_statement(lines: Sequence[str], statement: ast.stmt | None, entry: Entry, target: str) -> str | None:
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
        targets = " = ".join(unparsed(t) for t in statement.targets)
        return "\n".join([*before, f"{targets} = {text}"])
    if isinstance(statement, ast.Return) and statement.value is entry.expression:
        return "\n".join([*before, f"return {text}"])
    try:
        wanted = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    changed = replaced(statement, entry.expression, wanted)
    return "\n".join([*before, text_of(changed)])
