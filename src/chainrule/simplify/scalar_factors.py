"""Options for sums whose terms have scalar factors in common: a length, or a number that is computed at run time."""

from __future__ import annotations

from fractions import Fraction

from chainrule.simplify.making import Making
from chainrule.simplify.scalars import UNIT, Coefficient, power_of, times
from chainrule.simplify.values import Ref, Value, smaller

__all__ = ["scalar_options"]

_MOST_PRODUCTS = 12  # that a sum is a factor of


def scalar_options(options: Making, value: Value) -> None:
    """Further ways of computing a sum by the scalar factors of its terms."""
    _grouped(options, value)
    _in_front(options, value)
    _summed(options, value)


def _grouped(options: Making, value: Value) -> None:
    """Terms that have the same scalar factor, which is multiplied with their sum: ``g - (a + b) / n``."""
    groups: dict[Coefficient, list[int]] = {}
    for k, (c, _) in enumerate(value.parts):
        groups.setdefault(Coefficient(abs(c.number), c.atoms), []).append(k)
    if len(groups) < 2:
        return
    for scale, indices in groups.items():
        if len(indices) < 2 or scale == UNIT:
            continue
        below = power_of(scale, -1)
        chosen = [value.parts[k] for k in indices]
        if below is None:
            continue
        part = options.making(value, lambda b=below, t=chosen: options.table.add((times(b, c), v) for c, v in t))
        rest = [t for k, t in enumerate(value.parts) if k not in indices]
        options.recipe(value, "sum", UNIT, (*rest, (times(scale, part[0]), part[1])), None, "common factor")


def _in_front(options: Making, value: Value) -> None:
    """``v / s - w / s**2`` with a scalar s of run time is ``(v - w / s) / s``, also where it is a factor."""
    shared = {k: p for k, p in value.parts[0][0].atoms if k[0] == "v"}
    for c, _ in value.parts[1:]:
        own = dict(c.atoms)
        shared = {k: s for k, p in shared.items() if (s := smaller(p, own.get(k, 0)))}
    scale = Coefficient(Fraction(1), tuple(shared.items()))
    below = power_of(scale, -1)
    if not shared or below is None:
        return
    k, inner = options.making(value, lambda: options.table.add((times(below, c), v) for c, v in value.parts))
    if inner.kind != "sum":
        return
    scale = times(scale, k)
    options.same(value, (scale, inner), "common factor")
    for product in options.table.products.get(value.number, [])[:_MOST_PRODUCTS]:
        p = dict(product.factors)[value]
        raised = power_of(scale, p)
        factors = (*(e for e in product.factors if e[0] is not value), (inner, p))
        if raised is not None:
            made = options.making(product, lambda c=raised, f=factors: options.table.product(c, f))
            options.same(product, made, "common factor")


def _summed(options: Making, value: Value) -> None:
    """``a * x + b * x`` with scalars computed at run time is ``(a + b) * x``."""
    table = options.table
    groups: dict[Value, list[Coefficient]] = {}
    for c, v in value.parts:
        groups.setdefault(v, []).append(c)
    if len(groups) == len(value.parts) or list(groups) == [table.one]:
        return
    terms: list[Ref] = []
    for v, scalars in groups.items():
        if len(scalars) == 1 or v is table.one:
            terms += [(c, v) for c in scalars]
            continue
        opened = [t for c in scalars for t in _terms(options, c)]
        total, scalar = options.making(value, lambda o=opened: table.add(o))
        if total.number:
            terms.append(table.product(total, ((scalar, 1), (v, 1))))
    if len(terms) == 1:
        options.same(value, terms[0], "scalars collected")
    elif terms:
        options.recipe(value, "sum", UNIT, terms, None, "scalars collected")


def _terms(options: Making, c: Coefficient) -> list[Ref]:
    """A scalar as a sum, where it is a sum of the forward pass."""
    atom = next((k[1] for k, p in c.atoms if k[0] == "v" and p == 1), None)
    definition = None if atom is None else options.table.values[atom].definition
    if atom is None or definition is None:
        return [(c, options.table.one)]
    rest = times(c, Coefficient(Fraction(1), ((("v", atom), -1),)))
    return [(times(rest, k), u) for k, u in definition]
