"""A script traced in a process of its own: what comes back is a program of known operations, and no code."""

from __future__ import annotations

import importlib
import importlib.util
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from chainrule.check.adapters.script_traces import Computed, ScriptTrace
from chainrule.check.isolation.programs import unpacked
from chainrule.check.isolation.remote import HEAVY, IsolationError, Limits, Process, imported, refused, unenforced
from chainrule.language import Message, message

__all__ = ["RemoteTracer"]

# What a script may have called, and has derivative rules only once it is imported here too.
_WITH_RULES = ("scipy.special", "scipy.linalg", "scipy.fft")


class RemoteTracer:
    """Traces a script, and other versions of it, in a process of its own.

    The process is kept for the next version, since starting one takes longer than most scripts; where it has ended, the
    next version gets a new one.

    Args:
        limits: what the script may use.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._preloaded: frozenset[str] = frozenset()
        self._process: Process | None = None
        self._ending: weakref.finalize[[], RemoteTracer] | None = None

    def __call__(
        self,
        path: str,
        of: str | None = None,
        wrt: Sequence[str] | None = None,
        *,
        index: Sequence[int] | None = None,
        look: bool = False,
    ) -> ScriptTrace:
        """As :func:`chainrule.check.adapters.scripts.traced_script`.

        Args:
            path: the file.
            of: the name of the result.
            wrt: the arrays whose gradients are judged.
            index: the element of the result that is meant.
            look: whether what its names stand for is wanted.

        Raises:
            ScriptError: where the script fails; the message is its own traceback.
            CandidateError: where it computes no gradients, or its process does not answer.
            ChainruleError: where it cannot be followed.
        """
        file = path.partition("::")[0]
        process = self._with(imported(file))
        try:
            request = {"kind": "trace", "path": path, "of": of, "wrt": wrt, "index": index, "look": look}
            reply = process.asked(request, self.limits.seconds)
        except BaseException:
            self.close()
            raise
        if "refused" in reply:
            raise refused(reply)
        with open(file, encoding="utf-8", errors="replace") as opened:
            source = opened.read()
        notes = tuple(n for n in reply["notes"] if isinstance(n, Message))
        return _trace(path, reply, source, (*notes, *map(unenforced, process.missing)))

    def plain(self, path: str, of: str, gradients: Mapping[str, str]) -> dict[str, Any]:
        """As :func:`chainrule.check.adapters.plain_runs.plain_gradients`."""
        process = self._process or self._with(imported(path))
        try:
            request = {"kind": "plain", "path": path, "of": of, "gradients": list(gradients.items())}
            reply = process.asked(request, self.limits.seconds)
        except BaseException:
            self.close()
            raise
        if "refused" in reply:
            raise refused(reply)
        return {str(n): np.asarray(x) for n, x in reply["values"].items()}

    def _with(self, names: frozenset[str]) -> Process:
        """The process that is there, if it has loaded these packages; or a new one."""
        wanted = names.intersection(HEAVY)
        if self._process is None or not wanted <= self._preloaded:
            self.close()
            if "scipy" in names:
                for name in _WITH_RULES:
                    with suppress(ImportError):
                        importlib.import_module(name)
            self._process = Process(self.limits, [n for n in HEAVY if n in names])
            self._preloaded = wanted
            self._ending = weakref.finalize(self, self._process.close)
        return self._process

    def close(self) -> None:
        """End the process."""
        if self._ending is not None:
            self._ending()
        self._process = self._ending = None


def _trace(path: str, reply: Any, source: str, notes: tuple[Message, ...]) -> ScriptTrace:
    program = unpacked(reply["program"], path.partition("::")[0])
    try:
        gradients = {str(n): _computed(*parts) for n, *parts in reply["gradients"]}
        seen = tuple(_computed(*parts) for parts in reply["seen"])
        names, values = tuple(map(str, reply["names"])), tuple(reply["values"])
    except (TypeError, ValueError, LookupError) as error:
        raise IsolationError(message("what the file's process sent is no answer")) from error
    known = program.by_number()
    whole = len(names) == len(values) == len(program.inputs) and bool(program.outputs)
    if (
        not whole
        or any(
            c.number not in known and (c.number, c.value is None) != (-1, False) for c in (*gradients.values(), *seen)
        )
        or not set(gradients) <= set(names)
    ):
        raise IsolationError(message("what the file's process sent is no answer"))
    failed = bool(reply["failed"])
    return ScriptTrace(path, str(reply["title"]), program, names, values, gradients, seen, notes, source, failed)


def _computed(name: Any, line: Any, number: Any, value: Any = None, frame: Any = 0, given: Any = False) -> Computed:
    return Computed(str(name), int(line), int(number), value, int(frame), bool(given))
