"""Writing into followed arrays: a new variable for the array, and for everything it is a view of."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from chainrule import tape as tape_module
from chainrule.errors import LinkLostError, NotDifferentiableError
from chainrule.indexing import (
    HOLE,
    Index,
    add_item,
    add_item_in_place,
    get_item,
    set_item,
    set_item_in_place,
)
from chainrule.language import message
from chainrule.ops import MADE, OPERATIONS, Operation
from chainrule.sizes import Size
from chainrule.tape import Handle, ViewLink, record, refused, sync

__all__ = ["cast", "is_basic", "make_index", "overwrite", "write_item"]


def cast(x: Any, *, dtype: np.dtype[Any], order: Any = "K") -> Any:
    """``x.astype(dtype)``, dropping an imaginary part without a warning."""
    if dtype.kind != "c" and np.iscomplexobj(x):
        x = x.real
    return (
        np.asarray(x).astype(dtype)[()] if np.ndim(x) == 0 and not isinstance(x, np.ndarray) else x.astype(dtype, order)
    )


def overwrite(x: Any, result: Any) -> None:
    """Give all of ``x`` the values of ``result``, as ``x[...] = result`` does."""
    if isinstance(result, Handle) and type(result.value) is np.ndarray and result.value.shape == x.value.shape:
        if result.value.dtype != x.value.dtype:
            if not np.can_cast(result.value.dtype, x.value.dtype, "same_kind"):
                _lossy_write(x.value.dtype, result.value.dtype)
            result = record(OPERATIONS[cast], (result,), {"dtype": x.value.dtype})
        sync(x)
        _check_shared(x)
        value = result.value
        if value.strides != x.value.strides:
            value = np.empty_like(x.value)  # NumPy writes into the array, which keeps its layout
            value[...] = result.value
            _keep_layout(x, x.value, value)
            x.tape.values[result.variable] = value
        x.variable, x.value, x.active = result.variable, value, result.active
        x.owned = result.owned = False
        _written(x)
    else:
        write_item(x, Index((Ellipsis,), single=True), (), result)


def _lossy_write(to: np.dtype[Any], of: np.dtype[Any]) -> NoReturn:
    raise refused(
        LinkLostError,
        "{of} values were about to be written into an array of {to}",
        "they would be truncated, and the derivative lost with them",
        "make the array of a floating dtype (np.zeros(n) rather than np.zeros(n, dtype=int))",
        of=of,
        to=to,
    )


def _check_shared(x: Any) -> None:
    """Refuse a write into memory that others hold too, and would see changed."""
    if x.tape.closed:
        raise refused(
            LinkLostError,
            "an array of a traced call was written after that call had ended",
            "the array was stored somewhere (an attribute, a list, a global) while the function ran",
            "write into a copy (x = np.array(x))",
        )
    if x.tape.shared and x.variable in x.tape.shared:
        raise refused(
            LinkLostError,
            "an array was about to be written whose memory is shared: with another argument, or with a plain array",
            "the other one would not see the change",
            "write into a copy (x = x.copy())",
        )


def _keep_layout(x: Any, old: Any, new: Any) -> None:
    """Remember how NumPy's array lies in memory where a copy of it lies otherwise: later views depend on it."""
    if x.layout is None and new.strides != old.strides:
        x.layout = old.strides


def write_item(x: Any, index: Index, arrays: tuple[Any, ...], value: Any, *, add: bool = False) -> None:
    """``x[index] = value`` (or ``np.add.at``): a new variable for ``x``, and for all it is a view of."""
    sync(x)
    tape = x.tape
    dtype = x.value.dtype
    if isinstance(value, Handle):
        sync(value)
        if value.active and dtype.kind not in "fc":
            _lossy_write(dtype, np.asarray(value.value).dtype)
        if value.active and dtype.kind == "f" and np.iscomplexobj(value.value):
            _lossy_write(dtype, value.value.dtype)
    _check_shared(x)
    operation = OPERATIONS[add_item if add else set_item]
    in_place = add_item_in_place if add else set_item_in_place
    buffer = x.value
    fresh = x.owned
    if isinstance(value, Handle) and value.value is buffer:
        fresh = False

    def evaluate(old: Any, new: Any, *positions: Any, index: Index) -> Any:
        nonlocal buffer
        if not fresh:
            buffer = np.copy(old)
            _keep_layout(x, old, buffer)
        return in_place(buffer, new, *positions, index=index)

    old_variable = x.variable
    result = record(operation, (x, value, *arrays), {"index": index}, evaluate)
    if fresh:
        tape.values[old_variable] = _gone(buffer)
    x.variable, x.value, x.active = result.variable, result.value, result.active
    x.owned = True
    _written(x)


_GONE: dict[np.dtype[Any], np.ndarray[Any, Any]] = {}


