"""Convolution and pooling."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.museum.exhibit import Room

room = Room("convolution")
normal = room.normal


def conv1d(x, w):
    k = len(w)
    n = len(x) - k + 1
    y = np.zeros(n)
    for i in range(n):
        y[i] = (x[i : i + k] * w).sum()
    return y


def strided(x, w, stride):
    k = len(w)
    n = (len(x) - k) // stride + 1
    y = np.zeros(n)
    for i in range(n):
        y[i] = x[i * stride : i * stride + k] @ w
    return y


def padded(x, w, pad):
    xp = np.pad(x, pad)
    n = len(xp) - len(w) + 1
    y = np.array([xp[i : i + len(w)] @ w for i in range(n)])
    return y


def conv2d(X, K, b):
    windows = sliding_window_view(X, K.shape)
    Y = np.einsum("ijkl,kl->ij", windows, K) + b
    return Y


def conv_layer(x, w, b):
    kh, kw = w.shape[2:]
    windows = sliding_window_view(x, (kh, kw), axis=(2, 3))
    out = np.einsum("nchwij,fcij->nfhw", windows, w) + b[:, None, None]
    return out


def max_pool(x):
    n, h, w = x.shape
    blocks = x.reshape(n, h // 2, 2, w // 2, 2)
    out = blocks.max(axis=(2, 4))
    return out


def mean_pool(x):
    n, h, w = x.shape
    blocks = x.reshape(n, h // 2, 2, w // 2, 2)
    out = blocks.mean(axis=(2, 4))
    return out


def moving_sum(x):
    y = x[:-2] + x[1:-1] + x[2:]
    return y


def upsample(x):
    y = np.repeat(x, 3)
    return y


def global_pool(x):
    y = x.mean(axis=(2, 3))
    return y


ONE = {"x": normal(9), "w": normal(3)}
TWO = {"X": normal(6, 7), "K": normal(3, 2), "b": normal()}
LAYER = {"x": normal(2, 3, 5, 6), "w": normal(4, 3, 3, 2), "b": normal(4)}


# ---- one dimension
def conv1d_assigns(x, w, dy):
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    k = len(w)
    for i in range(len(dy)):
        dx[i : i + k] = dy[i] * w
        dw += dy[i] * x[i : i + k]
    return dx, dw


room.wrong(conv1d_assigns, conv1d, ONE, "overwrites_instead_of_accumulates", "y", "x")


def conv1d_kernel_assigned(x, w, dy):
    dx, dw, k = np.zeros(len(x)), np.zeros(len(w)), len(w)
    for i, g in enumerate(dy):
        dx[i : i + k] += g * w
        dw = g * x[i : i + k]
    return dx, dw


room.wrong(conv1d_kernel_assigned, conv1d, ONE, "overwrites_instead_of_accumulates", "y", "w")


def conv1d_not_flipped(x, w, dy):
    k = len(w)
    padded_dy = np.pad(dy, k - 1)
    dx = np.array([padded_dy[i : i + k] @ w for i in range(len(x))])
    dw = np.correlate(x, dy, mode="valid")
    return dx, dw


room.wrong(conv1d_not_flipped, conv1d, ONE, "kernel_not_flipped not_reversed", "y", "x")


def conv1d_mirrored_kernel(x, w, dy):
    dx = np.convolve(dy, w, mode="full")
    dw = np.convolve(x, dy[::-1], mode="valid")[::-1]
    return {"dx": dx, "dw": dw}


room.wrong(conv1d_mirrored_kernel, conv1d, ONE, "not_reversed kernel_not_flipped", "y", "w")


def conv1d_off_by_one(x, w, dy):
    k = len(w)
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    for i in range(len(dy) - 1):
        dx[i : i + k] += dy[i] * w
        dw += dy[i] * x[i : i + k]
    return dx, dw


room.wrong(conv1d_off_by_one, conv1d, ONE, "off_by_one_index missing_path truncated_recurrence", "y", "x w")

STRIDED = {"x": normal(11), "w": normal(3), "stride": 2}


def stride_forgotten(x, w, stride, dout):
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    for i in range(len(dout)):
        dx[i : i + len(w)] += dout[i] * w
        dw += dout[i] * x[i : i + len(w)]
    return dx, dw


room.wrong(stride_forgotten, strided, STRIDED, "stride_ignored", "y", "x w")


def stride_forgotten_for_kernel(x, w, stride, dout):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i, g in enumerate(dout):
        s = i * stride
        dx[s : s + len(w)] += g * w
        dw += g * x[i : i + len(w)]
    return dx, dw


room.wrong(stride_forgotten_for_kernel, strided, STRIDED, "stride_ignored", "y", "w")


def padding_from_the_front(x, w, pad, g):
    xp = np.pad(x, pad)
    dxp = np.zeros_like(xp)
    dw = np.zeros_like(w)
    for i in range(len(g)):
        dxp[i : i + len(w)] += g[i] * w
        dw += g[i] * xp[i : i + len(w)]
    return dxp[: len(x)], dw


PADDED = {"x": normal(7), "w": normal(4), "pad": 2}
room.wrong(padding_from_the_front, padded, PADDED, "padding_offset off_by_one_index", "xp", "x")


def padding_left_on(x, w, pad, g):
    xp = np.pad(x, pad)
    dxp = np.zeros_like(xp)
    dw = np.zeros_like(w)
    for i in range(len(g)):
        dxp[i : i + len(w)] += g[i] * w
        dw += g[i] * xp[i : i + len(w)]
    return dxp, dw


room.wrong(padding_left_on, padded, PADDED, "padding_offset padding_not_stripped", "xp", "x")


# ---- two dimensions
def conv2d_not_flipped(X, K, b, dY):
    kh, kw = K.shape
    big = np.pad(dY, ((kh - 1, kh - 1), (kw - 1, kw - 1)))
    dX = np.einsum("ijkl,kl->ij", sliding_window_view(big, K.shape), K)
    dK = np.einsum("ijkl,ij->kl", sliding_window_view(X, K.shape), dY)
    return dX, dK, dY.sum()


room.wrong(conv2d_not_flipped, conv2d, TWO, "kernel_not_flipped not_reversed", "Y", "X")


def conv2d_half_flipped(X, K, b, dY):
    kh, kw = K.shape
    big = np.pad(dY, ((kh - 1, kh - 1), (kw - 1, kw - 1)))
    dX = np.einsum("ijkl,kl->ij", sliding_window_view(big, K.shape), K[::-1])
    dK = np.einsum("ijkl,ij->kl", sliding_window_view(X, K.shape), dY)
    return dX, dK, dY.sum()


room.wrong(conv2d_half_flipped, conv2d, TWO, "kernel_not_flipped not_reversed", "Y", "X")


def conv2d_assigns(X, K, b, dY):
    dX, dK = np.zeros(X.shape), np.zeros(K.shape)
    for i in range(dY.shape[0]):
        for j in range(dY.shape[1]):
            dX[i : i + K.shape[0], j : j + K.shape[1]] = dY[i, j] * K
            dK += dY[i, j] * X[i : i + K.shape[0], j : j + K.shape[1]]
    return dX, dK, dY.sum()


room.wrong(conv2d_assigns, conv2d, TWO, "overwrites_instead_of_accumulates", "Y windows", "X")


def conv2d_swapped_indices(X, K, b, dY):
    dX, dK = np.zeros(X.shape), np.zeros(K.shape)
    kh, kw = K.shape
    for i in range(dY.shape[0]):
        for j in range(dY.shape[1]):
            dX[i : i + kh, j : j + kw] += dY[i, j] * K
            dK += dY[j, i] * X[i : i + kh, j : j + kw]
    return dX, dK, dY.sum()


room.wrong(
    conv2d_swapped_indices, conv2d, {"X": normal(6, 6), "K": normal(3, 3), "b": normal()},
    "index_order_swapped missing_transpose transposed extra_transpose", "Y", "K",
)  # fmt: skip


def conv2d_bias_mean(X, K, b, dY):
    dX, dK = np.zeros(X.shape), np.zeros(K.shape)
    for i in range(dY.shape[0]):
        for j in range(dY.shape[1]):
            for k in range(K.shape[0]):
                for m in range(K.shape[1]):
                    dX[i + k, j + m] += dY[i, j] * K[k, m]
                    dK[k, m] += dY[i, j] * X[i + k, j + m]
    return dX, dK, dY.mean()


room.wrong(conv2d_bias_mean, conv2d, TWO, "extra_mean extra_batch_mean wrong_count extra_factor", "Y", "b")


# ---- a layer
def layer_parts(x, w, dout):
    kh, kw = w.shape[2:]
    dw = np.einsum("nchwij,nfhw->fcij", sliding_window_view(x, (kh, kw), axis=(2, 3)), dout)
    dx = np.zeros_like(x)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            dx[:, :, i : i + kh, j : j + kw] += np.einsum("nf,fcij->ncij", dout[:, :, i, j], w)
    return dx, dw


def layer_bias_not_over_images(x, w, b, dout):
    dx, dw = layer_parts(x, w, dout)
    db = dout.sum(axis=(2, 3))
    return dx, dw, db


room.wrong(
    layer_bias_not_over_images, conv_layer, LAYER, "wrong_axis bias_not_summed broadcast_not_reduced", "out", "b"
)


def layer_bias_all(x, w, b, dout):
    dx, dw = layer_parts(x, w, dout)
    return dx, dw, np.sum(dout)


room.wrong(layer_bias_all, conv_layer, LAYER, "summed_all_axes", "out", "b")


def layer_bias_over_channels(x, w, b, dout):
    dx, dw = layer_parts(x, w, dout)
    return dx, dw, dout.sum(axis=(1, 2, 3))


room.wrong(
    layer_bias_over_channels, conv_layer, {"x": normal(4, 2, 5, 5), "w": normal(4, 2, 3, 3), "b": normal(4)},
    "wrong_axis", "out", "b",
)  # fmt: skip


def layer_last_image(x, w, b, dout):
    dx = np.zeros_like(x)
    for n in range(len(x)):
        one, dw = layer_parts(x[n : n + 1], w, dout[n : n + 1])
        dx[n] = one[0]
    return dx, dw, dout.sum(axis=(0, 2, 3))


room.wrong(layer_last_image, conv_layer, LAYER, "overwrites_instead_of_accumulates missing_path", "out", "w")


def layer_mean_of_images(x, w, b, dout):
    dx, dw = layer_parts(x, w, dout)
    return dx, dw / x.shape[0], dout.sum(axis=(0, 2, 3)) / x.shape[0]


room.wrong(layer_mean_of_images, conv_layer, LAYER, "extra_batch_mean", "out", "w b")


def layer_columns_reshaped(x, w, b, dout):
    n, f, h, v = dout.shape
    c, kh, kw = w.shape[1:]
    col = sliding_window_view(x, (kh, kw), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5).reshape(n * h * v, -1)
    flat = dout.reshape(-1, f)
    dw = (flat.T @ col).reshape(w.shape)
    dx, _ = layer_parts(x, w, dout)
    return dx, dw, dout.sum(axis=(0, 2, 3))


room.wrong(layer_columns_reshaped, conv_layer, LAYER, "reshape_instead_of_transpose", "out", "w")


# ---- pooling
POOL = {"x": normal(2, 4, 6)}


def pool_everywhere(x, dout):
    return np.repeat(np.repeat(dout, 2, axis=1), 2, axis=2)


room.wrong(pool_everywhere, max_pool, POOL, "missing_mask missing_activation_grad", "out", "x")


def pool_of_quarters(x, dout):
    return np.repeat(np.repeat(dout, 2, axis=1), 2, axis=2) / 4


room.wrong(pool_of_quarters, max_pool, POOL, "missing_mask wrong_local_derivative", "out", "x")


def pool_swapped_argmax(x, dout):
    dx = np.zeros_like(x)
    for n in range(dout.shape[0]):
        for i in range(dout.shape[1]):
            for j in range(dout.shape[2]):
                block = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
                row, column = np.unravel_index(block.argmax(), block.shape)
                dx[n, 2 * i + column, 2 * j + row] += dout[n, i, j]
    return dx


room.wrong(pool_swapped_argmax, max_pool, POOL, "index_order_swapped", "out", "x")


def pool_ones(x, dout):
    out = max_pool(x)
    up = np.repeat(np.repeat(out, 2, axis=1), 2, axis=2)
    return (x == up).astype(float)


room.wrong(pool_ones, max_pool, POOL, "missing_upstream assumes_unit_upstream", "out", "x")


def pool_minimum(x, dout):
    out = -max_pool(-x)
    up = np.repeat(np.repeat(out, 2, axis=1), 2, axis=2)
    return (x == up) * np.repeat(np.repeat(dout, 2, axis=1), 2, axis=2)


room.wrong(pool_minimum, max_pool, POOL, "mask_from_wrong_array inverted_mask wrong_local_derivative", "out", "x")


def pool_not_divided(x, g):
    return g.repeat(2, axis=1).repeat(2, axis=2)


room.wrong(pool_not_divided, mean_pool, POOL, "missing_mean extra_factor missing_scale", "out", "x")


def pool_tiled(x, g):
    return np.tile(g, (1, 2, 2)) / 4


room.wrong(
    pool_tiled, mean_pool, POOL, "reshape_instead_of_transpose wrong_axis tile_instead_of_repeat", "out blocks", "x"
)


def moving_sum_assigned(x, g):
    d = np.zeros_like(x)
    d[:-2] = g
    d[1:-1] = g
    d[2:] = g
    return d


room.wrong(
    moving_sum_assigned, moving_sum, {"x": normal(7)}, "overwrites_instead_of_accumulates missing_path", "y", "x"
)


def upsample_tile(x, g):
    return g.reshape(3, -1).sum(axis=0)


room.wrong(
    upsample_tile,
    upsample,
    {"x": normal(4)},
    "reshape_instead_of_transpose wrong_axis tile_instead_of_repeat",
    "y",
    "x",
)


def upsample_first(x, g):
    return g[::3]


room.wrong(
    upsample_first, upsample, {"x" : normal(4)},
     "broadcast_not_reduced missing_path overwrites_instead_of_accumulates bias_not_summed",
    "y", "x",
)  # fmt: skip


def global_pool_sum(x, g):
    return np.ones_like(x) * g[:, :, None, None]


FEATURES = {"x": normal(2, 3, 4, 5)}
room.wrong(global_pool_sum, global_pool, FEATURES, "missing_mean", "y", "x")


def global_pool_one_axis(x, g):
    return np.ones_like(x) * g[:, :, None, None] / x.shape[2]


room.wrong(global_pool_one_axis, global_pool, FEATURES, "wrong_count", "y", "x")
