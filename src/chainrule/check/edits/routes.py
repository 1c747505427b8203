"""Whole routes of the backward pass: cotangents that are left out, kept alone, turned around or scaled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Change, Edit

__all__ = ["routes"]


def routes(base: Base) -> Iterator[Edit]:
    """Edits of whole cotangents, and of the shares that they are added up from."""
    yield from _shares(base)
    yield from _detached(base)
    yield from _scaled(base)


def _shares(base: Base) -> Iterator[Edit]:
    """Of a value that is read in several places only one share is kept, or one is left out."""
    wiring = base.wiring
    for number, shares in wiring.backward.contributions.items():
        variables = [(owner, g) for owner, g in shares if type(g) is int]
        whole = wiring.backward.links.get(number)
        if len(variables) < 2 or type(whole) is not int or whole not in wiring.made_by:
            continue
        k = wiring.made_by[whole]
        if k < wiring.first or len(wiring.steps[k].outputs) != 1:
            continue
        function, params = base.function(k), base.params(k)
        shape = np.shape(base.values[whole])
        variables = [(owner, g) for owner, g in variables if np.shape(base.values[g]) == shape]
        alike = len({wiring.steps[owner].operation.name for owner, _ in variables if owner >= 0}) == 1
        for place, (owner, g) in enumerate(variables):
            # The shares are in backward order, so the first one is that of the last use.
            last = place in (0, len(variables) - 1)
            if len(variables) > 2 or alike:
                cost = 0.2 if last else 0.35
                yield Edit({k: _only(g)}, "keep one", k, place, len(variables), cost, owner=owner)
            if len(variables) > 2:
                yield Edit(
                    {k: _without(function, params, g)}, "leave one out", k, place, len(variables), 0.2, owner=owner
                )
                yield Edit({k: _minus(function, params, g)}, "negate one", k, place, len(variables), 0.3, owner=owner)


def _only(g: int) -> Change:
    return lambda x, v: v[g]


def _without(function: Any, params: Any, g: int) -> Change:
    return lambda x, v: function(*x, **params) - v[g]


def _minus(function: Any, params: Any, g: int) -> Change:
    return lambda x, v: function(*x, **params) - 2 * v[g]


def _detached(base: Base) -> Iterator[Edit]:
    """A value is taken for a constant: its cotangent is zero."""
    wiring = base.wiring
    for number, whole in wiring.backward.links.items():
        if type(whole) is not int or whole in wiring.targets or whole not in wiring.made_by:
            continue
        k = wiring.made_by[whole]
        owner = wiring.made_by.get(number, -1)
        if k < wiring.first or owner < 0 or len(wiring.steps[k].outputs) != 1:
            continue
        yield Edit({k: _nothing(base, k)}, "detach", k, other=number, cost=0.1, owner=owner)


def _nothing(base: Base, k: int) -> Change:
    zero = np.zeros_like(base.values[base.wiring.steps[k].outputs[0].number])
    return lambda x, v: zero


def _scaled(base: Base) -> Iterator[Edit]:
    """A cotangent is multiplied by a number or a count on its way."""
    wiring = base.wiring
    lengths: dict[int, str] = {}
    for x in wiring.backward.program.inputs:
        for axis, n in enumerate(np.shape(base.values[x.number])):
            if n > 1:
                lengths.setdefault(n, f"{x.name}.shape[{axis}]")
    for number, whole in wiring.backward.links.items():
        if type(whole) is not int or whole not in wiring.made_by:
            continue
        k = wiring.made_by[whole]
        if k < wiring.first or len(wiring.steps[k].outputs) != 1:
            continue
        function, params = base.function(k), base.params(k)
        owner = wiring.made_by.get(number, -1)
        if len(wiring.steps[k].inputs) == 2 and wiring.steps[k].operation.name == "add":
            for n in (0, 1):
                if wiring.steps[k].inputs[n].number in wiring.flow:
                    yield from _scaled_share(base, k, n, lengths)
        for factor, text in ((-1.0, "-1"), (2.0, "2"), (0.5, "1 / 2")):
            yield Edit({k: _times(function, params, factor)}, "scale", k, other=text, cost=0.3, owner=owner)
        for n, text in lengths.items():
            yield Edit({k: _times(function, params, n)}, "scale", k, other=text, cost=0.35, owner=owner)
            yield Edit({k: _times(function, params, 1 / n)}, "scale", k, other=f"1 / {text}", cost=0.3, owner=owner)


def _scaled_share(base: Base, k: int, n: int, lengths: dict[int, str]) -> Iterator[Edit]:
    """One of the shares that a cotangent is added up from, multiplied or divided by a count."""
    maker = base.wiring.made_by.get(base.wiring.steps[k].inputs[n].number, -1)
    owner = base.wiring.owner.get(maker, -1)
    for length, text in lengths.items():
        yield Edit({k: _one_times(n, length)}, "scale", k, n, text, 0.4, owner=owner)
        yield Edit({k: _one_times(n, 1 / length)}, "scale", k, n, f"1 / {text}", 0.35, owner=owner)


def _one_times(n: int, factor: float) -> Change:
    return lambda x, v: x[1 - n] + x[n] * factor


def _times(function: Any, params: Any, factor: float) -> Change:
    return lambda x, v: function(*x, **params) * factor
