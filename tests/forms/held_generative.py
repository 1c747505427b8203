"""Held out: generative models, energies and flows."""

import numpy as np

from tests.forms.form import Form


class VariationalAutoencoder(Form):
    title, group = "Variational autoencoder: negative ELBO with Bernoulli outputs and given noise", "generative"
    wrt = "We be Wm Ws Wd bd"
    needs = "SEED SCAL SIG OUT MM UNB FACT"
    ref = "Kingma & Welling 2014 eq. 10 and app. B and C"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            x=(random.random((5, 6)) > 0.5).astype(float),
            eps=normal((5, 2)),
            We=0.5 * normal((6, 4)),
            be=normal(4),
            Wm=normal((4, 2)),
            Ws=0.5 * normal((4, 2)),
            Wd=normal((2, 6)),
            bd=normal(6),
        )

    @staticmethod
    def forward(x, eps, We, be, Wm, Ws, Wd, bd):
        h = np.tanh(x @ We + be)
        mu, logvar = h @ Wm, h @ Ws
        z = mu + np.exp(0.5 * logvar) * eps
        logits = z @ Wd + bd
        reconstruction = np.sum(np.logaddexp(0, logits) - x * logits)
        kl = -0.5 * np.sum(1 + logvar - np.power(mu, 2) - np.exp(logvar))
        return (reconstruction + kl) / len(x)

    @staticmethod
    def expert(x, eps, We, be, Wm, Ws, Wd, bd):
        n = len(x)
        h = np.tanh(x @ We + be)
        mu, logvar = h @ Wm, h @ Ws
        noise = np.exp(0.5 * logvar) * eps
        z = mu + noise
        logits = z @ Wd + bd
        var = np.exp(logvar)
        reconstruction = np.sum(np.logaddexp(0, logits) - x * logits)
        kl = -0.5 * np.sum(1 + logvar - np.power(mu, 2) - var)
        yield (reconstruction + kl) / n
        dlogits = (1 / (1 + np.exp(-logits)) - x) / n
        dz = dlogits @ Wd.T
        dmu = dz + mu / n
        dlogvar = 0.5 * (dz * noise + (var - 1) / n)
        dh = (dmu @ Wm.T + dlogvar @ Ws.T) * (1 - h**2)
        return dict(We=x.T @ dh, be=dh.sum(0), Wm=h.T @ dmu, Ws=h.T @ dlogvar, Wd=z.T @ dlogits, bd=dlogits.sum(0))


class AffineCouplingFlow(Form):
    title, group = "Affine coupling layer: negative log-likelihood under a standard normal", "generative"
    wrt = "Ws bs Wt bt"
    needs = "SEED SCAL OUT MM UNB CAT"
    ref = "Dinh, Sohl-Dickstein & Bengio 2017, Real NVP eqs. 4 to 6"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((6, 4)), Ws=normal((2, 2)), bs=normal(2), Wt=normal((2, 2)), bt=normal(2))

    @staticmethod
    def forward(x, Ws, bs, Wt, bt):
        x1, x2 = np.split(x, 2, axis=1)
        s = np.tanh(x1 @ Ws + bs)
        t = x1 @ Wt + bt
        z = np.concatenate([x1, x2 * np.exp(s) + t], axis=1)
        log_prob = -0.5 * np.sum(z**2, axis=1) - z.shape[1] / 2 * np.log(2 * np.pi)
        log_det = np.sum(s, axis=1)
        return -np.mean(log_prob + log_det)

    @staticmethod
    def expert(x, Ws, bs, Wt, bt):
        n, D = x.shape
        x1, x2 = np.split(x, 2, axis=1)
        s = np.tanh(x1 @ Ws + bs)
        scaled = x2 * np.exp(s)
        z2 = scaled + (x1 @ Wt + bt)
        log_prob = -0.5 * np.sum(np.concatenate([x1, z2], axis=1) ** 2, axis=1) - D / 2 * np.log(2 * np.pi)
        yield -np.mean(log_prob + np.sum(s, axis=1))
        dt = z2 / n
        da = (dt * scaled - 1 / n) * (1 - s**2)
        return dict(Ws=x1.T @ da, bs=da.sum(0), Wt=x1.T @ dt, bt=dt.sum(0))


