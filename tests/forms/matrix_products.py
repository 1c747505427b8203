"""Products of matrices: traces, quadratic forms, Gram matrices and factorisations."""

import numpy as np

from tests.forms.form import Form


class MatmulChain(Form):
    title, group = "Matrix chain Y = ABC", "linear"
    wrt = "A B C"
    needs = "MM OUT"
    ref = "Giles 2008, collected matrix derivative results"

    @staticmethod
    def make(random):
        return dict(
            A=random.standard_normal((3, 4)), B=random.standard_normal((4, 5)), C=random.standard_normal((5, 2))
        )

    @staticmethod
    def forward(A, B, C):
        return A @ B @ C

    @staticmethod
    def expert(A, B, C):
        AB = A @ B
        Y = AB @ C
        g = yield Y
        gC = g @ C.T
        return dict(A=gC @ B.T, B=A.T @ gC, C=AB.T @ g)


class TraceProduct(Form):
    title, group = "tr(A X B)", "matrix"
    wrt = "A X B"
    needs = "SEED MM OUT"
    ref = "Matrix Cookbook eq. 101"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(A=normal((3, 4)), X=normal((4, 5)), B=normal((5, 3)))

    @staticmethod
    def forward(A, X, B):
        return np.trace(A @ X @ B)

    @staticmethod
    def expert(A, X, B):
        AX = A @ X
        yield np.trace(AX @ B)
        return dict(A=(X @ B).T, X=(B @ A).T, B=AX.T)


class TraceQuadratic(Form):
    title, group = "tr(X' L X), Laplacian smoothness", "matrix"
    wrt = "X"
    needs = "SEED MM OUT FACT"
    ref = "Matrix Cookbook eq. 108; Belkin & Niyogi 2003"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((5, 3)), L=random.standard_normal((5, 5)))

    @staticmethod
    def forward(X, L):
        return np.trace(X.T @ (L @ X))

    @staticmethod
    def expert(X, L):
        LX = L @ X
        yield np.trace(X.T @ LX)
        return dict(X=LX + L.T @ X)


class QuadraticForm(Form):
    title, group = "Quadratic form x'Ax", "matrix"
    wrt = "x A"
    needs = "SEED OUT MM"
    ref = "Petersen & Pedersen 2012 eq. 81"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal(4), A=random.standard_normal((4, 4)))

    @staticmethod
    def forward(x, A):
        return x.T @ A @ x

    @staticmethod
    def expert(x, A):
        xA = x.T @ A
        yield xA @ x
        return dict(x=xA + A @ x, A=np.outer(x, x))


class BilinearScore(Form):
    title, group = "Bilinear scores of pairs of rows", "matrix"
    wrt = "X W Y"
    needs = "OUT MM UNB"
    ref = "Nickel et al. 2011 (RESCAL); Luong et al. 2015 ('general')"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((5, 3)), W=normal((3, 4)), Y=normal((5, 4)))

    @staticmethod
    def forward(X, W, Y):
        return np.sum(X.dot(W) * Y, axis=1)

    @staticmethod
    def expert(X, W, Y):
        XW = X.dot(W)
        g = yield np.sum(XW * Y, axis=1)
        gY = g[:, None] * Y
        return dict(X=gY.dot(W.T), W=X.T.dot(gY), Y=g[:, None] * XW)


class OrthogonalityPenalty(Form):
    title, group = "Penalty on the distance of W'W from the identity", "matrix"
    wrt = "W"
    needs = "SEED SCAL SYM MM"
    ref = "Bansal et al. 2018 (soft orthogonality)"

    @staticmethod
    def make(random):
        return dict(W=random.standard_normal((5, 3)))

    @staticmethod
    def forward(W):
        return np.sum(np.square(W.T @ W - np.eye(W.shape[1])))

    @staticmethod
    def expert(W):
        R = W.T @ W - np.eye(W.shape[1])
        yield np.sum(np.square(R))
        return dict(W=4 * W @ R)


