"""Calls while tracing: what is followed, what is answered in NumPy's place, and what comes back plain."""

from __future__ import annotations

import functools
import sys
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, MethodWrapperType
from typing import Any

import numpy as np

from chainrule.dispatch import call as dispatch_call
from chainrule.dispatch import known, load_families
from chainrule.errors import ChainruleError, LinkLostError
from chainrule.handlers import CREATORS, SUBSTITUTES, create
from chainrule.ops import OPERATIONS
from chainrule.positions import is_foreign
from chainrule.rewrite import CALL, ITEM, STORED, TEXT, TURNS, rewritten
from chainrule.sizes import is_size, truncated
from chainrule.sourceless import without_source
from chainrule.tape import Tape, current_tape, here, record, refused
from chainrule.traced import Traced, value_of
from chainrule.turns import decided, turns
from chainrule.ufuncs import call_ufunc

__all__ = ["HOOKS", "followed"]

_DISPATCHER = type(np.sum)
_READERS = frozenset((float, complex, np.float64, np.fromstring))
_FRESH_REFERENCES = 5  # of a new array, as seen in _followed_result: the tape, two frames and the call
_WRITING_METHODS = frozenset("fill put sort partition resize setfield itemset byteswap __setitem__".split())
_hooked: dict[int, tuple[CodeType, bool]] = {}


def _is_hooked(code: CodeType) -> bool:
    """Whether this code's calls are routed already: it was compiled inside of a function or file that is followed."""
    found = _hooked.get(id(code))
    if found is None:
        names = (*code.co_freevars, *code.co_cellvars, *code.co_names)
        found = _hooked[id(code)] = (code, CALL in names)
    return found[1]


def followed(function: Any) -> Any:
    """``function`` with the calls in its body routed through :func:`call`; itself where that cannot be."""
    kind = type(function)
    if kind is FunctionType:
        code = function.__code__
        if is_foreign[code.co_filename] or _is_hooked(code):
            return function
        routed = rewritten(function)
        if routed is None:
            tape = current_tape()
            if tape is not None:
                tape.unsure = True  # how it counts cannot be seen
            return without_source(function, call)
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        closure = tuple([_HOOK_CELLS.get(name) or cells[name] for name in routed.co_freevars])
        result = FunctionType(routed, function.__globals__, function.__name__, function.__defaults__, closure)
        result.__kwdefaults__ = function.__kwdefaults__
        return result
    if kind is MethodType and type(function.__func__) is FunctionType:
        inner = followed(function.__func__)
        return function if inner is function.__func__ else MethodType(inner, function.__self__)
    return function


