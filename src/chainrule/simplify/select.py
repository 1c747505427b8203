"""Chooses one way of computing each instance, so that everything together is cheap.

What is shared is paid once, so choices are not independent: the selection starts from greedy choices and is improved
by changing one choice at a time, or all choices that would use one new value, as long as the total becomes less.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from chainrule.simplify.choices import Choice, Choices, Instance
from chainrule.simplify.scalars import UNIT, Coefficient, NoFormError

__all__ = ["Selection"]

_INFINITE = 1 << 62
_REACH = 400  # how far a cycle is looked for


def _multiplies(option: Choice) -> bool:
    """Whether a scalar is multiplied in here, though it could be handed on to an operand."""
    if option.kind == "scale":
        return bool(option.children)
    return option.kind == "prod" and option.payload[0] != UNIT


class Selection:
    """The instances that are needed, how each is computed, and the total cost."""

    def __init__(
        self, choices: Choices, roots: Sequence[Instance], known: Container[Instance] = (), scale_early: bool = False
    ) -> None:
        self.choices = choices
        self.roots = roots
        self.chosen: dict[Instance, Choice] = {}
        self.uses: dict[Instance, int] = {}
        self.known = known  # instances that the steps made as they were
        self.scale_early = scale_early
        self.total = 0
        self._estimates: dict[Instance, int] = {}

    def start(self) -> None:
        for root in self.roots:
            self._acquire([root])

    # ---- estimates: the cost of an instance by itself

    def estimate(self, instance: Instance) -> int:
        memo = self._estimates
        if instance in memo:
            return memo[instance]
        busy: set[Instance] = set()
        stack = [instance]
        while stack:
            top = stack[-1]
            if top in memo:
                stack.pop()
                continue
            options = self.choices.of(top)
            if top not in busy:
                busy.add(top)
                pending = [c for o in options for c in o.children if c not in memo and c not in busy]
                if pending:
                    stack.extend(pending)
                    continue
            best = _INFINITE
            for o in options:
                cost = o.cost
                for c in o.children:
                    cost += memo.get(c, _INFINITE)
                best = min(best, cost)
            memo[top] = min(best, _INFINITE)
            busy.discard(top)
            stack.pop()
        return memo[instance]

    def _marginal(self, option: Choice) -> int:
        cost = option.cost
        for c in option.children:
            if self.uses.get(c, 0) == 0:
                cost += self.estimate(c)
        return cost

    # ---- taking up and giving back

    def _acquire(self, instances: Iterable[Instance]) -> None:
        stack = list(instances)
        while stack:
            x = stack.pop()
            count = self.uses.get(x, 0)
            self.uses[x] = count + 1
            if count:
                continue
            option = self.chosen.get(x)
            if option is None or self._would_cycle(x, option):
                option = self._best(x)
                self.chosen[x] = option
            self.total += option.cost
            stack.extend(reversed(option.children))

    def _best(self, x: Instance) -> Choice:
        options = sorted(self.choices.of(x), key=self._marginal)
        if self.scale_early:
            options.sort(key=self._departure)
        for option in options:
            if not self._would_cycle(x, option):
                return option
        raise NoFormError("a value can be computed in no way")

    def _departure(self, option: Choice) -> tuple[bool, int]:
        """How far an option is from multiplying where the steps did."""
        strange = sum(1 for c in option.children if c[1] != UNIT and c not in self.known)
        return _multiplies(option), strange

    def _release(self, instances: Iterable[Instance]) -> None:
        stack = list(instances)
        while stack:
            x = stack.pop()
            self.uses[x] -= 1
            if self.uses[x] == 0:
                option = self.chosen[x]
                self.total -= option.cost
                stack.extend(option.children)

    def _would_cycle(self, x: Instance, option: Choice) -> bool:
        """Whether ``x`` would be needed for itself; looked for within reach only."""
        if all(c[0] < x[0] for c in option.children) and option.recipe is None:
            return False
        seen: set[Instance] = set()
        stack = list(option.children)
        while stack:
            y = stack.pop()
            if y == x:
                return True
            if y in seen:
                continue
            seen.add(y)
            if len(seen) > _REACH:
                return False
            if self.uses.get(y, 0) or y in self.chosen:
                stack.extend(self.chosen[y].children)
        return False

    # ---- improvement

    def _flip(self, moves: Sequence[tuple[Instance, Choice]]) -> bool:
        """Change choices if that makes the total less."""
        before = self.total
        undo: list[tuple[Instance, Choice]] = []
        saved = dict.fromkeys(x for x, _ in moves)
        for x, option in moves:
            if not self.uses.get(x, 0) or self.chosen[x] is option or self._would_cycle(x, option):
                continue
            old = self.chosen[x]
            undo.append((x, old))
            self._switch(x, option)
        del saved
        if self.total < before:
            return True
        for x, old in reversed(undo):
            if self.uses.get(x, 0):
                self._switch(x, old)
            else:
                self.chosen[x] = old
        return False

    def _switch(self, x: Instance, option: Choice) -> None:
        old = self.chosen[x]
        self.chosen[x] = option
        self.total += option.cost - old.cost
        self._acquire(option.children)
        self._release(old.children)

    def improve(self, rounds: int = 4) -> None:
        for _ in range(rounds):
            before = self.total
            self._single()
            self._shared()
            self._rescaled()
            if self.total == before:
                break

    def _active(self) -> list[Instance]:
        return [x for x, n in self.uses.items() if n]

    def _single(self) -> None:
        for x in self._active():
            for option in self.choices.of(x):
                if self.uses.get(x, 0) and option is not self.chosen[x]:
                    self._flip([(x, option)])

    def _shared(self) -> None:
        """Let all users of one value change to it together."""
        wanted: dict[Instance, list[tuple[Instance, Choice]]] = {}
        for x in self._active():
            for option in self.choices.of(x):
                if option is self.chosen[x]:
                    continue
                for c in option.children:
                    wanted.setdefault(c, []).append((x, option))
        for c, moves in wanted.items():
            if len(moves) < 2 or len(moves) > 64:
                continue
            best: dict[Instance, Choice] = {}
            for x, option in moves:
                if x not in best or option.cost < best[x].cost:
                    best[x] = option
            if len(best) > 1:
                self._flip(list(best.items()))
            del c

    def _rescaled(self) -> None:
        """Hand a scalar on to where one multiplication serves all."""
        groups: dict[Coefficient, list[tuple[Instance, Choice]]] = {}
        for x in self._active():
            if x[1] == UNIT:
                continue
            for option in self.choices.of(x):
                if option.children and self._departure(option) == (False, 0):
                    groups.setdefault(x[1], []).append((x, option))
                    break
        for moves in groups.values():
            early, self.scale_early = self.scale_early, True
            saved = dict(self.chosen)
            if not self._flip(moves):
                self.chosen.update({x: c for x, c in saved.items() if not self.uses.get(x, 0)})
            self.scale_early = early

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
