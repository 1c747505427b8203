"""Unique, legal identifiers for the variables of a program; names for lists and for what is in them."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable

__all__ = ["Namespace", "plural", "singular"]

# Builtins that written code never calls, and that people call their arguments.
_FREE = frozenset("input filter id hash iter next format bin dir vars help object license credits copyright".split())
_RESERVED = frozenset(keyword.kwlist) | (frozenset(dir(builtins)) - _FREE) | {"np", "numpy", "scipy"}


class Namespace:
    """Hands out each name once.

    A wanted name that is taken, reserved or no identifier becomes the nearest free one: ``h`` gives
    ``h``, ``h2``, ``h3``; ``params[0][1]`` gives ``params_0_1``.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def claim(self, wanted: str) -> str:
        """A free name as near to ``wanted`` as can be."""
        plain = wanted.isidentifier() and wanted.strip("_")
        base = wanted if plain else re.sub(r"\W+", "_", wanted).strip("_") or "value"
        if base[0].isdigit():
            base = f"value_{base}"
        if base in _RESERVED:
            base += "_"
        name = base
        count = self._next.get(base, 2)
        while name in self._taken:
            separator = "_" if base[-1].isdigit() else ""
            name = f"{base}{separator}{count}"
            count += 1
        self._next[base] = count
        self._taken.add(name)
        return name


def plural(name: str) -> str:
    """A name for a list of what has this name."""
    if re.search(r"[^suia]s$|es$", name) and len(name) > 2:
        return name + "_list"  # they are several already
    if name.endswith(("s", "x", "ch")) and len(name) > 2:
        return name + "es"
    return name + ("s" if name[-1:].isalpha() else "_list")


def singular(name: str) -> str:
    """A name for one of what a list has this name for."""
    base = re.sub(r"\W+", "_", name).strip("_")
    if base.endswith("_list") and len(base) > 5:
        return base.removesuffix("_list")
    numbered = re.fullmatch(r"(\w*[^\Ws_\d]s)(\d+)", base)
    if numbered:
        return singular(numbered[1]) + numbered[2]
    if re.search(r"(ia|s|x|ch|sh|minu)ses$|(x|ch|sh)es$", base):
        return base[:-2]
    return base[:-1] if base.endswith("s") and len(base) > 1 else f"{base}_item"
