"""An ordinary script, or a function in a file, followed: what ``err`` was computed from, by the script's own names."""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.calls import TracedCall, argument_names
from chainrule.differentiate import is_differentiable
from chainrule.errors import ChainruleError, LinkLostError, NotDifferentiableError
from chainrule.history import Chosen, History, RequestError, Updates, descendants
from chainrule.linear import is_floating
from chainrule.running import Names, ScriptError, as_main, failure, is_asked_for, parsed, run_script
from chainrule.stretch import Followed, element, stretch
from chainrule.tape import Tape
from chainrule.traced import Traced

__all__ = ["Followed", "Loaded", "RequestError", "ScriptError", "load_function", "trace_function", "trace_script"]

_SEED = 0
# Methods that make plain numbers of an array that is not followed yet, and leave no trace of it.
_TEXTUAL = {"tolist", "tobytes", "tostring", "tofile", "dump", "dumps"}


def trace_script(
    path: str,
    of: str | None = None,
    wrt: Sequence[str] | None = None,
    *,
    index: Sequence[int] | None = None,
    updates: Updates | None = None,
) -> Followed:
    """Run a script and find what its result was computed from.

    Args:
        path: the file.
        of: the name of the result, which must be one real number, or an array with ``index``.
        wrt: the names to differentiate with respect to; if not given, every float array that the script
            defines, that the result depends on and that is not computed from another.
        index: the element of the result that is meant.
        updates: what arrays that change between evaluations of the result stand for: ``"fixed"``, their
            values as used for the last one, or ``"followed"``, with the derivative through all changes.

    Raises:
        ScriptError: where the script fails; the message is its own traceback.
        RequestError: where a name is not there or has more than one reading.
        ChainruleError: where something cannot be followed.
    """
    tree = parsed(path)
    with Tape(names=True) as tape:
        history = History(tape, of or "")
        names = Names({}, history, wrt)
        try:
            notes = run_script(tree, path, names)
        except (LinkLostError, NotDifferentiableError) as error:
            if wrt is None:
                error.add_note(
                    "  Or name the arrays that are meant (--wrt W,b): only what depends on them is followed."
                )
            raise
        names.scan_all(sys.maxsize)
        asked = None if wrt is None else _asked(names, wrt)
        result = _result(names, of, index, _home(tree, path, of))
        tape.check_watched()
        chosen = history.choose(asked, updates)
        output, title = element(result, of or "", index)
        _check_losses(tape, chosen, of or "", [] if not _TEXTUAL & _attributes(tree) else sorted(names.late))
        chosen.notes[:0] = notes
    stem = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0])
    return stretch(stem, title, tape, output, chosen)


