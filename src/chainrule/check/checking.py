"""``check``: the verdict on a backward pass that someone wrote by hand, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.check.behaviour import (
    behaviour,
    ignores_cotangent,
    is_not_linear,
    is_random,
    is_unstable,
    not_scaled,
)
from chainrule.check.candidate import Candidate, said_by
from chainrule.check.candidates import candidate_of
from chainrule.check.completing import completed
from chainrule.check.diagnosing import Diagnosis, diagnose, place_of_result
from chainrule.check.findings import Finding, ordered, suspect_of
from chainrule.check.first_look import Look, first_look
from chainrule.check.forward import Forward
from chainrule.check.levels import at_level
from chainrule.check.renaming import renamed
from chainrule.check.report import Feedback, GradientVerdict, Report
from chainrule.check.second_opinion import doubted
from chainrule.check.trials import Trials
from chainrule.check.weighing import Verdicts
from chainrule.errors import ChainruleError
from chainrule.language import Message, listed, message, stated
from chainrule.simplify.rewriting import quickly

__all__ = ["check", "judge"]


def check(
    candidate: Any,
    forward: Callable[..., Any],
    args: Mapping[str, Any] | Sequence[Any],
    wrt: str | Sequence[str] | None = None,
    *,
    feedback: Feedback = "fix",
    seed: int = 0,
    convention: str | None = None,
    points: Mapping[str, float] | None = None,
    names: Mapping[str, str] | None = None,
) -> Report:
    """Check a backward pass that was written by hand, and say what is wrong with it.

    Args:
        candidate: the backward pass, in any of the styles of ``docs/check.md``: a function of the inputs and the
            incoming gradient, a class with ``forward`` and ``backward``, one function per gradient.
        forward: the forward function, in plain NumPy.
        args: an example of its arguments: by name, or in order.
        wrt: the arguments whose gradients are judged; those that the candidate gives, if not given.
        feedback: how much the report says: ``"verdict"``, ``"hint"``, ``"fault"`` or ``"fix"``.
        seed: of the data that is drawn.
        convention: a convention of the course that is no fault: ``"layer mean"`` for gradients averaged over the batch.
        points: what each gradient is worth.
        names: what the candidate's own names stand for, where that cannot be told from them: an argument or variable
            of ``forward``, ``"grad_output"``, ``"output"`` or ``"cache"``.

    Returns:
        A :class:`chainrule.check.report.Report`: ``print`` it.

    Raises:
        ChainruleError: where it cannot be told how the candidate is meant.
    """
    held = _held(candidate, forward, args, wrt, names)
    report: Any = judge(held, forward, args, wrt, feedback, seed, convention, points)
    found: Report = at_level(report)
    return found


def judge(
    candidate: Candidate,
    forward: Callable[..., Any],
    args: Mapping[str, Any] | Sequence[Any],
    wrt: str | Sequence[str] | None = None,
    feedback: Feedback = "fix",
    seed: int = 0,
    convention: str | None = None,
    points: Mapping[str, float] | None = None,
) -> Report:
    """As :func:`check`, for a candidate that has been made callable."""
    held = Forward(forward, args)
    held.of = getattr(candidate, "of", None)
    wanted = tuple(candidate.wrt if wrt is None else (wrt,) if isinstance(wrt, str) else wrt)
    try:
        trials = Trials.begun(candidate, held, wanted, seed)
    except ChainruleError as error:
        note = message("The forward function could not be followed: {error}", error=stated(error))
        return Report(candidate.name, held.name, False, judged=False, notes=(note,), feedback=feedback)
    with quickly():
        spelled: Mapping[str, str] = getattr(candidate, "spelled", {})
        held_names = {name: n for n, name in spelled.items()}
        worth = {held_names.get(n, n): p for n, p in (points or {}).items()}
        own = _Judge(trials, convention, worth, feedback)
        report = renamed(completed(own.report(), trials, own.look), spelled)
    if report.ok and getattr(candidate, "failed", False):  # its notes say where
        report = replace(report, ok=False, judged=False)
    return at_level(report)


_LONGEST_ERROR = 400  # characters

# Mistakes by which a gradient is not in proportion to the incoming one, and that say more than that.
_NOT_LINEAR = frozenset(("uses_updated_weights", "low_precision", "int_truncation"))

# Ways to average that a course may define, and what they are called where they are a mistake.
_CONVENTIONS = {"layer mean": "extra_batch_mean", "mean": "extra_batch_mean", "sum": "missing_batch_mean"}


class _Judge:
    """The parts of a report, put together."""

    def __init__(self, trials: Trials, convention: str | None, points: Mapping[str, float], feedback: Feedback) -> None:
        self.trials = trials
        self.convention = convention
        self.points = points
        self.feedback = feedback
        self.notes: list[Message] = list(getattr(trials.candidate, "notes", ()))
        self.remarks: list[Message] = []
        self.findings: list[Finding] = []
        self.look: Look | None = None

    def report(self) -> Report:
        trials = self.trials
        trials.usual()
        random_forward, random_candidate = is_random(trials, trials.done[0].exact.draw)
        if random_forward:
            self.notes.append(
                message("The forward function draws random numbers; they were the same in every comparison.")
            )
        if not any(t.wrong for t in trials.done):
            trials.resized(5, "kinks", "whole") or trials.fresh("kinks", 5, "whole")
        if not any(t.wrong for t in trials.done):
            trials.decided_otherwise()
        verdicts = Verdicts(trials)
        self.notes += [*verdicts.notes, *trials.done[0].answer.notes]
        wrong = verdicts.wrong()
        if wrong and verdicts.raised is None and not random_candidate:
            unsure = doubted(trials, wrong)
            if unsure:
                return self._undecided(unsure)
        diagnosis = Diagnosis([], ())
        if random_candidate and not random_forward:
            self.findings.append(
                Finding(
                    "resampled_mask",
                    tuple(wrong),
                    relation=message("two calls with the same arguments differ"),
                    draws=1,
                )
            )
        elif random_forward and wrong:
            self.findings.append(Finding("resampled_mask", tuple(wrong), draws=1, cost=2.0))
        if verdicts.raised is not None:
            diagnosis = self._raised(verdicts)
        elif wrong:
            self.look = first_look(trials, wrong)
            diagnosis = diagnose(trials, wrong, briefly=bool(self.look.fixes))
            stepped = {n for f in diagnosis.findings if f.kind in _NOT_LINEAR for n in f.gradients}
            self.findings += self._without_upstream([n for n in wrong if n not in stepped])
        self._apply_convention(diagnosis, verdicts)
        wrong = [n for n in wrong if n not in verdicts.allowed]
        self.findings += [*behaviour(trials), *self._unscaled()]
        if not wrong and verdicts.raised is None:
            self._stability()
        findings = ordered([*self.findings, *verdicts.findings, *diagnosis.findings])
        suspects = tuple(suspect_of(f, trials.done) for f in findings)
        gradients = {n: self._verdict(n, verdicts) for n in verdicts.names}
        ok = all(g.ok for g in gradients.values()) and not suspects and verdicts.raised is None
        return Report(
            trials.candidate.name,
            trials.forward.name,
            ok,
            gradients=gradients,
            suspects=suspects,
            bound=self._bound(diagnosis, verdicts),
            notes=tuple(self.notes),
            remarks=(*verdicts.remarks, *self.remarks),
            feedback=self.feedback,
        )

    def _undecided(self, unsure: Sequence[str]) -> Report:
        """The report where chainrule's own gradient is the one in doubt."""
        note = message(
            "Differences of the forward function agree with the candidate's {gradients}, and not with the gradient "
            "that chainrule finds. That is most likely a mistake in chainrule: please report it.",
            gradients=listed(unsure),
        )
        notes, names = (*self.notes, note), (self.trials.candidate.name, self.trials.forward.name)
        return Report(*names, False, judged=False, notes=notes, feedback=self.feedback)

    def _apply_convention(self, diagnosis: Diagnosis, verdicts: Verdicts) -> None:
        """Let gradients be right that differ from the exact ones by the course's way to average."""
        kind = _CONVENTIONS.get((self.convention or "").replace("_", " ").strip().lower())
        if kind is None:
            return
        for f in [f for f in diagnosis.findings if f.kind == kind and f.factored]:
            diagnosis.findings.remove(f)
            for name in f.gradients:
                verdicts.allowed.add(name)
                verdicts.conventions[name] = message(
                    "right by the convention of the course: {relation}", relation=f.relation
                )
        diagnosis.findings = [
            f for f in diagnosis.findings if not set(f.gradients) <= verdicts.allowed or not f.gradients
        ]

    def _verdict(self, name: str, verdicts: Verdicts) -> GradientVerdict:
        worst = verdicts.worst(name)
        element = None
        if worst.worst is not None and worst.given is not None and not worst.ok:
            given = np.asarray(worst.given)
            if given.size == worst.exact.size:
                shaped = given.reshape(worst.exact.shape)
                element = (worst.worst, shaped[worst.worst], worst.exact[worst.worst])
        example = self.trials.done[0].compared[name]
        return GradientVerdict(
            name,
            name not in verdicts.wrong(),
            worst.error,
            worst.tolerance,
            None if example.given is None else np.shape(example.given),
            np.shape(example.exact),
            element,
            verdicts.conventions.get(name),
            self.points.get(name, 1.0),
        )

    def _raised(self, verdicts: Verdicts) -> Diagnosis:
        """The error, and what is wrong where all axes are of one length, so that the candidate runs."""
        assert verdicts.raised is not None
        answer = verdicts.raised
        square = self.trials.square()
        wrong = [n for n in verdicts.names if any(n in t.wrong for t in square)]
        diagnosis = diagnose(self.trials, wrong, square) if wrong else Diagnosis([], ())
        diagnosis.findings = [f for f in diagnosis.findings if not f.breaks]
        if diagnosis.findings:
            self.remarks.append(
                message(
                    "The fault was found on arrays whose axes are all of one length. On arrays of your sizes it ends "
                    "with this: {error}",
                    error=_said(answer.error),
                )
            )
        said = _said(answer.error)
        # An error of this package says what could not be read, one of the candidate's what went wrong in it.
        details = {"unread" if isinstance(said, Message) else "error": said, "candidate_line": answer.error_line}
        cost = 1.0 if diagnosis.findings else 0.0
        if diagnosis.findings:
            cost = max(f.rank for f in diagnosis.findings) + 4.0
        self.findings.append(Finding("raises_error", tuple(verdicts.names), details=details, cost=cost))
        return diagnosis

    def _without_upstream(self, wrong: Sequence[str]) -> list[Finding]:
        trial = next((t for t in self.trials.done if t.wrong and t.answer.error is None), None)
        if trial is None:
            return []
        place = place_of_result(trial.exact)
        names = tuple(n for n in ignores_cotangent(self.trials, trial) if n in wrong)
        if names:
            relation = message("the candidate gives the same for another grad_output")
            return [Finding("missing_upstream", names, place, relation=relation, cost=-3.0)]
        names = tuple(n for n in is_not_linear(self.trials, trial) if n in wrong)
        if names:
            relation = message("the candidate is not in proportion to grad_output")
            return [Finding("assumes_unit_upstream", names, place, relation=relation, cost=-2.0)]
        return []

    def _unscaled(self) -> list[Finding]:
        """What a function of another library does not do with the gradient of a loss that comes in."""
        same, other = not_scaled(self.trials)
        place = place_of_result(self.trials.done[0].exact)
        found = []
        if same:
            relation = message("the candidate gives the same for another grad_output")
            found.append(Finding("missing_upstream", tuple(same), place, relation=relation, cost=-3.0))
        if other:
            relation = message("the candidate is not in proportion to grad_output")
            found.append(Finding("assumes_unit_upstream", tuple(other), place, relation=relation, cost=-2.0))
        return found

    def _stability(self) -> None:
        trial = is_unstable(self.trials)
        if trial is None:
            return
        names = tuple(n for n, g in trial.gradients.items() if not np.all(np.isfinite(np.asarray(g, dtype=complex))))
        place = place_of_result(trial.exact)
        relation = message("the candidate is not finite, but the exact gradient is")
        self.findings.append(Finding("overflow_unstable", names, place, relation=relation, draws=1))

    def _bound(self, diagnosis: Diagnosis, verdicts: Verdicts) -> Message | None:
        known = {n for f in (*self.findings, *verdicts.findings) for n in f.gradients}
        left = [n for n in diagnosis.unexplained if n not in known]
        if not left:
            return None
        return message("No single mistake was found that explains {gradients}.", gradients=listed(left))


def _said(error: BaseException | None) -> Message | str:
    """What an error says, cut where it goes on for long."""
    text = said_by(error)
    return text if isinstance(text, Message) or len(text) <= _LONGEST_ERROR else text[:_LONGEST_ERROR] + "…"


def _held(candidate: Any, forward: Callable[..., Any], args: Any, wrt: Any, names: Any) -> Candidate:
    """A candidate that has been made callable already, or one that is made so here."""
    if callable(getattr(candidate, "answer", None)) and hasattr(candidate, "wrt"):
        found: Candidate = candidate
        return found
    return candidate_of(candidate, forward, args, wrt, names=names)
