"""The record of a verdict: which gradients are right, and what explains those that are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chainrule.check.readable import Readable
from chainrule.check.verdicts import Feedback, GradientVerdict, Suspect
from chainrule.language import Message

__all__ = ["Feedback", "GradientVerdict", "Report", "Suspect"]


@dataclass(frozen=True, slots=True, repr=False)
class Report(Readable):
    """The verdict on a candidate; ``print`` it, or read it as JSON.

    Attributes:
        candidate: what it is called.
        forward: what it was compared with.
        ok: whether every gradient is right and nothing else is wrong, such as an argument that is changed.
        judged: whether it could be judged at all; ``notes`` says why not.
        gradients: the verdict per gradient, by the name of the argument.
        suspects: what explains the wrong ones, likeliest first.
        bound: where no suspect fits, between which statements it goes wrong.
        notes: what else was noticed: conventions, what could not be enforced.
        feedback: how much of it is said.
        remarks: notes that point to the fault, such as what the own example could not show; said with the fault.
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
    remarks: tuple[Message, ...] = ()
