"""The values of the normal form: sums of products of powers, each made once, with the ways of computing them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.ir import Var
from chainrule.simplify.scalars import UNIT, Coefficient, Dim

__all__ = [
    "Power",
    "Recipe",
    "Ref",
    "Value",
    "broadcast",
    "function_of",
    "is_dot",
    "multiply_by",
    "plain_recipes",
    "reciprocal_of",
    "smaller",
    "spans",
]

Power = int | Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """One way of computing a value: ``coefficient`` times an operation on other values.

    Attributes:
        kind: ``"prod"``, ``"sum"``, ``"reduce"``, ``"matmul"``, ``"view"``, ``"cut"``, ``"where"`` or
            ``"op"``.
        coefficient: what the result is multiplied with.
        parts: pairs of a value and its power, for a product; else references.
        details: what the kind needs beyond that.
        identity: the name of the identity that says that it is the same.
    """

    kind: str
    coefficient: Coefficient
    parts: tuple[Any, ...]
    details: Any = None
    identity: str = ""


@dataclass(slots=True, eq=False)
class Value:
    """A value in normal form, up to a scalar factor.

    Attributes:
        number: its place in the table.
        kind: ``"one"``, ``"leaf"``, ``"prod"``, ``"sum"``, ``"view"``, ``"cut"``, ``"reduce"``, ``"matmul"`` or
            ``"op"``.
        parts: for a product pairs of value and power; else references; what the kind is made of.
        details: axes, the mapping of a view, or operation and parameters.
        dims: its axes.
        floating: whether it is of the program's floating dtype; masks and integers are not.
        leaves: variables of the forward pass that hold it, each with the scalar factor between them.
        recipes: further ways of computing it.
        definition: for a sum of the forward pass, its terms.
    """

    number: int
    kind: str
    parts: tuple[Any, ...]
    details: Any
    dims: tuple[Dim, ...]
    floating: bool = True
    leaves: list[tuple[Coefficient, Var]] = field(default_factory=list)
    recipes: list[Recipe] = field(default_factory=list)
    definition: tuple[Any, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(d.length for d in self.dims)

    @property
    def mask(self) -> bool:
        """Whether it is an array of truth values, which is its own square; integers are not."""
        if self.floating:
            return False
        if self.kind == "leaf":
            return any(var.dtype.kind == "b" for _, var in self.leaves[:1])
        if self.kind == "op" and self.details[0] != "full":
            _, step, k, *_ = self.details
            return bool(step.outputs[k].dtype.kind == "b")
        if self.kind == "prod":
            return all(v.mask for v, _ in self.parts)
        return bool(self.parts) and self.parts[0][1].mask

    @property
    def factors(self) -> tuple[tuple[Value, Power], ...]:
        """The value as a product; empty for the number one."""
        if self.kind == "prod":
            return self.parts
        return () if self.kind == "one" else ((self, 1),)

    @property
    def terms(self) -> tuple[tuple[Coefficient, Value], ...]:
        """The value as a sum."""
        return self.parts if self.kind == "sum" else ((UNIT, self),)


Ref = tuple[Coefficient, Value]


def plain_recipes(value: Value) -> tuple[Recipe, ...]:
    """The way of computing a value that its kind says."""
    if value.kind in ("prod", "sum", "reduce", "matmul", "view", "cut"):
        details: Any = (value.details, None) if value.kind == "reduce" else value.details
        return (Recipe(value.kind, UNIT, value.parts, details),)
    if value.kind == "op":
        return (Recipe("op", UNIT, value.parts, value.details),)
    return ()


def function_of(value: Value) -> Any:
    """The function that an operation without structure applies."""
    return getattr(value.details[0], "function", None) if value.kind == "op" else None


def reciprocal_of(value: Value) -> Value | None:
    """What a value is the reciprocal of, if it is one."""
    base: Value | None = value.parts[0][0] if value.kind == "prod" and [p for _, p in value.parts] == [-1] else None
    return base


def is_dot(recipe: Recipe) -> bool:
    """Whether a product of two arrays of one shape is summed along one axis by ``np.einsum``."""
    function = recipe.details[0].function
    alike = function is np.einsum and len({r[1].shape for r in recipe.parts if type(r) is tuple}) == 1
    return alike and recipe.identity == "sum of a product"


def broadcast(parts: Iterable[tuple[Dim, ...]]) -> tuple[Dim, ...]:
    """The axes of an elementwise operation on arrays of these axes."""
    result: list[Dim] = []
    for dims in parts:
        for k in range(1, len(dims) + 1):
            if k > len(result):
                result.insert(0, dims[-k])
            elif result[-k].length == 1 and (dims[-k].length != 1 or (result[-k].one and not dims[-k].one)):
                result[-k] = dims[-k]
    return tuple(result)


def multiply_by(powers: dict[Value, Power], factors: Iterable[tuple[Value, Power]]) -> None:
    """Multiply a product by powers of values, in place; what cancels is gone."""
    for f, p in factors:
        powers[f] = powers.get(f, 0) + p
        if not powers[f]:
            del powers[f]


def smaller(p: Power, q: Power) -> Power:
    """The power that two powers of the same sign have in common."""
    if p > 0 and q > 0:
        return min(p, q)
    return max(p, q) if p < 0 and q < 0 else 0


def spans(value: Value, axis: int, whole: Dim) -> bool:
    """Whether a value varies along an axis (counted from the end) of something that it is broadcast to."""
    if len(value.dims) < -axis:
        return False
    own = value.dims[axis]
    return not own.one and not (own.length == 1 and whole.length != 1)
