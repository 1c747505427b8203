"""Functions whose results carry no derivative: positions, truth values, and what depends on shapes alone."""

from __future__ import annotations

import numpy as np

from chainrule.ops import constant

__all__: list[str] = []

_POSITIONS = "it returns positions, which do not move smoothly"
_TRUTH = "it returns truth values"
_SHAPE = "it depends on the shape alone"

for _function, _operands in (
    (np.argsort, ("a",)),
    (np.argpartition, ("a",)),
    (np.lexsort, ("keys",)),
    (np.searchsorted, ("a", "v")),
    (np.digitize, ("x", "bins")),
    (np.nonzero, ("a",)),
    (np.argwhere, ("a",)),
    (np.flatnonzero, ("a",)),
    (np.unravel_index, ("indices",)),
    (np.ravel_multi_index, ("multi_index",)),
):
    constant(_function, _POSITIONS, *_operands)

for _function, _operands in (
    (np.isin, ("element", "test_elements")),
    (np.isclose, ("a", "b")),
    (np.allclose, ("a", "b")),
    (np.array_equal, ("a1", "a2")),
    (np.array_equiv, ("a1", "a2")),
    (np.iscomplex, ("x",)),
    (np.isreal, ("x",)),
    (np.isposinf, ("x",)),
    (np.isneginf, ("x",)),
    (np.shares_memory, ("a", "b")),
    (np.may_share_memory, ("a", "b")),
):
    constant(_function, _TRUTH, *_operands)

for _function, _operands in (
    (np.shape, ("a",)),
    (np.ndim, ("a",)),
    (np.size, ("a",)),
    (np.tril_indices_from, ("arr",)),
    (np.triu_indices_from, ("arr",)),
    (np.diag_indices_from, ("arr",)),
):
    constant(_function, _SHAPE, *_operands)
