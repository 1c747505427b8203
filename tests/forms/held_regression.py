"""Held out: negative log-likelihoods of regressions."""

import numpy as np
from scipy.special import digamma, expit, gammaln

from tests.forms.form import Form


def _design(random, n=8, k=3):
    return dict(X=random.standard_normal((n, k)), beta=0.4 * random.standard_normal(k))


class PoissonRegression(Form):
    title, group = "Poisson regression with exposure and a ridge penalty", "regression"
    wrt = "w b"
    needs = "SEED SCAL OUT MM"
    ref = "McCullagh & Nelder 1989 ch. 6; scikit-learn PoissonRegressor"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((8, 3)),
            y=random.poisson(2.0, 8),
            exposure=random.random(8) + 0.5,
            w=0.3 * normal(3),
            b=np.array(0.1),
            alpha=0.2,
        )

    @staticmethod
    def forward(X, y, exposure, w, b, alpha):
        eta = X @ w + b + np.log(exposure)
        mu = np.exp(eta)
        return np.mean(mu - y * eta) + alpha / 2 * np.sum(w**2)

    @staticmethod
    def expert(X, y, exposure, w, b, alpha):
        eta = X @ w + b + np.log(exposure)
        mu = np.exp(eta)
        yield np.mean(mu - y * eta) + alpha / 2 * np.sum(w**2)
        r = (mu - y) / len(y)
        return dict(w=r @ X + alpha * w, b=r.sum())


class GammaRegression(Form):
    title, group = "Gamma regression with a log link and an estimated shape", "regression"
    wrt = "beta log_shape"
    needs = "SEED SCAL OUT MM FACT CANC"
    ref = "McCullagh & Nelder 1989 ch. 8"

    @staticmethod
    def make(random):
        design = _design(random)
        return dict(X=design["X"], y=random.gamma(2.0, 1.0, 8) + 0.1, beta=design["beta"], log_shape=np.array(0.3))

    @staticmethod
    def forward(X, y, beta, log_shape):
        k = np.exp(log_shape)
        mu = np.exp(X.dot(beta))
        ll = k * np.log(k / mu) - gammaln(k) + (k - 1) * np.log(y) - k * y / mu
        return -ll.sum()

    @staticmethod
    def expert(X, y, beta, log_shape):
        k = np.exp(log_shape)
        eta = X.dot(beta)
        mu = np.exp(eta)
        log_y = np.log(y)
        log_ratio = np.log(k / mu)
        z = y / mu
        ll = k * log_ratio - gammaln(k) + (k - 1) * log_y - k * z
        yield -ll.sum()
        n = len(y)
        dk = n * (digamma(k) - 1) + (z - log_ratio - log_y).sum()
        return dict(beta=k * (1 - z) @ X, log_shape=k * dk)


class NegativeBinomialRegression(Form):
    title, group = "Negative binomial regression (NB2) with a log link", "regression"
    wrt = "beta log_alpha"
    needs = "SEED SCAL OUT MM CANC FACT"
    ref = "Cameron & Trivedi 2013 s.3.3; statsmodels NegativeBinomial.score"

    @staticmethod
    def make(random):
        return dict(**_design(random), y=random.poisson(2.0, 8), log_alpha=np.array(-0.4))

    @staticmethod
    def forward(X, beta, y, log_alpha):
        r = np.exp(-log_alpha)
        mu = np.exp(X @ beta)
        log_like = gammaln(y + r) - gammaln(r) - gammaln(y + 1) + r * np.log(r / (r + mu)) + y * np.log(mu / (r + mu))
        return -np.sum(log_like)

    @staticmethod
    def expert(X, beta, y, log_alpha):
        r = np.exp(-log_alpha)
        mu = np.exp(X @ beta)
        total = r + mu
        y_r = y + r
        log_p = np.log(r / total)
        log_like = gammaln(y_r) - gammaln(r) - gammaln(y + 1) + r * log_p + y * np.log(mu / total)
        yield -np.sum(log_like)
        d = (mu - y) / total
        # d loss / d r, and d r / d log_alpha = -r
        dr = len(y) * digamma(r) - np.sum(d + log_p + digamma(y_r))
        return dict(beta=r * d @ X, log_alpha=-r * dr)


