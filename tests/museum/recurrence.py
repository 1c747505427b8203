"""Recurrences: gradients that do not travel back in time, or do so wrongly."""

from __future__ import annotations

import numpy as np

from tests.museum.exhibit import Room

room = Room("recurrence")
normal = room.normal


def rnn(x, h0, Wx, Wh, b):
    h = h0
    for t in range(x.shape[0]):
        z = x[t] @ Wx + h @ Wh + b
        h = np.tanh(z)
    return h


def rnn_all(x, h0, Wx, Wh):
    hs = np.zeros((len(x), h0.shape[0]))
    h = h0
    for t in range(len(x)):
        h = np.tanh(x[t] @ Wx + h @ Wh)
        hs[t] = h
    return hs


def lstm_cell(x, h, c, W, b):
    H = h.shape[1]
    a = np.concatenate([x, h], axis=1) @ W + b
    i = 1 / (1 + np.exp(-a[:, :H]))
    f = 1 / (1 + np.exp(-a[:, H : 2 * H]))
    o = 1 / (1 + np.exp(-a[:, 2 * H : 3 * H]))
    g = np.tanh(a[:, 3 * H :])
    c_new = f * c + i * g
    h_new = o * np.tanh(c_new)
    return h_new


def gru_cell(x, h, Wr, Ur, Wz, Uz, Wn, Un):
    r = 1 / (1 + np.exp(-(x @ Wr + h @ Ur)))
    z = 1 / (1 + np.exp(-(x @ Wz + h @ Uz)))
    n = np.tanh(x @ Wn + (r * h) @ Un)
    out = (1 - z) * n + z * h
    return out


def filtered(x, a):
    y = np.zeros(len(x))
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = a * y[i - 1] + x[i]
    return y


def running(x):
    c = np.cumsum(x)
    return c


def powers(x, n):
    p = x
    for _ in range(n - 1):
        p = p * x
    return p


def shifted(x):
    y = np.roll(x, 2)
    return y


def steps_of(x):
    d = x[1:] - x[:-1]
    return d


RNN = {"x": normal(4, 2, 3), "h0": normal(2, 5), "Wx": normal(3, 5), "Wh": 0.5 * normal(5, 5), "b": normal(5)}
ALL = {"x": normal(4, 3), "h0": normal(5), "Wx": normal(3, 5), "Wh": 0.5 * normal(5, 5)}


def states(x, h0, Wx, Wh, b):
    hs = [h0]
    for t in range(len(x)):
        hs.append(np.tanh(x[t] @ Wx + hs[-1] @ Wh + b))
    return hs


def bptt_one_step(x, h0, Wx, Wh, b, dh):
    hs = states(x, h0, Wx, Wh, b)
    t = len(x) - 1
    dz = dh * (1 - hs[-1] ** 2)
    dx = np.zeros_like(x)
    dx[t] = dz @ Wx.T
    return {"x": dx, "h0": np.zeros_like(h0), "Wx": x[t].T @ dz, "Wh": hs[-2].T @ dz, "b": dz.sum(axis=0)}


room.wrong(bptt_one_step, rnn, RNN, "truncated_recurrence missing_path", "h z", "x h0 Wx Wh b")


def bptt_assigns(x, h0, Wx, Wh, b, dh):
    hs = states(x, h0, Wx, Wh, b)
    dx = np.zeros_like(x)
    for t in reversed(range(len(x))):
        dz = dh * (1 - hs[t + 1] ** 2)
        dWx = x[t].T @ dz
        dWh = hs[t].T @ dz
        db = dz.sum(axis=0)
        dx[t] = dz @ Wx.T
        dh = dz @ Wh.T
    return dx, dh, dWx, dWh, db


room.wrong(bptt_assigns, rnn, RNN, "overwrites_instead_of_accumulates", "z h", "Wx Wh b")


def bptt_current_state(x, h0, Wx, Wh, b, dh):
    hs = states(x, h0, Wx, Wh, b)
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in range(len(x) - 1, -1, -1):
        h = hs[t + 1]
        dz = dh * (1 - h * h)
        dWx += x[t].T @ dz
        dWh += h.T @ dz
        db += dz.sum(axis=0)
        dx[t] = dz @ Wx.T
        dh = dz @ Wh.T
    return dx, dh, dWx, dWh, db


room.wrong(bptt_current_state, rnn, RNN, "off_by_one_index wrong_operand", "z h", "Wh")


def bptt_without_tanh(x, h0, Wx, Wh, b, dh):
    hs = states(x, h0, Wx, Wh, b)
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in reversed(range(len(x))):
        dz = dh
        dWx, dWh, db = dWx + x[t].T @ dz, dWh + hs[t].T @ dz, db + dz.sum(0)
        dx[t] = dz @ Wx.T
        dh = dz @ Wh.T
    return dx, dh, dWx, dWh, db


