"""Runs a candidate on draws, next to the exact gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.check.adapters.observing import same
from chainrule.check.candidate import Candidate
from chainrule.check.draws import Draw, Drawing, example_of
from chainrule.check.exact import Exact, exact_on
from chainrule.check.forward import Forward
from chainrule.check.judging import Trial, compare_all, gradients_in
from chainrule.check.seeding import seeded
from chainrule.errors import ChainruleError
from chainrule.ir import Guard
from chainrule.lengths import ONE, Symbol
from chainrule.trace import trace

__all__ = ["Trials", "answered", "trial_of"]

_FEW = 3  # turns of a loop that show what happens at its start, at its end, and in between
_SIDES = 10  # draws that are made to have a decision taken otherwise
_ATTEMPTS = 4  # lengths that are tried for one draw
_ENOUGH = 200_000  # elements of the example beyond which nothing else of its sizes is drawn


def answered(candidate: Candidate, exact: Exact) -> Trial:
    """A candidate's answer where the exact gradients are known, which it is not compared with yet."""
    with seeded(exact.draw.seed):
        answer = candidate.answer(exact.draw.arguments, exact.draw.cotangent)
    return Trial(exact, answer, gradients_in(answer, exact.leaves))


def _decide_alike(some: Sequence[Guard], others: Sequence[Guard]) -> bool:
    """Whether two calls decided the same."""
    return len(some) == len(others) and all(same(a.value, b.value) for a, b in zip(some, others, strict=True))


def trial_of(candidate: Candidate, exact: Exact) -> Trial:
    """A candidate's answer, compared with the exact gradients."""
    return compare_all(answered(candidate, exact))


