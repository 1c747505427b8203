"""The same candidate with a line of its source replaced, to see whether a line that is proposed really mends it."""

from __future__ import annotations

import ast
import inspect
import itertools
import linecache
import textwrap
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
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
        padded = "\n" * max(start - 2, 0) + head + inner
    linecache.cache[name] = (len(padded), None, padded.splitlines(keepends=True), name)
    module = inspect.getmodule(held)
    world = vars(module) if module is not None else {}
    compiled = compile(padded, name, "exec")
    if isinstance(held, FunctionType):
        return _with_code(held, compiled)
    namespace = dict(world)
    exec(compiled, namespace)
    return namespace[held.__name__]


def _with_code(held: FunctionType, compiled: CodeType) -> FunctionType | None:
    """A function with its code taken from a compiled source, which is not run: its decorators may do anything."""
    found = [code for code in _codes(compiled) if code.co_name == held.__code__.co_name]
    cells = dict(zip(held.__code__.co_freevars, held.__closure__ or (), strict=True))
    if not found or not set(found[0].co_freevars) <= cells.keys():
        return None
    code = found[0]
    closure = tuple(cells[n] for n in code.co_freevars)
    made = FunctionType(code, held.__globals__, held.__name__, held.__defaults__, closure or None)
    made.__kwdefaults__ = held.__kwdefaults__
    made.__annotations__, made.__qualname__, made.__module__ = held.__annotations__, held.__qualname__, held.__module__
    return made


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code objects in another, outermost first."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    yield from inner
    for each in inner:
        yield from _codes(each)
