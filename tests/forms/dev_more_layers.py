"""Layers as courses and repositories write them, small named steps and all."""

import numpy as np

from tests.forms.form import Form


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


class BatchNormByNodes(Form):
    title, group = "Batch normalisation, one node of the graph a line", "norm"
    wrt = "x gamma beta"
    needs = "MEAN0 FACT UNB"
    ref = "CS231n assignment 2, batchnorm_forward; Ioffe & Szegedy 2015"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((6, 4)), gamma=normal(4), beta=normal(4), eps=1e-5)

    @staticmethod
    def forward(x, gamma, beta, eps):
        N, D = x.shape
        mu = 1.0 / N * np.sum(x, axis=0)
        xmu = x - mu
        sq = xmu**2
        var = 1.0 / N * np.sum(sq, axis=0)
        sqrtvar = np.sqrt(var + eps)
        ivar = 1.0 / sqrtvar
        xhat = xmu * ivar
        gammax = gamma * xhat
        return gammax + beta

    @staticmethod
    def expert(x, gamma, beta, eps):
        N, D = x.shape
        mu = 1.0 / N * np.sum(x, axis=0)
        xmu = x - mu
        var = 1.0 / N * np.sum(xmu**2, axis=0)
        ivar = 1.0 / np.sqrt(var + eps)
        xhat = xmu * ivar
        g = yield gamma * xhat + beta
        db = g.sum(axis=0)
        dg = (g * xhat).sum(axis=0)
        dx = gamma * ivar / N * (N * g - db - xhat * dg)
        return dict(x=dx, gamma=dg, beta=db)


class LayerNormByNodes(Form):
    title, group = "Layer normalisation of rows by transposing, one node a line", "norm"
    wrt = "x gamma beta"
    needs = "MEAN0 FACT UNB"
    ref = "CS231n assignment 2, layernorm_forward; Ba et al. 2016"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 4)), gamma=normal(4), beta=normal(4), eps=1e-5)

    @staticmethod
    def forward(x, gamma, beta, eps):
        xT = x.T
        mu = np.mean(xT, axis=0)
        xmu = xT - mu
        var = np.mean(xmu**2, axis=0)
        std = np.sqrt(var + eps)
        xhat = (xmu / std).T
        return gamma * xhat + beta

    @staticmethod
    def expert(x, gamma, beta, eps):
        xT = x.T
        mu = np.mean(xT, axis=0)
        xmu = xT - mu
        var = np.mean(xmu**2, axis=0)
        std = np.sqrt(var + eps)
        xhat = (xmu / std).T
        g = yield gamma * xhat + beta
        gx = g * xhat
        d = g * gamma
        dx = (d - d.mean(axis=1)[:, None] - xhat * (gx @ gamma / len(gamma))[:, None]) / std[:, None]
        return dict(x=dx, gamma=gx.sum(axis=0), beta=g.sum(axis=0))


