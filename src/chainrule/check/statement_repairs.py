"""Small changes of one statement of a candidate, which are judged by running it."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from chainrule.check.changing import (
    Change,
    Scene,
    called,
    change_to,
    factors,
    neighbours,
    replaced,
    scene_name,
    with_all,
)
from chainrule.check.evaluating import NoValueError, evaluated, path_of
from chainrule.check.order_repairs import changes_of_header, changes_of_index
from chainrule.check.repairs import changes_of_expression, parts

__all__ = ["changes_of_statement"]

_STRIDES = (2, 3)  # that are tried as numbers
_MOST_GROUPS = 20  # of counters in an index that are multiplied by a stride

_OF_MASKS = frozenset(("inverted_mask", "wrong_operand", "mask_from_wrong_array"))

Make = Callable[[Any, ast.expr], ast.stmt]


def changes_of_statement(statement: ast.stmt, scene: Scene) -> Iterator[Change]:
    """Small changes of a statement in a loop, or of one that writes into a part of an array; the likeliest first."""
    return (change for change in _changes(statement, scene) if scene.wants(change.word))


def _changes(statement: ast.stmt, scene: Scene) -> Iterator[Change]:
    if isinstance(statement, ast.For):
        yield from changes_of_header(statement, scene)
        return
    meant = _accumulated(statement)
    if meant is not None:
        yield change_to(meant, "overwrites_instead_of_accumulates", 0.0)
    found = _target(statement)
    if found is None:
        return
    target, value, make = found
    if isinstance(statement, ast.Assign) and not isinstance(value, ast.Dict | ast.List | ast.Tuple):
        yield Change(partial(ast.AugAssign, target, ast.Add(), value), "overwrites_instead_of_accumulates", 0.0)
    writes = isinstance(statement, ast.Assign | ast.AugAssign) and isinstance(target, ast.Subscript)
    if writes and not _has_slice(target.slice):
        scatter = ast.Attribute(ast.Attribute(ast.Name("np", ast.Load()), "add", ast.Load()), "at", ast.Load())
        call = ast.Call(scatter, [target.value, target.slice, value], [])
        yield Change(partial(ast.Expr, call), "duplicate_index_overwrite", 0.0)
    if isinstance(statement, ast.AugAssign):
        yield Change(partial(ast.Assign, [target], value), "accumulates_instead_of_overwrites", 0.1)
        if isinstance(statement.op, ast.Add | ast.Sub):
            turned = ast.Sub() if isinstance(statement.op, ast.Add) else ast.Add()
            yield Change(partial(ast.AugAssign, target, turned, value), "sign_flipped_term", 0.0)
        yield from _of_a_part(target, value, make, scene)
        yield from _divided(statement, target, scene)
    numbers = [n for n in scene.names if type(scene.value(n)) is int and n.isidentifier() and n != "_"]
    if isinstance(target, ast.Subscript):
        if isinstance(target.slice, ast.Compare):
            for change in changes_of_expression(target.slice, scene):
                if change.word not in _OF_MASKS:
                    continue
                yield Change(partial(_at_index, make, target, value, change), change.word, change.cost)
        if isinstance(target.slice, ast.UnaryOp) and isinstance(target.slice.op, ast.Invert):
            kept = ast.Subscript(target.value, target.slice.operand, ast.Store())
            yield Change(partial(make, kept, value), "inverted_mask", 0.0)
        elif np.asarray(scene.value(path_of(target.slice) or "")).dtype.kind == "b":
            turned_mask = ast.Subscript(target.value, ast.UnaryOp(ast.Invert(), target.slice), ast.Store())
            yield Change(partial(make, turned_mask, value), "inverted_mask", 0.0)
        for index, word, cost in (*_indices(target.slice, numbers), *changes_of_index(target.slice, scene)):
            part = ast.Subscript(target.value, index, ast.Store())
            yield Change(partial(make, part, value), word, cost)
    if isinstance(statement, ast.Assign) and _is_whole(value, scene):
        for index, word, cost in _indices(value, numbers):  # the start of a window
            yield Change(partial(make, target, index), word, cost)
    if isinstance(statement, ast.Assign) and isinstance(target, ast.Name):
        for label in _labels(target.id, scene):
            less = ast.AugAssign(ast.Subscript(target, label, ast.Store()), ast.Sub(), ast.Constant(1))
            yield Change(partial(ast.Module, [statement, less], []), "missing_label_term", 0.1)
    for node in ast.walk(value):
        if isinstance(node, ast.Subscript):
            for index in neighbours(node.slice, numbers):
                moved = replaced(value, node.slice, index)
                yield Change(partial(make, target, moved), "off_by_one_index", 0.0)
    if isinstance(value, ast.Constant) and isinstance(target, ast.Subscript):
        return  # what is set to zero is zero
    for change in changes_of_expression(value, scene):
        yield Change(partial(_made, make, target, change), change.word, change.cost)


def _accumulated(statement: ast.stmt) -> ast.stmt | None:
    """What ``dW + x`` as a statement of its own, which does nothing, was meant to be."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.BinOp):
        left = statement.value.left
        if isinstance(statement.value.op, ast.Add | ast.Sub) and isinstance(
            left, ast.Name | ast.Subscript | ast.Attribute
        ):
            return ast.AugAssign(left, statement.value.op, statement.value.right)
    return None


