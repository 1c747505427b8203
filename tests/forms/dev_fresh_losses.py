"""Losses of classification, retrieval, generation and control."""

import numpy as np

from tests.forms.form import Form


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))


class GaussianVae(Form):
    title, group = "Linear variational autoencoder, Gaussian decoder, noise given", "generative"
    wrt = "Wm Ws Wd"
    needs = "OUT SCAL FACT MM"
    ref = "Kingma & Welling 2014, appendix B"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 4)), eps=normal((5, 2)), Wm=normal((4, 2)), Ws=0.3 * normal((4, 2)), Wd=normal((2, 4)))

    @staticmethod
    def forward(x, eps, Wm, Ws, Wd):
        mu = x @ Wm
        logvar = x @ Ws
        z = mu + np.exp(0.5 * logvar) * eps
        recon = 0.5 * np.sum((x - z @ Wd) ** 2)
        kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))
        return (recon + kl) / len(x)

    @staticmethod
    def expert(x, eps, Wm, Ws, Wd):
        mu = x @ Wm
        logvar = x @ Ws
        noise = np.exp(0.5 * logvar) * eps
        z = mu + noise
        error = x - z @ Wd
        var = np.exp(logvar)
        yield (0.5 * np.sum(error**2) - 0.5 * np.sum(1 + logvar - mu**2 - var)) / len(x)
        n = len(x)
        d = error / -n
        dz = d @ Wd.T
        dlogvar = 0.5 * (dz * noise + (var - 1) / n)
        return dict(Wm=x.T @ (dz + mu / n), Ws=x.T @ dlogvar, Wd=z.T @ d)


class FullGaussianDivergence(Form):
    title, group = "Divergence of two Gaussians with full covariances", "likelihood"
    wrt = "m0 m1 S0 S1"
    needs = "SYM MM"
    ref = "Petersen & Pedersen 2012 eq. 57, 61, 64"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        A, B = normal((3, 3)), normal((3, 3))
        return dict(m0=normal(3), m1=normal(3), S0=A @ A.T + np.eye(3), S1=B @ B.T + np.eye(3))

    @staticmethod
    def forward(m0, m1, S0, S1):
        P = np.linalg.inv(S1)
        d = m1 - m0
        logs = np.linalg.slogdet(S1)[1] - np.linalg.slogdet(S0)[1]
        return 0.5 * (np.trace(P @ S0) + d @ P @ d - len(d) + logs)

    @staticmethod
    def expert(m0, m1, S0, S1):
        P = np.linalg.inv(S1)
        d = m1 - m0
        logs = np.linalg.slogdet(S1)[1] - np.linalg.slogdet(S0)[1]
        Q = P @ S0
        dP = d @ P
        yield 0.5 * (np.trace(Q) + dP @ d - len(d) + logs)
        # nothing says that the covariances are symmetric
        Pd = P @ d
        dm = 0.5 * (dP + Pd)
        H = 0.5 * P.T
        dS1 = H - (Q @ P).T / 2 - np.outer(0.5 * dP, Pd)
        return dict(m0=-dm, m1=dm, S0=H - 0.5 * np.linalg.inv(S0).T, S1=dS1)


class GumbelSoftmax(Form):
    title, group = "Gumbel-softmax sample through a linear decoder, entropy of the categories", "generative"
    wrt = "logits D"
    needs = "SMAX FACT SCAL MM"
    ref = "Jang et al. 2017 eq. 2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            logits=normal((4, 3)), noise=random.gumbel(size=(4, 3)), D=normal((3, 5)), x=normal((4, 5)), tau=0.7
        )

    @staticmethod
    def forward(logits, noise, D, x, tau):
        log_q = log_softmax(logits)
        q = np.exp(log_q)
        z = (logits + noise) / tau
        e = np.exp(z - z.max(axis=1, keepdims=True))
        y = e / e.sum(axis=1, keepdims=True)
        return np.sum((x - y @ D) ** 2) + np.sum(q * log_q)

    @staticmethod
    def expert(logits, noise, D, x, tau):
        log_q = log_softmax(logits)
        q = np.exp(log_q)
        z = (logits + noise) / tau
        e = np.exp(z - z.max(axis=1, keepdims=True))
        y = e / e.sum(axis=1, keepdims=True)
        error = x - y @ D
        qlq = q * log_q
        yield np.sum(error**2) + np.sum(qlq)
        d = -2 * error
        dy = d @ D.T
        dz = y * (dy - (dy * y).sum(axis=1, keepdims=True)) / tau
        return dict(logits=dz + qlq - q * qlq.sum(axis=1, keepdims=True), D=y.T @ d)


