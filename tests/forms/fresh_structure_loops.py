"""Loops over time: recurrences, integrators, filters, recursions of probabilities, written as people write them."""

import numpy as np

from tests.forms.form import Form


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


class EulerNetwork(Form):
    title, group = "Neural ordinary differential equation by Euler's method, squared error of the end", "recurrent"
    wrt = "x W b"
    needs = "OUT MM UNB CAT"
    ref = "Chen et al. 2018 (discretise, then differentiate); Haber & Ruthotto 2017"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((4, 3)), W=normal((3, 3)), b=normal(3), target=normal((4, 3)), dt=0.1)

    @staticmethod
    def forward(x, W, b, target, dt):
        for _ in range(5):
            x = x + dt * np.tanh(x @ W + b)
        return 0.5 * np.sum((x - target) ** 2)

    @staticmethod
    def expert(x, W, b, target, dt):
        states, rates = [], []
        for _ in range(5):
            a = np.tanh(x @ W + b)
            states.append(x)
            rates.append(a)
            x = x + dt * a
        e = x - target
        yield 0.5 * np.sum(e**2)
        g, ds = e, []
        slopes = dt * (1 - np.stack(rates) ** 2)
        for k in range(4, -1, -1):
            d = g * slopes[k]
            ds.append(d)
            g = g + d @ W.T
        D = np.concatenate(ds[::-1])
        return dict(x=g, W=np.concatenate(states).T @ D, b=D.sum(0))


class RungeKuttaDecay(Form):
    title, group = "Linear system by the classical Runge-Kutta method, trajectory fitted", "recurrent"
    wrt = "A x0"
    needs = "MM SCAL"
    ref = "Hairer, Norsett & Wanner 1993 s.II.1; Sandu 2006 (discrete adjoints of Runge-Kutta methods)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(A=0.3 * normal((3, 3)), x0=normal(3), data=normal((4, 3)), h=0.1)

    @staticmethod
    def forward(A, x0, data, h):
        x, loss = x0, 0.0
        for t in range(len(data)):
            k1 = A @ x
            k2 = A @ (x + h / 2 * k1)
            k3 = A @ (x + h / 2 * k2)
            k4 = A @ (x + h * k3)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            loss = loss + np.sum((x - data[t]) ** 2)
        return loss

    @staticmethod
    def expert(A, x0, data, h):
        x, loss, kept = x0, 0.0, []
        for t in range(len(data)):
            k1 = A @ x
            y2 = x + h / 2 * k1
            k2 = A @ y2
            y3 = x + h / 2 * k2
            k3 = A @ y3
            y4 = x + h * k3
            k4 = A @ y4
            kept += [x, y2, y3, y4]
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            e = x - data[t]
            kept.append(e)
            loss = loss + np.sum(e**2)
        yield loss
        g, points, rates = 0.0, [], []
        for t in range(len(data) - 1, -1, -1):
            x, y2, y3, y4, e = kept[5 * t : 5 * t + 5]
            g = 2 * e if t == len(data) - 1 else g + 2 * e
            g6 = h / 6 * g
            g3 = 2 * g6
            q4 = g6 @ A
            d3 = g3 + h * q4
            q3 = d3 @ A
            d2 = g3 + h / 2 * q3
            q2 = d2 @ A
            d1 = g6 + h / 2 * q2
            q1 = d1 @ A
            g = g + q4 + q3 + q2 + q1
            points += [y4, y3, y2, x]
            rates += [g6, d3, d2, d1]
        return dict(A=np.stack(rates).T @ np.stack(points), x0=g)


class MovingAverageFit(Form):
    title, group = "Exponential moving average of a series, squared error of the forecasts", "recurrent"
    wrt = "x alpha"
    needs = "SCAL CAT"
    ref = "Hyndman & Athanasopoulos 2021 s.8.1"

    @staticmethod
    def make(random):
        return dict(x=random.standard_normal((6, 3)), alpha=0.3)

    @staticmethod
    def forward(x, alpha):
        m, loss = x[0], 0.0
        for t in range(1, len(x)):
            loss = loss + np.sum((x[t] - m) ** 2)
            m = (1 - alpha) * m + alpha * x[t]
        return loss

    @staticmethod
    def expert(x, alpha):
        m, loss, errors = x[0], 0.0, []
        for t in range(1, len(x)):
            e = x[t] - m
            errors.append(e)
            loss = loss + np.sum(e**2)
            m = (1 - alpha) * m + alpha * x[t]
        yield loss
        E = np.stack(errors)
        doubled = 2 * E
        g, gs = np.zeros_like(m), []
        for t in range(len(errors) - 1, -1, -1):
            gs.append(g)
            g = (1 - alpha) * g - doubled[t]
        G = np.stack(gs[::-1])
        dx = alpha * G + doubled
        return dict(x=np.concatenate([g[None], dx]), alpha=np.vdot(G, E))


