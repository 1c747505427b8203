"""Layers and attention variants of neural networks."""

import numpy as np
from scipy.special import erf

from tests.forms.form import Form


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class AlibiAttention(Form):
    title, group = "Causal attention of several heads with linear biases", "attention"
    wrt = "q k v"
    needs = "SMAX SCAL MM"
    ref = "Press et al. 2022; Dao et al. 2022, appendix B.2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(q=normal((2, 4, 3)), k=normal((2, 4, 3)), v=normal((2, 4, 3)), slopes=np.array([0.5, 0.25]))

    @staticmethod
    def forward(q, k, v, slopes):
        T, d = q.shape[1:]
        i = np.arange(T)
        bias = slopes[:, None, None] * (i[None, :] - i[:, None])
        s = q @ k.transpose(0, 2, 1) / np.sqrt(d) + bias
        s = np.where(i[None, :] > i[:, None], -np.inf, s)
        return softmax(s) @ v

    @staticmethod
    def expert(q, k, v, slopes):
        T, d = q.shape[1:]
        i = np.arange(T)
        bias = slopes[:, None, None] * (i[None, :] - i[:, None])
        s = q @ k.transpose(0, 2, 1) / np.sqrt(d) + bias
        s = np.where(i[None, :] > i[:, None], -np.inf, s)
        p = softmax(s)
        g = yield p @ v
        dp = g @ v.transpose(0, 2, 1)
        ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) / np.sqrt(d)
        return dict(q=ds @ k, k=ds.transpose(0, 2, 1) @ q, v=p.transpose(0, 2, 1) @ g)


class LinearAttention(Form):
    title, group = "Linear attention with the feature map elu(x) + 1", "attention"
    wrt = "q k v"
    needs = "MASK FACT MM"
    ref = "Katharopoulos et al. 2020 eq. 5-7"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(q=normal((5, 3)), k=normal((6, 3)), v=normal((6, 4)))

    @staticmethod
    def forward(q, k, v):
        Q = np.where(q > 0, q + 1, np.exp(q))
        K = np.where(k > 0, k + 1, np.exp(k))
        KV = K.T @ v
        z = Q @ K.sum(axis=0)
        return Q @ KV / z[:, None]

    @staticmethod
    def expert(q, k, v):
        eq, ek = np.exp(q), np.exp(k)
        up_q, up_k = q > 0, k > 0
        Q = np.where(up_q, q + 1, eq)
        K = np.where(up_k, k + 1, ek)
        KV = K.T @ v
        total = K.sum(axis=0)
        z = (Q @ total)[:, None]
        y = Q @ KV / z
        g = yield y
        gz = g / z
        dz = -(gz * y).sum(axis=1)
        dQ = gz @ KV.T + np.outer(dz, total)
        dKV = Q.T @ gz
        dK = v @ dKV.T + dz @ Q
        return dict(q=dQ * np.where(up_q, 1, eq), k=dK * np.where(up_k, 1, ek), v=K @ dKV)


class RelativeAttention(Form):
    title, group = "Attention with relative position embeddings of keys", "attention"
    wrt = "q k v R"
    needs = "SMAX SCAT SCAL MM"
    ref = "Shaw et al. 2018 eq. 5"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(q=normal((4, 3)), k=normal((4, 3)), v=normal((4, 3)), R=normal((7, 3)))

    @staticmethod
    def forward(q, k, v, R):
        T, d = q.shape
        rel = R[np.arange(T)[None, :] - np.arange(T)[:, None] + T - 1]
        s = (q @ k.T + np.einsum("id,ijd->ij", q, rel)) / np.sqrt(d)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return p @ v

    @staticmethod
    def expert(q, k, v, R):
        T, d = q.shape
        distance = np.arange(T)[None, :] - np.arange(T)[:, None] + T - 1
        rel = R[distance]
        s = (q @ k.T + np.einsum("id,ijd->ij", q, rel)) / np.sqrt(d)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        g = yield p @ v
        dp = g @ v.T
        ds = p * (dp - (dp * p).sum(axis=1, keepdims=True)) / np.sqrt(d)
        dR = np.zeros_like(R)
        np.add.at(dR, distance, ds[:, :, None] * q[:, None, :])
        return dict(q=ds @ k + np.einsum("ij,ijd->id", ds, rel), k=ds.T @ q, v=p.T @ g, R=dR)


