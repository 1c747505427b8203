"""Candidates in several pieces: one function per gradient, or a forward function with its backward function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from chainrule.check.adapters.adapter import Task, origin_of
from chainrule.check.adapters.forwards import Facts, Forward, ForwardValues, fresh
from chainrule.check.adapters.functions import FunctionAdapter, roles_of, wants_cache
from chainrule.check.adapters.naming import gradient_target
from chainrule.check.adapters.observing import observe
from chainrule.check.adapters.reading import at_the_end
from chainrule.check.candidate import Answer, CandidateError, said_by
from chainrule.language import Message, listed, message, plural

__all__ = ["FamilyAdapter", "PairAdapter", "is_pair", "members_of"]


class FamilyAdapter:
    """One function per gradient: ``dense_grad_input``, ``dense_grad_W``, ``dense_grad_b``.

    Args:
        members: the functions by name.
        task: what they are the backward pass of.

    Raises:
        CandidateError: where it cannot be told what one of them gives.
    """

    style = "family"

    def __init__(self, members: Mapping[str, Callable[..., Any]], task: Task) -> None:
        targets = _targets(members, task)
        self.members = {
            target: FunctionAdapter(members[name], replace(task, wrt=(target,)), "family")
            for name, target in targets.items()
            if task.wrt is None or target in task.wrt
        }
        if not self.members:
            text = message("none of the functions {names} gives a gradient that was asked for.", names=listed(members))
            raise CandidateError(text)
        self.name = _common([m.name for m in self.members.values()])
        self.wrt = tuple(n for n in task.wrt or task.facts.floats if n in self.members)
        first = next(iter(self.members.values())).origin
        files = frozenset().union(*(m.origin.files for m in self.members.values()))
        source = "\n\n".join(m.origin.source for m in self.members.values())
        self.origin = replace(first, files=files, source=source)
        self.takes_cotangent = any(m.takes_cotangent for m in self.members.values())
        self.needs_forward = any(m.needs_forward for m in self.members.values())
        self.notes: tuple[Message, ...] = tuple({str(n): n for m in self.members.values() for n in m.notes}.values())

    def answer(self, values: ForwardValues, cotangent: Any, look: bool) -> Answer:
        """Run each function once."""
        return _merged([self.members[n].answer(values, cotangent, look) for n in self.wrt])

    def again(self, values: ForwardValues, cotangent: Any) -> tuple[Answer, Answer]:
        """Run each function twice."""
        pairs = [self.members[n].again(values, cotangent) for n in self.wrt]
        return _merged([a for a, _ in pairs]), _merged([b for _, b in pairs])


def _merged(answers: Sequence[Answer]) -> Answer:
    """The answers of several functions as one; the first failure is its own."""
    gradients = {n: g for a in answers for n, g in a.gradients.items()}
    failed = next((a for a in answers if a.error is not None), None)
    return Answer(
        gradients,
        tuple(s for a in answers for s in a.seen),
        None if failed is None else failed.error,
        None if failed is None else failed.error_line,
        tuple(dict.fromkeys(n for a in answers for n in a.changed)),
        tuple({str(n): n for a in answers for n in a.notes}.values()),
    )


def _targets(members: Mapping[str, Callable[..., Any]], task: Task) -> dict[str, str]:
    """Which gradient each function gives."""
    found: dict[str, str] = {}
    floats = task.facts.floats
    for name, function in members.items():
        own = getattr(function, "__name__", "")
        told = task.names.get(name)
        target = told or gradient_target(name, floats, strict=True) or at_the_end(name, floats)
        target = target or gradient_target(name, floats) or gradient_target(own, floats, strict=True)
        target = target or at_the_end(own, floats)
        if target is not None and target not in found.values():
            found[name] = target
    if len(found) < len(members):
        arrays = task.facts.arrays
        if not found and len(arrays) == len(members):
            return dict(zip(members, arrays, strict=True))
        unclear = [n for n in members if n not in found]
        raise CandidateError(
            plural(
                "it cannot be told which gradient {names} gives; {function} has the arguments {arguments}.\n"
                "  Instead: hand over a dict with these names, or end the names of the functions in them, as in "
                "{example}.",
                "it cannot be told which gradients {names} give; {function} has the arguments {arguments}.\n"
                "  Instead: hand over a dict with these names, or end the names of the functions in them, as in "
                "{example}.",
                len(unclear),
                names=listed(unclear),
                function=task.facts.name,
                arguments=listed(floats),
                example=f"{task.facts.name}_grad_{floats[0] if floats else 'x'}",
            )
        )
    return found


def _common(names: Sequence[str]) -> str:
    """What the names begin with, with a star for the rest."""
    short = names[0]
    while not all(n.startswith(short) for n in names):
        short = short[:-1]
    return names[0] if len(names) == 1 else f"{short}*"


def members_of(candidate: Any, facts: Facts) -> dict[str, Callable[..., Any]] | None:
    """The functions of a family: a dict or list of functions, a module or another namespace; ``None`` if it is none."""
    if isinstance(candidate, Mapping):
        held = {str(n): f for n, f in candidate.items()}
        return held if held and all(callable(f) for f in held.values()) else None
    if isinstance(candidate, tuple | list):
        if not candidate or not all(callable(f) for f in candidate):
            return None
        return {getattr(f, "__name__", str(k)) + ("" if _named(f) else f" {k}"): f for k, f in enumerate(candidate)}
    if isinstance(candidate, type) or callable(candidate) or not hasattr(candidate, "__dict__"):
        return None
    public: dict[str, Any] = {
        n: f for n, f in vars(candidate).items() if inspect.isfunction(f) and not n.startswith("_")
    }
    if isinstance(candidate, ModuleType):
        public = {n: f for n, f in public.items() if f.__module__ == candidate.__name__ or not f.__module__}
    fitting = {n: f for n, f in public.items() if _is_gradient_of(n, facts)}
    own = {n: f for n, f in fitting.items() if n.startswith(facts.name)}
    return own or fitting or None


def _named(function: Any) -> bool:
    return getattr(function, "__name__", "<lambda>") != "<lambda>"


def _is_gradient_of(name: str, facts: Facts) -> bool:
    words = ("grad", "_d", "backward", "bwd")
    rest = name.removeprefix(facts.name)
    marked = any(w in rest.lower() for w in words) or rest.startswith("d")
    return marked and (at_the_end(name, facts.floats) or gradient_target(rest, facts.floats, strict=True)) is not None


# ---- a forward function and its backward function
def is_pair(candidate: Any, facts: Facts) -> bool:
    """Whether two functions are a forward and a backward one."""
    if not isinstance(candidate, tuple | list) or len(candidate) != 2 or not all(map(callable, candidate)):
        return False
    if any(isinstance(f, type) for f in candidate):
        return False
    first, second = (getattr(f, "__name__", "") for f in candidate)
    words = ("back", "bwd", "grad", "bprop", "vjp")
    if any(w in first.lower() for w in words):
        return False
    return any(w in second.lower() for w in words) or wants_cache(candidate[1])


class PairAdapter:
    """A forward function of the candidate's own, and a backward function that is given what it kept.

    Args:
        pair: the two functions.
        task: what the second is the backward pass of.

    Raises:
        CandidateError: where it cannot be told how they are called, or the forward function fails.
    """

    style = "function"
    needs_forward = False

    def __init__(self, pair: Sequence[Callable[..., Any]], task: Task) -> None:
        forward, backward = pair
        self.task = task
        self.roles, notes = roles_of(forward, _without_cotangent(task))
        self.origin = origin_of(backward, forward)
        example = self._given(task.example)
        made = observe(lambda: Forward(forward, example, wants_cache(backward)), self.origin.files, False)
        if made.error is not None:
            text = message("{function} failed: {error}", function=forward.__name__, error=said_by(made.error))
            raise CandidateError(text) from made.error
        self.own: Forward = made.result
        own_wrt = None if task.wrt is None else tuple(self._own_name(n) for n in task.wrt)
        self.inner = FunctionAdapter(backward, Task(self.own.facts, self.own.example, own_wrt, task.names))
        self.name = self.inner.name
        self.theirs = {p: r.name for p, r in self.roles.items() if r.kind == "argument"}
        self.wrt = tuple(self.theirs.get(n, n) for n in self.inner.wrt)
        self.takes_cotangent = self.inner.takes_cotangent
        self.notes: tuple[Message, ...] = (*notes, *self.inner.notes)

    def _own_name(self, argument: str) -> str:
        return next((p for p, r in self.roles.items() if r.name == argument), argument)

    def _given(self, values: ForwardValues) -> dict[str, Any]:
        return {p: values.arguments.get(r.name) for p, r in self.roles.items() if r.kind == "argument"}

    def _own_values(self, values: ForwardValues) -> tuple[ForwardValues | None, Answer | None]:
        made = observe(lambda: self.own.values(self._given(values)), self.origin.files, False)
        if made.error is not None:
            return None, Answer({}, (), made.error, made.error_line)
        return made.result, None

    def _named(self, answer: Answer, output: Any) -> Answer:
        gradients = {self.theirs.get(n, n): g for n, g in answer.gradients.items()}
        changed = tuple(self.theirs.get(n, n) for n in answer.changed)
        return replace(answer, gradients=gradients, changed=changed, output=fresh(output))

    def answer(self, values: ForwardValues, cotangent: Any, look: bool) -> Answer:
        """Run the one and then the other."""
        own, failed = self._own_values(values)
        if own is None:
            return failed or Answer()
        return self._named(self.inner.answer(own, cotangent, look), own.output)

    def again(self, values: ForwardValues, cotangent: Any) -> tuple[Answer, Answer]:
        """The same, twice."""
        return self.answer(values, cotangent, False), self.answer(values, cotangent, False)


def _without_cotangent(task: Task) -> Task:
    """The same task for a forward function, whose parameters are arguments and settings only."""
    return replace(task, facts=replace(task.facts, local=(), outputs=()), names={**task.names})
