"""Which steps compute nothing or are not needed, and through which scalar factors go."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.indexing import get_item
from chainrule.ir import Step, is_zero, shape_of
from chainrule.ops import MADE

__all__ = ["WRITTEN", "is_free", "is_fresh", "linear_operands", "without_spare"]

# Arrays that people make to write into them.
WRITTEN = frozenset("zeros_like ones_like full_like zeros ones full".split())

_VIEWS = frozenset((
    np.reshape, np.ravel, np.transpose, np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze, np.broadcast_to,
    np.flip, np.diagonal, np.lib.stride_tricks.sliding_window_view,
))  # fmt: skip
_FRESH = frozenset("zeros_like ones_like empty_like full_like arange zeros ones empty eye full".split())

# Operations that are linear in some operands: scalar factors go through them.
_LINEAR: dict[Any, tuple[int, ...]] = {
    get_item: (0,), np.reshape: (0,), np.ravel: (0,), np.transpose: (0,), np.broadcast_to: (0,), np.flip: (0,),
    np.diagonal: (0,), np.diag: (0,), np.trace: (0,), np.tril: (0,), np.triu: (0,), np.cumsum: (0,), np.roll: (0,),
    np.einsum: (0, 1, 2, 3), np.tensordot: (0, 1), np.kron: (0, 1), np.convolve: (0, 1), np.linalg.solve: (1,),
    np.repeat: (0,), np.tile: (0,), np.moveaxis: (0,), np.swapaxes: (0,), np.expand_dims: (0,), np.squeeze: (0,),
    np.dot: (0, 1), np.inner: (0, 1), np.matmul: (0, 1), np.outer: (0, 1), np.sum: (0,), np.mean: (0,),
    np.cross: (0, 1), np.correlate: (0, 1), np.diff: (0,),
}  # fmt: skip
_NEXT_TO_ZEROS = frozenset((np.diff,))  # linear where what is put before and after is zero


def linear_operands(step: Step) -> tuple[int, ...]:
    """The operands in which a step is linear."""
    kind, row, names = MADE.get(step.operation, ("", step.operation, ()))
    function: Any = row.function if kind == "named" and names == row.operands[: len(names)] else step.operation.function
    if function in _NEXT_TO_ZEROS and not all(map(is_zero, step.inputs[1:])):
        return ()
    return _LINEAR.get(function, ())


def is_fresh(step: Step) -> bool:
    """Whether a step makes an array of nothing."""
    return step.operation.kind == "constant" and step.operation.name in _FRESH


def is_free(step: Step) -> bool:
    """Whether a step computes nothing: it is a view, or makes an array of nothing."""
    function: Any = step.operation.function
    if function is get_item:
        return bool(step.params["index"].basic)
    if function is np.diag:
        x = step.inputs[0]
        return len(shape_of(x)) == 2
    return function in _VIEWS or is_fresh(step)


def without_spare(steps: Sequence[Step], results: Iterable[Any], spare: Container[int]) -> list[Step]:
    """The steps that make results or what they need, and those that are not spare."""
    needed = {x.number for x in results}
    kept: list[Step] = []
    for step in reversed(steps):
        if any(out.number in needed or out.number not in spare for out in step.outputs):
            needed.update(x.number for x in step.inputs)
            kept.append(step)
    return kept[::-1]
