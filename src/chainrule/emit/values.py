"""Literals, lengths and static arguments as source."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.emit.text import ATOM, PRODUCT, SIGN, Text, join, tight
from chainrule.errors import NotDifferentiableError
from chainrule.ir import Const, Var, shape_of
from chainrule.language import message
from chainrule.sizes import Size, is_size, plain_number, where_from
from chainrule.statements.statement import Statements

__all__ = ["LARGEST", "Values", "has_lengths", "is_plain_number"]

LARGEST = 64  # elements of an array that is written into source
_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**"}


def is_plain_number(c: Const) -> bool:
    """Whether a constant is a number that rules made, which is written as a literal."""
    return c.name is None and not np.shape(c.value) and np.asarray(c.value).dtype.kind in "fiu"


def has_lengths(x: Any) -> bool:
    """Whether lengths or names are in an expression of sizes; where they are not, it is a plain number."""
    if not is_size(x):
        return False
    head, *operands = x.expression
    return head in ("length", "size", "name", "value") or any(map(has_lengths, operands))


def _as_written(x: Any) -> Any:
    """``1.0`` that a backward pass began with, beside lengths, as the whole number that people write."""
    if x.expression[0] != "number" or not isinstance(x, float) or not x.is_integer():
        return x
    return Size(int(x), ("number", int(x)))


class Values:
    """Writes what is no array: literals as the user wrote them, lengths by the arrays that have them.

    Args:
        statements: what to write.
        literals: how the user wrote floats that Python would write otherwise, or computed those of many digits.
        variables: shapes and dtypes, by number.
        lengths: the user's names for lengths of arrays.
    """

    def __init__(
        self,
        statements: Statements,
        literals: Mapping[float, str],
        variables: Mapping[int, Var | Const],
        lengths: Mapping[tuple[int, int | None], str],
    ) -> None:
        self.names = statements.names
        self.stand_ins = statements.stand_ins
        self.literals = literals
        self.variables = variables
        self.lengths = lengths
        self.numbers: Mapping[Any, str] = {}  # the user's names for numbers, by where they come from
        self.lone: set[int] = set()  # arrays that nobody else reads, which a loop may write into

    def static(self, x: Any) -> Text:
        """A literal, a size or another static argument."""
        if is_size(x):
            return self.size(x)
        if isinstance(x, bool | np.bool) or x is None or x is Ellipsis:
            return ("..." if x is Ellipsis else str(bool(x)) if x is not None else "None"), ATOM
        if isinstance(x, int | float | np.integer | np.floating):
            return self.number(x)
        if isinstance(x, complex | np.complexfloating):
            return repr(complex(x)), ATOM
        if isinstance(x, str):
            return '"' + repr(x)[1:-1].replace('"', '\\"') + '"', ATOM
        if isinstance(x, tuple):
            whole = self._whole_shape(x)
            if whole:
                return whole, ATOM
            inner = ", ".join(self.static(e)[0] for e in x)
            return (f"({inner},)" if len(x) == 1 else f"({inner})"), ATOM
        if isinstance(x, list):
            return f"[{', '.join(self.static(e)[0] for e in x)}]", ATOM
        if isinstance(x, slice):
            if x == slice(None):
                return "slice(None)", ATOM
            return f"slice({', '.join(self.static(e)[0] for e in (x.start, x.stop, x.step))})", ATOM
        if isinstance(x, np.ndarray) and x.dtype.kind in "biu" and x.size <= LARGEST:
            return f"np.array({x.tolist()})", ATOM
        if isinstance(x, np.dtype):
            return (f"np.{x.name}_" if x.kind == "b" else f"np.{x.name}"), ATOM
        if isinstance(x, type):
            return (f"np.{x.__name__}" if issubclass(x, np.generic) else x.__name__), ATOM
        raise NotDifferentiableError(
            message(
                "an argument of type {kind} ({value}) cannot be written as source.",
                kind=type(x).__name__,
                value=repr(x),
            )
        )

    def _whole_shape(self, lengths: tuple[Any, ...]) -> str:
        """``X.shape`` where a tuple is the lengths of all axes of X; empty where it is not."""
        if not lengths or not all(is_size(n) and n.expression[0] == "length" for n in lengths):
            return ""
        keys = [(n.expression[1], n.expression[2]) for n in lengths]
        read = [self.stand_ins.get(key, (key,)) for key in keys]
        numbers = {pairs[0][0] for pairs in read}
        if len(numbers) != 1 or any(pairs != ((pairs[0][0], k),) for k, pairs in enumerate(read)):
            return ""
        (number,) = numbers
        return f"{self.names[number]}.shape" if len(shape_of(self.variables[number])) == len(lengths) else ""

    def number(self, x: Any) -> Text:
        value = plain_number(x)
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, float):
            if not math.isfinite(value):
                text = "np.nan" if math.isnan(value) else "np.inf"
                return (text, ATOM) if value != -math.inf else ("-np.inf", SIGN)
            text = self.literals.get(abs(value), repr(abs(value)))
            # 2 * np.pi, and not 1e-5 or np.sqrt(2 / np.pi)
            level = PRODUCT if " " in text and isinstance(ast.parse(text, mode="eval").body, ast.BinOp) else ATOM
            return (f"-{text}", min(level, SIGN)) if value < 0 else (text, level)
        return repr(value), SIGN if value < 0 else ATOM

    def size(self, x: Any) -> Text:
        """A length, or an expression of lengths."""
        head, *operands = x.expression
        if not has_lengths(x):
            return self.number(plain_number(x))
        own = self.numbers.get(where_from(x)) if self.numbers else None
        if own is not None:
            return own, ATOM
        if head == "name":
            return str(operands[0]), ATOM
        if head == "value":
            return self.names[operands[0]], ATOM
        if head == "length":
            return self.length(operands[0], operands[1])
        if head == "size":
            return self.length(operands[0], None)
        texts = [self.size(_as_written(e)) if is_size(e) else self.number(e) for e in operands]
        if head == "neg":
            return f"-{tight(texts[0])}", SIGN
        if head in _ARITHMETIC:
            if head == "sub" and operands[1] == 0 and not is_size(operands[1]):
                return texts[0]
            if head == "add" and operands[0] == 0 and not is_size(operands[0]):
                return texts[1]
            if head == "mul" and operands[0] == 1 and not is_size(operands[0]):
                return texts[1]
            return join(texts[0], _ARITHMETIC[head], texts[1])
        return f"{head}({', '.join(t for t, _ in texts)})", ATOM

    def length(self, number: int, axis: int | None) -> Text:
        text: Text | None = None
        own = self.lengths.get((number, axis))
        if own is not None:
            return own, ATOM
        for stand_in, k in self.stand_ins.get((number, axis), ((number, axis),)):
            name = self.names[stand_in]
            one_dimensional = len(shape_of(self.variables[stand_in])) == 1
            part = f"len({name})" if one_dimensional else f"{name}.size" if k is None else f"{name}.shape[{k}]"
            text = (part, ATOM) if text is None else join(text, "*", (part, ATOM))
        assert text is not None
        return text
