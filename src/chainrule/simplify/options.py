"""Further ways of computing values: factored, absorbed, pushed into reductions, merged.

Each option is an equality with a name.  Which of them are used is decided by cost (:mod:`chainrule.simplify.select`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from chainrule.simplify.normal_form import Table
from chainrule.simplify.read import Reader
from chainrule.simplify.scalars import UNIT, Coefficient, power_of, times
from chainrule.simplify.values import Power, Recipe, Ref, Value, spans

__all__ = ["add_options"]

_DEPTH = 4  # of values that are made for options of values that were made for options
_MOST_CANDIDATES = 12
_MOST_USERS = 40


def add_options(reader: Reader) -> None:
    """Add recipes to the values of a backward pass."""
    _Options(reader).run()


def _smaller(p: Power, q: Power) -> Power:
    """The power that two powers of the same sign have in common."""
    if p > 0 and q > 0:
        return min(p, q)
    return max(p, q) if p < 0 and q < 0 else 0


class _Options:
    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.table: Table = reader.table
        self.depths: dict[int, int] = {}
        self.queue: list[Value] = []

    def run(self) -> None:
        table = self.table
        table.forward = False
        first = len(self.reader.forward_values)
        self.queue = [v for v in table.values if v.number not in self.reader.forward_values]
        del first
        limit = 30 * len(self.queue) + 200
        done = 0
        while done < len(self.queue) and done < limit:
            value = self.queue[done]
            done += 1
            if value.kind == "sum":
                self._factored(value)
                self._matmul_sides(value)
                self._part_sums(value)
                self._onto(value)
                self._merged_choices(value)
                self._summed_scalars(value)
                self._opened(value)
            elif value.kind == "prod":
                self._absorbed(value)
                self._pulled_view(value)
                self._small_parts(value)
                self._into_reductions(value)
                self._opened(value)

    # ---- helpers

    def _enter(self, made: Iterable[Value], parent: Value) -> None:
        """Let new values have options of their own."""
        depth = self.depths.get(parent.number, 0) + 1
        for value in made:
            self.depths[value.number] = depth
            self.reader.positions[value.number] = self.reader.positions.get(parent.number)
            if depth <= _DEPTH:
                self.queue.append(value)

    def _making(self, parent: Value, make: Any) -> Any:
        before = len(self.table.values)
        result = make()
        self._enter(self.table.values[before:], parent)
        return result

    def _recipe(self, value: Value, kind: str, coefficient: Coefficient, parts: Any, details: Any, name: str) -> None:
        if any(type(x) is tuple and (x[0] is value or x[1] is value) for x in parts):
            return
        if len(value.recipes) < 40:
            value.recipes.append(Recipe(kind, coefficient, tuple(parts), details, name))

    def _same(self, value: Value, ref: Ref, name: str) -> None:
        """``value`` is a multiple of another value."""
        coefficient, other = ref
        if other is value or not coefficient.number:
            return
        if other is self.table.one:
            return
        self._recipe(value, "prod", coefficient, ((other, 1),), None, name)

    # ---- sums

    def _divided(self, terms: Sequence[Ref], factors: Sequence[tuple[Value, Power]]) -> Ref:
        """The sum of the terms without a factor that all have."""
        inverse = [(v, -p) for v, p in factors]
        return self.table.add([self.table.product(c, (*v.factors, *inverse)) for c, v in terms])

    def _factored(self, value: Value) -> None:
        terms: tuple[Ref, ...] = value.parts
        users: dict[Value, list[int]] = {}
        for k, (_, v) in enumerate(terms):
            for f, _ in v.factors:
                users.setdefault(f, []).append(k)
        seen: set[Any] = set()
        for indices in list(users.values()):
            if len(indices) < 2:
                continue
            for group in (tuple(indices), *(combinations(indices, 2) if 2 < len(indices) <= 4 else ())):
                self._factor_group(value, terms, group, seen)

    def _factor_group(self, value: Value, terms: tuple[Ref, ...], group: tuple[int, ...], seen: set[Any]) -> None:
        chosen = [terms[k] for k in group]
        shared: dict[Value, Power] = dict(chosen[0][1].factors)
        for _, v in chosen[1:]:
            own = dict(v.factors)
            shared = {f: s for f, p in shared.items() if (s := _smaller(p, own.get(f, 0)))}
        subsets = [tuple(shared.items())]
        if 1 < len(shared) <= 4:
            subsets += [(f,) for f in shared.items()]
            subsets += [tuple(f for f in shared.items() if f is not g and f != g) for g in shared.items()]
        for factors in subsets:
            key = (group, tuple((f.number, p) for f, p in factors))
            if key in seen or not factors:
                continue
            seen.add(key)
            coefficient, inner = self._making(value, lambda f=factors: self._divided(chosen, f))
            if not coefficient.number:
                continue
            if len(group) == len(terms):
                self._recipe(value, "prod", coefficient, (*factors, *inner.factors), None, "common factor")
                continue
            scale, part = self._making(value, lambda f=factors, v=inner: self.table.product(UNIT, (*f, (v, 1))))
            rest = [t for k, t in enumerate(terms) if k not in group]
            self._recipe(value, "sum", UNIT, (*rest, (times(coefficient, scale), part)), None, "common factor")

    def _matmul_sides(self, value: Value) -> None:
        """``a @ b + a @ c`` is ``a @ (b + c)``."""
        terms: tuple[Ref, ...] = value.parts
        products: list[Any] = [
            (k, c, v.parts[0][1], v.parts[1][1]) for k, (c, v) in enumerate(terms) if v.kind == "matmul"
        ]
        for side in (0, 1):
            groups: dict[int, list[Any]] = {}
            for p in products:
                groups.setdefault(p[2 + side].number, []).append(p)
            for group in groups.values():
                if len(group) < 2 or len({len(p[3 - side].dims) for p in group}) > 1:
                    continue
                kept: Value = group[0][2 + side]
                scale, inner = self._making(value, lambda g=group, s=side: self.table.add((p[1], p[3 - s]) for p in g))
                if inner is self.table.one or inner.shape != group[0][3 - side].shape or not scale.number:
                    continue
                ends = (kept, inner) if side == 0 else (inner, kept)
                dims = terms[group[0][0]][1].dims
                c, v = self._making(value, lambda e=ends, d=dims: self.table.matmul((UNIT, e[0]), (UNIT, e[1]), d))
                used = {p[0] for p in group}
                rest = [t for k, t in enumerate(terms) if k not in used]
                if rest:
                    self._recipe(value, "sum", UNIT, (*rest, (times(scale, c), v)), None, "common side of products")
                else:
                    self._same(value, (times(scale, c), v), "common side of products")

    def _part_sums(self, value: Value) -> None:
        """Sums that exist already, taken for several terms at once."""
        terms: tuple[Ref, ...] = value.parts
        own = {(v.number, c.atoms): c.number for c, v in terms}
        found = 0
        for _, term in terms[:6]:
            for w in self.table.sums.get(term.number, [])[:_MOST_USERS]:
                if w is value or len(w.parts) >= len(terms) or found > 6:
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
                        self._recipe(value, "sum", UNIT, (*rest, (scale, w)), None, "shared sum")
                        found += 1

    def _onto(self, value: Value) -> None:
        """What is added at an index is added onto the other terms, not to zeros first."""
        terms: tuple[Ref, ...] = value.parts
        for k, (c, v) in enumerate(terms):
            at = self.table.scatters.get(v)
            if at is None:
                continue
            rest = [t for n, t in enumerate(terms) if n != k]
            scale, base = self._making(value, lambda r=rest: self.table.add(r))
            if base is self.table.one or base.shape != value.shape or not base.floating:
                continue
            amount = v.parts[1]
            parts = ((scale, base), (times(c, amount[0]), amount[1]), *at.arrays)
            self._recipe(value, "scatter", UNIT, parts, at.step, "added in place")

    def _merged_choices(self, value: Value) -> None:
        """``where(m, a, 0) + where(m, 0, b)`` is ``where(m, a, b)``."""
        terms: tuple[Ref, ...] = value.parts
        found: dict[Any, list[tuple[int, int]]] = {}
        for k, (_, v) in enumerate(terms):
            if v.kind == "op" and v.details[0] != "full" and v.details[0].function is np.where and v.details[3]:
                found.setdefault(v.parts[0][1], []).append((k, v.details[3][0]))
        for pair in found.values():
            if len(pair) != 2 or {side for _, side in pair} != {1, 2}:
                continue
            (j, _), (k, _) = sorted(pair, key=lambda e: e[1])
            (a, u), (b, v) = terms[j], terms[k]
            parts = (u.parts[0], (times(a, u.parts[1][0]), u.parts[1][1]), (times(b, v.parts[2][0]), v.parts[2][1]))
            rest = [t for n, t in enumerate(terms) if n not in (j, k)]
            if rest:
                scale, merged = self._making(value, lambda p=(terms[j], terms[k]): self.table.add(p))
                self._recipe(value, "sum", UNIT, (*rest, (scale, merged)), None, "choices merged")
            elif any(x[1].floating for x in parts[1:]):
                self._recipe(value, "where", UNIT, parts, None, "choices merged")

    def _summed_scalars(self, value: Value) -> None:
        """``a * x + b * x`` with scalars computed at run time is ``(a + b) * x``."""
        groups: dict[Value, list[Coefficient]] = {}
        for c, v in value.parts:
            groups.setdefault(v, []).append(c)
        if len(groups) == len(value.parts) or list(groups) == [self.table.one]:
            return
        terms: list[Ref] = []
        for v, scalars in groups.items():
            if len(scalars) == 1 or v is self.table.one:
                terms += [(c, v) for c in scalars]
                continue
            opened = [t for c in scalars for t in self._scalar_terms(c)]
            total, scalar = self._making(value, lambda o=opened: self.table.add(o))
            if total.number:
                terms.append(self.table.product(total, ((scalar, 1), (v, 1))))
        if len(terms) == 1:
            self._same(value, terms[0], "scalars collected")
        elif terms:
            self._recipe(value, "sum", UNIT, terms, None, "scalars collected")

    def _scalar_terms(self, c: Coefficient) -> list[Ref]:
        """A scalar as a sum, where it is a sum of the forward pass."""
        atom = next((k[1] for k, p in c.atoms if k[0] == "v" and p == 1), None)
        definition = None if atom is None else self.table.values[atom].definition
        if atom is None or definition is None:
            return [(c, self.table.one)]
        rest = times(c, Coefficient(Fraction(1), ((("v", atom), -1),)))
        return [(times(rest, k), u) for k, u in definition]

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
            opened = self._making(value, lambda a=attempt: self._substituted(terms, dict(a)))
            if opened is None or not opened[0].number:
                continue
            count = len(opened[1].terms)
            if (
                count < len(terms)
                or (value.kind == "prod" and count == 2 and attempt[0][0].definition is None)
                or (count == len(terms) and value.kind == "sum")
            ):
                self._same(value, opened, "sum of the forward pass opened")

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
            p, wanted = Fraction(powers.get(f, 0)), Fraction(q) * sign
            if not p or (p > 0) != (wanted > 0) or abs(wanted) > abs(p):
                return False
        return True

    def _known_product(self, w: Value) -> bool:
        return bool(w.leaves) or w.number in self.reader.made_by or w.number in self.depths

    def _absorbed(self, value: Value) -> None:
        """Products that exist already, taken for several factors at once."""
        powers = dict(value.factors)
        candidates: list[tuple[int, int, Value]] = []
        for f in powers:
            users = self.table.products.get(f.number, [])
            for w in users if len(users) <= _MOST_USERS else [w for w in users if w.leaves][:_MOST_USERS]:
                if w is value or not self._known_product(w):
                    continue
                for sign in (1, -1):
                    if self._divides(w, powers, sign):
                        weight = sum(abs(Fraction(q)) for _, q in w.factors)
                        candidates.append((-int(2 * weight) - bool(w.leaves), sign, w))
        chosen = sorted(dict.fromkeys(candidates), key=lambda e: (e[0], e[2].number))[:_MOST_CANDIDATES]
        for _, sign, w in chosen:
            inverse = [(f, -q * sign) for f, q in w.factors]
            c, rest = self._making(value, lambda i=inverse: self.table.product(UNIT, (*value.factors, *i)))
            parts = [(w, sign)] if rest is self.table.one else [(w, sign), (rest, 1)]
            name = "product of the forward pass" if w.leaves else "shared product"
            self._recipe(value, "prod", c, parts, None, name)
            if len(rest.factors) > 1 or (rest.kind == "prod"):
                self._recipe(value, "prod", c, [(w, sign), *rest.factors], None, name)

    def _pulled_view(self, value: Value) -> None:
        """A product of equal views is the view of a product."""
        mappings = {(f.details, len(f.parts[0][1].dims)) if f.kind == "view" else None for f, _ in value.factors}
        if len(mappings) != 1 or None in mappings:
            return
        ((mapping, _),) = [m for m in mappings if m is not None]
        c, inner = self._making(value, lambda: self.table.product(UNIT, [(f.parts[0][1], p) for f, p in value.factors]))
        if inner is not self.table.one:
            self._recipe(value, "view", c, ((UNIT, inner),), mapping, "view of a product")

    def _small_parts(self, value: Value) -> None:
        """Factors of a smaller shape multiplied among themselves first."""
        by_dims: dict[Any, list[tuple[Value, Power]]] = {}
        for f, p in value.factors:
            if f.dims != value.dims:
                by_dims.setdefault(f.dims, []).append((f, p))
        for group in by_dims.values():
            if len(group) > 1 and len(group) < len(value.factors):
                rest = [e for e in value.factors if e not in group]
                c, part = self._making(value, lambda g=group: self.table.product(UNIT, g))
                self._recipe(value, "prod", c, [(part, 1), *rest], None, "small factors first")

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
            self._known_product(w)
            and self._divides(w, powers, 1)
            and any(g in dict(inner.factors) for g, _ in w.factors)
            for _, (f, _) in chosen
            for w in self.table.products.get(f.number, [])[:_MOST_USERS]
        ) or any(not powers[f] for _, (f, _) in chosen)
        if not meets:
            return
        c, child = self._making(value, lambda: table.product(UNIT, (*inner.factors, *(m for _, m in chosen))))
        if child is table.one or child.dims != inner.dims:
            return
        scale, whole = self._making(value, lambda: table.product(UNIT, ((r, 1), *(f for f, _ in chosen))))
        below = power_of(scale, -1)
        if below is None or whole.kind != "prod":
            return
        self._recipe(whole, "reduce", times(c, below), ((UNIT, child),), details, "factor moved into a sum")
        if whole is not value:
            rest = [e for e in value.factors if e[0] is not r and e not in [f for f, _ in chosen]]
            self._recipe(value, "prod", scale, [(whole, 1), *rest], None, "factor moved into a sum")
