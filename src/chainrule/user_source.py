"""What the user's source says about a traced step: its statement, the loop around it, how it was spelled.

Positions lead back to the syntax tree of the user's file.  Where there is no source (a REPL, ``exec``) everything
here answers that it does not know.
"""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType

from chainrule.positions import Position

__all__ = ["Place", "lengths_named", "literals_of", "loop_of", "node_of", "place_of"]

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


def lengths_named(code: CodeType) -> dict[str, tuple[str, int | None, int]]:
    """The names that a function gives to lengths, with array, axis and line: ``n`` for ``n, d = X.shape``.

    Only names with one meaning throughout the function; an axis of ``None`` stands for the size.
    """
    file = _file(code.co_filename)
    heads = [] if file is None else [s for s in file.statements if isinstance(s, ast.FunctionDef)]
    own = [s for s in heads if s.name == code.co_name and _first_line(s) == code.co_firstlineno]
    found: dict[str, list[tuple[str, int | None, int] | None]] = {}
    for node in ast.walk(own[0]) if own else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.setdefault(node.id, []).append(None)
    for node in ast.walk(own[0]) if own else ():
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Name):
                pairs = [(target, _length_in(value))]
            elif isinstance(target, ast.Tuple) and _is_attribute(value, "shape"):
                array = value.value.id  # type: ignore[attr-defined]
                pairs = [(e, (array, k)) for k, e in enumerate(target.elts) if isinstance(e, ast.Name)]
            else:
                continue
            for name, length in pairs:
                if len(found[name.id]) == 1 and length is not None:
                    found[name.id] = [(*length, node.lineno)]
    return {name: lengths[0] for name, lengths in found.items() if len(lengths) == 1 and lengths[0] is not None}


def _first_line(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(d.lineno for d in function.decorator_list)])


def _is_attribute(node: ast.expr, name: str) -> bool:
    """Whether an expression is ``X.name`` for some X."""
    return isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.value, ast.Name)


def _length_in(node: ast.expr) -> tuple[str, int | None] | None:
    """The array and axis of ``X.shape[0]``, ``len(X)`` and ``X.size``."""
    if _is_attribute(node, "size"):
        return node.value.id, None  # type: ignore[attr-defined]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
        argument = node.args[0] if node.args else None
        return (argument.id, 0) if isinstance(argument, ast.Name) else None
    if isinstance(node, ast.Subscript) and _is_attribute(node.value, "shape"):
        try:
            axis = ast.literal_eval(node.slice)
        except ValueError:
            return None
        return (node.value.value.id, axis) if type(axis) is int else None  # type: ignore[attr-defined]
    return None
