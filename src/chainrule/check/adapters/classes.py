"""Candidates that are classes with ``forward`` and ``backward``: made anew, filled with the arrays, run, read."""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule.check.adapters.adapter import Origin, Task, changed_in, handed_over, origin_of
from chainrule.check.adapters.attributes import Holder, gradients_held, holders, place, put, snapshot
from chainrule.check.adapters.constructing import Construction, method_of, nature_of
from chainrule.check.adapters.forwards import ForwardValues, function_node, returned_names
from chainrule.check.adapters.functions import COTANGENT, Role, arranged, roles_of, value_of_role
from chainrule.check.adapters.naming import gradient_target, is_rate_name
from chainrule.check.adapters.observing import Observed, observe
from chainrule.check.adapters.reading import Reader, is_array, kept
from chainrule.check.candidate import Answer, CandidateError
from chainrule.language import Message, listed, message

__all__ = ["ClassAdapter"]

_RATE = 0.5  # a learning rate that is exact, where the candidate asks for one


@dataclass(slots=True)
class _Pass:
    """One instance, on its way."""

    instance: Any
    places: Mapping[str, Holder]
    handed: list[tuple[str, Any, Any]] = field(default_factory=list)
    stepped: dict[str, Any] = field(default_factory=dict)  # what weights were before it took a step with them


def _origin_of(kind: type) -> Origin:
    """Where the source of a class is, and of those that it is made of."""
    return origin_of(*(c for c in (kind, *kind.__mro__[1:-1]) if c.__module__ != "builtins"))


