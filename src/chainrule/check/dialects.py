"""Lines of other array libraries read as NumPy's, and NumPy's written as theirs.

A line of a ``torch.autograd.Function`` or a ``jax.custom_vjp`` function is turned into the same in NumPy's words, on
which everything else works.  Each part remembers how it was written, so that what is not changed stays as its author
has it; what is new is written in the words of the library.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["DIALECTS", "in_numpy", "respelled", "unparsed"]

DIALECTS = frozenset(("torch", "jax"))
_OF_TORCH = frozenset(("torch", "F"))
_OF_JAX = frozenset(("jnp", "jax"))

# Methods and functions without further arguments, by their names here and there; functions of NumPy of the same name
# are not listed.
_UNCHANGED = frozenset("contiguous detach float double type_as expand_as to requires_grad_ cpu".split())
_ELEMENTWISE = frozenset(
    "exp log log1p expm1 sqrt tanh sin cos sinh cosh abs sign square floor ceil arctan logical_not".split()
)
_PLAIN = _ELEMENTWISE | frozenset(
    "where einsum outer matmul maximum minimum zeros_like ones_like stack multiply add subtract tensordot "
    "logaddexp isnan tril triu diag flip arange".split()
)
_REDUCTIONS = frozenset("sum mean amax amin prod cumsum argmax argmin any all".split())
_RENAMED = {"cat": "concatenate", "concat": "concatenate", "pow": "power", "atan": "arctan", "mul": "multiply"}
_PRODUCTS = frozenset("mm matmul bmm mv".split())
_OPERATORS: dict[str, type[ast.operator]] = {
    "mul": ast.Mult, "multiply": ast.Mult, "add": ast.Add, "sub": ast.Sub, "subtract": ast.Sub, "div": ast.Div,
    "divide": ast.Div, "pow": ast.Pow,
}  # fmt: skip
_KEYWORDS = {"dim": "axis", "keepdim": "keepdims"}
_BACK = {axis: dim for dim, axis in _KEYWORDS.items()}


# ---- their words as NumPy's
def in_numpy(tree: Any, dialect: str) -> Any:
    """A syntax tree in which what is written in another library's words is written in NumPy's; it is changed.

    Args:
        tree: a part of a syntax tree that nobody else has.
        dialect: whose words they are; with any that is not known, the tree stays as it is.
    """
    if dialect not in DIALECTS:
        return tree
    for node in ast.walk(tree):
        if isinstance(node, ast.expr):
            node.origin, node.dialect = node, dialect  # type: ignore[attr-defined]
    return _Reader(dialect).visit(tree)


class _Reader(ast.NodeTransformer):
    def __init__(self, dialect: str) -> None:
        self.turned: Callable[[Any], ast.expr | None] = _from_torch if dialect == "torch" else _from_jax
        self.dialect = dialect

    def generic_visit(self, node: ast.AST) -> Any:
        """Turn what is inside, and then the node itself; the parts of what was written stay what they were."""
        before: Any = _shallow(node) if isinstance(node, ast.expr) else node
        super().generic_visit(node)
        if not isinstance(node, ast.expr):
            return node
        read = isinstance(getattr(node, "ctx", None), ast.Load | None)
        found = (self.turned(node) if read else None) or node
        if found is not node or _differs(before, node):
            found.origin, found.dialect = before, self.dialect  # type: ignore[attr-defined]
            ast.copy_location(found, node)
        return found


def _shallow(node: ast.expr) -> ast.expr:
    """The same node with the same parts, which keeps them where those of the other are replaced."""
    held = {n: getattr(node, n) for n in node._fields if hasattr(node, n)}
    fields: dict[str, Any] = {n: list(v) if isinstance(v, list) else v for n, v in held.items()}
    for name, value in fields.items():
        if isinstance(value, list):
            fields[name] = [_shallow_keyword(x) if isinstance(x, ast.keyword) else x for x in value]
    return ast.copy_location(type(node)(**fields), node)


def _shallow_keyword(node: ast.keyword) -> ast.keyword:
    return ast.keyword(node.arg, node.value)


def _differs(one: ast.expr, other: ast.expr) -> bool:
    return ast.dump(one) != ast.dump(other)


def _numpy(name: str) -> ast.expr:
    return ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load())


def _call(name: str, *operands: ast.expr, keywords: Sequence[ast.keyword] = ()) -> ast.expr:
    return ast.Call(_numpy(name), list(operands), list(keywords))


def _path(node: ast.expr) -> list[str]:
    """The names of ``jax.nn.sigmoid``; none for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []


def _from_torch(node: Any) -> ast.expr | None:
    if isinstance(node, ast.Attribute):
        path = _path(node)
        if path in (["torch", "pi"], ["torch", "inf"], ["torch", "e"]):
            return _numpy(node.attr)
        return _swapped_last(node.value) if node.attr == "mT" else None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    path, name = _path(node.func), node.func.attr
    module = bool(path) and path[0] in _OF_TORCH
    operands = [*([] if module else [node.func.value]), *node.args]
    keywords = {k.arg: k.value for k in node.keywords if k.arg}
    if not operands or any(isinstance(x, ast.Starred) for x in operands):
        return None
    return _meant(name, operands, keywords, module)


