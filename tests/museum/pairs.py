"""Two mistakes at once."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("pairs")
normal = room.normal


def network(X, W1, B1, W2, B2, T):
    Z1 = X.dot(W1) + B1
    A1 = np.maximum(0, Z1)
    Y = A1.dot(W2) + B2
    err = ((Y - T) ** 2).mean()
    return err


def tanh_network(X, W1, b1, W2, b2, T):
    Z = X @ W1 + b1
    H = np.tanh(Z)
    Y = H @ W2 + b2
    L = 0.5 * ((Y - T) ** 2).sum() / len(X)
    return L


def classifier(X, W1, b1, W2, b2, labels):
    H = np.tanh(X @ W1 + b1)
    S = H @ W2 + b2
    E = np.exp(S - S.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    loss = -np.log(P[np.arange(len(labels)), labels]).mean()
    return loss


def dense(X, W, b):
    Z = X @ W + b
    return Z


def sigmoid_layer(x, w, b):
    z = x @ w + b
    a = 1 / (1 + np.exp(-z))
    return a


def layer_norm(x, gamma, beta):
    mu = x.mean(axis=1, keepdims=True)
    xc = x - mu
    var = (xc**2).mean(axis=1, keepdims=True)
    xn = xc / np.sqrt(var + 1e-5)
    y = gamma * xn + beta
    return y


def ridge(X, w, y):
    pred = X @ w
    data = ((pred - y) ** 2).mean()
    penalty = 0.1 * (w**2).sum()
    loss = data + penalty
    return loss


NETWORK = {
    "X": normal(7, 4), "W1": normal(4, 5), "B1": normal(5), "W2": normal(5, 3), "B2": normal(3), "T": normal(7, 3)
}  # fmt: skip
TANH = {
    "X": normal(7, 3), "W1": normal(3, 4), "b1": normal(4), "W2": normal(4, 2), "b2": normal(2), "T": normal(7, 2)
}  # fmt: skip
CLASSES = {
    "X": normal(6, 5), "W1": normal(5, 4), "b1": normal(4), "W2": normal(4, 3), "b2": normal(3),
    "labels": np.array([0, 2, 1, 2, 0, 1]),
}  # fmt: skip
DENSE = {"X": normal(6, 5), "W": normal(5, 3), "b": normal(3)}
MASK = "missing_relu_mask missing_activation_grad missing_mask"
UNSUMMED = "bias_not_summed broadcast_not_reduced"


def mask_and_bias(X, W1, B1, W2, B2, T):
    Z1 = X.dot(W1) + B1
    A1 = np.maximum(0, Z1)
    Y = A1.dot(W2) + B2
    DY = 2 * (Y - T) / Y.size
    DW2 = A1.T.dot(DY)
    DB2 = DY
    DA1 = DY.dot(W2.T)
    DZ1 = DA1
    DW1 = X.T.dot(DZ1)
    DB1 = DZ1.sum(axis=0)
    return DW1, DB1, DW2, DB2


room.wrong(mask_and_bias, network, NETWORK, [MASK, UNSUMMED], ["A1", "Y"], "W1 B1 B2", wrt="W1 B1 W2 B2")


def factor_and_mask(X, W1, B1, W2, B2, T):
    Z1 = X @ W1 + B1
    A1 = np.maximum(0, Z1)
    Y = A1 @ W2 + B2
    dY = (Y - T) / Y.size
    dA1 = dY @ W2.T
    return X.T @ dA1, dA1.sum(0), A1.T @ dY, dY.sum(0)


room.wrong(
    factor_and_mask, network, NETWORK, ["factor_2_missing", MASK], ["err", "A1"], "W1 B1 W2 B2", wrt="W1 B1 W2 B2"
)


def mean_and_sign(X, W1, b1, W2, b2, T):
    H = np.tanh(X @ W1 + b1)
    Y = H @ W2 + b2
    d = T - Y
    dH = d @ W2.T * (1 - H**2)
    return X.T @ dH, dH.sum(0), H.T @ d, d.sum(0)


room.wrong(
    mean_and_sign, tanh_network, TANH, ["missing_batch_mean", "sign_flipped"], ["L", "L"], "W1 b1 W2 b2",
    wrt="W1 b1 W2 b2",
)  # fmt: skip


def mean_and_derivative(X, W1, b1, W2, b2, T):
    H = np.tanh(X @ W1 + b1)
    Y = H @ W2 + b2
    d = Y - T
    dH = d @ W2.T
    return {"W1": X.T @ dH, "b1": dH.sum(0), "W2": H.T @ d, "b2": d.sum(0)}


room.wrong(
    mean_and_derivative, tanh_network, TANH, ["missing_batch_mean", "missing_activation_grad"], ["L", "H"],
    "W1 b1 W2 b2", wrt="W1 b1 W2 b2",
)  # fmt: skip


def operand_and_axis(X, W1, b1, W2, b2, T):
    Z = X @ W1 + b1
    H = np.tanh(Z)
    d = (H @ W2 + b2 - T) / len(X)
    dH = d @ W2.T * (1 - H**2)
    return X.T @ dH, dH.sum(axis=0), Z.T @ d, np.sum(d)


room.wrong(
    operand_and_axis, tanh_network, TANH, ["wrong_operand uses_pre_activation_wrongly", "summed_all_axes"], ["Y", "Y"],
    "W2 b2", wrt="W1 b1 W2 b2",
)  # fmt: skip


def raw_derivative_and_bias(X, W1, b1, W2, b2, T):
    Z = X @ W1 + b1
    H = np.tanh(Z)
    d = (H @ W2 + b2 - T) / X.shape[0]
    dZ = (d @ W2.T) * (1 - Z**2)
    return X.T @ dZ, dZ.sum(axis=0), H.T @ d, d.mean(axis=0)


room.wrong(
    raw_derivative_and_bias, tanh_network, TANH, ["uses_pre_activation_wrongly", "extra_batch_mean"], ["H", "Y"],
    "W1 b1 b2", wrt="W1 b1 W2 b2",
)  # fmt: skip


def no_mean_and_no_derivative(X, W1, b1, W2, b2, labels):
    H = np.tanh(X @ W1 + b1)
    S = H @ W2 + b2
    e = np.exp(S - S.max(1, keepdims=True))
    d = e / e.sum(1, keepdims=True)
    d[np.arange(len(labels)), labels] -= 1
    dH = d @ W2.T
    return X.T @ dH, dH.sum(axis=0), H.T @ d, d.sum(axis=0)


room.wrong(
    no_mean_and_no_derivative, classifier, CLASSES, ["missing_batch_mean", "missing_activation_grad"], ["loss", "H"],
    "W1 b1 W2 b2", wrt="W1 b1 W2 b2",
)  # fmt: skip


def twice_and_bias(X, W1, b1, W2, b2, labels):
    n = len(labels)
    H = np.tanh(X @ W1 + b1)
    S = H @ W2 + b2
    e = np.exp(S - S.max(1, keepdims=True))
    d = e / e.sum(1, keepdims=True)
    d[np.arange(n), labels] -= 1
    d /= n
    dW2 = H.T @ d
    dH = d @ W2.T * (1 - H)
    return X.T @ dH, dH.sum(axis=0), dW2, d


room.wrong(
    twice_and_bias, classifier, CLASSES, ["wrong_local_derivative wrong_power", UNSUMMED], ["H", "S"], "W1 b1 b2",
    wrt="W1 b1 W2 b2",
)  # fmt: skip


def dense_two_transposes(X, W, b, g):
    return g @ W, X @ g, g.sum(axis=0)


room.wrong(
    dense_two_transposes, dense, {"X": normal(4, 4), "W": normal(4, 4), "b": normal(4)},
    ["missing_transpose", "missing_transpose"], ["Z", "Z"], "X W",
)  # fmt: skip


def dense_scaled_and_bias(X, W, b, g):
    return g @ W.T, X.T @ g / len(X), g.sum()


room.wrong(dense_scaled_and_bias, dense, DENSE, ["extra_batch_mean", "summed_all_axes"], ["Z", "Z"], "W b")


def dense_transposed_and_averaged(X, W, b, g):
    return g @ W.T, g.T @ X / len(X), g.sum(axis=0)


room.wrong(dense_transposed_and_averaged, dense, DENSE, ["transposed", "extra_batch_mean"], ["Z", "Z"], "W")


def sigmoid_without_and_transpose(x, w, b, g):
    return g @ w, x.T @ g, g.sum(0)


room.wrong(
    sigmoid_without_and_transpose, sigmoid_layer, {"x": normal(5, 3), "w": normal(3, 3), "b": normal(3)},
    ["missing_activation_grad", "missing_transpose"], ["a", "z"], "x w b",
)  # fmt: skip


def sigmoid_raw_and_mean(x, w, b, g):
    z = x @ w + b
    d = g * z * (1 - z)
    return d @ w.T, x.T @ d / len(x), d.sum(0) / len(x)


room.wrong(
    sigmoid_raw_and_mean, sigmoid_layer, {"x": normal(5, 3), "w": normal(3, 2), "b": normal(2)},
    ["uses_pre_activation_wrongly", "extra_batch_mean"], ["a", "z"], "x w b",
)  # fmt: skip


def norm_without_variance_and_gain(x, gamma, beta, g):
    xc = x - x.mean(1, keepdims=True)
    inv = 1 / np.sqrt((xc**2).mean(1, keepdims=True) + 1e-5)
    d = g * inv
    return d - d.mean(1, keepdims=True), (g * xc * inv).sum(0), g.sum(0)


room.wrong(
    norm_without_variance_and_gain, layer_norm, {"x": normal(5, 4), "gamma": normal(4), "beta": normal(4)},
    ["missing_scale", "missing_var_path missing_path treats_stat_as_constant"], ["y", "xn var xc"], "x",
)  # fmt: skip


def ridge_mean_and_penalty(X, w, y):
    return 2 * X.T @ (X @ w - y)


room.wrong(
    ridge_mean_and_penalty, ridge, {"X": normal(6, 3), "w": normal(3), "y": normal(6)},
    ["missing_batch_mean", "missing_reg_grad missing_path"], ["data", "penalty loss"], "w", wrt="w",
)  # fmt: skip


def ridge_twos(X, w, y):
    return X.T @ (X @ w - y) / len(y) + 0.1 * w


room.wrong(
    ridge_twos, ridge, {"X": normal(6, 3), "w": normal(3), "y": normal(6)}, ["factor_2_missing"],
    ["data penalty loss"], "w", wrt="w",
)  # fmt: skip
