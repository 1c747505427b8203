"""Simulations, filters, rollouts and decisions, as textbooks and public repositories write them."""

import numpy as np

from tests.forms.form import Form


class PredatorPrey(Form):
    title, group, wrt = "Lotka-Volterra by Heun's method, squared error of the last state", "science", "u v a b"
    needs, ref = "CAT FACT", "Hairer, Norsett & Wanner 1993 s.II.1"

    @staticmethod
    def make(random, m=3):
        r = random.random
        return dict(u=r(m) + 0.5, v=r(m) + 0.5, a=r(m) + 0.5, b=r(m) + 0.5, tu=r(m), tv=r(m), h=0.1)

    @staticmethod
    def forward(u, v, a, b, tu, tv, h):
        for _ in range(3):
            du, dv = u * (a - v), v * (u - b)
            pu, pv = u + h * du, v + h * dv
            u = u + h / 2 * (du + pu * (a - pv))
            v = v + h / 2 * (dv + pv * (pu - b))
        return 0.5 * np.sum((u - tu) ** 2 + (v - tv) ** 2)

    @staticmethod
    def expert(u, v, a, b, tu, tv, h):
        steps = []
        for _ in range(3):
            av, ub = a - v, u - b
            du, dv = u * av, v * ub
            pu, pv = u + h * du, v + h * dv
            ap, pb = a - pv, pu - b
            steps.append((u, v, av, ub, pu, pv, ap, pb))
            u = u + h / 2 * (du + pu * ap)
            v = v + h / 2 * (dv + pv * pb)
        eu, ev = u - tu, v - tv
        yield 0.5 * np.sum(eu**2 + ev**2)
        gu, gv, ga, gb = eu, ev, [], []
        for u, v, av, ub, pu, pv, ap, pb in reversed(steps):
            ku, kv = h / 2 * gu, h / 2 * gv
            kpu, kpv = ku * pu, kv * pv
            dpu = ku * ap + kpv
            dpv = kv * pb - kpu
            su, sv = ku + h * dpu, kv + h * dpv
            suu, svv = su * u, sv * v
            ga.append(suu + kpu)
            gb.append(svv + kpv)
            gu = gu + dpu + su * av + svv
            gv = gv + dpv + sv * ub - suu
        return dict(u=gu, v=gv, a=ga[0] + ga[1] + ga[2], b=-gb[0] - gb[1] - gb[2])


class ControlOfLinearSystem(Form):
    title, group, wrt = "Quadratic cost of a controlled linear system, rolled out", "recurrent", "U x0"
    needs, ref = "CAT MM SCAL", "Bertsekas 2017 s.3.1; Kelley 1960 (adjoint)"

    @staticmethod
    def make(random, T=4, n=3, m=2):
        normal = random.standard_normal
        return dict(U=normal((T, m)), x0=normal(n), A=0.5 * normal((n, n)), B=normal((n, m)), q=random.random(n), r=0.3)

    @staticmethod
    def forward(U, x0, A, B, q, r):
        x = x0
        cost = 0.0
        for t in range(len(U)):
            cost = cost + np.sum(q * x**2) + r * np.sum(U[t] ** 2)
            x = A @ x + B @ U[t]
        return cost + np.sum(q * x**2)

    @staticmethod
    def expert(U, x0, A, B, q, r):
        x = x0
        cost = 0.0
        states = [x]
        for t in range(len(U)):
            cost = cost + np.sum(q * x**2) + r * np.sum(U[t] ** 2)
            x = A @ x + B @ U[t]
            states.append(x)
        yield cost + np.sum(q * x**2)
        G = np.stack(states) * (2 * q)
        for t in range(len(U) - 1, -1, -1):
            G[t] += A.T @ G[t + 1]
        return dict(U=2 * r * U + G[1:] @ B, x0=G[0])


class ReactionDiffusion(Form):
    title, group, wrt = "Two Gray-Scott steps on a ring by np.roll, squared error of both fields", "science", "u v F k"
    needs, ref = "CAT FACT MM", "Pearson 1993 eq. 1"

    @staticmethod
    def make(random, n=6):
        r = random.random
        return dict(u=r(n), v=r(n), F=0.05, k=0.06, Du=0.2, Dv=0.1, tu=r(n), tv=r(n), dt=0.8)

    @staticmethod
    def forward(u, v, F, k, Du, Dv, tu, tv, dt):
        for _ in range(2):
            lu = np.roll(u, 1) + np.roll(u, -1) - 2 * u
            lv = np.roll(v, 1) + np.roll(v, -1) - 2 * v
            uvv = u * v * v
            u = u + dt * (Du * lu - uvv + F * (1 - u))
            v = v + dt * (Dv * lv + uvv - (F + k) * v)
        return np.sum((u - tu) ** 2) + np.sum((v - tv) ** 2)

    @staticmethod
    def expert(u, v, F, k, Du, Dv, tu, tv, dt):
        steps = []
        for _ in range(2):
            lu = np.roll(u, 1) + np.roll(u, -1) - 2 * u
            lv = np.roll(v, 1) + np.roll(v, -1) - 2 * v
            uv = u * v
            uvv = uv * v
            cu = 1 - u
            steps.append((v, uv, cu))
            u = u + dt * (Du * lu - uvv + F * cu)
            v = v + dt * (Dv * lv + uvv - (F + k) * v)
        eu, ev = u - tu, v - tv
        yield np.sum(eu**2) + np.sum(ev**2)
        gu, gv = 2 * eu, 2 * ev
        dF, dk = 0.0, 0.0
        for v, uv, cu in reversed(steps):
            feed, kill = gu @ cu, gv @ v
            dF += dt * (feed - kill)
            dk -= dt * kill
            d = dt * (gv - gu)
            # All that is linear in the own field: the stencil is symmetric.
            nu = (1 - dt * (2 * Du + F)) * gu + (dt * Du) * (np.roll(gu, 1) + np.roll(gu, -1)) + d * v**2
            gv = (1 - dt * (2 * Dv + F + k)) * gv + (dt * Dv) * (np.roll(gv, 1) + np.roll(gv, -1)) + 2 * d * uv
            gu = nu
        return dict(u=gu, v=gv, F=dF, k=dk)


