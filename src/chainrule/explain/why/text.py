"""An answer as plain text of 80 columns: the answer first, then what shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chainrule.explain.columns import padded, wide, wrapped
from chainrule.explain.why.labels import count_text, number_text
from chainrule.explain.why.record import Hop, Norm, Trail, Why
from chainrule.language import message, plural

__all__ = ["text_of"]

_MOST_HOPS = 16
_MOST_ROWS = 24
_MOST_BLOCKERS = 6


def text_of(why: Why, width: int = 80) -> str:
    """The text of an answer."""
    lines = [*_wrapped(_joined(why.answer), width)]
    for sentence in why.evidence:
        lines += ["", *_wrapped(str(sentence), width)]
    if why.origin is not None and why.origin.source:
        lines += ["", f"  {why.origin.line}: {why.origin.source}"]
        lines += [f"     {name} = {number_text(value)}" for name, value in why.origin.operands]
    if len(why.blockers) > 1:
        lines += ["", str(message("Where the paths stop:"))]
        for blocker in why.blockers[:_MOST_BLOCKERS]:
            lines += _wrapped(f"- {blocker.reason}", width, "  ")
        more = len(why.blockers) - _MOST_BLOCKERS
        if more > 0:
            lines.append("- " + str(plural("… {count} more", "… {count} more", more)))
    if why.paths:
        lines += ["", *_wrapped(_paths(why), width)]
    for k, trail in enumerate(why.trails):
        lines += ["", *_trail(trail, k, width)]
    if why.norms:
        lines += ["", *_norms(why)]
    for note in why.notes:
        lines += ["", *_wrapped(str(message("Note: {note}", note=note)), width)]
    return "\n".join(line.rstrip() for line in lines)


def _joined(sentences: Sequence[object]) -> str:
    """Sentences one after another; Chinese and Japanese leave no blank between them."""
    return " ".join(map(str, sentences)).replace("。 ", "。")


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    first, *rest = wrapped(text, width)
    if not rest or not indent:
        return [first, *rest]
    return [first, *(indent + line for line in wrapped(text[len(first) :].lstrip(), width - len(indent)))]


def _paths(why: Why) -> str:
    assert why.paths is not None
    number = int(min(why.paths, 2**62))
    gaps = {
        "paths": count_text(why.paths),
        "alive": count_text(why.alive or 0),
        "element": why.element,
        "result": why.of,
    }
    if why.alive is None or why.alive == why.paths:
        found = plural(
            "One path leads from {element} to {result}.",
            "{paths} paths lead from {element} to {result}.",
            number,
            **gaps,
        )
    elif not why.alive:
        found = plural(
            "One path leads from {element} to {result}; it has a factor that is 0.",
            "{paths} paths lead from {element} to {result}; each has a factor that is 0.",
            number,
            **gaps,
        )
    else:
        found = plural(
            "{alive} of {paths} path from {element} to {result} has no factor that is 0.",
            "{paths} paths lead from {element} to {result}; in {alive} of them no factor is 0.",
            number,
            **gaps,
        )
    return str(found)


def _trail(trail: Trail, k: int, width: int) -> Iterator[str]:
    if trail.product == 0:
        heading = message("A path:") if k == 0 else message("Another path:")
    else:
        heading = message("The path that weighs most:") if k == 0 else message("The next path:")
    yield str(heading)
    hops = trail.hops
    shown: Sequence[Hop | None] = hops
    if len(hops) > _MOST_HOPS:
        half = _MOST_HOPS // 2
        shown = [*hops[:half], None, *hops[-half:]]
    names = max((wide(_valued(h.start, h.value)) for h in shown if h is not None), default=0)
    names = min(names, 34)
    for hop in shown:
        if hop is None:
            yield "  " + str(
                message("… {count} more steps", count=len(hops) - len([h for h in shown if h is not None]))
            )
            continue
        line = "" if hop.line is None else str(message("line {line}", line=hop.line))
        factor = f"× {number_text(hop.factor)}"
        because = "" if hop.because is None else str(hop.because)
        head = f"  {padded(_valued(hop.start, hop.value), names)}  {factor:<11}"
        room = width - wide(head) - wide(line) - 3
        if because and wide(because) > room:
            yield f"{head}  {line}"
            yield from (
                _wrapped(because, width - 6)
                if width < 20
                else [" " * (names + 6) + part for part in wrapped(because, width - names - 6)]
            )
        else:
            yield f"{head}  {padded(because, max(room, 0))} {line}"
    yield f"  {_valued(*trail.end)}"
    seed = "" if trail.seed == 1 else f" × {number_text(trail.seed)}"
    yield "  " + str(message("product{seed}: {product}", seed=seed, product=number_text(trail.product)))


def _valued(name: str, value: object) -> str:
    return f"{name} = {number_text(value)}"


def _norms(why: Why) -> Iterator[str]:
    yield str(message("The gradient of {result}, statement by statement:", result=why.of))
    rows: Sequence[Norm | None] = why.norms
    if len(rows) > _MOST_ROWS:
        half = _MOST_ROWS // 2
        rows = [*rows[:half], None, *rows[-half:]]
    shown = [n for n in rows if n is not None]
    names = min(max(wide(f"d{n.name}") for n in shown), 28)
    heads = [
        str(message("name")),
        str(message("line")),
        str(message("shape")),
        str(message("norm")),
        str(message("ratio")),
    ]
    right = [" " * (size - wide(head)) + head for head, size in zip(heads, (0, 4, 0, 10, 9), strict=True)]
    yield f"  {padded(heads[0], names)}  {right[1]}  {padded(heads[2], 12)} {right[3]}  {right[4]}"
    for n in rows:
        if n is None:
            skipped = why.norms[len(shown) // 2 : -(len(shown) // 2)]
            yield "  " + str(message("… {count} more", count=len(skipped)))
            continue
        line = "" if n.line is None else str(n.line)
        shape = "×".join(map(str, n.shape)) or "1"
        ratio = "" if n.ratio is None else f"× {number_text(n.ratio)}"
        zeros = "" if not n.zeros else str(message("{percent}% zero", percent=round(100 * n.zeros)))
        yield f"  {padded('d' + n.name, names)}  {line:>4}  {shape:<12} {number_text(n.norm):>10}  {ratio:>9}  {zeros}"
