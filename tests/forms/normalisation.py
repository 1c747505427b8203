"""Normalisation."""

import numpy as np

from tests.forms.form import Form


class Standardize(Form):
    title, group = "Column z-score (x - mean) / std", "norm"
    wrt = "x"
    needs = "MEAN0 OUT FACT SCAL CANC ZERO"
    ref = "batch norm without the affine part"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((6, 3)))

    @staticmethod
    def forward(x):
        return (x - x.mean(0)) / x.std(0)

    @staticmethod
    def expert(x):
        s = x.std(0)
        y = (x - x.mean(0)) / s
        g = yield y
        return dict(x=(g - g.mean(0) - y * (g * y).mean(0)) / s)


class CosineSimilarity(Form):
    title, group = "Row-wise cosine similarity", "norm"
    wrt = "A B"
    needs = "OUT FACT CANC SCAL UNB"
    ref = "standard quotient form"

    @staticmethod
    def make(random):
        return dict(A=random.standard_normal((5, 4)), B=random.standard_normal((5, 4)))

    @staticmethod
    def forward(A, B):
        na = np.sqrt(np.sum(A * A, 1))
        nb = np.sqrt(np.sum(B * B, 1))
        return np.sum(A * B, 1) / (na * nb)

    @staticmethod
    def expert(A, B):
        sa = np.sum(A * A, 1)
        sb = np.sum(B * B, 1)
        den = np.sqrt(sa) * np.sqrt(sb)
        dot = np.sum(A * B, 1)
        g = yield dot / den
        u = (g / den)[:, None]
        return dict(A=u * (B - (dot / sa)[:, None] * A), B=u * (A - (dot / sb)[:, None] * B))


class WeightNorm(Form):
    title, group = "Weight normalisation W = s V / ||V|| (rows)", "norm"
    wrt = "V s"
    needs = "OUT FACT CANC SCAL UNB"
    ref = "Salimans & Kingma 2016 eq. 3"

    @staticmethod
    def make(random):
        return dict(V=random.standard_normal((5, 4)), s=random.standard_normal((5, 1)))

    @staticmethod
    def forward(V, s):
        return s * (V / np.sqrt(np.sum(V * V, 1, keepdims=True)))

    @staticmethod
    def expert(V, s):
        n = np.sqrt(np.sum(V * V, 1, keepdims=True))
        U = V / n
        g = yield s * U
        ds = (g * U).sum(1, keepdims=True)
        return dict(V=s / n * (g - U * ds), s=ds)


class LayerNorm(Form):
    title, group = "Layer normalisation with gain and bias", "norm"
    wrt = "x gamma beta"
    needs = "MEAN0 OUT FACT SCAL CANC UNB"
    ref = "Ba et al. 2016; Karpathy, llm.c, layernorm.md"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 6)), gamma=normal(6), beta=normal(6), eps=1e-5)

    @staticmethod
    def forward(x, gamma, beta, eps):
        mu = x.mean(axis=-1, keepdims=True)
        var = ((x - mu) ** 2).mean(axis=-1, keepdims=True)
        return gamma * ((x - mu) / np.sqrt(var + eps)) + beta

    @staticmethod
    def expert(x, gamma, beta, eps):
        centred = x - x.mean(axis=-1, keepdims=True)
        std = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
        xhat = centred / std
        g = yield gamma * xhat + beta
        d = g * gamma
        dx = (d - d.mean(axis=-1, keepdims=True) - xhat * (d * xhat).mean(axis=-1, keepdims=True)) / std
        return dict(x=dx, gamma=(g * xhat).sum(axis=0), beta=g.sum(axis=0))


class RmsNorm(Form):
    title, group = "RMS normalisation", "norm"
    wrt = "x weight"
    needs = "OUT FACT SCAL CANC UNB"
    ref = "Zhang & Sennrich 2019"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((2, 3, 4)), weight=random.standard_normal(4))

    @staticmethod
    def forward(x, weight):
        rms = np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-6)
        return x / rms * weight

    @staticmethod
    def expert(x, weight):
        rms = np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-6)
        n = x / rms
        g = yield n * weight
        d = g * weight
        return dict(x=(d - n * np.mean(d * n, axis=-1, keepdims=True)) / rms, weight=np.sum(g * n, axis=(0, 1)))


class BatchNorm(Form):
    title, group = "Batch normalisation with gain and bias, training mode", "norm"
    wrt = "X gamma beta"
    needs = "MEAN0 OUT FACT SCAL CANC UNB"
    ref = "Ioffe & Szegedy 2015; CS231n assignment 2, batchnorm_backward_alt"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((7, 3)), gamma=normal(3), beta=normal(3))

    @staticmethod
    def forward(X, gamma, beta):
        mu = np.mean(X, axis=0)
        var = np.var(X, axis=0)
        X_norm = (X - mu) / np.sqrt(var + 1e-8)
        return gamma * X_norm + beta

    @staticmethod
    def expert(X, gamma, beta):
        std = np.sqrt(np.var(X, axis=0) + 1e-8)
        X_norm = (X - np.mean(X, axis=0)) / std
        g = yield gamma * X_norm + beta
        dbeta = g.sum(axis=0)
        dgamma = (g * X_norm).sum(axis=0)
        return dict(X=gamma / std * (g - (dbeta + X_norm * dgamma) / len(X)), gamma=dgamma, beta=dbeta)


