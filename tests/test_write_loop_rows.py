"""Loops that read rows of arrays and of what other loops left, from any row on, with a first turn that stands apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr

normal = np.random.default_rng(0).standard_normal


def _states(w, x0, xs):
    h = x0
    states = [h]
    for x in xs:
        h = np.tanh(h * w + x)
        states.append(h)
    return states


def first_state_apart(w, h0, xs, ys):
    states = _states(w, h0, xs)
    loss = 0.0
    for t in range(xs.shape[0]):
        loss += np.sum(states[t] * ys[t])
    return loss


def all_but_the_last_ones(w, h0, xs, ys):
    loss = 0.0
    for a, b in zip(_states(w, h0, xs)[:-3], ys, strict=False):
        loss += np.sum(a * b)
    return loss


def all_but_both_ends(w, h0, xs, ys):
    loss = 0.0
    for t, h in enumerate(_states(w, h0, xs)[1:-1]):
        loss += np.sum(h * ys[t])
    return loss


def second_differences(w, h0, xs, ys):
    states = np.array(_states(w, h0, xs))
    loss = 0.0
    for t in range(1, len(xs) - 1):
        loss += np.sum((states[t + 1] - 2 * states[t] + states[t - 1]) ** 2 * ys[t])
    return loss


def two_steps_ahead(w, h0, xs, ys):
    states = _states(w, h0, xs)
    loss = 0.0
    for t in range(2, len(xs)):
        loss += np.sum(states[t - 1] * states[t] * ys[t - 2])
    return loss


def first_rows(w, h0, xs, ys):
    states = _states(w, h0, xs)
    loss = 0.0
    for t in range(3):
        loss += np.sum(states[t + 1] * ys[t])
    return loss * np.sum(w)


def discounted(w, h0, xs, ys):
    loss = 0.0
    for x, y in zip(xs, ys, strict=True):
        loss = loss * 0.9 + np.sum(x * y)
    return loss * np.sum(w * h0)


def one_behind(w, h0, xs, ys):
    loss = 0.0
    for x, y in zip(xs[1:], ys, strict=False):
        loss = loss * 0.9 + np.sum(x * y)
    return loss * np.sum(w * h0)


def by_the_number_of_the_turn(w, h0, xs, ys):
    loss = 0.0
    for i, x in enumerate(xs, start=2):
        loss = loss * 0.5 + np.sum(x**2) / i
    return loss * np.sum(w * h0) + np.sum(ys[0])


def bias_corrected(w, h0, xs, ys):
    m = 0
    for t, (x, y) in enumerate(zip(xs, ys, strict=True)):
        m = 0.9 * m + 0.1 * x * y
        corrected = m / (1 - 0.9 ** (t + 1))
    return np.sum(corrected * w * h0)


def returns(w, h0, xs, ys):
    total = 0.0
    for x in reversed(xs):
        total = x.sum() + 0.9 * total
    return total * np.sum(w * h0) * np.sum(ys[0])


def every_third(w, h0, xs, ys):
    p = xs.ravel()
    y = h0
    for i in range(0, len(p), 3):
        y = np.tanh(y + p[i] * np.exp(-(((w - p[i + 1]) / p[i + 2]) ** 2)))
    return y.sum() * np.sum(ys[0])


def every_other_backwards(w, h0, xs, ys):
    y = w
    for i in range(ys.size - 1, 0, -2):
        y = np.tanh(y * ys.ravel()[i]) + h0
    return y.sum() * xs[0].sum()


def a_tree_that_shrinks(w, h0, xs, ys):
    n = len(xs) - 1
    value = np.tanh(xs[:, 0] * w[0])
    for i in range(n, 0, -1):
        value = np.maximum(h0[0] * (value[1 : i + 1] + value[:i]), w[1] - w[2] ** np.arange(i))
    return value[0] * np.sum(ys[0])


def powers_of_the_counter(w, h0, xs, ys):
    features = np.array([w**k for k in range(len(xs))])
    return np.sum((features.T @ xs) ** 2) * np.sum(h0) + ys.sum()


def series_of_powers(w, h0, xs, ys):
    total = 0.0
    for k in range(len(xs)):
        total = total + np.sum(w ** (k / 2) * xs[k] + (k + 1) ** (h0 - k))
    return total * np.sum(ys)


LOOPS = [
    first_state_apart, all_but_the_last_ones, all_but_both_ends, second_differences, two_steps_ahead, first_rows,
    every_third, every_other_backwards, a_tree_that_shrinks, discounted, one_behind, by_the_number_of_the_turn,
    bias_corrected, returns, powers_of_the_counter, series_of_powers,
]  # fmt: skip


def arguments(turns: int) -> tuple[Any, ...]:
    return np.abs(normal(3)), normal(3), normal((turns, 3)), normal((turns, 3))


def same(f, function, args):
    value, named = function(*args)
    assert np.isclose(value, f(*args))
    for found, exact in zip(named.values(), cr.grad(f, argnums=(0, 1, 2, 3))(*args), strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("f", LOOPS, ids=[f.__name__ for f in LOOPS])
def test_the_gradients_are_right_for_any_number_of_turns(f):
    source = cr.write(f, *arguments(6))
    assert "written out" not in str(source)
    for turns in (6, 4, 7):
        same(f, source.function, arguments(turns))


def two_states_at_once(w, h0, xs, ys):
    states = _states(w, h0, xs)
    loss = 0.0
    for t in range(len(xs) - 2):
        loss += np.sum(states[t + 1] * states[t] * ys[t])
    return loss


def test_states_that_a_turn_beside_the_loop_reads_too_are_written_out():
    source = cr.write(two_states_at_once, *arguments(6))
    same(two_states_at_once, source.function, arguments(6))
    with pytest.raises(ValueError, match="written for"):
        source.function(*arguments(5))
