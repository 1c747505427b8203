"""Functions whose written backward passes are kept next to this file, to be read as one would review code."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tests.zoo import FUNCTIONS
from tests.zoo_wild import WILD

_random = np.random.default_rng(3)


def network(X, T, W1, B1, W2, B2, W3, B3, W4, B4):
    Z1 = X.dot(W1) + B1
    A1 = np.maximum(0, Z1)
    Z2 = A1.dot(W2) + B2
    A2 = np.maximum(0, Z2)
    Z3 = A2.dot(W3) + B3
    A3 = np.maximum(0, Z3)
    Y = A3.dot(W4) + B4
    err = ((Y - T) ** 2).mean()
    return err


def dense(x_input, W, b):
    return x_input @ W + b


def softmax_loss(params, X, labels):
    n = X.shape[0]
    scores = X @ params["W"] + params["b"]
    E = np.exp(scores - scores.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    return -np.log(P[np.arange(n), labels]).sum() / n + 1e-3 * np.sum(params["W"] ** 2)


def smooth(x, decay):
    if x.sum() > 0:
        x = x / x.sum()
    level = np.zeros(4)
    for t in range(1, 4):
        level[t] = decay * level[t - 1] + x[t]
    return level


def _layers(*sizes: int) -> list:
    return [a for n, m in pairwise(sizes) for a in (_random.standard_normal((n, m)), _random.standard_normal(m))]


def _wild(name: str) -> tuple:
    f, make = WILD[name]
    return f, make(6, 4, 3)


_X = _random.standard_normal((5, 4))
EXAMPLES = {
    "network": (network, (_X, _random.standard_normal((5, 1)), *_layers(4, 6, 6, 6, 1)), {"wrt": list(range(2, 10))}),
    "network_lines": (
        network,
        (_X, _random.standard_normal((5, 1)), *_layers(4, 6, 6, 6, 1)),
        {"wrt": list(range(2, 10)), "style": "lines"},
    ),
    "dense_grad_input": (dense, (_X, *_layers(4, 3)), {"wrt": "x_input", "style": "pullback"}),
    "dense_layer": (dense, (_X, *_layers(4, 3)), {"style": "layer"}),
    "softmax_loss": (
        softmax_loss,
        ({"W": _random.standard_normal((4, 3)), "b": np.zeros(3)}, _X, np.array([0, 2, 1, 1, 0])),
        {"wrt": "params"},
    ),
    "layer_norm": (*FUNCTIONS["layer_norm"], {"prefix": "grad_", "style": "layer"}),
    "attention": (*FUNCTIONS["attention"], {"style": "pullback"}),
    "smooth": (smooth, (np.array([0.3, 0.1, 0.4, 0.2]), 0.9), {}),
    "svm_loss": (*_wild("svm_loss"), {"wrt": "W"}),
    "course_columns": (*_wild("course_columns"), {"wrt": ["W1", "b1", "W2", "b2"], "style": "pullback"}),
    "dense_jvp": (dense, (_X, *_layers(4, 3)), {"what": "jvp"}),
    "mean_squared_hvp": (*FUNCTIONS["mean_squared"], {"what": "hvp", "wrt": "w"}),
}
