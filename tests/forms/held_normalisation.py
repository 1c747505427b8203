"""Held out: normalisation layers in the spellings that people use."""

import numpy as np

from tests.forms.form import Form


def _layer(random):
    normal = random.standard_normal
    return dict(x=normal((4, 6)), g=1 + 0.1 * normal(6), b=0.1 * normal(6))


class LayerNormPicoGpt(Form):
    title, group = "Layer normalisation by np.mean and np.var", "normalisation"
    wrt = "x g b"
    needs = "MEAN0 OUT FACT SCAL CANC ZERO UNB"
    ref = "Mody, picoGPT (forward); Karpathy, llm.c layernorm backward"
    make = _layer

    @staticmethod
    def forward(x, g, b, eps=1e-5):
        mean = np.mean(x, axis=-1, keepdims=True)
        variance = np.var(x, axis=-1, keepdims=True)
        x = (x - mean) / np.sqrt(variance + eps)
        return g * x + b

    @staticmethod
    def expert(x, g, b, eps=1e-5):
        std = np.sqrt(np.var(x, axis=-1, keepdims=True) + eps)
        xhat = (x - np.mean(x, axis=-1, keepdims=True)) / std
        dout = yield g * xhat + b
        dxhat = dout * g
        m = np.mean(dxhat, axis=-1, keepdims=True)
        p = np.mean(dxhat * xhat, axis=-1, keepdims=True)
        return dict(x=(dxhat - m - xhat * p) / std, g=np.sum(dout * xhat, axis=0), b=np.sum(dout, axis=0))


class LayerNormUnbiased(Form):
    title, group = "Layer normalisation with the unbiased std outside of the root, on tokens", "normalisation"
    wrt = "x a_2 b_2"
    needs = "MEAN0 OUT FACT SCAL CANC UNB"
    ref = "Rush 2018, the Annotated Transformer, LayerNorm: a_2 (x - mean) / (std + eps) + b_2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 3, 5)), a_2=1 + 0.1 * normal(5), b_2=0.1 * normal(5), eps=1e-6)

    @staticmethod
    def forward(x, a_2, b_2, eps):
        mean = x.mean(-1, keepdims=True)
        std = x.std(-1, keepdims=True, ddof=1)
        return a_2 * (x - mean) / (std + eps) + b_2

    @staticmethod
    def expert(x, a_2, b_2, eps):
        n = x.shape[-1]
        std = x.std(-1, keepdims=True, ddof=1)
        den = std + eps
        xhat = (x - x.mean(-1, keepdims=True)) / den
        g = yield a_2 * xhat + b_2
        gx = g * xhat
        d = g * a_2
        s = (d * xhat).sum(-1, keepdims=True) / ((n - 1) * std)  # d std / dx = (x - mean) / ((n - 1) std)
        return dict(x=(d - d.mean(-1, keepdims=True)) / den - xhat * s, a_2=gx.sum((0, 1)), b_2=g.sum((0, 1)))


class RmsNormLlama(Form):
    title, group = "RMS normalisation by a reciprocal square root", "normalisation"
    wrt = "x weight"
    needs = "OUT FACT SCAL CANC UNB"
    ref = "Zhang & Sennrich 2019; LLaMA model.py, RMSNorm"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((4, 6)), weight=1 + 0.1 * normal(6), eps=1e-6)

    @staticmethod
    def forward(x, weight, eps):
        def _norm(x):
            return x * (1 / np.sqrt((x**2).mean(-1, keepdims=True) + eps))

        return _norm(x) * weight

    @staticmethod
    def expert(x, weight, eps):
        r = 1 / np.sqrt((x**2).mean(-1, keepdims=True) + eps)
        n = x * r
        g = yield n * weight
        d = g * weight
        return dict(x=r * (d - n * (d * n).mean(-1, keepdims=True)), weight=(g * n).sum(0))


