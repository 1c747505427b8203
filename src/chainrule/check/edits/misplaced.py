"""Factors at the wrong place, and forward values that the backward pass takes for others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Change, Edit, Values
from chainrule.check.matching import stretches
from chainrule.ir import Step

__all__ = ["misplaced"]

_MOST = 150  # pairs of places of a factor


def misplaced(base: Base) -> Iterator[Edit]:
    """Edits in which a factor stands behind a sum, or a value of the forward pass is another in the backward pass."""
    yield from _later_factors(base)
    yield from _decided(base)
    yield from _stretched(base)


# ---- a factor behind the sums that it belongs before
def _later_factors(base: Base) -> Iterator[Edit]:
    """A cotangent is multiplied by a value of the forward pass further back than it should be."""
    wiring = base.wiring
    wholes = {g: v for v, g in wiring.backward.links.items() if type(g) is int and wiring.made_by.get(g, -1) >= 0}
    count = 0
    for k in range(wiring.first, len(wiring.steps)):
        step = wiring.steps[k]
        if step.operation.name not in ("multiply", "divide") or len(step.outputs) != 1:
            continue
        flows = [x.number in wiring.flow for x in step.inputs]
        if flows not in ([True, False], [False, True]) or (step.operation.name == "divide" and not flows[0]):
            continue
        n = flows.index(False)
        factor = base.operands(k)[n]
        if not np.ndim(factor) or np.asarray(factor).dtype.kind != "f":
            continue
        for j in wiring.followers(k):
            later = wiring.steps[j]
            if len(later.outputs) != 1 or later.outputs[0].number not in wholes or count >= _MOST:
                continue
            shape = np.shape(base.values[later.outputs[0].number])
            if not stretches(np.shape(factor), shape):
                continue
            count += 1
            changes: dict[int, Change] = {k: _without(n), j: _times(base, step, j, factor)}
            owner = wiring.owner.get(k, -1)
            yield Edit(changes, "moved factor", k, n, j, 0.3, "misplaced_factor", owner)


def _without(n: int) -> Change:
    return lambda x, v: np.broadcast_to(x[1 - n], np.broadcast_shapes(*map(np.shape, x)))


def _times(base: Base, step: Step, j: int, factor: Any) -> Change:
    function, params = base.function(j), base.params(j)
    combine = np.divide if step.operation.name == "divide" else np.multiply
    return lambda x, v: combine(function(*x, **params), factor)


# ---- forward values that are others in the backward pass
def _decided(base: Base) -> Iterator[Edit]:
    """Probabilities are taken for decisions: the likeliest class, or what is above one half."""
    wiring = base.wiring
    for k in range(wiring.first):
        step = wiring.steps[k]
        out = step.outputs[0]
        value = np.asarray(base.values[out.number])
        read = [j for j in wiring.used_by.get(out.number, ()) if j >= wiring.first]
        if not read or len(step.outputs) != 1 or value.dtype.kind != "f" or not value.ndim:
            continue
        if not (np.all(value > 0) and np.all(value < 1)):
            continue
        name = out.name or ""
        for wrong, decide in ((f"{name} > 0.5", _above), (f"{name}.argmax(axis=-1)", _likeliest)):
            details = {"wrong": wrong, "right": name} if name else {}
            change = _replaced(base, k, decide)
            yield Edit({k: change}, "decided", k, 0, decide.__name__, 0.3, "wrong_operand", k, details)


def _above(p: Any) -> Any:
    return (p > 0.5).astype(float)


def _likeliest(p: Any) -> Any:
    return (np.arange(p.shape[-1]) == np.argmax(p, axis=-1)[..., None]).astype(float)


def _replaced(base: Base, k: int, decide: Any) -> Change:
    function, params = base.function(k), base.params(k)
    return lambda x, v: decide(np.asarray(function(*x, **params)))


def _stretched(base: Base) -> Iterator[Edit]:
    """A row meets a column, and what comes out is a matrix, or its mean or sum along one axis."""
    wiring = base.wiring
    for k in range(wiring.first):
        step = wiring.steps[k]
        if step.operation.name not in ("subtract", "add", "multiply") or len(step.inputs) != 2:
            continue
        a, b = (np.asarray(x) for x in base.operands(k))
        shape = np.shape(base.values[step.outputs[0].number])
        if a.size != b.size or a.size < 2 or max(shape, default=0) != a.size:
            continue
        function = base.function(k)
        for n in (0, 1):
            for word, change in (
                ("matrix", _matrix(function, n)),
                ("mean", _reduced(function, n, np.mean, shape)),
                ("sum", _reduced(function, n, np.sum, shape)),
            ):
                yield Edit({k: change}, "stretched", k, n, word, 0.2, "accidental_outer_broadcast", k)


def _matrix(function: Any, n: int) -> Change:
    def change(x: Sequence[Any], v: Values) -> Any:
        column, row = np.reshape(x[n], (-1, 1)), np.reshape(x[1 - n], (1, -1))
        return function(column, row) if n == 0 else function(row, column)

    return change


def _reduced(function: Any, n: int, reduce: Any, shape: tuple[int, ...]) -> Change:
    matrix = _matrix(function, n)
    return lambda x, v: np.reshape(reduce(matrix(x, v), axis=1), shape)
