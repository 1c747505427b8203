"""Rules for differences and integrals of samples, interpolation, covariances and windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops import composite, structural
from chainrule.rules.helpers import as_operand, at_axis, made, normalise_axes

__all__: list[str] = []


def _from(axis: int, ndim: int, start: int | None, stop: int | None) -> Any:
    """The index that takes ``start:stop`` along ``axis``."""
    return at_axis(normalise_axes(axis, ndim)[0], slice(start, stop))


def _zeros_around(g: Any, axis: int, before: int, after: int) -> Any:
    """``g`` with zeros on both sides along ``axis``."""
    (place,) = normalise_axes(axis, np.ndim(g))
    return np.pad(g, [(before, after) if k == place else (0, 0) for k in range(np.ndim(g))])


# ---- differences


def _diff_transposed(g: Any, n: int, axis: int) -> Any:
    """The transpose of ``np.diff``: differences of the cotangent, which is zero beyond its ends."""
    if n == 1 and g.dtype == np.double:  # the zeros would make single precision double
        return -np.diff(g, axis=axis, prepend=0, append=0)
    differences = np.diff(_zeros_around(g, axis, n, n), n, axis)
    return -differences if n % 2 else differences


def _diff(g: Any, a: Any, prepend: Any, append: Any, n: int, axis: int, which: int) -> Any:
    operands = (prepend, a, append)
    if np.size(g) == 0 or (n == 0 and which != 1):
        return np.zeros_like(operands[which])
    if n == 0:
        return g
    lengths = [0 if x is None else np.shape(x)[axis] if np.ndim(x) else 1 for x in operands]
    start = sum(lengths[:which])
    joined = _diff_transposed(g, n, axis)
    if lengths[which] == sum(lengths):
        return joined
    part = joined[_from(axis, np.ndim(g), start, start + lengths[which])]
    return part if np.ndim(operands[which]) else np.sum(part)


structural(
    np.diff,
    a=lambda g, out, a, prepend=None, append=None, n=1, axis=-1: _diff(g, a, prepend, append, n, axis, 1),
    prepend=lambda g, out, a, prepend=None, append=None, n=1, axis=-1: _diff(g, a, prepend, append, n, axis, 0),
    append=lambda g, out, a, prepend=None, append=None, n=1, axis=-1: _diff(g, a, prepend, append, n, axis, 2),
)


def _ediff1d(g: Any, out: Any, ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    if np.size(ary) == 0:
        return np.zeros_like(ary)
    begin = 0 if to_begin is None else np.size(to_begin)
    inner = g[begin : begin + np.size(ary) - 1]
    return np.reshape(_diff_transposed(inner, 1, 0), np.shape(ary))


def _ediff1d_end(g: Any, out: Any, ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    return np.reshape(g[np.size(g) - np.size(to_end) :], np.shape(to_end))


def _ediff1d_begin(g: Any, out: Any, ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    return np.reshape(g[: np.size(to_begin)], np.shape(to_begin))


structural(np.ediff1d, ary=_ediff1d, to_end=_ediff1d_end, to_begin=_ediff1d_begin)


def _slopes(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """The derivative of ``f`` along one axis, in NumPy's own differences."""
    n, ndim = np.shape(f)[axis], np.ndim(f)
    if n < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are "
            "required."
        )

    def at(start: int, stop: int | None) -> Any:
        return f[_from(axis, ndim, start, stop)]

    if np.ndim(spacing) == 0:
        inner = (at(2, None) - at(0, n - 2)) / (2.0 * spacing)
        if edge_order == 1:
            first = (at(1, 2) - at(0, 1)) / spacing
            last = (at(n - 1, None) - at(n - 2, n - 1)) / spacing
        else:
            first = (-1.5 * at(0, 1) + 2.0 * at(1, 2) - 0.5 * at(2, 3)) / spacing
            last = (0.5 * at(n - 3, n - 2) - 2.0 * at(n - 2, n - 1) + 1.5 * at(n - 1, None)) / spacing
    else:
        along = tuple(-1 if k == axis else 1 for k in range(ndim))
        d1, d2 = np.reshape(spacing[:-1], along), np.reshape(spacing[1:], along)
        inner = (
            -d2 / (d1 * (d1 + d2)) * at(0, n - 2)
            + (d2 - d1) / (d1 * d2) * at(1, n - 1)
            + d1 / (d2 * (d1 + d2)) * at(2, None)
        )
        if edge_order == 1:
            first = (at(1, 2) - at(0, 1)) / spacing[0]
            last = (at(n - 1, None) - at(n - 2, n - 1)) / spacing[-1]
        else:
            d1, d2 = spacing[0], spacing[1]
            first = (
                -(2.0 * d1 + d2) / (d1 * (d1 + d2)) * at(0, 1)
                + (d1 + d2) / (d1 * d2) * at(1, 2)
                - d1 / (d2 * (d1 + d2)) * at(2, 3)
            )
            d1, d2 = spacing[-2], spacing[-1]
            last = (
                d2 / (d1 * (d1 + d2)) * at(n - 3, n - 2)
                - (d2 + d1) / (d1 * d2) * at(n - 2, n - 1)
                + (2.0 * d2 + d1) / (d2 * (d1 + d2)) * at(n - 1, None)
            )
    slopes = np.concatenate((first, inner, last), axis=axis)
    return slopes if slopes.dtype == f.dtype else slopes.astype(f.dtype)