class GramStyle(Form):
    title, group = "Style loss of Gram matrices", "matrix"
    wrt = "F"
    needs = "SEED SCAL FACT MM"
    ref = "Gatys et al. 2016 eq. 3-6"

    @staticmethod
    def make(random):
        return dict(F=random.standard_normal((3, 8)), target=random.standard_normal((3, 3)))

    @staticmethod
    def forward(F, target):
        channels, positions = F.shape
        G = np.einsum("ip,jp->ij", F, F)
        return np.sum((G - target) ** 2) / (4 * channels**2 * positions**2)

    @staticmethod
    def expert(F, target):
        channels, positions = F.shape
        D = np.einsum("ip,jp->ij", F, F) - target
        size = 4 * channels**2 * positions**2
        yield np.sum(D**2) / size
        return dict(F=2 / size * (D + D.T) @ F)


class PcaReconstruction(Form):
    title, group = "PCA / tied linear autoencoder ||X - X W W'||^2", "matrix"
    wrt = "W"
    needs = "SEED SCAL MM OUT FACT"
    ref = "Baldi & Hornik 1989"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((6, 4)), W=random.standard_normal((4, 2)))

    @staticmethod
    def forward(X, W):
        return np.sum((X - X @ W @ W.T) ** 2)

    @staticmethod
    def expert(X, W):
        T = X @ W
        R = X - T @ W.T
        yield np.sum(R**2)
        return dict(W=-2 * (X.T @ (R @ W) + R.T @ T))


class NmfKl(Form):
    title, group = "NMF objective, generalised KL", "matrix"
    wrt = "W H"
    needs = "SEED SCAL MM OUT FACT"
    ref = "Lee & Seung 2001"

    @staticmethod
    def make(random):
        return dict(V=random.random((5, 4)), W=random.random((5, 2)) + 0.1, H=random.random((2, 4)) + 0.1)

    @staticmethod
    def forward(V, W, H):
        R = W @ H
        return np.sum(R - V * np.log(R))

    @staticmethod
    def expert(V, W, H):
        R = W @ H
        yield np.sum(R - V * np.log(R))
        D = 1 - V / R
        return dict(W=D @ H.T, H=W.T @ D)


class NmfFrobenius(Form):
    title, group = "Non-negative matrix factorisation, squared Frobenius norm", "matrix"
    wrt = "W H"
    needs = "SEED SCAL CANC MM"
    ref = "Lee & Seung 2001; Lin 2007"

    @staticmethod
    def make(random):
        return dict(V=random.random((5, 4)), W=random.random((5, 2)), H=random.random((2, 4)))

    @staticmethod
    def forward(V, W, H):
        return 0.5 * np.linalg.norm(V - W @ H, "fro") ** 2

    @staticmethod
    def expert(V, W, H):
        R = W @ H - V
        yield 0.5 * np.linalg.norm(R, "fro") ** 2
        return dict(W=R @ H.T, H=W.T @ R)


class MatrixFactorization(Form):
    title, group = "Matrix factorisation with biases (Netflix SVD)", "matrix"
    wrt = "P Q bu bi"
    needs = "SEED SCAL SCAT UNB"
    ref = "Koren, Bell & Volinsky 2009"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            P=normal((4, 3)),
            Q=normal((5, 3)),
            bu=normal(4),
            bi=normal(5),
            u=random.integers(0, 4, 8),
            i=random.integers(0, 5, 8),
            y=normal(8),
            mu=0.2,
        )

    @staticmethod
    def forward(P, Q, bu, bi, u, i, y, mu):
        e = np.sum(P[u] * Q[i], 1) + bu[u] + bi[i] + mu - y
        return np.mean(e**2)

    @staticmethod
    def expert(P, Q, bu, bi, u, i, y, mu):
        Pu, Qi = P[u], Q[i]
        e = np.sum(Pu * Qi, 1) + bu[u] + bi[i] + mu - y
        yield np.mean(e**2)
        d = 2 / len(y) * e
        dP, dQ, dbu, dbi = (np.zeros_like(a) for a in (P, Q, bu, bi))
        np.add.at(dP, u, d[:, None] * Qi)
        np.add.at(dQ, i, d[:, None] * Pu)
        np.add.at(dbu, u, d)
        np.add.at(dbi, i, d)
        return dict(P=dP, Q=dQ, bu=dbu, bi=dbi)
