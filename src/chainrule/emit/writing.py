"""Statements laid out as source: forward lines, backward lines under comments, whole functions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.emit.assignments import StatementPrinter
from chainrule.emit.deciding import decision_checks, decisions
from chainrule.emit.loop_heads import Context
from chainrule.emit.loops import lone, loop_lines, split_names, split_outputs
from chainrule.emit.material import Leaf, Material, constant_lines, setting_check
from chainrule.emit.remarks import remarks
from chainrule.emit.text import needs_array, wrapped
from chainrule.emit.values import is_plain_number
from chainrule.ir import Const, Step, Var
from chainrule.lengths import ONE, Symbol
from chainrule.loops import COUNTS, counting_in, loop_in
from chainrule.sizes import is_size, where_from
from chainrule.statements.request import Request, is_view
from chainrule.statements.statement import Statement, Statements, statements_of
from chainrule.user_source import Place

__all__ = ["INDENT", "WIDTH", "Writing", "words_of"]

WIDTH = 100
INDENT = "    "
_VERY_WIDE = 6  # times as wide as it may be: such a line is divided into many at once
_FEW = 16  # numbers in a plain array that is written where it is used
_MOST_ROUNDS = 40  # of dividing wide lines; each divides all that are left


class Writing:
    """One piece of source on its way: the statements, their printer, and what surrounds them."""

    def __init__(self, material: Material, request: Request, room: int = WIDTH - len(INDENT)) -> None:
        self.room = room
        self.material = material
        self.symbols = request.symbols.of
        program = request.program
        self.variables = program.by_number()
        self.literals = {**material.constants(), **material.literals()}
        self._by_place: dict[Place | None, str] | None = None
        self.named_lengths = material.names_of_lengths()
        distinct = counting_in(program.steps)
        for _ in range(_MOST_ROUNDS):
            self.request = request
            self.statements: Statements = statements_of(request)
            self.printer = StatementPrinter(
                self.statements,
                program.steps[: request.forward_steps],
                self.literals,
                self.variables,
                self._lengths(),
                program.inputs,
            )
            self.printer.distinct = distinct
            self.printer.numbers = self.named_numbers
            self.printer.arrays = {
                request.given[c.number]: repr(np.asarray(c.value).tolist())
                for c in program.constants
                if c.name is None and c.number in request.given and np.size(c.value) <= _FEW
            }
            self.texts = self._texts()
            wide = self._parts_of_wide_lines()
            if not wide:
                break
            request = replace(request, forced=request.forced.union(wide))
        self.texts = [[part for line in lines for part in wrapped(line, self.room)] for lines in self._used()]

    def _used(self) -> list[list[str]]:
        """The lines without those that count turns which nothing asks for."""
        counting = re.compile(rf"\s*({COUNTS.pattern}) (= 0|\+= 1)$")
        rest = words_of([line for lines in self.texts for line in lines if not counting.match(line)])
        return [[x for x in lines if not (m := counting.match(x)) or m[1] in rest] for lines in self.texts]

    def _texts(self) -> list[list[str]]:
        """The lines of each statement."""
        request, statements = self.request, self.statements
        if not any(loop_in(step) for step in request.program.steps):
            self.loops = None
            self.printer.keep()
            return [self.printer.statement(s) for s in statements.statements]
        self.printer.lone = lone(statements.statements, request)
        steps = [t for s in statements.statements for t in s.steps] + list(statements.folded.values())
        read = {x.number for t in steps for x in _read_by_name(t)} | {x.number for x in request.roots}
        unread = [x for x in self.material.leaves if x.name != x.source and x.variable.number not in read]
        self.printer.unread = {x.variable.number: x.source for x in unread}
        leaves = {leaf.name for leaf in unread}
        split = {n for s in statements.statements for n in split_outputs(s.step)}
        taken = {*request.taken, *(name for n, name in statements.names.items() if n not in split)} - leaves
        self.loops = Context(
            request.prefix,
            self.literals,
            taken,
            self._titled,
            leaves=frozenset(leaves),
            there=frozenset(request.given),
            fixed=frozenset(request.given if request.fixed else ()),
            numbers=self._numbers_of,
            checked=request.checked,
        )
        names: dict[int, str] = {}
        for s in statements.statements:
            names.update(split_names(s, self.loops))
        self.statements.names.update(names)
        self.split = names
        texts: list[list[str]] = []
        for k, s in enumerate(statements.statements):
            if loop_in(s.step) is None:
                texts.append(self.printer.statement(s))
                continue
            self.printer.later = statements.read_behind(k) | {x.number for x in request.roots}
            texts.append(loop_lines(s, self.printer, self.loops))
        return texts

    def _lengths(self) -> dict[tuple[int, int | None], str]:
        """The user's names for lengths, by what they are the lengths of; notes where each is read."""
        names, given = self.statements.names, set(self.request.given.values())
        users = [x for x in self.variables.values() if isinstance(x, Var) and x.name is not None]
        versions: dict[str, list[Var]] = {}
        for x in users:
            versions.setdefault(x.name or "", []).append(x)
        arrays = {n: xs[0] for n, xs in versions.items() if len(xs) == 1 and names.get(xs[0].number) == n}
        length_of, numbers = self.named_lengths.found(arrays)
        self.length_of = {name: own for name, own in length_of.items() if name not in given}
        self.named_arrays = frozenset(arrays)
        self.named_numbers = {key: name for key, name in numbers.items() if name not in given}
        found: dict[tuple[int, int | None], str] = {}
        for name in self.length_of:
            array, axis, _ = self.named_lengths.lengths.get(name, ("", None, 0))
            if array in arrays:
                x = arrays[array]
                found[x.number, None if axis is None else axis % len(x.shape)] = name
        alike = {self._symbol(*key): name for key, name in found.items()}
        for key, stand_ins in self.statements.stand_ins.items():
            symbol = self._symbol(*key)
            if len(stand_ins) == 1 and stand_ins[0] in found:
                found[key] = found[stand_ins[0]]
            elif symbol in alike:
                found[key] = alike[symbol]
            elif symbol[:1] == ("expression",):
                head, *operands = symbol[1]
                name = self.named_numbers.get(("Size", head, *map(where_from, operands)), "")
                name = operands[0] if head == "name" else name
                if name:
                    found[key] = name
        return found

    def _numbers_of(self, given: Mapping[str, Var]) -> dict[Any, str]:
        """The names of numbers within a loop, which knows arrays from around it as other variables."""
        _, numbers = self.named_lengths.found({name: x for name, x in given.items() if name in self.named_arrays})
        return {key: name for key, name in numbers.items() if name in self.length_of}

    def _symbol(self, number: int, axis: int | None) -> Symbol:
        """The symbol of an axis of a variable; of its own where there is none that others could have."""
        own = self.symbols.get(number, ())
        return ("size", number) if axis is None or axis >= len(own) or own[axis] == ONE else own[axis]

    def lengths_used(self, texts: Sequence[str]) -> list[str]:
        """The user's names for lengths that occur in ``texts``, and those that they are computed from."""
        words = set(words_of(texts))
        for name in reversed(self.length_of):  # each is computed from those before it
            if name in words:
                words.update(words_of([self.length_of[name].text]))
        return [name for name in self.length_of if name in words]

    def _parts_of_wide_lines(self) -> list[int]:
        """In each line that is too wide, the folded variable that had better be on a line of its own."""
        found: list[int] = []
        for statement, lines in zip(self.statements.statements, self.texts, strict=True):
            if statement.forward or loop_in(statement.step) or max(map(len, lines)) <= self.room:
                continue
            whole = max(map(len, lines))
            if whole > _VERY_WIDE * self.room:
                found += self._many_parts(statement)
                continue
            parts = []
            for step in statement.steps[:-1]:
                out = next((o for o in step.outputs if o.number in self.statements.folded), None)
                if out is None or step.operation.name == "negative":
                    continue
                parts.append((is_view(step), abs(whole / 2 - len(self.printer.operand(out)[0])), out.number))
            if parts:
                found.append(min(parts)[2])
        return found

    def _many_parts(self, statement: Statement) -> list[int]:
        """The folded variables of a very wide line that fill a line each, when those in them have their own."""
        found: list[int] = []
        own: dict[int, int] = {}  # by folded variable, how wide it is without what was taken out of it
        for step in statement.steps[:-1]:
            out = next((o for o in step.outputs if o.number in self.statements.folded), None)
            if out is None:
                continue
            inner = {x.number for x in step.inputs if x.number in own}
            taken = sum(len(self.printer.operand(self.variables[n])[0]) - own[n] for n in inner)
            own[out.number] = len(self.printer.operand(out)[0]) - taken
            if own[out.number] > self.room // 2 and step.operation.name != "negative" and not is_view(step):
                found.append(out.number)
                own[out.number] = 0
        return found

    def operand(self, x: Var | Const) -> str:
        """An output or gradient as an expression."""
        return self.printer.operand(x)[0]

    def forward_lines(self) -> list[str]:
        """The user's own statements, and the names of lengths that any statement uses."""
        roots = [self.operand(x) for x in self.request.roots]
        waiting = self.lengths_used([*(line for lines in self.texts for line in lines), *roots])
        pairs = zip(self.statements.statements, self.texts, strict=True)
        forward = [(statement, lines) for statement, lines in pairs if statement.forward]
        made = {out.number for statement, _ in forward for out in statement.step.outputs}
        result: list[str] = []
        deciding = decisions(self.request.program, self.request.forward_steps)
        for number in deciding.keys() & self.request.given.keys():
            result += decision_checks(deciding[number], [], self.request.given[number], lone=False)
        reads = self.statements.reads()
        for statement, lines in forward:
            wanted = self.lengths_used(lines)
            for name in list(waiting):
                own = self.length_of[name]
                later = statement.place is not None and statement.place.line > own.line
                if own.variable not in made and (later or name in wanted):
                    result.append(f"{name} = {own.text}")
                    waiting.remove(name)
            number = statement.step.outputs[0].number
            checked = deciding.get(number, [])
            lone = number not in reads
            result += decision_checks(checked, lines, statement.targets[0], lone=lone) if checked else lines
            made.difference_update(out.number for out in statement.step.outputs)
        return result + [f"{name} = {self.length_of[name].text}" for name in waiting]

    def backward_lines(self) -> list[str]:
        """The statements of the backward pass, under the statements of the user's that they belong to."""
        late = self.request.late
        chosen = [
            (s, lines) for s, lines in zip(self.statements.statements, self.texts, strict=True) if not s.forward or late
        ]
        return self._titled(chosen)

    def _titled(self, chosen: Sequence[tuple[Statement, list[str]]], inside: bool = False) -> list[str]:
        """Statements of a backward pass, inside of a loop or not, under the user's statements that they belong to."""
        result: list[str] = []
        place: Place | None = None
        width = max((len(self._title(s)) for s, _ in chosen), default=0)
        for statement, lines in chosen:
            if statement.place is not None and statement.place != place:
                place = statement.place
                result.append(self._header(statement, width))
            if statement.forward and loop_in(statement.step) is not None:
                result.append("# the loop once more, which keeps what the backward pass needs")
            elif statement.forward and not inside:
                position = statement.step.position
                where = "" if position is None else f" on line {position.line}"
                lines = [*lines[:-1], f"{lines[-1]}  # without a name{where}"]
            result += lines
        return result

    def _title(self, statement: Statement) -> str:
        place = statement.place
        if place is None:
            return ""
        return place.text or self._forward_text(place)

    def _forward_text(self, place: Place) -> str:
        """What stands in for the user's statement where their source is not known."""
        if self._by_place is None:
            pairs = zip(self.statements.statements, self.texts, strict=True)
            self._by_place = {s.place: "; ".join(lines) for s, lines in pairs if s.forward}
        return self._by_place.get(place, "")

    def _header(self, statement: Statement, width: int) -> str:
        place = statement.place
        assert place is not None
        title = self._title(statement)
        own = self.material.is_own(place.function)
        where = f"line {place.line}" if own else f"line {place.line}, in {place.function.rpartition('.')[2]}"
        return f"# {title:<{width}}    {where}" if title else f"# {where}"

    def gradient(self, leaf: Leaf, gradient: Var | Const) -> str:
        """A whole gradient as an expression, from one that may be lazy."""
        x = leaf.variable
        if isinstance(gradient, Const) and gradient.number < 0:
            if not x.shape:
                return self.operand(gradient)
            if gradient.value == 0 and not is_size(gradient.value):
                return f"np.zeros_like({self.operand(x)})"
            return f"np.full_like({self.operand(x)}, {self.operand(gradient)})"
        text = self.operand(gradient)
        if isinstance(gradient, Var) and not self.is_lazy(x, gradient):
            return text
        return f"np.broadcast_to({text}, {self.operand(x)}.shape)"

    def is_lazy(self, x: Var, gradient: Var) -> bool:
        """Whether a gradient must be broadcast to be as large as what it is the gradient of."""
        if gradient.shape != x.shape:
            return True
        pairs = zip(self.symbols.get(x.number, ()), self.symbols.get(gradient.number, ()), strict=False)
        # What the gradient has of an argument that may be stretched is as short as that.
        stretched = {("length", *axis) for axis in self.request.symbols.ambiguous}
        return any(mine != other and (other == ONE or other in stretched) for mine, other in pairs)

    def settled(self, pairs: Sequence[tuple[Leaf, Var | Const]], prefix: str) -> tuple[list[str], list[str]]:
        """The whole gradients as expressions; and statements for those that depend on how many rows there are."""
        texts, lines = [], []
        for leaf, gradient in pairs:
            x = leaf.variable
            axes = [k for k in range(len(x.shape)) if self.request.symbols.is_ambiguous(x, k)]
            text = self.gradient(leaf, gradient)
            if axes:
                name = prefix + leaf.name
                if name != text and name in {*self.statements.names.values(), *self.request.taken}:
                    name += "_"
                lines.append(f"{name} = {self._for_any_rows(leaf, gradient, axes)}")
                text = name
            texts.append(text)
        return texts, lines

    def _for_any_rows(self, leaf: Leaf, gradient: Var | Const, axes: Sequence[int]) -> str:
        """A gradient that is summed over these axes if the array turns out to be stretched along them."""
        x = leaf.variable
        own = self.symbols.get(gradient.number, ())
        missing = len(x.shape) - len(own)
        summed = [k for k in axes if k >= missing and own[k - missing] != ONE]
        text = self.operand(gradient)
        array = self.operand(x)
        ones = " == ".join(f"{array}.shape[{k}]" if k else f"len({array})" for k in axes)
        total = text
        if summed:
            axis = tuple(k - missing for k in summed) if len(summed) > 1 else summed[0] - missing
            total = f"{text if text.isidentifier() else f'({text})'}.sum(axis={axis}, keepdims=True)"
        for k in axes:
            head, *place = self.request.symbols.ambiguous[x.number, k]
            if k not in summed and head == "length" and place[0] in self.request.given:
                total = f"{self.request.given[place[0]]}.shape[{place[1]}] * {total}"
        text = f"{total} if {ones} == 1 else {text}"
        lazy = not isinstance(gradient, Var) or self.is_lazy(x, gradient)
        return f"np.broadcast_to({text}, {array}.shape)" if lazy else text

    def top(self, body: Sequence[str]) -> list[str]:
        """Imports, constants and remarks."""
        words = set(words_of(body))
        constants = [(name, constant) for name, constant in self.constants() if name in words]
        lines = ["import numpy as np"] if constants or "np" in words_of(body) else []
        lines += [f"import {m}" for m in sorted(self.printer.modules - {"math"})]
        if "math" in self.printer.modules:
            lines = ["import math", *([""] if lines else []), *lines]
        names = (*self.statements.names.values(), *self.material.parameters)
        if any(name in ("l", "O", "I") for name in names):
            lines.insert(0, "# ruff: noqa: E741")
        if constants:
            lines += ["", *constant_lines(constants)]
        return lines

    def constants(self) -> list[tuple[str, Const]]:
        """The plain arrays that the statements use, with their names."""
        steps = [*(t for s in self.statements.statements for t in s.steps), *self.statements.folded.values()]
        used = {x.number for t in steps for x in t.inputs}
        used.update(x.number for x in self.request.roots)
        inner = self.loops.constants if self.loops is not None else []
        return [*inner, *self._own_constants(used)]

    def _own_constants(self, used: set[int]) -> list[tuple[str, Const]]:
        constants = [c for c in self.request.program.constants if c.number in used and not is_plain_number(c)]
        return [(self.request.given[c.number], c) for c in constants]

    def remarks(self) -> list[str]:
        """What the code is valid for."""
        program, links = self.request.program, self.request.links
        written = {out.number for s in self.statements.statements for step in s.steps for out in step.outputs}
        # A turn of a loop is written out where its values or their gradients are computed.
        shown = written | {primal for primal, g in links.items() if type(g) is int and g in written}
        forward = program.steps[: self.request.forward_steps]
        steps = [step for step in forward if any(out.number in shown for out in step.outputs)]
        loops = [loop for step in forward if (loop := loop_in(step)) is not None]
        return remarks(self.material, steps, program.guards, loops)

    def checks(self) -> list[str]:
        """Lines that refuse arguments that this does not hold for."""
        return [
            *(line for name, value in self.material.settings.items() for line in setting_check(name, value)),
            *(line for fixed in self.material.fixed for line in fixed.check()),
        ]

    def only_in_loops(self, name: str) -> bool:
        """Whether this is what loops call the items of a list, and nothing around them."""
        return self.loops is not None and name in self.loops.leaves

    def unpacking(self, texts: Sequence[str], names: Sequence[str] = ()) -> list[str]:
        """Lines that read the arrays out of trees of parameters, as far as ``texts`` use them."""
        words = {*words_of(texts), *names}
        if self.loops is not None:
            words -= self.loops.leaves
        leaves = [x for x in self.material.leaves if x.name != x.source and x.name in words]
        lines = [f"{x.name} = {self._source(x)}" for x in leaves]
        return lines + [f"{n} = np.asarray({n})" for n in self.material.listed if needs_array(n, texts)]

    def _source(self, leaf: Leaf) -> str:
        """How an array is read from the arguments: as the last one where a loop takes all but that."""
        if leaf.primal is not None:
            own = self.material.parameters[leaf.primal.argument]
            parameter = leaf.source.removesuffix(leaf.primal.source.removeprefix(own))
            return parameter + self._source(leaf.primal).removeprefix(own)
        for step in self.request.program.steps:
            loop = loop_in(step)
            for slot in loop.slots if loop is not None else ():
                i = slot.items
                if i is None or loop is None:
                    continue
                low, turns, left = i.low(len(loop.values)), len(loop.values), loop.header.dropped
                if (low == 0 and turns == i.count - 1) or (left and low + turns == i.count - left):
                    for k, suffix in itertools.product(range(low + turns, i.count), i.suffixes):
                        if leaf.source == f"{i.path}[{k}]{suffix}".replace("'", '"'):
                            return f"{i.path}[{k - i.count}]{suffix}".replace("'", '"')
        return leaf.source

    def finished(self, body: Sequence[str], head: str, doc: str, indent: str = "") -> list[str]:
        """A function from its parts."""
        inner = indent + INDENT
        lines = [f"{indent}def {head}:", f'{inner}"""{doc}"""']
        return lines + [f"{inner}{line}" if line else "" for line in body]


def _read_by_name(step: Step) -> list[Var | Const]:
    """What a step reads by its name: of a loop, not the items of the lists that it goes through."""
    loop = loop_in(step)
    if loop is None:
        return list(step.inputs)
    return [step.inputs[slot.place] for slot in loop.slots if slot.kind != "item"]


def words_of(lines: Sequence[str]) -> list[str]:
    """The variables that lines of code use, in order; without attributes, keyword arguments, texts and comments."""
    code = (re.sub(r'"[^"]*"', '""', line.partition("#")[0]) for line in lines)
    return list(dict.fromkeys(re.findall(r"(?<![\w.])[A-Za-z_]\w*\b(?!=[^=])", "\n".join(code))))
