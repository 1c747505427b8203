"""The records that passes exchange: Var, Const, Step and Program; frozen, flat, ordered, single-assignment.

``print(program)`` is readable NumPy with shapes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.indexing import Index, add_item, get_item, set_item
from chainrule.names import Namespace
from chainrule.ops import Operation, signature
from chainrule.positions import Position
from chainrule.sizes import is_size, plain_number

__all__ = ["Const", "Guard", "Program", "Step", "Var", "is_zero", "shape_of", "takes_separately"]


@dataclass(frozen=True, slots=True, eq=False)
class Var:
    """A value that a program computes or is given.

    Attributes:
        shape: its shape in the traced call.
        dtype: its dtype.
        name: the user's name for it, or ``None``.
        number: its place on the tape; sizes refer to it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    name: str | None
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """A literal of the user's source, kept as written; a size; or a plain array that the function used.

    Attributes:
        value: the number or array.
        name: the user's name for it, if it is an array that has one.
        number: its place on the tape, for an array.
    """

    value: Any
    name: str | None = None
    number: int = -1


def is_zero(x: object) -> bool:
    """Whether an operand is a literal 0 of somebody's source."""
    return isinstance(x, Const) and x.number < 0 and bool(x.value == 0)


def shape_of(x: Var | Const) -> tuple[int, ...]:
    """The shape of an operand in the example."""
    return x.shape if isinstance(x, Var) else np.shape(x.value)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation.

    Attributes:
        operation: its row in the table.
        inputs: its operands, by position.
        params: its static arguments, by name.
        outputs: what it computes: one Var, or several for an operation such as ``np.linalg.svd``.
        position: where it stands in the user's source.
    """

    operation: Operation
    inputs: tuple[Var | Const, ...]
    params: Mapping[str, Any]
    outputs: tuple[Var, ...]
    position: Position | None


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """A value that decided what was traced: the program is valid while it stays what it was.

    Attributes:
        variable: where the value stands, or, of lengths, an array that has one of them.
        value: what was decided.
        position: where in the user's source.
        lengths: where lengths alone decided it, what was decided there: operations, their operands and the result.
    """

    variable: Var | Const
    value: Any
    position: Position | None
    lengths: tuple[tuple[Any, ...], ...] = ()

    def __str__(self) -> str:
        where = "" if self.position is None else f" on line {self.position.line}"
        text = "" if self.position is None else self.position.segment
        return f"{text or 'a value'} is {self.value!r}{where}"


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """The traced steps of one call.

    Attributes:
        name: the name of the traced function.
        inputs: one Var per leaf of the arguments.
        steps: the operations, in the order in which they ran.
        outputs: one Var or Const per leaf of the result.
        constants: the plain arrays that the function used.
        guards: the values that control flow depended on.
        measured: whether the steps may be others for arrays of other lengths.
        counts: per loop that is written out, what says how many turns it has.
        held: the variables that the names of the traced function stood for when it ended, where that is known.
        facts: what the reader assumes of variables, by number; the names of :mod:`chainrule.facts`.
        prepared: what is kept for running it again.
    """

    name: str
    inputs: tuple[Var, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Var | Const, ...]
    constants: tuple[Const, ...] = ()
    guards: tuple[Guard, ...] = ()
    measured: bool = False
    counts: tuple[Any, ...] = ()
    held: Mapping[str, int] | None = None
    facts: Mapping[int, frozenset[str]] = field(default_factory=dict)
    prepared: list[Any] = field(default_factory=list, init=False, repr=False)
    _names: dict[int, str] = field(default_factory=dict, init=False, repr=False)

    def names(self) -> Mapping[int, str]:
        """A unique name for each variable, by its number: the user's where there is one."""
        if not self._names:
            namespace, invented = Namespace(), 0
            given: tuple[Var | Const, ...] = (*self.inputs, *self.constants)
            for x in given:
                self._names[x.number] = namespace.claim(x.name or "constant")
            for step in self.steps:
                for out in step.outputs:
                    if out.name is None:
                        invented += 1
                    self._names[out.number] = namespace.claim(out.name or f"t{invented}")
        return self._names

    def by_number(self) -> dict[int, Var | Const]:
        """All variables and constant arrays, by their number."""
        found: dict[int, Var | Const] = {x.number: x for x in self.inputs}
        found.update((c.number, c) for c in self.constants)
        found.update((out.number, out) for step in self.steps for out in step.outputs)
        return found

    def __str__(self) -> str:
        names = self.names()
        lines = [f"def {self.name}({', '.join(f'{names[x.number]}: {_kind(x)}' for x in self.inputs)}):"]
        lines += [f"    # valid while {guard}" for guard in dict.fromkeys(map(str, self.guards))]
        lines += [f"    # {names[c.number]}: {_kind(c)}, a plain array" for c in self.constants]
        body = [(", ".join(names[o.number] for o in s.outputs) + " = " + call_text(s, names), s) for s in self.steps]
        width = min(60, max((len(text) for text, _ in body), default=0))
        for text, step in body:
            kinds = ", ".join(_kind(o) for o in step.outputs)
            line = "" if step.position is None else f"  line {step.position.line}"
            lines.append(f"    {text:<{width}}  # {kinds}{line}")
        lines.append(f"    return {', '.join(operand_text(o, names) for o in self.outputs)}")
        return "\n".join(lines)


