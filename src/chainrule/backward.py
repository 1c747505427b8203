"""The backward pass as a record: forward and backward steps in one Program, with what each cotangent belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule.calls import TracedCall
from chainrule.differentiate import differentiate, is_differentiable
from chainrule.errors import ChainruleError, TreeError
from chainrule.ir import Const, Program, Var
from chainrule.language import listed, message
from chainrule.lengths import TapeLengths, whole_symbols
from chainrule.linear import floating_arguments
from chainrule.sizes import is_size, written_number
from chainrule.tape import Tape
from chainrule.trace import program_of
from chainrule.traced import Traced
from chainrule.trees import LEAF, flatten, unflatten

__all__ = ["Backward", "backward_of", "backward_of_call", "number_of", "record_of", "select_output"]


@dataclass(frozen=True, slots=True, eq=False)
class Backward:
    """A Program with the steps of a backward pass behind those of the forward pass.

    Attributes:
        program: forward steps first.  Its inputs are the leaves of the arguments and, behind them, one
            cotangent per output unless the output is one real number; its outputs are the forward outputs
            followed by the gradients, in the order of ``wrt``.
        forward_steps: how many of the steps are the forward pass.
        wrt: the inputs that are differentiated.
        gradients: per input of ``wrt`` its gradient: a variable, or a number that stands for an array filled with it.
            A gradient may be lazy: of a shape that broadcasts to its input's.
        cotangents: the inputs that hold the cotangents of the outputs; empty for a scalar loss.
        links: for each forward variable its whole cotangent, by number: ``links[Y] == dY``.  Numbers instead of
            variables stand for arrays filled with them.
        contributions: for each forward variable the shares of its cotangent, as pairs of the number of the forward
            step that they came through and the variable (or number) itself.
        likes: for each cotangent that is an input, the variable that it is as large as.
        structure: of the result of the function.
        added_up: inputs into which cotangents are added in place, as the turns of a loop do.
    """

    program: Program
    forward_steps: int
    wrt: tuple[Var, ...]
    gradients: tuple[Var | Const, ...]
    cotangents: tuple[Var, ...]
    links: Mapping[int, Any]
    contributions: Mapping[int, tuple[tuple[int, Any], ...]]
    likes: Mapping[int, int] = field(default_factory=dict)
    structure: Any = None
    added_up: frozenset[int] = frozenset()


def backward_of(
    f: Callable[..., Any],
    args: Sequence[Any],
    wrt: Sequence[int | str] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    of: int | str | None = None,
    prepare: Callable[[TracedCall], None] | None = None,
    suppose: Callable[[TracedCall], None] | None = None,
) -> Backward:
    """Trace ``f`` and write down its backward pass.

    Args:
        f: a function of arrays, numbers and trees of them.
        args: its arguments, with concrete values.
        wrt: positions of the arguments to differentiate, names for keyword arguments; all that hold floats if not
            given.
        kwargs: its keyword arguments.
        of: which output to differentiate: an index or key of the result, or the name of a variable of the function.
        prepare: is given the traced call, whose loops were noted, before it is differentiated.
        suppose: is given the traced call behind that, to note facts about its variables.

    Raises:
        ChainruleError: where something cannot be followed.
    """
    named = dict(kwargs or {})
    positions = floating_arguments(args, named)
    with Tape(names=True, loops=prepare is not None) as tape:
        call = TracedCall(f, args, named, positions if wrt is None else tuple(wrt), tape)
        if of is not None:
            select_output(call, of)
        if prepare is not None:
            prepare(call)
        if suppose is not None:
            suppose(call)
        outputs = [x for x in call.outputs if type(x) is Traced and is_differentiable(x.value)]
        if not outputs:
            raise TreeError(message("the function returns nothing that depends on its floating arguments."))
        return backward_of_call(call, outputs)


def select_output(call: TracedCall, of: int | str) -> None:
    """Let a part of the result, or a variable of the function, be all that a traced call returned.

    Raises:
        TreeError: where there is none of that name.
    """
    result = unflatten(call.structure, call.outputs)
    try:
        part = getattr(result, of) if isinstance(of, str) and hasattr(type(result), "_fields") else result[of]
        found = True
    except (TypeError, LookupError, AttributeError, ChainruleError):
        found = False
    if type(result) is not Traced and found:
        call.outputs, call.structure = ([part], LEAF) if type(part) is Traced else flatten(part)
        return
    program = program_of(call)
    made = [out for step in program.steps for out in step.outputs if out.name is not None]
    named = [x for x in made if x.name == of]
    if not named:
        raise TreeError(
            message(
                "of={of} is no part of the result of {function}, and none of its variables: {names}.",
                of=repr(of),
                function=program.name,
                names=listed(dict.fromkeys(str(x.name) for x in made)) or "-",
            )
        )
    number = named[-1].number
    call.outputs, call.structure = [Traced(call.tape, number, call.tape.values[number], True)], LEAF


def backward_of_call(call: TracedCall, outputs: Sequence[Any]) -> Backward:
    """Write down the backward pass of a traced call, from these of its outputs; its tape must be open."""
    tape = call.tape
    forward_steps = len(tape.steps)
    (first, *others) = outputs
    scalar = not others and np.ndim(first.value) == 0 and not np.iscomplexobj(first.value)
    seeds: dict[int, Any] = {}
    cotangents: list[int] = []
    if scalar:
        seeds[first.variable] = written_number(1.0)
    else:
        for x in outputs:
            seed = tape.input(np.ones_like(x.value)[()], active=True)
            assert tape.names is not None
            tape.names[seed.variable] = "grad_output" if not others else f"grad_output_{len(cotangents)}"
            cotangents.append(seed.variable)
            seeds[x.variable] = seed if x.variable not in seeds else seeds[x.variable] + seed
    links: dict[int, Any] = {}
    contributions: dict[int, list[tuple[int, Any]]] = {}

    def note(variable: int, step: int, contribution: Any, whole: Any) -> None:
        contributions.setdefault(variable, []).append((step, number_of(contribution)))
        links[variable] = number_of(whole)

    lengths = TapeLengths(tape, whole_symbols(program_of(call)))
    outputs_of = [x.variable for x in outputs]
    lengths.symbols.of.update({c: lengths.symbols.of[v] for c, v in zip(cotangents, outputs_of, strict=False)})
    tape.always_one = lengths
    found = differentiate(tape, seeds, call.wrt, on_contribution=note)
    gradients = [number_of(found[v]) if v in found else 0.0 for v in call.wrt]
    likes = dict(zip(cotangents, outputs_of, strict=False))
    return record_of(call, forward_steps, call.wrt, gradients, cotangents, links, contributions, likes)


def record_of(
    call: TracedCall,
    forward_steps: int,
    wrt: Sequence[int],
    gradients: Sequence[Any],
    cotangents: Sequence[int],
    links: Mapping[int, Any],
    contributions: Mapping[int, Sequence[tuple[int, Any]]],
    likes: Mapping[int, int],
) -> Backward:
    """The record of a traced call and of what was written behind it; the arguments are the fields of the record."""
    program = program_of(call, forward_steps, links)
    variables: dict[int, Any] = dict(program.by_number())
    results = tuple(variables[g] if type(g) is int else Const(g) for g in gradients)
    whole = replace(program, outputs=(*program.outputs, *results))
    return Backward(
        whole,
        forward_steps,
        tuple(variables[v] for v in wrt),
        results,
        tuple(variables[v] for v in cotangents),
        links,
        {v: tuple(shares) for v, shares in contributions.items()},
        likes,
        call.structure,
    )


def number_of(x: Any) -> Any:
    """The number of a stand-in's variable, as an ``int``; a plain number as a ``float`` or ``complex``."""
    if type(x) is Traced:
        return x.variable
    if is_size(x):
        return x
    return complex(x) if isinstance(x, complex) else float(x)
