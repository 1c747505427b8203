"""Attention."""

import numpy as np

from tests.forms.form import Form


def softmax(x, axis=-1):
    x = x - np.max(x, axis=axis, keepdims=True)
    e_x = np.exp(x)
    return e_x / e_x.sum(axis=axis, keepdims=True)


class AttentionHead(Form):
    title, group = "One head of self-attention with its projections", "attention"
    wrt = "X Wq Wk Wv"
    needs = "SMAX CANC FACT SCAL OUT MM"
    ref = "Vaswani et al. 2017 eq. 1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((5, 4)), Wq=normal((4, 3)), Wk=normal((4, 3)), Wv=normal((4, 3)))

    @staticmethod
    def forward(X, Wq, Wk, Wv):
        Q, K, V = X @ Wq, X @ Wk, X @ Wv
        return softmax(Q @ K.T / np.sqrt(K.shape[1])) @ V

    @staticmethod
    def expert(X, Wq, Wk, Wv):
        Q, K, V = X @ Wq, X @ Wk, X @ Wv
        root = np.sqrt(K.shape[1])
        A = softmax(Q @ K.T / root)
        Y = A @ V
        g = yield Y
        dV = A.T @ g
        # The rows of A * (g @ V.T) add up to those of g * Y, which are shorter.
        dS = A * (g @ V.T - (g * Y).sum(1, keepdims=True)) / root
        dQ, dK = dS @ K, dS.T @ Q
        return dict(X=dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T, Wq=X.T @ dQ, Wk=X.T @ dK, Wv=X.T @ dV)


class CausalAttention(Form):
    title, group = "Batched attention with a causal mask", "attention"
    wrt = "Q K V"
    needs = "SMAX CANC FACT SCAL OUT MM MASK"
    ref = "Dao et al. 2022, appendix B.2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(Q=normal((2, 4, 3)), K=normal((2, 4, 3)), V=normal((2, 4, 5)))

    @staticmethod
    def forward(Q, K, V):
        T, d = Q.shape[1:]
        scores = np.matmul(Q, K.transpose(0, 2, 1)) / d**0.5
        scores = np.where(np.tril(np.ones((T, T), dtype=bool)), scores, -np.inf)
        return np.matmul(softmax(scores, axis=2), V)

    @staticmethod
    def expert(Q, K, V):
        T, d = Q.shape[1:]
        scores = np.matmul(Q, K.transpose(0, 2, 1)) / d**0.5
        P = softmax(np.where(np.tril(np.ones((T, T), dtype=bool)), scores, -np.inf), axis=2)
        Y = np.matmul(P, V)
        g = yield Y
        # P vanishes where the mask is, and so does dS.
        dS = P * (g @ V.transpose(0, 2, 1) - (g * Y).sum(axis=2, keepdims=True)) / d**0.5
        return dict(Q=dS @ K, K=dS.transpose(0, 2, 1) @ Q, V=P.transpose(0, 2, 1) @ g)


class MultiheadEinsum(Form):
    title, group = "Multi-head self-attention with einsum", "attention"
    wrt = "X Wq Wk Wv Wo"
    needs = "SMAX CANC FACT SCAL OUT MM"
    ref = "Shazeer 2019 (fast transformer decoding)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((2, 3, 4)), Wq=normal((4, 2, 3)), Wk=normal((4, 2, 3)), Wv=normal((4, 2, 3)), Wo=normal((2, 3, 4))
        )

    @staticmethod
    def forward(X, Wq, Wk, Wv, Wo):
        q = np.einsum("btm,mhd->bhtd", X, Wq)
        k = np.einsum("btm,mhd->bhtd", X, Wk)
        v = np.einsum("btm,mhd->bhtd", X, Wv)
        scores = np.einsum("bhtd,bhsd->bhts", q, k) / np.sqrt(Wq.shape[-1])
        weights = softmax(scores)
        heads = np.einsum("bhts,bhsd->bhtd", weights, v)
        return np.einsum("bhtd,hdm->btm", heads, Wo)

    @staticmethod
    def expert(X, Wq, Wk, Wv, Wo):
        q, k, v = (np.einsum("btm,mhd->bhtd", X, W) for W in (Wq, Wk, Wv))
        root = np.sqrt(Wq.shape[-1])
        P = softmax(np.einsum("bhtd,bhsd->bhts", q, k) / root)
        heads = np.einsum("bhts,bhsd->bhtd", P, v)
        g = yield np.einsum("bhtd,hdm->btm", heads, Wo)
        do = np.einsum("btm,hdm->bhtd", g, Wo)
        dv = np.einsum("bhts,bhtd->bhsd", P, do)
        dP = np.einsum("bhtd,bhsd->bhts", do, v)
        dS = P * (dP - (do * heads).sum(-1, keepdims=True)) / root
        dq = np.einsum("bhts,bhsd->bhtd", dS, k)
        dk = np.einsum("bhts,bhtd->bhsd", dS, q)
        to_weights, to_input = "btm,bhtd->mhd", "bhtd,mhd->btm"
        return dict(
            X=np.einsum(to_input, dq, Wq) + np.einsum(to_input, dk, Wk) + np.einsum(to_input, dv, Wv),
            Wq=np.einsum(to_weights, X, dq),
            Wk=np.einsum(to_weights, X, dk),
            Wv=np.einsum(to_weights, X, dv),
            Wo=np.einsum("bhtd,btm->hdm", heads, g),
        )


class AdditiveAttention(Form):
    title, group = "Additive attention of one query over a sequence", "attention"
    wrt = "H s W U v"
    needs = "SMAX CANC FACT OUT MM UNB"
    ref = "Bahdanau et al. 2015, appendix A.1.2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(H=normal((5, 4)), s=normal(3), W=normal((4, 6)), U=normal((3, 6)), v=normal(6))

    @staticmethod
    def forward(H, s, W, U, v):
        hidden = np.tanh(H.dot(W) + s.dot(U))
        a = softmax(hidden.dot(v), axis=0)
        return a.dot(H)

    @staticmethod
    def expert(H, s, W, U, v):
        hidden = np.tanh(H.dot(W) + s.dot(U))
        a = softmax(hidden.dot(v), axis=0)
        context = a.dot(H)
        g = yield context
        de = a * (H.dot(g) - context.dot(g))
        dz = np.outer(de, v) * (1 - hidden**2)
        ds = dz.sum(axis=0)
        return dict(H=np.outer(a, g) + dz.dot(W.T), s=U.dot(ds), W=H.T.dot(dz), U=np.outer(s, ds), v=de.dot(hidden))
