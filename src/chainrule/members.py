"""Objects of the user's as trees of the arrays among their attributes; the lists in arguments."""

from __future__ import annotations

import copy
import dis
import inspect
import keyword
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import optree

from chainrule.sizes import named_number
from chainrule.traced import Traced
from chainrule.trees import NAMESPACE, paths

__all__ = ["Members", "lists_in", "own_keys", "plain_names", "settings_read"]

_taken: set[type] = set()  # the classes of objects that were taken for trees


class Members:
    """An object taken for the tree of the arrays among its attributes.

    Attributes:
        owner: the object.
        held: its attributes that hold arrays, by name.
        numbers: its attributes that are floats and are written by their names, with these.
    """

    def __init__(self, owner: Any, held: dict[str, Any], numbers: dict[str, str]) -> None:
        self.owner = owner
        self.held = held
        self.numbers = numbers
        _taken.add(type(owner))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "owner" not in self.__dict__:
            raise AttributeError(name)
        return self.held[name] if name in self.held else getattr(self.owner, name)

    def with_number(self, name: str, value: float) -> Members:
        """The same with another number."""
        owner = copy.copy(self.owner)
        object.__setattr__(owner, name, value)
        return Members(owner, self.held, self.numbers)

    def without_names(self, names: Collection[str]) -> Members:
        """The same with these numbers written as what they are."""
        return Members(self.owner, self.held, {n: text for n, text in self.numbers.items() if n not in names})


class _Kept:
    """An object that is compared by identity."""

    __slots__ = ("owner",)

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __eq__(self, other: object) -> bool:
        return type(other) is _Kept and other.owner is self.owner

    def __hash__(self) -> int:
        return id(self.owner)

    def __repr__(self) -> str:
        return type(self.owner).__name__


def _take_apart(x: Any) -> Any:
    """What the attributes hold; the object, their names and its numbers, which stay; the names."""
    names = tuple(x.held)
    return tuple(x.held.values()), (_Kept(x.owner), names, tuple(x.numbers.items())), names


def _put_together(kept: Any, children: Any) -> Any:
    """A copy of the object with these in the place of its own, which stays as it is."""
    own, names, numbers = kept
    made = copy.copy(own.owner)
    for name, child in zip(names, children, strict=True):
        object.__setattr__(made, name, child)
    for name, text in numbers:
        object.__setattr__(made, name, named_number(getattr(made, name), text))
    return made


optree.register_pytree_node(
    Members, _take_apart, _put_together, path_entry_type=optree.GetAttrEntry, namespace=NAMESPACE
)


def lists_in(names: Sequence[str], trees: Sequence[Any]) -> list[tuple[int, str, Any]]:
    """The lists and tuples in arguments: a negative number for the length of each, how it is reached, and itself."""
    found: list[tuple[int, str, Any]] = []

    def walk(x: Any, path: str) -> None:
        if isinstance(x, list | tuple):
            found.append((-2 - len(found), path, x))
            for k, inner in enumerate(x):
                walk(inner, f"{path}[{k}]")
        elif isinstance(x, dict):
            for key in sorted(x, key=repr):
                walk(x[key], f"{path}[{key!r}]")
        else:
            for name, inner in _attributes(x).items():
                walk(inner, f"{path}.{name}")

    for name, tree in zip(names, trees, strict=True):
        walk(tree, name)
    return found


def _attributes(x: Any) -> dict[str, Any]:
    """The attributes of an object that is taken for a tree, or that was made of one, which hold arrays."""
    if type(x) is Members:
        return x.held
    return {name: part for name, part in vars(x).items() if _is_followed(part)} if type(x) in _taken else {}


def _is_followed(x: Any) -> bool:
    if type(x) in (list, tuple):
        return any(map(_is_followed, x))
    if type(x) is dict:
        return any(map(_is_followed, x.values()))
    return type(x) is Traced or type(x) in _taken


def plain_names(paths: Sequence[str]) -> list[str]:
    """Names for what is reached by these paths from an object: their last part where that says which is meant."""
    words = [re.findall(r"\w+", path) for path in paths]
    last = [own[-1] if own else "" for own in words]
    return [
        end if end.isidentifier() and last.count(end) == 1 else "_".join(own)
        for end, own in zip(last, words, strict=True)
    ]


def settings_read(x: Members, function: Callable[..., Any], name: str) -> dict[str, Any]:
    """The whole numbers, truth values and texts of an object that its method reads and does not change.

    Args:
        x: the object.
        function: the method.
        name: what the method calls the object.
    """
    instructions = list(dis.get_instructions(function)) if hasattr(function, "__code__") else []
    stored = {i.argval for i in instructions if i.opname == "STORE_ATTR"}
    read = {i.argval for i in instructions if i.opname in ("LOAD_ATTR", "LOAD_METHOD")} - stored
    held = vars(x.owner)
    return {f"{name}.{n}": held[n] for n in held if n in read and type(held[n]) in (int, bool, str)}


def own_keys(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, tuple[str, bool]]:
    """By the path to an array in dictionaries its key there, and whether that is the name of nothing else."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    taken = set(arguments) | set(() if code is None else code.co_varnames)
    found = {
        name + path: path.rpartition("[")[2].strip("'\"]")
        for name, argument in arguments.items()
        if type(argument) is dict
        for path in paths(argument)
        if re.fullmatch(r"(\[(['\"])[^\W\d]\w*\2\])+", path)
    }
    times = Counter(found.values())
    return {
        path: (key, times[key] == 1 and key not in taken and not keyword.iskeyword(key)) for path, key in found.items()
    }
