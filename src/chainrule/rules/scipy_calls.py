"""How rules call the functions of SciPy, which do not ask stand-ins for their answer as those of NumPy do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.ops import structural
from chainrule.protocol import apply
from chainrule.traced import Traced

__all__ = ["call", "give_rules"]


def call(function: Callable[..., Any], *args: Any, **params: Any) -> Any:
    """``function(*args, **params)``, followed where an argument is a stand-in."""
    if any(type(x) is Traced for x in args):
        return apply(function, *args, **params)
    return function(*args, **params)


def give_rules(function: Callable[..., Any], **rules: Any) -> None:
    """Register the rules of a function of ``scipy.linalg``.

    The rules name ``check_finite`` and ``driver`` arguments, which change nothing for them, and not the
    ``overwrite_…`` arguments: these permit SciPy to destroy what the backward pass needs.
    """
    structural(function, name=f"scipy.linalg.{function.__name__}", **rules)
