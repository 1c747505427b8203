"""Small changes of any line of a candidate, judged by running it.

For what cannot be judged by a value alone: a line of a loop, one that writes into an array, one in a function that the
candidate calls.  A change counts where the candidate is right with it, on draws of other sizes too, and nothing that
was right is wrong.
"""

from __future__ import annotations

import ast
import itertools
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.check.adapters.naming import gradient_words, short_name
from chainrule.check.candidate import Candidate
from chainrule.check.changing import Change, is_inside, last_line_of, text_of
from chainrule.check.clock import spent
from chainrule.check.evaluating import NoValueError, evaluated
from chainrule.check.exact import Exact
from chainrule.check.findings import Place
from chainrule.check.judging import Trial, compare_all
from chainrule.check.locating import Location, Witness, witness_of
from chainrule.check.mending import Fix, earlier_line
from chainrule.check.order_repairs import changes_of_modes
from chainrule.check.scenes import scene_of, with_containers
from chainrule.check.statement_repairs import changes_of_statement
from chainrule.check.traced_lines import Entry
from chainrule.check.trials import answered, trial_of

__all__ = ["Tries", "fixes_anywhere", "wrong_on"]

_NEAR = 1e-3  # relative: no right gradient is further off, of whatever precision
_SECONDS = 1.5  # of one processor; less is too little on a busy one
_LESS = 0.8  # where only some lines are changed
_WAITED = 8.0  # in all: a candidate in another process is waited for
_MOST = 2500  # changes of all lines together that are tried
_OF_A_LINE = 600
_MOST_FAULTS = 2
_LOCATED = 0.5  # how much likelier a line is where the values go wrong first
_AROUND = 0.1  # the same for what is read there
_MOST_OPEN = 150  # changes of which no value is known, which are tried before those of lines that are further off
_EVALUATED = 1500  # changes of all lines together
_EVALUATED_NEAR = 2000  # where only some lines are changed
_BESIDE = 0.6  # how much a line is less likely that goes into some of the gradients alone
_MORE = 60  # changes that are tried after one that mends a part
_FEW_MORE = 20  # where several mistakes are expected
_OF_NUMBERS = frozenset(("wrong_count", "stride_ignored", "off_by_one_index"))  # what may be wrong with a whole number
_ACCUMULATING = frozenset(("overwrites_instead_of_accumulates", "duplicate_index_overwrite"))
_TURNS = 2  # of a loop, at least
_FURTHER = 0.02  # how much a line is less likely for each line between it and the end


@dataclass(frozen=True, slots=True)
class _Tried:
    """A change of a line, with how far-fetched it is there, and what the variables are where it is met first."""

    entry: Entry
    statement: ast.stmt
    change: Change
    cost: float
    values: Mapping[str, Any]


class Tries:
    """What a candidate has wrong on a draw with other lines, each of which is run once, however often it is asked for.

    Args:
        exact: the draw.
        wrong: the gradients that are wrong with the lines that there are.
        example: the candidate's own arrays, on which a script is run as it is.
    """

    def __init__(self, exact: Exact, wrong: Sequence[str], example: Exact | None = None) -> None:
        self.exact, self.wrong, self.example = exact, wrong, example
        self._known: dict[int, tuple[Candidate, dict[tuple[int, str], set[str] | None]]] = {}

    def wrong_with(self, candidate: Candidate, line: int, last: int, text: str) -> set[str] | None:
        """The gradients that are wrong with a text in the place of some lines; ``None`` where it cannot be run."""
        known = self._known.setdefault(id(candidate), (candidate, {}))[1]  # kept, so that no other has its number
        if (line, text) not in known and not self._may_mend(candidate, line, last, text):
            known[line, text] = set(self.exact.gradients)
        if (line, text) not in known:
            changed = candidate.replaced(line, text, last)  # type: ignore[attr-defined]
            known[line, text] = None if changed is None else self._wrong(changed)
        return known[line, text]

    def _may_mend(self, candidate: Candidate, line: int, last: int, text: str) -> bool:
        """Whether a line may mend something; no where a plain run of a script on its own arrays shows that."""
        plainly, example = getattr(candidate, "plainly", None), self.example
        given = None if plainly is None or example is None else plainly(line, text, last)
        if given is None or example is None:
            return True
        return any(n in given and _is_close(given[n], example, n) for n in self.wrong)

    def _wrong(self, candidate: Candidate) -> set[str]:
        """The gradients that are wrong; most tries mend nothing, which is seen without all that a verdict takes."""
        trial = answered(candidate, self.exact)
        everything = set(self.exact.gradients)
        if trial.answer.error is not None or not any(self._is_near(trial, n) for n in self.wrong):
            return everything
        return set(compare_all(trial).wrong)

    def _is_near(self, trial: Trial, name: str) -> bool:
        """Whether a gradient may be right."""
        given = trial.gradients.get(name)
        return given is None or _is_close(given, self.exact, name)


