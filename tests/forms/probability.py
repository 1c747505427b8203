"""Densities, mixtures and Gaussian processes."""

import numpy as np

from tests.forms.form import Form


class MvnCholesky(Form):
    title, group = "Gaussian NLL with a Cholesky factor as parameter", "prob"
    wrt = "mu L"
    needs = "SEED SCAL OUT MM SCAT UNB"
    ref = "Murray 2016; Stan manual (multi_normal_cholesky)"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((6, 3)),
            mu=random.standard_normal(3),
            L=np.tril(random.standard_normal((3, 3))) + 3 * np.eye(3),
        )

    @staticmethod
    def forward(X, mu, L):
        z = np.linalg.solve(L, (X - mu).T)
        return 0.5 * np.sum(z**2) + len(X) * np.sum(np.log(np.diag(L)))

    @staticmethod
    def expert(X, mu, L):
        z = np.linalg.solve(L, (X - mu).T)
        d = np.diag(L)
        yield 0.5 * np.sum(z**2) + len(X) * np.sum(np.log(d))
        a = -np.linalg.solve(L.T, z)
        dL = a @ z.T
        i = np.arange(len(d))
        dL[i, i] += len(X) / d
        return dict(mu=a.sum(1), L=dL)


class GaussianCovariance(Form):
    title, group = "Gaussian negative log-likelihood, covariance AA' + cI, by Cholesky", "prob"
    wrt = "mu A"
    needs = "SEED SCAL OUT SYM MM UNB FACT"
    stretch = True
    ref = "Petersen & Pedersen 2012 s.8.2; Murray 2016"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 3)), mu=normal(3), A=normal((3, 2)))

    @staticmethod
    def forward(X, mu, A):
        n, d = X.shape
        S = A @ A.T + 0.5 * np.eye(d)
        L = np.linalg.cholesky(S)
        z = np.linalg.solve(L, (X - mu).T)
        return 0.5 * np.sum(z**2) + n * np.sum(np.log(np.diagonal(L))) + 0.5 * n * d * np.log(2 * np.pi)

    @staticmethod
    def expert(X, mu, A):
        n, d = X.shape
        S = A @ A.T + 0.5 * np.eye(d)
        L = np.linalg.cholesky(S)
        z = np.linalg.solve(L, (X - mu).T)
        yield 0.5 * np.sum(z**2) + n * np.sum(np.log(np.diagonal(L))) + 0.5 * n * d * np.log(2 * np.pi)
        a = np.linalg.solve(L.T, z)
        return dict(mu=-a.sum(axis=1), A=n * np.linalg.solve(S, A) - a @ (a.T @ A))


class StudentT(Form):
    title, group = "Student's t negative log-likelihood of location and scale", "prob"
    wrt = "mu log_scale"
    needs = "SEED SCAL CANC OUT UNB"
    ref = "Lange et al. 1989"

    @staticmethod
    def make(random):
        return dict(x=random.standard_t(3, 8), mu=np.array(0.2), log_scale=np.array(-0.1), nu=4.0)

    @staticmethod
    def forward(x, mu, log_scale, nu):
        z = (x - mu) / np.exp(log_scale)
        return np.sum((nu + 1) / 2 * np.log1p(z**2 / nu)) + len(x) * log_scale

    @staticmethod
    def expert(x, mu, log_scale, nu):
        scale = np.exp(log_scale)
        z = (x - mu) / scale
        z2 = z**2
        yield np.sum((nu + 1) / 2 * np.log1p(z2 / nu)) + len(x) * log_scale
        w = z / (nu + z2)
        return dict(mu=-(nu + 1) / scale * w.sum(), log_scale=len(x) - (nu + 1) * np.vdot(w, z))


class Gmm(Form):
    title, group = "Mixture of diagonal Gaussians, log-likelihood", "prob"
    wrt = "a mu s"
    needs = "SEED SCAL SMAX CANC OUT UNB MM FACT"
    ref = "Bishop 2006 s.9.2 (responsibilities)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 2)), a=normal(3), mu=normal((3, 2)), s=0.3 * normal((3, 2)))

    @staticmethod
    def forward(X, a, mu, s):
        la = a - a.max()
        la = la - np.log(np.exp(la).sum())
        Z = (X[:, None] - mu) * np.exp(-s)
        Q = la - s.sum(1) - 0.5 * (Z**2).sum(2)
        m = Q.max(1, keepdims=True)
        return -np.sum(m[:, 0] + np.log(np.exp(Q - m).sum(1)))

    @staticmethod
    def expert(X, a, mu, s):
        la = a - a.max()
        ea = np.exp(la)
        sa = ea.sum()
        la = la - np.log(sa)
        w = np.exp(-s)
        Z = (X[:, None] - mu) * w
        Z2 = Z**2
        Q = la - s.sum(1) - 0.5 * Z2.sum(2)
        m = Q.max(1, keepdims=True)
        E = np.exp(Q - m)
        S = E.sum(1)
        yield -np.sum(m[:, 0] + np.log(S))
        R = E / S[:, None]  # responsibilities
        Nk = R.sum(0)
        rz = R[:, :, None] * Z
        return dict(a=ea * (len(X) / sa) - Nk, mu=-w * rz.sum(0), s=Nk[:, None] - (rz * Z).sum(0))


