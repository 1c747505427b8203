"""Rules for ``scipy.special``: elementary and error functions, gamma and beta, distributions, softmax and its kin.

The core loads this module when the user has imported ``scipy.special``; it loads those for the rest of that package.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sc

from chainrule.errors import NotDifferentiableError
from chainrule.language import message
from chainrule.ops import composite, constant, elementwise, structural
from chainrule.rules import special_bessel, special_orders
from chainrule.rules.helpers import as_operand, restore
from chainrule.rules.scipy_calls import call
from chainrule.rules.special_orders import in_last, unknown

__all__ = ["special_bessel", "special_orders"]

_POSITIVE = (0.3, 2.5)
_UNIT = (0.1, 0.9)
_ROOT_PI = math.sqrt(math.pi)
_ROOT_2PI = math.sqrt(2 * math.pi)
_DEGREE = math.pi / 180


# ---- elementary

elementwise(sc.cbrt, lambda out, x: 1 / (3 * out**2), domain=_POSITIVE)
elementwise(sc.exp2, lambda out, x: out * math.log(2))
elementwise(sc.exp10, lambda out, x: out * math.log(10), domain=(-1.0, 1.0))
elementwise(sc.expm1, lambda out, x: out + 1)
elementwise(sc.log1p, lambda out, x: 1 / (1 + x), domain=(-0.6, 2.0))
elementwise(sc.cosm1, lambda out, x: -np.sin(x))
elementwise(
    sc.powm1,
    lambda out, x, y: y * x ** (y - 1),
    lambda out, x, y: (out + 1) * np.log(x),
    domain=(_POSITIVE, (-2.0, 2.0)),
)
elementwise(sc.sindg, lambda out, x: _DEGREE * sc.cosdg(x), domain=(-80.0, 80.0))
elementwise(sc.cosdg, lambda out, x: -_DEGREE * sc.sindg(x), domain=(-80.0, 80.0))
elementwise(sc.tandg, lambda out, x: _DEGREE * (1 + out**2), domain=(-50.0, 50.0))
elementwise(sc.cotdg, lambda out, x: -_DEGREE * (1 + out**2), domain=(40.0, 140.0))
elementwise(
    sc.radian,
    lambda out, d, m, s: _DEGREE,
    lambda out, d, m, s: _DEGREE / 60,
    lambda out, d, m, s: _DEGREE / 3600,
    domain=(0.0, 50.0),
)
elementwise(sc.wrightomega, lambda out, z: out / (1 + out))
elementwise(
    sc.agm,
    lambda out, a, b: out**2 * sc.hyp2f1(0.5, 0.5, 2, 1 - (a / b) ** 2) / (2 * a * b),
    lambda out, a, b: out**2 * sc.hyp2f1(0.5, 0.5, 2, 1 - (b / a) ** 2) / (2 * a * b),
    domain=(0.6, 1.6),
)
structural(sc.lambertw, z=lambda g, out, z, k=0, tol=1e-8: g * np.exp(-out) / (1 + out))
constant(sc.round, message("it is flat between its jumps"))

# Where their derivatives are quotients of differences that vanish together, hyp1f1(2, 3, z) / 2 stands for
# (exp(z) (z - 1) + 1) / z**2: smooth, and exact at z = 0 to any order.
elementwise(sc.exprel, lambda out, x: sc.hyp1f1(2, 3, x) / 2)
elementwise(
    sc.boxcox,
    lambda out, x, y: x ** (y - 1),
    lambda out, x, y: np.log(x) ** 2 * sc.hyp1f1(2, 3, y * np.log(x)) / 2,
    domain=(_POSITIVE, (-1.5, 1.5)),
)
elementwise(
    sc.boxcox1p,
    lambda out, x, y: (1 + x) ** (y - 1),
    lambda out, x, y: np.log1p(x) ** 2 * sc.hyp1f1(2, 3, y * np.log1p(x)) / 2,
    domain=((-0.6, 2.0), (-1.5, 1.5)),
)
elementwise(
    sc.inv_boxcox,
    lambda out, x, y: out ** (1 - y),
    lambda out, x, y: -(out ** (1 - y)) * np.log(out) ** 2 * sc.hyp1f1(2, 3, y * np.log(out)) / 2,
    domain=((-0.5, 1.0), (0.2, 0.9)),
)
elementwise(
    sc.inv_boxcox1p,
    lambda out, x, y: (1 + out) ** (1 - y),
    lambda out, x, y: -((1 + out) ** (1 - y)) * np.log1p(out) ** 2 * sc.hyp1f1(2, 3, y * np.log1p(out)) / 2,
    domain=((-0.5, 1.0), (0.2, 0.9)),
)

# ---- information and robust losses

# A probability of 0 takes no part: x / y is 0 there whatever y is, and 0 / 0 would be NaN.
elementwise(sc.xlogy, lambda out, x, y: np.log(y), lambda out, x, y: x / np.where(x == 0, 1, y), domain=_POSITIVE)
elementwise(
    sc.xlog1py,
    lambda out, x, y: np.log1p(y),
    lambda out, x, y: x / np.where(x == 0, 1, 1 + y),
    domain=(_POSITIVE, (-0.6, 2.0)),
)
elementwise(sc.entr, lambda out, x: -1 - np.log(x), domain=_POSITIVE)
elementwise(
    sc.rel_entr,
    lambda out, x, y: 1 + np.log(x / y),
    lambda out, x, y: -x / np.where(x == 0, 1, y),
    domain=_POSITIVE,
)
elementwise(
    sc.kl_div,
    lambda out, x, y: np.log(x / y),
    lambda out, x, y: 1 - x / np.where(x == 0, 1, y),
    domain=_POSITIVE,
)
elementwise(
    sc.huber,
    lambda out, delta, r: np.maximum(np.absolute(r) - delta, 0),
    lambda out, delta, r: np.clip(r, -delta, delta),
    domain=((0.5, 1.0), (-2.0, 2.0)),
)
elementwise(
    sc.pseudo_huber,
    lambda out, delta, r: 2 * out / delta - r**2 / (delta * np.sqrt(1 + (r / delta) ** 2)),
    lambda out, delta, r: r / np.sqrt(1 + (r / delta) ** 2),
    domain=((0.5, 1.0), (-2.0, 2.0)),
)

# ---- error functions and the normal distribution

elementwise(sc.erf, lambda out, x: 2 / _ROOT_PI * np.exp(-(x**2)))
elementwise(sc.erfc, lambda out, x: -2 / _ROOT_PI * np.exp(-(x**2)))
elementwise(sc.erfcx, lambda out, x: 2 * x * out - 2 / _ROOT_PI)
elementwise(sc.erfi, lambda out, x: 2 / _ROOT_PI * np.exp(x**2))
elementwise(sc.erfinv, lambda out, x: _ROOT_PI / 2 * np.exp(out**2), domain=(-0.9, 0.9))
elementwise(sc.erfcinv, lambda out, x: -_ROOT_PI / 2 * np.exp(out**2), domain=(0.1, 1.9))
elementwise(sc.dawsn, lambda out, x: 1 - 2 * x * out)
elementwise(sc.wofz, lambda out, z: 2j / _ROOT_PI - 2 * z * out)
elementwise(sc.ndtr, lambda out, x: np.exp(-(x**2) / 2) / _ROOT_2PI)
elementwise(sc.log_ndtr, lambda out, x: np.exp(-(x**2) / 2 - out) / _ROOT_2PI)
elementwise(sc.ndtri, lambda out, p: np.exp(out**2 / 2) * _ROOT_2PI, domain=_UNIT)
elementwise(sc.ndtri_exp, lambda out, y: np.exp(y + out**2 / 2) * _ROOT_2PI, domain=(-2.0, -0.2))
elementwise(
    sc.owens_t,
    lambda out, h, a: -np.exp(-(h**2) / 2) * sc.erf(a * h / math.sqrt(2)) / (2 * _ROOT_2PI),
    lambda out, h, a: np.exp(-(h**2) * (1 + a**2) / 2) / (2 * math.pi * (1 + a**2)),
)


def _voigt(x: Any, sigma: Any, gamma: Any) -> tuple[Any, Any]:
    """The argument of the Faddeeva function in the Voigt profile, and its slope there."""
    z = (x + 1j * gamma) / (sigma * math.sqrt(2))
    return z, 2j / _ROOT_PI - 2 * z * sc.wofz(z)


def _voigt_sigma(out: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    z, slope = _voigt(x, sigma, gamma)
    return -(out + np.real(slope * z) / (sigma * _ROOT_2PI)) / sigma


elementwise(
    sc.voigt_profile,
    lambda out, x, sigma, gamma: np.real(_voigt(x, sigma, gamma)[1]) / (2 * _ROOT_PI * sigma**2),
    _voigt_sigma,
    lambda out, x, sigma, gamma: -np.imag(_voigt(x, sigma, gamma)[1]) / (2 * _ROOT_PI * sigma**2),
    domain=((-2.0, 2.0), (0.5, 1.5), (0.3, 1.0)),
)

# ---- the logistic function

elementwise(sc.expit, lambda out, x: out * (1 - out))
elementwise(sc.logit, lambda out, p: 1 / (p * (1 - p)), domain=_UNIT)
elementwise(sc.log_expit, lambda out, x: sc.expit(-x))
if hasattr(sc, "softplus"):  # SciPy 1.17
    elementwise(sc.softplus, lambda out, x: sc.expit(x))

# ---- gamma and beta


def _trigamma(x: Any) -> Any:
    if np.iscomplexobj(x):
        raise NotDifferentiableError(
            message(
                "the derivative of scipy.special.digamma at complex numbers is not known to SciPy. "
                "Keep its argument real, or give it a rule of your own with chainrule.custom_vjp."
            )
        )
    return call(sc.polygamma, 1, x)


elementwise(sc.gamma, lambda out, x: out * sc.digamma(x), domain=_POSITIVE)
elementwise(sc.gammaln, lambda out, x: sc.digamma(x), domain=_POSITIVE)
elementwise(sc.loggamma, lambda out, x: sc.digamma(x), domain=_POSITIVE)
elementwise(sc.rgamma, lambda out, x: -out * sc.digamma(x), domain=_POSITIVE)
elementwise(sc.digamma, lambda out, x: _trigamma(x), domain=_POSITIVE)
constant(sc.gammasgn, message("it is flat between its jumps"))
elementwise(
    sc.beta,
    lambda out, a, b: out * (sc.digamma(a) - sc.digamma(a + b)),
    lambda out, a, b: out * (sc.digamma(b) - sc.digamma(a + b)),
    domain=_POSITIVE,
)
elementwise(
    sc.betaln,
    lambda out, a, b: sc.digamma(a) - sc.digamma(a + b),
    lambda out, a, b: sc.digamma(b) - sc.digamma(a + b),
    domain=_POSITIVE,
)
elementwise(
    sc.poch,
    lambda out, z, m: out * (sc.digamma(z + m) - sc.digamma(z)),
    lambda out, z, m: out * sc.digamma(z + m),
    domain=_POSITIVE,
)
elementwise(
    sc.binom,
    lambda out, n, k: out * (sc.digamma(n + 1) - sc.digamma(n - k + 1)),
    lambda out, n, k: out * (sc.digamma(n - k + 1) - sc.digamma(k + 1)),
    domain=((2.6, 4.4), (0.3, 1.8)),
)
structural(sc.polygamma, n=unknown("polygamma", 0), x=lambda g, out, n, x: g * call(sc.polygamma, n + 1, x))
structural(
    sc.zeta,
    x=unknown("zeta", 0),
    q=lambda g, out, x, q=None: -g * x * call(sc.zeta, x + 1, q),
)


@composite(sc.multigammaln)
def _multigammaln(a: Any, d: Any) -> Any:
    d = int(d)
    a = as_operand(a)
    if np.any(a <= 0.5 * (d - 1)):
        raise ValueError(f"condition a ({a:f}) > 0.5 * (d-1) ({0.5 * (d - 1):f}) not met")
    terms = [sc.gammaln(a - (k - 1.0) / 2) for k in range(1, d + 1)]
    return d * (d - 1) * 0.25 * np.log(np.pi) + np.sum(np.stack(terms), axis=0)


def _only_floating(exact: bool, name: str) -> None:
    if exact:
        raise NotDifferentiableError(
            message("scipy.special.{name} with exact=True counts in integers. Use exact=False.", name=name)
        )


@composite(sc.comb)
def _comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    _only_floating(exact, "comb")
    if repetition:
        N = N + k - 1
    return np.where((k <= N) & (N >= 0) & (k >= 0), sc.binom(N, k), 0)[()]


@composite(sc.perm)
def _perm(N: Any, k: Any, exact: bool = False) -> Any:
    _only_floating(exact, "perm")
    return np.where((k <= N) & (N >= 0) & (k >= 0), sc.poch(N - k + 1, k), 0)[()]


@composite(sc.factorial)
def _factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    _only_floating(exact, "factorial")
    result = sc.gamma(as_operand(n) + 1)
    return np.where(n < 0, 0, result)[()] if extend == "zero" else result


# ---- densities, which are the derivatives of distribution functions


def _gamma_density(a: Any, x: Any) -> Any:
    return np.exp(sc.xlogy(a - 1, x) - x - sc.gammaln(a))


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    return np.exp(sc.xlogy(a - 1, x) + sc.xlog1py(b - 1, -x) - sc.betaln(a, b))


def _t_density(df: Any, t: Any) -> Any:
    return (1 + t**2 / df) ** (-(df + 1) / 2) / (np.sqrt(df) * sc.beta(df / 2, 0.5))


def _f_density(n: Any, d: Any, x: Any) -> Any:
    return _beta_density(n / 2, d / 2, n * x / (n * x + d)) * n * d / (n * x + d) ** 2


def _distribution(
    density: Callable[..., Any], lower: Any, upper: Any, inverse: Any, inverse_upper: Any, *domains: Any
) -> None:
    """The rules of a distribution function, of its complement, and of the inverses of these."""
    *parameters, x = domains
    if lower is not None:
        in_last(lower, lambda out, *a: density(*a), *parameters, x)
    if upper is not None:
        in_last(upper, lambda out, *a: -density(*a), *parameters, x)
    if inverse is not None:
        in_last(inverse, lambda out, *a: 1 / density(*a[:-1], out), *parameters, _UNIT)
    if inverse_upper is not None:
        in_last(inverse_upper, lambda out, *a: -1 / density(*a[:-1], out), *parameters, _UNIT)


_distribution(_gamma_density, sc.gammainc, sc.gammaincc, sc.gammaincinv, sc.gammainccinv, (1.5, 2.5), _POSITIVE)
_distribution(_beta_density, sc.betainc, sc.betaincc, sc.betaincinv, sc.betainccinv, (1.5, 2.5), (2.5, 3.5), _UNIT)
_distribution(
    lambda v, x: _gamma_density(v / 2, x / 2) / 2, sc.chdtr, sc.chdtrc, None, sc.chdtri, (2.5, 3.5), _POSITIVE
)
_distribution(_f_density, sc.fdtr, sc.fdtrc, sc.fdtri, None, (2.5, 3.5), (3.5, 4.5), _POSITIVE)
_distribution(_t_density, sc.stdtr, None, sc.stdtrit, None, (2.5, 3.5), (-2.0, 2.0))
# Of the discrete distributions the parameter: k counts events.
_distribution(lambda k, m: _gamma_density(k + 1, m), sc.pdtrc, sc.pdtr, None, sc.pdtri, (1.5, 2.5), _POSITIVE)
_distribution(
    lambda k, n, p: _beta_density(k + 1, n - k, p), sc.bdtrc, sc.bdtr, None, sc.bdtri, (1.5, 2.5), (4.5, 5.5), _UNIT
)
_distribution(
    lambda k, n, p: _beta_density(n, k + 1, p), sc.nbdtr, sc.nbdtrc, sc.nbdtri, None, (1.5, 2.5), (3.5, 4.5), _UNIT
)
for _function, _sign in ((sc.gdtr, 1), (sc.gdtrc, -1)):
    elementwise(
        _function,
        lambda out, a, b, x, sign=_sign: sign * x * _gamma_density(b, a * x),
        unknown(_function.__name__, 1),
        lambda out, a, b, x, sign=_sign: sign * a * _gamma_density(b, a * x),
        domain=((0.5, 1.5), (1.5, 2.5), _POSITIVE),
    )

# ---- softmax and its kin


def _logsumexp(g: Any, out: Any, a: Any, axis: Any, keepdims: Any, return_sign: bool) -> Any:
    """The cotangent times ``exp(a) / sum(b * exp(a))``."""
    if not return_sign:
        return restore(g, a, axis, keepdims) * np.exp(a - restore(out, a, axis, keepdims))
    value, sign = out
    if np.iscomplexobj(sign):
        raise NotDifferentiableError(
            message("scipy.special.logsumexp with return_sign=True has no rule for complex arguments.")
        )
    if g[0] is None:
        return None
    return restore(g[0] * sign, a, axis, keepdims) * np.exp(a - restore(value, a, axis, keepdims))


def _logsumexp_a(
    g: Any, out: Any, a: Any, b: Any = None, axis: Any = None, keepdims: Any = False, return_sign: bool = False
) -> Any:
    share = _logsumexp(g, out, a, axis, keepdims, return_sign)
    return share if b is None or share is None else share * b


structural(
    sc.logsumexp,
    a=_logsumexp_a,
    b=lambda g, out, a, b=None, axis=None, keepdims=False, return_sign=False: _logsumexp(
        g, out, a, axis, keepdims, return_sign
    ),
)


def _softmax(g: Any, out: Any, x: Any, axis: Any = None) -> Any:
    return out * (g - np.sum(g * out, axis=axis, keepdims=True))


structural(sc.softmax, x=_softmax)
structural(
    sc.log_softmax,
    x=lambda g, out, x, axis=None: g - np.exp(out) * np.sum(g, axis=axis, keepdims=True),
)
