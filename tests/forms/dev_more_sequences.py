"""Recurrences over time: networks, filters, recursions of likelihoods and integrators."""

import numpy as np

from tests.forms.form import Form


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


class CharacterRnn(Form):
    title, group = "Character network over time, states in a list, one cross-entropy a step", "recurrent"
    wrt = "Wxh Whh Why bh by"
    needs = "SMAX OUT MM UNB"
    ref = "Karpathy, min-char-rnn.py (lossFun); Appleyard et al. 2016 (one product for the weights of all steps)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            xs=np.eye(5)[[0, 2, 1, 4, 3, 2]],
            targets=np.array([2, 1, 4, 3, 2, 0]),
            Wxh=normal((5, 4)),
            Whh=normal((4, 4)),
            Why=normal((4, 5)),
            bh=normal(4),
            by=normal(5),
        )

    @staticmethod
    def forward(xs, targets, Wxh, Whh, Why, bh, by):
        h = np.zeros(Whh.shape[0])
        loss = 0.0
        for t in range(len(xs)):
            h = np.tanh(xs[t] @ Wxh + h @ Whh + bh)
            y = h @ Why + by
            p = np.exp(y) / np.sum(np.exp(y))
            loss += -np.log(p[targets[t]])
        return loss

    @staticmethod
    def expert(xs, targets, Wxh, Whh, Why, bh, by):
        hs = [np.zeros(Whh.shape[0])]
        ps = []
        loss = 0.0
        for t in range(len(xs)):
            hs.append(np.tanh(xs[t] @ Wxh + hs[-1] @ Whh + bh))
            y = hs[-1] @ Why + by
            e = np.exp(y)
            ps.append(e / np.sum(e))
            loss += -np.log(ps[-1][targets[t]])
        yield loss
        H = np.stack(hs)
        dY = np.stack(ps)
        dY[np.arange(len(xs)), targets] -= 1
        dH = dY @ Why.T
        slopes = 1 - H[1:] ** 2
        dZ = np.empty_like(dH)
        d = 0.0
        for t in range(len(xs))[::-1]:
            d = dH[t] + d
            d = d * slopes[t]
            dZ[t] = d
            d = d @ Whh.T
        return dict(Wxh=xs.T @ dZ, Whh=H[:-1].T @ dZ, Why=H[1:].T @ dY, bh=dZ.sum(axis=0), by=dY.sum(axis=0))


class LstmSequence(Form):
    title, group = "LSTM over time, weights of all gates in one matrix, given cotangents of all states", "recurrent"
    wrt = "x Wx Wh b"
    needs = "OUT SIG FACT CAT MM UNB"
    ref = "CS231n assignment 3, lstm_forward and lstm_backward"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((5, 3, 2)), h0=normal((3, 4)), Wx=normal((2, 16)), Wh=normal((4, 16)), b=normal(16))

    @staticmethod
    def forward(x, h0, Wx, Wh, b):
        H = h0.shape[1]
        h, c = h0, np.zeros_like(h0)
        hs = []
        for t in range(x.shape[0]):
            a = x[t] @ Wx + h @ Wh + b
            i = sigmoid(a[:, :H])
            f = sigmoid(a[:, H : 2 * H])
            o = sigmoid(a[:, 2 * H : 3 * H])
            g = np.tanh(a[:, 3 * H :])
            c = f * c + i * g
            h = o * np.tanh(c)
            hs.append(h)
        return np.stack(hs)

    @staticmethod
    def expert(x, h0, Wx, Wh, b):
        H = h0.shape[1]
        h, c = h0, np.zeros_like(h0)
        hs, kept = [], []
        for t in range(x.shape[0]):
            a = x[t] @ Wx + h @ Wh + b
            i = sigmoid(a[:, :H])
            f = sigmoid(a[:, H : 2 * H])
            o = sigmoid(a[:, 2 * H : 3 * H])
            g = np.tanh(a[:, 3 * H :])
            fc, ig = f * c, i * g
            c = fc + ig
            tc = np.tanh(c)
            h = o * tc
            kept.append((i, f, o, g, fc, ig, tc))
            hs.append(h)
        dout = yield np.stack(hs)
        T = x.shape[0]
        das = [None] * T
        dh = dc = 0.0
        for t in range(T)[::-1]:
            i, f, o, g, fc, ig, tc = kept[t]
            dh = dout[t] + dh
            dc = dc + dh * o * (1 - tc * tc)
            gates = [dc * ig * (1 - i), dc * fc * (1 - f), dh * hs[t] * (1 - o), dc * i * (1 - g * g)]
            da = das[t] = np.concatenate(gates, axis=1)
            dh = da @ Wh.T
            dc = dc * f
        dA = np.stack(das)
        flat = dA.reshape(-1, 4 * H)
        previous = np.concatenate([h0, *hs[:-1]])
        return dict(x=dA @ Wx.T, Wx=x.reshape(-1, x.shape[2]).T @ flat, Wh=previous.T @ flat, b=flat.sum(0))


