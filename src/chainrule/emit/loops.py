"""Loops as source: a ``for`` as the user wrote it, what it keeps, and the ``for`` that runs backwards over that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chainrule.emit.assignments import StatementPrinter
from chainrule.emit.deciding import decision_checks, decisions
from chainrule.emit.loop_heads import BodyText, Context, Heads
from chainrule.emit.text import tight
from chainrule.ir import Const, Guard, Step, Var
from chainrule.lengths import whole_symbols
from chainrule.loop_buffers import counted_from
from chainrule.loops import Slot, loop_in
from chainrule.names import Namespace, plural, singular
from chainrule.statements.request import Request, is_element, is_view, is_write
from chainrule.statements.statement import Statement, statements_of

__all__ = ["lone", "loop_lines", "split_names", "split_outputs"]

INDENT = "    "


def split_names(statement: Statement, context: Context) -> dict[int, str]:
    """Names for the gradients of items of lists, by number: ``dWs[0]``."""
    loop = loop_in(statement.step)
    found: dict[int, str] = {}
    if loop is None:
        return found
    at = 0
    for n, out in enumerate(loop.outs):
        if out.kind != "split":
            at += 1
            continue
        space = Namespace(context.taken)
        name = space.claim(context.prefix + plural(out.primal or "item"))
        context.taken.add(name)
        context.lists[id(loop), n] = name
        for k in range(len(loop.values)):
            found[statement.step.outputs[at + k].number] = f"{name}[{k}]"
        at += len(loop.values)
    return found


def split_outputs(step: Step) -> list[int]:
    """The outputs of a loop that are gradients of items of lists."""
    loop = loop_in(step)
    if loop is None:
        return []
    return [o.number for o, out in zip(step.outputs, loop.left(), strict=True) if out.kind == "split"]


def loop_lines(statement: Statement, printer: StatementPrinter, context: Context) -> list[str]:
    """The lines of a loop."""
    loop = loop_in(statement.step)
    assert loop is not None
    return _Lines(loop, statement, printer, context).run()


class _Lines(Heads):
    def run(self) -> list[str]:
        loop = self.loop
        at = 0
        for n, out in enumerate(loop.outs):
            several = out.kind == "split"
            target = self.context.lists[id(loop), n] if several else self.targets[at]
            if self.step.outputs[at].number in self.context.there:
                target = "_"
            self.outs.append((n, out, target))
            at += len(loop.values) if several else 1
        self.needed = self._needed()
        self._carried()
        self._counter()
        self._fixed()
        self._collected()
        body = self._body()
        head = self._header(body)
        return [*self.before, head, *(INDENT + line for line in body), *self.after]

    def _is_checked(self) -> bool:
        return self.context.checked and not self.loop.backward

    def _decisions(self) -> dict[int, list[Guard]]:
        """What is checked in each turn."""
        return decisions(self.program, self.loop.forward_steps) if self._is_checked() else {}

    def _needed(self) -> set[int]:
        """The variables of the body that what is used of the loop depends on."""
        roots = {out.variable if type(out.variable) is int else out.variable.variable
                 for _, out, target in self.outs if target != "_"}  # fmt: skip
        if self.loop.header.condition is not None and not self.loop.backward:
            roots.add(self.loop.header.condition)
        if self._is_checked():
            roots.update(self._decisions())
            inner = [s for s in self.program.steps if (own := loop_in(s)) is not None and own.decisions()]
            roots |= {x.number for s in inner for x in s.inputs if isinstance(x, Var)}
        given = self.loop.given()
        carried = {s.variable: s.following for s in self.loop.slots if s.kind == "carried"}
        found: set[int] = set()
        made = {o.number: s for s in self.program.steps for o in s.outputs}
        pending = list(roots)
        while pending:
            v = pending.pop()
            if v in found:
                continue
            found.add(v)
            if v in carried:
                pending.append(carried[v])
            elif v not in given and v in made:
                pending += [x.number for x in made[v].inputs if isinstance(x, Var)]
        return found

    def _collected(self) -> None:
        """Lists to which each turn appends something."""
        self.first: list[str] = []  # at the beginning of a turn
        self.appended: list[tuple[str, int]] = []
        wholes = {out.variable.following: target for _, out, target in self.outs
                  if out.kind == "whole" and target != "_" and not out.variable.written}  # fmt: skip
        parts: list[str] = []
        read = set(re.findall(r"[A-Za-z_]\w*", " ".join([*self.given.values(), *(text for _, text in self.heads)])))
        for _, out, target in self.outs:
            if target == "_" or out.kind in ("final", "next"):
                continue
            if out.kind == "stack" and out.variable in wholes:
                # The same list with what the loop began with in front.
                parts.append(f"{target} = {wholes[out.variable]}[1:]")
                continue
            # A list of the name of one that the turns read is made under another name.
            name = self.space.claim(target) if target in read else target
            left = name
            if out.kind in ("trail", "whole"):
                slot = out.variable
                start = self.given[slot.variable]
                self.before.append(f"{name} = [{start}{'.copy()' if slot.written else ''}]")
                self.appended.append((name, slot.following))
                left = f"np.stack({name})" if out.kind == "whole" else name
                self._lengthen(name, slot.variable)
            else:
                self.before.append(f"{name} = []")
                self._lengthen(name, out.variable)
                if out.variable in self.given:
                    copied = any(s.written and s.variable == out.variable for s in self.loop.slots)
                    self.first.append(f"{name}.append({self.given[out.variable]}{'.copy()' if copied else ''})")
                else:
                    self.appended.append((name, out.variable))
                if out.kind == "stack":
                    left = f"np.stack({name}{'[::-1]' if self.loop.backward else ''})"
                elif self.loop.backward:
                    self.after.append(f"{name}.reverse()")
            if left != target:
                self.after.append(f"{target} = {left}")
        self.after += parts

    def _lengthen(self, name: str, variable: int) -> None:
        """What the first turn had is kept as long as what the others had."""
        if variable not in self.loop.lengthened or self.loop.backward:
            return
        slot = next((s for s in self.loop.slots if s.variable == variable), None)
        if slot is None:
            of = whole_symbols(self.program, self.loop.alike).of
            alike = [
                n for s, n in self.slots if s.variable in self.loop.lengthened and of.get(s.variable) == of[variable]
            ]
            shape = f"{alike[0]}.shape" if alike else f"{name}[-1].shape"
            self.after.append(f"{name}[0] = np.broadcast_to({name}[0], {shape})")
            return
        start, like = self._operand(slot), self.given[variable]
        number = start.value if isinstance(start, Const) and not np.ndim(start.value) else None
        if number is None:
            self.after.append(f"{name}[0] = np.broadcast_to({name}[0], {like}.shape)")
        elif number == 0:
            self.after.append(f"{name}[0] = np.zeros_like({like})")
        else:
            self.after.append(f"{name}[0] = np.full_like({like}, {self.printer.operand(start)[0]})")

    def _body(self) -> list[str]:
        loop, context = self.loop, self.context
        names = {c.number: self.space.claim(c.name or "constant") for c in self.program.constants}
        outside = {n: text for n, text in self.printer.names.items() if n < -1}  # lengths of lists
        given = {**outside, **self.given, **names}
        if loop.backward:
            for slot, name in self.slots:
                for primal in [p for p, g in loop.links.items() if g == slot.following]:
                    called = given.get(primal, "")
                    self.renamed[context.prefix + (called if called.isidentifier() else self._called(primal))] = name
        wanted: dict[int, str] = {}
        followings = [slot.following for slot, _ in self.slots]
        deciding = self._decisions()
        ending = None if loop.backward else loop.header.condition
        roots = [*followings, *(v for _, v in self.appended), *self.finals, *deciding]
        roots += [] if ending is None else [ending]
        for v, target in self.finals.items():
            wanted[v] = target
        for target, v in self.appended:
            if v not in self.given:
                wanted.setdefault(v, singular(target))
        request = Request(
            self.program,
            whole_symbols(self.program, loop.alike),
            loop.forward_steps,
            tuple(self.variables[v] for v in dict.fromkeys(roots)),
            given,
            loop.links,
            {v: name for v, name in wanted.items() if v not in given},
            context.prefix,
            taken=tuple((context.taken | {target for _, _, target in self.outs}) - set(self.finals.values())),
            late=loop.backward,
            owned=frozenset(slot.variable for slot, _ in self.slots if slot.written),
            renamed=self.renamed,
            alike={v: other for v, other in loop.alike.items() if v in given},
            handed=frozenset(slot.variable for slot, _ in self.slots),
            fixed=True,
            checked=self._is_checked(),
            counts={} if (start := counted_from(loop)) is None else {loop.turn: start},
        )
        statements = statements_of(request)
        forward = self.program.steps[: loop.forward_steps]
        held = [x for n in self.given if isinstance(x := self.variables.get(n), Var)]
        held.sort(key=lambda x: self.given[x.number].isidentifier())
        printer = StatementPrinter(statements, forward, context.literals, self.variables, {}, held)
        printer.lone = lone(statements.statements, request)
        printer.arrays = self.printer.arrays
        arrays = {name: self.variables.get(v) for v, name in given.items()}
        printer.numbers = context.numbers({name: x for name, x in arrays.items() if isinstance(x, Var)})
        own = frozenset(
            slot.variable
            for slot, _ in self.slots
            if (loop.backward and self._is_lone_sum(slot)) or self._is_handed_on(slot)
        )
        # What is there is so around the loop: in its body the numbers are those of other variables.
        taken = context.taken | set(statements.names.values())
        inner = replace(context, taken=taken, own=own, there=frozenset(), fixed=frozenset(given))
        override: dict[int, str] = {}
        for st in statements.statements:
            override.update(split_names(st, inner))
        statements.names.update(override)
        pairs: list[tuple[Statement, list[str]]] = []
        reads = statements.reads().union(x for x in roots if x not in deciding)
        for s in statements.statements:
            own_lines = loop_lines(s, printer, inner) if loop_in(s.step) else self._summed(printer.statement(s), s)
            number = s.step.outputs[0].number
            if number in deciding:
                own_lines = decision_checks(deciding[number], own_lines, s.targets[0], lone=number not in reads)
            pairs.append((s, own_lines))
        for number in deciding.keys() & given.keys():
            self.first += decision_checks(deciding[number], [], given[number], lone=False)
        self.printer.modules |= printer.modules
        context.bodies[id(loop)] = BodyText(statements, [own for _, own in pairs], given, printer)
        used = {x.number for s in statements.statements for t in s.steps for x in t.inputs}
        context.constants += [(names[c.number], c) for c in self.program.constants if c.number in used]
        lines = context.titled(pairs, True) if loop.backward else [line for _, own in pairs for line in own]
        lines = [*self.first, *lines]
        for target, v in self.appended:
            copied = self._shares(v)
            text = printer.operand(self.variables[v])
            lines.append(f"{target}.append({tight(text) + '.copy()' if copied else text[0]})")
        moves = []
        for slot, name in self.slots:
            following = printer.operand(self.variables[slot.following])[0]
            if following != name:
                moves.append((name, following))
        moves += [
            (target, t) for v, target in self.finals.items() if (t := printer.operand(self.variables[v])[0]) != target
        ]
        if moves:
            lines.append(f"{', '.join(n for n, _ in moves)} = {', '.join(t for _, t in moves)}")
        if ending is not None:
            asked = printer.operand(self.variables[ending])[0]
            made = f"{asked} = "
            if lines and lines[-1].startswith(made) and ending not in statements.reads():
                asked = lines.pop().removeprefix(made)
            lines += [f"if not {asked}:", f"{INDENT}break"]
            self.before.append(f"{loop.header.count.expression[1]} = 0")
            lines.insert(0, f"{loop.header.count.expression[1]} += 1")
        self.names = statements.names
        return lines or ["pass"]

    def _summed(self, lines: list[str], statement: Statement) -> list[str]:
        """``dW = dW + x`` as ``dW += x``, where the array is the loop's own."""
        target = statement.targets[0]
        slots = [slot for slot, name in self.slots if name == target]
        if len(lines) != 1 or not slots or not self.loop.backward:
            return lines
        slot = slots[0]
        if statement.step.outputs[0].number != slot.following or statement.step.operation.name not in (
            "add",
            "subtract",
        ):
            return lines
        if not any(out.kind == "next" and out.variable is slot for out in self.loop.outs):
            return lines
        value = lines[0].removeprefix(f"{target} = ")
        if statement.step.operation.name == "add" and value.endswith(f" + {target}"):
            value = f"{target} + {value.removesuffix(f' + {target}')}"
        found = re.fullmatch(rf"{re.escape(target)} ([+-]) (.*)", value)
        if found is None or not self._is_lone_sum(slot):
            return lines
        sign, rest = found[1], found[2]
        if sign == "-" and re.search(r" [+-] ", rest):
            return lines
        return [f"{target} {sign}= {rest}"]

    def _is_handed_on(self, slot: Slot) -> bool:
        """Whether an array that turns write into is only passed to a loop in the body, which may write into it too."""
        reading = [s for s in self.program.steps for x in s.inputs if x.number == slot.variable]
        others = [out.variable for out in self.loop.outs if out.kind not in ("final", "next")]
        reads = {x.number for s in self.program.steps for x in s.inputs}
        alone = len(reading) == 1 and loop_in(reading[0]) is not None and slot.following not in (*reads, *others)
        return slot.written and alone and not any(slot is v for v in others)

    def _shares(self, v: int) -> bool:
        """Whether a variable of the body lies in memory that other turns write into."""
        written = [slot for slot, _ in self.slots if slot.written]
        bases = {self._base(x) for slot in written for x in (slot.variable, slot.following)}
        return bool(getattr(self.variables[v], "shape", ())) and self._base(v) in bases

    def _base(self, v: int) -> int:
        """The variable in whose memory another one lies."""
        made = {o.number: s for s in self.program.steps for o in s.outputs}
        while v in made and made[v].inputs:
            step = made[v]
            if not (is_write(step) or (is_view(step) and not is_element(step))):
                break
            v = step.inputs[0].number
        return v


def lone(statements: Sequence[Statement], request: Request) -> set[int]:
    """Variables with a statement of their own that are read once, and no view of another array."""
    reads: dict[int, int] = {}
    for x in request.roots:
        reads[x.number] = reads.get(x.number, 0) + 1
    for s in statements:
        for step in s.steps:
            for x in {x.number: x for x in step.inputs}.values():
                reads[x.number] = reads.get(x.number, 0) + 1
    return {
        out.number
        for s in statements
        for out in s.step.outputs
        if reads.get(out.number, 0) <= 1 and not is_view(s.step) and (loop_in(s.step) is None)
    }
