"""What is to be said beside a local derivative: conventions at kinks, and what is said through the result itself."""

from __future__ import annotations

from chainrule.explain.chains import LocalDerivative
from chainrule.explain.differentiation import mentions
from chainrule.explain.formula import Apply, Formula, Number, Sum
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
    if isinstance(form, Apply):
        if form.function in ("max", "min"):
            if any(isinstance(a, Number) for a in form.arguments):
                return message("Where both are equal there is a kink, and the derivative is taken as 0.")
            return message("Where both are equal there is a kink, and each of them gets half.")
        if form.function == "abs":
            return message("At 0 there is a kink, and the derivative is taken as 0.")
        if form.function == "clip":
            return message("At the bounds there are kinks, and the derivative is taken as 1 there.")
    if form is not None and mentions(found.formula, found.result.name) and not _is_sum(form):
        return message(
            "It is written in terms of {result}, which the forward pass has already computed.", result=found.result.name
        )
    return None


def _is_sum(x: Formula) -> bool:
    return isinstance(x, Sum)
