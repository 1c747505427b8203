"""Facts about arrays that the reader knows and no trace shows: ``assume={"Y": "one_hot", "S": "symmetric"}``.

A fact is given by the name of an argument, of an array of a script, or of a variable that the forward code assigns.
The example must have it; what is written with its help holds where other arrays have it too, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.calls import TracedCall
from chainrule.errors import ChainruleError
from chainrule.ir import Program, Step, Var
from chainrule.language import Message, listed, message
from chainrule.tape import Tape
from chainrule.trace import input_names, program_of

__all__ = [
    "FACTS",
    "Facts",
    "breaks",
    "holds_for",
    "made_with",
    "named_facts",
    "remarks_of_facts",
    "suppose",
]

Facts = Mapping[str, tuple[str, ...]]
"""The facts by the name of the array."""

_EXTREMA = frozenset((np.maximum, np.minimum))
_EXTREMA_OF_ONE = frozenset((np.max, np.min, np.amax, np.amin))


@dataclass(frozen=True, slots=True)
class Fact:
    """What can be assumed of an array.

    Attributes:
        text: what is said of it above the code, given the name of the array and how many axes it has.
        lacks: says where an array does not have it, given what was requested and its name; nothing where it does.
        made: an array near another one that has it.
    """

    text: Callable[[str, int], str]
    lacks: Callable[[str, str, Any], Message | None]
    made: Callable[[Any], Any]


def _rounding(x: Any) -> float:
    """How far numbers may be off that were computed, and are equal but for that."""
    return float(np.sqrt(np.finfo(x.dtype).eps)) if x.dtype.kind in "fc" else 0.0


def _at(name: str, index: Any) -> str:
    return f"{name}[{', '.join(str(int(k)) for k in index)}]" if len(index) else name


def _asymmetric(request: str, name: str, x: Any) -> Message | None:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        return message("{request}: the shape of {name} is {shape}.", request=request, name=name, shape=str(x.shape))
    turned = np.swapaxes(x, -1, -2)
    near = x == turned
    if x.dtype.kind in "fc":
        near |= np.abs(x - turned) <= _rounding(x) * float(np.max(np.abs(x), initial=0))
    if np.all(near):
        return None
    place = np.argwhere(~near)[0]
    other = (*place[:-2], place[-1], place[-2])
    return message(
        "{request}: in the example {element} is {value}, and {other} is {another}.",
        request=request,
        element=_at(name, place),
        value=f"{x[tuple(place)]:.6g}",
        other=_at(name, other),
        another=f"{x[other]:.6g}",
    )


def _other_than_zero_or_one(request: str, name: str, x: Any) -> Message | None:
    other = np.argwhere((x != 0) & (x != 1))
    if not len(other):
        return None
    value = f"{x[tuple(other[0])]:.6g}"
    element = _at(name, other[0])
    return message("{request}: in the example {element} is {value}.", request=request, element=element, value=value)


def _no_distribution(request: str, name: str, x: Any) -> Message | None:
    if not x.ndim:
        return message("{request}: the shape of {name} is {shape}.", request=request, name=name, shape=str(x.shape))
    sums = np.sum(x, axis=-1, dtype=float if x.dtype.kind in "biu" else None)
    wrong = np.argwhere(~(np.abs(sums - 1) <= max(_rounding(sums), 1e-8)))
    if not len(wrong):
        return None
    return message(
        "{request}: in the example the elements of {row} add to {total}.",
        request=request,
        row=_at(name, wrong[0]),
        total=f"{np.asarray(sums)[tuple(wrong[0])]:.6g}",
    )


def _no_joint_distribution(request: str, name: str, x: Any) -> Message | None:
    return _no_distribution(request, name, np.ravel(x))


def _somewhere_zero(request: str, name: str, x: Any) -> Message | None:
    zeros = np.argwhere(x == 0)
    if not len(zeros):
        return None
    return message(
        "{request}: in the example {element} is {value}.", request=request, element=_at(name, zeros[0]), value=0
    )


def _not_one_hot(request: str, name: str, x: Any) -> Message | None:
    return _other_than_zero_or_one(request, name, x) or _no_distribution(request, name, x)


def _one_hot(x: Any) -> Any:
    if not x.size:
        return x
    return (np.arange(x.shape[-1]) == np.argmax(x, axis=-1)[..., None]).astype(x.dtype)


def _distribution(x: Any) -> Any:
    if x.dtype.kind != "f" or not x.size:
        return _one_hot(x)
    total = np.sum(x, axis=-1, keepdims=True)
    # What nearly cancels is no distribution near by.
    return np.where(np.abs(total) > 1e-3, x / np.where(total == 0, 1, total), 1 / x.shape[-1]).astype(x.dtype)


def _joint_distribution(x: Any) -> Any:
    return np.reshape(_distribution(np.ravel(x)), np.shape(x))


def _symmetric(x: Any) -> Any:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        return x
    turned = np.swapaxes(x, -1, -2)
    return (x / 2 + turned / 2).astype(x.dtype) if x.dtype.kind in "fc" else np.where(np.tri(x.shape[-1]), x, turned)


def _symmetric_text(name: str, rank: int) -> str:
    return f"the matrices in {name} are symmetric" if rank > 2 else f"{name} is symmetric"


def _in_rows(one: str, rows: str) -> Callable[[str, int], str]:
    return lambda name, rank: (one if rank < 2 else rows).format(name=name)


FACTS: dict[str, Fact] = {
    "symmetric": Fact(_symmetric_text, _asymmetric, _symmetric),
    "distribution": Fact(_in_rows("{name} adds to 1", "each row of {name} adds to 1"), _no_distribution, _distribution),
    "joint_distribution": Fact(lambda name, rank: f"all elements of {name} add to 1",
                               _no_joint_distribution, _joint_distribution),
    "one_hot": Fact(_in_rows("{name} is one-hot", "each row of {name} is one-hot"),
                    _not_one_hot, _one_hot),
    "binary": Fact(lambda name, rank: f"{name} is 0 or 1", _other_than_zero_or_one,
                   lambda x: (np.abs(x) > 0.5).astype(x.dtype)),
    "nonzero": Fact(lambda name, rank: f"{name} is nowhere 0" if rank else f"{name} is not 0",
                    _somewhere_zero, lambda x: np.where(x == 0, 1, x).astype(x.dtype)),
}  # fmt: skip
"""The facts about the entries of an array, by name."""

_NAMES = (*FACTS, "no_ties")


def named_facts(assume: Mapping[str, Any] | None) -> Facts:
    """The facts that were given, each name with a tuple.

    Raises:
        ChainruleError: where one of them is none that there is.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, given in (assume or {}).items():
        facts = (given,) if isinstance(given, str) else tuple(given)
        for fact in facts:
            if fact not in _NAMES:
                raise ChainruleError(
                    message(
                        "{request}: there is no fact {fact}. The facts are: {facts}.",
                        request=_request(name, fact),
                        fact=repr(fact),
                        facts=listed(_NAMES),
                    )
                )
        found[name] = facts
    return found