def _home(tree: ast.Module, path: str, of: str | None) -> str:
    """Where to look for a result that is a local variable of a function of the file."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            inside = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
            if any(n.id == of for n in inside):
                return f"; it is a variable of {node.name}(): ask for {path}::{node.name}"
    return ""


def _result(names: Names, of: str | None, index: Sequence[int] | None, home: str) -> Any:
    """The stand-in of the result, which must have been followed."""
    numbers = {
        name: x
        for name, x in names.held.items()
        if type(x) is Traced and x.active and np.size(x.value) == 1 and is_differentiable(x.value)
    }
    given = _given(names)
    computed = [name for name, x in numbers.items() if x.variable not in given]
    candidates = f"the numbers that it computes: {', '.join(computed)}" if computed else "it computes no number"
    if of is None:
        raise RequestError(f"--of is missing: the name of the result in the script; {candidates}.")
    result = names.find(of)
    if result is None:
        raise RequestError(f"the script defines no {of}{home or f'; {candidates}'}.")
    if type(result) is not Traced or not result.active:
        what = "" if type(result) is Traced else f", it is of type {type(result).__name__}"
        known = "the arrays of --wrt" if names.wanted is not None else "arrays that the script defines"
        raise RequestError(f"{of} was not computed from {known}{what}; {candidates}.")
    shape = np.shape(result.value)
    if np.iscomplexobj(result.value):
        raise RequestError(f"{of} is complex, which has no gradient: take np.abs({of}) ** 2 or {of}.real.")
    if index is None and shape:
        mend = f"{of}.mean()" if np.size(result.value) > 1 else f"{of}.sum()"
        raise RequestError(
            f"{of} has the shape {shape}, and a gradient is that of one number: ask for an element with "
            f"--of-index {','.join('0' * len(shape))}, or compute {mend} in the script; {candidates}."
        )
    return result


def _given(names: Names) -> set[int]:
    """The variables that no step with operands made."""
    tape = names.history.tape
    made = {v for s in tape.steps if s[1] for v in (s[3] if type(s[3]) is tuple else (s[3],))}
    return set(range(len(tape.values))) - made


def _asked(names: Names, wrt: Sequence[str]) -> list[str]:
    """The names asked for; one of a list or an object stands for all arrays in it."""
    known = names.history.bindings
    asked: list[str] = []
    for name in wrt:
        found = [other for other in known if is_asked_for(other, frozenset([name]))]
        if not found:
            value = names.held.get(name.partition("[")[0].partition(".")[0])
            arrays = ", ".join(n for n in known if n != names.history.result) or "none"
            kind = value.dtype if type(value) is Traced else type(value).__name__
            reason = f"{name} is no float array, it is of type {kind}" if value is not None else f"there is no {name}"
            raise RequestError(f"{reason}. The float arrays of the script: {arrays}.")
        asked += found
    return list(dict.fromkeys(asked))


def _attributes(tree: ast.Module) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _check_losses(tape: Tape, chosen: Chosen, of: str, late: Sequence[str]) -> None:
    """Refuse where something that depends on the wanted arrays became plain numbers before it was noticed."""
    lossy = {v for v, value, _, _ in tape.guards if value is None or isinstance(value, float)}
    lost = not lossy.isdisjoint(descendants(tape, chosen.variables.values()))
    if lost or any(name in chosen.variables for name in late):
        raise ChainruleError(
            f"an array that depends on {', '.join(late or chosen.variables)} may have become plain numbers before "
            f"it had that name, and {of} may depend on them.\n"
            "  Instead: ask for the first name that it has at the top level of the script."
        )


@dataclass(slots=True)
class Loaded:
    """A function in a file, with arguments to call it with.

    Attributes:
        function: the function.
        args: its positional arguments.
        kwargs: its keyword arguments.
        notes: where the arguments come from.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def load_function(
    path_and_name: str, shapes: Mapping[str, tuple[int, ...]], values: Mapping[str, Any] | None = None
) -> Loaded:
    """A function in a file, with arguments.

    Args:
        path_and_name: ``"layers.py::dense"``, or ``"layers.py::Dense.forward"`` for a static method.
        shapes: per parameter a shape, for an array of random numbers from a fixed seed.
        values: per parameter a value.  A parameter that has neither takes its default, and where it has none the
            file's variable of that name.

    Raises:
        ScriptError: where the file fails.
        RequestError: where there is no such function, or no value for a parameter.
    """
    path, _, name = path_and_name.partition("::")
    tree = parsed(path)
    module = ModuleType(os.path.splitext(os.path.basename(path))[0])
    module.__file__ = path
    try:
        with as_main(path, sys.modules["__main__"]):
            sys.modules.setdefault(module.__name__, module)
            exec(compile(tree, path, "exec", dont_inherit=True), module.__dict__)
    except Exception as error:
        raise failure(error, tree, module.__dict__) from None
    finally:
        if sys.modules.get(module.__name__) is module:
            del sys.modules[module.__name__]
    function: Any = module
    for part in name.split("."):
        function = getattr(function, part, None)
    if not callable(function):
        own = [n for n, x in vars(module).items() if inspect.isfunction(x) and x.__module__ == module.__name__]
        raise RequestError(f"{path} defines no function {name}; it defines {', '.join(own) or 'none'}.")
    return _with_arguments(function, name, shapes, values or {}, vars(module))


