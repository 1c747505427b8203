"""The forward function as a candidate needs it: its arguments by name, what it computes on the way, its cache."""

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from chainrule.check.candidate import CandidateError, in_lines, said_by
from chainrule.errors import ChainruleError
from chainrule.language import Message, listed, message
from chainrule.linear import is_floating
from chainrule.trees import paths

__all__ = [
    "Facts",
    "Forward",
    "ForwardValues",
    "fresh",
    "function_node",
    "remember_source",
    "returned_names",
    "source_lines",
]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a forward function without running it again.

    Attributes:
        name: what it is called.
        arguments: the names of its arguments, in order.
        floats: those that hold floats, without numbers that are their defaults.
        arrays: those of them that hold arrays.
        outputs: what it calls its results; empty strings where they have no name.
        of: which part of what it returns is the result, where the rest is a cache; ``None`` for all of it.
        local: the names of its own variables.
        inner: the arrays inside of arguments that are lists or dicts: how each is reached, its key, its argument.
    """

    name: str
    arguments: tuple[str, ...]
    floats: tuple[str, ...]
    arrays: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    of: int | None = None
    local: tuple[str, ...] = ()
    inner: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ForwardValues:
    """What a forward function was given and what it made of it.

    Attributes:
        arguments: by name, those that were left to their defaults too.
        local: its own variables as they were when it returned.
        output: its result, without the cache.
        cache: what it returned for the backward pass.
    """

    arguments: Mapping[str, Any]
    local: Mapping[str, Any] = field(default_factory=dict)
    output: Any = None
    cache: Any = None


class Forward:
    """A forward function, called by the names of its arguments.

    Args:
        function: the function.
        args: an example of its arguments, by name or in order.
        cached: whether the candidate expects a cache, so that a tuple is read as a result with one.

    Attributes:
        facts: what is known about it.
        example: what it made of the example.
    """

    def __init__(self, function: Callable[..., Any], args: Mapping[str, Any] | Sequence[Any], cached: bool) -> None:
        self.function = function
        self.cached = cached
        self._signature = _signature(function)
        given = self._by_name(args)
        names = _names(function)
        self._of: int | None = None
        try:
            result, local = self._run(given)
        except ChainruleError:
            raise
        except Exception as error:
            shapes = listed(
                message("{name} has shape {shape}", name=n, shape=x.shape)
                for n, x in given.items()
                if isinstance(x, np.ndarray)
            )
            failed = message(
                "{function} fails on the example: {error}.", function=_called(function), error=said_by(error)
            )
            measured = message("{shapes}.", shapes=shapes) if shapes else message("No argument is an array.")
            raise CandidateError(in_lines([failed, measured])) from error
        self._of = _result_in(result, cached)
        full = self._with_defaults(given)
        floats = tuple(n for n, x in given.items() if is_floating(x))
        arrays = tuple(n for n in floats if not isinstance(given[n], float | complex))
        outputs = names if self._of is None else names[self._of : self._of + 1]
        name = getattr(function, "__name__", type(function).__name__)
        self.facts = Facts(name, tuple(full), floats, arrays, tuple(outputs), self._of, tuple(local), _inner(given))
        self.example = self._values(full, result, local)

    def values(self, arguments: Mapping[str, Any]) -> ForwardValues:
        """Run it on copies of other arguments."""
        result, local = self._run(arguments)
        return self._values(self._with_defaults(arguments), result, local)

    def given(self, arguments: Mapping[str, Any]) -> ForwardValues:
        """The arguments alone, for candidates that need nothing else."""
        return ForwardValues(self._with_defaults(arguments))

    def _values(self, arguments: Mapping[str, Any], result: Any, local: Mapping[str, Any]) -> ForwardValues:
        if self._of is None:
            return ForwardValues(arguments, local, result)
        rest = [x for k, x in enumerate(result) if k != self._of]
        return ForwardValues(arguments, local, result[self._of], rest[0] if len(rest) == 1 else tuple(rest))

    def _by_name(self, args: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
        if self._signature is None:
            if isinstance(args, Mapping):
                return dict(args)
            return {f"x{k}": x for k, x in enumerate(args)}
        try:
            named = isinstance(args, Mapping)
            bound = self._signature.bind(**args) if named else self._signature.bind(*args)  # type: ignore[arg-type]
        except TypeError:
            if isinstance(args, Mapping):
                given = message("the names {names}", names=listed(map(str, args)))
            else:
                given = message("{count} in order", count=len(args))
            raise CandidateError(
                message(
                    "{function} takes the arguments {wanted}, and args gives {given}.\n"
                    "  Instead: give a dict with the name of each argument, or all of them in order.",
                    function=_called(self.function),
                    wanted=listed(self._signature.parameters),
                    given=given,
                )
            ) from None
        return dict(bound.arguments)

    def _with_defaults(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if self._signature is None:
            return dict(arguments)
        parameters = self._signature.parameters
        full = {n: p.default for n, p in parameters.items() if p.default is not p.empty} | dict(arguments)
        return {n: full[n] for n in parameters if n in full}

    def _run(self, arguments: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        copied = {n: fresh(x) for n, x in arguments.items()}
        local: dict[str, Any] = {}
        code = getattr(inspect.unwrap(self.function), "__code__", None)

        def look(frame: Any, event: str, arg: Any) -> Any:
            if frame.f_code is not code:
                return None
            frame.f_trace_lines = False
            return leave

        def leave(frame: Any, event: str, arg: Any) -> Any:
            if event == "return":
                local.clear()
                local.update((n, fresh(x)) for n, x in frame.f_locals.items() if n not in copied)
            return leave

        before = sys.gettrace()
        if code is not None:
            sys.settrace(look)
        try:
            with np.errstate(all="ignore"):
                result = self._called(copied)
        finally:
            sys.settrace(before)
        return result, local

    def _called(self, arguments: Mapping[str, Any]) -> Any:
        if self._signature is None:
            return self.function(*arguments.values())
        bound = self._signature.bind_partial()
        bound.arguments.update({n: arguments[n] for n in self._signature.parameters if n in arguments})
        return self.function(*bound.args, **bound.kwargs)


def _inner(arguments: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """The arrays inside of lists and dicts: ``("params['W1']", "W1", "params")``."""
    return tuple(
        (name + path, path.strip("[]'\""), name)
        for name, x in arguments.items()
        if isinstance(x, dict | list | tuple) and is_floating(x)
        for path in paths(x)
    )


def fresh(x: Any) -> Any:
    """A copy of an array, and of the lists, tuples and dicts that hold arrays; other things as they are."""
    if isinstance(x, np.ndarray):
        return np.array(x, copy=True, order="K")
    if type(x) is dict:
        return {k: fresh(e) for k, e in x.items()}
    if type(x) is list:
        return [fresh(e) for e in x]
    if isinstance(x, tuple):
        parts = [fresh(e) for e in x]
        return type(x)(*parts) if hasattr(x, "_fields") else tuple(parts)
    return x


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    several = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in found.parameters.values())
    return None if several or isinstance(function, np.ufunc) else found


def _result_in(result: Any, cached: bool) -> int | None:
    """Which part of what a function returns is its result, where the rest is a cache."""
    if not isinstance(result, tuple) or len(result) < 2 or not _is_array(result[0]):
        return None
    if cached or (len(result) == 2 and isinstance(result[1], tuple | list | dict)):
        return 0
    return None


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray | np.generic | float | int | complex)


_SOURCES: WeakKeyDictionary[Any, tuple[list[str], int]] = WeakKeyDictionary()


def source_lines(function: Any) -> tuple[list[str], int]:
    """The lines of a function or class and the first one's number, which are cut out of its file once.

    Raises:
        OSError: where there is no source.
        TypeError: where it is neither.
    """
    held = inspect.unwrap(function)
    try:
        known = _SOURCES.get(held)
    except TypeError:  # an object that cannot be kept
        return inspect.getsourcelines(held)
    if known is None:
        known = inspect.getsourcelines(held)
        remember_source(held, *known)
    return known


def remember_source(function: Any, lines: list[str], first: int) -> None:
    """Keep the lines of a function or class that was made from them."""
    with contextlib.suppress(TypeError):
        _SOURCES[function] = lines, first


def function_node(function: Any) -> ast.FunctionDef | ast.Lambda | None:
    """The syntax of a function, with the lines of its file; nothing where there is no source."""
    try:
        lines, first = source_lines(function)
        tree = ast.parse("\n" * (max(first, 1) - 1) + textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    found = next((n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.Lambda)), None)
    return found


def returned_names(node: ast.FunctionDef | ast.Lambda | None) -> list[str | None] | None:
    """The names in the last ``return`` of a function; ``None`` for what is no name; nothing for no ``return``."""
    if node is None:
        return None
    if isinstance(node, ast.Lambda):
        value: ast.expr | None = node.body
    else:
        returns = [n for n in _own_statements(node) if isinstance(n, ast.Return) and n.value is not None]
        value = max(returns, key=lambda n: n.lineno).value if returns else None
    if value is None:
        return None
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    return [ast.unparse(p) if isinstance(p, ast.Name | ast.Attribute | ast.Subscript) else None for p in parts]


def _own_statements(function: ast.FunctionDef) -> list[ast.AST]:
    """The statements of a function that belong to no function inside of it."""
    found: list[ast.AST] = []
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            for name in ("body", "orelse", "handlers", "finalbody", "cases"):
                pending += getattr(node, name, ())
    return found


def _names(function: Any) -> list[str]:
    return [name or "" for name in returned_names(function_node(function)) or []]


def _called(function: Callable[..., Any]) -> Message | str:
    name: str | None = getattr(function, "__name__", None)
    return name or message("the forward function")
