"""Runs a piece of somebody's code and sees what it does: its variables, its failures, the random numbers it draws."""

from __future__ import annotations

import builtins
import contextlib
import io
import linecache
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType, ModuleType, TracebackType
from typing import Any

import numpy as np

from chainrule.check.adapters.forwards import fresh
from chainrule.check.candidate import CandidateError, Seen
from chainrule.language import Message, listed, message

__all__ = ["Observed", "Watcher", "observe", "same"]

_LARGEST = 1 << 16  # elements of an array that is copied
_MOST_SEEN = 4000
_MOST_PARTS = 64


@dataclass(slots=True)
class Observed:
    """What a call did.

    Attributes:
        result: what it returned.
        error: what it raised.
        error_line: the line of the candidate's source that raised it.
        seen: the variables it assigned.
        notes: what else was noticed.
    """

    result: Any = None
    error: BaseException | None = None
    error_line: int | None = None
    seen: tuple[Seen, ...] = ()
    notes: tuple[Message, ...] = ()


def observe(call: Callable[[], Any], files: frozenset[str], look: bool) -> Observed:
    """Call something; a failure is part of what is observed.

    Args:
        call: what to call.
        files: the files of the candidate's source.
        look: whether its variables are wanted.
    """
    found = Observed()
    watcher = Watcher(files) if look else None
    own, replaced = dict(_BUILTINS), list[str]()
    drawn = _random_state()
    before = sys.gettrace()
    try:
        with contextlib.redirect_stdout(_Nowhere()), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if watcher is not None:
                sys.settrace(watcher.enter)
            try:
                found.result = call()
            finally:
                replaced = _restored(own)
                sys.settrace(before)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit in a candidate is a failure of the candidate
        found.error, found.error_line = error, _line_in(error.__traceback__, files)
        found.error.__traceback__ = None  # it would keep every array of the candidate alive
    if replaced:
        names = listed(replaced)
        text = message("it replaces what belongs to Python: {names}. Nothing that it gives is judged.", names=names)
        found.error, found.error_line = CandidateError(text), None
    if watcher is not None:
        found.seen = tuple(watcher.seen)
    if drawn != _random_state():
        found.notes = (message("It draws random numbers: each call may give something else."),)
    return found


_BUILTINS = vars(builtins)
_NOTHING = object()


def _restored(held: Mapping[str, Any]) -> list[str]:
    """Put back the built-in names that were replaced or removed, which are returned; none is needed for that."""
    names = [name for name, value in held.items() if _BUILTINS.get(name, _NOTHING) is not value and name != "_"]
    _BUILTINS.update(held)
    return names


class _Nowhere(io.TextIOBase):
    """Takes what is printed, and forgets it."""

    def write(self, text: str) -> int:
        """Forget a text."""
        return len(text)

    def writable(self) -> bool:
        """It can be written to."""
        return True


def _random_state() -> Any:
    state: Any = np.random.get_state()
    return state[1].tobytes(), state[2], state[3], random.getstate()


def _line_in(traceback: TracebackType | None, files: frozenset[str]) -> int | None:
    line = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename in files:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def same(one: Any, other: Any) -> bool:
    """Whether two arrays, or trees of them, are equal bit by bit; other things where they are the same or equal."""
    if one is other:
        return True
    if isinstance(one, np.ndarray | np.generic) or isinstance(other, np.ndarray | np.generic):
        left, right = np.asarray(one), np.asarray(other)
        if left.shape != right.shape or left.dtype != right.dtype:
            return False
        return left.dtype.kind == "O" or left.tobytes() == right.tobytes()
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(x, other[k]) for k, x in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    try:
        return bool(one == other) or (one != one and other != other)
    except Exception:  # the comparison of somebody's own objects may do anything
        return True


