"""The array stand-in: NumPy's protocols, operators, methods and attributes.

A :class:`Traced` behaves as the array it stands for and writes down what is done with it.  It is a
mutable handle: writing into it gives it a new variable, and views of it see the change, as they do
in NumPy.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from chainrule.errors import LinkLostError, NotDifferentiableError, UnknownAttributeError
from chainrule.flat import Flat
from chainrule.indexing import get_item
from chainrule.operators import Operators, plain_method
from chainrule.ops import OPERATIONS
from chainrule.protocol import DISPATCH, apply
from chainrule.sizes import Size
from chainrule.tape import ViewLink, layout_of, record, refused, sync, write
from chainrule.writing import cast, is_basic, make_index, overwrite, write_item

__all__ = ["Traced", "primitive", "value_of"]


def value_of(x: Any) -> Any:
    """The concrete value of a stand-in, as it is now; anything else as it is."""
    if type(x) is Traced:
        sync(x)
        return x.value
    return x


def primitive(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function of chainrule's own be followed: recorded on stand-ins, plainly called otherwise."""

    def call(*args: Any, **params: Any) -> Any:
        if any(type(x) is Traced for x in args):
            return record(OPERATIONS[function], args, params)
        return function(*args, **params)

    return call


class Traced(Operators):
    """A followed array: stands for an array of NumPy's while a function is traced.

    It has the array's operators, methods and attributes.  Turning it into a plain number or array
    (``float(t)``, ``np.asarray(t)`` in code that is not followed, ``pickle``) would lose its
    derivative and raises :class:`chainrule.LinkLostError`, unless it does not depend on an input.
    """

    __slots__ = ()

    # ---- NumPy's protocols
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            operation = OPERATIONS.get(ufunc)
            if operation is not None:
                return record(operation, inputs, {})
        return DISPATCH.ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return DISPATCH.call(function, args, kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        sync(self)
        if self.active and not self.tape.closed:
            raise refused(
                LinkLostError,
                "a followed array was about to become a plain array",
                "the code that asked for it (np.asarray, a method of a plain array, an assignment into a plain array "
                "or a function that is not traced) would go on without its derivative",
                "call the NumPy function of that name (np.dot(X, t) for X.dot(t)), make buffers with np.zeros inside "
                "the function, or give the foreign function a rule with chainrule.custom_vjp",
            )
        self.tape.guard(self, None)  # what is done with the plain array depends on these values
        plain = np.array(self.value, dtype=dtype)
        plain.flags.writeable = False
        return plain

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        value = self.value
        return np.ndarray if isinstance(value, np.ndarray) else type(value)

    # ---- becoming plain
    def __float__(self) -> float:
        sync(self)
        if self.active and not self.tape.closed:
            raise refused(
                LinkLostError,
                "a followed value was about to become a Python float",
                "float() keeps the number and loses its derivative",
                "leave float() out; for printing use an f-string or print(t)",
            )
        return float(self._steers(float))

    def __complex__(self) -> complex:
        if self.active and not self.tape.closed:
            return complex(self.__float__())  # raises
        self.tape.guard(self, None)
        return complex(self.value)

    def _steers(self, convert: Callable[[Any], Any]) -> Any:
        sync(self)
        plain = convert(self.value)
        self.tape.guard(self, plain)
        return plain

    def __bool__(self) -> bool:
        return bool(self._steers(bool))

    def __int__(self) -> int:
        return int(self._steers(int))

    __trunc__ = __int__

    def __floor__(self) -> int:
        return int(self._steers(lambda v: int(np.floor(v))))

    def __ceil__(self) -> int:
        return int(self._steers(lambda v: int(np.ceil(v))))

    def __index__(self) -> int:
        if np.asarray(self.value).dtype.kind not in "iub":
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return int(self._steers(operator.index))

    def __round__(self, digits: int | None = None) -> Any:
        return self.__int__() if digits is None else apply(np.round, self, digits)

    def __contains__(self, item: Any) -> bool:
        return bool(apply(np.any, self == item))

    def __len__(self) -> int:
        self.tape.unsure = True
        return len(self.value)

    def __hash__(self) -> int:
        raise refused(
            LinkLostError,
            "a followed value was used as a key of a dict, in a set or in a cache (it has no hash)",
            "the key would be its number, without its derivative",
            "use a plain key; leave out functools.lru_cache while tracing",
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.tape.closed:
            return self.value.__reduce_ex__(protocol)
        raise refused(
            LinkLostError,
            "a followed value was about to be pickled or copied by foreign code",
            "what is read back is a plain array, without its derivative",
            "save results outside of the traced function, or use t.copy()",
        )

    tolist, tobytes, dump, dumps, tofile = map(plain_method, ("tolist", "tobytes", "dump", "dumps", "tofile"))

    def item(self, *args: Any) -> Any:
        """The element, still followed."""
        if args:
            position = args[0] if len(args) == 1 else np.ravel_multi_index(args, self.value.shape)
            if isinstance(position, tuple):
                return self[position]
            return apply(np.ravel, self)[position]
        if self.value.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return apply(np.ravel, self)[0] if isinstance(self.value, np.ndarray) else self

    def __copy__(self) -> Any:
        return apply(np.copy, self)

    def __deepcopy__(self, memo: Any) -> Any:
        return apply(np.copy, self)

    def _text(self, text: str) -> str:
        if self.active:
            self.tape.remember(text)
        return text

    def __repr__(self) -> str:
        sync(self)
        return self._text(repr(self.value))

    def __str__(self) -> str:
        sync(self)
        return self._text(str(self.value))

    def __format__(self, spec: str) -> str:
        sync(self)
        return self._text(format(self.value, spec))

    # ---- attributes
    @property
    def shape(self) -> tuple[int, ...]:
        var = self.variable
        return tuple([Size(n, ("length", var, axis)) for axis, n in enumerate(np.shape(self.value))])

    @shape.setter
    def shape(self, new: Any) -> None:
        raise refused(
            LinkLostError,
            "the shape of a followed array was assigned",
            "views of it could not be followed any more",
            "write x = x.reshape(...)",
        )

    @property
    def size(self) -> int:
        return Size(np.size(self.value), ("size", self.variable))

    ndim = property(lambda self: np.ndim(self.value))

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.asarray(self.value).dtype

    @dtype.setter
    def dtype(self, new: Any) -> None:
        raise refused(
            LinkLostError,
            "the dtype of a followed array was assigned",
            "it reinterprets the bits of the numbers, which has no derivative",
            "write x = x.astype(...)",
        )

    itemsize = property(lambda self: self.dtype.itemsize)
    nbytes = property(lambda self: np.asarray(self.value).nbytes)
    strides = property(lambda self: np.asarray(self.value).strides)
    flags = property(lambda self: np.asarray(self.value).flags)
    base = property(lambda self: None if self.link is None else self.link.base)
    T = property(lambda self: apply(np.transpose, self))
    mT = property(lambda self: apply(np.matrix_transpose, self))  # noqa: N815  NumPy's name

    @property
    def flat(self) -> Flat:
        return Flat(self)

    @flat.setter
    def flat(self, new: Any) -> None:
        Flat(self)[:] = new

    @property
    def real(self) -> Any:
        return apply(np.real, self)

    @real.setter
    def real(self, new: Any) -> None:
        overwrite(self, new + apply(np.imag, self) * 1j) if self.dtype.kind == "c" else overwrite(self, new)

    @property
    def imag(self) -> Any:
        return apply(np.imag, self)

    @imag.setter
    def imag(self, new: Any) -> None:
        overwrite(self, apply(np.real, self) + new * 1j)

    def __getattr__(self, name: str) -> NoReturn:
        plain = type(self.value).__name__
        if not hasattr(self.value, name):
            raise AttributeError(f"{plain!r} object has no attribute {name!r}")
        raise refused(
            UnknownAttributeError,
            ".{name} of a followed value was used",
            "chainrule does not follow this attribute",
            "use the NumPy function for it",
            name=name,
        )

    # ---- indexing
    def __getitem__(self, key: Any) -> Any:
        link = self.link
        if link is not None and link.seen != link.root.version:
            sync(self)
        if self.tape.closed:
            return self.value[tuple(map(value_of, key)) if type(key) is tuple else value_of(key)]
        index, arrays = make_index(key)
        if not arrays:
            value = self.value
            out = value[key] if type(key) is int or type(key) is slice else value[index.key(())]
            if type(out) is np.ndarray:
                layout = out.strides if self.layout is None else layout_of(self)[index.key(())].strides
                if self.owned:
                    out = np.copy(out)
                result = write(self.tape, OPERATIONS[get_item], (self.variable,), {"index": index}, out, self.active)
                result.link = ViewLink(self, OPERATIONS[get_item], (), {"index": index})
                if layout != out.strides:
                    result.layout = layout
                return result
            return write(self.tape, OPERATIONS[get_item], (self.variable,), {"index": index}, out, self.active)
        owned = self.owned
        result = record(OPERATIONS[get_item], (self, *arrays), {"index": index})
        if type(result.value) is np.ndarray and is_basic(index, arrays):
            if owned:
                result.value = self.tape.values[result.variable] = np.copy(result.value)
            result.link = ViewLink(self, OPERATIONS[get_item], arrays, {"index": index})
        self.owned = owned
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        index, arrays = make_index(key)
        if not isinstance(self.value, np.ndarray):
            raise TypeError(f"{type(self.value).__name__!r} object does not support item assignment")
        if type(value) is Traced:
            link = value.link
            # ``x[i] += t`` has written through the view x[i] already; Python now assigns it once more.
            own = link is not None and link.base is self and link.seen == link.root.version and not arrays
            if own and link is not None and link.operation.function is get_item and link.params["index"] == index:
                return
        write_item(self, index, arrays, value)

    def __iter__(self) -> Iterator[Any]:
        if np.ndim(self.value) == 0:
            raise TypeError("iteration over a 0-d array")
        self.tape.unsure = True
        return (self._item(i) for i in range(len(self.value)))

    def _item(self, i: int) -> Any:
        item = self[i]
        if type(item) is Traced and not np.ndim(item.value):
            self.tape.iterated[item.variable] = (self.variable, i)
        return item

    # ---- methods
    def dot(self, b: Any, out: Any = None) -> Any:
        """As ``ndarray.dot``."""
        if out is None:
            return record(OPERATIONS[np.dot], (self, b), {})
        return apply(np.dot, self, b, out=out)

    # ---- methods that are not a NumPy function of the same name and order
    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """As ``ndarray.reshape``."""
        return apply(np.reshape, self, shape[0] if len(shape) == 1 else shape, **kwargs)

    def transpose(self, *given: Any) -> Any:
        """As ``ndarray.transpose``."""
        axes: Any = given
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], tuple | list)):
            axes = axes[0]
        return apply(np.transpose, self, axes) if axes else apply(np.transpose, self)

    def astype(
        self, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
    ) -> Any:
        """As ``ndarray.astype``; a cast to integers has no derivative."""
        target = np.dtype(dtype)
        if target.kind not in "fciub":
            raise refused(
                NotDifferentiableError,
                "a followed array was cast to dtype={target}",
                "no rule applies to elements of this kind, and their derivative would be lost",
                "keep a floating dtype",
                target=target,
            )
        if not np.can_cast(self.dtype, target, casting):  # type: ignore[arg-type]
            raise TypeError(f"Cannot cast array data from {self.dtype} to {target} according to the rule {casting!r}")
        if not copy and target == self.dtype:
            return self
        params = {"dtype": target} if order == "K" else {"dtype": target, "order": order}
        return record(OPERATIONS[cast], (self,), params)

    def copy(self, order: str = "C") -> Any:
        """As ``ndarray.copy``, which is in C order where ``np.copy`` keeps the order."""
        return apply(np.copy, self, order=order)

    def flatten(self, order: str = "C") -> Any:
        """As ``ndarray.flatten``: a copy in one dimension."""
        return apply(np.copy, apply(np.ravel, self) if order == "C" else apply(np.ravel, self, order))

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Any:
        """As ``ndarray.compress``."""
        return apply(np.compress, condition, self, **_given(axis=axis, out=out))

    def fill(self, value: Any) -> None:
        """As ``ndarray.fill``."""
        self[...] = value

    def sort(self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
        """As ``ndarray.sort``: in place."""
        overwrite(self, apply(np.sort, self, axis))

    def partition(self, kth: Any, axis: int = -1, kind: str = "introselect", order: Any = None) -> None:
        """As ``ndarray.partition``: in place."""
        overwrite(self, apply(np.partition, self, kth, axis))

    def put(self, indices: Any, values: Any, mode: str = "raise") -> None:
        """As ``ndarray.put``."""
        apply(np.put, self, indices, values, mode)

    def view(self, *args: Any, **kwargs: Any) -> Any:
        """A view of all of it; views of another dtype cannot be followed."""
        wanted = args[0] if args else kwargs.get("dtype")
        if wanted is None or wanted is np.ndarray or (not isinstance(wanted, type) and wanted == self.dtype):
            return self[...]
        subclass = isinstance(wanted, type) and issubclass(
            wanted, np.ndarray
        )  # into which followed values may be written
        if not self.active and not subclass:
            return np.array(self.__array__()).view(*args, **kwargs)
        raise refused(
            LinkLostError,
            "t.view(...) with another dtype was called",
            "it reinterprets the bits of the numbers, which has no derivative",
            "use .astype(...), .real or .imag",
        )

    def resize(self, *shape: Any, **kwargs: Any) -> NoReturn:
        """Refused: views of the array could not be followed."""
        raise refused(
            LinkLostError,
            "t.resize(...) was called on a followed array",
            "it changes the array's memory in place",
            "use np.resize(t, shape) or t.reshape(shape)",
        )

    def __setstate__(self, state: Any) -> NoReturn:
        raise TypeError("a followed array cannot be unpickled")


def _given(**kwargs: Any) -> dict[str, Any]:
    """The arguments that are not ``None``."""
    return {k: v for k, v in kwargs.items() if v is not None}


def _method(function: Any, *, first: bool = True) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return DISPATCH.call(function, (self, *args), kwargs)

    method.__doc__ = f"As ``np.{function.__name__}``."
    return method


for _name in (
    "all any argmax argmin argpartition argsort choose clip conj conjugate cumprod cumsum diagonal max mean "
    "min nonzero prod ravel repeat round searchsorted squeeze std sum swapaxes take trace var"
).split():
    setattr(Traced, _name, _method(getattr(np, _name)))
