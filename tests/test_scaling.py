"""Long programs: the effort grows with their length, and nothing runs into a recursion limit."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.backward import backward_of
from chainrule.simplify import rewriting
from chainrule.simplify.cost import cost_of

CHAIN = (
    "np.tanh({x} * W[{k}])",
    "{x} @ V",
    "{x} / (1 + {x} * {x})",
    "np.maximum({x}, 0) + W[{k}]",
    "{x} - {x}.mean(axis=0)",
)
V = np.random.default_rng(0).standard_normal((3, 3)) * 0.4


def straight_line(lines: int, folder: Path):
    """A function of so many different lines, in a file of its own."""
    texts = [f"    x{k + 1} = {CHAIN[(k * k + k // 3) % 5].format(x=f'x{k}', k=k)}" for k in range(lines)]
    path = folder / f"straight_{lines}.py"
    path.write_text(
        "\n".join(["import numpy as np", "def f(x0, W, V):", *texts, f"    return (x{lines} ** 2).sum()", ""])
    )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    draw = np.random.default_rng(1)
    return module.f, (draw.standard_normal((4, 3)), draw.standard_normal((lines, 3)), V)


def nested(x, w, low, high):
    if high - low == 1:
        return np.sin(x * w[low])
    middle = (low + high) // 2
    return nested(x, w, low, middle) * 0.9 + nested(x, w, middle, high)


def tower(size):
    def f(x, w):
        return nested(x, w, 0, size).sum()

    return f, (np.linspace(0, 1, 6).reshape(2, 3), np.linspace(0.5, 1, size))


def accumulated(x, w):
    for _ in range(120):
        x = np.sin(np.cos(np.tanh(np.sin(x * w))))
    return x.sum()


def effort(f, args, monkeypatch):
    """How many values are made and how many changes are tried, per backward step."""
    counts = []

    class Counted(rewriting.Selection):
        def improve(self, *rounds):
            super().improve(*rounds)
            counts.append(self.attempts + len(self.choices.table.values))

    monkeypatch.setattr(rewriting, "Selection", Counted)
    backward = backward_of(f, args)
    found = rewriting.simplify(backward)
    assert cost_of(found) <= cost_of(backward)
    return max(counts) / (len(backward.program.steps) - backward.forward_steps)


@pytest.mark.parametrize("kind", ["line", "tower"])
def test_the_effort_per_step_does_not_grow(kind, tmp_path, monkeypatch):
    def of(size):
        if kind == "line":
            return effort(*straight_line(size, tmp_path), monkeypatch)
        return effort(*tower(size), monkeypatch)

    assert of(150) < 1.5 * of(60)


@pytest.mark.parametrize(
    ("f", "args"),
    [tower(60), (accumulated, (np.linspace(0, 1, 3), np.array([0.9, 1.1, 1.2])))],
    ids=["tower", "accumulated"],
)
def test_long_programs_are_written(f, args):
    value, gradients = cr.write(f, *args).function(*args)
    expected_value, expected = cr.value_and_grad(f, argnums=(0, 1))(*args)
    assert np.allclose(value, expected_value)
    for name, wanted in zip(gradients, expected, strict=True):
        assert np.allclose(gradients[name], wanted, rtol=1e-8, atol=1e-12)
