"""Held out: recurrent networks, one step and unrolled."""

import numpy as np

from tests.forms.form import Form


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


class MinCharRnn(Form):
    title, group = "Character RNN unrolled over four steps, column vectors, summed cross-entropy", "sequences"
    wrt = "Wxh Whh Why bh by"
    needs = "SEED SCAL SMAX CANC SCAT OUT MM CAT UNB"
    ref = "Karpathy, min-char-rnn.py (lossFun)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            inputs=np.eye(5)[random.integers(0, 5, 4), :, None],
            targets=random.integers(0, 5, 4),
            hprev=np.zeros((3, 1)),
            Wxh=normal((3, 5)),
            Whh=normal((3, 3)),
            Why=normal((5, 3)),
            bh=normal((3, 1)),
            by=normal((5, 1)),
        )

    @staticmethod
    def forward(inputs, targets, hprev, Wxh, Whh, Why, bh, by):
        hs, ys, ps = {-1: hprev}, {}, {}
        loss = 0
        for t in range(len(inputs)):
            hs[t] = np.tanh(np.dot(Wxh, inputs[t]) + np.dot(Whh, hs[t - 1]) + bh)
            ys[t] = np.dot(Why, hs[t]) + by
            ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
            loss += -np.log(ps[t][targets[t], 0])
        return loss

    @staticmethod
    def expert(inputs, targets, hprev, Wxh, Whh, Why, bh, by):
        hs, ps = {-1: hprev}, {}
        steps = range(len(inputs))
        loss = 0
        for t in steps:
            hs[t] = np.tanh(np.dot(Wxh, inputs[t]) + np.dot(Whh, hs[t - 1]) + bh)
            e = np.exp(np.dot(Why, hs[t]) + by)
            ps[t] = e / np.sum(e)
            loss += -np.log(ps[t][targets[t], 0])
        yield loss
        draws = [None] * len(inputs)
        dhnext = 0
        for t in reversed(steps):
            ps[t][targets[t]] -= 1
            dh = np.dot(Why.T, ps[t])
            if t + 1 < len(inputs):
                dh += dhnext
            draws[t] = (1 - hs[t] * hs[t]) * dh
            if t > 0:
                dhnext = np.dot(Whh.T, draws[t])
        # One product over all steps in place of a sum of outer products.
        dys = np.hstack([ps[t] for t in steps])
        draw = np.hstack(draws)
        H = np.hstack([hs[t] for t in range(-1, len(inputs))])
        return dict(
            Wxh=np.dot(draw, inputs[:, :, 0]),
            Whh=np.dot(draw, H[:, :-1].T),
            Why=np.dot(dys, H[:, 1:].T),
            bh=np.sum(draw, axis=1, keepdims=True),
            by=np.sum(dys, axis=1, keepdims=True),
        )


class LastStateClassifierRnn(Form):
    title, group = "Elman network over five steps of a batch, loss on the last state only", "sequences"
    wrt = "Wx Wh b"
    needs = "SEED SCAL OUT MM CAT UNB ZERO"
    ref = "Werbos 1990, backpropagation through time; Goodfellow, Bengio & Courville 2016 s.10.2.2"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((4, 5, 2)), target=normal((4, 3)), Wx=normal((2, 3)), Wh=normal((3, 3)), b=normal(3))

    @staticmethod
    def forward(x, target, Wx, Wh, b):
        N, T, D = x.shape
        h = np.zeros((N, Wh.shape[0]))
        for t in range(T):
            h = np.tanh(x[:, t, :] @ Wx + h @ Wh + b)
        return ((h - target) ** 2).sum() / N

    @staticmethod
    def expert(x, target, Wx, Wh, b):
        N, T, D = x.shape
        hs = [np.zeros_like(target)]
        for t in range(T):
            hs.append(np.tanh(x[:, t, :] @ Wx + hs[t] @ Wh + b))
        r = hs[T] - target
        yield (r**2).sum() / N
        d = 2 / N * r * (1 - hs[T] ** 2)
        ds = [d]
        for t in range(T - 1, 0, -1):
            d = d @ Wh.T * (1 - hs[t] ** 2)
            ds.append(d)
        D = np.concatenate(ds[::-1])
        X = x.transpose(1, 0, 2).reshape(N * T, -1)
        return dict(Wx=X.T @ D, Wh=np.concatenate(hs[1:T]).T @ D[N:], b=D.sum(axis=0))


