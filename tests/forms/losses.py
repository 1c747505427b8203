"""Losses of regression, of distributions and of policies."""

import numpy as np
from scipy.special import gammaln

from tests.forms.form import Form


class MulticlassSvm(Form):
    title, group = "Multiclass SVM (Weston-Watkins hinge), CS231n", "loss"
    wrt = "W"
    needs = "SEED SCAL MASK SCAT UNB MM"
    ref = "CS231n assignment 1, vectorised SVM; Weston & Watkins 1999"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((6, 4)), y=random.integers(0, 3, 6), W=random.standard_normal((4, 3)), reg=0.05
        )

    @staticmethod
    def forward(X, y, W, reg):
        S = X @ W
        M = np.maximum(S - S[np.arange(len(y)), y][:, None] + 1, 0)
        return np.sum(M) / len(y) - 1 + reg * np.sum(W * W)

    @staticmethod
    def expert(X, y, W, reg):
        S = X @ W
        rows = np.arange(len(y))
        M = np.maximum(S - S[rows, y][:, None] + 1, 0)
        yield np.sum(M) / len(y) - 1 + reg * np.sum(W * W)
        D = (M > 0) / len(y)
        D[rows, y] -= D.sum(1)
        return dict(W=X.T @ D + 2 * reg * W)


class Quantile(Form):
    title, group = "Pinball (quantile) loss", "loss"
    wrt = "p"
    needs = "SEED SCAL MASK"
    ref = "Koenker & Bassett 1978"

    @staticmethod
    def make(random):
        return dict(p=random.standard_normal(8), t=random.standard_normal(8), q=0.8)

    @staticmethod
    def forward(p, t, q):
        r = t - p
        return np.mean(np.maximum(q * r, (q - 1) * r))

    @staticmethod
    def expert(p, t, q):
        r = t - p
        yield np.mean(np.maximum(q * r, (q - 1) * r))
        return dict(p=np.where(r > 0, -q / len(r), (1 - q) / len(r)))


class LogCosh(Form):
    title, group = "Log-cosh loss", "loss"
    wrt = "p"
    needs = "SEED SCAL CANC"
    ref = "standard: d log cosh = tanh"

    @staticmethod
    def make(random):
        return dict(p=random.standard_normal(8), t=random.standard_normal(8))

    @staticmethod
    def forward(p, t):
        return np.mean(np.log(np.cosh(p - t)))

    @staticmethod
    def expert(p, t):
        r = p - t
        yield np.mean(np.log(np.cosh(r)))
        return dict(p=np.tanh(r) / len(r))


class KlDiagGauss(Form):
    title, group = "KL between diagonal Gaussians (log-variances)", "loss"
    wrt = "m1 v1 m2 v2"
    needs = "SEED SCAL CANC OUT FACT"
    ref = "Kingma & Welling 2014 app. B (general case)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(m1=normal((4, 3)), v1=normal((4, 3)), m2=normal((4, 3)), v2=normal((4, 3)))

    @staticmethod
    def forward(m1, v1, m2, v2):
        return 0.5 * np.sum(v2 - v1 + (np.exp(v1) + (m1 - m2) ** 2) / np.exp(v2) - 1)

    @staticmethod
    def expert(m1, v1, m2, v2):
        e1 = np.exp(v1)
        e2 = np.exp(v2)
        d = m1 - m2
        q = (e1 + d**2) / e2
        yield 0.5 * np.sum(v2 - v1 + q - 1)
        dm = d / e2
        return dict(m1=dm, m2=-dm, v1=0.5 * (e1 / e2 - 1), v2=0.5 * (1 - q))


class KlStdNormal(Form):
    title, group = "KL to the standard normal (VAE regulariser)", "loss"
    wrt = "mu lv"
    needs = "SEED SCAL OUT"
    ref = "Kingma & Welling 2014 app. B"

    @staticmethod
    def make(random):
        return dict(mu=random.standard_normal((4, 3)), lv=random.standard_normal((4, 3)))

    @staticmethod
    def forward(mu, lv):
        return -0.5 * np.sum(1 + lv - mu**2 - np.exp(lv))

    @staticmethod
    def expert(mu, lv):
        v = np.exp(lv)
        yield -0.5 * np.sum(1 + lv - mu**2 - v)
        return dict(mu=mu, lv=0.5 * (v - 1))


