"""``explain``: how the gradients of a function or a script are found, step by step, in the user's names and numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.explain.deriving import derive, derive_script
from chainrule.explain.element import Story, story_of_call, story_of_followed
from chainrule.explain.explanation import Explanation
from chainrule.history import Updates
from chainrule.language import Message, message
from chainrule.running import failure
from chainrule.script import load_function, parameters_asked_for, trace_script

__all__ = ["explain", "explain_function", "explain_script"]


def explain(
    f: Callable[..., Any],
    *args: Any,
    wrt: int | str | Sequence[int | str] | None = None,
    of: int | str | None = None,
    grad_output: Any = None,
    **kwargs: Any,
) -> Explanation:
    """How the gradients of ``f`` are found, step by step.

    Args:
        f: a function of arrays, numbers and trees of them.
        args: its arguments, with concrete values: they are the numbers of the explanation.
        wrt: what to differentiate: names or positions of arguments, or names that arrays in a tree are unpacked to;
            all floating arrays if not given.
        of: what is differentiated: an index or key of the result of ``f``, or the name of one of its variables; the
            whole result if not given.
        grad_output: where the result is an array, the gradient of the loss with respect to it; a few made-up numbers
            if not given.  It is handed to ``f`` if that has an argument of this name.
        kwargs: keyword arguments of ``f``.

    Returns:
        An :class:`~chainrule.explain.explanation.Explanation`: ``print`` shows it as text, a notebook as a page, and
        ``.save("out.html")`` keeps it.

    Raises:
        ChainruleError: where something cannot be followed or written.
    """

    if grad_output is not None and "grad_output" in _argument_names(f):
        kwargs, grad_output = {**kwargs, "grad_output": grad_output}, None
    derivation = derive(f, args, kwargs, wrt, of, grad_output=grad_output)
    begun = derivation.parts[0].gradient if derivation.parts and np.ndim(derivation.value) else None

    results = [node for node in derivation.nodes if node.kind == "result"]

    def story_of(element: str) -> Story:
        if len(results) > 1:
            raise ChainruleError(
                message(
                    "the result is {count} arrays, and one element is followed to one of them. Instead: say which with "
                    "of=.",
                    count=len(results),
                )
            )
        return story_of_call(f, args, kwargs, element, of, grad_output=begun)

    return Explanation(derivation, story_of=story_of)


def _argument_names(f: Callable[..., Any]) -> Sequence[str]:
    """The names of a function's arguments; none where they cannot be known."""
    try:
        return tuple(inspect.signature(f).parameters)
    except (TypeError, ValueError):
        return ()


def explain_script(
    path: str,
    of: str | None = None,
    wrt: Sequence[str] | None = None,
    *,
    index: Sequence[int] | None = None,
    updates: Updates | None = None,
) -> tuple[Explanation, list[Message]]:
    """How the gradients of a script's result are found; and what the reader should know.

    Args:
        path: the file.
        of: the name of the result.
        wrt: the names to differentiate with respect to.
        index: the element of the result that is meant.
        updates: what arrays that change between evaluations of the result stand for.

    Raises:
        ScriptError: where the script fails; the message is its own traceback.
        RequestError: where a name is not there or has more than one reading.
        ChainruleError: where something cannot be followed or written.
    """

    def story_of(element: str) -> Story:
        return story_of_followed(trace_script(path, of, wrt, index=index, updates=updates), element)

    derivation, notes = derive_script(path, of, wrt, index=index, updates=updates)
    return Explanation(derivation, story_of=story_of), notes


def explain_function(
    path_and_name: str,
    shapes: Mapping[str, tuple[int, ...]],
    values: Mapping[str, Any] | None = None,
    wrt: Sequence[str] | None = None,
    *,
    of: int | str | None = None,
) -> tuple[Explanation, list[Message]]:
    """How the gradients of a function in a file are found; and what the reader should know.

    Args:
        path_and_name: the file and the function: ``"layers.py::dense"``.
        shapes: the shapes of parameters, for random arrays.
        values: the values of parameters.
        wrt: the parameters to differentiate with respect to.
        of: as for :func:`explain`.

    Raises:
        RequestError: where a name is not there.
        ChainruleError: where something cannot be followed or written.
    """
    loaded = load_function(path_and_name, shapes, values)
    asked = parameters_asked_for(loaded, path_and_name.partition("::")[2], wrt)
    if loaded.kwargs:
        # What can only be given by keyword is a setting: the steps are those for its value.
        loaded.function.__kwdefaults__ = {**(loaded.function.__kwdefaults__ or {}), **loaded.kwargs}
    try:
        explanation = explain(loaded.function, *loaded.args, wrt=asked, of=of)
    except ChainruleError:
        raise
    except Exception as error:
        raise failure(error) from None
    return explanation, list(loaded.notes)