class BetaRegression(Form):
    title, group = "Beta regression with a logit link and an estimated precision", "regression"
    wrt = "beta log_phi"
    needs = "SEED SCAL SIG OUT MM FACT"
    ref = "Ferrari & Cribari-Neto 2004 eqs. 6 and 8 (score)"

    @staticmethod
    def make(random):
        return dict(**_design(random), y=random.beta(2.0, 3.0, 8), log_phi=np.array(1.2))

    @staticmethod
    def forward(X, beta, y, log_phi):
        mu = expit(X @ beta)
        phi = np.exp(log_phi)
        a = mu * phi
        b = (1 - mu) * phi
        return -np.sum(gammaln(phi) - gammaln(a) - gammaln(b) + (a - 1) * np.log(y) + (b - 1) * np.log(1 - y))

    @staticmethod
    def expert(X, beta, y, log_phi):
        mu = expit(X @ beta)
        phi = np.exp(log_phi)
        a = mu * phi
        rest = 1 - mu
        b = rest * phi
        log_y = np.log(y)
        log_rest = np.log(1 - y)
        yield -np.sum(gammaln(phi) - gammaln(a) - gammaln(b) + (a - 1) * log_y + (b - 1) * log_rest)
        da = digamma(a) - log_y
        db = digamma(b) - log_rest
        deta = (da - db) * a * rest
        return dict(beta=deta @ X, log_phi=a @ da + b @ db - len(y) * phi * digamma(phi))


class StudentTRegression(Form):
    title, group = "Robust regression: Student's t with fixed degrees of freedom and estimated scale", "regression"
    wrt = "w log_sigma"
    needs = "SEED SCAL OUT MM CANC"
    ref = "Lange, Little & Taylor 1989"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((8, 3)), y=normal(8), w=normal(3), log_sigma=np.array(-0.2), nu=4.0)

    @staticmethod
    def forward(X, y, w, log_sigma, nu):
        resid = (y - X @ w) / np.exp(log_sigma)
        return len(y) * log_sigma + (nu + 1) / 2 * np.log1p(resid**2 / nu).sum()

    @staticmethod
    def expert(X, y, w, log_sigma, nu):
        sigma = np.exp(log_sigma)
        resid = (y - X @ w) / sigma
        q = resid**2 / nu
        yield len(y) * log_sigma + (nu + 1) / 2 * np.log1p(q).sum()
        psi = (nu + 1) / nu * resid / (1 + q)
        return dict(w=psi @ X / -sigma, log_sigma=len(y) - psi @ resid)


class CoxPartialLikelihood(Form):
    title, group = "Cox partial likelihood, subjects sorted by falling time", "regression"
    wrt = "beta"
    needs = "SEED SCAL CANC OUT MM"
    ref = "Cox 1972; Katzman et al. 2018 (DeepSurv, negative_log_likelihood)"

    @staticmethod
    def make(random):
        return dict(**_design(random), event=(random.random(8) > 0.3).astype(float))

    @staticmethod
    def forward(X, beta, event):
        risk = X @ beta
        hazard_ratio = np.exp(risk)
        log_risk = np.log(np.cumsum(hazard_ratio))
        uncensored_likelihood = risk - log_risk
        censored_likelihood = uncensored_likelihood * event
        return -np.sum(censored_likelihood) / np.sum(event)

    @staticmethod
    def expert(X, beta, event):
        risk = X @ beta
        hazard_ratio = np.exp(risk)
        at_risk = np.cumsum(hazard_ratio)
        n = np.sum(event)
        yield -np.sum((risk - np.log(at_risk)) * event) / n
        baseline = np.cumsum((event / at_risk)[::-1])[::-1]
        return dict(beta=(hazard_ratio * baseline - event) @ X / n)


