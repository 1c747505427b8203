"""Loops: steps that are one step of the user's code in several turns, and the same mistake in every turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Change, Edit, Wiring, with_variable
from chainrule.ir import Step

__all__ = ["Family", "Turns", "operands_in_turns", "sums_in_turns", "together", "turns_of"]

_FIXED = frozenset("broadcast_to zeros_like equal expand_dims".split())
_SHIFTS = (0, -1, 1)


@dataclass(frozen=True, slots=True)
class Family:
    """A variable of the user's loop: what it is in each turn.

    Attributes:
        name: what it is called in every record of the function: where it stands in the code.
        numbers: of the variables, in the order of the turns.
        named: whether the user's code gives it a name.
    """

    name: Any
    numbers: tuple[int, ...]
    named: bool


class Turns:
    """Which steps of a backward pass are one step of a loop, and in which turns.

    Attributes:
        groups: backward steps that are the same step in several turns, by what they are.
        place: per forward step in a loop, how many turns there are and which one it is.
    """

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self._forward: dict[Any, list[int]] = {}
        for k, step in enumerate(wiring.steps[: wiring.first]):
            if step.position is not None:
                self._forward.setdefault((step.position, step.operation.name, len(step.inputs)), []).append(k)
        self._forward = {s: g for s, g in self._forward.items() if len(g) > 1}
        self.place = {k: (len(g), t) for g in self._forward.values() for t, k in enumerate(g)}
        self.identity: dict[int, Any] = dict(self._identities()) if self._forward else {}
        self.groups: dict[Any, list[int]] = {}
        for k, name in self.identity.items():
            self.groups.setdefault(name, []).append(k)
        self.groups = {name: group for name, group in self.groups.items() if len(group) > 1}
        self.inside = frozenset(k for g in self.groups.values() for k in g[1:-1])

    def _identities(self) -> Iterator[tuple[int, Any]]:
        """What each backward step does for which forward step: the same in all turns, and for all numbers of turns."""
        wiring = self.wiring
        seen: dict[Any, int] = {}
        signatures = {k: name for name, group in self._forward.items() for k in group}
        for k in range(wiring.first, len(wiring.steps)):
            step, origin = wiring.steps[k], self.origin.get(k, -1)
            if origin not in signatures or step.position is None:
                continue
            reads = tuple(self._role(x.number, wiring.steps[origin]) for x in step.inputs)
            name = (signatures[origin], step.operation.name, reads)
            seen[origin, name] = seen.get((origin, name), -1) + 1
            yield k, (*name, seen[origin, name])

    def _role(self, number: int, forward: Step) -> Any:
        """What a value is to a forward step: an operand, its result, a cotangent, or made for its derivative."""
        if number < 0:
            return "number"
        if number in self.wiring.flow:
            return "cotangent"
        places = [("in", n) for n, x in enumerate(forward.inputs) if x.number == number]
        places += [("out", n) for n, x in enumerate(forward.outputs) if x.number == number]
        if places:
            return places[0]
        maker = self.wiring.made_by.get(number)
        return "value" if maker is None else ("made", self.wiring.steps[maker].operation.name)

    @cached_property
    def origin(self) -> dict[int, int]:
        """Per backward step the forward step that it is a part of the derivative of, as far as that is known."""
        wiring = self.wiring
        found: dict[int, int] = {}
        for shares in wiring.backward.contributions.values():
            for owner, g in shares:
                # What is passed on unchanged is made where it came through first in backward order.
                if type(g) is int and wiring.made_by.get(g, -1) >= wiring.first:
                    found[wiring.made_by[g]] = max(owner, found.get(wiring.made_by[g], -1))
        for g, v in wiring.whose.items():
            if v in wiring.made_by:
                found.setdefault(wiring.made_by[g], wiring.made_by[v])
        for k in range(wiring.first, len(wiring.steps)):
            if k not in found and wiring.steps[k].operation.name in ("add", "add.at"):
                # A sum over turns belongs to the turn whose share comes last.
                share = wiring.made_by.get(wiring.steps[k].inputs[1].number, -1)
                if share in found:
                    found[k] = found[share]
        for k in range(len(wiring.steps) - 1, wiring.first - 1, -1):
            users = [j for out in wiring.steps[k].outputs for j in wiring.used_by.get(out.number, ()) if j in found]
            if k not in found and users:
                found[k] = found[users[0]]
        return found

    def made_in(self, family: Family) -> int:
        """The forward step that makes a variable of a loop in the first turn; -1 for what is only read."""
        return self.wiring.made_by.get(family.numbers[0], -1)

    def turn(self, k: int) -> tuple[int, int] | None:
        """How many turns there are where a backward step belongs, and which one is its own."""
        return self.place.get(self.origin.get(k, -1))

    def carries_alone(self, through: int, number: int) -> bool:
        """Whether a forward step is the only one in the turn behind that reads what a turn has made."""
        own, later = self.place.get(self.wiring.made_by.get(number, -1)), self.place.get(through)
        if own is None or later is None or own[0] != later[0] or later[1] != own[1] + 1:
            return False
        owners = {owner for owner, _ in self.wiring.backward.contributions.get(number, ())}
        return not any(self.place.get(owner) == later for owner in owners - {through})

    @cached_property
    def families(self) -> dict[int, list[Family]]:
        """By the number of turns what the steps of the loop read and make, each of them once."""
        found: dict[int, dict[tuple[int, ...], Family]] = {}
        variables = self.wiring.variables
        for signature, group in self._forward.items():
            steps = [self.wiring.steps[k] for k in group]
            slots = [(("in", n), [s.inputs[n] for s in steps]) for n in range(len(steps[0].inputs))]
            slots += [(("out", n), [s.outputs[n] for s in steps]) for n in range(len(steps[0].outputs))]
            for slot, xs in slots:
                numbers = tuple(x.number for x in xs)
                if min(numbers) < 0 or len(set(numbers)) < 2:
                    continue
                read = steps[0].operation.name == "getitem"  # x[t] is as good as a name
                named = (read and slot[0] == "out") or any(bool(variables[n].name) for n in numbers if n in variables)
                family = Family((signature, slot), numbers, named)
                found.setdefault(len(group), {}).setdefault(numbers, family)
        return {turns: list(own.values()) for turns, own in found.items()}


@lru_cache(maxsize=4)
def turns_of(wiring: Wiring) -> Turns:
    """The loops of a backward pass, which are the same on all draws with these steps."""
    return Turns(wiring)


def together(turns: Turns, edits: Sequence[Edit]) -> Iterator[tuple[Any, Edit]]:
    """Edits of single steps, joined where they are the same in the turns of a loop, under a name for all records."""
    wiring = turns.wiring
    found: dict[Any, dict[int, Edit]] = {}
    for edit in edits:
        if len(edit.changes) != 1 or edit.step not in turns.identity:
            continue
        other = None if edit.word == "detach" else repr(edit.other)
        owner = wiring.steps[edit.owner].position if edit.owner >= 0 else None
        name = (turns.identity[edit.step], edit.word, edit.operand, other, owner, edit.kind)
        found.setdefault(name, {}).setdefault(edit.step, edit)
    for name, own in found.items():
        if len(own) > 1:
            first = next(iter(own.values()))
            changes = {k: c for e in own.values() for k, c in e.changes.items()}
            yield name, replace(first, changes=changes, cost=first.cost - 0.05)


def operands_in_turns(base: Base, turns: Turns) -> Iterator[tuple[Any, Edit]]:
    """In every turn a step reads another value: another variable of the turn, or that of another turn."""
    wiring = base.wiring
    cotangents = _cotangents(turns)
    for signature, group in turns.groups.items():
        step = wiring.steps[group[0]]
        places = [turns.turn(k) for k in group]
        known = [p for p in places if p is not None]
        if len(step.outputs) != 1 or step.operation.name in _FIXED or len(known) != len(group):
            continue
        if len({count for count, _ in known}) != 1:
            continue
        options = [*turns.families.get(known[0][0], ()), *cotangents.get(known[0][0], ())]
        at = [t for _, t in known]
        for n in range(len(step.inputs)):
            own = [wiring.steps[k].inputs[n].number for k in group]
            if min(own) >= 0:
                yield from _read_instead(base, group, (signature, n), own, at, options)


def _read_instead(
    base: Base, group: list[int], where: tuple[Any, int], own: list[int], at: list[int], options: list[Family]
) -> Iterator[tuple[Any, Edit]]:
    wiring, n = base.wiring, where[1]
    values = base.values
    shapes = [np.shape(values[m]) for m in own]
    if not shapes[0] and np.asarray(values[own[0]]).dtype.kind != "f":
        return
    seen = {tuple(own)}
    for family in options:
        if np.shape(values[family.numbers[0]]) != shapes[0]:
            continue
        turns = len(family.numbers)
        same = len(set(own) & set(family.numbers)) >= len(own) - 1  # the variable itself, in some turn
        for name, places in _places(at, turns, same):
            numbers = [own[i] if p is None else family.numbers[p] for i, p in enumerate(places)]
            late = [m for k, m in zip(group, numbers, strict=True) if wiring.made_by.get(m, -1) >= k]
            if tuple(numbers) in seen or late:
                continue
            seen.add(tuple(numbers))
            changed = [i for i, m in enumerate(numbers) if not _equal(values[m], values[own[i]])]
            if not changed or any(np.shape(values[m]) != shape for m, shape in zip(numbers, shapes, strict=True)):
                continue
            changes = {group[i]: with_variable(base, group[i], n, numbers[i]) for i in changed}
            moved = name != 0 or _is_neighbour(own, at, family)
            cost = 0.15 if family.named else 0.6
            cost += 0.0 if name == 0 else 0.1
            kind = "off_by_one_index" if moved else ""
            first = changed[0]
            edit = Edit(changes, "other operand", group[first], n, numbers[first], cost, kind)
            yield (*where, family.name, name), edit


def _places(at: Sequence[int], turns: int, same: bool) -> Iterator[tuple[Any, list[int | None]]]:
    """The turn whose value is read in each turn: the same, the one before or after, the first or last one for all."""
    for shift in _SHIFTS if same else (0,):
        inside = [t + shift if 0 <= t + shift < turns else None for t in at]
        yield shift, inside
        if shift and None in inside:  # x[t - 1] is x[-1] at the start
            yield (shift, "around"), [(t + shift) % turns for t in at]
    if same:
        yield "last", [turns - 1 for _ in at]
        yield "first", [0 for _ in at]


def _is_neighbour(own: Sequence[int], at: Sequence[int], family: Family) -> bool:
    """Whether a family is what is read, one turn earlier or later."""
    numbers = family.numbers
    for by in (1, -1):
        pairs = [(m, numbers[t + by]) for m, t in zip(own, at, strict=True) if 0 <= t + by < len(numbers)]
        if pairs and all(a == b for a, b in pairs):
            return True
    return False


def _cotangents(turns: Turns) -> dict[int, list[Family]]:
    """The cotangents of what the steps of a loop make."""
    links, found = turns.wiring.backward.links, dict[int, list[Family]]()
    for count, families in turns.families.items():
        for family in families:
            numbers = tuple(g for n in family.numbers if type(g := links.get(n)) is int)
            if len(numbers) == len(family.numbers):
                found.setdefault(count, []).append(Family(("d", family.name), numbers, False))
    return found


def sums_in_turns(base: Base, turns: Turns) -> Iterator[tuple[Any, Edit]]:
    """What each turn should begin anew goes on from turn to turn: a carry that is added to and never cleared."""
    wiring = base.wiring
    kind = "accumulates_instead_of_overwrites"
    for state, before in _states(turns):
        changes = {}
        for t, (number, older) in enumerate(zip(state.numbers, before.numbers, strict=True)):
            later = wiring.backward.links.get(number)
            if type(later) is not int:
                continue
            for owner, g in wiring.backward.contributions.get(older, ()):
                k = wiring.made_by.get(g, -1) if type(g) is int else -1
                ready = wiring.made_by.get(later, -1) < k and len(wiring.steps[k].outputs) == 1
                if ready and turns.place.get(owner) == (len(state.numbers), t):
                    changes[k] = _added(base, k, later)
        if len(changes) > 1:
            yield (state.name,), Edit(changes, "added up", min(changes), -1, None, 0.3, kind, turns.made_in(state))
    for signature, group in turns.groups.items():
        outputs = [wiring.steps[k].outputs for k in group]
        if any(len(o) != 1 or o[0].number not in wiring.flow for o in outputs):
            continue
        numbers = [o[0].number for o in outputs]
        if len({np.shape(base.values[n]) for n in numbers}) != 1 or wiring.steps[group[0]].operation.name == "add.at":
            continue
        changes = {k: _added(base, k, before) for k, before in zip(group[1:], numbers, strict=False)}
        owner = turns.origin.get(group[0], -1)
        yield (signature,), Edit(changes, "added up", group[1], -1, None, 0.3, kind, owner)


def _states(turns: Turns) -> Iterator[tuple[Family, Family]]:
    """What a loop carries: the variable that each turn makes, and the same as each turn finds it."""
    for families in turns.families.values():
        for made in families:
            if made.name[1][0] == "out":
                yield from ((made, read) for read in families if read.numbers[1:] == made.numbers[:-1])


def _added(base: Base, k: int, before: int) -> Change:
    function, params = base.function(k), base.params(k)
    return lambda x, v: function(*x, **params) + v[before]


def _equal(a: Any, b: Any) -> bool:
    return a is b or bool(np.array_equal(a, b))
