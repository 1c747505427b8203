"""Mistakes in contractions and correlations: operands turned around, axes in another order, one element alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from chainrule.check.edits.base import Change, Variant
from chainrule.ir import Step, shape_of

__all__ = ["CONTRACTIONS", "turned_axes"]


def turned_axes(rank: int) -> Iterator[tuple[int, ...]]:
    """The axes along which an operand may be turned around: all, the last two, and each of these."""
    found = [tuple(range(rank)), tuple(range(max(0, rank - 2), rank)), *((a,) for a in range(max(0, rank - 2), rank))]
    yield from dict.fromkeys(axes for axes in found if axes)


def _flipped(function: Any, params: Any, n: int, axes: tuple[int, ...]) -> Change:
    def change(x: Sequence[Any], v: Any) -> Any:
        return function(*_with(n, x, np.flip(x[n], axes)), **params)

    return change


def _with(n: int, x: Sequence[Any], other: Any) -> list[Any]:
    return [*x[:n], other, *x[n + 1 :]]


def _einsum(step: Step, params: Any) -> Iterator[Variant]:
    subscripts = params["subscripts"].replace(" ", "")
    before, _, after = subscripts.partition("->")
    words = before.split(",")
    for n, word in enumerate(words):
        if 1 < len(word) < 4:
            for other in itertools.permutations(word):
                if "".join(other) != word:
                    text = ",".join(_with(n, words, "".join(other))) + "->" + after
                    yield "transposed", n, None, 0.2, _contracted(text)
    for other in itertools.permutations(after):
        if "".join(other) != after and len(after) < 5:
            yield "transposed", -1, None, 0.2, _contracted(before + "->" + "".join(other))
    if "..." in subscripts:
        return
    for letter in dict.fromkeys(x for word in words for x in word if x not in after):
        yield "last only", -1, letter, 0.3, _one_of(subscripts, words, letter, slice(-1, None))
        yield "first only", -1, letter, 0.5, _one_of(subscripts, words, letter, slice(0, 1))
        yield "mean", -1, letter, 0.4, _averaged(subscripts, words, letter)
    for n, word in enumerate(words):
        for axes in turned_axes(len(word)):
            yield "flipped", n, axes, 0.3, _flipped(partial(np.einsum, subscripts), {}, n, axes)
        if 1 < len(word) < 5:
            for order in itertools.permutations(range(len(word))):
                if order != tuple(range(len(word))):
                    yield "reshape", n, order, 0.4, _read_in_order(subscripts, n, order)


def _contracted(subscripts: str) -> Change:
    return lambda x, v: np.einsum(subscripts, *x)


def _one_of(subscripts: str, words: Sequence[str], letter: str, which: slice) -> Change:
    """One element of a summed axis alone."""

    def change(x: Sequence[Any], v: Any) -> Any:
        cut = [a[tuple(which if c == letter else slice(None) for c in w)] for a, w in zip(x, words, strict=True)]
        return np.einsum(subscripts, *cut)

    return change


def _averaged(subscripts: str, words: Sequence[str], letter: str) -> Change:
    def change(x: Sequence[Any], v: Any) -> Any:
        count = next(np.shape(a)[w.index(letter)] for a, w in zip(x, words, strict=True) if letter in w)
        return np.einsum(subscripts, *x) / count

    return change


def _read_in_order(subscripts: str, n: int, order: tuple[int, ...]) -> Change:
    """An operand whose numbers are read as if its axes stood in another order: reshaped, and not transposed."""

    def change(x: Sequence[Any], v: Any) -> Any:
        other = np.reshape(x[n], [np.shape(x[n])[a] for a in order])
        return np.einsum(subscripts, *_with(n, x, np.transpose(other, np.argsort(order))))

    return change


def _correlated(step: Step, params: Any) -> Iterator[Variant]:
    function = step.operation.function
    for n in range(2):
        yield "flipped", n, None, 0.1, _flipped(function, params, n, (0,))
    yield "not reversed", -1, None, 0.2, lambda x, v: function(*x, **params)[::-1]
    yield "exchanged operands", -1, None, 0.2, lambda x, v: function(x[1], x[0], **params)


def _tensordot(step: Step, params: Any) -> Iterator[Variant]:
    function = step.operation.function
    for n in range(2):
        for axes in turned_axes(len(shape_of(step.inputs[n]))):
            yield "flipped", n, axes, 0.3, _flipped(function, params, n, axes)


CONTRACTIONS: dict[str, Callable[[Step, Any], Iterator[Variant]]] = {
    "einsum": _einsum,
    "convolve": _correlated,
    "correlate": _correlated,
    "tensordot": _tensordot,
}
