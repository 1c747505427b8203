"""The arguments of NumPy's functions that are no operands (axes, shapes, options): plain values, known to the rules."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from chainrule.errors import LinkLostError, NotDifferentiableError
from chainrule.language import Message, message
from chainrule.ops import Operation
from chainrule.tape import refused
from chainrule.traced import Traced, value_of

__all__ = ["accepts", "params_of", "static"]


def static(x: Any, name: Message | int | str, function: str = "") -> Any:
    """An argument that must be plain (an axis, a shape): stand-ins of integers become integers."""
    if type(x) is Traced:
        if x.active:
            raise refused(
                LinkLostError,
                "{what} depends on a differentiable input",
                "chainrule follows no derivative through this argument",
                "pass a plain value, or write the function out with other NumPy functions",
                what=message("the argument {name}= of {function}", name=name, function=function) if function else name,
            )
        plain = value_of(x)
        x.tape.guard(x, plain)
        return int(plain) if np.ndim(plain) == 0 and np.asarray(plain).dtype.kind in "iu" else plain
    if type(x) is list or type(x) is tuple:
        return type(x)([static(e, name, function) for e in x])
    return x


_accepted: dict[Operation, frozenset[str] | None] = {}


def accepts(operation: Operation) -> frozenset[str] | None:
    """The names of static arguments that the operation's rules know; ``None`` for any."""
    if operation not in _accepted:
        names: set[str] | None = None
        for rule in operation.rules:
            if rule is None:
                continue
            parameters = inspect.signature(rule).parameters.values()
            if any(p.kind is p.VAR_KEYWORD for p in parameters):
                continue
            own = {p.name for p in parameters}
            names = own if names is None else names & own
        _accepted[operation] = None if names is None or operation.kind == "constant" else frozenset(names)
    return _accepted[operation]


def params_of(operation: Operation, bound: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call that are no operands, by name."""
    accepted = accepts(operation)
    params = {}
    for name, value in bound.items():
        if name.startswith("overwrite_"):
            continue  # permission to destroy an argument, which is never made use of
        if accepted is not None and name not in accepted:
            if value is None or value is np._NoValue:
                continue
            raise refused(
                NotDifferentiableError,
                "{function} was called with {name}={value}",
                "chainrule does not follow {name}= of this function",
                "leave {name}= out, and write its effect with other NumPy functions",
                function=operation.spelling,
                name=name,
                value=repr(value),
            )
        params[name] = static(value, name, operation.spelling)
    return params
