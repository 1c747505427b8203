"""Exponentials and powers of the forward pass, known again in what the backward pass computes anew.

``exp(x - log(s))`` is ``exp(x) / s`` where ``exp(x)`` is there, ``x**-1.5`` is the cube of ``x**-0.5``, and
``x * x**(p - 1)`` is ``x**p``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.ir import Const, Step, Var
from chainrule.simplify.linear_algebra import operation
from chainrule.simplify.normal_form import Table
from chainrule.simplify.scalars import UNIT, ZERO, Coefficient, power_of, times
from chainrule.simplify.values import Power, Ref, Value, function_of, multiply_by

__all__ = ["Powers", "logarithm_of"]

_DEPTH = 3  # of sums of sums
_MOST_TERMS = 6
_LARGEST = 8  # power of a power
_MINUS = Coefficient(Fraction(-1))


def _key(ref: Ref) -> Any:
    return ref[1].number, ref[0]


@dataclass(slots=True, eq=False)
class Powers:
    """What is known of exponentials and powers while a program is read.

    Attributes:
        exponentials: by exponent.
        raised: by base, exponents and powers of the forward pass.
        lowered: by number of ``x**(p - 1)``, ``x`` and ``x**p``.
        producers: the steps, by variable.
        guarded: by number of ``x**e`` with an exponent that is guarded at ``x = p = 0`` element by element, the
            variable ``p`` and the same power guarded at ``p = 0`` alone, which is as good where it is multiplied by p.
    """

    exponentials: dict[Any, Ref] = field(default_factory=dict)
    raised: dict[Any, list[tuple[Any, Ref]]] = field(default_factory=dict)
    lowered: dict[int, tuple[Ref, Ref]] = field(default_factory=dict)
    producers: dict[int, Step] = field(default_factory=dict)
    guarded: dict[int, tuple[int, Value]] = field(default_factory=dict)

    # ---- exponentials

    def exponential(self, table: Table, exponent: Ref) -> Ref | None:
        """``exp(x - log(s))`` as ``exp(x) / s``: a softmax by its logarithm."""
        terms = _flat(table, exponent, _DEPTH)
        arguments = {v: logarithm_of(table, v) for c, v in terms if c in (UNIT, _MINUS)}
        logs = [(c, v) for c, v in terms if arguments.get(v) is not None]
        if not logs or len(terms) == len(logs) or len(terms) > _MOST_TERMS:
            return None
        known = self.exponentials.get(_key(table.add([t for t in terms if t not in logs])))
        if known is None:
            return None
        coefficient, factors = known[0], list(known[1].factors)
        for c, v in logs:
            p = 1 if c == UNIT else -1
            argument = arguments[v]
            assert argument is not None
            scale = power_of(argument[0], p)
            if scale is None:
                return None
            coefficient = times(coefficient, scale)
            factors += [(f, q * p) for f, q in argument[1].factors]
        return table.product(coefficient, factors)

    # ---- powers

    def note(self, step: Step, base: Ref | None, value: Ref, forward: bool) -> None:
        """Remember what a step computes, where that is an exponential or a power."""
        function = step.operation.function
        if base is None:
            return
        if function is np.exp and forward:
            self.exponentials.setdefault(_key(base), value)
        elif function is np.power and value[1].kind == "op" and forward:
            self.raised.setdefault(_key(base), []).append((_exponent(step.inputs[1]), value))
        elif function is np.power and value[1].kind == "op" and value[0] == UNIT:
            self._note_lowered(base, step.inputs[1], value[1])

    def power(self, table: Table, base: Ref, exponent: Var | Const) -> Ref | None:
        """A power of a power that the forward pass holds."""
        wanted = _exponent(exponent)
        if type(wanted) is not float:
            return None
        for known, value in self.raised.get(_key(base), ()):
            if type(known) is float and known:
                times_more = wanted / known
                if times_more == int(times_more) and 1 < abs(times_more) <= _LARGEST:
                    return table.power(value, int(times_more))
        return None

    def note_guarded(self, table: Table, step: Step, base: Ref | None, value: Ref, refs: Any, dtype: Any) -> None:
        """Remember the power of the backward pass in ``p * x**where((x == 0) & (p == 0), 1, p - 1)``, p a number."""
        exponent = self._made(step.inputs[1], np.where)
        if base is None or exponent is None or not isinstance(exponent.inputs[2], Var):
            return
        less = self._made(exponent.inputs[2], np.subtract)
        both = self._made(exponent.inputs[0], np.bitwise_and)
        if less is None or both is None or not isinstance(p := less.inputs[0], Var) or p.shape:
            return
        zero = next((y for y in both.inputs if isinstance(y, Var) and not y.shape), None)
        test = None if zero is None else self._made(zero, np.equal)
        if zero is None or test is None or test.inputs[0] is not p or value[0] != UNIT:
            return
        guard = operation(
            table, np.where, (refs[zero.number], (ZERO, table.one), refs[less.outputs[0].number]), (), (), dtype
        )
        power = operation(table, np.power, (base, table.ref(UNIT, guard)), value[1].dims, (), dtype)
        self.guarded[value[1].number] = p.number, power
        if value[1].number in self.lowered:
            self.lowered[power.number] = self.lowered[value[1].number]

    def multiplied(self, x: Var | Const, ref: Ref) -> Ref:
        """A power with the simpler guard, where it is multiplied by its exponent x."""
        number, power = self.guarded.get(ref[1].number, (None, None))
        return (ref[0], power) if power is not None and x.number == number else ref

    def _made(self, x: Var | Const, function: Any) -> Step | None:
        """The step that makes a variable, where that applies a function."""
        step = self.producers.get(x.number) if isinstance(x, Var) else None
        return step if step is not None and step.operation.function is function else None

    def _note_lowered(self, base: Ref, exponent: Var | Const, value: Value) -> None:
        """Remember a power of the backward pass whose exponent is that of the forward pass minus one."""
        wanted = self._one_more(exponent)
        for known, raised in self.raised.get(_key(base), ()):
            if wanted is not None and known == wanted:
                self.lowered[value.number] = base, raised

    def _one_more(self, exponent: Var | Const) -> Any:
        """The exponent ``p`` of ``p - 1``, also where it is guarded at ``x = p = 0``."""
        if isinstance(exponent, Const):
            return exponent.value + 1.0 if exponent.number < 0 and type(exponent.value) in (int, float) else None
        step = self.producers.get(exponent.number)
        if step is not None and step.operation.function is np.where and len(step.inputs) == 3:
            last = step.inputs[2]
            step = self.producers.get(last.number) if isinstance(last, Var) else None
        if step is None or step.operation.function is not np.subtract:
            return None
        p, one = step.inputs
        return _exponent(p) if isinstance(one, Const) and one.number < 0 and one.value == 1 else None

    def merge(self, table: Table, powers: dict[Value, Power]) -> Ref | None:
        """``x * x**(p - 1)`` is ``x**p``, and ``x**(p - 1) / x**p`` is ``1 / x``, in place; the rest is returned."""
        for value, p in list(powers.items()):
            known = self.lowered.get(value.number) if p == 1 else None
            if known is None:
                continue
            (coefficient, base), raised = known
            below = power_of(coefficient, -1)
            if below is not None and powers.get(raised[1], 0) <= -1:
                multiply_by(powers, ((value, -1), (raised[1], 1), *((f, -q) for f, q in base.factors)))
                return times(below, raised[0]), table.one
            if below is None or not base.factors or not all(powers.get(f, 0) / q >= 1 for f, q in base.factors):
                continue
            multiply_by(powers, ((value, -1), *((f, -q) for f, q in base.factors)))
            return times(below, raised[0]), raised[1]
        return None


def _exponent(x: Var | Const) -> Any:
    if isinstance(x, Const) and x.number < 0:
        return float(x.value) if type(x.value) in (int, float) else None
    return ("variable", x.number)


def _flat(table: Table, ref: Ref, depth: int) -> list[Ref]:
    """The terms of a sum of sums of the forward pass."""
    coefficient, value = ref
    inner = value.parts[0][1] if value.kind == "view" else value
    terms = inner.definition or (inner.parts if inner.kind == "sum" else None)
    if terms is None or not depth:
        return [ref]
    if value.kind == "view":
        terms = tuple(table.view(t, value.details, len(inner.dims)) for t in terms)
    found: list[Ref] = []
    for c, v in terms:
        # What the exponential of is known stays together.
        found += (
            _flat(table, (times(coefficient, c), v), depth - 1)
            if _has_logarithm(v, depth - 1)
            else [(times(coefficient, c), v)]
        )
    return found


def _has_logarithm(value: Value, depth: int) -> bool:
    inner = value.parts[0][1] if value.kind == "view" else value
    if function_of(inner) is np.log:
        return True
    terms = inner.definition or (inner.parts if inner.kind == "sum" else ())
    return depth > 0 and any(_has_logarithm(v, depth - 1) for _, v in terms)


def logarithm_of(table: Table, value: Value) -> Ref | None:
    """What a value is the logarithm of, seen as the value is."""
    inner = value.parts[0][1] if value.kind == "view" else value
    if function_of(inner) is not np.log or type(inner.parts[0]) is not tuple:
        return None
    argument: Ref = inner.parts[0]
    return table.view(argument, value.details, len(inner.dims)) if value.kind == "view" else argument