def suppose(call: TracedCall, assume: Facts) -> None:
    """Note facts about the variables of a traced call on its tape.

    Raises:
        ChainruleError: where nothing has such a name, or the example does not have the fact.
    """
    if assume:
        reached = dict(zip(call.tape.inputs, input_names(call), strict=False))
        call.tape.facts.update(_facts_in(program_of(call), reached, assume, call.tape.values))


def _facts_in(
    program: Program, reached: Mapping[int, str], assume: Facts, values: Sequence[Any]
) -> dict[int, frozenset[str]]:
    """The facts by variable; the values are those of the example, by the number of the variable."""
    steps = program.steps
    found: dict[int, frozenset[str]] = {}
    for name, facts in assume.items():
        meant = _named(program, reached, name, facts)
        for fact in facts:
            if fact == "no_ties":
                chosen = _extrema(steps, {x.number for x in meant})
                if not chosen:
                    raise ChainruleError(
                        message(
                            "{request}: no maximum or minimum is taken in the statement that assigns {name}, nor of "
                            "what is computed from it.",
                            request=_request(name, fact),
                            name=name,
                        )
                    )
                for step in chosen:
                    _check(_tied(_request(name, fact), step, values.__getitem__))
                    number = step.outputs[0].number
                    found[number] = found.get(number, frozenset()) | {fact}
                continue
            for x in meant:
                own = name if len(meant) == 1 else str(x.name)
                _check(FACTS[fact].lacks(_request(name, fact), own, np.asarray(values[x.number])))
                found[x.number] = found.get(x.number, frozenset()) | {fact}
    return found


def _request(name: str, fact: str) -> str:
    return f'assume={{"{name}": "{fact}"}}'


def _check(fault: Message | None) -> None:
    """Raise where the example lacks a fact."""
    if fault is not None:
        raise ChainruleError(
            message("{fault} Instead: leave out the fact, or give an example that has it.", fault=fault)
        )


def _named(program: Program, reached: Mapping[int, str], name: str, facts: Sequence[str]) -> list[Any]:
    """What a name stands for: an argument, all arrays in it, a plain array, or the last variable of that name."""
    made = [out for step in program.steps for out in step.outputs if out.name == name]
    paths = [(x, reached.get(x.number, "")) for x in program.inputs]
    inner = f"['{name}']", f'["{name}"]', f".{name}"
    ways: list[list[Any]] = [
        [x for x, path in paths if name in (x.name, path, re.sub(r"\W+", "_", path).strip("_"))],
        [x for x, path in paths if path.startswith((f"{name}[", f"{name}."))],
        [x for x, path in paths if path.endswith(inner)],
        [c for c in program.constants if c.name == name],
        made[-1:],
    ]
    found = next(filter(None, ways), [])
    if not found:
        known: list[Any] = [
            *program.inputs,
            *program.constants,
            *(out for step in program.steps for out in step.outputs),
        ]
        raise ChainruleError(
            message(
                "{request}: no array of {function} has this name. The arrays are: {names}.",
                request=_request(name, facts[0] if facts else ""),
                function=program.name,
                names=listed(dict.fromkeys(str(x.name) for x in known if x.name is not None)) or "-",
            )
        )
    return found


