"""Stretches of the forward pass that people differentiate in one go: an activation, a softmax.

Of such a stretch from ``u`` to ``v`` of the same shape the gradient is ``dv`` times a local derivative.  What is
often written in its place is tried: the derivative at ``v``, the activation itself, nothing, the derivative twice, the
diagonal of the Jacobian alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Change, Edit
from chainrule.ir import Step

__all__ = ["Segment", "applied_again", "segment_edits", "segments_of"]

_LONGEST = 14  # forward steps of a stretch
_LARGEST = 150  # elements of a value whose Jacobian is worked out


_POWERS = frozenset("power divide reciprocal square sqrt multiply negative cbrt".split())
_LINEAR = frozenset("multiply divide add subtract negative identity copy transpose reshape sum mean".split())


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A stretch of the forward pass.

    Attributes:
        start: the number of the variable that it begins with.
        end: that of the variable that it ends with, of the same shape.
        forward: the numbers of its forward steps.
        backward: the numbers of the backward steps that take the cotangent of the end to that of the start.
        into: the backward step that makes the cotangent of the start.
        share: the variable that holds the share of that cotangent that comes through the segment.
        elementwise: whether each element of the end depends on one of the start alone.
        local: the local derivative, where it is elementwise; the diagonal of the Jacobian elsewhere, if that is small.
        owner: the forward step that the segment belongs to.
        functions: the names of its operations.
    """

    start: int
    end: int
    forward: tuple[int, ...]
    backward: tuple[int, ...]
    into: int
    share: int
    elementwise: bool
    local: Any
    owner: int
    functions: frozenset[str] = frozenset()

    @property
    def is_activation(self) -> bool:
        """Whether it bends: whether there is more to it than factors and terms."""
        return bool(self.functions - _LINEAR)


def segments_of(base: Base) -> list[Segment]:
    """The stretches between values of one shape such that all of the first one's influence goes through the second."""
    wiring = base.wiring
    links = wiring.backward.links
    found: list[Segment] = []
    readers = {n: [k for k in used if k < wiring.first] for n, used in wiring.used_by.items()}
    for start in list(links):
        shape = np.shape(base.values[start]) if start in base.values else ()
        if not shape or type(links[start]) is not int or not _is_boundary(base, start, False):
            continue
        frontier = {start}
        steps: set[int] = set()
        ends = 0
        while len(steps) < _LONGEST and ends < 3:
            waiting = sorted({k for n in frontier for k in readers.get(n, ()) if k not in steps})
            if not waiting:
                break
            k = waiting[0]
            steps.add(k)
            frontier |= {out.number for out in wiring.steps[k].outputs if out.number in links}
            frontier = {
                n for n in frontier if any(j not in steps for j in readers.get(n, ())) or n == _last(wiring, steps)
            }
            if len(frontier) == 1:
                (end,) = frontier
                if (
                    end != start
                    and _is_boundary(base, end, True)
                    and np.shape(base.values[end]) == shape
                    and type(links.get(end)) is int
                ):
                    segment = _segment(base, start, end, steps)
                    if segment is not None:
                        found.append(segment)
                        ends += 1
    shortest: dict[tuple[int, Any], Segment] = {}
    for segment in sorted(found, key=lambda s: len(s.forward)):
        shortest.setdefault((segment.into, links[segment.end]), segment)
    return [segment for segment in found if shortest[segment.into, links[segment.end]] is segment]


def _is_boundary(base: Base, number: int, end: bool) -> bool:
    """Whether a value is one that people have in mind: it has a name, or it passes from one line to another."""
    wiring = base.wiring
    x = wiring.variables.get(number)
    if x is None or x.name is not None or number not in wiring.made_by:
        return True
    maker = wiring.steps[wiring.made_by[number]]
    if not end and _is_linear(base, number):
        return True
    uses = [wiring.steps[k] for k in wiring.used_by.get(number, ()) if k < wiring.first]
    return not uses or any(_line(u) != _line(maker) for u in uses)


def _is_linear(base: Base, number: int, depth: int = 4) -> bool:
    """Whether a value is read from an array or a product, or a sum of such: what an activation is taken of."""
    maker = base.wiring.made_by.get(number)
    if maker is None:
        return False
    step = base.wiring.steps[maker]
    if step.operation.name in ("matmul", "dot", "einsum", "getitem", "concatenate"):
        return True
    adds = step.operation.name in ("add", "subtract") and depth > 0
    return adds and any(_is_linear(base, x.number, depth - 1) for x in step.inputs if x.number >= 0)


