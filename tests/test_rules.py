"""Every rule against references that know nothing of chainrule.

The cases stand in ``tests/cases``, one module per family of rules; for ufuncs they are made from the table itself.  A
derivative is compared along random directions: ``<g, J v>`` must be ``<J^T g, v>``, where ``J v`` comes from a complex
step or from extrapolated central differences.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import scipy.fft
import scipy.linalg
import scipy.special
import scipy.stats

import chainrule
import tests.cases
from chainrule.dispatch import load_families
from chainrule.errors import NotDifferentiableError
from chainrule.ops import COMPOSITES, OPERATIONS, Operation
from tests.cases.case import Case

LIBRARIES = (scipy.fft, scipy.linalg, scipy.special, scipy.stats)  # imported: rules for a library are loaded after it
load_families()

WIDEST_STEP = 2e-3
SHAPES = {1: ((3, 4),), 2: ((3, 1), (4,)), 3: ((3, 1), (4,), (2, 1, 1)), 4: ((3, 1), (4,), (2, 1, 1), ())}


# ---- the cases


def written_cases() -> Iterator[tuple[str, Case]]:
    for module in pkgutil.iter_modules(tests.cases.__path__):
        for case in getattr(importlib.import_module(f"tests.cases.{module.name}"), "CASES", ()):
            yield module.name, case


def is_refused(rule: Any) -> bool:
    """Whether a rule says, whatever the operands, that this derivative is not known."""
    try:
        rule(*[None] * 8)
    except NotDifferentiableError:
        return True
    except TypeError:
        return False
    return False


def table_cases(operation: Operation) -> Iterator[Case]:
    """Cases for an elementwise ufunc, drawn from the intervals that its row gives."""
    function = operation.function
    count = len(operation.rules)
    rng = np.random.default_rng(len(operation.name))
    low, high = np.array(operation.domain).T
    middle = [float(m) for m in (low + high) / 2]
    # An order of a Bessel function, say, is an integer and not differentiated.
    order = {k: round(m) for k, m in enumerate(middle) if is_refused(operation.rules[k])}
    analytic = function in vars(np).values() and any("D" in t.partition("->")[0] for t in function.types)

    def draw(shapes: Sequence[tuple[int, ...]]) -> tuple[Any, ...]:
        shapes = [() for _ in shapes] if len(shapes) != count else shapes
        return tuple(order[k] if k in order else rng.uniform(low[k], high[k], s) for k, s in enumerate(shapes))

    def case(name: str, args: tuple[Any, ...]) -> Case:
        varied = tuple(k for k in range(count) if k not in order)
        return Case(f"{operation.spelling} {name}", lambda *x: function(*x), args, varied, complex_step=analytic)

    yield case("broadcast", draw(SHAPES[count]))
    yield case("0-d", tuple(np.asarray(x) if k not in order else x for k, x in enumerate(draw(((),) * count))))
    yield case("numbers", tuple(x if k in order else float(x) for k, x in enumerate(draw(((),) * count))))
    yield case("empty", draw(((0, 3),) * count))


UFUNC_ROWS = [
    operation
    for operation in OPERATIONS.values()
    if operation.kind == "elementwise" and isinstance(operation.function, np.ufunc)
]
WRITTEN = [pytest.param(case, id=f"{module}: {case.name}") for module, case in written_cases()]
FROM_TABLE = [pytest.param(case, id=case.name) for operation in UFUNC_ROWS for case in table_cases(operation)]
every_case = pytest.mark.parametrize("case", WRITTEN + FROM_TABLE)


# ---- a case as a function from differentiable arrays to differentiable arrays


def kind_of(x: Any) -> str:
    dtype = getattr(x, "dtype", None)
    return np.dtype(type(x)).kind if dtype is None else dtype.kind


def leaves(result: Any) -> list[Any]:
    """The arrays and numbers in a result that are not of integers or truth values."""
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in leaves(part)]
    return [result] if result is not None and kind_of(result) in "fc" else []


def copies(values: Sequence[Any]) -> list[Any]:
    return [x.copy() if isinstance(x, np.ndarray) else x for x in values]


def smooth(case: Case) -> tuple[Callable[..., tuple[Any, ...]], list[Any]]:
    """The case's function of its differentiable arguments alone, and these arguments."""
    positions = case.wrt
    if positions is None:
        positions = tuple(
            k for k, x in enumerate(case.args) if isinstance(x, float | complex | np.ndarray | np.generic)
        )
        positions = tuple(k for k in positions if kind_of(case.args[k]) in "fc")

    def function(*points: Any) -> tuple[Any, ...]:
        args = list(case.args)
        for position, point in zip(positions, points, strict=True):
            args[position] = point
        return tuple(leaves(case.function(*args)))

    return function, copies([case.args[k] for k in positions])


