"""The methods of ufuncs, ``reduce``, ``accumulate``, ``reduceat`` and ``outer``, written with calls of the ufunc.

``np.add.reduce``, ``np.multiply.accumulate`` and the like that have a function of their own (``np.sum``,
``np.cumprod``) never come here.  ``FALLBACKS`` hold for any ufunc of two operands; ``UFUNC_METHODS`` has better
definitions for single ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.rules.helpers import as_operand, fixed_length, normalise_axes

__all__ = ["FALLBACKS", "UFUNC_METHODS"]

_ABSENT: Any = np._NoValue

# ``f(f(x, y), z) == f(x, f(y, z))``: these can be evaluated in pairs, in as many steps as the length has binary digits.
_ASSOCIATIVE = frozenset(
    (
        np.maximum,
        np.minimum,
        np.fmax,
        np.fmin,
        np.logaddexp,
        np.logaddexp2,
        np.hypot,
        np.logical_xor,
        np.bitwise_and,
        np.bitwise_or,
        np.bitwise_xor,
        np.gcd,
        np.lcm,
    )
)


def _prepared(array: Any, dtype: Any) -> Any:
    array = as_operand(array)
    return array if dtype is None else array.astype(dtype)


def _is_reorderable(ufunc: np.ufunc) -> bool:
    return ufunc in _ASSOCIATIVE or ufunc.identity is not None


def _in_pairs(ufunc: np.ufunc, lines: Any) -> Any:
    """The reduction along the first axis by an associative ufunc: halves against halves."""
    fixed_length(lines)
    while (n := np.shape(lines)[0]) > 1:
        half = ufunc(lines[: n // 2], lines[n // 2 : n - n % 2])
        lines = np.concatenate((half, lines[n - 1 :])) if n % 2 else half
    return lines[0]


def _in_turn(ufunc: np.ufunc, lines: Any, start: Any, where: Any) -> Any:
    """The reduction along the first axis, element by element; what ``where`` leaves out is passed over."""
    result = start
    for k in range(fixed_length(lines)):
        combined = lines[k] if result is _ABSENT else ufunc(result, lines[k])
        result = combined if where is True else np.where(where[k], combined, result)
    return result


def _reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = _ABSENT,
    where: Any = True,
) -> Any:
    array = _prepared(array, dtype)
    axes = normalise_axes(axis, np.ndim(array)) if np.ndim(array) else ()
    if len(axes) != 1 and np.ndim(array) and not _is_reorderable(ufunc):
        raise ValueError(
            f"reduction operation {ufunc.__name__!r} is not reorderable, so at most one axis may be specified"
        )
    start = ufunc.identity if initial is _ABSENT else initial
    start = _ABSENT if start is None else start
    shape = np.shape(array)
    kept = tuple(k for k in range(np.ndim(array)) if k not in axes)
    order = (*axes, *kept)
    length = functools.reduce(lambda total, k: total * shape[k], axes, 1)

    def to_lines(x: Any) -> Any:
        return np.reshape(np.transpose(x, order), (length, *(shape[k] for k in kept)))

    if start is _ABSENT and (length == 0 or where is not True):
        raise ValueError(
            f"reduction operation {ufunc.__name__!r} has no identity: give initial= for an empty axis or a where= mask"
        )
    if where is not True:
        where = to_lines(np.broadcast_to(where, shape))
    lines = to_lines(array)
    if where is True and ufunc in _ASSOCIATIVE and length:
        result = _in_pairs(ufunc, lines)
        # The identity of the ufunc changes nothing in a reduction of at least one element.
        result = result if initial is _ABSENT or initial is None else ufunc(start, result)
    elif length:
        result = _in_turn(ufunc, lines, initial if where is True and initial is not None else start, where)
    else:
        result = np.full_like(array, start, shape=tuple(shape[k] for k in kept))
    return np.expand_dims(result, axes) if keepdims and np.ndim(array) else result


def _accumulate(ufunc: np.ufunc, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    array = _prepared(array, dtype)
    if np.ndim(array) == 0:
        raise TypeError("cannot accumulate on a scalar")
    (place,) = normalise_axes(axis, np.ndim(array))
    lines = array if place == 0 else np.moveaxis(array, place, 0)
    length = fixed_length(lines)
    if ufunc in _ASSOCIATIVE:
        reach = 1
        while reach < length:
            lines = np.concatenate((lines[:reach], ufunc(lines[:-reach], lines[reach:])))
            reach *= 2
    elif length:
        results = [lines[0]]
        for k in range(1, length):
            results.append(ufunc(results[-1], lines[k]))
        lines = np.stack(results)
    return lines if place == 0 else np.moveaxis(lines, 0, place)


def _segments(indices: Any, length: int) -> list[tuple[int, int]]:
    """The stretches that ``reduceat`` reduces: up to the next index, or one element where that is not larger."""
    starts = [int(k) for k in indices]
    if any(not 0 <= k < length for k in starts):
        raise IndexError(f"reduceat: an index is out of bounds for an axis of length {length}")
    return [(k, stop if stop > k else k + 1) for k, stop in zip(starts, [*starts[1:], length], strict=True)]


def _reduceat(ufunc: np.ufunc, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    array = _prepared(array, dtype)
    (place,) = normalise_axes(axis, np.ndim(array))
    lines = array if place == 0 else np.moveaxis(array, place, 0)
    parts = [
        lines[start] if stop == start + 1 else ufunc.reduce(lines[start:stop], axis=0)
        for start, stop in _segments(indices, np.shape(lines)[0])
    ]
    result = np.stack(parts) if parts else lines[:0]
    return result if place == 0 else np.moveaxis(result, 0, place)


def _add_reduceat(array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    """Each element that is read is added to the sum of its stretch: one step for all of them."""
    array = _prepared(array, dtype)
    (place,) = normalise_axes(axis, np.ndim(array))
    shape = np.shape(array)
    segments = _segments(indices, shape[place])
    read = np.concatenate([np.arange(start, stop) for start, stop in segments] or [np.arange(0)])
    sums = np.repeat(np.arange(len(segments)), [stop - start for start, stop in segments])
    result = np.zeros_like(array, shape=(*shape[:place], len(segments), *shape[place + 1 :]))
    index: Any = (*(slice(None),) * place, sums)
    np.add.at(result, index, np.take(array, read, axis=place))
    return result


def _outer(ufunc: np.ufunc, a: Any, b: Any, /, **options: Any) -> Any:
    a, b = as_operand(a), as_operand(b)
    return ufunc(np.reshape(a, (*np.shape(a), *(1,) * np.ndim(b))), b, **options)


FALLBACKS: dict[str, Callable[..., Any]] = {
    "reduce": _reduce,
    "accumulate": _accumulate,
    "reduceat": _reduceat,
    "outer": _outer,
}

UFUNC_METHODS: dict[tuple[np.ufunc, str], Callable[..., Any]] = {(np.add, "reduceat"): _add_reduceat}
