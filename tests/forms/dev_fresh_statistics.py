"""Likelihoods and regressions of statistics, as textbooks and packages derive their scores."""

import numpy as np
from scipy.special import digamma, erf, gammaln, i0, i1, ndtr

from tests.forms.form import Form


class NegativeBinomialRegression(Form):
    title, group = "Negative binomial regression with the logarithmic link, dispersion estimated", "likelihood"
    wrt = "beta log_r"
    needs = "CANC FACT MM"
    ref = "Cameron & Trivedi 2013 s.3.3.1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((7, 3)), y=random.integers(0, 6, 7), beta=0.3 * normal(3), log_r=0.4)

    @staticmethod
    def forward(X, y, beta, log_r):
        mu = np.exp(X @ beta)
        r = np.exp(log_r)
        log_p = gammaln(y + r) - gammaln(r) - gammaln(y + 1) + r * np.log(r / (r + mu)) + y * np.log(mu / (r + mu))
        return -np.sum(log_p)

    @staticmethod
    def expert(X, y, beta, log_r):
        mu = np.exp(X @ beta)
        r = np.exp(log_r)
        yr = y + r
        total = r + mu
        log_fail = np.log(r / total)
        log_p = gammaln(yr) - gammaln(r) - gammaln(y + 1) + r * log_fail + y * np.log(mu / total)
        yield -np.sum(log_p)
        d = (mu - y) / total
        # d/dr: psi(y + r) - psi(r) + log(r / total) + 1 - (y + r) / total
        slope = np.sum(digamma(yr) + log_fail + d) - y.size * digamma(r)
        return dict(beta=r * (d @ X), log_r=-r * slope)


class GammaRegression(Form):
    title, group = "Gamma regression with the logarithmic link", "likelihood"
    wrt = "beta b"
    needs = "CANC SCAL MM"
    ref = "McCullagh & Nelder 1989 ch. 8"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((7, 3)), y=random.random(7) + 0.2, beta=normal(3), b=0.3, shape=2.5)

    @staticmethod
    def forward(X, y, beta, b, shape):
        eta = X @ beta + b
        mu = np.exp(eta)
        return np.mean(shape * (y / mu + np.log(mu)))

    @staticmethod
    def expert(X, y, beta, b, shape):
        mu = np.exp(X @ beta + b)
        q = y / mu
        yield np.mean(shape * (q + np.log(mu)))
        d = 1 - q
        k = shape / len(y)
        return dict(beta=k * (d @ X), b=k * np.sum(d))


class BetaRegression(Form):
    title, group = "Beta regression, logistic mean, precision estimated", "likelihood"
    wrt = "beta log_phi"
    needs = "SIG FACT MM"
    ref = "Ferrari & Cribari-Neto 2004 eq. 4-6"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 2)), y=random.random(6) * 0.8 + 0.1, beta=normal(2), log_phi=0.7)

    @staticmethod
    def forward(X, y, beta, log_phi):
        mu = 1 / (1 + np.exp(-(X @ beta)))
        phi = np.exp(log_phi)
        a = mu * phi
        b = (1 - mu) * phi
        ll = gammaln(phi) - gammaln(a) - gammaln(b) + (a - 1) * np.log(y) + (b - 1) * np.log(1 - y)
        return -np.sum(ll)

    @staticmethod
    def expert(X, y, beta, log_phi):
        mu = 1 / (1 + np.exp(-(X @ beta)))
        phi = np.exp(log_phi)
        a = mu * phi
        rest = 1 - mu
        b = rest * phi
        ly, lo = np.log(y), np.log(1 - y)
        yield -np.sum(gammaln(phi) - gammaln(a) - gammaln(b) + (a - 1) * ly + (b - 1) * lo)
        da = digamma(a) - ly
        db = digamma(b) - lo
        dlog_phi = np.sum(a * da + b * db) - len(y) * phi * digamma(phi)
        return dict(beta=((da - db) * a * rest) @ X, log_phi=dlog_phi)