class PlanarFlow(Form):
    title, group = "Planar flow: energy of the transformed points less the log determinant", "generative"
    wrt = "u w b"
    needs = "SEED SCAL OUT MM FACT CANC"
    ref = "Rezende & Mohamed 2015 eqs. 10 to 13"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        w = normal(3)
        return dict(z=normal((6, 3)), u=0.3 * w + 0.1 * normal(3), w=w, b=np.array(0.2))

    @staticmethod
    def forward(z, u, w, b):
        h = np.tanh(z @ w + b)
        f_z = z + h[:, None] * u
        psi = (1 - h**2)[:, None] * w
        log_det = np.log(np.abs(1 + psi @ u))
        return np.mean(0.5 * np.sum(f_z**2, axis=1) - log_det)

    @staticmethod
    def expert(z, u, w, b):
        n = len(z)
        h = np.tanh(z @ w + b)
        f_z = z + h[:, None] * u
        slope = 1 - h**2
        wu = w @ u
        det = 1 + slope * wu
        yield np.mean(0.5 * np.sum(f_z**2, axis=1) - np.log(np.abs(det)))
        # the determinant is 1 + slope w'u, and d slope = -2 h slope
        r = slope / (n * det)
        r_sum = r.sum()
        df = f_z / n
        da = df @ u * slope + 2 * wu * h * r
        return dict(u=h @ df - r_sum * w, w=da @ z - r_sum * u, b=da.sum())


class DiscriminatorLoss(Form):
    title, group = "Discriminator of a GAN on real and on generated points, leaky ReLU", "generative"
    wrt = "W1 b1 w2 fake"
    needs = "SEED SCAL SIG CANC MASK CAT MM UNB FACT"
    ref = "Goodfellow et al. 2014, algorithm 1"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(real=normal((5, 3)), fake=normal((5, 3)), W1=normal((3, 4)), b1=normal(4), w2=normal(4))

    @staticmethod
    def forward(real, fake, W1, b1, w2):
        def discriminator(x):
            h = x @ W1 + b1
            h = np.where(h > 0, h, 0.2 * h)
            return 1 / (1 + np.exp(-(h @ w2)))

        return -np.mean(np.log(discriminator(real))) - np.mean(np.log(1 - discriminator(fake)))

    @staticmethod
    def expert(real, fake, W1, b1, w2):
        n = len(real)
        x = np.concatenate([real, fake])
        h = x @ W1 + b1
        positive = h > 0
        h = np.where(positive, h, 0.2 * h)
        D = 1 / (1 + np.exp(-(h @ w2)))
        yield -np.mean(np.log(D[:n])) - np.mean(np.log(1 - D[n:]))
        d = D / n
        d[:n] -= 1 / n
        dh = np.outer(d, w2) * np.where(positive, 1, 0.2)
        return dict(W1=x.T @ dh, b1=dh.sum(0), w2=d @ h, fake=dh[n:] @ W1.T)


class InfomaxIca(Form):
    title, group = "Independent component analysis: log cosh contrast and log determinant of the unmixing", "generative"
    wrt = "W"
    needs = "SEED SCAL CANC SYM MM OUT"
    stretch = True
    ref = "Bell & Sejnowski 1995; Hyvarinen, Karhunen & Oja 2001 s.9.2"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((8, 3)), W=random.standard_normal((3, 3)) + 2 * np.eye(3))

    @staticmethod
    def forward(X, W):
        S = X @ W.T
        return np.mean(np.sum(np.log(np.cosh(S)), axis=1)) - np.log(np.abs(np.linalg.det(W)))

    @staticmethod
    def expert(X, W):
        S = X @ W.T
        yield np.mean(np.sum(np.log(np.cosh(S)), axis=1)) - np.log(np.abs(np.linalg.det(W)))
        return dict(W=np.tanh(S).T @ X / len(X) - np.linalg.inv(W).T)


class LearnedIsta(Form):
    title, group = "Learned ISTA: three soft-thresholding layers with shared matrices, squared error", "generative"
    wrt = "We S theta"
    needs = "SEED MASK OUT MM UNB"
    ref = "Gregor & LeCun 2010, algorithm 4"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            y=normal((3, 4)),
            target=normal((5, 4)),
            We=normal((5, 3)),
            S=0.3 * normal((5, 5)),
            theta=np.full((5, 1), 0.4),
        )

    @staticmethod
    def forward(y, target, We, S, theta):
        def soft(v):
            return np.sign(v) * np.maximum(np.abs(v) - theta, 0)

        B = We @ y
        x = soft(B)
        for _ in range(2):
            x = soft(B + S @ x)
        return 0.5 * np.sum((x - target) ** 2)

    @staticmethod
    def expert(y, target, We, S, theta):
        def soft(v):
            sign = np.sign(v)
            size = np.maximum(np.abs(v) - theta, 0)
            return sign, size, sign * size

        B = We @ y
        layers = [soft(B)]
        for _ in range(2):
            layers.append(soft(B + S @ layers[-1][2]))
        g = layers[2][2] - target
        yield 0.5 * np.sum(g**2)
        shrinkage = None
        dvs = []
        for sign, size, _ in layers[::-1]:
            dv = g * (size > 0)
            dvs.append(dv)
            along = dv * sign
            shrinkage = along if shrinkage is None else shrinkage + along
            if len(dvs) < 3:
                g = S.T @ dv
        return dict(
            We=(dvs[0] + dvs[1] + dvs[2]) @ y.T,
            S=dvs[0] @ layers[1][2].T + dvs[1] @ layers[0][2].T,
            theta=-shrinkage.sum(axis=1, keepdims=True),
        )


