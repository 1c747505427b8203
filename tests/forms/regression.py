"""Linear models."""

import numpy as np

from tests.forms.form import Form


def sigmoid(t):
    return 1.0 / (1.0 + np.exp(-t))


class LinearRegression(Form):
    title, group = "Linear regression with an intercept, half the mean squared error", "linear"
    wrt = "w b"
    needs = "SEED SCAL MM UNB"
    ref = "Ng, CS229 lecture notes 1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((8, 3)), y=normal(8), w=normal(3), b=np.array(0.3))

    @staticmethod
    def forward(X, y, w, b):
        m = X.shape[0]
        y_hat = np.dot(X, w) + b
        return np.sum(np.square(y_hat - y)) / (2 * m)

    @staticmethod
    def expert(X, y, w, b):
        m = X.shape[0]
        residual = np.dot(X, w) + b - y
        yield np.sum(np.square(residual)) / (2 * m)
        d = residual / m
        return dict(w=X.T.dot(d), b=d.sum())


class Ridge(Form):
    title, group = "Ridge regression", "linear"
    wrt = "w"
    needs = "SEED SCAL MM"
    ref = "Bishop 2006 s.3.1.4"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((8, 3)), y=random.standard_normal(8), w=random.standard_normal(3), lam=0.7)

    @staticmethod
    def forward(X, y, w, lam):
        r = X @ w - y
        return 0.5 * np.sum(r**2) + 0.5 * lam * np.sum(w**2)

    @staticmethod
    def expert(X, y, w, lam):
        r = X @ w - y
        yield 0.5 * np.sum(r**2) + 0.5 * lam * np.sum(w**2)
        return dict(w=r @ X + lam * w)


class ElasticNet(Form):
    title, group = "Elastic net (mean loss, L1 + L2)", "linear"
    wrt = "w"
    needs = "SEED SCAL MM MASK"
    ref = "Zou & Hastie 2005"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((8, 3)), y=random.standard_normal(8), w=random.standard_normal(3), l1=0.2, l2=0.7
        )

    @staticmethod
    def forward(X, y, w, l1, l2):
        r = X @ w - y
        return np.mean(r**2) / 2 + l1 * np.sum(np.abs(w)) + l2 / 2 * np.sum(w**2)

    @staticmethod
    def expert(X, y, w, l1, l2):
        r = X @ w - y
        yield np.mean(r**2) / 2 + l1 * np.sum(np.abs(w)) + l2 / 2 * np.sum(w**2)
        return dict(w=r @ X / len(y) + l1 * np.sign(w) + l2 * w)


class WeightedMse(Form):
    title, group = "Weighted / masked mean squared error", "linear"
    wrt = "w"
    needs = "SEED SCAL MM"
    ref = "standard"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((8, 3)),
            y=random.standard_normal(8),
            m=(random.random(8) > 0.4).astype(float) + 0.01,
            w=random.standard_normal(3),
        )

    @staticmethod
    def forward(X, y, m, w):
        r = X @ w - y
        return np.sum(m * r**2) / np.sum(m)

    @staticmethod
    def expert(X, y, m, w):
        r = X @ w - y
        n = np.sum(m)
        yield np.sum(m * r**2) / n
        return dict(w=(2 / n) * (m * r) @ X)


class GroupLasso(Form):
    title, group = "Multi-task regression with a group lasso on the rows of the weights", "linear"
    wrt = "W"
    needs = "SEED SCAL CANC FACT MM"
    ref = "Yuan & Lin 2006"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((7, 4)), Y=normal((7, 2)), W=normal((4, 2)), strength=0.4)

    @staticmethod
    def forward(X, Y, W, strength):
        R = X @ W - Y
        return 0.5 * (R * R).sum() + strength * np.sqrt((W**2).sum(axis=1)).sum()

    @staticmethod
    def expert(X, Y, W, strength):
        R = X @ W - Y
        norms = np.sqrt((W**2).sum(axis=1))
        yield 0.5 * (R * R).sum() + strength * norms.sum()
        return dict(W=X.T @ R + (strength / norms)[:, None] * W)


class LogisticRegression(Form):
    title, group = "Logistic regression, labels 0 and 1, cross-entropy written out", "linear"
    wrt = "w b"
    needs = "SEED SCAL CANC SIG MM UNB"
    ref = "Bishop 2006 eq. 4.91"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(w=normal(3), b=np.array(-0.2), X=normal((9, 3)), y=(random.random(9) > 0.5).astype(float))

    @staticmethod
    def forward(w, b, X, y):
        p = sigmoid(X.dot(w) + b)
        return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()

    @staticmethod
    def expert(w, b, X, y):
        p = sigmoid(X.dot(w) + b)
        yield -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
        d = (p - y) / len(y)
        return dict(w=X.T.dot(d), b=d.sum())


class LogisticRegressionSigns(Form):
    title, group = "Logistic regression, labels -1 and 1, with an L2 penalty", "linear"
    wrt = "w"
    needs = "SEED SCAL SIG MM"
    ref = "Fan et al. 2008 (LIBLINEAR); Minka 2003"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(w=normal(4), X=normal((7, 4)), y=np.sign(normal(7)), penalty=0.1)

    @staticmethod
    def forward(w, X, y, penalty):
        margin = y * (X @ w)
        return np.mean(np.logaddexp(0, -margin)) + penalty / 2 * np.dot(w, w)

    @staticmethod
    def expert(w, X, y, penalty):
        margin = y * (X @ w)
        yield np.mean(np.logaddexp(0, -margin)) + penalty / 2 * np.dot(w, w)
        return dict(w=penalty * w - X.T @ (y / (1 + np.exp(margin))) / len(y))


class PoissonRegression(Form):
    title, group = "Poisson regression with the logarithmic link and an exposure", "linear"
    wrt = "beta"
    needs = "SEED SCAL OUT MM"
    ref = "McCullagh & Nelder 1989 ch. 6"

    @staticmethod
    def make(random):
        return dict(
            beta=0.3 * random.standard_normal(3),
            X=random.standard_normal((8, 3)),
            counts=random.poisson(2.0, 8).astype(float),
            log_exposure=np.log(random.random(8) + 0.5),
        )

    @staticmethod
    def forward(beta, X, counts, log_exposure):
        eta = X @ beta + log_exposure
        return np.average(np.exp(eta) - counts * eta)

    @staticmethod
    def expert(beta, X, counts, log_exposure):
        eta = X @ beta + log_exposure
        rate = np.exp(eta)
        yield np.average(rate - counts * eta)
        return dict(beta=(rate - counts) @ X / len(counts))


class FactorisationMachine(Form):
    title, group = "Factorisation machine of second order", "linear"
    wrt = "bias w V"
    needs = "SCAL MM UNB OUT CANC"
    ref = "Rendle 2010 eq. 4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 5)), bias=np.array(0.1), w=normal(5), V=normal((5, 3)))

    @staticmethod
    def forward(X, bias, w, V):
        linear = bias + X @ w
        pairs = 0.5 * np.sum((X @ V) ** 2 - (X**2) @ (V**2), axis=1)
        return linear + pairs

    @staticmethod
    def expert(X, bias, w, V):
        linear = bias + X @ w
        XV, X2 = X @ V, X**2
        g = yield linear + 0.5 * np.sum(XV**2 - X2 @ V**2, axis=1)
        return dict(bias=g.sum(), w=X.T @ g, V=X.T @ (g[:, None] * XV) - (X2.T @ g)[:, None] * V)
