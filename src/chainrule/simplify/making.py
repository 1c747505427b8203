"""What the options have in common: values that are made for them, recipes that are added, sums that are divided.

How much is tried for each value of a backward pass is limited, so that the effort for long programs grows with their
length.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from chainrule.simplify.normal_form import Table
from chainrule.simplify.read import Reader
from chainrule.simplify.scalars import UNIT, Coefficient, power_of
from chainrule.simplify.values import Power, Recipe, Ref, Value

__all__ = ["Making", "SpentError", "without"]

_MOST_USERS = 20
_DEPTH = 4  # of values that are made for options of values that were made for options
_EFFORT = 2400  # values that are made for options where there are few values of the backward pass
_LEAST = 3  # the same for each of many
_CANDIDATES = (4, 12)  # of products to take for several factors at once: the fewest and the most
_RECIPES = (8, 40)  # of one value
_NEIGHBOURS = 40


def _frozen(x: Any) -> Any:
    """A part of a recipe as something that can be compared."""
    if type(x) is tuple or type(x) is list:
        return tuple(map(_frozen, x))
    if isinstance(x, Value):
        return x.number
    return x if isinstance(x, int | str | Fraction | Coefficient | None) else id(x)


def _around(values: Sequence[Value], value: Value) -> Sequence[Value]:
    """Values that were made at about the same time, if there are many."""
    if len(values) <= _NEIGHBOURS:
        return values
    place = bisect_left(values, value.number, key=lambda v: v.number)
    first = max(0, min(place - _NEIGHBOURS // 2, len(values) - _NEIGHBOURS))
    return values[first : first + _NEIGHBOURS]


class SpentError(Exception):
    """Enough has been made for one value of the backward pass."""


class Making:
    """Makes values for options, and adds recipes; values that are new get options of their own.

    Attributes:
        queue: the values whose options are sought; it grows meanwhile.
        candidates: how many products are taken for several factors at once.
        depths: how far a value that was made for an option is from the backward pass.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.table: Table = reader.table
        self.depths: dict[int, int] = {}
        self.queue = [v for v in reader.table.values if v.number not in reader.forward_values]
        self._share = max(_LEAST, _EFFORT // (len(self.queue) + 1))
        self.candidates = max(_CANDIDATES[0], min(_CANDIDATES[1], self._share))
        self._most_recipes = max(_RECIPES[0], min(_RECIPES[1], 2 * self._share))
        self._origins: dict[int, int] = {}  # by value that was made, the value of the backward pass that it is for
        self._counts: dict[int, int] = {}
        self._held = {f: [w for w in users if w.leaves] for f, users in self.table.products.items()}
        self._recipes: set[Any] = set()
        self._equal: dict[int, list[Ref]] = {}  # by value, what it is a multiple of

    def making(self, parent: Value, make: Any, needed: bool = False) -> Any:
        """What ``make`` returns; the values that are new let have options of their own.

        Raises:
            SpentError: where enough has been made already, unless it is ``needed`` for what is made to be finite.
        """
        origin = self._origins.get(parent.number, parent.number)
        count = self._counts.get(origin, 0)
        if count > self._share and not needed:
            raise SpentError("enough has been made for this value")
        before = len(self.table.values)
        result = make()
        made = self.table.values[before:]
        self._counts[origin] = count + len(made)
        depth = self.depths.get(parent.number, 0) + 1
        for value in made:
            self.depths[value.number] = depth
            self._origins[value.number] = origin
            self.reader.positions[value.number] = self.reader.positions.get(parent.number)
            if depth <= _DEPTH:
                self.queue.append(value)
        return result

    def total(self, parent: Value, inner: Value, axes: tuple[int, ...]) -> Value:
        """A sum along axes, as it stands, as a value that has options of its own."""
        dims = tuple(d for k, d in enumerate(inner.dims) if k not in axes)
        key = (inner.number, axes)
        made: Value = self.making(parent, lambda: self.table.make("reduce", key, axes, ((UNIT, inner),), dims))
        return made

    def products(self, factor: Value, value: Value) -> Sequence[Value]:
        """Products with a factor: all if they are few, else those that the forward pass holds."""
        users = self.table.products.get(factor.number, ())
        return users if len(users) <= _NEIGHBOURS else _around(self._held.get(factor.number, ()), value)

    def sums(self, term: Value, value: Value) -> Sequence[Value]:
        """Sums with a term."""
        return _around(self.table.sums.get(term.number, ()), value)

    def is_known(self, value: Value) -> bool:
        """Whether a value is computed already, or was made to be."""
        return bool(value.leaves) or value.number in self.reader.made_by or value.number in self.depths

    def recipe(self, value: Value, kind: str, coefficient: Coefficient, parts: Any, details: Any, name: str) -> None:
        if any(type(x) is tuple and (x[0] is value or x[1] is value) for x in parts):
            return
        key = (value.number, kind, coefficient, tuple(_frozen(x) for x in parts), _frozen(details))
        if len(value.recipes) < self._most_recipes and key not in self._recipes:
            self._recipes.add(key)
            value.recipes.append(Recipe(kind, coefficient, tuple(parts), details, name))

    def same(self, value: Value, ref: Ref, name: str) -> None:
        """``value`` is a multiple of another value."""
        coefficient, other = ref
        if other is value or not coefficient.number:
            return
        if other is self.table.one:
            return
        self.recipe(value, "prod", coefficient, ((other, 1),), None, name)
        known = self._equal.setdefault(value.number, [])
        if other.kind != "sum" and ref not in known and len(known) < 4:
            known.append(ref)
            for user in self.table.products.get(value.number, [])[:_MOST_USERS]:
                self.replaced(user)

    def beside(self, value: Value, rest: Sequence[Ref], ref: Ref, name: str) -> None:
        """``value`` is the sum of other terms and of a multiple of another value; without others it is that."""
        if rest:
            self.recipe(value, "sum", UNIT, (*rest, ref), None, name)
        else:
            self.same(value, ref, name)

    def replaced(self, user: Value) -> None:
        """A product with a factor that is a multiple of another value is a product with that one."""
        for v, p in user.factors:
            for coefficient, other in self._equal.get(v.number, ()):
                scale = power_of(coefficient, p)
                if scale is None:
                    continue
                rest = [e for e in user.factors if e[0] is not v]
                factors = [*rest, *((f, q * p) for f, q in other.factors)]
                found = self.making(user, lambda s=scale, f=factors: self.table.product(s, f))
                if found[1].kind != "sum" and found[1].dims == user.dims:
                    self.same(user, found, "shared product")

    def divided(self, terms: Sequence[Ref], factors: Sequence[tuple[Value, Power]]) -> Ref:
        """The sum of the terms without a factor that all have."""
        return self.table.add([self.table.product(c, without(v, factors)) for c, v in terms])


def without(value: Value, factors: Sequence[tuple[Value, Power]]) -> list[tuple[Value, Power]]:
    """The factors of a product but for some; of a mask, whose square it is as well, nothing is left."""
    removed = dict(factors)
    masks = {f for f in removed if f.mask}
    rest = [(f, p) for f, p in value.factors if f not in masks]
    return rest + [(f, -p) for f, p in factors if f not in masks]
