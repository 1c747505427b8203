"""What a derivation knows in numbers: the arrays of its example and their gradients, by name."""

from __future__ import annotations

from collections import Counter
from typing import Any

from chainrule.explain.derivation import Derivation

__all__ = ["values_in"]


def values_in(derivation: Derivation) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values that a derivation knows, and the gradients, by the name of the array.

    A name that held several arrays is left out: it does not say which of them is meant.
    """
    values: dict[str, Any] = {}
    gradients: dict[str, Any] = {}
    bound: Counter[str] = Counter()
    for node in derivation.nodes:
        values[node.name] = node.value
        gradients[node.name] = node.gradient
        bound[node.name] += node.kind in ("input", "data")
    for part in reversed(derivation.parts):
        bound[part.result] += 1
        values.setdefault(part.result, part.value)
        if part.gradient is not None:
            gradients[part.result] = part.gradient
    several = {name for name, count in bound.items() if count > 1}
    for name in several:
        values.pop(name, None)
        gradients.pop(name, None)
    routes = [route for part in derivation.parts for route in part.routes]
    for route in routes:
        # The code may have another name for it.
        if route.lines and route.lines[-1].value is not None and route.gradient not in bound:
            values[route.gradient] = route.lines[-1].value
            if gradients.get(route.name) is None and route.name not in several:
                gradients[route.name] = route.lines[-1].value
    for route in routes:
        for line in route.lines:
            for name, value in line.numbers():
                if name not in bound:
                    values.setdefault(name, value)
        if gradients.get(route.name) is not None and route.gradient not in bound:
            values.setdefault(route.gradient, gradients[route.name])
    for name, gradient in derivation.gradients.items():
        if name not in bound:
            values.setdefault(name, gradient)
    for node in derivation.nodes:
        if node.kind == "result" and node.gradient is not None:
            values.setdefault("grad_output", node.gradient)
    known = {name: x for name, x in values.items() if x is not None}
    return known, {name: g for name, g in gradients.items() if g is not None}
