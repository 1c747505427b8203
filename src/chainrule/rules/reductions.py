"""Rules for sums, products, means, variances, extrema and their cumulative forms.

The array arguments ``where=``, ``initial=`` and ``mean=`` are operands like the reduced array itself.  Elements that
tie for an extremum share evenly; where all elements are equal, ``std`` has derivative 0.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from chainrule.language import message
from chainrule.ops import composite, constant, structural
from chainrule.rules.helpers import as_operand, for_any_size, is_literal, made, normalise_axes

__all__: list[str] = []

_ABSENT: Any = np._NoValue

_function: Any


def _given(**arguments: Any) -> dict[str, Any]:
    """The arguments that the caller wrote."""
    return {name: value for name, value in arguments.items() if value is not _ABSENT and value is not None}


def _restored(g: Any, a: Any, axis: Any, keepdims: Any) -> Any:
    """The cotangent of a reduction of ``a`` (or its result) as something that broadcasts to the shape of ``a``.

    A lazy cotangent may lack leading axes; those, and reduced axes before all others, are left to broadcasting.
    """
    if keepdims or axis is None or np.ndim(g) == 0:
        return g
    reduced = normalise_axes(axis, np.ndim(a))
    kept = [k for k in range(np.ndim(a)) if k not in reduced]
    first = kept[-np.ndim(g)]
    inserted = tuple(k - first for k in sorted(reduced) if k > first)
    return np.expand_dims(g, inserted) if inserted else g


def _chosen(where: Any, x: Any, otherwise: Any) -> Any:
    return x if where is True else np.where(where, x, otherwise)


def _product(lengths: Any) -> Any:
    """The product of some lengths, without a factor 1 in front."""
    return functools.reduce(operator.mul, lengths) if lengths else 1


def _count(out: Any, a: Any, axis: Any, where: Any) -> Any:
    """How many elements of ``a`` go into each element of the result."""
    if where is not True:
        return np.sum(np.broadcast_to(where, np.shape(a)), axis=axis, keepdims=True, dtype=out.dtype)
    if axis is None:
        return np.size(a)
    return _product([np.shape(a)[k] for k in normalise_axes(axis, np.ndim(a))])


def _over(g: Any, count: Any) -> Any:
    """``g / count``; NaN for no elements, also where ``g`` is a plain number."""
    return g * math.nan if is_literal(count) and count <= 0 else g / count


# ---- sums and means


structural(
    np.sum,
    lazy=True,
    a=lambda g, out, a, where=True, initial=0, axis=None, dtype=None, keepdims=False: _chosen(
        where, _restored(g, a, axis, keepdims), 0
    ),
    where=None,
    initial=lambda g, out, a, where=True, initial=0, axis=None, dtype=None, keepdims=False: np.sum(
        g * np.ones_like(out)
    ),
)
structural(
    np.mean,
    lazy=True,
    a=lambda g, out, a, where=True, axis=None, dtype=None, keepdims=False: _chosen(
        where, _over(_restored(g, a, axis, keepdims), _count(out, a, axis, where)), 0
    ),
    where=None,
)


def _deviation(a: Any, where: Any, mean: Any, axis: Any) -> Any:
    if mean is _ABSENT or mean is None:
        mean = np.mean(a, axis=axis, keepdims=True, **({} if where is True else {"where": where}))
    difference = a - mean
    return _chosen(where, np.conjugate(difference) if np.iscomplexobj(a) else difference, 0)


def _freedom(out: Any, a: Any, where: Any, axis: Any, ddof: Any, correction: Any) -> Any:
    return _count(out, a, axis, where) - (ddof if correction is _ABSENT or correction is None else correction)


def _var(
    g: Any,
    out: Any,
    a: Any,
    where: Any = True,
    mean: Any = None,
    axis: Any = None,
    dtype: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    correction: Any = None,
) -> Any:
    freedom = _freedom(out, a, where, axis, ddof, correction)
    return _over(2 * _restored(g, a, axis, keepdims), freedom) * _deviation(a, where, mean, axis)


def _std(
    g: Any,
    out: Any,
    a: Any,
    where: Any = True,
    mean: Any = None,
    axis: Any = None,
    dtype: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    correction: Any = None,
) -> Any:
    freedom = _freedom(out, a, where, axis, ddof, correction)
    scaled = _restored(g / np.where(out == 0, 1, out), a, axis, keepdims)
    return _over(scaled, freedom) * _deviation(a, where, mean, axis)


def _of_mean(rule: Any) -> Any:
    """The rule for a mean that was handed in: it is subtracted from every element."""
    return lambda g, out, a, where=True, mean=None, **statics: -rule(g, out, a, where, mean, **statics)


structural(np.var, lazy=True, a=_var, where=None, mean=_of_mean(_var))
structural(np.std, lazy=True, a=_std, where=None, mean=_of_mean(_std))

# ---- products


def _product_of_others(a: Any, axis: Any) -> Any:
    """For each element the product of all others that are reduced with it: without division, so right at zeros too."""
    axes = normalise_axes(axis, np.ndim(a))
    last = tuple(range(np.ndim(a) - len(axes), np.ndim(a)))
    moved = a if axes == last else np.moveaxis(a, axes, last)
    shape = np.shape(moved)
    lines = moved if len(axes) == 1 else np.reshape(moved, (*shape[: last[0]], _product(shape[last[0] :])))
    ones = np.ones_like(lines[..., :1])
    before = np.cumprod(np.concatenate((ones, lines[..., :-1]), axis=-1), axis=-1)
    after = np.cumprod(np.concatenate((ones, np.flip(lines[..., 1:], -1)), axis=-1), axis=-1)
    others = before * np.flip(after, -1)
    others = others if len(axes) == 1 else np.reshape(others, shape)
    return others if axes == last else np.moveaxis(others, last, axes)


def _prod(g: Any, a: Any, where: Any, initial: Any, axis: Any, keepdims: Any) -> Any:
    g = _restored(g, a, axis, keepdims)
    if normalise_axes(axis, np.ndim(a)):
        g = g * _product_of_others(_chosen(where, a, 1), axis)
    # A literal 1 is what the caller left out.
    return _chosen(where, g if is_literal(initial) and initial == 1 else g * initial, 0)


structural(
    np.prod,
    lazy=True,
    a=lambda g, out, a, where=True, initial=1, axis=None, dtype=None, keepdims=False: _prod(
        g, a, where, initial, axis, keepdims
    ),
    where=None,
    initial=lambda g, out, a, where=True, initial=1, axis=None, dtype=None, keepdims=False: np.sum(
        g * np.prod(_chosen(where, a, 1), axis=axis, keepdims=bool(keepdims))
    ),
)

# ---- extrema


def _hits(out: Any, a: Any, where: Any, initial: Any, axis: Any, keepdims: Any) -> tuple[Any, Any]:
    """Which elements are the extremum, and how many share it."""
    top = _restored(out, a, axis, keepdims)
    hit = a == top if where is True else (a == top) & where
    if initial is None or initial is _ABSENT:
        return hit, np.sum(hit, axis=axis, keepdims=True, dtype=out.dtype)
    if is_literal(initial):
        hit = hit & (a != initial)
        return hit, np.maximum(1, np.sum(hit, axis=axis, keepdims=True, dtype=out.dtype))
    return hit, np.sum(hit, axis=axis, keepdims=True, dtype=out.dtype) + (top == initial.astype(out.dtype))


def _extremum(
    g: Any, out: Any, a: Any, where: Any = True, initial: Any = None, axis: Any = None, keepdims: Any = False
) -> Any:
    hit, count = _hits(out, a, where, initial, axis, keepdims)
    return _restored(g, a, axis, keepdims) / count * hit


def _extremum_initial(
    g: Any, out: Any, a: Any, where: Any = True, initial: Any = None, axis: Any = None, keepdims: Any = False
) -> Any:
    _, count = _hits(out, a, where, initial, axis, keepdims)
    chosen = _restored(out, a, axis, keepdims) == initial.astype(out.dtype)
    return np.sum(_restored(g, a, axis, keepdims) / count * chosen)


for _function in (np.max, np.min, np.amax, np.amin):
    structural(_function, lazy=True, a=_extremum, where=None, initial=_extremum_initial)


@composite(np.ptp)
def _ptp(a: Any, axis: Any = None, *, keepdims: Any = None) -> Any:
    options = _given(keepdims=keepdims)
    return np.max(a, axis=axis, **options) - np.min(a, axis=axis, **options)


# ---- cumulative forms


def _cumsum(g: Any, out: Any, a: Any, axis: Any = None, dtype: Any = None) -> Any:
    if axis is None:
        flat = np.flip(np.cumsum(np.flip(g)))
        return flat if np.ndim(a) == 1 else np.reshape(flat, np.shape(a))
    return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)


def _cumprod(g: Any, out: Any, a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """``a[k]`` collects ``out[k - 1] * (g[k] + a[k + 1] * (g[k + 1] + a[k + 2] * ...))``.

    The bracket is a recurrence that runs backwards; it is solved by doubling its reach, without division, so that
    zeros are no exception.
    """
    if axis is None:
        return np.reshape(_cumprod(g, out, np.ravel(a), 0), np.shape(a))
    last = normalise_axes(axis, np.ndim(a)) == (np.ndim(a) - 1,)
    collected, products, factors = (x if last else np.moveaxis(x, axis, -1) for x in (g, out, a))
    before = np.concatenate((np.ones_like(products[..., :1]), products[..., :-1]), axis=-1)
    if for_any_size():
        # Doubling takes more steps the longer the axis; a bidiagonal system is the same recurrence for any length.
        n = factors.shape[-1]
        system = made(np.eye, n) - factors[..., None, :] * made(np.eye, n, k=1)
        collected = np.linalg.solve(system, collected[..., None])[..., 0]
        return before * collected if last else np.moveaxis(before * collected, -1, axis)
    factors = factors[..., 1:]
    reach = 1
    while reach < np.shape(before)[-1]:
        near = collected[..., :-reach] + factors * collected[..., reach:]
        collected = np.concatenate((near, collected[..., -reach:]), axis=-1)
        factors = factors[..., :-reach] * factors[..., reach:]
        reach *= 2
    return before * collected if last else np.moveaxis(before * collected, -1, axis)


structural(np.cumsum, a=_cumsum)
structural(np.cumprod, a=_cumprod)


def _cumulative(accumulate: Any, start: int, x: Any, axis: Any, dtype: Any, include_initial: bool) -> Any:
    x = np.atleast_1d(as_operand(x))
    if axis is None:
        if np.ndim(x) >= 2:
            raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
        axis = 0
    result = accumulate(x, axis=axis, **_given(dtype=dtype))
    if not include_initial:
        return result
    shape = tuple(1 if k == axis % np.ndim(x) else n for k, n in enumerate(np.shape(x)))
    return np.concatenate((np.full_like(result, start, shape=shape), result), axis=axis)


@composite(np.cumulative_sum)
def _cumulative_sum(x: Any, /, *, axis: Any = None, dtype: Any = None, include_initial: bool = False) -> Any:
    return _cumulative(np.cumsum, 0, x, axis, dtype, include_initial)


@composite(np.cumulative_prod)
def _cumulative_prod(x: Any, /, *, axis: Any = None, dtype: Any = None, include_initial: bool = False) -> Any:
    return _cumulative(np.cumprod, 1, x, axis, dtype, include_initial)


# ---- weighted means


@composite(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = None) -> Any:
    a = as_operand(a)
    options = _given(keepdims=keepdims)
    if weights is None:
        result = np.mean(a, axis=axis, **options)
        total: Any = np.full_like(result, np.size(a) / np.size(result))[()] if returned else None
    else:
        weights = as_operand(weights)
        if np.shape(weights) == np.shape(a):
            total = np.sum(weights, axis=axis, **options)
        else:
            total = np.sum(weights)  # of all, since they vary along these axes only
            weights = _aligned(weights, a, axis)
        if np.any(total == 0):
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        result = np.sum(a * weights, axis=axis, **options) / total
    if not returned:
        return result
    return result, total if np.shape(total) == np.shape(result) else np.copy(np.broadcast_to(total, np.shape(result)))


def _aligned(weights: Any, a: Any, axis: Any) -> Any:
    """Weights that were given for some axes only, with length 1 along the others."""
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = normalise_axes(axis, np.ndim(a))
    if tuple(np.shape(weights)) != tuple(np.shape(a)[k] for k in axes):
        raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    order = tuple(sorted(range(len(axes)), key=lambda k: axes[k]))
    if len(axes) == 1:
        behind = np.ndim(a) - 1 - axes[0]
        return np.expand_dims(weights, tuple(range(1, behind + 1))) if behind else weights
    return np.reshape(np.transpose(weights, order), tuple(n if k in axes else 1 for k, n in enumerate(np.shape(a))))


# ---- leaving out NaN


def _numbers(a: Any, where: Any = True) -> Any:
    present = ~np.isnan(a)
    return present if where is True or where is _ABSENT else present & where


@composite(np.nansum)
def _nansum(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = None, initial: Any = None, where: Any = True
) -> Any:
    a = as_operand(a)
    return np.sum(a, axis=axis, where=_numbers(a, where), **_given(dtype=dtype, keepdims=keepdims, initial=initial))


@composite(np.nanprod)
def _nanprod(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = None, initial: Any = None, where: Any = True
) -> Any:
    a = as_operand(a)
    return np.prod(a, axis=axis, where=_numbers(a, where), **_given(dtype=dtype, keepdims=keepdims, initial=initial))


@composite(np.nanmean)
def _nanmean(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = None, where: Any = True) -> Any:
    a = as_operand(a)
    return np.mean(a, axis=axis, where=_numbers(a, where), **_given(dtype=dtype, keepdims=keepdims))


def _nan_spread(spread: Any) -> Any:
    def definition(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        *,
        ddof: Any = 0,
        keepdims: Any = None,
        where: Any = True,
        mean: Any = None,
        correction: Any = None,
    ) -> Any:
        a = as_operand(a)
        ddof = correction if _given(correction=correction) else ddof
        options = _given(dtype=dtype, keepdims=keepdims, mean=mean)
        return spread(a, axis=axis, ddof=ddof, where=_numbers(a, where), **options)

    return definition


composite(np.nanvar)(_nan_spread(np.var))
composite(np.nanstd)(_nan_spread(np.std))


def _nan_extremum(extremum: Any, neutral: float) -> Any:
    def definition(a: Any, axis: Any = None, *, keepdims: Any = None, initial: Any = None, where: Any = True) -> Any:
        a = as_operand(a)
        options = _given(keepdims=keepdims)
        if a.dtype.kind not in "fc":
            return extremum(a, axis=axis, **options, **_given(initial=initial, where=where))
        present = _numbers(a, where)
        if _given(initial=initial):
            return extremum(a, axis=axis, where=present, initial=initial, **options)
        result = extremum(a, axis=axis, where=present, initial=neutral, **options)
        found: Any = np.where(np.any(present, axis=axis, **options), result, math.nan)
        return found if np.ndim(found) else found[()]

    return definition


composite(np.nanmax)(_nan_extremum(np.max, -math.inf))
composite(np.nanmin)(_nan_extremum(np.min, math.inf))


@composite(np.nancumsum)
def _nancumsum(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    a = as_operand(a)
    return np.cumsum(np.where(np.isnan(a), 0, a), axis=axis, **_given(dtype=dtype))


@composite(np.nancumprod)
def _nancumprod(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    a = as_operand(a)
    return np.cumprod(np.where(np.isnan(a), 1, a), axis=axis, **_given(dtype=dtype))


# ---- no derivative

for _function in (np.argmax, np.argmin, np.nanargmax, np.nanargmin):
    constant(_function, message("it returns positions, which do not move smoothly"), "a")
for _function in (np.all, np.any):
    constant(_function, message("it returns truth values"), "a")
constant(np.count_nonzero, message("it counts"), "a")
