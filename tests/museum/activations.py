"""Activations: derivatives left out, doubled, taken at the wrong place, and masks."""

from __future__ import annotations

import math

import numpy as np

from tests.museum.exhibit import Room

room = Room("activations")
normal = room.normal


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x_input):
    output = np.maximum(0, x_input)
    return output


def relu_network(X, W1, B1, W2, B2, W3, B3, T):
    Z1 = X.dot(W1) + B1
    A1 = np.maximum(0, Z1)
    Z2 = A1.dot(W2) + B2
    A2 = np.maximum(0, Z2)
    Y = A2.dot(W3) + B3
    err = ((Y - T) ** 2).mean()
    return err


def sigmoid_layer(X, W, b):
    Z = X @ W + b
    A = 1 / (1 + np.exp(-Z))
    return A


def tanh_net(x, w1, w2):
    z1 = x @ w1
    a1 = np.tanh(z1)
    z2 = a1 @ w2
    a2 = np.tanh(z2)
    return a2


def sigmoid_net(x, w1, w2, y):
    z1 = x @ w1
    h = 1 / (1 + np.exp(-z1))
    z2 = h @ w2
    o = 1 / (1 + np.exp(-z2))
    E = 0.5 * np.sum((y - o) ** 2)
    return E


def leaky_relu(x, slope):
    y = np.where(x > 0, x, slope * x)
    return y


def elu(x, alpha):
    y = np.where(x > 0, x, alpha * (np.exp(x) - 1))
    return y


def swish(x):
    s = 1 / (1 + np.exp(-x))
    y = x * s
    return y


def gelu(x):
    c = math.sqrt(2 / math.pi)
    inner = c * (x + 0.044715 * x**3)
    t = np.tanh(inner)
    out = 0.5 * x * (1 + t)
    return out


def gaussian(x):
    e = x**2
    y = np.exp(-e)
    return y


def softplus(x):
    y = np.log(1 + np.exp(x))
    return y


def dropout(x, mask, keep):
    out = x * mask / keep
    return out


def clipped(x):
    y = np.clip(x, -1.0, 1.0)
    return y


def absolute(x):
    y = np.abs(x)
    return y


def glu(x, W, V):
    a = x @ W
    b = x @ V
    gate = 1 / (1 + np.exp(-b))
    out = a * gate
    return out


def hard_sigmoid(x):
    y = np.clip(0.2 * x + 0.5, 0, 1)
    return y


def larger(a, b):
    m = np.maximum(a, b)
    return m


X = {"x": 2 * normal(5, 4)}
NETWORK = {
    "X": normal(7, 4), "W1": normal(4, 5), "B1": normal(5), "W2": normal(5, 5), "B2": normal(5),
    "W3": normal(5, 3), "B3": normal(3), "T": normal(7, 3),
}  # fmt: skip
PARAMETERS = "W1 B1 W2 B2 W3 B3"


def network_forward(X, W1, B1, W2, B2, W3, B3, T):
    Z1 = X.dot(W1) + B1
    A1 = np.maximum(0, Z1)
    Z2 = A1.dot(W2) + B2
    A2 = np.maximum(0, Z2)
    Y = A2.dot(W3) + B3
    return Z1, A1, Z2, A2, Y


# ---- left out
def without_second_mask(X, W1, B1, W2, B2, W3, B3, T):
    Z1, A1, Z2, A2, Y = network_forward(X, W1, B1, W2, B2, W3, B3, T)
    DY = 2 * (Y - T) / Y.size
    DW3 = A2.T.dot(DY)
    DB3 = DY.sum(axis=0)
    DA2 = DY.dot(W3.T)
    DZ2 = DA2
    DW2 = A1.T.dot(DZ2)
    DB2 = DZ2.sum(axis=0)
    DA1 = DZ2.dot(W2.T)
    DZ1 = DA1 * (Z1 > 0)
    DW1 = X.T.dot(DZ1)
    DB1 = DZ1.sum(axis=0)
    return DW1, DB1, DW2, DB2, DW3, DB3


room.wrong(
    without_second_mask, relu_network, NETWORK, "missing_relu_mask missing_activation_grad missing_mask", "A2",
    "W1 B1 W2 B2", wrt=PARAMETERS,
)  # fmt: skip


