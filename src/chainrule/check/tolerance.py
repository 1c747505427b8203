"""How far a right gradient may be from the exact one: what rounding can do, by conditioning, dtype and size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["TIGHT", "allowed", "precision_of"]

TIGHT = 1e-9  # relative: what a gradient in double precision keeps to, unless the problem is badly conditioned
_LOOSEST = 2e-7  # relative: no more is ever allowed in double precision, so that an error of 1e-6 is seen
_NOISE = 200.0  # how much more than the effect of moving the arguments by a few units in the last place


def precision_of(x: Any) -> float:
    """The unit in the last place of a gradient: of its dtype, or of single precision where all numbers fit that."""
    array = np.asarray(x)
    if array.dtype.kind not in "fc":
        return float(np.finfo(float).eps)
    # Half of single precision is too little for a gradient.
    eps = min(float(np.finfo(array.dtype).eps), float(np.finfo(np.float32).eps))
    single = np.complex64 if array.dtype.kind == "c" else np.float32
    if eps < 1e-10 and array.size and np.all(np.isfinite(array)):
        with np.errstate(all="ignore"):
            rounded = array.astype(single).astype(array.dtype)
        # Whole numbers and simple fractions fit into single precision by chance.
        simple = np.all(array * 4096 == np.round(array * 4096))
        if not simple and np.array_equal(rounded, array):
            return float(np.finfo(np.float32).eps)
    return max(eps, float(np.finfo(float).eps))


def allowed(exact: Any, noise: float, scale: float, precision: float) -> float:
    """The absolute error that a right gradient may have.

    Args:
        exact: the exact gradient.
        noise: how much it moves when the arguments move by a few units in the last place.
        scale: the largest number that the backward pass handles, which matters where the gradient is zero.
        precision: as :func:`precision_of` says.
    """
    own = float(np.max(np.abs(exact), initial=0.0))
    size = max(1.0, math.sqrt(np.size(exact)))
    if precision > 1e-10:
        return precision * (300.0 * own + 8.0 * size * min(scale, 1e3 * max(own, 1e-30)) + 8.0 * min(scale, 1.0))
    wide = max(TIGHT * own, _NOISE * noise)
    # A gradient that is zero in exact arithmetic is what is left of numbers of this size.
    left = 64.0 * precision * size * scale
    return max(min(wide, _LOOSEST * own), left)
