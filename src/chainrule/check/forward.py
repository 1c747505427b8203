"""The forward function as the checker sees it: its arguments by name, its arrays, and how long their axes may be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.calls import argument_names
from chainrule.errors import TreeError
from chainrule.indexing import HOLE, Index
from chainrule.ir import Const, Program, Step, Var, shape_of
from chainrule.language import listed, message
from chainrule.lengths import ONE, Symbol, Symbols, whole_symbols
from chainrule.trees import flatten, paths, unflatten

__all__ = ["Forward", "Leaf", "as_float", "holes_of", "tied_axes"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """An array or number among the arguments.

    Attributes:
        name: how it is called: ``W1``, ``params[0][1]``.
        argument: the argument that it is in.
        place: its number among the leaves of that argument.
        value: what it is in the example.
    """

    name: str
    argument: str
    place: int
    value: Any

    @property
    def is_traced(self) -> bool:
        """Whether it is an input of the traced program."""
        x = self.value
        if isinstance(x, np.ndarray):
            return x.dtype.kind in "fciub"
        return isinstance(x, float | complex | np.inexact) and not isinstance(x, bool)


class Forward:
    """A forward function with example arguments.

    Args:
        function: the function.
        args: its arguments: by name, or in order.

    Attributes:
        arguments: the example arguments by name, in the order of the parameters.
        leaves: the arrays and numbers in them.
        of: which part of what it returns is the result, where the rest is a cache; ``None`` for all of it.
    """

    def __init__(self, function: Callable[..., Any], args: Mapping[str, Any] | Sequence[Any]) -> None:
        self.function = function
        self.of: int | None = None
        self.name = getattr(function, "__name__", type(function).__name__)
        self.arguments, self.by_position = _by_name(function, args)
        self.trees: dict[str, Any] = {}
        self.leaves: list[Leaf] = []
        for name, argument in self.arguments.items():
            found, self.trees[name] = flatten(argument)
            where = paths(argument)
            self.leaves += [Leaf(name + where[n], name, n, x) for n, x in enumerate(found)]

    def split(self, arguments: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Arguments by name as those of a call: by position and by name."""
        return [arguments[n] for n in self.by_position], {
            n: x for n, x in arguments.items() if n not in self.by_position
        }

    def __call__(self, arguments: Mapping[str, Any]) -> Any:
        """The result for arguments by name, which are copied first."""
        own = {n: unflatten(self.trees[n], [_copied(x) for x in flatten(a)[0]]) for n, a in arguments.items()}
        args, kwargs = self.split(own)
        with np.errstate(all="ignore"):
            result = self.function(*args, **kwargs)
        return result if self.of is None else result[self.of]

    def with_leaves(self, values: Sequence[Any]) -> dict[str, Any]:
        """Arguments by name with other arrays and numbers in them, in the order of :attr:`leaves`."""
        remaining = iter(values)
        return {n: unflatten(t, [next(remaining) for _ in range(t.num_leaves)]) for n, t in self.trees.items()}

    def leaves_of(self, arguments: Mapping[str, Any]) -> list[Any]:
        """The arrays and numbers in arguments, in the order of :attr:`leaves`."""
        return [x for n in self.trees for x in flatten(arguments[n])[0]]


def _copied(x: Any) -> Any:
    return np.copy(x) if isinstance(x, np.ndarray) else x


def _by_name(function: Callable[..., Any], args: Mapping[str, Any] | Sequence[Any]) -> tuple[dict[str, Any], list[str]]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if isinstance(args, Mapping):
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        named = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        wrong = [n for n in args if n not in positional and n not in named]
        if parameters and wrong and not takes_any:
            raise TreeError(
                message(
                    "{name} is no parameter of {function}, which has {own}. Instead: name the arguments as the "
                    "function does.",
                    name=repr(wrong[0]),
                    function=getattr(function, "__name__", None) or message("the forward function"),
                    own=listed(p.name for p in parameters),
                )
            )
        order = [n for n in positional if n in args]
        gap = next((k for k, n in enumerate(positional) if n not in args), len(positional))
        return {n: args[n] for n in [*order, *(n for n in args if n not in order)]}, positional[:gap]
    names = argument_names(function, list(args), {})
    return dict(zip(names, args, strict=True)), list(names)


def tied_axes(program: Program, count: int) -> dict[tuple[int, int], Symbol]:
    """For each axis ``(input, axis)`` of the inputs of a program a symbol; axes with the same one have the same length.

    Only what can be read from the steps is tied, so a length that is tried may still not fit.

    Args:
        program: the forward pass.
        count: how many of the inputs are meant, from the first.
    """
    symbols = whole_symbols(program)
    parent: dict[Symbol, Symbol] = {}

    def root(s: Symbol) -> Symbol:
        while s in parent:
            s = parent[s]
        return s

    def tie(a: Symbol | None, b: Symbol | None) -> None:
        if a is None or b is None:
            return
        a, b = root(a), root(b)
        if a != b:
            # A length that is written as a number stays that number: it is the root of what is tied to it.
            parent[b if a == ONE else a] = a if a == ONE else b

    for step in program.steps:
        for a, b in _ties(symbols, step):
            tie(a, b)
    return {
        (k, axis): root(s)
        for k, x in enumerate(program.inputs[:count])
        for axis, s in enumerate(symbols.of.get(x.number, symbols.own(x)))
    }


