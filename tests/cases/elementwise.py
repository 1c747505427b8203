"""Cases for NumPy's elementwise functions beyond what is drawn from the table, and for the methods of ufuncs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.cases.case import Case

_rng = np.random.default_rng(7)


def A(*shape: int) -> Any:
    """A real array of this shape."""
    return _rng.normal(size=shape) if shape else float(_rng.normal())


def C(*shape: int) -> Any:
    """A complex array of this shape."""
    return _rng.normal(size=shape) + 1j * _rng.normal(size=shape)


def P(*shape: int) -> Any:
    """A positive array of this shape."""
    return _rng.uniform(0.4, 2.0, size=shape)


def D(*shape: int) -> Any:
    """An array of distinct values, far enough apart that no order changes under a small step; no multiples of 1/2."""
    return _rng.permutation(np.arange(1, int(np.prod(shape)) + 1)).reshape(shape) / 4 - 1.1


def _with(values: Any, **at: float) -> Any:
    """``values`` with special ones at flat positions: ``_with(x, p2=np.nan)``."""
    for place, value in at.items():
        values.reshape(-1)[int(place[1:])] = value
    return values


MASK = np.array([[True, False, True, False], [False, False, True, True], [True, True, False, True]])

# Kinks: the value at which a side is chosen stays put, since only other elements are drawn at random.
_POWERS = [
    *(
        Case(f"power literal {n}", lambda x, n=n: x**n, (A(3, 4),), complex_step=True)
        for n in (0, 1, 2, 3, -1, -2, 2.0)
    ),
    *(Case(f"power literal {n}", lambda x, n=n: x**n, (P(5),), complex_step=True) for n in (0.5, -0.5, 1.7)),
    *(Case(f"power at zero {n}", lambda x, n=n: x**n, (np.zeros(3),)) for n in (1, 2, 3, 4, 2.0)),
    Case("power integer exponents", lambda x: x ** np.array([0, 1, 2, 3]), (A(3, 4),), complex_step=True),
    Case("power integer exponents at zero", lambda x: x ** np.array([0, 1, 2, 3]), (np.zeros((2, 4)),)),
    Case("power literal base", lambda y: 2.5**y, (A(3),), complex_step=True),
    Case("power literal base zero", lambda y: 0.0**y, (P(3),)),
    Case("power complex literal exponent", lambda x: x ** (1 + 2j), (P(5),)),
    Case("power complex literal base", lambda y: (1 + 2j) ** y, (A(3),), order=2),
    Case("power base zero", lambda x, y: np.power(x, y), (np.zeros(3), np.full(3, 2.0)), wrt=(1,)),
    Case("power exponent zero", lambda x, y: np.power(x, y), (P(3), np.zeros(3)), complex_step=True),
    Case("power float_power literal", lambda x: np.float_power(x, 3), (A(3),), complex_step=True),
    Case("power float32 exponent", lambda x, y: np.power(x, y), (P(3, 1), A(4))),
    Case("power complex", lambda z, w: z**w, (C(3), C(3))),
    Case("power operators", lambda x, y: x**2 * 3**y + y**x, (P(3), P(3)), complex_step=True),
]

_CHOICES = [
    Case("maximum literal", lambda x: np.maximum(0, x), (A(3, 4),), complex_step=True),
    Case("maximum literal right", lambda x: np.maximum(x, 0.5), (A(3, 4),), complex_step=True),
    Case("minimum literal", lambda x: np.minimum(1, x), (A(3, 4),), complex_step=True),
    Case("minimum literal right", lambda x: np.minimum(x, 0.2), (A(3, 4),), complex_step=True),
    Case("fmax literal", lambda x: np.fmax(0, x), (A(5),)),
    Case("fmin literal", lambda x: np.fmin(x, 0), (A(5),)),
    Case("fmax nan", lambda x, y: np.fmax(x, y), (_with(D(4), p1=np.nan), _with(D(4) + 0.1, p2=np.nan))),
    Case("fmin nan", lambda x, y: np.fmin(x, y), (_with(D(4), p1=np.nan), _with(D(4) + 0.1, p2=np.nan))),
    Case("fmax literal nan", lambda x: np.fmax(x, np.nan), (D(4),)),
    Case("maximum broadcast", lambda x, y: np.maximum(x, y), (D(3, 1), D(4) + 0.06), complex_step=True),
    Case("where", lambda x, y: np.where(x > y, x**2, y), (A(3, 4), A(3, 4))),
    Case("where broadcast", lambda x, y: np.where(MASK, x, y), (A(4), A(3, 1)), complex_step=True),
    Case("where literal", lambda x: np.where(MASK, x, 0.0), (A(3, 4),), complex_step=True),
    Case("where literal first", lambda x: np.where(MASK, -1, x), (A(4),), complex_step=True),
    Case("where scalar", lambda x, y: np.where(x > 0, x, y), (A(), A())),
    Case("where mask is narrow", lambda x, y: np.where(MASK[:, :1], x, y).sum(), (A(), A(3, 4)), complex_step=True),
    Case("where positions", lambda x: x[np.where(x > 0)], (A(3, 4),)),
    Case("where complex", lambda x, z: np.where(MASK, x, z), (A(3, 4), C(3, 4))),
    Case("where inf is masked", lambda x: np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0), (A(3, 4),)),
    Case("clip", lambda x: np.clip(x, -1.0, 0.8), (A(3, 4),)),
    Case("clip low", lambda x: np.clip(x, 0.1, None), (A(3, 4),)),
    Case("clip high", lambda x: np.clip(x, None, 0.1), (A(3, 4),)),
    Case("clip neither", lambda x: np.clip(x, None, None) * 2, (A(3, 4),)),
    Case("clip min max", lambda x: np.clip(x, min=-0.4, max=0.3), (A(3, 4),)),
    Case("clip min", lambda x: np.clip(x, min=-0.4), (A(3, 4),)),
    Case("clip max", lambda x: np.clip(x, max=0.3), (A(3, 4),)),
    Case("clip keywords", lambda x, a, b: np.clip(x, a_max=b, a_min=a), (A(3, 4), -P(4), P(3, 1))),
    Case("clip arrays", lambda x, a, b: np.clip(x, a, b), (A(3, 4), -P(4) / 2, P(3, 1) / 2)),
    Case("clip array min", lambda x, a: np.clip(x, min=a), (A(3, 4), A(4))),
    Case("clip array max", lambda x, b: np.clip(x, max=b), (A(3, 4), A(3, 1))),
    Case("clip crossed", lambda x, a, b: np.clip(x, a, b), (A(5), P(5), -P(5))),
    Case("clip broadcasts up", lambda x, a: np.clip(x, a, 2.0), (A(), A(3))),
    Case("clip method", lambda x: x.clip(-0.5, 0.5) + x.clip(max=0.2), (A(3, 4),)),
    Case("heaviside at zero", lambda h: np.heaviside(np.array([-1.0, 0.0, 2.0]), h), (A(3),)),
    Case("nan_to_num", lambda x: np.nan_to_num(x) * x, (A(3, 4),)),
    Case(
        "nan_to_num replaced",
        lambda x: np.nan_to_num(x, nan=2.0, posinf=3.0, neginf=-4.0) ** 2,
        (_with(A(3, 4), p1=np.nan, p5=np.inf, p6=-np.inf),),
    ),
    Case("nan_to_num followed", lambda x, r: np.nan_to_num(x, nan=r), (_with(A(4), p1=np.nan), A())),
    Case("nan_to_num complex", lambda z: np.nan_to_num(z) * z, (C(3),)),
    Case("nan_to_num in place", lambda x: np.nan_to_num(x * 2, copy=False), (_with(A(4), p1=np.nan),)),
    Case("nan_to_num default infinities", lambda x: np.nan_to_num(x), (_with(A(4), p1=np.inf, p2=-np.inf),)),
    Case("nan_to_num integers", lambda x: x * np.nan_to_num(np.arange(3) + (x > 0)), (A(3),)),
]

_SIGNS = [
    Case("absolute", lambda x: np.absolute(x), (A(3, 4),)),
    Case("absolute operator", lambda x: abs(x) * x, (A(),)),
    Case("absolute complex", lambda z: np.absolute(z), (C(3, 4),)),
    Case("absolute of a complex product", lambda x: np.absolute(x * (1 + 2j)) ** 2, (A(3),)),
    Case("absolute empty", lambda x: np.absolute(x), (A(0, 3),)),
    Case("sign", lambda x: np.sign(x) * x, (A(3, 4),)),
    Case("sign complex", lambda z: np.sign(z), (C(3, 4),)),
    Case("sinc", lambda x: np.sinc(x), (_with(A(3, 4), p0=0.0, p1=1e-4, p2=0.2499, p3=0.3, p4=1.0),)),
    Case("sinc complex", lambda z: np.sinc(z), (C(3),)),
    Case("sinc 0-d", lambda x: np.sinc(x), (0.0,)),
    Case("i0", lambda x: np.i0(x), (_with(A(3, 4) * 4, p0=0.0, p1=11.0, p2=-9.0),)),
    Case("i0 0-d", lambda x: np.i0(x), (0.7,)),
    Case("unwrap", lambda x: np.unwrap(x * 5), (A(3, 7),)),
    Case("unwrap period", lambda x: np.unwrap(x, discont=1.0, axis=0, period=1.5), (A(7, 2),)),
    Case("ufunc dtype", lambda x, y: np.add(x, y, dtype=np.float64) + np.absolute(x, dtype=np.float64), (A(3), A(3))),
    Case("ufunc out", lambda x, y: np.multiply(x, y, out=np.empty((3, 4))), (A(3, 4), A(4)), complex_step=False),
    Case("ufunc where", lambda x, y: np.divide(x, y, where=MASK, out=np.zeros((3, 4))), (A(3, 4), P(4))),
    Case(
        "ufunc where hides infinities",
        lambda x: np.log(x, where=x > 0, out=np.zeros(3)),
        (np.array([1.5, -0.5, -2.0]),),
    ),
    Case("math.erf", lambda x: math.erf(x) * 1.0, (0.3,)),
    Case("math.erfc", lambda x: math.erfc(x) * 1.0, (-0.4,)),
    Case(
        "flat functions", lambda x: x * (np.round(x) + np.around(x, 1) + np.fix(x) + np.floor(x) + np.rint(x)), (A(5),)
    ),
    Case("comparisons", lambda x, y: x * (x > y) + y * np.isfinite(x) * np.logical_not(x > y), (A(5), A(5))),
    Case("integer ufuncs", lambda x: x * (np.arange(4) & 1) * np.gcd(np.arange(4), 6), (A(4),)),
]

_TWO_RESULTS = [
    Case("modf", lambda x: np.modf(x * 3), (D(3, 4),)),
    Case("modf one result", lambda x: np.modf(x * 3)[0] * x, (D(3),)),
    Case("frexp", lambda x: np.frexp(x * 3), (A(3, 4),)),
    Case("frexp one result", lambda x: np.frexp(x)[1] * x, (A(3),)),
    Case("ldexp", lambda x: np.ldexp(x, np.array([0, 1, 2, -3])), (A(3, 4),)),
    Case("ldexp literal", lambda x: np.ldexp(x, 3), (A(3),)),
    Case("divmod", lambda x, y: np.divmod(x, y), (A(3, 4), P(4))),
    Case("divmod operator", lambda x, y: divmod(x, y)[1], (A(3, 4), P(4))),
    Case("divmod floor", lambda x, y: divmod(x, y)[0] * x, (A(3), P(3))),
    Case("remainder literal", lambda x: x % 0.7, (A(3, 4),)),
    Case("fmod literal", lambda x: np.fmod(1.9, x), (P(3, 4),)),
]

_COMPLEX = [
    Case("conjugate", lambda z: np.conjugate(z) * (2 - 3j), (C(3, 4),)),
    Case("conjugate real", lambda x: np.conjugate(x) * x, (A(3),)),
    Case("conjugate method", lambda x, y: (x + 1j * y).conj() ** 2, (A(3), A(3))),
    Case("real", lambda z: np.real(z) ** 2, (C(3, 4),)),
    Case("real of real", lambda x: np.real(x) * 2 * x, (A(3),)),
    Case("imag", lambda z: np.imag(z) * np.real(z), (C(3, 4),)),
    Case("imag of real", lambda x: np.imag(x) + x, (A(3),)),
    Case("real imag attributes", lambda x, y: ((x + 1j * y) ** 3).real * ((x - 1j * y) ** 2).imag, (A(3), A(3))),
    Case("angle", lambda z: np.angle(z), (C(3, 4),)),
    Case("angle deg", lambda z: np.angle(z, deg=True), (C(3),)),
    Case("angle of real", lambda x: np.angle(x) + x, (A(3),)),
    Case("real_if_close", lambda x: np.real_if_close(x * (1 + 0j)), (A(3),)),
    Case("real_if_close far", lambda z: np.real_if_close(z), (C(3),)),
    Case("real_if_close tol", lambda z: np.real_if_close(z * 1, tol=0.5), (A(3) + 0.01j * A(3),)),
    Case("real_if_close real", lambda x: np.real_if_close(x) * x, (A(3),)),
    Case("complex exponential", lambda x: np.exp(1j * x), (A(3),)),
    Case("complex functions", lambda z: np.sin(z) * np.sqrt(z) + np.log(z) / z - np.arctan(z), (C(3),)),
    Case("complex inverse functions", lambda z: np.arccosh(z) + np.arcsinh(z) + np.arctanh(z), (C(4),)),
]

_METHODS = [
    Case("add.reduce", lambda x: np.add.reduce(x, axis=1), (A(3, 4),), complex_step=True),
    Case("add.reduce default axis", lambda x: np.add.reduce(x), (A(3, 4),), complex_step=True),
    Case("multiply.reduce", lambda x: np.multiply.reduce(x, axis=None), (A(3, 2),), complex_step=True),
    Case("maximum.reduce", lambda x: np.maximum.reduce(x, axis=(0, 1), keepdims=True), (D(3, 4),)),
    Case("minimum.reduce", lambda x: np.minimum.reduce(x), (D(3, 4),)),
    Case("add.accumulate", lambda x: np.add.accumulate(x, axis=1), (A(3, 4),), complex_step=True),
    Case("multiply.accumulate", lambda x: np.multiply.accumulate(x), (A(3, 4),), complex_step=True),
    *(
        Case(f"{f.__name__}.reduce", lambda x, f=f: f.reduce(x, axis=1), (A(2, 5, 3),))
        for f in (np.logaddexp, np.logaddexp2, np.hypot, np.subtract)
    ),
    # Without np.power and np.arctan2: NumPy's own vectorised loops skip elements in their reduce.
    *(
        Case(f"{f.__name__}.reduce", lambda x, f=f: f.reduce(x, axis=-1), (P(2, 3),))
        for f in (np.divide, np.fmod, np.remainder)
    ),
    *(Case(f"{f.__name__}.reduce", lambda x, f=f: f.reduce(x, axis=-1), (D(2, 5),)) for f in (np.fmax, np.fmin)),
    Case("logaddexp.reduce keepdims", lambda x: np.logaddexp.reduce(x, axis=0, keepdims=True), (A(5, 3),)),
    Case("logaddexp.reduce all", lambda x: np.logaddexp.reduce(x, axis=None), (A(5, 3),)),
    Case("logaddexp.reduce axes", lambda x: np.logaddexp.reduce(x, axis=(0, -1), keepdims=True), (A(5, 3, 2),)),
    Case("logaddexp.reduce initial", lambda x: np.logaddexp.reduce(x, initial=0.5), (A(4),)),
    Case("logaddexp.reduce where", lambda x: np.logaddexp.reduce(x, where=MASK), (A(3, 4),)),
    Case("logaddexp.reduce one", lambda x: np.logaddexp.reduce(x), (A(1, 3),)),
    Case("hypot.reduce empty", lambda x: np.hypot.reduce(x, axis=1), (A(3, 0),)),
    Case("logaddexp.reduce 0-d", lambda x: np.logaddexp.reduce(x), (np.array(0.7),)),
    Case("subtract.reduce initial", lambda x: np.subtract.reduce(x, initial=2.0), (A(4),), complex_step=True),
    Case("subtract.reduce where", lambda x: np.subtract.reduce(x, initial=1, where=MASK), (A(3, 4),)),
    Case("subtract.reduce dtype", lambda x: np.subtract.reduce(x, dtype=np.float64), (A(3, 4),), complex_step=False),
    *(
        Case(f"{f.__name__}.accumulate", lambda x, f=f: f.accumulate(x, axis=1), (D(2, 7),))
        for f in (np.maximum, np.minimum, np.fmax, np.logaddexp)
    ),
    Case("maximum.accumulate default axis", lambda x: np.maximum.accumulate(x) * x, (D(5, 2),)),
    Case("subtract.accumulate", lambda x: np.subtract.accumulate(x), (A(4, 2),), complex_step=True),
    Case("divide.accumulate", lambda x: np.divide.accumulate(x, axis=-1), (P(2, 4),), complex_step=True),
    Case("maximum.accumulate one", lambda x: np.maximum.accumulate(x), (A(1),)),
    Case("subtract.accumulate empty", lambda x: np.subtract.accumulate(x), (A(0),)),
    Case("add.reduceat", lambda x: np.add.reduceat(x, [0, 3, 5]), (A(7),), complex_step=True),
    Case("add.reduceat unordered", lambda x: np.add.reduceat(x, [2, 0, 0, 4]), (A(6),), complex_step=True),
    Case("add.reduceat axis", lambda x: np.add.reduceat(x, [1, 3], axis=1), (A(3, 5),), complex_step=True),
    Case("multiply.reduceat", lambda x: np.multiply.reduceat(x, [0, 2, 1], axis=-1), (A(3, 5),), complex_step=True),
    Case("maximum.reduceat", lambda x: np.maximum.reduceat(x, [0, 3]), (D(7, 2),)),
    Case("add.outer", lambda x, y: np.add.outer(x, y) ** 2, (A(3), A(2, 4)), complex_step=True),
    Case("multiply.outer", lambda x, y: np.multiply.outer(x, y), (A(3, 2), A(4)), complex_step=True),
    Case("hypot.outer", lambda x, y: np.hypot.outer(x, y), (P(3), P(4))),
    Case("subtract.outer numbers", lambda x, y: np.subtract.outer(x, y), (A(), A(3)), complex_step=True),
    Case("power.outer list", lambda x: np.power.outer(x, [1, 2, 3]), (A(3),), complex_step=True),
]

CASES = [*_POWERS, *_CHOICES, *_SIGNS, *_TWO_RESULTS, *_COMPLEX, *_METHODS]
