"""The paths that weigh most: from an element through the forward pass to the result, with each local derivative."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.explain.why.scene import Scene
from chainrule.explain.why.stages import Stage
from chainrule.explain.why.sweeps import Totals

__all__ = ["Leg", "Route", "best_routes", "children", "uses_of"]

_WIDTH = 12  # paths that are followed side by side
_FANOUT = 6  # continuations of one of them
_MOST_TURNS = 4_000

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leg:
    """From an element to one that is computed from it, with the local derivative."""

    stage: Stage
    start: int
    start_index: Index
    end: int
    end_index: Index
    factor: Any


@dataclass(frozen=True, slots=True)
class Route:
    """The legs of a path so far, and the product of their local derivatives that are not zero."""

    legs: tuple[Leg, ...]
    head: int
    index: Index
    size: float
    zeros: int
    weight: float

    def product(self, seed: Any) -> Any:
        """What the path adds to the gradient."""
        product = seed
        with np.errstate(all="ignore"):
            for leg in reversed(self.legs):
                product = product * leg.factor if product != 0 else product
        return product


def uses_of(stages: Sequence[Stage]) -> dict[int, list[Stage]]:
    """The stages that read each variable and hand a derivative on."""
    found: dict[int, list[Stage]] = {}
    for stage in stages:
        if not stage.constant:
            for v in stage.inputs:
                found.setdefault(v, []).append(stage)
    return found


def children(stage: Stage, v: int, index: Index) -> list[tuple[int, Index, Any]]:
    """The elements that are computed from one element, each with the local derivative; zero ones too."""
    mask = np.zeros(stage.scene.shape(v), bool)
    mask[index] = True
    found: list[tuple[int, Index, Any]] = []
    if stage.pointwise:
        partial = stage.partial(v)
        for position in np.argwhere(stage.spread(mask)):
            at = tuple(map(int, position))
            found.append((stage.output, at, partial[at]))
        return found
    tangents = stage.push(v, mask.astype(float))
    for o, tangent, reached in zip(stage.outputs, tangents, stage.reach(v, mask), strict=True):
        for position in np.argwhere(~(tangent == 0) | reached):
            at = tuple(map(int, position))
            found.append((o, at, tangent[at]))
    return found


def best_routes(
    scene: Scene, stages: Sequence[Stage], start: int, index: Index, absolute: Totals, count: Totals, most: int
) -> list[Route]:
    """The paths from an element to the result whose products are largest; those with the fewest zeros come first.

    Args:
        scene: where to look.
        stages: its stages.
        start: the variable of the element.
        index: the element.
        absolute: the sums of the sizes of all paths, which say where to look first.
        count: the numbers of paths, which say where none leads to the result.
        most: how many paths to give.
    """
    uses = uses_of(stages)
    heads = [Route((), start, index, 1.0, 0, 1.0)]
    done: list[Route] = []
    known: dict[tuple[int, int, Index], list[tuple[int, Index, Any]]] = {}

    def rank(route: Route) -> tuple[float, float]:
        return route.zeros, -route.weight

    for _ in range(_MOST_TURNS):
        if not heads:
            break
        route = min(heads, key=lambda r: r.head)
        heads.remove(route)
        if route.head == scene.result:
            done.append(route)
            continue
        following: list[tuple[float, float, int, Stage, tuple[int, Index, Any]]] = []
        for stage in uses.get(route.head, []):
            key = (id(stage), route.head, route.index)
            if key not in known:
                known[key] = children(stage, route.head, route.index)
            for child in known[key]:
                end, at, factor = child
                if end not in count.at or not count.at[end][at]:
                    continue
                ahead = float(absolute.at[end][at])
                zeros = route.zeros + (factor == 0)
                size = route.size if factor == 0 else route.size * abs(factor)
                weight = _finite(size * (ahead if ahead > 0 else 1.0))
                following.append((zeros, -weight, len(following), stage, child))
        for zeros, negative, _, stage, (end, at, factor) in heapq.nsmallest(_FANOUT, following):
            size = route.size if factor == 0 else _finite(route.size * abs(factor))
            leg = Leg(stage, route.head, route.index, end, at, factor)
            heads.append(Route((*route.legs, leg), end, at, size, int(zeros), -negative))
        heads = sorted(heads, key=rank)[:_WIDTH]
    return sorted(done, key=rank)[:most]


def _finite(x: Any) -> float:
    value = float(x)
    return value if math.isfinite(value) else 1e300
