"""The coverage table: every expression that autograd, MyGrad or JAX was asked to differentiate, one row each."""

from __future__ import annotations

from tests.coverage import elementwise, linear, methods, reductions, selection, shapes
from tests.coverage.row import Row

__all__ = ["ROWS"]

ROWS: list[Row] = [
    *elementwise.ROWS,
    *reductions.ROWS,
    *shapes.ROWS,
    *selection.ROWS,
    *linear.ROWS,
    *methods.ROWS,
]
