"""What a candidate did, line by line: each variable that it assigned, what that read, and what it is known to be."""

from __future__ import annotations

import ast
import linecache
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.check.adapters.naming import gradient_target
from chainrule.check.candidate import Answer, Candidate, Seen
from chainrule.check.changing import text_of
from chainrule.check.dialects import in_numpy
from chainrule.check.evaluating import path_of, reads_of
from chainrule.check.matching import Known, Match, References, is_close

__all__ = ["Entry", "Lines", "lines_of_candidate", "nodes_of"]

TOP = 0  # the frame of a file's top level


@dataclass(slots=True, eq=False)
class Entry:
    """A variable of the candidate's at the moment at which it was assigned.

    Attributes:
        index: its place in the order of assignments.
        name: of the variable; of the gradient, for what is returned without a name.
        line: in the candidate's file.
        text: of that line.
        values: on each draw.
        expression: what is assigned, where that is one expression.
        reads: the names that its line reads.
        sources: the entries that it reads.
        meant: the forward variable whose gradient its name says it is.
        match: what it is by its value.
        right: whether it is what it should be, as far as can be told; ``None`` where that is not known.
        parameter: whether it was given to the candidate.
        frame: the call that it belongs to.
    """

    index: int
    name: str
    line: int
    text: str
    values: tuple[Any, ...]
    expression: ast.expr | None = None
    reads: frozenset[str] = frozenset()
    sources: tuple[Entry, ...] = ()
    meant: int | None = None
    match: Match | None = None
    right: bool | None = None
    parameter: bool = False
    frame: int = 0


@dataclass(slots=True)
class Lines:
    """What a candidate did on the same draws that the references are for.

    Attributes:
        entries: in order.
        statements: its simple statements by their lines in the file.
        references: what is known about the forward pass.
        last: the last entry of each variable, by the call it belongs to and its name.
        finals: the entry that holds each gradient.
        functions: those of the candidate, with the lines of its file.
        gradients: what it gave, on each draw.
        assigned: per line, its text and a variable, what is assigned to it there and what is read for that.
    """

    entries: list[Entry]
    statements: Mapping[int, ast.stmt]
    references: References
    last: dict[tuple[int, str], Entry] = field(default_factory=dict)
    finals: dict[str, Entry] = field(default_factory=dict)
    functions: Sequence[ast.FunctionDef] = ()
    gradients: Sequence[Mapping[str, Any]] = ()
    assigned: dict[tuple[int, str, str], tuple[ast.expr | None, frozenset[str]]] = field(default_factory=dict)

    def before(self, entry: Entry) -> dict[str, Entry]:
        """The variables as they are when an entry is computed; in a function, those of the top level under them."""
        earlier = [e for e in self.entries if e.index < entry.index]
        top = {} if entry.frame == TOP else {e.name: e for e in earlier if e.frame == TOP}
        return {**top, **{e.name: e for e in earlier if e.frame == entry.frame}}

    def spelled(self, name: str, line: int) -> str:
        """How a variable is written on a line: ``self.x`` is seen as ``x``."""
        function = next((f for f in self.functions if f.lineno <= line <= (f.end_lineno or f.lineno)), None)
        if function is None or not function.args.args or function.args.args[0].arg != "self":
            return name
        root = re.split(r"[\[.]", name)[0]
        return name if root in _own_names(function) else f"self.{name}"

    def returned(self) -> list[Entry]:
        """What the functions return in one piece, each as it is after its last call."""
        found: dict[int, Entry] = {}
        last = {e.line: e for e in self.entries}  # a line in a loop is met in every turn
        for e in sorted(last.values(), key=lambda e: e.index):
            for statement in self._returns(e.line):
                text = text_of(statement)
                value = statement.value
                found[statement.lineno] = Entry(e.index + 1, "", statement.lineno, text, e.values, value, frame=e.frame)
        return list(found.values())

    def _returns(self, line: int) -> list[ast.Return]:
        """The statements that return something of the function that a line is in."""
        inner = self.around(line)
        plain = ast.Tuple | ast.Dict | ast.List | ast.Constant | None
        nodes = () if inner is None else nodes_of(inner)
        return [n for n in nodes if isinstance(n, ast.Return) and not isinstance(n.value, plain)]

    def loops(self) -> list[ast.For]:
        """The loops of the candidate that were run."""
        return [s for s in dict.fromkeys(self.statements.values()) if isinstance(s, ast.For)]

    def around(self, line: int) -> ast.FunctionDef | None:
        """The innermost of the candidate's functions that a line is in."""
        around = [f for f in self.functions if f.lineno <= line <= (f.end_lineno or f.lineno)]
        return max(around, key=lambda f: f.lineno, default=None)

    def called(self, line: int) -> list[ast.FunctionDef]:
        """The candidate's own functions that the statement of a line calls."""
        statement = self.statements.get(line)
        calls = [n.func for n in ast.walk(statement) if isinstance(n, ast.Call)] if statement is not None else []
        names = {n.attr if isinstance(n, ast.Attribute) else getattr(n, "id", "") for n in calls}
        return [f for f in self.functions if f.name in names and not f.lineno <= line <= (f.end_lineno or f.lineno)]

    def ancestors(self, entry: Entry, until: Callable[[Entry], bool] = lambda e: False) -> list[Entry]:
        """An entry and all that went into it, in order; of some entries not what they were made of."""
        found: dict[int, Entry] = {}
        pending = [entry]
        while pending:
            e = pending.pop()
            if e.index not in found:
                found[e.index] = e
                pending += () if until(e) else e.sources
        return [found[k] for k in sorted(found)]


