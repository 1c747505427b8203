"""``write`` for a script: what is pasted below its lines runs there, with the names that the script has by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chainrule.calls import argument_names
from chainrule.emit.numpy_source import forward_source
from chainrule.errors import ChainruleError
from chainrule.facts import made_with, named_facts
from chainrule.history import RequestError, Updates
from chainrule.language import Message, message
from chainrule.running import failure
from chainrule.script import load_function, parameters_asked_for
from chainrule.script_scene import script_followed
from chainrule.source import write
from chainrule.styles import Style, What, check_options, styled
from chainrule.written import Source

__all__ = ["write_function", "write_script"]


def write_script(
    path: str,
    of: str | None = None,
    wrt: Sequence[str] | None = None,
    *,
    style: Style = "lines",
    prefix: str = "d",
    what: What = "backward",
    index: Sequence[int] | None = None,
    updates: Updates | None = None,
    assume: Mapping[str, str | Sequence[str]] | None = None,
) -> tuple[Source, list[Message]]:
    """Run a script and write the backward pass of its result; and what the reader should know.

    Args:
        path: the file.
        of: the name of the result.
        wrt: the names to differentiate with respect to, as for :func:`~chainrule.script.trace_script`.
        style: as for :func:`chainrule.write`.  ``"lines"`` are for pasting below the script's own lines.
        prefix: as for :func:`chainrule.write`.
        what: as for :func:`chainrule.write`.
        index: the element of the result that is meant.
        updates: what arrays that change between evaluations of the result stand for.
        assume: as for :func:`chainrule.write`, by the names of the script's arrays.

    Raises:
        ScriptError: where the script fails; the message is its own traceback.
        RequestError: where a name is not there or has more than one reading.
        ChainruleError: where something cannot be followed or written.
    """
    check_options(style if what in ("backward", "forward") else "function", prefix, what)
    if what in ("jvp", "hvp"):
        raise RequestError(
            message(
                "{request} is for functions: a script has no arguments that tangents could belong to.\n"
                "  Instead: put the lines into a function, and ask for FILE::FUNCTION.",
                request=f"--what {what}",
            )
        )
    lines = style == "lines" and what == "backward"
    facts = named_facts(assume)
    scripted = script_followed(path, of, wrt, index=index, updates=updates, promote=not lines, assume=facts)
    backward, material, notes = scripted.backward, scripted.material, scripted.notes
    if what == "forward":
        forward = replace(
            backward.program,
            steps=backward.program.steps[: backward.forward_steps],
            outputs=backward.program.outputs[:1],
        )
        return Source(*forward_source(replace(material, program=forward))), notes
    source = styled(material, backward, backward.wrt, style, prefix)
    if not lines:
        return source, notes
    return Source(scripted.placed(str(source)), ""), notes


def write_function(
    path_and_name: str,
    shapes: Mapping[str, tuple[int, ...]],
    values: Mapping[str, Any] | None = None,
    wrt: Sequence[str] | None = None,
    *,
    of: int | str | None = None,
    style: Style = "function",
    prefix: str = "d",
    what: What = "backward",
    assume: Mapping[str, str | Sequence[str]] | None = None,
) -> tuple[Source, list[Message]]:
    """Write the backward pass of a function in a file; and what the reader should know.

    Args:
        path_and_name: as for :func:`~chainrule.script.load_function`.
        shapes: the shapes of parameters, for random arrays.
        values: the values of parameters.
        wrt: the parameters to differentiate with respect to.
        of: as for :func:`chainrule.write`.
        style: as for :func:`chainrule.write`.
        prefix: as for :func:`chainrule.write`.
        what: as for :func:`chainrule.write`.
        assume: as for :func:`chainrule.write`; the random arrays have these facts.
    """
    facts = named_facts(assume)
    loaded = load_function(path_and_name, shapes, values)
    name = path_and_name.partition("::")[2]
    asked = parameters_asked_for(loaded, name, wrt)
    if loaded.kwargs:
        # What can only be given by keyword is a setting: the code is written for its value.
        loaded.function.__kwdefaults__ = {**(loaded.function.__kwdefaults__ or {}), **loaded.kwargs}
    names = argument_names(loaded.function, loaded.args, {})
    args = [made_with(facts.get(n, ()), x) if n in shapes else x for n, x in zip(names, loaded.args, strict=True)]
    options: Any = {"wrt": asked, "of": of, "style": style, "prefix": prefix, "what": what, "assume": facts}
    try:
        source = write(loaded.function, *args, **options)
    except ChainruleError:
        raise
    except Exception as error:
        raise failure(error) from None
    settings = [f"{n}={x!r}" for n, x in loaded.kwargs.items()]
    return source, [
        *loaded.notes,
        *([message("written for {settings}", settings=", ".join(settings))] if settings else []),
    ]
