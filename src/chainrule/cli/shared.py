"""What the commands share: options, reading what was asked for, ending with a message, printing at any width."""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, NoReturn

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.history import RequestError
from chainrule.language import Message, in_language, language_named, message, stated
from chainrule.script import Followed, ScriptError, trace_function, trace_script

try:
    import typer
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
except ImportError as missing:
    raise SystemExit(
        f"The command line needs {missing.name}, which is not installed. Install it with: pip install chainrule[cli]"
    ) from None

__all__ = [
    "FAILED",
    "USAGE",
    "Lang",
    "Of",
    "OfIndex",
    "Shapes",
    "Target",
    "UpdatesOption",
    "Wrt",
    "app",
    "broken",
    "check_updates",
    "facts_in",
    "fail",
    "failing",
    "followed",
    "index_in",
    "is_function",
    "names_in",
    "plain",
    "print_notes",
    "print_whole",
    "read_shapes",
    "speaking",
    "split_outside",
    "with_notes",
    "write_file",
]

FAILED, USAGE = 1, 2

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


Lang = Annotated[str | None, typer.Option(help="en, fr, ja or zh; that of the system if not given.")]


@app.callback()
def _commands() -> None:
    """The gradient of a forward pass written in plain NumPy."""


# ---- what was asked for
def followed(
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
    names, index = names_in(wrt), index_in(of_index)
    check_updates(updates)
    with failing(), redirect_stdout(sys.stderr) if quiet else nullcontext():
        if is_function(target, of):
            sizes, values = read_shapes(shapes or "")
            return trace_function(target, sizes, values, of=int(of or 0), wrt=names, index=index)
        if shapes:
            raise RequestError(message("--shapes is for functions: write FILE::FUNCTION."))
        return trace_script(target, of, names, index=index, updates=updates)  # type: ignore[arg-type]


def is_function(target: str, of: str | None) -> bool:
    """Whether a function's result is meant, and not a variable of a script or of its ``main()``."""
    return "::" in target and (of is None or of.isdecimal())


def names_in(wrt: str | None) -> list[str] | None:
    """The names between the commas."""
    return None if wrt is None else [n for n in (part.strip() for part in split_outside(wrt)) if n]


def index_in(of_index: str | None) -> tuple[int, ...] | None:
    """The element that ``--of-index`` names."""
    try:
        return None if of_index is None else tuple(int(k) for k in of_index.split(","))
    except ValueError:
        fail(str(message("--of-index {index} is no element: write --of-index 0,2.", index=of_index)), USAGE)


def check_updates(updates: str | None) -> None:
    """End the program where ``--updates`` is none of its choices."""
    if updates not in (None, "fixed", "followed"):
        choice = f"--updates {updates}"
        fail(str(message("{choice}: choose one of {choices}.", choice=choice, choices="fixed, followed")), USAGE)


def facts_in(assume: str | None) -> dict[str, tuple[str, ...]]:
    """``Y=one_hot,S=symmetric``: the facts by name."""
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, map(str.strip, split_outside(assume or ""))):
        name, sign, facts = part.rpartition("=")
        if not (sign and name.strip() and facts.strip()):
            raise RequestError(
                message("--assume: {part} gives an array no fact. Instead: --assume Y=one_hot,S=symmetric.", part=part)
            )
        more = tuple(fact.strip() for fact in facts.split("+"))
        found[name.strip()] = (*found.get(name.strip(), ()), *more)
    return found


@contextmanager
def failing() -> Iterator[None]:
    """End the program with a message where what was asked for fails."""
    try:
        yield
    except RequestError as error:
        fail(str(error), USAGE)
    except ScriptError as error:
        fail(str(error), FAILED, verbatim=True)
    except ChainruleError as error:
        fail(with_notes(error), FAILED)


def with_notes(error: BaseException) -> str:
    """What an error says, with what was added to it on the way."""
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


@contextmanager
def speaking(lang: str | None) -> Iterator[None]:
    """Say messages in a language; end the program where there are none in it."""
    try:
        chosen = None if lang is None else language_named(lang)
    except ChainruleError as error:
        fail(str(message("{request}: {error}", request=f"--lang {lang}", error=stated(error))), USAGE)
    with in_language(chosen):
        yield


def split_outside(text: str) -> list[str]:
    """The parts between the commas that stand outside of brackets."""
    return re.split(r",(?![^(\[{]*[)\]}])", text)


def read_shapes(text: str) -> tuple[dict[str, tuple[int, ...]], dict[str, Any]]:
    """``x=5x18,b=5,s=(),k:=3``: the shapes, and the values."""
    shapes: dict[str, tuple[int, ...]] = {}
    values: dict[str, Any] = {}
    for part in filter(None, map(str.strip, split_outside(text))):
        value = re.fullmatch(r"(\w+)\s*:=\s*(.+)", part)
        shape = re.fullmatch(r"(\w+)\s*=\s*(?:\(\)|(\d+(?:x\d+)*))", part)
        if value:
            try:
                values[value[1]] = ast.literal_eval(value[2])
            except (ValueError, SyntaxError):
                raise RequestError(
                    message("--shapes: {value} in {part} is no Python literal.", value=value[2], part=part)
                ) from None
        elif shape:
            shapes[shape[1]] = tuple(map(int, shape[2].split("x"))) if shape[2] else ()
        else:
            raise RequestError(
                message("--shapes: {part} is neither a shape (x=5x18, s=()) nor a value (k:=3).", part=part)
            )
    return shapes, values


def fail(said: str, code: int, verbatim: bool = False) -> NoReturn:
    """Say what is wrong on the standard error, and end the program."""
    console = Console(stderr=True, highlight=False)
    console.print(Text(said if verbatim else broken(said, console.width)), soft_wrap=True)
    raise typer.Exit(code)


# ---- what is printed
def write_file(option: str, name: str, text: str, code: int = USAGE) -> None:
    """Write what ``option`` asked for to a file; ends the program where that fails."""
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        file = f"{option} {name}"
        fail(str(message("{file} cannot be written: {error}.", file=file, error=error.strerror)), code)


def print_notes(notes: Sequence[Message], console: Console) -> None:
    """What else is to be said, each on lines of its own."""
    for note in notes:
        console.print(Text(broken(str(message("Note: {note}.", note=note)), console.width)), soft_wrap=True)


def broken(message: str, width: int) -> str:
    """A message with its long sentences broken; source code and what points into it stay as they are."""
    lines = []
    for line in message.splitlines():
        indent = len(line) - len(line.lstrip())
        code = indent >= 4 or line.lstrip().startswith("File ") or len(line) <= width
        lines += [line] if code else textwrap.wrap(line, width, subsequent_indent=" " * (indent + 2))
    return "\n".join(lines)


def plain(x: Any) -> Any:
    """Lists of numbers; complex ones as pairs; what JSON has no number for as text."""
    if isinstance(x, np.ndarray | np.generic):
        x = x.tolist()
    if isinstance(x, list):
        return [plain(e) for e in x]
    if isinstance(x, complex):
        return [plain(x.real), plain(x.imag)]
    return x if not isinstance(x, float) or np.isfinite(x) else str(x)


def print_whole(table: Table, console: Console) -> None:
    """Print a table; without the blanks at the ends of its lines, where it goes to a file."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))
