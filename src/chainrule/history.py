"""Which value of a name is meant: the values that a script's names held, and how the result came from them.

A script binds its names again and again: ``W = W * 0.1``, ``h = np.tanh(...)`` in a loop, ``W -= lr * dW`` at
the end.  Every binding is noted, and what the gradient is taken of is chosen by what the result was computed
from; where that leaves more than one reading the choice is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from chainrule.differentiate import is_differentiable
from chainrule.errors import ChainruleError
from chainrule.indexing import Index
from chainrule.language import Message, listed, message, plural
from chainrule.sizes import is_size, leaves_of, plain_number
from chainrule.tape import Tape

__all__ = ["Binding", "Chosen", "History", "RequestError", "Updates", "ancestors", "changing_step", "descendants"]

Updates = Literal["fixed", "followed"]


class RequestError(ChainruleError, ValueError):
    """What was asked for is not there, or has more than one reading."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A name was given a variable, after so many evaluations of the result; ``line`` is 0 where it is not known."""

    variable: int
    evaluations: int
    line: int


@dataclass(slots=True)
class Chosen:
    """The variables to differentiate.

    Attributes:
        variables: the chosen variable of each name.
        cuts: variables that are taken as given: how they were computed is left out.
        notes: what the reader should know about the choice.
    """

    variables: dict[str, int]
    cuts: set[int]
    notes: list[Message] = field(default_factory=list)


def _outputs(step: Any) -> tuple[int, ...]:
    return step[3] if type(step[3]) is tuple else (step[3],)


def ancestors(tape: Tape, result: Iterable[int], cuts: Iterable[int] = (), *, smooth: bool = True) -> set[int]:
    """The variables that ``result`` was computed from, itself included; what lies behind ``cuts`` does not count.

    Args:
        tape: the tape.
        result: variables.
        cuts: variables that are taken as given.
        smooth: count only what a derivative passes through.
    """
    found, stops = set(result), set(cuts)
    values = tape.values
    for step in reversed(tape.steps):
        if smooth and step[0].kind == "constant":
            continue
        if any(v in found and v not in stops for v in _outputs(step)):
            for x in step[1]:
                if type(x) is int and (not smooth or is_differentiable(values[x])):
                    found.add(x)
    return found


def descendants(tape: Tape, variables: Iterable[int]) -> set[int]:
    """The variables that were computed from ``variables``, these included, by steps that a derivative passes."""
    found = set(variables)
    for step in tape.steps:
        if step[0].kind != "constant" and any(type(x) is int and x in found for x in step[1]):
            found.update(v for v in _outputs(step) if is_differentiable(tape.values[v]))
    return found


class History:
    """The values that names held, in order.

    Args:
        tape: where they are written.
        result: the name of the result.
    """

    def __init__(self, tape: Tape, result: str) -> None:
        self.tape = tape
        self.result = result
        self.bindings: dict[str, list[Binding]] = {}
        self.evaluations: list[int] = []
        self.owners: dict[int, str] = {}  # the first name that each variable had

    def note(self, name: str, variable: int, line: int) -> None:
        """The name holds the variable now."""
        held = self.bindings.setdefault(name, [])
        if held and held[-1].variable == variable:
            return
        held.append(Binding(variable, len(self.evaluations), line))
        self.owners.setdefault(variable, name)
        if name == self.result:
            self.evaluations.append(variable)

    def choose(self, wanted: Sequence[str] | None, updates: Updates | None) -> Chosen:
        """The variables that the wanted names stand for.

        Args:
            wanted: names, or ``None`` for every array that the result depends on and that is not computed
                from another.
            updates: what to do where arrays changed from one evaluation of the result to the next.

        Raises:
            RequestError: where a name has more than one reading, or none.
        """
        return _Choice(self, updates).made(wanted)


