"""Which whole numbers given to a function may stay names in code that is written: lengths, counts, steps, paddings.

A whole number may be anything: the index of an axis, a power, a place in a list.  There its value decides which steps
are recorded, and what is written holds for that value alone.  Where it is only computed with, and ends in shapes,
between the colons of slices, in the count of a loop's turns or as a factor of an array, code with its name holds for
every value.  That is read off the syntax, of the function and of its own helpers that the number is handed to.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Collection
from functools import lru_cache
from types import FunctionType
from typing import Any, Literal

import numpy as np

from chainrule.name_uses import NameUses

__all__ = ["lengths_given"]

# What an expression is by how it is written.  Of what is neither, nothing is known.
Kind = Literal["number", "array", "unknown"]

# What takes a shape, or numbers of elements, and does not look at them otherwise.
_SHAPED = frozenset("reshape arange zeros ones empty full eye tri broadcast_to sliding_window_view".split())
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
_LINEAR = (ast.Add, ast.Sub, ast.Mult, ast.Div)
_NUMBERS = frozenset(("item", "tolist", "argmax", "argmin", "any", "all"))  # what methods of arrays may give
_DEEPEST = 4  # helpers that call helpers


def lengths_given(function: Callable[..., Any], numbers: Collection[str]) -> frozenset[str]:
    """Those of the whole numbers given to a function that are lengths, counts, steps or paddings.

    Nothing else about a result can depend on their values, but what comparisons of them decide.

    Args:
        function: the function.
        numbers: the parameters that are whole numbers; the others are arrays, or trees of them.
    """
    inner = inspect.unwrap(function)
    if not numbers or not isinstance(inner, FunctionType):
        return frozenset()
    return _given(inner, frozenset(numbers), _DEEPEST)


@lru_cache(maxsize=256)
def _given(function: FunctionType, numbers: frozenset[str], depth: int) -> frozenset[str]:
    try:
        reading = _Reading(function, numbers, depth)
    except LookupError:
        return frozenset()
    return frozenset(name for name in numbers if reading.is_length(name))


class _Reading(NameUses):
    """How the code of a function uses its whole numbers.

    Args:
        function: the function.
        numbers: its parameters that are whole numbers.
        depth: how many calls of other functions may be looked into.
    """

    def __init__(self, function: FunctionType, numbers: frozenset[str], depth: int) -> None:
        super().__init__(function)
        self.numbers, self.depth = numbers, depth
        code = function.__code__
        self.parameters = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        self.asked: dict[str, bool] = {}
        self.kinds: dict[str, Kind] = {}

    # ---- uses
    def is_length(self, name: str) -> bool:
        """Whether all uses of a name are those of a length."""
        if name not in self.asked:
            self.asked[name] = True  # n = n // 2 is as good as the rest of its uses
            nodes = self.nodes.get(name, [])
            # A parameter that is given something else is not what it was below the user's lines.
            kept = name not in self.parameters or all(isinstance(n.ctx, ast.Load) for n in nodes)
            self.asked[name] = (
                self.is_local(name) and kept and all(self._is_use(n) for n in nodes if isinstance(n.ctx, ast.Load))
            )
        return self.asked[name]

    def _is_use(self, node: ast.expr) -> bool:
        """Whether an expression that is a number is used as a length."""
        above = self.parents[node]
        if isinstance(above, ast.BinOp):
            kind = self._kind(above.right if node is above.left else above.left)
            if kind == "array":  # nothing but the values of the result depends on it
                return isinstance(above.op, _LINEAR)
            return kind == "number" and isinstance(above.op, _ARITHMETIC) and self._is_use(above)
        if isinstance(above, ast.UnaryOp):
            return isinstance(above.op, ast.USub) and self._is_use(above)
        if isinstance(above, ast.Tuple | ast.List):
            return self._is_use(above)
        if isinstance(above, ast.Slice):
            return True
        if isinstance(above, ast.FormattedValue):
            return self.is_in_message(above)
        if isinstance(above, ast.Compare):  # what it decides is said above the code
            return all(self._kind(x) == "number" for x in (above.left, *above.comparators))
        if isinstance(above, ast.Assign):
            return not isinstance(node, ast.Tuple | ast.List) and all(
                isinstance(t, ast.Name) and self.is_length(t.id) for t in above.targets
            )
        return isinstance(above, ast.Call) and self._is_handed(node, above)

    def _is_handed(self, node: ast.expr, call: ast.Call) -> bool:
        """Whether an argument of a call is used as a length."""
        if node not in call.args or any(isinstance(a, ast.Starred) for a in call.args):
            return False
        place, name = call.args.index(node), _called(call)
        if isinstance(call.func, ast.Name):
            called = self.of_globals(call.func.id)
            if called is range:
                return self._is_looped(call)
            return self._is_use(call) if called is float else self._is_length_of(called, call, place)
        called = self.of_numpy(call.func)
        if called is None:
            # Nothing but an array has such a method, whatever helper it comes from.
            return name == "reshape" and isinstance(call.func, ast.Attribute)
        # Other modes of np.pad repeat elements, as many as there are in the example.
        modes = [k.value.value for k in call.keywords if k.arg == "mode" and isinstance(k.value, ast.Constant)]
        padded = (
            name == "pad" and len(call.args) == 2 and len(modes) == len(call.keywords) and modes in ([], ["constant"])
        )
        return self._is_use(call) if called is np.sqrt else name in _SHAPED or padded

    def _is_looped(self, call: ast.Call) -> bool:
        """Whether a range is what a loop runs over, with one counter."""
        loop = self.parents[call]
        return isinstance(loop, ast.For | ast.comprehension) and isinstance(loop.target, ast.Name)

    def _is_length_of(self, called: Any, call: ast.Call, place: int) -> bool:
        """Whether a function of the user's own takes a length at a place among its arguments."""
        inner = inspect.unwrap(called) if callable(called) else None
        if not isinstance(inner, FunctionType) or self.depth == 0:
            return False
        names = inner.__code__.co_varnames[: inner.__code__.co_argcount]
        kinds = [(name, self._kind(value)) for name, value in zip(names, call.args, strict=False)]
        kinds += [(k.arg or "", self._kind(k.value)) for k in call.keywords]
        if any(kind == "unknown" for _, kind in kinds) or place >= len(names):
            return False
        numbers = frozenset(name for name, kind in kinds if kind == "number")
        return names[place] in _given(inner, numbers, self.depth - 1)

    # ---- kinds
    def _kind(self, node: ast.expr) -> Kind:
        """What an expression is by how it is written."""
        match node:
            case ast.Constant():
                return "number" if type(node.value) in (int, float) else "unknown"
            case ast.Name():
                return self._kind_of(node)
            case ast.BinOp():
                kinds = {self._kind(node.left), self._kind(node.right)}
                return "array" if isinstance(node.op, ast.MatMult) or "array" in kinds else _only(kinds)
            case ast.UnaryOp():
                return self._kind(node.operand)
            case ast.Attribute():
                if node.attr in ("size", "ndim"):
                    return "number"
                return "array" if node.attr == "T" else "unknown"
            case ast.Subscript(value=ast.Attribute(attr="shape")):
                return "unknown" if isinstance(node.slice, ast.Slice) else "number"
            case ast.Subscript():
                return "array" if self._kind(node.value) == "array" else "unknown"
            case ast.Call():
                return self._kind_of_call(node)
        return "unknown"

    def _kind_of_call(self, call: ast.Call) -> Kind:
        if isinstance(call.func, ast.Name):
            called = self.of_globals(call.func.id)
            return (
                "number" if called is len else self._kind(call.args[0]) if called is float and call.args else "unknown"
            )
        called = self.of_numpy(call.func)
        name = _called(call)
        if called is not None:
            kinds = {self._kind(a) for a in call.args}
            if "array" in kinds and name not in _NUMBERS:
                return "array"
            if called is np.sqrt:
                return _only(kinds)
            return "array" if name in _SHAPED else "unknown"
        owner = self._kind(call.func.value) if isinstance(call.func, ast.Attribute) else "unknown"
        return "array" if owner == "array" and name not in _NUMBERS else "unknown"

    def _kind_of(self, node: ast.Name) -> Kind:
        name = node.id
        if name not in self.kinds:
            stores = [n for n in self.nodes.get(name, ()) if not isinstance(n.ctx, ast.Load)]
            kinds: set[Kind] = set()
            if name in self.parameters:
                kinds.add("number" if name in self.numbers else "array")
            elif not stores:
                kinds.add("number" if type(self.of_globals(node.id)) in (int, float) else "unknown")
            for store in stores:
                self.kinds[name] = _only(kinds)  # for h = h / n
                kinds.add(self._kind_stored(store))
            self.kinds[name] = _only(kinds)
        return self.kinds[name]

    def _kind_stored(self, node: ast.Name) -> Kind:
        """What a name is given at one place."""
        above = self.parents[node]
        match above:
            case ast.Assign() | ast.AugAssign():
                return self._kind(above.value)
            case ast.Tuple():  # B, T, D = x.shape
                match self.parents[above]:
                    case ast.Assign(value=ast.Attribute(attr="shape")):
                        return "number"
                    case ast.Assign(value=ast.Call() as value) if self._kind(value) == "array":  # np.split
                        return "array"
            case ast.For(iter=iterated) | ast.comprehension(iter=iterated):
                if isinstance(iterated, ast.Call) and _called(iterated) == "range":
                    return "number"
                return "array" if self._kind(iterated) == "array" else "unknown"
        return "unknown"


def _only(kinds: Collection[Kind]) -> Kind:
    """The kind of what is of several kinds: a sum of arrays that begins with 0 is an array."""
    if "unknown" in kinds or not kinds:
        return "unknown"
    return "array" if "array" in kinds else "number"


def _called(call: ast.Call) -> str:
    """The last name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
