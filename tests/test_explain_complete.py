"""That a derivation shows all that its reader needs to follow the numbers, and before it is needed."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from tests.golden.derivations.examples import EXAMPLES


@pytest.mark.parametrize("name", ["affine", "attention", "layer_norm"])
@pytest.mark.parametrize("rendering", ["text", "markdown", "html"])
def test_what_is_handed_in_is_defined_above_the_first_step(name, rendering):
    function, args = EXAMPLES[name]
    found = cr.explain(function, *args)
    said = getattr(found.in_language("en"), rendering)().replace("\\", "")
    assert said.index("stands for a loss") < said.index("In index notation")
    assert found.derivation.parts[0].arriving[0][0] == "grad_output"


def test_numbers_that_are_handed_in_are_not_called_made_up():
    function, args = EXAMPLES["affine"]
    assert "made up" in cr.explain(function, *args).in_language("en").text()
    given = cr.explain(function, *args, grad_output=np.ones((3, 2))).in_language("en").text()
    assert "made up" not in given
    assert "Arriving grad_output" in given