class LstmStepSplitGates(Form):
    title, group = "LSTM step, the pre-activations split in four gates", "sequences"
    wrt = "x prev_h prev_c Wx Wh b"
    needs = "SIG OUT MM CAT UNB FACT"
    ref = "CS231n assignment 3, lstm_step_backward"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            x=normal((3, 4)),
            prev_h=normal((3, 2)),
            prev_c=normal((3, 2)),
            Wx=normal((4, 8)),
            Wh=normal((2, 8)),
            b=normal(8),
        )

    @staticmethod
    def forward(x, prev_h, prev_c, Wx, Wh, b):
        a = np.dot(x, Wx) + np.dot(prev_h, Wh) + b
        ai, af, ao, ag = np.split(a, 4, axis=1)
        i, f, o = sigmoid(ai), sigmoid(af), sigmoid(ao)
        g = np.tanh(ag)
        next_c = f * prev_c + i * g
        next_h = o * np.tanh(next_c)
        return next_h, next_c

    @staticmethod
    def expert(x, prev_h, prev_c, Wx, Wh, b):
        ai, af, ao, ag = np.split(np.dot(x, Wx) + np.dot(prev_h, Wh) + b, 4, axis=1)
        i, f, o = sigmoid(ai), sigmoid(af), sigmoid(ao)
        g = np.tanh(ag)
        ig = i * g
        next_c = f * prev_c + ig
        tc = np.tanh(next_c)
        next_h = o * tc
        dnext_h, dnext_c = yield next_h, next_c
        dc = dnext_c + dnext_h * o * (1 - tc**2)
        dprev_c = dc * f
        di = dc * ig * (1 - i)
        df = dprev_c * prev_c * (1 - f)
        do = dnext_h * next_h * (1 - o)
        dg = dc * i * (1 - g**2)
        da = np.hstack([di, df, do, dg])
        return dict(x=da @ Wx.T, prev_h=da @ Wh.T, prev_c=dprev_c, Wx=x.T @ da, Wh=prev_h.T @ da, b=da.sum(axis=0))


class GruStepSeparateWeights(Form):
    title, group = "GRU step with a matrix for each gate", "sequences"
    wrt = "H W_xz W_hz b_z W_xr W_hr b_r W_xh W_hh b_h"
    needs = "SIG OUT MM UNB FACT"
    ref = "Dive into Deep Learning s.10.2 (gru); Cho et al. 2014"

    @staticmethod
    def make(random):
        normal = random.standard_normal

        def three(name):
            return {f"W_x{name}": normal((4, 2)), f"W_h{name}": normal((2, 2)), f"b_{name}": normal(2)}

        return dict(X=normal((3, 4)), H=normal((3, 2)), **three("z"), **three("r"), **three("h"))

    @staticmethod
    def forward(X, H, W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h):
        Z = sigmoid(np.matmul(X, W_xz) + np.matmul(H, W_hz) + b_z)
        R = sigmoid(np.matmul(X, W_xr) + np.matmul(H, W_hr) + b_r)
        H_tilde = np.tanh(np.matmul(X, W_xh) + np.matmul(R * H, W_hh) + b_h)
        return Z * H + (1 - Z) * H_tilde

    @staticmethod
    def expert(X, H, W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h):
        Z = sigmoid(np.matmul(X, W_xz) + np.matmul(H, W_hz) + b_z)
        R = sigmoid(np.matmul(X, W_xr) + np.matmul(H, W_hr) + b_r)
        RH = R * H
        T = np.tanh(np.matmul(X, W_xh) + np.matmul(RH, W_hh) + b_h)
        U = 1 - Z
        ZH = Z * H
        g = yield ZH + U * T
        gU = g * U
        dh = gU * (1 - T**2)
        dz = gU * Z * (H - T)
        dRH = dh @ W_hh.T
        dR_R = dRH * R
        dr = dR_R * H * (1 - R)
        return dict(
            H=g * Z + dR_R + dz @ W_hz.T + dr @ W_hr.T,
            W_xz=X.T @ dz,
            W_hz=H.T @ dz,
            b_z=dz.sum(0),
            W_xr=X.T @ dr,
            W_hr=H.T @ dr,
            b_r=dr.sum(0),
            W_xh=X.T @ dh,
            W_hh=RH.T @ dh,
            b_h=dh.sum(0),
        )