def _kind(x: Var | Const) -> str:
    if isinstance(x, Const):
        array = np.asarray(x.value)
        return f"{array.dtype}{list(array.shape)}" if array.shape else str(array.dtype)
    return f"{x.dtype}[{', '.join(map(str, map(plain_number, x.shape)))}]" if x.shape else str(x.dtype)


def static_text(x: Any, names: Mapping[int, str]) -> str:
    """A static argument as Python source; sizes as the lengths they are."""
    if is_size(x):
        text: str = x.describe(lambda number: names.get(number, "array"))
        return text
    if isinstance(x, tuple):
        inner = ", ".join(static_text(e, names) for e in x)
        return f"({inner},)" if len(x) == 1 else f"({inner})"
    if isinstance(x, list):
        return f"[{', '.join(static_text(e, names) for e in x)}]"
    if isinstance(x, np.dtype):
        return f"np.{x.name}"
    if isinstance(x, type):
        return f"np.{x.__name__}" if issubclass(x, np.generic) else x.__name__
    if isinstance(x, float) and not math.isfinite(x):
        return {"inf": "np.inf", "-inf": "-np.inf"}.get(str(x), "np.nan")
    return repr(x)


def operand_text(x: Var | Const, names: Mapping[int, str]) -> str:
    """An operand as Python source."""
    if isinstance(x, Var) or x.number >= 0:
        return names[x.number]
    return static_text(x.value, names)


_SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "matmul": "@", "remainder": "%",
            "floor_divide": "//", "greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<=", "equal": "==",
            "not_equal": "!=", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^"}  # fmt: skip


_COMPOUND = frozenset("add sub mul truediv floordiv mod pow neg".split())


def _bracketed(x: Var | Const, text: str, symbol: str) -> str:
    """An operand of an operator: in brackets where it is an expression of sizes, or a negative base."""
    if isinstance(x, Var) or x.number >= 0:
        return text
    compound = is_size(x.value) and x.value.expression[0] in _COMPOUND
    return f"({text})" if compound or (symbol == "**" and text.startswith("-")) else text


def takes_separately(operation: Operation) -> bool:
    """Whether a variadic function is written ``f(a, b)`` and not ``f([a, b])``."""
    parameter = signature(operation.function).parameters.get(operation.operands[0])
    return parameter is None or parameter.kind is parameter.VAR_POSITIONAL


def call_text(step: Step, names: Mapping[int, str]) -> str:
    """One step as Python source."""
    operation = step.operation
    operands = [operand_text(x, names) for x in step.inputs]
    params = dict(step.params)
    function = operation.function
    if function is get_item or function is set_item or function is add_item:
        index: Index = params["index"]
        split = 1 if function is get_item else 2
        key = index.text(tuple(operands[split:]))
        if function is get_item:
            return f"{operands[0]}[{key}]"
        sign = "=" if function is set_item else "+="
        return f"{operands[0]} with [{key}] {sign} {operands[1]}"
    if operation.name in _SYMBOLS and len(operands) == 2 and not params:
        symbol = _SYMBOLS[operation.name]
        left, right = (_bracketed(x, text, symbol) for x, text in zip(step.inputs, operands, strict=True))
        return f"{left} {symbol} {right}"
    if operation.name == "identity":
        return operands[0]
    if operation.name == "negative":
        return f"-{operands[0]}"
    if operation.name == "einsum":
        operands.insert(0, repr(params.pop("subscripts")))
    if operation.name == "astype":
        return f"{operands[0]}.astype({static_text(params['dtype'], names)})"
    if operation.kind == "variadic" and not takes_separately(operation):
        operands = [f"[{', '.join(operands)}]"]
    given = [
        static_text(v, names) if k.startswith("argument ") else f"{k}={static_text(v, names)}"
        for k, v in params.items()
    ]
    return f"{operation.spelling}({', '.join([*operands, *given])})"
