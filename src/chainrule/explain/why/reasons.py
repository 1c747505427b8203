"""What a local derivative of zero is called: a ReLU that is off, a mask, a saturated unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.differentiate import is_differentiable
from chainrule.explain.why.blocking import Block, Ending, Mask, inner_block
from chainrule.explain.why.labels import element_text, elements_text, first_index, number_text, place_of
from chainrule.explain.why.record import Blocker
from chainrule.explain.why.scene import Scene
from chainrule.explain.why.stages import Stage, is_pointwise
from chainrule.ir import Const, Step, Var
from chainrule.language import Message, message, plural

__all__ = [
    "SATURATING",
    "blocker_of",
    "ending_reason",
    "factor_elements",
    "first_of",
    "is_relu",
    "statement_of",
    "why_zero_element",
]

_FAR = 8  # steps that a zero is followed back

SATURATING = frozenset("tanh special.expit arctan special.erf special.ndtr exp expm1 special.softmax".split())


def statement_of(step: Step) -> Any:
    """A statement of the user's, with its line: what stands in the gap of a sentence."""
    place = place_of(step)
    if place is None:
        return step.operation.spelling
    source = place.segment.strip() if place.line == place.end_line else ""
    if step.operation.name in ("setitem", "add.at"):
        source = place.text
    if not source or len(source) > 60:
        source = step.operation.spelling
    return message("{source} (line {line})", source=source, line=place.line)


def first_of(scene: Scene, number: int, mask: Mask) -> tuple[str, Any]:
    """The first element of a mask, by name, with its value."""
    index = first_index(mask)
    return element_text(scene.labels[number], index), np.asarray(scene.values[number])[index]


def _others(step: Step, variable: int) -> list[Var | Const]:
    return [x for x in step.inputs if x.number != variable or not isinstance(x, Var)]


def is_relu(scene: Scene, step: Step) -> bool:
    """Whether a step is ``np.maximum`` of something and the number 0."""
    literal = [x for x in step.inputs if isinstance(x, Const) and x.number < 0]
    return step.operation.name in ("maximum", "fmax") and len(literal) == 1 and scene.operand(literal[0]) == 0


def _in_every_row(mask: Mask) -> int:
    """Of how many rows a mask holds all, where it is the same in every row; 0 where it is not, or there is one row."""
    if mask.ndim < 2 or mask.shape[0] < 2:
        return 0
    return mask.shape[0] if bool((mask == mask[:1]).all()) else 0


def blocker_of(scene: Scene, found: Block) -> Blocker:
    """The record of a block."""
    block, certain = inner_block(found)
    stage = block.stage
    step = stage.last
    statement = statement_of(step)
    place = place_of(step)
    line = None if place is None else place.line
    source = "" if place is None else place.text
    count = int(block.asked.sum() if block.stopped is None else block.stopped.sum())
    remedy: Message | None = None
    if block.stopped is None:
        reason = message(
            "{statement} does not read {elements}.",
            statement=statement,
            elements=elements_text(scene.labels[block.variable], block.asked),
        )
        if step.operation.name == "setitem":
            reason = message(
                "{statement} overwrites {elements} before it is used.",
                statement=statement,
                elements=elements_text(scene.labels[block.variable], block.asked),
            )
    elif not certain:
        reason = message(
            "{statement}: the product of its local derivatives is too small a number, and underflows to 0.",
            statement=statement,
        )
    elif stage.pointwise:
        reason, remedy = _saturated(scene, found, block, statement) or _pointwise(scene, block, step, statement)
        if step.operation.name in ("where", "multiply") and _hides_infinity(found):
            remedy = message(
                "Behind it a slope is infinite or not a number. Here 0 times that counts as 0; other libraries give "
                "NaN. To be safe everywhere, guard the argument too: np.where(ok, f(np.where(ok, x, 1)), 0)."
            )
    elif stage.family == "bilinear":
        reason = _factor(scene, block, statement)
    else:
        reason = _selection(scene, block, step, statement)
    return Blocker(reason, source, line, count, remedy)


def _hides_infinity(block: Block) -> bool:
    """Whether a step in front of a block has a slope that is not finite where it is blocked."""
    masks: dict[int, Mask] = {block.variable: block.asked}
    for step in block.stage.steps:
        inputs = tuple(x.number for x in step.inputs if x.number in masks)
        inner = Stage(block.stage.scene, (step,), inputs, (step.outputs[0].number,), True)
        if not inputs or inner.constant:
            continue
        whole = np.zeros(block.stage.scene.shape(inner.output), bool)
        for v in inputs:
            spread = np.array(inner.spread(masks[v]))
            if step.operation.name != "where" and (spread & ~np.isfinite(inner.partial(v))).any():
                return True
            whole |= spread
        masks[inner.output] = whole
    return False


