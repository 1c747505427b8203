"""The command line: ``chainrule write script.py --of err``, ``chainrule grad layers.py::dense --shapes x=5x18``.

Each command is a module of its own, and only the one that was asked for is imported: ``grad`` starts without
loading what ``check`` and ``explain`` need.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Any

from chainrule.cli import shared

__all__ = ["app", "main"]

# In the order of the help text.
_COMMANDS = {
    "write": "source",
    "grad": "numbers",
    "trace": "numbers",
    "explain": "derivation",
    "why": "why",
    "check": "verdict",
    "selftest": "selftest",
}


def main() -> None:
    """The entry point of the command ``chainrule``."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # a script's plots open no windows, which would wait to be closed
    gc.set_threshold(50_000, 20, 20)  # what is made is kept to the end, mostly
    _load(_COMMANDS.get(sys.argv[1]) if len(sys.argv) > 1 else None)
    shared.app()


def _load(module: str | None) -> None:
    """Import the module of one command, or those of all."""
    for name in dict.fromkeys(_COMMANDS.values()) if module is None else [module]:
        importlib.import_module(f"chainrule.cli.{name}")


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _load(None)
    return shared.app
