"""Mistakes planted in an exact backward pass, so that it can be seen whether the check finds them.

This knows nothing of how the check explains a candidate: the mistakes are made in the steps as they are differentiated,
by what people get wrong, and are named by what the vocabulary has for that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.backward import Backward, backward_of
from chainrule.check.candidate import Answer
from chainrule.check.mistakes import edits_of
from chainrule.check.planting import Edit, Pass
from chainrule.errors import ChainruleError
from chainrule.ir import Program, Var
from chainrule.language import Message, message
from chainrule.run import run
from chainrule.sizes import plain_number
from chainrule.trees import flatten

__all__ = ["BEHAVIOURS", "Mutant", "mutants"]

_SAME = 1e-9  # how near two gradients are that are called the same
_APART = 1e-6  # how far from the exact one a gradient is that is called wrong
_FAILED: list[Any] = []  # stands for the gradients of a mistake that fails

# What is wrong with a candidate and not with its formula.
BEHAVIOURS = (
    "mutates_input",
    "mutates_upstream",
    "state_leak",
    "int_truncation",
    "swapped_outputs",
    "missing_upstream",
    "resampled_mask",
)


@dataclass(eq=False)
class Mutant:
    """A candidate with one mistake that was planted.

    Attributes:
        kind: the word for what was planted.
        kinds: the words that name it; of mistakes that give the same gradients, those of all.
        steps: the names that the forward function assigns where it was planted; empty where it has no names there.
        line: the line of the forward function where it was planted.
        text: what was done.
        forward: the forward function.
        names: of its arguments.
        wrt: as for a candidate.
        wrong: the gradients that are wrong on the example; none where only the behaviour is.
        edit: what is done to the steps; ``None`` for a mistake that is none of the formula.
        behaviour: the word of :data:`BEHAVIOURS`, for such a mistake.
        nothing: the terms that it leaves out because they are nothing but rounding.
    """

    kind: str
    kinds: frozenset[str]
    steps: frozenset[str]
    line: int | None
    text: str
    forward: Callable[..., Any]
    names: tuple[str, ...]
    wrt: tuple[str, ...]
    wrong: tuple[str, ...] = ()
    edit: Edit | None = None
    behaviour: str = ""
    nothing: tuple[tuple[int, int], ...] = ()
    style: str = "function"
    file: str = ""
    source: str = ""
    first_line: int = 1
    resizable: bool = True
    of: int | None = None
    takes_cotangent: bool = True
    notes: tuple[Message, ...] = ()
    name: str = "the exact backward pass with a mistake"

    def answer(self, arguments: Mapping[str, Any], cotangent: Any, *, look: bool = False) -> Answer:
        """Its gradients; derived anew from the forward function, so that it works for any sizes."""
        return self._answers(arguments, cotangent, 1)[0]

    def again(self, arguments: Mapping[str, Any], cotangent: Any) -> tuple[Answer, Answer]:
        """Two answers on the same state."""
        first, second = self._answers(arguments, cotangent, 2)
        return first, second

    def _answers(self, arguments: Mapping[str, Any], cotangent: Any, count: int) -> list[Answer]:
        values = [arguments[name] for name in self.names]
        try:
            if self.behaviour == "missing_upstream":
                cotangent = _ones_like(cotangent)
            exact = backward_of(self.forward, values, [self.names.index(name) for name in self.wrt])
            program = exact.program if self.edit is None else self.edit.applied(Pass(exact, self.nothing))
            found = _gradients(exact, program, values, cotangent)
        except Exception as error:  # a mistake that does not fit these sizes fails as a person's code would
            return [Answer(error=error)] * count
        return [self._behaving(dict(zip(self.wrt, found, strict=True)), turn) for turn in range(count)]

    def _behaving(self, gradients: dict[str, Any], turn: int) -> Answer:
        behaviour = self.behaviour
        changed: tuple[str, ...] = ()
        if behaviour == "mutates_input":
            changed = (self.wrt[0],)
        elif behaviour == "mutates_upstream":
            changed = ("grad_output",)
        elif behaviour == "state_leak":
            gradients = {name: (turn + 1) * np.asarray(g) for name, g in gradients.items()}
        elif behaviour == "int_truncation":
            gradients = {name: np.trunc(np.asarray(g)).astype(int) for name, g in gradients.items()}
        elif behaviour == "swapped_outputs":
            a, b = self.wrong
            gradients = gradients | {a: gradients[b], b: gradients[a]}
        elif behaviour == "resampled_mask":
            draw = np.random.default_rng()
            gradients = {name: np.asarray(g) * 2 * (draw.random(np.shape(g)) < 0.5) for name, g in gradients.items()}
        return Answer(gradients, changed=changed)


@dataclass(frozen=True)
class _Shared:
    """What the mutants of one function have in common."""

    forward: Callable[..., Any]
    names: tuple[str, ...]
    wrt: tuple[str, ...]
    nothing: tuple[tuple[int, int], ...]

    def mutant(
        self,
        kind: str,
        kinds: frozenset[str],
        steps: frozenset[str],
        line: int | None,
        text: str,
        wrong: tuple[str, ...],
        edit: Edit | None,
        behaviour: str = "",
    ) -> Mutant:
        """One of them."""
        who = (self.forward, self.names, self.wrt)
        return Mutant(kind, kinds, steps, line, text, *who, wrong, edit, behaviour, self.nothing)


def mutants(forward: Callable[..., Any], args: Sequence[Any], names: Sequence[str], most: int = 0) -> Iterator[Mutant]:
    """Every mistake that can be planted in the backward pass of a function, each as a candidate that has it.

    Mistakes that give the same gradients are one, since nobody could tell them apart; those that change nothing are
    left out.

    Args:
        forward: the forward function.
        args: an example of its arguments.
        names: their names.
        most: how many edits are tried, of as many kinds as there are; all of them if 0.

    Raises:
        ChainruleError: where the function cannot be followed.
    """
    wrt = tuple(name for name, value in zip(names, args, strict=True) if _is_floating(value))
    exact = backward_of(forward, args, [tuple(names).index(name) for name in wrt])
    draw = np.random.default_rng(7)
    cotangent = _like(exact, draw)
    right = _gradients(exact, exact.program, args, cotangent)
    nothing = _nothing(exact, args, cotangent)
    groups: list[tuple[list[Any], list[Edit], tuple[str, ...]]] = []
    edits = list(edits_of(Pass(exact)))
    if most and len(edits) > most:
        edits = _varied(edits, most)
    for edit in edits:
        try:
            found = _gradients(exact, edit.applied(Pass(exact, nothing)), args, cotangent)
        except Exception:
            if "missing_transpose" in edit.kinds and not any(
                g[0] is _FAILED and edit.steps == g[1][0].steps for g in groups
            ):
                groups.append((_FAILED, [edit], wrt))  # the shapes do not fit, as they mostly do not
            continue
        wrong = tuple(n for n, a, b in zip(wrt, found, right, strict=True) if not _near(a, b, _APART))
        if not wrong or not all(np.all(np.isfinite(a)) for a in found):
            continue
        same = next((g for g in groups if g[0] is not _FAILED and all(map(_near, g[0], found))), None)
        if same is None:
            groups.append((found, [edit], wrong))
        else:
            same[1].append(edit)
    shared = _Shared(forward, tuple(names), wrt, nothing)
    for _, alike, wrong in groups:
        kinds = frozenset(word for edit in alike for word in edit.kinds)
        steps = frozenset(step for edit in alike for step in edit.steps)
        anywhere = any(not edit.steps for edit in alike)
        places = frozenset[str]() if anywhere else steps
        first = alike[0]
        yield shared.mutant(first.kinds[0], kinds, places, first.line, first.text, wrong, first)
    yield from _behaving(exact, right, cotangent, shared)


def _varied(edits: Sequence[Edit], most: int) -> list[Edit]:
    """Some edits, in their order: first one of each kind, then a second one of each, and so on."""
    met = Counter[str]()
    turns = []
    for place, edit in enumerate(edits):
        turns.append((met[edit.text], place))
        met[edit.text] += 1
    return [edits[place] for _, place in sorted(sorted(turns)[:most], key=lambda turn: turn[1])]


def _behaving(exact: Backward, right: Sequence[Any], cotangent: Any, shared: _Shared) -> Iterator[Mutant]:
    wrt = shared.wrt
    twins = [
        (a, b)
        for i, a in enumerate(wrt)
        for j, b in enumerate(wrt)
        if i < j and np.shape(right[i]) == np.shape(right[j]) and not _near(right[i], right[j], _APART)
    ]
    for word in BEHAVIOURS:
        wrong: tuple[str, ...] = ()
        if word in ("mutates_upstream", "missing_upstream") and not np.ndim(cotangent):
            continue
        if word == "swapped_outputs":
            if not twins:
                continue
            wrong = twins[0]
        elif word in ("int_truncation", "missing_upstream", "resampled_mask"):
            wrong = wrt
        text = word.replace("_", " ")
        yield shared.mutant(word, frozenset((word,)), frozenset(), None, text, wrong, None, word)


# ---- arrays
def _gradients(exact: Backward, program: Any, args: Sequence[Any], cotangent: Any) -> list[Any]:
    """What a program gives; as large as the argument where it stands for an array filled with one row or number."""
    leaves = flatten(list(args))[0]
    given = [*leaves, *(_parts(cotangent) if exact.cotangents else ())]
    count = len(exact.program.outputs) - len(exact.wrt)
    found = []
    with np.errstate(all="ignore"):
        results = run(program, given)[count:]
        likes = run(exact.program, given)[count:] if program is not exact.program else results
    for value, like, variable in zip(results, likes, exact.wrt, strict=True):
        lazy = np.shape(value) == np.shape(like)
        argument = given[[x.number for x in exact.program.inputs].index(variable.number)]
        whole = np.broadcast_to(value, np.shape(argument)) if lazy else value
        found.append(np.array(plain_number(whole) if not isinstance(whole, np.ndarray) else whole))
    return found


def _nothing(exact: Backward, args: Sequence[Any], cotangent: Any) -> tuple[tuple[int, int], ...]:
    """The sums of two terms in the backward pass of which one is nothing but rounding."""
    program, found = exact.program, []
    sums = [
        (index, step)
        for index, step in enumerate(program.steps)
        if index >= exact.forward_steps and step.operation.name == "add"
    ]
    terms = tuple(x for _, step in sums for x in step.inputs)
    given = [*flatten(list(args))[0], *(_parts(cotangent) if exact.cotangents else ())]
    with np.errstate(all="ignore"):
        sized = Program(program.name, program.inputs, program.steps, terms, program.constants)
        values = [float(np.max(np.abs(v), initial=0)) for v in run(sized, given)]
    for place, (index, step) in enumerate(sums):
        a, b = values[2 * place : 2 * place + 2]
        kept = 0 if b <= _SAME * a else 1
        whole = step.inputs[kept]
        if min(a, b) <= 1e-6 * _SAME * max(a, b) and isinstance(whole, Var) and whole.shape == step.outputs[0].shape:
            found.append((index, kept))
    return tuple(found)


def _parts(cotangent: Any) -> Sequence[Any]:
    return cotangent if isinstance(cotangent, tuple | list) else (cotangent,)


def _like(exact: Backward, draw: np.random.Generator) -> Any:
    drawn = tuple(draw.standard_normal(x.shape) for x in exact.cotangents)
    return 1.0 if not drawn else drawn[0] if len(drawn) == 1 else drawn


def _ones_like(cotangent: Any) -> Any:
    if isinstance(cotangent, tuple | list):
        return tuple(map(_ones_like, cotangent))
    return np.ones_like(cotangent)


def _near(a: Any, b: Any, tolerance: float = _SAME) -> bool:
    if np.shape(a) != np.shape(b):
        return False
    return bool(np.all(np.abs(a - b) <= tolerance * (1e-300 + np.max(np.abs(b), initial=0))))


def _is_floating(value: Any) -> bool:
    if isinstance(value, tuple | list | dict):
        raise ChainruleError(
            message("mistakes are planted for functions of arrays and numbers; write the arrays one by one.")
        )
    return not isinstance(value, str) and np.asarray(value).dtype.kind == "f"