class SphericalMixture(Form):
    title, group = "Mixture of Gaussians with one variance, distances expanded", "prob"
    wrt = "M log_sigma"
    needs = "SEED SCAL SMAX CANC MM UNB FACT"
    ref = "Bishop 2006 s.9.3.2"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((7, 2)), M=random.standard_normal((3, 2)), log_sigma=np.array(0.1))

    @staticmethod
    def forward(X, M, log_sigma):
        n, d = X.shape
        squares = (X**2).sum(axis=1, keepdims=True) - 2 * X @ M.T + (M**2).sum(axis=1)
        a = -0.5 * squares / np.exp(2 * log_sigma)
        top = np.max(a, axis=1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.sum(np.exp(a - top), axis=1))
        return -(log_sum - d * log_sigma).sum()

    @staticmethod
    def expert(X, M, log_sigma):
        n, d = X.shape
        squares = (X**2).sum(axis=1, keepdims=True) - 2 * X @ M.T + (M**2).sum(axis=1)
        variance = np.exp(2 * log_sigma)
        a = -0.5 * squares / variance
        top = np.max(a, axis=1, keepdims=True)
        E = np.exp(a - top)
        S = np.sum(E, axis=1)
        yield -(top[:, 0] + np.log(S) - d * log_sigma).sum()
        R = E / S[:, None]
        dM = (R.sum(axis=0)[:, None] * M - R.T @ X) / variance
        return dict(M=dM, log_sigma=n * d + 2 * np.vdot(R, a))


class GpMarginal(Form):
    title, group = "GP marginal likelihood (Cholesky), RBF kernel hyper-parameters", "prob"
    wrt = "ll ls ln"
    needs = "SEED SCAL OUT SYM FACT UNB"
    stretch = True
    ref = "Rasmussen & Williams 2006 eq. 5.9"

    @staticmethod
    def make(random):
        x = random.standard_normal((5, 2))
        D = np.sum((x[:, None] - x) ** 2, 2)
        return dict(D=D, y=random.standard_normal(5), ll=np.array(0.2), ls=np.array(0.1), ln=np.array(-1.0))

    @staticmethod
    def forward(D, y, ll, ls, ln):
        Kf = np.exp(ls) * np.exp(-0.5 * D * np.exp(-2 * ll))
        K = Kf + np.exp(ln) * np.eye(len(y))
        L = np.linalg.cholesky(K)
        a = np.linalg.solve(L.T, np.linalg.solve(L, y))
        return 0.5 * (y @ a) + np.sum(np.log(np.diag(L)))

    @staticmethod
    def expert(D, y, ll, ls, ln):
        c = np.exp(-2 * ll)
        Dc = -0.5 * D * c
        Kf = np.exp(ls) * np.exp(Dc)
        K = Kf + np.exp(ln) * np.eye(len(y))
        L = np.linalg.cholesky(K)
        a = np.linalg.solve(L.T, np.linalg.solve(L, y))
        yield 0.5 * (y @ a) + np.sum(np.log(np.diag(L)))
        M = np.linalg.inv(K) - np.outer(a, a)
        B = M * Kf
        return dict(ls=0.5 * np.sum(B), ll=-np.sum(B * Dc), ln=0.5 * np.trace(M) * np.exp(ln))


class RelevanceEvidence(Form):
    title, group = "Evidence of Bayesian linear regression with a scale for each feature", "prob"
    wrt = "scales noise"
    needs = "SEED SCAL OUT SYM MM UNB"
    stretch = True
    ref = "Rasmussen & Williams 2006 eq. 5.9; MacKay 1992"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((5, 3)),
            y=random.standard_normal(5),
            scales=random.random(3) + 0.5,
            noise=np.array(0.4),
        )

    @staticmethod
    def forward(X, y, scales, noise):
        Z = X * scales
        K = Z @ Z.T + noise * np.eye(len(y))
        return 0.5 * y @ np.linalg.solve(K, y) + 0.5 * np.linalg.slogdet(K)[1]

    @staticmethod
    def expert(X, y, scales, noise):
        Z = X * scales
        K = Z @ Z.T + noise * np.eye(len(y))
        a = np.linalg.solve(K, y)
        yield 0.5 * (y @ a) + 0.5 * np.linalg.slogdet(K)[1]
        M = np.linalg.inv(K) - np.outer(a, a)
        return dict(scales=(M @ Z * X).sum(axis=0), noise=0.5 * np.trace(M))
