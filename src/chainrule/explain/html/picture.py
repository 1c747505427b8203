"""The picture of the computation: every value with its numbers and its gradient, as a drawing within the page."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from chainrule.explain.derivation import Derivation, Node
from chainrule.explain.figures import shape_text, shown_number
from chainrule.explain.html.heat import grid_of, picture_of
from chainrule.explain.html.layout import Layout, Place, laid_out
from chainrule.explain.html.ties import Ties
from chainrule.language import message

__all__ = ["picture"]

_MOST = 60  # nodes that are drawn with their numbers
_WIDTH, _GAP, _MARGIN = 116, 14, 12
_ROWS = 40  # of a piece of the drawing
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>'
)
_DIGITS = 6  # of a number that stands beside another one in a node
_SMALLEST = 0.74  # of its size, before the drawing is moved about in and not made smaller
_THUMB_WIDTH, _THUMB_HEIGHT = 46, 26


class _Sizes:
    def __init__(self, large: bool) -> None:
        self.height, self.between = (34, 22) if large else (74, 34)
        self.thumbs = not large

    def x(self, layout: Layout, x: float) -> float:
        return _MARGIN + _WIDTH / 2 + (x - layout.left) * (_WIDTH + _GAP)

    def y(self, row: int) -> float:
        return _MARGIN + row * (self.height + self.between)


def picture(derivation: Derivation, ties: Ties) -> tuple[str, list[str]]:
    """The drawing, nothing where there are no nodes; and what is in the pieces of a long one, but for the first.

    The page's script puts that where it belongs, after the page has been shown.
    """
    if not derivation.nodes:
        return "", []
    layout = laid_out(derivation.nodes, derivation.edges)
    sizes = _Sizes(len(derivation.nodes) > _MOST)
    width = sizes.x(layout, layout.right) + _WIDTH / 2 + _MARGIN
    height = sizes.y(layout.rows - 1) + sizes.height + _MARGIN
    label = message("The computation, from the inputs at the top to {result} at the bottom", result=derivation.result)
    lines = [
        (layout.places[line[0]].row, layout.places[line[1]].row, _line(layout, sizes, line, shift))
        for line, shift in zip(layout.lines, _ends(layout), strict=True)
    ]
    nodes = [(p.row, _node(layout, sizes, p, derivation.nodes[p.node], ties)) for p in layout.places]
    # A long drawing is cut between rows, so that a browser lays out only the pieces that are in sight.
    pieces: list[str] = []
    later: list[str] = []
    for first in range(0, layout.rows, _ROWS):
        last = min(first + _ROWS, layout.rows) - 1
        top = 0 if first == 0 else sizes.y(first) - sizes.between / 2
        bottom = height if last == layout.rows - 1 else sizes.y(last + 1) - sizes.between / 2
        tall = bottom - top
        edges = "".join(line for source, target, line in lines if source <= last and target >= first)
        inside = "".join(node for row, node in nodes if first <= row <= last)
        content = f'<g class="edges">{edges}</g>{inside}'
        waits = f' data-piece="{len(later)}"' if first else ""
        pieces.append(
            f'<svg{waits} viewBox="0 {top:.0f} {width:.0f} {tall:.0f}" width="{width:.0f}" height="{tall:.0f}" '
            f'style="contain-intrinsic-size:auto {width:.0f}px auto {tall:.0f}px">'
            f"{'' if first else _TIP + content}</svg>"
        )
        later += [content] if first else []
    drawing = (
        f'<div class="graph" role="group" aria-label="{escape(str(label))}" '
        f'style="width:{width:.0f}px;min-width:{_SMALLEST * width:.0f}px">{"".join(pieces)}</div>'
    )
    return drawing, later


def _ends(layout: Layout) -> list[float]:
    """Where each line ends on its node, as parts of half the node's width: side by side, in the order they come in."""
    into: dict[int, list[tuple[float, int]]] = {}
    for k, (source, target, bends) in enumerate(layout.lines):
        into.setdefault(target, []).append((bends[-1][0] if bends else layout.places[source].x, k))
    found = [0.0] * len(layout.lines)
    for target, lines in into.items():
        x = layout.places[target].x
        # What comes from straight above ends in the middle.
        middle = min(range(len(lines)), key=lambda k: abs(sorted(lines)[k][0] - x))
        for place, (_, k) in enumerate(sorted(lines)):
            found[k] = max(-0.85, min(0.85, (place - middle) * min(0.4, 1.6 / len(lines))))
    return found


