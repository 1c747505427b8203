"""A step of a long short-term memory.

Written by chainrule from the functions in ``chainrule/layers/forwards.py``: ``python -m chainrule.layers.generate``.
"""

import numpy as np

__all__ = [
    "LSTMCell",
    "lstm_cell_backward",
    "lstm_cell_forward",
    "lstm_cell_grad_Wh",
    "lstm_cell_grad_Wx",
    "lstm_cell_grad_b",
    "lstm_cell_grad_c",
    "lstm_cell_grad_h",
    "lstm_cell_grad_input",
]


def lstm_cell_forward(x_input, h, c, Wx, Wh, b):
    """One step of a long short-term memory; the columns of ``Wx`` and ``Wh`` are input, forget, output, candidate."""
    n = h.shape[1]
    total = x_input @ Wx + h @ Wh + b
    gates = 0.5 + 0.5 * np.tanh(0.5 * total[:, : 3 * n])
    i = gates[:, :n]
    f = gates[:, n : 2 * n]
    o = gates[:, 2 * n :]
    g = np.tanh(total[:, 3 * n :])
    c_next = f * c + i * g
    h_next = o * np.tanh(c_next)
    return h_next, c_next


def lstm_cell_grad_input(x_input, grad_output, h, c, Wx, Wh, b):
    """The gradient of lstm_cell with respect to x_input."""
    grad_output_0, grad_output_1 = grad_output
    n = h.shape[1]
    total = x_input @ Wx + h @ Wh + b
    tanh = np.tanh(0.5 * total[:, : 3 * n])
    gates = 0.5 + 0.5 * tanh
    i = gates[:, :n]
    f = gates[:, n : 2 * n]
    o = gates[:, 2 * n :]
    g = np.tanh(total[:, 3 * n :])
    c_next = f * c + i * g
    tanh_c_next = np.tanh(c_next)
    h_next = o * tanh_c_next

    # h_next = o * np.tanh(c_next)                            line 148
    dc_next = grad_output_1 + grad_output_0 * (o - tanh_c_next * h_next)
    do = tanh_c_next * grad_output_0
    # c_next = f * c + i * g                                  line 147
    df = c * dc_next
    di = g * dc_next
    dg = i * dc_next
    # i = gates[:, :n]                                        line 143
    dgates = np.concatenate([di, df, do], axis=1)
    # gates = 0.5 + 0.5 * np.tanh(0.5 * total[:, : 3 * n])    line 142
    dtotal = np.concatenate([0.25 * dgates * (1 - tanh**2), dg * (1 - g**2)], axis=1)
    # total = x_input @ Wx + h @ Wh + b                       line 141
    dx_input = dtotal @ Wx.T

    return dx_input


def lstm_cell_grad_h(x_input, grad_output, h, c, Wx, Wh, b):
    """The gradient of lstm_cell with respect to h."""
    grad_output_0, grad_output_1 = grad_output
    n = h.shape[1]
    total = x_input @ Wx + h @ Wh + b
    tanh = np.tanh(0.5 * total[:, : 3 * n])
    gates = 0.5 + 0.5 * tanh
    i = gates[:, :n]
    f = gates[:, n : 2 * n]
    o = gates[:, 2 * n :]
    g = np.tanh(total[:, 3 * n :])
    c_next = f * c + i * g
    tanh_c_next = np.tanh(c_next)
    h_next = o * tanh_c_next

    # h_next = o * np.tanh(c_next)                            line 148
    dc_next = grad_output_1 + grad_output_0 * (o - tanh_c_next * h_next)
    do = tanh_c_next * grad_output_0
    # c_next = f * c + i * g                                  line 147
    df = c * dc_next
    di = g * dc_next
    dg = i * dc_next
    # i = gates[:, :n]                                        line 143
    dgates = np.concatenate([di, df, do], axis=1)
    # gates = 0.5 + 0.5 * np.tanh(0.5 * total[:, : 3 * n])    line 142
    dtotal = np.concatenate([0.25 * dgates * (1 - tanh**2), dg * (1 - g**2)], axis=1)
    # total = x_input @ Wx + h @ Wh + b                       line 141
    dh = dtotal @ Wh.T

    return dh


