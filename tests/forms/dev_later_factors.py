"""Factorisations, embeddings and generative models, as papers and public repositories write them."""

import numpy as np

from tests.forms.form import Form


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class TopicModel(Form):
    title, group, wrt = "Topics of documents, both factors by softmax, likelihood of counts", "embeddings", "A B"
    needs, ref = "SMAX CANC MM", "Hofmann 1999; Srivastava & Sutton 2017 (ProdLDA) s.3"

    @staticmethod
    def make(random, docs=4, k=2, words=5):
        normal = random.standard_normal
        return dict(
            A=normal((docs, k)), B=normal((k, words)), counts=random.integers(0, 4, (docs, words)).astype(float)
        )

    @staticmethod
    def forward(A, B, counts):
        def softmax(z):
            e = np.exp(z - z.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        theta, phi = softmax(A), softmax(B)
        return -np.sum(counts * np.log(theta @ phi))

    @staticmethod
    def expert(A, B, counts):
        def softmax(z):
            e = np.exp(z - z.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        theta, phi = softmax(A), softmax(B)
        p = theta @ phi
        yield -np.sum(counts * np.log(p))
        r = counts / -p
        # theta times its gradient sums to minus the length of the document.
        dA = theta * (r @ phi.T) + theta * counts.sum(axis=1, keepdims=True)
        m = phi * (theta.T @ r)
        return dict(A=dA, B=m - phi * m.sum(axis=1, keepdims=True))


class NeighbourhoodComponents(Form):
    title, group, wrt = "Neighbourhood components analysis: chance of a neighbour of the same class", "embeddings", "A"
    needs, ref = "SMAX MM SYM FACT", "Goldberger et al. 2005 eq. 3 to 5"

    @staticmethod
    def make(random, n=6, d=3, k=2):
        y = np.arange(n) % 2
        return dict(
            A=random.standard_normal((d, k)),
            X=random.standard_normal((n, d)),
            same=(y[:, None] == y[None, :]).astype(float),
        )

    @staticmethod
    def forward(A, X, same):
        Z = X @ A
        d2 = ((Z[:, None, :] - Z[None, :, :]) ** 2).sum(axis=2)
        np.fill_diagonal(d2, np.inf)
        e = np.exp(-d2)
        P = e / e.sum(axis=1, keepdims=True)
        return -np.sum(P * same)

    @staticmethod
    def expert(A, X, same):
        Z = X @ A
        D = Z[:, None, :] - Z[None, :, :]
        d2 = (D**2).sum(axis=2)
        np.fill_diagonal(d2, np.inf)
        e = np.exp(-d2)
        P = e / e.sum(axis=1, keepdims=True)
        PS = P * same
        yield -np.sum(PS)
        W = PS - P * PS.sum(axis=1, keepdims=True)
        dZ = 2 * np.einsum("ij,ijk->ik", W + W.T, D)
        return dict(A=X.T @ dZ)


class DictionaryLearning(Form):
    title, group, wrt = (
        "Sparse coding: squared error, a smooth absolute value, and a penalty on the length of atoms",
        "embeddings",
        "D Z",
    )
    needs, ref = "MM SCAL CANC", "Olshausen & Field 1996 eq. 2"

    @staticmethod
    def make(random, n=4, d=3, k=5):
        normal = random.standard_normal
        return dict(X=normal((n, d)), D=normal((k, d)), Z=normal((n, k)), lam=0.3, mu=0.1, eps=1e-3)

    @staticmethod
    def forward(X, D, Z, lam, mu, eps):
        error = X - Z @ D
        length = (D**2).sum(axis=1)
        return 0.5 * (error**2).sum() + lam * np.sqrt(Z**2 + eps).sum() + mu * ((length - 1) ** 2).sum()

    @staticmethod
    def expert(X, D, Z, lam, mu, eps):
        error = X - Z @ D
        excess = (D**2).sum(axis=1) - 1
        root = np.sqrt(Z**2 + eps)
        yield 0.5 * (error**2).sum() + lam * root.sum() + mu * (excess**2).sum()
        return dict(D=(4 * mu * excess)[:, None] * D - Z.T @ error, Z=lam * Z / root - error @ D.T)


class HopfieldEnergy(Form):
    title, group, wrt = "Energy of a continuous Hopfield network and its retrieval states", "attention", "X xi"
    needs, ref = "SMAX MM", "Ramsauer et al. 2021 eq. 1"

    @staticmethod
    def make(random, n=4, m=5, d=3):
        return dict(X=random.standard_normal((m, d)), xi=random.standard_normal((n, d)), beta=0.8)

    @staticmethod
    def forward(X, xi, beta):
        s = beta * xi @ X.T
        m = s.max(axis=1, keepdims=True)
        lse = (m[:, 0] + np.log(np.exp(s - m).sum(axis=1))) / beta
        return np.sum(0.5 * (xi**2).sum(axis=1) - lse)

    @staticmethod
    def expert(X, xi, beta):
        s = beta * xi @ X.T
        m = s.max(axis=1, keepdims=True)
        e = np.exp(s - m)
        Z = e.sum(axis=1)
        yield np.sum(0.5 * (xi**2).sum(axis=1) - (m[:, 0] + np.log(Z)) / beta)
        p = e / Z[:, None]
        return dict(X=-(p.T @ xi), xi=xi - p @ X)


class NoiseOfDiffusion(Form):
    title, group = (
        "Denoising diffusion: noise predicted from a noisy sample and an embedding of the step, weighted",
        "generative",
    )
    wrt, needs, ref = "W1 E b1 W2 b2", "SCAT MM SCAL UNB", "Ho et al. 2020 (DDPM), algorithm 1"

    @staticmethod
    def make(random, n=5, d=2, h=4, T=6):
        normal = random.standard_normal
        return dict(
            x0=normal((n, d)),
            noise=normal((n, d)),
            t=random.integers(0, T, n),
            abar=np.linspace(0.9, 0.1, T),
            weight=random.random(T),
            W1=normal((d, h)),
            E=normal((T, h)),
            b1=normal(h),
            W2=normal((h, d)),
            b2=normal(d),
        )

    @staticmethod
    def forward(x0, noise, t, abar, weight, W1, E, b1, W2, b2):
        a = abar[t][:, None]
        xt = np.sqrt(a) * x0 + np.sqrt(1 - a) * noise
        u = xt @ W1 + E[t] + b1
        h = u / (1 + np.exp(-u))
        error = h @ W2 + b2 - noise
        return np.mean(weight[t] * np.sum(error**2, axis=1))

    @staticmethod
    def expert(x0, noise, t, abar, weight, W1, E, b1, W2, b2):
        a = abar[t][:, None]
        xt = np.sqrt(a) * x0 + np.sqrt(1 - a) * noise
        u = xt @ W1 + E[t] + b1
        q = 1 + np.exp(-u)
        h = u / q
        error = h @ W2 + b2 - noise
        w = weight[t]
        yield np.mean(w * np.sum(error**2, axis=1))
        d = (2 / len(w) * w)[:, None] * error
        du = d @ W2.T * (1 + u - h) / q
        dE = np.zeros_like(E)
        np.add.at(dE, t, du)
        return dict(W1=xt.T @ du, E=dE, b1=du.sum(axis=0), W2=h.T @ d, b2=d.sum(axis=0))


class RectifiedFlow(Form):
    title, group, wrt = (
        "Flow matching: velocity of the straight path, time as one more input",
        "generative",
        "W1 b1 W2 b2",
    )
    needs, ref = "MM OUT UNB", "Lipman et al. 2023 eq. 23; Liu et al. 2023"

    @staticmethod
    def make(random, n=5, d=2, h=4):
        normal = random.standard_normal
        return dict(
            x0=normal((n, d)),
            x1=normal((n, d)),
            t=random.random((n, 1)),
            W1=normal((d + 1, h)),
            b1=normal(h),
            W2=normal((h, d)),
            b2=normal(d),
        )

    @staticmethod
    def forward(x0, x1, t, W1, b1, W2, b2):
        xt = (1 - t) * x0 + t * x1
        h = np.tanh(np.hstack([xt, t]) @ W1 + b1)
        v = h @ W2 + b2
        return np.mean(np.sum((v - (x1 - x0)) ** 2, axis=1))

    @staticmethod
    def expert(x0, x1, t, W1, b1, W2, b2):
        xt = (1 - t) * x0 + t * x1
        inputs = np.hstack([xt, t])
        h = np.tanh(inputs @ W1 + b1)
        e = h @ W2 + b2 - (x1 - x0)
        yield np.mean(np.sum(e**2, axis=1))
        dv = 2 / len(e) * e
        du = dv @ W2.T * (1 - h**2)
        return dict(W1=inputs.T @ du, b1=du.sum(axis=0), W2=h.T @ dv, b2=dv.sum(axis=0))


class MaskedAutoregression(Form):
    title, group, wrt = (
        "Masked autoencoder of distributions, direct connections, binary cross-entropy",
        "generative",
        "W V A b c",
    )
    needs, ref = "SIG MASK MM UNB", "Germain et al. 2015 (MADE) eq. 8 to 12"

    @staticmethod
    def make(random, n=4, d=3, h=4):
        normal = random.standard_normal
        m = np.arange(h) % (d - 1)
        order = np.arange(d)
        return dict(
            x=random.integers(0, 2, (n, d)).astype(float),
            W=normal((d, h)),
            V=normal((h, d)),
            A=normal((d, d)),
            b=normal(h),
            c=normal(d),
            MW=(order[:, None] <= m).astype(float),
            MV=(m[:, None] < order).astype(float),
            MA=np.triu(np.ones((d, d)), 1),
        )

    @staticmethod
    def forward(x, W, V, A, b, c, MW, MV, MA):
        h = np.maximum(0, x @ (W * MW) + b)
        z = h @ (V * MV) + x @ (A * MA) + c
        xhat = sigmoid(z)
        return -np.sum(x * np.log(xhat) + (1 - x) * np.log(1 - xhat))

    @staticmethod
    def expert(x, W, V, A, b, c, MW, MV, MA):
        h = np.maximum(0, x @ (W * MW) + b)
        Vm = V * MV
        z = h @ Vm + x @ (A * MA) + c
        xhat = sigmoid(z)
        yield -np.sum(x * np.log(xhat) + (1 - x) * np.log(1 - xhat))
        dz = xhat - x
        dh = dz @ Vm.T * (h > 0)
        return dict(W=x.T @ dh * MW, V=h.T @ dz * MV, A=x.T @ dz * MA, b=dh.sum(axis=0), c=dz.sum(axis=0))
