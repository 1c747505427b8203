"""A loss that is a sum of terms: which of them a wrong gradient has, and how many times.

The gradient of ``data + penalty`` is the sum of the gradients of both.  A candidate that forgot the penalty, or the
mean in ``data`` alone, has other multiples of the two, which are found by solving for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.backward import Backward, backward_of
from chainrule.calls import TracedCall
from chainrule.check.counts import factor_between, named_factor
from chainrule.check.exact import Exact, exact_on
from chainrule.check.findings import Finding, Place, part_of, place_of
from chainrule.check.forward import Forward
from chainrule.check.judging import Trial
from chainrule.check.relations import kind_of_factor
from chainrule.check.trials import Trials
from chainrule.errors import ChainruleError
from chainrule.ir import Const, Program, Var
from chainrule.language import Message, message
from chainrule.run import value_in
from chainrule.sizes import is_size
from chainrule.traced import Traced
from chainrule.trees import LEAF

__all__ = ["place_in", "term_findings", "terms_of"]

_CLOSE = 1e-7
_TOGETHER = 200  # the number of term faults that explain a gradient only together
_MOST = 8  # terms of a loss that are told apart
_THROUGH = frozenset(("negative", "positive", "identity", "float", "copy", "asarray"))
_COUNTED = frozenset(("mean", "average", "nanmean", "var", "std", "divide"))
_PLAIN = frozenset((0.25, 0.5, 1.0, 2.0, 4.0))  # factors that are more likely to be themselves than those of the data
_OF_THE_TERM = frozenset(("missing_reg_grad", "missing_batch_mean", "missing_mean"))
_SQUARED = frozenset(("power", "square"))


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a loss.

    Attributes:
        number: of its variable.
        steps: the numbers of the forward steps that it is computed by.
        reads: the numbers of the arrays among the arguments that it depends on.
        penalty: whether it depends on fewer arrays than another term, as a regulariser does.
    """

    number: int
    steps: frozenset[int]
    reads: frozenset[int]
    penalty: bool = False


def terms_of(backward: Backward) -> list[Term]:
    """The terms that the result of the forward pass is the sum of; one alone, or none, where it is no sum."""
    program, first = backward.program, backward.forward_steps
    made = {out.number: k for k, step in enumerate(program.steps[:first]) for out in step.outputs}
    if backward.cotangents or not isinstance(program.outputs[0], Var):
        return []
    numbers = list(dict.fromkeys(_split(program, made, program.outputs[0].number)))
    if not 1 < len(numbers) <= _MOST:
        return []
    arrays = {x.number for x in program.inputs if x.shape}
    found = [_term(program, made, n, arrays) for n in numbers]
    found = [t for t in found if t.reads]
    return [Term(t.number, t.steps, t.reads, any(t.reads < other.reads for other in found)) for t in found]


def _split(program: Program, made: Mapping[int, int], number: int) -> list[int]:
    """The variables that a number is added up from."""
    k = made.get(number)
    step = program.steps[k] if k is not None else None
    if step is None:
        return [number]
    name, varying = step.operation.name, [x for x in step.inputs if x.number in made]
    if any(x.shape for x in varying if isinstance(x, Var)):
        return [number]
    if name in ("add", "subtract"):
        return [n for x in varying for n in _split(program, made, x.number)]
    if name in _THROUGH and varying:
        return _split(program, made, varying[0].number)
    if (name == "multiply" or (name == "divide" and step.inputs[0].number in made)) and len(varying) == 1:
        inner = _split(program, made, varying[0].number)
        return inner if len(inner) > 1 else [number]
    return [number]


def _term(program: Program, made: Mapping[int, int], number: int, arrays: set[int]) -> Term:
    steps: set[int] = set()
    reads: set[int] = set()
    pending = [number]
    while pending:
        n = pending.pop()
        if n in arrays:
            reads.add(n)
        k = made.get(n)
        if k is not None and k not in steps:
            steps.add(k)
            pending += [x.number for x in program.steps[k].inputs if x.number >= 0]
    return Term(number, frozenset(steps), frozenset(reads))


