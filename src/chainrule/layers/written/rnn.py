"""A step of a recurrent network.

Written by chainrule from the functions in ``chainrule/layers/forwards.py``: ``python -m chainrule.layers.generate``.
"""

import numpy as np

__all__ = [
    "RNNCell",
    "rnn_cell_backward",
    "rnn_cell_forward",
    "rnn_cell_grad_Wh",
    "rnn_cell_grad_Wx",
    "rnn_cell_grad_b",
    "rnn_cell_grad_h",
    "rnn_cell_grad_input",
]


def rnn_cell_forward(x_input, h, Wx, Wh, b):
    """One step of a recurrent network."""
    return np.tanh(x_input @ Wx + h @ Wh + b)


def rnn_cell_grad_input(x_input, grad_output, h, Wx, Wh, b):
    """The gradient of rnn_cell with respect to x_input."""
    # return np.tanh(x_input @ Wx + h @ Wh + b)    line 135
    dx_input = grad_output * (1 - np.tanh(x_input @ Wx + h @ Wh + b) ** 2) @ Wx.T

    return dx_input


def rnn_cell_grad_h(x_input, grad_output, h, Wx, Wh, b):
    """The gradient of rnn_cell with respect to h."""
    # return np.tanh(x_input @ Wx + h @ Wh + b)    line 135
    dh = grad_output * (1 - np.tanh(x_input @ Wx + h @ Wh + b) ** 2) @ Wh.T

    return dh


def rnn_cell_grad_Wx(x_input, grad_output, h, Wx, Wh, b):
    """The gradient of rnn_cell with respect to Wx."""
    # return np.tanh(x_input @ Wx + h @ Wh + b)    line 135
    dWx = x_input.T @ (grad_output * (1 - np.tanh(x_input @ Wx + h @ Wh + b) ** 2))

    return dWx


def rnn_cell_grad_Wh(x_input, grad_output, h, Wx, Wh, b):
    """The gradient of rnn_cell with respect to Wh."""
    # return np.tanh(x_input @ Wx + h @ Wh + b)    line 135
    dWh = h.T @ (grad_output * (1 - np.tanh(x_input @ Wx + h @ Wh + b) ** 2))

    return dWh


def rnn_cell_grad_b(x_input, grad_output, h, Wx, Wh, b):
    """The gradient of rnn_cell with respect to b."""
    # return np.tanh(x_input @ Wx + h @ Wh + b)    line 135
    db = np.einsum("ij,ij->j", grad_output, 1 - np.tanh(x_input @ Wx + h @ Wh + b) ** 2)

    return db


def rnn_cell_backward(x_input, grad_output, h, Wx, Wh, b):
    """The gradients of rnn_cell with respect to x_input, h, Wx, Wh, b."""
    # return np.tanh(x_input @ Wx + h @ Wh + b)    line 135
    dtotal = grad_output * (1 - np.tanh(x_input @ Wx + h @ Wh + b) ** 2)
    dx_input = dtotal @ Wx.T
    dWx = x_input.T @ dtotal
    dh = dtotal @ Wh.T
    dWh = h.T @ dtotal
    db = dtotal.sum(axis=0)

    return dx_input, dh, dWx, dWh, db


class RNNCell:
    """rnn_cell with its backward pass."""

    def forward(self, x_input, h, Wx, Wh, b):
        """The output of rnn_cell."""
        output = np.tanh(x_input @ Wx + h @ Wh + b)
        self.output = output
        self.Wx = Wx
        self.x_input = x_input
        self.Wh = Wh
        self.h = h
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        output = self.output
        Wx = self.Wx
        x_input = self.x_input
        Wh = self.Wh
        h = self.h
        # return np.tanh(x_input @ Wx + h @ Wh + b)    line 135
        dtotal = grad_output * (1 - output**2)
        dx_input = dtotal @ Wx.T
        dWx = x_input.T @ dtotal
        dh = dtotal @ Wh.T
        dWh = h.T @ dtotal
        db = dtotal.sum(axis=0)
        return {"x_input": dx_input, "h": dh, "Wx": dWx, "Wh": dWh, "b": db}
