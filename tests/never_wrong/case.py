"""The record that the tables of treacherous functions are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

__all__ = ["MATRIX", "OTHER", "VECTOR", "Case", "Expected", "Factory", "Table"]

Expected = Literal["right or refused", "right", "refused"]
Factory = Callable[[], tuple[Callable[..., Any], list[Any]]]

VECTOR = np.array([1.3, 0.4, 0.9, 1.7])
OTHER = np.array([0.6, 1.1, -0.7, 0.2])
MATRIX = np.array([[1.1, -0.4, 0.7, 0.2], [0.3, 1.6, -0.9, 0.5], [-1.2, 0.8, 0.1, 1.4], [0.6, -0.3, 1.9, -0.8]])


@dataclass(frozen=True, eq=False)
class Case:
    """A function in which the link from a result to an argument is easily lost.

    Attributes:
        name: what the test is called.
        function: the function as a user may write it.
        args: the arrays it is differentiated in.
        expected: by default the gradient may be right or refused; some cases promise more.
        factory: makes a fresh function together with the plain data outside it that it reaches, for
            functions whose behaviour depends on such data; takes the place of ``function``.
    """

    name: str
    function: Callable[..., Any] | None
    args: tuple[Any, ...] = (VECTOR,)
    expected: Expected = "right or refused"
    factory: Factory | None = None

    def make(self) -> tuple[Callable[..., Any], list[Any]]:
        """The function, and the outside data that must stay as it is."""
        if self.factory is not None:
            return self.factory()
        assert self.function is not None
        return self.function, []


class Table:
    """Collects cases that need more than an expression, as decorators."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def function(self, *args: Any, expected: Expected = "right or refused") -> Callable[..., Any]:
        """Enter the decorated function."""

        def enter(function: Callable[..., Any]) -> Callable[..., Any]:
            self.cases.append(Case(function.__name__, function, args or (VECTOR,), expected))
            return function

        return enter

    def factory(self, *args: Any, expected: Expected = "right or refused") -> Callable[..., Any]:
        """Enter what the decorated function makes: a function and the plain data it reaches."""

        def enter(factory: Factory) -> Factory:
            self.cases.append(Case(factory.__name__, None, args or (VECTOR,), expected, factory))
            return factory

        return enter
