"""More gates, normalisations and layers of networks, as papers and public repositories write them."""

import numpy as np

from tests.forms.form import Form


class CrossNetwork(Form):
    title, group, wrt = "Cross network of matrices with a logistic loss, layers in a list", "dense", "x Ws bs w"
    needs, ref = "SIG MM UNB", "Wang et al. 2021 (DCN-v2) eq. 1"

    @staticmethod
    def make(random, n=4, d=3):
        normal = random.standard_normal
        Ws, bs = 0.5 * normal((2, d, d)), normal((2, d))
        return dict(x=normal((n, d)), Ws=Ws, bs=bs, w=normal(d), y=2.0 * random.integers(0, 2, n) - 1)

    @staticmethod
    def forward(x, Ws, bs, w, y):
        h = x
        for k in range(len(Ws)):
            h = x * (h @ Ws[k] + bs[k]) + h
        return np.mean(np.log1p(np.exp(-y * (h @ w))))

    @staticmethod
    def expert(x, Ws, bs, w, y):
        h, hs, us = x, [], []
        for k in range(len(Ws)):
            u = h @ Ws[k] + bs[k]
            hs.append(h)
            us.append(u)
            h = x * u + h
        e = np.exp(-y * (h @ w))
        yield np.mean(np.log1p(e))
        dlogit = e / (1 + e) * (-y / len(y))
        dh = np.outer(dlogit, w)
        dx = 0
        dWs, dbs = np.empty_like(Ws), np.empty_like(bs)
        for k in (1, 0):
            dx = dx + dh * us[k] if k == 0 else dh * us[k]
            du = dh * x
            dWs[k] = hs[k].T @ du
            dbs[k] = du.sum(axis=0)
            dh = dh + du @ Ws[k].T
        return dict(x=dx + dh, Ws=dWs, bs=dbs, w=h.T @ dlogit)


class DynamicTanh(Form):
    title, group, wrt = "Dynamic tanh in place of a normalisation", "normalisation", "x alpha gamma beta"
    needs, ref = "OUT SCAL UNB", "Zhu et al. 2025 (DyT), algorithm 1"

    @staticmethod
    def make(random, n=4, d=3):
        normal = random.standard_normal
        return dict(x=normal((n, d)), alpha=0.5, gamma=normal(d), beta=normal(d))

    @staticmethod
    def forward(x, alpha, gamma, beta):
        return gamma * np.tanh(alpha * x) + beta

    @staticmethod
    def expert(x, alpha, gamma, beta):
        t = np.tanh(alpha * x)
        g = yield gamma * t + beta
        d = gamma * g * (1 - t**2)
        return dict(x=alpha * d, alpha=np.sum(d * x), gamma=np.sum(g * t, axis=0), beta=g.sum(axis=0))


class SineNetwork(Form):
    title, group, wrt = "Sine network of coordinates, squared error of an image", "dense", "W1 b1 W2 b2 W3 b3"
    needs, ref = "SCAL MM UNB", "Sitzmann et al. 2020 (SIREN) eq. 5"

    @staticmethod
    def make(random, n=5, h=4):
        normal = random.standard_normal
        return dict(
            x=normal((n, 2)),
            y=normal((n, 1)),
            w0=3.0,
            W1=normal((2, h)),
            b1=normal(h),
            W2=0.3 * normal((h, h)),
            b2=normal(h),
            W3=normal((h, 1)),
            b3=normal(1),
        )

    @staticmethod
    def forward(x, y, w0, W1, b1, W2, b2, W3, b3):
        h1 = np.sin(w0 * (x @ W1 + b1))
        h2 = np.sin(w0 * (h1 @ W2 + b2))
        return np.mean((h2 @ W3 + b3 - y) ** 2)

    @staticmethod
    def expert(x, y, w0, W1, b1, W2, b2, W3, b3):
        a1 = w0 * (x @ W1 + b1)
        h1 = np.sin(a1)
        a2 = w0 * (h1 @ W2 + b2)
        h2 = np.sin(a2)
        e = h2 @ W3 + b3 - y
        yield np.mean(e**2)
        d3 = 2 / e.size * e
        d2 = d3 @ (w0 * W3.T) * np.cos(a2)
        d1 = d2 @ (w0 * W2.T) * np.cos(a1)
        return dict(W1=x.T @ d1, b1=d1.sum(0), W2=h1.T @ d2, b2=d2.sum(0), W3=h2.T @ d3, b3=d3.sum(0))


