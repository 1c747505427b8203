"""Functions whose results carry no derivative: positions, truth values, and what depends on shapes alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.language import Message, message
from chainrule.ops import constant

__all__: list[str] = []

# Per reason, the functions and the names of their array parameters.
_CONSTANTS: list[tuple[Message, list[tuple[Any, ...]]]] = [
    (
        message("it returns positions, which do not move smoothly"),
        [
            (np.argsort, "a"),
            (np.argpartition, "a"),
            (np.lexsort, "keys"),
            (np.searchsorted, "a", "v"),
            (np.digitize, "x", "bins"),
            (np.nonzero, "a"),
            (np.argwhere, "a"),
            (np.flatnonzero, "a"),
            (np.unravel_index, "indices"),
            (np.ravel_multi_index, "multi_index"),
        ],
    ),
    (
        message("it returns truth values"),
        [
            (np.isin, "element", "test_elements"),
            (np.isclose, "a", "b"),
            (np.allclose, "a", "b"),
            (np.array_equal, "a1", "a2"),
            (np.array_equiv, "a1", "a2"),
            (np.iscomplex, "x"),
            (np.isreal, "x"),
            (np.isposinf, "x"),
            (np.isneginf, "x"),
            (np.shares_memory, "a", "b"),
            (np.may_share_memory, "a", "b"),
        ],
    ),
    (
        message("it depends on the shape alone"),
        [
            (np.shape, "a"),
            (np.ndim, "a"),
            (np.size, "a"),
            (np.tril_indices_from, "arr"),
            (np.triu_indices_from, "arr"),
            (np.diag_indices_from, "arr"),
        ],
    ),
]

for _reason, _rows in _CONSTANTS:
    for _function, *_operands in _rows:
        constant(_function, _reason, *_operands)