class StudentRegression(Form):
    title, group = "Robust regression with Student's t errors, scale estimated", "likelihood"
    wrt = "beta log_sigma"
    needs = "SCAL FACT MM"
    ref = "Lange, Little & Taylor 1989"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((7, 3)), y=normal(7), beta=normal(3), log_sigma=0.2, nu=4.0)

    @staticmethod
    def forward(X, y, beta, log_sigma, nu):
        sigma = np.exp(log_sigma)
        z = (y - X @ beta) / sigma
        return np.sum(log_sigma + 0.5 * (nu + 1) * np.log(1 + z**2 / nu))

    @staticmethod
    def expert(X, y, beta, log_sigma, nu):
        sigma = np.exp(log_sigma)
        z = (y - X @ beta) / sigma
        u = 1 + z**2 / nu
        yield np.sum(log_sigma + 0.5 * (nu + 1) * np.log(u))
        # weighted residuals
        w = z / u
        k = (nu + 1) / nu
        return dict(beta=-k / sigma * (w @ X), log_sigma=len(y) - k * (w @ z))


class VonMisesRegression(Form):
    title, group = "Von Mises regression of angles with an arctangent link, concentration estimated", "likelihood"
    wrt = "beta log_kappa"
    needs = "OUT SCAL MM"
    ref = "Fisher & Lee 1992"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 2)), theta=normal(6), beta=normal(2), log_kappa=0.5)

    @staticmethod
    def forward(X, theta, beta, log_kappa):
        eta = X @ beta
        mu = 2 * np.arctan(eta)
        kappa = np.exp(log_kappa)
        return np.sum(np.log(2 * np.pi * i0(kappa)) - kappa * np.cos(theta - mu))

    @staticmethod
    def expert(X, theta, beta, log_kappa):
        eta = X @ beta
        kappa = np.exp(log_kappa)
        gap = theta - 2 * np.arctan(eta)
        c = np.cos(gap)
        yield np.sum(np.log(2 * np.pi * i0(kappa)) - kappa * c)
        d = np.sin(gap) / (1 + eta**2)
        return dict(beta=-2 * kappa * (d @ X), log_kappa=kappa * (len(theta) * i1(kappa) / i0(kappa) - np.sum(c)))


class CoxRiskSets(Form):
    title, group = "Cox regression with risk sets as a mask matrix (Breslow)", "likelihood"
    wrt = "beta"
    needs = "SMAX MM SCAL"
    ref = "Cox 1972; Katzman et al. 2018 (DeepSurv)"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((7, 3)),
            time=random.random(7),
            event=np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]),
            beta=random.standard_normal(3),
        )

    @staticmethod
    def forward(X, time, event, beta):
        risk = X @ beta
        at_risk = (time[None, :] >= time[:, None]).astype(float)
        denominator = at_risk @ np.exp(risk)
        return -np.sum(event * (risk - np.log(denominator))) / np.sum(event)

    @staticmethod
    def expert(X, time, event, beta):
        risk = X @ beta
        at_risk = (time[None, :] >= time[:, None]).astype(float)
        hazard = np.exp(risk)
        denominator = at_risk @ hazard
        total = np.sum(event)
        yield -np.sum(event * (risk - np.log(denominator))) / total
        d = hazard * ((event / denominator) @ at_risk) - event
        return dict(beta=d @ X / total)


class ProportionalOdds(Form):
    title, group = "Ordinal regression with cumulative logits and increasing thresholds", "likelihood"
    wrt = "w theta"
    needs = "SIG SCAT MM"
    ref = "McCullagh 1980; Rennie & Srebro 2005"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 3)), y=np.array([0, 1, 2, 3, 1, 2]), w=normal(3), theta=np.array([-1.0, 0.2, 1.3]))

    @staticmethod
    def forward(X, y, w, theta):
        s = X @ w
        cum = 1 / (1 + np.exp(s[:, None] - theta))
        upper = np.concatenate([cum, np.ones((len(y), 1))], axis=1)
        lower = np.concatenate([np.zeros((len(y), 1)), cum], axis=1)
        p = upper - lower
        return -np.mean(np.log(p[np.arange(len(y)), y]))

    @staticmethod
    def expert(X, y, w, theta):
        s = X @ w
        cum = 1 / (1 + np.exp(s[:, None] - theta))
        upper = np.concatenate([cum, np.ones((len(y), 1))], axis=1)
        lower = np.concatenate([np.zeros((len(y), 1)), cum], axis=1)
        rows = np.arange(len(y))
        p = (upper - lower)[rows, y]
        yield -np.mean(np.log(p))
        dp = np.zeros_like(upper)
        dp[rows, y] = -1 / (len(y) * p)
        dz = (dp[:, :-1] - dp[:, 1:]) * cum * (1 - cum)
        return dict(w=-dz.sum(axis=1) @ X, theta=dz.sum(axis=0))


