"""Sizes that remember where they come from.

``X.shape[0]`` of a followed array is a :class:`Size`: an ``int`` in every respect, which also knows
that it is the length of an axis of ``X``.  Arithmetic keeps the knowledge, so that ``2 / n`` in the
user's code stays ``2 / n`` in the code that chainrule writes, and never becomes ``/ 64``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Self

import numpy as np

__all__ = [
    "Size", "SizeFloat", "counter_in", "is_fixed", "is_size", "leaves_of",
    "named_number", "on_decision", "plain_number", "rebuilt", "truncated",
    "where_from", "written_number",
]  # fmt: skip

# An expression is ("length", variable, axis), ("size", variable), ("number", value), ("name", name, value),
# ("turn", loop) for the counter of a loop that is running, ("value", variable) for a number that the program knows,
# or (spelling, *operands), where a variable is its number on the tape and operands are numbers or sizes.
Expression = tuple[Any, ...]

# What is told of everything that sizes decide: the operation, both sides, and how it came out.
on_decision: list[Callable[[str, Any, Any, Any], None]] = []

_FORMAT = {"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "truediv": "{} / {}", "floordiv": "{} // {}",
           "mod": "{} % {}", "pow": "{} ** {}", "neg": "-{}"}  # fmt: skip


def _make(value: Any, expression: Expression) -> Any:
    """A size for an integer or a float, the plain value for anything else."""
    kind = type(value)
    if kind is bool:
        return value
    if isinstance(value, int | np.integer):
        return Size(int(value), expression)
    if kind is float:
        return SizeFloat(value, expression)
    if kind is np.float64:
        return SizeFloat64(value, expression)
    return value


def _binary(name: str, reflected: bool = False) -> Callable[[Any, Any], Any]:
    function = getattr(operator, name)

    def method(self: Any, other: Any) -> Any:
        if type(other) not in _NUMBERS:
            if name == "mul" and isinstance(other, list | tuple | str):
                for note in on_decision:
                    note("repeat", self, other, None)
            return NotImplemented
        left, right = (other, self) if reflected else (self, other)
        return _make(function(plain_number(left), plain_number(right)), (name, left, right))

    return method


def _comparison(name: str) -> Callable[[Any, Any], Any]:
    function = getattr(operator, name)

    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, int | float):
            return NotImplemented
        result = function(plain_number(self), plain_number(other))
        for note in on_decision:
            note(name, self, other, result)
        return result

    return method


class _Derived:
    """What Size and SizeFloat have in common; mixed in before the number they are."""

    __slots__ = ()
    expression: Expression

    __add__ = _binary("add")
    __radd__ = _binary("add", True)
    __sub__ = _binary("sub")
    __rsub__ = _binary("sub", True)
    __mul__ = _binary("mul")
    __rmul__ = _binary("mul", True)
    __truediv__ = _binary("truediv")
    __rtruediv__ = _binary("truediv", True)
    __floordiv__ = _binary("floordiv")
    __rfloordiv__ = _binary("floordiv", True)
    __mod__ = _binary("mod")
    __rmod__ = _binary("mod", True)
    __pow__ = _binary("pow")
    __rpow__ = _binary("pow", True)

    __lt__ = _comparison("lt")
    __le__ = _comparison("le")
    __gt__ = _comparison("gt")
    __ge__ = _comparison("ge")
    __eq__ = _comparison("eq")
    __ne__ = _comparison("ne")

    def __bool__(self) -> bool:
        result = bool(plain_number(self))
        for note in on_decision:
            note("bool", self, 0, result)
        return result

    def __neg__(self) -> Any:
        return _make(-plain_number(self), ("neg", self))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(type(x) not in _NUMBERS and hasattr(type(x), "tape") for x in inputs):
            return NotImplemented  # a stand-in writes it down, with this as it is
        plain = [plain_number(x) for x in inputs]
        result = getattr(ufunc, method)(*plain, **kwargs)
        if method == "__call__" and not kwargs and all(isinstance(x, int | float) for x in plain):
            return _make(result, (f"np.{ufunc.__name__}", *inputs))
        return result

    def __reduce__(self) -> Any:
        return plain_number, (plain_number(self),)

    def describe(self, name_of: Callable[[int], str]) -> str:
        """The expression as Python source, with variables named by ``name_of``."""
        head, *operands = self.expression
        if head == "number":
            return repr(operands[0])
        if head == "name":
            return str(operands[0])
        if head == "length":
            variable, axis = operands
            return f"{name_of(variable)}.shape[{axis}]"
        if head == "size":
            return f"{name_of(operands[0])}.size"
        if head == "turn":
            return repr(plain_number(self))
        if head == "value":
            return name_of(operands[0])

        def text(operand: Any) -> str:
            if not is_size(operand):
                return repr(operand)
            inner: str = operand.describe(name_of)
            return f"({inner})" if operand.expression[0] in _FORMAT and head in _FORMAT else inner

        if head in _FORMAT:
            return _FORMAT[head].format(*map(text, operands))
        return f"{head}({', '.join(map(text, operands))})"


class Size(_Derived, int):  # type: ignore[misc]
    """The length of an axis, or an integer computed from such lengths."""

    expression: Expression

    def __new__(cls, value: int, expression: Expression) -> Size:
        self = int.__new__(cls, value)
        self.expression = expression
        return self

    __and__ = __rand__ = _comparison("and_")
    __or__ = __ror__ = _comparison("or_")
    __xor__ = __rxor__ = _comparison("xor")
    __rshift__ = _comparison("rshift")

    def __hash__(self) -> int:
        for note in on_decision:
            note("hash", self, 0, None)
        return int.__hash__(self)


class SizeFloat(_Derived, float):  # type: ignore[misc]
    """A float computed from sizes, such as ``1 / n`` or ``np.sqrt(d)``."""

    expression: Expression

    def __new__(cls, value: float, expression: Expression) -> Self:
        self = float.__new__(cls, value)
        self.expression = expression
        return self

    __hash__ = float.__hash__


class SizeFloat64(SizeFloat):
    """As SizeFloat, with the promotion of NumPy's scalars: ``np.sqrt(d)`` promotes float32, ``d ** 0.5`` does not.

    Not a subclass of ``np.float64``, which NumPy takes for an object array.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # NumPy's protocols are those of a float
        return getattr(np.float64(self), name)


