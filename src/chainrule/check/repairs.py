"""Small changes of one line of a candidate, and which of them gives what the line should compute.

People want to see their own line again with the one thing changed that is wrong with it.  The line is known, what it
should compute is known, and so is what everything that it reads was; so each small change is evaluated, and those that
give the right value are proposed, the smallest first.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from chainrule.check.changing import (
    Change,
    Scene,
    called,
    change_to,
    constant_of,
    factors,
    is_float,
    named_in,
    replaced,
    scene_name,
    summed,
    with_all,
)
from chainrule.check.clock import spent
from chainrule.check.derivative_repairs import changes_of_derivatives
from chainrule.check.evaluating import NoValueError, evaluated, path_of
from chainrule.check.matching import stretches
from chainrule.check.multiples import gives, multiples_of_terms
from chainrule.check.order_repairs import axes_of_shape, changes_of_order, moved_axes

__all__ = ["changes_of_expression", "changes_of_value", "likeliest_first", "parts", "routes"]

_MOST = 2500  # changes of one expression that are evaluated
_FEW = 6  # that are handed on
_MOST_ROUTES = 120  # products that may be added to one expression
_LEADING, _LEADING_NOWHERE = -0.15, 0.4  # how much likelier or less likely an array is as a factor
_COMPLEMENT = {ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Lt: ast.GtE, ast.GtE: ast.Lt}
_PAIRS = {"argmax": "argmin", "max": "min", "maximum": "minimum"}
_PAIRED = {**_PAIRS, **{b: a for a, b in _PAIRS.items()}}
_REDUCTIONS = frozenset(("sum", "mean"))


def changes_of_value(
    expression: ast.expr, scene: Scene, right: Sequence[Any], until: float, kinds: Collection[str] = ()
) -> list[Change]:
    """The small changes of an expression that give the right value on every draw, the likeliest first.

    Args:
        expression: what is assigned.
        scene: what can be read.
        right: what it should be, on each draw.
        until: when to stop, in seconds of the processor.
        kinds: the mistakes that are suspected.
    """
    found: list[Change] = []
    for number, change in enumerate(likeliest_first(changes_of_expression(expression, scene), kinds)):
        if number % 50 == 0 and spent() > until:
            break
        if len(found) >= (_FEW if change.word in kinds else 1) and found[0].word in kinds:
            break  # what is suspected is what it is
        node = change.node
        if gives(node, scene.values, right):
            found.append(change_to(node, change.word, change.cost))
            if len(found) >= _FEW:
                break
    return found or list(multiples_of_terms(expression, scene, right))


def likeliest_first(changes: Iterable[Change], kinds: Collection[str] = ()) -> list[Change]:
    """Changes in the order in which they are tried: those that are suspected, and of these the small ones, first."""
    return sorted(itertools.islice(changes, _MOST), key=lambda c: (c.word not in kinds, c.cost))


# ---- changes of expressions
def changes_of_expression(whole: ast.expr, scene: Scene) -> Iterator[Change]:
    """Small changes, the likeliest ones first."""
    nodes = list(parts(whole))
    for make in (_operators, _calls, _left_out, _signs, moved_axes, changes_of_derivatives):
        for node in nodes:
            for new, word, cost in make(node, scene):
                if not scene.wants(word):
                    continue
                yield Change(partial(replaced, whole, node, new), word, cost)
    products = [n for n in nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.MatMult)]
    if len(products) > 1 and scene.wants("missing_transpose"):  # the same slip twice
        for side in ("left", "right"):
            turned = {id(operand := getattr(n, side)): next(_turned(operand, scene)) for n in products}
            yield Change(partial(with_all, whole, turned), "missing_transpose", 0.15)
    yield from changes_of_order(whole, scene)
    lacking = list(_lacking(scene))
    places = [whole, *(n for n in nodes if n is not whole and isinstance(n, ast.BinOp | ast.Call | ast.Subscript))]
    reads = {id(n): name for n in nodes if (name := named_in(scene, n)) is not None}
    names = [n for n in nodes if id(n) in reads]
    for node in [*places, *names]:
        inner = 0.1 * (node is not whole) + 0.1 * (isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
        own_shape = _shape(node, scene)
        for factor, below, cost, word, shape in lacking:
            if own_shape is not None and shape and not stretches(shape, own_shape):
                continue
            operator = ast.Div() if below else ast.Mult()
            yield Change(partial(_multiplied, whole, node, operator, factor), word, cost + inner)
    arrays = [n for n in scene.names if np.ndim(scene.value(n)) and is_float(scene.value(n))]
    for node in names if scene.wants("wrong_operand") else ():
        own = scene.value(reads[id(node)])
        for name in arrays:
            shape = np.shape(scene.value(name))
            alike = shape == np.shape(own)
            stretched = len(shape) == np.ndim(own) and stretches(np.shape(own), shape)
            if name != reads[id(node)] and (alike or stretched):
                # One gradient in the place of another one of the same shape is likelier than anything else.
                cost = 0.7 - 0.2 * alike - 0.3 * (alike and {name, reads[id(node)]} <= set(scene.gradients))
                yield Change(partial(replaced, whole, node, scene_name(scene, name)), "wrong_operand", cost)
    for read in dict.fromkeys(reads.values()) if scene.wants("wrong_operand") else ():
        same = [n for n in names if reads[id(n)] == read]
        for name in arrays if len(same) > 1 else ():  # one that is read twice, as in a * (1 - a)
            if name != read and np.shape(scene.value(name)) == np.shape(scene.value(read)):
                every: dict[int, ast.AST] = {id(n): scene_name(scene, name) for n in same}
                yield Change(partial(with_all, whole, every), "wrong_operand", 0.4)
    carrying = [n for n in nodes if n is not whole and _holds_gradient(n, scene)]
    for node in [whole, *carrying] if scene.wants("missing_path") else ():
        for name in arrays:
            cost = 0.4 + 0.1 * (node is not whole) - 0.2 * (name in scene.gradients)
            added = scene_name(scene, name)
            yield Change(partial(replaced, whole, node, ast.BinOp(node, ast.Add(), added)), "missing_path", cost)
            yield Change(partial(replaced, whole, node, ast.BinOp(node, ast.Sub(), added)), "missing_path", cost + 0.1)
    if scene.wants("missing_path"):
        for product in itertools.islice(routes(whole, scene, arrays), _MOST_ROUTES):
            yield change_to(ast.BinOp(whole, ast.Add(), product), "missing_path", 0.6)
            yield change_to(ast.BinOp(whole, ast.Sub(), product), "missing_path", 0.65)
        for node in (n for n in carrying if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Add | ast.Sub)):
            for product in itertools.islice(_stretched_routes(node, scene, arrays), _MOST_ROUTES):
                for sign, cost in ((ast.Sub(), 0.62), (ast.Add(), 0.64)):
                    longer = ast.BinOp(node, sign, product)
                    yield Change(partial(replaced, whole, node, longer), "missing_path", cost)
    scalars = [n for n in scene.names if np.ndim(scene.value(n)) == 0 and is_float(scene.value(n))]
    for name in arrays if scene.wants("missing_reg_grad") else ():
        for scalar in scalars:
            for two in (False, True):
                first = scene_name(scene, scalar)
                first = ast.BinOp(ast.Constant(2), ast.Mult(), first) if two else first
                product = ast.BinOp(first, ast.Mult(), scene_name(scene, name))
                total = ast.BinOp(whole, ast.Add(), product)
                yield change_to(total, "missing_reg_grad", 0.7 + 0.1 * two)


def routes(whole: ast.expr, scene: Scene, arrays: Sequence[str]) -> Iterator[ast.expr]:
    """What another gradient brings through another array: products of the shape of an expression."""
    shape = _shape(whole, scene)
    for gradient, array in itertools.product(scene.gradients, arrays) if shape else ():
        left, right = np.shape(scene.value(gradient)), np.shape(scene.value(array))
        g, a = scene_name(scene, gradient), scene_name(scene, array)
        if array not in scene.gradients and left == right == shape:
            yield ast.BinOp(g, ast.Mult(), a)
        if len(right) != 2 or not left or array in scene.gradients:
            continue
        for turned, factor in ((right, a), (right[::-1], ast.Attribute(a, "T", ast.Load()))):
            if left[-1] == turned[0] and (*left[:-1], turned[1]) == shape:
                yield ast.BinOp(g, ast.MatMult(), factor)
            if turned[1] == left[0] and (turned[0], *left[1:]) == shape:
                yield ast.BinOp(factor, ast.MatMult(), g)


def _stretched_routes(node: ast.expr, scene: Scene, arrays: Sequence[str]) -> Iterator[ast.expr]:
    """What a statistic brings through an array: products that have the shape of an expression, stretched to it."""
    shape = _shape(node, scene)
    if not shape:
        return
    for gradient, array in itertools.product(scene.gradients, arrays):
        own, other = np.shape(scene.value(gradient)), np.shape(scene.value(array))
        if array in scene.gradients or own == other or shape not in (own, other):
            continue
        if stretches(own, shape) and stretches(other, shape):
            yield ast.BinOp(scene_name(scene, array), ast.Mult(), scene_name(scene, gradient))


def _lacking(scene: Scene) -> Iterator[tuple[ast.expr, bool, float, str, tuple[int, ...] | None]]:
    """What an expression may lack as a factor, with its shape; one that leads from gradient to gradient is likelier."""
    if "factors" not in scene.memory:
        scene.memory["factors"] = list(factors(scene))
    for number, (factor, below, cost, word) in enumerate(scene.memory["factors"]):
        if not scene.wants(word):
            continue
        if number not in scene.memory:
            scene.memory[number] = _shape_of_factor(factor, below, scene)
        shape, leads = scene.memory[number]
        if leads is not None:
            if not leads and scene.kinds is not None:
                continue
            cost += _LEADING if leads else _LEADING_NOWHERE
        yield factor, below, cost, word, shape


def _shape_of_factor(factor: ast.expr, below: bool, scene: Scene) -> tuple[tuple[int, ...] | None, bool | None]:
    """The shape of a factor, and whether it leads from one gradient to another; ``None`` where that is not known."""
    try:
        value = np.asarray(evaluated(factor, scene.values[0]))
    except (NoValueError, ValueError):
        return None, None
    if not value.ndim or value.dtype.kind not in "fb":
        return value.shape, None
    with np.errstate(all="ignore"):
        return value.shape, scene.is_factor(1.0 / value if below else value)


def _multiplied(whole: ast.expr, node: ast.expr, operator: ast.operator, factor: ast.expr) -> Any:
    return replaced(whole, node, _with_factor(node, operator, factor))


def _with_factor(node: ast.expr, operator: ast.operator, factor: ast.expr) -> ast.expr:
    """An expression with a factor, as a person writes it: ``2 * reg * W``, and ``-n`` for ``-1 * n``."""
    if isinstance(operator, ast.Mult) and isinstance(node, ast.UnaryOp) and ast.unparse(node) == "-1":
        return ast.UnaryOp(ast.USub(), factor)
    if isinstance(factor, ast.Constant) and isinstance(operator, ast.Mult):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            return ast.BinOp(_with_factor(node.left, operator, factor), ast.Mult(), node.right)
        return ast.BinOp(factor, operator, node)
    return ast.BinOp(node, operator, factor)


def _shape(node: ast.expr, scene: Scene) -> tuple[int, ...] | None:
    """The shape of what an expression gives; ``None`` where that is not known."""
    try:
        return tuple(np.shape(evaluated(node, scene.values[0])))
    except (NoValueError, ValueError):  # a list of arrays has none
        return None


def _has_axes(node: ast.expr, scene: Scene) -> bool:
    """Whether an expression may have several axes, which can be exchanged."""
    shape = _shape(node, scene)
    return shape is None or len(shape) > 1


def _holds_gradient(node: ast.expr, scene: Scene) -> bool:
    return any(path_of(n) in scene.gradients for n in ast.walk(node))


def parts(whole: ast.expr) -> Iterator[ast.expr]:
    """The expressions inside of one that are computed with, itself first; not indices and axes."""
    yield whole
    if isinstance(whole, ast.Attribute) and whole.attr != "T" and isinstance(whole.value, ast.Name):
        return  # the object that holds an array is none
    for name, field in ast.iter_fields(whole):
        if (isinstance(whole, ast.Subscript) and name == "slice") or getattr(whole, "attr", "") == "shape":
            continue
        for child in field if isinstance(field, list) else [field]:
            if isinstance(whole, ast.Call) and child is whole.func:
                child = child.value if isinstance(child, ast.Attribute) and not _is_module(child.value) else None
            if isinstance(child, ast.expr):
                yield from parts(child)


def _operators(node: ast.expr, scene: Scene) -> Iterator[tuple[ast.expr, str, float]]:
    """Other operators, and operands turned about."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        left, right = node.left, node.right
        lefts, rights = list(_turned(left, scene)), list(_turned(right, scene))
        for a in lefts:
            yield ast.BinOp(a, ast.MatMult(), right), "missing_transpose", 0.0
        for b in rights:
            yield ast.BinOp(left, ast.MatMult(), b), "missing_transpose", 0.0
        yield ast.BinOp(right, ast.MatMult(), left), "wrong_operand_order", 0.1
        for a in lefts:
            yield ast.BinOp(right, ast.MatMult(), a), "wrong_operand_order", 0.2
            for b in rights:
                yield ast.BinOp(a, ast.MatMult(), b), "missing_transpose", 0.2
                yield ast.BinOp(b, ast.MatMult(), a), "wrong_operand_order", 0.3
        for b in rights:
            yield ast.BinOp(b, ast.MatMult(), left), "wrong_operand_order", 0.2
        yield ast.BinOp(left, ast.Mult(), right), "matmul_instead_of_elementwise", 0.3
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield ast.BinOp(node.left, ast.Div(), node.right), "wrong_local_derivative", 0.3
        lefts, rights = [node.left, *_turned(node.left, scene)], [node.right, *_turned(node.right, scene)]
        for a in lefts:
            for b in rights:
                yield ast.BinOp(a, ast.MatMult(), b), "elementwise_instead_of_matmul", 0.2
                yield ast.BinOp(b, ast.MatMult(), a), "elementwise_instead_of_matmul", 0.3
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
        for power in (1, 2, 3, -1, -2, 0.5, -0.5, 1.5, -1.5):
            if power != node.right.value:
                yield ast.BinOp(node.left, ast.Pow(), ast.Constant(power)), "wrong_power", 0.2
    square = ast.Constant(2)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and not isinstance(node.right, ast.BinOp):
        yield ast.BinOp(node.left, node.op, ast.BinOp(node.right, ast.Pow(), square)), "wrong_power", 0.2  # 1 - h
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not isinstance(node.right, ast.BinOp):
        yield ast.BinOp(node.left, node.op, ast.BinOp(node.right, ast.Pow(), square)), "wrong_power", 0.3
    for length in axes_of_shape(node, scene):
        yield length, "wrong_count", 0.1
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
        yield called("sqrt", node), "wrong_power", 0.3
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and _is_of_numbers(node):
        for operator in (ast.Gt, ast.Lt, ast.GtE, ast.LtE, ast.Eq, ast.NotEq):
            if operator is not type(node.ops[0]):
                cost = 0.05 if operator is _COMPLEMENT.get(type(node.ops[0])) else 0.1
                yield ast.Compare(node.left, [operator()], node.comparators), "inverted_mask", cost
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        for value in dict.fromkeys((1, 2, 0.5, 3, 4, -node.value, 2 * node.value, node.value / 2)):
            if value != node.value:
                yield ast.Constant(value), "wrong_constant_value", 0.3


