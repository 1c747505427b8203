"""What a wrong gradient has to do with the right one, found by comparing the two alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.check.counts import Factor, factor_between, named_factor
from chainrule.check.findings import Finding
from chainrule.check.judging import Trial
from chainrule.language import Message, message

__all__ = ["factor_finding", "kind_of_factor", "matches", "related", "swapped"]

_CLOSE = 1e-7
Arrays = Sequence[np.ndarray[Any, Any]]


def matches(given: Any, expected: Any, tolerance: float = _CLOSE) -> float | None:
    """How far two arrays of one shape are apart, relative; ``None`` where they are not the same."""
    if np.shape(given) != np.shape(expected):
        return None
    size = max(float(np.max(np.abs(expected), initial=0.0)), float(np.max(np.abs(given), initial=0.0)))
    if size == 0.0:
        return 0.0
    error = float(np.max(np.abs(np.subtract(given, expected)), initial=0.0)) / size
    return error if error <= tolerance else None


def _all(given: Arrays, expected: Iterator[Any] | Sequence[Any]) -> float | None:
    """How far arrays are apart on all draws; ``None`` where they differ on one."""
    worst = 0.0
    try:
        for a, b in zip(given, expected, strict=True):
            error = matches(a, b)
            if error is None:
                return None
            worst = max(worst, error)
    except (ValueError, IndexError, TypeError, ArithmeticError):
        return None
    return worst


def related(name: str, trials: Sequence[Trial], lengths: Sequence[Mapping[str, int]], batch: str) -> list[Finding]:
    """The relations between one wrong gradient and the exact one that hold on all draws.

    Args:
        name: of the gradient.
        trials: draws on which the candidate gave numbers.
        lengths: how long the axes are on each of them.
        batch: what the size of the batch is written as.
    """
    given = [np.asarray(t.gradients[name]) for t in trials]
    exact = [np.asarray(t.exact.gradients[name]) for t in trials]
    found: list[Finding] = []

    def note(kind: str, error: float | None, relation: str | Message, cost: float = 0.0, **details: Any) -> None:
        if error is not None:
            found.append(
                Finding(kind, (name,), details=details, relation=relation, error=error, draws=len(trials), cost=cost)
            )

    if exact[0].ndim == 1:
        for leaf in trials[0].exact.leaves:
            if leaf.name != name and trials[0].exact.gradients[leaf.name].ndim > 1:
                others = [t.exact.gradients[leaf.name] for t in trials]
                note("bias_times_input", _all(given, others), f"candidate == exact {leaf.name}", wrong=leaf.name)
    same_shape = all(a.shape == b.shape for a, b in zip(given, exact, strict=True))
    if not any(np.any(b) for b in exact):
        return found
    shapes: dict[str, Any] = {"wrong": given[0].shape, "right": exact[0].shape}
    if not same_shape:
        if all(a.size == b.size for a, b in zip(given, exact, strict=True)):
            error = _all([a.reshape(b.shape) for a, b in zip(given, exact, strict=True)], exact)
            kind = "shape_keepdims" if _differs_in_ones(given, exact) else "wrong_shape"
            note(kind, error, f"candidate.reshape({name}.shape) == exact", **shapes)
        _reductions(name, given, exact, note)
        scalars = all(a.size == 1 for a in given)
        if scalars:
            note(
                "summed_all_axes",
                _all([a.reshape(()) for a in given], [b.sum() for b in exact]),
                "candidate == exact.sum()",
            )
    else:
        note("zero_gradient", 0.0 if not any(np.any(a) for a in given) else None, "candidate == 0", 1.0)
        spread = [np.broadcast_to(b.sum(), b.shape) for b in exact]
        if any(b.size > 1 for b in exact):
            note("summed_all_axes", _all(given, spread), "candidate == exact.sum()")
        found += factor_finding(name, given, exact, lengths, batch, len(trials))
        if _truncated(given, exact):
            whole = all(a.dtype.kind in "iu" for a in given)
            note("int_truncation", 0.0, "candidate == np.trunc(exact)", -2.0 if whole else -0.6)
        decimals = _rounded(given, exact)
        if decimals is not None:
            text = f"np.round(exact, {decimals})"
            note("low_precision", 0.0, f"candidate == {text}", -3.0, wrong=text)
        if all(_in_half_precision(a, b) for a, b in zip(given, exact, strict=True)):
            note("low_precision", 1e-3, message("candidate == exact, to the precision of {kind}", kind="float16"), -1.0)
        _differences(given, exact, trials, lengths, note)
    _moved_axes(given, exact, note)
    return found


def _differs_in_ones(given: Arrays, exact: Arrays) -> bool:
    return all(
        [n for n in a.shape if n != 1] == [n for n in b.shape if n != 1] for a, b in zip(given, exact, strict=True)
    )


def _in_half_precision(given: Any, exact: Any) -> bool:
    size = float(np.max(np.abs(exact), initial=0.0))
    close = float(np.max(np.abs(given - exact), initial=0.0)) <= 8 * float(np.finfo(np.float16).eps) * size
    with np.errstate(all="ignore"):
        return close and (given.dtype == np.float16 or np.array_equal(given.astype(np.float16), given))


def _differences(
    given: Arrays,
    exact: Arrays,
    trials: Sequence[Trial],
    lengths: Sequence[Mapping[str, int]],
    note: Callable[..., None],
) -> None:
    """Whether what is too much, or too little, is a multiple of an argument, as the gradient of a penalty is."""
    for leaf in trials[0].exact.leaves:
        values = []
        for t, b in zip(trials, exact, strict=True):
            place = next(k for k, other in enumerate(t.exact.leaves) if other.name == leaf.name)
            x = t.exact.values.get(t.exact.backward.wrt[place].number)
            if x is None or np.shape(x) != b.shape:
                break
            values.append(np.asarray(x))
        if len(values) < len(trials):
            continue
        factors = [factor_between(a - b, x, 1e-6) for a, b, x in zip(given, exact, values, strict=True)]
        known = [f for f in factors if f is not None]
        if len(known) < len(factors):
            continue
        text = _constant_text(known, lengths)
        if text is None:
            continue
        term = f"{text} * {leaf.name}"
        if known[0] > 0:
            note("extra_term", 1e-9, f"candidate - exact == {term}", 0.0, wrong=term)
        else:
            note("missing_reg_grad", 1e-9, f"exact - candidate == {term.lstrip('-')}", 0.0, right=term.lstrip("-"))


def _constant_text(factors: Sequence[float], lengths: Sequence[Mapping[str, int]]) -> str | None:
    """A factor that is one number on all draws, or one number divided by a length."""
    for name in ("", *lengths[0]):
        scaled = [f * (d[name] if name else 1) for f, d in zip(factors, lengths, strict=True)]
        if max(scaled) - min(scaled) <= 1e-6 * abs(scaled[0]):
            return f"{scaled[0]:.4g}" + (f" / {name}" if name else "")
    return None


def _truncated(given: Arrays, exact: Arrays) -> bool:
    whole = all(np.all(a == np.round(a)) for a in given)
    if not whole or not any(np.any(b != np.round(b)) for b in exact):
        return False
    return all(np.array_equal(a, np.trunc(b)) for a, b in zip(given, exact, strict=True))


def _rounded(given: Arrays, exact: Arrays) -> int | None:
    """To how many decimals the right gradient was rounded, if that is all."""
    for decimals in range(9):
        rounded = [np.round(b, decimals) for b in exact]
        told = all(len(np.unique(b)) > 2 for b in rounded)
        if told and all(np.allclose(a, b, rtol=0, atol=1e-12) for a, b in zip(given, rounded, strict=True)):
            return decimals if any(np.any(a != b) for a, b in zip(rounded, exact, strict=True)) else None
    return None


def _reductions(name: str, given: Arrays, exact: Arrays, note: Callable[..., None]) -> None:
    """Gradients that were not summed over the axes that were broadcast."""
    if all(a.size == b.size for a, b in zip(given, exact, strict=True)):
        return
    bias = len(exact[0].shape) <= 1 or all(n == 1 for n in exact[0].shape[:-1])
    kind = "bias_not_summed" if bias else "broadcast_not_reduced"
    for over in _axes_over(given, exact):
        axis = over[0] if len(over) == 1 else over
        summed = [a.sum(axis=over).reshape(b.shape) for a, b in zip(given, exact, strict=True)]
        error = _all(summed, exact)
        if error is not None:
            note(kind, error, f"candidate.sum(axis={axis}) == exact", axis=axis, operand=name)
            return


def _axes_over(given: Arrays, exact: Arrays) -> list[tuple[int, ...]]:
    """The axes without which gradients have the shapes of the exact ones, the first axes first."""
    more = given[0].ndim - exact[0].ndim
    if more < 0 or any(a.ndim - b.ndim != more for a, b in zip(given, exact, strict=True)):
        return []
    found: list[tuple[int, ...]] = []
    for gone in itertools.combinations(range(given[0].ndim), more):
        kept = [k for k in range(given[0].ndim) if k not in gone]
        ones = [k for n, k in enumerate(kept) if all(b.shape[n] == 1 for b in exact)]
        over = tuple(sorted({*gone, *(k for k in ones if any(a.shape[k] != 1 for a in given))}))
        left = [[n for k, n in enumerate(a.shape) if k not in over] for a in given]
        if over and all(
            n == [m for k, m in zip(kept, b.shape, strict=True) if k not in over]
            for n, b in zip(left, exact, strict=True)
        ):
            found.append(over)
    return found


def factor_finding(
    name: str, given: Arrays, exact: Arrays, lengths: Sequence[Mapping[str, int]], batch: str, draws: int
) -> list[Finding]:
    """The finding that a gradient is a multiple of the exact one, by a number or by a count of the data."""
    factors = [factor_between(a, b) for a, b in zip(given, exact, strict=True)]
    known = [f for f in factors if f is not None]
    if len(known) != len(factors) or not known:
        return []
    if all(abs(c - 1.0) < 1e-6 for c in known):
        return []
    factor = named_factor(known, lengths)
    if factor is None:
        return []
    relation = f"candidate == {factor.text} * exact"
    count = len(factor.above) + len(factor.below)
    negative = count == 1 and factor.constant == -1.0  # a sign and a count are two mistakes
    if negative:
        factor = replace(factor, constant=None, text=factor.text.removeprefix("-"))
    kinds = [kind_of_factor(factor, batch, lengths), *([("sign_flipped", {})] if negative else [])]
    return [
        Finding(
            kind,
            (name,),
            details=details,
            relation=relation,
            error=1e-15,
            draws=draws,
            cost=0.2 * count,
            factored=True,
        )
        for kind, details in kinds
    ]


def kind_of_factor(factor: Factor, batch: str, lengths: Sequence[Mapping[str, int]]) -> tuple[str, dict[str, Any]]:
    """The word for a factor, and what its sentences want to know."""
    details: dict[str, Any] = {"factor": factor.text}
    if factor.root > 0:
        return "missing_scale", {"factor": f"1 / {factor.text}"}
    if factor.root < 0:
        return "extra_factor", details
    lengths_of = [*factor.above, *factor.below]
    if len(lengths_of) == 1 and factor.constant is None and not factor.text.startswith("-"):
        count = lengths_of[0]
        details["count"] = message("{length} = {number}", length=count, number=lengths[0][count])
        if factor.above:
            return ("missing_batch_mean" if count == batch else "missing_mean"), details
        return ("extra_batch_mean" if count == batch else "wrong_count"), details
    if lengths_of:
        return "wrong_count", {
            **details,
            "wrong": " * ".join(factor.below) or "1",
            "right": " * ".join(factor.above) or "1",
        }
    if factor.constant == -1.0:
        return "sign_flipped", {}
    if factor.constant == 0.5:
        return "factor_2_missing", {}
    return "extra_factor", details


def _moved_axes(given: Arrays, exact: Arrays, note: Callable[..., None]) -> None:
    """Gradients with their axes in another order, or read from the other end."""
    rank = exact[0].ndim
    if 2 <= rank <= 4:
        for axes in itertools.permutations(range(rank)):
            if axes == tuple(range(rank)):
                continue
            text = ".T" if rank == 2 else f".transpose{axes}"
            note("transposed", _all(given, [np.transpose(b, axes) for b in exact]), f"candidate == exact{text}", -0.6)
        if rank == 2:
            turned = [b.T.reshape(b.shape) for b in exact]
            note("reshape_instead_of_transpose", _all(given, turned), "candidate == exact.T.reshape(exact.shape)")
            turned = [b.reshape(b.shape[::-1]).T for b in exact]
            note("reshape_instead_of_transpose", _all(given, turned), "candidate == exact.reshape(...).T")
    for axis in range(rank):
        if all(b.shape[axis] > 1 for b in exact):
            note(
                "not_reversed",
                _all(given, [np.flip(b, axis) for b in exact]),
                f"candidate == np.flip(exact, {axis})",
                0.4,
            )


def swapped(trials: Sequence[Trial], wrong: Sequence[str]) -> list[Finding]:
    """Gradients that were returned in place of each other."""
    found: list[Finding] = []
    for a, b in itertools.combinations(wrong, 2):
        one = [np.asarray(t.gradients[a]) for t in trials if a in t.gradients and b in t.gradients]
        other = [np.asarray(t.gradients[b]) for t in trials if a in t.gradients and b in t.gradients]
        if len(one) != len(trials):
            continue
        first = _all(one, [t.exact.gradients[b] for t in trials])
        second = _all(other, [t.exact.gradients[a] for t in trials])
        if first is not None and second is not None:
            relation = message("{a} of the candidate == exact {b}", a=a, b=b)
            found.append(
                Finding("swapped_outputs", (a, b), relation=relation, error=max(first, second), draws=len(trials))
            )
    return found
