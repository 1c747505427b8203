"""A path as a reader follows it: from name to name, each local derivative with what it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.explain.why.labels import element_text, number_text, place_of
from chainrule.explain.why.reasons import SATURATING, factor_elements, is_relu, operands_beside
from chainrule.explain.why.record import Hop, Trail
from chainrule.explain.why.scene import Scene
from chainrule.explain.why.trails import Index, Leg, Route
from chainrule.language import Message, message

_FLAT = 0.01

__all__ = ["factor_reason", "trail_of"]


def trail_of(scene: Scene, route: Route) -> Trail:
    """The record of a path."""
    seed = scene.gradient(scene.result)[route.index]
    hops: list[Hop] = []
    pending: list[Leg] = []
    for k, leg in enumerate(route.legs):
        pending.append(leg)
        following = route.legs[k + 1] if k + 1 < len(route.legs) else None
        inner = following is not None and leg.end not in scene.named
        if inner and following is not None and (_plain(leg) or _plain(following)) and not _both_matter(pending):
            continue
        hops.append(_hop(scene, pending))
        pending = []
    end = element_text(scene.labels[route.head], route.index)
    return Trail(tuple(hops), route.product(seed), (end, _at(scene, route.head, route.index)), seed)


def _plain(leg: Leg) -> bool:
    return bool(leg.factor == 1)


def _both_matter(pending: list[Leg]) -> bool:
    """Whether a derivative that is not 1 is held back already, and would be joined with another."""
    return sum(not _plain(p) for p in pending) > 1


def _at(scene: Scene, number: int, index: Index) -> Any:
    return np.asarray(scene.values[number])[index]


def _hop(scene: Scene, legs: list[Leg]) -> Hop:
    first, last = legs[0], legs[-1]
    telling = next((leg for leg in legs if not _plain(leg)), last)
    factor: Any = 1.0
    with np.errstate(all="ignore"):
        for leg in legs:
            factor = factor * leg.factor if factor != 0 else factor
    if len(legs) == 1:
        factor = first.factor
    return Hop(
        element_text(scene.labels[first.start], first.start_index),
        _at(scene, first.start, first.start_index),
        factor,
        element_text(scene.labels[last.end], last.end_index),
        scene.source(telling.end) or scene.source(last.end),
        scene.line(telling.end) or scene.line(last.end),
        factor_reason(scene, telling, telling is first),
        _saturated(telling),
    )


def _saturated(leg: Leg) -> bool:
    """Whether a curve is flat where an element lies on it."""
    curved = any(s.operation.name in SATURATING for s in leg.stage.steps)
    return bool(leg.stage.pointwise and curved and abs(leg.factor) < _FLAT)


def factor_reason(scene: Scene, leg: Leg, shown: bool = False) -> Message | None:
    """What a local derivative is; nothing where that needs no words.

    With ``shown`` the element and its value stand beside it already.
    """
    stage, step = leg.stage, leg.stage.last
    value = number_text(_at(scene, leg.start, leg.start_index))
    element = element_text(scene.labels[leg.start], leg.start_index)
    slope = message("the slope of {source} at {element} = {value}", source=_source(leg), element=element, value=value)
    if shown:
        slope = message("the slope of {source}", source=_source(leg))
    if stage.family == "bilinear":
        return _factors(scene, leg)
    if len(stage.steps) > 1:
        return None if leg.factor == 1 else slope
    name = step.operation.name
    if is_relu(scene, step):
        return message("the ReLU is off") if leg.factor == 0 else message("the ReLU is on")
    if name in ("mean", "nanmean", "average"):
        count = max(1, np.size(scene.values[leg.start]) // max(1, np.size(scene.values[leg.end])))
        return message("a mean of {count}", count=count)
    if name in SATURATING:
        end = number_text(_at(scene, leg.end, leg.end_index))
        if shown:
            return message("the slope of {source}, which is {end} there", source=_source(leg), end=end)
        return slope
    if name == "multiply":
        others = [x for x in step.inputs if x.number != leg.start]
        if others and others[0].number < 0:
            return None  # a number of the source, which stands there already
        if others:
            return message("{factor}", factor=_broadcast_element(scene, others[0].number, leg.end_index))
    if leg.factor in (1, -1) or stage.family == "linear":
        return None
    if stage.family == "selecting":
        return message("the share of {element} in {source}", element=element, source=_source(leg))
    return slope


def _source(leg: Leg) -> str:
    place = place_of(leg.stage.last)
    text = "" if place is None or place.end_line != place.line else place.segment.strip()
    return text if 0 < len(text) <= 48 else leg.stage.last.operation.spelling


def _broadcast_element(scene: Scene, number: int, index: Index) -> str:
    """The element of an operand that was broadcast to the result."""
    shape = scene.shape(number)
    own = index[len(index) - len(shape) :] if shape else ()
    at = tuple(0 if n == 1 else k for n, k in zip(shape, own, strict=True))
    return element_text(scene.labels[number], at)


def _factors(scene: Scene, leg: Leg) -> Message | None:
    stage, v = leg.stage, leg.start
    asked = np.zeros(scene.shape(v), bool)
    asked[leg.start_index] = True
    reached = np.zeros(scene.shape(leg.end), bool)
    reached[leg.end_index] = True
    found = []
    for other in operands_beside(stage, v):
        for index in np.argwhere(factor_elements(stage, v, asked, other, reached))[:3]:
            found.append(element_text(scene.labels[other], index))
    return message("{factor}", factor=" · ".join(found)) if found else None
