"""A report in words: the blocks that it is made of, as plain text, as Markdown and for a terminal."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from chainrule.check.layout import Code, Heading, Line, Paragraph, Part, Table, lines_of
from chainrule.check.levels import Reported
from chainrule.check.verdicts import GradientVerdict, Suspect, chief
from chainrule.check.vocabulary import names_text, same_kind
from chainrule.language import Message, message, plural

__all__ = ["Block", "blocks_of", "error_text", "gradient_text", "markdown_of", "styled", "text_of"]

Block = Heading | Paragraph | Code | Table
_STYLES = {"bold": "bold", "right": "green", "wrong": "bold red", "code": "cyan", "quiet": "dim"}
_ROUNDING = 1e-12
_MOST_OTHERS = 3  # further explanations that are named


def blocks_of(report: Reported) -> list[Block]:
    """What is said about a candidate, at the level that the report has."""
    blocks: list[Block] = [Heading(str(_verdict(report)), "right" if report.ok else "wrong")]
    if report.gradients:
        blocks.append(_table(report.gradients.values()))
    wrong = [g for g in report.gradients.values() if not g.ok]
    blocks += [
        Paragraph(_labelled(g.name, g.convention), indent=2)
        for g in report.gradients.values()
        if g.convention is not None
    ]
    if report.judged and not report.ok:
        blocks += _faults(report, wrong)
    said = [*report.remarks, *report.notes]
    if said:
        blocks.append(Heading(str(message("Notes"))))
        blocks += [Paragraph(str(note), indent=2, bullet="- ") for note in said]
    return blocks


def _verdict(report: Reported) -> Message:
    names = {"candidate": report.candidate, "forward": report.forward}
    count, wrong = len(report.gradients), sum(not g.ok for g in report.gradients.values())
    if not report.judged:
        return message("{candidate} could not be judged.", **names)
    if report.ok:
        return plural(
            "{candidate} is right: its gradient is that of {forward}.",
            "{candidate} is right: all {count} gradients are those of {forward}.",
            count,
            **names,
        )
    if not wrong:
        return message("{candidate} is wrong, although its gradients are those of {forward}.", **names)
    return plural(
        "{candidate} is wrong: its gradient is not that of {forward}.",
        "{candidate} is wrong: {wrong} of its {count} gradients are not those of {forward}.",
        count,
        wrong=wrong,
        **names,
    )


def error_text(g: GradientVerdict) -> str:
    """How far off a gradient is, in words where there is no number."""
    if g.shape is None and not g.ok:
        return str(message("missing"))
    if g.shape is not None and g.shape != g.expected_shape:
        return str(message("shape"))
    if not math.isfinite(g.error):
        # No element is worst where the numbers could not be compared: for arrays of other sizes it had this one.
        return str(message("fixed size") if g.worst is None and g.shape is not None else message("not finite"))
    if g.ok and g.error < _ROUNDING:
        return f"< {_ROUNDING:.0e}"  # what is below says more about the processor than about the code
    return "0" if g.error == 0 else f"{g.error:.1e}"


def _shape(shape: tuple[int, ...] | None) -> str:
    return "-" if shape is None else str(tuple(int(n) for n in shape))


def _table(gradients: Iterable[GradientVerdict]) -> Table:
    own = list(gradients)
    head = [str(message("gradient")), str(message("verdict")), str(message("relative error")), str(message("shape"))]
    differing = any(g.shape != g.expected_shape and g.shape is not None for g in own)
    if differing:
        head.append(str(message("must be")))
    rows: list[Sequence[Part]] = []
    for g in own:
        verdict = (str(message("right")), "right") if g.ok else (str(message("WRONG")), "wrong")
        row: list[Part] = [(g.name, "bold"), verdict, (error_text(g), ""), (_shape(g.shape), "")]
        if differing:
            row.append((_shape(g.expected_shape) if g.shape != g.expected_shape else "", ""))
        rows.append(row)
    return Table(head, rows, indent=2)


def _faults(report: Reported, wrong: Sequence[GradientVerdict]) -> list[Block]:
    blocks: list[Block] = []
    chosen = chief(report.suspects)
    several = len({s.fix for s, _ in chosen if s.fix_holds}) > 1
    for s, others in chosen:
        blocks += _suspect(s, wrong, others, several)
    if not report.suspects and report.bound is None and report.feedback in ("fault", "fix") and wrong:
        blocks.append(Heading(str(message("The cause was not found"))))
        blocks += [Paragraph(str(_difference(g)), indent=2) for g in wrong]
    if report.bound is not None and not any(s.kind == "unknown" for s in report.suspects):
        if not report.suspects:
            blocks.append(Heading(str(message("The cause was not found"))))
        blocks.append(Paragraph(str(report.bound), indent=2))
    return blocks


def _difference(g: GradientVerdict) -> Message:
    if g.worst is None or g.shape != g.expected_shape:
        return message("The gradient of {name} differs from the exact one.", name=g.name)
    index, given, right = g.worst
    place = f"{g.name}[{', '.join(map(str, index))}]" if index else g.name
    return message(
        "The gradient of {name} is most wrong at {place}: {given}, where {right} is right.",
        name=g.name,
        place=place,
        given=_number(given),
        right=_number(right),
    )


def _number(x: Any) -> str:
    try:
        return f"{x:.6g}"
    except (TypeError, ValueError):
        return str(x)


def _suspect(
    s: Suspect, wrong: Sequence[GradientVerdict], others: Sequence[Suspect], several: bool = False
) -> list[Block]:
    names = s.gradients or tuple(g.name for g in wrong)
    if not s.kind:
        title = message("A question about {gradients}", gradients=names_text(names)) if names else message("A question")
        return [Heading(str(title)), Paragraph(str(s.explanation), indent=2)]
    kind = str(message("the cause was not found")) if s.kind == "unknown" else s.kind
    blocks: list[Block] = [Heading(_labelled(names_text(names), kind) if names else kind)]
    blocks.append(Paragraph(str(s.explanation), indent=2))
    rows: list[tuple[str, str]] = []
    if s.candidate_line is not None:
        rows += _own_lines(s.candidate_line, s.candidate_source)
    source = " ".join(s.source.split())
    if s.line is not None and source and source not in str(s.explanation):
        rows.append((str(message("forward line {line}", line=s.line)), source))
    if s.fix:
        first, *rest = s.fix.splitlines()
        rows += [(str(message("write instead")), first), *(("", line) for line in rest)]
    if rows:
        blocks.append(Code(rows, indent=2))
    if s.fix and s.fix_holds:
        blocks.append(Paragraph(str(_holds(names, several or "\n" in s.fix)), indent=2))
    if s.proof is not None:
        blocks.append(Paragraph(str(message("Shown by: {relation}", relation=s.proof)), "quiet", indent=2))
    # The same mistake at the same place under a more general word says nothing new.
    distinct = list(
        {
            (o.kind, o.step): o
            for o in others
            if not (o.step == s.step and (o.kind == s.kind or same_kind(o.kind, s.kind)))
        }.values()
    )
    if distinct:
        blocks.append(Paragraph(str(message("What fits too:")), indent=2))
        blocks += [Paragraph(_labelled(o.kind, o.explanation), indent=2, bullet="- ") for o in distinct[:_MOST_OTHERS]]
    return blocks


def _own_lines(line: int, source: str) -> list[tuple[str, str]]:
    """The candidate's own lines; where it is one, on one row."""
    first, *rest = source.splitlines() or [""]
    if not rest:
        return [(str(message("your line {line}", line=line)), " ".join(first.split()))]
    label = str(message("your lines {first} to {last}", first=line, last=line + len(rest)))
    return [(label, first), *(("", row) for row in rest)]


