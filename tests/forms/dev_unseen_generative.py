"""Metric learning, flows, autoencoders and critics, as papers and public repositories write them."""

import numpy as np

from tests.forms.form import Form


class RadialFlow(Form):
    title, group, wrt = "Negative log-likelihood of one radial flow", "generative", "z0 alpha beta"
    needs, ref = "CANC FACT UNB", "Rezende & Mohamed 2015 eq. 14"

    @staticmethod
    def make(random, n=5, d=3):
        normal = random.standard_normal
        return dict(z=normal((n, d)), z0=normal(d), alpha=np.array(1.2), beta=np.array(0.7))

    @staticmethod
    def forward(z, z0, alpha, beta):
        diff = z - z0
        r = np.sqrt(np.sum(diff**2, axis=1))
        h = 1 / (alpha + r)
        bh = beta * h
        f = z + bh[:, None] * diff
        logdet = (z.shape[1] - 1) * np.log(1 + bh) + np.log(1 + bh - beta * r * h**2)
        return 0.5 * np.sum(f**2) - np.sum(logdet)

    @staticmethod
    def expert(z, z0, alpha, beta):
        diff = z - z0
        r = np.sqrt(np.sum(diff**2, axis=1))
        h = 1 / (alpha + r)
        bh = beta * h
        f = z + bh[:, None] * diff
        A, bhh = 1 + bh, beta * h**2
        B = A - r * bhh
        D = z.shape[1] - 1
        yield 0.5 * np.sum(f**2) - np.sum(D * np.log(A) + np.log(B))
        # 1 - h r = alpha h, so that B = 1 + alpha beta h^2
        t = h / B
        k = np.einsum("ij,ij->i", f, diff) - D / A
        dr = bhh * (k - 2 * alpha * t)
        ht = h @ t
        return dict(z0=(dr / r) @ diff - bh @ f, alpha=-(dr.sum() + beta * ht), beta=h @ k - alpha * ht)


class ActNormAndMixing(Form):
    title, group, wrt = "Flow: activations normalised, then mixed by a matrix", "generative", "b s W"
    needs, ref = "SYM SCAL UNB", "Kingma & Dhariwal 2018 (Glow) table 1"

    @staticmethod
    def make(random, n=5, d=3):
        normal = random.standard_normal
        return dict(x=normal((n, d)), b=normal(d), s=0.3 * normal(d), W=normal((d, d)))

    @staticmethod
    def forward(x, b, s, W):
        y = (x + b) * np.exp(s)
        z = np.dot(y, W.T)
        logdet = np.sum(s) + np.linalg.slogdet(W)[1]
        return 0.5 * np.mean(np.sum(z**2, axis=1)) - logdet

    @staticmethod
    def expert(x, b, s, W):
        scale = np.exp(s)
        y = (x + b) * scale
        z = y @ W.T
        yield 0.5 * np.mean(np.sum(z**2, axis=1)) - (np.sum(s) + np.linalg.slogdet(W)[1])
        dz = z / len(x)
        dy = dz @ W
        return dict(b=dy.sum(0) * scale, s=np.einsum("ij,ij->j", dy, y) - 1, W=dz.T @ y - np.linalg.inv(W).T)


class CircleLoss(Form):
    title, group, wrt = "Circle loss of given similarities within and between classes", "contrastive", "sp sn"
    needs, ref = "MASK FACT CANC", "Sun et al. 2020 eq. 6"

    @staticmethod
    def make(random, p=4, q=5):
        return dict(sp=random.uniform(0, 1, p), sn=random.uniform(-0.5, 1, q), m=0.25, gamma=4.0)

    @staticmethod
    def forward(sp, sn, m, gamma):
        ap = np.maximum(0, 1 + m - sp)
        an = np.maximum(0, sn + m)
        positive = np.sum(np.exp(-gamma * ap * (sp - (1 - m))))
        negative = np.sum(np.exp(gamma * an * (sn - m)))
        return np.log(1 + positive * negative)

    @staticmethod
    def expert(sp, sn, m, gamma):
        ap = np.maximum(0, 1 + m - sp)
        an = np.maximum(0, sn + m)
        ep = np.exp(-gamma * ap * (sp - (1 - m)))
        en = np.exp(gamma * an * (sn - m))
        P, N = np.sum(ep), np.sum(en)
        yield np.log(1 + P * N)
        c = 2 * gamma / (1 + P * N)
        # where ap is positive, ap + (sp - (1 - m)) * -1 = 2 - 2 sp
        return dict(sp=(c * N) * ((sp - 1) * (ep * (ap > 0))), sn=(c * P) * (sn * (en * (an > 0))))


