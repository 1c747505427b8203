"""Linear algebra as people write it: solves, determinants, kernels of distances, factorisations, traces."""

import numpy as np

from tests.forms.form import Form


class PrecisionBySolving(Form):
    title, group = "Gaussian log-likelihood, the precision as the solution for an identity matrix", "matrix"
    wrt = "mu C"
    needs = "SYM MM OUT UNB"
    ref = "Petersen & Pedersen 2012 eq. 57, 61; Magnus & Neudecker 2019 ch. 15"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((7, 3)), mu=random.standard_normal(3), C=random.random((3, 3)) + 2 * np.eye(3)
        )

    @staticmethod
    def forward(X, mu, C):
        P = np.linalg.solve(C, np.eye(C.shape[0]))
        d = X - mu
        return 0.5 * np.sum((d @ P) * d) + 0.5 * len(X) * np.linalg.slogdet(C)[1]

    @staticmethod
    def expert(X, mu, C):
        P = np.linalg.solve(C, np.eye(C.shape[0]))
        d = X - mu
        dP = d @ P
        yield 0.5 * np.sum(dP * d) + 0.5 * len(X) * np.linalg.slogdet(C)[1]
        Pd = d @ P.T
        return dict(mu=-0.5 * (dP + Pd).sum(0), C=0.5 * (len(X) * P.T - dP.T @ Pd))


class EvidenceOfDistances(Form):
    title, group = "Gaussian-process evidence, kernel of expanded squared distances, solve and slogdet", "matrix"
    wrt = "X log_length log_noise"
    needs = "SYM MM OUT SCAL FACT"
    assumes = "the kernel matrix is symmetric"
    assume = {"K": "symmetric"}
    ref = "Rasmussen & Williams 2006 eq. 5.9"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((6, 2)), y=random.standard_normal(6), log_length=0.2, log_noise=-1.0)

    @staticmethod
    def forward(X, y, log_length, log_noise):
        sq = np.sum(X**2, axis=1)
        D = sq[:, None] + sq[None, :] - 2 * X @ X.T
        K = np.exp(-0.5 * D / np.exp(2 * log_length))
        C = K + np.exp(log_noise) * np.eye(len(X))
        a = np.linalg.solve(C, y)
        return 0.5 * y @ a + 0.5 * np.linalg.slogdet(C)[1]

    @staticmethod
    def expert(X, y, log_length, log_noise):
        sq = np.sum(X**2, axis=1)
        D = sq[:, None] + sq[None, :] - 2 * X @ X.T
        scale = np.exp(2 * log_length)
        K = np.exp(-0.5 * D / scale)
        C = K + np.exp(log_noise) * np.eye(len(X))
        a = np.linalg.solve(C, y)
        yield 0.5 * y @ a + 0.5 * np.linalg.slogdet(C)[1]
        W = np.linalg.inv(C) - np.outer(a, a)
        H = W * K
        dX = (H @ X - H.sum(1)[:, None] * X) / scale
        return dict(X=dX, log_length=0.5 * np.vdot(H, D) / scale, log_noise=0.5 * np.exp(log_noise) * np.trace(W))


class KalmanPrediction(Form):
    title, group = "Prediction-error likelihood of one step of a Kalman filter, general matrices", "matrix"
    wrt = "m A Q R"
    needs = "SYM MM OUT FACT"
    ref = "Durbin & Koopman 2012 s.7.3; Petersen & Pedersen 2012 eq. 57, 61"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            m=normal(3), P=normal((3, 3)) + 4 * np.eye(3), A=normal((3, 3)), H=normal((2, 3)),
            Q=np.eye(3), R=3 * np.eye(2), y=normal(2),
        )  # fmt: skip

    @staticmethod
    def forward(m, P, A, H, Q, R, y):
        predicted = A @ m
        cov = A @ P @ A.T + Q
        S = H @ cov @ H.T + R
        v = y - H @ predicted
        return 0.5 * v @ np.linalg.solve(S, v) + 0.5 * np.linalg.slogdet(S)[1]

    @staticmethod
    def expert(m, P, A, H, Q, R, y):
        AP = A @ P
        cov = AP @ A.T + Q
        S = H @ cov @ H.T + R
        v = y - H @ (A @ m)
        a = np.linalg.solve(S, v)
        yield 0.5 * v @ a + 0.5 * np.linalg.slogdet(S)[1]
        inverse = np.linalg.inv(S)
        b = v @ inverse
        dS = 0.5 * (inverse.T - np.outer(b, a))
        dpredicted = (-0.5 * (a + b)) @ H
        dcov = H.T @ dS @ H
        dA = np.outer(dpredicted, m) + dcov @ (A @ P.T) + dcov.T @ AP
        return dict(m=dpredicted @ A, A=dA, Q=dcov, R=dS)


