"""Kernels of machine learning and inference, with explicit loops and buffers."""

from __future__ import annotations

import numpy as np

from tests.kernels.kernel import Kernel, positive_definite, uniform

__all__ = ["KERNELS"]


def softmax(x):
    tmp_max = np.max(x, axis=-1, keepdims=True)
    tmp_out = np.exp(x - tmp_max)
    tmp_sum = np.sum(tmp_out, axis=-1, keepdims=True)
    return tmp_out / tmp_sum


def relu(x):
    return np.maximum(x, 0)


def mlp(X, w1, b1, w2, b2):
    x = relu(X.dot(w1) + b1)
    return softmax(x.dot(w2) + b2)


def conv2d(inputs, weights):
    K = weights.shape[0]
    N, H_out, W_out = inputs.shape[0], inputs.shape[1] - K + 1, inputs.shape[2] - K + 1
    output = np.empty((N, H_out, W_out, weights.shape[3]), dtype=np.float64)
    for i in range(H_out):
        for j in range(W_out):
            output[:, i, j, :] = np.sum(
                inputs[:, i : i + K, j : j + K, :, np.newaxis] * weights[np.newaxis, :, :, :], axis=(1, 2, 3)
            )
    return output


def conv2d_bias(inputs, weights, bias):
    return conv2d(inputs, weights) + bias


