"""More factorisations, embeddings and generative models, as papers and public repositories write them."""

import numpy as np

from tests.forms.form import Form


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class TuckerDecomposition(Form):
    title, group, wrt = (
        "Tucker decomposition of a tensor of three axes, squared error of observed entries",
        "linear algebra",
        "G A B C",
    )
    needs, ref = "MM SCAL", "Kolda & Bader 2009 s.4"

    @staticmethod
    def make(random, shape=(3, 4, 2), ranks=(2, 2, 2)):
        normal = random.standard_normal
        A, B, C = (normal((s, r)) for s, r in zip(shape, ranks, strict=True))
        return dict(T=normal(shape), M=(random.random(shape) < 0.7).astype(float), G=normal(ranks), A=A, B=B, C=C)

    @staticmethod
    def forward(T, M, G, A, B, C):
        R = np.einsum("pqr,ip,jq,kr->ijk", G, A, B, C)
        return 0.5 * np.sum((M * (T - R)) ** 2)

    @staticmethod
    def expert(T, M, G, A, B, C):
        GA = np.einsum("pqr,ip->iqr", G, A)
        GAB = np.einsum("iqr,jq->ijr", GA, B)
        E = M * (np.einsum("ijr,kr->ijk", GAB, C) - T)
        yield 0.5 * np.sum(E**2)
        E = M * E
        EC = np.einsum("ijk,kr->ijr", E, C)
        ECB = np.einsum("ijr,jq->iqr", EC, B)
        return dict(
            G=np.einsum("iqr,ip->pqr", ECB, A),
            A=np.einsum("iqr,pqr->ip", ECB, G),
            B=np.einsum("ijr,iqr->jq", EC, GA),
            C=np.einsum("ijk,ijr->kr", E, GAB),
        )


class ArchetypalAnalysis(Form):
    title, group, wrt = "Archetypal analysis, both sets of weights by softmax", "embeddings", "A B"
    needs, ref = "SMAX MM SCAL", "Cutler & Breiman 1994; Morup & Hansen 2012"

    @staticmethod
    def make(random, n=5, k=2, d=3):
        normal = random.standard_normal
        return dict(X=normal((n, d)), A=normal((n, k)), B=normal((k, n)))

    @staticmethod
    def forward(X, A, B):
        SA = np.exp(A) / np.exp(A).sum(axis=1, keepdims=True)
        SB = np.exp(B) / np.exp(B).sum(axis=1, keepdims=True)
        Z = SB @ X
        return np.sum((X - SA @ Z) ** 2)

    @staticmethod
    def expert(X, A, B):
        eA, eB = np.exp(A), np.exp(B)
        SA = eA / eA.sum(axis=1, keepdims=True)
        SB = eB / eB.sum(axis=1, keepdims=True)
        Z = SB @ X
        R = X - SA @ Z
        yield np.sum(R**2)
        G = -2 * R
        mA = SA * (G @ Z.T)
        mB = SB * (SA.T @ G @ X.T)
        return dict(A=mA - SA * mA.sum(axis=1, keepdims=True), B=mB - SB * mB.sum(axis=1, keepdims=True))


class TensorTrain(Form):
    title, group, wrt = (
        "Entries of a tensor in train format, squared error of those observed",
        "linear algebra",
        "A B C",
    )
    needs, ref = "SCAT MM SCAL", "Oseledets 2011 eq. 1.2"

    @staticmethod
    def make(random, m=6, n=4, r=2):
        normal, idx = random.standard_normal, lambda: random.integers(0, n, m)
        return dict(A=normal((n, r)), B=normal((n, r, r)), C=normal((n, r)), i=idx(), j=idx(), k=idx(), y=normal(m))

    @staticmethod
    def forward(A, B, C, i, j, k, y):
        value = np.einsum("mr,mrs,ms->m", A[i], B[j], C[k])
        return np.sum((value - y) ** 2)

    @staticmethod
    def expert(A, B, C, i, j, k, y):
        a, b, c = A[i], B[j], C[k]
        ab = np.einsum("mr,mrs->ms", a, b)
        e = np.einsum("ms,ms->m", ab, c) - y
        yield np.sum(e**2)
        g = (2 * e)[:, None]
        gc = g * c
        dA, dB, dC = np.zeros_like(A), np.zeros_like(B), np.zeros_like(C)
        np.add.at(dA, i, np.einsum("mrs,ms->mr", b, gc))
        np.add.at(dB, j, a[:, :, None] * gc[:, None, :])
        np.add.at(dC, k, g * ab)
        return dict(A=dA, B=dB, C=dC)


