"""How operations are spelled: as operators, as methods, and as the user spelled them."""

from __future__ import annotations

import ast
from dataclasses import dataclass

import numpy as np

from chainrule.ir import Step
from chainrule.positions import Position
from chainrule.user_source import imported_names, node_of

__all__ = ["BINARY", "METHODS", "UNARY", "Spelling", "nested", "spelling_of"]

BINARY = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "true_divide": "/", "power": "**",
          "matmul": "@", "remainder": "%", "floor_divide": "//", "greater": ">", "greater_equal": ">=", "less": "<",
          "less_equal": "<=", "equal": "==", "not_equal": "!=", "bitwise_and": "&", "bitwise_or": "|",
          "bitwise_xor": "^", "left_shift": "<<", "right_shift": ">>"}  # fmt: skip
UNARY = {"negative": "-", "positive": "+", "invert": "~"}
# What is usually written as a method.
METHODS = {name: name for name in
           "sum mean max min prod std var any all cumsum cumprod reshape ravel squeeze swapaxes copy transpose "
           "argmax argmin".split()}  # fmt: skip
_MODULES = frozenset({"np", "numpy", "scipy", "linalg", "fft", "special", "sp"})


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the user wrote an operation.

    Attributes:
        called: whether it was a call or an attribute, and no operator.
        method: the method's name, for ``x.sum()``.
        function: the function as it stands there, ``np.abs``; empty for a method.
        positional: how many static arguments were given by position.
        grouped: whether a shape was given as one tuple.
        attribute: whether it was an attribute such as ``x.T``.
        tupled: whether a sequence of arrays was given as a tuple.
    """

    called: bool = False
    method: str = ""
    function: str = ""
    positional: int = 0
    grouped: bool = False
    attribute: bool = False
    tupled: bool = False


def nested(position: Position | None) -> bool:
    """Whether the user's expression there makes an array of a list of lists or numbers: ``np.array([...])``."""
    node = node_of(position)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "array":
        return False
    return len(node.args) == 1 and isinstance(node.args[0], ast.List | ast.Tuple)


def spelling_of(step: Step) -> Spelling:
    """How the user wrote a step; an empty Spelling where their source does not show it."""
    node = node_of(step.position)
    if isinstance(node, ast.Attribute):
        return Spelling(called=True, attribute=True)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return Spelling()
    short = step.operation.name.rpartition(".")[2]
    written = node.func.attr
    if written != short and getattr(np, written, None) is not step.operation.function:
        return Spelling()
    root: ast.expr = node.func
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(root, ast.Name) and (root.id in _MODULES or root.id in imported_names(step.position)):
        statics = max(0, len(node.args) - max(1, len(step.inputs)))
        if step.operation.kind == "variadic":
            statics = len(node.args) - 1
        spelled = step.operation.spelling
        function = spelled.rpartition(".")[0] + "." + written
        tupled = bool(node.args) and isinstance(node.args[0], ast.Tuple)
        return Spelling(called=True, function=function, positional=statics, tupled=tupled)
    if not hasattr(np.ndarray, written):
        return Spelling()
    statics = len(node.args) - (len(step.inputs) - 1)
    grouped = len(node.args) == 1 and isinstance(node.args[0], ast.Tuple)
    return Spelling(called=True, method=written, positional=max(0, statics), grouped=grouped)
