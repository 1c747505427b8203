"""Losses and likelihoods as they are found in repositories and papers."""

import numpy as np
from scipy.special import gammaln

from tests.forms.form import Form


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


class OneHotLogSoftmaxLoss(Form):
    title, group = "Softmax regression, log-softmax and one-hot targets, weight decay", "softmax"
    wrt = "W b"
    needs = "SMAX SEED MM UNB"
    assumes = "each row of Y adds to 1"
    assume = {"Y": "distribution"}
    ref = "Bishop 2006 eq. 4.109; HIPS autograd examples/neural_net.py"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 3)), Y=np.eye(4)[random.integers(0, 4, 6)], W=normal((3, 4)), b=normal(4), reg=0.1)

    @staticmethod
    def forward(X, Y, W, b, reg):
        Z = X @ W + b
        Z = Z - Z.max(axis=1, keepdims=True)
        logP = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
        return -np.sum(Y * logP) / X.shape[0] + 0.5 * reg * np.sum(W * W)

    @staticmethod
    def expert(X, Y, W, b, reg):
        Z = X @ W + b
        Z = Z - Z.max(axis=1, keepdims=True)
        E = np.exp(Z)
        S = E.sum(axis=1, keepdims=True)
        logP = Z - np.log(S)
        yield -np.sum(Y * logP) / X.shape[0] + 0.5 * reg * np.sum(W * W)
        D = (E / S - Y) / X.shape[0]
        return dict(W=X.T @ D + reg * W, b=D.sum(axis=0))


class CosineEmbeddingLoss(Form):
    title, group = "Cosine embedding loss with norms kept away from zero, a margin for negatives", "contrastive"
    wrt = "A B"
    needs = "CANC FACT MASK"
    ref = "PyTorch manual, CosineEmbeddingLoss"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(A=normal((6, 4)), B=normal((6, 4)), y=np.array([1, -1, 1, -1, 1, -1]), margin=-0.5)

    @staticmethod
    def forward(A, B, y, margin):
        na = np.maximum(np.sqrt(np.sum(A**2, axis=1)), 1e-8)
        nb = np.maximum(np.sqrt(np.sum(B**2, axis=1)), 1e-8)
        cos = np.sum(A * B, axis=1) / (na * nb)
        return np.mean(np.where(y == 1, 1 - cos, np.maximum(0, cos - margin)))

    @staticmethod
    def expert(A, B, y, margin):
        na = np.maximum(np.sqrt(np.sum(A**2, axis=1)), 1e-8)
        nb = np.maximum(np.sqrt(np.sum(B**2, axis=1)), 1e-8)
        both = na * nb
        cos = np.sum(A * B, axis=1) / both
        positive = y == 1
        over = cos - margin
        yield np.mean(np.where(positive, 1 - cos, np.maximum(0, over)))
        d = np.where(positive, -1, over > 0) / len(y)
        cross = (d / both)[:, None]
        own = d * cos
        return dict(A=cross * B - (own / na**2)[:, None] * A, B=cross * A - (own / nb**2)[:, None] * B)


class SquashedGaussianPolicy(Form):
    title, group = (
        "Soft actor-critic: temperature times log-probability of a squashed Gaussian, minus a quadratic value",
        "policy",
    )
    wrt = "mu log_std"
    needs = "SEED SCAL CANC OUT"
    ref = "Haarnoja et al. 2018, appendix C"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            mu=normal((5, 2)), log_std=0.3 * normal((5, 2)), noise=normal((5, 2)), goal=normal((5, 2)), alpha=0.2
        )

    @staticmethod
    def forward(mu, log_std, noise, goal, alpha):
        u = mu + np.exp(log_std) * noise
        a = np.tanh(u)
        logp = np.sum(-0.5 * noise**2 - log_std - np.log(1 - a**2 + 1e-6), axis=1)
        q = -np.sum((a - goal) ** 2, axis=1)
        return np.mean(alpha * logp - q)

    @staticmethod
    def expert(mu, log_std, noise, goal, alpha):
        spread = np.exp(log_std) * noise
        u = mu + spread
        a = np.tanh(u)
        slope = 1 - a**2
        inside = slope + 1e-6
        logp = np.sum(-0.5 * noise**2 - log_std - np.log(inside), axis=1)
        error = a - goal
        yield np.mean(alpha * logp + np.sum(error**2, axis=1))
        s = 2 / len(mu)
        # d/da: alpha 2 a / inside + 2 error
        dmu = s * (alpha * a / inside + error) * slope
        return dict(mu=dmu, log_std=dmu * spread - alpha / len(mu))