def _is_extremum(step: Step) -> bool:
    """Whether a step chooses the largest or smallest of several values that are computed."""
    function = step.operation.function
    if function in _EXTREMA:
        return all(isinstance(x, Var) or x.number >= 0 for x in step.inputs)
    return function in _EXTREMA_OF_ONE and set(step.params) <= {"axis", "keepdims"}


def _extrema(steps: tuple[Step, ...], meant: set[int]) -> list[Step]:
    """The maxima and minima of the statement that makes a variable; else those of what is computed from it."""
    makers = {out.number: step for step in steps for out in step.outputs}
    own = [makers[n] for n in meant if n in makers]
    line = {step.position for step in own}
    found: list[Step] = []
    places = {(p.filename, p.function, p.line) for p in line if p is not None}
    while own:
        step = own.pop()
        if step in found or step.position is None:
            continue
        if (step.position.filename, step.position.function, step.position.line) in places:
            found += [step]
            own += [makers[x.number] for x in step.inputs if isinstance(x, Var) and x.number in makers]
    chosen = [step for step in found if _is_extremum(step)]
    reached = set(meant)
    for step in steps if not chosen else ():
        if any(isinstance(x, Var) and x.number in reached for x in step.inputs):
            reached.update(out.number for out in step.outputs)
            chosen += [step] if _is_extremum(step) else []
    return chosen


def breaks(program: Program, values: Mapping[int, Any]) -> bool:
    """Whether values of the variables of a program lack the facts that it knows."""
    makers = {out.number: step for step in program.steps for out in step.outputs}
    for number, facts in program.facts.items():
        if "no_ties" in facts and len(_ties_of(makers[number], values.__getitem__)):
            return True
        with np.errstate(all="ignore"):
            if any(FACTS[f].lacks("", "", np.asarray(values[number])) is not None for f in facts if f in FACTS):
                return True
    return False


def _ties_of(step: Step, values: Callable[[int], Any]) -> Any:
    """Where a maximum or minimum has several places, as indices; the values are given by the number of a variable."""
    given = [np.asarray(values(x.number)) if isinstance(x, Var) or x.number >= 0 else x.value for x in step.inputs]
    if step.operation.function in _EXTREMA:
        return np.argwhere(np.equal(*given))
    function: Any = step.operation.function
    top = function(given[0], axis=step.params.get("axis"), keepdims=True)
    return np.argwhere(np.sum(given[0] == top, axis=step.params.get("axis")) > 1)


def _tied(request: str, step: Step, values: Callable[[int], Any]) -> Message | None:
    """Says where a maximum or minimum of the example has several places."""
    tied = _ties_of(step, values)
    if not len(tied):
        return None
    return message(
        "{request}: in the example {code} on line {line} meets equal values at {index}.",
        request=request,
        code=f"`{step.position.segment}`" if step.position is not None else step.operation.name,
        line=step.position.line if step.position is not None else 0,
        index=f"[{', '.join(map(str, tied[0]))}]",
    )


def made_with(facts: Iterable[str], value: Any) -> Any:
    """An array near another one that has these facts."""
    with np.errstate(all="ignore"):
        for fact in sorted(facts):
            value = FACTS[fact].made(np.asarray(value)) if fact in FACTS else value
    return value


def remarks_of_facts(program: Program, reached: Mapping[int, str], assume: Facts) -> list[str]:
    """What is said of the facts above the code; ``reached`` says how the inputs are reached, by number."""
    found: list[str] = []
    for name, facts in assume.items():
        meant = _named(program, reached, name, facts)
        rank = max(len(x.shape) if isinstance(x, Var) else np.ndim(x.value) for x in meant)
        found += [FACTS[f].text(name, rank) for f in facts if f in FACTS]
    for step in program.steps if assume else ():
        if "no_ties" in program.facts.get(step.outputs[0].number, ()):
            where = f"`{step.position.segment}` on line {step.position.line}" if step.position else step.operation.name
            found.append(f"no values tie in {where}")
    return [f"valid where {text}" for text in dict.fromkeys(found)]


def holds_for(function: Callable[..., Any], assume: Facts, args: Any, kwargs: Any) -> bool:
    """Whether a function, called with these arguments, has what is assumed."""
    if not assume:
        return True
    try:
        with np.errstate(all="ignore"), Tape(names=True) as tape:
            suppose(TracedCall(function, args, dict(kwargs), (), tape), assume)
    except Exception:
        return False
    return True
