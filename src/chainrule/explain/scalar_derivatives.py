"""The derivatives of functions of numbers, as formulas: a table for those of the textbooks, the rules for all others.

A rule of the operations table is a small piece of NumPy.  Run on numbers that are followed, it says what it computes,
and that is read as a formula like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from chainrule.explain.algebra import add, compare, divide, multiply, negate, number, power, substituted_elements
from chainrule.explain.formula import Apply, Formula, Number
from chainrule.explain.index_forms.elementwise import FUNCTION_NAMES
from chainrule.explain.index_forms.reading import Forms
from chainrule.explain.letters import Letters
from chainrule.ops import OPERATIONS, Operation
from chainrule.trace import trace

__all__ = ["arity", "partial_of", "tabulated"]

_HALF = number(0.5, "1/2")


def _apply(name: str, *arguments: Formula) -> Formula:
    return Apply(name, arguments)


def _square(x: Formula) -> Formula:
    return power(x, number(2))


def _larger(operator: str) -> tuple[Callable[..., Formula], ...]:
    """For the maximum and the minimum: 1 for the operand that comes out; half for each of two arrays that tie."""

    def share(own: Formula, other: Formula) -> Formula:
        if isinstance(other, Number):
            return compare(operator, own, other)
        return add(compare(operator, own, other), multiply(_HALF, compare("==", own, other)))

    return (lambda out, x, y: share(x, y), lambda out, x, y: share(y, x))


# By the name of the function: per argument the derivative, from the value itself and the arguments.
_TABLE: dict[str, tuple[Callable[..., Formula], ...]] = {
    "exp": (lambda out, x: out,),
    "log": (lambda out, x: power(x, number(-1)),),
    "log1p": (lambda out, x: power(add(number(1), x), number(-1)),),
    "expm1": (lambda out, x: _apply("exp", x),),
    "sqrt": (lambda out, x: divide(number(1), multiply(number(2), out)),),
    "tanh": (lambda out, x: add(number(1), negate(_square(out))),),
    "sin": (lambda out, x: _apply("cos", x),),
    "cos": (lambda out, x: negate(_apply("sin", x)),),
    "tan": (lambda out, x: add(number(1), _square(out)),),
    "sinh": (lambda out, x: _apply("cosh", x),),
    "cosh": (lambda out, x: _apply("sinh", x),),
    "arctan": (lambda out, x: power(add(number(1), _square(x)), number(-1)),),
    "abs": (lambda out, x: _apply("sign", x),),
    "max": _larger(">"),
    "min": _larger("<"),
    "clip": (
        lambda out, x, low, high: multiply(
            *([] if _infinite(low) else [compare(">=", x, low)]),
            *([] if _infinite(high) else [compare("<=", x, high)]),
        ),
        lambda out, x, low, high: multiply(compare("<", x, low), compare("<=", low, high)),
        lambda out, x, low, high: compare(">", x, high),
    ),
    "trunc": (lambda out, x: number(0),),
    "sign": (lambda out, x: number(0),),
    "special.expit": (lambda out, x: multiply(out, add(number(1), negate(out))),),
}


def _infinite(x: Formula) -> bool:
    return isinstance(x, Number) and x.value in (float("inf"), float("-inf"))


def tabulated() -> frozenset[str]:
    """The names of the functions whose derivatives stand in the table."""
    return frozenset(_TABLE)


def arity(function: str) -> int:
    """How many arguments a function of the table takes."""
    return len(_TABLE[function])


def partial_of(function: str, argument: int, arguments: Sequence[Formula], out: Formula) -> Formula:
    """The derivative of a function of numbers by one of its arguments.

    Args:
        function: its name in formulas.
        argument: the place of the argument.
        arguments: all of them.
        out: the value of the function, as it is to be written.

    Raises:
        NoIndexFormError: where the rule of the function cannot be read as a formula.
    """
    known = _TABLE.get(function)
    if known is not None:
        return known[argument](out, *arguments)
    literal = tuple(x.value if isinstance(x, Number) else None for x in arguments)
    found = _from_rule(function, argument, literal)
    given = {"out": out, **{f"x{k}": x for k, x in enumerate(arguments)}}
    result: Formula = substituted_elements(found, given)
    return result


@cache
def _operation_named(name: str) -> Operation | None:
    spelled = {new: old for old, new in FUNCTION_NAMES.items()}.get(name, name)
    return next(
        (op for op in OPERATIONS.values() if op.name == spelled and op.kind in ("elementwise", "constant")), None
    )


@cache
def _from_rule(function: str, argument: int, literal: tuple[Any, ...]) -> Formula:
    """The formula of a rule, in ``out``, ``x0``, ``x1``: read from what it does with numbers that are followed."""
    operation = _operation_named(function)
    if operation is None:
        raise ValueError(function)
    if operation.kind == "constant" or operation.rules[argument] is None:
        return number(0)
    domains = operation.domain or ((0.3, 0.9),) * len(literal)
    points = [0.37 * low + 0.63 * high if v is None else v for (low, high), v in zip(domains, literal, strict=True)]
    rule = operation.rules[argument]
    assert rule is not None
    places = [k for k, v in enumerate(literal) if v is None]

    def followed(out: Any, *given: Any) -> Any:
        operands = list(literal)
        for k, x in zip(places, given, strict=True):
            operands[k] = x
        return rule(out, *operands)

    program = trace(followed, np.float64(operation.function(*points)), *(np.float64(points[k]) for k in places))
    names = {x.number: name for x, name in zip(program.inputs, ["out", *(f"x{k}" for k in places)], strict=True)}
    (result,) = program.outputs
    forms = Forms(program.steps, names, Letters({}, (), {}), {}, str, lambda x: "")
    return forms.element(result, (), frozenset())