def differentiable(case: Case) -> tuple[Callable[..., tuple[Any, ...]], list[Any]]:
    function, points = smooth(case)
    if not points:
        pytest.skip("no argument is differentiated")
    return function, points


# ---- references


def random_like(x: Any, rng: np.random.Generator) -> Any:
    """A random direction, whose largest element is 1, of the shape and kind of ``x``."""
    v = rng.standard_normal(np.shape(x))
    if kind_of(x) == "c":
        v = v + 1j * rng.standard_normal(np.shape(x))
    return v / np.max(np.abs(v), initial=1e-300)


def by_complex_step(function: Callable[..., Any], points: Sequence[Any], directions: Sequence[Any]) -> list[Any]:
    h = 1e-30
    shifted = [x + 1j * h * v for x, v in zip(points, directions, strict=True)]
    return [np.imag(out) / h for out in function(*shifted)]


def by_differences(function: Callable[..., Any], points: Sequence[Any], directions: Sequence[Any]) -> list[Any]:
    """Central differences with steps h, h/2 and h/4, extrapolated twice (Richardson)."""

    def central(h: float) -> list[Any]:
        above, below = (
            function(*[x + sign * h * v for x, v in zip(points, directions, strict=True)]) for sign in (1, -1)
        )
        return [(a - b) / (2 * h) for a, b in zip(above, below, strict=True)]

    wide, middle, narrow = (central(WIDEST_STEP / k) for k in (1, 2, 4))
    finer = [(4 * m - w) / 3 for w, m in zip(wide, middle, strict=True)]
    finest = [(4 * n - m) / 3 for m, n in zip(middle, narrow, strict=True)]
    return [(16 * b - a) / 15 for a, b in zip(finer, finest, strict=True)]


def paired(left: Sequence[Any], right: Sequence[Any]) -> tuple[float, float]:
    """The real part of the pairing without conjugation, and its size without cancellation."""
    products = [np.asarray(a) * np.asarray(b) for a, b in zip(left, right, strict=True)]
    return sum(float(np.sum(p).real) for p in products), sum(float(np.sum(np.abs(p))) for p in products)


def assert_transposed(
    function: Callable[..., Any],
    points: Sequence[Any],
    pull: Callable[[Any], Sequence[Any]],
    outputs: Sequence[Any],
    *,
    exact: bool,
    tolerance: float | None,
    seed: int = 0,
) -> None:
    """Raise unless ``<g, J v>`` is ``<pull(g), v>`` for drawn ``g`` and ``v``."""
    rng = np.random.default_rng(seed)
    directions = [random_like(x, rng) for x in points]
    g = tuple(np.asarray(random_like(out, rng))[()] for out in outputs)
    pushed = (by_complex_step if exact else by_differences)(function, points, directions)
    cotangents = pull(g)
    for x, c in zip(points, cotangents, strict=True):
        assert np.shape(c) == np.shape(x)
        assert kind_of(c) == kind_of(x)
    reference, size = paired(g, pushed)
    actual, other_size = paired(cotangents, directions)
    allowed = (tolerance or (1e-12 if exact else 1e-7)) * (size + other_size) + 1e-14
    assert abs(actual - reference) <= allowed, f"{actual} differs from {reference} by {actual - reference:.1e}"


def assert_the_same(found: Sequence[Any], expected: Sequence[Any]) -> None:
    """Raise unless the values are those of NumPy, of the same shapes and dtypes."""
    assert len(found) == len(expected)
    for ours, plain in zip(found, expected, strict=True):
        assert np.shape(ours) == np.shape(plain)
        assert np.asarray(ours).dtype == np.asarray(plain).dtype
        np.testing.assert_allclose(ours, plain, rtol=1e-12, atol=1e-14)


def assert_left_alone(function: Callable[..., Any], points: Sequence[Any]) -> None:
    """Raise unless the arguments keep their values, and share no memory with what comes back."""
    given = copies(points)
    value, pull = chainrule.vjp(function, *given)
    cotangents = pull(tuple(np.ones_like(out) for out in value))
    for x, original in zip(given, points, strict=True):
        np.testing.assert_array_equal(x, original)
        for c in (*cotangents, *value):
            assert not np.shares_memory(np.asarray(c), np.asarray(x))


