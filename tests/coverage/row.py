"""The record that the coverage table is made of, and the arrays its rows start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Row", "spread", "with_nan"]


@dataclass(frozen=True, eq=False)
class Row:
    """One expression that users of NumPy write.

    Attributes:
        group: the family, as the coverage survey of other libraries has it.
        function: the NumPy name within the family.
        expression: the expression, as a user would write it, from arrays to arrays.
        args: float64 arrays at which the expression is smooth.
        refusable: an error is acceptable here, though a wrong gradient never is: no other library
            differentiates the expression, or it promises no more than a Python loop.
    """

    group: str
    function: str
    expression: Callable[..., Any]
    args: tuple[np.ndarray, ...]
    refusable: bool = False

    @property
    def name(self) -> str:
        """What the test is called."""
        return f"{self.group}: {self.function}"


def spread(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> np.ndarray:
    """Shuffled values between ``low`` and ``high`` with a gap between any two, so that orderings are safe."""
    rng = np.random.default_rng(seed)
    count = int(np.prod(shape))
    values = low + (high - low) * (np.arange(count) + rng.uniform(0.3, 0.7, count)) / count
    return rng.permutation(values).reshape(shape)


def with_nan(values: np.ndarray, *positions: int) -> np.ndarray:
    """A copy with NaN at flat ``positions``: data with missing entries."""
    copied = values.copy()
    copied.reshape(-1)[list(positions)] = np.nan
    return copied
