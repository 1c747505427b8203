"""From the sum for one element to a line for the whole array: the reason for each part of the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from chainrule.emit.text import tight
from chainrule.explain.formula import Element, Index
from chainrule.explain.index_forms.reading import axes_in, param, rank_of, shape_of
from chainrule.explain.letters import Letters
from chainrule.explain.line_shapes import PRODUCTS, LineShapes, dotted_axis
from chainrule.indexing import add_item
from chainrule.ir import Const, Step, Var
from chainrule.language import Message, message
from chainrule.lengths import Symbol
from chainrule.loops import loop_in
from chainrule.sizes import is_size, plain_number
from chainrule.statements.statement import Statement

__all__ = ["Collecting"]

_COMPARED = frozenset("greater greater_equal less less_equal equal not_equal".split())
_VIEWS = frozenset("expand_dims reshape squeeze transpose ravel swapaxes moveaxis getitem atleast_2d".split())
_FACTORS = frozenset(("multiply", "negative", "mean", "matmul", "dot", "sum", "expand_dims", "reshape", "transpose"))
_MEANS = frozenset(("mean", "var", "std"))


class Collecting(LineShapes):
    """Says of lines of backward code what is to be said about their parts, and their shapes.

    Args:
        printer: writes operands as they stand in the lines.
        folded: the step of each value that is written where it is used.
        letters: the letters of indices.
        symbols: a symbol per axis of each value.
        forward: the user's steps.

    Attributes:
        used: the letters that were mentioned.
    """

    def __init__(
        self,
        printer: Any,
        folded: Mapping[int, Step],
        letters: Letters,
        symbols: Mapping[int, tuple[Symbol, ...]],
        forward: Sequence[Step],
    ) -> None:
        super().__init__(printer, folded)
        self.letters = letters
        self.symbols = symbols
        self.forward = forward
        self.readers: dict[int, list[tuple[Step, Var | Const]]] = {}
        for step in forward:
            for x in step.inputs:
                self.readers.setdefault(x.number, []).append((step, x))
        self.used: set[str] = set()
        self.has_mean = any(step.operation.name in _MEANS for step in forward)

    # ---- reasons

    def reasons(self, statement: Statement, element: Element | None) -> tuple[tuple[str, Message], ...]:
        """Why there is a ``.T``, a ``.sum(axis=0)``, a ``/ N``, a mask in a line.

        Args:
            statement: the line.
            element: one element of what the line leads to the gradient of: ``B3[j]``.
        """
        found: dict[str, Message] = {}
        if loop_in(statement.step) is not None:
            return ()
        turned = self._turned_products(statement)
        for step in reversed(statement.steps):
            name = step.operation.name
            again = id(step) in self.printer.forward  # what the forward pass computes, computed once more
            if name in PRODUCTS:
                self._transposed(step, id(step) in turned, found)
            elif (name == "sum" or dotted_axis(step) is not None) and element is not None and not again:
                if self._is_gradient_of(element, statement.step) and self._is_broadcast(element):
                    self._added_up(step, element, found)
            elif name in ("divide", "multiply"):
                self._counted(step, found)
            elif name in _COMPARED and self._is_factor(step, statement):
                self._masked(step, found)
            elif step.operation.function is add_item and not again:
                self._collected(step, found)
        return tuple(found.items())

    def _text(self, x: Var | Const) -> str:
        return str(self.printer.operand(x)[0])

    def _letter(self, x: Var, axis: int) -> str:
        symbols = self.symbols.get(x.number, ())
        if len(symbols) != len(x.shape) or not self.letters.is_known(symbols[axis]):
            return ""
        name = self.letters.index(symbols[axis], int(plain_number(x.shape[axis])), ()).name
        self.used.add(name)
        return name

    def _turned_products(self, statement: Statement) -> set[int]:
        """The products whose factors a line has in turned order, by their identity."""
        turned, undone = set[int](), set[int]()
        for step in reversed(statement.steps):
            if id(step) in undone:
                continue
            if self._turned_back(step) is not None and isinstance(step.inputs[0], Var):
                undone.add(id(self.folded[step.inputs[0].number]))
            if (product := self._turned_product(step)) is not None:
                turned.add(id(product))
                undone |= {id(self.folded.get(x.number)) for x in product.inputs if isinstance(x, Var)}
        return turned

    def _as_it_is(self, x: Var) -> bool:
        """Whether no transpose is written for an operand that is one."""
        step = self.folded[x.number]
        return self._turned_back(step) is not None or self._turned_product(step) is not None

    def _transposed(self, step: Step, turned: bool, found: dict[str, Message]) -> None:
        for side, x in zip(("left", "right"), reversed(step.inputs) if turned else step.inputs, strict=True):
            base = self._transposed_in(x)
            if turned:
                base = x if base is None else None
            elif base is not None and isinstance(x, Var) and self._as_it_is(x):
                continue
            if not isinstance(base, Var) or len(base.shape) != 2:
                continue
            part = str((self.printer.turned(x) if turned else self.printer.operand(x))[0])
            letter = self._letter(base, 0 if side == "left" else 1)
            array = self._text(base)
            if not letter and side == "left":
                found[part] = message(
                    "The sum runs over the first index of {array}. A matrix product sums over the last index of its "
                    "left factor, so {array} is transposed.",
                    array=array,
                )
            elif not letter:
                found[part] = message(
                    "The sum runs over the last index of {array}. A matrix product sums over the first index of its "
                    "right factor, so {array} is transposed.",
                    array=array,
                )
            elif side == "left":
                found[part] = message(
                    "The sum runs over {index}, the first index of {array}. A matrix product sums over the last index "
                    "of its left factor, so {array} is transposed.",
                    index=letter,
                    array=array,
                )
            else:
                found[part] = message(
                    "The sum runs over {index}, the last index of {array}. A matrix product sums over the first index "
                    "of its right factor, so {array} is transposed.",
                    index=letter,
                    array=array,
                )

    def _is_gradient_of(self, element: Element, step: Step) -> bool:
        """Whether a line has the axes of an array, so that what it sums over is what the array lacks."""
        out = step.outputs[0]
        letters = {self._letter(out, k) for k in range(len(out.shape))}
        own = {i.name for i in element.indices if isinstance(i, Index)}
        return len(out.shape) == len(element.indices) and ("" in letters or letters == own)

    def _is_broadcast(self, element: Element) -> bool:
        """Whether the forward pass uses each element of an array several times, in something larger."""
        views = [element.variable]
        for number in views:
            for step, x in self.readers.get(number, ()):
                if loop_in(step) is not None or any(prod(shape_of(out)) > prod(shape_of(x)) for out in step.outputs):
                    return True
                if step.operation.name in _VIEWS:
                    views += [out.number for out in step.outputs if out.number not in views]
        return False

    def _added_up(self, step: Step, element: Element, found: dict[str, Message]) -> None:
        x = step.inputs[0]
        if not isinstance(x, Var):
            return
        dotted = dotted_axis(step)
        axis = param(step, "axis", 1) if dotted is None else dotted
        axes = axes_in(axis, len(x.shape))
        letters = [self._letter(x, k) for k in axes]
        own = {i.name for i in element.indices if isinstance(i, Index)}
        if not letters or own & set(letters):
            return  # the sum runs along the array itself: it is a term of the derivative, and no broadcast
        keep = bool(step.params.get("keepdims"))
        text = "" if axis is None else f"axis={axis}"
        text += (", " if text and keep else "") + ("keepdims=True" if keep else "")
        part = f".sum({text})" if dotted is None else f"np.{step.operation.name}"
        if not all(letters):
            found[part] = message(
                "{element} is used again and again along what is summed here, and each use sends a share back. The "
                "shares are added up.",
                element=element.name,
            )
            return
        found[part] = message(
            "{element} is used for every {index}, so every {index} sends a share back. The shares are added up: that "
            "is the sum over {index}.",
            element=element.name + letters_text(element.indices),
            index=", ".join(letters),
        )

    def stretched(self, x: Var, axes: Sequence[int], line: str) -> tuple[tuple[str, Message], ...]:
        """Why a gradient is summed where an array turns out to be of length 1.

        Args:
            x: the array.
            axes: those along which it may be.
            line: the line that says so.
        """
        if ".sum(" not in line or len(axes) not in (1, len(x.shape)):
            return ()
        array, other, rank = self._text(x), self._beside(x), len(x.shape)
        condition = " == ".join(f"{array}.shape[{k}]" if k else f"len({array})" for k in axes)
        if other and len(axes) == rank:
            why = message(
                "Where {array} has one element, it is broadcast over the elements of {other}, so its shares are added "
                "up.",
                array=array,
                other=other,
            )
        elif other and rank == 2 and axes[0]:
            why = message(
                "Where {array} has one column, it is broadcast over the columns of {other}, so its shares are added "
                "up.",
                array=array,
                other=other,
            )
        elif other and rank == 2:
            why = message(
                "Where {array} has one row, it is broadcast over the rows of {other}, so its shares are added up.",
                array=array,
                other=other,
            )
        else:
            why = message(
                "Where {length} is 1, {array} is broadcast, so its shares are added up.", length=condition, array=array
            )
        return ((f"if {condition} == 1", why),)

    def _beside(self, x: Var) -> str:
        """The name of an array of the same shape that an array meets element by element, or of what comes of that."""
        for step in self.forward:
            if step.operation.kind == "elementwise" and any(y.number == x.number for y in step.inputs):
                for y in (*step.inputs, *step.outputs):
                    name = self.printer.names.get(y.number) or (y.name if isinstance(y, Var) else None)
                    if y.number != x.number and name and rank_of(y) == len(x.shape):
                        return str(name)
        return ""

    def _counted(self, step: Step, found: dict[str, Message]) -> None:
        divisor = step.inputs[1] if step.operation.name == "divide" else None
        if isinstance(divisor, Const) and divisor.number < 0 and is_size(divisor.value):
            length = _length_in(divisor.value)
            size = self.printer.static(length)[0]
            count = self._count(length)
            if not _is_count(length):
                found[f"/ {tight(self.printer.static(length))}"] = message(
                    "The forward pass divides by {size}, and a constant factor stays in front of a derivative.",
                    size=size,
                )
                return
            if self.has_mean and count and count != size:
                found[f"/ {size}"] = message(
                    "The forward pass takes a mean over {size} = {count} terms, so each term counts only 1/{size}.",
                    size=size,
                    count=count,
                )
                return
            if self.has_mean:
                found[f"/ {size}"] = message(
                    "The forward pass takes a mean over {size} terms, so each term counts only 1/{size}.", size=size
                )
            else:
                found[f"/ {size}"] = message(
                    "The forward pass divides by {size}, and a constant factor stays in front of a derivative.",
                    size=size,
                )

    def _count(self, length: Any) -> str:
        """A length or size by the letters of its indices: ``N·J``."""
        head, *operands = length.expression
        symbols = self.symbols.get(operands[0], ()) if head in ("size", "length") else ()
        if head == "length":
            symbols = symbols[operands[1] : operands[1] + 1]
        indices = [self.letters.index(s, 0, ()) for s in symbols if s[0] != "number"]
        return "·".join(i.size for i in indices) if all(i.size for i in indices) else ""

    def _masked(self, step: Step, found: dict[str, Message]) -> None:
        out = step.outputs[0]
        if out.number not in self.folded:
            return
        text = self._text(out)
        found[text] = message(
            "The result changes only where {condition} holds. Elsewhere it is constant, and its derivative is 0.",
            condition=_bare(text),
        )

    def _is_factor(self, step: Step, statement: Statement) -> bool:
        """Whether a line is 0 wherever what a step computes is: it is no more than a factor all the way."""
        numbers = {step.outputs[0].number}
        for other in statement.steps:
            read = [k for k, x in enumerate(other.inputs) if x.number in numbers]
            name = other.operation.name
            chosen = name == "where" and read == [0] and _is_zero(other.inputs[2])
            divided = name == "divide" and read == [0]
            if read and name not in _FACTORS and not chosen and not divided:
                return False
            numbers.update(out.number for out in other.outputs if read)
        return True

    def _collected(self, step: Step, found: dict[str, Message]) -> None:
        arrays = tuple(x for x in step.inputs[2:] if rank_of(x) and _kind(x) in "iu")
        if not arrays:
            return
        place = self.printer.index(step.params["index"], tuple(step.inputs[2:]))
        if not self.printer.adds_repeatedly(step):
            found[place] = message(
                "Only these elements change. No place occurs twice, so {operator} is enough.",
                operator="-=" if self.printer.signed(step.inputs[1])[0] else "+=",
            )
        else:
            found[place] = message(
                "Only what the forward pass read at these places gets a share. A place that was read several times "
                "gets several, and they are added up."
            )


def _length_in(x: Any) -> Any:
    """The length in a number that was computed from one: that of an array in minus half of it."""
    while is_size(x) and x.expression[0] in ("mul", "neg", "truediv"):
        inner = [e for e in x.expression[1:] if is_size(e) and e.expression[0] not in ("number",)]
        if len(inner) != 1:
            break
        x = inner[0]
    return x


def _is_count(x: Any) -> bool:
    """Whether a number counts elements: it is a length, or a product of lengths."""
    head, *operands = x.expression
    return head in ("length", "size", "name") or (head == "mul" and all(is_size(e) and _is_count(e) for e in operands))


def _is_zero(x: Var | Const) -> bool:
    return isinstance(x, Const) and not is_size(x.value) and not np.any(x.value)


def _kind(x: Var | Const) -> str:
    return x.dtype.kind if isinstance(x, Var) else np.asarray(x.value).dtype.kind


def _bare(text: str) -> str:
    """A condition without the brackets around the whole of it."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 > 0 else text
    return text


def letters_text(indices: Sequence[Any]) -> str:
    """Indices between brackets, as they are said: ``[n,j]``."""
    if not indices:
        return ""
    return "[" + ",".join(i.name if isinstance(i, Index) else str(i) for i in indices) + "]"