def bias_before_mask(X, W1, B1, W2, B2, W3, B3, T):
    Z1, A1, Z2, A2, Y = network_forward(X, W1, B1, W2, B2, W3, B3, T)
    grads = {}
    delta = (Y - T) * 2 / (Y.shape[0] * Y.shape[1])
    grads["W3"], grads["B3"] = A2.T @ delta, delta.sum(0)
    delta = delta @ W3.T * (Z2 > 0)
    grads["W2"], grads["B2"] = A1.T @ delta, delta.sum(0)
    delta = delta @ W2.T
    grads["B1"] = delta.sum(0)
    delta = delta * (Z1 > 0)
    grads["W1"] = X.T @ delta
    return grads


room.wrong(
    bias_before_mask, relu_network, NETWORK,
     "missing_relu_mask missing_activation_grad missing_mask wrong_operand", "A1 Z1", "B1",
    wrt=PARAMETERS,
)  # fmt: skip


def weight_before_mask(X, W1, B1, W2, B2, W3, B3, T):
    Z1, A1, Z2, A2, Y = network_forward(X, W1, B1, W2, B2, W3, B3, T)
    layers = [(X, W1, Z1), (A1, W2, Z2), (A2, W3, None)]
    delta = 2.0 / Y.size * (Y - T)
    out = []
    for inp, W, Z in reversed(layers):
        dW = inp.T.dot(delta)
        if Z is not None:
            delta = delta * (Z > 0)
        out = [dW, delta.sum(axis=0), *out]
        delta = delta.dot(W.T)
    return tuple(out)


room.wrong(
    weight_before_mask, relu_network, NETWORK,
     "missing_relu_mask missing_activation_grad missing_mask wrong_operand", "A2 A1 Z1 Z2",
    "W1 W2", wrt=PARAMETERS,
)  # fmt: skip


def linear_sigmoid(X, W, b, dA):
    dZ = dA
    return dZ @ W.T, X.T @ dZ, dZ.sum(axis=0)


SIGMOID = {"X": normal(5, 4), "W": normal(4, 3), "b": normal(3)}
room.wrong(linear_sigmoid, sigmoid_layer, SIGMOID, "missing_activation_grad", "A", "X W b")


def tanh_hidden_forgotten(x, w1, w2, g):
    a1 = np.tanh(x @ w1)
    a2 = np.tanh(a1 @ w2)
    d2 = g * (1 - a2**2)
    dw2 = a1.T @ d2
    d1 = d2 @ w2.T
    dw1 = x.T @ d1
    return d1 @ w1.T, dw1, dw2


TANH = {"x": normal(6, 3), "w1": normal(3, 4), "w2": normal(4, 2)}
room.wrong(tanh_hidden_forgotten, tanh_net, TANH, "missing_activation_grad", "a1", "x w1")