class CausalHeads(Form):
    title, group = "Multi-head causal attention by reshape and transpose, scores masked by -1e9", "attention"
    wrt = "X Wq Wk Wv Wo"
    needs = "SMAX MASK SCAL MM"
    ref = "CS231n assignment 3, MultiHeadAttention; Karpathy, minGPT model.py"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            X=normal((2, 4, 6)), Wq=normal((6, 6)), Wk=normal((6, 6)), Wv=normal((6, 6)), Wo=normal((6, 6)), heads=2
        )

    @staticmethod
    def forward(X, Wq, Wk, Wv, Wo, heads):
        B, T, D = X.shape
        q = (X @ Wq).reshape(B, T, heads, D // heads).transpose(0, 2, 1, 3)
        k = (X @ Wk).reshape(B, T, heads, D // heads).transpose(0, 2, 1, 3)
        v = (X @ Wv).reshape(B, T, heads, D // heads).transpose(0, 2, 1, 3)
        scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(D // heads)
        scores = np.where(np.tril(np.ones((T, T))) == 0, -1e9, scores)
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
        y = (p @ v).transpose(0, 2, 1, 3).reshape(B, T, D)
        return y @ Wo

    @staticmethod
    def expert(X, Wq, Wk, Wv, Wo, heads):
        B, T, D = X.shape
        q = (X @ Wq).reshape(B, T, heads, D // heads).transpose(0, 2, 1, 3)
        k = (X @ Wk).reshape(B, T, heads, D // heads).transpose(0, 2, 1, 3)
        v = (X @ Wv).reshape(B, T, heads, D // heads).transpose(0, 2, 1, 3)
        scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(D // heads)
        scores = np.where(np.tril(np.ones((T, T))) == 0, -1e9, scores)
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
        y = (p @ v).transpose(0, 2, 1, 3).reshape(B, T, D)
        g = yield y @ Wo
        flat = X.reshape(-1, D)
        dy = (g @ Wo.T).reshape(B, T, heads, D // heads).transpose(0, 2, 1, 3)
        dp = dy @ v.transpose(0, 1, 3, 2)
        ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) / np.sqrt(D // heads)
        # Three copies are made by reshape, which count as views here.
        dq, dk, dv = (
            (a.transpose(0, 2, 1, 3).reshape(-1, D))
            for a in (ds @ k, ds.transpose(0, 1, 3, 2) @ q, p.transpose(0, 1, 3, 2) @ dy)
        )
        dX = (dq @ Wq.T + dk @ Wk.T + dv @ Wv.T).reshape(X.shape)
        return dict(X=dX, Wq=flat.T @ dq, Wk=flat.T @ dk, Wv=flat.T @ dv, Wo=y.reshape(-1, D).T @ g.reshape(-1, D))


class BatchedEinsumAttention(Form):
    title, group = "Attention of keys and values per batch by einsum, softmax over keys", "attention"
    wrt = "q k v"
    needs = "SMAX SCAL MM"
    ref = "Vaswani et al. 2017 eq. 1; Shazeer 2019"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(q=normal((2, 3, 4)), k=normal((2, 5, 4)), v=normal((2, 5, 3)))

    @staticmethod
    def forward(q, k, v):
        s = np.einsum("bqd,bkd->bqk", q, k) / np.sqrt(q.shape[-1])
        w = np.exp(s - np.max(s, axis=-1, keepdims=True))
        w = w / np.sum(w, axis=-1, keepdims=True)
        return np.einsum("bqk,bkd->bqd", w, v)

    @staticmethod
    def expert(q, k, v):
        s = np.einsum("bqd,bkd->bqk", q, k) / np.sqrt(q.shape[-1])
        w = np.exp(s - np.max(s, axis=-1, keepdims=True))
        w = w / np.sum(w, axis=-1, keepdims=True)
        g = yield np.einsum("bqk,bkd->bqd", w, v)
        dw = np.einsum("bqd,bkd->bqk", g, v)
        ds = w * (dw - np.sum(dw * w, axis=-1, keepdims=True)) / np.sqrt(q.shape[-1])
        return dict(
            q=np.einsum("bqk,bkd->bqd", ds, k), k=np.einsum("bqk,bqd->bkd", ds, q), v=np.einsum("bqk,bqd->bkd", w, g)
        )


class TensorBilinear(Form):
    title, group = "Neural tensor layer by einsum, tanh, and a linear score", "tensor"
    wrt = "a b W V u"
    needs = "OUT MM UNB"
    ref = "Socher et al. 2013 eq. 1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(a=normal((5, 3)), b=normal((5, 3)), W=normal((3, 3, 4)), V=normal((6, 4)), u=normal(4))

    @staticmethod
    def forward(a, b, W, V, u):
        m = np.einsum("ni,ijk->njk", a, W)
        h = np.tanh(np.einsum("njk,nj->nk", m, b) + np.concatenate([a, b], axis=1) @ V)
        return h @ u

    @staticmethod
    def expert(a, b, W, V, u):
        m = np.einsum("ni,ijk->njk", a, W)
        ab = np.concatenate([a, b], axis=1)
        h = np.tanh(np.einsum("njk,nj->nk", m, b) + ab @ V)
        g = yield h @ u
        d = g[:, None] * u * (1 - h**2)
        dab = d @ V.T
        dm = np.einsum("nk,nj->njk", d, b)
        return dict(
            a=dab[:, :3] + np.einsum("njk,ijk->ni", dm, W),
            b=dab[:, 3:] + np.einsum("njk,nk->nj", m, d),
            W=np.einsum("ni,njk->ijk", a, dm),
            V=ab.T @ d,
            u=g @ h,
        )


class FeedForwardDropout(Form):
    title, group = "Post-norm feed-forward block with dropout masks given, GELU by tanh", "norm"
    wrt = "x W1 b1 W2 b2 gain"
    needs = "MEAN0 OUT FACT MM UNB"
    ref = "Vaswani et al. 2017 s.3.3; Devlin et al. 2019"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            x=normal((5, 4)),
            W1=normal((4, 6)),
            b1=normal(6),
            W2=normal((6, 4)),
            b2=normal(4),
            gain=normal(4),
            keep=(random.random((5, 4)) < 0.8) / 0.8,
        )

    @staticmethod
    def forward(x, W1, b1, W2, b2, gain, keep):
        h = np.maximum(x @ W1 + b1, 0)
        r = x + (h @ W2 + b2) * keep
        mean = r.mean(axis=-1, keepdims=True)
        var = ((r - mean) ** 2).mean(axis=-1, keepdims=True)
        return (r - mean) / np.sqrt(var + 1e-5) * gain

    @staticmethod
    def expert(x, W1, b1, W2, b2, gain, keep):
        h = np.maximum(x @ W1 + b1, 0)
        r = x + (h @ W2 + b2) * keep
        mean = r.mean(axis=-1, keepdims=True)
        c = r - mean
        var = (c**2).mean(axis=-1, keepdims=True)
        std = np.sqrt(var + 1e-5)
        n = c / std
        g = yield n * gain
        gn = g * n
        d = g * gain
        dr = (d - d.mean(axis=-1, keepdims=True) - n * (gn @ gain / len(gain))[:, None]) / std
        do = dr * keep
        dh = (do @ W2.T) * (h > 0)
        return dict(x=dr + dh @ W1.T, W1=x.T @ dh, b1=dh.sum(0), W2=h.T @ do, b2=do.sum(0), gain=gn.sum(0))


class GraphAttention(Form):
    title, group = "One head of graph attention, leaky ReLU scores masked by an adjacency matrix", "attention"
    wrt = "H W a1 a2"
    needs = "SMAX MASK MM"
    ref = "Velickovic et al. 2018 eq. 1-4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        A = (random.random((5, 5)) < 0.5) | np.eye(5, dtype=bool)
        return dict(H=normal((5, 3)), W=normal((3, 4)), a1=normal(4), a2=normal(4), A=A)

    @staticmethod
    def forward(H, W, a1, a2, A):
        Z = H @ W
        s = (Z @ a1)[:, None] + (Z @ a2)[None, :]
        s = np.where(s > 0, s, 0.2 * s)
        s = np.where(A, s, -np.inf)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        P = e / e.sum(axis=1, keepdims=True)
        return P @ Z

    @staticmethod
    def expert(H, W, a1, a2, A):
        Z = H @ W
        raw = (Z @ a1)[:, None] + (Z @ a2)[None, :]
        up = raw > 0
        s = np.where(A, np.where(up, raw, 0.2 * raw), -np.inf)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        P = e / e.sum(axis=1, keepdims=True)
        g = yield P @ Z
        dP = g @ Z.T
        ds = P * (dP - (dP * P).sum(axis=1, keepdims=True))
        ds = np.where(up, ds, 0.2 * ds)
        d1, d2 = ds.sum(axis=1), ds.sum(axis=0)
        dZ = P.T @ g + np.outer(d1, a1) + np.outer(d2, a2)
        return dict(H=dZ @ W.T, W=H.T @ dZ, a1=d1 @ Z, a2=d2 @ Z)


class GatedRecurrentSequence(Form):
    title, group = "GRU over time, the last state read out by a linear layer, squared error", "recurrent"
    wrt = "Wz Wr Wn v"
    needs = "OUT SIG FACT MM"
    ref = "Cho et al. 2014 eq. 5-8; Appleyard et al. 2016"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            x=normal((4, 3, 2)), y=normal(3), Wz=normal((5, 3)), Wr=normal((5, 3)), Wn=normal((5, 3)), v=normal(3)
        )

    @staticmethod
    def forward(x, y, Wz, Wr, Wn, v):
        h = np.zeros((x.shape[1], len(v)))
        for xt in x:
            xh = np.concatenate([xt, h], axis=1)
            z = sigmoid(xh @ Wz)
            r = sigmoid(xh @ Wr)
            n = np.tanh(np.concatenate([xt, r * h], axis=1) @ Wn)
            h = (1 - z) * h + z * n
        return np.mean((h @ v - y) ** 2)

    @staticmethod
    def expert(x, y, Wz, Wr, Wn, v):
        h = np.zeros((x.shape[1], len(v)))
        kept = []
        for xt in x:
            xh = np.concatenate([xt, h], axis=1)
            z = sigmoid(xh @ Wz)
            r = sigmoid(xh @ Wr)
            xr = np.concatenate([xt, r * h], axis=1)
            n = np.tanh(xr @ Wn)
            rest = 1 - z
            zn = z * n
            kept.append((xh, xr, h, z, r, n, rest, zn))
            h = rest * h + zn
        error = h @ v - y
        yield np.mean(error**2)
        dy = 2 / len(y) * error
        dv = dy @ h
        dh = np.outer(dy, v)
        D = x.shape[2]
        dzs, drs, dns = [], [], []
        for _, _, h, z, r, n, rest, zn in kept[::-1]:
            # d n z (1 - n**2) before the tanh; d (n - h) z (1 - z) before the gate
            da = dh * (z - zn * n)
            back = (da @ Wn[D:].T) * r
            dr = back * h * (1 - r)
            dz = dh * (n - h) * z * rest
            dzs.append(dz)
            drs.append(dr)
            dns.append(da)
            dh = dh * rest + back + dz @ Wz[D:].T + dr @ Wr[D:].T
        XH = np.concatenate([k[0] for k in kept[::-1]])
        XR = np.concatenate([k[1] for k in kept[::-1]])
        return dict(Wz=XH.T @ np.concatenate(dzs), Wr=XH.T @ np.concatenate(drs), Wn=XR.T @ np.concatenate(dns), v=dv)


class MixerBlock(Form):
    title, group = "MLP-Mixer: tokens mixed by one ReLU layer, channels by another, both with residuals", "dense"
    wrt = "X W1 W2 V1 V2"
    needs = "MASK MM"
    ref = "Tolstikhin et al. 2021 eq. 1, without the norms"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((2, 4, 3)), W1=normal((4, 5)), W2=normal((5, 4)), V1=normal((3, 6)), V2=normal((6, 3)))

    @staticmethod
    def forward(X, W1, W2, V1, V2):
        U = X + (np.maximum(X.transpose(0, 2, 1) @ W1, 0) @ W2).transpose(0, 2, 1)
        return U + np.maximum(U @ V1, 0) @ V2

    @staticmethod
    def expert(X, W1, W2, V1, V2):
        XT = X.transpose(0, 2, 1)
        A = np.maximum(XT @ W1, 0)
        U = X + (A @ W2).transpose(0, 2, 1)
        C = np.maximum(U @ V1, 0)
        g = yield U + C @ V2

        def flat(a):
            return a.reshape(-1, a.shape[-1])

        dC = (g @ V2.T) * (C > 0)
        dU = g + dC @ V1.T
        dUT = dU.transpose(0, 2, 1)
        dA = (dUT @ W2.T) * (A > 0)
        return dict(
            X=dU + (dA @ W1.T).transpose(0, 2, 1),
            W1=flat(XT).T @ flat(dA),
            W2=flat(A).T @ flat(dUT),
            V1=flat(U).T @ flat(dC),
            V2=flat(C).T @ flat(g),
        )


class ReprojectionError(Form):
    title, group = "Bundle adjustment of points and a camera centre: robust reprojection error", "geometry"
    wrt = "P t"
    needs = "SCAL CANC FACT UNB"
    ref = "Hartley & Zisserman 2004 ch. 18; Triggs et al. 2000 (pseudo-Huber)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        R, _ = np.linalg.qr(normal((3, 3)))
        return dict(P=normal((6, 3)), t=np.array([0.1, -0.2, 6.0]), R=R, obs=normal((6, 2)), f=1.5)

    @staticmethod
    def forward(P, t, R, obs, f):
        C = P @ R.T + t
        uv = f * C[:, :2] / C[:, 2:]
        r = uv - obs
        s = np.sqrt(1 + np.sum(r**2, axis=1))
        return np.sum(s - 1)

    @staticmethod
    def expert(P, t, R, obs, f):
        C = P @ R.T + t
        depth = C[:, 2:]
        uv = f * C[:, :2] / depth
        r = uv - obs
        s = np.sqrt(1 + np.sum(r**2, axis=1))
        yield np.sum(s - 1)
        d = r / (s[:, None] * depth)
        dC = np.concatenate([f * d, -np.sum(d * uv, axis=1, keepdims=True)], axis=1)
        return dict(P=dC @ R, t=dC.sum(axis=0))


class KernelRidgeLengthscale(Form):
    title, group = "Leave-in loss of kernel ridge regression on a validation set, learned length scale", "kernels"
    wrt = "X ell"
    needs = "SYM SCAL MM"
    ref = "Rasmussen & Williams 2006 s.2.2; Giles 2008 s.2.3.1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((5, 2)), y=normal(5), Xv=normal((4, 2)), yv=normal(4), ell=1.3, lam=0.2)

    @staticmethod
    def forward(X, y, Xv, yv, ell, lam):
        D = np.sum((X[:, None] - X[None]) ** 2, axis=2)
        K = np.exp(-D / (2 * ell**2))
        alpha = np.linalg.solve(K + lam * np.eye(len(X)), y)
        Dv = np.sum((Xv[:, None] - X[None]) ** 2, axis=2)
        Kv = np.exp(-Dv / (2 * ell**2))
        return np.mean((Kv @ alpha - yv) ** 2)

    @staticmethod
    def expert(X, y, Xv, yv, ell, lam):
        diff = X[:, None] - X[None]
        D = np.sum(diff**2, axis=2)
        K = np.exp(-D / (2 * ell**2))
        A = K + lam * np.eye(len(X))
        alpha = np.linalg.solve(A, y)
        diffv = Xv[:, None] - X[None]
        Dv = np.sum(diffv**2, axis=2)
        Kv = np.exp(-Dv / (2 * ell**2))
        error = Kv @ alpha - yv
        yield np.mean(error**2)
        e = 2 / len(yv) * error
        beta = np.linalg.solve(A, e @ Kv)
        G = np.outer(beta, alpha) * K  # minus the gradient of the exponent of K
        Gv = np.outer(e, alpha) * Kv
        dell = (np.vdot(Gv, Dv) - np.vdot(G, D)) / ell**3
        S = G + G.T
        dX = (np.einsum("ij,ijd->id", S, diff) + np.einsum("ij,ijd->jd", Gv, diffv)) / ell**2
        return dict(X=dX, ell=dell)


class PolynomialFeatures(Form):
    title, group = "Polynomial regression of third degree, one coefficient at a time", "regression"
    wrt = "a b c d"
    needs = "SCAL"
    ref = "Johnson, learning by examples (PyTorch tutorial, warm-up in NumPy)"

    @staticmethod
    def make(random):
        return dict(x=np.linspace(-3, 3, 9), y=np.sin(np.linspace(-3, 3, 9)), a=0.1, b=0.5, c=-0.2, d=0.3)

    @staticmethod
    def forward(x, y, a, b, c, d):
        y_pred = a + b * x + c * x**2 + d * x**3
        return np.square(y_pred - y).sum()

    @staticmethod
    def expert(x, y, a, b, c, d):
        x2 = x**2
        x3 = x**3
        error = a + b * x + c * x2 + d * x3 - y
        yield np.square(error).sum()
        g = 2 * error
        return dict(a=g.sum(), b=(g * x).sum(), c=(g * x2).sum(), d=(g * x3).sum())