class SupervisedContrastive(Form):
    title, group = "Supervised contrastive loss of normalised features", "contrastive"
    wrt = "F"
    needs = "SMAX CANC MASK SYM MM"
    ref = "Khosla et al. 2020 eq. 2 and appendix"

    @staticmethod
    def make(random):
        return dict(F=random.standard_normal((6, 3)), y=np.array([0, 1, 0, 1, 2, 2]), tau=0.5)

    @staticmethod
    def forward(F, y, tau):
        n = len(y)
        Z = F / np.sqrt((F**2).sum(axis=1, keepdims=True))
        S = Z @ Z.T / tau
        others = 1 - np.eye(n)
        same = (y[:, None] == y[None, :]) * others
        log_p = S - np.log((np.exp(S) * others).sum(axis=1, keepdims=True))
        return -np.mean((same * log_p).sum(axis=1) / same.sum(axis=1))

    @staticmethod
    def expert(F, y, tau):
        n = len(y)
        norm = np.sqrt((F**2).sum(axis=1, keepdims=True))
        Z = F / norm
        S = Z @ Z.T / tau
        others = 1 - np.eye(n)
        same = (y[:, None] == y[None, :]) * others
        E = np.exp(S) * others
        total = E.sum(axis=1, keepdims=True)
        log_p = S - np.log(total)
        count = same.sum(axis=1)
        yield -np.mean((same * log_p).sum(axis=1) / count)
        G = E / total - same / count[:, None]
        dZ = (G + G.T) @ Z / (n * tau)
        return dict(F=(dZ - Z * (dZ * Z).sum(axis=1, keepdims=True)) / norm)


class SigmoidPairs(Form):
    title, group = "Sigmoid loss of image-text pairs with a learned temperature and bias", "contrastive"
    wrt = "I T log_t b"
    needs = "SIG SCAL MM"
    ref = "Zhai et al. 2023 (SigLIP), algorithm 1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(I=normal((4, 3)), T=normal((4, 3)), log_t=0.5, b=-1.0)

    @staticmethod
    def forward(I, T, log_t, b):  # noqa: E741
        n = len(I)
        logits = I @ T.T * np.exp(log_t) + b
        z = 2 * np.eye(n) - 1
        return np.sum(np.log1p(np.exp(-z * logits))) / n

    @staticmethod
    def expert(I, T, log_t, b):  # noqa: E741
        n = len(I)
        t = np.exp(log_t)
        C = I @ T.T * t
        z = 2 * np.eye(n) - 1
        e = np.exp(-z * (C + b))
        yield np.sum(np.log1p(e)) / n
        d = z * e / (1 + e) / -n
        D = t * d
        return dict(I=D @ T, T=D.T @ I, log_t=np.vdot(d, C), b=d.sum())


class MulticlassFocal(Form):
    title, group = "Focal loss of a softmax, class weights", "softmax"
    wrt = "z"
    needs = "SMAX SCAT FACT"
    ref = "Lin et al. 2017, appendix B, for several classes"

    @staticmethod
    def make(random):
        return dict(
            z=random.standard_normal((5, 4)), y=np.array([0, 3, 1, 2, 1]), alpha=random.random(4) + 0.5, gamma=2.0
        )

    @staticmethod
    def forward(z, y, alpha, gamma):
        n = len(y)
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        pt = p[np.arange(n), y]
        return np.mean(-alpha[y] * (1 - pt) ** gamma * np.log(pt))

    @staticmethod
    def expert(z, y, alpha, gamma):
        n = len(y)
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        rows = np.arange(n)
        pt = p[rows, y]
        rest = 1 - pt
        w = -alpha[y]
        f = rest**gamma
        lp = np.log(pt)
        yield np.mean(w * f * lp)
        # d loss / d log pt
        d = w * f * (1 - gamma * pt * lp / rest) / n
        dz = p * -d[:, None]
        dz[rows, y] += d
        return dict(z=dz)


