"""Loads a file, and finds what is to be checked in it: by name, by pattern, or as the only thing that fits."""

from __future__ import annotations

import ast
import fnmatch
import inspect
import linecache
import os
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

from chainrule.check.adapters.constructing import has_both
from chainrule.check.adapters.families import members_of
from chainrule.check.adapters.forwards import Facts
from chainrule.check.candidate import CandidateError
from chainrule.language import Message, listed, message
from chainrule.running import failure, parsed

__all__ = ["load", "selected"]

_WORDS = ("backward", "backprop", "grad", "bwd", "vjp", "deriv")


def load(path: str, text: str | None = None, name: str = "") -> ModuleType:
    """A file as a module of its own; its ``if __name__ == "__main__"`` is not taken.

    Args:
        path: the file.
        text: what is run in the place of what stands in the file.
        name: the name under which that text is compiled.

    Raises:
        ScriptError: where the file fails; the message is its own traceback.
    """
    if text is None:
        return _run(path, path, parsed(path))
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    return _run(path, name, ast.parse(text))


def _run(path: str, filename: str, tree: ast.Module) -> ModuleType:
    name = os.path.splitext(os.path.basename(path))[0]
    module = ModuleType(name if name not in sys.modules else f"{name}_to_check")
    module.__file__ = path
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    sys.modules[module.__name__] = module
    try:
        exec(compile(tree, filename, "exec", dont_inherit=True), module.__dict__)
    except Exception as error:
        raise failure(error, tree, module.__dict__) from None
    return module


def selected(module: ModuleType, pattern: str, facts: Facts) -> Any:
    """What is to be checked.

    Args:
        module: the file.
        pattern: a name, ``Class``, ``dense_grad_*`` for one function per gradient, ``forward,backward`` for a pair;
            empty where it is to be found.
        facts: about the forward function.

    Raises:
        CandidateError: where there is no such thing, or it cannot be told what is meant.
    """
    own = {n: x for n, x in vars(module).items() if _is_own(x, module)}
    if not pattern:
        return _fitting(own, module, facts)
    if "," in pattern:
        return tuple(_named(module, own, part.strip()) for part in pattern.split(","))
    if any(c in pattern for c in "*?["):
        found = {n: x for n, x in own.items() if fnmatch.fnmatchcase(n, pattern) and not isinstance(x, type)}
        if not found:
            raise CandidateError(
                message(
                    "no function of {file} fits {pattern}; it defines {own}.",
                    file=module.__file__,
                    pattern=pattern,
                    own=_list(own),
                )
            )
        return found
    return _named(module, own, pattern)


def _named(module: ModuleType, own: dict[str, Any], name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        text = message("{file} defines no {name}; it defines {own}.", file=module.__file__, name=name, own=_list(own))
        raise CandidateError(text)
    return found


def _list(own: dict[str, Any]) -> Message | str:
    return listed(own) or message("nothing that could be called")


def _is_own(x: Any, module: ModuleType) -> bool:
    return (inspect.isfunction(x) or isinstance(x, type)) and getattr(x, "__module__", "") == module.__name__


def _fitting(own: dict[str, Any], module: ModuleType, facts: Facts) -> Any:
    others = {n: x for n, x in own.items() if n != facts.name}
    classes = [x for x in others.values() if isinstance(x, type) and has_both(x)]
    functions = {n: x for n, x in others.items() if not isinstance(x, type)}
    family = members_of(SimpleNamespace(**functions), facts)
    marked = {n: f for n, f in functions.items() if any(w in n.lower() for w in _WORDS)}
    if family is not None and len(family) > 1 and not classes:
        return family
    if len(marked) == 1 and not classes:
        return next(iter(marked.values()))
    if len(classes) == 1 and not marked:
        return classes[0]
    if len(others) == 1:
        return next(iter(others.values()))
    raise CandidateError(
        message(
            "it cannot be told what in {file} is to be checked; it defines {own}.\n"
            "  Instead: name it, as in {example}.",
            file=module.__file__,
            own=_list(own),
            example=f"{module.__file__}::{next(iter(marked or others), 'backward')}",
        )
    )