def lines_of_candidate(
    candidate: Candidate, answers: Sequence[Answer], references: References, gradients: Sequence[Mapping[str, Any]]
) -> Lines:
    """What a candidate did, as far as its variables could be seen.

    Args:
        candidate: the candidate.
        answers: one per draw, with the same variables on the same lines.
        references: what is known on these draws.
        gradients: what it gave for each array, on each draw.
    """
    histories = [a.seen for a in answers]
    statements, functions = _own_statements(candidate, histories[0])
    lines = Lines([], statements, references, functions=functions, gradients=gradients)
    for k, seen in enumerate(histories[0]):
        values = tuple(history[k].value for history in histories)
        _add(lines, seen, values)
    _judge_all(lines)
    _add_returned(lines, candidate, functions, gradients)
    return lines


def _own_statements(candidate: Candidate, seen: Iterable[Seen]) -> tuple[dict[int, ast.stmt], list[ast.FunctionDef]]:
    """The statements of a candidate by their lines in its file, and its functions with the lines of the file.

    The functions that it calls are among them, where they are in its file.
    """
    whole = "".join(linecache.getlines(candidate.file)) if candidate.file else ""
    style = candidate.style
    inner = [n for n in _parsed_all(candidate.source, style) if isinstance(n, ast.FunctionDef)]
    own, names = {ast.dump(n) for n in inner}, {n.name for n in inner}
    every = [n for n in _parsed_all(whole, style) if isinstance(n, ast.FunctionDef)]
    found = {n for n in every if n.name in names and ast.dump(n) in own}
    if candidate.style == "script" or not found:  # the file is not at hand, or is not what was run
        nodes = _numbered(candidate.source, candidate.first_line - 1, style)
        return _statements(nodes), [n for n in nodes if isinstance(n, ast.FunctionDef)]
    lines = {s.line for s in seen}
    found |= {n for n in every if any(n.lineno <= line <= (n.end_lineno or n.lineno) for line in lines)}
    functions = [n for n in every if n in found]
    return _statements(n for f in functions for n in ast.walk(f)), functions


