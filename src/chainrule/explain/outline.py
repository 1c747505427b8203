"""What a derivation says, entry by entry, under its headings: the same for every rendering."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from chainrule.explain.algebra import children
from chainrule.explain.derivation import Derivation, Line, Local, Part, Route, Shortening
from chainrule.explain.expanding import write_out
from chainrule.explain.formula import Element, Equation, Number, Partial, Size
from chainrule.explain.known import values_in
from chainrule.language import Message, listed, message, plural

__all__ = [
    "DEPTHS",
    "Depth",
    "Entry",
    "Outline",
    "begins",
    "code_of",
    "gradient_heading",
    "introduction",
    "line_text",
    "listing",
    "places_text",
    "repeats_text",
    "title",
    "where_text",
]

Depth = Literal["brief", "default", "full"]
_LONGEST = 40  # elements of a formula that is written out
DEPTHS: tuple[Depth, ...] = ("brief", "default", "full")
Kind = Literal["formula", "code", "text", "shapes", "array"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is said.

    Attributes:
        kind: what the content is: an equation, code, a message, shapes as text, or an array.
        label: what is said of it, in a word or two.
        content: the equation, the text, the message or the array.
        role: what the entry is for, in one word that renderings know: ``index``, ``local``, ``chain``, ``why``, ….
    """

    kind: Kind
    label: Message | None
    content: Any
    role: str = ""


# ---- the whole
def title(derivation: Derivation) -> Message:
    """The heading of the whole."""
    return message("How the gradients of {result} are found", result=derivation.result)


def introduction(derivation: Derivation) -> Message:
    """How to read the steps."""
    return message(
        "The steps go backward, from {result} to the inputs. Each takes the gradient that arrives from the steps "
        "before it, multiplies by the derivative of one statement, and hands it on.",
        result=derivation.result,
    )


def begins() -> Message:
    """What stands above the first lines of code."""
    return message("The lines of code begin with:")


def line_text(line: int | None) -> str:
    """Where a statement stands."""
    return "" if line is None else str(message("line {line}", line=line))


# ---- a statement
def repeats_text(part: Part) -> Message | None:
    """That a part stands for several."""
    if part.repeats <= 1:
        return None
    return plural("said once for {count} turn", "said once for {count} turns", part.repeats)


def where_text(part: Part) -> str:
    """Where the statement of a part stands, and how many turns it is said for."""
    repeats, line = repeats_text(part), line_text(part.line)
    if repeats is None or not line:
        return line or str(repeats or "")
    return str(message("{line}, {repeats}", line=line, repeats=repeats))


# ---- one gradient
def gradient_heading(derivation: Derivation, route: Route) -> Message:
    """The heading above how one gradient is found."""
    return message(
        "{gradient}, the gradient of {result} with respect to {name}",
        gradient=route.gradient, result=derivation.result, name=route.name,
    )  # fmt: skip


def places_text(route: Route) -> Message | str:
    """The statements on the paths, with their lines."""
    return listed(
        message("{source} (line {line})", source=name, line=line) if line is not None else name
        for name, line in route.paths
    )