def _line(step: Step) -> Any:
    return None if step.position is None else (step.position.function, step.position.line)


def _last(wiring: Any, steps: set[int]) -> int:
    return int(wiring.steps[max(steps)].outputs[0].number)


def _segment(base: Base, start: int, end: int, forward: set[int]) -> Segment | None:
    wiring = base.wiring
    links = wiring.backward.links
    top, bottom = links[end], links[start]
    if top == bottom or bottom not in wiring.made_by:
        return None
    # The shares of the start's cotangent all come through steps of the segment.
    shares = wiring.backward.contributions.get(start, ())
    if not shares or any(owner not in forward for owner, _ in shares):
        return None
    dependent = {top}
    backward: list[int] = []
    into = wiring.made_by[bottom]
    if into < wiring.first:
        return None
    for k in range(wiring.first, into + 1):
        if any(x.number in dependent for x in wiring.steps[k].inputs):
            backward.append(k)
            dependent.update(out.number for out in wiring.steps[k].outputs)
    needed: list[int] = []
    wanted = {bottom}
    for k in reversed(backward):
        if any(out.number in wanted for out in wiring.steps[k].outputs):
            needed.append(k)
            wanted.update(x.number for x in wiring.steps[k].inputs)
    needed.reverse()
    if not needed or np.shape(base.values[bottom]) != np.shape(base.values[start]):
        return None
    pull = _pullback(base, top, bottom, needed)
    shape = np.shape(base.values[end])
    random = np.random.default_rng(5)
    try:
        local = pull(np.ones(shape))
        elementwise = all(
            np.allclose(pull(g), g * local, rtol=1e-9, atol=1e-300) for g in random.standard_normal((2, *shape))
        )
        if not elementwise:
            local = _diagonal(pull, shape) if np.size(base.values[start]) <= _LARGEST else None
    except (ValueError, TypeError, IndexError, FloatingPointError):
        return None
    owner = max(forward)
    if local is not None and not np.all(np.isfinite(local)):
        return None
    functions = frozenset(wiring.steps[k].operation.name for k in forward)
    return Segment(
        start, end, tuple(sorted(forward)), tuple(needed), into, bottom, elementwise, local, owner, functions
    )


def _pullback(base: Base, top: int, bottom: int, needed: Sequence[int]) -> Callable[[Any], Any]:
    def pull(g: Any) -> Any:
        over = {top: g}
        for k in needed:
            function, _, params, outputs = base._compiled[k]
            result = function(*base.operands(k, over), **params)
            for number, part in zip(outputs, result if len(outputs) > 1 else (result,), strict=True):
                over[number] = part
        return np.broadcast_to(over[bottom], np.shape(g)) if np.shape(over[bottom]) != np.shape(g) else over[bottom]

    return pull


def _diagonal(pull: Callable[[Any], Any], shape: tuple[int, ...]) -> Any:
    """The diagonal of the Jacobian."""
    diagonal = np.zeros(shape)
    for place in np.ndindex(*shape):
        unit = np.zeros(shape)
        unit[place] = 1.0
        diagonal[place] = pull(unit)[place]
    return diagonal


def _local_at_end(base: Base, segment: Segment) -> Any:
    """The local derivative with the end of the segment in place of its start; ``None`` where it is not finite."""
    wiring = base.wiring
    top = wiring.backward.links[segment.end]
    over: dict[int, Any] = {segment.start: base.values[segment.end], top: np.ones(np.shape(base.values[segment.end]))}
    for k in (*segment.forward, *range(wiring.first, segment.into + 1)):
        function, operands, params, outputs = base._compiled[k]
        if top in outputs or not any(number in over for number, _ in operands):
            continue
        try:
            with np.errstate(all="ignore"):
                result = function(*base.operands(k, over), **params)
        except (ValueError, TypeError, IndexError):
            return None
        for number, part in zip(outputs, result if len(outputs) > 1 else (result,), strict=True):
            over[number] = part
    found = over.get(segment.share)
    return found if found is not None and np.all(np.isfinite(found)) else None