def lstm_cell_grad_c(x_input, grad_output, h, c, Wx, Wh, b):
    """The gradient of lstm_cell with respect to c."""
    grad_output_0, grad_output_1 = grad_output
    n = h.shape[1]
    total = x_input @ Wx + h @ Wh + b
    gates = 0.5 + 0.5 * np.tanh(0.5 * total[:, : 3 * n])
    i = gates[:, :n]
    f = gates[:, n : 2 * n]
    o = gates[:, 2 * n :]
    g = np.tanh(total[:, 3 * n :])
    c_next = f * c + i * g
    tanh_c_next = np.tanh(c_next)
    h_next = o * tanh_c_next

    # h_next = o * np.tanh(c_next)    line 148
    dc_next = grad_output_1 + grad_output_0 * (o - tanh_c_next * h_next)
    # c_next = f * c + i * g          line 147
    dc = f * dc_next

    return dc


def lstm_cell_grad_Wx(x_input, grad_output, h, c, Wx, Wh, b):
    """The gradient of lstm_cell with respect to Wx."""
    grad_output_0, grad_output_1 = grad_output
    n = h.shape[1]
    total = x_input @ Wx + h @ Wh + b
    tanh = np.tanh(0.5 * total[:, : 3 * n])
    gates = 0.5 + 0.5 * tanh
    i = gates[:, :n]
    f = gates[:, n : 2 * n]
    o = gates[:, 2 * n :]
    g = np.tanh(total[:, 3 * n :])
    c_next = f * c + i * g
    tanh_c_next = np.tanh(c_next)
    h_next = o * tanh_c_next

    # h_next = o * np.tanh(c_next)                            line 148
    dc_next = grad_output_1 + grad_output_0 * (o - tanh_c_next * h_next)
    do = tanh_c_next * grad_output_0
    # c_next = f * c + i * g                                  line 147
    df = c * dc_next
    di = g * dc_next
    dg = i * dc_next
    # i = gates[:, :n]                                        line 143
    dgates = np.concatenate([di, df, do], axis=1)
    # gates = 0.5 + 0.5 * np.tanh(0.5 * total[:, : 3 * n])    line 142
    dtotal = np.concatenate([0.25 * dgates * (1 - tanh**2), dg * (1 - g**2)], axis=1)
    # total = x_input @ Wx + h @ Wh + b                       line 141
    dWx = x_input.T @ dtotal

    return dWx


def lstm_cell_grad_Wh(x_input, grad_output, h, c, Wx, Wh, b):
    """The gradient of lstm_cell with respect to Wh."""
    grad_output_0, grad_output_1 = grad_output
    n = h.shape[1]
    total = x_input @ Wx + h @ Wh + b
    tanh = np.tanh(0.5 * total[:, : 3 * n])
    gates = 0.5 + 0.5 * tanh
    i = gates[:, :n]
    f = gates[:, n : 2 * n]
    o = gates[:, 2 * n :]
    g = np.tanh(total[:, 3 * n :])
    c_next = f * c + i * g
    tanh_c_next = np.tanh(c_next)
    h_next = o * tanh_c_next

    # h_next = o * np.tanh(c_next)                            line 148
    dc_next = grad_output_1 + grad_output_0 * (o - tanh_c_next * h_next)
    do = tanh_c_next * grad_output_0
    # c_next = f * c + i * g                                  line 147
    df = c * dc_next
    di = g * dc_next
    dg = i * dc_next
    # i = gates[:, :n]                                        line 143
    dgates = np.concatenate([di, df, do], axis=1)
    # gates = 0.5 + 0.5 * np.tanh(0.5 * total[:, : 3 * n])    line 142
    dtotal = np.concatenate([0.25 * dgates * (1 - tanh**2), dg * (1 - g**2)], axis=1)
    # total = x_input @ Wx + h @ Wh + b                       line 141
    dWh = h.T @ dtotal

    return dWh


def lstm_cell_grad_b(x_input, grad_output, h, c, Wx, Wh, b):
    """The gradient of lstm_cell with respect to b."""
    grad_output_0, grad_output_1 = grad_output
    n = h.shape[1]
    total = x_input @ Wx + h @ Wh + b
    tanh = np.tanh(0.5 * total[:, : 3 * n])
    gates = 0.5 + 0.5 * tanh
    i = gates[:, :n]
    f = gates[:, n : 2 * n]
    o = gates[:, 2 * n :]
    g = np.tanh(total[:, 3 * n :])
    c_next = f * c + i * g
    tanh_c_next = np.tanh(c_next)
    h_next = o * tanh_c_next

    # h_next = o * np.tanh(c_next)                            line 148
    dc_next = grad_output_1 + grad_output_0 * (o - tanh_c_next * h_next)
    do = tanh_c_next * grad_output_0
    # c_next = f * c + i * g                                  line 147
    df = c * dc_next
    di = g * dc_next
    dg = i * dc_next
    # i = gates[:, :n]                                        line 143
    dgates = np.concatenate([di, df, do], axis=1)
    # gates = 0.5 + 0.5 * np.tanh(0.5 * total[:, : 3 * n])    line 142
    dtotal = np.concatenate([0.25 * dgates * (1 - tanh**2), dg * (1 - g**2)], axis=1)
    # total = x_input @ Wx + h @ Wh + b                       line 141
    db = dtotal.sum(axis=0)

    return db