def call(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """What a call in a followed function does."""
    kind = type(function)
    if kind is np.ufunc and not kwargs:
        for x in args:
            if type(x) is Traced:
                operation = OPERATIONS.get(function)
                if operation is not None and len(args) == function.nin:
                    return record(operation, args, {})
                break
    elif kind is MethodType:
        owner = function.__self__
        if type(owner) is Traced:
            return function(*args, **kwargs)
        if type(function.__func__) is FunctionType and not is_foreign[function.__func__.__code__.co_filename]:
            return followed(function)(*args, **kwargs)
    elif kind is FunctionType and not is_foreign[function.__code__.co_filename] and not known(function):
        return followed(function)(*args, **kwargs)
    tape = current_tape()
    if tape is None:
        return function(*args, **kwargs)
    return _outside(function, kind, args, kwargs, tape)


def _outside(function: Any, kind: type, args: tuple[Any, ...], kwargs: dict[str, Any], tape: Tape) -> Any:
    """A call of something that is not the user's own Python function."""
    if kind is functools.partial:
        return call(function.func, *function.args, *args, **{**function.keywords, **kwargs})
    if _any_traced(args) or (kwargs and _any_traced(tuple(kwargs.values()))):
        if kind is BuiltinFunctionType or kind is MethodWrapperType:
            owner = function.__self__
            if type(owner) is np.ndarray:
                return _method_of_plain(owner, function.__name__, args, kwargs, tape)
            if isinstance(owner, np.ufunc):
                return call_ufunc(owner, function.__name__, args, kwargs)
        if isinstance(function, np.vectorize):
            vectorized = np.vectorize(followed(function.pyfunc), otypes=function.otypes, signature=function.signature)
            return SUBSTITUTES[np.vectorize.__call__](vectorized, *args, **kwargs)
        answer = _lookup(SUBSTITUTES, function)
        if answer is not None:
            return answer(*args, **kwargs)
        if kind is not np.ufunc and (kind is _DISPATCHER or _is_known(function)):
            return dispatch_call(function, tuple(map(_follow_argument, args)), kwargs)
        if kind is MethodType and _is_known(function.__func__):
            return dispatch_call(function.__func__, (function.__self__, *args), kwargs)
        if _is_random(function):
            return _drawn(function, args, kwargs, tape)
    elif _lookup_in(CREATORS, function) and kwargs.get("dtype") is not object:
        return create(function, args, kwargs, tape)
    elif all(map(is_size, args)) and args and _lookup(SUBSTITUTES, function) is not None and kind is not type:
        ufunc = getattr(np, getattr(function, "__name__", ""), None)
        if isinstance(ufunc, np.ufunc):
            return ufunc(*args)
    elif args and type(args[0]) is str and _lookup_in(_READERS, function) and tape.has_written(args[0]):
        raise refused(
            LinkLostError,
            "the text of a followed value was read back as a number",
            "text keeps the digits and loses the derivative",
            "use the value itself",
        )
    if (function is min or function is max) and any(map(is_size, args)):
        decided(*args, result=True, code=here())
    if function is int and len(args) == 1 and is_size(args[0]) and not kwargs:
        return truncated(args[0])
    if function is range and any(map(is_size, args)):
        tape.unsure = True
        positions = range(*args)
        tape.ranges[id(positions)] = positions, args
        return positions
    if isinstance(function, type):
        made = _instance(function, args, kwargs)
        if made is not None:
            return made
    else:
        method = next((vars(c)["__call__"] for c in kind.__mro__ if "__call__" in vars(c)), None)
        if type(method) is FunctionType and not is_foreign[method.__code__.co_filename]:
            return followed(method)(function, *args, **kwargs)
    given = map(_follow_argument, args)
    try:
        result = function(*given, **{k: _follow_argument(v) for k, v in kwargs.items()})
    except ChainruleError:
        raise
    except Exception as error:
        lost = _cause(error)
        if lost is not None:
            raise lost from None
        if isinstance(error, _ORDINARY) or not _is_foreign_failure(error, args, kwargs):
            raise
        name = getattr(function, "__qualname__", repr(function))
        raise refused(
            LinkLostError,
            "{name} was called with a followed value, and failed",
            "it is not followed and needs a plain number or array ({kind}: {error})",
            "use the NumPy function for it, or give it a rule with chainrule.custom_vjp",
            name=name,
            kind=type(error).__name__,
            error=error,
        ) from error
    lengths = [x for x in (*args, *kwargs.values()) if is_size(x)]
    tape.unsure |= bool(lengths) and result is not None and type(result) is not str
    if lengths and type(result[0] if type(result) is tuple and result else result) is np.ndarray:
        decided(*lengths, result=_FOR_THESE_LENGTHS, code=here())
    return _followed_result(result, tape)


class _ForTheseLengths:
    """What is said of an array that was made for lengths and is written as it is."""

    def __repr__(self) -> str:
        return "that for the lengths of the example"


_FOR_THESE_LENGTHS = _ForTheseLengths()


# Errors that a call may raise for reasons of its own, and that the user may be waiting for.
_ORDINARY = (ValueError, LookupError, ArithmeticError, OSError, StopIteration, AssertionError, RuntimeError, Warning)


def _cause(error: BaseException) -> ChainruleError | None:
    """The refusal behind an error that foreign code made of it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ChainruleError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _is_foreign_failure(error: BaseException, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an error comes from foreign code that was handed a stand-in, rather than from the user's own."""
    given = (*args, *kwargs.values())
    if not _any_traced(given) and not any(type(x) in (FunctionType, MethodType) for x in given):
        return False
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is None or is_foreign[last.tb_frame.f_code.co_filename]


def _is_random(function: Any) -> bool:
    """Whether a function draws random numbers with NumPy."""
    owner = getattr(function, "__self__", None)
    return type(owner).__module__.startswith("numpy.random") or isinstance(owner, np.random.RandomState)


def _drawn(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], tape: Tape) -> Any:
    """A random draw with stand-ins among its arguments: they are constants, or arrays to be filled or shuffled."""
    if function.__name__ == "shuffle" and type(args[0]) is Traced:
        array, *rest = args
        places = np.arange(array.value.size).reshape(array.value.shape)
        function(places, *rest, **kwargs)
        array[...] = dispatch_call(np.ravel, (array,), {})[places]
        return None

    def opened(x: Any) -> Any:
        return np.array(x.value) if type(x) is Traced and not x.active and isinstance(x.value, np.ndarray) else x

    named = {k: opened(v) for k, v in kwargs.items()}
    result = function(*[opened(x) for x in args], **named)
    out = kwargs.get("out")
    if type(out) is Traced:
        out[...] = named["out"]
        return out
    return _followed_result(result, tape)


