"""Counts the array operations that a piece of NumPy code really executes.

::

    with Recorder() as recorder:
        result = function(*[recorder.wrap(array) for array in arrays])
    recorder.operations(), recorder.scalars(), recorder.views(), recorder.flops(), recorder.bytes()

The unit
--------
operation
    1 each: an executed call or operator of NumPy that reads or writes elements and has an operand or a result with at
    least one axis.  Ufuncs, comparisons, the minus sign and powers among them; reductions, one each, ``mean`` and
    ``var`` too; ``where`` and ``clip``; ``matmul``, ``dot``, ``outer``, ``tensordot``; ``linalg``; ``cumsum`` and
    ``sort``; gathers by an index array or a mask; scatters (``ufunc.at``, ``x[i] = v``, and ``x[i] += v``, which is
    one and not three); copies, and ``astype`` that changes the type; ``concatenate``, ``stack``, ``pad``, ``tile``,
    ``repeat``; ``diag`` that builds a matrix, ``tril``, ``triu``, ``trace``.  ``einsum`` and ``multi_dot`` of k
    operands count as k - 1 and at least 1, for they do the work of so many products.
view
    0: ``reshape``, ``ravel``, transposes, slices, new axes, ``squeeze``, ``broadcast_to``, ``flip``, windows,
    ``split``, ``diagonal``, and questions such as ``.shape``.
allocation
    0: ``zeros_like``, ``empty_like``, ``zeros``, ``eye``, ``arange`` and the like.
scalar
    0, and counted apart: whatever has operands and results without axes only, such as ``2 / n`` or ``norm**2``.

In place or not is the same.  ``flops`` takes the size of the result for elementwise operations, that of the operand for
reductions, 2mkn for products and the usual cubes for ``linalg``.  ``bytes`` adds up operands and results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = ["CountedArray", "Recorder", "unwrap"]

_VIEWS = frozenset(
    "reshape ravel transpose swapaxes moveaxis expand_dims squeeze broadcast_to broadcast_arrays flip"
    " sliding_window_view split array_split diagonal atleast_1d atleast_2d atleast_3d rollaxis flipud fliplr hsplit"
    " vsplit matrix_transpose".split()
)
_QUESTIONS = frozenset(
    "shape ndim size result_type iscomplexobj isscalar can_cast broadcast_shapes may_share_memory shares_memory".split()
)
_ALLOCATIONS = frozenset("zeros_like ones_like empty_like full_like".split())
_PRODUCTS = frozenset("matmul dot inner vdot tensordot einsum multi_dot".split())
_CUBES = {
    "cholesky": 1 / 3,
    "slogdet": 2 / 3,
    "det": 2 / 3,
    "solve": 2 / 3,
    "inv": 2.0,
    "svd": 9.0,
    "eigh": 9.0,
    "qr": 9.0,
}


@dataclass
class Event:
    """One thing that NumPy was asked to do."""

    name: str
    kind: str
    count: int
    flops: int
    bytes: int


_active: list[Recorder] = []
"""The recorders in use, the innermost last: an array that is counted does not know by which one."""


class Recorder:
    """Records what is done with the arrays it has wrapped, and with what comes of them, while it is entered."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __enter__(self) -> Recorder:
        _active.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _active.pop()

    def wrap(self, value: Any) -> Any:
        """The value with its arrays and NumPy's numbers counted; everything else, such as a float, as it is."""
        if isinstance(value, tuple):
            return tuple(self.wrap(part) for part in value)
        return CountedArray(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value

    def mark(self) -> int:
        """The present position, for the arguments ``start`` and ``stop`` of the counts."""
        return len(self.events)

    def _total(self, kind: str, field: str, start: int, stop: int | None) -> int:
        return sum(getattr(event, field) for event in self.events[start:stop] if event.kind == kind)

    def operations(self, start: int = 0, stop: int | None = None) -> int:
        return self._total("operation", "count", start, stop)

    def scalars(self, start: int = 0, stop: int | None = None) -> int:
        return self._total("scalar", "count", start, stop)

    def views(self, start: int = 0, stop: int | None = None) -> int:
        return self._total("view", "count", start, stop)

    def flops(self, start: int = 0, stop: int | None = None) -> int:
        return self._total("operation", "flops", start, stop)

    def bytes(self, start: int = 0, stop: int | None = None) -> int:
        return self._total("operation", "bytes", start, stop)

    def names(self, start: int = 0, stop: int | None = None) -> list[str]:
        """The names of the operations, in the order of execution."""
        return [event.name for event in self.events[start:stop] if event.kind == "operation"]


def unwrap(value: Any) -> Any:
    """The value with plain arrays in place of counted ones, in tuples, lists and dictionaries too."""
    if isinstance(value, CountedArray):
        return value.plain
    if isinstance(value, tuple):
        return tuple(unwrap(part) for part in value)
    if isinstance(value, list):
        return [unwrap(part) for part in value]
    if isinstance(value, dict):
        return {key: unwrap(part) for key, part in value.items()}
    return value


def _arrays(value: Any) -> Iterator[np.ndarray]:
    """The arrays and NumPy's numbers in a tree of operands."""
    if isinstance(value, CountedArray):
        yield value.plain
    elif isinstance(value, np.ndarray | np.generic):
        yield np.asarray(value)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _arrays(part)
    elif isinstance(value, dict):
        yield from _arrays(list(value.values()))


def _flops(name: str, operands: list[np.ndarray], results: list[np.ndarray]) -> int:
    written = max((array.size for array in results), default=0)
    read = max((array.size for array in operands), default=0)
    if name in _PRODUCTS:
        if len(operands) >= 2 and written:
            # Of (m, k) by (k, n) the sizes mk, kn and mn multiply to the square of mkn.
            return 2 * round(math.sqrt(float(operands[0].size) * operands[1].size * written))
        return 2 * read
    if name in _CUBES:
        order = operands[0].shape[-1]
        substitution = 2 * order * operands[1].size if name == "solve" and len(operands) > 1 else 0
        return int(_CUBES[name] * order**3 + substitution)
    return max(written, read)


def _record(name: str, kind: str, operands: Any, result: Any, count: int = 1) -> None:
    if not _active:
        return
    read, written = list(_arrays(operands)), list(_arrays(result))
    if kind == "operation" and not any(array.ndim for array in read + written):
        kind = "scalar"
    moved = sum(array.nbytes for array in read + written)
    _active[-1].events.append(Event(name, kind, count, _flops(name, read, written) * count, moved))


def _counted(result: Any) -> Any:
    if isinstance(result, np.ndarray | np.generic):
        return CountedArray(np.asarray(result))
    if isinstance(result, list):
        return [_counted(part) for part in result]
    if isinstance(result, tuple):
        # The named tuples of np.linalg have fields that code asks for by name.
        parts = [_counted(part) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    return result


def _is_gather(key: Any) -> bool:
    """Whether an index copies elements: an array of indices or a mask does, while slices and integers view."""
    for part in key if isinstance(key, tuple) else (key,):
        part = unwrap(part)
        if isinstance(part, list) or (isinstance(part, np.ndarray) and (part.ndim > 0 or part.dtype == bool)):
            return True
    return False


@dataclass
class _Origin:
    """Where a value was read from, which tells ``x[key] += v`` from a read, an addition and a write of their own."""

    source: CountedArray
    key: Any
    event: Event | None
    gathered: bool
    in_place: bool = False


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def call(self: CountedArray, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    return call


class CountedArray(NDArrayOperatorsMixin):
    """An array in disguise: NumPy hands every operation on it to the methods below, which count it."""

    __slots__ = ("origin", "plain")
    __array_priority__ = 1000

    def __init__(self, plain: np.ndarray) -> None:
        self.plain = plain
        self.origin: _Origin | None = None

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **kwargs: Any) -> Any:
        plain = [unwrap(operand) for operand in operands]
        plain_kwargs = {name: unwrap(value) for name, value in kwargs.items()}
        result = getattr(ufunc, method)(*plain, **plain_kwargs)
        if method == "at":
            _record(f"{ufunc.__name__}.at", "operation", plain[1:], plain[0])
            return None
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        outs = kwargs.pop("out", None)
        _record(name, "operation", [plain, list(kwargs.values())], result)
        if outs is None:
            return _counted(result)
        out = outs[0]
        if isinstance(out, CountedArray) and out.origin is not None:
            out.origin.in_place = True
        return out

    def __array_function__(self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = function.__name__
        result = function(*unwrap(args), **unwrap(kwargs))
        if name in _QUESTIONS:
            return result
        kind, count = "operation", 1
        if name in _VIEWS or (name == "diag" and np.ndim(unwrap(args[0])) == 2):
            kind = "view"
        elif name in _ALLOCATIONS:
            kind = "allocation"
        elif name == "einsum":
            count = max(1, sum(isinstance(arg, CountedArray | np.ndarray) for arg in args) - 1)
        elif name == "multi_dot":
            count = max(1, len(args[0]) - 1)
        _record(name, kind, [args, kwargs], result, count)
        return _counted(result)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        # Silently becoming a plain array would make everything that follows free.
        raise TypeError(
            "a counted array met code that makes a plain array of it, such as np.asarray or an assignment into the "
            "result of np.zeros: write np.zeros_like, or operators and functions of NumPy, so that it can be counted"
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return self.plain.shape

    @property
    def ndim(self) -> int:
        return self.plain.ndim

    @property
    def size(self) -> int:
        return self.plain.size

    @property
    def dtype(self) -> Any:
        return self.plain.dtype

    @property
    def nbytes(self) -> int:
        return self.plain.nbytes

    @property
    def T(self) -> Any:
        return self.transpose()

    @property
    def mT(self) -> Any:
        return np.swapaxes(self, -1, -2)

    def __len__(self) -> int:
        return len(self.plain)

    def __float__(self) -> float:
        return float(self.plain)

    def __int__(self) -> int:
        return int(self.plain)

    def __index__(self) -> int:
        return self.plain.__index__()

    def __bool__(self) -> bool:
        return bool(self.plain)

    def __iter__(self) -> Iterator[Any]:
        return (self[position] for position in range(len(self.plain)))

    def __repr__(self) -> str:
        return f"CountedArray({self.plain!r})"

    def __getitem__(self, key: Any) -> Any:
        result = self.plain[unwrap(key)]
        gathered = _is_gather(key)
        _record("gather" if gathered else "slice", "operation" if gathered else "view", [self, key], result)
        found = _counted(result)
        found.origin = _Origin(self, key, _active[-1].events[-1] if _active else None, gathered)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        origin = value.origin if isinstance(value, CountedArray) else None
        if origin is not None and origin.in_place and origin.source is self and origin.key is key:
            # Python runs `x[key] += v` as a read, an addition in place and a write with the same key.  It is one
            # operation; the write matters unless the read was a view.
            self.plain[unwrap(key)] = value.plain
            if origin.gathered and origin.event is not None:
                origin.event.kind = "view"
            return
        self.plain[unwrap(key)] = unwrap(value)
        _record("setitem", "operation", [key, value], self)

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **kwargs)

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None)

    def flatten(self) -> Any:
        return self.ravel()

    def copy(self) -> Any:
        return np.copy(self)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        result = self.plain.astype(dtype)
        _record("astype", "view" if result.dtype == self.dtype else "operation", [self], result)
        return _counted(result)

    def item(self) -> Any:
        return self.plain.item()

    def fill(self, value: Any) -> None:
        self.plain.fill(unwrap(value))
        _record("fill", "operation", [value], self)


# The methods that NumPy has as functions of the same name.
for _name in (
    "sum mean max min prod var std argmax argmin cumsum cumprod all any clip dot trace squeeze swapaxes diagonal ravel"
    " repeat take argsort"
).split():
    setattr(CountedArray, _name, _method(_name))
del _name
