"""Mistakes in steps that work element by element: factors, terms, signs, powers, masks and branches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.check.edits.base import Change, Variant
from chainrule.check.edits.contractions import turned_axes
from chainrule.ir import Step, shape_of
from chainrule.sizes import plain_number

__all__ = ["ARITHMETIC", "like"]


def like(value: Any, *operands: Any) -> Any:
    """A value in the shape that the elementwise step has."""
    shape = np.broadcast_shapes(*map(np.shape, operands))
    return np.broadcast_to(value, shape) if np.shape(value) != shape else value


def _multiply(step: Step, params: Any) -> Iterator[Variant]:
    for n in (0, 1):
        yield from _factor(n)
        shape = shape_of(step.inputs[n])
        for axes in list(turned_axes(len(shape)))[1:]:
            yield "flipped", n, axes, 0.4, _with_turned(n, axes)
        for a, b in itertools.combinations(range(len(shape)), 2):
            if len(shape) > 2 and plain_number(shape[a]) == plain_number(shape[b]) > 1:
                yield "axes exchanged", n, (a, b), 0.3, _with_axes_swapped(n, a, b)
    yield "matmul", -1, None, 0.4, lambda x, v: x[0] @ x[1]
    yield "add", -1, None, 0.6, lambda x, v: x[0] + x[1]


def _with_turned(n: int, axes: tuple[int, ...]) -> Change:
    return lambda x, v: x[1 - n] * np.flip(x[n], axes)


def _with_axes_swapped(n: int, a: int, b: int) -> Change:
    return lambda x, v: x[1 - n] * np.swapaxes(x[n], a, b)


def _factor(n: int) -> Iterator[Variant]:
    """What can be done to one of two factors."""
    yield "drop", n, None, 0.0, lambda x, v: like(x[1 - n], *x)
    yield "square", n, None, 0.3, lambda x, v: x[0] * x[1] * x[n]
    yield "divide", n, None, 0.4, lambda x, v: x[1 - n] / x[n]
    yield "complement", n, None, 0.2, lambda x, v: x[1 - n] * (1 - np.asarray(x[n], float))
    yield "root", n, None, 0.6, lambda x, v: x[1 - n] * np.sqrt(np.abs(x[n]))
    yield "times complement", n, None, 0.5, lambda x, v: x[1 - n] * x[n] * (1 - x[n])
    yield "turned", n, None, 0.6, lambda x, v: x[1 - n] * np.reshape(np.transpose(x[n]), np.shape(x[n]))
    yield "transposed", n, None, 0.3, lambda x, v: x[1 - n] * np.transpose(x[n])
    yield "sign of", n, None, 0.5, lambda x, v: x[1 - n] * np.sign(x[n])
    yield "flipped", n, None, 0.4, lambda x, v: x[1 - n] * np.flip(x[n])
    yield "last axis", n, None, 0.5, lambda x, v: x[1 - n] * np.expand_dims(x[n], -1)


def _divide(step: Step, params: Any) -> Iterator[Variant]:
    yield "drop", 1, None, 0.0, lambda x, v: like(x[0], *x)
    yield "drop", 0, None, 0.2, lambda x, v: like(1.0 / x[1], *x)
    yield "multiply", -1, None, 0.3, lambda x, v: x[0] * x[1]
    yield "square", 1, None, 0.2, lambda x, v: x[0] / x[1] ** 2
    yield "root", 1, None, 0.4, lambda x, v: x[0] / np.sqrt(np.abs(x[1]))
    yield "upside down", -1, None, 0.5, lambda x, v: x[1] / x[0]


def _add(step: Step, params: Any) -> Iterator[Variant]:
    yield "drop term", 0, None, 0.0, lambda x, v: like(x[1], *x)
    yield "drop term", 1, None, 0.0, lambda x, v: like(x[0], *x)
    yield "negate term", 0, None, 0.1, lambda x, v: x[1] - x[0]
    yield "negate term", 1, None, 0.1, lambda x, v: x[0] - x[1]
    yield "double term", 0, None, 0.4, lambda x, v: 2 * x[0] + x[1]
    yield "double term", 1, None, 0.4, lambda x, v: x[0] + 2 * x[1]
    yield "halve term", 0, None, 0.5, lambda x, v: x[0] / 2 + x[1]
    yield "halve term", 1, None, 0.5, lambda x, v: x[0] + x[1] / 2
    yield "multiply terms", -1, None, 0.6, lambda x, v: x[0] * x[1]


def _subtract(step: Step, params: Any) -> Iterator[Variant]:
    yield "drop term", 0, None, 0.0, lambda x, v: like(-x[1], *x)
    yield "drop term", 1, None, 0.0, lambda x, v: like(x[0], *x)
    yield "negate term", 1, None, 0.1, lambda x, v: x[0] + x[1]
    yield "negate term", 0, None, 0.3, lambda x, v: -x[0] - x[1]
    yield "double term", 1, None, 0.5, lambda x, v: x[0] - 2 * x[1]
    yield "halve term", 1, None, 0.5, lambda x, v: x[0] - x[1] / 2
    yield "reversed", -1, None, 0.1, lambda x, v: x[1] - x[0]


def _negative(step: Step, params: Any) -> Iterator[Variant]:
    yield "drop sign", 0, None, 0.0, lambda x, v: x[0]


def _power(step: Step, params: Any) -> Iterator[Variant]:
    yield "power", 1, "+1", 0.2, lambda x, v: x[0] ** (x[1] + 1)
    yield "power", 1, "-1", 0.2, lambda x, v: x[0] ** (x[1] - 1)
    yield "power", 1, "1", 0.2, lambda x, v: x[0]
    yield "power", 1, "negated", 0.3, lambda x, v: x[0] ** (-x[1])


def _mask(step: Step, params: Any) -> Iterator[Variant]:
    function = step.operation.function
    yield "invert mask", -1, None, 0.0, lambda x, v: ~np.asarray(function(*x))
    yield "all true", -1, None, 0.0, lambda x, v: np.ones(np.broadcast_shapes(*map(np.shape, x)), bool)
    yield "other side", -1, None, 0.2, lambda x, v: function(x[0], -np.asarray(x[1]))
    if step.operation.name == "equal":  # what a clip leaves as it is, on one side alone
        yield "one side", -1, "below", 0.1, lambda x, v: np.greater_equal(*x)
        yield "one side", -1, "above", 0.1, lambda x, v: np.less_equal(*x)


def _both(step: Step, params: Any) -> Iterator[Variant]:
    yield "one side", 0, None, 0.1, lambda x, v: np.asarray(x[0], bool)
    yield "one side", 1, None, 0.1, lambda x, v: np.asarray(x[1], bool)


def _where(step: Step, params: Any) -> Iterator[Variant]:
    yield "swap branches", -1, None, 0.0, lambda x, v: np.where(x[0], x[2], x[1])
    yield "one branch", 1, None, 0.1, lambda x, v: like(x[1], *x)
    yield "one branch", 2, None, 0.1, lambda x, v: like(x[2], *x)
    yield "zero branch", 1, None, 0.3, lambda x, v: np.where(x[0], 0.0, x[2])
    yield "zero branch", 2, None, 0.3, lambda x, v: np.where(x[0], x[1], 0.0)


_MASKS = dict.fromkeys("greater greater_equal less less_equal equal not_equal".split(), _mask)
ARITHMETIC: dict[str, Callable[[Step, Any], Iterator[Variant]]] = {
    "multiply": _multiply,
    "divide": _divide,
    "add": _add,
    "subtract": _subtract,
    "negative": _negative,
    "power": _power,
    "where": _where,
    **dict.fromkeys("logical_and logical_or bitwise_and bitwise_or".split(), _both),
    **_MASKS,
}
