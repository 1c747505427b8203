"""An example of the arguments, and others made from it: of other lengths, with other settings, with other lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.emit.material import Leaf
from chainrule.emit.text import formatted_path
from chainrule.members import lists_in
from chainrule.sizes import is_size, named_number, plain_number
from chainrule.trees import flatten, unflatten

__all__ = ["Arguments", "Axis", "Example"]

Axis = tuple[Leaf, int]
Arguments = tuple[Sequence[Any], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Example:
    """Arguments that a function is called with.

    Attributes:
        args: those by position.
        kwargs: those by name.
        leaves: the arrays and numbers in them.
        parameters: the names of the function's parameters.
    """

    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    leaves: Sequence[Leaf]
    parameters: Sequence[str]

    def like_this(self, arguments: Arguments) -> Example:
        """The example of other arguments that were made from this one's, with as many arrays in them."""
        args, kwargs = arguments
        before, after = (
            [x for tree in trees for x in flatten(tree)[0]]
            for trees in ((*self.args, *self.kwargs.values()), (*args, *kwargs.values()))
        )
        values = {id(x): y for x, y in zip(before, after, strict=True)}
        leaves = []
        for leaf in self.leaves:
            value = values.get(id(leaf.value), leaf.value)
            leaves.append(replace(leaf, variable=replace(leaf.variable, shape=np.shape(value)), value=value))
        return replace(self, args=args, kwargs=kwargs, leaves=leaves)

    def free_length(self, least: int) -> int:
        """A length that none of the arrays has."""
        lengths = {n for x in self.leaves for n in x.variable.shape}
        return next(n for n in range(least, least + len(lengths) + 1) if n not in lengths)

    def alike(self, axes: Sequence[Axis]) -> list[Axis]:
        """All axes that are as long as these."""
        count = axes[0][0].variable.shape[axes[0][1]]
        return [(x, a) for x in self.leaves for a, m in enumerate(x.variable.shape) if m == count]

    def resized(self, axes: Sequence[Axis], n: int) -> Iterator[Arguments]:
        """The arguments with another length along these axes."""
        values = {id(x.value): x.value for x, _ in axes}
        for x, a in axes:
            values[id(x.value)] = _stretched(values[id(x.value)], n, a)
        for x in {id(x.value): x.value for x, _ in axes}.values():
            if {x.ndim - 1, x.ndim - 2} <= {a for y, a in axes if y.value is x}:
                values[id(x)] = _regular(values[id(x)], x.shape[-1])
        yield self._with(values)

    def _with(self, values: Mapping[int, Any]) -> Arguments:
        """Copies of the arguments with other arrays; what is one array twice is one array in them, too."""
        copies: dict[int, Any] = {}

        def other(x: Any) -> Any:
            value = values.get(id(x), x)
            return copies.setdefault(id(x), np.copy(value)) if isinstance(value, np.ndarray) else value

        trees = []
        for tree in (*self.args, *self.kwargs.values()):
            leaves, structure = flatten(tree)
            trees.append(unflatten(structure, [other(x) for x in leaves]))
        return trees[: len(self.args)], dict(zip(self.kwargs, trees[len(self.args) :], strict=True))

    def settings(self) -> list[tuple[str, Any]]:
        """The arguments that are numbers and are written by their names."""
        given = (*self.args, *self.kwargs.values())
        named = [(x.expression[1], plain_number(x)) for x in given if is_size(x) and x.expression[0] == "name"]
        return [(name, value) for name, value in named if type(value) is int]  # others are tried for themselves

    def reset(self, name: str, value: Any) -> Iterator[Arguments]:
        """The arguments with another number for this one."""

        def other(x: Any) -> Any:
            return named_number(value, name) if is_size(x) and x.expression[:2] == ("name", name) else x

        yield [other(x) for x in self.args], {key: other(x) for key, x in self.kwargs.items()}

    def lists(self) -> list[tuple[str, int, list[Any]]]:
        """The lists in the arguments, those of the same length together."""
        found: dict[int, tuple[str, int, list[Any]]] = {}
        for _, path, x in lists_in(self.parameters, (*self.args, *self.kwargs.values())):
            if isinstance(x, list) and x:
                found.setdefault(len(x), (formatted_path(path), len(x), []))[2].append(x)
        return list(found.values())

    def relisted(self, lists: Sequence[Any], n: int) -> Iterator[Arguments]:
        """The arguments with other numbers of items in these lists: one is left out, or repeated."""
        count = len(lists[0])
        for k in range(count - 1, -1, -1):
            places = [*range(k), *[k] * (n - count + 1), *range(k + 1, count)] if n > count else None
            if n == count - 1:
                places = [*range(k), *range(k + 1, count)]
            elif n <= 1 < count:
                places = [*range(n)]
            if places is None:
                return
            known = {id(x): [_varied(x[p], places[:at].count(p)) for at, p in enumerate(places)] for x in lists}
            trees = [_replaced(tree, known) for tree in (*self.args, *self.kwargs.values())]
            yield trees[: len(self.args)], dict(zip(self.kwargs, trees[len(self.args) :], strict=True))


def _varied(tree: Any, times: int) -> Any:
    """An item of a list that is there so many times before; it differs a little from those."""
    leaves, structure = flatten(tree)
    if not times:
        return tree
    return unflatten(structure, [x * (1 + 0.01 * times) if isinstance(x, np.ndarray) and x.dtype.kind in "fc" else x
                                 for x in leaves])  # fmt: skip


def _stretched(x: Any, n: int, axis: int) -> Any:
    """An array with another length along an axis; what is repeated differs a little, so that it makes no ties."""
    count = x.shape[axis]
    taken = np.take(x, np.arange(n) % count, axis=axis)
    if n <= count or x.dtype.kind not in "fc":
        return taken
    factors = 1 + 0.01 * (np.arange(n) // count) * np.arange(n)
    return (taken * factors.reshape([-1 if k == axis else 1 for k in range(x.ndim)])).astype(x.dtype)


def _regular(x: Any, count: int) -> Any:
    """A square array whose rows behind these are multiples of others: made regular, and no less symmetric by it."""
    n = x.shape[-1]
    if n <= count or x.shape[-2] != n or x.dtype.kind not in "fc":
        return x
    added = np.where(np.arange(n) < count, 0, 0.5 * (np.abs(x).mean() or 1.0))
    return (x + np.diag(added)).astype(x.dtype)


def _replaced(tree: Any, known: Mapping[int, Any]) -> Any:
    if id(tree) in known:
        return known[id(tree)]
    if type(tree) in (list, tuple):
        return type(tree)(_replaced(x, known) for x in tree)
    if type(tree) is dict:
        return {key: _replaced(x, known) for key, x in tree.items()}
    return np.copy(tree) if isinstance(tree, np.ndarray) else tree
