"""Runs two forms of a backward pass on probes and compares them: nothing may become worse by rewriting."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.errors import ChainruleError
from chainrule.ir import Program, Var
from chainrule.run import run

__all__ = ["is_as_good"]

_LARGEST = 2_000_000  # elements that all steps together make; larger programs are not probed
_MANY_STEPS = 1_000  # beyond, one probe must do
_ERRORS = (ChainruleError, ArithmeticError, ValueError, IndexError, TypeError, np.linalg.LinAlgError)


def is_as_good(found: Backward, plain: Backward) -> bool:
    """Whether the gradients agree on probes, and are finite wherever they were before.

    The probes are ordinary numbers, tiny and huge ones, saturated ones and zeros.  Integers, which are mostly indices,
    are zero.  Where a program cannot be run on a probe, as it needs a definite matrix perhaps, the probe says nothing.
    """
    program = plain.program
    size = sum(math.prod(out.shape) for step in program.steps for out in step.outputs)
    if size > _LARGEST or any(x.dtype.kind == "c" for x in program.inputs):
        return True
    probes = list(_probes(program))
    for number, inputs in enumerate(probes if len(program.steps) < _MANY_STEPS else probes[:1]):
        try:
            before = _gradients(plain, inputs)
            after = _gradients(found, inputs)
        except _ERRORS:
            continue
        if not all(_agree(a, b, number < 2) for a, b in zip(before, after, strict=True)):
            return False
    return True


def _probes(program: Program) -> Iterator[list[Any]]:
    random = np.random.default_rng(7)

    def values(x: Var, scale: float, positive: bool) -> Any:
        if x.dtype.kind not in "f":
            return np.zeros(x.shape, x.dtype)[()]
        drawn = random.random(x.shape) + 0.5 if positive else random.standard_normal(x.shape)
        return np.asarray(drawn * scale, x.dtype)[()]

    for scale, positive in ((1.0, False), (1.0, True), (1e-30, False), (1e30, False), (50.0, False), (800.0, False)):
        yield [values(x, scale, positive) for x in program.inputs]
    yield [values(x, 0.0, False) for x in program.inputs]


def _gradients(backward: Backward, inputs: list[Any]) -> list[Any]:
    results = run(backward.program, inputs)[len(backward.program.outputs) - len(backward.gradients) :]
    shapes = [x.shape if isinstance(x, Var) else np.shape(x.value) for x in backward.wrt]
    return [np.broadcast_to(np.asarray(r), shape) for r, shape in zip(results, shapes, strict=True)]


def _agree(before: Any, after: Any, ordinary: bool) -> bool:
    finite = np.isfinite(before)
    if not np.all(np.isfinite(after) | ~finite):
        return False
    if not ordinary or not np.any(finite):
        return True
    epsilon = np.finfo(before.dtype).eps if before.dtype.kind == "f" else np.finfo(float).eps
    largest = max(1.0, float(np.max(np.abs(before[finite]))))
    return bool(np.max(np.abs(before[finite] - after[finite])) <= math.sqrt(epsilon) * largest)
