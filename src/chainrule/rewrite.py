"""A function's code with its calls made visible.

Plain arrays have methods that know nothing of stand-ins: ``X.dot(t)`` on a plain ``X``, ``np.zeros(n)``,
``np.array([f(x), g(x)])``, ``float(t)``.  To follow them, the *calls* in the user's functions are routed
through a hook.  The function is recompiled from its source with every call ``f(a)`` written as
``hook(f, a)``; names, closures, globals, defaults and line numbers stay what they were, and nothing
of NumPy or of the user's is replaced, so no other thread can notice.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import threading
import warnings
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

__all__ = ["CALL", "ITEM", "STORED", "TEXT", "TURNS", "rewritten", "routed_module"]

CALL, ITEM, TEXT, STORED = "__chainrule_call__", "__chainrule_item__", "__chainrule_text__", "__chainrule_stored__"
TURNS = "__chainrule_turns__"
_HOOKS = (CALL, ITEM, TEXT, STORED, TURNS)

# Builtins that mean the same with stand-ins, and those that look at the frame they are called from.
_UNTOUCHED = frozenset(
    "super locals globals vars dir eval exec breakpoint isinstance issubclass print enumerate zip id "
    "hasattr getattr setattr delattr str repr iter next abs any all list tuple dict set bool slice reversed "
    "callable format property staticmethod classmethod object input open __import__ min max".split()
)
# A float on the left of a size: Python's float would answer, which knows no sizes.
_REFLECTED = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.Pow: "pow"}
_NO_NUMBERS = ast.List | ast.Tuple | ast.Dict | ast.JoinedStr | ast.ListComp | ast.Compare
_FUTURE_FLAGS = 0x1FE0000  # the CO_FUTURE_* bits

_lock = threading.Lock()
_modules: dict[str, tuple[int, ast.Module, frozenset[Any]]] = {}
_rewritten: dict[int, tuple[CodeType, CodeType | None]] = {}


class _Router(ast.NodeTransformer):
    """Writes calls, computed subscripts, ``"…" % values`` and values stored in arrays as calls of the hooks."""

    def __init__(self, rebound: frozenset[str]) -> None:
        self.rebound = rebound

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in _UNTOUCHED and node.func.id not in self.rebound:
            return node if node.func.id not in ("locals", "vars") or node.args else _without_hooks(node)
        hook = ast.copy_location(ast.Name(CALL, ast.Load()), node.func)
        return ast.copy_location(ast.Call(hook, [node.func, *node.args], node.keywords), node)

    def visit_For(self, node: ast.For) -> ast.AST:
        return self._looped(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        plain = not node.orelse and not isinstance(node.test, ast.Constant | ast.BoolOp | ast.NamedExpr)
        left = any(isinstance(inner, ast.Break | ast.Return) for inner in ast.walk(node))
        self.generic_visit(node)
        if plain and not left:
            place = ast.copy_location(ast.Constant(f"{node.lineno}:{node.col_offset}"), node.test)
            node.test = self._turns("while", [place, node.test], [], node.test)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        return self.generic_visit(node) if node.is_async else self._looped(node)

    def _looped(self, node: Any) -> ast.AST:
        items = self._turns("for", [self._iterated(node.iter)], [], node.iter)
        node.iter = ast.copy_location(ast.Constant(None), node.iter)
        self.generic_visit(node)
        node.iter = items
        return node  # type: ignore[no-any-return]

    def _iterated(self, node: ast.expr) -> ast.expr:
        """What a loop runs over, with ``range``, ``zip``, ``enumerate`` and ``reversed`` made visible."""
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if name not in ("range", "zip", "enumerate", "reversed") or name in self.rebound:
            return self.visit(node)  # type: ignore[no-any-return]
        assert isinstance(node, ast.Call)
        parts = [self.visit(e) if name == "range" else self._iterated(e) for e in node.args]
        keywords = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        return self._turns(name, parts, keywords, node)

    @staticmethod
    def _turns(kind: str, parts: list[ast.expr], keywords: list[ast.keyword], node: ast.expr) -> ast.expr:
        hook = ast.copy_location(ast.Name(TURNS, ast.Load()), node)
        return ast.copy_location(ast.Call(hook, [ast.copy_location(ast.Constant(kind), node), *parts], keywords), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        text = isinstance(node.left, ast.JoinedStr) or (
            isinstance(node.left, ast.Constant) and isinstance(node.left.value, str | bytes)
        )
        if isinstance(node.op, ast.Mod) and text:
            hook = ast.copy_location(ast.Name(TEXT, ast.Load()), node)
            return ast.copy_location(ast.Call(hook, [node.left, node.right], []), node)
        kind = _REFLECTED.get(type(node.op))
        # A float on the left of a length would swallow it: Python asks float before it asks a kind of int.
        number = not isinstance(node.left, ast.Constant | _NO_NUMBERS) or type(getattr(node.left, "value", 0)) is float
        sized = not isinstance(node.right, ast.Constant | _NO_NUMBERS)
        if kind is not None and (number or kind == "pow") and sized:
            return self._turns(kind, [node.left, node.right], [], node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        base = _written(node.targets[0]) if len(node.targets) == 1 else None
        self.generic_visit(node)
        if base is not None:
            node.value = self._stored(base, node.value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        base = _written(node.target)
        self.generic_visit(node)
        if base is not None:
            node.value = self._stored(base, node.value)
        return node

    def _stored(self, base: ast.expr, value: ast.expr) -> ast.expr:
        hook = ast.copy_location(ast.Name(STORED, ast.Load()), value)
        return ast.copy_location(ast.Call(hook, [value, base], []), value)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load) or isinstance(node.slice, ast.Constant | ast.UnaryOp | ast.Starred):
            return node
        key = _as_expression(node.slice)
        if key is None:
            return node
        hook = ast.copy_location(ast.Name(ITEM, ast.Load()), node)
        return ast.copy_location(ast.Call(hook, [node.value, key], []), node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.target = self.visit(node.target)
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        for argument in (*node.posonlyargs, *node.args, *node.kwonlyargs):
            argument.annotation = None
        node.defaults = [self.visit(d) for d in node.defaults]
        node.kw_defaults = [None if d is None else self.visit(d) for d in node.kw_defaults]
        return node


def _without_hooks(names: ast.expr) -> ast.expr:
    """``locals()`` without the variables that are not the user's."""
    shown = ast.parse(f"{{k: v for k, v in None.items() if k not in {_HOOKS}}}", mode="eval").body
    for node in ast.walk(shown):
        if isinstance(node, ast.Attribute):
            node.value = names
        ast.copy_location(node, names)
    return shown


