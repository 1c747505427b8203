"""Held out: likelihoods of latent-variable and sequence models."""

import numpy as np
from scipy.special import digamma, gammaln

from tests.forms.form import Form


def log_sum_exp(a, axis):
    m = a.max(axis=axis, keepdims=True)
    return np.log(np.exp(a - m).sum(axis=axis)) + np.squeeze(m, axis)


class FullCovarianceMixture(Form):
    title, group = "Mixture of Gaussians with Cholesky factors of the precisions", "likelihoods"
    wrt = "alphas means chols"
    needs = "SEED SCAL SMAX CANC OUT UNB MM SCAT"
    stretch = True
    ref = "Bishop 2006 s.9.2; Shah et al. 2022, ADBench (GMM)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        chols = np.tril(0.3 * normal((3, 2, 2)), -1) + np.eye(2) * (0.5 + random.random((3, 2, 1)))
        return dict(X=normal((6, 2)), alphas=normal(3), means=normal((3, 2)), chols=chols)

    @staticmethod
    def forward(X, alphas, means, chols):
        y = np.einsum("kij,nkj->nki", chols, X[:, None] - means)
        logdet = np.sum(np.log(np.einsum("kii->ki", chols)), axis=1)
        inner = alphas + logdet - 0.5 * np.sum(y**2, axis=2)
        return -np.sum(log_sum_exp(inner, 1)) + len(X) * np.log(np.sum(np.exp(alphas)))

    @staticmethod
    def expert(X, alphas, means, chols):
        n, K, D = len(X), *means.shape
        diff = X[:, None] - means
        y = np.einsum("kij,nkj->nki", chols, diff)
        diag = np.einsum("kii->ki", chols)
        inner = alphas + np.sum(np.log(diag), axis=1) - 0.5 * np.sum(y**2, axis=2)
        m = inner.max(axis=1, keepdims=True)
        e = np.exp(inner - m)
        s = e.sum(axis=1)
        ea = np.exp(alphas)
        sa = np.sum(ea)
        yield -np.sum(np.log(s) + m[:, 0]) + n * np.log(sa)
        R = e / s[:, None]
        N_k = R.sum(axis=0)
        Ry = R[:, :, None] * y
        dchols = np.einsum("nki,nkj->kij", Ry, diff)
        ks, ds = np.arange(K)[:, None], np.arange(D)
        dchols[ks, ds, ds] -= N_k[:, None] / diag
        return dict(alphas=n / sa * ea - N_k, means=-np.einsum("ki,kij->kj", Ry.sum(axis=0), chols), chols=dchols)


class HmmScaledForward(Form):
    title, group = "Hidden Markov model: scaled forward algorithm over three observations", "likelihoods"
    wrt = "pi A B"
    needs = "SEED OUT CANC SCAT MM ZERO"
    ref = "Rabiner 1989 s.V.A (scaling); Baum-Welch counts as derivatives, Salakhutdinov et al. 2003"

    @staticmethod
    def make(random):
        def rows(*shape):
            p = random.random(shape) + 0.2
            return p / p.sum(axis=-1, keepdims=True)

        return dict(pi=rows(3), A=rows(3, 3), B=rows(3, 4), obs=random.integers(0, 4, 3))

    @staticmethod
    def forward(pi, A, B, obs):
        alpha = pi * B[:, obs[0]]
        log_lik = np.log(alpha.sum())
        alpha = alpha / alpha.sum()
        for o in obs[1:]:
            alpha = (alpha @ A) * B[:, o]
            c = alpha.sum()
            alpha = alpha / c
            log_lik = log_lik + np.log(c)
        return -log_lik

    @staticmethod
    def expert(pi, A, B, obs):
        T = len(obs)
        emitted = [B[:, o] for o in obs]
        joint = pi * emitted[0]
        c = [joint.sum()]
        alphas, predicted = [joint / c[0]], [pi]
        for t in range(1, T):
            predicted.append(alphas[-1] @ A)
            joint = predicted[t] * emitted[t]
            c.append(joint.sum())
            alphas.append(joint / c[t])
        yield -sum(np.log(ct) for ct in c)
        # d log_lik / d joint_t = beta_t / c_t with the scaled backward messages, of which the last is 1.
        dA, dB = np.zeros_like(A), np.zeros_like(B)
        message = -1 / c[-1]
        for t in range(T - 1, 0, -1):
            dB[:, obs[t]] += message * predicted[t]
            dpred = message * emitted[t]
            dA += np.outer(alphas[t - 1], dpred)
            message = A @ dpred / c[t - 1]
        dB[:, obs[0]] += message * pi
        return dict(pi=message * emitted[0], A=dA, B=dB)


