"""Executes a file as Python would, with its calls routed, and notes what its names are bound to."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import os
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.differentiate import is_differentiable
from chainrule.errors import ChainruleError, ShapeError
from chainrule.failures import met
from chainrule.follow import HOOKS
from chainrule.history import History, RequestError
from chainrule.language import Message, message
from chainrule.positions import adopt, user_frame
from chainrule.rewrite import routed_module
from chainrule.sizes import named_number
from chainrule.tape import sync
from chainrule.traced import Traced

__all__ = ["Names", "ScriptError", "as_main", "failure", "is_asked_for", "parsed", "run_script"]

_OURS = (os.path.dirname(__file__) + os.sep, inspect.__file__)
# Packages that scripts import, by the name that they are installed under.
_PACKAGES = {name: name for name in "matplotlib scipy pandas seaborn tqdm autograd jax torch sympy h5py".split()}
_PACKAGES |= {"sklearn": "scikit-learn", "cv2": "opencv-python", "PIL": "pillow", "skimage": "scikit-image"}
_FEW = 64  # longer lists are searched for arrays once, at the end
_SCAN = "__chainrule_scan__"
_MOST_STEPS = 300_000
_MOST_BYTES = 4 << 30


class ScriptError(ChainruleError):
    """The script itself failed; the message is its traceback, with a hint where the cause is plain."""


# ---- what names hold
def _arrays_in(name: str, value: Any, limit: int, depth: int = 3) -> Iterator[tuple[str, Any]]:
    """The stand-ins that a name reaches, through lists, dictionaries and objects of the script's own classes."""
    kind = type(value)
    if kind is Traced:
        yield name, value
        return
    parts: list[tuple[str, Any]] = []
    if kind is list or kind is tuple:
        parts = [(f"{name}[{k}]", x) for k, x in enumerate(value)] if len(value) <= limit else []
    elif kind is dict:
        parts = [(f"{name}[{k!r}]", x) for k, x in value.items()] if len(value) <= limit else []
    elif kind.__module__ == "__main__" and hasattr(value, "__dict__"):
        parts = [(f"{name}.{k}", x) for k, x in vars(value).items()]
    if depth:
        for path, part in parts:
            yield from _arrays_in(path, part, limit, depth - 1)


def is_asked_for(name: str, wanted: frozenset[str] | None) -> bool:
    """Whether a name is among the wanted ones, or a part of one of them."""
    return wanted is None or name in wanted or any(name.startswith((w + "[", w + ".")) for w in wanted)


