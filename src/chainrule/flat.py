"""``t.flat``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.protocol import apply
from chainrule.tape import Handle

__all__ = ["Flat"]


def _plain(x: Any) -> Any:
    return x.value if isinstance(x, Handle) else x


class Flat:
    """``t.flat``: the elements in row-major order, read and written through."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array

    def _view(self) -> Any:
        return apply(np.reshape, self.array, (-1,))

    def __getitem__(self, key: Any) -> Any:
        return apply(np.copy, self._view()[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        shape = tuple(map(int, np.shape(self.array.value)))
        places = np.atleast_1d(np.arange(self.array.value.size)[_plain(key)]).ravel()
        values = value if isinstance(value, Handle) else np.asarray(value)
        if np.ndim(_plain(values)) > 0:
            # NumPy takes the values in order, and begins again where there are too few.
            values = apply(np.ravel, values)
            if np.size(_plain(values)) != places.size:
                values = apply(np.resize, values, (places.size,))
        self.array[np.unravel_index(places, shape)] = values

    def __iter__(self) -> Iterator[Any]:
        return iter(self._view())

    def __len__(self) -> int:
        return int(np.size(self.array.value))
