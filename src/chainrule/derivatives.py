"""Forward mode and second derivatives as records: a Program whose last steps are tangents, or products with a Hessian.

Each is a :class:`chainrule.backward.Backward` too, so that it is simplified and written down as backward passes are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.backward import Backward, number_of, record_of
from chainrule.calls import TracedCall
from chainrule.differentiate import differentiate, full, is_differentiable
from chainrule.errors import TreeError
from chainrule.language import message
from chainrule.lengths import TapeLengths, whole_symbols
from chainrule.protocol import apply
from chainrule.sizes import written_number
from chainrule.tape import Tape
from chainrule.trace import program_of
from chainrule.traced import Traced

__all__ = ["hessian_products_of", "tangents_of"]


def tangents_of(f: Callable[..., Any], args: Sequence[Any], wrt: Sequence[Any], kwargs: Mapping[str, Any]) -> Backward:
    """The record of forward mode: the tangents of the outputs, given those of the arguments in ``wrt``.

    ``cotangents`` are the inputs that hold the tangents of the arguments, ``gradients`` the tangents of the floating
    outputs, which are in ``wrt``.
    """
    with Tape(names=True) as tape:
        call = TracedCall(f, args, dict(kwargs), wrt, tape)
        outputs = [x for x in call.outputs if type(x) is Traced and is_differentiable(x.value)]
        if not outputs:
            raise TreeError(message("the function returns nothing that depends on its floating arguments."))
        forward_steps = len(tape.steps)
        lengths = _lengths(call)
        tangents = [tape.input(np.zeros_like(tape.values[v])[()], active=True) for v in call.wrt]
        for v, tangent in zip(call.wrt, tangents, strict=True):
            lengths.symbols.of[tangent.variable] = lengths.symbols.of[v]
        # The derivative of the pullback with respect to its cotangent; the pullback itself is not needed then.
        start = len(tape.steps)
        seeds: dict[int, Any] = {}
        for x in outputs:
            one = np.ones_like(x.value)[()]
            seeds[x.variable] = Traced(tape, len(tape.values), one, True)
            tape.values.append(one)
            lengths.symbols.of[seeds[x.variable].variable] = lengths.symbols.of[x.variable]
        first: dict[int, Any] = {}

        def note_first(variable: int, step: int, contribution: Any, whole: Any) -> None:
            first[variable] = whole

        found = differentiate(tape, seeds, call.wrt, on_contribution=note_first)
        given: dict[int, Any] = {}
        for v, tangent in zip(call.wrt, tangents, strict=True):
            g = found.get(v)
            if type(g) is Traced:
                summed = _summed(g, tangent, tape.values[v], lengths, v)
                given[g.variable] = summed if g.variable not in given else given[g.variable] + summed
        second: dict[int, Any] = {}

        def note_second(variable: int, step: int, contribution: Any, whole: Any) -> None:
            second[variable] = whole

        own = [seeds[x.variable].variable for x in outputs]
        pushed = differentiate(tape, given, own, start=start, on_contribution=note_second)
        links = {
            v: number_of(second[g.variable])
            for v, g in first.items()
            if type(g) is Traced and g.variable in second and np.shape(g.value) == np.shape(tape.values[v])
        }
        links.update({v: t.variable for v, t in zip(call.wrt, tangents, strict=True)})
        results = [number_of(pushed[s]) if s in pushed else 0.0 for s in own]
        likes = {t.variable: v for v, t in zip(call.wrt, tangents, strict=True)}
        return record_of(
            call,
            forward_steps,
            [x.variable for x in outputs],
            results,
            [t.variable for t in tangents],
            links,
            {},
            likes,
        )


def hessian_products_of(
    f: Callable[..., Any], args: Sequence[Any], wrt: Sequence[Any], kwargs: Mapping[str, Any]
) -> Backward:
    """The record of products with the Hessian of a loss: ``cotangents`` are the vectors, ``gradients`` the products."""
    with Tape(names=True) as tape:
        call = TracedCall(f, args, dict(kwargs), wrt, tape)
        loss = call.loss()
        forward_steps = len(tape.steps)
        lengths = _lengths(call)
        vectors = [tape.input(np.zeros_like(tape.values[v])[()], active=True) for v in call.wrt]
        for v, vector in zip(call.wrt, vectors, strict=True):
            lengths.symbols.of[vector.variable] = lengths.symbols.of[v]
        links: dict[int, Any] = {}

        def note(variable: int, step: int, contribution: Any, whole: Any) -> None:
            links[variable] = number_of(whole)

        seeds = {} if type(loss) is not Traced else {loss.variable: written_number(1.0)}
        found = differentiate(tape, seeds, call.wrt, on_contribution=note)
        given: dict[int, Any] = {}
        for v, vector in zip(call.wrt, vectors, strict=True):
            g = found.get(v)
            if type(g) is Traced:
                summed = _summed(g, vector, tape.values[v], lengths, v)
                given[g.variable] = summed if g.variable not in given else given[g.variable] + summed
        products = differentiate(tape, given, call.wrt)
        results = [number_of(products[v]) if v in products else 0.0 for v in call.wrt]
        likes = {t.variable: v for v, t in zip(call.wrt, vectors, strict=True)}
        return record_of(call, forward_steps, call.wrt, results, [t.variable for t in vectors], links, {}, likes)


def _lengths(call: TracedCall) -> TapeLengths:
    lengths = TapeLengths(call.tape, whole_symbols(program_of(call)))
    call.tape.always_one = lengths
    return lengths


def _summed(g: Traced, tangent: Any, value: Any, lengths: TapeLengths, variable: int) -> Any:
    """A tangent summed down to the shape of a lazy cotangent, which stands for its broadcast."""
    shape, whole = np.shape(g.value), np.shape(value)
    extra = len(whole) - len(shape)
    if extra:
        tangent = apply(np.sum, tangent, axis=tuple(range(extra)) if extra > 1 else 0)
    axes = tuple(
        k
        for k, n in enumerate(shape)
        if n == 1 and (whole[k + extra] != 1 or (lengths(g.variable, k) and not lengths(variable, k + extra)))
    )
    if axes:
        tangent = apply(np.sum, tangent, axis=axes if len(axes) > 1 else axes[0], keepdims=True)
    return tangent if type(tangent) is Traced else full(g.tape, tangent, g.value)