def _is_close(given: Any, own: Exact, name: str) -> bool:
    """Whether a gradient is about the exact one."""
    exact = own.gradients[name]
    if np.size(given) != np.size(exact):
        return False
    with np.errstate(all="ignore"):
        off = np.max(np.abs(np.reshape(given, np.shape(exact)) - exact), initial=0.0)
    return bool(off <= _NEAR * np.max(np.abs(exact), initial=0.0) + _NEAR * _NEAR * own.scale)


def fixes_anywhere(
    candidate: Candidate,
    witness: Witness,
    wrong: Sequence[str],
    exacts: Sequence[Exact],
    others: Sequence[Exact],
    kinds: Callable[[Sequence[str]], Collection[str]],
    tries: Tries,
    alone: bool,
    near: bool = False,
) -> list[Fix]:
    """The likeliest small changes of single lines with which gradients are right that were wrong, one after another.

    Args:
        candidate: the candidate.
        witness: its own variables.
        wrong: the gradients that are wrong.
        exacts: two draws of the same sizes.
        others: draws on which a change must hold, too.
        kinds: gives the mistakes that are suspected in some gradients.
        tries: what was tried on the first draw.
        alone: whether a single mistake is expected to explain all.
        near: whether only lines are changed where the values go wrong first.
    """
    found: list[Fix] = []
    remaining, moved = list(wrong), list[tuple[int, int]]()
    own: Witness | None = witness
    for _ in range(1 if near else _MOST_FAULTS):
        fix = None if own is None else _fix(candidate, own, remaining, others, kinds(remaining), tries, alone, near)
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


def _fix(
    candidate: Candidate,
    witness: Witness,
    wrong: Sequence[str],
    others: Sequence[Exact],
    kinds: Collection[str],
    tries: Tries,
    alone: bool,
    near: bool,
) -> Fix | None:
    """The likeliest small change of a line with which gradients are right that were wrong; all of them, if possible."""
    right = [n for n in tries.exact.gradients if n not in wrong]
    end, waited = spent() + (_LESS if near else _SECONDS), time.monotonic() + _WAITED
    best: Fix | None = None
    left_to_try = _MOST
    for tried in _in_order(witness, wrong, kinds, alone, near):
        left_to_try -= 1
        if left_to_try < 0 or spent() > end or time.monotonic() > waited:
            break
        text = text_of(tried.change.node)
        line, last = tried.statement.lineno, last_line_of(tried.statement)
        left = tries.wrong_with(candidate, line, last, text)
        mended = [] if left is None else [n for n in wrong if n not in left]
        if left is None or len(mended) <= (0 if best is None else len(best.mends)) or left & set(right):
            continue
        changed = candidate.replaced(line, text, last)  # type: ignore[attr-defined]
        if any(wrong_on(changed, exact) & {*mended, *right} for exact in others):
            continue
        at = Location(tuple(mended), line, tried.entry.text, tried.entry.name, Place(), Place())
        best = Fix(at, text, tuple(mended), True, last - line + 1, tried.change.word)
        if len(mended) == len(wrong):
            break
        left_to_try = min(left_to_try, _MORE if alone else _FEW_MORE)
    return best


def wrong_on(candidate: Candidate, exact: Exact) -> set[str]:
    """The gradients that a candidate has wrong on a draw; all of them where it fails."""
    trial = trial_of(candidate, exact)
    return set(exact.gradients if trial.answer.error is not None else trial.wrong)