_KEEP_NEAR = message("Keep its argument near 0: smaller weights, or inputs that are scaled to variance 1.")


def _saturated(scene: Scene, whole: Block, inner: Block, statement: Any) -> tuple[Message, Message | None] | None:
    """That a curve of several operations is flat, as 1 / (1 + np.exp(-z)) far from 0: it divides by infinity."""
    step = inner.stage.last
    divided = step.operation.name in ("divide", "reciprocal") and step.inputs[-1].number == inner.variable
    curved = any(s.operation.name.startswith(("exp", "cosh", "sinh", "logaddexp")) for s in whole.stage.steps[:-1])
    if not divided or not curved or whole.stopped is None:
        return None
    mask = np.asarray(whole.stage.gathered(whole.variable, whole.stopped.astype(float)) != 0) & whole.asked
    if not mask.any():
        return None
    element, value = first_of(scene, whole.variable, mask)
    return message(
        "{statement} is saturated: at {element} = {value} its slope is 0 to all digits.",
        statement=statement, element=element, value=number_text(value),
    ), _KEEP_NEAR  # fmt: skip


def _pointwise(scene: Scene, block: Block, step: Step, statement: Any) -> tuple[Message, Message | None]:
    stage, v = block.stage, block.variable
    assert block.stopped is not None
    mask = np.asarray(stage.gathered(v, block.stopped.astype(float)) != 0) & block.asked
    if not mask.any():
        mask = block.asked
    element, value = first_of(scene, v, mask)
    elements = elements_text(scene.labels[v], mask)
    count = int(mask.sum())
    name = step.operation.name
    values = np.asarray(scene.values[v])[mask]
    gaps = {"statement": statement, "element": element, "elements": elements, "value": number_text(value)}
    if name in ("maximum", "fmax", "minimum", "fmin"):
        return _extremum(scene, block, step, mask, gaps, values)
    if name in ("multiply", "divide"):
        (other,) = _others(step, v) or (step.inputs[0],)
        if name == "divide" and step.inputs[-1].number == v:
            return message(
                "{statement} divides by {element} = {value}, and its slope there is 0 to all digits.", **gaps
            ), None
        if isinstance(other, Const) and other.number < 0:
            return message("{statement} multiplies {elements} by 0.", **gaps), None
        zero = np.broadcast_to(np.asarray(scene.operand(other)) == 0, block.stopped.shape) & block.stopped
        if name == "multiply" and zero.any():
            named = elements_text(scene.labels[other.number], _folded(zero, scene.shape(other.number)))
            return message("{other} is 0, and {statement} multiplies {elements} by it.", other=named, **gaps), None
    if name == "where":
        taken = next((x for x in step.inputs[1:] if x.number != v), step.inputs[-1])
        label = scene.labels.get(taken.number) if taken.number >= 0 else number_text(scene.operand(taken))
        return plural(
            "{statement} takes its other branch, {other}, and not {elements}.",
            "{statement} takes its other branch, {other}, and not {count} elements of this one: {elements}.",
            count,
            other=label or "0",
            **gaps,
        ), None
    if name == "clip":
        return plural(
            "{element} = {value} lies outside of the bounds of {statement}, which is flat there.",
            "{count} elements lie outside of the bounds of {statement}, which is flat there: {elements}; "
            "{element} = {value}.",
            count,
            **gaps,
        ), None
    if name.startswith("exp") and np.isneginf(value):
        return message("{element} is -inf, and {statement} makes 0 of it.", **gaps), None
    if name.startswith("exp"):
        return message("{statement} underflows: at {element} = {value} it is 0 to all digits.", **gaps), None
    if name in SATURATING:
        return message(
            "{statement} is saturated: at {element} = {value} its slope is 0 to all digits.", **gaps
        ), _KEEP_NEAR
    if (values == 0).all():
        return message("{elements} is exactly 0, where the slope of {statement} is 0.", **gaps), None
    return message("The slope of {statement} is 0 at {element} = {value}.", **gaps), None


