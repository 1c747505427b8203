"""An answer as a piece of HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from chainrule.explain.why.labels import number_text
from chainrule.explain.why.record import Trail, Why
from chainrule.language import message

__all__ = ["page_of"]

_STYLE = (
    "<style>.chainrule-why table{border-collapse:collapse;margin:.5em 0}"
    ".chainrule-why td,.chainrule-why th{padding:.1em .8em .1em 0;font-weight:normal}"
    ".chainrule-why th{border-bottom:1px solid}.chainrule-why code{white-space:pre}"
    "</style>"
)
# Notebooks put what stands in tables on the right, with rules that come before those of a style sheet here.
_LEFT = 'style="text-align:left"'


def page_of(why: Why) -> str:
    """The HTML of an answer."""
    return f'<div class="chainrule-why">{_STYLE}{"".join(_parts(why))}</div>'


def _parts(why: Why) -> Iterator[str]:
    yield f"<p><strong>{escape(' '.join(map(str, why.answer)))}</strong></p>"
    for sentence in why.evidence:
        yield f"<p>{escape(str(sentence))}</p>"
    if why.origin is not None and why.origin.source:
        yield f"<p>{why.origin.line}: <code>{escape(why.origin.source)}</code></p>"
        yield _table((), [(name, number_text(value)) for name, value in why.origin.operands])
    if why.blockers:
        items = "".join(f"<li>{escape(str(b.reason))}</li>" for b in why.blockers)
        heading = message("Where the paths stop:")
        yield f"<p>{escape(str(heading))}</p><ul>{items}</ul>"
    for trail in why.trails:
        yield _trail(trail)
    if why.norms:
        heads = [message("name"), message("line"), message("shape"), message("norm"), message("ratio")]
        rows = [
            (f"d{n.name}", n.line or "", "×".join(map(str, n.shape)) or "1", number_text(n.norm),
             "" if n.ratio is None else f"× {number_text(n.ratio)}")
            for n in why.norms
        ]  # fmt: skip
        heading = message("The gradient of {result}, statement by statement:", result=why.of)
        yield f"<p>{escape(str(heading))}</p>"
        yield _table(heads, rows)
    for note in why.notes:
        said = message("Note: {note}", note=note)
        yield f"<p>{escape(str(said))}</p>"


def _trail(trail: Trail) -> str:
    rows: list[tuple[Any, ...]] = [
        (f"{h.start} = {number_text(h.value)}", f"× {number_text(h.factor)}", h.because or "", h.line or "")
        for h in trail.hops
    ]
    name, value = trail.end
    rows.append((f"{name} = {number_text(value)}", f"= {number_text(trail.product)}", "", ""))
    return _table((), rows)


def _table(heads: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    top = "".join(f'<th scope="col" {_LEFT}>{escape(str(h))}</th>' for h in heads)
    body = "".join("<tr>" + "".join(f"<td {_LEFT}>{escape(str(x))}</td>" for x in row) + "</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{top}</tr></thead>' if top else ''}<tbody>{body}</tbody></table>"
