"""Cases for ``scipy.special`` beyond those from the table: several results, orders, complex and special points."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sc

from tests.cases.case import Case

_rng = np.random.default_rng(13)


def A(*shape: int) -> Any:
    """A real array of this shape."""
    return _rng.normal(size=shape) if shape else float(_rng.normal())


def C(*shape: int) -> Any:
    """A complex array of this shape, in the right half plane."""
    return _rng.uniform(0.4, 1.5, size=shape) + 1j * _rng.normal(size=shape)


def P(*shape: int) -> Any:
    """A positive array of this shape."""
    return _rng.uniform(0.4, 2.0, size=shape) if shape else float(_rng.uniform(0.4, 2.0))


def U(*shape: int) -> Any:
    """An array of this shape between 0 and 1."""
    return _rng.uniform(0.1, 0.9, size=shape)


_SOFTMAX = [
    Case("logsumexp", lambda x: sc.logsumexp(x), (A(3, 4),), complex_step=True),
    Case("logsumexp axis", lambda x: sc.logsumexp(x, axis=1), (A(3, 4),), complex_step=True),
    Case("logsumexp axes", lambda x: sc.logsumexp(x, axis=(0, -1), keepdims=True), (A(3, 4, 2),), complex_step=True),
    Case("logsumexp keepdims", lambda x: x - sc.logsumexp(x, axis=-1, keepdims=True), (A(3, 4),), complex_step=True),
    Case("logsumexp b", lambda x, b: sc.logsumexp(x, axis=1, b=b), (A(3, 4), P(3, 4))),
    Case("logsumexp b broadcast", lambda x, b: sc.logsumexp(x, b=b, axis=0, keepdims=True), (A(3, 4), P(4))),
    Case(
        "logsumexp sign",
        lambda x, b: sc.logsumexp(x, axis=1, b=b, return_sign=True),
        (A(3, 4) / 3, P(3, 4) * [2, -0.2, 2, -0.2]),
    ),
    Case("logsumexp sign only", lambda x: sc.logsumexp(x, axis=1, return_sign=True)[0], (A(3, 4),)),
    Case("logsumexp complex", lambda z: sc.logsumexp(z, axis=0), (C(3, 4),)),
    Case("logsumexp -inf", lambda x: sc.logsumexp(np.where(x > 0, x, -np.inf), axis=1), (np.abs(A(3, 4)) - 0.3,)),
    Case("softmax", lambda x: sc.softmax(x), (A(3, 4),), complex_step=True),
    Case("softmax axis", lambda x: sc.softmax(x, axis=1), (A(3, 4),), complex_step=True),
    Case("softmax axes", lambda x: sc.softmax(x, axis=(0, 2)), (A(3, 2, 4),), complex_step=True),
    Case("log_softmax", lambda x: sc.log_softmax(x), (A(3, 4),), complex_step=True),
    Case("log_softmax axis", lambda x: sc.log_softmax(x, axis=0), (A(3, 4),), complex_step=True),
]

_GAMMA = [
    Case("polygamma", lambda x: sc.polygamma(2, x), (P(3, 4),)),
    Case("polygamma orders", lambda x: sc.polygamma(np.array([1, 2, 3]), x), (P(3),)),
    Case("polygamma 0", lambda x: sc.polygamma(0, x), (P(3),)),
    Case("digamma", lambda x: sc.digamma(x) * sc.psi(x), (P(3),)),
    Case("zeta", lambda q: sc.zeta(3.0, q), (P(3, 4),)),
    Case("multigammaln", lambda a: sc.multigammaln(a, 3), (2 + P(),)),
    Case("multigammaln array", lambda a: sc.multigammaln(a, 2), (2 + P(3),)),
    Case("comb", lambda n, k: sc.comb(n, k), (4 + P(3, 1), P(4))),
    Case("comb outside", lambda n, k: sc.comb(n, k), (P(3), 3 + P(3))),
    Case("comb repetition", lambda n, k: sc.comb(n, k, repetition=True), (4 + P(3), P(3))),
    Case("perm", lambda n, k: sc.perm(n, k), (4 + P(3), P(3))),
    Case("factorial", lambda n: sc.factorial(n), (P(3) * 2,)),
    Case("gamma negative", lambda x: sc.gamma(x) * sc.rgamma(x + 0.1) * sc.gammaln(x), (-P(3) * 0.45,)),
    Case("gamma complex", lambda z: sc.gamma(z) * sc.loggamma(z), (C(3),), order=1),
    Case("gammainc orders", lambda x: sc.gammainc(np.array([0.5, 1.0, 3.0]), x), (P(3),)),
    Case("betainc orders", lambda x: sc.betainc(np.array([[0.5], [1.0]]), 2.0, x), (U(3),)),
]

_BESSEL = [
    *(
        Case(f"{f.__name__} order {v}", lambda x, f=f, v=v: f(v, x), (P(3, 4),))
        for f, v in ((sc.jv, 0), (sc.jv, 1.5), (sc.yv, 0), (sc.iv, 0), (sc.kv, 0), (sc.kn, 0), (sc.kn, 1), (sc.yn, 0))
    ),
    *(
        Case(f"{f.__name__} orders", lambda x, f=f: f(np.array([0, 1, 2, 3]), x), (P(3, 4),))
        for f in (sc.jv, sc.yn, sc.kn, sc.iv, sc.struve)
    ),
    *(
        Case(f"{f.__name__} complex", lambda z, f=f: f(1.5, z), (C(3),))
        for f in (sc.jv, sc.yv, sc.iv, sc.kv, sc.kve, sc.hankel1, sc.hankel2, sc.hankel1e, sc.hankel2e)
    ),
    *(
        Case(f"{f.__name__}{' derivative' * d}", lambda x, f=f, d=d: f(2, x, derivative=d), (1 + P(3),))
        for f in (sc.spherical_jn, sc.spherical_yn, sc.spherical_in, sc.spherical_kn)
        for d in (False, True)
    ),
    Case("bessel at zero", lambda x: sc.j0(x) + sc.j1(x) + sc.i0(x) + sc.i1(x) + sc.jv(2, x), (np.zeros(2),)),
    Case("airy", lambda x: sc.airy(x), (A(3),)),
    Case("airy one result", lambda x: sc.airy(x)[2] * x, (A(3),)),
    Case("airy complex", lambda z: sc.airy(z), (C(3),)),
    Case("kelvin", lambda x: sc.kelvin(x), (P(3),)),
    Case("pbdv", lambda x: sc.pbdv(1.5, x), (P(3),)),
    Case("pbvv", lambda x: sc.pbvv(1.5, x), (P(3),)),
    Case("pbwa", lambda x: sc.pbwa(1.5, x), (P(3),)),
    *(
        Case(f.__name__, lambda x, f=f: f(x), (P(3),))
        for f in (sc.itj0y0, sc.iti0k0, sc.it2j0y0, sc.it2i0k0, sc.sici, sc.shichi, sc.fresnel)
    ),
    Case("sici at zero", lambda x: sc.sici(x)[0] * sc.fresnel(x)[1] + sc.fresnel(x)[0], (np.zeros(2),)),
    Case("shichi at zero", lambda x: sc.shichi(x)[0], (np.zeros(2),)),
    Case("fresnel complex", lambda z: sc.fresnel(z), (C(3),)),
]

_ELLIPTIC = [
    Case("ellipk ellipe at zero", lambda m: sc.ellipk(m) - sc.ellipe(m), (np.zeros(2),)),
    Case("ellipkm1 small", lambda p: sc.ellipkm1(p), (np.array([0.05, 0.1]),)),
    Case("ellipk negative", lambda m: sc.ellipk(m) + sc.ellipe(m), (-10 * P(3),)),
    Case("ellipj", lambda u, m: sc.ellipj(u, m), (A(3, 1), U(4))),
    Case("ellipj one result", lambda u, m: sc.ellipj(u, m)[1], (A(3), U(3))),
    Case("ellipkinc far", lambda u, m: sc.ellipkinc(u, m) + sc.ellipeinc(u, m), (4 + P(3), U(3))),
    Case("expn orders", lambda x: sc.expn(np.array([0, 1, 2, 4]), x), (P(3, 4),)),
    Case("expn 0", lambda x: sc.expn(0, x) + sc.expn(1, x), (P(3),)),
    Case("exp1 expi complex", lambda z: sc.exp1(z) * sc.expi(z), (C(3),)),
    Case("spence at one", lambda x: sc.spence(x), (np.ones(2),)),
    Case("spence far", lambda x: sc.spence(x), (5 * P(3),)),
    Case("hyp2f1 complex", lambda z: sc.hyp2f1(0.5, 1.5, 2.5, z / 3) * sc.hyp1f1(1.5, 2.5, z), (C(3),)),
    *(
        Case(f"{f.__name__} degrees", lambda x, f=f: f(np.array([0, 1, 2, 3]), x), (U(3, 4),))
        for f in (
            sc.eval_legendre,
            sc.eval_chebyt,
            sc.eval_chebyu,
            sc.eval_hermite,
            sc.eval_hermitenorm,
            sc.eval_laguerre,
        )
    ),
    *(
        Case(f"{f.__name__} degree {n}", lambda x, f=f, n=n: f(n, x), (U(3),))
        for f in (sc.eval_legendre, sc.eval_sh_legendre, sc.eval_chebyc, sc.eval_chebys, sc.eval_sh_chebyt)
        for n in (0, 1)
    ),
    Case("eval_jacobi degree 0", lambda x: sc.eval_jacobi(0, 0.5, 1.5, x) + sc.eval_sh_jacobi(0, 3, 2, x), (U(3),)),
    Case("eval_genlaguerre degree 0", lambda x: sc.eval_genlaguerre(0, 0.5, x) + sc.eval_sh_chebyu(0, x), (U(3),)),
    Case("eval_legendre ends", lambda x: sc.eval_legendre(3, x), (np.array([-0.99, 0.99]),)),
    Case("assoc_laguerre", lambda x: sc.assoc_laguerre(x, 3, 1.0), (U(3),)),
]

_OTHERS = [
    Case("lambertw", lambda x: sc.lambertw(x).real, (P(3, 4),)),
    Case("lambertw at zero", lambda x: sc.lambertw(x).real, (np.zeros(2),)),
    Case("lambertw complex", lambda z: sc.lambertw(z, k=1), (C(3),)),
    Case("wofz complex", lambda z: sc.wofz(z), (C(3),)),
    Case("erf complex", lambda z: sc.erf(z) * sc.erfi(z) * sc.erfcx(z) + sc.dawsn(z) - sc.log_ndtr(z), (C(3),)),
    Case("wrightomega complex", lambda z: sc.wrightomega(z), (C(3),)),
    Case("log_ndtr far", lambda x: sc.log_ndtr(x), (np.array([-30.0, -8.0, 0.0, 9.0]),)),
    Case("log_expit far", lambda x: sc.log_expit(x), (np.array([-300.0, -8.0, 0.0, 50.0]),)),
    Case("xlogy of nothing", lambda x, y: sc.xlogy(x, y), (np.zeros(3), np.array([0.5, 0.0, 1.5])), wrt=(1,), order=1),
    Case("rel_entr of nothing", lambda x, y: sc.rel_entr(x, y) + sc.kl_div(x, y), (np.zeros(3), P(3)), wrt=(1,)),
    Case("cross entropy", lambda x, p: -np.sum(sc.xlogy(p, sc.softmax(x, axis=1))), (A(3, 4), U(3, 4))),
    Case("boxcox at zero", lambda x, p: sc.boxcox(x, p) + sc.boxcox1p(x, p), (P(3), np.zeros(3))),
    Case("inv_boxcox at zero", lambda x, p: sc.inv_boxcox(x, p) + sc.inv_boxcox1p(x, p), (A(3), np.zeros(3))),
    Case("exprel at zero", lambda x: sc.exprel(x), (np.array([0.0, 1e-5, -0.3]),)),
    Case("powm1 literal", lambda x: sc.powm1(x, 3), (P(3),)),
    Case("softplus", lambda x: np.logaddexp(0, x) + sc.expit(x) * sc.log_expit(x), (A(3, 4),)),
    Case("gdtr orders", lambda a, x: sc.gdtr(a, 2.0, x) * sc.gdtrc(a, 3.0, x), (P(3), P(3))),
    Case("flat functions", lambda x: x * sc.round(x) * sc.gammasgn(x), (P(3),)),
    Case("ufunc where", lambda x: sc.gammaln(x, where=x > 1, out=np.zeros(3)), (np.array([0.5, 1.5, 2.5]),)),
    Case("ufunc outer", lambda x, y: sc.xlogy.outer(x, y), (P(3), P(2))),
]

if hasattr(sc, "softplus"):
    _OTHERS.append(Case("softplus function", lambda x: sc.softplus(x), (A(3, 4),)))

CASES = [*_SOFTMAX, *_GAMMA, *_BESSEL, *_ELLIPTIC, *_OTHERS]
