"""Rules for the norms of ``np.linalg`` and for ``cond``, which is made of norms.

A norm has a kink where it is zero; its derivative there is taken to be zero, as ``abs`` has it.  The largest of several
equal elements, sums or singular values share the derivative evenly, as ``max`` has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ops import structural
from chainrule.rules.helpers import mt, normalise_axes, restore
from chainrule.rules.matrices import conjugate, nonzero, singular_values_rule, slope

__all__ = ["norm_rule"]


# ---- norms of vectors


def _share(chosen: Any, axes: Any, g: Any) -> Any:
    """``g`` divided evenly over what is chosen along ``axes``."""
    return g * chosen / np.sum(chosen, axis=axes, keepdims=True, dtype=g.dtype)


def _vector_norm_rule(g: Any, out: Any, x: Any, order: Any, axes: tuple[int, ...]) -> Any:
    """The gradient of a norm along ``axes``, which ``g`` and ``out`` still have, with length 1."""
    if order is None or order in (2, "fro", "f"):
        return g * conjugate(x) / nonzero(out)
    if order in (np.inf, -np.inf):
        return _share(np.abs(x) == out, axes, g) * slope(x)
    if order == 0:
        return np.zeros_like(x)
    if order == 1:
        return g * slope(x)
    return g * slope(x) * (np.abs(x) / nonzero(out)) ** (float(order) - 1)


# ---- norms of matrices


def _matrix_norm_rule(g: Any, out: Any, x: Any, order: Any) -> Any:
    """The gradient of a norm of the matrices in the last two axes."""
    if order is None or order in ("fro", "f"):
        return g[..., None, None] * conjugate(x) / nonzero(out)[..., None, None]
    if order == "nuc":
        u, _, vh = np.linalg.svd(x, full_matrices=False)
        return g[..., None, None] * (conjugate(u) @ conjugate(vh))
    if order in (2, -2):
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        extreme = s[..., :1] if order == 2 else s[..., -1:]
        return singular_values_rule(_share(s == extreme, -1, g[..., None]), u, vh)
    # The largest or smallest of the sums over columns (order 1) or rows (order inf).
    summed, others = (-2, -1) if abs(order) == 1 else (-1, -2)
    sums = np.sum(np.abs(x), axis=summed, keepdims=True)
    pick = np.max if order > 0 else np.min
    chosen = sums == pick(sums, axis=others, keepdims=True)
    return _share(chosen, others, g[..., None, None]) * slope(x)


def norm_rule(g: Any, out: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The gradient of ``np.linalg.norm``."""
    ndim = np.ndim(x)
    axes = normalise_axes(axis, ndim)
    if len(axes) != 2 or (ord is None and axis is None):
        return _vector_norm_rule(restore(g, x, axis, keepdims), restore(out, x, axis, keepdims), x, ord, axes)
    if keepdims:
        g, out = np.squeeze(g, axes), np.squeeze(out, axes)
    if axes == (ndim - 2, ndim - 1):
        return _matrix_norm_rule(g, out, x, ord)
    return np.moveaxis(_matrix_norm_rule(g, out, np.moveaxis(x, axes, (-2, -1)), ord), (-2, -1), axes)


def _vector_norm(g: Any, out: Any, x: Any, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    axes = normalise_axes(axis, np.ndim(x))
    return _vector_norm_rule(restore(g, x, axis, keepdims), restore(out, x, axis, keepdims), x, ord, axes)


def _matrix_norm(g: Any, out: Any, x: Any, keepdims: bool = False, ord: Any = "fro") -> Any:
    return norm_rule(g, out, x, ord, (-2, -1), keepdims)


structural(np.linalg.norm, x=norm_rule)
structural(np.linalg.vector_norm, x=_vector_norm)
structural(np.linalg.matrix_norm, x=_matrix_norm)


# ---- cond


def _cond(g: Any, out: Any, x: Any, p: Any = None) -> Any:
    if p is None or p in (2, -2):
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        place = np.arange(s.shape[-1])
        over, under = (0, place[-1]) if p != -2 else (place[-1], 0)
        # The derivatives of out = s[over] / s[under].
        weights = ((place == over) - (place == under) * out[..., None]) * (g[..., None] / s[..., under, None])
        return singular_values_rule(weights, u, vh)
    inverse = np.linalg.inv(x)
    size, size_inverse = np.linalg.matrix_norm(x, ord=p), np.linalg.matrix_norm(inverse, ord=p)
    dinverse = _matrix_norm_rule(g * size, size_inverse, inverse, p)
    return _matrix_norm_rule(g * size_inverse, size, x, p) - mt(inverse) @ dinverse @ mt(inverse)


structural(np.linalg.cond, x=_cond)
