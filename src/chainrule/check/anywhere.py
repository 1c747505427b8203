"""Small changes of any line of a candidate, judged by running it.

For what cannot be judged by a value alone: a line of a loop, one that writes into an array, one in a function that the
candidate calls.  A change counts where the candidate is right with it, on draws of other sizes too, and nothing that
was right is wrong.
"""

from __future__ import annotations

import ast
import itertools
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule.check.adapters.naming import gradient_words, short_name
from chainrule.check.candidate import Candidate
from chainrule.check.changing import Change, Scene, text_of
from chainrule.check.exact import Exact
from chainrule.check.findings import Place
from chainrule.check.locating import Location, Witness, witness_of
from chainrule.check.mending import Fix, earlier_line
from chainrule.check.statement_repairs import changes_of_statement
from chainrule.check.traced_lines import Entry
from chainrule.check.trials import trial_of

__all__ = ["Tries", "fixes_anywhere", "scene_of", "wrong_on"]

_SECONDS = 1.5  # of one processor
_WAITED = 8.0  # in all: a candidate in another process is waited for
_MOST = 2500  # changes of all lines together that are tried
_OF_A_LINE = 600
_MOST_FAULTS = 2
_LOCATED = 0.5  # how much likelier a line is where the values go wrong first
_FURTHER = 0.02  # how much a line is less likely for each line between it and the end


@dataclass(frozen=True, slots=True)
class _Tried:
    """A change of a line, with how far-fetched it is there."""

    entry: Entry
    statement: ast.stmt
    change: Change
    cost: float


class Tries:
    """What a candidate has wrong on a draw with other lines, each of which is run once, however often it is asked for.

    Args:
        exact: the draw.
    """

    def __init__(self, exact: Exact) -> None:
        self.exact = exact
        self._known: dict[int, tuple[Candidate, dict[tuple[int, str], set[str] | None]]] = {}

    def wrong_with(self, candidate: Candidate, line: int, last: int, text: str) -> set[str] | None:
        """The gradients that are wrong with a text in the place of some lines; ``None`` where it cannot be run."""
        known = self._known.setdefault(id(candidate), (candidate, {}))[1]  # kept, so that no other has its number
        if (line, text) not in known:
            changed = candidate.replaced(line, text, last)  # type: ignore[attr-defined]
            known[line, text] = None if changed is None else wrong_on(changed, self.exact)
        return known[line, text]


def fixes_anywhere(
    candidate: Candidate,
    witness: Witness,
    wrong: Sequence[str],
    exacts: Sequence[Exact],
    others: Sequence[Exact],
    kinds: Collection[str],
    tries: Tries,
) -> list[Fix]:
    """The likeliest small changes of single lines with which gradients are right that were wrong, one after another.

    Args:
        candidate: the candidate.
        witness: its own variables.
        wrong: the gradients that are wrong.
        exacts: two draws of the same sizes.
        others: draws on which a change must hold, too.
        kinds: the mistakes that are suspected.
        tries: what was tried on the first draw.
    """
    found: list[Fix] = []
    remaining, moved = list(wrong), list[tuple[int, int]]()
    own: Witness | None = witness
    for _ in range(_MOST_FAULTS):
        fix = None if own is None else _fix(candidate, own, remaining, others, kinds, tries)
        if fix is None:
            break
        line = fix.location.line
        found.append(replace(fix, location=replace(fix.location, line=earlier_line(line, moved))))
        moved.append((line, fix.text.count("\n") + 1 - fix.replaced))
        remaining = [n for n in remaining if n not in fix.mends]
        if not remaining:
            break
        candidate = candidate.replaced(line, fix.text, line + fix.replaced - 1)  # type: ignore[attr-defined]
        own = witness_of(candidate, exacts)
    return found


def scene_of(witness: Witness, entry: Entry, script: bool = False) -> Scene:
    """What can be written where an entry is computed."""
    order = {name: entry.text.find(name) for name in entry.reads}  # its own names come first
    before = sorted(witness.lines.before(entry), key=lambda name: (order.get(name, 1000), not name.isidentifier()))
    names = {name: witness.lines.spelled(name, entry.line) for name in before}
    if script:
        names.update((n, n) for n in witness.references.numbers if n.isidentifier())
    values = [witness.values(entry, k) for k in range(len(entry.values))]
    known: dict[str, str] = {}
    held = set[bytes]()
    for name, text in names.items():
        value = values[0].get(name)
        if value is None or re.search(r"\[\d+\]", name):
            continue
        if isinstance(value, np.ndarray) and name not in entry.reads and np.unique(value).size > 1:
            key = repr(value.shape).encode() + value.tobytes()
            if key in held:
                continue  # the same under another name
            held.add(key)
        known[name] = text
    return Scene(known, values, frozenset(n for n in known if witness.carries_gradient(n)))


