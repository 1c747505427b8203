"""Training scripts as learners post them: arrays in lists, dicts and objects, lines in functions and loops."""

from __future__ import annotations

import pytest

from chainrule.check.adapters.script_traces import traced_script
from chainrule.check.adapters.scripts import ScriptCandidate
from chainrule.check.checking import judge

DATA = """import numpy as np

rng = np.random.default_rng(3)
X, T = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
"""

IN_LISTS = """
W = [rng.normal(size=(3, 4)) * 0.5, rng.normal(size=(4, 2))]
B1, b2 = np.zeros(4) + 0.1, np.zeros(2) - 0.2
for turn in range(2):
    Z1 = X.dot(W[0]) + B1
    A1 = np.maximum(0, Z1)
    Y = A1.dot(W[1]) + b2
    loss = ((Y - T) ** 2).mean()
    dY = 2 * (Y - T) / Y.size
    dW = [None, A1.T @ dY]
    db2 = dY.sum(axis=0)
    dZ1 = dY @ W[1].T * (Z1 > 0)
    dW[0] = X.T @ dZ1
    DB1 = dZ1.sum(axis=0)
    for k in range(2):
        W[k] -= 0.1 * dW[k]
    B1 -= 0.1 * DB1
    b2 -= 0.1 * db2
"""

IN_FUNCTIONS = """
weights = [rng.normal(size=(3, 4)), rng.normal(size=(4, 4)), rng.normal(size=(4, 2))]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(X):
    activations = [X]
    for W in weights:
        activations.append(sigmoid(activations[-1] @ W))
    return activations


def backward(activations, T):
    dweights = [None] * 3
    a = activations[-1]
    delta = (a - T) * a * (1 - a)
    for i in reversed(range(3)):
        dweights[i] = activations[i].T @ delta
        if i > 0:
            delta = delta @ weights[i].T * activations[i] * (1 - activations[i])
    return dweights


for step in range(2):
    activations = forward(X)
    loss = 0.5 * ((activations[-1] - T) ** 2).sum()
    dweights = backward(activations, T)
    for i in range(3):
        weights[i] -= 0.5 * dweights[i]
"""

IN_AN_OBJECT = """

class Net:
    def __init__(self):
        self.W1, self.b1 = rng.normal(size=(3, 5)), np.zeros(5)
        self.W2 = rng.normal(size=(5, 2))

    def forward(self, X):
        self.X = X
        self.a1 = np.tanh(X @ self.W1 + self.b1)
        return self.a1 @ self.W2

    def backward(self, dout):
        self.dW2 = self.a1.T @ dout
        dz1 = dout @ self.W2.T * (1 - self.a1 ** 2)
        self.dW1 = self.X.T @ dz1
        self.db1 = dz1.sum(axis=0)


net = Net()
for _ in range(2):
    out = net.forward(X)
    loss = ((out - T) ** 2).sum()
    net.backward(2 * (out - T))
    net.W1 -= 0.1 * net.dW1
    net.W2 -= 0.1 * net.dW2
"""

IN_DICTS = """

def forward(params):
    cache = {}
    cache["Z1"] = X @ params["W1"] + params["b1"]
    cache["A1"] = np.maximum(cache["Z1"], 0)
    return cache["A1"] @ params["W2"], cache


def backward(params, cache, Y):
    m = X.shape[0]
    grads = {}
    dY = 2 * (Y - T) / m
    grads["dW2"] = cache["A1"].T @ dY
    dZ1 = dY @ params["W2"].T * (cache["Z1"] > 0)
    grads["dW1"] = X.T @ dZ1
    grads["db1"] = dZ1.sum(axis=0)
    return grads


params = {"W1": rng.normal(size=(3, 4)), "b1": np.zeros(4), "W2": rng.normal(size=(4, 2))}
Y, cache = forward(params)
loss = ((Y - T) ** 2).sum() / len(X)
grads = backward(params, cache, Y)
"""

WITH_A_SOFTMAX = """
y = np.array([0, 1, 2, 0, 1, 2])
W1, b1 = rng.normal(size=(3, 4)), np.zeros(4)
W2 = rng.normal(size=(4, 3))
N, lr = len(X), 0.1
for step in range(3):
    hidden = np.maximum(0, X @ W1 + b1)
    probs = np.exp(hidden @ W2) / np.exp(hidden @ W2).sum(axis=1, keepdims=True)
    loss = -np.log(probs[np.arange(N), y]).mean()
    dscores = probs.copy()
    dscores[np.arange(N), y] -= 1
    dscores /= N
    dW2 = hidden.T @ dscores
    dhidden = dscores @ W2.T
    dhidden[hidden <= 0] = 0
    dW1 = X.T @ dhidden
    db1 = dhidden.sum(axis=0)
    W2 -= lr * dW2
    W1 -= lr * dW1
    b1 -= lr * db1
"""

