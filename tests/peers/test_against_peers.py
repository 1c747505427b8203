"""Random programs give the gradients that JAX and PyTorch give.

The examples are the same at each run.  ``CHAINRULE_EXAMPLES=5000`` draws that many fresh ones instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import chainrule as cr

from .forms import FORMS
from .programs import Arrays, RandomProgram, programs
from .references import assert_close, by_jax, by_torch, hvp_by_torch, jnp, torch

WISHED = os.environ.get("CHAINRULE_EXAMPLES")


def examples(number: int) -> settings:
    """So many examples, unless the environment asks for a number of its own."""
    return settings(
        max_examples=int(WISHED or number),
        derandomize=WISHED is None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def gradients(function: Callable[..., Any], inputs: Arrays) -> Any:
    """chainrule's gradients with respect to all inputs, which must come out as they went in."""
    before = [x.copy() for x in inputs]
    value, found = cr.value_and_grad(function, argnums=tuple(range(len(inputs))))(*inputs)
    np.testing.assert_allclose(value, function(*inputs), rtol=1e-13, atol=1e-13)
    assert all(np.array_equal(x, y) for x, y in zip(before, inputs, strict=True))
    return found


def compare_with_torch(program: RandomProgram) -> None:
    """The same gradients as PyTorch's at the inputs, at other values of the same shapes, and at the inputs again.

    What was learnt from one trace must not carry values over to the next.
    """
    ours, theirs = program.function("numpy", np=np), program.function("torch", torch=torch)
    others = tuple(0.2 - 0.7 * x for x in program.inputs)
    for inputs in (program.inputs, others, program.inputs):
        assert_close(gradients(ours, inputs), by_torch(theirs, inputs))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.numpy)
def test_each_form(form):
    @examples(6)
    @given(programs(length=4, containing=form))
    def compare(program: RandomProgram) -> None:
        compare_with_torch(program)

    compare()


@examples(120)
@given(programs(length=10))
def test_programs_against_pytorch(program):
    compare_with_torch(program)


# JAX compiles each operation for each shape that it meets, which takes most of the time here.
@examples(25)
@given(programs())
def test_programs_against_jax(program):
    found = gradients(program.function("numpy", np=np), program.inputs)
    assert_close(found, by_jax(program.function("jax", jnp=jnp), program.inputs, branches=True))


@examples(50)
@given(programs(length=5))
def test_second_order_against_pytorch(program):
    generator = np.random.default_rng(7)
    vectors = tuple(generator.standard_normal(x.shape) for x in program.inputs)
    expected = hvp_by_torch(program.function("torch", torch=torch), program.inputs, vectors)
    assert_close(cr.hvp(program.function("numpy", np=np), program.inputs, vectors), expected, tolerance=1e-9)


@examples(50)
@given(programs(length=5))
def test_forward_mode_against_pytorch(program):
    generator = np.random.default_rng(11)
    tangents = tuple(generator.standard_normal(x.shape) for x in program.inputs)
    _, found = cr.jvp(program.function("numpy", np=np), program.inputs, tangents)
    expected = by_torch(program.function("torch", torch=torch), program.inputs)
    along = sum(np.sum(gradient * tangent) for gradient, tangent in zip(expected, tangents, strict=True))
    assert_close([found], [np.asarray(along)])
