"""What a derivation says, entry by entry, under its headings: the same for every rendering."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from chainrule.explain.derivation import Derivation, Line, Part, Route
from chainrule.explain.expanding import values_in, write_out
from chainrule.explain.formula import Equation
from chainrule.language import Message, message, plural

__all__ = [
    "DEPTHS",
    "Depth",
    "Entry",
    "anchor",
    "code_of",
    "gradient_heading",
    "gradient_of",
    "introduction",
    "line_text",
    "part_entries",
    "places_text",
    "repeats_text",
    "route_entries",
    "title",
]

Depth = Literal["brief", "default", "full"]
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


def line_text(line: int | None) -> str:
    """Where a statement stands."""
    return "" if line is None else str(message("line {line}", line=line))


# ---- a statement
def repeats_text(part: Part) -> Message | None:
    """That a part stands for several."""
    if part.repeats <= 1:
        return None
    return plural("said once for {count} turn", "said once for {count} turns", part.repeats)


def part_entries(derivation: Derivation, part: Part) -> Iterator[Entry]:
    """What is said of a statement itself."""
    if part.note is not None:
        yield Entry("text", message("Note"), part.note, "note")
    if part.index_form is not None:
        yield Entry("formula", message("In index notation"), part.index_form, "index")
    if part.value is not None:
        yield Entry("array", message("Value of {name}", name=part.result), part.value, "value")
    arriving = gradient_of(derivation, part.result)
    if part.gradient is not None and part.routes and arriving:
        yield Entry("array", message("Arriving {gradient}", gradient=arriving), part.gradient, "gradient")


def gradient_of(derivation: Derivation, name: str) -> str:
    """What the gradient of a value is called; nothing where no step finds it."""
    return next((r.gradient for part in derivation.parts for r in part.routes if r.name == name), "")


# ---- one gradient
def gradient_heading(derivation: Derivation, route: Route) -> Message:
    """The heading above how one gradient is found."""
    return message(
        "{gradient}, the gradient of {result} with respect to {name}",
        gradient=route.gradient, result=derivation.result, name=route.name,
    )  # fmt: skip


def places_text(route: Route) -> str:
    """The statements on the paths, with their lines."""
    return ", ".join(f"{name} ({line_text(line)})" if line is not None else name for name, line in route.paths)


def route_entries(derivation: Derivation, part: Part, route: Route, depth: Depth = "default") -> Iterator[Entry]:
    """What is said of how one gradient is found; at full depth with every term of its sums written out."""
    if len(route.paths) > 1:
        said = message(
            "{name} reaches {result} on {count} paths, and their gradients add up: {places}",
            name=route.name, result=derivation.result, count=len(route.paths), places=places_text(route),
        )  # fmt: skip
        yield Entry("text", message("Paths"), said, "paths")
    for local in part.locals:
        if local.of == route.name:
            yield Entry("formula", message("Local derivative"), local.equation, "local")
            if local.note is not None:
                yield Entry("text", message("Note"), local.note, "note")
    if route.chain is not None and not _same(route.chain, part, route):
        yield Entry("formula", message("Matrices") if route.matrix else message("Chain rule"), route.chain, "chain")
    if depth == "full" and route.chain is not None and not route.matrix:
        yield from _written_entries(derivation, route.chain)
    if route.note is not None:
        yield Entry("text", message("Note"), route.note, "note")
    for line in route.lines:
        yield from _line_entries(line)
    for name, why in route.identities:
        yield Entry("text", message("Shorter: {name}", name=name), why, "identity")


def _written_entries(derivation: Derivation, chain: Equation) -> Iterator[Entry]:
    """The chain rule element by element, with names and with numbers."""
    found = write_out(chain, *values_in(derivation))
    if found is None:
        return
    for k, row in enumerate(found.rows):
        sides = row.names.right + (() if row.numbers is None else row.numbers.right)
        yield Entry("formula", None if k else message("Written out"), Equation(row.names.left, sides), "written")
        if row.left_out:
            yield Entry("text", None, plural("… {count} more term", "… {count} more terms", row.left_out), "written")
    if found.left_out:
        said = plural("… {count} more element", "… {count} more elements", found.left_out)
        yield Entry("text", None, said, "written")


def _same(chain: Equation, part: Part, route: Route) -> bool:
    """Whether the chain rule says no more than the local derivative: at the result itself."""
    return any(local.of == route.name and local.equation == chain for local in part.locals)


def _line_entries(line: Line) -> Iterator[Entry]:
    yield Entry("code", message("Code"), line.code, "code")
    if line.shapes:
        yield Entry("shapes", message("Shapes"), line.shapes, "shapes")
    for code, why in line.reasons:
        yield Entry("text", message("Why {code}", code=code), why, "why")
    if line.value is not None:
        yield Entry("array", message("Numbers"), line.value, "value")


def code_of(part: Part) -> list[str]:
    """The lines of code of a part."""
    return [line.code for route in part.routes for line in route.lines]


def anchor(name: str) -> str:
    """A name as part of a page's address."""
    return re.sub(r"\W+", "-", name).strip("-") or "x"
