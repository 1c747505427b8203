"""Held out: attention in its variants."""

import numpy as np

from tests.forms.form import Form


def softmax(x):
    exp_x = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return exp_x / np.sum(exp_x, axis=-1, keepdims=True)


def softmax_pullback(p, g):
    return p * (g - np.sum(g * p, axis=-1, keepdims=True))


class BahdanauAttention(Form):
    title, group = "Additive attention of one query on a sequence", "attention"
    wrt = "s h W_a U_a v_a"
    needs = "SMAX CANC FACT OUT MM UNB"
    ref = "Bahdanau, Cho & Bengio 2015 app. A.1.2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(s=normal(4), h=normal((5, 3)), W_a=normal((4, 6)), U_a=normal((3, 6)), v_a=normal(6))

    @staticmethod
    def forward(s, h, W_a, U_a, v_a):
        e = np.tanh(s @ W_a + h @ U_a) @ v_a
        alpha = np.exp(e) / np.sum(np.exp(e))
        return alpha @ h

    @staticmethod
    def expert(s, h, W_a, U_a, v_a):
        t = np.tanh(s @ W_a + h @ U_a)
        a = np.exp(t @ v_a)
        alpha = a / np.sum(a)
        context = alpha @ h
        g = yield context
        de = alpha * (h @ g - context @ g)  # the mean of h @ g under alpha is context @ g
        dt = np.outer(de, v_a) * (1 - t**2)
        dq = dt.sum(0)
        return dict(
            s=W_a @ dq,
            h=np.outer(alpha, g) + dt @ U_a.T,
            W_a=np.outer(s, dq),
            U_a=h.T @ dt,
            v_a=de @ t,
        )


class PicoGptCausalHead(Form):
    title, group = "Causal self-attention head with an additive mask, from one projection", "attention"
    wrt = "x w b"
    needs = "SMAX CANC FACT OUT MM SCAL CAT UNB"
    ref = "Mody, picoGPT (causal_self_attention, attention); Vaswani et al. 2017"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 4)), w=normal((4, 9)), b=normal(9))

    @staticmethod
    def forward(x, w, b):
        def attention(q, k, v, mask):
            return softmax(q @ k.T / np.sqrt(q.shape[-1]) + mask) @ v

        q, k, v = np.split(x @ w + b, 3, axis=-1)
        causal_mask = (1 - np.tri(x.shape[0])) * -1e10
        return attention(q, k, v, causal_mask)

    @staticmethod
    def expert(x, w, b):
        q, k, v = np.split(x @ w + b, 3, axis=-1)
        root = np.sqrt(q.shape[-1])
        p = softmax(q @ k.T / root + (1 - np.tri(x.shape[0])) * -1e10)
        out = p @ v
        g = yield out
        ds = p * (g @ v.T - np.sum(g * out, axis=-1, keepdims=True)) / root
        d = np.hstack([ds @ k, ds.T @ q, p.T @ g])
        return dict(x=d @ w.T, w=x.T @ d, b=d.sum(axis=0))


class CrossAttentionBlock(Form):
    title, group = "Cross-attention with projections, a padding mask by np.where, output projection", "attention"
    wrt = "X M Wq Wk Wv Wo"
    needs = "SMAX CANC FACT OUT MM SCAL MASK"
    ref = "Vaswani et al. 2017 s.3.2.3"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        valid = np.array([True, True, True, False, True])
        return dict(
            X=normal((3, 4)),
            M=normal((5, 4)),
            valid=valid,
            Wq=normal((4, 3)),
            Wk=normal((4, 3)),
            Wv=normal((4, 2)),
            Wo=normal((2, 4)),
        )

    @staticmethod
    def forward(X, M, valid, Wq, Wk, Wv, Wo):
        Q, K, V = X @ Wq, M @ Wk, M @ Wv
        S = (Q @ K.T) / np.sqrt(K.shape[1])
        S = np.where(valid, S, -1e9)
        A = softmax(S)
        return A @ V @ Wo

    @staticmethod
    def expert(X, M, valid, Wq, Wk, Wv, Wo):
        Q, K, V = X @ Wq, M @ Wk, M @ Wv
        root = np.sqrt(K.shape[1])
        A = softmax(np.where(valid, (Q @ K.T) / root, -1e9))
        C = A @ V
        g = yield C @ Wo
        dC = g @ Wo.T
        dV = A.T @ dC
        # A is zero where the mask is, and so is its cotangent.
        dS = A * (dC @ V.T - np.sum(dC * C, axis=-1, keepdims=True)) / root
        dQ, dK = dS @ K, dS.T @ Q
        return dict(X=dQ @ Wq.T, M=dK @ Wk.T + dV @ Wv.T, Wq=X.T @ dQ, Wk=M.T @ dK, Wv=M.T @ dV, Wo=C.T @ g)


