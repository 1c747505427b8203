"""Attention, memories and recurrences, as courses and public repositories write them."""

import numpy as np

from tests.forms.form import Form


class JointProjectionHeads(Form):
    title, group, wrt = "Causal heads from one projection to queries, keys and values", "attention", "x Wqkv Wo"
    needs, ref = "SMAX CAT MM UNB", "Vaswani et al. 2017; Karpathy, nanoGPT"

    @staticmethod
    def make(random, B=2, T=3, D=4):
        normal = random.standard_normal
        return dict(x=normal((B, T, D)), Wqkv=normal((D, 3 * D)), Wo=normal((D, D)), heads=2)

    @staticmethod
    def forward(x, Wqkv, Wo, heads):
        B, T, D = x.shape
        q, k, v = np.split(x @ Wqkv, 3, axis=-1)
        q = q.reshape(B, T, heads, -1).transpose(0, 2, 1, 3)
        k = k.reshape(B, T, heads, -1).transpose(0, 2, 1, 3)
        v = v.reshape(B, T, heads, -1).transpose(0, 2, 1, 3)
        att = q @ k.transpose(0, 1, 3, 2) / np.sqrt(D // heads)
        att = np.where(np.tri(T, dtype=bool), att, -np.inf)
        att = np.exp(att - att.max(axis=-1, keepdims=True))
        att = att / att.sum(axis=-1, keepdims=True)
        y = (att @ v).transpose(0, 2, 1, 3).reshape(B, T, D)
        return y @ Wo

    @staticmethod
    def expert(x, Wqkv, Wo, heads):
        B, T, D = x.shape
        scale = np.sqrt(D // heads)
        q, k, v = ((x @ Wqkv).reshape(B, T, 3, heads, -1)).transpose(2, 0, 3, 1, 4)
        s = np.where(np.tri(T, dtype=bool), q @ k.transpose(0, 1, 3, 2) / scale, -np.inf)
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        att = e / e.sum(axis=-1, keepdims=True)
        o = att @ v
        y = o.transpose(0, 2, 1, 3).reshape(-1, D)
        g = yield (y @ Wo).reshape(B, T, D)
        g = g.reshape(-1, D)
        do = (g @ Wo.T).reshape(B, T, heads, -1).transpose(0, 2, 1, 3)
        ds = att * (do @ v.transpose(0, 1, 3, 2) - np.einsum("bhtd,bhtd->bht", do, o)[..., None])
        ds = ds / scale
        parts = np.stack([ds @ k, ds.transpose(0, 1, 3, 2) @ q, att.transpose(0, 1, 3, 2) @ do])
        dqkv = parts.transpose(1, 3, 0, 2, 4).reshape(-1, 3 * D)
        return dict(x=(dqkv @ Wqkv.T).reshape(B, T, D), Wqkv=x.reshape(-1, D).T @ dqkv, Wo=y.T @ g)


def rotate_half(x):
    half = x.shape[-1] // 2
    return np.concatenate([-x[..., half:], x[..., :half]], axis=-1)


class RotaryAttention(Form):
    title, group, wrt = "Attention with rotary positions, halves rotated", "attention", "q k v"
    needs, ref = "SMAX CAT MM", "Su et al. 2021 (RoFormer) s.3.4"

    @staticmethod
    def make(random, t=4, d=4):
        normal = random.standard_normal
        angle = np.arange(t)[:, None] / 100 ** (np.arange(d // 2) / (d // 2))
        return dict(q=normal((t, d)), k=normal((t, d)), v=normal((t, d)), angle=angle)

    @staticmethod
    def forward(q, k, v, angle):
        angles = np.concatenate([angle, angle], axis=-1)
        cos, sin = np.cos(angles), np.sin(angles)
        qr = q * cos + rotate_half(q) * sin
        kr = k * cos + rotate_half(k) * sin
        s = qr @ kr.T / np.sqrt(q.shape[-1])
        p = np.exp(s - s.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        return p @ v

    @staticmethod
    def expert(q, k, v, angle):
        angles = np.concatenate([angle, angle], axis=-1)
        cos, sin = np.cos(angles), np.sin(angles)
        qr = q * cos + rotate_half(q) * sin
        kr = k * cos + rotate_half(k) * sin
        scale = np.sqrt(q.shape[-1])
        s = qr @ kr.T / scale
        p = np.exp(s - s.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        o = p @ v
        g = yield o
        ds = p * (g @ v.T - np.einsum("ij,ij->i", g, o)[:, None]) / scale
        dq, dk = ds @ kr, ds.T @ qr
        # the inverse of a rotation rotates back
        dq, dk = dq * cos - rotate_half(dq) * sin, dk * cos - rotate_half(dk) * sin
        return dict(q=dq, k=dk, v=p.T @ g)


class MultiQueryAttention(Form):
    title, group, wrt = "Heads that share one set of keys and values, padding masked", "attention", "q k v"
    needs, ref = "SMAX MM SCAL", "Shazeer 2019"

    @staticmethod
    def make(random, h=3, t=4, s=5, d=2):
        normal = random.standard_normal
        bias = np.where(np.arange(s) < s - 1, 0.0, -1e9)
        return dict(q=normal((h, t, d)), k=normal((s, d)), v=normal((s, d)), bias=bias)

    @staticmethod
    def forward(q, k, v, bias):
        scores = np.einsum("htd,sd->hts", q, k) * q.shape[-1] ** -0.5 + bias
        weights = np.exp(scores - np.max(scores, axis=2, keepdims=True))
        weights = weights / np.sum(weights, axis=2, keepdims=True)
        return np.einsum("hts,sd->htd", weights, v)

    @staticmethod
    def expert(q, k, v, bias):
        scale = q.shape[-1] ** -0.5
        scores = np.einsum("htd,sd->hts", q, k) * scale + bias
        e = np.exp(scores - np.max(scores, axis=2, keepdims=True))
        p = e / np.sum(e, axis=2, keepdims=True)
        o = p @ v
        g = yield o
        ds = scale * (p * (g @ v.T - np.einsum("htd,htd->ht", g, o)[..., None]))
        return dict(q=ds @ k, k=np.einsum("hts,htd->sd", ds, q), v=np.einsum("hts,htd->sd", p, g))


class MemoryHops(Form):
    title, group, wrt = "End-to-end memory network, two hops with shared memories", "attention", "u m c H"
    needs, ref = "SMAX MM FACT", "Sukhbaatar et al. 2015 s.2"

    @staticmethod
    def make(random, n=3, s=4, d=2):
        normal = random.standard_normal
        return dict(u=normal((n, d)), m=normal((n, s, d)), c=normal((n, s, d)), H=normal((d, d)))

    @staticmethod
    def forward(u, m, c, H):
        for _ in range(2):
            a = np.einsum("nsd,nd->ns", m, u)
            e = np.exp(a - a.max(axis=1)[:, None])
            p = e / e.sum(axis=1)[:, None]
            u = u @ H + np.einsum("ns,nsd->nd", p, c)
        return u

    @staticmethod
    def expert(u, m, c, H):
        saved = []
        for _ in range(2):
            a = np.einsum("nsd,nd->ns", m, u)
            e = np.exp(a - a.max(axis=1)[:, None])
            p = e / e.sum(axis=1)[:, None]
            o = np.einsum("ns,nsd->nd", p, c)
            saved.append((u, p, o))
            u = u @ H + o
        g = yield u
        dms, dcs, dHs = [], [], []
        for u, p, o in reversed(saved):
            da = p * (np.einsum("nd,nsd->ns", g, c) - np.einsum("nd,nd->n", g, o)[:, None])
            dms.append(da[:, :, None] * u[:, None])
            dcs.append(p[:, :, None] * g[:, None])
            dHs.append(u.T @ g)
            g = g @ H.T + np.einsum("ns,nsd->nd", da, m)
        return dict(u=g, m=dms[0] + dms[1], c=dcs[0] + dcs[1], H=dHs[0] + dHs[1])


class ContentAddressing(Form):
    title, group, wrt = "Reading a memory by the cosine to a key, sharpened", "attention", "M k beta"
    needs, ref = "SMAX CANC MM", "Graves et al. 2014 (NTM) s.3.3.1"

    @staticmethod
    def make(random, n=5, d=3):
        return dict(M=random.standard_normal((n, d)), k=random.standard_normal(d), beta=np.array(2.0))

    @staticmethod
    def forward(M, k, beta):
        sim = M @ k / (np.sqrt(np.sum(M**2, axis=1)) * np.sqrt(np.sum(k**2)))
        w = np.exp(beta * sim)
        w = w / np.sum(w)
        return np.dot(w, M)

    @staticmethod
    def expert(M, k, beta):
        mm, kk = np.sum(M**2, axis=1), np.sum(k**2)
        norms = np.sqrt(mm) * np.sqrt(kk)
        sim = M @ k / norms
        e = np.exp(beta * sim)
        w = e / np.sum(e)
        r = w @ M
        g = yield r
        ds = w * (M @ g - r @ g)
        dbeta = ds @ sim
        ds *= beta
        a = ds / norms
        dM = np.outer(w, g) + np.outer(a, k) - M * (ds * sim / mm)[:, None]
        return dict(M=dM, k=a @ M - k * (beta * dbeta / kk), beta=dbeta)


class CoupledGateLstm(Form):
    title, group, wrt = "LSTM whose forget gate is one minus the input gate, over time", "recurrent", "W b"
    needs, ref = "SIG OUT CAT UNB", "Greff et al. 2017 (CIFG)"

    @staticmethod
    def make(random, t=3, d=2, h=3):
        normal = random.standard_normal
        return dict(
            xs=normal((t, d)), h0=normal(h), c0=normal(h), W=normal((h + d, 3 * h)), b=normal(3 * h), y=normal(h)
        )

    @staticmethod
    def forward(xs, h0, c0, W, b, y):
        h, c = h0, c0
        for x in xs:
            i, o, g = np.split(np.concatenate([h, x]) @ W + b, 3)
            i = 1 / (1 + np.exp(-i))
            o = 1 / (1 + np.exp(-o))
            c = c + i * (np.tanh(g) - c)
            h = o * np.tanh(c)
        return 0.5 * np.sum((h - y) ** 2)

    @staticmethod
    def expert(xs, h0, c0, W, b, y):
        h, c, saved, n = h0, c0, [], len(h0)
        for x in xs:
            hx = np.concatenate([h, x])
            i, o, g = np.split(hx @ W + b, 3)
            i = 1 / (1 + np.exp(-i))
            o = 1 / (1 + np.exp(-o))
            g = np.tanh(g)
            move = i * (g - c)
            c = c + move
            t = np.tanh(c)
            h = o * t
            saved.append((hx, i, o, g, move, t, h))
        dh = h - y
        yield 0.5 * np.sum(dh**2)
        dc, dzs = None, []
        for _, i, o, g, move, t, h in reversed(saved):
            through = dh * o * (1 - t**2)
            dc = through if dc is None else dc + through
            di = dc * i
            dzs.append(np.concatenate([dc * move * (1 - i), dh * h * (1 - o), di * (1 - g**2)]))
            if len(dzs) < len(xs):
                dh = W[:n] @ dzs[-1]
                dc = dc - di
        D = np.stack(dzs)
        return dict(W=np.stack([s[0] for s in reversed(saved)]).T @ D, b=D.sum(0))


class SentenceRnn(Form):
    title, group, wrt = "Many-to-one RNN with the cross-entropy of its last state", "recurrent", "Wxh Whh Why bh by"
    needs, ref = "SMAX OUT CAT MM", "Zhou 2019, An introduction to recurrent neural networks"

    @staticmethod
    def make(random, t=4, d=3, h=4, k=3):
        normal = random.standard_normal
        return dict(
            xs=normal((t, d)), label=1, Wxh=normal((h, d)), Whh=0.5 * normal((h, h)), Why=normal((k, h)), bh=normal(h),
            by=normal(k),
        )  # fmt: skip

    @staticmethod
    def forward(xs, label, Wxh, Whh, Why, bh, by):
        h = np.zeros_like(bh)
        for x in xs:
            h = np.tanh(Wxh @ x + Whh @ h + bh)
        y = Why @ h + by
        probs = np.exp(y) / sum(np.exp(y))
        return -np.log(probs[label])

    @staticmethod
    def expert(xs, label, Wxh, Whh, Why, bh, by):
        hs = [np.zeros_like(bh)]
        for x in xs:
            hs.append(np.tanh(Wxh @ x + Whh @ hs[-1] + bh))
        e = np.exp(Why @ hs[-1] + by)
        p = e / np.sum(e)
        yield -np.log(p[label])
        p[label] -= 1
        dh, ds = Why.T @ p, []
        for t in reversed(range(len(xs))):
            ds.append(dh * (1 - hs[t + 1] ** 2))
            if t:
                dh = Whh.T @ ds[-1]
        D = np.stack(ds[::-1])
        return dict(Wxh=D.T @ xs, Whh=D.T @ np.stack(hs[:-1]), Why=np.outer(p, hs[-1]), bh=D.sum(0), by=p)


class LeakyStates(Form):
    title, group, wrt = "States of leaky units over time, leak learned", "recurrent", "Wx Wh b a"
    needs, ref = "OUT CAT MM UNB", "Jaeger et al. 2007 (leaky integrators)"

    @staticmethod
    def make(random, t=3, n=2, d=3, h=4):
        normal = random.standard_normal
        return dict(xs=normal((t, n, d)), Wx=normal((d, h)), Wh=0.5 * normal((h, h)), b=normal(h), a=np.array(0.3))

    @staticmethod
    def forward(xs, Wx, Wh, b, a):
        h = np.tanh(xs[0] @ Wx + b)
        states = [h]
        for t in range(1, len(xs)):
            h = h + a * (np.tanh(xs[t] @ Wx + h @ Wh + b) - h)
            states.append(h)
        return np.stack(states)

    @staticmethod
    def expert(xs, Wx, Wh, b, a):
        h = np.tanh(xs[0] @ Wx + b)
        hs, us, steps = [h], [h], [None]
        for t in range(1, len(xs)):
            us.append(np.tanh(xs[t] @ Wx + h @ Wh + b))
            steps.append(us[-1] - h)
            h = h + a * steps[-1]
            hs.append(h)
        g = yield np.stack(hs)
        dh, da, ds = g[-1], 0, []
        for t in reversed(range(1, len(xs))):
            da = da + np.vdot(dh, steps[t])
            adh = a * dh
            ds.append(adh * (1 - us[t] ** 2))
            dh = g[t - 1] + (dh - adh + ds[-1] @ Wh.T)
        ds.append(dh * (1 - us[0] ** 2))
        D = np.stack(ds[::-1])
        h = D.shape[-1]
        dWh = np.stack(hs[:-1]).reshape(-1, h).T @ D[1:].reshape(-1, h)
        D = D.reshape(-1, h)
        return dict(Wx=xs.reshape(len(D), -1).T @ D, Wh=dWh, b=D.sum(0), a=da)