class GroupNormSpatial(Form):
    title, group = "Group normalisation of a feature map", "normalisation"
    wrt = "x gamma beta"
    needs = "MEAN0 OUT FACT SCAL CANC ZERO UNB"
    ref = "Wu & He 2018 fig. 3; CS231n assignment 2, spatial_groupnorm_backward"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((2, 4, 3, 2)), gamma=1 + 0.1 * normal((1, 4, 1, 1)), beta=normal((1, 4, 1, 1)), G=2)

    @staticmethod
    def forward(x, gamma, beta, G):
        N, C, H, W = x.shape
        x = np.reshape(x, [N, G, C // G, H, W])
        mean = x.mean(axis=(2, 3, 4), keepdims=True)
        var = x.var(axis=(2, 3, 4), keepdims=True)
        x = (x - mean) / np.sqrt(var + 1e-5)
        x = np.reshape(x, [N, C, H, W])
        return x * gamma + beta

    @staticmethod
    def expert(x, gamma, beta, G):
        N, C, H, W = x.shape
        groups = (N, G, C // G * H * W)
        x = x.reshape(groups)
        std = np.sqrt(x.var(axis=2, keepdims=True) + 1e-5)
        xhat = (x - x.mean(axis=2, keepdims=True)) / std
        maps = xhat.reshape(N, C, H, W)
        dout = yield maps * gamma + beta
        dgamma = np.sum(dout * maps, axis=(0, 2, 3), keepdims=True)
        d = (dout * gamma).reshape(groups)
        d -= d.mean(axis=2, keepdims=True) + xhat * (d * xhat).mean(axis=2, keepdims=True)
        dx = (d / std).reshape(N, C, H, W)
        return dict(x=dx, gamma=dgamma, beta=np.sum(dout, axis=(0, 2, 3), keepdims=True))


class SpatialBatchnorm(Form):
    title, group = "Batch normalisation over a feature map by transposing to rows", "normalisation"
    wrt = "x gamma beta"
    needs = "MEAN0 OUT FACT SCAL CANC ZERO UNB"
    ref = "Ioffe & Szegedy 2015 s.3.2; CS231n assignment 2, spatial_batchnorm_backward"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((3, 2, 2, 3)), gamma=1 + 0.1 * normal(2), beta=normal(2), eps=1e-5)

    @staticmethod
    def forward(x, gamma, beta, eps):
        N, C, H, W = x.shape
        rows = x.transpose(0, 2, 3, 1).reshape(-1, C)
        xmu = rows - rows.mean(axis=0)
        var = (xmu**2).mean(axis=0)
        out = gamma * xmu / np.sqrt(var + eps) + beta
        return out.reshape(N, H, W, C).transpose(0, 3, 1, 2)

    @staticmethod
    def expert(x, gamma, beta, eps):
        N, C, H, W = x.shape
        rows = x.transpose(0, 2, 3, 1).reshape(-1, C)
        xmu = rows - rows.mean(axis=0)
        std = np.sqrt((xmu**2).mean(axis=0) + eps)
        xhat = xmu / std
        dout = yield (gamma * xhat + beta).reshape(N, H, W, C).transpose(0, 3, 1, 2)
        dout = dout.transpose(0, 2, 3, 1).reshape(-1, C)
        dbeta = dout.sum(axis=0)
        dgamma = (dout * xhat).sum(axis=0)
        dx = gamma / std * (dout - (dbeta + xhat * dgamma) / len(rows))
        return dict(x=dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), gamma=dgamma, beta=dbeta)


class InstanceNormStyle(Form):
    title, group = (
        "Adaptive instance normalisation: the statistics of content replaced by those of style",
        "normalisation",
    )
    wrt = "content style"
    needs = "MEAN0 OUT FACT SCAL CANC ZERO UNB"
    ref = "Huang & Belongie 2017 eq. 8 (AdaIN)"

    @staticmethod
    def make(random):
        return dict(content=random.standard_normal((3, 8)), style=random.standard_normal((3, 7)))

    @staticmethod
    def forward(content, style):
        mu_c, mu_s = content.mean(1, keepdims=True), style.mean(1, keepdims=True)
        sigma_c = np.sqrt(((content - mu_c) ** 2).mean(1, keepdims=True))
        sigma_s = np.sqrt(((style - mu_s) ** 2).mean(1, keepdims=True))
        return sigma_s * ((content - mu_c) / sigma_c) + mu_s

    @staticmethod
    def expert(content, style):
        centred = content - content.mean(1, keepdims=True)
        mu_s = style.mean(1, keepdims=True)
        residual = style - mu_s
        sigma_c = np.sqrt((centred**2).mean(1, keepdims=True))
        sigma_s = np.sqrt((residual**2).mean(1, keepdims=True))
        x = centred / sigma_c
        g = yield sigma_s * x + mu_s
        n = style.shape[1]
        g_sum = g.sum(1, keepdims=True)
        gx_sum = (g * x).sum(1, keepdims=True)
        dcontent = sigma_s / sigma_c * (g - (g_sum + x * gx_sum) / content.shape[1])
        return dict(content=dcontent, style=(g_sum + residual * (gx_sum / sigma_s)) / n)


class StandardisedWeightsLayer(Form):
    title, group = "Affine layer with standardised weights and a gain", "normalisation"
    wrt = "x W gain b"
    needs = "MEAN0 OUT FACT SCAL CANC ZERO UNB MM"
    ref = "Qiao et al. 2019, weight standardization; Brock et al. 2021 (NF-ResNets)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((4, 6)), W=normal((6, 3)), gain=1 + 0.1 * normal(3), b=normal(3))

    @staticmethod
    def forward(x, W, gain, b):
        mean = np.mean(W, axis=0)
        var = np.var(W, axis=0)
        scale = gain / np.sqrt(var * W.shape[0] + 1e-4)
        return np.einsum("ni,io->no", x, (W - mean) * scale) + b

    @staticmethod
    def expert(x, W, gain, b):
        centred = W - np.mean(W, axis=0)
        v = np.var(W, axis=0) * W.shape[0] + 1e-4
        root = np.sqrt(v)
        scale = gain / root
        K = centred * scale
        g = yield x @ K + b
        dK = x.T @ g
        s = (dK * centred).sum(axis=0)
        dW = scale * (dK - dK.mean(axis=0) - centred * (s / v))
        return dict(x=g @ K.T, W=dW, gain=s / root, b=g.sum(axis=0))


class UnitRowsScaledDot(Form):
    title, group = "Query and key rows of unit length, learned scale, given cotangent", "normalisation"
    wrt = "q k s"
    needs = "OUT FACT CANC UNB MM"
    ref = "Henry et al. 2020, query-key normalization"

    @staticmethod
    def make(random):
        return dict(q=random.standard_normal((4, 3)), k=random.standard_normal((5, 3)), s=np.array(1.7))

    @staticmethod
    def forward(q, k, s):
        def unit(v):
            return v / np.sqrt(np.sum(v * v, axis=-1))[:, None]

        return s * unit(q) @ unit(k).T

    @staticmethod
    def expert(q, k, s):
        nq = np.sqrt(np.sum(q * q, axis=-1))[:, None]
        nk = np.sqrt(np.sum(k * k, axis=-1))[:, None]
        uq, uk = q / nq, k / nk
        suq = s * uq
        g = yield suq @ uk.T
        dsuq = g @ uk
        dk = g.T @ suq
        along = np.sum(dsuq * uq, axis=-1)[:, None]
        dq = s * (dsuq - uq * along) / nq
        dk = (dk - uk * np.sum(dk * uk, axis=-1)[:, None]) / nk
        return dict(q=dq, k=dk, s=np.sum(along))