class LinearChainCrf(Form):
    title, group = (
        "Linear-chain CRF: log-partition by log-sum-exp over three steps, less the score of the labels",
        "likelihoods",
    )
    wrt = "feats transitions"
    needs = "SEED SMAX CANC SCAT OUT UNB"
    ref = "Lafferty, McCallum & Pereira 2001; Lample et al. 2016; PyTorch BiLSTM-CRF tutorial"

    @staticmethod
    def make(random):
        return dict(
            feats=random.standard_normal((4, 3)),
            transitions=random.standard_normal((3, 3)),
            tags=random.integers(0, 3, 4),
        )

    @staticmethod
    def forward(feats, transitions, tags):
        alpha = feats[0]
        for feat in feats[1:]:
            alpha = feat + log_sum_exp(alpha[:, None] + transitions, axis=0)
        gold = feats[np.arange(len(tags)), tags].sum() + transitions[tags[:-1], tags[1:]].sum()
        return log_sum_exp(alpha, axis=0) - gold

    @staticmethod
    def expert(feats, transitions, tags):
        T = len(tags)
        alpha = feats[0]
        pairs = []
        for t in range(1, T):
            a = alpha[:, None] + transitions
            m = a.max(axis=0, keepdims=True)
            e = np.exp(a - m)
            s = e.sum(axis=0)
            pairs.append((e, s))
            alpha = feats[t] + (np.log(s) + m[0])
        m = alpha.max()
        e = np.exp(alpha - m)
        s = e.sum()
        rows = np.arange(T)
        gold = feats[rows, tags].sum() + transitions[tags[:-1], tags[1:]].sum()
        yield np.log(s) + m - gold
        marginals = [e / s]
        dtransitions = 0
        for e, s in reversed(pairs):
            joint = e * (marginals[-1] / s)
            dtransitions = dtransitions + joint if len(marginals) > 1 else joint
            marginals.append(joint.sum(axis=1))
        dfeats = np.stack(marginals[::-1])
        dfeats[rows, tags] -= 1
        np.subtract.at(dtransitions, (tags[:-1], tags[1:]), 1)
        return dict(feats=dfeats, transitions=dtransitions)


class KalmanStepLikelihood(Form):
    title, group = "Kalman filter: predict, innovation likelihood of one step", "likelihoods"
    wrt = "F y"
    needs = "SEED SCAL SYM OUT MM FACT ASM"
    assumes = "P, Q and R are symmetric"
    stretch = True
    ref = "Durbin & Koopman 2012 s.7.2; Giles 2008 s.2.3 (log determinant, inverse)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        A = normal((3, 3))
        return dict(
            m=normal(3),
            P=A @ A.T + np.eye(3),
            F=normal((3, 3)),
            Q=0.5 * np.eye(3),
            H=normal((2, 3)),
            R=np.eye(2),
            y=normal(2),
        )

    @staticmethod
    def forward(m, P, F, Q, H, R, y):
        m_pred = F @ m
        P_pred = F @ P @ F.T + Q
        v = y - H @ m_pred
        S = H @ P_pred @ H.T + R
        return 0.5 * (np.linalg.slogdet(S)[1] + v @ np.linalg.solve(S, v) + len(v) * np.log(2 * np.pi))

    @staticmethod
    def expert(m, P, F, Q, H, R, y):
        FP = F @ P
        v = y - H @ (F @ m)
        S = H @ (FP @ F.T + Q) @ H.T + R
        u = np.linalg.solve(S, v)
        yield 0.5 * (np.linalg.slogdet(S)[1] + v @ u + len(v) * np.log(2 * np.pi))
        dS = np.linalg.inv(S) - np.outer(u, u)  # twice the cotangent of S
        return dict(F=H.T @ (dS @ (H @ FP) - np.outer(u, m)), y=u)


