"""Writes docs/forms.md, how short the written backward passes are: ``python -m docs.forms``.

Each form of ``tests/forms`` is written by ``chainrule.write``, executed and counted, beside the backward pass that an
expert wrote by hand and the one that reverse mode gives without simplification.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chainrule as cr
from chainrule.backward import backward_of
from chainrule.emit.material import material_of
from chainrule.emit.numpy_source import function_source
from chainrule.written import Source
from tests.forms.form import Form, forms, inputs, score

PAGE = Path(__file__).with_name("forms.md")

INTRODUCTION = """\
# How short the backward passes are

The unit is one executed array operation beyond the forward pass: views, allocation and arithmetic on single numbers are
free, and so is what the forward pass holds already. Each form below is a forward pass in plain NumPy (in
[`tests/forms`](../tests/forms)). *By hand* counts the backward pass that an expert writes for it, after the reference;
*chainrule* the source that `write` prints, executed; *mechanical* the source of the same backward pass without
simplification, which is what reverse mode executes. Each is compared with the expert's gradients. Where the expert uses
a fact about the inputs, which stands behind *if*, `write` is given it with [`assume`](write.md#facts-that-you-know).

The forms that are *held out* were written by somebody who did not know the simplifier, which was made without reading
them.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What one form takes, in operations."""

    form: type[Form]
    written: int
    by_hand: int
    mechanical: int
    right: bool

    @property
    def ratio(self) -> float:
        """Written against by hand; a backward pass without any operation counts as one."""
        return max(self.written, 1) / max(self.by_hand, 1)


def mechanical(form: type[Form]) -> Source:
    """The source of the backward pass as reverse mode gives it."""
    values = inputs(form)
    names = list(values)
    args = list(values.values())
    backward = backward_of(form.forward, args, [names.index(name) for name in form.names])
    material = material_of(form.forward, args, backward.program)
    return Source(*function_source(material, backward, list(backward.wrt), "d"))


def row_of(form: type[Form]) -> Row:
    """Write a form, execute it and count."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = cr.write(form.forward, *inputs(form).values(), wrt=form.names, assume=form.assume)
        written = score(form, source.function)
        plain = score(form, mechanical(form).function)
    return Row(form, written["ops"], written["expert_ops"], plain["ops"], written["ok"] and plain["ok"])


def summary(rows: Iterable[Row]) -> dict[str, Any]:
    """The figures that are quoted: geometric means, and how many are as short as by hand."""
    rows = list(rows)
    ratios = [row.ratio for row in rows]
    plain = [max(row.mechanical, 1) / max(row.by_hand, 1) for row in rows]
    return {
        "forms": len(rows),
        "ratio": math.exp(sum(map(math.log, ratios)) / len(rows)),
        "as_short": sum(row.written <= row.by_hand for row in rows),
        "mechanical": math.exp(sum(map(math.log, plain)) / len(rows)),
    }


def line_of(row: Row) -> str:
    """The line of the page for one form."""
    form = row.form
    assumed = f", if {form.assumes}" if form.assumes else ""
    title = f"{form.title}{assumed}".replace("|", "\\|")
    return f"| `{form.id}` | {title} | {row.written} | {row.by_hand} | {row.mechanical} | {form.ref} |"


def summaries(rows: list[Row]) -> list[str]:
    """The lines of the first table."""
    lines = []
    for title, chosen in (
        ("all", rows),
        ("known to the makers of the simplifier", [row for row in rows if not row.form.held]),
        ("held out", [row for row in rows if row.form.held]),
    ):
        found = summary(chosen)
        share = f"{found['as_short']} ({found['as_short'] / found['forms']:.0%})"
        lines.append(f"| {title} | {found['forms']} | {found['ratio']:.2f} | {share} | {found['mechanical']:.2f} |")
    return lines


def rows_of(text: str) -> list[Row]:
    """The rows that a page holds, for its first table to be computed from."""
    found = re.findall(r"^\| `(\w+)` \| .*? \| (\d+) \| (\d+) \| (\d+) \| ", text, re.MULTILINE)
    known = forms()
    return [Row(known[name], int(written), int(hand), int(plain), True) for name, written, hand, plain in found]


def _row_or_refusal(name: str) -> Row | str:
    form = forms()[name]
    try:
        return row_of(form)
    except cr.ChainruleError as error:
        return f"- `{form.id}`, {form.title}: {str(error).splitlines()[0]}"


def page() -> str:
    """The page, as it stands in docs/forms.md."""
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(_row_or_refusal, forms(), chunksize=8))
    rows = [row for row in found if isinstance(row, Row)]
    refused = [text for text in found if isinstance(text, str)]
    wrong = [row.form.id for row in rows if not row.right]
    assert not wrong, wrong
    head = ["| | forms | chainrule / by hand | as short as by hand | mechanical / by hand |", "|---|--:|--:|--:|--:|"]
    lines = [INTRODUCTION, *head, *summaries(rows), "", "The ratios are geometric means."]
    for held, title in ((False, "Known to the makers of the simplifier"), (True, "Held out")):
        lines += ["", f"## {title}", "", "| form | | chainrule | by hand | mechanical | reference |"]
        lines.append("|---|---|--:|--:|--:|---|")
        lines += [line_of(row) for row in rows if row.form.held is held]
    if refused:
        lines += ["", "## Refused", "", "These cannot be written yet, and say so.", "", *refused]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
