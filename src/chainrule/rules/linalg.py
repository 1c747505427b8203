"""Rules for ``np.linalg`` outside norms and decompositions: inverses, solutions, determinants, powers.

Each works on stacks of matrices where NumPy does, and on complex matrices without conjugation, because these
functions are analytic in their elements; only ``pinv`` and ``lstsq`` are not.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.language import message
from chainrule.ops import composite, constant, structural
from chainrule.rules.helpers import for_any_size, mt
from chainrule.rules.matrices import adjoint, conjugate, identity, mirrored, read_triangle, singular_values_rule

__all__ = ["determinant_rule", "lstsq_first", "lstsq_second", "pinv_rule"]

constant(np.linalg.matrix_rank, message("it returns a count, which does not move smoothly"))


# ---- diagonals and transposes of stacks

structural(np.linalg.matrix_transpose, x=lambda g, out, x: mt(g))


@composite(np.linalg.diagonal)
def _diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return np.diagonal(x, offset, axis1=-2, axis2=-1)


@composite(np.linalg.trace)
def _trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return np.trace(x, offset, axis1=-2, axis2=-1, dtype=dtype)


# ---- solve, inv


def _solve_second(g: Any, out: Any, a: Any, b: Any) -> Any:
    """The cotangent of the right-hand side: the transposed system, solved for the cotangent of the solution."""
    if np.ndim(b) == 1 and np.ndim(a) > 2:
        return np.linalg.solve(mt(a), g[..., None])[..., 0]
    return np.linalg.solve(mt(a), g)


def _solve_first(g: Any, out: Any, a: Any, b: Any) -> Any:
    """The cotangent of the matrix: minus that of the right-hand side, times the solution."""
    db = _solve_second(g, out, a, b)
    if np.ndim(b) > 1:
        return -db @ mt(out)
    return -np.outer(db, out) if np.ndim(a) == 2 else -db[..., None] * out[..., None, :]


structural(np.linalg.solve, a=_solve_first, b=_solve_second)
structural(np.linalg.inv, a=lambda g, out, a: -mt(out) @ g @ mt(out))


@composite(np.linalg.tensorsolve)
def _tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    if axes is not None:
        axes = [k % np.ndim(a) for k in axes]
        a = np.transpose(a, [k for k in range(np.ndim(a)) if k not in axes] + axes)
    shape = np.shape(a)[np.ndim(b) - np.ndim(a) :] if np.ndim(a) > np.ndim(b) else ()
    return np.reshape(np.linalg.solve(np.reshape(a, (-1, math.prod(shape))), np.ravel(b)), shape)


@composite(np.linalg.tensorinv)
def _tensorinv(a: Any, ind: int = 2) -> Any:
    left, right = np.shape(a)[:ind], np.shape(a)[ind:]
    return np.reshape(np.linalg.inv(np.reshape(a, (math.prod(left), -1))), right + left)


# ---- determinants

# Up to this size the cofactors are found one by one, as on paper: they are then exact for a singular matrix too,
# and so are their own derivatives.
_BY_COFACTORS = 4


def _cofactors(a: Any) -> Any:
    """The matrix of the cofactors, each the determinant of what is left without its row and column."""
    n = a.shape[-1]
    if n < 2:
        return np.ones_like(a)
    left = np.array([[k for k in range(n) if k != i] for i in range(n)])
    signs = np.where(np.add.outer(range(n), range(n)) % 2, -1, 1).astype(np.int8)
    return signs * np.linalg.det(a[..., left[:, None, :, None], left[None, :, None, :]])


def _for_matrices(x: Any, a: Any) -> Any:
    """A number for each matrix of ``a``, to be multiplied with it."""
    return x if np.ndim(a) == 2 else x[..., None, None]


def determinant_rule(g: Any, out: Any, a: Any) -> Any:
    """Jacobi's formula: the derivative of the determinant is the matrix of the cofactors."""
    g, out = _for_matrices(g, a), _for_matrices(out, a)
    if for_any_size() and np.all(getattr(out, "value", out)):
        return g * out * mt(np.linalg.inv(a))  # as people write it; it raises for a singular matrix
    if not for_any_size() and a.shape[-1] <= _BY_COFACTORS:
        return g * _cofactors(a)
    # A singular matrix has no inverse, yet it has cofactors.  A shift that is lost in the rounding of ``a`` makes it
    # regular; what is too large in the inverse and too small in the determinant cancels in their product.
    size = np.max(np.abs(a), axis=(-2, -1), keepdims=True)
    shift = (out == 0) * float(np.finfo(a.dtype).eps) * (size + (size == 0))
    regular = a + shift * identity(a)
    return g * _for_matrices(np.linalg.det(regular), a) * mt(np.linalg.inv(regular))


