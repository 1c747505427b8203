"""Small changes of what is taken in which order: the turns of a loop, indices and slices, and the parts of a list."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from chainrule.check.changing import Change, Scene, change_to, named_in, replaced, scene_name, with_all
from chainrule.check.evaluating import NoValueError, evaluated, path_of

__all__ = [
    "axes_of_shape",
    "changes_of_header",
    "changes_of_index",
    "changes_of_modes",
    "changes_of_order",
    "moved_axes",
    "with_parts_exchanged",
]

_MOST_LENGTHS = 8  # other lengths that a loop may run over
_MOST_AXES = 5  # of an array that is transposed
_MOST_COUNTERS = 6  # other counters that an index may hold
_MOST_EXCHANGED = 15  # pairs of names in one line

Offer = tuple[ast.expr, str, float]


# ---- axes that are moved
def moved_axes(node: ast.expr, scene: Scene) -> Iterator[Offer]:
    """A transpose before or behind a reshape, which alone keeps the order of the elements: heads of an attention."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "reshape":
        return
    module = isinstance(node.func.value, ast.Name) and node.func.value.id == "np"
    operand, lengths = (node.args[0], node.args[1:]) if module and node.args else (node.func.value, node.args)
    if len(lengths) == 1 and isinstance(lengths[0], ast.Tuple):
        lengths = lengths[0].elts
    try:
        axes = np.ndim(evaluated(operand, scene.values[0]))
    except NoValueError:
        axes = 0
    for a, b in itertools.combinations(range(axes if 2 < axes <= _MOST_AXES else 0), 2):
        turned = _transposed(operand, axes, a, b)
        yield _reshaped(turned, lengths), "reshape_instead_of_transpose", 0.1
    for a, b in itertools.combinations(range(len(lengths) if 2 < len(lengths) <= _MOST_AXES else 0), 2):
        other = [*lengths]
        other[a], other[b] = lengths[b], lengths[a]
        yield _transposed(_reshaped(operand, other), len(other), a, b), "reshape_instead_of_transpose", 0.1


def _transposed(node: ast.expr, count: int, a: int, b: int) -> ast.expr:
    order = [b if k == a else a if k == b else k for k in range(count)]
    return ast.Call(ast.Attribute(node, "transpose", ast.Load()), [ast.Constant(k) for k in order], [])


def _reshaped(node: ast.expr, lengths: Sequence[ast.expr]) -> ast.expr:
    return ast.Call(ast.Attribute(node, "reshape", ast.Load()), list(lengths), [])


# ---- what is returned
def with_parts_exchanged(statement: ast.Return) -> Iterator[ast.Return]:
    """What is returned with two of its parts in each other's place, for each two of them."""
    value = statement.value
    held: list[ast.expr] = getattr(value, "elts", None) or getattr(value, "values", None) or []
    for a, b in itertools.combinations(held, 2):
        yield with_all(statement, {id(a): b, id(b): a})


# ---- the turns of a loop
def changes_of_header(loop: ast.For, scene: Scene) -> Iterator[Change]:
    """The head of a loop with other turns: one more or one less, in the other direction, over another length."""
    for turns, word, cost in _other_turns(loop.iter, scene):
        if scene.wants(word):
            yield change_to(ast.For(loop.target, turns, [], []), word, cost)


def _other_turns(turns: ast.expr, scene: Scene) -> Iterator[Offer]:
    name = turns.func.id if isinstance(turns, ast.Call) and isinstance(turns.func, ast.Name) else ""
    if isinstance(turns, ast.Call) and name == "reversed" and len(turns.args) == 1:
        yield turns.args[0], "not_reversed", 0.1
        for inner, word, cost in _other_turns(turns.args[0], scene):
            if word != "not_reversed":
                yield ast.Call(turns.func, [inner], []), word, cost
        return
    if isinstance(turns, ast.Call) and name == "range" and turns.args and not turns.keywords:
        yield from _other_ranges(turns, scene)
    if name == "range" or isinstance(turns, ast.Name):
        yield ast.Call(ast.Name("reversed", ast.Load()), [turns], []), "not_reversed", 0.1


def _other_ranges(turns: ast.Call, scene: Scene) -> Iterator[Offer]:
    bounds = turns.args
    for k, by in itertools.product(range(min(len(bounds), 2)), (-1, 1)):
        moved = [*bounds[:k], _further(bounds[k], by), *bounds[k + 1 :]]
        if len(moved) == 2 and isinstance(moved[0], ast.Constant) and moved[0].value == 0:
            moved = moved[1:]
        yield ast.Call(turns.func, moved, []), "wrong_loop_range", 0.05
    if len(bounds) == 1:
        yield ast.Call(turns.func, [ast.Constant(1), bounds[0]], []), "wrong_loop_range", 0.1
    elif len(bounds) == 2:
        yield ast.Call(turns.func, bounds[1:], []), "wrong_loop_range", 0.1
    for node in (n for b in bounds for n in ast.walk(b)):
        for other in itertools.islice(_other_lengths(node, scene), _MOST_LENGTHS):
            yield ast.Call(turns.func, [replaced(b, node, other) for b in bounds], []), "wrong_loop_range", 0.3


def _further(node: ast.expr, by: int) -> ast.expr:
    """A whole number that is one more or less, as a person writes it."""
    match node:
        case ast.Constant(value=int(value)):
            return ast.Constant(value + by)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            total = by - value
            return ast.UnaryOp(ast.USub(), ast.Constant(-total)) if total < 0 else ast.Constant(total)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=ast.Constant(value=int(value))):
            total = by + (value if isinstance(node.op, ast.Add) else -value)
            return left if total == 0 else _sum(left, total)
    return _sum(node, by)


