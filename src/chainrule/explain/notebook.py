"""``%%explain err``: the derivation of what a notebook's cell computes.  ``%load_ext chainrule`` makes it known."""

from __future__ import annotations

import argparse
import ast
import linecache
import shlex
import textwrap
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, NoReturn, Protocol

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.explain.explaining import explain
from chainrule.explain.explanation import Explanation
from chainrule.language import Message, listed, message

__all__ = ["Shell", "explained_cell", "load_ipython_extension"]

_cells = count(1)


class Shell(Protocol):
    """What is needed of IPython's shell."""

    user_ns: dict[str, Any]

    def run_cell(self, raw_cell: str) -> Any:
        """Run a cell as if it had been entered."""

    def register_magic_function(self, func: Callable[..., Any], magic_kind: str, magic_name: str) -> None:
        """Make a command of notebooks known."""


def load_ipython_extension(ipython: Shell) -> None:
    """Make ``%%explain`` known; IPython calls it for ``%load_ext chainrule``."""

    def run(line: str, cell: str) -> Explanation | None:
        before = dict(ipython.user_ns)
        done = ipython.run_cell(cell)
        if not getattr(done, "success", True):
            return None  # the cell's own error has been shown
        try:
            return explained_cell(line, cell, before)
        except ChainruleError as error:
            said = "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
            # What IPython shows in place of a traceback, whose lines are all of this package.
            error._render_traceback_ = said.splitlines  # type: ignore[attr-defined]
            raise

    ipython.register_magic_function(run, "cell", "explain")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ChainruleError(_misread(message))


def _misread(error: str) -> Message:
    return message("%%explain: {error}. Instead: %%explain err --wrt W1,W2 --brief", error=error)


def explained_cell(line: str, cell: str, variables: Mapping[str, Any]) -> Explanation:
    """The explanation of a cell's result.

    Args:
        line: what follows ``%%explain``: the name of the result, ``--wrt``, ``--brief`` or ``--full``, ``--lang``.
        cell: the statements below it.
        variables: the notebook's variables before the cell has run.

    Raises:
        ChainruleError: where something is asked for that is not there, or cannot be followed.
    """
    parser = _Parser(prog="%%explain", add_help=False)
    parser.add_argument("of", nargs="?")
    parser.add_argument("--wrt")
    parser.add_argument("--lang")
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--full", action="store_true")
    asked = parser.parse_args(shlex.split(line))
    tree = ast.parse(cell)
    stored, read = _names(tree)
    result = asked.of or _last_name(tree)
    if result not in stored:
        raise ChainruleError(
            message(
                "{request}: the cell computes no such variable; it computes: {names}.",
                request=f"%%explain {result or ''}".rstrip(),
                names=listed(stored) or "-",
            )
        )
    given = {name: variables[name] for name in read if name in variables and _is_data(variables[name])}
    wanted = [name.strip() for name in asked.wrt.split(",")] if asked.wrt else list(given)
    for name in wanted:
        if name not in given:
            raise ChainruleError(
                message(
                    "{request}: the cell reads no such array of the notebook; it reads: {names}.",
                    request=f"--wrt {name}",
                    names=listed(given) or "-",
                )
            )
    function = _function(cell, result, given, variables)
    explanation = explain(function, *given.values(), wrt=wanted)
    if asked.lang:
        explanation = explanation.in_language(asked.lang)
    return explanation.full() if asked.full else explanation.brief() if asked.brief else explanation


def _names(tree: ast.Module) -> tuple[list[str], list[str]]:
    """The variables that a cell computes, and those that it reads before it has computed them."""
    stored: dict[str, None] = {}
    read: dict[str, None] = {}
    for statement in tree.body:
        inside = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        inside.sort(key=lambda node: (node.lineno, node.col_offset))
        changed = {
            n.target.id for n in ast.walk(statement) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)
        }
        for node in inside:
            if (isinstance(node.ctx, ast.Load) or node.id in changed) and node.id not in stored:
                read[node.id] = None
        stored.update((node.id, None) for node in inside if isinstance(node.ctx, ast.Store))
    return list(stored), list(read)


def _is_data(x: Any) -> bool:
    """Whether a variable is a real number, an array of them, or a list or dictionary of such."""
    if isinstance(x, list | tuple | dict):
        held = x.values() if isinstance(x, dict) else x
        return bool(x) and all(map(_is_data, held))
    return isinstance(x, float | np.floating) or (isinstance(x, np.ndarray) and x.dtype.kind == "f")


def _last_name(tree: ast.Module) -> str | None:
    """The variable that the last statement computes or shows."""
    last = tree.body[-1] if tree.body else None
    target = last.targets[-1] if isinstance(last, ast.Assign) else getattr(last, "target", getattr(last, "value", None))
    return target.id if isinstance(target, ast.Name) else None


def _function(cell: str, result: str, given: Mapping[str, Any], variables: Mapping[str, Any]) -> Callable[..., Any]:
    """The cell as a function of the arrays that it reads; its first line stands where ``%%explain`` does."""
    body = textwrap.indent(cell.rstrip("\n"), "    ")
    source = f"def cell({', '.join(given)}):\n{body}\n    return {result}\n"
    filename = f"<chainrule cell {next(_cells)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace = dict(variables)
    exec(compile(source, filename, "exec"), namespace)
    function: Callable[..., Any] = namespace["cell"]
    return function
