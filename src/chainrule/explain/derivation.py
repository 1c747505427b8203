"""The records of a derivation: one per statement of the user's, in backward order, ready for every rendering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chainrule.explain.formula import Equation
from chainrule.language import Message

__all__ = ["Derivation", "Edge", "Line", "Local", "Node", "Part", "Route", "Shortening"]


@dataclass(frozen=True, slots=True)
class Local:
    """The derivative of a statement's result with respect to one element of what it reads.

    Attributes:
        of: the name of the operand.
        equation: ``∂Z3[n,j]/∂A2[n,k] = W3[k,j]``.
        note: why, where it needs saying: a convention at a kink, a value treated as a constant.
    """

    of: str
    equation: Equation
    note: Message | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of backward code, the same that ``write`` prints.

    Attributes:
        target: the name that it assigns.
        code: the line.
        shapes: the shapes in one line: ``(5,18) = (5,5)·(18,5)ᵀ``.
        reasons: why there is a ``.T``, a ``.sum(axis=0)``, a ``/ N``, a mask; each about one part of the line.
        value: the array that it computes in the example.
        place: where it stands among the lines of the whole.
        values: where it is code that computes several arrays, each with its name.
        note: what is to be said of it.
        names: which arrays of the formulas it is about, where it has other names for them and none before it has.
        inner: whether it is a line of the body of a loop, which stands in the code of that loop.
    """

    target: str
    code: str
    shapes: str = ""
    reasons: tuple[tuple[str, Message], ...] = ()
    value: Any = None
    place: int = 0
    values: tuple[tuple[str, Any], ...] = ()
    note: Message | None = None
    names: tuple[Message, ...] = ()
    inner: bool = False

    def numbers(self) -> tuple[tuple[str, Any], ...]:
        """The arrays that it computes, each with its name."""
        return self.values or (((self.target, self.value),) if self.value is not None else ())


@dataclass(frozen=True, slots=True)
class Shortening:
    """One step on the way from the chain rule to a line of code that is shorter.

    Attributes:
        said: what is put in, if anything is.
        facts: what is used: sums that are zero, with the proof, and what names stand for; each with its label.
        label: what the gradient after it is, in a word or two.
        equation: the gradient after it.
    """

    said: Message | str | None
    facts: tuple[tuple[Message, Equation], ...]
    label: Message
    equation: Equation


@dataclass(frozen=True, slots=True)
class Route:
    """How the gradient of one array is found.

    Attributes:
        name: of the array.
        gradient: the name of its gradient.
        chain: the chain rule for one element, summed over every path: first with derivatives named, then worked out,
            then collected.
        paths: the later statements that the array reaches the result through, as (name, line).
        lines: the backward lines that compute it.
        identities: where an identity shortened the result, which, and why it is sound.
        matrix: whether the formulas are of whole matrices, because the operation has no index form (a solve).
        note: what else is to be said.
        shortening: how the chain rule becomes the lines, where these leave out gradients that it goes through.
    """

    name: str
    gradient: str
    chain: Equation | None
    paths: tuple[tuple[str, int | None], ...] = ()
    lines: tuple[Line, ...] = ()
    identities: tuple[tuple[Message, Message], ...] = ()
    matrix: bool = False
    note: Message | None = None
    shortening: tuple[Shortening, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What is said about one statement.

    Attributes:
        source: the statement, as the user wrote it.
        line: its line.
        result: the name that it assigns.
        shape: of the result.
        index_form: the statement in index notation; nothing where it has none.
        locals: the local derivatives, one per operand.
        routes: the gradients that are found here: of what the statement reads.
        value: of the result in the example.
        gradient: of the result of the whole with respect to this one, in the example.
        repeats: how often a loop's body runs, or how many blocks were the same; 1 for a statement on its own.
        note: what is to be said about the statement as a whole.
        arriving: the gradients of the result that are handed in from outside, each under its name.
    """

    source: str
    line: int | None
    result: str
    shape: tuple[int, ...]
    index_form: Equation | None
    locals: tuple[Local, ...] = ()
    routes: tuple[Route, ...] = ()
    value: Any = None
    gradient: Any = None
    repeats: int = 1
    note: Message | None = None
    arriving: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A value in the picture of the computation.

    Attributes:
        name: what it is called.
        kind: ``"input"``, ``"data"`` (not differentiated), ``"value"`` or ``"result"``.
        shape: its shape.
        value: the array in the example.
        gradient: the gradient of the result with respect to it; nothing where there is none.
        part: the number of the part that says where it comes from, or -1.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    value: Any = None
    gradient: Any = None
    part: int = -1


@dataclass(frozen=True, slots=True)
class Edge:
    """That one node is computed from another, by their positions among the nodes."""

    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Derivation:
    """The derivation of a function's gradients.

    Attributes:
        title: of the function or script.
        result: the name of what is differentiated.
        value: of the result.
        parts: per statement, in backward order.
        nodes: of the picture.
        edges: of the picture.
        indices: what each index letter runs over: ``n`` → "the rows of X".
        gradients: the gradients that were asked for, by name.
        code: all the backward lines, as ``write`` prints them.
        opening: those of them that stand before all others: what they are valid for, and arrays read out of lists.
        notes: what holds for the whole: "valid while …".
        definitions: what must be known before the first step: names that no statement of the user's introduces.
    """

    title: str
    result: str
    value: Any
    parts: tuple[Part, ...]
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    indices: Mapping[str, Message] = field(default_factory=dict)
    gradients: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    notes: tuple[Message, ...] = ()
    opening: tuple[str, ...] = ()
    definitions: tuple[Message, ...] = ()

    def begins_with(self) -> list[str]:
        """The lines of the opening that are code, and no remarks."""
        return [line for line in self.opening if not line.startswith("#")]
