"""Held out: losses of classifiers on logits or on linear scores."""

import numpy as np

from tests.forms.form import Form


def _logits(random):
    return dict(Z=2 * random.standard_normal((6, 4)), y=random.integers(0, 4, 6))


def logsumexp(Z):
    m = np.max(Z, axis=1)
    return m + np.log(np.sum(np.exp(Z - m[:, None]), axis=1))


class NllByLogsumexp(Form):
    title, group = "Cross-entropy as log-sum-exp minus the score of the label", "classification"
    wrt = "Z"
    needs = "SEED SCAL SMAX SCAT"
    ref = "Murphy 2012 s.3.5.3 (log-sum-exp trick)"
    make = _logits

    @staticmethod
    def forward(Z, y):
        return np.mean(logsumexp(Z) - Z[np.arange(Z.shape[0]), y])

    @staticmethod
    def expert(Z, y):
        rows = np.arange(Z.shape[0])
        m = np.max(Z, axis=1)
        E = np.exp(Z - m[:, None])
        S = np.sum(E, axis=1)
        yield np.mean(m + np.log(S) - Z[rows, y])
        D = E / (len(y) * S)[:, None]
        D[rows, y] -= 1 / len(y)
        return dict(Z=D)


class OneHotBuiltInside(Form):
    title, group = "Softmax regression with a one-hot matrix built inside", "classification"
    wrt = "W b"
    needs = "SEED SCAL SMAX CANC MM UNB ASM"
    assumes = "labels lie in the range of the classes"
    ref = "Bishop 2006 eq. 4.109 (y - t)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 4)), labels=random.integers(0, 3, 6), W=normal((4, 3)), b=normal((1, 3)))

    @staticmethod
    def forward(X, labels, W, b):
        A = X.dot(W) + b
        T = (labels[:, np.newaxis] == np.arange(3)).astype(float)
        Y = np.exp(A - A.max(axis=1)[:, np.newaxis])
        Y /= Y.sum(axis=1)[:, np.newaxis]
        return -np.sum(T * np.log(Y)) / len(X)

    @staticmethod
    def expert(X, labels, W, b):
        A = X.dot(W) + b
        T = (labels[:, np.newaxis] == np.arange(3)).astype(float)
        Y = np.exp(A - A.max(axis=1)[:, np.newaxis])
        Y /= Y.sum(axis=1)[:, np.newaxis]
        yield -np.sum(T * np.log(Y)) / len(X)
        D = (Y - T) / len(X)
        return dict(W=X.T.dot(D), b=D.sum(axis=0, keepdims=True))


class LabelSmoothing(Form):
    title, group = "Cross-entropy with smoothed labels", "classification"
    wrt = "Z"
    needs = "SEED SCAL SMAX SCAT FACT"
    ref = "Szegedy et al. 2016 s.7; fast.ai LabelSmoothingCrossEntropy"

    @staticmethod
    def make(random):
        return dict(**_logits(random), eps=0.1)

    @staticmethod
    def forward(Z, y, eps):
        n, c = Z.shape
        Z = Z - Z.max(axis=-1, keepdims=True)
        log_preds = Z - np.log(np.exp(Z).sum(axis=-1, keepdims=True))
        loss = -log_preds.sum(axis=-1).mean()
        nll = -log_preds[np.arange(n), y].mean()
        return (1 - eps) * nll + eps * loss / c

    @staticmethod
    def expert(Z, y, eps):
        n, c = Z.shape
        rows = np.arange(n)
        Z = Z - Z.max(axis=-1, keepdims=True)
        E = np.exp(Z)
        S = E.sum(axis=-1, keepdims=True)
        log_preds = Z - np.log(S)
        yield (1 - eps) * -log_preds[rows, y].mean() + eps * -log_preds.sum(axis=-1).mean() / c
        D = (E / S - eps / c) / n
        D[rows, y] -= (1 - eps) / n
        return dict(Z=D)


