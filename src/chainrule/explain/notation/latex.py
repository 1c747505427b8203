r"""Formulas as LaTeX, in what GitHub and notebooks read: ``\frac{\partial err}{\partial Z_{n,j}}``."""

from __future__ import annotations

import re

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
from chainrule.explain.notation.breaking import rows_of

__all__ = ["latex"]

_LONGEST = 64  # letters that a side of an equation is wide, on one line
# What stands before a line; a sign at its beginning is one between two terms.
_BEFORE = {"=": "= ", "further": r"\quad {} ", "": ""}
_FUNCTIONS = frozenset("exp log sin cos tan sinh cosh tanh arcsin arccos arctan max min".split())
_SYMBOLS = {"≥": r"\ge", "≤": r"\le", "≠": r"\ne", "∂": r"\partial ", "·": r"\cdot ", "<": r"\lt", ">": r"\gt",
            "∧": r"\land", "∨": r"\lor", "¬": r"\lnot ", "mod": r"\bmod", "//": r"\mathbin{//}"}  # fmt: skip
_BIG = {"Σ": r"\sum", "∏": r"\prod", "max": r"\max", "min": r"\min"}
_GREEK = {"δ": r"\delta", "∞": r"\infty", "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "ε": r"\varepsilon",
          "η": r"\eta", "θ": r"\theta", "λ": r"\lambda", "μ": r"\mu", "σ": r"\sigma", "φ": r"\varphi",
          "ω": r"\omega"}  # fmt: skip


def latex(x: Formula | Equation, aligned: bool = False) -> str:
    r"""A formula in LaTeX's mathematics mode, without the dollars around it.

    With ``aligned``, the sides of an equation that has several stand one below the other, and wide ones are broken.
    """
    if not aligned:
        return _code(arranged(x))
    left, lines = rows_of(x, _LONGEST)
    if len(lines) == 1:
        return _code(arranged(x))
    rows = [f"&{_BEFORE[sign]}{_code(Line(tuple(line)))}" for sign, line in lines]
    rows[0] = rows[0] if left is None else f"{_code(left)} {rows[0]}"
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _code(x: Set) -> str:
    match x:
        case Word():
            return _word(x)
        case Line():
            return re.sub(r"  +", " ", "".join(map(_code, x.parts))).strip()
        case Product():
            return r" \cdot ".join(map(_code, x.factors))
        case Subscripted():
            return f"{_code(x.base)}_{{{','.join(map(_code, x.indices))}}}"
        case Raised():
            base, exponent = _code(x.base), _code(x.exponent)
            # What is raised already, as a transposed matrix is, takes no second exponent; a prime is one.
            taken = "'" in base or (isinstance(x.base, Subscripted) and isinstance(x.base.base, Raised))
            return f"{{{base}}}^{{{exponent}}}" if taken else f"{base}^{{{exponent}}}"
        case Fraction():
            return rf"\frac{{{_code(x.above)}}}{{{_code(x.below)}}}"
        case Root():
            return rf"\sqrt{{{_code(x.body)}}}"
        case Fenced():
            bar = {"|": (r"\left|", r"\right|")}
            opening, closing = bar.get(x.opening, (rf"\left{x.opening}", rf"\right{x.closing}"))
            return f"{opening} {_code(x.body)} {closing}"
        case Big():
            return rf"{_BIG.get(x.symbol, _operator(x.symbol))}_{{{','.join(map(_code, x.indices))}}} {_code(x.body)}"
        case Branches():
            rows = r" \\ ".join(f"{_code(value)} & {_code(condition)}" for value, condition in x.rows)
            return rf"\begin{{cases}} {rows} \end{{cases}}"
    raise TypeError(f"{type(x).__name__} cannot be printed as LaTeX.")


def _word(x: Word) -> str:
    text = x.text
    if x.kind == "relation":
        return f" {_SYMBOLS.get(text, text)} "
    if x.kind == "operator":
        return ", " if text == "," else _SYMBOLS.get(text, text)
    if x.kind == "function":
        return rf"\{text}" if text in _FUNCTIONS else _operator(text)
    if x.kind == "bracket":
        return r"\Bigl( " if text == "(" else r" \Bigr)"
    if x.kind == "text":
        return rf"\text{{{_escaped(text)}}}"
    if x.kind == "transposed":
        return r"\top"
    if x.kind == "number":
        return _number(text)
    if x.kind == "size":
        return rf"\mathrm{{{_escaped(text)}}}"
    if text in _GREEK:
        return _GREEK[text]
    name, primes = text.rstrip("′"), len(text) - len(text.rstrip("′"))
    gap = r"\;" if name.endswith("_") else ""  # what is set below would be read as a minus sign with it
    shown = name if len(name) == 1 and name.isalpha() else rf"\mathit{{{_escaped(name)}{gap}}}"
    return shown + "'" * primes


def _number(text: str) -> str:
    power = re.fullmatch(r"(-?[\d.]+)e(-?\d+)", text)
    if power:
        return rf"{power[1]} \times 10^{{{power[2]}}}"
    return text.replace("∞", r"\infty") if re.fullmatch(r"-?[\w.∞]+", text) else rf"\mathrm{{{_escaped(text)}}}"


def _operator(name: str) -> str:
    return rf"\operatorname{{{_escaped(name)}}}"


def _escaped(text: str) -> str:
    # A blank between words of code would vanish in mathematics mode.
    code = re.sub(r"([_%&#$])", r"\\\1", text).replace(" ", r"\ ")
    return re.sub(r"(\\ )?\*(\\ )?", r" \\cdot ", code)