def _meant(name: str, operands: list[ast.expr], keywords: dict[str, ast.expr], module: bool) -> ast.expr | None:
    """What a function or method of torch is in NumPy's words; ``None`` where that is not known or the same."""
    first, *rest = operands
    if name in _REDUCTIONS:
        given = {_KEYWORDS.get(k, k): v for k, v in keywords.items() if k != "dtype"}
        given.update(zip(("axis", "keepdims"), rest, strict=False))
        words = [ast.keyword(k, v) for k, v in given.items()]
        own = _numpy(name) if module else ast.Attribute(first, name, ast.Load())
        return ast.Call(own, [first] if module else [], words)
    if name in ("max", "min", "std", "var", "norm"):
        return None  # a pair of values and places there, and other conventions
    if name in _PRODUCTS and len(operands) == 2:
        return ast.BinOp(first, ast.MatMult(), rest[0])
    if name in _OPERATORS and len(operands) == 2 and not keywords:
        return ast.BinOp(first, _OPERATORS[name](), rest[0])
    if name in ("transpose", "swapaxes") and len(operands) == 3:
        return ast.Call(ast.Attribute(first, "swapaxes", ast.Load()), rest, [])
    if name == "permute":
        return ast.Call(ast.Attribute(first, "transpose", ast.Load()), rest, [])
    if name in ("clamp", "clip"):
        return _clamped(first, rest, keywords)
    if name in ("masked_fill",) and len(rest) == 2:
        return _call("where", rest[0], rest[1], first)
    if len(operands) == 1:
        return _meant_alone(name, first, module)
    if not module:
        return _meant_method(name, first, rest)
    renamed = _RENAMED.get(name, name)
    if renamed in _PLAIN or renamed == "concatenate":
        words = [ast.keyword(_KEYWORDS.get(k, k), v) for k, v in keywords.items()]
        return _call(renamed, *operands, keywords=words)
    return None


def _meant_alone(name: str, x: ast.expr, module: bool) -> ast.expr | None:
    one = ast.Constant(1)
    if name == "t":
        return ast.Attribute(x, "T", ast.Load())
    if name in _UNCHANGED and not module:
        return x
    if name in ("clone", "copy"):
        return ast.Call(ast.Attribute(x, "copy", ast.Load()), [], [])
    if name in ("numel", "size"):
        return ast.Attribute(x, "size" if name == "numel" else "shape", ast.Load())
    if name == "sigmoid":
        return ast.BinOp(one, ast.Div(), ast.BinOp(one, ast.Add(), _call("exp", ast.UnaryOp(ast.USub(), x))))
    if name == "rsqrt":
        return ast.BinOp(one, ast.Div(), _call("sqrt", x))
    if name == "reciprocal":
        return ast.BinOp(one, ast.Div(), x)
    if name == "relu":
        return _call("maximum", x, ast.Constant(0))
    if name in ("neg", "negative"):
        return ast.UnaryOp(ast.USub(), x)
    renamed = _RENAMED.get(name, name)
    return _call(renamed, x) if renamed in _PLAIN or renamed == "concatenate" else None


def _meant_method(name: str, x: ast.expr, rest: list[ast.expr]) -> ast.expr | None:
    if name == "size" and len(rest) == 1:
        return ast.Subscript(ast.Attribute(x, "shape", ast.Load()), rest[0], ast.Load())
    if name == "view":
        return ast.Call(ast.Attribute(x, "reshape", ast.Load()), rest, [])
    if name == "unsqueeze" and len(rest) == 1:
        return _call("expand_dims", x, rest[0])
    return x if name in _UNCHANGED else None


def _clamped(x: ast.expr, rest: list[ast.expr], keywords: dict[str, ast.expr]) -> ast.expr:
    low = keywords.get("min", rest[0] if rest else None)
    high = keywords.get("max", rest[1] if len(rest) > 1 else None)
    found = x if low is None else _call("maximum", x, low)
    return found if high is None else _call("minimum", found, high)


def _swapped_last(x: ast.expr) -> ast.expr:
    axes: list[ast.expr] = [ast.Constant(-1), ast.Constant(-2)]
    return ast.Call(ast.Attribute(x, "swapaxes", ast.Load()), axes, [])


def _from_jax(node: Any) -> ast.expr | None:
    if isinstance(node, ast.Name) and node.id == "jnp":
        return ast.Name("np", ast.Load())
    if isinstance(node, ast.Attribute) and _path(node) == ["jax", "numpy"]:
        return ast.Name("np", ast.Load())
    if not isinstance(node, ast.Call) or _path(node.func)[:2] not in (["jax", "nn"], ["jax", "lax"]):
        return None
    name = node.func.attr  # type: ignore[attr-defined]
    return _meant_alone(name, node.args[0], True) if len(node.args) == 1 and not node.keywords else None


