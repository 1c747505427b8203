"""The shapes in a line of backward code: ``(5,18) = (5,5)·(18,5)ᵀ``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from chainrule.emit.operands import is_plain_transpose
from chainrule.explain.index_forms.reading import axes_in, param, rank_of, shape_of
from chainrule.indexing import add_item, set_item
from chainrule.ir import Const, Step, Var
from chainrule.loops import loop_in
from chainrule.rules.einsum import spelled_out
from chainrule.statements.statement import Statement

__all__ = ["PRODUCTS", "LineShapes", "dotted_axis"]

PRODUCTS = frozenset(("matmul", "dot"))
_ALL = "·∘Σ+-"


def dotted_axis(step: Step) -> int | None:
    """The axis along which a step sums the product of two arrays of one shape: ``np.einsum("ij,ij->j", a, b)``."""
    if step.operation.name == "vecdot":
        return int(step.params.get("axis", -1))
    if step.operation.name != "einsum":
        return None
    terms, result = spelled_out(step.params["subscripts"], [rank_of(x) for x in step.inputs])
    left = terms[0]
    summed = [k for k, letter in enumerate(left) if letter not in result]
    kept = [letter for letter in left if letter in result]
    return summed[0] if terms == [left, left] and len(summed) == 1 and kept == [*result] else None


class LineShapes:
    """Reads lines as the printer writes them, transposes where they stand, and tells their shapes.

    Args:
        printer: writes operands as they stand in the lines.
        folded: the step of each value that is written where it is used.
    """

    def __init__(self, printer: Any, folded: Mapping[int, Step]) -> None:
        self.printer = printer
        self.folded = folded

    def shapes(self, statement: Statement) -> str:
        """The shapes of a line: ``(5,18) = (5,5)·(18,5)ᵀ``; nothing where they are nested too deep to be read."""
        step = statement.step
        if len(step.outputs) != 1 or loop_in(step) is not None:
            return ""
        whole, text = _shape(step.outputs[0]), self._of_step(step)
        return "" if text == whole or _depth(text) > 1 else f"{whole} = {text}"

    def _of_step(self, step: Step) -> str:
        name, out = step.operation.name, step.outputs[0]
        arrays = [x for x in step.inputs if rank_of(x)]
        if name in PRODUCTS and len(arrays) == len(step.inputs):
            return "·".join(self._of_operand(x) for x in step.inputs)
        if (product := self._turned_product(step)) is not None:
            return "·".join(self._of_turned(x) for x in reversed(product.inputs))
        if (back := self._turned_back(step)) is not None:
            return self._of_operand(back, _ALL)
        if name == "transpose" and not step.params and rank_of(step.inputs[0]) == 2:
            return f"{self._of_operand(step.inputs[0])}ᵀ"
        if (summed := dotted_axis(step)) is not None and [rank_of(x) for x in step.inputs] == [len(out.shape) + 1] * 2:
            axis = _subscript(step.inputs[0], summed)
            return f"Σ{axis} [{' ∘ '.join(self._of_operand(x, ' ∘ ') for x in step.inputs)}]"
        if name in ("sum", "mean") and arrays:
            axis = param(step, "axis", 1)
            return f"Σ{'' if axis is None else _subscript(step.inputs[0], axis)} {self._of_operand(step.inputs[0])}"
        if not arrays or step.operation.kind != "elementwise" or step.operation.function in (set_item, add_item):
            return _shape(out)
        if len(arrays) == 1:
            return self._of_operand(arrays[0], _ALL)
        if name == "multiply":
            return " ∘ ".join(self._of_operand(x, " ∘ ") for x in arrays)
        if name in ("add", "subtract"):
            left, right = arrays
            texts = self._of_operand(left, _ALL), self._of_operand(right, _ALL if name == "add" else "·∘Σ")
            if texts != (_shape(left), _shape(right)):
                return (" + " if name == "add" else " - ").join(texts)
        return _shape(out)  # all operands have this shape, or are broadcast to it

    def _of_operand(self, x: Var | Const, open_marks: str = "") -> str:
        """The shapes of an operand, in brackets where it is written with other signs than these."""
        step = self.folded.get(x.number) if isinstance(x, Var) else None
        if step is None or len(step.outputs) != 1:
            return _shape(x)
        text = self._of_step(step)
        return text if all(mark in open_marks for mark in _marks(text)) else f"[{text}]"

    def _of_turned(self, x: Var | Const) -> str:
        base = self._transposed_in(x)
        return f"{self._of_operand(x)}ᵀ" if base is None else self._of_operand(base)

    def _turned_back(self, step: Step) -> Var | Const | None:
        """The array of which a step is the transpose of the transpose, which the line has as it is."""
        if not is_plain_transpose(step) or id(step) in self.printer.forward:
            return None
        return self._transposed_in(step.inputs[0])

    def _turned_product(self, step: Step) -> Step | None:
        """The product that a step transposes, where the line has its factors in turned order: ``B.T @ A``."""
        x = step.inputs[0] if step.inputs else None
        inner = self.folded.get(x.number) if isinstance(x, Var) and is_plain_transpose(step) else None
        found = inner is not None and inner.operation.name == "matmul" and all(rank_of(x) == 2 for x in inner.inputs)
        return inner if found and id(step) not in self.printer.forward else None

    def _transposed_in(self, x: Var | Const) -> Var | Const | None:
        """The matrix whose transpose an operand is, where it is written as one."""
        step = self.folded.get(x.number) if isinstance(x, Var) else None
        return step.inputs[0] if step is not None and is_plain_transpose(step) else None


def _marks(text: str) -> set[str]:
    """The signs in shapes that stand outside all brackets."""
    depth, found = 0, set()
    for character in text:
        depth += (character == "[") - (character == "]")
        if depth == 0 and character in _ALL:
            found.add(character)
    return found


def _depth(text: str) -> int:
    """How deep brackets are nested."""
    return max(accumulate((c == "[") - (c == "]") for c in text), default=0)


def _subscript(x: Var | Const, axis: Any) -> str:
    """The axes that something is added up along."""
    return "".join("₀₁₂₃₄₅₆₇₈₉"[k] for k in axes_in(axis, rank_of(x)))


def _shape(x: Var | Const) -> str:
    lengths = shape_of(x)
    inner = ",".join(map(str, lengths))
    return f"({inner},)" if len(lengths) == 1 else f"({inner})"
