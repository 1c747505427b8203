"""Held out: embeddings of words, items and points."""

import numpy as np

from tests.forms.form import Form


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class NaiveSoftmaxSkipGram(Form):
    title, group = "Skip-gram softmax of one centre and one outside word", "embeddings"
    wrt = "v_c U"
    needs = "SEED SMAX CANC SCAT MM"
    ref = "CS224n assignment 2, naiveSoftmaxLossAndGradient"

    @staticmethod
    def make(random):
        return dict(v_c=random.standard_normal(4), o=2, U=random.standard_normal((6, 4)))

    @staticmethod
    def forward(v_c, o, U):
        scores = np.dot(U, v_c)
        e = np.exp(scores - np.max(scores))
        y_hat = e / np.sum(e)
        return -np.log(y_hat[o])

    @staticmethod
    def expert(v_c, o, U):
        scores = np.dot(U, v_c)
        e = np.exp(scores - np.max(scores))
        y_hat = e / np.sum(e)
        yield -np.log(y_hat[o])
        y_hat[o] -= 1
        return dict(v_c=np.dot(U.T, y_hat), U=np.outer(y_hat, v_c))


class NegativeSampling(Form):
    title, group = "Skip-gram with negative samples, some drawn twice", "embeddings"
    wrt = "V U"
    needs = "SEED SIG CANC SCAT MM UNB"
    ref = "Mikolov et al. 2013 eq. 4; CS224n assignment 2, negSamplingLossAndGradient"

    @staticmethod
    def make(random):
        return dict(
            V=random.standard_normal((5, 3)),
            U=random.standard_normal((6, 3)),
            centre=1,
            outside=2,
            negatives=np.array([0, 4, 4, 5]),
        )

    @staticmethod
    def forward(V, U, centre, outside, negatives):
        v = V[centre]
        loss = -np.log(sigmoid(U[outside] @ v))
        loss -= np.sum(np.log(sigmoid(-U[negatives] @ v)))
        return loss

    @staticmethod
    def expert(V, U, centre, outside, negatives):
        v, u = V[centre], U[outside]
        minus_K = -U[negatives]
        p = sigmoid(u @ v)
        q = sigmoid(minus_K @ v)
        yield -np.log(p) - np.sum(np.log(q))
        d = q - 1  # of minus_K @ v
        dV = np.zeros_like(V)
        dV[centre] = d @ minus_K + (p - 1) * u
        dU = np.zeros_like(U)
        np.add.at(dU, negatives, np.outer(-d, v))
        dU[outside] += (p - 1) * v
        return dict(V=dV, U=dU)


class CbowWindowMean(Form):
    title, group = "CBOW: mean of the context embeddings, full softmax", "embeddings"
    wrt = "W_in W_out"
    needs = "SEED SCAL SMAX SCAT MM"
    ref = "Rong 2014, word2vec parameter learning explained, s.1.2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            context=random.integers(0, 6, (5, 4)),
            target=random.integers(0, 6, 5),
            W_in=normal((6, 3)),
            W_out=normal((3, 6)),
        )

    @staticmethod
    def forward(context, target, W_in, W_out):
        h = W_in[context].mean(axis=1)
        u = h @ W_out
        E = np.log(np.exp(u).sum(axis=1)) - u[np.arange(len(target)), target]
        return E.mean()

    @staticmethod
    def expert(context, target, W_in, W_out):
        n = len(target)
        rows = np.arange(n)
        h = W_in[context].mean(axis=1)
        u = h @ W_out
        e = np.exp(u)
        s = e.sum(axis=1)
        yield (np.log(s) - u[rows, target]).mean()
        d = e / (n * s)[:, None]
        d[rows, target] -= 1 / n
        dh = d @ W_out.T / context.shape[1]
        dW_in = np.zeros_like(W_in)
        np.add.at(dW_in, context, dh[:, None])
        return dict(W_in=dW_in, W_out=h.T @ d)


