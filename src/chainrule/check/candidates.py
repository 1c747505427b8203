"""``candidate_of``: whatever was handed over as a backward pass, called in one way."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chainrule.check.adapters.adapter import Adapter, Task
from chainrule.check.adapters.classes import ClassAdapter
from chainrule.check.adapters.constructing import has_both, method_of
from chainrule.check.adapters.families import FamilyAdapter, PairAdapter, is_pair, members_of
from chainrule.check.adapters.foreign import (
    ContextAdapter,
    JaxAdapter,
    TorchAdapter,
    is_context_class,
    is_custom_vjp,
    is_torch_function,
)
from chainrule.check.adapters.forwards import Forward, ForwardValues
from chainrule.check.adapters.functions import FunctionAdapter, wants_cache
from chainrule.check.adapters.replacing import with_lines
from chainrule.check.candidate import Answer, Candidate, CandidateError
from chainrule.language import Message, listed, message

__all__ = ["AdaptedCandidate", "adapter_of", "candidate_of", "expects_cache", "not_given", "wanted_of"]


def candidate_of(
    candidate: Any,
    forward: Callable[..., Any],
    args: Mapping[str, Any] | Sequence[Any],
    wrt: str | Sequence[str] | None = None,
    *,
    names: Mapping[str, str] | None = None,
) -> Candidate:
    """A backward pass in any style, made callable in one way.

    Args:
        candidate: a function of the inputs and the incoming gradient, or what else is described in ``docs/check.md``.
        forward: the forward function.
        args: an example of its arguments, by name or in order.
        wrt: the arguments whose gradients are asked for; those that the candidate gives, if not given.
        names: what the candidate's own names stand for, where that cannot be told from them: an argument or variable
            of ``forward``, ``"grad_output"``, ``"output"`` or ``"cache"``.

    Raises:
        CandidateError: where it cannot be told how the candidate is meant.
    """
    run = Forward(forward, args, expects_cache(candidate))
    wanted = wanted_of(wrt, run)
    task = Task(run.facts, run.example, wanted, dict(names or {}))
    return AdaptedCandidate(adapter_of(candidate, task), run, candidate, task)


def adapter_of(candidate: Any, task: Task) -> Adapter:
    """The adapter for a candidate of any style.

    Raises:
        CandidateError: where there is none.
    """
    if is_torch_function(candidate):
        return TorchAdapter(candidate, task)
    if is_custom_vjp(candidate):
        return JaxAdapter(candidate, task)
    if is_context_class(candidate):
        return ContextAdapter(candidate, task)
    kind = candidate if isinstance(candidate, type) else type(candidate)
    if has_both(kind) and not inspect.isroutine(candidate):
        return ClassAdapter(candidate, task)
    if isinstance(candidate, type):
        method_of(candidate, "forward")
        method_of(candidate, "backward")
    if is_pair(candidate, task.facts):
        return PairAdapter(candidate, task)
    if callable(candidate):
        return FunctionAdapter(candidate, task)
    members = members_of(candidate, task.facts)
    if members is not None:
        return FamilyAdapter(members, task)
    raise CandidateError(
        message(
            "a {kind} is no backward pass.\n  Instead: a function, a class with forward and backward, a list or dict "
            "of functions, or a module with functions such as {example}.",
            kind=type(candidate).__name__,
            example=f"{task.facts.name}_grad_{task.facts.floats[0] if task.facts.floats else 'x'}",
        )
    )


class AdaptedCandidate:
    """A candidate in this process.

    Args:
        adapter: what calls it.
        forward: the forward function.
        original: what was handed over.
        task: what it is the backward pass of.
    """

    def __init__(self, adapter: Adapter, forward: Forward, original: Any, task: Task) -> None:
        self.adapter = adapter
        self.forward = forward
        self.original = original
        self.task = task
        self.name, self.style, self.wrt = adapter.name, adapter.style, adapter.wrt
        self.file, self.source = adapter.origin.file, adapter.origin.source
        self.first_line = adapter.origin.first_line
        self.resizable = True
        self.of = forward.facts.of
        self.takes_cotangent = adapter.takes_cotangent
        self.notes: tuple[Message, ...] = (*adapter.notes, *not_given(task.wrt, self.wrt, forward))

    def answer(self, arguments: Mapping[str, Any], cotangent: Any, *, look: bool = False) -> Answer:
        """Run the candidate on copies of the arguments."""
        return self.adapter.answer(self._values(arguments), cotangent, look)

    def again(self, arguments: Mapping[str, Any], cotangent: Any) -> tuple[Answer, Answer]:
        """Two answers for the same arguments on the same state."""
        return self.adapter.again(self._values(arguments), cotangent)

    def replaced(self, line: int, text: str, last: int | None = None) -> Candidate | None:
        """The same candidate with lines of its file replaced; ``None`` where it cannot be made anew.

        Args:
            line: the first line that is replaced.
            text: what stands there instead.
            last: the last line that is replaced; the first one if not given.
        """
        if isinstance(self.adapter, JaxAdapter):
            other = self.adapter.changed(line, last or line, text)
            return None if other is None else AdaptedCandidate(other, self.forward, self.original, self.task)
        changed = with_lines(self.original, line, last or line, text)
        if changed is None:
            return None
        try:
            if type(self.adapter) in (FunctionAdapter, ClassAdapter, TorchAdapter, ContextAdapter):
                adapter: Adapter = self.adapter.remade(changed)  # type: ignore[attr-defined]
            else:
                known = replace(self.task, wrt=self.adapter.wrt)  # need not be found out by a run again
                adapter = adapter_of(changed, known)
            return AdaptedCandidate(adapter, self.forward, changed, self.task)
        except CandidateError:
            return None

    def _values(self, arguments: Mapping[str, Any]) -> ForwardValues:
        return self.forward.values(arguments) if self.adapter.needs_forward else self.forward.given(arguments)


def wanted_of(wrt: str | Sequence[str] | None, forward: Forward) -> tuple[str, ...] | None:
    """The arguments whose gradients are asked for.

    Raises:
        CandidateError: where one of them is none.
    """
    if wrt is None:
        return None
    wanted = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    unknown = [n for n in wanted if n not in forward.facts.floats]
    if unknown:
        raise CandidateError(
            message(
                "wrt={names}: {function} has no such argument that holds floats; it has {own}.",
                names=",".join(unknown),
                function=forward.facts.name,
                own=listed(forward.facts.floats) or message("none"),
            )
        )
    return wanted


def not_given(asked: Sequence[str] | None, given: Sequence[str], forward: Forward) -> list[Message]:
    """What to say where nobody asked for certain gradients, and there are arrays for which the candidate gives none."""
    missing = [n for n in forward.facts.arrays if n not in given]
    if asked is not None or not missing:
        return []
    return [message("It gives no gradient of {missing}, so none was judged.", missing=listed(missing))]


def expects_cache(candidate: Any) -> bool:
    """Whether the candidate takes a cache, so that a tuple is read as a result with one."""
    members = candidate.values() if isinstance(candidate, Mapping) else candidate
    if isinstance(members, type) or not isinstance(members, list | tuple | type({}.values())):
        return callable(candidate) and not isinstance(candidate, type) and wants_cache(candidate)
    return any(callable(f) and wants_cache(f) for f in members)
