"""Chooses one way of computing each instance, so that everything together is cheap.

What is shared is paid once, so choices are not independent: the selection starts from greedy choices and is improved
by changing one choice at a time, or all choices that would use one new value, as long as the total becomes less.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

from chainrule.simplify.choices import Choice, Instance
from chainrule.simplify.estimates import Estimates
from chainrule.simplify.scalars import UNIT, Coefficient, NoFormError

__all__ = ["ANY", "Selection", "StuckError"]

_REACH = 400  # how far a cycle is looked for
_FURTHEST = (200, 30)  # instances that one change takes up, and in a long program
_MOST_DROPPED = (10_000, 60)  # that are looked at to tell what a change gives back
_LONG = 400  # backward steps
_MOST_NEW = 48  # instances that are looked at to tell what a change costs
_MOST_MOVES = 64  # together
ANY = 1 << 90  # no total is as much


def _multiplies(option: Choice) -> bool:
    """Whether a scalar is multiplied in here, though it could be handed on to an operand."""
    if option.kind == "scale":
        return bool(option.children)
    return option.kind == "prod" and option.payload[0] != UNIT


class StuckError(NoFormError):
    """All ways of computing a value need the value itself, as others were chosen."""

    def __init__(self, number: int) -> None:
        super().__init__("a value can be computed in no way")
        self.number = number


class Selection:
    """The instances that are needed, how each is computed, and the total cost."""

    def __init__(
        self,
        estimates: Estimates,
        roots: Sequence[Instance],
        known: Container[Instance] = (),
        scale_early: bool = False,
        exact: bool = False,
    ) -> None:
        self.choices = estimates.choices
        self.estimates = estimates
        self.roots = roots
        self.chosen: dict[Instance, Choice] = {}
        self.uses: dict[Instance, int] = {}
        self.known = known  # instances that the steps made as they were
        self.scale_early = scale_early
        self._departures: dict[Choice, tuple[bool, int]] = {}
        self.exact = exact  # whether cycles through scalars are looked for as well
        self.total = 0
        self.most = ANY  # more than this is given up
        self.attempts = 0
        long = self.choices.table.steps > _LONG
        self._furthest, self._most_dropped = _FURTHEST[long], _MOST_DROPPED[long]
        # What changed when, counted in improvements: what nothing changed for need not be tried again.
        self._now = 0
        self._left = 1 << 62  # instances that may still be taken up
        self._touched: list[Instance] = []
        self._changed: dict[Instance, int] = {}
        self._tried: dict[Instance, int] = {}
        self._tried_together: dict[Instance, int] = {}
        self._replaced: dict[Instance, Choice | None] | None = None  # what was chosen before, where that is noted

    def start(self) -> None:
        for root in self.roots:
            self.acquire([root])

    def _marginal(self, option: Choice) -> int:
        cost, uses, final = option.cost, self.uses, self.estimates.final
        for c in option.children:
            if not uses.get(c):
                known = final.get(c)
                cost += self.estimates.estimate(c) if known is None else known
        return cost

    # ---- taking up and giving back

    def acquire(self, instances: Iterable[Instance]) -> None:
        """Need instances once more, with what they need in turn."""
        stack = list(instances)
        while stack:
            x = stack.pop()
            count = self.uses.get(x, 0)
            self.uses[x] = count + 1
            if count:
                continue
            self._touched.append(x)
            self._left -= 1
            option = self.chosen.get(x)
            if option is None or self._left < 0 or self.would_cycle(x, option):
                option = self._best(x)
                self._choose(x, option)
            self.total += option.cost
            if self.total >= self.most:
                raise NoFormError("too far from what it was")
            stack.extend(reversed(option.children))

    def _best(self, x: Instance) -> Choice:
        options = self.choices.of(x)
        rank: Callable[[Choice], Any] = self._early if self.scale_early else self._marginal
        if self._left >= 0 and options:
            option = min(options, key=rank)
            if not self.would_cycle(x, option):
                return option
        options = sorted(options, key=rank)
        if self._left < 0:
            # One change must not run through a whole program: what is needed is made of what is there.
            options.sort(key=lambda o: sum(1 for c in o.children if not self.uses.get(c, 0)))
        for option in options:
            if not self.would_cycle(x, option):
                return option
        raise StuckError(x[0])

    def _early(self, option: Choice) -> tuple[bool, int, int]:
        return *self._departure(option), self._marginal(option)

    def _departure(self, option: Choice) -> tuple[bool, int]:
        """How far an option is from multiplying where the steps did."""
        far = self._departures.get(option)
        if far is None:
            strange = sum(1 for c in option.children if c[1] != UNIT and c not in self.known)
            far = self._departures[option] = _multiplies(option), strange
        return far

    def release(self, instances: Iterable[Instance]) -> None:
        """Need instances once less."""
        stack = list(instances)
        while stack:
            x = stack.pop()
            self.uses[x] -= 1
            if self.uses[x] == 0:
                self._touched.append(x)
                option = self.chosen[x]
                self.total -= option.cost
                stack.extend(option.children)

    def would_cycle(self, x: Instance, option: Choice) -> bool:
        """Whether ``x`` would be needed for itself; looked for within reach only."""
        if all(c[0] < x[0] for c in option.children) and option.recipe is None:
            return False
        groups = self.estimates.groups
        own = groups.get(x[0])
        local = own is not None and not self.exact
        if local and own not in self.estimates.mutual:
            return False
        seen: set[Instance] = set()
        stack = list(option.children)
        while stack:
            y = stack.pop()
            if y == x:
                return True
            if y in seen or (local and groups.get(y[0], own) != own):
                continue
            seen.add(y)
            if len(seen) > _REACH:
                return False
            if y in self.chosen:
                stack.extend(self.chosen[y].children)
        return False

    # ---- improvement

    def change(self, moves: Sequence[tuple[Instance, Choice]]) -> bool:
        """Change choices if that makes the total less; whether it did."""
        before = self.total
        self.begin()
        undo: list[tuple[Instance, Choice]] = []
        for x, option in moves:
            if not self.uses.get(x, 0) or self.chosen[x] is option or self.would_cycle(x, option):
                continue
            undo.append((x, self.chosen[x]))
            self._switch(x, option)
        self.attempts += 1
        if self.total < before:
            self.note()
            return True
        for x, old in reversed(undo):
            if self.uses.get(x, 0):
                self._switch(x, old)
            else:
                self._choose(x, old)
        return False

    def begin(self) -> None:
        """Begin a change."""
        self._touched.clear()
        self._left = self._furthest

    def note(self, more: Iterable[Instance] = ()) -> None:
        """Note what was changed since, and what else was."""
        self._now += 1
        self._changed.update(dict.fromkeys((*self._touched, *more), self._now))

    def _switch(self, x: Instance, option: Choice) -> None:
        old = self.chosen[x]
        self._touched.append(x)
        self._choose(x, option)
        self.total += option.cost - old.cost
        self.acquire(option.children)
        self.release(old.children)

    def _choose(self, x: Instance, option: Choice) -> None:
        if self._replaced is not None:
            self._replaced.setdefault(x, self.chosen.get(x))
        self.chosen[x] = option

    def _saves(self, moves: Iterable[tuple[Instance, Choice]]) -> bool:
        """Whether changing these choices could make the total less, as far as can be told without doing so.

        What would no longer be needed if the new choices needed none of it is compared with what they cost as far as
        that is known.
        """
        uses, chosen = self.uses, self.chosen
        cost = 0
        needed: list[Instance] = []
        given_back: list[Instance] = []
        for x, option in moves:
            old = chosen[x]
            if old is not option:
                cost += option.cost - old.cost
                needed += option.children
                given_back += old.children
        new: set[Instance] = set()
        while needed and len(new) < _MOST_NEW:
            x = needed.pop()
            if uses.get(x, 0) or x in new:
                continue
            new.add(x)
            known = chosen.get(x)
            if known is None:
                cost += self.estimates.least(x)
            else:
                cost += known.cost
                needed += known.children
        dropped: dict[Instance, int] = {}
        while given_back and cost >= 0 and len(dropped) < self._most_dropped:
            x = given_back.pop()
            dropped[x] = dropped.get(x, 0) + 1
            if dropped[x] == uses[x]:
                cost -= chosen[x].cost
                given_back += chosen[x].children
        return cost < 0

    def improve(self, rounds: int = 4) -> None:
        for _ in range(rounds):
            before = self.total
            self._single()
            self._shared()
            self._rescaled()
            if self.total == before:
                break

    def active(self) -> list[Instance]:
        """The instances that are needed."""
        return [x for x, n in self.uses.items() if n]

    def _is_new(self, x: Instance, last: int | None) -> bool:
        """Whether anything has changed around an instance since it was last tried to improve it."""
        if last is None or self._changed.get(x, 0) > last:
            return True
        changed = self._changed
        for option in self.choices.of(x):
            for c in option.children:
                if c in changed and changed[c] > last:
                    return True
        return False

    def _single(self) -> None:
        for x in self.active():
            if self._is_new(x, self._tried.get(x)):
                self._tried[x] = self._now
                self.improve_choice(x)

    def improve_choice(self, x: Instance) -> None:
        """Change one choice, where that makes the total less."""
        for option in self.choices.of(x):
            if self.uses.get(x, 0) and option is not self.chosen[x] and self._saves([(x, option)]):
                self.change([(x, option)])

    def _shared(self) -> None:
        """Let all users of one value change to it together."""
        wanted: dict[Instance, list[tuple[Instance, Choice]]] = {}
        for x in self.active():
            for option in self.choices.of(x):
                if option is self.chosen[x]:
                    continue
                for c in option.children:
                    wanted.setdefault(c, []).append((x, option))
        for c, moves in wanted.items():
            if len(moves) < 2 or len(moves) > _MOST_MOVES:
                continue
            last = self._tried_together.get(c)
            if not any(self._is_new(x, last) for x in dict(moves)):
                continue
            self._tried_together[c] = self._now
            best: dict[Instance, Choice] = {}
            for x, option in moves:
                if self.uses.get(x, 0) and (x not in best or option.cost < best[x].cost):
                    best[x] = option
            if len(best) > 1 and self._saves(best.items()):
                self.change(list(best.items()))

    def _rescaled(self) -> None:
        """Hand a scalar on to where one multiplication serves all."""
        groups: dict[Coefficient, list[tuple[Instance, Choice]]] = {}
        for x in self.active():
            if x[1] == UNIT:
                continue
            for option in self.choices.of(x):
                if option.children and self._departure(option) == (False, 0):
                    groups.setdefault(x[1], []).append((x, option))
                    break
        for moves in groups.values():
            early, self.scale_early = self.scale_early, True
            self._replaced = {}
            if not self.change(moves):
                for x, old in self._replaced.items():
                    if old is not None and not self.uses.get(x, 0):
                        self.chosen[x] = old
            self._replaced = None
            self.scale_early = early

    def is_ordered(self) -> bool:
        """Whether no two instances need each other."""
        try:
            self.order()
        except NoFormError:
            return False
        return True

    def order(self) -> list[Instance]:
        """The needed instances, each behind what it needs.

        Raises:
            NoFormError: where two need each other.
        """
        done: set[Instance] = set()
        busy: set[Instance] = set()
        result: list[Instance] = []
        for root in self.roots:
            stack = [root]
            while stack:
                x = stack[-1]
                if x in done:
                    stack.pop()
                    continue
                pending = [c for c in self.chosen[x].children if c not in done]
                if pending:
                    if x in busy:
                        raise NoFormError("two values need each other")
                    busy.add(x)
                    stack.extend(reversed(pending))
                    continue
                done.add(x)
                result.append(x)
                stack.pop()
        return result
