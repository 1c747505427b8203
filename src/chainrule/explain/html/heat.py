"""Arrays as small pictures: blue above zero, orange below, the stronger the larger, and nothing where they are zero.

The colours are transparent towards zero, so that the same picture is right on light and on dark pages.
"""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.explain.figures import as_array

__all__ = ["Grid", "grid_of", "picture_of", "strength"]

_POSITIVE, _NEGATIVE, _BROKEN = (37, 99, 235), (217, 105, 10), (190, 24, 160)
Numbers = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Grid:
    """An array as rows and columns of numbers.

    Attributes:
        numbers: in two dimensions; leading axes beyond two are laid one below the other.
        shape: of the array.
        block: how many rows and columns of the array each number is the mean of.
    """

    numbers: Numbers
    shape: tuple[int, ...]
    block: tuple[int, int]


def grid_of(x: Any, rows: int, columns: int) -> Grid | None:
    """An array as at most so many rows and columns; means of blocks where it has more.

    Nothing for arrays without elements, or of what is no number.
    """
    array = as_array(x)
    if array.dtype.kind == "c":
        array = np.abs(array)
    if array.size == 0 or array.dtype.kind not in "fiub":
        return None
    flat = array.reshape(-1, array.shape[-1] if array.ndim else 1).astype(float)
    block = (-(-flat.shape[0] // rows), -(-flat.shape[1] // columns))
    if block != (1, 1):
        flat = _means(flat, block)
    return Grid(flat, array.shape, block)


def _means(x: Numbers, block: tuple[int, int]) -> Numbers:
    for axis, size in enumerate(block):
        starts = np.arange(0, x.shape[axis], size)
        lengths = np.diff([*starts, x.shape[axis]])
        with np.errstate(invalid="ignore", over="ignore"):
            sums = np.add.reduceat(x, starts, axis=axis)
        x = sums / (lengths[:, None] if axis == 0 else lengths)
    return x


def strength(x: Numbers) -> Numbers:
    """The numbers between -1 and 1, as parts of the largest; those that are not finite stay so."""
    finite = np.abs(x[np.isfinite(x)])
    largest = float(finite.max()) if finite.size else 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        parts: Numbers = np.where(np.isfinite(x), x / largest if largest > 0 else 0.0, np.nan)
    return parts


def picture_of(grid: Grid) -> str:
    """The picture, one pixel a number, as an address that holds it."""
    parts = strength(grid.numbers)
    pixels = np.zeros((*parts.shape, 4), np.uint8)
    with np.errstate(invalid="ignore"):
        # Small numbers must be told from zero.
        alpha = np.where(parts == 0, 0, 28 + 227 * np.abs(parts))
    pixels[..., :3] = np.where((parts > 0)[..., None], np.array(_POSITIVE), np.array(_NEGATIVE))
    pixels[..., 3] = np.nan_to_num(alpha, nan=255.0)
    pixels[~np.isfinite(parts)] = (*_BROKEN, 255)
    return "data:image/png;base64," + base64.b64encode(_png(pixels)).decode("ascii")


def _png(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """A picture file of red, green, blue and alpha."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    packed = zlib.compress(rows, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
