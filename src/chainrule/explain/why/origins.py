"""The first NaN or infinity: the step that made it of numbers that were finite, in the forward or the backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.differentiate import is_differentiable
from chainrule.explain.why.blocking import Mask
from chainrule.explain.why.labels import element_text, first_index, number_text, place_of
from chainrule.explain.why.reasons import statement_of, why_zero_element
from chainrule.explain.why.record import Origin
from chainrule.explain.why.rewrites import rewrite_for
from chainrule.explain.why.scene import Scene
from chainrule.explain.why.stages import Stage, is_pointwise
from chainrule.ir import Const, Step
from chainrule.language import Message, listed, message

__all__ = ["backward_origin", "forward_origin"]


def _bad(x: Any) -> Mask:
    x = np.asarray(x)
    return ~np.isfinite(x) if x.dtype.kind in "fc" else np.zeros(x.shape, bool)


def forward_origin(scene: Scene, upto: int) -> Origin | None:
    """The first step of the forward pass that made a NaN or an infinity on the way to a variable.

    An infinity that was written down, as for what is masked, is not made; a NaN that comes of it is.
    """
    needed = scene.ancestors(upto)
    first: tuple[Step, int, Mask] | None = None
    found: Origin | None = None
    for step in scene.program.steps:
        for out in step.outputs:
            if out.number not in needed:
                continue
            bad = _bad(scene.values[out.number])
            if not bad.any():
                continue
            fresh = bad & ~_spread_bad(
                step, [np.asarray(scene.operand(x)) for x in step.inputs], scene.values[out.number]
            )
            undefined = fresh & np.isnan(scene.values[out.number])
            if found is not None and undefined.any():
                later = _forward_record(scene, step, out.number, first_index(undefined))
                return replace(found, then=later.reason)
            if found is None and fresh.any():
                found = _forward_record(scene, step, out.number, first_index(fresh))
                if not np.isnan(scene.values[upto]).any() or np.isnan(found.value):
                    return found
            first = first or (step, out.number, bad)
    if found is not None:
        return found
    return None if first is None else _forward_record(scene, first[0], first[1], first_index(first[2]))


def _spread_bad(step: Step, operands: Sequence[Any], out: Any) -> Mask:
    """Where a result is not finite because an operand is not: infinite of an infinity, NaN of a NaN."""
    out = np.asarray(out)
    infinite, undefined = np.zeros(out.shape, bool), np.zeros(out.shape, bool)
    for x in operands:
        if x.dtype.kind not in "fc":
            continue
        if is_pointwise(step):
            infinite |= np.broadcast_to(_bad(x), out.shape)
            undefined |= np.broadcast_to(np.isnan(x), out.shape)
        else:
            infinite |= bool(_bad(x).any())
            undefined |= bool(np.isnan(x).any())
    return np.where(np.isnan(out), undefined, infinite)


def _own_index(shape: tuple[int, ...], index: Sequence[int]) -> tuple[int, ...] | None:
    """The element of an operand that was broadcast to the result."""
    if len(shape) > len(index):
        return None
    own = index[len(index) - len(shape) :] if shape else ()
    if any(n != 1 and k >= n for n, k in zip(shape, own, strict=True)):
        return None
    return tuple(0 if n == 1 else int(k) for n, k in zip(shape, own, strict=True))


def _operands(scene: Scene, step: Step, index: Sequence[int], pointwise: bool) -> tuple[tuple[str, Any], ...]:
    found: list[tuple[str, Any]] = []
    for x in step.inputs:
        value = np.asarray(scene.operand(x))
        if isinstance(x, Const) and x.number < 0:
            continue
        label = scene.labels.get(x.number, "")
        own = _own_index(value.shape, index) if pointwise else None
        if own is not None:
            found.append((element_text(label, own), value[own]))
        elif value.size == 1:
            found.append((label, value.reshape(())[()]))
        else:
            bad = _bad(value)
            if bad.any():
                at = first_index(bad)
                found.append((element_text(label, at), value[at]))
            elif value.dtype.kind == "f":
                found.append((f"min({label})", value.min()))
                found.append((f"max({label})", value.max()))
    return tuple(found)


def _begins_negative(step: Step, operands: Sequence[tuple[str, Any]]) -> bool:
    """Whether an element is made of a negative number of the first operand, an array."""
    if not is_pointwise(step) or step.inputs[0].number < 0:
        return False  # the numbers of other steps are not those of one element, nor those of all operands
    _, first = operands[0]
    return np.isrealobj(first) and bool(first < 0)


def _names(scene: Scene, step: Step) -> list[str]:
    """What the user calls the operands of a step; empty for one that is no name."""
    found = [scene.labels.get(x.number, "") if x.number >= 0 else "" for x in step.inputs]
    return [name if name.isidentifier() else "" for name in found]


def _forward_record(scene: Scene, step: Step, out: int, index: tuple[int, ...]) -> Origin:
    value = np.asarray(scene.values[out])[index]
    operands = _operands(scene, step, index, is_pointwise(step))
    statement = statement_of(step)
    gaps = {
        "statement": statement,
        "element": element_text(scene.labels[out], index),
        "value": number_text(value),
        "operands": listed(f"{name} = {number_text(x)}" for name, x in operands),
    }
    reason = message("{statement} makes {value} from {operands}.", **gaps)
    if np.isinf(value):
        kind = np.asarray(scene.values[out]).dtype
        largest = number_text(np.finfo(kind).max)
        name = step.operation.name
        if not any(_bad(x).any() for _, x in operands) and name not in (
            "where",
            "divide",
            "log",
            "log2",
            "log10",
            "log1p",
            "reciprocal",
            "power",
        ):
            reason = message(
                "{statement} overflows: with {operands} the result is above the largest {kind}, {largest}.",
                kind=kind,
                largest=largest,
                **gaps,
            )
    behind = None
    for x in step.inputs:
        own = None if x.number < 0 else _own_index(scene.shape(x.number), index)
        if own is not None and is_pointwise(step) and np.asarray(scene.values[x.number])[own] == 0:
            behind = behind or why_zero_element(scene, x.number, own)
    return Origin(
        False,
        gaps["element"],
        value,
        scene.source(out),
        scene.line(out),
        step.operation.spelling,
        operands,
        reason,
        rewrite_for(step, _names(scene, step), forward=True, negative=_begins_negative(step, operands)),
        behind=behind,
    )


def backward_origin(scene: Scene, stages: Sequence[Stage], start: int, mask: Mask) -> Origin | None:
    """The step of the backward pass that made the NaN or infinity in the gradient of some elements.

    The gradient is followed to where it comes from, until it is finite.
    """
    pending: dict[int, Mask] = {start: mask}
    best: tuple[Stage, int, Mask] | None = None
    for stage in stages:
        if stage.constant:
            continue
        for v in stage.inputs:
            asked = pending.get(v)
            if asked is None or not asked.any():
                continue
            come = False
            for o, reached in zip(stage.outputs, stage.reach(v, asked), strict=True):
                bad = reached & _bad(scene.gradient(o))
                if bad.any() and o in scene.cotangents:
                    come = True
                    pending[o] = pending[o] | bad if o in pending else bad
            if not come:
                pulled = stage.pull(v, [scene.cotangents.get(o) for o in stage.outputs])
                made = _bad(pulled) & asked
                if made.any():
                    best = (stage, v, made)
    return None if best is None else _backward_record(scene, *best)


def _backward_record(scene: Scene, stage: Stage, v: int, made: Mask) -> Origin:
    step, variable = _culprit(scene, stage, v)
    inner = stage if len(stage.steps) == 1 else Stage(scene, (step,), (variable,), (step.outputs[0].number,), True)
    shape = scene.shape(variable)
    at = first_index(made)
    index = at if shape == made.shape else (_own_index(shape, at) or tuple(0 for _ in shape))
    operands = _operands(scene, step, index, is_pointwise(step))
    gradient = scene.gradient(v)[at]
    local: Any = None
    if inner.pointwise:
        with np.errstate(all="ignore"):
            partial = inner.partial(variable)
            spots = np.zeros(shape, bool)
            spots[index] = True
            local = partial[np.array(inner.spread(spots))].ravel()[0]
    gaps = {
        "statement": statement_of(step),
        "operands": listed(f"{name} = {number_text(x)}" for name, x in operands),
        "value": number_text(gradient),
        "local": "" if local is None else number_text(local),
        "element": element_text(scene.labels[variable], index),
    }
    reason: Message
    if local is not None and not np.isfinite(local):
        reason = message("The slope of {statement} is {local} at {operands}.", **gaps)
    else:
        reason = message("The backward pass of {statement} makes {value} from {operands}.", **gaps)
    place = place_of(step)
    return Origin(
        True,
        element_text(scene.labels[v], at),
        gradient,
        "" if place is None else place.text,
        None if place is None else place.line,
        step.operation.spelling,
        operands,
        reason,
        rewrite_for(step, _names(scene, step), forward=False),
        local,
    )


def _culprit(scene: Scene, stage: Stage, v: int) -> tuple[Step, int]:
    """Of the steps of a stage, the one whose own derivative is not finite, with the operand."""
    if len(stage.steps) == 1 or not stage.pointwise:
        return stage.last, v
    reached = {v}
    last: tuple[Step, int] = (stage.last, v)
    for step in stage.steps:
        inputs = [x.number for x in step.inputs if x.number in reached]
        if not inputs or not is_differentiable(scene.values[step.outputs[0].number]):
            continue
        reached.add(step.outputs[0].number)
        inner = Stage(scene, (step,), tuple(inputs), (step.outputs[0].number,), True)
        for u in inputs:
            if inner.name != "absolute" and _bad(inner.partial(u)).any():
                last = (step, u)
    return last
