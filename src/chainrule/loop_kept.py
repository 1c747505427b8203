"""What a backward loop needs of the turns of the forward one: what is at hand, and what must be kept."""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.indexing import get_item
from chainrule.ir import Const, Step, Var
from chainrule.lengths import whole_symbols
from chainrule.loops import Loop, Slot, values_in
from chainrule.statements.request import Request, is_element, is_view, is_write
from chainrule.statements.statement import statements_of

__all__ = ["kept_of"]


def kept_of(loop: Loop, backward: Loop) -> tuple[list[Slot], set[int]]:
    """The slots of a loop that its backward loop needs too, and the variables of the body that must be kept."""
    return _Kept(loop, backward).run()


class _Kept:
    def __init__(self, loop: Loop, backward: Loop) -> None:
        self.loop = loop
        self.backward = backward

    def run(self) -> tuple[list[Slot], set[int]]:
        """What is at hand and is needed, and what is kept."""
        loop, backward = self.loop, self.backward
        program = backward.program
        at_hand = {s.variable: s for s in loop.slots if s.kind != "carried"}
        made = {o.number: s for s in program.steps[: backward.forward_steps] for o in s.outputs}
        given = {s.variable: f"given_{s.variable}" for s in backward.slots}
        given.update({v: f"given_{v}" for v in (*at_hand, loop.turn)})
        given.update((c.number, f"given_{c.number}") for c in program.constants)
        kept: set[int] = set()
        variables = program.by_number()
        roots = tuple(variables[v] for v in backward.roots())
        symbols = whole_symbols(program, backward.alike)
        forward = set(map(id, program.steps[: backward.forward_steps]))
        carried = {s.variable for s in loop.slots if s.kind == "carried"}
        while True:
            names = {**given, **{v: f"given_{v}" for v in kept}}
            request = Request(
                program,
                symbols,
                backward.forward_steps,
                roots,
                names,
                backward.links,
                late=True,
                alike=backward.alike,
            )
            try:
                statements = statements_of(request)
            except KeyError as missing:  # a length of something that is not at hand
                kept.add(missing.args[0][0])
                continue
            used = [s for statement in statements.statements for s in statement.steps]
            used += list(statements.folded.values())
            fresh: set[int] = set()
            reading = [x for s in used for x in s.inputs if isinstance(x, Var)]
            reading += [x for x in roots if isinstance(x, Var)]
            direct = {x.number for s in used if id(s) not in forward for x in s.inputs if isinstance(x, Var)}
            direct |= {x.number for x in roots if isinstance(x, Var)}
            for v in direct:
                if v in names:
                    continue
                if v in carried or (v in made and not self._is_cheap(v, made, names)):
                    fresh.add(self._base(v, made))
            # With what has a name at hand, the rest may be a part of it.
            named = {v for v in fresh if variables[v].name is not None}
            fresh = named or fresh
            if not fresh:
                # What is only there for its length.
                measured = {n for pairs in statements.stand_ins.values() for n, _ in pairs} - names.keys()
                lost = [n for n in measured if n in carried or n in made]
                lost += [] if lost else [x.number for x in reading if x.number in carried and x.number not in names]
                lost += [] if lost else [o.number for s in used if id(s) in forward for o in s.outputs
                         if o.number not in names and not self._is_cheap(o.number, made, names)]  # fmt: skip
                fresh = set(lost)
            if not fresh:
                break
            kept |= fresh
        # What a turn leaves may be what it is given: the gradient of a in (a * b).sum() is b.
        needed = {x.number for s in used for x in s.inputs} | {x.number for x in roots if isinstance(x, Var)}
        for step in used:
            literals = [x.value for x in step.inputs if isinstance(x, Const)]
            needed |= values_in((*step.params.values(), *literals))
        needed |= {n for pairs in statements.stand_ins.values() for n, _ in pairs}
        return [at_hand[v] for v in sorted(needed & at_hand.keys())], kept

    def _base(self, v: int, made: Mapping[int, Step]) -> int:
        """What a forward value is a part of, unless turns write into that."""
        written = {s.variable for s in self.loop.slots if s.written}
        base = v
        while base in made:
            step = made[base]
            part = is_view(step) or is_element(step) or step.operation.function is get_item
            if not part or is_write(step) or sum(isinstance(x, Var) for x in step.inputs) != 1:
                break
            base = step.inputs[0].number
        return v if base in written or (base in made and is_write(made[base])) else base

    def _is_cheap(self, v: int, made: Mapping[int, Step], given: Mapping[int, str]) -> bool:
        """Whether a forward value can be read again from what is at hand."""
        if v in given:
            return True
        step = made.get(v)
        if step is None or is_write(step) or len(step.outputs) > 1:
            return False
        # Arithmetic of numbers, as dt / 2.
        short = not any(getattr(x, "shape", ()) for x in (*step.inputs, *step.outputs))
        if not (short or is_view(step) or is_element(step) or step.operation.function is get_item):
            return False
        return all(self._is_cheap(x.number, made, given) for x in step.inputs if isinstance(x, Var))
