"""Right backward passes that do not look like the exact one: other formulas, other orders, other styles."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.museum import assignments as layers
from tests.museum import models
from tests.museum.exhibit import Room

room = Room("variants")
N = room.normal
P = room.positive


def batchnorm_one_line(x, gamma, beta, dout):
    m = len(x)
    inv = 1 / np.sqrt(x.var(axis=0) + 1e-5)
    xhat = (x - x.mean(axis=0)) * inv
    dbeta, dgamma = np.ones(m) @ dout, np.einsum("ij,ij->j", dout, xhat)
    return gamma * inv / m * (m * dout - dbeta - xhat * dgamma), dgamma, dbeta


def batchnorm_centred(x, gamma, beta, dout):
    """The mean is taken out at the end, and not where it comes in."""
    std = np.sqrt(np.var(x, axis=0) + 1e-5)
    xhat = (x - x.mean(axis=0)) / std
    g = dout * gamma
    g = g - g.mean(axis=0)
    return (
        (g - xhat * np.mean(g * xhat, axis=0)) / std,
        np.sum(dout * xhat, axis=0),
        np.sum(dout, axis=0),
    )


BN = {"x": N(6, 4), "gamma": P(4), "beta": N(4)}
room.right(batchnorm_one_line, layers.batchnorm, BN)
room.right(batchnorm_centred, layers.batchnorm, BN)


def conv_by_windows(x, w, b, dout, pad=1, stride=2):
    """The gradient of the image by a full correlation of the stretched gradient with the turned kernel."""
    n, channels, height, width = x.shape
    f, _, hh, ww = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(xp, (hh, ww), axis=(2, 3))[:, :, ::stride, ::stride]
    dw = np.einsum("nfij,ncijuv->fcuv", dout, windows)
    up = np.zeros((n, f, xp.shape[2] + hh - 1, xp.shape[3] + ww - 1))
    rows, cols = hh - 1 + stride * np.arange(dout.shape[2]), ww - 1 + stride * np.arange(dout.shape[3])
    up[:, :, rows[:, None], cols] = dout
    full = sliding_window_view(up, (hh, ww), axis=(2, 3))
    dxp = np.einsum("nfijuv,fcuv->ncij", full, w[:, :, ::-1, ::-1])
    return dxp[:, :, pad : pad + height, pad : pad + width], dw, dout.sum(axis=(0, 2, 3))


room.right(conv_by_windows, layers.conv, layers.CONV)


def attention_by_jacobian(Q, K, V, dO):
    d = Q.shape[-1]
    S = Q @ K.swapaxes(-1, -2) / np.sqrt(d)
    S = S - S.max(axis=-1, keepdims=True)
    A = np.exp(S) / np.exp(S).sum(axis=-1, keepdims=True)
    J = A[..., None] * np.eye(A.shape[-1]) - A[..., None] * A[..., None, :]
    dA = np.einsum("btd,bsd->bts", dO, V)
    dS = np.einsum("btij,btj->bti", J, dA)
    return (
        np.einsum("bts,bsd->btd", dS, K) / np.sqrt(d),
        np.einsum("bts,btd->bsd", dS, Q) / np.sqrt(d),
        np.einsum("bts,btd->bsd", A, dO),
    )


room.right(attention_by_jacobian, layers.attention, layers.ATT)


class RecurrentInOneMatrix:
    """Both weights as one matrix, and all their gradients in one product at the end."""

    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b
        self.W, self.split = np.vstack([Wx, Wh]), len(Wx)

    def forward(self, x, h0):
        h, self.inputs, self.states = h0, [], []
        for t in range(x.shape[1]):
            joined = np.hstack([x[:, t], h])
            h = np.tanh(joined @ self.W + self.b)
            self.inputs.append(joined)
            self.states.append(h)
        return np.stack(self.states, axis=1)

    def backward(self, dout):
        carry, deltas, dx = 0, [], []
        for t in range(dout.shape[1] - 1, -1, -1):
            delta = (dout[:, t] + carry) * (1 - self.states[t] ** 2)
            joined = delta @ self.W.T
            carry = joined[:, self.split :]
            dx.insert(0, joined[:, : self.split])
            deltas.insert(0, delta)
        dW = np.concatenate(self.inputs).T @ np.concatenate(deltas)
        self.dWx, self.dWh = dW[: self.split], dW[self.split :]
        self.db = np.concatenate(deltas).sum(axis=0)
        return np.stack(dx, axis=1), carry


room.right(RecurrentInOneMatrix, layers.rnn, layers.RNN)


def lstm_gates_apart(x, h0, Wx, Wh, b, dh):
    return layers._lstm_backward(x, h0, Wx, Wh, b, dh)


room.right(lstm_gates_apart, layers.lstm, layers.LSTM)


def gru_in_a_dictionary(x, h0, Wz, Uz, Wr, Ur, Wn, Un, dh):
    names = ("x", "h0", "Wz", "Uz", "Wr", "Ur", "Wn", "Un")
    return dict(zip(names, layers._gru_backward(x, h0, Wz, Uz, Wr, Ur, Wn, Un, dh), strict=True))


room.right(gru_in_a_dictionary, layers.gru, layers.GRU)


def softmax_by_counts(W, X, y, reg):
    Z = X @ W
    P_ = 1 / np.exp(Z[:, None, :] - Z[:, :, None]).sum(axis=2)
    Y = (y[:, None] == np.arange(W.shape[1])).astype(float)
    return np.tensordot(X, P_ - Y, axes=(0, 0)) / len(X) + reg * (W + W)


room.right(softmax_by_counts, models.softmax_classifier, models.CLASSES, wrt="W")


def hinge_sample_by_sample(W, X, y, reg):
    dW = np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i] @ W
        for j in range(W.shape[1]):
            if j != y[i] and scores[j] - scores[y[i]] + 1 > 0:
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    dW /= X.shape[0]
    return dW + reg * 2 * W


room.right(hinge_sample_by_sample, models.hinge, models.CLASSES, wrt="W")


def logistic_in_one_product(theta, X, y, lam):
    inner = np.eye(len(theta))
    inner[0, 0] = 0
    return (np.tanh(X @ theta / 2) / 2 + 0.5 - y) @ X / len(y) + lam / len(y) * inner @ theta


room.right(logistic_in_one_product, models.logistic, models.LOGISTIC, wrt="theta")


COSINE_FAMILY = {
    "grad_u": lambda u, v, g: g * (v - (u @ v) / (u @ u) * u) / np.sqrt((u @ u) * (v @ v)),
    "grad_v": lambda u, v, g: g * (u - (u @ v) / (v @ v) * v) / np.sqrt((u @ u) * (v @ v)),
}
room.right(COSINE_FAMILY, models.cosine, {"u": N(5), "v": N(5)}, name="cosine_family")


def tied_as_two_matrices(X, W, b, c):
    n = X.shape[0]
    hidden = np.tanh(X @ W + b)
    error = hidden @ W.T + c - X
    back = (error @ W) * (1 - hidden) * (1 + hidden)
    return (np.hstack([X, error]).T[: X.shape[1]] @ back + error.T @ hidden) / n, back.mean(axis=0), error.mean(axis=0)


room.right(
    tied_as_two_matrices,
    models.tied,
    {"X": N(6, 4), "W": N(4, 3), "b": N(3), "c": N(4)},
    wrt="W b c",
)


def mixture_by_moments(X, mu, log_pi):
    logits = log_pi - 0.5 * ((X**2).sum(1)[:, None] - 2 * X @ mu.T + (mu**2).sum(1))
    r = np.exp(logits - np.logaddexp.reduce(logits, axis=1)[:, None])
    return r.sum(axis=0)[:, None] * mu - r.T @ X, -r.sum(axis=0)


room.right(mixture_by_moments, models.mixture, models.MIX, wrt="mu log_pi")


def cbow_with_counts(E, U, context, target):
    counts = np.zeros((len(context), len(E)))
    for k in range(context.shape[1]):
        counts[np.arange(len(context)), context[:, k]] += 1 / context.shape[1]
    h = counts @ E
    scores = h @ U.T
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    p = (p - np.eye(len(E))[target]) / len(target)
    return {"dE": counts.T @ (p @ U), "dU": p.T @ h}


room.right(cbow_with_counts, models.cbow, models.CBOW, wrt="E U")


def columns_by_chain(X, W1, b1, W2, b2, Y):
    m = X.shape[1]
    A1 = np.tanh(W1 @ X + b1)
    A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
    dA2 = -(Y / A2 - (1 - Y) / (1 - A2)) / m
    dZ2 = dA2 * A2 * (1 - A2)
    dZ1 = (W2.T @ dZ2) / np.cosh(W1 @ X + b1) ** 2
    return dZ1 @ X.T, dZ1.sum(1)[:, None], dZ2 @ A1.T, dZ2.sum(1, keepdims=True)


room.right(columns_by_chain, models.columns, models.COLUMNS, wrt="W1 b1 W2 b2")


class MaxPoolByArgmax:
    def forward(self, x):
        n, c, h, w = x.shape
        self.shape = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.at = blocks.argmax(axis=-1)
        return blocks.max(axis=-1)

    def backward(self, dout):
        n, c, h, w = self.shape
        blocks = np.zeros((n, c, h // 2, w // 2, 4))
        np.put_along_axis(blocks, self.at[..., None], dout[..., None], axis=-1)
        return blocks.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)


room.right(MaxPoolByArgmax, layers.maxpool, {"x": N(2, 3, 6, 6)}, convention=True)
