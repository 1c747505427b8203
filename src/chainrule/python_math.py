"""The functions of Python's ``math`` on followed scalars, and strided windows: calls that NumPy does not hand over."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from chainrule.dispatch import as_array, call
from chainrule.errors import LinkLostError
from chainrule.handlers import SUBSTITUTES, substitute
from chainrule.ops import OPERATIONS, elementwise
from chainrule.tape import record, refused
from chainrule.traced import value_of

__all__: list[str] = []

_MATH = {name: getattr(np, name) for name in (
    "sin cos tan sinh cosh tanh exp expm1 log1p log2 log10 sqrt cbrt exp2 degrees radians fabs copysign fmod "
    "isnan isinf isfinite trunc").split()}  # fmt: skip
_MATH |= {"asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "asinh": np.arcsinh,
          "acosh": np.arccosh, "atanh": np.arctanh, "pow": np.float_power}  # fmt: skip


def _follow_math(name: str, ufunc: np.ufunc) -> None:
    def answer(*args: Any) -> Any:
        if any(np.ndim(value_of(a)) for a in args):
            raise TypeError("only 0-dimensional arrays can be converted to Python scalars")
        return record(OPERATIONS[ufunc], args, {})

    SUBSTITUTES[getattr(math, name)] = answer


for _name, _ufunc in _MATH.items():
    _follow_math(_name, _ufunc)


@substitute(math.hypot)
def _hypot(*args: Any) -> Any:
    return np.hypot(*args) if len(args) == 2 else np.sqrt(sum(x * x for x in args))


@substitute(math.log)
def _math_log(x: Any, base: Any = None) -> Any:
    return np.log(x) if base is None else np.log(x) / np.log(base)


@substitute(math.fsum)
def _fsum(x: Any) -> Any:
    return call(np.sum, (as_array(list(x)),), {})


@substitute(math.prod)
def _math_prod(x: Any, *, start: Any = 1) -> Any:
    return start * call(np.prod, (as_array(list(x)),), {})


@substitute(math.dist)
def _dist(p: Any, q: Any) -> Any:
    difference = as_array(p) - as_array(q)
    return np.sqrt(np.sum(difference * difference))


# Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.1 and 7.1.2.
elementwise(math.erf, lambda out, x: 2 / math.sqrt(math.pi) * np.exp(-x * x), name="math.erf")
elementwise(math.erfc, lambda out, x: -2 / math.sqrt(math.pi) * np.exp(-x * x), name="math.erfc")


@substitute(as_strided)
def _as_strided(
    x: Any, shape: Any = None, strides: Any = None, subok: bool = False, writeable: bool = True, **_: Any
) -> Any:
    """Windows made from strides, as im2col is usually written: the elements are read by their places.

    The strides are in bytes of the array's memory, so the places are laid out as the array is.
    """
    value = value_of(x)
    places = np.empty_like(value, dtype=f"i{value.itemsize}" if value.itemsize <= 8 else np.int64)
    if places.itemsize != value.itemsize or places.strides != value.strides:
        raise refused(
            LinkLostError,
            "as_strided was called on a followed array of {dtype} that is laid out unusually in memory",
            "its strides cannot be followed",
            "use np.lib.stride_tricks.sliding_window_view",
            dtype=value.dtype,
        )
    places[...] = np.arange(value.size).reshape(value.shape)
    shape = value.shape if shape is None else tuple(map(int, shape))
    strides = value.strides if strides is None else tuple(map(int, strides))
    reach = sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if any(s < 0 for s in strides) or (math.prod(shape) and reach >= value.nbytes) or not value.flags.c_contiguous:
        raise refused(
            LinkLostError,
            "as_strided was asked for memory outside of the array, or of a part of another array",
            "what lies there is not followed",
            "make the array contiguous first (np.ascontiguousarray), and pad it as far as the windows reach",
        )
    windows = as_strided(places, shape, strides).astype(np.intp)
    result = call(np.ravel, (x,), {})[windows]
    result.tape.shared.add(result.variable)  # NumPy's is a view: writes into it are refused
    return result