class CosineAttention(Form):
    title, group = "Attention of normalised queries and keys with a learned temperature", "attention"
    wrt = "q k v log_tau"
    needs = "SMAX CANC FACT MM"
    ref = "Liu et al. 2022 (Swin v2) eq. 2; Henry et al. 2020"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(q=normal((4, 3)), k=normal((5, 3)), v=normal((5, 2)), log_tau=0.3)

    @staticmethod
    def forward(q, k, v, log_tau):
        qn = q / np.linalg.norm(q, axis=-1, keepdims=True)
        kn = k / np.linalg.norm(k, axis=-1, keepdims=True)
        s = np.exp(log_tau) * (qn @ kn.T)
        return softmax(s) @ v

    @staticmethod
    def expert(q, k, v, log_tau):
        nq = np.linalg.norm(q, axis=-1, keepdims=True)
        nk = np.linalg.norm(k, axis=-1, keepdims=True)
        qn, kn = q / nq, k / nk
        tau = np.exp(log_tau)
        s = tau * (qn @ kn.T)
        p = softmax(s)
        g = yield p @ v
        dp = g @ v.T
        ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True))
        dss = ds * s
        rows = dss.sum(axis=1)
        dq = ((tau * ds) @ kn - qn * rows[:, None]) / nq
        dk = ((tau * ds).T @ qn - kn * dss.sum(axis=0)[:, None]) / nk
        return dict(q=dq, k=dk, v=p.T @ g, log_tau=rows.sum())


class GeGlu(Form):
    title, group = "GEGLU feed-forward layer, the Gaussian by the error function", "gate"
    wrt = "x W V W2"
    needs = "OUT MM"
    ref = "Shazeer 2020 eq. 6"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 3)), W=normal((3, 4)), V=normal((3, 4)), W2=normal((4, 3)))

    @staticmethod
    def forward(x, W, V, W2):
        a = x @ W
        gelu = 0.5 * a * (1 + erf(a / np.sqrt(2)))
        return (gelu * (x @ V)) @ W2

    @staticmethod
    def expert(x, W, V, W2):
        a = x @ W
        b = x @ V
        Phi = 0.5 * (1 + erf(a / np.sqrt(2)))
        gelu = a * Phi
        h = gelu * b
        g = yield h @ W2
        dh = g @ W2.T
        db = dh * gelu
        slope = Phi + a * np.exp(-0.5 * a**2) / np.sqrt(2 * np.pi)
        da = dh * b * slope
        return dict(x=da @ W.T + db @ V.T, W=x.T @ da, V=x.T @ db, W2=h.T @ g)


class SwitchRouting(Form):
    title, group = "Top-1 mixture of experts scaled by the gate, with a load-balancing loss", "gate"
    wrt = "x G W"
    needs = "SMAX SCAT MM"
    ref = "Fedus et al. 2022 eq. 1-6"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((6, 3)), t=normal((6, 2)), G=normal((3, 4)), W=normal((4, 3, 2)), alpha=0.1)

    @staticmethod
    def forward(x, t, G, W, alpha):
        n, E = len(x), G.shape[1]
        p = softmax(x @ G)
        choice = p.argmax(axis=1)
        gate = p[np.arange(n), choice]
        y = gate[:, None] * np.einsum("nd,ndo->no", x, W[choice])
        load = (choice[:, None] == np.arange(E)).mean(axis=0)
        balance = E * np.sum(load * p.mean(axis=0))
        return np.mean((y - t) ** 2) + alpha * balance

    @staticmethod
    def expert(x, t, G, W, alpha):
        n, E = len(x), G.shape[1]
        p = softmax(x @ G)
        choice = p.argmax(axis=1)
        rows = np.arange(n)
        gate = p[rows, choice][:, None]
        chosen = W[choice]
        out = np.einsum("nd,ndo->no", x, chosen)
        load = (choice[:, None] == np.arange(E)).mean(axis=0)
        error = gate * out - t
        yield np.mean(error**2) + alpha * E * np.sum(load * p.mean(axis=0))
        d = (2 / error.size) * error
        dout = d * gate
        dp = np.tile((alpha * E / n) * load, (n, 1))
        dp[rows, choice] += np.sum(d * out, axis=1)
        ds = p * (dp - (dp * p).sum(axis=1, keepdims=True))
        dW = np.zeros_like(W)
        np.add.at(dW, choice, x[:, :, None] * dout[:, None, :])
        return dict(x=ds @ G.T + np.einsum("no,ndo->nd", dout, chosen), G=x.T @ ds, W=dW)


