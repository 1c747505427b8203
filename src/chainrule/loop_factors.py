"""Products in the body of a backward loop: what does not depend on what flows back is multiplied first.

``g * dt * slopes[t]`` is ``g * (dt * slopes[t])``, and ``dt * slopes`` is computed for all turns before the loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from chainrule.backward import Backward
from chainrule.ir import Const, Step, Var, shape_of
from chainrule.ops import OPERATIONS

__all__ = ["free_factors_first"]


def free_factors_first(backward: Backward, flowing: Collection[int]) -> Backward:
    """The same backward pass with products regrouped.

    Args:
        backward: the backward pass of a turn.
        flowing: the variables that hold what flows back from the turn behind.
    """
    steps = backward.program.steps
    own = steps[backward.forward_steps :]
    regrouping = _Regrouping(backward, flowing)
    written = [new for step in own for new in regrouping.written(step)]
    gone = regrouping.gone
    if not gone:
        return backward
    kept = [s for s in written if s.outputs[0].number not in gone]
    links = {v: g for v, g in backward.links.items() if g not in gone}
    return replace(
        backward,
        program=replace(backward.program, steps=(*steps[: backward.forward_steps], *kept)),
        links=links,
        contributions={
            v: tuple(share for share in shares if share[1] not in gone) for v, shares in backward.contributions.items()
        },
    )


class _Regrouping:
    """What is known of the products of a body.

    Attributes:
        gone: the variables of products that are no longer computed.
    """

    def __init__(self, backward: Backward, flowing: Collection[int]) -> None:
        program = backward.program
        own = program.steps[backward.forward_steps :]
        self.gone: set[int] = set()
        self._next = 1 + max(program.by_number(), default=0)
        reads: dict[int, int] = {}
        for x in (*(x for s in program.steps for x in s.inputs), *program.outputs):
            reads[x.number] = reads.get(x.number, 0) + 1
        self._varying = set(flowing)
        for s in own:
            if any(x.number in self._varying for x in s.inputs):
                self._varying.update(o.number for o in s.outputs)
        self._made = {s.outputs[0].number: s for s in own if _is_product(s)}
        # What is a factor of one other product, and nothing else.
        self._inner = {x.number for s in self._made.values() for x in s.inputs if reads[x.number] == 1} & {*self._made}

    def written(self, step: Step) -> Iterator[Step]:
        """The steps that take the place of one."""
        out = step.outputs[0]
        if out.number in self._made and out.number not in self._inner:
            leaves = list(self._leaves(step))
            free = [x for x in leaves if x.number not in self._varying]
            rest = [x for x in leaves if x.number in self._varying]
            if len(free) > 1 and rest and any(map(shape_of, free)) and not self._is_grouped(step):
                self.gone |= {n for n in self._inside(step) if n != out.number}
                free.sort(key=lambda x: len(shape_of(x)))
                parts: list[Var | Const] = []
                for group in (rest, free):
                    total, more = self._product(group, step)
                    parts.append(total)
                    yield from more
                yield replace(step, inputs=tuple(parts))
                return
        yield step

    def _leaves(self, step: Step) -> Iterator[Var | Const]:
        for x in step.inputs:
            if x.number in self._inner:
                yield from self._leaves(self._made[x.number])
            else:
                yield x

    def _inside(self, step: Step) -> Iterator[int]:
        for x in step.inputs:
            if x.number in self._inner:
                yield x.number
                yield from self._inside(self._made[x.number])

    def _is_grouped(self, step: Step) -> bool:
        """Whether nothing that varies is multiplied with what does not more than once."""
        inside = [step, *(self._made[n] for n in self._inside(step))]
        return sum(len({x.number in self._varying for x in s.inputs}) > 1 for s in inside) < 2

    def _product(self, factors: Sequence[Var | Const], like: Step) -> tuple[Var | Const, list[Step]]:
        total, steps = factors[0], list[Step]()
        for x in factors[1:]:
            shape = np.broadcast_shapes(shape_of(total), shape_of(x))
            out = Var(shape, like.outputs[0].dtype, None, self._next)
            self._next += 1
            steps.append(Step(OPERATIONS[np.multiply], (total, x), {}, (out,), like.position))
            total = out
        return total, steps


def _is_product(step: Step) -> bool:
    """Whether a step multiplies two arrays or numbers of the type of the result."""
    out = step.outputs[0]
    return (
        step.operation.function is np.multiply
        and not step.params
        and len(step.inputs) == 2
        and out.dtype.kind == "f"
        and all(isinstance(x, Const) or x.dtype == out.dtype for x in step.inputs)
    )
