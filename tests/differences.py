"""Reference derivatives for the acceptance tests: central differences, extrapolated, and nothing of chainrule.

A tested function may return an array, a number, or a tuple or list of them; ``weighted`` makes one
number of that, with fixed weights, so that no error in an element can cancel against another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

__all__ = ["assert_close", "differences", "directional_difference", "leaves", "plain_copy", "weighted"]


def leaves(result: Any) -> list[Any]:
    """The arrays and numbers in a result, in order."""
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in leaves(part)]
    return [] if result is None else [result]


@cache
def _weights(position: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1000 + position).uniform(0.5, 1.5, shape) * (-1.0) ** position


def weighted(result: Any) -> Any:
    """One real number from all elements of ``result``; runs on plain arrays and on followed ones."""
    total: Any = 0.0
    for position, leaf in enumerate(leaves(result)):
        shape = tuple(np.shape(leaf))
        if np.iscomplexobj(leaf):
            total = total + (_weights(2 * position, shape) * leaf.real).sum()
            total = total + (_weights(2 * position + 1, shape) * leaf.imag).sum()
        else:
            total = total + (_weights(2 * position, shape) * leaf).sum()
    return total


def plain_copy(arg: Any) -> Any:
    """A copy that a function under test may write to."""
    return arg.copy() if isinstance(arg, np.ndarray) else arg


def _shifted(args: Sequence[Any], position: int, shift: Any) -> tuple[Any, ...]:
    """Copies of ``args`` with ``shift`` added to one of them; a Python float stays one."""
    moved = args[position] + shift
    moved = float(moved) if isinstance(args[position], float) else moved
    return tuple(moved if k == position else plain_copy(arg) for k, arg in enumerate(args))


def directional_difference(
    function: Callable[..., Any], args: Sequence[Any], position: int, direction: Any, step: float
) -> float:
    """The derivative of a scalar function along ``direction``, with an error of order ``step**4``."""

    def central(size: float) -> float:
        above = function(*_shifted(args, position, size * direction))
        below = function(*_shifted(args, position, -size * direction))
        return float((above - below) / (2 * size))

    return (4 * central(step / 2) - central(step)) / 3


def differences(function: Callable[..., Any], args: Sequence[Any], position: int, step: float = 1e-3) -> np.ndarray:
    """The gradient of a scalar function with respect to one argument, element by element."""
    shape = np.shape(args[position])
    gradient = np.zeros(shape)
    for index in np.ndindex(shape):
        direction = np.zeros(shape)
        direction[index] = 1.0
        gradient[index] = directional_difference(function, args, position, direction, step)
    return gradient


def assert_close(actual: Any, reference: Any, tolerance: float, what: str) -> None:
    """Raise unless ``actual`` has the shape of ``reference`` and differs by ``tolerance`` of its largest element."""
    if np.shape(actual) != np.shape(reference):
        raise AssertionError(f"{what}: the shape is {np.shape(actual)}, not {np.shape(reference)}")
    scale = 1.0 + np.max(np.abs(reference), initial=0.0)
    np.testing.assert_allclose(actual, reference, rtol=0.0, atol=tolerance * scale, err_msg=what)
