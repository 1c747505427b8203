"""Backward passes in styles other than functions, each right, for ``relu(x @ W + b)``."""

from __future__ import annotations

import types

import numpy as np


class Parameters:
    """Arrays come with the constructor; gradients are kept."""

    def __init__(self, W, b):
        self.W = W
        self.b = b
        self.x = None
        self.dW = None
        self.db = None

    def forward(self, x):
        self.x = x
        self.Z = x @ self.W + self.b
        return np.maximum(0, self.Z)

    def backward(self, dout):
        dZ = dout * (self.Z > 0)
        self.dW = self.x.T @ dZ
        self.db = np.sum(dZ, axis=0)
        return dZ @ self.W.T


class Lists(Parameters):
    """``params`` and ``grads``, as in a book."""

    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x):
        W, b = self.params
        self.x = x
        self.Z = x @ W + b
        return np.maximum(0, self.Z)

    def backward(self, dout):
        W, b = self.params
        dZ = dout * (self.Z > 0)
        self.grads[0][...] = self.x.T @ dZ
        self.grads[1][...] = dZ.sum(axis=0)
        return dZ @ W.T


class Sizes(Parameters):
    """Sizes come with the constructor, and the bias has two axes."""

    def __init__(self, in_features, out_features, seed=0):
        self.weights = np.random.default_rng(seed).normal(size=(in_features, out_features))
        self.bias = np.zeros((1, out_features))

    def forward(self, inputs):
        self.inputs = inputs
        self.Z = inputs @ self.weights + self.bias
        return np.maximum(0, self.Z)

    def backward(self, grad):
        dZ = grad * (self.Z > 0)
        self.grad_weights = self.inputs.T @ dZ
        self.grad_bias = dZ.sum(axis=0, keepdims=True)
        return dZ @ self.weights.T


class Turned(Parameters):
    """Keeps the weights as (out, in)."""

    def __init__(self, n_in, n_out):
        self.W = np.zeros((n_out, n_in))
        self.b = np.zeros(n_out)
        self.grads = {}

    def forward(self, x):
        self.x = x
        self.Z = x @ self.W.T + self.b
        return np.maximum(0, self.Z)

    def backward(self, g):
        dZ = g * (self.Z > 0)
        self.grads["W"] = dZ.T @ self.x
        self.grads["b"] = dZ.sum(0)
        return dZ @ self.W


class Steps:
    """Takes the step of gradient descent itself, as in a course."""

    def __init__(self, input_units, output_units, learning_rate=0.1):
        self.learning_rate = learning_rate
        self.weights = np.random.randn(input_units, output_units) * 0.01
        self.biases = np.zeros(output_units)

    def forward(self, input):
        return np.maximum(0, input @ self.weights + self.biases)

    def backward(self, input, grad_output):
        dZ = grad_output * (input @ self.weights + self.biases > 0)
        grad_input = dZ @ self.weights.T
        grad_weights = input.T @ dZ
        grad_biases = dZ.sum(axis=0)
        self.weights = self.weights - self.learning_rate * grad_weights
        self.biases = self.biases - self.learning_rate * grad_biases
        return grad_input


class Rate(Steps):
    """Is given the learning rate by backward."""

    def __init__(self, n_in, n_out):
        self.weights = np.zeros((n_in, n_out))
        self.biases = np.zeros(n_out)

    def forward(self, input):
        self.input = input
        return super().forward(input)

    def backward(self, output_gradient, learning_rate):
        dZ = output_gradient * (self.input @ self.weights + self.biases > 0)
        grad_input = dZ @ self.weights.T
        self.weights -= learning_rate * self.input.T @ dZ
        self.biases -= learning_rate * dZ.sum(axis=0)
        return grad_input


class Everything:
    """Nothing is kept but the cache; all arrays go through forward."""

    def forward(self, x, W, b):
        Z = x @ W + b
        self.cache = x, W, Z
        return np.maximum(0, Z)

    def backward(self, g):
        x, W, Z = self.cache
        dZ = g * (Z > 0)
        return dZ @ W.T, x.T @ dZ, dZ.sum(0)


class Held:
    """A parameter: an array with its gradient."""

    def __init__(self, data):
        self.data = data
        self.grad = np.zeros_like(data)


class Objects:
    """Parameters are objects; gradients are added up in them."""

    def __init__(self, n_in, n_out):
        self.W = Held(np.zeros((n_in, n_out)))
        self.b = Held(np.zeros(n_out))

    def __call__(self, x):
        self.x = x
        self.Z = x @ self.W.data + self.b.data
        return np.maximum(0, self.Z)

    def zero_grad(self):
        for p in (self.W, self.b):
            p.grad = np.zeros_like(p.data)

    def backward(self, g):
        dZ = g * (self.Z > 0)
        self.W.grad = self.W.grad + self.x.T @ dZ
        self.b.grad = self.b.grad + dZ.sum(0)
        return dZ @ self.W.data.T


class Dictionary:
    """``self.params["W"]`` and ``self.grads["W"]``."""

    def __init__(self, input_dim, output_dim):
        self.params = {"W": np.zeros((input_dim, output_dim)), "b": np.zeros(output_dim)}
        self.grads = {}

    def forward(self, X):
        self.X = X
        self.Z = X @ self.params["W"] + self.params["b"]
        return np.maximum(0, self.Z)

    def backward(self, dout):
        dZ = dout * (self.Z > 0)
        self.grads["W"] = self.X.T @ dZ
        self.grads["b"] = dZ.sum(0)
        self.grads["X"] = dZ @ self.params["W"].T


class Context:
    """Static methods that pass a context."""

    @staticmethod
    def forward(ctx, x, W, b):
        Z = x @ W + b
        ctx.save_for_backward(x, W, Z)
        return np.maximum(0, Z)

    @staticmethod
    def backward(ctx, grad_output):
        x, W, Z = ctx.saved_tensors
        dZ = grad_output * (Z > 0)
        return dZ @ W.T, x.T @ dZ, dZ.sum(0)


def dense_forward(X, weights, bias):
    Z = X @ weights + bias
    return np.maximum(0, Z), (X, weights, Z)


def dense_backward(dout, cache):
    X, weights, Z = cache
    dZ = dout * (Z > 0)
    return dZ @ weights.T, X.T @ dZ, dZ.sum(0)


def dense_grad_input(x_input, grad_output, W, b):
    return (grad_output * (x_input @ W + b > 0)) @ W.T


def dense_grad_W(x_input, grad_output, W, b):
    return x_input.T @ (grad_output * (x_input @ W + b > 0))


def dense_grad_b(x_input, grad_output, W, b):
    return (grad_output * (x_input @ W + b > 0)).sum(axis=0)


_FAMILY = (dense_grad_input, dense_grad_W, dense_grad_b)
STYLES = {
    "parameters": Parameters,
    "lists": Lists,
    "sizes": Sizes,
    "turned": Turned,
    "steps": Steps,
    "rate": Rate,
    "everything": Everything,
    "objects": Objects,
    "dictionary": Dictionary,
    "context": Context,
    "instance": Sizes(2, 2),
    "pair": (dense_forward, dense_backward),
    "family": list(_FAMILY),
    "dict of functions": {"x": dense_grad_input, "dW": dense_grad_W, "grad_b": dense_grad_b},
    "namespace": types.SimpleNamespace(**{f.__name__: f for f in _FAMILY}),
}