class ProductOfExperts(Form):
    title, group, wrt = (
        "Posterior of several Gaussian experts multiplied, divergence to the prior",
        "generative",
        "mu logvar",
    )
    needs, ref = "FACT CANC SCAL", "Wu & Goodman 2018 (multimodal VAE) s.2.2"

    @staticmethod
    def make(random, m=3, n=4, d=2):
        return dict(mu=random.standard_normal((m, n, d)), logvar=random.standard_normal((m, n, d)))

    @staticmethod
    def forward(mu, logvar):
        T = np.exp(-logvar)
        total = 1 + T.sum(axis=0)
        mean = (mu * T).sum(axis=0) / total
        var = 1 / total
        return -0.5 * np.sum(1 + np.log(var) - mean**2 - var)

    @staticmethod
    def expert(mu, logvar):
        T = np.exp(-logvar)
        total = 1 + T.sum(axis=0)
        mean = (mu * T).sum(axis=0) / total
        var = 1 / total
        yield -0.5 * np.sum(1 + np.log(var) - mean**2 - var)
        dmu = T * (mean * var)
        # d total = (1 - var) var / 2 - mean^2 var, and the mean depends on T by (mu - mean) var
        return dict(mu=dmu, logvar=dmu * (mean - mu) - T * ((0.5 - 0.5 * var) * var))


class CouplingSpline(Form):
    title, group, wrt = (
        "Mixture-of-logistics coupling transform with its logarithmic slope",
        "generative",
        "x a logs mu",
    )
    needs, ref = "SMAX SIG FACT", "Ho et al. 2019 (Flow++) eq. 8"

    @staticmethod
    def make(random, n=4, k=3):
        normal = random.standard_normal
        return dict(x=normal(n), a=normal((n, k)), mu=normal((n, k)), logs=0.3 * normal((n, k)))

    @staticmethod
    def forward(x, a, mu, logs):
        e = np.exp(a)
        w = e / e.sum(axis=1, keepdims=True)
        inv = np.exp(-logs)
        s = 1 / (1 + np.exp(-(x[:, None] - mu) * inv))
        density = (w * s * (1 - s) * inv).sum(axis=1)
        return -np.sum(np.log(density))

    @staticmethod
    def expert(x, a, mu, logs):
        e = np.exp(a)
        w = e / e.sum(axis=1, keepdims=True)
        inv = np.exp(-logs)
        diff = x[:, None] - mu
        s = 1 / (1 + np.exp(-diff * inv))
        part = w * s * (1 - s) * inv
        density = part.sum(axis=1)
        yield -np.sum(np.log(density))
        r = part / density[:, None]
        dmu = r * (1 - 2 * s) * inv
        return dict(x=-dmu.sum(axis=1), a=w - r, mu=dmu, logs=r + dmu * diff)


class SoftDecisionTree(Form):
    title, group, wrt = "Soft decision tree of depth two, leaves mixed", "statistics", "X W b leaves"
    needs, ref = "SIG FACT CAT MM", "Frosst & Hinton 2017; Irsoy et al. 2012"

    @staticmethod
    def make(random, n=5, d=3, o=2):
        normal = random.standard_normal
        return dict(X=normal((n, d)), W=normal((d, 3)), b=normal(3), leaves=normal((4, o)))

    @staticmethod
    def forward(X, W, b, leaves):
        s = sigmoid(X @ W + b)
        root, left, right = s[:, 0], s[:, 1], s[:, 2]
        paths = np.stack([root * left, root * (1 - left), (1 - root) * right, (1 - root) * (1 - right)], axis=1)
        return paths @ leaves

    @staticmethod
    def expert(X, W, b, leaves):
        s = sigmoid(X @ W + b)
        c = 1 - s
        root, left, right = s[:, 0], s[:, 1], s[:, 2]
        paths = np.stack([root * left, root * c[:, 1], c[:, 0] * right, c[:, 0] * c[:, 2]], axis=1)
        g = yield paths @ leaves
        m = paths * (g @ leaves.T)
        up, down = m[:, 0] + m[:, 1], m[:, 2] + m[:, 3]
        dz = np.empty_like(s)
        dz[:, 0] = up - root * (up + down)
        dz[:, 1] = m[:, 0] - left * up
        dz[:, 2] = m[:, 2] - right * down
        return dict(X=dz @ W.T, W=X.T @ dz, b=dz.sum(axis=0), leaves=paths.T @ g)
