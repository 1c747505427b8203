"""Index forms of functions that work element by element: both sides have the same indices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.explain.algebra import add, cases, compare, divide, multiply, negate, number, power
from chainrule.explain.formula import Apply, Formula
from chainrule.explain.index_forms.reading import Forms, Indices, Scope, form, param
from chainrule.ir import Const, Step
from chainrule.sizes import plain_number

__all__ = ["FUNCTION_NAMES"]

_BUILT: dict[str, Callable[..., Formula]] = {
    "add": add,
    "subtract": lambda a, b: add(a, negate(b)),
    "multiply": multiply,
    "divide": divide,
    "true_divide": divide,
    "negative": negate,
    "positive": lambda a: a,
    "square": lambda a: power(a, number(2)),
    "reciprocal": lambda a: power(a, number(-1)),
    "power": power,
    "float_power": power,
    "identity": lambda a: a,
    "copy": lambda a: a,
    "conjugate": lambda a: a,
    "real": lambda a: a,
    "greater": lambda a, b: compare(">", a, b),
    "greater_equal": lambda a, b: compare(">=", a, b),
    "less": lambda a, b: compare("<", a, b),
    "less_equal": lambda a, b: compare("<=", a, b),
    "equal": lambda a, b: compare("==", a, b),
    "not_equal": lambda a, b: compare("!=", a, b),
    "logical_and": lambda a, b: Apply("and", (a, b)),
    "logical_or": lambda a, b: Apply("or", (a, b)),
    "logical_not": lambda a: Apply("not", (a,)),
    "where": cases,
}
# What functions are called in formulas, where that is not their name.
FUNCTION_NAMES = {"maximum": "max", "minimum": "min", "absolute": "abs", "fabs": "abs"}


def _operands(forms: Forms, step: Step, indices: Indices, scope: Scope) -> list[Formula]:
    shape = step.outputs[0].shape
    return [forms.broadcast(x, shape, indices, scope) for x in step.inputs]


def _elementwise(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    name = step.operation.name
    if any(key not in ("dtype", "order", "copy", "subok") for key in step.params):
        raise AssertionError("an argument that changes the function")
    operands = _operands(forms, step, indices, scope)
    built = _BUILT.get(name)
    if name in ("bitwise_and", "bitwise_or", "invert"):
        if step.outputs[0].dtype.kind != "b":
            raise AssertionError("whole numbers")
        return Apply({"bitwise_and": "and", "bitwise_or": "or", "invert": "not"}[name], tuple(operands))
    if built is not None:
        return built(*operands)
    if getattr(np, name, None) is None and not name.startswith(("special.", "scipy.special.")):
        raise AssertionError("a function of the user's")
    return Apply(FUNCTION_NAMES.get(name, name), tuple(operands))


form("elementwise", *_BUILT, "absolute")(_elementwise)


@form("astype")
def _astype(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    source, made = step.inputs[0], step.outputs[0].dtype
    kind = getattr(source, "dtype", made).kind
    if made.kind in "iu" and kind == "f":
        return Apply("trunc", (forms.element(source, indices, scope),))
    if made.kind == "b" and kind != "b":
        return compare("!=", forms.element(source, indices, scope), number(0))
    return forms.element(source, indices, scope)


@form("clip")
def _clip(forms: Forms, step: Step, indices: Indices, scope: Scope) -> Formula:
    shape = step.outputs[0].shape
    names = list(step.operation.operands)
    given: dict[str, Any] = {}
    for name, x in zip(names, step.inputs, strict=False):
        if isinstance(x, Const) and x.number < 0 and x.value is None:
            continue
        given[name] = forms.broadcast(x, shape, indices, scope)
    for name, place in (("a_min", 1), ("a_max", 2), ("min", 3), ("max", 4)):
        value = param(step, name, place)
        if value is not None and value is not np._NoValue:
            given[name] = forms.constant(plain_number(value) if not isinstance(value, int | float) else value)
    low = given.get("a_min", given.get("min", number(-math.inf, "-∞")))
    high = given.get("a_max", given.get("max", number(math.inf, "∞")))
    a = given[names[0]]
    return Apply("clip", (a, low, high))
