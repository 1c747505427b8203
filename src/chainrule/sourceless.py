"""Functions without source (a REPL, ``exec``): their globals and closures are seen through substitutes."""

from __future__ import annotations

import dis
import functools
import math
from collections.abc import Callable
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from chainrule.errors import LinkLostError
from chainrule.handlers import CREATORS, SUBSTITUTES
from chainrule.positions import is_internal
from chainrule.tape import current_tape, refused
from chainrule.traced import Traced

__all__ = ["without_source"]

Call = Callable[..., Any]


class _Module:
    """A module as a function without source sees it: calls that need it go through :func:`call`."""

    def __init__(self, module: ModuleType, call: Call) -> None:
        self.__dict__.update(_module=module, _call=call)

    def __getattr__(self, name: str) -> Any:
        return _seen(getattr(self._module, name), self._call)


def _seen(x: Any, call: Call) -> Any:
    """A global or closure variable as a function without source sees it."""
    kind = type(x)
    if kind is ModuleType and (x.__name__.split(".")[0] in ("numpy", "scipy") or x is math):
        return _Module(x, call)
    if kind is np.ndarray and x.dtype.kind in "fciub":
        tape = current_tape()
        if tape is None:
            return x
        variable = tape.constant(x)
        tape.shared.add(variable)  # other functions see the array itself, and would miss what is written here
        return Traced(tape, variable, tape.values[variable], False)
    if kind is FunctionType:
        return x if is_internal[x.__code__.co_filename] and not _is_scipy(x) else functools.partial(call, x)
    if kind is BuiltinFunctionType and (x in CREATORS or x in SUBSTITUTES):
        return functools.partial(call, x)
    return x


def _is_scipy(function: Any) -> bool:
    return (function.__module__ or "").startswith("scipy")


class _Globals(dict[str, Any]):
    """The globals of a function without source: those of the moment, each as :func:`_seen` shows it."""

    def __init__(self, real: dict[str, Any], call: Call, called: frozenset[str]) -> None:
        super().__init__(real)
        self.real = real
        self.call = call
        self.called = called

    def __getitem__(self, name: str) -> Any:
        if name in self.real:
            return _seen(self.real[name], self.call)
        if name in _ROUTED and name in self.called:
            return functools.partial(self.call, _ROUTED[name])
        raise KeyError(name)


_ROUTED: dict[str, Any] = {"float": float, "len": len}


@functools.lru_cache(maxsize=1024)
def _called(code: CodeType) -> frozenset[str]:
    """The builtins that are called wherever the code mentions them: not ``isinstance(x, float)``, ``dtype=float``."""
    found: dict[str, bool] = {}
    pending = [code]
    while pending:
        own = pending.pop()
        pending += [x for x in own.co_consts if isinstance(x, CodeType)]
        for instruction in dis.get_instructions(own):
            if instruction.argval in _ROUTED and instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                found[instruction.argval] = found.get(instruction.argval, True) and "NULL" in instruction.argrepr
    return frozenset(name for name, alone in found.items() if alone)


def without_source(function: FunctionType, call: Call) -> Any:
    """A function without source, on a view of its globals in which NumPy's constructors are followed."""
    code = function.__code__
    stores = _stores(code)
    if stores is None:
        return function
    cells = []
    substituted: list[tuple[CellType, Any]] = []
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            content = cell.cell_contents
        except ValueError:
            cells.append(cell)
            continue
        seen = content if name in stores else _seen(content, call)
        cells.append(cell if seen is content else CellType(seen))
        if seen is not content:
            substituted.append((cell, content))
    globals_ = function.__globals__
    namespace = globals_ if type(globals_) is _Globals else _Globals(globals_, call, _called(code))
    result = FunctionType(code, namespace, function.__name__, function.__defaults__, tuple(cells))
    result.__kwdefaults__ = function.__kwdefaults__
    if not substituted:
        return result

    def checked(*args: Any, **kwargs: Any) -> Any:
        returned = result(*args, **kwargs)
        if any(cell.cell_contents is not content for cell, content in substituted):
            raise refused(
                LinkLostError,
                "a variable around {function} was assigned by another function while it ran",
                "there is no source for it, so its variables were looked up beforehand",
                "save the code in a file, or pass the variable as an argument",
                function=function.__name__,
            )
        return returned

    return checked


_code_stores: dict[int, tuple[CodeType, frozenset[str] | None]] = {}


def _stores(code: CodeType) -> frozenset[str] | None:
    """The closure variables that it assigns; ``None`` where it assigns globals, which a view of them would hide."""
    known_stores = _code_stores.get(id(code))
    if known_stores is None:
        stores: set[str] | None = set()
        for instruction in dis.get_instructions(code):
            if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                stores = None
                break
            if instruction.opname in ("STORE_DEREF", "DELETE_DEREF") and stores is not None:
                stores.add(instruction.argval)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                inner_stores = _stores(constant)
                stores = None if stores is None or inner_stores is None else stores | inner_stores
        known_stores = _code_stores[id(code)] = (code, None if stores is None else frozenset(stores))
    return known_stores[1]