class FocalTversky(Form):
    title, group = "Focal Tversky loss of sigmoid masks", "segmentation"
    wrt = "logits"
    needs = "SIG FACT SCAL"
    ref = "Salehi et al. 2017; Abraham & Khan 2019 eq. 3"

    @staticmethod
    def make(random):
        return dict(
            logits=random.standard_normal((3, 8)),
            m=random.integers(0, 2, (3, 8)) * 1.0,
            alpha=0.7,
            beta=0.3,
            gamma=0.75,
        )

    @staticmethod
    def forward(logits, m, alpha, beta, gamma):
        p = sigmoid(logits)
        tp = np.sum(p * m, axis=1)
        fp = np.sum(p * (1 - m), axis=1)
        fn = np.sum((1 - p) * m, axis=1)
        index = (tp + 1) / (tp + alpha * fn + beta * fp + 1)
        return np.sum((1 - index) ** gamma)

    @staticmethod
    def expert(logits, m, alpha, beta, gamma):
        p = sigmoid(logits)
        q = 1 - p
        tp = np.sum(p * m, axis=1)
        fp = np.sum(p * (1 - m), axis=1)
        fn = np.sum(q * m, axis=1)
        bottom = tp + alpha * fn + beta * fp + 1
        index = (tp + 1) / bottom
        miss = 1 - index
        yield np.sum(miss**gamma)
        k = -gamma * miss ** (gamma - 1) / bottom  # d loss / d index / bottom
        # d index / d p times bottom: m - index (m (1 - alpha - beta) + beta)
        a = k - (1 - alpha - beta) * (b := k * index)
        return dict(logits=(a[:, None] * m - beta * b[:, None]) * p * q)


class Distillation(Form):
    title, group = "Distillation: softened divergence from a teacher and cross-entropy of labels", "softmax"
    wrt = "z"
    needs = "SMAX SCAT SCAL"
    ref = "Hinton et al. 2015 eq. 2-3"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(z=normal((5, 4)), teacher=normal((5, 4)), y=np.array([0, 3, 1, 2, 1]), tau=2.0, alpha=0.6)

    @staticmethod
    def forward(z, teacher, y, tau, alpha):
        n = len(y)
        q = np.exp(log_softmax(teacher / tau))
        soft = -np.sum(q * log_softmax(z / tau)) / n * tau**2
        hard = -np.mean(log_softmax(z)[np.arange(n), y])
        return alpha * soft + (1 - alpha) * hard

    @staticmethod
    def expert(z, teacher, y, tau, alpha):
        n = len(y)
        q = np.exp(log_softmax(teacher / tau))
        zs = z / tau
        zs = zs - zs.max(axis=1, keepdims=True)
        es = np.exp(zs)
        ts = np.sum(es, axis=1, keepdims=True)
        zh = z - z.max(axis=1, keepdims=True)
        eh = np.exp(zh)
        th = np.sum(eh, axis=1, keepdims=True)
        rows = np.arange(n)
        hard = -np.mean((zh - np.log(th))[rows, y])
        yield alpha * (-np.sum(q * (zs - np.log(ts))) / n * tau**2) + (1 - alpha) * hard
        # nothing is assumed of q's rows, though they are a softmax: they add to 1
        k = (1 - alpha) / n
        d = (alpha * tau / n) * (es / ts - q) + eh * (k / th)
        d[rows, y] -= k
        return dict(z=d)


class GeneralisedCrossEntropy(Form):
    title, group = "Generalised cross-entropy against label noise", "softmax"
    wrt = "X W"
    needs = "SMAX SCAT CANC"
    ref = "Zhang & Sabuncu 2018 eq. 6"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 3)), W=normal((3, 4)), y=np.array([0, 3, 1, 2, 1, 0]), q=0.7)

    @staticmethod
    def forward(X, W, y, q):
        s = X @ W
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return np.mean((1 - p[np.arange(len(y)), y] ** q) / q)

    @staticmethod
    def expert(X, W, y, q):
        s = X @ W
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        rows = np.arange(len(y))
        f = p[rows, y] ** q
        yield np.mean((1 - f) / q)
        # p**(q - 1) p (1_y - p), negative
        f = f / len(y)
        d = p * f[:, None]
        d[rows, y] -= f
        return dict(X=d @ W.T, W=X.T @ d)


