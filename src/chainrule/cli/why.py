"""``chainrule why``: why a gradient is zero, NaN, infinite, tiny or huge."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from chainrule.cli.shared import Lang, Of, OfIndex, Shapes, Target, UpdatesOption, Wrt, app, failing, followed, speaking
from chainrule.explain.why import why_followed

__all__ = ["why"]


@app.command()
def why(
    target: Target,
    gradient: Annotated[str, typer.Argument(help="What is asked about: dW3[2,1], dW3, or dZ3[0,1].")],
    of: Of = None,
    wrt: Wrt = None,
    shapes: Shapes = None,
    of_index: OfIndex = None,
    updates: UpdatesOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    lang: Lang = None,
) -> None:
    """Say why a gradient is zero, NaN, infinite, tiny or huge, with the paths that feed it.

    Example: chainrule why mlp.py "dW3[2,1]" --of err
    """
    with speaking(lang):
        found = followed(target, of, wrt, shapes, of_index, updates, quiet=as_json)
        with failing():
            answer = why_followed(found, gradient)
        if as_json:
            print(answer.to_json())
            return
        console = Console(highlight=False)
        console.print(Text(answer.text(console.width)), soft_wrap=True)