def _labelled(label: str | Message, content: str | Message) -> str:
    """What something is about, and what is said of it; languages set the colon apart in their own ways."""
    return str(message("{label}: {content}", label=label, content=content))


def _holds(names: Sequence[str], several: bool) -> Message:
    if several:
        return plural(
            "Run with the lines that are proposed here, your gradient of {gradients} is right.",
            "Run with the lines that are proposed here, your gradients of {gradients} are right.",
            len(names),
            gradients=names_text(names),
        )
    return plural(
        "Run with this line, your gradient of {gradients} is right.",
        "Run with this line, your gradients of {gradients} are right.",
        len(names),
        gradients=names_text(names),
    )


# ---- renderings
def text_of(blocks: Iterable[Block], width: int = 80) -> str:
    """Blocks as plain text."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines_of(blocks, width))


def styled(blocks: Iterable[Block], width: int = 80) -> Any:
    """Blocks as a text of rich, which colours it where it is printed."""
    text = importlib.import_module("rich.text").Text(overflow="fold")
    lines: list[Line] = lines_of(blocks, width)
    for k, line in enumerate(lines):
        for part, style in line:
            text.append(part, _STYLES.get(style, ""))
        if k < len(lines) - 1:
            text.append("\n")
    return text


def markdown_of(blocks: Iterable[Block]) -> str:
    """Blocks as Markdown."""
    found: list[str] = []
    first = True
    for block in blocks:
        if isinstance(block, Heading):
            found.append(f"**{_escaped(block.text)}**" if first else f"#### {_escaped(block.text)}")
            first = False
        elif isinstance(block, Paragraph):
            found.append(block.bullet + _escaped(block.text))
        elif isinstance(block, Code):
            found.append("\n".join(f"- {label}: `{text}`" if label else f"  `{text}`" for label, text in block.rows))
        else:
            texts = [block.head, *([text for text, _ in row] for row in block.rows)]
            head, *rows = ["| " + " | ".join(map(_escaped, row)) + " |" for row in texts]
            found.append("\n".join([head, "| --- " * len(block.head) + "|", *rows]))
    return "\n\n".join(found) + "\n"


def _escaped(text: str) -> str:
    """Text with what Markdown or HTML would read as markup outside of code taken for what it is."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([\\*_\[\]|$])", r"\\\1", p).replace("<", "&lt;") for p in parts[::2]]
    return "`".join(parts)


def gradient_text(report: Reported, g: GradientVerdict) -> str:
    """What is said about one gradient alone."""
    if g.ok:
        text = message("The gradient of {name} is right.", name=g.name)
        return f"{text} {g.convention}" if g.convention is not None else str(text)
    blocks: list[Block] = [Heading(str(message("The gradient of {name} is wrong.", name=g.name)), "wrong")]
    blocks.append(_table([g]))
    own = [s for s in report.suspects if g.name in s.gradients or not s.gradients]
    for s, others in chief(own):
        blocks += _suspect(s, [g], others)
    if not own and report.bound is not None:
        blocks.append(Paragraph(str(report.bound), indent=2))
    return text_of(blocks)
