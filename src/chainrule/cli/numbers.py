"""``chainrule grad`` and ``chainrule trace``: the numbers, and the operations they come from."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chainrule.cli.shared import (
    FAILED,
    Of,
    OfIndex,
    Shapes,
    Target,
    UpdatesOption,
    Wrt,
    app,
    fail,
    followed,
    plain,
    print_notes,
    print_whole,
)
from chainrule.errors import ChainruleError
from chainrule.language import message
from chainrule.script import Followed

__all__ = ["grad", "trace"]

_SMALL = 64  # elements of an array that is printed whole


@app.command()
def grad(
    target: Target,
    of: Of = None,
    wrt: Wrt = None,
    shapes: Shapes = None,
    of_index: OfIndex = None,
    updates: UpdatesOption = None,
    full: Annotated[bool, typer.Option("--full", help="Print every element, with all digits.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every element.")] = False,
) -> None:
    """Print the gradients of a script's result, or of a function's.

    Example: chainrule grad mlp.py --of err --wrt W1,B1
    """
    found = followed(target, of, wrt, shapes, of_index, updates, quiet=as_json)
    try:
        gradients = found.gradients()
    except (ChainruleError, np.linalg.LinAlgError) as error:
        fail(str(error), FAILED)
    if as_json:
        print(json.dumps(_record(found, gradients), indent=2, allow_nan=False))
        return
    console = Console(highlight=False)
    console.print(_heading(found), soft_wrap=True)
    print_whole(_table(gradients, console.width, full), console)
    print_notes(found.notes, console)


@app.command()
def trace(
    target: Target,
    of: Of = None,
    wrt: Wrt = None,
    shapes: Shapes = None,
    of_index: OfIndex = None,
    updates: UpdatesOption = None,
) -> None:
    """Print the operations from the arrays to the result, with shapes and lines.

    Example: chainrule trace mlp.py --of err
    """
    found = followed(target, of, wrt, shapes, of_index, updates)
    console = Console(highlight=False)
    console.print(Text(_fitted(str(found.program()), console.width)), soft_wrap=True)
    print_notes(found.notes, console)


# ---- what is printed
def _heading(followed: Followed) -> Text:
    value = followed.value
    said = message("Gradients of {result}", result=followed.title)
    if np.ndim(value) == 0 and not np.iscomplexobj(value):
        said = message("Gradients of {result} = {value}", result=followed.title, value=f"{value:.6g}")
    return Text(str(said), style="bold")


def _table(gradients: Mapping[str, Any], width: int, full: bool) -> Table:
    """One row per gradient; the numbers take what room is left."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    rows = [(f"d{name}", _shape(g), f"{np.linalg.norm(np.ravel(g)):.4g}", g) for name, g in gradients.items()]
    titles = [str(title) for title in (message("name"), message("shape"), message("norm"))]
    taken = sum(max(cell_len(title), *(len(row[k]) for row in rows)) + 2 for k, title in enumerate(titles))
    for k, title in enumerate(titles):
        table.add_column(title, no_wrap=True, justify="right" if k == 2 else "left")
    table.add_column(str(message("numbers")), no_wrap=True, overflow="ignore")
    for name, shape, norm, g in rows:
        table.add_row(Text(name, style="cyan"), shape, norm, Text(_numbers(g, max(width - taken, 24), full)))
    return table


def _shape(g: Any) -> str:
    return "×".join(map(str, np.shape(g))) or str(message("number"))


def _numbers(g: Any, width: int, full: bool) -> str:
    """The elements of small arrays, the corners of large ones."""
    if full:
        return np.array2string(np.asarray(g), max_line_width=width, threshold=sys.maxsize, floatmode="unique")
    return np.array2string(np.asarray(g), max_line_width=width, precision=4, threshold=_SMALL, edgeitems=2)


def _fitted(program: str, width: int) -> str:
    """The printed program, with its first line broken between the parameters where it is too long."""
    first, _, rest = program.partition("\n")
    if len(first) > width:
        # Broken before a name only: "float64[4, 6]" holds a blank that is no place to break.
        parameters = re.sub(r", (?=\w+: )", ",\0", first).replace(" ", "\1").replace("\0", " ")
        broken = textwrap.wrap(parameters, width, subsequent_indent=" " * 8, break_long_words=False)
        first = "\n".join(broken).replace("\1", " ")
    return f"{first}\n{rest}"


def _record(followed: Followed, gradients: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "of": followed.title,
        "value": plain(followed.value),
        "gradients": {
            name: {
                "shape": list(np.shape(g)),
                "dtype": str(np.asarray(g).dtype),
                "norm": plain(np.linalg.norm(np.ravel(g))),
                "values": plain(g),
            }
            for name, g in gradients.items()
        },
        "notes": [str(note) for note in followed.notes],
    }
