"""Formulas as plain text: ``Z3[n,j] = Σₖ A2[n,k]·W3[k,j] + B3[j]``."""

from __future__ import annotations

import re

from chainrule.explain.formula import Equation, Formula
from chainrule.explain.notation.arrangement import (
    SUM,
    TIGHT,
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

__all__ = ["one_line", "sides", "text"]

# Unicode has no small forms of the other letters.
_LOWERED = dict(zip("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)) | {"′": "′"}
_RAISED = dict(zip("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", strict=True))


def text(x: Formula | Equation) -> str:
    """A formula on one line."""
    return one_line(arranged(x))


def sides(x: Equation) -> tuple[str, ...]:
    """The sides of an equation, each on one line: for what is too wide to stand on one."""
    return tuple(one_line(arranged(side)) for side in (x.left, *x.right))


def one_line(x: Set) -> str:
    """What is set, on one line."""
    match x:
        case Word():
            return f" {x.text} " if x.kind == "relation" else x.text
        case Line():
            whole = "".join(", " if part == Word(",", "operator") else one_line(part) for part in x.parts)
            return re.sub(r"  +", " ", whole).strip() if "  " in whole else whole.strip()
        case Product():
            return _product(x)
        case Subscripted():
            return f"{one_line(x.base)}[{','.join(_tight(i) for i in x.indices)}]"
        case Raised():
            exponent = one_line(x.exponent)
            return one_line(x.base) + (exponent if exponent == "ᵀ" else _exponent(exponent))
        case Fraction():
            return _fraction(x)
        case Root():
            body = one_line(x.body)
            return f"√{body}" if x.level == TIGHT and re.fullmatch(r"[\w.]+(\[[^\[\]]*\])?", body) else f"√({body})"
        case Fenced():
            return f"{x.opening}{one_line(x.body)}{x.closing}"
        case Big():
            return f"{x.symbol}{_lowered(x.indices)} {one_line(x.body)}"
        case Branches():
            return "{" + "; ".join(f"{one_line(value)} {one_line(condition)}" for value, condition in x.rows) + "}"
    raise TypeError(f"{type(x).__name__} cannot be printed as text.")


def _tight(index: Set) -> str:
    """An index without blanks."""
    return one_line(index).replace(" mod ", "%").replace(" ", "")


def _product(x: Product) -> str:
    parts = []
    for k, factor in enumerate(x.factors):
        text = one_line(factor)
        last = k == len(x.factors) - 1
        quotient = isinstance(factor, Fraction) and not factor.derivative
        parts.append(f"({text})" if quotient and not (last and len(x.factors) == 1) else text)
    return "·".join(parts)


def _fraction(x: Fraction) -> str:
    above, below = one_line(x.above), one_line(x.below)
    if x.derivative:
        return f"{above}/{below}"
    if x.above_level == SUM or (isinstance(x.above, Fraction) and not x.above.derivative):
        above = f"({above})"
    if x.below_level < TIGHT or isinstance(x.below, Fraction):
        below = f"({below})"
    return f"{above}/{below}"


def _exponent(text: str) -> str:
    if all(c in _RAISED for c in text):
        return "".join(_RAISED[c] for c in text)
    return f"^{text}" if re.fullmatch(r"[\w.]+", text) else f"^({text})"


def _lowered(indices: tuple[Set, ...]) -> str:
    names = [_tight(i) for i in indices]
    if all(c in _LOWERED for c in "".join(names)):
        return "".join(_LOWERED[c] for c in "".join(names))
    return f"_{names[0]}" if len(names) == 1 else f"_{{{','.join(names)}}}"
