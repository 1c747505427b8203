"""Updates of arrays that stand too early: the same lines, with the update behind what still reads the array."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainrule.check.candidate import Candidate

__all__ = ["Moved", "later_updates"]


@dataclass(frozen=True, slots=True)
class Moved:
    """Lines of a candidate in another order.

    Attributes:
        first: the first of these lines in the candidate's file, which updates an array.
        last: the last one, which reads that array.
        own: the lines as they are.
        text: the lines with the update at their end.
    """

    first: int
    last: int
    own: str
    text: str


def later_updates(candidate: Candidate) -> Iterator[Moved]:
    """The updates of arrays that are read further on in the same turn or call, each moved behind the last such line."""
    lines = candidate.source.splitlines()
    try:
        tree = ast.parse(textwrap.dedent(candidate.source))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        block: Sequence[ast.stmt] = getattr(node, "body", None) or ()
        for k, statement in enumerate(block if isinstance(block, list) else ()):
            names = _updated(statement)
            reading = [s for s in block[k + 1 :] if names & _read(s)]
            if not reading or not names:
                continue
            start, end = statement.lineno - 1, statement.end_lineno or statement.lineno
            last = reading[-1].end_lineno or reading[-1].lineno
            if any(s.lineno - 1 < end for s in block[k + 1 :]):  # beside it, on its line
                continue
            own, moved = lines[start:last], [*lines[end:last], *lines[start:end]]
            shift = candidate.first_line - 1
            yield Moved(start + 1 + shift, last + shift, _joined(own), _joined(moved))


def _joined(lines: Sequence[str]) -> str:
    return textwrap.dedent("\n".join(lines))


def _updated(statement: ast.stmt) -> set[str]:
    """The variables that a statement makes of themselves; those of a loop that does nothing else."""
    match statement:
        case ast.AugAssign(target=target):
            return _roots(target)
        case ast.Assign(targets=[target], value=value):
            return _roots(target) & _read(value)
        case ast.For(body=body):
            inner = [_updated(s) for s in body]
            return set.union(*inner) if all(inner) else set()
    return set()


def _roots(target: ast.expr) -> set[str]:
    while isinstance(target, ast.Subscript):
        target = target.value
    return {ast.unparse(target)} if isinstance(target, ast.Name | ast.Attribute) else set()


def _read(node: ast.AST) -> set[str]:
    """The variables that are read, apart from those that an update reads to write them again."""
    held = _updated(node) if isinstance(node, ast.AugAssign) else set()
    found = {
        ast.unparse(n)
        for n in ast.walk(node)
        if isinstance(n, ast.Name | ast.Attribute) and isinstance(n.ctx, ast.Load)
    }
    return found - held
