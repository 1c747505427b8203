"""The command line: ``chainrule write script.py --of err``, ``chainrule grad layers.py::dense --shapes x=5x18``."""

from __future__ import annotations

import os

from chainrule.cli.app import app
from chainrule.cli.derivation import explain
from chainrule.cli.numbers import grad, trace
from chainrule.cli.selftest import selftest
from chainrule.cli.source import write
from chainrule.cli.verdict import check
from chainrule.cli.why import why

__all__ = ["app", "check", "explain", "grad", "main", "selftest", "trace", "why", "write"]


def main() -> None:
    """The entry point of the command ``chainrule``."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # a script's plots open no windows, which would wait to be closed
    app()