# ---- what the terms contribute
def _alone(forward: Forward, exact: Exact, wrt: Sequence[str], number: int) -> Exact:
    """The exact gradients of one variable of the forward pass."""
    args, kwargs = forward.split(exact.draw.arguments)
    places: list[int | str] = [forward.by_position.index(n) if n in forward.by_position else n for n in wrt]

    def choose(call: TracedCall) -> None:
        call.outputs = [Traced(call.tape, number, call.tape.values[number], True)]
        call.structure = LEAF

    with np.errstate(all="ignore"):
        backward = backward_of(forward.function, args, places, kwargs, prepare=choose)
    if [s.operation for s in backward.program.steps[: backward.forward_steps]] != [
        s.operation for s in exact.backward.program.steps[: exact.backward.forward_steps]
    ]:
        raise ChainruleError("The steps of a term are not those of the whole.")
    return exact_on(forward, exact.draw, wrt, backward)


def _shares(forward: Forward, exact: Exact, wrt: Sequence[str], terms: Sequence[Term]) -> list[dict[str, Any]]:
    """Per term its share of each gradient."""
    found = []
    for term in terms:
        whole = exact.backward.links.get(term.number, 1.0)
        weight = exact.values[whole] if type(whole) is int else value_in(Const(whole), exact.values)
        own = _alone(forward, exact, wrt, term.number)
        found.append({n: g * weight for n, g in own.gradients.items()})
    return found


def _multiples(given: Any, shares: Sequence[Any]) -> list[float] | None:
    """How many times each share is in a gradient, where it is made of them."""
    columns = np.array([np.ravel(s) for s in shares], float).T
    wanted = np.ravel(given)
    if wanted.size != len(columns) or len(columns) <= len(shares) or not np.all(np.isfinite(wanted)):
        return None
    sizes = np.linalg.norm(columns, axis=0)
    found, _, rank, _ = np.linalg.lstsq(columns / sizes, wanted, rcond=1e-7)
    if rank < len(shares) or np.max(np.abs(columns / sizes @ found - wanted)) > _CLOSE * np.max(np.abs(columns)):
        return None
    return [float(c) for c in found / sizes]


@dataclass(frozen=True, slots=True)
class _Fault:
    """A term that a gradient has another number of times than once."""

    name: str
    term: int
    factors: tuple[float, ...]


def term_findings(trials: Trials, usable: Sequence[Trial], wrong: Sequence[str], batch: str) -> list[Finding]:
    """The terms of the loss that wrong gradients leave out, or have another number of times than once.

    Args:
        trials: what the candidate gave on draws.
        usable: the trials that explanations are tested on.
        wrong: the names of the gradients that are wrong.
        batch: what the size of the batch is written as.
    """
    terms = terms_of(usable[0].exact.backward)
    if len(terms) < 2:
        return []
    terms_on = [terms, *(terms_of(t.exact.backward) for t in usable[1:])]
    if any(len(own) != len(terms) for own in terms_on):
        return []
    per_draw = [_shares(trials.forward, t.exact, trials.wrt, own) for t, own in zip(usable, terms_on, strict=True)]
    lengths = [trials.drawing.named_lengths(t.exact.draw) for t in usable]
    found: list[Finding] = []
    for name in wrong:
        present = _present(name, per_draw)
        kept = [k for k, t in enumerate(usable) if np.size(t.exact.gradients[name]) > len(present)]
        if not kept:
            continue
        tried, shares_of = [usable[k] for k in kept], [per_draw[k] for k in kept]
        faults = _faults(name, tried, shares_of)
        together = _TOGETHER if len(faults) > 1 else 0
        own = [_finding(f, tried, shares_of, terms, [lengths[k] for k in kept], batch, together) for f in faults]
        if all(f is not None for f in own):
            found += [f for f in own if f is not None]
    # A gradient that one term alone goes into has a multiple of it, too; that is the same fault where it is the same.
    known = {(f.number, f.details.get("factor")) for f in found}
    for fault in _alone_in(usable, per_draw, wrong) if found else ():
        own_finding = _finding(fault, usable, per_draw, terms, lengths, batch, 0)
        if own_finding is not None and (own_finding.number, own_finding.details.get("factor")) in known:
            found.append(own_finding)
    return [_where_it_enters(f, usable[0].exact, terms, per_draw[0]) for f in _in_one(found)]


