"""One name for each value that needs one: the user's, the gradient's after it, or an invented one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.indexing import get_item
from chainrule.ir import Const, Var
from chainrule.loops import COTANGENT, loop_in
from chainrule.names import Namespace
from chainrule.statements.folding import Folding
from chainrule.statements.memory import Memory
from chainrule.statements.order import Order
from chainrule.statements.request import is_view
from chainrule.wording import Describer, invented_name, several_names, specific_name

__all__ = ["Naming"]


class Naming:
    """The name of each variable that has one.

    A name of the user's is given again where the value that had it is no longer needed, as in their code.

    Attributes:
        names: by the number of the variable.
    """

    def __init__(self, folding: Folding, order: Order, memory: Memory) -> None:
        self.folding = folding
        self.memory = memory
        request = folding.request
        self.describer = Describer(folding.steps[: request.forward_steps])
        self.called = {
            step.inputs[slot.place].number: slot.called
            for step in folding.steps
            if (loop := loop_in(step)) is not None
            for slot in loop.slots
            if slot.called
        }
        for loop in filter(None, map(loop_in, folding.steps)):
            self.called.update(loop.called)
        self.class_members: dict[int, list[int]] = {}
        for version, head in memory.chain.items():
            self.class_members.setdefault(head, [head]).append(version)
        last = memory.last_read
        self.class_last = {h: max(last.get(m, -1) for m in ms) for h, ms in self.class_members.items()}
        self.crowded: frozenset[str] = frozenset()  # invented names that several would have
        invented = self._name_all(order)
        self.crowded = frozenset(name for name, heads in invented.items() if len(heads) > 1)
        if self.crowded:
            self._name_all(order)
        if not any(map(loop_in, folding.steps)):
            self._exchange()

    def _name_all(self, order: Order) -> dict[str, set[int]]:
        """Give the names; those that are invented, with who has them."""
        request = self.folding.request
        self.names: dict[int, str] = dict(request.given)
        self.space = Namespace([*request.taken, *request.given.values()])
        self.invented: dict[str, set[int]] = {}
        self.qualified: set[str] = set()  # names that begin with one of the user's
        # Who has a name of the user's, per name and separately for forward and backward values.
        self.holders: dict[tuple[str, bool], list[int]] = {}
        self.variants: dict[tuple[str, bool], list[str]] = {}  # the names like h2 that were given for a taken one
        if not request.fixed:
            # The name of an array that stands above the function is never given again: it would be unknown in it.
            above = {c.number for c in request.program.constants}
            for number, name in request.given.items():
                if number not in above:
                    self.holders.setdefault((name, True), []).append(number)
        for number in sorted(request.handed):
            forward = not request.late and number not in request.alike
            self.holders.setdefault((request.given[number], forward), []).append(number)
        for forward in (True, False):
            for place, k in enumerate(order.lines):
                if (k < request.forward_steps) is forward:
                    for position, out in enumerate(self.folding.steps[k].outputs):
                        if out.number not in self.names and out.number in self.folding.needed:
                            self._give_name(out, position, k, place)
        return self.invented

    def _exchange(self) -> None:
        """Let the gradient of an argument have the name after it that a value on the way was given before."""
        request = self.folding.request
        for number, wanted in request.wanted.items():
            given = self.names.get(number, wanted)
            primal = self.folding.gradient_of.get(number)
            holders = [n for n, name in self.names.items() if name == wanted]
            if given == wanted or not holders or primal is None or primal in self.folding.producer:
                continue
            if not any(n in request.given or n in request.wanted for n in holders):
                exchanged = {given: wanted, wanted: given}
                self.names = {n: exchanged.get(name, name) for n, name in self.names.items()}

    def _give_name(self, out: Var, position: int, k: int, place: int) -> None:
        head = self.memory.chain.get(out.number, out.number)
        versions = self.class_members.get(head, [head])
        if head in self.folding.request.given:
            # Written into what is given.
            self.names.update(dict.fromkeys(versions, self.folding.request.given[head]))
            return
        versions = self._apart(versions, k)
        wanted, own = self._wanted(versions, k, position)
        wanted = self.folding.request.renamed.get(wanted, wanted)
        forward = k < self.folding.request.forward_steps
        name = self._claim(wanted, forward, head, place) if own else self.space.claim(wanted)
        for version in versions:
            self.names[version] = name

    def _apart(self, versions: list[int], k: int) -> list[int]:
        """The versions of an array but for gradients in what a forward loop left, which have names of their own."""
        start = self.folding.request.forward_steps
        later = [v for v in versions if k < start <= self.folding.producer[v]]
        if not later or loop_in(self.folding.steps[k]) is None:
            return versions
        wanted, _ = self._wanted(later, self.folding.producer[later[0]], 0)
        self.names.update(dict.fromkeys(later, self.space.claim(wanted)))
        return [v for v in versions if v not in later]

    def _wanted(self, versions: Sequence[int], k: int, position: int) -> tuple[str, bool]:
        """The name that a value should have, and whether it is the user's own."""
        request = self.folding.request
        for number in reversed(versions):
            x = self.folding.variables[number]
            if self.folding.producer[number] < request.forward_steps:
                if x.name is not None:
                    return x.name, True
            elif number in self.folding.gradient_of:
                primal = self.folding.gradient_of[number]
                asked = number in request.wanted and primal not in self.folding.producer
                return (request.wanted[number] if asked else self._gradient_name(primal)), True
        for number in reversed(versions):
            if number in request.wanted:
                return request.wanted[number], False
        called = next((self.called[n] for n in versions if n in self.called), "")
        if called:
            return called.replace(COTANGENT, request.prefix), False
        step = self.folding.steps[k]
        loop = loop_in(step)
        if loop is not None and loop.backward:
            primal_name = loop.named()[position]
            many = loop.left()[position].kind not in ("final", "next")
            return f"{request.prefix}{primal_name}" if primal_name else "gradients" if many else "gradient", False
        if len(step.outputs) > 1:
            return several_names(step)[position], False
        for number in reversed(versions):
            owner = self._primal(number)
            if owner is not None:
                return self._gradient_name(owner), False
        divides = versions[0] in self.folding.divisors
        if k < request.forward_steps:
            name = self.describer.invented(versions[0], self._phrase, divides)
        else:
            name = invented_name(step, self._phrase, divides)
        return self._told_apart(name, versions[0], versions[0]), False

    def _told_apart(self, name: str, number: int, primal: int, prefix: str = "") -> str:
        """An invented name; with what the value goes into where several would have it: ``h1_total``, not ``total2``."""
        self.invented.setdefault(prefix + name, set()).add(number)
        if prefix + name not in self.crowded:
            return name
        qualified = self.describer.qualified(name, primal)
        if qualified != name:
            self.qualified.add(qualified)
        return qualified

    def _primal(self, number: int) -> int | None:
        """The forward variable that a backward one is the gradient of, where neither has the user's name."""
        if self.folding.producer[number] < self.folding.request.forward_steps:
            return None
        primals = [p for p in self.folding.primals.get(number, []) if p in self.folding.producer]
        named = [p for p in primals if p in self.names]
        return next(iter(named or primals), None)

    def _gradient_name(self, primal: int) -> str:
        request = self.folding.request
        own = self.folding.variables[primal].name
        name = self.names.get(primal) or own
        if name is not None and not name.isidentifier():
            name = own  # net.z1 is written so, and its gradient is dz1; or it is read from a list
        if name is None and primal not in self.folding.producer:
            name = "value"
        elif name is None:
            name = self.describer.invented(primal, self._phrase, primal in self.folding.divisors)
            name = self._told_apart(name, primal, primal, request.prefix)
        # d_one_minus_p is read more easily than done_minus_p.
        apart = own is None and "_" in name and name not in self.qualified and not request.prefix.endswith("_")
        return f"{request.prefix}{'_' if apart else ''}{name}"

    def _phrase(self, x: Any) -> str:
        """A short description of an operand: its name, or what computes it."""
        if isinstance(x, Const):
            return self.names.get(x.number, "") if x.number >= 0 else ""
        if x.number in self.names and self.names[x.number].isidentifier():
            return self.names[x.number]
        if x.number in self.folding.request.given:
            return str(x.name or "")
        if x.name is not None and self.folding.producer.get(x.number, 0) < self.folding.request.forward_steps:
            return str(x.name)
        k = self.folding.producer.get(x.number)
        if k is None or len(self.folding.steps[k].outputs) > 1:
            return ""
        step = self.folding.steps[k]
        if is_view(step) and step.operation.function is get_item:
            return self._phrase(step.inputs[0])
        return specific_name(step, self._phrase)

    def _claim(self, wanted: str, forward: bool, head: int, place: int) -> str:
        """The user's name, again where the value that had it is no longer needed."""
        names: list[str] = [wanted, *self.variants.get((wanted, forward), ())]
        for name in names:
            holders = self.holders.get((name, forward), [])
            if holders and all(self.class_last.get(h, self.memory.last_read.get(h, -1)) <= place for h in holders):
                self.holders[name, forward].append(head)
                return name
        name = self.space.claim(wanted)
        self.variants.setdefault((wanted, forward), []).append(name)
        self.holders.setdefault((name, forward), []).append(head)
        return name
