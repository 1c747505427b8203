"""Layers of images, sets and graphs, as courses and public repositories write them."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.forms.form import Form


class StridedConvolutionRelu(Form):
    title, group, wrt = "Strided convolution of channels by windows, bias, ReLU", "convolution", "x w b"
    needs, ref = "CAT MASK UNB", "Dumoulin & Visin 2016 s.4"

    @staticmethod
    def make(random, n=2, c=2, length=8, o=3, k=3):
        normal = random.standard_normal
        return dict(x=normal((n, c, length)), w=normal((o, c, k)), b=normal(o), stride=2)

    @staticmethod
    def forward(x, w, b, stride):
        windows = sliding_window_view(x, w.shape[2], axis=2)[:, :, ::stride]
        return np.maximum(np.einsum("nclk,ock->nol", windows, w) + b[:, None], 0)

    @staticmethod
    def expert(x, w, b, stride):
        k = w.shape[2]
        windows = sliding_window_view(x, k, axis=2)[:, :, ::stride]
        y = np.maximum(np.einsum("nclk,ock->nol", windows, w) + b[:, None], 0)
        g = yield y
        d = g * (y > 0)
        spread = np.zeros_like(d, shape=(*d.shape[:2], x.shape[2] + k - 1))
        spread[:, :, k - 1 : k - 1 + stride * d.shape[2] : stride] = d
        dx = np.einsum("nolk,ock->ncl", sliding_window_view(spread, k, axis=2), w[:, :, ::-1])
        return dict(x=dx, w=np.einsum("nol,nclk->ock", d, windows), b=d.sum((0, 2)))


class ConvolutionPatchByPatch(Form):
    title, group, wrt = "Convolution of images, one patch after the other", "convolution", "x w b"
    needs, ref = "CAT MM UNB", "CS231n assignment 2 (conv_forward_naive)"

    @staticmethod
    def make(random, n=2, c=2, size=3, o=3, k=2):
        normal = random.standard_normal
        return dict(x=normal((n, c, size, size)), w=normal((o, c, k, k)), b=normal(o))

    @staticmethod
    def forward(x, w, b):
        N, C, H, W = x.shape
        F, _, k, _ = w.shape
        out = np.zeros_like(x, shape=(N, F, H - k + 1, W - k + 1))
        for i in range(H - k + 1):
            for j in range(W - k + 1):
                patch = x[:, :, i : i + k, j : j + k]
                out[:, :, i, j] = np.tensordot(patch, w, axes=([1, 2, 3], [1, 2, 3])) + b
        return out

    @staticmethod
    def expert(x, w, b):
        k = w.shape[2]
        windows = sliding_window_view(x, (k, k), axis=(2, 3))
        g = yield np.einsum("nchwij,ocij->nohw", windows, w) + b[:, None, None]
        padded = np.pad(g, ((0, 0), (0, 0), (k - 1, k - 1), (k - 1, k - 1)))
        back = sliding_window_view(padded, (k, k), axis=(2, 3))
        dx = np.einsum("nohwij,ocij->nchw", back, w[:, :, ::-1, ::-1])
        return dict(x=dx, w=np.einsum("nohw,nchwij->ocij", g, windows), b=g.sum((0, 2, 3)))


class TransposedConvolution(Form):
    title, group, wrt = "Transposed convolution of sequences, strided, added position by position", "convolution", "x w"
    needs, ref = "CAT MM", "Zeiler et al. 2010; Dumoulin & Visin 2016 s.4"

    @staticmethod
    def make(random, n=2, c=2, length=3, o=3, k=3):
        return dict(x=random.standard_normal((n, c, length)), w=random.standard_normal((c, o, k)), stride=2)

    @staticmethod
    def forward(x, w, stride):
        n, _, length = x.shape
        _, o, k = w.shape
        out = np.zeros_like(x, shape=(n, o, (length - 1) * stride + k))
        for i in range(length):
            out[:, :, i * stride : i * stride + k] += np.einsum("nc,cok->nok", x[:, :, i], w)
        return out

    @staticmethod
    def expert(x, w, stride):
        n, _, length = x.shape
        _, o, k = w.shape
        out = np.zeros_like(x, shape=(n, o, (length - 1) * stride + k))
        for i in range(length):
            out[:, :, i * stride : i * stride + k] += np.einsum("nc,cok->nok", x[:, :, i], w)
        g = yield out
        windows = sliding_window_view(g, k, axis=2)[:, :, ::stride]
        return dict(x=np.einsum("nolk,cok->ncl", windows, w), w=np.einsum("ncl,nolk->cok", x, windows))


class PointwiseThenAverage(Form):
    title, group, wrt = "Convolution of size one, ReLU, average of all positions, logits", "convolution", "x w V"
    needs, ref = "MASK SCAL MM", "Lin et al. 2014 (network in network)"

    @staticmethod
    def make(random, n=2, c=3, h=3, w=2, o=4, k=3):
        normal = random.standard_normal
        return dict(x=normal((n, c, h, w)), w=normal((o, c)), V=normal((o, k)))

    @staticmethod
    def forward(x, w, V):
        z = np.einsum("oc,nchw->nohw", w, x)
        return np.maximum(z, 0).mean(axis=(2, 3)) @ V

    @staticmethod
    def expert(x, w, V):
        z = np.einsum("oc,nchw->nohw", w, x)
        p = np.maximum(z, 0).mean(axis=(2, 3))
        g = yield p @ V
        dp = g @ V.T / (x.shape[2] * x.shape[3])
        dz = dp[:, :, None, None] * (z > 0)
        return dict(x=np.einsum("oc,nohw->nchw", w, dz), w=np.einsum("nohw,nchw->oc", dz, x), V=p.T @ g)


class SoftPool(Form):
    title, group, wrt = "Pooling of blocks by exponentially weighted averages", "pooling", "x"
    needs, ref = "SMAX FACT", "Stergiou et al. 2021 (SoftPool)"

    @staticmethod
    def make(random, n=2, c=2, h=4, w=4):
        return dict(x=random.standard_normal((n, c, h, w)))

    @staticmethod
    def forward(x):
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2)
        e = np.exp(blocks)
        return np.sum(e * blocks, axis=(3, 5)) / np.sum(e, axis=(3, 5))

    @staticmethod
    def expert(x):
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2)
        e = np.exp(blocks)
        s = np.sum(e, axis=(3, 5))
        y = np.sum(e * blocks, axis=(3, 5)) / s
        g = yield y
        around = 1 + blocks - y[:, :, :, None, :, None]
        return dict(x=(e * around * (g / s)[:, :, :, None, :, None]).reshape(x.shape))


class DepthwiseSeparable(Form):
    title, group, wrt = "Depthwise convolution followed by a pointwise one", "convolution", "x wd wp"
    needs, ref = "CAT MM", "Howard et al. 2017 (MobileNets)"

    @staticmethod
    def make(random, c=2, h=5, w=4, k=3, o=3):
        normal = random.standard_normal
        return dict(x=normal((c, h, w)), wd=normal((c, k, k)), wp=normal((o, c)))

    @staticmethod
    def forward(x, wd, wp):
        windows = sliding_window_view(x, wd.shape[1:], axis=(1, 2))
        mid = np.einsum("chwij,cij->chw", windows, wd)
        return np.tensordot(wp, mid, axes=1)

    @staticmethod
    def expert(x, wd, wp):
        k = wd.shape[1]
        windows = sliding_window_view(x, (k, k), axis=(1, 2))
        mid = np.einsum("chwij,cij->chw", windows, wd)
        g = yield np.tensordot(wp, mid, axes=1)
        dmid = np.tensordot(wp.T, g, axes=1)
        padded = np.pad(dmid, ((0, 0), (k - 1, k - 1), (k - 1, k - 1)))
        dx = np.einsum("chwij,cij->chw", sliding_window_view(padded, (k, k), axis=(1, 2)), wd[:, ::-1, ::-1])
        return dict(x=dx, wd=np.einsum("chwij,chw->cij", windows, dmid), wp=np.einsum("ohw,chw->oc", g, mid))


class FeatureModulation(Form):
    title, group, wrt = "Features scaled and shifted by what another input predicts, ReLU", "dense", "x W c V b"
    needs, ref = "CAT MASK UNB", "Perez et al. 2018 (FiLM)"

    @staticmethod
    def make(random, n=4, d=3, h=5, e=2):
        normal = random.standard_normal
        return dict(x=normal((n, d)), W=normal((d, h)), c=normal((n, e)), V=normal((e, 2 * h)), b=normal(2 * h))

    @staticmethod
    def forward(x, W, c, V, b):
        gamma, beta = np.split(c @ V + b, 2, axis=1)
        return np.maximum(gamma * (x @ W) + beta, 0.0)

    @staticmethod
    def expert(x, W, c, V, b):
        gamma, beta = np.split(c @ V + b, 2, axis=1)
        u = x @ W
        y = np.maximum(gamma * u + beta, 0.0)
        g = yield y
        d = g * (y > 0)
        du = d * gamma
        dm = np.concatenate([d * u, d], axis=1)
        return dict(x=du @ W.T, W=x.T @ du, c=dm @ V.T, V=c.T @ dm, b=dm.sum(axis=0))


class HyperNetwork(Form):
    title, group, wrt = "Layer whose weights another network predicts", "dense", "x z H c"
    needs, ref = "OUT MM", "Ha et al. 2017"

    @staticmethod
    def make(random, n=4, d=3, h=2, e=3):
        normal = random.standard_normal
        return dict(x=normal((n, d)), z=normal(e), H=normal((e, d * h)), c=normal(d * h))

    @staticmethod
    def forward(x, z, H, c):
        W = (z @ H + c).reshape(x.shape[1], -1)
        return np.tanh(np.dot(x, W))

    @staticmethod
    def expert(x, z, H, c):
        W = (z @ H + c).reshape(x.shape[1], -1)
        y = np.tanh(x @ W)
        g = yield y
        d = g * (1 - y**2)
        dw = (x.T @ d).ravel()
        return dict(x=d @ W.T, z=H @ dw, H=np.outer(z, dw), c=dw)


class MaskedDeepSets(Form):
    title, group, wrt = "Average of the embedded members of each set, padding masked", "dense", "X W1 b1 W2"
    needs, ref = "MASK MM UNB", "Zaheer et al. 2017"

    @staticmethod
    def make(random, n=3, m=4, d=2, h=5, k=2):
        normal = random.standard_normal
        mask = (np.arange(m) < np.arange(1, n + 1)[:, None]).astype(float)
        return dict(X=normal((n, m, d)), mask=mask, W1=normal((d, h)), b1=normal(h), W2=normal((h, k)))

    @staticmethod
    def forward(X, mask, W1, b1, W2):
        phi = np.maximum(X @ W1 + b1, 0)
        pooled = (phi * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return pooled @ W2

    @staticmethod
    def expert(X, mask, W1, b1, W2):
        phi = np.maximum(X @ W1 + b1, 0)
        count = mask.sum(axis=1, keepdims=True)
        pooled = (phi * mask[:, :, None]).sum(axis=1) / count
        g = yield pooled @ W2
        dp = g @ W2.T / count
        d = dp[:, None] * (mask[:, :, None] * (phi > 0))
        flat = d.reshape(-1, d.shape[-1])
        dW1 = X.reshape(len(flat), -1).T @ flat
        return dict(X=d @ W1.T, W1=dW1, b1=flat.sum(0), W2=pooled.T @ g)


class GraphIsomorphismLayer(Form):
    title, group, wrt = "Sum over neighbours by a list of edges, then two products with ReLU", "graphs", "x eps W1 W2"
    needs, ref = "SCAT MASK MM", "Xu et al. 2019 (GIN) eq. 4.1"

    @staticmethod
    def make(random, n=5, e=8, d=3, h=4, k=2):
        normal = random.standard_normal
        src, dst = random.integers(0, n, e), random.integers(0, n, e)
        return dict(x=normal((n, d)), src=src, dst=dst, eps=np.array(0.1), W1=normal((d, h)), W2=normal((h, k)))

    @staticmethod
    def forward(x, src, dst, eps, W1, W2):
        agg = np.zeros_like(x)
        np.add.at(agg, dst, x[src])
        h = np.maximum(((1 + eps) * x + agg) @ W1, 0)
        return h @ W2

    @staticmethod
    def expert(x, src, dst, eps, W1, W2):
        agg = np.zeros_like(x)
        np.add.at(agg, dst, x[src])
        s = (1 + eps) * x + agg
        h = np.maximum(s @ W1, 0)
        g = yield h @ W2
        dh = (g @ W2.T) * (h > 0)
        ds = dh @ W1.T
        dx = (1 + eps) * ds
        np.add.at(dx, src, ds[dst])
        return dict(x=dx, eps=np.vdot(ds, x), W1=s.T @ dh, W2=h.T @ g)


class SemiSupervisedGraph(Form):
    title, group, wrt = "Two graph convolutions with the cross-entropy of the labelled nodes", "graphs", "W0 W1"
    needs, ref = "SMAX SCAT MASK MM", "Kipf & Welling 2017 s.3.1"

    @staticmethod
    def make(random, n=6, d=4, h=3, k=3):
        A = (random.random((n, n)) > 0.5) + np.eye(n)
        A = np.maximum(A, A.T)
        r = 1 / np.sqrt(A.sum(1))
        normal = random.standard_normal
        index, y = np.array([0, 2, n - 1]), random.integers(0, k, 3)
        return dict(A=r[:, None] * A * r, X=normal((n, d)), index=index, y=y, W0=normal((d, h)), W1=normal((h, k)))

    @staticmethod
    def forward(A, X, index, y, W0, W1):
        H = np.maximum(0, A @ X @ W0)
        Z = (A @ H @ W1)[index]
        P = np.exp(Z - Z.max(axis=1, keepdims=True))
        P = P / P.sum(axis=1, keepdims=True)
        return -np.mean(np.log(P[np.arange(len(y)), y]))

    @staticmethod
    def expert(A, X, index, y, W0, W1):
        AX = A @ X
        H = np.maximum(0, AX @ W0)
        AH = A @ H
        Z = (AH @ W1)[index]
        E = np.exp(Z - Z.max(axis=1, keepdims=True))
        P = E / E.sum(axis=1, keepdims=True)
        rows, n = np.arange(len(y)), len(y)
        yield -np.mean(np.log(P[rows, y]))
        d = P / n
        d[rows, y] -= 1 / n
        dZ = np.zeros_like(d, shape=(len(X), d.shape[1]))
        dZ[index] = d
        dH = (A.T @ (dZ @ W1.T)) * (H > 0)
        return dict(W0=AX.T @ dH, W1=AH.T @ dZ)


class BilinearPooling(Form):
    title, group, wrt = "Gram matrix of features, signed square root, unit length", "pooling", "F"
    needs, ref = "MASK CANC SYM", "Lin et al. 2015 (bilinear CNN) s.3.2"

    @staticmethod
    def make(random, c=3, p=6):
        return dict(F=random.standard_normal((c, p)))

    @staticmethod
    def forward(F):
        B = np.dot(F, F.T) / F.shape[1]
        s = (np.sign(B) * np.sqrt(np.abs(B) + 1e-4)).ravel()
        return s / np.sqrt(np.sum(s**2))

    @staticmethod
    def expert(F):
        c, p = F.shape
        B = F @ F.T / p
        root = np.sqrt(np.abs(B) + 1e-4)
        s = (np.sign(B) * root).ravel()
        norm = np.sqrt(np.sum(s**2))
        y = s / norm
        g = yield y
        dB = (g - y * (g @ y)).reshape(c, c) / ((2 * p * norm) * root)
        return dict(F=(dB + dB.T) @ F)


class SoftAssignedResiduals(Form):
    title, group, wrt = "Residuals to centres, softly assigned and normalised by centre", "pooling", "X C W b"
    needs, ref = "SMAX MM FACT CANC", "Arandjelovic et al. 2016 (NetVLAD) eq. 4"

    @staticmethod
    def make(random, n=6, d=3, k=2):
        normal = random.standard_normal
        return dict(X=normal((n, d)), C=normal((k, d)), W=normal((d, k)), b=normal(k))

    @staticmethod
    def forward(X, C, W, b):
        a = np.exp(X @ W + b)
        a = a / a.sum(axis=1, keepdims=True)
        V = np.einsum("nk,nkd->kd", a, X[:, None, :] - C)
        return V / np.linalg.norm(V, axis=1, keepdims=True)

    @staticmethod
    def expert(X, C, W, b):
        e = np.exp(X @ W + b)
        a = e / e.sum(axis=1, keepdims=True)
        V = np.einsum("nk,nkd->kd", a, X[:, None, :] - C)
        norm = np.linalg.norm(V, axis=1, keepdims=True)
        y = V / norm
        g = yield y
        # minus the gradient of V, which saves the sign of C's
        m = (y * np.einsum("kd,kd->k", g, y)[:, None] - g) / norm
        da = np.einsum("kd,kd->k", C, m) - X @ m.T
        ds = a * (da - np.einsum("nk,nk->n", a, da)[:, None])
        return dict(X=ds @ W.T - a @ m, C=a.sum(0)[:, None] * m, W=X.T @ ds, b=ds.sum(0))


class SoftQuantiser(Form):
    title, group, wrt = "Codes averaged by a softmax of squared distances", "embeddings", "X C"
    needs, ref = "SMAX MM ZERO", "Agustsson et al. 2017 (soft-to-hard quantisation)"

    @staticmethod
    def make(random, n=5, d=3, k=4):
        return dict(X=random.standard_normal((n, d)), C=random.standard_normal((k, d)), tau=1.5)

    @staticmethod
    def forward(X, C, tau):
        d2 = np.sum(X**2, axis=1, keepdims=True) - 2 * X @ C.T + np.sum(C**2, axis=1)
        a = np.exp(-(d2 - d2.min(axis=1, keepdims=True)) / tau)
        a = a / a.sum(axis=1, keepdims=True)
        return a @ C

    @staticmethod
    def expert(X, C, tau):
        d2 = np.sum(X**2, axis=1, keepdims=True) - 2 * X @ C.T + np.sum(C**2, axis=1)
        e = np.exp(-(d2 - d2.min(axis=1, keepdims=True)) / tau)
        a = e / e.sum(axis=1, keepdims=True)
        y = a @ C
        g = yield y
        # the rows of t sum to 0, so that the squares of X drop out
        t = (2 / tau) * (a * (g @ C.T - np.einsum("nd,nd->n", g, y)[:, None]))
        return dict(X=t @ C, C=a.T @ g + t.T @ X - t.sum(0)[:, None] * C)
