"""The operators of the stand-in (``a + b``, ``a @ b``, ``a += b``, ``a < b``), and its methods that give numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import LinkLostError
from chainrule.ops import OPERATIONS
from chainrule.tape import Handle, record, refused, sync
from chainrule.writing import overwrite

__all__ = ["Operators", "plain_method"]

_KNOWN_OPERANDS = (Handle, int, float, complex, np.generic, np.ndarray, list, tuple)


def _operator(function: Callable[..., Any], ufunc: np.ufunc, *, reflected: bool = False) -> Callable[[Any, Any], Any]:
    if reflected:

        def method(self: Any, other: Any) -> Any:
            if not isinstance(other, _KNOWN_OPERANDS):
                return NotImplemented
            return record(OPERATIONS[ufunc], (other, self), {}, function)
    else:

        def method(self: Any, other: Any) -> Any:
            if type(other) is not type(self) and not isinstance(other, _KNOWN_OPERANDS):
                return NotImplemented
            return record(OPERATIONS[ufunc], (self, other), {}, function)

    return method


def _in_place(function: Callable[..., Any], ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        result = record(OPERATIONS[ufunc], (self, other), {}, function)
        if not isinstance(self.value, np.ndarray):
            return result  # a NumPy scalar is immutable: the name is bound anew
        overwrite(self, result)
        return self

    return method


class Operators(Handle):
    """A handle with an array's operators."""

    __slots__ = ()

    __add__ = _operator(operator.add, np.add)
    __radd__ = _operator(operator.add, np.add, reflected=True)
    __iadd__ = _in_place(operator.add, np.add)
    __sub__ = _operator(operator.sub, np.subtract)
    __rsub__ = _operator(operator.sub, np.subtract, reflected=True)
    __isub__ = _in_place(operator.sub, np.subtract)
    __mul__ = _operator(operator.mul, np.multiply)
    __rmul__ = _operator(operator.mul, np.multiply, reflected=True)
    __imul__ = _in_place(operator.mul, np.multiply)
    __truediv__ = _operator(operator.truediv, np.divide)
    __rtruediv__ = _operator(operator.truediv, np.divide, reflected=True)
    __itruediv__ = _in_place(operator.truediv, np.divide)
    __pow__ = _operator(operator.pow, np.power)
    __rpow__ = _operator(operator.pow, np.power, reflected=True)
    __ipow__ = _in_place(operator.pow, np.power)
    __matmul__ = _operator(operator.matmul, np.matmul)
    __rmatmul__ = _operator(operator.matmul, np.matmul, reflected=True)
    __imatmul__ = _in_place(operator.matmul, np.matmul)
    __floordiv__ = _operator(operator.floordiv, np.floor_divide)
    __rfloordiv__ = _operator(operator.floordiv, np.floor_divide, reflected=True)
    __ifloordiv__ = _in_place(operator.floordiv, np.floor_divide)
    __mod__ = _operator(operator.mod, np.remainder)
    __rmod__ = _operator(operator.mod, np.remainder, reflected=True)
    __imod__ = _in_place(operator.mod, np.remainder)
    __and__ = _operator(operator.and_, np.bitwise_and)
    __rand__ = _operator(operator.and_, np.bitwise_and, reflected=True)
    __iand__ = _in_place(operator.and_, np.bitwise_and)
    __or__ = _operator(operator.or_, np.bitwise_or)
    __ror__ = _operator(operator.or_, np.bitwise_or, reflected=True)
    __ior__ = _in_place(operator.or_, np.bitwise_or)
    __xor__ = _operator(operator.xor, np.bitwise_xor)
    __rxor__ = _operator(operator.xor, np.bitwise_xor, reflected=True)
    __ixor__ = _in_place(operator.xor, np.bitwise_xor)
    __lshift__ = _operator(operator.lshift, np.left_shift)
    __rlshift__ = _operator(operator.lshift, np.left_shift, reflected=True)
    __rshift__ = _operator(operator.rshift, np.right_shift)
    __rrshift__ = _operator(operator.rshift, np.right_shift, reflected=True)
    __lt__ = _operator(operator.lt, np.less)
    __le__ = _operator(operator.le, np.less_equal)
    __gt__ = _operator(operator.gt, np.greater)
    __ge__ = _operator(operator.ge, np.greater_equal)
    __eq__ = _operator(operator.eq, np.equal)
    __ne__ = _operator(operator.ne, np.not_equal)

    def __neg__(self) -> Any:
        return record(OPERATIONS[np.negative], (self,), {}, operator.neg)

    def __pos__(self) -> Any:
        return record(OPERATIONS[np.positive], (self,), {}, operator.pos)

    def __abs__(self) -> Any:
        return record(OPERATIONS[np.absolute], (self,), {}, abs)

    def __invert__(self) -> Any:
        return record(OPERATIONS[np.invert], (self,), {}, operator.invert)

    def __divmod__(self, other: Any) -> Any:
        return record(OPERATIONS[np.divmod], (self, other), {})

    def __rdivmod__(self, other: Any) -> Any:
        return record(OPERATIONS[np.divmod], (other, self), {})


def plain_method(name: str) -> Any:
    """A method that gives plain numbers, or writes them down, as NumPy's of this name does."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        sync(self)
        if self.active and not self.tape.closed:
            raise refused(
                LinkLostError,
                "t.{name}() was called on a followed array",
                "it gives plain Python numbers, without their derivatives",
                "use list(t), whose elements are followed",
                name=name,
            )
        self.tape.guard(self, None)  # what is done with the plain numbers depends on these values
        return getattr(self.value, name)(*args, **kwargs)

    return method
