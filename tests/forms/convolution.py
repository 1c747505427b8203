"""Convolution, pooling and indexing."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.forms.form import Form


class Conv1d(Form):
    title, group = "1-D convolution (valid) with sliding windows", "conv"
    wrt = "x w"
    needs = "CAT MM"
    ref = "Dumoulin & Visin 2016 (transposed convolution)"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal(9), w=random.standard_normal(3))

    @staticmethod
    def forward(x, w):
        return sliding_window_view(x, 3) @ w

    @staticmethod
    def expert(x, w):
        C = sliding_window_view(x, 3)
        g = yield C @ w
        return dict(x=np.convolve(g, w), w=g @ C)


class Maxpool(Form):
    title, group = "2x2 max pooling by reshape", "conv"
    wrt = "X"
    needs = "MASK ZERO"
    assumes = "no ties inside a window (else the tie rule decides)"
    assume = {"X": "no_ties"}
    ref = "CS231n fast_layers, max_pool_backward_reshape"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((2, 2, 4, 4)))

    @staticmethod
    def forward(X):
        N, C, H, W = X.shape
        return X.reshape(N, C, H // 2, 2, W // 2, 2).max((3, 5))

    @staticmethod
    def expert(X):
        N, C, H, W = X.shape
        R = X.reshape(N, C, H // 2, 2, W // 2, 2)
        Y = R.max((3, 5))
        g = yield Y
        D = (R == Y[:, :, :, None, :, None]) * g[:, :, :, None, :, None]
        return dict(X=D.reshape(N, C, H, W))


class Avgpool(Form):
    title, group = "2x2 average pooling by reshape", "conv"
    wrt = "X"
    needs = "SEED SCAL"
    ref = "standard"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((2, 2, 4, 4)))

    @staticmethod
    def forward(X):
        N, C, H, W = X.shape
        return X.reshape(N, C, H // 2, 2, W // 2, 2).mean((3, 5))

    @staticmethod
    def expert(X):
        N, C, H, W = X.shape
        g = yield X.reshape(N, C, H // 2, 2, W // 2, 2).mean((3, 5))
        D = np.broadcast_to((g / 4)[:, :, :, None, :, None], (N, C, H // 2, 2, W // 2, 2))
        return dict(X=D.reshape(N, C, H, W))


class Embedding(Form):
    title, group = "Embedding lookup (repeated indices)", "conv"
    wrt = "E"
    needs = "SCAT"
    ref = "np.add.at documentation; CS231n word_embedding_backward"

    @staticmethod
    def make(random):
        return dict(E=random.standard_normal((6, 3)), idx=random.integers(0, 6, (4, 2)))

    @staticmethod
    def forward(E, idx):
        return E[idx]

    @staticmethod
    def expert(E, idx):
        g = yield E[idx]
        dE = np.zeros_like(E)
        np.add.at(dE, idx, g)
        return dict(E=dE)


class TotalVariation(Form):
    title, group = "Total variation of a 1-D signal + data term", "conv"
    wrt = "x"
    needs = "SEED SCAL MASK SCAT"
    ref = "Rudin, Osher & Fatemi 1992 (subgradient)"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal(8), y=random.standard_normal(8), lam=0.3)

    @staticmethod
    def forward(x, y, lam):
        return 0.5 * np.sum((x - y) ** 2) + lam * np.sum(np.abs(x[1:] - x[:-1]))

    @staticmethod
    def expert(x, y, lam):
        r = x - y
        d = x[1:] - x[:-1]
        yield 0.5 * np.sum(r**2) + lam * np.sum(np.abs(d))
        s = lam * np.sign(d)
        r[1:] += s
        r[:-1] -= s
        return dict(x=r)


class Conv2dIm2col(Form):
    title, group = "2-D convolution with padding through columns gathered by indices", "conv"
    wrt = "x w b"
    needs = "CAT SCAT MM UNB"
    ref = "CS231n assignment 2, im2col.py and conv_backward_im2col"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 2, 4, 3)), w=normal((3, 2, 3, 3)), b=normal(3))

    @staticmethod
    def indices(C, size, H, W):
        """The index arrays that gather the window of each output into a column."""
        channel = np.repeat(np.arange(C), size * size).reshape(-1, 1)
        row = np.tile(np.repeat(np.arange(size), size), C).reshape(-1, 1) + np.repeat(np.arange(H), W)
        column = np.tile(np.arange(size), size * C).reshape(-1, 1) + np.tile(np.arange(W), H)
        return channel, row, column

    @staticmethod
    def forward(x, w, b):
        N, C, H, W = x.shape
        F, _, size, _ = w.shape
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        channel, row, column = Conv2dIm2col.indices(C, size, H, W)
        cols = padded[:, channel, row, column]
        out = w.reshape(F, -1) @ cols + b.reshape(-1, 1)
        return out.reshape(N, F, H, W)

    @staticmethod
    def expert(x, w, b):
        N, C, H, W = x.shape
        F, _, size, _ = w.shape
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        channel, row, column = Conv2dIm2col.indices(C, size, H, W)
        cols = padded[:, channel, row, column]
        rows = w.reshape(F, -1)
        g = yield (rows @ cols + b.reshape(-1, 1)).reshape(N, F, H, W)
        g = g.reshape(N, F, -1)
        dpadded = np.zeros_like(padded)
        np.add.at(dpadded, (slice(None), channel, row, column), rows.T @ g)
        dw = np.tensordot(g, cols, axes=([0, 2], [0, 2]))
        return dict(x=dpadded[:, :, 1:-1, 1:-1], w=dw.reshape(w.shape), b=g.sum(axis=(0, 2)))


class Conv2dWindows(Form):
    title, group = "2-D convolution of a batch with sliding windows and einsum", "conv"
    wrt = "x w"
    needs = "CAT MM"
    ref = "Dumoulin & Visin 2016 (transposed convolution)"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((2, 2, 4, 4)), w=random.standard_normal((3, 2, 2, 2)))

    @staticmethod
    def forward(x, w):
        windows = sliding_window_view(x, w.shape[2:], axis=(2, 3))
        return np.einsum("nchwij,fcij->nfhw", windows, w)

    @staticmethod
    def expert(x, w):
        i, j = w.shape[2:]
        windows = sliding_window_view(x, (i, j), axis=(2, 3))
        g = yield np.einsum("nchwij,fcij->nfhw", windows, w)
        around = np.pad(g, ((0, 0), (0, 0), (i - 1, i - 1), (j - 1, j - 1)))
        g_windows = sliding_window_view(around, (i, j), axis=(2, 3))
        return dict(
            x=np.einsum("nfhwij,fcij->nchw", g_windows, w[:, :, ::-1, ::-1]),
            w=np.einsum("nfhw,nchwij->fcij", g, windows),
        )


class MaxpoolSlices(Form):
    title, group = "2x2 max pooling by strided slices", "conv"
    wrt = "x"
    needs = "MASK CAT ZERO"
    assumes = "no ties inside a window (else the tie rule decides)"
    assume = {"x": "no_ties"}
    ref = "CS231n fast_layers, max_pool_backward_reshape"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((3, 4, 6)))

    @staticmethod
    def forward(x):
        top = np.maximum(x[:, ::2, ::2], x[:, ::2, 1::2])
        bottom = np.maximum(x[:, 1::2, ::2], x[:, 1::2, 1::2])
        return np.maximum(top, bottom)

    @staticmethod
    def expert(x):
        N, H, W = x.shape
        top = np.maximum(x[:, ::2, ::2], x[:, ::2, 1::2])
        bottom = np.maximum(x[:, 1::2, ::2], x[:, 1::2, 1::2])
        y = np.maximum(top, bottom)
        g = yield y
        blocks = x.reshape(N, H // 2, 2, W // 2, 2)
        d = (blocks == y[:, :, None, :, None]) * g[:, :, None, :, None]
        return dict(x=d.reshape(x.shape))


class AvgpoolSlices(Form):
    title, group = "2x2 average pooling by strided slices", "conv"
    wrt = "x"
    needs = "SCAL CAT"
    ref = "standard"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((3, 4, 6)))

    @staticmethod
    def forward(x):
        return 0.25 * (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2])

    @staticmethod
    def expert(x):
        N, H, W = x.shape
        g = yield 0.25 * (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2])
        blocks = np.broadcast_to((0.25 * g)[:, :, None, :, None], (N, H // 2, 2, W // 2, 2))
        return dict(x=blocks.reshape(x.shape))


class GlobalAveragePool(Form):
    title, group = "Global average pooling and a linear classifier", "conv"
    wrt = "x W"
    needs = "SCAL SEED MM"
    ref = "Lin et al. 2014 (network in network)"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((2, 3, 2, 2)), W=random.standard_normal((3, 4)))

    @staticmethod
    def forward(x, W):
        return np.mean(x.reshape(x.shape[0], x.shape[1], -1), axis=2).dot(W)

    @staticmethod
    def expert(x, W):
        pooled = np.mean(x.reshape(x.shape[0], x.shape[1], -1), axis=2)
        g = yield pooled.dot(W)
        d = g.dot(W.T) / (x.shape[2] * x.shape[3])
        return dict(x=np.broadcast_to(d[:, :, None, None], x.shape), W=pooled.T.dot(g))