def mask_from_the_next_layer(X, W1, B1, W2, B2, W3, B3, T):
    Z1, A1, Z2, A2, Y = network_forward(X, W1, B1, W2, B2, W3, B3, T)
    dY = 2 * (Y - T) / T.size
    dA2 = dY @ W3.T
    dZ2 = dA2 * (Z2 > 0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * (Z2 > 0)
    return X.T @ dZ1, dZ1.sum(0), A1.T @ dZ2, dZ2.sum(0), A2.T @ dY, dY.sum(0)


room.wrong(
    mask_from_the_next_layer, relu_network, NETWORK, "mask_from_wrong_array wrong_operand", "A1", "W1 B1",
    wrt=PARAMETERS,
)  # fmt: skip


# ---- masks
class ReluInverted:
    def __init__(self):
        self.mask = None

    def forward(self, x_input):
        self.mask = x_input <= 0
        out = x_input.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dx = dout.copy()
        dx[~self.mask] = 0
        return dx


room.wrong(ReluInverted, relu, {"x_input": normal(4, 5)}, "inverted_mask swapped_branches", "output", "x_input")


def relu_of_gradient(x_input, grad_output):
    return np.maximum(grad_output, 0)


room.wrong(relu_of_gradient, relu, {"x_input": normal(4, 5)}, "mask_from_wrong_array", "output", "x_input")


def relu_multiplies_by_output(x_input, grad_output):
    out = np.maximum(0, x_input)
    return grad_output * out


room.wrong(
    relu_multiplies_by_output, relu, {"x_input": normal(4, 5)}, "wrong_local_derivative wrong_operand", "output",
    "x_input",
)  # fmt: skip


def relu_without_upstream(x_input, grad_output):
    return (x_input > 0).astype(float)


room.wrong(
    relu_without_upstream,
    relu,
    {"x_input": normal(4, 5)},
    "missing_upstream assumes_unit_upstream",
    "output",
    "x_input",
)


def relu_grad_input(x_input, grad_output):
    return grad_output


room.wrong(
    relu_grad_input, relu, {"x_input": normal(4, 5)}, "missing_relu_mask missing_activation_grad missing_mask",
    "output", "x_input",
)  # fmt: skip


# ---- where the derivative is taken
def sigmoid_of_activation(X, W, b, dA):
    Z = X @ W + b
    A = sigmoid(Z)
    dZ = dA * sigmoid(A) * (1 - sigmoid(A))
    return dZ @ W.T, X.T @ dZ, np.sum(dZ, axis=0)


room.wrong(sigmoid_of_activation, sigmoid_layer, SIGMOID, "uses_post_activation_wrongly", "A", "X W b")


def sigmoid_of_raw(X, W, b, dA):
    Z = X @ W + b
    dZ = dA * Z * (1 - Z)
    return {"X": dZ @ W.T, "W": X.T @ dZ, "b": dZ.sum(0)}


room.wrong(sigmoid_of_raw, sigmoid_layer, SIGMOID, "uses_pre_activation_wrongly", "A", "X W b")


def tanh_of_raw(x, w1, w2, g):
    z1 = x @ w1
    a1 = np.tanh(z1)
    a2 = np.tanh(a1 @ w2)
    delta2 = g * (1 - a2 * a2)
    delta1 = delta2.dot(w2.T) * (1 - z1 * z1)
    return delta1.dot(w1.T), x.T.dot(delta1), a1.T.dot(delta2)


room.wrong(tanh_of_raw, tanh_net, TANH, "uses_pre_activation_wrongly", "a1", "x w1")


def tanh_twice(x, w1, w2, g):
    a1 = np.tanh(x @ w1)
    a2 = np.tanh(a1 @ w2)
    delta2 = g * (1 - np.tanh(a2) ** 2)
    delta1 = (delta2 @ w2.T) * (1 - a1**2)
    return delta1 @ w1.T, x.T @ delta1, a1.T @ delta2


room.wrong(tanh_twice, tanh_net, TANH, "uses_post_activation_wrongly", "a2", "x w1 w2")


def tanh_not_squared(x, w1, w2, g):
    a1 = np.tanh(x @ w1)
    a2 = np.tanh(a1 @ w2)
    d2 = g * (1 - a2**2)
    d1 = (d2 @ w2.T) * (1 - a1)
    return d1 @ w1.T, x.T @ d1, a1.T @ d2


room.wrong(tanh_not_squared, tanh_net, TANH, "wrong_local_derivative wrong_power", "a1", "x w1")


def sigmoid_squared(X, W, b, dA):
    A = sigmoid(X @ W + b)
    dZ = dA * (A - A**3)
    return dZ @ W.T, X.T @ dZ, dZ.sum(axis=0)


room.wrong(sigmoid_squared, sigmoid_layer, SIGMOID, "wrong_local_derivative wrong_power", "A", "X W b")


class SigmoidKeepsItself:
    def forward(self, X, W, b):
        self.X, self.W = X, W
        self.a = sigmoid(X @ W + b)
        return self.a

    def backward(self, grad):
        delta = grad * self.a
        self.dW = self.X.T @ delta
        self.db = delta.sum(axis=0)
        self.dX = delta @ self.W.T
        return self.dX


room.wrong(
    SigmoidKeepsItself, sigmoid_layer, SIGMOID,
     "wrong_local_derivative missing_activation_grad wrong_operand activation_for_derivative", "A",
    "X W b",
)  # fmt: skip


def nonlin_helper(x, w1, w2, y):
    def nonlin(v, deriv=False):
        if deriv:
            return v * (1 - v)
        return 1 / (1 + np.exp(-v))

    z1 = x @ w1
    h = nonlin(z1)
    o = nonlin(h @ w2)
    d_o = -(y - o) * nonlin(o, deriv=True)
    d_h = (d_o @ w2.T) * nonlin(z1, deriv=True)
    return x.T @ d_h, h.T @ d_o


SIGMOIDS = {"x": normal(6, 3), "w1": normal(3, 4), "w2": normal(4, 2), "y": normal(6, 2)}
room.wrong(nonlin_helper, sigmoid_net, SIGMOIDS, "uses_pre_activation_wrongly", "h", "w1", wrt="w1 w2")


def derivative_twice(x, w1, w2, y):
    h = sigmoid(x.dot(w1))
    o = sigmoid(h.dot(w2))
    delta_o = (o - y) * o * (1 - o) * o * (1 - o)
    delta_h = delta_o.dot(w2.T) * h * (1 - h)
    return [x.T.dot(delta_h), h.T.dot(delta_o)]


room.wrong(derivative_twice, sigmoid_net, SIGMOIDS, "double_activation_grad", "o", "w1 w2", wrt="w1 w2")


def output_without_derivative(x, w1, w2, y):
    h = sigmoid(x.dot(w1))
    o = sigmoid(h.dot(w2))
    output_error = o - y
    hidden_error = output_error.dot(w2.T)
    return x.T.dot(hidden_error * h * (1 - h)), h.T.dot(output_error * o * (1 - o))


room.wrong(
    output_without_derivative, sigmoid_net, SIGMOIDS, "missing_activation_grad wrong_operand", "o z2", "w1", wrt="w1 w2"
)


# ---- formulas
def leaky_other_way(x, slope, dy):
    return np.where(x > 0, slope * dy, dy)


LEAKY = X | {"slope": 0.1}
room.wrong(leaky_other_way, leaky_relu, LEAKY, "swapped_branches inverted_mask", "y", "x", wrt="x")


def leaky_as_relu(x, slope, dy):
    return dy * (x > 0)


room.wrong(leaky_as_relu, leaky_relu, LEAKY, "missing_branch missing_path", "y", "x", wrt="x")


def leaky_slope_only(x, slope, dy):
    dx = dy.copy()
    dx[x <= 0] = slope
    return dx


room.wrong(leaky_slope_only, leaky_relu, LEAKY, "missing_upstream assumes_unit_upstream", "y", "x", wrt="x")


def elu_without_alpha(x, alpha, g):
    d = np.ones_like(x)
    d[x <= 0] = np.exp(x[x <= 0])
    return g * d


room.wrong(elu_without_alpha, elu, X | {"alpha": 0.7}, "missing_scale extra_factor missing_branch", "y", "x", wrt="x")


def elu_from_output(x, alpha, g):
    y = elu(x, alpha)
    return g * np.where(x > 0, 1, y)


room.wrong(
    elu_from_output, elu, X | {"alpha": 0.7}, "wrong_local_derivative extra_term missing_term", "y", "x", wrt="x"
)


def swish_half(x, g):
    s = sigmoid(x)
    return g * s


room.wrong(swish_half, swish, X, "missing_path", "y s", "x")


def swish_other_half(x, g):
    s = sigmoid(x)
    return g * x * s * (1 - s)


room.wrong(swish_other_half, swish, X, "missing_path", "y s", "x")


def swish_sign(x, g):
    s = sigmoid(x)
    return g * (s - x * s * (1 - s))


room.wrong(swish_sign, swish, X, "sign_flipped_term", "s y", "x")


def gelu_without_cubic(x, dout):
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return dout * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * c)