def _is_of_numbers(node: ast.Compare) -> bool:
    """Whether a comparison is of numbers, and not of names of modes."""
    return not any(isinstance(x, ast.Constant) and not isinstance(x.value, int | float) for x in node.comparators)


def _turned(node: ast.expr, scene: Scene) -> Iterator[ast.expr]:
    """An operand of a matrix product with its last two axes exchanged."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "swapaxes":
        yield node.func.value
    else:
        yield ast.Attribute(node, "T", ast.Load())
        if len(_shape(node, scene) or (0, 0, 0)) < 3:
            return
        axes: list[ast.expr] = [ast.Constant(-1), ast.Constant(-2)]
        yield ast.Call(ast.Attribute(node, "swapaxes", ast.Load()), axes, [])


def _calls(node: ast.expr, scene: Scene) -> Iterator[tuple[ast.expr, str, float]]:
    """Reductions along other axes, and products that are written as calls."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        if isinstance(node, ast.BinOp | ast.Name | ast.Attribute):
            for axis in (0, 1, -1):
                for keep in (False, True):
                    yield summed(node, axis, keep), "broadcast_not_reduced", 0.3
            for axes in ((0, 1), (0, 2), (0, 2, 3)):
                yield summed(node, axes, False), "broadcast_not_reduced", 0.4
        return
    if node.func.attr in _PAIRED:
        other = ast.Attribute(node.func.value, _PAIRED[node.func.attr], ast.Load())
        yield ast.Call(other, node.args, node.keywords), "mask_from_wrong_array", 0.2
    if node.func.attr == "dot":
        yield from _dots(node, node.func, scene)
    if node.func.attr in _REDUCTIONS:
        yield from _reductions(node, node.func)


