"""Likelihoods and estimators, as textbooks and public repositories write them."""

import numpy as np
from scipy.special import digamma, gammaln

from tests.forms.form import Form


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class LogLogisticSurvival(Form):
    title, group, wrt = "Accelerated failure times, log-logistic with censoring", "regression", "beta log_s"
    needs, ref = "SIG MM FACT", "Kalbfleisch & Prentice 2002 s.2.2.6"

    @staticmethod
    def make(random, n=6, d=3):
        normal = random.standard_normal
        event = (random.random(n) < 0.6).astype(float)
        return dict(beta=normal(d), log_s=0.2, X=normal((n, d)), t=random.random(n) + 0.3, event=event)

    @staticmethod
    def forward(beta, log_s, X, t, event):
        s = np.exp(log_s)
        z = (np.log(t) - X @ beta) / s
        log_f = z - log_s - 2 * np.log1p(np.exp(z))
        log_S = -np.log1p(np.exp(z))
        return -np.sum(event * log_f + (1 - event) * log_S)

    @staticmethod
    def expert(beta, log_s, X, t, event):
        s = np.exp(log_s)
        z = (np.log(t) - X @ beta) / s
        e = np.exp(z)
        log_S = -np.log1p(e)
        yield -np.sum(event * (z - log_s + 2 * log_S) + (1 - event) * log_S)
        dz = (1 + event) * (e / (1 + e)) - event
        return dict(beta=dz @ X / -s, log_s=event.sum() - dz @ z)


class DiscreteHazards(Form):
    title, group, wrt = "Hazards of time bins by a logistic layer, likelihood with censoring", "regression", "W b"
    needs, ref = "SIG MM UNB", "Gensheimer & Narasimhan 2019 (nnet-survival) eq. 4"
    assume = {"dead": "binary"}
    assumes = "indicators are 0 or 1"

    @staticmethod
    def make(random, n=5, d=3, T=4):
        last = random.integers(0, T, n)
        bins = np.arange(T)
        alive = (bins < last[:, None]).astype(float)
        dead = (bins == last[:, None]) * (random.random(n) < 0.7)[:, None].astype(float)
        return dict(
            X=random.standard_normal((n, d)),
            W=random.standard_normal((d, T)),
            b=random.standard_normal(T),
            alive=alive,
            dead=dead,
        )

    @staticmethod
    def forward(X, W, b, alive, dead):
        h = sigmoid(X @ W + b)
        return -np.mean(np.sum(dead * np.log(h) + alive * np.log(1 - h), axis=1))

    @staticmethod
    def expert(X, W, b, alive, dead):
        h = sigmoid(X @ W + b)
        c = 1 - h
        yield -np.mean(np.sum(dead * np.log(h) + alive * np.log(c), axis=1))
        dz = (alive * h - dead * c) / len(X)
        return dict(W=X.T @ dz, b=dz.sum(axis=0))


class BetaBinomial(Form):
    title, group, wrt = (
        "Beta-binomial regression of counts out of n, logistic mean, concentration by an exponential",
        "regression",
        "w log_c",
    )
    needs, ref = "SIG FACT MM", "Crowder 1978; McCullagh & Nelder 1989 s.4.5"

    @staticmethod
    def make(random, n=6, d=3):
        total = random.integers(3, 9, n)
        return dict(
            w=random.standard_normal(d),
            log_c=0.7,
            X=random.standard_normal((n, d)),
            k=random.integers(0, total + 1),
            total=total,
        )

    @staticmethod
    def forward(w, log_c, X, k, total):
        mu = sigmoid(X @ w)
        c = np.exp(log_c)
        a = c * mu
        b = c * (1 - mu)
        ll = gammaln(k + a) + gammaln(total - k + b) - gammaln(total + c) - gammaln(a) - gammaln(b) + gammaln(c)
        return -np.sum(ll)

    @staticmethod
    def expert(w, log_c, X, k, total):
        mu = sigmoid(X @ w)
        c = np.exp(log_c)
        nu = 1 - mu
        a = c * mu
        b = c * nu
        ka, kb, tc = k + a, total - k + b, total + c
        yield -np.sum(gammaln(ka) + gammaln(kb) - gammaln(tc) - gammaln(a) - gammaln(b) + gammaln(c))
        da = digamma(a) - digamma(ka)
        db = digamma(b) - digamma(kb)
        dc = np.sum(digamma(tc)) - len(k) * digamma(c)
        return dict(w=((da - db) * a * nu) @ X, log_c=da @ a + db @ b + c * dc)


class GeneralisedPareto(Form):
    title, group, wrt = "Excesses over a threshold, generalised Pareto, scale by covariates", "regression", "beta xi"
    needs, ref = "CANC FACT MM", "Coles 2001 s.4.3"

    @staticmethod
    def make(random, n=6, d=2):
        return dict(
            beta=0.3 * random.standard_normal(d), xi=0.3, X=random.standard_normal((n, d)), y=random.random(n) * 3
        )

    @staticmethod
    def forward(beta, xi, X, y):
        log_sigma = X @ beta
        z = 1 + xi * y * np.exp(-log_sigma)
        return np.sum(log_sigma + (1 + 1 / xi) * np.log(z))

    @staticmethod
    def expert(beta, xi, X, y):
        log_sigma = X @ beta
        q = y * np.exp(-log_sigma)
        z = 1 + xi * q
        L = np.log(z)
        yield np.sum(log_sigma + (1 + 1 / xi) * L)
        r = (1 + xi) * q / z
        return dict(beta=(1 - r) @ X, xi=(np.sum(r) - np.sum(L) / xi) / xi)