class WeightStandardisation(Form):
    title, group = "Linear layer with standardised weights and a gain", "norm"
    wrt = "x W gain b"
    needs = "MEAN0 FACT MM UNB"
    ref = "Qiao et al. 2019 eq. 5-7; Brock et al. 2021"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 4)), W=normal((4, 3)), gain=normal(3), b=normal(3))

    @staticmethod
    def forward(x, W, gain, b):
        fan_in = W.shape[0]
        mean = W.mean(axis=0)
        var = W.var(axis=0)
        scale = gain / np.sqrt(var * fan_in + 1e-4)
        return x @ ((W - mean) * scale) + b

    @staticmethod
    def expert(x, W, gain, b):
        fan_in = W.shape[0]
        mean = W.mean(axis=0)
        C = W - mean
        std = np.sqrt(W.var(axis=0) * fan_in + 1e-4)
        scale = gain / std
        What = C * scale
        g = yield x @ What + b
        dWhat = x.T @ g
        # rows: the sum over the fan-in of dWhat * C
        t = (dWhat * C).sum(axis=0) / std
        D = dWhat - C * (t / std)
        return dict(x=g @ What.T, W=scale * (D - dWhat.mean(axis=0)), gain=t, b=g.sum(axis=0))


class LocalResponse(Form):
    title, group = "Divisive normalisation by a pool of channels", "norm"
    wrt = "x A"
    needs = "OUT CANC FACT MM"
    ref = "Krizhevsky et al. 2012 s.3.3; Balle et al. 2016 (GDN) eq. 4"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((5, 4)), A=random.random((4, 4)))

    @staticmethod
    def forward(x, A):
        norm = (1 + x**2 @ A) ** 0.75
        return x / norm

    @staticmethod
    def expert(x, A):
        x2 = x**2
        s = 1 + x2 @ A
        norm = s**0.75
        g = yield x / norm
        gn = g / norm
        ds = -0.75 * gn * x / s
        return dict(x=gn + 2 * x * (ds @ A.T), A=x2.T @ ds)


class FilterResponse(Form):
    title, group = "Filter response normalisation with a thresholded unit", "norm"
    wrt = "x gamma beta tau"
    needs = "MASK FACT UNB"
    ref = "Singh & Krishnan 2020 eq. 1-4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        shape = (1, 3, 1, 1)
        return dict(x=normal((2, 3, 3, 3)), gamma=normal(shape), beta=normal(shape), tau=normal(shape))

    @staticmethod
    def forward(x, gamma, beta, tau):
        nu2 = np.mean(x**2, axis=(2, 3), keepdims=True)
        xhat = x / np.sqrt(nu2 + 1e-6)
        return np.maximum(gamma * xhat + beta, tau)

    @staticmethod
    def expert(x, gamma, beta, tau):
        nu2 = np.mean(x**2, axis=(2, 3), keepdims=True)
        std = np.sqrt(nu2 + 1e-6)
        xhat = x / std
        y = gamma * xhat + beta
        g = yield np.maximum(y, tau)
        gy = g * (y > tau)
        axes = (0, 2, 3)
        gx = gy * xhat
        dbeta = gy.sum(axis=axes, keepdims=True)
        dx = (gamma / std) * (gy - xhat * gx.mean(axis=(2, 3), keepdims=True))
        return dict(
            x=dx, gamma=gx.sum(axis=axes, keepdims=True), beta=dbeta, tau=g.sum(axis=axes, keepdims=True) - dbeta
        )


