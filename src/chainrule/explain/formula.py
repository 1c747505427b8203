"""Formulas in index notation: sums over indices of products of elements, as one writes them on paper.

``Z3[n,j] = Σₖ A2[n,k]·W3[k,j] + B3[j]`` is an :class:`Equation` between an :class:`Element` and an :class:`Add`.  The
same tree is printed as plain text, LaTeX and MathML, differentiated with respect to an element, and evaluated element
by element on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "Add",
    "Apply",
    "Cases",
    "Compare",
    "Delta",
    "Element",
    "Equation",
    "Formula",
    "Index",
    "IndexExpression",
    "Multiply",
    "Number",
    "Partial",
    "Position",
    "Power",
    "Size",
    "Sum",
]


@dataclass(frozen=True, slots=True)
class Index:
    """A running index: ``n``.

    Attributes:
        name: one letter, or a letter with a prime or digit.
        length: how many values it takes in the example.
        size: what its length is called in the user's code (``N``, ``X.shape[0]``), or empty.
    """

    name: str
    length: int
    size: str = ""


@dataclass(frozen=True, slots=True)
class IndexExpression:
    """A position that is computed: ``i + u``, ``2·i``, ``D - 1 - i``, or one looked up, ``idx[n]``.

    Attributes:
        operator: ``"+"``, ``"-"``, ``"*"``, ``"//"``, ``"%"`` or ``"[]"`` (an array of whole numbers, then positions).
        parts: the operands: indices, whole numbers, expressions, or the name of the array that is looked up.
    """

    operator: str
    parts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Formula:
    """Anything that stands for a number: the base of all nodes."""


@dataclass(frozen=True, slots=True)
class Number(Formula):
    """A number of the user's source, as written."""

    value: Any
    text: str = ""


@dataclass(frozen=True, slots=True)
class Size(Formula):
    """A length or a number of elements, under the name that the user has for it."""

    value: int
    text: str


@dataclass(frozen=True, slots=True)
class Element(Formula):
    """One element of an array: ``W3[k,j]``; a number where there are no indices.

    Attributes:
        name: of the array.
        indices: an :class:`Index`, an :class:`IndexExpression` or a whole number per axis.
        variable: its number in the Program, or -1.
        transposed: whether the array is meant transposed: ``W3ᵀ[j,k]``.
    """

    name: str
    indices: tuple[Any, ...] = ()
    variable: int = -1
    transposed: bool = False


@dataclass(frozen=True, slots=True)
class Position(Formula):
    """A position used as a number, as in ``[j ≤ i]`` and in what ``np.arange`` makes."""

    index: Any


@dataclass(frozen=True, slots=True)
class Add(Formula):
    """A sum of a few terms."""

    terms: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Multiply(Formula):
    """A product of factors."""

    factors: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Power(Formula):
    """A base to an exponent; quotients are products with the power -1, and printed as fractions."""

    base: Formula
    exponent: Formula


@dataclass(frozen=True, slots=True)
class Apply(Formula):
    """A function of numbers: ``exp``, ``tanh``, ``max`` of two."""

    function: str
    arguments: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Compare(Formula):
    """1 where a comparison holds and 0 elsewhere: ``[Z1[n,j] > 0]``."""

    operator: str
    left: Formula
    right: Formula


@dataclass(frozen=True, slots=True)
class Cases(Formula):
    """One formula where a condition holds and another elsewhere."""

    condition: Formula
    then: Formula
    otherwise: Formula


@dataclass(frozen=True, slots=True)
class Delta(Formula):
    """1 where two positions are the same and 0 elsewhere: ``δ[j,k]``."""

    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class Sum(Formula):
    """A reduction over running indices: a sum, or ``"max"``, ``"min"``, ``"prod"``."""

    over: tuple[Index, ...]
    body: Formula
    kind: str = "sum"


@dataclass(frozen=True, slots=True)
class Partial(Formula):
    """A derivative that is named and not worked out: ``∂err/∂Z3[n,j]``."""

    of: Element
    by: Element


@dataclass(frozen=True, slots=True)
class Equation:
    """Two sides, or several that are equal one after the other."""

    left: Formula
    right: tuple[Formula, ...]
