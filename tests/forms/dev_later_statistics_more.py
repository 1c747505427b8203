"""More likelihoods and estimators, as textbooks and public repositories write them."""

import numpy as np
from scipy.special import erf

from tests.forms.form import Form


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class GaussianCopula(Form):
    title, group, wrt = "Bivariate Gaussian copula, correlation by tanh of a linear predictor", "statistics", "beta"
    needs, ref = "OUT CANC MM", "Joe 2014 s.4.3"

    @staticmethod
    def make(random, n=6, d=2):
        normal = random.standard_normal
        return dict(beta=0.5 * normal(d), X=normal((n, d)), z1=normal(n), z2=normal(n))

    @staticmethod
    def forward(beta, X, z1, z2):
        rho = np.tanh(X @ beta)
        q = 1 - rho**2
        log_c = -0.5 * np.log(q) - (rho**2 * (z1**2 + z2**2) - 2 * rho * z1 * z2) / (2 * q)
        return -np.mean(log_c)

    @staticmethod
    def expert(beta, X, z1, z2):
        rho = np.tanh(X @ beta)
        r2 = rho**2
        q = 1 - r2
        s, p = z1**2 + z2**2, z1 * z2
        m = r2 * s - 2 * rho * z1 * z2
        yield -np.mean(-0.5 * np.log(q) - m / (2 * q))
        # d rho / d eta = q
        d = (rho * s - p + rho * m / q) - rho
        return dict(beta=(d / len(d)) @ X)


class LatentClasses(Form):
    title, group, wrt = "Latent classes of binary answers, both in logits", "statistics", "A pi"
    needs, ref = "SMAX SIG MM", "Lazarsfeld & Henry 1968; Bishop 2006 s.9.3.3"

    @staticmethod
    def make(random, n=5, items=4, k=2):
        normal = random.standard_normal
        return dict(A=normal((k, items)), pi=normal(k), Y=random.integers(0, 2, (n, items)).astype(float))

    @staticmethod
    def forward(A, pi, Y):
        log_pi = pi - np.log(np.sum(np.exp(pi)))
        log_lik = Y @ A.T - np.sum(np.logaddexp(0, A), axis=1)
        joint = log_pi + log_lik
        m = joint.max(axis=1, keepdims=True)
        return -np.sum(m[:, 0] + np.log(np.sum(np.exp(joint - m), axis=1)))

    @staticmethod
    def expert(A, pi, Y):
        e_pi = np.exp(pi)
        Z = np.sum(e_pi)
        joint = pi - np.log(Z) + (Y @ A.T - np.sum(np.logaddexp(0, A), axis=1))
        m = joint.max(axis=1, keepdims=True)
        e = np.exp(joint - m)
        total = np.sum(e, axis=1)
        yield -np.sum(m[:, 0] + np.log(total))
        R = e / total[:, None]
        N = R.sum(axis=0)
        return dict(A=N[:, None] * sigmoid(A) - R.T @ Y, pi=(len(Y) / Z) * e_pi - N)


class HurdleCounts(Form):
    title, group, wrt = "Hurdle model of counts: logistic zero part, truncated Poisson", "regression", "a b"
    needs, ref = "SIG FACT MM", "Mullahy 1986; Cameron & Trivedi 2013 s.4.5"

    @staticmethod
    def make(random, n=7, d=3):
        normal = random.standard_normal
        y = random.integers(0, 4, n)
        return dict(a=0.5 * normal(d), b=0.5 * normal(d), X=normal((n, d)), y=y, positive=(y > 0).astype(float))

    @staticmethod
    def forward(a, b, X, y, positive):
        u, v = X @ a, X @ b
        lam = np.exp(v)
        hurdle = positive * u - np.logaddexp(0, u)
        counts = y * v - lam - np.log(1 - np.exp(-lam))
        return -np.sum(hurdle + positive * counts)

    @staticmethod
    def expert(a, b, X, y, positive):
        u, v = X @ a, X @ b
        lam = np.exp(v)
        q = 1 - np.exp(-lam)
        yield -np.sum(positive * u - np.logaddexp(0, u) + positive * (y * v - lam - np.log(q)))
        return dict(a=(sigmoid(u) - positive) @ X, b=(positive * (lam / q - y)) @ X)


class GumbelExtremes(Form):
    title, group, wrt = (
        "Generalised extreme values of yearly maxima, location linear in time",
        "statistics",
        "beta log_s xi",
    )
    needs, ref = "FACT CANC MM", "Coles 2001 eq. 3.7"

    @staticmethod
    def make(random, n=6, d=2):
        return dict(
            beta=0.2 * random.standard_normal(d),
            log_s=0.1,
            xi=0.2,
            X=random.standard_normal((n, d)),
            y=random.random(n) * 2,
        )

    @staticmethod
    def forward(beta, log_s, xi, X, y):
        s = np.exp(log_s)
        z = (y - X @ beta) / s
        t = np.log(1 + xi * z)
        return np.sum(log_s + (1 + 1 / xi) * t + np.exp(-t / xi))

    @staticmethod
    def expert(beta, log_s, xi, X, y):
        s = np.exp(log_s)
        z = (y - X @ beta) / s
        w = 1 + xi * z
        t = np.log(w)
        e = np.exp(-t / xi)
        yield np.sum(log_s + (1 + 1 / xi) * t + e)
        h = (1 + xi - e) / w
        hz = h @ z
        return dict(beta=h @ X / -s, log_s=len(y) - hz, xi=(hz + (e @ t - np.sum(t)) / xi) / xi)


