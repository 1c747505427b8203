"""Gates, normalisations and layers of networks, as papers and public repositories write them."""

import numpy as np

from tests.forms.form import Form


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class SpatialAttention(Form):
    title, group = "Spatial attention: mean and maximum over channels, mixed and squashed, if no ties", "gates"
    wrt, needs, ref = "x w b", "SIG MASK UNB", "Woo et al. 2018 (CBAM) s.3.2, with a kernel of size one"
    assume = {"x": "no_ties"}
    assumes = "no ties over channels (else the tie rule decides)"

    @staticmethod
    def make(random, n=2, c=3, h=2, w=3):
        normal = random.standard_normal
        return dict(x=normal((n, c, h, w)), w=normal(2), b=0.1)

    @staticmethod
    def forward(x, w, b):
        avg = x.mean(axis=1, keepdims=True)
        top = x.max(axis=1, keepdims=True)
        gate = sigmoid(w[0] * avg + w[1] * top + b)
        return x * gate

    @staticmethod
    def expert(x, w, b):
        avg = x.mean(axis=1, keepdims=True)
        top = x.max(axis=1, keepdims=True)
        gate = sigmoid(w[0] * avg + w[1] * top + b)
        out = x * gate
        g = yield out
        ds = (g * out).sum(axis=1, keepdims=True) * (1 - gate)
        dw = np.empty_like(w)
        dw[0] = np.sum(ds * avg)
        dw[1] = np.sum(ds * top)
        dx = g * gate + (w[0] / x.shape[1]) * ds + (w[1] * ds) * (x == top)
        return dict(x=dx, w=dw, b=ds.sum())


class ScaleNorm(Form):
    title, group, wrt = "Scale normalisation with one learned length, after a residual", "normalisation", "x f g"
    needs, ref = "FACT CANC UNB", "Nguyen & Salazar 2019 eq. 5"

    @staticmethod
    def make(random, n=4, d=3):
        return dict(x=random.standard_normal((n, d)), f=random.standard_normal((n, d)), g=1.7)

    @staticmethod
    def forward(x, f, g):
        r = x + f
        norm = np.maximum(np.linalg.norm(r, axis=-1, keepdims=True), 1e-5)
        return g * r / norm

    @staticmethod
    def expert(x, f, g):
        r = x + f
        length = np.linalg.norm(r, axis=-1, keepdims=True)
        norm = np.maximum(length, 1e-5)
        y = g * r / norm
        G = yield y
        # Below 1e-5 the norm is a constant.
        s = (G * y).sum(axis=-1, keepdims=True)
        dr = g / norm * G - r * (s / norm**2 * (length > 1e-5))
        return dict(x=dr, f=dr, g=s.sum() / g)


