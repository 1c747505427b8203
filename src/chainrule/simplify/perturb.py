"""Leaves local minima of a selection: choices made again from scratch, and signs moved from one value to all others.

A single change is judged by what it costs with everything else as it was chosen.  Here one choice is forced, what is no
longer needed is given back first, what is newly needed is chosen afresh and improved, and only then is the total
compared.
"""

from __future__ import annotations

from fractions import Fraction

from chainrule.simplify.choices import Choice, Instance
from chainrule.simplify.scalars import Coefficient, NoFormError, times
from chainrule.simplify.select import Selection

__all__ = ["perturb"]

_MOST_INSTANCES = 300  # of a selection that is perturbed
_MOST_KICKS = 1_500
_MOST_CHANGES = 24  # of one attempt to move a sign
_MINUS = Coefficient(Fraction(-1))


def perturb(selection: Selection) -> None:
    """Improve a selection beyond single changes, within bounds."""
    if len(selection.active()) > _MOST_INSTANCES:
        return
    kicks = _MOST_KICKS
    for _ in range(3):
        before = selection.total
        _negate(selection)
        kicks = _kick(selection, kicks)
        if selection.total < before:
            selection.improve()
        else:
            return


# ---- choices made again


def _kick(selection: Selection, budget: int) -> int:
    """Force every option once; the number of attempts that are left."""
    for x in selection.active():
        for option in selection.choices.of(x):
            if budget <= 0:
                return 0
            if not selection.uses.get(x, 0) or option is selection.chosen[x]:
                continue
            if all(selection.uses.get(c, 0) for c in option.children):
                continue  # a single change, which was judged already
            budget -= 1
            _attempt(selection, [(x, option)], True)
    return budget


def _attempt(selection: Selection, moves: list[tuple[Instance, Choice]], repair: bool) -> bool:
    """Make changes, with what they need chosen afresh; undone where the total does not become less."""
    before = selection.total
    chosen, uses = dict(selection.chosen), dict(selection.uses)
    selection.begin()
    try:
        for x, option in moves:
            if not selection.uses.get(x, 0) or selection.would_cycle(x, option):
                continue
            _force(selection, x, option)
        touched = [x for x, n in selection.uses.items() if n != uses.get(x, 0)]
        if repair:
            for x in [x for x, n in selection.uses.items() if n and not uses.get(x, 0)]:
                selection.improve_choice(x)
        if selection.total < before:
            selection.order()
            selection.note(touched)
            return True
    except NoFormError:
        pass
    selection.chosen, selection.uses, selection.total = chosen, uses, before
    return False


def _force(selection: Selection, x: Instance, option: Choice) -> None:
    old = selection.chosen[x]
    selection.release(old.children)
    for y in [y for y in selection.chosen if not selection.uses.get(y, 0)]:
        del selection.chosen[y]
    selection.chosen[x] = option
    selection.total += option.cost - old.cost
    selection.acquire(option.children)


# ---- signs


def _opposite(x: Instance) -> Instance:
    return x[0], times(_MINUS, x[1])


def _negate(selection: Selection) -> None:
    """Where a value is needed with both signs, let all that need it take the same."""
    for x in selection.active():
        y = _opposite(x)
        if selection.uses.get(x, 0) and selection.uses.get(y, 0):
            moves: dict[Instance, Choice] = {}
            if _redirected(selection, y, moves, _users(selection), {x}):
                direct = [o for o in selection.choices.of(x) if y not in o.children]
                for option in direct[:_MOST_CHANGES]:
                    if _attempt(selection, [*reversed(moves.items()), (x, option)], True):
                        break


def _users(selection: Selection) -> dict[Instance, list[Instance]]:
    found: dict[Instance, list[Instance]] = {}
    for x in selection.active():
        for c in selection.chosen[x].children:
            found.setdefault(c, []).append(x)
    return found


def _redirected(
    selection: Selection,
    y: Instance,
    moves: dict[Instance, Choice],
    users: dict[Instance, list[Instance]],
    without: set[Instance],
) -> bool:
    """The changes by which nothing needs ``y``, but its opposite: what cannot change is replaced by its opposite."""
    if y in selection.roots or len(moves) > _MOST_CHANGES:
        return False
    for u in users.get(y, ()):
        if u in without or u in moves:
            continue
        found = _turned(selection, u, y)
        if found is not None:
            moves[u] = found
            continue
        without.add(u)
        opposite = _opposite(u)
        option = _turned(selection, opposite, y)
        if option is None:
            return False
        if not _redirected(selection, u, moves, users, without):
            return False
        moves.pop(opposite, None)
        moves[opposite] = option
    return True


def _turned(selection: Selection, u: Instance, y: Instance) -> Choice | None:
    """The cheapest option that needs the opposite of ``y``."""
    x = _opposite(y)
    own = selection.chosen.get(u)
    rest = {c for c in own.children if c != y} if own is not None else set()
    options = [o for o in selection.choices.of(u) if x in o.children and y not in o.children and u not in o.children]
    return min(options, key=lambda o: (o.cost, -sum(c in rest for c in o.children)), default=None)
