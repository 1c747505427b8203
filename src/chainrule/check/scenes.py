"""What can be written where a line of a candidate stands: its variables, and the items of what these hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.check.changing import Scene, is_inside, neighbours
from chainrule.check.evaluating import NoValueError, evaluated, path_of
from chainrule.check.locating import Witness
from chainrule.check.traced_lines import Entry, nodes_of
from chainrule.ir import Const

__all__ = ["scene_of", "with_containers"]

_MOST_ITEMS = 24
_OTHER = 1000  # the place of a name that the line itself does not read


def scene_of(witness: Witness, entry: Entry) -> Scene:
    """What can be written where an entry is computed."""
    order = {name: entry.text.find(name) for name in entry.reads}  # its own names come first
    before = sorted(witness.lines.before(entry), key=lambda name: (order.get(name, _OTHER), not name.isidentifier()))
    names = {name: witness.lines.spelled(name, entry.line) for name in before}
    values = [with_containers(witness.values(entry, k)) for k in range(len(entry.values))]
    items = _items(witness, entry, values)
    known: dict[str, str] = {}
    held = set[bytes]()
    for name, text in {**names, **{item: item for item in items}}.items():
        value = values[0].get(name)
        if value is None or isinstance(value, list | dict) or (name not in items and re.search(r"\[\d+\]", name)):
            continue
        if isinstance(value, np.ndarray) and name not in entry.reads and np.unique(value).size > 1:
            key = repr(value.shape).encode() + value.tobytes()
            if key in held:
                continue  # the same under another name
            held.add(key)
        known[name] = text
    carrying = frozenset(n for n in known if witness.carries_gradient(n))
    return Scene(known, values, carrying, _constants(witness), witness.references.is_factor, modes=_modes(witness))


def _modes(witness: Witness) -> tuple[str, ...]:
    """The names of modes that the candidate compares with: ``activation == "relu"``."""
    compared = [n for f in witness.lines.functions for n in nodes_of(f) if isinstance(n, ast.Compare)]
    held = [n.value for c in compared for n in ast.walk(c) if isinstance(n, ast.Constant)]
    return tuple(dict.fromkeys(x for x in held if isinstance(x, str)))


def _constants(witness: Witness) -> tuple[float, ...]:
    """The numbers of the forward pass, apart from those that are everywhere."""
    steps = witness.backward.program.steps[: witness.backward.forward_steps]
    read = [x.value for step in steps for x in step.inputs if isinstance(x, Const) and np.ndim(x.value) == 0]
    numbers = [float(x) for x in read if isinstance(x, int | float | np.number) and not np.iscomplexobj(x)]
    return tuple(dict.fromkeys(x for x in numbers if x not in (0, 1, 2)))


def with_containers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values with the lists and dicts that they are items of: ``hs`` for ``hs[0]``, ``hs[1]``, …"""
    found = dict(values)
    inner: dict[str, dict[Any, Any]] = {}
    for path in sorted(values, key=lambda p: -p.count("[")):
        _add_item(inner, path, values[path])
    for path in sorted(inner, key=lambda p: -p.count("[")):
        held = inner[path]
        whole: Any = held
        if all(type(key) is int for key in held):
            whole = [held[k] for k in range(len(held))] if held.keys() == set(range(len(held))) else None
        if whole is not None and path not in found:
            found[path] = whole
            _add_item(inner, path, whole)
    return found


def _add_item(inner: dict[str, dict[Any, Any]], path: str, value: Any) -> None:
    split = re.fullmatch(r"(.+)\[(\d+|\"[^\"]*\")\]", path)
    if split:
        key = split[2]
        inner.setdefault(split[1], {})[int(key) if key.isdigit() else key[1:-1]] = value


def _items(witness: Witness, entry: Entry, values: list[dict[str, Any]]) -> list[str]:
    """The items that a line in a loop may read, as they are written: those that the code reads, and their neighbours.

    Their values are added to those that are known.
    """
    code = _code_around(witness, entry)
    loops = [n for n in code if isinstance(n, ast.For) and is_inside(entry.line, n)]
    counters = [n.id for loop in loops for n in ast.walk(loop.target) if isinstance(n, ast.Name)]
    found: list[str] = []
    for node in _read(code, counters, values[0]) if counters else ():
        text = ast.unparse(node)
        if text in found:
            continue
        try:
            held = [evaluated(node, v) for v in values]
        except NoValueError:
            continue
        if not all(isinstance(x, np.ndarray) and x.ndim and x.dtype.kind == "f" for x in held):
            continue
        for v, x in zip(values, held, strict=True):
            v[text] = x
        found.append(text)
        if len(found) == _MOST_ITEMS:
            break
    return sorted(found, key=lambda text: text not in entry.text)


def _code_around(witness: Witness, entry: Entry) -> list[ast.AST]:
    """What the function consists of that an entry is in; of a script, all of it."""
    around = witness.lines.around(entry.line)
    roots: Iterable[ast.AST] = dict.fromkeys(witness.lines.statements.values()) if around is None else (around,)
    return list({id(n): n for root in roots for n in nodes_of(root)}.values())


def _read(code: Sequence[ast.AST], counters: Collection[str], values: Mapping[str, Any]) -> Iterator[ast.Subscript]:
    """Items that are read in some turn, those of lists that hold one for each turn, and the neighbours of both."""
    read = [n for n in code if isinstance(n, ast.Subscript) and path_of(n) is None and path_of(n.value) in values]
    forms = [n for n in read if any(isinstance(x, ast.Name) and x.id in counters for x in ast.walk(n.slice))]
    yield from forms
    lists = {ast.unparse(n.value): n.value for n in read if isinstance(values[path_of(n.value) or ""], list)}
    counts = [c for c in counters if type(values.get(c)) is int]
    own = [ast.Subscript(n, ast.Name(c, ast.Load()), ast.Load()) for n in lists.values() for c in counts]
    yield from own
    for item in (*forms, *own):
        for index in neighbours(item.slice, counts):
            yield ast.Subscript(item.value, index, ast.Load())
