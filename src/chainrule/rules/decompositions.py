"""Rules for the decompositions of ``np.linalg``: ``cholesky``, ``eigh``, ``eig``, ``svd``, ``qr``.

A decomposition leaves freedom, a sign or phase of each vector and the basis of each space that belongs to one repeated
value, and NumPy makes a choice.  The rules let a phase rest where nothing fixes it, so that what does not depend on
the choice has its exact derivative; this is the convention of JAX and PyTorch.  ``eig`` follows NumPy's own choice.
Vectors of repeated eigenvalues or singular values have no derivative: it comes out infinite or NaN, with NumPy's
warning.  The values alone are not affected.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import NotDifferentiableError
from chainrule.language import message
from chainrule.ops import composite, structural
from chainrule.rules.helpers import mt
from chainrule.rules.matrices import (
    adjoint,
    conjugate,
    diagonals,
    half_triangle,
    identity,
    read_triangle,
    real,
    reciprocal_differences,
    singular_values_rule,
)

__all__ = ["cholesky_rule", "eig_rule", "eigh_rule", "qr_rule", "svd_rule"]


# ---- cholesky


def cholesky_rule(g: Any, lower: Any) -> Any:
    """The cotangent of the whole matrix from that of its lower factor."""
    inner = (mt(lower) @ g) * half_triangle(lower)
    return mt(np.linalg.solve(adjoint(lower), mt(np.linalg.solve(mt(lower), inner))))


def _cholesky(g: Any, out: Any, a: Any, upper: bool = False) -> Any:
    gradient = cholesky_rule(adjoint(g), adjoint(out)) if upper else cholesky_rule(g, out)
    return read_triangle(gradient, lower=not upper)


structural(np.linalg.cholesky, a=_cholesky)


# ---- eigenvalues of Hermitian matrices


def eigh_rule(g: Any, w: Any, v: Any) -> Any:
    """The cotangent of the whole matrix from those of its eigenvalues and eigenvectors, either of them ``None``."""
    g_w, g_v = g
    if g_v is None:
        return (conjugate(v) * g_w[..., None, :]) @ mt(v)
    inner = reciprocal_differences(w) * (mt(v) @ g_v)
    if g_w is not None:
        inner = inner + g_w[..., None, :] * identity(w)
    return conjugate(v) @ inner @ mt(v)


structural(
    np.linalg.eigh,
    a=lambda g, out, a, UPLO="L": read_triangle(eigh_rule(g, out[0], out[1]), UPLO in "Ll"),
)


def _eigvalsh(g: Any, out: Any, a: Any, UPLO: Any = "L") -> Any:
    _, v = np.linalg.eigh(a, UPLO)
    return read_triangle(eigh_rule((g, None), out, v), UPLO in "Ll")


structural(np.linalg.eigvalsh, a=_eigvalsh)


# ---- eigenvalues of general matrices


def eig_rule(g: Any, w: Any, v: Any) -> Any:
    """The cotangent of a matrix from those of its eigenvalues and eigenvectors, either of them ``None``.

    NumPy scales eigenvectors to length one and turns complex ones so that their largest component is real.
    """
    g_w, g_v = g
    if g_v is None:
        return np.linalg.solve(mt(v), g_w[..., None] * mt(v))
    inner = mt(v) @ g_v
    along = diagonals(inner)[..., None, :]
    inner = inner - (mt(v) @ conjugate(v)) * real(along)
    if np.iscomplexobj(v):
        largest = np.take_along_axis(v, np.argmax(np.abs(v), axis=-2)[..., None], axis=-2)
        inner = inner - 1j * mt(largest) * (along.imag / diagonals(largest).real[..., None, :])
    inner = reciprocal_differences(w) * inner
    if g_w is not None:
        inner = inner + g_w[..., None, :] * identity(w)
    return np.linalg.solve(mt(v), inner @ mt(v))


structural(np.linalg.eig, a=lambda g, out, a: eig_rule(g, out[0], out[1]))


@composite(np.linalg.eigvals)
def _eigvals(a: Any) -> Any:
    # The order of the values is that of the vectors only if both come from one call.
    return np.linalg.eig(a)[0]


# ---- singular values


def svd_rule(g: Any, u: Any, s: Any, vh: Any) -> Any:
    """The cotangent of a matrix from those of its three factors, any of them ``None``."""
    g_u, g_s, g_vh = g
    k = s.shape[-1]
    if g_u is None and g_vh is None:
        return singular_values_rule(g_s, u[..., :k], vh[..., :k, :])
    differences = reciprocal_differences(s**2)
    inner = 0.0 if g_s is None else g_s[..., None, :] * identity(s)
    outer = 0.0
    if g_u is not None:
        g_u, u = _without_complement(conjugate(g_u), u, k)
        pulled = adjoint(u) @ g_u
        inner = inner + differences * (pulled - adjoint(pulled)) * s[..., None, :]
        if np.iscomplexobj(u):
            inner = inner + 1j * (diagonals(pulled).imag / s)[..., None, :] * identity(s)
        if u.shape[-2] > k:
            outer = outer + ((g_u - u @ pulled) / s[..., None, :]) @ vh[..., :k, :]
    v = adjoint(vh)
    if g_vh is not None:
        g_v, v = _without_complement(mt(g_vh), v, k)
        pulled = adjoint(v) @ g_v
        inner = inner + s[..., :, None] * differences * (pulled - adjoint(pulled))
        if v.shape[-2] > k:
            outer = outer + u[..., :k] @ adjoint((g_v - v @ pulled) / s[..., None, :])
    return conjugate(u[..., :k] @ inner @ adjoint(v[..., :k]) + outer)


def _without_complement(g: Any, q: Any, k: int) -> tuple[Any, Any]:
    """The cotangent of the first ``k`` columns of an orthogonal matrix, and those columns.

    The other columns fill the space; they follow the first ones, and do not turn among themselves.
    """
    if q.shape[-1] == k:
        return g, q
    first, rest = q[..., :k], q[..., k:]
    return g[..., :k] - rest @ (adjoint(g[..., k:]) @ first), first


def _svd(g: Any, out: Any, a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if not compute_uv:
        u, _, vh = np.linalg.svd(a, full_matrices=False, hermitian=hermitian)
        gradient = singular_values_rule(g, u, vh)
    else:
        gradient = svd_rule(g, *out)
    return read_triangle(gradient, lower=True) if hermitian else gradient


structural(np.linalg.svd, a=_svd)
structural(np.linalg.svdvals, x=lambda g, out, x: _svd(g, out, x, compute_uv=False))


# ---- orthogonal and triangular factor


def qr_rule(g: Any, a: Any, q: Any, r: Any) -> Any:
    """The cotangent of a matrix from those of its factors, either of them ``None``."""
    k = min(a.shape[-2:])
    g_q, g_r = (None if part is None else conjugate(part) for part in g)
    g_q = np.zeros_like(q) if g_q is None else g_q
    g_q, q = _without_complement(g_q, q, k)
    g_r = np.zeros_like(r[..., :k, :]) if g_r is None else g_r[..., :k, :]
    r = r[..., :k, :]
    right = None
    if a.shape[-1] > k:
        # Only the left square part of a wide matrix determines q; the right part is q @ r there.
        right = q @ g_r[..., k:]
        g_q = g_q + a[..., k:] @ adjoint(g_r[..., k:])
        r, g_r = r[..., :k], g_r[..., :k]
    from_r = g_r @ adjoint(r)
    pulled = adjoint(q) @ g_q
    turned = (pulled - from_r) - adjoint(pulled - from_r)
    inner = turned * half_triangle(turned) + from_r - pulled
    left = adjoint(np.linalg.solve(r, adjoint(g_q + q @ inner)))
    return conjugate(left if right is None else np.concatenate([left, right], axis=-1))


def _qr(g: Any, out: Any, a: Any, mode: str = "reduced") -> Any:
    if mode == "r":
        q, r = np.linalg.qr(a)
        return qr_rule((None, g), a, q, r)
    if mode not in ("reduced", "complete"):
        raise NotDifferentiableError(
            message(
                'np.linalg.qr(..., mode="{mode}") returns Householder vectors, which chainrule does '
                'not differentiate. Use mode="reduced", "complete" or "r".',
                mode=mode,
            )
        )
    return qr_rule(g, a, *out)


structural(np.linalg.qr, a=_qr)