def segment_edits(base: Base, segments: Sequence[Segment], word: str = "") -> Iterator[Edit]:
    """What is often written in place of the local derivative of a segment.

    Args:
        base: the backward pass.
        segments: its stretches.
        word: of the edits that are wanted, where that is known: to compare all formulas takes long.
    """
    for segment in segments:
        into, owner = segment.into, segment.owner
        top = base.wiring.backward.links[segment.end]

        def edit(word: str, other: str, cost: float, change: Change, k: int = into, o: int = owner) -> Edit:
            return Edit({k: change}, word, k, other=other, cost=cost, owner=o)

        kind = _dropped_kind(segment)
        cost = 0.05 if segment.elementwise else 0.45
        yield replace(edit("local dropped", "1", cost, _fixed(top, 1.0)), kind=kind)
        # What falls where its argument rises, as in 1 / (1 + exp(-x)), has a sign that belongs to another factor.
        sign = -1.0 if segment.elementwise and np.all(segment.local <= 0) else 1.0
        if sign < 0 and segment.is_activation:
            yield replace(edit("local dropped", "-1", cost + 0.05, _fixed(top, -1.0)), kind=kind)
        if not segment.elementwise:
            diagonal = "softmax_diag_only" if "exp" in segment.functions else "treats_stat_as_constant"
            if segment.local is not None:
                yield replace(edit("diagonal", "", 0.05, _fixed(top, segment.local)), kind=diagonal)
            continue
        if not segment.is_activation:
            continue
        at_end = _local_at_end(base, segment) if word in ("", "local at end") else None
        if at_end is not None:
            yield edit("local at end", "f'(a)", 0.05, _fixed(top, at_end))
        local = segment.local
        yield edit("local twice", "f'(z)**2", 0.1, _fixed(top, local * np.abs(local)))
        formulas = list(_compared(base, segment, sign)) if word in ("", "local is") else []
        for (text, cost, formula), right, nothing in formulas:
            for name, number in (("a", segment.end), ("z", segment.start)):
                if right[number] or nothing[number]:
                    continue
                kind = ""
                if right[segment.end] or right[segment.start]:
                    kind = "uses_pre_activation_wrongly" if name == "z" else "uses_post_activation_wrongly"
                elif text == "{x} < 0" and set(np.unique(local).tolist()) <= {0.0, 1.0}:
                    kind = "inverted_mask"
                elif segment.functions <= _POWERS:
                    kind = "wrong_power"
                elif text == "{x}" and name == "a":
                    last = base.wiring.steps[owner].operation.name
                    kind = "missing_inner_derivative" if last == "exp" else "activation_for_derivative"
                change = _formula(top, formula, number, sign)
                yield replace(edit("local is", text.format(x=name), cost, change), kind=kind)


def _dropped_kind(segment: Segment) -> str:
    if not segment.elementwise:
        return "missing_path" if not segment.is_activation else ""
    if not segment.is_activation:
        return "sign_flipped_term" if np.all(segment.local == -1) else "missing_scale"
    if segment.functions & {"maximum", "where", "fmax"}:
        return "missing_relu_mask"
    if segment.functions <= {"log"} | _LINEAR:
        return "missing_log_derivative"
    return "missing_activation_grad"


def _compared(base: Base, segment: Segment, sign: float) -> Iterator[tuple[Any, dict[int, bool], dict[int, bool]]]:
    """The formulas, each with whether it is right of the end or the start of a segment, and whether it is 1 there."""
    wanted, ones = sign * segment.local, np.ones(np.shape(segment.local))
    numbers = (segment.end, segment.start)
    with np.errstate(all="ignore"):
        for row in _FORMULAS:
            right = {n: _is(row[2], base.values[n], wanted) for n in numbers}
            yield row, right, {n: _is(row[2], base.values[n], ones) for n in numbers}


def _is(formula: Callable[[Any], Any], x: Any, local: Any) -> bool:
    if np.size(x) > 1 and np.shape(x) == np.shape(local):  # most differ in the first element already
        first = local.flat[0]
        if not abs(formula(x.flat[0]) - first) <= 1e-9 * abs(first) + 1e-12:
            return False
    return bool(np.all(np.abs(formula(x) - local) <= 1e-9 * np.abs(local) + 1e-12))


def _fixed(top: int, value: Any) -> Change:
    return lambda x, v: v[top] * value