class KnowledgeDistillation(Form):
    title, group = "Distillation: KL from the teacher at a temperature plus cross-entropy", "classification"
    wrt = "student"
    needs = "SEED SCAL SMAX CANC SCAT FACT"
    ref = "Hinton, Vinyals & Dean 2015"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(student=normal((6, 4)), teacher=normal((6, 4)), y=random.integers(0, 4, 6), T=3.0, alpha=0.7)

    @staticmethod
    def forward(student, teacher, y, T, alpha):
        def log_softmax(z):
            z = z - z.max(axis=1, keepdims=True)
            return z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))

        p = np.exp(log_softmax(teacher / T))
        soft = np.sum(p * (np.log(p) - log_softmax(student / T)), axis=1).mean()
        hard = -log_softmax(student)[np.arange(len(y)), y].mean()
        return alpha * T**2 * soft + (1 - alpha) * hard

    @staticmethod
    def expert(student, teacher, y, T, alpha):
        def parts(z):
            z = z - z.max(axis=1, keepdims=True)
            e = np.exp(z)
            s = np.sum(e, axis=1, keepdims=True)
            return e, s, z - np.log(s)

        rows = np.arange(len(y))
        p = np.exp(parts(teacher / T)[2])
        eT, sT, logqT = parts(student / T)
        e, s, logq = parts(student)
        soft = np.sum(p * (np.log(p) - logqT), axis=1).mean()
        yield alpha * T**2 * soft + (1 - alpha) * -logq[rows, y].mean()
        n = len(y)
        hard = e / s * ((1 - alpha) / n)
        hard[rows, y] -= (1 - alpha) / n
        return dict(student=hard + alpha * T / n * (eT / sT - p))


class FocalLossOnLogits(Form):
    title, group = "Focal loss of binary logits", "classification"
    wrt = "x"
    needs = "SEED SCAL SIG CANC OUT FACT MASK ASM"
    assumes = "y is 0 or 1"
    ref = "Lin et al. 2017 app. B: y (1 - p_t)^gamma (gamma p_t log p_t + p_t - 1)"

    @staticmethod
    def make(random):
        return dict(x=2 * random.standard_normal(8), y=(random.random(8) > 0.5).astype(float), gamma=2.0, alpha=0.25)

    @staticmethod
    def forward(x, y, gamma, alpha):
        p = 1.0 / (1.0 + np.exp(-x))
        pt = np.where(y == 1, p, 1 - p)
        at = np.where(y == 1, alpha, 1 - alpha)
        return np.mean(-at * (1 - pt) ** gamma * np.log(pt))

    @staticmethod
    def expert(x, y, gamma, alpha):
        p = 1.0 / (1.0 + np.exp(-x))
        positive = y == 1
        pt = np.where(positive, p, 1 - p)
        at = np.where(positive, alpha, 1 - alpha)
        log_pt = np.log(pt)
        w = -at * (1 - pt) ** gamma
        yield np.mean(w * log_pt)
        # d pt / dx is +-pt (1 - pt), and w (1 - pt) / (1 - pt) = w
        sign = np.where(positive, 1 / len(x), -1 / len(x))
        return dict(x=sign * w * (1 - pt - gamma * pt * log_pt))


class TverskyOfLogits(Form):
    title, group = "Tversky loss of a sigmoid map", "classification"
    wrt = "x"
    needs = "SEED SCAL SIG OUT FACT"
    ref = "Salehi, Erdogmus & Gholipour 2017"

    @staticmethod
    def make(random):
        return dict(
            x=random.standard_normal((4, 5)), g=(random.random((4, 5)) > 0.6).astype(float), alpha=0.3, beta=0.7
        )

    @staticmethod
    def forward(x, g, alpha, beta):
        p = 1 / (1 + np.exp(-x))
        tp = (p * g).sum()
        fp = (p * (1 - g)).sum()
        fn = ((1 - p) * g).sum()
        return 1 - (tp + 1.0) / (tp + alpha * fp + beta * fn + 1.0)

    @staticmethod
    def expert(x, g, alpha, beta):
        p = 1 / (1 + np.exp(-x))
        q = 1 - p
        top = (p * g).sum() + 1.0
        bottom = top + alpha * (p * (1 - g)).sum() + beta * (q * g).sum()
        yield 1 - top / bottom
        # d top = g, d bottom = alpha + (1 - alpha - beta) g
        r = top / bottom
        dp = (r * (1 - alpha - beta) - 1) / bottom * g + r * alpha / bottom
        return dict(x=dp * p * q)


class WeightedBceWithLogits(Form):
    title, group = "Stable binary cross-entropy of logits with a weight for positives", "classification"
    wrt = "x"
    needs = "SEED SCAL SIG MASK CANC"
    ref = "torch.nn.BCEWithLogitsLoss (pos_weight); tf.nn.weighted_cross_entropy_with_logits"

    @staticmethod
    def make(random):
        return dict(
            x=2 * random.standard_normal((5, 3)),
            z=(random.random((5, 3)) > 0.5).astype(float),
            pos_weight=random.random(3) + 1,
        )

    @staticmethod
    def forward(x, z, pos_weight):
        log_weight = 1 + (pos_weight - 1) * z
        return np.mean((1 - z) * x + log_weight * (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0)))

    @staticmethod
    def expert(x, z, pos_weight):
        log_weight = 1 + (pos_weight - 1) * z
        u = 1 - z
        softplus = np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0)  # of -x
        yield np.mean(u * x + log_weight * softplus)
        # its derivative is sigmoid(x) - 1 = -exp(-x) / (1 + exp(-x)), and exp(-softplus(-x)) = sigmoid(x)
        return dict(x=(u + log_weight * (np.exp(-softplus) - 1)) / x.size)


