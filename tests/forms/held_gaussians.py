"""Held out: Gaussians, kernels and other linear algebra."""

import numpy as np

from tests.forms.form import Form


def _positive(random, n):
    A = random.standard_normal((n, n))
    return A @ A.T / n + np.eye(n)


class GaussianBySlogdetAndSolve(Form):
    title, group = "Gaussian log-likelihood of rows by slogdet and solve", "linear algebra"
    wrt = "mu Sigma"
    needs = "SEED SCAL SYM OUT MM UNB ASM"
    assumes = "Sigma is symmetric"
    stretch = True
    ref = "Matrix Cookbook eqs. 57 and 61; Murphy 2012 s.4.1.3"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((6, 3)), mu=random.standard_normal(3), Sigma=_positive(random, 3))

    @staticmethod
    def forward(X, mu, Sigma):
        diff = X - mu
        sign, logdet = np.linalg.slogdet(Sigma)
        maha = np.sum(diff.T * np.linalg.solve(Sigma, diff.T))
        return 0.5 * (len(X) * logdet + maha + X.size * np.log(2 * np.pi))

    @staticmethod
    def expert(X, mu, Sigma):
        diff = X - mu
        sign, logdet = np.linalg.slogdet(Sigma)
        A = np.linalg.solve(Sigma, diff.T)
        yield 0.5 * (len(X) * logdet + np.sum(diff.T * A) + X.size * np.log(2 * np.pi))
        return dict(mu=-A.sum(axis=1), Sigma=0.5 * (len(X) * np.linalg.inv(Sigma) - A @ A.T))


class WishartLogDensity(Form):
    title, group = "Wishart log density of a precision built from a factor", "linear algebra"
    wrt = "A"
    needs = "SEED SCAL SYM OUT MM FACT ASM"
    assumes = "V is symmetric"
    stretch = True
    ref = "Matrix Cookbook eqs. 57 and 108; Bishop 2006 eq. B.78"

    @staticmethod
    def make(random):
        return dict(A=random.standard_normal((3, 3)) + 2 * np.eye(3), V=_positive(random, 3), nu=7.0)

    @staticmethod
    def forward(A, V, nu):
        W = A @ A.T
        p = len(A)
        return (nu - p - 1) / 2 * np.log(np.linalg.det(W)) - 0.5 * np.trace(np.linalg.inv(V) @ W)

    @staticmethod
    def expert(A, V, nu):
        W = A @ A.T
        p = len(A)
        V_inv = np.linalg.inv(V)
        yield (nu - p - 1) / 2 * np.log(np.linalg.det(W)) - 0.5 * np.trace(V_inv @ W)
        # log det W = 2 log |det A|
        return dict(A=(nu - p - 1) * np.linalg.inv(A).T - V_inv @ A)


class MahalanobisMetric(Form):
    title, group = "Mahalanobis distances of pairs under a learned map, hinge on the label", "linear algebra"
    wrt = "L"
    needs = "SEED SCAL MASK MM"
    ref = "Weinberger & Saul 2009; Davis et al. 2007"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(A=normal((7, 4)), B=normal((7, 4)), y=np.sign(normal(7)), L=0.5 * normal((2, 4)))

    @staticmethod
    def forward(A, B, y, L):
        D = A - B
        M = L.T @ L
        d2 = np.einsum("ni,ij,nj->n", D, M, D)
        return np.maximum(0, 1 - y * (2 - d2)).sum()

    @staticmethod
    def expert(A, B, y, L):
        D = A - B
        DL = D @ L.T
        d2 = (DL**2).sum(axis=1)
        hinge = np.maximum(0, 1 - y * (2 - d2))
        yield hinge.sum()
        c = 2 * y * (hinge > 0)
        return dict(L=(c[:, None] * DL).T @ D)


