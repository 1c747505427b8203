"""Further ways of computing values: factored, absorbed, pushed into reductions, merged.

Each option is an equality with a name.  Which of them are used is decided by cost (:mod:`chainrule.simplify.select`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import combinations
from operator import itemgetter
from typing import Any

from chainrule.simplify.choices import ROWS
from chainrule.simplify.common_factors import difference_of_squares, factored
from chainrule.simplify.conditions import (
    logistic_by_cases,
    masked_already,
    merge_choices,
    number_by_cases,
    tied_with_clipped,
    unguarded_logarithm,
)
from chainrule.simplify.contractions import contract, sums_with_known_products
from chainrule.simplify.linear_algebra import as_product, outer_factors, product_options, unit_matrix
from chainrule.simplify.making import Making, SpentError, without
from chainrule.simplify.read import Reader
from chainrule.simplify.reductions import merge_reductions
from chainrule.simplify.saturation import saturated, saturated_sum
from chainrule.simplify.scalar_factors import scalar_options
from chainrule.simplify.scalars import UNIT, Coefficient, Dim, power_of, times
from chainrule.simplify.selected import Selections
from chainrule.simplify.slices import cleared_already, slice_options
from chainrule.simplify.tensors import summed_in_parts, summed_over_groups
from chainrule.simplify.values import Power, Ref, Value, spans
from chainrule.simplify.windows import window_options

__all__ = ["add_options"]

_MOST_CANDIDATES = 12
_FACTOR = itemgetter(0)
_MOST_USERS = 40


def add_options(reader: Reader) -> None:
    """Add recipes to the values of a backward pass."""
    _Options(reader).run()


class _Options(Making):
    def run(self) -> None:
        self.table.forward = False
        for value, multiple in self.reader.exponents.equal:
            with suppress(SpentError):
                self.same(value, multiple, "related exponentials")
        selections = Selections(self)
        ways: dict[str, tuple[Callable[[Value], None], ...]] = {
            "sum": (
                partial(saturated_sum, self),
                self._view_of_sum,
                partial(factored, self),
                partial(difference_of_squares, self),
                self._matmul_sides,
                self._part_sums,
                partial(slice_options, self),
                partial(merge_reductions, self),
                partial(merge_choices, self),
                partial(number_by_cases, self),
                partial(tied_with_clipped, self),
                partial(logistic_by_cases, self),
                partial(scalar_options, self),
                self._opened,
                selections.replace,
            ),
            "prod": (
                selections.replace,
                partial(saturated, self),
                self.replaced,
                self._absorbed,
                self._pulled_view,
                self._small_parts,
                self._into_reductions,
                self._opened,
            ),
            "reduce": (partial(contract, self), partial(summed_over_groups, self)),
            "op": (
                partial(masked_already, self),
                partial(cleared_already, self),
                partial(unguarded_logarithm, self),
                partial(summed_in_parts, self),
                partial(window_options, self),
            ),
            "matmul": (lambda value: product_options(self.table, value, self.reader.dtype, self.making),),
        }
        for value in self.queue:  # which grows
            for way in ways.get(value.kind, ()):
                with suppress(SpentError):
                    way(value)

    # ---- sums

    def _matmul_sides(self, value: Value) -> None:
        """``a @ b + a @ c`` is ``a @ (b + c)``, ``a @ b @ d + c @ d`` is ``(a @ b + c) @ d``, ``d`` alone ``I @ d``."""
        terms: tuple[Ref, ...] = value.parts
        alone = {v.number for _, v in terms}
        for side in (0, 1):
            groups: dict[int, dict[int, tuple[Ref, Value]]] = {}  # by number of the term, the rest and what is common
            for k, (c, v) in enumerate(terms):
                c, v = as_product(self.table, (c, v))
                for common, other in outer_factors(self.table, v, side, alone) if v.kind == "matmul" else ():
                    groups.setdefault(common.number, {}).setdefault(k, ((times(c, other[0]), other[1]), common))
            for k, (c, v) in enumerate(terms):
                alike = groups.get(v.number)
                if alike and k not in alike and 1 <= len(v.dims) <= 2 and self.table.double:
                    dim = v.dims[side - 1]
                    if all(rest.dims == (dim, dim) for (_, rest), _ in alike.values()):
                        alike[k] = (c, self._unit_matrix(value, dim)), v
            for group in groups.values():
                rests = [r for r, _ in group.values()]
                if len(group) < 2 or len({len(v.dims) for _, v in rests}) > 1:
                    continue
                first, kept = next((k, common) for k, (_, common) in group.items())
                scale, inner = self.making(value, partial(self.table.add, rests))
                if inner is self.table.one or inner.shape != rests[0][1].shape or not scale.number:
                    continue
                ends = (kept, inner) if side == 0 else (inner, kept)
                dims = terms[first][1].dims
                c, v = self.making(value, lambda e=ends, d=dims: self.table.matmul((UNIT, e[0]), (UNIT, e[1]), d))
                rest = [t for k, t in enumerate(terms) if k not in group]
                self.beside(value, rest, (times(scale, c), v), "common side of products")

    def _unit_matrix(self, value: Value, dim: Dim) -> Value:
        made: Value = self.making(
            value, lambda: unit_matrix(self.table, dim, self.reader.lengths.number(dim.count(), True))
        )
        return made

    def _part_sums(self, value: Value) -> None:
        """Sums that exist already, taken for several terms at once."""
        terms: tuple[Ref, ...] = value.parts
        own = {(v.number, c.atoms): c.number for c, v in terms}
        present = {v.number for _, v in terms}
        found = 0
        for _, term in terms[:6]:
            for w in self.sums(term, value):
                if w is value or len(w.parts) >= len(terms) or found > 6:
                    continue
                if any(u.number not in present for _, u in w.parts):
                    continue
                c0, v0 = w.parts[0]
                for c, v in terms:
                    below = power_of(c0, -1)
                    if v is not v0 or below is None:
                        continue
                    scale = times(c, below)
                    scaled = [(times(scale, k), u) for k, u in w.parts]
                    if all(own.get((u.number, k.atoms)) == k.number for k, u in scaled):
                        used = {(u.number, k.atoms) for k, u in scaled}
                        rest = [t for t in terms if (t[1].number, t[0].atoms) not in used]
                        self.recipe(value, "sum", UNIT, (*rest, (scale, w)), None, "shared sum")
                        if len(rest) > 1:
                            both = (self.making(value, partial(self.table.add, rest)), (scale, w))
                            self.recipe(value, "sum", UNIT, both, None, "shared sum")
                        found += 1

    def _opened(self, value: Value) -> None:
        """Sums of the forward pass opened, and their terms expressed by them, where terms cancel."""
        terms: tuple[Ref, ...] = value.terms
        if len(terms) > 6:
            return
        replaced: dict[Value, tuple[Ref, ...]] = {}
        for _, v in terms:
            for f, p in v.factors:
                if f.definition is not None and p == 1:
                    replaced[f] = f.definition
                if f.definition is not None and p < 0:
                    self._solved(f, v, p, value.kind == "sum", replaced)
        if not replaced or len(replaced) > 4:
            return
        items = list(replaced.items())
        attempts = [(e,) for e in items] + ([tuple(items)] if len(items) > 1 else [])
        attempts += [pair for pair in combinations(items, 2) if len(items) > 2]
        for attempt in attempts:
            opened = self.making(value, lambda a=attempt: self._substituted(terms, dict(a)))
            if opened is None or not opened[0].number:
                continue
            count = len(opened[1].terms)
            if (
                count < len(terms)
                or (value.kind == "prod" and count == 2 and attempt[0][0].definition is None)
                or (count == len(terms) and value.kind == "sum")
            ):
                self.same(value, opened, "sum of the forward pass opened")
                if count == 1 and value.kind == "sum":
                    self._in_products(value, opened)

    def _in_products(self, value: Value, found: Ref) -> None:
        """A sum that turned out to be a product: what it is a factor of is a product of other factors then."""
        for product in self.table.products.get(value.number, [])[:_MOST_CANDIDATES]:
            p = dict(product.factors)[value]
            scale = power_of(found[0], p)
            if scale is None:
                continue
            rest = [e for e in product.factors if e[0] is not value]
            factors = (*rest, *((f, q * p) for f, q in found[1].factors))
            whole = self.making(product, lambda c=scale, f=factors: self.table.product(c, f))
            self.same(product, whole, "sum of the forward pass opened")

    def _solved(self, base: Value, v: Value, p: Power, in_sum: bool, replaced: dict[Value, tuple[Ref, ...]]) -> None:
        """A term of a forward sum by which is divided, expressed by the sum: ``e`` in ``e / (1 + e)``."""
        assert base.definition is not None
        if len(base.definition) != 2 or (not in_sum and p > -2):
            return
        for (c, atom), other in (base.definition, base.definition[::-1]):
            if atom is self.table.one or atom.kind in ("prod", "sum"):
                continue
            if any(f is atom for f, _ in v.factors):
                inverse = power_of(c, -1)
                assert inverse is not None
                minus = times(Coefficient(inverse.number * -1, inverse.atoms), other[0])
                replaced[atom] = ((inverse, base), (minus, other[1]))

    def _substituted(self, terms: Sequence[Ref], replaced: dict[Value, tuple[Ref, ...]]) -> Ref | None:
        table = self.table
        result: list[Ref] = []
        for c, v in terms:
            current: list[Ref] = [(c, table.one)]
            for f, p in v.factors:
                if f in replaced and p == 1:
                    current = [self._times(t, r) for t in current for r in replaced[f]]
                else:
                    current = [table.product(k, (*u.factors, (f, p))) for k, u in current]
            result += current
        return table.add(result) if len(result) <= 24 else None

    def _times(self, a: Ref, b: Ref) -> Ref:
        return self.table.product(times(a[0], b[0]), (*a[1].factors, *b[1].factors))

    # ---- products

    def _divides(self, small: Value, powers: dict[Value, Power], sign: int) -> bool:
        for f, q in small.factors:
            p, wanted = powers.get(f, 0), q * sign
            if not (0 < wanted <= p or p <= wanted < 0):
                return False
        return True

    def _absorbed(self, value: Value) -> None:
        """Products that exist already, taken for several factors at once."""
        powers = dict(value.factors)
        count = len(powers)
        candidates: list[tuple[int, int, Value]] = []
        seen = {value.number}
        for f in powers:
            for w in self.products(f, value):
                if w.number in seen:
                    continue
                seen.add(w.number)
                held = w.factors
                # Most products have a factor that this one lacks: that is seen before anything else is asked.
                if len(held) > count or not all(map(powers.__contains__, map(_FACTOR, held))) or not self.is_known(w):
                    continue
                for sign in (1, -1):
                    if self._divides(w, powers, sign):
                        exponents: list[Any] = [q for _, q in held]
                        weight = sum(map(abs, exponents))
                        candidates.append((-int(2 * weight) - bool(w.leaves), sign, w))
        chosen = sorted(candidates, key=lambda e: (e[0], e[2].number))[: self.candidates]
        for _, sign, w in chosen:
            taken = [(f, q * sign) for f, q in w.factors]
            c, rest = self.making(value, lambda t=taken: self.table.product(UNIT, without(value, t)))
            parts = [(w, sign)] if rest is self.table.one else [(w, sign), (rest, 1)]
            if rest is w and sign == 1:
                parts = [(w, 2)]
            name = "product of the forward pass" if w.leaves else "shared product"
            self.recipe(value, "prod", c, parts, None, name)
            if len(rest.factors) > 1 or (rest.kind == "prod"):
                self.recipe(value, "prod", c, [(w, sign), *rest.factors], None, name)

    def _pulled_view(self, value: Value) -> None:
        """A product of equal views is the view of a product."""
        mappings = {(f.details, len(f.parts[0][1].dims)) if f.kind == "view" else None for f, _ in value.factors}
        if len(mappings) != 1 or None in mappings:
            return
        ((mapping, _),) = [m for m in mappings if m is not None]
        c, inner = self.making(value, lambda: self.table.product(UNIT, [(f.parts[0][1], p) for f, p in value.factors]))
        if inner is not self.table.one:
            self.recipe(value, "view", c, ((UNIT, inner),), mapping, "view of a product")

    def _view_of_sum(self, value: Value) -> None:
        """A sum of equal views is the view of a sum; so are views that differ in how the axes are permuted."""
        parts = value.parts
        if any(v.kind != "view" for _, v in parts):
            return
        ranks = {len(v.parts[0][1].dims) for _, v in parts}
        mappings = {v.details for _, v in parts}
        if len(ranks) > 1 or len({tuple(a is None for a in m) for m in mappings}) > 1:
            return
        mapping = parts[0][1].details
        rank = len(parts[0][1].parts[0][1].dims)
        if len(mappings) > 1:
            if None not in mapping or any(len(set(m) - {None}) != rank for m in mappings):
                return
            count = iter(range(rank))
            mapping = tuple(None if a is None else next(count) for a in mapping)
        own = [(c, v.parts[0][1], [a for a in v.details if a is not None]) for c, v in parts]
        if len(mappings) == 1:
            own = [(c, v, list(range(rank))) for c, v, _ in own]
        scale, inner = self.making(value, lambda: self.table.add(self.table.view((c, v), m, rank) for c, v, m in own))
        if inner is not self.table.one and scale.number and len(inner.dims) == rank:
            self.recipe(value, "view", scale, ((UNIT, inner),), mapping, "view of a product")

    def _small_parts(self, value: Value) -> None:
        """Factors of a smaller shape multiplied among themselves first."""
        by_dims: dict[Any, list[tuple[Value, Power]]] = {}
        for f, p in value.factors:
            if f.dims != value.dims:
                by_dims.setdefault(f.dims, []).append((f, p))
        for group in by_dims.values():
            if len(group) > 1 and len(group) < len(value.factors):
                rest = [e for e in value.factors if e not in group]
                c, part = self.making(value, lambda g=group: self.table.product(UNIT, g))
                self.recipe(value, "prod", c, [(part, 1), *rest], None, "small factors first")

    def _into_reductions(self, value: Value) -> None:
        """A factor that is constant along a reduction, moved into it where it meets a known product there."""
        table = self.table
        for r, p in value.factors:
            atom = r.parts[0][1] if r.kind == "view" else r
            if p != 1 or atom.kind != "reduce":
                continue
            inner: Value = atom.parts[0][1]
            positions = atom.details
            rank = len(inner.dims)
            kept = [k for k in range(rank) if k not in positions]
            whole: list[int | None] = [kept.index(k) if k in kept else None for k in range(rank)]
            trimmed = list(whole)
            while trimmed and trimmed[0] is None:
                trimmed.pop(0)
            if r.kind == "view" and list(r.details) != trimmed:
                continue
            others = [(f, q) for f, q in value.factors if f is not r]
            usable: list[tuple[tuple[Value, Power], tuple[Value, Power]]] = []
            for f, q in others:
                if r.kind == "view" or trimmed == list(range(len(atom.dims))):
                    moved = f
                else:
                    moved = table.view((UNIT, f), whole, len(atom.dims))[1]
                if moved is table.one or any(spans(moved, a - rank, inner.dims[a]) for a in positions):
                    continue
                if len(moved.dims) <= rank:
                    usable.append(((f, q), (moved, q)))
            sets = [[u] for u in usable] + ([usable] if len(usable) > 1 else [])
            for chosen in sets:
                self._push(value, r, atom, inner, (positions, trimmed if r.kind == "view" else None), chosen)

    def _push(self, value: Value, r: Value, atom: Value, inner: Value, details: Any, chosen: Any) -> None:
        table = self.table
        powers = dict(inner.factors)
        for _, (f, q) in chosen:
            powers[f] = powers.get(f, 0) + q
        meets = any(
            self.is_known(w) and self._divides(w, powers, 1) and any(g in dict(inner.factors) for g, _ in w.factors)
            for _, (f, _) in chosen
            for w in self.table.products.get(f.number, [])[:_MOST_USERS]
        ) or any(not powers[f] for _, (f, _) in chosen)
        if not meets:
            return
        c, child = self.making(value, lambda: table.product(UNIT, (*inner.factors, *(m for _, m in chosen))))
        if child is table.one or child.dims != inner.dims:
            return
        scale, whole = self.making(value, lambda: table.product(UNIT, ((r, 1), *(f for f, _ in chosen))))
        below = power_of(scale, -1)
        if below is None or whole.kind != "prod":
            return
        self.recipe(whole, "reduce", times(c, below), ((UNIT, child),), details, "factor moved into a sum")
        self._as_its_own(whole, times(c, below), child, details, "factor moved into a sum")
        for k, other in sums_with_known_products(self, whole, child, details[0]):
            self.recipe(whole, "reduce", times(times(c, below), k), ((UNIT, other),), details, ROWS)
            self._as_its_own(whole, times(times(c, below), k), other, details, ROWS)
        if whole is not value:
            rest = [e for e in value.factors if e[0] is not r and e not in [f for f, _ in chosen]]
            self.recipe(value, "prod", scale, [(whole, 1), *rest], None, "factor moved into a sum")

    def _as_its_own(self, whole: Value, coefficient: Coefficient, child: Value, details: Any, name: str) -> None:
        """A sum that a factor was moved into, as a value that has further ways of being computed."""
        axes, mapping = details
        if child.kind != "prod":
            return
        total = self.total(whole, child, axes)
        if mapping is not None:
            self.recipe(whole, "view", coefficient, ((UNIT, total),), tuple(mapping), name)
            return
        leading = len(whole.dims) - len(total.dims)  # axes of length 1, which need not be there
        if total.dims == whole.dims[leading:] and all(d.one for d in whole.dims[:leading]):
            self.same(whole, (coefficient, total), name)