structural(np.linalg.det, a=determinant_rule)


def _slogdet(g: Any, out: Any, a: Any) -> Any:
    g_sign, g_log = g
    factor = 0.0 if g_log is None else _for_matrices(g_log, a)
    if g_sign is not None and np.iscomplexobj(a):
        # The sign is exp(i t), where t is the imaginary part of the logarithm of the determinant.
        factor = factor + 1j * _for_matrices((g_sign * out[0]).imag, a)
    return factor * mt(np.linalg.inv(a))


structural(np.linalg.slogdet, a=_slogdet)


# ---- powers


def _power(a: Any, n: int) -> Any:
    return a if n == 1 else np.linalg.matrix_power(a, n)


def _matrix_power(g: Any, out: Any, a: Any, n: int) -> Any:
    if n < 0:
        inverse = out if n == -1 else np.linalg.inv(a)
        return -mt(inverse) @ _matrix_power(g, out, inverse, -n) @ mt(inverse)
    if n == 0:
        return np.zeros_like(a)
    if n == 1:
        return g
    # The same squarings as on the way forward: a**n = p @ p, or p @ a.
    if n % 2:
        rest = _power(a, n - 1)
        return mt(rest) @ g + _matrix_power(g @ mt(a), rest, a, n - 1)
    half = _power(a, n // 2)
    return _matrix_power(g @ mt(half) + mt(half) @ g, half, a, n // 2)


structural(np.linalg.matrix_power, a=_matrix_power)


# ---- least squares


def _product(x: Any, y: Any, z: Any) -> Any:
    """``x @ y @ z``, where y is as wide as x is tall, in the cheaper order."""
    return x @ (y @ z) if x.shape[-2] >= x.shape[-1] else (x @ y) @ z


def pinv_rule(g: Any, out: Any, a: Any) -> Any:
    """The formula of Golub and Pereyra, for a matrix whose rank stays what it is."""
    g, across, back = conjugate(g), mt(g), adjoint(out)
    outside = across - _product(a, out, across)
    inside = across - _product(across, out, a)
    return conjugate(_product(outside, out, back) + _product(back, out, inside) - _product(back, g, back))


def _pinv(g: Any, out: Any, a: Any, rcond: Any = None, hermitian: bool = False, rtol: Any = None) -> Any:
    return read_triangle(pinv_rule(g, out, mirrored(a, True)), True) if hermitian else pinv_rule(g, out, a)


structural(np.linalg.pinv, a=_pinv)


def _columns(x: Any) -> Any:
    return x[:, None] if np.ndim(x) == 1 else x


def _real(g: Any) -> Any:
    """The cotangent of a sum of squares, which is real although SciPy gives it a complex dtype from 1.18 on."""
    return np.real(g) if np.iscomplexobj(g) else g


def lstsq_first(g: Any, out: Any, a: Any, b: Any, inverse: Any) -> Any:
    """The cotangent of the matrix, from those of the solution, of the sums of squares and of the singular values."""
    g_x, g_squares, _, g_s = g
    b, x = _columns(b), _columns(out[0])
    da = np.zeros_like(a) if g_x is None else pinv_rule(_columns(g_x) @ b.T, inverse, a)
    if g_squares is not None and np.size(g_squares):
        da = da - 2 * (_real(g_squares) * conjugate(b - a @ x)) @ x.T
    if g_s is not None:
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        da = da + singular_values_rule(g_s, u, vh)
    return da


def lstsq_second(g: Any, out: Any, a: Any, b: Any, inverse: Any) -> Any:
    """The cotangent of the right-hand side, from those of the solution and of the sums of squares."""
    g_x, g_squares = g[:2]
    db = np.zeros_like(b) if g_x is None else inverse.T @ g_x
    if g_squares is None or np.size(g_squares) == 0:
        return db
    residual = conjugate(b - a @ out[0])
    return db + 2 * residual * _real(g_squares)


def _pinv_of_lstsq(a: Any, rcond: Any) -> Any:
    """The pseudoinverse that leaves out the same singular values as ``lstsq``."""
    return np.linalg.pinv(a, rcond=float(np.finfo(a.dtype).eps) * max(a.shape) if rcond is None else rcond)


structural(
    np.linalg.lstsq,
    a=lambda g, out, a, b, rcond=None: lstsq_first(g, out, a, b, _pinv_of_lstsq(a, rcond)),
    b=lambda g, out, a, b, rcond=None: lstsq_second(g, out, a, b, _pinv_of_lstsq(a, rcond)),
)
