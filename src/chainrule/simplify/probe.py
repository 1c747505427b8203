"""Runs two forms of a backward pass on probes and compares them: nothing may become worse by rewriting."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping
from itertools import chain, islice
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from chainrule.backward import Backward
from chainrule.errors import ChainruleError
from chainrule.facts import breaks, made_with
from chainrule.ir import Program, Step, Var, shape_of
from chainrule.loops import loop_in
from chainrule.run import run, value_in, values_of

__all__ = ["Comparison", "compare"]

_LARGEST = 2_000_000  # elements that all steps together make; larger programs are not probed
_FINITE = 9  # the first probes, whose numbers are all finite
_HUGE = 3  # the probe of huge numbers, where most of what is not finite is no exponential
_TELLING = (0, 1, 5, 7, 8)  # the probes that must do where time is short: ordinary and saturated numbers
_MOST_SPOILED = 6  # operands that are probed with an infinite or undefined element
_FINITE_PROBES = 3  # that stay far from overflow
_SINGULAR = frozenset("svd svdvals pinv lstsq matrix_rank cond polar orth null_space".split())
_NORMS = frozenset(("norm", "matrix_norm"))
_MANY_STEPS = 1_000  # beyond, one probe must do
_FEW_DIGITS = 0.4  # of those of the dtype
_NEARER = 0.25  # times the probe
_MOST_TURNS = 10_000  # steps in turns of loops that all probes together run
_UNDEFINED = (ArithmeticError, np.linalg.LinAlgError)
_ERRORS = (ChainruleError, ArithmeticError, ValueError, IndexError, TypeError, np.linalg.LinAlgError)


class Comparison(NamedTuple):
    """How a form of a backward pass compares with the form before.

    Attributes:
        as_good: whether the gradients agree, and are finite wherever they were.
        safer: in how many places more they are finite, where operands are saturated and the results are finite.
        inputs: those of a probe on which gradients are not finite where they were.
        failing: which gradients, and where.
    """

    as_good: bool
    safer: int
    inputs: Any = None
    failing: Mapping[int, Any] = MappingProxyType({})


def compare(found: Backward, plain: Backward, brief: bool = False) -> Comparison:
    """Whether the gradients agree on probes, and are finite wherever they were before, or in more places.

    The probes are ordinary numbers, tiny and huge ones, saturated ones of either sign, zeros, and ordinary ones with an
    infinite or undefined one among them.  Integers, which are mostly indices, are zero, and masks leave everything, but
    in a probe of their own, where both are drawn.  Where a program cannot be run
    on a probe, as it needs a definite matrix perhaps, the probe says nothing; nor does a probe where the result itself
    is not finite say that a gradient should be; cotangents are finite, as they are where that of a loss is.

    Args:
        found: the form that was found.
        plain: the form before.
        brief: whether ordinary and saturated numbers will do as probes.
    """
    program = plain.program
    size = sum(math.prod(out.shape) for step in program.steps for out in step.outputs)
    if size > _LARGEST or any(x.dtype.kind == "c" for x in program.inputs):
        return Comparison(True, 0)
    safer = 0
    probes = _probes(program, {x.number for x in plain.cotangents})
    drawn = _drawn(program)
    inside = sum(map(_steps_in_turns, program.steps))
    if any(_is_decomposed(step) for step in program.steps):
        probes = islice(probes, _FINITE_PROBES)
    if len(program.steps) >= _MANY_STEPS or inside:
        few = len(program.steps) >= _MANY_STEPS
        probes = islice(probes, 1 if few else max(1, _MOST_TURNS // inside))
    for number, inputs in chain(((-1, x) for x in drawn), enumerate(probes)):
        if brief and number >= 0 and number not in _TELLING:
            continue
        try:
            results, before = _gradients(plain, inputs)
        except _ERRORS:
            continue
        try:
            _, after = _gradients(found, inputs)
        except _UNDEFINED:
            continue
        except _ERRORS:  # an array has another shape than is thought
            return Comparison(False, 0)
        defined = all(np.all(np.isfinite(r)) for r in results)
        if number >= _FINITE and not defined:
            continue
        pairs = list(zip(before, after, strict=True))
        if defined and number != _HUGE:
            safer += sum(int(np.sum(np.isfinite(b) & ~np.isfinite(a))) for a, b in pairs)
        if all(_agree(a, b, number < 2) for a, b in pairs):
            continue
        if number >= 2 or not (_closer(plain, inputs, before, after) or _as_close(plain, found, inputs, pairs)):
            spoilt = {k: m for k, (a, b) in enumerate(pairs) if np.any(m := np.isfinite(a) & ~np.isfinite(b))}
            return Comparison(False, 0, inputs if spoilt else None, spoilt)
    return Comparison(True, safer)


def _is_decomposed(step: Step) -> bool:
    """Whether a step takes singular values: some builds of LAPACK never come back from an infinite element."""
    name = step.operation.name.rpartition(".")[2]
    return name in _SINGULAR or (name in _NORMS and step.params.get("ord") in (2, -2, "nuc"))


def _steps_in_turns(step: Step) -> int:
    """How many steps the turns of a loop run."""
    loop = loop_in(step)
    if loop is None:
        return 0
    return len(loop.values) * sum(1 + _steps_in_turns(inner) for inner in loop.program.steps)


def _closer(plain: Backward, inputs: list[Any], before: list[Any], after: list[Any]) -> bool:
    """Whether the gradients differ because those before were less accurate, as quotients of differences may be."""
    try:
        _, exact = _gradients(plain, [np.asarray(x, np.longdouble) if x.dtype.kind == "f" else x for x in inputs])
    except _ERRORS:
        return False
    if any(e.dtype != np.longdouble for e in exact):
        return False
    for e, a, b in zip(exact, before, after, strict=True):
        if not np.all(np.isfinite(b) | ~np.isfinite(a)):
            return False
        known = np.isfinite(e) & np.isfinite(a)
        error, earlier = (float(np.max(np.abs(x - e)[known], initial=0)) for x in (b, a))
        if error > 8 * earlier and error > 64 * np.finfo(a.dtype).eps * float(np.max(np.abs(e)[known], initial=1)):
            return False
    return True


def _as_close(plain: Backward, found: Backward, inputs: list[Any], pairs: list[tuple[Any, Any]]) -> bool:
    """Whether the gradients are the same to many digits, and to all of them nearer to zero.

    Where a sigmoid p saturates, ``p * (1 - p)`` has few digits, and ``(1 - p) / (1 - p + 1e-9)`` shows it: everyone
    writes it, and nobody is harmed.
    """
    if not all(_agree(a, b, True, _FEW_DIGITS) for a, b in pairs):
        return False
    smaller = [np.asarray(x * _NEARER, x.dtype)[()] if x.dtype.kind == "f" else x for x in inputs]
    try:
        (_, before), (_, after) = _gradients(plain, smaller), _gradients(found, smaller)
    except _ERRORS:
        return False
    return all(_agree(a, b, True) for a, b in zip(before, after, strict=True))


def _drawn(program: Program) -> list[list[Any]]:
    """Ordinary numbers with integers and masks that are drawn too, where the program takes any; ``[]`` otherwise."""
    if all(x.dtype.kind in "fc" for x in program.inputs):
        return []
    random = np.random.default_rng(11)
    drawn = [
        random.standard_normal(x.shape) if x.dtype.kind == "f" else random.integers(0, 4, x.shape)
        for x in program.inputs
    ]
    # Half of a mask: an odd number stands for true.
    odd = [np.asarray(v) % 2 if x.dtype.kind == "b" else v for v, x in zip(drawn, program.inputs, strict=True)]
    return [[np.asarray(v, x.dtype)[()] for v, x in zip(odd, program.inputs, strict=True)]]


def _probes(program: Program, cotangents: Container[int]) -> Iterator[list[Any]]:
    random = np.random.default_rng(7)

    def values(x: Var, scale: float, positive: bool) -> Any:
        if x.dtype.kind not in "f":
            return np.full(x.shape, x.dtype.kind == "b", x.dtype)[()]
        drawn = random.random(x.shape) + 0.5 if positive else random.standard_normal(x.shape)
        return np.asarray(drawn * scale, x.dtype)[()]

    for scale, positive in ((1.0, False), (1.0, True), (1e-30, False), (1e30, False), (50.0, False), (800.0, False)):
        yield [values(x, scale, positive) for x in program.inputs]
    for scale in (0.0, 800.0, -800.0):
        yield [values(x, scale, True) for x in program.inputs]
    for n, x in enumerate(program.inputs[:_MOST_SPOILED]):
        if x.number in cotangents:
            continue
        for spoiled in (math.inf, math.nan) if x.dtype.kind == "f" and 0 not in x.shape else ():
            inputs = [values(y, 1.0, False) for y in program.inputs]
            inputs[n] = np.array(inputs[n])
            inputs[n].flat[0] = spoiled
            inputs[n] = inputs[n][()]
            yield inputs


def _gradients(backward: Backward, inputs: list[Any]) -> tuple[list[Any], list[Any]]:
    """The results of the forward pass, and the gradients."""
    program, facts = backward.program, backward.program.facts
    if facts:
        # What is assumed of what is given holds on the probes; where it does not of what is computed, they say nothing.
        pairs = zip(program.inputs, inputs, strict=True)
        values = values_of(program, [made_with(facts[x.number], v) if x.number in facts else v for x, v in pairs])
        if breaks(program, values):
            raise FloatingPointError("the probe lacks what is assumed")
        results = [value_in(x, values) for x in program.outputs]
    else:
        results = run(program, inputs)
    count = len(results) - len(backward.gradients)
    shapes = [shape_of(x) for x in backward.wrt]
    gradients = [np.broadcast_to(np.asarray(r), shape) for r, shape in zip(results[count:], shapes, strict=True)]
    return [r for r in map(np.asarray, results[:count]) if r.dtype.kind == "f"], gradients


def _agree(before: Any, after: Any, ordinary: bool, digits: float = 0.5) -> bool:
    finite = np.isfinite(before)
    if not np.all(np.isfinite(after) | ~finite):
        return False
    if not ordinary or not np.any(finite):
        return True
    epsilon = np.finfo(before.dtype).eps if before.dtype.kind == "f" else np.finfo(float).eps
    largest = max(1.0, float(np.max(np.abs(before[finite]))))
    return bool(np.max(np.abs(before[finite] - after[finite])) <= epsilon**digits * largest)
