"""Which gradients are right, over all trials; conventions are told from mistakes here."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.check.candidate import Answer, said_by
from chainrule.check.findings import Finding
from chainrule.check.judging import Compared, Trial
from chainrule.check.kinks import Neighbourhood, kink_place, whole_at_ties
from chainrule.check.trials import Trials
from chainrule.language import Message, listed, message

__all__ = ["Verdicts"]


class Verdicts:
    """The verdict on each gradient.

    Attributes:
        done: the trials that are judged.
        names: of the gradients.
        conventions: what a gradient differs in without being wrong.
        findings: mistakes that show at kinks and ties only, or on other sizes only.
        notes: what else is to be said.
        remarks: what else is to be said, and points to the fault.
        allowed: the names of gradients that are right by a convention of the course.
        raised: the answer of a candidate that fails on the user's own example; ``None`` otherwise.
    """

    def __init__(self, trials: Trials) -> None:
        self.done = tuple(trials.done)  # the search for a cause draws further ones, which no kink is excused on
        self.names = [leaf.name for leaf in self.done[0].exact.leaves]
        self.conventions: dict[str, Message] = {}
        self.findings: list[Finding] = []
        self.notes: list[Message] = []
        self.remarks: list[Message] = []
        self.raised: Answer | None = None
        self.allowed: set[str] = set()
        self._excused: set[tuple[int, str]] = set()
        self._errors()
        for number, trial in enumerate(self._counted()):
            if trial.wrong and trial.label != "large" and kink_place(trial.exact)[0]:
                around = Neighbourhood(trials.forward, trial.exact)
                whole = whole_at_ties(trials.forward, trial.exact)
                for name in trial.wrong:
                    if name in whole and _is_that(trial.compared[name], whole[name]):
                        self._at_tie(number, trial, name)
                    else:
                        self._at_kink(number, trial, name, around)
        self._only_elsewhere()

    def wrong(self) -> list[str]:
        """The names of the gradients that are wrong."""
        if self.raised is not None:
            return list(self.names)
        trials = self._counted()
        return [
            n
            for n in self.names
            if n not in self.allowed and any(n in t.wrong and (k, n) not in self._excused for k, t in enumerate(trials))
        ]

    def worst(self, name: str) -> Compared:
        """The worst comparison of a gradient."""
        trials = self._counted() or self.done[:1]
        found = [(t.compared[name], (k, name) in self._excused) for k, t in enumerate(trials) if name in t.compared]
        return max(found, key=lambda pair: (not pair[0].ok and not pair[1], not pair[1], pair[0].error))[0]

    def _counted(self) -> list[Trial]:
        return [t for t in self.done if t.answer.error is None]

    def _errors(self) -> None:
        failed = [t for t in self.done if t.answer.error is not None]
        if not failed:
            return
        own = [t for t in failed if t.label in ("example", "fresh")]
        if own:
            self.raised = own[0].answer
            return
        error = failed[0].answer.error
        self.notes.append(
            message(
                "The candidate runs on arrays of your sizes only. On others it ends with this: {error}",
                error=said_by(error),
            )
        )

    def _at_tie(self, number: int, trial: Trial, name: str) -> None:
        """What gives each of several equal maxima the whole gradient is what it should be where there are no ties."""
        _, place = kink_place(trial.exact, ties=True)
        self._excused.add((number, name))
        self.conventions[name] = message(
            "differs on ties only: of several equal elements in `{source}`, each receives the whole gradient, which is "
            "shared among them in the exact one",
            source=place.source or place.step or "max",
        )

    def _at_kink(self, number: int, trial: Trial, name: str, around: Neighbourhood) -> None:
        compared = trial.compared[name]
        if compared.given is None:
            return
        operation, place = kink_place(trial.exact)
        kink = around.judged(name, compared.given)
        if kink.valid and kink.count:
            self._excused.add((number, name))
            where = place.source or place.step or operation
            self.conventions[name] = message(
                "differs only in {count} elements that sit on a kink or a tie of `{source}`, by a choice as good",
                count=kink.count,
                source=where,
            )
        elif kink.local and trial.label == "kinks":
            operation, place = kink_place(trial.exact, ties=True)
            kind = "tie_double_count" if operation else "wrong_local_derivative"
            self.findings.append(
                Finding(
                    kind,
                    (name,),
                    place,
                    relation=message("it differs only at kinks and ties, and there it is no subgradient"),
                    draws=1,
                )
            )

    def _only_elsewhere(self) -> None:
        """Say when the user's own example, or its sizes, could not have shown the fault."""
        trials = self._counted()
        own = [k for k, t in enumerate(trials) if t.label == "example"]
        same = [k for k, t in enumerate(trials) if t.label in ("example", "fresh")]
        wrong = self.wrong()
        if not wrong or self.raised is not None:
            return
        seen = {n for k in own for n in trials[k].wrong if (k, n) not in self._excused}
        at_sizes = {n for k in same for n in trials[k].wrong if (k, n) not in self._excused}
        hidden = [n for n in wrong if n not in seen]
        fixed = [n for n in wrong if n not in at_sizes]
        if fixed:
            text = listed(fixed)
            relation = message("right on arrays of the sizes of the example, wrong on others")
            self.findings.append(Finding("fixed_sizes", tuple(fixed), relation=relation, cost=1.5))
            self.remarks.append(
                message("With arrays of your own sizes {gradients} is right; with others it is not.", gradients=text)
            )
        elif hidden:
            self.remarks.append(
                message("Your own example could not have shown that {gradients} is wrong.", gradients=listed(hidden))
            )


def _is_that(compared: Compared, other: Any) -> bool:
    """Whether what the candidate gave is another gradient than the exact one."""
    given = None if compared.given is None else np.asarray(compared.given)
    if given is None or given.shape != np.shape(other) or not np.all(np.isfinite(given)):
        return False
    return bool(np.max(np.abs(given - other), initial=0.0) <= 2 * compared.absolute)
