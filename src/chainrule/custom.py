"""Rules of one's own: ``custom_vjp``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.dispatch import EVALUATORS
from chainrule.errors import ChainruleError, TreeError
from chainrule.follow import followed
from chainrule.ops import Operation
from chainrule.tape import record
from chainrule.traced import Traced
from chainrule.trees import Structure, flatten, is_number, unflatten

__all__ = ["custom_vjp"]

Rule = Callable[..., Any]


class _CustomFunction:
    """A function with a backward pass given by hand; made by :func:`custom_vjp`."""

    def __init__(self, function: Callable[..., Any], rule: Rule | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._rule = rule
        self._operations: dict[Any, Operation] = {}

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Give the rule as JAX does.

        Args:
            forward: called with the function's arguments; returns ``(output, residuals)``.
            backward: called as ``backward(residuals, cotangent)``; returns a tuple with one
                cotangent per argument (``None`` for zero).
        """

        def rule(g: Any, out: Any, *args: Any) -> Any:
            _, residuals = followed(forward)(*args)
            return followed(backward)(residuals, g)

        self._rule = rule
        self._operations.clear()

    def __call__(self, *args: Any) -> Any:
        """Call the function; on followed arrays, as one step with the rule given."""
        leaves, structure = flatten(args)
        if not any(type(x) is Traced for x in leaves):
            return self.function(*args)
        if self._rule is None:
            raise ChainruleError(
                f"{self.function.__name__} is a custom_vjp function without a rule. "
                "Call defvjp(forward, backward) on it, or give the rule to the decorator: @custom_vjp(rule)."
            )
        places = tuple(k for k, x in enumerate(leaves) if is_number(x) and not isinstance(x, bool | int))
        others = tuple((k, x) for k, x in enumerate(leaves) if k not in places)
        operation, output = self._operation(structure, places, others)
        results = record(operation, tuple(leaves[k] for k in places), {})
        results = list(results) if isinstance(results, tuple) else [results]
        return unflatten(output["structure"], results)

    def _operation(self, structure: Structure, places: tuple[int, ...], others: Any) -> tuple[Operation, Any]:
        key = (structure, places, tuple((k, repr(x)) for k, x in others))
        known = self._operations.get(key)
        if known is not None:
            return known, _outputs[known]
        function, output = self.function, {}

        def assembled(values: Any) -> Any:
            leaves: list[Any] = [None] * (len(places) + len(others))
            for k, x in others:
                leaves[k] = x
            for k, x in zip(places, values, strict=True):
                leaves[k] = x
            return unflatten(structure, leaves)

        def evaluate(*values: Any) -> Any:
            results, output["structure"] = flatten(function(*assembled([_read_only(v) for v in values])))
            arrays = tuple(np.asarray(r)[()] if np.ndim(r) == 0 else np.asarray(r) for r in results)
            return arrays if len(arrays) != 1 else arrays[0]

        def rule(g: Any, out: Any, *values: Any) -> Any:
            whole_g = _whole(output["structure"], g, out)
            whole_out = unflatten(output["structure"], list(out) if isinstance(out, tuple) else [out])
            args = assembled(values)
            assert self._rule is not None
            cotangents = followed(self._rule)(whole_g, whole_out, *args)
            if len(args) == 1 and not isinstance(cotangents, tuple | list):
                cotangents = (cotangents,)
            if not isinstance(cotangents, tuple | list) or len(cotangents) != len(args):
                raise TreeError(
                    f"the rule of {function.__name__} must return a tuple with one cotangent for each of its "
                    f"{len(args)} arguments (None for an argument without one)."
                )
            spread: list[Any] = []
            for argument, c in zip(args, cotangents, strict=True):
                own = flatten(argument)[0]
                spread += [None] * len(own) if c is None else flatten(c)[0]
            return [spread[k] for k in places]

        operation = Operation(function.__name__, evaluate, "variadic", ("arrays",), (rule,), spelling=function.__name__)
        EVALUATORS[operation] = evaluate
        self._operations[key] = operation
        _outputs[operation] = output
        return operation, output


_outputs: dict[Operation, Any] = {}


def _read_only(value: Any) -> Any:
    """An array that the function may read but not change: the tape still needs it."""
    if not isinstance(value, np.ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view


def _whole(structure: Structure, g: Any, out: Any) -> Any:
    """The cotangent in the structure of the output, with zeros for outputs that are not used."""
    if not isinstance(g, tuple):
        return unflatten(structure, [g])
    return unflatten(structure, [np.zeros_like(o) if c is None else c for c, o in zip(g, out, strict=True)])


def custom_vjp(function_or_rule: Callable[..., Any]) -> Any:
    """Give a function a backward pass of its own, for code that cannot be followed or has a better one.

    Two forms:

    * With the rule at once: ``@custom_vjp(rule)``, where ``rule(g, out, *args)`` returns a tuple with
      one cotangent per argument.
    * As in JAX: ``@custom_vjp``, and then ``f.defvjp(forward, backward)``.

    The function itself is called with plain, read-only arrays and may do anything.  The rule is traced
    and can be differentiated again.

    Example:
        >>> import numpy as np, chainrule as cr
        >>> @cr.custom_vjp(lambda g, out, x: (g * (1 - out**2),))
        ... def tanh(x):
        ...     return np.tanh(x)
        >>> float(cr.grad(tanh)(0.5)) == 1 - np.tanh(0.5) ** 2
        True
    """
    parameters = function_or_rule.__code__.co_varnames[: function_or_rule.__code__.co_argcount]
    if parameters[:2] == ("g", "out"):
        return lambda function: _CustomFunction(function, function_or_rule)
    return _CustomFunction(function_or_rule)
