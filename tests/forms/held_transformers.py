"""Held out: feed-forward blocks of transformers and their relatives."""

import numpy as np
from scipy.special import erf

from tests.forms.form import Form


def silu(x):
    return x / (1 + np.exp(-x))


class SwigluBlock(Form):
    title, group = "SwiGLU feed-forward block", "transformers"
    wrt = "x w1 w2 w3"
    needs = "SIG OUT FACT MM"
    ref = "Shazeer 2020 eq. 6; LLaMA model.py, FeedForward"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((4, 3)), w1=normal((3, 5)), w2=normal((5, 3)), w3=normal((3, 5)))

    @staticmethod
    def forward(x, w1, w2, w3):
        return (silu(x @ w1) * (x @ w3)) @ w2

    @staticmethod
    def expert(x, w1, w2, w3):
        a, u = x @ w1, x @ w3
        one_e = 1 + np.exp(-a)
        h = a / one_e
        hu = h * u
        g = yield hu @ w2
        d = g @ w2.T
        du = d * h
        s = 1 / one_e
        da = d * u * (s + h * (1 - s))
        return dict(x=da @ w1.T + du @ w3.T, w1=x.T @ da, w2=hu.T @ g, w3=x.T @ du)


class GegluBlock(Form):
    title, group = "GeGLU feed-forward block with the exact GELU, one matrix for both halves", "transformers"
    wrt = "x W V"
    needs = "OUT FACT MM CAT SCAL"
    ref = "Shazeer 2020 eq. 6; Hendrycks & Gimpel 2016"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((4, 3)), W=normal((3, 8)), V=normal((4, 3)))

    @staticmethod
    def forward(x, W, V):
        h, gate = np.split(np.dot(x, W), 2, axis=-1)
        gate = 0.5 * gate * (1 + erf(gate / np.sqrt(2)))
        return np.dot(h * gate, V)

    @staticmethod
    def expert(x, W, V):
        h, z = np.split(np.dot(x, W), 2, axis=-1)
        cdf = 0.5 * (1 + erf(z / np.sqrt(2)))
        gate = z * cdf
        hg = h * gate
        g = yield np.dot(hg, V)
        d = np.dot(g, V.T)
        slope = cdf + z * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        dz = np.concatenate([d * gate, d * h * slope], axis=-1)
        return dict(x=np.dot(dz, W.T), W=np.dot(x.T, dz), V=np.dot(hg.T, g))


class PreNormMlpBlock(Form):
    title, group = "Pre-norm residual MLP block: layer norm, affine, GELU by tanh, affine", "transformers"
    wrt = "x g b W1 b1 W2 b2"
    needs = "MEAN0 OUT FACT SCAL CANC MM UNB"
    ref = "Radford et al. 2019 (GPT-2); Mody, picoGPT, transformer_block"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            x=normal((4, 5)),
            g=1 + 0.1 * normal(5),
            b=0.1 * normal(5),
            W1=normal((5, 6)),
            b1=normal(6),
            W2=normal((6, 5)),
            b2=normal(5),
        )

    @staticmethod
    def forward(x, g, b, W1, b1, W2, b2):
        def gelu(x):
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

        def layer_norm(x, g, b, eps=1e-5):
            mean = np.mean(x, axis=-1, keepdims=True)
            variance = np.var(x, axis=-1, keepdims=True)
            return g * (x - mean) / np.sqrt(variance + eps) + b

        def linear(x, w, b):
            return x @ w + b

        return x + linear(gelu(linear(layer_norm(x, g, b), W1, b1)), W2, b2)

    @staticmethod
    def expert(x, g, b, W1, b1, W2, b2):
        c = np.sqrt(2 / np.pi)
        std = np.sqrt(np.var(x, axis=-1, keepdims=True) + 1e-5)
        xhat = (x - np.mean(x, axis=-1, keepdims=True)) / std
        n = g * xhat + b
        z = n @ W1 + b1
        z3 = z**3
        t = np.tanh(c * (z + 0.044715 * z3))
        half = 0.5 * (1 + t)
        a = z * half
        dout = yield x + (a @ W2 + b2)
        dz = dout @ W2.T * half * (1 + (1 - t) * (c * z + 3 * 0.044715 * c * z3))
        dn = dz @ W1.T
        dxhat = dn * g
        m = np.mean(dxhat, axis=-1, keepdims=True)
        p = np.mean(dxhat * xhat, axis=-1, keepdims=True)
        return dict(
            x=dout + (dxhat - m - xhat * p) / std,
            g=np.sum(dn * xhat, axis=0),
            b=np.sum(dn, axis=0),
            W1=n.T @ dz,
            b1=np.sum(dz, axis=0),
            W2=a.T @ dout,
            b2=np.sum(dout, axis=0),
        )


