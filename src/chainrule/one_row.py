"""Whether what was written from arrays of one row holds for more rows, whichever of the arrays have them.

With a batch of one it cannot be told whether ``g`` of shape ``(1, d)`` in ``x * g`` is one row for all or one per row
of ``x``.  What is written takes ``x`` for the one that is not stretched.  It is tried on arrays with more rows, and
what does not hold is said above it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.emit.material import Fixed, Leaf, Material, length_text
from chainrule.errors import ChainruleError
from chainrule.ir import Program
from chainrule.lengths import Symbols, whole_symbols
from chainrule.loops import loop_in
from chainrule.trees import flatten, unflatten
from chainrule.trying import agrees

__all__ = ["unsettled"]

_ROWS = 3
_MOST_AXES = 8  # tried one by one
_MOST_STEPS = 3000

Axis = tuple[Leaf, int]
Group = tuple[Axis, list[Axis]]


def unsettled(
    material: Material,
    backward: Backward,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    written: Callable[[], Callable[..., Any]],
) -> tuple[str, list[Fixed]]:
    """What is to be said of arrays of one row above the code, and what must hold; nothing where it does for more rows.

    Args:
        material: what was written.
        backward: its backward pass, of the whole result.
        args: the arguments that it was written from.
        kwargs: its keyword arguments.
        written: makes the function that returns the output and the gradients by name.
    """
    symbols = _forward_symbols(backward)
    single = _single(material, symbols)
    groups, following, told = _groups(material, symbols)
    if len(single) < 2 or not (groups or _in_loops(backward.program)):
        return "", []
    names = list(dict.fromkeys(leaf.name for leaf, _ in single))
    if len(single) <= _MOST_AXES and len(backward.program.steps) <= _MOST_STEPS:
        try:
            function = written()

            def holds(choices: Iterator[Sequence[Axis]]) -> bool:
                whole = ([*own, *(a for axis in own for a in following.get(axis, ()))] for own in choices)
                return all(_holds(material, args, kwargs, function, chosen) is not False for chosen in whole)

            if not _in_loops(backward.program) and all(holds(_as_taken(*group)) for group in groups):
                rows = [(longest, untold) for longest, own in groups if (untold := [a for a in own if a not in told])]
                failed = [group for group in rows if not holds([axis] for axis in group[1])]
                checks = [_as_long(axis, "<=", longest) for longest, own in failed for axis in own]
                return "; ".join(_said(*group) for group in failed), checks
            if holds(_choices(single)):
                return "", []
            if _holds(material, args, kwargs, function, single):
                first, *others = single
                return (
                    f"valid while {', '.join(names[:-1])} and {names[-1]} are equally long where they are of length 1 "
                    "in the example; write it from more rows"
                ), [_as_long(axis, "==", first) for axis in others]
        except ChainruleError:
            pass
    return (
        f"valid while {', '.join(names[:-1])} and {names[-1]} are of length 1 where they are in the example; "
        "write it from more rows"
    ), [Fixed(length_text(*axis), "==", "1", True) for axis in single]


def _as_long(axis: Axis, sign: str, other: Axis) -> Fixed:
    return Fixed(length_text(*axis), sign, length_text(*other), True)


def _forward_symbols(backward: Backward) -> Symbols:
    program = backward.program
    return whole_symbols(replace(program, steps=program.steps[: backward.forward_steps]))


def _stretched(symbols: Symbols) -> set[int]:
    """The arguments that are stretched along one axis, so that the others are as their use shows them."""
    return {number for number, _ in symbols.rows}


def _said(longest: Axis, others: Sequence[Axis]) -> str:
    (leaf, axis), names = longest, list(dict.fromkeys(leaf.name for leaf, _ in others))
    text = f"none of {', '.join(names)} is" if len(names) > 1 else f"{names[0]} is not"
    return f"valid while {text} longer than {leaf.name} along axis {axis}"


def _groups(material: Material, symbols: Symbols) -> tuple[list[Group], dict[Axis, list[Axis]], list[Axis]]:
    """The axes that are taken for those that are not stretched, each with those that meet them.

    Behind them, by such an axis, those that are as long as that: of arguments that are stretched along another axis;
    and those that meet a product of matrices or the like, which has the axis of the data.
    """
    stretched = _stretched(symbols)
    leaves = {leaf.variable.number: leaf for leaf in material.leaves}
    found: dict[Axis, list[Axis]] = {}
    following: dict[Axis, list[Axis]] = {}
    told: list[Axis] = []
    for other, longest, computed in symbols.ties:
        if other[0] == longest[0] == "length" and other[1] in leaves and longest[1] in leaves:
            own = following if other[1] in stretched else found
            axes = own.setdefault((leaves[longest[1]], longest[2]), [])
            if (leaves[other[1]], other[2]) not in axes:
                axes.append((leaves[other[1]], other[2]))
            if computed:
                told.append((leaves[other[1]], other[2]))
    return list(found.items()), following, told


def _as_taken(longest: Axis, others: Sequence[Axis]) -> Iterator[Sequence[Axis]]:
    """Which axes have more rows where one has as many as any; of columns, that all have as many."""
    yield [longest, *others]
    if longest[1]:
        return
    yield [longest]
    for n in range(len(others) if len(others) > 1 else 0):
        yield [longest, others[n]]
        yield [longest, *others[:n], *others[n + 1 :]]


def _single(material: Material, symbols: Symbols) -> list[Axis]:
    """The axes of length 1 of the arguments of which it is not known that they are stretched."""
    stretched = _stretched(symbols)
    return [
        (leaf, k)
        for leaf in material.leaves
        for k, n in enumerate(leaf.variable.shape)
        if n == 1 and leaf.variable.number not in stretched
    ]


def _in_loops(program: Program) -> bool:
    """Whether arrays of one row meet in the turns of a loop."""
    inner = [loop.program for s in program.steps if (loop := loop_in(s)) is not None]
    return any(bool(whole_symbols(p).ties) or _in_loops(p) for p in inner)


def _choices(axes: Sequence[Axis]) -> Iterator[Sequence[Axis]]:
    """Which of the axes have more rows: all, one of them, all but one."""
    yield axes
    for n, axis in enumerate(axes):
        yield [axis]
        if len(axes) > 2:
            yield [*axes[:n], *axes[n + 1 :]]


def _holds(
    material: Material,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    function: Callable[..., Any],
    chosen: Sequence[Axis],
) -> bool | None:
    """Whether the written function is right where these axes have more rows; as :func:`agrees`."""
    values = {leaf.variable.number: leaf.value for leaf in material.leaves}
    for leaf, k in dict.fromkeys(chosen):
        x = np.repeat(values[leaf.variable.number], _ROWS, axis=k)
        factors = 1 + 0.01 * np.arange(_ROWS).reshape([-1 if axis == k else 1 for axis in range(x.ndim)])
        values[leaf.variable.number] = (x * factors).astype(x.dtype) if x.dtype.kind in "fc" else x
    trees = [_rebuilt(n, tree, material, values) for n, tree in enumerate((*args, *kwargs.values()))]
    return agrees(material, function, trees[: len(args)], dict(zip(kwargs, trees[len(args) :], strict=True)))


def _rebuilt(position: int, tree: Any, material: Material, values: Mapping[int, Any]) -> Any:
    leaves, structure = flatten(tree)
    own = {id(leaf.value): values[leaf.variable.number] for leaf in material.leaves if leaf.argument == position}
    return unflatten(structure, [own.get(id(x), x) for x in leaves])
