"""Derivations that were read by eye, in each language, by a reader of it: ``tests/golden/derivations``."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.language import LANGUAGES
from tests.golden.derivations.examples import EXAMPLES

FOLDER = Path(__file__).parent / "golden" / "derivations"


@pytest.mark.parametrize("name", EXAMPLES)
def test_golden_derivations(name):
    """With ``UPDATE_GOLDEN=1`` the files are written anew, to be read before they are kept."""
    function, args = EXAMPLES[name]
    found = cr.explain(function, *args)
    for language in LANGUAGES:
        text = found.in_language(language).text(80)
        path = FOLDER / f"{name}.{language}.txt"
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), path.name


def _turned(A, B, C):
    S = (A @ B).T @ C.T
    return np.sum(S**2)


def _shifted(A, B, C):
    S = (C @ A) @ (B.T + 1).T
    return np.sum(S**2)


@pytest.mark.parametrize("function", [_turned, _shifted])
def test_transposes_are_explained_as_the_lines_have_them(function):
    rng = np.random.default_rng(0)
    shapes = ((3, 4), (4, 5), (6, 3))
    text = cr.explain(function, *(rng.normal(size=s) for s in shapes)).in_language("en").text(100)
    code = "\n".join(line for line in text.splitlines() if line.startswith("    Code"))
    whys = re.findall(r"^    Why (\S+\.T)\b", text, re.MULTILINE)
    assert whys
    assert all(why in code for why in whys)
    assert "ᵀᵀ" not in text
