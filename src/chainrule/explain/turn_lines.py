"""The code of one turn of a loop: its lines, each beside the gradient that it leads to, and the names in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from chainrule.emit.loop_heads import BodyText
from chainrule.emit.text import wrapped
from chainrule.explain.collecting import Collecting
from chainrule.explain.derivation import Line
from chainrule.explain.lines import owners_of
from chainrule.explain.turn_numbers import backward_of
from chainrule.ir import Step
from chainrule.language import message
from chainrule.lengths import Symbol
from chainrule.loops import loop_in

__all__ = ["TurnText"]

_ROOM = 80  # columns that a line may take up


class TurnText:
    """What is written for the turns of a loop on the way back.

    Args:
        step: the backward loop, simplified.
        bodies: what was written for the bodies of all loops, by the identity of the loop.
        spelled: changes a line of code into what is pasted.

    Attributes:
        names: the names that only the code has in a turn, each for one variable.
        symbols: a symbol per axis of each variable.
    """

    def __init__(self, step: Step, bodies: Mapping[int, BodyText], spelled: Callable[[str], str]) -> None:
        loop = loop_in(step)
        assert loop is not None
        self.step = step
        self.loop = loop
        self.written = bodies[id(loop)]
        self._bodies = bodies
        self._spelled = spelled
        self.names: dict[int, str] = {}
        self.symbols: Mapping[int, tuple[Symbol, ...]] = {}

    @classmethod
    def of(
        cls, forward: Step, steps: Sequence[Step], bodies: Mapping[int, BodyText], spelled: Callable[[str], str]
    ) -> TurnText | None:
        """What is written for a loop among these steps, if anything is."""
        step = backward_of(forward, steps)
        written = step is not None and id(loop_in(step)) in bodies
        return cls(step, bodies, spelled) if step is not None and written else None

    def within(self, forward: Step) -> TurnText | None:
        """The same for a loop in the turns of this one."""
        return TurnText.of(forward, self.loop.program.steps, self._bodies, self._spelled)

    def read(self, scene: Any, symbols: Mapping[int, tuple[Symbol, ...]]) -> None:
        """Note the symbols of the variables, and which names the code has beyond those of a scene.

        What is given a name again in the turn has it for the gradient that this completes; what the turn began with is
        what the next one handed back then.
        """
        self.symbols = symbols
        ours = scene.forward.names
        links = {g: v for v, g in self.loop.links.items() if type(g) is int and v in ours}
        moved = {slot.variable for slot in scene.loop.slots if slot.kind == "carried"}
        carried = {slot.variable for slot in self.loop.slots if slot.kind == "carried"}
        pairs = [(n, name) for n, name in self.written.given.items() if n != self.loop.turn]
        for statement in self.written.statements.statements:
            outputs = zip(statement.step.outputs, statement.targets, strict=False)
            pairs += [(out.number, target) for out, target in outputs]
        found: dict[str, int] = {}
        for n, name in pairs:
            if name == "_" or n in ours or name in ours.values():
                continue
            if name not in found:
                found[name] = n
            elif n in links and links[n] not in moved:
                if found[name] in carried:
                    found.setdefault(f"{name}_next", found[name])
                found[name] = n
        self.names = {n: name for name, n in found.items()}

    @cached_property
    def arriving(self) -> dict[int, tuple[str, int]]:
        """The gradients that the code of a turn has under a name: that and the number, by the number of the array."""
        links = self.loop.links.items()
        return {v: (self.names[g], g) for v, g in links if type(g) is int and g in self.names}

    def lines(self, scene: Any) -> dict[int, list[Line]]:
        """The lines of a turn, by the number of the array whose gradient they lead to."""
        written, loop = self.written, self.loop
        chosen = [
            (s, texts)
            for s, texts in zip(written.statements.statements, written.texts, strict=True)
            if loop_in(s.step) is None
        ]
        collecting = Collecting(
            written.printer,
            written.statements.folded,
            scene.forward.letters.within(self.symbols),
            self.symbols,
            loop.program.steps[: loop.forward_steps],
        )
        cotangents = [(v, g) for v, g in loop.links.items() if type(g) is int]
        owners = owners_of(scene, [s for s, _ in chosen], cotangents)
        names = scene.forward.names
        # Which gradients have other names in the code, said with the first line that has such a name.
        called = {own: scene.prefix + names[v] for v, (own, _) in self.arriving.items() if v in names}
        called = {own: gradient for own, gradient in called.items() if own != gradient}
        found: dict[int, list[Line]] = {}
        for place, ((statement, texts), owner) in enumerate(zip(chosen, owners, strict=True)):
            if owner < 0:
                continue
            target = ", ".join(statement.targets)
            code = self._spelled("\n".join(part for text in texts for part in wrapped(text, _ROOM)))
            words = set(re.findall(r"\w+", code))
            said = {own: called.pop(own) for own in list(called) if own in words}
            if any(out.number == loop.links.get(owner) for out in statement.step.outputs) and target not in called:
                said[target] = scene.prefix + names[owner]
            line = Line(
                target,
                code,
                collecting.shapes(statement),
                collecting.reasons(statement, scene.element(owner)),
                place=place,
                names=tuple(
                    message("{name} in the formulas is {own} in the code.", name=gradient, own=own)
                    for own, gradient in said.items()
                    if own != gradient
                ),
                inner=True,
            )
            found.setdefault(owner, []).append(line)
        scene.used_letters |= collecting.used
        return found
