"""A derivation as Markdown with LaTeX, for notes and for GitHub."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from chainrule.explain.derivation import Derivation, Part, Route
from chainrule.explain.figures import array_lines, is_small, shape_text, summary
from chainrule.explain.formula import Equation
from chainrule.explain.notation.latex import latex
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

__all__ = ["markdown"]

_WIDTH = 88


def markdown(derivation: Derivation, depth: Depth = "default") -> str:
    """The text, in the language of the moment."""
    return "\n\n".join(_blocks(derivation, depth)) + "\n"


def _blocks(derivation: Derivation, depth: Depth) -> Iterator[str]:
    yield f"# {_plain(str(title(derivation)))}"
    shown = "" if np.ndim(derivation.value) else f"{derivation.result} = {array_lines(derivation.value, _WIDTH)[0]}"
    yield _code(f"{derivation.title}") + (f", {_code(shown)}" if shown else "")
    if depth != "brief":
        yield _plain(str(introduction(derivation)))
    yield from (_plain(str(note)) for note in derivation.definitions)
    if depth != "brief" and derivation.indices:
        yield "\n".join(
            "- " + _labelled(f"${letter}$", _plain(str(runs))) for letter, runs in derivation.indices.items()
        )
    if depth == "brief":
        yield from _brief(derivation)
    elif first := derivation.begins_with():
        yield _plain(str(begins()))
        yield _fenced("python", "\n".join(first))
    outline = Outline(derivation, written_out=depth == "full")
    for number, part in enumerate(() if depth == "brief" else derivation.parts, 1):
        yield from _part(outline, number, part, depth)
    for note in derivation.notes:
        said = message("Note: {note}", note=note)
        yield f"> {_plain(str(said))}"


def _brief(derivation: Derivation) -> Iterator[str]:
    if derivation.opening:
        yield _fenced("python", "\n".join(derivation.opening))
    before = None
    for k, lines in listing(derivation):
        part = derivation.parts[k]
        if before is None or (part.source, part.line) != (before.source, before.line):
            yield from _heading(part, "")
        before = part
        yield _fenced("python", "\n".join(line.code for _, line in lines))
        for route in {id(route): route for route, _ in lines}.values():
            if route.chain is not None:
                yield _formula(Equation(route.chain.left, route.chain.right[-1:]))


def _heading(part: Part, number: str) -> Iterator[str]:
    said = where_text(part)
    first = (part.source or part.result).splitlines()[0]
    yield f"## {number}{_code(first)}" + (f" ({_plain(said)})" if said else "")
    if len(part.source.splitlines()) > 1:
        yield _fenced("python", part.source)


def _part(outline: Outline, number: int, part: Part, depth: Depth) -> Iterator[str]:
    yield from _heading(part, f"{number}. ")
    for entry in outline.part(part):
        yield from _entry(entry, depth)
    for route in part.routes:
        yield from _route(outline, part, route, depth)


def _route(outline: Outline, part: Part, route: Route, depth: Depth) -> Iterator[str]:
    heading = _plain(str(gradient_heading(outline.derivation, route)))
    yield "### " + heading.replace(_plain(route.gradient), _code(route.gradient), 1)
    for entry in outline.route(part, route):
        yield from _entry(entry, depth)


def _entry(entry: Entry, depth: Depth) -> Iterator[str]:
    label = "" if entry.label is None else _label(entry)
    if entry.kind == "formula":
        if label:
            yield _labelled(label, "")
        yield _formula(entry.content)
    elif entry.kind == "code":
        yield _fenced("python", str(entry.content))
    elif entry.kind == "shapes":
        yield _labelled(label, _code(str(entry.content)))
    elif entry.kind == "array":
        lines = array_lines(entry.content, _WIDTH, whole=depth == "full")
        whole = is_small(entry.content) or depth == "full"
        said = None if whole else summary(entry.content)
        shape = shape_text(getattr(entry.content, "shape", ()))
        if len(lines) == 1:
            yield _labelled(label, _code(lines[0]))
            return
        yield _labelled(label, "" if said is None else _plain(f"{shape} {said}"))
        yield _fenced("text", "\n".join(lines))
    else:
        yield _labelled(label, _plain(str(entry.content))) if label else _plain(str(entry.content))


def _labelled(label: str, content: str) -> str:
    """A label and what it stands before; languages set the colon apart in their own ways."""
    return str(message("{label}: {content}", label=label, content=content)).rstrip()


def _label(entry: Entry) -> str:
    """A label, with code within it as code."""
    text = _plain(str(entry.label))
    code = entry.label.values.get("code") if entry.label is not None else None
    return f"**{text}**" if code is None else f"**{text.replace(_plain(str(code)), _code(str(code)), 1)}**"


def _formula(equation: Equation) -> str:
    return _fenced("math", latex(equation, aligned=True))


def _fenced(language: str, text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _code(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence, blank = "`" * (longest + 1), " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def _plain(text: str) -> str:
    """Words in which nothing is read as markup: names such as ``x_input * W`` stay as they are."""
    return re.sub(r"([\\`*_{}\[\]>|$#])", r"\\\1", text).replace("<", "&lt;")
