"""Normalisation: routes through statistics, gains, axes, epsilons."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("normalisation")
normal = room.normal


def batch_norm(x, gamma, beta, eps):
    mu = x.mean(axis=0)
    xmu = x - mu
    var = (xmu**2).mean(axis=0)
    std = np.sqrt(var + eps)
    xhat = xmu / std
    out = gamma * xhat + beta
    return out


def layer_norm(x, gamma, beta):
    mean = x.mean(axis=-1, keepdims=True)
    var = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    xhat = (x - mean) / np.sqrt(var + 1e-5)
    y = gamma * xhat + beta
    return y


def rms_norm(x, gain):
    ms = (x * x).mean(axis=-1, keepdims=True)
    r = 1 / np.sqrt(ms + 1e-6)
    y = x * r * gain
    return y


def unit(x):
    n = np.sqrt((x**2).sum(axis=1, keepdims=True))
    y = x / n
    return y


def centred(x):
    m = x.mean(axis=0)
    y = x - m
    return y


def standardise(x):
    mu = x.mean(axis=0)
    sd = x.std(axis=0)
    z = (x - mu) / sd
    return z


def sum_to_one(x):
    total = x.sum(axis=1, keepdims=True)
    y = x / total
    return y


def spread(x):
    mu = x.mean()
    v = ((x - mu) ** 2).sum() / (len(x) - 1)
    return v


BATCH = {"x": normal(7, 3), "gamma": normal(3), "beta": normal(3), "eps": 1e-3}
LAYER = {"x": normal(5, 4), "gamma": normal(4), "beta": normal(4)}
ALL = "x gamma beta"


def parts(x, eps):
    mu = x.mean(axis=0)
    xmu = x - mu
    istd = 1 / np.sqrt(xmu.var(axis=0) + eps)
    return xmu, istd, xmu * istd


def bn_statistics_constant(x, gamma, beta, eps, dout):
    xmu, istd, xhat = parts(x, eps)
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dx = dout * gamma * istd
    return dx, dgamma, dbeta


room.wrong(
    bn_statistics_constant, batch_norm, BATCH,
     "treats_stat_as_constant missing_mean_path missing_var_path missing_path",
    "xhat xmu var mu std", "x", wrt=ALL,
)  # fmt: skip


def bn_without_mean_route(x, gamma, beta, eps, dout):
    N = x.shape[0]
    xmu, istd, xhat = parts(x, eps)
    dxhat = dout * gamma
    dvar = (dxhat * xmu * -0.5 * istd**3).sum(axis=0)
    dx = dxhat * istd + dvar * 2 * xmu / N
    return dx, (dout * xhat).sum(0), dout.sum(0)


room.wrong(
    bn_without_mean_route, batch_norm, BATCH, "missing_mean_path missing_path treats_stat_as_constant", "xmu mu", "x",
    wrt=ALL,
)  # fmt: skip


def bn_without_variance_route(x, gamma, beta, eps, dout):
    xmu, istd, xhat = parts(x, eps)
    dxhat = dout * gamma
    dxmu = dxhat * istd
    dx = dxmu - dxmu.mean(axis=0)
    return dx, np.sum(dout * xhat, axis=0), np.sum(dout, axis=0)


room.wrong(
    bn_without_variance_route, batch_norm, BATCH, "missing_var_path missing_path treats_stat_as_constant",
     "xhat std var xmu", "x",
    wrt=ALL,
)  # fmt: skip


def bn_gamma_with_x(x, gamma, beta, eps, dout):
    N = len(x)
    xmu, istd, xhat = parts(x, eps)
    dgamma = np.sum(dout * x, axis=0)
    d = dout * gamma
    dx = istd / N * (N * d - d.sum(axis=0) - xhat * (d * xhat).sum(axis=0))
    return dx, dgamma, dout.sum(axis=0)


room.wrong(bn_gamma_with_x, batch_norm, BATCH, "wrong_operand", "out", "gamma", wrt=ALL)


def bn_gamma_centred(x, gamma, beta, eps, dout):
    N = len(x)
    xmu, istd, xhat = parts(x, eps)
    dgamma = np.sum(dout * xmu, axis=0)
    d = dout * gamma
    dx = istd / N * (N * d - d.sum(axis=0) - xhat * (d * xhat).sum(axis=0))
    return dx, dgamma, dout.sum(axis=0)


room.wrong(
    bn_gamma_centred,
    batch_norm,
    BATCH,
    "wrong_operand missing_scale uses_pre_activation_wrongly",
    "out",
    "gamma",
    wrt=ALL,
)


def bn_without_gamma(x, gamma, beta, eps, dout):
    N = len(x)
    xmu, istd, xhat = parts(x, eps)
    d = dout
    dx = istd / N * (N * d - d.sum(axis=0) - xhat * (d * xhat).sum(axis=0))
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


room.wrong(bn_without_gamma, batch_norm, BATCH, "missing_scale", "out", "x", wrt=ALL)


def bn_ddof(x, gamma, beta, eps, dout):
    N = len(x)
    xmu, istd, xhat = parts(x, eps)
    d = dout * gamma
    dvar = np.sum(d * xmu, axis=0) * -0.5 * istd**3
    dmu = -np.sum(d * istd, axis=0)
    dx = d * istd + dvar * 2 * xmu / (N - 1) + dmu / N
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


room.wrong(bn_ddof, batch_norm, BATCH, "wrong_count", "var", "x", wrt=ALL)


def bn_power(x, gamma, beta, eps, dout):
    N = len(x)
    xmu, istd, xhat = parts(x, eps)
    d = dout * gamma
    dvar = np.sum(d * xmu, axis=0) * -0.5 * istd**2
    dmu = -np.sum(d * istd, axis=0)
    dx = d * istd + dvar * 2 * xmu / N + dmu / N
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


room.wrong(bn_power, batch_norm, BATCH, "wrong_power wrong_operand", "xhat std", "x", wrt=ALL)


def bn_half_forgotten(x, gamma, beta, eps, dout):
    N = len(x)
    xmu, istd, xhat = parts(x, eps)
    d = dout * gamma
    dvar = -np.sum(d * xmu, axis=0) * istd**3
    dx = d * istd + dvar * 2 * xmu / N - np.sum(d * istd, axis=0) / N
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


room.wrong(bn_half_forgotten, batch_norm, BATCH, "extra_factor factor_2_missing", "std var", "x", wrt=ALL)


def bn_other_epsilon(x, gamma, beta, eps, dout):
    N = len(x)
    xmu = x - x.mean(0)
    istd = 1 / (np.sqrt(xmu.var(axis=0)) + eps)
    xhat = xmu * istd
    d = dout * gamma
    dx = istd / N * (N * d - d.sum(axis=0) - xhat * (d * xhat).sum(axis=0))
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


room.wrong(bn_other_epsilon, batch_norm, BATCH | {"eps": 0.05}, "eps_inconsistent", "std", "x gamma", wrt=ALL)


def bn_no_epsilon(x, gamma, beta, eps, dout):
    N = len(x)
    xmu = x - x.mean(0)
    istd = 1 / np.sqrt(xmu.var(axis=0))
    xhat = xmu * istd
    d = dout * gamma
    dx = istd / N * (N * d - d.sum(axis=0) - xhat * (d * xhat).sum(axis=0))
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


room.wrong(bn_no_epsilon, batch_norm, BATCH | {"eps": 0.02}, "eps_inconsistent", "std", "x gamma", wrt=ALL)


class BatchNormMeanOfSum:
    def __init__(self, gamma, beta, eps):
        self.gamma, self.beta, self.eps = gamma, beta, eps

    def forward(self, x):
        self.xc, self.istd, self.xn = parts(x, self.eps)
        return self.gamma * self.xn + self.beta

    def backward(self, dout):
        self.dbeta = dout.sum(axis=0)
        self.dgamma = np.sum(self.xn * dout, axis=0)
        dxn = self.gamma * dout
        dxc = dxn * self.istd
        dstd = -np.sum(dxn * self.xc, axis=0) * self.istd**2
        dvar = 0.5 * dstd * self.istd
        dxc += 2.0 * self.xc * dvar
        dmu = np.sum(dxc, axis=0)
        return dxc - dmu / len(dout)


room.wrong(BatchNormMeanOfSum, batch_norm, BATCH, "missing_batch_mean missing_mean", "var", "x", wrt=ALL)


def bn_dvar_not_summed_to_mean(x, gamma, beta, eps, dout):
    N = len(x)
    xmu, istd, xhat = parts(x, eps)
    d = dout * gamma
    dvar = np.sum(d * xmu, axis=0) * -0.5 * istd**3
    dmu = -np.sum(d * istd, axis=0)
    dx = d * istd + dvar * 2 * xmu / N + dmu
    return dx, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


room.wrong(bn_dvar_not_summed_to_mean, batch_norm, BATCH, "missing_batch_mean missing_mean", "mu", "x", wrt=ALL)


# ---- layer norm
def ln_batch_axis(x, gamma, beta, g):
    mean = x.mean(-1, keepdims=True)
    inv = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    xhat = (x - mean) * inv
    d = g * gamma
    dx = inv * (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0))
    return dx, (g * xhat).sum(0), g.sum(0)


room.wrong(ln_batch_axis, layer_norm, LAYER, ["wrong_axis", "wrong_axis"], ["mean xhat", "var xhat mean"], "x")


def ln_gamma_over_features(x, gamma, beta, g):
    mean = x.mean(-1, keepdims=True)
    inv = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    xhat = (x - mean) * inv
    d = g * gamma
    dx = inv * (d - d.mean(axis=-1, keepdims=True) - xhat * (d * xhat).mean(axis=-1, keepdims=True))
    return dx, (g * xhat).sum(axis=-1), g.sum(axis=0)


room.wrong(
    ln_gamma_over_features, layer_norm, {"x": normal(4, 4), "gamma": normal(4), "beta": normal(4)}, "wrong_axis", "y",
    "gamma",
)  # fmt: skip


def ln_gain_after_means(x, gamma, beta, g):
    mean = x.mean(-1, keepdims=True)
    inv = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    xhat = (x - mean) * inv
    dx = gamma * inv * (g - g.mean(-1, keepdims=True) - xhat * (g * xhat).mean(-1, keepdims=True))
    return dx, (g * xhat).sum(0), g.sum(0)


room.wrong(
    ln_gain_after_means, layer_norm, LAYER,
    "missing_scale wrong_order wrong_operand wrong_local_derivative misplaced_factor", "y xhat", "x",
)  # fmt: skip


def ln_three_dimensional(x, gamma, beta, g):
    mean = x.mean(-1, keepdims=True)
    inv = 1 / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    xhat = (x - mean) * inv
    d = g * gamma
    dx = inv * (d - d.mean(-1, keepdims=True) - xhat * (d * xhat).mean(-1, keepdims=True))
    return dx, (g * xhat).sum(axis=0), g.sum(axis=0)


room.wrong(
    ln_three_dimensional, layer_norm, {"x": normal(2, 3, 5), "gamma": normal(5), "beta": normal(5)},
    "broadcast_not_reduced bias_not_summed wrong_axis", "y", "gamma beta",
)  # fmt: skip


# ---- others
def rms_scale_only(x, gain, g):
    r = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    return g * gain * r, (g * x * r).sum(axis=0)


RMS = {"x": normal(5, 4), "gain": normal(4)}
room.wrong(rms_scale_only, rms_norm, RMS, "treats_stat_as_constant missing_path missing_var_path", "r ms y", "x")


def rms_not_averaged(x, gain, g):
    r = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    d = g * gain
    dx = r * d - x * r**3 * (d * x).sum(-1, keepdims=True)
    return dx, (g * x * r).sum(axis=0)


room.wrong(rms_not_averaged, rms_norm, RMS, "missing_mean", "ms", "x")


def rms_square_for_cube(x, gain, g):
    r = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    d = g * gain
    dx = r * d - x * r**2 * (d * x).mean(-1, keepdims=True)
    return dx, (g * x * r).sum(axis=0)


room.wrong(rms_square_for_cube, rms_norm, RMS, "wrong_power", "r ms", "x")


def unit_constant_norm(x, g):
    return g / np.linalg.norm(x, axis=1, keepdims=True)


ROWS = {"x": normal(5, 3)}
room.wrong(unit_constant_norm, unit, ROWS, "treats_stat_as_constant missing_path", "n y", "x")


def unit_without_division(x, g):
    n = np.linalg.norm(x, axis=1, keepdims=True)
    u = x / n
    return g - u * (g * u).sum(axis=1, keepdims=True)


room.wrong(unit_without_division, unit, ROWS, "missing_scale missing_factor", "y n", "x")


def unit_projector_of_all(x, g):
    n = np.linalg.norm(x, axis=1, keepdims=True)
    u = x / n
    return (g - u * (g * u).sum()) / n


room.wrong(unit_projector_of_all, unit, ROWS, "summed_all_axes wrong_axis", "y n", "x")


def centred_identity(x, g):
    return g


room.wrong(centred_identity, centred, ROWS, "missing_mean_path missing_path treats_stat_as_constant", "m y", "x")


def centred_sum(x, g):
    return g - g.sum(axis=0)


room.wrong(centred_sum, centred, ROWS, "missing_batch_mean missing_mean", "m", "x")


def centred_rows(x, g):
    return g - g.mean(axis=1, keepdims=True)


room.wrong(centred_rows, centred, ROWS, "wrong_axis", "m", "x")


def standardise_variance_constant(x, g):
    sd = x.std(axis=0)
    return (g - g.mean(axis=0)) / sd


room.wrong(
    standardise_variance_constant, standardise, {"x": normal(6, 3)},
    "missing_var_path treats_stat_as_constant missing_path", "sd z", "x",
)  # fmt: skip


def share_constant_total(x, g):
    return g / x.sum(axis=1, keepdims=True)


SHARES = {"x": room.positive(4, 3)}
room.wrong(share_constant_total, sum_to_one, SHARES, "treats_stat_as_constant missing_path", "total y", "x")


def share_quotient_rule(x, g):
    t = x.sum(axis=1, keepdims=True)
    return g / t - (g * x).sum(axis=1, keepdims=True) / t


room.wrong(share_quotient_rule, sum_to_one, SHARES, "wrong_power", "y total", "x")


def spread_by_n(x):
    return 2 * (x - x.mean()) / len(x)


room.wrong(spread_by_n, spread, {"x": normal(6)}, "wrong_count", "v", "x")
