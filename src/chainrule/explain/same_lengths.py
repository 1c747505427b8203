"""Which axes must be equally long for the user's code to run: the columns of X and the rows of W in ``X @ W``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chainrule.explain.index_forms.reading import axes_in, param, rank_of, shape_of
from chainrule.ir import Const, Step, Var
from chainrule.lengths import ONE, Symbol
from chainrule.loops import loop_in
from chainrule.rules.einsum import spelled_out

__all__ = ["united"]

_JOINED = frozenset(("concatenate", "stack", "vstack", "hstack", "column_stack"))


class _Sets:
    """Symbols that are equal, under the first of them."""

    def __init__(self, symbols: Mapping[int, tuple[Symbol, ...]]) -> None:
        self.symbols = symbols
        self.first: dict[Symbol, Symbol] = {}

    def find(self, symbol: Symbol) -> Symbol:
        while symbol in self.first:
            symbol = self.first[symbol]
        return symbol

    def unite(self, x: Var | Const, axis: int, y: Var | Const, other: int) -> None:
        """Say that two axes are equally long; not where one is stretched."""
        a, b = self.symbols.get(x.number, ()), self.symbols.get(y.number, ())
        if len(a) != rank_of(x) or len(b) != rank_of(y) or not a or not b:
            return
        if shape_of(x)[axis] != shape_of(y)[other] or ONE in (a[axis], b[other]):
            return
        p, q = self.find(a[axis]), self.find(b[other])
        if p != q:
            # What stands for an axis of an argument or of an earlier value comes first.
            p, q = sorted((p, q), key=lambda s: (s[0] != "length", str(s[0]), s[1] if type(s[1]) is int else 0))
            self.first[q] = p


def united(
    symbols: Mapping[int, tuple[Symbol, ...]], steps: Sequence[Step], pairs: Sequence[tuple[Var, Var]] = ()
) -> dict[int, tuple[Symbol, ...]]:
    """The symbols of all axes, those that must be equally long under one; so are those of ``pairs``."""
    sets = _Sets(symbols)
    for x, y in pairs:
        for k in range(rank_of(x) if rank_of(x) == rank_of(y) else 0):
            sets.unite(x, k, y, k)
    for step in steps:
        try:
            _read(sets, step)
        except (IndexError, TypeError, ValueError, KeyError):
            continue
    return {number: tuple(map(sets.find, own)) for number, own in symbols.items()}


def _read(sets: _Sets, step: Step) -> None:
    name, operands = step.operation.name, step.inputs
    if loop_in(step) is not None:
        _loop(sets, step)
        return
    if step.operation.kind == "elementwise" or name in ("where", "clip", "absolute"):
        out = step.outputs[0]
        for x in operands:
            missing = len(out.shape) - rank_of(x)
            for k in range(rank_of(x)):
                sets.unite(out, missing + k, x, k)
    elif name in ("matmul", "dot", "linalg.matmul") and all(rank_of(x) for x in operands):
        a, b = operands
        sets.unite(a, rank_of(a) - 1, b, max(rank_of(b) - 2, 0))
        if name != "dot" and rank_of(a) == rank_of(b) > 2:
            for k in range(rank_of(a) - 2):
                sets.unite(a, k, b, k)
                sets.unite(step.outputs[0], k, a, k)
    elif name in ("inner", "vecdot", "linalg.vecdot") and all(rank_of(x) for x in operands):
        axis = int(step.params.get("axis", -1))
        sets.unite(operands[0], axis % rank_of(operands[0]), operands[1], axis % rank_of(operands[1]))
    elif name == "vdot":
        for k in range(rank_of(operands[0])):
            sets.unite(operands[0], k, operands[1], k)
    elif name in ("tensordot", "linalg.tensordot"):
        _tensordot(sets, step)
    elif name == "einsum":
        _einsum(sets, step)
    elif name in _JOINED and len({rank_of(x) for x in operands}) == 1:
        rank = rank_of(operands[0])
        axis = {"vstack": 0, "hstack": 0 if rank == 1 else 1, "column_stack": 1}.get(name, param(step, "axis", 1, 0))
        joined = axes_in(axis, rank) if name == "concatenate" or (name not in ("stack",) and rank > 1) else ()
        for x in operands[1:]:
            for k in range(rank):
                if k not in joined:
                    sets.unite(operands[0], k, x, k)
    elif name == "linalg.solve":
        a, b = operands
        sets.unite(a, rank_of(a) - 2, b, max(rank_of(b) - 2, 0))
    elif name in ("setitem", "getitem") and step.params["index"].basic:
        whole, part = (operands[0], operands[1]) if name == "setitem" else (operands[0], step.outputs[0])
        for k, j in _whole_axes(step.params["index"].spelled_out(rank_of(whole)), rank_of(part)):
            sets.unite(whole, k, part, j)


def _whole_axes(parts: Sequence[Any], kept: int) -> Iterator[tuple[int, int]]:
    """The axes of which an index takes all: in the array, and in the part of this rank that is taken."""
    if sum(1 for p in parts if p is None or type(p) is slice) != kept:
        return  # a part that is stretched
    k = j = 0
    for p in parts:
        if type(p) is slice and p == slice(None):
            yield k, j
        k += p is not None
        j += p is None or type(p) is slice


def _loop(sets: _Sets, step: Step) -> None:
    """What is carried through all turns keeps its lengths."""
    loop = loop_in(step)
    assert loop is not None
    outputs = list(step.outputs)
    carried = {slot.following: slot for slot in loop.slots if slot.kind == "carried"}
    for out in loop.outs:
        own = [outputs.pop(0) for _ in range(len(loop.values) if out.kind == "split" else 1)]
        slot = carried.get(out.variable) if out.kind == "final" else None
        if slot is not None and rank_of(own[0]) == rank_of(step.inputs[slot.place]):
            for k in range(rank_of(own[0])):
                sets.unite(own[0], k, step.inputs[slot.place], k)


def _tensordot(sets: _Sets, step: Step) -> None:
    a, b = step.inputs
    axes = param(step, "axes", 2, 2)
    if isinstance(axes, int):
        pairs = list(zip(range(rank_of(a) - axes, rank_of(a)), range(axes), strict=True))
    else:
        pairs = list(zip(axes_in(axes[0], rank_of(a)), axes_in(axes[1], rank_of(b)), strict=True))
    for j, k in pairs:
        sets.unite(a, j, b, k)


def _einsum(sets: _Sets, step: Step) -> None:
    terms, output = spelled_out(step.params["subscripts"], [rank_of(x) for x in step.inputs])
    first: dict[str, tuple[Var | Const, int]] = {}
    pairs = [(x, k, letter) for letters, x in zip(terms, step.inputs, strict=True) for k, letter in enumerate(letters)]
    pairs += [(step.outputs[0], k, letter) for k, letter in enumerate(output)]
    for x, k, letter in pairs:
        if letter in first:
            sets.unite(*first[letter], x, k)
        else:
            first[letter] = (x, k)