def _any_traced(values: tuple[Any, ...]) -> bool:
    for x in values:
        if type(x) is Traced:
            return True
        if type(x) in (list, tuple) and _any_traced(tuple(x)):
            return True
        if type(x) is dict and _any_traced(tuple(x.values())):
            return True
    return False


def _lookup(table: dict[Any, Any], function: Any) -> Any:
    try:
        return table.get(function)
    except TypeError:
        return None


def _lookup_in(table: frozenset[Any], function: Any) -> bool:
    try:
        return function in table
    except TypeError:
        return False


def _is_known(function: Any) -> bool:
    try:
        if known(function):
            return True
    except TypeError:
        return False
    module = getattr(function, "__module__", None) or ""
    if not module.startswith("scipy"):
        return False
    load_families()
    return known(function)


def _follow_argument(x: Any) -> Any:
    """A function handed to something that will call it, followed too."""
    return followed(x) if type(x) is FunctionType or type(x) is MethodType else x


def _method_of_plain(owner: Any, name: str, args: Any, kwargs: Any, tape: Tape) -> Any:
    """``X.dot(t)``: a method of a plain array with a stand-in among its arguments."""
    if name in _WRITING_METHODS:
        raise refused(
            LinkLostError,
            ".{name}() of a plain array was called with a followed value",
            "the array was made outside of the traced function, and the link would be lost in it",
            "make the array inside the function, or pass it as an argument",
            name=name,
        )
    stand_in = Traced(tape, tape.constant(owner), owner, False)
    return getattr(stand_in, name)(*args, **kwargs)


