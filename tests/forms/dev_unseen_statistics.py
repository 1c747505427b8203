"""Likelihoods and objectives of statistics, as textbooks and public repositories write them."""

import numpy as np
from scipy.special import log_ndtr, ndtr

from tests.forms.form import Form


class ArdMarginalLikelihood(Form):
    title, group = "Marginal likelihood of a Gaussian process, a scale per input", "gaussian"
    wrt = "log_ell log_sf log_sn"
    needs, ref = "SYM MM FACT OUT", "Rasmussen & Williams 2006 eq. 5.9"

    @staticmethod
    def make(random, n=6, d=2):
        X, y = random.standard_normal((n, d)), random.standard_normal(n)
        return dict(X=X, y=y, log_ell=0.2 * random.standard_normal(d), log_sf=np.array(0.1), log_sn=np.array(-0.7))

    @staticmethod
    def forward(X, y, log_ell, log_sf, log_sn):
        n = len(y)
        Z = X / np.exp(log_ell)
        sq = np.sum(Z**2, axis=1)
        K = np.exp(2 * log_sf) * np.exp(-0.5 * (sq[:, None] + sq - 2 * Z @ Z.T)) + np.exp(2 * log_sn) * np.eye(n)
        L = np.linalg.cholesky(K)
        alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
        return 0.5 * y @ alpha + np.sum(np.log(np.diag(L))) + 0.5 * n * np.log(2 * np.pi)

    @staticmethod
    def expert(X, y, log_ell, log_sf, log_sn):
        n = len(y)
        Z = X / np.exp(log_ell)
        sq = np.sum(Z**2, axis=1)
        Kf = np.exp(2 * log_sf) * np.exp(-0.5 * (sq[:, None] + sq - 2 * Z @ Z.T))
        noise = np.exp(2 * log_sn)
        K = Kf + noise * np.eye(n)
        L = np.linalg.cholesky(K)
        alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
        yield 0.5 * (y @ alpha) + np.sum(np.log(np.diag(L))) + 0.5 * n * np.log(2 * np.pi)
        G = np.linalg.inv(K) - np.outer(alpha, alpha)
        M = G * Kf
        r = M.sum(axis=1)
        dell = np.einsum("ij,ij->j", r[:, None] * Z - M @ Z, Z)
        return dict(log_ell=dell, log_sf=r.sum(), log_sn=noise * np.trace(G))


class FactorAnalysis(Form):
    title, group, wrt = "Average negative log-likelihood of factor analysis", "gaussian", "W logpsi"
    needs, ref = "SYM MM", "Bishop 2006 s.12.2.4; Joreskog 1967"

    @staticmethod
    def make(random, n=8, d=4, k=2):
        return dict(X=random.standard_normal((n, d)), W=random.standard_normal((d, k)), logpsi=random.normal(0, 0.3, d))

    @staticmethod
    def forward(X, W, logpsi):
        S = X.T @ X / X.shape[0]
        Sigma = W @ W.T + np.diag(np.exp(logpsi))
        return 0.5 * (np.linalg.slogdet(Sigma)[1] + np.trace(np.linalg.solve(Sigma, S)))

    @staticmethod
    def expert(X, W, logpsi):
        S = X.T @ X / X.shape[0]
        psi = np.exp(logpsi)
        Sigma = W @ W.T + np.diag(psi)
        R = np.linalg.solve(Sigma, S)
        yield 0.5 * (np.linalg.slogdet(Sigma)[1] + np.trace(R))
        # Sigma^-1 - Sigma^-1 S Sigma^-1
        G = np.linalg.solve(Sigma, np.eye(len(S)) - R.T)
        return dict(W=G @ W, logpsi=0.5 * np.diag(G) * psi)


class GraphicalLasso(Form):
    title, group, wrt = "Penalised likelihood of a precision matrix, weighted absolute values", "gaussian", "Theta"
    needs, ref = "SYM MASK", "Friedman et al. 2008 eq. 1"

    @staticmethod
    def make(random, d=4):
        A, B = random.standard_normal((d, 2 * d)), random.standard_normal((d, d))
        return dict(Theta=B @ B.T + np.eye(d), S=A @ A.T / (2 * d), rho=0.1 * (1 - np.eye(d)))

    @staticmethod
    def forward(Theta, S, rho):
        _, logdet = np.linalg.slogdet(Theta)
        return np.sum(S * Theta) - logdet + np.sum(rho * np.abs(Theta))

    @staticmethod
    def expert(Theta, S, rho):
        yield np.sum(S * Theta) - np.linalg.slogdet(Theta)[1] + np.sum(rho * np.abs(Theta))
        return dict(Theta=S - np.linalg.inv(Theta).T + rho * np.sign(Theta))


