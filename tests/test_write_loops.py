"""Loops stay loops in written source: a for forwards and one backwards, valid for other lengths."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.source import Draft
from chainrule.trees import flatten

ROOT = Path(__file__).resolve().parent.parent
rng = np.random.default_rng(0)
normal, uniform = rng.standard_normal, rng.random


def rnn_last(x, W, U, b, h):
    T = len(x)
    for t in range(T):
        h = np.tanh(x[t] @ W + h @ U + b)
    return h


def rnn_stack(x, W, U, b):
    h = np.zeros(U.shape[0])
    hs = []
    for t in range(x.shape[0]):
        h = np.tanh(x[t] @ W + h @ U + b)
        hs.append(h)
    return np.stack(hs)


def rnn_array(x, W, U, b):
    h = np.zeros(U.shape[0])
    hs = []
    for x_t in x:
        h = np.tanh(x_t @ W + h @ U + b)
        hs.append(h)
    return np.array(hs)


def rnn_loss(x, y, W, U, V, b):
    T = x.shape[0]
    h = np.zeros((x.shape[1], U.shape[0]))
    loss = 0
    for t in range(T):
        h = np.tanh(x[t] @ W + h @ U + b)
        loss += ((h @ V - y[t]) ** 2).mean()
    return loss / T


def for_x(xs, W):
    h = 0.0
    for x in xs:
        h = np.tanh(h * 0.5 + (x * W).sum())
    return h


def mlp_idx(Ws, bs, x):
    for i in range(len(Ws) - 1):
        x = np.maximum(0, x @ Ws[i] + bs[i])
    return ((x @ Ws[-1] + bs[-1]) ** 2).mean()


def mlp_all(Ws, bs, x):
    for W, b in zip(Ws, bs, strict=True):
        x = np.tanh(x @ W + b)
    return x.sum()


def mlp_dict(params, x):
    for layer in params:
        x = np.tanh(x @ layer["W"] + layer["b"])
    return x


def mlp_if(Ws, bs, x):
    n = len(Ws)
    for i in range(n):
        x = x @ Ws[i] + bs[i]
        if i < n - 1:
            x = np.maximum(x, 0)
    return x


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def cell(x, h, c, W, U, b):
    z = x @ W + h @ U + b
    H = h.shape[-1]
    i, f, o, g = (z[..., :H], z[..., H : 2 * H], z[..., 2 * H : 3 * H], z[..., 3 * H :])
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return (sigmoid(o) * np.tanh(c), c)


def lstm(x, W, U, b, V):
    B, H = (x.shape[1], U.shape[0])
    h = np.zeros((B, H))
    c = np.zeros((B, H))
    for t in range(x.shape[0]):
        h, c = cell(x[t], h, c, W, U, b)
    return (h @ V).sum()


def deriv(y, a):
    return np.array([a * y[0] - y[0] * y[1], y[0] * y[1] - y[1]])


def euler(y, a, dt):
    for _ in range(100):
        y = y + dt * deriv(y, a)
    return y


def rk4(y, A, dt):
    for _ in range(100):
        k1 = A @ y
        k2 = A @ (y + dt / 2 * k1)
        k3 = A @ (y + dt / 2 * k2)
        k4 = A @ (y + dt * k3)
        y = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y


def newton(a):
    x = a
    for _ in range(10):
        x = x - (x * x - a) / (2 * x)
    return x


def power(A, v):
    for _ in range(20):
        v = A @ v
        v = v / np.linalg.norm(v)
    return v @ A @ v


def buffer(x, w):
    T = len(x)
    out = np.zeros(T)
    for t in range(T):
        out[t] = np.sin(x[t] * w)
    return out


def smooth(x, a):
    s = np.zeros_like(x)
    s[0] = x[0]
    for t in range(1, len(x)):
        s[t] = a * x[t] + (1 - a) * s[t - 1]
    return (s**2).sum()


def momentum(w, X, y, lr, mu):
    v = np.zeros_like(w)
    for _ in range(30):
        g = X.T @ (X @ w - y) / len(y)
        v = mu * v - lr * g
        w = w + v
    return ((X @ w - y) ** 2).mean()


def nest(x, W, U):
    B, T = (x.shape[0], x.shape[1])
    total = 0.0
    for b in range(B):
        h = np.zeros(U.shape[0])
        for t in range(T):
            h = np.tanh(x[b, t] @ W + h @ U)
        total = total + h.sum()
    return total


def first(x, a):
    h = x[0] * 2
    for t in range(len(x)):
        if t > 0:
            h = h * a + x[t]
        else:
            h = np.sin(x[0])
    return h


def seq(x, W, U, V, b):
    hs, ys = {}, {}
    hs[-1] = np.zeros(U.shape[0])
    loss = 0
    for t in range(len(x)):
        hs[t] = np.tanh(W @ x[t] + U @ hs[t - 1] + b)
        ys[t] = V @ hs[t]
        loss += (ys[t] ** 2).sum()
    return loss


def verlet(x, dt):
    prev = x - 0.01
    for _ in range(25):
        prev, x = (x, 2 * x - prev - dt * dt * np.sin(x))
    return x


def rev(x, a):
    out = []
    v = np.zeros(x.shape[1])
    for t in reversed(range(len(x))):
        v = x[t] + a * v
        out.append(v)
    return np.stack(out[::-1])


def adam(w, lr):
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    for t in range(1, 11):
        g = 2 * w
        m = 0.9 * m + 0.1 * g
        v = 0.99 * v + 0.01 * g * g
        w = w - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-08)
    return w.sum()


def lossum(x, W):
    losses = []
    h = np.zeros(W.shape[0])
    for t in range(len(x)):
        h = np.tanh(W @ h + x[t])
        losses.append((h * h).sum())
    return sum(losses)


def emb(E, tok, W):
    h = np.zeros(W.shape[0])
    for t in range(len(tok)):
        h = np.tanh(E[tok[t]] + h @ W)
    return h.sum()


def enum(x, w):
    s = 0.0
    for i, v in enumerate(x):
        s = s + w[i] * v**2
    return s


def lastout(x, W, V):
    h = np.zeros(W.shape[0])
    for t in range(len(x)):
        h = np.tanh(W @ h + x[t])
        y = V @ h
    return y


# Per name a function, and its arguments for a number of turns.
CASES = {
    "rnn_last": (rnn_last, lambda T: (normal((T, 3)), normal((3, 4)), normal((4, 4)), normal(4), normal(4))),
    "rnn_stack": (rnn_stack, lambda T: (normal((T, 3)), normal((3, 4)), normal((4, 4)), normal(4))),
    "rnn_array": (rnn_array, lambda T: (normal((T, 3)), normal((3, 4)), normal((4, 4)), normal(4))),
    "rnn_loss": (
        rnn_loss,
        lambda T: (normal((T, 2, 3)), normal((T, 2, 2)), normal((3, 4)), normal((4, 4)), normal((4, 2)), normal(4)),
    ),
    "for_x": (for_x, lambda T: (normal((T, 3)), normal(3))),
    "for_xs": (for_x, lambda T: ([normal(3) for _ in range(T)], normal(3))),
    "mlp_idx": (
        mlp_idx,
        lambda T: ([normal((3 + k, 4 + k)) for k in range(T)], [normal(4 + k) for k in range(T)], normal((2, 3))),
    ),
    "mlp_all": (
        mlp_all,
        lambda T: ([normal((3 + k, 4 + k)) for k in range(T)], [normal(4 + k) for k in range(T)], normal((2, 3))),
    ),
    "mlp_dict": (
        mlp_dict,
        lambda T: ([{"W": normal((3 + k, 4 + k)), "b": normal(4 + k)} for k in range(T)], normal((2, 3))),
    ),
    "mlp_if": (
        mlp_if,
        lambda T: ([normal((3 + k, 4 + k)) for k in range(T)], [normal(4 + k) for k in range(T)], normal((2, 3))),
    ),
    "lstm": (lstm, lambda T: (normal((T, 2, 3)), normal((3, 16)), normal((4, 16)), normal(16), normal((4, 2)))),
    "euler": (euler, lambda T: (uniform(2), 0.5, 0.01)),
    "rk4": (rk4, lambda T: (normal(3), normal((3, 3)), 0.01)),
    "newton": (newton, lambda T: (2.0,)),
    "power": (power, lambda T: (uniform((3, 3)), uniform(3))),
    "buffer": (buffer, lambda T: (normal(T), 1.5)),
    "smooth": (smooth, lambda T: (normal(T), 0.3)),
    "momentum": (momentum, lambda T: (normal(3), normal((5, 3)), normal(5), 0.1, 0.9)),
    "nest": (nest, lambda T: (normal((T - 1, T, 3)), normal((3, 4)), normal((4, 4)))),
    "first": (first, lambda T: (normal((T, 2)), 0.7)),
    "seq": (seq, lambda T: (normal((T, 3)), normal((4, 3)), normal((4, 4)), normal((2, 4)), normal(4))),
    "verlet": (verlet, lambda T: (normal(2), 0.1)),
    "rev": (rev, lambda T: (normal((T, 2)), 0.7)),
    "adam": (adam, lambda T: (normal(3), 0.1)),
    "lossum": (lossum, lambda T: (normal((T, 4)), normal((4, 4)))),
    "emb": (emb, lambda T: (normal((6, 4)), rng.integers(0, 6, T), normal((4, 4)))),
    "enum": (enum, lambda T: (normal(T), normal(T))),
    "lastout": (lastout, lambda T: (normal((T, 4)), normal((4, 4)), normal((2, 4)))),
}


def gradients(f, args, extra):
    """The floating gradients of a function, and its value."""
    value, pullback = cr.vjp(f, *args)
    found = pullback(np.asarray(1.0) if extra is None else extra)
    kept = [g for g, a in zip(found, args, strict=True) if not isinstance(a, np.ndarray) or a.dtype.kind == "f"]
    return value, kept


def agree(function, f, args):
    value = f(*args)
    leaves = flatten(value)[0]
    parts = [normal(np.shape(x)) for x in leaves]
    scalar = len(leaves) == 1 and np.ndim(leaves[0]) == 0
    extra = None if scalar else parts[0] if len(parts) == 1 else tuple(parts)
    value, expected = gradients(f, args, extra)
    output, named = function(*args, *([] if scalar else [extra]))
    for a, b in zip(flatten(output)[0], flatten(value)[0], strict=True):
        assert np.allclose(a, b, rtol=1e-9, atol=1e-9)
    for a, b in zip(flatten(list(named.values()))[0], flatten(expected)[0], strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.allclose(a, b, rtol=1e-8, atol=1e-8)


STYLES = {"rnn_stack", "mlp_idx", "smooth", "nest"}  # written as a pullback and as a layer, too
LINES = {  # and as lines to paste
    *("rnn_last", "rnn_stack", "rnn_loss", "mlp_all", "mlp_dict", "lstm", "rk4", "smooth", "momentum", "nest", "seq"),
}


@pytest.mark.parametrize("name", CASES)
def test_loops_stay_loops_and_give_the_gradients(name):
    f, arguments = CASES[name]
    draft = Draft(f, arguments(5), {})
    source = draft.source()
    text = str(source)
    # Where no turn needs what another one makes, the backward pass is written for all turns at once.
    assert text.count("    for ") >= (1 if name == "enum" else 2)
    assert "written out" not in text
    for count in (5, 8, 3):
        agree(source.function, f, arguments(count))
    args = arguments(6)
    value = f(*args)
    extra = None if np.ndim(value) == 0 else normal(np.shape(value))
    _, expected = gradients(f, args, extra)
    if name in STYLES:
        in_other_styles(draft, args, value, extra, expected)
    if name in LINES:
        lines_run_under_the_forward_lines(draft, f, args, extra, expected)


@pytest.mark.parametrize("name", ["rnn_stack", "rnn_array", "mlp_all", "smooth", "nest", "lossum"])
def test_the_text_does_not_depend_on_the_number_of_turns(name):
    f, arguments = CASES[name]
    assert str(cr.write(f, *arguments(4))) == str(cr.write(f, *arguments(9)))


@pytest.mark.parametrize("name", ["rnn_stack", "mlp_idx", "mlp_dict", "smooth", "lossum", "enum"])
def test_forward_source_is_a_loop_that_can_be_written_again(name):
    f, arguments = CASES[name]
    once = cr.write(f, *arguments(5), what="forward")
    assert "    for " in str(once)
    for count in (5, 7):
        args = arguments(count)
        for a, b in zip(flatten(once.function(*args))[0], flatten(f(*args))[0], strict=True):
            assert np.allclose(a, b)
    again = cr.write(once.function, *arguments(5))
    agree(again.function, f, arguments(6))


def in_other_styles(draft, args, value, extra, expected):
    given = () if extra is None else (extra,)
    layer = draft.source("layer").function()
    assert np.allclose(layer.forward(*args), value)
    for found in (layer.backward(*given).values(), draft.source("pullback").function(*args, *given)):
        for a, b in zip(flatten(list(found))[0], flatten(expected)[0], strict=True):
            assert np.allclose(a, b)


def pasted(f, args, extra, lines):
    """The variables behind the lines, under the lines of a function."""
    body = textwrap.dedent("\n".join(inspect.getsource(f).splitlines()[1:]))
    above = re.findall(r"^# put `(.*?)` above", lines, re.MULTILINE)
    body = re.sub(r"^return ", "result = ", body, flags=re.MULTILINE)
    held = {**f.__globals__, **dict(zip(inspect.signature(f).parameters, args, strict=True))}
    if extra is not None:
        held["grad_output"] = extra
    exec("\n".join([*above, body, lines]), held)
    return held


def lines_run_under_the_forward_lines(draft, f, args, extra, expected):
    held = pasted(f, args, extra, str(draft.source("lines")))
    for parameter, wanted in zip(inspect.signature(f).parameters, expected, strict=True):
        own = f"d{parameter}_" if f"d{parameter}_" in held else f"d{parameter}"
        for a, b in zip(flatten(held[own])[0], flatten(wanted)[0], strict=True):
            assert np.allclose(a, b)


def test_gradients_of_lists_are_lists():
    f, arguments = CASES["mlp_idx"]
    source = cr.write(f, *arguments(3))
    assert "for i in reversed(range(len(Ws) - 1)):" in str(source)
    _, named = source.function(*arguments(5))
    assert list(named) == ["Ws", "bs", "x"]
    assert [len(named["Ws"]), len(named["bs"])] == [5, 5]


def kept_before_written(x, A):
    for t in range(x.shape[0]):
        y = x[t]
        for _ in range(3):
            y = np.sin(A @ y)
        x[t] = y * 2
    return x.sum()


def test_what_is_kept_is_copied_where_it_is_written_over():
    arguments = lambda: (normal((4, 3)), normal((3, 3)))  # noqa: E731
    x, A = arguments()
    source = cr.write(kept_before_written, x, A)
    x, A = arguments()
    _, expected = gradients(kept_before_written, (x.copy(), A), None)
    _, named = source.function(x.copy(), A)
    for a, b in zip(named.values(), expected, strict=True):
        assert np.allclose(a, b)


def early(x):
    h = 0.0 * x[0]
    for t in range(len(x)):
        h = np.tanh(h + x[t]) if t < 12 else h * x[t]
    return h.sum()


def last_scaled(x):
    n, h = len(x), 0.0 * x[0]
    for t in range(n):
        h = np.tanh(h + x[t])
        if t == n - 1:
            h = h * 3
    return h.sum()


def stopped(x):
    h = 0.0 * x[0]
    for t, v in enumerate(x):
        if t > 12:
            break
        h = np.sin(h + v)
    return h.sum()


def clamped(x):
    h = 0.0 * x[0]
    for t in range(len(x)):
        h = np.sin(h + x[min(t, 10)])
    return h.sum()


def by_bits(x):
    h = 0.0 * x[0]
    for t in range(len(x)):
        if t & 8:
            h = h * 2
        h = np.sin(h + x[t])
    return h.sum()


def by_membership(x):
    h = 0.0 * x[0]
    for t in range(len(x)):
        if t in {10}:
            h = h * 2
        h = np.sin(h + x[t])
    return h.sum()


def ends_apart(x):
    hs = {-1: 0.0 * x[0]}
    for t in range(len(x)):
        hs[t] = np.sin(hs[t - 1] + x[t])
        if t != 0 and t != len(x) - 1:
            hs[t] = hs[t] * 2
    return hs[len(x) - 1].sum()


# What the code says it is valid for; nothing, where it is valid for every length.
DECISIONS = {
    early: "`t < 12`",
    last_scaled: "",
    first: "",
    stopped: "`t > 12`",
    clamped: "`min(t, 10)`",
    by_bits: "`t & 8`",
    by_membership: "`t in {10}`",
    ends_apart: "",
}


@pytest.mark.parametrize("f", DECISIONS)
def test_what_a_counter_decides_is_the_same_for_other_lengths_or_said(f):
    rest = (0.7,) if f is first else ()
    source = cr.write(f, normal((8, 2)), *rest)
    remarks = [line for line in str(source).splitlines() if line.startswith("# valid while")]
    assert len(remarks) == bool(DECISIONS[f])
    assert all(DECISIONS[f] in line for line in remarks)
    for count in (3, 8) if DECISIONS[f] else (3, 8, 20):
        agree(source.function, f, (normal((count, 2)), *rest))


def all_positive(x):
    total = 0.0
    for t in range(len(x)):
        total = total + (x[t] ** 2 if x[t] > 0 else x[t])
    return total


def test_what_values_decide_in_every_turn_is_said_where_no_loop_is_written():
    said, *_, line = str(cr.write(all_positive, np.array([1.0, 2.0, 3.0]), style="lines")).splitlines()
    assert re.fullmatch(r"# valid while `x\[t\] > 0` on line \d+ is true in every turn", said)
    assert line == "dx = 2 * x"


def alternating(x):
    h = 0.0 * x[0]
    for t in range(len(x)):
        h = np.sin(h + x[t]) if t % 2 else np.cos(h * x[t])
    return h.sum()


def growing(x):
    h = x[:1]
    for t in range(1, len(x)):
        h = np.concatenate([h, x[t : t + 1] * h.sum()])
    return h.sum()


def from_a_number(x):
    out, v = [], 0.0
    for t in range(len(x)):
        v = x[t] + x[0, 0] * v
        out.append(v)
    return np.stack(out).sum()


@pytest.mark.parametrize("f", [alternating, growing, from_a_number])
def test_turns_that_differ_are_written_out(f):
    x = normal(5) if f is growing else normal((5, 2))
    source = cr.write(f, x)
    agree(source.function, f, (x,))


def test_a_thousand_turns_are_one_body():
    f, arguments = CASES["rnn_stack"]
    text = str(cr.write(f, *arguments(1024)))
    assert len(text.splitlines()) < 50


def test_loops_pass_ruff_and_are_the_same_under_every_hash_seed(tmp_path):
    program = (
        "import sys; from tests.test_write_loops import CASES; from chainrule.source import Draft\n"
        "for name in ('rnn_loss', 'mlp_dict', 'smooth', 'nest'):\n"
        "    f, arguments = CASES[name]\n"
        "    draft = Draft(f, arguments(4), {})\n"
        "    for style in ('function', 'layer'): draft.source(style).save(f'{sys.argv[1]}/{name}_{style}.py')\n"
    )
    texts = []
    for seed in ("0", "5"):
        folder = tmp_path / seed
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", program, str(folder)], cwd=ROOT, env=environment, check=True)
        texts.append([path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())])
    assert texts[0] == texts[1]
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def step_of(h, x):
    z = h + x
    return np.tanh(z)


def shadowed(x, h, z):
    scaled = z * 2
    for t in range(len(x)):
        h = step_of(h, x[t] * scaled)
    return (h * z).sum()


def twice_bound(x, h):
    for t in range(len(x)):
        h = np.sin(h + x[t])
        y = h * h
        h = np.tanh(y * h)
    return (h * y).sum()


@pytest.mark.parametrize("f", [shadowed, twice_bound])
def test_names_that_hold_something_else_behind_the_loop_are_not_read(f):
    args = (normal((5, 2)), normal(2), normal(2)) if f is shadowed else (normal((5, 2)), normal(2))
    _, expected = gradients(f, args, None)
    held = pasted(f, args, None, str(cr.write(f, *args, style="lines")))
    for parameter, wanted in zip(inspect.signature(f).parameters, expected, strict=True):
        assert np.allclose(held[f"d{parameter}"], wanted)
