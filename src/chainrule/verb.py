"""Packages that are verbs, too: ``chainrule.explain`` and ``chainrule.check`` can be called.

Python binds the name of a package in the one around it whenever a module of it is imported, so no function could be
called by this name there.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any

__all__ = ["Verb", "becomes_verb"]


class Verb(ModuleType):
    """A package that can be called as the function of its name, which is loaded when it is needed."""

    _home = ""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function()(*args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._function())

    def __getattr__(self, name: str) -> Any:
        if name == self.__name__.rpartition(".")[2]:
            return self._function()
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def _function(self) -> Any:
        return getattr(importlib.import_module(self._home), self.__name__.rpartition(".")[2])


def becomes_verb(package: str, home: str) -> None:
    """Make a package callable as its function of the same name.

    Args:
        package: its full name.
        home: the full name of the module that the function is in.
    """
    sys.modules[package].__class__ = type("Verb", (Verb,), {"_home": home})