def _ties(symbols: Symbols, step: Step) -> list[tuple[Symbol | None, Symbol | None]]:
    operands = [symbols.get(x) for x in step.inputs]
    shapes = [shape_of(x) for x in step.inputs]
    name = step.operation.name
    if any(len(own) != len(shape) for own, shape in zip(operands, shapes, strict=True)):
        return []
    if name in ("matmul", "dot", "inner", "vdot") and len(operands) == 2 and all(shapes):
        last = -1 if name == "inner" else max(-2, -len(shapes[1]))
        batch = _aligned(operands, shapes, [s[:-2] for s in operands]) if name == "matmul" else []
        return [(operands[0][-1], operands[1][last]), *batch]
    if name == "einsum" and "..." not in step.params["subscripts"]:
        seen: dict[str, Symbol] = {}
        found: list[tuple[Symbol | None, Symbol | None]] = []
        letters = step.params["subscripts"].replace(" ", "").partition("->")[0].split(",")
        for word, own, shape in zip(letters, operands, shapes, strict=True):
            for letter, s, n in zip(word, own, shape, strict=True):
                if n != 1:
                    found.append((seen.setdefault(letter, s), s))
        return found
    if name in ("concatenate", "stack", "vstack", "hstack"):
        axis = step.params.get("axis", 0)
        rank = len(shapes[0])
        skipped = axis % rank if name == "concatenate" and axis is not None and rank else -1
        return [
            (a, b)
            for own in operands[1:]
            for k, (a, b) in enumerate(zip(operands[0], own, strict=False))
            if k != skipped
        ]
    if name.startswith(("linalg.", "scipy.linalg.")) or name == "trace":
        square = [
            (own[-1], own[-2])
            for own, s in zip(operands, shapes, strict=True)
            if len(own) > 1 and s[-1] == s[-2] and name not in ("linalg.norm", "linalg.svd", "linalg.pinv")
        ]
        solved = [(operands[0][-1], operands[1][0])] if name == "linalg.solve" and len(operands) > 1 else []
        return [*square, *solved]
    if name == "getitem":
        return _index_ties(operands, shapes, step)
    if name == "setitem" or step.operation.kind in ("structural", "variadic", "constant"):
        return []
    return _aligned(operands, shapes, operands)


def _aligned(
    operands: Sequence[Sequence[Symbol]], shapes: Sequence[Sequence[int]], parts: Sequence[Sequence[Symbol]]
) -> list[tuple[Symbol | None, Symbol | None]]:
    """The ties of axes that are broadcast together, from the last one on."""
    found: list[tuple[Symbol | None, Symbol | None]] = []
    rank = max((len(p) for p in parts), default=0)
    for axis in range(1, rank + 1):
        own = [
            p[-axis]
            for p, o, s in zip(parts, operands, shapes, strict=True)
            if len(p) >= axis and s[len(p) - axis] != 1 and len(o) >= len(p)
        ]
        found += [(own[0], s) for s in own[1:]]
    return found


def holes_of(index: Index, arrays: Sequence[Var | Const]) -> list[tuple[int, int]]:
    """The arrays of an index by their number, each with the (first) axis that it indexes, up to an ellipsis."""
    found: list[tuple[int, int]] = []
    axis = 0
    for part in index.parts:
        if part is None:
            continue
        if part is Ellipsis:
            break
        if part is HOLE:
            found.append((axis, len(found)))
            x = arrays[len(found) - 1]
            axis += len(shape_of(x)) - 1 if _is_mask(x) else 0  # a mask takes an axis for each of its own
        axis += 1
    return found


def _is_mask(x: Var | Const) -> bool:
    return (x.dtype if isinstance(x, Var) else np.asarray(x.value).dtype).kind == "b"


def _index_ties(
    operands: Sequence[Sequence[Symbol]], shapes: Sequence[Sequence[int]], step: Step
) -> list[tuple[Symbol | None, Symbol | None]]:
    """Arrays of indices that are used together have one shape; a mask has that of what it is laid over."""
    found: list[tuple[Symbol | None, Symbol | None]] = []
    whole: list[tuple[Sequence[Symbol], Sequence[int]]] = []
    for axis, place in holes_of(step.params["index"], step.inputs[1:]):
        own = operands[1 + place]
        if _is_mask(step.inputs[1 + place]):
            found += list(zip(own, operands[0][axis : axis + len(own)], strict=False))
        else:
            whole.append((own, shapes[1 + place]))
    if len(whole) > 1:
        found += _aligned([o for o, _ in whole], [s for _, s in whole], [o for o, _ in whole])
    return found


def as_float(result: Any) -> Any:
    """A result; a whole number that a function of numbers decides for, as ``max(0, z)`` does, as a float."""
    return float(result) if type(result) is int else result
