"""The densities and distribution functions of ``scipy.stats`` as the formulas that define them, which are traced.

Distributions with a location and a scale are those of ``(x - loc) / scale``.  A frozen distribution, as
``norm(mu, sigma)``, is answered by the same formulas; one with parameters that are followed is made here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sc
import scipy.stats as st

from chainrule.ops import composite
from chainrule.rules.helpers import is_literal
from chainrule.rules.scipy_calls import call

__all__: list[str] = []

_LOG_2PI = math.log(2 * math.pi)
_LOG_PI = math.log(math.pi)


def _log(x: Any) -> Any:
    return math.log(x) if is_literal(x) and x > 0 else np.log(x)


def _is_number(x: Any, value: float) -> bool:
    return is_literal(x) and x == value


def _standard(x: Any, loc: Any, scale: Any) -> Any:
    """``(x - loc) / scale``, without what changes nothing."""
    if not _is_number(loc, 0):
        x = x - loc
    return x if _is_number(scale, 1) else x / scale


def _where(inside: Any, x: Any) -> Any:
    return np.where(inside, x, -np.inf)


# ---- log densities of the standard distributions: of z and the parameters of the shape


def _norm(z: Any) -> Any:
    return -(z**2) / 2 - _LOG_2PI / 2


def _t(z: Any, df: Any) -> Any:
    log_ratio = call(sc.gammaln, (df + 1) / 2) - call(sc.gammaln, df / 2)
    return log_ratio - (_log(df) + _LOG_PI) / 2 - (df + 1) / 2 * np.log1p(z**2 / df)


def _cauchy(z: Any) -> Any:
    return -_LOG_PI - np.log1p(z**2)


def _laplace(z: Any) -> Any:
    return -np.abs(z) - math.log(2)


def _logistic(z: Any) -> Any:
    return -np.abs(z) - 2 * np.log1p(np.exp(-np.abs(z)))


def _expon(z: Any) -> Any:
    return _where(z >= 0, -z)


def _gamma(z: Any, a: Any) -> Any:
    return _where(z >= 0, call(sc.xlogy, a - 1, np.where(z >= 0, z, 1)) - z - call(sc.gammaln, a))


def _chi2(z: Any, df: Any) -> Any:
    return _gamma(z / 2, df / 2) - math.log(2)


def _beta(z: Any, a: Any, b: Any) -> Any:
    inside = (z >= 0) & (z <= 1)
    own = np.where(inside, z, 0.5)
    powers = call(sc.xlogy, a - 1, own) + call(sc.xlog1py, b - 1, -own)
    return _where(inside, powers - call(sc.betaln, a, b))


def _lognorm(z: Any, s: Any) -> Any:
    log_z = np.log(np.where(z > 0, z, 1))
    return _where(z > 0, -(log_z**2) / (2 * s**2) - _log(s) - log_z - _LOG_2PI / 2)


_LOG_DENSITIES: dict[Any, Callable[..., Any]] = {
    st.norm: _norm,
    st.t: _t,
    st.cauchy: _cauchy,
    st.laplace: _laplace,
    st.logistic: _logistic,
    st.expon: _expon,
    st.gamma: _gamma,
    st.chi2: _chi2,
    st.beta: _beta,
    st.lognorm: _lognorm,
}

# Distribution functions of the standard distributions, of z.
_OTHERS: dict[Any, Callable[..., Any]] = {
    st.norm.cdf: lambda z: call(sc.ndtr, z),
    st.norm.logcdf: lambda z: call(sc.log_ndtr, z),
    st.norm.sf: lambda z: call(sc.ndtr, -z),
    st.norm.logsf: lambda z: call(sc.log_ndtr, -z),
    st.logistic.cdf: lambda z: call(sc.expit, z),
    st.expon.cdf: lambda z: -np.expm1(-np.maximum(z, 0)),
}
_METHODS = ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf", "ppf")


class _Frozen:
    """A distribution with parameters that are followed: ``norm(mu, sigma)``."""

    def __init__(self, distribution: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._given = distribution, args, kwargs

    def __getattr__(self, name: str) -> Callable[..., Any]:
        distribution, args, kwargs = self._given
        if name not in _METHODS:
            raise AttributeError(f"chainrule follows no {name} of a frozen distribution with followed parameters.")
        return lambda x: call(getattr(distribution, name), x, *args, **kwargs)


def _register(distribution: Any, log_density: Callable[..., Any]) -> None:
    names = [s.strip() for s in (distribution.shapes or "").split(",") if s.strip()]

    def parameters(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], Any, Any]:
        given = dict(zip([*names, "loc", "scale"], args, strict=False)) | kwargs
        return [given[n] for n in names], given.get("loc", 0), given.get("scale", 1)

    def logpdf(x: Any, *args: Any, **kwargs: Any) -> Any:
        own, loc, scale = parameters(args, kwargs)
        value = log_density(_standard(x, loc, scale), *own)
        return value if _is_number(scale, 1) else value - _log(scale)

    def pdf(x: Any, *args: Any, **kwargs: Any) -> Any:
        own, loc, scale = parameters(args, kwargs)
        value = np.exp(log_density(_standard(x, loc, scale), *own))
        return value if _is_number(scale, 1) else value / scale

    composite(distribution.logpdf)(logpdf)
    composite(distribution.pdf)(pdf)
    composite(distribution)(lambda *args, **kwargs: _Frozen(distribution, args, kwargs))


def _moved(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of z as one of x, the location and the scale."""
    return lambda x, loc=0, scale=1: function(_standard(x, loc, scale))


