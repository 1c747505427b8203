"""Layers and small networks, as courses and public repositories write them."""

import numpy as np

from tests.forms.form import Form


class SoftmaxRegressionDecay(Form):
    title, group, wrt = "Softmax regression of labels with weight decay, scores shifted in place", "dense", "W b"
    needs, ref = "SMAX SCAT SCAL", "CS231n, linear classification case study"

    @staticmethod
    def make(random, n=6, d=4, k=3):
        y = random.integers(0, k, n)
        normal = random.standard_normal
        return dict(X=normal((n, d)), y=y, W=normal((d, k)), b=normal(k), reg=0.1)

    @staticmethod
    def forward(X, y, W, b, reg):
        N = X.shape[0]
        scores = X.dot(W) + b
        scores -= np.max(scores, axis=1, keepdims=True)
        exp_scores = np.exp(scores)
        probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
        correct_logprobs = -np.log(probs[np.arange(N), y])
        return np.sum(correct_logprobs) / N + 0.5 * reg * np.sum(W * W)

    @staticmethod
    def expert(X, y, W, b, reg):
        N = X.shape[0]
        scores = X.dot(W) + b
        scores -= np.max(scores, axis=1, keepdims=True)
        e = np.exp(scores)
        probs = e / np.sum(e, axis=1, keepdims=True)
        rows = np.arange(N)
        yield np.sum(-np.log(probs[rows, y])) / N + 0.5 * reg * np.sum(W * W)
        d = probs / N
        d[rows, y] -= 1 / N
        return dict(W=X.T @ d + reg * W, b=d.sum(axis=0))


class DeepTanhRegression(Form):
    title, group, wrt = "Three layers in a loop, tanh, half the mean squared error", "dense", "W1 b1 W2 b2 W3 b3"
    needs, ref = "OUT SCAL UNB", "Bishop 2006 s.5.3"

    @staticmethod
    def make(random, n=5, d=3, h=4, k=2):
        normal = random.standard_normal
        return dict(
            X=normal((n, d)), T=normal((n, k)), W1=normal((d, h)), b1=normal(h), W2=normal((h, h)), b2=normal(h),
            W3=normal((h, k)), b3=normal(k),
        )  # fmt: skip

    @staticmethod
    def forward(X, T, W1, b1, W2, b2, W3, b3):
        a = X
        for W, b in [(W1, b1), (W2, b2)]:
            a = np.tanh(np.dot(a, W) + b)
        y = np.dot(a, W3) + b3
        return 0.5 * np.sum((y - T) ** 2) / len(X)

    @staticmethod
    def expert(X, T, W1, b1, W2, b2, W3, b3):
        a1 = np.tanh(X @ W1 + b1)
        a2 = np.tanh(a1 @ W2 + b2)
        r = a2 @ W3 + b3 - T
        yield 0.5 * np.sum(r**2) / len(X)
        d3 = r / len(X)
        d2 = (d3 @ W3.T) * (1 - a2**2)
        d1 = (d2 @ W2.T) * (1 - a1**2)
        return dict(W1=X.T @ d1, b1=d1.sum(0), W2=a1.T @ d2, b2=d2.sum(0), W3=a2.T @ d3, b3=d3.sum(0))


class PaddedTokenCrossEntropy(Form):
    title, group, wrt = "Cross-entropy of the next token, padding masked", "softmax", "logits"
    needs, ref = "SMAX SCAT FACT", "Radford et al. 2018; public language-model code"

    @staticmethod
    def make(random, B=2, T=4, V=5):
        mask = np.ones((B, T))
        mask[0, -1] = 0
        return dict(logits=random.standard_normal((B, T, V)), targets=random.integers(0, V, (B, T)), mask=mask)

    @staticmethod
    def forward(logits, targets, mask):
        shifted = logits - logits.max(axis=-1, keepdims=True)
        logp = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        nll = -np.take_along_axis(logp, targets[..., None], axis=-1)[..., 0]
        return (nll * mask).sum() / mask.sum()

    @staticmethod
    def expert(logits, targets, mask):
        shifted = logits - logits.max(axis=-1, keepdims=True)
        e = np.exp(shifted)
        s = e.sum(axis=-1, keepdims=True)
        nll = -np.take_along_axis(shifted - np.log(s), targets[..., None], axis=-1)[..., 0]
        count = mask.sum()
        yield (nll * mask).sum() / count
        w = mask / count
        d = e * (w[..., None] / s)
        B, T = mask.shape
        d[np.arange(B)[:, None], np.arange(T), targets] -= w
        return dict(logits=d)


class CrossEntropyWithZLoss(Form):
    title, group, wrt = "Cross-entropy with a penalty on the square of the log-sum-exp", "softmax", "z"
    needs, ref = "SMAX SCAT FACT", "Chowdhery et al. 2022 (PaLM) s.5"

    @staticmethod
    def make(random, n=6, k=4):
        return dict(z=random.standard_normal((n, k)), y=random.integers(0, k, n), c=0.05)

    @staticmethod
    def forward(z, y, c):
        m = np.max(z, axis=1)
        lse = m + np.log(np.sum(np.exp(z - m[:, None]), axis=1))
        return np.mean(lse - z[np.arange(len(y)), y]) + c * np.mean(lse**2)

    @staticmethod
    def expert(z, y, c):
        m = np.max(z, axis=1)
        e = np.exp(z - m[:, None])
        s = np.sum(e, axis=1)
        lse = m + np.log(s)
        n, rows = len(y), np.arange(len(y))
        yield np.mean(lse - z[rows, y]) + c * np.mean(lse**2)
        d = e * (((2 * c / n) * lse + 1 / n) / s)[:, None]
        d[rows, y] -= 1 / n
        return dict(z=d)


