"""Elementwise layers, and energies, prices and rates of single numbers, as papers and courses write them."""

import numpy as np
from scipy.special import ndtr

from tests.forms.form import Form


class ImpliedVolatilities(Form):
    title, group = "Call prices by the Black-Scholes formula, a volatility for each strike", "finance"
    wrt = "sigma"
    needs = "CANC SCAL"
    ref = "Hull 2018 ch. 19 (vega: S phi(d1) sqrt T)"

    @staticmethod
    def make(random):
        return dict(S=100.0, K=random.uniform(80, 120, 6), T=0.5, r=0.02, sigma=random.uniform(0.1, 0.4, 6))

    @staticmethod
    def forward(S, K, T, r, sigma):
        d1 = (np.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * np.sqrt(T))
        d2 = d1 - sigma * np.sqrt(T)
        return S * ndtr(d1) - K * np.exp(-r * T) * ndtr(d2)

    @staticmethod
    def expert(S, K, T, r, sigma):
        d1 = (np.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * np.sqrt(T))
        d2 = d1 - sigma * np.sqrt(T)
        g = yield S * ndtr(d1) - K * np.exp(-r * T) * ndtr(d2)
        return dict(sigma=g * (S * np.sqrt(T / (2 * np.pi)) * np.exp(-0.5 * d1**2)))


class VasicekLikelihood(Form):
    title, group = "Likelihood of the Vasicek model of interest rates", "finance"
    wrt = "a b s"
    needs = "SCAL CANC"
    ref = "Vasicek 1977; Brigo & Mercurio 2006 s.3.2"

    @staticmethod
    def make(random):
        return dict(
            r=0.03 + 0.01 * random.standard_normal(9), a=np.array(0.8), b=np.array(0.03), s=np.array(0.02), dt=0.25
        )

    @staticmethod
    def forward(r, a, b, s, dt):
        e = r[1:] - r[:-1] - a * (b - r[:-1]) * dt
        var = s**2 * dt
        return 0.5 * np.sum(e**2 / var + np.log(2 * np.pi * var))

    @staticmethod
    def expert(r, a, b, s, dt):
        gap = b - r[:-1]
        e = r[1:] - r[:-1] - a * gap * dt
        var = s**2 * dt
        sq = e**2 / var
        total = np.sum(sq + np.log(2 * np.pi * var))
        yield 0.5 * total
        k = dt / var
        n = len(r) - 1
        S = np.sum(sq)
        return dict(a=-k * (e @ gap), b=-(k * a) * np.sum(e), s=(n - S) / s)


class LennardJonesOfRoots(Form):
    title, group = "Lennard-Jones energy, the distance as a root", "physics"
    wrt = "x"
    needs = "CANC FACT UNB"
    ref = "Frenkel & Smit 2002 s.3.2"

    @staticmethod
    def make(random):
        return dict(x=np.arange(12.0).reshape(4, 3) + 0.3 * random.random((4, 3)), y=random.random(3) - 2)

    @staticmethod
    def forward(x, y):
        r = np.sqrt(np.sum((x - y) ** 2, axis=1))
        return np.sum(4 * ((1 / r) ** 12 - (1 / r) ** 6))

    @staticmethod
    def expert(x, y):
        d = x - y
        r = np.sqrt(np.sum(d**2, axis=1))
        r6 = (1 / r) ** 6
        r12 = (1 / r) ** 12
        yield np.sum(4 * (r12 - r6))
        # dE/dr / r = 24 (r6 - 2 r12) / r**2
        return dict(x=d * ((24 * (r6 - 2 * r12)) / r**2)[:, None])


class KeplerOrbit(Form):
    title, group = "Energy of a planet, kinetic and of the central force", "physics"
    wrt = "q p"
    needs = "CANC SCAL"
    ref = "Hairer, Lubich & Wanner 2006 s.I.2"

    @staticmethod
    def make(random):
        return dict(q=random.standard_normal((5, 2)) + 2, p=random.standard_normal((5, 2)))

    @staticmethod
    def forward(q, p):
        r = np.sqrt((q**2).sum(axis=1))
        H = 0.5 * (p**2).sum(axis=1) - 1 / r
        return np.sum(H**2)

    @staticmethod
    def expert(q, p):
        r = np.sqrt((q**2).sum(axis=1))
        H = 0.5 * (p**2).sum(axis=1) - 1 / r
        yield np.sum(H**2)
        h = 2 * H
        return dict(q=q * (h / r**3)[:, None], p=p * h[:, None])