class SampledNeighbours(Form):
    title, group = "GraphSAGE: mean of sampled neighbours beside the node, rows of unit length", "graphs"
    wrt, needs, ref = "H W", "UNB SCAT CAT MM", "Hamilton et al. 2017, algorithm 1"

    @staticmethod
    def make(random, n=5, s=3, d=3, o=2):
        normal = random.standard_normal
        return dict(H=normal((n, d)), W=normal((2 * d, o)), neighbours=random.integers(0, n, (n, s)))

    @staticmethod
    def forward(H, W, neighbours):
        mean = H[neighbours].mean(axis=1)
        Z = np.concatenate([H, mean], axis=1) @ W
        Z = np.maximum(Z, 0.01 * Z)
        return Z / np.linalg.norm(Z, axis=1, keepdims=True)

    @staticmethod
    def expert(H, W, neighbours):
        mean = H[neighbours].mean(axis=1)
        both = np.concatenate([H, mean], axis=1)
        L = both @ W
        Z = np.maximum(L, 0.01 * L)
        norm = np.linalg.norm(Z, axis=1, keepdims=True)
        Y = Z / norm
        g = yield Y
        dZ = (g - Y * (g * Y).sum(axis=1, keepdims=True)) / norm
        dL = np.where(L > 0, dZ, 0.01 * dZ)
        dboth = dL @ W.T
        d = H.shape[1]
        dmean = dboth[:, d:] / neighbours.shape[1]
        dH = dboth[:, :d]
        np.add.at(dH, neighbours, dmean[:, None, :])
        return dict(H=dH, W=both.T @ dL)


class RelationalGraph(Form):
    title, group, wrt = "Relational graph convolution with basis weights", "graphs", "H B a W"
    needs, ref = "MM", "Schlichtkrull et al. 2018 eq. 2 and 3"

    @staticmethod
    def make(random, n=4, d=3, o=2, r=3, m=2):
        normal = random.standard_normal
        return dict(
            A=random.random((r, n, n)), H=normal((n, d)), B=normal((m, d, o)), a=normal((r, m)), W=normal((d, o))
        )

    @staticmethod
    def forward(A, H, B, a, W):
        V = np.einsum("rm,mdo->rdo", a, B)
        Z = H @ W + np.einsum("rij,jd,rdo->io", A, H, V)
        return np.maximum(Z, 0)

    @staticmethod
    def expert(A, H, B, a, W):
        V = np.tensordot(a, B, 1)
        AH = A @ H
        Y = np.maximum(H @ W + np.einsum("rid,rdo->io", AH, V), 0)
        g = yield Y
        dZ = g * (Y > 0)
        dV = AH.swapaxes(1, 2) @ dZ
        dH = dZ @ W.T + np.einsum("rij,rid->jd", A, dZ @ V.swapaxes(1, 2))
        return dict(H=dH, B=np.tensordot(a.T, dV, 1), a=np.tensordot(dV, B, ([1, 2], [1, 2])), W=H.T @ dZ)


class GroupedConvolution(Form):
    title, group, wrt = (
        "Grouped 1-D convolution by windows and einsum, bias, leaky unit by where",
        "convolution",
        "x W b",
    )
    needs, ref = "SCAT MASK UNB", "Krizhevsky et al. 2012 s.3.2; Xie et al. 2017"

    @staticmethod
    def make(random, n=2, g=2, c=2, t=6, o=3, k=3):
        normal = random.standard_normal
        return dict(x=normal((n, g * c, t)), W=normal((g, o, c, k)), b=normal(g * o))

    @staticmethod
    def forward(x, W, b):
        n, channels, t = x.shape
        g, o, c, k = W.shape
        windows = np.lib.stride_tricks.sliding_window_view(x.reshape(n, g, c, t), k, axis=3)
        y = np.einsum("ngctk,gock->ngot", windows, W).reshape(n, g * o, -1) + b[:, None]
        return np.where(y > 0, y, 0.2 * y)

    @staticmethod
    def expert(x, W, b):
        n, channels, t = x.shape
        g, o, c, k = W.shape
        windows = np.lib.stride_tricks.sliding_window_view(x.reshape(n, g, c, t), k, axis=3)
        y = np.einsum("ngctk,gock->ngot", windows, W).reshape(n, g * o, -1) + b[:, None]
        G = yield np.where(y > 0, y, 0.2 * y)
        dy = np.where(y > 0, G, 0.2 * G)
        dyg = dy.reshape(n, g, o, -1)
        dW = np.einsum("ngctk,ngot->gock", windows, dyg)
        padded = np.pad(dyg, ((0, 0), (0, 0), (0, 0), (k - 1, k - 1)))
        back = np.lib.stride_tricks.sliding_window_view(padded, k, axis=3)
        dx = np.einsum("ngotk,gock->ngct", back, W[..., ::-1])
        return dict(x=dx.reshape(x.shape), W=dW, b=dy.sum(axis=(0, 2)))
