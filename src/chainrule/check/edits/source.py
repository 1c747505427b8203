"""All edits of a backward pass, in backward order, and the same edit on another draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from chainrule.check.edits.base import Base, Edit
from chainrule.check.edits.chains import chain_edits
from chainrule.check.edits.forms import form_edits
from chainrule.check.edits.forwards import forward_edits
from chainrule.check.edits.misplaced import misplaced
from chainrule.check.edits.others import other_operands, shaped_values
from chainrule.check.edits.routes import routes
from chainrule.check.edits.segments import Segment, applied_again, segment_edits, segments_of
from chainrule.check.edits.steps import edits_of_step
from chainrule.check.edits.turns import Turns, operands_in_turns, sums_in_turns, together, turns_of

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
    _structural: dict[Key, dict[Key, Edit]] = field(default_factory=dict)
    _segments: list[Segment] | None = None
    _shaped: Any = None
    _in_turns: dict[Key, dict[Key, Edit]] = field(default_factory=dict)
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
        return {key: edit for part in _PARTS for key, edit in self._part(part).items()}

    def _part(self, part: str, word: str = "", steps: frozenset[int] | None = None) -> dict[Key, Edit]:
        """Those of one kind; of these the ones with a word at some steps, where one is sought, as all take long."""
        known = self._structural.get((part, "", None))
        if known is not None:
            return known
        if (part, word, steps) not in self._structural:
            found = self._made(part, word, steps)
            wanted = (e for e in found if word in ("", e.word) and (steps is None or e.step in steps))
            self._structural[part, word, steps] = _keyed(wanted, "route", part)
        return self._structural[part, word, steps]

    def _made(self, part: str, word: str, steps: frozenset[int] | None) -> Iterator[Edit]:
        if part in _OF_STEPS:
            return _OF_STEPS[part](self.base)
        if self._segments is None:
            self._segments = segments_of(self.base)
        if part == "segments":
            own = [s for s in self._segments if steps is None or s.into in steps]
            return segment_edits(self.base, own, word)
        return (form_edits if part == "forms" else applied_again)(self.base, self._segments)

    def in_turns(self, what: str) -> dict[Key, Edit]:
        """The edits that are made in every turn of a loop; their keys hold for other numbers of turns, too.

        Args:
            what: ``"step"``, ``"route"``, ``"sum"`` or ``"operand"``.
        """
        if what == "route":
            return {key: edit for part in _PARTS for key, edit in self._some_in_turns((what, part, "")).items()}
        if what == "step":
            own = [self._some_in_turns((what, name)) for name in self.turns.groups]
            return {key: edit for found in own for key, edit in found.items()}
        return self._some_in_turns((what,))

    def _some_in_turns(self, which: Key) -> dict[Key, Edit]:
        """Some of them: those of one kind of routes, or of one step in all turns; the others of a kind all at once."""
        if which not in self._in_turns:
            base, turns, what = self.base, self.turns, which[0]
            found: Iterable[tuple[Any, Edit]]
            if what == "step":
                edits = [e for k in turns.groups.get(which[1], ()) for e in self.at(k).values()]
                found = ((name[1:], edit) for name, edit in together(turns, edits))
            elif what == "route":
                steps = frozenset(turns.groups.get(which[3], ())) if which[2] else None
                made = together(turns, list(self._part(which[1], which[2], steps).values()))
                found = (((edit.word, *name), edit) for name, edit in made)
            else:
                found = sums_in_turns(base, turns) if what == "sum" else operands_in_turns(base, turns)
            self._in_turns[which] = {("turns", *which[:2], *name): edit for name, edit in found}
        return self._in_turns[which]

    @property
    def turns(self) -> Turns:
        """The loops of the user's code."""
        if self._turns is None:
            self._turns = turns_of(self.base.wiring)
        return self._turns

    def find(self, key: Key) -> Edit | None:
        """The edit of a key, made on another draw; ``None`` where the steps on that draw are others."""
        if key[0] == "turns":
            which = key[1:5] if key[1] == "route" else key[1:3] if key[1] == "step" else key[1:2]
            return self._some_in_turns(which).get(key)
        if not self.same_steps:
            return None
        if key[0] == "step":
            return self.at(key[1]).get(key)
        if key[0] == "other":
            return self.others(key[1]).get(key)
        return self._part(key[1], key[3], frozenset(key[2:3])).get(key)


# Whole routes, forward values and chains, and what is made from stretches of the forward pass.
_OF_STEPS: dict[str, Callable[[Base], Iterator[Edit]]] = {
    "routes": routes,
    "forwards": forward_edits,
    "chains": chain_edits,
    "misplaced": misplaced,
}
_PARTS = (*_OF_STEPS, "segments", "forms", "again")


def _keyed(edits: Iterator[Edit], *kind: str) -> dict[Key, Edit]:
    found: dict[Key, Edit] = {}
    seen: dict[Any, int] = {}
    for edit in edits:
        name = (edit.step, edit.word, edit.operand, repr(edit.other), edit.owner)
        seen[name] = seen.get(name, 0) + 1
        found[(*kind, *name, seen[name])] = edit
    return found