room.wrong(bptt_without_tanh, rnn, RNN, "missing_activation_grad", "h", "x h0 Wx Wh b")


def bptt_forgets_transpose(x, h0, Wx, Wh, b, dh):
    hs = states(x, h0, Wx, Wh, b)
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in reversed(range(len(x))):
        dz = dh * (1 - hs[t + 1] ** 2)
        dWx += x[t].T @ dz
        dWh += hs[t].T @ dz
        db += dz.sum(axis=0)
        dx[t] = dz @ Wx.T
        dh = dz @ Wh
    return dx, dh, dWx, dWh, db


room.wrong(bptt_forgets_transpose, rnn, RNN, "missing_transpose", "z h", "x h0 Wx Wh b")


def bptt_input_of_last_step(x, h0, Wx, Wh, b, dh):
    hs = states(x, h0, Wx, Wh, b)
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in reversed(range(len(x))):
        dz = dh * (1 - hs[t + 1] ** 2)
        dWx += x[-1].T @ dz
        dWh += hs[t].T @ dz
        db += dz.sum(axis=0)
        dx[t] = dz @ Wx.T
        dh = dz @ Wh.T
    return dx, dh, dWx, dWh, db


room.wrong(bptt_input_of_last_step, rnn, RNN, "off_by_one_index wrong_operand wrong_index", "z", "Wx")


def bptt_derivative_of_previous(x, h0, Wx, Wh, b, dh):
    hs = states(x, h0, Wx, Wh, b)
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in reversed(range(len(x))):
        dz = dh * (1 - hs[t] ** 2)
        dWx += x[t].T @ dz
        dWh += hs[t].T @ dz
        db += dz.sum(axis=0)
        dx[t] = dz @ Wx.T
        dh = dz @ Wh.T
    return dx, dh, dWx, dWh, db


room.wrong(bptt_derivative_of_previous, rnn, RNN, "off_by_one_index wrong_operand", "h", "x h0 Wx Wh b")


def bptt_averages_over_time(x, h0, Wx, Wh, b, dh):
    hs = states(x, h0, Wx, Wh, b)
    T = len(x)
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in reversed(range(T)):
        dz = dh * (1 - hs[t + 1] ** 2)
        dWx += x[t].T @ dz / T
        dWh += hs[t].T @ dz / T
        db += dz.sum(axis=0) / T
        dx[t] = dz @ Wx.T
        dh = dz @ Wh.T
    return dx, dh, dWx, dWh, db


room.wrong(bptt_averages_over_time, rnn, RNN, "extra_mean extra_batch_mean wrong_count extra_factor", "z", "Wx Wh b")


# ---- every state is read
def all_states(x, h0, Wx, Wh):
    hs, h = [h0], h0
    for t in range(len(x)):
        h = np.tanh(x[t] @ Wx + h @ Wh)
        hs.append(h)
    return hs


def each_step_alone(x, h0, Wx, Wh, dhs):
    hs = all_states(x, h0, Wx, Wh)
    dx, dh0 = np.zeros_like(x), np.zeros_like(h0)
    dWx, dWh = np.zeros_like(Wx), np.zeros_like(Wh)
    for t in range(len(x)):
        dz = dhs[t] * (1 - hs[t + 1] ** 2)
        dx[t] = Wx @ dz
        dWx += np.outer(x[t], dz)
        dWh += np.outer(hs[t], dz)
        if t == 0:
            dh0 = Wh @ dz
    return dx, dh0, dWx, dWh


room.wrong(each_step_alone, rnn_all, ALL, "truncated_recurrence missing_path", "h", "x h0 Wx Wh")


def last_step_only(x, h0, Wx, Wh, dhs):
    hs = all_states(x, h0, Wx, Wh)
    dx = np.zeros_like(x)
    dWx, dWh = np.zeros_like(Wx), np.zeros_like(Wh)
    carry = dhs[-1]
    for t in reversed(range(len(x))):
        dz = carry * (1 - hs[t + 1] ** 2)
        dx[t] = Wx @ dz
        dWx += np.outer(x[t], dz)
        dWh += np.outer(hs[t], dz)
        carry = Wh @ dz
    return dx, carry, dWx, dWh


room.wrong(last_step_only, rnn_all, ALL, "missing_path overwrites_instead_of_accumulates", "hs h", "x h0 Wx Wh")


def carry_is_never_cleared(x, h0, Wx, Wh, dhs):
    hs = all_states(x, h0, Wx, Wh)
    dx, carry = np.zeros_like(x), np.zeros_like(h0)
    dWx, dWh = np.zeros_like(Wx), np.zeros_like(Wh)
    for t in reversed(range(len(x))):
        dz = (dhs[t] + carry) * (1 - hs[t + 1] ** 2)
        dx[t] = Wx @ dz
        dWx += np.outer(x[t], dz)
        dWh += np.outer(hs[t], dz)
        carry += Wh @ dz
    return dx, carry, dWx, dWh


