"""Random programs give the gradients that JAX and PyTorch give.

The examples are the same at each run.  ``CHAINRULE_EXAMPLES=5000`` draws that many fresh ones instead.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import chainrule as cr

from .forms import FORMS
from .programs import RandomProgram, programs
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


def gradients(program: RandomProgram) -> Any:
    """chainrule's gradients with respect to all inputs; the inputs must come out as they went in."""
    before = [x.copy() for x in program.inputs]
    function = program.function("numpy", np=np)
    value, found = cr.value_and_grad(function, argnums=tuple(range(len(program.inputs))))(*program.inputs)
    assert value == function(*program.inputs)
    assert all(np.array_equal(x, y) for x, y in zip(before, program.inputs, strict=True))
    return found


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.numpy)
def test_each_form(form):
    @examples(12)
    @given(programs(length=4, containing=form))
    def compare(program: RandomProgram) -> None:
        assert_close(gradients(program), by_torch(program.function("torch", torch=torch), program.inputs))

    compare()


@examples(400)
@given(programs(length=10))
def test_programs_against_pytorch(program):
    assert_close(gradients(program), by_torch(program.function("torch", torch=torch), program.inputs))


# JAX compiles each operation for each shape that it meets, which takes most of the time here.
@examples(60)
@given(programs())
def test_programs_against_jax(program):
    assert_close(gradients(program), by_jax(program.function("jax", jnp=jnp), program.inputs))


@examples(150)
@given(programs(length=5))
def test_second_order_against_pytorch(program):
    generator = np.random.default_rng(7)
    vectors = tuple(generator.standard_normal(x.shape) for x in program.inputs)
    expected = hvp_by_torch(program.function("torch", torch=torch), program.inputs, vectors)
    assert_close(cr.hvp(program.function("numpy", np=np), program.inputs, vectors), expected, tolerance=1e-9)


@examples(100)
@given(programs(length=5))
def test_forward_mode_against_pytorch(program):
    generator = np.random.default_rng(11)
    tangents = tuple(generator.standard_normal(x.shape) for x in program.inputs)
    _, found = cr.jvp(program.function("numpy", np=np), program.inputs, tangents)
    expected = by_torch(program.function("torch", torch=torch), program.inputs)
    along = sum(np.sum(gradient * tangent) for gradient, tangent in zip(expected, tangents, strict=True))
    assert_close([found], [np.asarray(along)])
