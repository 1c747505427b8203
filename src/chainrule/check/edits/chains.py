"""Mistakes in loops: shares that overwrite each other, windows without their stride, scans in the wrong direction."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Change, Edit, Values, with_index
from chainrule.indexing import HOLE, Index, get_item
from chainrule.ir import Step

__all__ = ["chain_edits"]


def chain_edits(base: Base) -> Iterator[Edit]:
    """Edits of steps that belong together: of all turns of a loop, or of a scan and what turns it around."""
    yield from _overwritten(base)
    yield from _without_stride(base)
    yield from _scans(base)
    yield from _turned_reads(base)


def _chains(base: Base) -> list[list[int]]:
    """Steps that add into parts of one array, one after another."""
    wiring = base.wiring
    found: list[list[int]] = []
    ends: dict[int, list[int]] = {}
    for k in range(wiring.first, len(wiring.steps)):
        step = wiring.steps[k]
        if step.operation.name != "add.at":
            continue
        chain = ends.pop(step.inputs[0].number, None)
        if chain is None or _line(wiring.steps[chain[0]]) != _line(step):
            chain = []
            found.append(chain)
        chain.append(k)
        ends[step.outputs[0].number] = chain
    return [c for c in found if len(c) > 1]


def _line(step: Step) -> Any:
    position = step.position
    return None if position is None else (position.filename, position.function, position.line)


def _overwritten(base: Base) -> Iterator[Edit]:
    """Each turn writes its share over those of the turns before, in the order of the forward loop or the other one."""
    for chain in _chains(base):
        indices = [base.params(k)["index"] for k in chain]
        owner = base.wiring.owner.get(chain[0], -1)
        for forwards in (True, False):
            change = _replayed(base, chain, indices, forwards)
            word = "overwrites"
            yield Edit({chain[-1]: change}, word, chain[-1], -1, forwards, 0.1 + 0.1 * (not forwards), owner=owner)


def _replayed(base: Base, chain: Sequence[int], indices: Sequence[Index], forwards: bool) -> Change:
    steps = base.wiring.steps
    start = steps[chain[0]].inputs[0].number
    order = list(zip(chain, indices, strict=True))
    if forwards:
        order.reverse()  # the backward pass goes through the loop from its end

    def change(x: Sequence[Any], v: Values) -> Any:
        out = np.array(v[start])
        for k, index in order:
            arrays = tuple(v[y.number] for y in steps[k].inputs[2:])
            out[index.key(arrays)] = v[steps[k].inputs[1].number]
        return out

    return change


def _without_stride(base: Base) -> Iterator[Edit]:
    """The windows of a loop start at the number of the turn, and not at a multiple of it."""
    wiring = base.wiring
    backward: dict[Any, list[int]] = {}
    for k in range(wiring.first, len(wiring.steps)):
        step = wiring.steps[k]
        if step.operation.name in ("add.at", "getitem") and step.position is not None:
            backward.setdefault((step.position, step.operation.name), []).append(k)
    for group in backward.values():
        if len(group) > 1:
            yield from _unstrided(base, group, group[0])
    forward: dict[Any, list[int]] = {}
    for k in range(wiring.first):
        step = wiring.steps[k]
        if step.operation.name == "getitem" and step.position is not None:
            forward.setdefault((step.position, step.inputs[0].number), []).append(k)
    for group in forward.values():
        if len(group) > 1:
            yield from _unstrided(base, group, group[0])


def _unstrided(base: Base, group: Sequence[int], first: int) -> Iterator[Edit]:
    indices: list[Index] = [base.params(k)["index"] for k in group]
    parts = [i.parts for i in indices]
    if len({len(p) for p in parts}) != 1 or any(HOLE in p for p in parts):
        return
    strides = {}
    for place in range(len(parts[0])):
        starts = [_start(p[place]) for p in parts]
        if any(s is None for s in starts):
            continue
        distances = {abs(s) for s in starts if s}
        if distances and (stride := int(np.gcd.reduce([d for d in distances if d is not None]))) > 1:
            strides[place] = stride
    if not strides:
        return
    owner = base.wiring.owner.get(first, first)
    changes = {}
    for k, index in zip(group, indices, strict=True):
        moved = tuple(_moved(p, strides.get(n, 1)) for n, p in enumerate(index.parts))
        function = base.wiring.steps[k].operation.function
        changes[k] = with_index(function, Index(moved, index.single))
    yield Edit(changes, "stride ignored", first, -1, tuple(strides), 0.15, owner=owner)


def _start(part: Any) -> int | None:
    if type(part) is slice and part.step in (None, 1) and part.stop is not None:
        return int(part.start or 0)
    return None


def _moved(part: Any, stride: int) -> Any:
    if stride == 1 or type(part) is not slice:
        return part
    start, stop = int(part.start or 0), int(part.stop)
    return slice(start // stride, start // stride + stop - start)


def _turned_reads(base: Base) -> Iterator[Edit]:
    """The elements that the turns of a loop read, in the opposite order: a kernel that is not turned around."""
    wiring = base.wiring
    groups: dict[Any, list[int]] = {}
    for k in range(wiring.first):
        step = wiring.steps[k]
        if step.operation.name == "getitem" and step.position is not None:
            groups.setdefault((step.position, step.inputs[0].number), []).append(k)
    for group in groups.values():
        parts = [base.params(k)["index"].parts for k in group]
        if len(group) < 2 or len({len(p) for p in parts}) != 1:
            continue
        places = [n for n in range(len(parts[0])) if all(isinstance(p[n], int) for p in parts)]
        places = [n for n in places if len({int(p[n]) for p in parts}) > 1][:3]
        for count in range(1, len(places) + 1):
            for chosen in itertools.combinations(places, count):
                ends = {n: max(int(p[n]) for p in parts) + min(int(p[n]) for p in parts) for n in chosen}
                changes = {k: _turned(base.params(k)["index"], ends) for k in group}
                yield Edit(changes, "flipped", group[0], -1, chosen, 0.2 + 0.1 * (count < len(places)), owner=group[0])


def _turned(index: Index, ends: Mapping[int, int]) -> Change:
    parts = tuple(ends[n] - int(p) if n in ends else p for n, p in enumerate(index.parts))
    return with_index(get_item, Index(parts, index.single))


def _scans(base: Base) -> Iterator[Edit]:
    """A cumulative sum or product that runs the way of the forward pass again."""
    wiring = base.wiring
    for k in range(wiring.first, len(wiring.steps)):
        if wiring.steps[k].operation.name != "flip":
            continue
        scan = wiring.made_by.get(wiring.steps[k].inputs[0].number, -1)
        if scan < wiring.first or not wiring.steps[scan].operation.name.startswith(("cumsum", "cumprod")):
            continue
        turned = wiring.made_by.get(wiring.steps[scan].inputs[0].number, -1)
        if turned < wiring.first or wiring.steps[turned].operation.name != "flip":
            continue
        source = wiring.steps[turned].inputs[0].number
        function, params = base.function(scan), base.params(scan)
        yield Edit({k: _scanned(function, params, source)}, "not reversed", k, cost=0.05)


def _scanned(function: Any, params: Any, source: int) -> Change:
    return lambda x, v: function(v[source], **params)
