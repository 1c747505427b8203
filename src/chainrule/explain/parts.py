"""A derivation put together from what is known about a trace: its statements, its gradients, its lines of code."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.emit.material import Material
from chainrule.emit.numpy_source import Pasted, outputs_of, pasted
from chainrule.errors import TreeError
from chainrule.explain.algebra import add
from chainrule.explain.bodies import Body
from chainrule.explain.coded import Coded
from chainrule.explain.derivation import Derivation
from chainrule.explain.formula import Element, Formula
from chainrule.explain.forward import Forward
from chainrule.explain.index_forms import table
from chainrule.explain.lines import code_lines
from chainrule.explain.picture import picture_of
from chainrule.explain.same_lengths import united
from chainrule.explain.scene import Scene
from chainrule.explain.shortening import shortened
from chainrule.explain.sound import sound
from chainrule.explain.turn_code import TurnCoded
from chainrule.explain.turn_lines import TurnText
from chainrule.explain.turn_numbers import backward_of, turns_of
from chainrule.ir import Step, Var
from chainrule.language import Message, listed, message
from chainrule.lengths import Symbol, whole_symbols
from chainrule.loops import loop_in
from chainrule.names import Namespace
from chainrule.run import values_of
from chainrule.simplify.rewriting import Simplified
from chainrule.sizes import plain_number
from chainrule.user_source import Place, place_of

__all__ = ["Deriving"]


class Deriving(Scene):
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
        lines: Pasted | None = None,
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
        self.pasted = lines or pasted(material, backward, chosen, prefix)
        leaves = {leaf.variable.number: leaf.value for leaf in material.leaves}
        handed = _one_for_each(grad_output, len(record.cotangents))
        seeds = _seeds(record.cotangents, handed)
        self._made_up = [x for x, own in zip(record.cotangents, handed, strict=True) if own is None]
        self.inputs = [leaves.get(x.number, seeds.get(x.number)) for x in record.program.inputs]
        self.values = values_of(record.program, self.inputs)
        self.backward_values = values_of(backward.program, self.inputs)
        self.gradients = self.gradients_of(self.values)
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
        self.start()

    # ---- numbers

    def gradients_of(self, values: Mapping[int, Any]) -> dict[int, Any]:
        """The whole cotangent of each forward value, where these are the arrays."""
        shapes = {x.number: x.shape for x in self.record.program.inputs}
        steps = self.record.program.steps[: self.record.forward_steps]
        shapes.update((out.number, out.shape) for step in steps for out in step.outputs)
        found = {}
        for primal, g in self.record.links.items():
            if primal in shapes:
                value = values[g] if type(g) is int else plain_number(g)
                shape = tuple(int(plain_number(n)) for n in shapes[primal])
                found[primal] = np.broadcast_to(value, shape) if np.shape(value) != shape else value
        known = set(found)
        for output, cotangent in self.outputs():
            if output.number not in known:
                value = 1.0 if cotangent is None else values[cotangent.number]
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
            lambda x: _as_written(x, literals) if isinstance(x, float) else "",
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
            if name != "_" and axis is not None and -len(own) <= axis < len(own):
                found.setdefault(own[axis], name)
        return found

    def _result(self) -> Element:
        outputs = self.outputs()
        if len(outputs) == 1 and outputs[0][1] is None:
            number = outputs[0][0].number
            return Element(self.forward.names[number], (), number)
        return Element(Namespace(self.forward.names.values()).claim("L"), ())

    # ---- parts

    def derivation(self) -> Derivation:
        """The record."""
        self.lines = code_lines(self)
        self._say_names()
        parts = shortened(coded := Coded(self, self.backward.program), self.told(self.forward.readings))
        of_scenes: dict[int, Coded] = {id(self): coded}
        for body in self.bodies:  # each behind the one that it is in
            if body.text is not None:
                of_scenes[id(body)] = TurnCoded(body, of_scenes[id(body.outer)])
                parts = shortened(of_scenes[id(body)], parts)
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
            self._meanings(),
            {self.prefix + name: g for name, g in wanted.items() if g is not None},
            self.placed("\n".join(self.pasted.lines()) + "\n"),
            self._notes(),
            tuple(map(self.spelled, self.pasted.opening)),
            self._definitions(),
        )

    def _meanings(self) -> dict[str, Message]:
        found = self.forward.letters.meanings(self.used_letters)
        for body in self.bodies:
            position = body.step.position
            found[body.turn.name] = message(
                "the turns of the loop on line {line}; there are {count}",
                line="" if position is None else position.line,
                count=len(body.turns),
            )
        return found

    def body(self, step: Step) -> Body:
        backward = backward_of(step, self.record.program.steps[self.record.forward_steps :])
        loops = self.pasted.writing.loops
        bodies = {} if loops is None else loops.bodies
        text = TurnText.of(step, self.backward.program.steps, bodies, self.spelled)
        return Body(self, step, backward, turns_of(step, backward, self.values, self.gradients), text)

    def handed_in(self, number: int, element: Element) -> Formula | None:
        """The gradient that is handed in for an output that statements read, too."""
        given = self.pasted.writing.request.given
        handed = [Element(given[x.number], element.indices, x.number) for x in self._cotangents(number)]
        return add(*handed) if handed else None

    def arriving(self, number: int) -> tuple[tuple[str, Any], ...]:
        given = self.pasted.writing.request.given
        return tuple((given[x.number], self.values[x.number]) for x in self._cotangents(number))

    def _cotangents(self, number: int) -> list[Var]:
        return [cotangent for output, cotangent in self.outputs() if output.number == number and cotangent is not None]

    def formed(self) -> dict[str, str]:
        """The gradients that are there under a name in the code, by the names of what they are the gradients of."""
        names = self.forward.names
        found = self.named_gradients(self.lines)
        given = self.pasted.writing.request.given
        for output, cotangent in self.outputs():
            single = [x for x, _ in self.outputs()].count(output) == 1
            if cotangent is not None and single and output.number not in self.consumers:
                found[names[output.number]] = given[cotangent.number]
        return found

    def without_lines(self, number: int) -> Message | None:
        links, names = self.backward.links, self.forward.names
        g = links.get(number)
        same = [v for v, h in links.items() if type(h) is int and h == g and v in self.lines and v in names]
        if not same and self._begins_loop(g):
            return message(
                "The loop of the code that runs backwards begins with {gradient}.",
                gradient=self.prefix + names[number],
            )
        if not same:
            return super().without_lines(number)
        return message(
            "{gradient} has the same numbers as {other}, which the code uses in its place.",
            gradient=self.prefix + names[number],
            other=self.prefix + names[same[-1]],
        )

    def _begins_loop(self, g: Any) -> bool:
        """Whether a loop on the way back begins with a gradient."""
        for step in self.backward.program.steps if type(g) is int else ():
            loop = loop_in(step)
            for slot in loop.slots if loop is not None and loop.backward else ():
                if slot.kind == "carried" and step.inputs[slot.place].number == g:
                    return True
        return False

    def identities(self, number: int) -> tuple[tuple[Message, Message], ...]:
        first = self.consumers[number][0]
        if first.step.position is None or first.reads[0] != number:
            return ()
        return tuple(self._rewritten.get(place_of(first.step.position), {}).values())

    @cached_property
    def _rewritten(self) -> dict[Place, dict[str, tuple[Message, Message]]]:
        """The identities that were used for each statement, by their names."""
        found: dict[Place, dict[str, tuple[Message, Message]]] = {}
        for rewrite in self.backward.rewrites if isinstance(self.backward, Simplified) else ():
            said = sound(rewrite.identity)
            if rewrite.position is not None and said is not None:
                found.setdefault(place_of(rewrite.position), {})[rewrite.identity] = said
        return found

    # ---- the whole

    def _definitions(self) -> tuple[Message, ...]:
        notes = []
        if self.record.cotangents:
            names = [self.pasted.writing.request.given[x.number] for x in self.record.cotangents]
            notes.append(
                message(
                    "{result} stands for a loss that is computed from the result. {names}: the gradient of the loss "
                    "with respect to it.",
                    result=self.result.name,
                    names=listed(names),
                )
            )
            if self._made_up:
                own = [self.pasted.writing.request.given[x.number] for x in self._made_up]
                notes.append(message("The numbers of {names} are made up.", names=listed(own)))
        notes += self._renamed()
        return tuple(notes)

    def _renamed(self) -> list[Message]:
        """Which names of formulas and of code are the same array, where one name has several values."""
        return [_same_array(name, own) for name, own in self._renamed_pairs().items()]

    def _renamed_pairs(self) -> dict[str, str]:
        """For names of formulas what the code calls the same array."""
        code = set(re.findall(r"\w+", "\n".join(line.code for lines in self.lines.values() for line in lines)))
        given, names = self.pasted.writing.request.given, self.forward.names
        known = {n for n in names if names[n] in self.forward.renamed}
        pairs: dict[str, str] = {}
        for n in sorted(known | {n for n in given if names.get(n) in self.forward.renamed.values()}):
            own = given.get(n, names[n])
            if own != names[n] and own in code:
                pairs[names[n]] = own
            wanted, called = self.prefix + names[n], self.prefix + own
            if n in self.lines and called != wanted and called in code and wanted not in code:
                pairs[wanted] = called
        return pairs

    def _say_names(self) -> None:
        """Say with the first line that uses a name which array of the formulas it is."""
        pending = self._renamed_pairs()
        for number, k in sorted(
            ((n, k) for n, lines in self.lines.items() for k in range(len(lines))),
            key=lambda at: self.lines[at[0]][at[1]].place,
        ):
            line = self.lines[number][k]
            said = [name for name, own in pending.items() if own in re.findall(r"\w+", line.code)]
            if said:
                names = tuple(_same_array(name, pending.pop(name)) for name in said)
                self.lines[number][k] = replace(line, names=names)

    def _notes(self) -> tuple[Message, ...]:
        notes = []
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


def _same_array(name: str, own: str) -> Message:
    return message("{name} in the formulas is {own} in the code, because a name is used again.", name=name, own=own)


def _as_written(x: float, literals: Mapping[float, str]) -> str:
    """How the user wrote a number; nothing where it is nowhere in the source."""
    text = literals.get(-x, "")
    return literals.get(x, "") or (f"-{text}" if text else "")


def _seeds(cotangents: Sequence[Var], given: Sequence[Any]) -> dict[int, Any]:
    """Numbers for the cotangents of outputs: what was given, or numbers with two digits that are all different."""
    random = np.random.default_rng(0)
    found = {}
    for x, own in zip(cotangents, given, strict=True):
        shape = tuple(int(plain_number(n)) for n in x.shape)
        made = np.round(random.standard_normal(shape), 2).astype(x.dtype)
        found[x.number] = made if own is None else _handed(own, shape).astype(x.dtype)
    return found


def _one_for_each(grad_output: Any, count: int) -> Sequence[Any]:
    """The gradient that was given for each of several results, or none for any."""
    if grad_output is None or count == 1:
        return [grad_output] * count
    if not isinstance(grad_output, list | tuple) or len(grad_output) != count:
        raise TreeError(
            message(
                "the result is {count} arrays. Instead: give their {count} gradients as a list, grad_output=[...].",
                count=count,
            )
        )
    return grad_output


def _handed(own: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The gradient that was given for a result of this shape."""
    try:
        return np.broadcast_to(np.asarray(own, dtype=float if np.isrealobj(own) else complex), shape)
    except (ValueError, TypeError) as error:
        raise TreeError(
            message(
                "grad_output has the shape {given}, and the result has the shape {shape}. "
                "Instead: give one number for each element of the result.",
                given=str(np.shape(own)),
                shape=str(shape),
            )
        ) from error
