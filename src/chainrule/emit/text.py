"""Pieces of expressions: text together with how tightly it binds."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import pairwise

__all__ = [
    "ATOM",
    "POWER",
    "PRODUCT",
    "SIGN",
    "Mask",
    "Text",
    "comment",
    "formatted_path",
    "join",
    "needs_array",
    "tight",
    "unbracketed",
    "with_sign",
    "wrapped",
]

# How tightly an expression binds, as in Python's grammar.
COMPARISON, OR, XOR, AND, SHIFT, SUM, PRODUCT, SIGN, POWER, ATOM = range(10)
_LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "@": PRODUCT, "//": PRODUCT, "%": PRODUCT, "**": POWER,
           "<<": SHIFT, ">>": SHIFT, "&": AND, "^": XOR, "|": OR}  # fmt: skip
_WIDTH = 112  # of remarks
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


def wrapped(line: str, width: int) -> list[str]:
    """A line of code on several lines where it is too long: broken inside of its last brackets, or at its operators."""
    indent = line[: len(line) - len(line.lstrip())]
    if indent:
        return [indent + part for part in wrapped(line[len(indent) :], width - len(indent))]
    head = re.fullmatch(r"(for .* in zip\()(.*)(\):)", line)
    if head and len(line) > width:
        parts = re.split(r", (?=reversed\()", head[2]) if len(head[2]) + 4 > width else [head[2]]
        return [head[1], *(f"    {part}," for part in parts[:-1]), f"    {parts[-1]}{',' * (len(parts) > 1)}", head[3]]
    found = _assignment(line)
    if len(line) <= width or not found or "#" in line:
        return [line]
    target, equals, value = found
    depth, commas = 0, []
    sums, products, comparisons = list[int](), list[int](), list[int]()
    opening = 0
    pairs: list[tuple[int, int]] = []  # outer brackets with something in them
    quoted = False
    for k, character in enumerate(value):
        quoted ^= character == '"'
        if quoted:
            continue
        if character in "([{":
            opening = k if depth == 0 else opening
            depth += 1
        elif character in ")]}":
            depth -= 1
            pairs += [(opening, k)] * (depth == 0 and k > opening + 1)
        elif depth == 0 and k and value[k - 1] == " ":
            word = value[k : value.find(" ", k)]
            for own, symbols in ((sums, "+ -"), (products, "* / @ //"), (comparisons, "== != < <= > >=")):
                if word in symbols.split():
                    own.append(k)
    operators = comparisons or sums or products
    if sums and not comparisons and equals == "+=":
        # x += a + b is x += a, and then x += b.
        pieces = [value[a:b].strip() for a, b in pairwise([0, *sums, len(value)])]
        signs = [(piece[0], piece[2:]) if piece[:2] in ("+ ", "- ") else ("+", piece) for piece in pieces]
        return [part for sign, piece in signs for part in wrapped(f"{target} {sign}= {piece}", width)]
    if operators and len(value) + 4 <= width:
        return [f"{target} {equals} (", f"    {value}", ")"]
    if operators:
        pieces = [value[a:b].strip() for a, b in pairwise([0, *operators, len(value)])]
        return [f"{target} {equals} (", *(f"    {piece}" for piece in pieces), ")"]
    start, end = pairs[-1] if pairs else (-1, -1)
    if start <= 0 or value[-1] not in ")]}" or value[start] != "(":
        return [line]
    inner = value[start + 1 : end]
    quoted = False
    for k, character in enumerate(inner):
        quoted ^= character == '"'
        depth += (character in "([{") - (character in ")]}") if not quoted else 0
        if character == "," and depth == 0 and not quoted:
            commas.append(k)
    if len(commas) and len(inner) + 4 > width:
        ends = [-1, *commas, len(inner)]
        pieces = [f"    {inner[a + 1 : b].strip()}," for a, b in pairwise(ends)]
    else:
        pieces = [f"    {inner}"]
    return [f"{target} {equals} {value[: start + 1]}", *pieces, value[end:]]


def _assignment(line: str) -> tuple[str, str, str] | None:
    """The target, the sign and the value of an assignment."""
    depth = 0
    for k, character in enumerate(line):
        depth += (character in "([{") - (character in ")]}")
        found = re.match(r" ([+-]?=) ", line[k : k + 4]) if depth == 0 and character == " " else None
        if found:
            return line[:k], found[1], line[k + found.end() :]
        if character == '"':
            return None
    return None


def formatted_path(path: str) -> str:
    """A path as formatters write it: ``["W1"]``."""
    return path if '"' in path else path.replace("'", '"')


def tight(x: Text) -> str:
    """An expression in front of a dot or a bracket."""
    return x[0] if x[1] == ATOM and not x[0].isdigit() else f"({x[0]})"


def unbracketed(text: str) -> str:
    """An expression that stands alone, without brackets around all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for k, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and k < len(text) - 1:
            return text
    return text if "," in text else text[1:-1]


def needs_array(name: str, lines: Sequence[str]) -> bool:
    """Whether lines do something else with a list than look up its items, measure it and go through it."""
    harmless = rf"\b{name}\[[\w +\-]+\]|\b(len|reversed)\({name}\)|\bin {name}:|#.*"
    words = re.compile(rf"(?<![\w.]){name}\b")
    return any(words.search(re.sub(harmless, "", line)) for line in lines)


def comment(text: str) -> list[str]:
    """A remark above the code, on several lines where it is long."""
    return textwrap.wrap(
        text, _WIDTH, initial_indent="# ", subsequent_indent="#     ", break_long_words=False, break_on_hyphens=False
    )
