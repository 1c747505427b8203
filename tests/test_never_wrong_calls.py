"""Never silently wrong: aliased arguments, trees, leaks out of a trace, threads, and what is handed back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import chainrule
from tests.differences import assert_close, differences
from tests.never_wrong.case import MATRIX, OTHER, VECTOR


def total_gradient(function: Any, x: np.ndarray) -> np.ndarray:
    return differences(lambda values: float(function(values)), (x,), 0)


def same_array_twice(a: Any, b: Any) -> Any:
    a *= b
    a[1:] += b[:-1]
    return (a * b).sum()


def test_the_same_array_as_two_arguments() -> None:
    x = VECTOR.copy()
    try:
        value, gradients = chainrule.value_and_grad(same_array_twice, argnums=(0, 1))(x, x)
    except chainrule.ChainruleError:
        value = None
    np.testing.assert_array_equal(x, VECTOR)
    if value is not None:
        shared = VECTOR.copy()
        assert_close(value, same_array_twice(shared, shared), 1e-13, "the value")
        reference = total_gradient(lambda values: same_array_twice(values, values), VECTOR)
        assert_close(gradients[0] + gradients[1], reference, 1e-8, "the sum of the gradients")


def test_the_same_array_twice_read_only_in_the_function() -> None:
    x = VECTOR.copy()
    gradients = chainrule.grad(lambda a, b: (a * b**2).sum(), argnums=(0, 1))(x, x)
    assert_close(gradients[0], VECTOR**2, 1e-13, "the first gradient")
    assert_close(gradients[1], 2 * VECTOR**2, 1e-13, "the second gradient")


def overlapping(a: Any, b: Any) -> Any:
    a[:3] += b
    b *= a[1:]
    return (a**2).sum() + b.sum()


def test_overlapping_views_as_arguments() -> None:
    x = VECTOR.copy()
    try:
        value = chainrule.value_and_grad(overlapping, argnums=(0, 1))(x, x[1:])[0]
    except chainrule.ChainruleError:
        value = None
    np.testing.assert_array_equal(x, VECTOR)
    if value is not None:
        shared = VECTOR.copy()
        assert_close(value, overlapping(shared, shared[1:]), 1e-13, "the value")


def test_a_dictionary_of_arrays_updated_in_the_function() -> None:
    params = {"W": MATRIX.copy(), "b": VECTOR.copy()}

    def loss(params: Any) -> Any:
        params["W"] *= 2.0
        params["b"] = params["b"] ** 2
        params["extra"] = params["W"] @ params["b"]
        return params.pop("extra").sum()

    gradients = chainrule.grad(loss)(params)
    assert list(params) == ["W", "b"]
    np.testing.assert_array_equal(params["W"], MATRIX)
    np.testing.assert_array_equal(params["b"], VECTOR)
    assert list(gradients) == ["W", "b"]
    assert_close(gradients["W"], 2 * np.tile(VECTOR**2, (4, 1)), 1e-13, "W")
    assert_close(gradients["b"], 4 * MATRIX.sum(axis=0) * VECTOR, 1e-13, "b")


def test_a_list_of_arrays_updated_in_the_function() -> None:
    layers = [MATRIX.copy(), VECTOR.copy()]

    def loss(layers: Any) -> Any:
        layers.append(layers[0] @ layers[1])
        layers[1] = layers[2] * layers[1]
        layers[2][0] = 0.0
        return layers[1].sum() + layers.pop().sum()

    gradients = chainrule.grad(loss)(layers)
    assert len(layers) == 2
    np.testing.assert_array_equal(layers[0], MATRIX)
    np.testing.assert_array_equal(layers[1], VECTOR)

    def plain(b: Any) -> Any:
        return loss([MATRIX.copy(), b])

    assert_close(gradients[1], total_gradient(plain, VECTOR), 1e-8, "the vector")


def test_an_argument_without_gradient_updated_in_the_function() -> None:
    buffer = np.zeros(4)

    def loss(x: Any, buffer: Any, *, scale: Any) -> Any:
        buffer[1:] = x[:-1] ** 2
        buffer += scale.dot(x)
        return (buffer**2).sum()

    value, gradient = chainrule.value_and_grad(loss)(VECTOR, buffer, scale=MATRIX)
    np.testing.assert_array_equal(buffer, np.zeros(4))
    assert_close(value, loss(VECTOR, np.zeros(4), scale=MATRIX), 1e-13, "the value")
    reference = total_gradient(lambda x: loss(x, np.zeros(4), scale=MATRIX), VECTOR)
    assert_close(gradient, reference, 1e-8, "the gradient")


def test_a_value_that_leaked_out_of_its_trace() -> None:
    """Afterwards a leaked value is refused, or it is an ordinary number."""
    leaked: list[Any] = []

    def loss(x: Any) -> Any:
        leaked.append(x**2)
        return leaked[0].sum()

    chainrule.grad(loss)(VECTOR)
    try:
        later = np.asarray(leaked[0] + 1.0, dtype=float)
    except chainrule.ChainruleError:
        return
    assert_close(later, VECTOR**2 + 1.0, 1e-13, "the leaked value")


def test_a_value_that_leaked_into_the_next_trace() -> None:
    """In plain NumPy the kept value is a constant of the second call."""
    kept: dict[str, Any] = {}

    def loss(x: Any) -> Any:
        return (kept.setdefault("scale", x.sum()) * x**2).sum()

    chainrule.grad(loss)(VECTOR)
    try:
        gradient = chainrule.grad(loss)(OTHER)
    except chainrule.ChainruleError:
        return
    assert_close(gradient, 2 * VECTOR.sum() * OTHER, 1e-13, "the second gradient")


def test_an_inner_gradient_does_not_confuse_the_outer_one() -> None:
    def outer(x: Any) -> Any:
        inner = chainrule.grad(lambda y: (x * y**2).sum() + (x + y).sum())(x)
        return (x * inner).sum()

    assert_close(chainrule.grad(outer)(VECTOR), total_gradient(lambda x: (x * (2 * x * x + 1)).sum(), VECTOR), 1e-8, "")


def test_an_inner_gradient_over_a_buffer_of_the_outer_function() -> None:
    def outer(x: Any) -> Any:
        buffer = np.zeros(4)
        buffer[1:] = x[:-1] ** 2

        def inner(y: Any) -> Any:
            work = np.empty(4)
            work[:] = buffer
            work *= y
            return (work**2).sum()

        slopes = chainrule.grad(inner)(x)
        buffer[0] = 1.0
        return (slopes * buffer).sum()

    def plain(x: Any) -> Any:
        b = np.concatenate([[0.0], x[:-1] ** 2])
        return (2 * b**2 * x * np.concatenate([[1.0], x[:-1] ** 2])).sum()

    assert_close(chainrule.grad(outer)(VECTOR), total_gradient(plain, VECTOR), 1e-8, "")


def in_place_loss(x: Any) -> Any:
    y = np.zeros(4)
    for k in range(4):
        y[k] = x[k] ** 2 * x[k - 1]
    y[1:] += y[:-1]
    y[y > 1.0] *= x[0]
    return y.sum()


def test_hessian_of_updates_in_place() -> None:
    hessian = chainrule.hessian(in_place_loss)(VECTOR)
    gradient = chainrule.grad(in_place_loss)
    step = 1e-5
    for k in range(4):
        direction = step * np.eye(4)[k]
        column = (gradient(VECTOR + direction) - gradient(VECTOR - direction)) / (2 * step)
        assert_close(np.asarray(hessian)[k], column, 1e-7, f"column {k}")


def test_forward_mode_of_updates_in_place() -> None:
    value, slope = chainrule.jvp(in_place_loss, (VECTOR,), (OTHER,))
    assert_close(value, in_place_loss(VECTOR), 1e-13, "the value")
    assert_close(slope, total_gradient(in_place_loss, VECTOR) @ OTHER, 1e-8, "the slope")


def test_the_users_own_exception_comes_through() -> None:
    def loss(x: Any) -> Any:
        if x.sum() > 0:
            raise KeyError("mine")
        return x.sum()

    before = dict(vars(np))
    with pytest.raises(KeyError, match="mine"):
        chainrule.grad(loss)(VECTOR)
    assert dict(vars(np)) == before


def test_other_threads_see_plain_numpy_while_a_function_is_traced() -> None:
    tracing, looked = threading.Event(), threading.Event()
    seen: list[Any] = []

    def bystander() -> None:
        tracing.wait(10)
        made = np.zeros(3)
        made[0] = 1.0
        plain = MATRIX.copy()
        seen.extend([made, np.array([1.0, 2.0]), np.asarray([1]), plain.dot(VECTOR), np.array([np.float64(1.0)])])
        looked.set()

    def loss(x: Any) -> Any:
        y = np.zeros(4)
        tracing.set()
        assert looked.wait(10)
        y[:] = x**2
        return y.sum()

    thread = threading.Thread(target=bystander)
    thread.start()
    gradient = chainrule.grad(loss)(VECTOR)
    thread.join()
    assert [type(made) for made in seen] == [np.ndarray] * 5
    assert_close(gradient, 2 * VECTOR, 1e-13, "the gradient")


def test_gradients_in_several_threads_at_once() -> None:
    points = [VECTOR + 0.1 * k for k in range(24)]
    expected = [chainrule.grad(in_place_loss)(point) for point in points]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda point: chainrule.grad(in_place_loss)(point), points))
    for actual, reference in zip(found, expected, strict=True):
        np.testing.assert_array_equal(actual, reference)


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: (a + b).sum(),
        lambda a, b: a.sum() + b.sum(),
        lambda a, b: (a.reshape(2, 2) + b.reshape(2, 2)).mean(),
        lambda a, b: (a * b).sum(),
        lambda a, b: a[0] + 0.0 * b[1],
        lambda a, b: 3.0,
        lambda a, b: a.sum(),
    ],
)
def test_gradients_belong_to_the_caller(function: Any) -> None:
    """They may be written to, and share no memory with the arguments or with each other."""
    a, b = VECTOR.copy(), OTHER.copy()
    first, second = chainrule.grad(function, argnums=(0, 1))(a, b)
    assert not np.shares_memory(first, second)
    first += 1.0
    second *= 2.0
    np.testing.assert_array_equal(a, VECTOR)
    np.testing.assert_array_equal(b, OTHER)


def test_the_callers_arrays_may_change_between_vjp_and_pullback() -> None:
    x, w, g = VECTOR.copy(), MATRIX.copy(), OTHER.copy()
    value, pullback = chainrule.vjp(lambda x: w.dot(x**2) * x, x)
    expected = pullback(g)[0].copy()
    kept = value.copy()
    x[:] = 0.0
    w[:] = 0.0
    value[:] = 0.0
    again = pullback(g)[0]
    np.testing.assert_array_equal(again, expected)
    np.testing.assert_array_equal(g, OTHER)
    assert_close(kept, MATRIX.dot(VECTOR**2) * VECTOR, 1e-13, "the value")


def test_results_share_no_memory_with_the_arguments() -> None:
    x = VECTOR.copy()
    value, pullback = chainrule.vjp(lambda x: x, x)
    assert not np.shares_memory(value, x)
    g = OTHER.copy()
    (gradient,) = pullback(g)
    assert not np.shares_memory(gradient, g)


def test_auxiliary_results_are_plain() -> None:
    (_, aux), _ = chainrule.value_and_grad(lambda x: ((x**2).sum(), {"y": x * 2, "n": len(x)}), has_aux=True)(VECTOR)
    assert type(aux["y"]) is np.ndarray
    assert aux["n"] == 4


@pytest.mark.parametrize(
    "make", [lambda x: np.repeat(x, 2)[::2], lambda x: np.broadcast_to(x, (4,)), np.asfortranarray]
)
def test_arguments_of_any_layout(make: Any) -> None:
    x = make(VECTOR)
    x.flags.writeable = False

    def loss(x: Any) -> Any:
        x *= x
        x[0] = 0.0
        return x.sum()

    assert_close(chainrule.grad(loss)(x), [0.0, *(2 * VECTOR[1:])], 1e-13, "the gradient")
    np.testing.assert_array_equal(x, VECTOR)


REFUSED = {
    "a vector as loss": (lambda x: x**2, (VECTOR,)),
    "an integer loss": (lambda x: np.argmax(x), (VECTOR,)),
    "a boolean loss": (lambda x: (x > 1).any(), (VECTOR,)),
    "a complex loss": (lambda x: (x * 1j).sum(), (VECTOR,)),
    "a loss of None": (lambda x: None, (VECTOR,)),
    "a text as loss": (lambda x: "loss", (VECTOR,)),
    "a tuple as loss": (lambda x: (x.sum(), x.sum()), (VECTOR,)),
    "an integer array": (lambda x: x.sum() * 1.0, (np.arange(3),)),
    "an integer": (lambda x: x * 1.0, (3,)),
    "a boolean array": (lambda x: x.sum() * 1.0, (np.array([True, False]),)),
    "an object array": (lambda x: x.sum(), (np.array([1.0, 2.0], dtype=object),)),
    "a text": (lambda x: 1.0, ("text",)),
    "too few arguments": (lambda x: x.sum(), ()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_grad_refuses(name: str) -> None:
    function, args = REFUSED[name]
    with pytest.raises(chainrule.ChainruleError):
        chainrule.grad(function)(*args)
