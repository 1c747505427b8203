"""Models with a loss of their own, as people train them from a tutorial."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("models")
N = room.normal
P = room.positive


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


# ---- linear classifiers
def softmax_classifier(W, X, y, reg):
    scores = X @ W
    scores = scores - scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    data_loss = -np.log(p[np.arange(len(y)), y]).mean()
    reg_loss = reg * np.sum(W * W)
    loss = data_loss + reg_loss
    return loss


def softmax_two_faults(W, X, y, reg):
    num = X.shape[0]
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores)
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(num), y] -= 1
    dW = X.T.dot(p)
    dW += reg * W
    return dW


CLASSES = {"W": N(4, 3), "X": N(6, 4), "y": np.array([0, 2, 1, 1, 0, 2]), "reg": 0.3}
room.wrong(
    softmax_two_faults,
    softmax_classifier,
    CLASSES,
    ["missing_batch_mean", "factor_2_missing"],
    ["data_loss", "reg_loss"],
    "W",
    wrt="W",
)


def hinge(W, X, y, reg):
    scores = X @ W
    right = scores[np.arange(len(y)), y][:, None]
    margins = np.maximum(0, scores - right + 1)
    margins[np.arange(len(y)), y] = 0
    loss = margins.sum() / X.shape[0] + reg * np.sum(W**2)
    return loss


def hinge_without_counts(W, X, y, reg):
    scores = X @ W
    right = scores[np.arange(len(y)), y][:, None]
    margins = np.maximum(0, scores - right + 1)
    margins[np.arange(len(y)), y] = 0
    binary = (margins > 0).astype(float)
    binary[np.arange(len(y)), y] = -1
    dW = X.T @ binary / X.shape[0]
    return dW + 2 * reg * W


room.wrong(hinge_without_counts, hinge, CLASSES, "missing_count_on_target", "right margins", "W", wrt="W")


def hinge_mean_of_everything(W, X, y, reg):
    scores = X @ W
    right = scores[np.arange(len(y)), y][:, None]
    margins = np.maximum(0, scores - right + 1)
    margins[np.arange(len(y)), y] = 0
    mask = (margins > 0) * 1.0
    mask[np.arange(len(y)), y] = -mask.sum(axis=1)
    dW = X.T @ mask + 2 * reg * W
    dW /= X.shape[0]
    return dW


room.wrong(
    hinge_mean_of_everything,
    hinge,
    CLASSES,
    "extra_batch_mean wrong_count",
    "loss",
    "W",
    wrt="W",
)


def logistic(theta, X, y, lam):
    h = 1 / (1 + np.exp(-(X @ theta)))
    cost = np.mean(-y * np.log(h) - (1 - y) * np.log(1 - h))
    penalty = lam / (2 * X.shape[0]) * np.sum(theta[1:] ** 2)
    return cost + penalty


def logistic_bias_penalised(theta, X, y, lam):
    m = len(y)
    h = _sigmoid(X @ theta)
    grad = X.T @ (h - y) / m
    grad += lam / m * theta
    return grad


LOGISTIC = {
    "theta": N(4),
    "X": np.column_stack([np.ones(7), N(7, 3)]),
    "y": np.array([0.0, 1, 1, 0, 1, 0, 1]),
    "lam": 0.7,
}
room.wrong(
    logistic_bias_penalised,
    logistic,
    LOGISTIC,
    "extra_term wrong_index doubled_path",
    "penalty h",
    "theta",
    wrt="theta",
)


def logistic_squashed_twice(theta, X, y, lam):
    m = len(y)
    h = _sigmoid(X @ theta)
    grad = X.T @ ((h - y) * h * (1 - h)) / m
    grad[1:] += lam / m * theta[1:]
    return grad


room.wrong(logistic_squashed_twice, logistic, LOGISTIC, "double_activation_grad", "h", "theta", wrt="theta")


def weighted_bce(z, y, pos_weight):
    p = 1 / (1 + np.exp(-z))
    loss = -np.mean(pos_weight * y * np.log(p) + (1 - y) * np.log(1 - p))
    return loss


def bce_without_weight(z, y, pos_weight):
    p = _sigmoid(z)
    return (p - y) / y.size


room.wrong(
    bce_without_weight,
    weighted_bce,
    {"z": N(6, 2), "y": (N(6, 2) > 0).astype(float), "pos_weight": 3.0},
    "missing_weight missing_scale",
    "loss",
    "z",
    wrt="z",
)


def bce_numbers(p, y):
    eps = 1e-12
    loss = -np.mean(y * np.log(p + eps) + (1 - y) * np.log(1 - p + eps))
    return loss


def bce_one_side(p, y):
    return -(y / p) / len(y)


room.wrong(
    bce_one_side,
    bce_numbers,
    {"p": P(8) / 2, "y": np.array([0.0, 1, 1, 0, 1, 0, 1, 0])},
    "missing_path missing_term missing_branch",
    "loss",
    "p",
    wrt="p",
)


# ---- distances
def siamese(a, b, same, margin):
    diff = a - b
    d = np.sqrt(np.sum(diff**2, axis=1))
    gap = np.maximum(margin - d, 0)
    loss = np.mean(same * d**2 + (1 - same) * gap**2)
    return loss


def siamese_pulls_all(a, b, same, margin):
    diff = a - b
    d = np.sqrt(np.sum(diff**2, axis=1))
    gap = np.maximum(margin - d, 0)
    dd = (2 * same * d + 2 * (1 - same) * gap) / len(d)
    da = (dd / d)[:, None] * diff
    return da, -da


SIAMESE = {"a": N(6, 3), "b": N(6, 3), "same": np.array([1.0, 0, 1, 0, 0, 1]), "margin": 4.0}
room.wrong(siamese_pulls_all, siamese, SIAMESE, "sign_flipped_term", "gap", "a b", wrt="a b")


def siamese_without_distance(a, b, same, margin):
    diff = a - b
    d = np.sqrt(np.sum(diff**2, axis=1))
    gap = np.maximum(margin - d, 0)
    dd = (2 * same * d - 2 * (1 - same) * gap) / len(d)
    da = dd[:, None] * diff
    return da, -da


room.wrong(
    siamese_without_distance,
    siamese,
    SIAMESE,
    "missing_local_derivative missing_scale wrong_power",
    "d",
    "a b",
    wrt="a b",
)


def triplet(anchor, positive, negative, margin):
    dp = np.sum((anchor - positive) ** 2, axis=1)
    dn = np.sum((anchor - negative) ** 2, axis=1)
    loss = np.sum(np.maximum(0, dp - dn + margin)) / len(anchor)
    return loss


def triplet_anchor_once(anchor, positive, negative, margin):
    dp = np.sum((anchor - positive) ** 2, axis=1)
    dn = np.sum((anchor - negative) ** 2, axis=1)
    on = ((dp - dn + margin) > 0)[:, None] / len(anchor)
    return (
        2 * (anchor - positive) * on,
        -2 * (anchor - positive) * on,
        2 * (anchor - negative) * on,
    )


TRIPLET = {"anchor": N(5, 3), "positive": N(5, 3), "negative": N(5, 3), "margin": 2.0}
room.wrong(
    triplet_anchor_once,
    triplet,
    TRIPLET,
    "missing_path",
    "dn",
    "anchor",
    wrt="anchor positive negative",
)


def cosine(u, v):
    nu = np.linalg.norm(u)
    nv = np.linalg.norm(v)
    return u @ v / (nu * nv)


def cosine_constant_norms(u, v):
    n = np.linalg.norm(u) * np.linalg.norm(v)
    return v / n, u / n


room.wrong(
    cosine_constant_norms,
    cosine,
    {"u": N(5), "v": N(5)},
    "treats_stat_as_constant missing_path",
    None,
    "u v",
)


# ---- words
def negative_sampling(center, outside, negatives):
    pos = 1 / (1 + np.exp(-(outside @ center)))
    neg = 1 / (1 + np.exp(negatives @ center))
    loss = -np.log(pos) - np.sum(np.log(neg))
    return loss


def negative_sampling_sign(center, outside, negatives):
    pos = _sigmoid(outside @ center)
    neg = _sigmoid(-negatives @ center)
    dcenter = (pos - 1) * outside + (neg - 1) @ negatives
    doutside = (pos - 1) * center
    dnegatives = np.outer(1 - neg, center)
    return dcenter, doutside, dnegatives


WORDS = {"center": N(4), "outside": N(4), "negatives": N(3, 4)}
room.wrong(negative_sampling_sign, negative_sampling, WORDS, "sign_flipped_term", "neg loss", "center")


def negative_sampling_last(center, outside, negatives):
    pos = _sigmoid(outside @ center)
    neg = _sigmoid(-negatives @ center)
    dcenter = (pos - 1) * outside + (1 - neg) @ negatives
    doutside = pos * center
    dnegatives = (1 - neg)[:, None] * center
    return dcenter, doutside, dnegatives


room.wrong(
    negative_sampling_last,
    negative_sampling,
    WORDS,
    "missing_label_term missing_path missing_term wrong_local_derivative",
    "pos loss",
    "outside",
)


def naive_softmax(center, U, index):
    scores = U @ center
    p = np.exp(scores) / np.sum(np.exp(scores))
    return -np.log(p[index])


def naive_softmax_transposed(center, U, index):
    p = np.exp(U @ center) / np.sum(np.exp(U @ center))
    p[index] -= 1
    return p @ U, np.outer(center, p)


room.wrong(
    naive_softmax_transposed,
    naive_softmax,
    {"center": N(4), "U": N(4, 4), "index": 2},
    "transposed wrong_operand_order missing_transpose",
    "scores",
    "U",
    wrt="center U",
)


def cbow(E, U, context, target):
    h = E[context].mean(axis=1)
    scores = h @ U.T
    m = scores.max(axis=1, keepdims=True)
    logp = scores - m - np.log(np.exp(scores - m).sum(axis=1, keepdims=True))
    loss = -logp[np.arange(len(target)), target].mean()
    return loss


def cbow_sum_of_context(E, U, context, target):
    h = E[context].mean(axis=1)
    scores = h @ U.T
    p = np.exp(scores)
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(target)), target] -= 1
    p /= len(target)
    dU = p.T @ h
    dh = p @ U
    dE = np.zeros_like(E)
    np.add.at(dE, context, dh[:, None, :])
    return dE, dU


CBOW = {
    "E": N(7, 3),
    "U": N(7, 3),
    "context": np.array([[0, 1, 1, 4], [3, 2, 6, 5], [0, 5, 0, 2]]),
    "target": np.array([2, 0, 6]),
}
room.wrong(cbow_sum_of_context, cbow, CBOW, "missing_mean", "h", "E", wrt="E U")


def cbow_repeated_words(E, U, context, target):
    h = E[context].mean(axis=1)
    scores = h @ U.T
    p = np.exp(scores)
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(target)), target] -= 1
    p /= len(target)
    dU = p.T @ h
    dh = p @ U / context.shape[1]
    dE = np.zeros_like(E)
    for k in range(context.shape[1]):
        dE[context[:, k]] += dh
    return dE, dU


room.wrong(cbow_repeated_words, cbow, CBOW, "duplicate_index_overwrite", "h", "E", wrt="E U")


class EmbeddingLayer:
    def __init__(self, W):
        self.W = W
        self.dW = np.zeros_like(W)

    def forward(self, idx):
        self.idx = idx
        return self.W[idx]

    def backward(self, dout):
        for i, word in enumerate(self.idx):
            self.dW[word] = dout[i]


def embedding(W, idx):
    out = W[idx]
    return out


room.wrong(
    EmbeddingLayer,
    embedding,
    {"W": N(5, 3), "idx": np.array([0, 3, 3, 1, 0, 4])},
    "overwrites_instead_of_accumulates duplicate_index_overwrite",
    "out",
    "W",
    wrt="W",
)


# ---- autoencoders and mixtures
def tied(X, W, b, c):
    H = np.tanh(X @ W + b)
    R = H @ W.T + c
    loss = 0.5 * np.sum((R - X) ** 2) / X.shape[0]
    return loss


def tied_not_transposed(X, W, b, c):
    n = len(X)
    H = np.tanh(X @ W + b)
    R = H @ W.T + c
    dR = (R - X) / n
    dH = dR @ W * (1 - H**2)
    dW = X.T @ dH + (H.T @ dR)
    return dW, dH.sum(0), dR.sum(0)


room.wrong(
    tied_not_transposed,
    tied,
    {"X": N(6, 3), "W": N(3, 3), "b": N(3), "c": N(3)},
    "missing_transpose transposed wrong_operand_order",
    "R",
    "W",
    wrt="W b c",
)


def tied_decoder_only(X, W, b, c):
    n = len(X)
    H = np.tanh(X @ W + b)
    dR = (H @ W.T + c - X) / n
    dH = dR @ W * (1 - H**2)
    return dR.T @ H, dH.sum(0), dR.sum(0)


room.wrong(
    tied_decoder_only,
    tied,
    {"X": N(6, 4), "W": N(4, 3), "b": N(3), "c": N(4)},
    "missing_path",
    "H",
    "W",
    wrt="W b c",
)


def vae(x, mu, logvar, eps, W):
    z = mu + np.exp(0.5 * logvar) * eps
    xr = z @ W
    rec = 0.5 * np.sum((xr - x) ** 2)
    kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))
    loss = (rec + kl) / x.shape[0]
    return loss


def vae_half_forgotten(x, mu, logvar, eps, W):
    n = len(x)
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    dxr = (z @ W - x) / n
    dz = dxr @ W.T
    dmu = dz + mu / n
    dlogvar = dz * eps * std + 0.5 * (np.exp(logvar) - 1) / n
    return dmu, dlogvar, z.T @ dxr


VAE = {"x": N(4, 5), "mu": N(4, 2), "logvar": N(4, 2), "eps": N(4, 2), "W": N(2, 5)}
room.wrong(
    vae_half_forgotten,
    vae,
    VAE,
    "missing_scale missing_inner_derivative missing_local_derivative extra_factor factor_2_missing",
    "z",
    "logvar",
    wrt="mu logvar W",
)


def vae_without_kl(x, mu, logvar, eps, W):
    n = len(x)
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    dxr = (z @ W - x) / n
    dz = dxr @ W.T
    return dz, dz * eps * std * 0.5, z.T @ dxr


room.wrong(
    vae_without_kl,
    vae,
    VAE,
    "missing_term missing_path missing_reg_grad",
    "kl",
    "mu logvar",
    wrt="mu logvar W",
)


def mixture(X, mu, log_pi):
    d2 = np.sum((X[:, None, :] - mu[None, :, :]) ** 2, axis=2)
    logits = log_pi - 0.5 * d2
    m = logits.max(axis=1, keepdims=True)
    loglik = m[:, 0] + np.log(np.sum(np.exp(logits - m), axis=1))
    return -loglik.sum()


def mixture_wrong_direction(X, mu, log_pi):
    diff = X[:, None, :] - mu[None, :, :]
    logits = log_pi - 0.5 * np.sum(diff**2, axis=2)
    r = np.exp(logits - logits.max(axis=1, keepdims=True))
    r /= r.sum(axis=1, keepdims=True)
    dmu = np.sum(r[:, :, None] * diff, axis=0)
    return dmu, -r.sum(axis=0)


MIX = {"X": N(6, 2), "mu": N(3, 2), "log_pi": N(3)}
room.wrong(mixture_wrong_direction, mixture, MIX, "sign_flipped sign_flipped_term", None, "mu", wrt="mu log_pi")


def mixture_not_normalised(X, mu, log_pi):
    diff = X[:, None, :] - mu[None, :, :]
    logits = log_pi - 0.5 * np.sum(diff**2, axis=2)
    r = np.exp(logits - logits.max(axis=1, keepdims=True))
    r /= r.sum(axis=0, keepdims=True)
    dmu = -np.sum(r[:, :, None] * diff, axis=0)
    return dmu, -r.sum(axis=0)


room.wrong(mixture_not_normalised, mixture, MIX, "wrong_axis", "loglik", "mu log_pi", wrt="mu log_pi")


def factorisation(U, V, R, mask, lam):
    E = mask * (R - U @ V.T)
    loss = np.sum(E**2) + lam * (np.sum(U**2) + np.sum(V**2))
    return loss


class FactorModel:
    def __init__(self, U, V, lam):
        self.U, self.V, self.lam = U, V, lam

    def forward(self, R, mask):
        self.E = R - self.U @ self.V.T
        return np.sum((mask * self.E) ** 2) + self.lam * (np.sum(self.U**2) + np.sum(self.V**2))

    def backward(self):
        dU = -2 * self.E @ self.V + 2 * self.lam * self.U
        dV = -2 * self.E.T @ self.U + 2 * self.lam * self.V
        return dU, dV


FACTORS = {"U": N(5, 2), "V": N(4, 2), "R": N(5, 4), "mask": (N(5, 4) > -0.3).astype(float), "lam": 0.2}
room.wrong(
    FactorModel,
    factorisation,
    FACTORS,
    "missing_mask missing_scale missing_weight missing_local_derivative",
    "E",
    "U V",
    wrt="U V",
)


# ---- networks
def columns(X, W1, b1, W2, b2, Y):
    m = X.shape[1]
    Z1 = W1 @ X + b1
    A1 = np.tanh(Z1)
    Z2 = W2 @ A1 + b2
    A2 = 1 / (1 + np.exp(-Z2))
    cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m
    return cost


def columns_power(X, W1, b1, W2, b2, Y):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = _sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = 1 / m * np.dot(dZ2, A1.T)
    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(W2.T, dZ2) * (1 - np.power(np.tanh(A1), 2))
    dW1 = 1 / m * np.dot(dZ1, X.T)
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


COLUMNS = {
    "X": N(3, 6),
    "W1": N(4, 3),
    "b1": N(4, 1),
    "W2": N(1, 4),
    "b2": N(1, 1),
    "Y": (N(1, 6) > 0).astype(float),
}
room.wrong(
    columns_power,
    columns,
    COLUMNS,
    "uses_post_activation_wrongly wrong_local_derivative double_activation_grad",
    "A1",
    "W1 b1",
    wrt="W1 b1 W2 b2",
)


def columns_bias_not_averaged(X, W1, b1, W2, b2, Y):
    m = X.shape[1]
    A1 = np.tanh(np.dot(W1, X) + b1)
    A2 = _sigmoid(np.dot(W2, A1) + b2)
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=0, keepdims=True) / m
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


room.wrong(
    columns_bias_not_averaged,
    columns,
    COLUMNS,
    ["missing_batch_mean missing_mean", "wrong_axis"],
    ["cost", "Z1"],
    "b1 b2",
    wrt="W1 b1 W2 b2",
)


def policy(theta, S, actions, returns):
    logits = S @ theta
    logits = logits - logits.max(axis=1, keepdims=True)
    logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    chosen = logp[np.arange(len(actions)), actions]
    return -np.mean(chosen * returns)


def policy_without_returns(theta, S, actions, returns):
    logits = S @ theta
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(actions)), actions] -= 1
    return S.T @ p / len(actions)


room.wrong(
    policy_without_returns,
    policy,
    {"theta": N(3, 4), "S": N(5, 3), "actions": np.array([0, 3, 1, 1, 2]), "returns": P(5) * 2},
    "missing_weight missing_scale missing_local_derivative",
    None,
    "theta",
    wrt="theta",
)


def huber(x, y, delta):
    r = x - y
    a = np.abs(r)
    loss = np.where(a <= delta, 0.5 * r**2, delta * (a - 0.5 * delta)).mean()
    return loss


def huber_without_sign(x, y, delta):
    r = x - y
    return np.where(np.abs(r) <= delta, r, delta) / r.size


room.wrong(
    huber_without_sign,
    huber,
    {"x": N(9) * 2, "y": N(9), "delta": 1.0},
    "missing_local_derivative missing_path wrong_local_derivative",
    "a loss",
    "x",
    wrt="x",
)


def mlp(x, W1, b1, W2, b2, y):
    z1 = x @ W1 + b1
    a1 = np.maximum(z1, 0)
    out = a1 @ W2 + b2
    loss = np.mean((out - y) ** 2)
    return loss


class Network:
    def __init__(self, W1, b1, W2, b2):
        self.W1, self.b1, self.W2, self.b2 = W1, b1, W2, b2

    def forward(self, x, y):
        self.x, self.y = x, y
        self.z1 = x @ self.W1 + self.b1
        self.a1 = np.maximum(self.z1, 0)
        self.out = self.a1 @ self.W2 + self.b2
        return np.mean((self.out - y) ** 2)

    def backward(self):
        dout = 2 * (self.out - self.y) / self.y.size
        self.dW2 = self.a1.T @ dout
        self.db2 = dout.sum(axis=0)
        self.W2 -= 0.1 * self.dW2
        da1 = dout @ self.W2.T
        da1[self.z1 < 0] = 0
        self.dW1 = self.x.T @ da1
        self.db1 = da1.sum(axis=0)


room.wrong(
    Network,
    mlp,
    {"x": N(6, 3), "W1": N(3, 4), "b1": N(4), "W2": N(4, 2), "b2": N(2), "y": N(6, 2)},
    "uses_updated_weights mutates_input",
    None,
    "W1 b1",
    wrt="W1 b1 W2 b2",
)
