"""Losses and likelihoods of single numbers, as papers, courses and answers on forums write them."""

import numpy as np
from scipy.special import digamma, gammaln

from tests.forms.form import Form


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class WingLoss(Form):
    title, group = "Wing loss of landmarks", "losses"
    wrt = "pred"
    needs = "MASK SCAL CANC"
    ref = "Feng et al. 2018 eq. 5"

    @staticmethod
    def make(random):
        return dict(pred=2 * random.standard_normal((5, 4)), target=random.standard_normal((5, 4)), w=1.0, eps=0.5)

    @staticmethod
    def forward(pred, target, w, eps):
        x = np.abs(pred - target)
        c = w - w * np.log(1 + w / eps)
        return np.mean(np.where(x < w, w * np.log(1 + x / eps), x - c))

    @staticmethod
    def expert(pred, target, w, eps):
        d = pred - target
        x = np.abs(d)
        c = w - w * np.log(1 + w / eps)
        small = x < w
        yield np.mean(np.where(small, w * np.log(1 + x / eps), x - c))
        # w log(1 + x / eps) has the slope w / (eps + x)
        n = d.size
        return dict(pred=np.sign(d) * np.where(small, (w / n) / (eps + x), 1 / n))


class TverskyIndex(Form):
    title, group = "Tversky loss of logits with weights of false positives and negatives", "losses"
    wrt = "z"
    needs = "SIG FACT SCAL"
    ref = "Salehi et al. 2017 eq. 4"

    @staticmethod
    def make(random):
        y = (random.random(12) > 0.6).astype(float)
        return dict(z=random.standard_normal(12), y=y, alpha=0.3, beta=0.7)

    @staticmethod
    def forward(z, y, alpha, beta):
        p = 1 / (1 + np.exp(-z))
        tp = np.sum(p * y)
        fp = np.sum(p * (1 - y))
        fn = np.sum((1 - p) * y)
        return 1 - tp / (tp + alpha * fp + beta * fn)

    @staticmethod
    def expert(z, y, alpha, beta):
        p = 1 / (1 + np.exp(-z))
        q = 1 - p
        tp = np.sum(p * y)
        fp = np.sum(p * (1 - y))
        fn = np.sum(q * y)
        s = tp + alpha * fp + beta * fn
        yield 1 - tp / s
        # ds/dp = alpha + (1 - alpha - beta) y
        t = tp / s**2
        return dict(z=(t * alpha + (t * (1 - alpha - beta) - 1 / s) * y) * (p * q))


class JensenShannon(Form):
    title, group = "Jensen-Shannon divergence of a softmax from a given distribution", "losses"
    wrt = "z"
    needs = "SMAX CANC"
    ref = "Lin 1991 eq. 3.4; Goodfellow et al. 2014 s.4.1"

    @staticmethod
    def make(random):
        return dict(z=random.standard_normal((4, 3)), q=random.dirichlet(np.ones(3), 4))

    @staticmethod
    def forward(z, q):
        p = softmax(z)
        m = (p + q) / 2
        return np.sum(p * np.log(p / m) + q * np.log(q / m)) / 2

    @staticmethod
    def expert(z, q):
        p = softmax(z)
        m = (p + q) / 2
        ratio = np.log(p / m)
        weighted = p * ratio
        yield np.sum(weighted + q * np.log(q / m)) / 2
        # the shares through m cancel: dp = log(p / m) / 2
        h = 0.5 * weighted
        return dict(z=h - p * h.sum(axis=1, keepdims=True))


class GaussianPair(Form):
    title, group = "Divergence of two normal distributions given by their standard deviations", "losses"
    wrt = "m1 s1 m2 s2"
    needs = "SCAL FACT CANC"
    ref = "Kingma & Welling 2014, appendix B; Roberts & Penny 2002"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(m1=normal(5), s1=random.random(5) + 0.5, m2=normal(5), s2=random.random(5) + 0.5)

    @staticmethod
    def forward(m1, s1, m2, s2):
        return np.sum(np.log(s2 / s1) + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2) - 0.5)

    @staticmethod
    def expert(m1, s1, m2, s2):
        d = m1 - m2
        v = s2**2
        a = s1**2 + d**2
        r = a / (2 * v)
        yield np.sum(np.log(s2 / s1) + r - 0.5)
        dm = d / v
        return dict(m1=dm, s1=s1 / v - 1 / s1, m2=-dm, s2=(1 - 2 * r) / s2)


