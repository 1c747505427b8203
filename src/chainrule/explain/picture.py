"""The picture of a computation: its named values, and which is computed from which."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.explain.derivation import Edge, Node

__all__ = ["picture_of"]


def picture_of(made: Any) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """The named values of a derivation, and which is computed from which."""
    readings = made.forward.readings
    places: dict[int, int] = {}
    nodes: list[Node] = []
    edges: dict[Edge, None] = {}
    results = {x.number for x, _ in made.outputs()}
    numbers = made.part_of

    def node(number: int) -> int:
        if number not in places:
            kind = "input" if number in made.active else "data"
            if number in numbers:
                kind = "result" if number in results else "value" if number in made.active else "data"
            value = made.values.get(number)
            places[number] = len(nodes)
            nodes.append(
                Node(
                    made.forward.names[number],
                    kind,
                    np.shape(value),
                    value,
                    made.gradients.get(number),
                    numbers.get(number, -1),
                )
            )
        return places[number]

    for reading in readings:
        sources = [node(n) for n in reading.reads]
        target = node(reading.out.number)
        edges.update((Edge(source, target), None) for source in sources)
    return tuple(nodes), tuple(edges)
