"""The verbs that give numbers beyond the gradient: ``vjp``, ``jvp``, ``jacobian``, ``hessian``, ``hvp``.

As ``grad``, each traces the function anew at every call and is therefore always right.  Called inside of
a function that is being traced, each writes its own derivative on the outer tape, so they compose to any
order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.calls import TracedCall, followed_zero, normalise_argnums
from chainrule.differentiate import differentiate, full, is_differentiable
from chainrule.errors import TreeError
from chainrule.gradient import Argnums, grad
from chainrule.language import message
from chainrule.linear import (
    LinearMap,
    OuterOrNew,
    constant_of,
    fitted,
    is_floating,
    output_names,
    output_values,
    push_nested,
    result_of,
    rows_nested,
    rows_of,
    spread,
    tangent_dtype,
)
from chainrule.protocol import apply
from chainrule.tape import Tape, current_tape
from chainrule.traced import Traced, value_of
from chainrule.trees import same_structure, unflatten

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vjp"]

_COTANGENT, _TANGENT, _VALUE = message("the cotangent"), message("the tangent"), message("the value")


def vjp(f: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value of ``f(*args)`` and the function that pulls a cotangent back.

    Args:
        f: a function of arrays, numbers and trees of them, returning an array or a tree of arrays.
        args: its arguments; all floating and complex leaves are differentiated.

    Returns:
        ``(value, pullback)``.  ``pullback(cotangent)``, with a cotangent of the structure, shapes and
        dtypes of the value, returns a tuple with the cotangent of each argument (``None`` in the
        place of arguments that hold no floating array).

    Raises:
        ShapeError: from the pullback, where the cotangent's shape is not the value's.
        TreeError: where its structure is not.
    """
    outer = current_tape()
    positions = [n for n, a in enumerate(args) if is_floating(a)]
    if outer is not None:
        return _vjp_nested(f, args, positions, outer)
    with Tape() as tape:
        call = TracedCall(f, args, {}, positions, tape, copy=True)
        value = unflatten(call.structure, [result_of(x, tape) for x in call.outputs])
    linear = LinearMap(call)
    names, values = output_names(call), output_values(call)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        leaves = same_structure(cotangent, call.structure, _COTANGENT, _VALUE)
        tape.check_watched()
        pulled = linear.pull(fitted(leaves, values, _COTANGENT, names))
        return spread(call.gathered(pulled), positions, len(args))

    return value, pullback