class Charbonnier(Form):
    title, group = "Charbonnier loss of a linear model, learned smoothing", "losses"
    wrt = "w eps"
    needs = "CANC MM"
    ref = "Charbonnier et al. 1994; Barron 2019"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((6, 3)),
            y=random.standard_normal(6),
            w=random.standard_normal(3),
            eps=np.array(0.3),
        )

    @staticmethod
    def forward(X, y, w, eps):
        r = X @ w - y
        return np.sum(np.sqrt(r**2 + eps**2))

    @staticmethod
    def expert(X, y, w, eps):
        r = X @ w - y
        s = np.sqrt(r**2 + eps**2)
        yield np.sum(s)
        return dict(w=(r / s) @ X, eps=eps * np.sum(1 / s))


class TemperatureScaling(Form):
    title, group = "Calibration by a learned temperature, cross-entropy of labels", "losses"
    wrt = "z T"
    needs = "SMAX SCAL SCAT"
    ref = "Guo et al. 2017 s.4.2"

    @staticmethod
    def make(random):
        return dict(z=random.standard_normal((5, 3)), y=random.integers(0, 3, 5), T=np.array(1.7))

    @staticmethod
    def forward(z, y, T):
        s = z / T
        s = s - s.max(axis=1, keepdims=True)
        logp = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
        return -np.mean(logp[np.arange(len(y)), y])

    @staticmethod
    def expert(z, y, T):
        s = z / T
        top = s - s.max(axis=1, keepdims=True)
        e = np.exp(top)
        total = e.sum(axis=1, keepdims=True)
        logp = top - np.log(total)
        rows = np.arange(len(y))
        yield -np.mean(logp[rows, y])
        d = e / (total * (len(y) * T))
        d[rows, y] -= 1 / (len(y) * T)
        return dict(z=d, T=-np.vdot(d, s))


class EntropyBonus(Form):
    title, group = "Expected reward of a softmax with an entropy regulariser, logarithm kept away from zero", "losses"
    wrt = "z"
    needs = "SMAX FACT"
    ref = "Williams & Peng 1991; Mnih et al. 2016 s.4"

    @staticmethod
    def make(random):
        return dict(z=random.standard_normal((5, 3)), r=random.standard_normal((5, 3)), beta=0.1)

    @staticmethod
    def forward(z, r, beta):
        p = softmax(z)
        return -np.mean(np.sum(p * r, axis=1)) + beta * np.mean(np.sum(p * np.log(p + 1e-8), axis=1))

    @staticmethod
    def expert(z, r, beta):
        p = softmax(z)
        pe = p + 1e-8
        log = np.log(pe)
        yield -np.mean(np.sum(p * r, axis=1)) + beta * np.mean(np.sum(p * log, axis=1))
        n = len(z)
        h = p * ((beta / n) * (log + p / pe) - r / n)
        return dict(z=h - p * h.sum(axis=1, keepdims=True))


class LogitNormal(Form):
    title, group = "Negative log-likelihood of the logit-normal distribution", "likelihood"
    wrt = "mu logs"
    needs = "SCAL CANC"
    ref = "Aitchison & Shen 1980"

    @staticmethod
    def make(random):
        return dict(
            x=random.uniform(0.1, 0.9, (6, 2)), mu=random.standard_normal(2), logs=0.3 * random.standard_normal(2)
        )

    @staticmethod
    def forward(x, mu, logs):
        z = (np.log(x / (1 - x)) - mu) / np.exp(logs)
        return np.sum(0.5 * z**2 + logs + np.log(x * (1 - x)))

    @staticmethod
    def expert(x, mu, logs):
        s = np.exp(logs)
        z = (np.log(x / (1 - x)) - mu) / s
        sq = z**2
        yield np.sum(0.5 * sq + logs + np.log(x * (1 - x)))
        return dict(mu=z.sum(axis=0) / -s, logs=len(x) - sq.sum(axis=0))


