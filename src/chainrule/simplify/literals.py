"""Operands that are no floats: literals, truth values and integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["WHOLE", "Literal", "is_exact", "is_zero"]

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
