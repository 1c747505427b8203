"""Gradients by JAX and PyTorch, as plain arrays, and the comparison with them.

Importing this module skips the importing test module where a peer is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

WHY = "the dependency group `peers` is not installed; `make peers` installs it"
jax = pytest.importorskip("jax", reason=WHY)
torch = pytest.importorskip("torch", reason=WHY)

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")
# The arrays are tiny: a pool of threads costs more than it gives, above all beside other test processes.
torch.set_num_threads(1)

jnp = jax.numpy

TOLERANCE = 1e-10


def by_jax(function: Callable[..., Any], args: Sequence[Any], *, branches: bool = False) -> list[np.ndarray]:
    """The gradients with respect to all arguments, by JAX.

    It compiles one program sooner than its operations one by one, which a program with branches on values needs.
    """
    gradients = jax.grad(function, argnums=tuple(range(len(args))))
    return [np.asarray(gradient) for gradient in (gradients if branches else jax.jit(gradients))(*args)]


def by_torch(function: Callable[..., Any], args: Sequence[Any]) -> list[np.ndarray]:
    """The gradients with respect to all arguments, by PyTorch."""
    tensors = [torch.tensor(x, requires_grad=True) for x in args]
    found = torch.autograd.grad(function(*tensors), tensors, materialize_grads=True)
    return [gradient.numpy() for gradient in found]


def hvp_by_torch(function: Callable[..., Any], args: Sequence[Any], vectors: Sequence[Any]) -> list[np.ndarray]:
    """The product of the Hessian with ``vectors``, by PyTorch."""
    tensors = [torch.tensor(x, requires_grad=True) for x in args]
    first = torch.autograd.grad(function(*tensors), tensors, create_graph=True, materialize_grads=True)
    along = sum((gradient * torch.tensor(vector)).sum() for gradient, vector in zip(first, vectors, strict=True))
    if not along.requires_grad:  # linear in every argument
        return [np.zeros_like(x) for x in args]
    found = torch.autograd.grad(along, tensors, materialize_grads=True)
    return [gradient.numpy() for gradient in found]


def assert_close(found: Sequence[Any], expected: Sequence[np.ndarray], tolerance: float = TOLERANCE) -> None:
    """Equal shapes, and values whose differences are small beside the largest element (or beside 1)."""
    assert len(found) == len(expected)
    for position, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        assert np.shape(ours) == np.shape(theirs), f"argument {position}"
        scale = max(1.0, float(np.abs(theirs).max(initial=0.0)))
        difference = float(np.abs(ours - theirs).max(initial=0.0))
        # Written so that a NaN fails.
        assert difference <= tolerance * scale, (
            f"argument {position} is {difference / scale:.1e} off:\n{ours}\nis not\n{theirs}"
        )
