"""Calls that need more than a row of the table: creation, in-place functions, questions about arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.dispatch import HANDLERS, as_array, call, handler, into
from chainrule.errors import LinkLostError
from chainrule.language import message
from chainrule.ops import MADE, OPERATIONS, Operation
from chainrule.parameters import static
from chainrule.sizes import Size
from chainrule.tape import Tape, ViewLink, current_tape, record, refused, write
from chainrule.traced import Traced, value_of
from chainrule.turns import turns
from chainrule.writing import make_index, write_item

__all__ = ["CREATORS", "EINSUM", "SUBSTITUTES", "create", "creation", "einsum"]

# Functions that NumPy does not hand over (no protocol reaches a stand-in through them), answered where
# the call itself is followed.  ``SUBSTITUTES`` are called whenever an argument is a stand-in or a size.
SUBSTITUTES: dict[Any, Callable[..., Any]] = {}

_SIZE, _SHAPE = message("a size"), message("the shape")
_creators: dict[Any, Operation] = {}


def _creator(function: Any) -> Operation:
    found = _creators.get(function)
    if found is None:
        spelling = f"np.{function.__name__}"
        found = Operation(
            function.__name__, function, "constant", because=message("it makes a new array"), spelling=spelling
        )
        _creators[function] = found
    return found


CREATORS: frozenset[Any] = frozenset(
    getattr(np, name)
    for name in (
        "zeros ones empty eye identity arange linspace logspace geomspace tri full indices "
        "hamming hanning blackman bartlett"
    ).split()
)


def creation(function: Any, count: int) -> Operation:
    """The operation that makes an array from plain numbers, of which ``count`` are given by position."""
    return _positional(_creator(function), count)


def create(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], tape: Tape) -> Any:
    """Call a function that makes an array from plain numbers, as a step; the array may be written."""
    args = tuple(static(a, _SIZE) for a in args)
    kwargs = {k: static(v, f"{k}=") for k, v in kwargs.items()}
    if function is np.empty:
        function = np.zeros  # what np.empty holds is arbitrary: zeros are as good, and deterministic
    out = function(*args, **kwargs)
    if type(out) is not np.ndarray:
        return out
    params = {f"argument {k}": a for k, a in enumerate(args)} | kwargs
    result = write(tape, _positional(_creator(function), len(args)), (), params, out, False)
    result.owned = out.base is None or function in (np.arange, np.eye)
    return result


_positional_cache: dict[tuple[Operation, int], Operation] = {}


def _positional(operation: Operation, count: int) -> Operation:
    """The creation operation whose first ``count`` statics are given by position."""
    key = (operation, count)
    if key not in _positional_cache:
        function = operation.function

        def evaluate(**params: Any) -> Any:
            args = [params.pop(f"argument {k}") for k in range(count)]
            return function(*args, **params)

        _positional_cache[key] = Operation(
            operation.name, evaluate, "constant", because=operation.because, spelling=operation.spelling
        )
        MADE[_positional_cache[key]] = ("creation", operation, count)
    return _positional_cache[key]


def substitute(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Answer calls of ``functions`` that have a stand-in among their arguments."""

    def register(answer: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            SUBSTITUTES[function] = answer
        return answer

    return register


@substitute(np.array)
def _array(
    obj: Any,
    dtype: Any = None,
    *,
    copy: Any = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    like: Any = None,
) -> Any:
    result = as_array(obj, dtype)
    if result is obj and copy:
        result = call(np.copy, (obj,), {"order": order})
    result = _in_order(result, order)
    if type(result) is Traced and not isinstance(result.value, np.ndarray):
        result = call(np.reshape, (result, ()), {})
    if np.ndim(value_of(result)) < ndmin:
        result = call(np.reshape, (result, (1,) * (ndmin - result.ndim) + tuple(result.shape)), {})
    if type(result) is Traced:
        result.owned = result.link is None and result is not obj and isinstance(result.value, np.ndarray)
    return result


def _in_order(x: Any, order: Any) -> Any:
    """``x`` itself where it is laid out in this order in memory, a copy that is otherwise."""
    value = value_of(x)
    fits = {"C": lambda: value.flags.c_contiguous, "F": lambda: value.flags.f_contiguous}.get(order)
    if fits is None or not isinstance(value, np.ndarray) or fits():
        return x
    return call(np.copy, (x,), {"order": order})


@substitute(np.asarray, np.asanyarray)
def _asarray(a: Any, dtype: Any = None, order: Any = None, **_: Any) -> Any:
    return _in_order(as_array(a, dtype), order)


@substitute(np.ascontiguousarray, np.asarray_chkfinite)
def _ascontiguousarray(a: Any, dtype: Any = None, **_: Any) -> Any:
    return _in_order(call(np.atleast_1d, (as_array(a, dtype),), {}), "C")


@substitute(np.asfortranarray)
def _asfortranarray(a: Any, dtype: Any = None, **_: Any) -> Any:
    return _in_order(as_array(a, dtype), "F")


@substitute(np.full)
def _full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> Any:
    value = as_array(fill_value, dtype)
    result = call(np.copy, (call(np.broadcast_to, (value, static(shape, _SHAPE)), {}),), {})
    return result


@handler(np.full_like)
@substitute(np.full_like)
def _full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
) -> Any:
    wanted = np.shape(a) if shape is None else static(shape, _SHAPE)
    return _full(wanted, fill_value, dtype or as_array(a).dtype)


