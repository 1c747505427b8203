"""What is written is run beside the function before it is given: loops over lists and ranges however they count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.trees import flatten
from tests.test_write_loops import pasted


def last_layer_first(Ws: Any, x: Any) -> Any:
    for k in reversed(range(len(Ws))):
        x = np.tanh(Ws[k] @ x)
    return x


def counted_down(Ws: Any, x: Any) -> Any:
    for k in range(len(Ws) - 2, -1, -1):
        x = np.tanh(Ws[k + 1] @ x)
    return x


def counted_from_the_end(Ws: Any, x: Any) -> Any:
    for k in range(1, len(Ws) + 1):
        x = np.tanh(Ws[-k] @ x)
    return x


def rows_turned(xs: Any, h: Any) -> Any:
    s = 0.0
    for x in reversed(xs):
        s = 0.5 * s + np.tanh(h * x)
    return s


def every_second(xs: Any, h: Any) -> Any:
    for t in range(1, len(xs), 2):
        h = np.tanh(h * xs[t] + xs[t - 1])
    return h


def pairs(xs: Any) -> Any:
    for k in range(len(xs) - 1):
        yield xs[k] * xs[k + 1]


def of_a_generator(xs: Any, h: Any) -> Any:
    for x in pairs(xs):
        h = np.tanh(h + x)
    return h


def side_by_side(xs: Any, ys: Any) -> Any:
    s = 0.0
    for k, (x, y) in enumerate(zip(xs, ys, strict=False)):
        s += (k + 1) * np.tanh(x * y).sum()
    return s


def element_by_element(x: Any, h: Any) -> Any:
    return np.vectorize(lambda t: t * t)(x).sum() + h.sum()


def normal(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def matrices(count: int) -> tuple[Any, Any]:
    return [normal(3, 3) * (k + 1) for k in range(count)], normal(3)


def rows(count: int) -> tuple[Any, Any]:
    return normal(count, 3), normal(3)


CASES: list[tuple[Any, Any, bool]] = [
    (last_layer_first, matrices, True),
    (counted_down, matrices, True),
    (counted_from_the_end, matrices, True),
    (rows_turned, rows, True),
    (every_second, rows, True),
    (of_a_generator, rows, True),
    (side_by_side, lambda count: (normal(count, 3), normal(count, 3)), True),
    (element_by_element, lambda count: (normal(count), normal(3)), False),
]


@pytest.mark.parametrize(("f", "make", "all_lengths"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_is_written_is_right_or_refused(f: Any, make: Any, all_lengths: bool) -> None:
    function = cr.write(f, *make(4)).function
    for count in (4, 7, 3):
        args = make(count)
        output, pullback = cr.vjp(f, *args)
        given = np.cos(np.arange(np.size(output))).reshape(np.shape(output)) if np.ndim(output) else 1.0
        if not all_lengths and count != 4:
            with pytest.raises(ValueError, match="written for "):
                function(*args)
            continue
        value, gradients = function(*args, *([given] if np.ndim(output) else []))
        assert np.allclose(value, output)
        for own, exact in zip(flatten(list(gradients.values()))[0], flatten(pullback(given))[0], strict=True):
            assert np.allclose(own, exact)


def test_one_turn_says_for_which_lengths_it_holds() -> None:
    function = cr.write(side_by_side, normal(1, 3), normal(1, 3)).function
    with pytest.raises(ValueError, match=r"written for xs\.shape\[0\] == 1"):
        function(normal(4, 3), normal(4, 3))


def written_through_a_view(x, w):
    y = x + 0.0
    first = y[:, :2]
    first += w[:2]
    first *= w[2:]
    return (y**2).sum()


def test_lines_that_would_read_what_was_written_over_compute_it_again():
    x, w = np.arange(12.0).reshape(3, 4), np.array([1.0, -2.0, 0.5, 3.0])
    lines = str(cr.write(written_through_a_view, x, w, style="lines"))
    held = pasted(written_through_a_view, (x, w), None, lines)
    for name, expected in zip("xw", cr.grad(written_through_a_view, argnums=(0, 1))(x, w), strict=True):
        np.testing.assert_allclose(held["d" + name], expected)