room.wrong(
    carry_is_never_cleared, rnn_all, ALL, "accumulates_instead_of_overwrites state_leak extra_term extra_path", "h",
    "x h0 Wx Wh",
)  # fmt: skip


# ---- cells
LSTM = {"x": normal(2, 3), "h": normal(2, 4), "c": normal(2, 4), "W": normal(7, 16), "b": normal(16)}


def lstm_values(x, h, c, W, b):
    H = h.shape[1]
    xh = np.concatenate([x, h], axis=1)
    a = xh @ W + b
    s = 1 / (1 + np.exp(-a))
    i, f, o, g = s[:, :H], s[:, H : 2 * H], s[:, 2 * H : 3 * H], np.tanh(a[:, 3 * H :])
    c_new = f * c + i * g
    return xh, i, f, o, g, c_new


def finish(x, W, xh, da):
    dxh = da @ W.T
    return dxh[:, : x.shape[1]], dxh[:, x.shape[1] :], xh.T @ da, da.sum(axis=0)


def lstm_cell_tanh(x, h, c, W, b, dh):
    xh, i, f, o, g, cn = lstm_values(x, h, c, W, b)
    do = dh * np.tanh(cn)
    dc = dh * o
    da = np.hstack([dc * g * i * (1 - i), dc * c * f * (1 - f), do * o * (1 - o), dc * i * (1 - g**2)])
    dx, dh_prev, dW, db = finish(x, W, xh, da)
    return dx, dh_prev, dc * f, dW, db


room.wrong(lstm_cell_tanh, lstm_cell, LSTM, "missing_activation_grad", "h_new", "x h c W b")


def lstm_gate_for_derivative(x, h, c, W, b, dh):
    xh, i, f, o, g, cn = lstm_values(x, h, c, W, b)
    do = dh * np.tanh(cn)
    dc = dh * o * (1 - np.tanh(cn) ** 2)
    da = np.hstack([dc * g * i * (1 - i), dc * c * f, do * o * (1 - o), dc * i * (1 - g**2)])
    dx, dh_prev, dW, db = finish(x, W, xh, da)
    return dx, dh_prev, dc * f, dW, db


room.wrong(
    lstm_gate_for_derivative, lstm_cell, LSTM,
     "wrong_local_derivative missing_activation_grad missing_factor activation_for_derivative", "f",
    "x h W b",
)  # fmt: skip


def lstm_old_and_new_cell(x, h, c, W, b, dh):
    xh, i, f, o, g, cn = lstm_values(x, h, c, W, b)
    do = dh * np.tanh(cn)
    dc = dh * o * (1 - np.tanh(cn) ** 2)
    da = np.hstack([dc * g * i * (1 - i), dc * cn * f * (1 - f), do * o * (1 - o), dc * i * (1 - g**2)])
    dx, dh_prev, dW, db = finish(x, W, xh, da)
    return dx, dh_prev, dc * f, dW, db


room.wrong(lstm_old_and_new_cell, lstm_cell, LSTM, "wrong_operand off_by_one_index", "c_new", "x h W b")


def lstm_candidate_as_sigmoid(x, h, c, W, b, dh):
    xh, i, f, o, g, cn = lstm_values(x, h, c, W, b)
    do = dh * np.tanh(cn)
    dc = dh * o * (1 - np.tanh(cn) ** 2)
    da = np.hstack([dc * g * i * (1 - i), dc * c * f * (1 - f), do * o * (1 - o), dc * i * g * (1 - g)])
    dx, dh_prev, dW, db = finish(x, W, xh, da)
    return dx, dh_prev, dc * f, dW, db


room.wrong(lstm_candidate_as_sigmoid, lstm_cell, LSTM, "wrong_local_derivative", "g", "x h W b")


def lstm_output_gate_with_cell(x, h, c, W, b, dh):
    xh, i, f, o, g, cn = lstm_values(x, h, c, W, b)
    do = dh * cn
    dc = dh * o * (1 - np.tanh(cn) ** 2)
    da = np.hstack([dc * g * i * (1 - i), dc * c * f * (1 - f), do * o * (1 - o), dc * i * (1 - g**2)])
    dx, dh_prev, dW, db = finish(x, W, xh, da)
    return dx, dh_prev, dc * f, dW, db


room.wrong(lstm_output_gate_with_cell, lstm_cell, LSTM, "wrong_operand uses_pre_activation_wrongly", "h_new", "x h W b")