# ---- the checks


@every_case
def test_value_and_first_order(case: Case) -> None:
    """At the case's arguments, and again close by, where the recorded backward pass is used once more."""
    function, points = smooth(case)
    exact = case.complex_step and all(kind_of(x) == "f" for x in points)
    rng = np.random.default_rng(4)
    for seed in range(2 if points else 1):
        value, pull = chainrule.vjp(function, *points)
        assert_the_same(value, function(*copies(points)))
        if points:
            assert_transposed(function, points, pull, value, exact=exact, tolerance=case.rtol, seed=seed)
        points = [x * (1 + 1e-3 * rng.uniform(-1, 1, np.shape(x))) for x in points]
    assert_left_alone(function, points)


@every_case
def test_second_order(case: Case) -> None:
    """The pullback is differentiated, in the arguments and in the cotangent."""
    if case.order < 2:
        pytest.skip("only the first order is promised")
    function, points = differentiable(case)
    value, _ = chainrule.vjp(function, *points)
    rng = np.random.default_rng(2)
    count = len(points)
    g = [np.asarray(random_like(out, rng))[()] for out in value]

    def pulled(*arrays: Any) -> tuple[Any, ...]:
        return chainrule.vjp(function, *arrays[:count])[1](tuple(arrays[count:]))

    both = [*points, *g]
    outputs, pull = chainrule.vjp(pulled, *both)
    assert_transposed(pulled, both, pull, outputs, exact=False, tolerance=case.rtol)


@every_case
@pytest.mark.filterwarnings("ignore:non-integer arg n is deprecated")  # SciPy about its own float32 loop of bdtr
def test_float32_stays_float32(case: Case) -> None:
    function, points = differentiable(case)
    value, pull = chainrule.vjp(function, *points)
    rng = np.random.default_rng(3)
    g = tuple(np.asarray(random_like(out, rng))[()] for out in value)
    single = [
        x.astype({"f": np.float32, "c": np.complex64}[kind_of(x)]) if isinstance(x, np.ndarray) else x for x in points
    ]
    narrow_value, narrow_pull = chainrule.vjp(function, *single)
    narrow = narrow_pull(
        tuple(np.asarray(c).astype(np.asarray(v).dtype)[()] for c, v in zip(g, narrow_value, strict=True))
    )
    for x, wide_cotangent, cotangent in zip(single, pull(g), narrow, strict=True):
        assert np.shape(cotangent) == np.shape(x)
        if isinstance(x, np.ndarray):
            assert cotangent.dtype == x.dtype
        scale = 1e-6 + np.max(np.abs(wide_cotangent), initial=0.0)
        np.testing.assert_allclose(cotangent, wide_cotangent, rtol=0, atol=2e-3 * scale)


# ---- nothing is left out


def used_by_cases() -> set[str]:
    """The operations and composite functions that the written cases use, by name."""
    used: set[str] = set()

    def noted(name: str, definition: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(definition)
        def call(*args: Any, **kwargs: Any) -> Any:
            used.add(name)
            return definition(*args, **kwargs)

        return call

    definitions = dict(COMPOSITES)
    try:
        COMPOSITES.update({f: noted(name_of(f), d) for f, d in definitions.items()})  # type: ignore[attr-defined]
        for _, case in written_cases():
            function, points = smooth(case)
            # A case that fails is reported by the tests of its derivatives.
            with contextlib.suppress(Exception):
                used.update(step.operation.spelling for step in chainrule.trace(function, *points).steps)
    finally:
        COMPOSITES.update(definitions)  # type: ignore[attr-defined]
    return used


def name_of(function: Any) -> str:
    return f"{function.__module__}.{getattr(function, '__name__', type(function).__name__)}"


def test_every_rule_is_tested() -> None:
    with_rules = {o.spelling for o in OPERATIONS.values() if o.kind != "constant" and o not in UFUNC_ROWS}
    with_rules.discard("chainrule.calls.identity")  # appears in nested derivatives only, so in the second order
    unused = (with_rules | {name_of(f) for f in COMPOSITES}) - used_by_cases()
    # Other tests of the same process may have given rules to functions of their own.
    assert not sorted(name for name in unused if name.startswith(("np.", "numpy.", "scipy.", "math.", "chainrule.")))


@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS.values() if o.kind == "constant"], ids=lambda operation: operation.spelling
)
def test_constant_has_a_reason(operation: Operation) -> None:
    assert operation.because


