"""What is written for everyday NumPy: it runs, and gives the gradients that the numbers are."""

from __future__ import annotations

from typing import Any

import numpy as np
import optree
import pytest

import chainrule as cr
from tests.coverage.expressions import ROWS
from tests.coverage.row import Row

# One in eight, from another one on for each kind of call: writing all of them takes minutes.
SAMPLED = [row for k, row in enumerate(ROWS) if k % 8 == 1]
MENDED = {
    "reduction: average", "reduction: nanmax", "reduction: nanmin", "products: einsum (optimize)", "shape: insert",
    "linalg: linalg.pinv", "ndarray: .compress", "ndarray: .sort (in place)",
}  # fmt: skip


@pytest.mark.parametrize("row", [r for r in ROWS if r in SAMPLED or r.name in MENDED], ids=lambda row: row.name)
def test_what_is_written_gives_the_gradients(row: Row) -> None:
    try:
        value, pull = cr.vjp(row.expression, *row.args)
    except cr.ChainruleError:
        with pytest.raises(cr.ChainruleError):
            cr.write(row.expression, *row.args)
        return
    written = cr.write(row.expression, *row.args).function
    random = np.random.default_rng(1)

    def cotangent(x: Any) -> Any:
        return np.asarray(random.standard_normal(np.shape(x)), np.asarray(x).dtype)[()]

    several = isinstance(value, tuple | list)
    # A list's is a list, a named tuple's is of its type.
    given = cotangent(value) if not several else optree.tree_map(cotangent, value)
    takes = several or np.ndim(value) or np.iscomplexobj(value)
    found, gradients = written(*row.args, *((given,) if takes else ()))
    expected = pull(given if takes else 1.0)
    for ours, plain in zip(found, value, strict=True) if several else ((found, value),):
        np.testing.assert_allclose(ours, plain, rtol=1e-12, atol=1e-13)
    for ours, plain in zip(gradients.values(), expected, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-11)