class AffineCoupling(Form):
    title, group = "Affine coupling layer with its log-determinant, standard normal likelihood", "generative"
    wrt = "x W1 b1 Ws Wt"
    needs = "SEED CAT OUT MM UNB"
    ref = "Dinh et al. 2017 (RealNVP) eq. 7-8"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 4)), W1=normal((2, 3)), b1=normal(3), Ws=normal((3, 2)), Wt=normal((3, 2)))

    @staticmethod
    def forward(x, W1, b1, Ws, Wt):
        x1, x2 = x[:, :2], x[:, 2:]
        h = np.tanh(x1 @ W1 + b1)
        s = np.tanh(h @ Ws)
        t = h @ Wt
        z2 = x2 * np.exp(s) + t
        z = np.concatenate([x1, z2], axis=1)
        logp = -0.5 * np.sum(z**2, axis=1) + np.sum(s, axis=1)
        return -np.mean(logp)

    @staticmethod
    def expert(x, W1, b1, Ws, Wt):
        x1, x2 = x[:, :2], x[:, 2:]
        h = np.tanh(x1 @ W1 + b1)
        s = np.tanh(h @ Ws)
        t = h @ Wt
        e = np.exp(s)
        scaled = x2 * e
        z2 = scaled + t
        z = np.concatenate([x1, z2], axis=1)
        yield -np.mean(-0.5 * np.sum(z**2, axis=1) + np.sum(s, axis=1))
        n = len(x)
        dz = z / n
        dz2 = dz[:, 2:]
        ds = (dz2 * scaled - 1 / n) * (1 - s**2)
        da = (ds @ Ws.T + dz2 @ Wt.T) * (1 - h**2)
        dx = np.concatenate([dz[:, :2] + da @ W1.T, dz2 * e], axis=1)
        return dict(x=dx, W1=x1.T @ da, b1=da.sum(axis=0), Ws=h.T @ ds, Wt=h.T @ dz2)


class BarlowTwins(Form):
    title, group = "Barlow Twins: cross-correlation of standardised embeddings towards the identity", "contrastive"
    wrt = "A B"
    needs = "SEED MEAN0 MM FACT"
    ref = "Zbontar et al. 2021, algorithm 1"

    @staticmethod
    def make(random):
        return dict(A=random.standard_normal((6, 3)), B=random.standard_normal((6, 3)), lam=0.05)

    @staticmethod
    def forward(A, B, lam):
        N, D = A.shape
        za = (A - A.mean(0)) / A.std(0)
        zb = (B - B.mean(0)) / B.std(0)
        c = za.T @ zb / N
        diff = (c - np.eye(D)) ** 2
        weights = np.where(np.eye(D) > 0, 1.0, lam)
        return np.sum(diff * weights)

    @staticmethod
    def expert(A, B, lam):
        N, D = A.shape
        sa, sb = A.std(0), B.std(0)
        za = (A - A.mean(0)) / sa
        zb = (B - B.mean(0)) / sb
        c = za.T @ zb / N
        off = c - np.eye(D)
        weights = np.where(np.eye(D) > 0, 1.0, lam)
        yield np.sum(off**2 * weights)
        G = 2 / N * (off * weights)
        # rows of za have mean zero and variance one: the part of the gradient along za is the diagonal of c
        GT = G * c
        ga = (zb @ G.T - za * GT.sum(1)) / sa
        gb = (za @ G - zb * GT.sum(0)) / sb
        return dict(A=ga, B=gb)


