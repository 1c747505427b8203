"""Small pieces that several rules share.  Plain NumPy, on plain arrays and on stand-ins alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.handlers import create
from chainrule.sizes import is_size, leaves_of
from chainrule.tape import current_tape
from chainrule.traced import Traced

__all__ = [
    "FixedLength",
    "along_axis",
    "as_operand",
    "at_axis",
    "fixed_length",
    "for_any_size",
    "is_literal",
    "is_same_in_all_turns",
    "made",
    "mt",
    "normalise_axes",
    "restore",
    "with_axis_at",
    "writes_out",
]


def for_any_size() -> bool:
    """Whether steps are written down for people, who run them for other sizes: how many must not depend on a length."""
    tape = current_tape()
    return tape is not None and tape.names is not None


def fixed_length(x: Any, axis: int = 0) -> int:
    """The length of ``x``, which decides how many steps are written down: a record says that it holds for it alone."""
    length = int(np.shape(x)[axis])
    tape = current_tape()
    if tape is not None and tape.names is not None and type(x) is Traced:
        tape.unsure = True
        tape.guard(x, FixedLength(length, axis % np.ndim(x)))
    return length


def writes_out(x: Any) -> None:
    """Note that lengths of ``x`` decide how many steps are written down: what is written is tried with others."""
    if type(x) is Traced:
        x.tape.unsure = True


class FixedLength(int):
    """The length of an array along an axis that what is recorded holds for alone, as a remark says it."""

    axis: int

    def __new__(cls, length: int, axis: int) -> FixedLength:
        """The length ``length`` along ``axis``."""
        made = super().__new__(cls, length)
        made.axis = axis
        return made

    def __repr__(self) -> str:
        return f"for length {int(self)}"


def made(function: Any, *args: Any, **kwargs: Any) -> Any:
    """``np.arange(n)`` and the like: a step of its own where the record is for people, so that ``n`` stays a length.

    For numbers alone it is a constant, which plans keep.
    """
    tape = current_tape()
    if tape is None or tape.names is None or not any(map(is_size, (*args, *kwargs.values()))):
        return function(*args, **kwargs)
    if str(kwargs.get("dtype")) == "float64":
        del kwargs["dtype"]  # which is what NumPy takes by itself
    return create(function, args, kwargs, tape)


def mt(x: Any) -> Any:
    """``x`` with its last two axes exchanged."""
    return np.swapaxes(x, -1, -2)


def is_literal(x: Any) -> bool:
    """Whether ``x`` is a plain number that the user wrote, and so no variable operand."""
    return isinstance(x, int | float | complex) and not hasattr(x, "shape")


def is_same_in_all_turns(x: Any) -> bool:
    """Whether a plain number is not computed from the counter of a loop, so that a rule may go by what it is."""
    return not any(head in ("turn", "value") for head, *_ in leaves_of(x))


def normalise_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """``axis`` as a tuple of non-negative integers; ``None`` means all axes."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    return tuple(int(a) % ndim if ndim else 0 for a in axes)


def with_axis_at(x: Any, source: int, destination: int) -> Any:
    """``x`` with an axis at another place; ``x`` itself where it is there already."""
    rank = np.ndim(x)
    return x if (source - destination) % rank == 0 else np.moveaxis(x, source, destination)


def restore(g: Any, x: Any, axis: Any, keepdims: Any) -> Any:
    """The cotangent ``g`` of a reduction of ``x``, with the reduced axes back as length 1."""
    if np.ndim(g) == 0 or keepdims is True or keepdims == 1 or np.ndim(x) == 0:
        return g
    return np.expand_dims(g, normalise_axes(axis, np.ndim(x)))


def as_operand(x: Any) -> Any:
    """``x`` as something with a shape: stand-ins and arrays as they are, lists stacked, numbers as 0-d arrays."""
    if hasattr(x, "shape"):
        return x
    if isinstance(x, list | tuple) and x:
        return np.stack([as_operand(element) for element in x])
    return np.asarray(x)


def along_axis(positions: Any, shape: tuple[int, ...], axis: int) -> Any:
    """The index that reads or writes an array of ``shape`` at ``positions`` along ``axis``.

    ``x[along_axis(p, x.shape, axis)]`` is ``np.take_along_axis(x, p, axis)``, and can be assigned to.
    """
    if len(shape) == 1:
        return positions
    index: list[Any] = [
        np.reshape(made(np.arange, n), (1,) * k + (-1,) + (1,) * (len(shape) - k - 1)) for k, n in enumerate(shape)
    ]
    index[axis] = positions
    return tuple(index)


def at_axis(axis: int, key: Any) -> Any:
    """The index that has ``key`` at ``axis`` and takes everything before and after it."""
    return (*(slice(None),) * axis, key) if axis else key