class TweedieDeviance(Form):
    title, group = "Tweedie deviance with the logarithmic link, power between 1 and 2", "likelihood"
    wrt = "beta"
    needs = "OUT SCAL CANC MM"
    ref = "Jorgensen 1987; LightGBM, objective tweedie"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((7, 3)), y=np.maximum(normal(7), 0), w=random.random(7) + 0.5, beta=normal(3), rho=1.5)

    @staticmethod
    def forward(X, y, w, beta, rho):
        eta = X @ beta
        a = y * np.exp((1 - rho) * eta) / (1 - rho)
        b = np.exp((2 - rho) * eta) / (2 - rho)
        return np.sum(w * (b - a)) / np.sum(w)

    @staticmethod
    def expert(X, y, w, beta, rho):
        eta = X @ beta
        ea = y * np.exp((1 - rho) * eta)
        eb = np.exp((2 - rho) * eta)
        total = np.sum(w)
        yield np.sum(w * (eb / (2 - rho) - ea / (1 - rho))) / total
        return dict(beta=(w * (eb - ea)) @ X / total)


class ProbitRegression(Form):
    title, group = "Probit regression, labels -1 and 1, Gaussian prior", "likelihood"
    wrt = "w"
    needs = "SCAL MM"
    ref = "Rasmussen & Williams 2006 eq. 3.16"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((7, 3)), y=np.sign(normal(7)), w=normal(3), lam=0.3)

    @staticmethod
    def forward(X, y, w, lam):
        z = y * (X @ w)
        return -np.sum(np.log(ndtr(z))) + 0.5 * lam * w @ w

    @staticmethod
    def expert(X, y, w, lam):
        z = y * (X @ w)
        F = ndtr(z)
        yield -np.sum(np.log(F)) + 0.5 * lam * w @ w
        # y phi(z) / Phi(z), the inverse Mills ratio
        d = y * np.exp(-0.5 * z**2) / F
        return dict(w=lam * w - d @ X / np.sqrt(2 * np.pi))


class ConditionalLogit(Form):
    title, group = "Conditional logit of choices among available alternatives", "likelihood"
    wrt = "beta"
    needs = "SMAX MASK MM"
    ref = "McFadden 1974; Train 2009 s.3.7"

    @staticmethod
    def make(random):
        available = np.ones((5, 4))
        available[0, 2] = available[3, 1] = 0
        return dict(
            X=random.standard_normal((5, 4, 3)),
            chosen=np.array([0, 3, 1, 2, 3]),
            available=available,
            beta=random.standard_normal(3),
        )

    @staticmethod
    def forward(X, chosen, available, beta):
        v = X @ beta
        e = available * np.exp(v)
        p = e / e.sum(axis=1, keepdims=True)
        return -np.log(p[np.arange(len(chosen)), chosen]).sum()

    @staticmethod
    def expert(X, chosen, available, beta):
        v = X @ beta
        e = available * np.exp(v)
        p = e / e.sum(axis=1, keepdims=True)
        rows = np.arange(len(chosen))
        yield -np.log(p[rows, chosen]).sum()
        p[rows, chosen] -= 1
        return dict(beta=p.ravel() @ X.reshape(-1, X.shape[2]))


class LaplaceScale(Form):
    title, group = "Laplace likelihood with a linear logarithmic scale", "likelihood"
    wrt = "beta gamma"
    needs = "MASK FACT MM"
    ref = "Koenker & Bassett 1978; heteroscedastic regression of Nix & Weigend 1994 with absolute errors"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((7, 3)), y=normal(7), beta=normal(3), gamma=0.3 * normal(3))

    @staticmethod
    def forward(X, y, beta, gamma):
        r = y - X @ beta
        log_b = X @ gamma
        return np.sum(np.abs(r) / np.exp(log_b) + log_b + np.log(2))

    @staticmethod
    def expert(X, y, beta, gamma):
        r = y - X @ beta
        log_b = X @ gamma
        b = np.exp(log_b)
        t = np.abs(r) / b
        yield np.sum(t + log_b + np.log(2))
        return dict(beta=-(np.sign(r) / b) @ X, gamma=(1 - t) @ X)


