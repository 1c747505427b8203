"""What a candidate returned, read as gradients by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.check.adapters.forwards import Facts, fresh
from chainrule.check.adapters.naming import gradient_target, one_to_one
from chainrule.check.candidate import CandidateError
from chainrule.language import Message, listed, message, plural

__all__ = ["Reader", "at_the_end", "is_array", "kept"]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads what one candidate returns.

    Attributes:
        facts: about the forward function.
        wrt: the arguments asked for; ``None`` where that is left to the candidate.
        returned: the names in its ``return`` statement, as far as they are names.
        own_order: the forward arguments in the order of the candidate's own parameters.
        function: the name of the function, which may say what it is the gradient of.
    """

    facts: Facts
    wrt: tuple[str, ...] | None
    returned: tuple[str | None, ...] | None = None
    own_order: tuple[str, ...] = ()
    function: str = ""

    def read(self, result: Any, output: Any = None, shapes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The gradients in what was returned, by the names of the arguments.

        Args:
            result: what was returned.
            output: what the forward function gave, to tell it from a gradient where both are returned.
            shapes: the arguments, whose shapes tell one gradient that has no name.

        Raises:
            CandidateError: where it cannot be told which gradient belongs to which argument.
        """
        found, _ = self.understood(result, output, shapes)
        return found

    def understood(
        self, result: Any, output: Any = None, shapes: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], list[Message]]:
        """The same, and what had to be assumed."""
        result = _as_dict(result)
        if result is None:
            return {}, [message("It returned nothing: the gradients have to be returned.")]
        if isinstance(result, Mapping):
            return self._from_dict(result), []
        if isinstance(result, tuple | list):
            return self._from_sequence(result, output, shapes)
        if not is_array(result):
            raise CandidateError(
                message(
                    "it returned a value of type {kind}.\n  Instead: return an array, a tuple of arrays in the order "
                    "{names}, or a dict with these names.",
                    kind=type(result).__name__,
                    names=listed(self._targets()),
                )
            )
        return self._from_array(result, shapes or {})

    def _targets(self) -> tuple[str, ...]:
        return self.wrt or self.facts.arrays or self.facts.floats

    def _from_dict(self, result: Mapping[Any, Any]) -> dict[str, Any]:
        targets = list(self.wrt or self.facts.floats)
        known = list(self.facts.floats)
        keys = {key: (path, argument) for path, key, argument in self.facts.inner}
        found: dict[str, Any] = {}
        for key, value in result.items():
            name = gradient_target(key, known) if isinstance(key, str) else None
            if isinstance(key, int) and not isinstance(key, bool) and 0 <= key < len(self.facts.arguments):
                name = self.facts.arguments[key]
            if name in targets and name not in found and value is not None:
                found[str(name)] = value
            elif name is None and isinstance(key, str) and value is not None:
                inner = gradient_target(key, list(keys))
                if inner is not None and keys[inner][1] in targets:
                    found.setdefault(keys[inner][0], value)
        if not found:
            raise CandidateError(
                message(
                    "it returned a dict with the keys {keys}, and none of them names a gradient of {names}.\n"
                    '  Instead: use the names of the arguments, such as "{example}" or "d{example}".',
                    keys=listed(map(str, result)),
                    names=listed(targets),
                    example=targets[0],
                )
            )
        return found

    def _from_sequence(
        self, result: Sequence[Any], output: Any, shapes: Mapping[str, Any] | None
    ) -> tuple[dict[str, Any], list[Message]]:
        count = len(result)
        names = self.returned if self.returned is not None and len(self.returned) == count else None
        if count == 1:
            return self.understood(result[0], output, shapes)
        if count == 2 and isinstance(_as_dict(result[1]), Mapping):
            return self._from_dict(_as_dict(result[1])), []  # (loss, gradients)
        if count == 2 and isinstance(result[1], tuple | list) and _is_output(result[0], output):
            nested = Reader(self.facts, self.wrt, None, self.own_order, self.function)
            return nested.understood(result[1], None, shapes)
        for targets in self._orders():
            if len(targets) == count:
                return self._in_order(result, targets, names)
        if names is not None:
            by_name = one_to_one(names, self.facts.floats)
            if by_name is not None:
                return {by_name[k]: x for k, x in enumerate(result) if x is not None}, []
        for targets in self._orders():
            if len(targets) == count - 1 and _is_output(result[0], output):
                inner = None if names is None else names[1:]
                return self._in_order(result[1:], targets, inner)
        if names is not None:
            named = {k: gradient_target(n, self.facts.floats) for k, n in enumerate(names) if n is not None}
            found = {str(n): result[k] for k, n in named.items() if n is not None and result[k] is not None}
            if len(found) == sum(n is not None for n in named.values()) > 0:
                return found, []
        targets = self._targets()
        raise CandidateError(
            plural(
                "it returned {values} values, and {function} has {count} array to differentiate: {names}.\n"
                "  Instead: return one gradient for each of them in this order, or a dict with these names, or say "
                "which are meant with wrt=.",
                "it returned {values} values, and {function} has {count} arrays to differentiate: {names}.\n"
                "  Instead: return one gradient for each of them in this order, or a dict with these names, or say "
                "which are meant with wrt=.",
                len(targets),
                values=count,
                function=self.facts.name,
                names=listed(targets),
            )
        )

    def _orders(self) -> list[tuple[str, ...]]:
        """What the places of a tuple may stand for, likeliest first."""
        if self.wrt is not None:
            return [self.wrt, self.facts.arrays, self.facts.floats, self.facts.arguments]
        return [self.facts.arrays, self.facts.floats, self.facts.arguments]

    def _in_order(
        self, result: Sequence[Any], targets: tuple[str, ...], names: Sequence[str | None] | None
    ) -> tuple[dict[str, Any], list[Message]]:
        """One value per target; in the candidate's own order where its parameters and its names agree on one."""
        notes: list[Message] = []
        by_name = None if names is None else one_to_one(names, targets)
        if by_name is not None:
            order = tuple(by_name[k] for k in range(len(result)))
            own = tuple(n for n in self.own_order if n in targets)
            if order != targets and order == own:
                targets = order
                notes.append(
                    message(
                        "It returns its gradients in the order of its own parameters: {order}.",
                        order=listed(order),
                    )
                )
        wanted = set(self.wrt or self.facts.floats)
        return {n: x for n, x in zip(targets, result, strict=True) if x is not None and n in wanted}, notes

    def told_by_name(self) -> str | None:
        """The argument whose gradient a single array is by its name, or by that of the function."""
        returned = self.returned or ()
        names = [n for n in returned if n is not None] if len(returned) == 1 else []
        for name in [*names, self.function]:
            target = gradient_target(name, self.facts.floats, strict=True) or at_the_end(name, self.facts.floats)
            if target is not None:
                return target
        return None

    def _from_array(self, result: Any, shapes: Mapping[str, Any]) -> tuple[dict[str, Any], list[Message]]:
        targets = self.wrt or self.facts.floats
        if len(targets) == 1:
            return {targets[0]: result}, []
        scalars = all(np.shape(shapes.get(n, 0.0)) == () for n in targets)
        if scalars and np.shape(result) == (len(targets),):
            return dict(zip(targets, np.asarray(result), strict=True)), []
        told = self.told_by_name()
        if told in targets:
            return {str(told): result}, []
        fitting = [n for n in targets if np.shape(shapes.get(n, ())) == np.shape(result)]
        first = fitting[0] if fitting else targets[0]
        return {first: result}, [
            message(
                "It returns one array, which is taken for the gradient with respect to {name}; say which one is meant "
                "with wrt=.",
                name=first,
            )
        ]


def at_the_end(name: str, targets: Sequence[str]) -> str | None:
    """``W`` for ``dense_grad_W``, and ``x_input`` for ``relu_grad_input``."""
    parts = name.split("_")
    for k in range(1, len(parts)):
        target = gradient_target("_".join(parts[k:]), targets)
        if target is not None:
            return target
    return None


def is_array(x: Any) -> bool:
    """Whether a value is an array or a number."""
    return isinstance(x, np.ndarray | np.generic | float | int | complex) and not isinstance(x, bool)


def _as_dict(result: Any) -> Any:
    """A named tuple, or an object with attributes, as a dict."""
    if isinstance(result, tuple) and hasattr(result, "_asdict"):
        return result._asdict()
    if not is_array(result) and not isinstance(result, Mapping | tuple | list | str) and hasattr(result, "__dict__"):
        held = {k: v for k, v in vars(result).items() if not k.startswith("_")}
        return held or result
    return result


def _is_output(x: Any, output: Any) -> bool:
    """Whether a value is what the forward function gave."""
    if output is None or not is_array(x) or not is_array(output) or np.shape(x) != np.shape(output):
        return False
    return bool(np.allclose(np.asarray(x, dtype=complex), np.asarray(output, dtype=complex), rtol=1e-6, equal_nan=True))


def kept(found: Mapping[str, Any]) -> dict[str, Any]:
    """Copies of gradients, so that nothing that is done later changes them."""
    return {name: fresh(x) for name, x in found.items()}
