"""How much of a report is said: only the verdict, a question, the fault, or also the line to write instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar, cast

from chainrule.check.verdicts import FEEDBACK, Feedback, GradientVerdict, Suspect, chief
from chainrule.check.vocabulary import explanation
from chainrule.errors import ChainruleError
from chainrule.language import Message, listed, message

__all__ = ["Reported", "at_level", "level_named"]


class Reported(Protocol):
    """The fields of a report."""

    @property
    def candidate(self) -> str: ...

    @property
    def forward(self) -> str: ...

    @property
    def ok(self) -> bool: ...

    @property
    def judged(self) -> bool: ...

    @property
    def gradients(self) -> Mapping[str, GradientVerdict]: ...

    @property
    def suspects(self) -> tuple[Suspect, ...]: ...

    @property
    def bound(self) -> Message | None: ...

    @property
    def notes(self) -> tuple[Message, ...]: ...

    @property
    def feedback(self) -> Feedback: ...

    @property
    def remarks(self) -> tuple[Message, ...]: ...


Said = TypeVar("Said", bound=Reported)


def level_named(name: str) -> Feedback:
    """The level of detail of this name.

    Raises:
        ChainruleError: where there is none.
    """
    if name not in FEEDBACK:
        choices = listed(map(repr, FEEDBACK))
        raise ChainruleError(
            message("{choice}: choose one of {choices}.", choice=f"feedback={name!r}", choices=choices)
        )
    return name


def at_level(report: Said) -> Said:
    """A report without what its level of feedback does not say.

    What is left out is left out of the record itself, so that nothing that reads it can show it.
    """
    level = FEEDBACK.index(level_named(report.feedback))
    if level == FEEDBACK.index("fix"):
        return report
    if level == FEEDBACK.index("fault"):
        suspects = tuple(_without_fix(s) for s in report.suspects)
        return cast(Said, replace(cast(Any, report), suspects=suspects))
    questions: tuple[Suspect, ...] = ()
    if level == FEEDBACK.index("hint"):
        questions = _questions([s for s, _ in chief(report.suspects)])
    gradients = {
        n: replace(g, worst=None, convention=g.convention if g.ok else None) for n, g in report.gradients.items()
    }
    return cast(Said, replace(cast(Any, report), suspects=questions, bound=None, remarks=(), gradients=gradients))


def _without_fix(s: Suspect) -> Suspect:
    """A suspect without the line to write instead, and without the right expression in its explanation."""
    said = s.explanation
    if said.values.keys() & {"right", "factor"}:
        said = explanation(s.kind, **{k: v for k, v in said.values.items() if k not in ("right", "factor")})
    return replace(s, explanation=said, fix=None, fix_holds=None)


def _questions(suspects: Sequence[Suspect]) -> tuple[Suspect, ...]:
    """What is left of suspects that may only ask: nothing but their questions, each of them once."""
    found: dict[str, Suspect] = {}
    for s in suspects:
        if s.hint is None:
            continue
        same = found.get(s.hint.template)
        names = s.gradients if same is None else tuple(dict.fromkeys((*same.gradients, *s.gradients)))
        found[s.hint.template] = Suspect("", None, None, s.hint, hint=s.hint, gradients=names, together=s.together)
    return tuple(found.values())