def _with_arguments(
    function: Callable[..., Any],
    name: str,
    shapes: Mapping[str, tuple[int, ...]],
    values: Mapping[str, Any],
    held: Mapping[str, Any],
) -> Loaded:
    parameters = inspect.signature(function).parameters.values()
    unknown = [n for n in (*shapes, *values) if n not in {p.name for p in parameters}]
    if unknown:
        raise RequestError(f"{name} has no parameter {', '.join(unknown)}; it has {', '.join(_named(parameters))}.")
    generator = np.random.default_rng(_SEED)
    given: dict[str, Any] = {}
    missing, own, drawn = [], [], []
    for p in parameters:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        if p.name in shapes:
            array = generator.standard_normal(shapes[p.name])
            given[p.name] = array if shapes[p.name] else float(array)
            drawn.append(p.name)
        elif p.name in values:
            given[p.name] = values[p.name]
        elif p.default is not p.empty:
            given[p.name] = p.default
        elif p.name in held:
            given[p.name] = held[p.name]
            own.append(p.name)
        else:
            missing.append(p.name)
    if missing:
        example = ",".join(f"{n}=2x3" for n in missing)
        raise RequestError(
            f"{name} needs {', '.join(missing)}: give shapes (--shapes {example}) or values ({missing[0]}:=3)."
        )
    notes = [f"{', '.join(drawn)}: normal random numbers from a fixed seed"] if drawn else []
    notes += [f"{', '.join(own)}: as the file defines them"] if own else []
    by_name = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    args = tuple(x for n, x in given.items() if n not in by_name)
    return Loaded(function, args, {n: x for n, x in given.items() if n in by_name}, notes)


def _named(parameters: Any) -> list[str]:
    return [p.name for p in parameters]


def trace_function(
    path_and_name: str,
    shapes: Mapping[str, tuple[int, ...]],
    values: Mapping[str, Any] | None = None,
    *,
    of: int = 0,
    wrt: Sequence[str] | None = None,
    index: Sequence[int] | None = None,
) -> Followed:
    """Call a function in a file and find what its result was computed from.

    A result that is no number has a derivative only together with a cotangent, the gradient of some loss
    with respect to it: it is drawn from a fixed seed, unless an element is asked for.

    Args:
        path_and_name: as in :func:`load_function`.
        shapes: as in :func:`load_function`.
        values: as in :func:`load_function`.
        of: which of several results is meant, counted from 0.
        wrt: the parameters to differentiate with respect to; all that hold floats if not given.
        index: the element of the result that is meant.
    """
    loaded = load_function(path_and_name, shapes, values)
    name = path_and_name.partition("::")[2]
    parameters = argument_names(loaded.function, loaded.args, {})
    unknown = [n for n in wrt or () if n not in parameters]
    if unknown:
        raise RequestError(f"{name} has no parameter {', '.join(unknown)}; it has {', '.join(parameters)}.")
    positions = [k for k, p in enumerate(parameters) if (p in wrt if wrt else is_floating(loaded.args[k]))]
    if not positions:
        raise RequestError(f"no parameter of {name} holds floats.")
    notes = list(loaded.notes)
    with Tape(names=True) as tape:
        try:
            call = TracedCall(loaded.function, loaded.args, loaded.kwargs, positions, tape)
        except ChainruleError:
            raise
        except Exception as error:
            raise failure(error) from None
        results = [x for x in call.outputs if type(x) is Traced and x.active and is_differentiable(x.value)]
        if not 0 <= of < len(results):
            raise RequestError(
                f"{name} returns {len(results)} results that depend on its float arguments, and no {of}."
            )
        if len(results) > 1:
            notes.append(f"of result {of} of the {len(results)} that {name} returns (--of chooses)")
        output, title = element(results[of], name, index)
        cotangent: Any = 1.0
        if np.shape(output.value) or np.iscomplexobj(output.value):
            drawn = np.random.default_rng(_SEED + 1).standard_normal(np.shape(output.value))
            seed = tape.input(drawn.astype(output.value.dtype), active=True)
            assert tape.names is not None
            tape.names[seed.variable] = "grad_output"
            cotangent = seed
            notes.append(
                f"{name} returns an array of shape {np.shape(output.value)}: the gradients are for a random "
                "grad_output from a fixed seed (--of-index chooses an element)"
            )
        chosen = Chosen(dict(zip(call.names(), call.wrt, strict=True)), set(call.wrt), notes)
    return stretch(name.replace(".", "_"), title, tape, output, chosen, cotangent)