class GateMatrixLstm(Form):
    title, group = "LSTM over a sequence, one product of [x, h] for all gates, last state", "recurrent"
    wrt = "W b"
    needs = "OUT SIG CAT MM UNB"
    ref = "Hochreiter & Schmidhuber 1997; Karpathy 2015 (batched LSTM in NumPy)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(xs=normal((4, 5, 2)), W=normal((5, 12)), b=normal(12))

    @staticmethod
    def forward(xs, W, b):
        n = b.shape[0] // 4
        h = np.zeros((xs.shape[1], n))
        c = np.zeros((xs.shape[1], n))
        for x in xs:
            z = np.concatenate([x, h], axis=1) @ W + b
            i, f, o = sigmoid(z[:, :n]), sigmoid(z[:, n : 2 * n]), sigmoid(z[:, 2 * n : 3 * n])
            u = np.tanh(z[:, 3 * n :])
            c = f * c + i * u
            h = o * np.tanh(c)
        return h

    @staticmethod
    def expert(xs, W, b):
        n = b.shape[0] // 4
        h = np.zeros((xs.shape[1], n))
        c = np.zeros((xs.shape[1], n))
        kept = []
        for x in xs:
            xh = np.concatenate([x, h], axis=1)
            z = xh @ W + b
            i, f, o = sigmoid(z[:, :n]), sigmoid(z[:, n : 2 * n]), sigmoid(z[:, 2 * n : 3 * n])
            u = np.tanh(z[:, 3 * n :])
            fc, iu = f * c, i * u
            c = fc + iu
            t = np.tanh(c)
            h = o * t
            kept.append((xh, i, f, o, u, fc, iu, t, h))
        dh = yield h
        dc, dzs, inputs = None, [], []
        for xh, i, f, o, u, fc, iu, t, h in kept[::-1]:
            own = dh * o * (1 - t * t)
            dc = own if dc is None else dc + own
            dz = np.concatenate([dc * iu * (1 - i), dc * fc * (1 - f), dh * h * (1 - o), dc * i * (1 - u * u)], axis=1)
            dh = dz @ W[-n:].T
            dc = dc * f
            dzs.append(dz)
            inputs.append(xh)
        D = np.concatenate(dzs)
        return dict(W=np.concatenate(inputs).T @ D, b=D.sum(0))


class ElmanTagger(Form):
    title, group = "Recurrent network with a softmax output at each step, cross-entropy", "recurrent"
    wrt = "Wx Wh Wy bh by"
    needs = "SMAX OUT MM UNB SCAT CAT"
    ref = "Karpathy 2015 (min-char-rnn), batched; Elman 1990"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            xs=normal((4, 3, 2)), labels=random.integers(0, 3, (4, 3)), Wx=normal((2, 4)), Wh=normal((4, 4)),
            Wy=normal((4, 3)), bh=normal(4), by=normal(3),
        )  # fmt: skip

    @staticmethod
    def forward(xs, labels, Wx, Wh, Wy, bh, by):
        h = np.zeros((xs.shape[1], Wh.shape[0]))
        loss = 0.0
        for t in range(len(xs)):
            h = np.tanh(xs[t] @ Wx + h @ Wh + bh)
            z = h @ Wy + by
            e = np.exp(z - z.max(1, keepdims=True))
            p = e / e.sum(1, keepdims=True)
            loss = loss - np.sum(np.log(p[np.arange(len(p)), labels[t]]))
        return loss

    @staticmethod
    def expert(xs, labels, Wx, Wh, Wy, bh, by):
        h = np.zeros((xs.shape[1], Wh.shape[0]))
        loss, hs, ps = 0.0, [h], []
        rows = np.arange(xs.shape[1])
        for t in range(len(xs)):
            h = np.tanh(xs[t] @ Wx + h @ Wh + bh)
            z = h @ Wy + by
            e = np.exp(z - z.max(1, keepdims=True))
            p = e / e.sum(1, keepdims=True)
            hs.append(h)
            ps.append(p)
            loss = loss - np.sum(np.log(p[rows, labels[t]]))
        yield loss
        dz = np.stack(ps)
        dz[np.arange(len(xs))[:, None], rows, labels] -= 1
        H = np.stack(hs)
        slopes = 1 - H[1:] ** 2
        dhs = dz @ Wy.T
        d = dhs[-1] * slopes[-1]
        ds = [d]
        for t in range(len(xs) - 2, -1, -1):
            d = (dhs[t] + d @ Wh.T) * slopes[t]
            ds.append(d)
        D = np.concatenate(ds[::-1])
        flat = dz.reshape(-1, dz.shape[2])
        n = H.shape[2]
        return dict(
            Wx=xs.reshape(-1, xs.shape[2]).T @ D, Wh=H[:-1].reshape(-1, n).T @ D, Wy=H[1:].reshape(-1, n).T @ flat,
            bh=D.sum(0), by=flat.sum(0),
        )  # fmt: skip


