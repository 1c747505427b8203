"""The identities that rest on a fact about an array: assumed, or proved from how it is made."""

from __future__ import annotations

import numpy as np

from chainrule.simplify.identity import Identity
from chainrule.simplify.mechanical_forms import one_hot

__all__ = ["FACT_IDENTITIES"]

FACT_IDENTITIES: tuple[Identity, ...] = (
    Identity(
        "known sums", "C", "what is added up is known to add to 1: by how it is made, or as the reader says",
        lambda x, y, s, m: (
            x * (t := one_hot(y)).sum(1, keepdims=True) - t, x * (0.8 * t + 0.2 / 4).sum(1, keepdims=True),
        ),
        lambda x, y, s, m: (x - one_hot(y), x * 1),
    ),
    Identity(
        "zeros and ones only", "C", "y * y is y, and y * (1 - y) is zero, where y is 0 or 1",
        lambda x, y, s, m: (x * (t := one_hot(y)) ** 2, x * t * (1 - t)),
        lambda x, y, s, m: (x * one_hot(y), np.zeros_like(x)),
    ),
    Identity(
        "one in each row", "C", "the one element that a row of y picks: y * (y * x).sum(1) is y * x",
        lambda x, y, s, m: ((t := one_hot(y)) * (u := (t * x).sum(1, keepdims=True)), t * x / u),
        lambda x, y, s, m: ((t := one_hot(y)) * x, t),
    ),
    Identity(
        "no ties", "C", "a maximum that is assumed to have one place: its share of the gradient is a mask",
        lambda x, y, s, m: (np.where(x == y + 9, 0.5, x > y + 9), (h := one_hot(x) == 1) / h.sum(1, keepdims=True)),
        lambda x, y, s, m: ((x > y + 9) * 1, (one_hot(x) == 1) * 1),
    ),
    Identity(
        "chosen of two", "C", "of p and 1 - p one is chosen, so that the product of both is that of it and one less it",
        lambda x, y, s, m: (p := 1 / (1 + np.exp(-x))) * (1 - p),
        lambda x, y, s, m: (
            p := 1 / (1 + np.exp(-x)), t := one_hot(y), c := np.where(t == 1, p, 1 - p), c * (1 - c),
        )[-1],
    ),
    Identity(
        "never zero", "A", "the guard of a divisor that is assumed to be nowhere zero",
        lambda x, y, s, m: (x / (s + (s == 0)), x / np.where(s == 0, 1, s), x * (s != 0)),
        lambda x, y, s, m: (x / s, x / s, x * 1),
    ),
)  # fmt: skip
