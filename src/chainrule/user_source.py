"""What the user's source says about a traced step: its statement, the loop around it, how it was spelled.

Positions lead back to the syntax tree of the user's file.  Where there is no source (a REPL, ``exec``) everything
here answers that it does not know.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import CodeType

from chainrule.positions import Position

__all__ = [
    "Place",
    "bound_in_loop",
    "counter_of",
    "counts_named",
    "definition_of",
    "expressions_of",
    "imported_names",
    "item_of",
    "iterated",
    "lengths_in",
    "lengths_named",
    "literals_of",
    "loop_of",
    "node_of",
    "place_of",
    "result_of",
]

_LONGEST = 88
# What is in these may not run, or runs in a scope of its own.
_NOT_ALWAYS = (ast.If, ast.While, ast.Try, ast.Match, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda,
               ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)  # fmt: skip


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


class _File:
    """A file of the user's: its syntax by place."""

    def __init__(
        self,
        nodes: dict[tuple[int, int, int, int], tuple[ast.expr, ...]],
        statements: tuple[ast.stmt, ...],
        lines: list[str],
    ) -> None:
        self.nodes = nodes
        self.statements = statements
        self.lines = lines

    @cached_property
    def around(self) -> dict[int, list[ast.stmt]]:
        """For each line the statements that it is part of, outermost first."""
        found: dict[int, list[ast.stmt]] = {}
        for s in sorted(self.statements, key=lambda s: (s.lineno, -(s.end_lineno or 0), s.col_offset)):
            for line in range(s.lineno, (s.end_lineno or s.lineno) + 1):
                found.setdefault(line, []).append(s)
        return found

    @cached_property
    def comprehensions(self) -> list[tuple[int, int, int, int]]:
        """Where comprehensions stand."""
        kinds = ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp
        return [key for key, nodes in self.nodes.items() if any(isinstance(n, kinds) for n in nodes)]


# By file name, with the lines that were parsed; an edited file has other lines.
_files: dict[str, tuple[list[str], _File | None]] = {}


def _parsed(lines: list[str]) -> _File | None:
    try:
        tree = ast.parse("".join(lines))
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
    return _File(nodes, tuple(statements), lines)


def _file(filename: str) -> _File | None:
    lines = linecache.getlines(filename)
    if not lines:
        return None
    known = _files.get(filename)
    if known is None or known[0] is not lines:
        known = _files[filename] = (lines, _parsed(lines))
    return known[1]


def node_of(position: Position | None) -> ast.expr | None:
    """The expression in the user's source at exactly this position."""
    found = None if position is None else _file(position.filename)
    if position is None or found is None:
        return None
    key = (position.line, position.column - 1, position.end_line, position.end_column - 1)
    return next(iter(found.nodes.get(key, ())), None)


def imported_names(position: Position | None) -> frozenset[str]:
    """The names that the imports of the file of a position bind: ``np`` for ``import numpy as np``."""
    found = None if position is None else _file(position.filename)
    if found is None:
        return frozenset()
    imports = [s for s in found.statements if isinstance(s, ast.Import | ast.ImportFrom)]
    return frozenset((alias.asname or alias.name).partition(".")[0] for s in imports for alias in s.names)


def _enclosing(position: Position) -> list[ast.stmt]:
    """The statements around a position, outermost first."""
    found = _file(position.filename)
    return [] if found is None else found.around.get(position.line, [])


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


@lru_cache(maxsize=65536)
def result_of(position: Position | None) -> str:
    """The name of the function that returns exactly the expression at this position; empty where none does."""
    node = node_of(position)
    if position is None or node is None:
        return ""
    returned = any(isinstance(s, ast.Return) and s.value is node for s in _enclosing(position))
    return position.function.rpartition(".")[2] if returned else ""


def _one_line(statement: ast.stmt, file: _File) -> str:
    """The statement, or the head of one with a body, as one line."""
    body = getattr(statement, "body", None)
    if body:
        return file.lines[statement.lineno - 1].strip()
    if statement.end_lineno == statement.lineno:
        line = file.lines[statement.lineno - 1].encode()
        text = line[statement.col_offset : statement.end_col_offset].decode()
    else:
        text = ast.unparse(statement)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 2].rstrip() + " …"


@lru_cache(maxsize=65536)
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
    for key in found.comprehensions:
        if key[:2] <= (node.lineno, node.col_offset) and (node.end_lineno, node.end_col_offset) <= key[2:]:
            return key[0]
    return None


def counter_of(position: Position) -> str:
    """What the user calls the counter of the loop at a position: ``t`` in ``for t in range(T)``; empty if nothing."""
    for node in reversed(_enclosing(position)):
        if isinstance(node, ast.For):
            target, counted = node.target, node.iter
            called = _called(counted)
            if called == "enumerate" and isinstance(target, ast.Tuple):
                target = target.elts[0]
            if called == "zip" and isinstance(target, ast.Tuple) and isinstance(counted, ast.Call):
                pairs = zip(target.elts, counted.args, strict=False)
                target = next((t for t, e in pairs if ast.unparse(e).startswith("range(")), target)
            known = called in ("range", "enumerate", "zip") or (
                called == "reversed" and isinstance(counted, ast.Call) and "range" in map(_called, counted.args)
            )
            return target.id if isinstance(target, ast.Name) and known else ""
    return ""


