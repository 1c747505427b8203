"""What defines operations on whole matrices, from which their gradients are found: they have no formula per element."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.ir import Step
from chainrule.language import Message, message
from chainrule.loops import loop_in

__all__ = ["matrix_note"]


def matrix_note(step: Step, name: str, operands: Sequence[str]) -> Message:
    """How the gradient through an operation without an index form is found.

    Args:
        step: the operation.
        name: what its result is called.
        operands: what its operands are called.
    """
    first, second = (*operands, "", "")[:2]
    operation = step.operation.name.rpartition(".")[2]
    if loop_in(step) is not None:
        return message("A loop: its body is explained below, once for all turns.")
    if operation in ("solve", "solve_triangular", "cho_solve"):
        return message(
            "{x} is defined by {a}·{x} = {b}. Small changes obey d{a}·{x} + {a}·d{x} = d{b}, so "
            "d{x} = {a}⁻¹·(d{b} - d{a}·{x}). Read backward: the gradient of {b} is (the inverse of {a}, transposed) "
            "times the gradient of {x}, and the gradient of {a} is minus that times {x} transposed.",
            x=name,
            a=first or "A",
            b=second or "B",
        )
    if operation == "inv":
        return message(
            "{x} is defined by {a}·{x} = 1, the identity matrix. Small changes obey d{a}·{x} + {a}·d{x} = 0, so "
            "d{x} = -{x}·d{a}·{x}. Read backward: the gradient of {a} is -{x}ᵀ·(the gradient of {x})·{x}ᵀ.",
            x=name,
            a=first or "A",
        )
    if operation == "det":
        return message(
            "By Jacobi's formula a small change of {a} changes its determinant by {x}·trace({a}⁻¹·d{a}), so the "
            "gradient of {a} is {x} times the gradient of {x} times the transposed inverse of {a}.",
            x=name,
            a=first or "A",
        )
    if operation == "slogdet":
        return message(
            "A small change of {a} changes the logarithm of its determinant by trace({a}⁻¹·d{a}), so the gradient "
            "of {a} is the transposed inverse of {a}, times the gradient that arrives.",
            a=first or "A",
        )
    if operation == "cholesky":
        return message(
            "{x} is defined by {x}·{x}ᵀ = {a}, with zeros above the diagonal. Small changes obey "
            "d{x}·{x}ᵀ + {x}·d{x}ᵀ = d{a}; solved for d{x}, that is a product of triangular matrices.",
            x=name,
            a=first or "A",
        )
    if operation in ("svd", "eigh", "eig", "eigvalsh", "qr"):
        return message(
            "The factors are defined by their product, which is {a}, and by being orthogonal. Small changes obey the "
            "derivative of these equations, which is solved for the change of each factor.",
            a=first or "A",
        )
    if step.operation.name.startswith("fft.") or step.operation.name.startswith("scipy.fft."):
        return message(
            "{x} is a linear function of {a}: a matrix of complex roots of unity times {a}. The gradient of {a} is "
            "the transposed matrix times the gradient of {x}, which is computed as a Fourier transform too.",
            x=name,
            a=first or "the signal",
        )
    if any(getattr(x, "dtype", None) is not None and x.dtype.kind == "c" for x in (*step.inputs, *step.outputs)):  # type: ignore[union-attr]
        return message(
            "The numbers are complex here. The gradient is the pair of derivatives by real and imaginary part, "
            "dL/dx - i·dL/dy, and formulas per element are not shown."
        )
    if step.operation.kind == "constant":
        return message("No derivative flows back through {operation}.", operation=operation)
    return message(
        "{operation} is explained by its line of code only; chainrule has no formula per element for it.",
        operation=operation,
    )
