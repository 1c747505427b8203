"""Identities of what is added at an index, at slices and at the places of windows."""

from __future__ import annotations

import numpy as np

from chainrule.simplify.identity import Identity
from chainrule.simplify.mechanical_forms import added_at, added_at_rows, at_windows, put_at, read_at

__all__ = ["INDEX_IDENTITIES"]

INDEX_IDENTITIES: tuple[Identity, ...] = (
    Identity(
        "part set to zero already", "A", "what is a multiple of an array with a part set to zero has it at zero",
        lambda x, y, s, m: put_at(2 * put_at(x, 0.0), 0.0),
        lambda x, y, s, m: 2 * put_at(x, 0.0),
    ),
    Identity(
        "part where an exponential vanishes", "B", "exp is zero already where its argument was set to minus infinity",
        lambda x, y, s, m: put_at(np.exp(put_at(y, -np.inf)) * s, 0.0),
        lambda x, y, s, m: np.exp(put_at(y, -np.inf)) * s,
    ),
    Identity(
        "added in place", "B", "what is added at an index is added onto the other terms",
        lambda x, y, s, m: x + added_at(np.zeros_like(x), s[:, 0]),
        lambda x, y, s, m: added_at(x, s[:, 0]),
    ),
    Identity(
        "added at the same place", "B", "what is added at the same place is added up first",
        lambda x, y, s, m: added_at(added_at(np.zeros_like(x), s[:, 0]), y[:, 0]),
        lambda x, y, s, m: added_at(np.zeros_like(x), s[:, 0] + y[:, 0]),
    ),
    Identity(
        "part put back", "A", "a part that was set to zero and is added at its place again was never gone",
        lambda x, y, s, m: (added_at(put_at(x, 0.0), read_at(x)), added_at(put_at(x, 0.0), s[:, 0])),
        lambda x, y, s, m: (x * 1, put_at(x, s[:, 0])),
    ),
    Identity(
        "slices that tile an array", "A", "parts that follow one another are joined",
        lambda x, y, s, m: added_at_rows(np.zeros_like(x), x[:1], x[1:]),
        lambda x, y, s, m: np.concatenate([x[:1], x[1:]]),
    ),
    Identity(
        "slices that interleave an array", "A", "what is added at every other element and at those between is repeated",
        lambda x, y, s, m: (t := np.zeros((6, 8)), t[:, ::2].__iadd__(x), t[:, 1::2].__iadd__(x), t)[-1],
        lambda x, y, s, m: np.broadcast_to(x[:, :, None], (6, 4, 2)).reshape(6, 8),
    ),
    Identity(
        "product with what was added at an index", "B", "only what stands at the index is multiplied",
        lambda x, y, s, m: np.where(added_at(np.zeros_like(x), 1) > 0, added_at(np.zeros_like(x), s[:, 0]) * y, 0),
        lambda x, y, s, m: added_at(
            np.zeros_like(x), s[:, 0] * y[np.arange(len(x)), np.arange(len(x)) % x.shape[1]]
        ),
    ),
    Identity(
        "sum over windows", "B", "products that are added at the places of sliding windows are a convolution",
        lambda x, y, s, m: at_windows(len(s) + 3, s * x[0]),
        lambda x, y, s, m: np.convolve(s[:, 0], x[0]),
    ),
    Identity(
        "added to some windows", "A", "places of windows to which nothing is added are not looked up",
        lambda x, y, s, m: (w := np.zeros_like(x), w.__setitem__(slice(None, None, 2), x[::2]), at_windows(9, w))[-1],
        lambda x, y, s, m: at_windows(9, x[::2], 2),
    ),
)  # fmt: skip
