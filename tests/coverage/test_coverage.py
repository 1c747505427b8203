"""What of everyday NumPy chainrule differentiates: the coverage table against central differences.

Each row must give the right gradient.  A few rows that no other library differentiates may be
refused instead, with a ``ChainruleError``; none may give a wrong gradient.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest

import chainrule
from tests.coverage.expressions import ROWS
from tests.coverage.row import Row
from tests.differences import assert_close, differences, plain_copy, weighted

TOLERANCE = 1e-8
EXPRESSIONS_SURVEYED = 337
EXPRESSIONS_PROMISED = 330


def check(row: Row) -> None:
    """Compare the value and all gradients of a row with plain NumPy; raise where they differ."""

    def loss(*args: Any) -> Any:
        return weighted(row.expression(*args))

    given = tuple(plain_copy(arg) for arg in row.args)
    value, gradients = chainrule.value_and_grad(loss, argnums=tuple(range(len(given))))(*given)
    assert_close(value, loss(*row.args), 1e-13, f"{row.name}: the value")
    for position, gradient in enumerate(gradients):
        assert np.asarray(gradient).dtype == np.float64, f"{row.name}: the gradient is {np.asarray(gradient).dtype}"
        np.testing.assert_array_equal(given[position], row.args[position], f"{row.name}: argument {position} changed")
        reference = differences(loss, row.args, position)
        assert_close(gradient, reference, TOLERANCE, f"{row.name}: the gradient of argument {position}")


@cache
def failure(row: Row) -> Exception | None:
    """What went wrong with a row, if anything did; kept, as two tests ask."""
    try:
        check(row)
    except (Exception, AssertionError) as error:
        return error
    return None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_gradient_is_right(row: Row) -> None:
    error = failure(row)
    if isinstance(error, chainrule.ChainruleError) and row.refusable:
        return
    if error is not None:
        raise error


def test_at_least_as_many_are_right_as_promised() -> None:
    wrong = [f"{row.name}: {type(error).__name__}" for row in ROWS if (error := failure(row)) is not None]
    assert len(ROWS) - len(wrong) >= EXPRESSIONS_PROMISED, "\n".join(wrong)


def test_the_table_has_every_expression_once() -> None:
    counted = Counter((row.group, row.function) for row in ROWS)
    assert len(counted) == EXPRESSIONS_SURVEYED
    assert set(counted.values()) == {1}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_reference_is_steady(row: Row) -> None:
    """The references deserve trust: another step size gives the same derivative."""

    def loss(*args: Any) -> Any:
        return weighted(row.expression(*args))

    for position in range(len(row.args)):
        wide = differences(loss, row.args, position)
        narrow = differences(loss, row.args, position, step=3e-4)
        assert np.isfinite(wide).all()
        assert_close(wide, narrow, TOLERANCE, row.name)
