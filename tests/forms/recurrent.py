"""Recurrent cells and loops."""

import numpy as np

from tests.forms.form import Form


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


class RnnStep(Form):
    title, group = "tanh RNN step", "recurrent"
    wrt = "x h Wx Wh b"
    needs = "MM OUT UNB"
    ref = "CS231n assignment 3, rnn_step_backward"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(x=normal((4, 3)), h=normal((4, 5)), Wx=normal((3, 5)), Wh=normal((5, 5)), b=normal(5))

    @staticmethod
    def forward(x, h, Wx, Wh, b):
        return np.tanh(x @ Wx + h @ Wh + b)

    @staticmethod
    def expert(x, h, Wx, Wh, b):
        y = np.tanh(x @ Wx + h @ Wh + b)
        g = yield y
        d = g * (1 - y**2)
        return dict(x=d @ Wx.T, h=d @ Wh.T, Wx=x.T @ d, Wh=h.T @ d, b=d.sum(0))


class RnnThreeSteps(Form):
    title, group = "tanh RNN over three steps in a loop, squared error of the last state", "recurrent"
    wrt = "Wx Wh b"
    needs = "SEED OUT CAT MM UNB"
    ref = "Werbos 1990; Appleyard et al. 2016 (one product for the weights of all steps)"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            xs=normal((3, 4, 2)),
            h0=normal((4, 3)),
            target=normal((4, 3)),
            Wx=normal((2, 3)),
            Wh=normal((3, 3)),
            b=normal(3),
        )

    @staticmethod
    def forward(xs, h0, target, Wx, Wh, b):
        h = h0
        for t in range(len(xs)):
            h = np.tanh(np.dot(xs[t], Wx) + np.dot(h, Wh) + b)
        return 0.5 * np.sum((h - target) ** 2)

    @staticmethod
    def expert(xs, h0, target, Wx, Wh, b):
        states = [h0]
        for x in xs:
            states.append(np.tanh(np.dot(x, Wx) + np.dot(states[-1], Wh) + b))
        error = states[-1] - target
        yield 0.5 * np.sum(error**2)
        d = error * (1 - states[-1] ** 2)
        ds = [d]
        for h in states[-2:0:-1]:
            d = np.dot(d, Wh.T) * (1 - h**2)
            ds.insert(0, d)
        D = np.concatenate(ds)
        previous = np.concatenate(states[:-1])
        return dict(Wx=np.dot(xs.reshape(-1, xs.shape[2]).T, D), Wh=np.dot(previous.T, D), b=D.sum(axis=0))


class LstmCell(Form):
    title, group = "LSTM cell, the three gates in one slice", "recurrent"
    wrt = "x h c Wx Wh b"
    needs = "OUT SIG FACT CAT MM UNB"
    ref = "Hochreiter & Schmidhuber 1997; CS231n assignment 3, lstm_step_backward"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        return dict(
            x=normal((4, 2)), h=normal((4, 3)), c=normal((4, 3)), Wx=normal((2, 12)), Wh=normal((3, 12)), b=normal(12)
        )

    @staticmethod
    def forward(x, h, c, Wx, Wh, b):
        size = h.shape[1]
        a = x @ Wx + h @ Wh + b
        gates = sigmoid(a[:, : 3 * size])
        i, f, o = np.split(gates, 3, axis=1)
        candidate = np.tanh(a[:, 3 * size :])
        next_c = f * c + i * candidate
        return o * np.tanh(next_c), next_c

    @staticmethod
    def expert(x, h, c, Wx, Wh, b):
        size = h.shape[1]
        a = x @ Wx + h @ Wh + b
        gates = sigmoid(a[:, : 3 * size])
        i, f, o = np.split(gates, 3, axis=1)
        candidate = np.tanh(a[:, 3 * size :])
        kept, written = f * c, i * candidate
        next_c = kept + written
        t = np.tanh(next_c)
        next_h = o * t
        gh, gc = yield next_h, next_c
        dc = gc + gh * o * (1 - t * t)
        # Each gate multiplies a value, and the derivative of gate * value is gate * value * (1 - gate).
        da = np.concatenate([dc * written, dc * kept, gh * next_h, dc * i], axis=1)
        da *= np.concatenate([1 - gates, 1 - candidate * candidate], axis=1)
        return dict(x=da @ Wx.T, h=da @ Wh.T, c=dc * f, Wx=x.T @ da, Wh=h.T @ da, b=da.sum(axis=0))


class GruCell(Form):
    title, group = "GRU cell, reset before the product", "recurrent"
    wrt = "x h Wz Uz bz Wr Ur br Wn Un bn"
    needs = "OUT SIG FACT MM UNB"
    ref = "Cho et al. 2014 eq. 5-8"

    @staticmethod
    def make(random):
        normal = random.standard_normal
        values = dict(x=normal((4, 2)), h=normal((4, 3)))
        for gate in "zrn":
            values |= {f"W{gate}": normal((2, 3)), f"U{gate}": normal((3, 3)), f"b{gate}": normal(3)}
        return values

    @staticmethod
    def forward(x, h, Wz, Uz, bz, Wr, Ur, br, Wn, Un, bn):
        z = sigmoid(x @ Wz + h @ Uz + bz)
        r = sigmoid(x @ Wr + h @ Ur + br)
        n = np.tanh(x @ Wn + (r * h) @ Un + bn)
        return (1 - z) * n + z * h

    @staticmethod
    def expert(x, h, Wz, Uz, bz, Wr, Ur, br, Wn, Un, bn):
        z = sigmoid(x @ Wz + h @ Uz + bz)
        r = sigmoid(x @ Wr + h @ Ur + br)
        rh = r * h
        n = np.tanh(x @ Wn + rh @ Un + bn)
        keep = 1 - z
        g = yield keep * n + z * h
        dn = g * keep * (1 - n**2)
        gz = g * z
        dz = gz * keep * (h - n)
        drh = dn @ Un.T
        dr = drh * rh * (1 - r)
        return dict(
            x=dz @ Wz.T + dr @ Wr.T + dn @ Wn.T,
            h=gz + drh * r + dz @ Uz.T + dr @ Ur.T,
            Wz=x.T @ dz,
            Uz=h.T @ dz,
            bz=dz.sum(0),
            Wr=x.T @ dr,
            Ur=h.T @ dr,
            br=dr.sum(0),
            Wn=x.T @ dn,
            Un=rh.T @ dn,
            bn=dn.sum(0),
        )
