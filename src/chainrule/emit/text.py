"""Pieces of expressions: text together with how tightly it binds."""

from __future__ import annotations

import re

__all__ = ["ATOM", "POWER", "PRODUCT", "SIGN", "Mask", "Text", "join", "tight", "with_sign"]

# How tightly an expression binds, as in Python's grammar.
COMPARISON, OR, XOR, AND, SHIFT, SUM, PRODUCT, SIGN, POWER, ATOM = range(10)
_LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "@": PRODUCT, "//": PRODUCT, "%": PRODUCT, "**": POWER,
           "<<": SHIFT, ">>": SHIFT, "&": AND, "^": XOR, "|": OR}  # fmt: skip
_SIMPLE = re.compile(r"-?[\w.]+")

Text = tuple[str, int]


class Mask(str):
    """An expression that begins with a boolean or unsigned array, in front of which no minus sign can stand."""


def join(left: Text, symbol: str, right: Text) -> Text:
    """Two expressions with an operator between them, in brackets where they need them."""
    level = _LEVELS.get(symbol, COMPARISON)
    left_needs = left[1] <= level if symbol == "**" or level == COMPARISON else left[1] < level
    right_needs = right[1] < SIGN if symbol == "**" else right[1] <= level
    a = f"({left[0]})" if left_needs else str(left[0])
    b = f"({right[0]})" if right_needs else str(right[0])
    if symbol == "**" and _SIMPLE.fullmatch(a) and _SIMPLE.fullmatch(b):
        return f"{a}**{b}", level
    return type(left[0])(f"{a} {symbol} {b}"), level


def with_sign(minus: bool, x: Text) -> Text:
    """An expression with a minus sign in front of it, if there is one."""
    if not minus:
        return x
    # -a * b is (-a) * b, which is the same number as -(a * b).
    bare = x[1] in (PRODUCT, POWER, ATOM) and type(x[0]) is not Mask
    return (f"-{x[0]}", min(x[1], SIGN)) if bare else (f"-({x[0]})", SIGN)


def tight(x: Text) -> str:
    """An expression in front of a dot or a bracket."""
    return x[0] if x[1] == ATOM and not x[0].isdigit() else f"({x[0]})"
