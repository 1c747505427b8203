"""Differences of the forward pass, asked before a candidate is called wrong: a rule of chainrule's may be wrong too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.check.draws import floats_in
from chainrule.check.judging import Trial
from chainrule.check.seeding import seeded
from chainrule.check.trials import Trials
from chainrule.custom import has_own_derivative

__all__ = ["doubted"]

# Where along a line the slope has to lie, with the exact gradient at 0 and the candidate at 1, to speak for either.
_CLOSE = 0.02
_ASKED = 2  # trials
_STEPS = (1e-5, 1e-4)  # relative to the largest element; two digits are enough to take sides
_TELLING = ("example", "fresh", "sizes")


def doubted(trials: Trials, wrong: Sequence[str]) -> list[str]:
    """The gradients for which differences of the forward pass speak for the candidate.

    The forward function is called as it is, not as it was traced, along the direction in which the candidate and the
    exact gradient differ most.  That is the difference of the two, as both are linear in the direction.

    Args:
        trials: what the candidate gave on draws.
        wrong: the names of the gradients that differ from the exact ones.
    """
    if any(has_own_derivative(s.operation) for s in trials.done[0].exact.backward.program.steps):
        return []
    return [name for name in wrong if _speaks_for_candidate(trials, name)]


def _speaks_for_candidate(trials: Trials, name: str) -> bool:
    telling = [t for t in trials.done if t.label in _TELLING and t.answer.error is None and not t.compared[name].ok]
    # The last ones hold drawn numbers; an example may lie on a kink.
    sides = (_slope_between(trials, t, name) for t in telling[-_ASKED:])
    return bool(telling) and all(at is not None and abs(at - 1.0) <= _CLOSE for at in sides)


def _slope_between(trials: Trials, trial: Trial, name: str) -> float | None:
    """The slope by differences: 0 that of the exact gradient, 1 that of the candidate; ``None`` where it is unclear."""
    compared, exact = trial.compared[name], trial.exact
    if compared.given is None or np.shape(compared.given) != np.shape(compared.exact):
        return None
    gap = np.asarray(compared.given) - np.asarray(compared.exact)
    if gap.dtype.kind != "f" or not np.all(np.isfinite(gap)) or not np.any(gap):
        return None
    direction = gap / np.max(np.abs(gap))
    values = trials.forward.leaves_of(exact.draw.arguments)
    number = next(k for k, leaf in enumerate(trials.forward.leaves) if leaf.name == name)
    cotangents = exact.draw.cotangent if isinstance(exact.draw.cotangent, tuple) else (exact.draw.cotangent,)

    def weighted(x: Any) -> Any:
        with seeded(exact.draw.seed):
            result = trials.forward(trials.forward.with_leaves([*values[:number], x, *values[number + 1 :]]))
        return sum(np.sum(r * g) for r, g in zip(floats_in(result), cotangents, strict=True))

    x = np.asarray(values[number], dtype=float)
    scale = float(np.max(np.abs(x), initial=0.0)) or 1.0
    own, theirs = float(np.sum(compared.exact * direction)), float(np.sum(compared.given * direction))
    places = []
    for step in _STEPS:
        try:
            with np.errstate(all="ignore"):
                rise = weighted(x + step * scale * direction) - weighted(x - step * scale * direction)
        except Exception:  # user code on numbers that it may not take
            return None
        places.append((float(np.real(rise)) / (2 * step * scale) - own) / (theirs - own))
    return places[0] if abs(places[0] - places[1]) <= _CLOSE else None
