"""Cases for what chooses elements: taking, conditions, sorting, uniqueness, medians and quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cases.case import Case

_rng = np.random.default_rng(31)


def A(*shape: int) -> Any:
    """A real array of this shape."""
    return _rng.normal(size=shape) if shape else float(_rng.normal())


def P(*shape: int) -> Any:
    """An array of distinct values, far enough apart that no order changes under a small step."""
    return _rng.permutation(np.arange(1, int(np.prod(shape)) + 1)).reshape(shape) / 4 - 1.1


def _some_nan(*shape: int) -> Any:
    """Distinct values with NaNs at fixed places."""
    x = P(*shape)
    x.flat[1::4] = np.nan
    return x


def _masked(function: Any, mask: Any) -> Any:
    """A function of the elements that are not NaN: the others are constants."""
    return lambda x: function(np.where(mask, np.nan, x))


def _pieces(x: Any) -> Any:
    return np.piecewise(x, [x < -0.5, x >= 1.0], [lambda t: t * t, 3.0, lambda t: np.exp(t)])


_BY_POSITION = [
    Case("take", lambda x: np.take(x, [2, 0, 2]), (A(3),), complex_step=True),
    Case("take flat", lambda x: np.take(x, np.array([[5, 0], [-1, 5]])), (A(2, 3),), complex_step=True),
    Case("take axis", lambda x: np.take(x, [1, 1, 0], axis=1), (A(2, 3),), complex_step=True),
    Case("take negative axis", lambda x: np.take(x, np.array([[1, -1]]), axis=-2), (A(2, 3),), complex_step=True),
    Case("take one", lambda x: np.take(x, 1, axis=0), (A(2, 3),), complex_step=True),
    Case("take wrap", lambda x: np.take(x, [4, -5, 1], mode="wrap"), (A(3),), complex_step=True),
    Case("take clip", lambda x: np.take(x, [4, -5, 1], axis=1, mode="clip"), (A(2, 3),), complex_step=True),
    Case("take none", lambda x: np.take(x, np.array([], dtype=int)), (A(3),), complex_step=True),
    Case("take method", lambda x: x.take([1, 1], axis=0), (A(2, 3),), complex_step=True),
    Case(
        "take_along_axis",
        lambda x: np.take_along_axis(x, np.array([[0, 0], [2, 1]]), axis=1),
        (A(2, 3),),
        complex_step=True,
    ),
    Case("take_along_axis argsort", lambda x: np.take_along_axis(x, np.argsort(x, axis=0), axis=0), (P(3, 4),)),
    Case("take_along_axis argmax", lambda x: np.take_along_axis(x, x.argmax(1, keepdims=True), axis=1), (P(3, 4),)),
    Case("take_along_axis flat", lambda x: np.take_along_axis(x, np.array([3, 3, 0]), axis=None), (A(2, 2),)),
    Case("take_along_axis broadcast", lambda x: np.take_along_axis(x, np.array([[1, 1]]), axis=-1), (A(3, 2),)),
    Case("compress", lambda x: np.compress([False, True, True], x, axis=1), (A(2, 3),), complex_step=True),
    Case("compress short", lambda x: np.compress([True, False], x, axis=-1), (A(2, 3),), complex_step=True),
    Case("compress flat", lambda x: np.compress([True, False, True], x), (A(2, 3),), complex_step=True),
    Case("compress method", lambda x: x.compress([True, False, True]), (A(3),), complex_step=True),
    Case("extract", lambda x: np.extract(x > 0, x * x), (P(2, 3),)),
    Case("extract plain condition", lambda x: np.extract(np.array([True, False, True]), x), (A(3),)),
]

_BY_CONDITION = [
    Case("select", lambda x, y: np.select([x > 0, y > 0], [x * y, y], default=2.0), (P(5), P(5))),
    Case("select default", lambda x, t: np.select([x > 0.5], [x], t), (P(5), A())),
    Case("select overlapping", lambda x: np.select([x > 0, x > -1], [x**2, x**3]), (P(3, 2),)),
    Case("choose", lambda x, y: np.choose(np.array([0, 1, 1, 0]), [x, y]), (A(4), A(4)), complex_step=True),
    Case("choose broadcast", lambda x, y: np.choose(np.array([[0], [1]]), [x, y]), (A(3), A()), complex_step=True),
    Case("choose array", lambda c: np.choose([2, 0, 1, 2], c), (A(3, 4),), complex_step=True),
    Case("choose wrap", lambda x, y: np.choose(np.array([3, -2]), [x, y], mode="wrap"), (A(2), A(2))),
    Case("choose clip", lambda x, y: np.choose(np.array([3, -2]), [x, y], mode="clip"), (A(2), A(2))),
    Case("choose one", lambda x: np.choose(np.array([[0], [0]]), [x]), (A(3),)),
    Case("piecewise", _pieces, (P(9),)),
    Case("piecewise matrix", _pieces, (P(3, 3),)),
    Case("piecewise no otherwise", lambda x: np.piecewise(x, [x > 0], [lambda t, k: k * t**2], 3.0), (P(5),)),
    Case("piecewise one condition", lambda x: np.piecewise(x, x > 0, [lambda t: t**3, lambda t: -t]), (P(5),)),
    Case("piecewise overlapping", lambda x: np.piecewise(x, [x > -1, x > 0], [lambda t: t, lambda t: t * t]), (P(5),)),
    Case("piecewise 0-d", lambda x: np.piecewise(x, [x > 0], [lambda t: t * t, 0.0]), (np.array(0.7),)),
]

_BY_ORDER = [
    Case("sort", np.sort, (P(5),)),
    Case("sort axis", lambda x: np.sort(x, axis=0), (P(3, 4),)),
    Case("sort flat", lambda x: np.sort(x, axis=None), (P(3, 4),)),
    Case("sort kind", lambda x: np.sort(x, axis=1, kind="stable"), (P(2, 3, 4),)),
    Case("sort stable", lambda x: np.sort(x, stable=True), (P(5),)),
    Case("sort empty", np.sort, (A(0),)),
    Case("sort descending", lambda x: -(np.sort(-x) ** 3), (P(4),)),
    Case("sort complex", lambda x: np.sort(x) ** 2, (P(4) + 0.5j * P(4),)),
    Case("sort method", lambda x: _sorted_in_place(x.copy()), (P(2, 4),)),
    Case("sort_complex", lambda x: np.sort_complex(x), (P(4),)),
    Case("partition", lambda x: np.partition(x, 2), (P(7),)),
    Case("partition axis", lambda x: np.partition(x, (1, 3), axis=0), (P(5, 2),)),
    Case("partition flat", lambda x: np.partition(x, 3, axis=None), (P(3, 4),)),
    Case("unique", np.unique, (P(5),)),
    Case("unique with counts", lambda x: np.unique(x, return_counts=True)[0], (P(5),)),
    Case("unique rows", lambda x: np.unique(x, axis=0), (P(3, 2),)),
    Case("unique columns", lambda x: np.unique(x, axis=1, return_index=True)[0] ** 2, (P(2, 3),)),
    Case("unique_values", lambda x: np.unique_values(x), (P(5),)),
    Case("unique_all", lambda x: np.unique_all(x).values, (P(5),)),
    Case("unique_counts", lambda x: np.unique_counts(x).values, (P(2, 3),)),
    Case("unique_inverse", lambda x: np.unique_inverse(x).values, (P(5),)),
    Case("union1d", lambda x, y: np.union1d(x, y), (P(3), P(2) + 0.01)),
    Case("setdiff1d", lambda x: np.setdiff1d(x, np.array([-0.84, 9.0])), (P(4) + 0.01,)),
    Case("setxor1d", lambda x, y: np.setxor1d(x, y), (P(3), P(2) + 0.01)),
    Case("intersect1d", lambda x: np.intersect1d(x, np.append(x[1:], 8.0)), (P(4),)),
]


def _sorted_in_place(x: Any) -> Any:
    x.sort(axis=0)
    return x


_MEDIANS = [
    Case("median odd", np.median, (P(5),)),
    Case("median even", np.median, (P(6),)),
    Case("median axis", lambda x: np.median(x, axis=1), (P(3, 4),)),
    Case("median axes", lambda x: np.median(x, axis=(0, -1)), (P(3, 2, 4),)),
    Case("median keepdims", lambda x: np.median(x, axis=0, keepdims=True) * x, (P(3, 4),)),
    Case("median all keepdims", lambda x: np.median(x, keepdims=True), (P(3, 4),)),
    Case("median one", np.median, (P(1),)),
    Case("median 0-d", lambda x: np.median(x), (A(),)),
    Case("nanmedian", _masked(np.nanmedian, np.isnan(_some_nan(7))), (P(7),)),
    Case(
        "nanmedian axis",
        _masked(lambda x: np.nanmedian(x, axis=1, keepdims=True), np.isnan(_some_nan(3, 5))),
        (P(3, 5),),
    ),
]

_METHODS = (
    "linear",
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
)


def _by_method(method: str) -> list[Case]:
    return [
        Case(
            f"quantile {method}",
            lambda x: np.quantile(x, np.array([0.03, 0.31, 0.5, 0.94]), axis=1, method=method),
            (P(2, 5),),
        ),
        Case(f"quantile {method} q", lambda x, q: np.quantile(x, q, method=method), (P(7), 0.37)),
    ]


_QUANTILES = [
    *[case for method in _METHODS for case in _by_method(method)],
    Case("quantile", lambda x: np.quantile(x, 0.3), (P(6),)),
    Case("quantile ends", lambda x: np.quantile(x, [0.0, 1.0]), (P(6),)),
    Case("quantile axes", lambda x: np.quantile(x, 0.4, axis=(0, 2)), (P(3, 2, 4),)),
    Case("quantile keepdims", lambda x: np.quantile(x, [0.2, 0.7], axis=0, keepdims=True), (P(3, 4),)),
    Case("quantile q", lambda x, q: np.quantile(x, q, axis=-1), (P(3, 5), np.array([0.2, 0.9]))),
    Case(
        "quantile weights",
        lambda x: np.quantile(x, 0.4, weights=np.array([1.0, 3.0, 2.0, 1.0]), method="inverted_cdf"),
        (P(4),),
    ),
    Case(
        "quantile weights axis",
        lambda x: np.quantile(x, [0.2, 0.7], axis=1, weights=np.array([1.0, 3.0, 2.0]), method="inverted_cdf"),
        (P(2, 3),),
    ),
    Case("percentile", lambda x: np.percentile(x, 37), (P(6),)),
    Case("percentile several", lambda x: np.percentile(x, [10, 50.5, 83], axis=1), (P(2, 5),)),
    Case("percentile q", lambda x, q: np.percentile(x, q), (P(6), 37.0)),
    Case("percentile keepdims", lambda x: np.percentile(x, 25.0, axis=(0, 1), keepdims=True), (P(3, 4),)),
    Case(
        "nanquantile",
        _masked(lambda x: np.nanquantile(x, [0.2, 0.8], axis=1), np.isnan(_some_nan(3, 5))),
        (P(3, 5),),
    ),
    Case("nanquantile flat", _masked(lambda x: np.nanquantile(x, 0.35), np.isnan(_some_nan(2, 4))), (P(2, 4),)),
    Case(
        "nanquantile q",
        lambda x, q: np.nanquantile(np.where(np.isnan(_NANS), np.nan, x), q, axis=0, method="hazen"),
        (P(4, 3), np.array([0.3, 0.6])),
    ),
    Case(
        "nanpercentile",
        _masked(lambda x: np.nanpercentile(x, 40, axis=0, keepdims=True), np.isnan(_some_nan(4, 3))),
        (P(4, 3),),
    ),
]

_NANS = _some_nan(4, 3)

_CONSTANTS = [
    Case("argsort as an index", lambda x: x[np.argsort(x)] ** 2, (P(4),)),
    Case("argpartition as an index", lambda x: np.sum(x[np.argpartition(x, 2)[:2]]), (P(5),)),
    Case("lexsort as an index", lambda x: x[np.lexsort((x, x > 0))], (P(4),)),
    Case("searchsorted as an index", lambda x, v: x[np.searchsorted(np.sort(x), v)] * v, (P(5), -0.4)),
    Case("digitize as an index", lambda x, w: w[np.digitize(x, [-0.5, 0.5])] * x, (P(5), A(3))),
    Case("nonzero as an index", lambda x: x[np.nonzero(x > 0)], (P(2, 3),)),
    Case("flatnonzero as an index", lambda x: np.ravel(x)[np.flatnonzero(x > 0)], (P(2, 3),)),
    Case("argwhere as an index", lambda x: x[np.argwhere(x > 0)[:, 0]] ** 2, (P(5),)),
    Case("unravel_index", lambda x: x[np.unravel_index(np.argmax(x), (2, 3))], (P(2, 3),)),
    Case("isin as a mask", lambda x: x[np.isin(np.round(x), [0.0, 1.0])], (P(6),)),
    Case("isclose as a mask", lambda x: np.where(np.isclose(x, 0.15), 0.0, x), (P(4),)),
    Case("allclose as a branch", lambda x: x * 2 if np.allclose(x, 0.0) else x * 3, (P(4),)),
    Case("array_equal as a branch", lambda x: x * 2 if np.array_equal(x, x) else x, (P(4),)),
    Case("tril_indices_from", lambda x: x[np.tril_indices_from(x)], (A(3, 3),)),
    Case("triu_indices_from", lambda x: x[np.triu_indices_from(x, k=1)], (A(3, 3),)),
    Case("diag_indices_from", lambda x: x[np.diag_indices_from(x)], (A(3, 3),)),
]

CASES: list[Case] = [*_BY_POSITION, *_BY_CONDITION, *_BY_ORDER, *_MEDIANS, *_QUANTILES, *_CONSTANTS]