class PostNormSelfAttention(Form):
    title, group = "Self-attention with a residual and layer normalisation after it", "transformers"
    wrt = "X Wq Wk Wv"
    needs = "SMAX CANC FACT OUT MM SCAL MEAN0"
    ref = "Vaswani et al. 2017 s.3.1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((4, 3)), Wq=normal((3, 2)), Wk=normal((3, 2)), Wv=normal((3, 3)))

    @staticmethod
    def forward(X, Wq, Wk, Wv):
        Q, K, V = X @ Wq, X @ Wk, X @ Wv
        S = Q @ K.T / np.sqrt(Q.shape[1])
        P = np.exp(S - S.max(1)[:, None])
        P /= P.sum(1)[:, None]
        Y = X + P @ V
        Y = Y - Y.mean(1)[:, None]
        return Y / np.sqrt((Y**2).mean(1) + 1e-6)[:, None]

    @staticmethod
    def expert(X, Wq, Wk, Wv):
        Q, K, V = X @ Wq, X @ Wk, X @ Wv
        root = np.sqrt(Q.shape[1])
        S = Q @ K.T / root
        P = np.exp(S - S.max(1)[:, None])
        P /= P.sum(1)[:, None]
        C = P @ V
        Y = X + C
        Y = Y - Y.mean(1)[:, None]
        std = np.sqrt((Y**2).mean(1) + 1e-6)[:, None]
        Z = Y / std
        g = yield Z
        dY = (g - g.mean(1)[:, None] - Z * (g * Z).mean(1)[:, None]) / std
        dS = P * (dY @ V.T - (dY * C).sum(1)[:, None]) / root
        dQ, dK, dV = dS @ K, dS.T @ Q, P.T @ dY
        return dict(X=dY + dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T, Wq=X.T @ dQ, Wk=X.T @ dK, Wv=X.T @ dV)


class SoftMixtureOfExperts(Form):
    title, group = "Mixture of experts with a softmax gate, by einsum", "transformers"
    wrt = "X G W"
    needs = "SMAX CANC FACT OUT MM UNB"
    ref = "Jacobs, Jordan, Nowlan & Hinton 1991; Shazeer et al. 2017 eq. 1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((5, 4)), G=normal((4, 3)), W=normal((3, 4, 2)))

    @staticmethod
    def forward(X, G, W):
        logits = X @ G
        gate = np.exp(logits)
        gate = gate / gate.sum(1, keepdims=True)
        outputs = np.einsum("nd,edo->neo", X, W)
        return np.einsum("ne,neo->no", gate, outputs)

    @staticmethod
    def expert(X, G, W):
        gate = np.exp(X @ G)
        gate = gate / gate.sum(1, keepdims=True)
        outputs = np.einsum("nd,edo->neo", X, W)
        Y = np.einsum("ne,neo->no", gate, outputs)
        g = yield Y
        dgate = np.einsum("no,neo->ne", g, outputs)
        dlogits = gate * (dgate - (g * Y).sum(1, keepdims=True))
        dout = gate[:, :, None] * g[:, None, :]
        return dict(
            X=dlogits @ G.T + np.einsum("neo,edo->nd", dout, W),
            G=X.T @ dlogits,
            W=np.einsum("nd,neo->edo", X, dout),
        )


class SqueezeExcite(Form):
    title, group = "Squeeze-and-excitation of feature maps", "transformers"
    wrt = "X W1 W2"
    needs = "SIG OUT MASK MM SCAL FACT"
    ref = "Hu, Shen & Sun 2018 eqs. 2 to 4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((3, 4, 2, 3)), W1=normal((4, 3)), W2=normal((3, 4)))

    @staticmethod
    def forward(X, W1, W2):
        squeezed = X.mean(axis=(2, 3))
        hidden = np.maximum(squeezed @ W1, 0)
        scale = 1 / (1 + np.exp(-hidden @ W2))
        return X * scale[:, :, None, None]

    @staticmethod
    def expert(X, W1, W2):
        area = X.shape[2] * X.shape[3]
        squeezed = X.mean(axis=(2, 3))
        hidden = np.maximum(squeezed @ W1, 0)
        scale = 1 / (1 + np.exp(-hidden @ W2))
        g = yield X * scale[:, :, None, None]
        d2 = (g * X).sum(axis=(2, 3)) * scale * (1 - scale)
        d1 = d2 @ W2.T * (hidden > 0)
        pooled = d1 @ W1.T / area
        return dict(X=g * scale[:, :, None, None] + pooled[:, :, None, None], W1=squeezed.T @ d1, W2=hidden.T @ d2)


class HighwayLayer(Form):
    title, group = "Highway layer with a carry gate", "transformers"
    wrt = "x W b WT bT"
    needs = "SIG OUT FACT MASK MM UNB"
    ref = "Srivastava, Greff & Schmidhuber 2015 eq. 3"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 3)), W=normal((3, 3)), b=normal(3), WT=normal((3, 3)), bT=normal(3) - 1)

    @staticmethod
    def forward(x, W, b, WT, bT):
        H = np.maximum(np.dot(x, W) + b, 0)
        T = 1 / (1 + np.exp(-(np.dot(x, WT) + bT)))
        return H * T + x * (1 - T)

    @staticmethod
    def expert(x, W, b, WT, bT):
        H = np.maximum(np.dot(x, W) + b, 0)
        T = 1 / (1 + np.exp(-(np.dot(x, WT) + bT)))
        C = 1 - T
        g = yield H * T + x * C
        gT = g * T
        gC = g * C
        dH = gT * (H > 0)
        dT = gC * T * (H - x)
        return dict(
            x=gC + np.dot(dH, W.T) + np.dot(dT, WT.T),
            W=np.dot(x.T, dH),
            b=dH.sum(0),
            WT=np.dot(x.T, dT),
            bT=dT.sum(0),
        )
