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
from chainrule.history import Chosen, History, RequestError, Updates, changing_step, descendants
from chainrule.language import Message, listed, message
from chainrule.linear import is_floating
from chainrule.running import Names, ScriptError, as_main, failure, is_asked_for, parsed, run_script
from chainrule.script_refusals import (
    became_numbers,
    candidates_among,
    complex_result,
    early_return,
    has_arguments,
    needs,
    no_float_array,
    no_function,
    no_parameter,
    no_such_result,
    not_computed,
    whole_array,
)
from chainrule.stretch import Followed, element, stretch
from chainrule.tape import Tape
from chainrule.traced import Traced

__all__ = [
    "Followed",
    "Loaded",
    "RequestError",
    "ScriptError",
    "has_parameters",
    "load_function",
    "parameters_asked_for",
    "script_tree",
    "trace_function",
    "trace_script",
]

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
    keep_numbers: bool = False,
    kind: Callable[..., Names] = Names,
    everything: bool = False,
    others: Callable[[Names, Chosen], Sequence[int]] | None = None,
) -> Followed:
    """Run a script and find what its result was computed from.

    Args:
        path: the file; or ``"script.py::main"`` for what a function without arguments computes in its variables.
        of: the name of the result, which must be one real number, or an array with ``index``.
        wrt: the names to differentiate with respect to; if not given, every float array that the script
            defines, that the result depends on and that is not computed from another.
        index: the element of the result that is meant.
        updates: what arrays that change between evaluations of the result stand for: ``"fixed"``, their
            values as used for the last one, or ``"followed"``, with the derivative through all changes.
        keep_numbers: whether numbers that the script gives a name once, such as ``reg = 1e-3``, keep it in
            the record.
        kind: makes what the script's names are held in.
        everything: whether all float arrays are followed, and not only the wanted ones.
        others: chooses variables whose steps are kept too, besides those of the result.

    Raises:
        ScriptError: where the script fails; the message is its own traceback.
        RequestError: where a name is not there or has more than one reading.
        ChainruleError: where something cannot be followed.
    """
    tree = script_tree(path)
    path = path.partition("::")[0]
    with Tape(names=True, loops=keep_numbers) as tape:
        history = History(tape, of or "")
        names = kind({}, history, None if everything else wrt, _bound_once(tree) if keep_numbers else frozenset())
        try:
            notes = run_script(tree, path, names)
        except (LinkLostError, NotDifferentiableError) as error:
            if wrt is None:
                own = message("  Or name the arrays that are meant (--wrt W,b): only what depends on them is followed.")
                error.add_note(str(own))
            raise
        names.scan_all(sys.maxsize)
        asked = None if wrt is None else _asked(names, wrt)
        result = _result(names, of, index, _home(tree, path, of))
        tape.check_watched()
        chosen = history.choose(asked, updates)
        output, title = element(result, of or "", index)
        _check_losses(tape, chosen, of or "", [] if not _TEXTUAL & _attributes(tree) else sorted(names.late))
        chosen.notes[:0] = notes
        more = () if others is None else others(names, chosen)
    stem = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0])
    steps = tape.steps
    followed = stretch(stem, title, tape, output, chosen, others=more)
    followed.changing = changing_step(
        steps, history.evaluations, tape.steps, set(names.here.values()), followed.variables
    )
    followed.here, followed.later, followed.held = dict(names.here), names.reached(), names.held
    followed.owners = history.owners
    followed.line = history.bindings[of or ""][-1].line
    return followed