@composite(np.gradient)
def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = as_operand(f)
    f = f if f.dtype.kind in "fc" else f.astype(np.float64)
    axes = normalise_axes(axis, np.ndim(f))
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    if not varargs:
        spacings: list[Any] = [1.0] * len(axes)
    elif len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        spacings = [varargs[0]] * len(axes)
    elif len(varargs) == len(axes):
        spacings = []
        for place, x in zip(axes, varargs, strict=True):
            if np.ndim(x) > 1:
                raise ValueError("distances must be either scalars or 1d")
            if np.ndim(x) == 1 and np.shape(x)[0] != np.shape(f)[place]:
                raise ValueError("when 1d, distances must match the length of the corresponding dimension")
            spacings.append(np.diff(as_operand(x)) if np.ndim(x) else x)
    else:
        raise TypeError("invalid number of arguments")
    results = [_slopes(f, spacing, place, edge_order) for place, spacing in zip(axes, spacings, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


# ---- integrals of samples


def _along(y: Any, axis: int) -> tuple[int, ...]:
    """The shape of a vector that lies along ``axis`` of ``y``."""
    (place,) = normalise_axes(axis, np.ndim(y))
    return tuple(-1 if k == place else 1 for k in range(np.ndim(y)))


def _spread(g: Any, y: Any, axis: int) -> Any:
    """The cotangent of the integral, shaped to multiply ``y``."""
    return g if np.ndim(y) == 1 else np.expand_dims(g, axis)


def _doubled(y: Any, axis: int) -> Any:
    """Twice the mean height of each trapezoid."""
    return y[_from(axis, np.ndim(y), 1, None)] + y[_from(axis, np.ndim(y), None, -1)]


def _trapezoid_y(g: Any, out: Any, y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    n = np.shape(y)[axis]
    if n == 0:
        return np.zeros_like(y)
    if x is None and np.ndim(dx) == 0:
        weights = made(np.ones, n, y.dtype)
        weights[0] -= 0.5
        weights[-1] -= 0.5
        return _spread(g, y, axis) * dx * np.reshape(weights, _along(y, axis))
    if x is None:
        steps = dx * np.reshape(made(np.ones, n - 1, y.dtype), _along(y, axis))
    else:
        steps = np.reshape(np.diff(x), _along(y, axis)) if np.ndim(x) == 1 else np.diff(x, axis=axis)
    return _spread(g, y, axis) * (_zeros_around(steps, axis, 0, 1) + _zeros_around(steps, axis, 1, 0)) / 2


def _trapezoid_x(g: Any, out: Any, y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    if np.shape(y)[axis] == 0:
        return np.zeros_like(x)
    areas = _spread(g, y, axis) * _doubled(y, axis) / 2
    if np.ndim(x) > 1:
        return _diff_transposed(areas, 1, axis)
    others = tuple(k for k, n in enumerate(_along(y, axis)) if n == 1)
    return _diff_transposed(np.sum(areas, axis=others) if others else areas, 1, 0)


def _trapezoid_dx(g: Any, out: Any, y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    return np.zeros_like(dx) if x is not None else _spread(g, y, axis) * _doubled(y, axis) / 2


structural(np.trapezoid, y=_trapezoid_y, x=_trapezoid_x, dx=_trapezoid_dx)


# ---- interpolation


class _Interpolation:
    """Where each ``x`` falls between the knots; the knots of one period are continued on both sides."""

    def __init__(self, x: Any, xp: Any, fp: Any, period: Any) -> None:
        self.order = None
        if period is not None:
            period = abs(period)
            n = np.shape(xp)[0]
            x, xp = np.remainder(x, period), np.remainder(xp, period)
            continued = np.concatenate(([n - 1], np.arange(n), [0]))
            self.order = np.take(np.argsort(xp), continued)
            xp = np.take(xp, self.order) + period * np.concatenate(([-1.0], np.zeros(n), [1.0]))
            fp = np.take(fp, self.order)
        n = np.shape(xp)[0]
        self.n = n
        self.outside_left, self.outside_right = x < xp[0], x > xp[n - 1]
        self.lower = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, max(0, n - 2))
        self.upper = np.minimum(self.lower + 1, n - 1)
        width = np.take(xp, self.upper) - np.take(xp, self.lower) + (n == 1)
        self.slope = (np.take(fp, self.upper) - np.take(fp, self.lower)) / width
        self.fraction = (np.clip(x, xp[0], xp[n - 1]) - np.take(xp, self.lower)) / width
        self.inside = np.logical_not(np.logical_or(self.outside_left, self.outside_right))

    def collect(self, lower: Any, upper: Any, like: Any) -> Any:
        """Add what belongs to the knots below and above to zeros of the shape of the knots."""
        below, above = self.lower, self.upper
        if self.order is not None:
            below, above = np.take(self.order, below), np.take(self.order, above)
        z = np.zeros_like(like)
        np.add.at(z, below, lower)
        np.add.at(z, above, upper)
        return z


def _interp_x(
    g: Any, out: Any, x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    at = _Interpolation(x, xp, fp, period)
    return g * np.where(at.inside, at.slope, 0.0)


def _interp_xp(
    g: Any, out: Any, x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    at = _Interpolation(x, xp, fp, period)
    moved = -g * np.where(at.inside, at.slope, 0.0)
    moved = np.real(moved) if out.dtype.kind == "c" else moved
    return at.collect(moved * (1 - at.fraction), moved * at.fraction, xp)


def _interp_fp(
    g: Any, out: Any, x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    at = _Interpolation(x, xp, fp, period)
    if period is None and left is not None:
        g = np.where(at.outside_left, 0.0, g)
    if period is None and right is not None:
        g = np.where(at.outside_right, 0.0, g)
    return at.collect(g * (1 - at.fraction), g * at.fraction, fp)


structural(
    np.interp,
    x=_interp_x,
    xp=_interp_xp,
    fp=_interp_fp,
    left=lambda g, out, x, xp, fp, left=None, right=None, period=None: np.sum(np.where(x < xp[0], g, 0.0)),
    right=lambda g, out, x, xp, fp, left=None, right=None, period=None: np.sum(np.where(x > xp[-1], g, 0.0)),
)


# ---- covariance


def _rows(x: Any, transposed: bool, dtype: Any) -> Any:
    x = np.atleast_2d(x)
    x = x.T if transposed else x
    return x if x.dtype == dtype else x.astype(dtype)


@composite(np.cov)
def _cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    m = as_operand(m)
    y = None if y is None else as_operand(y)
    if np.ndim(m) > 2 or (y is not None and np.ndim(y) > 2):
        raise ValueError("m and y must not have more than 2 dimensions")
    if dtype is None:
        dtype = np.result_type(m.dtype, np.float64) if y is None else np.result_type(m.dtype, y.dtype, np.float64)
    X = _rows(m, not rowvar and np.ndim(m) != 1, dtype)
    if y is not None:
        X = np.concatenate((X, _rows(y, not rowvar and np.shape(np.atleast_2d(y))[0] != 1, dtype)), axis=0)
    ddof = (0 if bias else 1) if ddof is None else int(ddof)
    if fweights is None and aweights is None:
        centred = X - np.mean(X, axis=1, keepdims=True)
        weighted, degrees = centred, max(0, np.shape(X)[1] - ddof)
    else:
        weights = 1.0 if fweights is None else as_operand(fweights).astype(float)
        weights = weights if aweights is None else weights * as_operand(aweights)
        total = np.sum(weights)
        centred = X - np.expand_dims(np.sum(X * weights, axis=1) / total, 1)
        weighted = centred * weights
        degrees = total
        if ddof:
            degrees = total - ddof * (1.0 if aweights is None else np.sum(weights * aweights) / total)
    c = centred @ np.conj(weighted.T) if X.dtype.kind == "c" else centred @ weighted.T
    return np.squeeze(c * np.true_divide(1, degrees))


@composite(np.corrcoef)
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = np.cov(x, y, rowvar, dtype=dtype)
    if np.ndim(c) == 0:
        return c / c
    deviations = np.sqrt(np.real(np.diag(c)))
    c = c / np.expand_dims(deviations, 1) / deviations
    if c.dtype.kind == "c":
        return np.clip(np.real(c), -1, 1) + 1j * np.clip(np.imag(c), -1, 1)
    return np.clip(c, -1, 1)


# ---- windows


@composite(np.kaiser)
def _kaiser(M: int, beta: Any) -> Any:
    if M <= 1:
        return np.ones(max(0, int(M)))
    middle = (M - 1) / 2.0
    return np.i0(beta * np.sqrt(1 - ((np.arange(M) - middle) / middle) ** 2.0)) / np.i0(beta)
