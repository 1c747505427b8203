"""What values decide is checked where it is decided, in whatever is written; and loops with no turn at all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.trees import flatten


def positive(x: Any, w: Any) -> Any:
    if x.sum() > 0:
        return (x * w).sum()
    return (x - w).sum()


def each_positive(x: Any, w: Any) -> Any:
    s = 0.0
    for t in range(len(x)):
        s = s + w[t] * x[t] ** 2 if x[t] > 0 else s - x[t]
    return s


def never_clipped(x: Any, Ws: Any) -> Any:
    h = x
    for W in Ws:
        h = h @ W
        if np.linalg.norm(h) > 100:
            h = h / 100
    return np.tanh(h).sum()


def table(x: Any, w: Any) -> Any:
    s = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if x[i, j] > 0:
                s = s + w[j] * x[i, j] ** 2
    return s


def recurrence(X: Any, W: Any, U: Any) -> Any:
    h = np.zeros(len(U))
    for x in X:
        h = np.tanh(x @ W + h @ U)
    return (h**2).sum()


def repeated(x: Any, w: Any, n: int) -> Any:
    for _ in range(n):
        x = np.tanh(x * w)
    return x.sum()


def halved(x: Any) -> Any:
    y = x
    while (y * y).sum() > 1e-2:
        y = y * 0.5
    return y.sum()


def fixed_point(b: Any, A: Any) -> Any:
    x = np.zeros(len(b))
    error: Any = 1.0
    while error > 1e-3:
        new = np.tanh(A @ x + b)
        error = np.linalg.norm(new - x)
        x = new
    return x.sum()


def _uniform(*shape: int) -> Any:
    return np.random.default_rng(7).uniform(0.2, 1, shape)


# Arguments to write it from, others of other lengths, and some for which other decisions are taken.
DECIDED: list[tuple[Any, Any, Any, Any]] = [
    (positive, (_uniform(3), _uniform(3)), (_uniform(5), _uniform(5)), (-_uniform(3), _uniform(3))),
    (each_positive, (_uniform(3), _uniform(3)), (_uniform(5), _uniform(5)), (_uniform(3) - 0.8, _uniform(3))),
    (
        never_clipped,
        (_uniform(2), [_uniform(2, 2)] * 2),
        (_uniform(3), [_uniform(3, 3)] * 4),
        (_uniform(2), [np.full((2, 2), 1e3)] * 2),
    ),
    (table, (_uniform(3, 2), _uniform(2)), (_uniform(4, 5), _uniform(5)), (_uniform(3, 2) - 0.8, _uniform(2))),
]

WHATS = ("backward pullback forward jvp hvp", "backward hvp", "backward jvp", "backward forward")


@pytest.mark.parametrize(("case", "what"), [(k, what) for k, whats in enumerate(WHATS) for what in whats.split()])
def test_decisions_are_checked_where_they_are_made(case: int, what: str) -> None:
    f, args, others, otherwise = DECIDED[case]
    if what == "pullback":
        written = cr.write(f, *args, style="pullback")
    else:
        written = cr.write(f, *args, what=what)  # type: ignore[arg-type]
    directions = args if what in ("jvp", "hvp") else ()
    with pytest.raises(ValueError, match="written for"):
        written.function(*otherwise, *directions)
    if what == "backward":
        value, gradients = written.function(*others)
        assert value == pytest.approx(f(*others))
        exact = cr.grad(f, argnums=(0, 1))(*others)
        for own, other in zip(flatten(list(gradients.values()))[0], flatten(exact)[0], strict=True):
            np.testing.assert_allclose(own, other)


@pytest.mark.parametrize(
    ("f", "args", "none"),
    [
        (
            recurrence,
            (_uniform(3, 2), _uniform(2, 4), _uniform(4, 4)),
            (_uniform(0, 2), _uniform(2, 4), _uniform(4, 4)),
        ),
        (repeated, (_uniform(3), _uniform(3), 4), (_uniform(3), _uniform(3), 0)),
        (never_clipped, (_uniform(2), [_uniform(2, 2)] * 2), (_uniform(2), [])),
    ],
)
def test_a_loop_without_turns_is_right_or_refused_in_words(f: Any, args: Any, none: Any) -> None:
    written = cr.write(f, *args).function
    if f is never_clipped:
        assert written(*none)[0] == f(*none)
        return
    assert np.isfinite(f(*none))
    with pytest.raises(ValueError, match=r"^written for .* > 0$"):
        written(*none)


@pytest.mark.parametrize(
    ("f", "args", "others"),
    [
        (halved, (_uniform(3),), [(5 * _uniform(3),), (0.4 * _uniform(4),)]),
        (fixed_point, (_uniform(2), 0.2 * _uniform(2, 2)), [(_uniform(2) * 3, 0.5 * _uniform(2, 2))]),
    ],
)
@pytest.mark.parametrize("style", ["function", "layer"])
def test_values_say_how_often_a_while_is_run(f: Any, args: Any, others: Any, style: Any) -> None:
    written = cr.write(f, *args, style=style)
    assert str(written).count("while True:\n") == 1
    for own in (args, *others):
        if style == "layer":
            layer = written.function()
            value, gradients = layer.forward(*own), layer.backward()
        else:
            value, gradients = written.function(*own)
        assert value == pytest.approx(f(*own))
        for g, exact in zip(gradients.values(), cr.grad(f, argnums=tuple(range(len(own))))(*own), strict=True):
            np.testing.assert_allclose(g, exact)


def normal_density(x: float, s: float) -> float:
    return 0.5 * (1 + math.erf(x / s)) * math.exp(-x)


def test_functions_of_numbers_are_those_of_the_user() -> None:
    written = cr.write(normal_density, 0.5, 1.2)
    assert str(written).startswith("import math\n\nimport numpy as np\n")
    value, gradients = written.function(0.3, 0.7)
    assert value == normal_density(0.3, 0.7)
    np.testing.assert_allclose(list(gradients.values()), cr.grad(normal_density, argnums=(0, 1))(0.3, 0.7))
