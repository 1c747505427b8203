"""Rules for what describes a sample: its median and quantiles, and its histograms.

A quantile is one of the sorted elements, or lies on the line between two.  A histogram is linear in the weights; its
counts have no derivative, its edges follow the smallest and the largest element.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import NotDifferentiableError
from chainrule.language import message
from chainrule.ops import composite, structural
from chainrule.rules.helpers import along_axis, as_operand, fixed_length, is_literal, normalise_axes
from chainrule.sizes import is_size

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
    z[along_axis(middle, np.shape(lines), -1)] = share / (2 - n % 2) if is_size(n) else share if n % 2 else share / 2
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
        n: Any = fixed_length(self.lines, -1)
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


# ---- histograms


structural(np.bincount, x=None, weights=lambda g, out, x, weights=None, minlength=0: np.take(g, x))


@composite(np.histogram_bin_edges)
def _histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    if isinstance(bins, str):
        raise NotDifferentiableError(
            message(
                "np.histogram with bins={bins} is not followed: the number of bins depends on the "
                "data. Give the number of bins or the edges.",
                bins=repr(bins),
            )
        )
    if np.ndim(bins) == 1:
        edges = as_operand(bins)
        if np.any(edges[:-1] > edges[1:]):
            raise ValueError("`bins` must increase monotonically, when an array")
        return edges
    a = as_operand(a)
    if range is not None:
        first, last = range
    elif np.size(a) == 0:
        first, last = 0, 1
    else:
        first, last = np.min(a), np.max(a)
    if first == last:
        first, last = first - 0.5, last + 0.5
    dtype = np.result_type(first, last, a)
    return np.linspace(first, last, int(bins) + 1).astype(dtype if dtype.kind in "fc" else np.float64)


def _bins_of(values: Any, edges: Any) -> tuple[Any, Any]:
    """The bin of each value, and whether it falls into any; the last bin includes its right edge."""
    count = np.shape(edges)[0] - 1
    bins = np.searchsorted(edges, values, side="right") - 1 - (values == edges[count])
    return np.clip(bins, 0, count - 1), np.logical_and(bins >= 0, bins < count)


def _heights(bins: Any, counted: Any, weights: Any, count: int) -> Any:
    """The sum of the weights in each bin, or the number of values."""
    shares = counted.astype(np.intp) if weights is None else np.where(counted, np.ravel(as_operand(weights)), 0)
    heights = np.zeros_like(shares, shape=(count,))
    np.add.at(heights, bins, shares)
    return heights


@composite(np.histogram)
def _histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> tuple[Any, Any]:
    edges = np.histogram_bin_edges(a, bins, range, weights)
    heights = _heights(*_bins_of(np.ravel(as_operand(a)), edges), weights, np.shape(edges)[0] - 1)
    return heights / np.diff(edges) / np.sum(heights) if density else heights, edges


@composite(np.histogramdd)
def _histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, list[Any]]:
    columns = sample.T if hasattr(sample, "shape") else np.atleast_2d(as_operand(sample))
    ndim = np.shape(columns)[0]
    bins = bins if isinstance(bins, list | tuple) or np.ndim(bins) else [bins] * ndim
    ranges = [None] * ndim if range is None else range
    if len(bins) != ndim or len(ranges) != ndim:
        raise ValueError("bins and range must have one entry per column of the sample")
    edges = [np.histogram_bin_edges(columns[k], bins[k], ranges[k]) for k, _ in enumerate(bins)]
    counts = tuple(int(np.shape(e)[0]) - 1 for e in edges)
    flat, counted = 0, True
    for k, edge in enumerate(edges):
        position, inside = _bins_of(columns[k], edge)
        flat, counted = flat * counts[k] + position, np.logical_and(counted, inside)
    heights = np.reshape(_heights(flat, counted, weights, int(np.prod(counts))), counts).astype(np.float64)
    if density:
        total = np.sum(heights)
        for k, edge in enumerate(edges):
            heights = heights / np.reshape(np.diff(edge), tuple(-1 if j == k else 1 for j, _ in enumerate(edges)))
        heights = heights / total
    return heights, edges


@composite(np.histogram2d)
def _histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any, Any]:
    if np.shape(x) != np.shape(y):
        raise ValueError("x and y must have the same length.")
    shared = (isinstance(bins, list | tuple) or np.ndim(bins)) and len(bins) > 2
    heights, edges = np.histogramdd([x, y], [bins, bins] if shared else bins, range, density, weights)
    return heights, edges[0], edges[1]
