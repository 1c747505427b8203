"""Rules for arrays made between end points (``np.linspace`` and its kin)."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.language import message
from chainrule.ops import constant, structural

__all__: list[str] = []

_UNRELATED = message("its values do not depend on the array")

constant(np.zeros_like, _UNRELATED, "a")
constant(np.ones_like, _UNRELATED, "a")
constant(np.empty_like, _UNRELATED, "prototype")


def _fractions(y: Any, num: int, endpoint: bool) -> Any:
    """How far along each sample lies, from 0 at the start to 1 at the stop, along the first axis of ``y``."""
    fractions = np.linspace(0, 1, num, endpoint).astype(y.dtype)
    return np.reshape(fractions, (-1,) + (1,) * (np.ndim(y) - 1))


def _between(y: Any, axis: int) -> Any:
    """``y`` with the axis of the samples first, so that the others line up with the end points'."""
    return y if axis == 0 else np.moveaxis(y, axis, 0)


def _linspace(g: Any, num: int, endpoint: bool, retstep: bool, axis: int, sign: int) -> Any:
    samples, step = g if retstep else (g, None)
    result: Any = 0.0
    if samples is not None:
        samples = _between(samples, axis)
        t = _fractions(samples, num, endpoint)
        result = np.sum(samples * (t if sign > 0 else 1 - t), axis=0)
    intervals = num - 1 if endpoint else num
    if step is not None and intervals > 0:
        result = result + sign * step / intervals
    return result


def _linspace_start(
    g: Any,
    out: Any,
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    device: Any = None,
) -> Any:
    return _linspace(g, num, endpoint, retstep, axis, -1)


def _linspace_stop(
    g: Any,
    out: Any,
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    device: Any = None,
) -> Any:
    return _linspace(g, num, endpoint, retstep, axis, 1)


structural(np.linspace, start=_linspace_start, stop=_linspace_stop)


def _logspace(
    which: str,
    g: Any,
    out: Any,
    start: Any,
    stop: Any,
    base: Any = 10.0,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    g, out = _between(g, axis), _between(out, axis)
    t = _fractions(out, num, endpoint)
    if which == "base":
        return np.sum(g * out * (start * (1 - t) + stop * t) / base, axis=0)
    return np.sum(g * out * np.log(base) * (t if which == "stop" else 1 - t), axis=0)


structural(
    np.logspace,
    start=lambda g, out, start, stop, base=10.0, num=50, endpoint=True, dtype=None, axis=0: _logspace(
        "start", g, out, start, stop, base, num, endpoint, dtype, axis
    ),
    stop=lambda g, out, start, stop, base=10.0, num=50, endpoint=True, dtype=None, axis=0: _logspace(
        "stop", g, out, start, stop, base, num, endpoint, dtype, axis
    ),
    base=lambda g, out, start, stop, base=10.0, num=50, endpoint=True, dtype=None, axis=0: _logspace(
        "base", g, out, start, stop, base, num, endpoint, dtype, axis
    ),
)


def _geomspace(g: Any, out: Any, end: Any, num: int, endpoint: bool, axis: int, at_stop: bool) -> Any:
    """The sample at ``t`` is ``start ** (1 - t) * stop ** t``, so its derivative is a share of itself."""
    g, out = _between(g, axis), _between(out, axis)
    t = _fractions(out, num, endpoint)
    return np.sum(g * out * (t if at_stop else 1 - t), axis=0) / end


structural(
    np.geomspace,
    start=lambda g, out, start, stop, num=50, endpoint=True, dtype=None, axis=0: _geomspace(
        g, out, start, num, endpoint, axis, False
    ),
    stop=lambda g, out, start, stop, num=50, endpoint=True, dtype=None, axis=0: _geomspace(
        g, out, stop, num, endpoint, axis, True
    ),
)
