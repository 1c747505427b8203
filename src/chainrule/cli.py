"""The command line: ``chainrule write script.py --of err``, ``chainrule grad layers.py::dense --shapes x=5x18``."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Annotated, Any, NoReturn

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.history import RequestError
from chainrule.script import Followed, ScriptError, has_parameters, trace_function, trace_script
from chainrule.script_source import write_function, write_script

try:
    import typer
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.text import Text
except ImportError as missing:
    raise SystemExit(
        f"The command line needs {missing.name}, which is not installed. Install it with: pip install chainrule[cli]"
    ) from None

__all__ = ["app", "main"]

_FAILED, _USAGE = 1, 2
_SMALL = 64  # elements of an array that is printed whole

app = typer.Typer(
    name="chainrule",
    help="The gradient of a forward pass written in plain NumPy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Target = Annotated[str, typer.Argument(metavar="FILE[::FUNCTION]", help="A script, or a function in a file.")]
Of = Annotated[
    str | None,
    typer.Option(help="The result: its name in the script; for a function that returns several, which one (from 0)."),
]
Wrt = Annotated[
    str | None, typer.Option(help="The arrays or parameters, separated by commas; all of them if not given.")
]
Shapes = Annotated[
    str | None,
    typer.Option(help="A function's arguments: x=5x18,b=5 random arrays, s=() a random number, k:=3 the value itself."),
]
OfIndex = Annotated[str | None, typer.Option(help="The element of a result that is an array, as in 0,2.")]
UpdatesOption = Annotated[
    str | None,
    typer.Option(help="fixed or followed: what arrays stand for that change each time the result is computed."),
]


@app.callback()
def _commands() -> None:
    """The gradient of a forward pass written in plain NumPy."""


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
    followed = _followed(target, of, wrt, shapes, of_index, updates, quiet=as_json)
    try:
        gradients = followed.gradients()
    except (ChainruleError, np.linalg.LinAlgError) as error:
        _fail(str(error), _FAILED)
    if as_json:
        print(json.dumps(_record(followed, gradients), indent=2, allow_nan=False))
        return
    console = Console(highlight=False)
    console.print(_heading(followed), soft_wrap=True)
    _print_whole(_table(gradients, console.width, full), console)
    _print_notes(followed.notes, console)


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
    followed = _followed(target, of, wrt, shapes, of_index, updates)
    console = Console(highlight=False)
    console.print(Text(_fitted(str(followed.program()), console.width)), soft_wrap=True)
    _print_notes(followed.notes, console)


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
) -> None:
    """Print the backward pass of a script's result, or of a function, as NumPy source.

    For a script these are lines to paste below its own. The standard output is the code and nothing else.

    Example: chainrule write mlp.py --of err --wrt W1,B1
    """
    names, index = _names(wrt), _index(of_index)
    _check_updates(updates)
    options: Any = {"prefix": prefix, "what": what}
    with _failing(), redirect_stdout(sys.stderr):
        if _is_function(target, of) or has_parameters(target):
            if index is not None or updates is not None:
                raise RequestError("--of-index and --updates are for scripts, and for grad and trace.")
            sizes, values = _read_shapes(shapes or "")
            options["of"] = int(of) if of is not None and of.isdecimal() else of
            source, notes = write_function(target, sizes, values, names, style=style or "function", **options)  # type: ignore[arg-type]
        else:
            if shapes:
                raise RequestError("--shapes is for functions: write FILE::FUNCTION.")
            options |= {"index": index, "updates": updates}
            source, notes = write_script(target, of, names, style=style or "lines", **options)  # type: ignore[arg-type]
    errors = Console(stderr=True, highlight=False)
    if output not in (None, "-"):
        try:
            source.save(str(output))
        except OSError as error:
            _fail(f"--output {output} cannot be written: {error.strerror}.", _USAGE)
        errors.print(Text(f"Wrote {output}."), soft_wrap=True)
    elif sys.stdout.isatty():
        console = Console(highlight=False)
        code = Syntax(str(source).rstrip("\n"), "python", theme="ansi_dark", background_color="default")
        console.print(code.highlight(code.code), soft_wrap=True, end="")
    else:
        print(source, end="")
    _print_notes(notes, errors)


def main() -> None:
    """The entry point of the command ``chainrule``."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # a script's plots open no windows, which would wait to be closed
    app()


# ---- what was asked for
def _followed(
    target: str,
    of: str | None,
    wrt: str | None,
    shapes: str | None,
    of_index: str | None,
    updates: str | None,
    quiet: bool = False,
) -> Followed:
    """What the target was traced to; ends the program where that failed.

    With ``quiet`` what the script prints goes to the standard error.
    """
    names, index = _names(wrt), _index(of_index)
    _check_updates(updates)
    with _failing(), redirect_stdout(sys.stderr) if quiet else nullcontext():
        if _is_function(target, of):
            sizes, values = _read_shapes(shapes or "")
            return trace_function(target, sizes, values, of=int(of or 0), wrt=names, index=index)
        if shapes:
            raise RequestError("--shapes is for functions: write FILE::FUNCTION.")
        return trace_script(target, of, names, index=index, updates=updates)  # type: ignore[arg-type]


def _is_function(target: str, of: str | None) -> bool:
    """Whether a function's result is meant, and not a variable of a script or of its ``main()``."""
    return "::" in target and (of is None or of.isdecimal())


def _names(wrt: str | None) -> list[str] | None:
    return None if wrt is None else [n for n in (part.strip() for part in _split(wrt)) if n]


def _index(of_index: str | None) -> tuple[int, ...] | None:
    try:
        return None if of_index is None else tuple(int(k) for k in of_index.split(","))
    except ValueError:
        _fail(f"--of-index {of_index} is no element: write --of-index 0,2.", _USAGE)


