"""Operands that are no floats: literals, truth values and integers; and static arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.ir import Step
from chainrule.simplify.scalars import Lengths
from chainrule.sizes import is_size

__all__ = ["WHOLE", "Literal", "frozen", "frozen_params", "is_exact", "is_zero"]

# What is opened for integers as it is for floats: labels are subtracted from 1.
WHOLE = frozenset((np.add, np.subtract))


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal operand, compared with its type: 1 is not 1.0."""

    kind: type
    key: Any


def is_zero(x: Any) -> bool:
    """Whether an operand is the literal 0."""
    return isinstance(x, Literal) and x.kind in (int, float) and x.key[1] == 0


def is_exact(dtype: Any) -> bool:
    """Whether arithmetic with truth values or such integers is that of numbers; short ones leave their range."""
    return bool(dtype.kind == "b" or (dtype.kind == "i" and dtype.itemsize == 8))


def frozen(p: Any, lengths: Lengths) -> Any:
    """A static argument as something that can be compared, sizes by what they are made of."""
    if is_size(p):
        found = lengths.coefficient(p)
        return ("size", found) if found is not None else ("size", id(p))
    if isinstance(p, tuple | list):
        return (type(p).__name__, *(frozen(e, lengths) for e in p))
    if isinstance(p, slice):
        return ("slice", *(frozen(e, lengths) for e in (p.start, p.stop, p.step)))
    if isinstance(p, float) and p != p:
        return "nan"
    try:
        hash(p)
    except TypeError:
        return ("object", id(p))
    return (type(p).__name__, p)


def frozen_params(step: Step, lengths: Lengths) -> tuple[tuple[str, Any], ...]:
    """The static arguments of a step, by name, as something that can be compared."""
    return tuple((name, frozen(p, lengths)) for name, p in step.params.items())
