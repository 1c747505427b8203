"""Right, and written differently: what must never be called wrong."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.museum import activations, attention, convolution, dense, losses, normalisation, recurrence, softmax
from tests.museum.exhibit import Room

room = Room("right")
normal, positive = room.normal, room.positive


# ---- dense layers
def outer_products(X, W, b, g):
    dW = np.zeros_like(W)
    for i in range(len(X)):
        dW += np.outer(X[i], g[i])
    return g @ W.T, dW, g.T @ np.ones(len(g))


room.right(outer_products, dense.dense, dense.RECTANGLE)


def by_einsum(X, W, b, upstream):
    return {
        "dX": np.einsum("nm,dm->nd", upstream, W),
        "dW": np.einsum("nd,nm->dm", X, upstream),
        "db": np.einsum("nm->m", upstream),
    }


room.right(by_einsum, dense.dense, dense.RECTANGLE)


def transposed_twice(X, W, b, dZ):
    return (W @ dZ.T).T, (dZ.T @ X).T, np.add.reduce(dZ)


room.right(transposed_twice, dense.dense, dense.SQUARE)


def three_loops(x, W, b, g):
    dx, dW, db = np.zeros(x.shape), np.zeros(W.shape), np.zeros(b.shape)
    for n in range(g.shape[0]):
        for m in range(g.shape[1]):
            db[m] += g[n, m]
            for d in range(x.shape[1]):
                dx[n, d] += W[d, m] * g[n, m]
                dW[d, m] += x[n, d] * g[n, m]
    return dx, dW, db


room.right(three_loops, dense.affine, dense.AFFINE)


def in_single_precision(X, W, b, g):
    X, W, g = X.astype(np.float32), W.astype(np.float32), g.astype(np.float32)
    return g @ W.T, X.T @ g, g.sum(axis=0)


room.right(in_single_precision, dense.dense, dense.RECTANGLE)


def odd_strides(X, W, b, g):
    dX = np.empty((X.shape[1], X.shape[0])).T
    dX[:] = g @ W.T
    return dX, np.asfortranarray(X.T @ g), np.repeat(g.sum(axis=0), 2)[::2]


room.right(odd_strides, dense.dense, dense.RECTANGLE)


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)


room.right(Affine, dense.affine, dense.AFFINE)


def dense_grad_input(X, grad_output, W, b):
    return np.tensordot(grad_output, W, axes=(1, 1))


def dense_grad_W(X, grad_output, W, b):
    return sum(np.outer(x, g) for x, g in zip(X, grad_output))


def dense_grad_b(X, grad_output, W, b):
    return sum(grad_output)


room.right(
    {"dense_grad_input": dense_grad_input, "dense_grad_W": dense_grad_W, "dense_grad_b": dense_grad_b}, dense.dense,
    dense.RECTANGLE, name="family",
)  # fmt: skip


def average_at_the_end(X, W1, b1, W2, b2, T):
    A = np.tanh(X @ W1 + b1)
    e = A @ W2 + b2 - T
    back = e @ W2.T * (1 - A * A)
    n = e.size
    return [2 * X.T @ back / n, 2 * back.sum(0) / n, 2 * A.T @ e / n, 2 * e.sum(0) / n]


room.right(average_at_the_end, dense.two_layers, dense.LAYERS, wrt=dense.WEIGHTS)


def turned_error(X, W1, b1, W2, b2, T):
    A = np.tanh(X @ W1 + b1)
    e = T - (A @ W2 + b2)
    step = 2 / e.size
    delta = step * e @ W2.T * (1 - A**2)
    return -X.T @ delta, -delta.sum(axis=0), -step * A.T @ e, -step * e.sum(axis=0)


room.right(turned_error, dense.two_layers, dense.LAYERS, wrt=dense.WEIGHTS)


def gram_by_columns(X, dG):
    return X @ dG + X @ dG.T


room.right(gram_by_columns, dense.gram, {"X": normal(5, 3)})


def heads_by_concatenation(x, dh):
    return np.concatenate(list(dh), axis=1)


room.right(heads_by_concatenation, dense.split_heads, {"x": normal(4, 6)})


# ---- activations
def tanh_by_cosh(x, w1, w2, g):
    z1 = x @ w1
    a1 = np.tanh(z1)
    d2 = g / np.cosh(a1 @ w2) ** 2
    d1 = (d2 @ w2.T) / np.cosh(z1) ** 2
    return d1 @ w1.T, x.T @ d1, a1.T @ d2


room.right(tanh_by_cosh, activations.tanh_net, activations.TANH)


def sigmoid_by_exponentials(X, W, b, dA):
    e = np.exp(-(X @ W + b))
    dZ = dA * e / (1 + e) ** 2
    return dZ @ W.T, X.T @ dZ, dZ.sum(0)


room.right(sigmoid_by_exponentials, activations.sigmoid_layer, activations.SIGMOID)


def mask_from_the_output(x_input, grad_output):
    return grad_output * (np.maximum(0, x_input) > 0)


room.right(mask_from_the_output, activations.relu, {"x_input": normal(4, 5)}, convention=True)


def mask_with_equality(x_input, grad_output):
    return grad_output * (x_input >= 0)


room.right(mask_with_equality, activations.relu, {"x_input": normal(4, 5)}, convention=True)


def mask_by_sign(x_input, grad_output):
    return 0.5 * (np.sign(x_input) + 1) * grad_output


room.right(mask_by_sign, activations.relu, {"x_input": normal(4, 5)}, convention=True)


def mask_by_where(x_input, dout):
    dx = np.array(dout)
    dx[x_input < 0] = 0
    return dx


room.right(mask_by_where, activations.relu, {"x_input": normal(4, 5)}, convention=True)


def network_in_a_loop(X, W1, B1, W2, B2, W3, B3, T):
    weights, biases = [W1, W2, W3], [B1, B2, B3]
    activations_, zs = [X], []
    for W, B in zip(weights, biases):
        zs.append(activations_[-1] @ W + B)
        activations_.append(np.maximum(0, zs[-1]))
    delta = 2 * (zs[-1] - T) / T.size
    out = {}
    for k in (2, 1, 0):
        out[f"W{k + 1}"] = activations_[k].T @ delta
        out[f"B{k + 1}"] = delta.sum(axis=0)
        if k:
            delta = delta @ weights[k].T * (zs[k - 1] > 0)
    return out


room.right(network_in_a_loop, activations.relu_network, activations.NETWORK, wrt=activations.PARAMETERS)


def swish_from_output(x, g):
    s = 1 / (1 + np.exp(-x))
    y = x * s
    return g * (y + s * (1 - y))


room.right(swish_from_output, activations.swish, activations.X)


def softplus_by_tanh(x, g):
    return g * 0.5 * (1 + np.tanh(x / 2))


room.right(softplus_by_tanh, activations.softplus, activations.X)


def clip_by_comparison(x, g):
    return g * (np.clip(x, -1, 1) == x)


room.right(clip_by_comparison, activations.clipped, activations.X, convention=True)


# ---- softmax
def softmax_by_jacobian(Z, grad):
    e = np.exp(Z - Z.max())
    P = e / e.sum(axis=1, keepdims=True)
    return np.stack([(np.diag(p) - np.outer(p, p)) @ g for p, g in zip(P, grad)])


room.right(softmax_by_jacobian, softmax.softmax, softmax.Z)


def softmax_by_quotient(z, g):
    e = np.exp(z)
    s = e.sum()
    return e * g / s - e * (e * g).sum() / s**2


room.right(softmax_by_quotient, softmax.softmax_vector, {"z": normal(5)})


def softmax_not_fused(X, W, b, Y):
    S = X @ W + b
    E = np.exp(S - S.max(1, keepdims=True))
    P = E / E.sum(1, keepdims=True)
    dP = -Y / P / len(X)
    dS = P * (dP - (dP * P).sum(axis=1, keepdims=True))
    return X.T @ dS, dS.sum(axis=0)


room.right(softmax_not_fused, softmax.classifier, softmax.CLASSIFIER, wrt="W b")


def softmax_of_hot_rows(scores, labels):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    hot = np.eye(scores.shape[1])[labels]
    return (e / e.sum(axis=1, keepdims=True) - hot) / len(labels)


room.right(softmax_of_hot_rows, softmax.cross_entropy, softmax.SCORES)


def log_softmax_by_matrix(x, dy):
    p = np.exp(softmax.log_softmax(x))
    out = np.empty_like(x)
    for n in range(len(x)):
        out[n] = (np.eye(x.shape[1]) - p[n][:, None]) @ dy[n]
    return out


room.right(log_softmax_by_matrix, softmax.log_softmax, {"x": normal(5, 3)})


def logistic_in_loops(X, w, b, y):
    dw, db = np.zeros_like(w), 0.0
    for xi, yi in zip(X, y):
        p = 1 / (1 + np.exp(-(xi @ w + b)))
        dw += (p - yi) * xi
        db += p - yi
    return dw / len(y), db / len(y)


room.right(logistic_in_loops, softmax.logistic_regression, softmax.LOGISTIC, wrt="w b")


# ---- losses
def mse_in_halves(pred, target):
    d = (pred - target) / pred.shape[0] / pred.shape[1]
    return d + d


room.right(mse_in_halves, losses.mse, losses.MATRIX, wrt="pred")


def hinge_in_loops(scores, y):
    n, c = scores.shape
    d = np.zeros_like(scores)
    for i in range(n):
        for j in range(c):
            if j != y[i] and scores[i, j] - scores[i, y[i]] + 1 > 0:
                d[i, j] += 1 / n
                d[i, y[i]] -= 1 / n
    return d


room.right(hinge_in_loops, losses.hinge, losses.SCORES, convention=True)


def huber_by_clip(p, t):
    return np.clip(p - t, -1, 1)


room.right(huber_by_clip, losses.huber, losses.PT, wrt="p")


def mae_by_comparisons(p, t):
    return ((p > t).astype(float) - (p < t)) / p.size


room.right(mae_by_comparisons, losses.mae, losses.PT, wrt="p", convention=True)


def cosine_by_projection(a, b):
    na, nb = np.sqrt((a**2).sum()), np.sqrt((b**2).sum())
    u, v = a / na, b / nb
    return (np.eye(len(a)) - np.outer(u, u)) @ v / na, (np.eye(len(b)) - np.outer(v, v)) @ u / nb


room.right(cosine_by_projection, losses.cosine, losses.VECTORS)


# ---- normalisation
def batch_norm_closed(x, gamma, beta, eps, dout):
    N = len(x)
    istd = (x.var(axis=0) + eps) ** -0.5
    xn = (x - x.mean(axis=0)) * istd
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xn).sum(axis=0)
    return gamma * istd / N * (N * dout - dbeta - xn * dgamma), dgamma, dbeta


room.right(batch_norm_closed, normalisation.batch_norm, normalisation.BATCH, wrt=normalisation.ALL)


def batch_norm_zero_term_left_out(x, gamma, beta, eps, dout):
    N = len(x)
    xmu = x - x.mean(axis=0)
    istd = 1 / np.sqrt((xmu**2).mean(axis=0) + eps)
    d = dout * gamma
    dvar = np.sum(d * xmu * -0.5 * istd**3, axis=0)
    dmu = np.sum(-d * istd, axis=0)
    return d * istd + 2 * dvar * xmu / N + dmu / N, (dout * xmu * istd).sum(0), dout.sum(0)


room.right(batch_norm_zero_term_left_out, normalisation.batch_norm, normalisation.BATCH, wrt=normalisation.ALL)


def batch_norm_zero_term_kept(x, gamma, beta, eps, dout):
    N = len(x)
    xmu = x - x.mean(axis=0)
    v = (xmu**2).mean(axis=0) + eps
    d = dout * gamma
    dvar = np.sum(d * xmu, axis=0) * -0.5 * v**-1.5
    dmu = -np.sum(d, axis=0) / np.sqrt(v) + dvar * np.mean(-2 * xmu, axis=0)
    return d / np.sqrt(v) + dvar * 2 * xmu / N + dmu / N, (dout * xmu / np.sqrt(v)).sum(0), dout.sum(0)


room.right(batch_norm_zero_term_kept, normalisation.batch_norm, normalisation.BATCH, wrt=normalisation.ALL)


def layer_norm_by_projector(x, gamma, beta, g):
    D = x.shape[-1]
    dx = np.empty_like(x)
    dgamma = np.zeros_like(gamma)
    for n, row in enumerate(x):
        c = row - row.mean()
        s = np.sqrt(c @ c / D + 1e-5)
        u = c / s
        J = (np.eye(D) - 1 / D - np.outer(u, u) / D) / s
        dx[n] = J @ (gamma * g[n])
        dgamma += u * g[n]
    return dx, dgamma, g.sum(axis=0)


room.right(layer_norm_by_projector, normalisation.layer_norm, normalisation.LAYER)


def unit_by_parts(x, g):
    n2 = (x**2).sum(1, keepdims=True)
    return (g * n2 - x * (x * g).sum(1, keepdims=True)) / n2**1.5


room.right(unit_by_parts, normalisation.unit, normalisation.ROWS)


def centring_by_matrix(x, g):
    n = len(x)
    return (np.eye(n) - np.full((n, n), 1 / n)) @ g


room.right(centring_by_matrix, normalisation.centred, normalisation.ROWS)


# ---- convolution
def full_convolution(x, w, dy):
    return np.convolve(dy, w, mode="full"), np.correlate(x, dy, mode="valid")


room.right(full_convolution, convolution.conv1d, convolution.ONE)


def scattered(x, w, stride, dout):
    k = len(w)
    at = np.arange(len(dout))[:, None] * stride + np.arange(k)
    dx = np.zeros_like(x)
    np.add.at(dx, at, np.outer(dout, w))
    return dx, dout @ x[at]


room.right(scattered, convolution.strided, convolution.STRIDED)


def flipped_windows(X, K, b, dY):
    kh, kw = K.shape
    big = np.pad(dY, ((kh - 1, kh - 1), (kw - 1, kw - 1)))
    dX = np.einsum("ijkl,kl->ij", sliding_window_view(big, K.shape), np.rot90(K, 2))
    dK = np.array([[(X[i : i + len(dY), j : j + dY.shape[1]] * dY).sum() for j in range(kw)] for i in range(kh)])
    return dX, dK, dY.sum()


room.right(flipped_windows, convolution.conv2d, convolution.TWO)


def pooling_first_of_ties(x, dout):
    dx = np.zeros_like(x)
    for n, i, j in np.ndindex(*dout.shape):
        block = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        r, c = divmod(int(block.argmax()), 2)
        dx[n, 2 * i + r, 2 * j + c] = dout[n, i, j]
    return dx


room.right(pooling_first_of_ties, convolution.max_pool, convolution.POOL, convention=True)


def pooling_all_of_ties(x, dout):
    dx = np.zeros_like(x)
    for n, i, j in np.ndindex(*dout.shape):
        block = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        dx[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = (block == block.max()) * dout[n, i, j]
    return dx


room.right(pooling_all_of_ties, convolution.max_pool, convolution.POOL, convention=True)


def pooling_by_kron(x, g):
    return np.stack([np.kron(one, np.ones((2, 2)) / 4) for one in g])


room.right(pooling_by_kron, convolution.mean_pool, convolution.POOL)


# ---- recurrence
def every_pair_of_times(x, h0, Wx, Wh, dhs):
    hs = recurrence.all_states(x, h0, Wx, Wh)
    dx, dh0, dWx, dWh = np.zeros_like(x), np.zeros_like(h0), np.zeros_like(Wx), np.zeros_like(Wh)
    for t in range(len(x)):
        d = dhs[t]
        for k in range(t, -1, -1):
            dz = d * (1 - hs[k + 1] ** 2)
            dx[k] += dz @ Wx.T
            dWx += np.outer(x[k], dz)
            dWh += np.outer(hs[k], dz)
            d = dz @ Wh.T
        dh0 += d
    return dx, dh0, dWx, dWh


room.right(every_pair_of_times, recurrence.rnn_all, recurrence.ALL)


def back_through_time(x, h0, Wx, Wh, b, dh):
    hs = recurrence.states(x, h0, Wx, Wh, b)
    dzs = []
    for t in reversed(range(len(x))):
        dzs.insert(0, dh * (1 - hs[t + 1] ** 2))
        dh = dzs[0] @ Wh.T
    dz = np.array(dzs)
    before = np.array(hs[:-1])
    return dz @ Wx.T, dh, np.einsum("tnd,tnh->dh", x, dz), np.einsum("tnd,tnh->dh", before, dz), dz.sum(axis=(0, 1))


room.right(back_through_time, recurrence.rnn, recurrence.RNN)


def cumsum_from_the_end(x, g):
    return g.sum() - np.cumsum(g) + g


room.right(cumsum_from_the_end, recurrence.running, {"x": normal(6)})


def filter_by_powers(x, a, g):
    n = len(x)
    A = np.array([[a ** (i - j) if i >= j else 0.0 for j in range(n)] for i in range(n)])
    dA = np.array([[(i - j) * a ** (i - j - 1) if i > j else 0.0 for j in range(n)] for i in range(n)])
    return A.T @ g, g @ dA @ x


room.right(filter_by_powers, recurrence.filtered, recurrence.FILTER)


# ---- attention and indexing
def attention_row_by_row(Q, K, V, dO):
    d = np.sqrt(K.shape[1])
    dQ, dK, dV = np.zeros_like(Q), np.zeros_like(K), np.zeros_like(V)
    for n in range(len(Q)):
        s = K @ Q[n] / d
        e = np.exp(s - max(s))
        p = e / e.sum()
        dV += np.outer(p, dO[n])
        ds = (np.diag(p) - np.outer(p, p)) @ (V @ dO[n])
        dQ[n] = ds @ K / d
        dK += np.outer(ds, Q[n]) / d
    return {"dQ": dQ, "dK": dK, "dV": dV}


room.right(attention_row_by_row, attention.attention, attention.QKV)


def causal(S):
    masked = np.where(np.tri(S.shape[0], S.shape[1], dtype=bool), S, -1e9)
    E = np.exp(masked - masked.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    return P


def causal_mask_not_again(S, g):
    P = causal(S)
    return P * (g - (g * P).sum(axis=1, keepdims=True))


room.right(causal_mask_not_again, causal, {"S": normal(5, 5)})


def one_hot_product(E, idx, g):
    return np.eye(len(E))[idx].T @ g


room.right(one_hot_product, attention.lookup, attention.LOOKUP)


def rows_in_a_loop(E, idx, g):
    dE = np.zeros_like(E)
    for k, i in enumerate(idx):
        dE[i] += g[k]
    return dE


room.right(rows_in_a_loop, attention.lookup, attention.LOOKUP)


def inverse_permutation(x, perm, g):
    return g[np.argsort(perm)]


room.right(inverse_permutation, attention.permuted, {"x": normal(6), "perm": np.array([2, 0, 1, 5, 3, 4])})


def scatter_to_order(x, g):
    out = np.empty_like(g)
    out[np.argsort(x)] = g
    return out


room.right(scatter_to_order, attention.ordered, {"x": normal(7)})


# ---- gradients that are zero
def shifted_softmax(z, c):
    s = z + c
    e = np.exp(s - s.max())
    p = e / e.sum()
    return p


def offset_does_not_matter(z, c, g):
    e = np.exp(z - z.max())
    p = e / e.sum()
    return p * (g - g @ p), 0.0


room.right(offset_does_not_matter, shifted_softmax, {"z": normal(5), "c": np.array(0.4)})


def normalised_dense(X, W, b):
    Z = X @ W + b
    N = Z - Z.mean(axis=0)
    return N


def bias_does_not_matter(X, W, b, g):
    d = g - g.mean(axis=0)
    return d @ W.T, X.T @ d, np.zeros_like(b)


room.right(bias_does_not_matter, normalised_dense, dense.RECTANGLE)


def bias_rounds_to_nothing(X, W, b, g):
    d = g - g.mean(axis=0)
    return d @ W.T, X.T @ d, d.sum(axis=0)


room.right(bias_rounds_to_nothing, normalised_dense, dense.RECTANGLE)


def powers_by_rule(x, n, g):
    return n * x ** (n - 1) * g


room.right(powers_by_rule, recurrence.powers, {"x": normal(4), "n": 3})
