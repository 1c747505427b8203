"""A stable forward pass is written with a stable backward pass: finite, and right, where exponentials overflow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf

import chainrule as cr


def logistic(x):
    return 1 / (1 + np.exp(-x))


def log_softmax(x):
    z = x - x.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def log_sum_exp(x):
    m = x.max(axis=1, keepdims=True)
    return m[:, 0] + np.log(np.exp(x - m).sum(axis=1))


def entropy(x):
    log_p = log_softmax(x)
    return -(np.exp(log_p) * log_p).sum()


def lstm(i, f, c):
    c = logistic(f) * c + logistic(i) * np.tanh(i)
    return logistic(f) * np.tanh(c)


def lstm_with_joint_gates(a, c):
    gates = logistic(a[:, :2])
    return gates[:, 1:] * c[:, :1] + gates[:, :1] * np.tanh(a[:, 2:3])


def gru(a, b, h):
    z, r = logistic(a), logistic(b)
    return (1 - z) * np.tanh(r * h + a) + z * h


def highway(x, t):
    gate = logistic(t)
    return np.maximum(x, 0) * gate + x * (1 - gate)


FORMS = {
    "logistic": logistic,
    "logistic, reciprocal": lambda x: np.reciprocal(1 + np.exp(-x)),
    "logistic by tanh": lambda x: 0.5 * (1 + np.tanh(0.5 * x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "softplus, log1p": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "softplus, log": lambda x: np.log(1 + np.exp(-np.abs(x))) + np.maximum(x, 0),
    "log of a logistic": lambda x: -np.logaddexp(0, -x),
    "tanh": lambda x: np.tanh(x) ** 2,
    "softmax": softmax,
    "log-softmax": log_softmax,
    "log-sum-exp": log_sum_exp,
    "entropy": entropy,
    "attention": lambda x, v: softmax(x) @ v,
    "cross-entropy from logits": lambda x, y: np.mean(np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))),
    "cross-entropy, logaddexp": lambda x, y: np.mean(np.logaddexp(0, x) - x * y),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))),
    "gelu by tanh": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "swish": lambda x: x * logistic(x),
    "swish, a quotient": lambda x: x / (1 + np.exp(-x)),
    "gated linear unit": lambda x, y: x * logistic(y),
    "lstm": lstm,
    "lstm with joint gates": lstm_with_joint_gates,
    "gru": gru,
    "highway": highway,
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(("dtype", "large"), [(np.float64, 800.0), (np.float32, 90.0)], ids=["double", "single"])
@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")
def test_saturated(name, dtype, large):
    forward = FORMS[name]
    names = forward.__code__.co_varnames[: forward.__code__.co_argcount]
    random = np.random.default_rng(0)
    args = [random.standard_normal((3, 3)).astype(dtype) for _ in names]
    namespace = {}
    exec(str(cr.write(forward, *args)), namespace)
    both = next(f for key, f in namespace.items() if key.endswith("_and_grad"))
    mixed = [np.asarray(random.choice([large, -large, 0.5, 1, -1], (3, 3)), dtype) for _ in names]
    for inputs in (mixed, *([np.full((3, 3), x, dtype) for _ in names] for x in (large, -large, 0, 50, 1e-30))):
        with np.errstate(all="ignore"):
            value = forward(*inputs)
            cotangent = [np.ones_like(value)] if np.shape(value) else []
            result, gradients = both(*inputs, *cotangent)
            expected = cr.vjp(forward, *inputs)[1](np.ones_like(value))
        gradients = list(gradients.values()) if isinstance(gradients, dict) else [gradients]
        np.testing.assert_allclose(result, value, rtol=1e-6)
        if not np.all(np.isfinite(value)):
            continue
        for got, wanted in zip(gradients, expected, strict=True):
            assert got.dtype == dtype
            assert np.all(np.isfinite(got))
            if not np.any(inputs[0]):
                continue  # at a kink of the parts that the whole does not have
            known = np.isfinite(wanted)
            scale = max(1.0, np.max(np.abs(wanted[known]), initial=0))
            assert np.max(np.abs(got - wanted)[known], initial=0) <= 100 * np.finfo(dtype).eps * scale
