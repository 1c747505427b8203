"""Rules for the decompositions of ``scipy.linalg``, most of them those of ``np.linalg`` with more to choose from."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from chainrule.errors import NotDifferentiableError
from chainrule.language import message
from chainrule.ops import composite
from chainrule.rules.decompositions import cholesky_rule, eig_rule, qr_rule, svd_rule
from chainrule.rules.helpers import mt
from chainrule.rules.matrices import (
    adjoint,
    conjugate,
    diagonals,
    identity,
    read_triangle,
    reciprocal_differences,
    singular_values_rule,
)
from chainrule.rules.scipy_calls import call, give_rules

__all__: list[str] = []


# ---- cholesky


def _cholesky(g: Any, out: Any, a: Any, lower: bool = False, check_finite: bool = True) -> Any:
    gradient = cholesky_rule(g, out) if lower else cholesky_rule(adjoint(g), adjoint(out))
    return read_triangle(gradient, lower)


give_rules(scipy.linalg.cholesky, a=_cholesky)


@composite(scipy.linalg.cho_factor)
def _cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    # SciPy leaves arbitrary numbers in the other triangle; these are zeros.
    return call(scipy.linalg.cholesky, a, lower=lower), lower


# ---- lu


def _lu_rule(g_lower: Any, g_upper: Any, lower: Any, upper: Any) -> Any:
    """The cotangent of ``lower @ upper``, which is the matrix with its rows exchanged."""
    k = lower.shape[-1]
    # What a tall matrix has below its square part and a wide one beside it follows that part.
    top, left = lower[..., :k, :], upper[..., :k]
    g_top, g_left = g_lower[..., :k, :], g_upper[..., :k]
    beside = below = None
    if upper.shape[-1] > k:
        beside = np.linalg.solve(mt(top), g_upper[..., k:])
        g_top = g_top - beside @ mt(upper[..., k:])
    if lower.shape[-2] > k:
        below = mt(np.linalg.solve(left, mt(g_lower[..., k:, :])))
        g_left = g_left - mt(lower[..., k:, :]) @ below
    inner = np.tril(mt(top) @ g_top, -1) + np.triu(g_left @ mt(left))
    gradient = mt(np.linalg.solve(left, mt(np.linalg.solve(mt(top), inner))))
    if beside is not None:
        return np.concatenate([gradient, beside], axis=-1)
    return gradient if below is None else np.concatenate([gradient, below], axis=-2)


def _or_zeros(g: Any, like: Any) -> Any:
    return np.zeros_like(like) if g is None else g


def _lu(g: Any, out: Any, a: Any, permute_l: bool = False, check_finite: bool = True, p_indices: bool = False) -> Any:
    if permute_l:
        places, lower, upper = call(scipy.linalg.lu, a, p_indices=True)
        # a = permuted @ upper, and permuted = lower[places]
        back = np.argsort(places, axis=-1)
        g_lower = np.take_along_axis(_or_zeros(g[0], out[0]), back[..., None], axis=-2)
        g_upper = g[1]
    else:
        places, lower, upper = out
        g_lower, g_upper = g[1], g[2]
    gradient = _lu_rule(_or_zeros(g_lower, lower), _or_zeros(g_upper, upper), lower, upper)
    return np.take_along_axis(gradient, places[..., None], axis=-2) if p_indices or permute_l else places @ gradient


give_rules(scipy.linalg.lu, a=_lu)


def _lu_factor(g: Any, out: Any, a: Any, check_finite: bool = True) -> Any:
    places, lower, upper = call(scipy.linalg.lu, a, p_indices=True)
    k = min(a.shape[-2:])
    gradient = _lu_rule(np.tril(g[0], -1)[..., :k], np.triu(g[0])[..., :k, :], lower, upper)
    return np.take_along_axis(gradient, places[..., None], axis=-2)


give_rules(scipy.linalg.lu_factor, a=_lu_factor)


# ---- eigenvalues


def _eigh_parts(
    g: Any, out: Any, a: Any, b: Any, lower: bool, eigvals_only: bool, subset_by_index: Any, subset_by_value: Any
) -> tuple[Any, Any, Any, Any]:
    """The cotangents of the values and of the vectors, either of them ``None``, and all values and vectors."""
    g_w, g_v = (g, None) if eigvals_only else g
    w, v = (None, None) if eigvals_only else out
    if subset_by_value is not None:
        if g_v is not None:
            raise NotDifferentiableError(
                message(
                    "scipy.linalg.eigh(..., subset_by_value=...) gives some of the eigenvectors, but "
                    "their derivatives depend on all of them. Leave subset_by_value= out, and take the "
                    "wanted columns of the result."
                )
            )
        return g_w, None, *call(scipy.linalg.eigh, a, b, lower=lower, subset_by_value=subset_by_value)
    if v is not None and subset_by_index is None:
        return g_w, g_v, w, v
    whole_w, whole_v = call(scipy.linalg.eigh, a, b, lower=lower)
    if subset_by_index is not None:
        first, last = subset_by_index
        beside = [(0, 0)] * (np.ndim(a) - 2) + [(first, a.shape[-1] - 1 - last)]
        g_w = None if g_w is None else np.pad(g_w, beside)
        if g_v is not None:
            # The same vectors from another driver may have another sign or phase.
            turn = diagonals(adjoint(whole_v[..., first : last + 1]) @ v)
            g_v = np.pad(g_v * turn[..., None, :], [*beside[:-1], (0, 0), beside[-1]])
    return g_w, g_v, whole_w, whole_v


def _eigh_first(
    g: Any,
    out: Any,
    a: Any,
    b: Any = None,
    lower: bool = True,
    eigvals_only: bool = False,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    g_w, g_v, w, v = _eigh_parts(g, out, a, b, lower, eigvals_only, subset_by_index, subset_by_value)
    inner = 0.0 if g_w is None else g_w[..., None, :] * identity(w)
    if g_v is not None:
        inner = inner + reciprocal_differences(w) * (mt(v) @ g_v)
    return read_triangle(conjugate(v) @ inner @ mt(v), lower)


def _eigh_second(
    g: Any,
    out: Any,
    a: Any,
    b: Any,
    lower: bool = True,
    eigvals_only: bool = False,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    """Of the generalised problem, where ``v[:, i].conj() @ b @ v[:, i]`` is one."""
    g_w, g_v, w, v = _eigh_parts(g, out, a, b, lower, eigvals_only, subset_by_index, subset_by_value)
    inner = 0.0 if g_w is None else (g_w * w)[..., None, :] * identity(w)
    if g_v is not None:
        inner = inner + (reciprocal_differences(w) * w[..., None, :] + 0.5 * identity(w)) * (mt(v) @ g_v)
    return read_triangle(-conjugate(v) @ inner @ mt(v), lower)


def _values_only(rule: Any) -> Any:
    """The rule of ``eigvalsh`` from that of ``eigh``."""

    def values(
        g: Any,
        out: Any,
        a: Any,
        b: Any = None,
        lower: bool = True,
        check_finite: bool = True,
        subset_by_index: Any = None,
        subset_by_value: Any = None,
        driver: str | None = None,
    ) -> Any:
        return rule(
            g, out, a, b, lower, eigvals_only=True, subset_by_index=subset_by_index, subset_by_value=subset_by_value
        )

    return values


give_rules(scipy.linalg.eigh, a=_eigh_first, b=_eigh_second)
give_rules(scipy.linalg.eigvalsh, a=_values_only(_eigh_first), b=_values_only(_eigh_second))
give_rules(scipy.linalg.eig, a=lambda g, out, a, check_finite=True: eig_rule(g, out[0], out[1]))


@composite(scipy.linalg.eigvals)
def _eigvals(a: Any, b: Any = None, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    if b is not None:
        raise NotDifferentiableError(
            message(
                "scipy.linalg.eigvals(a, b) has no derivative in chainrule. Write it as eigvals(np.linalg.solve(b, a))."
            )
        )
    return call(scipy.linalg.eig, a)[0]


def _tridiagonal(d: Any, e: Any) -> Any:
    """A symmetric matrix by its diagonal and the one below."""
    return np.diag(d) + np.diag(e, -1)


@composite(scipy.linalg.eigh_tridiagonal)
def _eigh_tridiagonal(d: Any, e: Any, eigvals_only: bool = False, check_finite: bool = True) -> Any:
    matrix = _tridiagonal(d, e)
    return np.linalg.eigvalsh(matrix) if eigvals_only else tuple(np.linalg.eigh(matrix))


@composite(scipy.linalg.eigvalsh_tridiagonal)
def _eigvalsh_tridiagonal(d: Any, e: Any, check_finite: bool = True) -> Any:
    return np.linalg.eigvalsh(_tridiagonal(d, e))


# ---- singular values, orthogonal factors


def _svd(
    g: Any,
    out: Any,
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    return svd_rule(g, *out) if compute_uv else _svdvals(g, out, a)


def _svdvals(g: Any, out: Any, a: Any, check_finite: bool = True) -> Any:
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    return singular_values_rule(g, u, vh)


give_rules(scipy.linalg.svd, a=_svd)
give_rules(scipy.linalg.svdvals, a=_svdvals)


def _qr(g: Any, out: Any, a: Any, mode: str = "full", pivoting: bool = False, check_finite: bool = True) -> Any:
    if mode == "raw":
        raise NotDifferentiableError(
            message(
                'scipy.linalg.qr(..., mode="raw") returns Householder vectors, which chainrule does '
                'not differentiate. Use mode="full", "economic" or "r".'
            )
        )
    places: Any = out[-1][..., None, :] if pivoting else None
    columns = np.take_along_axis(a, places, axis=-1) if pivoting else a
    if mode == "r":
        gradient = qr_rule((None, g[0]), columns, *np.linalg.qr(columns))
    else:
        gradient = qr_rule(g[:2], columns, *out[:2])
    return np.take_along_axis(gradient, np.argsort(places, axis=-1), axis=-1) if pivoting else gradient


give_rules(scipy.linalg.qr, a=_qr)


def _polar_right(g: Any, out: Any, a: Any) -> Any:
    """Of ``a = u @ p``, where p is the root of the adjoint of a with a; repeated singular values do no harm."""
    g_u, g_p = g
    u, p = out
    direct = 0.0
    if g_u is not None:
        direct = mt(np.linalg.solve(p, mt(g_u)))
        g_p = -mt(u) @ direct + (0.0 if g_p is None else g_p)
    root = call(scipy.linalg.solve_sylvester, mt(p), mt(p), g_p)
    return direct + conjugate(a) @ (root + adjoint(root))


def _polar(g: Any, out: Any, a: Any, side: str = "right") -> Any:
    rows, columns = a.shape[-2:]
    if (rows < columns) if side == "right" else (columns < rows):
        raise NotDifferentiableError(
            message(
                'scipy.linalg.polar(a, side="{side}") of a matrix of shape {shape} has a singular '
                'factor, which has no derivative. Use side="{other}".',
                side=side,
                shape=str(tuple(map(int, a.shape))),
                other="left" if side == "right" else "right",
            )
        )
    if side == "right":
        return _polar_right(g, out, a)
    flipped = tuple(None if part is None else adjoint(part) for part in g)
    return adjoint(_polar_right(flipped, tuple(adjoint(part) for part in out), adjoint(a)))


give_rules(scipy.linalg.polar, a=_polar)


@composite(scipy.linalg.orthogonal_procrustes)
def _orthogonal_procrustes(A: Any, B: Any, check_finite: bool = True) -> Any:
    u, s, vh = np.linalg.svd(mt(mt(B) @ conjugate(A)))
    return u @ vh, np.sum(s)
