"""The mistakes that can be made in one backward step, by what the step does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chainrule.check.edits.arithmetic import ARITHMETIC
from chainrule.check.edits.base import Base, Change, Edit, Variant
from chainrule.check.edits.contractions import CONTRACTIONS
from chainrule.check.edits.numbers import other_numbers
from chainrule.check.edits.shapes import SHAPES

__all__ = ["edits_of_step", "variants"]

_RULES = {**ARITHMETIC, **SHAPES, **CONTRACTIONS}


def edits_of_step(base: Base, k: int) -> Iterator[Edit]:
    """The edits of one step of a backward pass."""
    for word, operand, other, cost, change in variants(base, k):
        yield Edit({k: change}, word, k, operand, other, cost)


def variants(base: Base, k: int) -> Iterator[Variant]:
    """What can be computed in place of a step."""
    step = base.wiring.steps[k]
    if len(step.outputs) != 1:
        return
    params = base.params(k)
    rule = _RULES.get(step.operation.name)
    if rule is not None:
        yield from rule(step, params)
    elif step.operation.kind == "elementwise" and len(step.inputs) == 1:
        yield "drop function", 0, None, 0.4, lambda x, v: x[0]
    yield from other_numbers(base, k, step)
    yield "negate", -1, None, 0.5, _negated(base.function(k), params)


def _negated(function: Any, params: Any) -> Change:
    return lambda x, v: -function(*x, **params)
