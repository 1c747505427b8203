"""The usual way to write an operation so that it makes no NaN and no infinity."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.ir import Step
from chainrule.language import Message, message

__all__ = ["rewrite_for"]


def rewrite_for(step: Step, names: Sequence[str], *, forward: bool, negative: bool = False) -> Message | None:
    """What to write instead of an operation that made a NaN or an infinity; nothing where nothing is usual.

    Args:
        step: the operation.
        names: what the user calls its operands; empty for one without a name.
        forward: whether it was made in the forward pass.
        negative: whether its first operand is a negative number there.
    """
    name = step.operation.name
    first, second = (*names, "", "")[:2]
    if name in ("exp", "expm1", "exp2", "sinh", "cosh"):
        return message(
            "Subtract the largest argument first: np.exp(z - z.max(axis=-1, keepdims=True)) for a softmax, "
            "np.logaddexp(0, z) for log(1 + exp(z)), np.where(z >= 0, …) on both halves of a sigmoid."
        )
    if name in ("log", "log2", "log10", "log1p"):
        return message(
            "Keep the argument away from 0: np.log(np.clip({p}, 1e-12, 1)), or np.log(np.where({p} > 0, {p}, 1)) where "
            "{p} = 0 is meant to give 0; for the logarithm of a softmax, z - z.max() - "
            "np.log(np.exp(z - z.max()).sum()).",
            p=first or "p",
        )
    if negative and forward and name in ("sqrt", "power", "float_power"):
        return message(
            "{x} is negative there: its square root, and any power of it that is not a whole one, is no real number. "
            "Take np.abs({x}), or np.maximum({x}, 0) with a small number added.",
            x=first or "x",
        )
    if name in ("sqrt", "power", "float_power", "cbrt", "special.xlogy"):
        return message(
            "The slope at 0 is infinite. Add a small number, np.sqrt({x} + 1e-12), or guard it twice: "
            "np.where({x} > 0, np.sqrt(np.where({x} > 0, {x}, 1)), 0); the inner np.where keeps the slope finite.",
            x=first or "x",
        )
    if name in ("divide", "reciprocal", "remainder", "fmod"):
        return message(
            "Keep the denominator away from 0: {x} / ({y} + 1e-12), or guard it twice: "
            "np.where({y} != 0, {x} / np.where({y} != 0, {y}, 1), 0).",
            x=first or ("x" if second != "x" else "a"),
            y=second or ("y" if first != "y" else "b"),
        )
    if name in ("arccos", "arcsin", "arctanh"):
        return message("Keep the argument inside of (-1, 1): np.clip(x, -1 + 1e-7, 1 - 1e-7).")
    if name in ("linalg.norm", "hypot", "std", "linalg.vector_norm"):
        return message(
            "The slope at 0 is not defined. Add a small number under the root: np.sqrt((x ** 2).sum() + 1e-12)."
        )
    if name in ("linalg.inv", "linalg.solve", "linalg.cholesky", "linalg.slogdet"):
        return message(
            "The matrix is singular, or close to it: add a small multiple of the identity, A + 1e-6 * np.eye(n)."
        )
    if name in ("add", "subtract") and forward:
        return message(
            "The difference of two infinities is not a number. Where a whole row is masked with -inf, leave one entry, "
            "or mask with a large negative number such as -1e9."
        )
    if name in ("multiply", "matmul", "dot") and forward:
        return message(
            "A factor is 0 and the other infinite, or the product is too large: look at where the infinite factor "
            "comes from, or keep the factors small."
        )
    return None
