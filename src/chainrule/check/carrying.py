"""What the turns of a loop have to do with each other: shares that are to be added up, and what is handed on.

An array that is there before a loop, and is set in it but never read, was meant to be added to.  A backward pass
through time begins with zeros for what comes from the step after, reads them in each turn, and must give them a new
value at its end: where no line of the loop does, such lines are tried there.
"""

from __future__ import annotations

import ast
import itertools
import linecache
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.check.adapters.naming import gradient_words
from chainrule.check.anywhere import Tries, wrong_on
from chainrule.check.candidate import Candidate
from chainrule.check.changing import Scene, is_float, is_inside, scene_name, text_of
from chainrule.check.dialects import respelled
from chainrule.check.evaluating import NoValueError, evaluated
from chainrule.check.exact import Exact
from chainrule.check.findings import Place
from chainrule.check.locating import Location, Witness
from chainrule.check.mending import Fix
from chainrule.check.moving import Moved
from chainrule.check.repairs import routes
from chainrule.check.scenes import scene_of
from chainrule.check.traced_lines import Entry

__all__ = ["mended_between_turns"]

_A_GRADIENT = 2  # a name that says less is that of something else
_MOST_ADDED = 8  # lines with += that are tried
_MOST = 80


def mended_between_turns(
    candidate: Candidate, witness: Witness, wrong: Sequence[str], tries: Tries, others: Sequence[Exact]
) -> Fix | None:
    """A line of a loop that adds up or hands on, with which the candidate is right.

    Args:
        candidate: the candidate, which can be run with other lines.
        witness: its own variables.
        wrong: the gradients that are wrong.
        tries: runs it with other lines.
        others: draws on which it must be right, too.
    """
    for m, word in _between_turns(candidate, witness):
        left = tries.wrong_with(candidate, m.first, m.last, m.text)
        if left is None or left:
            continue
        changed = candidate.replaced(m.first, m.text, m.last)  # type: ignore[attr-defined]
        if changed is not None and not any(wrong_on(changed, exact) for exact in others):
            at = Location(tuple(wrong), m.last, m.own.splitlines()[-1].strip(), "", Place(), Place())
            return Fix(at, m.text, tuple(wrong), True, m.last - m.first + 1, word)
    return None


def _between_turns(candidate: Candidate, witness: Witness) -> Iterator[tuple[Moved, str]]:
    """Lines of loops as they were meant, and what is wrong with them as they are."""
    script = candidate.style == "script"
    rows = candidate.source.splitlines() if script else [r.rstrip("\n") for r in linecache.getlines(candidate.file)]
    for m in itertools.islice(_added_up(witness, rows), _MOST_ADDED):
        yield m, "overwrites_instead_of_accumulates"
    for m in _carried_on(candidate, witness, rows):
        yield m, "truncated_recurrence"


def _added_up(witness: Witness, rows: Sequence[str]) -> Iterator[Moved]:
    """Statements of loops that set what is there before the loop and is not read in it, with ``+=``."""
    for loop in witness.lines.loops():
        nodes = [n for statement in loop.body for n in ast.walk(statement)]
        read = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        parts = {id(n.value) for n in nodes if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store)}
        inside = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and id(n) not in parts}
        before = {e.name for e in witness.lines.entries if e.line < loop.lineno}
        for statement in (n for n in nodes if isinstance(n, ast.Assign) and len(n.targets) == 1):
            target = statement.targets[0]
            root = _root(target)
            whole = isinstance(target, ast.Name) and root not in read
            part = isinstance(target, ast.Subscript) and root not in inside
            if root in before and gradient_words(root) < _A_GRADIENT and (whole or part):
                added = ast.AugAssign(target, ast.Add(), statement.value)  # type: ignore[arg-type]
                last = statement.end_lineno or statement.lineno
                yield Moved(statement.lineno, last, "\n".join(rows[statement.lineno - 1 : last]), text_of(added))


def _carried_on(candidate: Candidate, witness: Witness, rows: Sequence[str]) -> Iterator[Moved]:
    """The last statement of each loop with a line behind it that sets what the loop reads and never sets."""
    for loop in witness.lines.loops():
        inside = [e for e in witness.lines.entries if is_inside(e.line, loop)]
        last = loop.body[-1]
        end = last.end_lineno or last.lineno
        if not inside or end > len(rows):
            continue
        at = max(inside, key=lambda e: e.index)
        own = "\n".join(rows[last.lineno - 1 : end])
        for name in _never_set(loop, witness, at):
            for value in _values(name, loop, witness, at):
                line = respelled(f"{name} = {ast.unparse(value)}", candidate.style)
                if line is not None:
                    text = textwrap.dedent(own) + "\n" + line
                    yield Moved(last.lineno, end, textwrap.dedent(own), text)


def _never_set(loop: ast.For, witness: Witness, at: Entry) -> list[str]:
    """The arrays of zeros, or of a gradient, that are there before a loop and are read in it, but never set."""
    nodes = [n for statement in loop.body for n in ast.walk(statement)]
    set_here = {_root(n) for n in nodes if isinstance(getattr(n, "ctx", None), ast.Store)}
    parts = {id(n.value) for n in nodes if isinstance(n, ast.Subscript | ast.Attribute)}
    read = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and id(n) not in parts]
    there = {e.name: e for e in witness.lines.before(at).values() if not is_inside(e.line, loop)}
    return [
        name
        for name in dict.fromkeys(read)
        if name in there
        and name not in set_here
        and gradient_words(name) < _A_GRADIENT
        and _may_be_carried(there[name].values[0])
    ]


def _may_be_carried(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0 and is_float(value)


def _root(node: Any) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _values(name: str, loop: ast.For, witness: Witness, at: Entry) -> Iterator[ast.expr]:
    """What a variable may be given at the end of a turn: a gradient of its shape, or one passed through an array.

    Those come first that are a gradient at the end of the first turn, before which nothing is wrong.
    """
    first = next(e for e in witness.lines.entries if (e.line, e.name, e.frame) == (at.line, at.name, at.frame))
    scene, then = (scene_of(witness, replace(e, index=e.index + 1, reads=frozenset())) for e in (at, first))
    shape = np.shape(scene.value(name))
    own = {e.name for e in witness.lines.entries if is_inside(e.line, loop)}
    near = replace(scene, gradients=frozenset(g for g in scene.gradients if g in own))
    found = [scene_name(scene, g) for g in near.gradients if np.shape(scene.value(g)) == shape and g != name]
    arrays = [n for n in scene.names if np.ndim(scene.value(n)) and is_float(scene.value(n))]
    found += routes(scene_name(scene, name), near, arrays)
    yield from sorted(found, key=lambda value: not _is_known(value, then, witness))[:_MOST]


def _is_known(value: ast.expr, scene: Scene, witness: Witness) -> bool:
    try:
        return bool(witness.references.is_gradient(evaluated(value, scene.values[0])))
    except NoValueError:
        return False
