"""Exercises of courses: normalisation by hand, two-layer networks with penalties, cost functions, pairs of inputs."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("courses")
normal = room.normal


# ---- batch normalisation with n - 1, step by step
def batch_norm(hprebn, bngain, bnbias):
    n = hprebn.shape[0]
    bnmeani = hprebn.sum(0, keepdims=True) / n
    bndiff = hprebn - bnmeani
    bndiff2 = bndiff**2
    bnvar = bndiff2.sum(0, keepdims=True) / (n - 1)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = bndiff * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    return hpreact


BATCH = {"hprebn": normal(8, 5), "bngain": normal(1, 5), "bnbias": normal(1, 5)}
ALL = "hprebn bngain bnbias"


def parts(hprebn):
    n = hprebn.shape[0]
    bndiff = hprebn - hprebn.mean(0, keepdims=True)
    bnvar = (bndiff**2).sum(0, keepdims=True) / (n - 1)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    return n, bndiff, bnvar, bnvar_inv, bndiff * bnvar_inv


def bn_counts_n(hprebn, bngain, bnbias, dhpreact):
    n, _, _, bnvar_inv, bnraw = parts(hprebn)
    dbngain = (bnraw * dhpreact).sum(0, keepdims=True)
    dbnbias = dhpreact.sum(0, keepdims=True)
    dhprebn = bngain * bnvar_inv / n * (n * dhpreact - dhpreact.sum(0) - bnraw * (dhpreact * bnraw).sum(0))
    return dhprebn, dbngain, dbnbias


room.wrong(
    bn_counts_n, batch_norm, BATCH, "wrong_count wrong_constant_value extra_factor", "bnvar bnraw", "hprebn", wrt=ALL
)


def bn_overwrites(hprebn, bngain, bnbias, dhpreact):
    n, bndiff, bnvar, bnvar_inv, bnraw = parts(hprebn)
    dbnraw = bngain * dhpreact
    dbngain = (bnraw * dhpreact).sum(0, keepdims=True)
    dbnbias = dhpreact.sum(0, keepdims=True)
    dbndiff = bnvar_inv * dbnraw
    dbnvar_inv = (bndiff * dbnraw).sum(0, keepdims=True)
    dbnvar = -0.5 * (bnvar + 1e-5) ** -1.5 * dbnvar_inv
    dbndiff2 = np.ones_like(bndiff) * dbnvar / (n - 1)
    dbndiff = 2 * bndiff * dbndiff2
    dhprebn = dbndiff - dbndiff.sum(0, keepdims=True) / n
    return dhprebn, dbngain, dbnbias


room.wrong(
    bn_overwrites, batch_norm, BATCH, "overwrites_instead_of_accumulates missing_path", "bnraw bndiff", "hprebn",
    wrt=ALL,
)  # fmt: skip


def bn_closed(hprebn, bngain, bnbias, d):
    n, _, _, bnvar_inv, bnraw = parts(hprebn)
    inner = n * d - d.sum(0) - n / (n - 1) * bnraw * (d * bnraw).sum(0)
    return bngain * bnvar_inv / n * inner, (bnraw * d).sum(0, keepdims=True), d.sum(0, keepdims=True)


room.right(bn_closed, batch_norm, BATCH, wrt=ALL)


# ---- cross entropy, step by step
def cross_entropy(logits, labels):
    n = logits.shape[0]
    norm_logits = logits - logits.max(1, keepdims=True)
    counts = np.exp(norm_logits)
    counts_sum = counts.sum(1, keepdims=True)
    counts_sum_inv = counts_sum**-1
    probs = counts * counts_sum_inv
    logprobs = np.log(probs)
    loss = -logprobs[np.arange(n), labels].mean()
    return loss


def ce_power(logits, labels):
    n = logits.shape[0]
    counts = np.exp(logits - logits.max(1, keepdims=True))
    counts_sum = counts.sum(1, keepdims=True)
    probs = counts / counts_sum
    dlogprobs = np.zeros_like(probs)
    dlogprobs[np.arange(n), labels] = -1.0 / n
    dprobs = dlogprobs / probs
    dcounts_sum_inv = (counts * dprobs).sum(1, keepdims=True)
    dcounts = dprobs / counts_sum
    dcounts_sum = -(counts_sum**-1) * dcounts_sum_inv
    dcounts += np.ones_like(counts) * dcounts_sum
    return counts * dcounts


room.wrong(
    ce_power, cross_entropy, {"logits": normal(6, 4), "labels": np.array([0, 3, 1, 1, 2, 0])},
    "wrong_power wrong_local_derivative", "counts_sum_inv", "logits",
)  # fmt: skip


# ---- a two-layer network with penalties
def network(X, W1, b1, W2, b2, y, reg):
    N = X.shape[0]
    hidden = np.maximum(0, X.dot(W1) + b1)
    scores = hidden.dot(W2) + b2
    shifted = scores - scores.max(axis=1, keepdims=True)
    Z = np.exp(shifted).sum(axis=1, keepdims=True)
    log_probs = shifted - np.log(Z)
    data_loss = -log_probs[np.arange(N), y].sum() / N
    reg_loss = 0.5 * reg * np.sum(W1 * W1) + 0.5 * reg * np.sum(W2 * W2)
    loss = data_loss + reg_loss
    return loss


NETWORK = {
    "X": normal(6, 5), "W1": normal(5, 4), "b1": normal(4), "W2": normal(4, 3), "b2": normal(3),
    "y": np.array([0, 1, 2, 2, 1, 0]), "reg": 0.3,
}  # fmt: skip
WEIGHTS = "W1 b1 W2 b2"


def hidden_and_scores(X, W1, b1, W2, b2, y):
    h = np.maximum(0, X.dot(W1) + b1)
    s = h.dot(W2) + b2
    p = np.exp(s - s.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(X)), y] -= 1
    return h, p


def penalty_of_one_layer(X, W1, b1, W2, b2, y, reg):
    h, d = hidden_and_scores(X, W1, b1, W2, b2, y)
    d /= len(X)
    dh = d.dot(W2.T) * (h > 0)
    return {"W1": X.T.dot(dh) + reg * W1, "b1": dh.sum(axis=0), "W2": h.T.dot(d), "b2": d.sum(axis=0)}


room.wrong(penalty_of_one_layer, network, NETWORK, "missing_reg_grad", "reg_loss", "W2", wrt=WEIGHTS)


def penalty_doubled(X, W1, b1, W2, b2, y, reg):
    h, d = hidden_and_scores(X, W1, b1, W2, b2, y)
    d /= len(X)
    dh = d.dot(W2.T) * (h > 0)
    return {"W1": X.T.dot(dh) + 2 * reg * W1, "b1": dh.sum(0), "W2": h.T.dot(d) + 2 * reg * W2, "b2": d.sum(0)}


room.wrong(penalty_doubled, network, NETWORK, "extra_factor", "reg_loss", "W1 W2", wrt=WEIGHTS)


def neither_mean_nor_penalty(X, W1, b1, W2, b2, y, reg):
    h, d = hidden_and_scores(X, W1, b1, W2, b2, y)
    dh = d.dot(W2.T) * (h > 0)
    return {"W1": X.T.dot(dh), "b1": dh.sum(0), "W2": h.T.dot(d), "b2": d.sum(0)}


room.wrong(
    neither_mean_nor_penalty, network, NETWORK, ["missing_batch_mean", "missing_reg_grad"], ["data_loss", "reg_loss"],
    WEIGHTS, wrt=WEIGHTS,
)  # fmt: skip


def mask_of_the_gradient(X, W1, b1, W2, b2, y, reg):
    h, d = hidden_and_scores(X, W1, b1, W2, b2, y)
    d /= len(X)
    dh = d.dot(W2.T)
    dh[dh <= 0] = 0
    return X.T.dot(dh) + reg * W1, dh.sum(0), h.T.dot(d) + reg * W2, d.sum(0)


room.wrong(mask_of_the_gradient, network, NETWORK, "mask_from_wrong_array", "hidden", "W1 b1", wrt=WEIGHTS)


def late_mean(X, W1, b1, W2, b2, y, reg):
    h, d = hidden_and_scores(X, W1, b1, W2, b2, y)
    dh = (d @ W2.T) * np.sign(h)
    return {"W1": X.T @ dh / len(X) + W1 * reg, "b1": dh.mean(0), "W2": h.T @ d / len(X) + reg * W2, "b2": d.mean(0)}


room.right(late_mean, network, NETWORK, wrt=WEIGHTS)


# ---- margins with a penalty
def svm(W, X, y, reg):
    num = X.shape[0]
    scores = X.dot(W)
    correct = scores[np.arange(num), y].reshape(-1, 1)
    margins = np.maximum(0, scores - correct + 1.0)
    hinge = (margins.sum() - num) / num
    loss = hinge + reg * np.sum(W * W)
    return loss


SVM = {"W": normal(5, 3) * 0.3, "X": normal(7, 5), "y": np.array([0, 2, 1, 1, 0, 2, 2]), "reg": 0.3}


def counted(W, X, y):
    s = X.dot(W)
    ind = (s - s[np.arange(len(X)), y][:, None] + 1 > 0) * 1.0
    ind[np.arange(len(X)), y] = 0
    return ind


def svm_target_once(W, X, y, reg):
    ind = counted(W, X, y)
    ind[np.arange(len(X)), y] = -1
    return X.T.dot(ind) / len(X) + 2 * reg * W


room.wrong(svm_target_once, svm, SVM, "missing_count_on_target", "correct margins", "W", wrt="W")


def svm_penalty_averaged(W, X, y, reg):
    ind = counted(W, X, y)
    ind[np.arange(len(X)), y] = -ind.sum(axis=1)
    dW = X.T.dot(ind)
    dW += 2 * reg * W
    return dW / len(X)


room.wrong(svm_penalty_averaged, svm, SVM, "extra_batch_mean wrong_count", "loss", "W", wrt="W")


# ---- columns are samples
def cost_of_columns(W1, b1, W2, b2, X, Y):
    m = X.shape[1]
    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    A2 = 1 / (1 + np.exp(-Z2))
    logprobs = Y * np.log(A2) + (1 - Y) * np.log(1 - A2)
    cost = -np.sum(logprobs) / m
    return cost


COLUMNS = {
    "W1": normal(4, 3), "b1": normal(4, 1), "W2": normal(1, 4), "b2": normal(1, 1), "X": normal(3, 7),
    "Y": np.array([[1.0, 0, 0, 1, 1, 0, 1]]),
}  # fmt: skip


def activations(W1, b1, W2, b2, X):
    A1 = np.tanh(W1 @ X + b1)
    return A1, 1 / (1 + np.exp(-(W2 @ A1 + b2)))


def columns_back(W2, A1, dZ2, X):
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
    return {
        "W1": np.dot(dZ1, X.T), "b1": np.sum(dZ1, axis=1, keepdims=True),
        "W2": np.dot(dZ2, A1.T), "b2": np.sum(dZ2, axis=1, keepdims=True),
    }  # fmt: skip


def columns_without_sigmoid(W1, b1, W2, b2, X, Y):
    A1, A2 = activations(W1, b1, W2, b2, X)
    dA2 = -(np.divide(Y, A2) - np.divide(1 - Y, 1 - A2)) / X.shape[1]
    return columns_back(W2, A1, dA2, X)


room.wrong(
    columns_without_sigmoid, cost_of_columns, COLUMNS, "missing_activation_grad", "A2", "W1 b1 W2 b2", wrt=WEIGHTS
)


def columns_one_sign(W1, b1, W2, b2, X, Y):
    A1, A2 = activations(W1, b1, W2, b2, X)
    dA2 = -(np.divide(Y, A2) + np.divide(1 - Y, 1 - A2)) / X.shape[1]
    return columns_back(W2, A1, dA2 * A2 * (1 - A2), X)


room.wrong(columns_one_sign, cost_of_columns, COLUMNS, "sign_flipped_term", "logprobs", "W1 b1 W2 b2", wrt=WEIGHTS)


def columns_in_another_form(W1, b1, W2, b2, X, Y):
    A1, A2 = activations(W1, b1, W2, b2, X)
    dZ2 = (A2 - Y) / X.shape[1]
    dZ1 = (W2.T @ dZ2) / np.cosh(W1 @ X + b1) ** 2
    ones = np.ones((X.shape[1], 1))
    return {"W1": dZ1 @ X.T, "b1": dZ1 @ ones, "W2": dZ2 @ A1.T, "b2": dZ2 @ ones}


room.right(columns_in_another_form, cost_of_columns, COLUMNS, wrt=WEIGHTS)


# ---- pairs of inputs
def contrastive(f1, f2, same, margin):
    diff = f1 - f2
    dist = np.sqrt((diff**2).sum(axis=1) + 1e-8)
    pull = same * dist**2
    push = (1 - same) * np.maximum(0, margin - dist) ** 2
    loss = 0.5 * (pull + push).mean()
    return loss


PAIRS = {"f1": normal(6, 3), "f2": normal(6, 3), "same": np.array([1.0, 0, 1, 0, 0, 1]), "margin": 3.0}


def contrastive_of_one(f1, f2, same, margin, sign):
    diff = f1 - f2
    dist = np.sqrt((diff**2).sum(axis=1) + 1e-8)
    ddist = (same * dist + sign * (1 - same) * np.maximum(0, margin - dist)) / len(f1)
    return (ddist / dist)[:, None] * diff


def contrastive_pulls_both(f1, f2, same, margin):
    df = contrastive_of_one(f1, f2, same, margin, 1)
    return {"f1": df, "f2": -df}


room.wrong(contrastive_pulls_both, contrastive, PAIRS, "sign_flipped_term", "push", "f1 f2", wrt="f1 f2")


def contrastive_one_gradient(f1, f2, same, margin):
    df = contrastive_of_one(f1, f2, same, margin, -1)
    return {"f1": df, "f2": df}


room.wrong(contrastive_one_gradient, contrastive, PAIRS, "sign_flipped sign_flipped_term", "diff", "f2", wrt="f1 f2")


# ---- attention
def attention(Q, K, V):
    d = Q.shape[-1]
    S = Q @ K.T / np.sqrt(d)
    E = np.exp(S - S.max(axis=-1, keepdims=True))
    A = E / E.sum(axis=-1, keepdims=True)
    O = A @ V
    return O


ATTENTION = {"Q": normal(5, 3), "K": normal(6, 3), "V": normal(6, 4)}


def weights_of(Q, K):
    S = Q @ K.T / np.sqrt(Q.shape[1])
    E = np.exp(S - S.max(-1, keepdims=True))
    return E / E.sum(-1, keepdims=True)


def attention_down_the_columns(Q, K, V, dO):
    A = weights_of(Q, K)
    dA = dO @ V.T
    dS = A * (dA - (dA * A).sum(axis=0, keepdims=True)) / np.sqrt(Q.shape[1])
    return dS @ K, dS.T @ Q, A.T @ dO


room.wrong(attention_down_the_columns, attention, ATTENTION, "wrong_axis", "A", "Q K")


def attention_one_scale(Q, K, V, dO):
    A = weights_of(Q, K)
    dA = dO @ V.T
    dS = A * (dA - (dA * A).sum(axis=-1, keepdims=True))
    dQ = dS @ K / np.sqrt(Q.shape[1])
    dK = dS.T @ Q
    return dQ, dK, A.T @ dO


room.wrong(attention_one_scale, attention, ATTENTION, "missing_scale", "S", "K")


def attention_by_outputs(Q, K, V, dO):
    A = weights_of(Q, K)
    dS = A * (dO @ V.T - (dO * (A @ V)).sum(1, keepdims=True)) / np.sqrt(Q.shape[1])
    return dS @ K, (Q.T @ dS).T, A.T @ dO


room.right(attention_by_outputs, attention, ATTENTION)


# ---- weights, penalties, variational and instance-wise losses
def weighted_bce(logits, y, w):
    p = 1 / (1 + np.exp(-logits))
    ce = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    loss = (w * ce).sum() / w.sum()
    return loss


def weighted_bce_over_n(logits, y, w):
    p = 1 / (1 + np.exp(-logits))
    return w * (p - y) / len(y)


room.wrong(
    weighted_bce_over_n, weighted_bce,
    {"logits": normal(7), "y": np.array([1.0, 0, 0, 1, 1, 0, 1]), "w": room.positive(7)},
    "wrong_count", "loss", "logits", wrt="logits",
)  # fmt: skip


def elastic(X, y, w, l1, l2):
    r = X @ w - y
    fit = 0.5 * (r @ r) / len(y)
    lasso = l1 * np.abs(w).sum()
    ridge = 0.5 * l2 * (w @ w)
    obj = fit + lasso + ridge
    return obj


def elastic_minus(X, y, w, l1, l2):
    return X.T @ (X @ w - y) / len(y) - l1 * np.sign(w) - l2 * w


room.wrong(
    elastic_minus, elastic, {"X": normal(8, 4), "y": normal(8), "w": normal(4), "l1": 0.3, "l2": 0.7},
    ["sign_flipped_term", "sign_flipped_term"], ["lasso", "ridge"], "w", wrt="w",
)  # fmt: skip


def variational(mu, logvar, eps, x):
    z = mu + np.exp(0.5 * logvar) * eps
    rec = ((z - x) ** 2).sum()
    kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))
    loss = rec + kl
    return loss


def variational_without_half(mu, logvar, eps, x):
    z = mu + np.exp(0.5 * logvar) * eps
    dz = 2 * (z - x)
    return dz + mu, dz * eps * np.exp(0.5 * logvar) + 0.5 * (np.exp(logvar) - 1)


room.wrong(
    variational_without_half, variational,
    {"mu": normal(5, 2), "logvar": normal(5, 2), "eps": normal(5, 2), "x": normal(5, 2)},
    "extra_factor missing_inner_derivative missing_scale", "z", "logvar", wrt="mu logvar",
)  # fmt: skip


def instance_norm(x, gamma):
    mu = x.mean(axis=(2, 3), keepdims=True)
    xc = x - mu
    var = (xc**2).mean(axis=(2, 3), keepdims=True)
    xn = xc / np.sqrt(var + 1e-5)
    out = gamma[None, :, None, None] * xn
    return out


def instance_norm_over_batch(x, gamma, dout):
    xc = x - x.mean(axis=(2, 3), keepdims=True)
    inv = 1 / np.sqrt((xc**2).mean(axis=(2, 3), keepdims=True) + 1e-5)
    xn = xc * inv
    d = dout * gamma[None, :, None, None]
    axes = (0, 2, 3)
    dx = inv * (d - d.mean(axis=axes, keepdims=True) - xn * (d * xn).mean(axis=axes, keepdims=True))
    return dx, (dout * xn).sum(axis=axes)


room.wrong(
    instance_norm_over_batch, instance_norm, {"x": normal(2, 3, 4, 5), "gamma": normal(3)}, "wrong_axis", "mu var xn",
    "x",
)  # fmt: skip