class LinearChainCrf(Form):
    title, group = "Negative log-likelihood of a linear-chain random field by the forward algorithm", "sequences"
    wrt = "emissions transitions"
    needs = "SMAX SCAT"
    ref = "Lafferty et al. 2001; Sutton & McCallum 2012 s.4.1 (forward-backward)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(emissions=normal((6, 4)), transitions=normal((4, 4)), tags=np.array([0, 2, 1, 3, 3, 0]))

    @staticmethod
    def forward(emissions, transitions, tags):
        score = np.sum(emissions[np.arange(len(tags)), tags]) + np.sum(transitions[tags[:-1], tags[1:]])
        alpha = emissions[0]
        for t in range(1, len(emissions)):
            s = alpha[:, None] + transitions
            m = np.max(s, axis=0)
            alpha = m + np.log(np.sum(np.exp(s - m), axis=0)) + emissions[t]
        m = np.max(alpha)
        return m + np.log(np.sum(np.exp(alpha - m))) - score

    @staticmethod
    def expert(emissions, transitions, tags):
        score = np.sum(emissions[np.arange(len(tags)), tags]) + np.sum(transitions[tags[:-1], tags[1:]])
        alpha = emissions[0]
        kept = []
        for t in range(1, len(emissions)):
            s = alpha[:, None] + transitions
            m = np.max(s, axis=0)
            e = np.exp(s - m)
            total = np.sum(e, axis=0)
            alpha = m + np.log(total) + emissions[t]
            kept.append((e, total))
        m = np.max(alpha)
        e = np.exp(alpha - m)
        total = np.sum(e)
        yield m + np.log(total) - score
        d_emissions = np.empty_like(emissions)
        d_transitions = np.zeros_like(transitions)
        d = e / total
        d_emissions[-1] = d
        for t in range(len(emissions) - 1)[::-1]:
            e, total = kept[t]
            pairs = e * (d / total)
            d_transitions += pairs
            d = pairs.sum(axis=1)
            d_emissions[t] = d
        d_emissions[np.arange(len(tags)), tags] -= 1
        np.subtract.at(d_transitions, (tags[:-1], tags[1:]), 1)
        return dict(emissions=d_emissions, transitions=d_transitions)


class HiddenMarkovLikelihood(Form):
    title, group = "Negative log-likelihood of a hidden Markov model by the scaled forward algorithm", "sequences"
    wrt = "pi A B"
    needs = "OUT SCAT"
    ref = "Rabiner 1989 s.V.A (scaling)"

    @staticmethod
    def make(random):
        positive = random.random
        return dict(
            pi=positive(3) + 0.2, A=positive((3, 3)) + 0.1, B=positive((3, 4)) + 0.1, o=np.array([1, 0, 3, 2, 1])
        )

    @staticmethod
    def forward(pi, A, B, o):
        a = pi * B[:, o[0]]
        c = np.sum(a)
        a = a / c
        loss = -np.log(c)
        for t in range(1, len(o)):
            a = (a @ A) * B[:, o[t]]
            c = np.sum(a)
            a = a / c
            loss = loss - np.log(c)
        return loss

    @staticmethod
    def expert(pi, A, B, o):
        first = pi * B[:, o[0]]
        c = np.sum(first)
        a = first / c
        loss = -np.log(c)
        kept = [(a, None, c)]
        for t in range(1, len(o)):
            r = a @ A
            a = r * B[:, o[t]]
            c = np.sum(a)
            a = a / c
            loss = loss - np.log(c)
            kept.append((a, r, c))
        yield loss
        # beta of Rabiner: the cotangent of the scaled alpha is minus the scaled beta; alpha @ beta is 1.
        dA, dB = np.zeros_like(A), np.zeros_like(B)
        beta = np.full(len(pi), 1.0)
        for t in range(1, len(o))[::-1]:
            a, r, c = kept[t]
            below = beta / -c
            dB[:, o[t]] += r * below
            down = B[:, o[t]] * below
            dA += np.outer(kept[t - 1][0], down)
            beta = -(A @ down)
        d = beta / -kept[0][2]
        dB[:, o[0]] += pi * d
        return dict(pi=d * B[:, o[0]], A=dA, B=dB)


