"""``chainrule check``: the verdict on a backward pass that someone wrote by hand."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from chainrule.calls import argument_names
from chainrule.check.candidate import Candidate
from chainrule.check.checking import judge
from chainrule.check.isolation.opening import opened, opened_script
from chainrule.check.isolation.remote import Limits
from chainrule.check.levels import level_named
from chainrule.check.report import Feedback, Report
from chainrule.cli.shared import (
    Lang,
    OfIndex,
    Shapes,
    Wrt,
    app,
    fail,
    index_in,
    names_in,
    read_shapes,
    split_outside,
    with_notes,
    write_file,
)
from chainrule.errors import ChainruleError
from chainrule.history import RequestError
from chainrule.language import in_language, message, stated
from chainrule.script import ScriptError, load_function

__all__ = ["NOT_JUDGED", "check"]

RIGHT, WRONG, NOT_JUDGED = 0, 1, 2
_PATIENCE = 1.0  # seconds after which it is shown that something is going on


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for, besides the files."""

    wrt: list[str] | None
    feedback: Feedback
    convention: str | None
    points: dict[str, float]
    seed: int
    limits: Limits
    graded: bool
    isolated: bool

    def judged(self, candidate: Candidate, forward: Callable[..., Any], args: Mapping[str, Any]) -> Report:
        """The report on a candidate."""
        return judge(candidate, forward, args, None, self.feedback, self.seed, self.convention, self.points)


@app.command()
def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE[::NAME]",
            help="A script; or a function, a class, dense_grad_* or forward,backward in a file.",
        ),
    ],
    of: Annotated[str | None, typer.Option(help="The result of a script: the name of its loss.")] = None,
    forward: Annotated[
        str | None, typer.Option(metavar="FILE::FUNCTION", help="The forward function that it is compared with.")
    ] = None,
    wrt: Wrt = None,
    shapes: Shapes = None,
    of_index: OfIndex = None,
    names: Annotated[
        str | None, typer.Option(help="What the candidate's own names stand for: a=x,up=grad_output.")
    ] = None,
    feedback: Annotated[str, typer.Option(help="How much is said: verdict, hint, fault or fix.")] = "fix",
    convention: Annotated[
        str | None, typer.Option(help='A convention that is no fault: "layer mean" for averages over the batch.')
    ] = None,
    points: Annotated[str | None, typer.Option(help="What each gradient is worth: W=2,b=1; 1 if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    gradescope: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the results for Gradescope: results.json.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the data that is drawn.")] = 0,
    time_limit: Annotated[float, typer.Option(min=0.1, help="Seconds for one run of the candidate.")] = 10.0,
    memory_limit: Annotated[int, typer.Option(min=64, help="MiB for the candidate.")] = 2048,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run your own file here, in no process of its own and without limits.")
    ] = False,
    lang: Lang = None,
) -> None:
    """Check a backward pass written by hand, and say what is wrong with it.

    The candidate runs in a process of its own, with limits. The exit status is 0 if it is right, 1 if it is wrong, and
    2 if it could not be judged.

    Example: chainrule check mlp.py --of err

    Example: chainrule check homework.py::dense_grad_input --forward layers.py::dense --shapes x=5x3,W=3x4,b=4
    """
    with ExitStack() as settings:
        try:
            settings.enter_context(in_language(lang))
            asked = _Asked(
                names_in(wrt), level_named(feedback), convention, _points(points), seed,
                Limits(time_limit, memory_limit << 20), bool(gradescope), os.name == "posix" and not trust,
            )  # fmt: skip
            if (of is None) == (forward is None):
                raise RequestError(
                    message(
                        "say what it is compared with: --of NAME for the result of a script, or --forward "
                        "FILE::FUNCTION for a function or class."
                    )
                )
        except ChainruleError as error:
            fail(str(error), NOT_JUDGED)
        try:
            with _progress(target):
                if of is not None:
                    report = _of_script(target, of, index_in(of_index), asked)
                else:
                    report = _of_function(target, str(forward), shapes, _pairs(names), asked)
        except ChainruleError as error:
            if not as_json and not gradescope:
                fail(with_notes(error), NOT_JUDGED, verbatim=isinstance(error, ScriptError))
            noted = getattr(error, "__notes__", ())
            note = message("{error}", error=with_notes(error) if noted else stated(error))
            report = Report(target, forward or str(of), False, judged=False, notes=(note,), feedback=asked.feedback)
        if gradescope:
            write_file("--gradescope", gradescope, report.to_gradescope() + "\n", NOT_JUDGED)
        if as_json:
            print(report.to_json())
        else:
            Console(highlight=False).print(report)
    raise typer.Exit(NOT_JUDGED if not report.judged else RIGHT if report.ok else WRONG)