@substitute(np.arange)
def _arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    if stop is None:
        start, stop = 0, start
    count = len(np.arange(value_of(start), value_of(stop), value_of(step)))
    result = start + np.arange(count) * step
    return result if dtype is None else as_array(result, dtype)


_TO_FLOAT = Operation("float", float, "elementwise", (), (lambda out, x: 1,), spelling="float")
MADE[_TO_FLOAT] = ("own", _TO_FLOAT, "float")


@substitute(float)
def _float(x: Any = 0.0) -> Any:
    """``float(t)`` where the call is followed: still followed, and a Python float in all else."""
    if np.ndim(value_of(x)) != 0:
        raise TypeError("only 0-dimensional arrays can be converted to Python scalars")
    if np.iscomplexobj(value_of(x)):
        raise TypeError("float() argument must be a real number, not 'complex'")
    return record(_TO_FLOAT, (x,), {})


@substitute(np.float64)
def _float64(x: Any = 0.0) -> Any:
    return x.astype(np.float64)


@substitute(np.float32)
def _float32(x: Any) -> Any:
    return x.astype(np.float32)


@substitute(len)
def _len(x: Any) -> Any:
    if type(x) is Traced:
        return x.shape[0] if np.ndim(value_of(x)) else len(x)
    tape = current_tape()
    known = None if tape is None or tape.loops is None else tape.items.get(id(x))
    if known is not None and known[2] is x and known[3] == len(x):
        return Size(len(x), ("value", known[0]))
    return len(x)


@substitute(sum)
def _sum(items: Any, /, start: Any = 0) -> Any:
    for x in turns("for", items):
        start = start + x
    return start


@substitute(np.vectorize.__call__)
def _vectorize(vectorized: np.vectorize, *args: Any, **kwargs: Any) -> Any:
    """``np.vectorize(f)(x, …)``: f element by element, its results stacked."""
    if kwargs or vectorized.signature is not None or vectorized.excluded:
        raise refused(
            LinkLostError,
            "np.vectorize with keyword arguments, a signature or excluded arguments was called on a followed array",
            "its loop over the elements is not followed",
            "write the function on whole arrays, or a loop that fills an array",
        )
    arrays: list[Any] = list(np.broadcast_arrays(*[as_array(a) for a in args]))
    shape = np.shape(arrays[0])
    for tape in {id(a.tape): a.tape for a in arrays if type(a) is Traced}.values():
        tape.unsure = True  # the length decides how many steps are written down
    flat = [call(np.ravel, (a,), {}) if type(a) is Traced else np.ravel(a) for a in arrays]
    results = [vectorized.pyfunc(*(a[k] for a in flat)) for k in range(math.prod(shape))]
    return call(np.reshape, (as_array(results), tuple(map(int, shape))), {}) if results else arrays[0]


@substitute(type)
def _type(x: Any) -> type:
    """What a stand-in stands for."""
    found: type = x.__class__
    return found


# ---- questions about arrays, answered at once
@handler(np.shape)
def _shape(a: Any) -> Any:
    return as_array(a).shape


@handler(np.ndim)
def _ndim(a: Any) -> int:
    return int(np.ndim(value_of(as_array(a))))


@handler(np.size)
def _size(a: Any, axis: Any = None) -> Any:
    array = as_array(a)
    return array.size if axis is None else array.shape[axis]


def _plain(x: Any) -> Any:
    if isinstance(x, list | tuple):
        return type(x)(_plain(e) for e in x)
    return value_of(x)


def _question(function: Any) -> None:
    def answer(*args: Any, **kwargs: Any) -> Any:
        result = function(*_plain(args), **{k: _plain(v) for k, v in kwargs.items()})
        tape = current_tape()
        if type(result) is str and tape is not None:
            tape.remember(result)
        return result

    HANDLERS[function] = answer


for _name in (
    "result_type can_cast min_scalar_type iscomplexobj isrealobj may_share_memory common_type einsum_path array_repr "
    "array_str array2string broadcast_shapes"
).split():
    _question(getattr(np, _name))


@handler(np.shares_memory)
def _shares_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    def root(x: Any) -> Any:
        return x if type(x) is not Traced or x.link is None else x.link.root

    return root(a) is root(b) or bool(np.shares_memory(value_of(a), value_of(b)))


# ---- functions that write into an array
def _target(array: Any) -> Any:
    """The array that a function is about to write into; refused where it is plain."""
    if type(array) is not Traced:
        into(array, array)
    return array


@handler(np.copyto)
def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    target = _target(dst)
    target[...] = src if where is True else np.where(where, src, target)


