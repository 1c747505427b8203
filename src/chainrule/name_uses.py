"""What the code of a function does with its names, as far as that can be read off its syntax."""

from __future__ import annotations

import ast
import builtins
from types import FunctionType, ModuleType
from typing import Any

from chainrule.user_source import definition_of

__all__ = ["NameUses"]

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class NameUses:
    """Where a function uses its names.

    Args:
        function: the function, whose source is known.

    Attributes:
        function: the function.
        parents: by node of its syntax, the node around it.
        nodes: by name, where the body mentions it.

    Raises:
        LookupError: where there is no source.
    """

    def __init__(self, function: FunctionType) -> None:
        definition = definition_of(function.__code__)
        if definition is None:
            raise LookupError(function.__qualname__)
        self.function = function
        self.parents = {child: node for node in ast.walk(definition) for child in ast.iter_child_nodes(node)}
        self.nodes: dict[str, list[ast.Name]] = {}
        for node in (n for statement in definition.body for n in ast.walk(statement)):
            if isinstance(node, ast.Name):
                self.nodes.setdefault(node.id, []).append(node)
        inner = [n for s in definition.body for n in ast.walk(s) if isinstance(n, _SCOPES)]
        self.bound_inside = frozenset(name for scope in inner for name in _bound(scope))

    def is_local(self, name: str) -> bool:
        """Whether a name is a local variable, which inner functions may read and do not bind themselves."""
        code = self.function.__code__
        return name in (*code.co_varnames, *code.co_cellvars) and name not in self.bound_inside

    def is_in_message(self, node: ast.AST) -> bool:
        """Whether an expression is part of an error's message."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return isinstance(node, ast.Assert | ast.Raise)

    def of_globals(self, name: str) -> Any:
        """What a name stands for that the function does not bind itself."""
        code = self.function.__code__
        if name in self.bound_inside or name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars):
            return None
        return self.function.__globals__.get(name, getattr(builtins, name, None))

    def of_numpy(self, node: ast.expr) -> Any:
        """The function of NumPy that ``np.sqrt`` stands for."""
        path = ast.unparse(node).split(".")
        module = self.of_globals(path[0])
        if not isinstance(module, ModuleType) or module.__name__.split(".")[0] != "numpy":
            return None
        for name in path[1:]:
            module = getattr(module, name, None)
        return module


def _bound(scope: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """The names that an inner function binds: its parameters, and what is assigned in it."""
    a = scope.args
    parameters = [
        *a.posonlyargs,
        *a.args,
        *a.kwonlyargs,
        *([a.vararg] if a.vararg else []),
        *([a.kwarg] if a.kwarg else []),
    ]
    body = scope.body if isinstance(scope.body, list) else [scope.body]
    stored = [n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)]
    return {p.arg for p in parameters} | set(stored)
