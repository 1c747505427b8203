"""What explains a wrong candidate: relations to the exact gradients, and edits of the exact backward pass."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule.check.edits.base import Base, Wiring
from chainrule.check.edits.naming import named_edit
from chainrule.check.edits.search import Match, Search
from chainrule.check.exact import Exact
from chainrule.check.findings import Finding, Place, place_of
from chainrule.check.judging import Trial
from chainrule.check.relations import related, swapped
from chainrule.check.trials import Trials
from chainrule.simplify.rewriting import simplify

__all__ = ["Diagnosis", "diagnose"]

_BUDGET = 2.0  # seconds for one form of the backward pass
_MOST = 12  # explanations that are kept


@dataclass(slots=True)
class Diagnosis:
    """What was found.

    Attributes:
        findings: the explanations, likeliest first.
        unexplained: the wrong gradients that none of them explains.
    """

    findings: list[Finding]
    unexplained: tuple[str, ...]


def diagnose(trials: Trials, wrong: Sequence[str]) -> Diagnosis:
    """Explain the gradients that are wrong.

    Args:
        trials: what the candidate gave on draws.
        wrong: the names of the gradients that are wrong, in backward order.
    """
    usable = evidence(trials.done, wrong)
    findings: list[Finding] = []
    if usable:
        lengths = [trials.drawing.named_lengths(t.exact.draw) for t in usable]
        batch = batch_of(lengths)
        for name in wrong:
            if all(name in t.gradients for t in usable):
                findings += related(name, usable, lengths, batch)
        findings += swapped(usable, wrong)
        searched = searched_findings(trials, usable, wrong, batch)
        findings = merged([_placed(f, usable[0].exact) for f in _together(findings)], searched)
    explained = {n for f in findings for n in f.gradients}
    return Diagnosis(sorted(findings, key=lambda f: f.rank), tuple(n for n in wrong if n not in explained))


def searched_findings(trials: Trials, usable: Sequence[Trial], wrong: Sequence[str], batch: str) -> list[Finding]:
    """What the search for edits of the exact backward pass finds."""
    base = min(usable, key=lambda t: (t.label != "sizes", sum(np.size(g) for g in t.exact.gradients.values())))
    sibling = trials.sibling(base, 31)
    others = [t for t in usable if t is not base]
    tested = [base, *([sibling] if sibling is not None and sibling.answer.error is None else []), *others]
    names = [leaf.name for leaf in base.exact.leaves]
    reached = [n for n in wrong if n in base.gradients]
    if not reached:
        return []
    found: list[Finding] = []
    backward = base.exact.backward
    for simplified in (False, True):
        if simplified:
            backward = simplify(backward)
        wiring = Wiring(backward, names)
        search = Search.on(wiring, trials.forward, tested, reached, time.process_time() + _BUDGET)
        matches = search.single(reached, strict=True)
        left = [n for n in reached if not any(n in m.explains for m in matches)]
        if left:
            matches += search.single(left, strict=False)
        found += [_finding(search.sources[0].base, m, batch, simplified) for m in matches]
        if any(set(m.explains) == set(reached) and not m.breaks for m in matches):
            break
    return best_of(found, reached)


def _finding(base: Base, match: Match, batch: str, simplified: bool) -> Finding:
    kind, place, details = named_edit(base, match.edits[0], batch)
    relation = f"candidate == the exact backward pass with one change ({match.edits[0].word})"
    return Finding(
        kind,
        match.explains,
        place,
        details,
        relation,
        match.error,
        match.draws,
        match.edits[0].cost + 0.3 * len(match.misses) + 0.1 * simplified,
        match.breaks,
    )


def best_of(found: Sequence[Finding], wrong: Sequence[str]) -> list[Finding]:
    """The findings that explain most, without those that say the same of the same place less well."""
    unique: dict[tuple[str, str | None, tuple[str, ...]], Finding] = {}
    for f in sorted(found, key=lambda f: f.rank):
        unique.setdefault((f.kind, f.place.step, f.gradients), f)
    kept: list[Finding] = []
    whole = [f for f in unique.values() if set(f.gradients) == set(wrong) and not f.breaks]
    pool = whole or list(unique.values())
    covered: set[str] = set()
    for f in pool:
        rivals = [k.rank for k in kept if set(f.gradients) & set(k.gradients)]
        if whole or not set(f.gradients) <= covered or f.rank <= min(rivals) + 1:
            kept.append(f)
            covered |= set(f.gradients)
    return kept[:_MOST]


def evidence(done: Sequence[Trial], wrong: Sequence[str]) -> list[Trial]:
    """The trials that explanations are tested on: with the candidate's numbers, on data without special values."""
    usable = [t for t in done if t.answer.error is None and t.label in ("fresh", "sizes") and t.wrong]
    finite = [
        t for t in usable if all(np.all(np.isfinite(np.asarray(t.gradients[n]))) for n in wrong if n in t.gradients)
    ]
    if finite:
        return finite
    return [t for t in done if t.answer.error is None and t.label == "example"]


def batch_of(lengths: Sequence[Mapping[str, int]]) -> str:
    """What the size of the batch is written as: the first axis of the first array."""
    return next(iter(lengths[0]), "")


def merged(relations: Sequence[Finding], searched: Sequence[Finding]) -> list[Finding]:
    """Both kinds of findings: where they say the same, with the place of the one and the proof of the other."""
    found = list(searched)
    for f in relations:
        same = [n for n, s in enumerate(found) if s.kind == f.kind and set(f.gradients) <= set(s.gradients)]
        if not same:
            found.append(f)
            continue
        best = found[same[0]]
        if set(best.gradients) == set(f.gradients):
            found[same[0]] = replace(best, relation=f.relation, details={**f.details, **best.details})
    return found


def _placed(finding: Finding, exact: Exact) -> Finding:
    """A finding about a gradient alone belongs to the statement that reads the array."""
    if finding.place.step is not None or finding.place.line is not None:
        return finding
    return replace(finding, place=place_of_use(exact, finding.gradients[0]))


def place_of_use(exact: Exact, name: str) -> Place:
    """The first statement that reads an argument."""
    program = exact.backward.program
    place = next((k for k, leaf in enumerate(exact.leaves) if leaf.name == name), None)
    if place is None:
        return Place()
    number = exact.backward.wrt[place].number
    for k, step in enumerate(program.steps[: exact.backward.forward_steps]):
        if any(x.number == number for x in step.inputs):
            return place_of(program, exact.backward.forward_steps, k)
    return Place()


def _together(findings: Sequence[Finding]) -> list[Finding]:
    """The same mistake in several gradients is one finding."""
    found: dict[tuple[str, str], Finding] = {}
    for f in findings:
        key = (f.kind, str(f.details.get("factor", "")))
        if key in found:
            first = found[key]
            found[key] = replace(
                first,
                gradients=tuple(dict.fromkeys((*first.gradients, *f.gradients))),
                error=max(first.error, f.error),
                cost=min(first.cost, f.cost),
            )
        else:
            found[key] = f
    return list(found.values())
