"""How an instance of somebody's class is made: what its constructor takes, and where the arrays go."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.check.adapters.adapter import Task
from chainrule.check.adapters.attributes import Holder, holders, place, put
from chainrule.check.adapters.forwards import ForwardValues, fresh
from chainrule.check.adapters.naming import alike, is_rate_name, matched, plain
from chainrule.check.candidate import CandidateError
from chainrule.language import Message, listed, message

__all__ = ["Construction", "has_both", "method_of", "nature_of"]

_METHODS = {
    "forward": ("forward", "__call__", "forward_pass", "forwardpass", "fwd", "fprop", "feedforward", "compute", "call"),
    "backward": ("backward", "backward_pass", "backwardpass", "backprop", "bprop", "bwd", "backpropagate", "back",
                 "gradient", "gradients", "grad", "backpropagation"),
}  # fmt: skip
_INTO = frozenset(
    "in nin fanin din inputsize inputdim infeatures indim ninputs numinputs inputunits numin insize innodes inputs "
    "inputnodes inchannels inputfeatures nin units inputnum nx".split()
)
_OUT_OF = frozenset(
    "out nout fanout dout outputsize outputdim outfeatures outdim noutputs numoutputs outputunits numout outsize "
    "outnodes outputs outputnodes outchannels outputfeatures neurons nneurons outputnum ny nunits".split()
)
_ALONG = frozenset("numfeatures dim size features normalizedshape d n hiddensize featuresize nfeatures length".split())


def method_of(kind: type, what: str) -> str:
    """The name of the forward or backward method of a class.

    Raises:
        CandidateError: where it has none.
    """
    own = {n for n in dir(kind) if callable(getattr(kind, n, None))}
    if what == "forward" and "forward" not in own and "__call__" not in own:
        own.discard("__call__")
    found = next((n for n in _METHODS[what] if n in own), None)
    if found is None:
        raise CandidateError(
            message(
                "the class {kind} has no method {method}; its methods are: {own}.\n"
                "  Instead: give it forward, which computes the output, and backward, which is given its gradient.",
                kind=kind.__name__,
                method=what,
                own=listed(n for n in sorted(own) if not n.startswith("_")) or message("none"),
            )
        )
    return found


def has_both(kind: type) -> bool:
    """Whether a class has a forward and a backward method."""
    try:
        return bool(method_of(kind, "forward") and method_of(kind, "backward"))
    except CandidateError:
        return False


def nature_of(method: Any, task: Task, skipped: int = 1) -> dict[str, str]:
    """The argument that each parameter of a forward method stands for; those with defaults may be left out.

    Args:
        method: the method.
        task: what it belongs to.
        skipped: how many parameters there are in front, such as ``self``.

    Raises:
        CandidateError: where it cannot be told.
    """
    parameters = list(inspect.signature(method).parameters.values())[skipped:]
    found: dict[str, str] = {}
    arguments = task.facts.arguments
    plain_ones = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    for p in plain_ones:
        told = task.names.get(p.name)
        if told in arguments:
            found[p.name] = str(told)
    for similar in (False, True):
        for p in plain_ones:
            free = [n for n in arguments if n not in found.values()]
            name = matched(p.name, free, similar=similar)
            others = [q for q in plain_ones if q.name not in found and q is not p and name and alike(q.name, name)]
            if p.name not in found and name is not None and not (similar and others):
                found[p.name] = name
    left = [p for p in plain_ones if p.name not in found and p.default is p.empty]
    free = [n for n in arguments if n not in found.values()]
    if len(left) > len(free):
        raise CandidateError(
            message(
                "{method} takes {names} as well, and {function} has the arguments {arguments}.\n"
                "  Instead: use these names.",
                method=method.__qualname__,
                names=listed(p.name for p in left),
                function=task.facts.name,
                arguments=listed(arguments),
            )
        )
    found.update(zip((p.name for p in left), free, strict=False))
    return found


class Construction:
    """How instances are made.

    Args:
        candidate: a class, or an instance that is copied.
        task: what it is the backward pass of.
        taken: the arguments that the forward method is given.

    Raises:
        CandidateError: where the constructor needs something that is not known.
    """

    def __init__(self, candidate: Any, task: Task, taken: Sequence[str]) -> None:
        self.task = task
        self.taken = taken
        self.notes: tuple[Message, ...] = ()
        self.instance = None if isinstance(candidate, type) else candidate
        self.kind: type = candidate if isinstance(candidate, type) else type(candidate)
        self.sizes: dict[str, str] = {}
        self.given: dict[str, str] = {}
        self.rates: list[str] = []
        if self.instance is None:
            self._read()
        self.turned = self._turned()

    def _read(self) -> None:
        try:
            parameters = list(inspect.signature(self.kind).parameters.values())
        except (TypeError, ValueError):
            return
        missing = []
        for p in parameters:
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                continue
            required = p.default is p.empty
            free = [n for n in self.task.facts.arguments if n not in self.given.values()]
            told = self.task.names.get(p.name)
            name = told if told in free else matched(p.name, free, similar=False)
            size = _size_named(p.name)
            if name is None and required and size is None:
                name = matched(p.name, free)
            if name is not None:
                self.given[p.name] = name
            elif required and size is not None:
                self.sizes[p.name] = size
            elif required and is_rate_name(p.name):
                self.rates.append(p.name)
            elif required:
                missing.append(p.name)
        if missing:
            raise CandidateError(
                message(
                    "the constructor of {kind} needs {names}, which is no argument of {function} and no size that "
                    "could be told from its name.\n"
                    "  Instead: hand over an instance, {example}, and it is copied for each run.",
                    kind=self.kind.__name__,
                    names=listed(missing),
                    function=self.task.facts.name,
                    example=f"{self.kind.__name__}(…)",
                )
            )

    def _turned(self) -> frozenset[str]:
        """The arguments of which a new instance, of sizes that differ, keeps the transpose."""
        weights = [n for n in self.task.facts.arrays if n not in self.taken and n not in self.given.values()]
        if not {"in", "out"} <= set(self.sizes.values()):
            return frozenset()
        try:
            given = {n: fresh(self.task.example.arguments.get(n)) for n in self.given.values()}
            instance = self._called({"in": 3, "out": 5, "along": 4}, given)
        except Exception:
            return frozenset()
        shapes = {n: np.shape(place(instance, h)) for n, h in holders(instance, weights).items()}
        straight = {n: np.shape(self.task.example.arguments[n]) for n in weights}
        into, out = self._ends(self.task.example)
        turned = {
            n for n, shape in shapes.items() if shape == (5, 3) and straight[n] == (into, out) and len(straight[n]) == 2
        }
        if turned:
            self.notes += (
                message(
                    "{name} keeps {arrays} transposed; it is given the transpose, and its gradient is turned back.",
                    name=self.kind.__name__,
                    arrays=listed(sorted(turned)),
                ),
            )
        return frozenset(turned)

    def _ends(self, values: ForwardValues) -> tuple[int, int]:
        """How long the last axes of the first input and of the output are."""
        arrays = [values.arguments[n] for n in self.taken if np.ndim(values.arguments.get(n, 0)) > 0]
        into = np.shape(arrays[0])[-1] if arrays else 1
        output = self.task.example.output if values.output is None else values.output
        weights = [
            np.shape(values.arguments[n])
            for n in self.task.facts.arrays
            if n not in self.taken and np.ndim(values.arguments.get(n, 0)) == 2
        ]
        if weights and into in weights[0]:
            return into, weights[0][1] if weights[0][0] == into else weights[0][0]
        out = np.shape(output)[-1] if np.ndim(output) else 1
        return into, out

    def made(self, values: ForwardValues) -> tuple[Any, dict[str, Any]]:
        """A new instance, and the arrays that its constructor was given."""
        if self.instance is not None:
            return copy.deepcopy(self.instance), {}
        into, out = self._ends(values)
        given = {n: fresh(values.arguments.get(n)) for n in self.given.values()}
        return self._called({"in": into, "out": out, "along": into}, given), given

    def _called(self, sizes: Mapping[str, int], given: Mapping[str, Any]) -> Any:
        arguments: dict[str, Any] = {p: sizes[s] for p, s in self.sizes.items()}
        arguments.update((p, given[n]) for p, n in self.given.items())
        arguments.update((p, 0.5) for p in self.rates)
        return self.kind(**arguments)

    def filled(self, instance: Any, places: Mapping[str, Holder], values: ForwardValues) -> dict[str, Holder]:
        """Put the arguments where an instance keeps them; where each is.

        Raises:
            CandidateError: where there is no place for an array.
        """
        found: dict[str, Holder] = {}
        handed = set(self.given.values())
        for name, value in values.arguments.items():
            if name in self.taken:
                continue
            if name not in places:
                if name not in handed and name in self.task.facts.arrays:
                    raise CandidateError(
                        message(
                            "{kind} has no attribute for {name}; its attributes are: {own}.\n"
                            "  Instead: take {name} in the constructor or in forward, or keep it as {attribute}.",
                            kind=self.kind.__name__,
                            name=name,
                            own=listed(getattr(instance, "__dict__", {})) or message("none"),
                            attribute=f"self.{name}",
                        )
                    )
                continue
            holder = self._shaped(name, place(instance, places[name]), value, places[name])
            if name not in handed:
                put(instance, holder, _copied(holder.inside(value)))
            found[name] = holder
        return {n: h for n, h in found.items() if isinstance(place(instance, h), np.ndarray | np.generic | float)}

    def _shaped(self, name: str, own: Any, value: Any, holder: Holder) -> Holder:
        shape, own_shape = np.shape(value), np.shape(own) if isinstance(own, np.ndarray) else None
        if name in self.turned:
            return Holder(holder.path, None, shape, True)
        if own_shape is not None and len(own_shape) == len(shape) + 1 and own_shape != shape:
            if own_shape[0] == 1:  # a bias that is kept as one row
                return Holder(holder.path, (1, *shape), shape)
            if own_shape[-1] == 1:
                return Holder(holder.path, (*shape, 1), shape)
        return Holder(holder.path, None, shape)


def _copied(value: Any) -> Any:
    return np.array(value, copy=True) if isinstance(value, np.ndarray) else fresh(value)


def _size_named(name: str) -> str | None:
    short = plain(name)
    if short in _INTO:
        return "in"
    if short in _OUT_OF:
        return "out"
    return "along" if short in _ALONG else None
