"""Losses: averages, factors, signs, targets, weights and penalties."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("losses")
normal, positive = room.normal, room.positive


def mse(pred, target):
    diff = pred - target
    loss = np.mean(diff**2)
    return loss


def half_mse(y_hat, y):
    r = y_hat - y
    J = (r**2).sum() / (2 * len(y))
    return J


def linear_regression(X, w, b, y):
    pred = X @ w + b
    err = pred - y
    loss = (err**2).mean()
    return loss


def ridge(X, w, y, lam):
    res = X @ w - y
    data = (res**2).sum() / len(y)
    penalty = lam * (w**2).sum()
    loss = data + penalty
    return loss


def hinge(scores, y):
    n = scores.shape[0]
    correct = scores[np.arange(n), y][:, None]
    margins = np.maximum(0, scores - correct + 1)
    loss = (margins.sum() - n) / n
    return loss


def binary_hinge(X, w, y):
    f = X @ w
    m = np.maximum(0, 1 - y * f)
    L = m.mean()
    return L


def mae(p, t):
    d = p - t
    loss = np.abs(d).mean()
    return loss


def huber(p, t):
    d = p - t
    q = np.where(np.abs(d) < 1, 0.5 * d**2, np.abs(d) - 0.5)
    loss = q.sum()
    return loss


def weighted(pred, t, w):
    sq = (pred - t) ** 2
    loss = (w * sq).sum() / len(t)
    return loss


def bce(p, y):
    terms = y * np.log(p) + (1 - y) * np.log(1 - p)
    loss = -terms.mean()
    return loss


def kl(p, q):
    ratio = np.log(p / q)
    d = (p * ratio).sum()
    return d


def distance(x, c):
    diff = x - c
    sq = (diff**2).sum()
    dist = np.sqrt(sq)
    return dist


def cosine(a, b):
    dot = a @ b
    na = np.sqrt(a @ a)
    nb = np.sqrt(b @ b)
    sim = dot / (na * nb)
    return sim


def network_loss(X, W1, b1, W2, b2, T, reg):
    H = np.tanh(X @ W1 + b1)
    Y = H @ W2 + b2
    data = ((Y - T) ** 2).sum() / (2 * X.shape[0])
    penalty = 0.5 * reg * ((W1**2).sum() + (W2**2).sum())
    loss = data + penalty
    return loss


def gaussian_nll(x, mu, s):
    var = np.exp(s)
    nll = 0.5 * ((x - mu) ** 2 / var + s)
    total = nll.sum()
    return total


def rmse(a, b):
    ms = ((a - b) ** 2).mean()
    out = np.sqrt(ms)
    return out


def per_sample(pred, target):
    sq = (pred - target) ** 2
    losses = sq.mean(axis=1)
    return losses


MATRIX = {"pred": normal(7, 3), "target": normal(7, 3)}
REGRESSION = {"X": normal(7, 3), "w": normal(3), "b": normal(), "y": normal(7)}


# ---- averages and factors
def mse_without_mean(pred, target):
    return 2 * (pred - target)


room.wrong(mse_without_mean, mse, MATRIX, "missing_batch_mean missing_mean", "loss", "pred", wrt="pred")


def mse_by_rows(pred, target):
    n = len(pred)
    return 2.0 / n * (pred - target)


room.wrong(mse_by_rows, mse, MATRIX, "wrong_count", "loss", "pred", wrt="pred")


def mse_by_columns(pred, target):
    return 2 * (pred - target) / pred.shape[1]


room.wrong(mse_by_columns, mse, MATRIX, "wrong_count missing_batch_mean", "loss", "pred", wrt="pred")


def mse_without_two(pred, target):
    return (pred - target) / pred.size


room.wrong(mse_without_two, mse, MATRIX, "factor_2_missing", "loss diff", "pred", wrt="pred")


def mse_turned(pred, target):
    return 2 * (target - pred) / target.size


room.wrong(mse_turned, mse, MATRIX, "sign_flipped", "loss diff", "pred", wrt="pred")


def mse_square_kept(pred, target):
    return 2 * (pred - target) ** 2 / pred.size


room.wrong(mse_square_kept, mse, MATRIX, "wrong_power wrong_local_derivative wrong_operand", "loss", "pred", wrt="pred")


def mse_both(pred, target):
    d = 2 * (pred - target) / pred.size
    return d, d


room.wrong(mse_both, mse, MATRIX, "sign_flipped sign_flipped_term", "diff", "target")


def half_with_two(y_hat, y):
    m = y.shape[0]
    return 2 * (y_hat - y) / m


room.wrong(half_with_two, half_mse, {"y_hat": normal(7), "y": normal(7)}, "extra_factor", "J r", "y_hat", wrt="y_hat")


def half_not_averaged(y_hat, y):
    return y_hat - y


room.wrong(
    half_not_averaged, half_mse, {"y_hat": normal(7), "y": normal(7)}, "missing_batch_mean", "J", "y_hat", wrt="y_hat"
)


def half_with_half(y_hat, y):
    return (y_hat - y) / (2 * len(y))


room.wrong(
    half_with_half, half_mse, {"y_hat": normal(7), "y": normal(7)}, "factor_2_missing", "J r", "y_hat", wrt="y_hat"
)


def regression_bias_sum(X, w, b, y):
    n = len(y)
    pred = X @ w + b
    dw = 2 / n * X.T @ (pred - y)
    db = 2 * np.sum(pred - y)
    return dw, db


room.wrong(regression_bias_sum, linear_regression, REGRESSION, "missing_batch_mean", "pred loss", "b", wrt="w b")


def regression_bias_vector(X, w, b, y):
    e = X.dot(w) + b - y
    return (2 / len(y)) * X.T.dot(e), (2 / len(y)) * e


room.wrong(
    regression_bias_vector, linear_regression, REGRESSION, "bias_not_summed broadcast_not_reduced", "pred", "b",
    wrt="w b",
)  # fmt: skip


def regression_loop_overwrites(X, w, b, y):
    dw = np.zeros(len(w))
    db = 0.0
    for i in range(len(y)):
        e = X[i] @ w + b - y[i]
        dw = 2 * e * X[i] / len(y)
        db += 2 * e / len(y)
    return dw, db


room.wrong(
    regression_loop_overwrites, linear_regression, REGRESSION, "overwrites_instead_of_accumulates", "pred", "w",
    wrt="w b",
)  # fmt: skip


def regression_weight_by_prediction(X, w, b, y):
    pred = X @ w + b
    g = 2 * (pred - y) / len(y)
    return {"dw": X.T @ pred * 2 / len(y), "db": g.sum()}


room.wrong(
    regression_weight_by_prediction, linear_regression, REGRESSION,
     "missing_path wrong_operand missing_label_term", "err pred", "w",
    wrt="w b",
)  # fmt: skip


# ---- penalties
RIDGE = {"X": normal(6, 4), "w": normal(4), "y": normal(6), "lam": 0.3}


def ridge_forgotten(X, w, y, lam):
    return 2 * X.T @ (X @ w - y) / len(y)


room.wrong(ridge_forgotten, ridge, RIDGE, "missing_reg_grad missing_path", "penalty loss", "w", wrt="w")


def ridge_without_two(X, w, y, lam):
    return 2 * X.T @ (X @ w - y) / len(y) + lam * w


room.wrong(ridge_without_two, ridge, RIDGE, "factor_2_missing", "penalty", "w", wrt="w")


def ridge_averaged(X, w, y, lam):
    n = len(y)
    return 2 / n * X.T @ (X @ w - y) + 2 * lam / n * w


room.wrong(ridge_averaged, ridge, RIDGE, "extra_batch_mean", "penalty", "w", wrt="w")


def ridge_sign(X, w, y, lam):
    grad = 2 / X.shape[0] * X.T.dot(X.dot(w) - y)
    grad -= 2 * lam * w
    return grad


room.wrong(ridge_sign, ridge, RIDGE, "sign_flipped_term", "penalty loss", "w", wrt="w")


def ridge_lasso(X, w, y, lam):
    return 2 * X.T @ (X @ w - y) / len(y) + lam * np.sign(w)


room.wrong(ridge_lasso, ridge, RIDGE, "wrong_local_derivative missing_reg_grad wrong_operand", "penalty", "w", wrt="w")


NETWORK = {
    "X": normal(7, 3), "W1": normal(3, 4), "b1": normal(4), "W2": normal(4, 2), "b2": normal(2), "T": normal(7, 2),
    "reg": 0.2,
}  # fmt: skip


def penalty_on_one_layer(X, W1, b1, W2, b2, T, reg):
    H = np.tanh(X @ W1 + b1)
    dY = (H @ W2 + b2 - T) / len(X)
    dW2 = H.T @ dY + reg * W2
    dH = dY @ W2.T * (1 - H**2)
    dW1 = X.T @ dH
    return dW1, dH.sum(0), dW2, dY.sum(0)


room.wrong(
    penalty_on_one_layer, network_loss, NETWORK, "missing_reg_grad missing_path", "penalty", "W1", wrt="W1 b1 W2 b2"
)


def penalty_on_biases(X, W1, b1, W2, b2, T, reg):
    H = np.tanh(X @ W1 + b1)
    dY = (H @ W2 + b2 - T) / len(X)
    grads = {"W2": H.T @ dY + reg * W2, "b2": dY.sum(0) + reg * b2}
    dH = dY @ W2.T * (1 - H**2)
    grads["W1"] = X.T @ dH + reg * W1
    grads["b1"] = dH.sum(0) + reg * b1
    return grads


room.wrong(penalty_on_biases, network_loss, NETWORK, "extra_term", None, "b1 b2", wrt="W1 b1 W2 b2")


# ---- margins
SCORES = {"scores": normal(6, 4), "y": np.array([1, 0, 2, 2, 3, 1])}


def hinge_target_minus_one(scores, y):
    n = scores.shape[0]
    margins = scores - scores[np.arange(n), y][:, None] + 1
    d = (margins > 0).astype(float)
    d[np.arange(n), y] = -1
    return d / n


room.wrong(hinge_target_minus_one, hinge, SCORES, "missing_count_on_target", "correct margins", "scores")


def hinge_target_forgotten(scores, y):
    n = len(y)
    margins = scores - scores[range(n), y].reshape(-1, 1) + 1
    d = np.where(margins > 0, 1.0, 0.0)
    d[range(n), y] = 0
    return d / n


room.wrong(
    hinge_target_forgotten, hinge, SCORES, "missing_count_on_target missing_path missing_label_term",
    "correct margins", "scores",
)  # fmt: skip


def hinge_not_averaged(scores, y):
    n = len(y)
    active = (scores - scores[np.arange(n), y][:, None] + 1 > 0).astype(float)
    active[np.arange(n), y] = 0
    active[np.arange(n), y] = -active.sum(axis=1)
    return active


room.wrong(hinge_not_averaged, hinge, SCORES, "missing_batch_mean", "loss", "scores")


def hinge_values(scores, y):
    n = len(y)
    margins = np.maximum(0, scores - scores[np.arange(n), y][:, None] + 1)
    margins[np.arange(n), y] = 0
    d = margins.copy()
    d[np.arange(n), y] -= margins.sum(axis=1)
    return d / n


room.wrong(
    hinge_values, hinge, SCORES, "wrong_local_derivative wrong_operand mask_from_wrong_array", "margins", "scores"
)

BINARY = {"X": normal(8, 3), "w": normal(3), "y": np.sign(normal(8))}


def svm_without_mask(X, w, y):
    return -(X.T @ y) / len(y)


room.wrong(svm_without_mask, binary_hinge, BINARY, "missing_mask missing_relu_mask", "m", "w", wrt="w")


def svm_other_side(X, w, y):
    active = y * (X @ w) > 1
    return -X.T @ (y * active) / len(y)


room.wrong(svm_other_side, binary_hinge, BINARY, "inverted_mask", "m", "w", wrt="w")


def svm_without_y(X, w, y):
    active = y * (X @ w) < 1
    return -X.T @ (1.0 * active) / len(y)


room.wrong(
    svm_without_y, binary_hinge, BINARY,
     "missing_inner_derivative missing_weight missing_factor missing_scale", "m", "w",
    wrt="w",
)  # fmt: skip


def svm_sign(X, w, y):
    n = len(y)
    g = np.zeros_like(w)
    for i in range(n):
        if y[i] * np.dot(w, X[i]) < 1:
            g += y[i] * X[i]
    return g / n


room.wrong(svm_sign, binary_hinge, BINARY, "sign_flipped", "m", "w", wrt="w")


def svm_margin_zero(X, w, y):
    active = y * (X @ w) < 0
    return -X.T @ (y * active) / len(y)


room.wrong(svm_margin_zero, binary_hinge, BINARY, "mask_from_wrong_array", "m", "w", wrt="w")


# ---- other losses
def mae_without_sign(p, t):
    return np.ones_like(p) / p.size


PT = {"p": 2 * normal(5, 3), "t": normal(5, 3)}
room.wrong(
    mae_without_sign, mae, PT, "missing_activation_grad wrong_local_derivative missing_branch missing_factor", "loss",
    "p", wrt="p",
)  # fmt: skip


def mae_like_mse(p, t):
    return 2 * (p - t) / p.size


room.wrong(mae_like_mse, mae, PT, "wrong_local_derivative wrong_operand", "loss", "p", wrt="p")


def huber_quadratic_only(p, t):
    return p - t


room.wrong(huber_quadratic_only, huber, PT, "missing_branch", "q", "p", wrt="p")


def huber_linear_only(p, t):
    return np.sign(p - t)


room.wrong(huber_linear_only, huber, PT, "missing_branch", "q", "p", wrt="p")


def huber_branches(p, t):
    d = p - t
    return np.where(np.abs(d) >= 1, d, np.sign(d))


room.wrong(huber_branches, huber, PT, "swapped_branches", "q", "p", wrt="p")


def huber_without_sign(p, t):
    d = p - t
    return np.where(np.abs(d) < 1, d, 1.0)


room.wrong(
    huber_without_sign, huber, PT,
     "missing_inner_derivative wrong_local_derivative missing_branch missing_factor missing_activation_grad",
     "q", "p",
    wrt="p",
)  # fmt: skip


WEIGHTED = {"pred": normal(7), "t": normal(7), "w": positive(7)}


def weighted_without_weight(pred, t, w):
    return 2 * (pred - t) / len(t)


room.wrong(weighted_without_weight, weighted, WEIGHTED, "missing_weight missing_scale", "loss", "pred", wrt="pred")


def weighted_normalised(pred, t, w):
    return 2 * w * (pred - t) / w.sum()


room.wrong(weighted_normalised, weighted, WEIGHTED, "wrong_count", "loss", "pred", wrt="pred")


def weight_squared(pred, t, w):
    return 2 * w**2 * (pred - t) / len(t)


room.wrong(weight_squared, weighted, WEIGHTED, "wrong_power extra_factor", "loss", "pred", wrt="pred")

BCE = {"p": 0.2 + 0.6 * np.abs(np.sin(normal(6))), "y": np.array([0.0, 1, 1, 0, 1, 0])}


def bce_sign_of_second(p, y):
    return -(y / p + (1 - y) / (1 - p)) / len(y)


room.wrong(bce_sign_of_second, bce, BCE, "sign_flipped_term missing_inner_derivative", "terms", "p", wrt="p")


def bce_fused(p, y):
    return (p - y) / len(y)


room.wrong(
    bce_fused, bce, BCE,
    "double_activation_grad missing_factor wrong_local_derivative extra_factor missing_activation_grad", "terms", "p",
    wrt="p",
)  # fmt: skip


def bce_not_negated(p, y):
    return (y / p - (1 - y) / (1 - p)) / len(y)


room.wrong(bce_not_negated, bce, BCE, "sign_flipped", "loss", "p", wrt="p")


def bce_sum(p, y):
    g = np.zeros_like(p)
    for i, (a, t) in enumerate(zip(p, y)):
        g[i] = (a - t) / (a * (1 - a))
    return g


room.wrong(bce_sum, bce, BCE, "missing_batch_mean", "loss", "p", wrt="p")

SIMPLEX = {"p": positive(5), "q": positive(5)}


def kl_without_one(p, q):
    return np.log(p / q), -p / q


room.wrong(kl_without_one, kl, SIMPLEX, "missing_path missing_term", "d ratio", "p")


def kl_sign_of_q(p, q):
    return np.log(p / q) + 1, p / q


room.wrong(kl_sign_of_q, kl, SIMPLEX, "sign_flipped sign_flipped_term", "ratio", "q")


def distance_squared(x, c):
    d = 2 * (x - c)
    return d, -d


POINTS = {"x": normal(4), "c": normal(4)}
room.wrong(
    distance_squared, distance, POINTS,
    "missing_inner_derivative missing_activation_grad missing_factor wrong_power missing_outer_derivative", "dist",
    "x c",
)  # fmt: skip


def distance_half(x, c):
    d = (x - c) / (2 * np.linalg.norm(x - c))
    return d, -d


room.wrong(distance_half, distance, POINTS, "factor_2_missing", "sq dist", "x c")


def distance_power(x, c):
    diff = x - c
    d = diff / (diff @ diff)
    return d, -d


room.wrong(distance_power, distance, POINTS, "wrong_power wrong_operand", "dist", "x c")


def cosine_without_norm(a, b):
    na, nb = np.linalg.norm(a), np.linalg.norm(b)
    return b / (na * nb), a / (na * nb)


VECTORS = {"a": normal(5), "b": normal(5)}
room.wrong(cosine_without_norm, cosine, VECTORS, "treats_stat_as_constant missing_path", "na nb sim", "a b")


def cosine_power(a, b):
    na, nb = np.linalg.norm(a), np.linalg.norm(b)
    s = a @ b / na / nb
    return b / (na * nb) - s * a / na, a / (na * nb) - s * b / nb**2


room.wrong(cosine_power, cosine, VECTORS, "wrong_power", "na sim", "a")


def nll_var_power(x, mu, s):
    v = np.exp(s)
    z = x - mu
    return z / v, -z / v, 0.5 - 0.5 * z**2 / v**2


GAUSS = {"x": normal(5), "mu": normal(5), "s": normal(5)}
room.wrong(
    nll_var_power,
    gaussian_nll,
    GAUSS,
    "missing_inner_derivative wrong_power missing_path missing_activation_grad",
    "nll var",
    "s",
)


def nll_only_term(x, mu, s):
    v = np.exp(s)
    z = x - mu
    return z / v, -z / v, -0.5 * z**2 / v


room.wrong(nll_only_term, gaussian_nll, GAUSS, "missing_path", "nll", "s")


def rmse_without_root(a, b):
    d = 2 * (a - b) / a.size
    return d, -d


ROOT = {"a": normal(5, 3), "b": normal(5, 3)}
room.wrong(
    rmse_without_root, rmse, ROOT,
     "missing_activation_grad missing_outer_derivative missing_factor missing_inner_derivative", "out",
    "a b",
)  # fmt: skip


def per_sample_ones(pred, target, upstream):
    return 2 * (pred - target) / pred.shape[1]


room.wrong(per_sample_ones, per_sample, MATRIX, "missing_upstream assumes_unit_upstream", "losses", "pred", wrt="pred")


def per_sample_batch(pred, target, g):
    return 2 * (pred - target) * g[:, None] / pred.shape[0]


room.wrong(per_sample_batch, per_sample, MATRIX, "wrong_count", "losses", "pred", wrt="pred")