def _where_it_enters(
    finding: Finding, exact: Exact, terms: Sequence[Term], shares: Sequence[Mapping[str, Any]]
) -> Finding:
    """A fault that other gradients of the same term do not have sits where the term reads the array."""
    place = next(k for k, t in enumerate(terms) if t.number == finding.number)
    others = {n for n, share in shares[place].items() if np.any(share)} - set(finding.gradients)
    if not others or finding.kind in _OF_THE_TERM:
        return finding
    leaf = next(k for k, leaf in enumerate(exact.leaves) if leaf.name == finding.gradients[0])
    number, steps = exact.backward.wrt[leaf].number, exact.backward.program.steps
    readers = [k for k in sorted(terms[place].steps) if any(x.number == number for x in steps[k].inputs)]
    if not readers:
        return finding
    details = {k: v for k, v in finding.details.items() if k != "statement"}
    return replace(
        finding, place=place_of(exact.backward.program, exact.backward.forward_steps, readers[0]), details=details
    )


def _present(name: str, per_draw: Sequence[Sequence[Mapping[str, Any]]]) -> list[int]:
    """The terms that a gradient has a share of on some draw."""
    return [k for k in range(len(per_draw[0])) if any(np.any(shares[k][name]) for shares in per_draw)]


def _alone_in(
    usable: Sequence[Trial], per_draw: Sequence[Sequence[Mapping[str, Any]]], wrong: Sequence[str]
) -> list[_Fault]:
    """The gradients that come from one term alone and are a multiple of what they must be."""
    found = []
    for name in wrong:
        present = _present(name, per_draw)
        if len(present) != 1 or any(name not in t.gradients for t in usable):
            continue
        factors = [factor_between(np.asarray(t.gradients[name]), t.exact.gradients[name]) for t in usable]
        known = tuple(f for f in factors if f is not None)
        if len(known) == len(factors):
            found.append(_Fault(name, present[0], known))
    return found


def _faults(name: str, usable: Sequence[Trial], per_draw: Sequence[Sequence[Mapping[str, Any]]]) -> list[_Fault]:
    if any(name not in t.gradients for t in usable):
        return []
    present = _present(name, per_draw)
    if len(present) < 2:
        return []
    solved = []
    for trial, shares in zip(usable, per_draw, strict=True):
        if any(not np.any(shares[k][name]) for k in present):
            return []
        multiples = _multiples(trial.gradients[name], [shares[k][name] for k in present])
        if multiples is None:
            return []
        solved.append(multiples)
    off = [n for n in range(len(present)) if any(abs(m[n] - 1) > 1e-6 for m in solved)]
    alike = all(max(m) - min(m) <= 1e-6 * max(map(abs, m)) for m in solved)
    if alike:  # a multiple of the whole gradient, which says nothing of its terms
        return []
    return [_Fault(name, present[n], tuple(m[n] for m in solved)) for n in off]


def _finding(
    fault: _Fault,
    usable: Sequence[Trial],
    per_draw: Sequence[Sequence[Mapping[str, Any]]],
    terms: Sequence[Term],
    lengths: Sequence[Mapping[str, int]],
    batch: str,
    together: int,
) -> Finding | None:
    exact = usable[0].exact
    term = terms[fault.term]
    shares = [shares[fault.term][fault.name] for shares in per_draw]
    details: dict[str, Any] = {}
    if all(abs(c) < 1e-6 for c in fault.factors):
        kind = "missing_reg_grad" if term.penalty else "missing_path"
        details["right"] = _as_text(fault.name, shares, usable, lengths) if term.penalty else None
        text = "0"
    else:
        scale = _scale(fault.factors, usable)
        factor = None if scale else named_factor(fault.factors, lengths)
        if scale is None and factor is None:
            return None
        kind, details = (
            ("missing_scale", {"factor": scale}) if factor is None else kind_of_factor(factor, batch, lengths)
        )
        kind = "sign_flipped_term" if kind == "sign_flipped" else kind
        text = f"1 / {scale}" if factor is None else factor.text
    place = place_in(exact, term, kind)
    details["statement"] = part_of(exact.backward.program, exact.backward.forward_steps, _top(exact, term))
    share = _named(exact, term)
    if text == "0":
        relation = message("exact - candidate == the gradient of {share}", share=share)
    else:
        relation = message("candidate == exact, with {factor} times the gradient of {share}", factor=text, share=share)
    return Finding(
        kind,
        (fault.name,),
        place,
        details,
        relation,
        error=1e-14,
        draws=len(usable),
        cost=-1.0 + 0.3 * bool(together),
        word="term",
        number=term.number,
        together=together,
    )


