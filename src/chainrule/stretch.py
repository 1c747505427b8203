"""The stretch of a tape from the wanted variables to a result: its gradients, and the records made of it."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import numpy as np

from chainrule.calls import TracedCall, detached
from chainrule.differentiate import differentiate
from chainrule.history import Chosen, RequestError, ancestors, descendants
from chainrule.ir import Program, Var
from chainrule.language import Message, message
from chainrule.statics import mentioned_in
from chainrule.tape import Tape
from chainrule.trace import program_of
from chainrule.traced import value_of
from chainrule.trees import LEAF

__all__ = ["Followed", "element", "keep_steps", "stretch"]


@dataclass(slots=True)
class Followed:
    """A result and what it was computed from.

    Attributes:
        tape: the steps that the result needs, from the wanted variables on.
        names: the names of the wanted variables.
        variables: their numbers on the tape.
        output: the variable of the result.
        title: the name of the result, with an index where one element was asked for.
        cotangent: what the derivatives are multiplied by, for a result that is no number.
        notes: what the reader should know.
        call: the same as a traced call, for the records that are made of one.
        here: of a script, what each name reached when the result was computed last.
        later: the same when the script had ended.
        owners: of a script, the first name that each variable had.
        held: of a script, its names at the end.
        changing: of a script, a step whose plain numbers are not the same in each turn of a loop, if there is one.
        line: of a script, where the result was computed last; 0 where that is not known.
    """

    tape: Tape
    names: tuple[str, ...]
    variables: tuple[int, ...]
    output: int
    title: str
    cotangent: Any
    notes: list[Message]
    call: TracedCall
    here: Mapping[str, int] = field(default_factory=dict)
    later: Mapping[str, int] = field(default_factory=dict)
    owners: Mapping[int, str] = field(default_factory=dict)
    held: Mapping[str, Any] = field(default_factory=dict)
    changing: Any = None
    line: int = 0

    @property
    def value(self) -> Any:
        """The value of the result."""
        return self.tape.values[self.output]

    def inputs(self) -> dict[str, Any]:
        """The wanted variables' values, by name."""
        return {name: self.tape.values[v] for name, v in zip(self.names, self.variables, strict=True)}

    def gradients(self) -> dict[str, Any]:
        """The gradient with respect to each wanted variable, by name."""
        tape = self.tape
        steps = len(tape.steps)
        tape.closed = False
        try:
            with tape:
                found = differentiate(tape, {self.output: self.cotangent}, self.variables)
        finally:
            del tape.steps[steps:]  # the same result may be asked for again
        values = [(tape.values[v], value_of(found[v]) if v in found else None) for v in self.variables]
        return {name: detached(g, x, False) for name, (x, g) in zip(self.names, values, strict=True)}

    def program(self) -> Program:
        """The steps from the wanted variables to the result."""
        program = program_of(self.call)
        needed = {x.number for step in program.steps for x in step.inputs}
        needed |= {x.number for x in program.outputs} | {guard.variable.number for guard in program.guards}
        for step in program.steps:
            statics = [*step.params.values(), *(x.value for x in step.inputs if not isinstance(x, Var))]
            needed.update(mentioned_in(statics))
        return replace(program, constants=tuple(c for c in program.constants if c.number in needed))


class _Call(TracedCall):
    """The stretch of a tape from the wanted variables to the result, as a traced call without arguments."""

    def __init__(self, name: str, tape: Tape, output: Any, wrt: Sequence[int]) -> None:
        def stretch() -> None:
            """Has the name that the record is printed under, and no globals."""

        stretch.__name__ = name
        self.function = stretch
        self.tape = tape
        self.nested = self.copy = False
        self.args = ()
        self.kwargs = {}
        self.argnums = ()
        self.start = 0
        self.outputs, self.structure = [output], LEAF
        self.aux = None
        self.wrt = list(wrt)
        self.wrt_values = [tape.values[v] for v in wrt]


def element(result: Any, title: str, index: Sequence[int] | None) -> tuple[Any, str]:
    """The element of the result that is meant, and its title."""
    if index is None:
        return result, title
    try:
        element = result[tuple(index)]
    except IndexError as error:
        text = message("{request}: {error}.", request=f"--of-index {','.join(map(str, index))}", error=str(error))
        raise RequestError(text) from None
    if np.shape(element.value):
        raise RequestError(
            message(
                "{request} is no element of {name}, whose shape is {shape}.",
                request=f"--of-index {','.join(map(str, index))}",
                name=title,
                shape=np.shape(result.value),
            )
        )
    return element, f"{title}[{', '.join(map(str, index))}]"


def keep_steps(tape: Tape, kept: Container[int]) -> None:
    """Leave out all but these steps of a tape, by ``id``, and say anew where the turns of its loops begin."""
    before = [0, *accumulate(int(id(step) in kept) for step in tape.steps)]
    tape.steps = [step for step in tape.steps if id(step) in kept]
    for record in tape.loops or ():
        record.starts = [before[k] for k in record.starts]
        record.stop = None if record.stop is None else before[record.stop]


def stretch(
    name: str, title: str, tape: Tape, output: Any, chosen: Chosen, cotangent: Any = 1.0, others: Sequence[int] = ()
) -> Followed:
    """The record of a result, with the steps that it and other variables need from the chosen variables on."""
    if not chosen.variables:
        raise RequestError(message("{name} depends on no float array that is not computed from another.", name=title))
    variables = list(chosen.variables.values())
    reached = descendants(tape, variables)
    guards = [g for g in tape.guards if g[0] in reached and g[0] <= output.variable]
    needed = ancestors(tape, [output.variable, *others, *(g[0] for g in guards)], chosen.cuts, smooth=False)
    tape.guards = guards
    keep_steps(
        tape,
        {
            id(step)
            for step in tape.steps
            if any(v in needed and v not in chosen.cuts for v in (step[3] if type(step[3]) is tuple else (step[3],)))
        },
    )
    tape.inputs = [v for v in variables if v in chosen.cuts]
    assert tape.names is not None
    tape.names.update((v, name) for name, v in chosen.variables.items())
    call = _Call(name, tape, output, variables)
    names = tuple(chosen.variables)
    return Followed(tape, names, tuple(variables), output.variable, title, cotangent, chosen.notes, call)