class NormalisedTemperature(Form):
    title, group = "NT-Xent of two views stacked, the diagonal masked out", "contrastive"
    wrt = "Z"
    needs = "SMAX CANC MM SCAT"
    ref = "Chen et al. 2020 (SimCLR) eq. 1"

    @staticmethod
    def make(random):
        n = 4
        return dict(Z=random.standard_normal((2 * n, 3)), pairs=(np.arange(2 * n) + n) % (2 * n), tau=0.5)

    @staticmethod
    def forward(Z, pairs, tau):
        n = len(Z)
        norms = np.sqrt(np.sum(Z**2, axis=1, keepdims=True))
        H = Z / norms
        S = H @ H.T / tau
        E = np.exp(S) * (1 - np.eye(n))
        return np.mean(np.log(np.sum(E, axis=1)) - S[np.arange(n), pairs])

    @staticmethod
    def expert(Z, pairs, tau):
        n = len(Z)
        norms = np.sqrt(np.sum(Z**2, axis=1, keepdims=True))
        H = Z / norms
        S = H @ H.T / tau
        E = np.exp(S) * (1 - np.eye(n))
        total = np.sum(E, axis=1)
        rows = np.arange(n)
        yield np.mean(np.log(total) - S[rows, pairs])
        P = E / total[:, None]
        P[rows, pairs] -= 1
        dH = (P + P.T) @ H / (n * tau)
        return dict(Z=(dH - H * np.sum(dH * H, axis=1, keepdims=True)) / norms)


class RankNet(Form):
    title, group = "RankNet: logistic loss of all ordered pairs of linear scores", "ranking"
    wrt = "w"
    needs = "SIG SCAT MM"
    ref = "Burges et al. 2005; Burges 2010 (lambda of each document)"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((6, 3)), y=random.integers(0, 3, 6), w=random.standard_normal(3))

    @staticmethod
    def forward(X, y, w):
        s = X @ w
        wanted = y[:, None] > y[None, :]
        d = s[:, None] - s[None, :]
        return np.sum(wanted * np.log1p(np.exp(-d)))

    @staticmethod
    def expert(X, y, w):
        s = X @ w
        wanted = y[:, None] > y[None, :]
        d = s[:, None] - s[None, :]
        e = np.exp(-d)
        yield np.sum(wanted * np.log1p(e))
        D = wanted * (e / (1 + e))
        return dict(w=(D.sum(axis=0) - D.sum(axis=1)) @ X)


class ZeroInflatedPoisson(Form):
    title, group = "Zero-inflated Poisson likelihood, logits of inflation and logarithmic rates", "likelihood"
    wrt = "logit eta"
    needs = "SIG MASK FACT"
    ref = "Lambert 1992"

    @staticmethod
    def make(random):
        return dict(y=np.array([0, 3, 0, 1, 0, 2]), logit=random.standard_normal(6), eta=random.standard_normal(6))

    @staticmethod
    def forward(y, logit, eta):
        p = 1 / (1 + np.exp(-logit))
        lam = np.exp(eta)
        zero = np.log(p + (1 - p) * np.exp(-lam))
        more = np.log(1 - p) + y * eta - lam - gammaln(y + 1)
        return -np.sum(np.where(y == 0, zero, more))

    @staticmethod
    def expert(y, logit, eta):
        p = 1 / (1 + np.exp(-logit))
        rest = 1 - p
        lam = np.exp(eta)
        none = rest * np.exp(-lam)
        both = p + none
        more = np.log(rest) + y * eta - lam - gammaln(y + 1)
        empty = y == 0
        yield -np.sum(np.where(empty, np.log(both), more))
        # responsibility of the Poisson part for a zero
        share = np.where(empty, none / both, 1)
        return dict(logit=p - (1 - share), eta=share * lam - y)


