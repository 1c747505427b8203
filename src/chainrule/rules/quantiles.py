"""Rules for the median and the quantiles: each is one sorted element, or lies on the line between two."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops import structural
from chainrule.rules.helpers import along_axis, is_literal, normalise_axes

__all__: list[str] = []

# The methods of NumPy that are continuous in ``q``, with the alpha and beta of Hyndman and Fan (1996).
_CONTINUOUS = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}


def _lines(a: Any, axis: Any) -> Any:
    """``a`` with the axes that are reduced joined into one, the last."""
    ndim = np.ndim(a)
    reduced = normalise_axes(axis, ndim)
    order = tuple(k for k in range(ndim) if k not in reduced) + reduced
    moved = a if order == tuple(range(ndim)) else np.transpose(a, order)
    if len(reduced) == 1:
        return moved
    kept = tuple(np.shape(moved)[: ndim - len(reduced)])
    return np.reshape(moved, (*kept, np.size(a) // max(1, int(np.prod(kept, dtype=np.intp)))))


def _unlined(z: Any, a: Any, axis: Any) -> Any:
    """Undo :func:`_lines`."""
    ndim = np.ndim(a)
    reduced = normalise_axes(axis, ndim)
    order = tuple(k for k in range(ndim) if k not in reduced) + reduced
    moved = z if len(reduced) == 1 else np.reshape(z, tuple(np.shape(a)[k] for k in order))
    return moved if order == tuple(range(ndim)) else np.transpose(moved, tuple(order.index(k) for k in range(ndim)))


def _median(g: Any, out: Any, a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    lines = _lines(a, axis)
    n = np.shape(lines)[-1]
    # One element in the middle, or the mean of two.  Equal elements count in their order, as in np.sort.
    order = np.argsort(lines, axis=-1, stable=True)
    halves = slice((n - 1) // 2, n // 2 + 1)
    middle = order[halves] if np.ndim(order) == 1 else order[..., halves]
    share = np.reshape(g, (*np.shape(lines)[:-1], 1))
    z = np.zeros_like(lines)
    z[along_axis(middle, np.shape(lines), -1)] = share if n % 2 else share / 2
    return _unlined(z, a, axis)


def _virtual(n: Any, q: Any, method: str) -> Any:
    """The real number that a continuous method takes for the sorted position of the quantile."""
    alpha, beta = _CONTINUOUS[method]
    return (n - 1) * q if method == "linear" else n * q + (alpha + q * (1 - alpha - beta)) - 1


def _positions(n: Any, q: Any, method: str) -> tuple[Any, Any, Any]:
    """The sorted positions between which the quantile lies, and the weight of the second."""
    if method in _CONTINUOUS:
        virtual = np.clip(_virtual(n, q, method), 0, n - 1)
        below = np.minimum(np.floor(virtual), n - 2)
        return below, below + 1, virtual - below
    last = (n - 1) * q
    if method == "midpoint":
        return np.floor(last), np.ceil(last), 0.5
    if method == "averaged_inverted_cdf":
        virtual = n * q - 1
        below = np.floor(virtual)
        return below, below + 1, 1 - 0.5 * (virtual == below)
    if method == "closest_observation":
        virtual = n * q - 1.5
        below = np.floor(virtual)
        chosen = below + 1 - (virtual == below) * (np.remainder(below, 2) == 1)
    elif method == "inverted_cdf":
        chosen = np.ceil(n * q - 1)
    else:
        rounding: dict[str, Any] = {"lower": np.floor, "higher": np.ceil, "nearest": np.round}
        chosen = rounding[method](last)
    return chosen, chosen, 0.0


def _fraction(q: Any, a: Any, scale: float) -> Any:
    """``q`` between 0 and 1, in the precision in which NumPy takes it."""
    if is_literal(q):
        q = a.dtype.type(q) if a.dtype.kind == "f" else np.float64(q)
    return q if scale == 1 else np.true_divide(q, a.dtype.type(scale) if a.dtype.kind == "f" else scale)


class _Quantile:
    """What the rules of one call share: the lines, and where in them the quantiles lie."""

    def __init__(self, g: Any, a: Any, q: Any, axis: Any, method: str, scale: float, ignore_nan: bool) -> None:
        self.lines = _lines(a, axis)
        self.outer = tuple(np.shape(self.lines)[:-1])
        self.q_shape = tuple(np.shape(q))
        fraction = np.reshape(_fraction(q, a, scale), self.q_shape + (1,) * len(self.outer))
        n: Any = int(np.shape(self.lines)[-1])
        if ignore_nan:
            n = np.sum(np.logical_not(np.isnan(self.lines)), axis=-1).astype(fraction.dtype)
        below, above, self.weight = _positions(n, fraction, method)
        self.n, self.fraction = n, fraction
        self.below = self._index(np.clip(below, 0, n - 1))
        self.above = self._index(np.clip(above, 0, n - 1))
        self.g = np.reshape(g, (*self.q_shape, *self.outer))

    def _index(self, positions: Any) -> Any:
        whole = positions.astype(np.intp)
        return (*np.indices(self.outer, sparse=True), whole) if self.outer else whole

    def to_elements(self) -> Any:
        """The cotangents, divided between the two neighbours of each quantile and put where those stand."""
        by_rank = np.zeros_like(self.lines)
        np.add.at(by_rank, self.below, self.g * (1 - self.weight))
        np.add.at(by_rank, self.above, self.g * self.weight)
        z = np.zeros_like(self.lines)
        z[along_axis(np.argsort(self.lines, axis=-1, stable=True), np.shape(self.lines), -1)] = by_rank
        return z


def _weighted(g: Any, out: Any, a: Any, q: Any, axis: Any) -> Any:
    """With weights the quantile is always one of the elements; equal ones share evenly."""
    lines = _lines(a, axis)
    shape = (*np.shape(q), *np.shape(lines)[:-1], 1)
    tied = lines == np.reshape(out, shape)
    share = tied * (np.reshape(g, shape) / np.sum(tied, axis=-1, keepdims=True).astype(g.dtype))
    return _unlined(np.sum(share, axis=tuple(range(np.ndim(q)))) if np.ndim(q) else share, a, axis)


def _quantile_rules(function: Any, scale: float, ignore_nan: bool) -> None:
    def rule_a(
        g: Any,
        out: Any,
        a: Any,
        q: Any,
        weights: Any = None,
        axis: Any = None,
        method: str = "linear",
        keepdims: Any = False,
    ) -> Any:
        if weights is not None:
            return _weighted(g, out, a, q, axis)
        return _unlined(_Quantile(g, a, q, axis, method, scale, ignore_nan).to_elements(), a, axis)

    def rule_q(
        g: Any,
        out: Any,
        a: Any,
        q: Any,
        weights: Any = None,
        axis: Any = None,
        method: str = "linear",
        keepdims: Any = False,
    ) -> Any:
        if method not in _CONTINUOUS:
            return np.zeros_like(q)
        at = _Quantile(g, a, q, axis, method, scale, ignore_nan)
        ordered = np.sort(at.lines, axis=-1)
        alpha, beta = _CONTINUOUS[method]
        virtual = _virtual(at.n, at.fraction, method)
        inside = np.logical_and(virtual >= 0, virtual <= at.n - 1)
        slope = (ordered[at.above] - ordered[at.below]) * inside * ((at.n + (1 - alpha - beta)) / scale)
        outer = tuple(range(len(at.q_shape), len(at.q_shape) + len(at.outer)))
        return np.sum(at.g * slope, axis=outer)

    structural(function, a=rule_a, q=rule_q, weights=None)


_quantile_rules(np.quantile, 1, False)
_quantile_rules(np.percentile, 100, False)
_quantile_rules(np.nanquantile, 1, True)
_quantile_rules(np.nanpercentile, 100, True)


def _nanmedian(g: Any, out: Any, a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return _unlined(_Quantile(g, a, 0.5, axis, "linear", 1, True).to_elements(), a, axis)


structural(np.median, a=_median)
structural(np.nanmedian, a=_nanmedian)