class LinearAutoencoder(Form):
    title, group = "Reconstruction error of a linear autoencoder with tied weights, mean removed", "matrix"
    wrt = "W"
    needs = "MM FACT SCAL"
    ref = "Baldi & Hornik 1989; the gradient of PCA's reconstruction error"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((8, 5)), W=random.standard_normal((5, 2)))

    @staticmethod
    def forward(X, W):
        Xc = X - X.mean(axis=0)
        Z = Xc @ W
        R = Xc - Z @ W.T
        return np.mean(np.sum(R**2, axis=1))

    @staticmethod
    def expert(X, W):
        Xc = X - X.mean(axis=0)
        R = Xc - Xc @ W @ W.T
        yield np.mean(np.sum(R**2, axis=1))
        M = Xc.T @ R
        return dict(W=(M + M.T) @ (-2 / len(X) * W))


class CanonicalPolyadic(Form):
    title, group = "Canonical polyadic decomposition of a tensor of three axes, squared error", "matrix"
    wrt = "A B C"
    needs = "MM OUT"
    ref = "Kolda & Bader 2009 s.3.4 (matricised tensor times Khatri-Rao product)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(Y=normal((3, 4, 5)), A=normal((3, 2)), B=normal((4, 2)), C=normal((5, 2)))

    @staticmethod
    def forward(Y, A, B, C):
        E = np.einsum("ir,jr,kr->ijk", A, B, C) - Y
        return 0.5 * np.sum(E**2)

    @staticmethod
    def expert(Y, A, B, C):
        E = np.einsum("ir,jr,kr->ijk", A, B, C) - Y
        yield 0.5 * np.sum(E**2)
        EC = np.einsum("ijk,kr->ijr", E, C)
        return dict(
            A=np.einsum("ijr,jr->ir", EC, B),
            B=np.einsum("ijr,ir->jr", EC, A),
            C=np.einsum("ijk,ir,jr->kr", E, A, B),
        )


class NeuralTensorLayer(Form):
    title, group = "Bilinear tensor layer with a linear part", "matrix"
    wrt = "X Z T V b"
    needs = "MM UNB OUT"
    ref = "Socher et al. 2013 eq. 2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((4, 3)), Z=normal((4, 2)), T=normal((3, 5, 2)), V=normal((3, 5)), b=normal(5))

    @staticmethod
    def forward(X, Z, T, V, b):
        return np.tanh(np.einsum("bi,ijk,bk->bj", X, T, Z) + X @ V + b)

    @staticmethod
    def expert(X, Z, T, V, b):
        y = np.tanh(np.einsum("bi,ijk,bk->bj", X, T, Z) + X @ V + b)
        g = yield y
        d = g * (1 - y**2)
        dZ = np.einsum("bj,bk->bjk", d, Z)
        return dict(
            X=np.einsum("bjk,ijk->bi", dZ, T) + d @ V.T,
            Z=np.einsum("bi,ijk,bj->bk", X, T, d),
            T=np.einsum("bi,bjk->ijk", X, dZ),
            V=X.T @ d,
            b=d.sum(0),
        )


class LearnedAdjacency(Form):
    title, group = "Graph convolution D^-1/2 A D^-1/2 X W with a learned adjacency", "matrix"
    wrt = "A X W"
    needs = "MM MASK CANC FACT"
    ref = "Kipf & Welling 2017 eq. 2; Franceschi et al. 2019 (learned graphs)"

    @staticmethod
    def make(random):
        return dict(A=random.random((5, 5)), X=random.standard_normal((5, 3)), W=random.standard_normal((3, 4)))

    @staticmethod
    def forward(A, X, W):
        At = A + np.eye(A.shape[0])
        r = 1 / np.sqrt(At.sum(axis=1))
        S = r[:, None] * At * r[None, :]
        return np.maximum(0, S @ X @ W)

    @staticmethod
    def expert(A, X, W):
        At = A + np.eye(A.shape[0])
        degree = At.sum(axis=1)
        r = 1 / np.sqrt(degree)
        rA = r[:, None] * At
        S = rA * r[None, :]
        SX = S @ X
        y = np.maximum(0, SX @ W)
        g = yield y
        d = g * (y > 0)
        U = d @ W.T
        dS = U @ X.T
        Q = dS * S
        ddegree = -0.5 * (Q + Q.T).sum(1) / degree
        return dict(A=dS * r[:, None] * r + ddegree[:, None], X=S.T @ U, W=SX.T @ d)


