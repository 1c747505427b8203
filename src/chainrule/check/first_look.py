"""What a candidate's own lines show before anything is searched for: where they go wrong, and a small change in a loop.

In a loop the values say more than a search: each line has been run in a first turn, in which nothing was wrong before
it. Where a small change of such a line makes the candidate right, little is left to be searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chainrule.check.anywhere import Tries, fixes_anywhere, wrong_on
from chainrule.check.carrying import mended_between_turns
from chainrule.check.changing import is_inside
from chainrule.check.exact import Exact
from chainrule.check.findings import Place
from chainrule.check.locating import Location, Witness, witness_of
from chainrule.check.mending import Fix
from chainrule.check.moving import other_blocks
from chainrule.check.separating import Separated, separated
from chainrule.check.trials import Trials

__all__ = ["Look", "first_look", "quietly"]

_LABELS = ("fresh", "sizes", "example")


@dataclass(slots=True)
class Look:
    """What is seen of a candidate before its mistake is searched for.

    Attributes:
        apart: the candidate with one statement on each line.
        exacts: the draws of the sizes of the example on which it could be run; those with general values first.
        others: draws on which a change must hold, too.
        wrong: the gradients that are wrong there.
        witness: its own variables on the first of these.
        fixes: a small change with which everything is right, where one was found.
    """

    apart: Separated
    exacts: list[Exact]
    others: list[Exact]
    wrong: Sequence[str] = ()
    witness: Witness | None = None
    fixes: list[Fix] = field(default_factory=list)


def first_look(trials: Trials, wrong: Sequence[str]) -> Look:
    """What is seen of a candidate, given which gradients are wrong."""
    usable = [t for t in trials.done if t.answer.error is None and t.label in _LABELS]
    fresh_first = sorted(usable, key=lambda t: (not t.wrong, t.label != "fresh"))  # what is right there says nothing
    own = [t.exact for t in fresh_first if t.label != "sizes"]
    others = [t.exact for t in usable if t.exact not in own[:1]]
    if not usable:  # it ends with an error, and may be run where all axes are of one length
        square = trials.square()
        own, others = [t.exact for t in square], [t.exact for t in trials.done if t.label in _LABELS]
        wrong = [n for n in wrong if any(n in t.wrong for t in square)]
    apart: Separated = quietly(lambda: separated(trials.candidate)) or Separated(trials.candidate)
    look = Look(apart, own, others, wrong)
    look.witness = quietly(lambda: witness_of(apart.candidate, own)) if own else None
    look.fixes = quietly(lambda: _in_loops(look, wrong)) or []
    return look


def quietly(call: Callable[[], Any]) -> Any:
    """What a call gives; nothing where the forward pass or the candidate holds something that it cannot do.

    The candidate's source is compiled and run anew with changed lines, which may raise anything; the verdict stands
    without what this would have added.
    """
    try:
        return call()
    except Exception:  # the verdict stands; what somebody's code leads to here must not cost it
        return None


def _in_loops(look: Look, wrong: Sequence[str]) -> list[Fix]:
    """A small change of a line of a loop with which all gradients are right."""
    witness, candidate = look.witness, look.apart.candidate
    if witness is None or candidate.style == "script" or not hasattr(candidate, "replaced"):
        return []
    loops = witness.lines.loops()
    if not loops:
        return []
    lines = {at.line for at in witness.locate(wrong)}
    tries = Tries(look.exacts[0], wrong)
    between = mended_between_turns(candidate, witness, wrong, tries, look.others)
    if between is not None:
        return [between]
    found: list[Fix] = []
    if any(is_inside(line, loop) for loop in loops for line in lines):
        found = fixes_anywhere(
            candidate, witness, wrong, look.exacts, look.others, lambda names: (), tries, alone=True, near=True
        )
    whole = [f for f in found if set(f.mends) >= set(wrong)]
    return whole or _in_other_blocks(look, wrong, tries)


def _in_other_blocks(look: Look, wrong: Sequence[str], tries: Tries) -> list[Fix]:
    """A line of a loop behind it, or one behind a loop in it, with which all gradients are right."""
    candidate = look.apart.candidate
    for m in other_blocks(candidate):
        if tries.wrong_with(candidate, m.first, m.last, m.text):
            continue
        changed = candidate.replaced(m.first, m.text, m.last)  # type: ignore[attr-defined]
        if changed is not None and not any(wrong_on(changed, exact) for exact in look.others):
            at = Location(tuple(wrong), m.first, m.own, "", Place(), Place())
            return [Fix(at, m.text, tuple(wrong), True, m.last - m.first + 1, "wrong_block")]
    return []
