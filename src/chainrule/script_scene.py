"""A script that was followed and differentiated, as what is written and explained is made of it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.backward import Backward, backward_of_call
from chainrule.emit.material import Leaf, Material
from chainrule.emit.named_lengths import NamedLengths
from chainrule.emit.writing import words_of
from chainrule.errors import ChainruleError
from chainrule.facts import Facts, suppose
from chainrule.history import Updates
from chainrule.ir import Const, Step, Var, shape_of
from chainrule.language import Message
from chainrule.loop_sums import sums_begun
from chainrule.loops import loop_in
from chainrule.names import Namespace
from chainrule.positions import locate
from chainrule.reroll import rolled
from chainrule.script import script_tree, trace_script
from chainrule.script_names import bindings, bound_in_loops, extent, own_nodes
from chainrule.simplify.rewriting import simplify
from chainrule.sizes import is_size
from chainrule.stretch import Followed, keep_steps
from chainrule.user_source import lengths_in

__all__ = ["Scripted", "script_followed"]

_LARGEST = 64  # elements of an array without a name that can be written down


@dataclass(frozen=True, slots=True, eq=False)
class Scripted:
    """A script that was followed and differentiated.

    Attributes:
        material: what it is made of.
        record: its backward pass as the rules wrote it.
        backward: the same in the form that is written.
        notes: what the reader should know.
        placed: the lines with what has to be said about where they are pasted.
        spelled: the lines with NumPy under the script's name for it.
    """

    material: Material
    record: Backward
    backward: Backward
    notes: list[Message]
    placed: Callable[[str], str]
    spelled: Callable[[str], str]


def script_followed(
    path: str,
    of: str | None = None,
    wrt: Sequence[str] | None = None,
    *,
    index: Sequence[int] | None = None,
    updates: Updates | None = None,
    promote: bool = False,
    assume: Facts | None = None,
) -> Scripted:
    """Run a script and differentiate its result; the arguments are those of :func:`write_script`.

    Args:
        path: the file.
        of: the name of the result.
        wrt: the names to differentiate with respect to.
        index: the element of the result that is meant.
        updates: what arrays that change between evaluations of the result stand for.
        promote: whether arrays that have names become parameters, instead of being read where the lines are pasted.
        assume: facts about arrays, by name.
    """
    followed = trace_script(path, of, wrt, index=index, updates=updates, keep_numbers=True)
    scene = _Scene(followed, script_tree(path))
    scene.name_all(promote=promote)
    tape = followed.tape
    tape.closed = False
    with tape:
        rolled(followed.call, {} if promote else scene.reached())
        if followed.changing is not None and not any(step[3] == followed.changing[3] for step in tape.steps):
            followed.changing = None  # it is written for all turns
        suppose(followed.call, assume or {})
        record = backward_of_call(followed.call, followed.call.outputs)
    backward = sums_begun(simplify(record))
    material = replace(scene.material(backward, promoted=promote), assume=assume or {})
    return Scripted(material, record, backward, followed.notes, scene.placed, lambda text: scene.imported(text)[0])


@dataclass(frozen=True, slots=True, eq=False)
class _ScriptMaterial(Material):
    """A script that was followed, as what is to be written is made of it.

    Attributes:
        there: the variables that the script's names reach where the lines are pasted, as expressions.
        gone: arrays that no name reaches there any more, with the name that they had.
        words: the names that must not be given to anything else.
        named_lengths: the names that the script gives to lengths.
        others: what is differentiated and computed from others.
    """

    there: Mapping[int, str]
    gone: Mapping[int, str]
    words: tuple[str, ...]
    named_lengths: Mapping[str, tuple[str, int | None, int]]
    others: tuple[Leaf, ...]

    def lengths(self) -> dict[str, tuple[str, int | None, int]]:
        return dict(self.named_lengths)

    def names_of_lengths(self) -> NamedLengths:
        return NamedLengths(self.named_lengths)

    def user_names(self) -> tuple[str, ...]:
        return self.words

    def is_own(self, function: str) -> bool:
        return function == "<module>"

    def inner(self) -> Sequence[Leaf]:
        return self.others

    def path_of(self, leaf: Leaf) -> str:
        return self.there.get(leaf.variable.number, leaf.source)

    def still_there(self, forward: Sequence[Step]) -> dict[int, str]:
        return dict(self.there)

    def lost(self, forward: Sequence[Step]) -> dict[int, str]:
        return dict(self.gone)


class _Scene:
    """The place in a script that lines are pasted into: below the line that computes the result."""

    def __init__(self, followed: Followed, tree: ast.Module) -> None:
        self.followed = followed
        self.tree = tree
        self.bound = bindings(tree)
        self.words = self._taken()
        self.paths = _by_variable(followed.here, self.words, bound_in_loops(tree))

    def _taken(self) -> tuple[str, ...]:
        """The names that the script has before the result, and must keep; what it only assigns later is its own
        backward pass, which the lines stand instead of."""
        line = extent(self.tree, self.followed.line)[0]
        late = {name for name, lines in self.bound.items() if line and min(lines) >= line}
        return tuple(sorted((set(self.followed.held) | self.bound.keys()) - late))

    # ---- names

    def name_all(self, promote: bool) -> None:
        """Give the variables the names by which the script reaches them, before the records are made."""
        tape = self.followed.tape
        assert tape.names is not None
        shorts = Counter(_short(paths[0]) for paths in self.paths.values())
        short = {}
        for variable, paths in self.paths.items():
            name = _short(paths[0])
            short[variable] = name if shorts[name] == 1 or name == paths[0] else _whole(paths[0])
        wanted = dict(zip(self.followed.variables, self.followed.names, strict=True))
        for variable, path in wanted.items():
            short.setdefault(variable, _short(path))
        tape.names.update(short)
        if promote:
            self._take_as_given()
            return
        made = {v for step in tape.steps for v in _outputs(step)} - set(tape.inputs)
        for variable in {x for step in tape.steps for x in step[1] if type(x) is int} - made - self.paths.keys():
            # No name leads to it any more; what it is called inside of a function is no name there.
            owner = self.followed.owners.get(variable, "")
            tape.names.pop(variable, None)
            if owner.isidentifier():
                tape.names[variable] = owner

    def reached(self) -> dict[int, str]:
        """How the script reaches each array that has a name."""
        return {v: paths[0] for v, paths in self.paths.items()}

    def _take_as_given(self) -> None:
        """Make parameters of the arrays that have names and do not depend on what is differentiated."""
        followed = self.followed
        tape = followed.tape
        assert tape.names is not None
        dependent = set(followed.variables)
        for step in tape.steps:
            if any(type(x) is int and x in dependent for x in step[1]):
                dependent.update(_outputs(step))
        used = {x for step in tape.steps for x in step[1] if type(x) is int}
        made = {v for step in tape.steps for v in _outputs(step)}
        given = {v for v in used - dependent if v in self.paths or (v in tape.names and v not in made)}
        stops = {*tape.inputs, *given}
        needed = {followed.output, *(guard[0] for guard in tape.guards)}
        steps = []
        for step in reversed(tape.steps):
            if any(v in needed and v not in stops for v in _outputs(step)):
                steps.append(step)
                needed.update(x for x in step[1] if type(x) is int)
        keep_steps(tape, set(map(id, steps)))
        tape.inputs = sorted({*tape.inputs, *(given & needed)})

    def material(self, backward: Backward, promoted: bool) -> _ScriptMaterial:
        """What the script's result is written from."""
        program, forward_steps = backward.program, backward.forward_steps
        inputs, wrt = program.inputs, backward.wrt
        followed = self.followed
        values = followed.tape.values
        used = {x.number for s in program.steps for x in s.inputs} | {x.number for x in program.outputs}
        constants = tuple(c for c in program.constants if c.number in used)
        space = Namespace()
        leaves: list[Leaf] = []
        for x in inputs:
            name = space.claim(x.name or "array")
            leaves.append(Leaf(x, name, name, len(leaves), values[x.number]))
        held = {leaf.variable.number for leaf in leaves}
        others = tuple(
            Leaf(x, x.name or "array", x.name or "array", -1, values[x.number]) for x in wrt if x.number not in held
        )
        numbers = dict.fromkeys(n for s in program.steps[:forward_steps] for n in _numbers_in(s))
        there = {v: _quoted(paths[0]) for v, paths in self.paths.items()}
        arrays: list[Var | Const] = [*inputs, *constants]
        gone = {
            x.number: x.name for x in arrays if x.number not in there and x.name is not None and x.name in self.bound
        }
        for array in arrays if not promoted else ():
            written = isinstance(array, Const) and np.size(array.value) <= _LARGEST
            if array.number in used - there.keys() - gone.keys() and not written:
                raise ChainruleError(_nameless(array, program.steps[:forward_steps]))
        return _ScriptMaterial(
            program.name,
            (*(leaf.name for leaf in leaves), *numbers),
            tuple(leaves),
            {},
            replace(program, constants=constants),
            followed.call.function,
            there,
            gone,
            self.words,
            lengths_in(list(own_nodes(self.tree))),
            others,
        )

    # ---- the lines

    def placed(self, text: str) -> str:
        """The lines, with what has to be said about where they are pasted."""
        text, imports = self.imported(text)
        text = "".join(line for line in text.splitlines(keepends=True) if not self._is_followed_turn(line))
        words = set(words_of(text.splitlines()))
        followed = self.followed
        changed = [
            paths[0]
            for v, paths in self.paths.items()
            if _root(paths[0]) in words and _quoted(paths[0]) in text and followed.later.get(paths[0]) != v
        ]
        remarks = []
        if changed and followed.line:
            remarks.append(
                f"# paste right below line {followed.line}: "
                f"{_listed(changed)} change{'s' * (len(changed) == 1)} after it"
            )
        if followed.changing is not None:
            position = locate(followed.changing[4], max(followed.changing[5], ~followed.changing[5]))
            remarks.append(
                f"# valid for the last turn of the loop: `{position.segment}` on line {position.line} has other "
                "numbers in other turns"
            )
        assigned = words.intersection(re.findall(r"(?m)^(\w+) = ", text))
        last = extent(self.tree, followed.line)[1]
        replaced = sorted(
            {(line, name) for name in assigned for line in self.bound.get(name, ()) if line > last and followed.line}
        )
        if replaced:
            names = list(dict.fromkeys(name for _, name in replaced))
            remarks.append(f"# instead of your own {_listed(names)}, from line {replaced[0][0]} on")
        return "".join(f"{line}\n" for line in (*imports, *remarks)) + text

    def _is_followed_turn(self, line: str) -> bool:
        """Whether a remark says that one turn is written out of the loop in whose turn the lines are pasted."""
        found = re.fullmatch(r"# the loop on line (\d+) is written out, 1 turn\n", line)
        return found is not None and any(
            isinstance(node, ast.For | ast.While)
            and node.lineno == int(found[1])
            and node.lineno < self.followed.line <= (node.end_lineno or 0)
            for node in ast.walk(self.tree)
        )

    @cached_property
    def modules(self) -> dict[str, str]:
        """The script's names for modules, with the names of these."""
        return {name: x.__name__ for name, x in self.followed.held.items() if isinstance(x, ModuleType)}

    def imported(self, text: str) -> tuple[str, list[str]]:
        """The lines with NumPy under the script's name for it, and imports of what it has not imported."""
        modules = self.modules
        imports = []
        if modules.get("np") != "numpy" and re.search(r"(?<![\w.])np\.", text):
            alias = next((name for name, module in modules.items() if module == "numpy"), "numpy")
            text = re.sub(r"(?<![\w.])np\.", f"{alias}.", text)
            if alias not in modules:
                imports.append("import numpy")
        used = set(re.findall(r"(?<![\w.])(scipy(?:\.[a-z]+)?)\.\w+\(", text))
        imports += [f"import {module}" for module in sorted(used)]
        return text, imports


