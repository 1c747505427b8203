"""What belongs together on the page: a step, the node of its statement, and the nodes that it reads."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.explain.derivation import Derivation

__all__ = ["Ties", "ties_of"]


@dataclass(frozen=True, slots=True)
class Ties:
    """The ties of a derivation.

    Attributes:
        step_of_node: the step that a node leads to: of its statement, or the one that finds its gradient; or -1.
        node_of_step: the node that a step's statement computes, or -1.
        read_by_step: the nodes that it reads and whose gradients it finds.
    """

    step_of_node: tuple[int, ...]
    node_of_step: tuple[int, ...]
    read_by_step: tuple[tuple[int, ...], ...]


def ties_of(derivation: Derivation) -> Ties:
    """Find what belongs together."""
    nodes, parts = derivation.nodes, derivation.parts
    own = [-1] * len(parts)
    for k, node in enumerate(nodes):
        if 0 <= node.part < len(parts):
            own[node.part] = k
    named = {node.name: k for k, node in enumerate(nodes)}
    for k, part in enumerate(parts):
        # The body of a loop computes what the loop's own node shows.
        if own[k] < 0:
            own[k] = named.get(part.result, -1)
    sources: dict[int, list[int]] = {}
    for edge in derivation.edges:
        sources.setdefault(edge.target, []).append(edge.source)
    read = []
    for k, part in enumerate(parts):
        wanted = [named[r.name] for r in part.routes if r.name in named]
        read.append(tuple(dict.fromkeys(wanted or sources.get(own[k], []))))
    leads = [node.part if 0 <= node.part < len(parts) else -1 for node in nodes]
    for step, operands in enumerate(read):
        for k in operands:
            if leads[k] < 0:
                leads[k] = step
    # Data has no gradient: it leads to where it is used.
    for k in range(len(nodes)):
        if leads[k] < 0:
            users = [nodes[e.target].part for e in derivation.edges if e.source == k and nodes[e.target].part >= 0]
            leads[k] = max(users, default=-1)
    return Ties(tuple(leads), tuple(own), tuple(read))
