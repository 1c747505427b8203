"""The parts of a verdict: one per gradient, and what explains those that are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chainrule.language import Message

__all__ = ["FEEDBACK", "Feedback", "GradientVerdict", "Suspect", "chief"]

Feedback = Literal["verdict", "hint", "fault", "fix"]
FEEDBACK: tuple[Feedback, ...] = ("verdict", "hint", "fault", "fix")


@dataclass(frozen=True, slots=True)
class Suspect:
    """A mistake that could explain a wrong candidate.

    Attributes:
        kind: a word of the documented vocabulary, :mod:`chainrule.check.vocabulary`.
        step: the name that the forward code assigns where the fault sits (``Z3``).
        line: the line of that statement in the forward code.
        explanation: what the mistake amounts to: "equals the exact gradient with the mask of line 29 left out".
        fix: the backward line to write instead.
        hint: a question that leads there and gives nothing away.
        gradients: the names of the wrong gradients that it explains.
        candidate_line: the line of the candidate's source where it goes wrong, where that can be seen.
        proof: the relation that was tested, and how well it holds: "candidate == exact · N, to 1e-15 on 3 draws".
        rank: smaller is likelier.
        source: the text of the statement in the forward code.
        candidate_source: the text of the line of the candidate.
        fix_holds: whether the candidate was run with the line to write instead, and every gradient that this suspect
            explains is right with it; ``None`` where that could not be tried.
        together: suspects with the same number explain the candidate together and not one by one; 0 for one alone.
    """

    kind: str
    step: str | None
    line: int | None
    explanation: Message
    fix: str | None = None
    hint: Message | None = None
    gradients: tuple[str, ...] = ()
    candidate_line: int | None = None
    proof: Message | None = None
    rank: float = 0.0
    source: str = ""
    candidate_source: str = ""
    fix_holds: bool | None = None
    together: int = 0


@dataclass(frozen=True, slots=True)
class GradientVerdict:
    """The verdict on one gradient.

    Attributes:
        name: of the argument of the forward function that it belongs to.
        ok: whether it is right.
        error: the largest error relative to the size of the gradient, over all draws; infinite where it is missing, not
            finite or of another shape.
        tolerance: what was allowed.
        shape: of what the candidate gave; ``None`` where it gave nothing.
        expected_shape: of the exact gradient.
        worst: the index of the element that is worst, what the candidate gave there, and what is right.
        convention: what it differs in without being wrong: a subgradient at a kink, a mean instead of a sum.
        points: what it is worth, where points are given.
    """

    name: str
    ok: bool
    error: float
    tolerance: float
    shape: tuple[int, ...] | None
    expected_shape: tuple[int, ...]
    worst: tuple[tuple[int, ...], Any, Any] | None = None
    convention: Message | None = None
    points: float = 1.0


def chief(suspects: Sequence[Suspect]) -> list[tuple[Suspect, list[Suspect]]]:
    """The likeliest suspects that explain the candidate together, each with others that could stand in its place."""
    found: list[tuple[Suspect, list[Suspect]]] = []
    explained: set[str] = set()
    for s in suspects:
        joined = s.together and any(other.together == s.together for other, _ in found)
        if joined or not found or (s.gradients and not explained & set(s.gradients)):
            found.append((s, []))
            explained |= set(s.gradients)
            continue
        owner = next((pair for pair in found if set(pair[0].gradients) & set(s.gradients)), found[0])
        owner[1].append(s)
    return found
