"""Candidates that are scripts: forward lines, and below them lines that compute gradients under names of their own."""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.check.adapters.naming import gradient_target, gradient_words, short_name
from chainrule.check.adapters.observing import Watcher
from chainrule.check.adapters.replacing import edited
from chainrule.check.adapters.replaying import Replayed, pruned
from chainrule.check.candidate import Answer, CandidateError, Seen
from chainrule.errors import ChainruleError
from chainrule.history import Binding, Chosen, descendants
from chainrule.ir import Const, Program, Var
from chainrule.language import Message, listed, message
from chainrule.names import Namespace
from chainrule.run import run
from chainrule.running import Names
from chainrule.script import trace_script
from chainrule.sizes import plain_number
from chainrule.tape import sync
from chainrule.traced import Traced

__all__ = ["Computed", "ScriptCandidate", "ScriptTrace", "traced_script"]

_LARGEST = 1 << 16
_MOST_SEEN = 4000


@dataclass(frozen=True, slots=True)
class Computed:
    """A value that the script gave a name.

    Attributes:
        name: the name.
        line: the line.
        number: the variable of the program; -1 for what is no array of it.
        value: what is no array of the program, which is the same whatever the arrays are.
        frame: the call that it belongs to; 0 for the script's top level.
        given: whether it was given to that call.
    """

    name: str
    line: int
    number: int
    value: Any = None
    frame: int = 0
    given: bool = False


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
        seen: what the script and its functions gave names, in order, where that was wanted.
        notes: what the reader should know.
        source: the text of the file.
        failed: whether the script fails behind its gradients.
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
    failed: bool = False


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
        if self.is_enough():
            raise SystemExit(0)

    def is_enough(self) -> bool:
        """Whether gradients have been computed since the result was."""
        history = self.history
        self.scan_all()  # what objects hold has changed unseen
        before = [n for n, held in history.bindings.items() if held[0].evaluations == 0]
        since = [n for n, held in history.bindings.items() if held[-1].evaluations > 0]
        return any(_target_of(n, before) is not None for n in since)


class _Watcher(Watcher):
    """Notes which variables of the tape the script's names stand for."""

    kinds = (Traced, *Watcher.kinds)

    def kept(self, value: Any) -> Any:
        """The number of a variable of the tape; of anything else a copy."""
        if isinstance(value, Traced):
            sync(value)
            return _Variable(value.variable, len(value.tape.values))
        return plain_number(value) if isinstance(value, int) else super().kept(value)

    def is_kept(self, kept: Any, value: Any) -> bool:
        """Whether an array has not been written into."""
        if isinstance(value, Traced):
            sync(value)
            return isinstance(kept, _Variable) and kept.number == value.variable
        return super().is_kept(kept, value)


@dataclass(frozen=True, slots=True)
class _Variable:
    number: int
    written: int  # how many variables there were


def traced_script(
    path: str,
    of: str | None = None,
    wrt: Sequence[str] | None = None,
    *,
    index: Sequence[int] | None = None,
    look: bool = False,
) -> ScriptTrace:
    """Run a script, and find its result and what it takes for the gradients of it.

    Args:
        path: the file.
        of: the name of the result.
        wrt: the arrays whose gradients are judged; all for which there are gradients, if not given.
        index: the element of the result that is meant.
        look: whether what its names stand for is wanted, line by line, which is slower.

    Raises:
        ScriptError: where the script fails; the message is its own traceback.
        CandidateError: where it computes no gradients.
        ChainruleError: where it cannot be followed.
    """
    found: list[Any] = []
    watcher = _Watcher(frozenset([path.partition("::")[0]])) if look else None

    def gradients_in(names: Names, chosen: Chosen) -> list[int]:
        matched = _matched(names, chosen)
        seen = [] if watcher is None else _seen(watcher, names, chosen, matched.values())
        found[:] = [matched, seen, names.failed]
        return [*(c.number for c in matched.values()), *(c.number for c in seen if c.number >= 0)]

    before = sys.gettrace()
    try:
        if watcher is not None:
            sys.settrace(watcher.enter)
        followed = trace_script(path, of, wrt, index=index, kind=_FirstTurn, everything=True, others=gradients_in)
    finally:
        if watcher is not None:
            sys.settrace(before)
    gradients, seen, failed = found
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
    every = [*gradients.values(), *seen]
    numbers = dict.fromkeys(c.number for c in every if c.number >= 0)
    call = followed.call
    call.outputs = [*call.outputs[:1], *(Traced(tape, n, tape.values[n], True) for n in numbers)]
    program = followed.program()
    with open(path.partition("::")[0], encoding="utf-8", errors="replace") as file:
        source = file.read()
    notes = [message("{note}", note=n) for n in followed.notes]
    if missing and wrt is None:
        notes.append(
            message(
                "Judged: {judged}. No gradient was found of {missing}.",
                judged=listed(f"{_quoted(c.name, source)} ({_quoted(n, source)})" for n, c in gradients.items()),
                missing=listed(_quoted(n, source) for n in missing),
            )
        )
    return ScriptTrace(
        path, followed.title, program, followed.names, tuple(tape.values[v] for v in followed.variables),
        gradients, tuple(seen), tuple(notes), source, failed,
    )  # fmt: skip


