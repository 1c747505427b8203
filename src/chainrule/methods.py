"""Methods of the user's objects as functions of ``self``: the arrays among its attributes are arguments too.

``layer.forward`` computes with ``self.W`` and ``self.b``, and who asks for its backward pass wants their gradients.
"""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.calls import TracedCall
from chainrule.members import Members
from chainrule.positions import is_foreign
from chainrule.tape import Tape
from chainrule.traced import Traced
from chainrule.trees import flatten

__all__ = ["as_function"]


def as_function(
    f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A bound method of an object that holds arrays as a function of the object; anything else as it is.

    Only attributes that the method reads are taken for arguments, and not what it has stored for later.

    Args:
        f: what is called.
        args: its arguments.
        kwargs: its keyword arguments.
    """
    if not inspect.ismethod(f) or isinstance(f.__self__, type):
        return f, tuple(args)
    everything = _with_members(f.__self__, set())
    if type(everything) is not Members:
        return f, tuple(args)
    read = _read(f.__func__, everything, args, kwargs)
    owner = _with_members(f.__self__, set(), lambda x: read is None or id(x) in read)
    if type(owner) is not Members:
        return f, tuple(args)
    name = next(iter(inspect.signature(f.__func__).parameters), "self")
    numbers = {n: f"{name}.{n}" for n, x in vars(owner.owner).items() if type(x) is float}
    return f.__func__, (Members(owner.owner, owner.held, numbers), *args)


def _read(
    function: Callable[..., Any], owner: Members, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> set[int] | None:
    """The arrays of an object that a method computes with, by identity; ``None`` where that cannot be told."""
    leaves = [x for x in flatten(owner)[0] if isinstance(x, np.ndarray) and x.dtype.kind in "fciub"]
    state = np.random.get_state()
    try:
        with Tape() as tape, contextlib.redirect_stdout(io.StringIO()):
            call = TracedCall(function, (owner, *args), dict(kwargs), (), tape)
    except Exception:
        return None  # what is wrong is said when it is traced to be written
    finally:
        np.random.set_state(state)
    used = {x for step in tape.steps for x in step[1] if type(x) is int}
    used |= {x.variable for x in call.outputs if type(x) is Traced}
    return {id(x) for x, variable in zip(leaves, tape.inputs, strict=False) if variable in used}


def _anything(_: Any) -> bool:
    return True


def _with_members(x: Any, around: set[int], wanted: Callable[[Any], bool] = _anything) -> Any:
    """A value with the objects in it taken for trees of their arrays, where they hold any."""
    if id(x) in around:
        return x  # it holds itself, or its parent
    inside = around | {id(x)}
    if type(x) in (list, tuple):
        return type(x)(_with_members(part, inside, wanted) for part in x)
    if type(x) is dict:
        return {key: _with_members(part, inside, wanted) for key, part in x.items()}
    if not hasattr(x, "__dict__") or isinstance(x, type) or callable(getattr(x, "__array__", None)):
        return x
    code = next((c for n in vars(type(x)).values() if (c := getattr(n, "__code__", None)) is not None), None)
    if code is None or is_foreign[code.co_filename]:
        return x
    held = {name: own for name, part in vars(x).items() if _holds(own := _with_members(part, inside, wanted), wanted)}
    return Members(x, held, {}) if held else x


def _holds(x: Any, wanted: Callable[[Any], bool]) -> bool:
    """Whether there are floating arrays in a value, of those that are wanted."""
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "fc" and wanted(x)
    if type(x) in (list, tuple):
        return any(_holds(part, wanted) for part in x)
    return any(_holds(part, wanted) for part in x.values()) if type(x) is dict else type(x) is Members
