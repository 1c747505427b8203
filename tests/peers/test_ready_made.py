"""The layers of ``chainrule.layers`` are those of PyTorch: output, gradients of inputs and gradients of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import layers

from .references import assert_close, torch

F = torch.nn.functional
LABELS = np.array([2, 0, 1, 2, 0])
SIGNS = np.array([1, -1, 1, 1, -1])


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    """Arguments at a smooth point, the same at each run."""
    return np.random.default_rng(sum(shape) + seed).standard_normal(shape)


def lstm(x: Any, h: Any, c: Any, Wx: Any, Wh: Any, b: Any) -> Any:
    """PyTorch's gates are input, forget, candidate, output."""
    order = torch.tensor([0, 1, 2, 3, 4, 5, 9, 10, 11, 6, 7, 8])
    h, c = torch.lstm_cell(x, (h, c), Wx.T[order], Wh.T[order], b[order], torch.zeros(12, dtype=b.dtype))
    return torch.cat([h, c], dim=1)


# The layer, its inputs, further arguments, and PyTorch's function of the inputs and the parameters.
CASES: dict[str, tuple[layers.Layer, tuple[np.ndarray, ...], tuple[Any, ...], Callable[..., Any]]] = {
    "Dense": (layers.Dense(4, 3, seed=0), (drawn(5, 4),), (), lambda x, W, b: F.linear(x, W.T, b)),
    "Conv2D": (
        layers.Conv2D(3, 2, 3, stride=2, padding=1, seed=0),
        (drawn(2, 3, 6, 7),),
        (),
        lambda x, W, b: F.conv2d(x, W, b, stride=2, padding=1),
    ),
    "MaxPool2D": (layers.MaxPool2D(2), (drawn(2, 3, 4, 6),), (), lambda x: F.max_pool2d(x, 2)),
    "LeakyReLU": (layers.LeakyReLU(0.1), (drawn(5, 4),), (), lambda x: F.leaky_relu(x, 0.1)),
    "GELU": (layers.GELU(), (drawn(5, 4),), (), lambda x: F.gelu(x, approximate="tanh")),
    "Softmax": (layers.Softmax(), (drawn(5, 4),), (), lambda x: F.softmax(x, dim=-1)),
    "LayerNorm": (layers.LayerNorm(4), (drawn(5, 4),), (), lambda x, g, b: F.layer_norm(x, (4,), g, b)),
    "BatchNorm": (
        layers.BatchNorm(3),
        (drawn(2, 3, 4, 5),),
        (),
        lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True),
    ),
    "RNNCell": (
        layers.RNNCell(4, 3, seed=0),
        (drawn(5, 4), drawn(5, 3)),
        (),
        lambda x, h, Wx, Wh, b: torch.rnn_tanh_cell(x, h, Wx.T, Wh.T, b, torch.zeros(3, dtype=b.dtype)),
    ),
    "LSTMCell": (layers.LSTMCell(4, 3, seed=0), (drawn(5, 4), drawn(5, 3), drawn(5, 3, seed=1)), (), lstm),
    "Attention": (
        layers.Attention(causal=True),
        (drawn(2, 3, 5, 4), drawn(2, 3, 5, 4, seed=1), drawn(2, 3, 5, 2)),
        (),
        lambda Q, K, V: F.scaled_dot_product_attention(Q, K, V, is_causal=True),
    ),
    "MSE": (
        layers.MSE(),
        (drawn(5, 4),),
        (drawn(5, 4, seed=1),),
        lambda y: F.mse_loss(y, torch.tensor(drawn(5, 4, seed=1))),
    ),
    "SigmoidCrossEntropy": (
        layers.SigmoidCrossEntropy(),
        (drawn(5),),
        ((SIGNS > 0).astype(float),),
        lambda z: F.binary_cross_entropy_with_logits(z, torch.tensor((SIGNS > 0).astype(float))),
    ),
    "SoftmaxCrossEntropy": (
        layers.SoftmaxCrossEntropy(),
        (drawn(5, 3),),
        (LABELS,),
        lambda z: F.cross_entropy(z, torch.tensor(LABELS)),
    ),
    "Hinge": (
        layers.Hinge(),
        (drawn(5, 3),),
        (LABELS,),
        lambda s: 3 * F.multi_margin_loss(s, torch.tensor(LABELS)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_layers_are_those_of_pytorch(name: str) -> None:
    layer, inputs, rest, function = CASES[name]
    output = layer.forward(*inputs, *rest)
    parts = output if isinstance(output, tuple) else (output,)
    cotangents = [drawn(*np.shape(x), seed=9) for x in parts]
    found = layer.backward(*cotangents)
    tensors = [torch.tensor(x, requires_grad=True) for x in (*inputs, *layer.parameters().values())]
    theirs = function(*tensors)
    joined = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
    assert_close([joined], [theirs.detach().numpy()])
    weights = np.concatenate(cotangents, axis=1) if len(parts) > 1 else cotangents[0]
    (theirs * torch.tensor(weights)).sum().backward()
    assert_close(list(found.values()), [x.grad.numpy() for x in tensors])
