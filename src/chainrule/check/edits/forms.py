"""Backward passes that people write as one formula: of a softmax, of a normalisation, of centring.

The steps of an exact backward pass follow the forward pass.  People write ``p * (g - sum(g * p))`` and
``r * (g - mean(g) - z * mean(g * z))``, and make their mistakes in these: another axis in one reduction or in all,
a sum for a mean, a reduction left out.  Where such a formula holds for a stretch of the forward pass, its mistakes
are tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Edit
from chainrule.check.edits.segments import Segment

__all__ = ["form_edits"]

_HIGHEST = 4  # axes of an array whose formulas are tried


@dataclass(frozen=True, slots=True)
class Reduction:
    """A sum or a mean in a formula.

    Attributes:
        times: what the gradient is multiplied by before it: ``"1"``, or the name of an array.
        by: what it is multiplied by after it.
        axes: along which it runs.
        mean: whether it is a mean.
        kind: the word for leaving it out.
    """

    times: str
    by: str
    axes: tuple[int, ...]
    mean: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Form:
    """A formula ``scale * (g - by * reduced(g * times) - ...)``.

    Attributes:
        scale: the name of the array in front.
        reductions: what is subtracted.
    """

    scale: str
    reductions: tuple[Reduction, ...]

    def evaluated(self, g: Any, arrays: dict[str, Any]) -> Any:
        """The gradient by the formula."""
        whole = g
        for r in self.reductions:
            reduced = (np.mean if r.mean else np.sum)(g * arrays[r.times], axis=r.axes, keepdims=True)
            whole = whole - arrays[r.by] * reduced
        return arrays[self.scale] * whole


def form_edits(base: Base, segments: Sequence[Segment]) -> Iterator[Edit]:
    """The mistakes in the formulas that hold for stretches of the forward pass."""
    for segment in segments:
        if segment.elementwise:
            continue
        top = base.wiring.backward.links[segment.end]
        exact = base.values[segment.share]
        g = base.values[top]
        for form in _forms(np.ndim(exact)):
            arrays = _arrays(base, segment, form)
            if arrays is None or not _close(form.evaluated(g, arrays), exact):
                continue
            yield from _Mistakes(segment, form, arrays, top, _centring(base, segment)).edits(np.ndim(exact))
            break


def _forms(rank: int) -> Iterator[Form]:
    """The formulas for arrays with so many axes, along all choices of axes."""
    if not 0 < rank <= _HIGHEST:
        return
    for count in range(1, rank + 1):
        for axes in itertools.combinations(range(rank), count):
            yield Form("p", (Reduction("p", "1", axes, False, "softmax_diag_only"),))
            yield Form("1", (Reduction("1", "exp", axes, False, "treats_stat_as_constant"),))
            yield Form("1", (Reduction("1", "1", axes, True, "missing_mean_path"),))
            for mean in (True, False):
                through = Reduction("p", "p", axes, mean, "missing_var_path")
                yield Form("r", (through,))
                yield Form("r", (Reduction("1", "1", axes, True, "missing_mean_path"), through))
            yield Form("r", (Reduction("p", "1", axes, False, "treats_stat_as_constant"),))


def _arrays(base: Base, segment: Segment, form: Form) -> dict[str, Any] | None:
    """What the names of a formula stand for."""
    u, p = np.asarray(base.values[segment.start], float), np.asarray(base.values[segment.end], float)
    found: dict[str, Any] = {"1": 1.0, "p": p, "u": u}
    names = {form.scale, *(n for r in form.reductions for n in (r.times, r.by))}
    if "exp" in names:
        with np.errstate(all="ignore"):
            found["exp"] = np.exp(p)
    if "r" in names:
        axes = form.reductions[-1].axes
        centred = u - np.mean(u, axis=axes, keepdims=True) if len(form.reductions) > 1 else u
        squares = np.sum(centred**2, axis=axes, keepdims=True)
        if not np.all(squares > 0):
            return None
        r = np.sum(p * centred, axis=axes, keepdims=True) / squares
        if not _close(r * centred, p):
            return None
        found["r"] = r
    return found


def _centring(base: Base, segment: Segment) -> int:
    """The forward step that takes the mean of what comes in; the last one of the stretch where there is none."""
    steps = base.wiring.steps
    found = [k for k in segment.forward if steps[k].operation.name in ("mean", "average", "sum")]
    return next((k for k in found if steps[k].inputs[0].number == segment.start), segment.owner)


def _close(a: Any, b: Any) -> bool:
    return bool(np.shape(a) == np.shape(b) and np.all(np.isfinite(a)) and np.allclose(a, b, rtol=1e-8, atol=1e-10))


@dataclass(frozen=True, slots=True)
class _Mistakes:
    """The mistakes in a formula that holds for a stretch."""

    segment: Segment
    form: Form
    arrays: dict[str, Any]
    top: int
    centring: int

    def edits(self, rank: int) -> Iterator[Edit]:
        form = self.form
        axes = form.reductions[0].axes
        for count in range(1, rank + 1):
            for others in itertools.combinations(range(rank), count):
                if others == axes:
                    continue
                everywhere = replace(form, reductions=tuple(replace(r, axes=others) for r in form.reductions))
                yield self.edit(everywhere, "axis", (others, axes, "all"), 0.15, "wrong_axis")
                for n, r in enumerate(form.reductions) if len(form.reductions) > 1 else ():
                    yield self.edit(
                        _with(form, n, replace(r, axes=others)), "axis", (others, axes, n), 0.25, "wrong_axis"
                    )
        for n, r in enumerate(form.reductions):
            yield from self.in_one(n, r)
        if len(form.reductions) > 1:
            yield self.edit(replace(form, reductions=()), "form without", "all", 0.2, "treats_stat_as_constant")
            sums = replace(form, reductions=tuple(replace(r, mean=False) for r in form.reductions))
            yield self.edit(sums, "form count", "all", 0.25, "missing_mean")
        if form.scale != "1":
            yield self.edit(replace(form, scale="1"), "form without", "scale", 0.2, "missing_scale")

    def in_one(self, n: int, r: Reduction) -> Iterator[Edit]:
        """Mistakes in one of the reductions."""
        form = self.form
        without = replace(form, reductions=form.reductions[:n] + form.reductions[n + 1 :])
        yield self.edit(without, "form without", n, 0.15, r.kind)
        kind = "missing_mean" if r.mean else "extra_factor"
        yield self.edit(_with(form, n, replace(r, mean=not r.mean)), "form count", n, 0.25, kind)
        yield self.edit(form, "form sign", n, 0.25, "sign_flipped_term", negated=n)
        for other in ("u", "1", "p"):
            if other != r.times:
                yield self.edit(
                    _with(form, n, replace(r, times=other)), "form times", (n, other), 0.35, "wrong_operand"
                )
            if other != r.by:
                yield self.edit(_with(form, n, replace(r, by=other)), "form by", (n, other), 0.35, "wrong_operand")

    def edit(self, form: Form, word: str, other: Any, cost: float, kind: str, negated: int = -1) -> Edit:
        """A formula in the place of the right one."""
        arrays, top, into = self.arrays, self.top, self.segment.into

        def change(x: Sequence[Any], v: Any) -> Any:
            found = form.evaluated(v[top], arrays)
            if negated >= 0:
                one = replace(form, reductions=(form.reductions[negated],))
                found = found + 2 * (arrays[form.scale] * v[top] - one.evaluated(v[top], arrays))
            return found

        # What is said of the one mean of what comes in belongs to the statement that takes it.
        alone = len(self.form.reductions) == 1 or (isinstance(other, tuple) and other[-1] == 0) or other == 0
        owner = self.centring if alone and self.form.reductions[0].kind == "missing_mean_path" else self.segment.owner
        return Edit({into: change}, word, into, 0, other, cost, kind, owner)


def _with(form: Form, n: int, reduction: Reduction) -> Form:
    return replace(form, reductions=(*form.reductions[:n], reduction, *form.reductions[n + 1 :]))
