"""What instances cost by themselves, and which values can need each other."""

from __future__ import annotations

from collections.abc import Container, Iterator

from chainrule.simplify.choices import Choices, Instance, priced, scalars_of, size_of
from chainrule.simplify.scalars import UNIT
from chainrule.simplify.values import Recipe, Value, plain_recipes

__all__ = ["Estimates"]

_INFINITE = 1 << 62


class Estimates:
    """Costs as if nothing were shared.

    Attributes:
        choices: the ways of computing each instance.
        groups: for each value a number that it has in common with those that it can need and that can need it.
        mutual: the groups of more than one value.
        final: the costs that were estimated and will not change.
    """

    def __init__(self, choices: Choices, needed: dict[int, dict[int, None]] | None = None) -> None:
        self.choices = choices
        self._needed: dict[int, dict[int, None]] = needed or {}  # by value, what some way of computing it needs
        self.groups: dict[int, int] = {}
        self.mutual: set[int] = set()
        self._estimates: dict[int, int] = {}
        self.final: dict[Instance, int] = {}
        self._closed: set[int] = set()  # values whose estimates are final
        self._least: dict[Instance, int] = {}

    def estimate(self, instance: Instance) -> int:
        """The cost of an instance by itself; a scalar factor is another multiplication."""
        found = self.final.get(instance)
        if found is not None:
            return found
        number, scale = instance
        if number not in self._estimates:
            self._explore(number)
        found = self._estimates[number]
        if scale is not UNIT:
            value = self.choices.table.values[number]
            held = any(held is scale for held, _ in value.leaves)
            found = 0 if held else found + priced(1 if value.dims else 0, size_of(value.shape))
        if number in self._closed:
            self.final[instance] = found
        return found

    def least(self, instance: Instance) -> int:
        """What an instance costs at least, without its operands."""
        found = self._least.get(instance)
        if found is None:
            number, scale = instance
            value = self.choices.table.values[number]
            if any(held == scale for held, _ in value.leaves):
                found = 0
            elif scale == UNIT:
                found = min((o.cost for o in self.choices.of(instance)), default=0)
            else:
                found = min(
                    (o.cost for o in self.choices.of((number, UNIT)) if o.kind != "leaf"),
                    default=_INFINITE,
                )
                found = min(found, priced(1 if value.dims else 0, size_of(value.shape)))
            self._least[instance] = found
        return found

    def _explore(self, number: int) -> None:
        """Estimates for a value and all that it may need; which of them may need each other (Tarjan's algorithm)."""
        memo, groups = self._estimates, self.groups
        places: dict[int, int] = {}  # by value, when it was first seen
        lowest: dict[int, int] = {}
        open_values: list[int] = []
        stack: list[tuple[int, Iterator[int]]] = []

        def enter(n: int) -> None:
            places[n] = lowest[n] = len(places)
            open_values.append(n)
            if n not in self._needed:
                self._needed[n] = _needed_by(self.choices.table.values[n])
            stack.append((n, iter(self._needed[n])))

        enter(number)
        while stack:
            top, children = stack[-1]
            for c in children:
                if c in groups:
                    continue
                if c not in places:
                    enter(c)
                    break
                lowest[top] = min(lowest[top], places[c])
            else:
                stack.pop()
                if stack:
                    lowest[stack[-1][0]] = min(lowest[stack[-1][0]], lowest[top])
                memo[top] = _INFINITE
                memo[top] = min(
                    (
                        o.cost + sum(self.estimate(c) if c[0] in memo else _INFINITE for c in o.children)
                        for o in self.choices.of((top, UNIT))
                    ),
                    default=_INFINITE,
                )
                self._closed.add(top)
                if lowest[top] == places[top]:
                    if open_values[-1] != top:
                        self.mutual.add(top)
                    while top not in groups:
                        groups[open_values.pop()] = top

    def untied(self, number: int | None) -> Estimates:
        """Estimates without ways that need values made later: those of a value and its group, or of all groups."""
        group = None if number is None else self.groups.get(number)
        changed: set[int] = set()
        for value in self.choices.table.values:
            own = self.groups.get(value.number)
            if own is None or own not in self.mutual or group not in (None, own):
                continue
            value.recipes[:] = [r for r in value.recipes if self._latest(r) < value.number]
            changed.add(value.number)
        return self.again(changed)

    def again(self, changed: Container[int] = ()) -> Estimates:
        """Estimates of the same choices, from before signs were moved about."""
        self.choices.again(changed)
        return Estimates(self.choices, {n: found for n, found in self._needed.items() if n not in changed})

    @staticmethod
    def _latest(recipe: Recipe) -> int:
        """The last value that a recipe needs."""
        place = 0 if recipe.kind == "prod" else 1
        parts = (p[place] for p in recipe.parts if type(p) is tuple)
        return max((v.number for v in parts if isinstance(v, Value)), default=-1)


def _needed_by(value: Value) -> dict[int, None]:
    """The values that some way of computing a value needs."""
    found: dict[int, None] = {}
    for recipe in (*plain_recipes(value), *value.recipes):
        scalars = [recipe.coefficient]
        for part in recipe.parts:
            if type(part) is tuple and recipe.kind == "prod":
                found[part[0].number] = None
            elif type(part) is tuple and isinstance(part[1], Value):
                scalars.append(part[0])
                if part[1].kind != "one":
                    found[part[1].number] = None
        for c in scalars:
            found.update(dict.fromkeys(n for n, _ in scalars_of(c)))
    return found
