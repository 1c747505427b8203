"""Lists of the user's that hold what all turns of a loop made, where lines are pasted behind that loop."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from chainrule.containers import Kept, one_of
from chainrule.emit.material import Material
from chainrule.ir import Step
from chainrule.loop_buffers import counted_from
from chainrule.loops import Loop, Out, loop_in
from chainrule.names import Namespace

__all__ = ["Held", "series_at_hand"]


@dataclass(frozen=True, slots=True)
class Held:
    """What a loop leaves, as the user's own lines have it.

    Attributes:
        name: where it is found.
        line: the line that puts it there; empty where the user's own lines did.
    """

    name: str
    line: str = ""


def series_at_hand(material: Material, forward: Sequence[Step], taken: Collection[str]) -> Mapping[int, Held]:
    """What loops of the forward pass leave of all turns and what lists of the user's hold, by number.

    Args:
        material: what is written; the lists are those of its own function.
        forward: the steps of the forward pass.
        taken: the names that are in use.
    """
    space = Namespace(taken)
    found: dict[int, Held] = {}
    names: dict[str, str] = {}  # of what is made of the lists, by how
    for step in forward:
        loop = loop_in(step)
        if loop is None or any(out.kind == "split" for out in loop.outs):
            continue
        for out, x in zip(loop.outs, step.outputs, strict=True):
            held = [
                (kept, text)
                for kept, variable, first in loop.series
                if material.is_own(kept.function) and (text := _text(step, loop, out, kept, variable, first))
            ]
            if not held:
                continue
            kept, text = min(held, key=lambda pair: len(pair[1]))
            if text.isidentifier():
                found[x.number] = Held(text)
                continue
            if text not in names:
                ending = "" if out.kind == "final" else "_array" if text.startswith("np.stack(") else "_list"
                names[text] = space.claim((one_of(kept.name) if out.kind == "final" else kept.name) + ending)
            found[x.number] = Held(names[text], f"{names[text]} = {text}")
    return found


def _text(step: Step, loop: Loop, out: Out, kept: Kept, variable: int, first: int) -> str:
    """What a loop leaves, read from a list of the user's; empty where the list does not hold that."""
    if loop.lengthened & {variable, getattr(out.variable, "variable", variable)}:
        return ""  # its first item is shorter than the others
    if out.variable == variable:
        if out.kind == "final":
            return f"{kept.text()}[-1]"
        if out.kind == "list" and kept.key is not None and kept.key + first == 0 and _counts_from_zero(loop):
            return kept.name  # read by the counter, which is the key
        text = kept.text(first)
        return text if out.kind == "list" else f"np.stack({text})" if out.kind == "stack" else ""
    if out.kind not in ("trail", "whole") or out.variable.following != variable or not first:
        return ""
    start = step.inputs[out.variable.place]
    if kept.variables[first - 1] != start.number:
        return ""
    return kept.text(first - 1) if out.kind == "trail" else f"np.stack({kept.text(first - 1)})"


def _counts_from_zero(loop: Loop) -> bool:
    return loop.header.counted is not None and counted_from(loop) == 0
