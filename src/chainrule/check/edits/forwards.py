"""Mistakes in what the backward pass computes again of the forward pass: another epsilon, another axis."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Change, Edit, Values, axes_of, with_index, with_number
from chainrule.indexing import Index
from chainrule.ir import Const

__all__ = ["forward_edits"]

_SMALL = 0.2  # a number below this that is added keeps something away from zero
_USUAL = (0.0, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)


def forward_edits(base: Base) -> Iterator[Edit]:
    """Edits of forward steps, which only the backward pass sees, and of all reductions along one axis."""
    yield from _epsilons(base)
    yield from _other_axes(base)
    yield from _opposite_extremes(base)
    yield from _one_branch(base)
    yield from _other_parts(base)


_OPPOSITE = {"max": np.min, "amax": np.min, "min": np.max, "amin": np.max}


def _opposite_extremes(base: Base) -> Iterator[Edit]:
    """The mask of a maximum is made with the minimum, or the other way round."""
    wiring = base.wiring
    for k in range(wiring.first):
        other = _OPPOSITE.get(wiring.steps[k].operation.name)
        if other is not None:
            yield Edit({k: _reduced_by(other, base.params(k))}, "extreme", k, 0, None, 0.2, "mask_from_wrong_array", k)


def _reduced_by(function: Any, params: Any) -> Change:
    return lambda x, v: function(x[0], **params)


def _one_branch(base: Base) -> Iterator[Edit]:
    """The derivative of one branch is used everywhere, whatever the condition says."""
    wiring = base.wiring
    for k in range(wiring.first):
        step = wiring.steps[k]
        condition = step.inputs[0] if step.inputs else None
        if step.operation.name != "where" or condition is None or condition.number < 0:
            continue
        masks = [j for j in wiring.used_by[condition.number] if j >= wiring.first]
        for value in (True, False):
            changes = {j: _under(base, j, condition.number, value) for j in masks}
            if changes:
                yield Edit(changes, "always one branch", min(changes), -1, value, 0.1, "missing_branch", k)


def _under(base: Base, k: int, number: int, value: bool) -> Change:
    function, params = base.function(k), base.params(k)
    places = [n for n, x in enumerate(base.wiring.steps[k].inputs) if x.number == number]

    def change(x: Sequence[Any], v: Values) -> Any:
        own = [np.full(np.shape(a), value) if n in places else a for n, a in enumerate(x)]
        return function(*own, **params)

    return change


def _other_parts(base: Base) -> Iterator[Edit]:
    """The gradient of arrays that were joined is cut into parts whose lengths stand in the opposite order."""
    wiring = base.wiring
    groups: dict[tuple[int, int], list[int]] = {}
    for k in range(wiring.first, len(wiring.steps)):
        step, owner = wiring.steps[k], wiring.owner[k]
        if step.operation.name == "getitem" and owner >= 0 and wiring.steps[owner].operation.name in _JOINING:
            groups.setdefault((owner, step.inputs[0].number), []).append(k)
    for (owner, _), parts in groups.items():
        indices: list[Index] = [base.params(k)["index"] for k in parts]
        axis = next((a for a, p in enumerate(indices[0].parts) if _span(p) is not None), None)
        spans = [_span(i.parts[axis]) for i in indices] if axis is not None else []
        if axis is None or len(parts) < 2 or None in spans:
            continue
        order = sorted(range(len(parts)), key=lambda n: spans[n])
        lengths = [spans[n][1] - spans[n][0] for n in order]
        changes, start = {}, 0
        for n, length in zip(order, reversed(lengths), strict=True):
            cut = indices[n].parts
            moved = Index((*cut[:axis], slice(start, start + length), *cut[axis + 1 :]), indices[n].single)
            changes[parts[n]] = with_index(base.function(parts[n]), moved)
            start += length
        yield Edit(changes, "other parts", parts[0], -1, None, 0.1, "off_by_one_index", owner)


_JOINING = frozenset("concatenate hstack vstack append stack".split())


def _span(part: Any) -> Any:
    if type(part) is slice and part.stop is not None and part.step in (None, 1):
        return int(part.start or 0), int(part.stop)
    return None


def _epsilons(base: Base) -> Iterator[Edit]:
    """A small number that is added is left out, is another, or is added after the root and not before it."""
    wiring = base.wiring
    for k in range(wiring.first):
        step = wiring.steps[k]
        if step.operation.name not in ("add", "subtract", "maximum", "clip") or not step.inputs:
            continue
        for n, x in enumerate(step.inputs):
            value = _small(base, k, n, x)
            if value is None:
                continue
            for other in dict.fromkeys((*_USUAL, value * 10, value / 10, value**2, value**0.5)):
                if other != value:
                    cost = 0.1 if other == 0.0 else 0.25
                    change = with_number(base, k, n, other)
                    yield Edit({k: change}, "epsilon", k, n, f"{other:g}", cost, "eps_inconsistent", k)
            yield from _beside_root(base, k, n, value)


def _small(base: Base, k: int, n: int, x: Any) -> float | None:
    given: Any = base.operands(k)[n]
    constant = isinstance(x, Const) or (np.ndim(given) == 0 and x.number not in base.wiring.made_by)
    if not constant or np.ndim(given) or np.asarray(given).dtype.kind != "f":
        return None
    value = float(given)
    return value if 0 < abs(value) <= _SMALL else None


def _beside_root(base: Base, k: int, n: int, value: float) -> Iterator[Edit]:
    wiring = base.wiring
    out = wiring.steps[k].outputs[0].number
    for j in wiring.used_by.get(out, ()):
        if j < wiring.first and wiring.steps[j].operation.name == "sqrt":
            changes: dict[int, Change] = {k: lambda x, v: x[1 - n], j: lambda x, v: np.sqrt(x[0]) + value}
            yield Edit(changes, "epsilon", k, n, "after the root", 0.2, "eps_inconsistent", k)


def _other_axes(base: Base) -> Iterator[Edit]:
    """All reductions of cotangents along some axes are taken along others, as in a copied formula."""
    wiring = base.wiring
    groups: dict[Any, list[int]] = {}
    for k in range(wiring.first, len(wiring.steps)):
        step = wiring.steps[k]
        if step.operation.name in ("sum", "mean") and not any(o.number in wiring.targets for o in step.outputs):
            rank = np.ndim(base.operands(k)[0])
            groups.setdefault((axes_of(base.params(k), rank), rank), []).append(k)
    for (axes, rank), steps in groups.items():
        if rank < 2 or len(steps) < 2:
            continue
        for count in range(1, rank + 1):
            for others in itertools.combinations(range(rank), count):
                if others != axes:
                    changes = {k: _reduced(base, k, others) for k in steps}
                    owner = wiring.owner.get(steps[0], -1)
                    yield Edit(changes, "axis", steps[0], 0, others, 0.3, "wrong_axis", owner)
                    scaled = {k: _as_mean(base, k, axes, others) for k in steps}
                    yield Edit(scaled, "axis", steps[0], 0, others, 0.25, "wrong_axis", owner)


def _as_mean(base: Base, k: int, axes: tuple[int, ...], others: tuple[int, ...]) -> Change:
    """As along the right axes, but along others: the count that it is divided by belongs to those, too."""
    shape = np.shape(base.operands(k)[0])
    count = np.prod([shape[a] for a in axes])
    if base.wiring.steps[k].operation.name == "mean":
        return _reduced(base, k, others)
    return lambda x, v: np.mean(x[0], axis=others, keepdims=True) * count


def _reduced(base: Base, k: int, axes: tuple[int, ...]) -> Change:
    function = base.function(k)
    return lambda x, v: function(x[0], axis=axes, keepdims=True)
