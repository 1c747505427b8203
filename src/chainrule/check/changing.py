"""What can be written where a line of a candidate stands, and what the line may lack."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.check.dialects import unparsed
from chainrule.check.evaluating import path_of

__all__ = [
    "Change",
    "Scene",
    "Values",
    "called",
    "change_to",
    "constant_of",
    "factors",
    "is_float",
    "is_inside",
    "last_line_of",
    "named_in",
    "neighbours",
    "replaced",
    "scene_name",
    "summed",
    "text_of",
    "with_all",
]

Values = Mapping[str, Any]
_SAME_LENGTH = 2  # axes of one length that are tried


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an expression or statement.

    Attributes:
        make: makes what stands there then, which takes longer than to think of it.
        word: what was changed, as a word of the vocabulary of mistakes.
        cost: how far-fetched it is.
    """

    make: Callable[[], Any]
    word: str
    cost: float

    @property
    def node(self) -> Any:
        """What stands there then."""
        return self.make()


def change_to(node: Any, word: str, cost: float) -> Change:
    """A change to something that is there already."""
    return Change(lambda: node, word, cost)


@dataclass(frozen=True, slots=True)
class Scene:
    """What can be written where a line stands.

    Attributes:
        names: the variables that there are, as they are written, by what :func:`path_of` gives.
        values: of all names, on each draw.
        gradients: the variables that hold gradients.
        constants: the numbers that the forward pass computes with.
        is_factor: whether some exact gradient times an array is another one.
        kinds: the mistakes that are suspected; without them, changes of all kinds are wanted.
        suspected: whether changes of these kinds are wanted, or all others.
        modes: the names that the code compares with: ``"relu"``.
        memory: what was worked out for it, also with other kinds suspected.
    """

    names: Mapping[str, str]
    values: Sequence[Values]
    gradients: frozenset[str] = frozenset()
    constants: tuple[float, ...] = ()
    is_factor: Callable[[Any], bool] = lambda value: True
    kinds: Collection[str] | None = None
    suspected: bool = True
    modes: tuple[str, ...] = ()
    memory: dict[Any, Any] = field(default_factory=dict)

    def wants(self, word: str) -> bool:
        """Whether changes that are called so are wanted."""
        return self.kinds is None or (word in self.kinds) is self.suspected

    def value(self, name: str) -> Any:
        """What an array or number is on the first draw; ``None`` for anything else, such as a list of arrays."""
        held = self.values[0].get(name)
        return held if isinstance(held, np.ndarray | np.generic | int | float | complex) else None


def scene_name(scene: Scene, name: str) -> ast.expr:
    """A variable as it is written."""
    return _parsed(scene.names[name])


@lru_cache(maxsize=1024)
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def named_in(scene: Scene, node: ast.AST) -> str | None:
    """Under which name a scene has what an expression reads; ``None`` where it has not."""
    name = path_of(node)
    if name is None and isinstance(node, ast.Subscript):
        name = ast.unparse(node)
    return name if name in scene.names else None


# ---- what a line may lack as a factor
def factors(scene: Scene) -> Iterator[tuple[ast.expr, bool, float, str]]:
    """What an expression may lack as a factor or, where the second part is true, below a fraction."""
    for name in scene.names:
        value = scene.value(name)
        if np.ndim(value) == 0 and _is_number(value) and value != 0:
            node = scene_name(scene, name)
            count = isinstance(value, int)
            yield node, True, 0.1, "missing_mean" if count else "missing_scale"
            yield node, False, 0.1, "extra_batch_mean" if count else "missing_scale"
            yield called("sqrt", node), True, 0.3, "missing_scale"
            yield ast.BinOp(ast.Constant(1), ast.Sub(), node), False, 0.4, "missing_scale"
    counts: dict[int, int] = {}
    for name in scene.names:
        value = scene.value(name)
        if not isinstance(value, np.ndarray) or not value.ndim:
            continue
        node = scene_name(scene, name)
        lengths: list[ast.expr] = [
            ast.Subscript(ast.Attribute(node, "shape", ast.Load()), ast.Constant(k), ast.Load())
            for k in range(value.ndim)
        ]
        if value.ndim > 1:
            lengths.append(ast.Attribute(node, "size", ast.Load()))
        for length, size in zip(lengths, [*value.shape, value.size], strict=False):
            counts[size] = counts.get(size, 0) + 1
            if counts[size] > _SAME_LENGTH:
                continue
            yield length, True, 0.3, "missing_mean"
            yield length, False, 0.4, "extra_batch_mean"
            yield called("sqrt", length), True, 0.5, "missing_scale"
    yield ast.Constant(2), False, 0.25, "factor_2_missing"
    yield ast.Constant(2), True, 0.35, "extra_factor"
    for name in scene.names:
        value = scene.value(name)
        if not isinstance(value, np.ndarray) or not value.ndim:
            continue
        node = scene_name(scene, name)
        if is_float(value) or value.dtype.kind == "b":
            yield node, False, 0.2, "missing_scale"
            yield node, True, 0.3, "missing_scale"
        if not is_float(value):
            continue
        one, zero, two = ast.Constant(1), ast.Constant(0), ast.Constant(2)
        far = 0.2 + 0.15 * (name in scene.gradients)
        yield ast.Compare(node, [ast.Gt()], [zero]), False, far, "missing_relu_mask"
        yield ast.BinOp(one, ast.Sub(), ast.BinOp(node, ast.Pow(), two)), False, far, "missing_activation_grad"
        logistic = ast.BinOp(node, ast.Mult(), ast.BinOp(one, ast.Sub(), node))
        yield logistic, False, far, "missing_activation_grad"
        yield ast.BinOp(one, ast.Sub(), node), False, 0.3, "missing_local_derivative"
        yield called("sign", node), False, 0.4, "missing_local_derivative"
        yield called("cos", node), False, 0.5, "missing_local_derivative"
        yield called("exp", node), False, 0.5, "missing_local_derivative"
        yield ast.BinOp(node, ast.Pow(), two), True, 0.5, "wrong_power"
        if value.ndim == 1:
            rows = ast.Tuple([ast.Slice(), ast.Constant(None)], ast.Load())
            column = ast.Subscript(node, rows, ast.Load())
            yield column, False, 0.4, "missing_weight"
            yield column, True, 0.5, "missing_weight"


