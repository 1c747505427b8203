"""An adapter calls one style of candidate; what it is given has been computed, so that it can work elsewhere."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from chainrule.check.adapters.forwards import Facts, ForwardValues, fresh, source_lines
from chainrule.check.adapters.observing import same
from chainrule.check.candidate import Answer
from chainrule.language import Message

__all__ = ["Adapter", "Origin", "Task", "changed_in", "origin_of"]


@dataclass(frozen=True, slots=True)
class Task:
    """What an adapter is made from.

    Attributes:
        facts: about the forward function.
        example: what the forward function made of the example.
        wrt: the arguments whose gradients are asked for; ``None`` where all that the candidate gives are.
        names: what the reader was told about the candidate's own names: which argument, ``"grad_output"``,
            ``"output"``, ``"cache"`` or variable of the forward function each of its parameters stands for.
    """

    facts: Facts
    example: ForwardValues
    wrt: tuple[str, ...] | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def cotangent(self) -> Any:
        """A gradient with respect to the output of the example, to try the candidate on."""
        generator = np.random.default_rng(0)

        def drawn(x: Any) -> Any:
            if isinstance(x, tuple | list):
                return tuple(drawn(e) for e in x)
            return generator.standard_normal(np.shape(x)) if np.shape(x) else 1.0

        return drawn(self.example.output)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the source of a candidate is.

    Attributes:
        file: its file; empty where there is none.
        source: its text; empty where there is none.
        first_line: the line of the file on which it begins.
        files: the names under which its code is compiled, for what it does to be seen.
    """

    file: str = ""
    source: str = ""
    first_line: int = 1
    files: frozenset[str] = frozenset()


class Adapter(Protocol):
    """Calls one style of candidate.

    Attributes:
        name: what it is called.
        style: as for a candidate.
        wrt: the arguments that it gives gradients for.
        origin: where its source is.
        takes_cotangent: whether it takes the gradient with respect to the output.
        needs_forward: whether it needs what the forward function computes, and not its arguments alone.
        notes: what was understood where there was more than one way to.
    """

    name: str
    style: str
    wrt: tuple[str, ...]
    origin: Origin
    takes_cotangent: bool
    needs_forward: bool
    notes: tuple[Message, ...]

    def answer(self, values: ForwardValues, cotangent: Any, look: bool) -> Answer:
        """Run it once, on a fresh state."""
        ...

    def again(self, values: ForwardValues, cotangent: Any) -> tuple[Answer, Answer]:
        """Run it twice on the same state."""
        ...


def origin_of(*functions: Callable[..., Any]) -> Origin:
    """Where the source of a function or class is; of the first, where there are several."""
    files: set[str] = set()
    for function in functions:
        held = inspect.unwrap(function)
        for member in [held, *vars(held).values()] if isinstance(held, type) else [held]:
            inner = getattr(member, "__func__", member)
            code = getattr(inspect.unwrap(inner) if callable(inner) else inner, "__code__", None)
            if code is not None:
                files.add(code.co_filename)
    first = inspect.unwrap(functions[0])
    try:
        lines, line = source_lines(first)
        return Origin(
            inspect.getsourcefile(first) or "", textwrap.dedent("".join(lines)), max(line, 1), frozenset(files)
        )
    except (OSError, TypeError):
        return Origin(files=frozenset(files))


def changed_in(given: Sequence[tuple[str, Any, Any]]) -> tuple[str, ...]:
    """The names of what was written into: of each its name, what was handed over, and a copy from before."""
    return tuple(dict.fromkeys(name for name, handed, before in given if not same(handed, before)))


def handed_over(values: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Per value its name, a copy to hand over, and another one to compare it with afterwards."""
    return [(name, fresh(x), fresh(x)) for name, x in values.items()]
