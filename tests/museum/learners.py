"""What learners hand in: networks for graphs, policies, mixtures and contrasts, and recurrences with a line too few."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("learners")
N = room.normal
P = room.positive


# ---- a graph convolution
def graph(X, A, W1, W2):
    degree = A.sum(axis=1)
    S = A / np.sqrt(degree[:, None] * degree[None, :])
    H = np.maximum(S @ X @ W1, 0)
    return S @ H @ W2


def graph_right(X, A, W1, W2, dZ):
    degree = A.sum(axis=1)
    S = A / np.sqrt(np.outer(degree, degree))
    pre = S @ X @ W1
    dpre = (S.T @ dZ @ W2.T) * (pre > 0)
    return S.T @ (dpre @ W1.T), (S @ X).T @ dpre, (S @ np.maximum(pre, 0)).T @ dZ


def graph_not_transposed(X, A, W1, W2, dZ):
    degree = A.sum(axis=1)
    S = A / np.sqrt(np.outer(degree, degree))
    pre = S @ X @ W1
    H = np.maximum(pre, 0)
    dW2 = (S @ H).T @ dZ
    dH = S @ dZ @ W2.T
    dpre = dH * (pre > 0)
    dW1 = (S @ X).T @ dpre
    dX = S.T @ (dpre @ W1.T)
    return dX, dW1, dW2


def graph_mask_of_gradient(X, A, W1, W2, dZ):
    degree = A.sum(axis=1)
    S = A / np.sqrt(np.outer(degree, degree))
    pre = S @ X @ W1
    H = np.maximum(pre, 0)
    dW2 = (S @ H).T @ dZ
    dH = S.T @ dZ @ W2.T
    dpre = dH * (dH > 0)
    dW1 = (S @ X).T @ dpre
    dX = S.T @ (dpre @ W1.T)
    return dX, dW1, dW2


GRAPH = {"X": N(5, 3), "A": P(5, 5), "W1": N(3, 4), "W2": N(4, 2)}
room.right(graph_right, graph, GRAPH, wrt="X W1 W2")
room.wrong(graph_not_transposed, graph, GRAPH, "missing_transpose", None, "X W1", wrt="X W1 W2")
room.wrong(graph_mask_of_gradient, graph, GRAPH, "mask_from_wrong_array", None, "X W1", wrt="X W1 W2")


# ---- a policy with an entropy bonus
def policy(states, W, b, actions, returns, beta):
    logits = states @ W + b
    logits = logits - logits.max(axis=1, keepdims=True)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    logp = np.log(probs)
    adv = returns - returns.mean()
    pg = -np.mean(adv * logp[np.arange(len(actions)), actions])
    entropy = -np.sum(probs * logp, axis=1).mean()
    return pg - beta * entropy


def _policy(states, W, b, actions, returns):
    logits = states @ W + b
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    onehot = np.eye(W.shape[1])[actions]
    return probs, onehot, returns - returns.mean()


def policy_right(states, W, b, actions, returns, beta):
    n = len(actions)
    probs, onehot, adv = _policy(states, W, b, actions, returns)
    dlogits = (probs - onehot) * adv[:, None] / n
    H = -np.sum(probs * np.log(probs), axis=1, keepdims=True)
    dlogits += beta * probs * (np.log(probs) + H) / n
    return states.T @ dlogits, dlogits.sum(axis=0)


def policy_bonus_subtracted(states, W, b, actions, returns, beta):
    n = len(actions)
    probs, onehot, adv = _policy(states, W, b, actions, returns)
    dlogits = (probs - onehot) * adv[:, None] / n
    H = -np.sum(probs * np.log(probs), axis=1, keepdims=True)
    dlogits -= beta * probs * (np.log(probs) + H) / n
    return states.T @ dlogits, dlogits.sum(axis=0)


def policy_without_bonus(states, W, b, actions, returns, beta):
    n = len(actions)
    probs, onehot, adv = _policy(states, W, b, actions, returns)
    dlogits = (probs - onehot) * adv[:, None] / n
    return states.T @ dlogits, dlogits.sum(axis=0)


POLICY = {
    "states": N(6, 4), "W": N(4, 3), "b": N(3), "actions": np.array([0, 2, 1, 1, 0, 2]), "returns": N(6), "beta": 0.1,
}  # fmt: skip
room.right(policy_right, policy, POLICY, wrt="W b")
room.wrong(policy_bonus_subtracted, policy, POLICY, "sign_flipped_term", None, "W b", wrt="W b")
room.wrong(policy_without_bonus, policy, POLICY, "missing_reg_grad missing_term missing_path", None, "W b", wrt="W b")


# ---- a mixture of normal distributions
def mixture(x, logits, mu, log_sigma):
    logw = logits - np.log(np.exp(logits).sum())
    diff = x[:, None] - mu[None, :]
    a = logw - 0.5 * (diff / np.exp(log_sigma)) ** 2 - log_sigma
    m = a.max(axis=1, keepdims=True)
    return -(m[:, 0] + np.log(np.exp(a - m).sum(axis=1))).sum()


def mixture_right(x, logits, mu, log_sigma):
    w = np.exp(logits) / np.exp(logits).sum()
    a = np.log(w) - 0.5 * (x[:, None] - mu) ** 2 * np.exp(-2 * log_sigma) - log_sigma
    r = np.exp(a - a.max(axis=1, keepdims=True))
    r /= r.sum(axis=1, keepdims=True)
    z = (x[:, None] - mu) / np.exp(log_sigma)
    return np.sum(w - r, axis=0), -(r * z).sum(axis=0) / np.exp(log_sigma), (r * (1 - z**2)).sum(axis=0)


def mixture_weights_counted_once(x, logits, mu, log_sigma):
    w = np.exp(logits) / np.exp(logits).sum()
    sigma = np.exp(log_sigma)
    diff = x[:, None] - mu
    a = np.log(w) - 0.5 * diff**2 / sigma**2 - log_sigma
    r = np.exp(a - a.max(axis=1, keepdims=True))
    r /= r.sum(axis=1, keepdims=True)
    dlogits = -r.sum(axis=0)
    dmu = -(r * diff / sigma**2).sum(axis=0)
    dlog_sigma = -(r * (diff**2 / sigma**2 - 1)).sum(axis=0)
    return dlogits, dmu, dlog_sigma


MIXTURE = {"x": N(8), "logits": N(3), "mu": N(3), "log_sigma": N(3) * 0.3}
room.right(mixture_right, mixture, MIXTURE, wrt="logits mu log_sigma")
room.wrong(
    mixture_weights_counted_once, mixture, MIXTURE, "missing_path missing_term", None, "logits",
    wrt="logits mu log_sigma",
)  # fmt: skip


# ---- a gated recurrence
def gated(X, Wz, Wh):
    h = np.zeros(Wz.shape[1])
    for t in range(len(X)):
        joined = np.concatenate([h, X[t]])
        z = 1 / (1 + np.exp(-(joined @ Wz)))
        c = np.tanh(joined @ Wh)
        h = (1 - z) * h + z * c
    return h


def _gates(X, Wz, Wh):
    h, kept = np.zeros(Wz.shape[1]), []
    for x in X:
        joined = np.concatenate([h, x])
        z, c = 1 / (1 + np.exp(-(joined @ Wz))), np.tanh(joined @ Wh)
        kept.append((joined, z, c, h))
        h = (1 - z) * h + z * c
    return kept


def gated_right(X, Wz, Wh, dh):
    H = Wz.shape[1]
    dX, dWz, dWh = np.zeros_like(X), np.zeros_like(Wz), np.zeros_like(Wh)
    for t, (joined, z, c, h) in reversed(list(enumerate(_gates(X, Wz, Wh)))):
        da = dh * (c - h) * z * (1 - z)
        dc = dh * z * (1 - c**2)
        dWz += joined[:, None] * da
        dWh += joined[:, None] * dc
        back = Wz @ da + Wh @ dc
        dX[t], dh = back[H:], dh * (1 - z) + back[:H]
    return dX, dWz, dWh


def gated_not_handed_on(X, Wz, Wh, dh):
    H = Wz.shape[1]
    kept = _gates(X, Wz, Wh)
    dX, dWz, dWh = np.zeros_like(X), np.zeros_like(Wz), np.zeros_like(Wh)
    for t in range(len(X) - 1, -1, -1):
        joined, z, c, h = kept[t]
        da = dh * (c - h) * z * (1 - z)
        dc = dh * z * (1 - c**2)
        dWz += np.outer(joined, da)
        dWh += np.outer(joined, dc)
        back = Wz @ da + Wh @ dc
        dX[t] = back[H:]
        dh_prev = dh * (1 - z) + back[:H]  # noqa: F841
    return dX, dWz, dWh


GATED = {"X": N(4, 2), "Wz": N(5, 3), "Wh": N(5, 3)}
room.right(gated_right, gated, GATED)
room.wrong(gated_not_handed_on, gated, GATED, "truncated_recurrence missing_path", None, "X Wz Wh")
