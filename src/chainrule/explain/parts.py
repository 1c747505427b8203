"""A derivation put together from what is known about a trace: its statements, its gradients, its lines of code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.emit.material import Material
from chainrule.emit.numpy_source import outputs_of, pasted
from chainrule.explain.algebra import add
from chainrule.explain.chains import Chain, LocalDerivative, chain_of, collected, local_of
from chainrule.explain.derivation import Derivation, Local, Part, Route
from chainrule.explain.differentiation import all_letters
from chainrule.explain.formula import Element, Equation, Formula, Partial
from chainrule.explain.forward import Forward, Reading
from chainrule.explain.index_forms import table
from chainrule.explain.lines import code_lines
from chainrule.explain.picture import picture_of
from chainrule.explain.same_lengths import united
from chainrule.explain.sound import reason_of
from chainrule.ir import Step, Var
from chainrule.language import Message, message
from chainrule.lengths import Symbol, whole_symbols
from chainrule.names import Namespace
from chainrule.run import values_of
from chainrule.simplify.rewriting import Simplified
from chainrule.sizes import plain_number
from chainrule.user_source import place_of

__all__ = ["Deriving"]


class Deriving:
    """A derivation that is being made.

    Args:
        material: what was traced.
        record: its backward pass as the rules wrote it.
        backward: the same simplified.
        chosen: the inputs whose gradients are wanted.
        prefix: what stands in front of a name in the name of its gradient.
        grad_output: the gradient of the loss with respect to a result that is an array.
        title: of the derivation; the name of the function if not given.
        spelled: changes a line of code into what is pasted.
        placed: changes all of them into what is pasted.

    Attributes:
        values: all arrays of the example, by number.
        named: those that have a name in formulas.
        gradients: the gradients of the forward values, by number.
        forward: the user's statements.
        locals: the local derivatives, by the names of result and operand.
        chains: the chain rule for each array that has a gradient, by name.
    """

    def __init__(
        self,
        material: Material,
        record: Backward,
        backward: Backward,
        chosen: Sequence[Var],
        prefix: str = "d",
        grad_output: Any = None,
        title: str | None = None,
        spelled: Callable[[str], str] = str,
        placed: Callable[[str], str] = str,
    ) -> None:
        table.load()
        self.material = material
        self.record = record
        self.backward = backward
        self.chosen = chosen
        self.prefix = prefix
        self.title = title or material.name
        self.spelled = spelled
        self.placed = placed
        self.pasted = pasted(material, backward, chosen, prefix)
        leaves = {leaf.variable.number: leaf.value for leaf in material.leaves}
        seeds = _seeds(record, grad_output)
        self.inputs = [leaves.get(x.number, seeds.get(x.number)) for x in record.program.inputs]
        self.values = values_of(record.program, self.inputs)
        self.backward_values = values_of(backward.program, self.inputs)
        self.gradients = self._gradients()
        self.forward = self._forward()
        self.named = {name: self.values[n] for n, name in self.forward.names.items() if n in self.values}
        self.named.update(self.forward.forms.lookups)
        for n, g in self.gradients.items():
            if n in self.forward.names:
                self.named.setdefault(prefix + self.forward.names[n], g)
        given = self.pasted.writing.request.given
        self.named.update((given[x.number], self.values[x.number]) for x in record.cotangents)
        self.result = self._result()
        self.active = {n for n in self.gradients if n in self.forward.names}
        self.consumers = self._consumers()
        self.locals: dict[tuple[str, str], LocalDerivative] = {}
        self.chains: dict[str, Chain] = {}
        self.used_letters: set[str] = set()

    # ---- numbers

    def _gradients(self) -> dict[int, Any]:
        """The whole cotangent of each forward value."""
        shapes = {x.number: x.shape for x in self.record.program.inputs}
        steps = self.record.program.steps[: self.record.forward_steps]
        shapes.update((out.number, out.shape) for step in steps for out in step.outputs)
        found = {}
        for primal, g in self.record.links.items():
            if primal in shapes:
                value = self.values[g] if type(g) is int else plain_number(g)
                shape = tuple(int(plain_number(n)) for n in shapes[primal])
                found[primal] = np.broadcast_to(value, shape) if np.shape(value) != shape else value
        known = set(found)
        for output, cotangent in self.outputs():
            if output.number not in known:
                value = 1.0 if cotangent is None else self.values[cotangent.number]
                found[output.number] = found[output.number] + value if output.number in found else value
        return found

    def outputs(self) -> list[tuple[Var, Var | None]]:
        """The outputs that are differentiated, with their cotangents."""
        outputs = {x.number: x for x in outputs_of(self.record) if isinstance(x, Var)}
        if not self.record.cotangents:
            return [(next(iter(outputs.values())), None)] if outputs else []
        return [(outputs[self.record.likes[x.number]], x) for x in self.record.cotangents]

    # ---- statements

    def _forward(self) -> Forward:
        record, material = self.record, self.material
        steps = record.program.steps[: record.forward_steps]
        given = {leaf.variable.number: leaf.name for leaf in (*material.leaves, *material.inner())}
        written = self.pasted.writing
        for c in record.program.constants:
            if np.ndim(c.value):
                given[c.number] = written.request.given.get(c.number) or c.name or "constant"
        made = {out.number for step in steps for out in step.outputs}
        own = {out.number for step in steps for out in step.outputs if out.name is not None}
        preferred = {n: name for n, name in written.statements.names.items() if n in made & own}
        outputs = list(dict.fromkeys(x for x, _ in self.outputs()))
        for k, x in enumerate(outputs):
            if x.name is None:
                bare = "loss" if not record.cotangents else "output"
                preferred[x.number] = bare if len(outputs) == 1 else f"output_{k}"
        needed = {x.number for x in outputs}
        symbols = self.symbols = united(whole_symbols(record.program, record.likes).of, record.program.steps)
        literals = material.literals()
        taken = {*material.lengths(), *material.settings, *material.user_names()} - set(given.values())
        return Forward(
            steps,
            given,
            preferred,
            needed,
            symbols,
            {name for name in taken if name not in preferred.values()},
            self._sizes(steps, symbols),
            self.values,
            lambda x: literals.get(x, "") if isinstance(x, float) else "",
            [(leaf.variable, k == 0) for k, leaf in enumerate(material.leaves)],
        )

    def _sizes(self, steps: Sequence[Step], symbols: Mapping[int, tuple[Symbol, ...]]) -> dict[Symbol, str]:
        """The user's names for lengths, by their symbols."""
        arrays = {leaf.name: leaf.variable for leaf in self.material.leaves}
        for step in steps:
            arrays.update((out.name, out) for out in step.outputs if out.name is not None)
        found: dict[Symbol, str] = {}
        for name, (array, axis, _) in self.material.lengths().items():
            own = symbols.get(arrays[array].number, ()) if array in arrays else ()
            if axis is not None and -len(own) <= axis < len(own):
                found.setdefault(own[axis], name)
        return found

    def _result(self) -> Element:
        outputs = self.outputs()
        if len(outputs) == 1 and outputs[0][1] is None:
            number = outputs[0][0].number
            return Element(self.forward.names[number], (), number)
        return Element(Namespace(self.forward.names.values()).claim("L"), ())

    def _consumers(self) -> dict[int, list[Reading]]:
        """For each array the statements that read it and that the result depends on."""
        found: dict[int, list[Reading]] = {}
        for reading in self.forward.readings:
            if reading.out.number in self.active:
                for number in reading.reads:
                    found.setdefault(number, []).append(reading)
        return found

    def element(self, number: int) -> Element:
        """One element of a named array, with its usual letters."""
        shape = np.shape(self.values[number])
        return Element(self.forward.names[number], self.forward.letters.axes(number, shape, ()), number)

    # ---- parts

    def derivation(self) -> Derivation:
        """The record."""
        self.lines = code_lines(self)
        parts = tuple(self._part(reading) for reading in reversed(self.forward.readings))
        nodes, edges = picture_of(self)
        wanted = {
            leaf.name: self.gradients.get(leaf.variable.number) for leaf in map(self.material.leaf_of, self.chosen)
        }
        outputs = self.outputs()
        return Derivation(
            self.title,
            self.result.name,
            self.values[outputs[0][0].number] if outputs else None,
            parts,
            nodes,
            edges,
            self.forward.letters.meanings(self.used_letters),
            {self.prefix + name: g for name, g in wanted.items() if g is not None},
            self.placed("\n".join(self.pasted.lines()) + "\n"),
            self._notes(),
        )

    def _part(self, reading: Reading) -> Part:
        out = reading.out
        place = None if reading.step.position is None else place_of(reading.step.position)
        locals_, routes = [], []
        if out.number in self.active:
            for number in reading.reads:
                if number in self.active and reading.form is not None:
                    found = local_of(reading, self.element(number), self.forward.letters)
                    self.locals[found.result.name, found.by.name] = found
                    self._use(found.formula, *found.free)
                    derivative = Equation(Partial(found.result, found.by), (found.formula,))
                    locals_.append(Local(self.forward.names[number], derivative))
            routes = [
                self._route(number)
                for number in reading.reads
                if number in self.active and self.consumers[number][0] is reading
            ]
        equation: Equation | None = None
        if reading.form is not None:
            self._use(reading.form, *reading.free())
            equation = Equation(reading.element, (reading.form,))
        return Part(
            "" if place is None else place.text,
            None if place is None else place.line,
            self.forward.names[out.number],
            tuple(int(plain_number(n)) for n in out.shape),
            equation,
            tuple(locals_),
            tuple(routes),
            self.values[out.number],
            self.gradients.get(out.number),
            1,
            self._note(reading),
        )

    def _use(self, formula: Any, *free: Any) -> None:
        self.used_letters |= all_letters(formula) | {i.name for i in free}

    def _note(self, reading: Reading) -> Message | None:
        name = self.forward.names[reading.out.number]
        if name in self.forward.renamed:
            return message(
                "{name} is what this line calls {own}; the name has another value elsewhere.",
                name=name,
                own=self.forward.renamed[name],
            )
        if reading.out.number in self.forward.invented:
            return message("{name} stands for a part of the statement that has no name of its own.", name=name)
        return None

    def _route(self, number: int) -> Route:
        name = self.forward.names[number]
        consumers = self.consumers[number]
        matrix = any(reading.form is None for reading in consumers)
        chain = None
        if not matrix:
            element = self.element(number)
            given = self._handed_in(number, element)
            found = chain_of(element, self.result, consumers, self.forward.letters, given)
            self.chains[name] = found
            self._use(found.worked, *found.free)
            self._use(found.named)
            left = Partial(self.result, found.element)
            sides = [side for side in dict.fromkeys((found.named, found.worked)) if side != left] or [found.worked]
            gathered = collected(found, self.result, self._formed())
            if gathered is not None:
                sides.append(gathered)
            chain = Equation(left, tuple(sides))
        lines = tuple(self.lines.get(number, ()))
        return Route(
            name,
            self.prefix + name,
            chain,
            tuple((self.forward.names[r.out.number], _line_of(r)) for r in consumers),
            lines,
            self._identities(number),
            matrix,
            None if lines else self._unformed(number),
        )

    def _handed_in(self, number: int, element: Element) -> Formula | None:
        """The gradient that is handed in for an output that statements read, too."""
        given = self.pasted.writing.request.given
        handed = [
            Element(given[cotangent.number], element.indices, cotangent.number)
            for output, cotangent in self.outputs()
            if output.number == number and cotangent is not None
        ]
        return add(*handed) if handed else None

    def _formed(self) -> dict[str, str]:
        """The gradients that are there under a name in the code, by the names of what they are the gradients of."""
        names = self.forward.names
        found = {names[n]: self.prefix + names[n] for n in self.lines if n in names}
        given = self.pasted.writing.request.given
        for output, cotangent in self.outputs():
            single = [x for x, _ in self.outputs()].count(output) == 1
            if cotangent is not None and single and output.number not in self.consumers:
                found[names[output.number]] = given[cotangent.number]
        return found

    def _unformed(self, number: int) -> Message | None:
        """What is to be said where the code has no line for a gradient."""
        gradient = self.prefix + self.forward.names[number]
        return message(
            "The code never forms {gradient}: it is part of a shorter expression further on.", gradient=gradient
        )

    def _identities(self, number: int) -> tuple[tuple[str, Message], ...]:
        if not isinstance(self.backward, Simplified):
            return ()
        first = self.consumers[number][0]
        if first.step.position is None or first.reads[0] != number:
            return ()
        place = place_of(first.step.position)
        found = {}
        for rewrite in self.backward.rewrites:
            if rewrite.position is not None and place_of(rewrite.position) == place:
                reason = reason_of(rewrite.identity)
                if reason is not None:
                    found[rewrite.identity] = reason
        return tuple(found.items())

    # ---- the whole

    def _notes(self) -> tuple[Message, ...]:
        notes = []
        if self.record.cotangents:
            names = [self.pasted.writing.request.given[x.number] for x in self.record.cotangents]
            notes.append(
                message(
                    "{result} stands for a loss that is computed from the result. {names}: the gradient of the loss "
                    "with respect to it.",
                    result=self.result.name,
                    names=", ".join(names),
                )
            )
        for leaf in map(self.material.leaf_of, self.chosen):
            if leaf.variable.number not in self.consumers and leaf.variable.number not in self.gradients:
                notes.append(
                    message(
                        "{gradient} is zero: {result} does not depend on {name}.",
                        gradient=self.prefix + leaf.name,
                        result=self.result.name,
                        name=leaf.name,
                    )
                )
        return tuple(notes)


def _line_of(reading: Reading) -> int | None:
    return None if reading.step.position is None else place_of(reading.step.position).line


def _seeds(record: Backward, given: Any) -> dict[int, Any]:
    """Numbers for the cotangents of outputs: what was given, or numbers with two digits that are all different."""
    if not record.cotangents:
        return {}
    several = given if len(record.cotangents) > 1 else [given]
    random = np.random.default_rng(0)
    found = {}
    for k, x in enumerate(record.cotangents):
        shape = tuple(int(plain_number(n)) for n in x.shape)
        made = np.round(random.standard_normal(shape), 2).astype(x.dtype)
        own = None if several is None or several[k] is None else np.asarray(several[k])
        found[x.number] = made if own is None else np.broadcast_to(own, shape).astype(x.dtype)
    return found
