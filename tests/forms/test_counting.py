"""What counts as one array operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.forms.counting import Recorder, unwrap
from tests.forms.form import count_function

INDEX = np.array([0, 2, 0])


def add_at_index(x: Any) -> Any:
    x[INDEX, INDEX] += 1.0
    return x


def add_at_slice(x: Any) -> Any:
    x[1:] += 1.0
    return x


def add_at_element(x: Any) -> Any:
    x[0, 1] += 1.0
    return x


def add_at(x: Any) -> Any:
    np.add.at(x, INDEX, 1.0)
    return x


def write(x: Any) -> Any:
    x[1] = 0.0
    return x


COUNTS: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "operators": (3, lambda x: -x * 2 + 1),
    "in place": (1, lambda x: np.add(x, 1, out=x)),
    "a reduction": (1, lambda x: x.var(0)),
    "a scalar": (2, lambda x: x / (2 * np.exp(x.sum()))),
    "views": (0, lambda x: x.T.reshape(-1, 2)[1:, None]),
    "a gather": (1, lambda x: x[INDEX]),
    "a mask": (2, lambda x: x[x > 0]),
    "allocation": (0, lambda x: np.zeros_like(x)),
    "diag reads": (0, lambda x: np.diag(x)),
    "diag builds": (1, lambda x: np.diag(np.diag(x))),
    "einsum of two": (1, lambda x: np.einsum("ij,jk->ik", x, x)),
    "einsum of three": (2, lambda x: np.einsum("ij,jk,kl->il", x, x, x)),
    "a scatter into indices": (1, add_at_index),
    "a scatter into a slice": (1, add_at_slice),
    "a scatter into one element": (0, add_at_element),
    "a scatter that adds": (1, add_at),
    "a write": (1, write),
    "linalg": (2, lambda x: np.linalg.solve(x + np.eye(4), x)),
    "parts of a named tuple": (1, lambda x: np.linalg.slogdet(x).logabsdet),
}


@pytest.mark.parametrize(("count", "function"), COUNTS.values(), ids=COUNTS)
def test_operations(count: int, function: Callable[[Any], Any]) -> None:
    x = np.random.default_rng(0).standard_normal((4, 4))
    assert count_function(function, x)["operations"] == count
    with Recorder() as recorder:
        found = unwrap(function(recorder.wrap(x.copy())))
    np.testing.assert_array_equal(found, function(x.copy()))


def test_a_plain_array_of_a_counted_one_is_refused() -> None:
    with Recorder() as recorder, pytest.raises(TypeError, match="zeros_like"):
        np.zeros(3)[:] = recorder.wrap(np.ones(3))
