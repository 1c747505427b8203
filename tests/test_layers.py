"""Ready-made layers: their gradients are those of their forward functions, whatever the size and the precision."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import layers
from chainrule.layers import forwards, generate
from tests.differences import differences
from tests.forms.counting import Recorder


def drawn(*shape, seed=0):
    return np.random.default_rng(sum(shape) + seed).standard_normal(shape)


@dataclass(frozen=True)
class Case:
    """One layer.

    Attributes:
        layer: makes it; its parameters are redrawn.
        inputs: the differentiated inputs for a batch of n, by name.
        forward: the same function in plain NumPy, of the inputs and then the parameters.
        rest: further arguments of ``forward`` of the layer, for a batch of n.
        by_hand: the backward pass that is written by hand, and its number of array operations.
    """

    layer: Callable[[], layers.Layer]
    inputs: Callable[[int], dict[str, Any]]
    forward: Callable[..., Any]
    by_hand: tuple[str, int]
    rest: Callable[[int], tuple[Any, ...]] = lambda n: ()


def x_only(*shape):
    return lambda n: {"x": drawn(n, *shape)}


def labels(n, classes=3):
    return np.random.default_rng(n).integers(0, classes, n)


def signs(n):
    return np.where(drawn(n, seed=7) > 0, 1, -1)


def one_hot(n):
    return np.eye(3)[labels(n)]


def trained_batch_norm():
    layer = layers.BatchNorm(4)
    layer.forward(3 * drawn(20, 4) + 1)
    layer.training = False
    return layer


def trained_statistics():
    layer = trained_batch_norm()
    return layer.running_mean, layer.running_variance


CAUSAL = np.where(np.tri(5, 5, dtype=bool), 0, -np.inf)
QKV = {"Q": (2, 5, 4), "K": (2, 5, 4), "V": (2, 5, 3)}


def heads(n):
    return {name: drawn(n, *shape, seed=k) for k, (name, shape) in enumerate(QKV.items())}


def attention_of(mask):
    def forward(Q, K, V):
        scores = Q @ np.swapaxes(K, -1, -2) / np.sqrt(K.shape[-1]) + mask
        E = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return E / E.sum(axis=-1, keepdims=True) @ V

    return forward


def convolution(stride, padding):
    return lambda x, W, b: forwards.conv2d(x, W, b, stride, padding)


ATTENTION_BY_HAND = ("dV = P.T @ g; dS = P * (dP - (dP * P).sum(-1)) / sqrt(d), dP = g @ V.T; dQ, dK", 9)
CONVOLUTION_BY_HAND = ("db, dW = cols.T @ g, dcols = g @ W, np.add.at(dx, places, dcols): CS231n's im2col", 4)

CASES = {
    "Dot": Case(
        layers.Dot,
        lambda n: {"x1": drawn(n, 4), "x2": drawn(n, 4, seed=1)},
        lambda a, b: (a * b).sum(axis=-1),
        ("dx1 = g[:, None] * x2; dx2 = g[:, None] * x1", 2),
    ),
    "Dot of vectors": Case(
        layers.Dot, lambda n: {"x1": drawn(n), "x2": drawn(n, seed=1)}, lambda a, b: a @ b, ("dx1 = g * x2; …", 2)
    ),
    "MatMul": Case(
        layers.MatMul,
        lambda n: {"x1": drawn(n, 4), "x2": drawn(4, 3)},
        lambda a, b: a @ b,
        ("dx1 = g @ x2.T; dx2 = x1.T @ g", 2),
    ),
    "Dense": Case(
        lambda: layers.Dense(4, 3, seed=0),
        x_only(4),
        lambda x, W, b: x.dot(W) + b,
        ("dx = g @ W.T; dW = x.T @ g; db = g.sum(0)", 3),
    ),
    "Dense of sequences": Case(
        lambda: layers.Dense(4, 3, seed=0), x_only(5, 4), lambda x, W, b: x @ W + b, ("as Dense", 3)
    ),
    "Embedding": Case(
        lambda: layers.Embedding(6, 3, seed=0),
        lambda n: {},
        lambda W, indices: W[indices],
        ("np.add.at(dW, indices, g)", 1),
        lambda n: (np.random.default_rng(n).integers(0, 6, (n, 2)),),
    ),
    "ReLU": Case(layers.ReLU, x_only(4), lambda x: np.maximum(0, x), ("g * (x > 0)", 2)),
    "ReLU of images": Case(layers.ReLU, x_only(2, 3, 4), lambda x: np.maximum(0, x), ("g * (x > 0)", 2)),
    "LeakyReLU": Case(
        lambda: layers.LeakyReLU(0.2),
        x_only(4),
        lambda x: np.where(x > 0, x, 0.2 * x),
        ("g * np.where(x > 0, 1, slope), x > 0 kept", 2),
    ),
    "Sigmoid": Case(layers.Sigmoid, x_only(4), lambda x: 1 / (1 + np.exp(-x)), ("g * y * (1 - y)", 3)),
    "Tanh": Case(layers.Tanh, x_only(4), np.tanh, ("g * (1 - y**2)", 3)),
    "GELU": Case(layers.GELU, x_only(4), forwards.gelu, ("as forms/gelu_tanh: Hendrycks and Gimpel", 8)),
    "Softmax": Case(layers.Softmax, x_only(4), forwards.softmax, ("P * (g - (g * P).sum(1, keepdims=True))", 4)),
    "Softmax of sequences": Case(
        layers.Softmax,
        x_only(5, 4),
        lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
        ("as Softmax", 4),
    ),
    "LayerNorm": Case(
        lambda: layers.LayerNorm(4),
        x_only(4),
        lambda x, gain, bias: forwards.layer_norm(x, gain, bias, 1e-5),
        ("dgain, dbias, and (G - G.mean(1) - xhat * (G * xhat).mean(1)) / std with G = g * gain", 11),
    ),
    "LayerNorm of sequences": Case(
        lambda: layers.LayerNorm(4),
        x_only(3, 4),
        lambda x, gain, bias: (
            gain * (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5) + bias
        ),
        ("as LayerNorm", 11),
    ),
    "BatchNorm": Case(
        lambda: layers.BatchNorm(4),
        x_only(4),
        lambda x, gain, bias: forwards.batch_norm(x, gain, bias, 1e-5),
        ("dgain, dbias, and gain / std / n * (n * g - dbias - xhat * dgain): CS231n", 10),
    ),
    "BatchNorm of images": Case(
        lambda: layers.BatchNorm(2),
        x_only(2, 3, 4),
        lambda x, gain, bias: (
            gain[:, None, None]
            * (x - x.mean(axis=(0, 2, 3), keepdims=True))
            / np.sqrt(x.var(axis=(0, 2, 3), keepdims=True) + 1e-5)
            + bias[:, None, None]
        ),
        ("as BatchNorm", 10),
    ),
    "BatchNorm in inference": Case(
        trained_batch_norm,
        x_only(4),
        lambda x, gain, bias: forwards.batch_norm_inference(x, gain, bias, *trained_statistics(), 1e-5),
        ("dgain, dbias, and g * (gain / std)", 5),
    ),
    "Dropout": Case(
        lambda: layers.Dropout(0.4),
        x_only(4),
        lambda x, keep: x * keep / 0.6,
        ("g * scale", 1),
        lambda n: (drawn(n, 4, seed=3) > 0,),
    ),
    "RNNCell": Case(
        lambda: layers.RNNCell(4, 3, seed=0),
        lambda n: {"x": drawn(n, 4), "h": drawn(n, 3)},
        lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + h @ Wh + b),
        ("d = g * (1 - y**2); dx, dh, dWx, dWh, db: CS231n", 8),
    ),
    "LSTMCell": Case(
        lambda: layers.LSTMCell(4, 3, seed=0),
        lambda n: {"x": drawn(n, 4), "h": drawn(n, 3), "c": drawn(n, 3, seed=1)},
        forwards.lstm_cell,
        ("dc = gc + gh * o * (1 - tc**2); three for each gate, joined; dx, dh, dc, dWx, dWh, db: CS231n", 28),
    ),
    "Attention": Case(layers.Attention, heads, attention_of(0), ATTENTION_BY_HAND),
    "causal Attention": Case(lambda: layers.Attention(causal=True), heads, attention_of(CAUSAL), ATTENTION_BY_HAND),
    "masked Attention": Case(
        layers.Attention,
        heads,
        lambda Q, K, V, mask: attention_of(np.where(mask, 0, -np.inf))(Q, K, V),
        ATTENTION_BY_HAND,
        lambda n: (np.arange(5) < np.arange(3, 3 + n)[:, None, None, None],),
    ),
    "Conv2D": Case(lambda: layers.Conv2D(3, 2, 3, seed=0), x_only(3, 5, 6), convolution(1, 0), CONVOLUTION_BY_HAND),
    "Conv2D with steps": Case(
        lambda: layers.Conv2D(3, 2, 2, stride=2, padding=1, seed=0),
        x_only(3, 5, 6),
        convolution(2, 1),
        CONVOLUTION_BY_HAND,
    ),
    "MaxPool2D": Case(
        lambda: layers.MaxPool2D(2),
        x_only(3, 4, 6),
        lambda x: x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).max(axis=(3, 5)),
        ("m = R == Y; m * (g / m.sum((3, 5)))", 4),
    ),
    "MSE": Case(
        layers.MSE,
        lambda n: {"prediction": drawn(n, 4)},
        lambda y, t: ((y - t) ** 2).mean(),
        ("2 / n * (y - t), the difference kept", 1),
        lambda n: (drawn(n, 4, seed=1),),
    ),
    "SigmoidCrossEntropy": Case(
        layers.SigmoidCrossEntropy,
        lambda n: {"logits": drawn(n, 4)},
        lambda z, t: (np.log1p(np.exp(z)) - t * z).mean(),
        ("(np.exp(z - softplus) - t) / n", 4),
        lambda n: (drawn(n, 4, seed=1) > 0,),
    ),
    "SoftmaxCrossEntropy": Case(
        layers.SoftmaxCrossEntropy,
        lambda n: {"logits": drawn(n, 3)},
        lambda z, y: (np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]).mean(),
        ("P = E / sum / n; P[rows, y] -= 1 / n: CS231n", 3),
        lambda n: (labels(n),),
    ),
    "SoftmaxCrossEntropy of rows": Case(
        layers.SoftmaxCrossEntropy,
        lambda n: {"logits": drawn(n, 3)},
        lambda z, Y: -(Y * np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))).sum() / len(z),
        ("(E / sum * Y.sum(1) - Y) / n", 5),
        lambda n: (one_hot(n),),
    ),
    "Hinge": Case(
        layers.Hinge,
        lambda n: {"scores": drawn(n, 3)},
        lambda s, y: forwards.hinge(s, y, 1.0),
        ("D = (M > 0) / n; D[rows, y] -= D.sum(1): CS231n", 4),
        lambda n: (labels(n),),
    ),
    "Hinge of two classes": Case(
        lambda: layers.Hinge(0.5),
        lambda n: {"scores": drawn(n)},
        lambda s, y: np.maximum(0, 0.5 - y * s).mean(),
        ("(M > 0) * y / -n", 3),
        lambda n: (signs(n),),
    ),
}


def made(case, dtype):
    """The layer of a case, with parameters that are not those it starts with."""
    layer = case.layer()
    for k, (name, array) in enumerate(layer.parameters().items()):
        setattr(layer, name, (array + 0.3 * drawn(*array.shape, seed=k)).astype(dtype))
    for name in ("running_mean", "running_variance"):
        if hasattr(layer, name):
            setattr(layer, name, getattr(layer, name).astype(dtype))
    return layer


def cotangent(output):
    if isinstance(output, tuple):
        return tuple(map(cotangent, output))
    return drawn(*np.shape(output), seed=9).astype(output.dtype)


def gradients(layer, output):
    """What backward gives for a cotangent of our own; losses are asked without one."""
    if isinstance(output, tuple):
        return layer.backward(*cotangent(output))
    return (
        layer.backward()
        if np.ndim(output) == 0 and type(layer) is not layers.Dot
        else layer.backward(cotangent(output))
    )


@pytest.mark.parametrize("n", [4, 7])
@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_the_forward_function(name, n):
    case = CASES[name]
    layer, inputs, rest = made(case, float), case.inputs(n), case.rest(n)
    output = layer.forward(*inputs.values(), *rest)
    found = gradients(layer, output)
    differentiated = {**inputs, **layer.parameters()}
    assert sorted(found) == sorted(differentiated)
    assert found is layer.gradients

    def function(*arrays):
        return case.forward(*arrays[: len(inputs)], *arrays[len(inputs) :], *rest)

    if name == "LSTMCell":
        value, pullback = cr.vjp(function, *differentiated.values())
    else:
        value, pullback = cr.vjp(function, *differentiated.values())
    g = cotangent(output) if np.ndim(value) or isinstance(value, tuple) or name.startswith("Dot") else 1.0
    for expected, own in zip(pullback(g), differentiated, strict=True):
        np.testing.assert_allclose(found[own], expected, rtol=1e-9, atol=1e-12, err_msg=own)
    for a, b in zip(np.atleast_1d(output), np.atleast_1d(value), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_differences(name):
    case = CASES[name]
    layer, inputs, rest = made(case, float), case.inputs(3), case.rest(3)
    output = layer.forward(*inputs.values(), *rest)
    g = cotangent(output)
    found = layer.backward(*g) if isinstance(g, tuple) else layer.backward(g)
    differentiated = {**inputs, **layer.parameters()}

    def loss(*arrays):
        for own, array in zip(differentiated, arrays, strict=True):
            if own not in inputs:
                setattr(layer, own, array)
        result = layer.forward(*arrays[: len(inputs)], *rest)
        return sum((a * b).sum() for a, b in zip(result, g, strict=True)) if type(g) is tuple else (result * g).sum()

    for k, own in enumerate(differentiated):
        expected = differences(loss, list(differentiated.values()), k)
        np.testing.assert_allclose(found[own], expected, rtol=1e-6, atol=1e-8, err_msg=own)


@pytest.mark.parametrize("name", CASES)
def test_float32_stays_float32(name):
    case = CASES[name]
    inputs, rest = case.inputs(4), case.rest(4)
    exact = made(case, float)
    wanted = gradients(exact, exact.forward(*inputs.values(), *rest))
    layer = made(case, np.float32)
    rest = tuple(x.astype(np.float32) if x.dtype.kind == "f" else x for x in rest)
    output = layer.forward(*(x.astype(np.float32) for x in inputs.values()), *rest)
    for x in output if isinstance(output, tuple) else (output,):
        assert x.dtype == np.float32
    for own, gradient in gradients(layer, output).items():
        assert gradient.dtype == np.float32, own
        np.testing.assert_allclose(gradient, wanted[own], rtol=2e-3, atol=1e-4, err_msg=own)


# Where what is written takes more operations than by hand, by how many.
ABOVE = {"MSE": 1, "Hinge": 2, "Hinge of two classes": 1}


@pytest.mark.parametrize("name", CASES)
def test_backward_takes_no_more_operations_than_by_hand(name):
    case = CASES[name]
    layer = made(case, float)
    output = layer.forward(*case.inputs(4).values(), *case.rest(4))
    step = getattr(layer._step, "step", layer._step)
    with Recorder() as recorder:
        for own, value in vars(step).items():
            if isinstance(value, np.ndarray | np.generic):
                setattr(step, own, recorder.wrap(value))
        parts = [recorder.wrap(cotangent(x)) for _, x in layer._outputs]
        if step is not layer._step:
            step.backward()
        else:
            step.backward(tuple(parts) if len(parts) > 1 else parts[0])
    assert np.size(output)
    text, operations = case.by_hand
    assert recorder.operations() <= operations + ABOVE.get(name, 0), f"by hand: {text}"


@pytest.fixture(scope="module")
def written():
    return generate.modules()


@pytest.mark.parametrize("name", generate.MODULES)
def test_what_is_written_is_what_is_committed(written, name):
    committed = (generate.FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert written[name] == committed, "run `python -m chainrule.layers.generate` and read what has changed"


@pytest.mark.parametrize("name", generate.MODULES)
def test_what_is_written_imports_numpy_alone(name):
    lines = (generate.FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith(("import ", "from "))] in ([], ["import numpy as np"])


def test_layers_do_not_load_what_writes_them():
    program = (
        "import sys, chainrule; chainrule.layers.Dense(2, 3); "
        "sys.exit(str([m for m in sys.modules if 'simplify' in m or 'emit' in m or m.startswith('scipy')]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"


# The family of functions


def test_the_functions_of_a_dense_layer():
    x_input, W, b, grad_output = drawn(5, 18), drawn(18, 5), drawn(5), drawn(5, 5, seed=1)
    assert np.array_equal(layers.dense_forward(x_input, W, b), x_input @ W + b)
    assert np.array_equal(layers.dense_grad_input(x_input, grad_output, W, b), grad_output @ W.T)
    assert np.array_equal(layers.dense_grad_W(x_input, grad_output, W, b), x_input.T @ grad_output)
    assert np.array_equal(layers.dense_grad_b(x_input, grad_output, W, b), grad_output.sum(axis=0))


ENTRIES = {entry.name: entry for _, entries in generate.MODULES.values() for entry in entries}


@pytest.mark.parametrize("name", ENTRIES)
def test_functions_and_classes_agree(name):
    entry = ENTRIES[name]
    own = entry.function.__name__
    module = next(m for m, (_, entries) in generate.MODULES.items() if entry in entries)
    found = vars(sys.modules[f"chainrule.layers.written.{module}"])
    step = found[name]()
    output = step.forward(*entry.example)
    np.testing.assert_array_equal(output, found[f"{own}_forward"](*entry.example))
    g = () if np.ndim(output) == 0 and not isinstance(output, tuple) else (cotangent(output),)
    together = step.backward(*g)
    first, *others = entry.example
    for argument in entry.wrt:
        function = found[f"{own}_grad_{argument.removeprefix('x_')}"]
        np.testing.assert_allclose(function(first, *g, *others), together[argument], rtol=1e-12, atol=1e-15)
    if len(entry.wrt) > 1:
        for gradient, argument in zip(found[f"{own}_backward"](first, *g, *others), entry.wrt, strict=True):
            np.testing.assert_allclose(gradient, together[argument], rtol=1e-12, atol=1e-15)


def test_layers_can_be_traced_like_code_of_ones_own():
    X, W, b, y = drawn(5, 4), drawn(4, 3), drawn(3), labels(5)

    def loss(W, b):
        return layers.softmax_cross_entropy_forward(np.tanh(layers.dense_forward(X, W, b)), y)

    cr.testing.check_gradients(loss, (W, b))


# Networks


def test_a_network_learns():
    X = drawn(60, 4)
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    network = layers.Sequential(layers.Dense(4, 16, init="he", seed=0), layers.ReLU(), layers.Dense(16, 3, seed=1))
    loss = layers.SoftmaxCrossEntropy()
    before = loss.forward(network.forward(X), y)
    for _ in range(100):
        loss.forward(network.forward(X), y)
        found = network.backward(loss.backward()["logits"])
        for name, array in network.parameters().items():
            array -= 0.5 * found[name]
    assert loss.forward(network.forward(X), y) < 0.1 * before
    assert list(found) == ["x", "0.W", "0.b", "2.W", "2.b"]


def test_sequential_gives_the_gradients_of_its_layers():
    network = layers.Sequential(
        layers.Embedding(6, 4, seed=0), layers.LayerNorm(4), layers.GELU(), layers.Dense(4, 2, seed=1)
    )
    indices = np.array([[1, 5], [1, 0]])
    output = network.forward(indices)
    found = network.backward(np.ones_like(output))
    assert "x" not in found
    assert found is network.gradients
    for name, array in network.parameters().items():
        assert found[name].shape == array.shape

    def loss(W):
        network.layers[0].W = W
        return network.forward(indices).sum()

    W = network.layers[0].W
    np.testing.assert_allclose(found["0.W"], differences(loss, [W], 0), rtol=1e-6, atol=1e-8)


def test_training_is_set_for_all_layers():
    network = layers.Sequential(layers.Dropout(0.9, seed=0), layers.Sequential(layers.BatchNorm(4)))
    network.training = False
    X = drawn(5, 4)
    np.testing.assert_allclose(network.forward(X), X / np.sqrt(1 + 1e-5))
    np.testing.assert_allclose(network.backward(np.ones((5, 4)))["x"], 1 / np.sqrt(1 + 1e-5) * np.ones((5, 4)))
    network.training = True
    assert (network.forward(X) != X).any()


def test_running_statistics_are_those_of_the_batches():
    layer = layers.BatchNorm(4, momentum=0.25)
    X = 2 * drawn(50, 4) + 3
    layer.forward(X)
    np.testing.assert_allclose(layer.running_mean, 0.25 * X.mean(axis=0))
    np.testing.assert_allclose(layer.running_variance, 0.75 + 0.25 * X.var(axis=0, ddof=1))


def test_dropout_draws_from_its_seed():
    X = np.ones((100, 100))
    kept = layers.Dropout(0.3, seed=4).forward(X)
    assert np.array_equal(kept, layers.Dropout(0.3, seed=np.random.default_rng(4)).forward(X))
    assert set(np.unique(kept)) == {0, 1 / 0.7}
    assert abs(kept.mean() - 1) < 0.02


def test_a_cell_is_shared_by_the_steps_of_a_sequence():
    cell, X = layers.LSTMCell(4, 3, seed=0), drawn(6, 5, 4)
    steps, h, c = [cell.shared() for _ in X], None, None
    for step, x in zip(steps, X, strict=True):
        h, c = step.forward(x, h, c)
    found = {name: np.zeros_like(array) for name, array in cell.parameters().items()}
    grad_h, grad_c = np.ones_like(h), None
    for step in reversed(steps):
        gradients = step.backward(grad_h, grad_c)
        grad_h, grad_c = gradients["h"], gradients["c"]
        for name in found:
            found[name] += gradients[name]

    def loss(Wx, Wh, b):
        h = c = np.zeros((5, 3))
        for x in X:
            h, c = forwards.lstm_cell(x, h, c, Wx, Wh, b)
        return h.sum()

    for name, expected in zip(found, cr.grad(loss, argnums=(0, 1, 2))(*cell.parameters().values()), strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-9, atol=1e-12)


def test_given_arrays_are_the_parameters_themselves():
    W, b = drawn(4, 3), drawn(3)
    layer = layers.Dense(W=W, b=b)
    layer.parameters()["W"] -= 1
    assert layer.W is W
    assert layer.parameters()["b"] is b


@pytest.mark.parametrize(("init", "variance"), [("glorot", 2 / 500), ("he", 2 / 300)])
def test_weights_are_drawn_with_the_variance_that_is_named(init, variance):
    layer = layers.Dense(300, 200, init=init, seed=0, dtype=np.float32)
    assert abs(layer.W.var() / variance - 1) < 0.02
    assert layer.W.dtype == layer.b.dtype == np.float32
    assert np.array_equal(layer.W, layers.Dense(300, 200, init=init, seed=0, dtype=np.float32).W)


# Stability

LARGE = np.array([[1000.0, -1000.0, 0.0]])


@pytest.mark.parametrize(
    ("layer", "rest", "value", "gradient"),
    [
        (layers.Sigmoid(), (), [[1, 0, 0.5]], [[0, 0, 0.25]]),
        (layers.Softmax(), (), [[1, 0, 0]], [[0, 0, 0]]),
        (layers.SigmoidCrossEntropy(), (np.array([[1, 0, 1]]),), np.log(2) / 3, [[0, 0, -0.5 / 3]]),
        (layers.SoftmaxCrossEntropy(), (np.array([2]),), 1000, [[1, 0, -1]]),
        (layers.GELU(), (), [[1000, 0, 0]], [[1, 0, 0.5]]),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, layers.Layer) else "",
)
@pytest.mark.filterwarnings("error")
def test_large_inputs_are_no_trouble(layer, rest, value, gradient):
    output = layer.forward(LARGE, *rest)
    np.testing.assert_allclose(output, value, atol=1e-15)
    found = layer.backward() if np.ndim(output) == 0 else layer.backward(np.ones_like(output))
    np.testing.assert_allclose(next(iter(found.values())), gradient, atol=1e-15)


def test_saturated_gates_are_no_trouble():
    layer = layers.LSTMCell(1, 1, Wx=np.full((1, 4), 1.0), Wh=np.zeros((1, 4)), b=np.zeros(4))
    for x in (-1000.0, 1000.0):
        layer.forward(np.array([[x]]), np.array([[0.0]]), np.array([[0.5]]))
        for gradient in layer.backward(np.ones((1, 1)), np.ones((1, 1))).values():
            assert np.isfinite(gradient).all()


def test_ties_share_the_gradient():
    layer = layers.MaxPool2D(2)
    layer.forward(np.array([[[[3.0, 1.0], [3.0, 2.0]]]]))
    np.testing.assert_array_equal(layer.backward(np.array([[[[1.0]]]]))["x"], [[[[0.5, 0], [0.5, 0]]]])


# Refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.Dense(4, 3).backward(np.ones((5, 3))), "Dense.backward was called before forward"),
        (lambda: layers.Dense(4, 3).forward(np.ones((5, 6))), r"x has shape \(5, 6\) and W has \(4, 3\)"),
        (lambda: layers.Dense(4, 3, W=np.ones((3, 4))), r"W of Dense has shape \(3, 4\)"),
        (lambda: layers.Dense(4), "needs its sizes or its weights"),
        (lambda: layers.Dense(4, 3, init="zeros"), 'can be drawn with "glorot" or "he"'),
        (lambda: layers.Embedding(), "needs its sizes or its table"),
        (lambda: layers.Embedding(4, 3).forward([[1.5]]), "integers are needed"),
        (lambda: layers.Embedding(4, 3).forward([[4]]), "outside of the table, which has 4 rows"),
        (lambda: layers.Dot().forward(np.ones(3), np.ones(4)), r"x1 has shape \(3,\) and x2 has \(4,\)"),
        (lambda: layers.MatMul().forward(np.ones((3, 2)), np.ones((3, 2))), r"\(m, k\) and \(k, n\) are needed"),
        (lambda: layers.Softmax().forward(1.0), r"\(…, classes\) is needed"),
        (lambda: layers.LayerNorm(4).forward(np.ones((2, 3))), r"\(…, 4\) is needed"),
        (lambda: layers.BatchNorm(4).forward(np.ones((2, 3))), r"\(N, 4\) or \(N, 4, H, W\) is needed"),
        (lambda: layers.BatchNorm(4).forward(np.ones((1, 4))), "a batch is needed"),
        (lambda: layers.Dropout(1.0), "less than 1"),
        (lambda: layers.Dropout().forward(np.ones(3), keep=np.ones(2)), r"keep has \(2,\)"),
        (lambda: layers.RNNCell(4, 3).forward(np.ones((2, 3))), r"\(N, 4\) is needed"),
        (lambda: layers.LSTMCell(4, 3).forward(np.ones((2, 4)), np.ones((1, 3))), r"h has shape \(1, 3\)"),
        (lambda: layers.Conv2D(3), "needs its sizes or its kernels"),
        (lambda: layers.Conv2D(3, 2, 2, stride=0), "at least 1"),
        (lambda: layers.Conv2D(3, 2, 2).forward(np.ones((1, 2, 4, 4))), r"\(N, 3, H, W\) is needed"),
        (lambda: layers.Conv2D(3, 2, 5).forward(np.ones((1, 3, 4, 4))), "smaller than a kernel of 5 × 5"),
        (lambda: layers.MaxPool2D(0), "at least 1"),
        (lambda: layers.MaxPool2D(3).forward(np.ones((1, 2, 4, 4))), "multiples of 3"),
        (lambda: layers.Attention().forward(np.ones((2, 3)), np.ones((2, 4)), np.ones((2, 3))), "are needed"),
        (lambda: attend(np.zeros((3, 3))), "booleans are needed"),
        (lambda: attend(np.ones((2, 3), bool)), r"does not broadcast to \(1, 3, 3\)"),
        (lambda: attend(np.zeros((3, 3), bool)), "a query may look nowhere"),
        (lambda: layers.MSE().forward(np.ones(3), np.ones(4)), "one is needed"),
        (lambda: layers.SigmoidCrossEntropy().forward(np.ones(3), np.ones(4)), "one is needed"),
        (lambda: layers.SoftmaxCrossEntropy().forward(np.ones(3), np.ones(3)), r"\(N, classes\) is needed"),
        (lambda: layers.SoftmaxCrossEntropy().forward(np.ones((2, 3)), np.array([0, 3])), "outside of the 3 classes"),
        (lambda: layers.SoftmaxCrossEntropy().forward(np.ones((2, 3)), np.array([0])), r"labels of shape \(1,\)"),
        (lambda: layers.SoftmaxCrossEntropy().forward(np.ones((2, 3)), np.ones(2)), r"rows \(2, 3\) are needed"),
        (lambda: layers.Hinge().forward(np.ones(2), np.array([0, 1])), "each 1 or -1"),
        (lambda: layers.Hinge().forward(np.ones((2, 2)), np.ones(2)), "integers are needed"),
        (lambda: layers.Hinge().forward(np.ones((1, 2, 2)), np.ones(2)), r"\(N,\) or \(N, classes\)"),
        (lambda: wrong_cotangent(layers.ReLU(), np.ones((2, 3))), r"grad_output has shape \(2, 4\), .* \(2, 3\)"),
        (lambda: wrong_cotangent(layers.BatchNorm(2), drawn(2, 2, 3, 4)), r"had \(2, 2, 3, 4\)"),
        (
            lambda: layers.Sequential(layers.Dense(2, 2), layers.Embedding(3, 2)).backward(np.ones((1, 2))),
            "backward was called before forward",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(cr.ChainruleError, match=message):
        call()


def attend(mask):
    return layers.Attention().forward(np.ones((1, 3, 4)), np.ones((1, 3, 4)), np.ones((1, 3, 4)), mask)


def wrong_cotangent(layer, x):
    layer.forward(x)
    layer.backward(np.ones((2, 4)))


def test_a_layer_without_an_input_to_hand_on_can_only_be_the_first():
    network = layers.Sequential(layers.Dense(2, 1, W=np.zeros((2, 1))), layers.Embedding(3, 2, seed=0))
    network.layers[0].forward(np.ones((1, 2)))
    network.layers[1].forward([0])
    with pytest.raises(cr.ChainruleError, match="layer 1, Embedding, has no gradient"):
        network.backward(np.ones((1, 2)))
