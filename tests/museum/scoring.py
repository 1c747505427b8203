"""What ``check`` says of an exhibit, compared with what is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import chainrule as cr
from chainrule.check.report import Report
from chainrule.check.vocabulary import kind_named
from chainrule.errors import ChainruleError
from tests.museum.exhibit import Exhibit

__all__ = ["Score", "judged", "score"]


@dataclass(frozen=True)
class Score:
    """How well an exhibit was judged.

    Attributes:
        found: whether the verdict is what it has to be, gradient by gradient.
        first: whether the likeliest suspect is what is wrong; of several faults, any of them.
        named: whether each fault is among the first suspects, as many as are read (three, and one for each fault more).
        placed: whether each is at the step where it sits.
    """

    found: bool
    first: bool
    named: bool
    placed: bool


def judged(exhibit: Exhibit, seed: int = 0) -> Report:
    """The report of ``check`` on an exhibit."""
    args = {k: v.copy() if hasattr(v, "copy") else v for k, v in exhibit.args.items()}
    return cr.check(exhibit.candidate, exhibit.forward, args, exhibit.asked(), seed=seed)


def score(exhibit: Exhibit, report: Report) -> Score:
    """Compare a report with what is known about the exhibit."""
    wrong = {name for name, verdict in report.gradients.items() if not verdict.ok}
    found = report.judged and report.ok == (not exhibit.kinds)
    if exhibit.shown is None:
        found = found and wrong == set(exhibit.wrong)
    seen = report.suspects[: 2 + max(1, len(exhibit.kinds))]
    first = bool(seen) and any(_is(seen[0], kinds) for kinds in exhibit.kinds)
    named = all(any(_is(suspect, kinds) for suspect in seen) for kinds in exhibit.kinds)
    steps = exhibit.steps or ((),) * len(exhibit.kinds)
    placed = all(
        any(_is(suspect, kinds) and (not places or suspect.step in places) for suspect in seen)
        for kinds, places in zip(exhibit.kinds, steps, strict=True)
    )
    return Score(found, first, named, placed)


def _is(suspect: Any, kinds: frozenset[str]) -> bool:
    return suspect.kind in kinds or _name(suspect.kind) in {_name(kind) for kind in kinds}


def _name(word: str) -> str:
    try:
        return kind_named(word).name
    except ChainruleError:
        return word
