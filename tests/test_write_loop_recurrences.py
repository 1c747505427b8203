"""Recurrences of cotangents that add to the rows of one array: ``dxs[t - 1] += dxs[t] @ A``."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from tests.differences import directional_difference

random = np.random.default_rng(7)
normal = random.standard_normal


def each_state(xs, h0, W, g):
    h = h0
    loss = 0.0
    for x in xs:
        h = h @ W + x
        loss = loss + np.sum(g * h**2)
    return loss


def the_last_one_too(xs, h0, W, g):
    h, loss = h0, 0.0
    for t in range(len(xs)):
        h = np.tanh(xs[t] + h @ W)
        loss += np.sum(g * h)
    return loss + np.sum(h**3)


def from_the_end(xs, h0, W, g):
    h = np.zeros(len(W))
    states = []
    for t in range(len(xs) - 1, -1, -1):
        h = np.tanh(xs[t] + h @ W)
        states.append(h)
    return np.sum(g * np.stack(states) ** 2) + np.sum(h0)


def from_the_second(xs, h0, W, g):
    h = np.zeros_like(h0)
    loss = 0.0
    for t in range(1, len(xs)):
        h = xs[t] - g * h
        loss = loss + np.sum(h**2)
    return loss + np.sum(W) * np.sum(h0)


def without_a_product(xs, h0, W, g):
    h, loss = h0, np.sum(W)
    for t in range(len(xs)):
        h = np.maximum(xs[t] - g * h, 0) / 2
        loss = loss + np.sum(h**2)
    return loss


def running_sum(xs, h0, W, g):
    h, loss = h0, np.sum(W)
    for x in xs:
        h = h + x
        loss = loss + np.sum(g * h**2)
    return loss


IN_PLACE = [
    (each_state, "dxs[i - 1] += W @ dxs[i]"),
    (the_last_one_too, "[-1] += "),
    (from_the_end, "[k - 1] += W @ "),
    (from_the_second, "dhs[t - 2] -= dhs[t - 1] * g"),
    (without_a_product, "[t - 1] -= "),
    (running_sum, "dxs[i - 1] += dxs[i]"),
]


def arguments(length, size=3):
    return normal((length, size)), normal(size), normal((size, size)), normal(size)


@pytest.mark.parametrize(("f", "line"), IN_PLACE, ids=lambda x: getattr(x, "__name__", ""))
def test_cotangents_are_added_to_the_row_of_the_turn_before(f, line):
    source = cr.write(f, *arguments(5))
    assert line in str(source)
    for length in (5, 2, 9):
        given = arguments(length)
        value, gradients = source.function(*given)
        np.testing.assert_allclose(value, f(*given))
        for name, own in zip(gradients, given, strict=True):
            along = normal(own.shape)
            expected = directional_difference(f, given, list(gradients).index(name), along, 1e-3)
            np.testing.assert_allclose(np.vdot(gradients[name], along), expected, rtol=1e-6, atol=1e-7)


def states(xs, W):
    h = np.zeros(len(W))
    found = []
    for t in range(len(xs)):
        h = np.maximum(xs[t] + h @ W, 0)
        found.append(h)
    return np.stack(found)


def test_a_cotangent_that_is_given_is_not_written_over():
    function = cr.write(states, normal((4, 3)), normal((3, 3))).function
    xs, W, g = normal((6, 3)), normal((3, 3)), normal((6, 3))
    kept = g.copy()
    first, second = (function(xs, W, g)[1] for _ in range(2))
    np.testing.assert_array_equal(g, kept)
    np.testing.assert_array_equal(first["W"], second["W"])


def from_a_table(E, ids, W):
    h, loss = np.zeros(len(W)), 0.0
    for t in range(len(ids)):
        h = np.tanh(E[ids[t]] + h @ W)
        loss = loss + np.sum(h**2)
    return loss


def test_rows_of_a_table_are_added_to_for_all_turns_at_once():
    source = cr.write(from_a_table, normal((4, 3)), np.array([0, 2, 2, 1, 0]), normal((3, 3)))
    assert "np.add.at(dE, ids, dh_totals)" in str(source)
    for ids in (np.array([3, 3, 3]), np.array([1, 0, 1, 2, 2, 2, 0])):
        E, W = normal((4, 3)), normal((3, 3))
        _, gradients = source.function(E, ids, W)
        for name, exact in zip("EW", cr.grad(from_a_table, argnums=(0, 2))(E, ids, W), strict=True):
            np.testing.assert_allclose(gradients[name], exact, rtol=1e-12, atol=1e-12)


def numbers(xs, a):
    h = loss = 0.0
    for x in xs:
        h = a * h + x
        loss = loss + h**2
    return loss


def test_states_that_are_numbers_stay_numbers():
    assert "np.stack(dxs[::-1])" in str(cr.write(numbers, normal(5), 0.4))
