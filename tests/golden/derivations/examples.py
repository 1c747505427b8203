"""Functions whose derivations are kept next to this file in each language, to be read as a teacher would."""

from __future__ import annotations

import numpy as np


def affine(X, W, b):
    Z = X @ W + b
    return Z


def network(X, T, W1, B1, W2, B2):
    Z1 = X.dot(W1) + B1
    A1 = np.maximum(0, Z1)
    Y = A1.dot(W2) + B2
    err = ((Y - T) ** 2).mean()
    return err


def softmax_loss(X, W, labels):
    scores = X @ W
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    P = shifted / shifted.sum(axis=1, keepdims=True)
    loss = -np.log(P[np.arange(len(X)), labels]).mean()
    return loss


def logistic_ridge(X, w, b, y, strength):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    data = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    penalty = strength * np.sum(w**2)
    return data + penalty


def layer_norm(x, gain, shift):
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    normed = (x - mean) / np.sqrt(variance + 1e-5)
    return gain * normed + shift


def recurrence(x, Wx, Wh, h):
    for t in range(len(x)):
        h = np.tanh(x[t] @ Wx + h @ Wh)
    return np.sum(h**2)


def attention(Q, K, V):
    S = Q @ K.T / np.sqrt(Q.shape[1])
    E = np.exp(S)
    A = E / E.sum(axis=1, keepdims=True)
    return A @ V


def embedding(table, words, target):
    rows = table[words]
    mean = rows.mean(axis=0)
    return np.sum((mean - target) ** 2)


def hinge(X, w, y):
    margins = 1 - y * (X @ w)
    loss = np.maximum(0, margins).sum() / len(y)
    return loss


def sliding(signal, kernel):
    length = len(signal) - len(kernel) + 1
    out = np.zeros(length)
    for k in range(len(kernel)):
        out += kernel[k] * signal[k : k + length]
    return np.abs(out).sum()


def _grid(*shape: int) -> np.ndarray:
    """Numbers of two digits and both signs, the same on every machine."""
    count = int(np.prod(shape))
    return np.round(np.sin(np.arange(1, count + 1) * 1.7), 2).reshape(shape)


EXAMPLES = {
    "affine": (affine, (_grid(3, 2), _grid(2, 2), _grid(2))),
    "network": (network, (_grid(4, 2), _grid(4, 1), _grid(2, 3), _grid(3), _grid(3, 1), _grid(1))),
    "softmax_loss": (softmax_loss, (_grid(4, 2), _grid(2, 3), np.array([0, 2, 1, 1]))),
    "logistic_ridge": (logistic_ridge, (_grid(4, 2), _grid(2), 0.1, np.array([1, 0, 0, 1]), 0.01)),
    "layer_norm": (layer_norm, (_grid(2, 4), _grid(4), _grid(4))),
    "recurrence": (recurrence, (_grid(3, 2), _grid(2, 2), _grid(2, 2), np.zeros(2))),
    "attention": (attention, (_grid(3, 2), _grid(4, 2), _grid(4, 2))),
    "embedding": (embedding, (_grid(5, 2), np.array([1, 3, 1]), _grid(2))),
    "hinge": (hinge, (_grid(4, 2), _grid(2), np.array([1, -1, 1, -1]))),
    "sliding": (sliding, (_grid(6), _grid(3))),
}
