"""Weights that were stepped before they are used to go further back: ``W - lr * dW`` stands where ``W`` belongs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.check.counts import factor_between
from chainrule.check.edits.base import Base, Change, Edit, Values
from chainrule.check.edits.search import Match, Search
from chainrule.ir import Var

__all__ = ["updated_weights"]


def updated_weights(search: Search, wrong: Sequence[str]) -> list[Match]:
    """The matches in which one array has taken a step along its gradient, of whatever length."""
    base = search.sources[0].base
    wiring = base.wiring
    found: list[Match] = []
    for place, x in enumerate(wiring.backward.wrt):
        gradient = wiring.gradients[wiring.names[place]]
        if not isinstance(gradient, Var) or gradient.shape != x.shape or not x.shape:
            continue
        uses = [
            k for k in wiring.used_by.get(x.number, ()) if k >= wiring.first and gradient.number not in wiring.after(k)
        ]
        groups = [[k] for k in uses] + ([uses] if len(uses) > 1 else [])  # what is computed twice is passed twice
        for group in groups:
            reached = [n for n in wrong if any(n in wiring.reaches[k] for k in group)]
            length = _length(search, 0, group, x.number, gradient.number, reached)
            if length is None:
                continue
            first = group[0]
            edit = Edit(
                {k: _stepped(base, k, x.number, gradient.number, length) for k in group},
                "updated",
                first,
                other=f"{length:.6g}",
                cost=0.1,
                kind="uses_updated_weights",
                owner=wiring.owner.get(first, -1),
            )
            lengths = [
                _length(search, d, group, x.number, gradient.number, reached) for d in range(len(search.sources))
            ]
            if all(other is not None and abs(other - length) <= 1e-6 * abs(length) for other in lengths):
                found.append(Match((edit,), (("updated", first),), tuple(reached), draws=len(search.sources)))
    return found


def _length(
    search: Search, draw: int, group: Sequence[int], number: int, gradient: int, names: Sequence[str]
) -> float | None:
    """How far the array was stepped, if that explains the first of these gradients."""
    base = search.sources[draw].base
    try:
        with np.errstate(all="ignore"):
            moved = base.run({k: _stepped(base, k, number, gradient, 1.0) for k in group})
    except Exception:  # shapes that do not fit
        return None
    lengths = []
    for name in names:
        if name not in moved or name not in search.given[draw]:
            return None
        given, exact = search.given[draw][name].value, base.exact.gradients[name]
        if given.shape != exact.shape:
            return None
        length = factor_between(given - exact, np.broadcast_to(moved[name], exact.shape) - exact, 1e-6)
        if length is None:
            return None
        lengths.append(length)
    if not lengths or any(abs(c - lengths[0]) > 1e-5 * abs(lengths[0]) for c in lengths):
        return None
    return lengths[0]


def _stepped(base: Base, k: int, number: int, gradient: int, length: float) -> Change:
    function, params = base.function(k), base.params(k)
    places = [n for n, x in enumerate(base.wiring.steps[k].inputs) if x.number == number]

    def change(x: Sequence[Any], v: Values) -> Any:
        own = list(x)
        for n in places:
            own[n] = own[n] - length * v[gradient]
        return function(*own, **params)

    return change
