"""What is written holds for arrays of other lengths, or refuses them with an error that says so."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

rng = np.random.default_rng(0)
x, w = rng.normal(size=(3, 4)), rng.normal(size=4)


def attends_to_the_past(x, w):
    hs = [w]
    for t in range(len(x)):
        hs.append(x[t] * np.stack(hs).sum(axis=0))
    return np.stack(hs[1:]).sum()


def while_counting(x, w):
    i = 0
    while i < len(x):
        w = np.tanh(w + x[i])
        i += 1
    return w.sum()


def while_forever(x, w):
    n, i = x.shape[0], 0
    while True:
        w = np.tanh(w + x[i])
        i += 1
        if i == n:
            return w.sum()


def left_early(x, w):
    for i in range(10):
        w = w * 0.5 + x
        if i >= len(x):
            break
    return w.sum()


def one_turn(x, w):
    for i in range(len(x)):
        w = np.tanh(w + x[i])
    return w.sum()


def no_turn(x, w):
    for i in range(1, len(x)):
        w = np.tanh(w + x[i] - x[i - 1])
    return w.sum()


def every_other(x, w):
    return (x[[i for i in range(len(x)) if i % 2 == 0]] * w).sum()


def nested_list(x, w):
    mask = np.array([[1.0 if i >= j else 0.0 for j in range(len(x))] for i in range(len(x))])
    return (mask @ x * w).sum()


def repeated_list(x, w):
    return (np.array([0.5] * len(x))[:, None] * x * w).sum()


def over_a_product(x, w):
    total = 0.0
    for i, j in itertools.product(range(x.shape[0]), range(x.shape[1])):
        total = total + np.sin(x[i, j]) * w[j]
    return total


def over_a_list_of_rows(x, w):
    return sum((np.tanh(row) * w).sum() for row in list(x))


def mapped(x, w):
    return sum(map(lambda row: np.tanh(row * w).sum(), x))


def reduced(x, w):
    return functools.reduce(lambda h, row: np.tanh(h + row), x, w).sum()


def by_halves(x, w):
    if len(x) == 1:
        return (x[0] * w).sum()
    middle = len(x) // 2
    return np.tanh(by_halves(x[:middle], w)) + by_halves(x[middle:], w)


def first_and_others(x, w):
    first, *others = x
    return first.sum() + sum((np.tanh(row) * w).sum() for row in others)


def one_pair(x, w):
    total = 0.0
    for a, b in itertools.pairwise(x):
        total = total + ((a - b) ** 2 * w).sum()
    return total


REFUSING = (
    attends_to_the_past, while_counting, while_forever, left_early, one_turn, no_turn, every_other, nested_list,
    repeated_list, over_a_product, over_a_list_of_rows, mapped, reduced, by_halves, first_and_others, one_pair,
)  # fmt: skip
SHORT = {one_turn: 1, no_turn: 1, one_pair: 2, attends_to_the_past: 2, over_a_product: 1}


def half_of_the_rows(x, w):
    return (x[: int(np.ceil(len(x) / 2))] * w).sum()


def always_three(x, w):
    for k in range(3):
        w = w * 2 if k == 1 else np.tanh(w)
    return (x * w).sum()


def dead_loop(x, w):
    largest = 0.0
    for i in range(len(x)):
        largest = max(largest, float(i % 2))
    return (x * w).sum()


FOLLOWING = (half_of_the_rows, always_three, dead_loop)


def is_right(f: Callable[..., Any], written: Callable[..., Any], args: tuple[Any, ...]) -> bool:
    value, gradient = cr.value_and_grad(f)(*args)
    output, gradients = written(*args)
    return bool(np.allclose(output, value) and np.allclose(gradients["x"], gradient))


@pytest.mark.parametrize("f", REFUSING)
def test_code_for_one_length_refuses_others(f: Callable[..., Any]) -> None:
    """Turns that were written out, and numbers made of lengths, hold for the example alone."""
    rows = SHORT.get(f, 3)
    source = cr.write(f, x[:rows], w)
    assert f"# valid while x.shape[0] == {rows}" in str(source)
    assert is_right(f, source.function, (x[:rows] + 1, w))
    for n in {rows - 1 or 2, rows + 1, 2 * rows + 3}:
        with pytest.raises(ValueError, match=r"written for x\.shape\[0\] == "):
            source.function(rng.normal(size=(n, 4)), w)


@pytest.mark.parametrize("f", FOLLOWING)
def test_code_that_follows_lengths_does_not(f: Callable[..., Any]) -> None:
    """What is the same for all lengths is not refused."""
    source = cr.write(f, x, w)
    assert "valid while" not in str(source)
    assert all(is_right(f, source.function, (rng.normal(size=(n, 4)), w)) for n in (1, 2, 3, 6))


def test_a_comparison_of_lengths_is_refused_as_that() -> None:
    """All lengths for which it comes out as in the example are taken."""

    def twice_if_long(x, w):
        n = len(x)
        if n > 2:
            w = w * 2
        return (x * w).sum()

    source = cr.write(twice_if_long, x, w)
    assert "if x.shape[0] <= 2:" in str(source)
    assert is_right(twice_if_long, source.function, (rng.normal(size=(7, 4)), w))
    with pytest.raises(ValueError, match=r"written for x\.shape\[0\] > 2"):
        source.function(x[:2], w)


def test_lists_of_other_lengths_are_refused() -> None:
    """A loop over a list whose turns differ is written out."""

    def by_turns(x, Ws):
        for k, W in enumerate(Ws):
            x = np.tanh(x @ W) if k % 2 else x @ W
        return x.sum()

    Ws = [rng.normal(size=(4, 4)) for _ in range(4)]
    for style in ("function", "pullback", "layer"):
        written = cr.write(by_turns, x, Ws[:3], style=style).function
        run = written().forward if style == "layer" else written
        run(x, Ws[:3])
        for n in (2, 4):
            with pytest.raises(ValueError, match=r"written for len\(Ws\) == 3"):
                run(x, Ws[:n])
    assert "# valid while len(Ws) == 3" in str(cr.write(by_turns, x, Ws[:3], style="lines"))


@pytest.mark.parametrize("what", ["hvp", "forward"])
def test_other_things_that_are_written_refuse_too(what: str) -> None:
    """Products with the Hessian, where lists are written out, and the forward pass itself."""
    f = while_counting if what == "forward" else attends_to_the_past
    X = x[:2]
    written = cr.write(f, X, w, what=what).function
    extra = () if what == "forward" else (X, w)
    written(X, w, *extra)
    with pytest.raises(ValueError, match=r"written for x\.shape\[0\] == 2"):
        written(x, w, *(x if e is X else w for e in extra))
    straight = cr.write(lambda x, w: (np.tanh(x) * w).sum(), x, w, what=what)
    assert "raise" not in str(straight)


def test_a_coefficient_that_counts_stays_in_its_turn() -> None:
    """What is added to the sums behind a backward loop may have the counter of the turn in it."""

    def added_to_all(x, w):
        total = x
        for i in range(len(x)):
            total = total + (x[i] * w).sum() / (i + 1)
        return np.sum(total)

    written = cr.write(added_to_all, x, w).function
    for n in (2, 3, 5):
        X = rng.normal(size=(n, 4))
        exact = cr.grad(added_to_all, argnums=(0, 1))(X, w)
        gradients = written(X, w)[1]
        np.testing.assert_allclose(gradients["x"], exact[0])
        np.testing.assert_allclose(gradients["w"], exact[1])


def test_a_dtype_is_read_from_what_has_a_name() -> None:
    """The arrays of a list that only a loop goes through have none around it."""

    def deep(x, Ws):
        for W in Ws:
            x = np.tanh(x @ W)
        return x.max(axis=1).sum()

    Ws = [rng.normal(size=(4, 4)) for _ in range(2)]
    gradients = cr.write(deep, x, Ws).function(x, Ws)[1]
    np.testing.assert_allclose(gradients["x"], cr.grad(deep)(x, Ws))


def test_inner_loops_do_not_read_the_numbers_of_arguments_as_theirs() -> None:
    """Variables of a body have numbers of their own, which are those of arguments of the function too."""

    def filled(x, w, others):
        out = np.zeros_like(x)
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                out[i, j] = np.sin(x[i, j]) * w[j]
        return (out**2).sum() + sum(other.sum() for other in others)

    args = (x, w, [rng.normal(size=2) for _ in range(40)])
    gradients = cr.write(filled, *args, wrt=["x", "w"]).function(*args)[1]
    exact = cr.grad(filled, argnums=(0, 1))(*args)
    np.testing.assert_allclose(gradients["x"], exact[0])
    np.testing.assert_allclose(gradients["w"], exact[1])


def test_what_turns_read_is_not_written_into() -> None:
    """The gradient that a backward loop begins with is copied where its turns read it too."""

    def added_and_read(x, w):
        total = x
        for i in reversed(range(len(x))):
            total = total + (x[i] * w).sum() / (i + 1)
        return (total / len(x)).sum() + 0.1 * (total * total).sum()

    gradients = cr.write(added_and_read, x, w).function(x, w)[1]
    np.testing.assert_allclose(gradients["x"], cr.grad(added_and_read)(x, w))


def test_an_axis_of_one_that_a_broadcast_may_stretch_is_counted() -> None:
    """``t`` of one column in the example may have more."""

    def mixed(h, t):
        return ((h[:, :, None] * t[:, None]).mean(axis=2) ** 2).sum()

    written = cr.write(mixed, x, x[:, :1]).function
    for columns in (1, 2, 4):
        gradients = written(x, x[:, :columns])[1]
        exact = cr.grad(mixed, argnums=(0, 1))(x, x[:, :columns])
        np.testing.assert_allclose(gradients["h"], exact[0])
        np.testing.assert_allclose(gradients["t"], exact[1])


def test_defaults_keep_their_names_where_other_values_may_be_given() -> None:
    """A step size does; an exponent that was taken for a square does not."""

    def steps(x, w, dt=0.05):
        for t in range(len(x)):
            w = w + dt * np.sin(x[t] * w)
        return w.sum()

    written = cr.write(steps, x, w).function
    exact = cr.grad(lambda x, w: steps(x, w, 0.3))(x, w)
    np.testing.assert_allclose(written(x, w, dt=0.3)[1]["x"], exact)

    def powers(x, p=2.0):
        return (np.abs(x) ** p).sum()

    assert "def powers_and_grad(x):" in str(cr.write(powers, x))


@pytest.mark.parametrize("style", ["function", "pullback", "layer"])
def test_settings_and_decisions_are_checked(style: Any) -> None:
    """What was only said would be silently wrong for others."""

    def clipped(w, x, mode="sum", *, k=2):
        y = x @ w
        if (y**2).sum() > 1:
            y = y * k
        return y.sum() if mode == "sum" else y.mean()

    big = 3 * np.ones(4)
    written = cr.write(clipped, big, x, "sum", k=2, style=style).function
    run = written().forward if style == "layer" else written
    run(big, x, "sum", k=2)
    for args, k in (((big, x, "mean"), 2), ((big, x, "sum"), 3), ((0 * big, x, "sum"), 2)):
        with pytest.raises(ValueError, match="written for"):
            run(*args, k=k)


def test_float32_stays_so_in_loops() -> None:
    """A dtype that a turn asks for is that of an array in it, and not that of the example."""

    def shifted(x, Ws):
        for W in Ws:
            h = np.tanh(x @ W)
            x = h - h.max(axis=1, keepdims=True)
        return (x**2).sum()

    Ws = [rng.normal(size=(4, 4)) for _ in range(2)]
    written = cr.write(shifted, x, Ws).function
    gradients = written(x.astype(np.float32), [W.astype(np.float32) for W in Ws])[1]
    assert gradients["x"].dtype == np.float32


def test_a_function_without_source_is_written_for_its_lengths_alone():
    names = {"np": np}
    exec(
        "def f(x):\n    total = 0.0\n    if isinstance(x, float):\n        return x\n"
        "    for i in range(len(x)):\n        total = total + x[i] ** 2 * (i + 1)\n    return total",
        names,
    )
    written = cr.write(names["f"], np.ones(3)).function
    np.testing.assert_allclose(written(np.ones(3))[1]["x"], [2, 4, 6])
    with pytest.raises(ValueError, match=r"written for len\(x\) == 3"):
        written(np.ones(4))
