"""A candidate in a file, run in a process of its own: what it does there stays there, but for its gradients."""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np

from chainrule.check.adapters.forwards import Facts, Forward, ForwardValues
from chainrule.check.adapters.replacing import edited
from chainrule.check.candidate import Answer, CandidateError, Seen
from chainrule.check.candidates import not_given, wanted_of
from chainrule.check.isolation.wire import Ended, TooLate, WireError, read, write
from chainrule.language import Message, listed, message, plural
from chainrule.script import ScriptError

__all__ = ["HEAVY", "IsolationError", "Limits", "Process", "RemoteCandidate", "imported", "refused", "unenforced"]

_STARTING = 120.0  # seconds for the process to be there, which loads what is installed
HEAVY = ("torch", "jax", "scipy", "matplotlib", "pandas", "sklearn", "numba", "autograd", "tensorflow")
_GIVING = ("chainrule", "autograd", "jax", "torch", "tensorflow", "mygrad", "tinygrad", "sympy")
_KEPT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LANGUAGE",
    "SYSTEMROOT",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",
)


class IsolationError(CandidateError):
    """The candidate's process ended, or took too long, or sent what is no answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a candidate may use.

    Attributes:
        seconds: for one run of it.
        memory: bytes.
        output: bytes that it may print, as far as it prints past Python.
        landlock: whether the kernel's own way to guard folders is used; else nothing may be written at all.
    """

    seconds: float = 10.0
    memory: int = 2 << 30
    output: int = 16 << 20
    landlock: bool = True


# What is said of a candidate whose process ended before anything was known about it.
_NOTHING = {"style": "function", "origin": ("", "", 1), "takes_cotangent": True, "needs_forward": False, "notes": ()}


