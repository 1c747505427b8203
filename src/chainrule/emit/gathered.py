"""The gradients of lists of arrays: lists again, where loops made them item by item."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chainrule.emit.material import Leaf
from chainrule.emit.writing import Writing
from chainrule.ir import Const, Var
from chainrule.loops import Items, loop_in

__all__ = ["gathered"]

Pairs = Sequence[tuple[Leaf, Var | Const]]


def gathered(writing: Writing, pairs: Pairs, written: Sequence[str]) -> list[tuple[str, str]]:
    """Names and expressions of gradients; one for a whole list that a loop runs over."""
    path_of = writing.material.path_of
    texts = {path_of(leaf): text for (leaf, _), text in zip(pairs, written, strict=True)}
    whole: dict[str, tuple[str, str]] = {}  # per array in a list, the list with its gradient
    for items in _lists(writing):
        path = items.path.replace("'", '"')
        suffixes = [s.replace("'", '"') for s in items.suffixes]
        sources = [[f"{path}[{k}]{s}" for s in suffixes] for k in range(items.count)]
        if not all(source in texts for own in sources for source in own) or any(s in whole for s in sources[0]):
            continue
        text = _list_text(suffixes, [[texts[source] for source in own] for own in sources])
        if text:
            material = writing.material
            called = path.removeprefix(f"{material.parameters[0]}.") if material.owner else path
            name = re.sub(r"\W+", "_", called).strip("_")
            whole.update((source, (name, text)) for own in sources for source in own)
    found: dict[str, str] = {}
    for leaf, _ in pairs:
        name, text = whole.get(path_of(leaf), (leaf.name, texts[path_of(leaf)]))
        found[name] = text
    return list(found.items())


def _lists(writing: Writing) -> list[Items]:
    """The lists of arguments that loops run over."""
    loops = [loop for step in writing.request.program.steps if (loop := loop_in(step)) is not None]
    return [slot.items for loop in loops for slot in loop.slots if slot.items is not None]


def _list_text(suffixes: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A list of what is one expression per item; empty where its items cannot be written."""
    parts: list[tuple[str, bool]] = []
    k = 0
    while k < len(rows):
        run = _run(rows, k)
        if run is not None:
            bases, stop, turned = run
            parts.append((_run_text(suffixes, [b + "[::-1]" if turned else b for b in bases]), True))
            k = stop
        else:
            parts.append((_item_text(suffixes, rows[k]), False))
            k += 1
    if any(not text for text, _ in parts):
        return ""
    if len(parts) == 1 and parts[0][1]:
        text = parts[0][0]
        comprehension = text.startswith("({")
        return f"list({text})" if text.startswith("zip(") else f"[{text[1:-1]}]" if comprehension else text
    return f"[{', '.join(('*' if several else '') + text for text, several in parts)}]"


def _run(rows: Sequence[Sequence[str]], start: int) -> tuple[list[str], int, bool] | None:
    """The lists that a stretch of the items is all of, where it ends, and whether it runs backwards."""
    found = [re.fullmatch(r"(\w+)\[(\d+)\]", text) for text in rows[start]]
    if any(m is None for m in found):
        return None
    bases = [m[1] for m in found if m is not None]
    first = int(found[0][2]) if found[0] is not None else 0
    for step in (1, -1):
        stop = start
        while stop < len(rows) and list(rows[stop]) == [f"{b}[{first + step * (stop - start)}]" for b in bases]:
            stop += 1
        if stop - start > 1 and (first == 0 if step == 1 else first == stop - start - 1):
            return bases, stop, step == -1
    return None


def _run_text(suffixes: Sequence[str], bases: Sequence[str]) -> str:
    if list(suffixes) == [""]:
        return bases[0]
    if list(suffixes) == [f"[{k}]" for k in range(len(suffixes))]:
        return f"zip({', '.join(bases)})"
    names = [b.removesuffix("[::-1]")[:-1] for b in bases]
    item = _item_text(suffixes, names)
    if not item:
        return ""
    if len(names) == 1:
        return f"({item} for {names[0]} in {bases[0]})"
    return f"({item} for {', '.join(names)} in zip({', '.join(bases)}))"


def _item_text(suffixes: Sequence[str], texts: Sequence[str]) -> str:
    if list(suffixes) == [""]:
        return texts[0]
    if list(suffixes) == [f"[{k}]" for k in range(len(suffixes))]:
        return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
    if all(re.fullmatch(r'\["\w+"\]', s) for s in suffixes):
        return "{" + ", ".join(f"{s[1:-1]}: {t}" for s, t in zip(suffixes, texts, strict=True)) + "}"
    return ""