def _dots(node: ast.Call, function: ast.Attribute, scene: Scene) -> Iterator[tuple[ast.expr, str, float]]:
    module = _is_module(function.value)
    operands = node.args if module else [function.value, *node.args]
    if len(operands) != 2:
        return
    for new, word, cost in _operators(ast.BinOp(operands[0], ast.MatMult(), operands[1]), scene):
        if isinstance(new, ast.BinOp) and isinstance(new.op, ast.MatMult):
            yield _as_dot(new, node, module), word, cost


def _reductions(node: ast.Call, function: ast.Attribute) -> Iterator[tuple[ast.expr, str, float]]:
    keep = next((k.value for k in node.keywords if k.arg == "keepdims"), None)
    kept_axis = isinstance(keep, ast.Constant) and bool(keep.value)
    arguments = node.args[:1] if _is_module(function.value) else []
    others = [k for k in node.keywords if k.arg not in ("axis", "keepdims")]
    axes: tuple[Any, ...] = (0, 1, -1, 2, -2, None, (0, 1), (0, 2), (0, 2, 3), (1, 2))
    for axis, keeps in itertools.product(axes, (True, False)):
        keywords = [*others]
        if axis is not None:
            keywords.append(ast.keyword("axis", constant_of(axis)))
        if keeps:
            keywords.append(ast.keyword("keepdims", ast.Constant(True)))
        yield ast.Call(function, arguments, keywords), "wrong_axis", 0.1 + 0.1 * (keeps != kept_axis)
    summed = function.attr == "sum"
    changed = ast.Attribute(function.value, "mean" if summed else "sum", ast.Load())
    yield ast.Call(changed, node.args, node.keywords), "missing_mean" if summed else "extra_batch_mean", 0.1
    yield arguments[0] if arguments else function.value, "summed_all_axes", 0.3