class KernelRidgeByDistances(Form):
    title, group = (
        "Kernel ridge regression in the dual, Gaussian kernel of pairwise distances, learned width",
        "linear algebra",
    )
    wrt = "alpha log_gamma"
    needs = "SEED SCAL SYM OUT MM FACT"
    ref = "Saunders, Gammerman & Vovk 1998"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((6, 2)),
            y=random.standard_normal(6),
            alpha=random.standard_normal(6),
            log_gamma=np.array(-0.7),
            lam=0.3,
        )

    @staticmethod
    def forward(X, y, alpha, log_gamma, lam):
        sq_dists = np.sum((X[:, None, :] - X[None, :, :]) ** 2, axis=-1)
        K = np.exp(-np.exp(log_gamma) * sq_dists)
        return np.sum((y - K @ alpha) ** 2) + lam * alpha @ K @ alpha

    @staticmethod
    def expert(X, y, alpha, log_gamma, lam):
        sq_dists = np.sum((X[:, None, :] - X[None, :, :]) ** 2, axis=-1)
        exponent = -np.exp(log_gamma) * sq_dists
        K = np.exp(exponent)
        r = y - K @ alpha
        yield np.sum(r**2) + lam * alpha @ K @ alpha
        # d loss / dK = u alpha', and K is symmetric by construction
        u = lam * alpha - 2 * r
        return dict(alpha=K @ (u + lam * alpha), log_gamma=u @ (K * exponent) @ alpha)


class GpFromInputs(Form):
    title, group = (
        "GP log marginal likelihood by slogdet and solve, kernel built from inputs, ARD widths",
        "linear algebra",
    )
    wrt = "log_ls log_sf log_sn"
    needs = "SEED SCAL SYM OUT MM FACT UNB"
    stretch = True
    ref = "Rasmussen & Williams 2006 eqs. 5.1 and 5.9"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((5, 2)),
            y=random.standard_normal(5),
            log_ls=0.3 * random.standard_normal(2),
            log_sf=np.array(0.2),
            log_sn=np.array(-0.8),
        )

    @staticmethod
    def forward(X, y, log_ls, log_sf, log_sn):
        Z = X / np.exp(log_ls)
        sq = ((Z[:, None] - Z[None]) ** 2).sum(-1)
        Kf = np.exp(2 * log_sf) * np.exp(-0.5 * sq)
        K = Kf + np.exp(2 * log_sn) * np.eye(len(y))
        return 0.5 * y @ np.linalg.solve(K, y) + 0.5 * np.linalg.slogdet(K)[1] + 0.5 * len(y) * np.log(2 * np.pi)

    @staticmethod
    def expert(X, y, log_ls, log_sf, log_sn):
        Z = X / np.exp(log_ls)
        diff2 = (Z[:, None] - Z[None]) ** 2
        Kf = np.exp(2 * log_sf) * np.exp(-0.5 * diff2.sum(-1))
        noise = np.exp(2 * log_sn)
        K = Kf + noise * np.eye(len(y))
        a = np.linalg.solve(K, y)
        yield 0.5 * y @ a + 0.5 * np.linalg.slogdet(K)[1] + 0.5 * len(y) * np.log(2 * np.pi)
        M = np.linalg.inv(K) - np.outer(a, a)  # twice the cotangent of K
        B = M * Kf
        return dict(
            log_ls=0.5 * np.tensordot(B, diff2, axes=2),
            log_sf=B.sum(),
            log_sn=noise * np.trace(M),
        )


class ElboOfReparametrisedLogistic(Form):
    title, group = "Mean-field ELBO of Bayesian logistic regression with given normal draws", "linear algebra"
    wrt = "mu rho"
    needs = "SEED SCAL SIG CANC OUT MM UNB"
    ref = "Kucukelbir et al. 2017 (ADVI) eqs. 7 and 8; Blundell et al. 2015"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((7, 3)), y=np.sign(normal(7)), eps=normal((4, 3)), mu=normal(3), rho=0.3 * normal(3) - 1)

    @staticmethod
    def forward(X, y, eps, mu, rho):
        sigma = np.exp(rho)
        w = mu + sigma * eps
        log_lik = -np.logaddexp(0, -y * (w @ X.T)).sum(axis=1)
        log_prior = -0.5 * (w**2).sum(axis=1)
        entropy = rho.sum()
        return -(log_lik + log_prior).mean() - entropy

    @staticmethod
    def expert(X, y, eps, mu, rho):
        sigma = np.exp(rho)
        w = mu + sigma * eps
        minus_z = -y * (w @ X.T)
        log_lik = -np.logaddexp(0, minus_z).sum(axis=1)
        yield -(log_lik - 0.5 * (w**2).sum(axis=1)).mean() - rho.sum()
        # d logaddexp(0, -z) / d(-z) = 1 / (1 + exp(z))
        d = -y / (1 + np.exp(-minus_z))
        dw = d @ X + w
        return dict(mu=dw.mean(axis=0), rho=sigma * (dw * eps).mean(axis=0) - 1)