def _in_order(
    witness: Witness, wrong: Sequence[str], kinds: Collection[str], alone: bool, near_only: bool
) -> Iterator[_Tried]:
    """The changes of all lines: those that are suspected first, and of these and the others the likeliest ones."""
    places = _places(witness)
    odd = _odd(witness)
    located = _located(witness, wrong, odd)
    beside = _beside(witness, wrong) if alone else frozenset()
    if near_only:
        places = [(e, s) for e, s in places if s.lineno in located or _has_text(s)]
    scenes = [scene_of(witness, entry) for entry, _ in places]
    first = {e.line: e for e in reversed(witness.lines.entries)}
    met = [odd.get(e.line) or first.get(e.line, e) for e, _ in places]
    before = [with_containers(witness.values(e, 0)) for e in met]
    rows = list(enumerate(reversed(list(zip(places, scenes, before, strict=True)))))
    for _, ((entry, statement), scene, values) in rows:
        few = changes_of_modes(statement, scene)  # a few changes, of any kind
        if isinstance(statement, ast.For):
            few = changes_of_statement(statement, scene) if statement.lineno in located else iter(())
        elif isinstance(entry.values[0], int) and statement.lineno in located:
            few = (c for c in changes_of_statement(statement, scene) if c.word in _OF_NUMBERS)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript) and near_only:
            likely = itertools.islice(changes_of_statement(statement, scene), 2)
            few = (c for c in likely if c.word in _ACCUMULATING)
        for change in few:
            yield _Tried(entry, statement, change, change.cost, values)
    rows = [row for row in rows if not isinstance(row[1][0][1], ast.For)]
    into = _into(witness, wrong)
    rows = [row for row in rows if into is None or _may_be_wrong(row[1][0][1], witness, into)]
    near = [row for row in rows if row[1][0][1].lineno in located]
    far = [row for row in rows if row[1][0][1].lineno not in located]
    first_ones = [row for row in near if located[row[1][0][1].lineno] > _AROUND]
    later_ones = [row for row in near if row not in first_ones]
    # Where nothing is suspected, anything may be; a factor that leads from no gradient to another is left out.
    suspicions = (False,) if near_only else (True, False) if kinds else (True,)
    known = frozenset[str]() if near_only else kinds or None
    for suspected in suspicions:
        waiting: list[_Tried] = []
        for part in (first_ones, later_ones) if near_only else (near, far):
            found: list[_Tried] = []
            for distance, ((entry, statement), scene, values) in part:
                own = _FURTHER * distance - located.get(statement.lineno, 0.0) + _BESIDE * (statement.lineno in beside)
                changes = changes_of_statement(statement, replace(scene, kinds=known, suspected=suspected))
                for change in itertools.islice(changes, _MOST if near_only else _OF_A_LINE):
                    if isinstance(entry.values[0], int) and change.word not in _OF_NUMBERS:
                        continue
                    found.append(_Tried(entry, statement, change, change.cost + own, values))
            found.sort(key=lambda t: t.cost)
            open_: list[_Tried] = []
            for t in found[: _EVALUATED_NEAR if near_only else _EVALUATED]:
                telling = _tells(witness, t)
                if telling:
                    yield t
                else:
                    (open_ if telling is None else waiting).append(t)
            yield from open_[:_MOST_OPEN]
            waiting += [*open_[_MOST_OPEN:], *found[_EVALUATED:]]
        yield from () if near_only else waiting


def _has_text(statement: ast.stmt) -> bool:
    """Whether a statement may say in which mode something is done."""
    return any(isinstance(n, ast.Constant) and isinstance(n.value, str) for n in ast.walk(statement))


def _tells(witness: Witness, tried: _Tried) -> bool | None:
    """Whether a line with a change computes a gradient where nothing before it is wrong; ``None``: that is unknown."""
    statement = tried.change.node
    value = getattr(statement, "value", None)
    if not isinstance(value, ast.expr):
        return None
    try:
        result = evaluated(value, tried.values)
        whole = None
        if isinstance(statement, ast.AugAssign):
            whole = evaluated(ast.BinOp(statement.target, statement.op, value), tried.values)
    except NoValueError:
        return None
    if not isinstance(result, np.ndarray | np.floating | float):
        return None
    known = witness.references.is_gradient
    return known(result) or known(whole)


def _located(witness: Witness, wrong: Sequence[str], odd: Mapping[int, Entry]) -> dict[int, float]:
    """How much likelier the lines are where the values go wrong first; those of a function that is called there too."""
    found: dict[int, float] = {}
    for at in witness.locate(wrong):
        entry = witness.entry_at(at)
        for s in () if entry is None else entry.sources:  # the places that it reads or writes
            if isinstance(s.values[0], int) and isinstance(witness.lines.statements.get(s.line), ast.Assign):
                found.setdefault(s.line, _LOCATED / 2)
        called = witness.lines.called(at.line)
        found[at.line] = _LOCATED / 2 if called else _LOCATED
        for f in called:
            found.update(dict.fromkeys(range(f.lineno, (f.end_lineno or f.lineno) + 1), _LOCATED))
    for loop in witness.lines.loops():  # what is collected in a loop is wrong where the loop takes other turns
        if any(is_inside(line, loop) for line in found):
            found.setdefault(loop.lineno, _LOCATED / 2)
    for line, e in odd.items():
        found[line] = _LOCATED
        for s in e.sources:  # handed on as it is, or from the turn before
            if s.frame == e.frame and isinstance(s.expression, ast.Name):
                found.setdefault(s.line, _LOCATED)
            if s.frame == e.frame and witness.has_gradient(s):  # right as something else
                found.setdefault(s.line, _AROUND)
            if s.line > line and s.frame == e.frame and witness.has_gradient(s):
                found.setdefault(s.line, _LOCATED / 2)
    return found


