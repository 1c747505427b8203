"""Held out: contrastive and metric losses."""

import numpy as np

from tests.forms.form import Form


class NtXent(Form):
    title, group = "NT-Xent: normalised embeddings of two views, similarities without the diagonal", "contrastive"
    wrt = "z1 z2"
    needs = "SEED SCAL SMAX SCAT CANC OUT CAT FACT UNB MM"
    ref = "Chen et al. 2020, SimCLR eq. 1"

    @staticmethod
    def make(random):
        return dict(z1=random.standard_normal((4, 3)), z2=random.standard_normal((4, 3)), tau=0.5)

    @staticmethod
    def forward(z1, z2, tau):
        n = len(z1)
        z = np.concatenate([z1, z2])
        z = z / np.linalg.norm(z, axis=1, keepdims=True)
        sim = z @ z.T / tau
        e = np.exp(sim) * (1 - np.eye(2 * n))
        positive = np.concatenate([np.arange(n) + n, np.arange(n)])
        return -np.log(e[np.arange(2 * n), positive] / e.sum(axis=1)).mean()

    @staticmethod
    def expert(z1, z2, tau):
        n = len(z1)
        z = np.concatenate([z1, z2])
        norm = np.linalg.norm(z, axis=1, keepdims=True)
        z = z / norm
        e = np.exp(z @ z.T / tau) * (1 - np.eye(2 * n))
        rows = np.arange(2 * n)
        positive = np.concatenate([rows[n:], rows[:n]])
        total = e.sum(axis=1)
        yield -np.log(e[rows, positive] / total).mean()
        d = e / (2 * n * tau * total)[:, None]
        d[rows, positive] -= 1 / (2 * n * tau)
        dz = (d + d.T) @ z
        dz = (dz - z * (dz * z).sum(axis=1, keepdims=True)) / norm
        return dict(z1=dz[:n], z2=dz[n:])


class ClipSymmetricLoss(Form):
    title, group = (
        "CLIP: symmetric cross-entropy of an image-text similarity matrix, learned temperature",
        "contrastive",
    )
    wrt = "I_f W_i T_f W_t t"
    needs = "SEED SCAL SMAX SCAT OUT CANC FACT UNB MM"
    ref = "Radford et al. 2021 fig. 3 (pseudocode in NumPy)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(I_f=normal((4, 5)), W_i=normal((5, 3)), T_f=normal((4, 6)), W_t=normal((6, 3)), t=np.array(0.7))

    @staticmethod
    def forward(I_f, W_i, T_f, W_t, t):
        def l2_normalize(x):
            return x / np.sqrt(np.sum(x**2, axis=1, keepdims=True))

        def cross_entropy_loss(logits, labels, axis):
            logits = logits - np.max(logits, axis=axis, keepdims=True)
            logp = logits - np.log(np.sum(np.exp(logits), axis=axis, keepdims=True))
            return -np.mean(logp[labels, labels])

        I_e = l2_normalize(np.dot(I_f, W_i))
        T_e = l2_normalize(np.dot(T_f, W_t))
        logits = np.dot(I_e, T_e.T) * np.exp(t)
        labels = np.arange(len(I_f))
        loss_i = cross_entropy_loss(logits, labels, axis=0)
        loss_t = cross_entropy_loss(logits, labels, axis=1)
        return (loss_i + loss_t) / 2

    @staticmethod
    def expert(I_f, W_i, T_f, W_t, t):
        n = len(I_f)
        labels = np.arange(n)
        U, V = np.dot(I_f, W_i), np.dot(T_f, W_t)
        nu = np.sqrt(np.sum(U**2, axis=1, keepdims=True))
        nv = np.sqrt(np.sum(V**2, axis=1, keepdims=True))
        I_e, T_e = U / nu, V / nv
        scale = np.exp(t)
        logits = np.dot(I_e, T_e.T) * scale
        l0 = logits - np.max(logits, axis=0, keepdims=True)
        l1 = logits - np.max(logits, axis=1, keepdims=True)
        e0, e1 = np.exp(l0), np.exp(l1)
        s0, s1 = np.sum(e0, axis=0, keepdims=True), np.sum(e1, axis=1, keepdims=True)
        loss = -np.mean((l0 - np.log(s0))[labels, labels]) - np.mean((l1 - np.log(s1))[labels, labels])
        yield loss / 2
        d = (e0 / s0 + e1 / s1) / (2 * n)
        d[labels, labels] -= 1 / n
        dt = np.sum(d * logits)
        d *= scale
        dI, dT = d @ T_e, d.T @ I_e
        dU = (dI - I_e * np.sum(dI * I_e, axis=1, keepdims=True)) / nu
        dV = (dT - T_e * np.sum(dT * T_e, axis=1, keepdims=True)) / nv
        return dict(I_f=dU @ W_i.T, W_i=I_f.T @ dU, T_f=dV @ W_t.T, W_t=T_f.T @ dV, t=dt)


