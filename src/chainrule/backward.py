"""The backward pass as a record: forward and backward steps in one Program, with what each cotangent belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.calls import TracedCall
from chainrule.differentiate import differentiate, is_differentiable
from chainrule.errors import TreeError
from chainrule.ir import Const, Program, Var
from chainrule.linear import is_floating
from chainrule.sizes import is_size, written_number
from chainrule.tape import Tape
from chainrule.trace import program_of
from chainrule.traced import Traced

__all__ = ["Backward", "backward_of"]


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
    """

    program: Program
    forward_steps: int
    wrt: tuple[Var, ...]
    gradients: tuple[Var | Const, ...]
    cotangents: tuple[Var, ...]
    links: Mapping[int, Any]
    contributions: Mapping[int, tuple[tuple[int, Any], ...]]


def backward_of(f: Callable[..., Any], args: Sequence[Any], wrt: Sequence[int] | None = None) -> Backward:
    """Trace ``f`` and write down its backward pass.

    Args:
        f: a function of arrays, numbers and trees of them.
        args: its arguments, with concrete values.
        wrt: positions of the arguments to differentiate; all that hold floats if not given.

    Raises:
        ChainruleError: where something cannot be followed.
    """
    positions = tuple(n for n, a in enumerate(args) if is_floating(a)) if wrt is None else tuple(wrt)
    with Tape(names=True) as tape:
        call = TracedCall(f, args, {}, positions, tape)
        outputs = [x for x in call.outputs if type(x) is Traced and is_differentiable(x.value)]
        if not outputs:
            raise TreeError("the function returns nothing that depends on its floating arguments.")
        return _written(call, outputs)


def _written(call: TracedCall, outputs: Sequence[Any]) -> Backward:
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
        contributions.setdefault(variable, []).append((step, _number(contribution)))
        links[variable] = _number(whole)

    found = differentiate(tape, seeds, call.wrt, on_contribution=note)
    gradients = [_number(found[v]) if v in found else 0.0 for v in call.wrt]
    program = program_of(call, forward_steps, links)
    variables: dict[int, Any] = dict(program.by_number())
    results = tuple(variables[g] if type(g) is int else Const(g) for g in gradients)
    whole = Program(
        program.name, program.inputs, program.steps, (*program.outputs, *results), program.constants, program.guards
    )
    return Backward(
        whole,
        forward_steps,
        tuple(variables[v] for v in call.wrt),
        results,
        tuple(variables[v] for v in cotangents),
        links,
        {v: tuple(shares) for v, shares in contributions.items()},
    )


def _number(x: Any) -> Any:
    """The number of a stand-in's variable, as an ``int``; a plain number as a ``float`` or ``complex``."""
    if type(x) is Traced:
        return x.variable
    if is_size(x):
        return x
    return complex(x) if isinstance(x, complex) else float(x)
