"""Two mistakes that show in the same gradient: pairs of edits, and an edit with a change of the finished gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Edit
from chainrule.check.edits.naming import named_edit
from chainrule.check.edits.search import Match, Search
from chainrule.check.edits.source import Key
from chainrule.check.findings import Finding

__all__ = ["Tried", "pairs", "table"]

_FIRST = 120  # edits that are tried as the first of a pair
_SIMPLE = 40  # edits that are so simple that all pairs of them are tried first
_ENOUGH = 4  # pairs after which the search ends


@dataclass(frozen=True, slots=True)
class Tried:
    """A single edit, and what it makes of a gradient."""

    key: Key
    edit: Edit
    value: Any


def pairs(search: Search, target: str, tried: Sequence[Tried]) -> list[Match]:
    """Pairs of edits that reproduce a wrong gradient, and as many of the others as they reach."""
    found = _brute(search, target, tried[:_SIMPLE])
    if not found:
        found = _additive(search, target, tried)
        found += _multiplicative(search, target, tried)
    if not found:
        found = _brute(search, target, tried)
    return sorted(found, key=lambda m: m.cost)[:_ENOUGH]


def table(search: Search, target: str) -> list[Tried]:
    """What each single edit makes of a gradient, without repetitions."""
    base = search.sources[0].base
    shape = base.shapes[target]
    exact = np.broadcast_to(base.exact.gradients[target], shape)
    found: list[Tried] = []
    for key, edit in search.all_edits({target}):
        if search.is_over():
            break
        try:
            with np.errstate(all="ignore"):
                value = base.run(edit.changes, lambda name, value: name != target).get(target)
            if value is None:
                continue
            value = np.broadcast_to(np.asarray(value, float), shape)
        except Exception:  # shapes that do not fit
            continue
        if not np.all(np.isfinite(value)) or np.allclose(value, exact, rtol=1e-9, atol=1e-12):
            continue
        found.append(Tried(key, edit, value))
    same: dict[bytes, list[Tried]] = {}
    for t in sorted(found, key=lambda t: t.edit.cost):
        same.setdefault(np.round(t.value / (np.max(np.abs(t.value)) or 1.0), 9).tobytes(), []).append(t)
    return sorted((t for group in same.values() for t in _likeliest(base, group)), key=lambda t: t.edit.cost)


def _likeliest(base: Base, same: Sequence[Tried]) -> list[Tried]:
    """Of edits that make the same of a gradient, the simplest, and the one whose word is met most often."""
    near = [t for t in same if t.edit.cost <= same[0].edit.cost + 0.35][:8]
    if len(near) == 1:
        return near
    often = min(near, key=lambda t: Finding(named_edit(base, t.edit, "")[0], (), cost=t.edit.cost).rank)
    return [often] if often is near[0] else [often, near[0]]


def _additive(search: Search, target: str, tried: Sequence[Tried]) -> list[Match]:
    """Edits of different routes: their effects add up."""
    base = search.sources[0].base
    given = search.given[0][target].value
    exact = base.exact.gradients[target]
    if given.shape != exact.shape or not tried:
        return []
    weights = np.random.default_rng(3).standard_normal(exact.shape)
    effects = np.array([float(np.sum((t.value - exact) * weights)) for t in tried])
    wanted = float(np.sum((given - exact) * weights))
    return _matching(search, target, tried, effects, wanted)


def _multiplicative(search: Search, target: str, tried: Sequence[Tried]) -> list[Match]:
    """Edits of different factors, element by element: the logarithms of their effects add up."""
    base = search.sources[0].base
    given = search.given[0][target].value
    exact = base.exact.gradients[target]
    if given.shape != exact.shape or not tried or not np.all(exact) or not np.all(given):
        return []
    weights = np.random.default_rng(3).standard_normal(exact.shape)
    usable = [t for t in tried if np.all(t.value)]
    effects = np.array([float(np.sum(np.log(np.abs(t.value / exact)) * weights)) for t in usable])
    wanted = float(np.sum(np.log(np.abs(given / exact)) * weights))
    return _matching(search, target, usable, effects, wanted) if len(usable) else []


def _matching(
    search: Search, target: str, tried: Sequence[Tried], effects: np.ndarray[Any, Any], wanted: float
) -> list[Match]:
    """The pairs whose effects add up to what is wanted, tested by running both."""
    order = np.argsort(effects)
    ordered = effects[order]
    slack = 1e-8 * max(abs(wanted), float(np.max(np.abs(effects), initial=1e-300)))
    found: list[Match] = []
    for n, effect in enumerate(effects):
        low, high = np.searchsorted(ordered, [wanted - effect - slack, wanted - effect + slack])
        for m in order[low:high]:
            if m > n and len(found) < _ENOUGH and not search.is_over():
                match = _both(search, target, tried[n], tried[int(m)])
                if match is not None:
                    found.append(match)
    return found


def _brute(search: Search, target: str, tried: Sequence[Tried]) -> list[Match]:
    """The likeliest edits, each with all others."""
    found: list[Match] = []
    for n, first in enumerate(tried[:_FIRST]):
        for second in tried[n + 1 :]:
            if search.is_over() or len(found) >= _ENOUGH:
                return found
            match = _both(search, target, first, second)
            if match is not None:
                found.append(match)
    return found


def _both(search: Search, target: str, first: Tried, second: Tried) -> Match | None:
    match = search.tried_on_all((first.key, second.key), (first.edit, second.edit), strict=False)
    return match if match is not None and target in match.explains else None
