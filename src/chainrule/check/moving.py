"""Lines that stand in the wrong place: updates that come too early, and what is in a loop or behind it by mistake."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainrule.check.candidate import Candidate

__all__ = ["Moved", "later_updates", "other_blocks"]

_DEPTH = 3  # blocks in each other that a line is moved into


@dataclass(frozen=True, slots=True)
class Moved:
    """Lines of a candidate in another order.

    Attributes:
        first: the first of these lines in the candidate's file.
        last: the last one.
        own: the lines as they are.
        text: the lines as they should be.
    """

    first: int
    last: int
    own: str
    text: str


def later_updates(candidate: Candidate) -> Iterator[Moved]:
    """The updates of arrays that are read further on in the same turn or call, each moved behind the last such line."""
    lines = candidate.source.splitlines()
    for block in _blocks(candidate):
        for k, statement in enumerate(block):
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


def other_blocks(candidate: Candidate) -> Iterator[Moved]:
    """The last line of each loop behind it, and the line behind each loop at the end of it."""
    lines = candidate.source.splitlines()
    for block in _blocks(candidate):
        for loop, behind in zip(block, [*block[1:], None], strict=False):
            inner, depth = loop, 0
            while isinstance(inner, ast.For | ast.If) and not inner.orelse and depth < _DEPTH:
                last = inner.body[-1]
                if len(inner.body) > 1 and _is_line(last):
                    yield _put(candidate, lines, loop, last, loop.end_lineno or 0, inner.col_offset)
                if behind is not None and _is_line(behind):
                    yield _put(candidate, lines, loop, behind, behind.end_lineno or 0, last.col_offset)
                inner, depth = last, depth + 1


def _blocks(candidate: Candidate) -> Iterator[list[ast.stmt]]:
    """The bodies of the candidate, of its functions and of what stands in them."""
    try:
        tree = ast.parse(textwrap.dedent(candidate.source))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):  # that of a lambda is an expression
            yield body


def _is_line(statement: ast.stmt) -> bool:
    """Whether a statement computes something on a line of its own."""
    simple = isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr)
    return simple and statement.end_lineno == statement.lineno


def _put(candidate: Candidate, lines: Sequence[str], loop: ast.stmt, moved: ast.stmt, end: int, column: int) -> Moved:
    """A loop and what follows it to some line, with one of its lines at the end and further in or out."""
    start, at = loop.lineno - 1, moved.lineno - 1
    margin = len(lines[start]) - len(lines[start].lstrip()) - loop.col_offset
    line = " " * (column + margin) + lines[at].strip()
    rest = [row for k, row in enumerate(lines[start:end], start) if k != at]
    shift = candidate.first_line - 1
    return Moved(start + 1 + shift, end + shift, _joined(lines[start:end]), _joined([*rest, line]))


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
