"""Unmodified scientific kernels: chainrule's gradients of all they compute, in all they start from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule
from tests.differences import assert_close, directional_difference, plain_copy, weighted
from tests.kernels.kernel import Kernel
from tests.kernels.kernels import KERNELS

TOLERANCE = 1e-7
STEP = 2e-4
DIRECTIONS = 2
KERNELS_PROMISED = 47


def loss_of(kernel: Kernel) -> Any:
    """A function of the kernel's arguments: one number from all its results."""

    def loss(*args: Any) -> Any:
        return weighted(kernel.results(*args))

    return loss


def directions_of(kernel: Kernel, position: int) -> list[Any]:
    """Random directions in one argument, none with a small element."""
    rng = np.random.default_rng(position)
    shape = np.shape(kernel.args[position])
    return [rng.uniform(0.5, 1.0, shape) * rng.choice([-1.0, 1.0], shape) for _ in range(DIRECTIONS)]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_gradient_is_right(kernel: Kernel) -> None:
    loss = loss_of(kernel)
    given = tuple(plain_copy(arg) for arg in kernel.args)
    value, gradients = chainrule.value_and_grad(loss, argnums=kernel.differentiable)(*given)
    for position, arg in enumerate(given):
        np.testing.assert_array_equal(arg, kernel.args[position], f"argument {position} was changed")
    assert_close(value, loss(*map(plain_copy, kernel.args)), 1e-13, "the value")
    for position, gradient in zip(kernel.differentiable, gradients, strict=True):
        assert np.shape(gradient) == np.shape(kernel.args[position])
        for direction in directions_of(kernel, position):
            reference = directional_difference(loss, kernel.args, position, direction, STEP)
            actual = np.sum(np.asarray(gradient) * direction)
            assert_close(actual, reference, TOLERANCE, f"along a direction in argument {position}")


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_reference_is_steady(kernel: Kernel) -> None:
    """The references deserve trust: finite, the same with another step size, and not all zero."""
    loss = loss_of(kernel)
    magnitudes = []
    for position in kernel.differentiable:
        for direction in directions_of(kernel, position):
            wide = directional_difference(loss, kernel.args, position, direction, STEP)
            narrow = directional_difference(loss, kernel.args, position, direction, STEP / 3)
            assert np.isfinite(wide)
            assert_close(wide, narrow, TOLERANCE / 3, f"argument {position}")
            magnitudes.append(abs(wide))
    assert max(magnitudes) > 1e-3


def test_there_are_as_many_kernels_as_promised() -> None:
    names = [kernel.name for kernel in KERNELS]
    assert len(set(names)) == len(names) >= KERNELS_PROMISED
