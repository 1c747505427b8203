"""The lists and dictionaries in which the user's function keeps arrays: ``hs.append(h)``, ``cache["A1"] = A1``.

They say what arrays are called that have no name of their own, and where the lines behind the function find them.
"""

from __future__ import annotations

import dis
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

from chainrule.names import singular
from chainrule.tape import Tape
from chainrule.traced import Traced

__all__ = ["Kept", "kept_series", "name_contents", "one_of"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A list, or a dictionary with whole numbers for keys, that holds arrays one behind the other.

    Attributes:
        function: the qualified name of the function whose local variable it is.
        name: of that variable.
        variables: what it holds in the end, by number.
        key: for a dictionary, its first key; ``None`` for a list.
    """

    function: str
    name: str
    variables: tuple[int, ...]
    key: int | None = None

    def text(self, first: int = 0) -> str:
        """A list of them, from one of them on."""
        whole = self.name if self.key is None else f"list({self.name}.values())"
        return f"{whole}[{first}:]" if first else whole


def name_contents(tape: Tape) -> None:
    """Name the arrays that have no name after the list, or the key, under which they are kept."""
    names = tape.names
    assert names is not None
    given = set(tape.leaves)
    for _, name, container in tape.containers.values():
        for key, x in container.items() if type(container) is dict else enumerate(container):
            if type(x) is Traced and x.tape is tape and x.variable not in given:
                called = key if isinstance(key, str) and key.isidentifier() else one_of(name)
                names.setdefault(x.variable, called)


def one_of(name: str) -> str:
    """What one array in a list or dictionary of this name is called."""
    own = singular(name)
    return name if own.endswith("_item") else own


def kept_series(tape: Tape) -> Iterator[Kept]:
    """The lists and dictionaries of arrays that local variables held when the traced function returned."""
    for code, name, container in tape.containers.values():
        key = None
        if type(container) is dict:
            keys = [int(k) if isinstance(k, int) and type(k) is not bool else None for k in container]
            if not keys or keys[0] is None or keys != list(range(keys[0], keys[0] + len(keys))):
                continue
            key = keys[0]
        held = list(container) if key is None else list(container.values())
        own = [x for x in held if type(x) is Traced and x.tape is tape]
        current = all(x.link is None or x.link.seen == x.link.root.version for x in own)  # views of what was written
        if own and len(own) == len(held) and current and _stores(code, name) == 1:
            yield Kept(code.co_qualname, name, tuple(x.variable for x in own), key)


def _stores(code: CodeType, name: str) -> int:
    """How often a function assigns one of its variables."""
    binding = (i for i in dis.get_instructions(code) if i.opname.startswith(("STORE", "DELETE")))
    return sum(name in _stored(i.argval) for i in binding)


def _stored(argument: Any) -> Collection[str]:
    return argument if isinstance(argument, tuple) else (argument,)
