"""One edit of the backward pass, and a change of the finished gradient after it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.check.counts import Factor, factor_between, named_factor
from chainrule.check.edits.pairs import Tried
from chainrule.check.edits.search import Search
from chainrule.language import Message, message

__all__ = ["Composed", "composed"]

_CLOSE = 1e-8


@dataclass(frozen=True, slots=True)
class Composed:
    """An edit and what was done to its result.

    Attributes:
        tried: the edit.
        kind: the word for what was done afterwards.
        relation: the same as a relation.
        factor: the number that the gradient was multiplied by, if it was.
        draws: on how many draws it was tested.
    """

    tried: Tried
    kind: str
    relation: Message
    factor: Factor | None
    draws: int


def composed(
    search: Search, target: str, tried: Sequence[Tried], lengths: Sequence[Mapping[str, int]]
) -> list[Composed]:
    """The edits whose result is the candidate's after a transpose, a sum or a factor."""
    found: list[Composed] = []
    given, shape = search.given[0][target].value, search.sources[0].base.shapes[target]
    for kind, text, change in _changes(given, shape):
        changed = change(given)
        if changed.shape != shape:
            continue
        for t in tried:
            factor = factor_between(changed, t.value, _CLOSE)
            if factor is None or (abs(factor - 1) > 1e-6 and kind):
                continue
            composition = _tested(search, target, t, kind, text, change, lengths)
            if composition is not None:
                found.append(composition)
                if len(found) >= 4:
                    return found
    return found


def _changes(given: Any, shape: tuple[int, ...]) -> Iterator[tuple[str, str, Callable[[Any], Any]]]:
    """What undoes a mistake at the very end."""
    if given.shape == shape:
        yield "", "", lambda g: g
    if given.ndim == len(shape) and given.ndim > 1:
        for axes in itertools.permutations(range(given.ndim)):
            if axes != tuple(range(given.ndim)):
                yield "transposed", ".T" if given.ndim == 2 else f".transpose{axes}", _permuted(axes)
    if given.size == int(np.prod(shape)) and given.shape != shape:
        yield "shape_keepdims", f".reshape{shape}", lambda g: g.reshape(shape) if g.size == np.prod(shape) else g
    if given.ndim > len(shape):
        over = tuple(range(given.ndim - len(shape)))
        bias = "bias_not_summed" if len(shape) < 2 else "broadcast_not_reduced"
        yield bias, f".sum(axis={over[0] if len(over) == 1 else over})", _summed(over)


def _permuted(axes: tuple[int, ...]) -> Callable[[Any], Any]:
    return lambda g: np.transpose(g, axes) if np.ndim(g) == len(axes) else g


def _summed(axes: tuple[int, ...]) -> Callable[[Any], Any]:
    return lambda g: np.sum(g, axis=axes) if np.ndim(g) > max(axes) else g


def _tested(
    search: Search,
    target: str,
    tried: Tried,
    kind: str,
    text: str,
    change: Callable[[Any], Any],
    lengths: Sequence[Mapping[str, int]],
) -> Composed | None:
    factors: list[float] = []
    known: list[Mapping[str, int]] = []
    for draw, source in enumerate(search.sources):
        edit = source.find(tried.key)
        if edit is None or target not in search.given[draw]:
            continue
        try:
            with np.errstate(all="ignore"):
                value = source.base.run(edit.changes).get(target)
            value = np.broadcast_to(np.asarray(value, float), source.base.shapes[target])
        except Exception:  # shapes that do not fit
            return None
        given = change(search.given[draw][target].value)
        factor = None if given.shape != value.shape else factor_between(given, value, _CLOSE)
        if factor is None:
            return None
        factors.append(factor)
        known.append(lengths[draw])
    if len(factors) < 2:
        return None
    if kind:
        ones = all(abs(f - 1) < 1e-6 for f in factors)
        return (
            Composed(
                tried,
                kind,
                message("candidate{changes} == the exact backward pass with one change", changes=text),
                None,
                len(factors),
            )
            if ones
            else None
        )
    name = named_factor(factors, known)
    if name is None or (name.constant is not None and not name.above and not name.below and name.constant == 1.0):
        return None
    return Composed(
        tried,
        "",
        message("candidate == {factor} * the exact backward pass with one change", factor=name.text),
        name,
        len(factors),
    )
