"""Tracing to a readable record: ``print(chainrule.trace(f, *args))``."""

from __future__ import annotations

import dis
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.calls import TracedCall, argument_names
from chainrule.indexing import get_item
from chainrule.ir import Const, Guard, Program, Step, Var
from chainrule.positions import Position, bound_names, locate
from chainrule.sizes import is_size
from chainrule.tape import Tape
from chainrule.traced import Traced
from chainrule.trees import flatten, paths

__all__ = ["Recorded", "bound_to", "input_names", "program_of", "trace"]

_CACHE = dis.opmap["CACHE"]


@dataclass(slots=True, eq=False)
class Recorded:
    """A piece of tape as :func:`program_of` takes it."""

    function: Any
    tape: Tape
    outputs: list[Any]
    args: tuple[Any, ...] = ()
    kwargs: Any = None

    def __post_init__(self) -> None:
        self.kwargs = {}


def trace(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Program:
    """The steps that ``f`` takes at these arguments, as a :class:`Program`.

    Args:
        f: a function of arrays, numbers and trees of them.
        args: its arguments, with concrete values.
        kwargs: its keyword arguments.

    Returns:
        The program: ``print`` shows it as NumPy with shapes, in the names that ``f`` uses.

    Raises:
        ChainruleError: where something cannot be followed.
    """
    with Tape(names=True) as tape:
        call = TracedCall(f, args, kwargs, (), tape)
    return program_of(call)


def _position(code: Any, offset: int) -> Position | None:
    return None if code is None else locate(code, offset)


def bound_to(code: Any, offset: int, place: int = 0) -> tuple[str, ...]:
    """The names that the result of an instruction is stored under; of what it takes apart, a part of it."""
    raw = code.co_code
    while offset > 0 and raw[offset] == _CACHE:
        # A call of a Python function leaves its frame at the end of the call's caches, and others at its start.
        offset -= 2
    return bound_names(code, offset, place)


def input_names(call: TracedCall | Recorded) -> list[str]:
    """A name for each leaf that became an input, in the order of the tape."""
    names: list[str] = []
    own = argument_names(call.function, call.args, call.kwargs)
    for name, argument in [*zip(own, call.args, strict=True), *call.kwargs.items()]:
        for leaf, path in zip(flatten(argument)[0], paths(argument), strict=True):
            becomes_input = isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fciub"
            if becomes_input or (isinstance(leaf, float | complex | np.inexact) and not is_size(leaf)):
                names.append(name + path)
    return names


def _decides_again(guards: Sequence[Guard]) -> bool:
    """Whether values are compared at one place several times, as for each element of an array."""
    places = [str(g.position) for g in guards if g.position is not None and not g.lengths]
    return len(set(places)) < len(places)


def program_of(
    call: TracedCall | Recorded, forward_steps: int | None = None, links: Mapping[int, Any] | None = None
) -> Program:
    """The frozen record of a traced call.

    Args:
        call: the call.
        forward_steps: the number of steps that are the user's; those behind it are a backward pass.
        links: for a backward pass, the cotangent of each forward variable; it is named after that.
    """
    tape = call.tape
    observed = dict(tape.names or {})
    names: dict[int, str] = {}
    for number, name in zip(tape.inputs, input_names(call), strict=False):
        names[number] = name if name.isidentifier() else observed.get(number, name)
    for number in tape.inputs:
        if number in observed:
            names.setdefault(number, observed[number])
    variables: dict[int, Var | Const] = {}

    def var(number: int) -> Var | Const:
        if number not in variables:
            value = tape.values[number]
            dtype = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
            variables[number] = Var(np.shape(value), dtype, names.get(number), number)
        return variables[number]

    inputs: Any = tuple(var(number) for number in tape.inputs)
    made = set(tape.inputs)
    before: Any = None
    place = 0
    for operation, taken, _, outputs, code, offset in tape.steps[:forward_steps]:
        several = type(outputs) is tuple
        made.update(outputs if several else (outputs,))
        # a, b = x reads x[0] and x[1] in one instruction.
        here = (code, offset, taken) if operation.function is get_item else None
        place = place + 1 if here is not None and here == before else 0
        before = here
        bound = () if several or code is None or offset < 0 else bound_to(code, offset, place)
        numbers: Any = outputs if several else (outputs,)
        for number in numbers:
            found = bound[0] if bound else observed.get(number)
            if found is not None:
                names.setdefault(number, found)
    # The gradient of scale in scale * x.sum() is a value of the forward pass, which is no dscale there.
    forward = frozenset(made)
    for step in tape.steps[forward_steps:] if forward_steps is not None else ():
        made.update(step[3] if isinstance(step[3], tuple) else (step[3],))
    for primal, cotangent in (links or {}).items():
        if type(cotangent) is int and primal in names and cotangent not in forward:
            names.setdefault(cotangent, tape.prefix + names[primal])
    held = {id(array): number for number, array in tape.constants.values()}
    frame_names = _names_of_arrays(call.function, held)
    constants = []
    for number, value in enumerate(tape.values):
        if number not in made and number not in tape.removed:
            constant = Const(value, frame_names.get(number) or observed.get(number), number)
            variables[number] = constant
            constants.append(constant)
    steps = []
    for operation, operands, params, outputs, code, offset in tape.steps:
        inputs_of = tuple(var(x) if isinstance(x, int) else Const(x[0]) for x in operands)
        outputs_of: Any = tuple(var(v) for v in (outputs if type(outputs) is tuple else (outputs,)))
        steps.append(Step(operation, inputs_of, params, outputs_of, _position(code, offset)))
    results = tuple(var(x.variable) if type(x) is Traced else Const(x) for x in call.outputs)
    guards = tuple(
        Guard(var(number), value, _position(code, offset), tuple(tape.measured.get((code, offset), ())))
        for number, value, code, offset in tape.guards
    )
    name = getattr(call.function, "__name__", "function")
    return Program(
        name if name.isidentifier() else "function",
        inputs,
        tuple(steps),
        results,
        tuple(constants),
        guards,
        bool(tape.measured) or tape.unsure or _decides_again(guards),
        tuple(tape.counts),
        getattr(call, "held", None),
        dict(tape.facts),
    )


def _names_of_arrays(function: Any, numbers: dict[int, int]) -> dict[int, str]:
    """The global and closure names of the plain arrays that the function used."""
    function = getattr(function, "__wrapped__", function)
    found: dict[int, str] = {}
    code = getattr(function, "__code__", None)
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True) if code is not None else ()
    for name, cell in cells:
        try:
            found.setdefault(numbers[id(cell.cell_contents)], name)
        except (KeyError, ValueError):
            continue
    for name, value in list(getattr(function, "__globals__", {}).items()):
        if id(value) in numbers:
            found.setdefault(numbers[id(value)], name)
    return found
