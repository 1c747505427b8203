"""Sums over all paths at once: how many there are, how many are not cut by a zero, how large they are without signs.

Each is a backward pass in which the local derivatives are replaced: by 1, by whether they are zero, by their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from chainrule.differentiate import is_differentiable
from chainrule.explain.why.scene import Scene
from chainrule.explain.why.stages import Stage

__all__ = ["How", "Totals", "totals"]

How = Literal["count", "alive", "absolute"]
_MOST_ENTRIES = 250_000
_MOST_ROWS = 256
_MEANS = frozenset("mean average nanmean".split())


class Totals:
    """Per variable, for each of its elements, the sum over all paths from it to the result.

    Attributes:
        at: the sums, by the number of the variable.
        uncertain: stages whose elements were not told apart.
    """

    def __init__(self) -> None:
        self.at: dict[int, np.ndarray[Any, Any]] = {}
        self.uncertain: list[Stage] = []

    def of(self, scene: Scene, number: int) -> np.ndarray[Any, Any]:
        """The sums for a variable; zeros where there is no path."""
        found = self.at.get(number)
        return np.zeros(scene.shape(number)) if found is None else found


def totals(scene: Scene, stages: Sequence[Stage], how: How) -> Totals:
    """The sums over all paths, of the product of the local derivatives of each as ``how`` says."""
    found = Totals()
    seed = np.asarray(scene.gradient(scene.result))
    found.at[scene.result] = _measured(seed, how).astype(float)
    with np.errstate(all="ignore"):
        for stage in reversed(stages):
            given = [found.at.get(o) for o in stage.outputs]
            if stage.constant or all(g is None for g in given):
                continue
            for v in stage.inputs:
                share = _share(stage, v, given, how, found)
                found.at[v] = share if v not in found.at else found.at[v] + share
    return found


def _measured(x: Any, how: How) -> np.ndarray[Any, Any]:
    """A local derivative as it counts."""
    if how == "count":
        return np.ones(np.shape(x))
    x = np.asarray(x)
    return np.asarray(~(x == 0) if how == "alive" else np.abs(x))


def _times(weight: Any, g: Any) -> np.ndarray[Any, Any]:
    """A product in which nothing comes of nothing, whatever the weight is."""
    return np.where(np.asarray(g) == 0, 0.0, weight * np.asarray(g))


def _share(stage: Stage, v: int, given: Sequence[Any], how: How, found: Totals) -> np.ndarray[Any, Any]:
    family = stage.family
    scene = stage.scene
    shape = scene.shape(v)
    if family == "pointwise":
        return stage.gathered(v, _times(_measured(stage.partial(v), how), given[0]))
    if family == "bilinear":
        numbers = {x.number for s in stage.steps for x in s.inputs if x.number in scene.values}
        replaced = {
            n: _measured(scene.values[n], how).astype(np.asarray(scene.values[n]).dtype)
            for n in numbers
            if is_differentiable(scene.values[n])
        }
        # A number of the source is a factor too, and none that counts.
        literals = [abs(scene.operand(x)) for s in stage.steps for x in s.inputs if x.number < 0]
        scale = np.prod([x for x in literals if x]) if how != "absolute" and literals else 1.0
        return np.asarray(stage.pull(v, given, replaced), float) / float(scale)
    if family == "selecting" or (stage.name in _MEANS and how != "absolute"):
        lifted = lifted_to(stage, v, given[0])
        if lifted is not None:
            ones = stage.pull(v, [np.ones(scene.shape(stage.output))])
            return _times(_measured(ones, how), lifted)
    if family == "linear":
        return np.asarray(stage.pull(v, given), float)
    rows = sum(int(np.size(scene.values[o])) for o in stage.outputs)
    if rows <= _MOST_ROWS and rows * int(np.prod(shape)) <= _MOST_ENTRIES:
        return _dense(stage, v, given, how)
    found.uncertain.append(stage)
    return np.asarray(np.abs(stage.pull(v, given)))


def lifted_to(stage: Stage, v: int, g: Any) -> np.ndarray[Any, Any] | None:
    """What belongs to the result of a reduction, at the elements that were reduced."""
    shape = stage.scene.shape(v)
    axis = stage.last.params.get("axis")
    g = np.asarray(g)
    if axis is not None and not stage.last.params.get("keepdims", False):
        axes = tuple(a % len(shape) for a in (axis if isinstance(axis, tuple | list) else (axis,)))
        if g.ndim != len(shape) - len(axes):
            return None
        g = np.expand_dims(g, axes)
    try:
        return np.array(np.broadcast_to(g, shape))
    except ValueError:
        return None


def _dense(stage: Stage, v: int, given: Sequence[Any], how: How) -> np.ndarray[Any, Any]:
    """The same from every entry of the Jacobian."""
    scene = stage.scene
    whole = np.zeros(scene.shape(v))
    for k, g in enumerate(given):
        if g is None:
            continue
        for index in np.argwhere(np.asarray(g) != 0):
            seeds = [np.zeros(scene.shape(p)) for p in stage.outputs]
            seeds[k][tuple(index)] = 1
            row = stage.pull(v, seeds)
            weight = ~(row == 0) if how != "absolute" else np.abs(row)
            whole = whole + _times(weight, np.full(row.shape, g[tuple(index)]))
    return whole
