"""A derivation on a terminal: lines of styled text, good to read at 80 columns, with colours where there are any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.explain.columns import fitting, padded, wide, wrapped
from chainrule.explain.derivation import Derivation, Part, Route
from chainrule.explain.figures import array_lines, is_small, shape_text, summary
from chainrule.explain.formula import Equation
from chainrule.explain.notation.text import sides, text
from chainrule.explain.outline import (
    Depth,
    Entry,
    Outline,
    begins,
    gradient_heading,
    introduction,
    listing,
    title,
    where_text,
)
from chainrule.language import message

__all__ = ["Styled", "derivation_lines", "folded", "plain", "spread"]

Styled = list[tuple[str, str]]
"""A line as pieces of text, each with a style of rich's."""

_NARROWEST, _LABEL, _HANGING = 40, 20, 6
_STYLES = {"code": "green", "formula": "", "text": "", "shapes": "dim", "array": "dim"}


def plain(lines: Iterable[Styled]) -> str:
    """The lines without styles."""
    return "\n".join("".join(piece for piece, _ in line).rstrip() for line in lines) + "\n"


def derivation_lines(derivation: Derivation, depth: Depth = "default", width: int = 80) -> list[Styled]:
    """The lines of a derivation."""
    width = max(width, _NARROWEST)
    found = list(_head(derivation, depth, width))
    outline = Outline(derivation, written_out=depth == "full")
    if depth == "brief":
        found += _brief(derivation, width)
    for number, part in enumerate(() if depth == "brief" else derivation.parts, 1):
        found.append([])
        found += _part(outline, number, part, depth, width)
    if derivation.notes:
        found.append([])
        for note in derivation.notes:
            found += _paragraph(str(message("Note: {note}", note=note)), width, "dim")
    return found


def _head(derivation: Derivation, depth: Depth, width: int) -> Iterator[Styled]:
    # The result of an array is no number: what is differentiated is a loss that is computed from it.
    shown = "" if np.ndim(derivation.value) else f"{derivation.result} = {array_lines(derivation.value, width)[0]}"
    yield spread(str(title(derivation)), shown, width, "bold", "bold")
    if depth == "brief":
        yield from _definitions(derivation, width)
        return
    yield []
    yield from _paragraph(str(introduction(derivation)), width, "")
    yield from _definitions(derivation, width)
    if derivation.indices:
        yield []
        letters = max(map(wide, derivation.indices))
        for letter, runs in derivation.indices.items():
            yield from _labelled("  " + padded(letter, letters), str(runs), width, letters + 4, "cyan", "dim")
    if first := derivation.begins_with():
        yield []
        yield from _paragraph(str(begins()), width, "")
        yield from ([("  " + line, "green")] for line in first)


def _definitions(derivation: Derivation, width: int) -> Iterator[Styled]:
    if derivation.definitions:
        yield []
    for note in derivation.definitions:
        yield from _paragraph(str(note), width, "")


def spread(left: str, right: str, width: int, left_style: str, right_style: str) -> Styled:
    """One text at the left edge and one at the right."""
    gap = width - wide(left) - wide(right)
    return [(left, left_style), (" " * max(gap, 2), ""), (right, right_style)]


def _paragraph(words: str, width: int, style: str, indent: int = 0) -> Iterator[Styled]:
    for line in wrapped(words, width - indent):
        yield [(" " * indent + line, style)]


# ---- one line per step
def _brief(derivation: Derivation, width: int) -> Iterator[Styled]:
    if derivation.opening:
        yield []
        yield from ([("  " + line, "green")] for line in derivation.opening)
    before = None
    for k, lines in listing(derivation):
        part = derivation.parts[k]
        if before is None or (part.source, part.line) != (before.source, before.line):
            yield []
            yield _statement(part, "", width)
        before = part
        rows = [(line.code.splitlines(), _last(route)) for route, line in lines]
        column = max((wide(code[0]) for code, formula in rows if formula), default=0)
        for code, formula in rows:
            beside = bool(formula) and len(code) == 1 and 2 + column + 3 + wide(formula) <= width
            shown = [padded(code[0], column)] if beside else code
            yield from ([("  " + line, "green")] for line in shown[:-1])
            yield [("  " + shown[-1], "green"), (f"   {formula}" if beside else "", "dim")]


def _last(route: Route) -> str:
    """The last form of the chain rule, of the gradient by its name: all that one line has room for."""
    if route.chain is None or len(route.lines) != 1:
        return ""
    return text(Equation(route.chain.left, route.chain.right[-1:]))


