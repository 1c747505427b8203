"""``chainrule write``: the backward pass of a script or function as source."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from chainrule.cli.shared import (
    Of,
    OfIndex,
    Shapes,
    Target,
    UpdatesOption,
    Wrt,
    app,
    check_updates,
    facts_in,
    failing,
    index_in,
    is_function,
    names_in,
    print_notes,
    read_shapes,
    write_file,
)
from chainrule.history import RequestError
from chainrule.language import message
from chainrule.script import has_parameters
from chainrule.script_source import write_function, write_script

__all__ = ["write"]


@app.command()
def write(
    target: Target,
    of: Of = None,
    wrt: Wrt = None,
    shapes: Shapes = None,
    style: Annotated[
        str | None,
        typer.Option(help="lines, function, layer or pullback; lines for a script, function for a function."),
    ] = None,
    prefix: Annotated[str, typer.Option(help="What gradients are named with: d, D or grad_.")] = "d",
    what: Annotated[str, typer.Option(help="backward or forward; for a function also jvp or hvp.")] = "backward",
    output: Annotated[str | None, typer.Option(metavar="FILE", help="Where to write; - for the screen.")] = None,
    of_index: OfIndex = None,
    updates: UpdatesOption = None,
    assume: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=FACT,…",
            help="Facts: symmetric, one_hot, distribution, joint_distribution, binary, nonzero or no_ties.",
        ),
    ] = None,
) -> None:
    """Print the backward pass of a script's result, or of a function, as NumPy source.

    For a script these are lines to paste below its own. The standard output is the code and nothing else.

    Example: chainrule write mlp.py --of err --wrt W1,B1
    """
    names, index = names_in(wrt), index_in(of_index)
    check_updates(updates)
    options: Any = {"prefix": prefix, "what": what}
    with failing(), redirect_stdout(sys.stderr):
        options["assume"] = facts_in(assume)
        if is_function(target, of) or has_parameters(target):
            if index is not None or updates is not None:
                raise RequestError(message("--of-index and --updates are for scripts, and for grad and trace."))
            sizes, values = read_shapes(shapes or "")
            options["of"] = int(of) if of is not None and of.isdecimal() else of
            source, notes = write_function(target, sizes, values, names, style=style or "function", **options)  # type: ignore[arg-type]
        else:
            if shapes:
                raise RequestError(message("--shapes is for functions: write FILE::FUNCTION."))
            options |= {"index": index, "updates": updates}
            source, notes = write_script(target, of, names, style=style or "lines", **options)  # type: ignore[arg-type]
    errors = Console(stderr=True, highlight=False)
    if output not in (None, "-"):
        write_file("--output", str(output), str(source))
        errors.print(Text(f"Wrote {output}."), soft_wrap=True)
    elif sys.stdout.isatty():
        console = Console(highlight=False)
        code = Syntax(str(source).rstrip("\n"), "python", theme="ansi_dark", background_color="default")
        console.print(code.highlight(code.code), soft_wrap=True, end="")
    else:
        print(source, end="")
    print_notes(notes, errors)