def text_of(statement: ast.stmt | ast.Module) -> str:
    """A statement as people write it: without brackets around what it returns or assigns."""
    text = unparsed(ast.fix_missing_locations(statement))
    value = getattr(statement, "value", None)
    if isinstance(statement, ast.Return | ast.Assign) and isinstance(value, ast.Tuple) and len(value.elts) > 1:
        inner = unparsed(value)
        return text.removesuffix(inner) + inner[1:-1] if inner.startswith("(") and text.endswith(inner) else text
    return text


def last_line_of(statement: ast.stmt) -> int:
    """Where a statement ends; of one with others inside of it, its head."""
    if isinstance(statement, ast.For):
        return statement.iter.end_lineno or statement.lineno
    if isinstance(statement, ast.While | ast.If):
        return statement.test.end_lineno or statement.lineno
    return statement.end_lineno or statement.lineno


def is_inside(line: int, loop: ast.For) -> bool:
    """Whether a line is in the body of a loop."""
    return loop.lineno < line <= (loop.end_lineno or loop.lineno)


def called(name: str, node: ast.expr) -> ast.expr:
    """A call of a function of NumPy."""
    return ast.Call(ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load()), [node], [])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def is_float(value: Any) -> bool:
    """Whether a value is of real numbers."""
    return np.asarray(value).dtype.kind == "f"


def constant_of(value: Any) -> ast.expr:
    """A number or a tuple of numbers as it is written."""
    return ast.parse(repr(value), mode="eval").body


def summed(node: ast.expr, axis: Any, keep: bool) -> ast.expr:
    """A sum along axes."""
    keywords = [ast.keyword("axis", constant_of(axis))]
    if keep:
        keywords.append(ast.keyword("keepdims", ast.Constant(True)))
    return ast.Call(ast.Attribute(node, "sum", ast.Load()), [], keywords)


# ---- copies with something else in them
def replaced(whole: Any, old: ast.AST, new: ast.AST) -> Any:
    """A copy of a node with one inside of it replaced."""
    return with_all(whole, {id(old): new})


def with_all(node: Any, new: Mapping[int, ast.AST]) -> Any:
    """A node with those inside of it replaced that are given by what they are; what has none of them stays itself."""
    if id(node) in new:
        return new[id(node)]
    if isinstance(node, list):
        items = [with_all(x, new) for x in node]
        return node if all(a is b for a, b in zip(items, node, strict=True)) else items
    if not isinstance(node, ast.AST):
        return node
    changed = {}
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST | list):
            inner = with_all(value, new)
            if inner is not value:
                changed[name] = inner
    if not changed:
        return node
    fields = {name: getattr(node, name) for name in node._fields if hasattr(node, name)}
    return ast.copy_location(type(node)(**{**fields, **changed}), node)


def neighbours(index: ast.expr, counters: Collection[str]) -> Iterator[ast.expr]:
    """Indices with a counter that is one further on or back: ``t - 1`` for ``t``, and ``t`` for ``t - 1``."""
    for node in ast.walk(index):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and isinstance(node.left, ast.Name):
            if node.left.id in counters and isinstance(node.right, ast.Constant) and node.right.value == 1:
                yield replaced(index, node, node.left)
        elif isinstance(node, ast.Name) and node.id in counters:
            for by in (ast.Sub(), ast.Add()):
                yield replaced(index, node, ast.BinOp(node, by, ast.Constant(1)))