class _Choice:
    """The choice for one result: what it depends on, and what the values of each name were computed from."""

    def __init__(self, history: History, updates: Updates | None) -> None:
        self.history = history
        self.tape = history.tape
        self.result = history.evaluations[-1]
        self.reached = ancestors(self.tape, [self.result])
        self.all_reached = self.reached
        names = dict.fromkeys(name for v, name in history.owners.items() if v in self.reached)
        self.bits = {name: 1 << k for k, name in enumerate(names)}
        self.sources = self._sources()
        self.cuts: set[int] = set()
        self.roots = [name for name in names if self._is_root(name, self._own(name)[0].variable)]
        if updates != "followed":
            self._cut_updated(updates)

    def _sources(self) -> dict[int, int]:
        """Per variable that the result depends on, a bit for each name whose values it was computed from."""
        owners = self.history.owners
        sources: dict[int, int] = {}
        own = {v: self.bits[owners[v]] if v in owners else 0 for v in self.reached}
        for step in self.tape.steps:
            for out in _outputs(step):
                if out in own:
                    bits = 0
                    if step[0].kind != "constant":
                        for x in step[1]:
                            if type(x) is int and x in own:
                                bits |= sources.get(x, 0) | own[x]
                    sources[out] = bits
        return sources

    def _is_root(self, name: str, variable: int) -> bool:
        """Whether a value of this name was not computed from values of other names."""
        return not self.sources.get(variable, 0) & ~self.bits.get(name, 0)

    def _values(self, name: str, among: set[int]) -> list[Binding]:
        """The values of a name that the result depends on; the result itself is none of them."""
        return [b for b in self.history.bindings[name] if b.variable in among and b.variable != self.result]

    def _before(self, name: str, among: set[int]) -> list[Binding]:
        """The same, as far as they were given before the result was computed for the last time.

        In ``loss, state = step(state)`` the next state is part of what the loss was computed from.
        """
        evaluations = len(self.history.evaluations)
        return [b for b in self._values(name, among) if b.evaluations < evaluations]

    def _own(self, name: str) -> list[Binding]:
        """All values of a name that had no other name before."""
        return [b for b in self.history.bindings[name] if self.history.owners[b.variable] == name]

    def _cut_updated(self, updates: Updates | None) -> None:
        """Find the arrays that a training loop changes between evaluations of the result, and take them as given."""
        evaluations = self.history.evaluations
        # The result of the turn before is no part of this one's; where it is, the loop adds up one result.
        apart = [k + 1 for k, v in enumerate(evaluations[:-1]) if v not in self.reached]
        if not apart:
            return

        def turn(binding: Binding) -> int:
            return sum(1 for boundary in apart if binding.evaluations >= boundary)

        updated: dict[str, list[Binding]] = {}
        for name in self.roots:
            values = self._before(name, self.reached)
            fresh = [k for k, b in enumerate(values) if not self.sources.get(b.variable, 0)]
            since = values[fresh[-1] if fresh else 0 :]
            if len(since) > 1 and len({turn(b) for b in since}) > 1:
                updated[name] = since
        updated = {name: since for name, since in updated.items() if self._carries_on(name, updated)}
        if not updated:
            return
        names = ", ".join(updated)
        result = self.history.result
        if updates is None:
            raise RequestError(
                message(
                    "{result} was computed {count} times, and {names} changed in between{lines}.\n"
                    "  Say what is meant. For a training loop: --updates fixed, the gradient of the last {result} with "
                    "respect to the arrays as they were used for it.\n"
                    "  For a recurrence: --updates followed, the derivative through all the changes.",
                    result=result,
                    count=len(apart) + 1,
                    names=names,
                    lines=_at_lines([b for values in updated.values() for b in values[1:2]]),
                )
            )
        for name, since in updated.items():
            last = [b for b in since if turn(b) == len(apart)]
            if len(last) > 1:
                raise _ambiguous(result, name, since)
            self.cuts.add(since[-1].variable)
        self.reached = ancestors(self.tape, [self.result], self.cuts)
        for name in updated:
            if any(b.variable not in self.cuts for b in self._before(name, self.reached)):
                raise _ambiguous(result, name, self._values(name, self.all_reached))

    def _carries_on(self, name: str, updated: Mapping[str, list[Binding]]) -> bool:
        """Whether a name's last value came from its own earlier ones, other than through updates of other names.

        An attribute that begins as zeros, and is computed anew in each turn, does not.
        """
        *before, last = updated[name]
        others = {values[-1].variable for other, values in updated.items() if other != name}
        behind = ancestors(self.tape, [last.variable], others)
        return any(b.variable in behind for b in before)

    def made(self, wanted: Sequence[str] | None) -> Chosen:
        """The variables of the wanted names."""
        chosen = Chosen({}, self.cuts)
        if self.cuts:
            names = ", ".join(dict.fromkeys(self.history.owners[v] for v in sorted(self.cuts)))
            chosen.notes.append(
                message(
                    "{names}: as they were when {result} was computed for the last time",
                    names=names, result=self.history.result,
                )
            )  # fmt: skip
        if wanted is not None:
            for name in wanted:
                chosen.variables[name] = self._explicit(name)
        else:
            several = [name for name in self.roots if not self._by_default(name, chosen)]
            if several:
                chosen.notes.append(self._left_out(several))
            behind = [n for n in self.roots if not self._values(n, self.reached) and self._values(n, self.all_reached)]
            if behind:
                chosen.notes.append(
                    message(
                        "{names}: left out, for only earlier values of these depend on them", names=", ".join(behind)
                    )
                )
        upstream = {v: ancestors(self.tape, [v], self.cuts) - {v} for v in set(chosen.variables.values())}
        # How an array was made is left out, unless that leads to another of the wanted ones.
        chosen.cuts |= {v for v, behind in upstream.items() if behind.isdisjoint(upstream)}
        return chosen

    def _left_out(self, several: Sequence[str]) -> Message:
        """That names are left out which held several values."""
        names, result = ", ".join(several), self.history.result
        lines = _line_numbers(self._values(several[0], self.reached)) if len(several) == 1 else ""
        if lines:
            return plural(
                "{names}: left out, for it held several values that {result} was computed from (line {lines}); give "
                "the one you mean a name of its own",
                "{names}: left out, for it held several values that {result} was computed from (lines {lines}); give "
                "the one you mean a name of its own",
                1 + lines.count(","), names=names, result=result, lines=lines,
            )  # fmt: skip
        return plural(
            "{names}: left out, for it held several values that {result} was computed from; give the one you mean a "
            "name of its own",
            "{names}: left out, for each held several values that {result} was computed from; give the one you mean a "
            "name of its own",
            len(several), names=names, result=result,
        )  # fmt: skip

    def _by_default(self, name: str, chosen: Chosen) -> bool:
        """Choose the variable of a name, unless there is no need; whether it has one reading."""
        values = self._values(name, self.reached)
        if not values or values[-1].variable in chosen.variables.values():
            return True
        last = values[-1].variable
        plain = self._is_root(name, last) and (len(values) == 1 or self._stands_for_all(values, name))
        if last in self.cuts or plain:
            chosen.variables[name] = last
            return True
        return len(values) < 2

    def _explicit(self, name: str) -> int:
        result = self.history.result
        values = self._values(name, self.reached)
        if not values:
            before = self._values(name, self.all_reached)
            names = listed(sorted({self.history.owners[v] for v in self.cuts}))
            reason = (
                message("it depends on it only through earlier values of {names}", names=names)
                if before
                else message("it was computed without it")
            )
            raise RequestError(
                message(
                    "{result} does not depend on {name} as it was used last: {reason}.",
                    result=result,
                    name=name,
                    reason=reason,
                )
            )
        if len(values) > 1 and not self._stands_for_all(values, name):
            raise _ambiguous(result, name, values)
        return values[-1].variable

    def _stands_for_all(self, values: list[Binding], name: str) -> bool:
        """Whether the last of several values is the one that was used: all others only went into it."""
        last = values[-1].variable
        behind = ancestors(self.tape, [self.result], {*self.cuts, last})
        if any(b.variable in behind for b in values[:-1]):
            return False
        others = (self._values(other, self.reached) for other in self.roots if other != name)
        return all(found[-1].variable in behind for found in others if found)


