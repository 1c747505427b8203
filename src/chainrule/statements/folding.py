"""Which steps are statements, and which are written where their result is used."""

from __future__ import annotations

from collections.abc import Mapping

from chainrule import user_source
from chainrule.ir import Const, Step, Var
from chainrule.lengths import ONE, Symbol
from chainrule.loops import loop_in
from chainrule.statements.request import Request, is_element, is_view, is_write, kept_starts, sizes_in, sizes_of
from chainrule.user_source import Place

__all__ = ["Folding"]

_DEEPEST = 32  # operations in each other; beyond, nobody can read an expression


class Folding:
    """The steps that are needed, divided into statements and what is folded into them.

    Args:
        request: what is to be written.
        forced: variables that must have a statement of their own.

    Attributes:
        live: the numbers of the needed steps, in order.
        needed: the variables that are needed.
        folded: the step of each variable that is written where it is used.
        divisors: the variables that something is divided by.
        stand_ins: where to read each length that is mentioned.
        producer: for each variable, the number of its step.
        variables: each variable and constant by its number.
        primals: for each gradient, what it is the gradient of.
        gradient_of: for each gradient of something the user named, that.
    """

    def __init__(self, request: Request, forced: set[int]) -> None:
        self.request = request
        program = request.program
        self.steps = program.steps
        self.producer: dict[int, int] = {out.number: k for k, s in enumerate(self.steps) for out in s.outputs}
        self.variables = program.by_number()
        self.symbols = request.symbols.of
        # For each variable, the last of the user's steps that reads it.
        self.readers = {x.number: k for k, s in enumerate(self.steps[: request.forward_steps]) for x in s.inputs}
        self.primals: dict[int, list[int]] = {}
        for primal, gradient in request.links.items():
            if type(gradient) is int:
                self.primals.setdefault(gradient, []).append(primal)
        self.forced = set(forced)
        self.read: set[int] = set()  # what loops read by its name
        for step in self.steps:
            loop = loop_in(step)
            if loop is not None:
                read = [step.inputs[slot.place].number for slot in loop.slots if slot.kind in ("fixed", "row")]
                self.read.update(read, kept_starts(step))
        self.gradient_of = self._gradient_names()
        while True:
            self._live()
            self._fold()
            if not self._resolve_sizes():
                break

    def _gradient_names(self) -> dict[int, int]:
        """For each variable that is the gradient of one that the user named, that one."""
        found: dict[int, int] = {}
        program, given = self.request.program, self.request.given
        inputs = {x.number for x in program.inputs}
        for primal, gradient in self.request.links.items():
            x = self.variables.get(primal)
            named = x is not None and (x.name is not None or primal in given)
            if type(gradient) is not int or gradient in given or gradient == primal or not named:
                continue
            if gradient not in found or (found[gradient] in inputs and primal not in inputs):
                found[gradient] = primal
        return found

    def _live(self) -> None:
        given = self.request.given
        needed = {x.number for x in self.request.roots if isinstance(x, Var)} | self.forced
        self.live: list[int] = []
        for k in range(len(self.steps) - 1, -1, -1):
            step = self.steps[k]
            outputs = [out.number for out in step.outputs if out.number not in given]
            if any(n in needed for n in outputs) or (self.request.checked and self._decides(k)):
                self.live.append(k)
                needed.update(x.number for x in step.inputs if isinstance(x, Var))
        self.live.reverse()
        self.needed = needed

    def _decides(self, k: int) -> bool:
        """Whether a step is a loop of the user's in which values decided something."""
        loop = loop_in(self.steps[k])
        return k < self.request.forward_steps and loop is not None and bool(loop.decisions())

    def _named(self, out: Var, k: int) -> bool:
        if k < self.request.forward_steps:
            return out.name is not None or out.number in self.request.wanted
        return out.number in self.gradient_of or out.number in self.request.wanted

    def _fold(self) -> None:
        request = self.request
        roots = {x.number for x in request.roots if isinstance(x, Var)}
        uses: dict[int, int] = dict.fromkeys(roots, 1)
        bases: set[int] = set()
        self.divisors: set[int] = set()
        self.folded: dict[int, Step] = {}
        levels: dict[int, int] = {}  # how deep in an expression a variable would be written
        for k in reversed(self.live):
            step = self.steps[k]
            wanted = [out for out in step.outputs if out.number in self.needed and out.number not in request.given]
            weight, level = 1, 0
            if (
                len(wanted) == 1
                and levels.get(wanted[0].number, 0) <= _DEEPEST
                and self._foldable(step, wanted[0], k, uses.get(wanted[0].number, 0), roots, bases)
            ):
                self.folded[wanted[0].number] = step
                weight, level = uses[wanted[0].number], levels.get(wanted[0].number, 0)
            for position, x in enumerate(step.inputs):
                if isinstance(x, Var):
                    uses[x.number] = uses.get(x.number, 0) + weight
                    levels[x.number] = max(levels.get(x.number, 0), level + 1)
                    if position == 0 and is_write(step):
                        bases.add(x.number)
                    if position == 1 and step.operation.name == "divide":
                        self.divisors.add(x.number)

    def _foldable(self, step: Step, out: Var, k: int, uses: int, roots: set[int], bases: set[int]) -> bool:
        number = out.number
        if (
            number in self.forced
            or number in self.read
            or loop_in(step) is not None
            or is_write(step)
            or (number in bases and not (is_view(step) and uses == 1))
        ):
            return False
        if number in roots and not (self.request.fold_roots and uses == 1):
            return False
        if self._named(out, k):
            return False
        return uses == 1 or ((is_view(step) or is_element(step)) and len(step.outputs) == 1)

    def _resolve_sizes(self) -> bool:
        """Find an array to read each length from; whether one more had to be given a name."""
        before = len(self.forced)
        self.stand_ins: dict[tuple[int, int | None], tuple[tuple[int, int | None], ...]] = {}
        named = {*self.request.given}
        live = {out.number for k in self.live for out in self.steps[k].outputs if out.number in self.needed}
        named |= live - self.folded.keys()
        by_symbol: dict[Symbol, list[tuple[int, int]]] = {}
        by_shape: dict[tuple[Symbol, ...], list[int]] = {}
        for number in sorted(named):
            own = self.symbols.get(number, ())
            for axis, symbol in enumerate(own):
                if symbol != ONE:
                    by_symbol.setdefault(symbol, []).append((number, axis))
            by_shape.setdefault(own, []).append(number)
        mentioned = [(self.steps[k].outputs[0].number, key) for k in self.live for key in sizes_of(self.steps[k])]
        lengths = [x.value for x in self.request.roots if isinstance(x, Const) and x.number < 0]
        mentioned += [(max(live, default=0), key) for key in sizes_in(lengths)]
        for latest, key in mentioned:
            if key in self.stand_ins:
                continue
            found = self._stand_in(*key, named, by_symbol, by_shape, latest)
            if found is None:
                self.forced.add(key[0])
            else:
                self.stand_ins[key] = found
        return len(self.forced) > before

    def _stand_in(
        self,
        number: int,
        axis: int | None,
        named: set[int],
        by_symbol: Mapping[Symbol, list[tuple[int, int]]],
        by_shape: Mapping[tuple[Symbol, ...], list[int]],
        latest: int,
    ) -> tuple[tuple[int, int | None], ...] | None:
        if number in named and self._nearness(number)[0]:
            return ((number, axis),)
        found = self._same_length(self.symbols[number], axis, by_symbol, by_shape, min(number, latest))
        users = found is not None and all(self._nearness(n)[0] for n, _ in found)
        return found if users or number not in named else ((number, axis),)

    def _same_length(
        self,
        own: tuple[Symbol, ...],
        axis: int | None,
        by_symbol: Mapping[Symbol, list[tuple[int, int]]],
        by_shape: Mapping[tuple[Symbol, ...], list[int]],
        latest: int,
    ) -> tuple[tuple[int, int | None], ...] | None:
        """Where to read the length of an axis, or the size, of an array whose axes have these symbols."""
        if axis is None:
            same = [n for n in by_shape.get(own, []) if n <= latest or n in self.request.alike]
            if same:
                return ((max(same, key=self._nearness), None),)
        result = []
        for symbol in own if axis is None else (own[axis],):
            if symbol == ONE:
                continue
            candidates = [c for c in by_symbol.get(symbol, []) if c[0] <= latest or c[0] in self.request.alike]
            if not candidates:
                return None
            result.append(max(candidates, key=lambda c: (*self._nearness(c[0]), -c[1])))
        return tuple(result) if result else None

    def _nearness(self, number: int) -> tuple[bool, int]:
        """How good an array is to read a length from: one that the user named, and that was made last."""
        return number in self.request.given or self.variables[number].name is not None, number

    def variables_read(self, k: int) -> set[int]:
        """The named variables that the statement of a step reads, through all that is folded into it."""
        found: set[int] = set()
        pending = [k]
        while pending:
            step = self.steps[pending.pop()]
            for x in step.inputs:
                if isinstance(x, Const):
                    if x.number >= 0:
                        found.add(x.number)
                elif x.number in self.folded:
                    pending.append(self.producer[x.number])
                else:
                    found.add(x.number)
            for key in sizes_of(step):
                found.update(number for number, _ in self.stand_ins[key])
        return found

    def inner(self, k: int) -> list[int]:
        """The steps that are folded into a statement, in the order in which they ran."""
        found: set[int] = set()
        pending = [k]
        while pending:
            for x in self.steps[pending.pop()].inputs:
                if isinstance(x, Var) and x.number in self.folded:
                    inner = self.producer[x.number]
                    if inner not in found:
                        found.add(inner)
                        pending.append(inner)
        return sorted(found)

    def place_of(self, k: int) -> Place | None:
        """The user's statement that a step comes from; for a gradient, one that reads what it is the gradient of."""
        position = self.steps[k].position
        if position is not None or k < self.request.forward_steps:
            return None if position is None else user_source.place_of(position)
        for out in self.steps[k].outputs:
            for primal in self.primals.get(out.number, []):
                if primal in self.readers:
                    reader = self.steps[self.readers[primal]].position
                    return None if reader is None else user_source.place_of(reader)
        return None

    def lines(self) -> list[int]:
        """The live steps that are statements."""
        return [k for k in self.live if not any(out.number in self.folded for out in self.steps[k].outputs)]
