"""Pieces of the forms in the table of identities, as rules and users have them."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["added_at", "added_at_rows", "at_windows", "one_hot", "put_at", "read_at", "softmax", "through_factor"]


def added_at(base: Any, amount: Any) -> Any:
    """``amount`` added at one place per row."""
    return put_at(base, read_at(base) + amount)


def put_at(base: Any, amount: Any) -> Any:
    """One element of each row replaced."""
    result = np.array(base)
    result[np.arange(len(base)), np.arange(len(base)) % base.shape[1]] = amount
    return result


def read_at(base: Any) -> Any:
    """One element of each row."""
    return base[np.arange(len(base)), np.arange(len(base)) % base.shape[1]]


def added_at_rows(base: Any, first: Any, others: Any) -> Any:
    """Something added to the first row, and to the others."""
    result = np.array(base)
    result[:1] += first
    result[1:] += others
    return result


def at_windows(n: int, amounts: Any, stride: int = 1) -> Any:
    """The rows of ``amounts`` added to an array of n elements, each to a window of it."""
    result = np.zeros(n, amounts.dtype)
    places = np.lib.stride_tricks.sliding_window_view(np.arange(n), amounts.shape[1])[::stride]
    np.add.at(result, places.ravel(), amounts.ravel())
    return result


def one_hot(x: Any) -> Any:
    """A 1 where each row is largest, and zeros."""
    return np.eye(x.shape[1], dtype=x.dtype)[np.argmax(x, axis=1)]


def softmax(x: Any) -> Any:
    """The softmax of each row."""
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def through_factor(s: Any) -> Any:
    """The gradient of ``sum(log(diag(L)))`` through the factor of a matrix, as the rule of ``cholesky`` has it."""
    upper = np.linalg.cholesky(s).T
    inner = upper @ np.diag(1 / np.diag(upper)) * (np.tri(len(s)) - 0.5 * np.eye(len(s)))
    gradient = np.linalg.solve(upper, np.linalg.solve(upper, inner).T).T
    return gradient + gradient.T
