"""The gradients of the three networks of this folder, each checked against central differences.

Run with ``make demo`` or ``python -m examples.demo``.
"""

import sys

import numpy as np
from rich.console import Console
from rich.table import Table

from examples import dense, matmul, mlp

# A central difference of step h is wrong by about h**2 from curvature and eps / h from rounding.
STEP = 1e-5
TOLERANCE = 1e-8


def central_differences(loss, x):
    """The gradient of the scalar ``loss`` at ``x``, one element at a time."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = STEP
        gradient[index] = (loss(x + step) - loss(x - step)) / (2 * STEP)
    return gradient


def dense_layer():
    """The gradients of the dense layer, and the loss whose gradient arrives as ``grad_output``."""
    values = {"x_input": dense.x_input, "W": dense.W, "b": dense.b}
    rules = {"x_input": dense.dense_grad_input, "W": dense.dense_grad_W, "b": dense.dense_grad_b}
    gradients = {name: rule(dense.x_input, dense.grad_output, dense.W, dense.b) for name, rule in rules.items()}

    def loss(x_input, W, b):
        return (dense.grad_output * dense.dense_forward(x_input, W, b)).sum()

    return "dense layer: x_input.dot(W) + b", values, gradients, loss


def matrix_product():
    """The gradients of the matrix product, given ``grad_Y``."""
    values = {"X": matmul.X, "W": matmul.W}
    gradients = dict(zip(values, matmul.MatMul(matmul.X, matmul.W).backward(matmul.grad_Y), strict=True))

    def loss(X, W):
        return (matmul.grad_Y * matmul.MatMul(X, W).forward()).sum()

    return "matrix product: np.dot(X, W)", values, gradients, loss


def four_layers():
    """The gradients of the network of four layers."""
    gradients = mlp.gradients()
    return "four layers: ((Y - T) ** 2).mean()", {name: getattr(mlp, name) for name in gradients}, gradients, mlp.error


def differences(values, gradients, loss):
    """For each gradient its name and its worst difference from central differences."""
    for name, gradient in gradients.items():

        def loss_of_one(x, name=name):
            return loss(**{**values, name: x})

        yield name, np.abs(gradient - central_differences(loss_of_one, values[name])).max()


def main():
    """Print one table per network and a closing line; return 1 where a gradient is wrong."""
    console = Console(highlight=False)
    unicode = (console.encoding or "").lower().startswith("utf")
    right, wrong = ("✓ right", "✗ wrong") if unicode else ("right", "WRONG")
    verdicts, worst = [], 0.0
    for title, values, gradients, loss in (dense_layer(), matrix_product(), four_layers()):
        table = Table("gradient", "shape", title=title, title_justify="left", title_style="bold")
        for heading in ("norm", "worst difference"):
            table.add_column(heading, justify="right")
        table.add_column("verdict")
        for name, difference in differences(values, gradients, loss):
            verdicts.append(difference < TOLERANCE)
            worst = max(worst, difference)
            gradient = gradients[name]
            verdict = f"[green]{right}[/]" if verdicts[-1] else f"[red]{wrong}[/]"
            table.add_row(
                "d" + name, str(gradient.shape), f"{np.linalg.norm(gradient):.6f}", f"{difference:.1e}", verdict
            )
        console.print(table)
        console.print()
    console.print(
        f"{sum(verdicts)} of {len(verdicts)} gradients agree with central differences; the worst is {worst:.1e} apart."
    )
    return int(not all(verdicts))


if __name__ == "__main__":
    sys.exit(main())
