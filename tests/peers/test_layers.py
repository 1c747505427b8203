"""Well-known layers and losses give the gradients of PyTorch's own, of JAX and of autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

from .layers import LAYERS, Layer
from .references import WHY, assert_close, by_jax, by_torch, jnp, torch

autograd = pytest.importorskip("autograd", reason=WHY)
anp = autograd.numpy


def by_autograd(function: Callable[..., Any], args: tuple[Any, ...]) -> list[np.ndarray]:
    """The gradients with respect to all arguments, by autograd."""
    return list(autograd.grad(function, argnum=tuple(range(len(args))))(*args))


def weighted(layer: Layer) -> Callable[[Any], Any]:
    """A scalar of the layer's output, in which every element weighs differently."""
    shape = np.shape(layer.numpy(np, *layer.arguments()))
    weights = np.random.default_rng(30).uniform(0.5, 1.5, shape)
    return lambda out: (out * (torch.tensor(weights) if isinstance(out, torch.Tensor) else weights)).sum()


def by_chainrule(layer: Layer) -> Any:
    """chainrule's gradients with respect to all arguments."""
    args, loss = layer.arguments(), weighted(layer)
    return cr.grad(lambda *xs: loss(layer.numpy(np, *xs)), argnums=tuple(range(len(args))))(*args)


@pytest.mark.parametrize("name", LAYERS)
def test_against_pytorch(name):
    layer = LAYERS[name]
    loss = weighted(layer)
    assert_close(by_chainrule(layer), by_torch(lambda *xs: loss(layer.torch(*xs)), layer.arguments()))


@pytest.mark.parametrize("name", [name for name, layer in LAYERS.items() if "jax" in layer.peers])
def test_against_jax(name):
    layer = LAYERS[name]
    loss = weighted(layer)
    assert_close(by_chainrule(layer), by_jax(lambda *xs: loss(layer.numpy(jnp, *xs)), layer.arguments()))


@pytest.mark.parametrize("name", [name for name, layer in LAYERS.items() if "autograd" in layer.peers])
def test_against_autograd(name):
    layer = LAYERS[name]
    loss = weighted(layer)
    assert_close(by_chainrule(layer), by_autograd(lambda *xs: loss(layer.numpy(anp, *xs)), layer.arguments()))


def test_forms_agree_in_value():
    # Whatever the gradients say, the two forms of a layer must be the same layer.
    for name, layer in LAYERS.items():
        ours = layer.numpy(np, *layer.arguments())
        theirs = layer.torch(*map(torch.tensor, layer.arguments())).numpy()
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12, err_msg=name)
