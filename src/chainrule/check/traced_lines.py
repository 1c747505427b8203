"""What a candidate did, line by line: each variable that it assigned, what that read, and what it is known to be."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.check.adapters.naming import gradient_target
from chainrule.check.candidate import Answer, Candidate
from chainrule.check.evaluating import path_of, reads_of
from chainrule.check.matching import Known, Match, References

__all__ = ["Entry", "Lines", "lines_of_candidate", "statements_in"]


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


@dataclass(slots=True)
class Lines:
    """What a candidate did on the same draws that the references are for.

    Attributes:
        entries: in order.
        statements: its simple statements by their lines in the file.
        references: what is known about the forward pass.
    """

    entries: list[Entry]
    statements: Mapping[int, ast.stmt]
    references: References
    last: dict[str, Entry] = field(default_factory=dict)

    def before(self, entry: Entry) -> dict[str, Entry]:
        """The variables as they are when an entry is computed."""
        return {e.name: e for e in self.entries if e.index < entry.index}

    def ancestors(self, entry: Entry) -> list[Entry]:
        """An entry and all that went into it, in order."""
        found: dict[int, Entry] = {}
        pending = [entry]
        while pending:
            e = pending.pop()
            if e.index not in found:
                found[e.index] = e
                pending += e.sources
        return [found[k] for k in sorted(found)]


def statements_in(source: str, first_line: int) -> dict[int, ast.stmt]:
    """The innermost statement at each line of a source, by the lines of its file."""
    try:
        tree = ast.parse(textwrap.dedent(source))
    except (SyntaxError, ValueError):
        return {}
    ast.increment_lineno(tree, first_line - 1)
    found: dict[int, ast.stmt] = {}
    for node in ast.walk(tree):  # outer statements come before those inside of them
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            last = node.lineno if getattr(node, "body", None) else node.end_lineno or node.lineno
            found.update(dict.fromkeys(range(node.lineno, last + 1), node))
    return found


def lines_of_candidate(
    candidate: Candidate, answers: Sequence[Answer], references: References, gradients: Sequence[Mapping[str, Any]]
) -> Lines:
    """What a candidate did, as far as its variables could be seen.

    Args:
        candidate: the candidate.
        answers: one per draw, with its variables.
        references: what is known on these draws.
        gradients: what it gave for each array, on each draw.
    """
    statements = statements_in(candidate.source, candidate.first_line)
    lines = Lines([], statements, references)
    histories = [a.seen for a in answers]
    steps = [[(s.name, s.line) for s in seen] for seen in histories]
    if any(other != steps[0] for other in steps[1:]):
        return lines
    for k, seen in enumerate(histories[0]):
        values = tuple(history[k].value for history in histories)
        _add(lines, seen.name, seen.line, seen.text, values, parameter=not seen.text)
    _judge_all(lines)
    _add_returned(lines, candidate, gradients)
    return lines


def _add(lines: Lines, name: str, line: int, text: str, values: tuple[Any, ...], parameter: bool = False) -> Entry:
    statement = None if parameter else lines.statements.get(line) or _parsed(text)
    expression, reads = _assigned(statement, name)
    entry = Entry(len(lines.entries), name, line, text, values, expression, reads, parameter=parameter)
    entry.sources = tuple(dict.fromkeys(lines.last[n] for n in sorted(reads) if n in lines.last))
    lines.entries.append(entry)
    lines.last[name] = entry
    return entry


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
            elif isinstance(target, ast.Subscript) and path_of(_loaded(target.value)) == name:
                return None, frozenset({*reads_of(statement.value), *reads_of(target), name})
        return None, frozenset(reads_of(statement.value))
    if isinstance(statement, ast.For):
        return None, frozenset(reads_of(statement.iter))
    return None, frozenset(reads_of(statement))


def _loaded(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body


def _judge_all(lines: Lines) -> None:
    counts: dict[str, int] = {}
    for e in lines.entries:
        counts[e.name] = counts.get(e.name, 0) + 1
    for e in lines.entries:
        _judge(lines, e, counts[e.name] == 1)


def _judge(lines: Lines, e: Entry, once: bool) -> None:
    """What an entry is by value, and whether its name says that it should be something else."""
    references = lines.references
    if any(np.asarray(v).dtype.kind not in "fciub" for v in e.values):
        return
    e.match = references.match(e.values)
    known = None if e.parameter else _named_gradient(references, e)
    if known is not None and once:
        e.meant = known.number
        e.match = references.relation(e.values, known) or e.match
        e.right = e.match is not None and e.match.known is known and e.match.exact
    elif e.parameter or np.ndim(e.values[0]) == 0 or (e.match is not None and e.match.exact):
        e.right = True


def _named_gradient(references: References, e: Entry) -> Known | None:
    """The gradient that the name of a variable says it is."""
    named = [name for name in references.numbers if any(n in references.gradients for n in references.numbers[name])]
    target = gradient_target(e.name, named, strict=True)
    if target is None:
        return None
    numbers = [n for n in references.numbers[target] if n in references.gradients]
    fitting = [references.gradients[n] for n in numbers if np.shape(references.gradients[n].values[0])]
    return fitting[-1] if len(fitting) == 1 else None


def _add_returned(lines: Lines, candidate: Candidate, gradients: Sequence[Mapping[str, Any]]) -> None:
    """An entry for each gradient that the candidate gives: the variable that holds it, or what is returned."""
    returns = [s for s in dict.fromkeys(lines.statements.values()) if isinstance(s, ast.Return) and s.value is not None]
    for name in gradients[0]:
        if not all(name in g for g in gradients):
            continue
        values = tuple(g[name] for g in gradients)
        held = [e for e in lines.entries if all(_same(v, w) for v, w in zip(e.values, values, strict=True))]
        if held:
            lines.last[f"gradient of {name}"] = held[-1]
            continue
        expression = _returned(returns[-1].value, name, candidate.wrt) if returns else None
        line = returns[-1].lineno if returns else 0
        text = ast.unparse(returns[-1]) if returns else ""
        reads = frozenset(reads_of(expression)) if expression is not None else frozenset(lines.last)
        entry = Entry(len(lines.entries), name, line, text, values, expression, reads)
        entry.sources = tuple(dict.fromkeys(lines.last[n] for n in sorted(reads) if n in lines.last))
        lines.entries.append(entry)
        lines.last[f"gradient of {name}"] = entry


def _returned(value: ast.expr | None, name: str, wrt: Sequence[str]) -> ast.expr | None:
    """The part of what is returned that is the gradient of an array."""
    if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(wrt):
        return value.elts[wrt.index(name)] if name in wrt else None
    if isinstance(value, ast.Dict):
        for key, part in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and gradient_target(str(key.value), [name]) == name:
                return part
        return None
    return value if len(wrt) == 1 else None


def _same(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and bool(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True))