class ExponentiallyWeightedVolatility(Form):
    title, group = "Gaussian likelihood of a volatility recursion, buffer of variances, several series", "time series"
    wrt = "omega alpha beta"
    needs = "SCAL FACT"
    ref = "Bollerslev 1986 (GARCH); the recursion differentiated in reverse"

    @staticmethod
    def make(random):
        return dict(
            r=random.standard_normal((6, 3)),
            omega=random.random(3) + 0.1,
            alpha=random.random(3) * 0.3,
            beta=random.random(3) * 0.5,
        )

    @staticmethod
    def forward(r, omega, alpha, beta):
        T = len(r)
        s2 = np.empty_like(r)
        s2[0] = np.var(r, axis=0)
        for t in range(1, T):
            s2[t] = omega + alpha * r[t - 1] ** 2 + beta * s2[t - 1]
        return 0.5 * np.sum(np.log(s2) + r**2 / s2)

    @staticmethod
    def expert(r, omega, alpha, beta):
        T = len(r)
        s2 = np.empty_like(r)
        s2[0] = np.var(r, axis=0)
        for t in range(1, T):
            s2[t] = omega + alpha * r[t - 1] ** 2 + beta * s2[t - 1]
        squared = r**2
        ratio = squared / s2
        yield 0.5 * np.sum(np.log(s2) + ratio)
        d = 0.5 * (1 - ratio) / s2
        for t in range(1, T - 1)[::-1]:
            d[t] += beta * d[t + 1]
        d = d[1:]
        return dict(omega=d.sum(axis=0), alpha=(d * squared[:-1]).sum(axis=0), beta=(d * s2[:-1]).sum(axis=0))


class LeapfrogPendulum(Form):
    title, group = "Pendulums by a leapfrog integrator, squared error of the last angles", "science"
    wrt = "theta0 omega0 k"
    needs = "SCAL FACT"
    ref = "Hairer, Lubich & Wanner 2006 s.I.1; Giles & Pierce 2000 (discrete adjoint)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(theta0=normal(4), omega0=normal(4), k=random.random(4) + 0.5, target=normal(4), dt=0.1)

    @staticmethod
    def forward(theta0, omega0, k, target, dt):
        theta, omega = theta0, omega0
        for _ in range(6):
            half = omega - 0.5 * dt * k * np.sin(theta)
            theta = theta + dt * half
            omega = half - 0.5 * dt * k * np.sin(theta)
        return np.sum((theta - target) ** 2) + np.sum(omega**2)

    @staticmethod
    def expert(theta0, omega0, k, target, dt):
        theta, omega = theta0, omega0
        angles, sines = [theta], []
        for _ in range(6):
            first = np.sin(theta)
            half = omega - 0.5 * dt * k * first
            theta = theta + dt * half
            second = np.sin(theta)
            omega = half - 0.5 * dt * k * second
            angles.append(theta)
            sines.append((first, second))
        error = theta - target
        yield np.sum(error**2) + np.sum(omega**2)
        dtheta, domega = 2 * error, 2 * omega
        kick = (-0.5 * dt) * k
        dk = 0.0
        cosines = kick * np.cos(np.stack(angles))
        for t in range(6)[::-1]:
            first, second = sines[t]
            dk = dk + domega * second
            dtheta = dtheta + domega * cosines[t + 1]
            dhalf = domega + dt * dtheta
            dk = dk + dhalf * first
            dtheta = dtheta + dhalf * cosines[t]
            domega = dhalf
        return dict(theta0=dtheta, omega0=domega, k=(-0.5 * dt) * dk)


