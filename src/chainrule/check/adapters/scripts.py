"""Candidates that are scripts: their forward lines are the function that their gradients belong to."""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.check.adapters.plain_runs import plain_gradients
from chainrule.check.adapters.replacing import edited
from chainrule.check.adapters.replaying import Replayed, pruned
from chainrule.check.adapters.script_traces import ScriptTrace, quoted, traced_script
from chainrule.check.candidate import Answer, Seen
from chainrule.errors import ChainruleError
from chainrule.ir import Const, Var
from chainrule.language import Message
from chainrule.names import Namespace
from chainrule.run import run

__all__ = ["ScriptCandidate"]

_LARGEST = 1 << 16  # elements of an array that is shown


class ScriptCandidate:
    """The gradients of a script as a candidate, and its forward lines as the function that they belong to.

    Args:
        trace: what it computed.
        tracer: what runs it again with a line replaced, where it was run the first time.

    Attributes:
        forward: the forward function, with the arrays as parameters.
        args: the arrays.
        failed: whether the script fails behind its gradients, which is then not right.
        spelled: per name of an array that is not the script's own, how the script writes it.
    """

    style = "script"
    resizable = False
    takes_cotangent = True

    def __init__(self, trace: ScriptTrace, tracer: Callable[..., ScriptTrace] = traced_script) -> None:
        self.tracer = tracer
        self.of: int | None = None
        self.trace = trace
        self.file, _, _ = trace.path.partition("::")
        self.name = os.path.basename(trace.path)
        self.source, self.first_line = trace.source, 1
        space = Namespace()
        self.parameters = {n: space.claim(_parameter(n)) for n in trace.names}
        self.wrt = tuple(self.parameters[n] for n in trace.gradients)
        self.args = {self.parameters[n]: x for n, x in zip(trace.names, trace.values, strict=True)}
        forward = pruned(trace.program, trace.program.outputs[:1])
        title = trace.title if trace.title.isidentifier() else "result"
        self.forward = Replayed(forward, list(self.parameters.values()), title, self.file)
        self.notes: tuple[Message, ...] = trace.notes
        self.failed = trace.failed
        self.spelled = {p: quoted(n, trace.source) for n, p in self.parameters.items() if n != p}
        self.lines = trace.source.splitlines()
        self._plain: bool | None = False if "::" in trace.path else None  # whether a plain run gives the same

    def answer(self, arguments: Mapping[str, Any], cotangent: Any, *, look: bool = False) -> Answer:
        """The gradients as the script's lines compute them from other arrays."""
        trace = self._looked if look else self.trace
        known = trace.program.by_number()
        wanted = {n: c.number for n, c in trace.gradients.items()}
        looked = [c for c in trace.seen if c.number < 0 or _size_of(known[c.number]) <= _LARGEST]
        numbers = list(dict.fromkeys([*wanted.values(), *(c.number for c in looked if c.number >= 0)]))
        program = pruned(trace.program, tuple(known[n] for n in numbers))
        inputs = [_like(arguments[p], x) for p, x in zip(self.args, trace.values, strict=True)]
        try:
            found = dict(zip(numbers, run(program, inputs), strict=True))
        except Exception as error:  # whatever the lines lead to on other arrays
            return Answer(error=error)
        gradients = {self.parameters[n]: np.multiply(found[k], cotangent) for n, k in wanted.items()}
        seen = tuple(
            Seen(c.name, c.line, found.get(c.number, c.value), "" if c.given else self._text(c.line), c.frame)
            for c in looked
        )
        return Answer({n: np.array(g) for n, g in gradients.items()}, seen)

    @cached_property
    def _looked(self) -> ScriptTrace:
        """The script traced once more, with what its names stand for; the first trace where that fails."""
        found = self._traced(self.source, True)
        same = found is not None and (found.names, found.gradients.keys()) == (
            self.trace.names,
            self.trace.gradients.keys(),
        )
        return found if found is not None and same else self.trace

    def replaced(self, line: int, text: str, last: int | None = None) -> ScriptCandidate | None:
        """The same script with lines replaced, run from its beginning; ``None`` where that fails.

        Args:
            line: the first line that is replaced.
            text: what stands there instead.
            last: the last line that is replaced; the first one if not given.
        """
        changed = edited(self.source, line, last or line, text)
        found = None if changed is None else self._traced(changed, False)
        other = None if found is None else ScriptCandidate(found, self.tracer)
        return other if other is not None and other.args.keys() == self.args.keys() else None

    def _traced(self, source: str, look: bool) -> ScriptTrace | None:
        """A script with this text, traced; ``None`` where that fails."""
        _, mark, inside = self.trace.path.partition("::")
        asked = list(self.trace.gradients) if len(self.args) == len(self.trace.gradients) else None
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, os.path.basename(self.file))
            with open(path, "w", encoding="utf-8") as file:
                file.write(source)
            try:
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    return self.tracer(path + mark + inside, self.trace.title, asked, look=look)
            except ChainruleError:
                return None

    def plainly(self, line: int, text: str, last: int) -> Mapping[str, Any] | None:
        """The gradients of the script's own arrays with lines replaced, by a run that is not traced.

        Args:
            line: the first line that is replaced.
            text: what stands there instead.
            last: the last line that is replaced.

        Returns:
            No gradients where it fails; ``None`` where a plain run does not give what the trace says.
        """
        if self._plain is None:
            own = self._run_plainly(self.source)
            traced = self.answer(self.args, 1.0).gradients
            self._plain = own.keys() == traced.keys() and all(
                np.shape(x) == np.shape(traced[n]) and np.allclose(x, traced[n], rtol=1e-9) for n, x in own.items()
            )
        changed = edited(self.source, line, last, text) if self._plain else None
        return None if not self._plain else {} if changed is None else self._run_plainly(changed)

    def _run_plainly(self, source: str) -> Mapping[str, Any]:
        names = {self.parameters[n]: c.name for n, c in self.trace.gradients.items()}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, os.path.basename(self.file))
            with open(path, "w", encoding="utf-8") as file:
                file.write(source)
            try:
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    return getattr(self.tracer, "plain", plain_gradients)(path, self.trace.title, names)
            except (Exception, SystemExit):  # whatever the changed line leads to
                return {}

    def again(self, arguments: Mapping[str, Any], cotangent: Any) -> tuple[Answer, Answer]:
        """A script keeps nothing from one run to the next."""
        first = self.answer(arguments, cotangent)
        return first, first

    def _text(self, line: int) -> str:
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""


def _parameter(name: str) -> str:
    """A name for a parameter: ``params_W1`` for ``params['W1']``."""
    return name if name.isidentifier() else re.sub(r"\W+", "_", name).strip("_") or "array"


def _size_of(x: Var | Const) -> int:
    return math.prod(x.shape) if isinstance(x, Var) else int(np.size(x.value))


def _like(x: Any, example: Any) -> Any:
    return np.asarray(x) if isinstance(example, np.ndarray) else x
