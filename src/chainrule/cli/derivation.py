"""``chainrule explain``: how the gradients of a script or a function are found, step by step."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from chainrule.cli.shared import (
    USAGE,
    Lang,
    Of,
    OfIndex,
    Shapes,
    Target,
    UpdatesOption,
    Wrt,
    app,
    check_updates,
    fail,
    failing,
    index_in,
    is_function,
    names_in,
    print_notes,
    read_shapes,
    speaking,
    write_file,
)
from chainrule.explain.explaining import explain_function, explain_script
from chainrule.explain.explanation import Explanation
from chainrule.history import RequestError
from chainrule.language import Message, message
from chainrule.script import has_parameters

__all__ = ["explain"]


@app.command()
def explain(
    target: Target,
    of: Of = None,
    wrt: Wrt = None,
    shapes: Shapes = None,
    brief: Annotated[bool, typer.Option("--brief", help="One line per gradient.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Every number, and every term written out.")] = False,
    element: Annotated[
        str | None, typer.Option(metavar="NAME[I,J]", help="Follow one element, as in W3[2,1], with its own numbers.")
    ] = None,
    html: Annotated[str | None, typer.Option(metavar="FILE", help="Write a page for a browser.")] = None,
    markdown: Annotated[str | None, typer.Option(metavar="FILE", help="Write Markdown; - for the screen.")] = None,
    lang: Lang = None,
    of_index: OfIndex = None,
    updates: UpdatesOption = None,
) -> None:
    """Explain how the gradients of a script's result, or of a function's, are found.

    Example: chainrule explain mlp.py --of err --html out.html
    """
    with speaking(lang):
        if brief and full:
            both = "--brief, --full"
            fail(str(message("{choice}: choose one of {choices}.", choice=both, choices=both)), USAGE)
        with failing(), redirect_stdout(sys.stderr):
            found, notes = _explained(target, of, wrt, shapes, of_index, updates)
            if element is not None:
                found = found.element(element)
        errors = Console(stderr=True, highlight=False)
        _show(found.full() if full else found.brief() if brief else found, html, markdown, errors)
        print_notes(notes, errors)


def _show(found: Explanation, html: str | None, markdown: str | None, errors: Console) -> None:
    """Print an explanation, or write it to the files that were named."""
    for option, name, text in (("--html", html, found.html), ("--markdown", markdown, found.markdown)):
        if name is None:
            continue
        if name == "-":
            print(text(), end="")
            continue
        write_file(option, name, text())
        errors.print(Text(str(message("Wrote {file}.", file=name))), soft_wrap=True)
    if html is None and markdown is None:
        console = Console(highlight=False)
        if console.is_terminal:
            for line in found.lines(console.width):
                console.print(Text.assemble(*line), soft_wrap=True)
        else:
            print(found.text(console.width), end="")


def _explained(
    target: str, of: str | None, wrt: str | None, shapes: str | None, of_index: str | None, updates: str | None
) -> tuple[Explanation, list[Message]]:
    """What was asked for, and what the reader should know."""
    names, index = names_in(wrt), index_in(of_index)
    check_updates(updates)
    if is_function(target, of) or has_parameters(target):
        if index is not None or updates is not None:
            raise RequestError(message("--of-index and --updates are for scripts, and for grad and trace."))
        sizes, values = read_shapes(shapes or "")
        which = int(of) if of is not None and of.isdecimal() else of
        return explain_function(target, sizes, values, names, of=which)
    if shapes:
        raise RequestError(message("--shapes is for functions: write FILE::FUNCTION."))
    return explain_script(target, of, names, index=index, updates=updates)  # type: ignore[arg-type]