def _fix(
    candidate: Candidate,
    witness: Witness,
    wrong: Sequence[str],
    others: Sequence[Exact],
    kinds: Collection[str],
    tries: Tries,
) -> Fix | None:
    """The likeliest small change of one line with which some gradients are right that were wrong."""
    right = [n for n in tries.exact.gradients if n not in wrong]
    end, waited = time.process_time() + _SECONDS, time.monotonic() + _WAITED
    for tried in _in_order(witness, wrong, kinds, candidate.style == "script")[:_MOST]:
        if time.process_time() > end or time.monotonic() > waited:
            break
        text = text_of(tried.change.node)
        line, last = tried.statement.lineno, tried.statement.end_lineno or tried.statement.lineno
        left = tries.wrong_with(candidate, line, last, text)
        mended = [] if left is None else [n for n in wrong if n not in left]
        if left is None or not mended or left & set(right):
            continue
        changed = candidate.replaced(line, text, last)  # type: ignore[attr-defined]
        if any(wrong_on(changed, exact) & {*mended, *right} for exact in others):
            continue
        at = Location(tuple(mended), line, tried.entry.text, tried.entry.name, Place(), Place())
        return Fix(at, text, tuple(mended), True, last - line + 1, tried.change.word)
    return None


def wrong_on(candidate: Candidate, exact: Exact) -> set[str]:
    """The gradients that a candidate has wrong on a draw; all of them where it fails."""
    trial = trial_of(candidate, exact)
    return set(exact.gradients if trial.answer.error is not None else trial.wrong)


def _in_order(witness: Witness, wrong: Sequence[str], kinds: Collection[str], script: bool) -> list[_Tried]:
    """The changes of all lines, the likeliest ones first."""
    found: list[_Tried] = []
    places = _places(witness)
    located = {at.line for at in witness.locate(wrong)}
    for distance, (entry, statement) in enumerate(reversed(places)):
        changes = changes_of_statement(statement, scene_of(witness, entry, script))
        for change in itertools.islice(changes, _OF_A_LINE):
            if isinstance(entry.values[0], int) and change.word != "wrong_count":
                continue
            cost = change.cost + _FURTHER * distance + (change.word not in kinds) - _LOCATED * (entry.line in located)
            found.append(_Tried(entry, statement, change, cost))
    return sorted(found, key=lambda t: t.cost)


def _places(witness: Witness) -> list[tuple[Entry, ast.stmt]]:
    """The statements of the candidate that may compute a gradient, each with the last variable that it assigned."""
    lines = witness.lines
    found: dict[ast.stmt, Entry] = {}
    for e in lines.entries:
        statement = lines.statements.get(e.line)
        if statement is None or e.parameter or not e.text:
            continue
        if isinstance(statement, ast.For | ast.While | ast.If | ast.With):
            continue
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name):
            if not isinstance(statement.targets[0], ast.Name):
                continue  # what it hands on can be changed where it is computed
        elif e.match is not None and e.match.exact and e.match.known.role == "value" and not _may_be_gradient(e):
            continue  # the forward pass
        found[statement] = e
    for statement in {
        s for s in lines.statements.values() if isinstance(s, ast.Expr) and isinstance(s.value, ast.BinOp)
    }:
        near = [e for e in lines.entries if e.line < statement.lineno and not e.parameter]  # it assigns nothing
        if near:
            found.setdefault(statement, max(near, key=lambda e: (e.line, e.index)))
    for e in lines.returned():
        statement = lines.statements.get(e.line)
        if isinstance(statement, ast.Return) and statement not in found:
            found[statement] = e
    return sorted(((e, s) for s, e in found.items()), key=lambda pair: pair[0].index)


def _may_be_gradient(e: Entry) -> bool:
    """Whether a copy of a forward value has the name of a gradient, which it is to become."""
    return gradient_words(e.name) < 2 or short_name(e.name).lower().startswith(("delta", "err"))
