"""Expressions with reductions and with products of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.coverage.row import Row, spread, with_nan

__all__ = ["ROWS"]

X = spread(3, 5)
MISSING = with_nan(X, 2, 8)
VECTOR = spread(6, seed=1)
KERNEL = spread(3, seed=2)
WEIGHTS = spread(5, low=0.2, high=1.5, seed=3)
LEFT = spread(4, 3, seed=4)
STACK = spread(2, 5, 3, seed=5)
POINTS = spread(4, 3, seed=6)
OTHER_POINTS = spread(4, 3, seed=7)


def reduction(function: str, expression: Callable[..., Any], *args: np.ndarray) -> Row:
    return Row("reduction", function, expression, args)


def product(function: str, expression: Callable[..., Any], *args: np.ndarray) -> Row:
    return Row("products", function, expression, args)


ROWS = [
    reduction("sum", lambda x: np.sum(x, axis=0), X),
    reduction("prod", lambda x: np.prod(x, axis=1), X),
    reduction("mean", lambda x: np.mean(x, axis=1, keepdims=True), X),
    reduction("std", lambda x: np.std(x, axis=0), X),
    reduction("var", lambda x: np.var(x, axis=1, ddof=1), X),
    reduction("max", lambda x: np.max(x, axis=1), X),
    reduction("min", lambda x: np.min(x), X),
    reduction("amax", lambda x: np.amax(x, axis=0), X),
    reduction("amin", lambda x: np.amin(x, axis=1), X),
    reduction("ptp", lambda x: np.ptp(x, axis=1), X),
    reduction("median", lambda x: np.median(x, axis=1), X),
    reduction("cumsum", lambda x: np.cumsum(x, axis=1), X),
    reduction("cumprod", lambda x: np.cumprod(x, axis=1), X),
    reduction("average", lambda x, w: np.average(x, axis=1, weights=w), X, WEIGHTS),
    reduction("cumulative_sum", lambda x: np.cumulative_sum(x, axis=1), X),
    reduction("cumulative_prod", lambda x: np.cumulative_prod(x, axis=0), X),
    reduction("nansum", lambda x: np.nansum(x, axis=1), MISSING),
    reduction("nanprod", lambda x: np.nanprod(x, axis=1), MISSING),
    reduction("nanmean", lambda x: np.nanmean(x, axis=1), MISSING),
    reduction("nanstd", lambda x: np.nanstd(x, axis=1), MISSING),
    reduction("nanvar", lambda x: np.nanvar(x, axis=0), MISSING),
    reduction("nanmax", lambda x: np.nanmax(x, axis=1), MISSING),
    reduction("nanmin", lambda x: np.nanmin(x), MISSING),
    reduction("nanmedian", lambda x: np.nanmedian(x, axis=1), MISSING),
    reduction("nancumsum", lambda x: np.nancumsum(x, axis=1), MISSING),
    reduction("nancumprod", lambda x: np.nancumprod(x, axis=1), MISSING),
    reduction("quantile", lambda x: np.quantile(x, 0.3, axis=1), X),
    reduction("percentile", lambda x: np.percentile(x, [20, 65]), X),
    reduction("count_nonzero (constant)", lambda x: x.sum() / np.count_nonzero(x), X),
    reduction("cov", lambda x: np.cov(x), X),
    reduction("corrcoef", lambda x: np.corrcoef(x), X),
    reduction("trapezoid", lambda y, x: np.trapezoid(y, x), VECTOR, np.sort(spread(6, seed=8))),
    reduction("trace", lambda x: np.trace(x), X),
    reduction("linalg.norm", lambda x: np.linalg.norm(x), VECTOR),
    reduction("nanquantile", lambda x: np.nanquantile(x, 0.3, axis=1), MISSING),
    reduction("nanpercentile", lambda x: np.nanpercentile(x, 40), MISSING),
    reduction("nan_to_num", lambda x: np.nan_to_num(x) ** 2, MISSING),
    product("dot", lambda x, y: np.dot(x, y), LEFT, X),
    product("inner", lambda x, y: np.inner(x, y), STACK, LEFT),
    product("outer", lambda x, y: np.outer(x, y), VECTOR, KERNEL),
    product("vdot", lambda x, y: np.vdot(x, y), X, spread(3, 5, seed=9)),
    product("tensordot", lambda x, y: np.tensordot(x, y, axes=([1, 2], [1, 0])), STACK, X),
    product("einsum", lambda x, y: np.einsum("kij,ji->k", x, y), STACK, X),
    product(
        "einsum (optimize)",
        lambda x, y, z: np.einsum("ai,ij,kja->k", x, y, np.einsum("kji,ai->kja", z, x), optimize=True),
        LEFT,
        X,
        STACK,
    ),
    product("kron", lambda x, y: np.kron(x, y), LEFT, X),
    product("cross", lambda x, y: np.cross(x, y), POINTS, OTHER_POINTS),
    product("convolve", lambda x, k: np.convolve(x, k, mode="same"), VECTOR, KERNEL),
    product("correlate", lambda x, k: np.correlate(x, k, mode="full"), VECTOR, KERNEL),
]