def _of_script(path: str, of: str, index: tuple[int, ...] | None, asked: _Asked) -> Report:
    """The verdict on the gradients that a script computes."""
    with redirect_stdout(sys.stderr):
        candidate = opened_script(path, of, asked.wrt, index=index, limits=asked.limits, isolated=asked.isolated)
    return asked.judged(candidate, candidate.forward, candidate.args)


def _of_function(target: str, forward: str, shapes: str | None, names: dict[str, str], asked: _Asked) -> Report:
    """The verdict on a function or class of a file."""
    path, _, pattern = target.partition("::")
    source, _, function = forward.partition("::")
    if not function:
        raise RequestError(message("--forward {file}: name the function, as in {file}::dense.", file=forward))
    if not Path(path).is_file():
        raise RequestError(message("{file} cannot be read: there is no such file.", file=path))
    same = os.path.realpath(path) == os.path.realpath(source)
    if same and asked.graded:
        raise RequestError(
            message(
                "the forward function is in the candidate's own file, {file}, which would have to be run in the "
                "grader.\n"
                "  Instead: keep the forward function in a file of your own.",
                file=path,
            )
        )
    sizes, values = read_shapes(shapes or "")
    with redirect_stdout(sys.stderr):
        loaded = load_function(forward, sizes, values)
    parameters = argument_names(loaded.function, loaded.args, {})
    args = {**dict(zip(parameters, loaded.args, strict=True)), **loaded.kwargs}
    settings: dict[str, Any] = {"names": names, "limits": asked.limits, "isolated": asked.isolated}
    with opened(path, pattern, loaded.function, args, asked.wrt, **settings) as candidate:
        report = asked.judged(candidate, loaded.function, args)
    notes = [message("{note}.", note=n) for n in loaded.notes]
    if same:
        notes.append(
            message(
                "{file} holds the forward function too, so it was run by the checker itself: keep that in a file of "
                "its own to judge what somebody else wrote.",
                file=path,
            )
        )
    return replace(report, notes=(*report.notes, *notes))


def _pairs(text: str | None) -> dict[str, str]:
    """``a=x,up=grad_output`` as a dict."""
    found = {}
    for part in filter(None, map(str.strip, split_outside(text or ""))):
        name, equals, meaning = (p.strip() for p in part.partition("="))
        if not equals or not name or not meaning:
            raise RequestError(message("{part}: write name=meaning.", part=part))
        found[name] = meaning
    return found


def _points(text: str | None) -> dict[str, float]:
    """``W=2,b=1`` as numbers."""
    try:
        return {name: float(value) for name, value in _pairs(text).items()}
    except ValueError:
        raise RequestError(message("--points {text}: write numbers, as in W=2,b=1.", text=text)) from None


@contextmanager
def _progress(target: str) -> Iterator[None]:
    """Show that something is going on, where it takes more than a second and somebody can see it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    columns = (TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    bar.add_task(str(message("checking {name}", name=os.path.basename(target))), total=None)
    timer = threading.Timer(_PATIENCE, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        bar.stop()
