"""What the user's source says about a traced step: its statement, the loop around it, how it was spelled.

Positions lead back to the syntax tree of the user's file.  Where there is no source (a REPL, ``exec``) everything
here answers that it does not know.
"""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from functools import lru_cache

from chainrule.positions import Position

__all__ = ["Place", "literals_of", "loop_of", "node_of", "place_of"]

_LONGEST = 88


@dataclass(frozen=True, slots=True)
class Place:
    """One statement of the user's.

    Attributes:
        filename: the file it stands in.
        function: the function it stands in.
        line: its first line.
        text: the statement on one line; empty where there is no source.
    """

    filename: str
    function: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class _File:
    nodes: dict[tuple[int, int, int, int], tuple[ast.expr, ...]]
    statements: tuple[ast.stmt, ...]
    source: str
    lines: tuple[str, ...]


@lru_cache(maxsize=64)
def _parsed(filename: str, source: str) -> _File | None:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    nodes: dict[tuple[int, int, int, int], tuple[ast.expr, ...]] = {}
    statements = []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            statements.append(node)
        elif isinstance(node, ast.expr):
            key = (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
            nodes[key] = (*nodes.get(key, ()), node)
    return _File(nodes, tuple(statements), source, tuple(source.splitlines()))


def _file(filename: str) -> _File | None:
    source = "".join(linecache.getlines(filename))
    return _parsed(filename, source) if source else None


def node_of(position: Position | None) -> ast.expr | None:
    """The expression in the user's source at exactly this position."""
    found = None if position is None else _file(position.filename)
    if position is None or found is None:
        return None
    key = (position.line, position.column - 1, position.end_line, position.end_column - 1)
    return next(iter(found.nodes.get(key, ())), None)


def _enclosing(position: Position) -> list[ast.stmt]:
    """The statements around a position, outermost first."""
    found = _file(position.filename)
    if found is None:
        return []
    around = [s for s in found.statements if s.lineno <= position.line <= (s.end_lineno or s.lineno)]
    return sorted(around, key=lambda s: (s.lineno, -(s.end_lineno or 0), s.col_offset))


@lru_cache(maxsize=65536)
def place_of(position: Position) -> Place:
    """The user's statement around a position."""
    around = _enclosing(position)
    if not around:
        return Place(position.filename, position.function, position.line, position.text)
    column = position.column - 1
    exact = [
        s
        for s in around
        if (s.lineno, s.col_offset) <= (position.line, column)
        and (position.end_line, position.end_column - 1) <= (s.end_lineno or 0, s.end_col_offset or 0)
    ]
    statement = (exact or around)[-1]
    found = _file(position.filename)
    assert found is not None
    return Place(position.filename, position.function, statement.lineno, _one_line(statement, found))


def _one_line(statement: ast.stmt, file: _File) -> str:
    """The statement, or the head of one with a body, as one line."""
    body = getattr(statement, "body", None)
    if body:
        return file.lines[statement.lineno - 1].strip()
    if statement.end_lineno == statement.lineno:
        text = ast.get_source_segment(file.source, statement) or ""
    else:
        text = ast.unparse(statement)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 2].rstrip() + " …"


def loop_of(position: Position) -> int | None:
    """The line of the innermost loop around a position, if there is one."""
    loops = [s for s in _enclosing(position) if isinstance(s, ast.For | ast.While)]
    inside = [s.lineno for s in loops if s.body[0].lineno <= position.line]
    if inside:
        return inside[-1]
    node = node_of(position)
    found = _file(position.filename)
    if node is None or found is None:
        return None
    for key, nodes in found.nodes.items():
        around = key[:2] <= (node.lineno, node.col_offset) and (node.end_lineno, node.end_col_offset) <= key[2:]
        if around and any(isinstance(n, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp) for n in nodes):
            return key[0]
    return None


def literals_of(position: Position) -> dict[float, str]:
    """The floats in the file of a position that the user wrote otherwise than Python would: ``1e-5``."""
    found = _file(position.filename)
    if found is None:
        return {}
    written: dict[float, str] = {}
    for (line, start, end_line, end), nodes in found.nodes.items():
        for node in nodes:
            if not isinstance(node, ast.Constant) or type(node.value) is not float or line != end_line:
                continue
            text = found.lines[line - 1].encode()[start:end].decode()
            if text != repr(node.value):
                written.setdefault(node.value, text)
    return written
