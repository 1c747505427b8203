"""Text laid out in lines of a width, for every script: what is printed, before it is coloured or not."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Code", "Heading", "Line", "Paragraph", "Part", "Table", "columns_of", "lines_of", "wrapped"]

# The categories of marks that open what they stand before.
_OPENING = ("Ps", "Pi")

Part = tuple[str, str]  # a text, and its style: "", "bold", "right", "wrong", "code" or "quiet"
Line = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A line of its own, with an empty line above."""

    text: str
    style: str = "bold"
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Text that is broken into lines."""

    text: str
    style: str = ""
    indent: int = 0
    bullet: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """Lines of code with what they are; never broken."""

    rows: Sequence[tuple[str, str]]
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, each with its style."""

    head: Sequence[str]
    rows: Sequence[Sequence[Part]] = field(default_factory=tuple)
    indent: int = 0


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns_of(text))


def _words(text: str) -> list[str]:
    """What stays on one line: words with the spaces behind them; code; single characters of scripts without spaces."""
    found: list[str] = []
    word, inside = "", False
    for character in text:
        wide = columns_of(character) == 2
        # No line begins with a mark that closes, and none ends with one that opens.
        opened = bool(word) and unicodedata.category(word[-1]) in _OPENING
        closing = unicodedata.category(character) not in _OPENING and unicodedata.category(character).startswith("P")
        if wide and not inside and word and not opened and not closing:
            found.append(word)
            word = ""
        word += character
        inside ^= character == "`"
        if character == " " and not inside:
            found.append(word)
            word = ""
    return [*found, word] if word else found


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text that are at most so wide, as far as its words and the code in it allow."""
    lines, line = [], ""
    for word in _words(text):
        if line and columns_of(line + word.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += word
    return [*lines, line.rstrip()] if line.strip() else lines


def lines_of(blocks: Iterable[Heading | Paragraph | Code | Table], width: int = 80) -> list[Line]:
    """The lines of blocks, one below the other."""
    result: list[Line] = []
    for before, block in pairwise([None, *blocks]):
        if isinstance(block, Heading):
            if result:
                result.append(())
            result += [((" " * block.indent + t, block.style),) for t in wrapped(block.text, width - block.indent)]
        elif isinstance(block, Paragraph):
            if isinstance(before, Table):
                result.append(())
            start = " " * block.indent + block.bullet
            rest = " " * columns_of(start)
            for k, text in enumerate(wrapped(block.text, width - columns_of(start))):
                result.append((((rest if k else start) + text, block.style),))
        elif isinstance(block, Code):
            label_width = max((columns_of(label) for label, _ in block.rows), default=0)
            for label, text in block.rows:
                result.append((((" " * block.indent) + _padded(label, label_width) + "  ", "quiet"), (text, "code")))
        elif isinstance(block, Table):
            if result:
                result.append(())
            result += _table(block)
    return [_stripped(line) for line in result]


def _stripped(line: Line) -> Line:
    """A line without spaces at its end."""
    parts = list(line)
    while parts and not parts[-1][0].strip():
        parts.pop()
    return (*parts[:-1], (parts[-1][0].rstrip(), parts[-1][1])) if parts else ()


def _table(table: Table) -> list[Line]:
    rows = [[(text, "quiet") for text in table.head], *table.rows]
    widths = [max(columns_of(row[k][0]) for row in rows) for k in range(len(table.head))]
    found: list[Line] = []
    for row in rows:
        parts = [(_padded(text, w) + "  ", style) for (text, style), w in zip(row, widths, strict=True)]
        found.append(((" " * table.indent, ""), *parts))
    return found
