"""What was asked about: ``dW3[2,1]``, ``W3``, ``params[0][1][2]``, ``h#3[0,1]``."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from chainrule.errors import TreeError
from chainrule.explain.why.blocking import Mask
from chainrule.explain.why.labels import element_text, first_index
from chainrule.explain.why.scene import Scene
from chainrule.language import Message, listed, message

__all__ = ["Question", "question_of", "result_asked", "split_index"]

_PREFIXES = ("grad_", "d", "D", "∂", "")


@dataclass(frozen=True, eq=False)
class Question:
    """Which elements of which value are asked about.

    Attributes:
        number: the variable.
        mask: the elements.
        text: of their gradient: ``dW3[2,1]``.
        single: whether it is one element.
        notes: which of several readings was taken.
    """

    number: int
    mask: Mask
    text: str
    single: bool
    notes: tuple[Message, ...] = ()


def split_index(text: str) -> tuple[str, tuple[Any, ...] | None]:
    """``Y[0, 2]`` as a name and an index; no index where there is none that is made of numbers and slices."""
    match = re.fullmatch(r"(.*?)\[([-\d\s,:.]+)\]", text.strip(), re.DOTALL)
    if match is None:
        return text.strip(), None
    return match[1], _index(match[2], text)


def _index(inside: str, text: str) -> tuple[Any, ...]:
    """What stands between brackets, as NumPy takes it."""
    try:
        node = ast.parse(f"x[{inside}]", mode="eval").body
    except SyntaxError:
        raise TreeError(
            message("{text}: {inside} is no index. Write [2,1], or [:,1] for a column.", text=text, inside=inside)
        ) from None
    assert isinstance(node, ast.Subscript)
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]

    def part(x: ast.expr) -> Any:
        if isinstance(x, ast.Slice):
            return slice(*(None if e is None else ast.literal_eval(e) for e in (x.lower, x.upper, x.step)))
        return ast.literal_eval(x)

    return tuple(part(x) for x in parts)


def question_of(scene: Scene, text: str) -> Question:
    """The elements that a text names.

    Raises:
        TreeError: where there is no such array or element.
    """
    wanted = text.strip()
    known = _known(scene)
    for prefix in _PREFIXES:
        if wanted.startswith(prefix):
            found = _found(scene, known, wanted.removeprefix(prefix), wanted)
            if found is not None:
                return found
    own = scene.named | {c.number for c in scene.program.constants if c.name}
    names = [n for n, v in known.items() if v in own and "#" not in n and v != scene.result]
    lowered = {name.lower(): name for name in reversed(names)}
    bare = split_index(wanted)[0].lower()
    close = [lowered[n] for x in (bare, bare.removeprefix("d")) for n in get_close_matches(x, lowered, 1)]
    gaps = {"wanted": wanted, "function": scene.program.name, "names": listed(names)}
    if close:
        raise TreeError(
            message(
                "{wanted} names no array of {function}. Did you mean {close}? The arrays are: {names}.",
                close=f"d{close[0]}",
                **gaps,
            )
        )
    raise TreeError(message("{wanted} names no array of {function}. The arrays are: {names}.", **gaps))


def _known(scene: Scene) -> dict[str, int]:
    """What may be asked about, by name; of values with the same name the last one goes by it alone."""
    found: dict[str, int] = {}
    for number, label in scene.labels.items():
        found[label] = number
        base, at, _ = label.partition("#")
        if at and base not in scene.inputs:
            found[base] = number
    found.update(scene.inputs)
    return found


def _found(scene: Scene, known: dict[str, int], text: str, wanted: str) -> Question | None:
    fitting = [name for name in known if text == name or (text.startswith(name) and text[len(name)] == "[")]
    if not fitting:
        return None
    name = max(fitting, key=len)
    rest = text[len(name) :]
    number = known[name]
    shape = scene.shape(number)
    mask = np.zeros(shape, bool)
    gaps = {"wanted": wanted, "name": name, "shape": shape, "rest": rest}
    if rest:
        _, index = split_index("x" + rest)
        if index is None:
            return None
        try:
            mask[index] = True
        except IndexError:
            raise TreeError(
                message("{wanted}: {name} has the shape {shape}, and there is no {rest} in it.", **gaps)
            ) from None
        if not mask.any():
            raise TreeError(message("{wanted}: {name} has the shape {shape}, and there is nothing at {rest}.", **gaps))
    else:
        mask[...] = True
        if not mask.size:
            raise TreeError(message("{wanted}: {name} has the shape {shape}, and no elements.", **gaps))
    notes: tuple[Message, ...] = ()
    label = scene.labels[number]
    if label != name and label.startswith(f"{name}#"):
        notes = (
            message(
                "{name} is the name of {count} values in turn; this is about the last. {first} is the first of them.",
                name=name,
                count=label.rpartition("#")[2],
                first=f"{name}#1",
            ),
        )
    single = int(mask.sum()) == 1
    where = first_index(mask) if single else ()
    shown = element_text(f"d{name}", where) if single else f"d{name}{rest.replace(' ', '')}"
    return Question(number, mask, shown, single, notes)


def result_asked(result: Any) -> tuple[Any, tuple[int, ...] | None]:
    """What a ``result`` names: an output or a variable, and one of its elements, as in ``"y[2,0]"``."""
    if isinstance(result, str):
        name, index = split_index(result)
        if index is not None and all(type(k) is int for k in index):
            return name, index
    return result, None
