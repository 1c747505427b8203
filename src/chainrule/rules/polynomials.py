"""Rules for NumPy's polynomials, whose coefficients stand with the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import NotDifferentiableError
from chainrule.language import message
from chainrule.ops import composite, structural
from chainrule.protocol import apply
from chainrule.rules.helpers import as_operand, fixed_length, for_any_size
from chainrule.sizes import is_size

__all__: list[str] = []


# ---- values


def _polyval_p(g: Any, out: Any, p: Any, x: Any) -> Any:
    if np.ndim(p) != 1:
        raise NotDifferentiableError(
            message("np.polyval with coefficients of more than one axis has no rule; call it once per polynomial.")
        )
    return np.ravel(g) @ _powers(np.ravel(x), np.shape(p)[0])


def _powers(x: Any, count: Any) -> Any:
    """``np.vander``, whose number of columns stays a length where ``x`` is plain, too."""
    return apply(np.vander, as_operand(x), count) if is_size(count) and for_any_size() else np.vander(x, count)


structural(np.polyval, p=_polyval_p, x=lambda g, out, p, x: g * np.polyval(np.polyder(p), x))


@composite(np.polynomial.polynomial.polyval)
def _polyval_ascending(x: Any, c: Any, tensor: bool = True) -> Any:
    """The newer function, whose coefficients start with the constant term."""
    x, c = as_operand(x), np.atleast_1d(as_operand(c))
    c = c if c.dtype.kind in "fc" else c.astype(np.float64)
    if tensor and np.ndim(x):
        c = np.reshape(c, (*np.shape(c), *(1,) * np.ndim(x)))
    value = c[-1] + x * 0
    for k in range(2, fixed_length(c) + 1):
        value = c[-k] + value * x
    return value


# ---- arithmetic


def _last(g: Any, a: Any) -> Any:
    """The part of ``g`` that belongs to the coefficients ``a``, which were aligned at the constant term."""
    length = np.size(a)
    part = g if length == np.size(g) else g[np.size(g) - length :]
    return part if np.ndim(a) == 1 else np.reshape(part, np.shape(a))


structural(np.polyadd, a1=lambda g, out, a1, a2: _last(g, a1), a2=lambda g, out, a1, a2: _last(g, a2))
structural(np.polysub, a1=lambda g, out, a1, a2: _last(g, a1), a2=lambda g, out, a1, a2: -_last(g, a2))


def _trimmed(a: Any) -> Any:
    """The coefficients without leading zeros, as ``np.poly1d`` keeps them."""
    a = np.atleast_1d(a)
    trimmed = np.trim_zeros(a, "f")
    return trimmed if np.size(trimmed) else a[:1] * 0


@composite(np.polymul)
def _polymul(a1: Any, a2: Any) -> Any:
    return np.convolve(_trimmed(a1), _trimmed(a2))


@composite(np.polydiv)
def _polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    u, v = np.atleast_1d(u) + 0.0, np.atleast_1d(v) + 0.0
    dtype = np.result_type(u.dtype, v.dtype)
    remainder = u if u.dtype == dtype else u.astype(dtype)
    length = np.shape(v)[0]
    scale = 1.0 / v[0]
    quotient = []
    for k in range(fixed_length(u) - fixed_length(v) + 1):
        factor = scale * remainder[k]
        quotient.append(factor)
        reduced = remainder[k : k + length] - factor * v
        remainder = np.concatenate((remainder[:k], reduced, remainder[k + length :]))
    while np.shape(remainder)[0] > 1 and np.allclose(remainder[0], 0, rtol=1e-14):
        remainder = remainder[1:]
    return np.stack(quotient) if quotient else np.zeros(1, dtype), remainder


# ---- derivatives and integrals


def _polyder(g: Any, out: Any, p: Any, m: int = 1) -> Any:
    if np.size(out) == 0:
        return np.zeros_like(p)
    factors = np.polyder(np.ones(np.shape(p)[0]), m).astype(g.dtype)
    return np.pad(g * factors, (0, m))


structural(np.polyder, p=_polyder)


@composite(np.polyint)
def _polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    constants = np.zeros(m) if k is None else np.atleast_1d(k)
    if np.shape(constants)[0] == 1 and m > 1:
        constants = np.repeat(constants, m)
    if np.shape(constants)[0] < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    result = as_operand(p)
    for step in range(m):
        raised = result / np.arange(np.shape(result)[0], 0, -1)
        result = np.concatenate((raised, constants[step : step + 1]))
    return result


# ---- roots


def _roots(g: Any, out: Any, p: Any) -> Any:
    """By the implicit function theorem: moving a coefficient moves a root by -x**k / p'(x)."""
    return -(g / np.polyval(np.polyder(p), out)) @ np.vander(out, np.shape(p)[0])


structural(np.roots, p=_roots)


@composite(np.poly)
def _poly(seq_of_zeros: Any) -> Any:
    roots = np.atleast_1d(as_operand(seq_of_zeros))
    if np.ndim(roots) == 2 and np.shape(roots)[0] == np.shape(roots)[1]:
        roots = np.linalg.eigvals(roots)
    elif np.ndim(roots) != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    if np.size(roots) == 0:
        return 1.0
    coefficients = np.ones_like(roots[:1])
    nothing = np.zeros_like(roots[:1])
    for k in range(fixed_length(roots)):
        coefficients = np.concatenate((coefficients, nothing)) - roots[k] * np.concatenate((nothing, coefficients))
    if coefficients.dtype.kind == "c" and np.array_equal(np.sort(roots), np.sort(np.conj(roots))):
        return np.real(coefficients)
    return coefficients


# ---- fits


@composite(np.polyfit)
def _polyfit(x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    order = int(deg) + 1
    x, y = as_operand(x) + 0.0, as_operand(y) + 0.0
    n = np.shape(x)[0]
    if deg < 0:
        raise ValueError("expected deg >= 0")
    if np.ndim(x) != 1 or n == 0:
        raise TypeError("expected 1D, non-empty vector for x")
    if np.ndim(y) not in (1, 2) or np.shape(y)[0] != n:
        raise TypeError("expected 1D or 2D array for y, of the same length as x")
    if rcond is None:
        rcond = float(int(n) * np.finfo(x.dtype).eps)
    matrix, values = np.vander(x, order), y
    if w is not None:
        w = as_operand(w) + 0.0
        matrix = matrix * np.expand_dims(w, 1)
        values = values * (np.expand_dims(w, 1) if np.ndim(values) == 2 else w)
    scale = np.sqrt(np.sum(matrix * matrix, axis=0))
    matrix = matrix / scale
    solution, residuals, rank, singular = np.linalg.lstsq(matrix, values, rcond)
    coefficients = (solution.T / scale).T
    if full:
        return coefficients, residuals, rank, singular, rcond
    if not cov:
        return coefficients
    inverse = np.linalg.inv(matrix.T @ matrix) / (np.expand_dims(scale, 1) * scale)
    if cov == "unscaled":
        return coefficients, inverse
    if n <= order:
        raise ValueError("the number of data points must exceed order to scale the covariance matrix")
    spread = np.sum((values - matrix @ solution) ** 2, axis=0) / (n - order)
    if np.ndim(values) == 1:
        return coefficients, inverse * spread
    return coefficients, np.expand_dims(inverse, 2) * spread
