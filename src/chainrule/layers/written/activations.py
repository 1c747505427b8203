"""Activations.

Written by chainrule from the functions in ``chainrule/layers/forwards.py``: ``python -m chainrule.layers.generate``.
"""

import numpy as np

__all__ = [
    "GELU",
    "LeakyReLU",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "gelu_forward",
    "gelu_grad_input",
    "leaky_relu_forward",
    "leaky_relu_grad_input",
    "relu_forward",
    "relu_grad_input",
    "sigmoid_forward",
    "sigmoid_grad_input",
    "softmax_forward",
    "softmax_grad_input",
    "tanh_forward",
    "tanh_grad_input",
]


def relu_forward(x_input):
    """The positive part."""
    return np.maximum(0, x_input)


def relu_grad_input(x_input, grad_output):
    """The gradient of relu with respect to x_input."""
    # return np.maximum(0, x_input)    line 77
    dx_input = grad_output * (x_input > 0)

    return dx_input


class ReLU:
    """relu with its backward pass."""

    def forward(self, x_input):
        """The output of relu."""
        output = np.maximum(0, x_input)
        self.x_input = x_input
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        x_input = self.x_input
        # return np.maximum(0, x_input)    line 77
        dx_input = grad_output * (x_input > 0)
        return {"x_input": dx_input}


def leaky_relu_forward(x_input, slope):
    """The identity where it is positive, ``slope`` times it elsewhere."""
    return np.where(x_input > 0, x_input, slope * x_input)


def leaky_relu_grad_input(x_input, grad_output, slope):
    """The gradient of leaky_relu with respect to x_input."""
    # return np.where(x_input > 0, x_input, slope * x_input)    line 82
    dx_input = grad_output * np.where(x_input > 0, 1, slope)

    return dx_input


class LeakyReLU:
    """leaky_relu with its backward pass."""

    def forward(self, x_input, slope):
        """The output of leaky_relu."""
        mask = x_input > 0
        output = np.where(mask, x_input, slope * x_input)
        self.mask = mask
        self.slope = slope
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        mask = self.mask
        slope = self.slope
        # return np.where(x_input > 0, x_input, slope * x_input)    line 82
        dx_input = grad_output * np.where(mask, 1, slope)
        return {"x_input": dx_input}


def sigmoid_forward(x_input):
    """The logistic function."""
    return 1 / (1 + np.exp(-x_input))


def sigmoid_grad_input(x_input, grad_output):
    """The gradient of sigmoid with respect to x_input."""
    sigmoid_x_input = 1 / (1 + np.exp(-x_input))

    # return 1 / (1 + np.exp(-x_input))    line 87
    dx_input = (1 - sigmoid_x_input) * (sigmoid_x_input * grad_output)

    return dx_input


class Sigmoid:
    """sigmoid with its backward pass."""

    def forward(self, x_input):
        """The output of sigmoid."""
        output = 1 / (1 + np.exp(-x_input))
        self.output = output
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        output = self.output
        # return 1 / (1 + np.exp(-x_input))    line 87
        dx_input = (1 - output) * (output * grad_output)
        return {"x_input": dx_input}


def tanh_forward(x_input):
    """The hyperbolic tangent."""
    return np.tanh(x_input)


def tanh_grad_input(x_input, grad_output):
    """The gradient of tanh with respect to x_input."""
    # return np.tanh(x_input)    line 92
    dx_input = grad_output * (1 - np.tanh(x_input) ** 2)

    return dx_input


class Tanh:
    """tanh with its backward pass."""

    def forward(self, x_input):
        """The output of tanh."""
        output = np.tanh(x_input)
        self.output = output
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        output = self.output
        # return np.tanh(x_input)    line 92
        dx_input = grad_output * (1 - output**2)
        return {"x_input": dx_input}


def gelu_forward(x_input):
    """The Gaussian error linear unit, in the form with the hyperbolic tangent (Hendrycks and Gimpel, 2016)."""
    t = np.tanh(0.7978845608028654 * (x_input + 0.044715 * x_input**3))
    return x_input * (0.5 * (1 + t))


def gelu_grad_input(x_input, grad_output):
    """The gradient of gelu with respect to x_input."""
    t_product = 0.044715 * x_input**3
    t = np.tanh(0.7978845608028654 * (x_input + t_product))

    # t = np.tanh(0.7978845608028654 * (x_input + 0.044715 * x_input**3))    line 97
    product = 0.7978845608028654 * (1 - t) * (x_input + 3 * t_product)
    dx_input = 0.5 * (1 + t) * grad_output * (product + 1)

    return dx_input


class GELU:
    """gelu with its backward pass."""

    def forward(self, x_input):
        """The output of gelu."""
        t_product = 0.044715 * x_input**3
        t = np.tanh(0.7978845608028654 * (x_input + t_product))
        product = 0.5 * (1 + t)
        output = x_input * product
        self.t = t
        self.x_input = x_input
        self.t_product = t_product
        self.product = product
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        t = self.t
        x_input = self.x_input
        t_product = self.t_product
        product = self.product
        # t = np.tanh(0.7978845608028654 * (x_input + 0.044715 * x_input**3))    line 97
        product2 = 0.7978845608028654 * (1 - t) * (x_input + 3 * t_product)
        dx_input = product * grad_output * (product2 + 1)
        return {"x_input": dx_input}


def softmax_forward(x_input):
    """Exponentials that add up to 1 in each row."""
    E = np.exp(x_input - x_input.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def softmax_grad_input(x_input, grad_output):
    """The gradient of softmax with respect to x_input."""
    E = np.exp(x_input - x_input.max(axis=1, keepdims=True))
    softmax_x_input = E / E.sum(axis=1, keepdims=True)

    # E = np.exp(x_input - x_input.max(axis=1, keepdims=True))    line 103
    dx_input = softmax_x_input * (grad_output - np.vecdot(grad_output, softmax_x_input)[:, None])

    return dx_input


class Softmax:
    """softmax with its backward pass."""

    def forward(self, x_input):
        """The output of softmax."""
        E = np.exp(x_input - x_input.max(axis=1, keepdims=True))
        output = E / E.sum(axis=1, keepdims=True)
        self.output = output
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        output = self.output
        # E = np.exp(x_input - x_input.max(axis=1, keepdims=True))    line 103
        dx_input = output * (grad_output - np.vecdot(grad_output, output)[:, None])
        return {"x_input": dx_input}
