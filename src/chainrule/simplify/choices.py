"""The ways in which an instance of a value can be computed, and what each costs.

An *instance* is a value times a scalar coefficient.  The coefficient can be multiplied in behind the operation, or
handed on to an operand, so that one multiplication serves all that needs the product.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.indexing import add_item
from chainrule.simplify.free_steps import is_free
from chainrule.simplify.normal_form import Table
from chainrule.simplify.overflow import may_overflow
from chainrule.simplify.scalars import UNIT, Coefficient, power_of, times
from chainrule.simplify.scaled_numbers import scaled_recipes
from chainrule.simplify.values import Recipe, Value, is_dot, plain_recipes, reciprocal_of

__all__ = [
    "OPERATION",
    "ROWS",
    "Choice",
    "Choices",
    "Instance",
    "priced",
    "scalars_of",
    "size_of",
]

Instance = tuple[int, Coefficient]

ROWS = "sum of a product with a matrix product"

# Costs are single numbers that compare first by array operations, then by arithmetic.
OPERATION = 1 << 40
_MINUS = Coefficient(Fraction(-1))
# An exponential that may overflow is a factor only where that saves two operations.
_WILD = OPERATION + (OPERATION >> 13)
_FORBIDDEN = 16 * OPERATION  # where it was tried, and made something infinite
_SCALAR = 64  # a factor that is computed at run time, in units of arithmetic
_ROUNDABOUT = 1 << 24
_LONG = 1  # a number of many digits, in units of arithmetic
_LONGEST_FRACTION = 1 << 16
_MOST_SCALES = 6  # of one value; beyond, a new scale is a multiplication

_CUBIC = frozenset((np.linalg.solve, np.linalg.inv))


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One way to compute an instance.

    Attributes:
        kind: how it is written down.
        cost: what it costs, without its operands.
        children: the instances that it needs.
        payload: what the kind needs beyond that.
        recipe: the recipe that it carries out, if it is not the plain one.
    """

    kind: str
    cost: int
    children: tuple[Instance, ...]
    payload: Any = None
    recipe: Recipe | None = None


def size_of(shape: Iterable[int]) -> int:
    """The number of elements of an array of this shape."""
    return math.prod(shape)