def _top(exact: Exact, term: Term) -> int:
    """The forward step that makes a term."""
    steps = exact.backward.program.steps
    return max(k for k in term.steps if any(out.number == term.number for out in steps[k].outputs))


def _named(exact: Exact, term: Term) -> str | Message:
    variable = exact.backward.program.by_number().get(term.number)
    if variable is not None and variable.name:
        return variable.name
    position = exact.backward.program.steps[_top(exact, term)].position
    part = position.segment if position is not None and position.end_line == position.line else ""
    return f"`{part}`" if part else message("one term")


def _scale(factors: Sequence[float], usable: Sequence[Trial]) -> str | None:
    """The number, of the arguments or written in the code, that a term was not multiplied by."""
    if all(abs(c - factors[0]) <= _CLOSE for c in factors) and round(abs(factors[0]), 6) in _PLAIN:
        return None
    program = usable[0].exact.backward.program
    numbers = [(x.name or "", [t.exact.values[x.number] for t in usable]) for x in program.inputs if not x.shape]
    for step in program.steps[: usable[0].exact.backward.forward_steps]:
        if step.operation.name == "multiply":
            written = [x.value for x in step.inputs if isinstance(x, Const) and isinstance(x.value, float)]
            numbers += [(f"{v:g}", [v] * len(usable)) for v in written]
    for text, values in numbers:
        if all(abs(c * float(np.real(v)) - 1) <= 1e-6 for c, v in zip(factors, values, strict=True)):
            return text
    return None


def _as_text(name: str, shares: Sequence[Any], usable: Sequence[Trial], lengths: Sequence[Mapping[str, int]]) -> Any:
    """The gradient of a penalty as an expression, where it is a multiple of the array."""
    exact = usable[0].exact
    place = next(k for k, leaf in enumerate(exact.leaves) if leaf.name == name)
    number = exact.backward.wrt[place].number
    found = [
        factor_between(np.asarray(s, float), np.asarray(t.exact.values[number], float))
        for s, t in zip(shares, usable, strict=True)
    ]
    known = [f for f in found if f is not None]
    if len(known) < len(found):
        return None
    scalars = {
        x.name: [float(np.real(t.exact.values[x.number])) for t in usable]
        for x in exact.backward.program.inputs
        if not x.shape
    }
    found_texts: list[tuple[bool, bool, str]] = []
    for scalar in ("", *scalars):
        for length in ("", *lengths[0]):
            plain = [
                f / (scalars[scalar][k] if scalar else 1) * (lengths[k][length] if length else 1)
                for k, f in enumerate(known)
            ]
            if max(plain) - min(plain) <= 1e-6 * abs(plain[0]):
                leading = [] if abs(plain[0] - 1) < _CLOSE else [f"{plain[0]:.4g}"]
                text = " * ".join([*leading, *([scalar] if scalar else []), name]) + (f" / {length}" if length else "")
                found_texts.append((round(abs(plain[0]), 7) not in _PLAIN, bool(leading), text))
    return min(found_texts, key=lambda f: f[:2])[2] if found_texts else None


def place_in(exact: Exact, term: Term, kind: str) -> Place:
    """The statement of a term that brings in a square or a count; else the one that computes the term."""
    program, first = exact.backward.program, exact.backward.forward_steps
    wanted = _SQUARED if kind == "factor_2_missing" else _COUNTED if "mean" in kind or kind == "wrong_count" else ()
    for k in sorted(term.steps, reverse=True):
        step = program.steps[k]
        if step.operation.name in wanted and (
            step.operation.name != "divide" or any(is_size(getattr(x, "value", None)) for x in step.inputs)
        ):
            return place_of(program, first, k)
    return place_of(program, first, _top(exact, term))


def _in_one(findings: Sequence[Finding]) -> list[Finding]:
    """The same fault of the same term in several gradients, as one finding."""
    found: dict[Any, Finding] = {}
    for f in findings:
        key = (f.kind, f.place, f.details.get("factor"))
        if key not in found:
            found[key] = f
            continue
        first = found[key]
        details = {k: v for k, v in first.details.items() if f.details.get(k) == v}
        found[key] = replace(first, gradients=(*first.gradients, *f.gradients), details=details)
    return list(found.values())
