"""A result, what it was computed from, and the gradients of all that lies between: with the user's own numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.backward import backward_of_call, select_output
from chainrule.calls import TracedCall, argument_names
from chainrule.differentiate import is_differentiable
from chainrule.errors import ChainruleError, TreeError
from chainrule.explain.why.labels import labels_of, place_of
from chainrule.ir import Const, Program, Step, Var
from chainrule.language import Message, message
from chainrule.linear import floating_arguments
from chainrule.run import resolved, values_of
from chainrule.sizes import is_size, plain_number
from chainrule.stretch import Followed
from chainrule.tape import Tape
from chainrule.trace import program_of
from chainrule.traced import Traced
from chainrule.trees import paths

__all__ = ["Scene", "scene_of", "scene_of_followed"]

_SEED = 1  # the same random grad_output as the command line's other verbs


@dataclass(eq=False)
class Scene:
    """A result and what it was computed from, evaluated.

    Attributes:
        program: the forward pass.
        values: the value of every variable and constant, by number.
        cotangents: the gradient of the result with respect to every variable that it depends on smoothly.
        result: the variable of the result.
        title: what the result is called.
        inputs: the names of the arrays that may be asked for, with their variables.
        notes: what the reader should know.
    """

    program: Program
    values: dict[int, Any]
    cotangents: dict[int, np.ndarray[Any, Any]]
    result: int
    title: str
    inputs: dict[str, int]
    notes: list[Message] = field(default_factory=list)

    @cached_property
    def labels(self) -> dict[int, str]:
        """What each variable is called."""
        found = labels_of(self.program)
        for name, number in self.inputs.items():
            found[number] = name
        if self.result not in self.inputs.values() and self.title:
            found[self.result] = self.title
        return found

    @cached_property
    def makers(self) -> dict[int, Step]:
        """The step that made each variable."""
        return {out.number: step for step in self.program.steps for out in step.outputs}

    @cached_property
    def order(self) -> dict[int, int]:
        """The place of each step, by its identity."""
        return {id(step): k for k, step in enumerate(self.program.steps)}

    @cached_property
    def named(self) -> frozenset[int]:
        """The variables that the user gave a name, and the result."""
        own = {out.number for step in self.program.steps for out in step.outputs if out.name is not None}
        return frozenset({*own, *self.inputs.values(), *(x.number for x in self.program.inputs), self.result})

    @cached_property
    def is_complex(self) -> bool:
        """Whether complex numbers lie on the way: paths have no products of their own there."""
        return any(np.iscomplexobj(self.values[v]) for v in self.cotangents)

    def shape(self, number: int) -> tuple[int, ...]:
        """The shape of a variable."""
        return np.shape(self.values[number])

    def gradient(self, number: int) -> np.ndarray[Any, Any]:
        """The gradient of the result with respect to a variable; zeros where it does not depend on it."""
        found = self.cotangents.get(number)
        return np.zeros(self.shape(number)) if found is None else found

    def line(self, number: int) -> int | None:
        """The line that made a variable."""
        place = place_of(self.makers.get(number))
        return None if place is None else place.line

    def source(self, number: int) -> str:
        """The line of source that made a variable."""
        place = place_of(self.makers.get(number))
        return "" if place is None else place.text

    def ancestors(self, number: int) -> set[int]:
        """The variables that one was computed from, itself included."""
        found = {number}
        for step in reversed(self.program.steps):
            if any(out.number in found for out in step.outputs):
                found.update(x.number for x in step.inputs if x.number >= 0)
        return found

    def operand(self, x: Var | Const) -> Any:
        """The value of an operand of a step."""
        if isinstance(x, Var) or x.number >= 0:
            return self.values[x.number]
        return resolved(x.value, self.values) if is_size(x.value) else plain_number(x.value)


def scene_of(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    result: int | str | None = None,
    element: tuple[int, ...] | None = None,
    grad_output: Any = None,
) -> Scene:
    """The scene of a call of a function.

    Args:
        f: the function.
        args: its arguments.
        kwargs: its keyword arguments.
        result: which part of the result, or which variable of the function, is differentiated.
        element: which element of it.
        grad_output: the gradient with which it begins, where the result is an array; random if not given.

    Raises:
        ChainruleError: where something cannot be followed, or there is no such result.
    """
    positions = floating_arguments(args, kwargs)
    with Tape(names=True) as tape, np.errstate(all="ignore"):
        call = TracedCall(f, args, dict(kwargs), positions, tape)
        name = getattr(f, "__name__", "the function")
        title = str(result) if isinstance(result, str) else ""
        notes: list[Message] = []
        if result is not None:
            select_output(call, result)
        outputs = [x for x in call.outputs if type(x) is Traced and is_differentiable(x.value)]
        if not outputs:
            raise TreeError(_nothing(name, call.outputs))
        output = next((x for x in outputs if x.active), outputs[0])
        if len(outputs) > 1:
            notes.append(
                message(
                    "{function} returns {count} arrays; this is about number {number} (result=… chooses).",
                    function=name,
                    count=len(outputs),
                    number=outputs.index(output),
                )
            )
        if element is not None:
            output = _element(output, element)
            title += f"[{','.join(map(str, element))}]" if title else ""
        inputs = _input_names(call)
        return _evaluated(call, output, title, inputs, notes, name, grad_output)


def _nothing(name: str, outputs: Sequence[Any]) -> Message:
    value = next((x.value for x in outputs if type(x) is Traced), None)
    if value is None:
        return message(
            "{function} returns no array: there is no gradient to explain. Instead: return the loss itself, or name "
            "it: result=",
            function=name,
        )
    return message(
        "{function} returns values of type {kind}, which do not change smoothly: there is no gradient to explain. "
        "Instead: return the loss itself, or name it: result=",
        function=name,
        kind=np.asarray(value).dtype,
    )


def _element(output: Any, element: tuple[int, ...]) -> Any:
    try:
        chosen = output[element]
    except IndexError as error:
        raise TreeError(message("result: {error}.", error=str(error))) from None
    if np.shape(chosen.value):
        raise TreeError(
            message(
                "result: {element} is no element of an array of shape {shape}.",
                element=list(element),
                shape=np.shape(output.value),
            )
        )
    return chosen


def _input_names(call: TracedCall) -> dict[str, int]:
    """The differentiated leaves of the arguments, by name."""
    own = argument_names(call.function, call.args, call.kwargs)
    names: list[str] = []
    for n in call.argnums:
        head, tree = (own[n], call.args[n]) if isinstance(n, int) else (n, call.kwargs[n])
        names += [head + path for path in paths(tree)]
    return dict(zip(names, call.wrt, strict=True))


def scene_of_followed(followed: Followed) -> Scene:
    """The scene of a script's result, or of a function in a file."""
    tape = followed.tape
    tape.closed = False
    inputs = dict(zip(followed.names, followed.variables, strict=True))
    # Its own notes are sentences without an end.
    notes = [message("{note}.", note=note) for note in followed.notes]
    with tape:
        return _evaluated(followed.call, followed.call.outputs[0], followed.title, inputs, notes, followed.title)