def _is_module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("np", "numpy")


def _as_dot(product: ast.BinOp, call: ast.Call, module: bool) -> ast.expr:
    if module:
        return ast.Call(call.func, [product.left, product.right], [])
    return ast.Call(ast.Attribute(product.left, "dot", ast.Load()), [product.right], [])


def _left_out(node: ast.expr, scene: Scene) -> Iterator[tuple[ast.expr, str, float]]:
    """A factor, a term or a function that should not be there."""
    if isinstance(node, ast.BinOp):
        times = isinstance(node.op, ast.Mult | ast.Div | ast.Pow)
        word = "extra_factor" if times else "extra_term"
        yield node.left, word, 0.2
        if not isinstance(node.op, ast.Div | ast.Pow):
            yield node.right, word, 0.2
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value, "missing_transpose", 0.1
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        yield node.args[0], "wrong_operand", 0.3
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        left, right = next(_turned(node.left, scene)), next(_turned(node.right, scene))
        yield ast.BinOp(right, ast.MatMult(), left), "transposed", 0.05
    if isinstance(node, ast.Attribute) and node.attr == "shape":
        return
    turned = isinstance(node, ast.Attribute) and node.attr == "T"
    known = scene.value(path_of(node) or "")
    if isinstance(node, ast.Name) and known is None:
        return
    if isinstance(node, ast.Name | ast.Attribute | ast.BinOp | ast.Call) and not turned and _has_axes(node, scene):
        yield ast.Attribute(node, "T", ast.Load()), "transposed", 0.1
        backwards = ast.Slice(None, None, ast.Constant(-1))
        yield ast.Subscript(node, backwards, ast.Load()), "not_reversed", 0.4


def _signs(node: ast.expr, scene: Scene) -> Iterator[tuple[ast.expr, str, float]]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand, "sign_flipped", 0.0
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield ast.BinOp(node.left, other, node.right), "sign_flipped_term", 0.0
        if isinstance(node.op, ast.Sub):
            yield ast.BinOp(node.right, ast.Sub(), node.left), "sign_flipped", 0.0
    elif isinstance(node, ast.BinOp | ast.Call | ast.Name | ast.Attribute):
        yield ast.UnaryOp(ast.USub(), node), "sign_flipped", 0.1
    name = named_in(scene, node)
    value = None if name is None else scene.value(name)
    if value is not None and is_float(value) and np.all((np.asarray(value) > 0) & (np.asarray(value) < 1)):
        yield ast.BinOp(node, ast.Sub(), ast.Constant(1)), "missing_label_term", 0.1  # what is to be 1
        yield ast.BinOp(ast.Constant(1), ast.Sub(), node), "wrong_operand", 0.2  # the other part of what is mixed