@lru_cache(maxsize=64)
def _own_names(function: ast.FunctionDef) -> frozenset[str]:
    """The parameters and variables of a function."""
    own = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    return frozenset(
        own | {n.id for n in nodes_of(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    )


@lru_cache(maxsize=64)
def nodes_of(node: ast.AST) -> tuple[ast.AST, ...]:
    """A part of a syntax tree and all that it consists of."""
    return tuple(ast.walk(node))


@lru_cache(maxsize=16)
def _body(source: str, style: str) -> list[ast.stmt]:
    try:
        body: list[ast.stmt] = in_numpy(ast.parse(textwrap.dedent(source)), style).body
        return body
    except (SyntaxError, ValueError):
        return []


@lru_cache(maxsize=16)
def _parsed_all(source: str, style: str) -> list[ast.AST]:
    return [n for s in _body(source, style) for n in ast.walk(s)]


@lru_cache(maxsize=16)
def _numbered(source: str, before: int, style: str) -> tuple[ast.AST, ...]:
    """All parts of a source that so many lines of its file stand before."""
    try:
        tree = in_numpy(ast.parse(textwrap.dedent(source)), style)
    except (SyntaxError, ValueError):
        return ()
    return tuple(ast.walk(ast.increment_lineno(tree, before)))


def _statements(nodes: Iterable[ast.AST]) -> dict[int, ast.stmt]:
    """The innermost statement at each line."""
    found: dict[int, ast.stmt] = {}
    for node in nodes:  # outer statements come before those inside of them
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            last = node.lineno if getattr(node, "body", None) else node.end_lineno or node.lineno
            found.update(dict.fromkeys(range(node.lineno, last + 1), node))
    return found


def _add(lines: Lines, seen: Seen, values: tuple[Any, ...]) -> Entry:
    key = (seen.line, seen.text, seen.name)
    if key not in lines.assigned:  # a line in a loop is met in every turn
        statement = lines.statements.get(seen.line) or _parsed(seen.text) if seen.text else None
        lines.assigned[key] = _assigned(statement, seen.name)
    expression, reads = lines.assigned[key]
    entry = Entry(len(lines.entries), seen.name, seen.line, seen.text, values, expression, reads)
    entry.parameter, entry.frame = not seen.text, seen.frame
    _connect(lines, entry)
    lines.last[seen.frame, seen.name] = entry
    return entry


def _connect(lines: Lines, entry: Entry) -> None:
    """What an entry reads; an argument of a function that is called may be anything that was there before."""
    known = (lines.last.get((entry.frame, n)) or lines.last.get((TOP, n)) for n in sorted(entry.reads))
    if not any(isinstance(v, int) for v in entry.values):  # a length or a counter holds nothing of an array
        entry.sources = tuple(dict.fromkeys(e for e in known if e is not None))
    lines.entries.append(entry)


def _parsed(text: str) -> ast.stmt | None:
    try:
        return next(iter(ast.parse(text.strip()).body), None)
    except (SyntaxError, ValueError):
        return None


def _assigned(statement: ast.stmt | None, name: str) -> tuple[ast.expr | None, frozenset[str]]:
    """What a statement assigns to a name, and what it reads for that."""
    if statement is None:
        return None, frozenset()
    if isinstance(statement, ast.AugAssign):
        loaded = ast.parse(ast.unparse(statement.target), mode="eval").body
        whole = ast.BinOp(loaded, statement.op, statement.value)
        return ast.copy_location(whole, statement.value), frozenset(reads_of(whole))
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return statement.value, frozenset(reads_of(statement.value))
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Tuple | ast.List) and isinstance(statement.value, ast.Tuple | ast.List):
                for inner, value in zip(target.elts, statement.value.elts, strict=False):
                    if path_of(_loaded(inner)) == name:
                        return value, frozenset(reads_of(value))
            elif path_of(_loaded(target)) == name:
                return statement.value, frozenset(reads_of(statement.value))
            elif _is_part(target, name):
                return None, frozenset({*reads_of(statement.value), *reads_of(target), name})
        return None, frozenset(reads_of(statement.value))
    if isinstance(statement, ast.For):
        return None, frozenset(reads_of(statement.iter))
    return None, frozenset(reads_of(statement))


def _loaded(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body


def _judge_all(lines: Lines) -> None:
    by_name: dict[str, list[Entry]] = {}
    for e in lines.entries:
        by_name.setdefault(e.name, []).append(e)
    # An array that is filled or added to, line by line, is what its name says when that is done; in a loop, a name
    # that is given something else in every turn is the gradient of as many values.
    whole: set[Entry] = set()
    for name, own in by_name.items():
        times = Counter(e.line for e in own)
        if all(n == 1 or _goes_on(lines.statements.get(line), name) for line, n in times.items()):
            whole.add(own[-1])
    for e in lines.entries:
        _judge(lines, e, e in whole)


def _goes_on(statement: ast.stmt | None, name: str) -> bool:
    """Whether a statement adds to what a variable holds, or writes into it, so that it stays what it is."""
    match statement:
        case ast.AugAssign(target=target, op=ast.Add() | ast.Sub() | ast.Div()):
            return path_of(_loaded(target)) == name or _is_part(target, name)
        case ast.AugAssign(target=target, op=ast.Mult(), value=ast.Constant()):
            return path_of(_loaded(target)) == name
        case ast.Assign(targets=[target]):
            return _is_part(target, name)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="at"), args=[first, *_])):
            return path_of(first) == name
    return False


def _is_part(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Subscript) and path_of(_loaded(target.value)) == name