def _line(layout: Layout, sizes: _Sizes, line: tuple[int, int, tuple[tuple[float, int], ...]], shift: float) -> str:
    source, target, bends = layout.places[line[0]], layout.places[line[1]], line[2]
    x, y = sizes.x(layout, source.x), sizes.y(source.row) + (_again_bottom(sizes) if source.again else sizes.height)
    path = f"M{x:.0f} {y:.0f}"
    for bend, row in bends:
        top, bottom = sizes.y(row), sizes.y(row) + sizes.height
        next_x = sizes.x(layout, bend)
        path += _curve(x, y, next_x, top) + f"V{bottom:.0f}"
        x, y = next_x, bottom
    path += _curve(x, y, sizes.x(layout, target.x) + shift * _WIDTH / 2, sizes.y(target.row) - 2)
    return f'<path d="{path}" data-edge="{source.node}-{target.node}"/>'


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    middle = (y + to_y) / 2
    return f"C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}"


def _again_bottom(sizes: _Sizes) -> float:
    return sizes.height / 2 + 12


def _node(layout: Layout, sizes: _Sizes, place: Place, node: Node, ties: Ties) -> str:
    left, top = sizes.x(layout, place.x) - _WIDTH / 2, sizes.y(place.row)
    step = ties.step_of_node[place.node]
    shape = shape_text(node.shape).strip("(,)").replace(",", "×")
    kinds = {
        "input": message("input"), "data": message("data"), "value": message("value"), "result": message("result"),
    }  # fmt: skip
    name = ", ".join([node.name, str(kinds.get(node.kind, node.kind)), *([shape] if shape else [])])
    opening = f'<g class="node {node.kind}{" again" if place.again else ""}" data-node="{place.node}"'
    middle = top + sizes.height / 2
    if place.again:
        inside = (
            f'<rect x="{left + 22:.0f}" y="{middle - 12:.0f}" width="{_WIDTH - 44}" height="24" rx="12"/>'
            f'<text class="name" x="{left + _WIDTH / 2:.0f}" y="{middle + 5:.0f}" '
            f'text-anchor="middle">{escape(_short(node.name, 8))}</text>'
        )
    else:
        inside = f'<rect x="{left:.0f}" y="{top:.0f}" width="{_WIDTH}" height="{sizes.height}" rx="9"/>'
        short = escape(_short(node.name, _letters(shape)))
        inside += (
            f'<text class="name" x="{left + 10:.0f}" y="{top + 21:.0f}">{short}</text>'
            f'<text class="shape" x="{left + _WIDTH - 10:.0f}" y="{top + 21:.0f}" text-anchor="end">{shape}</text>'
        )
        if sizes.thumbs:
            inside += _thumbs(node, left + 10, top + 31)
    inside = f"<title>{escape(name)}</title>{inside}"
    if step < 0:
        return f"{opening}>{inside}</g>"
    said = message("{node}: see step {step}", node=name, step=step + 1)
    return f'{opening}><a href="#step-{step + 1}" data-step="{step}" aria-label="{escape(str(said))}">{inside}</a></g>'


def _thumbs(node: Node, left: float, top: float) -> str:
    """The value at the left, the gradient at the right."""
    found = ""
    for x, value, kind in ((left, node.value, "forward"), (left + 50, node.gradient, "backward")):
        if value is None:
            continue
        size = (_THUMB_WIDTH, _THUMB_HEIGHT)
        if not node.shape:
            number = _few_digits(np.asarray(value).item())
            found += f'<text class="figure {kind}" x="{x:.0f}" y="{top + 18:.0f}">{number}</text>'
            continue
        grid = grid_of(value, 8, 12)
        if grid is None:
            continue
        found += (
            f'<rect class="thumb {kind}" x="{x:.0f}" y="{top:.0f}" width="{size[0]}" height="{size[1]}" rx="2"/>'
            f'<image x="{x:.0f}" y="{top:.0f}" width="{size[0]}" height="{size[1]}" preserveAspectRatio="none" '
            f'href="{picture_of(grid)}"/>'
        )
    return found


def _few_digits(x: Any) -> str:
    """A number that has room in half a node."""
    text = shown_number(x)
    if len(text) <= _DIGITS or not isinstance(x, float):
        return text
    return next((short for digits in (3, 2) if len(short := f"{x:.{digits}g}") <= _DIGITS), f"{x:.0e}")


def _letters(shape: str) -> int:
    """How many letters of a name have room beside the shape."""
    return int((_WIDTH - 28 - 6.7 * len(shape)) / 7.9)


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
