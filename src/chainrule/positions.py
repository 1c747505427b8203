"""Where a step stands in the user's source: file, line, column, text and the name it is bound to.

While tracing only the code object and the offset of the running instruction are noted, which costs
next to nothing.  Everything else is worked out from them when somebody asks.
"""

from __future__ import annotations

import dis
import linecache
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from types import CodeType, FrameType
from typing import Any

import numpy as np

__all__ = ["Position", "adopt", "bound_names", "is_foreign", "is_internal", "locate", "outermost", "user_frame"]

_PACKAGE = os.path.dirname(__file__)
_NUMPY = os.path.dirname(np.__file__)
_LAYERS = os.path.join(_PACKAGE, "layers")  # plain NumPy, followed as a user's own layers are
_STORES = {"STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"}
_SKIPPED = {"CACHE", "NOP", "EXTENDED_ARG", "PRECALL"}


class _Internal(dict[str, bool]):
    """Whether a file is chainrule's or NumPy's own, remembered per file name."""

    def __missing__(self, filename: str) -> bool:
        own = filename.startswith(_PACKAGE) and not filename.startswith(_LAYERS)
        inside = own or filename.startswith(_NUMPY) or "/scipy/" in filename or "\\scipy\\" in filename
        self[filename] = inside
        return inside


is_internal = _Internal()
# Where Python's own modules are, as `sysconfig` says, which takes several milliseconds to ask.
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_LIBRARIES = (os.path.dirname(os.__file__), os.path.join(sys.base_exec_prefix, sys.platlibdir, _VERSION))
_adopted: set[str] = {_LAYERS}


class _Foreign(dict[str, bool]):
    """Whether a file belongs to Python or to an installed package, remembered per file name."""

    def __missing__(self, filename: str) -> bool:
        packaged = "site-packages" in filename or "dist-packages" in filename or filename.startswith("<frozen")
        foreign = is_internal[filename] or packaged or filename.startswith(_LIBRARIES)
        self[filename] = foreign and not filename.startswith(tuple(_adopted))
        return self[filename]


is_foreign = _Foreign()


def adopt(filename: str) -> None:
    """Count an installed package as the user's own: one of its functions was handed to a verb."""
    if not is_foreign[filename] or is_internal[filename]:
        return
    for folder in ("site-packages", "dist-packages"):
        before, found, after = filename.partition(folder)
        if found:
            _adopted.add(before + folder + after[: after.find(os.sep, 1) + 1] or filename)
            is_foreign.clear()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the user's source.  Lines and columns count from 1, as editors do."""

    filename: str
    function: str
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def text(self) -> str:
        """The source line, stripped; empty where there is no source."""
        return linecache.getline(self.filename, self.line).strip()

    @property
    def segment(self) -> str:
        """The exact source of the expression, as far as it stands on its first line."""
        line = linecache.getline(self.filename, self.line).rstrip("\n")
        if not line:
            return ""
        data = line.encode()
        end = self.end_column - 1 if self.end_line == self.line else len(data)
        return data[self.column - 1 : end].decode(errors="replace")

    def __str__(self) -> str:
        return f"{self.filename}:{self.line}:{self.column}"

    def pointer(self) -> str:
        """The place as a traceback shows it, with the expression underlined where the source is known."""
        head = f'  File "{self.filename}", line {self.line}, column {self.column}, in {self.function}'
        line = linecache.getline(self.filename, self.line).rstrip("\n")
        if not line.strip():
            return head
        indent = len(line) - len(line.lstrip())
        start = len(line.encode()[: self.column - 1].decode(errors="replace")) - indent
        width = max(1, len(self.segment))
        return f"{head}\n    {line.strip()}\n    {' ' * max(start, 0)}{'^' * width}"


class _Code:
    """What is known about one code object, worked out when it is first asked for."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.places: dict[int, Position] = {}
        self.names: dict[int, tuple[str, ...]] = {}

    @cached_property
    def positions(self) -> list[Any]:
        return list(self.code.co_positions())

    @cached_property
    def instructions(self) -> dict[int, tuple[str, Any, int]]:
        """For each instruction's offset, what follows it: name, argument and offset."""
        plain = [i for i in dis.get_instructions(self.code) if i.opname not in _SKIPPED]
        return {before.offset: (i.opname, i.argval, i.offset) for before, i in pairwise(plain)}


# By identity: hashing a code object takes as long as it is large, and every step of a program asks.
_codes: dict[int, _Code] = {}
_MOST_CODES = 1024


def _known(code: CodeType) -> _Code:
    found = _codes.get(id(code))
    if found is None:
        if len(_codes) >= _MOST_CODES:
            _codes.clear()
        found = _codes[id(code)] = _Code(code)
    return found


def locate(code: CodeType, offset: int) -> Position:
    """The position of the instruction at byte ``offset`` of ``code``, or at its complement, as a tape notes some."""
    offset = offset if offset >= 0 else ~offset
    known = _known(code)
    place = known.places.get(offset)
    if place is None:
        found = known.positions[offset // 2] if offset // 2 < len(known.positions) else (None, None, None, None)
        line, end_line, column, end_column = found
        line = line or code.co_firstlineno
        end_column = (end_column or column or 0) + 1
        place = Position(code.co_filename, code.co_qualname, line, (column or 0) + 1, end_line or line, end_column)
        known.places[offset] = place
    return place


def bound_names(code: CodeType, offset: int, place: int = 0) -> tuple[str, ...]:
    """The names that the instruction after ``offset`` stores the result under: ``("y",)`` for ``y = a + b``.

    Read from the bytecode, so it works where there is no source text.  Of what an instruction takes apart, as
    ``a, b = x`` does, ``place`` says which part is meant.
    """
    known = _known(code)
    if place:
        return _stored(known.instructions, offset, place) or bound_names(code, offset)
    found = known.names.get(offset)
    if found is None:
        found = known.names[offset] = _stored(known.instructions, offset)
    return found


def _stored(instructions: dict[int, tuple[str, Any, int]], offset: int, skipped: int = 0) -> tuple[str, ...]:
    """The name that is stored first, or after others that are skipped."""
    following = instructions.get(offset)
    while following is not None:
        name, argument, next_offset = following
        stored: tuple[str, ...] = ()
        if name in _STORES:
            stored = (argument,)
        elif name == "STORE_FAST_STORE_FAST" or (name == "STORE_FAST_LOAD_FAST" and not skipped):
            stored = argument if isinstance(argument, tuple) else (str(argument),)
        elif name != "COPY" or skipped:
            break
        if skipped < len(stored):
            return (stored[skipped],)
        skipped -= len(stored)
        following = instructions.get(next_offset)
    return ()


def outermost(frame: Any) -> Any:
    """The frame of the user's that was called first, among those that are called from within this package."""
    found = user = frame
    while frame is not None:
        if is_internal[frame.f_code.co_filename]:
            found = user  # what lies behind it may be the user's own call of this package
        else:
            user = frame
        frame = frame.f_back
    return found


def user_frame(depth: int = 1) -> FrameType:
    """The innermost frame of the user's: neither chainrule's nor of an installed package, if there is one."""
    frame: FrameType = sys._getframe(depth)
    innermost: FrameType | None = None
    candidate: FrameType | None = frame
    while candidate is not None:
        filename = candidate.f_code.co_filename
        if not is_foreign[filename]:
            return candidate
        if innermost is None and not is_internal[filename]:
            innermost = candidate
        candidate = candidate.f_back
    return innermost or frame
