"""Values in normal form: sums of products of powers, made once each, so that equal values are the same object.

A backward pass is read as polynomials over *atoms*: forward values, reductions, matrix products and whatever else has
no structure here.  A reference to a value is a pair ``(coefficient, value)``: signs, literals, sizes and all other
scalars are collected in the coefficient, exactly, so that ``0.5 * 2`` is 1 and ``(1 / n) * n`` is 1.

Products are multiplied out over sums of the backward pass, within bounds; sums of the forward pass are atoms, and are
opened only where their terms cancel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from chainrule.ir import Var
from chainrule.simplify.openings import ALL, is_multiplied_out
from chainrule.simplify.scalars import UNIT, ZERO, Coefficient, Dim, added, inverse_of, power_of, times
from chainrule.simplify.structure import (
    MOST_ATOMS,
    base_terms,
    long_vanishes,
    opened_to_one,
    over_denominator,
    pulled,
    rows_vanish,
    sum_in_one,
    sum_of_sum,
)  # fmt: skip
from chainrule.simplify.values import Power, Recipe, Ref, Value, broadcast, smaller, spans

__all__ = ["Table"]

_MOST_TERMS = 8  # of a sum that is multiplied out
_LARGEST_SUM = 24  # terms of a sum into which further sums are merged


class Table:
    """All values, each made once."""

    def __init__(self, one_dim: Dim) -> None:
        self.values: list[Value] = []
        self.one_dim = one_dim
        self.double = True  # the program's floating dtype is double precision
        self.steps = 0  # of the backward pass
        self.opening = ALL  # which products over sums are multiplied out
        self.differing: set[str] = set()  # the openings under which something is read in another way
        self.forward = True  # while the forward pass is read, its sums stay together
        self._known: dict[Any, Value] = {}
        self._moves: dict[tuple[int, tuple[int | None, ...]], Value] = {}
        self._sums: dict[Any, Ref] = {}
        self.means: dict[Any, Ref | None] = {}
        self.looking = False  # for sums that are zero: not in those of their terms
        self.products: dict[int, list[Value]] = {}  # by factor, the products that it is in
        self.sums: dict[int, list[Value]] = {}
        self.notes: list[tuple[str, str]] = []
        # What the identities between functions look up, filled while the program is read.
        self.scatters: dict[Value, Any] = {}
        self.gathers: dict[Any, list[tuple[Ref, Ref]]] = {}
        self.shares: dict[Any, Value] = {}
        self.parities: dict[tuple[int, tuple[int, ...]], int] = {}
        # What the reader assumes: of values by number, and of pairs that a maximum compares.
        self.zeros_and_ones: set[int] = set()
        self.known_sums: dict[tuple[int, int], Ref] = {}  # by value and axis from the end
        self.known_totals: dict[int, Coefficient] = {}
        self.nonzero: set[int] = set()
        self.untied: set[Any] = set()
        self.is_symmetric: Callable[[Table, Value], bool] = lambda table, value: False
        self.summands: Callable[[int], Sequence[Coefficient]] = lambda size: ()
        self.same_sum: Callable[[Table, Value, tuple[int, ...]], tuple[int, Value, tuple[int, ...]]] = _as_it_is
        self.special_sum: Callable[[Table, Value, tuple[int, ...]], Ref | None] = lambda table, inner, axes: None
        self.special_matmul: Callable[[Table, Ref, Ref, tuple[Dim, ...]], Ref | None] = lambda table, a, b, dims: None
        self.merge_factors: Callable[[Table, dict[Value, Power]], Ref | None] = lambda table, powers: None
        self.settled: Callable[[Table, Coefficient, dict[Value, Power]], Coefficient] = lambda table, c, powers: c
        self.one = self.make("one", (), None, (), ())

    def make(
        self, kind: str, key: Any, details: Any, parts: tuple[Any, ...], dims: tuple[Dim, ...], floating: bool = True
    ) -> Value:
        known = self._known.get((kind, key))
        if known is None:
            known = self._known[kind, key] = Value(len(self.values), kind, parts, details, dims, floating)
            self.values.append(known)
            if kind == "prod":
                for factor, _ in parts:
                    self.products.setdefault(factor.number, []).append(known)
            elif kind == "sum":
                for _, term in parts:
                    self.sums.setdefault(term.number, []).append(known)
        return known

    def find(self, kind: str, key: Any) -> Value | None:
        """A value that is there already."""
        return self._known.get((kind, key))

    def ref(self, coefficient: Coefficient, value: Value) -> Ref:
        """A reference; scalars that are computed at run time go into the coefficient."""
        if value.dims or value.kind == "one":
            return coefficient, value
        return times(coefficient, Coefficient(Fraction(1), ((("v", value.number), 1),))), self.one

    def cut(self, ref: Ref) -> Ref:
        """The same, as an atom: what is made of it does not look into it."""
        coefficient, value = ref
        if len(coefficient.atoms) > MOST_ATOMS:
            made = self.make("cut", (value.number, coefficient), None, ((coefficient, value),), value.dims)
            coefficient = UNIT
        else:
            made = self.make("cut", (value.number, UNIT), None, ((UNIT, value),), value.dims)
        made.floating = value.floating
        return self.ref(coefficient, made)

    def leaf(self, var: Var, dims: tuple[Dim, ...], floating: bool) -> Value:
        value = self.make("leaf", var.number, None, (), dims, floating)
        if not value.leaves:
            value.leaves.append((UNIT, var))
        return value

    # ---- products

    def product(self, coefficient: Coefficient, factors: Iterable[tuple[Value, Power]]) -> Ref:
        """The product of powers of values, with equal bases merged."""
        powers: dict[Value, Power] = {}
        for value, p in factors:
            if not value.dims:
                if value.kind != "one":
                    scalar = Coefficient(Fraction(1), ((("v", value.number), p),))
                    coefficient = times(coefficient, scalar)
                continue
            powers[value] = 1 if not value.floating and value.mask else powers.get(value, 0) + p
        powers = {v: p for v, p in powers.items() if p}
        if coefficient.atoms:
            coefficient = self.settled(self, coefficient, powers)
        if len(powers) > 1 or any(p > 1 for p in powers.values()):
            more = self.merge_factors(self, powers)
            if more is not None and not more[0].number:
                return ZERO, self.one
            if more is not None:
                return self.multiply((times(coefficient, more[0]), more[1]), self.product(UNIT, powers.items()))
        if not powers:
            return coefficient, self.one
        if len(powers) == 1:
            ((value, p),) = powers.items()
            if p == 1:
                return coefficient, value
        parts = tuple(sorted(powers.items(), key=lambda e: e[0].number))
        key = tuple((v.number, p) for v, p in parts)
        known = self._known.get(("prod", key))
        if known is None:
            known = self.make("prod", key, None, parts, broadcast(v.dims for v, _ in parts))
            known.floating = any(v.floating for v, _ in parts)
        return coefficient, known

    def multiply(self, a: Ref, b: Ref) -> Ref:
        coefficient = times(a[0], b[0])
        if not coefficient.number:
            return ZERO, self.one
        left, right = a[1], b[1]
        if left is self.one or right is self.one:
            value = right if left is self.one else left
            return self.settled(self, coefficient, dict(value.factors)) if coefficient.atoms else coefficient, value
        if not self.forward and (left.kind == "sum" or right.kind == "sum") and is_multiplied_out(self, left, right):
            size = len(left.terms) * len(right.terms)
            if size <= _MOST_TERMS:
                pairs = [(p, q) for p in left.terms for q in right.terms]
                c, v = self.add(self.multiply(p, q) for p, q in pairs)
                return times(coefficient, c), v
        return self.product(coefficient, (*left.factors, *right.factors))

    def power(self, a: Ref, p: Power) -> Ref | None:
        """A power, where it can be moved to the factors; a root only of a single positive scalar times one atom."""
        coefficient = power_of(a[0], p)
        if coefficient is None or (Fraction(p).denominator != 1 and a[1].kind != "one"):
            return None
        if any(not v.floating for v, _ in a[1].factors):
            return None
        if p == 2 and a[1].kind == "sum" and not self.forward:
            return self.multiply(a, a)
        return self.product(coefficient, ((v, q * p) for v, q in a[1].factors))

    # ---- sums

    def add(self, refs: Iterable[Ref]) -> Ref:
        """A sum, with equal terms collected."""
        collected: dict[Any, tuple[Fraction, Value]] = {}
        for coefficient, value in refs:
            inner = value.terms if value.kind != "sum" or len(value.terms) <= _LARGEST_SUM else ((UNIT, value),)
            for c, v in inner:
                c = times(coefficient, c)
                key = (v.number, c.atoms)
                number = added(collected[key][0], c.number) if key in collected else c.number
                collected[key] = (number, v)
        terms = [(Coefficient(n, atoms), v) for (_, atoms), (n, v) in collected.items() if n]
        if not terms:
            return ZERO, self.one
        if len(terms) == 1:
            return terms[0]
        terms.sort(key=lambda t: (t[1].number, t[0].atoms))
        common = self._common(terms)
        below = inverse_of(common)
        terms = [(times(c, below), v) for c, v in terms]
        sum_key = tuple((v.number, c) for c, v in terms)
        found = self._sums.get(sum_key)
        if found is None:
            found = self._sums[sum_key] = self._new_sum(sum_key, tuple(terms))
        return times(common, found[0]), found[1]

    def _common(self, terms: Sequence[Ref]) -> Coefficient:
        """The scalar factor that all terms share; the first term's number, so that sums match up to a factor."""
        shared = dict(terms[0][0].atoms)
        for c, _ in terms[1:]:
            own = dict(c.atoms)
            # Lengths as far as they go: g / n - h / n**2.  A scalar of run time stays where it divides in one go.
            shared = {
                k: s for k, p in shared.items() if (s := smaller(p, q := own.get(k, 0))) and (k[0] != "v" or p == q)
            }
        return Coefficient(terms[0][0].number, tuple(shared.items()))

    def _new_sum(self, key: Any, terms: tuple[Ref, ...]) -> Ref:
        if not self.forward:
            merged = over_denominator(self, terms)
            if merged is not None:
                return merged
        dims = broadcast(v.dims for _, v in terms)
        value = self.make("sum", key, None, terms, dims)
        return (UNIT, value) if not self.forward else self.ref(UNIT, value)

    def define_sum(self, ref: Ref, leaf: Value) -> Ref:
        """Let a sum of the forward pass be an atom, known by its terms; the reference to it."""
        coefficient, value = ref
        if value.kind != "sum":
            return ref
        key = tuple((v.number, c) for c, v in value.parts)
        inverse = inverse_of(coefficient)
        opened = over_denominator(self, value.parts)
        if opened is not None:
            # 1 - 1 / (1 + e) is e / (1 + e): a product, in which factors can cancel.
            self._sums[key] = opened
            return times(coefficient, opened[0]), opened[1]
        opened = opened_to_one(value.parts)
        if opened is not None:
            # (m + s * e) - m is s * e.
            self._sums[key] = opened
            return times(coefficient, opened[0]), opened[1]
        if leaf.definition is None:
            leaf.definition = tuple((times(coefficient, c), v) for c, v in value.parts)
        found = self.ref(inverse, leaf)
        self._sums[key] = found
        return times(coefficient, found[0]), found[1]

    # ---- views: axes permuted, inserted and dropped

    def view(self, ref: Ref, mapping: Sequence[int | None], rank: int) -> Ref:
        """An array whose axis ``k`` is the axis ``mapping[k]`` of ``ref`` seen as of ``rank`` axes, or new.

        Axes that do not occur in the mapping are of length 1.
        """
        coefficient, value = ref
        if value.kind in ("prod", "one"):
            c, v = self.product(UNIT, [(self._moved(v, mapping, rank), p) for v, p in value.parts])
            self._seen_as(value, mapping, rank, c, v)
            return times(coefficient, c), v
        if value.kind == "sum":
            c, v = self.add(self.view(term, mapping, rank) for term in value.parts)
            self._seen_as(value, mapping, rank, c, v)
            return times(coefficient, c), v
        return self.ref(coefficient, self._moved(value, mapping, rank))

    def _seen_as(self, value: Value, mapping: Sequence[int | None], rank: int, c: Coefficient, moved: Value) -> None:
        """Note that a product or sum is also the view of another, which may be there already."""
        missing = rank - len(value.dims)
        own = [None if a is None or a < missing else a - missing for a in mapping]
        while own and own[0] is None:
            own.pop(0)
        below = power_of(c, -1)
        shape = tuple(1 if a is None else value.dims[a].length for a in own)
        if moved is value or moved.kind not in ("prod", "sum") or below is None or shape != moved.shape:
            return
        if any(r.kind == "view" and r.parts[0][1] is value for r in moved.recipes):
            return
        moved.recipes.append(Recipe("view", below, ((UNIT, value),), tuple(own), "view of a product"))
        if all(k in own or d.one for k, d in enumerate(value.dims)):
            back = [own.index(k) if k in own else None for k in range(len(value.dims))]
            while back and back[0] is None:
                back.pop(0)
            value.recipes.append(Recipe("view", c, ((UNIT, moved),), tuple(back), "view of a product"))

    def _moved(self, value: Value, mapping: Sequence[int | None], rank: int) -> Value:
        missing = rank - len(value.dims)
        own = [None if a is None or a < missing else a - missing for a in mapping]
        while own and own[0] is None:
            own.pop(0)
        if own == list(range(len(value.dims))):
            return value
        key = (value.number, tuple(own))
        found = self._moves.get(key)
        if found is None:
            found = self._moves[key] = self._newly_moved(value, own)
        return found

    def _newly_moved(self, value: Value, own: list[int | None]) -> Value:
        if value.kind == "sum":
            return self.view((UNIT, value), own, len(value.dims))[1]
        if value.kind == "view":
            inner = value.details
            own = [None if a is None else inner[a] for a in own]
            value = value.parts[0][1]
            while own and own[0] is None:
                own.pop(0)
            if own == list(range(len(value.dims))):
                return value
        last = len(value.dims) - 1
        turned = last >= 1 and own == [*range(last - 1), last, last - 1]
        if turned and self.is_symmetric(self, value):
            return value
        if turned and value.kind == "matmul":
            a, b = (v for _, v in value.parts)
            if len(a.dims) == len(b.dims) == len(value.dims):
                (c, first), (d, second) = self.turned(b), self.turned(a)
                known = self._known.get(("matmul", (first.number, second.number)))
                same = len(first.dims) == len(second.dims) == len(value.dims)
                if known is not None and same and c == d == UNIT:
                    return known
        dims = tuple(self.one_dim if a is None else value.dims[a] for a in own)
        return self.make("view", (value.number, tuple(own)), tuple(own), ((UNIT, value),), dims, value.floating)

    # ---- reductions

    def reduce(self, ref: Ref, axes: Sequence[int], whole: tuple[Dim, ...]) -> Ref:
        """The sum over axes, counted from the end, of ``ref`` broadcast to ``whole``; they stay with length 1."""
        coefficient, value = ref
        if value.kind == "sum":
            c, v = self.add(self.reduce(term, axes, whole) for term in value.parts)
            return times(coefficient, c), v
        inside: list[tuple[Value, Power]] = []
        outside: list[tuple[Value, Power]] = []
        for v, p in value.factors:
            (inside if any(spans(v, a, whole[a]) for a in axes) else outside).append((v, p))
        _, inner = self.product(UNIT, inside)
        summed = [a for a in axes if inner is not self.one and spans(inner, a, whole[a])]
        for a in axes:
            if a not in summed:
                coefficient = times(coefficient, whole[a].count())
        if not summed:
            return self.product(coefficient, outside)
        rank = len(inner.dims)
        positions = tuple(sorted(rank + a for a in summed))
        total = self.vanishing(inner, summed, whole) or self.special_sum(self, inner, positions)
        if total is None:
            total = sum_of_sum(self, inner, summed) or rows_vanish(self, inner, summed)
            total = total or long_vanishes(self, inner, summed) or self._sum_over(inner, positions)
        return self.multiply(total, self.product(coefficient, outside))

    def _sum_over(self, inner: Value, positions: tuple[int, ...]) -> Ref:
        rank = len(inner.dims)
        if inner.kind == "view" and sorted(a for a in inner.details if a is not None) == list(range(rank)):
            # x.T.sum(1) is x.sum(0).
            total = self._sum_over(inner.parts[0][1], tuple(sorted(inner.details[k] for k in positions)))
            return self.view(total, inner.details, rank)
        merged = None if self.forward else sum_in_one(self, inner, positions)
        if merged is not None:
            return merged
        sign, inner, summed = (1, inner, positions) if self.forward else self.same_sum(self, inner, positions)
        dims = tuple(d for k, d in enumerate(inner.dims) if k not in summed)
        atom = self.make("reduce", (inner.number, summed), summed, ((UNIT, inner),), dims)
        kept = [k for k in range(rank) if k not in positions]
        mapping = [kept.index(k) if k in kept else None for k in range(rank)]
        return self.view(self.ref(Coefficient(Fraction(sign)), atom), mapping, len(dims))

    def vanishing(self, inner: Value, axes: Sequence[int], whole: tuple[Dim, ...]) -> Ref | None:
        """Zero where a sum of the forward pass adds up to nothing, as centred values do."""
        base = inner.parts[0][1] if inner.kind == "view" else inner
        if base.definition is None or self.forward or self.looking:
            return None
        key = (inner.number, tuple(axes))
        if key not in self.means:
            self.means[key] = None
            self.looking = True
            # What is already a value of its own stays one: only the terms are looked at.
            found = self.add(self.reduce(t, axes, whole) for t in base_terms(self, base, inner))
            self.looking = False
            if not found[0].number:
                self.means[key] = found
                self.notes.append(("centred values", "a mean was subtracted, so the sum is zero"))
        return self.means[key]

    # ---- matrix products

    def matmul(self, a: Ref, b: Ref, dims: tuple[Dim, ...]) -> Ref:
        if not self.forward:
            found = self.special_matmul(self, a, b, dims)
            if found is not None:
                return found
        coefficient = times(a[0], b[0])
        left, right = a[1], b[1]
        known = self._known.get(("matmul", (left.number, right.number)))
        if known is not None:
            return self.ref(coefficient, known)
        rank = len(dims)
        swap = [*range(rank - 2), rank - 1, rank - 2]
        if rank >= 2 and len(left.dims) == len(right.dims) == rank:
            (c, first), (d, second) = self.turned(right), self.turned(left)
            same = len(first.dims) == len(second.dims) == rank
            known = self._known.get(("matmul", (first.number, second.number))) if same else None
            if known is None and same and not self.forward and self._plainer(((left, second), (right, first))):
                # The transpose of a product of what is there.
                ends = ((UNIT, first), (UNIT, second))
                known = self.make("matmul", (first.number, second.number), None, ends, tuple(dims[k] for k in swap))
            if known is not None:
                return self.view((times(coefficient, times(c, d)), known), swap, rank)
        elif {len(left.dims), len(right.dims)} <= {1, 2}:
            # A vector has no axes to be exchanged: u @ A is A.T @ u.
            (c, first), (d, second) = self.turned(right), self.turned(left)
            same = (len(first.dims), len(second.dims)) == (len(right.dims), len(left.dims))
            known = self._known.get(("matmul", (first.number, second.number))) if same else None
            if known is not None:
                return self.ref(times(coefficient, times(c, d)), known)
        found = None if self.forward else pulled(self, left, right)
        if found is not None:
            return self.multiply((coefficient, self.one), found)
        return self.ref(
            coefficient,
            self.make("matmul", (left.number, right.number), None, ((UNIT, left), (UNIT, right)), dims),
        )

    @staticmethod
    def _plainer(operands: Sequence[tuple[Value, Value]]) -> bool:
        """Whether matrices are there with their axes exchanged, and one of them not as it is."""
        held = [bool(v.leaves) or v is u for u, v in operands]
        return all(held) and any(v is not u and u.kind == "view" for u, v in operands)

    def turned(self, value: Value) -> Ref:
        """A matrix with its last two axes exchanged; a vector as it is."""
        rank = len(value.dims)
        if rank < 2:
            return UNIT, value
        return self.view((UNIT, value), [*range(rank - 2), rank - 1, rank - 2], rank)


def _as_it_is(table: Table, value: Value, axes: tuple[int, ...]) -> tuple[int, Value, tuple[int, ...]]:
    return 1, value, axes