class ForwardRecursion(Form):
    title, group = "Forward recursion of a chain in logarithms, free emissions and transitions", "probability"
    wrt = "T E"
    needs = "SMAX CAT"
    ref = "Rabiner 1989 eq. 19-20; Sutton & McCallum 2012 s.4.1"

    @staticmethod
    def make(random):
        return dict(T=random.standard_normal((3, 3)), E=random.standard_normal((5, 3)))

    @staticmethod
    def forward(T, E):
        a = E[0]
        for t in range(1, len(E)):
            s = a[:, None] + T
            m = s.max(axis=0)
            a = E[t] + m + np.log(np.sum(np.exp(s - m), axis=0))
        m = a.max()
        return m + np.log(np.sum(np.exp(a - m)))

    @staticmethod
    def expert(T, E):
        a, kept = E[0], []
        for t in range(1, len(E)):
            s = a[:, None] + T
            m = s.max(axis=0)
            w = np.exp(s - m)
            total = np.sum(w, axis=0)
            a = E[t] + m + np.log(total)
            kept.append((w, total))
        m = a.max()
        w = np.exp(a - m)
        total = np.sum(w)
        yield m + np.log(total)
        g = w / total
        gs, dT = [g], None
        for w, total in kept[::-1]:
            d = w * (g / total)
            dT = d if dT is None else dT + d
            g = d.sum(1)
            gs.append(g)
        return dict(T=dT, E=np.stack(gs[::-1]))


class DiffusionRod(Form):
    title, group = "Diffusion along a rod by slices in a loop, unknown start and conductivity", "science"
    wrt = "u k"
    needs = "CAT SCAL"
    ref = "LeVeque 2007 s.9.1; Giles & Pierce 2000 (discrete adjoint)"

    @staticmethod
    def make(random):
        return dict(u=random.standard_normal(8), k=random.random(8) * 0.2, target=random.standard_normal(8))

    @staticmethod
    def forward(u, k, target):
        for _ in range(4):
            flux = k[:-1] * (u[1:] - u[:-1])
            change = flux[1:] - flux[:-1]
            u = np.concatenate([u[:1], u[1:-1] + change, u[-1:]])
        return np.sum((u - target) ** 2)

    @staticmethod
    def expert(u, k, target):
        steps = []
        for _ in range(4):
            d = u[1:] - u[:-1]
            steps.append(d)
            flux = k[:-1] * d
            u = np.concatenate([u[:1], u[1:-1] + (flux[1:] - flux[:-1]), u[-1:]])
        e = u - target
        yield np.sum(e**2)
        g, dk = 2 * e, np.zeros_like(k)
        for d in steps[::-1]:
            df = np.zeros_like(d)
            df[1:] = g[1:-1]
            df[:-1] -= g[1:-1]
            dk[:-1] += df * d
            dd = df * k[:-1]
            g = g.copy()
            g[1:] += dd
            g[:-1] -= dd
        return dict(u=g, k=dk)


class WaveRing(Form):
    title, group = "Waves on a ring by leapfrog steps with np.roll", "science"
    wrt = "u v c"
    needs = "CAT SCAL"
    ref = "LeVeque 2007 s.10.2; Virieux & Operto 2009 (full waveform inversion)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(u=normal(7), v=normal(7), c=0.5 + 0.1 * random.random(7), target=normal(7), dt=0.2)

    @staticmethod
    def forward(u, v, c, target, dt):
        for _ in range(4):
            lap = np.roll(u, 1) + np.roll(u, -1) - 2 * u
            v = v + dt * c**2 * lap
            u = u + dt * v
        return np.sum((u - target) ** 2)

    @staticmethod
    def expert(u, v, c, target, dt):
        laps = []
        for _ in range(4):
            lap = np.roll(u, 1) + np.roll(u, -1) - 2 * u
            laps.append(lap)
            v = v + dt * c**2 * lap
            u = u + dt * v
        e = u - target
        yield np.sum(e**2)
        gu, gv, gs = 2 * e, None, []
        scale = dt * c**2
        for _ in laps:
            gv = dt * gu if gv is None else gv + dt * gu
            gs.append(gv)
            q = gv * scale
            gu = gu + (np.roll(q, 1) + np.roll(q, -1) - 2 * q)
        dc = (np.stack(gs[::-1]) * np.stack(laps)).sum(0) * (2 * dt * c)
        return dict(u=gu, v=gv, c=dc)


