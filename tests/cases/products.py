"""Cases for the products: dot, matmul, einsum, tensordot, kron, cross, convolve, correlate and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cases.case import Case

_rng = np.random.default_rng(20)


def A(*shape: int) -> Any:
    """A real array of this shape."""
    return _rng.normal(size=shape) if shape else float(_rng.normal())


def C(*shape: int) -> Any:
    """A complex array of this shape."""
    return _rng.normal(size=shape) + 1j * _rng.normal(size=shape)


def _both(name: str, function: Any, *shapes: tuple[int, ...], complex_step: bool = True) -> list[Case]:
    """A case with real and one with complex arguments of these shapes."""
    return [
        Case(name, function, tuple(A(*shape) for shape in shapes), complex_step=complex_step),
        Case(f"{name} complex", function, tuple(C(*shape) for shape in shapes)),
    ]


def _pairs(name: str, function: Any, *pairs: tuple[tuple[int, ...], tuple[int, ...]]) -> list[Case]:
    """One case per pair of shapes."""
    return [Case(f"{name} {a} {b}", function, (A(*a), A(*b)), complex_step=True) for a, b in pairs]


_MATMUL = (
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((4, 3), (3,)),
    ((4, 3), (3, 2)),
    ((5, 4, 3), (3,)),
    ((3,), (5, 3, 2)),
    ((5, 4, 3), (3, 2)),
    ((4, 3), (5, 3, 2)),
    ((5, 4, 3), (5, 3, 2)),
    ((2, 1, 4, 3), (5, 3, 2)),
    ((1, 4, 3), (2, 5, 3, 2)),
    ((2, 5, 4, 3), (3,)),
    ((3,), (2, 5, 3, 1)),
    ((0, 3), (3, 2)),
    ((4, 0), (0, 2)),
    ((0, 4, 3), (3, 2)),
)

_DOT = (
    ((), ()),
    ((), (3, 2)),
    ((4, 3), ()),
    *_MATMUL[:5],
    ((3,), (5, 3, 2)),
    ((5, 4, 3), (3, 2)),
    ((4, 3), (5, 3, 2)),
    ((2, 4, 3), (5, 3, 2)),
    ((0, 3), (3, 2)),
)

_INNER = (
    ((), ()),
    ((), (3, 2)),
    ((4, 3), ()),
    ((3,), (3,)),
    ((3,), (2, 3)),
    ((4, 3), (3,)),
    ((4, 3), (2, 3)),
    ((5, 4, 3), (2, 3)),
    ((4, 3), (5, 2, 3)),
    ((5, 4, 3), (3,)),
    ((3,), (5, 2, 3)),
    ((2, 4, 3), (5, 2, 3)),
)

_OUTER = (((3,), (4,)), ((3, 2), (4,)), ((), (4,)), ((3,), (2, 2)), ((0,), (4,)))

CASES: list[Case] = [
    *_pairs("matmul", lambda x, y: np.matmul(x, y), *_MATMUL),
    *_pairs("matmul operator", lambda x, y: x @ y, ((4, 3), (3, 2)), ((3,), (3,))),
    *_pairs("linalg.matmul", lambda x, y: np.linalg.matmul(x, y), ((4, 3), (3, 2)), ((5, 4, 3), (3, 2))),
    Case("matmul complex", lambda x, y: np.matmul(x, y), (C(2, 4, 3), C(3, 2))),
    Case("matmul dtype", lambda x, y: np.matmul(x, y, dtype=np.complex128), (A(4, 3), A(3, 2))),
    Case("matmul real by complex", lambda x, y: np.matmul(x, y), (A(4, 3), C(3, 2))),
    *_pairs("dot", lambda x, y: np.dot(x, y), *_DOT),
    Case("dot method", lambda x, y: x.dot(y), (A(4, 3), A(3, 2)), complex_step=True),
    Case("dot one array twice", lambda x: np.dot(x, x), (A(3, 3),), complex_step=True),
    Case("dot of 0-d arrays", lambda x, y: np.dot(x, y), (np.array(1.3), np.array(-0.7)), complex_step=True),
    Case("dot 0-d with a matrix", lambda x, y: np.dot(x, y), (np.array(1.3), A(3, 2)), complex_step=True),
    Case("dot with a number", lambda x: np.dot(x, 2.5), (A(4, 3),), complex_step=True),
    Case("dot complex", lambda x, y: np.dot(x, y), (C(2, 4, 3), C(2, 3, 2))),
    *_pairs("inner", lambda x, y: np.inner(x, y), *_INNER),
    *_pairs("outer", lambda x, y: np.outer(x, y), *_OUTER),
    *_both("linalg.outer", lambda x, y: np.linalg.outer(x, y), (3,), (4,)),
    *_both("vdot", lambda x, y: np.vdot(x, y), (5,), (5,), complex_step=False),
    *_both("vdot of different shapes", lambda x, y: np.vdot(x, y), (2, 3), (6,), complex_step=False),
    *_both("vecdot", lambda x, y: np.vecdot(x, y), (4, 3), (4, 3), complex_step=False),
    *_both("vecdot broadcast", lambda x, y: np.vecdot(x, y), (4, 1, 3), (2, 3), complex_step=False),
    *_both("vecdot axis 0", lambda x, y: np.vecdot(x, y, axis=0), (3, 4), (3, 2, 4), complex_step=False),
    *_both("vecdot axis -2", lambda x, y: np.vecdot(x, y, axis=-2), (3, 4), (2, 3, 4), complex_step=False),
    *_both("linalg.vecdot", lambda x, y: np.linalg.vecdot(x, y), (4, 3), (3,), complex_step=False),
    *_both("linalg.vecdot axis", lambda x, y: np.linalg.vecdot(x, y, axis=0), (3, 4), (3, 1), complex_step=False),
    *_both("tensordot default", lambda x, y: np.tensordot(x, y), (5, 3, 2), (3, 2, 4)),
    *_both("tensordot 1", lambda x, y: np.tensordot(x, y, 1), (5, 3), (3, 4)),
    *_both("tensordot 0", lambda x, y: np.tensordot(x, y, axes=0), (5, 3), (4,)),
    *_both("tensordot pair of numbers", lambda x, y: np.tensordot(x, y, (0, 1)), (3, 5), (4, 3, 2)),
    *_both("tensordot pair of lists", lambda x, y: np.tensordot(x, y, axes=([0, 2], [1, 0])), (3, 5, 2), (2, 3, 4)),
    *_both("tensordot negative", lambda x, y: np.tensordot(x, y, axes=([-1, 0], [0, -1])), (3, 5, 2), (2, 4, 3)),
    *_both("tensordot all", lambda x, y: np.tensordot(x, y, axes=([1, 0], [0, 1])), (3, 2), (2, 3)),
    *_both("linalg.tensordot", lambda x, y: np.linalg.tensordot(x, y, axes=1), (5, 3), (3, 4)),
    *_both("kron vectors", lambda x, y: np.kron(x, y), (3,), (2,)),
    *_both("kron matrices", lambda x, y: np.kron(x, y), (3, 2), (2, 5)),
    *_both("kron vector matrix", lambda x, y: np.kron(x, y), (3,), (2, 5)),
    *_both("kron stack matrix", lambda x, y: np.kron(x, y), (2, 3, 2), (2, 5)),
    Case("kron of 0-d arrays", lambda x, y: np.kron(x, y), (np.array(1.3), np.array(-0.7)), complex_step=True),
    *_both("kron number", lambda x, y: np.kron(x, y), (), (2, 5)),
    *_both("cross", lambda x, y: np.cross(x, y), (3,), (3,)),
    *_both("cross broadcast", lambda x, y: np.cross(x, y), (4, 3), (3,)),
    *_both("cross broadcast both", lambda x, y: np.cross(x, y), (4, 1, 3), (1, 2, 3)),
    *_both("cross axis", lambda x, y: np.cross(x, y, axis=0), (3, 4), (3, 4)),
    *_both("cross axes", lambda x, y: np.cross(x, y, axisa=0, axisb=1, axisc=0), (3, 4), (4, 3)),
    *_both("cross axes broadcast", lambda x, y: np.cross(x, y, axisa=0, axisc=1), (3, 4), (2, 4, 3)),
    *_both("linalg.cross", lambda x, y: np.linalg.cross(x, y, axis=0), (3, 4), (3, 4)),
    *_both("linalg.multi_dot two", lambda *x: np.linalg.multi_dot(x), (4, 3), (3, 2)),
    *_both("linalg.multi_dot four", lambda *x: np.linalg.multi_dot(list(x)), (4, 3), (3, 2), (2, 5), (5, 3)),
    *_both("linalg.multi_dot vectors", lambda *x: np.linalg.multi_dot(x), (3,), (3, 2), (2,)),
    *_both("linalg.multi_dot vector first", lambda *x: np.linalg.multi_dot(x), (3,), (3, 2), (2, 4)),
    *_both("linalg.multi_dot vector last", lambda *x: np.linalg.multi_dot(x), (4, 3), (3, 2), (2,)),
]

if hasattr(np, "matvec"):
    CASES += [
        *_both("matvec", lambda x, y: np.matvec(x, y), (4, 3), (3,)),
        *_both("matvec broadcast", lambda x, y: np.matvec(x, y), (5, 4, 3), (2, 1, 3)),
        *_both("vecmat", lambda x, y: np.vecmat(x, y), (3,), (3, 4), complex_step=False),
        *_both("vecmat broadcast", lambda x, y: np.vecmat(x, y), (2, 1, 3), (5, 3, 4), complex_step=False),
    ]

CASES += [
    Case(
        f"{name} {mode} {n} {m}{suffix}",
        lambda x, y, function=function, mode=mode: function(x, y, mode),
        (make(n), make(m)),
        complex_step=suffix == "" and name == "convolve",
    )
    for name, function in (("convolve", np.convolve), ("correlate", np.correlate))
    for mode in ("full", "same", "valid")
    for n, m in ((5, 3), (3, 5), (5, 2), (2, 5), (4, 6), (4, 4), (1, 3), (1, 1))
    for make, suffix in ((A, ""), (C, " complex"))
]
CASES += [
    Case("convolve with a 0-d array", lambda x, y: np.convolve(x, y), (A(5), np.array(0.7)), complex_step=True),
    Case("convolve default", lambda x, y: np.convolve(x, y), (A(5), A(3)), complex_step=True),
    Case("correlate default", lambda x, y: np.correlate(x, y), (A(5), A(3))),
]


# ---- einsum


def _einsum(name: str, subscripts: str, *shapes: tuple[int, ...], **options: Any) -> list[Case]:
    return [
        Case(
            f"einsum {name}{suffix}",
            lambda *x: np.einsum(subscripts, *x, **options),
            tuple(make(*shape) for shape in shapes),
            complex_step=suffix == "",
        )
        for make, suffix in ((A, ""), (C, " complex"))
    ]


CASES += [
    *_einsum("product", "ij,jk->ik", (4, 3), (3, 2)),
    *_einsum("implicit product", "ij,jk", (4, 3), (3, 2)),
    *_einsum("implicit in alphabetical order", "ba", (4, 3)),
    *_einsum("implicit trace", "ii", (3, 3)),
    *_einsum("spaces", " i j , j -> i ", (4, 3), (3,)),
    *_einsum("to a scalar", "ij,ij->", (4, 3), (4, 3)),
    *_einsum("diagonal", "ii->i", (3, 3)),
    *_einsum("diagonal of a stack", "...ii->...i", (2, 3, 3)),
    *_einsum("triple diagonal", "iii->i", (3, 3, 3)),
    *_einsum("diagonal of the first operand", "ii,ij->j", (3, 3), (3, 2)),
    *_einsum("diagonal summed", "iij,jk->k", (3, 3, 2), (2, 4)),
    *_einsum("two diagonals", "iijj->ij", (3, 3, 2, 2)),
    *_einsum("sum of one", "ij->i", (4, 3)),
    *_einsum("sum of all", "ij->", (4, 3)),
    *_einsum("summed from one operand alone", "ij,k->k", (4, 3), (2,)),
    *_einsum("summed from the middle", "ijk,kl->il", (2, 5, 3), (3, 4)),
    *_einsum("outer", "i,j->ij", (4,), (3,)),
    *_einsum("transpose", "ijk->kij", (2, 3, 4)),
    *_einsum("ellipsis", "...ij,...jk->...ik", (5, 4, 3), (5, 3, 2)),
    *_einsum("ellipsis implicit", "...ij,...j", (5, 4, 3), (5, 3)),
    *_einsum("ellipsis in one", "...ij,jk->...ik", (2, 5, 4, 3), (3, 2)),
    *_einsum("ellipsis of different lengths", "...i,...i->...", (5, 4, 3), (4, 3)),
    *_einsum("ellipsis in the middle", "i...j,j->i...", (2, 5, 4, 3), (3,)),
    *_einsum("ellipsis over length 1", "...i,...i->...i", (5, 1, 3), (4, 3)),
    *_einsum("ellipsis of nothing", "...i,...i->...", (3,), (3,)),
    *_einsum("length 1 kept", "ij,ij->ij", (4, 1), (4, 3)),
    *_einsum("length 1 summed", "ij,ij->i", (4, 1), (4, 3)),
    *_einsum("length 1 against a diagonal", "ii,i->i", (1, 1), (3,)),
    *_einsum("three operands", "ij,jk,kl->il", (4, 3), (3, 2), (2, 5)),
    *_einsum("three operands optimised", "ij,jk,kl->il", (4, 3), (3, 2), (2, 5), optimize=True),
    *_einsum("greedy", "ij,jk,kl->il", (4, 3), (3, 2), (2, 5), optimize="greedy"),
    *_einsum("path", "ij,jk,kl->il", (4, 3), (3, 2), (2, 5), optimize=["einsum_path", (1, 2), (0, 1)]),
    *_einsum("four operands", "a,ab,bc,c->", (4,), (4, 3), (3, 2), (2,)),
    *_einsum("upper case", "Ab,bA->A", (4, 3), (3, 4)),
    *_einsum("no index", ",ij->ij", (), (4, 3)),
    Case(
        "einsum sublists", lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2]), (A(4, 3), A(3, 2)), complex_step=True
    ),
    Case(
        "einsum sublists implicit", lambda x, y: np.einsum(x, [2, 1], y, [1, 0]), (A(4, 3), A(3, 2)), complex_step=True
    ),
    Case(
        "einsum sublists with ellipsis",
        lambda x, y: np.einsum(x, [..., 0, 1], y, [..., 1], [..., 0]),
        (A(2, 4, 3), A(2, 3)),
        complex_step=True,
    ),
    Case("einsum one array twice", lambda x: np.einsum("ij,kj->ik", x, x), (A(4, 3),), complex_step=True),
    Case("einsum real and complex", lambda x, y: np.einsum("ij,j->i", x, y), (A(4, 3), C(3))),
    Case("einsum empty", lambda x, y: np.einsum("ij,jk->ik", x, y), (A(0, 3), A(3, 2)), complex_step=True),
]
