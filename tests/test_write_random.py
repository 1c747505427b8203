"""Written code of random programs: right for the traced lengths and for others, or refused by name."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule.trees import flatten
from tests.random_programs import arguments, function_of, program

PROGRAMS, GROUPS = 24, 4
TRACED = ({"n": 4, "d": 3, "k": 2}, {"n": 1, "d": 3, "k": 2}, {"n": 3, "d": 3, "k": 3})
OTHERS = ({"n": 5, "d": 4, "k": 3}, {"n": 1, "d": 2, "k": 4})


def expected(f, args):
    """Value, gradients, and the cotangent that written functions of arrays take."""
    value, pullback = cr.vjp(f, *args)
    g = np.random.default_rng(1).standard_normal(np.shape(value))
    gradients = flatten(pullback(g if np.ndim(value) else np.ones(())))[0]
    return [value, *gradients], ((g,) if np.ndim(value) else ())


def runs(f, args):
    """Whether the program itself can be run with these arguments, to a finite result."""
    try:
        return bool(np.all(np.isfinite(f(*args))))
    except (ValueError, IndexError, TypeError, np.linalg.LinAlgError):
        return False


def check(seed):
    """Compare one program; whether there was something to compare."""
    made = program(seed, length=2)
    f = function_of(made)
    traced = arguments(made, TRACED[seed % len(TRACED)], seed)
    if not runs(f, traced) or not any(np.asarray(a).dtype.kind == "f" for a in traced):
        return False
    source = cr.write(f, *traced)
    # What holds for the example alone says so.
    bound = re.search("^# (valid|.*written out)", str(source), re.MULTILINE)
    for sizes in (None, *OTHERS):
        args = traced if sizes is None else arguments(made, sizes, seed + 1)
        if (sizes is not None and bound) or not runs(f, args):
            continue
        wanted, extra = expected(f, args)
        value, gradients = source.function(*args, *extra)
        for name, x, y in zip(("the value", *gradients), (value, *gradients.values()), wanted, strict=True):
            said = f"{name} at {sizes}, of\n{made.text()}\nas\n{source}"
            assert np.shape(x) == np.shape(y), said
            finite = np.isfinite(y)
            scale = 1 + np.max(np.abs(y), where=finite, initial=0)
            assert np.allclose(np.where(finite, x, 0), np.where(finite, y, 0), rtol=0, atol=1e-7 * scale), said
    return True


@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_programs(group):
    compared = sum(check(seed) for seed in range(group, PROGRAMS, GROUPS))
    assert compared >= PROGRAMS // GROUPS // 2
