"""Other derivatives of activations and powers in the place of those that a line of a candidate has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import reduce

import numpy as np

from chainrule.check.changing import Scene, constant_of, summed
from chainrule.check.evaluating import path_of

__all__ = ["changes_of_derivatives"]


def changes_of_derivatives(node: ast.expr, scene: Scene) -> Iterator[tuple[ast.expr, str, float]]:
    """What may stand for a part of an expression, what was changed, and how far-fetched that is."""
    for make in (_derivatives, _of_products, _numbers):
        yield from make(node, scene)


def _derivatives(node: ast.expr, scene: Scene) -> Iterator[tuple[ast.expr, str, float]]:
    """The derivative of an activation, read off its result, in the place of another one."""
    of, written = _derivative(node)
    word = "wrong_local_derivative"
    if of is None and isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
        of, word = node.args[0], "uses_post_activation_wrongly"  # dsigmoid(a), where it expects z
    if of is None:
        return
    for name, new in _known(of).items():
        if name != written:
            yield new, word, 0.2


def _known(of: ast.expr) -> dict[str, ast.expr]:
    """Derivatives of activations, read off their result."""
    one: ast.expr = ast.Constant(1)
    return {
        "tanh": ast.BinOp(one, ast.Sub(), ast.BinOp(of, ast.Pow(), ast.Constant(2))),
        "sigmoid": ast.BinOp(of, ast.Mult(), ast.BinOp(one, ast.Sub(), of)),
        "relu": ast.Compare(of, [ast.Gt()], [ast.Constant(0)]),
    }


def _numbers(node: ast.expr, scene: Scene) -> Iterator[tuple[ast.expr, str, float]]:
    """A number of the forward pass in the place of another one: ``np.where(z > 0, 1, 0.1)``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        for by in (-1, 1):
            yield from _with_exponent(node, by)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for number in scene.constants:
            if number != node.value:
                yield ast.Constant(number), "wrong_local_derivative" if node.value else "missing_path", 0.1


def _with_exponent(node: ast.BinOp, by: int) -> Iterator[tuple[ast.expr, str, float]]:
    """A power one higher or lower: ``v ** -1.5`` for ``v ** -0.5``."""
    try:
        exponent = ast.literal_eval(node.right) + by
    except (ValueError, TypeError):
        return
    if exponent not in (0, 1):
        yield ast.BinOp(node.left, ast.Pow(), constant_of(exponent)), "wrong_power", 0.1


def _of_products(node: ast.expr, scene: Scene) -> Iterator[tuple[ast.expr, str, float]]:
    """``d * p * (1 - p)`` with the derivative of another function: of the softmax, or of one that is read off ``p``."""
    factors = _factors_of(node)
    less = next((x for x in factors if _derivative(x)[0] is not None and not _derivative(x)[1]), None)
    p = None if less is None else _derivative(less)[0]
    others = [x for x in factors if x is not less]
    own = None if p is None else next((x for x in others if _alike(x, p)), None)
    rest = [x for x in others if x is not own]
    if p is None or own is None or not rest:
        return
    d = reduce(lambda a, b: ast.BinOp(a, ast.Mult(), b), rest)
    for axis in (-1, *range(np.ndim(scene.value(path_of(p) or "")) - 1)):
        total = summed(ast.BinOp(d, ast.Mult(), p), axis, True)
        yield ast.BinOp(p, ast.Mult(), ast.BinOp(d, ast.Sub(), total)), "softmax_diag_only", 0.0
    for name, new in _known(p).items():
        if name != "sigmoid":
            yield ast.BinOp(d, ast.Mult(), new), "wrong_local_derivative", 0.2


def _factors_of(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        if _derivative(node)[1] == "sigmoid":
            return [node.left, node.right]
        return [*_factors_of(node.left), *_factors_of(node.right)]
    return [node]


def _derivative(node: ast.expr) -> tuple[ast.expr | None, str]:
    """What an expression takes the derivative of an activation at, and of which one: ``1 - a**2``, ``a * (1 - a)``."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Gt):
        return node.left, "relu"
    if not isinstance(node, ast.BinOp):
        return None, ""
    left, right = node.left, node.right
    if isinstance(node.op, ast.Sub) and isinstance(left, ast.Constant) and left.value == 1:
        if isinstance(right, ast.BinOp) and isinstance(right.op, ast.Pow):
            return right.left, "tanh"
        if isinstance(right, ast.BinOp) and isinstance(right.op, ast.Mult) and _alike(right.left, right.right):
            return right.left, "tanh"
        if isinstance(right, ast.Call) and ast.unparse(right.func) in ("np.power", "np.square"):
            return right.args[0], "tanh"
        return (right, "") if isinstance(right, ast.Name | ast.Attribute | ast.Subscript) else (None, "")
    if isinstance(node.op, ast.Mult):
        for a, b in ((left, right), (right, left)):
            of, written = _derivative(b)
            if of is not None and not written and _alike(of, a):
                return a, "sigmoid"
    return None, ""


def _alike(a: ast.expr, b: ast.expr) -> bool:
    return ast.dump(a) == ast.dump(b)