class NormFace(Form):
    title, group = "Cosine classifier with a scale and an additive margin, cross-entropy", "softmax"
    wrt = "x W"
    needs = "SMAX CANC SCAT MM"
    ref = "Wang et al. 2018 (CosFace) eq. 4; Wang et al. 2017 (NormFace) eq. 13"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 3)), W=normal((3, 4)), labels=np.array([0, 3, 1, 1, 2]), s=4.0, m=0.2)

    @staticmethod
    def forward(x, W, labels, s, m):
        n = len(labels)
        xn = x / np.linalg.norm(x, axis=1, keepdims=True)
        Wn = W / np.linalg.norm(W, axis=0, keepdims=True)
        logits = s * (xn @ Wn - m * (labels[:, None] == np.arange(W.shape[1])))
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -log_p[np.arange(n), labels].mean()

    @staticmethod
    def expert(x, W, labels, s, m):
        n = len(labels)
        nx = np.linalg.norm(x, axis=1, keepdims=True)
        nW = np.linalg.norm(W, axis=0, keepdims=True)
        xn, Wn = x / nx, W / nW
        c = xn @ Wn
        logits = s * (c - m * (labels[:, None] == np.arange(W.shape[1])))
        z = logits - logits.max(axis=1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        rows = np.arange(n)
        yield -(z - np.log(total))[rows, labels].mean()
        d = e * (s / (n * total))
        d[rows, labels] -= s / n
        dc = d * c
        dx = (d @ Wn.T - xn * dc.sum(axis=1, keepdims=True)) / nx
        dW = (xn.T @ d - Wn * dc.sum(axis=0)) / nW
        return dict(x=dx, W=dW)


class Maxout(Form):
    title, group = "Maxout layer of two linear pieces, if no ties", "dense"
    wrt = "x W1 b1 W2 b2"
    needs = "MASK MM"
    assumes = "no ties (else the tie rule decides)"
    assume = {"x": "no_ties"}
    ref = "Goodfellow et al. 2013"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 3)), W1=normal((3, 4)), b1=normal(4), W2=normal((3, 4)), b2=normal(4))

    @staticmethod
    def forward(x, W1, b1, W2, b2):
        return np.maximum(x @ W1 + b1, x @ W2 + b2)

    @staticmethod
    def expert(x, W1, b1, W2, b2):
        a = x @ W1 + b1
        b = x @ W2 + b2
        g = yield np.maximum(a, b)
        ga = g * (a > b)
        gb = g - ga
        return dict(x=ga @ W1.T + gb @ W2.T, W1=x.T @ ga, b1=ga.sum(axis=0), W2=x.T @ gb, b2=gb.sum(axis=0))


class CapsuleSquash(Form):
    title, group = "Squashing of capsules", "activation"
    wrt = "s"
    needs = "FACT CANC"
    ref = "Sabour et al. 2017 eq. 1"

    @staticmethod
    def make(random):
        return dict(s=random.standard_normal((4, 3)))

    @staticmethod
    def forward(s):
        n2 = np.sum(s**2, axis=1, keepdims=True)
        return n2 / (1 + n2) * s / np.sqrt(n2)

    @staticmethod
    def expert(s):
        n2 = np.sum(s**2, axis=1, keepdims=True)
        one = 1 + n2
        n = np.sqrt(n2)
        v = n2 / one * s / n
        g = yield v
        # v = s f(n), f = n / (1 + n2), f' / n = (1 - n2) / (n (1 + n2)**2)
        inner = (g * s).sum(axis=1, keepdims=True)
        return dict(s=(n * g + (1 - n2) / (n * one) * inner * s) / one)


class PRelu(Form):
    title, group = "Dense layer with a parametric ReLU, one slope for each unit", "activation"
    wrt = "x W b a"
    needs = "MASK UNB MM"
    ref = "He et al. 2015 eq. 2-4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 3)), W=normal((3, 4)), b=normal(4), a=random.random(4))

    @staticmethod
    def forward(x, W, b, a):
        z = x @ W + b
        return np.maximum(z, 0) + a * np.minimum(z, 0)

    @staticmethod
    def expert(x, W, b, a):
        z = x @ W + b
        low = np.minimum(z, 0)
        g = yield np.maximum(z, 0) + a * low
        dz = g * np.where(z > 0, 1, a)
        return dict(x=dz @ W.T, W=x.T @ dz, b=dz.sum(axis=0), a=(g * low).sum(axis=0))


class Selu(Form):
    title, group = "Scaled exponential linear unit of a dense layer", "activation"
    wrt = "x W b"
    needs = "MASK MM"
    ref = "Klambauer et al. 2017 eq. 2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 3)), W=normal((3, 4)), b=normal(4))

    @staticmethod
    def forward(x, W, b):
        z = x @ W + b
        return 1.0507 * np.where(z > 0, z, 1.67326 * (np.exp(z) - 1))

    @staticmethod
    def expert(x, W, b):
        z = x @ W + b
        e = np.exp(z)
        up = z > 0
        g = yield 1.0507 * np.where(up, z, 1.67326 * (e - 1))
        dz = g * np.where(up, 1.0507, (1.0507 * 1.67326) * e)
        return dict(x=dz @ W.T, W=x.T @ dz, b=dz.sum(axis=0))


class LearnedSwish(Form):
    title, group = "Swish with a learned slope", "activation"
    wrt = "x beta"
    needs = "SIG FACT UNB"
    ref = "Ramachandran et al. 2017 s.5"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((5, 3)), beta=random.random(3) + 0.5)

    @staticmethod
    def forward(x, beta):
        return x / (1 + np.exp(-beta * x))

    @staticmethod
    def expert(x, beta):
        z = beta * x
        u = 1 + np.exp(-z)
        y = x / u
        g = yield y
        # y (1 - s), which both share
        t = g * (y - y / u)
        return dict(x=g / u + t * beta, beta=(t * x).sum(axis=0))


