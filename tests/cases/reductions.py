"""Cases for sums, products, means, variances, extrema and their cumulative forms."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cases.case import Case

_rng = np.random.default_rng(11)


def A(*shape: int) -> Any:
    """A real array of this shape."""
    return _rng.normal(size=shape) if shape else float(_rng.normal())


def C(*shape: int) -> Any:
    """A complex array of this shape."""
    return _rng.normal(size=shape) + 1j * _rng.normal(size=shape)


def D(*shape: int) -> Any:
    """An array of distinct values, far enough apart that no order changes under a small step."""
    return _rng.permutation(np.arange(1, int(np.prod(shape)) + 1)).reshape(shape) / 4 - 1.1


def P(*shape: int) -> Any:
    """A positive array of this shape."""
    return _rng.uniform(0.4, 2.0, size=shape)


def N(*shape: int) -> Any:
    """Distinct values with some NaN among them, never a whole row or column."""
    values = D(*shape)
    values.reshape(-1)[[1, 5, 6]] = np.nan
    return values


def Z(*shape: int) -> Any:
    """An array with one zero in the first row, two in the second, none in the others."""
    values = A(*shape)
    values[0, 1] = values[1, 0] = values[1, 2] = 0.0
    return values


MASK = np.array([[True, False, True, False], [False, False, True, True], [True, True, False, True]])


def _sums_like(name: str, *, analytic: bool = True) -> list[Case]:
    """What all reductions of an array have in common: axes, keepdims, methods, empty and 0-d arrays."""
    f = getattr(np, name)
    several = {"max", "min", "amax", "amin", "ptp", "nanmax", "nanmin"}
    draw = D if name in several else A
    cases = [
        Case(name, lambda x: f(x), (draw(3, 4),), complex_step=analytic),
        Case(f"{name} axis 0", lambda x: f(x, axis=0), (draw(3, 4),), complex_step=analytic),
        Case(f"{name} axis 1", lambda x: f(x, 1), (draw(3, 4, 2),), complex_step=analytic),
        Case(f"{name} axis -1", lambda x: f(x, axis=-1), (draw(3, 4),), complex_step=analytic),
        Case(f"{name} keepdims", lambda x: f(x, axis=1, keepdims=True), (draw(3, 4),), complex_step=analytic),
        Case(f"{name} all keepdims", lambda x: f(x, keepdims=True), (draw(3, 4),), complex_step=analytic),
        Case(f"{name} axes", lambda x: f(x, axis=(0, -1)), (draw(3, 2, 4),), complex_step=analytic),
        Case(
            f"{name} axes keepdims", lambda x: f(x, axis=(2, 0), keepdims=True), (draw(3, 2, 4),), complex_step=analytic
        ),
        Case(f"{name} chained", lambda x: f(f(x, axis=1) ** 2, axis=0), (draw(3, 4, 2),), complex_step=analytic),
        Case(f"{name} lazy", lambda x: f(x, axis=1).sum(axis=0).mean(), (draw(3, 4, 2),), complex_step=analytic),
        Case(f"{name} one element", lambda x: f(x, axis=0), (draw(1, 3),)),
        Case(f"{name} beside empty", lambda x: f(x, axis=1), (A(0, 3),)),
    ]
    if name not in {"std", "nanstd"}:
        cases.append(Case(f"{name} 0-d", lambda x: f(x), (np.array(1.3),), complex_step=analytic))
    if hasattr(np.ndarray, name):
        cases.append(
            Case(f"{name} method", lambda x: getattr(x, name)(axis=1) * 2, (draw(3, 4),), complex_step=analytic)
        )
    return cases


_COMMON = [
    *_sums_like("sum"),
    *_sums_like("prod"),
    *_sums_like("mean"),
    *_sums_like("var", analytic=False),
    *_sums_like("std", analytic=False),
    *_sums_like("max", analytic=False),
    *_sums_like("min", analytic=False),
    *_sums_like("amax", analytic=False),
    *_sums_like("amin", analytic=False),
    *_sums_like("ptp", analytic=False),
    *_sums_like("nansum"),
    *_sums_like("nanprod"),
    *_sums_like("nanmean"),
    *_sums_like("nanvar", analytic=False),
    *_sums_like("nanstd", analytic=False),
    *_sums_like("nanmax", analytic=False),
    *_sums_like("nanmin", analytic=False),
]

_SUMS = [
    Case("sum empty", lambda x: np.sum(x), (A(0),)),
    Case("sum axis empty", lambda x: np.sum(x, axis=0), (A(0, 3),)),
    Case("sum no axis", lambda x: np.sum(x, axis=()), (A(3, 2),), complex_step=True),
    Case("sum list", lambda x, y: np.sum([x, y * y]), (A(3), A(3)), complex_step=True),
    Case("sum dtype", lambda x: np.sum(x, dtype=np.float64), (A(3, 4),), complex_step=False),
    Case("sum dtype complex", lambda x: np.sum(x, axis=0, dtype=complex) * (1 + 2j), (A(3, 4),)),
    Case("sum complex", lambda z: np.sum(z * z, axis=0), (C(3, 4),)),
    Case("sum where", lambda x: np.sum(x, where=MASK), (A(3, 4),), complex_step=True),
    Case("sum where axis", lambda x: np.sum(x, axis=1, where=MASK), (A(3, 4),), complex_step=True),
    Case("sum where narrow", lambda x: np.sum(x, axis=0, where=MASK[0]), (A(3, 4),), complex_step=True),
    Case("sum where column", lambda x: np.sum(x, keepdims=True, where=MASK[:, 1:2]), (A(3, 4),), complex_step=True),
    Case("sum where traced", lambda x: np.sum(x * x, axis=1, where=x > 0), (A(3, 4),)),
    Case("sum where hides", lambda x: np.sum(np.log(np.abs(x)), where=x > 0), (A(3, 4),)),
    Case("sum initial", lambda x: np.sum(x, axis=1, initial=2.0) ** 2, (A(3, 4),), complex_step=True),
    Case("sum initial traced", lambda x, i: np.sum(x, axis=1, initial=i) ** 2, (A(3, 4), A()), complex_step=True),
    Case("sum initial lazy", lambda x, i: np.sum(x, axis=1, initial=i).sum(), (A(3, 4), A()), complex_step=True),
    Case("sum out", lambda x: np.sum(x * x, axis=0, out=np.empty(4)), (A(3, 4),)),
    Case("sum everything", lambda x: np.sum(x, 0, keepdims=True, initial=1, where=MASK), (A(3, 4),), complex_step=True),
    Case("mean where", lambda x: np.mean(x, axis=1, where=MASK), (A(3, 4),), complex_step=True),
    Case("mean where all", lambda x: np.mean(x, where=MASK), (A(3, 4),), complex_step=True),
    Case("mean where keepdims", lambda x: np.mean(x, axis=0, keepdims=True, where=MASK[:, :1]), (A(3, 4),)),
    Case("mean where lazy", lambda x: np.mean(x, axis=1, where=MASK).mean(), (A(3, 4),), complex_step=True),
    Case("mean dtype", lambda x: np.mean(x, axis=0, dtype=np.float64), (A(3, 4),)),
    Case("mean complex", lambda z: np.mean(z * z, axis=0), (C(3, 4),)),
    Case("mean of means", lambda x: np.mean(np.mean(x, axis=0)), (A(3, 4),), complex_step=True),
]


def _variance_cases(name: str) -> list[Case]:
    f = getattr(np, name)
    return [
        Case(f"{name} ddof", lambda x: f(x, axis=0, ddof=1), (A(3, 4),)),
        Case(f"{name} correction", lambda x: f(x, axis=(0, 1), correction=1), (A(3, 4),)),
        Case(f"{name} dtype", lambda x: f(x, axis=0, dtype=np.float64), (A(3, 4),)),
        Case(f"{name} complex", lambda z: f(z, axis=0), (C(3, 4),)),
        Case(f"{name} where", lambda x: f(x, axis=1, where=MASK), (A(3, 4),)),
        Case(f"{name} where ddof", lambda x: f(x, axis=1, ddof=0.5, where=MASK, keepdims=True), (A(3, 4),)),
        Case(f"{name} where all", lambda x: f(x, where=MASK), (A(3, 4),)),
        Case(f"{name} mean", lambda x, m: f(x, axis=1, mean=m), (A(3, 4), A(3, 1))),
        Case(f"{name} own mean", lambda x: f(x, axis=0, mean=x.mean(axis=0, keepdims=True)), (A(3, 4),)),
        Case(f"{name} mean lazy", lambda x, m: f(x, axis=1, mean=m).sum(), (A(3, 4), A(3, 1))),
        Case(f"{name} mean complex", lambda z, m: f(z, axis=0, mean=m), (C(3, 4), C(1, 4))),
        Case(f"{name} mean where", lambda x, m: f(x, axis=1, mean=m, where=MASK), (A(3, 4), A(3, 1))),
        Case(f"nan{name} twice", lambda x: f(x * 2, axis=1) + getattr(np, f"nan{name}")(x, 1), (A(3, 4),)),
        Case(f"nan{name} with NaN", lambda x: getattr(np, f"nan{name}")(x, axis=1, ddof=0.5), (N(3, 4),)),
        Case(f"nan{name} keepdims with NaN", lambda x: getattr(np, f"nan{name}")(x, keepdims=True), (N(3, 4),)),
        Case(f"nan{name} correction", lambda x: getattr(np, f"nan{name}")(x, axis=0, correction=0.5), (N(3, 4),)),
        Case(f"nan{name} where", lambda x: getattr(np, f"nan{name}")(x, axis=0, where=x < 1.3), (N(5, 2),)),
    ]


_PRODUCTS = [
    Case("prod empty", lambda x: np.prod(x), (A(0),)),
    Case("prod zeros", lambda x: np.prod(x, axis=1), (Z(3, 4),), complex_step=False),
    Case("prod zeros all", lambda x: np.prod(x), (Z(2, 3),), complex_step=False),
    Case("prod zeros axis 0", lambda x: np.prod(x, axis=0, keepdims=True), (Z(3, 4),)),
    Case("prod zeros axes", lambda x: np.prod(x, axis=(0, 2)), (Z(3, 4).reshape(3, 2, 2),)),
    Case("prod no axis", lambda x: np.prod(x, axis=()), (A(3, 2),), complex_step=True),
    Case("prod complex", lambda z: np.prod(z, axis=0), (C(3, 4),)),
    Case("prod where", lambda x: np.prod(x, axis=1, where=MASK), (A(3, 4),), complex_step=True),
    Case("prod where axes", lambda x: np.prod(x, axis=(0, 1), where=MASK), (A(3, 4),), complex_step=True),
    Case("prod initial", lambda x: np.prod(x, axis=1, initial=2.0), (A(3, 4),), complex_step=True),
    Case("prod initial traced", lambda x, i: np.prod(x, axis=0, initial=i), (A(3, 4), A()), complex_step=True),
    Case("prod initial where", lambda x, i: np.prod(x, initial=i, where=MASK), (A(3, 4), A()), complex_step=True),
    Case("prod dtype", lambda x: np.prod(x, axis=0, dtype=np.float64), (A(3, 4),)),
    Case("cumprod", lambda x: np.cumprod(x, axis=1), (A(3, 4),), complex_step=True),
    Case("cumprod axis 0", lambda x: np.cumprod(x, axis=0), (A(5, 2),), complex_step=True),
    Case("cumprod flat", lambda x: np.cumprod(x), (A(2, 3),), complex_step=True),
    Case("cumprod one", lambda x: np.cumprod(x, axis=-1), (A(3, 1),), complex_step=True),
    Case("cumprod empty", lambda x: np.cumprod(x), (A(0),)),
    Case("cumprod 0-d", lambda x: np.cumprod(x), (np.array(1.5),), complex_step=True),
    Case("cumprod zeros", lambda x: np.cumprod(x, axis=1), (Z(3, 7),)),
    Case("cumprod complex", lambda z: np.cumprod(z, axis=0), (C(5, 2),)),
    Case("cumprod dtype", lambda x: np.cumprod(x, axis=0, dtype=np.float64), (A(3, 2),)),
    Case("cumprod method", lambda x: x.cumprod(axis=1), (A(3, 4),), complex_step=True),
    Case("cumulative_prod", lambda x: np.cumulative_prod(x), (A(5),), complex_step=True),
    Case("cumulative_prod initial", lambda x: np.cumulative_prod(x, axis=0, include_initial=True), (A(3, 2),)),
    Case("nancumprod", lambda x: np.nancumprod(x, axis=1), (N(3, 4),)),
    Case("nancumprod flat", lambda x: np.nancumprod(x), (N(3, 4),)),
]

_CUMULATIVE = [
    Case("cumsum", lambda x: np.cumsum(x, axis=1), (A(3, 4),), complex_step=True),
    Case("cumsum axis 0", lambda x: np.cumsum(x, 0), (A(3, 4),), complex_step=True),
    Case("cumsum flat", lambda x: np.cumsum(x), (A(2, 3),), complex_step=True),
    Case("cumsum empty", lambda x: np.cumsum(x, axis=1), (A(3, 0),)),
    Case("cumsum 0-d", lambda x: np.cumsum(x), (np.array(1.5),), complex_step=True),
    Case("cumsum number", lambda x: np.cumsum(x), (1.5,), complex_step=True),
    Case("cumsum complex", lambda z: np.cumsum(z * z), (C(4),)),
    Case("cumsum dtype", lambda x: np.cumsum(x, axis=0, dtype=np.float64), (A(3, 2),)),
    Case("cumsum method", lambda x: x.cumsum() * x.cumsum(), (A(3),), complex_step=True),
    Case("cumulative_sum", lambda x: np.cumulative_sum(x), (A(5),), complex_step=True),
    Case("cumulative_sum axis", lambda x: np.cumulative_sum(x, axis=-1), (A(3, 4),), complex_step=True),
    Case("cumulative_sum initial", lambda x: np.cumulative_sum(x, axis=1, include_initial=True), (A(3, 2),)),
    Case("cumulative_sum dtype", lambda x: np.cumulative_sum(x, dtype=np.float64, include_initial=True), (A(3),)),
    Case("nancumsum", lambda x: np.nancumsum(x, axis=1), (N(3, 4),)),
    Case("nancumsum flat", lambda x: np.nancumsum(x), (N(3, 4),)),
]

_EXTREMA = [
    Case("max where", lambda x: np.max(x, axis=1, where=MASK, initial=-9.0), (D(3, 4),)),
    Case("max initial wins", lambda x: np.max(x, axis=1, initial=1.02), (D(3, 4),)),
    Case("max initial traced", lambda x, i: np.max(x, axis=1, initial=i), (D(3, 4), 1.02)),
    Case("min initial traced", lambda x, i: np.min(x, initial=i), (D(3, 4), -2.0)),
    Case("min where traced", lambda x: np.min(x, axis=0, where=x > 0, initial=9.0), (D(3, 4),)),
    Case("max empty initial", lambda x, i: np.max(x, axis=1, initial=i), (A(3, 0), 0.5)),
    Case("max complex", lambda z: np.max(z), (C(5),)),
    Case("max shifted softmax", lambda x: np.exp(x - x.max(axis=1, keepdims=True)), (D(3, 4),)),
    Case("max list", lambda x, y: np.max([x, y]), (1.0, 2.0)),
    Case("nansum with NaN", lambda x: np.nansum(x, axis=1), (N(3, 4),)),
    Case("nansum arguments", lambda x: np.nansum(x, 0, keepdims=True, initial=2.0, where=MASK), (N(3, 4),)),
    Case("nansum dtype", lambda x: np.nansum(x, 0, np.float64), (N(3, 4),)),
    Case("nansum squares", lambda x: np.nansum(x) ** 2, (N(3, 4),)),
    Case("nanprod with NaN", lambda x: np.nanprod(x, axis=1), (N(3, 4),)),
    Case("nanprod arguments", lambda x: np.nanprod(x, 0, keepdims=True, initial=2.0, where=MASK), (N(3, 4),)),
    Case("nanmean with NaN", lambda x: np.nanmean(x, axis=1), (N(3, 4),)),
    Case("nanmean all", lambda x: np.nanmean(x) ** 2, (N(3, 4),)),
    Case("nanmean where", lambda x: np.nanmean(x, axis=1, keepdims=True, where=x < 1.3), (N(2, 5),)),
    Case("nanmax with NaN", lambda x: np.nanmax(x, axis=1), (N(3, 4),)),
    Case("nanmax all", lambda x: np.nanmax(x), (N(3, 4),)),
    Case("nanmax initial", lambda x: np.nanmax(x, axis=1, initial=0.5, where=MASK), (N(3, 4),)),
    Case("nanmax keepdims with NaN", lambda x: np.nanmax(x, axis=0, keepdims=True), (N(3, 4),)),
    Case("nanmin with NaN", lambda x: np.nanmin(x, axis=0), (N(3, 4),)),
    Case("nanmin integers", lambda x: np.nanmin(np.arange(3) * (x > -9)) + x, (A(3),)),
]

_AVERAGES = [
    Case("average", lambda x: np.average(x), (A(3, 4),), complex_step=True),
    Case("average axis", lambda x: np.average(x, axis=1), (A(3, 4),), complex_step=True),
    Case("average keepdims", lambda x: np.average(x, axis=(0, 1), keepdims=True), (A(3, 4),), complex_step=True),
    Case("average weights", lambda x, w: np.average(x, weights=w), (A(3, 4), P(3, 4)), complex_step=True),
    Case("average weights axis", lambda x, w: np.average(x, axis=1, weights=w), (A(3, 4), P(4)), complex_step=True),
    Case("average weights same", lambda x, w: np.average(x, 0, w), (A(3, 4), P(3, 4)), complex_step=True),
    Case("average weights axes", lambda x, w: np.average(x, axis=(2, 0), weights=w), (A(3, 4, 2), P(2, 3))),
    Case("average weights keepdims", lambda x, w: np.average(x, -1, w, keepdims=True), (A(3, 4), P(4))),
    Case("average returned", lambda x, w: np.average(x, 1, w, True), (A(3, 4), P(4)), complex_step=True),
    Case("average returned plain", lambda x: np.average(x, axis=0, returned=True), (A(3, 4),)),
    Case("average list", lambda x: np.average(x, weights=[1, 2, 3]), (A(3),), complex_step=True),
    Case("average complex", lambda z, w: np.average(z, 0, w), (C(3, 2), P(3))),
]

_CONSTANTS = [
    Case("argmax", lambda x: x[np.argmax(x)] * x[np.argmin(x)] * x[x.argmax()], (D(5),)),
    Case("nanargmax", lambda x: x[np.nanargmax(x)] * x[np.nanargmin(x)], (N(7),)),
    Case("count_nonzero", lambda x: x.sum() / np.count_nonzero(x), (A(3, 4),), complex_step=True),
    Case("any all", lambda x: x * (x > 0).any(axis=1, keepdims=True) * np.all(x > -9), (A(3, 4),)),
]

CASES = [
    *_COMMON,
    *_SUMS,
    *_variance_cases("var"),
    *_variance_cases("std"),
    *_PRODUCTS,
    *_CUMULATIVE,
    *_EXTREMA,
    *_AVERAGES,
    *_CONSTANTS,
]
