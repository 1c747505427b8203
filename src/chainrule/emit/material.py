"""What a function to be written is made of: its parameters, the arrays in them, the constants it uses."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.calls import argument_names
from chainrule.errors import ChainruleError
from chainrule.ir import Const, Guard, Program, Step, Var
from chainrule.names import Namespace
from chainrule.trees import flatten, paths, unflatten
from chainrule.user_source import lengths_named, literals_of, loop_of

__all__ = ["Leaf", "Material", "constant_lines", "material_of", "result_text"]

_LARGEST = 64


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """An array or number in the arguments.

    Attributes:
        variable: its variable.
        name: the name it has in what is written.
        source: the expression that reads it from the parameter; the name itself for a bare argument.
        argument: the position of the argument.
        value: what it was in the example.
    """

    variable: Var
    name: str
    source: str
    argument: int
    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What was asked to be written, and what is known about it.

    Attributes:
        name: of the function.
        parameters: the names of its parameters.
        leaves: the arrays and numbers in its arguments.
        settings: arguments that are no arrays, by name: what is written is for these values.
        program: the steps.
        function: the function itself.
    """

    name: str
    parameters: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    settings: dict[str, Any]
    program: Program
    function: Callable[..., Any]

    def leaf_of(self, x: Var) -> Leaf:
        """The leaf that a variable is."""
        return next(leaf for leaf in self.leaves if leaf.variable is x)

    def literals(self) -> dict[float, str]:
        """How the user wrote the floats of the function."""
        found: dict[float, str] = {}
        for filename in dict.fromkeys(s.position.filename for s in self.program.steps if s.position is not None):
            position = next(s.position for s in self.program.steps if s.position and s.position.filename == filename)
            found.update(literals_of(position))
        return found

    def lengths(self) -> dict[str, tuple[str, int | None, int]]:
        """The names that the user gave to lengths of arrays."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        return {} if code is None else lengths_named(code)

    def user_names(self) -> tuple[str, ...]:
        """The names that the user's function uses."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        if code is None:
            return ()
        world = getattr(inspect.unwrap(self.function), "__globals__", {})
        names = [name for name in code.co_names if name in world]  # the others are names of attributes
        return (*code.co_varnames, *names, *code.co_freevars, *code.co_cellvars)


def material_of(function: Callable[..., Any], args: Sequence[Any], program: Program) -> Material:
    """What is known about a traced call."""
    space = Namespace()
    parameters = [space.claim(name) for name in argument_names(function, args, {})]
    inputs = iter(program.inputs)
    leaves: list[Leaf] = []
    settings: dict[str, Any] = {}
    for position, (name, argument) in enumerate(zip(parameters, args, strict=True)):
        for leaf, path in zip(flatten(argument)[0], paths(argument), strict=True):
            array = isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fciub"
            if not (array or isinstance(leaf, float | complex | np.inexact)):
                settings[name + path] = leaf
                continue
            variable = next(inputs)
            own = name if not path else space.claim(variable.name or name + path)
            leaves.append(Leaf(variable, own, name + _quoted(path), position, leaf))
    return Material(program.name, tuple(parameters), tuple(leaves), settings, program, function)


def _quoted(path: str) -> str:
    """A path as formatters write it: ``["W1"]``."""
    return path if '"' in path else path.replace("'", '"')


def constant_lines(constants: Sequence[tuple[str, Const]]) -> list[str]:
    """Assignments of the plain arrays that a function used besides its arguments.

    Raises:
        ChainruleError: where one is too large to be written.
    """
    lines: list[str] = []
    for name, constant in constants:
        array = np.asarray(constant.value)
        if array.size > _LARGEST or array.dtype.kind not in "fiubc":
            raise ChainruleError(
                f"{constant.name or 'an array'} of shape {array.shape} is used by the function and is no argument "
                f"of it; it has {array.size} elements, too many to be written into source (at most {_LARGEST}). "
                "Instead: make it an argument of the function."
            )
        default = array.dtype in (np.dtype(float), np.dtype(int), np.dtype(bool))
        dtype = "" if default else f", dtype=np.{array.dtype.name}"
        values = repr(array.tolist()).replace("inf", "np.inf").replace("nan", "np.nan")
        text = f"{name} = np.array({values}{dtype})"
        lines += textwrap.wrap(text, 112, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return lines


def remarks(material: Material, steps: Sequence[Step], guards: Sequence[Guard]) -> list[str]:
    """What is to be said above the code: what it is valid for."""
    found = [f"valid for {name}={value!r}" for name, value in material.settings.items()]
    for guard in guards:
        text = guard.position.segment if guard.position is not None else ""
        where = f" on line {guard.position.line}" if guard.position is not None else ""
        if not text:
            found.append(f"valid while {guard}")
        elif guard.value is True or guard.value is False:
            found.append(f"valid while `{text}`{where} is {'true' if guard.value else 'false'}")
        else:
            found.append(f"valid while `{text}`{where} is {guard.value!r}")
    turns: dict[tuple[str, int], int] = {}
    counts: dict[Any, int] = {}
    for step in steps:
        if step.position is not None:
            key = (step.position, step.operation)
            counts[key] = counts.get(key, 0) + 1
            if counts[key] > 1:
                line = loop_of(step.position)
                if line is not None:
                    loop = (step.position.filename, line)
                    turns[loop] = max(turns.get(loop, 0), counts[key])
    found += [f"the loop on line {line} is written out, {count} turns" for (_, line), count in turns.items()]
    return [f"# {text}" for text in dict.fromkeys(found)]


def result_text(function: Callable[..., Any], args: Sequence[Any], texts: Sequence[str]) -> str:
    """The result of a function that returns several arrays, with these expressions for them."""
    copies = []
    for argument in args:
        leaves, structure = flatten(argument)
        copies.append(unflatten(structure, [np.copy(x) if isinstance(x, np.ndarray) else x for x in leaves]))
    with np.errstate(all="ignore"):
        result = function(*copies)
    remaining = list(texts)
    text = _tree_text(result, remaining)
    return text if not remaining and text is not None else f"({', '.join(texts)})"


def _tree_text(tree: Any, remaining: list[str]) -> str | None:
    if type(tree) is dict:
        parts = {k: _tree_text(tree[k], remaining) for k in sorted(tree)}
        if None in parts.values() or not all(isinstance(k, str | int) for k in tree):
            return None
        quoted = {k: f'"{k}"' if isinstance(k, str) else repr(k) for k in tree}
        return "{" + ", ".join(f"{quoted[k]}: {parts[k]}" for k in tree) + "}"
    if type(tree) in (tuple, list):
        texts = [_tree_text(x, remaining) for x in tree]
        if None in texts:
            return None
        inner = ", ".join(str(t) for t in texts)
        if type(tree) is list:
            return f"[{inner}]"
        return f"({inner},)" if len(texts) == 1 else f"({inner})"
    if tree is None:
        return "None"
    if not remaining or isinstance(tree, tuple | list | dict):
        return None
    return remaining.pop(0)