class WeibullSurvival(Form):
    title, group = "Weibull survival regression with censoring and an estimated shape", "likelihood"
    wrt = "beta log_k"
    needs = "SCAL CANC MM"
    ref = "Kalbfleisch & Prentice 2002 s.3.6"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((7, 3)), t=random.random(7) + 0.3, event=random.integers(0, 2, 7), beta=normal(3), log_k=0.2
        )

    @staticmethod
    def forward(X, t, event, beta, log_k):
        k = np.exp(log_k)
        z = k * (np.log(t) - X @ beta)
        logp = event * (log_k + z - np.log(t)) - np.exp(z)
        return -np.sum(logp)

    @staticmethod
    def expert(X, t, event, beta, log_k):
        k = np.exp(log_k)
        log_t = np.log(t)
        z = k * (log_t - X @ beta)
        hazard = np.exp(z)
        yield -np.sum(event * (log_k + z - log_t) - hazard)
        d = hazard - event
        return dict(beta=-k * (d @ X), log_k=d @ z - np.sum(event))


class SoftIntersectionOverUnion(Form):
    title, group = "Soft intersection over union of sigmoid masks, averaged over classes", "segmentation"
    wrt = "logits"
    needs = "SIG SCAL FACT"
    ref = "Rahman & Wang 2016"

    @staticmethod
    def make(random):
        return dict(logits=random.standard_normal((2, 3, 4, 4)), masks=random.integers(0, 2, (2, 3, 4, 4)) * 1.0)

    @staticmethod
    def forward(logits, masks):
        p = 1 / (1 + np.exp(-logits))
        inter = np.sum(p * masks, axis=(2, 3))
        union = np.sum(p + masks - p * masks, axis=(2, 3))
        return 1 - np.mean((inter + 1) / (union + 1))

    @staticmethod
    def expert(logits, masks):
        p = 1 / (1 + np.exp(-logits))
        pm = p * masks
        inter = np.sum(pm, axis=(2, 3))
        bottom = np.sum(p + masks - pm, axis=(2, 3)) + 1
        ratio = (inter + 1) / bottom
        yield 1 - np.mean(ratio)
        # d ratio: m / U - r (1 - m) / U
        a = 1 / bottom / -ratio.size
        r = ratio * a
        d = masks * (a + r)[:, :, None, None] - r[:, :, None, None]
        return dict(logits=d * p * (1 - p))


class ListNet(Form):
    title, group = "ListNet: cross-entropy of the softmax of scores to that of relevance, a two-layer scorer", "ranking"
    wrt = "W v"
    needs = "SMAX MASK MM"
    assumes = "each row of the target distribution adds to 1, as a softmax does"
    assume = {"t": "distribution"}
    ref = "Cao et al. 2007 eq. 5"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((3, 5, 4)), rel=random.integers(0, 3, (3, 5)) * 1.0, W=normal((4, 6)), v=normal(6))

    @staticmethod
    def forward(X, rel, W, v):
        s = np.maximum(X @ W, 0) @ v
        t = np.exp(rel)
        t = t / t.sum(axis=1, keepdims=True)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return -np.mean(np.sum(t * np.log(p), axis=1))

    @staticmethod
    def expert(X, rel, W, v):
        h = np.maximum(X @ W, 0)
        s = h @ v
        t = np.exp(rel)
        t = t / t.sum(axis=1, keepdims=True)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        yield -np.mean(np.sum(t * np.log(p), axis=1))
        ds = (p - t) / len(X)
        flat = ds.ravel()
        dh = (ds[:, :, None] * v) * (h > 0)
        return dict(W=X.reshape(-1, X.shape[2]).T @ dh.reshape(-1, len(v)), v=flat @ h.reshape(-1, len(v)))


class ClassWeightedCrossEntropy(Form):
    title, group = "Cross-entropy with class weights, divided by the weights' sum, softmax written out", "softmax"
    wrt = "logits"
    needs = "SMAX SCAT SCAL"
    ref = "PyTorch manual, CrossEntropyLoss (weight)"

    @staticmethod
    def make(random):
        return dict(
            logits=random.standard_normal((6, 4)), labels=random.integers(0, 4, 6), weight=random.random(4) + 0.5
        )

    @staticmethod
    def forward(logits, labels, weight):
        n = logits.shape[0]
        shifted = logits - np.max(logits, axis=1, keepdims=True)
        probs = np.exp(shifted) / np.sum(np.exp(shifted), axis=1, keepdims=True)
        w = weight[labels]
        return np.sum(-w * np.log(probs[np.arange(n), labels])) / np.sum(w)

    @staticmethod
    def expert(logits, labels, weight):
        n = logits.shape[0]
        shifted = logits - np.max(logits, axis=1, keepdims=True)
        e = np.exp(shifted)
        probs = e / np.sum(e, axis=1, keepdims=True)
        w = weight[labels]
        total = np.sum(w)
        yield np.sum(-w * np.log(probs[np.arange(n), labels])) / total
        w = w / total
        d = probs * w[:, None]
        d[np.arange(n), labels] -= w
        return dict(logits=d)


