"""Forward mode and second derivatives as records: a Program whose last steps are tangents, or products with a Hessian.

Each is a :class:`chainrule.backward.Backward` too, so that it is simplified and written down as backward passes are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.backward import Backward, number_of, record_of
from chainrule.calls import TracedCall
from chainrule.differentiate import differentiate, is_differentiable
from chainrule.errors import TreeError
from chainrule.language import message
from chainrule.lengths import TapeLengths, whole_symbols
from chainrule.loop_tangents import pushed, summed
from chainrule.sizes import written_number
from chainrule.tape import Tape
from chainrule.trace import program_of
from chainrule.traced import Traced

__all__ = ["hessian_products_of", "tangents_of"]


def tangents_of(
    f: Callable[..., Any],
    args: Sequence[Any],
    wrt: Sequence[Any],
    kwargs: Mapping[str, Any],
    prepare: Callable[[TracedCall], None] | None = None,
    suppose: Callable[[TracedCall], None] | None = None,
    prefix: str = "d",
) -> Backward:
    """The record of forward mode: the tangents of the outputs, given those of the arguments in ``wrt``.

    ``cotangents`` are the inputs that hold the tangents of the arguments, ``gradients`` the tangents of the floating
    outputs, which are in ``wrt``.  ``prepare`` is given the traced call, whose loops were noted; ``suppose`` is given
    it behind that, to note facts about its variables; the names of tangents begin with ``prefix``.
    """
    with Tape(names=True, loops=prepare is not None) as tape:
        tape.prefix = prefix
        call = TracedCall(f, args, dict(kwargs), wrt, tape)
        if prepare is not None:
            prepare(call)
        if suppose is not None:
            suppose(call)
        outputs = [x for x in call.outputs if type(x) is Traced and is_differentiable(x.value)]
        if not outputs:
            raise TreeError(message("the function returns nothing that depends on its floating arguments."))
        forward_steps = len(tape.steps)
        lengths = _lengths(call)
        tangents = [tape.input(np.zeros_like(tape.values[v])[()], active=True) for v in call.wrt]
        for v, tangent in zip(call.wrt, tangents, strict=True):
            lengths.symbols.of[tangent.variable] = lengths.symbols.of[v]
        links: dict[int, Any] = {}
        own = [x.variable for x in outputs]
        found = pushed(tape, dict(zip(call.wrt, tangents, strict=True)), own, links)
        links.update({v: t.variable for v, t in zip(call.wrt, tangents, strict=True)})
        results = [number_of(found[v]) if v in found else 0.0 for v in own]
        likes = {t.variable: v for v, t in zip(call.wrt, tangents, strict=True)}
        return record_of(call, forward_steps, own, results, [t.variable for t in tangents], links, {}, likes)


def hessian_products_of(
    f: Callable[..., Any],
    args: Sequence[Any],
    wrt: Sequence[Any],
    kwargs: Mapping[str, Any],
    suppose: Callable[[TracedCall], None] | None = None,
) -> Backward:
    """The record of products with the Hessian of a loss: ``cotangents`` are the vectors, ``gradients`` the products.

    ``suppose`` is given the traced call, to note facts about its variables.
    """
    with Tape(names=True) as tape:
        call = TracedCall(f, args, dict(kwargs), wrt, tape)
        if suppose is not None:
            suppose(call)
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
                whole = summed(g, vector, tape.values[v], lengths, v)
                given[g.variable] = whole if g.variable not in given else given[g.variable] + whole
        products = differentiate(tape, given, call.wrt)
        results = [number_of(products[v]) if v in products else 0.0 for v in call.wrt]
        likes = {t.variable: v for v, t in zip(call.wrt, vectors, strict=True)}
        return record_of(call, forward_steps, call.wrt, results, [t.variable for t in vectors], links, {}, likes)


def _lengths(call: TracedCall) -> TapeLengths:
    lengths = TapeLengths(call.tape, whole_symbols(program_of(call)))
    call.tape.always_one = lengths
    return lengths