class Watcher:
    """A trace function that notes what the variables of the candidate's frames are bound to, line by line.

    Variables of the file's top level belong to frame 0.

    Args:
        files: the files of the candidate's source.
    """

    kinds: tuple[type, ...] = (np.ndarray, np.generic, float, complex)

    def __init__(self, files: frozenset[str]) -> None:
        self.files = files
        self.seen: list[Seen] = []
        self.known: dict[int, dict[str, tuple[Any, Any]]] = {}
        self.lines: dict[int, int] = {}
        self.numbers: dict[int, int] = {}
        self.calls = 0

    def kept(self, value: Any) -> Any:
        """What is kept of a value, which may be written into later; ``None`` for one that is not kept."""
        return _copied(value)

    def is_kept(self, kept: Any, value: Any) -> bool:
        """Whether a value is still what was kept of it."""
        return kept is None or same(kept, _as_numpy(value) if _is_foreign(value) else value)

    def enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Watch a frame, where it is one of the candidate's: what ``sys.settrace`` is given."""
        if frame.f_code.co_filename not in self.files or len(self.seen) >= _MOST_SEEN:
            return None
        self.calls += 1
        self.numbers[id(frame)] = 0 if _is_top(frame) else self.calls
        given = self.known[id(frame)] = {path: (x, self.kept(x)) for path, x in _variables(frame, self.kinds)}
        self.lines[id(frame)] = frame.f_lineno
        self.seen += [
            Seen(path.removeprefix("self."), frame.f_lineno, copy, "", self.numbers[id(frame)])
            for path, (_, copy) in given.items()
            if copy is not None
        ]
        return self._step

    def _step(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event in ("line", "return", "exception"):
            self._compare(frame)
            self.lines[id(frame)] = frame.f_lineno
        if event == "return":
            self.known.pop(id(frame), None)
        return self._step if len(self.seen) < _MOST_SEEN else None

    def _compare(self, frame: FrameType) -> None:
        known = self.known.setdefault(id(frame), {})
        line = self.lines.get(id(frame), frame.f_lineno)
        for path, value in _variables(frame, self.kinds):
            held = known.get(path)
            if held is not None and held[0] is value and self.is_kept(held[1], value):
                continue
            copy = self.kept(value)
            known[path] = (value, copy)
            if copy is not None:
                text = linecache.getline(frame.f_code.co_filename, line).strip()
                self.seen.append(Seen(path.removeprefix("self."), line, copy, text, self.numbers.get(id(frame), 0)))


def _is_top(frame: FrameType) -> bool:
    return frame.f_code.co_name == "<module>"


def _variables(frame: FrameType, kinds: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """The arrays and numbers that the frame's variables reach."""
    module = _is_top(frame)
    for name, value in list(frame.f_locals.items()):
        if module and name.startswith("__"):
            continue
        if isinstance(value, int) and not isinstance(value, bool):
            yield name, value
        yield from _parts(name, value, 2, kinds)


def _parts(path: str, value: Any, depth: int, kinds: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, kinds) or _is_foreign(value):
        yield path, value
        return
    if isinstance(value, bool | int | str | bytes | type | ModuleType) or value is None or callable(value) or not depth:
        return
    if isinstance(value, Mapping):
        parts = [(f"{path}[{_quoted(k)}]", x) for k, x in list(value.items())[:_MOST_PARTS]]
    elif isinstance(value, list | tuple):
        parts = [(f"{path}[{k}]", x) for k, x in enumerate(value[:_MOST_PARTS])]
    elif hasattr(value, "__dict__"):
        parts = [(f"{path}.{k}", x) for k, x in list(vars(value).items())[:_MOST_PARTS]]
    else:
        return
    for inner, part in parts:
        yield from _parts(inner, part, depth - 1, kinds)


def _quoted(key: Any) -> str:
    return f'"{key}"' if isinstance(key, str) else repr(key)


def _copied(value: Any) -> Any:
    """A copy of an array or number that is small enough to be kept."""
    if _is_foreign(value):
        value = _as_numpy(value)
    if isinstance(value, np.ndarray):
        return fresh(value) if value.size <= _LARGEST and value.dtype.kind in "fciub" else None
    return value


def _is_foreign(value: Any) -> bool:
    """Whether a value is an array of PyTorch or JAX; neither is loaded to find out."""
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    return (torch is not None and isinstance(value, torch.Tensor)) or (
        jax is not None and isinstance(value, jax.Array) and not isinstance(value, jax.core.Tracer)
    )


def _as_numpy(value: Any) -> Any:
    """An array of another library as one of NumPy; ``None`` for one that is not in this processor's memory."""
    try:
        array = np.asarray(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, RuntimeError, ValueError):
        return None
    return array if array.ndim else array[()]
