"""What the candidate's own lines add to a report: where it goes wrong, and the line to write instead."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

from chainrule.check.dialects import respelled
from chainrule.check.first_look import Look, first_look, quietly
from chainrule.check.fixes import Mender
from chainrule.check.locating import Location, Witness
from chainrule.check.mending import Fix, lines_written, mended, with_written
from chainrule.check.report import Report
from chainrule.check.separating import Separated
from chainrule.check.trials import Trials
from chainrule.check.verdicts import Suspect, chief
from chainrule.check.vocabulary import KINDS, explanation, place, same_kind, suspect
from chainrule.emit.writing import words_of
from chainrule.language import Message, message
from chainrule.source import write

__all__ = ["completed"]

_LONGEST = 60  # backward steps of a pass that is written whole: those of many turns of a loop take long
_WHOLE = ("averages", "constants and signs")  # groups of kinds that are a factor of the whole gradient

# Their sentences say what the forward statement does: "takes a mean". They stay at the statement that does it.
_SAYS_WHAT_IS_THERE = frozenset(("missing_batch_mean", "missing_mean", "missing_scale", "factor_2_missing"))


def completed(report: Report, trials: Trials, look: Look | None = None) -> Report:
    """A report with the lines of the candidate where it goes wrong, and with what to write there.

    Args:
        report: the report on a candidate, as far as its numbers go.
        trials: what the candidate gave on draws.
        look: what was seen of it before; looked at here if not given.
    """
    wrong = [n for n, g in report.gradients.items() if not g.ok]
    if not wrong or not report.judged:
        return report
    look = first_look(trials, wrong) if look is None else look
    apart, witness, wrong = look.apart, look.witness, list(look.wrong)
    given = [replace(s, candidate_line=_moved(s.candidate_line, apart.new_line)) for s in report.suspects]
    fixes: list[Fix] = []
    locations: list[Location] = []
    if witness is not None:
        locations = quietly(lambda: witness.locate(wrong)) or []
        kinds = {n: {s.kind for s in report.suspects if n in s.gradients} for n in wrong}
        mender = Mender(apart.candidate, trials.forward, look.exacts, look.others, kinds)
        fixes = look.fixes or quietly(lambda: mender.fixes(witness, wrong)) or []
    # What holds for every gradient comes from the loss, wherever the candidate's lines show it first.
    placed = [s if set(s.gradients) >= set(report.gradients) else _placed(s, locations) for s in given]
    explained = {n for s in placed for n in (s.gradients or wrong)}
    unnamed = [at for at in locations if not explained & set(at.gradients) and at.line]
    left = tuple(n for at in unnamed for n in at.gradients)
    if len(fixes) == 1 and len(unnamed) > 1 and fixes[0].word and fixes[0].tried and set(fixes[0].mends) >= set(left):
        unnamed = [replace(unnamed[0], gradients=left)]  # one line for all
    bounds = [_bound(witness, at, apart) for at in unnamed] if witness is not None else []
    placed += [_unnamed(at, bound, fixes) for at, bound in zip(unnamed, bounds, strict=True)]
    bounds = [b for b, s in zip(bounds, placed[len(placed) - len(bounds) :], strict=True) if s.kind == "unknown"]
    suspects = mended(_told_by(fixes, placed), fixes, locations)
    script = trials.candidate.style == "script"  # in which every line is run before it is proposed
    if not script and any(s.fix is None and s.line is not None for s, _ in chief(suspects)):
        suspects = with_written(suspects, _written(trials), _names_in(trials))
    named = {n for s in suspects if s.kind != "unknown" for n in s.gradients}
    bound = bounds[0] if bounds else None if named >= set(wrong) else report.bound
    told = [replace(s, candidate_line=_moved(s.candidate_line, apart.old_line)) for s in suspects]
    return replace(report, suspects=tuple(told), bound=bound)


def _moved(line: int | None, number: Callable[[int], int]) -> int | None:
    return None if line is None else number(line)


def _placed(s: Suspect, locations: Sequence[Location]) -> Suspect:
    """A suspect that is a factor or a transpose, at the place where the candidate's own values first have it."""
    fitting = [
        at for at in locations if at.certain and at.relation is not None and set(at.gradients) & set(s.gradients)
    ]
    moves = KINDS[s.kind].group in _WHOLE and s.kind not in _SAYS_WHAT_IS_THERE
    if not moves or len(fitting) != 1 or fitting[0].place.line is None or fitting[0].covers(s.line):
        return s
    (at,) = fitting
    values = {**s.explanation.values, "statement": place(at.place.step, at.place.line, at.place.source)}
    said = explanation(s.kind, **values)
    return replace(s, step=at.place.step, line=at.place.line, source=at.place.source, explanation=said)