class GloveObjective(Form):
    title, group = "GloVe: weighted least squares of log counts", "embeddings"
    wrt = "W C bw bc"
    needs = "SEED SCAL MM UNB"
    ref = "Pennington, Socher & Manning 2014 eq. 8"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=random.integers(1, 200, (5, 6)).astype(float),
            W=normal((5, 3)),
            C=normal((6, 3)),
            bw=normal(5),
            bc=normal(6),
        )

    @staticmethod
    def forward(X, W, C, bw, bc):
        f = np.where(X < 100, (X / 100) ** 0.75, 1.0)
        diff = W @ C.T + bw[:, None] + bc[None, :] - np.log(X)
        return np.sum(f * diff**2)

    @staticmethod
    def expert(X, W, C, bw, bc):
        f = np.where(X < 100, (X / 100) ** 0.75, 1.0)
        diff = W @ C.T + bw[:, None] + bc[None, :] - np.log(X)
        yield np.sum(f * diff**2)
        d = 2 * f * diff
        return dict(W=d @ C, C=d.T @ W, bw=d.sum(axis=1), bc=d.sum(axis=0))


class FactorisationMachine(Form):
    title, group = "Factorisation machine of second order, squared error", "embeddings"
    wrt = "w0 w V"
    needs = "SEED SCAL OUT MM UNB FACT"
    ref = "Rendle 2010 eq. 4 and lemma 3.1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 4)), y=normal(6), w0=np.array(0.3), w=normal(4), V=normal((4, 2)))

    @staticmethod
    def forward(X, y, w0, w, V):
        interactions = 0.5 * np.sum(np.dot(X, V) ** 2 - np.dot(X**2, V**2), axis=1)
        y_pred = w0 + np.dot(X, w) + interactions
        return np.mean((y_pred - y) ** 2)

    @staticmethod
    def expert(X, y, w0, w, V):
        XV = np.dot(X, V)
        X2 = X**2
        r = w0 + np.dot(X, w) + 0.5 * np.sum(XV**2 - np.dot(X2, V**2), axis=1) - y
        yield np.mean(r**2)
        d = 2 / len(y) * r
        dV = np.dot(X.T, d[:, None] * XV) - np.dot(d, X2)[:, None] * V
        return dict(w0=d.sum(), w=np.dot(d, X), V=dV)


class BayesianPersonalisedRanking(Form):
    title, group = "Bayesian personalised ranking of matrix factors with decay of the rows used", "embeddings"
    wrt = "P Q"
    needs = "SEED SCAL SIG CANC SCAT FACT"
    ref = "Rendle et al. 2009, BPR-MF update rules"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        ids = random.integers
        return dict(P=normal((4, 3)), Q=normal((6, 3)), u=ids(0, 4, 7), i=ids(0, 6, 7), j=ids(0, 6, 7), reg=0.05)

    @staticmethod
    def forward(P, Q, u, i, j, reg):
        x_uij = np.einsum("bd,bd->b", P[u], Q[i] - Q[j])
        decay = reg * ((P[u] ** 2).sum() + (Q[i] ** 2).sum() + (Q[j] ** 2).sum())
        return -np.log(sigmoid(x_uij)).sum() + decay

    @staticmethod
    def expert(P, Q, u, i, j, reg):
        Pu, Qi, Qj = P[u], Q[i], Q[j]
        gap = Qi - Qj
        s = sigmoid(np.einsum("bd,bd->b", Pu, gap))
        yield -np.log(s).sum() + reg * ((Pu**2).sum() + (Qi**2).sum() + (Qj**2).sum())
        d = (s - 1)[:, None]
        dPu = d * Pu
        dP, dQ = np.zeros_like(P), np.zeros_like(Q)
        np.add.at(dP, u, d * gap + 2 * reg * Pu)
        np.add.at(dQ, i, dPu + 2 * reg * Qi)
        np.add.at(dQ, j, 2 * reg * Qj - dPu)
        return dict(P=dP, Q=dQ)