class ConfidencePenalty(Form):
    title, group = "Cross-entropy with a penalty on confident outputs", "softmax"
    wrt = "z"
    needs = "SMAX SCAT"
    ref = "Pereyra et al. 2017 s.3"

    @staticmethod
    def make(random):
        return dict(z=random.standard_normal((5, 4)), y=np.array([0, 3, 1, 2, 1]), beta=0.1)

    @staticmethod
    def forward(z, y, beta):
        log_p = log_softmax(z)
        nll = -np.mean(log_p[np.arange(len(y)), y])
        entropy = -np.mean(np.sum(np.exp(log_p) * log_p, axis=1))
        return nll - beta * entropy

    @staticmethod
    def expert(z, y, beta):
        log_p = log_softmax(z)
        n = len(y)
        rows = np.arange(n)
        p = np.exp(log_p)
        neg = np.sum(p * log_p, axis=1)
        yield -np.mean(log_p[rows, y]) + beta * np.mean(neg)
        # p (1 + beta (log p - sum p log p)) - 1_y
        d = p * ((beta / n) * (log_p - neg[:, None]) + 1 / n)
        d[rows, y] -= 1 / n
        return dict(z=d)


class SquaredHinge(Form):
    title, group = "Squared hinge of one against the rest, weight decay", "margin"
    wrt = "W b"
    needs = "MASK SCAL MM"
    ref = "Tang 2013 eq. 9-10"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        T = -np.ones((6, 3))
        T[np.arange(6), random.integers(0, 3, 6)] = 1
        return dict(X=normal((6, 4)), T=T, W=normal((4, 3)), b=normal(3), C=1.5)

    @staticmethod
    def forward(X, T, W, b, C):
        scores = X @ W + b
        margin = np.maximum(0, 1 - T * scores)
        return 0.5 * np.sum(W * W) + C * np.mean(np.sum(margin**2, axis=1))

    @staticmethod
    def expert(X, T, W, b, C):
        scores = X @ W + b
        margin = np.maximum(0, 1 - T * scores)
        yield 0.5 * np.sum(W * W) + C * np.mean(np.sum(margin**2, axis=1))
        d = (-2 * C / len(X)) * T * margin
        return dict(W=W + X.T @ d, b=d.sum(axis=0))


class ListwiseLikelihood(Form):
    title, group = "ListMLE: Plackett-Luce likelihood of a linear scorer, best document first", "ranking"
    wrt = "w"
    needs = "SMAX MM"
    ref = "Xia et al. 2008"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((6, 3)), w=random.standard_normal(3))

    @staticmethod
    def forward(X, w):
        s = X @ w
        tail = np.cumsum(np.exp(s)[::-1])[::-1]
        return np.sum(np.log(tail) - s)

    @staticmethod
    def expert(X, w):
        s = X @ w
        e = np.exp(s)
        tail = np.cumsum(e[::-1])[::-1]
        yield np.sum(np.log(tail) - s)
        d = e * np.cumsum(1 / tail) - 1
        return dict(w=d @ X)


class GloVe(Form):
    title, group = "GloVe: weighted squared error of logarithmic counts", "embedding"
    wrt = "W C bw bc"
    needs = "SCAT FACT"
    ref = "Pennington et al. 2014 eq. 8"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            W=normal((5, 3)),
            C=normal((5, 3)),
            bw=normal(5),
            bc=normal(5),
            i=np.array([0, 1, 2, 2, 4, 0]),
            j=np.array([3, 3, 0, 1, 2, 4]),
            x=random.random(6) * 150,
        )

    @staticmethod
    def forward(W, C, bw, bc, i, j, x):
        f = np.where(x < 100, (x / 100) ** 0.75, 1.0)
        diff = np.sum(W[i] * C[j], axis=1) + bw[i] + bc[j] - np.log(x)
        return 0.5 * np.sum(f * diff**2)

    @staticmethod
    def expert(W, C, bw, bc, i, j, x):
        f = np.where(x < 100, (x / 100) ** 0.75, 1.0)
        Wi, Cj = W[i], C[j]
        diff = np.sum(Wi * Cj, axis=1) + bw[i] + bc[j] - np.log(x)
        yield 0.5 * np.sum(f * diff**2)
        d = f * diff
        dW, dC, dbw, dbc = np.zeros_like(W), np.zeros_like(C), np.zeros_like(bw), np.zeros_like(bc)
        np.add.at(dW, i, d[:, None] * Cj)
        np.add.at(dC, j, d[:, None] * Wi)
        np.add.at(dbw, i, d)
        np.add.at(dbc, j, d)
        return dict(W=dW, C=dC, bw=dbw, bc=dbc)