OF_LAYERS = """
layers = [{"W": rng.normal(size=(3, 5))}, {"W": rng.normal(size=(5, 2))}]
for epoch in range(2):
    z = X @ layers[0]["W"]
    h = np.where(z > 0, z, 0.1 * z)
    out = h @ layers[1]["W"]
    loss = np.mean((out - T) ** 2)
    dout = 2 * (out - T) / out.size
    layers[1]["dW"] = h.T @ dout
    dz = dout @ layers[1]["W"].T * np.where(z > 0, 1, 0.1)
    layers[0]["dW"] = X.T @ dz
    for layer in layers:
        layer["W"] -= 0.1 * layer["dW"]
"""

OF_SIGMOIDS = """

def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dsigmoid(x):
    return sigmoid(x) * (1 - sigmoid(x))


w0, w1 = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
l1 = sigmoid(X @ w0)
l2 = sigmoid(l1 @ w1)
loss = 0.5 * ((l2 - T) ** 2).sum()
l2_delta = (l2 - T) * l2 * (1 - l2)
l1_delta = l2_delta.dot(w1.T) * (l1 * (1 - l1))
dw1 = l1.T.dot(l2_delta)
dw0 = X.T.dot(l1_delta)
"""

# Script, what is right, what stands there, kind, the line to write instead.
FAULTS = {
    "a mask in a script with lists": (
        IN_LISTS, "W[1].T * (Z1 > 0)", "W[1].T * 1", "missing_relu_mask", "dZ1 = dY @ W[1].T * 1 * (Z1 > 0)",
    ),
    "a local derivative in a function's loop": (
        IN_FUNCTIONS, "activations[i] * (1 - activations[i])", "activations[i] * (1 + activations[i])",
        "sign_flipped_term", "delta = delta @ weights[i].T * activations[i] * (1 - activations[i])",
    ),
    "a transpose in a method": (
        IN_AN_OBJECT, "self.X.T @ dz1", "(dz1.T @ self.X)", "transposed", "self.dW1 = self.X.T @ dz1",
    ),
    "a local derivative in a method": (
        IN_AN_OBJECT, "self.a1 ** 2", "self.a1", "wrong_local_derivative",
        "dz1 = dout @ self.W2.T * (1 - self.a1 ** 2)",
    ),
    "a mask in a function with dicts": (
        IN_DICTS, ' * (cache["Z1"] > 0)', "", "missing_relu_mask",
        'dZ1 = dY @ params["W2"].T * (cache["Z1"] > 0)',
    ),
    "a mean that is left out where an array is changed in place": (
        WITH_A_SOFTMAX, "    dscores /= N\n", "", "missing_batch_mean",
        "dscores[np.arange(N), y] -= 1\ndscores /= N",
    ),
    "an update that comes too early": (
        WITH_A_SOFTMAX.replace("    W2 -= lr * dW2\n", ""), "    dhidden = dscores @ W2.T\n",
        "    W2 -= lr * dW2\n    dhidden = dscores @ W2.T\n", "uses_updated_weights",
        "dhidden = dscores @ W2.T\nW2 -= lr * dW2",
    ),
    "a number in a list of dicts": (
        OF_LAYERS, "np.where(z > 0, 1, 0.1)", "np.where(z > 0, 1, 0)", "missing_path",
        'dz = dout @ layers[1]["W"].T * np.where(z > 0, 1, 0.1)',
    ),
    "the derivative of a function at its result": (
        OF_SIGMOIDS, "(l1 * (1 - l1))", "dsigmoid(l1)", "uses_post_activation_wrongly",
        "l1_delta = l2_delta.dot(w1.T) * (l1 * (1 - l1))",
    ),
}  # fmt: skip


def _report(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(DATA + text, encoding="utf-8")
    candidate = ScriptCandidate(traced_script(str(path), "loss"))
    return judge(candidate, candidate.forward, candidate.args)


@pytest.mark.parametrize("name", FAULTS)
def test_the_line_is_named_where_it_stands(name, tmp_path):
    text, right, wrong, kind, line = FAULTS[name]
    assert text.count(right) == 1
    report = _report(tmp_path, text.replace(right, wrong))
    first = report.suspects[0]
    assert (first.kind, first.fix, first.fix_holds) == (kind, line, True)
    row = (DATA + text.replace(right, wrong)).splitlines()[first.candidate_line - 1]
    assert row.strip() in first.candidate_source
    assert wrong.split("\n")[0].strip() in row


def test_gradients_are_named_as_the_script_names_their_arrays(tmp_path):
    report = _report(tmp_path, IN_DICTS.replace(' * (cache["Z1"] > 0)', ""))
    assert list(report.gradients) == ['params["W1"]', 'params["b1"]', 'params["W2"]']
    assert 'params["b1"], params["W1"]: missing_relu_mask' in str(report)


def test_a_gradient_that_does_not_fit_its_array_is_judged_before_the_update_fails(tmp_path):
    report = _report(tmp_path, IN_AN_OBJECT.replace("self.X.T @ dz1", "(dz1.T @ self.X)"))
    assert any("was not run" in str(note) for note in report.notes)


def test_a_script_that_fails_behind_right_gradients_is_not_judged(tmp_path):
    text = IN_AN_OBJECT.replace("net.W2 -= 0.1 * net.dW2", "net.W2 -= net.dW2.T")
    report = _report(tmp_path, text)
    assert not report.judged
    assert not report.ok
