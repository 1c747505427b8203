"""Scripts as people post them: data, the forward lines, and below them the backward lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["SCRIPTS", "Script"]


@dataclass(frozen=True)
class Script:
    """A script in its parts, and what is known about it.

    Attributes:
        name: unique.
        data: the lines that make the arrays.
        forward: the lines that compute the loss.
        backward: the lines that compute gradients.
        of: the name of the loss.
        gradients: per array the expression of what the script computes as its gradient.
        kinds: the words that name what is wrong; none for a right one.
        steps: the names that locate it.
        wrong: the arrays whose gradients are wrong.
    """

    name: str
    data: str
    forward: str
    backward: str
    of: str
    gradients: dict[str, str]
    kinds: frozenset[str] = frozenset()
    steps: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The whole script."""
        return f"import numpy as np\n\n{self.data}\n{self.forward}\n{self.backward}"

    def computed(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The gradients that the script computes, and those by differences of its forward lines."""
        space: dict[str, Any] = {"np": np}
        exec(self.data, space)
        start = {k: np.array(v) if isinstance(v, np.ndarray) else v for k, v in space.items()}
        exec(self.forward + self.backward, space)
        given = {name: np.array(eval(text, space)) for name, text in self.gradients.items()}
        exact = {name: self._differences(start, name) for name in self.gradients}
        return given, exact

    def _differences(self, start: dict[str, Any], name: str) -> Any:
        value = np.array(start[name], dtype=float)
        gradient = np.zeros_like(value)
        for index in np.ndindex(*value.shape):
            ends = []
            for h in (1e-5, -1e-5):
                moved = value.copy()
                moved[index] += h
                space = {k: np.array(v) if isinstance(v, np.ndarray) else v for k, v in start.items()} | {name: moved}
                exec(self.forward, space)
                ends.append(float(space[self.of]))
            gradient[index] = (ends[0] - ends[1]) / 2e-5
        return gradient


RELU_DATA = """
np.random.seed(0)
X = np.random.randn(8, 5)
T = np.random.randn(8, 2)
W1 = np.random.randn(5, 4) * 0.5
B1 = np.random.randn(4) * 0.1
W2 = np.random.randn(4, 3) * 0.5
B2 = np.random.randn(3) * 0.1
W3 = np.random.randn(3, 2) * 0.5
B3 = np.random.randn(2) * 0.1
"""
RELU_FORWARD = """
Z1 = X.dot(W1) + B1
A1 = np.maximum(0, Z1)
Z2 = A1.dot(W2) + B2
A2 = np.maximum(0, Z2)
Y = A2.dot(W3) + B3
err = ((Y - T) ** 2).mean()
"""
RELU = {f"{kind}{k}": f"D{kind}{k}" for k in (1, 2, 3) for kind in "WB"}


def _relu(name: str, backward: str, kinds: str = "", steps: str = "", wrong: str = "") -> Script:
    known = (frozenset(kinds.split()), tuple(steps.split()), tuple(wrong.split()))
    return Script(name, RELU_DATA, RELU_FORWARD, backward, "err", RELU, *known)


SIGMOID_DATA = """
rng = np.random.default_rng(1)
x = rng.normal(size=(6, 3))
y = (rng.random((6, 1)) > 0.5).astype(float)
w1 = rng.normal(size=(3, 4))
w2 = rng.normal(size=(4, 1))
lam = 0.1
"""
SIGMOID_FORWARD = """
h = 1 / (1 + np.exp(-x @ w1))
p = 1 / (1 + np.exp(-h @ w2))
loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)) + lam * np.sum(w1 ** 2)
"""
SIGMOID = {"w1": "grad_w1", "w2": "grad_w2"}


def _sigmoid(name: str, backward: str, kinds: str = "", steps: str = "", wrong: str = "") -> Script:
    known = (frozenset(kinds.split()), tuple(steps.split()), tuple(wrong.split()))
    return Script(name, SIGMOID_DATA, SIGMOID_FORWARD, backward, "loss", SIGMOID, *known)


SQUARES_DATA = """
np.random.seed(1)
X = np.random.rand(7, 3)
y = np.random.rand(7, 2)
W1 = 2 * np.random.rand(3, 4) - 1
W2 = 2 * np.random.rand(4, 2) - 1
"""
SQUARES_FORWARD = """
z1 = np.dot(X, W1)
a1 = 1 / (1 + np.exp(-z1))
z2 = np.dot(a1, W2)
out = 1 / (1 + np.exp(-z2))
loss = np.sum((out - y) ** 2)
"""
SQUARES = {"W1": "dW1", "W2": "dW2"}


def _squares(name: str, backward: str, kinds: str = "", steps: str = "", wrong: str = "") -> Script:
    known = (frozenset(kinds.split()), tuple(steps.split()), tuple(wrong.split()))
    return Script(name, SQUARES_DATA, SQUARES_FORWARD, backward, "loss", SQUARES, *known)


SCRIPTS = [
    _relu(
        "right",
        """
