"""Scalar factors, kept exactly, and the axes whose lengths they may contain.

``2 / X.shape[0]`` is the number 2 and the length of an axis to the power -1.  Which axes of different arrays have the
same length is known from the operations that join them, never from the lengths that they happened to have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from chainrule.sizes import Size, is_size, written_number
from chainrule.statics import moved

__all__ = [
    "UNIT", "ZERO", "Coefficient", "Dim", "Lengths", "NoFormError", "added", "divided", "is_plain",
    "power_of", "times", "variables_of",
]  # fmt: skip

_ROUNDED = Fraction(1, 1 << 50)  # a few units in the last place of a double
_MOST_BITS = 4096  # of the exact fraction, before it is rounded to a float
_EXACT_BITS = 64  # of the denominator of what is exact; products of rounded numbers have more
_SIMPLE = 1000  # the largest denominator of a fraction that a product of rounded numbers stands for
_DIGITS = 9  # of a decimal number that a rounded one stands for

Atom = tuple[tuple[str, int], Any]


class NoFormError(Exception):
    """Something in a backward pass has no form here; the pass stays as it is."""


class Coefficient:
    """A scalar: an exact number times powers of lengths and of scalars that are computed at run time.

    An atom is ``("n", axis)``, ``("s", size)`` or ``("v", value)`` by number.  Equal scalars are the same object, since
    they are compared and looked up all the time.
    """

    __slots__ = ("__weakref__", "atoms", "number")
    number: Fraction
    atoms: tuple[Atom, ...]

    def __new__(cls, number: Fraction, atoms: tuple[Atom, ...] = ()) -> Coefficient:
        key = (number.numerator, number.denominator, atoms)
        found = _COEFFICIENTS.get(key)
        if found is None:
            found = _COEFFICIENTS[key] = super().__new__(cls)
            found.number = number
            found.atoms = atoms
        return found

    def __repr__(self) -> str:
        return f"Coefficient({self.number}, {self.atoms})"


_COEFFICIENTS: WeakValueDictionary[Any, Coefficient] = WeakValueDictionary()
UNIT = Coefficient(Fraction(1))
ZERO = Coefficient(Fraction(0))


def _rounded(number: Fraction) -> Fraction:
    """The number that a product of rounded numbers stands for: ``(1 / sqrt(2)) ** 2`` is a half."""
    if number.denominator.bit_length() > _EXACT_BITS:
        near = number.limit_denominator(_SIMPLE)
        if abs(near - number) <= abs(number) * _ROUNDED / 2:
            return near
    if number.denominator.bit_length() + abs(number.numerator).bit_length() > _MOST_BITS:
        return Fraction(float(number))
    return number


def added(a: Fraction, b: Fraction) -> Fraction:
    """The sum of two numbers; zero where only what was rounded in them is left, as in ``0.1 * 3 - 0.3``."""
    total = a + b
    return Fraction(0) if total and abs(total) < abs(b) * _ROUNDED else total


def times(a: Coefficient, b: Coefficient) -> Coefficient:
    """The product of two scalars."""
    if a is UNIT:
        return b
    if b is UNIT:
        return a
    return _product(a, b)


@lru_cache(maxsize=1 << 16)
def _product(a: Coefficient, b: Coefficient) -> Coefficient:
    number = _rounded(a.number * b.number)
    if not number and not any(key[0] == "v" for key, _ in (*a.atoms, *b.atoms)):
        return ZERO  # lengths and settings are finite
    if not a.atoms or not b.atoms:
        return Coefficient(number, a.atoms or b.atoms)
    powers = dict(a.atoms)
    for key, p in b.atoms:
        powers[key] = powers.get(key, 0) + p
    return Coefficient(number, tuple(sorted((k, p) for k, p in powers.items() if p)))


def power_of(a: Coefficient, p: Any) -> Coefficient | None:
    """A power; a root only of lengths, which are positive, and of one other size as it stands."""
    if p == 1 or a is UNIT:
        return a
    return _power(a, p)


@lru_cache(maxsize=1 << 16)
def _power(a: Coefficient, p: Any) -> Coefficient | None:
    whole = Fraction(p).denominator == 1
    if not whole:
        # A number that is known by its name, or a difference, may be negative: the root of its square is not itself.
        others = [(k, q) for k, q in a.atoms if k[0] != "n"]
        if a.number != 1 or len(others) > 1 or any(k[0] == "v" or q != 1 for k, q in others):
            return None
    if not a.number and p < 0:
        return None
    number = _rounded(a.number ** int(p)) if whole else a.number
    return Coefficient(number, tuple((k, q * p) for k, q in a.atoms))


def inverse_of(a: Coefficient) -> Coefficient:
    """One over a scalar that is known not to be zero."""
    inverse = power_of(a, -1)
    assert inverse is not None
    return inverse


def is_plain(c: Coefficient) -> bool:
    """Whether a scalar is written without a division or a long fraction."""
    exact = Fraction(float(c.number)) == c.number
    return exact and all(p > 0 for _, p in c.atoms)


def divided(c: Coefficient) -> tuple[Coefficient, Coefficient] | None:
    """A scalar that divides by several of run time, as the inverse of one of them and the rest."""
    below = [(k, p) for k, p in c.atoms if k[0] == "v" and p < 0]
    if sum(-p for _, p in below) <= 1:
        return None
    ((one, _), *_) = below
    return Coefficient(Fraction(1), ((one, -1),)), times(c, Coefficient(Fraction(1), ((one, 1),)))


@dataclass(frozen=True, slots=True, eq=False)
class Dim:
    """An axis: its length in the traced call, and whether it is of length 1 by construction."""

    number: int
    length: int
    one: bool = False

    def count(self) -> Coefficient:
        return UNIT if self.one else Coefficient(Fraction(1), ((("n", self.number), 1),))


class Lengths:
    """Which axes have the same length, and how lengths are written."""

    def __init__(self) -> None:
        self.one = Dim(0, 1, True)
        self._parents: list[int] = [0]
        self._lengths: list[int] = [1]
        self._dims: dict[int, Dim] = {}
        self._axes: dict[int, tuple[int, ...]] = {}
        self._written: dict[int, Any] = {}  # per axis the size that the user wrote for it
        self._wholes: dict[Any, Any] = {}  # sizes written for products of lengths: Y.size
        self._sizes: list[Any] = []
        self._counts: set[int] = set()
        self._diagonals: dict[tuple[int, int], int] = {}
        self._size_keys: dict[Any, int] = {}
        self._places: dict[int, tuple[int, int]] = {}
        self.available: set[int] = set()  # variables that sizes may refer to

    # ---- axes

    def axes(self, variable: int, shape: Sequence[int]) -> tuple[int, ...]:
        """A new axis per axis of a variable."""
        if variable not in self._axes:
            numbers = []
            for k, length in enumerate(shape):
                numbers.append(len(self._parents))
                self._places[len(self._parents)] = (variable, k)
                self._parents.append(len(self._parents))
                self._lengths.append(int(length))
            self._axes[variable] = tuple(numbers)
        return self._axes[variable]

    def set_one(self, axis: int) -> None:
        self._parents[self.find(axis)] = 0

    def find(self, axis: int) -> int:
        while self._parents[axis] != axis:
            self._parents[axis] = self._parents[self._parents[axis]]
            axis = self._parents[axis]
        return axis

    def join(self, a: int, b: int) -> None:
        """Say that two axes have the same length."""
        a, b = self.find(a), self.find(b)
        if self._lengths[a] == self._lengths[b]:
            low, high = min(a, b), max(a, b)
            self._parents[high] = low

    def join_size(self, axis: int, x: Any) -> None:
        """Say that an axis is of a given size, and counts the places along it, as ``np.arange`` does."""
        self._counts.add(axis)
        self.join_length(axis, x)

    def join_length(self, axis: int, x: Any) -> None:
        """Say that an axis is of a given size."""
        if is_size(x) and x.expression[0] == "length" and x.expression[1] in self._axes:
            self.join(axis, self._axes[x.expression[1]][x.expression[2]])

    def join_diagonal(self, axis: int, rows: int, columns: int) -> None:
        """Say that an axis is as long as the diagonal of a matrix."""
        key = (self.find(rows), self.find(columns))
        self.join(axis, self._diagonals.setdefault(key, key[0] if key[0] == key[1] else axis))

    def counts(self, axis: int) -> bool:
        return self.find(axis) in map(self.find, self._counts)

    def dims(self, variable: int) -> tuple[Dim, ...]:
        return tuple(self._dim(self.find(axis)) for axis in self._axes[variable])

    def _dim(self, axis: int) -> Dim:
        if axis == 0:
            return self.one
        if axis not in self._dims:
            self._dims[axis] = Dim(axis, self._lengths[axis])
        return self._dims[axis]

    # ---- from sizes

    def known(self, variable: int) -> bool:
        return variable in self._axes

    def coefficient(self, x: Any) -> Coefficient | None:
        """A number or size as a coefficient; ``None`` for what is not finite or not real."""
        if is_size(x):
            return self._of_size(x)
        if isinstance(x, bool | np.bool_) or not isinstance(x, int | float | np.integer | np.floating):
            return None
        return Coefficient(Fraction(x if isinstance(x, int) else float(x))) if math.isfinite(x) else None

    def _of_size(self, x: Any) -> Coefficient | None:
        head, *operands = x.expression
        if head == "number":
            return self.coefficient(operands[0])
        if head == "name":
            return self._whole_size(x, tuple(x.expression))
        if head in ("length", "size"):
            if operands[0] not in self._axes:
                return self._whole_size(x, (head, *operands))
            if head == "length":
                axis = self.find(self._axes[operands[0]][operands[1]])
                if operands[0] in self.available:
                    self._written.setdefault(axis, x)
                return self._dim(axis).count()
            found = UNIT
            for dim in self.dims(operands[0]):
                found = times(found, dim.count())
            if len(found.atoms) > 1 and operands[0] in self.available:
                self._wholes.setdefault(found.atoms, x)
            return found
        parts = [self.coefficient(e) for e in operands]
        if any(p is None for p in parts):
            return None
        known: list[Coefficient] = [p for p in parts if p is not None]
        if head == "mul":
            return times(*known)
        if head == "truediv":
            below = power_of(known[1], -1)
            return None if below is None else times(known[0], below)
        if head == "neg":
            return times(known[0], Coefficient(Fraction(-1)))
        if head == "pow" and not known[1].atoms:
            found_power = power_of(known[0], _simple(known[1].number))
            if found_power is not None:
                return found_power
        if head == "np.sqrt":
            root = power_of(known[0], Fraction(1, 2))
            if root is not None:
                return root
        if head == "sub" and known[1] == ZERO:
            return known[0]
        return self._whole_size(x, (head, *known))

    def summands(self, size: int) -> list[Coefficient]:
        """The terms of a size, by its number, that is a sum or difference: of ``1 - eps``; empty for any other."""
        for key, number in self._size_keys.items():
            if number == size and key[0] in ("add", "sub"):
                sign = Coefficient(Fraction(-1 if key[0] == "sub" else 1))
                return [key[1], times(key[2], sign)]
        return []

    def rewritten(self, x: Any) -> Any:
        """A static argument, with sizes that refer to variables of the forward pass only."""
        if is_size(x):
            if variables_of(x) <= self.available:
                return x
            coefficient = self._of_size(x)
            if coefficient is None:
                raise NoFormError("a size is known from the backward pass only")
            return self.number(coefficient, True)
        return moved(x, self.rewritten)

    def _whole_size(self, x: Any, key: Any) -> Coefficient:
        if not variables_of(x) <= self.available:
            raise NoFormError("a size is known from the backward pass only")
        if key not in self._size_keys:
            self._size_keys[key] = len(self._sizes)
            self._sizes.append(x)
        return Coefficient(Fraction(1), ((("s", self._size_keys[key]), 1),))

    # ---- to sizes

    def number(self, coefficient: Coefficient, double: bool) -> Any:
        """A coefficient without run-time scalars as the number or size to write."""
        above: Any = None
        below: Any = None
        lengths = {k: p for k, p in coefficient.atoms if k[0] == "n"}
        for sign in (1, -1):
            some = tuple((k, abs(p)) for k, p in lengths.items() if p * sign > 0)
            whole = self._wholes.get(some)
            group = [(whole, 1)] if whole is not None else [(self._length(k[1]), p) for k, p in some]
            others = [(self._sizes[k[1]], abs(p)) for k, p in coefficient.atoms if k[0] == "s" and p * sign > 0]
            for size, p in group + others:
                factor = size if p == 1 else _root(size, double) if p == Fraction(1, 2) else size ** _plain(p)
                if sign > 0:
                    above = factor if above is None else above * factor
                else:
                    below = factor if below is None else below * factor
        value: Any = _written(coefficient.number)
        if above is None and below is None:
            return value
        if above is None:
            return written_number(float(value)) / below
        scaled = above if coefficient.number == 1 else written_number(float(value)) * above
        return scaled if below is None else scaled / below

    def _length(self, axis: int) -> Any:
        if axis not in self._written:
            variable, k = self._places[axis]
            if variable not in self.available:
                raise NoFormError("a length is known from the backward pass only")
            self._written[axis] = Size(self._lengths[axis], ("length", variable, k))
        return self._written[axis]


def variables_of(x: Any) -> set[int]:
    """The variables that a size refers to."""
    if not is_size(x):
        return set()
    head, *operands = x.expression
    if head in ("length", "size"):
        return {operands[0]}
    return set().union(*(variables_of(e) for e in operands))


def _simple(number: Fraction) -> Any:
    return int(number) if number.denominator == 1 else number


def _plain(p: Any) -> Any:
    return int(p) if Fraction(p).denominator == 1 else float(p)


def _root(size: Any, double: bool) -> Any:
    # np.sqrt of a size is a float64 that promotes float32 arrays; ** 0.5 is a plain number.
    return np.sqrt(size) if double else size**0.5


def _written(number: Fraction) -> Any:
    if number.denominator == 1 and abs(number) < 2**53:
        return int(number)
    value = float(number)
    short = float(f"{value:.{_DIGITS}g}")  # 0.1 * 3 is 0.3 to a reader
    return short if abs(short - value) <= abs(value) * float(_ROUNDED) / 2 else value
