"""What an array of the candidate's is: a value of the forward pass, or the exact gradient of one, or a known multiple.

Values decide, on several draws; names only say what a value was meant to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.ir import Const, Var

__all__ = ["Known", "Match", "References", "is_close", "references_of", "stretches"]

_CLOSE = 1e-9
_MANY = 16  # elements that are compared
_WEIGHTS = np.random.default_rng(7).standard_normal(_MANY)  # of the elements, in the sum that stands for all of them
_FEW = 8  # arrays that are compared one by one


@dataclass(frozen=True, slots=True)
class Known:
    """A value that is known, on each draw.

    Attributes:
        role: ``"value"`` of the forward pass, ``"gradient"`` of one, or ``"share"`` of the backward pass on its way.
        number: of the variable of the forward pass; of the backward one, for a share.
        name: of that variable; empty where it has none.
        values: on each draw.
    """

    role: str
    number: int
    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """What an array is known to be.

    Attributes:
        known: what it is.
        factor: what it is multiplied by, the same for each element.
        transposed: whether it is the transpose.
        exact: whether it is that itself.
    """

    known: Known
    factor: float = 1.0
    transposed: bool = False

    @property
    def exact(self) -> bool:
        return self.factor == 1.0 and not self.transposed


def is_close(a: Any, b: Any, scale: float = 0.0) -> bool:
    """Whether two arrays of one shape are equal up to rounding."""
    if np.shape(a) != np.shape(b):
        return False
    if not np.size(a):
        return True
    with np.errstate(all="ignore"):
        difference = np.max(np.abs(np.subtract(a, b, dtype=_wide(a, b))))
        size = max(float(np.max(np.abs(b))), scale)
    return bool(np.isfinite(difference) and difference <= _CLOSE * size)


def _sample(x: Any) -> Any:
    """A few elements of an array."""
    flat = np.ravel(x)
    return np.real(flat[[0, len(flat) // 2, len(flat) // 3, -1]]).astype(float) if len(flat) else np.zeros(4)


def _spread(x: Any) -> Any:
    """More elements of an array, from all over it."""
    flat = np.ravel(x)
    return flat[np.linspace(0, len(flat) - 1, _MANY).astype(int)] if len(flat) else np.zeros(_MANY)


def stretches(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether an array of a shape can be stretched to another one."""
    return len(shape) <= len(other) and all(a in (1, b) for a, b in zip(reversed(shape), reversed(other), strict=False))


def _wide(*arrays: Any) -> Any:
    return np.result_type(*(np.asarray(a).dtype for a in arrays), np.float64)


