"""Loops and windows as courses have them: a network that reads characters, filters, images in columns."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.museum.exhibit import Room

room = Room("loops")
normal = room.normal


# ---- a network that reads characters
def characters(xs, targets, hprev, Wxh, Whh, Why, bh, by):
    loss = 0.0
    h = hprev
    for t in range(len(xs)):
        h = np.tanh(Wxh @ xs[t] + Whh @ h + bh)
        y = Why @ h + by
        p = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(p[targets[t], 0])
    return loss


CHARACTERS = {
    "xs": np.eye(5)[[1, 3, 0]][:, :, None], "targets": np.array([3, 0, 2]), "hprev": normal(4, 1),
    "Wxh": normal(4, 5), "Whh": 0.5 * normal(4, 4), "Why": normal(5, 4), "bh": normal(4, 1), "by": normal(5, 1),
}  # fmt: skip
WEIGHTS = "Wxh Whh Why bh by"


def read_back(fault, xs, targets, hprev, Wxh, Whh, Why, bh, by):
    hs, ps = {-1: hprev}, {}
    for t in range(len(xs)):
        hs[t] = np.tanh(Wxh @ xs[t] + Whh @ hs[t - 1] + bh)
        y = Why @ hs[t] + by
        ps[t] = np.exp(y) / np.sum(np.exp(y))
    dWxh, dWhh, dWhy, dbh, dby = (np.zeros_like(a) for a in (Wxh, Whh, Why, bh, by))
    dhnext = np.zeros_like(hprev)
    for t in reversed(range(len(xs))):
        dy = ps[t].copy()
        dy[targets[t]] -= 1
        dWhy += dy @ hs[t].T
        dby += dy
        dh = Why.T @ dy + (0 if fault == "carry" else dhnext)
        d = (hs[t] > 0) * dh if fault == "slope" else (1 - hs[t] ** 2) * dh
        dbh += d
        dWxh += d @ xs[t].T
        dWhh += d @ hs[t if fault == "state" else t - 1].T
        dhnext = Whh.T @ (dh if fault == "before" else d)
    return dWxh, dWhh, dWhy, dbh, dby


def with_fault(fault):
    def candidate(xs, targets, hprev, Wxh, Whh, Why, bh, by):
        return read_back(fault, xs, targets, hprev, Wxh, Whh, Why, bh, by)

    candidate.__name__ = f"characters_{fault or 'right'}"
    return candidate


hang = partial(room.wrong, forward=characters, args=CHARACTERS, wrt=WEIGHTS)
hang(with_fault("carry"), kinds="truncated_recurrence missing_path", step="h", gradients="Wxh Whh bh")
hang(with_fault("slope"), kinds="wrong_local_derivative", step="h", gradients="Wxh Whh bh")
hang(with_fault("state"), kinds="off_by_one_index wrong_operand", step="h", gradients="Whh")
hang(with_fault("before"), kinds="missing_activation_grad wrong_operand", step="h", gradients="Wxh Whh bh")
room.right(with_fault(""), characters, CHARACTERS, wrt=WEIGHTS)


# ---- filters
def filtered(x, w):
    y = np.zeros(len(x) - len(w) + 1)
    for i in range(len(y)):
        for k in range(len(w)):
            y[i] += w[k] * x[i + len(w) - 1 - k]
    return y


def filter_not_turned(x, w, g):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(len(g)):
        for k in range(len(w)):
            dx[i + k] += g[i] * w[k]
            dw[k] += g[i] * x[i + len(w) - 1 - k]
    return dx, dw


def filter_of_library(x, w, g):
    return np.convolve(g, w[::-1], "full"), np.convolve(x[::-1], g, "valid")


FILTER = {"x": normal(8), "w": normal(3)}
room.wrong(filter_not_turned, filtered, FILTER, "kernel_not_flipped not_reversed", "y", "x")
room.right(filter_of_library, filtered, FILTER)


# ---- images in columns
def in_columns(x, w, b):
    N, C, H, W = x.shape
    F, _, k, _ = w.shape
    windows = sliding_window_view(x, (k, k), axis=(2, 3))
    cols = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, C * k * k)
    flat = cols @ w.reshape(F, -1).T + b
    out = flat.reshape(N, H - k + 1, W - k + 1, F).transpose(0, 3, 1, 2)
    return out


IMAGES = {"x": normal(2, 3, 4, 5), "w": normal(4, 3, 2, 2), "b": normal(4)}


def columns_back(x, w, b, dout, reshaped=False, assigned=False):
    N, C, H, W = x.shape
    F, _, k, _ = w.shape
    rows, columns = dout.shape[2:]
    cols = sliding_window_view(x, (k, k), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5).reshape(-1, C * k * k)
    flat = (dout if reshaped else dout.transpose(0, 2, 3, 1)).reshape(-1, F)
    dcols = (flat @ w.reshape(F, -1)).reshape(N, rows, columns, C, k, k)
    dx = np.zeros_like(x)
    for i in range(k):
        for j in range(k):
            part = dcols[..., i, j].transpose(0, 3, 1, 2)
            before = 0 if assigned else dx[:, :, i : i + rows, j : j + columns]
            dx[:, :, i : i + rows, j : j + columns] = before + part
    return dx, (flat.T @ cols).reshape(w.shape), flat.sum(axis=0)


def columns_reshaped(x, w, b, dout):
    return columns_back(x, w, b, dout, reshaped=True)


def columns_assigned(x, w, b, dout):
    return columns_back(x, w, b, dout, assigned=True)


def full_correlation(x, w, b, dout):
    k = w.shape[2]
    padded = np.pad(dout, ((0, 0), (0, 0), (k - 1, k - 1), (k - 1, k - 1)))
    windows = sliding_window_view(padded, (k, k), axis=(2, 3))
    dx = np.einsum("nfhwij,fcij->nchw", windows, w[:, :, ::-1, ::-1])
    dw = np.einsum("nchwij,nfhw->fcij", sliding_window_view(x, (k, k), axis=(2, 3)), dout)
    return dx, dw, np.einsum("nfhw->f", dout)


room.wrong(columns_reshaped, in_columns, IMAGES, "reshape_instead_of_transpose", "out flat", "x w b")
room.wrong(
    columns_assigned, in_columns, IMAGES, "overwrites_instead_of_accumulates duplicate_index_overwrite",
    "windows cols", "x",
)  # fmt: skip
room.right(full_correlation, in_columns, IMAGES)


# ---- a clip
def clipped(x, W):
    z = x @ W
    a = np.clip(z, -1, 1)
    return a


def clipped_above_only(x, W, g):
    z = x @ W
    d = g * (z < 1)
    return d @ W.T, x.T @ d


room.wrong(
    clipped_above_only, clipped, {"x": 2 * normal(4, 3), "W": normal(3, 2)}, "missing_branch missing_mask", "a", "x W"
)
