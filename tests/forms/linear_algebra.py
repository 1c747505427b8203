"""Determinants, inverses, systems of equations, and the factor of Cholesky."""

import numpy as np

from tests.forms.form import Form


class MatrixInverse(Form):
    title, group = "Matrix inverse", "matrix"
    wrt = "A"
    needs = "OUT MM SCAL"
    ref = "Giles 2008 s.2.2.3"

    @staticmethod
    def make(random):
        return dict(A=random.standard_normal((4, 4)) + 3 * np.eye(4))

    @staticmethod
    def forward(A):
        return np.linalg.inv(A)

    @staticmethod
    def expert(A):
        Y = np.linalg.inv(A)
        g = yield Y
        return dict(A=-(Y.T @ g @ Y.T))


class Cholesky(Form):
    title, group = "Cholesky factor of S = A A' + I (dense A)", "matrix"
    wrt = "A"
    needs = "SYM MM OUT"
    ref = "Murray 2016; Smith 1995"

    @staticmethod
    def make(random):
        return dict(A=random.standard_normal((4, 4)))

    @staticmethod
    def forward(A):
        return np.linalg.cholesky(A @ A.T + np.eye(len(A)))

    @staticmethod
    def expert(A):
        n = len(A)
        L = np.linalg.cholesky(A @ A.T + np.eye(n))
        g = yield L
        F = np.tril(L.T @ g)
        F[np.arange(n), np.arange(n)] *= 0.5
        M = np.linalg.solve(L.T, np.linalg.solve(L.T, F.T).T)  # L^-T F L^-1
        return dict(A=(M + M.T) @ A)


class LogDeterminant(Form):
    title, group = "Logarithm of a determinant", "matrix"
    wrt = "A"
    needs = "SEED SYM"
    ref = "Petersen & Pedersen 2012 (Matrix Cookbook) eq. 57"

    @staticmethod
    def make(random):
        return dict(A=random.standard_normal((4, 4)) + 3 * np.eye(4))

    @staticmethod
    def forward(A):
        _, logdet = np.linalg.slogdet(A)
        return logdet

    @staticmethod
    def expert(A):
        _, logdet = np.linalg.slogdet(A)
        yield logdet
        return dict(A=np.linalg.inv(A).T)


class LogDeterminantOfGram(Form):
    title, group = "Half the log-determinant of X'X + cI (D-optimal design)", "matrix"
    wrt = "X"
    needs = "SEED SCAL SYM MM"
    stretch = True
    ref = "Boyd & Vandenberghe 2004 s.7.5; Petersen & Pedersen 2012 eq. 55"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((6, 3)), ridge=0.1)

    @staticmethod
    def forward(X, ridge):
        return 0.5 * np.linalg.slogdet(np.dot(X.T, X) + ridge * np.eye(X.shape[1]))[1]

    @staticmethod
    def expert(X, ridge):
        G = np.dot(X.T, X) + ridge * np.eye(X.shape[1])
        yield 0.5 * np.linalg.slogdet(G)[1]
        return dict(X=np.linalg.solve(G, X.T).T)


class LinearSolve(Form):
    title, group = "Solution of a linear system", "matrix"
    wrt = "A B"
    needs = "OUT SYM MM SCAL"
    ref = "Giles 2008 s.2.3.1"

    @staticmethod
    def make(random):
        return dict(A=random.standard_normal((4, 4)) + 3 * np.eye(4), B=random.standard_normal((4, 2)))

    @staticmethod
    def forward(A, B):
        return np.linalg.solve(A, B)

    @staticmethod
    def expert(A, B):
        X = np.linalg.solve(A, B)
        g = yield X
        dB = np.linalg.solve(A.T, g)
        return dict(A=-dB @ X.T, B=dB)


class Mahalanobis(Form):
    title, group = "Squared Mahalanobis distance with an explicit inverse", "matrix"
    wrt = "mu S"
    needs = "SEED OUT SCAL MM SYM"
    ref = "Petersen & Pedersen 2012 eq. 61, 81"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal(3), mu=random.standard_normal(3), S=random.random((3, 3)) + 2 * np.eye(3))

    @staticmethod
    def forward(x, mu, S):
        d = x - mu
        return d @ np.linalg.inv(S) @ d

    @staticmethod
    def expert(x, mu, S):
        d = x - mu
        P = np.linalg.inv(S)
        left = d @ P
        yield left @ d
        minus_left, right = -left, P @ d
        return dict(mu=minus_left - right, S=np.outer(minus_left, right))


class RidgeClosedForm(Form):
    title, group = "Ridge regression in closed form, as a layer", "matrix"
    wrt = "X y penalty"
    needs = "OUT SYM MM FACT SCAL"
    stretch = True
    ref = "Bertinetto et al. 2019; Giles 2008 s.2.3.1"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((6, 3)), y=random.standard_normal(6), penalty=np.array(0.5))

    @staticmethod
    def forward(X, y, penalty):
        return np.linalg.solve(X.T @ X + penalty * np.eye(X.shape[1]), X.T @ y)

    @staticmethod
    def expert(X, y, penalty):
        G = X.T @ X + penalty * np.eye(X.shape[1])
        w = np.linalg.solve(G, X.T @ y)
        g = yield w
        b = np.linalg.solve(G, g)
        dy = X @ b
        return dict(X=np.outer(y - X @ w, b) - np.outer(dy, w), y=dy, penalty=-(b @ w))
