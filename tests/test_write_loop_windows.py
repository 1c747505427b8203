"""Loops whose turns read slices that begin further on each time: all slices are the windows of one view."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from tests.differences import directional_difference

random = np.random.default_rng(11)
normal = random.standard_normal


def over_offsets(x, w):
    steps = len(x) - len(w) + 1
    out = np.zeros((steps, w.shape[2]))
    for i in range(len(w)):
        out += x[i : i + steps] @ w[i]
    return np.sum(out**3)


def over_patches(x, w):
    k = len(w)
    out = np.zeros((len(x) - k + 1, w.shape[2]))
    for t in range(len(x) - k + 1):
        out[t] = np.tensordot(x[t : t + k], w, axes=([0, 1], [0, 1]))
    return np.sum(out**3)


def added_at_offsets(x, w):
    k = len(w)
    out = np.zeros((2 * (len(x) - 1) + k, w.shape[2]))
    for t in range(len(x)):
        out[2 * t : 2 * t + k] += np.einsum("c,kco->ko", x[t], w)
    return np.sum(out**3)


def from_the_second_on(x, w):
    total = 0.0
    for t in range(1, len(x) - 2):
        total = total + np.sum(np.tensordot(x[t : t + 2], w[:2], axes=([0, 1], [0, 1])) ** 3)
    return total + np.sum(w)


def backwards(x, w):
    total = 0.0
    for t in range(len(x) - 3, -1, -1):
        total = total + np.sum((x[t : t + 3] @ w[0]) ** 3)
    return total + np.sum(w)


def longer_each_time(x, w):
    total = 0.0
    for t in range(len(x)):
        total = total + np.sum((x[: t + 1] @ w[0]) ** 3)
    return total + np.sum(w)


WINDOWS = "sliding_window_view("
LOOPS = [
    (over_offsets, WINDOWS),
    (over_patches, WINDOWS),
    (added_at_offsets, WINDOWS),
    (from_the_second_on, ""),
    (backwards, ""),
    (longer_each_time, ""),
]


@pytest.mark.parametrize(("f", "text"), LOOPS, ids=lambda x: getattr(x, "__name__", ""))
def test_slices_of_all_turns_are_windows(f, text):
    source = cr.write(f, normal((7, 3)), normal((3, 3, 2)))
    assert text in str(source)
    for length, width in ((7, 3), (9, 3), (4, 3)) if "written for w" in str(source) else ((7, 3), (9, 4), (5, 2)):
        given = normal((length, 3)), normal((width, 3, 2))
        value, gradients = source.function(*given)
        np.testing.assert_allclose(value, f(*given))
        for place, own in enumerate(given):
            along = normal(own.shape)
            expected = directional_difference(f, given, place, along, 1e-3)
            np.testing.assert_allclose(np.vdot(gradients["xw"[place]], along), expected, rtol=1e-6, atol=1e-7)