class BidirectionalSum(Form):
    title, group = "Bidirectional RNN over three steps, states added and averaged", "sequences"
    wrt = "Wf Uf Wb Ub"
    needs = "SCAL OUT MM CAT"
    ref = "Schuster & Paliwal 1997"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((3, 4, 2)), Wf=normal((2, 3)), Uf=normal((3, 3)), Wb=normal((2, 3)), Ub=normal((3, 3)))

    @staticmethod
    def forward(x, Wf, Uf, Wb, Ub):
        def run(xs, W, U):
            h, states = np.tanh(xs[0] @ W), []
            states.append(h)
            for xt in xs[1:]:
                h = np.tanh(xt @ W + h @ U)
                states.append(h)
            return states

        forth = run(x, Wf, Uf)
        back = run(x[::-1], Wb, Ub)[::-1]
        total = 0
        for hf, hb in zip(forth, back, strict=True):
            total = total + (hf + hb)
        return total / len(x)

    @staticmethod
    def expert(x, Wf, Uf, Wb, Ub):
        def run(xs, W, U):
            states = [np.tanh(xs[0] @ W)]
            for xt in xs[1:]:
                states.append(np.tanh(xt @ W + states[-1] @ U))
            return states

        def pullback(xs, states, U, g):
            T = len(xs)
            d = g * (1 - states[-1] ** 2)
            ds = [d]
            for t in range(T - 2, -1, -1):
                d = (g + d @ U.T) * (1 - states[t] ** 2)
                ds.append(d)
            D = np.concatenate(ds[::-1])
            n = len(g)
            return xs.reshape(T * n, -1).T @ D, np.concatenate(states[:-1]).T @ D[n:]

        forth, back = run(x, Wf, Uf), run(x[::-1], Wb, Ub)
        total = 0
        for hf, hb in zip(forth, back[::-1], strict=True):
            total = total + (hf + hb)
        g = yield total / len(x)
        g = g / len(x)
        dWf, dUf = pullback(x, forth, Uf, g)
        dWb, dUb = pullback(x[::-1], back, Ub, g)
        return dict(Wf=dWf, Uf=dUf, Wb=dWb, Ub=dUb)


class MinimalGatedUnitStep(Form):
    title, group = "Minimal gated unit on concatenated input and state", "sequences"
    wrt = "x h Wf bf Wh bh"
    needs = "SIG OUT MM CAT UNB FACT"
    ref = "Zhou et al. 2016, minimal gated unit"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            x=normal((4, 3)), h=normal((4, 2)), Wf=normal((5, 2)), bf=normal(2), Wh=normal((5, 2)), bh=normal(2)
        )

    @staticmethod
    def forward(x, h, Wf, bf, Wh, bh):
        f = sigmoid(np.concatenate((h, x), axis=1) @ Wf + bf)
        h_tilde = np.tanh(np.concatenate((f * h, x), axis=1) @ Wh + bh)
        return (1 - f) * h + f * h_tilde

    @staticmethod
    def expert(x, h, Wf, bf, Wh, bh):
        n = h.shape[1]
        hx = np.concatenate((h, x), axis=1)
        f = sigmoid(hx @ Wf + bf)
        fhx = np.concatenate((f * h, x), axis=1)
        t = np.tanh(fhx @ Wh + bh)
        u = 1 - f
        g = yield u * h + f * t
        gf = g * f
        dt = gf * (1 - t**2)
        dfhx = dt @ Wh.T
        dfh = dfhx[:, :n]
        df = (g * (t - h) + dfh * h) * f * u
        dhx = df @ Wf.T
        return dict(
            x=dhx[:, n:] + dfhx[:, n:],
            h=g - gf + dfh * f + dhx[:, :n],
            Wf=hx.T @ df,
            bf=df.sum(axis=0),
            Wh=fhx.T @ dt,
            bh=dt.sum(axis=0),
        )