# Changes of the candidate's own line that say what the mistake is, whatever else has the same numbers.
_TELLING = frozenset(
    "overwrites_instead_of_accumulates duplicate_index_overwrite off_by_one_index missing_label_term inverted_mask "
    "missing_transpose stride_ignored sign_flipped_term wrong_power".split()
)


# Changes that no other mistake looks like when the lines are read, though its numbers may.
_DECISIVE = frozenset(
    "wrong_loop_range wrong_block int_truncation swapped_parts overwrites_instead_of_accumulates "
    "truncated_recurrence".split()
)

# What is added to a line says what it lacks where the numbers look like one thing and another.
_TERMS = frozenset(("missing_label_term", "missing_path"))

# What the numbers alone may look like whatever the mistake is.
_VAGUE = frozenset(
    "missing_path wrong_local_derivative missing_local_derivative missing_scale zero_gradient extra_term "
    "missing_count_on_target wrong_operand unknown".split()
)


def _told_by(fixes: Sequence[Fix], suspects: Sequence[Suspect]) -> list[Suspect]:
    """Suspects with what a change of the candidate's own line says, first, where none of them says it."""
    found = list(suspects)
    for f in fixes:
        own = [s for s in suspects if set(s.gradients) & set(f.mends)]
        if not own and f.word and f.tried:  # nothing else is known
            told = replace(suspect(f.word, gradients=f.mends), proof=message("with this line, the candidate is right"))
            found.insert(0, told)
        if not own or not f.tried:
            continue
        further = f.word and set(f.mends) > {n for s in own for n in s.gradients}  # it explains more than the numbers
        whole = further and len(fixes) == 1
        vague = all(s.kind in _VAGUE and not s.together for s in own) and (f.word in _TELLING or further)
        first = min(own, key=lambda s: s.rank)
        if f.word in _DECISIVE and len(fixes) == 1 and not same_kind(f.word, first.kind):
            found = [s for s in found if s.kind != f.word]
            further = vague = True
        if not vague and not whole and not (f.word in _TERMS and _disagree(f.word, [s.kind for s in own])):
            continue
        told = suspect(f.word, step=first.step, line=first.line, source=first.source, gradients=f.mends)
        proof = message("with this line, the candidate is right")
        found.insert(0, replace(told, proof=proof, rank=first.rank - 1.0))
    return found


def _disagree(word: str, kinds: Sequence[str]) -> bool:
    """Whether the numbers look like mistakes that have nothing to do with each other, and none with that of a line."""
    known = [k for k in dict.fromkeys(kinds) if k in KINDS]
    if any(same_kind(word, k) for k in known):
        return False
    return any(not same_kind(a, b) for a, b in itertools.combinations(known, 2))


def _unnamed(at: Location, bound: Message, fixes: Sequence[Fix]) -> Suspect:
    """What stands in the place of a suspect where the place is known and no change of the exact pass explains it.

    A small change of the candidate's own line with which it is right names the mistake; else it is unknown.
    """
    for f in fixes:
        alone = len(fixes) == 1 or f.location.line == at.line
        if f.word and f.tried and alone and set(at.gradients) <= set(f.mends):
            proof = message("with this line, the candidate is right")
            return replace(_at_place(f.word, at), proof=proof, rank=2.0)
    return replace(_at_place("unknown", at), explanation=bound)


def _at_place(kind: str, at: Location) -> Suspect:
    return suspect(kind, step=at.place.step, line=at.place.line, source=at.place.source, gradients=at.gradients)


def _names_in(trials: Trials) -> set[str]:
    """The names that the reader knows: those of the candidate and of the arguments, and what is handed in."""
    own = words_of(trials.candidate.source.splitlines())
    return {*own, *trials.forward.arguments, "grad_output", "np", "len", "axis", "keepdims", "True", "None"}


def _written(trials: Trials) -> dict[tuple[int, str], str]:
    """The backward pass as ``write`` gives it, by forward line and what is assigned; without what the candidate has."""
    backward = trials.done[0].exact.backward
    if len(backward.program.steps) - backward.forward_steps > _LONGEST:
        return {}
    own = {" ".join(line.split()) for line in trials.candidate.source.splitlines()}
    args, kwargs = trials.forward.split(trials.done[0].exact.draw.arguments)
    text = quietly(lambda: str(write(trials.forward.function, *args, style="lines", **kwargs)))
    lines = {at: respelled(line, trials.candidate.style) for at, line in lines_written(text or "").items()}
    return {at: line for at, line in lines.items() if line is not None and " ".join(line.split()) not in own}


def _bound(witness: Witness, at: Location, apart: Separated) -> Message:
    """Between which lines it goes wrong."""
    right, line = witness.last_right(at), apart.old_line(at.line)
    if right is None:
        return message("It goes wrong first on your line {line}, and no known mistake explains how.", line=line)
    return message(
        "Your {right} of line {before} is right, and what your line {line} makes of it is not; no known mistake "
        "explains how.",
        right=right.name,
        before=apart.old_line(right.line),
        line=line,
    )
