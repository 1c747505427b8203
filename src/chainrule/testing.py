"""Checking gradients at home."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.api import vjp
from chainrule.calls import argument_names
from chainrule.check.checking import check
from chainrule.check.report import Feedback, Report
from chainrule.differentiate import is_differentiable
from chainrule.errors import ChainruleError, NotDifferentiableError, TreeError
from chainrule.follow import call
from chainrule.gradient import grad
from chainrule.numeric import directional
from chainrule.trees import flatten, paths, unflatten

__all__ = ["GradientCheck", "GradientError", "assert_gradient", "check_gradients"]

_EVERY = 64  # elements of an array that are checked one by one; of larger ones a sample, and random projections


class GradientError(ChainruleError, AssertionError):
    """A gradient that differs from the reference."""


@dataclass(frozen=True)
class GradientCheck:
    """What a check found.

    Attributes:
        worst: the largest error, relative to the size of the gradient.
        argument: the argument in which it lies, as ``params[0][1]``.
        element: the index of the element, or ``None`` for a random projection.
        order: the order of the derivative.
        method: the reference: ``"complex step"`` or ``"differences"``.
        checked: the number of comparisons made.
    """

    worst: float
    argument: str
    element: tuple[int, ...] | None
    order: int
    method: str
    checked: int

    def __str__(self) -> str:
        place = self.argument if not self.element else f"{self.argument}{list(self.element)}"
        return (
            f"{self.checked} comparisons; worst: {place}, order {self.order}, relative error {self.worst:.1e} "
            f"({self.method})"
        )


def assert_gradient(
    candidate: Any,
    forward: Callable[..., Any],
    args: Mapping[str, Any] | Sequence[Any],
    wrt: str | Sequence[str] | None = None,
    *,
    feedback: Feedback = "fix",
    seed: int = 0,
    convention: str | None = None,
) -> Report:
    """Fail, with the report, where a backward pass that was written by hand is wrong.

    Args:
        candidate: the backward pass, in any of the styles of ``chainrule.check``.
        forward: the forward function.
        args: an example of its arguments: by name, or in order.
        wrt: the arguments whose gradients are judged; those that the candidate gives, if not given.
        feedback: how much the failure says: ``"verdict"``, ``"hint"``, ``"fault"`` or ``"fix"``.
        seed: of the data that is drawn.
        convention: a convention of the course that is no fault, such as ``"layer mean"``.

    Returns:
        The report, where everything is right.

    Raises:
        WrongGradientError: an ``AssertionError`` whose message is the report, where something is wrong.
        NotJudgedError: where it could not be judged.
    """
    __tracebackhide__ = True  # pytest shows the line of the test, and not this one
    report = check(candidate, forward, args, wrt, feedback=feedback, seed=seed, convention=convention)
    report.raise_if_wrong()
    return report


def check_gradients(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    order: int = 2,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    seed: int = 0,
) -> GradientCheck:
    """Compare the derivatives of ``f`` with numerical ones.

    The reference is the complex step where ``f`` allows it, extrapolated central differences elsewhere.
    Each element of small arrays is compared; larger ones by a sample of elements and by random
    projections.  Outputs other than one number are reduced with random weights.

    Args:
        f: the function.
        args: its arguments: arrays, numbers, or trees of them; floats are taken as float64.
        order: the highest order to check: 1 or 2, or more.
        rtol: the accepted error, relative to the largest element of the argument's gradient.
        atol: the accepted absolute error.
        seed: of the random directions and weights.

    Returns:
        A summary with the worst error; ``print`` it.

    Raises:
        GradientError: where a difference is larger than accepted; the message names the argument,
            the element, both numbers and the order.
    """
    if not isinstance(args, tuple | list):
        raise TreeError("check_gradients takes the arguments as a tuple: check_gradients(f, (x,)).")
    generator = np.random.default_rng(seed)
    leaves, structure = flatten(tuple(args))
    names = argument_names(f, args, {})
    labels = [name + path for name, a in zip(names, args, strict=True) for path in paths(a)]
    chosen = [k for k, x in enumerate(leaves) if is_differentiable(x)]
    if not chosen:
        raise NotDifferentiableError(
            "there is nothing to check: no argument holds floats. Instead: pass floats, as x.astype(float)."
        )
    points = [np.array(leaves[k], dtype=complex if np.iscomplexobj(leaves[k]) else float)[()] for k in chosen]
    scalar = [np.ndim(leaves[k]) == 0 for k in chosen]

    def on_leaves(*values: Any) -> Any:
        filled = list(leaves)
        for k, v, single in zip(chosen, values, scalar, strict=True):
            filled[k] = v[()] if single and isinstance(v, np.ndarray) else v
        return call(f, *unflatten(structure, filled))

    results = flatten(on_leaves(*points))[0]
    single = len(results) == 1 and np.size(results[0]) == 1
    weights = [1.0 if single or not is_differentiable(r) else generator.standard_normal(np.shape(r)) for r in results]
    # Asked here, where the arguments are as given: the complex step makes every result complex.
    is_complex = [np.iscomplexobj(r) for r in results]

    def loss(*values: Any) -> Any:
        total: Any = 0.0
        for r, w, parts in zip(flatten(on_leaves(*values))[0], weights, is_complex, strict=True):
            if parts:
                total = total + np.sum(np.real(r) * w) + np.sum(np.imag(r) * w)
            elif is_differentiable(r):
                total = total + np.sum(r * w)
        return total

    names_of_chosen = [labels[k] for k in chosen]
    worst = GradientCheck(0.0, names_of_chosen[0], None, 1, "differences", 0)
    function: Callable[..., Any] = loss
    for level in range(1, order + 1):
        worst = _check(function, points, names_of_chosen, level, rtol, atol, generator, worst)
        function = _projected_gradient(function, points, generator)
    return worst


def _projected_gradient(f: Callable[..., Any], points: Sequence[Any], generator: Any) -> Callable[..., Any]:
    """``x -> sum(v * grad f(x))`` for a random direction ``v``."""
    directions = [
        generator.standard_normal(np.shape(x))
        + (1j * generator.standard_normal(np.shape(x)) if np.iscomplexobj(x) else 0.0)
        for x in points
    ]
    gradient = grad(f, tuple(range(len(points))))

    def projected(*values: Any) -> Any:
        total: Any = 0.0
        for g, v in zip(gradient(*values), directions, strict=True):
            total = total + np.sum(np.real(g * v))
        return total

    return projected


def _check(
    f: Callable[..., Any], points: Sequence[Any], names: Sequence[str], order: int, rtol: float, atol: float,
    generator: Any, worst: GradientCheck,
) -> GradientCheck:  # fmt: skip
    def plain(*values: Any) -> Any:
        return f(*[v[()] for v in values])

    _, pullback = vjp(f, *points)
    gradients = pullback(np.float64(1.0))
    checked = worst.checked
    for k, (x, g, name) in enumerate(zip(points, gradients, names, strict=True)):
        scale = float(np.max(np.abs(g))) if np.size(g) else 0.0
        for element, direction in _directions(x, generator):
            full = [np.zeros(np.shape(p)) for p in points]
            full[k] = direction
            ours = float(np.real(np.sum(g * direction)))
            # Differences of differences are not worth much: at higher orders the lower ones are chainrule's own.
            reference, error, method = directional(plain, [np.asarray(p) for p in points], full)
            checked += 1
            size = max(scale, abs(reference)) * (1.0 if element is not None else max(1.0, np.sqrt(np.size(x))))
            difference = abs(ours - reference)
            if not difference <= atol + rtol * size + 10 * error:
                place = name if not element else f"{name}{list(element)}"
                projection = " (along a random direction)" if element is None else ""
                accepted = atol + rtol * size + 10 * error
                raise GradientError(
                    f"the derivative of order {order} with respect to {place}{projection} is {ours:.10g}, but {method} "
                    f"gives {reference:.10g}: difference {difference:.2e}, accepted {accepted:.2e}."
                )
            relative = difference / (size or 1.0)
            if relative >= worst.worst:
                worst = GradientCheck(relative, name, element, order, method, checked)
    return GradientCheck(worst.worst, worst.argument, worst.element, worst.order, worst.method, checked)


def _directions(x: Any, generator: Any) -> list[tuple[tuple[int, ...] | None, Any]]:
    """Unit directions for the elements of ``x``, and random ones where there are many."""
    shape = np.shape(x)
    size = int(np.size(x))
    found: list[tuple[tuple[int, ...] | None, Any]] = []
    places = range(size) if size <= _EVERY else sorted(generator.choice(size, _EVERY // 2, replace=False).tolist())
    for place in places:
        unit = np.zeros(size, dtype=np.asarray(x).dtype)
        unit[place] = 1
        element = tuple(int(n) for n in np.unravel_index(place, shape)) if shape else ()
        found.append((element, unit.reshape(shape)))
        if np.iscomplexobj(x):
            found.append((element, 1j * unit.reshape(shape)))
    if size > _EVERY:
        found += [(None, generator.standard_normal(shape)) for _ in range(2)]
    return found
