"""A candidate with one statement on each line, so that each can be looked at, and changed, on its own.

People write ``dW = x.T @ dz; db = dz.sum(0)`` and ``for t in range(T): dW += …``.  What is found on the lines that are
made of these is said of the line that they were on.
"""

from __future__ import annotations

import ast
import linecache
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainrule.check.candidate import Candidate

__all__ = ["Separated", "separated"]


@dataclass(frozen=True, slots=True)
class Separated:
    """A candidate with one statement on each line.

    Attributes:
        candidate: it.
        moved: the lines that were taken apart, by their old numbers, and how many each became.
    """

    candidate: Candidate
    moved: tuple[tuple[int, int], ...] = ()

    def old_line(self, line: int) -> int:
        """The line of the candidate's own file that a line was a part of."""
        before = 0
        for old, count in self.moved:
            if line < old + before:
                break
            if line < old + before + count:
                return old
            before += count - 1
        return line - before

    def new_line(self, line: int) -> int:
        """The first of the lines that a line of the candidate's own file was taken apart into."""
        return line + sum(count - 1 for old, count in self.moved if old < line)


def separated(candidate: Candidate) -> Separated:
    """A candidate with each statement on a line of its own; itself where that is so, or cannot be done."""
    make = getattr(candidate, "replaced", None)
    whole = "".join(linecache.getlines(candidate.file)) if candidate.file and candidate.style != "script" else ""
    source = whole or candidate.source
    if not callable(make) or (";" not in source and not any(_is_short(row) for row in source.splitlines())):
        return Separated(candidate)
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return Separated(candidate)
    rows = source.splitlines()
    last = candidate.first_line + candidate.source.count("\n")
    blocks: list[ast.AST] = [tree] if candidate.style == "script" else list(tree.body)
    changed, moved = candidate, list[tuple[int, int]]()
    for block in reversed(blocks):
        found = dict(_taken_apart(block, rows))
        named = isinstance(block, ast.FunctionDef | ast.ClassDef) and f"{block.name}(" in candidate.source
        if not found or not (named or any(candidate.first_line <= line <= last for line in found)):
            continue
        start, end = _whole_lines(min(found), max(found), rows)
        text = "\n".join("\n".join(found.get(k, [rows[k - 1]])) for k in range(start, end + 1))
        other = changed.replaced(start, text, end)  # type: ignore[attr-defined]
        if other is not None:
            changed = other
            moved += [(line, len(parts)) for line, parts in found.items()]
    return Separated(changed, tuple(sorted(moved)))


def _is_short(row: str) -> bool:
    """Whether a line may hold a statement and what it is the head of."""
    return row.lstrip().startswith(("for ", "if ", "while ", "with ")) and not row.rstrip().endswith((":", "(", ","))


def _taken_apart(block: ast.AST, rows: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines of a block that hold several statements, as lines that hold one each."""
    for node in ast.walk(block):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if not isinstance(statements, list) or not statements:
                continue
            by_line: dict[int, list[ast.stmt]] = {}
            for s in statements:
                by_line.setdefault(s.lineno, []).append(s)
            for line, own in by_line.items():
                row = rows[line - 1]
                indent = row[: len(row) - len(row.lstrip())]
                if any(s.end_lineno != line for s in own):
                    continue
                head = row.encode()[: own[0].col_offset].decode()
                parts = [part for s in own for part in _parts(s, row, indent)]
                if not head.strip() and len(parts) > 1:
                    yield line, parts


def _parts(statement: ast.stmt, row: str, indent: str) -> list[str]:
    """A statement of one line, as lines: its head, and what stands behind the colon below it."""
    text = row.encode()[statement.col_offset : statement.end_col_offset].decode()
    body = getattr(statement, "body", None)
    if not isinstance(body, list) or getattr(statement, "orelse", None) or not hasattr(statement, "lineno"):
        return [indent + text]
    head = row.encode()[statement.col_offset : body[0].col_offset].decode().rstrip()
    return [indent + head, *(part for s in body for part in _parts(s, row, indent + "    "))]


def _whole_lines(start: int, end: int, rows: Sequence[str]) -> tuple[int, int]:
    """Lines that begin with the one that is furthest to the left."""

    def margin(first: int) -> int:
        lines = textwrap.dedent("\n".join(rows[first - 1 : end])).splitlines()
        return len(rows[first - 1]) - len(lines[0]) if rows[first - 1].strip() else -1

    while start > 1 and margin(start) != len(rows[start - 1]) - len(rows[start - 1].lstrip()):
        start -= 1
    return start, end
