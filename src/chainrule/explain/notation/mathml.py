"""Formulas as MathML, which browsers set and screen readers read, without any script or font of ours."""

from __future__ import annotations

import html
import re
from functools import lru_cache

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

__all__ = ["mathml"]

_LONGEST = 60  # letters that a side of an equation is wide, on one line


def mathml(x: Formula | Equation, block: bool = False) -> str:
    """A formula as a ``<math>`` element, with its plain text for readers that cannot set it.

    With ``block`` it is set large, and the sides of an equation that has several stand one below the other.
    """
    whole = arranged(x)
    sides = whole.parts[::2] if isinstance(x, Equation) and isinstance(whole, Line) else ()  # with signs between them
    lines = [_lines(side) for side in sides[1:]] if block else []
    if sum(map(len, lines)) > 1:
        rows = [("" if k else "<mo>=</mo>", line) for side in lines for k, line in enumerate(side)]
        left = [_element(sides[0]), *("" for _ in rows[1:])]
        cells = "".join(
            f"<mtr><mtd>{a}</mtd><mtd>{sign}</mtd><mtd>{b}</mtd></mtr>" for a, (sign, b) in zip(left, rows, strict=True)
        )
        inside = f'<mtable class="sides" displaystyle="true">{cells}</mtable>'
    else:
        inside = _element(whole)
    display = ' display="block"' if block else ""
    return f'<math{display} alttext="{html.escape(one_line(whole))}">{inside}</math>'


def _lines(x: Set) -> list[str]:
    """A side of an equation on as many lines as it needs: broken before the signs of a long sum."""
    if not isinstance(x, Line) or _width(x) <= _LONGEST:
        return [_element(x)]
    terms: list[list[Set]] = [[]]
    for part in x.parts:
        if terms[-1] and isinstance(part, Word) and part.kind == "relation":
            terms.append([])
        terms[-1].append(part)
    found: list[list[Set]] = []
    for term in terms:
        for k, piece in enumerate(_parts(term)):
            if found and not k and _width(Line((*found[-1], *piece))) <= _LONGEST:
                found[-1] += piece
            else:
                found.append(piece)
    return ["".join(map(_element, line)) if k == 0 else _continued(line) for k, line in enumerate(found)]


def _parts(term: list[Set]) -> list[list[Set]]:
    """A term of a sum in as many parts as it needs: broken between the factors of a long product."""
    product = term[-1]
    if not isinstance(product, Product) or _width(Line(tuple(term))) <= _LONGEST:
        return [term]
    found: list[list[Set]] = [[]]
    for factor in product.factors:
        if found[-1] and _width(Product((*found[-1], factor))) > _LONGEST:
            found.append([])
        found[-1].append(factor)
    times = Word("·", "operator")
    first, *others = (Product(tuple(factors)) for factors in found)
    return [[*term[:-1], first], *([times, factors] for factors in others)]


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
    return len(one_line(x))


def _continued(line: list[Set]) -> str:
    """A line that begins with a sign between two terms, or between two factors."""
    far = 2 if line[0] == Word("·", "operator") else 1
    return f'<mrow><mspace width="{far}em"/>{"".join(map(_element, line))}</mrow>'


def _element(x: Set) -> str:
    match x:
        case Word():
            return _word(x)
        case Line():
            return f"<mrow>{''.join(map(_element, x.parts))}</mrow>"
        case Product():
            return f"<mrow>{'<mo>·</mo>'.join(map(_element, x.factors))}</mrow>"
        case Subscripted(base=Raised(), indices=indices):
            raised = x.base
            assert isinstance(raised, Raised)
            return f"<msubsup>{_element(raised.base)}{_indices(indices)}{_element(raised.exponent)}</msubsup>"
        case Subscripted():
            return f"<msub>{_element(x.base)}{_indices(x.indices)}</msub>"
        case Raised():
            base, exponent = _element(x.base), _element(x.exponent)
            if isinstance(x.base, Subscripted) and not isinstance(x.base.base, Raised):
                return f"<msubsup>{_element(x.base.base)}{_indices(x.base.indices)}{exponent}</msubsup>"
            return f"<msup>{base}{exponent}</msup>"
        case Fraction():
            return f"<mfrac>{_element(x.above)}{_element(x.below)}</mfrac>"
        case Root():
            return f"<msqrt>{_element(x.body)}</msqrt>"
        case Fenced():
            form = 'fence="true" stretchy="true"'
            return (
                f'<mrow><mo {form} form="prefix">{x.opening}</mo>{_element(x.body)}'
                f'<mo {form} form="postfix">{x.closing}</mo></mrow>'
            )
        case Big():
            symbol = {"Σ": "∑"}.get(x.symbol, x.symbol)
            operator = f"<mo>{symbol}</mo>" if symbol in "∑∏" else f'<mo lspace="0" rspace="0">{symbol}</mo>'
            under = f"<munder>{operator}{_indices(x.indices)}</munder>"
            return f'<mrow>{under}<mspace width="0.17em"/>{_element(x.body)}</mrow>'
        case Branches():
            rows = "".join(
                f"<mtr><mtd>{_element(value)}</mtd><mtd>{_element(condition)}</mtd></mtr>"
                for value, condition in x.rows
            )
            # Not every font has braces that grow: the page's style makes this one as tall as its rows.
            brace = f'<mo class="brace" style="--rows:{len(x.rows)}" stretchy="false" form="prefix">{{</mo>'
            return f'<mrow>{brace}<mtable class="cases" displaystyle="true">{rows}</mtable></mrow>'
    raise TypeError(f"{type(x).__name__} cannot be printed as MathML.")


def _indices(indices: tuple[Set, ...]) -> str:
    inside = "<mo>,</mo>".join(map(_element, indices))
    return inside if len(indices) == 1 else f"<mrow>{inside}</mrow>"


@lru_cache(maxsize=4096)
def _word(x: Word) -> str:
    shown = html.escape(x.text, quote=False)
    match x.kind:
        case "relation" | "operator":
            return f"<mo>{shown.replace('-', '−')}</mo>"
        case "number":
            return _number(x.text)
        case "text":
            return "<mtext>" + shown.replace(" ", "\N{NO-BREAK SPACE}") + "</mtext>"
        case "size":
            return f'<mi class="code">{shown}</mi>'
        case "transposed":
            return "<mo>⊤</mo>"
        case "index" if len(x.text) > 1:
            return f'<mi class="index">{shown}</mi>'
        case "name" if len(x.text) == 1:
            # Arrays stand upright, whether their names are short or long; indices in italics.
            return f'<mi mathvariant="normal">{shown}</mi>'
    return f"<mi>{shown}</mi>"


def _number(text: str) -> str:
    power = re.fullmatch(r"(-?[\d.]+)e(-?\d+)", text)
    if power:
        exponent = power[2].replace("-", "−")
        return f"<mrow>{_number(power[1])}<mo>×</mo><msup><mn>10</mn><mn>{exponent}</mn></msup></mrow>"
    if text.startswith("-"):
        return f'<mrow><mo form="prefix">−</mo><mn>{html.escape(text[1:])}</mn></mrow>'
    return f"<mn>{html.escape(text)}</mn>"