class GaussNll(Form):
    title, group = "Heteroscedastic Gaussian negative log-likelihood", "loss"
    wrt = "mu s"
    needs = "SEED SCAL OUT FACT CANC"
    ref = "Nix & Weigend 1994; Kendall & Gal 2017"

    @staticmethod
    def make(random):
        return dict(mu=random.standard_normal(8), s=random.standard_normal(8), t=random.standard_normal(8))

    @staticmethod
    def forward(mu, s, t):
        return np.mean(0.5 * ((mu - t) ** 2 * np.exp(-s) + s))

    @staticmethod
    def expert(mu, s, t):
        r = mu - t
        w = np.exp(-s)
        q = r**2 * w
        n = len(s)
        yield np.mean(0.5 * (q + s))
        return dict(mu=r * w / n, s=(1 - q) * (0.5 / n))


class PpoClip(Form):
    title, group = "PPO clipped surrogate", "loss"
    wrt = "lp"
    needs = "SEED SCAL MASK OUT"
    ref = "Schulman et al. 2017"

    @staticmethod
    def make(random):
        return dict(
            lp=0.4 * random.standard_normal(8),
            old=0.4 * random.standard_normal(8),
            adv=random.standard_normal(8),
            eps=0.2,
        )

    @staticmethod
    def forward(lp, old, adv, eps):
        ratio = np.exp(lp - old)
        return -np.mean(np.minimum(ratio * adv, np.clip(ratio, 1 - eps, 1 + eps) * adv))

    @staticmethod
    def expert(lp, old, adv, eps):
        ratio = np.exp(lp - old)
        s1 = ratio * adv
        s2 = np.clip(ratio, 1 - eps, 1 + eps) * adv
        yield -np.mean(np.minimum(s1, s2))
        return dict(lp=s1 * (s1 <= s2) / -len(lp))


class Dice(Form):
    title, group = "Soft Dice loss", "loss"
    wrt = "p"
    needs = "SEED SCAL OUT FACT"
    ref = "Milletari et al. 2016"

    @staticmethod
    def make(random):
        return dict(p=random.random(8), t=(random.random(8) > 0.5).astype(float))

    @staticmethod
    def forward(p, t):
        return 1 - 2 * np.sum(p * t) / (np.sum(p) + np.sum(t))

    @staticmethod
    def expert(p, t):
        U = np.sum(p) + np.sum(t)
        q = 2 * np.sum(p * t) / U
        yield 1 - q
        return dict(p=q / U - 2 / U * t)


class Huber(Form):
    title, group = "Huber loss with where", "loss"
    wrt = "prediction"
    needs = "SEED SCAL MASK"
    ref = "Huber 1964"

    @staticmethod
    def make(random):
        return dict(prediction=2 * random.standard_normal((5, 2)), target=random.standard_normal((5, 2)), delta=1.0)

    @staticmethod
    def forward(prediction, target, delta):
        error = prediction - target
        small = np.abs(error) <= delta
        return np.where(small, 0.5 * error**2, delta * (np.abs(error) - 0.5 * delta)).mean()

    @staticmethod
    def expert(prediction, target, delta):
        error = prediction - target
        size = np.abs(error)
        yield np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta)).mean()
        return dict(prediction=np.clip(error, -delta, delta) / error.size)


class PoissonNll(Form):
    title, group = "Poisson negative log-likelihood of a logarithmic rate", "loss"
    wrt = "log_rate"
    needs = "SEED SCAL OUT"
    ref = "PyTorch manual, PoissonNLLLoss"

    @staticmethod
    def make(random):
        return dict(log_rate=random.standard_normal((3, 4)), counts=random.poisson(2.0, (3, 4)).astype(float))

    @staticmethod
    def forward(log_rate, counts):
        return np.mean(np.exp(log_rate) - counts * log_rate + gammaln(counts + 1))

    @staticmethod
    def expert(log_rate, counts):
        rate = np.exp(log_rate)
        yield np.mean(rate - counts * log_rate + gammaln(counts + 1))
        return dict(log_rate=(rate - counts) / rate.size)


class Hinge(Form):
    title, group = "Linear support vector machine, hinge loss", "loss"
    wrt = "w b"
    needs = "SEED SCAL MASK MM UNB"
    ref = "Shalev-Shwartz et al. 2007 (Pegasos)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((8, 3)), y=np.sign(normal(8)), w=normal(3), b=np.array(0.2), penalty=0.05)

    @staticmethod
    def forward(X, y, w, b, penalty):
        distances = 1 - y * (np.dot(X, w) - b)
        distances = np.maximum(0, distances)
        return penalty * np.dot(w, w) + distances.sum() / len(y)

    @staticmethod
    def expert(X, y, w, b, penalty):
        distances = np.maximum(0, 1 - y * (np.dot(X, w) - b))
        yield penalty * np.dot(w, w) + distances.sum() / len(y)
        d = y * (distances > 0)
        return dict(w=2 * penalty * w - np.dot(d, X) / len(y), b=d.sum() / len(y))
