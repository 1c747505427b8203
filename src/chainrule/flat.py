"""``t.flat``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.errors import LinkLostError, ShapeError
from chainrule.protocol import apply
from chainrule.tape import Handle, refused

__all__ = ["Flat"]


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
        view = self._view()
        if view.link is None and view is not self.array:
            raise refused(
                LinkLostError,
                "t.flat[...] of an array that is not contiguous was assigned",
                "it could not be followed",
                "write t[...] = values.reshape(t.shape)",
            )
        plain = value.value if isinstance(value, Handle) else value
        if np.size(plain) not in (1, np.size(view[key].value)):
            raise ShapeError("t.flat[...] = values: give as many values as there are elements")
        view[key] = apply(np.ravel, value) if np.ndim(plain) > 1 else value

    def __iter__(self) -> Iterator[Any]:
        return iter(self._view())

    def __len__(self) -> int:
        return int(np.size(self.array.value))
