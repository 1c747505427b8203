"""A backward pass as it is changed to plant a mistake in it, and what is known about its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chainrule.backward import Backward
from chainrule.ir import Const, Program, Step, Var
from chainrule.ops import OPERATIONS

__all__ = ["Done", "Draft", "Edit", "Operand", "Pass"]

Operand = Var | Const
Done = Callable[["Draft"], None]


@dataclass(frozen=True, eq=False)
class Edit:
    """One mistake at one step.

    Attributes:
        kinds: the words that name it.
        steps: the names that the forward function assigns on the line of the step.
        line: that line.
        text: what is done.
        do: does it.
    """

    kinds: tuple[str, ...]
    steps: tuple[str, ...]
    line: int | None
    text: str
    do: Done

    def applied(self, backward: Pass) -> Program:
        """The whole pass with the mistake."""
        draft = Draft(backward.backward.program)
        for index, kept in backward.nothing:
            draft.put(index, inputs=(draft.steps[index].inputs[kept], Const(0.0)))
        self.do(draft)
        return draft.finished()


class Draft:
    """A program that is being changed."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps = list(program.steps)
        self.values = program.by_number()
        self._instead: dict[int, tuple[int, Operand]] = {}
        self._free = max(self.values, default=0) + 1

    def put(self, index: int, **changes: Any) -> None:
        """Change a step."""
        self.steps[index] = replace(self.steps[index], **changes)

    def instead(self, index: int, other: Operand) -> None:
        """Let what follows a step read another value than its result."""
        self._instead[self.steps[index].outputs[0].number] = (index, other)

    def after(self, index: int, function: Any, make: Callable[[Var], tuple[Operand, ...]], **params: Any) -> None:
        """Do something to the result of a step, before anything reads it."""
        step = self.steps[index]
        old = step.outputs[0]
        hidden = Var(old.shape, old.dtype, None, self._free)
        self.steps[index] = replace(step, outputs=(hidden,))
        later = Step(OPERATIONS[function], make(hidden), params, (old,), step.position)
        self.steps.insert(index + 1, later)

    def finished(self) -> Program:
        """The changed program."""
        program = self.program
        steps = []
        for index, step in enumerate(self.steps):
            inputs = tuple(self._read(x, index) for x in step.inputs)
            steps.append(replace(step, inputs=inputs))
        outputs = tuple(self._read(x, len(steps)) for x in program.outputs)
        return Program(program.name, program.inputs, tuple(steps), outputs, program.constants)

    def _read(self, x: Operand, index: int) -> Operand:
        found = self._instead.get(x.number) if isinstance(x, Var) else None
        return found[1] if found is not None and index > found[0] else x


class Pass:
    """A backward pass, with what is known about its values.

    Attributes:
        backward: the record.
        forward: the numbers of what the forward pass computes or is given.
        carrying: the numbers of the values that depend on the incoming gradient.
        results: the numbers of the gradients.
        nothing: the sums of two terms of which one is nothing but rounding, by the index of the step, and which operand
            is the other; people leave such terms out, as that of the maximum that a softmax is shifted by.
    """

    def __init__(self, backward: Backward, nothing: Sequence[tuple[int, int]] = ()) -> None:
        self.backward = backward
        self.nothing = tuple(nothing)
        program = backward.program
        self.steps = program.steps
        first = program.steps[: backward.forward_steps]
        cotangents = {x.number for x in backward.cotangents}
        self.forward = {x.number: x for x in program.inputs if x.number not in cotangents}
        self.forward.update((out.number, out) for step in first for out in step.outputs)
        self.makers = {out.number: step for step in program.steps for out in step.outputs}
        ends = [*backward.links.values(), *(share for shares in backward.contributions.values() for _, share in shares)]
        self.carrying = cotangents | {x for x in ends if type(x) is int} - set(self.forward)
        for step in program.steps[backward.forward_steps :]:
            if any(isinstance(x, Var) and x.number in self.carrying for x in step.inputs):
                self.carrying.update(out.number for out in step.outputs)
        self.results = {x.number for x in backward.gradients if isinstance(x, Var)}
        self._lines = _names_by_line(first)

    def names_at(self, index: int) -> tuple[str, ...]:
        """The names that the forward function assigns on the line that a step belongs to."""
        position = self.steps[index].position
        return () if position is None else tuple(self._lines.get(position.line, ()))

    def carries(self, x: Operand) -> bool:
        """Whether a value depends on the incoming gradient."""
        return isinstance(x, Var) and x.number in self.carrying

    def like(self, x: Var) -> list[Var]:
        """Other values of the forward pass with its shape and dtype, those that were made near it first."""
        same = [v for v in self.forward.values() if v.shape == x.shape and v.dtype == x.dtype and v.number != x.number]
        return sorted(same, key=lambda v: abs(v.number - x.number))


def _names_by_line(steps: Sequence[Step]) -> Mapping[int, list[str]]:
    lines: dict[int, list[str]] = {}
    for step in steps:
        if step.position is not None:
            names = [out.name for out in step.outputs if out.name]
            lines.setdefault(step.position.line, []).extend(names)
    return lines
