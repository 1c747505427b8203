"""The lines of code in index notation, and the numbers that formulas are tried on: the example, and others near it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.explain.agreeing import agrees, indices_in
from chainrule.explain.algebra import free_letters
from chainrule.explain.derivation import Shortening
from chainrule.explain.evaluating import evaluated
from chainrule.explain.formula import Add, Apply, Element, Equation, Formula, Index, Multiply, Sum
from chainrule.explain.index_forms.reading import Forms
from chainrule.explain.same_lengths import united
from chainrule.ir import Program, Var
from chainrule.run import values_of

__all__ = ["Coded", "Draw"]

_MOST_WORK = 3_000_000  # numbers that one formula goes through
_LEAST = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Numbers that formulas are tried on.

    Attributes:
        named: the arrays that formulas name.
        gradients: the gradients of the forward values, by number.
        values: these values.
        code: what the code computes, by the number of its variable.
        counters: in a loop, the turn that the numbers are of.
    """

    named: Mapping[str, Any]
    gradients: Mapping[int, Any]
    values: Mapping[int, Any]
    code: Mapping[int, Any]
    counters: Mapping[str, int] = field(default_factory=dict)


class Coded:
    """The code of a derivation in index notation, with the numbers of all that it names.

    Args:
        made: the derivation, or the body of a loop.
        program: the simplified steps that the code is written from.
    """

    def __init__(self, made: Any, program: Program) -> None:
        self.made = made
        self.letters = made.forward.letters
        self.variables = {o.number: o for step in program.steps for o in step.outputs}

    @cached_property
    def arriving(self) -> dict[int, tuple[str, int]]:
        """The gradients that the code forms or is handed: name and number, by the number of the array."""
        made, (_, own) = self.made, self.code
        links = made.backward.links.items()
        found = {v: (own[g], g) for v, g in links if type(g) is int and v in made.lines and g in own}
        given = made.pasted.writing.request.given
        return found | {out.number: (given[g.number], g.number) for out, g in made.outputs() if g is not None}

    @cached_property
    def code(self) -> tuple[Forms, dict[int, str]]:
        """The lines of code in index notation; and the names that only they have."""
        made, writing = self.made, self.made.pasted.writing
        own: dict[int, str] = {}
        for statement in writing.statements.statements:
            for out, target in zip(statement.step.outputs, statement.targets, strict=False):
                if target != "_" and (not statement.forward or out.number not in made.forward.names):
                    own[out.number] = target
        double = {name for name, count in Counter(own.values()).items() if count > 1}
        own = {n: name for n, name in own.items() if name not in double}
        names = {**made.forward.names, **own}
        given = writing.request.given
        names.update((x.number, given[x.number]) for x in made.record.cotangents)
        symbols = united(writing.request.symbols.of, made.backward.program.steps)
        inner = self.letters.within({**symbols, **made.symbols})
        forms = Forms(
            made.backward.program.steps, names, inner, made.backward_values, made.forward.size_text,
            made.forward.number_text,
        )  # fmt: skip
        return forms, own

    def code_form(self, variable: Var, indices: Sequence[Any], shape: Sequence[int]) -> Formula:
        """One element of what a line of code computes."""
        forms, _ = self.code
        step = forms.steps[variable.number]
        scope = frozenset(i.name for i in indices if isinstance(i, Index))
        return forms.read(step, forms.stretched(variable, shape, tuple(indices)), scope)

    def gradient(self, number: int) -> Var | None:
        """What the code computes as the gradient of an array."""
        made = self.made
        for x, g in zip(made.backward.wrt, made.backward.gradients, strict=True):
            if x.number == number and isinstance(g, Var):
                return g
        g = made.backward.links.get(number)
        return self.variables.get(g) if type(g) is int else None

    # ---- numbers

    @cached_property
    def draws(self) -> list[Draw]:
        """The example, and numbers near it that are nowhere equal by accident."""
        found = [self._draw(self.made.inputs, self.made.values, self.made.backward_values)]
        random = np.random.default_rng(1)
        moved = [_moved(x, random) for x in self.made.inputs]
        try:
            with np.errstate(all="ignore"):
                values = values_of(self.made.record.program, moved)
                code = values_of(self.made.backward.program, moved)
            found.append(self._draw(moved, values, code))
        except (ChainruleError, ValueError, ArithmeticError, IndexError, np.linalg.LinAlgError):
            pass  # what decides shapes or places was moved: the example is all there is
        return found

    def _draw(self, inputs: Sequence[Any], values: Mapping[int, Any], code: Mapping[int, Any]) -> Draw:
        made = self.made
        names = made.forward.names
        gradients = made.gradients if inputs is made.inputs else made.gradients_of(values)
        named = {name: values[n] for n, name in names.items() if n in values}
        named.update(made.forward.forms.lookups)
        _, own = self.code
        named.update((name, code[n]) for n, name in own.items() if n in code)
        given = made.pasted.writing.request.given
        named.update((given[x.number], values[x.number]) for x in made.record.cotangents)
        return Draw(named, gradients, values, code)

    def holds(self, found: Shortening, free: Sequence[Index], number: int) -> bool:
        """Whether all that is said is so, on every draw."""
        for draw in self.draws:
            for side in found.equation.right:
                wanted = draw.gradients[number]
                if not agrees(side, free, draw.named, wanted, draw.gradients, draw.counters, _MOST_WORK):
                    return False
            for _, fact in found.facts:
                own = _letters(fact)
                wanted = self.value(fact.left, own, draw)
                if wanted is None:
                    return False
                scale = self._scale(fact.left, own, draw)
                for side in fact.right:
                    value = self.value(side, own, draw)
                    if value is None or not np.allclose(value, wanted, rtol=1e-6, atol=1e-9 * scale, equal_nan=True):
                        return False
        return True

    def value(self, x: Formula, free: Sequence[Index], draw: Draw) -> Any:
        """What a formula is in numbers; nothing where it cannot be said."""

        def partial(of: Element, by: Element) -> Any:
            return draw.gradients[by.variable]

        try:
            return evaluated(x, free, draw.named, partial, draw.counters)
        except (ChainruleError, KeyError, IndexError, ValueError):
            return None

    def _scale(self, x: Formula, free: Sequence[Index], draw: Draw) -> float:
        """How large what is added up in a formula is, whatever its sign."""
        found = self.value(_sized(x), free, draw)
        return 1.0 if found is None else float(np.max(np.abs(found[np.isfinite(found)]), initial=0.0)) or 1.0

    def vanishes(self, x: Formula) -> bool:
        """Whether a formula is zero on all draws, though what it adds up is not."""
        free = _letters(x)
        for draw in self.draws:
            value = self.value(x, free, draw)
            if value is None or not np.all(np.isfinite(value)):
                return False
            if float(np.max(np.abs(value), initial=0.0)) > _LEAST * self._scale(x, free, draw):
                return False
        return True


def _letters(x: Formula | Equation) -> tuple[Index, ...]:
    """The free indices of a formula, in the order in which they stand in it."""
    formula = x.left if isinstance(x, Equation) else x
    free = free_letters(formula)
    return tuple({i.name: i for i in indices_in(formula) if i.name in free}.values())


def _sized(x: Any) -> Any:
    """A formula with the size of each term in place of the term."""
    if isinstance(x, Add):
        return Add(tuple(_sized(t) for t in x.terms))
    if isinstance(x, Sum) and x.kind == "sum":
        return Sum(x.over, _sized(x.body))
    if isinstance(x, Multiply):
        return Multiply(tuple(_sized(f) if isinstance(f, Sum | Add) else Apply("abs", (f,)) for f in x.factors))
    return Apply("abs", (x,))


def _moved(x: Any, random: np.random.Generator) -> Any:
    """An array of the same kind with other numbers, of the same sign as before."""
    array = np.asarray(x)
    if array.dtype.kind != "f":
        return x
    near = array * (1 + 0.3 * random.random(array.shape)) + 0.1 * random.random(array.shape) * (array == 0)
    return near.astype(array.dtype)