class DirichletMultinomial(Form):
    title, group = "Dirichlet-multinomial likelihood of counts, logarithmic concentrations", "likelihood"
    wrt = "log_alpha"
    needs = "UNB FACT"
    ref = "Minka 2000, estimating a Dirichlet distribution, eq. 55"

    @staticmethod
    def make(random):
        return dict(counts=random.integers(0, 5, (4, 3)), log_alpha=0.4 * random.standard_normal(3))

    @staticmethod
    def forward(counts, log_alpha):
        alpha = np.exp(log_alpha)
        n = counts.sum(axis=1)
        A = alpha.sum()
        ll = gammaln(A) - gammaln(n + A) + np.sum(gammaln(counts + alpha) - gammaln(alpha), axis=1)
        return -ll.sum()

    @staticmethod
    def expert(counts, log_alpha):
        alpha = np.exp(log_alpha)
        A = alpha.sum()
        nA = counts.sum(axis=1) + A
        c = counts + alpha
        yield -(gammaln(A) - gammaln(nA) + np.sum(gammaln(c) - gammaln(alpha), axis=1)).sum()
        N = len(counts)
        whole = N * digamma(A) - digamma(nA).sum()
        return dict(log_alpha=alpha * (N * digamma(alpha) - digamma(c).sum(axis=0) - whole))


class RandomIntercepts(Form):
    title, group = "Random intercepts by group, penalised least squares with variances given", "regression"
    wrt = "beta u"
    needs = "SCAT SCAL MM"
    ref = "Henderson 1975; Bates et al. 2015 eq. 12"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((8, 2)), y=normal(8), group=np.array([0, 1, 2, 0, 1, 1, 2, 0]), beta=normal(2), u=normal(3), s=0.7
        )

    @staticmethod
    def forward(X, y, group, beta, u, s):
        r = y - X @ beta - u[group]
        return 0.5 * np.sum(r**2) / s**2 + 0.5 * np.sum(u**2)

    @staticmethod
    def expert(X, y, group, beta, u, s):
        r = y - X @ beta - u[group]
        yield 0.5 * np.sum(r**2) / s**2 + 0.5 * np.sum(u**2)
        d = r / -(s**2)
        du = u.copy()
        np.add.at(du, group, d)
        return dict(beta=d @ X, u=du)


class TukeyBiweight(Form):
    title, group = "Regression with Tukey's biweight", "regression"
    wrt = "w"
    needs = "MASK SCAL MM"
    ref = "Beaton & Tukey 1974; Huber & Ronchetti 2009 s.4.8"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((8, 3)), y=2 * normal(8), w=normal(3), c=2.5)

    @staticmethod
    def forward(X, y, w, c):
        r = X @ w - y
        inside = np.abs(r) <= c
        rho = np.where(inside, c**2 / 6 * (1 - (1 - (r / c) ** 2) ** 3), c**2 / 6)
        return np.sum(rho)

    @staticmethod
    def expert(X, y, w, c):
        r = X @ w - y
        inside = np.abs(r) <= c
        u = 1 - (r / c) ** 2
        yield np.sum(np.where(inside, c**2 / 6 * (1 - u**3), c**2 / 6))
        return dict(w=(inside * r * u**2) @ X)


class ManyQuantiles(Form):
    title, group = "Linear quantile regression at several levels at once", "regression"
    wrt = "W b"
    needs = "MASK SEED MM"
    ref = "Koenker & Bassett 1978; Wen et al. 2017 (multi-horizon quantile forecaster)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 3)), y=normal(6), W=normal((3, 4)), b=normal(4), q=np.array([0.1, 0.4, 0.6, 0.9]))

    @staticmethod
    def forward(X, y, W, b, q):
        e = y[:, None] - (X @ W + b)
        return np.mean(np.maximum(q * e, (q - 1) * e))

    @staticmethod
    def expert(X, y, W, b, q):
        e = y[:, None] - (X @ W + b)
        yield np.mean(np.maximum(q * e, (q - 1) * e))
        d = ((e < 0) - q) / e.size
        return dict(W=X.T @ d, b=d.sum(axis=0))


