"""``chainrule.explain``: how gradients are found, step by step.

The package is the verb, too: ``cr.explain(f, *args)`` is :func:`chainrule.explain.explaining.explain`.  Python binds
the name of a package in the one around it whenever a module of it is imported, so nothing else could be called by this
name there.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.explain.explaining import explain

__all__ = ["explain"]


class _Verb(ModuleType):
    """A package that can be called as its function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return importlib.import_module("chainrule.explain.explaining").explain(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        return importlib.import_module("inspect").signature(self.explain)

    def __getattr__(self, name: str) -> Any:
        if name == "explain":
            return importlib.import_module("chainrule.explain.explaining").explain
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


sys.modules[__name__].__class__ = _Verb