class VolumeRendering(Form):
    title, group, wrt = "Colours of rays rendered from densities along them, squared error", "science", "sigma colour"
    needs, ref = "CANC FACT CAT", "Mildenhall et al. 2020 (NeRF) eq. 3"

    @staticmethod
    def make(random, n=3, s=5):
        return dict(
            sigma=random.random((n, s)) + 0.1,
            colour=random.random((n, s, 3)),
            delta=random.random((n, s)),
            target=random.random((n, 3)),
        )

    @staticmethod
    def forward(sigma, colour, delta, target):
        tau = sigma * delta
        alpha = 1 - np.exp(-tau)
        T = np.exp(-(np.cumsum(tau, axis=1) - tau))
        weights = T * alpha
        pixel = (weights[..., None] * colour).sum(axis=1)
        return np.mean((pixel - target) ** 2)

    @staticmethod
    def expert(sigma, colour, delta, target):
        tau = sigma * delta
        clear = np.exp(-tau)
        T = np.exp(-(np.cumsum(tau, axis=1) - tau))
        weights = T * (1 - clear)
        pixel = (weights[..., None] * colour).sum(axis=1)
        error = pixel - target
        yield np.mean(error**2)
        dpixel = 2 / error.size * error
        dcolour = weights[..., None] * dpixel[:, None, :]
        dw = np.einsum("nc,nsc->ns", dpixel, colour)
        # What lies behind a sample is dimmed by it.
        c = dw * weights
        behind = np.sum(c, axis=1, keepdims=True) - np.cumsum(c, axis=1)
        dsigma = delta * (dw * (T * clear) - behind)
        return dict(sigma=dsigma, colour=dcolour)


class RankOneUpdates(Form):
    title, group, wrt = (
        "Online least squares: a matrix corrected by rank-one updates, prediction errors",
        "recurrent",
        "w0 P0",
    )
    needs, ref = "CAT MM", "Ljung 1999 s.11.2; Widrow & Hoff 1960"

    @staticmethod
    def make(random, T=4, d=3):
        normal = random.standard_normal
        return dict(X=0.4 * normal((T, d)), y=normal(T), w0=normal(d), P0=0.3 * normal((d, d)))

    @staticmethod
    def forward(X, y, w0, P0):
        w = w0
        loss = 0.0
        for t in range(len(X)):
            e = y[t] - X[t] @ w
            loss = loss + e**2
            w = w + e * (P0 @ X[t])
        return loss

    @staticmethod
    def expert(X, y, w0, P0):
        w = w0
        loss, es, gains = 0.0, [], []
        for t in range(len(X)):
            e = y[t] - X[t] @ w
            loss = loss + e**2
            gain = P0 @ X[t]
            w = w + e * gain
            es.append(e)
            gains.append(gain)
        yield loss
        dw = np.zeros_like(w0)
        G = np.empty_like(X)
        for t in range(len(X) - 1, -1, -1):
            G[t] = es[t] * dw
            dw = dw - (2 * es[t] + dw @ gains[t]) * X[t]
        return dict(w0=dw, P0=G.T @ X)


class WaveletThreshold(Form):
    title, group, wrt = "One level of the Haar transform, details shrunk smoothly, and back", "science", "x lam"
    needs, ref = "CAT OUT FACT", "Mallat 2009 s.7.2; Donoho 1995"

    @staticmethod
    def make(random, n=8):
        return dict(x=random.standard_normal(n), lam=0.5, target=random.standard_normal(n))

    @staticmethod
    def forward(x, lam, target):
        a = (x[::2] + x[1::2]) / np.sqrt(2)
        d = (x[::2] - x[1::2]) / np.sqrt(2)
        s = d * d**2 / (d**2 + lam)
        out = np.zeros_like(x)
        out[::2] = (a + s) / np.sqrt(2)
        out[1::2] = (a - s) / np.sqrt(2)
        return 0.5 * np.sum((out - target) ** 2)

    @staticmethod
    def expert(x, lam, target):
        a = (x[::2] + x[1::2]) / np.sqrt(2)
        d = (x[::2] - x[1::2]) / np.sqrt(2)
        d2 = d**2
        q = d2 + lam
        s = d * d2 / q
        out = np.zeros_like(x)
        out[::2] = (a + s) / np.sqrt(2)
        out[1::2] = (a - s) / np.sqrt(2)
        e = out - target
        yield 0.5 * np.sum(e**2)
        ga = (e[::2] + e[1::2]) / 2
        gs = (e[::2] - e[1::2]) / 2
        r = gs / q
        gd = r * (3 * d2 - 2 * d2**2 / q)
        dx = np.empty_like(x)
        dx[::2] = ga + gd
        dx[1::2] = ga - gd
        return dict(x=dx, lam=-np.sqrt(2) * np.sum(r * s))