class TripletEmbedding(Form):
    title, group = "Triplet loss of squared distances through one linear embedding", "contrastive"
    wrt = "W"
    needs = "SEED SCAL MASK MM FACT"
    ref = "Schroff, Kalenichenko & Philbin 2015, FaceNet eq. 1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            anchor=normal((6, 4)), positive=normal((6, 4)), negative=normal((6, 4)), W=normal((4, 3)), margin=0.2
        )

    @staticmethod
    def forward(anchor, positive, negative, W, margin):
        a, p, n = anchor @ W, positive @ W, negative @ W
        d_ap = np.sum(np.square(a - p), axis=1)
        d_an = np.sum(np.square(a - n), axis=1)
        return np.mean(np.maximum(d_ap - d_an + margin, 0))

    @staticmethod
    def expert(anchor, positive, negative, W, margin):
        a, p, n = anchor @ W, positive @ W, negative @ W
        ap, an = a - p, a - n
        loss = np.maximum(np.sum(np.square(ap), axis=1) - np.sum(np.square(an), axis=1) + margin, 0)
        yield np.mean(loss)
        active = ((loss > 0) * (2 / len(loss)))[:, None]
        dp = active * ap  # of -p
        dn = active * an  # of n
        # anchor.T (dp - dn) - positive.T dp + negative.T dn
        return dict(W=(anchor - positive).T @ dp - (anchor - negative).T @ dn)


class SiameseContrastive(Form):
    title, group = "Contrastive loss of pairs on Euclidean distances", "contrastive"
    wrt = "X1 X2"
    needs = "SEED SCAL MASK OUT CANC FACT ASM"
    assumes = "no two embeddings coincide"
    ref = "Hadsell, Chopra & LeCun 2006 eq. 4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X1=normal((6, 3)), X2=normal((6, 3)), Y=(random.random(6) > 0.5).astype(float), m=2.5)

    @staticmethod
    def forward(X1, X2, Y, m):
        D = np.sqrt(((X1 - X2) ** 2).sum(-1))
        return ((1 - Y) * 0.5 * D**2 + Y * 0.5 * np.maximum(0, m - D) ** 2).mean()

    @staticmethod
    def expert(X1, X2, Y, m):
        diff = X1 - X2
        D2 = (diff**2).sum(-1)
        D = np.sqrt(D2)
        other = 1 - Y
        hinge = np.maximum(0, m - D)
        yield (other * 0.5 * D2 + Y * 0.5 * hinge**2).mean()
        c = (other - Y * hinge / D) / len(Y)
        dX1 = c[:, None] * diff
        return dict(X1=dX1, X2=-dX1)


class BarlowTwins(Form):
    title, group = "Barlow Twins: cross-correlation of standardised features against the identity", "contrastive"
    wrt = "z_a z_b"
    needs = "SEED SCAL MEAN0 OUT FACT CANC MM"
    ref = "Zbontar et al. 2021, algorithm 1"

    @staticmethod
    def make(random):
        return dict(z_a=random.standard_normal((6, 3)), z_b=random.standard_normal((6, 3)), lambd=0.05)

    @staticmethod
    def forward(z_a, z_b, lambd):
        N, D = z_a.shape
        z_a_norm = (z_a - z_a.mean(0)) / z_a.std(0)
        z_b_norm = (z_b - z_b.mean(0)) / z_b.std(0)
        c = np.dot(z_a_norm.T, z_b_norm) / N
        c_diff = (c - np.eye(D)) ** 2
        return (c_diff * np.where(np.eye(D) == 1, 1, lambd)).sum()

    @staticmethod
    def expert(z_a, z_b, lambd):
        N, D = z_a.shape
        s_a, s_b = z_a.std(0), z_b.std(0)
        a = (z_a - z_a.mean(0)) / s_a
        b = (z_b - z_b.mean(0)) / s_b
        r = np.dot(a.T, b) / N - np.eye(D)
        weights = np.where(np.eye(D) == 1, 1, lambd)
        yield (r**2 * weights).sum()
        dc = 2 / N * r * weights
        # a and b have columns of mean zero, and so have the cotangents b @ dc.T and a @ dc.
        da, db = b @ dc.T, a @ dc
        return dict(z_a=(da - a * (da * a).mean(0)) / s_a, z_b=(db - b * (db * b).mean(0)) / s_b)


class GaussianKernelDiscrepancy(Form):
    title, group = "Maximum mean discrepancy of two samples with a Gaussian kernel", "contrastive"
    wrt = "X"
    needs = "SEED SCAL OUT MM SYM UNB FACT"
    ref = "Gretton et al. 2012 eq. 5; Li, Swersky & Zemel 2015"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((5, 2)), Y=random.standard_normal((6, 2)), gamma=0.4)

    @staticmethod
    def forward(X, Y, gamma):
        def kernel(A, B):
            sq = np.sum(A**2, 1)[:, None] + np.sum(B**2, 1)[None, :] - 2 * A @ B.T
            return np.exp(-gamma * sq)

        return kernel(X, X).mean() - 2 * kernel(X, Y).mean() + kernel(Y, Y).mean()

    @staticmethod
    def expert(X, Y, gamma):
        m, n = len(X), len(Y)
        xx, yy = np.sum(X**2, 1), np.sum(Y**2, 1)
        Kxx = np.exp(-gamma * (xx[:, None] + xx - 2 * X @ X.T))
        Kxy = np.exp(-gamma * (xx[:, None] + yy - 2 * X @ Y.T))
        Kyy = np.exp(-gamma * (yy[:, None] + yy - 2 * Y @ Y.T))
        yield Kxx.mean() - 2 * Kxy.mean() + Kyy.mean()
        # d k(x, y) / dx = -2 gamma (x - y) k; a row of the first kernel counts twice, for it is symmetric.
        A = Kxx * (4 * gamma / m**2)
        B = Kxy * (4 * gamma / (m * n))
        return dict(X=(B.sum(1) - A.sum(1))[:, None] * X + A @ X - B @ Y)
