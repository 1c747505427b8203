"""Held out: linear classifiers with hinge and logistic losses."""

import numpy as np

from tests.forms.form import Form


class SvmOneSample(Form):
    title, group = "Multiclass SVM of one sample, half vectorised", "classification"
    wrt = "W"
    needs = "SEED MASK SCAT MM"
    ref = "CS231n notes, optimization 1: the gradient of L_i"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal(5), y=2, W=random.standard_normal((4, 5)), delta=1.0)

    @staticmethod
    def forward(x, y, W, delta):
        scores = W.dot(x)
        margins = np.maximum(0, scores - scores[y] + delta)
        margins[y] = 0
        return np.sum(margins)

    @staticmethod
    def expert(x, y, W, delta):
        scores = W.dot(x)
        margins = np.maximum(0, scores - scores[y] + delta)
        margins[y] = 0
        yield np.sum(margins)
        mask = (margins > 0).astype(float)
        mask[y] = -np.sum(mask)
        return dict(W=np.outer(mask, x))


class SquaredHingeMulticlass(Form):
    title, group = "Squared hinge (L2-SVM) of a linear classifier, weight decay", "classification"
    wrt = "W"
    needs = "SEED SCAL MASK SCAT UNB MM"
    ref = "Tang 2013, deep learning using linear support vector machines"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 4)), y=random.integers(0, 3, 6), W=normal((4, 3)), C=0.2)

    @staticmethod
    def forward(X, y, W, C):
        N = X.shape[0]
        scores = X @ W
        correct = scores[np.arange(N), y].reshape(-1, 1)
        margins = np.maximum(0.0, scores - correct + 1.0)
        margins[np.arange(N), y] = 0
        return np.sum(np.square(margins)) / N + C * np.sum(np.square(W))

    @staticmethod
    def expert(X, y, W, C):
        N = X.shape[0]
        rows = np.arange(N)
        scores = X @ W
        margins = np.maximum(0.0, scores - scores[rows, y].reshape(-1, 1) + 1.0)
        margins[rows, y] = 0
        yield np.sum(np.square(margins)) / N + C * np.sum(np.square(W))
        D = 2 / N * margins
        D[rows, y] = -D.sum(axis=1)
        return dict(W=X.T @ D + 2 * C * W)


class PegasosHinge(Form):
    title, group = "Linear SVM: hinge loss with an intercept and L2", "classification"
    wrt = "w b"
    needs = "SEED SCAL MASK MM"
    ref = "Shalev-Shwartz et al. 2011"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((8, 3)), y=np.sign(normal(8)), w=normal(3), b=np.array(0.1), lam=0.3)

    @staticmethod
    def forward(X, y, w, b, lam):
        hinge = np.maximum(0, 1 - y * (X.dot(w) + b))
        return lam / 2 * w.dot(w) + hinge.mean()

    @staticmethod
    def expert(X, y, w, b, lam):
        hinge = np.maximum(0, 1 - y * (X.dot(w) + b))
        yield lam / 2 * w.dot(w) + hinge.mean()
        d = y * (hinge > 0) / -len(y)
        return dict(w=lam * w + d.dot(X), b=d.sum())


class LogisticSignedLabels(Form):
    title, group = "Logistic regression with labels -1 and 1, L2", "classification"
    wrt = "w c"
    needs = "SEED SCAL SIG CANC MM"
    ref = "Fan et al. 2008 (LIBLINEAR); Hastie, Tibshirani & Friedman 2009, ex. 4.6"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((8, 3)), y=np.sign(normal(8)), w=normal(3), c=np.array(0.2), alpha=0.1)

    @staticmethod
    def forward(X, y, w, c, alpha):
        z = y * (np.dot(X, w) + c)
        return np.sum(np.log(1 + np.exp(-z))) + 0.5 * alpha * np.dot(w, w)

    @staticmethod
    def expert(X, y, w, c, alpha):
        z = y * (np.dot(X, w) + c)
        u = 1 + np.exp(-z)
        yield np.sum(np.log(u)) + 0.5 * alpha * np.dot(w, w)
        z0 = (1 / u - 1) * y
        return dict(w=np.dot(z0, X) + alpha * w, c=z0.sum())