def _target(statement: ast.stmt) -> tuple[Any, ast.expr, Make] | None:
    """What a statement writes to, what it writes, and the same statement for others."""
    if isinstance(statement, ast.Assign):
        target, value = statement.targets[0], statement.value
        if isinstance(target, ast.Name | ast.Subscript | ast.Attribute) or isinstance(value, ast.Call | ast.Tuple):
            return target, value, lambda t, v: ast.Assign([t], v)
        return None
    if isinstance(statement, ast.AugAssign):
        return statement.target, statement.value, lambda t, v: ast.AugAssign(t, statement.op, v)
    if isinstance(statement, ast.Return) and statement.value is not None:
        return ast.Name("_", ast.Store()), statement.value, lambda t, v: ast.Return(v)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if ast.unparse(call.func) in ("np.add.at", "numpy.add.at") and len(call.args) == 3:
            first, index, value = call.args
            return first, value, lambda t, v: ast.Expr(ast.Call(call.func, [t, index, v], []))
    return None


def _labels(name: str, scene: Scene) -> Iterator[ast.expr]:
    """Indices of the elements of an array that belong to the right classes."""
    whole = [n for n in scene.names if np.asarray(scene.value(n)).dtype.kind in "iu" and np.ndim(scene.value(n)) == 1]
    counters = [n for n in scene.names if type(scene.value(n)) is int and n.isidentifier()]
    for labels in whole:
        held = scene_name(scene, labels)
        rows = called("arange", ast.Call(ast.Name("len", ast.Load()), [held], []))
        yield ast.Tuple([rows, held], ast.Load())
        for counter in counters:
            yield ast.Subscript(held, ast.Name(counter, ast.Load()), ast.Load())


def _is_whole(value: ast.expr, scene: Scene) -> bool:
    """Whether an expression gives a whole number, or several of them."""
    try:
        found = evaluated(value, scene.values[0])
    except NoValueError:
        return False
    return bool(found) and all(type(x) is int for x in found) if isinstance(found, tuple) else type(found) is int


def _has_slice(index: ast.expr) -> bool:
    return any(isinstance(n, ast.Slice) for n in (index.elts if isinstance(index, ast.Tuple) else [index]))


def _of_a_part(target: ast.expr, value: ast.expr, make: Make, scene: Scene) -> Iterator[Change]:
    """What is added to a whole array, and belongs to a part of it: all but the row or column of a bias."""
    own = scene.value(path_of(target) or "")
    if not np.ndim(own):
        return
    one = ast.Constant(1)
    pieces: list[ast.expr] = [ast.Slice(one, None), ast.Slice(None, ast.Constant(-1))]
    if np.ndim(own) == 2:
        pieces += [ast.Tuple([ast.Slice(), p], ast.Load()) for p in pieces]
    same = [n for n in parts(value) if np.shape(scene.value(path_of(n) or "")) == np.shape(own)]
    for part in pieces:
        changed = with_all(value, {id(n): ast.Subscript(n, part, ast.Load()) for n in same})
        yield Change(partial(make, ast.Subscript(target, part, ast.Store()), changed), "extra_term", 0.1)


def _divided(statement: ast.AugAssign, target: ast.expr, scene: Scene) -> Iterator[Change]:
    """A line more that divides the whole array of which a part is changed: ``dscores /= N``."""
    if not isinstance(target, ast.Subscript) or not isinstance(target.value, ast.Name):
        return
    for count, below, cost, word in factors(scene):
        if below and word == "missing_mean":
            whole = ast.AugAssign(ast.Name(target.value.id, ast.Store()), ast.Div(), count)
            yield Change(partial(ast.Module, [statement, whole], []), word, cost)


def _at_index(make: Make, target: ast.Subscript, value: ast.expr, change: Change) -> ast.stmt:
    return make(ast.Subscript(target.value, change.node, ast.Store()), value)


def _made(make: Make, target: ast.expr, change: Change) -> ast.stmt:
    return make(target, change.node)


def _indices(index: ast.expr, numbers: Sequence[str]) -> Iterator[tuple[ast.expr, str, float]]:
    """Indices with each counter multiplied by a number, as a stride, or one further on or back."""
    counters = [n for n in ast.walk(index) if isinstance(n, ast.Name)]
    names = list(dict.fromkeys(n.id for n in counters))
    strides: list[str | int] = [*numbers, *_STRIDES]
    for stride in strides:
        groups = [g for k in (2, 1, 3) for g in itertools.combinations(names, k)]
        for group in [g for g in groups if stride not in g][:_MOST_GROUPS]:
            step = ast.Name(stride, ast.Load()) if isinstance(stride, str) else ast.Constant(stride)
            new = {id(n): ast.BinOp(n, ast.Mult(), step) for n in counters if n.id in group}
            yield with_all(index, new), "stride_ignored", 0.1
    for neighbour in neighbours(index, names):
        yield neighbour, "off_by_one_index", 0.2
