"""More losses of representations, preferences, detection and decisions, as papers and repositories write them."""

import numpy as np

from tests.forms.form import Form


class ConservativeValues(Form):
    title, group, wrt = (
        "Conservative Q-learning: log-sum-exp over actions less the taken one, plus Bellman errors",
        "losses",
        "W1 W2",
    )
    needs, ref = "SMAX SCAT MM", "Kumar et al. 2020 eq. 4"

    @staticmethod
    def make(random, n=5, d=3, h=4, k=3):
        normal = random.standard_normal
        return dict(
            S=normal((n, d)),
            W1=normal((d, h)),
            W2=normal((h, k)),
            a=random.integers(0, k, n),
            target=normal(n),
            alpha=0.5,
        )

    @staticmethod
    def forward(S, W1, W2, a, target, alpha):
        H = np.maximum(S @ W1, 0)
        Q = H @ W2
        taken = Q[np.arange(len(a)), a]
        m = Q.max(axis=1)
        lse = m + np.log(np.exp(Q - m[:, None]).sum(axis=1))
        return alpha * np.mean(lse - taken) + 0.5 * np.mean((taken - target) ** 2)

    @staticmethod
    def expert(S, W1, W2, a, target, alpha):
        H = np.maximum(S @ W1, 0)
        Q = H @ W2
        rows = np.arange(len(a))
        taken = Q[rows, a]
        m = Q.max(axis=1)
        e = np.exp(Q - m[:, None])
        Z = e.sum(axis=1)
        error = taken - target
        yield alpha * np.mean(m + np.log(Z) - taken) + 0.5 * np.mean(error**2)
        n = len(a)
        dQ = e / (n / alpha * Z)[:, None]
        dQ[rows, a] += (error - alpha) / n
        return dict(W1=S.T @ (dQ @ W2.T * (H > 0)), W2=H.T @ dQ)


class EmbeddedClustering(Form):
    title, group, wrt = (
        "Deep embedded clustering: divergence of given targets from Student assignments",
        "embeddings",
        "Z M",
    )
    needs, ref = "CANC FACT MM", "Xie et al. 2016 eq. 4 and 5"
    assume = {"P": "distribution"}
    assumes = "each row of P adds to 1"

    @staticmethod
    def make(random, n=5, k=3, d=2):
        P = random.random((n, k))
        return dict(
            Z=random.standard_normal((n, d)), M=random.standard_normal((k, d)), P=P / P.sum(axis=1, keepdims=True)
        )

    @staticmethod
    def forward(Z, M, P):
        d2 = ((Z[:, None, :] - M[None, :, :]) ** 2).sum(axis=2)
        q = 1 / (1 + d2)
        q = q / q.sum(axis=1, keepdims=True)
        return np.sum(P * np.log(P / q))

    @staticmethod
    def expert(Z, M, P):
        diff = Z[:, None, :] - M[None, :, :]
        t = 1 / (1 + (diff**2).sum(axis=2))
        q = t / t.sum(axis=1, keepdims=True)
        yield np.sum(P * np.log(P / q))
        w = 2 * (t * (P - q))
        D = w[:, :, None] * diff
        return dict(Z=D.sum(axis=1), M=-D.sum(axis=0))


class SymmetricCrossEntropy(Form):
    title, group, wrt = "Symmetric cross-entropy against label noise, logarithm of the targets floored", "losses", "z"
    needs, ref = "SMAX FACT", "Wang et al. 2019 (SCE) eq. 7"
    assume = {"T": "one_hot"}
    assumes = "targets are one-hot"

    @staticmethod
    def make(random, n=5, k=4):
        return dict(z=random.standard_normal((n, k)), T=np.eye(k)[random.integers(0, k, n)], alpha=0.3, beta=1.2)

    @staticmethod
    def forward(z, T, alpha, beta):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        ce = -np.sum(T * np.log(p), axis=1)
        rce = -np.sum(p * np.log(np.clip(T, 1e-4, 1.0)), axis=1)
        return np.mean(alpha * ce + beta * rce)

    @staticmethod
    def expert(z, T, alpha, beta):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        logT = np.log(np.clip(T, 1e-4, 1.0))
        inner = np.sum(p * logT, axis=1)
        yield np.mean(alpha * -np.sum(T * np.log(p), axis=1) + beta * -inner)
        n = len(z)
        return dict(z=(alpha / n) * (p - T) - (beta / n) * (p * (logT - inner[:, None])))


class GeneralisedDice(Form):
    title, group, wrt = "Generalised Dice of softmax maps, classes weighed by squared inverse volumes", "losses", "z"
    needs, ref = "SMAX FACT SCAL", "Sudre et al. 2017 eq. 3"

    @staticmethod
    def make(random, n=6, k=3):
        return dict(z=random.standard_normal((n, k)), T=np.eye(k)[np.arange(n) % k])

    @staticmethod
    def forward(z, T):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        w = 1 / T.sum(axis=0) ** 2
        top = np.sum(w * (p * T).sum(axis=0))
        bottom = np.sum(w * (p + T).sum(axis=0))
        return 1 - 2 * top / bottom

    @staticmethod
    def expert(z, T):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        w = 1 / T.sum(axis=0) ** 2
        top = np.sum(w * (p * T).sum(axis=0))
        bottom = np.sum(w * (p + T).sum(axis=0))
        yield 1 - 2 * top / bottom
        g = (2 / bottom * w) * (top / bottom - T)
        return dict(z=p * (g - (g * p).sum(axis=1, keepdims=True)))


class TaylorSoftmax(Form):
    title, group, wrt = "Cross-entropy of the second-order Taylor softmax, a linear model", "losses", "W"
    needs, ref = "CANC FACT MM", "de Brebisson & Vincent 2016 eq. 5"
    assume = {"T": "one_hot"}
    assumes = "targets are one-hot"

    @staticmethod
    def make(random, n=5, d=3, k=4):
        normal = random.standard_normal
        return dict(W=normal((d, k)), X=normal((n, d)), T=np.eye(k)[random.integers(0, k, n)])

    @staticmethod
    def forward(W, X, T):
        o = X @ W
        f = 1 + o + o**2 / 2
        p = f / f.sum(axis=1, keepdims=True)
        return -np.sum(T * np.log(p))

    @staticmethod
    def expert(W, X, T):
        o = X @ W
        f = 1 + o + o**2 / 2
        s = f.sum(axis=1, keepdims=True)
        p = f / s
        yield -np.sum(T * np.log(p))
        return dict(W=X.T @ ((1 + o) * (1 / s - T / f)))


class EnsembleScore(Form):
    title, group, wrt = "Continuous ranked probability score of an ensemble, all pairs", "losses", "X"
    needs, ref = "MASK SCAL SYM", "Gneiting & Raftery 2007 eq. 21; Ferro 2014"

    @staticmethod
    def make(random, n=4, m=5):
        return dict(X=random.standard_normal((n, m)), y=random.standard_normal(n))

    @staticmethod
    def forward(X, y):
        n, m = X.shape
        skill = np.abs(X - y[:, None]).mean(axis=1)
        spread = np.abs(X[:, :, None] - X[:, None, :]).sum(axis=(1, 2)) / (2 * m * (m - 1))
        return np.mean(skill - spread)

    @staticmethod
    def expert(X, y):
        n, m = X.shape
        d, D = X - y[:, None], X[:, :, None] - X[:, None, :]
        yield np.mean(np.abs(d).mean(axis=1) - np.abs(D).sum(axis=(1, 2)) / (2 * m * (m - 1)))
        return dict(X=(np.sign(d) - np.sign(D).sum(axis=2) / (m - 1)) / (n * m))
