"""Rules for functions that join arrays, cut them apart, or put elements in and take them out.

Joining and cutting are each other's transposes.  Cutting is written as slices, so that what comes out is a view
of what went in, as in NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops import composite, structural, variadic
from chainrule.rules.helpers import as_operand, at_axis, normalise_axes, writes_out

__all__: list[str] = []


def _cut(g: Any, lengths: list[int], axis: int) -> list[Any]:
    """The parts of ``g`` of these lengths along ``axis``."""
    parts, start = [], 0
    for length in lengths:
        stop = start + length
        parts.append(g[at_axis(axis, slice(start, stop))])
        start = stop
    return parts


def _taken(g: Any, arrays: tuple[Any, ...], axis: int, placed: dict[int, tuple[int, ...]]) -> list[Any]:
    """The part of ``g`` that belongs to each array, where some were given further axes before they were joined.

    Args:
        g: the cotangent of what they were joined to.
        arrays: the arrays.
        axis: along which they were joined.
        placed: by their number of axes, the axes of ``g`` that arrays with fewer axes have.
    """
    parts: list[Any] = []
    start: Any = 0
    for x in arrays:
        own = placed.get(np.ndim(x), tuple(range(np.ndim(g))))
        stop = start + (np.shape(x)[own.index(axis)] if axis in own else 1)
        index = [slice(None) if k in own else 0 for k in range(np.ndim(g))]
        index[axis] = slice(start, stop) if axis in own else start
        while index and index[-1] == slice(None):
            index.pop()
        parts.append(g[tuple(index) if len(index) > 1 else index[0]])
        start = stop
    return parts


# ---- joining


def _concatenate(
    g: Any, out: Any, *arrays: Any, axis: Any = 0, dtype: Any = None, casting: str = "same_kind"
) -> list[Any]:
    if axis is None:
        flat = _cut(g, [np.size(x) for x in arrays], 0)
        return [np.reshape(part, np.shape(x)) for part, x in zip(flat, arrays, strict=True)]
    return _taken(g, arrays, normalise_axes(axis, np.ndim(out))[0], {})


def _stack(g: Any, out: Any, *arrays: Any, axis: int = 0, dtype: Any = None, casting: str = "same_kind") -> list[Any]:
    (place,) = normalise_axes(axis, np.ndim(out))
    return [g[at_axis(place, k)] for k in range(len(arrays))]


def _vstack(g: Any, out: Any, *arrays: Any, dtype: Any = None, casting: str = "same_kind") -> list[Any]:
    return _taken(g, arrays, 0, {0: (), 1: (1,)})


def _hstack(g: Any, out: Any, *arrays: Any, dtype: Any = None, casting: str = "same_kind") -> list[Any]:
    return _taken(g, arrays, 0 if np.ndim(out) == 1 else 1, {0: ()})


def _dstack(g: Any, out: Any, *arrays: Any) -> list[Any]:
    return _taken(g, arrays, 2, {0: (), 1: (1,), 2: (0, 1)})


def _column_stack(g: Any, out: Any, *arrays: Any) -> list[Any]:
    return _taken(g, arrays, 1, {0: (), 1: (0,)})


variadic(np.concatenate, _concatenate)
variadic(np.stack, _stack)
variadic(np.vstack, _vstack, sequence="tup")
variadic(np.hstack, _hstack, sequence="tup")
variadic(np.dstack, _dstack, sequence="tup")
variadic(np.column_stack, _column_stack, sequence="tup")


def _depth(arrays: Any) -> int:
    """How deeply the lists of a block matrix are nested."""
    if not isinstance(arrays, list):
        return 0
    if not arrays:
        raise ValueError("List at arrays cannot be empty")
    depths = {_depth(x) for x in arrays}
    if len(depths) > 1:
        raise ValueError("List depths are mismatched: every list of a block matrix must be nested equally deep.")
    return 1 + depths.pop()


def _leaves(arrays: Any) -> list[Any]:
    return [leaf for x in arrays for leaf in _leaves(x)] if isinstance(arrays, list) else [as_operand(arrays)]


@composite(np.block)
def _block(arrays: Any) -> Any:
    depth = _depth(arrays)
    ndim = max(depth, *(np.ndim(x) for x in _leaves(arrays)))

    def assemble(part: Any, level: int) -> Any:
        if level:
            return np.concatenate([assemble(x, level - 1) for x in part], axis=-level)
        x = as_operand(part)
        missing = ndim - np.ndim(x)
        return np.expand_dims(x, tuple(range(missing))) if missing else x

    return assemble(arrays, depth) if depth else np.copy(assemble(arrays, 0))


def _append(g: Any, arr: Any, values: Any, axis: Any) -> tuple[Any, Any]:
    arr, values = as_operand(arr), as_operand(values)
    if axis is None:
        first, second = g[: arr.size], g[arr.size :]
        return np.reshape(first, np.shape(arr)), np.reshape(second, np.shape(values))
    first, second = _taken(g, (arr, values), normalise_axes(axis, np.ndim(g))[0], {})
    return first, second


structural(
    np.append,
    arr=lambda g, out, arr, values, axis=None: _append(g, arr, values, axis)[0],
    values=lambda g, out, arr, values, axis=None: _append(g, arr, values, axis)[1],
)


# ---- cutting


def _pieces(ary: Any, cuts: list[int], axis: int) -> list[Any]:
    (place,) = normalise_axes(axis, np.ndim(ary))
    ends = zip([None, *cuts], [*cuts, None], strict=True)
    return [ary[at_axis(place, slice(start, stop))] for start, stop in ends]


@composite(np.array_split)
def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    ary = as_operand(ary)
    if np.ndim(indices_or_sections):
        return _pieces(ary, [int(k) for k in indices_or_sections], axis)
    sections = int(indices_or_sections)
    if sections <= 0:
        raise ValueError("number sections must be larger than 0.")
    length = np.shape(ary)[axis]
    each, extra = length // sections, length % sections
    writes_out(ary)  # another length may leave another rest
    if not extra:
        return _pieces(ary, [k * each for k in range(1, sections)], axis)
    return _pieces(ary, [k * each + min(k, extra) for k in range(1, sections)], axis)


@composite(np.split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    if np.ndim(indices_or_sections) == 0 and np.shape(ary)[axis] % int(indices_or_sections):
        raise ValueError("array split does not result in an equal division")
    return np.array_split(ary, indices_or_sections, axis)


@composite(np.vsplit)
def _vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    if np.ndim(ary) < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return np.split(ary, indices_or_sections, 0)


@composite(np.hsplit)
def _hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    if np.ndim(ary) < 1:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return np.split(ary, indices_or_sections, 0 if np.ndim(ary) == 1 else 1)


@composite(np.dsplit)
def _dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    if np.ndim(ary) < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return np.split(ary, indices_or_sections, 2)


def _unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    if np.ndim(x) == 0:
        raise ValueError("Input array must be at least 1-d.")
    (place,) = normalise_axes(axis, np.ndim(x))
    return tuple(x[at_axis(place, k)] for k in range(np.shape(x)[axis]))


if hasattr(np, "unstack"):  # NumPy 2.1
    composite(np.unstack)(_unstack)


# ---- taking elements out and putting them in


def _delete(g: Any, out: Any, arr: Any, obj: Any, axis: Any = None) -> Any:
    z = np.zeros_like(np.ravel(arr) if axis is None else arr)
    place = 0 if axis is None else normalise_axes(axis, np.ndim(arr))[0]
    kept = np.delete(np.arange(np.shape(z)[place]), obj)
    z[at_axis(place, kept)] = g
    return np.reshape(z, np.shape(arr))


structural(np.delete, arr=_delete)


def _insert_places(length: int, made: int, obj: Any) -> tuple[Any, Any]:
    """The positions in the result of the elements that were there, and of those that were put in."""
    labels = np.insert(np.full(length, -1), obj, np.arange(made))
    order = np.argsort(labels, stable=True)
    return order[:length], order[length:]


def _insert(g: Any, out: Any, arr: Any, values: Any, obj: Any, axis: Any, which: int) -> Any:
    place = 0 if axis is None else normalise_axes(axis, np.ndim(arr))[0]
    length = np.size(arr) if axis is None else np.shape(arr)[place]
    return np.take(g, _insert_places(length, np.shape(out)[place] - length, obj)[which], place)


def _insert_arr(g: Any, out: Any, arr: Any, values: Any, obj: Any, axis: Any = None) -> Any:
    return np.reshape(_insert(g, out, arr, values, obj, axis, 0), np.shape(arr))


def _insert_values(g: Any, out: Any, arr: Any, values: Any, obj: Any, axis: Any = None) -> Any:
    taken = _insert(g, out, arr, values, obj, axis, 1)
    # At a single position NumPy lets the first axis of the values run along ``axis``.
    at_one = not isinstance(obj, slice) and np.ndim(obj) == 0 and axis is not None
    return np.moveaxis(taken, normalise_axes(axis, np.ndim(arr))[0], 0) if at_one else taken


structural(np.insert, arr=_insert_arr, values=_insert_values)


@composite(np.trim_zeros)
def _trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    filt = as_operand(filt)
    ndim = np.ndim(filt)
    axes = normalise_axes(axis, ndim)
    nonzero = filt != 0
    everything, nothing = slice(None), slice(0, 0)
    if not np.any(nonzero):
        index = tuple(nothing if k in axes else everything for k in range(ndim))
        return filt[index[0] if ndim == 1 else index]
    bounds = []
    for k in range(ndim):
        if k not in axes:
            bounds.append(everything)
            continue
        others = tuple(j for j in range(ndim) if j != k)
        kept = np.any(nonzero, axis=others) if others else nonzero
        first = int(np.argmax(kept)) if "f" in trim.lower() else None
        last = len(kept) - int(np.argmax(kept[::-1])) if "b" in trim.lower() else None
        bounds.append(slice(first, last))
    return filt[bounds[0] if ndim == 1 else tuple(bounds)]
