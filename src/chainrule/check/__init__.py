"""``chainrule.check``: the verdict on a backward pass that was written by hand.

The package is the verb, too: ``cr.check(candidate, forward, args)`` is :func:`chainrule.check.checking.check`.  Python
binds the name of a package in the one around it whenever a module of it is imported, so nothing else could be called by
this name there.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.check.checking import check

__all__ = ["check"]


class _Verb(ModuleType):
    """A package that can be called as its function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return importlib.import_module("chainrule.check.checking").check(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        return importlib.import_module("inspect").signature(self.check)

    def __getattr__(self, name: str) -> Any:
        if name == "check":
            return importlib.import_module("chainrule.check.checking").check
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


sys.modules[__name__].__class__ = _Verb
