"""Softmax and cross-entropy."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("softmax")
normal = room.normal


def softmax(Z):
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    return P


def softmax_vector(z):
    e = np.exp(z)
    p = e / e.sum()
    return p


def log_softmax(x):
    shifted = x - x.max(axis=1, keepdims=True)
    lse = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    out = shifted - lse
    return out


def cross_entropy(scores, labels):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs = e / e.sum(axis=1, keepdims=True)
    picked = probs[np.arange(len(labels)), labels]
    loss = -np.log(picked).mean()
    return loss


def classifier(X, W, b, Y):
    Z = X @ W + b
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    L = -(Y * np.log(P)).sum() / X.shape[0]
    return L


def logistic_regression(X, w, b, y):
    z = X @ w + b
    a = 1 / (1 + np.exp(-z))
    cost = -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))
    return cost


def tempered(z, T):
    s = z / T
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    return p


def nll(logp, target):
    picked = logp[np.arange(logp.shape[0]), target]
    loss = -picked.mean()
    return loss


Z = {"Z": normal(5, 4)}
LABELS = np.array([1, 0, 2, 2, 3, 1])
SCORES = {"scores": normal(6, 4), "labels": LABELS}
CLASSIFIER = {"X": normal(6, 5), "W": normal(5, 4), "b": normal(4), "Y": np.eye(4)[LABELS]}
LOGISTIC = {"X": normal(7, 3), "w": normal(3), "b": normal(), "y": np.array([0.0, 1, 1, 0, 1, 0, 1])}


def probabilities(scores):
    e = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


# ---- the Jacobian
def softmax_diagonal(Z, grad):
    P = probabilities(Z)
    return grad * P * (1 - P)


room.wrong(softmax_diagonal, softmax, Z, "softmax_diag_only", "P E", "Z")


class SoftmaxLayer:
    def forward(self, z):
        shifted = np.exp(z - np.max(z))
        self.s = shifted / np.sum(shifted)
        return self.s

    def backward(self, dvalues):
        return dvalues * (self.s * (1.0 - self.s))


room.wrong(SoftmaxLayer, softmax_vector, {"z": normal(5)}, "softmax_diag_only", "p e", "z")


def softmax_other_axis(Z, grad):
    P = probabilities(Z)
    return P * (grad - (grad * P).sum(axis=0, keepdims=True))


room.wrong(softmax_other_axis, softmax, Z, "wrong_axis", "P E", "Z")


def softmax_sum_of_all(Z, grad):
    P = probabilities(Z)
    inner = np.sum(grad * P)
    return P * (grad - inner)


room.wrong(softmax_sum_of_all, softmax, Z, "summed_all_axes wrong_axis", "P E", "Z")


def softmax_without_inner(Z, grad):
    P = probabilities(Z)
    return P * grad


room.wrong(softmax_without_inner, softmax, Z, "missing_path treats_stat_as_constant", "P E", "Z")


def softmax_plus(Z, grad):
    P = probabilities(Z)
    return P * (grad + (grad * P).sum(axis=1, keepdims=True))


room.wrong(softmax_plus, softmax, Z, "sign_flipped_term", "P E", "Z")


def softmax_sum_without_weights(Z, grad):
    P = probabilities(Z)
    return P * (grad - grad.sum(axis=1, keepdims=True))


room.wrong(
    softmax_sum_without_weights, softmax, Z,
    "missing_factor missing_scale wrong_operand missing_activation_grad wrong_local_derivative", "P E", "Z",
)  # fmt: skip


def softmax_jacobian_wrong_sign(z, g):
    p = softmax_vector(z)
    J = np.diag(p) + np.outer(p, p)
    return J @ g


room.wrong(softmax_jacobian_wrong_sign, softmax_vector, {"z": normal(5)}, "sign_flipped_term", "p e", "z")


def softmax_jacobian_not_contracted(z, g):
    p = softmax_vector(z)
    n = len(p)
    J = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            J[i, j] = p[i] * ((i == j) - p[j])
    return J.sum(axis=0)


room.wrong(
    softmax_jacobian_not_contracted, softmax_vector, {"z": normal(5)}, "missing_upstream assumes_unit_upstream", "p e",
    "z",
)  # fmt: skip


def softmax_keepdims_lost(Z, grad):
    P = probabilities(Z)
    return P * (grad - (grad * P).sum(axis=1))


room.wrong(
    softmax_keepdims_lost, softmax, {"Z": normal(4, 4)}, "missing_keepdims wrong_axis accidental_outer_broadcast",
    "P E", "Z",
)  # fmt: skip


def temperature_forgotten(z, T, g):
    p = tempered(z, T)
    return p * (g - (g * p).sum(axis=-1, keepdims=True))


room.wrong(temperature_forgotten, tempered, {"z": normal(4, 3), "T": 2.5}, "missing_scale", "s", "z", wrt="z")


def temperature_multiplied(z, T, g):
    p = tempered(z, T)
    return T * p * (g - np.sum(g * p, axis=-1, keepdims=True))


room.wrong(
    temperature_multiplied, tempered, {"z": normal(4, 3), "T": 2.5},
    "missing_scale extra_factor wrong_power wrong_local_derivative", "s", "z", wrt="z",
)  # fmt: skip


# ---- log-softmax
def log_softmax_unit(x, dy):
    p = probabilities(x)
    return dy - p


room.wrong(log_softmax_unit, log_softmax, {"x": normal(5, 3)}, "assumes_unit_upstream missing_upstream", "lse out", "x")


def log_softmax_local(x, dy):
    return dy * (1 - probabilities(x))


room.wrong(log_softmax_local, log_softmax, {"x": normal(5, 3)}, "softmax_diag_only missing_path", "lse out", "x")


def log_softmax_passes(x, dy):
    return dy


room.wrong(log_softmax_passes, log_softmax, {"x": normal(5, 3)}, "missing_path treats_stat_as_constant", "lse out", "x")


def log_softmax_axis(x, dy):
    return dy - np.exp(log_softmax(x)) * dy.sum(axis=0, keepdims=True)


room.wrong(log_softmax_axis, log_softmax, {"x": normal(5, 3)}, "wrong_axis", "lse out", "x")


# ---- cross-entropy of labels
def ce_without_mean(scores, labels):
    dscores = probabilities(scores)
    dscores[range(len(labels)), labels] -= 1
    return dscores


room.wrong(ce_without_mean, cross_entropy, SCORES, "missing_batch_mean", "loss", "scores")


def ce_without_labels(scores, labels):
    return probabilities(scores) / len(labels)


room.wrong(ce_without_labels, cross_entropy, SCORES, "missing_label_term missing_path", "loss picked probs e", "scores")


def ce_sign(scores, labels):
    n = scores.shape[0]
    onehot = np.zeros_like(scores)
    onehot[np.arange(n), labels] = 1
    return (onehot - probabilities(scores)) / n


room.wrong(ce_sign, cross_entropy, SCORES, "sign_flipped", "loss", "scores")


def ce_divided_by_classes(scores, labels):
    p = probabilities(scores)
    p[np.arange(len(p)), labels] -= 1
    return p / p.shape[1]


room.wrong(ce_divided_by_classes, cross_entropy, SCORES, "wrong_count", "loss", "scores")


def ce_divided_by_all(scores, labels):
    p = probabilities(scores)
    p[np.arange(len(p)), labels] -= 1
    return p / p.size


room.wrong(ce_divided_by_all, cross_entropy, SCORES, "wrong_count extra_batch_mean extra_factor", "loss", "scores")


def ce_plus_one(scores, labels):
    p = probabilities(scores)
    p[np.arange(len(p)), labels] += 1
    return p / len(p)


room.wrong(ce_plus_one, cross_entropy, SCORES, "sign_flipped_term", "loss picked probs e", "scores")


def ce_every_column(scores, labels):
    p = probabilities(scores)
    p[:, labels] -= 1
    return p / len(p)


room.wrong(
    ce_every_column, cross_entropy, SCORES, "off_by_one_index wrong_index extra_term missing_label_term", "picked",
    "scores",
)  # fmt: skip


# ---- classifiers
def classifier_twice(X, W, b, Y):
    P = probabilities(X @ W + b)
    dZ = (P - Y) / len(X)
    dZ = dZ * P * (1 - P)
    return {"W": X.T @ dZ, "b": dZ.sum(axis=0)}


room.wrong(classifier_twice, classifier, CLASSIFIER, "double_activation_grad", "P Z E L", "W b", wrt="W b")


def classifier_mean_twice(X, W, b, Y):
    m = X.shape[0]
    P = probabilities(X.dot(W) + b)
    dZ = (P - Y) / m
    dW = X.T.dot(dZ) / m
    db = dZ.sum(axis=0)
    return dW, db


room.wrong(classifier_mean_twice, classifier, CLASSIFIER, "extra_batch_mean", "Z L", "W", wrt="W b")


def classifier_with_temperature(X, W, b, Y):
    probs = probabilities(X @ W + b)
    dlogits = probs - Y
    dlogits /= Y.size
    dW = X.T @ dlogits
    db = np.sum(dlogits, axis=0)
    return dW, db


room.wrong(classifier_with_temperature, classifier, CLASSIFIER, "wrong_count", "L", "W b", wrt="W b")


def classifier_of_one_hot_predictions(X, W, b, Y):
    P = probabilities(X @ W + b)
    hard = np.eye(P.shape[1])[P.argmax(axis=1)]
    d = (hard - Y) / len(Y)
    return X.T @ d, d.sum(0)


room.wrong(
    classifier_of_one_hot_predictions, classifier, CLASSIFIER, "wrong_operand wrong_local_derivative", "L P", "W b",
    wrt="W b",
)  # fmt: skip


def classifier_bias_mean(X, W, b, Y):
    dscores = (probabilities(X @ W + b) - Y) / X.shape[0]
    return X.T @ dscores, dscores.mean(axis=0)


room.wrong(classifier_bias_mean, classifier, CLASSIFIER, "extra_batch_mean", "Z", "b", wrt="W b")


# ---- logistic regression
def logistic_not_averaged(X, w, b, y):
    a = 1 / (1 + np.exp(-(X @ w + b)))
    dz = a - y
    return X.T @ dz / len(y), dz.sum()


room.wrong(logistic_not_averaged, logistic_regression, LOGISTIC, "missing_batch_mean", "z cost", "b", wrt="w b")


def logistic_with_derivative(X, w, b, y):
    a = 1 / (1 + np.exp(-(X @ w + b)))
    dz = (a - y) * a * (1 - a)
    n = y.shape[0]
    return (X * dz[:, None]).sum(axis=0) / n, dz.sum() / n


room.wrong(logistic_with_derivative, logistic_regression, LOGISTIC, "double_activation_grad", "a z", "w b", wrt="w b")


def logistic_plus_in_second_term(X, w, b, y):
    a = 1 / (1 + np.exp(-(X @ w + b)))
    da = -(y / a + (1 - y) / (1 - a)) / y.size
    dz = da * a * (1 - a)
    return dz @ X, dz.sum()


room.wrong(logistic_plus_in_second_term, logistic_regression, LOGISTIC, "sign_flipped_term", "cost", "w b", wrt="w b")


def logistic_positive_only(X, w, b, y):
    a = 1 / (1 + np.exp(-(X @ w + b)))
    da = -y / a / len(y)
    dz = da * a * (1 - a)
    return X.T.dot(dz), np.sum(dz)


room.wrong(
    logistic_positive_only, logistic_regression, LOGISTIC, "missing_path missing_branch", "cost", "w b", wrt="w b"
)


# ---- negative log-likelihood
def nll_without_mean(logp, target):
    d = np.zeros_like(logp)
    d[np.arange(len(target)), target] = -1
    return d


NLL = {"logp": normal(5, 3), "target": np.array([0, 2, 1, 1, 0])}
room.wrong(nll_without_mean, nll, NLL, "missing_batch_mean", "loss", "logp")


def nll_all_classes(logp, target):
    return np.full(logp.shape, -1 / len(target))


room.wrong(nll_all_classes, nll, NLL, "missing_mask wrong_index missing_label_term", "picked", "logp")