class AdvantageRecursion(Form):
    title, group = "Generalised advantages by a backward recursion over a batch of rollouts, squared", "recurrent"
    wrt = "values"
    needs = "SCAL CAT"
    ref = "Schulman et al. 2016 eq. 16"

    @staticmethod
    def make(random):
        return dict(values=random.standard_normal((6, 3)), rewards=random.standard_normal((5, 3)), gamma=0.9, lam=0.8)

    @staticmethod
    def forward(values, rewards, gamma, lam):
        delta = rewards + gamma * values[1:] - values[:-1]
        advantage, loss = 0.0, 0.0
        for t in reversed(range(len(rewards))):
            advantage = delta[t] + gamma * lam * advantage
            loss = loss + np.sum(advantage**2)
        return loss

    @staticmethod
    def expert(values, rewards, gamma, lam):
        delta = rewards + gamma * values[1:] - values[:-1]
        advantage, loss, kept = 0.0, 0.0, []
        for t in reversed(range(len(rewards))):
            advantage = delta[t] + gamma * lam * advantage
            kept.append(advantage)
            loss = loss + np.sum(advantage**2)
        yield loss
        doubled = 2 * np.stack(kept[::-1])
        g, gs = doubled[0], [doubled[0]]
        for t in range(1, len(rewards)):
            g = doubled[t] + gamma * lam * g
            gs.append(g)
        D = np.stack(gs)
        dv = np.concatenate([-D[:1], gamma * D])
        dv[1:-1] -= D[1:]
        return dict(values=dv)


class GatedScan(Form):
    title, group = "Gated linear recurrence over time with data-dependent decay, readout", "recurrent"
    wrt = "x Wa Wo"
    needs = "SIG OUT MM CAT"
    ref = "Bradbury et al. 2017 (quasi-recurrent networks) eq. 3; Martin & Cundy 2018"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 3)), Wa=normal((3, 3)), Wo=normal((3, 2)))

    @staticmethod
    def forward(x, Wa, Wo):
        a = sigmoid(x @ Wa)
        h = np.zeros(x.shape[1])
        hs = []
        for t in range(len(x)):
            h = a[t] * h + (1 - a[t]) * x[t]
            hs.append(h)
        return np.stack(hs) @ Wo

    @staticmethod
    def expert(x, Wa, Wo):
        a = sigmoid(x @ Wa)
        h = np.zeros_like(x[0])
        hs, befores = [], []
        for t in range(len(x)):
            befores.append(h)
            h = a[t] * h + (1 - a[t]) * x[t]
            hs.append(h)
        H = np.stack(hs)
        g = yield H @ Wo
        dH = g @ Wo.T
        d, ds = dH[-1], [dH[-1]]
        for t in range(len(x) - 2, -1, -1):
            d = dH[t] + a[t + 1] * d
            ds.append(d)
        D = np.stack(ds[::-1])
        b = 1 - a
        dz = D * (np.stack(befores) - x) * a * b
        return dict(x=D * b + dz @ Wa.T, Wa=x.T @ dz, Wo=H.T @ g)


class GradientDescentUnrolled(Form):
    title, group = "Unrolled gradient descent on least squares, learning rate and start learned", "recurrent"
    wrt = "w rate"
    needs = "MM SCAL CAT"
    ref = "Maclaurin et al. 2015; Andrychowicz et al. 2016"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(X=normal((6, 3)), y=normal(6), w=normal(3), rate=0.02)

    @staticmethod
    def forward(X, y, w, rate):
        for _ in range(4):
            w = w - rate * (X.T @ (X @ w - y))
        return 0.5 * np.sum((X @ w - y) ** 2)

    @staticmethod
    def expert(X, y, w, rate):
        grads = []
        for _ in range(4):
            q = X.T @ (X @ w - y)
            grads.append(q)
            w = w - rate * q
        e = X @ w - y
        yield 0.5 * np.sum(e**2)
        g, drate = X.T @ e, 0.0
        for q in grads[::-1]:
            drate = drate - g @ q
            g = g - rate * (X.T @ (X @ g))
        return dict(w=g, rate=drate)
