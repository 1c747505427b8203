"""What hangs in the museum: a backward pass that a person wrote by hand, and what is known about it.

Nothing here uses ``chainrule``: an exhibit is called by :func:`answer_of`, and compared with differences of its forward
function, so that the museum is checked without what it is there to check.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Exhibit", "Room", "answer_of", "differences", "is_wrong"]


@dataclass(frozen=True)
class Exhibit:
    """A backward pass, with what a good examiner says about it.

    Attributes:
        name: unique, ``room/candidate``.
        forward: the forward function.
        args: example arguments by name.
        candidate: the function, class, or family (a dictionary of functions) that someone wrote.
        wrt: the arguments that it gives gradients for, in its order.
        kinds: per fault the words that name it; empty for a right one.
        steps: per fault the names, assigned in the forward function, that locate it; empty where any will do.
        wrong: the gradients that are wrong; none where only something else is.
        call: calls the candidate, where :func:`answer_of` would not know how.
        shown: tells that the exhibit is wrong, where its gradients are right.
        convention: whether a right one uses a convention of its own at kinks and ties.
    """

    name: str
    forward: Callable[..., Any]
    args: dict[str, Any]
    candidate: Any
    wrt: tuple[str, ...]
    kinds: tuple[frozenset[str], ...] = ()
    steps: tuple[tuple[str, ...], ...] = ()
    wrong: tuple[str, ...] = ()
    call: Callable[[dict[str, Any], Any], Mapping[str, Any]] | None = None
    shown: Callable[[Exhibit], bool] | None = None
    convention: bool = False

    def asked(self) -> tuple[str, ...] | None:
        """What ``wrt`` a user would have to give: nothing where all that are floats are meant."""
        floats = tuple(name for name, value in self.args.items() if _is_float(value))
        return None if set(floats) == set(self.wrt) else self.wrt


class Room:
    """A group of exhibits."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.exhibits: list[Exhibit] = []
        self._random = np.random.default_rng(sum(map(ord, name)))

    def normal(self, *shape: int) -> Any:
        """An array of normal numbers."""
        return self._random.standard_normal(shape)

    def positive(self, *shape: int) -> Any:
        """An array of numbers between 0.5 and 1.5."""
        return self._random.random(shape) + 0.5

    def wrong(
        self,
        candidate: Any,
        forward: Callable[..., Any],
        args: dict[str, Any],
        kinds: str | Sequence[str],
        step: str | Sequence[str] | None,
        gradients: str,
        **more: Any,
    ) -> None:
        """Hang up a wrong one.

        ``kinds`` are words separated by blanks, or one such text per fault; ``step`` likewise; ``gradients`` are the
        names of the gradients that are wrong.
        """
        faults = [kinds] if isinstance(kinds, str) else list(kinds)
        places = [step] if step is None or isinstance(step, str) else list(step)
        known = {
            "kinds": tuple(frozenset(fault.split()) for fault in faults),
            "steps": tuple(tuple((place or "").split()) for place in places),
            "wrong": tuple(gradients.split()),
        }
        self._hang(candidate, forward, args, known | more)

    def right(self, candidate: Any, forward: Callable[..., Any], args: dict[str, Any], **more: Any) -> None:
        """Hang up a right one."""
        self._hang(candidate, forward, args, more)

    def _hang(self, candidate: Any, forward: Callable[..., Any], args: dict[str, Any], more: dict[str, Any]) -> None:
        name = more.pop("name", None) or candidate.__name__
        given = more.pop("wrt", None)
        wrt = tuple(given.split()) if given else tuple(n for n, v in args.items() if _is_float(v))
        exhibit = Exhibit(f"{self.name}/{name}", forward, args, candidate, wrt, **more)
        if any(other.name == exhibit.name for other in self.exhibits):
            raise ValueError(f"two exhibits are called {exhibit.name}")
        self.exhibits.append(exhibit)


def _is_float(value: Any) -> bool:
    return not isinstance(value, bool | int | str | tuple | list) and np.asarray(value).dtype.kind == "f"


# ---- calling a candidate
def answer_of(exhibit: Exhibit, args: dict[str, Any], cotangent: Any) -> Mapping[str, Any]:
    """The gradients that a candidate gives, by name; from copies of the arguments."""
    args = {k: np.array(v) if isinstance(v, np.ndarray) else v for k, v in args.items()}
    cotangent = np.array(cotangent) if np.ndim(cotangent) else cotangent
    if exhibit.call is not None:
        return exhibit.call(args, cotangent)
    candidate = exhibit.candidate
    if isinstance(candidate, type):
        return _answer_of_class(exhibit, args, cotangent)
    if isinstance(candidate, dict):
        return {name: _called(f, args, cotangent) for name, f in zip(exhibit.wrt, candidate.values(), strict=True)}
    return _by_name(_called(candidate, args, cotangent), exhibit.wrt)


