"""Methods of the user's objects: the arrays among the attributes are differentiated too, and read where they are."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest

import chainrule as cr

rng = np.random.default_rng(0)


class Dense:
    def __init__(self, n: int, m: int) -> None:
        self.W = rng.normal(size=(n, m))
        self.b = rng.normal(size=m)

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.tanh(x @ self.W + self.b)


class TwoLayers:
    """With the parameters in a dictionary, a weight decay, and what is kept for later."""

    def __init__(self) -> None:
        self.params = {"W1": rng.normal(size=(3, 4)), "b1": rng.normal(size=4), "W2": rng.normal(size=(4, 2))}
        self.decay = 0.1
        self.calls = 0

    def loss(self, X: Any, y: Any) -> Any:
        p = self.params
        self.calls += 1
        h = np.maximum(0, X @ p["W1"] + p["b1"])
        scores = h @ p["W2"]
        scores -= scores.max(axis=1, keepdims=True)
        self.probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        return -np.log(self.probs[np.arange(len(y)), y]).mean() + self.decay * np.sum(p["W1"] ** 2)


class Stack:
    def __init__(self, *layers: Any) -> None:
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer.forward(x)
        return x


class Lists:
    def __init__(self, *sizes: int) -> None:
        self.weights = [rng.normal(size=(n, m)) for n, m in itertools.pairwise(sizes)]
        self.biases = [rng.normal(size=m) for m in sizes[1:]]

    def output(self, a: Any) -> Any:
        for w, b in zip(self.weights, self.biases, strict=True):
            a = 1 / (1 + np.exp(-(a @ w + b)))
        return a


class Power:
    """Of which what is written holds for one exponent only."""

    def __init__(self) -> None:
        self.w = rng.normal(size=3) ** 2
        self.power = 3.0

    def value(self, x: Any) -> Any:
        return (self.w**self.power * x).sum()


X, y = rng.normal(size=(5, 3)), np.array([0, 1, 1, 0, 1])
DENSE, TWO, STACK, LISTS = Dense(3, 2), TwoLayers(), Stack(Dense(3, 4), Dense(4, 4), Dense(4, 2)), Lists(3, 4, 2)

# The method, its arguments, and by the name of a gradient where its array is: attributes, keys and places.
METHODS: dict[str, tuple[Any, tuple[Any, ...], dict[str, tuple[Any, ...]]]] = {
    "dense": (DENSE.forward, (X,), {"W": ("W",), "b": ("b",)}),
    "two layers": (TWO.loss, (X, y), {n: ("params", n) for n in ("W1", "b1", "W2")}),
    "stack": (STACK.forward, (X,), {f"layers_{k}_{n}": ("layers", k, n) for k in range(3) for n in "Wb"}),
    "lists": (LISTS.output, (X,), {}),
    "power": (Power().value, (np.ones(3),), {"w": ("w",)}),
}


def at(owner: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        owner = getattr(owner, part) if isinstance(part, str) and not isinstance(owner, dict) else owner[part]
    return owner


def differences(method: Any, args: tuple[Any, ...], array: Any, cotangent: Any) -> Any:
    """The gradient with respect to an array that the object holds, by central differences."""
    found = np.zeros_like(array)
    for k in np.ndindex(array.shape):
        sides = []
        for step in (1e-6, -1e-6):
            array[k] += step
            sides.append(np.sum(cotangent * method(*args)))
            array[k] -= step
        found[k] = (sides[0] - sides[1]) / 2e-6
    return found


@pytest.mark.parametrize("name", METHODS)
def test_the_arrays_of_the_object_are_differentiated(name: str) -> None:
    method, args, paths = METHODS[name]
    owner = copy.deepcopy(method.__self__)
    before = set(vars(method.__self__))
    written = cr.write(method, *args)
    assert set(vars(method.__self__)) == before, "the object stays as it is"
    value = method(*args)
    extra = () if np.ndim(value) == 0 else (np.cos(1 + np.arange(value.size)).reshape(value.shape),)
    output, gradients = written.function(owner, *args, *extra)
    np.testing.assert_allclose(output, value)
    for own, path in paths.items():
        expected = differences(method, args, at(method.__self__, path), extra[0] if extra else 1.0)
        np.testing.assert_allclose(gradients[own], expected, rtol=1e-6, atol=1e-8, err_msg=own)


def test_gradients_of_lists_in_an_object_are_lists() -> None:
    _, gradients = cr.write(LISTS.output, X).function(LISTS, X, np.ones((5, 2)))
    for own, array in zip(gradients["weights"], LISTS.weights, strict=True):
        np.testing.assert_allclose(own, differences(LISTS.output, (X,), array, 1.0), rtol=1e-6, atol=1e-8)


def test_numbers_of_the_object_keep_their_names_where_that_is_right() -> None:
    text = str(cr.write(TWO.loss, X, y, style="lines"))
    assert "dW1 = 2 * self.decay * W1 + X.T @ " in text
    other = copy.deepcopy(TWO)
    other.decay = 0.7
    _, gradients = cr.write(TWO.loss, X, y).function(other, X, y)
    expected = differences(other.loss, (X, y), other.params["W1"], 1.0)
    np.testing.assert_allclose(gradients["W1"], expected, rtol=1e-5, atol=1e-8)


def test_as_a_layer_the_methods_are_those_of_the_class() -> None:
    made = cr.write(DENSE.forward, X, style="layer")
    assert str(made).split("\n")[3] == "class Dense:"
    layer = made.function()
    layer.W, layer.b = DENSE.W, DENSE.b
    np.testing.assert_allclose(layer.forward(X), DENSE.forward(X))
    gradients = layer.backward(np.ones((5, 2)))
    np.testing.assert_allclose(gradients["W"], differences(DENSE.forward, (X,), DENSE.W, 1.0), rtol=1e-6)


def test_a_layer_reads_the_numbers_of_its_object() -> None:
    layer = cr.write(TWO.loss, X, y, style="layer").function()
    layer.params, layer.decay = TWO.params, 0.7
    layer.forward(X, y)
    expected = copy.deepcopy(TWO)
    expected.decay = 0.7
    slopes = differences(expected.loss, (X, y), expected.params["W1"], 1.0)
    np.testing.assert_allclose(layer.backward()["W1"], slopes, rtol=1e-5, atol=1e-8)


class Otherwise:
    """Whose methods call their object by another name."""

    def __init__(me) -> None:  # noqa: N805
        me.W = rng.normal(size=(3, 2))
        me.scale = 0.5

    def forward(me, x: Any) -> Any:  # noqa: N805
        return np.tanh(x @ me.W) * me.scale


def test_a_layer_calls_its_object_as_the_method_does() -> None:
    owner = Otherwise()
    layer = cr.write(owner.forward, X, style="layer").function()
    layer.W, layer.scale = owner.W, owner.scale
    np.testing.assert_allclose(layer.forward(X), owner.forward(X))
    expected = differences(owner.forward, (X,), owner.W, 1.0)
    np.testing.assert_allclose(layer.backward(np.ones((5, 2)))["W"], expected, rtol=1e-6, atol=1e-8)


def test_the_names_of_the_arrays_can_be_asked_for() -> None:
    _, gradients = cr.write(TWO.loss, X, y, wrt=["b1"]).function(TWO, X, y)
    assert list(gradients) == ["b1"]


def test_they_are_explained_under_their_names() -> None:
    assert "dW, the gradient of" in str(cr.explain(DENSE.forward, X, wrt="W"))


class Strided:
    def __init__(self, stride: int) -> None:
        self.w = rng.normal(size=2)
        self.stride = stride
        self.calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return x[:: self.stride] * self.w


def test_settings_of_the_object_are_said_and_checked() -> None:
    layer = Strided(2)
    made = cr.write(layer.forward, np.ones(4))
    assert "# valid for self.stride=2\n" in str(made)
    assert "calls" not in str(made)
    with pytest.raises(ValueError, match=r"written for self\.stride=2"):
        made.function(Strided(3), np.ones(6), np.ones(2))
