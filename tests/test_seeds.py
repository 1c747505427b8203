"""The networks of ``examples/``, which started the project: gradients against hand-written ones and complex step.

The two references share no code with chainrule or with each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from examples import demo, dense, matmul, mlp

PARAMETERS = ("W1", "W2", "W3", "W4", "B1", "B2", "B3", "B4")


def complex_step(function: Any, args: tuple[Any, ...], position: int) -> np.ndarray:
    """The gradient of the scalar ``function`` with respect to one argument, exact to rounding."""
    x = args[position]
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[index] += 1e-30j
        gradient[index] = function(*args[:position], moved, *args[position + 1 :]).imag / 1e-30
    return gradient


def assert_equal(found: Any, expected: np.ndarray) -> None:
    """Equal shape and dtype, and values to a few roundings."""
    assert isinstance(found, np.ndarray)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


def mlp_by_hand() -> dict[str, np.ndarray]:
    """The backward pass of the network of four layers as one writes it on paper."""
    Z1 = mlp.X @ mlp.W1 + mlp.B1
    A1 = Z1 * (Z1 > 0)
    Z2 = A1 @ mlp.W2 + mlp.B2
    A2 = Z2 * (Z2 > 0)
    Z3 = A2 @ mlp.W3 + mlp.B3
    A3 = Z3 * (Z3 > 0)
    Y = A3 @ mlp.W4 + mlp.B4
    dY = 2 * (Y - mlp.T) / Y.size
    dZ3 = dY @ mlp.W4.T * (Z3 > 0)
    dZ2 = dZ3 @ mlp.W3.T * (Z2 > 0)
    dZ1 = dZ2 @ mlp.W2.T * (Z1 > 0)
    return {
        "W1": mlp.X.T @ dZ1,
        "W2": A1.T @ dZ2,
        "W3": A2.T @ dZ3,
        "W4": A3.T @ dY,
        "B1": dZ1.sum(axis=0),
        "B2": dZ2.sum(axis=0),
        "B3": dZ3.sum(axis=0),
        "B4": dY.sum(axis=0),
    }


# The dense layer


def dense_loss(x_input: Any, W: Any, b: Any) -> Any:
    """A loss whose gradient with respect to the layer's output is ``grad_output``."""
    return (dense.grad_output * dense.dense_forward(x_input, W, b)).sum()


DENSE = {
    "input": (dense.dense_grad_input, 0, dense.grad_output @ dense.W.T),
    "W": (dense.dense_grad_W, 1, dense.x_input.T @ dense.grad_output),
    "b": (dense.dense_grad_b, 2, dense.grad_output.sum(axis=0)),
}


@pytest.mark.parametrize("name", DENSE)
def test_dense_gradient(name):
    function, position, by_hand = DENSE[name]
    found = function(dense.x_input, dense.grad_output, dense.W, dense.b)
    assert_equal(found, by_hand)
    assert_equal(found, complex_step(dense_loss, (dense.x_input, dense.W, dense.b), position))


def test_dense_gradients_as_grad_of_the_loss():
    found = cr.grad(dense_loss, argnums=(0, 1, 2))(dense.x_input, dense.W, dense.b)
    for gradient, (_, _, by_hand) in zip(found, DENSE.values(), strict=True):
        assert_equal(gradient, by_hand)


# The matrix product


@pytest.mark.parametrize(
    ("x1", "x2", "grad"),
    [
        (matmul.X, matmul.W, matmul.grad_Y),
        (np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([[0.5]])),
        (np.arange(6.0).reshape(3, 2), np.array([[1.0, -1.0], [0.5, 2.0]]), np.arange(6.0).reshape(3, 2) - 2),
    ],
    ids=["1x2 by 2x2", "1x2 by 2x1", "3x2 by 2x2"],
)
def test_matrix_product(x1, x2, grad):
    layer = matmul.MatMul(x1, x2)
    assert_equal(layer.forward(), x1 @ x2)
    assert_equal(layer.y, x1 @ x2)
    grad_x1, grad_x2 = layer.backward(grad)
    assert_equal(grad_x1, np.dot(grad, x2.T))
    assert_equal(grad_x2, np.dot(x1.T, grad))

    def loss(x1: Any, x2: Any) -> Any:
        return (grad * matmul.MatMul(x1, x2).forward()).sum()

    assert_equal(grad_x1, complex_step(loss, (x1, x2), 0))
    assert_equal(grad_x2, complex_step(loss, (x1, x2), 1))


