"""The steps on the page: one article per statement, with how each gradient is found."""

from __future__ import annotations

from html import escape

from chainrule.explain.derivation import Part, Route
from chainrule.explain.figures import shape_text
from chainrule.explain.formula import Equation
from chainrule.explain.html.arrays import Arrays
from chainrule.explain.notation.mathml import mathml
from chainrule.explain.notation.text import text
from chainrule.explain.outline import (
    Entry,
    Outline,
    gradient_heading,
    line_text,
    repeats_text,
)

__all__ = ["step_body", "step_head"]

_ONE_LINE = 76  # characters of an equation that stands on one line


def step_head(part: Part, number: int) -> str:
    """What is always seen of a step: its number, its statement and where it stands."""
    repeats = repeats_text(part)
    pills = [line_text(part.line), str(repeats) if repeats is not None else ""]
    said = "".join(f'<span class="pill">{escape(pill)}</span>' for pill in pills if pill)
    shape = shape_text(part.shape)
    if shape:
        said += f'<span class="pill shape">{escape(part.result)} {shape}</span>'
    return (
        f'<header><span class="number" aria-hidden="true">{number}</span>'
        f'<h3 id="step-{number}-title"><code>{escape(part.source or part.result)}</code></h3>'
        f'<p class="pills">{said}</p></header>'
    )


def step_body(outline: Outline, part: Part, arrays: Arrays) -> str:
    """What is said of a statement, and of each gradient that is found there."""
    entries = list(outline.part(part))
    said = "".join(_entry(e) for e in entries if e.kind != "array")
    numbers = "".join(arrays.figure(e.content, _array_name(e, part), e.label) for e in entries if e.kind == "array")
    if numbers:
        numbers = f'<div class="arrays more">{numbers}</div>'
    routes = "".join(_route(outline, part, route, arrays) for route in part.routes)
    return f'<dl class="said">{said}</dl>{numbers}{routes}' if said else f"{numbers}{routes}"


def _array_name(entry: Entry, part: Part) -> str:
    if entry.role != "gradient" or entry.label is None:
        return part.result
    return str(entry.label.values["gradient"])


def _route(outline: Outline, part: Part, route: Route, arrays: Arrays) -> str:
    heading = escape(str(gradient_heading(outline.derivation, route)))
    # The name of the gradient stands out, wherever the language puts it.
    marked = heading.replace(escape(route.gradient), f"<code>{escape(route.gradient)}</code>", 1)
    entries = list(outline.route(part, route))
    rows = ""
    for place, entry in enumerate(entries):
        if entry.kind == "array":
            continue
        rows += _entry(entry, _reasons(entries, place))
    brief = _brief(route)
    numbers = "".join(arrays.figure(value, name, None) for line in route.lines for name, value in line.numbers())
    if numbers:
        numbers = f'<div class="arrays more">{numbers}</div>'
    return f'<section class="route"><h4>{marked}</h4>{brief}<dl class="said">{rows}</dl>{numbers}</section>'


def _brief(route: Route) -> str:
    """The last form of the chain rule, for those who want one line a step."""
    if route.chain is None:
        return ""
    return f'<p class="brief">{mathml(Equation(route.chain.left, route.chain.right[-1:]))}</p>'


def _reasons(entries: list[Entry], place: int) -> list[str]:
    """The parts of a line of code that are explained below it."""
    found = []
    for entry in entries[place + 1 :]:
        if entry.role == "code":
            break
        if entry.role == "why" and entry.label is not None:
            found.append(str(entry.label.values["code"]))
    return found


def _entry(entry: Entry, marks: list[str] | None = None) -> str:
    label = f"<dt>{_label(entry)}</dt>" if entry.label is not None else '<dt class="empty"></dt>'
    more = "" if entry.role == "code" else " more"
    if entry.kind == "formula":
        # What is written out stands on one line, where it has room there.
        joined = entry.role == "written" and len(text(entry.content)) <= _ONE_LINE
        content = mathml(entry.content, block=not joined)
    elif entry.kind == "code":
        content = f"<pre><code>{_code(str(entry.content), marks or [])}</code></pre>"
    else:
        content = f"<p>{escape(str(entry.content))}</p>"
    return f'<div class="row {entry.role}{more}">{label}<dd>{content}</dd></div>'


def _label(entry: Entry) -> str:
    """A label; code within it as code."""
    assert entry.label is not None
    label = escape(str(entry.label))
    code = entry.label.values.get("code")
    return label if code is None else label.replace(escape(str(code)), f"<code>{escape(str(code))}</code>", 1)


def _code(code: str, marks: list[str]) -> str:
    """Code, with the parts that are explained made to stand out."""
    spans: list[tuple[int, int]] = []
    for mark in marks:
        start = code.find(mark)
        while start >= 0 and any(a < start + len(mark) and start < b for a, b in spans):
            start = code.find(mark, start + 1)
        if start >= 0:
            spans.append((start, start + len(mark)))
    found, end = "", 0
    for start, stop in sorted(spans):
        found += escape(code[end:start]) + f"<mark>{escape(code[start:stop])}</mark>"
        end = stop
    return found + escape(code[end:])
