"""A zoo of forward functions, written as people write them in plain NumPy, with arguments to trace them at.

``FUNCTIONS`` maps a name to ``(function, arguments)``.  Some return a loss, some an array, some several arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["FUNCTIONS"]

_random = np.random.default_rng(20)


def _normal(*shape: int) -> Any:
    return _random.standard_normal(shape)


def _positive(*shape: int) -> Any:
    return _random.random(shape) + 0.5


def dense(X, W, b):
    return X @ W + b


def dense_with_dot(X, W, b):
    return X.dot(W) + b


def four_layers(X, W1, b1, W2, b2, T):
    Z1 = X.dot(W1) + b1
    A1 = np.maximum(0, Z1)
    Z2 = A1.dot(W2) + b2
    Y = np.maximum(0, Z2)
    return ((Y - T) ** 2).mean()


def mean_squared(X, w, y):
    n = X.shape[0]
    r = X @ w - y
    return (r**2).sum() / n


def half_squared(X, w, y):
    return 0.5 * np.sum((X @ w - y) ** 2)


def mean_absolute(x, y):
    return np.mean(np.abs(x - y))


def huber(x, y):
    d = np.abs(x - y)
    return np.where(d < 1.0, 0.5 * d**2, d - 0.5).mean()


def logistic(x):
    return 1 / (1 + np.exp(-x))


def logistic_loss(X, w, y):
    p = 1 / (1 + np.exp(-(X @ w)))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def signed_logistic_loss(X, w, y):
    return np.log(1 + np.exp(-y * (X @ w))).mean()


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def stable_softplus(x):
    return np.logaddexp(0, x)


def swish(x):
    return x / (1 + np.exp(-x))


def mish(x):
    return x * np.tanh(np.log1p(np.exp(x)))


def gaussian_activation(x):
    return np.exp(-(x**2) / 2)


def elu(x):
    return np.where(x > 0, x, np.exp(x) - 1)


def hard_tanh(x):
    return np.clip(x, -1, 1)


def leaky(x):
    return np.maximum(x, 0.01 * x)


def softmax_rows(X):
    E = np.exp(X - X.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def softmax_columns(X):
    E = np.exp(X - np.max(X, axis=0))
    return E / np.sum(E, axis=0)


def log_softmax(X):
    shifted = X - X.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def log_sum_exp(X):
    m = X.max(axis=1)
    return m + np.log(np.exp(X - m[:, None]).sum(axis=1))


def cross_entropy_labels(X, W, b, labels):
    scores = X @ W + b
    E = np.exp(scores - scores.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    return -np.log(P[np.arange(len(labels)), labels]).mean()


def cross_entropy_weights(Z, Y):
    E = np.exp(Z - Z.max(1, keepdims=True))
    P = E / E.sum(1, keepdims=True)
    return -(Y * np.log(P)).sum(1).mean()


def hinge(X, w, y):
    return np.maximum(0, 1 - y * (X @ w)).mean()


def multiclass_hinge(S, y):
    n = S.shape[0]
    margins = S - S[np.arange(n), y][:, None] + 1
    return np.maximum(margins, 0).sum() / n


def layer_norm(X, gain, bias):
    mean = X.mean(axis=-1, keepdims=True)
    centred = X - mean
    std = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return gain * (centred / std) + bias


def batch_norm(X, gain, bias):
    mean = X.mean(axis=0)
    centred = X - mean
    variance = (centred * centred).mean(axis=0)
    return gain * centred / np.sqrt(variance + 1e-5) + bias


def batch_norm_var(X, gain, bias):
    normal = (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + 1e-5)
    return gain * normal + bias


def rms_norm(X, gain):
    return gain * X / np.sqrt(np.mean(X**2, axis=-1, keepdims=True) + 1e-6)


def unit_rows(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def unit_rows_by_hand(X):
    return X / np.sqrt((X * X).sum(axis=1, keepdims=True))


def centred(X):
    return X - X.mean(axis=0)


def standardised(x):
    return (x - x.mean()) / x.std()


def cosine(a, b):
    return (a @ b) / (np.sqrt(a @ a) * np.sqrt(b @ b))


def covariance(X):
    C = X - X.mean(0)
    return C.T @ C / (X.shape[0] - 1)


def attention(Q, K, V):
    scores = Q @ K.T / np.sqrt(K.shape[1])
    E = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return E / E.sum(axis=-1, keepdims=True) @ V


def batched_attention(Q, K, V):
    scores = Q @ np.swapaxes(K, -1, -2) / np.sqrt(K.shape[-1])
    E = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (E / E.sum(axis=-1, keepdims=True)) @ V


def recurrent(x, h, Wx, Wh, b):
    for t in range(3):
        h = np.tanh(x[t] @ Wx + h @ Wh + b)
    return h


def lstm_step(x, h, c, W, b):
    z = np.concatenate([x, h], axis=1) @ W + b
    n = h.shape[1]
    i = 1 / (1 + np.exp(-z[:, :n]))
    f = 1 / (1 + np.exp(-z[:, n : 2 * n]))
    o = 1 / (1 + np.exp(-z[:, 2 * n : 3 * n]))
    new = f * c + i * np.tanh(z[:, 3 * n :])
    return o * np.tanh(new), new


def gated(X, W, V):
    G = 1 / (1 + np.exp(-(X @ V)))
    return (X @ W) * G


def embedding(E, idx):
    return E[idx]


def embedding_loss(E, idx, w):
    return np.sum(np.tanh(E[idx] @ w))


def matrix_factors(U, V, R, M):
    return np.sum(M * (R - U @ V.T) ** 2) + 0.1 * (np.sum(U**2) + np.sum(V**2))


def least_squares_penalty(X, y, w, lam):
    r = X @ w - y
    return r @ r / len(y) + lam * w @ w


def poisson(X, w, y):
    eta = X @ w
    return np.sum(np.exp(eta) - y * eta)


def gaussian_likelihood(x, mu, log_sigma):
    z = (x - mu) / np.exp(log_sigma)
    return -np.sum(0.5 * z**2 + log_sigma + 0.5 * np.log(2 * np.pi))


def pair_distances(X, C):
    D = X[:, None, :] - C[None, :, :]
    return (D**2).sum(axis=2)


def kernel(X, Z, gamma):
    squared = (X**2).sum(1)[:, None] + (Z**2).sum(1)[None, :] - 2 * X @ Z.T
    return np.exp(-gamma * squared)


def bilinear(x, A, y):
    return x @ A @ y


def quadratic(x, A, b):
    return 0.5 * x @ A @ x - b @ x


def solve_system(A, b):
    return np.sum(np.linalg.solve(A, b) ** 2)


def log_determinant(A):
    return np.linalg.slogdet(A)[1]


def einsum_heads(X, W):
    return np.einsum("nd,hde->nhe", X, W)


def total_variation(x):
    return np.sum(np.sqrt((x[1:] - x[:-1]) ** 2 + 1e-3))


def normalise_positive(x):
    return x / x.sum()


def entropy(z):
    e = np.exp(z - z.max())
    p = e / e.sum()
    return -np.sum(p * np.log(p))


def contrastive(A, B):
    A = A / np.sqrt((A**2).sum(1, keepdims=True))
    B = B / np.sqrt((B**2).sum(1, keepdims=True))
    S = A @ B.T / 0.1
    E = np.exp(S - S.max(1, keepdims=True))
    P = E / E.sum(1, keepdims=True)
    return -np.mean(np.log(np.diag(P)))


def filled_buffer(x):
    out = np.zeros(len(x))
    out[0] = x[0]
    for i in range(1, len(x)):
        out[i] = 0.5 * out[i - 1] + x[i]
    return out


def maximum_of_two(a, b):
    return np.maximum(a, b)


def products(x, y, z):
    return x * y / z + x * z


_labels = np.array([0, 2, 1, 2, 0, 1])
_binary = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])
_signs = 2 * _binary - 1
_x = _normal(5, 4)
_symmetric = _normal(4, 4)

FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "dense": (dense, (_normal(6, 5), _normal(5, 3), _normal(3))),
    "dense_with_dot": (dense_with_dot, (_normal(6, 5), _normal(5, 3), _normal(3))),
    "four_layers": (four_layers, (_normal(6, 5), _normal(5, 4), _normal(4), _normal(4, 2), _normal(2), _normal(6, 2))),
    "mean_squared": (mean_squared, (_normal(6, 3), _normal(3), _normal(6))),
    "half_squared": (half_squared, (_normal(6, 3), _normal(3), _normal(6))),
    "mean_absolute": (mean_absolute, (_normal(5, 4), _normal(5, 4))),
    "huber": (huber, (2 * _normal(5, 4), _normal(5, 4))),
    "logistic": (logistic, (_x,)),
    "logistic_loss": (logistic_loss, (_normal(6, 3), _normal(3), _binary)),
    "signed_logistic_loss": (signed_logistic_loss, (_normal(6, 3), _normal(3), _signs)),
    "softplus": (softplus, (_x,)),
    "stable_softplus": (stable_softplus, (_x,)),
    "swish": (swish, (_x,)),
    "mish": (mish, (_x,)),
    "gaussian_activation": (gaussian_activation, (_x,)),
    "elu": (elu, (_x,)),
    "hard_tanh": (hard_tanh, (_x,)),
    "leaky": (leaky, (_x,)),
    "softmax_rows": (softmax_rows, (_x,)),
    "softmax_columns": (softmax_columns, (_x,)),
    "log_softmax": (log_softmax, (_x,)),
    "log_sum_exp": (log_sum_exp, (_x,)),
    "cross_entropy_labels": (cross_entropy_labels, (_normal(6, 4), _normal(4, 3), _normal(3), _labels)),
    "cross_entropy_weights": (cross_entropy_weights, (_normal(6, 4), _positive(6, 4))),
    "hinge": (hinge, (_normal(6, 3), _normal(3), _signs)),
    "multiclass_hinge": (multiclass_hinge, (_normal(6, 3), _labels)),
    "layer_norm": (layer_norm, (_x, _normal(4), _normal(4))),
    "batch_norm": (batch_norm, (_x, _normal(4), _normal(4))),
    "batch_norm_var": (batch_norm_var, (_x, _normal(4), _normal(4))),
    "rms_norm": (rms_norm, (_x, _normal(4))),
    "unit_rows": (unit_rows, (_x,)),
    "unit_rows_by_hand": (unit_rows_by_hand, (_x,)),
    "centred": (centred, (_x,)),
    "standardised": (standardised, (_normal(7),)),
    "cosine": (cosine, (_normal(5), _normal(5))),
    "covariance": (covariance, (_normal(6, 3),)),
    "attention": (attention, (_normal(5, 4), _normal(6, 4), _normal(6, 3))),
    "batched_attention": (batched_attention, (_normal(2, 5, 4), _normal(2, 6, 4), _normal(2, 6, 3))),
    "recurrent": (recurrent, (_normal(3, 2, 4), _normal(2, 5), _normal(4, 5), _normal(5, 5), _normal(5))),
    "lstm_step": (lstm_step, (_normal(2, 3), _normal(2, 4), _normal(2, 4), _normal(7, 16), _normal(16))),
    "gated": (gated, (_normal(5, 4), _normal(4, 3), _normal(4, 3))),
    "embedding": (embedding, (_normal(5, 4), _labels)),
    "embedding_loss": (embedding_loss, (_normal(5, 4), _labels, _normal(4))),
    "matrix_factors": (matrix_factors, (_normal(5, 2), _normal(4, 2), _normal(5, 4), _positive(5, 4))),
    "least_squares_penalty": (least_squares_penalty, (_normal(6, 3), _normal(6), _normal(3), 0.3)),
    "poisson": (poisson, (_normal(6, 3), 0.3 * _normal(3), _positive(6))),
    "gaussian_likelihood": (gaussian_likelihood, (_normal(7), np.array(0.3), np.array(-0.2))),
    "pair_distances": (pair_distances, (_normal(5, 3), _normal(4, 3))),
    "kernel": (kernel, (_normal(5, 3), _normal(4, 3), 0.4)),
    "bilinear": (bilinear, (_normal(3), _normal(3, 4), _normal(4))),
    "quadratic": (quadratic, (_normal(4), _symmetric @ _symmetric.T, _normal(4))),
    "solve_system": (solve_system, (_symmetric @ _symmetric.T + 2 * np.eye(4), _normal(4))),
    "log_determinant": (log_determinant, (_symmetric @ _symmetric.T + 2 * np.eye(4),)),
    "einsum_heads": (einsum_heads, (_normal(5, 3), _normal(2, 3, 4))),
    "total_variation": (total_variation, (_normal(8),)),
    "normalise_positive": (normalise_positive, (_positive(6),)),
    "entropy": (entropy, (_normal(6),)),
    "contrastive": (contrastive, (_normal(5, 4), _normal(5, 4))),
    "filled_buffer": (filled_buffer, (_normal(6),)),
    "maximum_of_two": (maximum_of_two, (_normal(5, 4), _normal(5, 4))),
    "products": (products, (_normal(5, 4), _normal(5, 4), _positive(5, 4))),
}
