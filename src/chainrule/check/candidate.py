"""What a candidate is to the checker, in whatever style it was written: it answers with gradients by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from chainrule.errors import ChainruleError
from chainrule.language import Message, message, stated

__all__ = ["Answer", "Candidate", "CandidateError", "Seen", "in_lines", "said_by"]


class CandidateError(ChainruleError, ValueError):
    """What a candidate takes or gives cannot be read: the message says what was understood, and how to say it."""


def said_by(error: BaseException | None) -> Message | str:
    """What an error says: a candidate's own with its kind before it, one of this package's in the user's language."""
    said = stated(error) if isinstance(error, CandidateError) else None
    return said if isinstance(said, Message) else f"{type(error).__name__}: {error}"


def in_lines(parts: Sequence[Message | str]) -> Message | str:
    """Sentences below each other, those behind the first one moved in."""
    first, *others = parts
    for other in others:
        first = message("{above}\n  {below}", above=first, below=other)
    return first


@dataclass(frozen=True, slots=True)
class Seen:
    """A value that a candidate computed on its way, as a variable of its own.

    Attributes:
        name: of the variable: ``dZ2``.
        line: the line of the candidate's source that assigned it, counted in its file.
        value: a copy of what it was.
        text: the source of that line; empty for a parameter, as it was when the function began.
        frame: the number of the call that it was assigned in: variables of one name in two calls are two variables.
    """

    name: str
    line: int
    value: Any
    text: str = ""
    frame: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a candidate gave for one set of arguments and one cotangent.

    Attributes:
        gradients: what it gave, by the name of the forward function's argument; raw, of whatever shape and dtype.
        seen: its own variables in the order in which they were assigned, where they can be seen.
        error: what it raised, with its line; nothing where it did not.
        error_line: that line.
        changed: the names of the arguments that it wrote into; ``"grad_output"`` for the cotangent.
        notes: what the adapter noticed: random numbers drawn, an array returned under two names.
        output: what the candidate's own forward pass gave, where it has one.
    """

    gradients: Mapping[str, Any] = field(default_factory=dict)
    seen: Sequence[Seen] = ()
    error: BaseException | None = None
    error_line: int | None = None
    changed: tuple[str, ...] = ()
    notes: tuple[Message, ...] = ()
    output: Any = None


class Candidate(Protocol):
    """A backward pass that someone wrote by hand, made callable in one way.

    Attributes:
        name: what it is called in the report.
        style: ``"function"``, ``"family"``, ``"class"``, ``"torch"``, ``"jax"`` or ``"script"``.
        wrt: the arguments of the forward function that it gives gradients for, in the order in which it does.
        file: the file of its source; empty where there is none.
        source: its source; empty where there is none.
        first_line: the line of the file on which the source begins.
        resizable: whether it can be run on other sizes than those of the example.
        of: which part of what the forward function returns the cotangent belongs to, where the rest is a cache;
            ``None`` for all of it.
        takes_cotangent: whether it takes the gradient with respect to the output; else it is for a result that is one
            number, or its sum.
        notes: what was understood where there was more than one way to understand it.
    """

    name: str
    style: str
    wrt: tuple[str, ...]
    file: str
    source: str
    first_line: int
    resizable: bool
    of: int | None
    takes_cotangent: bool
    notes: tuple[Message, ...]

    def answer(self, arguments: Mapping[str, Any], cotangent: Any, *, look: bool = False) -> Answer:
        """Run the candidate on copies of the arguments.

        A failure of the candidate is part of the answer and never raised.  A class that keeps state is made anew for
        each call, unless :meth:`again` is used.

        Args:
            arguments: the arguments of the forward function by name.
            cotangent: of its result; 1.0 for a scalar loss; a tuple for several results.
            look: whether the candidate's own variables are wanted, which is slower.
        """
        ...

    def again(self, arguments: Mapping[str, Any], cotangent: Any) -> tuple[Answer, Answer]:
        """Two answers for the same arguments on the same state, to see what leaks from one call to the next."""
        ...