@dataclass(slots=True)
class Trials:
    """A candidate, a forward function, and what both gave on draws.

    Attributes:
        candidate: the candidate.
        forward: the forward function.
        wrt: the arguments that are judged.
        seed: of the draws.
        drawing: makes them.
        done: the trials.
    """

    candidate: Candidate
    forward: Forward
    wrt: tuple[str, ...]
    seed: int
    drawing: Drawing
    done: list[Trial] = field(default_factory=list)

    @classmethod
    def begun(cls, candidate: Candidate, forward: Forward, wrt: Sequence[str], seed: int) -> Trials:
        """The first trial: on the user's own example."""
        takes = getattr(candidate, "takes_cotangent", True)
        with seeded(seed):
            example = example_of(forward, takes, seed)
            exact = exact_on(forward, example, wrt)
        names = frozenset(leaf.name for leaf in exact.leaves)
        own = exact.backward.forward_steps
        drawing = Drawing(forward, exact.backward.program, names, takes_cotangent=takes, forward_steps=own)
        trials = cls(candidate, forward, tuple(wrt), seed, drawing)
        trials.add(exact)
        return trials

    def add(self, exact: Exact) -> Trial:
        """The candidate's answer where the exact gradients are known, which counts."""
        trial = trial_of(self.candidate, exact)
        self.done.append(trial)
        return trial

    def on(self, draw: Draw | None) -> Trial | None:
        """A trial on a draw; ``None`` where there are no exact gradients on it."""
        if draw is None:
            return None
        exact = self.exact(draw)
        return None if exact is None else self.add(exact)

    def exact(self, draw: Draw, constant: bool = False) -> Exact | None:
        """The exact gradients on a draw; ``None`` where there are none, or they are not finite."""
        try:
            with seeded(draw.seed):
                exact = exact_on(self.forward, draw, self.wrt, constant=constant)
        except ChainruleError:
            return None
        return exact if all(np.all(np.isfinite(g)) for g in exact.gradients.values()) else None

    def usual(self) -> None:
        """The draws that every candidate is tried on."""
        size = sum(np.size(leaf.value) for leaf in self.forward.leaves)
        if size <= _ENOUGH:
            self.fresh("fresh", 1)
        if getattr(self.candidate, "resizable", True):
            self.resized(2)
            self.resized(3)
        elif size <= _ENOUGH:
            self.fresh("fresh", 4)

    def fresh(self, label: str, number: int, how: str = "") -> Trial | None:
        """A trial on other values of the same sizes."""
        with seeded(self.seed + number):
            draw = self.drawing.draw(label, None, self.seed * 100 + number, how)
        return self.on(draw)

    def decided_otherwise(self) -> Trial | None:
        """A trial on values for which the function decides otherwise: on the other side of ``max(z, 0.0)``."""
        known = self.done[0].exact.backward.program.guards
        if not any(not g.lengths for g in known):
            return None
        for number in range(2 * _SIDES):
            how = "wide" if number < _SIDES else "wider"  # arrays that are positive stay so where that shows it
            with seeded(self.seed + number):
                draw = self.drawing.draw("fresh", None, self.seed * 100 + 81 + number, how)
            exact = None if draw is None else self.exact(draw, constant=True)
            if exact is not None and not _decide_alike(known, exact.backward.program.guards):
                return self.add(exact)
        return None

    def large(self, how: str) -> Trial | None:
        """A trial on numbers far from zero, ``"high"`` or ``"low"``, which does not count."""
        with seeded(self.seed + 77):
            draw = self.drawing.draw("large", None, self.seed * 100 + 77, how)
        exact = None if draw is None else self.exact(draw)
        return None if exact is None else trial_of(self.candidate, exact)

    def resized(self, number: int, label: str = "sizes", how: str = "") -> Trial | None:
        """A trial on other sizes; ``None`` for a candidate that holds for its own sizes only, as a script does."""
        if not getattr(self.candidate, "resizable", True):
            return None
        seed = self.seed * 100 + number
        refused: list[Mapping[Symbol, int]] = []
        for _ in range(_ATTEMPTS):
            with seeded(self.seed + number):
                before = [t.lengths for t in self.done if t.lengths is not None]
                lengths = self.drawing.other_lengths(seed, before, refused)
                draw = None if lengths is None else self.drawing.draw(label, lengths, seed, how)
            exact = None if draw is None else self.exact(draw)
            if lengths is None or exact is None:
                return None
            if self.drawing.is_comparable(exact.backward.program, exact.backward.forward_steps):
                trial = self.add(exact)
                trial.lengths = lengths
                return trial
            refused.append(lengths)
        return None

    def square(self) -> list[Trial]:
        """Trials on which all axes have one length, so that what does not fit elsewhere can be run."""
        free = [s for s, n in self.drawing.example_lengths().items() if n > 1]
        found: list[Trial] = []
        for number, length in ((51, 4), (52, 5), (53, 4)):
            lengths = {**self.drawing.example_lengths(), **dict.fromkeys(free, length)}
            seed = self.seed * 100 + number
            with seeded(self.seed + number):
                draw = self.drawing.draw("square", lengths, seed) if self.drawing.fits(lengths, seed) else None
            exact = None if draw is None else self.exact(draw)
            if exact is None:
                continue
            trial = trial_of(self.candidate, exact)
            trial.lengths = lengths
            if trial.answer.error is None:
                found.append(trial)
        return found

    def short(self, trial: Trial) -> Trial:
        """A trial on arrays with which the loops of the forward function take few turns; else the same trial."""
        if not getattr(self.candidate, "resizable", True):
            return trial
        best: Draw | None = None
        lengths = dict(trial.lengths or self.drawing.example_lengths())
        count = trial.exact.backward.forward_steps
        for symbol, length in sorted(lengths.items(), key=lambda pair: -pair[1]):
            for few in range(_FEW, min(length, 2 * _FEW)) if symbol != ONE else ():
                tried = {**lengths, symbol: few}
                with seeded(self.seed + 61):
                    draw = self.drawing.draw("sizes", tried, self.seed * 100 + 61)
                    steps = None if draw is None else self._forward_steps(draw)
                if steps is not None and steps < 0.85 * count:
                    lengths, best, count = tried, draw, steps
                if steps is not None:
                    break  # more would only take longer
        found = self.on(best)
        if found is None or found.answer.error is not None or not found.wrong:
            return trial
        found.lengths = lengths
        return found

    def _forward_steps(self, draw: Draw) -> int | None:
        args, kwargs = self.forward.split(draw.arguments)
        try:
            return len(trace(self.forward.function, *args, **kwargs).steps)
        except ChainruleError:
            return None

    def sibling(self, trial: Trial, number: int) -> Trial | None:
        """A further trial on arrays of the same sizes as another."""
        seed = self.seed * 100 + number
        with seeded(self.seed + number):
            draw = self.drawing.draw(trial.label, trial.lengths, seed)
        found = self.on(draw)
        if found is not None:
            found.lengths = trial.lengths
        return found