class Names(MutableMapping[str, Any]):
    """The script's names as its top level sees them: what is bound is noted, and is followed from then on."""

    def __init__(
        self,
        held: dict[str, Any],
        history: History,
        wanted: Sequence[str] | None,
        numbers: frozenset[str] = frozenset(),
    ) -> None:
        self.held = held
        self.numbers = numbers  # names whose numbers keep them, for code that is to be written
        self.here: dict[str, int] = {}  # what the names reached when the result was computed last
        self.counted = self.line = 0
        self.failed = False  # the script, behind all that is wanted
        self.history = history
        self.wanted = None if wanted is None else frozenset(wanted)
        self.scalars = self.wanted or frozenset()  # names whose numbers are followed as arrays are
        self.measured = self.bytes = self.searched = 0
        self.used: set[int] = set()  # variables that are operands of steps
        self.late: set[str] = set()  # names of arrays that were used before they had this name

    def __getitem__(self, name: str) -> Any:
        return self.held[name]

    def __delitem__(self, name: str) -> None:
        del self.held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)

    def before_binding(self, name: str) -> None:
        """Is called before a name is given a value; may end the script with :class:`SystemExit`."""

    def is_enough(self) -> bool:
        """Whether all that is wanted is there where the script fails."""
        return False

    def __setitem__(self, name: str, value: Any) -> None:
        self.before_binding(name)
        kind = type(value)
        tape = self.history.tape
        if kind is np.ndarray and value.dtype.kind in "fciub":
            variable = tape.constant(value)
            tape.shared.add(variable)  # whoever made the array may still hold it
            value = Traced(tape, variable, tape.values[variable], False)
        elif kind in (float, np.float64, np.float32) and name in self.scalars:
            variable = tape.constant(np.asarray(value))
            value = Traced(tape, variable, tape.values[variable][()], False)
        elif name in self.numbers and kind in (int, float, np.float64):
            value = named_number(value, name)
        if name == self.history.result or self.history.result.startswith((name + "[", name + ".")):
            self.scan_all()  # what was written into in the meantime was so before the result was computed
        self.held[name] = value
        line = sys._getframe(1).f_lineno
        self.scan(name, value, line, _FEW)
        if self.counted == len(self.history.evaluations) and line == self.line:
            # err, h = step(h): where lines are pasted, below this one, h is the new one.
            self.here = {path: v for path, v in self.here.items() if not is_asked_for(path, frozenset([name]))}
            self.here |= self._parts(name, value)
        elif self.counted < len(self.history.evaluations):
            self.line = line
        self._look_around()
        self._measure()

    def find(self, path: str) -> Any:
        """What ``err``, ``losses[2]`` or ``net.loss`` stands for; ``None`` where there is nothing."""
        name = re.split(r"[\[.]", path)[0]
        return dict(_arrays_in(name, self.held.get(name), sys.maxsize)).get(path, self.held.get(path))

    def scan(self, name: str, value: Any, line: int, limit: int) -> None:
        """Note the arrays that a name reaches, and have those followed that may be asked for."""
        for path, x in _arrays_in(name, value, limit):
            sync(x)
            if is_differentiable(x.value):
                if is_asked_for(path, self.wanted):
                    self._follow(path, x)
                self.history.note(path, x.variable, line)

    def _follow(self, path: str, x: Any) -> None:
        """Have an array followed from here on; note where it was used before, under no name or another one."""
        steps = self.history.tape.steps
        for step in steps[self.searched :]:
            self.used.update(v for v in step[1] if type(v) is int)
        self.searched = len(steps)
        if not x.active and x.variable in self.used:
            self.late.add(path)
        x.active = True

    def scan_all(self, limit: int = _FEW) -> None:
        """The same for all names: arrays may have been written into."""
        for name, value in list(self.held.items()):
            if not name.startswith("__"):
                self.scan(name, value, 0, limit)
        self._look_around()

    def _look_around(self) -> None:
        """Note what all names reach, where the result has just been computed."""
        if self.counted == len(self.history.evaluations):
            return
        self.counted = len(self.history.evaluations)
        self.here = self.reached()

    def reached(self) -> dict[str, int]:
        """The variable that each name reaches, and each part of what a name holds."""
        found: dict[str, int] = {}
        for name, value in list(self.held.items()):
            if not name.startswith("__"):
                found |= self._parts(name, value)
        return found

    @staticmethod
    def _parts(name: str, value: Any) -> dict[str, int]:
        found = dict(_arrays_in(name, value, _FEW))
        for x in found.values():
            sync(x)
        return {path: x.variable for path, x in found.items()}

    def _measure(self) -> None:
        """Stop before the memory is full: every intermediate array is kept."""
        tape = self.history.tape
        self.bytes += sum(getattr(v, "nbytes", 32) for v in tape.values[self.measured :])
        self.measured = len(tape.values)
        if len(tape.steps) > _MOST_STEPS or self.bytes > _MOST_BYTES:
            raise RequestError(
                message(
                    "the script has computed {count} arrays of {size} GiB together, and all of them are kept while it "
                    "is followed.\n  Let its loop take fewer turns: one is enough for a gradient.",
                    count=f"{len(tape.steps):,}",
                    size=f"{self.bytes / 2**30:.1f}",
                )
            )


# ---- running a file
@contextmanager
def as_main(path: str, module: ModuleType) -> Iterator[None]:
    """The interpreter as it is when Python runs the file ``path``."""
    before = sys.argv, sys.path[:], sys.modules.get("__main__")
    sys.argv = [path]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.argv, sys.path[:] = before[0], before[1]
        if before[2] is not None:
            sys.modules["__main__"] = before[2]


def parsed(path: str) -> ast.Module:
    """The syntax tree of the file."""
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise RequestError(message("{file} cannot be read: {error}.", file=path, error=error.strerror)) from error
    adopt(os.path.abspath(path))
    linecache.checkcache(path)  # the file may have been edited since it was read last
    linecache.getlines(path)
    try:
        return ast.parse(source, path)
    except (SyntaxError, ValueError) as error:
        raise ScriptError("".join(traceback.format_exception_only(error)).rstrip()) from None


def _own_traceback(error: BaseException) -> str:
    """The traceback without chainrule's frames."""
    report = traceback.TracebackException.from_exception(error)
    pending: list[traceback.TracebackException | None] = [report]
    while pending:
        part = pending.pop()
        if part is not None:
            part.stack[:] = [f for f in part.stack if not f.filename.startswith(_OURS)]
            pending += [part.__cause__, part.__context__]
    return "".join(report.format()).rstrip()


def _hints(error: BaseException, tree: ast.Module, held: Mapping[str, Any]) -> list[Message]:
    """What to write, where the cause of a failure is plain."""
    if isinstance(error, ModuleNotFoundError) and error.name in _PACKAGES:
        package = _PACKAGES[error.name]
        return [
            message(
                "pip install {package}, or put a # in front of the lines that use {name}",
                package=package,
                name=error.name,
            )
        ]
    if isinstance(error, FileNotFoundError):
        return _missing_file(error, str(held.get("__file__", "")))
    if isinstance(error, AttributeError) and error.name and isinstance(error.obj, ModuleType | Traced | np.ndarray):
        return [_meant(f".{name}") for name in get_close_matches(error.name, dir(error.obj), 1)]
    if type(error) is not NameError or not error.name:
        return []
    usual = {"np": "numpy", "numpy": "numpy", "math": "math", "random": "random", "scipy": "scipy"}
    if error.name in usual:
        module = usual[error.name]
        line = f"import {module}" + (f" as {error.name}" if module != error.name else "")
        return [message("add {line}", line=line)]
    hints: dict[str, Message] = {}
    defined = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)} | set(held)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            continue
        name = node.value.id
        found = re.compile(re.escape(name) + r"_?(\d+)")
        members = {int(m[1]): other for other in held if (m := found.fullmatch(other))}
        if name in defined or hasattr(builtins, name) or not members:
            continue
        family = ", ".join(members[k] for k in sorted(members))
        defined.add(name)
        hints[name] = message(
            "{use} is used, but only {names} are defined: add {line}",
            use=ast.unparse(node),
            names=family,
            line=f"{name} = [{family}]",
        )
    if error.name in hints:
        return [hints.pop(error.name), *hints.values()]
    names = [name for name in (*held, *dir(builtins)) if not name.startswith("__")]
    return [_meant(name) for name in get_close_matches(error.name, names, 1)]


