"""A backward pass to be edited: its steps, compiled for a draw, and run again from where an edit changes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.check.exact import Exact, inputs_of
from chainrule.check.forward import Forward
from chainrule.dispatch import evaluator
from chainrule.indexing import Index
from chainrule.ir import Const, Step, Var, shape_of
from chainrule.run import resolved, values_of
from chainrule.sizes import is_size, plain_number

__all__ = [
    "Base",
    "Change",
    "Edit",
    "Values",
    "Variant",
    "Wiring",
    "axes_of",
    "same_steps",
    "with_index",
    "with_number",
    "with_variable",
]

Values = Mapping[int, Any]
# What a step gives instead, from its operands and from what else has been computed.
Change = Callable[[Sequence[Any], Values], Any]
# A word for a change, the operand, what stands in its place, how far-fetched it is, and the change itself.
Variant = tuple[str, int, Any, float, Change]


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the exact backward pass that somebody may have made by mistake.

    Attributes:
        changes: per number of a step, what it gives instead.
        word: what kind of change it is, as the generator calls it: ``"drop"``, ``"other operand"``.
        step: the number of the (first) step that is changed.
        operand: the operand that is concerned, or -1.
        other: what stands in its place, in words or as the number of a variable.
        cost: how far-fetched it is.
        kind: a word of the vocabulary, where the generator knows it already.
        owner: the number of the forward step that it belongs to, where the generator knows it; else -1.
        details: what fills the gaps of the kind's sentences, where the generator knows it.
    """

    changes: Mapping[int, Change]
    word: str
    step: int
    operand: int = -1
    other: Any = None
    cost: float = 0.0
    kind: str = ""
    owner: int = -1
    details: Mapping[str, Any] = field(default_factory=dict)


class Wiring:
    """How the steps of a backward pass hang together.

    Attributes:
        backward: the record.
        steps: its steps, forward ones first.
        first: the number of the first backward step.
        made_by: per variable the step that makes it.
        used_by: per variable the steps that read it.
        owner: per backward step the number of a forward step at the same place of the user's code, or -1.
        flow: the variables that carry a cotangent.
        whose: per cotangent the forward variable that it belongs to.
        targets: per variable that is a gradient, the names of the arrays that it belongs to.
    """

    def __init__(self, backward: Backward, names: Sequence[str]) -> None:
        self.backward = backward
        self.steps: tuple[Step, ...] = backward.program.steps
        self.first = backward.forward_steps
        self.names = tuple(names)
        self.made_by = {out.number: k for k, step in enumerate(self.steps) for out in step.outputs}
        self.used_by: dict[int, list[int]] = {}
        for k, step in enumerate(self.steps):
            for x in step.inputs:
                if x.number >= 0:
                    self.used_by.setdefault(x.number, []).append(k)
        places: dict[Any, int] = {}
        for k, step in enumerate(self.steps[: self.first]):
            places[step.position] = k
        self.owner = {
            k: places.get(self.steps[k].position, -1) if self.steps[k].position is not None else -1
            for k in range(self.first, len(self.steps))
        }
        self.targets: dict[int, list[str]] = {}
        self.gradients: dict[str, Var | Const] = dict(zip(names, backward.gradients, strict=True))
        for name, g in self.gradients.items():
            if isinstance(g, Var):
                self.targets.setdefault(g.number, []).append(name)
        self.variables = backward.program.by_number()
        self.reaches = self._reaches()
        self.flow = self._flow()
        self._followers: dict[int, tuple[int, ...]] = {}
        self.whose: dict[int, int] = {}
        for v, g in sorted(backward.links.items(), key=lambda pair: self.made_by.get(pair[0], -1)):
            if type(g) is int and self.made_by.get(g, -1) >= self.first:
                self.whose[g] = v  # of several values with one cotangent, the last that the forward pass makes

    def _reaches(self) -> dict[int, frozenset[str]]:
        """Per step the gradients that depend on it."""
        found: dict[int, frozenset[str]] = {}
        per_variable: dict[int, set[str]] = {n: set(names) for n, names in self.targets.items()}
        for k in range(len(self.steps) - 1, -1, -1):
            own: set[str] = set()
            for out in self.steps[k].outputs:
                own |= per_variable.get(out.number, set())
            found[k] = frozenset(own)
            for x in self.steps[k].inputs:
                if x.number >= 0:
                    per_variable.setdefault(x.number, set()).update(own)
        return found

    def _flow(self) -> frozenset[int]:
        """The variables that carry a cotangent; the others of the backward pass are local derivatives."""
        backward = self.backward
        found = {x.number for x in backward.cotangents}
        found |= {g for g in backward.links.values() if type(g) is int and self.made_by.get(g, -1) >= self.first}
        found |= {
            g
            for shares in backward.contributions.values()
            for _, g in shares
            if type(g) is int and self.made_by.get(g, -1) >= self.first
        }
        for step in self.steps[self.first :]:
            if any(x.number in found for x in step.inputs if x.number >= 0):
                found.update(out.number for out in step.outputs)
        return frozenset(found)

    def signature(self, k: int) -> Any:
        """What a step is, so that the same step of other turns of a loop has the same."""
        step = self.steps[k]
        return step.position, step.operation.name, tuple(self._origin(x) for x in step.inputs)

    def _origin(self, x: Var | Const) -> Any:
        if isinstance(x, Const) and x.number < 0:
            return "number"
        maker = self.made_by.get(x.number)
        if maker is None or maker < self.first:
            # What one turn of a loop was given is what another one made.
            return "forward", len(shape_of(x))
        step = self.steps[maker]
        return step.operation.name, step.position

    def followers(self, k: int) -> tuple[int, ...]:
        """The steps that depend on a step, in order."""
        found = self._followers.get(k)
        if found is None:
            later: set[int] = set()
            for out in self.steps[k].outputs:
                for j in self.used_by.get(out.number, ()):
                    if j not in later:
                        later.add(j)
                        later.update(self.followers(j))
            found = self._followers[k] = tuple(sorted(later))
        return found

    def after(self, k: int) -> frozenset[int]:
        """The variables that depend on a step."""
        steps = (k, *self.followers(k))
        return frozenset(out.number for j in steps for out in self.steps[j].outputs)

    def groups(self) -> list[list[int]]:
        """Backward steps that are the same step in several turns of a loop."""
        found: dict[Any, list[int]] = {}
        for k in range(self.first, len(self.steps)):
            if self.steps[k].position is not None:
                found.setdefault(self.signature(k), []).append(k)
        return [g for g in found.values() if len(g) > 1]


