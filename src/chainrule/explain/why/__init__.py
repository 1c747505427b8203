"""``why``: why a gradient is zero, NaN, infinite, tiny or huge, with the paths that feed it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.errors import TreeError
from chainrule.explain.why.answer import Answer
from chainrule.explain.why.answering import answer
from chainrule.explain.why.request import result_asked
from chainrule.explain.why.scene import scene_of, scene_of_followed
from chainrule.language import message
from chainrule.stretch import Followed

__all__ = ["Answer", "why", "why_followed"]


def why(f: Callable[..., Any], *args: Any, of: str, result: int | str | None = None, **kwargs: Any) -> Answer:
    """Why a gradient is what it is.

    Args:
        f: a function of arrays, numbers and trees of them.
        args: its arguments.
        of: what is asked about: an element of a gradient (``"dW3[2,1]"``, or ``"W3[2,1]"``), a whole one (``"dW3"``),
            or that of a variable of the function (``"dZ3[0,1]"``; ``"dh#3"`` where a loop gives a name several values).
        result: what is differentiated: an index or key of the result of ``f``, or the name of one of its variables,
            with an index where it is an array (``"Y[0,2]"``).  If not given: the result of ``f``, the first of several.
        kwargs: its keyword arguments.

    Returns:
        An :class:`Answer`: ``print`` shows it, ``.to_json()`` and ``.html()`` give it in other forms.

    Raises:
        ChainruleError: where something cannot be followed, or there is no such array or element.
    """
    if not isinstance(of, str):
        raise TreeError(
            message('{argument}: say what is asked about as a text, such as of="dW3[2,1]".', argument=f"of={of!r}")
        )
    return Answer(answer(scene_of(f, args, kwargs, *result_asked(result)), of))


def why_followed(followed: Followed, of: str) -> Answer:
    """The same for a script's result, or a function's of a file, that has been followed."""
    return Answer(answer(scene_of_followed(followed), of))
