"""Candidates of other libraries: ``torch.autograd.Function``, ``jax.custom_vjp``, and their like in NumPy."""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from chainrule.check.adapters.adapter import Task, changed_in, handed_over, origin_of
from chainrule.check.adapters.constructing import nature_of
from chainrule.check.adapters.forwards import ForwardValues, fresh
from chainrule.check.adapters.observing import observe
from chainrule.check.adapters.reading import kept
from chainrule.check.adapters.replacing import with_lines
from chainrule.check.candidate import Answer, CandidateError
from chainrule.language import Message, listed, plural

__all__ = ["ContextAdapter", "JaxAdapter", "TorchAdapter", "is_context_class", "is_custom_vjp", "is_torch_function"]


def is_torch_function(candidate: Any) -> bool:
    """Whether this is a ``torch.autograd.Function``; torch is not loaded to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(candidate, type) and issubclass(candidate, torch.autograd.Function)


def is_custom_vjp(candidate: Any) -> bool:
    """Whether this is a ``jax.custom_vjp`` function; jax is not loaded to find out."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(candidate, jax.custom_vjp)


def is_context_class(candidate: Any) -> bool:
    """Whether this is a class of static methods that pass a context: ``forward(ctx, x)``, ``backward(ctx, g)``."""
    if not isinstance(candidate, type):
        return False
    methods = [inspect.getattr_static(candidate, name, None) for name in ("forward", "backward")]
    if not all(isinstance(m, staticmethod | classmethod) for m in methods):
        return False
    first = next(iter(inspect.signature(methods[0].__func__).parameters), "")
    return first in ("ctx", "context", "self", "cls", "c")


class _InPlaces:
    """What the styles here have in common: arguments by place, and one gradient for each place."""

    style = ""
    needs_forward = False
    takes_cotangent = True
    candidate: Any

    def __init__(self, name: str, parameters: dict[str, str], task: Task, source: Any) -> None:
        self.name = name
        self.task = task
        self.parameters = parameters
        self.origin = origin_of(*source)
        self.notes: tuple[Message, ...] = ()
        self.wrt = task.wrt or self._tried()

    def _tried(self) -> tuple[str, ...]:
        default = tuple(n for n in self.task.facts.floats if n in self.parameters.values())
        self.wrt = default
        answer = self.answer(self.task.example, self.task.cotangent(), False)
        return tuple(n for n in default if n in answer.gradients) or default

    def _run(self, arguments: Sequence[Any], cotangent: Any, look: bool) -> tuple[Any, Any, Any]:
        """The output, the gradients by place, and what was observed."""
        raise NotImplementedError(f"{type(self).__name__} runs nothing.")

    def answer(self, values: ForwardValues, cotangent: Any, look: bool) -> Answer:
        """Run it once."""
        given = {n: values.arguments.get(n) for n in self.parameters.values()}
        handed = [*handed_over(given), *handed_over({"grad_output": cotangent})]
        arrays = [h for _, h, _ in handed]
        output, gradients, seen = self._run(arrays[:-1], arrays[-1], look)
        changed = changed_in(handed)
        if seen.error is not None:
            return Answer({}, seen.seen, seen.error, seen.error_line, changed, seen.notes, output)
        places = list(given)
        parts = list(gradients) if isinstance(gradients, tuple | list) else [gradients]
        if len(parts) != len(places):
            error = CandidateError(
                plural(
                    "its backward gave {count} gradient, and its forward is given these arguments: {names}.\n"
                    "  Instead: return one for each, in this order; None where there is none.",
                    "its backward gave {count} gradients, and its forward is given these arguments: {names}.\n"
                    "  Instead: return one for each, in this order; None where there is none.",
                    len(parts),
                    names=listed(places),
                )
            )
            return Answer({}, seen.seen, error, None, changed, seen.notes, output)
        wanted = self.wrt or self.task.facts.floats
        found = {n: g for n, g in zip(places, parts, strict=True) if g is not None and n in wanted}
        return Answer(kept(found), seen.seen, None, None, changed, seen.notes, output)

    def again(self, values: ForwardValues, cotangent: Any) -> tuple[Answer, Answer]:
        """Run it twice."""
        return self.answer(values, cotangent, False), self.answer(values, cotangent, False)

    def remade(self, candidate: Any) -> _InPlaces:
        """The same for a class that is this one but for a line: what its parameters stand for is known."""
        other = copy.copy(self)
        other.candidate, other.origin = candidate, origin_of(candidate)
        return other


class TorchAdapter(_InPlaces):
    """A ``torch.autograd.Function``, in double precision on the processor."""

    style = "torch"

    def __init__(self, candidate: Any, task: Task) -> None:
        self.candidate = candidate
        super().__init__(candidate.__name__, nature_of(candidate.forward, task), task, (candidate,))

    def _run(self, arguments: Sequence[Any], cotangent: Any, look: bool) -> tuple[Any, Any, Any]:
        torch = sys.modules["torch"]

        def tensor(x: Any, followed: bool) -> Any:
            if not isinstance(x, np.ndarray | np.floating) and not (isinstance(x, float) and followed):
                return x
            made = torch.as_tensor(np.asarray(x))
            return made.requires_grad_(followed and made.is_floating_point())

        def run() -> tuple[Any, Any]:
            names = list(self.parameters.values())
            tensors = [tensor(x, n in self.task.facts.floats) for n, x in zip(names, arguments, strict=True)]
            out = self.candidate.apply(*tensors)
            outs = out if isinstance(out, tuple) else (out,)
            given = cotangent if isinstance(cotangent, tuple) else (cotangent,)
            seeds = [torch.as_tensor(np.asarray(g, dtype=float)) for g in given]
            with torch.no_grad():
                # Not through the engine, which refuses shapes that do not fit and adds up what was broadcast.
                found = self.candidate.backward(outs[0].grad_fn, *seeds)
            plain = [None if g is None else _array(g) for g in (found if isinstance(found, tuple) else (found,))]
            return _array(outs[0]) if len(outs) == 1 else tuple(map(_array, outs)), plain

        seen = observe(run, self.origin.files, look)
        output, gradients = seen.result if seen.error is None else (None, ())
        return output, gradients, seen