class CubicSpline(Form):
    title, group = "Cubic regression spline in the truncated power basis, knots learned", "regression"
    wrt = "coef knots"
    needs = "MASK SCAL MM"
    ref = "Hastie, Tibshirani & Friedman 2009 s.5.2; Jupp 1978 (free knots)"

    @staticmethod
    def make(random):
        return dict(
            x=np.linspace(0, 1, 9),
            y=random.standard_normal(9),
            coef=random.standard_normal(7),
            knots=np.array([0.23, 0.52, 0.79]),
        )

    @staticmethod
    def forward(x, y, coef, knots):
        powers = x[:, None] ** np.arange(4)
        hinges = np.maximum(x[:, None] - knots, 0) ** 3
        B = np.concatenate([powers, hinges], axis=1)
        r = B @ coef - y
        return np.mean(r**2)

    @staticmethod
    def expert(x, y, coef, knots):
        powers = x[:, None] ** np.arange(4)
        h = np.maximum(x[:, None] - knots, 0)
        B = np.concatenate([powers, h**3], axis=1)
        r = B @ coef - y
        yield np.mean(r**2)
        d = (2 / len(y)) * r
        return dict(coef=d @ B, knots=-3 * coef[4:] * (d @ h**2))


class FusedLasso(Form):
    title, group = "Fused lasso: squared error, absolute coefficients and absolute differences", "regression"
    wrt = "beta"
    needs = "MASK SCAT MM"
    ref = "Tibshirani et al. 2005 eq. 3 (subgradient)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((7, 5)), y=normal(7), beta=normal(5), l1=0.3, l2=0.2)

    @staticmethod
    def forward(X, y, beta, l1, l2):
        r = X @ beta - y
        return 0.5 * np.sum(r**2) + l1 * np.sum(np.abs(beta)) + l2 * np.sum(np.abs(np.diff(beta)))

    @staticmethod
    def expert(X, y, beta, l1, l2):
        r = X @ beta - y
        step = np.diff(beta)
        yield 0.5 * np.sum(r**2) + l1 * np.sum(np.abs(beta)) + l2 * np.sum(np.abs(step))
        g = r @ X + l1 * np.sign(beta)
        s = l2 * np.sign(step)
        g[1:] += s
        g[:-1] -= s
        return dict(beta=g)


class KernelLogistic(Form):
    title, group = "Kernel logistic regression with an RBF kernel, width learned", "kernels"
    wrt = "alpha log_gamma"
    needs = "SIG SYM MM"
    ref = "Zhu & Hastie 2005 eq. 8"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 2)), y=random.integers(0, 2, 6), alpha=normal(6), log_gamma=-0.4, lam=0.1)

    @staticmethod
    def forward(X, y, alpha, log_gamma, lam):
        sq = np.sum(X**2, axis=1)
        D = sq[:, None] + sq[None, :] - 2 * X @ X.T
        K = np.exp(-np.exp(log_gamma) * D)
        f = K @ alpha
        return np.sum(np.logaddexp(0, f) - y * f) + 0.5 * lam * alpha @ f

    @staticmethod
    def expert(X, y, alpha, log_gamma, lam):
        sq = np.sum(X**2, axis=1)
        D = sq[:, None] + sq[None, :] - 2 * X @ X.T
        gamma = np.exp(log_gamma)
        K = np.exp(-gamma * D)
        f = K @ alpha
        yield np.sum(np.logaddexp(0, f) - y * f) + 0.5 * lam * alpha @ f
        d = 1 / (1 + np.exp(-f)) - y
        # K is symmetric, so the penalty hands lam f to alpha and lam alpha / 2 to both sides of K
        return dict(alpha=d @ K + lam * f, log_gamma=-gamma * ((d + 0.5 * lam * alpha) @ ((K * D) @ alpha)))


class SkewNormal(Form):
    title, group = "Skew-normal likelihood of location, scale and slant", "likelihood"
    wrt = "mu log_sigma a"
    needs = "FACT SCAL"
    ref = "Azzalini 1985"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal(7), mu=0.2, log_sigma=-0.1, a=1.4)

    @staticmethod
    def forward(x, mu, log_sigma, a):
        z = (x - mu) / np.exp(log_sigma)
        Phi = 0.5 * (1 + erf(a * z / np.sqrt(2)))
        return np.sum(0.5 * z**2 + log_sigma - np.log(Phi))

    @staticmethod
    def expert(x, mu, log_sigma, a):
        sigma = np.exp(log_sigma)
        z = (x - mu) / sigma
        t = a * z / np.sqrt(2)
        Phi = 0.5 * (1 + erf(t))
        yield np.sum(0.5 * z**2 + log_sigma - np.log(Phi))
        h = np.exp(-(t**2)) / Phi  # the hazard, times the root of 2 pi
        c = a / np.sqrt(2 * np.pi)
        dz = z - c * h
        return dict(mu=-np.sum(dz) / sigma, log_sigma=len(x) - dz @ z, a=-(h @ z) / np.sqrt(2 * np.pi))
