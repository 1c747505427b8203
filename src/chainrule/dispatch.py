"""Where a call of a NumPy function on stand-ins goes: to a handler, a row of the table, or a refusal."""

from __future__ import annotations

import importlib
import inspect
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import tape as tape_module
from chainrule.errors import LinkLostError, NotDifferentiableError
from chainrule.ops import COMPOSITES, MADE, OPERATIONS, Operation, signature
from chainrule.parameters import accepts, params_of, static
from chainrule.protocol import DISPATCH
from chainrule.sizes import is_size
from chainrule.tape import ViewLink, current_tape, layout_of, record, refused
from chainrule.traced import Traced
from chainrule.writing import overwrite

__all__ = [
    "HANDLERS",
    "as_array",
    "call",
    "constant_at",
    "handler",
    "known",
    "load_families",
    "specialised",
]

HANDLERS: dict[Any, Callable[..., Any]] = {}

# Rules that are loaded when a function without one is met, and the library that the user must have imported for that.
_FAMILIES = (
    *(
        (name, "numpy")
        for name in (
            "calculus decompositions fft linalg norms padding polynomials quantiles queries selection spacing"
        ).split()
    ),
    ("special", "scipy.special"),
    ("scipy_linalg", "scipy.linalg"),
    ("scipy_fft", "scipy.fft"),
    ("scipy_stats", "scipy.stats"),
)
_loaded: set[str] = set()
_loading = threading.RLock()

# Operations whose result NumPy gives as a view, so that writes into it reach the original.
VIEWS = frozenset(
    "reshape ravel transpose permute_dims matrix_transpose linalg.matrix_transpose moveaxis rollaxis swapaxes squeeze "
    "expand_dims atleast_1d atleast_2d atleast_3d flip fliplr flipud rot90 diagonal linalg.diagonal diag real imag "
    "broadcast_to lib.stride_tricks.sliding_window_view sliding_window_view conjugate trim_zeros".split()
)
_CREATIONS = frozenset((np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.copy))


