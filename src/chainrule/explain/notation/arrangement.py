"""How a formula is set on paper: fractions, roots, signs and brackets are decided here, once for every printer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.explain import formula as tree
from chainrule.language import message

__all__ = [
    "SUM",
    "TIGHT",
    "Big",
    "Branches",
    "Fenced",
    "Fraction",
    "Line",
    "Product",
    "Raised",
    "Root",
    "Set",
    "Subscripted",
    "Word",
    "arranged",
    "arranged_index",
]

# How tightly something holds together, loosest first.
SUM, BIG, PRODUCT, TIGHT = range(4)


@dataclass(frozen=True, slots=True)
class Set:
    """Something that is set: the base of all arrangements."""


@dataclass(frozen=True, slots=True)
class Word(Set):
    """A word.

    ``kind`` is ``name``, ``index``, ``number``, ``operator``, ``relation``, ``function``, ``size``, ``transposed``,
    ``bracket`` or ``text``.
    """

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Line(Set):
    """Parts one after the other."""

    parts: tuple[Set, ...]


@dataclass(frozen=True, slots=True)
class Product(Set):
    """Factors."""

    factors: tuple[Set, ...]


@dataclass(frozen=True, slots=True)
class Subscripted(Set):
    """A name with indices."""

    base: Set
    indices: tuple[Set, ...]


@dataclass(frozen=True, slots=True)
class Raised(Set):
    """A base, in brackets where it needs them, with an exponent."""

    base: Set
    exponent: Set


@dataclass(frozen=True, slots=True)
class Fraction(Set):
    """A quotient; the levels say what needs brackets where it is written on one line.

    A derivative is a fraction that never needs them.
    """

    above: Set
    below: Set
    above_level: int = TIGHT
    below_level: int = TIGHT
    derivative: bool = False


@dataclass(frozen=True, slots=True)
class Root(Set):
    """A square root."""

    body: Set
    level: int


@dataclass(frozen=True, slots=True)
class Fenced(Set):
    """Something between brackets or bars."""

    opening: str
    body: Set
    closing: str


@dataclass(frozen=True, slots=True)
class Big(Set):
    """A large operator over indices, and what it is applied to."""

    symbol: str
    indices: tuple[Set, ...]
    body: Set


@dataclass(frozen=True, slots=True)
class Branches(Set):
    """Values, each with the words and the condition under which it holds."""

    rows: tuple[tuple[Set, Set], ...]


_BIG = {"sum": "Σ", "prod": "∏", "max": "max", "min": "min"}
_RELATIONS = {">=": "≥", "<=": "≤", "!=": "≠", "==": "=", ">": ">", "<": "<"}
_LOGIC = {"and": "∧", "or": "∨", "not": "¬"}
_INDEX_LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "//": PRODUCT, "%": PRODUCT, "[]": TIGHT}
_INDEX_SYMBOLS = {"+": "+", "-": "-", "*": "·", "//": "//", "%": "mod"}


def arranged(x: tree.Formula | tree.Equation) -> Set:
    """A formula or an equation, as it is set."""
    if isinstance(x, tree.Equation):
        parts = [arranged(x.left)]
        for side in x.right:
            parts += [Word("=", "relation"), arranged(side)]
        return Line(tuple(parts))
    return _placed(x)[0]


def _placed(x: tree.Formula) -> tuple[Set, int]:
    """A formula, and how tightly it holds together."""
    match x:
        case tree.Number():
            text = x.text or shown_number(x.value)
            compound = not re.fullmatch(r"[\w.∞]+", text)
            return Word(text, "number"), SUM if text.startswith("-") else PRODUCT if compound else TIGHT
        case tree.Size():
            return Word(x.text, "size"), _size_level(x.text)
        case tree.Element():
            return _element(x), TIGHT
        case tree.Position():
            return _index(x.index)
        case tree.Delta():
            return Subscripted(Word("δ", "name"), (arranged_index(x.left), arranged_index(x.right))), TIGHT
        case tree.Compare():
            inside = Line((_placed(x.left)[0], _relation(x.operator), _placed(x.right)[0]))
            return Fenced("[", inside, "]"), TIGHT
        case tree.Partial():
            above = Line((Word("∂", "operator"), _element(x.of)))
            return Fraction(above, Line((Word("∂", "operator"), _element(x.by))), derivative=True), TIGHT
        case tree.Apply():
            return _applied(x)
        case tree.Power():
            return _power(x)
        case tree.Multiply():
            return _product(x)
        case tree.Add():
            return _sum(x), SUM
        case tree.Sum():
            body = _within(x.body, BIG)
            return Big(_BIG.get(x.kind, x.kind), tuple(map(arranged_index, x.over)), body), BIG
        case tree.Cases():
            return _branches(x), TIGHT
    raise TypeError(f"{type(x).__name__} is no formula that can be printed.")


def _within(x: tree.Formula, level: int) -> Set:
    """A formula as part of one that holds together as tightly as ``level``: in brackets where it is looser."""
    placed, own = _placed(x)
    return placed if own >= level else Fenced("(", placed, ")")


def _element(x: tree.Element) -> Set:
    base = Word(x.name, "name" if _size_level(x.name) == TIGHT else "size")
    held: Set = base if _size_level(x.name) == TIGHT or not x.indices else Fenced("(", base, ")")
    if x.transposed:
        held = Raised(held, Word("ᵀ", "transposed"))
    return Subscripted(held, tuple(map(arranged_index, x.indices))) if x.indices else held


def _relation(operator: str) -> Set:
    return Word(_RELATIONS.get(operator, operator), "relation")


def _applied(x: tree.Apply) -> tuple[Set, int]:
    arguments = [_placed(a) for a in x.arguments]
    if len(arguments) == 1 and x.function in ("sqrt", "abs", "absolute"):
        (body, level), *_ = arguments
        return (Root(body, level) if x.function == "sqrt" else Fenced("|", body, "|")), TIGHT
    if x.function in _LOGIC:
        return Fenced("[", _condition(x, within=True), "]"), TIGHT
    parts: list[Set] = []
    for k, (argument, _) in enumerate(arguments):
        parts += [Word(",", "operator"), argument] if k else [argument]
    return Line((Word(x.function, "function"), Fenced("(", Line(tuple(parts)), ")"))), TIGHT


def _power(x: tree.Power) -> tuple[Set, int]:
    exponent = _plain(x.exponent)
    if exponent is not None and exponent < 0:
        return _product(tree.Multiply((x,)))
    if exponent == 0.5:
        return Root(*_placed(x.base)), TIGHT
    if exponent == 1:
        return _placed(x.base)
    base, level = _placed(x.base)
    nested = level < TIGHT or isinstance(base, Raised | Fraction | Root)
    return Raised(Fenced("(", base, ")") if nested else base, _placed(x.exponent)[0]), TIGHT


def _product(x: tree.Multiply) -> tuple[Set, int]:
    """A product: negative powers below the line, a sum over indices last, a sign in front."""
    negative, above, below = _split(x)
    placed: Set
    # What follows a sum over indices would be read as part of it.
    bigs = [f for f in above if isinstance(f, tree.Sum)]
    others = [f for f in above if not isinstance(f, tree.Sum)]
    if bigs and below:
        front = _quotient(others, below)
        placed = Product((*_factors_of(front), *(_within(f, PRODUCT) for f in bigs[:-1]), _placed(bigs[-1])[0]))
        level = BIG
    elif below:
        placed, level = _quotient(above, below), PRODUCT
    else:
        factors = [*others, *bigs] if len(bigs) == 1 else above
        held = [_within(f, PRODUCT if k < len(factors) - 1 else BIG) for k, f in enumerate(factors)]
        if len(factors) == 1:
            placed, level = _placed(factors[0])
        else:
            placed, level = Product(tuple(held)), BIG if isinstance(factors[-1], tree.Sum) else PRODUCT
    if negative:
        held_back = Fenced("(", placed, ")") if level == SUM else placed
        return Line((Word("-", "operator"), held_back)), SUM
    return placed, level


def _factors_of(x: Set) -> tuple[Set, ...]:
    return x.factors if isinstance(x, Product) else (x,)


def _quotient(above: list[tree.Formula], below: list[tree.Formula]) -> Set:
    (upper, upper_level), (lower, lower_level) = _side(above), _side(below)
    return Fraction(upper, lower, upper_level, lower_level)


def _side(factors: list[tree.Formula]) -> tuple[Set, int]:
    if not factors:
        return Word("1", "number"), TIGHT
    if len(factors) == 1:
        return _placed(factors[0])
    return Product(tuple(_within(f, PRODUCT) for f in factors)), PRODUCT


def _split(x: tree.Multiply) -> tuple[bool, list[tree.Formula], list[tree.Formula]]:
    """Whether a product is negative, its factors, and what it is divided by."""
    negative, above, below = False, list[tree.Formula](), list[tree.Formula]()
    for factor in _flat(x):
        exponent = _plain(factor.exponent) if isinstance(factor, tree.Power) else None
        if isinstance(factor, tree.Power) and exponent is not None and exponent < 0:
            below.append(factor.base if exponent == -1 else tree.Power(factor.base, _negated(factor.exponent)))
        elif _is_minus_one(factor):
            negative = not negative
        elif isinstance(factor, tree.Number) and not above and _plain(factor) is not None and _starts_negative(factor):
            negative = not negative
            above.append(_negated(factor))
        else:
            above.append(factor)
    return negative, [f for f in above if not _is_one(f)] or [tree.Number(1)], below


def _flat(x: tree.Multiply) -> list[tree.Formula]:
    return [g for f in x.factors for g in (_flat(f) if isinstance(f, tree.Multiply) else [f])]


def _sum(x: tree.Add) -> Set:
    parts: list[Set] = []
    for k, term in enumerate(_terms(x)):
        negative, body = _signed(term)
        if k or negative:
            parts.append(Word("-" if negative else "+", "operator" if not k else "relation"))
        parts.append(_within(body, BIG))
    return Line(tuple(parts))


def _terms(x: tree.Add) -> list[tree.Formula]:
    return [t for f in x.terms for t in (_terms(f) if isinstance(f, tree.Add) else [f])]


def _signed(x: tree.Formula) -> tuple[bool, tree.Formula]:
    """Whether a term is subtracted, and what is added or subtracted."""
    if isinstance(x, tree.Number) and _starts_negative(x):
        return True, _negated(x)
    if isinstance(x, tree.Multiply):
        factors = _flat(x)
        for k, factor in enumerate(factors):
            # A number within a product keeps its sign: 0·(-0.76).
            if isinstance(factor, tree.Number) and (_starts_negative(factor) if k == 0 else _is_minus_one(factor)):
                rest = [*factors[:k], *([] if _is_minus_one(factor) else [_negated(factor)]), *factors[k + 1 :]]
                return True, rest[0] if len(rest) == 1 else tree.Multiply(tuple(rest or [tree.Number(1)]))
    return False, x


def _branches(x: tree.Cases) -> Set:
    rows: list[tuple[Set, Set]] = []
    rest: tree.Formula = x
    while isinstance(rest, tree.Cases):
        before, _, after = str(message("if {condition}", condition="\0")).partition("\0")
        inside = _condition(rest.condition)
        words = (*([Word(before, "text")] if before else []), inside, *([Word(after, "text")] if after else []))
        rows.append((_placed(rest.then)[0], Line(words)))
        rest = rest.otherwise
    return Branches((*rows, (_placed(rest)[0], Word(str(message("otherwise")), "text"))))


def _condition(x: tree.Formula, within: bool = False) -> Set:
    """A condition without brackets around it; several at once between commas, where nothing else is ``within``."""
    if isinstance(x, tree.Compare):
        return Line((_placed(x.left)[0], _relation(x.operator), _placed(x.right)[0]))
    if not isinstance(x, tree.Apply) or x.function not in _LOGIC:
        return _placed(x)[0]
    sign = Word(_LOGIC[x.function], "operator" if x.function == "not" else "relation")
    if x.function == "and" and not within:
        sign = Word(",", "operator")
    parts: list[Set] = []
    for k, argument in enumerate(x.arguments):
        held = _condition(argument, within=True)
        loose = isinstance(argument, tree.Apply) and argument.function in _LOGIC and argument.function != "not"
        if (loose and sign.text != ",") or (x.function == "not" and isinstance(argument, tree.Compare)):
            held = Fenced("(", held, ")")
        parts += [sign, held] if k or x.function == "not" else [held]
    return Line(tuple(parts))


def arranged_index(x: Any) -> Set:
    """A position: a running index, a whole number, or an expression of them."""
    return _index(x)[0]


def _index(x: Any) -> tuple[Set, int]:
    if isinstance(x, tree.Index):
        return Word(x.name.replace("'", "′"), "index"), TIGHT
    if not isinstance(x, tree.IndexExpression):
        kind = "index" if isinstance(x, str) else "number"
        return Word(str(x), kind), SUM if str(x).startswith("-") else _size_level(str(x))
    if x.operator == "[]":
        array, *positions = x.parts
        name = Word(str(array), "name")
        return Subscripted(name, tuple(_index(p)[0] for p in positions)) if positions else name, TIGHT
    level = _INDEX_LEVELS[x.operator]
    parts: list[Set] = []
    if len(x.parts) == 1:
        parts.append(Word(_INDEX_SYMBOLS[x.operator], "operator"))
    for k, part in enumerate(x.parts):
        placed, own = _index(part)
        if k:
            parts.append(Word(_INDEX_SYMBOLS[x.operator], "relation" if x.operator == "%" else "operator"))
        tight = own > level or (own == level and (k == 0 or x.operator in "+*"))
        parts.append(placed if tight else Fenced("(", placed, ")"))
    return Line(tuple(parts)), level


# ---- numbers
def shown_number(value: Any) -> str:
    """A number with few digits: whole ones whole, others with four that count."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, complex | np.complexfloating):
        return f"{value.real:.4g}{value.imag:+.4g}j"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        if np.isinf(value):
            return "∞" if value > 0 else "-∞"
        text = f"{float(value):.4g}"
        text = "0" if text == "-0" else text
        return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return str(value)


