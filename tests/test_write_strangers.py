"""What code of strangers found: written code that was wrong, or refused, or not looked at before it was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.emit.material import Material
from chainrule.trees import flatten
from chainrule.trying import agrees

rng = np.random.default_rng(0)
normal = rng.standard_normal


def looked_up(V, U):
    index = {word: i for i, word in enumerate("abcde")}
    loss = 0.0
    for word in ["a", "b", "e"]:
        loss += (U[index[word]] @ V) ** 2
    return loss


def kept_in_a_list(V, U):
    places = []
    for i in range(5):
        places.append(i)
    loss = 0.0
    for k in range(3):
        j = places[(2 * k) % 5]
        loss += (U[j] @ V) ** 2
    return loss


def kept_and_turned(V, U):
    loss = 0.0
    for j in list(range(5))[::-1]:
        loss += np.exp(U[j] @ V) * j
    return loss


def left_behind(V, U):
    for i in range(4):  # noqa: B007
        V = V * 0.9
    loss = 0.0
    for k in range(3):
        loss += (U[i] @ V) ** 2 * k
    return loss * i


@pytest.mark.parametrize("f", [looked_up, kept_in_a_list, kept_and_turned, left_behind])
def test_counters_of_loops_that_are_over_are_numbers(f: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("chainrule.source.agrees", lambda *_, **__: None)  # what is run beside it would hide it
    V, U = normal(3), normal((5, 3))
    value, gradients = cr.write(f, V, U).function(V, U)
    np.testing.assert_allclose(value, f(V, U))
    for own, exact in zip(gradients.values(), cr.grad(f, (0, 1))(V, U), strict=True):
        np.testing.assert_allclose(own, exact)


def filled(V, U):
    rows = np.zeros(V.shape)
    for i in range(3):
        rows[i] += V[i] @ U
    return (rows * V).sum()


def test_functions_that_fill_plain_buffers_are_run_beside_what_is_written(monkeypatch: Any) -> None:
    found: list[bool | None] = []

    def noted(*args: Any, **kwargs: Any) -> bool | None:
        found.append(agrees(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr("chainrule.source.agrees", noted)
    cr.write(filled, normal((4, 3)), normal((3, 3)))
    assert found
    assert all(found)


def test_a_wrong_value_is_found_where_no_derivative_is_known(monkeypatch: Any) -> None:
    draft = cr.source.Draft(filled, (normal((4, 3)), normal((3, 3))), {})
    material: Material = draft.material
    right = draft.source().function

    def refuses(*_: Any) -> Any:
        raise ValueError("no derivative")

    monkeypatch.setattr("chainrule.trying.vjp", refuses)
    assert agrees(material, right, *draft.call) is None
    assert agrees(material, lambda *args: (right(*args)[0] + 1, right(*args)[1]), *draft.call) is False


def inverse_near(A):
    return np.sum(np.linalg.inv(A - np.eye(3)) * np.arange(9.0).reshape(3, 3))


def test_a_wrong_gradient_is_found_where_the_exact_one_changes_fast() -> None:
    # A thousand times as fast as the matrix, which is far from what rounding decides.
    draft = cr.source.Draft(inverse_near, (np.eye(3) + 1e-3 * normal((3, 3)),), {})
    right = draft.source().function

    def wrong(*args: Any) -> Any:
        value, gradients = right(*args)
        return value, {name: 1.1 * g for name, g in gradients.items()}

    assert agrees(draft.material, right, *draft.call) is True
    assert agrees(draft.material, wrong, *draft.call) is False


def spread(X, W, every):
    places = np.repeat(np.arange(1, X.shape[0]), every)
    return ((np.insert(X, places, 0, axis=0) @ W) ** 3).sum()


def test_places_that_are_an_array_are_written() -> None:
    X, W = normal((3, 4)), normal((4, 2))
    _, gradients = cr.write(spread, X, W, 2, wrt=["X", "W"]).function(X, W, 2)
    for own, exact in zip(flatten(list(gradients.values()))[0], cr.grad(spread, (0, 1))(X, W, 2), strict=True):
        np.testing.assert_allclose(own, exact)


def recurrence(x, a0, parameters):
    a = np.zeros((a0.shape[0], x.shape[1], x.shape[2]))
    y = np.zeros((parameters["Wy"].shape[0], x.shape[1], x.shape[2]))
    a_next = a0
    for t in range(x.shape[2]):
        joined = np.concatenate([a_next, x[:, :, t]])
        a_next = np.tanh(parameters["Wa"] @ joined + parameters["ba"])
        a[:, :, t] = a_next
        y[:, :, t] = np.exp(parameters["Wy"] @ a_next)
    return np.sum(a**3) + np.sum(y)


def growing(x, n):
    for i in range(n):
        x = 0.5 * (x[1 : n - i + 1] ** 2 + x[: n - i])
    return x.sum()


def second_example(m: int, n: int) -> Any:
    random = np.random.default_rng(m)
    parameters = {"Wa": normal((4, 7)), "ba": random.standard_normal((4, 1)), "Wy": normal((2, 4))}
    return random.standard_normal((3, m, n)), random.standard_normal((4, m)), parameters


def test_tangents_of_what_is_joined_and_products_with_hessians_of_buffers_hold_for_other_lengths() -> None:
    args = second_example(2, 4)
    pushed = cr.write(recurrence, *args, what="jvp")
    assert "constant" not in str(pushed)
    products = cr.write(recurrence, *args, what="hvp").function
    for own in (args, second_example(3, 5)):
        vectors = second_example(own[0].shape[1], own[0].shape[2])
        tangent = pushed.function(*own, *vectors)[1]
        np.testing.assert_allclose(tangent, cr.jvp(recurrence, own, vectors)[1])
        found = products(*own, *vectors)
        exact = flatten(cr.hvp(recurrence, own, vectors))[0]
        by_leaf = [found["x"], found["a0"], found["Wa"], found["Wy"], found["ba"]]
        for mine, other in zip(by_leaf, exact, strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-10)


def test_products_with_hessians_where_the_turns_keep_arrays_of_several_lengths() -> None:
    x, v = normal(6), normal(6)
    found = cr.write(growing, x, 5, wrt="x", what="hvp").function(x, 5, v)
    np.testing.assert_allclose(found["x"], cr.hvp(lambda x: growing(x, 5), (x,), (v,))[0])


def stable_sigmoid(x):
    z = np.zeros_like(x)
    positive = x >= 0
    z[positive] = np.exp(-x[positive])
    z[~positive] = np.exp(x[~positive])
    top = np.ones_like(x)
    top[~positive] = z[~positive]
    return np.sum((top / (1 + z)) ** 2)


def in_turns(x, w):
    for _ in range(3):
        top = np.zeros_like(x)
        top[x > 0] = np.exp(-x[x > 0])
        x = x @ w + top
    return (x**2).sum()


def test_arrays_of_zeros_that_are_filled_are_not_those_of_gradients() -> None:
    x, w = normal((4, 3)), normal((3, 3))
    source = cr.write(stable_sigmoid, x)
    assert ".copy()" not in str(source)
    assert str(source).index("# z[~positive] =") < str(source).index("dx = np.zeros_like(x)")
    np.testing.assert_allclose(source.function(x)[1]["x"], cr.grad(stable_sigmoid)(x))
    kept = cr.write(in_turns, x, w)
    assert "tops" not in str(kept)
    for own, exact in zip(kept.function(x, w)[1].values(), cr.grad(in_turns, (0, 1))(x, w), strict=True):
        np.testing.assert_allclose(own, exact)


def priced(spot, strike, rate):
    spot = float(spot)
    distance = float(np.log(spot / strike)) + rate
    return spot * np.exp(-(distance**2))


def test_float_is_written_as_it_is() -> None:
    source = cr.write(priced, 1.1, 0.9, 0.05)
    assert "spot = float(spot)" in str(source)
    value, gradients = source.function(1.3, 0.8, 0.1)
    assert value == pytest.approx(priced(1.3, 0.8, 0.1))
    assert [*gradients.values()] == pytest.approx(cr.grad(priced, (0, 1, 2))(1.3, 0.8, 0.1))


def paths_through(d):
    n, m = d.shape
    R = [[1e10] * (m + 1) for _ in range(n + 1)]
    R[0][0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            r = np.stack([R[i - 1][j - 1], R[i - 1][j], R[i][j - 1]])
            R[i][j] = d[i - 1, j - 1] - np.log(np.sum(np.exp(-r)))
    return R[n][m]


def test_a_constant_array_has_its_name_alone() -> None:
    d = normal((2, 3)) ** 2
    value, gradients = cr.write(paths_through, d).function(d)
    np.testing.assert_allclose(value, paths_through(d))
    np.testing.assert_allclose(gradients["d"], cr.grad(paths_through)(d))


def transmitted(energy, width):
    wave = 1j * np.sqrt(2 * energy)
    return np.real(1 / np.abs(np.cos(wave * width) + 1j * wave * np.sin(width)) ** 2)


def test_numbers_of_python_are_cast_by_a_call() -> None:
    args, vectors = (0.7, 1.1), (0.3, -0.2)
    for what in ("jvp", "hvp"):
        found = cr.write(transmitted, *args, what=what).function(*args, *vectors)
        if what == "jvp":
            np.testing.assert_allclose(found[1], cr.jvp(transmitted, args, vectors)[1])
        else:
            np.testing.assert_allclose([*found.values()], cr.hvp(transmitted, args, vectors))


def as_often_as_there_are_rows(x, gain):
    tiled = np.tile(gain, (x.shape[0], 1, x.shape[2]))
    return np.sum(np.tanh(x.reshape(2 * x.shape[0], -1) * tiled.reshape(2 * x.shape[0], -1)))


def test_what_is_repeated_along_axes_is_added_up_for_other_lengths() -> None:
    function = cr.write(as_often_as_there_are_rows, normal((2, 4, 3)), normal((1, 4, 1))).function
    for args in ((normal((2, 4, 3)), normal((1, 4, 1))), (normal((3, 6, 5)), normal((1, 6, 1)))):
        for own, exact in zip(
            function(*args)[1].values(), cr.grad(as_often_as_there_are_rows, (0, 1))(*args), strict=True
        ):
            np.testing.assert_allclose(own, exact)