def handler(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function of chainrule's own answer calls of ``functions`` on stand-ins."""

    def register(answer: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            HANDLERS[function] = answer
        return answer

    return register


def load_families() -> bool:
    """Load the rules that have not been needed so far; whether there were any.

    Rules for SciPy are loaded once the user has imported the part of SciPy that they are for.
    """
    found = False
    with _loading:  # another thread may be loading them: its rules are complete when it is through
        for name, library in _FAMILIES:
            if name not in _loaded and library in sys.modules:
                _loaded.add(name)
                importlib.import_module(f"chainrule.rules.{name}")
                found = True
    return found


def known(function: Any) -> bool:
    """Whether a call of ``function`` on stand-ins can be answered."""
    return function in HANDLERS or function in OPERATIONS or function in COMPOSITES


def call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer ``function(*args, **kwargs)`` where an argument is a stand-in."""
    answer = HANDLERS.get(function)
    if answer is not None:
        return answer(*args, **kwargs)
    operation = OPERATIONS.get(function)
    if operation is not None:
        return _call_operation(operation, args, kwargs)
    definition = COMPOSITES.get(function)
    if definition is not None:
        return call_composite(function, definition, args, kwargs)
    if load_families() or known(function):
        return call(function, args, kwargs)
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__name__', function)}"
    raise refused(
        NotDifferentiableError,
        "{function} was called on a followed array",
        "chainrule has no rule for it",
        "write it with other NumPy functions, or give it a rule with chainrule.custom_vjp",
        function=name.replace("numpy.", "np.", 1),
    )


def _tape_of(arguments: Any) -> Any:
    for x in arguments:
        if type(x) is Traced:
            return x.tape
        if isinstance(x, list | tuple):
            found = _tape_of(x)
            if found is not None:
                return found
    return None


def call_composite(function: Any, definition: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    out = kwargs.get("out")
    if out is not None and "out" not in signature(definition).parameters:
        return into(out, call(function, args, {k: v for k, v in kwargs.items() if k != "out"}))
    tape = _tape_of((*args, *kwargs.values())) or current_tape()
    if tape is None:
        return definition(*args, **kwargs)
    tape.depth += 1
    try:
        result = definition(*args, **kwargs)
    finally:
        tape.depth -= 1
    if type(result) is Traced and tape.depth == 0 and tape.steps and tape.steps[-1][3] == result.variable:
        # The last step of the definition stands for the whole call: the user's name is bound to it.
        operation, inputs, params, outputs, code, offset = tape.steps[-1]
        tape.steps[-1] = (operation, inputs, params, outputs, code, offset if offset >= 0 else ~offset)
    return result


_SIMPLE_STATICS = frozenset(("axis", "keepdims"))


def _call_operation(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    operands = operation.operands
    if operation.kind == "structural" and len(args) <= _leading(operation):
        if not kwargs:
            return _finish(operation, args, record(operation, args, {}), {})
        if kwargs.keys() <= _SIMPLE_STATICS and kwargs.keys() <= (accepts(operation) or kwargs.keys()):
            # An axis and the like: no need to ask the signature which argument is which.
            params = {k: static(v, k, operation.spelling) for k, v in kwargs.items()}
            return _finish(operation, args, record(operation, args, params), params)
    if operation.kind == "elementwise" and not kwargs:
        return record(operation, args, {})
    if operation.kind == "constant":
        return _call_constant(operation, args, kwargs)
    bound = _bound(operation.function, args, kwargs)
    parameters = signature(operation.function).parameters
    for name in [n for n, v in bound.items() if n in parameters and v is parameters[n].default and n not in operands]:
        del bound[name]
    out = bound.pop("out", None)
    if operation.kind == "elementwise":
        result = record(operation, tuple(bound.values()), {})
        return result if out is None else into(out, result)
    if operation.kind == "variadic":
        sequence = bound.pop(operands[0])
        params = params_of(operation, bound)
        if type(sequence) is Traced:
            sequence = list(sequence)
        spread = parameters[operands[0]].kind is inspect.Parameter.VAR_POSITIONAL
        result = record(operation, tuple(sequence), params, None if spread else _gathered(operation))
    else:
        present = tuple(name for name in operands if name in bound)
        arrays = tuple(bound.pop(name) for name in present)
        params = params_of(operation, bound)
        if present != operands[: len(present)] or len(present) > _leading(operation):
            operation = specialised(operation, present)
        result = _finish(operation, arrays, record(operation, arrays, params), params)
    return result if out is None else into(out, result)


def _bound(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by parameter name."""
    whole = signature(function)
    names = _positional_names.get(function)
    if names is None:
        parameters = whole.parameters.values()
        plain = not any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
        names = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY) if plain else ()
        _positional_names[function] = names
    if (
        len(args) <= len(names)
        and kwargs.keys() <= whole.parameters.keys()
        and kwargs.keys().isdisjoint(names[: len(args)])
    ):
        return {**dict(zip(names, args, strict=False)), **kwargs}
    bound = whole.bind(*args, **kwargs).arguments
    for name in [n for n, p in whole.parameters.items() if p.kind is p.VAR_KEYWORD and n in bound]:
        bound.update(bound.pop(name))
    return bound


_positional_names: dict[Any, tuple[str, ...]] = {}
_leading_cache: dict[Operation, int] = {}


def _leading(operation: Operation) -> int:
    """How many of the operands are the first parameters of the function, so that they can be given by position."""
    found = _leading_cache.get(operation)
    if found is None:
        found = len(operation.operands)
        if not isinstance(operation.function, np.ufunc):
            parameters = list(signature(operation.function).parameters.values())
            found = 0
            for name, parameter in zip(operation.operands, parameters, strict=False):
                if parameter.name != name or parameter.kind is parameter.KEYWORD_ONLY:
                    break
                found += 1
        _leading_cache[operation] = found
    return found


_specialised_cache: dict[tuple[Operation, tuple[str, ...]], Operation] = {}


def specialised(operation: Operation, present: tuple[str, ...]) -> Operation:
    """The operation for a call that gives its array arguments by these names."""
    key = (operation, present)
    if key not in _specialised_cache:
        function = operation.function

        def evaluate(*arrays: Any, **params: Any) -> Any:
            return function(**dict(zip(present, arrays, strict=True)), **params)

        def by_name(rule: Callable[..., Any]) -> Callable[..., Any]:
            return lambda g, out, *arrays, **params: rule(g, out, **dict(zip(present, arrays, strict=True)), **params)

        rules = dict(zip(operation.operands, operation.rules, strict=True))
        chosen = tuple(None if (rule := rules[name]) is None else by_name(rule) for name in present)
        _specialised_cache[key] = Operation(
            operation.name, evaluate, operation.kind, present, chosen, lazy=operation.lazy, spelling=operation.spelling
        )
        MADE[_specialised_cache[key]] = ("named", operation, present)
    return _specialised_cache[key]


_gathered_cache: dict[Operation, Callable[..., Any]] = {}


def _gathered(operation: Operation) -> Callable[..., Any]:
    """The function of a variadic operation, taking its sequence as separate arguments."""
    if operation not in _gathered_cache:
        function = operation.function
        _gathered_cache[operation] = lambda *arrays, **params: function(arrays, **params)
    return _gathered_cache[operation]


EVALUATORS: dict[Operation, Callable[..., Any]] = {}


def evaluator(operation: Operation) -> Callable[..., Any]:
    """The function that evaluates a step of ``operation`` from its operands by position."""
    special = EVALUATORS.get(operation)
    if special is not None:
        return special
    if operation.kind != "variadic" or isinstance(operation.function, np.ufunc):
        return operation.function
    kind = signature(operation.function).parameters[operation.operands[0]].kind
    return operation.function if kind is inspect.Parameter.VAR_POSITIONAL else _gathered(operation)


def _finish(operation: Operation, arrays: tuple[Any, ...], result: Any, params: dict[str, Any]) -> Any:
    """Link a view to its original, and mark arrays made for the caller as free to be written."""
    if type(result) is not Traced:
        return result
    if operation.name in VIEWS and type(arrays[0]) is Traced and isinstance(result.value, np.ndarray):
        source = arrays[0]
        if result.value is source.value:
            return source
        if source.layout is None:
            if np.may_share_memory(result.value, source.value):
                result.link = ViewLink(source, operation, arrays[1:], params)
        else:
            # The values are held in a copy: whether NumPy's result is a view depends on the layout of NumPy's array.
            memory = layout_of(source)
            moved = operation.function(memory, **params)
            if np.may_share_memory(moved, memory):
                result.link = ViewLink(source, operation, arrays[1:], params)
                result.layout = moved.strides
    elif operation.function in _CREATIONS:
        result.owned = True
    return result


_constants: dict[tuple[Operation, Any], Operation] = {}


def constant_at(operation: Operation, places: tuple[int | str, ...]) -> Operation:
    """The operation for a call of a function without a derivative, whose operands are at these places."""
    key = (operation, places)
    if key not in _constants:
        function = operation.function

        def evaluate(*values: Any, **static_params: Any) -> Any:
            positional = [v for place, v in zip(places, values, strict=True) if isinstance(place, int)]
            named = {place: v for place, v in zip(places, values, strict=True) if isinstance(place, str)}
            result = function(*positional, **named, **static_params)
            return tuple(result) if isinstance(result, list) else result

        plain = all(isinstance(p, int) for p in places)
        _constants[key] = Operation(
            operation.name,
            function if plain and isinstance(function, np.ufunc) else evaluate,
            "constant",
            because=operation.because,
            spelling=operation.spelling,
        )
        MADE[_constants[key]] = ("constant", operation, places)
    return _constants[key]


def _call_constant(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call through which no derivative flows: its array arguments are operands, the others static."""
    if kwargs.get("out") is not None:
        out = kwargs.pop("out")
        return into(out, _call_constant(operation, args, kwargs))
    names: list[Any] = list(range(len(args))) + list(kwargs)
    given: list[Any] = [*args, *kwargs.values()]
    arrays, places, params = [], [], {}
    for name, x in zip(names, given, strict=True):
        if isinstance(x, list | tuple) and _tape_of(x) is not None:
            x = static(x, name) if _shape_like(x) else as_array(x)
        if type(x) is Traced or isinstance(x, np.ndarray):
            arrays.append(x)
            places.append(name)
        elif isinstance(name, str):
            params[name] = x
        else:
            arrays.append(x)
            places.append(name)
    result = record(constant_at(operation, tuple(places)), tuple(arrays), params)
    if type(result) is Traced and operation.function in _CREATIONS:
        result.owned = True
    return result


def _shape_like(x: Any) -> bool:
    return all(type(e) is int or is_size(e) or (type(e) is Traced and np.ndim(e.value) == 0) for e in x)


def into(out: Any, result: Any) -> Any:
    """Write a result into the array given as ``out=``, and return that."""
    if isinstance(out, tuple):
        if len(out) == 1:
            return into(out[0], result)
        return tuple(r if o is None else into(o, r) for o, r in zip(out, result, strict=True))
    if out is not None and type(out) is not Traced:
        raise refused(
            LinkLostError,
            "a followed result was about to be written into a plain array (out=, or an in-place operator)",
            "the array was made outside of the traced function, and its link would be lost there",
            "make the array inside the function (np.zeros, np.empty, x.copy()), or pass it as an argument",
        )
    if out is not None:
        overwrite(out, result)
    return result if out is None else out


def as_array(x: Any, dtype: Any = None) -> Any:
    """``np.asarray`` for what may hold stand-ins: nested lists are stacked."""
    if type(x) is Traced:
        result: Any = x
    elif isinstance(x, list | tuple) and (tape := _tape_of(x)) is not None:
        tape.depth += 1  # what the statement gives a name to is the whole
        try:
            rows = [as_array(e) for e in x]
        finally:
            tape.depth -= 1
        result = call(np.stack, (rows,), {})
    else:
        return np.asarray(x, dtype=dtype)
    if type(result) is not Traced:
        return np.asarray(result, dtype=dtype)
    if dtype is not None and np.dtype(dtype) != result.dtype:
        result = result.astype(dtype)
    return result


DISPATCH.call = call
tape_module.install(Traced, as_array)