class ModernHopfieldEnergy(Form):
    title, group = "Energy of a modern Hopfield network over a batch of states", "generative"
    wrt = "xi X"
    needs = "SEED SCAL SMAX CANC MM FACT"
    ref = "Ramsauer et al. 2021 eqs. 2 and 3"

    @staticmethod
    def make(random):
        return dict(xi=random.standard_normal((4, 3)), X=random.standard_normal((5, 3)), beta=2.0)

    @staticmethod
    def forward(xi, X, beta):
        s = beta * (xi @ X.T)
        m = s.max(axis=1, keepdims=True)
        lse = (np.log(np.exp(s - m).sum(axis=1)) + m[:, 0]) / beta
        return np.sum(0.5 * np.einsum("bd,bd->b", xi, xi) - lse)

    @staticmethod
    def expert(xi, X, beta):
        s = beta * (xi @ X.T)
        m = s.max(axis=1, keepdims=True)
        e = np.exp(s - m)
        z = e.sum(axis=1)
        yield np.sum(0.5 * np.einsum("bd,bd->b", xi, xi) - (np.log(z) + m[:, 0]) / beta)
        p = e / z[:, None]
        return dict(xi=xi - p @ X, X=-(p.T @ xi))


class IsingMeanField(Form):
    title, group = "Three mean-field updates of a Boltzmann machine, then the variational free energy", "generative"
    wrt = "J b"
    needs = "SEED SCAL SIG CANC OUT MM FACT"
    ref = "Peterson & Anderson 1987; Domke 2013, truncated inference"

    @staticmethod
    def make(random):
        J = random.standard_normal((5, 5))
        return dict(J=0.3 * (J + J.T) * (1 - np.eye(5)), b=random.standard_normal(5), m0=0.5 * random.random(5))

    @staticmethod
    def forward(J, b, m0):
        m = m0
        for _ in range(3):
            m = np.tanh(J @ m + b)
        entropy = -np.sum((1 + m) / 2 * np.log((1 + m) / 2) + (1 - m) / 2 * np.log((1 - m) / 2))
        return -0.5 * (m @ J @ m) - b @ m - entropy

    @staticmethod
    def expert(J, b, m0):
        ms, fields = [m0], []
        for _ in range(3):
            fields.append(J @ ms[-1] + b)
            ms.append(np.tanh(fields[-1]))
        m = ms[3]
        up, down = (1 + m) / 2, (1 - m) / 2
        Jm = J @ m
        yield -0.5 * (m @ Jm) - b @ m + np.sum(up * np.log(up) + down * np.log(down))
        # d(-entropy) / dm = arctanh(m), which is the last field
        g = fields[2] - b - 0.5 * (Jm + m @ J)
        d3 = g * (1 - m**2)
        d2 = d3 @ J * (1 - ms[2] ** 2)
        d1 = d2 @ J * (1 - ms[1] ** 2)
        D = np.stack([d3, d2, d1, -0.5 * m])
        return dict(J=D.T @ np.stack([ms[2], ms[1], m0, m]), b=d1 + d2 + d3 - m)


class EnsembleEnergyScore(Form):
    title, group = "Continuous ranked probability score of an ensemble", "generative"
    wrt = "members"
    needs = "SEED SCAL MASK UNB FACT ZERO"
    ref = "Gneiting & Raftery 2007 eq. 21"

    @staticmethod
    def make(random):
        return dict(members=random.standard_normal((5, 4)), obs=random.standard_normal(4))

    @staticmethod
    def forward(members, obs):
        skill = np.abs(members - obs).mean(axis=0)
        spread = np.abs(members[:, None] - members[None, :]).mean(axis=(0, 1))
        return np.mean(skill - 0.5 * spread)

    @staticmethod
    def expert(members, obs):
        m, n = members.shape
        error = members - obs
        gaps = members[:, None] - members[None, :]
        yield np.mean(np.abs(error).mean(axis=0) - 0.5 * np.abs(gaps).mean(axis=(0, 1)))
        return dict(members=(np.sign(error) - np.sign(gaps).mean(axis=1)) / (m * n))