def _called(node: ast.expr) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def item_of(position: Position, path: str) -> str:
    """What the user calls an item of a list that the loop at a position runs over: ``W``; empty if nothing."""
    loops = [s for s in _enclosing(position) if isinstance(s, ast.For)]
    if not loops:
        return ""
    pairs = [(loops[-1].target, loops[-1].iter)]
    for target, items in pairs:
        called = _called(items)
        if isinstance(target, ast.Name) and ast.unparse(items) == path:
            return target.id
        if called in ("zip", "enumerate") and isinstance(items, ast.Call) and isinstance(target, ast.Tuple):
            inner = target.elts[1:] if called == "enumerate" else target.elts
            pairs += zip(inner, items.args, strict=False)
    return ""


def bound_in_loop(position: Position) -> frozenset[str]:
    """The names that the loop at a position gives values to."""
    loops = [s for s in _enclosing(position) if isinstance(s, ast.For)]
    nodes = ast.walk(loops[-1]) if loops else iter(())
    return frozenset(n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def iterated(position: Position) -> str:
    """What the loop at a position runs over, as the user wrote it."""
    loops = [s for s in _enclosing(position) if isinstance(s, ast.For)]
    return ast.unparse(loops[-1].iter) if loops else ""


def expressions_of(position: Position) -> list[ast.expr]:
    """The expressions in the file of a position."""
    found = _file(position.filename)
    return [] if found is None else [node for nodes in found.nodes.values() for node in nodes]


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
            if text != repr(node.value) and text[0] != "." != text[-1]:
                written.setdefault(node.value, text)
    return written


def lengths_named(code: CodeType) -> dict[str, tuple[str, int | None, int]]:
    """The names that a function gives to lengths, with array, axis and line: ``n`` for ``n, d = X.shape``.

    Only names with one meaning throughout the function; an axis of ``None`` stands for the size.
    """
    definition = definition_of(code)
    if definition is None:
        return {}
    given = _always_given(definition)
    return {name: own for name, own in lengths_in(list(ast.walk(definition))).items() if name in given}


def _always_given(definition: ast.FunctionDef) -> frozenset[str]:
    """The names that a function gives to something whenever it runs: in no branch, and in no function of its own."""
    found: set[str] = set()
    pending: list[ast.AST] = [*definition.body]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        if not isinstance(node, _NOT_ALWAYS):
            pending += ast.iter_child_nodes(node)
    return frozenset(found)


def lengths_in(nodes: Sequence[ast.AST]) -> dict[str, tuple[str, int | None, int]]:
    """The same for the nodes of one scope."""
    found: dict[str, list[tuple[str, int | None, int] | None]] = {}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.setdefault(node.id, []).append(None)
    for node in nodes:
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


def counts_named(code: CodeType) -> dict[str, tuple[str, int]]:
    """The names that a function gives to numbers computed from lengths, as written, with the line: ``n = H // 2 + 1``.

    Only names with one meaning throughout the function, in the order of their lines.
    """
    definition = definition_of(code)
    if definition is None:
        return {}
    nodes, given = list(ast.walk(definition)), _always_given(definition)
    stored = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    stored += [node.arg for node in nodes if isinstance(node, ast.arg)]
    found = [
        (node.lineno, target.id, node.value)
        for node in nodes
        if isinstance(node, ast.Assign) and len(node.targets) == 1
        for target in node.targets
        if isinstance(target, ast.Name)
        and target.id in given
        and stored.count(target.id) == 1
        and _is_count(node.value)
    ]
    return {name: (ast.unparse(value), line) for line, name, value in sorted(found, key=lambda f: f[0])}


def _is_count(node: ast.expr) -> bool:
    """Whether an expression computes with whole numbers and lengths, by how it is written."""
    inner = (ast.BinOp, ast.UnaryOp, ast.USub, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.Name, ast.Load,
             ast.Constant, ast.Subscript, ast.Attribute, ast.Call)  # fmt: skip
    return isinstance(node, ast.BinOp) and all(isinstance(x, inner) and _is_whole(x) for x in ast.walk(node))


def _is_whole(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
    if isinstance(node, ast.Attribute):
        return node.attr in ("shape", "size")
    return not isinstance(node, ast.Call) or (isinstance(node.func, ast.Name) and node.func.id == "len")


def definition_of(code: CodeType) -> ast.FunctionDef | None:
    """The definition of a function in the user's source."""
    file = _file(code.co_filename)
    heads = [] if file is None else [s for s in file.statements if isinstance(s, ast.FunctionDef)]
    own = [s for s in heads if s.name == code.co_name and _first_line(s) == code.co_firstlineno]
    return own[0] if own else None


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
