"""Rules for ``scipy.fft``: its Fourier transforms, which are those of ``np.fft``, and cosine and sine transforms.

The core loads this module when the user has imported ``scipy.fft``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from chainrule.ops import composite, structural
from chainrule.rules.fft import DUAL, fit, register_transforms
from chainrule.rules.helpers import normalise_axes
from chainrule.rules.scipy_calls import call

__all__: list[str] = []

register_transforms(scipy.fft, "x", "scipy.fft.")

composite(scipy.fft.fftshift)(lambda x, axes=None: np.fft.fftshift(x, axes=axes))
composite(scipy.fft.ifftshift)(lambda x, axes=None: np.fft.ifftshift(x, axes=axes))


# ---- cosine and sine transforms

_INVERSE_TYPE = {1: 1, 2: 3, 3: 2, 4: 4}


def _weights(g: Any, axis: int, ends: tuple[int, ...], weight: float) -> Any:
    """Ones along ``axis``, and ``weight`` at the ``ends``."""
    length = np.shape(g)[axis]
    places = np.arange(length)
    special = np.isin(places, [end % length for end in ends])
    weights = np.where(special, weight, 1.0).astype(np.finfo(g.dtype).dtype)
    return np.reshape(weights, (length,) + (1,) * (np.ndim(g) - 1 - axis))


def _transposed(function: Any, g: Any, type: int, axis: int, norm: Any, orthogonalize: bool | None) -> Any:
    """The transpose of ``dct`` or ``dst`` along one axis.

    The orthogonal forms have their inverses as transposes, up to the scale.  The others count an end of the signal or
    of the spectrum half: types 2 and 3 are each other's transposes but for that, types 1 and 4 their own.
    """
    is_cosine = function is scipy.fft.dct
    if orthogonalize or (orthogonalize is None and norm == "ortho"):
        inverse = scipy.fft.idct if is_cosine else scipy.fft.idst
        return call(inverse, g, type=type, axis=axis, norm=DUAL[norm], orthogonalize=True)
    ends: tuple[int, ...] = (0,) if is_cosine else (-1,)
    options = {"type": _INVERSE_TYPE[type], "axis": axis, "norm": norm, "orthogonalize": False}
    if type == 1 and is_cosine:
        return _weights(g, axis, (0, -1), 0.5) * call(function, g * _weights(g, axis, (0, -1), 2.0), **options)
    if type == 2:
        return call(function, g * _weights(g, axis, ends, 2.0), **options)
    if type == 3:
        return _weights(g, axis, ends, 0.5) * call(function, g, **options)
    return call(function, g, **options)


def _register(name: str, inverse: bool) -> None:
    """Give ``dct`` or ``dst``, or their inverses, their rules, along one axis and along several."""
    function = getattr(scipy.fft, name.removeprefix("i"))

    def along(g: Any, x: Any, type: int, axes: tuple[int, ...], norm: Any, orthogonalize: bool | None) -> Any:
        # An inverse is the transform of the inverse type, with the scale of the other direction.
        forward_type, forward_norm = (_INVERSE_TYPE[type], DUAL[norm]) if inverse else (type, norm)
        if orthogonalize is None:
            orthogonalize = norm == "ortho"
        for axis in axes:
            g = _transposed(function, g, forward_type, axis, forward_norm, orthogonalize)
        return fit(g, x, axes)

    def rule(
        g: Any,
        out: Any,
        x: Any,
        type: int = 2,
        n: Any = None,
        axis: int = -1,
        norm: Any = None,
        workers: Any = None,
        orthogonalize: bool | None = None,
    ) -> Any:
        return along(g, x, type, normalise_axes(axis, np.ndim(x)), norm, orthogonalize)

    def rule_n(
        g: Any,
        out: Any,
        x: Any,
        type: int = 2,
        s: Any = None,
        axes: Any = None,
        norm: Any = None,
        workers: Any = None,
        orthogonalize: bool | None = None,
    ) -> Any:
        if axes is None and s is not None:
            axes = tuple(range(-len(np.atleast_1d(s)), 0))
        return along(g, x, type, normalise_axes(axes, np.ndim(x)), norm, orthogonalize)

    structural(getattr(scipy.fft, name), name=f"scipy.fft.{name}", x=rule)
    structural(getattr(scipy.fft, f"{name}n"), name=f"scipy.fft.{name}n", x=rule_n)


for _name in ("dct", "dst"):
    _register(_name, inverse=False)
    _register(f"i{_name}", inverse=True)
