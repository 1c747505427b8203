"""What explains a wrong candidate: relations to the exact gradients, and edits of the exact backward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule.check.elementwise import elementwise_findings
from chainrule.check.exact import Exact
from chainrule.check.explaining import searched_findings
from chainrule.check.factors import FACTORS, settled
from chainrule.check.findings import Finding, Place, place_of
from chainrule.check.judging import Trial
from chainrule.check.relations import related, swapped
from chainrule.check.terms import term_findings
from chainrule.check.trials import Trials
from chainrule.errors import ChainruleError
from chainrule.ir import Const
from chainrule.language import message
from chainrule.sizes import is_size

__all__ = ["Diagnosis", "diagnose", "evidence", "place_of_result"]


@dataclass(slots=True)
class Diagnosis:
    """What was found.

    Attributes:
        findings: the explanations, likeliest first.
        unexplained: the wrong gradients that none of them explains.
    """

    findings: list[Finding]
    unexplained: tuple[str, ...]


def diagnose(
    trials: Trials, wrong: Sequence[str], usable: Sequence[Trial] | None = None, briefly: bool = False
) -> Diagnosis:
    """Explain the gradients that are wrong.

    Args:
        trials: what the candidate gave on draws.
        wrong: the names of the gradients that are wrong.
        usable: the trials that explanations are tested on; those of the usual draws if not given.
        briefly: whether a line to write is known already, so that little time is to be spent.
    """
    usable = evidence(trials.done, wrong) if usable is None else usable
    findings: list[Finding] = []
    if usable:
        lengths = [trials.drawing.named_lengths(t.exact.draw) for t in usable]
        batch = batch_of(trials, lengths)
        relations: list[Finding] = []
        for name in wrong:
            if all(name in t.gradients for t in usable):
                relations += related(name, usable, lengths, batch)
        absent = tuple(n for n in wrong if not any(n in t.gradients for t in usable))
        if absent:
            relations.append(Finding("missing_gradient", absent, relation=message("the candidate gives nothing")))
        relations = _together([*relations, *swapped(usable, wrong)])
        terms = _of_terms(trials, usable, wrong, batch)
        known = {n for t in terms if t.kind != "extra_factor" for n in t.gradients}
        searched = [] if known >= set(wrong) else searched_findings(trials, usable, wrong, batch, briefly)
        fixed = all(lengths[0] == own for own in lengths[1:])
        both = settled(relations, searched, averages(usable[0].exact), fixed)
        findings = merged([*terms, *(_placed(f, usable[0].exact) for f in both if not _outdone(f, terms))])
        left = [n for n in wrong if not any(n in f.gradients for f in findings)]
        if left:
            findings += elementwise_findings(trials, usable, left)
    explained = {n for f in findings for n in f.gradients}
    return Diagnosis(_near(findings), tuple(n for n in wrong if n not in explained))


_FAR = 1.7  # how much likelier one explanation is than another that is not worth saying beside it


def _near(findings: Sequence[Finding]) -> list[Finding]:
    """Findings, likeliest first, without those that are much less likely than another for the same gradients."""
    found: list[Finding] = []
    for f in sorted(findings, key=lambda f: f.rank):
        likelier = [k for k in found if set(f.gradients) <= set(k.gradients) and f.rank > k.rank + _FAR]
        if f.together or not likelier:
            found.append(f)
    return found


# What is said of a gradient whose terms are known, and says less than they do.
_OF_TERMS = FACTORS | frozenset("missing_path missing_reg_grad extra_term doubled_path wrong_local_derivative".split())


def _of_terms(trials: Trials, usable: Sequence[Trial], wrong: Sequence[str], batch: str) -> list[Finding]:
    """Which terms of the loss the wrong gradients have another number of times than once."""
    try:
        return term_findings(trials, usable, wrong, batch)
    except ChainruleError:  # a term whose gradient cannot be taken alone
        return []


def _outdone(finding: Finding, terms: Sequence[Finding]) -> bool:
    """Whether the terms of the loss say the same, and where it is."""
    known = {n for t in terms for n in t.gradients}
    return finding.kind in _OF_TERMS and set(finding.gradients) <= known


def evidence(done: Sequence[Trial], wrong: Sequence[str]) -> list[Trial]:
    """The trials that explanations are tested on: with the candidate's numbers, on data without special values."""
    usable = [t for t in done if t.answer.error is None and t.label in ("fresh", "sizes") and t.wrong]
    finite = [
        t for t in usable if all(np.all(np.isfinite(np.asarray(t.gradients[n]))) for n in wrong if n in t.gradients)
    ]
    if finite:
        return finite
    return [t for t in done if t.answer.error is None and t.label == "example"]