class NormalisedGraph(Form):
    title, group = "Two graph convolutions on a fixed normalised graph, masked cross-entropy", "matrix"
    wrt = "W1 W2"
    needs = "MM MASK SMAX SCAT"
    ref = "Kipf & Welling 2017 s.3"

    @staticmethod
    def make(random):
        A = (random.random((6, 6)) < 0.4).astype(float)
        normal = random.standard_normal
        return dict(
            A=A + A.T, X=normal((6, 3)), W1=normal((3, 4)), W2=normal((4, 3)), labels=np.array([0, 2, 1, 0, 2, 1]),
            known=np.array([0, 1, 4]),
        )  # fmt: skip

    @staticmethod
    def forward(A, X, W1, W2, labels, known):
        At = A + np.eye(len(A))
        d = At.sum(1)
        S = At / np.sqrt(d[:, None] * d[None, :])
        H = np.maximum(S @ X @ W1, 0)
        Z = S @ H @ W2
        E = np.exp(Z - Z.max(1, keepdims=True))
        P = E / E.sum(1, keepdims=True)
        return -np.mean(np.log(P[known, labels[known]]))

    @staticmethod
    def expert(A, X, W1, W2, labels, known):
        At = A + np.eye(len(A))
        d = At.sum(1)
        S = At / np.sqrt(d[:, None] * d[None, :])
        SX = S @ X
        H = np.maximum(SX @ W1, 0)
        SH = S @ H
        Z = SH @ W2
        E = np.exp(Z - Z.max(1, keepdims=True))
        P = E / E.sum(1, keepdims=True)
        wanted = labels[known]
        yield -np.mean(np.log(P[known, wanted]))
        rows = P[known]
        rows[np.arange(len(known)), wanted] -= 1
        dZ = np.zeros_like(P)
        dZ[known] = rows / len(known)
        dH = S.T @ (dZ @ W2.T) * (H > 0)
        return dict(W1=SX.T @ dH, W2=SH.T @ dZ)


class PageRankFit(Form):
    title, group = "Four steps of personalised PageRank in a loop, squared error", "matrix"
    wrt = "M v"
    needs = "MM SCAL CAT"
    ref = "Page et al. 1999; Gasteiger et al. 2019 (personalised propagation)"

    @staticmethod
    def make(random):
        M = random.random((5, 5))
        return dict(M=M / M.sum(0), v=random.random(5), target=random.random(5), alpha=0.85)

    @staticmethod
    def forward(M, v, target, alpha):
        p = v
        for _ in range(4):
            p = alpha * M @ p + (1 - alpha) * v
        return np.sum((p - target) ** 2)

    @staticmethod
    def expert(M, v, target, alpha):
        p, before = v, []
        for _ in range(4):
            before.append(p)
            p = alpha * M @ p + (1 - alpha) * v
        error = p - target
        yield np.sum(error**2)
        g, received = 2 * error, []
        aM = alpha * M.T
        for _ in range(4):
            received.append(g)
            g = aM @ g
        G = np.stack(received[::-1])
        return dict(M=(alpha * G).T @ np.stack(before), v=(1 - alpha) * G.sum(0) + g)


class KroneckerLayer(Form):
    title, group = "Linear layer with a Kronecker product of two small matrices", "matrix"
    wrt = "A B X"
    needs = "MM CAT"
    ref = "Van Loan 2000 (the vec trick); Zhou et al. 2015 (Kronecker layers)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(A=normal((2, 3)), B=normal((4, 2)), X=normal((6, 5)))

    @staticmethod
    def forward(A, B, X):
        return np.kron(A, B) @ X

    @staticmethod
    def expert(A, B, X):
        K = np.kron(A, B)
        g = yield K @ X
        dK = (g @ X.T).reshape(A.shape[0], B.shape[0], A.shape[1], B.shape[1])
        return dict(A=np.einsum("ikjl,kl->ij", dK, B), B=np.einsum("ikjl,ij->kl", dK, A), X=K.T @ g)