def _formula(top: int, formula: Callable[[Any], Any], number: int, sign: float) -> Change:
    return lambda x, v: v[top] * (sign * formula(v[number]))


# What people take for the derivative of an activation, of its input z or its output a.
_FORMULAS: tuple[tuple[str, float, Callable[[Any], Any]], ...] = (
    ("{x}**2 * (1 - {x})", 0.35, lambda x: x * x * (1 - x)),
    ("{x} * (1 - {x})**2", 0.35, lambda x: x * (1 - x) ** 2),
    ("{x} * (1 - {x}**2)", 0.35, lambda x: x * (1 - x * x)),
    ("(1 - {x})**2", 0.35, lambda x: (1 - x) ** 2),
    ("{x} * (1 + {x})", 0.35, lambda x: x * (1 + x)),
    ("{x} * (1 - {x})", 0.1, lambda x: x * (1 - x)),
    ("1 - {x}**2", 0.1, lambda x: 1 - x * x),
    ("{x}", 0.15, lambda x: x),
    ("1 - {x}", 0.15, lambda x: 1 - x),
    ("{x}**2", 0.3, lambda x: x * x),
    ("2 * {x}", 0.3, lambda x: 2 * x),
    ("1 + {x}", 0.3, lambda x: 1 + x),
    ("{x} > 0", 0.15, lambda x: np.greater(x, 0).astype(float)),
    ("{x} < 0", 0.2, lambda x: np.less(x, 0).astype(float)),
    ("1 / {x}", 0.3, lambda x: 1 / x),
    ("-{x}", 0.3, lambda x: -x),
    ("exp({x})", 0.3, lambda x: np.exp(x)),
    ("exp(-{x})", 0.3, lambda x: np.exp(-x)),
    ("sign({x})", 0.3, lambda x: np.sign(x)),
    ("abs({x})", 0.35, lambda x: np.abs(x)),
    ("1 - tanh({x})", 0.3, lambda x: 1 - np.tanh(x)),
    ("1 - tanh({x})**2", 0.2, lambda x: 1 - np.tanh(x) ** 2),
    ("1 / (1 + exp(-{x}))", 0.2, lambda x: 1 / (1 + np.exp(-x))),
    ("cos({x})", 0.35, lambda x: np.cos(x)),
    ("1 / (1 + {x}**2)", 0.35, lambda x: 1 / (1 + x * x)),
    ("1 / (2 * sqrt({x}))", 0.35, lambda x: 0.5 / np.sqrt(np.abs(x))),
)


def applied_again(base: Base, segments: Sequence[Segment]) -> Iterator[Edit]:
    """The local derivative of an activation where it has no place: at the cotangent of its input or its output.

    In a simplified pass it has been merged with the derivative of the loss, and is often applied once more.
    """
    wiring = base.wiring
    for segment in segments:
        if segment.local is None or not segment.is_activation:
            continue
        if not segment.elementwise and "exp" not in segment.functions:
            continue
        for number in (segment.start, segment.end):
            whole = wiring.backward.links.get(number)
            if type(whole) is not int or whole not in wiring.made_by:
                continue
            k = wiring.made_by[whole]
            if k < wiring.first or len(wiring.steps[k].outputs) != 1:
                continue
            function, params = base.function(k), base.params(k)
            local = np.abs(segment.local) if np.all(segment.local <= 0) else segment.local
            yield Edit(
                {k: _again(function, params, local)}, "local again", k, other="f'(z)", cost=0.1, owner=segment.owner
            )
            for text, formula in _AGAIN:
                for name, n in (("a", segment.end), ("z", segment.start)):
                    change = _formula_again(function, params, formula, n)
                    yield Edit({k: change}, "local again", k, other=text.format(x=name), cost=0.25, owner=segment.owner)


def _again(function: Any, params: Any, local: Any) -> Change:
    return lambda x, v: function(*x, **params) * local


def _formula_again(function: Any, params: Any, formula: Callable[[Any], Any], number: int) -> Change:
    return lambda x, v: function(*x, **params) * formula(v[number])


_AGAIN: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("{x} * (1 - {x})", lambda x: x * (1 - x)),
    ("1 - {x}**2", lambda x: 1 - x * x),
    ("{x} > 0", lambda x: np.greater(x, 0).astype(float)),
)
