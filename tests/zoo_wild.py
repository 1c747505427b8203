"""Functions as newcomers and scientists spell them: in place, with fancy indexing, helpers, closures, classes, trees.

``WILD`` maps a name to ``(function, make)``: ``make(n, d, k)`` gives arguments for these sizes.  ``FIXED`` names those
that run for the traced sizes only, because their loops are written out or a size is a literal of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import exp, log

__all__ = ["FIXED", "WILD"]

_random = np.random.default_rng(11)
_weights = np.array([0.5, 1.0, 2.0])
GRAVITY = 9.81


def _normal(*shape: int) -> Any:
    return _random.standard_normal(shape)


def _positive(*shape: int) -> Any:
    return _random.random(shape) + 0.5


def _labels(n: int, k: int) -> Any:
    return np.arange(n) % k


def _definite(n: int) -> Any:
    a = _normal(n, n)
    return a @ a.T + n * np.eye(n)


# Helpers that the functions below call.


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def softmax(z, axis=-1):
    e = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


class Net:
    """A network as courses write it."""

    def __init__(self, hidden):
        self.hidden = hidden
        self.slope = 0.1

    def activate(self, z):
        return np.where(z > 0, z, self.slope * z)

    def forward(self, X, W1, b1, W2):
        h = self.activate(X.dot(W1) + b1)
        return h.dot(W2)


@dataclass
class Parameters:
    """Parameters of a linear model."""

    weight: Any
    bias: Any


def _closure() -> Callable[..., Any]:
    centre = np.array([0.1, -0.2, 0.3])

    def distance(X):
        return np.sqrt(((X - centre) ** 2).sum(axis=1)).mean()

    return distance


def two_layer_sigmoid(X, W1, b1, W2, b2, y):
    a1 = sigmoid(X @ W1 + b1)
    a2 = sigmoid(a1 @ W2 + b2)
    m = X.shape[0]
    cost = -(1 / m) * np.sum(y * np.log(a2) + (1 - y) * np.log(1 - a2))
    return cost


def course_columns(W1, b1, W2, b2, X, Y):
    m = Y.shape[1]
    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    A2 = sigmoid(Z2)
    logprobs = np.multiply(np.log(A2), Y) + np.multiply(np.log(1 - A2), 1 - Y)
    return -np.sum(logprobs) / m


def softmax_with_helper(X, W, T):
    P = softmax(X @ W)
    return -np.sum(T * np.log(P)) / len(X)


def svm_loss(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    correct = scores[np.arange(num_train), y].reshape(-1, 1)
    margins = np.maximum(0, scores - correct + 1)
    margins[np.arange(num_train), y] = 0
    loss = np.sum(margins) / num_train
    loss += reg * np.sum(W * W)
    return loss


def augmented(x, w):
    y = x * w
    y += 1
    y *= w
    y -= x / 2
    y /= 3
    y **= 2
    return y.sum()


def normalise_in_place(X):
    X = X.copy()
    X -= X.mean(axis=0)
    X /= np.sqrt((X**2).mean(axis=0) + 1e-8)
    return X


def masked_assignment(x, floor):
    y = x.copy()
    y[y < 0] = floor
    return np.sum(y**2)


def masked_add(x):
    y = np.zeros_like(x)
    y[x > 0] += x[x > 0] ** 2
    return y.sum()


def column_buffer(X):
    out = np.empty((X.shape[0], 2))
    out[:, 0] = X.sum(axis=1)
    out[:, 1] = (X**2).sum(axis=1)
    return out


def padded_differences(x):
    p = np.pad(x, 1)
    return p[2:] - 2 * p[1:-1] + p[:-2]


def edge_padding(x):
    return np.sum(np.diff(np.pad(x, (1, 2), mode="edge")) ** 2)


def every_second(x):
    return (x[::2] ** 2).sum() + (x[1::3] * x[-1]).sum()


def reversed_weights(x, w):
    return (x[::-1] * w).sum() + x[-2]


def negative_axes(X):
    return X.sum(axis=-1) / X.mean(axis=-2).sum()


def stacked(x, y):
    S = np.stack([x, y, x * y], axis=1)
    return np.tanh(S).sum(axis=0)


def joined_columns(X, b):
    ones = np.ones((X.shape[0], 1))
    A = np.hstack([ones, X])
    return A @ b


def concatenated(x, h, W):
    z = np.concatenate((x, h), axis=1)
    return np.tanh(z @ W)


def array_of_scalars(a, b):
    v = np.array([a, b, a * b])
    return v @ v


def rotation(theta, X):
    R = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    return X @ R.T


def pendulum_energy(theta, omega, mass):
    return 0.5 * mass * omega**2 - mass * GRAVITY * np.cos(theta)


def free_fall(t, v0):
    return np.sum((v0 * t - GRAVITY * t**2 / 2) ** 2)


def python_scalars(a, b, c):
    disc = b**2 - 4 * a * c
    return (-b + math.sqrt(disc)) / (2 * a)


def zero_dimensional(x, s):
    return np.exp(-x * s).sum() * s


def np_float_scalar(x, s):
    return x / s + s * np.log(s)


def single_precision(X, W):
    H = np.tanh(X @ W)
    return (H * H).mean(axis=0)


def weighted_global(X):
    return (X * _weights).sum(axis=1)


def from_imports(x):
    return log(1 + exp(x)).sum()


def keyword_axis(X):
    return np.linalg.norm(X, axis=1).sum() + X.max(axis=0).sum()


def chained_where(x):
    return np.where(x < -1, -x - 0.5, np.where(x > 1, x - 0.5, 0.5 * x**2)).sum()


def select_pieces(x):
    return np.select([x < 0, x < 1], [x**2, x], default=np.sqrt(np.abs(x)))


def clipped_logs(p, y):
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return -(y * np.log(p)).sum(axis=1).mean()


def cumulative(x):
    return np.cumsum(x**2) / np.arange(1, len(x) + 1)


def cumulative_product(x):
    return np.cumprod(x)[-1]


def sorted_gaps(x):
    s = np.sort(x)
    return np.sum((s[1:] - s[:-1]) ** 2)


def ranked(x, w):
    order = np.argsort(x)
    return x[order] @ w


def top_value(x):
    i = np.argmax(x)
    return x[i] ** 2


def median_deviation(x):
    return np.mean(np.abs(x - np.median(x)))


def einsum_chain(A, B, C):
    return np.einsum("ij,jk,ik->", A, B, C)


def einsum_batch(X, A):
    return np.einsum("ni,ij,nj->n", X, A, X)


def outer_products(u, v):
    return np.outer(u, v) + np.outer(u, u) @ np.outer(u, v)


def kronecker(a, b):
    return np.kron(a, b).sum()


def tensor_products(X, W):
    return np.tensordot(X, W, axes=1)


def trace_of_product(A, B):
    return np.trace(A @ B)


def inverse_quadratic(A, b):
    return b @ np.linalg.inv(A) @ b


def gaussian_density(x, mu, S):
    r = x - mu
    return -0.5 * (r @ np.linalg.solve(S, r) + np.linalg.slogdet(S)[1] + len(x) * np.log(2 * np.pi))


def cholesky_likelihood(X, S):
    L = np.linalg.cholesky(S)
    Z = np.linalg.solve(L, X.T)
    return 0.5 * (Z**2).sum() + X.shape[0] * np.log(np.diag(L)).sum()


def ridge_by_hand(X, y, lam):
    d = X.shape[1]
    w = np.linalg.solve(X.T @ X + lam * np.eye(d), X.T @ y)
    return ((X @ w - y) ** 2).sum()


def closure_distance(X):
    return _DISTANCE(X)


def nested_parameters(params, X):
    h = np.maximum(X @ params["first"]["W"] + params["first"]["b"], 0)
    return h @ params["out"][0] + params["out"][1]


def dataclass_parameters(p, X):
    return X @ p.weight + p.bias


def list_of_weights(Ws, x):
    for W in Ws:
        x = np.tanh(x @ W)
    return x.sum()


def several_outputs(X, W):
    Z = X @ W
    return Z, np.maximum(Z, 0)


def loss_and_extra(X, w, y):
    r = X @ w - y
    return {"loss": (r**2).mean(), "residual": r}


def mixed_outputs(x):
    return x.sum(), [x * 2, (x**2,)]


def row_and_column(r, c):
    return (r[None, :] - c[:, None]) ** 2


def newaxis_products(x, y):
    return (x[:, np.newaxis] * y).sum(axis=1)


def row_bias(X, W, b):
    return np.tanh(X @ W + b)


def column_times_row(c, r):
    return (c * r).mean()


def scalar_bias(X, w, b):
    return sigmoid(X @ w + b)


def broadcast_stack(X, A):
    return (X[:, None, :] * A[None]).sum(axis=-1)


def picked_rows(E, i, j):
    return (E[i] * E[j]).sum(axis=1)


def picked_elements(X, i):
    return X[np.arange(len(X)), i].sum()


def taken(x, i):
    return np.take(x, i) ** 2


def counted(x, i):
    out = np.zeros(4)
    np.add.at(out, i, x)
    return out**2


def reshaped(x):
    n = x.shape[0]
    return x.reshape(n, -1).sum(axis=1)


def flattened_images(X, W):
    N = X.shape[0]
    return X.reshape(N, -1).dot(W)


def transposed_axes(X):
    return X.transpose(1, 0, 2).sum(axis=0)


def moved_axes(X):
    return np.moveaxis(X, 0, -1) ** 2


def repeated(x):
    return np.repeat(x, 3) * np.tile(x, 3)


def rolled(x):
    return ((np.roll(x, -1) - x) ** 2).sum()


def convolution(x, w):
    return np.convolve(x, w, mode="valid")


def sliding(x, w):
    windows = np.lib.stride_tricks.sliding_window_view(x, 3)
    return windows @ w


def trapezoid(y, dx):
    return np.trapezoid(y, dx=dx)


def polynomial(c, x):
    return np.polyval(c, x).sum()


def horner(x, a, b, c):
    return (a * x + b) * x + c


def euler_steps(y, rate):
    for _ in range(3):
        y = y + 0.1 * rate * (1 - y)
    return y


def branches(x, scale):
    if x.sum() > 0:
        y = x * scale
    else:
        y = -x
    return (y**2).sum()


def until_small(x):
    while np.sum(x**2) > 1:
        x = 0.5 * x
    return x.sum()


def smallest_of(x, y):
    return min(x.sum(), y.sum()) * 2


def power_setting(x, power=3, *, scale=2.0):
    return scale * (x**power).sum()


def with_option(x, centre=True):
    if centre:
        x = x - x.mean()
    return (x**2).sum()


def with_axis(X, axis=None):
    return (X**2).sum(axis=axis)


def with_mode(x, kind="tanh"):
    return {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[kind](x)


def comprehension(X):
    return np.array([row @ row for row in X])


def sum_of_generator(Ws):
    return sum((W**2).sum() for W in Ws)


def dropout(X, mask, p=0.5):
    return X * mask / (1 - p)


def label_smoothing(z, y, eps):
    n, k = z.shape
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    t = np.full((n, k), eps / k)
    t[np.arange(n), y] += 1 - eps
    return -(t * logp).sum() / n


def focal(p, y):
    pt = np.where(y == 1, p, 1 - p)
    return np.mean(-((1 - pt) ** 2) * np.log(pt))


def dice(p, t):
    return 1 - 2 * (p * t).sum() / (p.sum() + t.sum() + 1e-6)


def triplet(a, p, n):
    d1 = ((a - p) ** 2).sum(axis=1)
    d2 = ((a - n) ** 2).sum(axis=1)
    return np.maximum(d1 - d2 + 0.5, 0).mean()


def kl_divergence(mu, logvar):
    return -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))


def cosine_matrix(X, Y):
    Xn = X / np.linalg.norm(X, axis=1, keepdims=True)
    Yn = Y / np.linalg.norm(Y, axis=1, keepdims=True)
    return Xn @ Yn.T


def group_statistics(X):
    mu = X.mean(0)
    sd = X.std(0)
    return ((X - mu) / sd).max()


def potentials(r):
    d = r[:, None] - r[None, :]
    s = np.sqrt(d**2 + 0.1)
    return np.triu(1 / s, 1).sum()


def lennard_jones(r):
    s6 = (1.0 / r) ** 6
    return 4 * np.sum(s6 * s6 - s6)


def heat_step(u, alpha):
    u = u.copy()
    u[1:-1] += alpha * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u


def logistic_map(x, r):
    return r * x * (1 - x)


def complex_modulus(x, y):
    z = x + 1j * y
    return np.abs(z) ** 2


def spectrum(x):
    return np.abs(np.fft.rfft(x)) ** 2


def integer_counts(x, counts):
    return (counts * np.log(x)).sum() - x.sum()


def weighted_average(x, w):
    return np.average(x, weights=w)


def shadowed(x, dx):
    grad_output = x * dx
    return grad_output.sum() + (x**2).sum()


def reused_name(x, W):
    x = x @ W
    x = np.maximum(x, 0)
    x = x - x.mean(axis=0)
    return x


def unused_argument(x, y):
    return (x**2).sum()


def returns_argument(x, y):
    return x, x * y


def same_value_twice(x):
    y = x**2
    return y, y


def method_forward(X, W1, b1, W2):
    return _NET.forward(X, W1, b1, W2)


_DISTANCE = _closure()
_NET = Net(4)
_lambda = lambda x, a: np.sum(a * np.sin(x))  # noqa: E731

WILD: dict[str, tuple[Callable[..., Any], Callable[..., tuple[Any, ...]]]] = {
    "two_layer_sigmoid": (
        two_layer_sigmoid,
        lambda n, d, k: (
            _normal(n, d),
            _normal(d, k),
            _normal(k),
            _normal(k, 1),
            _normal(1),
            _labels(n, 2)[:, None] * 1.0,
        ),
    ),
    "course_columns": (
        course_columns,
        lambda n, d, k: (
            _normal(k, d),
            _normal(k, 1),
            _normal(1, k),
            _normal(1, 1),
            _normal(d, n),
            _labels(n, 2)[None, :] * 1.0,
        ),
    ),
    "softmax_with_helper": (
        softmax_with_helper,
        lambda n, d, k: (_normal(n, d), _normal(d, k), np.eye(k)[_labels(n, k)]),
    ),
    "svm_loss": (svm_loss, lambda n, d, k: (_normal(d, k), _normal(n, d), _labels(n, k), 0.1)),
    "augmented": (augmented, lambda n, d, k: (_normal(n), _normal(n))),
    "normalise_in_place": (normalise_in_place, lambda n, d, k: (_normal(n, d),)),
    "masked_assignment": (masked_assignment, lambda n, d, k: (_normal(n), 0.5)),
    "masked_add": (masked_add, lambda n, d, k: (_normal(n),)),
    "column_buffer": (column_buffer, lambda n, d, k: (_normal(n, d),)),
    "padded_differences": (padded_differences, lambda n, d, k: (_normal(n),)),
    "edge_padding": (edge_padding, lambda n, d, k: (_normal(n),)),
    "every_second": (every_second, lambda n, d, k: (_normal(n),)),
    "reversed_weights": (reversed_weights, lambda n, d, k: (_normal(n), _normal(n))),
    "negative_axes": (negative_axes, lambda n, d, k: (_positive(n, d),)),
    "stacked": (stacked, lambda n, d, k: (_normal(n), _normal(n))),
    "joined_columns": (joined_columns, lambda n, d, k: (_normal(n, d), _normal(d + 1))),
    "concatenated": (concatenated, lambda n, d, k: (_normal(n, d), _normal(n, k), _normal(d + k, 3))),
    "array_of_scalars": (array_of_scalars, lambda n, d, k: (0.3, 1.2)),
    "rotation": (rotation, lambda n, d, k: (0.4, _normal(n, 2))),
    "pendulum_energy": (pendulum_energy, lambda n, d, k: (_normal(n), _normal(n), 2.0)),
    "free_fall": (free_fall, lambda n, d, k: (_positive(n), 3.0)),
    "python_scalars": (python_scalars, lambda n, d, k: (1.0, 4.0, 2.0)),
    "zero_dimensional": (zero_dimensional, lambda n, d, k: (_normal(n), np.array(0.7))),
    "np_float_scalar": (np_float_scalar, lambda n, d, k: (_normal(n), np.float64(1.7))),
    "single_precision": (
        single_precision,
        lambda n, d, k: (_normal(n, d).astype(np.float32), _normal(d, k).astype(np.float32)),
    ),
    "weighted_global": (weighted_global, lambda n, d, k: (_normal(n, 3),)),
    "from_imports": (from_imports, lambda n, d, k: (_normal(n),)),
    "keyword_axis": (keyword_axis, lambda n, d, k: (_normal(n, d),)),
    "chained_where": (chained_where, lambda n, d, k: (2 * _normal(n),)),
    "select_pieces": (select_pieces, lambda n, d, k: (2 * _normal(n),)),
    "clipped_logs": (clipped_logs, lambda n, d, k: (_random.random((n, k)), np.eye(k)[_labels(n, k)])),
    "cumulative": (cumulative, lambda n, d, k: (_normal(n),)),
    "cumulative_product": (cumulative_product, lambda n, d, k: (_normal(n),)),
    "sorted_gaps": (sorted_gaps, lambda n, d, k: (_normal(n),)),
    "ranked": (ranked, lambda n, d, k: (_normal(n), _normal(n))),
    "top_value": (top_value, lambda n, d, k: (_normal(n),)),
    "median_deviation": (median_deviation, lambda n, d, k: (_normal(2 * n + 1),)),
    "einsum_chain": (einsum_chain, lambda n, d, k: (_normal(n, d), _normal(d, k), _normal(n, k))),
    "einsum_batch": (einsum_batch, lambda n, d, k: (_normal(n, d), _normal(d, d))),
    "outer_products": (outer_products, lambda n, d, k: (_normal(n), _normal(n))),
    "kronecker": (kronecker, lambda n, d, k: (_normal(n, d), _normal(k, 2))),
    "tensor_products": (tensor_products, lambda n, d, k: (_normal(n, k, d), _normal(d, 2))),
    "trace_of_product": (trace_of_product, lambda n, d, k: (_normal(n, d), _normal(d, n))),
    "inverse_quadratic": (inverse_quadratic, lambda n, d, k: (_definite(n), _normal(n))),
    "gaussian_density": (gaussian_density, lambda n, d, k: (_normal(n), _normal(n), _definite(n))),
    "cholesky_likelihood": (cholesky_likelihood, lambda n, d, k: (_normal(n, d), _definite(d))),
    "ridge_by_hand": (ridge_by_hand, lambda n, d, k: (_normal(n, d), _normal(n), 0.5)),
    "closure_distance": (closure_distance, lambda n, d, k: (_normal(n, 3),)),
    "nested_parameters": (
        nested_parameters,
        lambda n, d, k: (
            {"first": {"W": _normal(d, k), "b": _normal(k)}, "out": (_normal(k, 2), _normal(2))},
            _normal(n, d),
        ),
    ),
    "dataclass_parameters": (
        dataclass_parameters,
        lambda n, d, k: (Parameters(_normal(d, k), _normal(k)), _normal(n, d)),
    ),
    "list_of_weights": (list_of_weights, lambda n, d, k: ([_normal(d, k), _normal(k, 2)], _normal(n, d))),
    "several_outputs": (several_outputs, lambda n, d, k: (_normal(n, d), _normal(d, k))),
    "loss_and_extra": (loss_and_extra, lambda n, d, k: (_normal(n, d), _normal(d), _normal(n))),
    "mixed_outputs": (mixed_outputs, lambda n, d, k: (_normal(n),)),
    "row_and_column": (row_and_column, lambda n, d, k: (_normal(n), _normal(d))),
    "newaxis_products": (newaxis_products, lambda n, d, k: (_normal(n), _normal(n, d))),
    "row_bias": (row_bias, lambda n, d, k: (_normal(n, d), _normal(d, k), _normal(1, k))),
    "column_times_row": (column_times_row, lambda n, d, k: (_normal(n, 1), _normal(1, d))),
    "scalar_bias": (scalar_bias, lambda n, d, k: (_normal(n, d), _normal(d), 0.2)),
    "broadcast_stack": (broadcast_stack, lambda n, d, k: (_normal(n, d), _normal(k, d))),
    "picked_rows": (picked_rows, lambda n, d, k: (_normal(n, d), _labels(k, n), _labels(k, 2))),
    "picked_elements": (picked_elements, lambda n, d, k: (_normal(n, d), _labels(n, d))),
    "taken": (taken, lambda n, d, k: (_normal(n), _labels(k, n))),
    "counted": (counted, lambda n, d, k: (_normal(n), _labels(n, 4))),
    "reshaped": (reshaped, lambda n, d, k: (_normal(n, d, k),)),
    "flattened_images": (flattened_images, lambda n, d, k: (_normal(n, d, k), _normal(d * k, 2))),
    "transposed_axes": (transposed_axes, lambda n, d, k: (_normal(n, d, k),)),
    "moved_axes": (moved_axes, lambda n, d, k: (_normal(n, d, k),)),
    "repeated": (repeated, lambda n, d, k: (_normal(n),)),
    "rolled": (rolled, lambda n, d, k: (_normal(n),)),
    "convolution": (convolution, lambda n, d, k: (_normal(n + 3), _normal(3))),
    "sliding": (sliding, lambda n, d, k: (_normal(n + 3), _normal(3))),
    "trapezoid": (trapezoid, lambda n, d, k: (_normal(n), 0.1)),
    "polynomial": (polynomial, lambda n, d, k: (_normal(3), _normal(n))),
    "horner": (horner, lambda n, d, k: (_normal(n), 0.5, -1.0, 2.0)),
    "euler_steps": (euler_steps, lambda n, d, k: (_normal(n), 0.7)),
    "branches": (branches, lambda n, d, k: (_positive(n), 0.7)),
    "until_small": (until_small, lambda n, d, k: (np.full(n, 1.9 / np.sqrt(n)),)),
    "smallest_of": (smallest_of, lambda n, d, k: (_positive(n), 5 + _positive(n))),
    "power_setting": (power_setting, lambda n, d, k: (_normal(n), 3)),
    "with_option": (with_option, lambda n, d, k: (_normal(n), True)),
    "with_axis": (with_axis, lambda n, d, k: (_normal(n, d), 0)),
    "with_mode": (with_mode, lambda n, d, k: (_normal(n), "relu")),
    "comprehension": (comprehension, lambda n, d, k: (_normal(3, d),)),
    "sum_of_generator": (sum_of_generator, lambda n, d, k: ([_normal(n), _normal(d)],)),
    "dropout": (dropout, lambda n, d, k: (_normal(n, d), _labels(n * d, 2).reshape(n, d), 0.5)),
    "label_smoothing": (label_smoothing, lambda n, d, k: (_normal(n, k), _labels(n, k), 0.1)),
    "focal": (focal, lambda n, d, k: (0.8 * _random.random(n) + 0.1, _labels(n, 2))),
    "dice": (dice, lambda n, d, k: (_random.random(n), _random.random(n))),
    "triplet": (triplet, lambda n, d, k: (_normal(n, d), _normal(n, d), _normal(n, d))),
    "kl_divergence": (kl_divergence, lambda n, d, k: (_normal(n, d), _normal(n, d))),
    "cosine_matrix": (cosine_matrix, lambda n, d, k: (_normal(n, d), _normal(k, d))),
    "group_statistics": (group_statistics, lambda n, d, k: (_normal(n, d),)),
    "potentials": (potentials, lambda n, d, k: (_normal(n),)),
    "lennard_jones": (lennard_jones, lambda n, d, k: (_positive(n) + 0.5,)),
    "heat_step": (heat_step, lambda n, d, k: (_normal(n), 0.1)),
    "logistic_map": (logistic_map, lambda n, d, k: (_positive(n), 3.2)),
    "complex_modulus": (complex_modulus, lambda n, d, k: (_normal(n), _normal(n))),
    "spectrum": (spectrum, lambda n, d, k: (_normal(2 * n),)),
    "integer_counts": (integer_counts, lambda n, d, k: (_positive(n), _labels(n, 5))),
    "weighted_average": (weighted_average, lambda n, d, k: (_normal(n), _positive(n))),
    "shadowed": (shadowed, lambda n, d, k: (_normal(n), _normal(n))),
    "reused_name": (reused_name, lambda n, d, k: (_normal(n, d), _normal(d, k))),
    "unused_argument": (unused_argument, lambda n, d, k: (_normal(n), _normal(d))),
    "returns_argument": (returns_argument, lambda n, d, k: (_normal(n), _normal(n))),
    "same_value_twice": (same_value_twice, lambda n, d, k: (_normal(n),)),
    "method_forward": (_NET.forward, lambda n, d, k: (_normal(n, d), _normal(d, k), _normal(k), _normal(k, 2))),
    "method_inside": (method_forward, lambda n, d, k: (_normal(n, d), _normal(d, k), _normal(k), _normal(k, 2))),
    "lambda": (_lambda, lambda n, d, k: (_normal(n), 0.5)),
}
FIXED = frozenset({"comprehension"})
