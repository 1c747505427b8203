"""Where a gradient of zero comes from: the local derivatives that are zero, on every path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.explain.why.scene import Scene
from chainrule.explain.why.stages import Stage

__all__ = ["Block", "Ending", "blocks_of", "endings_of", "inner_block"]

Mask = np.ndarray[tuple[int, ...], np.dtype[np.bool]]


@dataclass(frozen=True, eq=False)
class Block:
    """Local derivatives of a stage that are zero.

    Attributes:
        stage: the stage.
        variable: the input that they are with respect to.
        asked: the elements of the input that are explained.
        stopped: the elements of the result that do not change with them; nothing where the stage never reads them.
    """

    stage: Stage
    variable: int
    asked: Mask
    stopped: Mask | None


@dataclass(frozen=True, eq=False)
class Ending:
    """Where something ends that leads to the result by no derivative.

    Attributes:
        variable: the last value that carries a derivative.
        stage: what it is used in, and that no derivative passes; ``None`` where it is not used at all.
    """

    variable: int
    stage: Stage | None


def blocks_of(scene: Scene, stages: Sequence[Stage], start: int, mask: Mask) -> list[Block]:
    """The blocks on the paths from some elements whose gradient is zero."""
    pending: dict[int, Mask] = {start: mask}
    found: list[Block] = []
    for stage in stages:
        if stage.constant or not any(o in scene.cotangents for o in stage.outputs):
            continue
        for v in stage.inputs:
            asked = pending.get(v)
            if asked is None or not asked.any():
                continue
            reached, live = stage.reach(v, asked), stage.live(v, asked)
            stopped = [r & ~m for r, m in zip(reached, live, strict=True)]
            for o, dead, alive in zip(stage.outputs, stopped, live, strict=True):
                if dead.any():
                    found.append(Block(stage, v, asked, dead))
                gradient = scene.gradient(o)
                # Behind a block too: another one there would stop the gradient if this one did not.
                onwards = (alive | dead) & (gradient == 0)
                pending[o] = pending[o] | onwards if o in pending else onwards
            if not any(r.any() for r in reached):
                found.append(Block(stage, v, asked, None))
    return found


def inner_block(block: Block) -> tuple[Block, bool]:
    """Of a stage of several steps, the one whose derivative is zero; and whether there is one, or they underflow."""
    stage = block.stage
    if len(stage.steps) == 1 or block.stopped is None:
        return block, True
    masks: dict[int, Mask] = {block.variable: block.asked}
    best: Block | None = None
    for step in stage.steps:
        inputs = tuple(x.number for x in step.inputs if x.number in masks)
        inner = Stage(stage.scene, (step,), inputs, (step.outputs[0].number,), True)
        if not inputs or inner.constant:
            continue
        for v in inputs:
            spread = np.array(inner.spread(masks[v]))
            dead = spread & (inner.partial(v) == 0)
            if dead.any() and (best is None or best.stopped is None or dead.sum() > best.stopped.sum()):
                best = Block(inner, v, masks[v], dead)
            masks[inner.output] = masks[inner.output] | spread if inner.output in masks else spread
    return (block, False) if best is None else (best, True)


def endings_of(scene: Scene, stages: Sequence[Stage], start: int) -> list[Ending]:
    """What becomes of a variable that leads to the result by no derivative."""
    pending, seen = [start], {start}
    found: list[Ending] = []
    while pending:
        v = pending.pop(0)
        used = [stage for stage in stages if v in {x.number for s in stage.steps for x in s.inputs}]
        if not used and v != scene.result:
            found.append(Ending(v, None))
        for stage in used:
            if stage.constant:
                found.append(Ending(v, stage))
                continue
            for o in stage.outputs:
                if o not in seen:
                    seen.add(o)
                    pending.append(o)
    return found