class RemoteCandidate:
    """A candidate in a file, which this process never imports.

    Args:
        path: the file.
        pattern: which of the things in it; see :func:`chainrule.check.isolation.finding.selected`.
        forward: the forward function, which runs in this process.
        args: an example of its arguments.
        wrt: as for :func:`chainrule.check.candidates.candidate_of`.
        names: as for :func:`chainrule.check.candidates.candidate_of`.
        limits: what it may use.

    Raises:
        ScriptError: where the file fails; the message is its own traceback.
        CandidateError: where it cannot be told how it is meant, or its process does not answer.
    """

    resizable = True

    def __init__(
        self,
        path: str,
        pattern: str,
        forward: Callable[..., Any],
        args: Mapping[str, Any] | Sequence[Any],
        wrt: str | Sequence[str] | None = None,
        *,
        names: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.file = path
        self.failed: IsolationError | None = None
        self.version = 0  # of the text of the file that is meant; 0 for the file as it is
        self.text: str | None = None
        self.imported = imported(path)
        self.process = Process(self.limits, [n for n in HEAVY if n in self.imported])
        try:
            plain = Forward(forward, args, False)
            loaded = self._asked({"kind": "load", "path": path, "pattern": pattern, "facts": _sendable(plain.facts)})
            self.forward = Forward(forward, args, True) if loaded["cached"] else plain
            wanted = wanted_of(wrt, self.forward)
            request = {
                "kind": "adapt",
                "facts": _sendable(self.forward.facts),
                "example": _sendable(self.forward.example),
                "wrt": wanted,
                "names": dict(names or {}),
                "random": _random(),
            }
            try:
                adapted = self._asked(request)
            except IsolationError as error:
                self.failed = error
                stem = pattern or os.path.splitext(os.path.basename(path))[0]
                adapted = {"name": stem, "wrt": (wanted or self.forward.facts.arrays), **_NOTHING}
            self._adapted(adapted, wanted)
        except BaseException:
            self.close()
            raise

    def _adapted(self, adapted: Mapping[str, Any], wanted: tuple[str, ...] | None) -> None:
        """What the process says about the candidate, as far as it can be what it says."""
        floats = self.forward.facts.floats
        self.name = str(adapted["name"])[:200]
        self.style = str(adapted["style"])
        given = tuple(str(n) for n in adapted["wrt"])
        self.wrt = wanted or tuple(n for n in floats if n in given) or floats
        _, source, line = adapted["origin"]
        self.source, self.first_line = str(source), int(line)
        self.takes_cotangent, self.needs_forward = bool(adapted["takes_cotangent"]), bool(adapted["needs_forward"])
        self.of = self.forward.facts.of
        self.notes: tuple[Message, ...] = tuple(n for n in adapted["notes"] if isinstance(n, Message))
        self.notes += tuple(not_given(wanted, self.wrt, self.forward))
        self.notes += tuple(unenforced(n) for n in self.process.missing)
        giving = [n for n in _GIVING if n in self.imported and n != self.style]
        if giving:
            self.notes += (
                message(
                    "{file} imports {libraries}, which could compute the gradients for it.",
                    file=os.path.basename(self.file),
                    libraries=listed(giving),
                ),
            )

    def replaced(self, line: int, text: str, last: int | None = None) -> RemoteCandidate | None:
        """The same candidate with lines of its file replaced, in the same process; ``None`` where that fails.

        Args:
            line: the first line that is replaced.
            text: what stands there instead.
            last: the last line that is replaced; the first one if not given.
        """
        try:
            if self.text is None:
                with open(self.file, encoding="utf-8", errors="replace") as file:
                    self.text = file.read()
            changed = edited(self.text, line, last or line, text)
            if changed is None or self.failed is not None:
                return None
            reply = self._asked({"kind": "replace", "text": changed})
            other = copy.copy(self)
            other.version, other.text = int(reply["version"]), changed
            _, source, first = reply["origin"]
            other.source, other.first_line = str(source), int(first)
        except (OSError, CandidateError, ScriptError, LookupError, TypeError, ValueError):
            return None
        return other

    # ---- answers
    def answer(self, arguments: Mapping[str, Any], cotangent: Any, *, look: bool = False) -> Answer:
        """Run the candidate once, in its process."""
        return self._run({"kind": "answer", "look": look}, arguments, cotangent, 1)[0]

    def again(self, arguments: Mapping[str, Any], cotangent: Any) -> tuple[Answer, Answer]:
        """Run the candidate twice on the same state, in its process."""
        first, second = self._run({"kind": "again"}, arguments, cotangent, 2)
        return first, second

    def _run(self, request: dict[str, Any], arguments: Mapping[str, Any], cotangent: Any, count: int) -> list[Answer]:
        if self.failed is not None:
            return [Answer(error=self.failed)] * count
        values = self.forward.values(arguments) if self.needs_forward else self.forward.given(arguments)
        sent = {
            **request,
            "version": self.version,
            "values": _sendable(values),
            "cotangent": cotangent,
            "random": _random(),
        }
        try:
            replies = self._asked(sent, self.limits.seconds * count)["answers"]
            answers = [_answer(r) for r in replies]
            if len(answers) != count:
                raise WireError("the answer has not the parts that it should have.")
        except IsolationError as error:
            self.failed = error
            return [Answer(error=error)] * count
        except CandidateError as error:
            return [Answer(error=error)] * count
        except (LookupError, TypeError, ValueError, AttributeError, WireError):
            self.failed = IsolationError(message("what its process sent is no answer"))
            return [Answer(error=self.failed)] * count
        return answers

    def _asked(self, request: dict[str, Any], seconds: float | None = None) -> dict[str, Any]:
        reply = self.process.asked(request, seconds or self.limits.seconds)
        if "refused" in reply:
            raise refused(reply)
        return reply

    def close(self) -> None:
        """End the process."""
        self.process.close()

    def __enter__(self) -> RemoteCandidate:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Process:
    """A worker, and the pipes that lead to it."""

    def __init__(self, limits: Limits, preload: Sequence[str]) -> None:
        self.limits = limits
        self.folder = tempfile.TemporaryDirectory(prefix="chainrule-", ignore_cleanup_errors=True)
        self.printed = 0
        theirs_in, self.requests = os.pipe()
        self.answers, theirs_out = os.pipe()
        folder = self.folder.name
        environment = {n: os.environ[n] for n in _KEPT if n in os.environ}
        environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment |= {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "MPLBACKEND": "Agg"}
        environment |= {"TMPDIR": folder, "HOME": folder, "MPLCONFIGDIR": folder, "JAX_PLATFORMS": "cpu"}
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "chainrule.check.isolation.worker", str(theirs_in), str(theirs_out)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs_in, theirs_out),
                start_new_session=True,
                env=environment,
            )
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self.drain = threading.Thread(target=self._drained, daemon=True)
        self.drain.start()
        begin = {
            "scratch": folder,
            "memory": limits.memory,
            "preload": list(preload),
            "landlock": limits.landlock,
        }
        try:
            self.missing = tuple(str(n) for n in self.asked(begin, _STARTING)["missing"])
        except BaseException:
            self.close()
            raise

    def _drained(self) -> None:
        """Read what is printed, so that printing does not block; end the process where it is too much."""
        assert self.process.stdout is not None
        handle = self.process.stdout.fileno()
        with contextlib.suppress(OSError, ValueError):
            while part := os.read(handle, 1 << 16):
                self.printed += len(part)
                if self.printed > self.limits.output:
                    self.kill()
                    return

    def asked(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            IsolationError: where there is none.
        """
        number = secrets.token_hex(16)
        try:
            write(self.requests, {**request, "number": number}, seconds)
            reply = read(self.answers, seconds)
        except TooLate:
            self.kill()
            text = plural(
                "it took longer than {seconds} second, and was stopped",
                "it took longer than {seconds} seconds, and was stopped",
                1 if seconds == 1 else 2,
                seconds=f"{seconds:g}",
            )
            raise IsolationError(text) from None
        except Ended:
            raise IsolationError(self._ending()) from None
        except WireError as error:
            self.kill()
            raise IsolationError(_disturbed()) from error
        if not isinstance(reply, dict) or reply.get("number") != number:
            self.kill()
            raise IsolationError(_disturbed())
        return reply

    def _ending(self) -> Message:
        if self.printed > self.limits.output:
            return message("it printed more than {size} MiB, and was stopped", size=self.limits.output >> 20)
        try:
            status = self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.kill()
            return message("it closed the checker's own channel, and was stopped")
        if status < 0:
            name = signal.Signals(-status).name if -status in {s.value for s in signal.Signals} else str(-status)
            return message("its process was ended by the system ({signal}); it may have run out of memory", signal=name)
        return message("its process ended itself, with the status {status}", status=status)

    def kill(self) -> None:
        """End the process, and all that it started in its session."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self.process.kill()

    def close(self) -> None:
        """End the process and give back what it had."""
        for handle in (self.requests, self.answers):
            with contextlib.suppress(OSError):
                os.close(handle)
        self.requests = self.answers = -1
        if hasattr(self, "process"):
            self.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5.0)
            self.drain.join(1.0)
            if self.process.stdout is not None:
                self.process.stdout.close()
        self.folder.cleanup()