def _written(target: ast.expr) -> ast.expr | None:
    """The array expression of ``a[i] = …`` or ``self.buffers[k][i] = …``, if reading it twice does no harm."""
    if not isinstance(target, ast.Subscript):
        return None
    harmless = ast.Name | ast.Attribute | ast.Subscript | ast.Constant | ast.expr_context | ast.UnaryOp | ast.USub
    if not all(isinstance(n, harmless) for n in ast.walk(target.value)):
        return None
    base: ast.expr = _copied(target.value)
    vars(base)["ctx"] = ast.Load()
    return base


def _as_expression(node: ast.expr) -> ast.expr | None:
    """What stands between the brackets, as an expression that evaluates to the key; ``None`` if it is constant."""
    if isinstance(node, ast.Slice):
        return None
    if isinstance(node, ast.Tuple):
        if any(isinstance(e, ast.Slice | ast.Starred) for e in node.elts):
            parts: list[ast.expr] = []
            for e in node.elts:
                if isinstance(e, ast.Slice):
                    ends = [end or ast.copy_location(ast.Constant(None), e) for end in (e.lower, e.upper, e.step)]
                    name = ast.copy_location(ast.Name("slice", ast.Load()), e)
                    parts.append(ast.copy_location(ast.Call(name, ends, []), e))
                else:
                    parts.append(e)
            return ast.copy_location(ast.Tuple(parts, ast.Load()), node)
        return node
    return node


