"""Where the nodes of the picture stand: in rows from the inputs down to the result, with the main path straight."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.explain.derivation import Edge, Node

__all__ = ["Layout", "Place", "laid_out"]

_FAR = 3  # rows that an input's edge may cross before the input is drawn again beside where it is used
_FARTHEST = 8  # the same for what is computed


@dataclass(slots=True)
class Place:
    """A node, or a further mention of one beside where it is used.

    Attributes:
        node: the position among the nodes.
        row: from the top.
        x: the centre, in columns.
        again: whether the node itself stands elsewhere.
    """

    node: int
    row: int
    x: float = 0.0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The places, and the lines between them.

    Attributes:
        places: of nodes and of further mentions.
        lines: from a place to a place, with bends between them as (x, row).
        rows: how many.
        left: the smallest x.
        right: the largest.
    """

    places: tuple[Place, ...]
    lines: tuple[tuple[int, int, tuple[tuple[float, int], ...]], ...]
    rows: int
    left: float
    right: float


def laid_out(nodes: Sequence[Node], edges: Sequence[Edge]) -> Layout:
    """Find a place for each node."""
    before: list[list[int]] = [[] for _ in nodes]
    after: list[list[int]] = [[] for _ in nodes]
    for edge in dict.fromkeys((e.source, e.target) for e in edges):
        before[edge[1]].append(edge[0])
        after[edge[0]].append(edge[1])
    row = _rows(before, after)
    places = [Place(k, row[k]) for k in range(len(nodes))]
    links: list[tuple[int, int]] = []
    for target, sources in enumerate(before):
        for source in sources:
            far = _FARTHEST if before[source] else _FAR
            if row[target] - row[source] > far:
                places.append(Place(source, row[target] - 1, again=True))
                links.append((len(places) - 1, target))
            else:
                links.append((source, target))
    # Lines that cross rows bend around what stands there: a bend takes up room like a node.
    bends: list[list[int]] = []
    for source, target in links:
        own = []
        for between in range(places[source].row + 1, places[target].row):
            places.append(Place(-1, between))
            own.append(len(places) - 1)
        bends.append(own)
    _spread(places, links, bends, before)
    lines = tuple(
        (source, target, tuple((places[b].x, places[b].row) for b in own))
        for (source, target), own in zip(links, bends, strict=True)
    )
    xs = [p.x for p in places] or [0.0]
    real = tuple(places[: len(nodes)]) + tuple(p for p in places[len(nodes) :] if p.again)
    # What a line names is a place among all; bends are never its ends.
    position = {id(p): k for k, p in enumerate(real)}
    lines = tuple((position[id(places[s])], position[id(places[t])], own) for s, t, own in lines)
    return Layout(real, lines, max((p.row for p in places), default=0) + 1, min(xs), max(xs))


def _rows(before: list[list[int]], after: list[list[int]]) -> list[int]:
    """The row of each node: below all that it is computed from; inputs just above their first use."""
    row = [0] * len(before)
    waiting = [len(b) for b in before]
    ready = [k for k, count in enumerate(waiting) if not count]
    order = []
    while ready:
        node = ready.pop()
        order.append(node)
        for target in after[node]:
            row[target] = max(row[target], row[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for node in order:
        if not before[node] and after[node]:
            row[node] = min(row[target] for target in after[node]) - 1
    return row


def _spread(places: list[Place], links: list[tuple[int, int]], bends: list[list[int]], before: list[list[int]]) -> None:
    """Give each place its x: what is computed below what it is computed from, inputs to the right of that."""
    above: list[list[int]] = [[] for _ in places]
    below: list[list[int]] = [[] for _ in places]
    for (source, target), own in zip(links, bends, strict=True):
        chain = [source, *own, target]
        for a, b in itertools.pairwise(chain):
            above[b].append(a)
            below[a].append(b)
    rows: list[list[int]] = [[] for _ in range(max((p.row for p in places), default=0) + 1)]
    for k, place in enumerate(places):
        rows[place.row].append(k)

    def computed(k: int) -> bool:
        place = places[k]
        return not place.again and (place.node < 0 or bool(before[place.node]))

    def wish_down(k: int) -> float:
        parents = [a for a in above[k] if computed(a)] or above[k]
        return places[parents[0]].x if parents else places[k].x

    def wish_up(k: int) -> float:
        if computed(k) or not below[k]:
            return wish_down(k)
        # Beside what is computed there, in the order in which the statement reads them.
        target = below[k][0]
        beside = [a for a in above[target] if not computed(a)]
        first = 1 if len(beside) < len(above[target]) else 0
        return places[target].x + first + beside.index(k)

    for k, place in enumerate(places):
        place.x = float(rows[place.row].index(k))

    def wish_beside(k: int) -> float:
        return places[k].x if computed(k) else wish_up(k)

    # The last time from the bottom, when what inputs stand beside has its place.
    for wish in (wish_down, wish_up, wish_down, wish_up, wish_down, wish_up, wish_beside):
        for members in reversed(rows) if wish is wish_beside else rows:
            wanted = sorted((wish(k), not computed(k), n, k) for n, k in enumerate(members))
            xs = _apart([(w, 1.0 if aside else 1000.0) for w, aside, *_ in wanted])
            for (*_, k), x in zip(wanted, xs, strict=True):
                places[k].x = x


def _apart(wanted: list[tuple[float, float]]) -> list[float]:
    """Positions at least 1 apart, in the given order, as close to the wanted ones as can be; each has a weight."""
    groups: list[tuple[float, float, int]] = []  # the mean of what is wanted, less one a place; the weight; how many
    for k, (x, weight) in enumerate(wanted):
        mean, count = x - k, 1
        while groups and groups[-1][0] > mean:
            other, heavy, many = groups.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + many
        groups.append((mean, weight, count))
    means = [mean for mean, _, count in groups for _ in range(count)]
    return [mean + k for k, mean in enumerate(means)]
