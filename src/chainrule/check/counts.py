"""Names for a factor between a gradient and the exact one: a count of the data, or a plain number."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Factor", "factor_between", "named_factor"]

_CLOSE = 1e-7
_MANY = 12  # lengths of which products of three are not tried


@dataclass(frozen=True, slots=True)
class Factor:
    """What a gradient is multiplied by.

    Attributes:
        text: as it is said: ``"2"``, ``"X.shape[0]"``, ``"1 / X.shape[0]"``.
        constant: the number, where it is the same on all draws.
        above: the names of the lengths that it is multiplied by.
        below: the names of those that it is divided by.
        root: where it is the root of a length, one half, or minus that where it is divided by it.
    """

    text: str
    constant: float | None = None
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    root: float = 0.0


def factor_between(given: np.ndarray, exact: np.ndarray, tolerance: float = _CLOSE) -> float | None:
    """The number ``c`` with ``given == c * exact``, where there is one other than 0."""
    if given.size != exact.size:
        return None
    a, b = np.ravel(given), np.ravel(exact)
    square = float(np.real(np.vdot(b, b)))
    if square <= 0 or not np.isfinite(square):
        return None
    c = float(np.real(np.vdot(b, a))) / square
    if not np.isfinite(c) or abs(c) < 1e-12:
        return None
    if float(np.max(np.abs(a - c * b))) > tolerance * float(np.max(np.abs(a))):
        return None
    return c


_PLAIN = {-1.0: "-1", 2.0: "2", 0.5: "1 / 2", -2.0: "-2", -0.5: "-1 / 2", 4.0: "4", 0.25: "1 / 4", 3.0: "3"}


def named_factor(factors: Sequence[float], lengths: Sequence[Mapping[str, int]]) -> Factor | None:
    """What a factor is, given what it is on several draws and how long the axes are there.

    A factor that changes from draw to draw must be a count; one that does not is a number.
    """
    first = factors[0]
    if all(abs(c - first) <= _CLOSE * abs(first) for c in factors):
        plain_one = any(abs(c - first) <= _CLOSE for c in _PLAIN)
        known = [n for n in _lengths_equal(factors, lengths) if not plain_one or len({d[n] for d in lengths}) > 1]
        inverse = [1 / c for c in factors]
        known += [n for n in _lengths_equal(inverse, lengths) if not plain_one or len({d[n] for d in lengths}) > 1]
        if not known:
            plain, text = next(((c, t) for c, t in _PLAIN.items() if abs(c - first) <= _CLOSE), (first, f"{first:.6g}"))
            return Factor(text, plain)
    names = list(lengths[0])
    logs = {n: np.log([d[n] for d in lengths]) for n in names}
    options: list[tuple[tuple[str, ...], tuple[str, ...]]] = [((n,), ()) for n in names] + [((), (n,)) for n in names]
    options += [((n,), (m,)) for n in names for m in names if n != m]
    options += [((n, m), ()) for k, n in enumerate(names) for m in names[k:]]
    options += [((), (n, m)) for k, n in enumerate(names) for m in names[k:]]
    triples = list(itertools.combinations(names, 3)) if len(names) <= _MANY else []
    options += [((), t) for t in triples] + [(t, ()) for t in triples]
    target = np.log(np.abs(factors))
    sign = np.sign(factors)
    if len(set(sign.tolist())) > 1:
        return None
    if np.all(sign > 0):
        for n in names:
            for power, spelled in ((0.5, f"np.sqrt({n})"), (-0.5, f"1 / np.sqrt({n})")):
                if np.all(np.abs(power * logs[n] - target) <= _CLOSE):
                    return Factor(spelled, None, root=power)
    for constant, text in ((1.0, ""), (2.0, "2 * "), (0.5, "1 / 2 * ")):
        for above, below in options:
            value = sum((logs[n] for n in above), np.zeros(len(factors))) - sum(
                (logs[n] for n in below), np.zeros(len(factors))
            )
            if np.all(np.abs(value + np.log(constant) - target) <= _CLOSE):
                spelled = (" * ".join(above) or "1") + (" / " + " / ".join(below) if below else "")
                c = constant * float(sign[0])
                minus = "-" if sign[0] < 0 else ""
                return Factor(f"{minus}{text}{spelled}", None if c == 1 else c, above, below)
    return None


def _lengths_equal(factors: Sequence[float], lengths: Sequence[Mapping[str, int]]) -> list[str]:
    return [n for n in lengths[0] if all(abs(c - d[n]) <= _CLOSE * d[n] for c, d in zip(factors, lengths, strict=True))]
