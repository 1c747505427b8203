"""Rules for the functions of matrices in ``scipy.linalg``, and for the matrices that it builds from vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from chainrule.language import message
from chainrule.ops import composite, constant
from chainrule.rules.helpers import mt
from chainrule.rules.matrices import conjugate
from chainrule.rules.scipy_calls import call, give_rules

__all__ = ["toeplitz"]

for _name in ("issymmetric", "ishermitian", "bandwidth"):
    constant(
        getattr(scipy.linalg, _name), message("it describes the pattern of a matrix"), name=f"scipy.linalg.{_name}"
    )


# ---- functions of matrices


def _derivative(function: Callable[..., Any], a: Any, direction: Any, *args: Any) -> Any:
    """The derivative of a function of matrices at ``a`` in a direction.

    An analytic function of [[a, e], [0, a]] has the derivative in the direction e as its upper right block.
    """
    n = a.shape[-1]
    upper = np.concatenate([a, direction], axis=-1)
    lower = np.concatenate([np.zeros_like(a), a], axis=-1)
    return call(function, np.concatenate([upper, lower], axis=-2), *args)[..., :n, n:]


def _give_block_rule(function: Callable[..., Any]) -> None:
    give_rules(function, A=lambda g, out, A: _derivative(function, mt(A), g))


for _name in ("expm", "logm", "sqrtm", "cosm", "sinm", "tanm", "coshm", "sinhm", "tanhm"):
    _give_block_rule(getattr(scipy.linalg, _name))

give_rules(
    scipy.linalg.fractional_matrix_power,
    A=lambda g, out, A, t: _derivative(scipy.linalg.fractional_matrix_power, mt(A), g, t),
)


@composite(scipy.linalg.expm_frechet)
def _expm_frechet(
    A: Any, E: Any, method: str | None = None, compute_expm: bool = True, check_finite: bool = True
) -> Any:
    derivative = _derivative(scipy.linalg.expm, A, E)
    return (call(scipy.linalg.expm, A), derivative) if compute_expm else derivative


# ---- matrices from vectors


@composite(scipy.linalg.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Any:
    """``scipy.linalg.toeplitz`` by indexing."""
    c = np.atleast_1d(c)
    r = conjugate(c) if r is None else np.atleast_1d(r)
    rows, columns = c.shape[-1], r.shape[-1]
    values = np.concatenate([c[..., ::-1], r[..., 1:]], axis=-1)
    return values[..., rows - 1 + np.subtract.outer(-np.arange(rows), -np.arange(columns))]


@composite(scipy.linalg.hankel)
def _hankel(c: Any, r: Any = None) -> Any:
    c = np.ravel(c)
    r = np.zeros_like(c) if r is None else np.ravel(r)
    return np.concatenate([c, r[1:]])[np.add.outer(np.arange(c.shape[0]), np.arange(r.shape[0]))]


@composite(scipy.linalg.circulant)
def _circulant(c: Any) -> Any:
    c = np.atleast_1d(c)
    places = np.arange(c.shape[-1])
    return c[..., np.subtract.outer(places, places) % max(len(places), 1)]


@composite(scipy.linalg.block_diag)
def _block_diag(*arrs: Any) -> Any:
    blocks = [np.atleast_2d(block) for block in arrs or ([],)]
    width = sum(np.shape(block)[-1] for block in blocks)
    before = 0
    rows = []
    for block in blocks:
        columns = np.shape(block)[-1]
        rows.append(np.pad(block, [(0, 0)] * (np.ndim(block) - 1) + [(before, width - before - columns)]))
        before += columns
    return np.concatenate(rows, axis=-2)


@composite(scipy.linalg.companion)
def _companion(a: Any) -> Any:
    first = -a[..., 1:] / a[..., :1]
    n = first.shape[-1]
    below = np.broadcast_to(np.eye(n - 1, n, dtype=first.dtype), (*first.shape[:-1], n - 1, n))
    return np.concatenate([first[..., None, :], below], axis=-2)


@composite(scipy.linalg.leslie)
def _leslie(f: Any, s: Any) -> Any:
    return np.concatenate([np.atleast_1d(f)[None, :], np.pad(np.diag(np.atleast_1d(s)), [(0, 0), (0, 1)])])


@composite(scipy.linalg.fiedler)
def _fiedler(a: Any) -> Any:
    a = np.atleast_1d(a)
    return np.abs(a[..., :, None] - a[..., None, :])


@composite(scipy.linalg.khatri_rao)
def _khatri_rao(a: Any, b: Any) -> Any:
    return np.reshape(a[:, None, :] * b[None, :, :], (-1, np.shape(a)[1]))


@composite(scipy.linalg.convolution_matrix)
def _convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    size = np.shape(a)[0]
    offsets = np.subtract.outer(np.arange(size + n - 1), np.arange(n))
    inside = (offsets >= 0) & (offsets < size)
    start = {"full": 0, "same": (min(n, size) - 1) // 2, "valid": min(n, size) - 1}[mode]
    count = {"full": size + n - 1, "same": max(n, size), "valid": max(n, size) - min(n, size) + 1}[mode]
    return (inside * a[np.where(inside, offsets, 0)])[start : start + count]


@composite(scipy.linalg.diagsvd)
def _diagsvd(s: Any, M: int, N: int) -> Any:
    square = np.diag(s)
    return np.pad(square, [(0, M - np.shape(s)[0]), (0, N - np.shape(s)[0])])
