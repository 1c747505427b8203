"""The verdict on each gradient, over all draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.check.candidate import Answer
from chainrule.check.exact import Exact
from chainrule.check.forward import Leaf
from chainrule.check.tolerance import allowed, precision_of
from chainrule.errors import ChainruleError
from chainrule.lengths import Symbol
from chainrule.trees import flatten

__all__ = ["Compared", "Trial", "compare", "gradients_in"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One gradient on one draw, compared.

    Attributes:
        ok: whether it is right, in numbers and shape.
        error: the largest error relative to the size of the gradient; infinite where it cannot be compared.
        tolerance: what was allowed, relative.
        given: what the candidate gave, as an array; ``None`` where it gave nothing.
        exact: what is right.
        worst: the index of the worst element.
        numbers: whether the numbers are right, whatever the shape.
        absolute: what was allowed, absolute.
    """

    ok: bool
    error: float
    tolerance: float
    given: Any
    exact: Any
    worst: tuple[int, ...] | None = None
    numbers: bool = False
    absolute: float = 0.0


@dataclass(slots=True)
class Trial:
    """A candidate's answer on a draw, next to the exact gradients.

    Attributes:
        exact: the exact gradients.
        answer: what the candidate answered.
        gradients: the arrays in it, by the name of the leaf.
        compared: each of them, compared.
        lengths: of the axes, where they are not those of the example.
    """

    exact: Exact
    answer: Answer
    gradients: dict[str, Any]
    compared: dict[str, Compared] = field(default_factory=dict)
    lengths: Mapping[Symbol, int] | None = None

    @property
    def label(self) -> str:
        """What kind of draw it is."""
        return self.exact.draw.label

    @property
    def wrong(self) -> list[str]:
        """The names of the gradients that are wrong here."""
        return [n for n, c in self.compared.items() if not c.ok]


def gradients_in(answer: Answer, leaves: Iterable[Leaf]) -> dict[str, Any]:
    """What the candidate gave for each leaf, as arrays; what is no array of numbers is left out."""
    found: dict[str, Any] = {}
    by_argument: dict[str, list[Leaf]] = {}
    for leaf in leaves:
        by_argument.setdefault(leaf.argument, []).append(leaf)
    for name, own in by_argument.items():
        given = answer.gradients.get(name)
        if len(own) == 1 and own[0].name == name:
            if (array := _array(given)) is not None:
                found[name] = array
            continue
        for leaf in own:  # an adapter may name the leaves themselves
            if leaf.name in answer.gradients and (array := _array(answer.gradients[leaf.name])) is not None:
                found[leaf.name] = array
        if given is None:
            continue
        try:
            parts, _ = flatten(given)
        except ChainruleError:
            continue
        if len(parts) == len(own):
            for leaf, part in zip(own, parts, strict=True):
                if (array := _array(part)) is not None:
                    found[leaf.name] = array
    return found


def _array(x: Any) -> Any:
    if x is None:
        return None
    try:
        array = np.asarray(x)
    except Exception:  # an object of the candidate's, whatever it raises
        return None
    if array.dtype == object:
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            return None
    return array if array.dtype.kind in "fciub" else None


def compare(given: Any, exact: Any, noise: float, scale: float) -> Compared:
    """Compare a gradient with the exact one."""
    own = float(np.max(np.abs(exact), initial=0.0))
    if given is None:
        # A gradient that is identically zero may be left out.
        zero = bool(own <= 64 * np.finfo(float).eps * scale)
        return Compared(zero, 0.0 if zero else np.inf, 0.0, None, exact)
    given = np.asarray(given)
    absolute = allowed(exact, noise, scale, precision_of(given))
    relative = absolute / own if own else absolute
    if given.size != exact.size:
        return Compared(False, np.inf, relative, given, exact, absolute=absolute)
    same = given.shape == exact.shape
    shaped = given if same else given.reshape(exact.shape)
    with np.errstate(all="ignore"):
        difference = np.abs(shaped - exact)
    if given.size == 0:
        return Compared(same, 0.0, relative, given, exact, numbers=True, absolute=absolute)
    bad = ~np.isfinite(difference)
    if np.any(bad):
        worst = tuple(int(k) for k in np.unravel_index(int(np.argmax(bad)), exact.shape))
        return Compared(False, np.inf, relative, given, exact, worst, absolute=absolute)
    worst = tuple(int(k) for k in np.unravel_index(int(np.argmax(difference)), exact.shape))
    largest = float(difference[worst])
    numbers = largest <= absolute
    floor = own if own > 64 * np.finfo(float).eps * scale else scale
    error = largest / floor if floor else largest
    if not same:
        # The same numbers in another shape.
        return Compared(False, np.inf, relative, given, exact, worst, numbers=numbers, absolute=absolute)
    return Compared(numbers, error, relative, given, exact, worst, numbers=numbers, absolute=absolute)


def compare_all(trial: Trial) -> Trial:
    """Compare all gradients of a trial."""
    exact = trial.exact
    for leaf in exact.leaves:
        n = leaf.name
        trial.compared[n] = compare(trial.gradients.get(n), exact.gradients[n], exact.noise.get(n, 0.0), exact.scale)
    return trial
