"""Rules for functions that choose elements by value or by position: taking, sorting, uniqueness, pieces."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import NotDifferentiableError
from chainrule.language import message
from chainrule.ops import composite, structural
from chainrule.rules.helpers import along_axis, as_operand, at_axis, normalise_axes

__all__: list[str] = []


# ---- by position


def _scatter(g: Any, a: Any, positions: Any, axis: Any) -> Any:
    """Zeros of the shape of ``a`` with ``g`` added at ``positions`` along ``axis``; in flat order for ``None``."""
    z = np.zeros_like(np.ravel(a) if axis is None else a)
    np.add.at(z, at_axis(0 if axis is None else normalise_axes(axis, np.ndim(a))[0], positions), g)
    return np.reshape(z, np.shape(a)) if axis is None else z


def _take(g: Any, out: Any, a: Any, indices: Any, axis: Any = None, mode: str = "raise") -> Any:
    length = np.size(a) if axis is None else np.shape(a)[axis]
    if mode == "wrap":
        indices = np.remainder(indices, length)
    elif mode == "clip":
        indices = np.clip(indices, 0, length - 1)
    return _scatter(g, a, indices, axis)


def _take_along_axis(g: Any, out: Any, arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        return _scatter(g, arr, indices, None)
    z = np.zeros_like(arr)
    np.add.at(z, along_axis(indices, np.shape(arr), axis), g)
    return z


structural(np.take, a=_take, indices=None)
structural(np.take_along_axis, arr=_take_along_axis, indices=None)
structural(
    np.compress,
    condition=None,
    a=lambda g, out, condition, a, axis=None: _scatter(g, a, np.flatnonzero(condition), axis),
)
structural(
    np.extract,
    condition=None,
    arr=lambda g, out, condition, arr: _scatter(g, arr, np.flatnonzero(condition), None),
)


# ---- by condition


@composite(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    out = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        out = np.where(condition, choice, out)
    return out


@composite(np.choose)
def _choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    count = len(choices)
    numbers = np.ravel_multi_index((a,), (count,), mode=mode)  # type: ignore[call-overload]
    result = as_operand(choices[count - 1])
    if count == 1:
        result = np.copy(np.broadcast_arrays(numbers, result)[1])
    for k in reversed(range(count - 1)):
        result = np.where(numbers == k, choices[k], result)
    if out is None:
        return result
    out[...] = result
    return out


@composite(np.piecewise)
def _piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    x = as_operand(x)
    if np.ndim(condlist) == 0 or (np.ndim(condlist[0]) == 0 and np.ndim(x) != 0):
        condlist = [condlist]
    conditions = [as_operand(condition).astype(bool) for condition in condlist]
    if len(conditions) == len(funclist) - 1:
        covered = conditions[0]
        for condition in conditions[1:]:
            covered = np.logical_or(covered, condition)
        conditions.append(np.logical_not(covered))
    if len(conditions) != len(funclist):
        raise ValueError(
            f"with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} "
            "functions are expected"
        )
    y = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        if not callable(function):
            y[condition] = function
        else:
            values = x[condition]
            if np.size(values):
                y[condition] = function(values, *args, **kw)
    return y


# ---- by order: an element's cotangent returns to the place it was sorted from; equal elements keep their order


def _sort(g: Any, out: Any, a: Any, axis: Any = -1, kind: Any = None, order: Any = None, stable: Any = None) -> Any:
    if axis is None:
        return np.reshape(_sort(g, out, np.ravel(a)), np.shape(a))
    z = np.zeros_like(a)
    z[along_axis(np.argsort(a, axis=axis, stable=True), np.shape(a), axis)] = g
    return z


def _partition(g: Any, out: Any, a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> Any:
    """As for sorting, through the ranks: where NumPy leaves the other elements is its own affair."""
    if axis is None:
        return np.reshape(_partition(g, out, np.ravel(a), kth), np.shape(a))
    by_rank = np.take_along_axis(g, np.argsort(out, axis=axis, stable=True), axis)
    return _sort(by_rank, out, a, axis)


structural(np.sort, a=_sort)
structural(np.partition, a=_partition)


@composite(np.sort_complex)
def _sort_complex(a: Any) -> Any:
    ordered = np.sort(a)
    if ordered.dtype.kind == "c":
        return ordered
    return ordered.astype("F" if ordered.dtype.char in "bhBH" else "G" if ordered.dtype.char == "g" else "D")


# ---- by uniqueness: equal elements share evenly, as tied maxima do


def _shared(g: Any, out: Any, ar: Any, axis: Any, equal_nan: bool, in_order: bool) -> Any:
    if not in_order:
        g = np.take(g, np.argsort(out, stable=True))
    _, inverse, counts = np.unique(ar, return_inverse=True, return_counts=True, axis=axis, equal_nan=equal_nan)
    counts = counts.astype(g.dtype)
    if axis is None:
        return np.reshape(np.take(g / counts, np.ravel(inverse)), np.shape(ar))
    (place,) = normalise_axes(axis, np.ndim(ar))
    along = np.reshape(counts, (-1,) + (1,) * (np.ndim(ar) - 1 - place))
    return np.take(g / along, np.ravel(inverse), place)


def _unique(
    g: Any,
    out: Any,
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    if isinstance(g, tuple):
        g, out = g[0], out[0]
    return _shared(g, out, ar, axis, equal_nan, sorted)


structural(np.unique, ar=_unique)
structural(np.unique_values, x=lambda g, out, x: _shared(g, out, x, None, False, False))

_UniqueAll = type(np.unique_all(np.empty(0)))
_UniqueCounts = type(np.unique_counts(np.empty(0)))
_UniqueInverse = type(np.unique_inverse(np.empty(0)))


@composite(np.unique_all)
def _unique_all(x: Any) -> Any:
    return _UniqueAll(*np.unique(x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False))


@composite(np.unique_counts)
def _unique_counts(x: Any) -> Any:
    return _UniqueCounts(*np.unique(x, return_counts=True, equal_nan=False))


@composite(np.unique_inverse)
def _unique_inverse(x: Any) -> Any:
    return _UniqueInverse(*np.unique(x, return_inverse=True, equal_nan=False))


@composite(np.union1d)
def _union1d(ar1: Any, ar2: Any) -> Any:
    return np.unique(np.concatenate((as_operand(ar1), as_operand(ar2)), axis=None))


@composite(np.setdiff1d)
def _setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    first = np.ravel(as_operand(ar1)) if assume_unique else np.unique(ar1)
    return first[np.isin(first, ar2, invert=True)]


@composite(np.intersect1d)
def _intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    if return_indices:
        raise NotDifferentiableError(
            message(
                "np.intersect1d with return_indices=True is not followed: take the indices from "
                "np.isin and np.flatnonzero instead."
            )
        )
    both = _pooled(ar1, ar2, assume_unique)
    return both[:-1][both[1:] == both[:-1]]


@composite(np.setxor1d)
def _setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    both = _pooled(ar1, ar2, assume_unique)
    if np.size(both) == 0:
        return both
    changes = np.pad(both[1:] != both[:-1], 1, constant_values=True)
    return both[np.logical_and(changes[1:], changes[:-1])]


def _pooled(ar1: Any, ar2: Any, assume_unique: bool) -> Any:
    """The elements of both sets in order."""
    parts = [np.ravel(as_operand(x)) if assume_unique else np.unique(x) for x in (ar1, ar2)]
    return np.sort(np.concatenate(parts))
