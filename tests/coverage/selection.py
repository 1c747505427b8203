"""Expressions that select, order and index, and those of calculus and series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.coverage.row import Row, spread

__all__ = ["ROWS"]

X = spread(3, 4)
Y = spread(3, 4, seed=1)
VECTOR = spread(7, seed=2)
OTHER = spread(7, seed=3)
SORTED = np.sort(spread(7, seed=4))
LONG = spread(9, low=-8.0, high=8.0, seed=5)
ENDS = np.array([0.4, 1.7])
POLYNOMIAL = np.array([1.3, -0.4, 0.8, 0.25])
DIVISOR = np.array([0.9, 0.6])
INSIDE = spread(5, low=SORTED[0] + 0.05, high=SORTED[-1] - 0.05, seed=6)


def selection(function: str, expression: Callable[..., Any], *args: np.ndarray, refusable: bool = False) -> Row:
    return Row("selection", function, expression, args, refusable)


def series(function: str, expression: Callable[..., Any], *args: np.ndarray) -> Row:
    return Row("calculus and series", function, expression, args)


ROWS = [
    selection("where", lambda x, y: np.where(x > y, x**2, y), X, Y),
    selection("select", lambda x: np.select([x < 0, x > 1], [x**2, x**3], default=1.0), X),
    selection("choose", lambda x, y: np.choose(np.array([0, 1, 1, 0]), [x, y]), X, Y),
    selection("piecewise", lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda v: -v, lambda v: v**2]), X),
    selection("take", lambda x: np.take(x, [2, 0, 2], axis=1), X),
    selection("take_along_axis", lambda x: np.take_along_axis(x, np.argsort(x, axis=1), axis=1), X),
    selection("compress", lambda x: np.compress([True, False, True], x, axis=0), X),
    selection("extract", lambda x: np.extract(x > 0, x), X),
    selection("clip", lambda x: np.clip(x, -1.0, 0.8), X),
    selection("sort", lambda x: np.sort(x, axis=1), X),
    # The order within the parts is not promised, so only their sum and the element between them are used.
    selection("partition", lambda x: np.partition(x, 3)[:3].sum() * np.partition(x, 3)[3], VECTOR),
    selection("unique", lambda x: np.unique(x), X, refusable=True),
    selection("trim_zeros", lambda x: np.trim_zeros(np.concatenate([np.zeros(2), x, np.zeros(1)])), VECTOR),
    selection("getitem basic", lambda x: x[1:, ::-2], X),
    selection("getitem fancy", lambda x: x[[0, 2, 0], [1, 3, 1]], X),
    selection("getitem mask", lambda x: x[x > 0] ** 2, X),
    selection("getitem newaxis", lambda x: x[:, np.newaxis, ..., None] * x[None, :, 0], X),
    selection("round", lambda x: np.round(x) * x, X),
    selection("real_if_close", lambda x: np.real_if_close(x * (1 + 0j)), X),
    selection("fix", lambda x: np.fix(x) * x, X),
    series("diff", lambda x: np.diff(x, n=2, axis=1), X),
    series("ediff1d", lambda x: np.ediff1d(x), VECTOR),
    series("gradient", lambda x: np.gradient(x, 0.5), VECTOR),
    series("interp", lambda values: np.interp(INSIDE, SORTED, values), VECTOR),
    series("interp (x argument)", lambda x: np.interp(x, SORTED, VECTOR), INSIDE),
    series("polyval", lambda p, x: np.polyval(p, x), POLYNOMIAL, VECTOR),
    series("polyfit", lambda x, y: np.polyfit(x, y, 2), VECTOR, OTHER),
    series("poly", lambda roots: np.poly(roots), POLYNOMIAL),
    series("polyadd", lambda p, q: np.polyadd(p, q), POLYNOMIAL, DIVISOR),
    series("polysub", lambda p, q: np.polysub(p, q), DIVISOR, POLYNOMIAL),
    series("polymul", lambda p, q: np.polymul(p, q), POLYNOMIAL, DIVISOR),
    series("polydiv", lambda p, q: np.polydiv(p, q), POLYNOMIAL, DIVISOR),
    series("polyder", lambda p: np.polyder(p, 2), POLYNOMIAL),
    series("polyint", lambda p: np.polyint(p), POLYNOMIAL),
    series("vander", lambda x: np.vander(x, 4), VECTOR),
    # The roots come in no promised order, so only symmetric functions of them are used.
    series("roots", lambda p: np.sum(np.abs(np.roots(p)) ** 3), POLYNOMIAL),
    series("sinc", lambda x: np.sinc(x), X),
    series("i0", lambda x: np.i0(x), VECTOR),
    series("unwrap", lambda x: np.unwrap(x), LONG),
    series("angle", lambda x, y: np.angle(x + 1j * y), X, Y),
    series("real", lambda x, y: np.real((x + 1j * y) ** 2), X, Y),
    series("imag", lambda x, y: np.imag(np.exp(x + 1j * y)), X, Y),
    series("abs (complex)", lambda x, y: np.abs(x + 1j * y), X, Y),
    series("linspace", lambda ends: np.linspace(ends[0], ends[1], 5), ENDS),
    series("logspace", lambda ends: np.logspace(ends[0], ends[1], 4), ENDS),
    series("geomspace", lambda ends: np.geomspace(ends[0], ends[1], 4), ENDS),
    series("bincount (weights)", lambda w: np.bincount([0, 2, 1, 2, 0, 4, 2], weights=w), VECTOR),
    series("histogram (weights)", lambda w: np.histogram(OTHER, bins=3, weights=w)[0], VECTOR),
    series("kaiser window (beta)", lambda beta: np.kaiser(7, beta[0]), ENDS),
]