def _extremum(
    scene: Scene, block: Block, step: Step, mask: Mask, gaps: dict[str, Any], values: Any
) -> tuple[Message, Message | None]:
    rows = _in_every_row(mask)
    count = int(mask.sum())
    if is_relu(scene, step):
        remedy = message(
            "A unit that is off for every row gets no gradient, and stays off until something before it changes: try a "
            "smaller step, another initial bias, or a leaky ReLU."
        )
        if rows:
            largest = number_text(values.max())
            return message(
                "{elements} is at most 0 in all {rows} rows (its largest value is {largest}): the ReLU of {statement} "
                "is off for every row.",
                rows=rows,
                largest=largest,
                **gaps,
            ), remedy
        if count > 1 and mask.all():
            largest = number_text(values.max())
            return message(
                "All of {elements} is at most 0 (its largest value is {largest}): the ReLU of {statement} is off "
                "everywhere.",
                largest=largest,
                **gaps,
            ), None
        if count == 1:
            alone = mask.ndim == 2 and mask.shape[0] == 1
            if values[0] == 0:
                return message(
                    "{element} is exactly 0, where the slope of the ReLU of {statement} is taken as 0.", **gaps
                ), None
            return message(
                "{element} = {value} < 0: the ReLU of {statement} is off.", **gaps
            ), remedy if alone else None
        return message(
            "{count} elements are at most 0, and the ReLU of {statement} is off for them: {elements}.",
            count=count,
            **gaps,
        ), None
    upper = step.operation.name in ("maximum", "fmax")
    other = next(iter(_others(step, block.variable)), step.inputs[0])
    label = scene.labels.get(other.number) or number_text(scene.operand(other))
    if upper:
        return message("{element} = {value} is not above {other}: {statement} takes that.", other=label, **gaps), None
    return message("{element} = {value} is not below {other}: {statement} takes that.", other=label, **gaps), None