# ---- NumPy's words as theirs
def unparsed(node: Any) -> str:
    """A syntax tree as text: what was there before as it was written, and what is new in the same words."""
    dialect = next((n.dialect for n in ast.walk(node) if hasattr(n, "dialect")), "")
    return ast.unparse(ast.fix_missing_locations(_written(node, dialect)) if dialect else node)


def respelled(text: str, dialect: str) -> str | None:
    """Lines in NumPy's words in those of another library; ``None`` where there are none for something in them."""
    if dialect not in DIALECTS:
        return text
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    written = ast.unparse(ast.fix_missing_locations(_written(tree, dialect)))
    left = any(isinstance(n, ast.Name) and n.id == "np" for n in ast.walk(ast.parse(written)))
    return None if left else written


def _written(node: Any, dialect: str) -> Any:
    """A node whose parts are as their authors wrote them, and in the words of a library where they are new."""
    origin = getattr(node, "origin", None)
    if origin is not None:
        return _plain_copy(origin)
    if isinstance(node, list):
        return [_written(x, dialect) for x in node]
    if not isinstance(node, ast.AST):
        return node
    fields = {name: _written(getattr(node, name), dialect) for name in node._fields if hasattr(node, name)}
    copied = ast.copy_location(type(node)(**fields), node)
    return (_to_torch(copied) if dialect == "torch" else _to_jax(copied)) or copied


def _plain_copy(node: ast.expr) -> ast.expr:
    """What was written: its parts may have been turned since, and remember what they were."""
    fields: dict[str, Any] = {}
    for name in node._fields:
        value = getattr(node, name, None)
        fields[name] = [_of_origin(x) for x in value] if isinstance(value, list) else _of_origin(value)
    return ast.copy_location(type(node)(**fields), node)


def _of_origin(value: Any) -> Any:
    if isinstance(value, ast.keyword):
        return ast.keyword(value.arg, _of_origin(value.value))
    if not isinstance(value, ast.expr):
        return value
    origin = getattr(value, "origin", value)
    return _plain_copy(value if origin is None else origin)


def _to_torch(node: Any) -> Any:
    if isinstance(node, ast.Attribute):
        if _path(node) == ["np", "newaxis"]:
            return ast.Constant(None)
        if _path(node) in (["np", "pi"], ["np", "inf"]):
            return ast.Attribute(ast.Name("torch", ast.Load()), node.attr, ast.Load())
        return ast.Call(ast.Attribute(node.value, "numel", ast.Load()), [], []) if node.attr == "size" else None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Call):
        return None
    if isinstance(node.func, ast.Call):  # x.size(0), the size of which has become a call
        inner = node.func.func
        if not isinstance(inner, ast.Attribute) or inner.attr != "numel" or node.func.args:
            return None
        return ast.Call(ast.Attribute(inner.value, "size", ast.Load()), node.args, [])
    path, name = _path(node.func), node.func.attr
    words = [ast.keyword(_BACK.get(k.arg or "", k.arg), k.value) for k in node.keywords]
    if path[:1] == ["np"]:
        return _torch_function(".".join(path[1:]), node.args, words)
    if name == "transpose" and len(node.args) > 2:
        return ast.Call(ast.Attribute(node.func.value, "permute", ast.Load()), node.args, words)
    if name == "copy" and not node.args:
        return ast.Call(ast.Attribute(node.func.value, "clone", ast.Load()), [], [])
    return ast.Call(node.func, node.args, words)


def _torch_function(name: str, operands: list[ast.expr], words: list[ast.keyword]) -> ast.expr | None:
    back = {"concatenate": "cat", "power": "pow", "amax": "amax", "expand_dims": "unsqueeze"}
    if name == "sqrt" and len(operands) == 1:
        return ast.BinOp(operands[0], ast.Pow(), ast.Constant(0.5))  # of a length, too
    if name == "add.at" and len(operands) == 3:
        accumulate = ast.keyword("accumulate", ast.Constant(True))
        where = ast.Tuple([operands[1]], ast.Load())
        return ast.Call(ast.Attribute(operands[0], "index_put_", ast.Load()), [where, operands[2]], [accumulate])
    if name in ("maximum", "minimum") and any(isinstance(x, ast.Constant) for x in operands):
        bound = "min" if name == "maximum" else "max"
        constant = next(x for x in operands if isinstance(x, ast.Constant))
        other = next((x for x in operands if x is not constant), constant)
        return ast.Call(ast.Attribute(other, "clamp", ast.Load()), [], [ast.keyword(bound, constant)])
    if name in _PLAIN or name in _REDUCTIONS or name in back:
        own = ast.Attribute(ast.Name("torch", ast.Load()), back.get(name, name), ast.Load())
        return ast.Call(own, operands, words)
    return None


def _to_jax(node: Any) -> Any:
    if isinstance(node, ast.Name) and node.id == "np":
        return ast.Name("jnp", ast.Load())
    return None