class PoissonFactorisation(Form):
    title, group = "Poisson matrix factorisation with logarithmic factors", "factorisation"
    wrt = "A B"
    needs = "OUT CANC MM"
    ref = "Gopalan et al. 2015; Lee & Seung 2001 (gradient of the divergence)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(Y=random.integers(0, 5, (5, 4)), A=0.3 * normal((5, 2)), B=0.3 * normal((4, 2)), lam=0.1)

    @staticmethod
    def forward(Y, A, B, lam):
        theta, beta = np.exp(A), np.exp(B)
        rate = theta @ beta.T
        return np.sum(rate - Y * np.log(rate)) + lam * (np.sum(theta) + np.sum(beta))

    @staticmethod
    def expert(Y, A, B, lam):
        theta, beta = np.exp(A), np.exp(B)
        rate = theta @ beta.T
        yield np.sum(rate - Y * np.log(rate)) + lam * (np.sum(theta) + np.sum(beta))
        d = 1 - Y / rate
        return dict(A=theta * (d @ beta + lam), B=beta * (d.T @ theta + lam))


class ProbabilisticPca(Form):
    title, group = "Likelihood of probabilistic PCA of a covariance matrix", "likelihood"
    wrt = "W log_s2"
    needs = "SYM MM"
    assumes = "S is symmetric"
    assume = {"S": "symmetric"}
    ref = "Tipping & Bishop 1999 eq. 4-5"

    @staticmethod
    def make(random):
        A = random.standard_normal((4, 4))
        return dict(W=random.standard_normal((4, 2)), S=A @ A.T, log_s2=-0.3)

    @staticmethod
    def forward(W, S, log_s2):
        C = W @ W.T + np.exp(log_s2) * np.eye(len(S))
        return 0.5 * (np.linalg.slogdet(C)[1] + np.trace(np.linalg.solve(C, S)))

    @staticmethod
    def expert(W, S, log_s2):
        s2 = np.exp(log_s2)
        C = W @ W.T + s2 * np.eye(len(S))
        M = np.linalg.solve(C, S)
        yield 0.5 * (np.linalg.slogdet(C)[1] + np.trace(M))
        P = np.linalg.inv(C)
        G = P - M @ P
        return dict(W=G @ W, log_s2=0.5 * s2 * np.trace(G))


class GaussianPolicy(Form):
    title, group = "Policy gradient of a Gaussian policy, baseline by regression", "policies"
    wrt = "W log_std v"
    needs = "SCAL FACT UNB MM"
    ref = "Williams 1992 s.6; Sutton & Barto 2018 ch. 13"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            S=normal((6, 3)),
            A=normal((6, 2)),
            R=normal(6),
            adv=normal(6),
            W=normal((3, 2)),
            log_std=0.2 * normal(2),
            v=normal(3),
        )

    @staticmethod
    def forward(S, A, R, adv, W, log_std, v):
        mu = S @ W
        z = (A - mu) / np.exp(log_std)
        log_prob = np.sum(-0.5 * z**2 - log_std - 0.5 * np.log(2 * np.pi), axis=1)
        value_loss = np.mean((S @ v - R) ** 2)
        return -np.mean(log_prob * adv) + 0.5 * value_loss

    @staticmethod
    def expert(S, A, R, adv, W, log_std, v):
        std = np.exp(log_std)
        z = (A - S @ W) / std
        log_prob = np.sum(-0.5 * z**2 - log_std - 0.5 * np.log(2 * np.pi), axis=1)
        gap = S @ v - R
        yield -np.mean(log_prob * adv) + 0.5 * np.mean(gap**2)
        n = len(R)
        w = adv / n
        d = w[:, None] * z
        return dict(W=-(S.T @ d) / std, log_std=np.sum(w) - np.sum(d * z, axis=0), v=gap @ S / n)


