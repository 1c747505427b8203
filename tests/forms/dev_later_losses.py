"""Losses of representations, preferences, detection and decisions, as papers and public repositories write them."""

import numpy as np

from tests.forms.form import Form


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class SelfDistillation(Form):
    title, group, wrt = (
        "DINO: two student views against centred, sharpened teachers of the other view",
        "contrastive",
        "s1 s2",
    )
    needs, ref = "SMAX SEED", "Caron et al. 2021, algorithm 1"
    assume = {"p1": "distribution", "p2": "distribution"}
    assumes = "each row of the teacher's softmax adds to 1"

    @staticmethod
    def make(random, n=4, k=5):
        normal = random.standard_normal
        p1, p2 = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (normal((n, k)), normal((n, k))))
        return dict(s1=normal((n, k)), s2=normal((n, k)), p1=p1, p2=p2, tau=0.3)

    @staticmethod
    def forward(s1, s2, p1, p2, tau):
        def H(p, s):
            z = s / tau
            z = z - z.max(axis=1, keepdims=True)
            log_q = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
            return -(p * log_q).sum(axis=1).mean()

        return (H(p1, s2) + H(p2, s1)) / 2

    @staticmethod
    def expert(s1, s2, p1, p2, tau):
        def H(p, s):
            z = s / tau
            z = z - z.max(axis=1, keepdims=True)
            e = np.exp(z)
            Z = e.sum(axis=1, keepdims=True)
            return -(p * (z - np.log(Z))).sum(axis=1).mean(), e, Z

        h2, e2, Z2 = H(p1, s2)
        h1, e1, Z1 = H(p2, s1)
        yield (h2 + h1) / 2
        c = 1 / (2 * tau * len(s1))
        return dict(s1=c * (e1 / Z1 - p2), s2=c * (e2 / Z2 - p1))


class SiamesePredictor(Form):
    title, group = "SimSiam: predicted embeddings against fixed ones of the other view, negative cosine", "contrastive"
    wrt, needs, ref = "W z1 z2", "UNB FACT CANC MM", "Chen & He 2021, algorithm 1"

    @staticmethod
    def make(random, n=4, d=3):
        normal = random.standard_normal
        t1, t2 = (t / np.linalg.norm(t, axis=1, keepdims=True) for t in (normal((n, d)), normal((n, d))))
        return dict(z1=normal((n, d)), z2=normal((n, d)), t1=t1, t2=t2, W=normal((d, d)))

    @staticmethod
    def forward(z1, z2, t1, t2, W):
        p1 = z1 @ W
        p2 = z2 @ W
        p1 = p1 / np.linalg.norm(p1, axis=1, keepdims=True)
        p2 = p2 / np.linalg.norm(p2, axis=1, keepdims=True)
        return -((p1 * t2).sum(axis=1).mean() + (p2 * t1).sum(axis=1).mean()) / 2

    @staticmethod
    def expert(z1, z2, t1, t2, W):
        p1 = z1 @ W
        p2 = z2 @ W
        n1 = np.linalg.norm(p1, axis=1, keepdims=True)
        n2 = np.linalg.norm(p2, axis=1, keepdims=True)
        p1 = p1 / n1
        p2 = p2 / n2
        c1 = (p1 * t2).sum(axis=1)
        c2 = (p2 * t1).sum(axis=1)
        yield -(c1.mean() + c2.mean()) / 2
        m = 2 * len(z1)
        d1 = (c1[:, None] * p1 - t2) / (m * n1)
        d2 = (c2[:, None] * p2 - t1) / (m * n2)
        return dict(W=z1.T @ d1 + z2.T @ d2, z1=d1 @ W.T, z2=d2 @ W.T)


class AsymmetricMultilabel(Form):
    title, group, wrt = "Asymmetric loss of many labels, easy negatives shifted away", "losses", "z"
    needs, ref = "SIG MASK FACT", "Ridnik et al. 2021 eq. 7"
    assume = {"y": "binary"}
    assumes = "labels are 0 or 1"

    @staticmethod
    def make(random, n=4, k=5):
        return dict(z=random.standard_normal((n, k)), y=random.integers(0, 2, (n, k)).astype(float), gamma=4, m=0.2)

    @staticmethod
    def forward(z, y, gamma, m):
        p = sigmoid(z)
        pm = np.maximum(p - m, 0)
        positive = y * (1 - p) * np.log(p)
        negative = (1 - y) * pm**gamma * np.log(1 - pm)
        return -np.sum(positive + negative) / len(z)

    @staticmethod
    def expert(z, y, gamma, m):
        p = sigmoid(z)
        pm = np.maximum(p - m, 0)
        q, qm, no = 1 - p, 1 - pm, 1 - y
        lp, lm = np.log(p), np.log(qm)
        power = pm**gamma
        yield -np.sum(y * q * lp + no * power * lm) / len(z)
        n = len(z)
        dp = y * (lp - q / p) + no * (power / qm - gamma * pm ** (gamma - 1) * lm)
        return dict(z=dp * p * q / n)


