"""Derivations that were read by eye, in each language, by a reader of it: ``tests/golden/derivations``."""

from __future__ import annotations

import os
from pathlib import Path

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