class TransE(Form):
    title, group = "TransE: margin ranking of translated entities by squared distances", "embeddings"
    wrt = "E R"
    needs = "SEED SCAL MASK SCAT FACT"
    ref = "Bordes et al. 2013 eq. 1"

    @staticmethod
    def make(random):
        ids = random.integers
        return dict(
            E=random.standard_normal((6, 3)),
            R=random.standard_normal((2, 3)),
            h=ids(0, 6, 5),
            r=ids(0, 2, 5),
            t=ids(0, 6, 5),
            t_bad=ids(0, 6, 5),
            gamma=1.0,
        )

    @staticmethod
    def forward(E, R, h, r, t, t_bad, gamma):
        good = ((E[h] + R[r] - E[t]) ** 2).sum(1)
        bad = ((E[h] + R[r] - E[t_bad]) ** 2).sum(1)
        return np.maximum(gamma + good - bad, 0).sum()

    @staticmethod
    def expert(E, R, h, r, t, t_bad, gamma):
        Et, Eb = E[t], E[t_bad]
        translated = E[h] + R[r]
        a, b = translated - Et, translated - Eb
        loss = np.maximum(gamma + (a**2).sum(1) - (b**2).sum(1), 0)
        yield loss.sum()
        active = 2.0 * (loss > 0)[:, None]
        da, db = active * a, active * b
        dq = da - db
        dE, dR = np.zeros_like(E), np.zeros_like(R)
        np.add.at(dE, h, dq)
        np.add.at(dR, r, dq)
        np.subtract.at(dE, t, da)
        np.add.at(dE, t_bad, db)
        return dict(E=dE, R=dR)


class TsneKl(Form):
    title, group = "t-SNE: Kullback-Leibler divergence of Student affinities", "embeddings"
    wrt = "Y"
    needs = "SEED SCAL SMAX CANC SYM MM UNB ASM"
    assumes = "P is symmetric, adds to 1 and has a diagonal of zeros"
    ref = "van der Maaten & Hinton 2008 eq. 5 and app. A"

    @staticmethod
    def make(random):
        P = random.random((6, 6))
        P = (P + P.T) * (1 - np.eye(6))
        return dict(P=P / P.sum(), Y=random.standard_normal((6, 2)))

    @staticmethod
    def forward(P, Y):
        sum_Y = np.sum(np.square(Y), 1)
        num = 1.0 / (1.0 + (sum_Y[:, None] + sum_Y - 2.0 * np.dot(Y, Y.T)))
        num = num * (1 - np.eye(len(Y)))
        Q = num / np.sum(num)
        return np.sum(P * np.log((P + 1e-12) / (Q + 1e-12)))

    @staticmethod
    def expert(P, Y):
        sum_Y = np.sum(np.square(Y), 1)
        num = 1.0 / (1.0 + (sum_Y[:, None] + sum_Y - 2.0 * np.dot(Y, Y.T)))
        num = num * (1 - np.eye(len(Y)))
        Z = np.sum(num)
        Q = num / Z
        Q_eps = Q + 1e-12
        yield np.sum(P * np.log((P + 1e-12) / Q_eps))
        # The floor of 1e-12 keeps log finite, and is kept in the derivative.
        R = P / Q_eps
        A = (R - np.sum(R * Q)) * num**2 * (4 / Z)
        return dict(Y=np.sum(A, 1)[:, None] * Y - np.dot(A, Y))


class MetricStress(Form):
    title, group = "Metric multidimensional scaling: raw stress of pairwise distances", "embeddings"
    wrt = "X"
    needs = "SEED SCAL OUT CANC SCAT UNB ASM"
    assumes = "no two points coincide"
    ref = "Borg & Groenen 2005 s.8.3 (derivative of raw stress)"

    @staticmethod
    def make(random):
        D = random.random((6, 6)) + 0.5
        return dict(delta=np.triu(D, 1) + np.triu(D, 1).T, X=random.standard_normal((6, 2)))

    @staticmethod
    def forward(delta, X):
        i, j = np.triu_indices(len(X), 1)
        d = np.linalg.norm(X[i] - X[j], axis=1)
        return np.sum((d - delta[i, j]) ** 2)

    @staticmethod
    def expert(delta, X):
        i, j = np.triu_indices(len(X), 1)
        diff = X[i] - X[j]
        d = np.linalg.norm(diff, axis=1)
        r = d - delta[i, j]
        yield np.sum(r**2)
        pull = (2 * r / d)[:, None] * diff
        dX = np.zeros_like(X)
        np.add.at(dX, i, pull)
        np.subtract.at(dX, j, pull)
        return dict(X=dX)
