"""The same candidate with a line of its source replaced, to see whether a line that is proposed really mends it."""

from __future__ import annotations

import ast
import contextlib
import inspect
import itertools
import linecache
import textwrap
import warnings
import weakref
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

from chainrule.check.adapters.forwards import remember_source, source_lines

__all__ = ["edited", "with_lines"]

_numbers = itertools.count(1)


def edited(source: str, first: int, last: int, text: str) -> str | None:
    """A source with some of its lines replaced by others, which are indented as the first of these was.

    ``None`` where there are no such lines, or the result is no Python.
    """
    lines = _with_others(source.splitlines(keepends=True), first, last, text)
    if lines is None:
        return None
    changed = "".join(lines)
    try:
        ast.parse(changed)
    except (SyntaxError, ValueError):
        return None
    return changed


def _with_others(lines: list[str], first: int, last: int, text: str) -> list[str] | None:
    """Lines with some replaced by others; ``None`` where there are none of these numbers."""
    if not 1 <= first <= last <= len(lines):
        return None
    old = lines[first - 1]
    new = textwrap.indent(textwrap.dedent(text), old[: len(old) - len(old.lstrip())]) + "\n"
    return [*lines[: first - 1], *new.splitlines(keepends=True), *lines[last:]]


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
    """A function or class from its changed source; ``None`` where the lines are neither in it nor in what it calls."""
    held = inspect.unwrap(member)
    parts = _parts_of(held)
    extents = {q: _extent(part) for q, part in parts.items()}
    around = [q for q, (_, start, end) in extents.items() if start <= first <= last <= end]
    if not around:
        return None
    file = extents[around[0]][0]
    whole = linecache.getlines(file)
    changed = _with_others(whole, first, last, text)
    if changed is None:
        return None
    name = f"{file}#{next(_numbers)}"
    by = len(changed) - len(whole)
    world = dict(_world(held))
    made: dict[str, Any] = {}
    for q, part in parts.items():
        _, start, end = extents[q]
        moved = by if start > first else 0
        rows = changed[start + moved - 1 : end + (by if end >= last else 0)]
        if isinstance(part, FunctionType) and q not in around:
            made[q] = _with_code(part, _moved(part.__code__, name, moved), world)
        elif isinstance(part, FunctionType):
            code = _compiled(rows, start + moved, part.__code__, name)
            made[q] = None if code is None else _with_code(part, code, world)
        if q in around and made.get(q, part) is None:
            return None
        if isinstance(made.get(q), FunctionType):
            remember_source(made[q], rows, start + moved)
    world.update((q, x) for q, x in made.items() if x is not None and world.get(q) is parts[q])
    linecache.cache[name] = (len(changed), None, changed, name)
    for q in sorted((q for q, part in parts.items() if isinstance(part, type)), key=lambda q: extents[q][1]):
        _, start, end = extents[q]
        moved = by if start > first else 0
        rows = changed[start + moved - 1 : end + (by if end >= last else 0)]
        namespace = world if world.get(q) is parts[q] else dict(world)
        source = "\n" * (start + moved - 1) + textwrap.dedent("".join(rows))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(compile(source, name, "exec"), namespace)
        except SyntaxError:
            del linecache.cache[name]
            return None
        made[q] = namespace[parts[q].__name__]
        remember_source(made[q], rows, start + moved)
    found = made.get(held.__qualname__)
    if found is None:
        del linecache.cache[name]
        return None
    with contextlib.suppress(TypeError):  # what a decorator makes of a class may be anything
        weakref.finalize(found, linecache.cache.pop, name, None).atexit = False  # many lines are tried
    return found


def _parts_of(held: Any) -> dict[str, Any]:
    """A function or class, and what it calls of the same file, by qualified names."""
    found: dict[str, Any] = {}
    pending = [held]
    file = _extent(held)[0]
    while pending:
        part = pending.pop()
        if part.__qualname__ in found or not file or _extent(part)[0] != file:
            continue
        found[part.__qualname__] = part
        world = _world(part)
        names = {n for code in _own_codes(part) for inner in (code, *_codes(code)) for n in inner.co_names}
        names |= {base.__name__ for base in part.__bases__} if isinstance(part, type) else set()
        reached = [inspect.unwrap(world[n]) for n in sorted(names) if callable(world.get(n))]
        pending += [x for x in reached if isinstance(x, FunctionType | type) and _world(x) is world]
    return found


def _world(part: Any) -> dict[str, Any]:
    """The module-level names that a function or class sees."""
    if isinstance(part, FunctionType):
        return part.__globals__
    module = inspect.getmodule(part)
    own = {} if module is None else vars(module)
    worlds = [m.__globals__ for m in _own_functions(part) if "#" in m.__code__.co_filename]
    return worlds[0] if worlds else own  # that of one that was made anew is not its module's


def _own_functions(part: Any) -> list[FunctionType]:
    members = vars(part).values() if isinstance(part, type) else [part]
    inner = [getattr(m, "__func__", getattr(m, "fget", m)) for m in members]
    return [m for m in inner if isinstance(m, FunctionType)]


def _own_codes(part: Any) -> list[CodeType]:
    return [m.__code__ for m in _own_functions(part)]


@lru_cache(maxsize=64)
def _extent(part: Any) -> tuple[str, int, int]:
    """The file of a function or class, and the lines of it that it takes; an empty name where that is not known."""
    try:
        file = inspect.getsourcefile(part) or ""
        if isinstance(part, type):  # one that was made anew is of the file that its methods are of
            own = {code.co_filename for code in _own_codes(part)}
            file = next((name for name in own if name.startswith(f"{file}#")), file)
        lines, start = source_lines(part)
    except (OSError, TypeError):
        return "", 0, -1
    start = max(start, 1)
    return file, start, start + len(lines) - 1


def _compiled(rows: list[str], start: int, old: CodeType, name: str) -> CodeType | None:
    """The code of a function from its lines, which keep their numbers; ``None`` where they are no Python."""
    own = textwrap.dedent("".join(rows))
    source = "\n" * (start - 1) + own
    if old.co_freevars:  # variables of the function around it
        head = f"def _around({', '.join(old.co_freevars)}):\n"
        source = "\n" * max(start - 2, 0) + head + textwrap.indent(own, "    ")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is tried may be odd
            found = [code for code in _codes(compile(source, name, "exec")) if code.co_name == old.co_name]
    except SyntaxError:
        return None
    return found[0] if found else None


def _moved(code: CodeType, name: str, by: int) -> CodeType:
    """A code as if it stood so many lines further down in a file of another name."""
    constants = tuple(_moved(x, name, by) if isinstance(x, CodeType) else x for x in code.co_consts)
    return code.replace(co_filename=name, co_firstlineno=code.co_firstlineno + by, co_consts=constants)


def _with_code(held: FunctionType, code: CodeType, world: dict[str, Any]) -> FunctionType | None:
    """A function with other code, in another world of names."""
    cells = dict(zip(held.__code__.co_freevars, held.__closure__ or (), strict=True))
    if not set(code.co_freevars) <= cells.keys():
        return None
    closure = tuple(cells[n] for n in code.co_freevars)
    made = FunctionType(code, world, held.__name__, held.__defaults__, closure or None)
    made.__kwdefaults__ = held.__kwdefaults__
    made.__annotations__, made.__qualname__, made.__module__ = held.__annotations__, held.__qualname__, held.__module__
    return made


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code objects in another, outermost first."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    yield from inner
    for each in inner:
        yield from _codes(each)
