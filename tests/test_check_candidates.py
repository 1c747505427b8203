"""Backward passes in every style that people write them in are understood: who is who, and what comes back."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.check.adapters.script_traces import traced_script
from chainrule.check.adapters.scripts import ScriptCandidate
from chainrule.check.candidate import CandidateError
from chainrule.check.candidates import candidate_of
from chainrule.check.checking import judge
from tests.check_styles import STYLES

N, D, M = 5, 3, 4
GENERATOR = np.random.default_rng(7)
ARGS = {"x": GENERATOR.normal(size=(N, D)), "W": GENERATOR.normal(size=(D, M)), "b": GENERATOR.normal(size=M)}
G = GENERATOR.normal(size=(N, M))


def dense(x, W, b):
    Z = x @ W + b
    A = np.maximum(0, Z)
    return A


def dense_with_cache(x, W, b):
    Z = x @ W + b
    return np.maximum(0, Z), (x, W, Z)


def exact() -> dict[str, Any]:
    x, W, b = ARGS["x"], ARGS["W"], ARGS["b"]
    dZ = G * (x @ W + b > 0)
    return {"x": dZ @ W.T, "W": x.T @ dZ, "b": dZ.sum(axis=0)}


def _gradients(x, W, Z, g):
    dZ = g * (Z > 0)
    return dZ @ W.T, x.T @ dZ, dZ.sum(axis=0)


# ---- functions
def in_order(x, W, b, g):
    return _gradients(x, W, x @ W + b, g)


def upstream_first(grad_output, x, W, b):
    return _gradients(x, W, x @ W + b, grad_output)


def other_words(dout, x_input, weights, bias):
    return _gradients(x_input, weights, x_input @ weights + bias, dout)


def after_the_output(dA, X, w, B):
    return list(_gradients(X, w, X @ w + B, dA))


def by_elimination(x, W, b, whatever):
    return _gradients(x, W, x @ W + b, whatever)


def with_intermediate(dA, Z, x, W):
    return _gradients(x, W, Z, dA)


def with_output(dA, A, x, W):
    return _gradients(x, W, A, dA)


def with_unpacked_cache(dout, cache):
    x, W, Z = cache
    return _gradients(x, W, Z, dout)


def with_dict_cache(dout, cache):
    return _gradients(cache["x"], cache["W"], cache["Z"], dout)


def as_dict(x, W, b, g):
    return dict(zip(["dX", "grad_w", "db"], _gradients(x, W, x @ W + b, g), strict=True))


def own_order(W, b, x, g):
    dx, dW, db = _gradients(x, W, x @ W + b, g)
    return dW, db, dx


def with_the_output(x, W, b, g):
    return dense(x, W, b), as_dict(x, W, b, g)


def output_first(x, W, b, g):
    dx, dW, db = _gradients(x, W, x @ W + b, g)
    return dense(x, W, b), dx, dW, db


def with_settings(x, W, b, g, eps=1e-9, *, keep=None):
    return _gradients(x, W, x @ W + b, g)


def keyword_only(*, g, b, W, x):
    return _gradients(x, W, x @ W + b, g)


def collecting(g, *inputs):
    x, W, b = inputs
    return _gradients(x, W, x @ W + b, g)


FUNCTIONS = [in_order, upstream_first, other_words, after_the_output, by_elimination, with_intermediate, with_output,
             with_unpacked_cache, with_dict_cache, as_dict, own_order, with_the_output, output_first, with_settings,
             keyword_only, collecting]  # fmt: skip


def close(answer: Any, wanted: dict[str, Any]) -> bool:
    assert answer.error is None, answer.error
    assert set(answer.gradients) == set(wanted)
    return all(np.allclose(answer.gradients[n], wanted[n], rtol=1e-12) for n in wanted)


@pytest.mark.parametrize("candidate", FUNCTIONS, ids=lambda f: f.__name__)
def test_functions(candidate):
    found = candidate_of(candidate, dense, ARGS)
    assert found.wrt == ("x", "W", "b")
    assert found.style == "function"
    assert close(found.answer(ARGS, G), exact())
    assert found.answer(ARGS, G).changed == ()


def test_the_cache_of_the_forward_function():
    found = candidate_of(with_unpacked_cache, dense_with_cache, ARGS)
    assert found.of == 0
    assert close(found.answer(ARGS, G), exact())


@pytest.mark.parametrize(
    ("candidate", "wrt"),
    [
        (lambda g, x, W, b: x.T @ (g * (x @ W + b > 0)), "W"),
        (lambda g, x, W, b: (x.T @ (g * (x @ W + b > 0)), (g * (x @ W + b > 0)).sum(0)), ("W", "b")),
        (lambda g, x, W, b: {"W_grad": x.T @ (g * (x @ W + b > 0))}, None),
    ],
)
def test_some_of_the_gradients(candidate, wrt):
    found = candidate_of(candidate, dense, ARGS, wrt)
    wanted = {n: exact()[n] for n in found.wrt}
    assert close(found.answer(ARGS, G), wanted)


def test_the_name_of_the_function_says_what_it_gives():
    def dense_grad_W(x_input, grad_output, W, b):
        return x_input.T @ (grad_output * (x_input @ W + b > 0))

    found = candidate_of(dense_grad_W, dense, ARGS)
    assert found.wrt == ("W",)
    assert close(found.answer(ARGS, G), {"W": exact()["W"]})


def test_a_loss_needs_no_incoming_gradient():
    def loss(p, t):
        return ((p - t) ** 2).mean()

    args = {"p": GENERATOR.normal(size=6), "t": GENERATOR.normal(size=6)}
    found = candidate_of(lambda p, t: 2 * (p - t) / p.size, loss, args)
    assert (found.wrt, found.takes_cotangent) == (("p",), False)
    assert close(found.answer(args, 1.0), {"p": 2 * (args["p"] - args["t"]) / 6})


def test_names_can_be_told():
    def odd(one, two, three, four):
        return _gradients(two, one, two @ one + three, four)

    with pytest.raises(CandidateError, match=r"names=\{\"one\": \"…\", \"two\": \"…\""):
        candidate_of(odd, dense, ARGS)
    names = {"one": "W", "two": "x", "three": "b", "four": "grad_output"}
    assert cr.check(odd, dense, ARGS, names=names).ok
    assert close(candidate_of(odd, dense, ARGS, names=names).answer(ARGS, G), exact())


def test_what_a_candidate_does_is_seen():
    def untidy(g, x, W, b):
        Z = x @ W + b
        g[Z <= 0] = 0
        x *= 1
        total = np.zeros(M)
        for row in g:
            total += row
        return g @ W.T, x.T @ g, total

    answer = candidate_of(untidy, dense, ARGS).answer(ARGS, G, look=True)
    assert close(answer, exact())
    assert answer.changed == ("grad_output",)  # x *= 1 changes nothing
    first = untidy.__code__.co_firstlineno
    totals = [s for s in answer.seen if s.name == "total"]
    assert (totals[0].line - first, totals[0].text) == (4, "total = np.zeros(M)")
    assert {(s.line - first, s.text) for s in totals[1:]} == {(6, "total += row")}
    assert np.allclose(totals[-1].value, exact()["b"])
    assert "Z" in {s.name for s in answer.seen}


def test_failures_are_part_of_the_answer():
    def failing(g, x, W, b):
        return g @ W

    def leaving(g, x, W, b):
        raise SystemExit(3)

    answer = candidate_of(failing, dense, ARGS).answer(ARGS, G)
    assert isinstance(answer.error, ValueError)
    assert answer.error_line == failing.__code__.co_firstlineno + 1
    assert isinstance(candidate_of(leaving, dense, ARGS).answer(ARGS, G).error, SystemExit)


@pytest.mark.parametrize(
    ("candidate", "text"),
    [
        (lambda g, x, W, b: (g, g), "returned 2 values"),
        (lambda g, x, W, b: {"p": g}, "the keys p"),
        (lambda g, x, W, b: "no", "type str"),
    ],
)
def test_what_cannot_be_read_is_described(candidate, text):
    answer = candidate_of(candidate, dense, ARGS).answer(ARGS, G)
    assert isinstance(answer.error, CandidateError)
    assert text in str(answer.error)


def test_random_numbers_are_noticed():
    answer = candidate_of(lambda g, x, W, b: (g @ W.T, np.random.rand(D, M), G[0]), dense, ARGS).answer(ARGS, G)
    assert any("random" in str(note) for note in answer.notes)


# ---- a model's arrays in one parameter
MODEL = {"X": GENERATOR.normal(size=(6, 3)), "T": GENERATOR.normal(size=(6, 2)), "W1": GENERATOR.normal(size=(3, 4)),
         "W2": GENERATOR.normal(size=(4, 2))}  # fmt: skip


def network(X, T, W1, W2):
    A1 = np.tanh(X @ W1)
    Y = A1 @ W2
    return ((Y - T) ** 2).mean()


def network_of_parameters(X, T, parameters):
    return network(X, T, parameters["W1"], parameters["W2"])


def back_propagation(parameters, cache, X, T):
    A1 = cache["A1"] if "A1" in cache else np.tanh(X @ parameters["W1"])
    dY = 2 * (A1 @ parameters["W2"] - T) / T.size
    return {"dW1": X.T @ (dY @ parameters["W2"].T * (1 - A1**2)), "dW2": A1.T @ dY}


def test_a_parameter_that_holds_all_arrays():
    found = candidate_of(back_propagation, network, MODEL)
    assert found.wrt == ("W1", "W2")
    assert [str(note) for note in found.notes] == ["It gives no gradient of X, T, so none was judged."]
    assert judge(found, network, MODEL).ok


def test_an_argument_that_holds_arrays():
    args = {"X": MODEL["X"], "T": MODEL["T"], "parameters": {"W1": MODEL["W1"], "W2": MODEL["W2"]}}
    found = candidate_of(back_propagation, network_of_parameters, args)
    assert found.wrt == ("parameters",)
    assert set(found.answer(args, 1.0).gradients) == {"parameters['W1']", "parameters['W2']"}
    report = judge(found, network_of_parameters, args)
    assert report.ok
    assert set(report.gradients) == {"parameters['W1']", "parameters['W2']"}


# ---- classes, families, pairs
@pytest.mark.parametrize("style", STYLES)
def test_styles(style):
    found = candidate_of(STYLES[style], dense, ARGS)
    assert set(found.wrt) == {"x", "W", "b"}
    answer = found.answer(ARGS, G)
    assert answer.changed == ()
    assert answer.error is None, answer.error
    for name, wanted in exact().items():
        assert answer.gradients[name].shape == wanted.shape
        assert np.allclose(answer.gradients[name], wanted, rtol=1e-9, atol=1e-12)
    if answer.output is not None:
        assert np.allclose(answer.output, dense(**ARGS))


@pytest.mark.parametrize("style", STYLES)
def test_other_sizes(style):
    args = {"x": np.ones((7, 2)), "W": np.eye(2, 5), "b": np.arange(5.0) - 2}
    found = candidate_of(STYLES[style], dense, ARGS)
    answer = found.answer(args, np.ones((7, 5)))
    assert answer.error is None, answer.error
    Z = args["x"] @ args["W"] + args["b"]
    assert np.allclose(answer.gradients["W"], args["x"].T @ (Z > 0))


@pytest.mark.parametrize("style", STYLES)
def test_nothing_leaks_from_one_call_to_the_next(style):
    first, second = candidate_of(STYLES[style], dense, ARGS).again(ARGS, G)
    for name, wanted in exact().items():
        assert np.allclose(first.gradients[name], wanted)
        assert np.allclose(second.gradients[name], wanted)


def test_what_leaks_is_seen():
    class Adding(STYLES["parameters"]):
        def __init__(self, W, b):
            super().__init__(W, b)
            self.dW = np.zeros_like(W)

        def backward(self, dout):
            before = self.dW
            dx = super().backward(dout)
            self.dW = before + self.dW
            return dx

    first, second = candidate_of(Adding, dense, ARGS).again(ARGS, G)
    assert np.allclose(first.gradients["W"], exact()["W"])
    assert np.allclose(second.gradients["W"], 2 * exact()["W"])


class Steps:
    """Takes a step with its weights in its backward pass, after or before they are used."""

    first = False

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        self.Z = x @ self.W + self.b
        return np.maximum(0, self.Z)

    def backward(self, grad):
        grad = grad * (self.Z > 0)
        self.dW, self.db = self.x.T @ grad, grad.sum(axis=0)
        W = self.W
        if not self.first:
            W = W.copy()
        self.W -= 0.1 * self.dW
        self.b = self.b - 0.1 * self.db
        return grad @ W.T


class StepsFirst(Steps):
    first = True


def test_a_step_in_the_backward_pass_is_no_fault_of_the_gradients():
    assert cr.check(Steps, dense, ARGS).ok
    report = cr.check(StepsFirst, dense, ARGS)
    assert [n for n, g in report.gradients.items() if not g.ok] == ["x"]
    assert report.suspects[0].kind == "uses_updated_weights"


def test_variables_of_a_class_are_seen():
    answer = candidate_of(STYLES["parameters"], dense, ARGS).answer(ARGS, G, look=True)
    assigned = [s for s in answer.seen if s.text]
    assert [s.name for s in assigned] == ["dZ", "dW", "db"]
    assert assigned[1].text == "self.dW = self.x.T @ dZ"
    assert {"W", "b", "x", "dout"} <= {s.name for s in answer.seen if not s.text}, "what it was given"


def test_a_class_of_static_methods():
    class Tanh:
        @staticmethod
        def forward(x):
            return np.tanh(x)

        @staticmethod
        def backward(x, grad):
            return grad * (1 - np.tanh(x) ** 2)

    found = candidate_of(Tanh, lambda x: np.tanh(x), {"x": ARGS["x"]})
    assert judge(found, lambda x: np.tanh(x), {"x": ARGS["x"]}).ok


def test_a_layer_of_the_library():
    from chainrule.layers import Dense

    def affine(x, W, b):
        return x @ W + b

    answer = candidate_of(Dense(2, 2), affine, ARGS).answer(ARGS, G)
    assert np.allclose(answer.gradients["x"], G @ ARGS["W"].T)
    assert np.allclose(answer.gradients["W"], ARGS["x"].T @ G)


@pytest.mark.parametrize(
    ("candidate", "text"),
    [
        (type("Half", (), {"forward": lambda self, x: x}), "has no method backward"),
        (type("Asks", (STYLES["everything"],), {"__init__": lambda self, mood: None}), "needs mood"),
        (3.0, "is no backward pass"),
        ([np.sin, np.cos], "cannot be told which gradient"),
    ],
)
def test_what_is_no_candidate_is_refused(candidate, text):
    with pytest.raises(CandidateError, match=text):
        candidate_of(candidate, dense, ARGS)


@pytest.mark.peers
def test_torch():
    torch = pytest.importorskip("torch")

    class Dense(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, W, b):
            Z = x @ W + b
            ctx.save_for_backward(x, W, Z)
            return torch.relu(Z)

        @staticmethod
        def backward(ctx, grad_output):
            x, W, Z = ctx.saved_tensors
            dZ = grad_output * (Z > 0)
            return dZ @ W.T, x.T @ dZ, dZ.sum(0)

    found = candidate_of(Dense, dense, ARGS)
    assert (found.style, found.wrt) == ("torch", ("x", "W", "b"))
    assert close(found.answer(ARGS, G), exact())


@pytest.mark.peers
def test_jax():
    jax = pytest.importorskip("jax")

    @jax.custom_vjp
    def layer(x, W, b):
        return jax.numpy.maximum(0, x @ W + b)

    def fwd(x, W, b):
        Z = x @ W + b
        return jax.numpy.maximum(0, Z), (x, W, Z)

    def bwd(kept, g):
        x, W, Z = kept
        dZ = g * (Z > 0)
        return dZ @ W.T, x.T @ dZ, dZ.sum(0)

    layer.defvjp(fwd, bwd)
    found = candidate_of(layer, dense, ARGS)
    assert (found.style, found.wrt) == ("jax", ("x", "W", "b"))
    answer = found.answer(ARGS, G)
    assert answer.gradients["W"].dtype == np.float64
    assert close(answer, exact())


# ---- scripts
HEAD = """
import numpy as np
rng = np.random.default_rng(1)
X, t = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
"""
SCRIPTS = {
    "objects": """
        class Net:
            def __init__(self):
                self.W, self.b = rng.normal(size=(3, 2)), np.zeros(2)

            def forward(self, x):
                self.x = x
                return np.tanh(x @ self.W + self.b)

            def backward(self, d, y):
                dz = d * (1 - y**2)
                self.dW, self.db = self.x.T @ dz, dz.sum(axis=0)

        net = Net()
        for epoch in range(50):
            y = net.forward(X)
            loss = ((y - t) ** 2).sum()
            net.backward(2 * (y - t), y)
            net.W -= 0.01 * net.dW
            net.b -= 0.01 * net.db
    """,
    "dictionaries": """
        params = {"W": rng.normal(size=(3, 2)), "b": np.zeros(2)}

        def backward(params, y):
            dz = 2 * (y - t) * (1 - y**2)
            return {"W": X.T @ dz, "b": dz.sum(axis=0)}

        for epoch in range(50):
            y = np.tanh(X @ params["W"] + params["b"])
            loss = ((y - t) ** 2).sum()
            grads = backward(params, y)
            for k in params:
                params[k] -= 0.01 * grads[k]
    """,
    "updates at once": """
        W, b = rng.normal(size=(3, 2)), np.zeros(2)
        v = np.zeros_like(W)
        for epoch in range(50):
            y = np.tanh(X @ W + b)
            loss = ((y - t) ** 2).sum()
            y_delta = 2 * (y - t) * (1 - y**2)
            b_grad = y_delta.sum(0)
            b = b - 0.01 * b_grad
            dW = np.zeros_like(W)
            for row, d in zip(X, y_delta):
                dW += np.outer(row, d)
            v = 0.9 * v - 0.01 * dW
            W = W + v
    """,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts(name, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(HEAD + dedent(SCRIPTS[name]))
    found = ScriptCandidate(traced_script(str(path), "loss"))
    assert [n[-1] for n in found.wrt] == ["W", "b"]
    report = judge(found, found.forward, found.args)
    assert report.ok, str(report)
