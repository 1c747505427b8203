"""Whether a gradient at a kink or a tie is one of those that are as good as the exact one."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.check.exact import Exact, evaluate, inputs_of, value_in
from chainrule.check.findings import Place, place_of
from chainrule.check.forward import Forward

__all__ = ["Kink", "kink_place", "subgradient"]

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


def subgradient(forward: Forward, exact: Exact, name: str, given: Any) -> Kink:
    """Compare a gradient with those at points around the draw.

    At a kink the exact gradient jumps, and a value between those on both sides is as good as any.  Along a direction in
    which nothing jumps all choices have the same slope: a maximum that hands its gradient to two equals has twice that.
    """
    own = exact.gradients[name]
    given = np.asarray(given)
    if given.shape != own.shape or not np.all(np.isfinite(given)):
        return Kink(False, 0, False)
    random = np.random.default_rng(11)
    base = inputs_of(forward, exact.backward, exact.draw)
    place = next(k for k, leaf in enumerate(exact.leaves) if leaf.name == name)
    cotangents = {x.number for x in exact.backward.cotangents}
    near: list[np.ndarray[Any, Any]] = []
    for _ in range(_DIRECTIONS):
        moves = []
        for x, var in zip(base, exact.backward.program.inputs, strict=True):
            moving = np.asarray(x).dtype.kind == "f" and var.number not in cotangents
            moves.append(random.standard_normal(np.shape(x)) if moving else None)
        for sign in (1, -1):
            moved = [x if m is None else x + sign * _STEP * m for x, m in zip(base, moves, strict=True)]
            values = evaluate(exact.backward.program, moved)
            g = value_in(exact.backward.gradients[place], values)
            near.append(np.broadcast_to(np.asarray(g), own.shape))
    if not all(np.all(np.isfinite(g)) for g in near):
        return Kink(False, 0, False)
    scale = max(float(np.max(np.abs(g), initial=0.0)) for g in [own, *near])
    slack = 3e-5 * scale + 1e-12
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


def kink_place(exact: Exact, ties: bool = False) -> tuple[str, Place]:
    """The last step of the forward pass that has a kink or a tie, and its place."""
    names = _TIED if ties else _KINKED
    steps = exact.backward.program.steps[: exact.backward.forward_steps]
    for number in range(len(steps) - 1, -1, -1):
        if steps[number].operation.name in names:
            return steps[number].operation.name, place_of(exact.backward.program, exact.backward.forward_steps, number)
    return "", Place()