class SinkhornTransport(Form):
    title, group = "Entropic transport cost by iterations of Sinkhorn", "sequences"
    wrt = "C"
    needs = "OUT CANC"
    ref = "Cuturi 2013; Genevay, Peyre & Cuturi 2018 (differentiated iterations)"

    @staticmethod
    def make(random):
        return dict(C=random.random((4, 5)), a=np.full(4, 0.25), b=np.full(5, 0.2), eps=0.5)

    @staticmethod
    def forward(C, a, b, eps):
        K = np.exp(-C / eps)
        v = np.ones(len(b))
        for _ in range(4):
            u = a / (K @ v)
            v = b / (K.T @ u)
        P = u[:, None] * K * v
        return np.sum(P * C)

    @staticmethod
    def expert(C, a, b, eps):
        K = np.exp(-C / eps)
        v = np.ones(len(b))
        us, vs, Kvs, Ktus = [], [v], [], []
        for _ in range(4):
            Kvs.append(K @ v)
            u = a / Kvs[-1]
            us.append(u)
            Ktus.append(K.T @ u)
            v = b / Ktus[-1]
            vs.append(v)
        scaled = u[:, None] * K
        P = scaled * v
        cost = np.sum(P * C)
        yield cost
        # D is what reaches the kernel; the plan is u K v.
        W = P * C
        dlogK = W
        du, dv = W.sum(axis=1) / u, W.sum(axis=0) / v
        dK = 0.0
        for t in range(4)[::-1]:
            dq = dv * vs[t + 1] / Ktus[t]
            dK = dK + np.outer(us[t], dq)
            du = du - K @ dq
            ds = du * us[t] / Kvs[t]
            dK = dK + np.outer(ds, vs[t])
            dv = -(K.T @ ds)
            du = 0.0
        return dict(C=P - (dlogK - dK * K) / eps)


class KalmanLocalLevel(Form):
    title, group = "Likelihood of local-level models by the Kalman filter, several series at once", "time series"
    wrt = "q r"
    needs = "SCAL FACT"
    ref = "Durbin & Koopman 2012 ch. 2; the filter differentiated in reverse"

    @staticmethod
    def make(random):
        return dict(y=random.standard_normal((5, 3)), q=random.random(3) + 0.2, r=random.random(3) + 0.5)

    @staticmethod
    def forward(y, q, r):
        m = y[0]
        P = r
        loss = 0.0
        for t in range(1, len(y)):
            P = P + q
            S = P + r
            e = y[t] - m
            loss = loss + 0.5 * np.sum(np.log(S) + e**2 / S)
            K = P / S
            m = m + K * e
            P = (1 - K) * P
        return loss

    @staticmethod
    def expert(y, q, r):
        m = y[0]
        P = r
        loss = 0.0
        kept = []
        for t in range(1, len(y)):
            P = P + q
            S = P + r
            e = y[t] - m
            weighted = e**2 / S
            loss = loss + 0.5 * np.sum(np.log(S) + weighted)
            K = P / S
            rest = 1 - K
            m = m + K * e
            kept.append((P, S, e, weighted, K, rest))
            P = rest * P
        yield loss
        dm = dP = dq = dr = 0.0
        for t in range(len(y) - 1)[::-1]:
            P, S, e, weighted, K, rest = kept[t]
            # K = P / S, new P = (1 - K) P, new m = m + K e, loss 0.5 (log S + e**2 / S)
            dK = dm * e - dP * P
            scaled = dK / S
            dS = 0.5 * (1 - weighted) / S - scaled * K
            dr = dr + dS
            dP = dP * rest + scaled + dS
            dq = dq + dP
            dm = dm * rest - e / S
        return dict(q=dq, r=dr + dP)
