"""Numbers, state and mutation: what is wrong besides the formula."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Exhibit, Room, answer_of, cotangent_for

room = Room("numerics")
normal = room.normal


def sigmoid_layer(x):
    y = 1 / (1 + np.exp(-x))
    return y


def relu(x):
    y = np.maximum(x, 0)
    return y


def dense(x, W, b):
    y = x @ W + b
    return y


def network(x, W1, W2):
    h = np.maximum(0, x @ W1)
    y = h @ W2
    return y


def softplus(x):
    y = np.logaddexp(0, x)
    return y


def residual_relu(x):
    h = np.maximum(x, 0)
    y = h + x
    return y


def squares(x):
    s = (x**2).sum()
    return s


def cross_entropy(z, t):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(t)), t]).mean()
    return loss


def training_loss(X, W1, W2, T):
    H = np.tanh(X @ W1)
    Y = H @ W2
    loss = ((Y - T) ** 2).sum()
    return loss


def safe_log(p, t):
    q = p + 1e-2
    loss = -(t * np.log(q)).sum()
    return loss


DENSE = {"x": normal(5, 3), "W": normal(3, 2), "b": normal(2)}
NETWORK = {"x": normal(5, 3), "W1": normal(3, 4), "W2": normal(4, 2)}
TRAINING = {"X": normal(5, 3), "W1": normal(3, 4), "W2": normal(4, 2), "T": normal(5, 2)}


def changes_an_argument(exhibit: Exhibit) -> bool:
    """Whether the candidate writes into its arguments or into the cotangent."""
    args = {k: np.array(v) for k, v in exhibit.args.items()}
    cotangent = cotangent_for(exhibit, args)
    kept = np.array(cotangent)
    # the copies that answer_of makes would hide it
    exhibit.candidate(*args.values(), cotangent)
    return any((args[k] != v).any() for k, v in exhibit.args.items()) or bool((kept != cotangent).any())


def second_call_differs(exhibit: Exhibit) -> bool:
    """Whether a class gives other gradients when it is called again."""
    args = {k: np.array(v) for k, v in exhibit.args.items()}
    g = cotangent_for(exhibit, args)
    layer = exhibit.candidate(args["W"], args["b"])
    layer.forward(args["x"])
    layer.backward(g)
    first = np.array(layer.dW)
    layer.forward(args["x"])
    layer.backward(g)
    return bool((first != layer.dW).any())


def overflows(exhibit: Exhibit) -> bool:
    """Whether the candidate is not finite where the forward function is."""
    args = {k: 1000 * v for k, v in exhibit.args.items()}
    with np.errstate(all="ignore"):
        found = answer_of(exhibit, args, np.ones_like(args["x"]))
        return bool(np.isfinite(exhibit.forward(**args)).all() and not np.isfinite(found["x"]).all())


# ---- dtypes
def integer_buffer(x, dy):
    grad = np.zeros(x.shape, dtype=int)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            s = 1 / (1 + np.exp(-x[i, j]))
            grad[i, j] = dy[i, j] * s * (1 - s)
    return grad


room.wrong(integer_buffer, sigmoid_layer, {"x": normal(4, 3)}, "int_truncation", "y", "x")


def integer_weights(x, W, b, g):
    dW = np.zeros(W.shape, dtype=np.int64)
    dW[:] = x.T @ g
    return g @ W.T, dW, g.sum(axis=0)


room.wrong(integer_weights, dense, DENSE, "int_truncation", "y", "W")


def rounded(x, W, b, g):
    dW = (x.T @ g).round(1)
    return g @ W.T, dW, g.sum(axis=0)


room.wrong(rounded, dense, DENSE, "int_truncation rounded wrong_local_derivative wrong_dtype", "y", "W")


# ---- overflow
def softplus_overflows(x, g):
    return g * np.exp(x) / (1 + np.exp(x))


room.wrong(softplus_overflows, softplus, {"x": normal(6)}, "overflow_unstable", None, "", shown=overflows)


# ---- mutation
def edits_cotangent(x, dout):
    dout[x <= 0] = 0
    return dout


room.wrong(edits_cotangent, relu, {"x": normal(4, 3)}, "mutates_upstream", None, "", shown=changes_an_argument)


def edits_input(x, grad_output):
    step = x
    step[step > 0] = 1
    step[step <= 0] = 0
    return grad_output * step


room.wrong(edits_input, relu, {"x": normal(4, 3)}, "mutates_input", None, "", shown=changes_an_argument)


def edits_weights(x, W, b, g):
    dW = x.T @ g
    db = g.sum(axis=0)
    dx = g @ W.T
    W -= 0.1 * dW
    b -= 0.1 * db
    return dx, dW, db


room.wrong(edits_weights, dense, DENSE, "mutates_input", None, "", shown=changes_an_argument)


def cotangent_used_again(x, dy):
    dh = dy
    dh[x <= 0] = 0
    return dh + dy


room.wrong(cotangent_used_again, residual_relu, {"x": normal(4, 3)}, "mutates_upstream aliased_cache", None, "x")


def divides_in_place(x, W, b, grad):
    grad /= len(x)
    return grad @ W.T * len(x), x.T @ grad * len(x), grad.sum(axis=0) * len(x)


room.wrong(divides_in_place, dense, DENSE, "mutates_upstream", None, "", shown=changes_an_argument)


# ---- saved arrays
def relu_edits_hidden(x, W1, W2, dy):
    h = x @ W1
    a = h
    a[a < 0] = 0
    mask = a
    mask[mask > 0] = 1
    dW2 = a.T @ dy
    dh = dy @ W2.T * mask
    return dh @ W1.T, x.T @ dh, dW2


room.wrong(relu_edits_hidden, network, NETWORK, "aliased_cache wrong_operand", "y h", "W2")


# ---- state
class Accumulating:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = np.zeros_like(W)
        self.db = np.zeros_like(b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW += self.x.T @ grad
        self.db += grad.sum(axis=0)
        return grad @ self.W.T


room.wrong(Accumulating, dense, DENSE, "state_leak", None, "", shown=second_call_differs)


class Stepping:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.learning_rate = 0.1

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        self.W = self.W - self.learning_rate * self.dW
        self.b = self.b - self.learning_rate * self.db
        return grad @ self.W.T


room.wrong(Stepping, dense, DENSE, "uses_updated_weights", "y", "x")


def updates_first(X, W1, W2, T):
    lr = 0.01
    H = np.tanh(X @ W1)
    dY = 2 * (H @ W2 - T)
    dW2 = H.T @ dY
    W2 = W2 - lr * dW2
    dH = dY @ W2.T
    dW1 = X.T @ (dH * (1 - H**2))
    return dW1, dW2


room.wrong(updates_first, training_loss, TRAINING, "uses_updated_weights", "Y", "W1", wrt="W1 W2")


# ---- epsilons
def log_without_epsilon(p, t):
    return -t / p


room.wrong(
    log_without_epsilon, safe_log, {"p": room.positive(5), "t": room.positive(5)}, "eps_inconsistent", "q", "p", wrt="p"
)


def log_of_other_epsilon(p, t):
    eps = 1e-4
    return -t / (p + eps)


room.wrong(
    log_of_other_epsilon,
    safe_log,
    {"p": room.positive(5), "t": room.positive(5)},
    "eps_inconsistent",
    "q",
    "p",
    wrt="p",
)


# ---- shapes
def squares_summed(x):
    return np.sum(2 * x)


room.wrong(squares_summed, squares, {"x": normal(5)}, "summed_all_axes", "s", "x")


def squares_as_column(x):
    return (2 * x).reshape(-1, 1)


room.wrong(squares_as_column, squares, {"x": normal(5)}, "shape_keepdims wrong_shape", "s", "x")


def squares_as_none(x):
    grad = 2 * x
    grad.sort()
    grad = None
    return grad


room.wrong(squares_as_none, squares, {"x": normal(5)}, "no_gradient missing_gradient missing_return", None, "x")


def cross_entropy_flat(z, t):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(t)), t] -= 1
    return (p / len(t)).ravel()


room.wrong(
    cross_entropy_flat, cross_entropy, {"z": normal(5, 3), "t": np.array([0, 1, 2, 1, 0])},
    "shape_keepdims wrong_shape missing_reshape", None, "z",
)  # fmt: skip


# ---- chance
def drawn_again(x, mask, g):
    fresh = np.random.default_rng().random(x.shape) < 0.5
    return g * fresh / 0.5


def dropped(x, mask):
    y = x * mask / 0.5
    return y


room.wrong(
    drawn_again,
    dropped,
    {"x": normal(6, 5), "mask": (normal(6, 5) > 0).astype(int)},
    "resampled_mask",
    None,
    "x",
    wrt="x",
)
