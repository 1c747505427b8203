"""The lines of the exact backward pass, in the names that a candidate uses."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cached_property

from chainrule.backward import Backward, backward_of
from chainrule.check.candidate import Candidate
from chainrule.check.exact import Exact, simplified_form
from chainrule.check.forward import Forward
from chainrule.check.locating import Location, Witness
from chainrule.check.mending import in_statement, likeness
from chainrule.check.traced_lines import Entry
from chainrule.emit.material import Material, material_of
from chainrule.emit.writing import Writing
from chainrule.errors import ChainruleError
from chainrule.ir import Const, Var
from chainrule.lengths import whole_symbols
from chainrule.loop_sums import sums_begun
from chainrule.simplify.rewriting import simplify
from chainrule.statements.request import Request

__all__ = ["ExactLines"]

_LONGEST = 60  # backward steps that are simplified: those of many turns of a loop take long, and say little
_WIDTH = 92
_UNKNOWN = "not_at_hand_"  # stands for what the candidate has no name for


class _Anonymous:
    """Stands for a function whose own names for lengths are not those of the code that is written."""

    def __call__(self) -> None:
        """Nothing."""


class ExactLines:
    """Writes lines of the exact backward pass in a candidate's names.

    Args:
        candidate: the candidate.
        forward: the forward function.
        first: a draw.

    Attributes:
        long: whether the backward pass is too long for its lines to be of use.
    """

    def __init__(self, candidate: Candidate, forward: Forward, first: Exact) -> None:
        self.candidate, self.forward, self.first = candidate, forward, first
        self.partial: dict[str, list[Backward]] = {}
        self.long = len(first.backward.program.steps) - first.backward.forward_steps > _LONGEST

    @cached_property
    def material(self) -> Material:
        """What the lines of the exact backward pass are written from."""
        first = self.first
        args, kwargs = self.forward.split(first.draw.arguments)
        own = material_of(self.forward.function, args, first.backward.program, kwargs, first.backward.structure)
        return replace(own, function=_Anonymous())

    @cached_property
    def versions(self) -> list[Backward]:
        """The exact backward pass, simplified where that does not take long, and as it is."""
        first = self.first.backward
        found = [first]
        with contextlib.suppress(ChainruleError):  # the steps as they are will do
            if not self.long:
                found.insert(0, sums_begun(simplified_form(first)))
        return found

    def texts(self, witness: Witness, location: Location) -> list[str]:
        """What can stand at a place, the shortest and most alike first."""
        entry = witness.entry_at(location)
        if entry is None or location.number < 0:
            return []
        statement = witness.lines.statements.get(entry.line)
        found = []
        for backward in [*self._from(location), *self.versions]:
            try:
                lines = self._lines(witness, entry, backward, location.number)
            except ChainruleError:
                continue
            if lines is None:
                continue
            target = witness.lines.spelled(entry.name, entry.line)
            text = in_statement(lines, statement, entry, target)
            if text is not None and text not in found and _UNKNOWN not in text:
                found.append(text)
        return sorted(found, key=lambda t: (t.count("\n"), -likeness(t, entry.text), len(t)))

    def _from(self, location: Location) -> list[Backward]:
        """The backward pass of the part of the forward pass before what the line reads the gradient of."""
        variables = self.first.backward.program.by_number()
        names = [x.name for x in (variables.get(n) for n in location.reads) if isinstance(x, Var) and x.name]
        if len(location.reads) != 1 or len(names) != 1:
            return []
        (name,) = names
        if name not in self.partial:
            args, kwargs = self.forward.split(self.first.draw.arguments)
            order = self.forward.by_position
            places: list[int | str] = [order.index(n) if n in order else n for n in self.candidate.wrt]
            found = []
            with contextlib.suppress(ChainruleError):
                found.append(sums_begun(simplify(backward_of(self.forward.function, args, places, kwargs, name))))
            self.partial[name] = found
        return self.partial[name]

    def _lines(self, witness: Witness, entry: Entry, backward: Backward, number: int) -> list[str] | None:
        """Statements that compute the gradient of a forward variable; the last one assigns it to ``_``."""
        gradient = _gradient_in(backward, number)
        if not isinstance(gradient, Var):
            return None
        shape = backward.program.by_number()[number]
        if isinstance(shape, Var) and gradient.shape != shape.shape:
            return None
        given = self._given(witness, entry, backward)
        if gradient.number in given:
            return [f"_ = {given[gradient.number]}"]
        names = {e.name for e in witness.lines.entries if e.name.isidentifier()}
        request = Request(
            backward.program,
            whole_symbols(backward.program, backward.likes),
            backward.forward_steps,
            (gradient,),
            given,
            {},  # what the candidate has no name for is written where it is used
            {},
            taken=tuple(names - set(given.values())),
            fixed=True,
            late=True,
        )
        writing = Writing(self.material, request, _WIDTH)
        lines = [line for texts in writing.texts for line in texts]
        name = writing.statements.names.get(gradient.number)
        head = f"{name} = "
        place = next((k for k in reversed(range(len(lines))) if lines[k].startswith(head)), None)
        if name is None or place is None:
            return None
        return [*lines[:place], "_ = " + lines[place].removeprefix(head), *lines[place + 1 :]]

    def _given(self, witness: Witness, entry: Entry, backward: Backward) -> dict[int, str]:
        """What exists under which name where the line stands."""
        given = {x.number: f"{_UNKNOWN}{k}" for k, x in enumerate(backward.program.inputs)}
        given.update((c.number, c.name or _UNKNOWN) for c in backward.program.constants)
        for e in witness.lines.before(entry).values():
            if e.match is None or not e.match.exact:
                continue
            number, name = e.match.known.number, witness.lines.spelled(e.name, entry.line)
            if e.match.known.role == "value":
                given[number] = name
            elif e.match.known.role == "gradient":
                held = _gradient_in(backward, number)
                if isinstance(held, Var):
                    given[held.number] = name
                given.update((c.number, name) for c in backward.cotangents if backward.likes.get(c.number) == number)
        return given


def _gradient_in(backward: Backward, number: int) -> Var | Const | None:
    """The whole gradient of a forward variable in a record."""
    for x, gradient in zip(backward.wrt, backward.gradients, strict=True):
        if x.number == number:
            return gradient
    link = backward.links.get(number)
    if type(link) is not int:
        return None
    found = backward.program.by_number().get(link)
    return found if isinstance(found, Var) else None
