"""The same candidate with a line of its source replaced, to see whether a line that is proposed really mends it."""

from __future__ import annotations

import ast
import inspect
import itertools
import linecache
import textwrap
from collections.abc import Mapping
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

__all__ = ["edited", "with_lines"]

_numbers = itertools.count(1)


def edited(source: str, first: int, last: int, text: str) -> str | None:
    """A source with some of its lines replaced by others, which are indented as the first of these was.

    ``None`` where there are no such lines, or the result is no Python.
    """
    lines = source.splitlines(keepends=True)
    if not 1 <= first <= last <= len(lines):
        return None
    old = lines[first - 1]
    new = textwrap.indent(textwrap.dedent(text), old[: len(old) - len(old.lstrip())]) + "\n"
    changed = "".join([*lines[: first - 1], new, *lines[last:]])
    try:
        ast.parse(changed)
    except (SyntaxError, ValueError):
        return None
    return changed


def with_lines(candidate: Any, first: int, last: int, text: str) -> Any:
    """What was handed over as a candidate, made anew from its source with these lines of its file replaced.

    Args:
        candidate: a function, a class, or a list, tuple, dict, namespace or module of functions.
        first: the first line that is replaced.
        last: the last one.
        text: what stands there instead.

    Returns:
        ``None`` where it cannot be made anew: no source is known, or it is something else.
    """
    if isinstance(candidate, FunctionType | type):
        return _remade(candidate, first, last, text)
    if isinstance(candidate, Mapping):
        members: Mapping[Any, Any] = candidate
    elif isinstance(candidate, list | tuple):
        members = dict(enumerate(candidate))
    elif isinstance(candidate, ModuleType | SimpleNamespace):
        members = {n: x for n, x in vars(candidate).items() if isinstance(x, FunctionType)}
    else:
        return None
    changed = {}
    for key, member in members.items():
        found = _remade(member, first, last, text) if isinstance(member, FunctionType | type) else None
        if found is not None:
            changed[key] = found
    if not changed:
        return None
    whole = {**members, **changed}
    return list(whole.values()) if isinstance(candidate, list | tuple) else whole


def _remade(member: Any, first: int, last: int, text: str) -> Any:
    """A function or class from its changed source; ``None`` where the lines are not in it."""
    held = inspect.unwrap(member)
    try:
        file = inspect.getsourcefile(held) or ""
        lines, start = inspect.getsourcelines(held)
    except (OSError, TypeError):
        return None
    start = max(start, 1)
    if not start <= first <= last < start + len(lines):
        return None
    own = textwrap.dedent("".join(lines))
    changed = edited(own, first - start + 1, last - start + 1, text)
    if changed is None:
        return None
    name = f"{file}#{next(_numbers)}"
    padded = "\n" * (start - 1) + changed  # so that the lines keep their numbers
    code = getattr(held, "__code__", None)
    free = () if code is None else code.co_freevars
    if free:
        inner = textwrap.indent(changed, "    ")
        head = f"def _around({', '.join(free)}):\n"
        padded = "\n" * max(start - 2, 0) + head + inner + f"\n    return {held.__name__}\n"
    linecache.cache[name] = (len(padded), None, padded.splitlines(keepends=True), name)
    module = inspect.getmodule(held)
    world = held.__globals__ if isinstance(held, FunctionType) else vars(module) if module is not None else {}
    namespace = dict(world)
    exec(compile(padded, name, "exec"), namespace)
    if not free:
        return namespace[held.__name__]
    cells = [c.cell_contents for c in held.__closure__ or ()]
    return namespace["_around"](*cells)
