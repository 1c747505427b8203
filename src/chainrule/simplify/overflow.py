"""What may overflow where the whole does not: exponentials of something without an upper bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ir import Const
from chainrule.simplify.scalars import Coefficient, times
from chainrule.simplify.values import Power, Ref, Value

__all__ = ["may_overflow"]

_GROWING = (np.exp, np.exp2, np.expm1, np.sinh, np.cosh)
_DEPTH = 3  # of sums of sums
_MAXIMA = ("max", "amax", "maximum", "logaddexp", "logaddexp2", "logsumexp")


def _function(value: Value) -> Any:
    return value.details[0].function if value.kind == "op" and value.details[0] != "full" else None


def may_overflow(value: Value) -> bool:
    """Whether a value grows exponentially with something that has no upper bound."""
    function = _function(value)
    if function not in _GROWING:
        return False
    exponent = value.parts[0]
    if function in (np.sinh, np.cosh) or type(exponent) is not tuple:
        return True
    coefficient, inner = exponent
    terms = _opened(coefficient, inner, _DEPTH)
    # Minus a maximum, the exponent is at most zero.
    if any(c.number < 0 and _is_maximum(v) for c, v in terms):
        return False
    return not all(_is_bounded(c, v) for c, v in terms)


def _opened(coefficient: Coefficient, value: Value, depth: int) -> list[Ref]:
    """The terms of an exponent, where it is a sum of sums of the forward pass."""
    inside = _plain(value)
    terms = inside.definition or inside.terms
    if len(terms) == 1 or not depth:
        return [(times(coefficient, c), v) for c, v in terms] if len(terms) > 1 else [(coefficient, value)]
    return [t for c, v in terms for t in _opened(times(coefficient, c), v, depth - 1)]


def _plain(value: Value) -> Value:
    return value.parts[0][1] if value.kind == "view" else value


def _is_maximum(value: Value) -> bool:
    value = _plain(value)
    return value.kind == "op" and value.details[0] != "full" and value.details[0].name in _MAXIMA


def _is_bounded(coefficient: Coefficient, value: Value) -> bool:
    """Whether a term of an exponent has an upper bound that is no data."""
    if value.kind == "one":
        return not any(k[0] == "v" for k, _ in coefficient.atoms)
    if any(k[0] == "v" and p % 2 for k, p in coefficient.atoms):
        return False
    if coefficient.number < 0:
        return all(_is_positive(f, p) for f, p in value.factors)
    value = _plain(value)
    return _function(value) is np.minimum and any(isinstance(p, Const) for p in value.parts)


def _is_positive(value: Value, p: Power) -> bool:
    return p % 2 == 0 or _function(_plain(value)) in (np.absolute, np.exp, np.sqrt)
