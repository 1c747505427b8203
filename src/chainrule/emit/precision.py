"""Numbers that have a precision of their own: ``np.float64(1.5) * x`` is not ``1.5 * x`` where ``x`` is of float32."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.emit.values import is_plain_number
from chainrule.ir import Const, Step, Var
from chainrule.sizes import plain_number

__all__ = ["strong_numbers"]


def strong_numbers(steps: Iterable[Step]) -> dict[int, Const]:
    """The numbers, by their identity, that change the dtype of a result as NumPy scalars and would not as literals."""
    found: dict[int, Const] = {}
    for step in steps:
        scalars = [x for x in step.inputs if isinstance(x, Const) and _dtype(x) is not None]
        if not scalars or len(step.outputs) != 1 or not any(isinstance(x, Var) for x in step.inputs):
            continue
        result = step.outputs[0].dtype
        if _promoted(step, frozenset()) != result:
            continue  # it is not the operands that decide
        weak = frozenset(map(id, scalars))
        if _promoted(step, weak) != result:
            found.update((id(x), x) for x in scalars if _promoted(step, weak - {id(x)}) == result)
    return found


def _dtype(x: Const) -> Any:
    """The dtype of a number that is written as a literal and was none; ``None`` for a literal and for an array."""
    if x.number >= 0:
        return np.asarray(x.value).dtype if is_plain_number(x) else None
    return x.value.dtype if isinstance(x.value, np.integer | np.floating) else None


def _promoted(step: Step, weak: frozenset[int]) -> Any:
    """The dtype that NumPy gives, with some of the numbers as literals."""
    kinds: list[Any] = []
    for x in step.inputs:
        if isinstance(x, Var):
            kinds.append(x.dtype)
        elif id(x) in weak or _dtype(x) is None:
            kinds.append(plain_number(x.value) if not np.ndim(x.value) else np.asarray(x.value).dtype)
        else:
            kinds.append(_dtype(x))
    try:
        return np.result_type(*(k.item() if isinstance(k, np.generic) else k for k in kinds))
    except (TypeError, OverflowError, ValueError):
        return None