class DoublePendulum(Form):
    title, group = "Energy of double pendulums", "physics"
    wrt = "a b wa wb"
    needs = "FACT SCAL"
    ref = "Landau & Lifshitz, Mechanics s.5"

    @staticmethod
    def make(random):
        a, b, wa, wb = random.standard_normal((4, 6))
        return dict(a=a, b=b, wa=wa, wb=wb, g=9.81)

    @staticmethod
    def forward(a, b, wa, wb, g):
        kinetic = wa**2 + 0.5 * wb**2 + wa * wb * np.cos(a - b)
        return np.sum(kinetic - g * (2 * np.cos(a) + np.cos(b)))

    @staticmethod
    def expert(a, b, wa, wb, g):
        d = a - b
        cosd = np.cos(d)
        ww = wa * wb
        yield np.sum(wa**2 + 0.5 * wb**2 + ww * cosd - g * (2 * np.cos(a) + np.cos(b)))
        t = ww * np.sin(d)
        return dict(a=2 * g * np.sin(a) - t, b=g * np.sin(b) + t, wa=2 * wa + wb * cosd, wb=wb + wa * cosd)


class MichaelisInhibition(Form):
    title, group = "Michaelis-Menten kinetics with competitive inhibition, squared error", "chemistry"
    wrt = "V K Ki"
    needs = "CANC SCAL"
    ref = "Cornish-Bowden 2012 ch. 5"

    @staticmethod
    def make(random):
        return dict(
            S=5 * random.random(8), inh=random.random(8), v=random.random(8), V=np.array(2.0), K=np.array(1.5),
            Ki=np.array(0.7),
        )  # fmt: skip

    @staticmethod
    def forward(S, inh, v, V, K, Ki):
        rate = V * S / (K * (1 + inh / Ki) + S)
        return np.sum((rate - v) ** 2)

    @staticmethod
    def expert(S, inh, v, V, K, Ki):
        f = 1 + inh / Ki
        D = K * f + S
        rate = V * S / D
        e = rate - v
        yield np.sum(e**2)
        t = e * rate
        h = t / D
        return dict(V=2 * np.sum(t) / V, K=-2 * (h @ f), Ki=(2 * K / Ki**2) * (h @ inh))


class IsingPseudolikelihood(Form):
    title, group = "Pseudolikelihood of an Ising model", "physics"
    wrt = "J h"
    needs = "CANC MM"
    ref = "Besag 1975; Ekeberg et al. 2013"

    @staticmethod
    def make(random):
        return dict(
            s=np.where(random.random((6, 4)) > 0.5, 1.0, -1.0), J=0.3 * random.standard_normal((4, 4)),
            h=random.standard_normal(4),
        )  # fmt: skip

    @staticmethod
    def forward(s, J, h):
        field = s @ J + h
        return -np.sum(s * field - np.log(2 * np.cosh(field)))

    @staticmethod
    def expert(s, J, h):
        field = s @ J + h
        yield -np.sum(s * field - np.log(2 * np.cosh(field)))
        d = np.tanh(field) - s
        return dict(J=s.T @ d, h=d.sum(axis=0))


class SquashedVectors(Form):
    title, group = "Capsules squashed, norm as a root with an epsilon", "activation"
    wrt = "s"
    needs = "CANC FACT"
    ref = "Sabour et al. 2017 eq. 1"

    @staticmethod
    def make(random):
        return dict(s=random.standard_normal((5, 3)))

    @staticmethod
    def forward(s):
        n2 = np.sum(s**2, axis=-1, keepdims=True)
        return n2 / (1 + n2) * s / np.sqrt(n2 + 1e-8)

    @staticmethod
    def expert(s):
        n2 = np.sum(s**2, axis=-1, keepdims=True)
        u = 1 + n2
        ratio = n2 / u
        r2 = n2 + 1e-8
        r = np.sqrt(r2)
        g = yield ratio * s / r
        # v = k s with k = n2 / (u r): dk/dn2 = (1 / u**2 - ratio / (2 r2)) / r
        gs = np.sum(g * s, axis=-1, keepdims=True)
        return dict(s=(ratio * g + s * (gs * (2 / u**2 - ratio / r2))) / r)


class MishByHand(Form):
    title, group = "Mish with the softplus written out", "activation"
    wrt = "x"
    needs = "SIG CANC"
    ref = "Misra 2019"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((4, 3)))

    @staticmethod
    def forward(x):
        return x * np.tanh(np.log1p(np.exp(x)))

    @staticmethod
    def expert(x):
        e = np.exp(x)
        t = np.tanh(np.log1p(e))
        g = yield x * t
        return dict(x=g * (t + x * (1 - t**2) * (e / (1 + e))))


