"""Never silently wrong: where a link is easily lost, the gradient is right or refused at the user's line.

Whatever happens, no foreign exception comes through, no plain data of the user changes, and NumPy is
left as it was found.
"""

from __future__ import annotations

import re
from types import CodeType

import numpy as np
import pytest

import chainrule
from tests.differences import assert_close, differences, plain_copy, weighted
from tests.never_wrong import changed_constants, functions, lost_links, outside_data, python_values, views, writes
from tests.never_wrong.case import Case

CASES = [
    *lost_links.CASES,
    *python_values.CASES,
    *outside_data.CASES,
    *writes.CASES,
    *views.CASES,
    *functions.CASES,
    *changed_constants.CASES,
]
TOLERANCE = 1e-7

# The cases assign a.shape and a.dtype, as code written before NumPy 2.5 does.
pytestmark = pytest.mark.filterwarnings("ignore:Setting the (shape|dtype):DeprecationWarning")
NUMPY_MODULES = (np, np.linalg, np.fft, np.random)


def gradients_by_differences(case: Case) -> list[np.ndarray]:
    """The reference; the function is made afresh for every call."""
    return [differences(lambda *args: weighted(case.make()[0](*args)), case.args, k) for k in range(len(case.args))]


def source_lines(code: CodeType) -> range:
    """The lines of a function and of the functions inside it."""
    lines = [line for _, _, line in code.co_lines() if line is not None]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = source_lines(constant)
            lines += [inner.start, inner.stop - 1]
    return range(min(lines), max(lines) + 1)


def assert_points_at(error: chainrule.ChainruleError, case: Case) -> None:
    """The message must name the file of the case and one of its lines."""
    code = (case.factory or case.function).__code__  # type: ignore[union-attr]
    places = re.findall(re.escape(code.co_filename) + r'"?(?:, line |:)(\d+)', str(error))
    assert any(int(line) in source_lines(code) for line in places), f"not at the user's line:\n{error}"


def numpy_entry_points() -> list[tuple[str, int]]:
    """The identity of every public name of NumPy."""
    return [
        (f"{module.__name__}.{name}", id(value)) for module in NUMPY_MODULES for name, value in vars(module).items()
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_right_or_refused(case: Case) -> None:
    function, outside = case.make()
    outside_before = [plain_copy(data) for data in outside]
    given = tuple(plain_copy(arg) for arg in case.args)
    numpy_before = numpy_entry_points()
    refusal = None
    try:
        value, gradients = chainrule.value_and_grad(
            lambda *args: weighted(function(*args)), argnums=tuple(range(len(given)))
        )(*given)
    except chainrule.ChainruleError as error:
        refusal = error
    assert numpy_entry_points() == numpy_before
    assert outside_data.globals_are_untouched()
    for position, arg in enumerate(given):
        np.testing.assert_array_equal(arg, case.args[position], f"argument {position} was changed")
    for data, before in zip(outside, outside_before, strict=True):
        np.testing.assert_array_equal(data, before, "plain data outside the function was changed")
    if refusal is not None:
        if case.expected == "right":
            raise refusal
        assert_points_at(refusal, case)
        return
    assert case.expected != "refused"
    assert_close(value, weighted(case.make()[0](*map(plain_copy, case.args))), 1e-13, "the value")
    for position, reference in enumerate(gradients_by_differences(case)):
        assert_close(gradients[position], reference, TOLERANCE, f"the gradient of argument {position}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reference_is_steady(case: Case) -> None:
    """The references deserve trust: finite, and the same with another step size."""
    for position, wide in enumerate(gradients_by_differences(case)):
        narrow = differences(lambda *args: weighted(case.make()[0](*args)), case.args, position, step=3e-4)
        assert np.isfinite(wide).all()
        assert_close(wide, narrow, TOLERANCE, case.name)


def test_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