class BetaLikelihood(Form):
    title, group = "Negative log-likelihood of the beta distribution, parameters by softplus", "likelihood"
    wrt = "a b"
    needs = "SIG FACT"
    ref = "Ferrari & Cribari-Neto 2004; Chou et al. 2017"

    @staticmethod
    def make(random):
        return dict(x=random.uniform(0.1, 0.9, 6), a=random.standard_normal(6), b=random.standard_normal(6))

    @staticmethod
    def forward(x, a, b):
        alpha = 1 + np.log1p(np.exp(a))
        beta = 1 + np.log1p(np.exp(b))
        logbeta = gammaln(alpha) + gammaln(beta) - gammaln(alpha + beta)
        return np.sum(logbeta - (alpha - 1) * np.log(x) - (beta - 1) * np.log(1 - x))

    @staticmethod
    def expert(x, a, b):
        ea = np.exp(a)
        eb = np.exp(b)
        sa = np.log1p(ea)
        sb = np.log1p(eb)
        alpha = 1 + sa
        beta = 1 + sb
        both = alpha + beta
        lx = np.log(x)
        ly = np.log(1 - x)
        yield np.sum(gammaln(alpha) + gammaln(beta) - gammaln(both) - (alpha - 1) * lx - (beta - 1) * ly)
        t = digamma(both)
        da = (digamma(alpha) - t - lx) * (ea / (1 + ea))
        db = (digamma(beta) - t - ly) * (eb / (1 + eb))
        return dict(a=da, b=db)


class NegativeBinomialCounts(Form):
    title, group = "Negative binomial likelihood of counts by rate and dispersion (single cells)", "likelihood"
    wrt = "mu theta"
    needs = "CANC FACT"
    ref = "Lopez et al. 2018 (scVI), log_nb_positive"

    @staticmethod
    def make(random):
        return dict(
            x=random.integers(0, 6, (5, 3)).astype(float), mu=random.random((5, 3)) + 0.5, theta=random.random(3) + 0.5
        )

    @staticmethod
    def forward(x, mu, theta):
        log = np.log(theta + mu)
        ll = theta * (np.log(theta) - log) + x * (np.log(mu) - log)
        return -np.sum(ll + gammaln(x + theta) - gammaln(theta) - gammaln(x + 1))

    @staticmethod
    def expert(x, mu, theta):
        both = theta + mu
        log = np.log(both)
        lt = np.log(theta)
        ratio = lt - log
        xt = x + theta
        ll = theta * ratio + x * (np.log(mu) - log)
        yield -np.sum(ll + gammaln(xt) - gammaln(theta) - gammaln(x + 1))
        r = xt / both
        # d ll / d theta = log(theta / both) + 1 - (theta + x) / both + digamma(...)
        dtheta = (r - ratio - digamma(xt)).sum(axis=0) + len(x) * (digamma(theta) - 1)
        return dict(mu=r - x / mu, theta=dtheta)


class GammaRate(Form):
    title, group = "Gamma likelihood with shape and rate by exponentials", "likelihood"
    wrt = "a b"
    needs = "CANC FACT"
    ref = "Johnson, Kotz & Balakrishnan 1994 ch. 17"

    @staticmethod
    def make(random):
        return dict(x=random.random(6) + 0.5, a=0.5 * random.standard_normal(6), b=0.5 * random.standard_normal(6))

    @staticmethod
    def forward(x, a, b):
        shape, rate = np.exp(a), np.exp(b)
        return np.sum(gammaln(shape) - shape * b - (shape - 1) * np.log(x) + rate * x)

    @staticmethod
    def expert(x, a, b):
        shape, rate = np.exp(a), np.exp(b)
        log = np.log(x)
        rx = rate * x
        yield np.sum(gammaln(shape) - shape * b - (shape - 1) * log + rx)
        return dict(a=shape * (digamma(shape) - b - log), b=rx - shape)


class TripletEuclidean(Form):
    title, group = "Triplet loss of Euclidean distances, kept away from zero", "contrastive"
    wrt = "a p n"
    needs = "MASK FACT CANC"
    ref = "Hoffer & Ailon 2015; Hermans et al. 2017 s.2"

    @staticmethod
    def make(random):
        return dict(
            a=random.standard_normal((6, 3)), p=random.standard_normal((6, 3)), n=random.standard_normal((6, 3))
        )

    @staticmethod
    def forward(a, p, n):
        dp = np.sqrt(np.sum((a - p) ** 2, axis=1) + 1e-6)
        dn = np.sqrt(np.sum((a - n) ** 2, axis=1) + 1e-6)
        return np.mean(np.maximum(dp - dn + 0.5, 0))

    @staticmethod
    def expert(a, p, n):
        ap, an = a - p, a - n
        dp = np.sqrt(np.sum(ap**2, axis=1) + 1e-6)
        dn = np.sqrt(np.sum(an**2, axis=1) + 1e-6)
        h = dp - dn + 0.5
        yield np.mean(np.maximum(h, 0))
        m = (h > 0) / len(a)
        gp = ap * (m / dp)[:, None]
        gn = an * (m / dn)[:, None]
        return dict(a=gp - gn, p=-gp, n=gn)


