"""The search for the edit, or the edits, of the exact backward pass that give what the candidate gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.check.clock import spent
from chainrule.check.edits.base import Base, Change, Edit, Wiring, same_steps
from chainrule.check.edits.source import EditSource, Key
from chainrule.check.forward import Forward
from chainrule.check.judging import Trial

__all__ = ["Given", "Match", "Search"]

_CLOSE = 1e-8
_FAR = 0.3  # how much more than what explains everything an edit in all turns of a loop may cost to be tried
_LONGEST = 600  # steps of a record with another number of turns that explanations are tested on


@dataclass(frozen=True, slots=True)
class Given:
    """What the candidate gave for one gradient, prepared for being compared with many.

    Attributes:
        value: the gradient.
        size: its largest absolute value.
        largest: where that is.
        shape: of the exact gradient.
    """

    value: Any
    size: float
    largest: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, value: Any, shape: tuple[int, ...]) -> Given:
        """A gradient of the candidate's."""
        array = np.asarray(value)
        absolute = np.abs(array)
        if not array.size:
            return cls(array, 0.0, (), shape)
        place = np.unravel_index(int(np.argmax(absolute)), array.shape)
        return cls(array, float(absolute[place]), tuple(int(k) for k in place), shape)

    def closeness(self, value: Any) -> float | None:
        """How far an edited gradient is from it, relative; ``None`` where it is another."""
        given = self.value
        if np.shape(value) != given.shape:
            if given.shape != self.shape or np.size(value) > given.size:
                return None
            # A lazy gradient stands for what it broadcasts to.
            try:
                value = np.broadcast_to(value, given.shape)
            except ValueError:
                return None
        if not self.size:
            return 0.0 if not np.any(value) else None
        at_largest = value[self.largest] if self.largest else value
        if not abs(at_largest - given[self.largest]) <= _CLOSE * self.size:
            return None
        error = float(np.max(np.abs(value - given))) / self.size
        return error if error <= _CLOSE else None


@dataclass(slots=True)
class Match:
    """Edits that reproduce wrong gradients of the candidate.

    Attributes:
        edits: one or two.
        keys: by which they are found again on another draw.
        explains: the wrong gradients that they reproduce.
        breaks: gradients that the candidate has right and that they would change.
        misses: wrong gradients that they change to something else than the candidate has.
        error: how well they reproduce, relative.
        draws: on how many draws they were tested.
    """

    edits: tuple[Edit, ...]
    keys: tuple[Key, ...]
    explains: tuple[str, ...]
    breaks: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()
    error: float = 0.0
    draws: int = 1

    @property
    def cost(self) -> float:
        """How far-fetched it is; smaller is likelier."""
        own = sum(e.cost for e in self.edits) + 1.0 * (len(self.edits) - 1)
        return own + 0.6 * len(self.breaks) + 0.3 * len(self.misses) - 0.5 * len(self.explains)


