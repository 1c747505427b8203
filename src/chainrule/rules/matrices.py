"""Pieces that the rules for matrices share: conjugates, triangles, safe divisors.

The rules of this package follow JAX's convention for complex numbers: cotangents are transposed, not conjugated.
Textbook formulas for decompositions are written with adjoints; where a rule follows one, it conjugates the cotangent
first and its result last, and ``conjugate`` leaves real arrays alone so that the real case reads as the textbook does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.rules.helpers import made, mt

__all__ = [
    "adjoint",
    "conjugate",
    "diagonals",
    "half_triangle",
    "identity",
    "mirrored",
    "nonzero",
    "read_triangle",
    "real",
    "reciprocal_differences",
    "singular_values_rule",
    "slope",
]


def conjugate(x: Any) -> Any:
    """The complex conjugate, and ``x`` itself where it is real."""
    return np.conj(x) if np.iscomplexobj(x) else x


def adjoint(x: Any) -> Any:
    """The conjugate transpose of each matrix."""
    return conjugate(mt(x))


def real(x: Any) -> Any:
    """The real part, and ``x`` itself where it is real."""
    return x.real if np.iscomplexobj(x) else x


def identity(x: Any) -> Any:
    """The identity matrix of the size and precision of the last axis of ``x``, real."""
    return made(np.eye, x.shape[-1], **_precision(x))


def _precision(x: Any) -> dict[str, Any]:
    """The dtype of the real and imaginary parts of ``x``, where it is not the usual one."""
    dtype = np.finfo(x.dtype).dtype
    return {} if dtype == np.float64 else {"dtype": dtype}


def half_triangle(x: Any) -> Any:
    """Ones below the diagonal, halves on it and zeros above, of the size and precision of ``x``."""
    return made(np.tri, x.shape[-1], **_precision(x)) - 0.5 * identity(x)


def diagonals(x: Any) -> Any:
    """The diagonal of each matrix."""
    return np.diagonal(x, axis1=-2, axis2=-1)


def read_triangle(gradient: Any, lower: bool) -> Any:
    """The gradient with respect to the triangle that a function reads of a symmetric (Hermitian) matrix.

    ``cholesky`` and ``eigh`` look at one triangle only and take the other as its mirror image, so an element of the
    triangle moves two elements of the matrix, and the other triangle moves nothing.  The gradient says exactly that,
    as differences would; its symmetric part is the symmetric gradient that JAX and PyTorch give, and any symmetric
    matrix that is computed from something else gets the same derivative from both.
    """
    weights = half_triangle(gradient)
    return (gradient + adjoint(gradient)) * (weights if lower else weights.T)


def mirrored(x: Any, lower: bool) -> Any:
    """The symmetric (Hermitian) matrix that a function takes one triangle of ``x`` for."""
    return np.tril(x) + adjoint(np.tril(x, -1)) if lower else np.triu(x) + adjoint(np.triu(x, 1))


def nonzero(x: Any) -> Any:
    """``x`` as a divisor: one where it is zero."""
    return x + (x == 0)


def slope(x: Any) -> Any:
    """The derivative of ``abs(x)``: the sign of ``x``, or the conjugate of its phase; zero at zero."""
    return conjugate(x) / nonzero(np.abs(x)) if np.iscomplexobj(x) else np.sign(x)


def reciprocal_differences(x: Any) -> Any:
    """``1 / (x[j] - x[i])`` at row i and column j, and zero on the diagonal.

    Equal values give infinity, with NumPy's warning: vectors that belong to a repeated value have no derivative.
    """
    ones = identity(x)
    return (1 - ones) / (x[..., None, :] - x[..., :, None] + ones)


def singular_values_rule(g: Any, u: Any, vh: Any) -> Any:
    """The cotangent of a matrix from that of its singular values; repeated values do no harm."""
    return (conjugate(u) * g[..., None, :]) @ conjugate(vh)