for _distribution, _log_density in _LOG_DENSITIES.items():
    _register(_distribution, _log_density)

for _method, _function in _OTHERS.items():
    composite(_method)(_moved(_function))

composite(st.norm.ppf)(lambda q, loc=0, scale=1: loc + scale * call(sc.ndtri, q))


def _of_frozen(name: str) -> Callable[..., Any]:
    """The method of a distribution that was frozen with plain parameters."""
    known = {type(distribution): distribution for distribution in _LOG_DENSITIES}

    def method(frozen: Any, x: Any) -> Any:
        distribution = known.get(type(frozen.dist), frozen.dist)
        return call(getattr(distribution, name), x, *frozen.args, **frozen.kwds)

    return method


for _name in _METHODS:
    composite(getattr(type(st.norm()), _name))(_of_frozen(_name))


# ---- of whole numbers


@composite(st.poisson.logpmf)
def _poisson(k: Any, mu: Any, loc: Any = 0) -> Any:
    k = _standard(k, loc, 1)
    return call(sc.xlogy, k, mu) - call(sc.gammaln, k + 1) - mu


@composite(st.bernoulli.logpmf)
def _bernoulli(k: Any, p: Any, loc: Any = 0) -> Any:
    k = _standard(k, loc, 1)
    return call(sc.xlogy, k, p) + call(sc.xlog1py, 1 - k, -p)


# ---- in several dimensions


@composite(st.multivariate_normal.logpdf)
def _multivariate_normal(x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
    deviation = x if mean is None else x - mean
    if np.ndim(deviation) == 0:
        return _norm(deviation / np.sqrt(np.squeeze(cov))) - np.log(np.squeeze(cov)) / 2
    dimension = np.shape(deviation)[-1]
    if np.ndim(cov) < 2:
        cov = cov * np.eye(dimension)
    factor = np.linalg.cholesky(cov)
    rows = np.reshape(deviation, (-1, dimension)) if np.ndim(deviation) > 2 else deviation
    distance = np.sum(np.linalg.solve(factor, rows.T) ** 2, axis=0)
    if np.ndim(deviation) > 2:
        distance = np.reshape(distance, np.shape(deviation)[:-1])
    return -0.5 * (dimension * _LOG_2PI + 2 * np.sum(np.log(np.diag(factor))) + distance)


@composite(st.multivariate_normal.pdf)
def _multivariate_density(x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
    return np.exp(_multivariate_normal(x, mean, cov, allow_singular))