class CorrelationOfProjections(Form):
    title, group, wrt = "Correlation of two projections, one pair of canonical directions", "statistics", "a b"
    needs, ref = "MEAN0 CANC SCAL", "Hotelling 1936; Hardoon et al. 2004"

    @staticmethod
    def make(random, n=7, p=3, q=2):
        normal = random.standard_normal
        return dict(X=normal((n, p)), Y=normal((n, q)), a=normal(p), b=normal(q))

    @staticmethod
    def forward(X, Y, a, b):
        u = X @ a
        v = Y @ b
        u = u - u.mean()
        v = v - v.mean()
        return -np.sum(u * v) / np.sqrt(np.sum(u**2) * np.sum(v**2))

    @staticmethod
    def expert(X, Y, a, b):
        u, v = X @ a, Y @ b
        u = u - u.mean()
        v = v - v.mean()
        uv, uu, vv = np.sum(u * v), np.sum(u**2), np.sum(v**2)
        norm = np.sqrt(uu * vv)
        yield -uv / norm
        return dict(a=((uv / uu) * u - v) @ X / norm, b=((uv / vv) * v - u) @ Y / norm)


class DiscriminantRatio(Form):
    title, group, wrt = "Trace ratio of scatter between and within classes after projection", "statistics", "W"
    needs, ref = "SYM MM", "Fukunaga 1990 s.10.2"

    @staticmethod
    def make(random, n=9, c=3, d=4, k=2):
        normal = random.standard_normal
        return dict(Z=normal((n, d)), M=normal((c, d)), W=normal((d, k)))

    @staticmethod
    def forward(Z, M, W):
        P, Q = Z @ W, M @ W
        within = P.T @ P
        between = Q.T @ Q
        return -np.trace(np.linalg.solve(within, between))

    @staticmethod
    def expert(Z, M, W):
        P, Q = Z @ W, M @ W
        within = P.T @ P
        R = np.linalg.solve(within, Q.T @ Q)
        yield -np.trace(R)
        return dict(W=2 * np.linalg.solve(within, (Z.T @ (P @ R) - M.T @ Q).T).T)


class IndependentComponents(Form):
    title, group, wrt = "Likelihood of independent components with heavy tails", "statistics", "W"
    needs, ref = "SYM SCAL", "Bell & Sejnowski 1995; MacKay 1996"

    @staticmethod
    def make(random, d=3, n=8):
        return dict(W=random.standard_normal((d, d)), X=random.standard_normal((d, n)))

    @staticmethod
    def forward(W, X):
        Y = np.dot(W, X)
        sign, logdet = np.linalg.slogdet(W)
        return np.mean(np.sum(np.log(np.cosh(Y)), axis=0)) - logdet

    @staticmethod
    def expert(W, X):
        Y = W @ X
        yield np.mean(np.sum(np.log(np.cosh(Y)), axis=0)) - np.linalg.slogdet(W)[1]
        return dict(W=np.tanh(Y) @ X.T / X.shape[1] - np.linalg.inv(W).T)


class HawkesProcess(Form):
    title, group, wrt = "Likelihood of a self-exciting process with exponential decay", "likelihood", "mu alpha beta"
    needs, ref = "SCAL MM OUT", "Ozaki 1979"

    @staticmethod
    def make(random, n=6):
        t = np.sort(random.uniform(0, 5, n))
        return dict(t=t, T=6.0, mu=np.array(0.6), alpha=np.array(0.5), beta=np.array(1.3))

    @staticmethod
    def forward(t, T, mu, alpha, beta):
        gaps = np.abs(t[:, None] - t[None, :])
        excited = np.tril(np.exp(-beta * gaps), -1).sum(axis=1)
        intensity = mu + alpha * excited
        compensator = mu * T + alpha / beta * np.sum(1 - np.exp(-beta * (T - t)))
        return compensator - np.sum(np.log(intensity))

    @staticmethod
    def expert(t, T, mu, alpha, beta):
        gaps = np.abs(t[:, None] - t[None, :])
        E = np.tril(np.exp(-beta * gaps), -1)
        excited = E.sum(axis=1)
        intensity = mu + alpha * excited
        rest = T - t
        decay = np.exp(-beta * rest)
        mass = np.sum(1 - decay) / beta
        yield mu * T + alpha * mass - np.sum(np.log(intensity))
        r = 1 / intensity
        dbeta = alpha * (r @ np.einsum("ij,ij->i", gaps, E) + (decay @ rest - mass) / beta)
        return dict(mu=T - r.sum(), alpha=mass - r @ excited, beta=dbeta)