def test_names_of_cases_are_unique() -> None:
    counted = Counter(f"{module}: {case.name}" for module, case in written_cases())
    assert not [name for name, count in counted.items() if count > 1]


def test_a_derivative_that_is_not_known_is_refused() -> None:
    value, pull = chainrule.vjp(lambda order, x: scipy.special.jv(order, x), 1.5, 2.0)
    with pytest.raises(NotDifferentiableError, match=r"scipy\.special\.jv with respect to its first argument"):
        pull(value)


# ---- the choices at kinks


@pytest.mark.parametrize(
    ("function", "point", "derivative"),
    [
        pytest.param(np.abs, 0.0, 0.0, id="abs"),
        pytest.param(np.abs, 0j, 0j, id="complex abs"),
        pytest.param(np.fabs, 0.0, 0.0, id="fabs"),
        pytest.param(np.sign, 0.0, 0.0, id="sign"),
        pytest.param(np.sign, 0j, 0j, id="complex sign"),
        pytest.param(lambda x: np.copysign(x, -2.0), 0.0, 0.0, id="copysign"),
        pytest.param(lambda x: np.hypot(x, 0 * x), 0.0, 0.0, id="hypot"),
        pytest.param(lambda x: np.maximum(0, x), 0.0, 0.0, id="maximum, literal left"),
        pytest.param(lambda x: np.maximum(x, 0.0), 0.0, 0.0, id="maximum, literal right"),
        pytest.param(lambda x: np.minimum(x, 0), 0.0, 0.0, id="minimum, literal"),
        pytest.param(lambda x: np.fmax(0, x) + np.fmin(0, x), 0.0, 0.0, id="fmax and fmin, literal"),
        pytest.param(lambda x: np.maximum(x, np.zeros(2)), np.zeros(2), [0.5, 0.5], id="maximum, array"),
        pytest.param(lambda x: np.minimum(np.zeros(2), x), np.zeros(2), [0.5, 0.5], id="minimum, array"),
        pytest.param(lambda x: np.fmax(x, np.zeros(2)), np.zeros(2), [0.5, 0.5], id="fmax, array"),
        pytest.param(lambda x: np.maximum(x, x), 1.0, 1.0, id="maximum with itself"),
        pytest.param(lambda x: np.clip(x, 0, 1), np.array([0.0, 1.0]), [1.0, 1.0], id="clip at its bounds"),
        pytest.param(np.max, np.array([1.0, 3.0, 3.0]), [0.0, 0.5, 0.5], id="max"),
        pytest.param(np.min, np.array([1.0, 1.0, 3.0]), [0.5, 0.5, 0.0], id="min"),
        pytest.param(lambda x: np.max(x, initial=3.0), np.array([1.0, 3.0]), [0.0, 0.0], id="max, literal initial"),
        pytest.param(np.ptp, np.array([1.0, 1.0]), [0.0, 0.0], id="ptp"),
        pytest.param(np.std, np.array([2.0, 2.0]), [0.0, 0.0], id="std"),
        pytest.param(lambda x: x**0, 0.0, 0.0, id="power 0"),
        pytest.param(lambda x: x ** np.array([0.0, 1.0, 2.0]), np.zeros(3), [0.0, 1.0, 0.0], id="power, array"),
        pytest.param(lambda y: 0.0**y, 2.0, 0.0, id="power of 0"),
        pytest.param(lambda x: np.logaddexp(x, x), -np.inf, 0.0, id="logaddexp of -inf"),
        pytest.param(lambda x: np.floor(x) + np.round(x) + x // 1, 1.0, 0.0, id="rounding"),
        pytest.param(lambda x: np.remainder(x, 1.0), 2.0, 1.0, id="remainder"),
    ],
)
def test_derivative_at_a_kink(function: Any, point: Any, derivative: Any) -> None:
    value, pull = chainrule.vjp(function, point)
    np.testing.assert_array_equal(pull(np.ones_like(value)[()])[0], derivative)


# ---- the checks notice


def test_a_wrong_derivative_is_noticed() -> None:
    points = [np.array([0.5, 1.5])]
    for exact in (True, False):
        arguments: Any = (lambda x: (np.sin(x),), points, lambda g: (g[0] * np.cos(points[0]) * 1.0005,), points)
        with pytest.raises(AssertionError, match="differs from"):
            assert_transposed(*arguments, exact=exact, tolerance=None)
