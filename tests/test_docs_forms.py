"""The page of forms says what is so: each is written, executed, compared with the expert's gradients and counted."""

from __future__ import annotations

import os

import pytest

import chainrule as cr
from docs.forms import PAGE, line_of, row_of, rows_of, summaries
from tests.forms.form import forms

# All of them take minutes: one in forty here, and all with CHAINRULE_ALL_FORMS=1.
CHOSEN = list(forms()) if os.environ.get("CHAINRULE_ALL_FORMS") else list(forms())[::40]
TEXT = PAGE.read_text(encoding="utf-8")
LINES = TEXT.splitlines()


@pytest.mark.parametrize("name", CHOSEN)
def test_a_form_is_written_right_and_as_short_as_the_page_says(name):
    form = forms()[name]
    if any(line.startswith(f"- `{name}`, ") for line in LINES):
        with pytest.raises(cr.ChainruleError):
            row_of(form)
        return
    row = row_of(form)
    assert row.right
    assert line_of(row) in LINES, "run `python -m docs.forms` and read what has changed"


def test_the_first_table_is_that_of_the_others():
    rows = rows_of(TEXT)
    assert len(rows) + sum(line.startswith("- `") for line in LINES) == len(forms())
    assert all(line in LINES for line in summaries(rows))