def _module(filename: str, namespace: dict[str, Any]) -> tuple[ast.Module, frozenset[Any]] | None:
    """The syntax tree of a source file and the fingerprints of its functions, once per version of it."""
    lines = linecache.getlines(filename, namespace)
    if not lines:
        return None
    source = "".join(lines)
    key = hash(source)
    known = _modules.get(filename)
    if known is None or known[0] != key:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about the user's code, who has seen them already
                tree = ast.parse(source)
                codes = frozenset(map(_described, _codes(compile(source, filename, "exec", dont_inherit=True))))
        except (SyntaxError, ValueError):
            return None
        known = _modules[filename] = (key, tree, codes)
    return known[1:]


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code objects inside of ``code``."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _described(x: Any) -> Any:
    """What tells a code object, or a constant in one, from others.

    Code objects themselves compare unequal in Python 3.11 once they have run often enough to be specialised.
    """
    if isinstance(x, CodeType):
        return (
            x.co_name, x.co_firstlineno, x.co_code, x.co_linetable, x.co_names, x.co_varnames, x.co_freevars,
            x.co_cellvars, x.co_posonlyargcount, x.co_kwonlyargcount, tuple(map(_described, x.co_consts)),
        )  # fmt: skip
    if isinstance(x, tuple):
        return tuple(map(_described, x))
    return type(x), repr(x) if isinstance(x, float | complex) else x


def _definition(function: FunctionType) -> tuple[ast.AST, str | None] | None:
    """The definition of ``function`` in its source; ``None`` where that is missing, or has been edited since."""
    code, namespace = function.__code__, function.__globals__
    for _ in range(2):
        read = _module(code.co_filename, namespace)
        # pytest rewrites the assertions of test modules, so that their code is not that of their source.
        if read is not None and (_described(code) in read[1] or "@pytest_ar" in namespace):
            return _find(read[0], code)
        linecache.checkcache(code.co_filename)  # the function may have been reloaded from a file that was edited
    return None


def _find(module: ast.Module, code: CodeType) -> tuple[ast.AST, str | None] | None:
    """The definition that ``code`` was compiled from, and the class around it if it stands in one."""
    found: list[tuple[ast.AST, str | None]] = []
    wanted = code.co_firstlineno

    def walk(node: ast.AST, owner: str | None) -> None:
        for child in ast.iter_child_nodes(node):
            if getattr(child, "end_lineno", wanted) < wanted:
                continue
            if getattr(child, "lineno", wanted) > wanted and not getattr(child, "decorator_list", None):
                continue
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([child.lineno, *(d.lineno for d in child.decorator_list)])
                if child.name == code.co_name and first == code.co_firstlineno:
                    found.append((child, owner))
                walk(child, owner)
            elif isinstance(child, ast.Lambda):
                if code.co_name == "<lambda>" and child.lineno == code.co_firstlineno:
                    found.append((child, owner))
                walk(child, owner)
            elif isinstance(child, ast.ClassDef):
                walk(child, child.name)
            else:
                walk(child, owner)

    walk(module, None)
    if len(found) > 1 or code.co_name == "<lambda>":
        found = [entry for entry in found if _covers(entry[0], code)]
    found = [entry for entry in found if _parameters(entry[0]) == code.co_varnames[: _parameter_count(code)]]
    return found[0] if len(found) == 1 else None


def _parameter_count(code: CodeType) -> int:
    return code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)


def _parameters(node: Any) -> tuple[str, ...]:
    a = node.args
    names = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    return tuple(names + [x.arg for x in (a.vararg, a.kwarg) if x is not None])


def _covers(node: Any, code: CodeType) -> bool:
    """Whether the instructions of ``code`` lie in the body of ``node``, and begin where it does."""
    body = node.body[0] if isinstance(node.body, list) else node.body
    places = [(line, column) for line, _, column, _ in code.co_positions() if line is not None and column is not None]
    inside = [p for p in places if p != (code.co_firstlineno, 0)]
    if not inside:
        return True
    start = (body.lineno, body.col_offset)
    end = (node.end_lineno, node.end_col_offset)
    return min(inside) >= min(start, (node.lineno, node.col_offset)) and max(inside) <= end and min(inside) <= start