class LaplacianSmoothness(Form):
    title, group = "Graph smoothness tr(F'LF) with an orthogonality penalty", "matrix"
    wrt = "F"
    needs = "MM FACT SCAL SYM"
    ref = "Belkin & Niyogi 2003; Petersen & Pedersen 2012 eq. 108"

    @staticmethod
    def make(random):
        return dict(L=random.standard_normal((5, 5)), F=random.standard_normal((5, 2)), penalty=0.7)

    @staticmethod
    def forward(L, F, penalty):
        G = F.T @ F - np.eye(F.shape[1])
        return np.trace(F.T @ L @ F) + penalty * np.sum(G**2)

    @staticmethod
    def expert(L, F, penalty):
        FL = F.T @ L
        G = F.T @ F - np.eye(F.shape[1])
        yield np.trace(FL @ F) + penalty * np.sum(G**2)
        return dict(F=L @ F + FL.T + F @ (4 * penalty * G))


class SpectralNormalLayer(Form):
    title, group = "Linear layer divided by u'Wv, its singular value by power iteration", "matrix"
    wrt = "x W"
    needs = "CANC MM FACT OUT"
    ref = "Miyato et al. 2018 eq. 9-11"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((4, 3)), W=normal((3, 5)), u=normal(3), v=normal(5))

    @staticmethod
    def forward(x, W, u, v):
        sigma = u @ W @ v
        return x @ (W / sigma)

    @staticmethod
    def expert(x, W, u, v):
        sigma = u @ W @ v
        Wn = W / sigma
        y = x @ Wn
        g = yield y
        gs = g / sigma
        return dict(x=g @ Wn.T, W=x.T @ gs - np.outer(np.vdot(gs, y) * u, v))


class TransportPlan(Form):
    title, group = "Cost of a given transport plan between two clouds of points", "matrix"
    wrt = "X Y"
    needs = "SCAL FACT UNB"
    ref = "Peyre & Cuturi 2019 s.9.1"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((5, 2)), Y=random.standard_normal((4, 2)), P=random.random((5, 4)))

    @staticmethod
    def forward(X, Y, P):
        C = np.sum((X[:, None, :] - Y[None, :, :]) ** 2, axis=2)
        return np.sum(P * C)

    @staticmethod
    def expert(X, Y, P):
        D = X[:, None, :] - Y[None, :, :]
        yield np.sum(P * np.sum(D**2, axis=2))
        G = (2 * P)[:, :, None] * D
        return dict(X=G.sum(1), Y=-G.sum(0))


class QuadraticScores(Form):
    title, group = "Quadratic scores x'Ax + b'x + c of a batch", "matrix"
    wrt = "X A b c"
    needs = "MM FACT OUT"
    ref = "Petersen & Pedersen 2012 eq. 81; quadratic discriminant analysis"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 3)), A=normal((3, 3)), b=normal(3), c=normal())

    @staticmethod
    def forward(X, A, b, c):
        return np.sum((X @ A) * X, axis=1) + X @ b + c

    @staticmethod
    def expert(X, A, b, c):
        g = yield np.sum((X @ A) * X, axis=1) + X @ b + c
        gX = g[:, None] * X
        return dict(X=gX @ (A + A.T) + np.outer(g, b), A=X.T @ gX, b=gX.sum(0), c=g.sum())


class CovarianceAlignment(Form):
    title, group = "Alignment of the covariances of two sets of features", "matrix"
    wrt = "S T"
    needs = "MEAN0 SYM MM SCAL"
    ref = "Sun & Saenko 2016 (Deep CORAL) eq. 4-5"

    @staticmethod
    def make(random):
        return dict(S=random.standard_normal((7, 3)), T=random.standard_normal((5, 3)))

    @staticmethod
    def forward(S, T):
        Sc = S - S.mean(0)
        Tc = T - T.mean(0)
        Cs = Sc.T @ Sc / (len(S) - 1)
        Ct = Tc.T @ Tc / (len(T) - 1)
        return np.sum((Cs - Ct) ** 2) / (4 * S.shape[1] ** 2)

    @staticmethod
    def expert(S, T):
        Sc = S - S.mean(0)
        Tc = T - T.mean(0)
        D = Sc.T @ Sc / (len(S) - 1) - Tc.T @ Tc / (len(T) - 1)
        k = 1 / S.shape[1] ** 2
        yield np.sum(D**2) * k / 4
        return dict(S=Sc @ (k / (len(S) - 1) * D), T=Tc @ (-k / (len(T) - 1) * D))


