"""Expressions that rearrange, join, split and build arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.coverage.row import Row, spread

__all__ = ["ROWS"]

X = spread(3, 4)
Y = spread(3, 4, seed=1)
CUBE = spread(2, 3, 4, seed=2)
VECTOR = spread(6, seed=3)
ROW = spread(4, seed=4)
COLUMN = spread(3, 1, seed=5)


def shape(function: str, expression: Callable[..., Any], *args: np.ndarray, refusable: bool = False) -> Row:
    return Row("shape", function, expression, args, refusable)


ROWS = [
    shape("reshape", lambda x: np.reshape(x, (2, -1)), X),
    shape("ravel", lambda x: np.ravel(x), X),
    shape("transpose", lambda x: np.transpose(x, (2, 0, 1)), CUBE),
    shape("permute_dims", lambda x: np.permute_dims(x, (1, 2, 0)), CUBE),
    shape("matrix_transpose", lambda x: np.matrix_transpose(x), CUBE),
    shape("moveaxis", lambda x: np.moveaxis(x, 0, -1), CUBE),
    shape("rollaxis", lambda x: np.rollaxis(x, 2), CUBE),
    shape("swapaxes", lambda x: np.swapaxes(x, 0, 2), CUBE),
    shape("squeeze", lambda x: np.squeeze(x), COLUMN),
    shape("expand_dims", lambda x: np.expand_dims(x, 1), X),
    shape("broadcast_to", lambda x: np.broadcast_to(x, (2, 3, 5)), COLUMN),
    shape("broadcast_arrays", lambda x, y: np.broadcast_arrays(x, y), COLUMN, ROW),
    shape("atleast_1d", lambda x: np.atleast_1d(x), spread(seed=6)),
    shape("atleast_2d", lambda x: np.atleast_2d(x), VECTOR),
    shape("atleast_3d", lambda x: np.atleast_3d(x), X),
    shape("flip", lambda x: np.flip(x, axis=1), X),
    shape("fliplr", lambda x: np.fliplr(x), X),
    shape("flipud", lambda x: np.flipud(x), X),
    shape("roll", lambda x: np.roll(x, 2, axis=1), X),
    shape("rot90", lambda x: np.rot90(x), X),
    shape("tile", lambda x: np.tile(x, (2, 3)), X),
    shape("repeat", lambda x: np.repeat(x, [1, 2, 0], axis=0), X),
    shape("resize", lambda x: np.resize(x, (4, 5)), X),
    shape("pad", lambda x: np.pad(x, ((1, 0), (2, 1))), X),
    shape("pad (edge)", lambda x: np.pad(x, 2, mode="edge"), X),
    shape("concatenate", lambda x, y: np.concatenate([x, y], axis=1), X, Y),
    shape("concat", lambda x, y: np.concat((x, y, x)), X, Y),
    shape("stack", lambda x, y: np.stack([x, y], axis=1), X, Y),
    shape("vstack", lambda x, y: np.vstack([x, y]), X, ROW),
    shape("hstack", lambda x, y: np.hstack([x, y]), X, COLUMN),
    shape("dstack", lambda x, y: np.dstack([x, y]), X, Y),
    shape("column_stack", lambda x, y: np.column_stack([x, y]), VECTOR, spread(6, 2, seed=7)),
    shape("block", lambda x, y: np.block([[x, y], [y, 2 * x]]), X, Y),
    shape("split", lambda x: np.split(x, 2, axis=1), X),
    shape("array_split", lambda x: np.array_split(x, 4), VECTOR),
    shape("hsplit", lambda x: np.hsplit(x, [1, 3]), X),
    shape("vsplit", lambda x: np.vsplit(x, 3), X),
    shape("dsplit", lambda x: np.dsplit(x, 2), CUBE),
    shape("unstack", lambda x: np.unstack(x, axis=1), X),
    shape("append", lambda x, y: np.append(x, y, axis=0), X, Y),
    shape("delete", lambda x: np.delete(x, 1, axis=1), X),
    shape("insert", lambda x, y: np.insert(x, 1, y, axis=0), X, ROW),
    shape("copy", lambda x: np.copy(x) * x, X),
    shape("astype", lambda x: np.astype(x, np.float64) * x, X),
    shape("asarray", lambda x: np.asarray(x) * x, X),
    shape("array", lambda x: np.array(x) * x, X),
    shape("array of elements", lambda x: np.array([x[0] * x[1], np.sin(x[2]), 3.0]), VECTOR),
    shape("diag", lambda x: np.diag(x), VECTOR),
    shape("diagflat", lambda x: np.diagflat(x, 1), COLUMN),
    shape("diagonal", lambda x: np.diagonal(x, offset=1), X),
    shape("tril", lambda x: np.tril(x), X),
    shape("triu", lambda x: np.triu(x, 1), X),
    shape("meshgrid", lambda x, y: np.meshgrid(x, y), VECTOR, ROW),
    shape("full", lambda x: np.full((2, 3), x[1] * x[2]), VECTOR),
    shape("full_like", lambda x: np.full_like(x, x[1] ** 2), VECTOR),
    shape("ascontiguousarray", lambda x: np.ascontiguousarray(x.T), X, refusable=True),
    shape("ix_ indexing", lambda x: x[np.ix_([0, 2], [1, 3, 1])], X),
    shape("apply_along_axis", lambda x: np.apply_along_axis(lambda row: row**2 / (3 + row.sum() ** 2), 1, x), X),
    shape("apply_over_axes", lambda x: np.apply_over_axes(np.sum, x, [0, 2]), CUBE),
    shape("vectorize", lambda x: np.vectorize(lambda value: value * value + 1.0)(x), X, refusable=True),
]
