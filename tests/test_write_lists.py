"""Lists and dictionaries in the user's function: lists of indices that it is given, and what it keeps arrays in."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from tests.test_write_loops import pasted


def characters(inputs: Any, targets: Any, h0: Any, Wxh: Any, Whh: Any, Why: Any, bh: Any) -> Any:
    xs, hs, ps = {}, {}, {}
    hs[-1] = np.copy(h0)
    loss = 0.0
    for t in range(len(inputs)):
        xs[t] = np.zeros((Wxh.shape[1], 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        y = np.dot(Why, hs[t])
        ps[t] = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(ps[t][targets[t], 0])
    return loss


def embedded(tokens: Any, labels: Any, E: Any, W: Any) -> Any:
    h = np.zeros(E.shape[1])
    loss = 0.0
    for token, label in zip(tokens, labels, strict=True):
        h = np.tanh(h @ W + E[token])
        z = E @ h
        loss += np.log(np.exp(z).sum()) - z[label]
    return loss / len(tokens)


def counted_from_one(x: Any, labels: Any, W: Any) -> Any:
    total = 0.0
    for row, label in enumerate(labels):
        z = x[row] @ W
        total += np.log(np.exp(z).sum()) - z[label - 1]
    return total


def picked(z: Any, label: Any) -> Any:
    return np.log(np.exp(z).sum()) - z[label]


def through_a_helper(x: Any, labels: Any, W: Any) -> Any:
    z = x @ W
    return sum(picked(z[n], labels[n]) for n in range(len(labels)))


def all_at_once(x: Any, labels: Any, W: Any) -> Any:
    z = x @ W
    return -z[np.arange(len(labels)), labels].sum() + np.take(W[0], labels).sum()


def normal(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape)


# The function, its arguments, and others: longer or shorter lists of indices.
LISTS: dict[str, tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = {
    "characters": (
        characters,
        ([1, 2, 3], [2, 3, 0], normal(4, 1), normal(4, 5), normal(4, 4), normal(5, 4), normal(4, 1)),
        ([4, 0, 0, 1, 2], [0, 0, 1, 2, 4], normal(3, 1), normal(3, 5), normal(3, 3), normal(5, 3), normal(3, 1)),
    ),
    "embedded": (
        embedded,
        ([0, 2, 2], [2, 2, 1], normal(4, 3), normal(3, 3)),
        ([1, 1, 0, 4, 2], [1, 0, 4, 2, 2], normal(5, 2), normal(2, 2)),
    ),
    "counted_from_one": (
        counted_from_one,
        (normal(3, 2), [1, 2, 4], normal(2, 4)),
        (normal(4, 2), [3, 3, 2, 1], normal(2, 4)),
    ),
    "through_a_helper": (
        through_a_helper,
        (normal(3, 2), [0, 1, 3], normal(2, 4)),
        (normal(4, 2), [2, 2, 1, 0], normal(2, 4)),
    ),
    "all_at_once": (
        all_at_once,
        (normal(3, 2), [0, 1, 3], normal(2, 4)),
        (normal(4, 2), [2, 2, 1, 0], normal(2, 4)),
    ),
}


def is_floating(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def names_of_arrays(f: Any, args: tuple[Any, ...]) -> list[str]:
    return [n for n, x in zip(inspect.signature(f).parameters, args, strict=True) if is_floating(x)]


def assert_right(gradients: dict[str, Any], f: Any, args: tuple[Any, ...]) -> None:
    places = [k for k, x in enumerate(args) if is_floating(x)]
    expected = cr.grad(f, argnums=tuple(places))(*args)
    for name, g in zip(names_of_arrays(f, args), expected, strict=True):
        np.testing.assert_allclose(gradients[name], g, rtol=1e-9, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_indices_may_be_another_one(name: str) -> None:
    f, args, other = LISTS[name]
    written = cr.write(f, *args)
    assert "valid for" not in str(written)
    assert "written out" not in str(written)
    for given in (args, other, tuple(np.array(x) for x in other)):
        value, gradients = written.function(*given)
        np.testing.assert_allclose(value, f(*given))
        assert_right(gradients, f, given)


def test_what_the_backward_pass_of_a_character_model_is() -> None:
    f, args, _ = LISTS["characters"]
    text = str(cr.write(f, *args, style="lines"))
    assert "dys = ps_array.copy()\ndys[np.arange(ps_array.shape[0]), targets[: len(inputs)], 0] -= 1\n" in text
    assert "    dtotals[t2 - 1] += Whh.T @ dtotals[t2] * h_slopes[t2 - 1]\n" in text
    assert "hs_array = np.stack(list(hs.values()))" in text
    assert "once more" not in text


def shape_of_a_list(x: Any, sizes: Any) -> Any:
    return (x.reshape(sizes) ** 2).sum(axis=0).max()


def joined(x: Any, places: Any) -> Any:
    more = [0]
    return x[places + more].sum()


def grown(x: Any, places: Any) -> Any:
    places += [0]
    return x[places].sum()


def as_a_key(x: Any, layers: Any) -> Any:
    weights = {1: 2.0, 2: 3.0}
    return sum(weights[n] * x[n] for n in layers) if 1 in layers else x[0]


def looked_up_in_a_list(layers: Any, x: Any, order: Any) -> Any:
    for k in order:
        x = np.tanh(x @ layers[k])
    return x.sum()


def test_numbers_that_are_looked_up_in_a_list_hold_for_themselves_alone() -> None:
    layers, x = [normal(3, 3), np.eye(3), normal(3, 3) / 2], normal(2, 3)
    written = cr.write(looked_up_in_a_list, layers, x, [2, 0, 1])
    _, gradients = written.function(layers, x, [2, 0, 1])
    np.testing.assert_allclose(gradients["x"], cr.grad(looked_up_in_a_list, argnums=1)(layers, x, [2, 0, 1]))
    with pytest.raises(ValueError, match=r"written for order=\[2, 0, 1\]"):
        written.function(layers, x, [2, 1, 0])


@pytest.mark.parametrize("f", [shape_of_a_list, joined, grown, as_a_key])
def test_a_list_of_anything_else_is_that_of_the_example(f: Any) -> None:
    numbers = [2, 3] if f is shape_of_a_list else [1, 2]
    written = cr.write(f, normal(6), list(numbers))
    assert f"valid for {inspect.signature(f).parameters.keys() - {'x'}!r}".replace("{'", "").replace("'}", "") in str(
        written
    )
    value, gradients = written.function(normal(6), list(numbers))
    np.testing.assert_allclose(value, f(normal(6), list(numbers)))
    np.testing.assert_allclose(gradients["x"], cr.grad(f)(normal(6), list(numbers)))


# ---- arrays kept in lists and dictionaries, read by the lines that are pasted


def recurrence(x: Any, W: Any, U: Any) -> Any:
    h = np.zeros(W.shape[1])
    hs = [h]
    for row in x:
        h = np.tanh(row @ W + h @ U)
        hs.append(h)
    loss = (hs[-1] ** 2).sum()
    return loss


def by_step(x: Any, W: Any, U: Any) -> Any:
    hs = {-1: np.zeros(W.shape[1])}
    for t in range(len(x)):
        hs[t] = np.tanh(x[t] @ W + hs[t - 1] @ U)
    loss = (hs[len(x) - 1] ** 2).sum()
    return loss


def without_the_first(x: Any, W: Any, U: Any) -> Any:
    h, hs, zs = np.zeros(W.shape[1]), [], []
    for t in range(len(x)):
        z = x[t] @ W + h @ U
        h = np.exp(-(z**2))
        zs.append(z)
        hs.append(h)
    loss = (h**2).sum()
    return loss


def written_over(x: Any, W: Any, U: Any) -> Any:
    h = np.zeros(W.shape[1])
    hs = [h]
    for row in x:
        h = np.tanh(row @ W + h @ U)
        hs.append(h)
    hs = [h * 2 for h in hs]
    loss = (hs[-1] ** 2).sum()
    return loss


def changed_afterwards(x: Any, W: Any, U: Any) -> Any:
    h = np.zeros(W.shape[1])
    hs = [h]
    for row in x:
        h = np.tanh(row @ W + h @ U)
        hs.append(h)
    hs[1] *= 2
    loss = (h**2).sum()
    return loss


def shortened(x: Any, W: Any, U: Any) -> Any:
    h = np.zeros(W.shape[1])
    hs = [h]
    for row in x:
        h = np.tanh(row @ W + h @ U)
        hs.append(h)
    hs.pop(0)
    loss = (h**2).sum()
    return loss


def of_a_stack(layers: Any, x: Any) -> Any:
    cache = {}
    for k, W in enumerate(layers):
        cache[k] = x
        x = np.tanh(x @ W)
    loss = (x**2).sum()
    return loss


KEPT = [recurrence, by_step, without_the_first, written_over, changed_afterwards, shortened]


@pytest.mark.parametrize("f", KEPT, ids=lambda f: f.__name__)
def test_lines_read_what_the_function_has_kept(f: Any) -> None:
    lines = str(cr.write(f, normal(4, 3), normal(3, 2), normal(2, 2), style="lines"))
    assert ("once more" in lines) is (f not in (recurrence, by_step))
    for sizes in ((4, 3, 2), (7, 2, 3)):
        args = normal(*sizes[:2]), normal(*sizes[1:]), normal(sizes[2], sizes[2])
        held = pasted(f, args, None, lines)
        assert_right({n: held["d" + n] for n in names_of_arrays(f, args)}, f, args)


def test_lines_read_what_was_kept_of_a_list_of_layers() -> None:
    layers, x = [normal(3, 4), normal(4, 2)], normal(5, 3)
    lines = str(cr.write(of_a_stack, layers, x, style="lines"))
    held = pasted(of_a_stack, (layers, x), None, lines)
    expected, dx = cr.grad(of_a_stack, argnums=(0, 1))(layers, x)
    for g, own in zip(held["dlayers"], expected, strict=True):
        np.testing.assert_allclose(g, own)
    np.testing.assert_allclose(held["dx"], dx)