def lstm_cell_backward(x_input, grad_output, h, c, Wx, Wh, b):
    """The gradients of lstm_cell with respect to x_input, h, c, Wx, Wh, b."""
    grad_output_0, grad_output_1 = grad_output
    n = h.shape[1]
    total = x_input @ Wx + h @ Wh + b
    tanh = np.tanh(0.5 * total[:, : 3 * n])
    gates = 0.5 + 0.5 * tanh
    i = gates[:, :n]
    f = gates[:, n : 2 * n]
    o = gates[:, 2 * n :]
    g = np.tanh(total[:, 3 * n :])
    c_next = f * c + i * g
    tanh_c_next = np.tanh(c_next)
    h_next = o * tanh_c_next

    # h_next = o * np.tanh(c_next)                            line 148
    dc_next = grad_output_1 + grad_output_0 * (o - tanh_c_next * h_next)
    do = tanh_c_next * grad_output_0
    # c_next = f * c + i * g                                  line 147
    df = c * dc_next
    dc = f * dc_next
    di = g * dc_next
    dg = i * dc_next
    # i = gates[:, :n]                                        line 143
    dgates = np.concatenate([di, df, do], axis=1)
    # gates = 0.5 + 0.5 * np.tanh(0.5 * total[:, : 3 * n])    line 142
    dtotal = np.concatenate([0.25 * dgates * (1 - tanh**2), dg * (1 - g**2)], axis=1)
    # total = x_input @ Wx + h @ Wh + b                       line 141
    dx_input = dtotal @ Wx.T
    dWx = x_input.T @ dtotal
    dh = dtotal @ Wh.T
    dWh = h.T @ dtotal
    db = dtotal.sum(axis=0)

    return dx_input, dh, dc, dWx, dWh, db


class LSTMCell:
    """lstm_cell with its backward pass."""

    def forward(self, x_input, h, c, Wx, Wh, b):
        """The output of lstm_cell."""
        n = h.shape[1]
        total = x_input @ Wx + h @ Wh + b
        tanh = np.tanh(0.5 * total[:, : 3 * n])
        gates = 0.5 + 0.5 * tanh
        i = gates[:, :n]
        f = gates[:, n : 2 * n]
        o = gates[:, 2 * n :]
        g = np.tanh(total[:, 3 * n :])
        c_next = f * c + i * g
        tanh_c_next = np.tanh(c_next)
        h_next = o * tanh_c_next
        self.o = o
        self.tanh_c_next = tanh_c_next
        self.h_next = h_next
        self.c = c
        self.f = f
        self.g = g
        self.i = i
        self.tanh = tanh
        self.Wx = Wx
        self.x_input = x_input
        self.Wh = Wh
        self.h = h
        return (h_next, c_next)

    def backward(self, grad_output):
        """The gradients by name."""
        o = self.o
        tanh_c_next = self.tanh_c_next
        h_next = self.h_next
        c = self.c
        f = self.f
        g = self.g
        i = self.i
        tanh = self.tanh
        Wx = self.Wx
        x_input = self.x_input
        Wh = self.Wh
        h = self.h
        grad_output_0, grad_output_1 = grad_output
        # h_next = o * np.tanh(c_next)                            line 148
        dc_next = grad_output_1 + grad_output_0 * (o - tanh_c_next * h_next)
        do = tanh_c_next * grad_output_0
        # c_next = f * c + i * g                                  line 147
        df = c * dc_next
        dc = f * dc_next
        di = g * dc_next
        dg = i * dc_next
        # i = gates[:, :n]                                        line 143
        dgates = np.concatenate([di, df, do], axis=1)
        # gates = 0.5 + 0.5 * np.tanh(0.5 * total[:, : 3 * n])    line 142
        dtotal = np.concatenate([0.25 * dgates * (1 - tanh**2), dg * (1 - g**2)], axis=1)
        # total = x_input @ Wx + h @ Wh + b                       line 141
        dx_input = dtotal @ Wx.T
        dWx = x_input.T @ dtotal
        dh = dtotal @ Wh.T
        dWh = h.T @ dtotal
        db = dtotal.sum(axis=0)
        return {"x_input": dx_input, "h": dh, "c": dc, "Wx": dWx, "Wh": dWh, "b": db}