class MultiHeadEinsum(Form):
    title, group = "Multi-head attention on a batch by einsum", "attention"
    wrt = "q k v"
    needs = "SMAX CANC FACT OUT MM SCAL"
    ref = "Vaswani et al. 2017; Shazeer 2019, fast transformer decoding (einsum forms)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(q=normal((2, 3, 2, 4)), k=normal((2, 5, 2, 4)), v=normal((2, 5, 2, 3)))

    @staticmethod
    def forward(q, k, v):
        logits = np.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(q.shape[-1])
        weights = softmax(logits)
        return np.einsum("bhqk,bkhd->bqhd", weights, v)

    @staticmethod
    def expert(q, k, v):
        root = np.sqrt(q.shape[-1])
        weights = softmax(np.einsum("bqhd,bkhd->bhqk", q, k) / root)
        g = yield np.einsum("bhqk,bkhd->bqhd", weights, v)
        dweights = np.einsum("bqhd,bkhd->bhqk", g, v)
        dlogits = softmax_pullback(weights, dweights) / root
        return dict(
            q=np.einsum("bhqk,bkhd->bqhd", dlogits, k),
            k=np.einsum("bhqk,bqhd->bkhd", dlogits, q),
            v=np.einsum("bhqk,bqhd->bkhd", weights, g),
        )


class LinearAttentionElu(Form):
    title, group = "Linear attention with the feature map elu(x) + 1", "attention"
    wrt = "Q K V"
    needs = "OUT CANC FACT MM MASK UNB"
    ref = "Katharopoulos et al. 2020 eqs. 5 and 7"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(Q=normal((4, 3)), K=normal((5, 3)), V=normal((5, 2)))

    @staticmethod
    def forward(Q, K, V):
        def phi(x):
            return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))

        Q, K = phi(Q), phi(K)
        KV = K.T @ V
        Z = 1 / (Q @ K.sum(axis=0))
        return (Q @ KV) * Z[:, None]

    @staticmethod
    def expert(Q, K, V):
        def phi(x):
            positive = x > 0
            return np.where(positive, x + 1, np.exp(np.minimum(x, 0)))

        fQ, fK = phi(Q), phi(K)
        KV = fK.T @ V
        k_sum = fK.sum(axis=0)
        Z = 1 / (fQ @ k_sum)
        out = (fQ @ KV) * Z[:, None]
        g = yield out
        dN = g * Z[:, None]  # of the numerator
        dD = -np.sum(dN * out, axis=1)  # of the denominator
        dfQ = dN @ KV.T + np.outer(dD, k_sum)
        dKV = fQ.T @ dN
        dfK = V @ dKV.T + dD @ fQ
        # The slope of phi is phi itself below zero and one above, that is min(phi, 1).
        return dict(Q=dfQ * np.minimum(fQ, 1), K=dfK * np.minimum(fK, 1), V=fK @ dKV)