class LinearTrendSmoothing(Form):
    title, group, wrt = "Errors of exponential smoothing with a trend, several series", "time series", "alpha beta"
    needs, ref = "SCAL FACT", "Hyndman et al. 2008, error-correction form of Holt's method"

    @staticmethod
    def make(random, t=5, n=3):
        return dict(y=random.standard_normal((t, n)).cumsum(0), alpha=np.array(0.5), beta=np.array(0.2))

    @staticmethod
    def forward(y, alpha, beta):
        level, trend = y[0], y[1] - y[0]
        loss = 0.0
        for t in range(1, len(y)):
            error = y[t] - (level + trend)
            loss += 0.5 * np.sum(error**2)
            level = level + trend + alpha * error
            trend = trend + beta * error
        return loss

    @staticmethod
    def expert(y, alpha, beta):
        level, trend = y[0], y[1] - y[0]
        loss, errors = 0.0, []
        for t in range(1, len(y)):
            ahead = level + trend
            error = y[t] - ahead
            errors.append(error)
            loss += 0.5 * np.sum(error**2)
            level = ahead + alpha * error
            trend = trend + beta * error
        yield loss
        # minus the gradients; the last level and trend go nowhere
        dlevel = dtrend = errors[-1]
        dalpha = dbeta = 0.0
        for error in errors[-2::-1]:
            dalpha = dalpha - np.vdot(dlevel, error)
            dbeta = dbeta - np.vdot(dtrend, error)
            if error is not errors[0]:
                dlevel = (1 - alpha) * dlevel + error - beta * dtrend
                dtrend = dtrend + dlevel
        return dict(alpha=dalpha, beta=dbeta)


class VectorAutoregression(Form):
    title, group, wrt = "Likelihood of a vector autoregression, factor of the noise learned", "time series", "A c L"
    needs, ref = "SYM MM UNB", "Lutkepohl 2005 s.3.4"

    @staticmethod
    def make(random, t=7, d=3):
        normal = random.standard_normal
        L = np.tril(0.3 * normal((d, d)), -1) + np.diag(random.uniform(0.7, 1.5, d))
        return dict(Y=normal((t, d)), A=0.4 * normal((d, d)), c=normal(d), L=L)

    @staticmethod
    def forward(Y, A, c, L):
        E = Y[1:] - (Y[:-1] @ A.T + c)
        Z = np.linalg.solve(L, E.T)
        return 0.5 * np.sum(Z**2) + len(E) * np.sum(np.log(np.diag(L)))

    @staticmethod
    def expert(Y, A, c, L):
        E = Y[:-1] @ A.T + c - Y[1:]
        Z = np.linalg.solve(L, E.T)
        d = np.diag(L)
        yield 0.5 * np.sum(Z**2) + len(E) * np.sum(np.log(d))
        V = np.linalg.solve(L.T, Z)
        return dict(A=V @ Y[:-1], c=V.sum(axis=1), L=np.diag(len(E) / d) - V @ Z.T)


