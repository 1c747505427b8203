"""Candidates that are scripts: forward lines, and below them lines that compute gradients under names of their own."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.check.adapters.naming import gradient_target, gradient_words, short_name
from chainrule.check.adapters.replacing import edited
from chainrule.check.adapters.replaying import Replayed, pruned
from chainrule.check.candidate import Answer, CandidateError, Seen
from chainrule.errors import ChainruleError
from chainrule.history import Binding, Chosen
from chainrule.indexing import add_item, set_item
from chainrule.ir import Program, Var
from chainrule.language import Message, listed, message
from chainrule.names import Namespace
from chainrule.positions import locate
from chainrule.run import run
from chainrule.running import Names
from chainrule.script import trace_script
from chainrule.traced import Traced

__all__ = ["Computed", "ScriptCandidate", "ScriptTrace", "traced_script"]

_LARGEST = 1 << 16
_MOST_SEEN = 4000


@dataclass(frozen=True, slots=True)
class Computed:
    """A value that the script gave a name, behind its result.

    Attributes:
        name: the name.
        line: the line.
        number: the variable of the program.
    """

    name: str
    line: int
    number: int


@dataclass(frozen=True, slots=True)
class ScriptTrace:
    """What a script computed: its result, and what it takes for gradients.

    Attributes:
        path: the file.
        title: the result.
        program: the steps from the arrays on; its first output is the result, the others are what is named below.
        names: what the arrays are called in the script.
        values: the arrays.
        gradients: per name of an array the variable that holds its gradient.
        seen: what else the script gave names behind its result.
        notes: what the reader should know.
        source: the text of the file.
    """

    path: str
    title: str
    program: Program
    names: tuple[str, ...]
    values: tuple[Any, ...]
    gradients: Mapping[str, Computed]
    seen: tuple[Computed, ...]
    notes: tuple[Message, ...]
    source: str


class _FirstTurn(Names):
    """The names of a script that ends where a training loop would compute its result again.

    The gradients that count are those of the first turn, before the arrays were updated.
    """

    def before_binding(self, name: str) -> None:
        """End the script where its result is computed again, and gradients have been since."""
        history = self.history
        root = re.split(r"[\[.]", history.result)[0]
        if name != root or not history.evaluations:
            return
        self.scan_all()  # what objects hold has changed unseen
        before = [n for n, held in history.bindings.items() if held[0].evaluations == 0]
        since = [n for n, held in history.bindings.items() if held[-1].evaluations > 0]
        if any(_target_of(n, before) is not None for n in since):
            raise SystemExit(0)


def traced_script(
    path: str, of: str | None = None, wrt: Sequence[str] | None = None, *, index: Sequence[int] | None = None
) -> ScriptTrace:
    """Run a script, and find its result and what it takes for the gradients of it.

    Args:
        path: the file.
        of: the name of the result.
        wrt: the arrays whose gradients are judged; all for which there are gradients, if not given.
        index: the element of the result that is meant.

    Raises:
        ScriptError: where the script fails; the message is its own traceback.
        CandidateError: where it computes no gradients.
        ChainruleError: where it cannot be followed.
    """
    found: list[Any] = []

    def gradients_in(names: Names, chosen: Chosen) -> list[int]:
        matched = _matched(names, chosen)
        result = names.history.evaluations[-1]
        seen = [
            Computed(name, b.line, b.variable)
            for name, bindings in names.history.bindings.items()
            for b in bindings
            if b.variable > result and b.line
        ]
        seen += _written_into(names)
        seen = sorted(seen, key=lambda c: c.number)[:_MOST_SEEN]
        found[:] = [matched, seen]
        return [*(c.number for c in matched.values()), *(c.number for c in seen)]

    followed = trace_script(path, of, wrt, index=index, kind=_FirstTurn, everything=True, others=gradients_in)
    gradients, seen = found
    missing = [n for n in followed.names if n not in gradients]
    if not gradients or (wrt and missing):
        raise CandidateError(
            message(
                "the script computes no gradient of {names} that could be recognised by its name.\n"
                "  Instead: call it d{example}, grad_{example} or {example}_grad.",
                names=listed(missing),
                example=short_name(missing[0]),
            )
        )
    tape = followed.tape
    numbers = dict.fromkeys([*(c.number for c in gradients.values()), *(c.number for c in seen)])
    call = followed.call
    call.outputs = [*call.outputs[:1], *(Traced(tape, n, tape.values[n], True) for n in numbers)]
    program = followed.program()
    notes = [message("{note}", note=n) for n in followed.notes]
    if missing and wrt is None:
        notes.append(
            message(
                "Judged: {judged}. No gradient was found of {missing}.",
                judged=listed(f"{c.name} ({n})" for n, c in gradients.items()),
                missing=listed(missing),
            )
        )
    with open(path.partition("::")[0], encoding="utf-8", errors="replace") as file:
        source = file.read()
    return ScriptTrace(
        path, followed.title, program, followed.names, tuple(tape.values[v] for v in followed.variables),
        gradients, tuple(seen), tuple(notes), source,
    )  # fmt: skip


def _written_into(names: Names) -> list[Computed]:
    """What arrays with names hold after lines that write into them, behind the result; of a loop the last turn."""
    history = names.history
    written: dict[int, tuple[int, int]] = {}  # what a variable became, and on which line
    for operation, inputs, _, output, code, offset in history.tape.steps:
        if operation.function in (set_item, add_item) and type(inputs[0]) is int and code is not None:
            written[inputs[0]] = output, locate(code, offset).line
    found: list[Computed] = []
    for name, held in history.bindings.items():
        for k, binding in enumerate(held):
            end = held[k + 1].variable if k + 1 < len(held) and held[k + 1].line else len(history.tape.values)
            variable, own = binding.variable, list[Computed]()
            while variable in written and written[variable][0] < end:
                variable, line = written[variable]
                if own and own[-1].line == line:
                    own.pop()
                own.append(Computed(name, line, variable))
            found += own
    return [c for c in dict.fromkeys(found) if c.number > history.evaluations[-1]]


def _matched(names: Names, chosen: Chosen) -> dict[str, Computed]:
    """Per array the variable that holds its gradient: as it was before the array was updated with it."""
    bindings = names.history.bindings
    targets = list(chosen.variables)
    found: dict[str, tuple[int, Computed]] = {}
    for name, held in bindings.items():
        target = _target_of(name, targets)
        if target is None or name in targets:
            continue
        own = chosen.variables[target]
        updated = min((b.variable for b in bindings[target] if b.variable > own), default=None)
        fitting = [b for b in held if b.variable > own and (updated is None or b.variable < updated)]
        if not fitting:
            continue
        last: Binding = fitting[-1]
        rank = gradient_words(name)
        if target not in found or rank < found[target][0]:
            found[target] = (rank, Computed(name, last.line, last.variable))
    return {n: found[n][1] for n in targets if n in found}


def _target_of(name: str, targets: Sequence[str]) -> str | None:
    """The array that a name says to hold the gradient of: ``W[0]`` for ``dW[0]``, ``params['W1']`` for ``dW1``."""
    head, ending = _split(name)
    if ending:
        same = {h: t for t in targets for h, e in [_split(t)] if e == ending}
        found = gradient_target(head, list(same), strict=True, similar=False)
        return None if found is None else same[found]
    short: dict[str, list[str]] = {}
    for t in targets:
        if not _split(t)[1]:
            short.setdefault(short_name(t), []).append(t)
    found = gradient_target(name, list(short), strict=True, similar=False)
    return short[found][0] if found is not None and len(short[found]) == 1 else None


def _split(name: str) -> tuple[str, str]:
    """A name, and the positions in lists behind it."""
    found = re.fullmatch(r"(.*?)((?:\[\d+\])*)", name)
    assert found is not None
    return found[1], found[2]


class ScriptCandidate:
    """The gradients of a script as a candidate, and its forward lines as the function that they belong to.

    Args:
        trace: what it computed.
        tracer: what runs it again with a line replaced, where it was run the first time.

    Attributes:
        forward: the forward function, with the arrays as parameters.
        args: the arrays.
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
        self.lines = trace.source.splitlines()
        self._by_number = trace.program.by_number()

    def answer(self, arguments: Mapping[str, Any], cotangent: Any, *, look: bool = False) -> Answer:
        """The gradients as the script's lines compute them from other arrays."""
        trace = self.trace
        wanted = {n: c.number for n, c in trace.gradients.items()}
        looked = [c for c in trace.seen if look and np.size(self._value_of(c)) <= _LARGEST]
        numbers = list(dict.fromkeys([*wanted.values(), *(c.number for c in looked)]))
        outputs = tuple(self._by_number[n] for n in numbers)
        program = pruned(trace.program, outputs)
        inputs = [_like(arguments[p], x) for p, x in zip(self.args, trace.values, strict=True)]
        try:
            found = dict(zip(numbers, run(program, inputs), strict=True))
        except Exception as error:  # whatever the lines lead to on other arrays
            return Answer(error=error)
        gradients = {self.parameters[n]: np.multiply(found[k], cotangent) for n, k in wanted.items()}
        seen = tuple(Seen(c.name, c.line, found[c.number], self._text(c.line)) for c in looked)
        return Answer({n: np.array(g) for n, g in gradients.items()}, seen)

    def replaced(self, line: int, text: str, last: int | None = None) -> ScriptCandidate | None:
        """The same script with lines replaced, run from its beginning; ``None`` where that fails.

        Args:
            line: the first line that is replaced.
            text: what stands there instead.
            last: the last line that is replaced; the first one if not given.
        """
        changed = edited(self.source, line, last or line, text)
        if changed is None:
            return None
        _, mark, inside = self.trace.path.partition("::")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, os.path.basename(self.file))
            with open(path, "w", encoding="utf-8") as file:
                file.write(changed)
            try:
                asked = list(self.trace.gradients) if len(self.args) == len(self.trace.gradients) else None
                with contextlib.redirect_stdout(io.StringIO()):
                    found = self.tracer(path + mark + inside, self.trace.title, asked)
            except ChainruleError:
                return None
        other = ScriptCandidate(found, self.tracer)
        return other if other.args.keys() == self.args.keys() else None

    def again(self, arguments: Mapping[str, Any], cotangent: Any) -> tuple[Answer, Answer]:
        """A script keeps nothing from one run to the next."""
        first = self.answer(arguments, cotangent)
        return first, first

    def _value_of(self, computed: Computed) -> Any:
        x = self._by_number[computed.number]
        return np.empty(x.shape, bool) if isinstance(x, Var) else x.value

    def _text(self, line: int) -> str:
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""


def _parameter(name: str) -> str:
    """A name for a parameter: ``params_W1`` for ``params['W1']``."""
    return name if name.isidentifier() else re.sub(r"\W+", "_", name).strip("_") or "array"


def _like(x: Any, example: Any) -> Any:
    return np.asarray(x) if isinstance(example, np.ndarray) else x
