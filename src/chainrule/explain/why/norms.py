"""The gradient of each statement, from the result back: where it vanishes or explodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.explain.why.labels import number_text
from chainrule.explain.why.record import Norm
from chainrule.explain.why.scene import Scene
from chainrule.explain.why.stages import Stage
from chainrule.language import Message, message

__all__ = ["cancelled_at", "norm_of", "norms_between"]

_NOTHING = 1e-10  # of the largest gradient: rounding


def norm_of(x: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> float:
    """The Euclidean norm, of numbers of any size."""
    a = np.abs(np.asarray(x)).astype(float).ravel()
    if not a.size:
        return 0.0
    largest = float(a.max())
    if not np.isfinite(largest) or largest == 0:
        return largest
    return float(largest * np.sqrt(np.sum((a / largest) ** 2)))


def norms_between(scene: Scene, stages: Sequence[Stage], start: int) -> tuple[Norm, ...]:
    """A row for each named value from the result back to a variable, and for that."""
    rows: list[Norm] = []
    before: float | None = None
    for v in _between(scene, stages, start):
        gradient = scene.gradient(v)
        norm = norm_of(gradient)
        ratio = norm / before if before else None
        zeros = float(np.mean(gradient == 0)) if gradient.size else 0.0
        rows.append(Norm(scene.labels[v], scene.line(v), scene.shape(v), norm, ratio, zeros))
        before = norm
    return tuple(rows)


def _between(scene: Scene, stages: Sequence[Stage], start: int) -> list[int]:
    """The named values from the result back to a variable, and that."""
    behind = {start}
    for stage in stages:
        if not stage.constant and any(v in behind for v in stage.inputs):
            behind.update(o for o in stage.outputs if o in scene.cotangents)
    last = {number: k for k, stage in enumerate(stages) for number in stage.outputs}
    chosen = [v for v in behind if v in scene.named and v in scene.cotangents and v != start]
    return [*sorted(chosen, key=lambda v: last.get(v, -1), reverse=True), start]


def cancelled_at(scene: Scene, stages: Sequence[Stage], start: int) -> Message | None:
    """The statement that is given a gradient and hands on none; nothing where there is no such one."""
    values = _between(scene, stages, start)
    sizes = [norm_of(scene.gradient(v)) for v in values]
    given = [k for k, size in enumerate(sizes) if size > _NOTHING * max(sizes)]
    if not np.all(np.isfinite(sizes)) or not given or given[-1] + 1 >= len(values):
        return None
    later, earlier = values[given[-1]], values[given[-1] + 1]
    line, gradient = scene.line(later), scene.gradient(later)
    if line is None:
        return None
    gaps = {"line": line, "later": scene.labels[later], "earlier": scene.labels[earlier]}
    alike = [k for k, n in enumerate(gradient.shape) if n > 1 and _is_even(gradient, k)]
    if gradient.size > 1 and len(alike) == sum(n > 1 for n in gradient.shape):
        return message(
            "They cancel on line {line}: all elements of the gradient of {later} are {value}, and of that nothing is "
            "handed on to {earlier}.",
            value=number_text(gradient.ravel()[0]),
            **gaps,
        )
    if len(alike) == 1:
        return message(
            "They cancel on line {line}: the gradient of {later} is the same all along axis {axis}, and of that "
            "nothing is handed on to {earlier}.",
            axis=alike[0],
            **gaps,
        )
    return message(
        "They cancel on line {line}: {later} has a gradient, of the norm {norm}, and hands none on to {earlier}.",
        norm=number_text(sizes[given[-1]]),
        **gaps,
    )


def _is_even(x: np.ndarray[tuple[int, ...], np.dtype[np.generic]], axis: int) -> bool:
    spread = np.abs(np.asarray(x) - np.take(x, [0], axis))
    return bool(np.all(spread <= _NOTHING * norm_of(x)))
