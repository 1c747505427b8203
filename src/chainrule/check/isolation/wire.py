"""Messages between two processes that do not trust each other: numbers, texts, arrays, and nothing that is executed."""

from __future__ import annotations

import json
import math
import os
import select
import struct
import time
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any

import numpy as np

from chainrule.check.candidate import Seen
from chainrule.errors import ChainruleError
from chainrule.language import Message

__all__ = ["Ended", "TooLate", "WireError", "decode", "encode", "read", "write"]

_HEAD = struct.Struct(">QQ")
_KINDS = "fciub"
_DEEPEST = 40


class WireError(ChainruleError):
    """A message that is none of ours."""


class TooLate(ChainruleError):  # noqa: N818 - it says what happened
    """Nothing came in the time that was allowed."""


class Ended(ChainruleError):  # noqa: N818
    """The other process is gone."""


def encode(value: Any) -> bytes:
    """A value as bytes: texts and numbers as JSON, arrays behind it."""
    buffers: list[bytes] = []
    text = json.dumps(_plain(value, buffers, 0)).encode()
    body = b"".join(buffers)
    return _HEAD.pack(len(text), len(body)) + text + body


def decode(text: bytes, body: bytes) -> Any:
    """The value again.

    Raises:
        WireError: where the bytes are none of ours.
    """
    try:
        return _value(json.loads(text), memoryview(body), 0)
    except WireError:
        raise
    except Exception as error:  # whatever bytes that were made up lead to
        raise WireError(f"the answer could not be read: {type(error).__name__}.") from None


def _plain(x: Any, buffers: list[bytes], depth: int) -> Any:
    if depth > _DEEPEST:
        raise WireError("a value is nested too deeply to be sent.")

    def inner(y: Any) -> Any:
        return _plain(y, buffers, depth + 1)

    if x is None or type(x) in (bool, str):
        return x
    if type(x) is int and abs(x) < 2**63:
        return x
    if type(x) is float:
        return x if math.isfinite(x) else {"float": repr(x)}
    if isinstance(x, np.ndarray | np.generic):
        array = np.ascontiguousarray(np.asarray(x))
        if array.dtype.kind not in _KINDS:
            return {"object": f"{type(x).__name__} of {array.dtype}"}
        start = sum(map(len, buffers))
        buffers.append(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        kind = array.dtype.newbyteorder("<").str
        return {"array": [kind, list(np.shape(x)), start], "scalar": not isinstance(x, np.ndarray)}
    if type(x) is complex:
        return {"complex": [inner(x.real), inner(x.imag)]}
    if isinstance(x, Message):
        return {"message": [x.template, inner(dict(x.values)), x.plural_template, x.count]}
    if isinstance(x, Seen):
        return {"seen": [x.name, x.line, inner(x.value), x.text, x.frame]}
    if isinstance(x, Mapping):
        return {"dict": [[inner(k), inner(v)] for k, v in x.items()]}
    if isinstance(x, tuple):
        return {"tuple": [inner(e) for e in x]}
    if isinstance(x, list):
        return [inner(e) for e in x]
    return {"object": type(x).__name__}


class _Unreadable:
    """Stands for a value that could not be sent."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def _array(spec: Any, scalar: bool, body: memoryview) -> Any:
    kind, shape, start = spec
    dtype = np.dtype(kind)
    if dtype.kind not in _KINDS or any(type(n) is not int or n < 0 for n in shape) or len(shape) > 32:
        raise WireError("the answer holds an array of a kind that is not sent.")
    count = math.prod(shape)
    if type(start) is not int or start < 0 or start + count * dtype.itemsize > len(body):
        raise WireError("the answer holds an array that is not there.")
    array = np.frombuffer(body, dtype, count, start).reshape(shape).copy()
    return array[()] if scalar else array


def _value(x: Any, body: memoryview, depth: int) -> Any:
    if depth > 2 * _DEEPEST:
        raise WireError("the answer is nested too deeply.")

    def inner(y: Any) -> Any:
        return _value(y, body, depth + 1)

    if isinstance(x, list):
        return [inner(e) for e in x]
    if isinstance(x, str):
        return _printable(x)
    if not isinstance(x, dict):
        return x
    if "array" in x:
        return _array(x["array"], bool(x.get("scalar")), body)
    ((kind, held), *_) = x.items()
    makers: dict[str, Callable[[], Any]] = {
        "float": lambda: float(held),
        "complex": lambda: complex(inner(held[0]), inner(held[1])),
        "message": lambda: _message(held, inner),
        "seen": lambda: Seen(inner(held[0]), int(held[1]), inner(held[2]), inner(held[3]), int(held[4])),
        "dict": lambda: {inner(k): inner(v) for k, v in held},
        "tuple": lambda: tuple(inner(e) for e in held),
        "object": lambda: _Unreadable(str(held)),
    }
    if kind not in makers:
        raise WireError("the answer holds something of an unknown kind.")
    return makers[kind]()


def _printable(text: str) -> str:
    """A text without what would move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _message(held: Any, inner: Callable[[Any], Any]) -> Message:
    """A message whose gaps are plain names: other gaps could be made to fill the memory."""
    template, several = str(inner(held[0])), None if held[2] is None else str(inner(held[2]))
    values = {str(k): v for k, v in inner(held[1]).items()}
    for text in (template, several or ""):
        for _, name, spec, conversion in Formatter().parse(text):
            if name is not None and (name not in values or spec or conversion):
                raise WireError("the answer holds a message with gaps of an unknown kind.")
    return Message(template, values, several, int(held[3]))


# ---- pipes
def write(handle: int, value: Any, seconds: float | None = None) -> None:
    """Write a value to a pipe.

    Raises:
        Ended: where nobody reads it.
        TooLate: where it is not read in time.
    """
    data = memoryview(encode(value))
    deadline = None if seconds is None else time.monotonic() + seconds
    while data:
        if deadline is not None and not select.select([], [handle], [], max(0.0, deadline - time.monotonic()))[1]:
            raise TooLate("the process did not take its arguments in time.")
        try:
            data = data[os.write(handle, data[: 1 << 16]) :]
        except (BrokenPipeError, OSError) as error:
            raise Ended("the process has ended.") from error


def read(handle: int, seconds: float | None = None, most: int = 1 << 30) -> Any:
    """Read a value from a pipe.

    Args:
        handle: the pipe.
        seconds: how long to wait for it.
        most: how many bytes it may have.

    Raises:
        Ended: where there is none.
        TooLate: where it did not come in time.
        WireError: where it is none of ours.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    lengths = _HEAD.unpack(_exactly(handle, _HEAD.size, deadline))
    if sum(lengths) > most:
        raise WireError(f"the answer has {sum(lengths):,} bytes, which is too much.")
    return decode(_exactly(handle, lengths[0], deadline), _exactly(handle, lengths[1], deadline))


def _exactly(handle: int, count: int, deadline: float | None) -> bytes:
    parts: list[bytes] = []
    while count:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([handle], [], [], left)[0]:
                raise TooLate("nothing came in time.")
        part = os.read(handle, min(count, 1 << 20))
        if not part:
            raise Ended("the process has ended.")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
