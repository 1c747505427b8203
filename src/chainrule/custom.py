"""Rules of one's own: ``custom_vjp``.

A function with a rule of its own is one step of a trace, and so is each call of its rule: both are called
anew, on plain arrays, whenever the step runs.  So they may use foreign code, look at values and read
variables from outside, and nothing that they find there is kept for another call.  A second derivative
traces the rule.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import tape as tape_module
from chainrule.api import vjp
from chainrule.errors import ChainruleError, LinkLostError, ShapeError, TreeError
from chainrule.failures import explained
from chainrule.follow import followed
from chainrule.language import listed, message, plural
from chainrule.ops import Operation
from chainrule.tape import current_tape, record
from chainrule.traced import Traced, value_of
from chainrule.trees import Structure, flatten, is_number, paths, unflatten

__all__ = ["custom_vjp", "has_own_derivative"]

Rule = Callable[..., Any]
_MOST_OPERATIONS = 256  # that one function keeps, for arguments of different structures
_SIMPLE = (bool, int, str, bytes)


class _Untaped:
    """Code that runs as if nothing was being traced."""

    def __enter__(self) -> None:
        self._tape = tape_module._current.tape
        tape_module._current.tape = None

    def __exit__(self, *_: object) -> None:
        tape_module._current.tape = self._tape


def _read_only(value: Any) -> Any:
    """An array that a function may read but not change: the tape still needs it."""
    if not isinstance(value, np.ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view


def _array_or_scalar(x: Any) -> Any:
    array = np.asarray(x)
    return array if array.ndim else array[()]


def has_own_derivative(operation: Operation) -> bool:
    """Whether a user said what the derivative is, which then need not be that of the function."""
    return getattr(operation.function, "__module__", None) == __name__


class _Opaque:
    """A function of arrays that gives a list of arrays and ``None``, recorded as one step without a look inside.

    Args:
        name: how it prints.
        function: called with plain arrays, or with stand-ins where it is differentiated.  Gives its
            outputs and the structure that they have for the caller, which may differ from call to call.
        pullback: called with that structure, the cotangents of the outputs, the outputs and the
            arguments; gives one cotangent (or ``None``) per argument.  Without one, the function is
            traced for it.
    """

    def __init__(self, name: str, function: Rule, pullback: Rule | None = None) -> None:
        self.name = name
        self.function = function
        self.pullback = pullback
        self._stub = Operation(name, function, "variadic", ("arrays",), spelling=name)
        self._operations: dict[Any, Operation] = {}

    def __call__(self, *operands: Any) -> tuple[list[Any], Any]:
        """The outputs, as followed arrays, and their structure."""
        values = [value_of(x) for x in operands]
        try:
            results, structure = self._evaluated(values)
        except ChainruleError:
            raise
        except Exception as error:
            raise explained(error, self._stub, operands, values) from None
        given = tuple(r is not None for r in results)
        arrays = tuple(r for r in results if r is not None)
        if not arrays:
            return results, structure
        key = (given, structure)
        operation = self._operations.get(key)
        if operation is None:
            operation = self._operations[key] = self._made(given, structure)
        whole = arrays if len(arrays) > 1 else arrays[0]
        made = record(operation, operands, {}, lambda *_: whole)
        remaining = iter(made if len(arrays) > 1 else (made,))
        return [next(remaining) if present else None for present in given], structure

    def _evaluated(self, values: Sequence[Any]) -> tuple[list[Any], Any]:
        with _Untaped():
            results, structure = self.function(*[_read_only(v) for v in values])
        for r in results:
            if type(r) is Traced and r.active:
                raise LinkLostError(
                    message(
                        "{function} uses a followed value that is not among its arguments; its derivative "
                        "with respect to that value would be lost. Instead: pass the value as an argument.",
                        function=self.name,
                    )
                )
        return [None if r is None else _array_or_scalar(value_of(r)) for r in results], structure

    def _made(self, given: tuple[bool, ...], structure: Any) -> Operation:
        """The operation for calls with outputs of this structure, of which these are not ``None``."""
        count = sum(given)

        def evaluate(*arrays: Any) -> Any:
            results, found = self._evaluated(arrays)
            if tuple(r is not None for r in results) != given or found != structure:
                raise ChainruleError(
                    message("{function} gave results of two structures for the same call.", function=self.name)
                )
            outputs = tuple(r for r in results if r is not None)
            return outputs if count > 1 else outputs[0]

        def pulled(*values: Any) -> tuple[list[Any], Any]:
            cotangents, outputs, arguments = values[:count], values[count : 2 * count], values[2 * count :]
            if self.pullback is not None:
                return self.pullback(structure, cotangents, outputs, arguments), None
            _, pullback = vjp(lambda *x: [r for r in self.function(*x)[0] if r is not None], *arguments)
            return list(pullback(list(cotangents))), None

        backward = _Opaque(f"vjp of {self.name}", pulled)

        def rule(g: Any, out: Any, *values: Any) -> list[Any]:
            outputs = out if count > 1 else (out,)
            cotangents = g if count > 1 else (g,)
            filled = [np.zeros_like(o) if c is None else c for c, o in zip(cotangents, outputs, strict=True)]
            return backward(*filled, *outputs, *values)[0]

        return Operation(self.name, evaluate, "variadic", ("arrays",), (rule,), spelling=self.name)


class _CustomFunction:
    """A function with a backward pass given by hand; made by :func:`custom_vjp`."""

    def __init__(self, function: Callable[..., Any], rule: Rule | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = getattr(function, "__name__", "function")
        self._rule = rule
        self._opaques: dict[Any, _Opaque] = {}

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Give the rule as JAX does.

        Args:
            forward: called with the function's arguments; returns ``(output, residuals)``.
            backward: called as ``backward(residuals, cotangent)``; returns a tuple with one
                cotangent per argument (``None`` for zero).
        """

        def rule(g: Any, out: Any, *args: Any) -> Any:
            pair = _followed(forward)(*args)
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise TreeError(
                    message(
                        "the forward function of {function} must return a pair (output, residuals).", function=self.name
                    )
                )
            return _followed(backward)(pair[1], g)

        self._rule = rule
        self._opaques.clear()

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method: the instance is the first argument."""
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; on followed arrays, as one step with the rule given."""
        if kwargs:
            args = self._by_position(args, kwargs)
        leaves, structure = flatten(args)
        if not any(type(x) is Traced for x in leaves):
            if len(args) == 1 and callable(args[0]) and _required(self.function) > 1:
                raise ChainruleError(
                    message(
                        "custom_vjp takes its first argument for a rule if the first two parameters are "
                        "called g and out. Instead: write it as rule(g, out, *args); it is {written}.",
                        written=f"{self.name}{inspect.signature(self.function)}",
                    )
                )
            return self.function(*args)
        if self._rule is None:
            raise ChainruleError(
                message(
                    "{function} is a custom_vjp function without a rule. Call defvjp(forward, backward) "
                    "on it, or give the rule to the decorator: @custom_vjp(rule).",
                    function=self.name,
                )
            )
        places = tuple(k for k, x in enumerate(leaves) if is_number(x) and not isinstance(x, bool | int))
        others = tuple((k, x) for k, x in enumerate(leaves) if k not in places)
        results, output = self._opaque(structure, places, others)(*[leaves[k] for k in places])
        return unflatten(output, results)

    def _by_position(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            raise TreeError(
                message(
                    "{function} was called with {names} by keyword only; the rule of a custom_vjp "
                    "function is given its arguments by position. Instead: make them ordinary parameters.",
                    function=self.name,
                    names=listed(bound.kwargs),
                )
            )
        return bound.args

    def _opaque(self, structure: Structure, places: tuple[int, ...], others: Any) -> _Opaque:
        """The step for calls of this description: the structure of the arguments, and what in them is no array."""
        key = None
        if all(isinstance(x, _SIMPLE) for _, x in others):
            key = (structure, places, tuple((k, type(x), x) for k, x in others))
            if key in self._opaques:
                return self._opaques[key]
        function, given_rule = self.function, self._rule
        assert given_rule is not None

        def assembled(values: Sequence[Any]) -> Any:
            leaves: list[Any] = [None] * (len(places) + len(others))
            for k, x in (*others, *zip(places, values, strict=True)):
                leaves[k] = x
            return unflatten(structure, leaves)

        def flat(*values: Any) -> tuple[list[Any], Structure]:
            return flatten(function(*assembled(values)))

        def pullback(output: Structure, cotangents: Any, outputs: Any, values: Any) -> list[Any]:
            args = assembled(values)
            found = _followed(given_rule)(unflatten(output, cotangents), unflatten(output, outputs), *args)
            spread = self._spread(found, args)
            return [_fitting(self.name, paths(args)[k], spread[k], x) for k, x in zip(places, values, strict=True)]

        made = _Opaque(self.name, flat, pullback)
        if key is not None:
            if len(self._opaques) >= _MOST_OPERATIONS:
                self._opaques.clear()
            self._opaques[key] = made
        return made

    def _spread(self, cotangents: Any, args: Sequence[Any]) -> list[Any]:
        """What the rule returned, as one cotangent or ``None`` for each leaf of the arguments."""
        if len(args) == 1 and not isinstance(cotangents, tuple | list):
            cotangents = (cotangents,)
        if not isinstance(cotangents, tuple | list) or len(cotangents) != len(args):
            several = isinstance(cotangents, tuple | list)
            returned = (
                plural("{count} value", "{count} values", len(cotangents)) if several else type(cotangents).__name__
            )
            raise TreeError(
                plural(
                    "the rule of {function} returned {returned}; it must return a tuple with one cotangent "
                    "for each of its {count} argument (None for an argument without one).",
                    "the rule of {function} returned {returned}; it must return a tuple with one cotangent "
                    "for each of its {count} arguments (None for an argument without one).",
                    len(args),
                    function=self.name,
                    returned=returned,
                )
            )
        spread: list[Any] = []
        for n, (argument, c) in enumerate(zip(args, cotangents, strict=True)):
            leaves, structure = flatten(argument)
            try:
                spread += [None] * len(leaves) if c is None else structure.flatten_up_to(c)
            except (ValueError, TypeError) as error:
                raise TreeError(
                    message(
                        "the rule of {function} returned a cotangent for argument {n} that is not a tree of "
                        "the argument's structure ({error}). Instead: build it as the argument is built; "
                        "None stands for zero.",
                        function=self.name,
                        n=n,
                        error=str(error),
                    )
                ) from None
        return spread


def _followed(function: Rule) -> Rule:
    """``function`` for a call: its own calls are followed where it is being differentiated."""
    routed: Rule = function if current_tape() is None else followed(function)
    return routed


def _fitting(name: str, path: str, cotangent: Any, value: Any) -> Any:
    """A cotangent, which must have the shape of the argument that it belongs to."""
    if cotangent is None:
        return None
    if np.shape(value_of(cotangent)) != np.shape(value_of(value)):
        argument = path[1 : path.index("]")] + path[path.index("]") + 1 :]
        raise ShapeError(
            message(
                "the rule of {function} returned a cotangent of shape {shape} for {place}, which has "
                "shape {other}. Instead: return one of the argument's shape; where the function "
                "broadcasts the argument, the cotangent is summed over the axes that were added or "
                "stretched.",
                function=name,
                shape=str(np.shape(value_of(cotangent))),
                place=message("argument {n}", n=argument),
                other=str(np.shape(value_of(value))),
            )
        )
    return cotangent


def _required(function: Any) -> int:
    """How many arguments a function cannot do without."""
    parameters = inspect.signature(function).parameters.values()
    return sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def custom_vjp(function_or_rule: Callable[..., Any]) -> Any:
    """Give a function a backward pass of its own, for code that cannot be followed or has a better one.

    Two forms:

    * With the rule at once: ``@custom_vjp(rule)``, where ``rule(g, out, *args)`` returns a tuple with
      one cotangent per argument.  It is known by the names of its first two parameters, ``g`` and ``out``.
    * As in JAX: ``@custom_vjp``, and then ``f.defvjp(forward, backward)``.

    The function and the rule are called with plain, read-only arrays and may do anything.  Where a second
    derivative, ``jvp`` or ``hvp`` is asked for, the rule is traced.  A cotangent has the shape of its
    argument; ``None`` stands for zero, for a whole argument or for a leaf of one.

    Example:
        >>> import numpy as np, chainrule as cr
        >>> @cr.custom_vjp(lambda g, out, x: (g * (1 - out**2),))
        ... def tanh(x):
        ...     return np.tanh(x)
        >>> float(cr.grad(tanh)(0.5)) == 1 - np.tanh(0.5) ** 2
        True
    """
    try:
        parameters = tuple(inspect.signature(function_or_rule).parameters)
    except ValueError:  # a function written in C that does not publish its parameters
        parameters = ()
    if parameters[:2] == ("g", "out"):
        return lambda function: _CustomFunction(function, function_or_rule)
    return _CustomFunction(function_or_rule)