_PLAIN: dict[type, Callable[..., Any]] = {Size: int, SizeFloat: float, SizeFloat64: np.float64}
_NUMBERS = frozenset((int, float, np.float64, *_PLAIN))


def truncated(x: Any) -> Any:
    """``int(x)`` of a size."""
    return x if isinstance(x, int) else _make(int(plain_number(x)), ("int", x))


def written_number(value: float) -> SizeFloat:
    """A plain number that keeps sizes alive: ``1.0 / n`` is a float to Python, whose ``float`` knows no sizes."""
    return SizeFloat(value, ("number", value))


def named_number(value: Any, name: str) -> Any:
    """A plain number that is written as the variable that holds it, as ``reg`` and not as ``0.001``."""
    return _make(value, ("name", name, value))


def where_from(x: Any) -> Any:
    """A number as something that can be compared: sizes by where they come from, not by what they are here."""
    if not is_size(x):
        return type(x).__name__, x
    return type(x).__name__, x.expression[0], *(where_from(e) for e in x.expression[1:])


def rebuilt(x: Any, change: Callable[[Any, Expression], Any]) -> Any:
    """A size with its leaves exchanged.

    Args:
        x: a number or size.
        change: gives, for a leaf and its expression, a number, a size or the expression that takes its place.
    """
    if not is_size(x):
        return x
    head, *operands = x.expression
    if head in ("length", "size", "turn", "value", "number", "name"):
        new = change(x, x.expression)
        return type(x)(plain_number(x), new) if type(new) is tuple else new
    parts = [rebuilt(e, change) for e in operands]
    if not any(is_size(e) for e in parts):
        return plain_number(x)
    return type(x)(plain_number(x), (head, *parts))


def leaves_of(x: Any) -> list[Expression]:
    """What a number was computed from: lengths, counters, names."""
    if not is_size(x):
        return []
    if x.expression[0] in ("length", "size", "turn", "value", "number", "name"):
        return [x.expression]
    return [leaf for e in x.expression[1:] for leaf in leaves_of(e)]


def is_fixed(x: Any) -> bool:
    """Whether a number is the same for all lengths, names and turns."""
    return all(head == "number" for head, *_ in leaves_of(x))


def counter_in(x: Any) -> tuple[int | None, int]:
    """The variable that counts the turns of a loop, and what is added to it, where a size is that."""
    if not is_size(x):
        return None, 0
    head, *operands = x.expression
    if head == "value":
        return operands[0], 0
    if head in ("add", "sub") and is_size(operands[0]) and type(operands[1]) is int:
        counter, shift = counter_in(operands[0])
        return counter, shift + (operands[1] if head == "add" else -operands[1])
    return None, 0


def is_size(x: Any) -> bool:
    """Whether ``x`` is a number that knows which lengths it was computed from."""
    return type(x) in _PLAIN


def plain_number(x: Any) -> Any:
    """``x`` as an ordinary number where it is a size; anything else as it is."""
    plain = _PLAIN.get(type(x))
    return x if plain is None else plain(x)
