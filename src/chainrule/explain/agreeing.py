"""Whether a formula says what the program computed: formulas are executed before they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.explain.algebra import children, free_letters, is_number, mapped, number
from chainrule.explain.evaluating import evaluated
from chainrule.explain.formula import Compare, Element, Formula, Index, IndexExpression, Power, Sum

__all__ = ["agrees", "indices_in", "without_ties"]

_QUICK = 60_000  # numbers
_LEAST = 1e-3


def agrees(
    formula: Formula,
    free: Sequence[Index],
    named: Mapping[str, Any],
    result: Any,
    gradients: Mapping[int, Any],
    fixed: Mapping[str, int] | None = None,
    most: int = 0,
) -> bool:
    """Whether a formula gives this result; true where trying would take long.

    Args:
        formula: the formula; its derivatives are all of the result of the whole.
        free: its free indices.
        named: the arrays that it names.
        result: what the program computed.
        gradients: the gradients that derivatives of the result stand for, by the number of the variable.
        fixed: values of indices that nothing runs over.
        most: how many numbers it may go through, where what is not tried is not right.
    """
    if _work(formula) * int(np.prod([i.length for i in free])) > (most or _QUICK):
        return not most

    def partial(of: Element, by: Element) -> Any:
        return gradients[by.variable]

    try:
        found = evaluated(formula, free, named, partial, fixed)
    except (ChainruleError, KeyError, IndexError, ValueError):
        return False
    wanted = np.asarray(result)
    if np.size(found) != wanted.size:
        return False  # as in a turn in which the array has another shape
    scale = float(np.max(np.abs(wanted[np.isfinite(wanted)]), initial=0.0))
    tolerance = 1e-6 if wanted.dtype.itemsize > 4 else 1e-3
    least = tolerance * max(scale, _LEAST)  # what cancels to zero leaves a rest
    same = np.isclose(found, wanted.reshape(np.shape(found)), rtol=tolerance, atol=least, equal_nan=True)
    # What is not finite, as 0 times infinity, may come out otherwise in another order.
    return bool(np.all(same | ~np.isfinite(found) | ~np.isfinite(wanted.reshape(np.shape(found)))))


def without_ties(formula: Formula, named: Mapping[str, Any]) -> Formula:
    """A formula without the number of elements that tie for an extremum, where it is 1 for all of the example."""

    def shortened(x: Any) -> Any:
        if isinstance(x, Power) and is_number(x.exponent, -1) and _counts_ties(x.base):
            free = tuple({i.name: i for i in indices_in(x.base) if i.name in free_letters(x.base)}.values())
            try:
                if np.all(evaluated(x.base, free, named) == 1):
                    return number(1)
            except ChainruleError:
                return x
        return mapped(x, shortened)

    result: Formula = shortened(formula)
    return result


def _counts_ties(x: Formula) -> bool:
    return isinstance(x, Sum) and x.kind == "sum" and isinstance(x.body, Compare) and x.body.operator == "=="


def indices_in(x: Any) -> Iterator[Index]:
    """All indices that stand in a formula."""
    if isinstance(x, Index):
        yield x
    elif isinstance(x, IndexExpression):
        for p in x.parts:
            yield from indices_in(p)
    elif isinstance(x, Element):
        for i in x.indices:
            yield from indices_in(i)
    else:
        for c in children(x):
            yield from indices_in(c)


def _work(x: Formula) -> int:
    """How many numbers a formula goes through for one element of it."""
    inner = max((_work(c) for c in children(x)), default=1)
    return inner * int(np.prod([i.length for i in x.over])) if isinstance(x, Sum) else inner
