"""Rules for functions that move, repeat or select elements by position alone: shapes, axes, diagonals.

All of these are linear, so a rule is the transpose of the map: the rearrangement run backwards, or a sum where
an element was repeated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.language import message
from chainrule.ops import composite, constant, structural
from chainrule.rules.helpers import as_operand, at_axis, made, normalise_axes, writes_out
from chainrule.rules.matrices import identity
from chainrule.sizes import is_size
from chainrule.traced import primitive

__all__: list[str] = []


# ---- shapes and axes


def _sources(a: Any, *, shape: tuple[int, ...], order: str) -> Any:
    """Where in row-major order each element of ``np.reshape(a, shape, order)`` comes from; "K" as in ``np.ravel``."""
    numbers = np.reshape(made(np.arange, np.size(a)), np.shape(a))
    if order == "A":
        return np.reshape(numbers, shape, order="F" if a.flags.fnc else "C")
    laid_out = np.empty_like(a, dtype=np.intp)
    laid_out[...] = numbers
    return np.reshape(np.ravel(laid_out, order="K"), shape)


constant(_sources, message("it returns positions, which depend on the layout in memory alone"))
_follow_sources = primitive(_sources)


def _reshape(g: Any, out: Any, a: Any, shape: Any = None, order: str = "C", copy: Any = None) -> Any:
    if order == "C":
        return np.reshape(g, np.shape(a))
    if order == "F":
        return np.reshape(g, np.shape(a), order="F")
    z = np.zeros_like(np.ravel(a))
    z[_follow_sources(a, shape=np.shape(out), order=order)] = g
    return np.reshape(z, np.shape(a))


def _ravel(g: Any, out: Any, a: Any, order: str = "C") -> Any:
    return _reshape(g, out, a, order=order)


def _transpose(g: Any, out: Any, a: Any, axes: Any = None) -> Any:
    if axes is None:
        return np.transpose(g)
    forward = normalise_axes(tuple(axes), np.ndim(a))
    return np.transpose(g, tuple(forward.index(k) for k in range(len(forward))))


def _rollaxis(g: Any, out: Any, a: Any, axis: int, start: int = 0) -> Any:
    (source,) = normalise_axes(axis, np.ndim(a))
    start = start + np.ndim(a) if start < 0 else start
    return np.moveaxis(g, start - 1 if source < start else start, source)


def _squeeze(g: Any, out: Any, a: Any, axis: Any = None) -> Any:
    return np.reshape(g, np.shape(a)) if axis is None else np.expand_dims(g, axis)


structural(np.reshape, a=_reshape)
structural(np.ravel, a=_ravel)
structural(np.transpose, a=_transpose)
structural(np.matrix_transpose, x=lambda g, out, x: np.matrix_transpose(g))
structural(np.moveaxis, a=lambda g, out, a, source, destination: np.moveaxis(g, destination, source))
structural(np.rollaxis, a=_rollaxis)
structural(np.swapaxes, a=lambda g, out, a, axis1, axis2: np.swapaxes(g, axis1, axis2))
structural(np.squeeze, a=_squeeze)
structural(np.expand_dims, a=lambda g, out, a, axis: np.squeeze(g, tuple(axis) if isinstance(axis, list) else axis))
structural(np.copy, a=lambda g, out, a, order="K", subok=False: g)

# The sum over the axes that were broadcast is the one that differentiate makes for every rule.
structural(np.broadcast_to, array=lambda g, out, array, shape, subok=False: g)


@composite(np.broadcast_arrays)
def _broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    arrays = [as_operand(x) for x in args]
    shape = np.broadcast_shapes(*(np.shape(x) for x in arrays))
    return tuple(x if np.shape(x) == shape else np.broadcast_to(x, shape) for x in arrays)


def _atleast(minimum: int, arrays: tuple[Any, ...]) -> Any:
    """Each array with at least ``minimum`` axes; a single one alone, several as a tuple, as NumPy does."""
    results = []
    for x in map(as_operand, arrays):
        n = np.ndim(x)
        if minimum == 3:
            missing: tuple[int, ...] = ((0, 1, 2), (0, 2), (2,))[n] if n < 3 else ()
        else:
            missing = tuple(range(minimum - n))
        results.append(np.expand_dims(x, missing) if missing else x)
    return results[0] if len(results) == 1 else tuple(results)


@composite(np.atleast_1d)
def _atleast_1d(*arys: Any) -> Any:
    return _atleast(1, arys)


@composite(np.atleast_2d)
def _atleast_2d(*arys: Any) -> Any:
    return _atleast(2, arys)


@composite(np.atleast_3d)
def _atleast_3d(*arys: Any) -> Any:
    return _atleast(3, arys)


def _astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    return x.astype(dtype, copy=copy)


if hasattr(np, "astype"):  # NumPy 2.1
    composite(np.astype)(_astype)


# ---- reversals and rotations


def _negated(shift: Any) -> Any:
    return tuple(-s for s in shift) if isinstance(shift, tuple | list) else -shift


structural(np.flip, m=lambda g, out, m, axis=None: np.flip(g, axis))
structural(np.fliplr, m=lambda g, out, m: np.fliplr(g))
structural(np.flipud, m=lambda g, out, m: np.flipud(g))
structural(np.roll, a=lambda g, out, a, shift, axis=None: np.roll(g, _negated(shift), axis))
structural(np.rot90, m=lambda g, out, m, k=1, axes=(0, 1): np.rot90(g, -k, axes))


# ---- repetition


def _tile(g: Any, out: Any, A: Any, reps: Any) -> Any:
    # A length stays one where it says how often.
    counts = reps if isinstance(reps, tuple | list) else np.atleast_1d(reps).tolist() if np.ndim(reps) else [reps]
    repetitions = tuple(r if is_size(r) else int(r) for r in counts)
    shape = np.shape(A)
    ndim = max(len(repetitions), len(shape))
    repetitions = (1,) * (ndim - len(repetitions)) + repetitions
    lengths = (1,) * (ndim - len(shape)) + tuple(shape)
    pairs = [n for pair in zip(repetitions, lengths, strict=True) for n in pair]
    return np.reshape(np.sum(np.reshape(g, pairs), axis=tuple(range(0, 2 * ndim, 2))), shape)


def _repeat(g: Any, out: Any, a: Any, repeats: Any, axis: Any = None) -> Any:
    shape = np.shape(a)
    (place,) = (0,) if axis is None else normalise_axes(axis, len(shape))
    lengths = (np.size(a),) if axis is None else tuple(shape)
    if np.size(repeats) == 1:
        times = np.shape(out)[place] // lengths[place] if lengths[place] else 1
        runs = np.reshape(g, (*lengths[: place + 1], times, *lengths[place + 1 :]))
        return np.reshape(np.sum(runs, axis=place + 1), shape)
    summed = np.zeros_like(np.ravel(a) if axis is None else a)
    sources: Any = np.searchsorted(np.cumsum(repeats), np.arange(np.shape(out)[place]), side="right")
    np.add.at(summed, at_axis(place, sources), g)
    return np.reshape(summed, shape)


structural(np.tile, A=_tile)
structural(np.repeat, a=_repeat, repeats=None)


@composite(np.resize)
def _resize(a: Any, new_shape: Any) -> Any:
    shape = (new_shape,) if np.ndim(new_shape) == 0 else tuple(new_shape)
    size = int(np.prod(shape, dtype=np.intp))
    flat = np.ravel(as_operand(a))
    if size == 0 or np.size(flat) == 0:
        return np.zeros_like(flat, shape=shape)
    times = -(-size // np.size(flat))
    return np.reshape(np.concatenate((flat,) * times)[:size], shape)


# ---- diagonals and triangles


def _diagonal_index(rows: int, columns: int, offset: int) -> tuple[Any, Any]:
    """The row and column numbers of a diagonal."""
    first_row, first_column = max(-offset, 0), max(offset, 0)
    steps = np.arange(max(0, min(rows - first_row, columns - first_column)))
    return first_row + steps, first_column + steps


def _placed(values: Any, a: Any, offset: int, axis1: int, axis2: int, out: Any = None) -> Any:
    """Zeros of the shape of ``a`` with ``values`` on a diagonal, of which ``out`` is what was read from there."""
    axes = normalise_axes((axis1, axis2), np.ndim(a))
    rows, columns = np.shape(a)[axes[0]], np.shape(a)[axes[1]]
    if np.ndim(a) == 2 and axes == (0, 1) and rows == columns and not offset and np.shape(values) == (rows,):
        return np.diag(values)
    trailing = axes == (np.ndim(a) - 2, np.ndim(a) - 1)
    z = np.zeros_like(a if trailing else np.moveaxis(a, axes, (-2, -1)))
    rows, columns = _diagonal_index(np.shape(z)[-2], np.shape(z)[-1], offset)
    if out is not None:
        places = made(np.arange, np.shape(out)[-1])
        rows, columns = (places + k if k else places for k in (max(-offset, 0), max(offset, 0)))
        index: Any = (rows, columns) if np.ndim(z) == 2 else (Ellipsis, rows, columns)
        np.add.at(z, index, values)
    else:
        z[..., rows, columns] = values
    return z if trailing else np.moveaxis(z, (-2, -1), axes)


def _diag(g: Any, out: Any, v: Any, k: int = 0) -> Any:
    if np.ndim(v) == 1:
        return np.diag(g, k)
    rows, columns = np.shape(v)
    return np.diag(g, k) if rows == columns and abs(k) < rows else _placed(g, v, k, 0, 1)


def _trace(g: Any, out: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    axes = normalise_axes((axis1, axis2), np.ndim(a))
    if axes[0] > axes[1]:  # of the transpose: what lies above the diagonal lies below it
        axes, offset = (axes[1], axes[0]), -offset
    rows, columns = np.shape(a)[axes[0]], np.shape(a)[axes[1]]
    trailing = axes == (np.ndim(a) - 2, np.ndim(a) - 1)
    if rows == columns > 1 and offset == 0:
        ones = identity(a if trailing else np.moveaxis(a, axes, (-2, -1)))
    else:
        ones = made(np.eye, rows, columns, offset, dtype=bool)
    if np.ndim(a) == 2:
        return g * ones
    placed = np.expand_dims(g, (-2, -1)) * ones
    return placed if trailing else np.moveaxis(placed, (-2, -1), axes)


structural(np.diag, v=_diag)
structural(np.diagflat, v=lambda g, out, v, k=0: np.reshape(np.diag(g, k), np.shape(v)))
structural(np.diagonal, a=lambda g, out, a, offset=0, axis1=0, axis2=1: _placed(g, a, offset, axis1, axis2, out))
structural(np.trace, a=_trace)
structural(np.tril, m=lambda g, out, m, k=0: np.tril(g, k))
structural(np.triu, m=lambda g, out, m, k=0: np.triu(g, k))


def _vander(g: Any, out: Any, x: Any, N: int | None = None, increasing: bool = False) -> Any:
    columns = np.shape(out)[1]
    if columns < 2:
        return np.zeros_like(x)
    powers = made(np.arange, 1, columns, dtype=g.dtype)
    if increasing:
        return np.sum(g[:, 1:] * powers * out[:, :-1], axis=1)
    return np.sum(g[:, :-1] * powers[::-1] * out[:, 1:], axis=1)


structural(np.vander, x=_vander)


# ---- windows


def _sliding_window_view(
    g: Any, out: Any, x: Any, window_shape: Any, axis: Any = None, subok: bool = False, writeable: bool = False
) -> Any:
    """Each element collects what arrived at all the windows it was seen through."""
    numbers = made(np.arange, np.size(x))
    flat = np.ndim(x) == 1
    seen = np.lib.stride_tricks.sliding_window_view(
        numbers if flat else np.reshape(numbers, np.shape(x)), window_shape, axis
    )
    collected = np.zeros_like(x if flat else np.ravel(x))
    np.add.at(collected, np.ravel(seen), np.ravel(g))
    return collected if flat else np.reshape(collected, np.shape(x))


structural(np.lib.stride_tricks.sliding_window_view, x=_sliding_window_view)


# ---- grids


@composite(np.meshgrid)
def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    ndim = len(xi)
    order = list(range(ndim))
    if indexing == "xy" and ndim > 1:
        order[:2] = 1, 0
    arrays: Any = [
        np.reshape(as_operand(x), tuple(-1 if k == order[i] else 1 for k in range(ndim))) for i, x in enumerate(xi)
    ]
    if not sparse and ndim > 1:
        lengths = tuple(arrays[i].shape[k] for k, i in enumerate(map(order.index, range(ndim))))
        arrays = [np.broadcast_to(x, lengths) for x in arrays]
    return tuple(np.copy(x) for x in arrays) if copy else arrays


@composite(np.ix_)
def _ix(*args: Any) -> tuple[Any, ...]:
    arrays = []
    for k, x in enumerate(map(as_operand, args)):
        if np.ndim(x) != 1:
            raise ValueError("Cross index must be 1 dimensional")
        positions = np.flatnonzero(x) if x.dtype == bool else x
        arrays.append(np.reshape(positions, tuple(-1 if j == k else 1 for j in range(len(args)))))
    return tuple(arrays)


# ---- calling a function along axes


@composite(np.apply_along_axis)
def _apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    arr = as_operand(arr)
    (place,) = normalise_axes(axis, np.ndim(arr))
    lines = np.moveaxis(arr, place, -1)
    outer = tuple(np.shape(lines)[:-1])
    writes_out(lines)
    positions = list(np.ndindex(outer))
    if not positions:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    results = [func1d(lines[(*position, slice(None))], *args, **kwargs) for position in positions]
    stacked = np.stack([as_operand(result) for result in results])
    inner = tuple(np.shape(stacked)[1:])
    joined = np.reshape(stacked, (*outer, *inner))
    made = range(len(outer), len(outer) + len(inner))
    return np.moveaxis(joined, tuple(made), tuple(range(place, place + len(inner))))


@composite(np.apply_over_axes)
def _apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    value = as_operand(a)
    ndim = np.ndim(value)
    for axis in normalise_axes(tuple(np.atleast_1d(axes)), ndim):
        result = func(value, axis)
        if np.ndim(result) != ndim:
            result = np.expand_dims(result, axis)
            if np.ndim(result) != ndim:
                raise ValueError("function is not returning an array of the correct shape")
        value = result
    return value
