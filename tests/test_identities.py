"""Every identity of the simplifier, at ordinary values and at 0, infinity and NaN, in double and single precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.simplify.identities import IDENTITIES
from chainrule.simplify.identity import Identity


def parts(value: Any) -> list[np.ndarray]:
    return [np.asarray(v) for v in (value if isinstance(value, tuple) else (value,))]


def arrays(dtype: Any, special: tuple[float, ...] = ()) -> tuple[Any, ...]:
    """Two matrices, a column that is positive, and a square matrix; special numbers are put into the matrices."""
    random = np.random.default_rng(3)
    x, y = random.standard_normal((2, 6, 4))
    for k, number in enumerate(special):
        x[k, 0], y[k + 1, 1] = number, number
    s, m = random.random((6, 1)) + 0.5, random.standard_normal((4, 4)) + 4 * np.eye(4)
    return tuple(a.astype(dtype) for a in (x, y, s, m))


def both(identity: Identity, values: tuple[Any, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    with np.errstate(all="ignore"):
        return list(zip(parts(identity.before(*values)), parts(identity.after(*values)), strict=True))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda i: i.name)
def test_both_sides_agree(identity: Identity, dtype: Any) -> None:
    for before, after in both(identity, arrays(dtype)):
        assert before.shape == after.shape
        if identity.numerics == "A":
            np.testing.assert_array_equal(before, after)
        else:
            size = np.finfo(dtype).eps * 64 * max(1.0, float(np.max(np.abs(before))))
            np.testing.assert_allclose(after, before, rtol=0, atol=size)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("special", [(0.0, -0.0), (np.inf, -np.inf), (np.nan,), (1e-30, 1e30)], ids=str)
@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda i: i.name)
def test_what_was_finite_stays_finite(identity: Identity, special: tuple[float, ...], dtype: Any) -> None:
    for before, after in both(identity, arrays(dtype, special)):
        finite = np.isfinite(before)
        assert np.all(np.isfinite(after) | ~finite)
        if identity.numerics == "A":
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda i: i.name)
def test_an_identity_is_described_and_classed(identity: Identity) -> None:
    assert identity.text
    assert identity.numerics in "ABC"
    assert [i.name for i in IDENTITIES].count(identity.name) == 1
