"""Derivatives by numbers alone: complex step and central differences, along one direction."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["complex_step", "directional", "richardson"]

Scalar = Callable[..., Any]


def complex_step(f: Scalar, arrays: Sequence[Any], direction: Sequence[Any]) -> float:
    """``d f(x + t v) / dt`` at ``t = 0`` as ``Im f(x + i h v) / h``, exact to rounding.

    For functions that are analytic and accept complex arrays (Squire and Trapp, SIAM Review 40, 1998).
    """
    h = 1e-150
    with warnings.catch_warnings():
        # A part of f that drops the imaginary part (a real buffer, say) makes the step invalid.
        warnings.simplefilter("error")
        value = f(*[x + 1j * h * v for x, v in zip(arrays, direction, strict=True)])
    if not np.iscomplexobj(value):
        return 0.0
    return float(np.imag(value) / h)


def richardson(f: Scalar, arrays: Sequence[Any], direction: Sequence[Any]) -> tuple[float, float]:
    """The same by central differences, extrapolated over halved steps (Ridders, 1982), with an error estimate.

    The steps are in proportion to the elements that change, since a pole may lie at 0; where that does not give
    many digits, larger and smaller ones are tried.

    Returns:
        The derivative, and an estimate of its absolute error.
    """
    moved = [(np.abs(x), np.abs(v)) for x, v in zip(arrays, direction, strict=True)]
    scale = max((float(np.max(x[v != 0])) for x, v in moved if np.any(v)), default=1.0)
    length = max((float(np.max(v)) for _, v in moved if np.size(v)), default=1.0) or 1.0
    best, best_error = float("nan"), float("inf")
    for first in dict.fromkeys((scale or 1.0, max(1.0, scale), 1e-2 * (scale or 1.0), 1e-4 * (scale or 1.0))):
        value, error = _extrapolated(f, arrays, direction, 2e-2 * first / length)
        if error < best_error:
            best, best_error = value, error
        if best_error <= 1e-8 * abs(best):
            break
    return best, best_error


def _extrapolated(f: Scalar, arrays: Sequence[Any], direction: Sequence[Any], step: float) -> tuple[float, float]:
    """Central differences over ten steps from ``step`` on, extrapolated to 0."""
    table: list[list[float]] = []
    best, best_error = float("nan"), float("inf")
    for n in range(10):
        shifted = [[x + s * step * v for x, v in zip(arrays, direction, strict=True)] for s in (1, -1)]
        above, below = np.real(f(*shifted[0])), np.real(f(*shifted[1]))
        row = [(float(above) - float(below)) / (2 * step)]
        # What rounding alone can do: without it, two quotients that agree by chance would pass for exact.
        resolution = np.finfo(above.dtype if isinstance(above, np.floating) else float).eps
        noise = float(resolution * max(abs(above), abs(below)) / step)
        for k in range(n):
            row.append(row[k] + (row[k] - table[n - 1][k]) / (4 ** (k + 1) - 1))
            error = max(abs(row[k + 1] - row[k]), abs(row[k + 1] - table[n - 1][k]), noise)
            if error < best_error:
                best, best_error = row[k + 1], error
        table.append(row)
        if n > 3 and abs(row[-1] - table[n - 1][-1]) > 2 * best_error:
            break
        step /= 2
    return best, best_error


def directional(f: Scalar, arrays: Sequence[Any], direction: Sequence[Any]) -> tuple[float, float, str]:
    """The derivative of a real ``f`` along a direction, by the best method that applies.

    Complex step where it agrees with differences (so where ``f`` is analytic and accepts complex
    arrays), differences elsewhere.

    Returns:
        The derivative, an estimate of its absolute error, and the name of the method.
    """
    with np.errstate(all="ignore"):
        difference, error = richardson(f, arrays, direction)
        if not any(np.iscomplexobj(x) for x in arrays):
            try:
                exact = complex_step(f, arrays, direction)
            except Exception:  # a function that does not take complex arrays may fail in any way
                return difference, error, "differences"
            if abs(exact - difference) <= 10 * error + 1e-6 * (1 + abs(difference)) and exact != 0:
                return exact, 1e-13 * (1 + abs(exact)), "complex step"
    return difference, error, "differences"