class SquaredHingePairs(Form):
    title, group = "Squared hinge of pairwise ranking of linear scores", "contrastive"
    wrt = "w"
    needs = "MASK SCAL MM"
    ref = "Chapelle & Keerthi 2010 (ranking SVM)"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((6, 3)), Z=random.standard_normal((6, 3)), w=random.standard_normal(3), C=2.0
        )

    @staticmethod
    def forward(X, Z, w, C):
        margin = 1 - (X @ w - Z @ w)
        return 0.5 * w @ w + C * np.mean(np.maximum(0, margin) ** 2)

    @staticmethod
    def expert(X, Z, w, C):
        h = np.maximum(0, 1 - (X @ w - Z @ w))
        yield 0.5 * w @ w + C * np.mean(h**2)
        return dict(w=w + ((2 * C / len(X)) * h) @ (Z - X))


class AngularMargin(Form):
    title, group = "Additive angular margin on given cosines, cross-entropy", "contrastive"
    wrt = "c"
    needs = "SMAX SCAT SCAL"
    ref = "Deng et al. 2019 (ArcFace) eq. 3"

    @staticmethod
    def make(random):
        y = random.integers(0, 3, 5)
        return dict(c=random.uniform(-0.9, 0.9, (5, 3)), y=y, onehot=np.eye(3)[y], s=8.0, m=0.5)

    @staticmethod
    def forward(c, y, onehot, s, m):
        theta = np.arccos(c)
        z = s * np.cos(theta + m * onehot)
        z = z - z.max(axis=1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        return -np.mean(np.log(p[np.arange(len(y)), y]))

    @staticmethod
    def expert(c, y, onehot, s, m):
        angle = np.arccos(c) + m * onehot
        z = s * np.cos(angle)
        z = z - z.max(axis=1, keepdims=True)
        e = np.exp(z)
        np.exp(z)  # as in the forward pass
        p = e / e.sum(axis=1, keepdims=True)
        rows = np.arange(len(y))
        yield -np.mean(np.log(p[rows, y]))
        d = (s / len(y)) * p
        d[rows, y] -= s / len(y)
        return dict(c=d * np.sin(angle) / np.sqrt(1 - c**2))


class LogarithmicError(Form):
    title, group = "Weighted squared error of logarithms, targets shifted by one", "losses"
    wrt = "pred"
    needs = "CANC SCAL"
    ref = "Kaggle metric: root mean squared logarithmic error"

    @staticmethod
    def make(random):
        return dict(pred=3 * random.random(8), y=3 * random.random(8))

    @staticmethod
    def forward(pred, y):
        return np.sqrt(np.mean((np.log1p(pred) - np.log1p(y)) ** 2))

    @staticmethod
    def expert(pred, y):
        d = np.log1p(pred) - np.log1p(y)
        loss = np.sqrt(np.mean(d**2))
        yield loss
        return dict(pred=d / ((len(d) * loss) * (1 + pred)))


class BinaryFromProbabilities(Form):
    title, group = "Weighted binary cross-entropy of probabilities kept within bounds", "losses"
    wrt = "p"
    needs = "MASK SCAL"
    ref = "Keras manual, binary_crossentropy (epsilon)"

    @staticmethod
    def make(random):
        return dict(p=random.random(8), y=(random.random(8) > 0.5).astype(float), w=2.0)

    @staticmethod
    def forward(p, y, w):
        p = np.clip(p, 1e-7, 1 - 1e-7)
        return -np.mean(w * y * np.log(p) + (1 - y) * np.log(1 - p))

    @staticmethod
    def expert(p, y, w):
        q = np.clip(p, 1e-7, 1 - 1e-7)
        wy = w * y
        r = 1 - q
        z = 1 - y
        yield -np.mean(wy * np.log(q) + z * np.log(r))
        n = len(p)
        # inside of the bounds p is what it was
        return dict(p=(z / r - wy / q) * ((q == p) / n))
