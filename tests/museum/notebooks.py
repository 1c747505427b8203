"""What stands in notebooks: several statements on a line, loops that stop early, misplaced lines, small engines."""

from __future__ import annotations

import math

import numpy as np

from tests.museum.exhibit import Room

room = Room("notebooks")
normal = room.normal


# ---- several statements on a line
def scaled(x, w, b, gamma):
    z = x @ w + b
    zc = z - z.mean(0)
    s = np.sqrt((zc * zc).mean(0) + 1e-5)
    out = np.maximum(gamma * zc / s, 0)
    return out


# fmt: off
def scaled_right(dout, x, w, b, gamma):
    z = x @ w + b; zc = z - z.mean(0); s = np.sqrt((zc * zc).mean(0) + 1e-5); n = zc / s  # noqa: E702
    do = dout * (gamma * n > 0); dgamma = (do * n).sum(0); dn = do * gamma  # noqa: E702
    dz = (dn - dn.mean(0) - n * (dn * n).mean(0)) / s
    dx = dz @ w.T; dw = x.T @ dz; db = dz.sum(0)  # noqa: E702
    return dx, dw, db, dgamma


def scaled_before_division(dout, x, w, b, gamma):
    z = x @ w + b; zc = z - z.mean(0); s = np.sqrt((zc * zc).mean(0) + 1e-5); n = zc / s  # noqa: E702
    do = dout * (gamma * n > 0); dgamma = (do * zc).sum(0); dn = do * gamma  # noqa: E702
    dz = (dn - dn.mean(0) - n * (dn * n).mean(0)) / s
    dx = dz @ w.T; dw = x.T @ dz; db = dz.sum(0)  # noqa: E702
    return dx, dw, db, dgamma
# fmt: on


SCALED = {"x": normal(7, 4), "w": normal(4, 3), "b": normal(3), "gamma": normal(3)}
room.right(scaled_right, scaled, SCALED)
room.wrong(scaled_before_division, scaled, SCALED, "wrong_operand missing_scale", "out s", "gamma")


# ---- one slip on two lines
def unit(x, W, b, u):
    h = np.tanh(W @ x + b)
    return u @ h


def tanh_not_squared_twice(x, W, b, u):
    h = np.tanh(W @ x + b)
    dh = u
    dW = np.outer(dh * (1 - h), x)
    db = dh * (1 - h)
    return {"W": dW, "b": db, "u": h}


UNIT = {"x": normal(3), "W": normal(4, 3), "b": normal(4), "u": normal(4)}
room.wrong(tanh_not_squared_twice, unit, UNIT, "wrong_power wrong_local_derivative", "h", "W b", wrt="W b u")


# ---- through time, by functions of one step
def recurrent(x, h0, Wx, Wh, b):
    h = np.zeros((x.shape[0], h0.shape[0]))
    prev = h0
    for t in range(x.shape[0]):
        prev = np.tanh(x[t] @ Wx + prev @ Wh + b)
        h[t] = prev
    return h


def step_back(dnext, x, prev, Wx, Wh, nxt):
    da = dnext * (1 - nxt**2)
    return da @ Wx.T, da @ Wh.T, np.outer(x, da), np.outer(prev, da), da


def recurrent_right(x, h0, Wx, Wh, b, dh):
    T = len(x)
    hs = [h0]
    for t in range(T):
        hs.append(np.tanh(x[t] @ Wx + hs[-1] @ Wh + b))
    dx, dWx, dWh, db = (np.zeros_like(a) for a in (x, Wx, Wh, b))
    carry = np.zeros_like(h0)
    for t in range(T - 1, -1, -1):
        dx[t], carry, dWx_t, dWh_t, db_t = step_back(dh[t] + carry, x[t], hs[t], Wx, Wh, hs[t + 1])
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
    return dx, carry, dWx, dWh, db


def recurrent_stops_early(x, h0, Wx, Wh, b, dh):
    T = len(x)
    hs = [h0]
    for t in range(T):
        hs.append(np.tanh(x[t] @ Wx + hs[-1] @ Wh + b))
    dx, dWx, dWh, db = (np.zeros_like(a) for a in (x, Wx, Wh, b))
    carry = np.zeros_like(h0)
    for t in range(T - 1, 0, -1):
        dx[t], carry, dWx_t, dWh_t, db_t = step_back(dh[t] + carry, x[t], hs[t], Wx, Wh, hs[t + 1])
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
    return dx, carry, dWx, dWh, db


TIME = {"x": normal(3, 2), "h0": normal(4), "Wx": normal(2, 4), "Wh": 0.5 * normal(4, 4), "b": normal(4)}
room.right(recurrent_right, recurrent, TIME)
room.wrong(
    recurrent_stops_early, recurrent, TIME, "wrong_loop_range", None, "x h0 Wx Wh b"
)  # fmt: skip


# ---- loops over samples and classes
def margins(W, X, y, reg):
    s = X @ W
    correct = s[np.arange(len(y)), y]
    margins = np.maximum(0, s - correct[:, None] + 1)
    margins[np.arange(len(y)), y] = 0
    return margins.sum() / len(y) + reg * np.sum(W * W)


def margins_right(W, X, y, reg):
    dW = np.zeros(W.shape)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if j == y[i]:
                continue
            if scores[j] - scores[y[i]] + 1 > 0:
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    dW /= X.shape[0]
    dW += 2 * reg * W
    return dW


def margins_target_once(W, X, y, reg):
    dW = np.zeros(W.shape)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        for j in range(W.shape[1]):
            if j == y[i]:
                continue
            if scores[j] - scores[y[i]] + 1 > 0:
                dW[:, j] += X[i]
        dW[:, y[i]] -= X[i]
    dW /= X.shape[0]
    dW += 2 * reg * W
    return dW


