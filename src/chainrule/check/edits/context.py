"""An edit of a backward step with what is around it, for a word to be found for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Edit
from chainrule.ir import Const, Step, Var, operand_text

__all__ = ["ACTIVATIONS", "COMPARISONS", "Context", "picks_by_labels"]

COMPARISONS = frozenset("greater greater_equal less less_equal equal not_equal logical_not logical_and".split())
ACTIVATIONS = frozenset(
    "tanh exp expit sin cos arctan log1p expm1 erf math.erf sinh cosh softmax special.expit logaddexp sqrt".split()
)


class Context:
    """An edit with what is around it."""

    def __init__(self, base: Base, edit: Edit) -> None:
        self.base = base
        self.edit = edit
        self.wiring = base.wiring
        self.step: Step = self.wiring.steps[edit.step]
        self.name = self.step.operation.name
        owner = edit.owner if edit.owner >= 0 else self.wiring.owner.get(edit.step, -1)
        if owner < 0:  # where shares are added up, the statement of what they are the gradient of
            of = [self.wiring.whose[out.number] for out in self.step.outputs if out.number in self.wiring.whose]
            owner = self.wiring.made_by.get(of[0], -1) if of else -1
        if self.name == "add.at":
            owner = self._read_by(owner)
        self.owner = owner
        self.forward: Step | None = self.wiring.steps[owner] if owner >= 0 else None
        self.of = self.forward.operation.name if self.forward is not None else ""
        self.carries = any(out.number in self.wiring.flow for out in self.step.outputs)
        self.moved_to: int | None = None

    def _read_by(self, owner: int) -> int:
        """The forward step that reads the elements to which a backward step adds; the owner if there is no one such."""
        steps, arrays = self.wiring.steps[: self.wiring.first], [x.number for x in self.step.inputs[2:]]
        found = [
            k
            for k, s in enumerate(steps)
            if s.operation.name == "getitem"
            and [x.number for x in s.inputs[1:]] == arrays
            and s.params["index"].parts == self.step.params["index"].parts
        ]
        return found[0] if len(found) == 1 and arrays else owner

    def operand(self, n: int) -> Var | Const:
        return self.step.inputs[n]

    def maker(self, x: Var | Const) -> Step | None:
        k = self.wiring.made_by.get(x.number)
        return self.wiring.steps[k] if k is not None else None

    def value(self, n: int) -> Any:
        return self.base.operands(self.edit.step)[n]

    def is_one_per_row(self, n: int) -> bool:
        """Whether an operand has one element per row that is not zero, as what comes from the right classes has."""
        value = np.asarray(self.value(n)) if 0 <= n < len(self.step.inputs) else np.zeros(0)
        if value.ndim > 1 and value.shape[-1] == 1:
            value = value[..., 0]  # a column
        return value.ndim > 0 and value.shape[-1] > 2 and bool(np.all(np.count_nonzero(value, axis=-1) == 1))

    def is_mask(self, n: int) -> bool:
        value = np.asarray(self.value(n))
        return value.dtype == bool or bool(value.ndim and set(np.unique(value).tolist()) == {0.0, 1.0})

    def is_forward(self, n: int) -> bool:
        """Whether an operand is a value of the forward pass or an argument."""
        x = self.operand(n)
        return x.number >= 0 and self.wiring.made_by.get(x.number, -1) < self.wiring.first

    def text(self, n: int) -> str:
        """An operand in the user's names, or in words."""
        return self.name_of(self.operand(n))

    def name_of(self, x: Var | Const, depth: int = 0) -> str:
        if isinstance(x, Const) and x.number < 0:
            return operand_text(x, self.wiring.backward.program.names())
        if x.name:
            return x.name
        step = self.maker(x)
        if step is None or depth > 2:
            return ""
        inner = [self.name_of(y, depth + 1) for y in step.inputs]
        if not all(inner):
            return ""
        return _spelled(step, inner)


def _spelled(step: Step, inner: list[str]) -> str:
    symbols = {"multiply": "*", "divide": "/", "add": "+", "subtract": "-", "greater": ">", "less": "<", "power": "**",
               "equal": "==", "greater_equal": ">=", "less_equal": "<=", "matmul": "@"}  # fmt: skip
    inner = [f"({t})" if " " in t else t for t in inner]
    name = step.operation.name
    if name in symbols and len(inner) == 2:
        return f"{inner[0]} {symbols[name]} {inner[1]}"
    if name == "transpose" and len(inner) == 1 and not step.params:
        return f"{inner[0]}.T"
    if name == "negative":
        return f"-{inner[0]}"
    return f"{step.operation.spelling}({', '.join(inner)})" if len(inner) == 1 and not step.params else ""


def picks_by_labels(step: Step) -> bool:
    """Whether single elements are picked out by an array of labels."""
    kinds = [x.dtype.kind if isinstance(x, Var) else np.asarray(x.value).dtype.kind for x in step.inputs[1:]]
    return "i" in kinds or "u" in kinds