DY = 2 * (Y - T) / Y.size
DW3 = A2.T.dot(DY)
DB3 = DY.sum(axis=0)
DA2 = DY.dot(W3.T)
DZ2 = DA2 * (Z2 > 0)
DW2 = A1.T.dot(DZ2)
DB2 = DZ2.sum(axis=0)
DA1 = DZ2.dot(W2.T)
DZ1 = DA1 * (Z1 > 0)
DW1 = X.T.dot(DZ1)
DB1 = DZ1.sum(axis=0)
""",
    ),
    _relu(
        "bias without a sum",
        """
DY = 2 * (Y - T) / Y.size
DW3 = A2.T.dot(DY)
DB3 = DY
DZ2 = DY.dot(W3.T) * (Z2 > 0)
DW2 = A1.T.dot(DZ2)
DB2 = DZ2.sum(axis=0)
DZ1 = DZ2.dot(W2.T) * (Z1 > 0)
DW1 = X.T.dot(DZ1)
DB1 = DZ1.sum(axis=0)
""",
        "bias_not_summed broadcast_not_reduced",
        "Y",
        "B3",
    ),
    _relu(
        "mask of the other layer",
        """
DY = 2 * (Y - T) / Y.size
DW3 = A2.T.dot(DY)
DB3 = DY.sum(axis=0)
DA2 = DY.dot(W3.T)
DA2[Z2 <= 0] = 0
DW2 = A1.T.dot(DA2)
DB2 = DA2.sum(axis=0)
DA1 = DA2.dot(W2.T)
DW1 = X.T.dot(DA1)
DB1 = DA1.sum(axis=0)
""",
        "missing_relu_mask missing_activation_grad missing_mask",
        "A1",
        "W1 B1",
    ),
    _relu(
        "averaged over rows only",
        """
n = len(T)
DY = (2.0 / n) * (Y - T)
DW3 = np.dot(A2.T, DY)
DB3 = np.sum(DY, 0)
DZ2 = np.dot(DY, W3.T)
DZ2 = DZ2 * (A2 > 0)
DW2 = np.dot(A1.T, DZ2)
DB2 = np.sum(DZ2, 0)
DZ1 = np.dot(DZ2, W2.T)
DZ1 = DZ1 * (A1 > 0)
DW1 = np.dot(X.T, DZ1)
DB1 = np.sum(DZ1, 0)
""",
        "wrong_count missing_mean",
        "err",
        "W1 B1 W2 B2 W3 B3",
    ),
    _relu(
        "input instead of hidden",
        """
DY = (Y - T) * 2 / Y.size
DW3 = A2.T @ DY
DB3 = DY.sum(0)
DZ2 = (DY @ W3.T) * (Z2 > 0)
DW2 = Z1.T @ DZ2
DB2 = DZ2.sum(0)
DZ1 = (DZ2 @ W2.T) * (Z1 > 0)
DW1 = X.T @ DZ1
DB1 = DZ1.sum(0)
""",
        "wrong_operand uses_pre_activation_wrongly",
        "Z2",
        "W2",
    ),
    _relu(
        "target and output exchanged",
        """
