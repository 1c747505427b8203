"""From what the search finds to findings: with a word, a place and an order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from chainrule.check.clock import Clock
from chainrule.check.edits.base import Base, Edit, Wiring
from chainrule.check.edits.composed import composed
from chainrule.check.edits.naming import named_edit
from chainrule.check.edits.pairs import pairs, table
from chainrule.check.edits.search import Match, Search
from chainrule.check.edits.updated import updated_weights
from chainrule.check.exact import simplified_form
from chainrule.check.findings import Finding
from chainrule.check.judging import Trial
from chainrule.check.relations import kind_of_factor
from chainrule.check.trials import Trials
from chainrule.language import message

__all__ = ["best_of", "searched_findings"]

_BUDGET = 0.7  # seconds of one processor for one form of the backward pass
_TOTAL = 1.8  # seconds for everything
_BRIEF = 0.5  # where it is known already what to write
_LONGEST = 60  # backward steps of a record that is simplified for the search
_FAR = 0.55  # what a single edit may cost without two being tried
_MOST = 10  # explanations that are kept


def searched_findings(
    trials: Trials, usable: Sequence[Trial], wrong: Sequence[str], batch: str, briefly: bool = False
) -> list[Finding]:
    """What the search for edits of the exact backward pass finds."""
    base = min(usable, key=lambda t: (t.label != "sizes", sum(np.size(g) for g in t.exact.gradients.values())))
    if len(base.exact.backward.program.steps) > _LONGEST:
        base = trials.short(min(usable, key=lambda t: t.exact.backward.forward_steps))
    sibling = trials.sibling(base, 31)
    others = sorted((t for t in usable if t is not base), key=lambda t: t.exact.backward.forward_steps)
    tested = [base, *([sibling] if sibling is not None and sibling.answer.error is None else []), *others]
    reached = _in_backward_order(base, [n for n in wrong if n in base.gradients])
    if not reached:
        return []
    found: list[Finding] = []
    searches: list[Search] = []
    clock = Clock(_BRIEF if briefly else _TOTAL)
    for search in _searches(trials, tested, reached, clock):
        searches.append(search)
        simplified = len(searches) > 1
        matches = search.single(reached, strict=True)
        found += _findings(search, matches, batch, simplified)
        if _covered(found, reached) and not all(f.cost > _FAR for f in found):
            return best_of(found, reached)
    if _covered(found, reached):  # far-fetched: two simple mistakes may be likelier
        for search in searches:
            search.allow(clock.until(_BUDGET))
            pairs_found = _pairs(search, reached[0], batch)
            if pairs_found:
                return best_of([*found, *pairs_found], reached)
        return best_of(found, reached)
    for search in searches:
        found += _one_after_another(search, reached, batch, search is not searches[0], clock)
        if _covered(found, reached):
            return best_of(found, reached)
    for search in searches:
        search.allow(clock.until(_BUDGET))
        left = [n for n in reached if not any(n in f.gradients for f in found)]
        matches = search.single(left, strict=False)
        found += _findings(search, matches, batch, search is not searches[0])
        if search is searches[0]:
            found += _findings(search, updated_weights(search, left), batch, False)
        left = [n for n in left if not any(n in f.gradients for f in found)]
        if left:
            search.allow(clock.until(_BUDGET))
            found += _pairs(search, left[0], batch)
        if not [n for n in reached if not any(n in f.gradients for f in found)]:
            break
    return best_of(found, reached)


def _searches(trials: Trials, tested: Sequence[Trial], reached: Sequence[str], clock: Clock) -> Iterator[Search]:
    names = [leaf.name for leaf in tested[0].exact.leaves]
    backward = tested[0].exact.backward
    long = len(backward.program.steps) - backward.forward_steps > _LONGEST
    for simplified in (False,) if long else (False, True):
        wiring = Wiring(simplified_form(backward) if simplified else backward, names)
        search = Search.on(wiring, trials.forward, tested, reached, clock.until(_BUDGET))
        search.lengths = [trials.drawing.named_lengths(s.base.exact.draw) for s in search.sources]
        yield search


def _in_backward_order(trial: Trial, names: Sequence[str]) -> list[str]:
    """Gradients in the order in which the backward pass makes them."""
    backward = trial.exact.backward
    made = {out.number: k for k, step in enumerate(backward.program.steps) for out in step.outputs}
    order = {leaf.name: made.get(g.number, -1) for leaf, g in zip(trial.exact.leaves, backward.gradients, strict=True)}
    return sorted(names, key=lambda n: order.get(n, -1))


def _covered(found: Sequence[Finding], wrong: Sequence[str]) -> bool:
    """Whether findings that break nothing explain every wrong gradient."""
    explained = {n for f in found if not f.breaks and not f.misses for n in f.gradients}
    return explained >= set(wrong)


def _findings(search: Search, matches: Sequence[Match], batch: str, simplified: bool) -> list[Finding]:
    found: list[Finding] = []
    for number, match in enumerate(matches):
        together = number + 1 if len(match.edits) > 1 else 0
        for edit in match.edits:
            found.append(_finding(search.sources[0].base, edit, match, batch, simplified, together))
    return found


def _finding(base: Base, edit: Edit, match: Match, batch: str, simplified: bool, together: int) -> Finding:
    kind, place, details = named_edit(base, edit, batch)
    several = len(match.edits) > 1
    relation = (
        message("candidate == the exact backward pass with these changes")
        if several
        else message("candidate == the exact backward pass with one change")
    )
    cost = edit.cost + 0.3 * len(match.misses) + 0.1 * simplified + 0.6 * several
    return Finding(
        kind,
        match.explains,
        place,
        details,
        relation,
        match.error,
        match.draws,
        cost,
        match.breaks,
        edit.word,
        edit.step,
        match.misses,
        together,
    )


def _one_after_another(
    search: Search, wrong: Sequence[str], batch: str, simplified: bool, clock: Clock
) -> list[Finding]:
    """Several mistakes, each of which shows in some gradient: one is put into the base, and the search goes on."""
    found: list[Finding] = []
    left = list(wrong)
    step = search
    for _ in range(3):
        step.allow(clock.until(_BUDGET / 2))
        matches = [m for m in step.single(left[:1], strict=False) if not m.breaks and left[0] in m.explains]
        if not matches:
            break
        matches.sort(key=lambda m: m.cost)
        best = [m for m in matches if m.explains == matches[0].explains and m.cost <= matches[0].cost + 0.3][:3]
        found += _findings(step, [_as_whole(m) for m in best], batch, simplified)
        left = [n for n in left if n not in matches[0].explains]
        if not left:
            break
        step = step.after(matches[0], left)
        step.allow(clock.until(_BUDGET / 2))
        rest = step.single(left, strict=True)
        if rest:
            found += _findings(step, rest, batch, simplified)
            explained = {n for m in rest for n in m.explains}
            left = [n for n in left if n not in explained]
        if not left:
            break
    return found


def _pairs(search: Search, target: str, batch: str) -> list[Finding]:
    """Two mistakes in one gradient: two edits, or an edit and something done to the finished gradient."""
    tried = table(search, target)
    lengths = search.lengths
    found: list[Finding] = []
    for number, c in enumerate(composed(search, target, tried, lengths), 1):
        match = Match((c.tried.edit,), (c.tried.key,), (target,), draws=c.draws)
        together = 100 + number
        found.append(_finding(search.sources[0].base, c.tried.edit, match, batch, False, together))
        if c.factor is not None:
            kind, details = kind_of_factor(c.factor, batch, lengths)
        else:
            kind, details = c.kind, {}
        found.append(
            Finding(kind, (target,), details=details, relation=c.relation, draws=c.draws, cost=0.6, together=together)
        )
    return found or _findings(search, pairs(search, target, tried), batch, False)


def _as_whole(match: Match) -> Match:
    """A match whose misses are the work of another mistake."""
    return Match(match.edits, match.keys, match.explains, match.breaks, (), match.error, match.draws)


def best_of(found: Sequence[Finding], wrong: Sequence[str]) -> list[Finding]:
    """The findings that explain most, without those that say the same of the same place less well."""
    unique: dict[tuple[str, str | None, tuple[str, ...], int], Finding] = {}
    for f in sorted(found, key=lambda f: f.rank):
        unique.setdefault((f.kind, f.place.step, f.gradients, f.together), f)
    whole = [
        f
        for f in unique.values()
        if set(f.gradients) == set(wrong) and not f.breaks and not f.misses and not f.together
    ]
    if whole and not (all(f.cost > _FAR for f in whole) and any(f.together for f in unique.values())):
        return whole[:_MOST]
    kept: list[Finding] = []
    covered: set[str] = set()
    for f in unique.values():
        rivals = [k.rank for k in kept if set(f.gradients) & set(k.gradients)]
        if not set(f.gradients) <= covered or f.together or f.rank <= min(rivals, default=0.0) + 1:
            kept.append(f)
            covered |= set(f.gradients)
    return kept[:_MOST]
