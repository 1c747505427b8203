"""Rules for ``np.fft``, in a form that serves the functions of the same names in ``scipy.fft`` too.

A discrete Fourier transform is a symmetric matrix: the transpose of ``fft`` is ``fft``, with the same scale.  What is
left to do is to undo the padding or cutting to the length ``n``, and, for the transforms of real signals, to count the
part of the spectrum that stands for two.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from chainrule.ops import structural
from chainrule.rules.helpers import normalise_axes
from chainrule.rules.scipy_calls import call as follow

__all__ = ["DUAL", "fit", "register_transforms"]

# The scale of a transform is that of its inverse under another name.
DUAL = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def fit(g: Any, a: Any, axes: tuple[int, ...]) -> Any:
    """``g`` cut or filled up with zeros along ``axes`` to the lengths of ``a``: the transpose of doing so to ``a``."""
    cut = [slice(None)] * np.ndim(g)
    fill = [(0, 0)] * np.ndim(g)
    for axis in axes:
        excess = np.shape(g)[axis] - np.shape(a)[axis]
        if excess > 0:
            cut[axis] = slice(np.shape(a)[axis])
        fill[axis] = (0, max(-excess, 0))
    if any(part != slice(None) for part in cut):
        g = g[tuple(cut)]
    return np.pad(g, fill) if any(after for _, after in fill) else g


def _transformed_axes(a: Any, s: Any, axes: Any) -> tuple[int, ...]:
    """The axes of a transform in several dimensions: all of them, or the last ones where only ``s`` is given."""
    if axes is None and s is not None:
        axes = range(-len(s), 0)
    return normalise_axes(None if axes is None else tuple(axes), np.ndim(a))


def _counts(spectrum: Any, length: int, axis: int) -> Any:
    """How often each entry of half a spectrum stands in the whole one: twice, but for the first and the middle one."""
    count = length // 2 + 1
    twice = np.array([1 if k in (0, length - k) else 2 for k in range(count)], dtype=np.int8)
    return np.reshape(twice, (count,) + (1,) * (np.ndim(spectrum) - 1 - axis))


def register_transforms(library: ModuleType, operand: str, prefix: str) -> None:
    """Give the transforms of ``library`` their rules; ``operand`` is the name of the array they transform.

    The rules take the arguments of ``scipy.fft`` that say how to compute and not what, and do not need them.
    """

    def register(name: str, rule: Any) -> None:
        structural(getattr(library, name), name=prefix + name, **{operand: rule})

    def call(name: str, x: Any, norm: Any, **kwargs: Any) -> Any:
        if norm not in (None, "backward"):
            kwargs["norm"] = norm
        return follow(getattr(library, name), x, **kwargs)

    def call_along(name: str, x: Any, axes: tuple[int, ...], norm: Any, sizes: Any = None) -> Any:
        """A transform along axes; ``fft`` and not ``fftn`` along one."""
        if len(axes) > 1:
            return call(f"{name}n", x, norm, axes=axes, **({} if sizes is None else {"s": sizes}))
        return call(name, x, norm, axis=axes[0], **({} if sizes is None else {"n": sizes[0]}))

    def complex_rule(name: str) -> Any:
        def rule(
            g: Any,
            out: Any,
            a: Any,
            n: Any = None,
            axis: int = -1,
            norm: Any = None,
            workers: Any = None,
            plan: Any = None,
        ) -> Any:
            return fit(call(name, g, axis=axis, norm=norm), a, (axis,))

        return rule

    def complex_rule_n(name: str, default: Any) -> Any:
        def rule(
            g: Any,
            out: Any,
            a: Any,
            s: Any = None,
            axes: Any = default,
            norm: Any = None,
            workers: Any = None,
            plan: Any = None,
        ) -> Any:
            axes = _transformed_axes(a, s, axes)
            return fit(call(name, g, axes=axes, norm=norm), a, axes)

        return rule

    def from_real_rule(conjugated: bool, default: Any) -> Any:
        """Of ``rfftn`` and, ``conjugated``, of ``ihfftn``: the missing half of the spectrum has no cotangent."""

        def rule(
            g: Any,
            out: Any,
            a: Any,
            s: Any = None,
            axes: Any = default,
            norm: Any = None,
            workers: Any = None,
            plan: Any = None,
        ) -> Any:
            axes = _transformed_axes(a, s, axes)
            last = np.shape(a)[axes[-1]] if s is None or s[-1] in (None, -1) else s[-1]
            sizes = [*(np.shape(g)[axis] for axis in axes[:-1]), last]
            if conjugated:
                return fit(call_along("fft", np.conj(g), axes, DUAL[norm], sizes), a, axes)
            return fit(call_along("fft", g, axes, norm, sizes), a, axes)

        return rule

    def to_real_rule(conjugated: bool, default: Any) -> Any:
        """Of ``irfftn`` and, ``conjugated``, of ``hfftn``."""

        def rule(
            g: Any,
            out: Any,
            a: Any,
            s: Any = None,
            axes: Any = default,
            norm: Any = None,
            workers: Any = None,
            plan: Any = None,
        ) -> Any:
            axes = _transformed_axes(a, s, axes)
            half = call_along("rfft", g, axes, norm if conjugated else DUAL[norm])
            half = half * _counts(half, np.shape(g)[axes[-1]], axes[-1])
            return fit(half if conjugated else np.conj(half), a, axes)

        return rule

    def along_one_axis(rule_n: Any) -> Any:
        def rule(
            g: Any,
            out: Any,
            a: Any,
            n: Any = None,
            axis: int = -1,
            norm: Any = None,
            workers: Any = None,
            plan: Any = None,
        ) -> Any:
            return rule_n(g, out, a, None if n is None else (n,), (axis,), norm)

        return rule

    for name in ("fft", "ifft"):
        register(name, complex_rule(name))
        register(f"{name}2", complex_rule_n(f"{name}2", (-2, -1)))
        register(f"{name}n", complex_rule_n(f"{name}n", None))
    makers = (("rfft", from_real_rule, False), ("ihfft", from_real_rule, True),
              ("irfft", to_real_rule, False), ("hfft", to_real_rule, True))  # fmt: skip
    for name, make, conjugated in makers:
        register(name, along_one_axis(make(conjugated, None)))
        for suffix, default in (("2", (-2, -1)), ("n", None)):
            if hasattr(library, name + suffix):  # NumPy has no hfft2 and hfftn
                register(name + suffix, make(conjugated, default))


register_transforms(np.fft, "a", "fft.")

structural(np.fft.fftshift, x=lambda g, out, x, axes=None: np.fft.ifftshift(g, axes=axes))
structural(np.fft.ifftshift, x=lambda g, out, x, axes=None: np.fft.fftshift(g, axes=axes))
