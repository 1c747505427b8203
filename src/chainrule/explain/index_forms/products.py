"""Index forms of products: each is a sum over the indices that its factors share and its result lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.explain.algebra import multiply, summed
from chainrule.explain.formula import Compare, Formula, Index, Number, Position
from chainrule.explain.index_forms.reading import Forms, Indices, Scope, axes_in, form, param, rank_of, shape_of
from chainrule.explain.places import position
from chainrule.ir import Const, Step, Var
from chainrule.rules.einsum import spelled_out
from chainrule.sizes import plain_number

__all__: list[str] = []


def _inner(forms: Forms, pairs: Sequence[tuple[Var | Const, int]], scope: Scope) -> tuple[Index | int, Scope]:
    """A running index over an axis that factors share."""
    for x, axis in pairs:
        index = forms.running(x, axis, scope)
        if isinstance(index, Index):
            return index, scope | {index.name}
    return 0, scope


def _total(over: Index | int, body: Formula) -> Formula:
    return summed((over,), body) if isinstance(over, Index) else body


@form("matmul", "linalg.matmul")
def _matmul(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    a, b = step.inputs
    ra, rb = rank_of(a), rank_of(b)
    over, used = _inner(forms, [(a, ra - 1), (b, max(rb - 2, 0))], scope)
    rest = list(indices)
    column = [rest.pop()] if rb > 1 else []
    row = [rest.pop()] if ra > 1 else []
    batch = step.outputs[0].shape[: len(rest)]
    left = (*_batch(a, ra - 2, batch, rest), *row, over)
    right = (*_batch(b, rb - 2, batch, rest), over, *column)
    return _total(over, multiply(forms.element(a, left, used), forms.element(b, right, used)))


def _batch(x: Var | Const, count: int, shape: Sequence[Any], indices: Sequence[Any]) -> tuple[Any, ...]:
    """The indices of the leading axes of a factor under broadcasting."""
    own = shape_of(x)[: max(count, 0)]
    missing = len(shape) - len(own)
    return tuple(
        0 if n == 1 != int(plain_number(shape[missing + k])) else indices[missing + k] for k, n in enumerate(own)
    )


@form("dot")
def _dot(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    a, b = step.inputs
    ra, rb = rank_of(a), rank_of(b)
    if ra == 0 or rb == 0:
        return multiply(forms.element(a, indices[:ra], scope), forms.element(b, indices[-rb:] if rb else (), scope))
    over, used = _inner(forms, [(a, ra - 1), (b, max(rb - 2, 0))], scope)
    left = (*indices[: ra - 1], over)
    rest = indices[ra - 1 :]
    right = (*rest[: max(rb - 2, 0)], over, *(rest[-1:] if rb > 1 else ()))
    return _total(over, multiply(forms.element(a, left, used), forms.element(b, right, used)))


@form("inner")
def _inner_product(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    a, b = step.inputs
    ra, rb = rank_of(a), rank_of(b)
    if ra == 0 or rb == 0:
        return multiply(forms.element(a, indices[:ra], scope), forms.element(b, indices[-rb:] if rb else (), scope))
    over, used = _inner(forms, [(a, ra - 1), (b, rb - 1)], scope)
    left, right = (*indices[: ra - 1], over), (*indices[ra - 1 :], over)
    return _total(over, multiply(forms.element(a, left, used), forms.element(b, right, used)))


@form("vdot")
def _vdot(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    a, b = step.inputs
    if shape_of(a) != shape_of(b):
        raise AssertionError("flattened first")
    over, used = [], scope
    for k in range(rank_of(a)):
        index, used = _inner(forms, [(a, k), (b, k)], used)
        over.append(index)
    body = multiply(forms.element(a, tuple(over), used), forms.element(b, tuple(over), used))
    return summed(tuple(i for i in over if isinstance(i, Index)), body)


@form("vecdot", "linalg.vecdot")
def _vecdot(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    a, b = step.inputs
    shape = step.outputs[0].shape
    axis = step.params.get("axis", -1)
    if set(step.params) <= {"dtype", "axis"} and axis != -1 and shape_of(a) == shape_of(b):
        k = int(axis) % rank_of(a)
        over, used = _inner(forms, [(a, k), (b, k)], scope)
        whole = (*indices[:k], over, *indices[k:])
        return _total(over, multiply(forms.element(a, whole, used), forms.element(b, whole, used)))
    if set(step.params) - {"dtype"}:
        raise AssertionError("along another axis")
    over, used = _inner(forms, [(a, rank_of(a) - 1), (b, rank_of(b) - 1)], scope)
    left = (*_batch(a, rank_of(a) - 1, shape, indices), over)
    right = (*_batch(b, rank_of(b) - 1, shape, indices), over)
    return _total(over, multiply(forms.element(a, left, used), forms.element(b, right, used)))


@form("outer", "linalg.outer")
def _outer(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    a, b = step.inputs
    if rank_of(a) > 1 or rank_of(b) > 1:
        raise AssertionError("flattened first")
    left, right = indices[: rank_of(a)], indices[len(indices) - rank_of(b) :]
    return multiply(forms.element(a, left, scope), forms.element(b, right, scope))


@form("tensordot", "linalg.tensordot")
def _tensordot(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    a, b = step.inputs
    ra, rb = rank_of(a), rank_of(b)
    axes = param(step, "axes", 2, 2)
    if isinstance(axes, int):
        first, second = tuple(range(ra - axes, ra)), tuple(range(axes))
    else:
        first, second = axes_in(axes[0], ra), axes_in(axes[1], rb)
    over, used = {}, scope
    for j, k in zip(first, second, strict=True):
        over[j], used = _inner(forms, [(a, j), (b, k)], used)
    rest = list(indices)
    left = tuple(over[k] if k in over else rest.pop(0) for k in range(ra))
    matched = dict(zip(second, first, strict=True))
    right = tuple(over[matched[k]] if k in matched else rest.pop(0) for k in range(rb))
    body = multiply(forms.element(a, left, used), forms.element(b, right, used))
    return summed(tuple(i for i in over.values() if isinstance(i, Index)), body)


@form("einsum")
def _einsum(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    terms, output = spelled_out(step.params["subscripts"], [rank_of(x) for x in step.inputs])
    given: dict[str, Any] = dict(zip(output, indices, strict=True))
    used = scope
    over = []
    lengths: dict[str, int] = {}
    for letters, x in zip(terms, step.inputs, strict=True):
        for letter, n in zip(letters, shape_of(x), strict=True):
            lengths[letter] = max(n, lengths.get(letter, 1))
    for letters, x in zip(terms, step.inputs, strict=True):
        for axis, letter in enumerate(letters):
            if letter not in given:
                index = forms.running(x, axis, used)
                if not isinstance(index, Index) and lengths[letter] > 1:
                    continue  # stretched; another operand has the whole length
                given[letter] = index
                if isinstance(index, Index):
                    used = used | {index.name}
                    over.append(index)
    factors = []
    for letters, x in zip(terms, step.inputs, strict=True):
        place = tuple(
            0 if n == 1 != lengths[letter] else given[letter] for letter, n in zip(letters, shape_of(x), strict=True)
        )
        factors.append(forms.element(x, place, used))
    return summed(tuple(over), multiply(*factors))


@form("kron")
def _kron(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    a, b = step.inputs
    if rank_of(a) != rank_of(b):
        raise AssertionError("of other ranks")
    lengths = shape_of(b)
    left = tuple(position("//", i, n) for i, n in zip(indices, lengths, strict=True))
    right = tuple(position("%", i, n) for i, n in zip(indices, lengths, strict=True))
    return multiply(forms.element(a, left, scope), forms.element(b, right, scope))


@form("convolve")
def _convolve(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    a, v = step.inputs
    mode = param(step, "mode", 2, "full")
    n, m = shape_of(a)[0], shape_of(v)[0]
    if n < m:
        a, v, n, m = v, a, m, n
    start = {"full": 0, "same": (m - 1) // 2, "valid": m - 1}[mode]
    index = forms.running(v, 0, scope)
    if not isinstance(index, Index):
        return multiply(forms.element(a, indices, scope), forms.element(v, (0,), scope))
    place = position("-", position("+", indices[0], start), index)
    used = scope | {index.name}
    inside: tuple[Formula, ...] = ()
    if mode != "valid":
        inside = (Compare(">=", Position(place), Number(0)), Compare("<", Position(place), Number(n)))
    return summed((index,), multiply(*inside, forms.element(a, (place,), used), forms.element(v, (index,), used)))