class AttentionPooling(Form):
    title, group = "Gated attention pooling of a bag, logistic loss (multiple instances)", "attention"
    wrt = "H V U w c"
    needs = "SMAX SIG OUT MM"
    ref = "Ilse et al. 2018 eq. 8-9"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(H=normal((6, 3)), V=normal((3, 4)), U=normal((3, 4)), w=normal(4), c=normal(3), y=1.0)

    @staticmethod
    def forward(H, V, U, w, c, y):
        t = np.tanh(H @ V)
        s = 1 / (1 + np.exp(-(H @ U)))
        a = softmax((t * s) @ w)
        z = a @ H
        logit = z @ c
        return np.log(1 + np.exp(logit)) - y * logit

    @staticmethod
    def expert(H, V, U, w, c, y):
        t = np.tanh(H @ V)
        s = 1 / (1 + np.exp(-(H @ U)))
        ts = t * s
        a = softmax(ts @ w)
        z = a @ H
        logit = z @ c
        e = np.exp(logit)
        yield np.log(1 + e) - y * logit
        d = e / (1 + e) - y
        dz = d * c
        da = H @ dz
        de = a * (da - a @ da)
        dts = np.outer(de, w)
        dv = dts * (s - ts * t)
        du = dts * (ts - ts * s)
        return dict(H=np.outer(a, dz) + dv @ V.T + du @ U.T, V=H.T @ dv, U=H.T @ du, w=de @ ts, c=d * z)


class MinimalGatedUnit(Form):
    title, group = "One step of a minimal gated unit", "recurrent"
    wrt = "x h Wf Uf Wh Uh"
    needs = "SIG OUT FACT MM"
    ref = "Zhou et al. 2016 eq. 7"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            x=normal((4, 2)),
            h=normal((4, 3)),
            Wf=normal((2, 3)),
            Uf=normal((3, 3)),
            Wh=normal((2, 3)),
            Uh=normal((3, 3)),
        )

    @staticmethod
    def forward(x, h, Wf, Uf, Wh, Uh):
        f = 1 / (1 + np.exp(-(x @ Wf + h @ Uf)))
        new = np.tanh(x @ Wh + (f * h) @ Uh)
        return (1 - f) * h + f * new

    @staticmethod
    def expert(x, h, Wf, Uf, Wh, Uh):
        f = 1 / (1 + np.exp(-(x @ Wf + h @ Uf)))
        fh = f * h
        new = np.tanh(x @ Wh + fh @ Uh)
        rest = 1 - f
        fn = f * new
        g = yield rest * h + fn
        da = g * (f - fn * new)
        dfh = da @ Uh.T
        df = (dfh * h + g * (new - h)) * f * rest
        return dict(
            x=da @ Wh.T + df @ Wf.T,
            h=g * rest + dfh * f + df @ Uf.T,
            Wf=x.T @ df,
            Uf=h.T @ df,
            Wh=x.T @ da,
            Uh=fh.T @ da,
        )


class PlanarFlow(Form):
    title, group = "Planar flow, standard normal base, negative log-likelihood", "generative"
    wrt = "u w b"
    needs = "OUT FACT MM"
    ref = "Rezende & Mohamed 2015 eq. 10-12"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(z=normal((6, 3)), u=0.3 * normal(3), w=0.3 * normal(3), b=0.1)

    @staticmethod
    def forward(z, u, w, b):
        h = np.tanh(z @ w + b)
        x = z + h[:, None] * u
        log_det = np.log(np.abs(1 + (1 - h**2) * (u @ w)))
        return np.mean(0.5 * np.sum(x**2, axis=1) - log_det)

    @staticmethod
    def expert(z, u, w, b):
        h = np.tanh(z @ w + b)
        x = z + h[:, None] * u
        slope = 1 - h**2
        uw = u @ w
        det = 1 + slope * uw
        yield np.mean(0.5 * np.sum(x**2, axis=1) - np.log(np.abs(det)))
        n = len(z)
        r = slope / det
        duw = -r.sum() / n
        da = (slope * (x @ u) + (2 * uw) * (h * r)) / n
        return dict(u=h @ x / n + duw * w, w=da @ z + duw * u, b=da.sum())
