"""Where an object keeps its arrays: its parameters, and the gradients that belong to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.check.adapters.forwards import fresh
from chainrule.check.adapters.naming import gradient_target, matched, plain

__all__ = ["Holder", "gradients_held", "holders", "place", "put", "snapshot"]

_LISTS = ("grads", "gradients", "grad", "dparams", "gradient", "param_grads", "grad_params")
_PARAMETERS = ("params", "parameters", "weights", "param")
_INNER = ("data", "value", "val", "array")  # where an object that stands for a parameter keeps its array


@dataclass(frozen=True, slots=True)
class Holder:
    """Where an object keeps one array.

    Attributes:
        path: attribute names, keys and positions that lead there.
        own_shape: the shape in which the object keeps it, where that is not the argument's.
        shape: the shape of the argument.
        turned: whether the object keeps the transpose.
    """

    path: tuple[Any, ...]
    own_shape: tuple[int, ...] | None = None
    shape: tuple[int, ...] = ()
    turned: bool = False

    def inside(self, value: Any) -> Any:
        """An argument as the object keeps it."""
        if self.turned:
            return np.ascontiguousarray(np.transpose(value))
        return value if self.own_shape is None else np.reshape(value, self.own_shape)

    def back(self, gradient: Any) -> Any:
        """A gradient of what the object keeps, as one of the argument; others stay as they are."""
        if self.turned and np.shape(gradient) == self.shape[::-1]:
            return np.transpose(gradient)
        if self.own_shape is not None and np.shape(gradient) == self.own_shape != self.shape:
            return np.reshape(gradient, self.shape)
        return gradient


def place(instance: Any, holder: Holder) -> Any:
    """What stands at a place."""
    found = instance
    for step in holder.path:
        found = found[step] if isinstance(found, dict | list) else getattr(found, step)
    return found


def put(instance: Any, holder: Holder, value: Any) -> None:
    """Put an array at a place."""
    *before, last = holder.path
    inner = place(instance, Holder(tuple(before)))
    old = place(instance, holder)
    if isinstance(inner, dict | list):
        inner[last] = value
    else:
        setattr(inner, last, value)
    for held in list(_attributes(instance).values()):  # self.params = [self.W, self.b] goes on to hold the same
        if isinstance(held, list):
            held[:] = [value if x is old and x is not None else x for x in held]
        elif isinstance(held, dict):
            held.update({k: value for k, x in held.items() if x is old and x is not None})


def _walk(instance: Any) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    """What an object holds, two levels deep: how it is written, how it is reached, and the thing."""
    for name, value in list(_attributes(instance).items()):
        yield name, (name,), value
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield f'{name}["{key}"]', (name, key), inner
        elif isinstance(value, list):
            for k, inner in enumerate(value):
                yield f"{name}[{k}]", (name, k), inner
        elif not isinstance(value, np.ndarray | np.generic | str | tuple | type) and not callable(value):
            for part, inner in _attributes(value).items():
                yield f"{name}.{part}", (name, part), inner


def _attributes(x: Any) -> dict[str, Any]:
    held = dict(getattr(x, "__dict__", {}))
    for kind in type(x).__mro__:
        slots = getattr(kind, "__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(x, name):
                held.setdefault(name, getattr(x, name))
    return held


def holders(instance: Any, names: Sequence[str], given: Mapping[str, Any] | None = None) -> dict[str, Holder]:
    """Where an object keeps the arguments of these names; those that it was given, wherever it put them."""
    found: dict[str, Holder] = {}
    shallow: dict[str, tuple[Any, ...]] = {}
    for written, path, value in _walk(instance):
        if isinstance(path[-1], int) or callable(value) or (len(path) == 2 and _is_gradients(str(path[0]))):
            continue
        key = str(path[-1]).strip("_")
        if len(path) == 2 and "." in written:
            if key not in _INNER:
                continue
            key = str(path[0]).strip("_")
        if key and (len(path) == 1 or key not in shallow or len(shallow[key]) == 2):
            inner = any(hasattr(value, part) for part in _INNER) and not isinstance(value, np.ndarray | np.generic)
            if len(path) == 1 and (inner or isinstance(value, Mapping | list)):
                continue
            shallow[key] = path
    for name in names:
        own = matched(name, list(shallow))
        if own is not None and shallow[own] not in [h.path for h in found.values()]:
            found[name] = Holder(shallow[own])
    for _, path, value in _walk(instance):
        for name, array in (given or {}).items():
            if value is array and isinstance(array, np.ndarray) and name in names:
                found.setdefault(name, Holder(path))
    return found


def _is_gradients(name: str) -> bool:
    return plain(name.strip("_")) in {plain(n) for n in _LISTS}


def snapshot(instance: Any) -> dict[str, Any]:
    """Copies of the arrays that an object holds, by how they are written."""
    return {written: fresh(x) for written, _, x in _walk(instance) if isinstance(x, np.ndarray | np.generic | float)}


def gradients_held(
    instance: Any, targets: Sequence[str], places: Mapping[str, Holder], before: Mapping[str, Any]
) -> dict[str, Any]:
    """The gradients that an object keeps: as ``dW``, ``grads["W"]``, ``W.grad``, or in a list beside its parameters.

    Args:
        instance: the object.
        targets: the names of the arguments.
        places: where it keeps these.
        before: what it held before the backward pass, to prefer what that wrote.
    """
    found: dict[str, Any] = {}
    stale: dict[str, Any] = {}
    for written, path, value in _walk(instance):
        if not isinstance(value, np.ndarray | np.generic | float) or isinstance(path[-1], int):
            continue
        parts = written.split(".")
        name = ".".join(p.strip("_") or p for p in parts)
        target = gradient_target(name, targets, strict=True)
        if target is None and len(path) == 2 and _is_gradients(str(path[0])):
            target = matched(str(path[1]), targets)
        if target is None or (target in places and places[target].path == path):
            continue
        old = before.get(written)
        unchanged = old is not None and np.array_equal(old, value)
        (stale if unchanged else found).setdefault(target, value)
    for name, value in _listed(instance, targets, places).items():
        found.setdefault(name, value)
    return {**stale, **found}


def _listed(instance: Any, targets: Sequence[str], places: Mapping[str, Holder]) -> dict[str, Any]:
    """Gradients in a list, in the order of a list of parameters or else of the arguments that are attributes."""
    held = _attributes(instance)
    grads = next((x for n, x in held.items() if _is_gradients(n) and isinstance(x, list | tuple) and len(x)), None)
    if grads is None or any(not isinstance(x, np.ndarray | np.generic | float) for x in grads):
        return {}
    listed = next(
        (x for n, x in held.items() if plain(n.strip("_")) in _PARAMETERS and isinstance(x, list | tuple)), None
    )
    order = [n for n in targets if n in places]
    if listed is not None and len(listed) == len(grads):
        arrays = {n: place(instance, h) for n, h in places.items()}
        named = [next((n for n, a in arrays.items() if a is x), None) for x in listed]
        if all(n is not None for n in named):
            return {str(n): g for n, g in zip(named, grads, strict=True)}
    if len(order) == len(grads):
        return dict(zip(order, grads, strict=True))
    return {}