class JaxAdapter(_InPlaces):
    """A ``jax.custom_vjp`` function, in double precision."""

    style = "jax"

    def __init__(self, candidate: Any, task: Task) -> None:
        self.candidate = candidate
        inner = candidate.__wrapped__ if hasattr(candidate, "__wrapped__") else candidate.fun
        super().__init__(getattr(inner, "__name__", "function"), nature_of(_with_self(inner), task), task, (inner,))
        self.rules = {n: f for n in ("bwd", "fwd") if (f := getattr(candidate, n, None)) is not None}
        self.origin = origin_of(*(list(self.rules.values()) or [inner]))

    def changed(self, first: int, last: int, text: str) -> JaxAdapter | None:
        """The same with lines of its rules replaced; ``None`` where they cannot be made anew."""
        rules = with_lines(self.rules, first, last, text) if self.rules else None
        if rules is None:
            return None
        other = copy.copy(self)
        other.rules, other.origin = rules, origin_of(*rules.values())
        return other

    def _run(self, arguments: Sequence[Any], cotangent: Any, look: bool) -> tuple[Any, Any, Any]:
        jax = sys.modules["jax"]
        numpy: Any = sys.modules["jax.numpy"]

        def lifted(x: Any) -> Any:
            return numpy.asarray(x) if isinstance(x, np.ndarray | np.floating) else x

        def run() -> tuple[Any, Any]:
            with _double(jax):
                given = [lifted(x) for x in arguments]
                seed = tuple(map(lifted, cotangent)) if isinstance(cotangent, tuple) else numpy.asarray(cotangent)
                fwd, bwd = self.rules.get("fwd"), self.rules.get("bwd")
                if fwd is None or bwd is None:
                    output, pull = jax.vjp(self.candidate, *given)
                    found = pull(seed)
                else:
                    apart = set(getattr(self.candidate, "nondiff_argnums", ()) or ())
                    output, residuals = fwd(*given)
                    found = list(bwd(*(given[k] for k in sorted(apart)), residuals, seed))
                    for k in sorted(apart):
                        found.insert(k, None)
                return _tree(output), [None if g is None else _array(g) for g in found]

        seen = observe(run, self.origin.files, look)
        output, gradients = seen.result if seen.error is None else (None, ())
        return output, gradients, seen


class _Context(SimpleNamespace):
    """What ``forward`` keeps for ``backward``."""

    saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *arrays: Any) -> None:
        """Keep arrays, which ``saved_tensors`` gives back."""
        self.saved_tensors = arrays

    @property
    def saved_values(self) -> tuple[Any, ...]:
        """The same under another name."""
        return self.saved_tensors

    @property
    def needs_input_grad(self) -> tuple[bool, ...]:
        """All gradients are wanted."""
        return (True,) * 32


class ContextAdapter(_InPlaces):
    """A class of static methods that pass a context, on plain arrays."""

    style = "class"

    def __init__(self, candidate: Any, task: Task) -> None:
        self.candidate = candidate
        super().__init__(candidate.__name__, nature_of(_function(candidate, "forward"), task), task, (candidate,))

    def _run(self, arguments: Sequence[Any], cotangent: Any, look: bool) -> tuple[Any, Any, Any]:
        context = _Context()
        context.arguments = list(arguments)
        before = observe(lambda: _function(self.candidate, "forward")(context, *arguments), self.origin.files, False)
        if before.error is not None:
            return None, (), before
        output = fresh(before.result)
        given = cotangent if isinstance(cotangent, tuple) else (cotangent,)
        seen = observe(lambda: _function(self.candidate, "backward")(context, *given), self.origin.files, look)
        return output, seen.result, seen


def _function(candidate: type, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = inspect.getattr_static(candidate, name).__func__
    return found


def _with_self(function: Callable[..., Any]) -> Any:
    """The same signature with one more parameter in front, as a method has."""
    parameters = list(inspect.signature(function).parameters.values())

    def method(*args: Any) -> None:
        """Has a signature."""

    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    loose = [p.replace(kind=p.POSITIONAL_OR_KEYWORD) for p in parameters if p.kind is not p.VAR_POSITIONAL]
    method.__signature__ = inspect.Signature([first, *loose])  # type: ignore[attr-defined]
    method.__qualname__ = getattr(function, "__qualname__", "function")
    return method


def _double(jax: Any) -> Any:
    """The setting under which jax keeps double precision."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return sys.modules["jax.experimental"].enable_x64()


def _array(x: Any) -> Any:
    return np.array(x.detach().cpu().numpy() if hasattr(x, "detach") else x)


def _tree(x: Any) -> Any:
    return tuple(map(_array, x)) if isinstance(x, tuple | list) else _array(x)
