"""What is said about statements: their formulas, their local derivatives, the gradients of what they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.explain.agreeing import agrees, without_ties
from chainrule.explain.algebra import is_number
from chainrule.explain.chains import Chain, LocalDerivative, chain_of, collected, local_of
from chainrule.explain.conventions import convention_note
from chainrule.explain.derivation import Line, Local, Part, Route
from chainrule.explain.differentiation import all_letters
from chainrule.explain.formula import Element, Equation, Formula, Index, Partial
from chainrule.explain.forward import Forward, Reading
from chainrule.explain.index_forms.reading import NoIndexFormError
from chainrule.explain.matrix_forms import matrix_note
from chainrule.explain.repeated import repeated
from chainrule.ir import Step
from chainrule.language import Message, message
from chainrule.loops import Loop, loop_in
from chainrule.sizes import plain_number
from chainrule.user_source import place_of

__all__ = ["Scene", "line_of"]


class Scene:
    """Statements with their numbers, that parts are made of.

    Attributes:
        forward: the statements.
        values: all arrays of the example, by number.
        gradients: the gradients of the forward values, by number.
        active: the named values that have a gradient.
        result: what is differentiated.
        prefix: what stands in front of a name in the name of its gradient.
        named: the arrays that have a name in formulas.
        dropped: the arrays whose formulas did not give what the program computed, and are not shown.
        lines: the lines of code, by the number of the array whose gradient they lead to.
        repeats: how often the statements run.
        consumers: for each array the statements that read it and that the result depends on.
        locals: the local derivatives, by the names of result and operand.
        chains: the chain rule for each array that has a gradient, by name.
        used_letters: the letters of all formulas.
        bodies: the bodies of loops among the statements, and of the loops in them.
        part_of: for each statement the place of the part that says it, by the number of its result.
        own_routes: the routes of these statements, by their identity; not those of the bodies of loops among them.
    """

    forward: Forward
    values: Mapping[int, Any]
    gradients: Mapping[int, Any]
    active: set[int]
    result: Element
    prefix: str
    lines: dict[int, list[Line]]
    named: Mapping[str, Any]
    repeats = 1
    fewest = 5  # statements that are the same but for names, and are worth being told as one

    def start(self) -> None:
        """Prepare what grows while parts are made."""
        self.dropped: list[str] = []
        self.forward.readings = [self._executed(reading) for reading in self.forward.readings]
        self.consumers: dict[int, list[Reading]] = {}
        for reading in self.forward.readings:
            if reading.out.number in self.active:
                for number in reading.reads:
                    self.consumers.setdefault(number, []).append(reading)
        self.locals: dict[tuple[str, str], LocalDerivative] = {}
        self.chains: dict[str, Chain] = {}
        self.used_letters: set[str] = set()
        self.bodies: list[Any] = []
        self.part_of: dict[int, int] = {}
        self.own_routes: set[int] = set()

    def _executed(self, reading: Reading) -> Reading:
        """A statement without its formula where that does not give what the program computed."""
        form = reading.form
        if form is None or self.executed(form, reading.free(), "value", reading.out.number):
            return reading
        self.dropped.append(reading.element.name)
        return replace(reading, form=None)

    # ---- what kinds of scenes differ in

    def executed(self, side: Formula, free: Sequence[Index], wanted: str, number: int) -> bool:
        """Whether a formula gives the ``"value"`` or the ``"gradient"`` of an array."""
        held = self.values if wanted == "value" else self.gradients
        return agrees(side, free, self.named, held[number], self.gradients)

    def handed_in(self, number: int, element: Element) -> Formula | None:
        """The gradient of an array that comes from elsewhere than the statements that read it."""
        return None

    def arriving(self, number: int) -> tuple[tuple[str, Any], ...]:
        """The gradients of an array that are handed in from outside, under their names."""
        return ()

    def formed(self) -> dict[str, str]:
        """The gradients that are there under a name in the code, by the names of what they are the gradients of."""
        return {}

    def named_gradients(self, numbers: Iterable[int]) -> dict[str, str]:
        """The names of gradients, by the names of what they are the gradients of; not those that arrays have."""
        names = self.forward.names
        taken = set(names.values())
        return {names[n]: g for n in numbers if n in names and (g := self.prefix + names[n]) not in taken}

    def identities(self, number: int) -> tuple[tuple[Message, Message], ...]:
        """Where an identity shortened the lines of a gradient, which, and why it is sound."""
        return ()

    def gathered(self, number: int, side: Formula) -> Formula:
        """A side of a chain, with what is outside of the statements."""
        return side

    def body(self, step: Step) -> Any:
        """The body of a loop among the statements, with its numbers: a scene of its own."""
        raise NotImplementedError("this scene has no loops that are bodies of their own")

    def without_lines(self, number: int) -> Message | None:
        """What is to be said where the code has no line for a gradient."""
        gradient = self.prefix + self.forward.names[number]
        return message(
            "The code never forms {gradient}: it is part of a shorter expression further on.", gradient=gradient
        )

    # ---- parts

    def told(self, readings: Sequence[Reading]) -> list[Part]:
        """The parts in backward order; of blocks that are the same but for names, the first that is met."""
        blocks = repeated(readings, self.fewest)
        others = {k: last for last, places in blocks.items() for k in places}
        parts: list[Part] = []
        for k in range(len(readings) - 1, -1, -1):
            number = readings[k].out.number
            if k in others:
                self.part_of[number] = self.part_of[readings[others[k]].out.number]
                continue
            self.part_of[number] = len(parts)
            part = self.part(readings[k])
            self.own_routes.update(map(id, part.routes))
            found = [part, *self._within(readings, readings[k])]
            if k in blocks:
                names = [self.forward.names[readings[n].out.number] for n in reversed(blocks[k])]
                listed = ", ".join(names if len(names) < 5 else [*names[:2], "…", names[-1]])
                note = message(
                    "{count} statements of the code are the same but for their names: this one, and those of {names}.",
                    count=len(names) + 1,
                    names=listed,
                )
                found[0] = replace(found[0], repeats=(len(names) + 1) * self.repeats, note=note)
            parts += found
        return parts

    def _within(self, readings: Sequence[Reading], reading: Reading) -> list[Part]:
        """For a loop the statements of its body."""
        if loop_in(reading.step) is None or reading is not next(r for r in readings if r.step is reading.step):
            return []
        body = self.body(reading.step)
        found: list[Part] = body.parts()
        self.bodies += [body, *body.bodies]
        return found

    def element(self, number: int) -> Element:
        """One element of a named array, with its usual letters."""
        shape = np.shape(self.values[number])
        return Element(self.forward.names[number], self.forward.letters.axes(number, shape, ()), number)

    def part(self, reading: Reading) -> Part:
        """What is said about a statement."""
        out = reading.out
        place = None if reading.step.position is None else place_of(reading.step.position)
        active = [n for n in reading.reads if n in self.active] if out.number in self.active else []
        equation: Equation | None = None
        if reading.form is not None:
            self.use(reading.form, *reading.free())
            equation = Equation(reading.element, (reading.form,))
        found = Part(
            "" if place is None else place.text,
            None if place is None else place.line,
            self.forward.names[out.number],
            tuple(int(plain_number(n)) for n in out.shape),
            equation,
            tuple(found for n in active if (found := self._local(reading, n)) is not None),
            tuple(self.route(n) for n in self._as_coded([n for n in active if self.consumers[n][0] is reading])),
            self.values[out.number],
            self._gradient(out.number),
            self.repeats,
            self.note(reading) or self._independent(reading),
            self.arriving(out.number),
        )
        loop = loop_in(reading.step)
        return found if loop is None else self._of_items(reading, loop, found)

    def _of_items(self, reading: Reading, loop: Loop, part: Part) -> Part:
        """What is said of a loop: of the items of a list that it goes through, about the first only."""
        others: dict[str, str] = {}
        for slot in loop.slots:
            if slot.kind == "item":
                items = [reading.step.inputs[slot.place + k].number for k in range(len(loop.values))]
                names = [self.forward.names[n] for n in items if n in self.forward.names]
                others.update((name, names[0]) for name in names[1:])
        lines: dict[str, tuple[Line, ...]] = {}
        for route in part.routes:
            if route.name in others:
                first = others[route.name]
                lines[first] = (*lines.get(first, ()), *route.lines)
        kept = [r for r in part.routes if r.name not in others]
        return replace(part, routes=tuple(replace(r, lines=(*r.lines, *lines.get(r.name, ()))) for r in kept))

    def _as_coded(self, numbers: Sequence[int]) -> list[int]:
        """Arrays, those with lines in the order of their lines: a line may use what one before it has named."""
        coded = iter(sorted((n for n in numbers if n in self.lines), key=lambda n: self.lines[n][0].place))
        return [next(coded) if n in self.lines else n for n in numbers]

    def _local(self, reading: Reading, number: int) -> Local | None:
        if reading.form is None:
            return None
        try:
            found = local_of(reading, self.element(number), self.forward.letters)
        except (NoIndexFormError, ValueError):
            return None  # a function whose derivative is no formula
        self.locals[found.result.name, found.by.name] = found
        formula = without_ties(found.formula, self.named)
        self.use(formula, *found.free)
        derivative = Equation(Partial(found.result, found.by), (formula,))
        note = convention_note(reading, found, formula != found.formula)
        return Local(self.forward.names[number], derivative, note)

    def use(self, formula: Any, *free: Any) -> None:
        """Note the letters of a formula, so that their meaning is told."""
        self.used_letters |= all_letters(formula) | {i.name for i in free}

    def note(self, reading: Reading) -> Message | None:
        """What is to be said about a statement as a whole."""
        name = self.forward.names[reading.out.number]
        if reading.form is None and len(reading.step.outputs) > 1 and reading.out.number not in self.active:
            return None  # that is said of the results that have a gradient
        if reading.form is None:
            return matrix_note(reading.step, name, [self.forward.names.get(x.number, "") for x in reading.step.inputs])
        if name in self.forward.renamed:
            return message(
                "{name} is what this line calls {own}; the name has another value elsewhere.",
                name=name,
                own=self.forward.renamed[name],
            )
        if reading.out.number in self.forward.invented:
            return message("{name} stands for a part of the statement that has no name of its own.", name=name)
        return None

    def _independent(self, reading: Reading) -> Message | None:
        """That no gradient goes on from a statement, because it reads nothing."""
        alone = not reading.reads and len(reading.step.outputs) == 1
        return message("Nothing here depends on an input.") if alone else None

    def route(self, number: int) -> Route:
        """How the gradient of an array is found."""
        name = self.forward.names[number]
        consumers = self.consumers[number]
        matrix = any(reading.form is None for reading in consumers)
        chain = None
        if not matrix:
            try:
                chain = self._chain(number, name)
            except (NoIndexFormError, ValueError):
                matrix = True
        lines = tuple(self.lines.get(number, ()))
        loops = self._of_loops(number)
        if loops is not None:
            matrix = False
        return Route(
            name,
            self.prefix + name,
            chain,
            tuple((self.forward.names[r.out.number], line_of(r)) for r in consumers),
            lines,
            self.identities(number),
            matrix,
            loops if loops is not None else None if lines else self._without_lines(number),
        )

    def _vanishes(self, number: int) -> bool:
        """Whether the formula of a gradient is zero, whatever rounding leaves of it in numbers."""
        chain = self.chains.get(self.forward.names[number])
        return chain is not None and is_number(chain.worked, 0)

    def _gradient(self, number: int) -> Any:
        found = self.gradients.get(number)
        return np.zeros_like(found) if found is not None and self._vanishes(number) else found

    def _without_lines(self, number: int) -> Message | None:
        """What is to be said where the code has no line for a gradient; nothing where that is zero."""
        return None if self._vanishes(number) else self.without_lines(number)

    def _of_loops(self, number: int) -> Message | None:
        """What is to be said of a gradient where loops read the array."""
        within = [loop_in(reading.step) is not None for reading in self.consumers[number]]
        gradient = self.prefix + self.forward.names[number]
        if within[0]:
            return message(
                "{gradient} comes from the loop, whose body is explained below.",
                gradient=gradient,
            )
        if any(within):
            return message(
                "{gradient} adds up the shares of all statements that read {name}. That of the loop is explained with "
                "its body.",
                gradient=gradient,
                name=self.forward.names[number],
            )
        return None

    def _chain(self, number: int, name: str) -> Equation:
        element = self.element(number)
        given = self.handed_in(number, element)
        found = chain_of(element, self.result, self.consumers[number], self.forward.letters, given)
        found = replace(found, worked=without_ties(found.worked, self.named))
        if not self.executed(found.worked, found.free, "gradient", number):
            self.dropped.append(name)
            raise ValueError(name)
        self.chains[name] = found
        self.use(found.worked, *found.free)
        self.use(found.named)
        left = Partial(self.result, found.element)
        sides = [side for side in dict.fromkeys((found.named, found.worked)) if side != left] or [found.worked]
        product = collected(found, self.result, self.formed())
        if product is not None:
            sides.append(product)
        return Equation(left, tuple(self.gathered(number, side) for side in sides))


def line_of(reading: Reading) -> int | None:
    """The line of a statement."""
    return None if reading.step.position is None else place_of(reading.step.position).line
