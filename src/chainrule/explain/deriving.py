"""``derive``: the derivation of a function's gradients, statement by statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.explain.derivation import Derivation
from chainrule.explain.parts import Deriving
from chainrule.history import Updates
from chainrule.language import Message
from chainrule.script_scene import script_followed
from chainrule.source import Draft

__all__ = ["Deriving", "derive", "derive_script", "deriving"]


def derive(
    f: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    wrt: int | str | Sequence[int | str] | None = None,
    of: int | str | None = None,
    *,
    prefix: str = "d",
    grad_output: Any = None,
) -> Derivation:
    """The derivation of the gradients of a function.

    Args:
        f: a function of arrays, numbers and trees of them.
        args: its arguments, with concrete values: the numbers of the derivation.
        kwargs: its keyword arguments.
        wrt: what to differentiate, as for :func:`chainrule.write`.
        of: which output, as for :func:`chainrule.write`.
        prefix: what stands in front of a name in the name of its gradient.
        grad_output: for a result that is an array, the gradient of the loss with respect to it; numbers that are made
            up if not given.

    Raises:
        ChainruleError: where something cannot be followed or written.
    """
    return deriving(f, args, kwargs, wrt, of, prefix=prefix, grad_output=grad_output).derivation()


def deriving(
    f: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    wrt: int | str | Sequence[int | str] | None = None,
    of: int | str | None = None,
    *,
    prefix: str = "d",
    grad_output: Any = None,
    shorten: bool = True,
) -> Deriving:
    """What :func:`derive` works with, for those who need more of it than the record.

    With ``shorten=False`` the lines of code are those of the rules, as they are before they are simplified.
    """
    draft = Draft(f, args, kwargs or {}, wrt=wrt, of=of, shorten=shorten)
    lines = draft.lines(prefix)
    return Deriving(draft.material, draft.record, draft.backward, draft.chosen, prefix, grad_output, lines=lines)


def derive_script(
    path: str,
    of: str | None = None,
    wrt: Sequence[str] | None = None,
    *,
    index: Sequence[int] | None = None,
    updates: Updates | None = None,
    prefix: str = "d",
) -> tuple[Derivation, list[Message]]:
    """The derivation of the gradients of a script's result; and what the reader should know.

    Args:
        path: the file.
        of: the name of the result.
        wrt: the names to differentiate with respect to.
        index: the element of the result that is meant.
        updates: what arrays that change between evaluations of the result stand for.
        prefix: what stands in front of a name in the name of its gradient.

    Raises:
        ScriptError: where the script fails; the message is its own traceback.
        RequestError: where a name is not there or has more than one reading.
        ChainruleError: where something cannot be followed or written.
    """
    found = script_followed(path, of, wrt, index=index, updates=updates)
    made = Deriving(
        found.material,
        found.record,
        found.backward,
        found.backward.wrt,
        prefix,
        title=Path(path).name,
        spelled=found.spelled,
        placed=found.placed,
    )
    return made.derivation(), found.notes