def _judge(lines: Lines, e: Entry, once: bool) -> None:
    """What an entry is by value, and whether its name says that it should be something else."""
    references = lines.references
    if any(isinstance(v, int) for v in e.values):
        e.right = True  # a length or a counter
        return
    if any(np.asarray(v).dtype.kind not in "fciub" for v in e.values):
        return
    e.match = references.match(e.values)
    known = None if e.parameter else _named_gradient(references, e)
    if known is not None and once and not _is_further_back(e.match, known) and not _is_given(lines, known):
        e.meant = known.number
        e.match = references.relation(e.values, known) or e.match
        e.right = e.match is not None and e.match.known is known and e.match.exact
    elif e.parameter or np.ndim(e.values[0]) == 0 or (e.match is not None and e.match.exact):
        e.right = True


def _is_given(lines: Lines, known: Known) -> bool:
    """Whether a gradient is right in the end, so that a variable of its name that is something else is not it."""
    given = [g.get(known.name) for g in lines.gradients]
    pairs = zip(given, known.values, strict=True)
    return bool(known.name) and all(v is not None and is_close(v, w) for v, w in pairs)


def _is_further_back(match: Match | None, known: Known) -> bool:
    """Whether a value is the exact gradient of what comes before that which its name says: ``dh[h <= 0] = 0``."""
    return match is not None and match.exact and match.known.role == "gradient" and match.known.number < known.number


def _named_gradient(references: References, e: Entry) -> Known | None:
    """The gradient that the name of a variable says it is."""
    target = gradient_target(e.name, references.named, strict=True)
    if target is None:
        return None
    numbers = [n for n in references.numbers[target] if n in references.gradients]
    fitting = [references.gradients[n] for n in numbers if np.shape(references.gradients[n].values[0])]
    return fitting[-1] if len(fitting) == 1 else None


def _add_returned(
    lines: Lines, candidate: Candidate, functions: Sequence[ast.FunctionDef], gradients: Sequence[Mapping[str, Any]]
) -> None:
    """An entry for each gradient that the candidate gives: the variable that holds it, or what is returned."""
    frames = {e.line: e.frame for e in lines.entries}
    unheld: dict[str, tuple[Any, ...]] = {}
    for name in gradients[0]:
        if not all(name in g for g in gradients):
            continue
        values = tuple(g[name] for g in gradients)
        shape = np.shape(values[0])
        alike = [e for e in lines.entries if np.shape(e.values[0]) == shape]
        held = [e for e in alike if all(_same(v, w) for v, w in zip(e.values, values, strict=True))]
        if held:
            lines.finals[name] = held[-1]
        if not held or held[-1].parameter:  # what was given is returned as it is
            unheld[name] = values
    times = Counter(e.index for e in lines.finals.values())
    unheld.update((n, e.values) for n, e in lines.finals.items() if times[e.index] > 1)  # "return d, d"
    for name, values in unheld.items():
        place = _return_of(name, functions, candidate.wrt, len(unheld) == 1)
        if place is None:
            continue
        function, statement, expression = place
        within = range(function.lineno, (function.end_lineno or function.lineno) + 1)
        frame = max((number for line, number in frames.items() if line in within), default=0)
        reads = frozenset(reads_of(expression))
        text = linecache.getline(candidate.file, statement.lineno).strip()
        text = text if text.startswith("return ") else text_of(statement)
        entry = Entry(len(lines.entries), name, statement.lineno, text, values, expression, reads)
        entry.frame = frame
        _connect(lines, entry)
        lines.finals[name] = entry


def _return_of(
    name: str, functions: Sequence[ast.FunctionDef], wrt: Sequence[str], alone: bool
) -> tuple[ast.FunctionDef, ast.Return, ast.expr] | None:
    """Where a gradient is returned that is held by no variable: the function, the statement, and the part of it."""
    returns = [(f, n) for f in functions for n in ast.walk(f) if isinstance(n, ast.Return) and n.value is not None]
    own = [
        (f, n) for f, n in returns if gradient_target(f.name, wrt, strict=True) == name or f.name.endswith(f"_{name}")
    ]
    backward = [(f, n) for f, n in returns if "back" in f.name or "grad" in f.name]
    for function, statement in reversed(own or backward or returns):
        part = _returned(statement.value, name, wrt)
        if part is None and (alone or own or len(wrt) == 1) and not isinstance(statement.value, ast.Tuple | ast.Dict):
            part = statement.value
        if part is not None:
            return function, statement, part
    return None


def _returned(value: ast.expr | None, name: str, wrt: Sequence[str]) -> ast.expr | None:
    """The part of what is returned that is the gradient of an array."""
    if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(wrt):
        return value.elts[wrt.index(name)] if name in wrt else None
    if isinstance(value, ast.Dict):
        for key, part in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and gradient_target(str(key.value), [name]) == name:
                return part
        return None
    return None


def _same(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and bool(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True))
