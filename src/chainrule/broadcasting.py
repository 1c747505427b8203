"""Sums over the axes along which operands were broadcast, in one place for all rules.

A contribution may be lazy: of any shape that broadcasts to what it belongs to.  In a record that is to hold for other
sizes too, an axis that has length 1 in the example only is told from one that has length 1 by construction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.language import message
from chainrule.protocol import apply
from chainrule.tape import Tape
from chainrule.traced import Traced

__all__ = ["fitted", "is_short", "plain", "shape_of", "unbroadcast"]


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a stand-in, array or number, as plain integers."""
    return x.value.shape if type(x) is Traced and isinstance(x.value, np.ndarray) else np.shape(plain(x))


def plain(x: Any) -> Any:
    """The value of a stand-in; anything else as it is."""
    return x.value if type(x) is Traced else x


def _always_one(x: Any, axis: int) -> bool:
    """Whether an axis is of length 1 by construction, and not only in the example."""
    return type(x) is Traced and x.tape.always_one is not None and x.tape.always_one(x.variable, axis)


def is_short(tape: Tape, g: Any, variable: int) -> bool:
    """Whether a cotangent of the shape of its variable has axes of length 1 where other sizes have longer ones."""
    always_one = tape.always_one
    if always_one is None:
        return False
    return any(n == 1 and always_one(g.variable, k) and not always_one(variable, k) for k, n in enumerate(shape_of(g)))


def _is_reduced(contribution: Any, k: int, operand: Any, axis: int) -> bool:
    """Whether an axis of length 1 in the example must be summed: it is longer for other sizes, the operand's never."""
    return _always_one(operand, axis) and not _always_one(contribution, k)


def unbroadcast(contribution: Any, out: Any, operand: Any) -> Any:
    """Sum what came from an output of ``out``'s shape over the axes along which the operand was broadcast.

    A lazy contribution lacks some of these axes; there the sum is a multiplication with their length.
    """
    target = shape_of(operand)
    whole = shape_of(out)
    shape = shape_of(contribution)
    if target == whole and not (
        type(operand) is Traced
        and operand.tape.always_one is not None
        and any(n == 1 and _is_reduced(out, k, operand, k) for k, n in enumerate(whole))
    ):
        return contribution
    if len(target) > len(whole):
        target = target[len(target) - len(whole) :]  # x[i] = v ignores leading axes of length 1
    extra = len(whole) - len(target)
    missing = len(whole) - len(shape)
    lengths = out.shape if type(out) is Traced else whole
    summed: list[int] = []
    count: Any = 1
    for axis, length in enumerate(whole):
        reduced = axis < extra or (target[axis - extra] == 1 and length != 1)
        if not reduced and not (length == 1 and _is_reduced(out, axis, operand, axis - extra)):
            continue
        if axis < missing or shape[axis - missing] != length or (length == 1 and _lazy_at(contribution, out, axis)):
            count = lengths[axis] if type(count) is int and count == 1 else count * lengths[axis]
        else:
            summed.append(axis - missing)
    if summed:
        leading = [axis for axis in summed if axis + missing < extra]
        kept = [axis for axis in summed if axis + missing >= extra]
        if kept:
            contribution = apply(np.sum, contribution, axis=tuple(kept) if len(kept) > 1 else kept[0], keepdims=True)
        if leading:
            contribution = apply(np.sum, contribution, axis=tuple(leading) if len(leading) > 1 else leading[0])
    if len(shape_of(contribution)) > len(target):
        contribution = apply(
            np.reshape, contribution, shape_of(contribution)[len(shape_of(contribution)) - len(target) :]
        )
    return contribution if type(count) is int and count == 1 else contribution * count


def _lazy_at(contribution: Any, out: Any, axis: int) -> bool:
    """Whether a contribution is of length 1 along an axis of the output that is longer for other sizes."""
    k = axis - len(shape_of(out)) + len(shape_of(contribution))
    return _always_one(contribution, k) and not _always_one(out, axis)


def fitted(contribution: Any, operand: Any) -> Any:
    """What a structural rule returned, summed down to something that broadcasts to the operand."""
    shape, target = shape_of(contribution), shape_of(operand)
    hidden = (
        type(operand) is Traced
        and operand.tape.always_one is not None
        and any(n == 1 and _is_reduced(contribution, k, operand, k) for k, n in enumerate(shape[: len(target)]))
    )
    if shape == target and not hidden:
        return contribution
    if type(contribution) is not Traced:
        _require_fit(shape, target)
        return contribution
    extra = len(shape) - len(target)
    if extra > 0:
        contribution = apply(np.sum, contribution, axis=tuple(range(extra)) if extra > 1 else 0)
        shape = shape[extra:]
    rank = len(shape)
    axes = [
        k
        for k in range(rank)
        if target[k - rank] == 1 and (shape[k] != 1 or _is_reduced(contribution, k, operand, len(target) + k - rank))
    ]
    if axes:
        contribution = apply(np.sum, contribution, axis=tuple(sorted(axes)), keepdims=True)
        shape = shape_of(contribution)
    _require_fit(shape, target)
    return contribution


def _require_fit(shape: tuple[int, ...], target: tuple[int, ...]) -> None:
    """Raise where what a rule returned does not broadcast to the operand."""
    aligned = zip(shape[::-1], target[::-1], strict=False)
    if len(shape) > len(target) or any(have not in (1, want) for have, want in aligned):
        raise ChainruleError(
            message(
                "a rule returned a cotangent of shape {shape} for an operand of shape {target}",
                shape=str(shape),
                target=str(target),
            )
        )
