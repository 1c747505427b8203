"""Formulas as MathML, which browsers set and screen readers read, without any script or font of ours."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
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
from chainrule.explain.notation.breaking import TIMES, rows_of
from chainrule.explain.notation.text import one_line

__all__ = ["mathml"]

_LONGEST = 60  # letters that a side of an equation is wide, on one line


def mathml(x: Formula | Equation, block: bool = False) -> str:
    """A formula as a ``<math>`` element, with its plain text for readers that cannot set it.

    With ``block`` it is set large, and the sides of an equation that has several stand one below the other.
    """
    whole = arranged(x)
    first, lines = rows_of(x, _LONGEST) if block else (None, [])
    if len(lines) > 1:
        rows = [("<mo>=</mo>" if sign == "=" else "", _line(sign, line)) for sign, line in lines]
        left = ["" if first is None else _element(first), *("" for _ in rows[1:])]
        cells = "".join(
            f"<mtr><mtd>{a}</mtd><mtd>{sign}</mtd><mtd>{b}</mtd></mtr>" for a, (sign, b) in zip(left, rows, strict=True)
        )
        inside = f'<mtable class="sides" displaystyle="true">{cells}</mtable>'
    else:
        inside = _element(whole)
    display = ' display="block"' if block else ""
    return f'<math{display} alttext="{html.escape(one_line(whole))}">{inside}</math>'


def _line(sign: str, line: Sequence[Set]) -> str:
    """A line of several; one that goes on begins with a sign between two terms, or between two factors."""
    if sign != "further":
        return _element(line[0] if len(line) == 1 else Line(tuple(line)))
    far = 2 if line[0] == TIMES else 1
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
        case "bracket":
            return f'<mo stretchy="false" form="{"prefix" if shown == "(" else "postfix"}">{shown}</mo>'
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