def _disturbed() -> Message:
    return message("it wrote into the checker's own channel, and was stopped")


def refused(reply: Mapping[str, Any]) -> CandidateError | ScriptError:
    """The error for an answer that says why there is none: the file's own traceback, or what was not understood."""
    text = reply["refused"] if isinstance(reply["refused"], Message) else str(reply["refused"])
    return (ScriptError if reply.get("failed") else CandidateError)(text)


# ---- what is sent, and what came
def _sendable(record: Facts | ForwardValues) -> tuple[Any, ...]:
    if isinstance(record, Facts):
        return astuple(record)
    return tuple(getattr(record, f.name) for f in fields(record))


def _random() -> tuple[Any, int]:
    """The state of NumPy's generator, so that what the candidate draws is what it would draw here."""
    state: Any = np.random.get_state()
    return state[1], int(state[2])


def _answer(reply: Mapping[str, Any]) -> Answer:
    error = None if reply["error"] is None else _error(*reply["error"])
    line = reply["error_line"]
    return Answer(
        {str(n): g for n, g in reply["gradients"].items()},
        tuple(s for s in reply["seen"] if isinstance(s, Seen)),
        error,
        None if line is None else int(line),
        tuple(str(n) for n in reply["changed"]),
        tuple(n for n in reply["notes"] if isinstance(n, Message)),
        reply["output"],
    )


def _error(kind: str, text: Message | str) -> BaseException:
    """An exception of the same name; of the candidate's own kinds, one that bears it."""
    if kind == CandidateError.__name__:
        return CandidateError(text)
    known: Any = getattr(builtins, kind, None)
    if isinstance(known, type) and issubclass(known, BaseException) and not issubclass(known, UnicodeError):
        try:
            made: BaseException = known(str(text))
            return made
        except TypeError:
            pass
    own: type[Exception] = type(kind if kind.isidentifier() else "Failure", (Exception,), {})
    return own(str(text))


def imported(path: str) -> frozenset[str]:
    """The packages that a file imports, read from its text."""
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return frozenset(names)


def unenforced(thing: str) -> Message:
    """What to say about a thing that the system could not enforce."""
    texts = {
        "memory": message("This system could not limit the memory of the candidate."),
        "files": message("This system could not keep the candidate from writing files."),
        "network": message("This system could not keep the candidate from the network."),
        "processes": message("This system could not keep the candidate from starting processes."),
    }
    return texts.get(thing, message("This system could not enforce: {thing}.", thing=thing))
