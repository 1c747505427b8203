"""Which lists of whole numbers given to a function are lists of indices: the characters of a text, the labels of rows.

A list of whole numbers may be a shape, or sizes of layers; what is written holds for these alone.  Where it is only
measured, gone through and looked up in, and its numbers only say which element of something is meant, an array of the
same numbers does the same.  An array is followed: a loop over it stays a loop, and what is written holds for all lists.
That is read off the syntax, of the function and of its own helpers that such a list or number is handed to.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import FunctionType
from typing import Any, Literal

import numpy as np

from chainrule.name_uses import NameUses

__all__ = ["as_arrays"]

Role = Literal["list", "number"]

_DEEPEST = 4  # helpers that call helpers


def as_arrays(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The lists of indices among the arguments of a function, by name, as arrays.

    Args:
        function: the function.
        arguments: what it is given, by the names of its parameters.
    """
    lists = [name for name, x in arguments.items() if _is_number_list(x)]
    inner = inspect.unwrap(function)
    reading = _reading(inner, _DEEPEST) if lists and isinstance(inner, FunctionType) else None
    return {} if reading is None else {name: np.array(arguments[name]) for name in lists if reading.holds(name, "list")}


def _is_number_list(x: Any) -> bool:
    """Whether this is a list of whole numbers, with at least one in it."""
    return type(x) is list and bool(x) and all(isinstance(n, int | np.integer) and type(n) is not bool for n in x)


@lru_cache(maxsize=256)
def _reading(function: FunctionType, depth: int) -> _Reading | None:
    try:
        return _Reading(function, depth)
    except LookupError:
        return None


class _Reading(NameUses):
    """How the code of a function uses its lists and indices.

    Args:
        function: the function.
        depth: how many calls of other functions may be looked into.
    """

    def __init__(self, function: FunctionType, depth: int) -> None:
        super().__init__(function)
        self.depth = depth
        self.asked: dict[tuple[str, Role], bool] = {}

    def holds(self, name: str, role: Role) -> bool:
        """Whether a name is only used as a list of indices, or as an index."""
        if (name, role) not in self.asked:
            self.asked[name, role] = True  # while its own uses are looked at
            # Lists grow by +=, arrays are added to.
            nodes = self.nodes.get(name, ())
            grown = any(isinstance(self.parents[n], ast.AugAssign | ast.Delete) for n in nodes)
            loads = [n for n in nodes if isinstance(n.ctx, ast.Load)]
            self.asked[name, role] = self.is_local(name) and not grown and all(self._is_use(n, role) for n in loads)
        return self.asked[name, role]

    # ---- uses
    def _is_use(self, node: ast.expr, role: Role) -> bool:
        """Whether an expression with this role is used as such."""
        above = self.parents[node]
        if isinstance(above, ast.FormattedValue):
            return self.is_in_message(above)
        if isinstance(above, ast.Assign):
            names = [t.id for t in above.targets if isinstance(t, ast.Name)]
            return len(names) == len(above.targets) and all(self.holds(n, role) for n in names)
        if isinstance(above, ast.Call) and node in above.args:
            return self._is_handed(node, above, role)
        if isinstance(above, ast.Subscript) and node is above.slice:
            return True
        if isinstance(above, ast.Tuple):  # x[:, labels]
            outer = self.parents[above]
            return isinstance(outer, ast.Subscript) and above is outer.slice
        if role == "number":
            return isinstance(above, ast.BinOp) and self._is_shifted(above) and self._is_use(above, "number")
        if isinstance(above, ast.Subscript):
            return self._is_use(above, "list" if isinstance(above.slice, ast.Slice) else "number")
        return isinstance(above, ast.For | ast.comprehension) and self._is_target(above.target, "number")

    @staticmethod
    def _is_shifted(node: ast.BinOp) -> bool:
        """Whether a whole number is added: labels that count from 1."""
        return isinstance(node.op, ast.Add | ast.Sub) and any(
            isinstance(x, ast.Constant) and type(x.value) is int for x in (node.left, node.right)
        )

    def _is_target(self, target: ast.expr, role: Role) -> bool:
        return isinstance(target, ast.Name) and self.holds(target.id, role)

    def _is_handed(self, node: ast.expr, call: ast.Call, role: Role) -> bool:
        """Whether an argument of a call is used as an index there."""
        if any(isinstance(a, ast.Starred) for a in call.args):
            return False
        place = call.args.index(node)
        if isinstance(call.func, ast.Name):
            called = self.of_globals(call.func.id)
            if role == "list" and called is len:
                return True
            if role == "list" and called in (zip, enumerate, reversed):
                return self._is_looped(call, called, place)
            inner = inspect.unwrap(called) if callable(called) else None
            if not isinstance(inner, FunctionType) or self.depth == 0:
                return False
            names: Sequence[str] = inner.__code__.co_varnames[: inner.__code__.co_argcount]
            reading = _reading(inner, self.depth - 1)
            return place < len(names) and reading is not None and reading.holds(names[place], role)
        called = self.of_numpy(call.func)
        if role != "list" or called is None:
            return False
        alone = len(call.args) == 1 and not call.keywords
        return (alone and called in (np.array, np.asarray)) or (place == 1 and called in (np.take, np.take_along_axis))

    def _is_looped(self, call: ast.Call, called: Any, place: int) -> bool:
        """Whether an argument of ``zip``, ``enumerate`` or ``reversed`` is gone through by a loop."""
        inside: list[tuple[Any, int]] = [(called, place)]
        node: ast.expr = call
        above = self.parents[node]
        while isinstance(above, ast.Call) and node in above.args and isinstance(above.func, ast.Name):
            inside.append((self.of_globals(above.func.id), above.args.index(node)))
            node, above = above, self.parents[above]
        if not isinstance(above, ast.For | ast.comprehension):
            return False
        target: ast.expr | None = above.target
        for function, which in reversed(inside):
            if function is zip or function is enumerate:
                part = which if function is zip else which + 1
                elements = target.elts if isinstance(target, ast.Tuple) else []
                if not part < len(elements) or (function is enumerate and which != 0):
                    return False
                target = elements[part]
            elif function is not reversed:
                return False
        return target is not None and self._is_target(target, "number")