class GroupNorm(Form):
    title, group = "Group normalisation of images", "norm"
    wrt = "x gamma beta"
    needs = "MEAN0 OUT FACT SCAL CANC UNB"
    ref = "Wu & He 2018, figure 3"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 4, 2, 2)), gamma=normal((1, 4, 1, 1)), beta=normal((1, 4, 1, 1)), groups=2)

    @staticmethod
    def forward(x, gamma, beta, groups):
        N, C, H, W = x.shape
        x = x.reshape(N, groups, C // groups, H, W)
        mean = np.mean(x, axis=(2, 3, 4), keepdims=True)
        var = np.var(x, axis=(2, 3, 4), keepdims=True)
        x = (x - mean) / np.sqrt(var + 1e-5)
        return x.reshape(N, C, H, W) * gamma + beta

    @staticmethod
    def expert(x, gamma, beta, groups):
        shape = x.shape
        grouped = x.reshape(len(x), groups, -1)
        std = np.sqrt(np.var(grouped, axis=2, keepdims=True) + 1e-5)
        xhat = (grouped - np.mean(grouped, axis=2, keepdims=True)) / std
        images = xhat.reshape(shape)
        g = yield images * gamma + beta
        d = (g * gamma).reshape(grouped.shape)
        dx = (d - d.mean(2, keepdims=True) - xhat * (d * xhat).mean(2, keepdims=True)) / std
        axes = (0, 2, 3)
        return dict(x=dx.reshape(shape), gamma=(g * images).sum(axes, keepdims=True), beta=g.sum(axes, keepdims=True))


class InstanceNorm(Form):
    title, group = "Instance normalisation of images", "norm"
    wrt = "x"
    needs = "MEAN0 OUT FACT SCAL CANC"
    ref = "Ulyanov et al. 2016"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((2, 3, 2, 3)))

    @staticmethod
    def forward(x):
        m = np.mean(x, axis=(2, 3), keepdims=True)
        v = np.mean((x - m) ** 2, axis=(2, 3), keepdims=True)
        return (x - m) * (v + 1e-5) ** -0.5

    @staticmethod
    def expert(x):
        axes = (2, 3)
        centred = x - np.mean(x, axis=axes, keepdims=True)
        scale = (np.mean(centred**2, axis=axes, keepdims=True) + 1e-5) ** -0.5
        y = centred * scale
        g = yield y
        return dict(x=scale * (g - g.mean(axes, keepdims=True) - y * (g * y).mean(axes, keepdims=True)))


class AdaptiveInstanceNorm(Form):
    title, group = "Adaptive instance normalisation, epsilon outside of the root", "norm"
    wrt = "content scale shift"
    needs = "MEAN0 OUT FACT SCAL CANC UNB"
    ref = "Huang & Belongie 2017"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(content=normal((2, 3, 8)), scale=normal((2, 3, 1)), shift=normal((2, 3, 1)))

    @staticmethod
    def forward(content, scale, shift):
        centred = content - content.mean(-1, keepdims=True)
        return scale * (centred / (content.std(-1, keepdims=True) + 1e-3)) + shift

    @staticmethod
    def expert(content, scale, shift):
        n = content.shape[-1]
        centred = content - content.mean(-1, keepdims=True)
        std = content.std(-1, keepdims=True)
        u = std + 1e-3
        y = centred / u
        g = yield scale * y + shift
        dshift = g.sum(-1, keepdims=True)
        dscale = (g * y).sum(-1, keepdims=True)
        return dict(content=scale / u * (g - (dshift + centred * (dscale / std)) / n), scale=dscale, shift=dshift)


class UnitRows(Form):
    title, group = "Rows divided by their norm", "norm"
    wrt = "x"
    needs = "OUT FACT CANC"
    ref = "Wang et al. 2017 (NormFace)"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((5, 4)))

    @staticmethod
    def forward(x):
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    @staticmethod
    def expert(x):
        norm = np.linalg.norm(x, axis=1, keepdims=True)
        y = x / norm
        g = yield y
        return dict(x=(g - y * np.sum(g * y, axis=1, keepdims=True)) / norm)


class SpectralNorm(Form):
    title, group = "Spectral normalisation with given singular vectors", "norm"
    wrt = "W"
    needs = "OUT FACT CANC MM"
    ref = "Miyato et al. 2018 s.2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        W = normal((4, 3))
        left, _, right = np.linalg.svd(W)
        return dict(W=W, u=left[:, 0], v=right[0])

    @staticmethod
    def forward(W, u, v):
        sigma = u @ W @ v
        return W / sigma

    @staticmethod
    def expert(W, u, v):
        sigma = u @ W @ v
        Y = W / sigma
        g = yield Y
        return dict(W=(g - np.outer(np.vdot(g, Y) * u, v)) / sigma)
