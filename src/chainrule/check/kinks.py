"""Whether a gradient at a kink or a tie is one of those that are as good as the exact one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.check.exact import Exact, inputs_of
from chainrule.check.findings import Place, place_of
from chainrule.check.forward import Forward
from chainrule.ir import Step
from chainrule.ops import OPERATIONS
from chainrule.run import value_in, values_of

__all__ = ["Kink", "Neighbourhood", "kink_place", "whole_at_ties"]

_STEP = 1e-6
_DIRECTIONS = 14
_KINKED = frozenset(
    "max min amax amin maximum minimum fmax fmin absolute abs fabs clip where sort partition median ptp sign heaviside "
    "nanmax nanmin quantile percentile piecewise select".split()
)
_TIED = frozenset("max min amax amin maximum minimum fmax fmin sort median nanmax nanmin".split())


class Kink:
    """How a gradient stands to those in the neighbourhood.

    Attributes:
        valid: whether it is a convex combination of the gradients nearby, as far as directions can tell.
        count: the number of elements in which it differs from the exact one, which all lie on a kink.
        local: whether it differs only in elements whose gradient jumps here.
    """

    def __init__(self, valid: bool, count: int, local: bool) -> None:
        self.valid = valid
        self.count = count
        self.local = local


class Neighbourhood:
    """The gradients at points around a draw.

    Attributes:
        exact: the gradients on the draw.
        jumps: whether a gradient jumps here.
    """

    def __init__(self, forward: Forward, exact: Exact) -> None:
        self.forward = forward
        self.exact = exact
        self._random = np.random.default_rng(11)
        self._near: dict[str, list[np.ndarray[Any, Any]]] = {n: [] for n in exact.gradients}
        self._look(1)
        self.jumps = any(
            not np.all(np.isfinite(g)) or float(np.max(np.abs(g - exact.gradients[n]), initial=0.0)) > self._slack(n)
            for n, near in self._near.items()
            for g in near
        )

    def _slack(self, name: str) -> float:
        sizes = [float(np.max(np.abs(g), initial=0.0)) for g in (self.exact.gradients[name], *self._near[name])]
        return 3e-5 * max(sizes) + 1e-12

    def _look(self, times: int) -> None:
        exact = self.exact
        program = exact.backward.program
        base = inputs_of(self.forward, exact.backward, exact.draw)
        cotangents = {x.number for x in exact.backward.cotangents}
        for _ in range(times):
            moves = [
                self._random.standard_normal(np.shape(x))
                if np.asarray(x).dtype.kind == "f" and var.number not in cotangents
                else None
                for x, var in zip(base, program.inputs, strict=True)
            ]
            for sign in (1, -1):
                moved = [x if m is None else x + sign * _STEP * m for x, m in zip(base, moves, strict=True)]
                values = values_of(program, moved)
                for leaf, g in zip(exact.leaves, exact.backward.gradients, strict=True):
                    own = exact.gradients[leaf.name]
                    self._near[leaf.name].append(np.broadcast_to(np.asarray(value_in(g, values)), own.shape))

    def judged(self, name: str, given: Any) -> Kink:
        """Compare a gradient with those at the points around.

        At a kink the exact gradient jumps, and a value between those on both sides is as good as any.  Along a
        direction in which nothing jumps all choices have the same slope: a maximum that hands its gradient to two
        equals has twice that.
        """
        own = self.exact.gradients[name]
        given = np.asarray(given)
        if not self.jumps or given.shape != own.shape or not np.all(np.isfinite(given)):
            return Kink(False, 0, False)
        if len(self._near[name]) < _DIRECTIONS:
            self._look(_DIRECTIONS)
        near = self._near[name]
        if not all(np.all(np.isfinite(g)) for g in near):
            return Kink(False, 0, False)
        slack = self._slack(name)
        stack = np.stack([*near, own])
        low, high = stack.min(axis=0) - slack, stack.max(axis=0) + slack
        differing = np.abs(given - own) > slack
        width = high - low
        local = not np.any(differing & ~(width > 4 * slack))
        # Where many kinks meet in one element, a few draws do not reach the ends.
        valid = local and bool(np.all((given >= low - width) & (given <= high + width)))
        sums = [float(np.sum(g)) for g in [*near, own]]
        room = slack * own.size
        if valid and max(sums) - min(sums) <= room:
            # Along the direction of all ones there is no kink, so every choice must have the same slope there.
            valid = min(sums) - room <= float(np.sum(given)) <= max(sums) + room
        return Kink(valid, int(np.sum(differing)), local)


def whole_at_ties(forward: Forward, exact: Exact) -> dict[str, Any]:
    """The gradients if every one of several equal maxima received the whole gradient; none where nothing is shared."""
    program, split = exact.backward.program, exact.backward.forward_steps
    found = {out.number for s in program.steps[split:] if s.operation.name == "equal" for out in s.outputs}
    shares = [s for s in program.steps[split:] if s.operation.name == "sum" and s.inputs[0].number in found]
    if not shares:
        return {}
    # How many are equal is counted by a sum; that there is one is said by their maximum.
    steps = tuple(_any_instead(s) if s in shares else s for s in program.steps)
    values = values_of(replace(program, steps=steps), inputs_of(forward, exact.backward, exact.draw))
    gradients = zip(exact.leaves, exact.backward.gradients, strict=True)
    return {leaf.name: np.broadcast_to(value_in(g, values), exact.gradients[leaf.name].shape) for leaf, g in gradients}


def _any_instead(step: Step) -> Step:
    params = {k: v for k, v in step.params.items() if k in ("axis", "keepdims")}
    return replace(step, operation=OPERATIONS[np.max], params=params)


def kink_place(exact: Exact, ties: bool = False) -> tuple[str, Place]:
    """The last step of the forward pass that has a kink or a tie, and its place."""
    names = _TIED if ties else _KINKED
    steps = exact.backward.program.steps[: exact.backward.forward_steps]
    for number in range(len(steps) - 1, -1, -1):
        if steps[number].operation.name in names:
            return steps[number].operation.name, place_of(exact.backward.program, exact.backward.forward_steps, number)
    return "", Place()
