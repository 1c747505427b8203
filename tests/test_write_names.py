"""Invented names say where a value comes from or what it goes into, and numbers that NumPy computes stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr


def _normal(*shape: int) -> Any:
    return 0.5 * np.random.default_rng(sum(shape)).normal(size=shape)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def two_layers(x: Any, b: Any, V: Any, W: Any) -> Any:
    h1 = np.maximum(0, x @ V + b)
    h2 = np.tanh(h1 @ W + h1)
    return (h2**2).sum()


def one_layer(x: Any, W: Any) -> Any:
    h1 = np.tanh(W @ x + x)
    return (h1**2).sum()


def gates(z: Any, i: Any, c: Any) -> Any:
    state = sigmoid(z) * c + sigmoid(i) * np.tanh(c)
    return (state**2).sum()


def gated_loop(xs: Any, h: Any, U: Any, V: Any) -> Any:
    for x in xs:
        z = sigmoid(U @ h + x)
        a = np.tanh(V @ (z * h) + x)
        h = (1 - z) * h + z * a
    return (h**2).sum()


@pytest.mark.parametrize(
    ("function", "args", "there", "absent"),
    [
        (
            two_layers,
            (_normal(5, 3), _normal(4), _normal(3, 4), _normal(4, 4)),
            ["dh2_total = ", "dh1_total = "],
            ["dtotal"],
        ),
        (one_layer, (_normal(3), _normal(3, 3)), ["dtotal = "], ["h1_total"]),
        (gates, (_normal(3), _normal(3), _normal(3)), ["sigmoid_z = ", "sigmoid_i = "], ["ratio"]),
        (
            gated_loop,
            (_normal(5, 3), _normal(3), _normal(3, 3), _normal(3, 3)),
            ["dz_totals = np.stack(", "da_totals = np.stack(", "h_products"],
            ["dtotals", "products2", "gradient_item"],
        ),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_unnamed_values(function: Any, args: Any, there: list[str], absent: list[str]) -> None:
    text = str(cr.write(function, *args))
    assert [part for part in there if part not in text] == []
    assert [part for part in absent if part in text] == []


def gated_by_matrices(xs: Any, h: Any, Wz: Any, Uz: Any, Wa: Any, Ua: Any) -> Any:
    for x in xs:
        z = sigmoid(x @ Wz + h @ Uz)
        a = np.tanh(x @ Wa + (z * h) @ Ua)
        h = (1 - z) * h + z * a
    return (h**2).sum()


def test_gradients_of_all_steps_are_made_of_what_is_stacked_for_others() -> None:
    args = (_normal(5, 2), _normal(3), _normal(2, 3), _normal(3, 3), 2 * _normal(2, 3), 2 * _normal(3, 3))
    text = str(cr.write(gated_by_matrices, *args))
    assert "dxs = da_totals @ Wa.T + dz_totals @ Wz.T" in text
    assert text.count("np.stack(d") == 2


def smooth(x: Any) -> Any:
    t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    return (0.5 * x * (1 + t)).sum()


def waves(x: Any, w: Any) -> Any:
    return np.sin(2 * np.pi * x * w).sum() / (np.exp(1) * 3)


def halved(x: Any) -> Any:
    return (np.sqrt(0.25) * x**2 - 2 * np.log(7) * x).sum()


@pytest.mark.parametrize(
    ("function", "args", "there", "absent"),
    [
        (smooth, (_normal(4),), ["np.tanh(np.sqrt(2 / np.pi) * ("], ["0.797"]),
        (waves, (_normal(4), _normal(4)), ["2 * np.pi", "np.exp(1)"], ["6.28", "2.718"]),
        (halved, (_normal(4),), ["np.log(7)"], ["np.sqrt(0.25)"]),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_numbers_that_numpy_computes(function: Any, args: Any, there: list[str], absent: list[str]) -> None:
    written = cr.write(function, *args)
    text = "\n".join(line for line in str(written).splitlines() if not line.strip().startswith("#"))
    assert [part for part in there if part not in text] == []
    assert [part for part in absent if part in text] == []
    for found, exact in zip(
        written.function(*args)[1].values(), cr.grad(function, argnums=range(len(args)))(*args), strict=True
    ):
        np.testing.assert_allclose(found, exact, rtol=1e-12)


def test_numbers_that_numpy_computes_promote_no_short_floats() -> None:
    written = cr.write(waves, np.float32(_normal(4)), np.float32(_normal(4)))
    value, gradients = written.function(np.float32(_normal(4)), np.float32(_normal(4)))
    assert {g.dtype for g in gradients.values()} == {np.dtype(np.float32)}
    assert np.asarray(value).dtype == np.asarray(waves(np.float32(_normal(4)), np.float32(_normal(4)))).dtype
