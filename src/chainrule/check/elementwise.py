"""Gradients that go wrong element by element: where the formula for one step is wrong, whatever it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.check.draws import Draw
from chainrule.check.edits.base import Base, Wiring
from chainrule.check.edits.segments import Segment, segments_of
from chainrule.check.findings import Finding, place_of
from chainrule.check.judging import Trial, gradients_in
from chainrule.check.seeding import seeded
from chainrule.check.trials import Trials
from chainrule.language import message

__all__ = ["elementwise_findings"]


def elementwise_findings(trials: Trials, usable: Sequence[Trial], wrong: Sequence[str]) -> list[Finding]:
    """For gradients that no edit explains: whether they are wrong in the formula of one elementwise stretch.

    Each element of such a gradient depends on one element of the argument alone, as it does in the exact gradient.
    """
    trial = usable[0]
    wiring = Wiring(trial.exact.backward, [leaf.name for leaf in trial.exact.leaves])
    segments = segments_of(Base.on(wiring, trials.forward, trial.exact))
    found: list[Finding] = []
    for name in wrong:
        segment = _segment_of(trial, segments, name)
        if segment is None or name not in trial.gradients:
            continue
        given, exact = np.asarray(trial.gradients[name]), trial.exact.gradients[name]
        if given.shape != exact.shape or not given.size or not _is_local(trials, trial, name):
            continue
        place = place_of(wiring.backward.program, wiring.first, segment.owner)
        x = np.asarray(trial.exact.values[segment.start], float)
        side = _side(x, np.abs(given - exact) > 1e-7 * (np.max(np.abs(exact)) or 1.0))
        relation = message("each element of the gradient depends on that element of the argument alone")
        details: dict[str, Any] = {} if side is None else {"condition": side}
        kind = "wrong_local_derivative" if side is None else "missing_branch"
        found.append(Finding(kind, (name,), place, details, relation, draws=1, cost=1.0))
    return found


def _segment_of(trial: Trial, segments: Sequence[Segment], name: str) -> Segment | None:
    """The shortest elementwise stretch that bends and that begins with an argument."""
    exact = trial.exact
    place = next(k for k, leaf in enumerate(exact.leaves) if leaf.name == name)
    number = exact.backward.wrt[place].number
    own = [s for s in segments if s.start == number and s.elementwise]
    bending = [s for s in own if s.is_activation] or own
    return min(bending, key=lambda s: len(s.forward)) if bending else None


def _is_local(trials: Trials, trial: Trial, name: str) -> bool:
    """Whether elements of the gradient stay as they are when others of the argument are moved."""
    draw = trial.exact.draw
    values = trials.forward.leaves_of(draw.arguments)
    place = next(k for k, leaf in enumerate(trials.forward.leaves) if leaf.name == name)
    x = np.array(values[place])
    if x.size < 2:
        return False
    moved = np.zeros(x.shape, bool)
    moved.flat[: x.size // 2] = True
    values[place] = np.where(moved, x * 1.1 + 0.01, x)
    other = Draw(trials.forward.with_leaves(values), draw.cotangent, draw.label, draw.seed)
    with seeded(draw.seed):
        answer = trials.candidate.answer(other.arguments, other.cotangent)
    given = gradients_in(answer, trial.exact.leaves).get(name)
    own = np.asarray(trial.gradients[name])
    if answer.error is not None or given is None or given.shape != own.shape:
        return False
    size = float(np.max(np.abs(own))) or 1.0
    return bool(np.max(np.abs(given - own)[~moved], initial=0.0) <= 1e-9 * size)


def _side(x: np.ndarray[Any, Any], differs: np.ndarray[Any, Any]) -> Any:
    """The condition, if the gradient is wrong exactly on one side of some value."""
    if np.all(differs) or not np.any(differs):
        return None
    low, high = x[differs], x[~differs]
    if low.min() > high.max():
        return message("{name} above about {value}", name="x", value=f"{(low.min() + high.max()) / 2:.2g}")
    if low.max() < high.min():
        return message("{name} below about {value}", name="x", value=f"{(low.max() + high.min()) / 2:.2g}")
    return None
