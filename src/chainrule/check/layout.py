"""Text laid out in lines of a width, for every script: what is printed, before it is coloured or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from chainrule.explain.columns import padded, wide, wrapped

__all__ = ["Code", "Heading", "Line", "Paragraph", "Part", "Table", "lines_of"]

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
            rest = " " * wide(start)
            for k, text in enumerate(wrapped(block.text, width - wide(start))):
                result.append((((rest if k else start) + text, block.style),))
        elif isinstance(block, Code):
            label_width = max((wide(label) for label, _ in block.rows), default=0)
            for label, text in block.rows:
                result.append((((" " * block.indent) + padded(label, label_width) + "  ", "quiet"), (text, "code")))
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
    widths = [max(wide(row[k][0]) for row in rows) for k in range(len(table.head))]
    found: list[Line] = []
    for row in rows:
        parts = [(padded(text, w) + "  ", style) for (text, style), w in zip(row, widths, strict=True)]
        found.append(((" " * table.indent, ""), *parts))
    return found