def _folded(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """A mask of a broadcast array, as one of the array itself."""
    extra = mask.ndim - len(shape)
    mask = np.asarray(mask.any(axis=tuple(range(extra))))
    axes = tuple(k for k, n in enumerate(shape) if n == 1 and mask.shape[k] != 1)
    return np.asarray(mask.any(axis=axes, keepdims=True) if axes else mask)


def factor_elements(stage: Stage, v: int, asked: Mask, other: int, outputs: Mask) -> Mask:
    """Of a sum of products, the elements of one operand that some elements of another are multiplied by."""
    replaced = {**stage.ones_in_place(v), v: asked.astype(np.asarray(stage.scene.values[v]).dtype)}
    found = stage.pull(other, [outputs.astype(float)], {k: x for k, x in replaced.items() if k != other})
    return np.asarray(found != 0)


def operands_beside(stage: Stage, v: int) -> list[int]:
    """The other operands of a stage of one step, by number."""
    numbers = [x.number for x in stage.last.inputs if x.number >= 0 and x.number != v]
    return list(dict.fromkeys(numbers))


def _factor(scene: Scene, block: Block, statement: Any) -> Message:
    stage, v = block.stage, block.variable
    assert block.stopped is not None
    asked = elements_text(scene.labels[v], block.asked)
    for other in operands_beside(stage, v):
        factors = factor_elements(stage, v, block.asked, other, block.stopped)
        zero = factors & (np.asarray(scene.values[other]) == 0)
        if zero.any():
            named = elements_text(scene.labels[other], zero)
            because = _why_zero(scene, other, zero)
            if because is None:
                return message(
                    "{factors} is 0, and {statement} multiplies {asked} by it.",
                    factors=named,
                    statement=statement,
                    asked=asked,
                )
            return message(
                "{factors} is 0, and {statement} multiplies {asked} by it; it is 0 because {because}",
                factors=named,
                statement=statement,
                asked=asked,
                because=because,
            )
    return message("{statement} multiplies {asked} by 0.", statement=statement, asked=asked)


def _why_zero(scene: Scene, number: int, zero: Mask) -> Message | None:
    """Why elements of a value are 0, where that can be said shortly."""
    step = scene.makers.get(number)
    if step is None:
        rows = _in_every_row(zero)
        return message("these data are 0 in all {rows} rows.", rows=rows) if rows else None
    if is_relu(scene, step):
        source = next(x for x in step.inputs if x.number >= 0)
        return message(
            "{elements} is at most 0: the ReLU of {statement} is off.",
            elements=elements_text(scene.labels[source.number], zero),
            statement=statement_of(step),
        )
    if step.operation.name == "multiply":
        for x in step.inputs:
            if x.number in scene.values:
                dead = np.broadcast_to(np.asarray(scene.values[x.number]) == 0, zero.shape) & zero
                if (dead == zero).all():
                    return message(
                        "{statement} multiplies it by {other}, which is 0 there.",
                        statement=statement_of(step),
                        other=scene.labels[x.number],
                    )
    return None


def why_zero_element(scene: Scene, number: int, index: tuple[int, ...]) -> Message | None:
    """Why an element is 0, followed back through elementwise steps: it underflows, a ReLU is off, it was given as 0."""
    for _ in range(_FAR):
        step = scene.makers.get(number)
        if step is None:
            return None
        if is_relu(scene, step):
            mask = np.zeros(scene.shape(number), bool)
            mask[index] = True
            return _why_zero(scene, number, mask)
        if not is_pointwise(step):
            found = _moved_from(scene, step, number, index)
            if found is None:
                return None
            number, index = found
            continue
        for x in step.inputs:
            if x.number < 0:
                continue
            shape = scene.shape(x.number)
            own = index[len(index) - len(shape) :] if shape else ()
            at = tuple(0 if n == 1 else k for n, k in zip(shape, own, strict=True))
            value = np.asarray(scene.values[x.number])[at]
            if step.operation.name.startswith("exp") and value != 0:
                return message(
                    "{statement} underflows: at {element} = {value} it is 0 to all digits.",
                    statement=statement_of(step),
                    element=element_text(scene.labels[x.number], at),
                    value=number_text(value),
                )
            if value == 0:
                number, index = x.number, at
                break
        else:
            return None
    return None


def _moved_from(scene: Scene, step: Step, number: int, index: tuple[int, ...]) -> tuple[int, tuple[int, ...]] | None:
    """The element that a step only puts in another place, where it is one."""
    stage = Stage(scene, (step,), (), tuple(o.number for o in step.outputs), False)
    if stage.family != "linear":
        return None
    seeds = [np.zeros(scene.shape(o)) for o in stage.outputs]
    seeds[stage.outputs.index(number)][index] = 1
    for x in step.inputs:
        if x.number in scene.values and is_differentiable(scene.values[x.number]):
            where = np.argwhere(stage.pull(x.number, seeds) != 0)
            if len(where) == 1:
                return x.number, tuple(map(int, where[0]))
    return None


def _selection(scene: Scene, block: Block, step: Step, statement: Any) -> Message:
    stage, v = block.stage, block.variable
    assert block.stopped is not None
    element, value = first_of(scene, v, block.asked)
    elements = elements_text(scene.labels[v], block.asked)
    gaps = {"statement": statement, "element": element, "elements": elements, "value": number_text(value)}
    name = step.operation.name
    if stage.family == "selecting" and name.split(".")[0] in ("max", "amax", "maximum", "min", "amin", "minimum"):
        at = first_index(block.stopped)
        taken = number_text(np.asarray(scene.values[stage.output])[at])
        if name.startswith(("max", "amax")):
            return message("{element} = {value} is not the largest: {statement} takes {taken}.", taken=taken, **gaps)
        return message("{element} = {value} is not the smallest: {statement} takes {taken}.", taken=taken, **gaps)
    if name in ("linalg.norm", "linalg.vector_norm", "std", "nanstd") and value == 0:
        return message("{statement} has a corner at 0, where its slope is taken as 0.", **gaps)
    if stage.family == "selecting":
        return message("{statement} does not change with {element} = {value}.", **gaps)
    if name == "setitem":
        return message("{statement} overwrites {elements} before it is used.", **gaps)
    if name in ("tril", "triu"):
        return message("{statement} leaves {elements} out.", **gaps)
    return message("{statement} does not change with {elements}.", **gaps)


def ending_reason(scene: Scene, ending: Ending, title: str) -> Message:
    """Why a value leads to the result by no derivative."""
    label = scene.labels[ending.variable]
    if ending.stage is None:
        return message("{value} is not used for {result}.", value=label, result=title)
    step = next((s for s in ending.stage.steps if s.operation.kind == "constant"), ending.stage.last)
    statement = statement_of(step)
    if step.operation.kind == "constant":
        return message(
            "{value} is used in {statement}, through which no derivative flows: {because}.",
            value=label,
            statement=statement,
            because=step.operation.because,
        )
    return message(
        "{value} is used in {statement}, which makes {kind} values of it: they do not change smoothly.",
        value=label,
        statement=statement,
        kind=np.asarray(scene.values[ending.stage.output]).dtype,
    )
