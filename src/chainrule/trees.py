"""Trees of arrays: tuples, lists, dicts, named tuples and dataclasses, taken apart and put together."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import optree

from chainrule.errors import TreeError
from chainrule.language import Message, message
from chainrule.traced import Traced

__all__ = ["LEAF", "NAMESPACE", "Structure", "flatten", "is_number", "paths", "same_structure", "unflatten"]

NAMESPACE = "chainrule"
_registered: set[type] = set()
_lock = threading.Lock()

Structure = optree.PyTreeSpec
LEAF: Structure = optree.treespec_leaf(namespace=NAMESPACE)


def _register(cls: type) -> None:
    """Let a dataclass be a node of trees: its fields are its children."""
    with _lock:
        if cls in _registered:
            return
        names = tuple(f.name for f in dataclasses.fields(cls))

        def take_apart(instance: Any) -> tuple[tuple[Any, ...], tuple[str, ...], tuple[str, ...]]:
            return tuple(getattr(instance, name) for name in names), names, names

        def put_together(_: Any, children: Any) -> Any:
            # Not through __init__, which may compute or check things that leaves other than arrays do not pass.
            instance: Any = object.__new__(cls)
            for name, child in zip(names, children, strict=True):
                object.__setattr__(instance, name, child)
            return instance

        optree.register_pytree_node(cls, take_apart, put_together, namespace=NAMESPACE)
        _registered.add(cls)


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of a tree, in order, and its structure.  ``None`` is an empty tree, as in JAX."""
    while True:
        leaves, structure = optree.tree_flatten(tree, namespace=NAMESPACE)
        kinds = {type(x) for x in leaves}
        unknown = [cls for cls in kinds if dataclasses.is_dataclass(cls)]
        if not unknown:
            return leaves, structure
        for cls in unknown:
            _register(cls)


def unflatten(structure: Structure, leaves: Sequence[Any]) -> Any:
    """The tree of that structure with these leaves."""
    return optree.tree_unflatten(structure, leaves)


def paths(tree: Any) -> list[str]:
    """How each leaf is reached from the tree: ``[0]['W1'].bias``."""
    flatten(tree)
    accessors = optree.tree_accessors(tree, namespace=NAMESPACE)
    return [str(a.codify("")) for a in accessors]


def same_structure(tree: Any, structure: Structure, what: Message | str, like: Message | str) -> list[Any]:
    """The leaves of ``tree``, which must have this structure.

    Raises:
        TreeError: where it has another; the message shows both.
    """
    leaves, own = flatten(tree)
    if own != structure:
        raise TreeError(
            message(
                "{what} must be a tree of the same structure as {like}.\n  Expected: {expected}\n  "
                "Got:      {given}\n  Instead: build it as {like} is built, with one array for each of "
                "its arrays.",
                what=what,
                like=like,
                expected=_show(structure),
                given=_show(own),
            )
        )
    return leaves


def _show(structure: Structure) -> str:
    text = str(structure)
    return text.removeprefix("PyTreeSpec(").removesuffix(")").replace(f", namespace='{NAMESPACE}'", "")


def is_number(x: Any) -> bool:
    """Whether a leaf is an array or a number."""
    return type(x) is Traced or isinstance(x, np.ndarray | np.generic | int | float | complex)
