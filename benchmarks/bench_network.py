"""Value and all eight gradients of the 4-6-6-6-1 network on one example, in float64, beside other libraries.

chainrule traces the function anew at each call, as PyTorch, autograd and MyGrad do; JAX compiled it once.  Each library
gets its own arrays, made before the clock starts, except JAX, which is called with NumPy's as its users do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import jax
import jax.numpy as jnp
import mygrad
import numpy as np
import torch

import chainrule as cr
from benchmarks.measure import interleave, verdict
from examples import mlp

X, T = mlp.X, mlp.T
PARAMS = [(mlp.W1, mlp.B1), (mlp.W2, mlp.B2), (mlp.W3, mlp.B3), (mlp.W4, mlp.B4)]
FLAT = [array for layer in PARAMS for array in layer]


def loss(params: Any, X: Any, T: Any) -> Any:
    """The mean squared error of the network, in plain NumPy."""
    (W1, B1), (W2, B2), (W3, B3), (W4, B4) = params
    A1 = np.maximum(0, X.dot(W1) + B1)
    A2 = np.maximum(0, A1.dot(W2) + B2)
    A3 = np.maximum(0, A2.dot(W3) + B3)
    return ((A3.dot(W4) + B4 - T) ** 2).mean()


def loss_of(module: Any) -> Callable[[Any, Any, Any], Any]:
    """The same loss for a library with a NumPy layer of its own."""

    def loss(params: Any, X: Any, T: Any) -> Any:
        A = X
        for W, B in params[:3]:
            A = module.maximum(0, module.dot(A, W) + B)
        W4, B4 = params[3]
        return module.mean((module.dot(A, W4) + B4 - T) ** 2)

    return loss


def by_hand(params: Any, X: Any, T: Any) -> Any:
    """The value and the gradients as one writes them by hand: the floor."""
    (W1, B1), (W2, B2), (W3, B3), (W4, B4) = params
    Z1 = X.dot(W1) + B1
    A1 = np.maximum(0, Z1)
    Z2 = A1.dot(W2) + B2
    A2 = np.maximum(0, Z2)
    Z3 = A2.dot(W3) + B3
    A3 = np.maximum(0, Z3)
    E = A3.dot(W4) + B4 - T
    dY = 2 * E / E.size
    dZ3 = dY.dot(W4.T) * (Z3 > 0)
    dZ2 = dZ3.dot(W3.T) * (Z2 > 0)
    dZ1 = dZ2.dot(W2.T) * (Z1 > 0)
    return (E**2).mean(), [
        (X.T.dot(dZ1), dZ1.sum(axis=0)),
        (A1.T.dot(dZ2), dZ2.sum(axis=0)),
        (A2.T.dot(dZ3), dZ3.sum(axis=0)),
        (A3.T.dot(dY), dY.sum(axis=0)),
    ]


def torch_eager() -> Callable[[], list[Any]]:
    """PyTorch on its own tensors."""
    tensors = [torch.tensor(array, requires_grad=True) for array in FLAT]
    x, t = torch.tensor(X), torch.tensor(T)

    def call() -> list[Any]:
        W1, B1, W2, B2, W3, B3, W4, B4 = tensors
        A1 = torch.relu(x @ W1 + B1)
        A2 = torch.relu(A1 @ W2 + B2)
        A3 = torch.relu(A2 @ W3 + B3)
        error = ((A3 @ W4 + B4 - t) ** 2).mean()
        return [error, *torch.autograd.grad(error, tensors)]

    return call


def by_mygrad() -> Callable[[], list[Any]]:
    """MyGrad on its own tensors."""
    tensors = [mygrad.tensor(array) for array in FLAT]

    def call() -> list[Any]:
        W1, B1, W2, B2, W3, B3, W4, B4 = tensors
        A1 = mygrad.maximum(0, mygrad.matmul(X, W1) + B1)
        A2 = mygrad.maximum(0, mygrad.matmul(A1, W2) + B2)
        A3 = mygrad.maximum(0, mygrad.matmul(A2, W3) + B3)
        error = ((mygrad.matmul(A3, W4) + B4 - T) ** 2).mean()
        error.backward()
        return [error, *(tensor.grad for tensor in tensors)]

    return call


def contenders() -> dict[str, Callable[[], Any]]:
    """Each library's call, ready to be timed."""
    jax.config.update("jax_enable_x64", True)
    torch.set_num_threads(1)
    ours = cr.value_and_grad(loss)
    autograds = autograd.value_and_grad(loss_of(anp))
    compiled = jax.jit(jax.value_and_grad(loss_of(jnp)))
    return {
        "NumPy by hand": lambda: by_hand(PARAMS, X, T),
        "chainrule": lambda: ours(PARAMS, X, T),
        "PyTorch eager": torch_eager(),
        "autograd": lambda: autograds(PARAMS, X, T),
        "MyGrad": by_mygrad(),
        "jax.jit": lambda: jax.block_until_ready(compiled(PARAMS, X, T)),
    }


def flatten(result: Any) -> list[np.ndarray]:
    """The value and the eight gradients of any of the contenders as plain arrays."""
    if isinstance(result, list | tuple):
        return [array for part in result for array in flatten(part)]
    return [np.asarray(result.detach() if isinstance(result, torch.Tensor) else result)]


def main() -> None:
    """Measure and print."""
    calls = contenders()
    expected = flatten(by_hand(PARAMS, X, T))
    for name, call in calls.items():
        for found, wanted in zip(flatten(call()), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12, err_msg=name)
    times = interleave(calls)
    ours = times["chainrule"]
    print("Value and gradients of the 4-6-6-6-1 network, one example, float64")
    for name, seconds in times.items():
        print(f"  {name:15s} {seconds * 1e6:8.1f} µs   {seconds / ours:6.2f} times chainrule's")
    against_torch, against_autograd = ours / times["PyTorch eager"], times["autograd"] / ours
    print(f"  chainrule / PyTorch eager: {against_torch:.2f} ({verdict(against_torch, 1)})")
    print(f"  autograd / chainrule: {against_autograd:.2f} ({verdict(against_autograd, 3, at_least=True)})")


if __name__ == "__main__":
    main()