def _seen(watcher: _Watcher, names: Names, chosen: Chosen, gradients: Iterable[Computed]) -> list[Computed]:
    """What names stood for until all gradients were there: arrays that depend on the chosen ones or are not computed.

    What was there when the result was computed is given to the lines below it.
    """
    tape, result = names.history.tape, names.history.evaluations[-1]
    roots = set(chosen.variables.values())
    made = {v for step in tape.steps for v in (step[3] if type(step[3]) is tuple else (step[3],))}
    wanted = descendants(tape, roots)
    last, ends = {c.number for c in gradients}, list[int]()
    for k, s in enumerate(watcher.seen):
        if isinstance(s.value, _Variable) and s.value.number in last and not s.frame:
            last.remove(s.value.number)
            ends.append(k)
    found = []
    for s in watcher.seen[: max(ends, default=-1) + 1]:  # what comes then belongs to the next turn
        held = s.value
        if not isinstance(held, _Variable):
            found.append(Computed(s.name, s.line, -1, held, s.frame, not s.text))
        elif held.number in wanted or held.number not in made:
            given = not s.text or held.written <= result + 1
            found.append(Computed(s.name, s.line, held.number, None, s.frame, given))
    return found[-_MOST_SEEN:]


def _matched(names: Names, chosen: Chosen) -> dict[str, Computed]:
    """Per array the variable that holds its gradient: as it was before the array was updated with it."""
    bindings = names.history.bindings
    named = {t: t for t in chosen.variables}
    own_names = {v: t for t, v in chosen.variables.items()}
    for name, held in bindings.items():  # (W1, b1), (W2, b2) = layers
        first = {b.variable for b in held if b.evaluations == 0}
        if name.isidentifier() and len(first) == 1 and first <= own_names.keys():
            named.setdefault(name, own_names[first.pop()])
    targets = list(named)
    found: dict[str, tuple[int, Computed]] = {}
    for name, held in bindings.items():
        meant = _target_of(name, targets)
        if meant is None or name in targets:
            continue
        target = named[meant]
        own = chosen.variables[target]
        updated = min((b.variable for b in bindings[target] if b.variable > own), default=None)
        fitting = [b for b in held if b.variable > own and (updated is None or b.variable < updated)]
        if not fitting:
            continue
        last: Binding = fitting[-1]
        rank = gradient_words(name)
        if target not in found or rank < found[target][0]:
            found[target] = (rank, Computed(name, last.line, last.variable))
    return {n: found[n][1] for n in chosen.variables if n in found}


def _target_of(name: str, targets: Sequence[str]) -> str | None:
    """The array that a name says to hold the gradient of: ``W[0]`` for ``dW[0]``, ``params['W1']`` for ``dW1``."""
    holder = _holder(name)  # layer["dW"] stands beside layer["W"]
    inside = {short_name(t): t for t in targets if holder and _holder(t) == holder}
    found = gradient_target(short_name(name), list(inside), strict=True, similar=False)
    if found is not None:
        return inside[found]
    head, ending = _split(name)
    if ending:
        same = {h: t for t in targets for h, e in [_split(t)] if e == ending}
        found = gradient_target(head, list(same), strict=True, similar=False)
        if found is None and len(same) == 1 and head in _LISTS:
            (found,) = same
        return None if found is None else same[found]
    short: dict[str, list[str]] = {}
    for t in targets:
        if not _split(t)[1]:
            short.setdefault(short_name(t), []).append(t)
    found = gradient_target(name, list(short), strict=True, similar=False)
    return short[found][0] if found is not None and len(short[found]) == 1 else None


_LISTS = frozenset(("grad", "grads", "gradients"))


def _holder(name: str) -> str:
    """What holds an array that is an attribute or a value of a dict; nothing for a variable."""
    found = re.fullmatch(r"(.+)(?:\.\w+|\['\w+'\])", name)
    return found[1] if found else ""


def _split(name: str) -> tuple[str, str]:
    """A name, and the positions in lists behind it."""
    found = re.fullmatch(r"(.*?)((?:\[\d+\](?:\['\w+'\])?)*)", name)
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
        self.spelled = {p: _quoted(n, trace.source) for n, p in self.parameters.items() if n != p}
        self.lines = trace.source.splitlines()

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

    def again(self, arguments: Mapping[str, Any], cotangent: Any) -> tuple[Answer, Answer]:
        """A script keeps nothing from one run to the next."""
        first = self.answer(arguments, cotangent)
        return first, first

    def _text(self, line: int) -> str:
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""


def _quoted(name: str, source: str) -> str:
    """How a script writes what it reaches: ``params["W1"]``."""
    other = name.replace("'", '"')
    return other if other in source or "['" not in source else name


def _parameter(name: str) -> str:
    """A name for a parameter: ``params_W1`` for ``params['W1']``."""
    return name if name.isidentifier() else re.sub(r"\W+", "_", name).strip("_") or "array"


def _size_of(x: Var | Const) -> int:
    return math.prod(x.shape) if isinstance(x, Var) else int(np.size(x.value))


def _like(x: Any, example: Any) -> Any:
    return np.asarray(x) if isinstance(example, np.ndarray) else x