class RotaryScores(Form):
    title, group = "Rotary position embedding of queries and keys, scores", "attention"
    wrt = "q k"
    needs = "CAT MM SCAL FACT"
    ref = "Su et al. 2021 eq. 34; the rotation is undone by its transpose"

    @staticmethod
    def make(random):
        T, d = 4, 6
        angle = np.outer(np.arange(T), 1.0 / 10.0 ** (np.arange(0, d, 2) / d))
        return dict(
            q=random.standard_normal((T, d)), k=random.standard_normal((T, d)), cos=np.cos(angle), sin=np.sin(angle)
        )

    @staticmethod
    def forward(q, k, cos, sin):
        def rotate(x):
            x1, x2 = np.split(x, 2, axis=-1)
            return np.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)

        return rotate(q) @ rotate(k).T / np.sqrt(q.shape[-1])

    @staticmethod
    def expert(q, k, cos, sin):
        def rotate(x):
            x1, x2 = np.split(x, 2, axis=-1)
            return np.concatenate([x1 * cos - x2 * sin, x1 * sin + x2 * cos], axis=-1)

        def rotate_back(x):
            x1, x2 = np.split(x, 2, axis=-1)
            return np.concatenate([x1 * cos + x2 * sin, x2 * cos - x1 * sin], axis=-1)

        rq, rk = rotate(q), rotate(k)
        root = np.sqrt(q.shape[-1])
        g = yield rq @ rk.T / root
        g = g / root
        return dict(q=rotate_back(g @ rk), k=rotate_back(g.T @ rq))


class NadarayaWatson(Form):
    title, group = "Attention pooling by a Gaussian kernel with one learned width", "attention"
    wrt = "w"
    needs = "SEED SCAL SMAX CANC FACT OUT"
    ref = "Nadaraya 1964; Dive into Deep Learning, attention pooling (first edition s.10.2)"

    @staticmethod
    def make(random):
        x = np.sort(5 * random.random(6))
        return dict(
            queries=5 * random.random(4), keys=x, values=np.sin(x), target=random.standard_normal(4), w=np.array(0.8)
        )

    @staticmethod
    def forward(queries, keys, values, target, w):
        weights = softmax(-(((queries[:, None] - keys) * w) ** 2) / 2)
        y_hat = weights @ values
        return np.square(y_hat - target).sum() / 2

    @staticmethod
    def expert(queries, keys, values, target, w):
        gap = queries[:, None] - keys
        scaled = gap * w
        weights = softmax(-(scaled**2) / 2)
        y_hat = weights @ values
        r = y_hat - target
        yield np.square(r).sum() / 2
        # d loss / d score = r weights (values - y_hat), d score / dw = -scaled gap
        pooled = weights * scaled * gap
        return dict(w=-(r @ (pooled @ values - y_hat * pooled.sum(axis=1))))


class GraphAttention(Form):
    title, group = "Graph attention layer: leaky ReLU of two projections, neighbours masked", "attention"
    wrt = "X W a_src a_dst"
    needs = "SMAX CANC FACT OUT MM MASK UNB"
    ref = "Velickovic et al. 2018 eqs. 1 to 4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        adj = (random.random((5, 5)) < 0.5) | np.eye(5, dtype=bool)
        return dict(adj=adj, X=normal((5, 4)), W=normal((4, 3)), a_src=normal(3), a_dst=normal(3))

    @staticmethod
    def forward(adj, X, W, a_src, a_dst):
        H = X @ W
        e = (H @ a_src)[:, None] + (H @ a_dst)[None, :]
        e = np.where(e > 0, e, 0.2 * e)
        alpha = softmax(np.where(adj, e, -1e9))
        return alpha @ H

    @staticmethod
    def expert(adj, X, W, a_src, a_dst):
        H = X @ W
        e = (H @ a_src)[:, None] + (H @ a_dst)[None, :]
        positive = e > 0
        alpha = softmax(np.where(adj, np.where(positive, e, 0.2 * e), -1e9))
        out = alpha @ H
        g = yield out
        de = alpha * (g @ H.T - np.sum(g * out, axis=-1, keepdims=True)) * np.where(positive, 1, 0.2)
        d_src, d_dst = de.sum(axis=1), de.sum(axis=0)
        dH = alpha.T @ g + np.outer(d_src, a_src) + np.outer(d_dst, a_dst)
        return dict(X=dH @ W.T, W=X.T @ dH, a_src=d_src @ H, a_dst=d_dst @ H)