class KernelAlignment(Form):
    title, group = "Hilbert-Schmidt independence of linear features, tr(KHLH)", "matrix"
    wrt = "X"
    needs = "MEAN0 SYM MM SCAL"
    ref = "Gretton et al. 2005 eq. 9; Kornblith et al. 2019"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((6, 3)), Y=random.standard_normal((6, 2)))

    @staticmethod
    def forward(X, Y):
        n = X.shape[0]
        H = np.eye(n) - 1 / n
        K = X @ X.T
        L = Y @ Y.T
        return np.trace(K @ H @ L @ H) / (n - 1) ** 2

    @staticmethod
    def expert(X, Y):
        n = X.shape[0]
        H = np.eye(n) - 1 / n
        K = X @ X.T
        L = Y @ Y.T
        yield np.trace(K @ H @ L @ H) / (n - 1) ** 2
        return dict(X=H @ L @ H @ (2 / (n - 1) ** 2 * X))


class LogDeterminantOfEigenvalues(Form):
    title, group = "Log-determinant and trace of a symmetric matrix by its eigenvalues", "matrix"
    wrt = "A"
    needs = "MM SYM"
    ref = "Giles 2008 s.2.3.3 (eigenvalues)"

    @staticmethod
    def make(random):
        A = random.standard_normal((4, 4))
        return dict(A=A @ A.T + np.eye(4))

    @staticmethod
    def forward(A):
        lam, V = np.linalg.eigh((A + A.T) / 2)
        return np.sum(lam - np.log(lam))

    @staticmethod
    def expert(A):
        lam, V = np.linalg.eigh((A + A.T) / 2)
        yield np.sum(lam - np.log(lam))
        return dict(A=(V * (1 - 1 / lam)) @ V.T)


class PolynomialKernelMachine(Form):
    title, group = "Least squares with a polynomial kernel, centres and weights learned", "matrix"
    wrt = "Z a"
    needs = "MM SCAL SEED"
    ref = "Hastie, Tibshirani & Friedman 2009 s.5.8, 12.3"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((7, 3)), y=normal(7), Z=normal((4, 3)), a=normal(4))

    @staticmethod
    def forward(X, y, Z, a):
        B = 1 + X @ Z.T
        f = B**2 @ a
        return 0.5 * np.mean((f - y) ** 2)

    @staticmethod
    def expert(X, y, Z, a):
        B = 1 + X @ Z.T
        K = B**2
        e = K @ a - y
        yield 0.5 * np.mean(e**2)
        d = e / len(y)
        return dict(Z=(np.outer(2 * a, d) * B.T) @ X, a=d @ K)


class SolveOfKernel(Form):
    title, group = "Weights of a kernel interpolation, (K + cI)^-1 y, in a validation error", "matrix"
    wrt = "Z gamma c"
    needs = "MM SYM OUT SCAL FACT"
    ref = "Giles 2008 s.2.3.1; Rasmussen & Williams 2006 s.2.2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(Z=normal((5, 2)), X=normal((4, 2)), y=normal(5), target=normal(4), gamma=0.4, c=0.3)

    @staticmethod
    def forward(Z, X, y, target, gamma, c):
        K = np.exp(-gamma * ((Z[:, None] - Z[None]) ** 2).sum(-1))
        Kx = np.exp(-gamma * ((X[:, None] - Z[None]) ** 2).sum(-1))
        w = np.linalg.solve(K + c * np.eye(len(Z)), y)
        return np.sum((Kx @ w - target) ** 2)

    @staticmethod
    def expert(Z, X, y, target, gamma, c):
        d, dx = Z[:, None] - Z[None], X[:, None] - Z[None]
        D, Dx = (d**2).sum(-1), (dx**2).sum(-1)
        K, Kx = np.exp(-gamma * D), np.exp(-gamma * Dx)
        C = K + c * np.eye(len(Z))
        w = np.linalg.solve(C, y)
        e = Kx @ w - target
        yield np.sum(e**2)
        de = 2 * e
        q = np.linalg.solve(C, de @ Kx)
        H = np.outer(q, w) * K
        Hx = np.outer(de, w) * Kx
        # dK = -q w', and each point is in a row and in a column of the distances.
        dZ = 2 * gamma * (((H + H.T)[:, :, None] * d).sum(1) + (Hx[:, :, None] * dx).sum(0))
        return dict(Z=dZ, gamma=np.vdot(H, D) - np.vdot(Hx, Dx), c=-(q @ w))