class HardSwishClipped(Form):
    title, group = "Hard swish by a clip", "activation"
    wrt = "x"
    needs = "MASK"
    ref = "Howard et al. 2019 s.5.2"

    @staticmethod
    def make(random):
        return dict(x=4 * random.standard_normal((4, 3)))

    @staticmethod
    def forward(x):
        return x * np.clip(x + 3, 0, 6) / 6

    @staticmethod
    def expert(x):
        u = x + 3
        c = np.clip(u, 0, 6)
        g = yield x * c / 6
        return dict(x=(g / 6) * (c + x * (c == u)))


class GatedTanhGelu(Form):
    title, group = "GEGLU of two halves, the Gaussian by tanh", "activation"
    wrt = "a b"
    needs = "FACT SCAL"
    ref = "Shazeer 2020 eq. 6; Hendrycks & Gimpel 2016"

    @staticmethod
    def make(random):
        a, b = random.standard_normal((2, 4, 3))
        return dict(a=a, b=b)

    @staticmethod
    def forward(a, b):
        return 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3))) * b

    @staticmethod
    def expert(a, b):
        k = np.sqrt(2 / np.pi)
        half = 0.5 * a
        a3 = a**3
        t = np.tanh(k * (a + 0.044715 * a3))
        up = 1 + t
        gelu = half * up
        g = yield gelu * b
        # d gelu = up / 2 + half (1 - t**2) k (1 + 3 * 0.044715 a**2), and 1 - t**2 = up (1 - t)
        slope = up * (0.5 + (1 - t) * (0.5 * k * a + 1.5 * 0.044715 * k * a3))
        return dict(a=g * b * slope, b=g * gelu)


class GumbelTemperature(Form):
    title, group = "Gumbel-softmax sample with a learned temperature", "activation"
    wrt = "logits tau"
    needs = "SMAX SCAL"
    ref = "Jang et al. 2017 eq. 2; Maddison et al. 2017"

    @staticmethod
    def make(random):
        return dict(logits=random.standard_normal((4, 3)), u=random.random((4, 3)), tau=np.array(0.7))

    @staticmethod
    def forward(logits, u, tau):
        g = -np.log(-np.log(u))
        y = (logits + g) / tau
        e = np.exp(y - np.max(y, axis=-1, keepdims=True))
        return e / np.sum(e, axis=-1, keepdims=True)

    @staticmethod
    def expert(logits, u, tau):
        noise = -np.log(-np.log(u))
        y = (logits + noise) / tau
        e = np.exp(y - np.max(y, axis=-1, keepdims=True))
        p = e / np.sum(e, axis=-1, keepdims=True)
        g = yield p
        d = p * (g - np.sum(g * p, axis=-1, keepdims=True)) / tau
        return dict(logits=d, tau=-np.vdot(d, y))


class SoftsignLayer(Form):
    title, group = "Dense layer with softsign", "activation"
    wrt = "X W b"
    needs = "CANC MM"
    ref = "Bergstra et al. 2009; Glorot & Bengio 2010"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((5, 3)), W=random.standard_normal((3, 4)), b=random.standard_normal(4))

    @staticmethod
    def forward(X, W, b):
        z = X @ W + b
        return z / (1 + np.abs(z))

    @staticmethod
    def expert(X, W, b):
        z = X @ W + b
        u = 1 + np.abs(z)
        g = yield z / u
        d = g / u**2
        return dict(X=d @ W.T, W=X.T @ d, b=d.sum(axis=0))


class LargerOfTwo(Form):
    title, group = "Smooth distance of the larger of two linear responses, if no ties", "activation"
    wrt = "a b"
    needs = "MASK"
    assumes = "no ties"
    assume = {"a": "no_ties"}
    ref = "Goodfellow et al. 2013; van Hasselt et al. 2016 (the smaller of two critics)"

    @staticmethod
    def make(random):
        a, b = random.standard_normal((2, 8))
        return dict(a=a, b=b, y=random.standard_normal(8))

    @staticmethod
    def forward(a, b, y):
        return np.mean((np.minimum(a, b) - y) ** 2)

    @staticmethod
    def expert(a, b, y):
        d = np.minimum(a, b) - y
        yield np.mean(d**2)
        g = (2 / len(d)) * d
        da = g * (a < b)
        return dict(a=da, b=g - da)


