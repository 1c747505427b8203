"""Every expert is right: the yardstick of a backward pass must not be one that is wrong, or that cheats forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.differences import assert_close, differences, directional_difference
from tests.forms.form import Form, cotangent, count_expert, count_function, forms, inputs, run_expert, score

FORMS = forms()

STEP = 1e-5
"""Of the differences: so small that no kink, such as that of a ReLU, is likely to be nearer."""

TOLERANCE = 1e-8


def parts(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def contracted(form: type[Form], values: dict[str, Any], seed: int) -> Callable[..., Any]:
    """The forward pass as one number: its scalar loss, or its product with the cotangent of the seed."""
    received = cotangent(form.forward(**values), seed)

    def loss(*args: Any) -> Any:
        result = form.forward(*args)
        if received is None:
            return result
        return sum(np.sum(g * part) for g, part in zip(parts(received), parts(result), strict=True))

    return loss


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_expert_has_the_result_and_the_gradients_of_the_forward_pass(form: type[Form]) -> None:
    values = inputs(form)
    result, gradients = run_expert(form, values)
    for found, wanted in zip(parts(result), parts(form.forward(**values)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    assert sorted(gradients) == sorted(form.names)
    loss, args = contracted(form, values, seed=0), list(values.values())
    for name in form.names:
        assert_close(gradients[name], differences(loss, args, list(values).index(name), STEP), TOLERANCE, name)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_expert_is_right_at_other_inputs(form: type[Form]) -> None:
    """Along one direction for each input: it takes the time of one element, and sees a mistake in any."""
    values = inputs(form, seed=1)
    _, gradients = run_expert(form, values, seed=1)
    loss, args = contracted(form, values, seed=1), list(values.values())
    random = np.random.default_rng(2)
    for name in form.names:
        direction = random.uniform(0.5, 1.5, np.shape(values[name]))
        slope = directional_difference(loss, args, list(values).index(name), direction, STEP)
        scale = 1 + np.sum(np.abs(gradients[name]))
        assert abs(np.sum(gradients[name] * direction) - slope) <= TOLERANCE * scale, name


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_expert_does_no_more_in_the_forward_pass(form: type[Form]) -> None:
    """Work that is moved to before the ``yield`` would be free."""
    assert count_expert(form)["forward"] <= count_function(form.forward, **inputs(form))["operations"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_is_described(form: type[Form]) -> None:
    assert form.title
    assert form.group
    assert form.ref
    assert form.names


def test_the_expert_scores_as_the_expert() -> None:
    def passes(A: Any, B: Any, C: Any, g: Any) -> Any:
        AB = A @ B
        return AB @ C, (g @ C.T @ B.T, A.T @ (g @ C.T), AB.T @ g)

    found = score(FORMS["matmul_chain"], passes)
    assert found["ok"]
    # The product g @ C.T is computed twice, where the expert keeps it.
    assert (found["ops"], found["expert_ops"]) == (5, 4)


def test_a_wrong_gradient_scores_as_wrong() -> None:
    assert not score(FORMS["relu"], lambda x, g: (np.maximum(x, 0), {"x": g}))["ok"]
