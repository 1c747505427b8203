"""Homework as it is handed in: functions that call each other, caches, dictionaries, arrays that are written into."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("homework")
normal = room.normal


# ---- layers as functions of their own, columns as examples
def cost(X, Y, W1, b1, W2, b2):
    m = Y.shape[1]
    A1 = np.maximum(0, W1 @ X + b1)
    A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m


NETWORK = {
    "X": normal(3, 6),
    "Y": np.array([[0.0, 1.0, 1.0, 0.0, 1.0, 0.0]]),
    "W1": normal(4, 3),
    "b1": normal(4, 1),
    "W2": normal(1, 4),
    "b2": normal(1, 1),
}


def kept(X, parameters):
    cache = {"A0": X}
    cache["Z1"] = np.dot(parameters["W1"], X) + parameters["b1"]
    cache["A1"] = np.maximum(0, cache["Z1"])
    cache["Z2"] = np.dot(parameters["W2"], cache["A1"]) + parameters["b2"]
    cache["A2"] = 1 / (1 + np.exp(-cache["Z2"]))
    return cache


def linear(dZ, A_prev, W):
    m = A_prev.shape[1]
    dW = np.dot(dZ, A_prev.T) / m
    db = np.sum(dZ, axis=1, keepdims=True) / m
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db


def linear_unaveraged(dZ, A_prev, W):
    m = A_prev.shape[1]
    dW = np.dot(dZ, A_prev.T)
    db = np.sum(dZ, axis=1, keepdims=True) / m
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db


def relu(dA, Z):
    dZ = np.array(dA, copy=True)
    dZ[Z <= 0] = 0
    return dZ


def relu_turned_about(dA, Z):
    dZ = np.array(dA, copy=True)
    dZ[Z > 0] = 0
    return dZ


def called_right(X, Y, W1, b1, W2, b2):
    cache = kept(X, {"W1": W1, "b1": b1, "W2": W2, "b2": b2})
    grads = {}
    grads["dA1"], grads["dW2"], grads["db2"] = linear(cache["A2"] - Y, cache["A1"], W2)
    dZ1 = relu(grads["dA1"], cache["Z1"])
    _, grads["dW1"], grads["db1"] = linear(dZ1, cache["A0"], W1)
    return grads


def called_unaveraged(X, Y, W1, b1, W2, b2):
    cache = kept(X, {"W1": W1, "b1": b1, "W2": W2, "b2": b2})
    grads = {}
    grads["dA1"], grads["dW2"], grads["db2"] = linear_unaveraged(cache["A2"] - Y, cache["A1"], W2)
    dZ1 = relu(grads["dA1"], cache["Z1"])
    _, grads["dW1"], grads["db1"] = linear_unaveraged(dZ1, cache["A0"], W1)
    return grads


def called_turned_about(X, Y, W1, b1, W2, b2):
    cache = kept(X, {"W1": W1, "b1": b1, "W2": W2, "b2": b2})
    grads = {}
    grads["dA1"], grads["dW2"], grads["db2"] = linear(cache["A2"] - Y, cache["A1"], W2)
    dZ1 = relu_turned_about(grads["dA1"], cache["Z1"])
    _, grads["dW1"], grads["db1"] = linear(dZ1, cache["A0"], W1)
    return grads


PARAMETERS = "W1 b1 W2 b2"
room.right(called_right, cost, NETWORK, wrt=PARAMETERS)
room.wrong(called_unaveraged, cost, NETWORK, "missing_batch_mean missing_mean", None, "W1 W2", wrt=PARAMETERS)
room.wrong(called_turned_about, cost, NETWORK, "inverted_mask", "A1", "W1 b1", wrt=PARAMETERS)


# ---- what is subtracted in place
def softmax_loss(scores, labels):
    scores = scores - np.max(scores, axis=1, keepdims=True)
    probabilities = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    return -np.sum(np.log(probabilities[np.arange(len(labels)), labels])) / len(labels)


def labels_forgotten(scores, labels):
    e = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    dscores = e / np.sum(e, axis=1, keepdims=True)
    dscores /= len(labels)
    return dscores


SCORES = {"scores": normal(6, 4), "labels": np.array([0, 3, 1, 1, 2, 0])}
room.wrong(labels_forgotten, softmax_loss, SCORES, "missing_label_term", "probabilities", "scores")