class PolynomialKernel(Form):
    title, group = "Kernel ridge objective with an inhomogeneous polynomial kernel", "kernel"
    wrt = "alpha gamma c"
    needs = "CANC MM"
    ref = "Scholkopf & Smola 2002 s.2.1"

    @staticmethod
    def make(random):
        return dict(
            X=random.standard_normal((6, 3)), y=random.standard_normal(6), alpha=random.standard_normal(6),
            gamma=np.array(0.4), c=np.array(1.0),
        )  # fmt: skip

    @staticmethod
    def forward(X, y, alpha, gamma, c):
        K = (gamma * (X @ X.T) + c) ** 3
        return np.sum((y - K @ alpha) ** 2)

    @staticmethod
    def expert(X, y, alpha, gamma, c):
        G = X @ X.T
        B = gamma * G + c
        K = B**3
        e = y - K @ alpha
        yield np.sum(e**2)
        h = -2 * e
        T = B**2 * np.outer(h, alpha)
        return dict(alpha=h @ K, gamma=3 * np.vdot(T, G), c=3 * np.sum(T))


class CosineNormalisation(Form):
    title, group = "Dense layer with cosine normalisation of its weights", "normalisation"
    wrt = "W"
    needs = "FACT CANC MM"
    ref = "Luo et al. 2018; Salimans & Kingma 2016 eq. 3"

    @staticmethod
    def make(random):
        return dict(X=random.standard_normal((5, 3)), W=random.standard_normal((3, 4)))

    @staticmethod
    def forward(X, W):
        n = np.sqrt(np.sum(W**2, axis=0) + 1e-8)
        return X @ (W / n)

    @staticmethod
    def expert(X, W):
        n = np.sqrt(np.sum(W**2, axis=0) + 1e-8)
        U = W / n
        g = yield X @ U
        D = X.T @ g
        return dict(W=(D - U * np.sum(D * U, axis=0)) / n)


class RmsWithoutMean(Form):
    title, group = "RMS normalisation by a power of minus one half, gain one plus a weight", "normalisation"
    wrt = "x w"
    needs = "FACT CANC"
    ref = "Zhang & Sennrich 2019; Gemma report 2024 (RMSNorm with 1 + w)"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((5, 4)), w=0.1 * random.standard_normal(4))

    @staticmethod
    def forward(x, w):
        r = (np.mean(x**2, axis=-1, keepdims=True) + 1e-6) ** -0.5
        return x * r * (1 + w)

    @staticmethod
    def expert(x, w):
        r = (np.mean(x**2, axis=-1, keepdims=True) + 1e-6) ** -0.5
        xr = x * r
        k = 1 + w
        g = yield xr * k
        h = g * k
        return dict(x=r * (h - xr * np.mean(h * xr, axis=-1, keepdims=True)), w=np.sum(g * xr, axis=0))


class ReparameterisedElbo(Form):
    title, group = "Evidence bound of a normal mean by reparameterisation, scale by softplus", "generative"
    wrt = "mu rho"
    needs = "SIG FACT"
    ref = "Blundell et al. 2015 (Bayes by backprop)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 3)), y=normal(6), eps=normal(3), mu=normal(3), rho=normal(3))

    @staticmethod
    def forward(X, y, eps, mu, rho):
        sigma = np.log1p(np.exp(rho))
        w = mu + sigma * eps
        log_q = -np.sum(np.log(sigma) + 0.5 * ((w - mu) / sigma) ** 2)
        log_p = -0.5 * np.sum(w**2) - 0.5 * np.sum((y - X @ w) ** 2)
        return log_q - log_p

    @staticmethod
    def expert(X, y, eps, mu, rho):
        e = np.exp(rho)
        sigma = np.log1p(e)
        w = mu + sigma * eps
        log_q = -np.sum(np.log(sigma) + 0.5 * ((w - mu) / sigma) ** 2)
        d = y - X @ w
        yield log_q + 0.5 * np.sum(w**2) + 0.5 * np.sum(d**2)
        # (w - mu) / sigma is eps, whatever mu and rho are
        dw = w - d @ X
        return dict(mu=dw, rho=(dw * eps - 1 / sigma) * (e / (1 + e)))


class SoftThreshold(Form):
    title, group = "Soft threshold, learned for each column", "activation"
    wrt = "x t"
    needs = "MASK UNB"
    ref = "Donoho 1995; Gregor & LeCun 2010 (LISTA)"

    @staticmethod
    def make(random):
        return dict(x=2 * random.standard_normal((5, 3)), t=random.random(3) + 0.2)

    @staticmethod
    def forward(x, t):
        return np.sign(x) * np.maximum(np.abs(x) - t, 0)

    @staticmethod
    def expert(x, t):
        s = np.sign(x)
        a = np.abs(x) - t
        g = yield s * np.maximum(a, 0)
        dx = g * (a > 0)
        return dict(x=dx, t=-np.sum(dx * s, axis=0))
