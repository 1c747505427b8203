"""An equality by which a backward pass may be rewritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Identity"]


@dataclass(frozen=True, slots=True)
class Identity:
    """An equality that the simplifier may use.

    Attributes:
        name: as it stands in the log.
        numerics: ``"A"``, ``"B"`` or ``"C"``, as ``identities.py`` defines them.
        text: what is said about it.
        before: the mechanical form, of four arrays: two matrices, a column that is positive, and a square matrix.
        after: the form that replaces it, of the same arrays.
    """

    name: str
    numerics: str
    text: str
    before: Callable[..., Any]
    after: Callable[..., Any]