class ProportionalOdds(Form):
    title, group = "Ordinal regression: cumulative logits and thresholds picked by the label", "regression"
    wrt = "w theta"
    needs = "SEED SCAL SIG CANC SCAT MM FACT"
    ref = "McCullagh 1980; Pedregosa, Bach & Gramfort 2017"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        # Labels 0 to 3; the outer thresholds are fixed far away.
        return dict(
            X=normal((8, 3)), y=random.integers(0, 4, 8), w=normal(3), theta=np.array([-40.0, -1, 0.3, 1.1, 40])
        )

    @staticmethod
    def forward(X, y, w, theta):
        score = X @ w
        upper = 1 / (1 + np.exp(score - theta[y + 1]))
        lower = 1 / (1 + np.exp(score - theta[y]))
        return -np.log(upper - lower).sum()

    @staticmethod
    def expert(X, y, w, theta):
        score = X @ w
        above = y + 1
        upper = 1 / (1 + np.exp(score - theta[above]))
        lower = 1 / (1 + np.exp(score - theta[y]))
        p = upper - lower
        yield -np.log(p).sum()
        up = upper * (1 - upper) / p
        low = lower * (1 - lower) / p
        dtheta = np.bincount(y, low, len(theta))
        np.subtract.at(dtheta, above, up)
        return dict(w=(up - low) @ X, theta=dtheta)


class PlackettLuce(Form):
    title, group = "Plackett-Luce ranking likelihood of one ordering of linear scores", "regression"
    wrt = "w"
    needs = "SEED SCAL SMAX SCAT CANC MM"
    ref = "Cao et al. 2007 (ListMLE, Xia et al. 2008)"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((7, 3)), order=random.permutation(7), w=random.standard_normal(3))

    @staticmethod
    def forward(X, order, w):
        s = (X @ w)[order]
        s = s - s.max()
        tail = np.flip(np.cumsum(np.flip(np.exp(s))))
        return np.sum(np.log(tail) - s)

    @staticmethod
    def expert(X, order, w):
        s = (X @ w)[order]
        s = s - s.max()
        e = np.exp(s)
        tail = np.flip(np.cumsum(np.flip(e)))
        yield np.sum(np.log(tail) - s)
        d = e * np.cumsum(1 / tail) - 1
        return dict(w=d @ X[order])


class TwoParameterItemResponse(Form):
    title, group = "Item response model with two parameters", "regression"
    wrt = "ability difficulty discrimination"
    needs = "SEED SCAL SIG CANC MM UNB"
    ref = "Birnbaum 1968; Baker & Kim 2004 ch. 2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            ability=normal(6),
            difficulty=normal(4),
            discrimination=random.random(4) + 0.5,
            answers=(random.random((6, 4)) > 0.5).astype(float),
        )

    @staticmethod
    def forward(ability, difficulty, discrimination, answers):
        p = 1 / (1 + np.exp(-discrimination * (ability[:, None] - difficulty)))
        return -np.sum(np.where(answers == 1, np.log(p), np.log(1 - p)))

    @staticmethod
    def expert(ability, difficulty, discrimination, answers):
        gap = ability[:, None] - difficulty
        p = 1 / (1 + np.exp(-discrimination * gap))
        yield -np.sum(np.where(answers == 1, np.log(p), np.log(1 - p)))
        r = p - answers
        return dict(
            ability=r @ discrimination,
            difficulty=-discrimination * r.sum(axis=0),
            discrimination=(r * gap).sum(axis=0),
        )


class HeteroscedasticLinearModel(Form):
    title, group = "Linear regression with a log-linear standard deviation", "regression"
    wrt = "beta gamma"
    needs = "SEED SCAL OUT MM"
    ref = "Harvey 1976; Rigby & Stasinopoulos 2005 (GAMLSS)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((8, 3)), Z=normal((8, 2)), y=normal(8), beta=normal(3), gamma=0.3 * normal(2))

    @staticmethod
    def forward(X, Z, y, beta, gamma):
        mean, sd = X @ beta, np.exp(Z @ gamma)
        logpdf = -0.5 * np.log(2 * np.pi) - np.log(sd) - 0.5 * ((y - mean) / sd) ** 2
        return -logpdf.sum()

    @staticmethod
    def expert(X, Z, y, beta, gamma):
        mean, sd = X @ beta, np.exp(Z @ gamma)
        z = (y - mean) / sd
        z2 = z**2
        yield -(-0.5 * np.log(2 * np.pi) - np.log(sd) - 0.5 * z2).sum()
        return dict(beta=-(z / sd) @ X, gamma=(1 - z2) @ Z)
