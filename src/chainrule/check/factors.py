"""Findings that a gradient is a multiple of the right one: which number it is, and where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainrule.check.findings import Finding

__all__ = ["FACTORS", "settled"]

# Words for a gradient that is a multiple of the right one.
FACTORS = frozenset(
    "sign_flipped sign_flipped_term missing_batch_mean extra_batch_mean missing_mean wrong_count factor_2_missing "
    "extra_factor missing_scale wrong_constant_value".split()
)
_COUNTED = frozenset(("missing_scale", "factor_2_missing", "missing_batch_mean", "missing_mean"))
_LEFT_OUT = frozenset(("no count", "drop", "no number", "sum", "drop sign"))


def settled(
    relations: Sequence[Finding], searched: Sequence[Finding], averages: bool = False, fixed: bool = False
) -> list[Finding]:
    """Relations and edits that say that a gradient is a multiple, as one finding for each set of gradients.

    The relation knows the number, the edit knows the place; an edit that only multiplies says nothing on its own.

    Args:
        relations: what comparing the gradients alone has shown.
        searched: what the search has found.
        averages: whether the forward pass takes a mean anywhere.
        fixed: whether all data were of the same sizes, where a ratio of lengths looks like any number.
    """
    found: list[Finding] = []
    taken: set[int] = set()
    for relation in relations:
        if relation.kind not in FACTORS or not relation.factored:
            found.append(relation)
            continue
        own = set(relation.gradients)
        same = [n for n, s in enumerate(searched) if s.kind in FACTORS and set(s.gradients) == own and not s.breaks]
        taken.update(same)
        # What holds with a further factor only is a longer way to say what the relation says.
        within = [n for n, s in enumerate(searched) if set(s.gradients) <= own]
        pairs = {searched[n].together for n in within if searched[n].kind in FACTORS and not searched[n].breaks} - {0}
        taken.update(n for n in within if searched[n].together in pairs)
        same = [n for n in same if not searched[n].together]
        edits = sorted((searched[n] for n in same), key=lambda f: (f.word == "scale", f.cost, f.number))
        found.append(_joined(relation, edits, averages, fixed))
    return found + [s for n, s in enumerate(searched) if n not in taken]


def _joined(relation: Finding, edits: Sequence[Finding], averages: bool, fixed: bool) -> Finding:
    left_out = next((e for e in edits if e.word in _LEFT_OUT), None)
    best = left_out or (edits[0] if edits else None)
    kind = relation.kind
    miscounted = next((e for e in edits if e.word in ("other count", "one less")), None)
    ratio = "shape" in str(relation.details.get("factor", "")) or (fixed and kind == "extra_factor")
    if left_out is None and miscounted is not None and ratio:
        return replace(miscounted, relation=relation.relation, factored=True)
    lengths = str(relation.details.get("factor", "")).count("shape")
    if kind in ("missing_batch_mean", "missing_mean") and left_out is None and not averages:
        kind = "extra_factor"  # nothing in the forward pass is divided by this
    elif (
        (kind == "missing_mean" and left_out is not None and left_out.kind == "missing_batch_mean")
        or (lengths > 1 and left_out is not None)
        or (kind == "extra_factor" and left_out is not None and left_out.kind in _COUNTED)
    ):
        kind = left_out.kind
    if best is None or (left_out is None and best.word == "scale"):
        return replace(relation, kind=kind)
    if kind in ("factor_2_missing", "extra_factor") and left_out is not None and left_out.kind == "missing_scale":
        kind = left_out.kind  # an argument of the forward pass, which has the value of a number that is often forgotten
    details = {**best.details, **relation.details}
    if "count" in best.details and "factor" in relation.details and "count" not in relation.details:
        factor = str(relation.details["factor"])  # a count of steps that nobody wrote says less than the number
        details["count"] = f"({factor})" if " " in factor else factor
    if kind == "missing_scale" and best.details.get("factor"):
        details["factor"] = best.details["factor"]  # in the user's names, where the relation knows the number
    return replace(relation, kind=kind, place=best.place, details=details, cost=relation.cost - 0.2, number=best.number)
