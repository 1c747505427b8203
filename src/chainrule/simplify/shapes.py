"""The shapes of what the functions that are written down give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.ir import Const, Var
from chainrule.sizes import is_size

__all__ = ["shape_of_call"]

Operand = Var | Const


def shape_of_call(function: Any, inputs: tuple[Operand, ...], params: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape that a function of NumPy makes of its operands."""
    shapes = [x.shape if isinstance(x, Var) else np.shape(x.value) if not is_size(x.value) else () for x in inputs]
    if function is np.matmul:
        a, b = shapes
        if len(a) == 1 and len(b) == 1:
            return ()
        if len(a) == 1:
            return (*b[:-2], b[-1])
        if len(b) == 1:
            return a[:-1]
        return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])
    (shape, *_) = shapes
    if function in (np.sum, np.mean):
        axis = params.get("axis")
        axes: Sequence[int] = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        if params.get("keepdims"):
            return tuple(1 if k in axes else n for k, n in enumerate(shape))
        return tuple(n for k, n in enumerate(shape) if k not in axes)
    if function is np.transpose:
        order = params.get("axes")
        return shape[::-1] if order is None else tuple(shape[a] for a in order)
    if function is np.squeeze:
        axis = params["axis"]
        axes = axis if isinstance(axis, tuple) else (axis,)
        return tuple(n for k, n in enumerate(shape) if k not in axes)
    if function is np.expand_dims:
        axis = params["axis"]
        axes = axis if isinstance(axis, tuple) else (axis,)
        rest = iter(shape)
        return tuple(1 if k in axes else next(rest) for k in range(len(shape) + len(axes)))
    return tuple(np.broadcast_shapes(*shapes))
