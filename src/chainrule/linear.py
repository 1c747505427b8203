"""The derivative of a traced call as a linear map, forwards and backwards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.calls import TracedCall, detached, followed_zero
from chainrule.differentiate import differentiate, full, is_differentiable
from chainrule.errors import ShapeError
from chainrule.language import Message, message
from chainrule.plan import PLANS, Plan, signature_of
from chainrule.protocol import apply
from chainrule.sizes import is_size
from chainrule.tape import Tape
from chainrule.traced import Traced, value_of
from chainrule.trees import flatten, unflatten

__all__ = [
    "LinearMap",
    "OuterOrNew",
    "constant_of",
    "detached_or_followed",
    "dummies",
    "fitted",
    "floating_arguments",
    "freshness",
    "has_nan",
    "is_floating",
    "output_names",
    "output_values",
    "push_nested",
    "result_of",
    "results_of",
    "rows_nested",
    "rows_of",
    "spread",
    "tangent_dtype",
]


def result_of(x: Any, tape: Tape) -> Any:
    """A leaf of a result as it is handed to the caller: concrete, and never one of their own arrays."""
    if type(x) is not Traced:
        return x
    value = value_of(x)
    if isinstance(value, np.ndarray) and (
        value.base is not None or x.variable in tape.inputs or not value.flags.writeable
    ):
        return np.copy(value)
    return value


def results_of(tree: Any, tape: Tape) -> Any:
    """The leaves of a result as they are handed to the caller."""
    leaves, structure = flatten(tree)
    return unflatten(structure, [result_of(x, tape) for x in leaves])


def freshness(variables: Sequence[Any], boundary: int) -> tuple[bool, ...]:
    """Whether each result was made by the backward pass, and for nobody else."""
    made = [type(v) is int and v >= boundary for v in variables]
    return tuple(own and variables.index(v) == k for k, (own, v) in enumerate(zip(made, variables, strict=True)))


def has_nan(x: Any) -> bool:
    """Whether there is a NaN in an array; the sum of squares is the cheapest question."""
    if x is None:
        return False
    squares = np.vdot(x, x)
    return bool(squares != squares)


class OuterOrNew:
    """The tape that is being written already, left open; or a new one."""

    def __init__(self, outer: Tape | None) -> None:
        self.outer = outer
        self.own = Tape() if outer is None else None

    def __enter__(self) -> Tape:
        if self.own is not None:
            return self.own.__enter__()
        assert self.outer is not None
        return self.outer

    def __exit__(self, *error: object) -> None:
        if self.own is not None:
            self.own.__exit__(*error)


class LinearMap:
    """The derivative of a traced call as a linear map, in both directions, over concrete values."""

    def __init__(self, call: TracedCall) -> None:
        self.call = call
        self.tape = call.tape
        self.boundary = len(self.tape.values)
        self.outputs = [x.variable if type(x) is Traced and is_differentiable(x.value) else None for x in call.outputs]
        self._plans: dict[str, Plan] = {}
        self._looked: set[str] = set()  # the directions in which a rule looked at a value
        self._own = False

    def _run(self, direction: str, given: Sequence[Any]) -> tuple[Plan, list[Any]]:
        """The plan for this direction, and its results."""
        plan = self._plan(direction)
        if direction in self._looked:
            plan = self._anew(direction, [value_of(x) for x in given])  # the rule has to look at these values
        results = plan.run(self.tape.values, given)
        if not self._own and any(has_nan(value_of(r)) for r in results):
            # The plan may come from values that were harmless; here zero times infinity may have to be taken care of.
            self._own = True
            plan = self._plans[direction] = self._anew(direction)
            results = plan.run(self.tape.values, given)
        return plan, results

    def _plan(self, direction: str) -> Plan:
        plan = self._plans.get(direction)
        if plan is not None:
            return plan
        key = signature_of(self.tape, direction, *self.outputs, *self.call.wrt)
        plan = PLANS.get(key)
        if plan is None:
            plan = self._anew(direction)
            if direction not in self._looked:
                PLANS.put(key, plan)
        self._plans[direction] = plan
        return plan

    def _anew(self, direction: str, cotangents: Sequence[Any] | None = None) -> Plan:
        """A plan made from the values at hand."""
        tape = self.tape
        steps, guards = len(tape.steps), len(tape.guards)
        tape.closed = False
        with tape:
            plan = self._build(direction, cotangents if direction == "vjp" else None)
        if len(tape.guards) != guards:
            self._looked.add(direction)
        del tape.steps[steps:], tape.values[self.boundary :], tape.guards[guards:]
        return plan

    def _seed(self, variable: int, value: Any) -> Any:
        tape = self.tape
        seed = Traced(tape, len(tape.values), value, True)
        tape.values.append(value)
        return seed

    def _zero(self, variable: int) -> Any:
        value = self.tape.values[variable]
        zero = np.zeros(np.shape(value), np.asarray(value).dtype)
        return zero if isinstance(value, np.ndarray) else zero[()]

    def _build(self, direction: str, cotangents: Sequence[Any] | None) -> Plan:
        tape, wrt = self.tape, self.call.wrt
        # A cotangent of zeros shows where zero times infinity has to be taken care of for any cotangent.  Forward mode
        # must not see the zeros: its cotangent is a dummy, and only what is masked out may be zero in it.
        own = [v for v in self.outputs if v is not None]
        if cotangents is None:
            cotangents = [self._zero(v) for v in own] if direction == "vjp" else dummies([tape.values[v] for v in own])
        filled = iter(cotangents)
        seeds = [None if v is None else self._seed(v, next(filled)) for v in self.outputs]
        given: dict[int, Any] = {}
        for v, seed in zip(self.outputs, seeds, strict=True):
            if v is not None:
                given[v] = seed if v not in given else given[v] + seed
        found = differentiate(tape, given, wrt)
        if direction == "vjp":
            results = [_variable(found.get(v)) for v in wrt]
            return Plan(tape, self.boundary, results, [s.variable for s in seeds if s is not None])
        # Forward mode is the derivative of the pullback with respect to its cotangent.
        start = len(tape.steps)
        tangents = [self._seed(v, self._zero(v)) for v in wrt]
        gradients: dict[int, Any] = {}
        for v, tangent in zip(wrt, tangents, strict=True):
            g = found.get(v)
            if type(g) is Traced:
                tangent_g = _like_lazy(g, tangent, self.tape.values[v])
                gradients[g.variable] = tangent_g if g.variable not in gradients else gradients[g.variable] + tangent_g
        begun = [s.variable for s in seeds if s is not None]
        pushed = differentiate(tape, gradients, begun) if start or begun else {}
        results = [_variable(pushed.get(v)) for v in begun]
        return Plan(tape, self.boundary, results, [t.variable for t in tangents])

    def pull(self, cotangents: Sequence[Any]) -> list[Any]:
        """The cotangents of the inputs, one per differentiated leaf."""
        given = [g for g, v in zip(cotangents, self.outputs, strict=True) if v is not None]
        plan, results = self._run("vjp", given)
        fresh = freshness(plan.results, plan.boundary)
        return [
            detached_or_followed(r, x, own and r is not None and not any(r is g for g in given))
            for r, x, own in zip(results, self.call.wrt_values, fresh, strict=True)
        ]

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """The tangents of the outputs, one per leaf; ``None`` where there is none."""
        plan, results = self._run("jvp", tangents)
        fresh = iter(freshness(plan.results, plan.boundary))
        remaining = iter(results)
        pushed: list[Any] = []
        for v in self.outputs:
            if v is None:
                pushed.append(None)
                continue
            r, own = next(remaining), next(fresh)
            pushed.append(detached_or_followed(r, self.tape.values[v], own and not any(r is t for t in tangents)))
        return pushed


def detached_or_followed(r: Any, value: Any, fresh: bool) -> Any:
    """A result of a plan: concrete, unless it was run on stand-ins of an outer trace."""
    if type(r) is Traced:
        return apply(np.broadcast_to, r, np.shape(value)) if r.shape != np.shape(value) else r
    return detached(r, value, fresh)


def dummies(values: Sequence[Any]) -> list[Any]:
    """Cotangents of these values for forward mode, which stand for any: only what is masked out is zero behind them.

    They are short fractions among which nothing cancels, as among ones: those have no gradient in ``x - x.mean()``.
    """
    if len(values) == 1 and np.size(values[0]) == 1:
        return [np.ones_like(values[0]) if isinstance(values[0], np.ndarray) else np.asarray(values[0]).dtype.type(1)]
    random = np.random.default_rng(0)
    made = []
    for value in values:
        dtype = np.asarray(value).dtype
        array = random.integers(513, 1536, np.shape(value)) / 1024
        if dtype.kind == "c":
            array = array + 1j * random.integers(513, 1536, np.shape(value)) / 1024
        array = np.asarray(array, dtype)
        made.append(array if isinstance(value, np.ndarray) else array[()])
    return made


def _variable(g: Any) -> Any:
    return g.variable if type(g) is Traced else g


def _like_lazy(g: Any, tangent: Any, value: Any) -> Any:
    """A tangent summed down to the shape of a lazy cotangent, which stands for its broadcast."""
    shape, whole = np.shape(g.value), np.shape(value)
    if shape == whole:
        return tangent
    extra = len(whole) - len(shape)
    if extra:
        tangent = apply(np.sum, tangent, axis=tuple(range(extra)))
    axes = tuple(k for k, n in enumerate(shape) if n == 1 and whole[k + extra] != 1)
    return apply(np.sum, tangent, axis=axes, keepdims=True) if axes else tangent


def fitted(leaves: Sequence[Any], values: Sequence[Any], what: Message, names: Sequence[Message | str]) -> list[Any]:
    """Cotangents or tangents in the dtypes of the values they belong to; their shapes must be the same."""
    given = []
    for x, value, name in zip(leaves, values, names, strict=True):
        if np.shape(value_of(x)) != np.shape(value):
            raise ShapeError(
                message(
                    "{what} for {name} has shape {shape}, but {name} has shape {other}.",
                    what=what,
                    name=name,
                    shape=str(np.shape(value_of(x))),
                    other=str(np.shape(value)),
                )
            )
        if type(x) is Traced or not is_differentiable(value):
            given.append(x)
            continue
        dtype = np.asarray(value).dtype
        array = np.asarray(x)
        if array.dtype.kind == "c" and dtype.kind != "c":
            raise ShapeError(message("{what} for {name} is complex, but {name} is real.", what=what, name=name))
        array = array.astype(dtype, copy=False)
        given.append(array if isinstance(value, np.ndarray) else array[()])
    return given


def output_names(call: TracedCall) -> list[Message]:
    """How messages call each output."""
    count = len(call.outputs)
    return [message("the output")] if count == 1 else [message("output {k}", k=k) for k in range(count)]


def output_values(call: TracedCall) -> list[Any]:
    """The concrete value of each output."""
    return [value_of(x) for x in call.outputs]


def is_floating(tree: Any) -> bool:
    """Whether an argument can be differentiated: all of its leaves are floats."""
    leaves = flatten(tree)[0]
    return bool(leaves) and all(is_differentiable(value_of(x)) and not is_size(x) for x in leaves)


def floating_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[int | str]:
    """The arguments that can be differentiated: positions, and names of keyword arguments."""
    positions: list[int | str] = [n for n, a in enumerate(args) if is_floating(a)]
    return [*positions, *(k for k, v in kwargs.items() if is_floating(v))]


def spread(gathered: Sequence[Any], positions: Sequence[int], count: int) -> tuple[Any, ...]:
    """One entry per argument: ``None`` for those that are not differentiated."""
    by_position = dict(zip(positions, gathered, strict=True))
    return tuple(by_position.get(n) for n in range(count))


def constant_of(tape: Tape, array: Any) -> Any:
    """A plain array as a stand-in of a constant."""
    variable = tape.constant(array)
    return Traced(tape, variable, tape.values[variable], False)


def tangent_dtype(value: Any) -> Any:
    """The dtype of the tangent of an output."""
    dtype = np.asarray(value).dtype
    return dtype if dtype.kind in "fc" else np.float64


def push_nested(call: TracedCall, tangents: Sequence[Any]) -> list[Any]:
    """The tangents of the outputs of a call inside a traced function, as steps on its tape."""
    tape = call.tape
    seeds: list[Any] = []
    given: dict[int, Any] = {}
    start = len(tape.steps)
    filled = iter(dummies([x.value for x in call.outputs if type(x) is Traced and is_differentiable(x.value)]))
    for x in call.outputs:
        if type(x) is not Traced or not is_differentiable(x.value):
            seeds.append(None)
            continue
        seed = Traced(tape, len(tape.values), next(filled), True)
        tape.values.append(seed.value)
        seeds.append(seed)
        given[x.variable] = seed if x.variable not in given else given[x.variable] + seed
    found = differentiate(tape, given, call.wrt, start=call.start)
    gradients: dict[int, Any] = {}
    for v, tangent in zip(call.wrt, tangents, strict=True):
        g = found.get(v)
        if type(g) is Traced:
            if type(tangent) is not Traced:
                tangent = full(tape, tangent, tape.values[v]) if np.ndim(tangent) == 0 else constant_of(tape, tangent)
            summed = _like_lazy(g, tangent, tape.values[v])
            gradients[g.variable] = summed if g.variable not in gradients else gradients[g.variable] + summed
    own = [s.variable for s in seeds if s is not None]
    pushed = differentiate(tape, gradients, own, start=start)
    return [
        followed_zero(tape, None if s is None else pushed.get(s.variable), value_of(x))
        for s, x in zip(seeds, call.outputs, strict=True)
    ]


def rows_of(linear: LinearMap, output: int, value: Any) -> list[list[Any]]:
    """Per differentiated leaf, the gradient of each element of one output."""
    rows: list[list[Any]] = [[] for _ in linear.call.wrt]
    cotangents = [
        np.zeros(np.shape(v), np.asarray(v).dtype) if is_differentiable(v) else v for v in output_values(linear.call)
    ]
    size = math.prod(np.shape(value))
    for k in range(size):
        basis = np.zeros(size, np.asarray(value).dtype)
        basis[k] = 1
        cotangents[output] = basis.reshape(np.shape(value)) if isinstance(value, np.ndarray) else basis[0]
        for row, g in zip(rows, linear.pull(cotangents), strict=True):
            row.append(g)
    return rows


def rows_nested(call: TracedCall, x: Any, stop: int) -> list[list[Any]]:
    """As :func:`rows_of`, for a call inside a traced function."""
    tape = call.tape
    rows: list[list[Any]] = [[] for _ in call.wrt]
    value = value_of(x)
    size = math.prod(np.shape(value))
    for k in range(size):
        basis = np.zeros(size, np.asarray(value).dtype)
        basis[k] = 1
        g = constant_of(tape, basis.reshape(np.shape(value)))
        if not isinstance(value, np.ndarray):
            g = g[()]
        found = (
            {} if type(x) is not Traced else differentiate(tape, {x.variable: g}, call.wrt, start=call.start, stop=stop)
        )
        for row, v in zip(rows, call.wrt, strict=True):
            row.append(followed_zero(tape, found.get(v), tape.values[v]))
    return rows
