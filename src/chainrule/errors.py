"""The one root exception, and what its messages say: what, where, and how to mend it."""

from __future__ import annotations

__all__ = [
    "ChainruleError",
    "DependenceError",
    "LinkLostError",
    "NanError",
    "NotDifferentiableError",
    "NotJudgedError",
    "ShapeError",
    "TreeError",
    "UnknownAttributeError",
    "UnusedInputWarning",
    "WrongGradientError",
]


class ChainruleError(Exception):
    """Root of everything that chainrule raises itself."""


class LinkLostError(ChainruleError, TypeError):
    """A followed value was about to become a plain number, and its derivative would be lost."""


class NotDifferentiableError(ChainruleError, TypeError):
    """An operation without a rule, or a value that has no derivative (integers, objects)."""


class ShapeError(ChainruleError, ValueError):
    """Shapes that do not fit each other."""


class TreeError(ChainruleError, ValueError):
    """A tree of arrays whose structure is not the one that was expected."""


class UnknownAttributeError(LinkLostError, AttributeError):
    """An attribute of an array that is not followed; NumPy asks for some of these itself."""


class DependenceError(ChainruleError, ValueError):
    """The output does not depend on an input, and the caller asked to be told."""


class NanError(ChainruleError, FloatingPointError):
    """A NaN that appeared first in the backward pass."""


class UnusedInputWarning(UserWarning):
    """The output does not depend on an input; its gradient is zero."""


class WrongGradientError(ChainruleError, AssertionError):
    """A gradient written by hand is wrong; the message is the report."""


class NotJudgedError(ChainruleError):
    """A gradient written by hand could not be judged; the message says why."""
