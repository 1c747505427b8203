"""Products and look-ups.

Written by chainrule from the functions in ``chainrule/layers/forwards.py``: ``python -m chainrule.layers.generate``.
"""

import numpy as np

__all__ = [
    "Dense",
    "Dot",
    "Embedding",
    "MatMul",
    "dense_backward",
    "dense_forward",
    "dense_grad_W",
    "dense_grad_b",
    "dense_grad_input",
    "dot_backward",
    "dot_forward",
    "dot_grad_x1",
    "dot_grad_x2",
    "embedding_forward",
    "embedding_grad_W",
    "matmul_backward",
    "matmul_forward",
    "matmul_grad_x1",
    "matmul_grad_x2",
]


def dot_forward(x1, x2):
    """The inner product of each row of ``x1`` with the same row of ``x2``."""
    return (x1 * x2).sum(axis=1)


def dot_grad_x1(x1, grad_output, x2):
    """The gradient of dot with respect to x1."""
    # return (x1 * x2).sum(axis=1)    line 41
    dx1 = grad_output[:, None] * x2

    return dx1


def dot_grad_x2(x1, grad_output, x2):
    """The gradient of dot with respect to x2."""
    # return (x1 * x2).sum(axis=1)    line 41
    dx2 = grad_output[:, None] * x1

    return dx2


def dot_backward(x1, grad_output, x2):
    """The gradients of dot with respect to x1, x2."""
    # return (x1 * x2).sum(axis=1)    line 41
    dx1 = grad_output[:, None] * x2
    dx2 = grad_output[:, None] * x1

    return dx1, dx2


class Dot:
    """dot with its backward pass."""

    def forward(self, x1, x2):
        """The output of dot."""
        output = (x1 * x2).sum(axis=1)
        self.x2 = x2
        self.x1 = x1
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        x2 = self.x2
        x1 = self.x1
        # return (x1 * x2).sum(axis=1)    line 41
        dx1 = grad_output[:, None] * x2
        dx2 = grad_output[:, None] * x1
        return {"x1": dx1, "x2": dx2}


def matmul_forward(x1, x2):
    """The product of two matrices."""
    return x1 @ x2


def matmul_grad_x1(x1, grad_output, x2):
    """The gradient of matmul with respect to x1."""
    # return x1 @ x2    line 46
    dx1 = grad_output @ x2.T

    return dx1


def matmul_grad_x2(x1, grad_output, x2):
    """The gradient of matmul with respect to x2."""
    # return x1 @ x2    line 46
    dx2 = x1.T @ grad_output

    return dx2


def matmul_backward(x1, grad_output, x2):
    """The gradients of matmul with respect to x1, x2."""
    # return x1 @ x2    line 46
    dx1 = grad_output @ x2.T
    dx2 = x1.T @ grad_output

    return dx1, dx2


class MatMul:
    """matmul with its backward pass."""

    def forward(self, x1, x2):
        """The output of matmul."""
        output = x1 @ x2
        self.x2 = x2
        self.x1 = x1
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        x2 = self.x2
        x1 = self.x1
        # return x1 @ x2    line 46
        dx1 = grad_output @ x2.T
        dx2 = x1.T @ grad_output
        return {"x1": dx1, "x2": dx2}


def dense_forward(x_input, W, b):
    """Each row times ``W``, and ``b``."""
    return x_input @ W + b


def dense_grad_input(x_input, grad_output, W, b):
    """The gradient of dense with respect to x_input."""
    # return x_input @ W + b    line 51
    dx_input = grad_output @ W.T

    return dx_input


def dense_grad_W(x_input, grad_output, W, b):
    """The gradient of dense with respect to W."""
    # return x_input @ W + b    line 51
    dW = x_input.T @ grad_output

    return dW


def dense_grad_b(x_input, grad_output, W, b):
    """The gradient of dense with respect to b."""
    # return x_input @ W + b    line 51
    db = grad_output.sum(axis=0)

    return db


def dense_backward(x_input, grad_output, W, b):
    """The gradients of dense with respect to x_input, W, b."""
    # return x_input @ W + b    line 51
    dx_input = grad_output @ W.T
    dW = x_input.T @ grad_output
    db = grad_output.sum(axis=0)

    return dx_input, dW, db


class Dense:
    """dense with its backward pass."""

    def forward(self, x_input, W, b):
        """The output of dense."""
        output = x_input @ W + b
        self.W = W
        self.x_input = x_input
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        W = self.W
        x_input = self.x_input
        # return x_input @ W + b    line 51
        dx_input = grad_output @ W.T
        dW = x_input.T @ grad_output
        db = grad_output.sum(axis=0)
        return {"x_input": dx_input, "W": dW, "b": db}


def embedding_forward(indices, W):
    """The rows of ``W`` at ``indices``."""
    return W[indices]


def embedding_grad_W(indices, grad_output, W):
    """The gradient of embedding with respect to W."""
    # return W[indices]    line 56
    dW = np.zeros_like(W)
    np.add.at(dW, indices, grad_output)

    return dW


class Embedding:
    """embedding with its backward pass."""

    def forward(self, indices, W):
        """The output of embedding."""
        output = W[indices]
        self.W = W
        self.indices = indices
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        W = self.W
        indices = self.indices
        # return W[indices]    line 56
        dW = np.zeros_like(W)
        np.add.at(dW, indices, grad_output)
        return {"W": dW}