class MixupCrossEntropy(Form):
    title, group = "Cross-entropy with two labels of a mixed-up example", "classification"
    wrt = "Z"
    needs = "SEED SCAL SMAX SCAT FACT"
    ref = "Zhang et al. 2018, mixup, mixup_criterion"

    @staticmethod
    def make(random):
        return dict(
            Z=random.standard_normal((6, 4)), y_a=random.integers(0, 4, 6), y_b=random.integers(0, 4, 6), lam=0.3
        )

    @staticmethod
    def forward(Z, y_a, y_b, lam):
        def criterion(Z, y):
            logp = Z - np.log(np.exp(Z).sum(1))[:, None]
            return -logp[np.arange(len(y)), y].mean()

        return lam * criterion(Z, y_a) + (1 - lam) * criterion(Z, y_b)

    @staticmethod
    def expert(Z, y_a, y_b, lam):
        n = len(Z)
        rows = np.arange(n)
        E = np.exp(Z)
        S = E.sum(1)
        logp = Z - np.log(S)[:, None]
        yield lam * -logp[rows, y_a].mean() + (1 - lam) * -logp[rows, y_b].mean()
        D = E / (n * S)[:, None]
        D[rows, y_a] -= lam / n
        D[rows, y_b] -= (1 - lam) / n
        return dict(Z=D)


class SphericalSoftmax(Form):
    title, group = "Negative log-likelihood of the spherical softmax", "classification"
    wrt = "z"
    needs = "SEED SCAL CANC SCAT FACT OUT"
    ref = "de Brebisson & Vincent 2016, an exploration of softmax alternatives"

    @staticmethod
    def make(random):
        return dict(z=random.standard_normal((6, 4)), c=random.integers(0, 4, 6), eps=0.1)

    @staticmethod
    def forward(z, c, eps):
        s = z**2 + eps
        p = s / s.sum(axis=1, keepdims=True)
        return -np.log(p[range(len(z)), c]).mean()

    @staticmethod
    def expert(z, c, eps):
        n = len(z)
        s = z**2 + eps
        total = s.sum(axis=1, keepdims=True)
        p_c = (s / total)[range(n), c]
        yield -np.log(p_c).mean()
        d = z / (n / 2 * total)
        d[range(n), c] *= 1 - 1 / p_c
        return dict(z=d)


class CosFace(Form):
    title, group = "Softmax of scaled cosines with a margin at the label", "classification"
    wrt = "X W"
    needs = "SEED SCAL SMAX SCAT OUT CANC FACT UNB MM"
    ref = "Wang et al. 2018, CosFace; normalised features as in Wang et al. 2017, NormFace"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((5, 4)), W=normal((4, 3)), y=random.integers(0, 3, 5), s=4.0, m=0.35)

    @staticmethod
    def forward(X, W, y, s, m):
        Xn = X / np.linalg.norm(X, axis=1, keepdims=True)
        Wn = W / np.linalg.norm(W, axis=0, keepdims=True)
        cos = Xn @ Wn
        cos[np.arange(len(y)), y] -= m
        logits = s * cos
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return -np.mean(np.log(p[np.arange(len(y)), y]))

    @staticmethod
    def expert(X, W, y, s, m):
        rows = np.arange(len(y))
        nx = np.linalg.norm(X, axis=1, keepdims=True)
        nw = np.linalg.norm(W, axis=0, keepdims=True)
        Xn = X / nx
        Wn = W / nw
        cos = Xn @ Wn
        cos[rows, y] -= m
        logits = s * cos
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        yield -np.mean(np.log(p[rows, y]))
        p[rows, y] -= 1
        d = s / len(y) * p
        dXn = d @ Wn.T
        dWn = Xn.T @ d
        return dict(
            X=(dXn - Xn * np.sum(Xn * dXn, axis=1, keepdims=True)) / nx,
            W=(dWn - Wn * np.sum(Wn * dWn, axis=0, keepdims=True)) / nw,
        )