class QuantileHuber(Form):
    title, group = "Quantile Huber loss of distributional Q-learning", "policies"
    wrt = "theta"
    needs = "MASK UNB SCAL"
    ref = "Dabney et al. 2018 eq. 9-10"

    @staticmethod
    def make(random):
        return dict(theta=2 * random.standard_normal((4, 3)), target=2 * random.standard_normal((4, 5)), kappa=1.0)

    @staticmethod
    def forward(theta, target, kappa):
        N = theta.shape[1]
        tau = (np.arange(N) + 0.5) / N
        u = target[:, None, :] - theta[:, :, None]
        a = np.abs(u)
        huber = np.where(a <= kappa, 0.5 * u**2, kappa * (a - 0.5 * kappa))
        w = np.abs(tau[:, None] - (u < 0))
        return np.mean(np.sum(np.mean(w * huber, axis=2), axis=1))

    @staticmethod
    def expert(theta, target, kappa):
        N = theta.shape[1]
        tau = (np.arange(N) + 0.5) / N
        u = target[:, None, :] - theta[:, :, None]
        a = np.abs(u)
        huber = np.where(a <= kappa, 0.5 * u**2, kappa * (a - 0.5 * kappa))
        w = np.abs(tau[:, None] - (u < 0))
        yield np.mean(np.sum(np.mean(w * huber, axis=2), axis=1))
        return dict(theta=np.sum(w * np.clip(u, -kappa, kappa), axis=2) / (-len(u) * u.shape[2]))


class DirectPreference(Form):
    title, group = "Direct preference optimisation of sequences, token log-probabilities", "policies"
    wrt = "zw zl"
    needs = "SMAX SIG SCAT SCAL"
    ref = "Rafailov et al. 2023 eq. 7 and appendix A.4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            zw=normal((5, 4)),
            zl=normal((5, 4)),
            yw=np.array([0, 3, 1, 2, 1]),
            yl=np.array([1, 1, 0, 3, 2]),
            ref_w=-3.0,
            ref_l=-5.0,
            beta=0.4,
        )

    @staticmethod
    def forward(zw, zl, yw, yl, ref_w, ref_l, beta):
        t = np.arange(len(yw))
        logp_w = np.sum(log_softmax(zw)[t, yw])
        logp_l = np.sum(log_softmax(zl)[t, yl])
        margin = beta * ((logp_w - ref_w) - (logp_l - ref_l))
        return -np.log(1 / (1 + np.exp(-margin)))

    @staticmethod
    def expert(zw, zl, yw, yl, ref_w, ref_l, beta):
        t = np.arange(len(yw))
        lw, ll = log_softmax(zw), log_softmax(zl)
        margin = beta * ((np.sum(lw[t, yw]) - ref_w) - (np.sum(ll[t, yl]) - ref_l))
        s = 1 / (1 + np.exp(-margin))
        yield -np.log(s)
        k = beta * (1 - s)
        dw = k * np.exp(lw)
        dw[t, yw] -= k
        dl = -k * np.exp(ll)
        dl[t, yl] += k
        return dict(zw=dw, zl=dl)


class FreeEnergy(Form):
    title, group = "Contrastive divergence: free energies of a restricted Boltzmann machine", "generative"
    wrt = "W b c"
    needs = "SIG SCAL MM"
    ref = "Hinton 2012 (practical guide) eq. 8-13; Tieleman 2008"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        bits = random.integers
        return dict(V=bits(0, 2, (5, 4)) * 1.0, F=bits(0, 2, (5, 4)) * 1.0, W=normal((4, 3)), b=normal(4), c=normal(3))

    @staticmethod
    def forward(V, F, W, b, c):
        data = -V @ b - np.sum(np.logaddexp(0, V @ W + c), axis=1)
        model = -F @ b - np.sum(np.logaddexp(0, F @ W + c), axis=1)
        return np.mean(data - model)

    @staticmethod
    def expert(V, F, W, b, c):
        hv, hf = V @ W + c, F @ W + c
        data = -V @ b - np.sum(np.logaddexp(0, hv), axis=1)
        model = -F @ b - np.sum(np.logaddexp(0, hf), axis=1)
        yield np.mean(data - model)
        n = len(V)
        pv = 1 / (n * (1 + np.exp(-hv)))
        pf = 1 / (n * (1 + np.exp(-hf)))
        return dict(W=F.T @ pf - V.T @ pv, b=np.mean(F - V, axis=0), c=(pf - pv).sum(axis=0))


