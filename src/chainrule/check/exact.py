"""Exact gradients on a draw, and every value of the backward pass on the way."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule.backward import Backward, backward_of
from chainrule.check.draws import Draw
from chainrule.check.forward import Forward, Leaf
from chainrule.errors import TreeError
from chainrule.follow import call
from chainrule.run import value_in, values_of
from chainrule.simplify.rewriting import simplify
from chainrule.traced import Traced

__all__ = ["Exact", "exact_on", "inputs_of", "simplified_form"]

_ULPS = 4.0  # how far the arguments are moved to see how much rounding matters


@dataclass(slots=True, eq=False)
class Exact:
    """The exact gradients on a draw.

    Attributes:
        draw: the draw.
        backward: forward and backward steps, traced on this draw.
        leaves: the arrays that are differentiated.
        values: of every variable of the program, by number.
        gradients: by the name of the leaf.
        noise: how much each gradient moves when the arguments move by a few units in the last place.
        scale: the largest number that the backward pass handles.
    """

    draw: Draw
    backward: Backward
    leaves: tuple[Leaf, ...]
    values: dict[int, Any]
    gradients: dict[str, Any]
    noise: dict[str, float] = field(default_factory=dict)
    scale: float = 1.0

    @property
    def result(self) -> list[Any]:
        """The results of the forward pass."""
        count = len(self.backward.program.outputs) - len(self.backward.gradients)
        return [value_in(x, self.values) for x in self.backward.program.outputs[:count]]


@functools.lru_cache(maxsize=8)
def simplified_form(backward: Backward) -> Backward:
    """The simplified form of a record, which takes long enough to be kept."""
    return simplify(backward)


def inputs_of(forward: Forward, backward: Backward, draw: Draw, moved: np.random.Generator | None = None) -> list[Any]:
    """The inputs of the program on a draw, in float64; moved by a few units in the last place if asked for."""
    found: list[Any] = []
    for leaf, x in zip(forward.leaves, forward.leaves_of(draw.arguments), strict=True):
        if not leaf.is_traced:
            continue
        found.append(_wide(x))
    cotangents = draw.cotangent if isinstance(draw.cotangent, tuple) else (draw.cotangent,)
    if backward.cotangents:
        found += [_wide(g) for g in cotangents]
    if moved is not None:
        step = _ULPS * np.finfo(float).eps
        found = [
            x * (1.0 + step * moved.uniform(-1, 1, np.shape(x))) if np.asarray(x).dtype.kind in "fc" else x
            for x in found
        ]
    return found


def _wide(x: Any) -> Any:
    """An array of floats in double precision."""
    array = np.asarray(x)
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        return array.astype(np.float64)[()]
    return x


def exact_on(
    forward: Forward, draw: Draw, wrt: Sequence[str], backward: Backward | None = None, constant: bool = False
) -> Exact:
    """The exact gradients on a draw, traced on it unless a record is given.

    Args:
        forward: the forward function.
        draw: the arguments and the cotangent.
        wrt: the names of the arguments that are differentiated.
        backward: a record traced on arguments of the same shapes that takes the same steps on these.
        constant: whether the function may decide for a number, as ``max(z, 0.0)`` does, whose gradients are zero.
    """
    if backward is None:
        wide = dict(zip(draw.arguments, _widened(forward, draw), strict=True))
        args, kwargs = forward.split(wide)
        places: list[int | str] = [forward.by_position.index(n) if n in forward.by_position else n for n in wrt]
        with np.errstate(all="ignore"):
            try:
                backward = backward_of(forward.function, args, places, kwargs, forward.of)
            except TreeError:
                if not constant:
                    raise
                function = _zero_gradients(forward.function, places[0])
                backward = backward_of(function, args, places, kwargs, forward.of)
                # What is added stands on no line of the user's.
                steps = tuple(replace(step, position=None) for step in backward.program.steps)
                backward = replace(backward, program=replace(backward.program, steps=steps))
    values = values_of(backward.program, inputs_of(forward, backward, draw))
    leaves = tuple(leaf for n in wrt for leaf in forward.leaves if leaf.argument == n)
    shapes = [np.shape(x) for x in _wanted(forward, draw, wrt)]
    names = [leaf.name for leaf in leaves]
    exact = Exact(draw, backward, leaves, values, _gradients(backward, values, names, shapes))
    steps = backward.program.steps[backward.forward_steps :]
    sizes = [_size(values[out.number]) for step in steps for out in step.outputs]
    exact.scale = max([s for s in sizes if np.isfinite(s)], default=1.0)
    random = np.random.default_rng(7)
    for _ in range(2):
        moved = values_of(backward.program, inputs_of(forward, backward, draw, random))
        for name, g in _gradients(backward, moved, names, shapes).items():
            difference = _size(g - exact.gradients[name])
            exact.noise[name] = max(exact.noise.get(name, 0.0), difference if np.isfinite(difference) else 0.0)
    return exact


def _zero_gradients(function: Callable[..., Any], place: int | str) -> Callable[..., Any]:
    """A function with the same results, in which a number that depends on no argument has gradients, of zero."""

    @functools.wraps(function)
    def given(*args: Any, **kwargs: Any) -> Any:
        result = call(function, *args, **kwargs)
        x = args[place] if isinstance(place, int) else kwargs[place]
        return result + 0.0 * np.sum(x) if isinstance(result, int | float) and isinstance(x, Traced) else result

    return given


def _size(x: Any) -> float:
    array = np.asarray(x)
    return float(np.max(np.abs(array), initial=0.0)) if array.dtype.kind in "fc" else 0.0


def _widened(forward: Forward, draw: Draw) -> list[Any]:
    own = forward.with_leaves([_wide(x) for x in forward.leaves_of(draw.arguments)])
    return [own[n] for n in draw.arguments]


def _wanted(forward: Forward, draw: Draw, wrt: Sequence[str]) -> list[Any]:
    values = list(zip(forward.leaves, forward.leaves_of(draw.arguments), strict=True))
    return [x for n in wrt for leaf, x in values if leaf.argument == n]


def _gradients(
    backward: Backward, values: Mapping[int, Any], names: Sequence[str], shapes: Sequence[tuple[int, ...]]
) -> dict[str, Any]:
    found = {}
    for name, shape, g in zip(names, shapes, backward.gradients, strict=True):
        found[name] = np.array(np.broadcast_to(np.asarray(value_in(g, values)), shape), dtype=None)
    return found
