"""A backward pass made ready to run again.

Tracing happens at every call, so that the result is always right; but the backward pass of a trace that
has been seen before is known.  :func:`signature_of` describes a trace completely up to the values in it;
a :class:`Plan` is the backward part of a tape with dead steps removed, which runs on the values of any
tape with the same description.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from chainrule.dispatch import evaluator
from chainrule.indexing import add_item, add_item_in_place, set_item, set_item_in_place
from chainrule.sizes import plain_number
from chainrule.tape import Tape

__all__ = ["PLANS", "Plan", "signature_of"]

_LONGEST = 20_000  # steps; longer programs are rarely run twice, and their descriptions are large
# The same computations with less of NumPy's Python around them.
_SHORTCUTS: dict[Any, Callable[..., Any]] = {np.sum: np.add.reduce}
_METHODS: dict[Any, Callable[..., Any]] = {np.transpose: operator.attrgetter("T"), np.matmul: operator.matmul}
_SYMBOLS = {operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/", operator.pow: "**",
            operator.gt: ">", operator.eq: "==", operator.matmul: "@"}  # fmt: skip
_HARMLESS = frozenset(
    (operator.add, operator.sub, operator.mul, operator.neg, operator.gt, operator.eq, operator.matmul, np.add.reduce,
     np.greater, np.less, np.equal, np.transpose, _METHODS[np.transpose], np.reshape, np.broadcast_to, np.dot)
)  # fmt: skip
_FRESH = frozenset((np.zeros_like, np.sum, np.copy, np.matmul, np.dot, set_item, add_item))
_LONGEST_SOURCE = 500  # steps; compiling more takes longer than many runs save
_OPERATORS: dict[Any, Callable[..., Any]] = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul, np.divide: operator.truediv,
    np.power: operator.pow, np.negative: operator.neg, np.greater: operator.gt, np.equal: operator.eq,
}  # fmt: skip


def _freeze(x: Any) -> Any:
    """A hashable description of a static argument, in which ``2``, ``2.0`` and ``True`` differ."""
    kind = type(x)
    if kind is tuple or kind is list:
        return (kind, *map(_freeze, x))
    if kind is dict:
        return (dict, *[(k, _freeze(v)) for k, v in x.items()])
    if kind is slice:
        return (slice, x.start, x.stop, x.step)
    if kind is np.ndarray:
        return (x.dtype, x.shape, x.tobytes())
    if kind is float and x == 0:
        return repr(x)
    return (kind, x)


def signature_of(tape: Tape, *extra: Any) -> Any:
    """What a trace is, up to the values in it; ``None`` where it cannot be described."""
    steps, values = tape.steps, tape.values
    if len(steps) > _LONGEST:
        return None
    key = (
        extra,
        tuple([(s[0], s[1], s[3], _freeze(s[2]) if s[2] else None) for s in steps]),
        tuple([v.shape if type(v) is np.ndarray else type(v) for v in values]),
        tuple([values[v].dtype for v in tape.leaves if type(values[v]) is np.ndarray]),
    )
    try:
        hash(key)
    except TypeError:
        return None
    return key


class Plan:
    """The backward steps that some results need, over the forward values of a tape.

    Args:
        tape: a tape that has been differentiated.
        boundary: the number of variables that the forward pass made; those are taken from ``values``.
        results: the wanted variables, or plain numbers.
        inputs: variables made after the boundary whose values are given at each run (cotangents).
    """

    def __init__(self, tape: Tape, boundary: int, results: Sequence[Any], inputs: Sequence[int] = ()) -> None:
        self.boundary = boundary
        self.results = tuple(results)
        self.inputs = tuple(inputs)
        needed = {r for r in results if type(r) is int}
        kept = []
        for step in reversed(tape.steps):
            outputs = step[3] if type(step[3]) is tuple else (step[3],)
            if outputs[0] < boundary:
                break
            if not needed.isdisjoint(outputs):
                kept.append(step)
                needed.update(x for x in step[1] if type(x) is int)
        kept.reverse()
        made = {v for step in kept for v in (step[3] if type(step[3]) is tuple else (step[3],))}
        # Constants that rules registered: arrays that depend on shapes only.
        self.constants = [
            (v, tape.values[v]) for v in sorted(needed) if v >= boundary and v not in made and v not in self.inputs
        ]
        self.size = len(tape.values)
        self.weight = self.size + 500  # what keeping it costs, roughly in steps
        # Python's numbers among the forward values: rules are given NumPy's, whose division by zero is infinite.
        self.numbers = [v for v in sorted(needed) if v < boundary and type(tape.values[v]) in (float, complex)]
        self.steps = self._compile(kept)
        # Sums and products of finite numbers are no NaN; anything else might have an infinite slope somewhere.
        self.may_make_nan = not all(step[0] in _HARMLESS for step in self.steps)
        self._runs = 0
        self._compiled: Callable[[Sequence[Any], Sequence[Any]], list[Any]] | None = None

    def _compile(self, kept: list[Any]) -> list[Any]:
        compiled: list[Any] = []
        literals: dict[Any, int] = {}
        self.literals: list[Any] = []
        last = self._last_uses(kept)
        for number, (operation, inputs, params, outputs, _, _) in enumerate(kept):
            slots = []
            for x in inputs:
                if type(x) is int:
                    slots.append(x)
                    continue
                value = plain_number(x[0])
                key = (type(value), repr(value))
                if key not in literals:
                    literals[key] = self.size + len(self.literals)
                    self.literals.append(value)
                slots.append(literals[key])
            function = operation.function
            if operation.kind == "elementwise" and not params and len(slots) <= 2:
                function = _OPERATORS.get(function, function)
            elif function is set_item or function is add_item:
                if inputs[0] in last and last[inputs[0]] == number:
                    function = set_item_in_place if function is set_item else add_item_in_place
            else:
                function = evaluator(operation)
            if function in _SHORTCUTS and (params or {}).keys() <= {"axis", "keepdims"}:
                function, params = _SHORTCUTS[function], {"axis": None, **params}
            elif not params:
                function = _METHODS.get(function, function)
            dead = [x for x in inputs if type(x) is int and x >= self.boundary and last.get(x) == number]
            compiled.append((function, tuple(slots), params or None, outputs, tuple(dead)))
        return compiled

    def _last_uses(self, kept: list[Any]) -> dict[int, int]:
        """For each variable made by these steps, the last step that uses it or anything sharing its memory.

        Elementwise results own their memory, and so does what is written at an index (it is a copy, or takes
        the memory of an array that nobody reads again).  Everything else might be a view of its operands, and
        is treated as one: writing in place is only allowed when nobody can notice.
        """
        owner: dict[int, set[int]] = {}
        last: dict[int, int] = {}
        made: set[int] = set()
        for number, (operation, inputs, _, outputs, _, _) in enumerate(kept):
            variables = [x for x in inputs if type(x) is int]
            for x in variables:
                for shared in {x} | owner.get(x, set()):
                    last[shared] = number
            fresh = operation.kind == "elementwise" or operation.function in _FRESH or operation.name == "zeros_like"
            for v in outputs if type(outputs) is tuple else (outputs,):
                made.add(v)
                if not fresh:
                    owner[v] = set().union(*({x} | owner.get(x, set()) for x in variables)) if variables else set()
        for r in self.results:
            if type(r) is int:
                for shared in {r} | owner.get(r, set()):
                    last[shared] = len(kept)
        # Memory that comes from outside (forward values, constants, given cotangents), and views, are never written.
        return {v: n for v, n in last.items() if v in made and not owner.get(v)}

    def run(self, values: Sequence[Any], inputs: Sequence[Any] = ()) -> list[Any]:
        """The results, given the forward values and the inputs."""
        if self.numbers:
            values = list(values)
            for v in self.numbers:
                values[v] = np.asarray(values[v])[()]
        if self._compiled is None:
            if self._runs == 0 or len(self.steps) > _LONGEST_SOURCE:
                self._runs += 1
                return self._interpret(values, inputs)
            self._compiled = self._compile_source()
        with np.errstate(all="ignore"):
            return self._compiled(values, inputs)

    def _interpret(self, values: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """Run the steps one by one."""
        env: list[Any] = [*values[: self.boundary], *[None] * (self.size - self.boundary), *self.literals]
        for v, value in self.constants:
            env[v] = value
        for v, value in zip(self.inputs, inputs, strict=True):
            env[v] = value
        with np.errstate(all="ignore"):
            for function, slots, params, outputs, dead in self.steps:
                result = function(*[env[k] for k in slots], **(params or {}))
                if type(outputs) is int:
                    env[outputs] = result
                else:
                    for v, part in zip(outputs, result, strict=True):
                        env[v] = part
                for v in dead:
                    env[v] = None
        return [env[r] if type(r) is int else r for r in self.results]

    def _compile_source(self) -> Callable[[Sequence[Any], Sequence[Any]], list[Any]]:
        """The steps as one Python function, which saves the interpreter's share of small calls."""
        namespace: dict[str, Any] = {f"c{v}": value for v, value in self.constants}
        namespace |= {f"l{self.size + k}": value for k, value in enumerate(self.literals)}
        given = {v: f"inputs[{k}]" for k, v in enumerate(self.inputs)}
        constant = {v for v, _ in self.constants}

        def name(v: int) -> str:
            if v < self.boundary:
                return f"values[{v}]"
            if v >= self.size:
                return f"l{v}"
            return given.get(v) or (f"c{v}" if v in constant else f"v{v}")

        lines = []
        for number, (function, slots, params, outputs, dead) in enumerate(self.steps):
            operands = [name(k) for k in slots]
            symbol = _SYMBOLS.get(function)
            if symbol is not None and len(operands) == 2:
                call = f"{operands[0]} {symbol} {operands[1]}"
            elif function is _METHODS[np.transpose]:
                call = f"{operands[0]}.T"
            else:
                namespace[f"f{number}"] = function
                for key, value in (params or {}).items():
                    namespace[f"p{number}_{key.replace(' ', '_')}"] = value
                simple = all(key.isidentifier() for key in params or ())
                if simple:
                    operands += [f"{key}=p{number}_{key}" for key in params or ()]
                else:
                    namespace[f"p{number}"] = params
                    operands.append(f"**p{number}")
                call = f"f{number}({', '.join(operands)})"
            targets = (outputs,) if type(outputs) is int else outputs
            lines.append(f"    {', '.join(f'v{v}' for v in targets)}{',' if type(outputs) is tuple else ''} = {call}")
            lines += [f"    v{v} = None" for v in dead if v not in given and v not in constant]
        results = []
        for k, r in enumerate(self.results):
            if type(r) is not int:
                namespace[f"r{k}"] = r
            results.append(name(r) if type(r) is int else f"r{k}")
        source = "\n".join(["def backward(values, inputs):", *lines, f"    return [{', '.join(results)}]"])
        exec(compile(source, "<backward pass>", "exec"), namespace)
        compiled: Callable[[Sequence[Any], Sequence[Any]], list[Any]] = namespace["backward"]
        return compiled


class _Plans:
    """Plans by description, the least recently used forgotten first; together they hold a limited number of steps."""

    def __init__(self, capacity: int = 200_000) -> None:
        self._plans: OrderedDict[Any, Plan] = OrderedDict()
        self._capacity = capacity
        self._held = 0

    def get(self, key: Any) -> Plan | None:
        """The plan for this description, if there is one."""
        if key is None:
            return None
        plan = self._plans.get(key)
        if plan is not None:
            with suppress(KeyError):  # another thread may just have removed it
                self._plans.move_to_end(key)
        return plan

    def put(self, key: Any, plan: Plan) -> None:
        """Remember a plan."""
        if key is None:
            return
        if key not in self._plans:
            self._held += plan.weight
        self._plans[key] = plan
        while self._held > self._capacity and len(self._plans) > 1:
            with suppress(KeyError):
                self._held -= self._plans.popitem(last=False)[1].weight

    def clear(self) -> None:
        """Forget everything."""
        self._plans.clear()
        self._held = 0


PLANS = _Plans()