def priced(operations: int, arithmetic: float) -> int:
    """A cost: operations count first."""
    return operations * OPERATION + min(int(arithmetic), OPERATION // 4096)


def scalars_of(coefficient: Coefficient) -> tuple[Instance, ...]:
    """The run-time scalars in a coefficient."""
    return tuple((k[1], UNIT) for k, _ in coefficient.atoms if k[0] == "v")


def _coefficients(choice: Choice) -> list[Coefficient]:
    """The coefficients that are written down for a choice."""
    if choice.kind in ("scale", "prod"):
        return [choice.payload[0]]
    if choice.kind == "rescaled":
        return [*_coefficients(choice.payload[0]), choice.payload[1]]
    if choice.kind == "sum":
        return list(choice.payload[1])
    if choice.kind in ("op", "where", "scatter", "subtracted", "joined", "cut"):
        return [r[0] for r in choice.payload[1] if type(r) is tuple and isinstance(r[1], Value) and r[1].kind == "one"]
    return []


def _simplicity(c: Coefficient) -> Any:
    """An order of scalars, the simpler ones first."""
    return c.number < 0, sum(abs(p) for _, p in c.atoms), abs(c.number.numerator) * c.number.denominator, c.atoms


class Choices:
    """The choices for each instance, made when they are first asked for."""

    def __init__(
        self, table: Table, strict: bool = False, spoiling: Container[int] = (), banned: Container[Any] = ()
    ) -> None:
        self.table = table
        self.wild = _FORBIDDEN if strict else _WILD
        self.spoiling = spoiling  # values that must not be factors, as they were infinite where the whole is not
        self.banned = banned
        self._made: dict[Instance, list[Choice]] = {}
        self._unsigned: dict[Instance, list[Choice]] = {}  # those from before signs were moved about
        self._scales: dict[int, int] = {}
        self._wild: dict[int, bool] = {}
        self._asked: dict[int, list[Coefficient]] = {}  # by value, the scales that it was asked for with
        self.signed = False  # whether terms that are subtracted are made with the other sign as well

    def of(self, instance: Instance) -> list[Choice]:
        found = self._made.get(instance)
        if found is None:
            found = [self._with_scalars(c) for c in self._find(instance)]
            if self.banned:
                found = [self._without_banned(instance, c) for c in found]
            self._made[instance] = found
        return found

    def _without_banned(self, instance: Instance, choice: Choice) -> Choice:
        """A choice, at a prohibitive cost where it was tried and spoilt the result."""
        if (instance[0], tuple(sorted(c[0] for c in choice.children))) not in self.banned:
            return choice
        return Choice(choice.kind, choice.cost + _FORBIDDEN, choice.children, choice.payload, choice.recipe)

    @staticmethod
    def _with_scalars(choice: Choice) -> Choice:
        """A choice that names the run-time scalars that it needs behind its other operands."""
        scalars: dict[Instance, None] = {}
        long = 0
        for c in _coefficients(choice):
            scalars.update(dict.fromkeys(scalars_of(c)))
            long += c.number.denominator > _LONGEST_FRACTION
        if not scalars and not long:
            return choice
        # Scalars cost no array operation, but their powers overflow: what holds them already is better.
        powers = sum(abs(p) for c in _coefficients(choice) for k, p in c.atoms if k[0] == "v")
        cost = choice.cost + _SCALAR * int(powers) + _LONG * long
        return Choice(choice.kind, cost, (*choice.children, *scalars), choice.payload, choice.recipe)

    def sign(self) -> None:
        """From now on, let terms that are subtracted be made with the other sign as well."""
        self.signed = True
        self._unsigned, self._made = self._made, {}
        self._scales.clear()

    def again(self, changed: Container[int]) -> None:
        """As it was before signs were moved about; only the choices of values that have other recipes are made anew."""
        if self.signed:
            self._made, self.signed = self._unsigned, False
        self._made = {x: found for x, found in self._made.items() if x[0] not in changed}
        self._scales.clear()

    def _find(self, instance: Instance) -> list[Choice]:
        number, scale = instance
        value = self.table.values[number]
        for held, var in value.leaves:
            if held == scale:
                return [Choice("leaf", 0, (), var)]
        size = size_of(value.shape)
        one = 1 if value.dims else 0
        found: list[Choice] = []
        asked = self._asked.setdefault(number, [])
        if scale not in asked and len(asked) < _MOST_SCALES:
            asked.append(scale)
        if self.signed and value.kind != "leaf" and one:
            # Of the value times a simpler number, which is needed as well.
            for known in asked:
                below = power_of(known, -1)
                if known != UNIT and below is not None and _simplicity(known) < _simplicity(scale):
                    found.append(Choice("scale", priced(one, size), ((number, known),), (times(scale, below), None)))
        for held, var in value.leaves:
            below = power_of(held, -1)
            if below is not None:
                found.append(Choice("scale", priced(one, size), (), (times(scale, below), var)))
        if scale != UNIT:
            if value.kind != "leaf":
                found.append(Choice("scale", priced(one, size), ((number, UNIT),), (scale, None)))
            if scale.number < 0:
                found.append(Choice("scale", priced(one, size), ((number, times(_MINUS, scale)),), (_MINUS, None)))
        self._scales[number] = self._scales.get(number, 0) + 1
        push = scale == UNIT or self._scales[number] <= _MOST_SCALES
        for recipe in (*plain_recipes(value), *value.recipes):
            found += self._carry_out(value, scale, recipe, push)
        if not one and scale == UNIT and self.signed:
            found += self._of_scaled(value)
        return found

    def _of_scaled(self, value: Value) -> list[Choice]:
        """A number made of an array that is there times a scalar: what is divided then is the number."""
        found: list[Choice] = []
        for recipe, scale in scaled_recipes((*plain_recipes(value), *value.recipes), value, self._asked):
            for inner in self._linear(value, UNIT, recipe)[:1]:
                found.append(Choice("rescaled", inner.cost + _ROUNDABOUT, inner.children, (inner, scale), recipe))
        return found

    def _carry_out(self, value: Value, scale: Coefficient, recipe: Recipe, push: bool) -> list[Choice]:
        scale = times(scale, recipe.coefficient)
        if recipe.kind == "prod":
            return self._product(value, scale, recipe, push)
        if recipe.kind == "sum":
            return self._sum(value, scale, recipe)
        if scale != UNIT and not push:
            return []
        return self._linear(value, scale, recipe)

    def _product(self, value: Value, scale: Coefficient, recipe: Recipe, push: bool) -> list[Choice]:
        parts: tuple[tuple[Value, Any], ...] = recipe.parts
        size = size_of(value.shape)
        upwards = any(p > 0 for _, p in parts)
        operations = sum(1 if abs(p) == 1 else 2 for _, p in parts) - upwards  # without any above, k / d
        if len(parts) == 1 and parts[0][1] not in (1, -1):
            operations = 1
            upwards = True
        plain = tuple((v.number, UNIT) for v, _ in parts)
        powers = tuple(p for _, p in parts)
        extra = 1 if scale != UNIT and upwards else 0
        if not any(v.floating for v, _ in parts) and scale == UNIT:
            extra = 1
        wild = sum(self.wild for v, p in parts if self._is_wild(v if p > 0 else reciprocal_of(v)))
        wild += sum(_FORBIDDEN for v, p in parts if p > 0 and v.number in self.spoiling and len(parts) > 1)
        # Among equals a product reads better than a quotient, or than a power.
        arithmetic = size * operations + sum(p < 0 or p > 1 for _, p in parts) + _ROUNDABOUT * (recipe.identity == ROWS)
        found = [Choice("prod", wild + priced(operations + extra, arithmetic), plain, (scale, powers), recipe)]
        if extra and push and scale != UNIT:
            for k, (v, p) in enumerate(parts):
                moved = power_of(scale, p) if p in (1, -1) else None
                if moved is None or (not v.floating and not self.table.double):
                    continue  # a mask times a number would be of double precision
                children = (*plain[:k], (v.number, moved), *plain[k + 1 :])
                cost = wild + priced(operations, arithmetic)
                found.append(Choice("prod", cost, children, (UNIT, powers), recipe))
            found += self._divided(scale, parts, recipe, operations, arithmetic) if not wild else []
            if self.signed and scale.number < 0:
                found += self._turned(scale, parts, recipe, wild + priced(operations, arithmetic))
        return found

    def _turned(
        self, scale: Coefficient, parts: Sequence[tuple[Value, Any]], recipe: Recipe, cost: int
    ) -> list[Choice]:
        """A negative scale that one factor takes up without the sign, a difference its sign: ``2 * x * (b - a)``."""
        found: list[Choice] = []
        powers = tuple(p for _, p in parts)
        turned = next((k for k, (v, p) in enumerate(parts) if v.kind == "sum" and abs(p) == 1 and not v.leaves), None)
        for k, (v, p) in enumerate(parts):
            moved = power_of(times(_MINUS, scale), p) if abs(p) == 1 else None
            if turned is None or k == turned or moved is None or moved == UNIT or not v.floating:
                continue
            children = [(w.number, UNIT) for w, _ in parts]
            children[turned] = parts[turned][0].number, _MINUS
            children[k] = v.number, moved
            found.append(Choice("prod", cost, tuple(children), (UNIT, powers), recipe))
        return found

    def _divided(
        self, scale: Coefficient, parts: Sequence[tuple[Value, Any]], recipe: Recipe, operations: int, arithmetic: float
    ) -> list[Choice]:
        """A scale of which a part is in a factor that the forward pass holds: ``-(e / s) * x`` is ``(e / s) * -x``."""
        found: list[Choice] = []
        plain = [(v.number, UNIT) for v, _ in parts]
        powers = tuple(p for _, p in parts)
        for k, (v, p) in enumerate(parts):
            for held, _ in v.leaves[:3]:
                taken = power_of(held, p) if type(p) is int else None
                below = None if taken is None or held == UNIT else power_of(taken, -1)
                if below is None or times(scale, below) == UNIT:
                    continue
                rest = times(scale, below)
                if len(rest.atoms) >= len(scale.atoms):
                    continue
                children = [*plain[:k], (v.number, held), *plain[k + 1 :]]
                cost = priced(operations + 1, arithmetic)
                found.append(Choice("prod", cost, tuple(children), (rest, powers), recipe))
                for j, (w, q) in enumerate(parts):
                    moved = power_of(rest, q) if q in (1, -1) and j != k and w.floating and w.kind != "leaf" else None
                    if moved is not None:
                        own = [*children[:j], (w.number, moved), *children[j + 1 :]]
                        found.append(Choice("prod", priced(operations, arithmetic), tuple(own), (UNIT, powers), recipe))
        return found

    def _is_wild(self, value: Value | None) -> bool:
        if value is None:
            return False
        if value.number not in self._wild:
            self._wild[value.number] = may_overflow(value)
        return self._wild[value.number]

    def _sum(self, value: Value, scale: Coefficient, recipe: Recipe) -> list[Choice]:
        found = [self._signed_sum(value, scale, recipe, ())]
        if not self.signed:
            return found
        below = [k for k, (c, v) in enumerate(recipe.parts) if times(scale, c).number < 0 and v is not self.table.one]
        alone = len(below) == len(recipe.parts)  # -a - b, where -a is needed elsewhere too
        negative = [k for k in below if alone or (not recipe.parts[k][1].leaves and recipe.parts[k][1].floating)]
        # A term that is subtracted can be made with the other sign, and be added.
        if len(negative) < len(recipe.parts) or len(negative) > 1:
            found += [self._signed_sum(value, scale, recipe, (k,)) for k in negative[:3]]
            if 1 < len(negative) <= 3:
                found.append(self._signed_sum(value, scale, recipe, negative))
        if 0 < len(below) < len(recipe.parts) <= 3 and recipe.parts[0][1].dims:  # b - a of -a and -b
            found.append(self._signed_sum(value, scale, recipe, range(len(recipe.parts))))
        return found

    def _signed_sum(self, value: Value, scale: Coefficient, recipe: Recipe, turned: Sequence[int]) -> Choice:
        children: list[Instance] = []
        signs: list[int] = []
        constants: list[Coefficient] = []
        floating = False
        for n, (c, v) in enumerate(recipe.parts):
            k = times(scale, c)
            if v is self.table.one:
                constants.append(k)
                continue
            sign = -1 if (k.number < 0) is not (n in turned) else 1
            children.append((v.number, k if sign > 0 else times(_MINUS, k)))
            signs.append(sign)
            floating = floating or v.floating
        operations = len(children) - (not constants)
        if not floating and children:
            operations += 1  # a mask is cast first
        if children and max(signs) < 0 and not constants:
            operations += 1
        # Among equals a number is added rather than another array.
        cost = priced(operations, size_of(value.shape) * operations - bool(constants and operations))
        if constants or len(children) > 1:
            cost += sum(self.wild for _, v in recipe.parts if self._is_wild(v))
        return Choice("sum", cost, tuple(children), (tuple(signs), tuple(constants)), recipe)

    def _linear(self, value: Value, scale: Coefficient, recipe: Recipe) -> list[Choice]:
        kind = recipe.kind
        operands: list[Any] = list(recipe.parts)
        if kind == "op" and recipe.details[0] != "full":
            linear = recipe.details[3]
            axes = value.dims or any(self._has_axes(r) for r in operands)
            operations = 0 if is_free(recipe.details[1]) or not axes else 1
            arithmetic = float(size_of(value.shape))
            function = recipe.details[0].function
            if function is np.einsum:
                operations = max(operations, len(operands) - 1)
            if function in (np.vdot, np.vecdot) or is_dot(recipe):
                arithmetic = 2.0 * size_of(operands[0][1].shape)
                # A product and its sum are read more easily where they take no more operations.
                arithmetic += _ROUNDABOUT * (function is not np.vdot)
            if function in _CUBIC:
                order = float(operands[0][1].dims[-1].length) if type(operands[0]) is tuple else 1.0
                arithmetic = order**3 + 2 * order * size_of(value.shape)
        else:
            linear = tuple(range(len(operands)))
            if kind in ("where", "scatter", "joined"):
                return self._jointly(value, scale, recipe)
            operations = 0 if kind in ("view", "cut") else 1
            # Another product than the one at hand has to save an operation, as it is read less easily.
            arithmetic = _ROUNDABOUT * (recipe.identity == ROWS) + (kind == "view")
            if kind not in ("cut", "view"):
                arithmetic += size_of(operands[0][1].shape if kind == "reduce" else value.shape)
            if kind == "matmul":
                sizes = size_of(operands[0][1].shape) * size_of(operands[1][1].shape) * size_of(value.shape)
                arithmetic = 2 * math.sqrt(sizes)
        found: list[Choice] = []
        details = recipe.details
        if scale == UNIT:
            found.append(
                Choice(kind, priced(operations, arithmetic), self._instances(operands), (details, operands), recipe)
            )
        for k in linear if scale != UNIT else ():
            if k >= len(operands) or type(operands[k]) is not tuple or not isinstance(operands[k][1], Value):
                continue
            c, v = operands[k]
            moved = [*operands]
            moved[k] = (times(c, scale), v)
            if kind == "op" and details[0] != "full" and details[0].function is add_item and moved[k][0].number < 0:
                turned = [*moved]
                turned[k] = (times(_MINUS, moved[k][0]), v)
                found.append(self._subtracted(priced(operations, arithmetic), details, turned, recipe))
                if not self.signed:
                    continue
            found.append(Choice(kind, priced(operations, arithmetic), self._instances(moved), (details, moved), recipe))
        if kind == "reduce":
            found += self._means(operands[0], scale, recipe, arithmetic)
        elif kind == "matmul" and self.signed and scale.number < 0 and scale != _MINUS:
            # One matrix with the other sign, which may be needed so, and the other one with the rest of the scale.
            (a, u), (b, v) = operands
            size = times(_MINUS, scale)
            for first, second in ((_MINUS, size), (size, _MINUS)):
                moved = [(times(a, first), u), (times(b, second), v)]
                cost = priced(operations, arithmetic)
                found.append(Choice(kind, cost, self._instances(moved), (details, moved), recipe))
        return found

    def _jointly(self, value: Value, scale: Coefficient, recipe: Recipe) -> list[Choice]:
        """An operation that is linear in several operands together: all of them are scaled."""
        operands: list[Any] = list(recipe.parts)
        scaled = {"where": (1, 2), "scatter": (0, 1)}.get(recipe.kind, tuple(range(len(operands))))
        for k in scaled:
            c, v = operands[k]
            operands[k] = (times(c, scale), v)
        operations = 1
        if recipe.kind == "scatter":
            c, v = operands[0]
            if not v.dims or any(held == c for held, _ in v.leaves) or (c == UNIT and not v.floating):
                operations = 2  # what the forward pass holds is copied first, and a mask is cast
        cost = priced(operations, size_of(value.shape))
        found = [Choice(recipe.kind, cost, self._instances(operands), (recipe.details, operands), recipe)]
        if recipe.kind == "scatter" and operands[1][0].number < 0:
            turned = [operands[0], (times(_MINUS, operands[1][0]), operands[1][1]), *operands[2:]]
            below = self._subtracted(cost, recipe.details, turned, recipe)
            return [below, *found] if self.signed else [below]
        return found

    def _subtracted(self, cost: int, details: Any, operands: list[Any], recipe: Recipe) -> Choice:
        """What is added at an index with a minus sign is subtracted there."""
        return Choice("subtracted", cost, self._instances(operands), (details, operands), recipe)

    def _means(self, operand: Any, scale: Coefficient, recipe: Recipe, arithmetic: float) -> list[Choice]:
        """A sum that is divided by the number of its terms is a mean."""
        c, v = operand
        axes, mapping = recipe.details
        count = UNIT
        for a in axes:
            count = times(count, v.dims[a].count())
        if count is UNIT:
            return []
        rest = times(scale, count)
        if not v.floating or (rest != UNIT and _simplicity(rest)[1] >= _simplicity(scale)[1]):
            return []  # it would take up nothing of the scale
        moved = ((times(c, rest), v),)
        return [Choice("reduce", priced(1, arithmetic), self._instances(moved), ((axes, mapping, True), moved), recipe)]

    @staticmethod
    def _has_axes(r: Any) -> bool:
        return type(r) is tuple and isinstance(r[1], Value) and bool(r[1].dims)

    @staticmethod
    def _instances(operands: Iterable[Any]) -> tuple[Instance, ...]:
        return tuple(
            (r[1].number, r[0]) for r in operands if type(r) is tuple and isinstance(r[1], Value) and r[1].kind != "one"
        )