def _sum(node: ast.expr, by: int) -> ast.expr:
    return ast.BinOp(node, ast.Add() if by > 0 else ast.Sub(), ast.Constant(abs(by)))


def _other_lengths(node: ast.AST, scene: Scene) -> Iterator[ast.expr]:
    """Other lengths that may be meant where one is read."""
    if isinstance(node, ast.Name) and type(scene.value(node.id)) is int:
        own = scene.value(node.id)
        for name in scene.names:
            value = scene.value(name)
            if type(value) is int and value not in (own, 0, 1) and name.isidentifier():
                yield scene_name(scene, name)
    elif isinstance(node, ast.Constant) and type(node.value) is int and node.value > 0:
        yield from (scene_name(scene, n) for n in scene.names if type(scene.value(n)) is int and n.isidentifier())
    yield from axes_of_shape(node, scene)


def axes_of_shape(node: ast.AST, scene: Scene) -> Iterator[ast.expr]:
    """The lengths of all axes of an array where one of them is read, as ``x.shape[0]``."""
    if isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "shape":
        for axis in range(np.ndim(scene.value(path_of(node.value.value) or ""))):  # type: ignore[attr-defined]
            yield ast.Subscript(node.value, ast.Constant(axis), ast.Load())


# ---- indices and slices
def changes_of_index(index: ast.expr, scene: Scene) -> Iterator[Offer]:
    """Other indices: two of them exchanged, another counter, and slices of another part."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    for a, b in itertools.combinations(parts, 2):
        if not isinstance(a, ast.Slice) and not isinstance(b, ast.Slice) and ast.dump(a) != ast.dump(b):
            yield with_all(index, {id(a): b, id(b): a}), "index_order_swapped", 0.1
    names = [n for n in ast.walk(index) if isinstance(n, ast.Name) and type(scene.value(n.id)) is int]
    for a, b in itertools.combinations(names, 2):
        if a.id != b.id:
            yield with_all(index, {id(a): b, id(b): a}), "index_order_swapped", 0.1
    counters = [n for n in scene.names if type(scene.value(n)) is int and n.isidentifier()]
    fixed = [p for p in parts if isinstance(p, ast.Constant) and type(p.value) is int]
    for node in (*names, *fixed):
        for counter in [c for c in counters if c != getattr(node, "id", "")][:_MOST_COUNTERS]:
            yield replaced(index, node, scene_name(scene, counter)), "wrong_index", 0.35
    for part in parts:
        if isinstance(part, ast.Slice):
            for other in _other_slices(part):
                yield replaced(index, part, other), "wrong_index", 0.2


def _other_slices(part: ast.Slice) -> Iterator[ast.Slice]:
    """The part before, behind, or from the other end."""
    if part.step is not None:
        return
    lower, upper = part.lower, part.upper
    if lower is None and upper is not None:
        yield ast.Slice(upper, None)
        yield ast.Slice(_negative(upper), None)
    elif upper is None and lower is not None:
        yield ast.Slice(None, lower)
        yield ast.Slice(None, _negative(lower))
    elif lower is not None and upper is not None:
        for by in (-1, 1):
            yield ast.Slice(_further(lower, by), _further(upper, by))
            yield ast.Slice(lower, _further(upper, by))


def _negative(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return node.operand
    return ast.UnaryOp(ast.USub(), node)


# ---- in a statement or an expression
def changes_of_modes(statement: ast.stmt, scene: Scene) -> Iterator[Change]:
    """A statement with the name of another mode: ``"relu"`` for ``"sigmoid"``."""
    for node in ast.walk(statement) if scene.modes else ():
        if isinstance(node, ast.Constant) and node.value in scene.modes:
            for mode in scene.modes:
                if mode != node.value:
                    changed = partial(replaced, statement, node, ast.Constant(mode))
                    yield Change(changed, "wrong_local_derivative", 0.0)


def changes_of_order(whole: ast.expr, scene: Scene) -> Iterator[Change]:
    """An expression with two of its arrays, or two parts that it joins, exchanged."""
    for node in ast.walk(whole):
        if isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load) and scene.wants("swapped_parts"):
            for a, b in itertools.combinations(node.elts, 2):
                if not isinstance(a, ast.Constant) and not isinstance(b, ast.Constant):
                    yield Change(partial(with_all, whole, {id(a): b, id(b): a}), "swapped_parts", 0.2)
        if isinstance(node, ast.Call) and scene.wants("int_truncation"):
            kept = [k for k in node.keywords if k.arg != "dtype"]
            if len(kept) < len(node.keywords):
                without = ast.Call(node.func, node.args, kept)
                yield Change(partial(replaced, whole, node, without), "int_truncation", 0.0)
        if isinstance(node, ast.Subscript):
            for index, word, cost in changes_of_index(node.slice, scene):
                if scene.wants(word):
                    yield Change(partial(replaced, whole, node.slice, index), word, cost)
    if scene.wants("wrong_operand"):
        yield from _exchanged(whole, scene)


def _exchanged(whole: ast.expr, scene: Scene) -> Iterator[Change]:
    """Two arrays of one shape that are read in each other's place."""
    read: dict[str, list[ast.AST]] = {}
    for node in ast.walk(whole):
        name = named_in(scene, node)
        if name is not None and np.ndim(scene.value(name)):
            read.setdefault(name, []).append(node)
    alike = [(a, b) for a, b in itertools.combinations(read, 2) if np.shape(scene.value(a)) == np.shape(scene.value(b))]
    for a, b in alike[:_MOST_EXCHANGED]:
        new: dict[int, ast.AST] = {id(n): scene_name(scene, b) for n in read[a]}
        new.update((id(n), scene_name(scene, a)) for n in read[b])
        yield Change(partial(with_all, whole, new), "wrong_operand", 0.35)
