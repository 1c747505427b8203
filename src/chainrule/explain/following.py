"""One element followed through the network, as text, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np

from chainrule.explain.columns import wide, wrapped
from chainrule.explain.element import ElementSum, Story, rows_of
from chainrule.explain.outline import line_text
from chainrule.explain.terminal import Styled, folded, spread
from chainrule.explain.why.labels import gradient_text, number_text
from chainrule.language import Message, message, plural

__all__ = ["story_html", "story_lines", "story_markdown"]


@dataclass(frozen=True, slots=True)
class _Row:
    """A sum: with names, with numbers, and what some of its factors are."""

    named: str
    numbered: str
    because: tuple[str, ...]


def _title(story: Story) -> Message:
    return message("How the gradient of {element} is found", element=story.element)


def _introduction(story: Story) -> Message:
    if np.ndim(story.value):
        return message(
            "{element} is {value}. The gradient says how much the loss changes when {element} alone changes, for each "
            "unit of that change. It is found from the end: each line takes gradients of the lines before it, times "
            "the derivative of one statement.",
            element=story.element, value=_value(story),
        )  # fmt: skip
    return message(
        "{element} is {value}. The gradient says how much {result} changes when {element} alone changes, for each unit "
        "of that change. It is found from the end: each line takes gradients of the lines before it, times the "
        "derivative of one statement.",
        element=story.element, value=_value(story), result=story.result,
    )  # fmt: skip


def _value(story: Story) -> str:
    return number_text(story.sums[-1].value) if story.sums else ""


def _groups(story: Story) -> Iterator[tuple[str, list[_Row]]]:
    """The sums under the statements that they lead through."""
    held: list[_Row] = []
    heading = None
    for found, (named, numbered) in zip(story.sums, rows_of(story), strict=True):
        where = line_text(found.line)
        own = f"{found.source}    {where}".strip() if where else found.source
        if heading is not None and own != heading:
            yield heading, held
            held = []
        heading = own
        held.append(_Row(named, numbered, tuple(_because(found))))
    if heading is not None:
        yield heading, held


def _because(found: ElementSum) -> Iterator[str]:
    for term in found.terms:
        if term.what is not None and not term.named:
            label = f"∂{term.element}/∂{found.element} = {number_text(term.factor)}"
            yield str(message("{label}: {content}", label=label, content=term.what))


def _ending(story: Story) -> list[str]:
    left = []
    if story.left:
        said = plural(
            "{count} element through which little flows has no line here",
            "{count} elements through which little flows have no line here", story.left,
        )  # fmt: skip
        left.append(str(said))
    return [*left, *map(str, story.notes)]


# ---- renderings
def story_lines(story: Story, width: int = 80) -> list[Styled]:
    """The lines for a terminal."""
    gradient = f"{gradient_text(story.element)} = {number_text(story.gradient)}"
    found: list[Styled] = [spread(str(_title(story)), gradient, width, "bold", "bold"), []]
    found += [[(line, "")] for line in wrapped(str(_introduction(story)), width)]
    for heading, rows in _groups(story):
        found += [[], [(heading, "bold")]]
        for row in rows:
            if 2 + wide(row.named) + 1 + wide(row.numbered) <= width:
                found.append([(f"  {row.named} ", ""), (row.numbered, "green")])
            else:
                hanging = row.named.index("=") + 2
                found += [[(line, "")] for line in folded("  " + row.named, width, hanging + 2)]
                found += [[(line, "green")] for line in folded(" " * hanging + row.numbered, width, hanging + 2)]
            found += [[("    " + line, "dim")] for because in row.because for line in wrapped(because, width - 4)]
    for note in _ending(story):
        found += [[], *([(line, "dim")] for line in wrapped(note, width))]
    return found


def story_markdown(story: Story) -> str:
    """Markdown, with the sums as text."""
    blocks = [f"## {_title(story)}", str(_introduction(story))]
    for heading, rows in _groups(story):
        lines = [line for row in rows for line in (row.named, "    " + row.numbered, *row.because)]
        blocks += ["\n".join(["```text", heading, *("  " + line for line in lines), "```"])]
    return "\n\n".join([*blocks, *(f"> {note}" for note in _ending(story))]) + "\n"


def story_html(story: Story) -> str:
    """A part of a page."""
    groups = ""
    for heading, rows in _groups(story):
        said = "".join(
            f"<li><code>{escape(row.named)}</code> <code class='numbers'>{escape(row.numbered)}</code>"
            + "".join(f"<p>{escape(because)}</p>" for because in row.because)
            + "</li>"
            for row in rows
        )
        groups += f"<li><p><code>{escape(heading)}</code></p><ul>{said}</ul></li>"
    notes = "".join(f"<p>{escape(note)}</p>" for note in _ending(story))
    gradient = escape(f"{gradient_text(story.element)} = {number_text(story.gradient)}")
    return (
        '<section class="following" aria-labelledby="following-title">'
        f'<h2 id="following-title">{escape(str(_title(story)))}</h2><p class="result">{gradient}</p>'
        f"<p>{escape(str(_introduction(story)))}</p><ol>{groups}</ol>{notes}</section>"
    )