def _called(f: Callable[..., Any], args: dict[str, Any], cotangent: Any) -> Any:
    parameters = inspect.signature(f).parameters.values()
    return f(*[args.get(p.name, cotangent) for p in parameters if p.name in args or p.default is p.empty])


def _by_name(returned: Any, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(returned, dict):
        return {name: _found(returned, name) for name in names}
    if len(names) == 1 and not isinstance(returned, tuple):
        returned = (returned,)
    return dict(zip(names, returned, strict=True))


def _found(gradients: Mapping[str, Any], name: str) -> Any:
    for key in (name, f"d{name}", f"d_{name}", f"grad_{name}", f"D{name}", f"g{name}"):
        if key in gradients:
            return gradients[key]
    raise KeyError(name)


def _answer_of_class(exhibit: Exhibit, args: dict[str, Any], cotangent: Any) -> dict[str, Any]:
    cls = exhibit.candidate
    kept = [n for n in inspect.signature(cls).parameters if n in args]
    layer = cls(*[args[n] for n in kept])
    rest = [n for n in args if n not in kept]
    layer.forward(*[args[n] for n in rest])
    takes = len(inspect.signature(layer.backward).parameters)
    returned = layer.backward(cotangent) if takes else layer.backward()
    stored: dict[str, Any] = {}
    for name in exhibit.wrt:
        for holder in (vars(layer), getattr(layer, "grads", None)):
            if isinstance(holder, dict) and name not in stored:
                if holder is vars(layer) and name in holder and f"d{name}" not in holder:
                    continue
                try:
                    stored[name] = _found(
                        {k: v for k, v in holder.items() if holder is not vars(layer) or k != name}, name
                    )
                except KeyError:
                    continue
    left = [n for n in exhibit.wrt if n not in stored]
    return stored | (_by_name(returned, left) if left else {})


# ---- what is right
def differences(exhibit: Exhibit, args: dict[str, Any], cotangent: Any) -> dict[str, Any]:
    """The gradients by central differences, with the error of second and of fourth order taken out."""
    found = {}
    for name in exhibit.wrt:
        value = np.array(args[name], dtype=float)
        gradient = np.zeros(value.shape)
        for index in np.ndindex(*value.shape):
            coarse, middle, fine = (_slope(exhibit, args, cotangent, name, value, index, h) for h in (4e-3, 2e-3, 1e-3))
            low, high = (4 * middle - coarse) / 3, (4 * fine - middle) / 3
            gradient[index] = (16 * high - low) / 15
        found[name] = gradient
    return found


def _slope(
    exhibit: Exhibit, args: dict[str, Any], cotangent: Any, name: str, value: Any, index: Any, h: float
) -> float:
    ends = []
    for sign in (1, -1):
        moved = value.copy()
        moved[index] += sign * h
        given = {k: np.array(v) if isinstance(v, np.ndarray) else v for k, v in args.items()}
        result = exhibit.forward(**(given | {name: moved if moved.ndim else moved[()]}))
        results, weights = (result, cotangent) if isinstance(result, tuple) else ((result,), (cotangent,))
        ends.append(sum(float(np.sum(np.asarray(w) * r)) for w, r in zip(weights, results, strict=True)))
    return (ends[0] - ends[1]) / (2 * h)


def cotangent_for(exhibit: Exhibit, args: dict[str, Any], seed: int = 0) -> Any:
    """A cotangent of the result: 1 for a loss, normal numbers for an array."""
    result = exhibit.forward(**{k: np.array(v) if isinstance(v, np.ndarray) else v for k, v in args.items()})
    draw = np.random.default_rng(seed)
    if isinstance(result, tuple):
        return tuple(draw.standard_normal(np.shape(r)) for r in result)
    return draw.standard_normal(np.shape(result)) if np.ndim(result) else 1.0


def is_wrong(given: Any, exact: Any, tolerance: float = 1e-6) -> bool:
    """Whether a gradient is none: of another shape, not of numbers, or further off than differences are."""
    try:
        array = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        return True
    if array.shape != exact.shape:
        return True
    return not bool(np.all(np.abs(array - exact) <= tolerance * (1 + np.abs(exact).max(initial=0))))