def _gone(buffer: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An array of the shape of one that has been overwritten: NaN throughout, without memory of its own."""
    scalar = _GONE.get(buffer.dtype)
    if scalar is None:
        fill = np.nan if buffer.dtype.kind in "fc" else 0
        scalar = _GONE[buffer.dtype] = np.array(fill, dtype=buffer.dtype)
    return np.broadcast_to(scalar, buffer.shape)


def _written(x: Any) -> None:
    """Pass a write on to what ``x`` is a view of, and tell the other views."""
    link = x.link
    if link is None:
        x.version += 1
        return
    base = link.base
    operation, params = link.operation, link.params
    if operation.function is get_item:
        write_item(base, params["index"], link.arrays, x)
    elif operation.function in (np.real, np.imag):
        other = record(OPERATIONS[np.imag if operation.function is np.real else np.real], (base,), {})
        real, imaginary = (x, other) if operation.function is np.real else (other, x)
        overwrite(base, real + imaginary * 1j)
    else:
        _write_through(base, link, x)
    link.seen = link.root.version


def _write_through(base: Any, link: ViewLink, x: Any) -> None:
    """Write a rearranged view back, by asking the rearrangement where each element came from."""
    shape = base.value.shape
    # Laid out in memory as the base is, for the sake of order="K" and order="A".
    positions = np.empty_like(base.value, dtype=np.intp)
    positions[...] = np.arange(base.value.size).reshape(shape)
    moved = link.operation.function(positions, **link.params)
    if isinstance(moved, tuple | list):
        raise refused(
            LinkLostError,
            "one of several views made by one call was written to",
            "chainrule does not follow writes through them",
            "write to the array itself, by slices",
        )
    if moved.size == positions.size and moved.shape != () and np.array_equal(moved.ravel(), positions.ravel()):
        overwrite(base, record(OPERATIONS[np.reshape], (x,), {"shape": shape}))
        return
    where = np.unravel_index(moved, shape)
    index, arrays = make_index(tuple(where))
    write_item(base, index, arrays, x)


def make_index(key: Any) -> tuple[Index, tuple[Any, ...]]:
    """Split what stands between the brackets into an :class:`Index` and its array operands."""
    if type(key) is int or (type(key) is slice and _static(key.start) and _static(key.stop) and _static(key.step)):
        return Index((key,), single=True), ()
    single = type(key) is not tuple
    parts: list[Any] = []
    arrays: list[Any] = []
    for part in (key,) if single else key:
        kind = type(part)
        if kind is int or kind is Size or part is None or part is Ellipsis or kind is bool:
            parts.append(part)
        elif kind is slice:
            parts.append(slice(_bound(part.start), _bound(part.stop), _bound(part.step)))
        elif isinstance(part, Handle):
            if part.value.dtype.kind not in "iub":
                raise refused(
                    NotDifferentiableError,
                    "an array was indexed with values of dtype {dtype}",
                    "an index must be an integer or a mask",
                    "use .astype(int), which has no derivative, if that is what is meant",
                    dtype=part.value.dtype,
                )
            sync(part)
            if part.owned:
                part.owned = False
            parts.append(HOLE)
            arrays.append(part)
        elif isinstance(part, list | tuple | np.ndarray | np.bool):
            whole = _gone_through(part) if isinstance(part, list | tuple) else None
            if whole is not None:
                parts.append(HOLE)
                arrays.append(whole)
                continue
            converted = tape_module._convert(part) if isinstance(part, list | tuple) else np.asarray(part)
            if isinstance(converted, np.ndarray) and converted.size == 0 and isinstance(part, list | tuple):
                converted = converted.astype(int)
            parts.append(HOLE)
            arrays.append(converted)
        elif kind is range:
            parts.append(HOLE)
            arrays.append(_positions(part))
        elif isinstance(part, str):
            raise refused(
                NotDifferentiableError,
                "a followed array was indexed with the field name {part}",
                "structured arrays are not followed",
                "keep each field in an array of its own",
                part=repr(part),
            )
        else:
            parts.append(operator.index(part))
    return Index(tuple(parts), single), tuple(arrays)


def _gone_through(items: Sequence[Any]) -> Any:
    """The vector of whole numbers whose items these are, all of them in order, as ``list(y)`` in an index is."""
    if not items or not all(isinstance(x, Handle) and x.variable in x.tape.iterated for x in items):
        return None
    tape = items[0].tape
    places = [tape.iterated.get(x.variable, (-1, -1)) for x in items]
    variable = places[0][0]
    value = tape.values[variable] if variable >= 0 else None
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in "iu":
        return None
    if places != [(variable, k) for k in range(len(value))]:
        return None
    return tape_module.Traced(tape, variable, value, False)


def _arange(**params: Any) -> Any:
    return np.arange(*params.values())


_ARANGE = Operation("arange", _arange, "constant", because=message("it makes a new array"), spelling="np.arange")
MADE[_ARANGE] = ("own", _ARANGE, "arange")


def _positions(part: range) -> Any:
    """``range(n)`` in an index, as ``np.arange(n)``."""
    tape = tape_module.current_tape()
    array = np.arange(part.start, part.stop, part.step)
    if tape is None:
        return array
    args = tape.ranges.get(id(part), (part, (part.start, part.stop, part.step)))[1]
    if len(args) == 3 and type(args[2]) is int and args[2] == 1:
        args = args[:2]
    if len(args) == 2 and type(args[0]) is int and args[0] == 0:
        args = args[1:]
    # It has no name: what the statement gives a name to is what is read at these places.
    code, offset = tape_module.here() if tape.origin is None else tape.origin
    before, tape.origin = tape.origin, (code, ~offset if offset >= 0 else offset)
    try:
        return tape_module.write(tape, _ARANGE, (), {f"argument {k}": a for k, a in enumerate(args)}, array, False)
    finally:
        tape.origin = before


def _static(bound: Any) -> bool:
    return bound is None or type(bound) is int


def _bound(bound: Any) -> Any:
    """An end of a slice: a plain integer, a size, or nothing."""
    if bound is None or type(bound) in (int, Size):
        return bound
    return operator.index(bound)


def is_basic(index: Index, arrays: tuple[Any, ...]) -> bool:
    """Whether NumPy returns a view for this index."""
    values = [a.value if isinstance(a, Handle) else a for a in arrays]
    return all(np.ndim(v) == 0 and np.asarray(v).dtype.kind != "b" for v in values)
