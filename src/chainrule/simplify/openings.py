"""Which products over sums of the backward pass are multiplied out.

Multiplied out, terms cancel; as they are, sums are shared.  Which is shorter shows only at the end, so a backward pass
is read in several ways.
"""

from __future__ import annotations

from typing import Any

from chainrule.simplify.values import Value

__all__ = ["ALL", "BUT_CONSTANTS", "NONE", "is_multiplied_out"]

ALL = "all"
BUT_CONSTANTS = "all but those over a sum with a constant"
NONE = "none"


def is_multiplied_out(table: Any, *sides: Value) -> bool:
    """Whether a product over sums is written out; a table of values notes which other openings would differ."""
    constant = any(v.kind == "sum" and any(t is table.one for _, t in v.terms) for v in sides)
    table.differing.update((BUT_CONSTANTS, NONE) if constant else (NONE,))
    return bool(table.opening == ALL or (table.opening == BUT_CONSTANTS and not constant))
