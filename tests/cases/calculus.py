"""Cases for differences, integrals of samples, interpolation, covariance, histograms and polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cases.case import Case

_rng = np.random.default_rng(32)


def A(*shape: int) -> Any:
    """A real array of this shape."""
    return _rng.normal(size=shape) if shape else float(_rng.normal())


def C(*shape: int) -> Any:
    """A complex array of this shape."""
    return _rng.normal(size=shape) + 1j * _rng.normal(size=shape)


def P(*shape: int) -> Any:
    """An array of distinct values, far enough apart that no order changes under a small step."""
    return _rng.permutation(np.arange(1, int(np.prod(shape)) + 1)).reshape(shape) / 4 - 1.1


def G(n: int) -> Any:
    """An increasing, uneven grid."""
    return np.cumsum(_rng.uniform(0.5, 1.5, size=n))


_DIFFERENCES = [
    Case("diff", np.diff, (A(5),), complex_step=True),
    Case("diff n", lambda x: np.diff(x, n=3), (A(6),), complex_step=True),
    Case("diff n 0", lambda x: np.diff(x, n=0) * 2, (A(3),), complex_step=True),
    Case("diff axis", lambda x: np.diff(x, axis=0), (A(3, 4),), complex_step=True),
    Case("diff n axis", lambda x: np.diff(x, n=2, axis=-2), (A(4, 3),), complex_step=True),
    Case("diff too short", lambda x: np.diff(x, n=4), (A(3),), complex_step=True),
    Case("diff prepend", lambda x, p: np.diff(x, prepend=p), (A(4), A()), complex_step=True),
    Case("diff append", lambda x, p: np.diff(x, append=p), (A(2, 3), A(2, 2)), complex_step=True),
    Case("diff both", lambda x, p, q: np.diff(x, 2, 0, p, q), (A(3, 2), A(1, 2), A()), complex_step=True),
    Case("diff plain prepend", lambda x: np.diff(x, prepend=0.0), (A(4),), complex_step=True),
    Case("diff followed prepend", lambda p: np.diff(np.arange(3.0), prepend=p), (A(),), complex_step=True),
    Case("ediff1d", np.ediff1d, (A(2, 3),), complex_step=True),
    Case("ediff1d ends", lambda x, e, b: np.ediff1d(x, to_end=e, to_begin=b), (A(4), A(2), A()), complex_step=True),
    Case("ediff1d begin", lambda x, b: np.ediff1d(x, to_begin=b), (A(4), A(2)), complex_step=True),
    Case("gradient", np.gradient, (A(5),), complex_step=True),
    Case("gradient matrix", np.gradient, (A(3, 4),), complex_step=True),
    Case("gradient spacing", lambda x, h: np.gradient(x, h), (A(4, 3), 0.7)),
    Case("gradient spacings", lambda x, h, k: np.gradient(x, h, k), (A(4, 3), 0.7, 1.3)),
    Case("gradient grid", lambda x, t: np.gradient(x, t), (A(5), G(5))),
    Case("gradient even grid", lambda x: np.gradient(x, np.arange(5.0)), (A(5),), complex_step=True),
    Case("gradient axis", lambda x: np.gradient(x, axis=-1), (A(3, 4),), complex_step=True),
    Case("gradient axes", lambda x, t: np.gradient(x, 2.0, t, axis=(2, 0)), (A(4, 2, 3), G(4))),
    Case("gradient edge_order", lambda x: np.gradient(x, edge_order=2), (A(4, 3),), complex_step=True),
    Case("gradient grid edge_order", lambda x, t: np.gradient(x, t, edge_order=2, axis=1), (A(2, 5), G(5))),
    Case("gradient two points", np.gradient, (A(2),), complex_step=True),
]

_INTEGRALS = [
    Case("trapezoid", np.trapezoid, (A(5),), complex_step=True),
    Case("trapezoid x", lambda y, x: np.trapezoid(y, x), (A(5), G(5)), complex_step=True),
    Case("trapezoid dx", lambda y, h: np.trapezoid(y, dx=h), (A(3, 4), 0.6)),
    Case("trapezoid dx axis", lambda y, h: np.trapezoid(y, dx=h, axis=0), (A(3, 4), 0.6), complex_step=True),
    Case("trapezoid steps", lambda y, h: np.trapezoid(y, dx=h), (A(2, 4), G(3)), complex_step=True),
    Case("trapezoid axis", lambda y, x: np.trapezoid(y, x, axis=0), (A(4, 3), G(4)), complex_step=True),
    Case("trapezoid matrix x", lambda y, x: np.trapezoid(y, x, axis=1), (A(3, 4), A(3, 4)), complex_step=True),
    Case("trapezoid broadcast x", lambda y, x: np.trapezoid(y, x), (A(2, 3, 4), A(3, 4)), complex_step=True),
    Case("trapezoid one", lambda y: np.trapezoid(y) + y[0], (A(1),), complex_step=True),
    Case("trapezoid plain y", lambda x: np.trapezoid(np.array([1.0, 3.0, 2.0]), x), (G(3),), complex_step=True),
]

_INTERPOLATION = [
    Case("interp", lambda x, fp: np.interp(x, [0.0, 1.0, 2.5], fp), (np.array([-0.5, 0.3, 1.7, 3.0]), A(3))),
    Case("interp knots", lambda x, xp, fp: np.interp(x, xp, fp), (np.array([[1.3, 2.2], [0.1, 9.0]]), G(5), A(5))),
    Case("interp number", lambda x, xp, fp: np.interp(x, xp, fp), (2.2, G(5), A(5))),
    Case("interp outside", lambda x, a, b: np.interp(x, [0.0, 1.0], [2.0, 5.0], a, b), (P(5), A(), A())),
    Case("interp fp outside", lambda x, fp: np.interp(x, [0.0, 1.0], fp, left=1.0, right=2.0), (P(5), A(2))),
    Case(
        "interp period",
        lambda x, xp, fp: np.interp(x, xp, fp, period=4.0),
        (np.array([-0.3, 0.2, 1.7, 3.9, 5.2]), np.array([0.5, 3.1, 2.3, 5.0]), A(4)),
    ),
    Case("interp one knot", lambda x, fp: np.interp(x, [0.5], fp), (P(3), A(1))),
    Case("interp complex", lambda x, xp, fp: np.interp(x, xp, fp), (np.array([1.3, 2.2]), G(4), C(4))),
]

_SAMPLES = P(9)

# Off the edges of the bins that its smallest and largest elements make.
_SCATTER = np.array([[0.1, 2.0, 0.5, 1.3], [1.7, 0.2, 0.6, 2.5]])

_STATISTICS = [
    Case("cov", np.cov, (A(3, 5),)),
    Case("cov vector", np.cov, (A(5),)),
    Case("cov two", lambda x, y: np.cov(x, y), (A(5), A(5))),
    Case("cov columns", lambda x: np.cov(x, rowvar=False), (A(5, 2),)),
    Case("cov two columns", lambda x, y: np.cov(x, y, rowvar=False), (A(5, 2), A(5, 1))),
    Case("cov bias", lambda x: np.cov(x, bias=True), (A(2, 4),)),
    Case("cov ddof", lambda x: np.cov(x, ddof=0), (A(2, 4),)),
    Case("cov fweights", lambda x: np.cov(x, fweights=np.array([1, 2, 3, 1])), (A(2, 4),)),
    Case("cov aweights", lambda x, w: np.cov(x, aweights=w), (A(2, 4), G(4))),
    Case("cov weights", lambda x, w: np.cov(x, fweights=[1, 2, 1, 1], aweights=w, ddof=0), (A(2, 4), G(4))),
    Case("cov complex", np.cov, (C(2, 4),)),
    Case("corrcoef", np.corrcoef, (A(3, 5),)),
    Case("corrcoef two", lambda x, y: np.corrcoef(x, y), (A(5), A(5))),
    Case("corrcoef columns", lambda x: np.corrcoef(x, rowvar=False), (A(5, 2),)),
    Case("corrcoef complex", np.corrcoef, (C(2, 4),)),
    Case("bincount", lambda w: np.bincount(np.array([0, 2, 2, 5]), weights=w), (A(4),)),
    Case("bincount minlength", lambda w: np.bincount([1, 0, 1], w, minlength=6), (A(3),)),
    Case("histogram weights", lambda w: np.histogram(_SAMPLES, bins=4, weights=w)[0], (A(9),)),
    Case("histogram edges", lambda x: np.histogram(x, bins=3)[1], (P(7),)),
    Case("histogram density", lambda w: np.histogram(_SAMPLES, [-1, 0, 0.4, 2.0], weights=w, density=True)[0], (G(9),)),
    Case("histogram density edges", lambda x: np.histogram(x, 3, density=True)[0], (np.array([0.1, 2.0, 0.5, 1.3]),)),
    Case("histogram range", lambda w: np.histogram(_SAMPLES, 4, (-0.5, 1.0), weights=w)[0], (A(9),)),
    Case("histogram2d weights", lambda w: np.histogram2d(_SAMPLES, _SAMPLES**2, [3, 2], weights=w), (A(9),)),
    Case("histogram2d edges", lambda x, y: np.histogram2d(x, y, 2, density=True), (_SCATTER[0], _SCATTER[1])),
    Case(
        "histogram2d shared edges",
        lambda w: np.histogram2d(_SAMPLES, _SAMPLES, [-1, 0, 0.4, 2.0], weights=w)[0],
        (A(9),),
    ),
    Case("histogramdd", lambda x, w: np.histogramdd(x.T, (2, [0.0, 1.2, 3.0]), weights=w), (_SCATTER, G(4))),
    Case("histogramdd range", lambda w: np.histogramdd(_SCATTER.T, 2, [(0, 1.2), (0, 2)], True, w)[0], (G(4),)),
    Case("histogram_bin_edges", lambda x: np.histogram_bin_edges(x, 4), (P(2, 3),)),
    Case("kaiser", lambda beta: np.kaiser(5, beta), (2.3,)),
    Case("kaiser one", lambda beta: np.kaiser(1, beta) * beta, (2.3,)),
]

_ascending = np.polynomial.polynomial.polyval

# The leading coefficients cancel exactly in every precision: np.polydiv drops them from the remainder only then.
_DIVIDEND = np.array([2.0, -3.0, 1.0, 4.0, 0.5])
_DIVISOR = np.array([2.0, 1.0, -0.5])

_POLYNOMIALS = [
    Case("polyval", lambda p, x: np.polyval(p, x), (A(4), A(3)), complex_step=True),
    Case("polyval number", lambda p, x: np.polyval(p, x), (A(4), A()), complex_step=True),
    Case("polyval matrix", lambda p, x: np.polyval(p, x), (A(3), A(2, 2)), complex_step=True),
    Case("polyval constant", lambda p, x: np.polyval(p, x) * x, (A(1), A(3)), complex_step=True),
    Case("polyval list", lambda a, x: np.polyval([a, 1.0, a * 2], x), (A(), A(3)), complex_step=True),
    Case("polynomial.polyval", lambda x, c: _ascending(x, c), (A(3), A(4)), complex_step=True),
    Case("polynomial.polyval columns", lambda x, c: _ascending(x, c), (A(3), A(4, 2)), complex_step=True),
    Case("polynomial.polyval aligned", lambda x, c: _ascending(x, c, tensor=False), (A(2), A(4, 2))),
    Case("polyadd", lambda p, q: np.polyadd(p, q), (A(4), A(2)), complex_step=True),
    Case("polyadd numbers", lambda p, q: np.polyadd(p, q), (A(), A(3)), complex_step=True),
    Case("polysub", lambda p, q: np.polysub(p, q), (A(2), A(4)), complex_step=True),
    Case("polymul", lambda p, q: np.polymul(p, q), (A(4), A(2))),
    Case("polymul leading zeros", lambda p: np.polymul(np.append(0.0, p), [0.0, 0.0, 2.0, 1.0]), (A(3),)),
    Case("polydiv", lambda u, v: np.polydiv(u, v), (_DIVIDEND, _DIVISOR)),
    Case("polydiv short", lambda u, v: np.polydiv(u, v), (_DIVISOR, _DIVIDEND)),
    Case("polydiv number", lambda u, v: np.polydiv(u, v), (_DIVIDEND, _DIVISOR[:1])),
    Case("polyder", np.polyder, (A(4),), complex_step=True),
    Case("polyder m", lambda p: np.polyder(p, 2), (A(5),), complex_step=True),
    Case("polyder none", lambda p: np.polyder(p, 0), (A(3),), complex_step=True),
    Case("polyder all", lambda p: np.polyder(p, 3), (A(3),), complex_step=True),
    Case("polyint", np.polyint, (A(4),), complex_step=True),
    Case("polyint m k", lambda p, k: np.polyint(p, 2, k), (A(3), A(2)), complex_step=True),
    Case("polyint number k", lambda p, k: np.polyint(p, m=3, k=k), (A(3), A()), complex_step=True),
    Case("roots", lambda p: _in_order(np.roots(p)), (np.array([1.0, -1.5, -2.0, 0.7]),)),
    Case("roots complex", lambda p: _in_order(np.roots(p)), (np.array([1.0, 0.5, 2.0, 0.7, 3.0]),)),
    Case("roots leading zero", lambda p: _in_order(np.roots(np.append(0.0, p))), (np.array([2.0, -1.0, -3.0]),)),
    Case("roots trailing zero", lambda p: _in_order(np.roots(np.append(p, 0.0))), (np.array([2.0, -1.0, -3.0]),)),
    Case("poly", np.poly, (A(4),)),
    Case("poly matrix", lambda x: np.poly(x @ x.T), (A(3, 3),)),
    Case("poly complex", np.poly, (C(3),)),
    Case("polyfit", lambda x, y: np.polyfit(x, y, 2), (G(6), A(6))),
    Case("polyfit columns", lambda x, y: np.polyfit(x, y, 1), (G(5), A(5, 2))),
    Case("polyfit weights", lambda x, y, w: np.polyfit(x, y, 2, w=w), (G(6), A(6), G(6))),
    Case("polyfit cov", lambda x, y: np.polyfit(x, y, 1, cov=True), (G(5), A(5))),
    Case("polyfit cov columns", lambda x, y: np.polyfit(x, y, 1, cov=True)[1], (G(5), A(5, 2))),
    Case("polyfit unscaled", lambda x, y: np.polyfit(x, y, 1, cov="unscaled"), (G(5), A(5))),
    Case("polyfit full", lambda x, y: np.polyfit(x, y, 1, full=True)[0], (G(5), A(5))),
]


def _in_order(roots: Any) -> Any:
    """The roots in an order that does not depend on the solver."""
    return roots[np.lexsort((np.round(roots.imag, 6), np.round(roots.real, 6)))]


CASES: list[Case] = [*_DIFFERENCES, *_INTEGRALS, *_INTERPOLATION, *_STATISTICS, *_POLYNOMIALS]
