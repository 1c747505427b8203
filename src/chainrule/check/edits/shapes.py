"""Mistakes in steps that move, reduce or contract axes, and in those that read and write parts of arrays."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.check.edits.base import Change, Variant, axes_of, with_index
from chainrule.indexing import HOLE, Index, get_item, set_item
from chainrule.ir import Const, Step, Var

__all__ = ["SHAPES"]


def _rank(x: Var | Const) -> int:
    return len(x.shape) if isinstance(x, Var) else np.ndim(x.value)


def _sum(step: Step, params: Any) -> Iterator[Variant]:
    rank = _rank(step.inputs[0])
    axes, keeps = axes_of(params, rank), bool(params.get("keepdims", False))
    yield "no sum", 0, axes, 0.0, lambda x, v: x[0]
    yield "mean", 0, axes, 0.2, lambda x, v: np.mean(x[0], axis=axes, keepdims=keeps)
    yield "keepdims", 0, axes, 0.2, lambda x, v: np.sum(x[0], axis=axes, keepdims=not keeps)
    yield "counted once", 0, axes, 0.5, lambda x, v: _once(x[0], axes, keeps)
    yield "one row", 0, axes, 0.5, lambda x, v: _last(x[0], axes, keeps)
    yield "one row", 0, axes, 0.6, lambda x, v: _last(x[0], axes, keeps, 0)
    for others in _other_axes(rank, axes):
        word = "all axes" if len(others) == rank else "axis"
        yield word, 0, others, 0.1, _reduced(np.sum, others, keeps)
        yield word, 0, others, 0.3, _reduced(np.sum, others, not keeps)
        yield "axis", 0, others, 0.15, _as_mean(axes, others, keeps)


def _other_axes(rank: int, axes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for count in range(1, rank + 1):
        for others in itertools.combinations(range(rank), count):
            if others != axes:
                yield others


def _as_mean(axes: tuple[int, ...], others: tuple[int, ...], keeps: bool) -> Change:
    """A sum along other axes that is divided by their length where it was by that of the right ones."""

    def change(x: Sequence[Any], v: Any) -> Any:
        count = np.prod([np.shape(x[0])[a] for a in axes])
        return np.mean(x[0], axis=others, keepdims=keeps) * count

    return change


def _reduced(function: Any, axes: tuple[int, ...], keeps: bool) -> Change:
    return lambda x, v: function(x[0], axis=axes, keepdims=keeps)


def _once(x: Any, axes: tuple[int, ...], keeps: bool) -> Any:
    """The largest of each group, whatever it is, once per group."""
    shape = np.shape(np.sum(x, axis=axes, keepdims=keeps))
    values = np.ravel(x)
    return np.full(shape, values[np.argmax(np.abs(values))])


def _last(x: Any, axes: tuple[int, ...], keeps: bool, which: int = -1) -> Any:
    for axis in sorted(axes, reverse=True):
        x = np.take(x, [which] if keeps else which, axis=axis)
    return x


def _mean(step: Step, params: Any) -> Iterator[Variant]:
    rank = _rank(step.inputs[0])
    axes, keeps = axes_of(params, rank), bool(params.get("keepdims", False))
    yield "no sum", 0, axes, 0.1, lambda x, v: x[0]
    yield "sum", 0, axes, 0.0, lambda x, v: np.sum(x[0], axis=axes, keepdims=keeps)
    for others in _other_axes(rank, axes):
        yield "axis", 0, others, 0.1, _reduced(np.mean, others, keeps)


def _transpose(step: Step, params: Any) -> Iterator[Variant]:
    yield "no transpose", 0, None, 0.0, lambda x, v: x[0]
    yield "reshape", 0, None, 0.2, lambda x, v: _reshaped(x[0], step, params)
    rank = len(step.outputs[0].shape)
    if rank > 2:
        yield "all axes", 0, None, 0.1, lambda x, v: np.transpose(x[0])
        for axes in itertools.permutations(range(rank)):
            yield "axes", 0, axes, 0.4, _permuted(axes)


def _permuted(axes: tuple[int, ...]) -> Change:
    return lambda x, v: np.transpose(x[0], axes)


def _reshaped(x: Any, step: Step, params: Any) -> Any:
    function = step.operation.function
    return np.reshape(x, np.shape(function(x, **params)))


def matrix(x: Any) -> Any:
    """A matrix, or each of a stack of them, transposed."""
    return np.swapaxes(x, -1, -2) if np.ndim(x) > 1 else x


def _product(f: Callable[[Any], Any], g: Callable[[Any], Any], swapped: bool) -> Change:
    if swapped:
        return lambda x, v: g(x[1]) @ f(x[0])
    return lambda x, v: f(x[0]) @ g(x[1])


def _matmul(step: Step, params: Any) -> Iterator[Variant]:
    forms: dict[str, Callable[[Any], Any]] = {"": lambda x: x, "T": matrix, "all": np.transpose}
    for (left, f), (right, g) in itertools.product(forms.items(), forms.items()):
        names = f"{left or '-'} {right or '-'}"
        if left or right:
            cost = 0.1 + 0.1 * bool(left and right) + 0.1 * ("all" in (left, right))
            yield f"transposed {names}", -1, None, cost, _product(f, g, False)
        yield f"swapped {names}", -1, None, 0.2 + 0.1 * bool(left or right), _product(f, g, True)
    yield "elementwise", -1, None, 0.2, lambda x, v: x[0] * x[1]
    yield "elementwise", -1, None, 0.3, lambda x, v: matrix(x[0]) * x[1]
    yield "elementwise", -1, None, 0.3, lambda x, v: x[0] * matrix(x[1])
    yield "last only", -1, None, 0.3, lambda x, v: x[0][..., -1:] @ x[1][..., -1:, :]
    yield "first only", -1, None, 0.5, lambda x, v: x[0][..., :1] @ x[1][..., :1, :]
    yield "mean", -1, None, 0.3, lambda x, v: (x[0] @ x[1]) / np.shape(x[0])[-1]
    yield "drop", 0, None, 0.4, lambda x, v: x[1]
    yield "drop", 1, None, 0.4, lambda x, v: x[0]
    yield "flipped", 0, None, 0.4, lambda x, v: np.flip(x[0]) @ x[1]
    yield "flipped", 1, None, 0.4, lambda x, v: x[0] @ np.flip(x[1])
    yield "summed", 0, None, 0.5, lambda x, v: np.ones_like(x[0]) @ x[1]
    yield "summed", 1, None, 0.5, lambda x, v: x[0] @ np.ones_like(x[1])


def _reshape(step: Step, params: Any) -> Iterator[Variant]:
    def shape_of(x: Sequence[Any]) -> Any:
        return np.shape(step.operation.function(*x, **params))

    yield "not reshaped", 0, None, 0.3, lambda x, v: x[0]
    yield "other order", 0, "F", 0.2, lambda x, v: np.reshape(x[0], shape_of(x), order="F")
    yield "other order", 0, "transposed first", 0.2, lambda x, v: np.reshape(np.transpose(x[0]), shape_of(x))
    yield "other order", 0, "transposed after", 0.2, lambda x, v: np.reshape(x[0], shape_of(x)[::-1]).T
    for a, b in itertools.combinations(range(min(5, _rank(step.inputs[0]))), 2):
        yield "other order", 0, (a, b), 0.3, _swapped_first(a, b, shape_of)


def _swapped_first(a: int, b: int, shape_of: Callable[[Sequence[Any]], Any]) -> Change:
    return lambda x, v: np.reshape(np.swapaxes(x[0], a, b), shape_of(x))


def _add_at(step: Step, params: Any) -> Iterator[Variant]:
    index: Index = params["index"]
    if not index.basic:
        yield "overwrites", -1, None, 0.0, lambda x, v: set_item(x[0], x[1], *x[2:], index=index)
        yield "overwrites", -1, "first", 0.1, lambda x, v: _first_written(x, index)
        yield "adds once", -1, None, 0.0, lambda x, v: _buffered(x, index)
        yield "everywhere", -1, None, 0.2, lambda x, v: x[0] + _spread(x)
        for place in range(len(index.parts)):
            if index.parts[place] is HOLE and len(index.parts) > 1:
                yield "every row", place, None, 0.25, _every_row(index, place)
        yield "averaged", -1, None, 0.3, lambda x, v: _averaged(x, index)
        yield "read instead", -1, None, 0.2, lambda x, v: get_item(x[1], *x[2:], index=index)
        yield "target once", -1, None, 0.1, lambda x, v: set_item(x[0], _unit(x), *x[2:], index=index)
    yield "overwrites", -1, None, 0.3, lambda x, v: set_item(x[0], x[1], *x[2:], index=index)
    yield from _moved_index(step, params, 2)
    yield "drop term", 1, None, 0.1, lambda x, v: x[0]
    yield "drop term", 0, None, 0.1, lambda x, v: np.zeros_like(x[0]) + _scattered(x, index)


def _unit(x: Sequence[Any]) -> Any:
    """The sign of the values that belong to single elements, as large as one of the others is."""
    return np.sign(x[1]) * np.max(np.abs(x[0]), initial=0.0)


def _spread(x: Sequence[Any]) -> Any:
    """The values that belong to single elements, for all elements of their row."""
    value = np.asarray(x[1])
    return np.broadcast_to(value.reshape(value.shape + (1,) * (np.ndim(x[0]) - value.ndim)), np.shape(x[0]))


def _every_row(index: Index, place: int) -> Change:
    """The values are written for every element of one axis, and not for the one that belongs to each."""
    holes = sum(p is HOLE for p in index.parts[:place])
    parts = (*index.parts[:place], slice(None), *index.parts[place + 1 :])
    other = Index(parts, index.single)

    def change(x: Sequence[Any], v: Any) -> Any:
        arrays = [a for n, a in enumerate(x[2:]) if n != holes]
        out = np.array(x[0], float)
        out[other.key(tuple(arrays))] += x[1]
        return out

    return change


def _first_written(x: Sequence[Any], index: Index) -> Any:
    """What stands there when the shares are written in the opposite order, so that the first one is left."""
    places = np.arange(np.size(x[0])).reshape(np.shape(x[0]))[index.key(tuple(x[2:]))]
    out = np.array(x[0], float)
    out.reshape(-1)[np.ravel(places)[::-1]] = np.ravel(np.broadcast_to(x[1], places.shape))[::-1]
    return out


def _buffered(x: Sequence[Any], index: Index) -> Any:
    out = np.copy(x[0])
    out[index.key(tuple(x[2:]))] += x[1]
    return out


def _averaged(x: Sequence[Any], index: Index) -> Any:
    """What is added to an element, divided by how often it is."""
    key = index.key(tuple(x[2:]))
    counts = np.zeros(np.shape(x[0]))
    np.add.at(counts, key, 1.0)
    return x[0] + _scattered([np.zeros(np.shape(x[0])), *x[1:]], index) / np.maximum(counts, 1)


def _scattered(x: Sequence[Any], index: Index) -> Any:
    out = np.zeros_like(x[0])
    np.add.at(out, index.key(tuple(x[2:])), x[1])
    return out


def _moved_index(step: Step, params: Any, split: int) -> Iterator[Variant]:
    """Neighbouring elements, windows that start elsewhere, steps of another width."""
    index: Index = params["index"]
    function = step.operation.function
    for place, part in enumerate(index.parts):
        for word, by, other in _moved(part):
            parts = (*index.parts[:place], other, *index.parts[place + 1 :])
            yield word, place, by, 0.2, with_index(function, Index(parts, index.single))
    moved = {p: list(_moved(part)) for p, part in enumerate(index.parts) if type(part) is slice}
    for word, by in dict.fromkeys((w, b) for own in moved.values() for w, b, _ in own if w != "reversed"):
        each = {p: m for p, own in moved.items() for w, b, m in own if (w, b) == (word, by)}
        if len(each) > 1:  # of an image in both directions
            parts = tuple(each.get(p, part) for p, part in enumerate(index.parts))
            yield word, -1, by, 0.15, with_index(function, Index(parts, index.single))


def _moved(part: Any) -> Iterator[tuple[str, str, Any]]:
    """Other parts of an index: a word, how they differ, which is the same in each turn of a loop, and the part."""
    if isinstance(part, int | np.integer) and not isinstance(part, bool):
        n = int(part)
        yield "off by one", "+1", n + 1
        yield "off by one", "-1", n - 1
        if n > 0:
            yield "from the end", "", -n - 1
    elif type(part) is slice:
        start, stop, width = (None if e is None else int(e) for e in (part.start, part.stop, part.step))
        if width is not None and width not in (1, -1):
            end = None if stop is None else (start or 0) + -(-(stop - (start or 0)) // width)
            yield "stride ignored", "short", slice(start, end)
            yield "stride ignored", "long", slice(start, stop)
        if width == -1:
            yield "not reversed", "", slice(None, None)
        if start is None and stop is None and width is None:
            yield "reversed", "", slice(None, None, -1)
        elif width in (None, 1):
            for by in (1, -1):
                moved = slice(None if start is None else start + by, None if stop is None else stop + by)
                if (moved.start is None or moved.start >= 0 or (start or 0) < 0) and moved.stop != 0:
                    yield "off by one", f"{by:+}", moved
            if start is not None and stop is not None and start >= 0:
                yield "from the start", "", slice(0, stop - start)


def _getitem(step: Step, params: Any) -> Iterator[Variant]:
    yield from _moved_index(step, params, 1)
    yield "not indexed", 0, None, 0.3, lambda x, v: x[0]


def _flip(step: Step, params: Any) -> Iterator[Variant]:
    yield "not reversed", 0, None, 0.0, lambda x, v: x[0]


def _cumulative(step: Step, params: Any) -> Iterator[Variant]:
    function = step.operation.function
    axis = params.get("axis", params.get("argument 1"))
    yield "drop function", 0, None, 0.2, lambda x, v: x[0]
    if axis is not None:
        yield "not reversed", 0, None, 0.1, lambda x, v: np.flip(function(np.flip(x[0], axis), axis=axis), axis)


def _roll(step: Step, params: Any) -> Iterator[Variant]:
    function = step.operation.function
    shift = params.get("shift", params.get("argument 1"))
    key = "shift" if "shift" in params else "argument 1"
    if isinstance(shift, int):
        yield "not reversed", 0, None, 0.0, lambda x, v: function(x[0], **{**params, key: -shift})
    yield "drop function", 0, None, 0.2, lambda x, v: x[0]


def _stacked(step: Step, params: Any) -> Iterator[Variant]:
    function = step.operation.function
    yield "reversed", -1, None, 0.2, lambda x, v: function(list(x)[::-1], **params)


SHAPES: dict[str, Callable[[Step, Any], Iterator[Variant]]] = {
    "sum": _sum,
    "mean": _mean,
    "transpose": _transpose,
    "swapaxes": _transpose,
    "moveaxis": _transpose,
    "matrix_transpose": _transpose,
    "matmul": _matmul,
    "dot": _matmul,
    "reshape": _reshape,
    "add.at": _add_at,
    "getitem": _getitem,
    "flip": _flip,
    "cumsum": _cumulative,
    "roll": _roll,
    "concatenate": _stacked,
    "stack": _stacked,
}
