"""Layers as they are asked for in courses, in the styles in which people hand them in."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.museum.exhibit import Room

room = Room("assignments")
N = room.normal
P = room.positive


# ---- batch normalisation and layer normalisation
def batchnorm(x, gamma, beta, eps=1e-5):
    mu = x.mean(axis=0)
    xc = x - mu
    var = np.mean(xc**2, axis=0)
    std = np.sqrt(var + eps)
    xhat = xc / std
    out = gamma * xhat + beta
    return out


def batchnorm_staged(x, gamma, beta, dout, eps=1e-5):
    n, d = x.shape
    mu = x.mean(axis=0)
    xmu = x - mu
    var = np.mean(xmu**2, axis=0)
    sqrtvar = np.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / (sqrtvar**2) * divar
    dvar = 0.5 * 1.0 / np.sqrt(var + eps) * dsqrtvar
    dsq = np.ones((n, d)) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * np.sum(dxmu1 + dxmu2, axis=0)
    dx2 = 1.0 / n * np.ones((n, d)) * dmu
    dx = dx1 + dx2
    return dx, dgamma, dbeta


room.wrong(
    batchnorm_staged,
    batchnorm,
    {"x": N(6, 4), "gamma": P(4), "beta": N(4)},
    "missing_batch_mean missing_mean",
    "var",
    "x",
)


def batchnorm_two_faults(x, gamma, beta, dout, eps=1e-5):
    m = x.shape[0]
    mu = x.mean(0)
    var = x.var(0)
    xhat = (x - mu) / np.sqrt(var + eps)
    dgamma = (dout * x).sum(0)
    dbeta = dout.sum(0)
    dx = (m * dout - dout.sum(0) - xhat * (dout * xhat).sum(0)) / (m * np.sqrt(var + eps))
    return dx, dgamma, dbeta


room.wrong(
    batchnorm_two_faults,
    batchnorm,
    {"x": N(6, 4), "gamma": P(4), "beta": N(4)},
    ["missing_scale missing_local_derivative", "wrong_operand"],
    ["out", "out"],
    "x gamma",
)


def layernorm(x, gamma, beta):
    mu = x.mean(axis=-1, keepdims=True)
    var = x.var(axis=-1, keepdims=True)
    xhat = (x - mu) / np.sqrt(var + 1e-5)
    return gamma * xhat + beta


def layernorm_from_batchnorm(x, gamma, beta, dout):
    mu = x.mean(axis=-1, keepdims=True)
    var = x.var(axis=-1, keepdims=True)
    std = np.sqrt(var + 1e-5)
    xhat = (x - mu) / std
    dbeta = dout.sum(axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    dx = (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0)) / std
    return dx, dgamma, dbeta


room.wrong(
    layernorm_from_batchnorm,
    layernorm,
    {"x": N(5, 4), "gamma": P(4), "beta": N(4)},
    "wrong_axis",
    "mu var xhat",
    "x",
)


class LayerNormWithoutVariance:
    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta

    def forward(self, x):
        self.mu = x.mean(axis=-1, keepdims=True)
        self.std = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
        self.xhat = (x - self.mu) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = np.sum(dout * self.xhat, axis=0)
        self.dbeta = np.sum(dout, axis=0)
        dxhat = dout * self.gamma
        dx = dxhat / self.std
        return dx - dx.mean(axis=-1, keepdims=True)


room.wrong(
    LayerNormWithoutVariance,
    layernorm,
    {"x": N(5, 4), "gamma": P(4), "beta": N(4)},
    "missing_var_path treats_stat_as_constant",
    "var xhat",
    "x",
)


# ---- dropout
def dropout_net(x, W, mask, keep):
    h = np.maximum(0, x @ W)
    out = h * mask / keep
    return out


def dropout_not_scaled(x, W, mask, keep, dout):
    z = x @ W
    dh = dout * mask
    dz = dh * (z > 0)
    return dz @ W.T, x.T @ dz


room.wrong(
    dropout_not_scaled,
    dropout_net,
    {"x": N(5, 3), "W": N(3, 4), "mask": (N(5, 4) > 0).astype(float), "keep": 0.5},
    "missing_scale extra_factor",
    "out",
    "x W",
    wrt="x W",
)


class DropoutThroughMaskOnly:
    def __init__(self, W, keep):
        self.W, self.keep = W, keep

    def forward(self, x, mask):
        self.x, self.mask = x, mask
        self.h = np.maximum(0, x @ self.W)
        return self.h * mask / self.keep

    def backward(self, grad):
        grad = grad * (self.mask == 0) / self.keep
        grad = grad * (self.h > 0)
        self.dW = self.x.T @ grad
        return grad @ self.W.T


room.wrong(
    DropoutThroughMaskOnly,
    dropout_net,
    {"x": N(5, 3), "W": N(3, 4), "mask": (N(5, 4) > 0).astype(float), "keep": 0.5},
    "inverted_mask",
    "out",
    "x W",
    wrt="x W",
)


# ---- convolution and pooling
def conv(x, w, b, pad=1, stride=2):
    n, _, height, width = x.shape
    f, _, hh, ww = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    ho = (height + 2 * pad - hh) // stride + 1
    wo = (width + 2 * pad - ww) // stride + 1
    out = np.zeros((n, f, ho, wo))
    for i in range(ho):
        for j in range(wo):
            window = xp[:, :, i * stride : i * stride + hh, j * stride : j * stride + ww]
            out[:, :, i, j] = np.tensordot(window, w, axes=([1, 2, 3], [1, 2, 3])) + b
    return out


def conv_naive_two_faults(x, w, b, dout, pad=1, stride=2):
    n, _, _, _ = x.shape
    f, _, hh, ww = w.shape
    _, _, ho, wo = dout.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), "constant")
    dxp = np.zeros_like(xp)
    dw = np.zeros_like(w)
    db = np.zeros_like(b)
    for i in range(n):
        for k in range(f):
            db[k] += dout[i, k].sum()
            for r in range(ho):
                for c in range(wo):
                    window = xp[i, :, r * stride : r * stride + hh, c * stride : c * stride + ww]
                    dw[k] = window * dout[i, k, r, c]
                    dxp[i, :, r : r + hh, c : c + ww] += w[k] * dout[i, k, r, c]
    dx = dxp[:, :, pad:-pad, pad:-pad]
    return dx, dw, db


CONV = {"x": N(2, 3, 5, 5), "w": N(4, 3, 3, 3), "b": N(4)}
room.wrong(
    conv_naive_two_faults,
    conv,
    CONV,
    ["overwrites_instead_of_accumulates", "stride_ignored off_by_one_index wrong_index"],
    ["out window", "window"],
    "x w",
)


def conv_naive_bias_of_last(x, w, b, dout, pad=1, stride=2):
    f, _, hh, ww = w.shape
    _, _, ho, wo = dout.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), "constant")
    dxp = np.zeros_like(xp)
    dw = np.zeros_like(w)
    db = np.sum(dout, axis=(0, 2))
    for r in range(ho):
        for c in range(wo):
            rows, cols = slice(r * stride, r * stride + hh), slice(c * stride, c * stride + ww)
            dw += np.tensordot(dout[:, :, r, c], xp[:, :, rows, cols], axes=(0, 0))
            dxp[:, :, rows, cols] += np.tensordot(dout[:, :, r, c], w, axes=(1, 0))
    return dxp[:, :, :-2, :-2], dw, db


room.wrong(
    conv_naive_bias_of_last,
    conv,
    CONV,
    ["padding_offset", "bias_not_summed broadcast_not_reduced"],
    ["xp", "out"],
    "x b",
)


def maxpool(x, size=2, stride=2):
    n, c, h, w = x.shape
    ho, wo = (h - size) // stride + 1, (w - size) // stride + 1
    out = np.zeros((n, c, ho, wo))
    for i in range(ho):
        for j in range(wo):
            window = x[:, :, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, :, i, j] = window.max(axis=(2, 3))
    return out


def maxpool_adds_to_top_left(x, dout, size=2, stride=2):
    dx = np.zeros_like(x)
    _, _, ho, wo = dout.shape
    for i in range(ho):
        for j in range(wo):
            window = x[:, :, i * stride : i * stride + size, j * stride : j * stride + size]
            mask = window == window.max(axis=(2, 3), keepdims=True)
            mask = mask / mask.sum(axis=(2, 3), keepdims=True)
            dx[:, :, i : i + size, j : j + size] += mask * dout[:, :, i, j][:, :, None, None]
    return dx


room.wrong(
    maxpool_adds_to_top_left,
    maxpool,
    {"x": N(2, 3, 6, 6)},
    "stride_ignored wrong_index",
    "window",
    "x",
)


def maxpool_spreads(x, dout, size=2, stride=2):
    dx = np.zeros_like(x)
    _, _, ho, wo = dout.shape
    for i in range(ho):
        for j in range(wo):
            dx[:, :, i * stride : i * stride + size, j * stride : j * stride + size] += dout[:, :, i, j][
                :, :, None, None
            ]
    return dx


room.wrong(maxpool_spreads, maxpool, {"x": N(2, 3, 6, 6)}, "missing_mask", "out", "x")


def conv1d(x, w):
    k = w.shape[0]
    out = np.zeros(x.shape[0] - k + 1)
    for i in range(out.shape[0]):
        out[i] = np.sum(x[i : i + k] * w)
    return out


def conv1d_col_assign(x, w, dout):
    k = w.shape[0]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(len(dout)):
        dx[i : i + k] = dout[i] * w
        dw += dout[i] * x[i : i + k]
    return dx, dw


room.wrong(conv1d_col_assign, conv1d, {"x": N(7), "w": N(3)}, "overwrites_instead_of_accumulates", "out", "x")


# ---- attention
def attention(Q, K, V):
    d = Q.shape[-1]
    S = Q @ K.swapaxes(-1, -2) / np.sqrt(d)
    E = np.exp(S - S.max(axis=-1, keepdims=True))
    A = E / E.sum(axis=-1, keepdims=True)
    O = A @ V
    return O


def _attention_values(Q, K):
    d = Q.shape[-1]
    S = Q @ K.swapaxes(-1, -2) / np.sqrt(d)
    E = np.exp(S - S.max(axis=-1, keepdims=True))
    return E / E.sum(axis=-1, keepdims=True), d


def attention_scale_once(Q, K, V, dO):
    A, d = _attention_values(Q, K)
    dV = A.swapaxes(-1, -2) @ dO
    dA = dO @ V.swapaxes(-1, -2)
    dS = A * (dA - np.sum(dA * A, axis=-1, keepdims=True))
    dQ = dS @ K / np.sqrt(d)
    dK = dS.swapaxes(-1, -2) @ Q
    return dQ, dK, dV


ATT = {"Q": N(2, 4, 3), "K": N(2, 5, 3), "V": N(2, 5, 6)}
room.wrong(attention_scale_once, attention, ATT, "missing_scale", "S", "K")


def attention_softmax_other_axis(Q, K, V, dO):
    A, d = _attention_values(Q, K)
    dV = A.swapaxes(-1, -2) @ dO
    dA = dO @ V.swapaxes(-1, -2)
    dS = A * (dA - np.sum(dA * A, axis=-2, keepdims=True)) / np.sqrt(d)
    dQ = dS @ K
    dK = dS.swapaxes(-1, -2) @ Q
    return dQ, dK, dV


room.wrong(attention_softmax_other_axis, attention, ATT, "wrong_axis", "A E", "Q K")


class AttentionForgetsTranspose:
    def forward(self, Q, K, V):
        self.Q, self.K, self.V = Q, K, V
        self.A, self.d = _attention_values(Q, K)
        return self.A @ V

    def backward(self, grad_output):
        dV = self.A @ grad_output
        dA = grad_output @ self.V.swapaxes(-1, -2)
        dS = self.A * (dA - np.sum(dA * self.A, axis=-1, keepdims=True)) / np.sqrt(self.d)
        return dS @ self.K, dS.swapaxes(-1, -2) @ self.Q, dV


room.wrong(
    AttentionForgetsTranspose,
    attention,
    {"Q": N(2, 4, 3), "K": N(2, 4, 3), "V": N(2, 4, 6)},
    "missing_transpose",
    "O",
    "V",
)


def heads(x, Wqkv, Wo):
    t, d = x.shape
    n = 2
    qkv = x @ Wqkv
    q, k, v = np.split(qkv, 3, axis=1)
    q = q.reshape(t, n, d // n).transpose(1, 0, 2)
    k = k.reshape(t, n, d // n).transpose(1, 0, 2)
    v = v.reshape(t, n, d // n).transpose(1, 0, 2)
    s = q @ k.transpose(0, 2, 1) / np.sqrt(d // n)
    a = np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True)
    o = a @ v
    merged = o.transpose(1, 0, 2).reshape(t, d)
    return merged @ Wo


def heads_reshaped_back(x, Wqkv, Wo, dy):
    t, d = x.shape
    n = 2
    q, k, v = (p.reshape(t, n, d // n).transpose(1, 0, 2) for p in np.split(x @ Wqkv, 3, axis=1))
    s = q @ k.transpose(0, 2, 1) / np.sqrt(d // n)
    a = np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True)
    merged = (a @ v).transpose(1, 0, 2).reshape(t, d)
    dWo = merged.T @ dy
    dmerged = dy @ Wo.T
    do = dmerged.reshape(n, t, d // n)
    dv = a.transpose(0, 2, 1) @ do
    da = do @ v.transpose(0, 2, 1)
    ds = a * (da - (da * a).sum(axis=-1, keepdims=True)) / np.sqrt(d // n)
    dq = ds @ k
    dk = ds.transpose(0, 2, 1) @ q
    dqkv = np.concatenate([p.transpose(1, 0, 2).reshape(t, d) for p in (dq, dk, dv)], axis=1)
    return dqkv @ Wqkv.T, x.T @ dqkv, dWo


room.wrong(
    heads_reshaped_back,
    heads,
    {"x": N(5, 4), "Wqkv": N(4, 12), "Wo": N(4, 4)},
    "reshape_instead_of_transpose",
    "merged o",
    "x Wqkv",
)


# ---- blocks
def gelu(x):
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    y = 0.5 * x * (1 + t)
    return y


def gelu_without_cube(x, dy):
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * c)


room.wrong(
    gelu_without_cube,
    gelu,
    {"x": N(4, 3)},
    "missing_path missing_inner_derivative wrong_local_derivative missing_term",
    "t y",
    "x",
)


def gelu_wrong_constant(x, dy):
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * c * (1 + 0.044715 * x**2))


room.wrong(
    gelu_wrong_constant,
    gelu,
    {"x": N(4, 3)},
    "missing_local_derivative extra_factor wrong_constant_value missing_scale wrong_power wrong_local_derivative",
    "t y",
    "x",
)


def residual(x, W1, W2):
    h = np.maximum(x @ W1, 0)
    y = x + h @ W2
    return y


def residual_mask_of_output(x, W1, W2, dy):
    h = np.maximum(x @ W1, 0)
    dW2 = h.T @ dy
    dh = dy @ W2.T
    dz = dh * (h @ W2 > 0)
    return dz @ W1.T + dy, x.T @ dz, dW2


room.wrong(
    residual_mask_of_output,
    residual,
    {"x": N(5, 3), "W1": N(3, 3), "W2": N(3, 3)},
    "mask_from_wrong_array",
    "h",
    "x W1",
)


def residual_without_skip(x, W1, W2, dy):
    h = np.maximum(x @ W1, 0)
    dW2 = h.T @ dy
    dz = dy @ W2.T
    dz[h <= 0] = 0
    return dz @ W1.T, x.T @ dz, dW2


room.wrong(residual_without_skip, residual, {"x": N(5, 3), "W1": N(3, 7), "W2": N(7, 3)}, "missing_path", "y", "x")


def prelu(x, alpha):
    out = np.where(x > 0, x, alpha * x)
    return out


PRELU_FAMILY = {
    "prelu_grad_x": lambda x, alpha, dout: dout * np.where(x > 0, 1, alpha),
    "prelu_grad_alpha": lambda x, alpha, dout: np.sum(dout * np.where(x > 0, x, 0), axis=0),
}
room.wrong(
    PRELU_FAMILY,
    prelu,
    {"x": N(5, 3), "alpha": P(3)},
    "inverted_mask swapped_branches missing_branch",
    "out",
    "alpha",
    name="prelu_family",
)


def glu(x, W, V):
    a = x @ W
    b = x @ V
    s = 1 / (1 + np.exp(-b))
    y = a * s
    return y


def glu_gate_alone(x, W, V, dy):
    a, b = x @ W, x @ V
    s = 1 / (1 + np.exp(-b))
    da = dy * s
    db = dy * a
    return da @ W.T + db @ V.T, x.T @ da, x.T @ db


room.wrong(
    glu_gate_alone,
    glu,
    {"x": N(5, 3), "W": N(3, 4), "V": N(3, 4)},
    "missing_activation_grad missing_local_derivative",
    "s",
    "x V",
)


# ---- recurrence
def rnn(x, h0, Wx, Wh, b):
    h = h0
    hs = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ Wx + h @ Wh + b)
        hs.append(h)
    out = np.stack(hs, axis=1)
    return out


def rnn_no_carry(x, h0, Wx, Wh, b, dh):
    n, steps, _ = x.shape
    hs = [h0]
    for t in range(steps):
        hs.append(np.tanh(x[:, t] @ Wx + hs[-1] @ Wh + b))
    dx = np.zeros_like(x)
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dprev_h = np.zeros_like(h0)
    for t in reversed(range(steps)):
        dz = dh[:, t] * (1 - hs[t + 1] ** 2)
        dx[:, t] = dz @ Wx.T
        dprev_h = dz @ Wh.T
        dWx += x[:, t].T @ dz
        dWh += hs[t].T @ dz
        db += dz.sum(axis=0)
    return dx, dprev_h, dWx, dWh, db


RNN = {"x": N(3, 4, 2), "h0": N(3, 5), "Wx": N(2, 5), "Wh": N(5, 5) / 2, "b": N(5)}
room.wrong(rnn_no_carry, rnn, RNN, "truncated_recurrence", "h", "x h0 Wx Wh b")


def rnn_hidden_of_now(x, h0, Wx, Wh, b, dh):
    n, steps, _ = x.shape
    hs = [h0]
    for t in range(steps):
        hs.append(np.tanh(x[:, t] @ Wx + hs[-1] @ Wh + b))
    dx = np.zeros_like(x)
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dprev_h = np.zeros_like(h0)
    for t in reversed(range(steps)):
        dz = (dh[:, t] + dprev_h) * (1 - hs[t + 1] ** 2)
        dx[:, t] = dz @ Wx.T
        dprev_h = dz @ Wh
        dWx += x[:, t].T @ dz
        dWh += hs[t].T @ dz
        db += dz.sum(axis=0)
    return dx, dprev_h, dWx, dWh, db


room.wrong(rnn_hidden_of_now, rnn, RNN, "missing_transpose", "h", "x h0 Wx Wh b")


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm(x, h0, Wx, Wh, b):
    h, c = h0, np.zeros_like(h0)
    size = h0.shape[1]
    hs = []
    for t in range(x.shape[1]):
        a = x[:, t] @ Wx + h @ Wh + b
        i = 1 / (1 + np.exp(-a[:, :size]))
        f = 1 / (1 + np.exp(-a[:, size : 2 * size]))
        o = 1 / (1 + np.exp(-a[:, 2 * size : 3 * size]))
        g = np.tanh(a[:, 3 * size :])
        c = f * c + i * g
        h = o * np.tanh(c)
        hs.append(h)
    return np.stack(hs, axis=1)


def _lstm_backward(x, h0, Wx, Wh, b, dh, carry_c=True, carry_h=True, tanh=True):
    size, steps = h0.shape[1], x.shape[1]
    h, c, kept = h0, np.zeros_like(h0), []
    for t in range(steps):
        a = x[:, t] @ Wx + h @ Wh + b
        i, f, o = (_sigmoid(a[:, k * size : (k + 1) * size]) for k in range(3))
        g = np.tanh(a[:, 3 * size :])
        new = f * c + i * g
        kept.append((h, c, i, f, o, g, new))
        c = new
        h = o * np.tanh(c)
    dx, dWx, dWh, db = (np.zeros_like(p) for p in (x, Wx, Wh, b))
    dh_next, dc_next = np.zeros_like(h0), np.zeros_like(h0)
    for t in reversed(range(steps)):
        h, c, i, f, o, g, new = kept[t]
        d = dh[:, t] + (dh_next if carry_h else 0)
        do = d * np.tanh(new)
        dc = d * o * ((1 - np.tanh(new) ** 2) if tanh else 1)
        if carry_c:
            dc = dc + dc_next
        di, df, dg = dc * g, dc * c, dc * i
        da = np.hstack((di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)))
        dx[:, t] = da @ Wx.T
        dWx += x[:, t].T @ da
        dWh += h.T @ da
        db += da.sum(0)
        dh_next, dc_next = da @ Wh.T, dc * f
    return dx, dh_next, dWx, dWh, db


def lstm_cell_not_carried(x, h0, Wx, Wh, b, dh):
    size, steps = h0.shape[1], x.shape[1]
    h, c, kept = h0, np.zeros_like(h0), []
    for t in range(steps):
        a = x[:, t] @ Wx + h @ Wh + b
        i, f, o = (_sigmoid(a[:, k * size : (k + 1) * size]) for k in range(3))
        g = np.tanh(a[:, 3 * size :])
        new = f * c + i * g
        kept.append((h, c, i, f, o, g, new))
        c = new
        h = o * np.tanh(c)
    dx, dWx, dWh, db = (np.zeros_like(p) for p in (x, Wx, Wh, b))
    dh_next = np.zeros_like(h0)
    for t in reversed(range(steps)):
        h, c, i, f, o, g, new = kept[t]
        d = dh[:, t] + dh_next
        do = d * np.tanh(new)
        dc = d * o * (1 - np.tanh(new) ** 2)
        di, df, dg = dc * g, dc * c, dc * i
        da = np.hstack((di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)))
        dx[:, t] = da @ Wx.T
        dWx += x[:, t].T @ da
        dWh += h.T @ da
        db += da.sum(0)
        dh_next = da @ Wh.T
    return dx, dh_next, dWx, dWh, db


LSTM = {"x": N(3, 4, 2), "h0": N(3, 3), "Wx": N(2, 12), "Wh": N(3, 12), "b": N(12)}
room.wrong(lstm_cell_not_carried, lstm, LSTM, "truncated_recurrence", "c", "x h0 Wx Wh b")


def lstm_without_tanh_of_cell(x, h0, Wx, Wh, b, dh):
    return _lstm_backward(x, h0, Wx, Wh, b, dh, tanh=False)


room.wrong(
    lstm_without_tanh_of_cell,
    lstm,
    LSTM,
    "missing_activation_grad missing_local_derivative",
    "h",
    "x h0 Wx Wh b",
)


def gru(x, h0, Wz, Uz, Wr, Ur, Wn, Un):
    h = h0
    for t in range(x.shape[0]):
        z = 1 / (1 + np.exp(-(x[t] @ Wz + h @ Uz)))
        r = 1 / (1 + np.exp(-(x[t] @ Wr + h @ Ur)))
        n = np.tanh(x[t] @ Wn + (r * h) @ Un)
        h = (1 - z) * n + z * h
    return h


def _gru_backward(x, h0, Wz, Uz, Wr, Ur, Wn, Un, dh, direct=True, update=1):
    h, kept = h0, []
    for t in range(len(x)):
        z, r = _sigmoid(x[t] @ Wz + h @ Uz), _sigmoid(x[t] @ Wr + h @ Ur)
        n = np.tanh(x[t] @ Wn + (r * h) @ Un)
        kept.append((h, z, r, n))
        h = (1 - z) * n + z * h
    d: Any = {k: np.zeros_like(v) for k, v in zip("abcdef", (Wz, Uz, Wr, Ur, Wn, Un), strict=True)}
    dx = np.zeros_like(x)
    for t in reversed(range(len(x))):
        h, z, r, n = kept[t]
        dn = dh * (1 - z) * (1 - n**2)
        dz = dh * (h - update * n) * z * (1 - z)
        drh = dn @ Un.T
        dr = drh * h * r * (1 - r)
        dx[t] = dz @ Wz.T + dr @ Wr.T + dn @ Wn.T
        for k, own, g in (("a", x[t], dz), ("b", h, dz), ("c", x[t], dr), ("d", h, dr), ("e", x[t], dn)):
            d[k] += own.T @ g
        d["f"] += (r * h).T @ dn
        new = dz @ Uz.T + dr @ Ur.T + drh * r
        dh = new + dh * z if direct else new
    return (dx, dh, *d.values())


def gru_forgets_old_state(x, h0, Wz, Uz, Wr, Ur, Wn, Un, dh):
    return _gru_backward(x, h0, Wz, Uz, Wr, Ur, Wn, Un, dh, direct=False)


GRU = {"x": N(3, 2, 3), "h0": N(2, 4)} | {
    k: N(3 if k[0] == "W" else 4, 4) / 2 for k in ("Wz", "Uz", "Wr", "Ur", "Wn", "Un")
}
room.wrong(gru_forgets_old_state, gru, GRU, "missing_path truncated_recurrence", "h", "x h0 Wz Uz Wr Ur Wn Un")


def gru_update_without_new(x, h0, Wz, Uz, Wr, Ur, Wn, Un, dh):
    return _gru_backward(x, h0, Wz, Uz, Wr, Ur, Wn, Un, dh, update=0)


room.wrong(
    gru_update_without_new,
    gru,
    GRU,
    "missing_path",
    "h",
    "x h0 Wz Uz Wr Ur Wn Un",
)
