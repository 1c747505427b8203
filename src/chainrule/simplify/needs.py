"""What an instance of a selection costs, who needs it, and what a choice would newly need."""

from __future__ import annotations

from chainrule.simplify.choices import Choice, Instance
from chainrule.simplify.select import Selection

__all__ = ["given_back", "least_cost", "newly_needed", "users_of"]


def given_back(selection: Selection, x: Instance) -> int:
    """What an instance costs, with all that is needed for it alone."""
    uses, chosen = selection.uses, selection.chosen
    cost = chosen[x].cost
    pending = list(chosen[x].children)
    dropped: dict[Instance, int] = {}
    while pending:
        y = pending.pop()
        dropped[y] = dropped.get(y, 0) + 1
        if dropped[y] == uses[y]:
            cost += chosen[y].cost
            pending += chosen[y].children
    return cost


def newly_needed(selection: Selection, option: Choice) -> list[Instance]:
    """What a choice needs that nothing needs yet."""
    return [c for c in option.children if not selection.uses.get(c, 0)]


def least_cost(selection: Selection, option: Choice) -> int:
    """What a choice costs, with the least that what it newly needs can cost."""
    return option.cost + sum(map(selection.estimates.least, newly_needed(selection, option)))


def users_of(selection: Selection) -> dict[Instance, list[Instance]]:
    """By instance, those that are made of it."""
    found: dict[Instance, list[Instance]] = {}
    for x in selection.active():
        for c in selection.chosen[x].children:
            found.setdefault(c, []).append(x)
    return found
