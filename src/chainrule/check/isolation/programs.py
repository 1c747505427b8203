"""Traced programs as plain values, so that a process that is not trusted can hand one over.

Operations travel by name and are looked up in the table of this process: a program can ask for nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from chainrule.dispatch import constant_at, load_families, specialised
from chainrule.errors import ChainruleError
from chainrule.handlers import CREATORS, creation
from chainrule.indexing import HOLE, Index
from chainrule.ir import Const, Program, Step, Var
from chainrule.language import Message, message
from chainrule.ops import MADE, OPERATIONS, Operation
from chainrule.positions import Position
from chainrule.sizes import Size, SizeFloat, SizeFloat64, is_size, plain_number

__all__ = ["packed", "unpacked"]

_SIZES: dict[str, Any] = {"Size": Size, "SizeFloat": SizeFloat, "SizeFloat64": SizeFloat64}
_TYPES: dict[str, Any] = {"float": float, "int": int, "bool": bool, "complex": complex}


def packed(program: Program) -> dict[str, Any]:
    """A program as lists, texts, numbers and arrays.

    Raises:
        ChainruleError: where something in it has no name under which it could be found again.
    """
    return {
        "name": program.name,
        "inputs": [_var(x) for x in program.inputs],
        "constants": [(c.number, c.name, c.value) for c in program.constants],
        "steps": [_step(s) for s in program.steps],
        "outputs": [_operand(x) for x in program.outputs],
    }


def _var(x: Var) -> tuple[Any, ...]:
    return x.number, [int(plain_number(n)) for n in x.shape], x.dtype.str, x.name


def _step(step: Step) -> tuple[Any, ...]:
    p = step.position
    place = None if p is None else (p.filename, p.function, p.line, p.column, p.end_line, p.end_column)
    return (
        _operation(step.operation),
        [_operand(x) for x in step.inputs],
        [(k, _static(v)) for k, v in step.params.items()],
        [_var(x) for x in step.outputs],
        place,
    )


def _operand(x: Var | Const) -> tuple[Any, ...]:
    if isinstance(x, Var) or x.number >= 0:
        return ("at", x.number)
    return ("plain", _static(x.value))


def _operation(operation: Operation) -> tuple[Any, ...]:
    made = MADE.get(operation)
    if made is None:
        if _table().get((operation.name, operation.spelling)) is not operation:
            raise _unknown(operation)
        return ("row", operation.name, operation.spelling)
    kind, row, key = made
    if kind == "own":
        return ("own", key)
    if kind == "creation":
        return ("creation", row.name, key)
    return (kind, *_operation(row)[1:], list(key))


def _not_handed_over(thing: Message | str) -> Message:
    return message(
        "{thing} cannot be handed over by the process of its own in which the file runs.\n"
        "  Instead: for a file of your own, run it here, without limits, with --trust.",
        thing=thing,
    )


def _unknown(operation: Operation) -> ChainruleError:
    return ChainruleError(_not_handed_over(operation.spelling))


def _static(x: Any) -> Any:
    """A static argument: what the wire does not know becomes a tuple that says what it is."""
    if is_size(x):
        return ("size", type(x).__name__, plain_number(x), tuple(_static(e) for e in x.expression))
    if x is None or type(x) in (bool, int, float, complex, str) or isinstance(x, np.generic | np.ndarray):
        return x
    if type(x) is tuple:
        return ("tuple", *(_static(e) for e in x))
    if type(x) is list:
        return [_static(e) for e in x]
    if type(x) is slice:
        return ("slice", *(_static(e) for e in (x.start, x.stop, x.step)))
    if type(x) is Index:
        return ("index", x.single, *(_static(p) for p in x.parts))
    if x is HOLE or x is Ellipsis:
        return ("hole",) if x is HOLE else ("dots",)
    if isinstance(x, np.dtype):
        return ("dtype", x.str)
    if x is np._NoValue:
        return ("no value",)
    if isinstance(x, type):
        known = _TYPES.get(x.__name__) is x or (issubclass(x, np.generic) and getattr(np, x.__name__, None) is x)
        if known:
            return ("type", x.__name__)
    name = str(getattr(x, "__name__", ""))
    if isinstance(x, np.ufunc) and getattr(np, name, None) is x:
        return ("ufunc", name)
    raise ChainruleError(_not_handed_over(message("a value of type {kind}", kind=type(x).__name__)))


# ---- and back
@cache
def _rows(count: int) -> Mapping[tuple[str, str], Operation]:
    return {(o.name, o.spelling): o for o in OPERATIONS.values()}


def _table() -> Mapping[tuple[str, str], Operation]:
    """The rows of the table by name, as far as their modules are loaded."""
    load_families()
    return _rows(len(OPERATIONS))


def unpacked(parts: Mapping[str, Any], path: str) -> Program:
    """The program again.

    Args:
        parts: what :func:`packed` gave.
        path: the file that it was traced from; places in other folders are left out.

    Raises:
        ChainruleError: where it is none.
    """
    try:
        return _Unpacking(path).program(parts)
    except ChainruleError:
        raise
    except Exception as error:  # whatever parts that were made up lead to
        raise _no_program(type(error).__name__) from None


def _no_program(part: str) -> ChainruleError:
    return ChainruleError(message("what the file's process sent is no program: {part}.", part=part))


class _Unpacking:
    """The variables that have been met."""

    def __init__(self, path: str) -> None:
        self.known: dict[int, Var | Const] = {}
        self.path = path
        self.folder = os.path.dirname(os.path.realpath(path)) + os.sep

    def program(self, parts: Mapping[str, Any]) -> Program:
        inputs = tuple(self._var(x) for x in parts["inputs"])
        constants = tuple(Const(value, _name(name), int(number)) for number, name, value in parts["constants"])
        self.known.update((c.number, c) for c in constants)
        steps = tuple(self._step(s) for s in parts["steps"])
        outputs = tuple(self._operand(x) for x in parts["outputs"])
        return Program(_name(parts["name"]) or "script", inputs, steps, outputs, constants)

    def _var(self, parts: Any) -> Var:
        number, shape, dtype, name = parts
        kind = np.dtype(dtype)
        if kind.kind not in "fciub":
            raise _no_program(f"dtype {kind}")
        made = Var(tuple(int(n) for n in shape), kind, _name(name), int(number))
        self.known[made.number] = made
        return made

    def _step(self, parts: Any) -> Step:
        operation, inputs, params, outputs, place = parts
        position = None if place is None or not self._is_near(place[0]) else self._position(place)
        operands = tuple(self._operand(x) for x in inputs)
        static = {str(k): _statics(v) for k, v in params}
        return Step(_looked_up(operation), operands, static, tuple(self._var(x) for x in outputs), position)

    def _is_near(self, file: Any) -> bool:
        """Whether a file lies where the script does: lines of others are not shown."""
        return os.path.realpath(str(file)).startswith(self.folder) and str(file).endswith(".py")

    def _position(self, place: Any) -> Position:
        file, function, *numbers = place
        return Position(str(file), str(function), *(int(n) for n in numbers))

    def _operand(self, parts: Any) -> Var | Const:
        kind, value = parts
        return self.known[value] if kind == "at" else Const(_statics(value))


def _name(x: Any) -> str | None:
    return None if x is None else str(x)


def _looked_up(parts: Any) -> Operation:
    kind, *key = parts
    if kind == "own":
        found = {k: o for o, (way, _, k) in MADE.items() if way == "own"}
        return found[key[0]]
    if kind == "creation":
        function = getattr(np, str(key[0]))
        if function not in CREATORS:
            raise _no_program(f"np.{key[0]}")
        return creation(function, int(key[1]))
    row = _table()[str(key[0]), str(key[1])]
    if kind == "row":
        return row
    where = tuple(p if isinstance(p, int) else str(p) for p in key[2])
    return specialised(row, tuple(map(str, where))) if kind == "named" else constant_at(row, where)


def _statics(x: Any) -> Any:
    if isinstance(x, list):
        return [_statics(e) for e in x]
    if not isinstance(x, tuple):
        return x
    kind, *rest = x
    if kind == "size":
        return _SIZES[rest[0]](rest[1], tuple(_expression(rest[2])))
    if kind == "index":
        return Index(tuple(_statics(p) for p in rest[1:]), bool(rest[0]))
    if kind == "type":
        found = _TYPES.get(rest[0]) or getattr(np, str(rest[0]))
        if not isinstance(found, type):
            raise _no_program(f"type {rest[0]}")
        return found
    if kind == "ufunc":
        function = getattr(np, str(rest[0]))
        if not isinstance(function, np.ufunc):
            raise _no_program(f"np.{rest[0]}")
        return function
    makers: dict[str, Any] = {
        "tuple": lambda: tuple(_statics(e) for e in rest),
        "slice": lambda: slice(*(_statics(e) for e in rest)),
        "hole": lambda: HOLE,
        "dots": lambda: Ellipsis,
        "dtype": lambda: np.dtype(str(rest[0])),
        "no value": lambda: np._NoValue,
    }
    return makers[kind]()


_HEADS = frozenset("number name length size turn value add sub mul truediv floordiv mod pow neg".split())


def _expression(parts: Any) -> list[Any]:
    """The expression of a size; what is computed is looked up by its head, so that must be one of those there are."""
    head = parts[0]
    if head not in _HEADS and not (head.startswith("np.") and isinstance(getattr(np, head[3:], None), np.ufunc)):
        raise _no_program(str(head))
    return [head, *(_statics(e) for e in parts[1:])]
