"""All edits of a backward pass, in backward order, and the same edit on another draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from chainrule.check.edits.base import Base, Edit
from chainrule.check.edits.chains import chain_edits
from chainrule.check.edits.forwards import forward_edits
from chainrule.check.edits.others import other_operands, shaped_values
from chainrule.check.edits.routes import routes
from chainrule.check.edits.segments import applied_again, segment_edits, segments_of
from chainrule.check.edits.steps import edits_of_step

__all__ = ["EditSource"]

Key = tuple[Any, ...]


@dataclass(slots=True, eq=False)
class EditSource:
    """The edits of a backward pass on one draw.

    Attributes:
        base: the backward pass with its values.
    """

    base: Base
    _at: dict[int, dict[Key, Edit]] = field(default_factory=dict)
    _others: dict[int, dict[Key, Edit]] = field(default_factory=dict)
    _structural: dict[Key, Edit] | None = None
    _shaped: Any = None
    _families: dict[int, list[int]] = field(default_factory=dict)

    def at(self, k: int) -> dict[Key, Edit]:
        """The edits of what one step does."""
        if k not in self._at:
            self._at[k] = _keyed(edits_of_step(self.base, k), "step")
        return self._at[k]

    def others(self, k: int) -> dict[Key, Edit]:
        """The edits in which one step reads another value."""
        if k not in self._others:
            if self._shaped is None:
                self._shaped = shaped_values(self.base)
            self._others[k] = _keyed(other_operands(self.base, k, self._shaped), "other")
        return self._others[k]

    def structural(self) -> dict[Key, Edit]:
        """The edits of whole routes, activations and softmaxes."""
        if self._structural is None:
            self._structural = _keyed(self._routes(), "route")
        return self._structural

    def _routes(self) -> Iterator[Edit]:
        yield from routes(self.base)
        yield from forward_edits(self.base)
        yield from chain_edits(self.base)
        segments = segments_of(self.base)
        yield from segment_edits(self.base, segments)
        yield from applied_again(self.base, segments)

    def grouped(self) -> Iterator[tuple[Key, Edit]]:
        """The same edit of the same step in all turns of a loop."""
        for group in self.base.wiring.groups():
            for key, edit in self.at(group[0]).items():
                joined = self._joined(group, key, edit)
                if joined is not None:
                    yield ("group", tuple(group), key), joined
            for key, edit in self.others(group[0]).items():
                joined = self._shifted(group, edit)
                if joined is not None:
                    yield ("group", tuple(group), key), joined
                joined = self._everywhere(group, edit)
                if joined is not None:
                    yield ("everywhere", tuple(group), key), joined

    def _joined(self, group: list[int], key: Key, edit: Edit) -> Edit | None:
        changes = dict(edit.changes)
        for k in group[1:]:
            same = self.at(k).get((key[0], k, *key[2:]))
            if same is not None:
                changes.update(same.changes)
        return replace(edit, changes=changes, cost=edit.cost - 0.05) if len(changes) > 1 else None

    def _shifted(self, group: list[int], edit: Edit) -> Edit | None:
        """Another operand, as far away in each turn as in the first."""
        wiring = self.base.wiring
        family = self._family(edit.other)
        if len(family) < 2:
            return None
        first = family.index(edit.other)
        changes = dict(edit.changes)
        for turn, k in enumerate(group[1:], 1):
            place = (
                first - turn if len(family) > 1 and wiring.made_by.get(edit.other, -1) < wiring.first else first + turn
            )
            if 0 <= place < len(family):
                found = self.others(k)
                wanted = next(
                    (e for e in found.values() if e.operand == edit.operand and e.other == family[place]), None
                )
                if wanted is not None:
                    changes.update(wanted.changes)
        return replace(edit, changes=changes) if len(changes) > 1 else None

    def _everywhere(self, group: list[int], edit: Edit) -> Edit | None:
        """The same other operand in every turn."""
        changes = dict(edit.changes)
        for k in group[1:]:
            fitting = (e for e in self.others(k).values() if e.operand == edit.operand and e.other == edit.other)
            wanted = next(fitting, None)
            if wanted is not None:
                changes.update(wanted.changes)
        return replace(edit, changes=changes, cost=edit.cost + 0.1) if len(changes) >= len(group) - 1 > 1 else None

    def _family(self, number: int) -> list[int]:
        """The variables that the same step makes in the turns of a loop."""
        if number not in self._families:
            self._families[number] = self._family_of(number)
        return self._families[number]

    def _family_of(self, number: int) -> list[int]:
        wiring = self.base.wiring
        maker = wiring.made_by.get(number)
        if maker is None or wiring.steps[maker].position is None:
            return [number]
        step = wiring.steps[maker]
        return [
            s.outputs[0].number
            for s in wiring.steps
            if s.position == step.position and s.operation is step.operation and len(s.outputs) == 1
        ]

    def find(self, key: Key) -> Edit | None:
        """The edit of a key, made on another draw of the same backward pass."""
        if key[0] == "step":
            return self.at(key[1]).get(key)
        if key[0] == "other":
            return self.others(key[1]).get(key)
        if key[0] == "everywhere":
            first = self.find(key[2])
            return None if first is None else self._everywhere(list(key[1]), first)
        if key[0] == "group":
            _, group, inner = key
            edit = self.find(inner)
            if edit is None:
                return None
            if inner[0] == "step":
                return self._joined(list(group), inner, edit)
            return self._shifted(list(group), edit)
        return self.structural().get(key)


def _keyed(edits: Iterator[Edit], kind: str) -> dict[Key, Edit]:
    found: dict[Key, Edit] = {}
    seen: dict[Any, int] = {}
    for edit in edits:
        name = (edit.step, edit.word, edit.operand, repr(edit.other), edit.owner)
        seen[name] = seen.get(name, 0) + 1
        found[(kind, *name, seen[name])] = edit
    return found