def rewritten(function: FunctionType) -> CodeType | None:
    """The code of ``function`` with its calls routed; ``None`` where there is no source for it.

    Its free variables are those of the function and the hooks; :func:`chainrule.follow.followed` binds them.
    """
    code = function.__code__
    known = _rewritten.get(id(code))
    if known is not None:
        return known[1]
    with _lock:
        result = _rewrite(function)
        _rewritten[id(code)] = (code, result)  # holds on to the code, so that its id stays its own
        return result


def _rewrite(function: FunctionType) -> CodeType | None:
    code = function.__code__
    found = _definition(function)
    if found is None:
        return None
    node: Any
    node, owner = found
    node = _copied(node)
    node.decorator_list = []
    node.returns = None
    none = ast.copy_location(ast.Constant(None), node)
    node.args.defaults = [none for _ in node.args.defaults]
    node.args.kw_defaults = [None if d is None else none for d in node.args.kw_defaults]
    rebound = frozenset(
        name for name in (*_UNTOUCHED, "range")
        if name in code.co_varnames or name in code.co_freevars or name in code.co_cellvars
        or function.__globals__.get(name, getattr(builtins, name)) is not getattr(builtins, name)
    )  # fmt: skip
    node = _Router(rebound).visit(node)
    inner: ast.stmt = ast.copy_location(ast.Expr(node), node) if isinstance(node, ast.Lambda) else node
    body: list[ast.stmt] = [inner]
    if owner is not None:
        body = [ast.copy_location(ast.ClassDef(owner, [], [], body, [], **_no_type_parameters()), node)]
    free = [name for name in code.co_freevars if name != "__class__"]
    # A function that calls itself, and a method that names its class, mean those among the globals.
    own = {name for name in (owner, getattr(node, "name", None)) if name is not None and name not in free}
    if own:
        body.insert(0, ast.copy_location(ast.Global(sorted(own)), node))
    arguments = ast.arguments([], [ast.arg(name) for name in (*_HOOKS, *free)], None, [], [], None, [])
    outer = ast.FunctionDef("__chainrule_outer__", arguments, body, [], None, None, **_no_type_parameters())
    tree = ast.fix_missing_locations(ast.Module([ast.copy_location(outer, node)], []))
    try:
        compiled = compile(tree, code.co_filename, "exec", flags=code.co_flags & _FUTURE_FLAGS, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    result = _nested(compiled, code)
    if result is None or not set(result.co_freevars) - set(_HOOKS) <= set(code.co_freevars):
        return None
    return result.replace(co_qualname=code.co_qualname)


def _copied(node: Any) -> Any:
    """A copy of a part of a syntax tree; what has no parts, such as a context, is shared."""
    if isinstance(node, list):
        return [_copied(x) for x in node]
    if not isinstance(node, ast.AST) or not node.__dict__:
        return node
    copy = type(node)()
    copy.__dict__.update((k, _copied(v) if isinstance(v, ast.AST | list) else v) for k, v in node.__dict__.items())
    return copy


def routed_module(tree: ast.Module, filename: str) -> CodeType:
    """The code of a whole file with its calls routed; the hooks are looked up among its globals."""
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    imported = {node.asname or node.name for node in ast.walk(tree) if isinstance(node, ast.alias)}
    rebound = (_UNTOUCHED | {"range"}) & (stored | defined | arguments | imported)
    routed = _Router(rebound).visit(_copied(tree))
    return compile(ast.fix_missing_locations(routed), filename, "exec", dont_inherit=True)


def _no_type_parameters() -> dict[str, Any]:
    """What the syntax nodes of definitions want from Python 3.12 on."""
    return {"type_params": []} if "type_params" in ast.FunctionDef._fields else {}


def _nested(compiled: CodeType, code: CodeType) -> CodeType | None:
    """The outermost code object of the same name inside ``compiled``."""
    for constant in compiled.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_name == code.co_name and constant.co_name != "__chainrule_outer__":
                return constant
            deeper = _nested(constant, code)
            if deeper is not None:
                return deeper
    return None