def _statement(part: Part, number: str, width: int) -> Styled:
    front = f"{number}  " if number else ""
    source = part.source.splitlines()[0] if part.source else part.result
    said = where_text(part)
    room = width - wide(front) - wide(said) - 2
    shown = source if wide(source) <= room else source[: room - 1] + "…"
    return [(front, "bold cyan"), *spread(shown, said, width - wide(front), "bold", "dim")]


# ---- every step
def _part(outline: Outline, number: int, part: Part, depth: Depth, width: int) -> Iterator[Styled]:
    yield _statement(part, str(number), width)
    for more in part.source.splitlines()[1:]:
        yield [("   " + more, "bold")]
    yield [("─" * width, "dim")]
    for entry in outline.part(part):
        yield from _entry(entry, depth, width, 2)
    for route in part.routes:
        yield []
        yield from _paragraph(str(gradient_heading(outline.derivation, route)), width, "bold", 2)
        for entry in outline.route(part, route):
            yield from _entry(entry, depth, width, 4)


def _entry(entry: Entry, depth: Depth, width: int, indent: int) -> Iterator[Styled]:
    label = " " * indent + (str(entry.label) if entry.label is not None else "")
    column = indent + _LABEL
    style = _STYLES[entry.kind]
    if entry.kind == "formula":
        joined = entry.role == "written"
        lines: Sequence[str] = _broken(entry.content, width - column, joined)
        if max(map(wide, lines)) > width - column:
            if label:
                yield [(label, "cyan")]
            column = indent + 2
            lines = _broken(entry.content, width - column, joined)
            label = ""
    elif entry.kind == "array":
        lines = _numbers(entry.content, depth, width - column)
    elif entry.kind == "text" or entry.kind == "shapes":
        lines = wrapped(str(entry.content), width - column)
    else:
        lines = str(entry.content).splitlines()
        if max(map(wide, lines)) > width - column:
            yield [(label, "cyan")]
            label, column = "", indent + 2
    yield from _rows(label, lines, column, style)


def _labelled(label: str, words: str, width: int, column: int, label_style: str, style: str) -> Iterator[Styled]:
    yield from _rows(label, wrapped(words, width - column), column, style, label_style)


def _rows(label: str, lines: Sequence[str], column: int, style: str, label_style: str = "cyan") -> Iterator[Styled]:
    """Lines in the column beside a label; below it where the label is too long."""
    if wide(label) > column - 2:
        yield [(label, label_style)]
        label = ""
    for k, line in enumerate(lines):
        yield [(padded("" if k else label, column), label_style), (line, style)]


def _broken(equation: Equation, width: int, joined: bool) -> list[str]:
    """An equation, one side per line where it has several, unless they are to be joined, or is too wide."""
    left, *others = sides(equation)
    whole = " = ".join((left, *others))
    if (joined or len(others) == 1) and wide(whole) <= width:
        return [whole]
    if wide(left) + 3 + max(map(wide, others)) <= width:
        return [f"{left} = {others[0]}", *(" " * wide(left) + f" = {other}" for other in others[1:])]
    return [*folded(left, width), *(line for other in others for line in folded("  = " + other, width))]


def folded(side: str, width: int, hanging: int = _HANGING) -> list[str]:
    """A formula broken where it is too wide: at the outermost signs that fit."""
    lines = []
    while wide(side) > width:
        place = _break(side, fitting(side, width), hanging)
        if place is None:
            break
        lines.append(side[:place].rstrip())
        side = " " * hanging + side[place:].lstrip()
    return [*lines, side]


def _break(side: str, width: int, hanging: int) -> int | None:
    """Where a line of so many characters may end: before a sign or after a dot, outside of brackets, and late."""
    found: tuple[int, int, int, int] | None = None
    depth = 0
    for place, character in enumerate(side[: width + 1]):
        depth += (character in "([{") - (character in ")]}")
        sign = side[place : place + 3] in (" + ", " - ") and place > hanging
        dot = character == "·" and place < width
        case = character == " " and side[place - 1] == ";"  # between the cases in a brace
        blank = character == " " and side[:place].strip() not in ("", "+", "-", "=")
        if sign or dot or blank:
            # Any blank is better than a line that is too long.
            better = (int(sign or dot or case), -max(depth - case, 0), int(sign or case), place)
            found = max(found, better) if found is not None else better
    if found is None:
        return None
    *_, place = found
    return place + 1 if side[place] == "·" else place


def _numbers(x: Any, depth: Depth, width: int) -> list[str]:
    lines = array_lines(x, width, whole=depth == "full")
    shape = shape_text(getattr(x, "shape", ()))
    if depth == "full" or is_small(x):
        return lines
    said = summary(x)
    return [f"{shape} {said}" if said is not None else shape, *lines]
