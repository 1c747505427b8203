"""How the stand-in hands calls of NumPy functions to what stands above it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["DISPATCH", "apply"]


class Dispatch:
    """Where calls of NumPy functions go; ``dispatch``, which sits above, fills it."""

    call: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
    ufunc: Callable[[np.ufunc, str, tuple[Any, ...], dict[str, Any]], Any]


DISPATCH = Dispatch()


def apply(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a NumPy function on stand-ins, as ``__array_function__`` does."""
    return DISPATCH.call(function, args, kwargs)