class VarianceInvarianceCovariance(Form):
    title, group = (
        "VICReg: hinge on standard deviations and squared covariances of one branch, distance of both",
        "contrastive",
    )
    wrt = "A B"
    needs = "SEED MEAN0 MASK MM"
    ref = "Bardes et al. 2022, algorithm 1"

    @staticmethod
    def make(random):
        return dict(A=random.standard_normal((6, 3)), B=random.standard_normal((6, 3)))

    @staticmethod
    def forward(A, B):
        N, D = A.shape
        invariance = np.mean((A - B) ** 2)
        Ac = A - A.mean(axis=0)
        std = np.sqrt(Ac.var(axis=0) + 1e-4)
        hinge = np.mean(np.maximum(0, 1.2 - std))
        cov = Ac.T @ Ac / (N - 1)
        off = cov * (1 - np.eye(D))
        return 25 * invariance + 25 * hinge + np.sum(off**2) / D

    @staticmethod
    def expert(A, B):
        N, D = A.shape
        R = A - B
        invariance = np.mean(R**2)
        Ac = A - A.mean(axis=0)
        std = np.sqrt(Ac.var(axis=0) + 1e-4)
        gap = 1.2 - std
        hinge = np.mean(np.maximum(0, gap))
        cov = Ac.T @ Ac / (N - 1)
        off = cov * (1 - np.eye(D))
        yield 25 * invariance + 25 * hinge + np.sum(off**2) / D
        dR = (50 / R.size) * R
        pull = (gap > 0) / ((D * N / 25) * std)
        dA = dR - Ac * pull + Ac @ ((4 / (D * (N - 1))) * off)
        return dict(A=dA, B=-dR)


class MixtureDensity(Form):
    title, group = "Mixture density network head: one-dimensional mixtures, log-sum-exp by hand", "likelihood"
    wrt = "logits mu log_sigma"
    needs = "SMAX SEED OUT FACT"
    ref = "Bishop 1994 (mixture density networks) eq. 32-39"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(y=normal(5), logits=normal((5, 3)), mu=normal((5, 3)), log_sigma=0.3 * normal((5, 3)))

    @staticmethod
    def forward(y, logits, mu, log_sigma):
        m = logits.max(axis=1, keepdims=True)
        log_pi = logits - m - np.log(np.sum(np.exp(logits - m), axis=1, keepdims=True))
        z = (y[:, None] - mu) * np.exp(-log_sigma)
        joint = log_pi - log_sigma - 0.5 * z**2
        top = joint.max(axis=1, keepdims=True)
        ll = top[:, 0] + np.log(np.sum(np.exp(joint - top), axis=1))
        return -np.mean(ll)

    @staticmethod
    def expert(y, logits, mu, log_sigma):
        m = logits.max(axis=1, keepdims=True)
        e = np.exp(logits - m)
        s = np.sum(e, axis=1, keepdims=True)
        log_pi = logits - m - np.log(s)
        w = np.exp(-log_sigma)
        z = (y[:, None] - mu) * w
        z2 = z**2
        joint = log_pi - log_sigma - 0.5 * z2
        top = joint.max(axis=1, keepdims=True)
        j = np.exp(joint - top)
        t = np.sum(j, axis=1)
        yield -np.mean(top[:, 0] + np.log(t))
        n = len(y)
        r = j / (t * n)[:, None]
        pi = e / s
        rz = r * z
        return dict(logits=pi / n - r, mu=-rz * w, log_sigma=r - rz * z)
