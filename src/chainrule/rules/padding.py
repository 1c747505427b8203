"""The rule of ``np.pad``: what the padding repeats, averages or ramps down to flows back to where it came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import NotDifferentiableError
from chainrule.language import message
from chainrule.ops import structural
from chainrule.rules.helpers import at_axis, made
from chainrule.sizes import is_size

__all__: list[str] = []

_COPYING = ("edge", "reflect", "symmetric", "wrap")
_EXTREMA = {"maximum": np.max, "minimum": np.min}


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    """``pad_width`` in any of its forms as one pair (before, after) per axis."""
    if isinstance(pad_width, dict):
        pairs = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            pairs[axis] = (width, width) if np.ndim(width) == 0 else tuple(width)
        return pairs
    pairs = _pairs(np.array(pad_width, dtype=object), ndim)  # objects, so that sizes stay sizes
    return [tuple(n if is_size(n) else int(n) for n in pair) for pair in pairs]  # type: ignore[misc]


def _pairs(values: Any, ndim: int) -> Any:
    """Values given as one, as a pair, or per axis, as one pair per axis."""
    return np.broadcast_to(np.asarray(values), (ndim, 2))


def _only(axis: int, widths: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The widths of one axis, and none elsewhere."""
    return [pair if k == axis else (0, 0) for k, pair in enumerate(widths)]


def _inner(widths: list[tuple[int, int]], shape: Any, first: int = 0) -> tuple[slice, ...]:
    """The slices of the original area, from axis ``first`` on; everything in the axes before."""
    return tuple(
        slice(before, before + n) if k >= first and (before or after or is_size(before)) else slice(None)
        for k, ((before, after), n) in enumerate(zip(widths, shape, strict=True))
    )


def _pad(
    g: Any,
    out: Any,
    array: Any,
    constant_values: Any = 0,
    pad_width: Any = 0,
    mode: Any = "constant",
    end_values: Any = 0,
    stat_length: Any = None,
    reflect_type: str = "even",
) -> Any:
    shape = np.shape(array)
    widths = _widths(pad_width, len(shape))
    if callable(mode) or mode == "median":
        raise NotDifferentiableError(
            message(
                "np.pad with mode={mode} has no rule in chainrule: the padding could depend on the "
                "array in any way. Compute the padding with other NumPy functions and join it with "
                "np.concatenate.",
                mode=repr(mode),
            )
        )
    if mode in ("constant", "empty") or np.size(array) == 0:
        return g[_inner(widths, shape)]
    if mode in _COPYING and reflect_type == "even":
        sources = np.pad(np.reshape(made(np.arange, np.size(array)), shape), widths, mode=mode)
        collected = np.zeros_like(np.ravel(array))
        np.add.at(collected, np.ravel(sources), np.ravel(g))
        return np.reshape(collected, shape)
    if stat_length is not None:
        stat_length = [(int(before), int(after)) for before, after in _pairs(stat_length, len(shape))]
    if mode in _EXTREMA:
        return _pad_extremum(g, array, widths, mode, stat_length)
    return _pad_linear(g, shape, widths, mode, stat_length, reflect_type)


def _pad_linear(
    g: Any, shape: Any, widths: list[tuple[int, int]], mode: Any, stat_length: Any, reflect_type: str
) -> Any:
    """Axis by axis, the last first, through the matrix that pads one line: the padded columns of an identity."""
    for axis in reversed(range(len(shape))):
        if not any(widths[axis]):
            continue
        options: dict[str, Any] = {}
        if stat_length is not None:
            options["stat_length"] = (stat_length[axis], (1, 1))
        if mode in ("reflect", "symmetric"):
            options["reflect_type"] = reflect_type
        matrix = np.pad(made(np.eye, shape[axis]), [widths[axis], (0, 0)], mode=mode, **options).astype(g.dtype)
        g = np.moveaxis(np.tensordot(g, matrix, axes=(axis, 0)), -1, axis)
    return g


def _pad_extremum(g: Any, array: Any, widths: list[tuple[int, int]], mode: Any, stat_length: Any) -> Any:
    """Axis by axis, the last first: what the two paddings received goes to the extreme elements they repeat.

    Ties share evenly, as in the rules of ``np.max`` and ``np.min``.
    """
    ndim = np.ndim(array)
    options = {} if stat_length is None else {"stat_length": stat_length}
    stages = [array]
    for axis in range(ndim):
        stages.append(np.pad(stages[-1], _only(axis, widths), mode=mode, **options))
    for axis in reversed(range(ndim)):
        stage, (before, after), n = stages[axis], widths[axis], np.shape(array)[axis]
        collected = np.zeros_like(stage)
        collected[...] = g[at_axis(axis, slice(before, before + n))]
        for side, width in enumerate((before, after)):
            if not width:
                continue
            length = n if stat_length is None else min(n, stat_length[axis][side])
            window = at_axis(axis, slice(0, length) if side == 0 else slice(n - length, n))
            received = at_axis(axis, slice(0, width) if side == 0 else slice(before + n, None))
            tied = stage[window] == _EXTREMA[mode](stage[window], axis=axis, keepdims=True)
            share = np.sum(g[received], axis=axis, keepdims=True) / np.sum(tied, axis=axis, keepdims=True)
            collected[window] += tied * share.astype(g.dtype)
        g = collected
    return g


def _pad_constant_values(
    g: Any,
    out: Any,
    array: Any,
    constant_values: Any = 0,
    pad_width: Any = 0,
    mode: Any = "constant",
    end_values: Any = 0,
    stat_length: Any = None,
    reflect_type: str = "even",
) -> Any:
    """The sums over the areas that each value fills: an axis is padded over the padding of those before it."""
    shape = np.shape(array)
    widths = _widths(pad_width, len(shape))
    sums = []
    for axis, (before, after) in enumerate(widths):
        area = g[_inner(widths, shape, axis + 1)]
        end = before + shape[axis]
        sums.append(np.sum(area[at_axis(axis, slice(0, before))]))
        sums.append(np.sum(area[at_axis(axis, slice(end, end + after))]))
    pairs = np.reshape(np.stack(sums), (len(shape), 2))
    given = np.shape(constant_values)
    if np.size(constant_values) == 1:
        return np.reshape(np.sum(pairs), given)
    return pairs


structural(np.pad, array=_pad, constant_values=_pad_constant_values)
