"""What a script computes: forward lines, and below them lines that compute gradients under names of their own."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.check.adapters.naming import gradient_target, gradient_words, short_name
from chainrule.check.adapters.observing import Watcher
from chainrule.check.candidate import CandidateError
from chainrule.history import Binding, Chosen, descendants
from chainrule.ir import Program
from chainrule.language import Message, listed, message
from chainrule.running import Names
from chainrule.script import script_tree, trace_script
from chainrule.sizes import plain_number
from chainrule.tape import sync
from chainrule.traced import Traced

__all__ = ["Computed", "ScriptTrace", "quoted", "traced_script"]

_LARGEST = 1 << 16
_MOST_SEEN = 4000
_A_GRADIENT = 2  # a name that says less is that of something else


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

    parameters = frozenset((*_with_gradients(path), *(wrt or ())))

    def first_turn(*given: Any) -> Names:
        names = _FirstTurn(*given)
        names.scalars = parameters
        return names

    before = sys.gettrace()
    try:
        if watcher is not None:
            sys.settrace(watcher.enter)
        followed = trace_script(path, of, wrt, index=index, kind=first_turn, everything=True, others=gradients_in)
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
                judged=listed(f"{quoted(c.name, source)} ({quoted(n, source)})" for n, c in gradients.items()),
                missing=listed(quoted(n, source) for n in missing),
            )
        )
    return ScriptTrace(
        path, followed.title, program, followed.names, tuple(tape.values[v] for v in followed.variables),
        gradients, tuple(seen), tuple(notes), source, failed,
    )  # fmt: skip


def _with_gradients(path: str) -> frozenset[str]:
    """The names for which a script has one of a gradient: ``b = 0.0`` is a parameter where there is a ``db``."""
    stored = [n.id for n in ast.walk(script_tree(path)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    names = list(dict.fromkeys(stored))
    return frozenset(filter(None, (_target_of(name, names) for name in names)))


def _seen(watcher: _Watcher, names: Names, chosen: Chosen, gradients: Iterable[Computed]) -> list[Computed]:
    """What names stood for until all gradients were there: arrays that depend on the chosen ones or are not computed.

    What was there when the result was computed is given to the lines below it.
    """
    tape, result = names.history.tape, names.history.evaluations[-1]
    roots = set(chosen.variables.values())
    outputs = [(s[0].kind == "constant", s[3] if type(s[3]) is tuple else (s[3],)) for s in tape.steps]
    made = {v for _, own in outputs for v in own}
    plain = {v for is_constant, own in outputs for v in own if is_constant}  # zeros that gradients are to be added to
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
        elif (
            held.number in wanted
            or held.number not in made
            or (held.number in plain and gradient_words(s.name) < _A_GRADIENT)
        ):
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


def quoted(name: str, source: str) -> str:
    """How a script writes what it reaches: ``params["W1"]``."""
    other = name.replace("'", '"')
    return other if other in source or "['" not in source else name