@handler(np.fill_diagonal)
def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    target = _target(a)
    places = _diagonal_places(target, wrap)
    if isinstance(val, int | float):
        target[places] = val
        return
    values = as_array(val)
    count = len(places[0])
    if np.ndim(value_of(values)) > 0 and np.shape(value_of(values)) != (count,):
        values = call(np.resize, (values, (count,)), {}) if type(values) is Traced else np.resize(values, count)
    target[places] = values


def _diagonal_places(target: Any, wrap: bool) -> tuple[Any, ...]:
    """The indices of the elements that ``np.fill_diagonal`` writes."""
    tape = current_tape()
    lengths = target.shape
    if len(lengths) == 2 and lengths[0] == lengths[1] and tape is not None and tape.names is not None:
        # Of a length that has a name: what is written holds for other lengths.
        return (create(np.arange, (lengths[0],), {}, tape),) * 2
    positions = np.zeros(np.shape(value_of(target)), dtype=bool)
    np.fill_diagonal(positions, True, wrap)
    return positions.nonzero()


@handler(np.put)
def _put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    target = _target(a)
    size = int(np.size(value_of(target)))
    indices = as_array(ind)
    if type(indices) is Traced:
        indices = value_of(indices)
    indices = {"clip": lambda i: np.clip(i, 0, size - 1), "wrap": lambda i: i % size}.get(mode, lambda i: i)(indices)
    values = as_array(v)
    indices = np.ravel(indices)
    if np.ndim(value_of(values)) > 0 and np.size(value_of(values)) != indices.size:
        values = call(np.resize, (values, (indices.size,)), {})
    target[np.unravel_index(indices % size if size else indices, np.shape(value_of(target)))] = (
        call(np.ravel, (values,), {}) if np.ndim(value_of(values)) > 1 else values
    )


@handler(np.place)
def _place(arr: Any, mask: Any, vals: Any) -> None:
    target = _target(arr)
    mask = np.asarray(value_of(as_array(mask))).astype(bool)
    count = int(mask.sum())
    if count:
        target[mask] = call(np.resize, (as_array(vals), (count,)), {})


@handler(np.putmask)
def _putmask(a: Any, mask: Any, values: Any) -> None:
    target = _target(a)
    shape = tuple(map(int, np.shape(value_of(target))))
    target[...] = np.where(mask, call(np.resize, (as_array(values), shape), {}), target)


@handler(np.put_along_axis)
def _put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    target = _target(arr)
    if axis is None:
        target = call(np.reshape, (target, (-1,)), {})
        axis = 0
    shape = np.shape(value_of(indices))
    axis = axis % len(shape)
    grids = [np.arange(n).reshape([-1 if k == d else 1 for k in range(len(shape))]) for d, n in enumerate(shape)]
    target[tuple(indices if d == axis else grid for d, grid in enumerate(grids))] = values


def _at(combine: Callable[[Any], Any]) -> Callable[..., None]:
    def answer(array: Any, indices: Any, values: Any) -> None:
        index, arrays = make_index(indices)
        write_item(array, index, arrays, combine(values), add=True)

    return answer


HANDLERS[np.add, "at"] = _at(lambda values: values)
HANDLERS[np.subtract, "at"] = _at(lambda values: -as_array(values))


def sequential_at(ufunc: np.ufunc, array: Any, indices: Any, *values: Any) -> None:
    """``ufunc.at`` in turn, one repetition of each index at a time."""
    shape = np.shape(value_of(array))
    positions = np.arange(math.prod(shape)).reshape(shape)[_plain(indices)]
    targets = np.atleast_1d(positions).ravel()
    seconds = [call(np.ravel, (call(np.broadcast_to, (as_array(v), np.shape(positions)), {}),), {}) for v in values]
    flat = array.flat
    for k, place in enumerate(targets):
        flat[int(place)] = ufunc(flat[int(place)], *[v[k] for v in seconds])


HANDLERS["at"] = sequential_at


@handler(np.einsum)
def _einsum(*args: Any, **kwargs: Any) -> Any:
    out = kwargs.pop("out", None)
    subscripts, operands, params = EINSUM["normalise"](args, kwargs)
    params = {k: v for k, v in params.items() if k in ("optimize", "dtype")}
    params["subscripts"] = subscripts
    result = record(OPERATIONS[np.einsum], tuple(operands), params, einsum)
    source = operands[0]
    if len(operands) == 1 and type(source) is Traced and np.may_share_memory(result.value, source.value):
        # A diagonal or a transpose: NumPy returns a view.
        result.link = ViewLink(source, replace(OPERATIONS[np.einsum], function=einsum), (), params)
    return result if out is None else into(out, result)


EINSUM: dict[str, Callable[..., Any]] = {}


def einsum(*operands: Any, subscripts: str, **params: Any) -> Any:
    """``np.einsum`` with the subscripts last, as a step holds them."""
    return np.einsum(subscripts, *operands, **params)