def _vjp_nested(f: Any, args: Any, positions: Sequence[int], tape: Tape) -> tuple[Any, Callable[..., Any]]:
    call = TracedCall(f, args, {}, positions, tape, nested=True)
    stop = len(tape.steps)
    names, values = output_names(call), output_values(call)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        leaves = fitted(same_structure(cotangent, call.structure, _COTANGENT, _VALUE), values, _COTANGENT, names)
        given: dict[int, Any] = {}
        for x, g in zip(call.outputs, leaves, strict=True):
            if type(x) is Traced and is_differentiable(x.value):
                held = g if type(g) is Traced else full(tape, g, x.value) if np.ndim(g) == 0 else constant_of(tape, g)
                given[x.variable] = held if x.variable not in given else given[x.variable] + held
        found = differentiate(tape, given, call.wrt, start=call.start, stop=stop)
        return spread(
            call.gathered([followed_zero(tape, found.get(v), tape.values[v]) for v in call.wrt]), positions, len(args)
        )

    return unflatten(call.structure, call.outputs), pullback


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of ``f(*primals)`` and its derivative in the direction of ``tangents``.

    Args:
        f: as for :func:`vjp`.
        primals: a tuple or list of the arguments.
        tangents: the direction, of the same structure, shapes and dtypes.

    Returns:
        ``(value, tangent)``, the tangent of the structure of the value.
    """
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise TreeError(message("jvp takes its arguments and their tangents as two tuples: jvp(f, (x,), (v,))."))
    outer = current_tape()
    positions = [n for n, a in enumerate(primals) if is_floating(a)]
    if len(primals) != len(tangents):
        raise TreeError(
            message(
                "jvp got {primals} primals and {tangents} tangents; give one tangent for each.",
                primals=len(primals),
                tangents=len(tangents),
            )
        )
    with OuterOrNew(outer) as tape:
        call = TracedCall(f, primals, {}, positions, tape, nested=outer is not None)
        leaves = []
        for n in positions:
            what = message("the tangent of argument {n}", n=n)
            leaves += same_structure(tangents[n], call.trees[n], what, message("argument {n}", n=n))
        given = fitted(leaves, [value_of(x) for x in call.wrt_values], _TANGENT, call.names())
        if outer is None:
            value = unflatten(call.structure, [result_of(x, tape) for x in call.outputs])
        else:
            value = unflatten(call.structure, call.outputs)
            return value, unflatten(call.structure, push_nested(call, given))
    pushed = LinearMap(call).push(given)
    zeros = [
        np.zeros(np.shape(v), tangent_dtype(v)) if p is None else p
        for p, v in zip(pushed, output_values(call), strict=True)
    ]
    return value, unflatten(call.structure, zeros)


def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the Jacobian of ``f``.

    Returns:
        A function with the arguments of ``f``.  For an output of shape ``s`` and an argument of shape
        ``t`` the Jacobian has shape ``s + t``; for trees it is a tree of the output's structure with a
        tree of the argument's structure in the place of each leaf, and for a sequence of ``argnums`` a
        tuple of these.
    """

    @functools.wraps(f)
    def evaluate(*args: Any, **kwargs: Any) -> Any:
        positions = normalise_argnums(argnums, len(args))
        outer = current_tape()
        with OuterOrNew(outer) as tape:
            call = TracedCall(f, args, kwargs, positions, tape, nested=outer is not None)
            stop = len(tape.steps)
        linear = None if outer is not None else LinearMap(call)
        blocks = []
        for k, x in enumerate(call.outputs):
            value = value_of(x)
            if not is_differentiable(value):
                kind = np.asarray(value).dtype
                raise TreeError(
                    message("output {k} of the function is of type {kind}; a Jacobian needs floats.", k=k, kind=kind)
                )
            rows = rows_nested(call, x, stop) if linear is None else rows_of(linear, k, value)
            gathered = call.gathered(
                [
                    _stacked(row, np.shape(value), tape.values[v], linear is None)
                    for row, v in zip(rows, call.wrt, strict=True)
                ]
            )
            blocks.append(gathered[0] if isinstance(argnums, int) else gathered)
        return unflatten(call.structure, blocks)

    return evaluate


def _stacked(rows: Sequence[Any], shape: tuple[int, ...], value: Any, nested: bool) -> Any:
    """The gradients of the elements of an output as one array of shape ``shape + np.shape(value)``."""
    whole = (*shape, *np.shape(value))
    if not rows:
        return np.zeros(whole, np.asarray(value).dtype)
    if nested:
        return apply(np.reshape, apply(np.stack, list(rows)), whole)
    return np.stack(rows).reshape(whole)


def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the Hessian of ``f``, which returns one real number.

    For an argument of shape ``t`` it has shape ``t + t``; for trees it is a tree of trees.
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], primals: Any, vectors: Any) -> Any:
    """The product of the Hessian of ``f`` at ``primals`` with ``vectors``, without forming the Hessian.

    Args:
        f: a function that returns one real number.
        primals: its arguments, as a tuple or list; anything else is the only argument.
        vectors: the directions, of the structure of ``primals``.

    Returns:
        The product, of the structure of ``vectors``.
    """
    several = isinstance(primals, tuple | list)
    args = tuple(primals) if several else (primals,)
    directions = tuple(vectors) if isinstance(vectors, tuple | list) and several else (vectors,)
    positions = tuple(n for n, a in enumerate(args) if is_floating(a))
    if len(args) != len(directions):
        raise TreeError(
            message(
                "hvp got {primals} primals and {vectors} vectors; give one vector for each.",
                primals=len(args),
                vectors=len(directions),
            )
        )
    _, product = jvp(grad(f, positions), args, directions)
    products = spread(product, positions, len(args))
    if not several:
        return products[0]
    return list(products) if type(primals) is list else products
