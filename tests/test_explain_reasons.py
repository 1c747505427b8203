"""The reasons beside lines of backward code: each is said where it is true, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr


def chosen(P, labels):
    return np.log(P[np.arange(len(P)), labels]).sum() + (P**2).sum()


def repeated(x, places):
    return (x[places] ** 3).sum() + (x**2).sum()


def factor(w, strength):
    return strength * np.mean(w**2)


def spread(x, scale, shift):
    return ((x * scale[:, None] + shift) ** 2).sum()


def powered(x, y):
    return (np.einsum("...i,...i->...", x, y) ** 3).sum()


def relu(z, w):
    return (np.maximum(z, 0) * w).sum()


def leaky(z):
    return ((z * (0.1 + 0.9 * (z > 0))) ** 2).sum()


def residual(z):
    return ((z + np.maximum(z, 0)) ** 2).sum()


def kept(z):
    return (np.where(z < 0, 0, z) ** 2).sum()


def difference(Y, T):
    E = Y - T
    return (E**2).mean()


def unnamed(X, W, T):
    return ((X @ W - T) ** 2).sum()


GRID = np.linspace(0.3, 1.7, 6).reshape(3, 2)
SIGNED = GRID - 1
USED, CHANGES = "is used for every", "The result changes only where"

CASES = [
    (chosen, (GRID, np.array([1, 0, 1])), "labels", "No place occurs twice, so += is enough."),
    (repeated, (GRID[:, 0], np.array([1, 1])), "places", "A place that was read several times gets several"),
    (factor, (SIGNED[0], 0.1), "sum", None),
    (spread, (GRID, GRID[:, 1], 0.4), "np.vecdot", f"scale[i] {USED} j"),
    (spread, (GRID, GRID[:, 1], 0.4), ".sum()", f"shift {USED} i, j"),
    (relu, (SIGNED, GRID), "z > 0", f"{CHANGES} z > 0 holds."),
    (leaky, (SIGNED,), "z > 0", None),
    (residual, (SIGNED,), "z > 0", None),
    (kept, (SIGNED,), "z < 0", None),
    (
        difference,
        (GRID[:, :1], SIGNED[:, :1]),
        "if T.shape[1] == 1",
        "Where T has one column, it is broadcast over the columns",
    ),
    (difference, (GRID[:1], SIGNED[:1]), "if len(T) == 1", "Where T has one row, it is broadcast over the rows"),
    (unnamed, (GRID, GRID[:2, :1], GRID[:, :1]), "if T.shape[1] == 1", "Where T.shape[1] is 1, T is broadcast"),
]


SHAPES = [
    (difference, (GRID, SIGNED), "dE = ", ""),  # a difference of equal shapes says nothing
    (relu, (SIGNED, GRID), "dz = ", "(3,2) = (3,2) ∘ (3,2)"),
    (residual, (SIGNED,), "dz = ", "(3,2) = (3,2) ∘ (3,2)"),
    (kept, (SIGNED,), "dz = ", ""),  # a choice is no product
    (spread, (GRID, GRID[:, 1], 0.4), "dscale = ", "(3,) = Σ₁ [(3,2) ∘ (3,2)]"),
    (powered, (GRID[None], SIGNED[None]), "dproduct = ", "(1,3) = Σ₂ [(1,3,2) ∘ (1,3,2)]"),
]


@pytest.mark.parametrize(("function", "args", "part", "expected"), CASES)
def test_reasons(function, args, part, expected):
    """``None``: nothing is said of any such part."""
    parts = cr.explain(function, *args).derivation.parts
    lines = [line for of in parts for route in of.routes for line in route.lines]
    said = [str(why) for line in lines for code, why in line.reasons if part in code]
    if expected is None:
        assert not said
    else:
        assert any(expected in why for why in said), said or [line.code for line in lines]


@pytest.mark.parametrize(("function", "args", "start", "expected"), SHAPES)
def test_shapes(function, args, start, expected):
    parts = cr.explain(function, *args).derivation.parts
    lines = [line for of in parts for route in of.routes for line in route.lines]
    assert [line.shapes for line in lines if line.code.startswith(start)] == [expected], [line.code for line in lines]
