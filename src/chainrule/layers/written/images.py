"""Convolution and pooling.

Written by chainrule from the functions in ``chainrule/layers/forwards.py``: ``python -m chainrule.layers.generate``.
"""

import numpy as np

__all__ = [
    "Conv2D",
    "MaxPool2D",
    "conv2d_backward",
    "conv2d_forward",
    "conv2d_grad_W",
    "conv2d_grad_b",
    "conv2d_grad_input",
    "max_pool2d_forward",
    "max_pool2d_grad_input",
]


def conv2d_forward(x_input, W, b, stride, padding):
    """Images ``(N, C, H, W)`` correlated with the kernels ``W``, a pixel's channels in a row."""
    padded = np.pad(x_input, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rows = np.arange(0, padded.shape[2] - W.shape[2] + 1, stride)[:, None] + np.arange(W.shape[2])
    columns = (
        np.arange(0, padded.shape[3] - W.shape[3] + 1, stride)[:, None] + np.arange(W.shape[3])
    )
    windows = padded[:, :, rows[:, :, None, None], columns]
    output = np.tensordot(windows, W, axes=((1, 3, 5), (1, 2, 3))) + b
    return output.transpose(0, 3, 1, 2)


def conv2d_grad_input(x_input, grad_output, W, b, stride, padding):
    """The gradient of conv2d with respect to x_input."""
    padded = np.pad(x_input, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rows = np.arange(0, padded.shape[2] - W.shape[2] + 1, stride)[:, None] + np.arange(W.shape[2])
    columns = (
        np.arange(0, padded.shape[3] - W.shape[3] + 1, stride)[:, None] + np.arange(W.shape[3])
    )

    # return output.transpose(0, 3, 1, 2)                                                   line 66
    doutput = grad_output.transpose(0, 2, 3, 1)
    # output = np.tensordot(windows, W, axes=((1, 3, 5), (1, 2, 3))) + b                    line 65
    dwindows = np.tensordot(doutput, W, axes=([3], [0])).transpose(0, 3, 1, 4, 2, 5)
    # windows = padded[:, :, rows[:, :, None, None], columns]                               line 64
    dpadded = np.zeros_like(padded)
    np.add.at(dpadded, (slice(None), slice(None), rows[:, :, None, None], columns), dwindows)
    # padded = np.pad(x_input, ((0, 0), (0, 0), (padding, padding), (padding, padding)))    line 61
    dx_input = dpadded[:, :, padding : padding + x_input.shape[2], padding : padding + x_input.shape[3]]

    return dx_input


def conv2d_grad_W(x_input, grad_output, W, b, stride, padding):
    """The gradient of conv2d with respect to W."""
    padded = np.pad(x_input, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rows = np.arange(0, padded.shape[2] - W.shape[2] + 1, stride)[:, None] + np.arange(W.shape[2])
    columns = (
        np.arange(0, padded.shape[3] - W.shape[3] + 1, stride)[:, None] + np.arange(W.shape[3])
    )
    windows = padded[:, :, rows[:, :, None, None], columns]

    # return output.transpose(0, 3, 1, 2)                                   line 66
    doutput = grad_output.transpose(0, 2, 3, 1)
    # output = np.tensordot(windows, W, axes=((1, 3, 5), (1, 2, 3))) + b    line 65
    dW = np.tensordot(windows, doutput, axes=([0, 2, 4], [0, 1, 2])).transpose(3, 0, 1, 2)

    return dW


def conv2d_grad_b(x_input, grad_output, W, b, stride, padding):
    """The gradient of conv2d with respect to b."""
    # return output.transpose(0, 3, 1, 2)                                   line 66
    doutput = grad_output.transpose(0, 2, 3, 1)
    # output = np.tensordot(windows, W, axes=((1, 3, 5), (1, 2, 3))) + b    line 65
    db = doutput.sum(axis=(0, 1, 2))

    return db


def conv2d_backward(x_input, grad_output, W, b, stride, padding):
    """The gradients of conv2d with respect to x_input, W, b."""
    padded = np.pad(x_input, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rows = np.arange(0, padded.shape[2] - W.shape[2] + 1, stride)[:, None] + np.arange(W.shape[2])
    columns = (
        np.arange(0, padded.shape[3] - W.shape[3] + 1, stride)[:, None] + np.arange(W.shape[3])
    )
    windows = padded[:, :, rows[:, :, None, None], columns]

    # return output.transpose(0, 3, 1, 2)                                                   line 66
    doutput = grad_output.transpose(0, 2, 3, 1)
    # output = np.tensordot(windows, W, axes=((1, 3, 5), (1, 2, 3))) + b                    line 65
    dwindows = np.tensordot(doutput, W, axes=([3], [0])).transpose(0, 3, 1, 4, 2, 5)
    dW = np.tensordot(windows, doutput, axes=([0, 2, 4], [0, 1, 2])).transpose(3, 0, 1, 2)
    db = doutput.sum(axis=(0, 1, 2))
    # windows = padded[:, :, rows[:, :, None, None], columns]                               line 64
    dpadded = np.zeros_like(padded)
    np.add.at(dpadded, (slice(None), slice(None), rows[:, :, None, None], columns), dwindows)
    # padded = np.pad(x_input, ((0, 0), (0, 0), (padding, padding), (padding, padding)))    line 61
    dx_input = dpadded[:, :, padding : padding + x_input.shape[2], padding : padding + x_input.shape[3]]

    return dx_input, dW, db


class Conv2D:
    """conv2d with its backward pass."""

    def forward(self, x_input, W, b, stride, padding):
        """The output of conv2d."""
        padded = np.pad(x_input, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        rows = (
            np.arange(0, padded.shape[2] - W.shape[2] + 1, stride)[:, None] + np.arange(W.shape[2])
        )
        columns = (
            np.arange(0, padded.shape[3] - W.shape[3] + 1, stride)[:, None] + np.arange(W.shape[3])
        )
        windows = padded[:, :, rows[:, :, None, None], columns]
        output = np.tensordot(windows, W, axes=((1, 3, 5), (1, 2, 3))) + b
        output2 = output.transpose(0, 3, 1, 2)
        self.W = W
        self.windows = windows
        self.padded = padded
        self.rows = rows
        self.columns = columns
        self.padding = padding
        self.x_input = x_input
        return output2

    def backward(self, grad_output):
        """The gradients by name."""
        W = self.W
        windows = self.windows
        padded = self.padded
        rows = self.rows
        columns = self.columns
        padding = self.padding
        x_input = self.x_input
        # return output.transpose(0, 3, 1, 2)                                                   line 66
        doutput = grad_output.transpose(0, 2, 3, 1)
        # output = np.tensordot(windows, W, axes=((1, 3, 5), (1, 2, 3))) + b                    line 65
        dwindows = np.tensordot(doutput, W, axes=([3], [0])).transpose(0, 3, 1, 4, 2, 5)
        dW = np.tensordot(windows, doutput, axes=([0, 2, 4], [0, 1, 2])).transpose(3, 0, 1, 2)
        db = doutput.sum(axis=(0, 1, 2))
        # windows = padded[:, :, rows[:, :, None, None], columns]                               line 64
        dpadded = np.zeros_like(padded)
        np.add.at(dpadded, (slice(None), slice(None), rows[:, :, None, None], columns), dwindows)
        # padded = np.pad(x_input, ((0, 0), (0, 0), (padding, padding), (padding, padding)))    line 61
        dx_input = dpadded[:, :, padding : padding + x_input.shape[2], padding : padding + x_input.shape[3]]
        return {"x_input": dx_input, "W": dW, "b": db}


def max_pool2d_forward(x_input, size):
    """The largest pixel of each square of ``size`` by ``size``."""
    N = x_input.shape[0]
    C = x_input.shape[1]
    H = x_input.shape[2]
    W = x_input.shape[3]
    return x_input.reshape(N, C, H // size, size, W // size, size).max(axis=(3, 5))


def max_pool2d_grad_input(x_input, grad_output, size):
    """The gradient of max_pool2d with respect to x_input."""
    N = x_input.shape[0]
    C = x_input.shape[1]
    H = x_input.shape[2]
    W = x_input.shape[3]
    x_input_reshaped = x_input.reshape(N, C, H // size, size, W // size, size)
    max_pool2d = x_input_reshaped.max(axis=(3, 5))

    # return x_input.reshape(N, C, H // size, size, W // size, size).max(axis=(3, 5))    line 72
    matches = x_input_reshaped == np.expand_dims(max_pool2d, axis=(3, 5))
    matches_sum = matches.sum(axis=(3, 5), keepdims=True, dtype=grad_output.dtype)
    ratio = np.expand_dims(grad_output, axis=(3, 5)) / matches_sum
    dx_input = (ratio * matches).reshape(N, C, H, W)

    return dx_input


class MaxPool2D:
    """max_pool2d with its backward pass."""

    def forward(self, x_input, size):
        """The output of max_pool2d."""
        N = x_input.shape[0]
        C = x_input.shape[1]
        H = x_input.shape[2]
        W = x_input.shape[3]
        x_input_reshaped = x_input.reshape(N, C, H // size, size, W // size, size)
        output = x_input_reshaped.max(axis=(3, 5))
        self.x_input_reshaped = x_input_reshaped
        self.output = output
        self.N = N
        self.C = C
        self.H = H
        self.W = W
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        x_input_reshaped = self.x_input_reshaped
        output = self.output
        N = self.N
        C = self.C
        H = self.H
        W = self.W
        # return x_input.reshape(N, C, H // size, size, W // size, size).max(axis=(3, 5))    line 72
        matches = x_input_reshaped == np.expand_dims(output, axis=(3, 5))
        matches_sum = matches.sum(axis=(3, 5), keepdims=True, dtype=grad_output.dtype)
        ratio = np.expand_dims(grad_output, axis=(3, 5)) / matches_sum
        dx_input = (ratio * matches).reshape(N, C, H, W)
        return {"x_input": dx_input}
