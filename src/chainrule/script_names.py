"""Where a script gives values to its names, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["bindings", "bound_in_loops", "extent", "own_nodes"]


def bound_in_loops(tree: ast.Module) -> set[str]:
    """The names that are given values inside of loops of the script's top level."""
    loops = [node for node in own_nodes(tree) if isinstance(node, ast.For | ast.While)]
    return {n.id for loop in loops for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def own_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes of the script that are not inside of functions or classes."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop(0)
        yield node
        inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        if not inner:
            pending += ast.iter_child_nodes(node)


def bindings(tree: ast.Module) -> dict[str, list[int]]:
    """Where the script's top level gives values to its names."""
    found: dict[str, list[int]] = {}
    for node in own_nodes(tree):
        names: list[str] = []
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names = [node.id]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.Global):
            names = list(node.names)
        for name in names:
            found.setdefault(name, []).append(getattr(node, "lineno", 0))
    return found


def extent(tree: ast.Module, line: int) -> tuple[int, int]:
    """The first and the last line of the statement that a line belongs to."""
    simple = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return simple[-1] if simple else (line, line)