class ProxyNeighbourhood(Form):
    title, group, wrt = "Distances to one proxy of each class, the own left out below", "contrastive", "X P"
    needs, ref = "CANC SCAT MM", "Movshovitz-Attias et al. 2017 (Proxy-NCA) eq. 4"

    @staticmethod
    def make(random, n=5, d=3, k=4):
        y = random.integers(0, k, n)
        return dict(X=random.standard_normal((n, d)), P=random.standard_normal((k, d)), y=y, others=1 - np.eye(k)[y])

    @staticmethod
    def forward(X, P, y, others):
        X = X / np.linalg.norm(X, axis=1, keepdims=True)
        P = P / np.linalg.norm(P, axis=1, keepdims=True)
        D = ((X[:, None, :] - P[None, :, :]) ** 2).sum(axis=-1)
        below = (others * np.exp(-D)).sum(axis=1)
        return np.mean(D[np.arange(len(y)), y] + np.log(below))

    @staticmethod
    def expert(X, P, y, others):
        nx = np.linalg.norm(X, axis=1, keepdims=True)
        np_ = np.linalg.norm(P, axis=1, keepdims=True)
        U, V = X / nx, P / np_
        D = ((U[:, None, :] - V[None, :, :]) ** 2).sum(axis=-1)
        w = others * np.exp(-D)
        below = w.sum(axis=1)
        rows, n = np.arange(len(y)), len(y)
        yield np.mean(D[rows, y] + np.log(below))
        # of unit vectors, D = 2 - 2 U V^T
        t = w / ((n / 2) * below)[:, None]
        t[rows, y] -= 2 / n
        gu, gv = t @ V, t.T @ U
        dX = (gu - U * np.einsum("ij,ij->i", gu, U)[:, None]) / nx
        return dict(X=dX, P=(gv - V * np.einsum("ij,ij->i", gv, V)[:, None]) / np_)


class NPairLoss(Form):
    title, group, wrt = "N-pair loss with a penalty on the squared norms", "contrastive", "A P"
    needs, ref = "SMAX SCAT MM", "Sohn 2016 eq. 11"

    @staticmethod
    def make(random, n=4, d=3):
        return dict(A=random.standard_normal((n, d)), P=random.standard_normal((n, d)), lam=0.02)

    @staticmethod
    def forward(A, P, lam):
        S = A @ P.T
        S = S - S.max(axis=1, keepdims=True)
        ce = -np.mean(np.diag(S) - np.log(np.sum(np.exp(S), axis=1)))
        return ce + lam * (np.mean(np.sum(A**2, axis=1)) + np.mean(np.sum(P**2, axis=1)))

    @staticmethod
    def expert(A, P, lam):
        n = len(A)
        S = A @ P.T
        S = S - S.max(axis=1, keepdims=True)
        e = np.exp(S)
        s = np.sum(e, axis=1)
        ce = -np.mean(np.diag(S) - np.log(s))
        yield ce + lam * (np.mean(np.sum(A**2, axis=1)) + np.mean(np.sum(P**2, axis=1)))
        d = e / (n * s)[:, None]
        rows = np.arange(n)
        d[rows, rows] -= 1 / n
        c = 2 * lam / n
        return dict(A=d @ P + c * A, P=d.T @ A + c * P)


class RelativisticCritic(Form):
    title, group, wrt = "Relativistic average loss of a linear critic", "generative", "w"
    needs, ref = "SIG MM UNB", "Jolicoeur-Martineau 2019 s.4"

    @staticmethod
    def make(random, n=5, m=4, d=3):
        normal = random.standard_normal
        return dict(real=normal((n, d)), fake=normal((m, d)), w=normal(d))

    @staticmethod
    def forward(real, fake, w):
        r, f = real @ w, fake @ w
        a = r - np.mean(f)
        b = f - np.mean(r)
        return np.mean(np.log1p(np.exp(-a))) + np.mean(np.log1p(np.exp(b)))

    @staticmethod
    def expert(real, fake, w):
        r, f = real @ w, fake @ w
        ea, eb = np.exp(-(r - np.mean(f))), np.exp(f - np.mean(r))
        yield np.mean(np.log1p(ea)) + np.mean(np.log1p(eb))
        pa, pb = ea / (1 + ea), eb / (1 + eb)
        return dict(w=(pb + np.mean(pa)) @ fake / len(fake) - (pa + np.mean(pb)) @ real / len(real))