def _by_variable(here: Mapping[str, int], words: Sequence[str], turning: set[str]) -> dict[int, list[str]]:
    """For each variable the paths that lead to it, the best first.

    Names that a loop gives to one array after the other come last, and names of their own before parts of others.
    """
    found: dict[int, list[str]] = {}
    for path, variable in here.items():
        if _root(path) in words:
            found.setdefault(variable, []).append(path)
    for paths in found.values():
        paths.sort(key=lambda path: (_root(path) in turning, not path.isidentifier(), path.startswith("_")))
    return found


def _outputs(step: Any) -> tuple[int, ...]:
    return step[3] if type(step[3]) is tuple else (step[3],)


def _root(path: str) -> str:
    return re.split(r"[\[.]", path)[0]


def _short(path: str) -> str:
    """A name for what a path leads to: ``W1`` for ``params['W1']``, ``W_0`` for ``W[0]``."""
    last = re.search(r"(?:\.|\[')([A-Za-z_]\w*)(?:'\])?$", path)
    return last[1] if last else _whole(path)


def _whole(path: str) -> str:
    return re.sub(r"\W+", "_", path).strip("_")


def _quoted(path: str) -> str:
    return path if '"' in path else path.replace("'", '"')


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")


def _numbers_in(step: Step) -> Iterator[str]:
    """The names of numbers that a step mentions."""
    pending: list[Any] = [*step.params.values(), *(x.value for x in step.inputs if isinstance(x, Const))]
    loop = loop_in(step)
    if loop is not None:
        pending += [loop.header.counted, loop.header.count]
        for inner in loop.program.steps:
            yield from _numbers_in(inner)
    while pending:
        x = pending.pop()
        if is_size(x):
            head, *operands = x.expression
            if head == "name":
                yield operands[0]
            else:
                pending += operands
        elif isinstance(x, tuple | list):
            pending += x


def _nameless(array: Var | Const, forward: Sequence[Step]) -> str:
    """What to say about an array that no name leads to."""
    reader = next((s for s in forward if any(x is array for x in s.inputs)), None)
    where = ""
    if reader is not None and reader.position is not None:
        where = f" on line {reader.position.line}: {reader.position.text}"
    name = f"{array.name}, " if array.name else ""
    shape = shape_of(array)
    return (
        f"{name}an array of shape {shape}, is used{where}\n"
        "  and no name at the top level of the script leads to it, so lines pasted there cannot use it.\n"
        "  Instead: keep it under a name at the top level, or ask for the function that computes the result: "
        "chainrule write FILE::FUNCTION."
    )