@dataclass(slots=True)
class References:
    """All that is known about the forward pass and its exact backward pass, on several draws.

    Attributes:
        backward: the record of the first draw.
        known: gradients first, then values, then shares.
        gradients: of forward variables, by number.
        numbers: the forward variables of each name, in the order in which they are assigned.
        named: the names of those whose gradients are known.
    """

    backward: Backward
    known: list[Known] = field(default_factory=list)
    gradients: dict[int, Known] = field(default_factory=dict)
    numbers: dict[str, list[int]] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    _by_shape: dict[tuple[int, ...], list[Known]] = field(default_factory=dict)
    _samples: dict[tuple[int, ...], Any] = field(default_factory=dict)
    _spread: dict[tuple[int, ...], tuple[Any, Any]] = field(default_factory=dict)
    _factors: dict[tuple[tuple[int, ...], bytes], bool] = field(default_factory=dict)

    def add(self, known: Known) -> None:
        """Add what is known."""
        self.known.append(known)
        self._by_shape.setdefault(np.shape(known.values[0]), []).append(known)
        if known.role == "gradient":
            self.gradients[known.number] = known

    def match(self, values: Sequence[Any]) -> Match | None:
        """What an array is, given what it is on each draw; ``None`` if that is not known."""
        shape = np.shape(values[0])
        if len({np.ndim(v) for v in values}) > 1:
            return None
        for known in self._near(shape, values[0]):
            if all(is_close(v, w) for v, w in zip(values, known.values, strict=True)):
                return Match(known)
        if not shape:
            return None
        if len(shape) == 2:
            for known in self._near(shape[::-1], np.transpose(values[0])):
                if all(is_close(np.transpose(v), w) for v, w in zip(values, known.values, strict=True)):
                    return Match(known, transposed=True)
        if np.asarray(values[0]).dtype.kind != "f":
            return None
        for known in self._near(shape, values[0], scaled=True):
            factor = self.factor(values, known) if known.role == "gradient" else None
            if factor is not None:
                return Match(known, factor)
        return None

    def _near(self, shape: tuple[int, ...], value: Any, scaled: bool = False) -> list[Known]:
        """What can be an array, or a multiple of it, as far as a few of its elements tell."""
        known = self._by_shape.get(shape, [])
        if len(known) < _FEW:
            return known
        if shape not in self._samples or len(self._samples[shape][0]) < len(known):
            first = [np.asarray(k.values[0]) for k in known]
            with np.errstate(all="ignore"):
                sizes = np.array([np.max(np.abs(x), initial=0.0) for x in first], float)
            self._samples[shape] = np.array([_sample(x) for x in first]), sizes
        samples, sizes = self._samples[shape]
        own = _sample(np.asarray(value))
        with np.errstate(all="ignore"):
            if scaled:
                factors = own[:1] / samples[:, :1]
                off = np.abs(own - factors * samples) > 1e-6 * np.abs(factors) * sizes[:, None]
                far = np.any(off, axis=1) & np.isfinite(factors[:, 0])
            else:
                far = np.any(~(np.abs(samples - own) <= 2 * _CLOSE * sizes[:, None]), axis=1)
        return [known[k] for k in np.flatnonzero(~far)]

    def is_factor(self, value: Any) -> bool:
        """Whether some gradient of the first draw times an array is another one, as far as a few elements tell."""
        array = np.asarray(value, float)
        key = (array.shape, array.tobytes())
        if key not in self._factors:
            shapes = [s for s in self._by_shape if s and stretches(array.shape, s)]
            self._factors[key] = any(self._is_factor(np.broadcast_to(array, s)) for s in shapes)
        return self._factors[key]

    def is_gradient(self, value: Any) -> bool:
        """Whether an array is a gradient of the first draw, or a share of one, as far as a few elements tell."""
        array = np.asarray(value)
        if array.dtype.kind != "f" or array.shape not in self._by_shape:
            return False
        return self._among(array.shape, _spread(array)[None])

    def _is_factor(self, value: Any) -> bool:
        samples, _ = self._known_sums(value.shape)
        own = _spread(value)
        with np.errstate(all="ignore"):
            return not np.all(own == 1) and self._among(value.shape, samples * own)

    def _known_sums(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Elements of the gradients of a shape, and sums that stand for them, in order."""
        if shape not in self._spread:
            rows = [np.asarray(k.values[0]) for k in self._by_shape[shape] if k.role != "value"]
            spread = np.array([_spread(x) for x in rows if x.dtype.kind == "f"]).reshape(-1, _MANY)
            self._spread[shape] = spread, np.sort(spread @ _WEIGHTS)
        return self._spread[shape]

    def _among(self, shape: tuple[int, ...], rows: Any) -> bool:
        """Whether one of these rows of elements is that of a gradient."""
        _, sums = self._known_sums(shape)
        if not len(sums):
            return False
        with np.errstate(all="ignore"):
            found, far = rows @ _WEIGHTS, 1e-10 * (np.abs(rows) @ np.abs(_WEIGHTS))
        above = np.minimum(np.searchsorted(sums, found - far), len(sums) - 1)
        return bool(np.any((np.abs(sums[above] - found) <= far) & (far > 0)))

    def factor(self, values: Sequence[Any], known: Known) -> float | None:
        """What a known value is multiplied by, if each draw has one factor for all elements; of the first draw."""
        factors = [_factor(v, w) for v, w in zip(values, known.values, strict=True)]
        return None if any(f is None for f in factors) else factors[0]

    def relation(self, values: Sequence[Any], known: Known) -> Match | None:
        """How an array relates to one known value; ``None`` if it is neither that nor a multiple nor its transpose."""
        pairs = list(zip(values, known.values, strict=True))
        if all(is_close(v, w) for v, w in pairs):
            return Match(known)
        if all(np.ndim(v) == 2 and is_close(np.transpose(v), w) for v, w in pairs):
            return Match(known, transposed=True)
        factor = self.factor(values, known) if all(np.shape(v) == np.shape(w) for v, w in pairs) else None
        return None if factor is None else Match(known, factor)


def _factor(value: Any, known: Any) -> float | None:
    if np.shape(value) != np.shape(known) or np.size(known) < 2 or np.asarray(known).dtype.kind != "f":
        return None
    if np.asarray(value).dtype.kind != "f":
        return None
    place = int(np.argmax(np.abs(known)))
    there = np.ravel(known)[place]
    if not np.isfinite(there) or there == 0:
        return None
    factor = float(np.ravel(value)[place] / there)
    if not np.isfinite(factor) or factor == 0 or not is_close(value, np.multiply(factor, known)):
        return None
    return factor


def references_of(backward: Backward, values: Sequence[Mapping[int, Any]]) -> References:
    """What is known about a forward pass.

    Args:
        backward: the record.
        values: of all of its variables, on each draw.
    """
    found = References(backward)
    program, split = backward.program, backward.forward_steps
    forward: list[Var | Const] = [x for x in program.inputs if x not in backward.cotangents]
    forward += [out for step in program.steps[:split] for out in step.outputs]
    names = {x.number: x.name or "" for x in forward}
    for number, name in names.items():
        if name:
            found.numbers.setdefault(name, []).append(number)
    # What has a name, and of that what comes later, is what a person means.
    for number, name in sorted(names.items(), key=lambda item: (not item[1], -item[0])):
        link = backward.links.get(number)
        if link is None and number not in {x.number for x in backward.wrt}:
            continue
        gradients = [_gradient(backward, number, link, v) for v in values]
        if all(g is not None for g in gradients):
            found.add(Known("gradient", number, name, tuple(gradients)))
    for c in backward.cotangents:
        if c.number not in found.gradients and c.number in backward.likes:
            number = backward.likes[c.number]
            if number not in found.gradients:
                found.add(Known("gradient", number, names.get(number, ""), tuple(v[c.number] for v in values)))
    for x in [*forward, *program.constants]:
        found.add(Known("value", x.number, x.name or "", tuple(v[x.number] for v in values)))
    for step in program.steps[split:]:
        for out in step.outputs:
            found.add(Known("share", out.number, "", tuple(v[out.number] for v in values)))
    found.named = tuple(name for name, own in found.numbers.items() if not found.gradients.keys().isdisjoint(own))
    return found


def _gradient(backward: Backward, number: int, link: Any, values: Mapping[int, Any]) -> Any:
    """The whole gradient of a forward variable on a draw."""
    if link is None:
        place = next(k for k, x in enumerate(backward.wrt) if x.number == number)
        gradient = backward.gradients[place]
        link = gradient.value if isinstance(gradient, Const) and gradient.number < 0 else gradient.number
    value = values.get(link) if type(link) is int else link
    if value is None:
        return None
    try:
        return np.broadcast_to(np.asarray(value), np.shape(values[number]))
    except ValueError:
        return None