def batch_of(trials: Trials, lengths: Sequence[Mapping[str, int]]) -> str:
    """What the size of the batch is written as: the axis that all data have and no parameter, where there is one.

    Else the first axis of the first array; where that is a parameter, the first axis of the data that no parameter has.
    """
    first = next(iter(lengths[0]), "")
    judged = {leaf.name for leaf in trials.done[0].exact.leaves}
    common = trials.drawing.common_length(judged)
    if common in lengths[0]:
        return common
    data = {
        leaf.name
        for leaf in trials.forward.leaves
        if leaf.name not in judged and np.ndim(leaf.value) > 1 and np.asarray(leaf.value).dtype.kind == "f"
    }
    if first.partition(".shape[")[0] not in judged:
        return first
    return next((n for n in lengths[0] if n.partition(".shape[")[0] in data), first)


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """Findings of one kind for the same gradients as one, with the place that the search found."""
    found: list[Finding] = []
    for f in sorted(findings, key=lambda f: (not f.word and not f.factored, f.rank)):
        same = [s for s in found if s.kind == f.kind and set(f.gradients) <= set(s.gradients)]
        if not same or (f.word and (set(f.gradients) == set(same[0].gradients) or f.together)):
            found.append(f)
        elif set(same[0].gradients) == set(f.gradients):
            place = found.index(same[0])
            found[place] = replace(same[0], relation=f.relation, details={**f.details, **same[0].details})
    return _in_one(found)


def _in_one(findings: Sequence[Finding]) -> list[Finding]:
    """The same edit at the same statement, made for several gradients one by one, as one finding."""
    found: list[Finding] = []
    for f in findings:
        same = [
            s
            for s in found
            if (s.kind, s.place, s.word, s.together) == (f.kind, f.place, f.word, 0)
            and f.word
            and not set(s.gradients) & set(f.gradients)
        ]
        if same and not f.together:
            at = found.index(same[0])
            gradients = (*same[0].gradients, *f.gradients)
            found[at] = replace(same[0], gradients=gradients, error=max(same[0].error, f.error))
        else:
            found.append(f)
    return found


def _placed(finding: Finding, exact: Exact) -> Finding:
    """A finding about a gradient alone belongs to the statement that reads the array; one about a mean, to the mean."""
    if finding.kind == "factor_2_missing" and finding.factored and not _squares(exact):
        finding = replace(finding, kind="extra_factor", details={"factor": "1 / 2"})
    counted = finding.kind in _MEANS and finding.place == Place()
    if finding.kind == "missing_scale" and finding.place != Place():
        return finding
    if finding.factored and (counted or len(finding.gradients) == len(exact.gradients)):
        return replace(finding, place=place_of_factor(exact, finding.kind))
    if finding.place.step is not None or finding.place.line is not None:
        return finding
    return replace(finding, place=place_of_use(exact, finding.gradients[0]))


def _squares(exact: Exact) -> bool:
    """Whether the forward pass squares something, or an array meets itself: ``x @ x.T``."""
    roots: dict[int, int] = {}  # of what is an array in another shape, the array
    for step in exact.backward.program.steps[: exact.backward.forward_steps]:
        met = [roots.get(x.number, x.number) for x in step.inputs if x.number >= 0]  # two numbers are not one array
        if step.operation.name in _SQUARES or len(set(met)) < len(met):
            return True
        if step.operation.name in _RESHAPING and met:
            roots.update((out.number, met[0]) for out in step.outputs)
    return False


_RESHAPING = frozenset("transpose swapaxes reshape getitem".split())
_SQUARES = frozenset("power square var std norm linalg.norm float_power".split())
_INTRODUCED = {
    "sign_flipped": frozenset(("negative", "subtract")),
    "factor_2_missing": frozenset(("power", "square")),
}
_MEANS = frozenset(("missing_batch_mean", "missing_mean"))
_COUNTED = frozenset(("mean", "average", "nanmean", "var", "std", "divide"))


def place_of_factor(exact: Exact, kind: str) -> Place:
    """The statement, nearest to the result, that brings in a sign, a square or a count; else that of the result."""
    program, first = exact.backward.program, exact.backward.forward_steps
    wanted = _INTRODUCED.get(kind, _COUNTED)
    for k in range(first - 1, -1, -1):
        name = program.steps[k].operation.name
        if name in wanted and (name != "divide" or any(isinstance(x, Const) for x in program.steps[k].inputs)):
            return place_of(program, first, k)
    return place_of_result(exact)


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


def place_of_result(exact: Exact) -> Place:
    """The statement that makes the result."""
    program = exact.backward.program
    made = {out.number: k for k, s in enumerate(program.steps[: exact.backward.forward_steps]) for out in s.outputs}
    numbers = [made[x.number] for x in program.outputs if x.number in made]
    return place_of(program, exact.backward.forward_steps, numbers[0]) if numbers else Place()


def averages(exact: Exact) -> bool:
    """Whether the forward pass takes a mean, or divides by a length."""
    for step in exact.backward.program.steps[: exact.backward.forward_steps]:
        if step.operation.name in ("mean", "average", "nanmean"):
            return True
        if step.operation.name in ("divide", "multiply") and any(
            isinstance(x, Const) and is_size(x.value) for x in step.inputs
        ):
            return True
    return False


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
