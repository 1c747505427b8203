"""All edits of a backward pass, in backward order, and the same edit on another draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from chainrule.check.edits.base import Base, Edit
from chainrule.check.edits.chains import chain_edits
from chainrule.check.edits.forms import form_edits
from chainrule.check.edits.forwards import forward_edits
from chainrule.check.edits.misplaced import misplaced
from chainrule.check.edits.others import other_operands, shaped_values
from chainrule.check.edits.routes import routes
from chainrule.check.edits.segments import applied_again, segment_edits, segments_of
from chainrule.check.edits.steps import edits_of_step
from chainrule.check.edits.turns import Turns, operands_in_turns, sums_in_turns, together

__all__ = ["EditSource"]

Key = tuple[Any, ...]


@dataclass(slots=True, eq=False)
class EditSource:
    """The edits of a backward pass on one draw.

    Attributes:
        base: the backward pass with its values.
        same_steps: whether its steps are those of the record that is searched.
    """

    base: Base
    same_steps: bool = True
    _at: dict[int, dict[Key, Edit]] = field(default_factory=dict)
    _others: dict[int, dict[Key, Edit]] = field(default_factory=dict)
    _structural: dict[Key, Edit] | None = None
    _shaped: Any = None
    _in_turns: dict[str, dict[Key, Edit]] = field(default_factory=dict)
    _turns: Turns | None = None

    def at(self, k: int) -> dict[Key, Edit]:
        """The edits of what one step does."""
        if k not in self._at:
            self._at[k] = _keyed(self._weighed(k), "step")
        return self._at[k]

    def _weighed(self, k: int) -> Iterator[Edit]:
        """The edits of a step; to leave out what came in is less likely than to leave out a local derivative."""
        wiring = self.base.wiring
        for edit in edits_of_step(self.base, k):
            incoming = edit.word == "drop" and wiring.steps[k].inputs[edit.operand].number in wiring.flow
            yield replace(edit, cost=edit.cost + 0.3) if incoming else edit

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
        yield from misplaced(self.base)
        segments = segments_of(self.base)
        yield from segment_edits(self.base, segments)
        yield from form_edits(self.base, segments)
        yield from applied_again(self.base, segments)

    def in_turns(self, what: str) -> dict[Key, Edit]:
        """The edits that are made in every turn of a loop; their keys hold for other numbers of turns, too.

        Args:
            what: ``"step"``, ``"route"``, ``"sum"`` or ``"operand"``.
        """
        if what not in self._in_turns:
            base, turns = self.base, self.turns
            found: Iterable[tuple[Any, Edit]]
            if what == "step":
                found = together(turns, [e for g in turns.groups.values() for k in g for e in self.at(k).values()])
            elif what == "route":
                found = together(turns, list(self.structural().values()))
            else:
                found = sums_in_turns(base, turns) if what == "sum" else operands_in_turns(base, turns)
            self._in_turns[what] = {("turns", what, *name): edit for name, edit in found}
        return self._in_turns[what]

    @property
    def turns(self) -> Turns:
        """The loops of the user's code."""
        if self._turns is None:
            self._turns = Turns(self.base.wiring)
        return self._turns

    def find(self, key: Key) -> Edit | None:
        """The edit of a key, made on another draw; ``None`` where the steps on that draw are others."""
        if key[0] == "turns":
            return self.in_turns(key[1]).get(key)
        if not self.same_steps:
            return None
        if key[0] == "step":
            return self.at(key[1]).get(key)
        if key[0] == "other":
            return self.others(key[1]).get(key)
        return self.structural().get(key)


def _keyed(edits: Iterator[Edit], kind: str) -> dict[Key, Edit]:
    found: dict[Key, Edit] = {}
    seen: dict[Any, int] = {}
    for edit in edits:
        name = (edit.step, edit.word, edit.operand, repr(edit.other), edit.owner)
        seen[name] = seen.get(name, 0) + 1
        found[(kind, *name, seen[name])] = edit
    return found
