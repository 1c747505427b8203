"""What is to be said beside a local derivative: conventions at kinks, and what is said through the result itself."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.explain.algebra import children
from chainrule.explain.chains import LocalDerivative
from chainrule.explain.differentiation import mentions
from chainrule.explain.formula import Add, Apply, Formula, Multiply, Number, Power, Size, Sum
from chainrule.explain.forward import Reading
from chainrule.language import Message, message

__all__ = ["convention_note"]


def convention_note(reading: Reading, found: LocalDerivative, tied: bool) -> Message | None:
    """What is to be said beside a local derivative.

    Args:
        reading: the statement.
        found: the derivative.
        tied: whether the number of elements that tie for an extremum was left out, because none do.
    """
    form = reading.form
    if tied:
        return message("Elements that are equally extreme would share evenly; in the example there is only one.")
    for kink in () if form is None else _kinks(form):
        if not mentions(kink, found.by.name):
            continue
        if kink.function in ("max", "min"):
            if any(isinstance(a, Number) for a in kink.arguments):
                return message("Where both are equal there is a kink, and the derivative is taken as 0.")
            return message("Where both are equal there is a kink, and each of them gets half.")
        if kink.function == "abs":
            return message("At 0 there is a kink, and the derivative is taken as 0.")
        if kink.function == "clip":
            return message("At the bounds there are kinks, and the derivative is taken as 1 there.")
    if form is not None and mentions(found.formula, found.result.name) and not _is_sum(form):
        return message(
            "It is written in terms of {result}, which the forward pass has already computed.", result=found.result.name
        )
    return None


def _kinks(x: Formula) -> Iterator[Apply]:
    """Functions with a kink, where sums and constant factors leave it one: ``max(0, x)²`` has none."""
    if isinstance(x, Apply) and x.function in ("max", "min", "abs", "clip"):
        yield x
    elif isinstance(x, Sum) and x.kind == "sum":
        yield from _kinks(x.body)
    elif isinstance(x, Add):
        for term in x.terms:
            yield from _kinks(term)
    elif isinstance(x, Multiply):
        others = [factor for factor in x.factors if not _is_constant(factor)]
        if len(others) == 1:
            yield from _kinks(others[0])


def _is_constant(x: Formula) -> bool:
    return isinstance(x, Number | Size) or (isinstance(x, Power) and all(map(_is_constant, children(x))))


def _is_sum(x: Formula) -> bool:
    return isinstance(x, Sum)