def script_tree(path: str) -> ast.Module:
    """The syntax tree of a script; for ``"script.py::main"`` with the lines of that function at its end.

    Raises:
        RequestError: where there is no such function, or its lines cannot stand alone.
    """
    path, _, name = path.partition("::")
    tree = parsed(path)
    if not name:
        return tree
    function = next((s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == name), None)
    if function is None:
        raise RequestError(no_function(path, name, [s.name for s in tree.body if isinstance(s, ast.FunctionDef)]))
    given = function.args
    parameters = [*given.posonlyargs, *given.args]
    defaults = dict(
        zip([p.arg for p in parameters[len(parameters) - len(given.defaults) :]], given.defaults, strict=True)
    )
    if len(defaults) < len(parameters) or given.kwonlyargs or given.vararg or given.kwarg:
        raise RequestError(has_arguments(name))
    *body, last = function.body
    if isinstance(last, ast.Return):
        last = ast.copy_location(ast.Expr(last.value or ast.Constant(None)), last)
    if any(isinstance(n, ast.Return) for s in (*body, last) for n in ast.walk(s) if not isinstance(s, ast.FunctionDef)):
        raise RequestError(early_return(name))

    def runs(statement: ast.stmt) -> bool:
        guard = isinstance(statement, ast.If) and any(
            isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(statement.test)
        )
        called = [n for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id == name]
        return not guard and not (isinstance(statement, ast.Expr) and called)

    before = [s for s in tree.body if runs(s)]
    settings: list[ast.stmt] = [ast.Assign([ast.Name(p, ast.Store())], value) for p, value in defaults.items()]
    for setting in settings:
        ast.fix_missing_locations(ast.copy_location(setting, function))
    return ast.Module([*before, *settings, *body, last], [])


def has_parameters(path_and_name: str) -> bool:
    """Whether a function of a file, as ``"layers.py::dense"``, takes arguments that have no defaults."""
    path, _, name = path_and_name.partition("::")
    if not name:
        return False
    function = next((s for s in parsed(path).body if isinstance(s, ast.FunctionDef) and s.name == name), None)
    if function is None:
        return False
    given = function.args
    return len(given.posonlyargs) + len(given.args) > len(given.defaults)


