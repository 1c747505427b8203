"""Where a wide formula is broken: before the signs of a long sum, and between the factors of a long product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainrule.explain.formula import Equation, Formula
from chainrule.explain.notation.arrangement import (
    Big,
    Branches,
    Fenced,
    Fraction,
    Line,
    Product,
    Raised,
    Root,
    Set,
    Subscripted,
    Word,
    arranged,
)
from chainrule.explain.notation.text import one_line

__all__ = ["TIMES", "rows_of"]

TIMES = Word("·", "operator")
_OPENING, _CLOSING = Word("(", "bracket"), Word(")", "bracket")  # one without the other on its line


def rows_of(x: Formula | Equation, longest: float) -> tuple[Set | None, list[tuple[str, list[Set]]]]:
    """The left side of an equation, and the lines of the others, each below the last and with what stands before it.

    That is ``=``, or ``further`` where a line goes on, or nothing.  A left side that is wide itself is on the first of
    the lines, and there is none beside them.
    """
    left: Set | None = None
    if isinstance(x, Equation):
        left, sides = arranged(x.left), [("=", arranged(side)) for side in x.right]
        if _width(left) > longest / 2:
            sides.insert(0, ("", left))
            left = None
    else:
        sides = [("", arranged(x))]
    return left, [
        ("further" if k else sign, line) for sign, side in sides for k, line in enumerate(broken(side, longest))
    ]


def broken(x: Set, longest: float, room: float | None = None) -> list[list[Set]]:
    """A formula on as many lines as it needs, each of which is about ``longest`` letters wide at most.

    ``room`` is how wide the first may be, where something stands before it.
    """
    if _width(x) <= (longest if room is None else room):
        return [[x]]
    terms: list[list[Set]] = [[]]
    for part in x.parts if isinstance(x, Line) else (x,):
        if terms[-1] and isinstance(part, Word) and part.kind == "relation":
            terms.append([])
        terms[-1].append(part)
    found: list[list[Set]] = []
    for term in terms:
        for k, piece in enumerate(_pieces(term, longest)):
            most = room if room is not None and len(found) == 1 else longest
            if found and not k and _width(Line((*found[-1], *piece))) <= most:
                found[-1] += piece
            else:
                found.append(piece)
    return found


def _pieces(term: list[Set], longest: float) -> list[list[Set]]:
    """A term of a sum in as many parts as it needs."""
    if _width(Line(tuple(term))) <= longest:
        return [term]
    factors = _factors(term[-1])
    found: list[list[Set]] = [[]]
    for factor in factors:
        whole = _width(Product((*found[-1], factor)))
        # A long sum between brackets may begin where there is room for its first terms.
        opened = _sum_within(factor) is not None and _width(factor) > longest > 2 * (whole - _width(factor))
        if found[-1] and whole > longest and not opened:
            found.append([])
        found[-1].append(factor)
    first, *others = (_product(held) for held in found)
    pieces = [[*term[:-1], first], *([TIMES, held] for held in others)]
    return [line for piece in pieces for line in _opened(piece, longest)]


def _opened(piece: list[Set], longest: float) -> list[list[Set]]:
    """A piece that ends with a long sum between brackets, on the lines of that sum."""
    *before, last = piece
    *factors, fence = last.factors if isinstance(last, Product) else (last,)
    held = _sum_within(fence)
    if _width(Line(tuple(piece))) <= longest or held is None:
        return [piece]
    first, *others = broken(held, longest, longest - _width(Line((*before, *factors))))
    if not others:
        return [piece]
    begun: Set = Line((_OPENING, *first))
    begun = replace(fence, body=begun) if isinstance(fence, Big) else begun
    others[-1].append(_CLOSING)
    return [[*before, _product([*factors, begun])], *others]


def _sum_within(x: Set) -> Set | None:
    """What stands between the brackets of a factor, or of what it sums."""
    held = x.body if isinstance(x, Big) else x
    return held.body if isinstance(held, Fenced) and held.opening == "(" else None


def _product(factors: Sequence[Set]) -> Set:
    return factors[0] if len(factors) == 1 else Product(tuple(factors))


def _factors(x: Set) -> list[Set]:
    """What a product can be broken between: also the factors above a line, and those that are summed."""
    match x:
        case Product():
            return [g for f in x.factors for g in (_factors(f) if f is x.factors[-1] else [f])]
        case Fraction(above=Product()) if not x.derivative:
            assert isinstance(x.above, Product)
            return [replace(x, above=Word("1", "number")), *_factors(x.above)]
        case Big():
            first, *others = _factors(x.body)
            return [replace(x, body=first), *others]
    return [x]


def _width(x: Set) -> float:
    """About how wide something is set, in letters."""
    match x:
        case Word():
            return len(x.text) + 2 * (x.kind == "relation")
        case Line():
            return sum(map(_width, x.parts))
        case Product():
            return sum(map(_width, x.factors)) + 0.5 * len(x.factors)
        case Subscripted():
            return _width(x.base) + 0.8 * sum(map(_width, x.indices))
        case Raised():
            return _width(x.base) + 0.7 * _width(x.exponent)
        case Fraction():
            return max(_width(x.above), _width(x.below))
        case Root() | Fenced():
            return _width(x.body) + 2
        case Big():
            return _width(x.body) + 3
        case Branches():
            return max(_width(value) for value, _ in x.rows) + max(_width(condition) for _, condition in x.rows) + 5
    return len(one_line(x))