class Outline:
    """The entries of a derivation.

    Args:
        derivation: the records.
        written_out: whether formulas are also written out, element by element and term by term.
    """

    def __init__(self, derivation: Derivation, written_out: bool = False) -> None:
        self.derivation = derivation
        self._written_out = written_out
        self._gradients = {r.name: r.gradient for part in derivation.parts for r in part.routes}
        self._at: dict[tuple[str, int | None], list[Part]] = {}
        for part in derivation.parts:
            self._at.setdefault((part.result, part.line), []).append(part)
        self._values: dict[str, Any] = {}
        self._derivatives: dict[str, Any] = {}
        if written_out:
            lines = [line for part in derivation.parts for route in part.routes for line in route.lines]
            self._values, self._derivatives = values_in(derivation)
            self._values |= {name: value for line in lines for name, value in line.numbers()}

    def gradient_of(self, name: str) -> str:
        """What the gradient of a value is called; nothing where no step finds it."""
        return self._gradients.get(name, "")

    def part(self, part: Part) -> Iterator[Entry]:
        """What is said of a statement itself."""
        if part.note is not None:
            yield Entry("text", message("Note"), part.note, "note")
        if part.index_form is not None:
            yield Entry("formula", message("In index notation"), part.index_form, "index")
            yield from self._written(part.index_form)
        if part.value is not None:
            yield Entry("array", message("Value of {name}", name=part.result), part.value, "value")
        for name, numbers in part.arriving:
            yield Entry("array", message("Arriving {gradient}", gradient=name), numbers, "gradient")
        arriving = self.gradient_of(part.result)
        if part.gradient is not None and part.routes and arriving:
            yield Entry("array", message("Arriving {gradient}", gradient=arriving), part.gradient, "gradient")

    def route(self, part: Part, route: Route) -> Iterator[Entry]:
        """What is said of how one gradient is found."""
        if len(route.paths) > 1:
            said = message(
                "{name} reaches {result} on {count} paths, and their gradients add up: {places}",
                name=route.name, result=self.derivation.result, count=len(route.paths), places=places_text(route),
            )  # fmt: skip
            yield Entry("text", message("Paths"), said, "paths")
        for local in self._locals(part, route):
            yield Entry("formula", message("Local derivative"), local.equation, "local")
            if local.note is not None:
                yield Entry("text", message("Note"), local.note, "note")
        if route.chain is not None:
            if not _same(route.chain, part, route):
                label = message("Matrices") if route.matrix else message("Chain rule")
                yield Entry("formula", label, route.chain, "chain")
            if not route.matrix:
                yield from self._written(route.chain)
        if route.note is not None:
            yield Entry("text", message("Note"), route.note, "note")
        for step in route.shortening:
            yield from _shortening_entries(step)
        for line in route.lines:
            yield from _line_entries(line)
        for name, why in route.identities:
            yield Entry("text", message("Shorter: {name}", name=name), why, "identity")

    def _locals(self, part: Part, route: Route) -> Iterator[Local]:
        """The local derivatives of a gradient: of this statement, and of those that other paths lead through."""
        yield from (local for local in part.locals if local.of == route.name)
        for path in route.paths if len(route.paths) > 1 else ():
            for other in self._at.get(path, ()):
                if other is not part:
                    yield from (local for local in other.locals if local.of == route.name)

    def _written(self, equation: Equation) -> Iterator[Entry]:
        """An equation for each of a few elements, with its terms and its numbers."""
        found = write_out(equation, self._values, self._derivatives) if self._written_out else None
        if found is None:
            return
        label: Message | None = message("Written out")
        if any(_size(row.names.right[0]) > _LONGEST for row in found.rows):
            return
        for row in found.rows:
            numbers = () if row.numbers is None else row.numbers.right
            sides = dict.fromkeys((*row.names.right, *numbers))
            yield Entry("formula", label, Equation(row.names.left, tuple(sides)), "written")
            label = None
        if found.left_out:
            said = plural("and {count} more element", "and {count} more elements", found.left_out)
            yield Entry("text", None, said, "written")


def _size(x: Any) -> int:
    """How many elements and numbers a formula consists of."""
    return 1 if isinstance(x, Element | Number | Size | Partial) else sum(map(_size, children(x)))


def _same(chain: Equation, part: Part, route: Route) -> bool:
    """Whether the chain rule says no more than the local derivative: at the result itself."""
    return any(local.of == route.name and local.equation == chain for local in part.locals)


def _shortening_entries(step: Shortening) -> Iterator[Entry]:
    if step.said is not None:
        yield Entry("text", message("Put in"), step.said, "shortening")
    before: Message | None = None
    for label, fact in (*step.facts, (step.label, step.equation)):
        yield Entry("formula", label if label != before else None, fact, "shortening")
        before = label


def _line_entries(line: Line) -> Iterator[Entry]:
    yield Entry("code", message("Code"), line.code, "code")
    if line.shapes:
        yield Entry("shapes", message("Shapes"), line.shapes, "shapes")
    for code, why in line.reasons:
        yield Entry("text", message("Why {code}", code=code), why, "why")
    for said in (*line.names, *(() if line.note is None else (line.note,))):
        yield Entry("text", message("Note"), said, "note")
    numbers = line.numbers()
    for name, value in numbers:
        label = message("Numbers") if len(numbers) == 1 else message("Value of {name}", name=name)
        yield Entry("array", label, value, "value")


def code_of(part: Part) -> list[str]:
    """The lines of code of a part."""
    return [line.code for route in part.routes for line in route.lines]


def listing(derivation: Derivation) -> list[tuple[int, list[tuple[Route, Line]]]]:
    """All lines of code in their order, so that names are given before they are used, each group with its part."""
    lines = [
        (k, route, line)
        for k, part in enumerate(derivation.parts)
        for route in part.routes
        for line in route.lines
        if not line.inner
    ]
    found: list[tuple[int, list[tuple[Route, Line]]]] = []
    for k, route, line in sorted(lines, key=lambda entry: entry[2].place):
        if not found or found[-1][0] != k:
            found.append((k, []))
        found[-1][1].append((route, line))
    return found
