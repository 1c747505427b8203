"""``chainrule selftest``: plant mistakes in an exact backward pass, and see that the check finds them."""

from __future__ import annotations

import inspect
import sys
from contextlib import nullcontext, redirect_stdout
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from chainrule.check.rendering import styled
from chainrule.check.selftesting import selftest as run_selftest
from chainrule.check.selftesting import selftest_blocks
from chainrule.cli.shared import (
    FAILED,
    Lang,
    Shapes,
    Target,
    app,
    failing,
    print_notes,
    read_shapes,
    speaking,
)
from chainrule.history import RequestError
from chainrule.language import message
from chainrule.script import load_function

__all__ = ["selftest"]


@app.command()
def selftest(
    target: Target,
    shapes: Shapes = None,
    most: Annotated[int, typer.Option(help="How many mistakes are tried in steps; all if 0.", min=0)] = 40,
    seed: Annotated[int, typer.Option(help="Of the data that the check draws.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Plant mistakes in the exact backward pass of a function, and see that the check finds and names each.

    The exit status is 1 where one of them is not found.

    Example: chainrule selftest layers.py::dense --shapes X=6x5,W=5x3,b=3
    """
    errors = Console(stderr=True, highlight=False)
    with failing(), redirect_stdout(sys.stderr):
        if "::" not in target:
            raise RequestError(
                message("{file}: name a function of the file. Instead: chainrule selftest {file}::forward", file=target)
            )
        sizes, values = read_shapes(shapes or "")
        loaded = load_function(target, sizes, values)
        args = inspect.signature(loaded.function).bind(*loaded.args, **loaded.kwargs).arguments
        bar: Any = Progress(console=errors, transient=True) if errors.is_terminal else nullcontext()
        with bar as shown:
            task = None if shown is None else shown.add_task(str(message("checking")), total=None)

            def progress(done: int, count: int) -> None:
                if shown is not None:
                    shown.update(task, completed=done, total=count)

            result = run_selftest(loaded.function, args, most=most, seed=seed, progress=progress)
    with speaking(lang):
        if as_json:
            print(result.to_json())
        elif sys.stdout.isatty():
            console = Console(highlight=False)
            console.print(styled(selftest_blocks(result), console.width), soft_wrap=True)
        else:
            print(Text(str(result)).plain)
        print_notes(loaded.notes, errors)
    if not result.ok:
        raise typer.Exit(FAILED)
