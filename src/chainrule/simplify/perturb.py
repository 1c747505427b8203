"""Leaves local minima of a selection: choices made again from scratch, and signs moved from one value to all others.

A single change is judged by what it costs with everything else as it was chosen.  Here one choice is forced, what is no
longer needed is given back first, what is newly needed is chosen afresh and improved, and only then is the total
compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial

from chainrule.simplify.choices import OPERATION, Choice, Instance
from chainrule.simplify.needs import given_back, least_cost, newly_needed, users_of
from chainrule.simplify.scalars import UNIT, Coefficient, NoFormError, times
from chainrule.simplify.select import ANY, Selection

__all__ = ["perturb"]

_MOST_INSTANCES = 300  # of a selection that is perturbed
_MOST_NUMBERS = 10  # instances for each array operation
_MOST_KICKS = 1_500
_MOST_TRIALS = 4_000  # changes of choices that are tried meanwhile
_MOST_CHANGES = 24  # of one attempt to move a sign
_MOST_WAYS = 200  # of changing what needs a value, one after the other
_DEEPEST = 6  # steps that a factor is handed on
_MOST_SHARED = 60  # attempts to let several be made of one new value
_MOST_REACHED = 60  # new values that one instance could be made of
_MOST_TOGETHER = 4  # users that do without a value
_MOST_MOVED = 200  # attempts to hand a factor on
_FARTHEST = 3 * OPERATION  # how much a choice may cost more before what it needs is improved
_MINUS = Coefficient(Fraction(-1))
Wanted = dict[Instance, list[tuple[Instance, Choice]]]


def perturb(selection: Selection) -> None:
    """Improve a selection beyond single changes, within bounds."""
    count = len(selection.active())
    if count > _MOST_INSTANCES or count > _MOST_NUMBERS * (selection.total // OPERATION + 1):
        return  # too many, or nearly all of them numbers, which cost nothing
    kicks = _MOST_KICKS
    for _ in range(3):
        before = selection.total
        _scale_together(selection)
        _share(selection)
        _negate(selection)
        _hand_on(selection)
        kicks = _kick(selection, kicks)
        _do_without(selection)
        if selection.total < before:
            selection.improve()
        else:
            return


# ---- choices made again


def _kick(selection: Selection, budget: int) -> int:
    """Force every option once; the number of attempts that are left."""
    wanted = _wanted(selection)
    most = selection.attempts + _MOST_TRIALS
    for x in selection.active():
        if not selection.uses.get(x, 0):
            continue
        if selection.attempts > most:
            return 0
        freed = given_back(selection, x)
        if freed < OPERATION:
            continue  # no array operation can be saved
        for option in selection.choices.of(x):
            if budget <= 0:
                return 0
            if not selection.uses.get(x, 0):
                break
            if option is selection.chosen[x]:
                continue
            if not newly_needed(selection, option):
                continue  # a single change, which was judged already
            if least_cost(selection, option) >= freed:
                continue  # at its best it costs no less
            budget -= 1
            if _attempt(selection, [(x, option)], True, wanted):
                wanted = _wanted(selection)
                freed = given_back(selection, x) if selection.uses.get(x, 0) else 0
    return budget


def _wanted(selection: Selection) -> Wanted:
    """By instance that nothing needs yet, and that is scaled, the choices that would need it."""
    found: Wanted = {}
    for x in selection.active():
        for option in selection.choices.of(x):
            if option is not selection.chosen[x]:
                for c in option.children:
                    if c[1] != UNIT and not selection.uses.get(c, 0):
                        found.setdefault(c, []).append((x, option))
    return found


def _join(selection: Selection, new: list[Instance], wanted: Wanted) -> None:
    """Let what is newly needed share a scaled operand with others."""
    for x in new:
        if not selection.uses.get(x, 0):
            continue
        _change_all(selection, [], wanted.get(x, ()))
        for option in selection.choices.of(x):
            for c in option.children:
                if option is not selection.chosen.get(x) and c in wanted:
                    _change_all(selection, [(x, option)], wanted[c])


def _scale_together(selection: Selection) -> None:
    """Let all that could be made of one scaled value be made of it."""
    for moves in _wanted(selection).values():
        if len(dict(moves)) > 1 and len(moves) <= _MOST_CHANGES:
            _change_all(selection, [], moves)


def _change_all(
    selection: Selection, moves: list[tuple[Instance, Choice]], others: Sequence[tuple[Instance, Choice]]
) -> None:
    """Change choices together, of others the cheapest for each instance."""
    best: dict[Instance, Choice] = {}
    for y, other in others[:_MOST_CHANGES]:
        if selection.uses.get(y, 0) and (y not in best or other.cost < best[y].cost):
            best[y] = other
    if best:
        selection.change([*moves, *best.items()])


def _attempt(
    selection: Selection,
    moves: list[tuple[Instance, Choice]],
    repair: bool,
    wanted: Wanted | None = None,
    gain: int = 0,
    further: Sequence[Instance] = (),
) -> bool:
    """Make changes, with what they need chosen afresh; undone where the total does not become less by ``gain``.

    What is ``further`` is improved as well.

    ``wanted`` says by what could be needed which choices would need it: those that share it are changed together.
    """
    before = selection.total
    chosen, uses = dict(selection.chosen), dict(selection.uses)
    selection.begin()
    selection.most = before + _FARTHEST if len(moves) == 1 else ANY
    try:
        planned = dict(moves)
        for x, option in moves:
            if not selection.uses.get(x, 0) or selection.would_cycle(x, option) or selection.chosen[x] is option:
                continue
            _force(selection, x, option, planned)
        selection.most = ANY
        touched = [x for x, n in selection.uses.items() if n != uses.get(x, 0)]
        if repair:
            new = [x for x, n in selection.uses.items() if n and not uses.get(x, 0)]
            for x in (*new, *further):
                if selection.uses.get(x, 0):
                    selection.improve_choice(x)
            if wanted is not None:
                _join(selection, new, wanted)
        if selection.total < before - gain:
            selection.order()
            selection.note(touched)
            return True
    except NoFormError:
        selection.most = ANY
    selection.chosen, selection.uses, selection.total = chosen, uses, before
    return False


def _force(selection: Selection, x: Instance, option: Choice, planned: dict[Instance, Choice]) -> None:
    """Change one choice; what is not needed yet is chosen as planned, or afresh."""
    old = selection.chosen[x]
    selection.release(old.children)
    for y in [y for y in selection.chosen if not selection.uses.get(y, 0)]:
        del selection.chosen[y]
    selection.chosen.update((y, other) for y, other in planned.items() if not selection.uses.get(y, 0))
    selection.chosen[x] = option
    selection.total += option.cost - old.cost
    selection.acquire(option.children)


# ---- values that several would be made of, though none of them directly


def _share(selection: Selection) -> None:
    """Let all that could be made of one new value, in a few steps, be made of it together."""
    found: dict[Instance, dict[Instance, list[tuple[Instance, Choice]]]] = {}
    for x in selection.active():
        if selection.chosen[x].cost >= OPERATION:
            for shared, moves in _reached(selection, x):
                known = found.setdefault(shared, {})
                if x not in known or len(moves) < len(known[x]):
                    known[x] = moves
    attempts = 0
    for shared, by_user in found.items():
        if len(by_user) < 2 or selection.uses.get(shared, 0):
            continue
        if sum(given_back(selection, x) for x in by_user if selection.uses.get(x, 0)) < 2 * OPERATION:
            continue
        attempts += 1
        if attempts > _MOST_SHARED:
            return
        selection.change([m for x, moves in by_user.items() if selection.uses.get(x, 0) for m in moves])


def _reached(selection: Selection, x: Instance) -> list[tuple[Instance, list[tuple[Instance, Choice]]]]:
    """What an instance could be made of that nothing needs yet, behind one array operation, and by which choices."""
    found: list[tuple[Instance, list[tuple[Instance, Choice]]]] = []
    pending: list[tuple[Instance, list[tuple[Instance, Choice]], int]] = [(x, [], 0)]
    while pending and len(found) < _MOST_REACHED:
        y, moves, spent = pending.pop()
        for option in selection.choices.of(y)[:_MOST_CHANGES]:
            cost = spent + (option.cost >= OPERATION)
            if option is selection.chosen.get(y) or cost > 1 or option.cost >= 2 * OPERATION:
                continue
            path = [*moves, (y, option)]
            for c in option.children:
                if not selection.uses.get(c, 0):
                    if len(path) > 1 and selection.estimates.least(c) >= OPERATION:
                        found.append((c, path))
                    if len(path) < _DEEPEST:
                        pending.append((c, path, cost))
    return found


# ---- values that all their users could do without, though none alone saves anything by that


def _do_without(selection: Selection) -> None:
    """Let everything that is made of one value be made of others: two ``np.vecdot`` for a product and its two sums."""
    users = users_of(selection)
    for x in selection.active():
        needing = [u for u in users.get(x, ()) if selection.uses.get(u, 0) and x in selection.chosen[u].children]
        if not 1 < len(needing) <= _MOST_TOGETHER or x in selection.roots or not selection.uses.get(x, 0):
            continue
        if given_back(selection, x) < OPERATION:
            continue
        moves: dict[Instance, Choice] = {}
        if all(_plan_without(selection, u, x, moves) for u in needing) and _attempt(
            selection, [*moves.items()], True, gain=OPERATION // 2
        ):
            users = users_of(selection)


def _plan_without(selection: Selection, u: Instance, x: Instance, moves: dict[Instance, Choice]) -> bool:
    """Plan the cheapest way to make ``u`` without ``x``; whether there is one."""
    best: tuple[int, Choice, dict[Instance, Choice]] | None = None
    for option in selection.choices.of(u):
        cost, planned = option.cost, dict[Instance, Choice]()
        if x in option.children or (best is not None and cost >= best[0]):
            continue
        for c in newly_needed(selection, option):
            ways = [o for o in selection.choices.of(c) if x not in o.children and u not in o.children]
            way = min(ways, key=partial(least_cost, selection), default=None)
            if way is None:
                break
            planned[c] = way
            cost += least_cost(selection, way)
        else:
            if best is None or cost < best[0]:
                best = cost, option, planned
    if best is None:
        return False
    moves.update(best[2])
    moves[u] = best[1]
    return True


# ---- factors moved from one value to all that is made of it


def _times(x: Instance, factor: Coefficient) -> Instance:
    return x[0], times(factor, x[1])


def _negate(selection: Selection) -> None:
    """Where a value is needed with both signs, let all that need it take the same."""
    for x in selection.active():
        y = _times(x, _MINUS)
        if not selection.uses.get(x, 0):
            continue
        if not selection.uses.get(y, 0):
            _turn(selection, x)
        else:
            moves: dict[Instance, Choice] = {}
            if _redirected(selection, y, _MINUS, moves, users_of(selection), {x}, iter(range(_MOST_WAYS))):
                direct = [o for o in selection.choices.of(x) if y not in o.children]
                for option in direct[:_MOST_CHANGES]:
                    if _attempt(selection, [*reversed(moves.items()), (x, option)], True):
                        break


def _turn(selection: Selection, x: Instance) -> None:
    """Let all that need a value take it with the other sign, if that takes fewer operations."""
    if x in selection.roots or selection.chosen[x].cost < OPERATION:
        return
    least = min((o.cost for o in selection.choices.of(_times(x, _MINUS)) if x not in o.children), default=None)
    own = selection.chosen[x]
    spared = OPERATION if any(_is_turned(selection, c) for c in own.children) else 0
    if least is not None and least <= own.cost + spared - OPERATION:
        _move(selection, x, _MINUS)


def _is_turned(selection: Selection, x: Instance) -> bool:
    """Whether an operation is spent on the sign of an instance, or of what it is made of, for one use."""
    for _ in range(_DEEPEST):
        if x[1].number > 0 or selection.uses.get(x, 0) != 1:
            return False
        option = selection.chosen[x]
        if option.kind in ("scale", "prod") and option.payload[0] == _MINUS:
            return option.cost >= OPERATION
        x = next((c for c in option.children if c[1].number < 0), x)
    return False


def _hand_on(selection: Selection) -> None:
    """Take a factor from where it is multiplied in to what that is made of, and to all else that is made of it."""
    tried: set[tuple[Instance, Coefficient]] = set()
    for top in selection.active():
        factor = _factor(selection, top) if selection.uses.get(top, 0) else None
        if factor is None:
            continue
        size = factor if factor == _MINUS else Coefficient(abs(factor.number), factor.atoms)
        level = list(selection.chosen[top].children)
        for _ in range(_DEEPEST):
            level = list(dict.fromkeys(level))
            for x in level:
                for moved in (size,) if factor == size else (size, factor):
                    needed = selection.uses.get(x, 0) and x not in selection.roots
                    if not needed or (x, moved) in tried or len(tried) > _MOST_MOVED:
                        continue
                    tried.add((x, moved))
                    if selection.chosen[x].cost >= OPERATION or selection.uses[x] > 1:
                        _move(selection, x, moved)
            level = [c for x in level if selection.uses.get(x, 0) for c in selection.chosen[x].children]


def _factor(selection: Selection, x: Instance) -> Coefficient | None:
    """What is multiplied in where an instance is made."""
    option = selection.chosen[x]
    if option.kind == "scale" and option.children:
        return option.payload[0]  # type: ignore[no-any-return]
    if option.kind == "prod" and option.payload[0] != UNIT:
        return option.payload[0]  # type: ignore[no-any-return]
    if option.kind == "sum" and option.payload[0] and max(option.payload[0]) < 0 and not option.payload[1]:
        return _MINUS
    return None


def _move(selection: Selection, x: Instance, factor: Coefficient) -> bool:
    """Let all that need a value take it times a factor; whether that is better."""
    moves: dict[Instance, Choice] = {}
    staying: list[Instance] = []
    if not _redirected(selection, x, factor, moves, users_of(selection), set(), iter(range(_MOST_WAYS)), staying):
        return False
    moved = _times(x, factor)
    if staying:
        return len(moves) > 1 and _attempt(selection, [*reversed(moves.items())], True, gain=OPERATION // 2)
    if _attempt(selection, [*reversed(moves.items())], True, further=(moved,)):
        return True
    direct = [o for o in selection.choices.of(moved) if x not in o.children]
    if not direct or moved in moves or selection.uses.get(moved, 0):
        return False
    # While some still need the value as it is, its multiple would be made of it: how it is made is planned.
    moves[moved] = min(direct, key=partial(least_cost, selection))
    return _attempt(selection, [*reversed(moves.items())], True, gain=OPERATION // 2)


def _redirected(
    selection: Selection,
    y: Instance,
    factor: Coefficient,
    moves: dict[Instance, Choice],
    users: dict[Instance, list[Instance]],
    without: set[Instance],
    ways: Iterator[int],
    staying: list[Instance] | None = None,
) -> bool:
    """The changes by which nothing needs ``y``, but ``y`` times a factor: what cannot change is multiplied itself.

    Where ``staying`` is given, it takes up what cannot be made of that, and goes on needing ``y``.
    There are as many ways as there are choices of signs on the way to the results, so only some are looked at.
    """
    if y in selection.roots or len(moves) > _MOST_CHANGES or next(ways, None) is None:
        return False
    for u in users.get(y, ()):
        if u in without or u in moves or u == _times(y, factor):
            continue
        found = _turned(selection, u, y, factor)
        if found is not None:
            moves[u] = found
            continue
        without.add(u)
        # A difference may be needed with the other sign: where it is c * (a - b), it is made of c * b and c * a.
        for scale in (factor,) if factor == _MINUS else (factor, times(_MINUS, factor), _MINUS):
            other = _times(u, scale)
            option = _turned(selection, other, y, factor)
            more, left = dict(moves), set(without)
            if option is not None and _redirected(selection, u, scale, more, users, left, ways):
                moves.clear()
                moves.update(more)
                without |= left
                moves.pop(other, None)
                moves[other] = option
                break
        else:
            if staying is None:
                return False
            staying.append(u)
    return True


def _turned(selection: Selection, u: Instance, y: Instance, factor: Coefficient) -> Choice | None:
    """The cheapest option that needs ``y`` times a factor, and not ``y``."""
    x = _times(y, factor)
    own = selection.chosen.get(u)
    rest = {c for c in own.children if c != y} if own is not None else set()
    options = [o for o in selection.choices.of(u) if x in o.children and y not in o.children and u not in o.children]
    return min(options, key=lambda o: (o.cost, -sum(c in rest for c in o.children)), default=None)
