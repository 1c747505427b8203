"""Statements as lines: assignments, writes into arrays, and changes in place as the user wrote them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from chainrule.emit.expressions import Printer
from chainrule.emit.operands import is_plain_transpose, once
from chainrule.emit.spelling import BINARY
from chainrule.emit.text import tight, unbracketed
from chainrule.indexing import HOLE, Index, add_item, get_item, is_apart, set_item
from chainrule.ir import Const, Step, Var, shape_of
from chainrule.sizes import plain_number
from chainrule.statements.request import is_view
from chainrule.statements.statement import Statement

__all__ = ["StatementPrinter"]

_ZEROS = ("zeros_like", "zeros")


class StatementPrinter(Printer):
    """Writes whole statements.

    Attributes:
        distinct: variables whose elements are all different, as those of ``np.arange`` are.
    """

    distinct: Container[int] = ()

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # By number, arrays of zeros with the places that were written in them: what comes first is no addition.
        self._places: dict[int, tuple[Index, ...]] = {}

    def statement(self, statement: Statement) -> list[str]:
        """The lines of a statement."""
        step = statement.step
        (target, *others) = statement.targets
        function = step.operation.function
        if function is set_item or function is add_item:
            return self._write(statement, step, target)
        if step.operation.name in _ZEROS and not statement.forward:
            self._places[step.outputs[0].number] = ()
        augmented = self._augmented(statement, step, target)
        if augmented:
            return [augmented]
        text = self.step(step)
        value = f"{tight(text)}.copy()" if statement.copied else text[0]
        return [f"{', '.join([target, *others])} = {value}"]

    def _write(self, statement: Statement, step: Step, target: str) -> list[str]:
        base, value, *arrays = step.inputs
        lines = []
        if not statement.in_place:
            ranked = len(step.outputs[0].shape) > 0
            text = self.operand(base)
            filled = self._filled(base)
            copied = f"{tight(text)}.copy()" if ranked else f"np.array({text[0]})"
            if ranked and self._is_turned_product(base):
                copied = text[0]
            lines.append(f"{target} = {filled or copied}")
        elif isinstance(base, Var) and base.number in self.names and self.names[base.number] != target:
            lines.append(f"{target} = {self.names[base.number]}")
        index: Index = step.params["index"]
        key = self.index(index, tuple(arrays))
        if step.operation.function is set_item:
            changed = self._changed(statement, value, index, target) if not lines else None
            return [*lines, changed or f"{target}[{key}] = {self.operand(value)[0]}"]
        if not self.adds_repeatedly(step):
            minus, text = self.signed(value)
            # What comes first is all that is there; an array is subtracted and not negated.
            if self._is_first(step) and not (minus and shape_of(value)):
                return [*lines, f"{target}[{key}] = {self.operand(value)[0]}"]
            return [*lines, f"{target}[{key}] {'-' if minus else '+'}= {unbracketed(text[0])}"]
        where = key if index.single else f"({key})"
        if any(type(p) is slice or p is Ellipsis for p in index.parts):
            where = self._tuple_key(index, tuple(arrays))
        minus, text = self.signed(value)
        return [*lines, f"np.{'subtract' if minus else 'add'}.at({target}, {where}, {text[0]})"]

    def _is_first(self, step: Step) -> bool:
        """Whether what is added at an index is all that is there: the array is zero, and was written elsewhere only."""
        base, value, *_ = step.inputs
        index: Index = step.params["index"]
        (out,) = step.outputs
        places = self._places.get(base.number) if isinstance(base, Var) else None
        whole = isinstance(value, Const) or value.dtype == out.dtype
        if places is None or not index.basic or not whole:
            return False
        if not all(is_apart(index, place, len(out.shape)) for place in places):
            return False
        self._places[out.number] = (*places, index)
        return True

    def adds_repeatedly(self, step: Step) -> bool:
        """Whether a step may add at one place several times, so that ``+=`` is not enough and ``np.add.at`` is used."""
        arrays = step.inputs[2:]
        return any(not once(a) for a in arrays) and not self._apart(arrays)

    def _tuple_key(self, index: Index, arrays: tuple[Var | Const, ...]) -> str:
        remaining = iter(arrays)
        parts = [self.operand(next(remaining))[0] if p is HOLE else self.static(p)[0] for p in index.parts]
        return parts[0] if index.single else f"({', '.join(parts)})"

    def _is_turned_product(self, base: Var | Const) -> bool:
        """Whether an array is a matrix product in the expression itself, transposed or not: it is nobody else's."""
        while isinstance(base, Var) and base.number in self.folded and is_plain_transpose(self.folded[base.number]):
            base = self.folded[base.number].inputs[0]
        step = self.folded.get(base.number) if isinstance(base, Var) else None
        return step is not None and step.operation.function is np.matmul

    def _filled(self, x: Var | Const) -> str:
        """``np.full_like(X, v)`` or ``np.full(shape, v)`` for a copy of a number that was broadcast; else empty."""
        step = self.folded.get(x.number) if isinstance(x, Var) else None
        if step is None or step.operation.name != "broadcast_to" or not _is_number(step.inputs[0]):
            return ""
        shape, number = self.static(next(iter(step.params.values())))[0], self.operand(step.inputs[0])[0]
        alike = next((v for n, v in self.variables.items() if shape == f"{self.names.get(n)}.shape"), None)
        if isinstance(alike, Var) and alike.dtype == step.outputs[0].dtype:
            return f"np.full_like({shape.removesuffix('.shape')}, {number})"
        dtype = step.outputs[0].dtype
        return f"np.full({shape}, {number}{'' if dtype.char == 'd' else f', np.{dtype.name}'})"

    def _augmented(self, statement: Statement, step: Step, target: str) -> str:
        """``y += 1`` where the user wrote that and nobody else refers to the old array; empty elsewhere."""
        symbol = BINARY.get(step.operation.name)
        if not statement.forward or statement.place is None or symbol is None or len(step.inputs) != 2 or step.params:
            return ""
        old, value = step.inputs
        if not statement.place.text.startswith(f"{target} {symbol}= ") or not isinstance(old, Var):
            return ""
        out = step.outputs[0]
        made = next((s for s in self.made if any(o is old for o in s.outputs)), None)
        fresh = made is not None and not is_view(made) and old.number not in self.folded
        seen = any(old in s.inputs[:1] and is_view(s) and s.outputs[0].number not in self.folded for s in self.made)
        same = (old.shape, old.dtype) == (out.shape, out.dtype) and self.names.get(old.number) == target
        if not same or (out.shape and (not fresh or seen)):
            return ""
        return f"{target} {symbol}= {self.operand(value)[0]}"

    def _changed(self, statement: Statement, value: Var | Const, index: Index, target: str) -> str | None:
        """``u[1:-1] += v`` where the user wrote that, and not ``u[1:-1] = u[1:-1] + v``."""
        step = self.folded.get(value.number) if isinstance(value, Var) else None
        if step is None or not statement.forward or statement.place is None or len(step.inputs) != 2 or step.params:
            return None
        symbol = BINARY.get(step.operation.name)
        read = self.folded.get(step.inputs[0].number) if isinstance(step.inputs[0], Var) else None
        if symbol is None or read is None or read.operation.function is not get_item:
            return None
        base, *arrays = read.inputs
        if read.params["index"] != index or self.names.get(base.number) != target:
            return None
        key = self.index(index, tuple(arrays))
        if statement.place.text.startswith(f"{target}[") and f"] {symbol}= " in statement.place.text:
            return f"{target}[{key}] {symbol}= {self.operand(step.inputs[1])[0]}"
        return None

    def _apart(self, arrays: Sequence[Var | Const]) -> bool:
        """Whether index arrays name no element twice, because one of them has no number twice."""
        counting = [self._counts_along(a) for a in arrays]
        if {*counting} >= set(range(max(len(shape_of(a)) for a in arrays))):
            return True
        return len({shape_of(a) for a in arrays}) == 1 and any(
            a.number in self.distinct and len(shape_of(a)) == 1 for a in arrays
        )

    def _counts_along(self, x: Var | Const) -> int | None:
        """The axis, from the last on, along which an array counts, if all others are new: ``np.arange(n)[:, None]``."""
        step = self.folded.get(x.number) if isinstance(x, Var) else None
        behind = 0
        if step is not None and step.operation.function is get_item and len(step.inputs) == 1:
            first, *rest = step.params["index"].parts
            if first != slice(None) or any(p is not None for p in rest):
                return None
            x, behind = step.inputs[0], len(rest)
        return behind if x.number in self.distinct and len(shape_of(x)) == 1 else None


def _is_number(x: Var | Const) -> bool:
    """Whether an operand is a number of double precision, or of whatever it meets."""
    if isinstance(x, Var):
        return not x.shape and x.dtype.char == "d"
    return x.number < 0 and isinstance(plain_number(x.value), float)
