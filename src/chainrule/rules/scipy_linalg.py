"""Rules for ``scipy.linalg``: systems of equations, inverses, norms.  Imports those for the rest of it.

The core loads this module when the user has imported ``scipy.linalg``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from chainrule.ops import composite, structural
from chainrule.rules import scipy_decompositions, scipy_equations, scipy_matrices
from chainrule.rules.helpers import mt
from chainrule.rules.linalg import determinant_rule, lstsq_first, lstsq_second, pinv_rule
from chainrule.rules.matrices import conjugate, half_triangle, identity, mirrored, read_triangle
from chainrule.rules.norms import norm_rule
from chainrule.rules.scipy_calls import call, give_rules
from chainrule.traced import primitive

__all__ = ["scipy_decompositions", "scipy_equations", "scipy_matrices"]


def _columns(x: Any, b: Any) -> Any:
    """A solution for the right-hand side ``b`` as columns."""
    return x[..., None] if np.ndim(b) == 1 else x


def _as_given(x: Any, b: Any) -> Any:
    return x[..., 0] if np.ndim(b) == 1 else x


# ---- solve, inv

_FLIPPED = {"upper triangular": "lower triangular", "lower triangular": "upper triangular"}


def _read(gradient: Any, assume_a: str | None, lower: bool) -> Any:
    """The gradient with respect to the elements that a solver looks at when it is told the structure of the matrix."""
    if assume_a in ("pos", "positive definite", "her", "hermitian"):
        return read_triangle(gradient, lower)
    if assume_a in ("sym", "symmetric"):
        weights = half_triangle(gradient)
        return (gradient + mt(gradient)) * (weights if lower else weights.T)
    if assume_a == "upper triangular":
        return np.triu(gradient)
    if assume_a == "lower triangular":
        return np.tril(gradient)
    if assume_a == "diagonal":
        return gradient * identity(gradient)
    if assume_a == "tridiagonal":
        return np.tril(np.triu(gradient, -1), 1)
    return gradient


def _solved_back(g: Any, a: Any, b: Any, lower: bool, assume_a: str | None, transposed: bool) -> Any:
    """The transposed system solved for the cotangent, as columns."""
    options: dict[str, Any] = {} if assume_a is None else {"assume_a": _FLIPPED.get(assume_a, assume_a)}
    if assume_a is not None:
        options["lower"] = not lower
    if transposed:
        options["transposed"] = True
    return call(scipy.linalg.solve, mt(a), _columns(g, b), **options)


def _solve_first(
    g: Any,
    out: Any,
    a: Any,
    b: Any,
    lower: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Any:
    db = _solved_back(g, a, b, lower, assume_a, transposed)
    x = _columns(out, b)
    return _read(-x @ mt(db) if transposed else -db @ mt(x), assume_a, lower)


def _solve_second(
    g: Any,
    out: Any,
    a: Any,
    b: Any,
    lower: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Any:
    return _as_given(_solved_back(g, a, b, lower, assume_a, transposed), b)


give_rules(scipy.linalg.solve, a=_solve_first, b=_solve_second)


def _inv(g: Any, out: Any, a: Any, check_finite: bool = True, assume_a: str | None = None, lower: bool = False) -> Any:
    return _read(-mt(out) @ g @ mt(out), assume_a, lower)


give_rules(scipy.linalg.inv, a=_inv)
give_rules(scipy.linalg.det, a=lambda g, out, a, check_finite=True: determinant_rule(g, out, a))


# ---- triangular systems

_TRANSPOSED = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}


def _back_through(g: Any, a: Any, b: Any, trans: Any, lower: bool, unit_diagonal: bool) -> Any:
    """The transposed of the triangular system, solved for the cotangent, as columns."""
    g = _columns(g, b)
    options = {"lower": lower, "unit_diagonal": unit_diagonal}
    if _TRANSPOSED[trans] == 2:
        return conjugate(call(scipy.linalg.solve_triangular, a, conjugate(g), **options))
    return call(scipy.linalg.solve_triangular, a, g, trans=1 - _TRANSPOSED[trans], **options)


def _triangular_first(
    g: Any,
    out: Any,
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    check_finite: bool = True,
) -> Any:
    db = _back_through(g, a, b, trans, lower, unit_diagonal)
    x = _columns(out, b)
    gradient = -db @ mt(x) if _TRANSPOSED[trans] == 0 else -x @ mt(db)
    gradient = conjugate(gradient) if _TRANSPOSED[trans] == 2 else gradient
    return np.tril(gradient, -int(unit_diagonal)) if lower else np.triu(gradient, int(unit_diagonal))


def _triangular_second(
    g: Any,
    out: Any,
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    check_finite: bool = True,
) -> Any:
    return _as_given(_back_through(g, a, b, trans, lower, unit_diagonal), b)


give_rules(scipy.linalg.solve_triangular, a=_triangular_first, b=_triangular_second)


@composite(scipy.linalg.cho_solve)
def _cho_solve(c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    c, lower = c_and_lower
    first, second = (0, 2) if lower else (2, 0)
    half = call(scipy.linalg.solve_triangular, c, b, trans=first, lower=lower)
    return call(scipy.linalg.solve_triangular, c, half, trans=second, lower=lower)


def _rows_exchanged(b: Any, pivots: Any, back: bool = False) -> Any:
    """The rows of ``b`` exchanged as ``lu_factor`` says, or exchanged back."""
    size = np.shape(pivots)[-1]
    no_factors = np.broadcast_to(np.eye(size, dtype=b.dtype), (*np.shape(pivots), size))
    return scipy.linalg.lu_solve((no_factors, pivots), b, trans=int(back))


structural(
    _rows_exchanged,
    name="scipy.linalg.lu_solve",
    b=lambda g, out, b, pivots, back=False: _exchange_rows(g, pivots, back=not back),
    pivots=None,
)
_exchange_rows: Any = primitive(_rows_exchanged)


@composite(scipy.linalg.lu_solve)
def _lu_solve(lu_and_piv: Any, b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    lu, pivots = lu_and_piv
    solve = scipy.linalg.solve_triangular
    if trans == 0:
        half = call(solve, lu, _exchange_rows(b, pivots), lower=True, unit_diagonal=True)
        return call(solve, lu, half)
    half = call(solve, lu, b, trans=trans)
    return _exchange_rows(call(solve, lu, half, trans=trans, lower=True, unit_diagonal=True), pivots, back=True)


# ---- banded systems


def _band(left: Any, right: Any, shift: int) -> Any:
    """The elements ``left[j + shift] * right[j]`` of the product of columns; zero where that is outside of them."""
    places = np.arange(right.shape[-2]) + shift
    inside = (places >= 0) & (places < right.shape[-2])
    return inside * np.sum(np.roll(left, -shift, axis=-2) * right, axis=-1)


def _banded_back(g: Any, l_and_u: tuple[int, int], ab: Any, b: Any) -> Any:
    """The transposed of the banded system, solved for the cotangent, as columns."""
    lower, upper = l_and_u
    turned = [np.roll(ab[..., upper - shift, :], -shift, axis=-1) for shift in range(-lower, upper + 1)]
    return call(scipy.linalg.solve_banded, (upper, lower), np.stack(turned, axis=-2), _columns(g, b))


def _solve_banded_matrix(g: Any, out: Any, ab: Any, b: Any, l_and_u: Any, check_finite: bool = True) -> Any:
    db, x = _banded_back(g, l_and_u, ab, b), _columns(out, b)
    lower, upper = l_and_u
    return -np.stack([_band(db, x, shift) for shift in range(-upper, lower + 1)], axis=-2)


give_rules(
    scipy.linalg.solve_banded,
    ab=_solve_banded_matrix,
    b=lambda g, out, ab, b, l_and_u, check_finite=True: _as_given(_banded_back(g, l_and_u, ab, b), b),
)


def _hermitian_band_back(g: Any, ab: Any, b: Any, lower: bool) -> Any:
    return conjugate(call(scipy.linalg.solveh_banded, ab, conjugate(_columns(g, b)), lower=lower))


def _solveh_banded_matrix(g: Any, out: Any, ab: Any, b: Any, lower: bool = False, check_finite: bool = True) -> Any:
    db, x = _hermitian_band_back(g, ab, b, lower), _columns(out, b)
    rows = ab.shape[-2]
    shifts = range(rows) if lower else range(1 - rows, 1)
    # As read_triangle does it, one diagonal at a time.
    both = [_band(db, x, shift) + conjugate(_band(x, db, shift)) for shift in shifts]
    return -np.stack([band if shift else 0.5 * band for band, shift in zip(both, shifts, strict=True)], axis=-2)


give_rules(
    scipy.linalg.solveh_banded,
    ab=_solveh_banded_matrix,
    b=lambda g, out, ab, b, lower=False, check_finite=True: _as_given(_hermitian_band_back(g, ab, b, lower), b),
)


# ---- systems with a structure that is worth writing out


def _column_and_row(c_or_cr: Any) -> tuple[Any, Any]:
    """The first column and the first row of a Toeplitz matrix, given as both or as the column alone."""
    return c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, conjugate(c_or_cr))


@composite(scipy.linalg.solve_toeplitz)
def _solve_toeplitz(c_or_cr: Any, b: Any, check_finite: bool = True) -> Any:
    return call(scipy.linalg.solve, scipy_matrices.toeplitz(*_column_and_row(c_or_cr)), b, assume_a="gen")


@composite(scipy.linalg.matmul_toeplitz)
def _matmul_toeplitz(c_or_cr: Any, x: Any, check_finite: bool = False, workers: Any = None) -> Any:
    return scipy_matrices.toeplitz(*_column_and_row(c_or_cr)) @ x


# ---- least squares, norms


def _pinv(
    g: Any, out: Any, a: Any, atol: Any = None, rtol: Any = None, return_rank: bool = False, check_finite: bool = True
) -> Any:
    return pinv_rule(g[0], out[0], a) if return_rank else pinv_rule(g, out, a)


def _pinvh(
    g: Any,
    out: Any,
    a: Any,
    atol: Any = None,
    rtol: Any = None,
    lower: bool = True,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    return read_triangle(_pinv(g, out, mirrored(a, lower), return_rank=return_rank), lower)


give_rules(scipy.linalg.pinv, a=_pinv)
give_rules(scipy.linalg.pinvh, a=_pinvh)


def _pinv_of_lstsq(a: Any, cond: Any) -> Any:
    return np.linalg.pinv(a, rcond=float(np.finfo(a.dtype).eps) if cond is None else cond)


give_rules(
    scipy.linalg.lstsq,
    a=lambda g, out, a, b, cond=None, check_finite=True: lstsq_first(g, out, a, b, _pinv_of_lstsq(a, cond)),
    b=lambda g, out, a, b, cond=None, check_finite=True: lstsq_second(g, out, a, b, _pinv_of_lstsq(a, cond)),
)
give_rules(
    scipy.linalg.norm,
    a=lambda g, out, a, ord=None, axis=None, keepdims=False, check_finite=True: norm_rule(
        g, out, a, ord, axis, keepdims
    ),
)
