"""Evaluates expressions of somebody's source on known values, without running their code.

Only arithmetic, comparisons, indexing and calls of NumPy's functions and of methods of arrays that neither write nor
read anything else are understood; whatever else an expression holds leaves it without a value.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.ops import COMPOSITES, OPERATIONS

__all__ = ["NoValueError", "evaluated", "parts_of", "path_of", "reads_of"]

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_METHODS = frozenset(
    "sum mean dot transpose reshape ravel flatten copy astype max min prod std var clip conj cumsum squeeze swapaxes "
    "argmax argmin argsort any all diagonal trace round take".split()
)
_ATTRIBUTES = frozenset("T shape size ndim real imag dtype mT".split())
# Functions that make large arrays out of a number, or that write: left alone.
_LEFT_ALONE = frozenset("zeros ones empty full arange linspace eye identity tile repeat kron save load fill".split())
_NAMES: dict[str, Callable[..., Any]] = {
    "float": float,
    "int": int,
    "bool": bool,
    "len": len,
    "abs": abs,
    "max": max,
    "min": min,
}
_MODULES = frozenset(("np", "numpy", "xp", "npx"))
_LARGEST_POWER = 64


class NoValueError(Exception):
    """An expression holds something that is not evaluated."""


def path_of(node: ast.AST) -> str | None:
    """How a variable, an attribute or an item is reached, as ``Seen.name`` has it: ``dW``, ``grads["W"]``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = path_of(node.value)
        if inner is None or (node.attr in _ATTRIBUTES and inner not in ("self",)):
            return None
        return node.attr if inner == "self" else f"{inner}.{node.attr}"
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        inner = path_of(node.value)
        key = node.slice.value
        text = f'"{key}"' if isinstance(key, str) else repr(key)
        return None if inner is None or not isinstance(key, str | int) else f"{inner}[{text}]"
    return None


def reads_of(node: ast.AST) -> set[str]:
    """The variables that a statement or an expression reads, by the names that :func:`path_of` gives them."""
    found: set[str] = set()

    def visit(x: ast.AST) -> None:
        if isinstance(x, ast.Name | ast.Attribute | ast.Subscript):
            path = path_of(x)
            if path is not None and isinstance(x.ctx, ast.Load):
                found.add(path)
        for child in ast.iter_child_nodes(x):
            visit(child)

    visit(node)
    if isinstance(node, ast.AugAssign):
        path = path_of(node.target)
        found |= {path} if path is not None else set()
    return found


def parts_of(node: ast.expr) -> Iterator[ast.expr]:
    """An expression and those inside of it, inner ones first, in the order in which they are computed."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield from parts_of(child)
        elif isinstance(child, ast.keyword):
            yield from parts_of(child.value)
    yield node


def evaluated(node: ast.expr, values: Mapping[str, Any]) -> Any:
    """The value of an expression.

    Args:
        node: the expression.
        values: of variables, by the names that :func:`path_of` gives them.

    Raises:
        NoValueError: where it holds something that is not evaluated, or fails.
    """
    try:
        with np.errstate(all="ignore"):
            return _value(node, values)
    except NoValueError:
        raise
    except Exception as error:  # whatever the shapes and values at hand lead to
        raise NoValueError(f"{ast.unparse(node)} fails: {error}") from None


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    path = path_of(node)
    if path is not None and path in values:
        return values[path]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | complex | bool | str | None):
        return node.value
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.Tuple):
        return tuple(_value(e, values) for e in node.elts)
    if isinstance(node, ast.List):
        return [_value(e, values) for e in node.elts]
    if isinstance(node, ast.BinOp):
        return _binary(node, values)
    if isinstance(node, ast.UnaryOp):
        return _UNARY[type(node.op)](_value(node.operand, values))
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
        return _COMPARISONS[type(node.ops[0])](_value(node.left, values), _value(node.comparators[0], values))
    if isinstance(node, ast.Subscript):
        return _value(node.value, values)[_index(node.slice, values)]
    if isinstance(node, ast.Attribute):
        return _attribute(node, values)
    if isinstance(node, ast.Call):
        return _call(node, values)
    raise NoValueError(f"{type(node).__name__} is not evaluated")


def _binary(node: ast.BinOp, values: Mapping[str, Any]) -> Any:
    left, right = _value(node.left, values), _value(node.right, values)
    if isinstance(node.op, ast.Pow):
        if isinstance(left, int) and (not isinstance(right, int) or abs(right) > _LARGEST_POWER):
            raise NoValueError("a large power of whole numbers is not evaluated")
        return left**right
    if type(node.op) not in _BINARY or isinstance(left, str | list | tuple) or isinstance(right, str | list | tuple):
        raise NoValueError("this operator is not evaluated")
    return _BINARY[type(node.op)](left, right)


def _index(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Slice):
        parts = (node.lower, node.upper, node.step)
        return slice(*(None if p is None else _value(p, values) for p in parts))
    if isinstance(node, ast.Tuple):
        return tuple(_index(e, values) for e in node.elts)
    return _value(node, values)


def _attribute(node: ast.Attribute, values: Mapping[str, Any]) -> Any:
    if isinstance(node.value, ast.Name) and node.value.id in _MODULES and node.value.id not in values:
        constants = {"newaxis": None, "pi": np.pi, "e": np.e, "inf": np.inf, "float64": np.float64, "int64": np.int64}
        if node.attr in constants:
            return constants[node.attr]
        raise NoValueError(f"np.{node.attr} is not evaluated")
    held = _value(node.value, values)
    if node.attr not in _ATTRIBUTES or not isinstance(held, np.ndarray | np.generic | float | int):
        raise NoValueError(f".{node.attr} is not evaluated")
    return getattr(np.asarray(held) if node.attr in ("T", "shape", "size", "ndim") else held, node.attr)


def _call(node: ast.Call, values: Mapping[str, Any]) -> Any:
    if any(k.arg in (None, "out", "where") for k in node.keywords):
        raise NoValueError("a call that writes is not evaluated")
    function = _function(node.func, values)
    arguments = [_value(a, values) for a in node.args]
    return function(*arguments, **{str(k.arg): _value(k.value, values) for k in node.keywords})


def _function(node: ast.expr, values: Mapping[str, Any]) -> Callable[..., Any]:
    if isinstance(node, ast.Name):
        if node.id in _NAMES and node.id not in values:
            return _NAMES[node.id]
        raise NoValueError(f"{node.id} is not called")
    if not isinstance(node, ast.Attribute):
        raise NoValueError("this call is not evaluated")
    names: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        names.insert(0, inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name) and inner.id in _MODULES and inner.id not in values:
        function: Any = np
        for name in names:
            function = getattr(function, name, None)
        if names[-1] in _LEFT_ALONE or not (function in OPERATIONS or function in COMPOSITES):
            raise NoValueError(f"np.{'.'.join(names)} is not called")
        return function  # type: ignore[no-any-return]
    held = _value(node.value, values)
    if node.attr not in _METHODS or not isinstance(held, np.ndarray | np.generic):
        raise NoValueError(f".{node.attr}() is not called")
    return getattr(held, node.attr)  # type: ignore[no-any-return]