def maxpool2d(x):
    output = np.empty([x.shape[0], x.shape[1] // 2, x.shape[2] // 2, x.shape[3]], dtype=x.dtype)
    for i in range(x.shape[1] // 2):
        for j in range(x.shape[2] // 2):
            output[:, i, j, :] = np.max(x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, :], axis=(1, 2))
    return output


def lenet(inputs, conv, conv_bias, dense, dense_bias):
    x = relu(conv2d(inputs, conv) + conv_bias)
    x = maxpool2d(x)
    x = np.reshape(x, (x.shape[0], -1))
    return relu(x @ dense + dense_bias)


def batchnorm2d(x, eps=1e-5):
    mean = np.mean(x, axis=0, keepdims=True)
    std = np.std(x, axis=0, keepdims=True)
    return (x - mean) / np.sqrt(std + eps)


def resnet_block(inputs, conv1, conv2, conv3):
    padded = np.zeros((inputs.shape[0], inputs.shape[1] + 2, inputs.shape[2] + 2, conv1.shape[3]))
    padded[:, 1:-1, 1:-1, :] = conv2d(inputs, conv1)
    x = relu(batchnorm2d(padded))
    x = relu(batchnorm2d(conv2d(x, conv2)))
    x = batchnorm2d(conv2d(x, conv3))
    return relu(x + inputs)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(inputs, Wx, Wh, b, h0):
    T, H = inputs.shape[0], h0.shape[0]
    h = np.zeros((T + 1, H))
    c = np.zeros((T + 1, H))
    gates = np.empty((T, 4 * H))
    h[0] = h0
    for t in range(T):
        gates[t] = inputs[t].dot(Wx) + h[t].dot(Wh) + b
        i, f, o = (sigmoid(gates[t, k * H : (k + 1) * H]) for k in range(3))
        g = np.tanh(gates[t, 3 * H :])
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
    return h[1:], c[-1]


def character_rnn(Wxh, Whh, Why, bh, by, inputs, targets):
    xs, hs, ps = {}, {}, {}
    hs[-1] = np.zeros((Whh.shape[0], 1))
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((Wxh.shape[1], 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        y = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(ps[t][targets[t], 0])
    return loss


def hopfield(patterns, state, gain, sweeps):
    n = patterns.shape[1]
    W = np.zeros((n, n))
    for pattern in patterns:
        W += np.outer(pattern, pattern)
    W /= len(patterns)
    np.fill_diagonal(W, 0)
    for _sweep in range(sweeps):
        for i in range(n):
            state[i] = np.tanh(gain * W[i].dot(state))
    return -0.5 * state @ W @ state


def masked_attention(X, Wq, Wk, Wv):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    T = X.shape[0]
    scores = np.full((T, T), -np.inf)
    for i in range(T):
        for j in range(i + 1):
            scores[i, j] = Q[i].dot(K[j]) / np.sqrt(Q.shape[1])
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1)[:, None]
    return scores @ V


def hidden_markov_forward(start, transition, emission, observations):
    alpha = np.zeros((len(observations), len(start)))
    scale = np.zeros(len(observations))
    alpha[0] = start * emission[:, observations[0]]
    scale[0] = alpha[0].sum()
    alpha[0] /= scale[0]
    for t in range(1, len(observations)):
        for j in range(len(start)):
            alpha[t, j] = alpha[t - 1].dot(transition[:, j]) * emission[j, observations[t]]
        scale[t] = alpha[t].sum()
        alpha[t] /= scale[t]
    return np.log(scale).sum()


def dynamic_time_warping(a, b):
    table = np.full((len(a) + 1, len(b) + 1), np.inf)
    table[0, 0] = 0
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            cost = (a[i - 1] - b[j - 1]) ** 2
            table[i, j] = cost + min(table[i - 1, j], table[i, j - 1], table[i - 1, j - 1])
    return table[-1, -1]


def soft_dynamic_time_warping(a, b, gamma):
    cost = (a[:, None] - b[None, :]) ** 2
    R = np.zeros((len(a) + 1, len(b) + 1)) + 1e8
    R[0, 0] = 0
    for i in range(1, R.shape[0]):
        for j in range(1, R.shape[1]):
            z = np.array([R[i - 1, j - 1], R[i - 1, j], R[i, j - 1]]) / -gamma
            zmax = np.max(z)
            R[i, j] = cost[i - 1, j - 1] - gamma * (np.log(np.sum(np.exp(z - zmax))) + zmax)
    return R[-1, -1]


def kalman_filter(A, H, Q, R, x, P, measurements):
    states = []
    for z in measurements:
        x = A @ x
        P = A @ P @ A.T + Q
        S = H @ P @ H.T + R
        K = P @ H.T @ np.linalg.inv(S)
        x = x + K @ (z - H @ x)
        P = (np.eye(len(x)) - K @ H) @ P
        states.append(x)
    return np.array(states), P


def soft_k_means(points, centres, stiffness, rounds):
    for _round in range(rounds):
        distances = np.empty((len(points), len(centres)))
        for k, centre in enumerate(centres):
            distances[:, k] = ((points - centre) ** 2).sum(axis=1)
        r = np.exp(-stiffness * distances)
        r /= r.sum(axis=1, keepdims=True)
        for k in range(len(centres)):
            centres[k] = np.average(points, axis=0, weights=r[:, k])


def adam(w, X, y, rate, beta1, beta2, steps):
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    for t in range(1, steps + 1):
        g = X.T.dot(X.dot(w) - y) / len(y)
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g**2
        w -= rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + 1e-8)
    return ((X.dot(w) - y) ** 2).mean()


def word_vectors(E, C, centres, contexts, rate):
    for i, j in zip(centres, contexts, strict=True):
        p = sigmoid(E[i].dot(C[j]))
        step = rate * (1 - p) * C[j]
        C[j] += rate * (1 - p) * E[i]
        E[i] += step


_IMAGE = uniform(2, 5, 5, 2, low=-1.0, high=1.0)

KERNELS = [
    Kernel(softmax, (uniform(2, 3, 4),)),
    Kernel(mlp, (uniform(3, 4, low=-1), uniform(4, 5, low=-1), uniform(5), uniform(5, 2), uniform(2))),
    Kernel(conv2d_bias, (_IMAGE, uniform(2, 2, 2, 3, low=-1.0), uniform(3))),
    Kernel(lenet, (_IMAGE, uniform(2, 2, 2, 3, low=-1.0), uniform(3), uniform(12, 2, low=-0.5), uniform(2))),
    Kernel(
        resnet_block,
        (uniform(3, 4, 4, 2), uniform(1, 1, 2, 3, low=-1.0), uniform(3, 3, 3, 3, low=-1.0), uniform(1, 1, 3, 2)),
    ),
    Kernel(lstm, (uniform(4, 3), uniform(3, 8, low=-1.0), uniform(2, 8, low=-1.0), uniform(8), uniform(2))),
    Kernel(
        character_rnn,
        (
            uniform(3, 4, low=-1.0),
            uniform(3, 3, low=-1.0),
            uniform(4, 3, low=-1.0),
            uniform(3, 1),
            uniform(4, 1),
            [0, 2, 3, 2],
            [2, 3, 2, 1],
        ),
    ),
    Kernel(hopfield, (uniform(3, 5, low=-1.0), uniform(5, low=-1.0), 1.4, 2), updates=(1,)),
    Kernel(masked_attention, (uniform(4, 3), uniform(3, 2, low=-1.0), uniform(3, 2), uniform(3, 2, seed=1))),
    Kernel(
        hidden_markov_forward,
        (np.array([0.3, 0.7]), uniform(2, 2), uniform(2, 3), np.array([0, 2, 1, 1])),
    ),
    Kernel(dynamic_time_warping, (uniform(4), uniform(5, seed=1))),
    Kernel(soft_dynamic_time_warping, (uniform(3), uniform(4, seed=1), 0.7)),
    Kernel(
        kalman_filter,
        (
            uniform(2, 2),
            uniform(1, 2),
            positive_definite(2),
            positive_definite(1),
            uniform(2),
            positive_definite(2, seed=1),
            uniform(3, 1),
        ),
    ),
    Kernel(soft_k_means, (uniform(6, 2), uniform(2, 2), 3.0, 3), updates=(1,)),
    Kernel(adam, (uniform(3), uniform(5, 3, low=-1.0), uniform(5), 0.1, 0.9, 0.99, 3), updates=(0,)),
    Kernel(
        word_vectors,
        (uniform(4, 3), uniform(4, 3, seed=1), np.array([0, 1, 1, 3]), np.array([1, 1, 2, 1]), 0.3),
        updates=(0, 1),
    ),
]
