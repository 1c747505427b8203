"""What values decide in the turns of a loop, where they decide the same in all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.statics import instruction

__all__ = ["decided_alike"]


def decided_alike(
    guards: Sequence[Any], made: Sequence[Mapping[int, Any]], places: Mapping[Any, int]
) -> tuple[list[Any], set[int]]:
    """The decisions of one turn, in terms of the variables of the body; and which of those of the tape they stand for.

    Args:
        guards: the decisions on the tape.
        made: per turn, for each variable that it makes where it stands in the turn.
        places: for each such place, the variable of the body.
    """
    found: dict[Any, list[list[Any]]] = {}
    for guard in guards:
        variable, _, code, offset = guard
        for n, own in enumerate(made):
            if variable in own and own[variable] in places:
                key = (own[variable], code, instruction(code, offset) if code is not None else offset)
                found.setdefault(key, [[] for _ in made])[n].append(guard)
    alike: list[Any] = []
    covered: set[int] = set()
    for (place, *_), turns in found.items():
        values = [[repr(g[1]) for g in own] for own in turns]
        if all(own == values[0] for own in values):
            alike += [(places[place], *g[1:]) for g in turns[0]]
            covered.update(id(g) for own in turns for g in own)
    return alike, covered