@dataclass(slots=True, eq=False)
class Search:
    """Edits tried against a candidate.

    Attributes:
        sources: the edits on each draw; those of the first are tried, and what fits is tested on the others.
        given: what the candidate gave on each draw.
        wrong: the gradients that are wrong, in backward order.
        until: when to stop.
        asked: how often it was asked whether the time is up.
        late: whether it was when the clock was last read.
        lengths: how long the axes are on each draw.
    """

    sources: list[EditSource]
    given: list[Mapping[str, Given]]
    wrong: tuple[str, ...]
    until: float
    asked: int = 0
    late: bool = False
    lengths: list[Mapping[str, int]] = field(default_factory=list)

    @classmethod
    def on(
        cls, wiring: Wiring, forward: Forward, trials: Sequence[Trial], wrong: Sequence[str], until: float
    ) -> Search:
        """A search on the draws that take the same steps as the record."""
        bases: list[Base] = []
        given: list[Mapping[str, Given]] = []
        looping = bool(wiring.groups())
        for trial in trials:
            own = wiring
            if trial is not trials[0] and not (
                trial.exact.backward is wiring.backward
                or same_steps(trial.exact.backward, wiring.backward)
                or same_steps(trial.exact.backward, trials[0].exact.backward)
            ):
                if not looping or len(trial.exact.backward.program.steps) > _LONGEST:
                    continue
                own, looping = Wiring(trial.exact.backward, wiring.names), False  # another number of turns, once
            bases.append(Base.on(own, forward, trial.exact))
            given.append({n: Given.of(g, np.shape(trial.exact.gradients[n])) for n, g in trial.gradients.items()})
        same = [base for base in bases if base.wiring is wiring]
        nothing = _always_zero(same)
        sources = [
            EditSource(base.edited(_zeros(base, nothing)) if nothing and base in same else base, base in same)
            for base in bases
        ]
        return cls(sources, given, tuple(wrong), until)

    def after(self, match: Match, wrong: Sequence[str]) -> Search:
        """A search for what is left when the edits of a match are part of the backward pass."""
        sources, given = [], []
        for source, values in zip(self.sources, self.given, strict=True):
            edits = [source.find(key) for key in match.keys]
            changes = {k: c for e in edits if e is not None for k, c in e.changes.items()}
            if len(edits) == sum(e is not None for e in edits):
                try:
                    with np.errstate(all="ignore"):
                        sources.append(EditSource(source.base.edited(changes), source.same_steps))
                except Exception:  # shapes that do not fit on this draw
                    continue
                given.append(values)
        return Search(sources, given, tuple(wrong), self.until, lengths=self.lengths)

    # ---- one edit

    def all_edits(self, wanted: set[str]) -> Iterator[tuple[Key, Edit]]:
        """The edits that reach a wrong gradient: loops first, then steps, whole routes and other operands."""
        for stage in self.stages(wanted):
            yield from stage

    def stages(self, wanted: set[str]) -> Iterator[Iterator[tuple[Key, Edit]]]:
        """The same edits in stages: what is done in every turn of a loop, what every turn reads, and all others."""
        source = self.sources[0]
        if source.turns.groups:
            yield self._in_turns(wanted, "step", "sum", "route")
            yield self._in_turns(wanted, "operand")
        yield self._single(wanted)

    def _in_turns(self, wanted: set[str], *what: str) -> Iterator[tuple[Key, Edit]]:
        source = self.sources[0]
        reaches = source.base.wiring.reaches
        edits = [pair for w in what for pair in source.in_turns(w).items()]
        for key, edit in sorted(edits, key=lambda pair: pair[1].cost):
            if any(reaches[k] & wanted for k in edit.changes):
                yield key, edit

    def _single(self, wanted: set[str]) -> Iterator[tuple[Key, Edit]]:
        """Single edits; what is wrong in one turn of a loop alone is so in the first or the last one."""
        source = self.sources[0]
        wiring = source.base.wiring
        inside = source.turns.inside
        reached = [k for k in range(wiring.first, len(wiring.steps)) if wiring.reaches[k] & wanted and k not in inside]
        for k in reached:
            yield from source.at(k).items()
        for key, edit in source.structural().items():
            if wiring.reaches[edit.step] & wanted and not (edit.step in inside and len(edit.changes) == 1):
                yield key, edit
        for k in reached:
            yield from source.others(k).items()

    def single(self, wanted: Sequence[str], strict: bool) -> list[Match]:
        """The single edits that reproduce at least one wrong gradient.

        Args:
            wanted: the wrong gradients that are to be explained.
            strict: whether an edit must reproduce everything that it reaches, right gradients and wrong ones.
        """
        found: list[Match] = []
        everything, done = set(wanted), False
        stages = list(self.stages(everything))
        for number, stage in enumerate(stages):
            enough, ordered = np.inf, number < len(stages) - 1
            for key, edit in stage:
                if self.is_over():
                    return found
                match = self.tried_on_all((key,), (edit,), strict)
                if match is not None:
                    found.append(match)
                    whole = set(match.explains) >= everything and not match.breaks and not match.misses
                    enough = min(enough, edit.cost + _FAR) if whole and ordered else enough
                    done = done or whole
                if edit.cost > enough:
                    break  # all that follow are more far-fetched than what explains everything
            if done:
                break  # what is so in every turn is not looked for in a single one
        return found

    def allow(self, until: float) -> None:
        """Go on until another time."""
        self.until = until
        self.late = spent() > until

    def is_over(self) -> bool:
        """Whether the time is up; asking the clock can take longer than trying an edit, so it is asked now and then."""
        self.asked += 1
        if self.asked % 50 == 0:
            self.late = spent() > self.until
        return self.late

    def tried_on_all(self, keys: tuple[Key, ...], edits: tuple[Edit, ...], strict: bool) -> Match | None:
        """A match, where edits reproduce a wrong gradient on every draw."""
        first = self._try(0, edits, strict)
        if first is None:
            return None
        explains, breaks, misses, error = first
        tested = 1
        for draw in range(1, len(self.sources)):
            own = tuple(self.sources[draw].find(key) for key in keys)
            if any(e is None for e in own):
                continue
            tested += 1
            result = self._try(draw, own, strict)  # type: ignore[arg-type]
            if result is None:
                return None
            explains &= result[0]
            breaks |= result[1]
            misses |= result[2]
            error = max(error, result[3])
            if not explains:
                return None
        order = tuple(n for n in self.wrong if n in explains)
        return Match(edits, keys, order, tuple(sorted(breaks)), tuple(sorted(misses)), error, tested)

    def _try(
        self, draw: int, edits: tuple[Edit, ...], strict: bool
    ) -> tuple[set[str], set[str], set[str], float] | None:
        """What edits reproduce on a draw: the gradients explained, broken and missed; ``None`` where none is."""
        source, given = self.sources[draw], self.given[draw]
        base = source.base
        changes: dict[int, Change] = {}
        for edit in edits:
            if changes.keys() & edit.changes.keys():
                return None
            changes.update(edit.changes)
        explains: set[str] = set()
        breaks: set[str] = set()
        misses: set[str] = set()
        worst = 0.0
        left = {n for k in changes for n in base.wiring.reaches[k] if n in self.wrong}

        def look(name: str, value: Any) -> bool:
            nonlocal worst
            if name not in given:
                left.discard(name)
                return bool(explains or left) or name not in self.wrong
            close = given[name].closeness(value)
            if name in self.wrong:
                left.discard(name)
                if close is not None:
                    explains.add(name)
                    worst = max(worst, close)
                else:
                    misses.add(name)
                    if strict:
                        explains.clear()
                        return False
                return bool(explains or left)
            if close is None:
                breaks.add(name)
                if strict:
                    explains.clear()
                    return False
            return True

        try:
            with np.errstate(all="ignore"):
                base.run(changes, look)
        except Exception:  # shapes that do not fit: the candidate cannot have computed this
            return None
        return (explains, breaks, misses, worst) if explains else None