MARGINS = {"W": normal(4, 3), "X": normal(6, 4), "y": np.array([0, 2, 1, 1, 0, 2]), "reg": 0.2}
room.right(margins_right, margins, MARGINS, wrt="W")
room.wrong(margins_target_once, margins, MARGINS, "missing_count_on_target wrong_block", "margins", "W", wrt="W")


# ---- an engine for single numbers
class Value:
    def __init__(self, data, children=()):
        self.data = data
        self.grad = 0.0
        self.children = children
        self.step = lambda: None

    def __add__(self, other):
        out = Value(self.data + other.data, (self, other))

        def step():
            self.grad += out.grad
            other.grad += out.grad

        out.step = step
        return out

    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other))

        def step():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.step = step
        return out

    def tanh(self):
        t = (math.exp(2 * self.data) - 1) / (math.exp(2 * self.data) + 1)
        out = Value(t, (self,))

        def step():
            self.grad += (1 - t) * out.grad

        out.step = step
        return out

    def backward(self):
        order, seen = [], set()

        def build(v):
            if v not in seen:
                seen.add(v)
                for child in v.children:
                    build(child)
                order.append(v)

        build(self)
        self.grad = 1.0
        for v in reversed(order):
            v.step()


def numbers(a, b, c):
    d = a * b + c
    e = np.tanh(d) * a
    return e + d * d


# fmt: off
def engine_not_squared(a, b, c):
    a = Value(a); b = Value(b); c = Value(c)  # noqa: E702
    d = a * b + c
    e = d.tanh() * a
    out = e + d * d
    out.backward()
    return a.grad, b.grad, c.grad
# fmt: on


room.wrong(
    engine_not_squared, numbers, {"a": 0.7, "b": -0.4, "c": 1.3}, "wrong_power wrong_local_derivative", None, "a b c",
    wrt="a b c",
)  # fmt: skip


# ---- sequences with padding, pairs of views, actions
def sequences(x, y, mask):
    N, T, _ = x.shape
    p = np.exp(x - x.max(axis=2, keepdims=True))
    p /= p.sum(axis=2, keepdims=True)
    logp = np.log(p[np.arange(N)[:, None], np.arange(T), y])
    return -(mask * logp).sum() / mask.sum()


def sequences_with_padding(x, y, mask):
    N, T, V = x.shape
    flat = x.reshape(N * T, V)
    probs = np.exp(flat - np.max(flat, axis=1, keepdims=True))
    probs /= np.sum(probs, axis=1, keepdims=True)
    dflat = probs.copy()
    dflat[np.arange(N * T), y.reshape(-1)] -= 1
    dflat /= mask.sum()
    return dflat.reshape(N, T, V)


room.wrong(
    sequences_with_padding, sequences,
    {"x": normal(2, 3, 4), "y": np.array([[0, 1, 3], [2, 2, 0]]), "mask": np.array([[1.0, 1, 0], [1, 0, 0]])},
    "missing_mask missing_weight", None, "x", wrt="x",
)  # fmt: skip


def views(A, B, tau):
    a = A / np.linalg.norm(A, axis=1, keepdims=True)
    b = B / np.linalg.norm(B, axis=1, keepdims=True)
    S = a @ b.T / tau
    S = S - S.max(axis=1, keepdims=True)
    logp = S - np.log(np.exp(S).sum(axis=1, keepdims=True))
    return -np.mean(np.diag(logp))


def of_views(A, B, tau, turned):
    na, nb = (np.linalg.norm(x, axis=1, keepdims=True) for x in (A, B))
    a, b = A / na, B / nb
    S = a @ b.T / tau
    P = np.exp(S - S.max(axis=1, keepdims=True))
    dS = (P / P.sum(axis=1, keepdims=True) - np.eye(len(A))) / len(A)
    da = dS @ b / tau
    db = (dS.T if turned else dS) @ a / tau
    dtau = -(dS * (a @ b.T)).sum() / tau**2
    dA = (da - a * (a * da).sum(axis=1, keepdims=True)) / na
    return dA, (db - b * (b * db).sum(axis=1, keepdims=True)) / nb, dtau


def views_right(A, B, tau):
    return of_views(A, B, tau, True)


def views_not_turned(A, B, tau):
    return of_views(A, B, tau, False)


VIEWS = {"A": normal(5, 3), "B": normal(5, 3), "tau": 0.7}
room.right(views_right, views, VIEWS, wrt="A B tau")
room.wrong(views_not_turned, views, VIEWS, "missing_transpose", None, "B", wrt="A B tau")


def actions(W, obs, taken, adv):
    logits = obs @ W
    logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    chosen = logp[np.arange(len(taken)), taken]
    entropy = -(np.exp(logp) * logp).sum(axis=1)
    return -(chosen * adv).mean() - 0.01 * entropy.mean()


def actions_entropy_sign(W, obs, taken, adv):
    n = len(taken)
    logits = obs @ W
    logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    probs = np.exp(logp)
    dlogits = (probs - np.eye(probs.shape[1])[taken]) * adv[:, None] / n
    ent = -(probs * logp).sum(axis=1, keepdims=True)
    dlogits -= 0.01 * probs * (logp + ent) / n
    return obs.T @ dlogits


room.wrong(
    actions_entropy_sign, actions,
    {"W": normal(4, 3), "obs": normal(6, 4), "taken": np.array([0, 2, 1, 1, 0, 2]), "adv": normal(6)},
    "sign_flipped_term", None, "W", wrt="W",
)  # fmt: skip