def _plain(x: tree.Formula) -> float | None:
    """The value of a real number that is written as one."""
    if isinstance(x, tree.Number) and isinstance(x.value, int | float | np.integer | np.floating):
        return float(x.value)
    return None


def _starts_negative(x: tree.Number) -> bool:
    return (x.text or shown_number(x.value)).startswith("-")


def _negated(x: tree.Formula) -> tree.Formula:
    if not isinstance(x, tree.Number):
        return tree.Multiply((tree.Number(-1), x))
    return tree.Number(-x.value, x.text[1:] if x.text.startswith("-") else f"-{x.text}" if x.text else "")


def _is_one(x: tree.Formula) -> bool:
    return isinstance(x, tree.Number) and _plain(x) == 1 and x.text in ("", "1")


def _is_minus_one(x: tree.Formula) -> bool:
    return isinstance(x, tree.Number) and _plain(x) == -1 and x.text in ("", "-1")


@lru_cache(maxsize=1024)
def _size_level(text: str) -> int:
    """How tightly a length holds together, as the user writes it: ``X.shape[0]``, ``len(X)``, ``N * C``."""
    bare = re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", text)
    if re.fullmatch(r"[\w.′']*", bare):
        return TIGHT
    return SUM if re.search(r"[+-]", bare) else PRODUCT
