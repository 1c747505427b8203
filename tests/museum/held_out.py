"""A wing that nobody looks at while the checker is made: other functions, other people, other mistakes."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("held out")
normal, positive = room.normal, room.positive


# ---- the code that is differentiated
def vae_loss(x, mu, logvar, eps, D):
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    recon = z @ D
    mse = ((recon - x) ** 2).sum()
    kl = -0.5 * (1 + logvar - mu**2 - np.exp(logvar)).sum()
    loss = (mse + kl) / x.shape[0]
    return loss


def dice(p, t):
    inter = (p * t).sum()
    total = p.sum() + t.sum()
    score = 2 * inter / total
    loss = 1 - score
    return loss


def focal(logits, y):
    p = 1 / (1 + np.exp(-logits))
    pt = np.where(y == 1, p, 1 - p)
    loss = (-((1 - pt) ** 2) * np.log(pt)).mean()
    return loss


def smoothed(logits, target):
    m = logits - logits.max(axis=1, keepdims=True)
    logp = m - np.log(np.exp(m).sum(axis=1, keepdims=True))
    loss = -(target * logp).sum(axis=1).mean()
    return loss


def triplet(a, p, n):
    dp = ((a - p) ** 2).sum(axis=1)
    dn = ((a - n) ** 2).sum(axis=1)
    viol = np.maximum(0, dp - dn + 0.5)
    loss = viol.mean()
    return loss


def weight_norm(x, v, gain):
    length = np.sqrt((v**2).sum(axis=0))
    w = gain * v / length
    y = x @ w
    return y


def highway(x, Wh, Wt):
    h = np.tanh(x @ Wh)
    t = 1 / (1 + np.exp(-(x @ Wt)))
    y = t * h + (1 - t) * x
    return y


def graph_conv(A, H, W):
    M = A @ H
    Z = M @ W
    out = np.maximum(Z, 0)
    return out


def prelu(x, slope):
    y = np.where(x > 0, x, slope * x)
    return y


def group_norm(x):
    n, c, t = x.shape
    g = x.reshape(n, 2, c // 2 * t)
    mean = g.mean(axis=2, keepdims=True)
    var = g.var(axis=2, keepdims=True)
    normed = (g - mean) / np.sqrt(var + 1e-5)
    out = normed.reshape(n, c, t)
    return out


def springs(q, k, rest):
    d = q[1:] - q[:-1]
    stretch = d - rest
    energy = 0.5 * (k * stretch**2).sum()
    return energy


def polynomial(x, c):
    y = c[0] + x * (c[1] + x * (c[2] + x * c[3]))
    return y


def mixture(x, mu, w):
    sq = (x[:, None] - mu) ** 2
    dens = np.exp(-0.5 * sq)
    lik = dens @ w
    nll = -np.log(lik).mean()
    return nll


def depthwise(x, w):
    k = w.shape[1]
    n = x.shape[1] - k + 1
    y = np.zeros((x.shape[0], n))
    for j in range(k):
        y += x[:, j : j + n] * w[:, j : j + 1]
    return y


def overlapping_mean(x):
    n = (len(x) - 4) // 2 + 1
    y = np.array([x[2 * i : 2 * i + 4].mean() for i in range(n)])
    return y


def segment_mean(x, seg, count):
    sums = np.zeros((3, x.shape[1]))
    np.add.at(sums, seg, x)
    means = sums / count[:, None]
    return means


def maxout(x, W, V):
    a = x @ W
    b = x @ V
    m = np.maximum(a, b)
    return m


def cosine_rows(A, B):
    na = np.sqrt((A * A).sum(axis=1, keepdims=True))
    nb = np.sqrt((B * B).sum(axis=1, keepdims=True))
    S = (A / na) @ (B / nb).T
    return S


def leapfrog(x, v, k):
    for _ in range(3):
        v = v - 0.1 * k * x
        x = x + 0.1 * v
    e = 0.5 * (v @ v) + 0.5 * k * (x @ x)
    return e


def poisson_regression(X, w, y):
    eta = X @ w
    rate = np.exp(eta)
    loss = (rate - y * eta).mean()
    return loss


def multi_head(x, Wo):
    n, h, d = x.shape
    merged = x.transpose(1, 0, 2).reshape(h, n * d)
    out = merged @ Wo
    return out


def attention_pool(H, u):
    s = H @ u
    e = np.exp(s - s.max())
    a = e / e.sum()
    c = a @ H
    return c


def momentum_average(x):
    m = 0.0
    out = np.zeros_like(x)
    for t in range(len(x)):
        m = 0.9 * m + 0.1 * x[t]
        out[t] = m
    return out


def low_rank(x, U, V, b):
    t = x @ U
    y = t @ V + b
    return y


def deep(x, W1, W2, W3, W4, y):
    a1 = np.tanh(x @ W1)
    a2 = np.tanh(a1 @ W2)
    a3 = np.tanh(a2 @ W3)
    out = a3 @ W4
    loss = 0.5 * ((out - y) ** 2).mean()
    return loss


def embedding_classifier(E, W, words, label):
    rows = E[words]
    doc = rows.sum(axis=0)
    s = doc @ W
    e = np.exp(s - s.max())
    q = e / e.sum()
    loss = -np.log(q[label])
    return loss


# ---- their arguments
VAE = {"x": normal(5, 4), "mu": normal(5, 2), "logvar": normal(5, 2), "eps": normal(5, 2), "D": normal(2, 4)}
DICE = {"p": positive(6), "t": np.array([1.0, 0, 1, 1, 0, 0])}
FOCAL = {"logits": normal(7), "y": np.array([1, 0, 1, 1, 0, 0, 1])}
SMOOTH = {"logits": normal(5, 3), "target": 0.1 + 0.7 * np.eye(3)[[0, 2, 1, 1, 0]]}
TRIPLET = {"a": normal(6, 3), "p": normal(6, 3), "n": normal(6, 3)}
NORMED = {"x": normal(5, 4), "v": normal(4, 3), "gain": normal(3)}
HIGHWAY = {"x": normal(5, 4), "Wh": normal(4, 4), "Wt": normal(4, 4)}
GRAPH = {"A": normal(5, 5), "H": normal(5, 4), "W": normal(4, 3)}
PRELU = {"x": normal(4, 5), "slope": np.array(0.2)}
GROUPS = {"x": normal(2, 4, 3)}
SPRINGS = {"q": normal(6), "k": positive(5), "rest": positive(5)}
POLYNOMIAL = {"x": normal(7), "c": normal(4)}
MIXTURE = {"x": normal(7), "mu": normal(3), "w": positive(3)}
DEPTHWISE = {"x": normal(3, 8), "w": normal(3, 4)}
SEGMENTS = {"x": normal(6, 2), "seg": np.array([0, 2, 1, 0, 2, 2]), "count": np.array([2, 1, 3])}
MAXOUT = {"x": normal(5, 4), "W": normal(4, 3), "V": normal(4, 3)}
COSINES = {"A": normal(5, 3), "B": normal(4, 3)}
LEAPFROG = {"x": normal(3), "v": normal(3), "k": np.array(1.7)}
POISSON = {"X": normal(7, 3), "w": 0.4 * normal(3), "y": positive(7)}
HEADS = {"x": normal(3, 5, 2), "Wo": normal(6, 4)}
POOL = {"H": normal(6, 4), "u": normal(4)}
LOWRANK = {"x": normal(7, 5), "U": normal(5, 2), "V": normal(2, 3), "b": normal(3)}
DEEP = {
    "x": normal(7, 3), "W1": normal(3, 4), "W2": normal(4, 4), "W3": normal(4, 4), "W4": normal(4, 2), "y": normal(7, 2)
}  # fmt: skip
WORDS = {"E": normal(6, 4), "W": normal(4, 3), "words": np.array([1, 4, 1, 5]), "label": 2}
CELLS = "W1 W2 W3 W4"


# ---- wrong
def vae_without_half(x, mu, logvar, eps, D):
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    drecon = 2 * (z @ D - x) / len(x)
    dz = drecon @ D.T
    dmu = dz + mu / len(x)
    dlogvar = dz * eps * std + 0.5 * (np.exp(logvar) - 1) / len(x)
    return dmu, dlogvar, z.T @ drecon


room.wrong(vae_without_half, vae_loss, VAE,
     "extra_factor factor_2_missing missing_scale missing_inner_derivative", "std z", "logvar",
     wrt="mu logvar D" )  # fmt: skip


def vae_forgets_kl(x, mu, logvar, eps, D):
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    drecon = 2 * (z @ D - x) / len(x)
    dz = drecon @ D.T
    return dz, dz * eps * 0.5 * std + 0.5 * (np.exp(logvar) - 1) / len(x), z.T @ drecon


room.wrong(vae_forgets_kl, vae_loss, VAE, "missing_path missing_reg_grad", "kl", "mu", wrt="mu logvar D")


def dice_total_constant(p, t):
    return -2 * t / (p.sum() + t.sum())


room.wrong(dice_total_constant, dice, DICE, "treats_stat_as_constant missing_path", "total score", "p", wrt="p")


def dice_power(p, t):
    I, S = (p * t).sum(), p.sum() + t.sum()
    return -2 * (t / S - I / S)


room.wrong(dice_power, dice, DICE, "wrong_power wrong_local_derivative", "score", "p", wrt="p")


def focal_sign(logits, y):
    p = 1 / (1 + np.exp(-logits))
    pt = np.where(y == 1, p, 1 - p)
    dpt = 2 * (1 - pt) * np.log(pt) - (1 - pt) ** 2 / pt
    dp = dpt
    return dp * p * (1 - p) / len(y)


room.wrong(
    focal_sign,
    focal,
    FOCAL,
    "missing_inner_derivative sign_flipped_term missing_branch wrong_local_derivative swapped_branches",
    "pt",
    "logits",
)


def focal_modulation_constant(logits, y):
    p = 1 / (1 + np.exp(-logits))
    pt = np.where(y == 1, p, 1 - p)
    dpt = -((1 - pt) ** 2) / pt
    dp = np.where(y == 1, dpt, -dpt)
    return dp * p * (1 - p) / len(y)


room.wrong(focal_modulation_constant, focal, FOCAL, "missing_path treats_stat_as_constant", "loss", "logits")


def smooth_without_target_mass(logits, target):
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return (p * 1.0 - target) / len(logits)


room.wrong(
    smooth_without_target_mass, smoothed, SMOOTH | {"target": 2 * SMOOTH["target"]},
    "assumes_unit_upstream missing_scale missing_weight missing_factor", "logp loss", "logits", wrt="logits",
)  # fmt: skip


def smooth_per_element(logits, target):
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return (p * target.sum(axis=1, keepdims=True) - target) / logits.size


room.wrong(smooth_per_element, smoothed, SMOOTH, "wrong_count", "loss", "logits", wrt="logits")


def triplet_without_mask(a, p, n):
    N = len(a)
    return 2 * (n - p) / N, -2 * (a - p) / N, 2 * (a - n) / N


room.wrong(triplet_without_mask, triplet, TRIPLET, "missing_mask missing_relu_mask", "viol", "a p n")


def triplet_negative_sign(a, p, n):
    N = len(a)
    on = (((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + 0.5 > 0)[:, None] / N
    return 2 * on * (n - p), -2 * on * (a - p), -2 * on * (a - n)


room.wrong(triplet_negative_sign, triplet, TRIPLET, "sign_flipped sign_flipped_term", "dn viol", "n")


def weight_norm_constant(x, v, gain, dy):
    length = np.linalg.norm(v, axis=0)
    dw = x.T @ dy
    return dy @ (gain * v / length).T, gain * dw / length, (dw * v / length).sum(axis=0)


room.wrong(weight_norm_constant, weight_norm, NORMED, "treats_stat_as_constant missing_path", "length w", "v")


def weight_norm_with_v(x, v, gain, dy):
    length = np.linalg.norm(v, axis=0)
    dw = x.T @ dy
    u = v / length
    dv = gain / length * (dw - u * (u * dw).sum(axis=0))
    return dy @ (gain * u).T, dv, (dw * v).sum(axis=0)


room.wrong(weight_norm_with_v, weight_norm, NORMED, "missing_scale wrong_operand missing_factor", "w", "gain")


class Highway:
    def __init__(self, Wh, Wt):
        self.Wh, self.Wt = Wh, Wt

    def forward(self, x):
        self.x = x
        self.h = np.tanh(x @ self.Wh)
        self.t = 1 / (1 + np.exp(-x @ self.Wt))
        return self.t * self.h + (1 - self.t) * x

    def backward(self, dy):
        dh = dy * self.t * (1 - self.h**2)
        dt = dy * (self.h - self.x) * self.t * (1 - self.t)
        self.dWh = self.x.T @ dh
        self.dWt = self.x.T @ dt
        return dh @ self.Wh.T + dt @ self.Wt.T


room.wrong(Highway, highway, HIGHWAY, "missing_path", "y", "x")


def highway_gate_sign(x, Wh, Wt, dy):
    h = np.tanh(x @ Wh)
    t = 1 / (1 + np.exp(-x @ Wt))
    dh = dy * t * (1 - h**2)
    dt = dy * (h + x) * t * (1 - t)
    return dh @ Wh.T + dt @ Wt.T + dy * (1 - t), x.T @ dh, x.T @ dt


room.wrong(highway_gate_sign, highway, HIGHWAY, "sign_flipped_term", "y", "x Wt")


def graph_symmetric(A, H, W, g):
    Z = A @ H @ W
    dZ = g * (Z > 0)
    dM = dZ @ W.T
    return dM @ H.T, A @ dM, (A @ H).T @ dZ


room.wrong(graph_symmetric, graph_conv, GRAPH, "missing_transpose", "M", "H")


def graph_weights_from_features(A, H, W, g):
    Z = A @ H @ W
    dZ = g * (Z > 0)
    dM = dZ @ W.T
    return dM @ H.T, A.T @ dM, H.T @ dZ


room.wrong(graph_weights_from_features, graph_conv, GRAPH, "wrong_operand", "Z", "W")


def prelu_slope_everywhere(x, slope, g):
    return g * np.where(x > 0, 1, slope), (g * x).sum()


room.wrong(prelu_slope_everywhere, prelu, PRELU, "missing_mask missing_branch", "y", "slope")


def prelu_slope_not_summed(x, slope, g):
    return g * np.where(x > 0, 1, slope), g * np.minimum(x, 0)


room.wrong(prelu_slope_not_summed, prelu, PRELU, "broadcast_not_reduced bias_not_summed", "y", "slope")


def groups_as_layers(x, dout):
    n, c, t = x.shape
    g = x.reshape(n, 2, -1)
    d = dout.reshape(n, 2, -1)
    inv = 1 / np.sqrt(g.var(axis=2, keepdims=True) + 1e-5)
    u = (g - g.mean(axis=2, keepdims=True)) * inv
    dx = inv * (d - d.mean(axis=2, keepdims=True) - u * (d * u).mean(axis=(1, 2), keepdims=True))
    return dx.reshape(x.shape)


room.wrong(groups_as_layers, group_norm, GROUPS, "wrong_axis", "var normed", "x")


def springs_one_end(q, k, rest):
    f = k * (q[1:] - q[:-1] - rest)
    dq = np.zeros_like(q)
    dq[1:] += f
    return dq, 0.5 * (q[1:] - q[:-1] - rest) ** 2, -f


room.wrong(springs_one_end, springs, SPRINGS, "missing_path", "d", "q")


def springs_stiffness(q, k, rest):
    s = q[1:] - q[:-1] - rest
    dq = np.zeros_like(q)
    dq[1:] += k * s
    dq[:-1] -= k * s
    return {"dq": dq, "dk": s**2, "drest": -k * s}


room.wrong(springs_stiffness, springs, SPRINGS, "extra_factor missing_scale", "energy", "k")


def polynomial_exponents(x, c, g):
    dx = g * (c[1] + c[2] * x + c[3] * x**2)
    dc = np.array([(g * x**k).sum() for k in range(4)])
    return dx, dc


room.wrong(
    polynomial_exponents,
    polynomial,
    POLYNOMIAL,
    "missing_path extra_factor wrong_local_derivative missing_scale",
    "y",
    "x",
)


def polynomial_starts_at_one(x, c, g):
    dx = g * (c[1] + 2 * c[2] * x + 3 * c[3] * x**2)
    dc = np.array([(g * x ** (k + 1)).sum() for k in range(4)])
    return dx, dc


room.wrong(polynomial_starts_at_one, polynomial, POLYNOMIAL, "wrong_power off_by_one_index extra_factor", "y", "c")


def mixture_without_responsibility(x, mu, w):
    d = np.exp(-0.5 * (x[:, None] - mu) ** 2)
    r = w * d
    dmu = -(r * (x[:, None] - mu)).sum(axis=0) / len(x)
    dw = -(d / (d @ w)[:, None]).mean(axis=0)
    return dmu, dw


room.wrong(
    mixture_without_responsibility, mixture, MIXTURE,
    "missing_activation_grad missing_inner_derivative missing_outer_derivative missing_factor missing_scale", "nll lik",
    "mu", wrt="mu w",
)  # fmt: skip


def mixture_centres_sign(x, mu, w):
    d = np.exp(-0.5 * (x[:, None] - mu) ** 2)
    r = w * d / (d @ w)[:, None]
    return (r * (x[:, None] - mu)).mean(axis=0), -(d / (d @ w)[:, None]).mean(axis=0)


room.wrong(mixture_centres_sign, mixture, MIXTURE, "sign_flipped", "sq dens nll", "mu", wrt="mu w")


def depthwise_kernel_mixed(x, w, dy):
    n = dy.shape[1]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for j in range(w.shape[1]):
        dx[:, j : j + n] += dy * w[:, j][:, None]
        dw[:, j] = (dy * x[:, j : j + n]).sum()
    return dx, dw


room.wrong(depthwise_kernel_mixed, depthwise, DEPTHWISE, "summed_all_axes", "y", "w")


def depthwise_assigned(x, w, dy):
    n = dy.shape[1]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for j in range(w.shape[1]):
        dx[:, j : j + n] = dy * w[:, j][:, None]
        dw[:, j] = (dy * x[:, j : j + n]).sum(axis=1)
    return dx, dw


room.wrong(depthwise_assigned, depthwise, DEPTHWISE, "overwrites_instead_of_accumulates", "y", "x")


def overlap_lost(x, g):
    dx = np.zeros_like(x)
    for i in range(len(g)):
        dx[2 * i : 2 * i + 4] = g[i] / 4
    return dx


room.wrong(overlap_lost, overlapping_mean, {"x": normal(10)}, "overwrites_instead_of_accumulates", "y", "x")


def overlap_by_stride(x, g):
    dx = np.zeros_like(x)
    for i in range(len(g)):
        dx[2 * i : 2 * i + 4] += g[i] / 2
    return dx


room.wrong(overlap_by_stride, overlapping_mean, {"x": normal(10)}, "wrong_count extra_factor", "y", "x")


def segment_sum(x, seg, count, g):
    return g[seg]


room.wrong(segment_sum, segment_mean, SEGMENTS, "missing_mean missing_scale missing_weight", "means", "x", wrt="x")


def maxout_both(x, W, V, g):
    return g @ W.T + g @ V.T, x.T @ g, x.T @ g


room.wrong(maxout_both, maxout, MAXOUT, "missing_mask tie_double_count", "m", "x W V")


def cosines_not_projected(A, B, g):
    na, nb = np.linalg.norm(A, axis=1, keepdims=True), np.linalg.norm(B, axis=1, keepdims=True)
    return g @ (B / nb) / na, g.T @ (A / na) / nb


room.wrong(cosines_not_projected, cosine_rows, COSINES, "treats_stat_as_constant missing_path", "na nb S", "A B")


def leapfrog_stale_position(x, v, k):
    xs, vs = [x], [v]
    for _ in range(3):
        vs.append(vs[-1] - 0.1 * k * xs[-1])
        xs.append(xs[-1] + 0.1 * vs[-1])
    dx, dv, dk = k * xs[-1], vs[-1].copy(), 0.5 * xs[-1] @ xs[-1]
    for t in (2, 1, 0):
        dv = dv + 0.1 * dx
        dk = dk - 0.1 * dv @ xs[t + 1]
        dx = dx - 0.1 * k * dv
    return dx, dv, dk


room.wrong(leapfrog_stale_position, leapfrog, LEAPFROG, "off_by_one_index wrong_operand", "v", "k")


def poisson_not_exponential(X, w, y):
    eta = X @ w
    return X.T @ (eta - y) / len(y)


room.wrong(
    poisson_not_exponential, poisson_regression, POISSON, "uses_pre_activation_wrongly wrong_operand", "rate loss", "w",
    wrt="w",
)  # fmt: skip


def merge_by_reshape(x, Wo, g):
    n, h, d = x.shape
    merged = x.transpose(1, 0, 2).reshape(h, n * d)
    return (g @ Wo.T).reshape(x.shape), merged.T @ g


room.wrong(merge_by_reshape, multi_head, HEADS, "reshape_instead_of_transpose", "merged", "x")


def pool_only_values(H, u, g):
    s = H @ u
    a = np.exp(s - s.max())
    a /= a.sum()
    da = H @ g
    ds = a * (da - a @ da)
    return np.outer(a, g), H.T @ ds


room.wrong(pool_only_values, attention_pool, POOL, "missing_path", "s", "H")


def average_without_carry(x, g):
    return 0.1 * g


room.wrong(average_without_carry, momentum_average, {"x": normal(6)}, "truncated_recurrence missing_path", "m", "x")


def deep_reuses_delta(x, W1, W2, W3, W4, y):
    a1 = np.tanh(x @ W1)
    a2 = np.tanh(a1 @ W2)
    a3 = np.tanh(a2 @ W3)
    delta = (a3 @ W4 - y) / y.size
    g4 = a3.T @ delta
    delta = delta @ W4.T * (1 - a3**2)
    g3 = a2.T @ delta
    delta = delta @ W3.T * (1 - a3**2)
    g2 = a1.T @ delta
    delta = delta @ W2.T * (1 - a1**2)
    g1 = x.T @ delta
    return g1, g2, g3, g4


room.wrong(deep_reuses_delta, deep, DEEP, "wrong_operand", "a2", "W1 W2", wrt=CELLS)


def deep_two_faults(x, W1, W2, W3, W4, y):
    a1 = np.tanh(x @ W1)
    a2 = np.tanh(a1 @ W2)
    a3 = np.tanh(a2 @ W3)
    d = (a3 @ W4 - y) / len(y)
    grads = {"W4": a3.T @ d}
    d = d @ W4.T * (1 - a3**2)
    grads["W3"] = a2.T @ d
    d = d @ W3.T
    grads["W2"] = a1.T @ d
    d = d @ W2.T * (1 - a1**2)
    grads["W1"] = x.T @ d
    return grads


room.wrong(
    deep_two_faults, deep, DEEP, ["wrong_count", "missing_activation_grad"], ["loss", "a2"], "W1 W2 W3 W4", wrt=CELLS
)


def words_repeated(E, W, words, label):
    doc = E[words].sum(axis=0)
    q = np.exp(doc @ W)
    q /= q.sum()
    q[label] -= 1
    dE = np.zeros_like(E)
    dE[words] += W @ q
    return dE, np.outer(doc, q)


room.wrong(
    words_repeated,
    embedding_classifier,
    WORDS,
    "duplicate_index_overwrite overwrites_instead_of_accumulates",
    "rows",
    "E",
)


def words_outer_swapped(E, W, words, label):
    doc = E[words].sum(axis=0)
    q = np.exp(doc @ W)
    q /= q.sum()
    dE = np.zeros_like(E)
    np.add.at(dE, words, W @ q)
    return dE, np.outer(doc, q)


room.wrong(words_outer_swapped, embedding_classifier, WORDS, "missing_label_term missing_path", "loss q", "E W")


# ---- right
def low_rank_product(x, U, V, b, g):
    return g @ (U @ V).T, x.T @ g @ V.T, (x @ U).T @ g, g.sum(0)


room.right(low_rank_product, low_rank, LOWRANK)


def dice_by_quotient(p, t):
    S = p.sum() + t.sum()
    return -2 * (t * S - (p * t).sum()) / S**2


room.right(dice_by_quotient, dice, DICE, wrt="p")


def focal_by_cases(logits, y):
    out = []
    for z, k in zip(logits, y):
        z = z if k == 1 else -z
        s = 1 / (1 + np.exp(-z))
        d = 2 * (1 - s) * np.log(s) * s * (1 - s) - (1 - s) ** 3
        out.append((d if k == 1 else -d) / len(y))
    return np.array(out)


room.right(focal_by_cases, focal, FOCAL)


def triplet_in_a_loop(a, p, n):
    da, dp, dn = np.zeros_like(a), np.zeros_like(p), np.zeros_like(n)
    for i in range(len(a)):
        if ((a[i] - p[i]) ** 2).sum() + 0.5 > ((a[i] - n[i]) ** 2).sum():
            da[i] = 2 * (n[i] - p[i]) / len(a)
            dp[i] = 2 * (p[i] - a[i]) / len(a)
            dn[i] = 2 * (a[i] - n[i]) / len(a)
    return da, dp, dn


room.right(triplet_in_a_loop, triplet, TRIPLET, convention=True)


def weight_norm_projected(x, v, gain, dy):
    length = np.sqrt((v**2).sum(0))
    u = v / length
    dw = x.T @ dy
    along = np.einsum("ij,ij->j", u, dw)
    return dy @ (u * gain).T, gain / length * (dw - u * along), along


room.right(weight_norm_projected, weight_norm, NORMED)


def highway_collected(x, Wh, Wt, dy):
    h, t = np.tanh(x @ Wh), 1 / (1 + np.exp(-x @ Wt))
    back = np.hstack([dy * t / np.cosh(x @ Wh) ** 2, dy * (h - x) * t * (1 - t)])
    both = np.hstack([Wh, Wt])
    grads = x.T @ back
    n = Wh.shape[1]
    return back @ both.T + dy - dy * t, grads[:, :n], grads[:, n:]


room.right(highway_collected, highway, HIGHWAY)


def graph_by_einsum(A, H, W, g):
    on = np.sign(np.maximum(A @ H @ W, 0)) * g
    return (
        np.einsum("nk,dk,md->nm", on, W, H),
        np.einsum("nm,nk,dk->md", A, on, W),
        np.einsum("nm,md,nk->dk", A, H, on),
    )


room.right(graph_by_einsum, graph_conv, GRAPH, convention=True)


def groups_one_by_one(x, dout):
    dx = np.zeros(x.shape)
    half = x.shape[1] // 2
    for i in range(len(x)):
        for k in (0, 1):
            part = np.s_[i, half * k : half * (k + 1)]
            block, d = x[part], dout[part]
            s = np.sqrt(block.var() + 1e-5)
            c = (block - block.mean()) / s
            dx[part] = (d - d.mean() - c * (d * c).mean()) / s
    return dx


room.right(groups_one_by_one, group_norm, GROUPS)


def springs_by_differences(q, k, rest):
    s = np.diff(q) - rest
    return -np.diff(k * s, prepend=0, append=0), s * s / 2, -k * s


room.right(springs_by_differences, springs, SPRINGS)


def horner_backwards(x, c, g):
    powers = np.vander(x, 4, increasing=True)
    return g * (powers[:, :3] @ (c[1:] * np.arange(1, 4))), powers.T @ g


room.right(horner_backwards, polynomial, POLYNOMIAL)


def responsibilities(x, mu, w):
    logs = np.log(w) - 0.5 * (x[:, None] - mu) ** 2
    r = np.exp(logs - np.logaddexp.reduce(logs, axis=1)[:, None])
    return (r * (mu - x[:, None])).mean(0), -r.mean(0) / w


room.right(responsibilities, mixture, MIXTURE, wrt="mu w")


def depthwise_by_convolve(x, w, dy):
    dx = np.array([np.convolve(g, k) for g, k in zip(dy, w)])
    dw = np.array([np.correlate(row, g) for row, g in zip(x, dy)])
    return dx, dw


room.right(depthwise_by_convolve, depthwise, DEPTHWISE)


def deep_recursive(x, W1, W2, W3, W4, y):
    def back(a, weights):
        if len(weights) == 1:
            e = (a @ weights[0] - y) / y.size
            return [a.T @ e], e @ weights[0].T
        h = np.tanh(a @ weights[0])
        rest, dh = back(h, weights[1:])
        dz = dh - dh * h * h
        return [a.T @ dz, *rest], dz @ weights[0].T

    return back(x, [W1, W2, W3, W4])[0]


room.right(deep_recursive, deep, DEEP, wrt=CELLS)


def average_from_the_end(x, g):
    d, carry = np.empty_like(x), 0.0
    for t in range(len(x) - 1, -1, -1):
        carry = 0.9 * carry + g[t]
        d[t] = carry / 10
    return d


room.right(average_from_the_end, momentum_average, {"x": normal(6)})


def pooled(H, u, g):
    s = H @ u
    a = np.exp(s - s.max())
    a /= a.sum()
    ds = a * ((H - a @ H) @ g)
    return a[:, None] * g + ds[:, None] * u, ds @ H


room.right(pooled, attention_pool, POOL)


def leapfrog_by_matrix(x, v, k):
    def value(kk):
        M = np.eye(2)
        for _ in range(3):
            M = np.array([[1, 0.1], [0, 1]]) @ np.array([[1, 0], [-0.1 * kk, 1]]) @ M
        return M

    M = value(k)
    dM = (value(k + 1e-30j)).imag / 1e-30
    end = M @ np.stack([x, v])
    weight = np.array([[k], [1.0]]) * end
    dxv = M.T @ weight
    return dxv[0], dxv[1], (weight * (dM @ np.stack([x, v]))).sum() + 0.5 * (end[0] ** 2).sum()


room.right(leapfrog_by_matrix, leapfrog, LEAPFROG)
