"""Cases for ``np.linalg``: inverses, solutions, determinants, powers, norms and decompositions.

Eigenvectors and singular vectors are fixed only up to signs and phases; the cases use functions of them that do not
depend on the choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.cases.case import Case

_rng = np.random.default_rng(21)


def A(*shape: int) -> Any:
    """A real array of this shape."""
    return _rng.normal(size=shape)


def C(*shape: int) -> Any:
    """A complex array of this shape."""
    return _rng.normal(size=shape) + 1j * _rng.normal(size=shape)


def regular(make: Callable[..., Any], *shape: int) -> Any:
    """Matrices far from singular, with singular values far from each other."""
    u, _, vh = np.linalg.svd(make(*shape), full_matrices=False)
    return (u * (1.0 + 0.7 * np.arange(u.shape[-1]))) @ vh


def apart(make: Callable[..., Any], *shape: int) -> Any:
    """Elements of distinct sizes, none of them close to zero."""
    x = make(*shape)
    sizes = 0.3 + 0.17 * _rng.permutation(x.size).reshape(shape) ** 1.1
    return x / np.abs(x) * sizes


def turnable(make: Callable[..., Any], n: int) -> Any:
    """A matrix whose eigenvectors have one component that is clearly the largest."""
    while True:
        x = make(n, n)
        sizes = np.sort(np.abs(np.linalg.eig(x)[1]), axis=0)
        if (sizes[-1] - sizes[-2] > 0.1).all():
            return x


def H(x: Any) -> Any:
    """A Hermitian matrix made of any matrix."""
    return x + np.conj(np.swapaxes(x, -1, -2))


def P(x: Any) -> Any:
    """A positive definite Hermitian matrix made of any matrix."""
    return x @ np.conj(np.swapaxes(x, -1, -2)) + np.eye(x.shape[-1], dtype=x.dtype)


def adjoint(x: Any) -> Any:
    """The conjugate transpose of each matrix."""
    return np.conj(np.swapaxes(x, -1, -2))


def _both(name: str, function: Any, *shapes: tuple[int, ...], analytic: bool = False, **options: Any) -> list[Case]:
    """A case with real and one with complex arguments of these shapes; matrices are regular."""

    def draw(make: Callable[..., Any], shape: tuple[int, ...]) -> Any:
        return regular(make, *shape) if len(shape) > 1 else make(*shape)

    return [
        Case(name, function, tuple(draw(A, shape) for shape in shapes), complex_step=analytic, **options),
        Case(f"{name} complex", function, tuple(draw(C, shape) for shape in shapes), **options),
    ]


def _norms(name: str, function: Any, *shape: int) -> list[Case]:
    """A case with real and one with complex elements, away from the kinks of norms."""
    return [Case(name, function, (apart(A, *shape),)), Case(f"{name} complex", function, (apart(C, *shape),))]


# ---- inverses, solutions, determinants, powers

CASES: list[Case] = [
    *_both("linalg.inv", lambda x: np.linalg.inv(x), (3, 3), analytic=True),
    *_both("linalg.inv stack", lambda x: np.linalg.inv(x), (2, 4, 3, 3), analytic=True),
    *_both("linalg.inv 1", lambda x: np.linalg.inv(x), (1, 1), analytic=True),
    Case("linalg.inv empty", lambda x: np.linalg.inv(x), (A(0, 3, 3),)),
    *_both("linalg.solve vector", lambda a, b: np.linalg.solve(a, b), (3, 3), (3,), analytic=True),
    *_both("linalg.solve matrix", lambda a, b: np.linalg.solve(a, b), (3, 3), (3, 2), analytic=True),
    *_both("linalg.solve stack vector", lambda a, b: np.linalg.solve(a, b), (4, 3, 3), (3,), analytic=True),
    *_both("linalg.solve stack matrix", lambda a, b: np.linalg.solve(a, b), (4, 3, 3), (3, 2), analytic=True),
    *_both("linalg.solve broadcast", lambda a, b: np.linalg.solve(a, b), (4, 1, 3, 3), (2, 3, 2), analytic=True),
    *_both("linalg.solve matrix by stack", lambda a, b: np.linalg.solve(a, b), (3, 3), (4, 3, 2), analytic=True),
    Case("linalg.solve real and complex", lambda a, b: np.linalg.solve(a, b), (regular(A, 3, 3), C(3))),
    *_both("linalg.tensorsolve", lambda a, b: np.linalg.tensorsolve(a, b), (2, 3, 6), (2, 3), analytic=True),
    *_both(
        "linalg.tensorsolve axes", lambda a, b: np.linalg.tensorsolve(a, b, axes=(0,)), (6, 2, 3), (2, 3), analytic=True
    ),
    *_both("linalg.tensorinv", lambda a: np.linalg.tensorinv(a), (2, 3, 6), analytic=True),
    *_both("linalg.tensorinv 1", lambda a: np.linalg.tensorinv(a, ind=1), (6, 2, 3), analytic=True),
    *(
        case
        for n in (1, 2, 3, 4, 5, 6)
        for case in _both(f"linalg.det {n}", lambda x: np.linalg.det(x), (n, n), analytic=True)
    ),
    *_both("linalg.det stack", lambda x: np.linalg.det(x), (2, 4, 3, 3), analytic=True),
    *_both("linalg.det large stack", lambda x: np.linalg.det(x), (2, 5, 5), analytic=True),
    Case("linalg.det empty", lambda x: np.linalg.det(x), (A(0, 0),)),
    Case("linalg.det singular 2", lambda x: np.linalg.det(x), (np.array([[1.0, 2.0], [2.0, 4.0]]),)),
    Case("linalg.det singular 3", lambda x: np.linalg.det(x), (np.arange(1.0, 10.0).reshape(3, 3),)),
    Case("linalg.det of rank 1", lambda x: np.linalg.det(x), (np.outer([1.0, 2.0, 4.0], [1.0, -1.0, 2.0]),)),
    Case("linalg.det zero", lambda x: np.linalg.det(x), (np.zeros((3, 3)),)),
    Case("linalg.det singular 6", lambda x: np.linalg.det(x), (np.diag([0.0, 1.0, 2.0, 3.0, 2.0, 1.0]),), order=1),
    Case("linalg.det nilpotent 5", lambda x: np.linalg.det(x), (np.eye(5, k=1),), order=1),
    *_both("linalg.slogdet", lambda x: np.linalg.slogdet(x), (3, 3)),
    *_both("linalg.slogdet stack", lambda x: np.linalg.slogdet(x), (4, 3, 3)),
    *_both("linalg.slogdet logarithm", lambda x: np.linalg.slogdet(x)[1], (5, 5)),
    *_both("linalg.slogdet sign", lambda x: np.linalg.slogdet(x)[0], (3, 3)),
    *(
        case
        for n in (-3, -2, -1, 0, 1, 2, 3, 4, 5, 7)
        for case in _both(
            f"linalg.matrix_power {n}", lambda x, n=n: np.linalg.matrix_power(x, n), (3, 3), analytic=True
        )
    ),
    *_both("linalg.matrix_power stack", lambda x: np.linalg.matrix_power(x, 3), (4, 2, 2), analytic=True),
    *_both("linalg.matrix_transpose", lambda x: np.linalg.matrix_transpose(x), (4, 2, 3), analytic=True),
    *_both("linalg.diagonal", lambda x: np.linalg.diagonal(x), (4, 2, 3), analytic=True),
    *_both("linalg.diagonal offset", lambda x: np.linalg.diagonal(x, offset=-1), (4, 3, 3), analytic=True),
    *_both("linalg.trace", lambda x: np.linalg.trace(x), (4, 2, 3), analytic=True),
    *_both("linalg.trace offset", lambda x: np.linalg.trace(x, offset=1), (3, 3), analytic=True),
]


# ---- least squares

CASES += [
    *_both("linalg.pinv tall", lambda x: np.linalg.pinv(x), (5, 3)),
    *_both("linalg.pinv wide", lambda x: np.linalg.pinv(x), (3, 5)),
    *_both("linalg.pinv square", lambda x: np.linalg.pinv(x), (3, 3)),
    *_both("linalg.pinv stack", lambda x: np.linalg.pinv(x), (2, 4, 3)),
    *_both("linalg.pinv of a product", lambda x, y: np.linalg.pinv(x @ y, rcond=1e-6), (5, 2), (2, 4)),
    *_both("linalg.pinv hermitian", lambda x: np.linalg.pinv(H(x), hermitian=True), (3, 3)),
    *_both("linalg.lstsq vector", lambda a, b: np.linalg.lstsq(a, b)[0], (5, 3), (5,)),
    *_both("linalg.lstsq matrix", lambda a, b: np.linalg.lstsq(a, b)[0], (5, 3), (5, 2)),
    *_both("linalg.lstsq wide", lambda a, b: np.linalg.lstsq(a, b)[0], (3, 5), (3,)),
    *_both("linalg.lstsq square", lambda a, b: np.linalg.lstsq(a, b, rcond=None)[0], (3, 3), (3, 2)),
    *_both("linalg.lstsq product", lambda x, y, b: np.linalg.lstsq(x @ y, b, rcond=1e-6)[0], (5, 2), (2, 4), (5,)),
    *_both("linalg.lstsq residuals", lambda a, b: np.linalg.lstsq(a, b)[1], (5, 3), (5,)),
    *_both("linalg.lstsq residuals matrix", lambda a, b: np.linalg.lstsq(a, b)[1], (5, 3), (5, 2)),
    *_both("linalg.lstsq singular values", lambda a, b: np.linalg.lstsq(a, b)[3], (5, 3), (5,)),
    *_both("linalg.lstsq all", lambda a, b: (lambda r: (r[0], r[1], r[3]))(np.linalg.lstsq(a, b)), (5, 3), (5, 2)),
]


# ---- norms

_VECTOR_ORDERS = (None, 1, 2, 3, 0.5, 1.5, -1, -2, 0, np.inf, -np.inf)
_MATRIX_ORDERS = (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)

CASES += [
    *_norms("linalg.norm", lambda x: np.linalg.norm(x), 5),
    *_norms("linalg.norm of a matrix", lambda x: np.linalg.norm(x), 4, 3),
    *_norms("linalg.norm of a stack", lambda x: np.linalg.norm(x), 2, 4, 3),
    *_norms("linalg.norm keepdims", lambda x: np.linalg.norm(x, keepdims=True), 4, 3),
    *_norms("linalg.norm axis", lambda x: np.linalg.norm(x, axis=1), 4, 3, 2),
    *_norms("linalg.norm axis negative keepdims", lambda x: np.linalg.norm(x, axis=-1, keepdims=True), 4, 3),
    *_norms("linalg.norm axis in a tuple", lambda x: np.linalg.norm(x, axis=(0,)), 4, 3),
    Case("linalg.norm at zero", lambda x: np.linalg.norm(x, axis=1) ** 2, (np.zeros((2, 3)),), order=1),
    Case("linalg.norm empty", lambda x: np.linalg.norm(x, axis=1), (A(0, 3),)),
    *(
        case
        for order in _VECTOR_ORDERS
        for case in (
            *_norms(f"linalg.norm vector {order}", lambda x, order=order: np.linalg.norm(x, order), 5),
            *_norms(f"linalg.norm vectors {order}", lambda x, order=order: np.linalg.norm(x, order, axis=0), 4, 3),
        )
    ),
    *(
        case
        for order in _MATRIX_ORDERS
        for case in (
            *_norms(f"linalg.norm matrix {order}", lambda x, order=order: np.linalg.norm(x, order), 4, 3),
            *_norms(
                f"linalg.norm matrices {order}",
                lambda x, order=order: np.linalg.norm(x, order, axis=(2, 0), keepdims=True),
                3,
                2,
                4,
            ),
            *_norms(
                f"linalg.matrix_norm {order}",
                lambda x, order=order: np.linalg.matrix_norm(x, ord=order or "fro"),
                2,
                3,
                4,
            ),
        )
    ),
    *_norms("linalg.matrix_norm", lambda x: np.linalg.matrix_norm(x, keepdims=True), 2, 3, 4),
    *_norms("linalg.vector_norm", lambda x: np.linalg.vector_norm(x), 4, 3),
    *_norms("linalg.vector_norm axes", lambda x: np.linalg.vector_norm(x, axis=(0, 2), ord=3), 2, 4, 3),
    *_norms("linalg.vector_norm largest", lambda x: np.linalg.vector_norm(x, axis=(0, -1), ord=np.inf), 2, 4, 3),
    *_norms("linalg.vector_norm keepdims", lambda x: np.linalg.vector_norm(x, axis=1, keepdims=True, ord=1), 4, 3),
    *(
        case
        for order in (None, 2, -2, 1, -1, "fro", "nuc", np.inf, -np.inf)
        for case in _both(f"linalg.cond {order}", lambda x, order=order: np.linalg.cond(x, order), (3, 3))
    ),
    *_both("linalg.cond tall", lambda x: np.linalg.cond(x), (4, 3)),
    *_both("linalg.cond stack", lambda x: np.linalg.cond(x, 1), (2, 3, 3)),
]


# ---- decompositions


def _exponential(a: Any, uplo: str = "L") -> Any:
    w, v = np.linalg.eigh(a, uplo)
    return (v * np.exp(0.3 * w)[..., None, :]) @ adjoint(v)


def _exponential_by_eig(a: Any) -> Any:
    w, v = np.linalg.eig(a)
    return (v * np.exp(0.3 * w)[..., None, :]) @ np.linalg.inv(v)


def _in_any_order(w: Any, v: Any) -> Any:
    """A function of eigenvalues and eigenvectors that does not depend on their order, nor on the signs."""
    return np.sum(np.exp(0.3 * w)), (v**2) @ np.cos(w)


def _damped(a: Any, full: bool = False, hermitian: bool = False) -> Any:
    u, s, vh = np.linalg.svd(a, full_matrices=full, hermitian=hermitian)
    k = s.shape[-1]
    return (u[..., :k] * np.exp(-s)[..., None, :]) @ vh[..., :k, :]


def _range(a: Any) -> Any:
    """The projection on the second left singular vector."""
    u, _, _ = np.linalg.svd(a, full_matrices=False)
    return u[..., :, 1:2] @ adjoint(u[..., :, 1:2])


def _null_space(a: Any) -> Any:
    """The projections on what is orthogonal to the columns and to the rows."""
    u, s, vh = np.linalg.svd(a)
    rest, rest_h = u[..., s.shape[-1] :], vh[..., s.shape[-1] :, :]
    return rest @ adjoint(rest), adjoint(rest_h) @ rest_h


def _null_vector(a: Any) -> Any:
    """The one vector that a wide matrix maps to zero, with its first component made one."""
    vector = np.linalg.svd(a)[2][-1].conj()
    return vector / vector[0]


def _complement(a: Any) -> Any:
    q, r = np.linalg.qr(a, mode="complete")
    rest = q[..., r.shape[-1] :]
    return rest @ adjoint(rest), r


def _upper(x: Any) -> Any:
    """A matrix of which only the upper triangle is filled, with a real diagonal."""
    return np.triu(x, 1) + np.eye(x.shape[-1]) * np.arange(1, x.shape[-1] + 1)


CASES += [
    *_both("linalg.cholesky", lambda x: np.linalg.cholesky(P(x)), (3, 3)),
    *_both("linalg.cholesky upper", lambda x: np.linalg.cholesky(P(x), upper=True), (3, 3)),
    *_both("linalg.cholesky stack", lambda x: np.linalg.cholesky(P(x)), (2, 4, 3, 3)),
    *_both("linalg.cholesky lower triangle", lambda x: np.linalg.cholesky(np.tril(P(x))), (3, 3)),
    *_both("linalg.cholesky upper triangle", lambda x: np.linalg.cholesky(np.triu(P(x)), upper=True), (3, 3)),
    Case("linalg.cholesky itself", lambda x: np.linalg.cholesky(x), (P(A(3, 3)),)),
    Case("linalg.cholesky itself upper", lambda x: np.linalg.cholesky(x, upper=True), (P(A(3, 3)),)),
    Case("linalg.cholesky 1", lambda x: np.linalg.cholesky(x), (np.array([[3.0]]),)),
    *_both("linalg.eigh values", lambda x: np.linalg.eigh(H(x))[0], (3, 3)),
    *_both("linalg.eigh function", lambda x: _exponential(H(x)), (3, 3)),
    *_both("linalg.eigh stack", lambda x: _exponential(H(x)), (2, 3, 3)),
    *_both("linalg.eigh both", lambda x: (lambda r: (r[0], np.abs(r[1])))(np.linalg.eigh(H(x))), (3, 3)),
    *_both("linalg.eigh upper", lambda x: _exponential(H(x), "U"), (3, 3)),
    *_both("linalg.eigh upper triangle", lambda x: _exponential(_upper(x), "U"), (3, 3)),
    *_both("linalg.eigh lower triangle", lambda x: _exponential(adjoint(_upper(x)), "L"), (3, 3)),
    Case("linalg.eigh itself", lambda x: _exponential(x), (H(A(3, 3)),)),
    Case("linalg.eigh repeated values", lambda x: np.linalg.eigh(x)[0].sum(), (np.diag([1.0, 1.0, 2.0]),), order=1),
    Case("linalg.eigh 1", lambda x: np.linalg.eigh(x)[0], (A(1, 1),)),
    *_both("linalg.eigvalsh", lambda x: np.linalg.eigvalsh(H(x)), (3, 3)),
    *_both("linalg.eigvalsh upper", lambda x: np.linalg.eigvalsh(_upper(x), "U"), (3, 3)),
    *_both("linalg.eigvalsh stack", lambda x: np.linalg.eigvalsh(H(x)), (2, 3, 3)),
    Case("linalg.eigvalsh repeated", lambda x: (np.linalg.eigvalsh(x) ** 3).sum(), (np.eye(3) * 2,), order=1),
    *_both("linalg.eig function", lambda x: _exponential_by_eig(x), (3, 3)),
    *_both("linalg.eig stack", lambda x: _exponential_by_eig(x), (2, 3, 3)),
    Case("linalg.eig up to signs", lambda x: _in_any_order(*np.linalg.eig(x)), (turnable(A, 3),)),
    Case("linalg.eig up to signs complex", lambda x: _in_any_order(*np.linalg.eig(x)), (turnable(C, 3),)),
    *_both("linalg.eig sizes", lambda x: np.sum(np.abs(np.linalg.eig(x)[1]), axis=-1), (4, 4)),
    Case("linalg.eig real values", lambda x: _in_any_order(*np.linalg.eig(x)), (P(A(3, 3)),)),
    *_both("linalg.eigvals", lambda x: np.exp(0.3 * np.linalg.eigvals(x)).sum(), (3, 3)),
    *_both("linalg.eigvals stack", lambda x: (np.linalg.eigvals(x) ** 3).sum(axis=-1), (2, 3, 3)),
    Case("linalg.eigvals repeated", lambda x: (np.linalg.eigvals(x) ** 3).sum().real, (np.eye(3) * 2.0,), order=1),
    *_both("linalg.svd function", lambda x: _damped(x), (3, 3)),
    *_both("linalg.svd tall", lambda x: _damped(x), (4, 3)),
    *_both("linalg.svd wide", lambda x: _damped(x), (3, 5)),
    *_both("linalg.svd stack", lambda x: _damped(x), (2, 4, 3)),
    *_both("linalg.svd full tall", lambda x: _damped(x, full=True), (5, 3)),
    *_both("linalg.svd full wide", lambda x: _damped(x, full=True), (3, 4)),
    *_both("linalg.svd left vector", lambda x: _range(x), (5, 3)),
    *_both("linalg.svd right vector", lambda x: np.abs(np.linalg.svd(x, full_matrices=False)[2]), (3, 5)),
    *_both("linalg.svd null space of columns", lambda x: _null_space(x), (5, 3)),
    *_both("linalg.svd null space of rows", lambda x: _null_space(x), (2, 2, 4)),
    *_both("linalg.svd null vector", lambda x: _null_vector(x), (3, 4)),
    *_both("linalg.svd values", lambda x: np.linalg.svd(x)[1], (4, 3)),
    *_both("linalg.svd without vectors", lambda x: np.linalg.svd(x, compute_uv=False), (3, 4)),
    *_both("linalg.svd hermitian", lambda x: _damped(H(x), hermitian=True), (3, 3)),
    *_both("linalg.svd hermitian values", lambda x: np.linalg.svd(H(x), compute_uv=False, hermitian=True), (3, 3)),
    *_both("linalg.svdvals", lambda x: np.linalg.svdvals(x), (2, 4, 3)),
    Case("linalg.svdvals repeated", lambda x: (np.linalg.svdvals(x) ** 2).sum(), (np.eye(4, 3),), order=1),
    Case("linalg.svd repeated values", lambda x: (np.linalg.svd(x)[1] ** 2).sum(), (np.eye(4, 3),), order=1),
    *_both("linalg.qr", lambda x: (lambda r: (r[0], r[1]))(np.linalg.qr(x)), (3, 3)),
    *_both("linalg.qr tall", lambda x: (lambda r: (r[0], r[1]))(np.linalg.qr(x)), (5, 3)),
    *_both("linalg.qr wide", lambda x: (lambda r: (r[0], r[1]))(np.linalg.qr(x)), (3, 5)),
    *_both("linalg.qr stack", lambda x: (lambda r: (r[0], r[1]))(np.linalg.qr(x)), (2, 4, 3)),
    *_both("linalg.qr factor q", lambda x: np.linalg.qr(x)[0], (5, 3)),
    *_both("linalg.qr factor q wide", lambda x: np.linalg.qr(x)[0], (3, 5)),
    *_both("linalg.qr factor r", lambda x: np.linalg.qr(x)[1], (5, 3)),
    *_both("linalg.qr r", lambda x: np.linalg.qr(x, mode="r"), (5, 3)),
    *_both("linalg.qr r wide", lambda x: np.linalg.qr(x, mode="r"), (3, 5)),
    *_both("linalg.qr complete square", lambda x: (lambda r: (r[0], r[1]))(np.linalg.qr(x, "complete")), (3, 3)),
    *_both("linalg.qr complete wide", lambda x: (lambda r: (r[0], r[1]))(np.linalg.qr(x, "complete")), (3, 5)),
    *_both("linalg.qr complete tall", lambda x: _complement(x), (5, 3)),
]
