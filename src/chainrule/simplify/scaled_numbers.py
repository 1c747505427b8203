"""Numbers that are made of an array times a scalar, where that array is there: ``np.vdot(c * x, y) / c``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from chainrule.simplify.scalars import UNIT, Coefficient, power_of, times
from chainrule.simplify.values import Recipe, Value

__all__ = ["scaled_recipes"]

_MINUS = Coefficient(Fraction(-1))
NUMBER = "number from a multiple"
_MOST_SCALES = 6  # of one operand


def scaled_recipes(
    recipes: Iterable[Recipe], value: Value, asked: Mapping[int, Sequence[Coefficient]]
) -> Iterator[tuple[Recipe, Coefficient]]:
    """Ways of computing a multiple of a number, each with what that is to be multiplied with.

    Args:
        recipes: the ways of computing the number itself.
        value: the number.
        asked: by value, the scales that it was asked for with.
    """
    for recipe in recipes:
        if recipe.kind not in ("reduce", "matmul") and (recipe.kind != "op" or not recipe.details[3]):
            continue
        for k, r in enumerate(recipe.parts):
            if type(r) is not tuple or not isinstance(r[1], Value) or not r[1].dims:
                continue
            scales = dict.fromkeys((*asked.get(r[1].number, ()), _MINUS))
            for way in r[1].recipes:
                held = [c for v, p in way.parts if p == 1 for c, _ in v.leaves[:2]] if way.kind == "prod" else []
                scales.update(dict.fromkeys(held))
            for scale in [c for c in scales if c != UNIT][:_MOST_SCALES]:
                below = power_of(scale, -1)
                if below is None or any(key == ("v", value.number) for key, _ in scale.atoms):
                    continue
                parts = (*recipe.parts[:k], (times(r[0], scale), r[1]), *recipe.parts[k + 1 :])
                scaled = Recipe(recipe.kind, UNIT, parts, recipe.details, NUMBER)
                yield scaled, times(below, recipe.coefficient)