def changing_step(
    steps: Sequence[Any], evaluations: Sequence[int], needed: Sequence[Any], named: set[int], wanted: Sequence[int]
) -> Any:
    """A step to be written that was not taken, or not with the same plain numbers, for the result before the last.

    Such a step is what it is in the last turn of a loop only, as ``x[labels[i]]`` with plain ``labels``.
    """
    # What has a name and does not depend on the wanted variables is there, however it was computed.
    dependent, wanted_values, written = set(wanted), {evaluations[-1]}, set()
    for step in needed:
        if any(type(x) is int and x in dependent for x in step[1]):
            dependent.update(_outputs(step))
    for step in reversed(needed):
        if any(v in wanted_values and (v in dependent or v not in named) for v in _outputs(step)):
            written.add(id(step))
            wanted_values.update(x for x in step[1] if type(x) is int)
    # Of a sum that a loop adds up, all turns are written.
    earlier = [v for v in evaluations[:-1] if v not in wanted_values]
    ends = [k for k, step in enumerate(steps) for v in (*earlier[-1:], evaluations[-1]) if v in _outputs(step)]
    if not earlier or len(ends) < 2:
        return None
    before, last = ends[-2:]
    for back in range(last - before):
        step = steps[last - back]
        other = steps[before - back] if back <= before else None
        if other is None or (step[0], *step[4:]) != (other[0], *other[4:]):
            same = other is not None and step[0] is other[0]
            return step if id(step) in written and not same else None
        if id(step) in written and _plain(step) != _plain(other):
            return step
    return None


def _plain(step: Any) -> str:
    """The plain numbers of a step, as far as they have no names."""
    return repr([*(_unnamed(x) for x in step[1] if type(x) is not int), *map(_unnamed, step[2].values())])


def _unnamed(x: Any) -> Any:
    """A static argument without the lengths in it, which are written by the arrays that have them."""
    if isinstance(x, tuple | list):
        return [_unnamed(e) for e in x]
    if isinstance(x, Index):
        return [_unnamed(e) for e in x.parts]
    if isinstance(x, slice):
        return [_unnamed(e) for e in (x.start, x.stop, x.step)]
    counted = any(leaf[0] == "turn" for leaf in leaves_of(x))
    return "a length" if is_size(x) and not counted else plain_number(x)


def _line_numbers(bindings: Sequence[Binding]) -> str:
    """Where values were given, as far as it is known."""
    lines = sorted({b.line for b in bindings if b.line})
    return ", ".join(map(str, lines[:6])) + (", …" if len(lines) > 6 else "")


def _at_lines(bindings: Sequence[Binding]) -> Message | str:
    lines = _line_numbers(bindings)
    return plural(" (line {lines})", " (lines {lines})", 1 + lines.count(","), lines=lines) if lines else ""


def _ambiguous(result: str, name: str, values: Sequence[Binding]) -> RequestError:
    return RequestError(
        message(
            "{name} held {count} values that {result} was computed from{lines}.\n"
            "  Give the one you mean a name of its own (W0 = W.copy() where it is meant), and ask for that.",
            name=name,
            count=len(values),
            result=result,
            lines=_at_lines(values),
        )
    )
