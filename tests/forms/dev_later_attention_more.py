"""More attention and scans over sequences, as recent papers and public repositories write them."""

import numpy as np

from tests.forms.form import Form


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class CappedScores(Form):
    title, group, wrt = "Causal attention with logits capped by a tanh", "attention", "q k v"
    needs, ref = "SMAX OUT MM SCAL", "Team Gemma 2024 (Gemma 2) s.2"

    @staticmethod
    def make(random, T=4, d=3):
        normal = random.standard_normal
        return dict(q=normal((T, d)), k=normal((T, d)), v=normal((T, d)), cap=3.0)

    @staticmethod
    def forward(q, k, v, cap):
        T, d = q.shape
        s = q @ k.T / np.sqrt(d)
        s = cap * np.tanh(s / cap)
        s = np.where(np.tril(np.ones((T, T))) == 1, s, -np.inf)
        return softmax(s) @ v

    @staticmethod
    def expert(q, k, v, cap):
        T, d = q.shape
        t = np.tanh(q @ k.T / np.sqrt(d) / cap)
        s = np.where(np.tril(np.ones((T, T))) == 1, cap * t, -np.inf)
        p = softmax(s)
        o = p @ v
        g = yield o
        ds = p * (g @ v.T - (g * o).sum(axis=-1, keepdims=True)) * ((1 - t**2) / np.sqrt(d))
        return dict(q=ds @ k, k=ds.T @ q, v=p.T @ g)


class DifferentialAttention(Form):
    title, group, wrt = (
        "Differential attention: two maps of attention, one subtracted",
        "attention",
        "q1 k1 q2 k2 v lam",
    )
    needs, ref = "SMAX MM FACT", "Ye et al. 2024 eq. 1"

    @staticmethod
    def make(random, T=4, d=3):
        normal = random.standard_normal
        return dict(
            q1=normal((T, d)), k1=normal((T, d)), q2=normal((T, d)), k2=normal((T, d)), v=normal((T, d)), lam=0.4
        )

    @staticmethod
    def forward(q1, k1, q2, k2, v, lam):
        scale = 1 / np.sqrt(q1.shape[-1])
        a1 = softmax(q1 @ k1.T * scale)
        a2 = softmax(q2 @ k2.T * scale)
        return (a1 - lam * a2) @ v

    @staticmethod
    def expert(q1, k1, q2, k2, v, lam):
        scale = 1 / np.sqrt(q1.shape[-1])
        a1 = softmax(q1 @ k1.T * scale)
        a2 = softmax(q2 @ k2.T * scale)
        a = a1 - lam * a2
        g = yield a @ v
        da = g @ v.T
        p1, p2 = a1 * da, a2 * da
        r2 = p2.sum(axis=-1, keepdims=True)
        d1 = (p1 - a1 * p1.sum(axis=-1, keepdims=True)) * scale
        d2 = (p2 - a2 * r2) * (-lam * scale)
        return dict(q1=d1 @ k1, k1=d1.T @ q1, q2=d2 @ k2, k2=d2.T @ q2, v=a.T @ g, lam=-r2.sum())


class WindowedAttention(Form):
    title, group, wrt = "Attention within windows, with a bias for relative places", "attention", "x Wq Wk Wv bias"
    needs, ref = "SMAX MM SCAT", "Liu et al. 2021 (Swin) eq. 4"

    @staticmethod
    def make(random, T=6, w=3, d=4):
        normal = random.standard_normal
        i = np.arange(w)
        return dict(
            x=normal((T, d)),
            Wq=normal((d, d)),
            Wk=normal((d, d)),
            Wv=normal((d, d)),
            bias=normal(2 * w - 1),
            rel=i[:, None] - i[None, :] + w - 1,
        )

    @staticmethod
    def forward(x, Wq, Wk, Wv, bias, rel):
        w = len(rel)
        X = x.reshape(-1, w, x.shape[1])
        q, k, v = X @ Wq, X @ Wk, X @ Wv
        s = q @ k.transpose(0, 2, 1) / np.sqrt(x.shape[1]) + bias[rel]
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        a = e / e.sum(axis=-1, keepdims=True)
        return (a @ v).reshape(x.shape)

    @staticmethod
    def expert(x, Wq, Wk, Wv, bias, rel):
        w, d = len(rel), x.shape[1]
        X = x.reshape(-1, w, d)
        q, k, v = X @ Wq, X @ Wk, X @ Wv
        s = q @ k.transpose(0, 2, 1) / np.sqrt(d) + bias[rel]
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        a = e / e.sum(axis=-1, keepdims=True)
        o = a @ v
        g = yield o.reshape(x.shape)
        g = g.reshape(X.shape)
        ds = a * (g @ v.transpose(0, 2, 1) - np.einsum("nwd,nwd->nw", g, o)[..., None])
        dbias = np.zeros_like(bias)
        np.add.at(dbias, rel, ds.sum(axis=0))
        ds = ds / np.sqrt(d)
        dq, dk, dv = (
            (m @ y).reshape(-1, d) for m, y in ((ds, k), (ds.transpose(0, 2, 1), q), (a.transpose(0, 2, 1), g))
        )
        return dict(x=dq @ Wq.T + dk @ Wk.T + dv @ Wv.T, Wq=x.T @ dq, Wk=x.T @ dk, Wv=x.T @ dv, bias=dbias)


