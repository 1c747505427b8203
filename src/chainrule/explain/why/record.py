"""The records of an answer: why a gradient is what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from chainrule.language import Message

__all__ = ["Blocker", "Hop", "Kind", "Norm", "Origin", "Trail", "Why"]

Kind = Literal["zero", "unreached", "nan", "infinite", "tiny", "huge", "ordinary", "mixed"]


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a path: from an element to the one that is computed from it.

    Attributes:
        start: the element: ``Z3[0,1]``.
        value: its value.
        factor: the local derivative of the next element with respect to it.
        end: the next element: ``A3[0,1]``.
        source: the statement that computes the next element.
        line: its line.
        because: what the factor is: "W4[1,0]", "the ReLU is off".
        saturated: whether the curve is flat there: a saturated unit.
    """

    start: str
    value: Any
    factor: Any
    end: str
    source: str = ""
    line: int | None = None
    because: Message | None = None
    saturated: bool = False


@dataclass(frozen=True, slots=True)
class Trail:
    """A path from the element to the result, with the product of the local derivatives along it.

    Attributes:
        hops: its steps, the element's own first.
        product: what it adds to the gradient.
        end: the element of the result that it ends at, with its value.
        seed: what the product begins with: 1 for a result that is one number.
    """

    hops: tuple[Hop, ...]
    product: Any
    end: tuple[str, Any]
    seed: Any = 1.0


@dataclass(frozen=True, slots=True)
class Blocker:
    """A local derivative that is zero, where paths end.

    Attributes:
        reason: what it is and why it is zero.
        source: the statement.
        line: its line.
        count: how many elements it stops the gradient at.
        remedy: what to do about it, where there is something usual.
    """

    reason: Message
    source: str
    line: int | None
    count: int
    remedy: Message | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The first step that made a NaN or an infinity.

    Attributes:
        backward: whether in the backward pass; the values are finite then.
        element: the element that it made.
        value: what it made.
        source: the statement.
        line: its line.
        operation: as it is spelled: ``np.sqrt``.
        operands: its operands at that element, by name.
        reason: what happened.
        rewrite: what to write instead.
        local: in the backward pass of an elementwise operation, its local derivative there.
        behind: why an operand is 0, where that can be said.
        then: where a NaN is made of an infinity.
    """

    backward: bool
    element: str
    value: Any
    source: str
    line: int | None
    operation: str
    operands: tuple[tuple[str, Any], ...]
    reason: Message
    rewrite: Message | None = None
    local: Any = None
    behind: Message | None = None
    then: Message | None = None


@dataclass(frozen=True, slots=True)
class Norm:
    """A row of the table of gradient norms.

    Attributes:
        name: of the value.
        line: that made it.
        shape: its shape.
        norm: of the gradient of the result with respect to it.
        ratio: to the norm of the row above, which is nearer to the result; ``None`` in the first row.
        zeros: the share of its elements whose gradient is exactly 0.
    """

    name: str
    line: int | None
    shape: tuple[int, ...]
    norm: float
    ratio: float | None
    zeros: float


@dataclass(frozen=True, slots=True)
class Why:
    """The answer to: why is this gradient what it is?

    Attributes:
        gradient: what was asked about: ``dW3[2,1]``.
        of: the result: ``err``.
        value: the gradient: a number, or an array.
        kind: what is the matter with it.
        answer: one or two sentences.
        evidence: what shows it.
        blockers: where paths are stopped, those that stop most first.
        origin: the first NaN or infinity.
        element: the element that the paths lead from.
        trails: the paths that weigh most.
        paths: how many paths there are; ``None`` where they cannot be counted.
        alive: how many of them have no factor that is zero.
        positive: the sum of the paths with a positive product.
        negative: the sum of the others.
        norms: the gradient of each statement between the element and the result, from the result on.
        notes: what else the reader should know.
    """

    gradient: str
    of: str
    value: Any
    kind: Kind
    answer: tuple[Message, ...]
    evidence: tuple[Message, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    origin: Origin | None = None
    element: str = ""
    trails: tuple[Trail, ...] = ()
    paths: float | None = None
    alive: float | None = None
    positive: float | None = None
    negative: float | None = None
    norms: tuple[Norm, ...] = ()
    notes: tuple[Message, ...] = field(default=())