def same_steps(a: Backward, b: Backward) -> bool:
    """Whether two records take the same steps, so that an edit of one is an edit of the other."""
    if len(a.program.steps) != len(b.program.steps) or a.forward_steps != b.forward_steps:
        return False
    return all(
        s.operation is t.operation
        and [x.number for x in s.inputs] == [x.number for x in t.inputs]
        and [x.number for x in s.outputs] == [x.number for x in t.outputs]
        for s, t in zip(a.program.steps, b.program.steps, strict=True)
    )


@dataclass(slots=True, eq=False)
class Base:
    """The steps of a backward pass with their values on one draw.

    Attributes:
        wiring: how the steps hang together.
        exact: the draw, and the exact gradients on it.
        values: of all variables.
        shapes: of the arrays that are differentiated.
        fixed: edits that hold in every run.
    """

    wiring: Wiring
    exact: Exact
    values: dict[int, Any]
    shapes: dict[str, tuple[int, ...]]
    fixed: dict[int, Change] = field(default_factory=dict)
    _compiled: list[Any] = field(default_factory=list)

    @classmethod
    def on(cls, wiring: Wiring, forward: Forward, exact: Exact) -> Base:
        """The steps with their values on a draw."""
        if exact.backward is wiring.backward:
            values = exact.values
        else:
            values = values_of(wiring.backward.program, inputs_of(forward, wiring.backward, exact.draw))
        shapes = {n: np.shape(g) for n, g in exact.gradients.items()}
        base = cls(wiring, exact, values, shapes)
        for step in wiring.steps:
            base._compiled.append(base._compile(step))
        return base

    def _compile(self, step: Step) -> Any:
        operands = [
            (x.number, None)
            if isinstance(x, Var) or x.number >= 0
            else (-1, resolved(x.value, self.values) if is_size(x.value) else plain_number(x.value))
            for x in step.inputs
        ]
        params = {k: resolved(v, self.values) for k, v in step.params.items()}
        function = evaluator(step.operation)
        return function, operands, params, tuple(out.number for out in step.outputs)

    def edited(self, changes: Mapping[int, Change]) -> Base:
        """The same with an edit that holds in every run.

        Raises:
            Exception: whatever the edited steps raise.
        """
        over: dict[int, Any] = {}
        fixed = {**self.fixed, **changes}
        self._run(changes, over, None)
        return Base(self.wiring, self.exact, {**self.values, **over}, self.shapes, fixed, self._compiled)

    def function(self, k: int) -> Any:
        """What evaluates a step."""
        return self._compiled[k][0]

    def params(self, k: int) -> dict[str, Any]:
        """The static arguments of a step on this draw."""
        found: dict[str, Any] = self._compiled[k][2]
        return found

    def operands(self, k: int, overlay: Values | None = None) -> list[Any]:
        """The operands of a step."""
        values, over = self.values, overlay or {}
        return [
            constant if number < 0 else over[number] if number in over else values[number]
            for number, constant in self._compiled[k][1]
        ]

    def run(self, changes: Mapping[int, Change], wanted: Callable[[str, Any], bool] | None = None) -> dict[str, Any]:
        """The gradients that an edit changes.

        Args:
            changes: per step what it gives instead.
            wanted: is told of each gradient as soon as it is known; to go on, it returns ``True``.

        Raises:
            Exception: whatever the edited steps raise where shapes do not fit.
        """
        return self._run(changes, {}, wanted)

    def _run(
        self, changes: Mapping[int, Change], over: dict[int, Any], wanted: Callable[[str, Any], bool] | None
    ) -> dict[str, Any]:
        values, compiled, fixed = self.values, self._compiled, self.fixed
        found: dict[str, Any] = {}
        targets = self.wiring.targets
        looking = _Looking(values, over)
        wiring = self.wiring
        if len(changes) == 1:
            (first,) = changes
            order: Sequence[int] = (first, *wiring.followers(first))
        else:
            order = sorted({j for k in changes for j in (k, *wiring.followers(k))})
        for k in order:
            function, operands, params, outputs = compiled[k]
            change = changes.get(k)
            if change is None:
                for number, _ in operands:
                    if number in over:
                        break
                else:
                    continue
                change = fixed.get(k)
            given = [
                constant if number < 0 else over[number] if number in over else values[number]
                for number, constant in operands
            ]
            result = function(*given, **params) if change is None else change(given, looking)
            for number, part in zip(outputs, result if len(outputs) > 1 else (result,), strict=True):
                over[number] = part
                for name in targets.get(number, ()):
                    found[name] = part
                    if wanted is not None and not wanted(name, part):
                        return found
        return found