class LatentKeys(Form):
    title, group, wrt = "Attention with keys and values from a compressed latent", "attention", "x Wq Wd Wk Wv"
    needs, ref = "SMAX MM UNB", "DeepSeek-AI 2024 (DeepSeek-V2) eq. 9 to 11"

    @staticmethod
    def make(random, T=4, d=4, r=2):
        normal = random.standard_normal
        return dict(x=normal((T, d)), Wq=normal((d, d)), Wd=normal((d, r)), Wk=normal((r, d)), Wv=normal((r, d)))

    @staticmethod
    def forward(x, Wq, Wd, Wk, Wv):
        c = x @ Wd
        q, k, v = x @ Wq, c @ Wk, c @ Wv
        s = q @ k.T / np.sqrt(q.shape[-1])
        mask = np.triu(np.ones(s.shape, dtype=bool), 1)
        s[mask] = -np.inf
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        return (e / e.sum(axis=-1, keepdims=True)) @ v

    @staticmethod
    def expert(x, Wq, Wd, Wk, Wv):
        c = x @ Wd
        q, k, v = x @ Wq, c @ Wk, c @ Wv
        s = q @ k.T / np.sqrt(q.shape[-1])
        mask = np.triu(np.ones(s.shape, dtype=bool), 1)
        s[mask] = -np.inf
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        a = e / e.sum(axis=-1, keepdims=True)
        o = a @ v
        g = yield o
        dv = a.T @ g
        ds = a * (g @ v.T - np.vecdot(g, o)[:, None]) / np.sqrt(q.shape[-1])
        dq, dk = ds @ k, ds.T @ q
        dc = dk @ Wk.T + dv @ Wv.T
        return dict(x=dq @ Wq.T + dc @ Wd.T, Wq=x.T @ dq, Wd=x.T @ dc, Wk=c.T @ dk, Wv=c.T @ dv)


class TokensOfPatches(Form):
    title, group, wrt = (
        "Vision tokens: patches projected, a class token in front, positions added",
        "embeddings",
        "x W b cls pos",
    )
    needs, ref = "CAT MM UNB", "Dosovitskiy et al. 2021 eq. 1"

    @staticmethod
    def make(random, n=2, h=4, p=2, d=3):
        normal = random.standard_normal
        return dict(
            x=normal((n, h, h)),
            W=normal((p * p, d)),
            b=normal(d),
            cls=normal(d),
            pos=normal((1 + (h // p) ** 2, d)),
            p=p,
        )

    @staticmethod
    def forward(x, W, b, cls, pos, p):
        n, h, w = x.shape
        patches = x.reshape(n, h // p, p, w // p, p).transpose(0, 1, 3, 2, 4).reshape(n, -1, p * p)
        tokens = patches @ W + b
        first = np.broadcast_to(cls, (n, 1, len(cls)))
        return np.concatenate([first, tokens], axis=1) + pos

    @staticmethod
    def expert(x, W, b, cls, pos, p):
        n, h, w = x.shape
        patches = x.reshape(n, h // p, p, w // p, p).transpose(0, 1, 3, 2, 4).reshape(n, -1, p * p)
        tokens = patches @ W + b
        first = np.broadcast_to(cls, (n, 1, len(cls)))
        g = yield np.concatenate([first, tokens], axis=1) + pos
        dpos = g.sum(axis=0)
        dt = g[:, 1:]
        dx = (dt @ W.T).reshape(n, h // p, w // p, p, p).transpose(0, 1, 3, 2, 4).reshape(n, h, w)
        return dict(x=dx, W=np.tensordot(patches, dt, ([0, 1], [0, 1])), b=dpos[1:].sum(axis=0), cls=dpos[0], pos=dpos)