class TransitionMatrix(Form):
    title, group, wrt = (
        "Chapman-Kolmogorov: two-step transitions of a softmax chain, likelihood of counts",
        "probability",
        "L",
    )
    needs, ref = "SMAX MM", "Norris 1997 s.1.1"

    @staticmethod
    def make(random, k=4):
        return dict(
            L=random.standard_normal((k, k)),
            N1=random.integers(0, 5, (k, k)) * 1.0,
            N2=random.integers(0, 5, (k, k)) * 1.0,
        )

    @staticmethod
    def forward(L, N1, N2):
        E = np.exp(L)
        P = E / E.sum(axis=1, keepdims=True)
        return -np.sum(N1 * np.log(P)) - np.sum(N2 * np.log(P @ P))

    @staticmethod
    def expert(L, N1, N2):
        E = np.exp(L)
        P = E / E.sum(axis=1, keepdims=True)
        P2 = P @ P
        yield -np.sum(N1 * np.log(P)) - np.sum(N2 * np.log(P2))
        R = N2 / P2
        m = N1 + P * (R @ P.T + P.T @ R)
        return dict(L=P * m.sum(axis=1, keepdims=True) - m)


class NormalCdfOrdinal(Form):
    title, group, wrt = "Ordered probit, thresholds free, probabilities of intervals", "regression", "w c"
    needs, ref = "FACT SCAT MM", "McKelvey & Zavoina 1975"

    @staticmethod
    def make(random, n=6, d=3):
        normal = random.standard_normal
        return dict(w=0.5 * normal(d), c=np.array([-0.8, 0.1, 0.9]), X=normal((n, d)), y=random.integers(1, 3, n))

    @staticmethod
    def forward(w, c, X, y):
        eta = X @ w
        upper = 0.5 * (1 + erf((c[y] - eta) / np.sqrt(2)))
        lower = 0.5 * (1 + erf((c[y - 1] - eta) / np.sqrt(2)))
        return -np.sum(np.log(upper - lower))

    @staticmethod
    def expert(w, c, X, y):
        eta = X @ w
        below = y - 1
        u, v = (c[y] - eta) / np.sqrt(2), (c[below] - eta) / np.sqrt(2)
        p = 0.5 * (1 + erf(u)) - 0.5 * (1 + erf(v))
        yield -np.sum(np.log(p))
        q = np.sqrt(2 * np.pi) * p
        du, dv = np.exp(-(u**2)) / q, np.exp(-(v**2)) / q
        dc = np.zeros_like(c)
        np.subtract.at(dc, y, du)
        np.add.at(dc, below, dv)
        return dict(w=(du - dv) @ X, c=dc)


class AdaptiveRobust(Form):
    title, group, wrt = (
        "General adaptive robust loss with a learned scale and given shape, linear model",
        "regression",
        "w log_c",
    )
    needs, ref = "FACT MM SCAL", "Barron 2019 eq. 1"

    @staticmethod
    def make(random, n=6, d=3):
        return dict(
            w=random.standard_normal(d),
            log_c=0.2,
            X=random.standard_normal((n, d)),
            y=random.standard_normal(n),
            alpha=1.5,
        )

    @staticmethod
    def forward(w, log_c, X, y, alpha):
        x = (X @ w - y) / np.exp(log_c)
        b = abs(alpha - 2)
        return np.mean((b / alpha) * ((x**2 / b + 1) ** (alpha / 2) - 1)) + log_c

    @staticmethod
    def expert(w, log_c, X, y, alpha):
        c = np.exp(log_c)
        x = (X @ w - y) / c
        b = abs(alpha - 2)
        u = x**2 / b + 1
        power = u ** (alpha / 2)
        yield np.mean((b / alpha) * (power - 1)) + log_c
        d = power / u * x / len(x)
        return dict(w=(d / c) @ X, log_c=1 - d @ x)


class QuantileCrossing(Form):
    title, group, wrt = "Quantile forecasts, increasing by cumulative softplus, pinball loss", "regression", "W b"
    needs, ref = "MASK CAT MM", "Gasthaus et al. 2019; Koenker & Bassett 1978"

    assume = {"loss": "no_ties"}
    assumes = "no forecast is hit"

    @staticmethod
    def make(random, n=5, d=3, k=4):
        normal = random.standard_normal
        return dict(W=normal((d, k)), b=normal(k), X=normal((n, d)), y=normal(n), q=np.linspace(0.1, 0.9, k))

    @staticmethod
    def forward(W, b, X, y, q):
        z = X @ W + b
        steps = np.log1p(np.exp(z))
        forecast = np.cumsum(steps, axis=1) - 2
        r = y[:, None] - forecast
        loss = np.maximum(q * r, (q - 1) * r)
        return np.mean(loss)

    @staticmethod
    def expert(W, b, X, y, q):
        z = X @ W + b
        e = np.exp(z)
        forecast = np.cumsum(np.log1p(e), axis=1) - 2
        r = y[:, None] - forecast
        yield np.mean(np.maximum(q * r, (q - 1) * r))
        g = ((r < 0) - q) / r.size
        dz = np.cumsum(g[:, ::-1], axis=1)[:, ::-1] * (e / (1 + e))
        return dict(W=X.T @ dz, b=dz.sum(axis=0))
