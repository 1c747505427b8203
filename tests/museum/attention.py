"""Attention, embeddings, indexing."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("attention")
normal = room.normal


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention(Q, K, V):
    S = Q @ K.T / np.sqrt(Q.shape[1])
    E = np.exp(S - S.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    O = P @ V
    return O


def self_attention(X, Wq, Wk, Wv):
    Q = X @ Wq
    K = X @ Wk
    V = X @ Wv
    S = Q @ K.T
    E = np.exp(S - S.max(axis=1, keepdims=True))
    A = E / E.sum(axis=1, keepdims=True)
    Y = A @ V
    return Y


def residual(x, W):
    h = np.tanh(x @ W)
    y = x + h
    return y


def lookup(E, idx):
    rows = E[idx]
    return rows


def bag(E, idx, w):
    v = E[idx].mean(axis=0)
    score = v @ w
    return score


def permuted(x, perm):
    y = x[perm]
    return y


def ordered(x):
    order = np.argsort(x)
    y = x[order]
    return y


def stacked(a, b):
    c = np.concatenate([a, b], axis=1)
    return c


def outer(a, b):
    M = np.outer(a, b)
    return M


def chosen(x, cond):
    y = np.where(cond, x**2, np.sin(x))
    return y


def neighbours(x):
    y = x[1:] * x[:-1]
    return y


def similarity(U, V, R):
    P = U @ V.T
    D = R - P
    loss = (D**2).sum()
    return loss


QKV = {"Q": normal(5, 4), "K": normal(6, 4), "V": normal(6, 3)}


def parts(Q, K, V, g):
    P = softmax(Q @ K.T / np.sqrt(Q.shape[1]))
    dP = g @ V.T
    dS = P * (dP - (dP * P).sum(axis=1, keepdims=True))
    return P, dP, dS


# ---- attention
def without_root(Q, K, V, dO):
    P, dP, dS = parts(Q, K, V, dO)
    return dS @ K, dS.T @ Q, P.T @ dO


room.wrong(without_root, attention, QKV, "missing_scale", "S", "Q K")


def keys_not_transposed(Q, K, V, dO):
    P, dP, dS = parts(Q, K, V, dO)
    dS = dS / np.sqrt(K.shape[-1])
    return dS @ K, dS @ Q, P.T @ dO


room.wrong(
    keys_not_transposed, attention, {"Q": normal(5, 4), "K": normal(5, 4), "V": normal(5, 3)}, "missing_transpose", "S",
    "K",
)  # fmt: skip


def values_not_transposed(Q, K, V, dO):
    P, dP, dS = parts(Q, K, V, dO)
    dS /= np.sqrt(K.shape[-1])
    return dS @ K, dS.T @ Q, P @ dO


room.wrong(
    values_not_transposed, attention, {"Q": normal(5, 4), "K": normal(5, 4), "V": normal(5, 3)}, "missing_transpose",
    "O", "V",
)  # fmt: skip


def softmax_passed_over(Q, K, V, dO):
    P = softmax(Q @ K.T / np.sqrt(Q.shape[1]))
    dS = dO @ V.T / np.sqrt(Q.shape[1])
    return {"Q": dS @ K, "K": dS.T @ Q, "V": P.T @ dO}


room.wrong(
    softmax_passed_over, attention, QKV,
    "missing_activation_grad missing_path wrong_local_derivative missing_softmax_grad", "P E S", "Q K",
)  # fmt: skip


def diagonal_of_softmax(Q, K, V, dO):
    P = softmax(Q @ K.T / np.sqrt(Q.shape[1]))
    dS = dO @ V.T * P * (1 - P) / np.sqrt(Q.shape[1])
    return {"Q": dS @ K, "K": dS.T @ Q, "V": P.T @ dO}


room.wrong(diagonal_of_softmax, attention, QKV, "softmax_diag_only", "P E", "Q K")


def scores_for_probabilities(Q, K, V, dO):
    S = Q @ K.T / np.sqrt(Q.shape[1])
    P, dP, dS = parts(Q, K, V, dO)
    dS = dS / np.sqrt(Q.shape[1])
    return dS @ K, dS.T @ Q, S.T @ dO


room.wrong(scores_for_probabilities, attention, QKV, "wrong_operand uses_pre_activation_wrongly", "O", "V")


def keys_and_queries(Q, K, V, dO):
    P, dP, dS = parts(Q, K, V, dO)
    dS = dS / np.sqrt(Q.shape[1])
    return dS.T @ Q, dS @ K, P.T @ dO


room.wrong(
    keys_and_queries, attention, {"Q": normal(5, 4), "K": normal(5, 4), "V": normal(5, 3)}, "swapped_outputs", None,
    "Q K",
)  # fmt: skip

SELF = {"X": normal(5, 4), "Wq": normal(4, 3), "Wk": normal(4, 3), "Wv": normal(4, 2)}


def self_parts(X, Wq, Wk, Wv, dY):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    A = softmax(Q @ K.T)
    dV = A.T @ dY
    dA = dY @ V.T
    dS = A * (dA - (dA * A).sum(axis=1, keepdims=True))
    return dS @ K, dS.T @ Q, dV


def only_through_values(X, Wq, Wk, Wv, dY):
    dQ, dK, dV = self_parts(X, Wq, Wk, Wv, dY)
    dX = dV @ Wv.T
    return dX, X.T @ dQ, X.T @ dK, X.T @ dV


room.wrong(only_through_values, self_attention, SELF, "missing_path overwrites_instead_of_accumulates", "Q K V", "X")


def without_keys(X, Wq, Wk, Wv, dY):
    dQ, dK, dV = self_parts(X, Wq, Wk, Wv, dY)
    dX = dQ @ Wq.T + dV @ Wv.T
    return dX, X.T @ dQ, X.T @ dK, X.T @ dV


room.wrong(without_keys, self_attention, SELF, "missing_path", "K", "X")


def assigned_three_times(X, Wq, Wk, Wv, dY):
    dQ, dK, dV = self_parts(X, Wq, Wk, Wv, dY)
    grads = {}
    for name, d, W in (("Wv", dV, Wv), ("Wk", dK, Wk), ("Wq", dQ, Wq)):
        grads[name] = X.T @ d
        grads["X"] = d @ W.T
    return grads


room.wrong(assigned_three_times, self_attention, SELF, "overwrites_instead_of_accumulates missing_path", "Q K V", "X")


def query_weights_twice(X, Wq, Wk, Wv, dY):
    dQ, dK, dV = self_parts(X, Wq, Wk, Wv, dY)
    dX = dQ @ Wq.T + dK @ Wq.T + dV @ Wv.T
    return dX, X.T @ dQ, X.T @ dK, X.T @ dV


room.wrong(query_weights_twice, self_attention, SELF, "wrong_operand", "K", "X")


# ---- skips
def skip_forgotten(x, W, dy):
    h = np.tanh(x @ W)
    dz = dy * (1 - h**2)
    return dz @ W.T, x.T @ dz


RESIDUAL = {"x": normal(5, 3), "W": normal(3, 3)}
room.wrong(skip_forgotten, residual, RESIDUAL, "missing_path", "y", "x")


def branch_forgotten(x, W, dy):
    h = np.tanh(x @ W)
    return dy, x.T @ (dy * (1 - h**2))


room.wrong(branch_forgotten, residual, RESIDUAL, "missing_path", "h y", "x")


# ---- embeddings
LOOKUP = {"E": normal(6, 3), "idx": np.array([0, 2, 2, 5, 0, 2])}


def rows_assigned(E, idx, g):
    dE = np.zeros_like(E)
    dE[idx] = g
    return dE


room.wrong(rows_assigned, lookup, LOOKUP, "duplicate_index_overwrite overwrites_instead_of_accumulates", "rows", "E")


def rows_added(E, idx, g):
    dE = np.zeros(E.shape)
    dE[idx] += g
    return dE


room.wrong(rows_added, lookup, LOOKUP, "duplicate_index_overwrite overwrites_instead_of_accumulates", "rows", "E")


class Embedding:
    def __init__(self, E):
        self.E = E

    def forward(self, idx):
        self.idx = idx
        return self.E[idx]

    def backward(self, dout):
        self.dE = np.zeros_like(self.E)
        for i, row in enumerate(self.idx):
            self.dE[row] = dout[i]


room.wrong(Embedding, lookup, LOOKUP, "duplicate_index_overwrite overwrites_instead_of_accumulates", "rows", "E")


def rows_averaged(E, idx, g):
    dE = np.zeros_like(E)
    np.add.at(dE, idx, g)
    counts = np.bincount(idx, minlength=len(E))
    return dE / np.maximum(counts, 1)[:, None]


room.wrong(rows_averaged, lookup, LOOKUP, "wrong_count extra_mean extra_factor extra_batch_mean", "rows", "E")


def bag_not_averaged(E, idx, w, g):
    dE = np.zeros_like(E)
    np.add.at(dE, idx, g * w)
    return dE, g * E[idx].mean(axis=0)


BAG = {"E": normal(6, 3), "idx": np.array([1, 4, 4, 0]), "w": normal(3)}
room.wrong(bag_not_averaged, bag, BAG, "missing_mean missing_batch_mean", "v", "E")


def bag_duplicates(E, idx, w, g):
    dE = np.zeros_like(E)
    dE[idx] += g * w / len(idx)
    return dE, g * E[idx].mean(axis=0)


room.wrong(bag_duplicates, bag, BAG, "duplicate_index_overwrite overwrites_instead_of_accumulates", "v", "E")


def bag_over_vocabulary(E, idx, w, g):
    dE = np.zeros_like(E)
    for i in idx:
        dE[i] += g * w / E.shape[0]
    return dE, g * E[idx].mean(axis=0)


room.wrong(bag_over_vocabulary, bag, BAG, "wrong_count", "v", "E")


def permutation_again(x, perm, g):
    return g[perm]


room.wrong(
    permutation_again, permuted, {"x" : normal(6), "perm" : np.array([2, 0, 1, 5, 3, 4])},
     "permutation_not_inverted", "y",
    "x",
)  # fmt: skip


def permutation_ignored(x, perm, g):
    return g


room.wrong(
    permutation_ignored, permuted, {"x": normal(6), "perm": np.array([2, 0, 1, 5, 3, 4])},
    "permutation_not_inverted missing_permutation missing_activation_grad missing_path", "y", "x",
)  # fmt: skip


def sorted_again(x, g):
    return g[np.argsort(x)]


room.wrong(sorted_again, ordered, {"x": normal(7)}, "permutation_not_inverted", "y", "x")


# ---- joining and others
def split_at_the_wrong_place(a, b, g):
    k = b.shape[1]
    return g[:, :k], g[:, k:]


room.wrong(
    split_at_the_wrong_place, stacked, {"a": normal(4, 2), "b": normal(4, 3)},
    "wrong_index off_by_one_index swapped_outputs wrong_count wrong_shape", "c", "a b",
)  # fmt: skip


def split_swapped(a, b, g):
    k = a.shape[1]
    return g[:, k:], g[:, :k]


room.wrong(split_swapped, stacked, {"a": normal(4, 3), "b": normal(4, 3)}, "swapped_outputs", None, "a b")


def outer_swapped_operand(a, b, g):
    return g @ a, b @ g


room.wrong(outer_swapped_operand, outer, {"a": normal(4), "b": normal(4)}, "wrong_operand", "M", "a b")


def outer_without_transpose(a, b, g):
    return g @ b, g @ a


room.wrong(outer_without_transpose, outer, {"a": normal(4), "b": normal(4)}, "missing_transpose", "M", "b")


def branches_exchanged(x, cond, g):
    return g * np.where(cond, np.cos(x), 2 * x)


CHOSEN = {"x": normal(6), "cond": np.array([True, False, True, True, False, False])}
room.wrong(branches_exchanged, chosen, CHOSEN, "swapped_branches inverted_mask", "y", "x")


def one_branch(x, cond, g):
    return g * 2 * x


room.wrong(one_branch, chosen, CHOSEN, "missing_branch", "y", "x")


def one_branch_masked(x, cond, g):
    return g * 2 * x * cond


room.wrong(one_branch_masked, chosen, CHOSEN, "missing_branch missing_path", "y", "x")


def neighbours_left_only(x, g):
    d = np.zeros_like(x)
    d[1:] += g * x[:-1]
    return d


room.wrong(neighbours_left_only, neighbours, {"x": normal(6)}, "missing_path", "y", "x")


def neighbours_shifted(x, g):
    d = np.zeros_like(x)
    d[1:] += g * x[1:]
    d[:-1] += g * x[1:]
    return d


room.wrong(neighbours_shifted, neighbours, {"x": normal(6)}, "off_by_one_index wrong_operand", "y", "x")


def factors_sign(U, V, R):
    D = R - U @ V.T
    return 2 * D @ V, 2 * D.T @ U


room.wrong(
    factors_sign, similarity, {"U" : normal(5, 2), "V" : normal(4, 2), "R" : normal(5, 4)}, "sign_flipped",
     "D loss", "U V",
    wrt="U V",
)  # fmt: skip


def factors_updated(U, V, R):
    D = R - U @ V.T
    dU = -2 * D @ V
    U = U - 0.1 * dU
    dV = -2 * D.T @ U
    return dU, dV


room.wrong(
    factors_updated, similarity, {"U": normal(5, 2), "V": normal(4, 2), "R": normal(5, 4)}, "uses_updated_weights", "P",
    "V", wrt="U V",
)  # fmt: skip
