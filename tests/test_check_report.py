"""What a verdict says: the vocabulary of mistakes, the report as text and as JSON, and its levels."""

from __future__ import annotations

import string

import pytest

from chainrule.check.vocabulary import KINDS, explanation, kind_named, place, same_kind, suspect
from chainrule.errors import ChainruleError

GAPS = set("statement gradients operand wrong right factor count axis condition error candidate_line".split())


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_each_kind_is_described(kind):
    assert str(kind.meaning).endswith(".")
    assert "{" not in str(kind.meaning)
    assert "?" in str(kind.hint)
    assert kind.details, "a kind says where it sits"
    for sentence in kind.details:
        gaps = {name for _, name, _, _ in string.Formatter().parse(sentence.template) if name}
        assert gaps <= GAPS
        assert not sentence.values
    assert set(kind.near) <= set(KINDS)
    hint = str(kind.hint).lower()
    for word in (kind.name, *kind.synonyms):
        assert word not in hint
        assert kind_named(word) is kind, "a word means one kind"
    assert str(kind.meaning).lower() not in hint


def test_words_and_synonyms():
    assert kind_named("transpose-missing").name == "missing_transpose"
    assert same_kind("missing_relu_mask", "missing_activation_grad")
    assert not same_kind("sign_flipped", "missing_transpose")
    with pytest.raises(ChainruleError, match="no kind of mistake"):
        kind_named("bad luck")


def test_an_explanation_says_as_much_as_is_known():
    where = place("A3", 29, "A3 = np.maximum(0, Z3)")
    assert str(explanation("missing_relu_mask", statement=where, factor="(Z3 > 0)")) == (
        "The gradient passes `A3 = np.maximum(0, Z3)` (line 29) unchanged: the mask (Z3 > 0) is left out."
    )
    assert "derivative of the ReLU is left out" in str(explanation("missing_relu_mask", statement=where, factor=None))
    assert str(explanation("missing_relu_mask")) == str(KINDS["missing_relu_mask"].meaning)
    found = suspect("bias_sum_missing", step="Z1", gradients=("b",))
    assert found.kind == "bias_not_summed"
    assert "`Z1`" in str(found.explanation)
    assert found.hint is not None