class InverseGaussianRegression(Form):
    title, group, wrt = "Inverse Gaussian regression, logarithmic link, shape estimated", "regression", "beta log_lam"
    needs, ref = "FACT MM SCAL", "McCullagh & Nelder 1989 ch.2"

    @staticmethod
    def make(random, n=6, d=3):
        return dict(
            beta=0.5 * random.standard_normal(d),
            log_lam=0.4,
            X=random.standard_normal((n, d)),
            y=random.random(n) + 0.3,
        )

    @staticmethod
    def forward(beta, log_lam, X, y):
        mu = np.exp(X @ beta)
        lam = np.exp(log_lam)
        return -np.mean(0.5 * (log_lam - np.log(2 * np.pi * y**3)) - lam * (y - mu) ** 2 / (2 * mu**2 * y))

    @staticmethod
    def expert(beta, log_lam, X, y):
        mu = np.exp(X @ beta)
        lam = np.exp(log_lam)
        r = y - mu
        q = lam * r**2 / (2 * mu**2 * y)
        yield -np.mean(0.5 * (log_lam - np.log(2 * np.pi * y**3)) - q)
        # d/d eta of (y / mu - 1)^2 / (2 y) is -(y - mu) / mu^2
        return dict(beta=(r / (-len(y) / lam * mu**2)) @ X, log_lam=q.mean() - 0.5)


class StickBreaking(Form):
    title, group, wrt = "Continuation-ratio model of ordered classes", "regression", "w c"
    needs, ref = "SIG MM SCAT", "Agresti 2010 s.4.2; Tutz 1991"

    @staticmethod
    def make(random, n=6, d=3, k=4):
        normal = random.standard_normal
        y = random.integers(0, k, n)
        steps = np.arange(k - 1)
        return dict(
            w=normal(d),
            c=normal(k - 1),
            X=normal((n, d)),
            stop=(steps == y[:, None]).astype(float),
            reached=(steps <= y[:, None]).astype(float),
        )

    @staticmethod
    def forward(w, c, X, stop, reached):
        logits = c - (X @ w)[:, None]
        nll = reached * np.logaddexp(0, logits) - stop * logits
        return nll.sum(axis=1).mean()

    @staticmethod
    def expert(w, c, X, stop, reached):
        logits = c - (X @ w)[:, None]
        yield (reached * np.logaddexp(0, logits) - stop * logits).sum(axis=1).mean()
        d = (reached * sigmoid(logits) - stop) / len(X)
        return dict(c=d.sum(axis=0), w=d.sum(axis=1) @ -X)


class MovingAverageErrors(Form):
    title, group, wrt = "ARMA(1, 1) by conditional sums of squares, errors in a loop", "recurrent", "c phi theta"
    needs, ref = "CAT SCAL", "Box, Jenkins & Reinsel 1994 s.7.1.2"

    @staticmethod
    def make(random, T=6, m=3):
        return dict(
            y=random.standard_normal((T, m)),
            c=random.standard_normal(m),
            phi=0.5 * random.random(m),
            theta=0.5 * random.random(m),
        )

    @staticmethod
    def forward(y, c, phi, theta):
        e = np.zeros_like(c)
        loss = 0.0
        for t in range(1, len(y)):
            e = y[t] - c - phi * y[t - 1] - theta * e
            loss = loss + np.sum(e**2)
        return loss / 2

    @staticmethod
    def expert(y, c, phi, theta):
        e = np.zeros_like(c)
        es = [e]
        loss = 0.0
        for t in range(1, len(y)):
            e = y[t] - c - phi * y[t - 1] - theta * e
            es.append(e)
            loss = loss + np.sum(e**2)
        yield loss / 2
        E = np.stack(es)
        D = np.empty_like(E[1:])
        D[-1] = -E[-1]
        for t in range(len(D) - 2, -1, -1):
            D[t] = -E[t + 1] - theta * D[t + 1]
        return dict(c=D.sum(axis=0), phi=(D * y[:-1]).sum(axis=0), theta=(D * E[:-1]).sum(axis=0))


class TiesOfPairs(Form):
    title, group, wrt = "Paired comparisons with ties (Davidson), worths as exponentials", "probability", "theta log_nu"
    needs, ref = "SCAT OUT FACT", "Davidson 1970 eq. 2.1"

    @staticmethod
    def make(random, n=4, m=8):
        i = random.integers(0, n, m)
        j = (i + random.integers(1, n, m)) % n
        outcome = np.eye(3)[random.integers(0, 3, m)]
        return dict(
            theta=random.standard_normal(n),
            log_nu=-0.3,
            i=i,
            j=j,
            win=outcome[:, 0],
            lose=outcome[:, 1],
            tie=outcome[:, 2],
        )

    @staticmethod
    def forward(theta, log_nu, i, j, win, lose, tie):
        a, b = theta[i], theta[j]
        t = log_nu + (a + b) / 2
        Z = np.exp(a) + np.exp(b) + np.exp(t)
        return np.sum(np.log(Z) - win * a - lose * b - tie * t)

    @staticmethod
    def expert(theta, log_nu, i, j, win, lose, tie):
        a, b = theta[i], theta[j]
        t = log_nu + (a + b) / 2
        ea, eb, et = np.exp(a), np.exp(b), np.exp(t)
        Z = ea + eb + et
        yield np.sum(np.log(Z) - win * a - lose * b - tie * t)
        dt = et / Z - tie
        half = dt / 2
        dtheta = np.zeros_like(theta)
        np.add.at(dtheta, i, ea / Z - win + half)
        np.add.at(dtheta, j, eb / Z - lose + half)
        return dict(theta=dtheta, log_nu=dt.sum())