class PageRankSolve(Form):
    title, group = "Personalised PageRank by one linear solve, squared error to given scores", "linear algebra"
    wrt = "log_w v"
    needs = "SEED SCAL SMAX CANC SYM MM OUT"
    stretch = True
    ref = "Page et al. 1999; adjoint method, Giles 2008 s.2.3.1"

    @staticmethod
    def make(random):
        return dict(log_w=random.standard_normal((5, 5)), v=random.random(5), target=random.random(5), damping=0.85)

    @staticmethod
    def forward(log_w, v, target, damping):
        w = np.exp(log_w)
        P = w / w.sum(axis=0)
        r = np.linalg.solve(np.eye(len(v)) - damping * P, (1 - damping) * v)
        return ((r - target) ** 2).sum()

    @staticmethod
    def expert(log_w, v, target, damping):
        w = np.exp(log_w)
        P = w / w.sum(axis=0)
        A = np.eye(len(v)) - damping * P
        r = np.linalg.solve(A, (1 - damping) * v)
        error = r - target
        yield (error**2).sum()
        adjoint = np.linalg.solve(A.T, 2 * error)
        # d loss / dP = damping adjoint r'; a column of P keeps its sum
        return dict(log_w=P * (adjoint[:, None] - adjoint @ P) * (damping * r), v=(1 - damping) * adjoint)


class ClosedFormRidgeValidation(Form):
    title, group = "Validation error of the closed-form ridge solution as a function of the penalty", "linear algebra"
    wrt = "log_lam"
    needs = "SEED SCAL SYM MM OUT"
    stretch = True
    ref = "Bengio 2000, gradient-based optimization of hyper-parameters"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((8, 3)), Y=normal((8, 2)), X_val=normal((5, 3)), Y_val=normal((5, 2)), log_lam=0.3 * normal(3)
        )

    @staticmethod
    def forward(X, Y, X_val, Y_val, log_lam):
        A = X.T @ X + np.diag(np.exp(log_lam))
        W = np.linalg.solve(A, X.T @ Y)
        return np.mean((X_val @ W - Y_val) ** 2)

    @staticmethod
    def expert(X, Y, X_val, Y_val, log_lam):
        lam = np.exp(log_lam)
        A = X.T @ X + np.diag(lam)
        W = np.linalg.solve(A, X.T @ Y)
        R = X_val @ W - Y_val
        yield np.mean(R**2)
        # A is symmetric by construction; only the diagonal of its cotangent is asked for.
        Z = np.linalg.solve(A, X_val.T @ R)
        return dict(log_lam=-2 / R.size * lam * (Z * W).sum(axis=1))


class GraphLaplacianSmoothing(Form):
    title, group = (
        "Label propagation: squared error on labelled nodes and smoothness over weighted edges",
        "linear algebra",
    )
    wrt = "f w"
    needs = "SEED SCAL SCAT OUT FACT"
    ref = "Zhu, Ghahramani & Lafferty 2003; Belkin & Niyogi 2003"

    @staticmethod
    def make(random):
        i, j = np.triu_indices(5, 1)
        return dict(
            f=random.standard_normal((5, 2)),
            w=random.random(10),
            i=i,
            j=j,
            labelled=np.array([True, False, True, True, False]),
            y=random.standard_normal((3, 2)),
            mu=0.4,
        )

    @staticmethod
    def forward(f, w, i, j, labelled, y, mu):
        smooth = 0.5 * np.sum(w[:, None] * (f[i] - f[j]) ** 2)
        return smooth + mu * np.sum((f[labelled] - y) ** 2)

    @staticmethod
    def expert(f, w, i, j, labelled, y, mu):
        d = f[i] - f[j]
        d2 = d**2
        e = f[labelled] - y
        yield 0.5 * np.sum(w[:, None] * d2) + mu * np.sum(e**2)
        flow = w[:, None] * d
        df = np.zeros_like(f)
        df[labelled] = 2 * mu * e
        np.add.at(df, i, flow)
        np.subtract.at(df, j, flow)
        return dict(f=df, w=0.5 * d2.sum(axis=1))
