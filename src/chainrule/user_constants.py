"""Numbers that the user lets NumPy compute, and that a trace has as numbers: ``np.sqrt(2 / np.pi)``."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.positions import Position
from chainrule.user_source import expressions_of

__all__ = ["constants_of"]

_SHORT = 12  # characters of a number that is read as easily as what computes it
_CONSTANTS = {"pi": np.pi, "e": np.e}
_FUNCTIONS: dict[str, Callable[..., Any]] = {"sqrt": np.sqrt, "log": np.log, "exp": np.exp, "log2": np.log2}
_OPERATIONS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def constants_of(position: Position) -> dict[float, str]:
    """How the numbers are computed in the file of a position that take more room than that."""
    written: dict[float, str] = {}
    for node in expressions_of(position):
        is_product = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div)
        value = _computed(node) if is_product or isinstance(node, ast.Call | ast.Attribute) else None
        if value is not None and len(repr(value)) >= _SHORT and any(isinstance(n, ast.Name) for n in ast.walk(node)):
            written.setdefault(value, ast.unparse(node))
    return written


def _computed(node: ast.expr) -> float | None:
    """The value of an expression of numbers and of NumPy's constants and functions; ``None`` of any other."""
    operands: list[ast.expr] = []
    operation: Callable[..., Any] | None = None
    if isinstance(node, ast.Constant):
        return float(node.value) if isinstance(node.value, int | float) and not isinstance(node.value, bool) else None
    if isinstance(node, ast.Attribute):
        return _CONSTANTS.get(node.attr) if _is_numpy(node) else None
    if isinstance(node, ast.BinOp):
        operation, operands = _OPERATIONS.get(type(node.op)), [node.left, node.right]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_numpy(node.func):
        alone = len(node.args) == 1 and not node.keywords
        operation, operands = _FUNCTIONS.get(node.func.attr) if alone else None, node.args
    numbers = [x for x in map(_computed, operands) if x is not None]
    if operation is None or len(numbers) != len(operands):
        return None
    try:
        with np.errstate(all="raise"):
            value = operation(*numbers)
    except (ArithmeticError, ValueError):
        return None
    return float(value) if isinstance(value, float) else None


def _is_numpy(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "np"