class ChannelAttention(Form):
    title, group, wrt = "Efficient channel attention: averages convolved along channels, squashed", "gates", "x w"
    needs, ref = "SIG UNB SCAT", "Wang et al. 2020 (ECA-Net) eq. 6"

    @staticmethod
    def make(random, n=2, c=5, h=2, k=3):
        return dict(x=random.standard_normal((n, c, h, h)), w=random.standard_normal(k))

    @staticmethod
    def forward(x, w):
        y = x.mean(axis=(2, 3))
        padded = np.pad(y, ((0, 0), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)
        gate = sigmoid(windows @ w)
        return x * gate[:, :, None, None]

    @staticmethod
    def expert(x, w):
        y = x.mean(axis=(2, 3))
        padded = np.pad(y, ((0, 0), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)
        gate = sigmoid(windows @ w)
        out = x * gate[:, :, None, None]
        g = yield out
        dz = np.einsum("nchw,nchw->nc", g, out) * (1 - gate)
        dw = np.tensordot(windows, dz, ([0, 1], [0, 1]))
        dzp = np.lib.stride_tricks.sliding_window_view(np.pad(dz, ((0, 0), (1, 1))), 3, axis=1)
        dy = dzp @ (w[::-1] / (x.shape[2] * x.shape[3]))
        return dict(x=g * gate[:, :, None, None] + dy[:, :, None, None], w=dw)


class BilinearSampling(Form):
    title, group, wrt = "Image sampled bilinearly at learned places", "convolution", "image u v"
    needs, ref = "SCAT FACT", "Jaderberg et al. 2015 (spatial transformers) eq. 5"

    @staticmethod
    def make(random, h=5, w=6, n=4):
        return dict(
            image=random.standard_normal((h, w)), u=random.random(n) * (h - 1.01), v=random.random(n) * (w - 1.01)
        )

    @staticmethod
    def forward(image, u, v):
        i = np.floor(u).astype(int)
        j = np.floor(v).astype(int)
        a, b = u - i, v - j
        top = (1 - b) * image[i, j] + b * image[i, j + 1]
        bottom = (1 - b) * image[i + 1, j] + b * image[i + 1, j + 1]
        return (1 - a) * top + a * bottom

    @staticmethod
    def expert(image, u, v):
        i = np.floor(u).astype(int)
        j = np.floor(v).astype(int)
        a, b = u - i, v - j
        j1, i1 = j + 1, i + 1
        p00, p01, p10, p11 = image[i, j], image[i, j1], image[i1, j], image[i1, j1]
        ca, cb = 1 - a, 1 - b
        top = cb * p00 + b * p01
        bottom = cb * p10 + b * p11
        g = yield ca * top + a * bottom
        gt, gb = ca * g, a * g
        dimage = np.zeros_like(image)
        np.add.at(dimage, (i, j), cb * gt)
        np.add.at(dimage, (i, j1), b * gt)
        np.add.at(dimage, (i1, j), cb * gb)
        np.add.at(dimage, (i1, j1), b * gb)
        return dict(image=dimage, u=g * (bottom - top), v=gt * (p01 - p00) + gb * (p11 - p10))


class ConditionalWeights(Form):
    title, group, wrt = "Weights mixed per example by sigmoid routing, then a linear map and ReLU", "gates", "x R K"
    needs, ref = "SIG MM", "Yang et al. 2019 (CondConv) eq. 1"

    @staticmethod
    def make(random, n=4, d=3, o=2, k=3):
        normal = random.standard_normal
        return dict(x=normal((n, d)), R=normal((d, k)), K=normal((k, d, o)))

    @staticmethod
    def forward(x, R, K):
        r = sigmoid(x @ R)
        W = np.einsum("nk,kdo->ndo", r, K)
        return np.maximum(np.einsum("nd,ndo->no", x, W), 0)

    @staticmethod
    def expert(x, R, K):
        r = sigmoid(x @ R)
        W = np.einsum("nk,kdo->ndo", r, K)
        y = np.maximum(np.einsum("nd,ndo->no", x, W), 0)
        g = yield y
        d = g * (y > 0)
        dW = np.einsum("nd,no->ndo", x, d)
        dz = np.einsum("ndo,kdo->nk", dW, K) * r * (1 - r)
        return dict(x=np.einsum("ndo,no->nd", W, d) + dz @ R.T, R=x.T @ dz, K=np.einsum("nk,ndo->kdo", r, dW))


class RadialEdges(Form):
    title, group, wrt = "Kolmogorov-Arnold layer of Gaussian bumps with a linear part", "dense", "x C W"
    needs, ref = "OUT FACT MM", "Li 2024 (FastKAN)"

    @staticmethod
    def make(random, n=4, d=3, o=2, m=5):
        normal = random.standard_normal
        return dict(x=normal((n, d)), C=normal((d, m, o)), W=normal((d, o)), centres=np.linspace(-2, 2, m), h=0.8)

    @staticmethod
    def forward(x, C, W, centres, h):
        phi = np.exp(-(((x[:, :, None] - centres) / h) ** 2))
        return np.einsum("ndm,dmo->no", phi, C) + (x * sigmoid(x)) @ W

    @staticmethod
    def expert(x, C, W, centres, h):
        u = (x[:, :, None] - centres) / h
        phi = np.exp(-(u**2))
        s = sigmoid(x)
        silu = x * s
        g = yield np.einsum("ndm,dmo->no", phi, C) + silu @ W
        dphi = np.einsum("no,dmo->ndm", g, C)
        dx = (-2 / h) * (dphi * phi * u).sum(axis=2) + g @ W.T * (s + silu * (1 - s))
        return dict(x=dx, C=np.einsum("ndm,no->dmo", phi, g), W=silu.T @ g)


class LowRankBilinear(Form):
    title, group, wrt = "Low-rank bilinear pooling of two modalities, logits", "matrix products", "x y U V P"
    needs, ref = "OUT MM", "Kim et al. 2017 (MLB) eq. 5"

    @staticmethod
    def make(random, n=4, a=3, b=2, r=3, k=2):
        normal = random.standard_normal
        return dict(x=normal((n, a)), y=normal((n, b)), U=normal((a, r)), V=normal((b, r)), P=normal((r, k)))

    @staticmethod
    def forward(x, y, U, V, P):
        return (np.tanh(x @ U) * np.tanh(y @ V)) @ P

    @staticmethod
    def expert(x, y, U, V, P):
        a, b = np.tanh(x @ U), np.tanh(y @ V)
        h = a * b
        g = yield h @ P
        dh = g @ P.T
        da = dh * b * (1 - a**2)
        db = dh * a * (1 - b**2)
        return dict(x=da @ U.T, y=db @ V.T, U=x.T @ da, V=y.T @ db, P=h.T @ g)