def lstm_carry_forgets_gate(x, h, c, W, b, dh):
    xh, i, f, o, g, cn = lstm_values(x, h, c, W, b)
    do = dh * np.tanh(cn)
    dc = dh * o * (1 - np.tanh(cn) ** 2)
    da = np.hstack([dc * g * i * (1 - i), dc * c * f * (1 - f), do * o * (1 - o), dc * i * (1 - g**2)])
    dx, dh_prev, dW, db = finish(x, W, xh, da)
    return dx, dh_prev, dc, dW, db


room.wrong(lstm_carry_forgets_gate, lstm_cell, LSTM, "missing_scale missing_factor missing_weight", "c_new", "c")

GRU = {
    "x": normal(2, 3), "h": normal(2, 4), "Wr": normal(3, 4), "Ur": normal(4, 4), "Wz": normal(3, 4),
    "Uz": normal(4, 4), "Wn": normal(3, 4), "Un": normal(4, 4),
}  # fmt: skip


def gru_backward(x, h, Wr, Ur, Wz, Uz, Wn, Un, g, reset_route=True, direct_route=True, sign=1):
    r = 1 / (1 + np.exp(-(x @ Wr + h @ Ur)))
    z = 1 / (1 + np.exp(-(x @ Wz + h @ Uz)))
    n = np.tanh(x @ Wn + (r * h) @ Un)
    dn = g * (1 - z) * (1 - n**2)
    dz = g * (h - n) * sign * z * (1 - z)
    drh = dn @ Un.T
    dr = drh * h * r * (1 - r)
    dh = dr @ Ur.T + dz @ Uz.T
    if direct_route:
        dh = dh + g * z
    if reset_route:
        dh = dh + drh * r
    dx = dr @ Wr.T + dz @ Wz.T + dn @ Wn.T
    return dx, dh, x.T @ dr, h.T @ dr, x.T @ dz, h.T @ dz, x.T @ dn, (r * h).T @ dn


def gru_without_reset_route(x, h, Wr, Ur, Wz, Uz, Wn, Un, g):
    return gru_backward(x, h, Wr, Ur, Wz, Uz, Wn, Un, g, reset_route=False)


room.wrong(gru_without_reset_route, gru_cell, GRU, "missing_path", "n", "h")


def gru_without_direct_route(x, h, Wr, Ur, Wz, Uz, Wn, Un, g):
    return gru_backward(x, h, Wr, Ur, Wz, Uz, Wn, Un, g, direct_route=False)


room.wrong(gru_without_direct_route, gru_cell, GRU, "missing_path", "out", "h")


def gru_update_sign(x, h, Wr, Ur, Wz, Uz, Wn, Un, g):
    return gru_backward(x, h, Wr, Ur, Wz, Uz, Wn, Un, g, sign=-1)


room.wrong(gru_update_sign, gru_cell, GRU, "sign_flipped sign_flipped_term", "z out", "x h Wz Uz")


# ---- scans
def filter_without_carry(x, a, g):
    y = filtered(x, a)
    dx = g.copy()
    da = (g[1:] * y[:-1]).sum()
    return dx, da


FILTER = {"x": normal(6), "a": np.array(0.7)}
room.wrong(filter_without_carry, filtered, FILTER, "truncated_recurrence missing_path", "y", "x a")


def filter_current_value(x, a, g):
    y = filtered(x, a)
    dx, da, carry = np.zeros_like(x), 0.0, 0.0
    for i in range(len(x) - 1, -1, -1):
        carry = g[i] + a * carry
        dx[i] = carry
        if i > 0:
            da += carry * y[i]
    return dx, da


room.wrong(filter_current_value, filtered, FILTER, "off_by_one_index wrong_operand", "y", "a")


def cumsum_forward_again(x, g):
    return np.cumsum(g)


room.wrong(cumsum_forward_again, running, {"x": normal(6)}, "not_reversed", "c", "x")


def cumsum_not_turned_back(x, g):
    return np.cumsum(g[::-1])


room.wrong(cumsum_not_turned_back, running, {"x": normal(6)}, "not_reversed", "c", "x")


def powers_without_n(x, n, g):
    return g * x ** (n - 1)


room.wrong(
    powers_without_n, powers, {"x": normal(4), "n": 3}, "missing_path extra_factor missing_scale wrong_count", "p", "x"
)


def roll_again(x, g):
    return np.roll(g, 2)


room.wrong(roll_again, shifted, {"x": normal(7)}, "not_reversed permutation_not_inverted", "y", "x")


def difference_one_end(x, g):
    d = np.zeros_like(x)
    d[1:] += g
    return d


room.wrong(difference_one_end, steps_of, {"x": normal(6)}, "missing_path", "d", "x")


def difference_overlap(x, g):
    d = np.zeros_like(x)
    d[1:] = g
    d[:-1] = -g
    return d


room.wrong(difference_overlap, steps_of, {"x": normal(6)}, "overwrites_instead_of_accumulates missing_path", "d", "x")
