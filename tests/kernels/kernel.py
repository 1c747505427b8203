"""The record that the tables of kernels are made of, and the numbers their arguments start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Kernel", "positive_definite", "uniform"]


@dataclass(frozen=True, eq=False)
class Kernel:
    """One scientific kernel, written as such code is published: loops, buffers, updates in place.

    Attributes:
        function: the kernel; it may write into its arguments.
        args: sizes, index arrays, and the arrays and numbers that it is differentiated in.
        updates: the positions of the arguments that it writes results into.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    updates: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """What the test is called."""
        return self.function.__name__

    @property
    def differentiable(self) -> tuple[int, ...]:
        """The positions of the floating arguments, arrays and numbers."""
        return tuple(k for k, arg in enumerate(self.args) if np.asarray(arg).dtype == np.float64)

    def results(self, *args: Any) -> list[Any]:
        """Everything the kernel computes: what it returns and what it leaves in its arguments."""
        returned = self.function(*args)
        return [returned, *(args[position] for position in self.updates)]


def uniform(*shape: int, low: float = 0.2, high: float = 1.2, seed: int = 0) -> np.ndarray:
    """Reproducible numbers between ``low`` and ``high``."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)


def positive_definite(size: int, seed: int = 0) -> np.ndarray:
    """A well-conditioned symmetric positive definite matrix."""
    factor = uniform(size, size, low=-0.5, high=0.5, seed=seed)
    return factor @ factor.T + np.eye(size)
