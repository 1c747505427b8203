"""What values and their elements are called: the user's names, the user's expressions, ``h#3`` in a loop."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.ir import Const, Program, Step, Var
from chainrule.names import Namespace
from chainrule.positions import Position, is_foreign
from chainrule.wording import invented_name

__all__ = [
    "count_text",
    "element_text",
    "elements_text",
    "first_index",
    "gradient_text",
    "index_text",
    "labels_of",
    "number_text",
    "place_of",
]

_LONGEST = 36
_MOST = 6


def first_index(mask: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """The place of the first element that a mask chooses."""
    return tuple(map(int, np.argwhere(mask)[0])) if mask.ndim else ()


def labels_of(program: Program) -> dict[int, str]:
    """A text for each variable and constant array of a forward pass, by number.

    A name that several values were given in turn, as in a loop, is followed by which of them it is: ``h#3``.
    """
    found: dict[int, str] = {}
    inputs = {x.name for x in program.inputs}
    held: dict[str, list[int]] = {}
    for step in program.steps:
        for out in step.outputs:
            if out.name is not None:
                held.setdefault(out.name, []).append(out.number)
    namespace = Namespace()
    spoken = _spoken(program)
    given: tuple[Var | Const, ...] = (*program.inputs, *program.constants)
    for x in given:
        name = x.name or spoken.get(x.number)
        found[x.number] = name or namespace.claim("constant")
    for name, numbers in held.items():
        several = len(numbers) > 1 or name in inputs
        found.update((v, f"{name}#{k}" if several else name) for k, v in enumerate(numbers, 1))
    for step in program.steps:
        for out in step.outputs:
            if out.number not in found:
                found[out.number] = _expression(step) or namespace.claim(_invented(step, found))
    return found


def place_of(step: Step | None) -> Position | None:
    """Where a step stands in the user's source; nothing for what was read behind it."""
    if step is None or step.position is None or is_foreign[step.position.filename]:
        return None
    return step.position


def _spoken(program: Program) -> dict[int, str]:
    """What constant arrays are called where they are used: ``w`` in ``x @ w``; several of one name by their order."""
    unnamed = {c.number for c in program.constants if c.name is None}
    found: dict[int, str] = {}
    for step in program.steps:
        for k, x in enumerate(step.inputs):
            if x.number in unnamed and x.number not in found:
                text = _operand_source(step, k)
                if text:
                    found[x.number] = text
    names: dict[str, list[int]] = {}
    for number, text in found.items():
        names.setdefault(text, []).append(number)
    known = {x.name for x in program.inputs} | {c.name for c in program.constants}
    known |= {o.name for s in program.steps for o in s.outputs}
    return {
        number: f"{text}#{k}" if len(numbers) > 1 or text in known else text
        for text, numbers in names.items()
        for k, number in enumerate(numbers, 1)
    }


def _operand_source(step: Step, k: int) -> str:
    """The source of an operand, where the expression is an operator or a call with its operands in order."""
    place = place_of(step)
    if place is None or place.end_line != place.line:
        return ""
    try:
        node = ast.parse(place.segment.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return ""
    operands: list[ast.expr] = []
    if isinstance(node, ast.BinOp):
        operands = [node.left, node.right]
    elif isinstance(node, ast.Compare) and len(node.comparators) == 1:
        operands = [node.left, *node.comparators]
    elif isinstance(node, ast.Call):
        method = isinstance(node.func, ast.Attribute) and len(node.args) < len(step.inputs)
        operands = [*([node.func.value] if method and isinstance(node.func, ast.Attribute) else []), *node.args]
    elif isinstance(node, ast.Subscript):
        operands = [node.value, node.slice]
    if len(operands) != len(step.inputs):
        return ""
    operand = operands[k]
    return ast.unparse(operand) if isinstance(operand, ast.Name | ast.Attribute | ast.Subscript) else ""


def _expression(step: Step) -> str:
    """The user's own expression, where it is short and stands on one line."""
    place = place_of(step)
    if place is None or place.end_line != place.line or len(step.outputs) > 1:
        return ""
    text = place.segment.strip()
    return text if 0 < len(text) <= _LONGEST else ""


def _invented(step: Step, known: Mapping[int, str]) -> str:
    return invented_name(step, lambda x: known.get(x.number, "") if isinstance(x, Var) else "")


def number_text(x: Any) -> str:
    """A number with as many digits as one reads: ``-0.31``, ``2.1e-09``, ``nan``."""
    if isinstance(x, complex | np.complexfloating):
        return f"{complex(x):.4g}"
    if isinstance(x, bool | np.bool):
        return str(bool(x))
    value = float(x)
    if value != 0 and np.isfinite(value) and (abs(value) >= 1e5 or abs(value) < 1e-3):
        return re.sub(r"e([+-])0+(\d)", lambda m: f"e{'-' if m[1] == '-' else ''}{m[2]}", f"{value:.3g}")
    return f"{value:.4g}".replace("-0", "-0") if value else "0"


def count_text(x: float) -> str:
    """A number of things: ``1,024``, or about how many."""
    return f"{int(x):,}" if x < 1e9 else f"{x:.2g}"


def index_text(index: Sequence[Any]) -> str:
    """``[2,1]``; nothing for a number."""
    return f"[{','.join(str(int(k)) for k in index)}]" if len(index) else ""


def _bracketed(label: str) -> str:
    """A label that an index may stand behind: expressions of operators in brackets."""
    simple = re.fullmatch(r"[\w.#\[\]'\"]+(\([^()]*\))?(\.\w+)*", label)
    return label if simple else f"({label})"


def element_text(label: str, index: Sequence[Any]) -> str:
    """One element of what a label stands for: ``W3[2,1]``, ``(Y - T)[0]``."""
    return _bracketed(label) + index_text(index) if len(index) else label


def gradient_text(element: str) -> str:
    """The name of the gradient of an element or a whole value: ``dW3[2,1]``, ``d(Y - T)[0]``."""
    simple = re.fullmatch(r"[\w.#]+(\[[^\[\]]*\])*", element) or element.startswith("(")
    return f"d{element}" if simple else f"d({element})"


def elements_text(label: str, mask: np.ndarray[Any, Any]) -> str:
    """The elements of a mask: ``A2[:,2]`` where they are whole rows and columns, else some of them, and how many."""
    if mask.ndim == 0 or mask.all():
        return label
    where = np.argwhere(mask)
    if len(where) == 1:
        return element_text(label, where[0])
    axes = [np.unique(where[:, k]) for k in range(mask.ndim)]
    if int(np.prod([len(a) for a in axes])) == len(where):
        parts = [_axis(a, n) for a, n in zip(axes, mask.shape, strict=True)]
        if all(p is not None for p in parts):
            return f"{_bracketed(label)}[{','.join(p for p in parts if p is not None)}]"
    shown = ", ".join(element_text(label, index) for index in where[:2])
    return f"{shown}, …" if len(where) > 2 else shown


def _axis(chosen: np.ndarray[Any, Any], length: int) -> str | None:
    if len(chosen) == length:
        return ":"
    if len(chosen) == 1:
        return str(int(chosen[0]))
    if int(chosen[-1] - chosen[0]) == len(chosen) - 1:
        return f"{int(chosen[0])}:{int(chosen[-1]) + 1}"
    return f"[{','.join(map(str, map(int, chosen)))}]" if len(chosen) <= _MOST else None