class PolyLoss(Form):
    title, group, wrt = "Poly-1 cross-entropy of a linear classifier with labels", "losses", "W b"
    needs, ref = "SMAX SEED MM", "Leng et al. 2022 (PolyLoss), listing 1"

    @staticmethod
    def make(random, n=5, d=3, k=4):
        normal = random.standard_normal
        return dict(W=normal((d, k)), b=normal(k), X=normal((n, d)), y=random.integers(0, k, n), eps=1.5)

    @staticmethod
    def forward(W, b, X, y, eps):
        z = X @ W + b
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        pt = p[np.arange(len(y)), y]
        return np.mean(-np.log(pt) + eps * (1 - pt))

    @staticmethod
    def expert(W, b, X, y, eps):
        z = X @ W + b
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        rows = np.arange(len(y))
        pt = p[rows, y]
        yield np.mean(-np.log(pt) + eps * (1 - pt))
        f = (1 + eps * pt) / len(y)
        dz = f[:, None] * p
        dz[rows, y] -= f
        return dict(W=X.T @ dz, b=dz.sum(axis=0))


class OddsRatioPreference(Form):
    title, group, wrt = (
        "Odds-ratio preference: likelihood of the chosen and logarithmic odds of both",
        "losses",
        "chosen rejected",
    )
    needs, ref = "SIG CANC", "Hong et al. 2024 (ORPO) eq. 6 and 7"

    @staticmethod
    def make(random, n=5):
        return dict(chosen=-random.random(n) - 0.2, rejected=-random.random(n) - 0.2, beta=0.3)

    @staticmethod
    def forward(chosen, rejected, beta):
        odds = chosen - rejected - (np.log1p(-np.exp(chosen)) - np.log1p(-np.exp(rejected)))
        ratio = -np.log(sigmoid(odds))
        return np.mean(-chosen + beta * ratio)

    @staticmethod
    def expert(chosen, rejected, beta):
        ec, er = np.exp(chosen), np.exp(rejected)
        odds = chosen - rejected - (np.log1p(-ec) - np.log1p(-er))
        s = sigmoid(odds)
        yield np.mean(-chosen + beta * -np.log(s))
        n = len(chosen)
        d = (beta / n) * (s - 1)
        return dict(chosen=d / (1 - ec) - 1 / n, rejected=d / (er - 1))


class GroupRelativePolicy(Form):
    title, group, wrt = (
        "GRPO: clipped ratios of tokens with advantages of the group and a penalty to a reference",
        "losses",
        "logp",
    )
    needs, ref = "MASK OUT SEED", "Shao et al. 2024 (DeepSeekMath) eq. 3 and 4"

    @staticmethod
    def make(random, n=4, T=5):
        normal = random.standard_normal
        old = normal((n, T)) - 2
        mask = (np.arange(T) < random.integers(2, T + 1, n)[:, None]).astype(float)
        return dict(
            logp=old + 0.3 * normal((n, T)),
            old=old,
            ref=old + 0.3 * normal((n, T)),
            r=normal(n),
            mask=mask,
            eps=0.2,
            beta=0.1,
        )

    @staticmethod
    def forward(logp, old, ref, r, mask, eps, beta):
        A = ((r - r.mean()) / (r.std() + 1e-4))[:, None]
        ratio = np.exp(logp - old)
        surrogate = np.minimum(ratio * A, np.clip(ratio, 1 - eps, 1 + eps) * A)
        kl = np.exp(ref - logp) - (ref - logp) - 1
        per_token = surrogate - beta * kl
        return -np.mean((per_token * mask).sum(axis=1) / mask.sum(axis=1))

    @staticmethod
    def expert(logp, old, ref, r, mask, eps, beta):
        A = ((r - r.mean()) / (r.std() + 1e-4))[:, None]
        ratio = np.exp(logp - old)
        free = ratio * A
        clipped = np.clip(ratio, 1 - eps, 1 + eps) * A
        d = ref - logp
        e = np.exp(d)
        lengths = mask.sum(axis=1)
        yield -np.mean(((np.minimum(free, clipped) - beta * (e - d - 1)) * mask).sum(axis=1) / lengths)
        weight = mask / (-len(r) * lengths)[:, None]
        return dict(logp=weight * (free * (free <= clipped) + beta * (e - 1)))