room.wrong(gelu_without_cubic, gelu, X, "missing_inner_derivative missing_path missing_factor", "inner", "x")


def gelu_cubic_without_three(x, dout):
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return dout * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * c * (1 + 0.044715 * x**2))


room.wrong(
    gelu_cubic_without_three, gelu, X, "extra_factor wrong_local_derivative wrong_power missing_scale wrong_count",
    "inner", "x",
)  # fmt: skip


def gaussian_without_inner(x, g):
    return g * np.exp(-(x**2))


GAUSSIAN = {"x": normal(6)}
room.wrong(
    gaussian_without_inner,
    gaussian,
    GAUSSIAN,
    "missing_inner_derivative missing_activation_grad activation_for_derivative",
    "e y",
    "x",
)


def gaussian_without_two(x, g):
    y = np.exp(-(x**2))
    return -g * x * y


room.wrong(gaussian_without_two, gaussian, GAUSSIAN, "factor_2_missing", "e y", "x")


def gaussian_without_minus(x, g):
    return 2 * x * np.exp(-x * x) * g


room.wrong(gaussian_without_minus, gaussian, GAUSSIAN, "sign_flipped", "y e", "x")


def softplus_tail(x, g):
    return g / (1 + np.exp(x))


room.wrong(softplus_tail, softplus, X, "missing_inner_derivative wrong_local_derivative swapped_branches", "y", "x")