class _Looking(dict[int, Any]):
    """Values with changes laid over them, looked up one by one."""

    def __init__(self, values: Values, over: Values) -> None:
        super().__init__()
        self.values_below = values
        self.over = over

    def __getitem__(self, number: int) -> Any:
        return self.over[number] if number in self.over else self.values_below[number]


def axes_of(params: Mapping[str, Any], rank: int) -> tuple[int, ...]:
    """The axes along which a reduction runs: all where it names none."""
    axis = params.get("axis", params.get("argument 1"))
    if axis is None:
        return tuple(range(rank))
    return tuple(int(a) % rank for a in (axis if isinstance(axis, tuple | list) else (axis,)))


# ---- changes of one operand
def with_number(base: Base, k: int, n: int, value: Any) -> Change:
    """A step with a number in the place of an operand."""
    function, params = base.function(k), base.params(k)
    return lambda x, v: function(*x[:n], value, *x[n + 1 :], **params)


def with_variable(base: Base, k: int, n: int, other: int) -> Change:
    """A step with another variable in the place of an operand."""
    function, params = base.function(k), base.params(k)
    return lambda x, v: function(*x[:n], v[other], *x[n + 1 :], **params)


def with_index(function: Any, index: Index) -> Change:
    """A step that reads or writes at another index."""
    return lambda x, v: function(*x, index=index)
