"""How a candidate behaves beyond its numbers: what it writes into, what it keeps, what it does not look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.check.candidate import Answer
from chainrule.check.dialects import DIALECTS
from chainrule.check.draws import Draw, cotangent_for
from chainrule.check.findings import Finding
from chainrule.check.judging import Trial, gradients_in
from chainrule.check.seeding import seeded
from chainrule.check.trials import Trials
from chainrule.language import listed, message

__all__ = ["behaviour", "ignores_cotangent", "is_not_linear", "is_random", "is_unstable", "not_scaled"]


def behaviour(trials: Trials) -> list[Finding]:
    """What is wrong besides the numbers."""
    found: list[Finding] = []
    everything = tuple(leaf.name for leaf in trials.done[0].exact.leaves)
    changed = {name: t for t in trials.done for name in t.answer.changed}
    upstream = [n for n in changed if n.startswith("grad_output")]
    if upstream:
        found.append(
            Finding(
                "mutates_upstream", everything, relation=message("{name} differs after the call", name="grad_output")
            )
        )
    written = listed(name for name in changed if name not in upstream)
    if written:
        relation = message("{name} differs after the call", name=written)
        found.append(Finding("mutates_input", (), details={"operand": written}, relation=relation))
    leak = _leaks(trials)
    if leak is not None:
        found.append(leak)
    return found


def _leaks(trials: Trials) -> Finding | None:
    """Whether a second call on the same state gives something else."""
    trial = next((t for t in trials.done if t.answer.error is None), None)
    again = getattr(trials.candidate, "again", None)
    if trial is None or again is None:
        return None
    draw = trial.exact.draw
    with seeded(draw.seed):
        first, second = again(draw.arguments, draw.cotangent)
    if first.error is not None or second.error is not None:
        return None
    one, two = (gradients_in(a, trial.exact.leaves) for a in (first, second))
    return _difference(one, two)


def _difference(one: Mapping[str, Any], two: Mapping[str, Any]) -> Finding | None:
    names = []
    doubled = True
    for name, a in one.items():
        b = two.get(name)
        if b is None or np.shape(a) != np.shape(b) or a.dtype.kind not in "fc":
            continue
        size = float(np.max(np.abs(a), initial=0.0))
        if not np.allclose(a, b, rtol=0, atol=1e-9 * size, equal_nan=True):
            names.append(name)
            doubled = doubled and np.allclose(2 * a, b, rtol=1e-9, atol=0)
    if not names:
        return None
    details = {"factor": "2"} if doubled else {}
    relation = message("second call == 2 * first call") if doubled else message("second call != first call")
    return Finding("state_leak", tuple(names), details=details, relation=relation, draws=1)


def ignores_cotangent(trials: Trials, trial: Trial) -> list[str]:
    """The gradients that do not depend on the cotangent, though the exact ones do."""
    draw = trial.exact.draw
    if not trial.exact.backward.cotangents or not getattr(trials.candidate, "takes_cotangent", True):
        return []
    # A cotangent has the shape of the result.
    other = Draw(draw.arguments, cotangent_for(draw.cotangent, np.random.default_rng(91)), draw.label, draw.seed)
    answer = _answer(trials, other)
    if answer.error is not None:
        return []
    given = gradients_in(answer, trial.exact.leaves)
    return [
        n
        for n in trial.wrong
        if n in given and n in trial.gradients and np.any(given[n]) and np.array_equal(given[n], trial.gradients[n])
    ]


def is_not_linear(trials: Trials, trial: Trial) -> list[str]:
    """The gradients that are not in proportion to the cotangent, as a formula for a sum of 1 is not."""
    draw = trial.exact.draw
    if not trial.exact.backward.cotangents or not getattr(trials.candidate, "takes_cotangent", True):
        return []
    g = draw.cotangent
    doubled = tuple(2.0 * x for x in g) if isinstance(g, tuple) else 2.0 * g
    answer = _answer(trials, Draw(draw.arguments, doubled, draw.label, draw.seed))
    if answer.error is not None:
        return []
    given = gradients_in(answer, trial.exact.leaves)
    found = []
    for n in trial.wrong:
        a, b = trial.gradients.get(n), given.get(n)
        if a is not None and b is not None and a.shape == b.shape and a.dtype.kind == "f":
            size = float(np.max(np.abs(b), initial=0.0))
            if np.isfinite(size) and size and float(np.max(np.abs(b - 2.0 * a))) > 1e-7 * size:
                found.append(n)
    return found


def not_scaled(trials: Trials) -> tuple[list[str], list[str]]:
    """The gradients that stay the same, or change otherwise, where that of a loss that comes in is doubled.

    A function of PyTorch or JAX is one step of many: a loss may be multiplied or added up further on.
    """
    trial = next((t for t in trials.done if t.answer.error is None), None)
    if trial is None or trial.exact.backward.cotangents or trials.candidate.style not in DIALECTS:
        return [], []
    draw = trial.exact.draw
    answer = _answer(trials, Draw(draw.arguments, 2.0 * draw.cotangent, draw.label, draw.seed))
    given = {} if answer.error is not None else gradients_in(answer, trial.exact.leaves)
    one = {n: np.asarray(g) for n, g in trial.gradients.items() if n in given and np.any(g)}
    same = [n for n, g in one.items() if np.array_equal(given[n], g)]
    other = [n for n, g in one.items() if n not in same and not np.allclose(given[n], 2.0 * g, rtol=1e-7)]
    return same, other


def is_random(trials: Trials, draw: Draw) -> tuple[bool, bool]:
    """Whether the forward function draws random numbers, and whether the candidate does."""
    results, answers = [], []
    for seed in (draw.seed, draw.seed + 1):
        with seeded(seed):
            results.append(trials.forward(draw.arguments))
        answers.append(_answer(trials, Draw(draw.arguments, draw.cotangent, draw.label, seed)))
    leaves = trials.done[0].exact.leaves
    one, two = (gradients_in(a, leaves) for a in answers)
    differ = any(n in two and not np.array_equal(one[n], two[n], equal_nan=one[n].dtype.kind in "fc") for n in one)
    return not _same(*results), differ


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple | list):
        return all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return all(_same(a[k], b[k]) for k in a)
    try:
        return bool(np.array_equal(a, b, equal_nan=True))
    except TypeError:
        return True


def is_unstable(trials: Trials) -> Trial | None:
    """A trial on large numbers in which the result and the exact gradients are finite, and the candidate's are not."""
    return _unstable(trials, "high") or _unstable(trials, "low")


def _unstable(trials: Trials, how: str) -> Trial | None:
    with np.errstate(all="ignore"):
        trial = trials.large(how)
    if trial is None or trial.answer.error is not None:
        return None
    steps = trial.exact.backward.program.steps[: trial.exact.backward.forward_steps]
    values = [np.asarray(trial.exact.values[out.number]) for step in steps for out in step.outputs]
    if not all(np.all(np.isfinite(x)) for x in values if x.dtype.kind == "f"):
        return None  # the forward pass is not careful either
    bad = [n for n, g in trial.gradients.items() if not np.all(np.isfinite(np.asarray(g, dtype=complex)))]
    return trial if bad else None


def _answer(trials: Trials, draw: Draw) -> Answer:
    with seeded(draw.seed):
        return trials.candidate.answer(draw.arguments, draw.cotangent)
