"""Of two words for the same wrong gradient, the one that says more of the mistake stands first."""

from __future__ import annotations

import pytest

from chainrule.check.findings import Finding, ordered


@pytest.mark.parametrize(
    ("likelier", "other", "first"),
    [
        ("missing_path", "missing_var_path", "missing_var_path"),
        ("overwrites_instead_of_accumulates", "duplicate_index_overwrite", "duplicate_index_overwrite"),
        ("state_leak", "resampled_mask", "resampled_mask"),
        ("missing_var_path", "missing_path", "missing_var_path"),
        ("sign_flipped", "missing_path", "sign_flipped"),
    ],
)
def test_the_word_that_says_more_stands_first(likelier, other, first):
    found = ordered([Finding(other, ("x",), cost=9.0), Finding(likelier, ("x",), cost=0.0)])
    assert next(f.kind for f in found) == first
    assert len(found) == 2


def test_a_word_for_fewer_gradients_does_not_go_before_one_for_more():
    found = ordered([Finding("missing_var_path", ("x",), cost=9.0), Finding("missing_path", ("x", "y"), cost=0.0)])
    assert found[0].kind == "missing_path"
