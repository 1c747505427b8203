"""What loops of a forward function run over, which axes of what it makes have one item, and lengths for draws."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.indexing import HOLE, Index
from chainrule.ir import Program
from chainrule.lengths import ONE, Symbol, whole_symbols

__all__ = ["PRIMES", "ascending", "few_turns", "free_lengths", "in_step", "items_in_loops", "roots_of", "single_axes"]

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)
_MANY = 5  # axes of different lengths, beyond which these are not primes


def items_in_loops(
    program: Program, forward_steps: int, ties: Mapping[tuple[int, int], Symbol]
) -> dict[Symbol, dict[Any, list[tuple[int, int]]]]:
    """The axes of the inputs that loops run over, of which one line takes one item after the other.

    Args:
        program: a program.
        forward_steps: the number of its steps that are the user's.
        ties: the symbols of the axes of its inputs.

    Returns:
        For each of them, by the place in the source, the numbers of the steps and the items that they take.
    """
    symbols = whole_symbols(program)
    roots = roots_of(program, ties)
    found: dict[Symbol, dict[Any, list[tuple[int, int]]]] = {}
    for number, step in enumerate(program.steps[:forward_steps]):
        index = step.params.get("index")
        if not isinstance(index, Index) or step.position is None:
            continue
        axes = [part for part in index.parts if part is not None]
        if Ellipsis in axes:
            axes = axes[: axes.index(Ellipsis)]
        for part, symbol in zip(axes, symbols.get(step.inputs[0]), strict=False):
            if part is not HOLE and not isinstance(part, slice) and symbol != ONE:
                places = found.setdefault(roots.get(symbol, symbol), {})
                places.setdefault(step.position, []).append((number, int(part)))
    several = {s: {p: i for p, i in places.items() if len({n for _, n in i}) > 1} for s, places in found.items()}
    return {symbol: places for symbol, places in several.items() if places}


def in_step(one: Mapping[Any, list[tuple[int, int]]], other: Mapping[Any, list[tuple[int, int]]]) -> bool:
    """Whether one counter runs over two axes: in each turn the same item of both is taken."""
    for first, second in itertools.product(one.values(), other.values()):
        if [n for _, n in first] == [n for _, n in second]:
            ordered = sorted([(k, 0) for k, _ in first] + [(k, 1) for k, _ in second])
            sides = [side for _, side in ordered]
            if sides == sides[:2] * len(first) and sides[0] != sides[1]:
                return True
    return False


def roots_of(program: Program, ties: Mapping[tuple[int, int], Symbol]) -> dict[Symbol, Symbol]:
    """For the axes of the inputs of a program, the symbol that stands for all that are as long."""
    return {("length", program.inputs[k].number, axis): root for (k, axis), root in ties.items()}


def single_axes(program: Program, forward_steps: int) -> dict[Any, set[tuple[int, ...]]]:
    """Per forward step of the user's code, which axes of its result have one item."""
    found: dict[Any, set[tuple[int, ...]]] = {}
    for step in program.steps[:forward_steps]:
        for out in step.outputs:
            key = step.position, step.operation.name, len(out.shape)
            found.setdefault(key, set()).add(tuple(axis for axis, n in enumerate(out.shape) if n == 1))
    return found


def ascending(random: np.random.Generator, count: int, attempt: int) -> list[int]:
    """Different lengths, ascending: primes, where there are not many."""
    if count > _MANY:
        # With many axes primes would be long; several draws tell products apart.
        return sorted(random.choice(np.arange(2, count + 6), count, replace=False).tolist())
    primes = [*PRIMES[1:], *(23, 29, 31, 37)]
    if attempt == 2:
        primes = [2, *primes]
    if count > len(primes):
        return [primes[k % len(primes)] for k in range(count)]
    window = primes[: max(count, min(len(primes), count + 3))]
    return sorted(random.choice(window, count, replace=False).tolist())


def few_turns(random: np.random.Generator, count: int, turning: Sequence[int]) -> list[int]:
    """Different lengths, ascending, of which those at some places are the smallest: the axes that loops run over."""
    smallest = 2 if len(turning) > 1 else 3
    known = list(range(2, count + 6)) if count > _MANY else [*PRIMES, 23, 29]
    known = [n for n in known if n >= smallest]
    few, more = known[: len(turning)], known[len(turning) : count + 1]
    ascending = iter(sorted(random.choice(more, count - len(turning), replace=False).tolist()))
    turns = iter(random.permutation(few).tolist())
    return [next(turns) if k in turning else next(ascending) for k in range(count)]


def free_lengths(
    program: Program, forward_steps: int, ties: Mapping[tuple[int, int], Symbol], lengths: Mapping[Symbol, int]
) -> list[Symbol]:
    """The axes of the inputs that may be longer or shorter, by their lengths: not those of one item.

    Nor those whose items are read one by one, each in a place of its own, as ``w[0], w[1], w[2]``: the function runs
    for longer arrays, too, but an array of that length is what it means.
    """
    reads: dict[int, list[Any]] = {}
    for step in program.steps[:forward_steps]:
        for x in step.inputs:
            reads.setdefault(x.number, []).append((step.params.get("index"), step.position))
    fixed: set[Symbol] = set()
    for (k, axis), symbol in ties.items():
        x = program.inputs[k]
        own = reads.get(x.number, [])
        items = [_item(index, axis) for index, _ in own]
        apart = None not in items and len({position for _, position in own}) == len(own)
        if apart and len({item % x.shape[axis] for item in items if item is not None}) == x.shape[axis]:
            fixed.add(symbol)
    return sorted((s for s, n in lengths.items() if n > 1 and s != ONE and s not in fixed), key=lambda s: lengths[s])


def _item(index: Any, axis: int) -> int | None:
    """The item that an index takes along an axis; ``None`` where it is no number."""
    parts = index.parts[: axis + 1] if isinstance(index, Index) else ()
    plain = len(parts) > axis and all(type(p) in (slice, int) for p in parts)
    return parts[-1] if plain and type(parts[-1]) is int else None