def _evaluated(
    call: TracedCall,
    output: Any,
    title: str,
    inputs: dict[str, int],
    notes: list[Message],
    name: str,
    grad_output: Any = None,
) -> Scene:
    tape = call.tape
    call.outputs = [output]
    backward = backward_of_call(call, [output])
    program = backward.program
    given = {v: tape.values[v] for v in tape.inputs}
    for seed in backward.cotangents:
        if grad_output is not None:
            shape, dtype = np.shape(output.value), np.asarray(output.value).dtype
            given[seed.number] = np.broadcast_to(np.asarray(grad_output), shape).astype(dtype)
            continue
        drawn = np.random.default_rng(_SEED).standard_normal(np.shape(output.value))
        given[seed.number] = drawn.astype(np.asarray(output.value).dtype)
        if not any("grad_output" in str(note) for note in notes):
            notes.append(
                message(
                    "{function} is an array of shape {shape}: the gradients are for a random grad_output from a fixed "
                    "seed. Name one element of the result to ask about that.",
                    function=name,
                    shape=np.shape(output.value),
                )
            )
    values = values_of(program, [given[x.number] for x in program.inputs])
    forward = replace(
        program,
        steps=program.steps[: backward.forward_steps],
        inputs=tuple(x for x in program.inputs if x not in backward.cotangents),
        outputs=program.outputs[:1],
    )
    made = {x.number for x in forward.inputs} | {c.number for c in forward.constants}
    made |= {o.number for s in forward.steps for o in s.outputs}
    cotangents = {v: _whole(g, v, values) for v, g in backward.links.items() if v in made}
    kept = {v: x for v, x in values.items() if v in made}
    scene = Scene(forward, kept, cotangents, output.variable, title, inputs, notes)
    if not title:
        scene.title = _result_name(program_of(call), name)
    return scene


def _result_name(program: Program, name: str) -> str:
    """What the result is called: its name in the function, or the function's own."""
    found = next((x.name for x in program.outputs if isinstance(x, Var) and x.name), None)
    return found or name


def _whole(g: Any, variable: int, values: Mapping[int, Any]) -> np.ndarray[Any, Any]:
    """A cotangent as an array of the shape of its variable."""
    value = values[g] if type(g) is int else resolved(g, values) if is_size(g) else g
    like = np.asarray(values[variable])
    try:
        return np.array(np.broadcast_to(value, like.shape))
    except ValueError as error:
        raise ChainruleError(
            message(
                "the gradient of an array of shape {shape} has the shape {given}. Instead: let the rule that you gave "
                "to chainrule return a gradient of the shape of its argument.",
                shape=str(like.shape),
                given=str(np.shape(value)),
            )
        ) from error