def _check_updates(updates: str | None) -> None:
    if updates not in (None, "fixed", "followed"):
        _fail(f"--updates {updates}: choose fixed or followed.", _USAGE)


@contextmanager
def _failing() -> Iterator[None]:
    """End the program with a message where what was asked for fails."""
    try:
        yield
    except RequestError as error:
        _fail(str(error), _USAGE)
    except ScriptError as error:
        _fail(str(error), _FAILED, verbatim=True)
    except ChainruleError as error:
        _fail("\n".join([str(error), *getattr(error, "__notes__", ())]), _FAILED)


def _split(text: str) -> list[str]:
    """The parts between the commas that stand outside of brackets."""
    return re.split(r",(?![^(\[{]*[)\]}])", text)


def _read_shapes(text: str) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    """``x=5x18,b=5,s=(),k:=3``: the shapes, and the values."""
    shapes: dict[str, tuple[int, ...]] = {}
    values: dict[str, Any] = {}
    for part in filter(None, map(str.strip, _split(text))):
        value = re.fullmatch(r"(\w+)\s*:=\s*(.+)", part)
        shape = re.fullmatch(r"(\w+)\s*=\s*(?:\(\)|(\d+(?:x\d+)*))", part)
        if value:
            try:
                values[value[1]] = ast.literal_eval(value[2])
            except (ValueError, SyntaxError):
                raise RequestError(f"--shapes: {value[2]} in {part} is no Python literal.") from None
        elif shape:
            shapes[shape[1]] = tuple(map(int, shape[2].split("x"))) if shape[2] else ()
        else:
            raise RequestError(f"--shapes: {part} is neither a shape (x=5x18, s=()) nor a value (k:=3).")
    return shapes, values


def _fail(message: str, code: int, verbatim: bool = False) -> NoReturn:
    """Say what is wrong on the standard error, and end the program."""
    console = Console(stderr=True, highlight=False)
    console.print(Text(message if verbatim else _broken(message, console.width)), soft_wrap=True)
    raise typer.Exit(code)


# ---- what is printed
def _heading(followed: Followed) -> Text:
    value = followed.value
    shown = f" = {value:.6g}" if np.ndim(value) == 0 and not np.iscomplexobj(value) else ""
    return Text(f"Gradients of {followed.title}{shown}", style="bold")


def _table(gradients: Mapping[str, Any], width: int, full: bool) -> Table:
    """One row per gradient; the numbers take what room is left."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    rows = [(f"d{name}", _shape(g), f"{np.linalg.norm(np.ravel(g)):.4g}", g) for name, g in gradients.items()]
    titles = ("name", "shape", "norm")
    taken = sum(max(len(title), *(len(row[k]) for row in rows)) + 2 for k, title in enumerate(titles))
    for title in titles:
        table.add_column(title, no_wrap=True, justify="right" if title == "norm" else "left")
    table.add_column("numbers", no_wrap=True, overflow="ignore")
    for name, shape, norm, g in rows:
        table.add_row(Text(name, style="cyan"), shape, norm, Text(_numbers(g, max(width - taken, 24), full)))
    return table


def _shape(g: Any) -> str:
    return "×".join(map(str, np.shape(g))) or "number"


def _numbers(g: Any, width: int, full: bool) -> str:
    """The elements of small arrays, the corners of large ones."""
    if full:
        return np.array2string(np.asarray(g), max_line_width=width, threshold=sys.maxsize, floatmode="unique")
    return np.array2string(np.asarray(g), max_line_width=width, precision=4, threshold=_SMALL, edgeitems=2)


def _print_whole(table: Table, console: Console) -> None:
    """Print a table; without the blanks at the ends of its lines, where it goes to a file."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _fitted(program: str, width: int) -> str:
    """The printed program, with its first line broken between the parameters where it is too long."""
    first, _, rest = program.partition("\n")
    if len(first) > width:
        # Broken before a name only: "float64[4, 6]" holds a blank that is no place to break.
        parameters = re.sub(r", (?=\w+: )", ",\0", first).replace(" ", "\1").replace("\0", " ")
        broken = textwrap.wrap(parameters, width, subsequent_indent=" " * 8, break_long_words=False)
        first = "\n".join(broken).replace("\1", " ")
    return f"{first}\n{rest}"


def _print_notes(notes: Sequence[str], console: Console) -> None:
    for note in notes:
        console.print(Text(_broken(f"Note: {note}.", console.width)), soft_wrap=True)


def _broken(message: str, width: int) -> str:
    """A message with its long sentences broken; source code and what points into it stay as they are."""
    lines = []
    for line in message.splitlines():
        indent = len(line) - len(line.lstrip())
        code = indent >= 4 or line.lstrip().startswith("File ") or len(line) <= width
        lines += [line] if code else textwrap.wrap(line, width, subsequent_indent=" " * (indent + 2))
    return "\n".join(lines)


def _record(followed: Followed, gradients: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "of": followed.title,
        "value": _plain(followed.value),
        "gradients": {
            name: {
                "shape": list(np.shape(g)),
                "dtype": str(np.asarray(g).dtype),
                "norm": _plain(np.linalg.norm(np.ravel(g))),
                "values": _plain(g),
            }
            for name, g in gradients.items()
        },
        "notes": followed.notes,
    }


def _plain(x: Any) -> Any:
    """Lists of numbers; complex ones as pairs; what JSON has no number for as text."""
    if isinstance(x, np.ndarray | np.generic):
        x = x.tolist()
    if isinstance(x, list):
        return [_plain(e) for e in x]
    if isinstance(x, complex):
        return [_plain(x.real), _plain(x.imag)]
    return x if not isinstance(x, float) or np.isfinite(x) else str(x)


if __name__ == "__main__":
    main()