def _instance(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An instance of a user's class, with its ``__init__`` followed; ``None`` where Python should make it."""
    initialise = cls.__init__  # type: ignore[misc]
    if (
        type(initialise) is not FunctionType
        or is_foreign[initialise.__code__.co_filename]
        or getattr(cls, "__new__", None) is not object.__new__
        or type(cls) is not type
        or getattr(cls, "__abstractmethods__", None)
    ):
        return None
    routed = followed(initialise)
    if routed is initialise:
        return None
    instance = object.__new__(cls)
    routed(instance, *args, **kwargs)
    return instance


def _followed_result(result: Any, tape: Tape) -> Any:
    """Plain arrays that a call gives back, as stand-ins of constants, so that what is done with them is followed."""
    kind = type(result)
    if kind is np.ndarray and result.dtype.kind in "fciub":
        variable = tape.constant(result)
        if result.base is not None or sys.getrefcount(result) > _FRESH_REFERENCES:
            tape.shared.add(variable)  # somebody else holds this memory, and would see what is written
        return Traced(tape, variable, tape.values[variable], False)
    if (kind is tuple or kind is list) and any(type(x) is np.ndarray for x in result):
        return kind(_followed_result(x, tape) for x in result)
    return result


def item(base: Any, key: Any) -> Any:
    """``base[key]`` in a followed function, where the key was computed."""
    kind = type(base)
    if kind is Traced or kind is list or kind is dict or kind is tuple:
        return base[key]
    if kind is np.ndarray:
        if type(key) is Traced or (type(key) is tuple and any(type(k) is Traced for k in key)):
            tape = current_tape()
            if tape is not None:
                return Traced(tape, tape.constant(base), base, False)[key]
        return base[key]
    if base is np.r_ or base is np.c_:
        parts = key if type(key) is tuple else (key,)
        if _any_traced(parts) and not any(isinstance(p, slice | str) for p in parts):
            joined = dispatch_call(
                np.concatenate if base is np.r_ else np.column_stack, ([_at_least_1d(p) for p in parts],), {}
            )
            dtype = np.result_type(*map(value_of, parts))  # here Python's numbers do not widen the arrays
            return joined if joined.dtype == dtype else joined.astype(dtype)
    if base is np.mgrid or base is np.ogrid:
        return _grid(base, key)
    return base[key]


def _grid(base: Any, key: Any) -> Any:
    """``np.mgrid[0:n, 0:m]``, whose lengths are remembered where they are lengths of arrays."""
    parts = key if type(key) is tuple else (key,)
    if not all(type(p) is slice for p in parts):
        return base[key]
    ends = [(p.start or 0, p.stop, 1 if p.step is None else p.step) for p in parts]
    if not any(is_size(x) for own in ends for x in own) or any(isinstance(step, complex) for _, _, step in ends):
        return base[key]
    if all(start == 0 and step == 1 for start, _, step in ends) and type(key) is tuple:
        return call(np.indices, tuple(stop for _, stop, _ in ends), **({"sparse": True} if base is np.ogrid else {}))
    axes = [call(np.arange, *own) for own in ends]
    if type(key) is slice:
        return axes[0]
    arrays = call(np.meshgrid, *axes, indexing="ij", sparse=base is np.ogrid)
    return tuple(arrays) if base is np.ogrid else call(np.stack, list(arrays))


def _at_least_1d(x: Any) -> Any:
    return dispatch_call(np.atleast_1d, (x,), {}) if type(x) is Traced else np.atleast_1d(x)


def text(template: Any, values: Any) -> Any:
    """``"…" % values``: text needs numbers only."""
    formatted = template % plain(values)
    tape = current_tape()
    if tape is not None:
        tape.remember(formatted)
    return formatted


def plain(values: Any) -> Any:
    """What is to be formatted, with the numbers that stand-ins stand for."""
    if type(values) is tuple:
        return tuple(plain(v) for v in values)
    if type(values) is dict:
        return {k: plain(v) for k, v in values.items()}
    return value_of(values)


def stored(value: Any, base: Any) -> Any:
    """The value of ``base[key] = value``, which comes first; refused where it would lose its link in a plain array."""
    if type(base) is np.ndarray and (type(value) is Traced or _any_traced((value,))):
        if type(value) is not Traced or value.active:
            raise refused(
                LinkLostError,
                "a followed value was about to be written into a plain array",
                "the array was made outside of the traced function, and the link would be lost in it",
                "make the array inside the function (np.zeros, np.empty, x.copy()), or pass it as an argument",
            )
        if type(value) is Traced:
            value.tape.guard(value, None)
        return plain(value)
    return value


# What a file whose calls are routed (:func:`chainrule.rewrite.routed_module`) needs among its globals.
HOOKS = {CALL: call, ITEM: item, TEXT: text, STORED: stored, TURNS: turns}
_HOOK_CELLS = {name: CellType(hook) for name, hook in HOOKS.items()}
