"""Cases for what moves, repeats, joins and cuts: shapes, axes, padding, stacking, splitting, diagonals, windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cases.case import Case

_rng = np.random.default_rng(30)


def A(*shape: int) -> Any:
    """A real array of this shape."""
    return _rng.normal(size=shape) if shape else float(_rng.normal())


def C(*shape: int) -> Any:
    """A complex array of this shape."""
    return _rng.normal(size=shape) + 1j * _rng.normal(size=shape)


def P(*shape: int) -> Any:
    """An array of distinct values, far enough apart that no order changes under a small step."""
    return _rng.permutation(np.arange(1, int(np.prod(shape)) + 1)).reshape(shape) / 4 + 0.1


def _linear(name: str, function: Any, *args: Any) -> Case:
    """A case for a map that is linear, and so analytic."""
    return Case(name, function, args, complex_step=True)


def _trimmed_and_written(x: Any) -> Any:
    np.trim_zeros(x)[0] *= 3.0
    return x * x


_windows = np.lib.stride_tricks.sliding_window_view

_SHAPES = [
    _linear("reshape", lambda x: np.reshape(x, (3, 4)), A(2, 6)),
    _linear("reshape -1", lambda x: np.reshape(x, (-1, 2)), A(3, 4)),
    _linear("reshape int", lambda x: np.reshape(x, 12), A(3, 4)),
    _linear("reshape F", lambda x: np.reshape(x, (3, 4), order="F"), A(2, 6)),
    _linear("reshape A", lambda x: np.reshape(x, (3, 4), order="A"), A(2, 6)),
    _linear("reshape A of F", lambda x: np.reshape(x.T, (4, 3), order="A"), A(6, 2)),
    _linear("reshape to 0-d", lambda x: np.reshape(x, ()), A(1, 1)),
    _linear("reshape from 0-d", lambda x: np.reshape(x, (1, 1)), A()),
    _linear("reshape empty", lambda x: np.reshape(x, (3, 0)), A(0, 2)),
    _linear("reshape method", lambda x: x.reshape(4, -1), A(3, 4)),
    _linear("reshape method F", lambda x: x.reshape((4, 3), order="F"), A(3, 4)),
    _linear("ravel", np.ravel, A(2, 3)),
    _linear("ravel F", lambda x: np.ravel(x, order="F"), A(2, 3, 4)),
    _linear("ravel A", lambda x: np.ravel(x, order="A"), A(2, 3)),
    _linear("ravel K", lambda x: np.ravel(x, order="K"), A(2, 3)),
    _linear("ravel K of transposed", lambda x: np.ravel(np.transpose(x, (1, 2, 0)), order="K"), A(2, 3, 4)),
    _linear("ravel K of reversed", lambda x: np.ravel(x.T[:, ::-1], order="K"), A(2, 3)),
    _linear("ravel method", lambda x: x.ravel() * 2, A(2, 3)),
    _linear("flatten method", lambda x: x.flatten("F"), A(2, 3)),
    _linear("transpose", np.transpose, A(2, 3, 4)),
    _linear("transpose axes", lambda x: np.transpose(x, (2, 0, 1)), A(2, 3, 4)),
    _linear("transpose negative axes", lambda x: np.transpose(x, (-1, 0, -2)), A(2, 3, 4)),
    _linear("transpose method", lambda x: x.transpose(1, 2, 0), A(2, 3, 4)),
    _linear("transpose T", lambda x: x.T, A(2, 3)),
    _linear("permute_dims", lambda x: np.permute_dims(x, (1, 0)), A(2, 3)),
    _linear("matrix_transpose", np.matrix_transpose, A(2, 3, 4)),
    _linear("matrix_transpose mT", lambda x: x.mT, A(2, 3, 4)),
    _linear("moveaxis", lambda x: np.moveaxis(x, 0, -1), A(2, 3, 4)),
    _linear("moveaxis several", lambda x: np.moveaxis(x, [0, 1], [-1, 0]), A(2, 3, 4)),
    _linear("rollaxis", lambda x: np.rollaxis(x, 2), A(2, 3, 4)),
    _linear("rollaxis forward", lambda x: np.rollaxis(x, 0, 3), A(2, 3, 4)),
    _linear("rollaxis to middle", lambda x: np.rollaxis(x, 1, 3), A(2, 3, 4, 5)),
    _linear("rollaxis negative", lambda x: np.rollaxis(x, -1, -3), A(2, 3, 4, 5)),
    _linear("rollaxis nowhere", lambda x: np.rollaxis(x, 1, 1), A(2, 3)),
    _linear("swapaxes", lambda x: np.swapaxes(x, 0, -1), A(2, 3, 4)),
    _linear("squeeze", np.squeeze, A(1, 3, 1)),
    _linear("squeeze axis", lambda x: np.squeeze(x, axis=0), A(1, 3, 1)),
    _linear("squeeze axes", lambda x: np.squeeze(x, axis=(0, -1)), A(1, 3, 1)),
    _linear("squeeze nothing", np.squeeze, A(2, 3)),
    _linear("expand_dims", lambda x: np.expand_dims(x, 1), A(2, 3)),
    _linear("expand_dims negative", lambda x: np.expand_dims(x, -1), A(2, 3)),
    _linear("expand_dims several", lambda x: np.expand_dims(x, (0, -1)), A(2, 3)),
    _linear("expand_dims 0-d", lambda x: np.expand_dims(x, 0), A()),
    _linear("copy", np.copy, A(2, 3)),
    _linear("copy F", lambda x: np.copy(x, order="F"), A(2, 3)),
    _linear("astype", lambda x: np.astype(x, np.complex128), A(2, 3)),
    _linear("astype method", lambda x: x.astype(complex), A(2, 3)),
    _linear("broadcast_to", lambda x: np.broadcast_to(x, (4, 2, 3)), A(2, 1)),
    _linear("broadcast_to 0-d", lambda x: np.broadcast_to(x, (2, 3)), A()),
    _linear("broadcast_to int", lambda x: np.broadcast_to(x, 3), A(1)),
    _linear("broadcast_arrays", lambda x, y: tuple(np.broadcast_arrays(x, y)), A(3, 1), A(4)),
    _linear("broadcast_arrays three", lambda x, y, z: tuple(np.broadcast_arrays(x, y, z)), A(3, 1), A(2, 1, 4), A()),
    _linear("atleast_1d", np.atleast_1d, A()),
    _linear("atleast_1d none missing", np.atleast_1d, A(2, 3)),
    _linear("atleast_1d several", lambda x, y: np.atleast_1d(x, y), A(), A(2, 3)),
    _linear("atleast_2d", np.atleast_2d, A(3)),
    _linear("atleast_2d 0-d", np.atleast_2d, A()),
    _linear("atleast_2d several", lambda x, y: np.atleast_2d(x, y), A(2), A(2, 3, 1)),
    _linear("atleast_3d", np.atleast_3d, A(3, 2)),
    _linear("atleast_3d 0-d", np.atleast_3d, A()),
    _linear("atleast_3d 1-d", np.atleast_3d, A(3)),
    _linear("atleast_3d several", lambda x, y: np.atleast_3d(x, y), A(3), A(1, 2, 3, 4)),
]

_REVERSALS = [
    _linear("flip", np.flip, A(2, 3)),
    _linear("flip axis", lambda x: np.flip(x, axis=1), A(2, 3)),
    _linear("flip axes", lambda x: np.flip(x, axis=(0, -1)), A(2, 3, 4)),
    _linear("fliplr", np.fliplr, A(2, 3)),
    _linear("flipud", np.flipud, A(2, 3)),
    _linear("roll", lambda x: np.roll(x, 2), A(2, 3)),
    _linear("roll axis", lambda x: np.roll(x, -1, axis=1), A(2, 3)),
    _linear("roll several", lambda x: np.roll(x, (1, 2), axis=(0, 1)), A(3, 4)),
    _linear("roll one along several", lambda x: np.roll(x, 1, axis=(0, 1)), A(3, 4)),
    _linear("roll twice along one", lambda x: np.roll(x, [1, 1], axis=[0, 0]), A(3, 4)),
    _linear("rot90", np.rot90, A(2, 3)),
    _linear("rot90 k", lambda x: np.rot90(x, 3), A(2, 3)),
    _linear("rot90 axes", lambda x: np.rot90(x, -1, axes=(1, 2)), A(2, 3, 4)),
]

_REPETITION = [
    _linear("tile", lambda x: np.tile(x, 2), A(3)),
    _linear("tile more axes", lambda x: np.tile(x, (2, 1, 3)), A(2, 3)),
    _linear("tile fewer", lambda x: np.tile(x, 2), A(2, 3)),
    _linear("tile 0-d", lambda x: np.tile(x, (2, 3)), A()),
    _linear("tile zero", lambda x: np.tile(x, (0, 2)), A(3)),
    _linear("repeat", lambda x: np.repeat(x, 3), A(2, 3)),
    _linear("repeat axis", lambda x: np.repeat(x, 2, axis=0), A(2, 3)),
    _linear("repeat negative axis", lambda x: np.repeat(x, 2, axis=-2), A(2, 3, 4)),
    _linear("repeat counts", lambda x: np.repeat(x, [2, 0, 1], axis=1), A(2, 3)),
    _linear("repeat counts flat", lambda x: np.repeat(x, np.array([1, 2, 0, 3])), A(2, 2)),
    _linear("repeat one count", lambda x: np.repeat(x, [2], axis=1), A(2, 3)),
    _linear("repeat zero", lambda x: np.repeat(x, 0), A(3)),
    _linear("repeat 0-d", lambda x: np.repeat(x, 3), A()),
    _linear("repeat method", lambda x: x.repeat(2, axis=0), A(2, 3)),
    _linear("resize larger", lambda x: np.resize(x, (3, 4)), A(5)),
    _linear("resize smaller", lambda x: np.resize(x, 4), A(2, 3)),
    _linear("resize empty", lambda x: np.resize(x, (0, 3)), A(2)),
]

_DIAGONALS = [
    _linear("diag of vector", np.diag, A(3)),
    _linear("diag of vector k", lambda x: np.diag(x, -2), A(3)),
    _linear("diag of matrix", np.diag, A(3, 3)),
    _linear("diag of matrix k", lambda x: np.diag(x, k=1), A(3, 3)),
    _linear("diag of wide matrix", lambda x: np.diag(x, k=2), A(3, 5)),
    _linear("diag of tall matrix", lambda x: np.diag(x, k=-1), A(4, 2)),
    _linear("diag beyond", lambda x: np.diag(x, k=7), A(3, 3)),
    _linear("diagflat", np.diagflat, A(2, 2)),
    _linear("diagflat k", lambda x: np.diagflat(x, 1), A(3)),
    _linear("diagonal", np.diagonal, A(3, 4)),
    _linear("diagonal offset", lambda x: np.diagonal(x, -1), A(4, 3)),
    _linear("diagonal axes", lambda x: np.diagonal(x, 1, 0, 2), A(3, 2, 4)),
    _linear("diagonal exchanged axes", lambda x: np.diagonal(x, 1, -1, 0), A(3, 2, 4)),
    _linear("diagonal beyond", lambda x: np.diagonal(x, 9), A(3, 4)),
    _linear("diagonal method", lambda x: x.diagonal(axis1=1, axis2=2), A(2, 3, 3)),
    _linear("trace", np.trace, A(3, 4)),
    _linear("trace offset", lambda x: np.trace(x, offset=-1), A(3, 4)),
    _linear("trace stack", np.trace, A(3, 4, 2)),
    _linear("trace axes", lambda x: np.trace(x, offset=1, axis1=0, axis2=2), A(3, 2, 4)),
    _linear("trace exchanged axes", lambda x: np.trace(x, offset=1, axis1=1, axis2=0), A(3, 3)),
    _linear("trace exchanged axes, not square", lambda x: np.trace(x, 1, 1, 0), A(3, 4)),
    _linear("trace exchanged axes of a stack", lambda x: np.trace(x, -1, -1, 0), A(3, 2, 4)),
    _linear("trace method", lambda x: x.trace(), A(3, 3)),
    _linear("tril", np.tril, A(3, 4)),
    _linear("tril k stack", lambda x: np.tril(x, k=-1), A(2, 3, 3)),
    _linear("tril vector", np.tril, A(3)),
    _linear("triu", np.triu, A(4, 3)),
    _linear("triu k", lambda x: np.triu(x, k=1), A(3, 4)),
    Case("vander", np.vander, (A(3),), complex_step=True),
    Case("vander N", lambda x: np.vander(x, 5), (A(3),), complex_step=True),
    Case("vander increasing", lambda x: np.vander(x, 4, increasing=True), (A(3),), complex_step=True),
    Case("vander at zero", lambda x: np.vander(x, 4), (np.array([0.0, 1.5]),), complex_step=True),
    Case("vander one column", lambda x: np.vander(x, 1) * x[:, None], (A(3),), complex_step=True),
]

_JOINING = [
    _linear("concatenate", lambda x, y: np.concatenate([x, y]), A(2, 3), A(4, 3)),
    _linear("concatenate axis", lambda x, y: np.concatenate((x, y), axis=-1), A(2, 3), A(2, 1)),
    _linear("concatenate flat", lambda x, y: np.concatenate((x, y), axis=None), A(2, 3), A(2, 1, 2)),
    _linear("concatenate one twice", lambda x: np.concatenate([x, x * 2, x]), A(3)),
    _linear("concatenate empty", lambda x, y: np.concatenate([x, y]), A(0, 3), A(2, 3)),
    _linear("concatenate with plain", lambda x: np.concatenate([np.ones(2), x]), A(3)),
    Case("concatenate complex", lambda x, y: np.concatenate([x, y]), (A(2), C(3))),
    _linear("concatenate array", lambda x: np.concatenate(x, axis=1), A(2, 3, 4)),
    _linear("concat", lambda x, y: np.concat([x, y], axis=1), A(2, 3), A(2, 1)),
    _linear("stack", lambda x, y: np.stack([x, y]), A(2, 3), A(2, 3)),
    _linear("stack axis", lambda x, y: np.stack((x, y), axis=1), A(2, 3), A(2, 3)),
    _linear("stack last", lambda x, y, z: np.stack((x, y, z), axis=-1), A(2), A(2), A(2)),
    _linear("stack 0-d", lambda x, y: np.stack([x, y]), A(), A()),
    _linear("vstack", lambda x, y: np.vstack([x, y]), A(3), A(2, 3)),
    _linear("vstack 0-d", lambda x, y: np.vstack([x, y]), A(), A()),
    _linear("hstack", lambda x, y: np.hstack([x, y]), A(3), A(2)),
    _linear("hstack matrices", lambda x, y: np.hstack([x, y]), A(2, 3), A(2, 1)),
    _linear("hstack 0-d", lambda x, y: np.hstack([x, y]), A(), A(2)),
    _linear("dstack", lambda x, y: np.dstack([x, y]), A(3), A(1, 3, 2)),
    _linear("dstack matrices", lambda x, y: np.dstack([x, y]), A(2, 3), A(2, 3)),
    _linear("column_stack", lambda x, y: np.column_stack([x, y]), A(3), A(3, 2)),
    _linear("block", lambda x, y: np.block([[x, y], [y.T, x[:2, :2]]]), A(3, 3), A(3, 2)),
    _linear("block numbers", lambda x, t: np.block([x, t, 1.0]), A(3), A()),
    _linear("block one", lambda x: np.block(x), A(2, 3)),
    _linear("block mixed ranks", lambda x, y: np.block([[x], [y]]), A(3), A(2, 3)),
    _linear("append", lambda x, y: np.append(x, y), A(2, 3), A(2)),
    _linear("append number", lambda x: np.append(x, 1.0), A(3)),
    _linear("append followed number", lambda t: np.append(np.ones(2), t), A()),
    _linear("append axis", lambda x, y: np.append(x, y, axis=1), A(2, 3), A(2, 1)),
]

_CUTTING = [
    _linear("split", lambda x: np.split(x, 3), A(6)),
    _linear("split one used", lambda x: np.split(x, 3)[1], A(6, 2)),
    _linear("split indices", lambda x: np.split(x, [1, 4], axis=1), A(2, 6)),
    _linear("split overlapping", lambda x: np.split(x, [4, 2]), A(6)),
    _linear("split negative", lambda x: np.split(x, [-2], axis=-1), A(2, 5)),
    _linear("split beyond", lambda x: np.split(x, [2, 9]), A(4)),
    _linear("array_split", lambda x: np.array_split(x, 3), A(7)),
    _linear("array_split axis", lambda x: np.array_split(x, 4, axis=1), A(2, 6)),
    _linear("array_split more than there are", lambda x: np.array_split(x, 3), A(2)),
    _linear("hsplit", lambda x: np.hsplit(x, 2), A(3, 4)),
    _linear("hsplit vector", lambda x: np.hsplit(x, [1]), A(4)),
    _linear("vsplit", lambda x: np.vsplit(x, 2), A(4, 3)),
    _linear("dsplit", lambda x: np.dsplit(x, [1, 2]), A(2, 3, 4)),
    _linear("unstack", lambda x: np.unstack(x), A(3, 2)),
    _linear("unstack axis", lambda x: np.unstack(x, axis=-1)[1], A(3, 2)),
]

_ELEMENTS = [
    _linear("delete", lambda x: np.delete(x, 1), A(4)),
    _linear("delete axis", lambda x: np.delete(x, [0, -1], axis=1), A(2, 4)),
    _linear("delete slice", lambda x: np.delete(x, slice(0, 3, 2), axis=0), A(4, 2)),
    _linear("delete mask", lambda x: np.delete(x, np.array([True, False, True])), A(3)),
    _linear("delete flat", lambda x: np.delete(x, 2), A(2, 3)),
    _linear("insert", lambda x, v: np.insert(x, 1, v), A(3), A()),
    _linear("insert several at one", lambda x, v: np.insert(x, 1, v), A(3), A(2)),
    _linear("insert several", lambda x, v: np.insert(x, [2, 0, 2], v), A(3), A(3)),
    _linear("insert one value at several", lambda x, v: np.insert(x, [0, 3], v), A(3), A()),
    _linear("insert negative", lambda x, v: np.insert(x, [-1], v), A(3), A(1)),
    _linear("insert axis", lambda x, v: np.insert(x, 1, v, axis=1), A(2, 3), A(2)),
    _linear("insert axis several at one", lambda x, v: np.insert(x, 1, v, axis=1), A(2, 3), A(4, 2)),
    _linear("insert axis number", lambda x, v: np.insert(x, 1, v, axis=0), A(2, 3), A()),
    _linear("insert axis list", lambda x, v: np.insert(x, [1, 2], v, axis=1), A(2, 3), A(2, 2)),
    _linear("insert axis list column", lambda x, v: np.insert(x, [1, 2], v, axis=-1), A(2, 3), A(2, 1)),
    _linear("insert slice", lambda x, v: np.insert(x, slice(0, 2), v), A(3), A(2)),
    _linear("insert flat", lambda x, v: np.insert(x, 2, v), A(2, 2), A()),
    _linear("insert plain", lambda x: np.insert(x, 0, 5.0), A(3)),
    Case("trim_zeros of zeros", lambda x: np.append(np.trim_zeros(x * 0.0), x), (A(2),)),
    Case("trim_zeros written through", lambda x: _trimmed_and_written(np.pad(x, (2, 1))), (A(3),)),
    Case("trim_zeros inner", lambda x: np.trim_zeros(np.pad(x, (2, 1))), (A(3),)),
    Case("trim_zeros front", lambda x: np.trim_zeros(np.pad(x, (2, 1)), "f"), (A(3),)),
    Case("trim_zeros back", lambda x: np.trim_zeros(np.pad(x, (2, 1)), "b"), (A(3),)),
    Case("trim_zeros matrix", lambda x: np.trim_zeros(np.pad(x, (2, 1))), (A(3, 2),)),
    Case("trim_zeros matrix axis", lambda x: np.trim_zeros(np.pad(x, (2, 1)), axis=1), (A(3, 2),)),
]

_PADDING = [
    _linear("pad", lambda x: np.pad(x, 1), A(2, 3)),
    _linear("pad one axis", lambda x: np.pad(x, ((0, 0), (1, 2))), A(2, 3)),
    _linear("pad dict", lambda x: np.pad(x, {-1: (1, 2)}), A(2, 3)),
    _linear("pad empty array", lambda x: np.pad(x, (1, 2)), A(0)),
    _linear("pad constant_values", lambda x: np.pad(x, (1, 2), constant_values=(4.0, 5.0)), A(2, 3)),
    _linear("pad followed value", lambda x, c: np.pad(x, 1, constant_values=c), A(2, 3), A()),
    _linear("pad followed values", lambda x, c: np.pad(x, (1, 2), constant_values=c), A(2, 3), A(2)),
    _linear("pad values per axis", lambda x, c: np.pad(x, (2, 1), constant_values=c), A(2, 3), A(2, 2)),
    _linear("pad value of each axis", lambda x, c: np.pad(x, (2, 1), constant_values=c), A(2, 3), A(2, 1)),
    _linear("pad edge", lambda x: np.pad(x, ((1, 2), (0, 3)), mode="edge"), A(2, 3)),
    _linear("pad reflect", lambda x: np.pad(x, (2, 1), mode="reflect"), A(4)),
    _linear("pad reflect far", lambda x: np.pad(x, (5, 4), mode="reflect"), A(2, 3)),
    _linear("pad reflect odd", lambda x: np.pad(x, (2, 3), mode="reflect", reflect_type="odd"), A(3, 4)),
    _linear("pad symmetric", lambda x: np.pad(x, (2, 5), mode="symmetric"), A(3, 2)),
    _linear("pad symmetric odd", lambda x: np.pad(x, 2, mode="symmetric", reflect_type="odd"), A(4)),
    _linear("pad wrap", lambda x: np.pad(x, (4, 3), mode="wrap"), A(3, 2)),
    _linear("pad linear_ramp", lambda x: np.pad(x, ((2, 1), (3, 0)), mode="linear_ramp"), A(2, 3)),
    _linear("pad linear_ramp end", lambda x: np.pad(x, 2, mode="linear_ramp", end_values=(1.0, -2.0)), A(3)),
    _linear("pad mean", lambda x: np.pad(x, ((1, 2), (2, 1)), mode="mean"), A(3, 4)),
    _linear("pad mean of some", lambda x: np.pad(x, 2, mode="mean", stat_length=((2, 1), (3, 9))), A(3, 4)),
    Case("pad maximum", lambda x: np.pad(x, ((1, 2), (2, 1)), mode="maximum"), (P(3, 4),)),
    Case("pad maximum of some", lambda x: np.pad(x, (2, 1), mode="maximum", stat_length=2), (P(3, 4),)),
    Case("pad minimum", lambda x: np.pad(x, 1, mode="minimum", stat_length=((1, 2),)), (P(4),)),
    _linear("pad nothing", lambda x: np.pad(x, 0, mode="mean"), A(2, 3)),
]

_WINDOWS = [
    _linear("sliding_window_view", lambda x: _windows(x, 3), A(5)),
    _linear("sliding_window_view 2-d", lambda x: _windows(x, (2, 3)), A(4, 5)),
    _linear("sliding_window_view axis", lambda x: _windows(x, 2, axis=1), A(2, 4, 3)),
    _linear("sliding_window_view axes", lambda x: _windows(x, (2, 3), axis=(2, 1)), A(2, 4, 3)),
    _linear("sliding_window_view one axis twice", lambda x: _windows(x, (2, 3), axis=(0, 0)), A(6)),
]

_GRIDS = [
    _linear("meshgrid", lambda x, y: np.meshgrid(x, y), A(2), A(3)),
    _linear("meshgrid ij", lambda x, y, z: np.meshgrid(x, y, z, indexing="ij"), A(2), A(3), A(4)),
    _linear("meshgrid sparse", lambda x, y: np.meshgrid(x, y, sparse=True, copy=False), A(2), A(3)),
    _linear("meshgrid one", lambda x: np.meshgrid(x), A(3)),
    _linear("meshgrid number", lambda x, y: np.meshgrid(x, y), A(), A(3)),
    _linear("full_like value", lambda x, v: np.full_like(x, v) * x, A(2, 3), A()),
    _linear("full_like shape", lambda x, v: np.full_like(x, v, shape=(4, 2)), A(2, 3), A(2)),
    _linear("zeros_like", lambda x: np.zeros_like(x) + x, A(2, 3)),
    _linear("ones_like", lambda x: np.ones_like(x) * x, A(2, 3)),
    _linear("linspace", lambda a, b: np.linspace(a, b, 5), A(), A()),
    _linear("linspace start", lambda a: np.linspace(a, 3.0, 4), A()),
    _linear("linspace stop", lambda b: np.linspace(0, b, 4, endpoint=False), A()),
    _linear("linspace arrays", lambda a, b: np.linspace(a, b, 4), A(2, 1), A(3)),
    _linear("linspace axis", lambda a, b: np.linspace(a, b, 4, axis=-1), A(2), A()),
    _linear("linspace retstep", lambda a, b: np.linspace(a, b, 5, retstep=True), A(), A()),
    _linear("linspace retstep arrays", lambda a, b: np.linspace(a, b, 5, retstep=True, axis=1), A(2), A(2)),
    _linear("linspace step alone", lambda a, b: np.linspace(a, b, 5, endpoint=False, retstep=True)[1], A(), A()),
    _linear("linspace one", lambda a, b: np.linspace(a, b, 1), A(), A()),
    _linear("linspace none", lambda a, b: np.linspace(a, b, 0), A(), A()),
    Case("logspace", lambda a, b: np.logspace(a, b, 4), (0.3, 1.1)),
    Case("logspace base", lambda a, b, c: np.logspace(a, b, 4, base=c), (0.3, 1.1, 2.5)),
    Case("logspace bases", lambda a, c: np.logspace(a, 1.5, 4, base=c, endpoint=False), (A(2), P(2))),
    Case("logspace axis", lambda a, b: np.logspace(a, b, 4, axis=-1), (A(2), A(2))),
    Case("geomspace", lambda a, b: np.geomspace(a, b, 5), (1.5, 8.0)),
    Case("geomspace negative", lambda a, b: np.geomspace(a, b, 4, endpoint=False), (-1.5, -8.0)),
    Case("geomspace arrays", lambda a, b: np.geomspace(a, b, 4, axis=1), (P(2), P(2))),
]

_CALLS = [
    _linear("apply_along_axis to number", lambda x: np.apply_along_axis(lambda r: r[0] + 2 * r[1], 1, x), A(2, 3)),
    Case("apply_along_axis to vector", lambda x: np.apply_along_axis(lambda r: r[:2] * r[1:], 0, x), (A(3, 2),)),
    Case(
        "apply_along_axis to matrix",
        lambda x: np.apply_along_axis(lambda r: np.outer(r, r), -1, x),
        (A(2, 3, 2),),
    ),
    _linear("apply_along_axis of vector", lambda x: np.apply_along_axis(np.cumsum, 0, x), A(3)),
    _linear("apply_over_axes", lambda x: np.apply_over_axes(np.sum, x, [0, 2]), A(2, 3, 4)),
    _linear("apply_over_axes one", lambda x: np.apply_over_axes(np.mean, x, -1), A(2, 3)),
    _linear("ix_", lambda x: x[np.ix_([0, 2], [1, 0])], A(3, 2)),
    _linear("ix_ of a computed order", lambda x: x[np.ix_(np.argsort(x[:, 0]), np.array([1, 0]))], A(3, 2)),
]

CASES: list[Case] = [
    *_SHAPES,
    *_REVERSALS,
    *_REPETITION,
    *_DIAGONALS,
    *_JOINING,
    *_CUTTING,
    *_ELEMENTS,
    *_PADDING,
    *_WINDOWS,
    *_GRIDS,
    *_CALLS,
]
