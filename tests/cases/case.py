"""The record that every table of rule cases is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """One call whose derivative is tested.

    ``function(*args)`` must return an array, a number or a tuple of them and use ``np`` as a user
    would: ``Case("sum axis keepdims", lambda x: np.sum(x, axis=1, keepdims=True), (A(3, 4),))``.

    Attributes:
        name: unique within the table, starts with the NumPy name ("linalg.inv stack").
        function: the call, as a lambda over its array arguments.
        args: plain arrays or numbers, at a point where the function is smooth.
        wrt: positions of the differentiable arguments; ``None`` for all floating ones.
        complex_step: the function accepts complex arguments and is analytic in them, so the
            reference is exact to rounding; otherwise central differences are used.
        order: highest derivative order to test (1 or 2).
        rtol: tolerance against the reference; ``None`` for the default of the method.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    wrt: tuple[int, ...] | None = None
    complex_step: bool = False
    order: int = 2
    rtol: float | None = None