def _odd(witness: Witness) -> dict[int, Entry]:
    """Per line of a loop, what it makes of right gradients in some turn, where that is not known to be right itself."""
    times = Counter((e.line, e.name) for e in witness.lines.entries)
    found: dict[int, Entry] = {}
    for e in witness.lines.entries:
        if e.line in found or times[e.line, e.name] < _TURNS or e.parameter or _is_known(e):
            continue
        if not witness.has_gradient(e) or not all(_is_known(s) for s in e.sources if witness.has_gradient(s)):
            continue
        statement = witness.lines.statements.get(e.line)
        added = witness.matched(statement.value, e) if isinstance(statement, ast.AugAssign) else None
        if added is None or not added.exact or added.known.role == "value":
            found[e.line] = e
            for s in e.sources:  # a share of a gradient, where the whole of it is needed
                if s.match is not None and s.match.known.role == "share" and times[s.line, s.name] >= _TURNS:
                    found.setdefault(s.line, s)
    return found


def _is_known(e: Entry) -> bool:
    return bool(e.right) or (e.match is not None and e.match.exact)


def _beside(witness: Witness, wrong: Sequence[str]) -> frozenset[int]:
    """The lines of the candidate that go into some of its wrong gradients, and not into all of them."""
    finals = [witness.lines.finals[n] for n in wrong if n in witness.lines.finals]
    lines = [{e.line for e in witness.lines.ancestors(final)} for final in finals]
    return frozenset(lines[0].union(*lines) - lines[0].intersection(*lines)) if lines else frozenset()


def _into(witness: Witness, wrong: Sequence[str]) -> set[int] | None:
    """The lines of the candidate that go into wrong gradients; ``None`` where they are not known for all of them."""
    finals = [witness.lines.finals.get(n) for n in wrong]
    if None in finals:
        return None
    return {e.line for final in finals if final is not None for e in witness.lines.ancestors(final)}


def _may_be_wrong(statement: ast.stmt, witness: Witness, into: Collection[int]) -> bool:
    """Whether a statement may go into wrong gradients: not one that is known to go into right ones alone."""
    if not isinstance(statement, ast.Assign | ast.AugAssign) or _assigns_nothing(statement):
        return True
    around = witness.lines.around(statement.lineno)
    own = any(witness.lines.around(line) is around for line in into)  # not in a function that is called
    return not own or statement.lineno in into


def _places(witness: Witness) -> list[tuple[Entry, ast.stmt]]:
    """The statements of the candidate that may compute a gradient, each with the last variable that it assigned."""
    lines = witness.lines
    found: dict[ast.stmt, Entry] = {}
    for e in lines.entries:
        statement = lines.statements.get(e.line)
        if statement is None or e.parameter or not e.text:
            continue
        if isinstance(statement, ast.While | ast.If | ast.With):
            continue
        if isinstance(statement, ast.For):
            if _carries(witness, statement):
                found[statement] = e
            continue
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name):
            if not isinstance(statement.targets[0], ast.Name):
                continue  # what it hands on can be changed where it is computed
        elif e.match is not None and e.match.exact and e.match.known.role == "value" and not _may_be_gradient(e):
            continue  # the forward pass
        found[statement] = e
    for statement in dict.fromkeys(s for s in lines.statements.values() if s not in found and _assigns_nothing(s)):
        near = [e for e in lines.entries if e.line < statement.lineno and not e.parameter]  # it assigns nothing
        if near:
            found.setdefault(statement, max(near, key=lambda e: (e.line, e.index)))
    for e in lines.returned():
        statement = lines.statements.get(e.line)
        if isinstance(statement, ast.Return) and statement not in found:
            found[statement] = e
    return sorted(((e, s) for s, e in found.items()), key=lambda pair: pair[0].index)


def _carries(witness: Witness, loop: ast.For) -> bool:
    """Whether something in a loop holds a gradient."""
    return any(is_inside(e.line, loop) and witness.has_gradient(e) for e in witness.lines.entries)


def _assigns_nothing(statement: ast.stmt) -> bool:
    """Whether a statement leaves all variables as they are: ``dW + x``, and ``dc = dc``."""
    if isinstance(statement, ast.Assign):
        return all(isinstance(x, ast.Name) for x in (statement.value, *statement.targets)) and (
            ast.unparse(statement.value) == ast.unparse(statement.targets[0])
        )
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.BinOp)


def _may_be_gradient(e: Entry) -> bool:
    """Whether a copy of a forward value has the name of a gradient, which it is to become."""
    return gradient_words(e.name) < 2 or short_name(e.name).lower().startswith(("delta", "err"))
