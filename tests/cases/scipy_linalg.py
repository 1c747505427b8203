"""Cases for ``scipy.linalg``: systems, inverses, decompositions, functions of matrices and special matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as sl

from tests.cases.case import Case
from tests.cases.linalg import H, P, adjoint, apart, regular, turnable

_rng = np.random.default_rng(23)


def A(*shape: int) -> Any:
    """A real array of this shape."""
    return _rng.normal(size=shape)


def C(*shape: int) -> Any:
    """A complex array of this shape."""
    return _rng.normal(size=shape) + 1j * _rng.normal(size=shape)


def _both(name: str, function: Any, *shapes: tuple[int, ...], **options: Any) -> list[Case]:
    """A case with real and one with complex arguments of these shapes; matrices are regular."""

    def draw(make: Callable[..., Any], shape: tuple[int, ...]) -> Any:
        return regular(make, *shape) if len(shape) > 1 else make(*shape)

    return [
        Case(f"scipy.linalg.{name}{suffix}", function, tuple(draw(make, shape) for shape in shapes), **options)
        for make, suffix in ((A, ""), (C, " complex"))
    ]


def _dominant(make: Callable[..., Any], n: int) -> Any:
    """A matrix with a large diagonal."""
    return make(n, n) + 4 * np.eye(n)


# ---- systems

_STRUCTURES: dict[str | None, Callable[[Any], Any]] = {
    None: lambda x: x,
    "gen": lambda x: x,
    "sym": lambda x: x + x.T,
    "her": H,
    "pos": P,
    "upper triangular": np.triu,
    "lower triangular": np.tril,
    "diagonal": lambda x: x * np.eye(x.shape[-1]),
    "tridiagonal": lambda x: np.tril(np.triu(x, -1), 1),
    "banded": lambda x: np.tril(np.triu(x, -1), 2),
}

CASES: list[Case] = [
    *_both("solve", lambda a, b: sl.solve(a, b), (3, 3), (3,)),
    *_both("solve matrix", lambda a, b: sl.solve(a, b), (3, 3), (3, 2)),
    *_both("solve without check", lambda a, b: sl.solve(a, b, check_finite=False), (3, 3), (3,)),
    Case("scipy.linalg.solve transposed", lambda a, b: sl.solve(a, b, transposed=True), (regular(A, 3, 3), A(3))),
]
for _structure, _shaped in _STRUCTURES.items():
    for _lower in (False, True):
        CASES += [
            Case(
                f"scipy.linalg.solve {_structure} lower={_lower}{suffix}",
                lambda x, b, shaped=_shaped, structure=_structure, lower=_lower: sl.solve(
                    shaped(x), b, assume_a=structure, lower=lower
                ),
                (_dominant(make, 4), make(4, 2)),
            )
            for make, suffix in ((A, ""), (C, " complex"))
        ]

CASES += [
    Case(
        f"scipy.linalg.{name} one triangle lower={lower}",
        lambda x, b, structure=structure, shaped=shaped, lower=lower: sl.solve(
            np.tril(shaped(x)) if lower else np.triu(shaped(x)), b, assume_a=structure, lower=lower
        ),
        (_dominant(C, 3), C(3)),
    )
    for name, structure, shaped in (
        ("solve pos", "pos", P),
        ("solve her", "her", H),
        ("solve sym", "sym", lambda x: x + x.T),
    )
    for lower in (False, True)
]

CASES += [
    *_both("inv", lambda a: sl.inv(a), (3, 3)),
    *_both("det", lambda a: sl.det(a), (3, 3)),
    *_both("det large", lambda a: sl.det(a), (5, 5)),
    *(
        case
        for trans in (0, 1, 2, "N", "T", "C")
        for lower in (False, True)
        for unit in (False, True)
        for case in _both(
            f"solve_triangular {trans} lower={lower} unit={unit}",
            lambda a, b, trans=trans, lower=lower, unit=unit: sl.solve_triangular(
                a + 3 * np.eye(3), b, trans=trans, lower=lower, unit_diagonal=unit
            ),
            (3, 3),
            (3, 2) if unit else (3,),
        )
    ),
    *(
        case
        for lower in (False, True)
        for case in (
            *_both(f"cholesky lower={lower}", lambda x, lower=lower: sl.cholesky(P(x), lower=lower), (3, 3)),
            *_both(
                f"cho_solve lower={lower}",
                lambda x, b, lower=lower: sl.cho_solve(sl.cho_factor(P(x), lower), b),
                (3, 3),
                (3, 2),
            ),
        )
    ),
    *_both("cho_solve vector", lambda x, b: sl.cho_solve(sl.cho_factor(P(x)), b), (3, 3), (3,)),
    *(
        case
        for trans in (0, 1, 2)
        for case in _both(
            f"lu_solve {trans}",
            lambda a, b, trans=trans: sl.lu_solve(sl.lu_factor(a), b, trans=trans),
            (4, 4),
            (4,) if trans else (4, 2),
        )
    ),
    *_both("lu", lambda a: sl.lu(a)[1:], (4, 4)),
    *_both("lu tall", lambda a: sl.lu(a)[1:], (5, 3)),
    *_both("lu wide", lambda a: sl.lu(a)[1:], (3, 5)),
    *_both("lu permuted", lambda a: sl.lu(a, permute_l=True), (5, 3)),
    *_both("lu indices", lambda a: sl.lu(a, p_indices=True)[1:], (3, 5)),
    *_both("lu_factor", lambda a: sl.lu_factor(a)[0], (4, 4)),
    *_both("lu_factor tall", lambda a: sl.lu_factor(a)[0], (5, 3)),
    *_both("lu_factor wide", lambda a: sl.lu_factor(a)[0], (3, 5)),
    *_both("solve_sylvester", lambda a, b, q: sl.solve_sylvester(a, b, q), (3, 3), (2, 2), (3, 2)),
    *_both(
        "solve_continuous_lyapunov", lambda a, q: sl.solve_continuous_lyapunov(a + 4 * np.eye(3), q), (3, 3), (3, 3)
    ),
    *_both("solve_discrete_lyapunov", lambda a, q: sl.solve_discrete_lyapunov(0.3 * a, q), (3, 3), (3, 3)),
    *_both(
        "solve_discrete_lyapunov bilinear",
        lambda a, q: sl.solve_discrete_lyapunov(0.3 * a, q, method="bilinear"),
        (3, 3),
        (3, 3),
    ),
    *_both(
        "solve_continuous_are",
        lambda a, b, q, r: sl.solve_continuous_are(a, b, P(q), P(r)),
        (3, 3),
        (3, 2),
        (3, 3),
        (2, 2),
    ),
    *_both(
        "solve_discrete_are",
        lambda a, b, q, r: sl.solve_discrete_are(0.4 * a, b, P(q), P(r)),
        (3, 3),
        (3, 2),
        (3, 3),
        (2, 2),
    ),
    *_both("pinv tall", lambda a: sl.pinv(a), (5, 3)),
    *_both("pinv wide", lambda a: sl.pinv(a), (3, 5)),
    *_both("pinv with the rank", lambda a: sl.pinv(a, return_rank=True)[0], (5, 3)),
    *_both("pinvh", lambda a: sl.pinvh(H(a)), (3, 3)),
    *_both("pinvh upper", lambda a: sl.pinvh(np.triu(H(a)), lower=False), (3, 3)),
    *_both("lstsq", lambda a, b: sl.lstsq(a, b)[0], (5, 3), (5, 2)),
    *_both("lstsq vector", lambda a, b: sl.lstsq(a, b)[0], (5, 3), (5,)),
    *_both("lstsq residuals", lambda a, b: sl.lstsq(a, b)[1], (5, 3), (5,)),
    *_both("lstsq residuals matrix", lambda a, b: sl.lstsq(a, b)[1], (5, 3), (5, 2)),
    *_both("norm", lambda a: sl.norm(a), (4, 3)),
    *_both("norm 2", lambda a: sl.norm(a, 2), (4, 3)),
    *_both("norm axis", lambda a: sl.norm(a, axis=1, keepdims=True), (4, 3)),
]


# ---- banded systems


def _banded(make: Callable[..., Any], rows: int, n: int, diagonal: int) -> Any:
    ab = make(rows, n)
    ab[diagonal] = 5.0 + np.abs(ab[diagonal])
    return ab


for _make, _suffix in ((A, ""), (C, " complex")):
    for _bands in ((1, 1), (2, 1), (0, 2), (1, 0), (0, 0)):
        CASES += [
            Case(
                f"scipy.linalg.solve_banded {_bands} {len(shape)}{_suffix}",
                lambda ab, b, bands=_bands: sl.solve_banded(bands, ab, b),
                (_banded(_make, sum(_bands) + 1, 5, _bands[1]), _make(*shape)),
            )
            for shape in ((5,), (5, 2))
        ]
    for _lower in (False, True):
        CASES += [
            Case(
                f"scipy.linalg.solveh_banded lower={_lower} {len(shape)}{_suffix}",
                lambda ab, b, lower=_lower: sl.solveh_banded(ab, b, lower=lower),
                (_banded(_make, 3, 5, 0 if _lower else 2), _make(*shape)),
            )
            for shape in ((5,), (5, 2))
        ]


# ---- decompositions


def _exponential(a: Any, *b: Any, **options: Any) -> Any:
    w, v = sl.eigh(a, *b, **options)
    return w, (v * np.exp(0.3 * w)) @ adjoint(v)


def _exponential_by_eig(a: Any) -> Any:
    w, v = sl.eig(a)
    return (v * np.exp(0.3 * w)) @ np.linalg.inv(v)


def _in_any_order(w: Any, v: Any) -> Any:
    """A function of eigenvalues and eigenvectors that does not depend on their order, nor on the signs."""
    return np.sum(np.exp(0.3 * w)), (v**2) @ np.cos(w)


def _damped(a: Any, **options: Any) -> Any:
    u, s, vh = sl.svd(a, **options)
    return (u[:, : len(s)] * np.exp(-s)) @ vh[: len(s)]


def _complement(a: Any) -> Any:
    q, r = sl.qr(a)
    rest = q[:, r.shape[1] :]
    return rest @ adjoint(rest), r


CASES += [
    *_both("eigh", lambda x: _exponential(H(x)), (3, 3)),
    *_both("eigh upper", lambda x: _exponential(np.triu(H(x)), lower=False), (3, 3)),
    *_both("eigh values", lambda x: sl.eigh(H(x), eigvals_only=True), (3, 3)),
    *_both("eigh subset of values", lambda x: sl.eigh(H(x), eigvals_only=True, subset_by_index=[1, 2]), (4, 4)),
    *_both("eigh subset", lambda x: _exponential(H(x), subset_by_index=[1, 2]), (4, 4)),
    *_both("eigh subset by value", lambda x: sl.eigvalsh(H(x), subset_by_value=[0, 9]), (4, 4), order=1),
    *_both("eigh generalised", lambda x, y: _exponential(H(x), P(y)), (3, 3), (3, 3)),
    *_both("eigh generalised driver", lambda x, y: _exponential(H(x), P(y), driver="gv"), (3, 3), (3, 3)),
    *_both(
        "eigh generalised upper", lambda x, y: _exponential(np.triu(H(x)), np.triu(P(y)), lower=False), (3, 3), (3, 3)
    ),
    *_both("eigvalsh", lambda x: sl.eigvalsh(H(x)), (3, 3)),
    *_both("eigvalsh generalised", lambda x, y: sl.eigvalsh(H(x), P(y)), (3, 3), (3, 3)),
    *_both("eig", lambda x: _exponential_by_eig(x), (3, 3)),
    Case("scipy.linalg.eig up to signs", lambda x: _in_any_order(*sl.eig(x)), (turnable(A, 3),)),
    Case("scipy.linalg.eig up to signs complex", lambda x: _in_any_order(*sl.eig(x)), (turnable(C, 3),)),
    *_both("eigvals", lambda x: np.exp(0.3 * sl.eigvals(x)).sum(), (3, 3)),
    Case("scipy.linalg.eigh_tridiagonal", lambda d, e: sl.eigh_tridiagonal(d, e)[0], (A(4), A(3))),
    Case("scipy.linalg.eigvalsh_tridiagonal", lambda d, e: sl.eigvalsh_tridiagonal(d, e), (A(4), A(3))),
    *_both("svd", lambda x: _damped(x), (3, 3)),
    *_both("svd full tall", lambda x: _damped(x), (4, 3)),
    *_both("svd thin", lambda x: _damped(x, full_matrices=False), (3, 5)),
    *_both("svd driver", lambda x: _damped(x, full_matrices=False, lapack_driver="gesvd"), (4, 3)),
    *_both("svd values", lambda x: sl.svd(x, compute_uv=False), (4, 3)),
    *_both("svdvals", lambda x: sl.svdvals(x), (3, 4)),
    *_both("qr", lambda x: sl.qr(x), (3, 3)),
    *_both("qr full tall", lambda x: _complement(x), (5, 3)),
    *_both("qr full wide", lambda x: sl.qr(x), (3, 5)),
    *_both("qr economic", lambda x: sl.qr(x, mode="economic"), (5, 3)),
    *_both("qr r", lambda x: sl.qr(x, mode="r", pivoting=True)[0], (5, 3)),
    *_both("qr pivoting", lambda x: sl.qr(x, mode="economic", pivoting=True)[:2], (5, 3)),
    *_both("polar", lambda x: sl.polar(x), (5, 3)),
    *_both("polar left", lambda x: sl.polar(x, side="left"), (3, 5)),
    *_both("polar square", lambda x: sl.polar(x, side="left")[0], (3, 3)),
    Case("scipy.linalg.polar of a rotation", lambda x: sl.polar(x), (np.array([[0.6, -0.8], [0.8, 0.6]]),)),
    *_both("orthogonal_procrustes", lambda x, y: sl.orthogonal_procrustes(x, y), (5, 3), (5, 3)),
]


# ---- functions of matrices, special matrices


def _positive(x: Any) -> Any:
    """A matrix whose eigenvalues have positive real parts."""
    return 0.3 * x + 3 * np.eye(x.shape[-1])


CASES += [
    *_both("expm", lambda x: sl.expm(x), (3, 3)),
    *_both("expm stack", lambda x: sl.expm(x), (2, 3, 3)),
    *_both("expm_frechet", lambda x, e: sl.expm_frechet(0.5 * x, e), (3, 3), (3, 3)),
    *_both("expm_frechet alone", lambda x, e: sl.expm_frechet(0.5 * x, e, compute_expm=False), (2, 2), (2, 2)),
    *_both("logm", lambda x: sl.logm(_positive(x)), (3, 3)),
    *_both("sqrtm", lambda x: sl.sqrtm(_positive(x)), (3, 3)),
    *_both("cosm", lambda x: sl.cosm(x), (3, 3)),
    *_both("sinm", lambda x: sl.sinm(x), (3, 3)),
    *_both("tanm", lambda x: sl.tanm(0.3 * x), (3, 3)),
    *_both("coshm", lambda x: sl.coshm(x), (3, 3)),
    *_both("sinhm", lambda x: sl.sinhm(x), (3, 3)),
    *_both("tanhm", lambda x: sl.tanhm(0.3 * x), (3, 3)),
    *_both("fractional_matrix_power", lambda x: sl.fractional_matrix_power(_positive(x), 0.3), (3, 3)),
    *_both("toeplitz", lambda c: sl.toeplitz(c), (4,)),
    *_both("toeplitz row", lambda c, r: sl.toeplitz(c, r), (4,), (3,)),
    *_both("hankel", lambda c: sl.hankel(c), (4,)),
    *_both("hankel row", lambda c, r: sl.hankel(c, r), (4,), (3,)),
    *_both("circulant", lambda c: sl.circulant(c), (4,)),
    *_both("circulant stack", lambda c: sl.circulant(c), (2, 4)),
    *_both("block_diag", lambda *x: sl.block_diag(*x), (2, 3), (4,), (1, 1)),
    *_both("companion", lambda a: sl.companion(a), (4,)),
    *_both("leslie", lambda f, s: sl.leslie(f, s), (4,), (3,)),
    Case("scipy.linalg.fiedler", lambda a: sl.fiedler(a), (apart(A, 4),)),
    Case("scipy.linalg.fiedler complex", lambda a: sl.fiedler(a), (apart(C, 4),)),
    *_both("khatri_rao", lambda a, b: sl.khatri_rao(a, b), (3, 2), (4, 2)),
    *(
        case
        for mode in ("full", "same", "valid")
        for n in (2, 4, 6)
        for case in _both(
            f"convolution_matrix {mode} {n}", lambda a, mode=mode, n=n: sl.convolution_matrix(a, n, mode), (4,)
        )
    ),
    *_both("diagsvd", lambda s: sl.diagsvd(s, 4, 3), (3,)),
    *_both("solve_toeplitz", lambda c, b: sl.solve_toeplitz(c, b), (4,), (4,)),
    *_both("solve_toeplitz row", lambda c, r, b: sl.solve_toeplitz((c, r), b), (4,), (4,), (4, 2)),
    *_both("matmul_toeplitz", lambda c, r, x: sl.matmul_toeplitz((c, r), x), (4,), (3,), (3, 2)),
    Case("scipy.linalg.issymmetric", lambda x: x * sl.issymmetric(x), (A(3, 3),)),
]