class DirichletMultinomial(Form):
    title, group = "Dirichlet-multinomial likelihood of count vectors", "likelihoods"
    wrt = "log_alpha"
    needs = "SEED SCAL OUT UNB FACT"
    ref = "Minka 2000, estimating a Dirichlet distribution, eq. 53 (gradient)"

    @staticmethod
    def make(random):
        return dict(counts=random.integers(0, 6, (5, 4)), log_alpha=0.5 * random.standard_normal(4))

    @staticmethod
    def forward(counts, log_alpha):
        alpha = np.exp(log_alpha)
        n = counts.sum(axis=1)
        log_norm = gammaln(alpha.sum()) - gammaln(n + alpha.sum())
        return -(log_norm + (gammaln(counts + alpha) - gammaln(alpha)).sum(axis=1)).sum()

    @staticmethod
    def expert(counts, log_alpha):
        alpha = np.exp(log_alpha)
        total = alpha.sum()
        n_total = counts.sum(axis=1) + total
        posterior = counts + alpha
        log_norm = gammaln(total) - gammaln(n_total)
        yield -(log_norm + (gammaln(posterior) - gammaln(alpha)).sum(axis=1)).sum()
        N = len(counts)
        shared = digamma(n_total).sum() - N * digamma(total)
        return dict(log_alpha=alpha * (shared + N * digamma(alpha) - digamma(posterior).sum(axis=0)))


class TopicModelLikelihood(Form):
    title, group = "Probabilistic latent semantic analysis with softmax parameters", "likelihoods"
    wrt = "theta phi"
    needs = "SEED SCAL SMAX CANC OUT MM FACT"
    ref = "Hofmann 1999"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(counts=random.integers(0, 5, (4, 6)), theta=normal((4, 2)), phi=normal((2, 6)))

    @staticmethod
    def forward(counts, theta, phi):
        def softmax(a):
            e = np.exp(a - a.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        return -np.sum(counts * np.log(softmax(theta) @ softmax(phi)))

    @staticmethod
    def expert(counts, theta, phi):
        def softmax(a):
            e = np.exp(a - a.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        T, P = softmax(theta), softmax(phi)
        M = T @ P
        yield -np.sum(counts * np.log(M))
        G = counts / M
        GT, GP = T * (G @ P.T), P * (T.T @ G)
        # Rows of GT add to the number of words of a document, rows of GP to that of a topic.
        return dict(
            theta=T * GT.sum(axis=1, keepdims=True) - GT,
            phi=P * GP.sum(axis=1, keepdims=True) - GP,
        )


class RestrictedBoltzmannFreeEnergy(Form):
    title, group = "Contrastive divergence: free energy of data less that of fantasies", "likelihoods"
    wrt = "W b c"
    needs = "SEED SCAL SIG CANC MM UNB FACT"
    ref = "Hinton 2012, a practical guide to training RBMs, eq. 25; deeplearning.net rbm.py"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        bits = (random.random((2, 5, 4)) > 0.5).astype(float)
        return dict(v_data=bits[0], v_model=bits[1], W=normal((4, 3)), b=normal(4), c=normal(3))

    @staticmethod
    def forward(v_data, v_model, W, b, c):
        def free_energy(v):
            return -np.dot(v, b) - np.sum(np.log(1 + np.exp(np.dot(v, W) + c)), axis=1)

        return np.mean(free_energy(v_data)) - np.mean(free_energy(v_model))

    @staticmethod
    def expert(v_data, v_model, W, b, c):
        u_data = 1 + np.exp(np.dot(v_data, W) + c)
        u_model = 1 + np.exp(np.dot(v_model, W) + c)
        energy_data = -np.dot(v_data, b) - np.sum(np.log(u_data), axis=1)
        energy_model = -np.dot(v_model, b) - np.sum(np.log(u_model), axis=1)
        yield np.mean(energy_data) - np.mean(energy_model)
        n = len(v_data)
        # the probabilities of the hidden units are 1 - 1 / u
        h_data = (1 - 1 / u_data) / n
        h_model = (1 - 1 / u_model) / n
        return dict(
            W=np.dot(v_model.T, h_model) - np.dot(v_data.T, h_data),
            b=np.mean(v_model - v_data, axis=0),
            c=np.sum(h_model - h_data, axis=0),
        )