def test_matrix_product_written_out():
    # The four weights one by one: the product rule without a matrix in it.
    (x, y), ((a, b), (c, d)), (p, q) = matmul.X[0], matmul.W, matmul.grad_Y[0]
    grad_X, grad_W = matmul.MatMul(matmul.X, matmul.W).backward(matmul.grad_Y)
    assert_equal(grad_X, np.array([[p * a + q * b, p * c + q * d]]))
    assert_equal(grad_W, np.array([[p * x, q * x], [p * y, q * y]]))


def test_a_class_that_keeps_what_it_saw_holds_no_followed_array():
    layer = matmul.MatMul(matmul.X, matmul.W)
    layer.forward()
    layer.backward(matmul.grad_Y)
    assert all(type(value) is np.ndarray for value in vars(layer).values())


# The network of four layers


@pytest.mark.parametrize("name", PARAMETERS)
def test_four_layer_gradient(name):
    found = mlp.gradients()[name]
    args = tuple(getattr(mlp, parameter) for parameter in PARAMETERS)
    assert_equal(found, mlp_by_hand()[name])
    assert_equal(found, complex_step(mlp.error, args, PARAMETERS.index(name)))


def test_four_layers_as_lists():
    W, B = mlp.gradients_of_lists()
    assert isinstance(W, list)
    assert isinstance(B, list)
    for name, gradient in zip(PARAMETERS, [*W, *B], strict=True):
        assert_equal(gradient, mlp_by_hand()[name])


def test_four_layers_value_comes_with_the_gradients():
    args = tuple(getattr(mlp, parameter) for parameter in PARAMETERS)
    value, found = cr.value_and_grad(mlp.error, argnums=tuple(range(8)))(*args)
    assert value == mlp.error(*args)
    for name, gradient in zip(PARAMETERS, found, strict=True):
        assert_equal(gradient, mlp_by_hand()[name])


def test_four_layers_with_x_and_t_as_followed_arguments():
    # With X a plain global, X.dot(W1) is a call that NumPy hands to nobody; with X an argument it is an ordinary one.
    def error(X: Any, T: Any) -> Any:
        A = X
        for W, B in ((mlp.W1, mlp.B1), (mlp.W2, mlp.B2), (mlp.W3, mlp.B3)):
            A = np.maximum(0, A.dot(W) + B)
        return ((A.dot(mlp.W4) + mlp.B4 - T) ** 2).mean()

    for position, gradient in enumerate(cr.grad(error, argnums=(0, 1))(mlp.X, mlp.T)):
        assert_equal(gradient, complex_step(error, (mlp.X, mlp.T), position))


def test_data_stay_as_they_were():
    before = {name: value.copy() for name, value in vars(mlp).items() if isinstance(value, np.ndarray)}
    mlp.gradients()
    mlp.gradients_of_lists()
    for name, value in before.items():
        assert np.array_equal(getattr(mlp, name), value), name


# The demonstration


def test_demo_finds_every_gradient_right(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert demo.main() == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert demo.backward_lines() in out
    assert out.splitlines()[-1].startswith("8 of 8 gradients are right")


def test_demo_says_when_a_gradient_is_wrong(capsys, monkeypatch):
    right = demo.backward_lines()
    monkeypatch.setattr(demo, "backward_lines", lambda: right.replace("(Z2 > 0)", "(Z2 > -9)"))
    assert demo.main() == 1
    assert "4 of 8 gradients are right" in capsys.readouterr().out
