"""Cases for ``scipy.stats``: densities and distribution functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.stats as st

from tests.cases.case import Case

_rng = np.random.default_rng(14)


def A(*shape: int) -> Any:
    """A real array of this shape."""
    return _rng.normal(size=shape)


def P(*shape: int) -> Any:
    """A positive array of this shape."""
    return _rng.uniform(0.5, 2.0, size=shape)


def U(*shape: int) -> Any:
    """An array of this shape between 0 and 1."""
    return _rng.uniform(0.1, 0.9, size=shape)


_COV = np.array([[2.0, 0.3], [0.3, 1.0]])

_OTHERS: list[tuple[Any, tuple[float, ...]]] = [
    (st.t, (3.0,)), (st.cauchy, ()), (st.laplace, ()), (st.logistic, ()), (st.expon, ()), (st.gamma, (2.0,)),
    (st.chi2, (3.0,)), (st.beta, (2.0, 3.0)), (st.lognorm, (0.5,)),
]  # fmt: skip

# First derivatives are enough: the formulas are made of functions that have cases of their own.
CASES = [
    Case("norm.logpdf", lambda x, m, s: st.norm.logpdf(x, m, s), (A(4), A(4), P(4))),
    Case("norm.logpdf names", lambda x, m, s: st.norm.logpdf(x, loc=m, scale=s), (A(4), 0.3, 1.2), order=1),
    Case("norm.logpdf standard", lambda x: st.norm.logpdf(x), (A(4),), order=1),
    Case("norm.pdf", lambda x, m, s: st.norm.pdf(x, m, s), (A(4), A(4), P(4)), order=1),
    Case("norm.cdf", lambda x, m, s: st.norm.cdf(x, m, s), (A(4), A(4), P(4)), order=1),
    Case("norm.logcdf", lambda x, s: st.norm.logcdf(x, scale=s), (A(4), P(4)), order=1),
    Case("norm.sf", lambda x, m: st.norm.sf(x, m), (A(4), A(4)), order=1),
    Case("norm.logsf", lambda x, m: st.norm.logsf(x, m), (A(4), A(4)), order=1),
    Case("norm.ppf", lambda q, m, s: st.norm.ppf(q, m, s), (U(4), A(4), P(4)), order=1),
    Case("norm frozen", lambda x, m, s: st.norm(m, s).logpdf(x), (A(4), A(4), P(4)), order=1),
    Case("norm frozen plain", lambda x: st.norm(0.3, scale=1.2).cdf(x) + st.norm(1).pdf(x), (A(4),), order=1),
    Case("frozen", lambda x, s: sum(d(*own, scale=s).logpdf(x) for d, own in _OTHERS), (U(4), P(4) + 1), order=1),
    Case("t.logpdf", lambda x, d, m, s: st.t.logpdf(x, d, m, s), (A(4), P(4) + 1, A(4), P(4)), order=1),
    Case("cauchy.logpdf", lambda x, m, s: st.cauchy.logpdf(x, m, s), (A(4), A(4), P(4)), order=1),
    Case("laplace.pdf", lambda x, m, s: st.laplace.pdf(x, m, s), (A(4), A(4) + 3, P(4)), order=1),
    Case("logistic.logpdf", lambda x, m, s: st.logistic.logpdf(x, m, s), (A(4), A(4) + 3, P(4)), order=1),
    Case("logistic.cdf", lambda x, m, s: st.logistic.cdf(x, m, s), (A(4), A(4), P(4)), order=1),
    Case("expon.logpdf", lambda x, s: st.expon.logpdf(x, scale=s), (P(4), P(4)), order=1),
    Case("expon.cdf", lambda x, s: st.expon.cdf(x, scale=s), (P(4), P(4)), order=1),
    Case("gamma.logpdf", lambda x, a, s: st.gamma.logpdf(x, a, scale=s), (P(4), P(4), P(4)), order=1),
    Case("chi2.logpdf", lambda x, d: st.chi2.logpdf(x, d), (P(4), P(4) + 1), order=1),
    Case("beta.logpdf", lambda x, a, b: st.beta.logpdf(x, a, b), (U(4), P(4), P(4)), order=1),
    Case("lognorm.logpdf", lambda x, s, c: st.lognorm.logpdf(x, s, scale=c), (P(4), P(4), P(4))),
    Case("poisson.logpmf", lambda m: st.poisson.logpmf(np.array([0, 1, 3, 2]), m), (P(4),), order=1),
    Case("bernoulli.logpmf", lambda p: st.bernoulli.logpmf(np.array([0, 1, 1, 0]), p), (U(4),), order=1),
    Case(
        "multivariate_normal.logpdf", lambda x, m: st.multivariate_normal.logpdf(x, m, _COV), (A(5, 2), A(2)), order=1
    ),
    Case(
        "multivariate_normal.logpdf point",
        lambda x, m: st.multivariate_normal.logpdf(x, m, _COV),
        (A(2), A(2)),
        order=1,
    ),
    Case(
        "multivariate_normal.logpdf covariance",
        lambda x, a: st.multivariate_normal.logpdf(x, np.zeros(2), a @ a.T + np.eye(2)),
        (A(5, 2), A(2, 2)),
        order=1,
    ),
    Case(
        "multivariate_normal.logpdf stack", lambda x: st.multivariate_normal.logpdf(x, cov=_COV), (A(3, 4, 2),), order=1
    ),
    Case(
        "multivariate_normal.pdf", lambda x, s: st.multivariate_normal.pdf(x, np.zeros(2), s), (A(5, 2), P(2)), order=1
    ),
]