class MeanDiscrepancy(Form):
    title, group, wrt = "Squared maximum mean discrepancy with a Gaussian kernel", "kernels", "X"
    needs, ref = "MM SCAL SYM", "Gretton et al. 2012 eq. 5"

    @staticmethod
    def make(random, n=5, m=4, d=2):
        return dict(X=random.standard_normal((n, d)), Y=random.standard_normal((m, d)), gamma=0.5)

    @staticmethod
    def forward(X, Y, gamma):
        xx, yy = np.sum(X**2, axis=1), np.sum(Y**2, axis=1)
        Kxx = np.exp(-gamma * (xx[:, None] + xx[None, :] - 2 * X @ X.T))
        Kxy = np.exp(-gamma * (xx[:, None] + yy[None, :] - 2 * X @ Y.T))
        Kyy = np.exp(-gamma * (yy[:, None] + yy[None, :] - 2 * Y @ Y.T))
        return Kxx.mean() + Kyy.mean() - 2 * Kxy.mean()

    @staticmethod
    def expert(X, Y, gamma):
        xx, yy = np.sum(X**2, axis=1), np.sum(Y**2, axis=1)
        Kxx = np.exp(-gamma * (xx[:, None] + xx[None, :] - 2 * X @ X.T))
        Kxy = np.exp(-gamma * (xx[:, None] + yy[None, :] - 2 * X @ Y.T))
        Kyy = np.exp(-gamma * (yy[:, None] + yy[None, :] - 2 * Y @ Y.T))
        yield Kxx.mean() + Kyy.mean() - 2 * Kxy.mean()
        n, m = len(X), len(Y)
        weight = Kxy.mean(axis=1) - Kxx.mean(axis=1)
        return dict(X=(4 * gamma / n) * (weight[:, None] * X + Kxx @ X / n - Kxy @ Y / m))


class NormalRankedScore(Form):
    title, group, wrt = "Continuous ranked probability score of normal forecasts", "losses", "mu logs"
    needs, ref = "CANC SCAL", "Gneiting & Raftery 2007 s.4.2"

    @staticmethod
    def make(random, n=6):
        normal = random.standard_normal
        return dict(y=normal(n), mu=normal(n), logs=0.3 * normal(n))

    @staticmethod
    def forward(y, mu, logs):
        sigma = np.exp(logs)
        z = (y - mu) / sigma
        density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        return np.mean(sigma * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)))

    @staticmethod
    def expert(y, mu, logs):
        sigma = np.exp(logs)
        z = (y - mu) / sigma
        centred = 2 * ndtr(z) - 1
        rest = 2 * (np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)) - 1 / np.sqrt(np.pi)
        yield np.mean(sigma * (z * centred + rest))
        return dict(mu=centred / -len(y), logs=sigma * rest / len(y))


class ExpectedImprovement(Form):
    title, group, wrt = "Expected improvement over the best value so far", "statistics", "mu logs"
    needs, ref = "CANC", "Jones et al. 1998 eq. 15"

    @staticmethod
    def make(random, n=6):
        return dict(mu=random.standard_normal(n), logs=0.3 * random.standard_normal(n), best=0.4, xi=0.01)

    @staticmethod
    def forward(mu, logs, best, xi):
        sigma = np.exp(logs)
        gain = mu - best - xi
        z = gain / sigma
        return gain * ndtr(z) + sigma * (np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))

    @staticmethod
    def expert(mu, logs, best, xi):
        sigma = np.exp(logs)
        gain = mu - best - xi
        z = gain / sigma
        cdf = ndtr(z)
        spread = sigma * (np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))
        g = yield gain * cdf + spread
        return dict(mu=g * cdf, logs=g * spread)


class TobitRegression(Form):
    title, group, wrt = "Regression of values cut off at zero", "likelihood", "b logs"
    needs, ref = "SCAL MM CANC", "Tobin 1958; Amemiya 1984"

    @staticmethod
    def make(random, n=6, m=4, d=3):
        normal = random.standard_normal
        return dict(X1=normal((n, d)), y1=2 * random.random(n), X0=normal((m, d)), b=normal(d), logs=np.array(0.2))

    @staticmethod
    def forward(X1, y1, X0, b, logs):
        s = np.exp(logs)
        r = (y1 - X1 @ b) / s
        return 0.5 * np.sum(r**2) + len(y1) * logs - np.sum(log_ndtr(-(X0 @ b) / s))

    @staticmethod
    def expert(X1, y1, X0, b, logs):
        s = np.exp(logs)
        r = (y1 - X1 @ b) / s
        z = -(X0 @ b) / s
        rr, logcdf = np.sum(r**2), log_ndtr(z)
        yield 0.5 * rr + len(y1) * logs - np.sum(logcdf)
        # the inverse Mills ratio, through logarithms
        mills = np.exp(-0.5 * z**2 - logcdf) / np.sqrt(2 * np.pi)
        return dict(b=(mills @ X0 - r @ X1) / s, logs=len(y1) - rr + z @ mills)