DY = 2 * (T - Y) / Y.size
DW3 = A2.T @ DY
DB3 = DY.sum(0)
DZ2 = (DY @ W3.T) * (Z2 > 0)
DW2 = A1.T @ DZ2
DB2 = DZ2.sum(0)
DZ1 = (DZ2 @ W2.T) * (Z1 > 0)
DW1 = X.T @ DZ1
DB1 = DZ1.sum(0)
""",
        "sign_flipped sign_flipped_term",
        "err",
        "W1 B1 W2 B2 W3 B3",
    ),
    _sigmoid(
        "right sigmoids",
        """
d2 = (p - y) / len(y)
grad_w2 = h.T @ d2
d1 = d2 @ w2.T * h * (1 - h)
grad_w1 = x.T @ d1 + 2 * lam * w1
""",
    ),
    _sigmoid(
        "penalty forgotten",
        """
d2 = (p - y) / len(y)
grad_w2 = h.T @ d2
d1 = d2 @ w2.T * h * (1 - h)
grad_w1 = x.T @ d1
""",
        "missing_reg_grad missing_path",
        "loss",
        "w1",
    ),
    _sigmoid(
        "derivative of the output twice",
        """
d2 = (p - y) * p * (1 - p) / len(y)
grad_w2 = h.T @ d2
d1 = d2 @ w2.T * h * (1 - h)
grad_w1 = x.T @ d1 + 2 * lam * w1
""",
        "double_activation_grad",
        "p loss",
        "w1 w2",
    ),
    _sigmoid(
        "without the mean",
        """
d2 = p - y
grad_w2 = h.T @ d2
d1 = (d2 @ w2.T) * h * (1 - h)
grad_w1 = x.T @ d1 + 2 * lam * w1
""",
        "missing_batch_mean missing_mean",
        "loss",
        "w1 w2",
    ),
    _sigmoid(
        "penalty without its two",
        """
d2 = (p - y) / y.shape[0]
grad_w2 = h.T @ d2
grad_w1 = x.T @ (d2 @ w2.T * h * (1 - h)) + lam * w1
""",
        "factor_2_missing",
        "loss",
        "w1",
    ),
    _sigmoid(
        "hidden derivative forgotten",
        """
d2 = (p - y) / y.size
grad_w2 = h.T @ d2
grad_w1 = x.T @ (d2 @ w2.T) + 2 * lam * w1
""",
        "missing_activation_grad",
        "h",
        "w1",
    ),
    Script(
        "a training loop",
        """
np.random.seed(3)
X = np.random.randn(7, 3)
T = np.random.randn(7, 1)
W = np.random.randn(3, 1)
b = np.zeros(1)
""",
        """
Y = X.dot(W) + b
cost = ((Y - T) ** 2).sum() / len(X)
""",
        """
dY = 2 * (Y - T) / len(X)
dW = X.T.dot(dY)
db = dY.sum(axis=0)
""",
        "cost",
        {"W": "dW", "b": "db"},
    ),
    _squares(
        "half of the derivative of the error",
        """
delta2 = (out - y) * out * (1 - out)
dW2 = np.dot(a1.T, delta2)
delta1 = delta2.dot(W2.T) * a1 * (1 - a1)
dW1 = np.dot(X.T, delta1)
""",
        "factor_2_missing",
        "loss",
        "W1 W2",
    ),
    _squares(
        "sigmoid of what is a sigmoid",
        """
def slope(x):
    s = 1 / (1 + np.exp(-x))
    return s * (1 - s)
delta2 = 2 * (out - y) * slope(out)
dW2 = np.dot(a1.T, delta2)
delta1 = delta2.dot(W2.T) * slope(a1)
dW1 = np.dot(X.T, delta1)
""",
        "uses_post_activation_wrongly",
        "out a1",
        "W1 W2",
    ),
    _squares(
        "the error goes back as it is",
        """
delta2 = 2 * (out - y)
dW2 = np.dot(a1.T, delta2 * out * (1 - out))
delta1 = delta2.dot(W2.T) * a1 * (1 - a1)
dW1 = np.dot(X.T, delta1)
""",
        "missing_activation_grad",
        "out",
        "W1",
    ),
]