class PreNormFeedForward(Form):
    title, group, wrt = "Feed-forward block: layer norm, two products with ReLU, skip", "normalisation", "x g b W1 W2"
    needs, ref = "MEAN0 MASK OUT UNB", "Xiong et al. 2020 (pre-LN); Ba et al. 2016"

    @staticmethod
    def make(random, n=4, d=5, h=6):
        normal = random.standard_normal
        return dict(x=normal((n, d)), g=normal(d), b=normal(d), W1=normal((d, h)), W2=normal((h, d)))

    @staticmethod
    def forward(x, g, b, W1, W2):
        mu = x.mean(axis=-1, keepdims=True)
        var = x.var(axis=-1, keepdims=True)
        normed = g * (x - mu) / np.sqrt(var + 1e-5) + b
        h = np.maximum(normed @ W1, 0)
        return x + h @ W2

    @staticmethod
    def expert(x, g, b, W1, W2):
        r = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
        xhat = (x - x.mean(axis=-1, keepdims=True)) / r
        n = g * xhat + b
        h = np.maximum(n @ W1, 0)
        dy = yield x + h @ W2
        dh = (dy @ W2.T) * (h > 0)
        dn = dh @ W1.T
        dxhat = dn * g
        dx = dy + (dxhat - dxhat.mean(-1, keepdims=True) - xhat * (dxhat * xhat).mean(-1, keepdims=True)) / r
        return dict(x=dx, g=np.einsum("ij,ij->j", dn, xhat), b=dn.sum(0), W1=n.T @ dh, W2=h.T @ dy)


class RmsNormHead(Form):
    title, group, wrt = "Root-mean-square norm before the logits of a tied embedding", "normalisation", "x gain E"
    needs, ref = "CANC FACT OUT", "Zhang & Sennrich 2019; Touvron et al. 2023"

    @staticmethod
    def make(random, n=4, d=5, v=7):
        normal = random.standard_normal
        return dict(x=normal((n, d)), gain=normal(d), E=normal((v, d)))

    @staticmethod
    def forward(x, gain, E):
        rms = np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-6)
        return np.dot(gain * (x / rms), E.T)

    @staticmethod
    def expert(x, gain, E):
        rms = np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-6)
        u = x / rms
        n = gain * u
        g = yield n @ E.T
        dn = g @ E
        du = dn * gain
        dx = (du - u * (du * u).mean(-1, keepdims=True)) / rms
        return dict(x=dx, gain=np.einsum("ij,ij->j", dn, u), E=g.T @ n)


class DenseBatchNormRelu(Form):
    title, group, wrt = "Product, batch normalisation and ReLU", "normalisation", "X W gamma beta"
    needs, ref = "MEAN0 MASK UNB", "Ioffe & Szegedy 2015; CS231n assignment 2"

    @staticmethod
    def make(random, n=6, d=4, h=3):
        normal = random.standard_normal
        return dict(X=normal((n, d)), W=normal((d, h)), gamma=normal(h), beta=normal(h))

    @staticmethod
    def forward(X, W, gamma, beta):
        z = X @ W
        mu = np.mean(z, axis=0)
        var = np.mean((z - mu) ** 2, axis=0)
        zhat = (z - mu) / np.sqrt(var + 1e-5)
        return np.maximum(0, gamma * zhat + beta)

    @staticmethod
    def expert(X, W, gamma, beta):
        z = X @ W
        c = z - np.mean(z, axis=0)
        r = np.sqrt(np.mean(c**2, axis=0) + 1e-5)
        zhat = c / r
        y = np.maximum(0, gamma * zhat + beta)
        g = yield y
        d = g * (y > 0)
        dbeta = d.sum(axis=0)
        dgamma = np.einsum("ij,ij->j", d, zhat)
        dz = (gamma / r) * (d - (dbeta + zhat * dgamma) / len(X))
        return dict(X=dz @ W.T, W=X.T @ dz, gamma=dgamma, beta=dbeta)


class CosineClassifier(Form):
    title, group, wrt = "Softmax of scaled cosines between unit features and unit weights", "softmax", "X W s"
    needs, ref = "SMAX SCAT CANC", "Gidaris & Komodakis 2018; Wang et al. 2017 (NormFace)"

    @staticmethod
    def make(random, n=5, d=4, k=3):
        normal = random.standard_normal
        return dict(X=normal((n, d)), W=normal((d, k)), y=random.integers(0, k, n), s=np.array(4.0))

    @staticmethod
    def forward(X, W, y, s):
        Xn = X / np.linalg.norm(X, axis=1, keepdims=True)
        Wn = W / np.linalg.norm(W, axis=0, keepdims=True)
        z = s * (Xn @ Wn)
        z = z - z.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -np.mean(logp[np.arange(len(y)), y])

    @staticmethod
    def expert(X, W, y, s):
        nx = np.linalg.norm(X, axis=1, keepdims=True)
        nw = np.linalg.norm(W, axis=0, keepdims=True)
        Xn, Wn = X / nx, W / nw
        cos = Xn @ Wn
        z = s * cos
        z = z - z.max(axis=1, keepdims=True)
        e = np.exp(z)
        t = e.sum(axis=1, keepdims=True)
        rows, n = np.arange(len(y)), len(y)
        yield -np.mean((z - np.log(t))[rows, y])
        d = e / t
        d[rows, y] -= 1
        ds = np.vdot(d, cos) / n
        d *= s / n
        gx, gw = d @ Wn.T, Xn.T @ d
        dX = (gx - Xn * np.einsum("ij,ij->i", gx, Xn)[:, None]) / nx
        return dict(X=dX, W=(gw - Wn * np.einsum("ij,ij->j", gw, Wn)) / nw, s=ds)