def _meant(name: str) -> Message:
    return message("did you mean {name}?", name=name)


def _missing_file(error: FileNotFoundError, script: str) -> list[Message]:
    """Where a file is that was looked for in another folder."""
    folder = os.path.dirname(os.path.abspath(script))
    missing = error.filename or str(error).removesuffix(" not found.")
    if not isinstance(missing, str) or not os.path.exists(os.path.join(folder, missing)):
        return []
    return [
        message(
            "{file} is beside the script; it is looked for in the current folder: cd {folder} first",
            file=missing,
            folder=folder,
        )
    ]


def _warn(message: Any, category: type, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    """A warning at the user's own line: NumPy was called on its behalf."""
    if filename.startswith(_OURS):
        frame = user_frame(2)
        filename, lineno = frame.f_code.co_filename, frame.f_lineno
    print(warnings.formatwarning(message, category, filename, lineno, line), end="", file=file or sys.stderr)


def failure(error: BaseException, tree: ast.Module | None = None, held: Mapping[str, Any] | None = None) -> ScriptError:
    """What to raise where the user's code failed: its own traceback, and a hint where the cause is plain."""
    said: Message | str = _own_traceback(error)
    for hint in [] if tree is None else _hints(error, tree, held or {}):
        said = message("{traceback}\nHint: {hint}", traceback=said, hint=hint)
    return ScriptError(said)


def _stopped_after(error: Exception, tree: ast.Module, code: Any, result: str) -> int | None:
    """The line at which following ended, if the result can no longer change from there on."""
    line = next((f.tb_lineno for f in _frames(error) if f.tb_frame.f_code is code), None)
    if line is None:
        return None
    rest = [s for s in tree.body if (s.end_lineno or s.lineno) >= line]
    for statement in rest:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id == result and not isinstance(node.ctx, ast.Load):
                return None
    declared = any(isinstance(n, ast.Global) and result in n.names for n in ast.walk(tree))
    return None if declared else line


def _not_run(line: int, error: Exception) -> Message:
    return message("the rest of the script, from line {line} on, was not run: {reason}", line=line, reason=met(error))


def _frames(error: BaseException) -> Iterator[Any]:
    place = error.__traceback__
    while place is not None:
        yield place
        place = place.tb_next


def _with_scans(tree: ast.Module) -> ast.Module:
    """The script with a look at its names behind each statement at its top level that may have bound global ones.

    A function that assigns a global variable does so behind the back of :class:`Names`.
    """
    body: list[ast.stmt] = []
    for statement in tree.body:
        body.append(statement)
        docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if isinstance(statement, ast.Expr | ast.For | ast.While | ast.If | ast.With | ast.Try) and not docstring:
            look = ast.Expr(ast.Call(ast.Name(_SCAN, ast.Load()), [], []))
            body.append(ast.fix_missing_locations(ast.copy_location(look, statement)))
    return ast.Module(body, [])


def run_script(tree: ast.Module, path: str, names: Names) -> list[Message]:
    """Execute the script on its names; what is to be said about it."""
    module = ModuleType("__main__")
    names.held = module.__dict__
    names.held.update(HOOKS, __file__=path, __builtins__=builtins)
    names.held[_SCAN] = names.scan_all
    code = routed_module(_with_scans(tree), path)
    result = names.history.result
    try:
        with as_main(path, module), warnings.catch_warnings():
            warnings.showwarning = _warn
            exec(code, names.held, names)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise ScriptError(message("the script ended itself: {call}.", call=f"sys.exit({end.code!r})")) from None
    except RequestError:
        raise
    except Exception as error:
        followed = type(names.find(result)) is Traced
        ours = isinstance(error, ChainruleError) and not isinstance(error, ShapeError)
        line = _stopped_after(error, tree, code, result) if ours and followed else None
        if line is None and followed and names.is_enough():
            names.failed = True
            line = next((f.tb_lineno for f in _frames(error) if f.tb_frame.f_code is code), None)
        if line is not None:
            return [_not_run(line, error)]
        if ours:
            raise
        raise failure(error, tree, names.held) from None
    return []
