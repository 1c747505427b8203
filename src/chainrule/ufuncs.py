"""Ufuncs on stand-ins, with all that NumPy lets one write: ``out=``, ``where=``, ``reduce``, ``outer``, ``at``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.dispatch import HANDLERS, call, call_composite, into, known, load_families
from chainrule.errors import NotDifferentiableError
from chainrule.ops import OPERATIONS
from chainrule.parameters import accepts
from chainrule.protocol import DISPATCH
from chainrule.tape import record, refused
from chainrule.traced import Traced, value_of

__all__ = ["UFUNC_FALLBACKS", "UFUNC_METHODS", "call_ufunc"]

UFUNC_METHODS: dict[tuple[np.ufunc, str], Callable[..., Any]] = {}
UFUNC_FALLBACKS: dict[str, Callable[..., Any]] = {}


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer ``ufunc.method(*inputs, **kwargs)`` where an argument is a stand-in."""
    if method != "__call__":
        return _call_method(ufunc, method, inputs, kwargs)
    kwargs = dict(kwargs)
    out = kwargs.pop("out", None)
    where = kwargs.pop("where", True)
    for ignored in ("subok", "order", "casting"):
        kwargs.pop(ignored, None)
    if out is not None and kwargs.get("dtype") is None:
        kwargs.pop("dtype", None)
    operation = OPERATIONS.get(ufunc)
    if operation is None:
        if known(ufunc) or load_families() or known(ufunc):
            result = call(ufunc, inputs, kwargs)
        else:
            raise refused(
                NotDifferentiableError,
                "the ufunc {function} was called on a followed array",
                "chainrule has no rule for it",
                "write it with other NumPy functions, or give it a rule with chainrule.extend.elementwise",
                function=ufunc.__name__,
            )
    else:
        unknown = kwargs.keys() - {"dtype"}
        if unknown and (operation.kind == "elementwise" or not unknown <= (accepts(operation) or unknown)):
            raise refused(
                NotDifferentiableError,
                "{function} was called with {items}",
                "chainrule does not follow these arguments",
                "move the axes with np.moveaxis first",
                function=operation.spelling,
                items=", ".join(f"{k}={v!r}" for k, v in kwargs.items()),
            )
        if where is not True:
            # Where the mask is off NumPy does not evaluate; a harmless point there keeps 0 * inf out of the gradient.
            domains = operation.domain or ((0.0, 2.0),) * len(inputs)
            inputs = tuple(
                call(np.where, (where, x, (low + high) / 2 if np.asarray(value_of(x)).dtype.kind in "fc" else 1), {})
                for x, (low, high) in zip(inputs, domains, strict=False)
            )
        result = record(operation, inputs, kwargs)
    if where is not True:
        target = out[0] if out is not None else None
        result = call(np.where, (where, result, 0.0 if target is None else target), {})
    return result if out is None else into(out, result)


_REDUCTIONS = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min, np.logical_and: np.all,
               np.logical_or: np.any}  # fmt: skip
_ACCUMULATIONS = {np.add: np.cumsum, np.multiply: np.cumprod}


def _call_method(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    kwargs = {k: v for k, v in kwargs.items() if v is not np._NoValue}
    out = kwargs.pop("out", None)
    if out is not None:
        return into(out, _call_method(ufunc, method, inputs, kwargs))
    if method == "at":
        array, indices, *values = inputs
        return _at(ufunc, array, indices, *values)
    names = ("axis", "dtype", "out", "keepdims", "initial", "where")
    array, *rest = inputs
    if method == "reduce" and ufunc in _REDUCTIONS:
        given = {"axis": 0, **dict(zip(names, rest, strict=False)), **kwargs}
        if given.get("keepdims") is False:
            del given["keepdims"]
        return call(_REDUCTIONS[ufunc], (array,), {k: v for k, v in given.items() if v is not None or k == "axis"})
    if method == "accumulate" and ufunc in _ACCUMULATIONS:
        return call(_ACCUMULATIONS[ufunc], (array,), {"axis": 0, **dict(zip(names, rest, strict=False)), **kwargs})
    definition = UFUNC_METHODS.get((ufunc, method))
    if definition is None and method in UFUNC_FALLBACKS:
        fallback = UFUNC_FALLBACKS[method]

        def definition(*args: Any, **named: Any) -> Any:
            return fallback(ufunc, *args, **named)

    if definition is None:
        raise refused(
            NotDifferentiableError,
            "np.{function}.{method} was called on a followed array",
            "chainrule has no rule for this method of the ufunc",
            "write it as a loop over slices",
            function=ufunc.__name__,
            method=method,
        )
    return call_composite(ufunc, definition, inputs, kwargs)


def _at(ufunc: np.ufunc, array: Any, indices: Any, *values: Any) -> None:
    if type(array) is not Traced:
        into(array, array)  # raises: a plain array
    answer = HANDLERS.get((ufunc, "at"))
    if answer is not None:
        answer(array, indices, *values)
    else:
        HANDLERS["at"](ufunc, array, indices, *values)


DISPATCH.ufunc = call_ufunc
