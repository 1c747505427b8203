"""Statements laid out as source: forward lines, backward lines under comments, whole functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from chainrule.emit.expressions import Printer
from chainrule.emit.material import Leaf, Material, constant_lines, remarks
from chainrule.ir import Const, Var
from chainrule.lengths import ONE, symbols_of
from chainrule.statements.request import Request, is_view
from chainrule.statements.statement import Statement, Statements, statements_of
from chainrule.user_source import Place

__all__ = ["INDENT", "WIDTH", "Writing", "words_of"]

WIDTH = 100
INDENT = "    "


class Writing:
    """One piece of source on its way: the statements, their printer, and what surrounds them."""

    def __init__(self, material: Material, request: Request) -> None:
        self.material = material
        self.symbols = symbols_of(request.program)
        program = request.program
        self.variables = program.by_number()
        self.literals = material.literals()
        for _ in range(200):
            self.request = request
            self.statements: Statements = statements_of(request)
            self.printer = Printer(
                self.statements, program.steps[: request.forward_steps], self.literals, self.variables, self._lengths()
            )
            self.texts = [self.printer.statement(s) for s in self.statements.statements]
            wide = self._part_of_a_wide_line()
            if wide is None:
                break
            request = replace(request, forced=request.forced | {wide})

    def _lengths(self) -> dict[tuple[int, int | None], str]:
        """The user's names for lengths, by what they are the lengths of; notes where each is read."""
        names = self.statements.names
        users = [x for x in self.variables.values() if isinstance(x, Var) and x.name is not None]
        found: dict[tuple[int, int | None], str] = {}
        self.length_of: dict[str, tuple[int, str, int]] = {}
        for name, (array, axis, line) in self.material.lengths().items():
            versions = [x for x in users if x.name == array]
            if len(versions) != 1 or names.get(versions[0].number) != array or name in self.request.given.values():
                continue
            (x,) = versions
            k = None if axis is None else axis % len(x.shape) if x.shape else 0
            text = f"{array}.size" if k is None else f"{array}.shape[{k}]" if len(x.shape) > 1 else f"len({array})"
            found[x.number, k] = name
            self.length_of[name] = (x.number, text, line)
        for key, stand_ins in self.statements.stand_ins.items():
            if len(stand_ins) == 1 and stand_ins[0] in found:
                found[key] = found[stand_ins[0]]
        return found

    def lengths_used(self, texts: Sequence[str]) -> list[str]:
        """The user's names for lengths that occur in ``texts``."""
        words = words_of(texts)
        return [name for name in self.length_of if name in words]

    def _part_of_a_wide_line(self) -> int | None:
        """A folded variable that would be better on a line of its own."""
        for statement, lines in zip(self.statements.statements, self.texts, strict=True):
            if statement.forward or max(map(len, lines)) + len(INDENT) <= WIDTH:
                continue
            whole = max(map(len, lines))
            parts = []
            for step in statement.steps[:-1]:
                out = next((o for o in step.outputs if o.number in self.statements.folded), None)
                if out is None or is_view(step) or step.operation.name == "negative":
                    continue
                parts.append((abs(whole / 2 - len(self.printer.operand(out)[0])), out.number))
            if parts:
                return min(parts)[1]
        return None

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
        for statement, lines in forward:
            for name in list(waiting):
                number, text, line = self.length_of[name]
                later = statement.place is not None and statement.place.line > line
                if number not in made and (later or name in words_of(lines)):
                    result.append(f"{name} = {text}")
                    waiting.remove(name)
            result += lines
            made.difference_update(out.number for out in statement.step.outputs)
        return result + [f"{name} = {self.length_of[name][1]}" for name in waiting]

    def backward_lines(self) -> list[str]:
        """The statements of the backward pass, under the statements of the user's that they belong to."""
        result: list[str] = []
        place: Place | None = None
        late = self.request.late
        chosen = [
            (s, lines) for s, lines in zip(self.statements.statements, self.texts, strict=True) if not s.forward or late
        ]
        width = max((len(self._title(s)) for s, _ in chosen), default=0)
        for statement, lines in chosen:
            if statement.place is not None and statement.place != place:
                place = statement.place
                result.append(self._header(statement, width))
            if statement.forward:
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
        texts = [
            "; ".join(lines)
            for s, lines in zip(self.statements.statements, self.texts, strict=True)
            if s.forward and s.place == place
        ]
        return texts[-1] if texts else ""

    def _header(self, statement: Statement, width: int) -> str:
        place = statement.place
        assert place is not None
        title = self._title(statement)
        code = getattr(self.material.function, "__code__", None)
        own = code is None or place.function == code.co_qualname
        where = f"line {place.line}" if own else f"line {place.line}, in {place.function.rpartition('.')[2]}"
        return f"# {title:<{width}}    {where}" if title else f"# {where}"

    def gradient(self, leaf: Leaf, gradient: Var | Const) -> str:
        """A whole gradient as an expression, from one that may be lazy."""
        x = leaf.variable
        if isinstance(gradient, Const) and gradient.number < 0:
            if not x.shape:
                return self.operand(gradient)
            if gradient.value == 0:
                return f"np.zeros_like({leaf.name})"
            return f"np.full_like({leaf.name}, {self.operand(gradient)})"
        text = self.operand(gradient)
        if isinstance(gradient, Var) and not self.is_lazy(x, gradient):
            return text
        return f"np.broadcast_to({text}, {leaf.name}.shape)"

    def is_lazy(self, x: Var, gradient: Var) -> bool:
        """Whether a gradient must be broadcast to be as large as what it is the gradient of."""
        if gradient.shape != x.shape:
            return True
        return any(own == ONE for own in self.symbols.get(gradient.number, ()))

    def top(self, body: Sequence[str]) -> list[str]:
        """Imports, constants and remarks."""
        constants = self.constants()
        lines = ["import numpy as np"] if constants or "np" in words_of(body) else []
        lines += [f"import {m}" for m in sorted(self.printer.modules)]
        names = (*self.statements.names.values(), *self.material.parameters)
        if any(name in ("l", "O", "I") for name in names):
            lines.insert(0, "# ruff: noqa: E741")
        if constants:
            lines += ["", *constant_lines(constants)]
        return lines

    def constants(self) -> list[tuple[str, Const]]:
        """The plain arrays that the statements use, with their names."""
        used = {x.number for s in self.statements.statements for t in s.steps for x in t.inputs}
        used.update(x.number for x in self.request.roots)
        return [(self.request.given[c.number], c) for c in self.request.program.constants if c.number in used]

    def remarks(self) -> list[str]:
        """What the code is valid for."""
        program = self.request.program
        return remarks(self.material, program.steps[: self.request.forward_steps], program.guards)

    def unpacking(self, texts: Sequence[str], names: Sequence[str] = ()) -> list[str]:
        """Lines that read the arrays out of trees of parameters, as far as ``texts`` use them."""
        words = {*words_of(texts), *names}
        return [f"{x.name} = {x.source}" for x in self.material.leaves if x.name != x.source and x.name in words]

    def finished(self, body: Sequence[str], head: str, doc: str, indent: str = "") -> list[str]:
        """A function from its parts."""
        inner = indent + INDENT
        lines = [f"{indent}def {head}:", f'{inner}"""{doc}"""']
        return lines + [f"{inner}{line}" if line else "" for line in body]


def words_of(lines: Sequence[str]) -> list[str]:
    """The variables that lines of code use, in order; without attributes, keyword arguments, texts and comments."""
    code = (re.sub(r'"[^"]*"', '""', line.partition("#")[0]) for line in lines)
    return list(dict.fromkeys(re.findall(r"(?<![\w.])[A-Za-z_]\w*\b(?!=[^=])", "\n".join(code))))
