"""The table of operations: what chainrule knows about each NumPy callable.

Every callable that may meet a followed array stands here in one of five states:

=============  ========================================================================
elementwise    a ufunc; its rule is the local derivative, one expression per operand
structural     any other primitive; its rule is a vector-Jacobian product per operand
variadic       a primitive whose operands are one sequence (``np.concatenate``)
constant       no derivative flows through it; the reason is recorded
composite      defined by other NumPy functions, which are traced in its place
=============  ========================================================================

What stands in no row is refused while tracing, at the user's line.  The rows are filled by the
modules of :mod:`chainrule.rules`; ``chainrule.extend`` offers the same registration functions to
other packages.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.language import Message

__all__ = [
    "COMPOSITES",
    "MADE",
    "OPERATIONS",
    "Operation",
    "composite",
    "constant",
    "elementwise",
    "structural",
    "variadic",
]

Rule = Callable[..., Any]


@dataclass(frozen=True, eq=False, slots=True)
class Operation:
    """One row of the table.

    Attributes:
        name: the name under which the operation prints and is documented (``"linalg.inv"``).
        function: the callable that evaluates it on arrays.
        kind: one of ``"elementwise"``, ``"structural"``, ``"variadic"`` and ``"constant"``.
        operands: the names of its array parameters, in order; for ``variadic`` the one that
            holds the sequence; empty for a ufunc, whose operands are all its inputs.
        rules: per operand the derivative rule, or ``None`` where the operand is not
            differentiable.  For ``variadic`` a single rule for the whole sequence.
        because: for a constant, the reason that no derivative flows.
        lazy: the rule accepts a cotangent that is only broadcastable to the output's shape.
        spelling: how the call is written in printed NumPy.
        domain: for a ufunc, the interval of real arguments its tests draw from.
    """

    name: str
    function: Callable[..., Any]
    kind: str
    operands: tuple[str, ...] = ()
    rules: tuple[Rule | None, ...] = ()
    because: Message | None = None
    lazy: bool = False
    spelling: str = ""
    domain: tuple[tuple[float, float], ...] = ()

    def __repr__(self) -> str:
        return f"<operation {self.spelling}>"


@dataclass
class _Tables:
    operations: dict[Any, Operation] = field(default_factory=dict)
    composites: dict[Any, Callable[..., Any]] = field(default_factory=dict)


_tables = _Tables()
OPERATIONS: Mapping[Any, Operation] = _tables.operations
COMPOSITES: Mapping[Any, Callable[..., Any]] = _tables.composites

# Operations made from a row of the table for one way of calling it: the kind of way, the row, and what tells it apart.
MADE: dict[Operation, tuple[str, Operation, Any]] = {}


def _spell(function: Any) -> str:
    """How ``function`` is written by someone who did ``import numpy as np``."""
    module = getattr(function, "__module__", "") or ""
    name = getattr(function, "__name__", repr(function))
    if isinstance(function, np.ufunc):
        return f"np.{name}" if getattr(np, name, None) is function else f"scipy.special.{name}"
    if module.startswith("numpy.lib") and getattr(np, name, None) is not function:
        return f"np.lib.stride_tricks.{name}"
    for prefix, short in (("numpy.linalg", "np.linalg"), ("numpy.fft", "np.fft"), ("numpy", "np")):
        if module == prefix or module.startswith(prefix + "."):
            return f"{short}.{name}"
    public = ".".join(part for part in module.split(".") if not part.startswith("_"))
    return f"{public}.{name}" if public and public != "builtins" else str(name)


def _add(operation: Operation) -> Operation:
    present = _tables.operations.get(operation.function)
    if present is not None and present.kind != "constant":
        raise ChainruleError(f"{operation.spelling} already has a rule; it can have only one.")
    _tables.operations[operation.function] = operation
    return operation


def elementwise(
    function: Callable[..., Any],
    *partials: Rule | None,
    domain: tuple[float, float] | tuple[tuple[float, float], ...] = (-2.0, 2.0),
    name: str | None = None,
) -> Operation:
    """Give an elementwise function its local derivatives.

    ``partials[k]`` is called as ``partial(out, *inputs)`` and returns the derivative of the output
    with respect to input ``k``, of any shape that broadcasts to the output's, or a plain number.
    The multiplication with the incoming cotangent and the sum over broadcast axes are done by
    ``differentiate``.  Complex arguments: the partial is the holomorphic derivative, without a
    conjugate.  ``None`` says that the output does not depend smoothly on that input.
    """
    spelling = _spell(function)
    short = name or spelling.removeprefix("np.")
    first = domain[0]
    domains = domain if isinstance(first, tuple) else (domain,) * len(partials)
    return _add(
        Operation(short, function, "elementwise", (), partials, spelling=spelling, domain=domains)  # type: ignore[arg-type]
    )


def structural(
    function: Callable[..., Any], *, lazy: bool = False, name: str | None = None, **rules: Rule | None
) -> Operation:
    """Give a function one vector-Jacobian product per array parameter, by parameter name.

    ``structural(np.trace, a=lambda g, out, a, offset=0, axis1=0, axis2=1: ...)``: each rule is
    called as ``rule(g, out, *arrays, **statics)``: ``g`` is the cotangent of the output (its shape
    and dtype are the output's; a tuple with ``None`` for unused outputs where the function returns
    several arrays), ``arrays`` are all array parameters in the order given here (omitted trailing
    ones are left out) and ``statics`` the other arguments **that the caller wrote**, so a rule
    repeats NumPy's defaults in its own signature.  It returns an array that broadcasts to the
    operand's shape.  Complex convention: the transpose of the linear map, without conjugation.

    With ``lazy=True`` the cotangent may be anything that broadcasts to the output's shape, a plain
    number included.
    """
    spelling = _spell(function)
    short = name or spelling.removeprefix("np.")
    return _add(
        Operation(short, function, "structural", tuple(rules), tuple(rules.values()), lazy=lazy, spelling=spelling)
    )


def variadic(
    function: Callable[..., Any], rule: Rule, *, sequence: str = "arrays", name: str | None = None
) -> Operation:
    """Give a function over one sequence of arrays its rule.

    ``rule(g, out, *arrays, **statics)`` returns one cotangent per array.  ``sequence`` is the name
    of the parameter that holds the sequence.
    """
    spelling = _spell(function)
    short = name or spelling.removeprefix("np.")
    return _add(Operation(short, function, "variadic", (sequence,), (rule,), spelling=spelling))


def constant(function: Callable[..., Any], because: Message, *operands: str, name: str | None = None) -> Operation:
    """Say that no derivative flows through a function, and why (``message("it returns positions")``)."""
    spelling = _spell(function)
    short = name or spelling.removeprefix("np.")
    return _add(Operation(short, function, "constant", operands, because=because, spelling=spelling))


def composite(function: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Define a function by other NumPy functions, which are traced in its place.

    The definition has the parameters of the original, is plain NumPy and runs on plain arrays too.
    """

    def register(definition: Callable[..., Any]) -> Callable[..., Any]:
        _tables.composites[function] = definition
        return definition

    return register


_signatures: dict[Any, inspect.Signature] = {}


def signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of ``function``, read once.

    Raises:
        ValueError: where the callable does not publish one.
    """
    found = _signatures.get(function)
    if found is None:
        found = _signatures[function] = inspect.signature(function)
    return found
