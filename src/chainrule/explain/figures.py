"""Numbers as people read them: small arrays whole, large ones by their corners and what sums them up."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.explain.notation.arrangement import shown_number
from chainrule.language import Message, message

__all__ = ["SMALL", "array_lines", "as_array", "is_small", "shape_text", "shown_number", "summary"]

SMALL = 64  # elements of an array that is shown whole


def as_array(x: Any) -> np.ndarray[Any, Any]:
    """Numbers as one array; a list of arrays of one shape, stacked."""
    array = np.asarray(x) if not isinstance(x, list | tuple) or _alike(x) else _loose(x)
    if array.dtype == object and array.size and _alike(list(array.flat)):
        array = np.stack([np.asarray(e) for e in array.flat]).reshape(*array.shape, *np.shape(array.flat[0]))
    return array


def _alike(x: Any) -> bool:
    return len({np.shape(e) for e in x}) == 1


def _loose(x: Any) -> np.ndarray[Any, Any]:
    held = np.empty(len(x), object)
    held[:] = list(x)
    return held


def is_small(x: Any) -> bool:
    """Whether an array is shown whole."""
    return bool(as_array(x).size <= SMALL)


def shape_text(shape: tuple[int, ...]) -> str:
    """``(5,18)``; nothing for a number."""
    return f"({','.join(map(str, shape))}{',' if len(shape) == 1 else ''})" if shape else ""


def array_lines(x: Any, width: int, whole: bool = False) -> list[str]:
    """An array as NumPy prints it, with few digits; with ``whole`` every element."""
    array = as_array(x)
    if array.ndim == 0:
        return [shown_number(array[()].item() if array.dtype != object else array.item())]
    threshold = array.size + 1 if whole else SMALL
    shown: list[str] = []

    def text_of(value: Any) -> str:
        shown.append(shown_number(value.item() if hasattr(value, "item") else value))
        return shown[-1]

    def aligned(value: Any) -> str:
        return text_of(value).rjust(longest)

    numeric = array.dtype.kind in "fciub"
    options: Any = {"max_line_width": width, "threshold": threshold, "edgeitems": 2}
    text = np.array2string(array, **options, formatter={"all": text_of} if numeric else None)
    longest = max(map(len, shown), default=1)
    columns = array.shape[-1] if array.size <= threshold else 5
    # Columns stand below each other, where there is room for it.
    if numeric and array.ndim > 1 and 2 * array.ndim + (longest + 1) * columns <= width:
        text = np.array2string(array, **options, formatter={"all": aligned})
    return [line for line in text.splitlines() if line.strip()]


def summary(x: Any) -> Message | None:
    """The range, the mean and the norm of an array; nothing for an empty one or a number."""
    array = as_array(x)
    if array.ndim == 0 or array.size == 0 or array.dtype.kind not in "fiub":
        return None
    numbers = array.astype(float)
    finite = numbers[np.isfinite(numbers)]
    if finite.size < numbers.size:
        return message(
            "{count} of {all} elements are NaN or infinite", count=numbers.size - finite.size, all=numbers.size
        )
    low, high, mean, norm = (
        shown_number(float(v)) for v in (finite.min(), finite.max(), finite.mean(), np.linalg.norm(finite))
    )
    return message("from {low} to {high}, mean {mean}, norm {norm}", low=low, high=high, mean=mean, norm=norm)
