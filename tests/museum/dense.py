"""Matrix products, biases and broadcasting: what goes wrong in a dense layer."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("dense")
normal = room.normal


def dense(X, W, b):
    Z = X @ W + b
    return Z


def affine(x, W, b):
    out = np.dot(x, W) + b
    return out


def matmul(A, B):
    C = A @ B
    return C


def linear(x, weight, bias):
    y = x @ weight.T + bias
    return y


def two_layers(X, W1, b1, W2, b2, T):
    Z1 = X.dot(W1) + b1
    A1 = np.tanh(Z1)
    Y = A1.dot(W2) + b2
    loss = ((Y - T) ** 2).mean()
    return loss


def three_linear(x, W1, W2, W3):
    h1 = x @ W1
    h2 = h1 @ W2
    h3 = h2 @ W3
    return h3


def gram(X):
    G = X.T @ X
    return G


def energy(x, A):
    y = A @ x
    s = x @ y
    return s


def split_heads(x):
    n, d = x.shape
    h = x.reshape(n, 3, d // 3)
    heads = h.transpose(1, 0, 2)
    return heads


def flipped(M):
    Mt = M.T
    return Mt * np.arange(1.0, 5.0)


def scale_shift(x, gamma, beta):
    scaled = gamma * x
    out = scaled + beta
    return out


def grid(u, v):
    S = u[:, None] + v
    return S


def regression(X, w, y):
    pred = X @ w
    err = pred - y.reshape(-1, 1)
    loss = (err**2).mean()
    return loss


def twice(X, W):
    H = X @ W
    Y = H @ W
    return Y


def shifted_tanh(z, s):
    a = np.tanh(z)
    out = a * s
    return out


RECTANGLE = {"X": normal(6, 5), "W": normal(5, 3), "b": normal(3)}
SQUARE = {"X": normal(4, 4), "W": normal(4, 4), "b": normal(4)}
AFFINE = {"x": normal(7, 3), "W": normal(3, 2), "b": normal(2)}
AFFINE_SQUARE = {"x": normal(3, 3), "W": normal(3, 3), "b": normal(3)}
LAYERS = {
    "X": normal(5, 4),
    "W1": normal(4, 4),
    "b1": normal(4),
    "W2": normal(4, 4),
    "b2": normal(4),
    "T": normal(5, 4),
}
WEIGHTS = "W1 b1 W2 b2"


# ---- transposes
def dense_grad_square(X, W, b, grad_output):
    grad_X = grad_output @ W
    grad_W = X.T @ grad_output
    grad_b = grad_output.sum(axis=0)
    return grad_X, grad_W, grad_b


room.wrong(dense_grad_square, dense, SQUARE, "missing_transpose", "Z", "X")


def dense_grad_rectangle(X, W, b, dZ):
    dX = np.dot(dZ, W)
    dW = np.dot(X.T, dZ)
    db = np.sum(dZ, axis=0)
    return dX, dW, db


room.wrong(dense_grad_rectangle, dense, RECTANGLE, "missing_transpose", "Z", "X W b")


def weights_without_transpose(x, W, b, delta):
    d_W = x @ delta
    d_b = np.ones(len(x)) @ delta
    d_x = delta @ W.T
    return {"x": d_x, "W": d_W, "b": d_b}


room.wrong(weights_without_transpose, affine, AFFINE_SQUARE, "missing_transpose", "out", "W")


class AffineTransposed:
    def __init__(self, W, b):
        self.W = W
        self.b = b
        self.x = None
        self.dW = None
        self.db = None

    def forward(self, x):
        self.x = x
        return np.dot(self.x, self.W) + self.b

    def backward(self, dout):
        dx = np.dot(dout, self.W.T)
        self.dW = np.dot(dout.T, self.x)
        self.db = np.sum(dout, axis=0)
        return dx


room.wrong(AffineTransposed, affine, AFFINE, "transposed", "out", "W")


def linear_backward(grad, x, weight, bias):
    return grad @ weight, x.T @ grad, grad.sum(0)


room.wrong(
    linear_backward, linear, {"x": normal(5, 3), "weight": normal(2, 3), "bias": normal(2)}, "transposed", "y", "weight"
)


def grad_by_einsum(A, B, g):
    dA = np.einsum("ik,kj->ij", g, B)
    dB = np.einsum("ki,kj->ij", A, g)
    return dA, dB


room.wrong(grad_by_einsum, matmul, {"A": normal(3, 3), "B": normal(3, 3)}, "missing_transpose", "C", "A")


def bmm_backward(A, B, dC):
    dA = dC @ B.swapaxes(-1, -2)
    dB = A.T @ dC
    return dA, dB


room.wrong(bmm_backward, matmul, {"A": normal(3, 3, 3), "B": normal(3, 3, 3)}, "transposes_all_axes", "C", "B")


def bmm_backward_two(A, B, dC):
    dA = dC @ B.T
    dB = np.swapaxes(A, 1, 2) @ dC
    return dA, dB


room.wrong(bmm_backward_two, matmul, {"A": normal(2, 3, 4), "B": normal(2, 4, 5)}, "transposes_all_axes", "C", "A B")


def merge_heads(x, grad_heads):
    return grad_heads.reshape(x.shape)


room.wrong(merge_heads, split_heads, {"x": normal(4, 6)}, "reshape_instead_of_transpose", "heads", "x")


def untranspose(M, g):
    g = g * np.arange(1.0, 5.0)
    return g.reshape(M.shape)


room.wrong(untranspose, flipped, {"M": normal(4, 3)}, "reshape_instead_of_transpose", "Mt", "M")


# ---- products of the wrong kind, or with the wrong array
def star_for_at(A, B, up):
    gA = up * B.T
    gB = A.T @ up
    return gA, gB


room.wrong(star_for_at, matmul, {"A": normal(4, 4), "B": normal(4, 4)}, "elementwise_instead_of_matmul", "C", "A")


def star_for_at_in_B(A, B, up):
    return [up @ B.T, A.T * up]


room.wrong(star_for_at_in_B, matmul, {"A": normal(3, 3), "B": normal(3, 3)}, "elementwise_instead_of_matmul", "C", "B")


def at_for_star(z, s, g):
    a = np.tanh(z)
    da = g * s
    dz = np.dot(da, 1 - a**2)
    ds = (g * a).sum(axis=0)
    return dz, ds


room.wrong(
    at_for_star,
    shifted_tanh,
    {"z": normal(4, 4), "s": normal(4)},
    "elementwise_instead_of_matmul matmul_instead_of_elementwise",
    "a",
    "z",
)


def back_with_gradient(X, W1, b1, W2, b2, T):
    Z1 = X.dot(W1) + b1
    A1 = np.tanh(Z1)
    Y = A1.dot(W2) + b2
    dY = 2.0 * (Y - T) / Y.size
    dW2 = A1.T.dot(dY)
    db2 = dY.sum(0)
    dA1 = dY.dot(dW2.T)
    dZ1 = dA1 * (1 - A1**2)
    dW1 = X.T.dot(dZ1)
    db1 = dZ1.sum(0)
    return dW1, db1, dW2, db2


room.wrong(back_with_gradient, two_layers, LAYERS, "wrong_operand", "Y", "W1 b1", wrt=WEIGHTS)


def own_weights(x, W1, W2, W3, dh3):
    h1 = x @ W1
    h2 = h1 @ W2
    dW3 = h2.T @ dh3
    dh2 = dh3 @ W3.T
    dW2 = h1.T @ dh2
    dh1 = dh2 @ W3.T
    dW1 = x.T @ dh1
    dx = dh1 @ W1.T
    return dx, dW1, dW2, dW3


room.wrong(
    own_weights,
    three_linear,
    {"x": normal(5, 3), "W1": normal(3, 4), "W2": normal(4, 4), "W3": normal(4, 4)},
    "wrong_operand",
    "h2",
    "x W1",
)


def input_for_hidden(X, W1, b1, W2, b2, T):
    z = X @ W1 + b1
    h = np.tanh(z)
    out = h @ W2 + b2
    g_out = 2 * (out - T) / T.size
    gW2 = X.T @ g_out
    gb2 = g_out.sum(axis=0)
    g_h = g_out @ W2.T
    g_z = g_h * (1 - h * h)
    return {"W1": X.T @ g_z, "b1": g_z.sum(axis=0), "W2": gW2, "b2": gb2}


room.wrong(input_for_hidden, two_layers, LAYERS, "wrong_operand", "Y", "W2", wrt=WEIGHTS)


def z_for_a(X, W1, b1, W2, b2, T):
    Z1 = np.dot(X, W1) + b1
    A1 = np.tanh(Z1)
    Y = np.dot(A1, W2) + b2
    DY = 2 * (Y - T) / np.prod(Y.shape)
    DW2 = np.dot(Z1.T, DY)
    DB2 = np.sum(DY, axis=0)
    DZ1 = np.dot(DY, W2.T) * (1 - np.square(A1))
    DW1 = np.dot(X.T, DZ1)
    DB1 = np.sum(DZ1, axis=0)
    return DW1, DB1, DW2, DB2


room.wrong(z_for_a, two_layers, LAYERS, "wrong_operand uses_pre_activation_wrongly", "Y", "W2", wrt=WEIGHTS)


# ---- one of two uses
def gram_one_use(X, dG):
    return X @ dG


room.wrong(gram_one_use, gram, {"X": normal(5, 3)}, "missing_path", "G", "X")


def energy_one_use(x, A, g):
    dx = g * (A @ x)
    dA = g * np.outer(x, x)
    return dx, dA


room.wrong(energy_one_use, energy, {"x": normal(4), "A": normal(4, 4)}, "missing_path", "s y", "x")


def twice_last_only(X, W, dY):
    H = X @ W
    dW = H.T @ dY
    dH = dY @ W.T
    dW = X.T @ dH
    dX = dH @ W.T
    return dX, dW


room.wrong(
    twice_last_only,
    twice,
    {"X": normal(5, 3), "W": normal(3, 3)},
    "overwrites_instead_of_accumulates missing_path",
    "Y H",
    "W",
)


# ---- biases and broadcasting
def bias_as_it_comes(X, W, b, dout):
    dW = X.T.dot(dout)
    dX = dout.dot(W.T)
    db = dout
    return dX, dW, db


room.wrong(bias_as_it_comes, dense, RECTANGLE, "bias_not_summed broadcast_not_reduced", "Z", "b")


class AffineSumAll:
    def __init__(self, W, b):
        self.params = [W, b]

    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.dot(x, W) + b

    def backward(self, dout):
        W, b = self.params
        dx = np.dot(dout, W.T)
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout)
        return dx


room.wrong(AffineSumAll, affine, AFFINE, "summed_all_axes", "out", "b")


class AffineSumAllKept(AffineSumAll):
    def backward(self, dout):
        W, b = self.params
        self.dW = self.x.T @ dout
        self.db = np.full(b.shape, dout.sum())
        return dout @ W.T


room.wrong(AffineSumAllKept, affine, AFFINE, "summed_all_axes", "out", "b")


def other_axis_square(X, W, b, g):
    return {"dX": g @ W.T, "dW": X.T @ g, "db": g.sum(axis=1)}


room.wrong(other_axis_square, dense, SQUARE, "wrong_axis", "Z", "b")


def other_axis(X, W, b, g):
    return {"dX": g @ W.T, "dW": X.T @ g, "db": g.sum(-1)}


room.wrong(other_axis, dense, RECTANGLE, "wrong_axis", "Z", "b")


def left_over_axis(x, W, b, grad_out):
    grad_x = grad_out @ W.T
    grad_W = x.T @ grad_out
    grad_b = np.sum(grad_out, axis=0, keepdims=True)
    return grad_x, grad_W, grad_b


room.wrong(left_over_axis, affine, AFFINE, "shape_keepdims", "out", "b")


def gain_not_reduced(x, gamma, beta, dy):
    dgamma = dy * x
    dbeta = np.sum(dy, axis=0)
    dx = dy * gamma
    return dx, dgamma, dbeta


SCALED = {"x": normal(6, 4), "gamma": normal(4), "beta": normal(4)}
room.wrong(gain_not_reduced, scale_shift, SCALED, "broadcast_not_reduced bias_not_summed", "scaled", "gamma")


def scale_forgotten(x, gamma, beta, dy):
    return dy, (dy * x).sum(0), dy.sum(0)


room.wrong(scale_forgotten, scale_shift, SCALED, "missing_scale", "scaled", "x")


def grid_back(u, v, g):
    du = np.sum(g) * np.ones_like(u)
    dv = np.sum(g, axis=0)
    return du, dv


room.wrong(grid_back, grid, {"u": normal(3), "v": normal(5)}, "summed_all_axes", "S", "u")


def grid_swapped_axes(u, v, g):
    return g.sum(axis=0), g.sum(axis=1)


room.wrong(grid_swapped_axes, grid, {"u": normal(4), "v": normal(4)}, "wrong_axis swapped_outputs", "S", "u v")


def regression_grad(X, w, y):
    pred = X @ w
    err = pred - y
    return X.T @ (2 * err / len(y)).mean(axis=1, keepdims=True)


room.wrong(
    regression_grad,
    regression,
    {"X": normal(6, 2), "w": normal(2, 1), "y": normal(6)},
    "accidental_outer_broadcast",
    "err",
    "w",
    wrt="w",
)


def bias_like_a_weight(X, W, b, dZ):
    dW = X.T @ dZ
    db = X.T @ dZ
    dX = dZ @ W.T
    return dX, dW, db


room.wrong(bias_like_a_weight, dense, RECTANGLE, "wrong_operand bias_multiplied_by_input extra_factor", "Z", "b")


def bias_averaged(X, W, b, grad_output):
    grad_input = grad_output @ W.T
    grad_weights = X.T @ grad_output
    grad_biases = grad_output.mean(axis=0)
    return grad_input, grad_weights, grad_biases


room.wrong(bias_averaged, dense, RECTANGLE, "extra_batch_mean", "Z", "b")


def dense_grad_input(X, grad_output, W, b):
    return np.dot(grad_output, W.T)


def dense_grad_W(X, grad_output, W, b):
    return np.dot(X.T, grad_output) / X.shape[0]


def dense_grad_b(X, grad_output, W, b):
    return np.sum(grad_output, axis=0)


FAMILY = {"dense_grad_input": dense_grad_input, "dense_grad_W": dense_grad_W, "dense_grad_b": dense_grad_b}
room.wrong(FAMILY, dense, RECTANGLE, "extra_batch_mean", "Z", "W", name="family_averages_W")


def returned_in_another_order(X, W, b, dZ):
    dX = dZ @ W.T
    dW = X.T @ dZ
    return dW, dX, dZ.sum(axis=0)


room.wrong(returned_in_another_order, dense, SQUARE, "swapped_outputs", None, "X W")


def negative_input(x, W, b, dout):
    dx = -np.matmul(dout, np.transpose(W))
    dW = np.matmul(np.transpose(x), dout)
    db = np.einsum("nm->m", dout)
    return dx, dW, db


room.wrong(negative_input, affine, AFFINE, "sign_flipped sign_flipped_term", "out", "x")


def no_upstream(X, W, b, dZ):
    dX = np.tile(W.sum(axis=1), (X.shape[0], 1))
    dW = X.T @ dZ
    return dX, dW, dZ.sum(axis=0)


room.wrong(no_upstream, dense, RECTANGLE, "missing_upstream", "Z", "X")


def loops_that_assign(x, W, b, g):
    n, m = g.shape
    dx = np.zeros(x.shape)
    dW = np.zeros(W.shape)
    db = np.zeros(m)
    for i in range(n):
        for j in range(m):
            db[j] += g[i, j]
            for k in range(x.shape[1]):
                dx[i, k] += g[i, j] * W[k, j]
                dW[k, j] = g[i, j] * x[i, k]
    return dx, dW, db


room.wrong(loops_that_assign, affine, AFFINE, "overwrites_instead_of_accumulates", "out", "W")


def loops_with_misplaced_line(x, W, b, g):
    n, m = g.shape
    dx, dW, db = np.zeros_like(x), np.zeros_like(W), np.zeros_like(b)
    for i in range(n):
        for j in range(m):
            for k in range(x.shape[1]):
                dx[i, k] += g[i, j] * W[k, j]
                dW[k, j] += g[i, j] * x[i, k]
                db[j] += g[i, j]
    return dx, dW, db


room.wrong(loops_with_misplaced_line, affine, AFFINE, "extra_factor wrong_count", "out", "b")


def list_of_gradients(X, W, b, grad):
    grads = [None, None, None]
    grads[1] = X.T @ grad * 2
    grads[2] = grad.sum(0)
    grads[0] = grad @ W.T
    return grads


room.wrong(list_of_gradients, dense, RECTANGLE, "extra_factor", "Z", "W")


def bias_first_row(X, W, b, g):
    db = g[0]
    return g @ W.T, X.T @ g, db


room.wrong(bias_first_row, dense, RECTANGLE, "bias_not_summed overwrites_instead_of_accumulates missing_path", "Z", "b")
