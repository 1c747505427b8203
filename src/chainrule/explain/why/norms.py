"""The gradient of each statement, from the result back: where it vanishes or explodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.explain.why.record import Norm
from chainrule.explain.why.scene import Scene
from chainrule.explain.why.stages import Stage

__all__ = ["norm_of", "norms_between"]


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
    behind = {start}
    for stage in stages:
        if not stage.constant and any(v in behind for v in stage.inputs):
            behind.update(o for o in stage.outputs if o in scene.cotangents)
    last = {number: k for k, stage in enumerate(stages) for number in stage.outputs}
    chosen = [v for v in behind if v in scene.named and v in scene.cotangents and v != start]
    rows: list[Norm] = []
    before: float | None = None
    for v in [*sorted(chosen, key=lambda v: last.get(v, -1), reverse=True), start]:
        gradient = scene.gradient(v)
        norm = norm_of(gradient)
        ratio = norm / before if before else None
        zeros = float(np.mean(gradient == 0)) if gradient.size else 0.0
        rows.append(Norm(scene.labels[v], scene.line(v), scene.shape(v), norm, ratio, zeros))
        before = norm
    return tuple(rows)