class FrameField(Form):
    title, group, wrt = "Ginzburg-Landau energy of a complex field as two real ones, periodic", "science", "u v"
    needs, ref = "FACT CAT", "Tinkham 2004 s.4.1"

    @staticmethod
    def make(random, n=4):
        return dict(u=random.standard_normal((n, n)), v=random.standard_normal((n, n)), k=0.7)

    @staticmethod
    def forward(u, v, k):
        E = 0.0
        for f in (u, v):
            E = E + 0.5 * np.sum((np.roll(f, -1, axis=0) - f) ** 2 + (np.roll(f, -1, axis=1) - f) ** 2)
        return E + k / 4 * np.sum((1 - u**2 - v**2) ** 2)

    @staticmethod
    def expert(u, v, k):
        E = 0.0
        steps = []
        for f in (u, v):
            a, b = np.roll(f, -1, axis=0) - f, np.roll(f, -1, axis=1) - f
            steps.append((a, b))
            E = E + 0.5 * np.sum(a**2 + b**2)
        w = 1 - u**2 - v**2
        yield E + k / 4 * np.sum(w**2)
        m = k * w
        grads = [
            np.roll(a, 1, axis=0) - a + (np.roll(b, 1, axis=1) - b) - m * f
            for f, (a, b) in zip((u, v), steps, strict=True)
        ]
        return dict(u=grads[0], v=grads[1])


class ContactPenalty(Form):
    title, group, wrt = "Discs that repel where they overlap, and a floor", "science", "p r"
    needs, ref = "MASK SYM FACT", "Cundall & Strack 1979; Luding 2008"

    @staticmethod
    def make(random, n=5):
        return dict(p=random.random((n, 2)) * 1.5, r=random.random(n) * 0.4 + 0.4, kn=3.0, g=0.5)

    @staticmethod
    def forward(p, r, kn, g):
        i, j = np.triu_indices(len(p), k=1)
        d = np.sqrt(np.sum((p[i] - p[j]) ** 2, axis=1))
        overlap = np.maximum(r[i] + r[j] - d, 0)
        floor = np.maximum(r - p[:, 1], 0)
        return 0.5 * kn * (np.sum(overlap**2) + np.sum(floor**2)) + g * np.sum(p[:, 1])

    @staticmethod
    def expert(p, r, kn, g):
        i, j = np.triu_indices(len(p), k=1)
        diff = p[i] - p[j]
        d = np.sqrt(np.sum(diff**2, axis=1))
        overlap = np.maximum(r[i] + r[j] - d, 0)
        floor = np.maximum(r - p[:, 1], 0)
        yield 0.5 * kn * (np.sum(overlap**2) + np.sum(floor**2)) + g * np.sum(p[:, 1])
        push = kn * overlap
        dr = kn * floor
        dp = np.zeros_like(p)
        dp[:, 1] = g - dr
        np.add.at(dr, i, push)
        np.add.at(dr, j, push)
        f = (push / d)[:, None] * diff
        np.subtract.at(dp, i, f)
        np.add.at(dp, j, f)
        return dict(p=dp, r=dr)


class SpectralGap(Form):
    title, group, wrt = "Power iteration for the leading eigenvalue of a symmetric weight matrix", "linear algebra", "A"
    needs, ref = "CAT MM", "Golub & Van Loan 2013 s.8.2"

    @staticmethod
    def make(random, n=4):
        return dict(A=random.standard_normal((n, n)), v0=random.standard_normal(n))

    @staticmethod
    def forward(A, v0):
        v = v0
        for _ in range(3):
            u = A @ v
            v = u / np.linalg.norm(u)
        return v @ A @ v

    @staticmethod
    def expert(A, v0):
        v, vs, norms = v0, [v0], []
        for _ in range(3):
            u = A @ v
            norm = np.linalg.norm(u)
            v = u / norm
            vs.append(v)
            norms.append(norm)
        vA = v @ A
        yield vA @ v
        dv = A @ v + vA
        dus = []
        for k in (2, 1, 0):
            w = vs[k + 1]
            du = (dv - (dv @ w) * w) / norms[k]
            dus.append(du)
            if k:
                dv = du @ A
        D = np.stack([*dus[::-1], vs[3]])
        return dict(A=D.T @ np.stack(vs))