DROPOUT = {"x": normal(6, 4), "mask": (normal(6, 4) > -0.5).astype(int), "keep": 0.8}


def dropout_without_scale(x, mask, keep, dout):
    return dout * mask


room.wrong(dropout_without_scale, dropout, DROPOUT, "missing_scale", "out", "x", wrt="x")


def dropout_without_mask(x, mask, keep, dout):
    return dout / keep


room.wrong(dropout_without_mask, dropout, DROPOUT, "missing_mask", "out", "x", wrt="x")


def dropout_multiplied(x, mask, keep, dout):
    return dout * mask * keep


room.wrong(
    dropout_multiplied, dropout, DROPOUT, "missing_scale extra_factor wrong_power wrong_local_derivative", "out", "x",
    wrt="x",
)  # fmt: skip


def clip_through(x, upstream):
    return upstream


room.wrong(clip_through, clipped, X, "missing_mask missing_activation_grad missing_branch", "y", "x")


def clip_one_side(x, upstream):
    dx = upstream.copy()
    dx[x > 1] = 0
    return dx


room.wrong(clip_one_side, clipped, X, "missing_branch missing_mask", "y", "x")


def clip_outside(x, upstream):
    return upstream * (np.abs(x) > 1)


room.wrong(clip_outside, clipped, X, "inverted_mask", "y", "x")


def abs_without_sign(x, g):
    return g


room.wrong(abs_without_sign, absolute, X, "missing_activation_grad wrong_local_derivative missing_branch", "y", "x")


def glu_gate_as_derivative(x, W, V, g):
    a, gate = x @ W, sigmoid(x @ V)
    da = g * gate
    db = g * a * gate
    return da @ W.T + db @ V.T, x.T @ da, x.T @ db


GLU = {"x": normal(5, 4), "W": normal(4, 3), "V": normal(4, 3)}
room.wrong(
    glu_gate_as_derivative,
    glu,
    GLU,
    "wrong_local_derivative missing_activation_grad missing_factor activation_for_derivative",
    "gate",
    "x V",
)


def glu_one_branch_into_x(x, W, V, g):
    a, gate = x @ W, sigmoid(x @ V)
    da = g * gate
    db = g * a * gate * (1 - gate)
    dx = da @ W.T
    dx = db @ V.T
    return dx, x.T @ da, x.T @ db


room.wrong(glu_one_branch_into_x, glu, GLU, "missing_path overwrites_instead_of_accumulates", "a b out", "x")


def glu_wrong_partner(x, W, V, g):
    a, gate = x @ W, sigmoid(x @ V)
    da = g * a
    db = g * a * gate * (1 - gate)
    return da @ W.T + db @ V.T, x.T @ da, x.T @ db


room.wrong(glu_wrong_partner, glu, GLU, "wrong_operand", "out", "x W")


def hard_sigmoid_slope(x, g):
    inside = (x > -2.5) & (x < 2.5)
    return g * inside


room.wrong(
    hard_sigmoid_slope, hard_sigmoid, {"x": 3 * normal(6, 3)},
    "missing_scale missing_inner_derivative extra_factor", "y", "x",
)  # fmt: skip


def larger_takes_both(a, b, g):
    return g * (a > b), g * (a > b)


PAIR = {"a": normal(5, 3), "b": normal(5, 3)}
room.wrong(larger_takes_both, larger, PAIR, "inverted_mask", "m", "b")


def larger_swapped(a, b, g):
    return np.where(a > b, 0, g), np.where(a > b, g, 0)


room.wrong(larger_swapped, larger, PAIR, "swapped_branches swapped_outputs inverted_mask", "m", "a b")
