"""The records of a verdict: which gradients are right, and what explains those that are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chainrule.language import Message

__all__ = ["Feedback", "GradientVerdict", "Report", "Suspect"]

Feedback = Literal["verdict", "hint", "fault", "fix"]


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


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on a candidate.

    Attributes:
        candidate: what it is called.
        forward: what it was compared with.
        ok: whether every gradient is right and nothing else is wrong, such as an argument that is changed.
        judged: whether it could be judged at all; ``notes`` says why not.
        gradients: the verdict per gradient, by the name of the argument.
        suspects: what explains the wrong ones, likeliest first.
        bound: where no suspect fits, between which statements it goes wrong.
        notes: what else was noticed: conventions, what the own example could not show, what could not be enforced.
        feedback: how much of it is said.
    """

    candidate: str
    forward: str
    ok: bool
    judged: bool = True
    gradients: Mapping[str, GradientVerdict] = field(default_factory=dict)
    suspects: tuple[Suspect, ...] = ()
    bound: Message | None = None
    notes: tuple[Message, ...] = ()
    feedback: Feedback = "fix"