def _always_zero(bases: Sequence[Base]) -> list[int]:
    """The steps whose cotangents are zero on every draw, as that of a maximum that is subtracted before a softmax.

    Nobody writes them down, so they stay zero when something else is edited.
    """
    wiring = bases[0].wiring
    found: list[int] = []
    for number, whole in wiring.backward.links.items():
        if type(whole) is not int or whole in wiring.targets:
            continue
        k = wiring.made_by.get(whole, -1)
        if k < wiring.first or number not in wiring.made_by or len(wiring.steps[k].outputs) != 1:
            continue
        if all(_size(b.values[whole]) <= 1e-12 * min(b.exact.scale, _largest(b, k)) for b in bases):
            found.append(k)
    return _by_themselves(bases[0], sorted(found))


def _by_themselves(base: Base, zero: Sequence[int]) -> list[int]:
    """The steps among these that are zero by what they sum, and not since something that they read is zero."""
    wiring = base.wiring
    found: list[int] = []
    for k in range(wiring.first, len(wiring.steps)):
        reads = [(x, v) for x, v in zip(wiring.steps[k].inputs, base.operands(k), strict=True) if x.number >= 0]
        if k in zero and not any(
            np.size(v) and not np.any(v) and wiring.made_by.get(x.number, -1) not in found for x, v in reads
        ):
            found.append(k)
    return found


def _zeros(base: Base, steps: Sequence[int]) -> dict[int, Change]:
    return {k: _constant(np.zeros_like(base.values[base.wiring.steps[k].outputs[0].number])) for k in steps}


def _constant(value: Any) -> Change:
    return lambda x, v: value


def _size(x: Any) -> float:
    return float(np.max(np.abs(x), initial=0.0))


def _largest(base: Base, k: int) -> float:
    """The largest number among those that the cotangent is summed from."""
    sizes = [_size(x) for x in base.operands(k) if np.asarray(x).dtype.kind == "f"]
    return max(sizes, default=0.0)