class PoincareDistance(Form):
    title, group = "Ranking of hyperbolic distances in the Poincare ball", "embedding"
    wrt = "u V"
    needs = "SMAX FACT CANC"
    ref = "Nickel & Kiela 2017 eq. 3-6"

    @staticmethod
    def make(random):
        return dict(u=0.3 * random.standard_normal(3), V=0.2 * random.standard_normal((5, 3)))

    @staticmethod
    def forward(u, V):
        diff = V - u
        a = 1 - np.sum(u**2)
        b = 1 - np.sum(V**2, axis=1)
        x = 1 + 2 * np.sum(diff**2, axis=1) / (a * b)
        d = np.arccosh(x)
        return d[0] + np.log(np.sum(np.exp(-d)))

    @staticmethod
    def expert(u, V):
        diff = V - u
        a = 1 - np.sum(u**2)
        b = 1 - np.sum(V**2, axis=1)
        ab = a * b
        half = 2 * np.sum(diff**2, axis=1) / ab
        x = 1 + half
        d = np.arccosh(x)
        e = np.exp(-d)
        total = np.sum(e)
        yield d[0] + np.log(total)
        dd = e / -total
        dd[0] += 1
        dx = dd / np.sqrt(x**2 - 1)
        s = (4 * dx / ab)[:, None] * diff
        t = dx * half
        return dict(u=(2 / a) * t.sum() * u - s.sum(axis=0), V=s + (2 * t / b)[:, None] * V)


class SlicedWasserstein(Form):
    title, group = "Sliced Wasserstein distance along given directions", "transport"
    wrt = "X"
    needs = "SCAT SEED MM"
    ref = "Bonneel et al. 2015 eq. 14"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 3)), Y=normal((6, 3)), D=normal((3, 4)))

    @staticmethod
    def forward(X, Y, D):
        p = np.sort(X @ D, axis=0)
        q = np.sort(Y @ D, axis=0)
        return np.mean((p - q) ** 2)

    @staticmethod
    def expert(X, Y, D):
        proj = X @ D
        gap = np.sort(proj, axis=0) - np.sort(Y @ D, axis=0)
        yield np.mean(gap**2)
        order = np.argsort(proj, axis=0)
        d = np.zeros_like(gap)
        d[order, np.arange(D.shape[1])] = (2 / gap.size) * gap
        return dict(X=d @ D.T)


class TargetAdversary(Form):
    title, group = "Least-squares critic with a feature-matching penalty", "generative"
    wrt = "W v"
    needs = "MASK SEED MM"
    ref = "Mao et al. 2017 eq. 2; Salimans et al. 2016 s.3.1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(real=normal((5, 3)), fake=normal((4, 3)), W=normal((3, 4)), v=normal(4), lam=0.2)

    @staticmethod
    def forward(real, fake, W, v, lam):
        hr = np.maximum(real @ W, 0)
        hf = np.maximum(fake @ W, 0)
        critic = 0.5 * np.mean((hr @ v - 1) ** 2) + 0.5 * np.mean((hf @ v) ** 2)
        return critic + lam * np.sum((hr.mean(axis=0) - hf.mean(axis=0)) ** 2)

    @staticmethod
    def expert(real, fake, W, v, lam):
        hr = np.maximum(real @ W, 0)
        hf = np.maximum(fake @ W, 0)
        er, ef = hr @ v - 1, hf @ v
        gap = hr.mean(axis=0) - hf.mean(axis=0)
        yield 0.5 * np.mean(er**2) + 0.5 * np.mean(ef**2) + lam * np.sum(gap**2)
        dr, df = er / len(er), ef / len(ef)
        match = (2 * lam) * gap
        ar = (np.outer(dr, v) + match / len(er)) * (hr > 0)
        af = (np.outer(df, v) - match / len(ef)) * (hf > 0)
        return dict(W=real.T @ ar + fake.T @ af, v=dr @ hr + df @ hf)