def _bound_once(tree: ast.Module) -> frozenset[str]:
    """The names that the script binds at one place, at its top level and outside of loops."""
    counts: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            counts[node.id] = counts.get(node.id, 0) + 1
        elif isinstance(node, ast.Global):
            counts.update(dict.fromkeys(node.names, 2))
    found: set[str] = set()
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        statement = pending.pop()
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            inside = (n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
            found.update(n.id for n in inside if counts[n.id] == 1)
        elif isinstance(statement, ast.If):
            pending += [*statement.body, *statement.orelse]
    return frozenset(found)


def _home(tree: ast.Module, path: str, of: str | None) -> Message | None:
    """Where to look for a result that is a local variable of a function of the file."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            inside = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
            if any(n.id == of for n in inside):
                return message(
                    "it is a variable of {function}(): ask for --of {of} of {place}",
                    function=node.name,
                    of=of,
                    place=f"{path}::{node.name}",
                )
    return None


def _result(names: Names, of: str | None, index: Sequence[int] | None, home: Message | None) -> Any:
    """The stand-in of the result, which must have been followed."""
    numbers = {
        name: x
        for name, x in names.held.items()
        if type(x) is Traced and x.active and np.size(x.value) == 1 and is_differentiable(x.value)
    }
    given = _given(names)
    computed = [name for name, x in numbers.items() if x.variable not in given]
    candidates = candidates_among(computed)
    if of is None:
        raise RequestError(
            message("--of is missing: the name of the result in the script; {candidates}.", candidates=candidates)
        )
    result = names.find(of)
    if result is None:
        raise RequestError(message("the script defines no {name}; {hint}.", name=of, hint=home or candidates))
    if type(result) is not Traced or not result.active:
        kind = None if type(result) is Traced else type(result).__name__
        raise RequestError(not_computed(of, kind, names.wanted is not None, candidates))
    shape = np.shape(result.value)
    if np.iscomplexobj(result.value):
        raise RequestError(complex_result(of))
    if index is None and shape:
        raise RequestError(whole_array(of, shape, candidates))
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
            kind = value.dtype if type(value) is Traced else None if value is None else type(value).__name__
            raise RequestError(no_float_array(name, kind, [n for n in known if n != names.history.result]))
        asked += found
    return list(dict.fromkeys(asked))


def _attributes(tree: ast.Module) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _check_losses(tape: Tape, chosen: Chosen, of: str, late: Sequence[str]) -> None:
    """Refuse where something that depends on the wanted arrays became plain numbers before it was noticed."""
    lossy = {v for v, value, _, _ in tape.guards if value is None or isinstance(value, float)}
    lost = not lossy.isdisjoint(descendants(tape, chosen.variables.values()))
    if lost or any(name in chosen.variables for name in late):
        raise ChainruleError(became_numbers(late or chosen.variables, of))


@dataclass(slots=True)
class Loaded:
    """A function in a file, with arguments to call it with.

    Attributes:
        function: the function.
        args: its positional arguments.
        kwargs: its keyword arguments.
        notes: where the arguments come from.
        default: the parameters that hold floats, without numbers that are their defaults (``eps=1e-5``).
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    notes: list[Message] = field(default_factory=list)
    default: tuple[str, ...] = ()


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
        raise RequestError(no_function(path, name, own))
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
        raise RequestError(no_parameter(name, unknown, _named(parameters)))
    generator = np.random.default_rng(_SEED)
    given: dict[str, Any] = {}
    missing, own, drawn, preset = [], [], [], []
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
            preset += [p.name] if isinstance(p.default, float | complex) else []
        elif p.name in held:
            given[p.name] = held[p.name]
            own.append(p.name)
        else:
            missing.append(p.name)
    if missing:
        raise RequestError(needs(name, missing))
    notes = [message("{names}: normal random numbers from a fixed seed", names=listed(drawn))] if drawn else []
    notes += [message("{names}: as the file defines them", names=listed(own))] if own else []
    by_name = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    args = {n: x for n, x in given.items() if n not in by_name}
    default = tuple(n for n, x in args.items() if is_floating(x) and n not in preset)
    return Loaded(function, tuple(args.values()), {n: x for n, x in given.items() if n in by_name}, notes, default)


def _named(parameters: Any) -> list[str]:
    return [p.name for p in parameters]


def parameters_asked_for(loaded: Loaded, name: str, wrt: Sequence[str] | None) -> tuple[str, ...]:
    """The parameters to differentiate with respect to.

    Raises:
        RequestError: where there is none, or no such parameter.
    """
    parameters = argument_names(loaded.function, loaded.args, {})
    unknown = [n for n in wrt or () if n not in parameters]
    if unknown:
        raise RequestError(no_parameter(name, unknown, parameters))
    asked = tuple(wrt) if wrt else loaded.default
    if not asked:
        raise RequestError(message("no parameter of {name} holds floats.", name=name))
    return asked


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
        wrt: the parameters to differentiate with respect to; if not given all that hold floats, except numbers that
            are their defaults.
        index: the element of the result that is meant.
    """
    loaded = load_function(path_and_name, shapes, values)
    name = path_and_name.partition("::")[2]
    parameters = argument_names(loaded.function, loaded.args, {})
    asked = parameters_asked_for(loaded, name, wrt)
    positions = [k for k, p in enumerate(parameters) if p in asked]
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
            raise RequestError(no_such_result(name, len(results), of))
        if len(results) > 1:
            gaps = {"number": of, "count": len(results), "name": name}
            notes.append(message("of result {number} of the {count} that {name} returns (--of chooses)", **gaps))
        output, title = element(results[of], name, index)
        cotangent: Any = 1.0
        if np.shape(output.value) or np.iscomplexobj(output.value):
            drawn = np.random.default_rng(_SEED + 1).standard_normal(np.shape(output.value))
            seed = tape.input(drawn.astype(output.value.dtype), active=True)
            assert tape.names is not None
            tape.names[seed.variable] = "grad_output"
            cotangent = seed
            notes.append(
                message(
                    "{name} returns an array of shape {shape}: the gradients are for a random grad_output from a "
                    "fixed seed (--of-index chooses an element)",
                    name=name, shape=np.shape(output.value),
                )
            )  # fmt: skip
        chosen = Chosen(dict(zip(call.names(), call.wrt, strict=True)), set(call.wrt), notes)
    return stretch(name.replace(".", "_"), title, tape, output, chosen, cotangent)