class ClassAdapter:
    """A class with a forward and a backward method, or an instance of one.

    Args:
        candidate: the class or instance.
        task: what it is the backward pass of.

    Raises:
        CandidateError: where it cannot be told how it is made or called.
    """

    style = "class"
    needs_forward = False

    def __init__(self, candidate: Any, task: Task) -> None:
        self.task = task
        kind = candidate if isinstance(candidate, type) else type(candidate)
        self.kind = kind
        self.name = kind.__name__
        self.forward_name, self.backward_name = method_of(kind, "forward"), method_of(kind, "backward")
        self.forward_method, self.backward_method = getattr(kind, self.forward_name), getattr(kind, self.backward_name)
        self.origin = _origin_of(kind)
        self.notes: tuple[Message, ...] = ()
        self.taken = self._forward_parameters()
        self.construction = Construction(candidate, task, tuple(self.taken.values()))
        self.roles, notes = self._backward_roles()
        self.takes_cotangent = any(role.kind == "cotangent" for role in self.roles.values())
        self.notes += (*notes, *self.construction.notes)
        inputs = tuple(n for n in self.taken.values() if n in task.facts.floats)
        self.inputs = inputs
        self.reader = self.read()
        self.wrt = task.wrt or task.facts.arrays or task.facts.floats
        self.wrt = task.wrt or self._tried()

    def remade(self, kind: type) -> ClassAdapter:
        """The same for a class that is this one but for a line: what its parameters stand for is known."""
        other = copy.copy(self)
        other.kind, other.origin = kind, _origin_of(kind)
        other.forward_method = getattr(kind, self.forward_name)
        other.backward_method = getattr(kind, self.backward_name)
        other.construction = copy.copy(self.construction)
        other.construction.kind = kind
        other.reader = other.read()
        return other

    def read(self) -> Reader:
        """What reads the gradients that it returns."""
        returned = returned_names(function_node(self.backward_method))
        return Reader(self.task.facts, None, None if returned is None else tuple(returned), (), "")

    # ---- who is who
    def _is_static(self, name: str) -> bool:
        return isinstance(inspect.getattr_static(self.kind, name), staticmethod)

    def _forward_parameters(self) -> dict[str, str]:
        """The argument that each parameter of the forward method stands for."""
        return nature_of(self.forward_method, self.task, 0 if self._is_static(self.forward_name) else 1)

    def _backward_roles(self) -> tuple[dict[str, Role], list[Message]]:
        parameters = list(inspect.signature(self.backward_method).parameters)
        rates = [n for n in parameters if is_rate_name(n)]
        skip = [*([] if self._is_static(self.backward_name) else parameters[:1]), *rates]
        roles, notes = roles_of(self.backward_method, self.task, function_node(self.backward_method), skip)
        for name in rates:
            if inspect.signature(self.backward_method).parameters[name].default is inspect.Parameter.empty:
                roles[name] = Role("rate")
        return roles, notes

    def _tried(self) -> tuple[str, ...]:
        """The arguments that it gives gradients for, found by trying it on the example."""
        answer = self.answer(self.task.example, self.task.cotangent(), False)
        given = {*answer.gradients, *self._declared()} if answer.gradients else {}
        order = [n for n in self.task.facts.floats if n in given]
        return tuple(order) or self.wrt

    def _declared(self) -> set[str]:
        """The arguments for whose gradients it has an attribute, which may never have been set."""
        stored = [
            n.attr
            for n in ast.walk(ast.parse(self.origin.source or "pass"))
            if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
        ]
        targets = [gradient_target(n.strip("_"), self.task.facts.arrays, strict=True) for n in stored]
        return {n for n in targets if n is not None}

    # ---- one pass
    def _begun(self, values: ForwardValues) -> _Pass:
        instance, given = self.construction.made(values)
        places = holders(instance, [n for n in values.arguments if n not in self.taken.values()], given)
        return _Pass(instance, self.construction.filled(instance, places, values))

    def _forward(self, begun: _Pass, values: ForwardValues) -> Observed:
        given = {p: values.arguments.get(n) for p, n in self.taken.items()}
        named = handed_over(given)
        begun.handed = [(self.taken[p], h, b) for p, h, b in named]
        arguments = {p: h for p, h, _ in named}
        method = getattr(begun.instance, self.forward_name)
        args, kwargs = arranged(inspect.signature(method), arguments)
        return observe(lambda: method(*args, **kwargs), self.origin.files, False)

    def _backward(self, begun: _Pass, values: ForwardValues, cotangent: Any, look: bool) -> tuple[Observed, float]:
        result = self._given_back(begun, values, cotangent)
        method = getattr(begun.instance, self.backward_name)
        args, kwargs = arranged(inspect.signature(method), result)
        rate = self._rate(begun.instance, result)
        return observe(lambda: method(*args, **kwargs), self.origin.files, look), rate

    def _given_back(self, begun: _Pass, values: ForwardValues, cotangent: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for parameter, role in self.roles.items():
            if role.kind == "default":
                continue
            already = [h for n, h, _ in begun.handed if role.kind == "argument" and n == role.name]
            if already:
                found[parameter] = already[0]  # what forward was given
                continue
            value = _RATE if role.kind == "rate" else value_of_role(role, values, cotangent, self.roles)
            (_, handed, before) = handed_over({parameter: value})[0]
            begun.handed.append((COTANGENT if role.kind == "cotangent" else role.name or parameter, handed, before))
            found[parameter] = handed
        return found

    def _rate(self, instance: Any, given: Mapping[str, Any]) -> float:
        """The learning rate, where the backward pass takes a step itself."""
        rates = [x for n, x in given.items() if is_rate_name(n)]
        parameters = inspect.signature(self.backward_method).parameters
        rates += [p.default for n, p in parameters.items() if is_rate_name(n) and p.default is not p.empty]
        rates += [x for n, x in getattr(instance, "__dict__", {}).items() if is_rate_name(n.strip("_"))]
        numbers = [float(x) for x in rates if isinstance(x, int | float) and x]
        return numbers[0] if numbers else 0.0

    def _run(self, begun: _Pass, values: ForwardValues, cotangent: Any, look: bool) -> Answer:
        forward = self._forward(begun, values)
        if forward.error is not None:
            return Answer({}, (), forward.error, forward.error_line, changed_in(begun.handed), forward.notes)
        output, cache = forward.result, None
        if isinstance(output, tuple) and len(output) > 1 and not isinstance(values.output, tuple | list):
            output, cache = output[0], output[1] if len(output) == 2 else output[1:]
        output = copy.deepcopy(output)
        own = replace(values, output=output if is_array(output) else None, cache=cache)
        before = snapshot(begun.instance)
        weights = {n: np.array(place(begun.instance, h), copy=True) for n, h in begun.places.items()}
        seen, rate = self._backward(begun, own, cotangent, look)
        notes = (*forward.notes, *seen.notes)
        changed = changed_in(begun.handed)
        if seen.error is not None:
            return Answer({}, seen.seen, seen.error, seen.error_line, changed, notes, output)
        steps = {n: w - place(begun.instance, begun.places[n]) for n, w in weights.items()}
        steps = {n: step for n, step in steps.items() if np.any(step)}
        try:
            found = self._found(seen.result, begun, values, before)
        except CandidateError as error:
            return Answer({}, seen.seen, error, None, changed, notes, output)
        for name, step in steps.items():
            if name not in found and rate:
                found[name] = step / rate
                notes += (message("The gradient of {name} is read from the step that it takes itself.", name=name),)
            elif name in found and _is_along(step, found[name]):
                begun.stepped[name] = weights[name]
            elif not rate and name not in changed:
                changed += (name,)
        if begun.stepped:
            which = listed(begun.stepped)
            text = message(
                "Its backward pass takes a step with {arrays}, too; that is undone after each call.", arrays=which
            )
            notes += (text,)
        shaped = {n: begun.places[n].back(g) if n in begun.places else g for n, g in found.items()}
        wanted = {n: g for n, g in shaped.items() if n in (self.task.wrt or self.task.facts.floats)}
        if not wanted:
            missing = CandidateError(
                message(
                    "{method} gave no gradient that could be found: it returned {kind}, and the attributes are {own}.\n"
                    "  Instead: return the gradients, or keep them as self.dW, self.grads['W'] or the like.",
                    method=f"{self.name}.{self.backward_name}",
                    kind=type(seen.result).__name__,
                    own=listed(getattr(begun.instance, "__dict__", {})) or message("none"),
                )
            )
            return Answer({}, seen.seen, missing, None, changed, notes, output)
        return Answer(kept(wanted), seen.seen, None, None, changed, notes, output)

    def _found(self, result: Any, begun: _Pass, values: ForwardValues, before: Mapping[str, Any]) -> dict[str, Any]:
        """The gradients that were returned, and those that it keeps."""
        targets = self.task.facts.floats
        held = gradients_held(begun.instance, targets, begun.places, before)
        returned = self._returned(result, values, held)
        return {**held, **returned}

    def _returned(self, result: Any, values: ForwardValues, held: Mapping[str, Any]) -> dict[str, Any]:
        if result is None or result is False or result is True:
            return {}
        inputs = self.inputs
        names = self.reader.returned
        if is_array(result):
            told = Reader(replace(self.task.facts), None, names)
            found, assumed = told.understood(result, None, values.arguments)
            if assumed and inputs:
                return {inputs[0]: result}
            return found
        if isinstance(result, tuple | list):
            size = len(result)
            targets = [None if n is None else gradient_target(n, self.task.facts.floats) for n in names or ()]
            if names is None or len(names) != size or all(t is None for t in targets):
                names = None  # names of nothing that is differentiated say nothing: `return dx, carry`
            free = tuple(n for n in self.task.facts.arrays if n not in held)
            for order in (inputs, self.task.facts.arrays, self.task.facts.floats, free):
                if size == len(order) and (names is None or order != inputs or size == len(self.task.facts.arrays)):
                    return {n: x for n, x in zip(order, result, strict=True) if x is not None}
        return self.reader.read(result, values.output, values.arguments)

    # ---- answers
    def answer(self, values: ForwardValues, cotangent: Any, look: bool) -> Answer:
        """Run it once, on a new instance."""
        made = observe(lambda: self._begun(values), self.origin.files, False)
        if made.error is not None:
            return Answer({}, (), made.error, made.error_line)
        return self._run(made.result, values, cotangent, look)

    def again(self, values: ForwardValues, cotangent: Any) -> tuple[Answer, Answer]:
        """Forward and backward twice on one instance; where it has a way to clear its gradients, cleared between."""
        made = observe(lambda: self._begun(values), self.origin.files, False)
        if made.error is not None:
            failed = Answer({}, (), made.error, made.error_line)
            return failed, failed
        begun: _Pass = made.result
        first = self._run(begun, values, cotangent, False)
        for name, weights in begun.stepped.items():
            put(begun.instance, begun.places[name], weights)
        clear = _clearing(begun.instance)
        if clear is not None:
            observe(clear, self.origin.files, False)
        refilled = observe(
            lambda: _Pass(begun.instance, self.construction.filled(begun.instance, begun.places, values)),
            self.origin.files,
            False,
        )
        again = refilled.result if refilled.error is None else begun
        return first, self._run(again, values, cotangent, False)


def _is_along(step: Any, gradient: Any) -> bool:
    """Whether a step goes against a gradient: whether it is a positive multiple of it."""
    if np.shape(step) != np.shape(gradient):
        return False
    size = float(np.sum(np.square(gradient)))
    rate = float(np.sum(step * gradient)) / size if size else 0.0
    return rate > 0 and bool(
        np.allclose(step, rate * np.asarray(gradient), rtol=1e-6, atol=1e-9 * float(np.max(np.abs(step))))
    )


def _clearing(instance: Any) -> Any:
    for name in ("zero_grad", "zero_grads", "zero_gradients", "clear_grads", "cleargrads", "reset_grad", "reset_grads",
                 "reset_gradients", "zero_gradient", "reset"):  # fmt: skip
        method = getattr(instance, name, None)
        if callable(method) and not _required(method):
            return method
    return None


def _required(method: Any) -> Sequence[str]:
    return [p.name for p in inspect.signature(method).parameters.values() if p.default is p.empty]