class TiedAutoencoder(Form):
    title, group, wrt = "Autoencoder with tied weights, cross-entropy of logits", "generative", "W b c"
    needs, ref = "SIG MM UNB", "Vincent et al. 2010 s.2"

    @staticmethod
    def make(random, n=4, d=5, h=3):
        normal = random.standard_normal
        return dict(X=random.random((n, d)), W=normal((d, h)), b=normal(h), c=normal(d))

    @staticmethod
    def forward(X, W, b, c):
        H = 1 / (1 + np.exp(-(X @ W + b)))
        Z = H @ W.T + c
        return np.sum(np.logaddexp(0, Z) - X * Z) / len(X)

    @staticmethod
    def expert(X, W, b, c):
        H = 1 / (1 + np.exp(-(X @ W + b)))
        Z = H @ W.T + c
        soft = np.logaddexp(0, Z)
        yield np.sum(soft - X * Z) / len(X)
        dZ = (np.exp(Z - soft) - X) / len(X)
        dA = (dZ @ W) * H * (1 - H)
        return dict(W=X.T @ dA + dZ.T @ H, b=dA.sum(0), c=dZ.sum(0))


class ImportanceWeightedBound(Form):
    title, group, wrt = "Importance-weighted bound with a linear decoder", "generative", "mu ls W"
    needs, ref = "SMAX CANC FACT UNB", "Burda et al. 2016 eq. 8"

    @staticmethod
    def make(random, k=3, n=4, d=2, p=5):
        normal = random.standard_normal
        return dict(
            x=normal((n, p)), eps=normal((k, n, d)), mu=normal((n, d)), ls=0.3 * normal((n, d)), W=normal((d, p))
        )

    @staticmethod
    def forward(x, eps, mu, ls, W):
        z = mu + np.exp(ls) * eps
        log_px = -0.5 * np.sum((x - z @ W) ** 2, axis=-1)
        log_pz = -0.5 * np.sum(z**2, axis=-1)
        log_qz = -0.5 * np.sum(eps**2, axis=-1) - np.sum(ls, axis=-1)
        logw = log_px + log_pz - log_qz
        m = np.max(logw, axis=0)
        return -np.mean(m + np.log(np.mean(np.exp(logw - m), axis=0)))

    @staticmethod
    def expert(x, eps, mu, ls, W):
        k, n, _ = eps.shape
        s = np.exp(ls)
        z = mu + s * eps
        r = z @ W - x
        log_qz = -0.5 * np.sum(eps**2, axis=-1) - np.sum(ls, axis=-1)
        logw = -0.5 * np.sum(r**2, axis=-1) + -0.5 * np.sum(z**2, axis=-1) - log_qz
        m = np.max(logw, axis=0)
        e = np.exp(logw - m)
        t = np.mean(e, axis=0)
        yield -np.mean(m + np.log(t))
        w = (e / (n * k * t))[..., None]
        wr = w * r
        dz = w * z + wr @ W.T
        dls = s * np.einsum("knd,knd->nd", dz, eps) - 1 / n
        return dict(mu=dz.sum(0), ls=dls, W=np.tensordot(z, wr, ([0, 1], [0, 1])))


class EvidentialClassification(Form):
    title, group, wrt = "Expected squared error under a Dirichlet distribution of evidence", "losses", "z"
    needs, ref = "CANC FACT MASK", "Sensoy et al. 2018 eq. 5"

    @staticmethod
    def make(random, n=5, k=3):
        return dict(z=random.standard_normal((n, k)), y=np.eye(k)[random.integers(0, k, n)])

    @staticmethod
    def forward(z, y):
        alpha = np.maximum(z, 0) + 1
        S = np.sum(alpha, axis=1, keepdims=True)
        p = alpha / S
        err = np.sum((y - p) ** 2, axis=1, keepdims=True)
        var = np.sum(p * (1 - p) / (S + 1), axis=1, keepdims=True)
        return np.mean(err + var)

    @staticmethod
    def expert(z, y):
        alpha = np.maximum(z, 0) + 1
        S = np.sum(alpha, axis=1, keepdims=True)
        p = alpha / S
        S1 = S + 1
        var = np.sum(p * (1 - p) / S1, axis=1, keepdims=True)
        yield np.mean(np.sum((y - p) ** 2, axis=1, keepdims=True) + var)
        n = len(z)
        # half the gradient of p, up to what the normalisation takes away: p - y - p / (S + 1)
        h = alpha / S1 - y
        d = (h - np.einsum("ij,ij->i", h, p)[:, None]) / (n / 2 * S) - var / (n * S1)
        return dict(z=d * (z > 0))
