"""``value_and_grad`` and ``grad``."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from chainrule.calls import TracedCall, detached, followed_zero, normalise_argnums
from chainrule.differentiate import differentiate
from chainrule.errors import ChainruleError, DependenceError, UnusedInputWarning
from chainrule.language import listed, message
from chainrule.linear import freshness, has_nan, result_of, results_of
from chainrule.plan import PLANS, Plan, signature_of
from chainrule.tape import Tape, current_tape
from chainrule.traced import Traced, value_of

__all__ = ["Argnums", "grad", "value_and_grad"]

Unused = Literal["zeros", "warn", "raise"]
Argnums = int | Sequence[int]


def _report_unused(call: TracedCall, missing: Sequence[bool], unused: Unused) -> None:
    names = [name for name, absent in zip(call.names(), missing, strict=True) if absent]
    function = getattr(call.function, "__name__", message("the function"))
    if unused == "raise":
        raise DependenceError(
            message(
                "The output of {function} does not depend on {names}: the gradient is zero. Common reasons: the "
                "argument is not used, is overwritten, or reaches the output only through comparisons, integers or "
                "rounding.",
                function=function,
                names=listed(names),
            )
        )
    said = message(
        "the output of {function} does not depend on {names}: the gradient is zero. Common reasons: the argument is "
        "not used, is overwritten, or reaches the output only through comparisons, integers or rounding.",
        function=function,
        names=listed(names),
    )
    warnings.warn(str(said), UnusedInputWarning, stacklevel=4)


def value_and_grad(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    unused: Unused = "zeros",
    debug_nans: bool = False,
) -> Callable[..., Any]:
    """A function that returns the value of ``f`` and its gradient.

    Args:
        f: a function of arrays, numbers and trees of them, which returns one real number.
        argnums: the position, or a sequence of positions, of the arguments to differentiate.
        has_aux: ``f`` returns ``(loss, extra)``; ``extra`` is handed on as it is.
        unused: what to do about an argument that the loss does not depend on: give zeros, also
            ``"warn"`` (:class:`UnusedInputWarning`), or ``"raise"`` (:class:`DependenceError`).
        debug_nans: raise :class:`NanError` at the first step of the backward pass that makes a NaN.

    Returns:
        A function with the arguments of ``f`` that returns ``(value, gradient)``, or
        ``((value, extra), gradient)``.  The gradient has the structure, shapes and dtypes of the
        argument; for a sequence of ``argnums`` it is a tuple.  For complex arguments it is
        ``dL/dx - i dL/dy``, as in JAX.

    Raises:
        ChainruleError: where something cannot be followed, or the loss or an argument is not of a kind
            that has a gradient.
    """
    if unused not in ("zeros", "warn", "raise"):
        raise ValueError(f'unused={unused!r}: choose "zeros", "warn" or "raise".')

    @functools.wraps(f)
    def evaluate(*args: Any, **kwargs: Any) -> Any:
        positions = normalise_argnums(argnums, len(args))
        outer = current_tape()
        if outer is not None:
            return _value_and_grad_nested(f, args, kwargs, positions, isinstance(argnums, int), outer, has_aux)
        with Tape(located=debug_nans) as tape:
            call = TracedCall(f, args, kwargs, positions, tape, has_aux=has_aux)
            loss = call.loss()
            variable = loss.variable if type(loss) is Traced else None
            try:
                results, fresh = _backward(call, variable, debug_nans)
            except (ChainruleError, np.linalg.LinAlgError) as error:
                raise (_located(call, has_aux) or error) from None
            if unused != "zeros" and any(r is None for r in results):
                _report_unused(call, [r is None for r in results], unused)
            value = result_of(loss, tape)
            if has_aux:
                value = (value, results_of(call.aux, tape))
        gradients = call.gathered([detached(*x) for x in zip(results, call.wrt_values, fresh, strict=True)])
        return value, gradients[0] if isinstance(argnums, int) else gradients

    return evaluate


def _located(call: TracedCall, has_aux: bool) -> Exception | None:
    """The error of the backward pass, from a second trace that notes the places of the steps and can name the line."""
    if call.tape.origin is None:
        return None
    try:
        with Tape(located=True) as tape:
            again = TracedCall(call.function, call.args, call.kwargs, call.argnums, tape, has_aux=has_aux)
            differentiate(tape, {again.loss().variable: 1.0}, again.wrt)
    except (ChainruleError, np.linalg.LinAlgError) as error:
        return error
    return None


def _backward(call: TracedCall, loss: int | None, debug_nans: bool) -> tuple[list[Any], tuple[bool, ...]]:
    """The gradient of the loss as concrete values, and for each whether its memory is its own."""
    tape = call.tape
    if loss is None:
        return [None] * len(call.wrt), (True,) * len(call.wrt)
    key = None if debug_nans else signature_of(tape, "grad", loss, *call.wrt)
    plan = PLANS.get(key)
    if plan is None:
        boundary, guards = len(tape.values), len(tape.guards)
        found = differentiate(tape, {loss: 1.0}, call.wrt, debug_nans=debug_nans)
        held = [found.get(v) for v in call.wrt]
        variables = [g.variable if type(g) is Traced else g for g in held]
        if len(tape.guards) == guards and key is not None:
            plan = Plan(tape, boundary, variables)
            PLANS.put(key, plan)
        results = [value_of(g) for g in held]
        fresh = freshness(variables, boundary)
    else:
        results = plan.run(tape.values)
        fresh = freshness(plan.results, plan.boundary)
        if plan.may_make_nan and any(map(has_nan, results)):
            # The values may be such that zero times infinity has to be taken care of: the plan knows nothing of them.
            found = differentiate(tape, {loss: 1.0}, call.wrt)
            held = [found.get(v) for v in call.wrt]
            results = [value_of(g) for g in held]
            fresh = freshness([g.variable if type(g) is Traced else g for g in held], plan.boundary)
    return results, fresh


def _value_and_grad_nested(
    f: Any, args: Any, kwargs: Any, positions: tuple[int, ...], single: bool, tape: Tape, has_aux: bool
) -> Any:
    call = TracedCall(f, args, kwargs, positions, tape, nested=True, has_aux=has_aux)
    loss = call.loss()
    found = {} if type(loss) is not Traced else differentiate(tape, {loss.variable: 1.0}, call.wrt, start=call.start)
    gradients = call.gathered([followed_zero(tape, found.get(v), tape.values[v]) for v in call.wrt])
    value = (loss, call.aux) if has_aux else loss
    return value, gradients[0] if single else gradients


def grad(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    unused: Unused = "zeros",
    debug_nans: bool = False,
) -> Callable[..., Any]:
    """A function that returns the gradient of ``f``.

    The arguments are those of :func:`value_and_grad`.  With ``has_aux`` it returns
    ``(gradient, extra)``.

    Example:
        >>> import numpy as np, chainrule as cr
        >>> cr.grad(lambda w: np.sum(w ** 2))(np.array([1.0, 2.0]))
        array([2., 4.])
    """
    both = value_and_grad(f, argnums, has_aux=has_aux, unused=unused, debug_nans=debug_nans)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return gradient
