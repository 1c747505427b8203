"""What a function to be written is made of: its parameters, the arrays in them, the constants it uses."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.calls import argument_names
from chainrule.emit.named_lengths import NamedLengths
from chainrule.emit.text import formatted_path
from chainrule.emit.values import LARGEST
from chainrule.errors import ChainruleError
from chainrule.facts import Facts
from chainrule.ir import Const, Program, Step, Var
from chainrule.language import message
from chainrule.loops import Loop, loop_in
from chainrule.members import Members, lists_in, own_keys, plain_names, settings_read
from chainrule.names import Namespace
from chainrule.positions import Position
from chainrule.sizes import is_size
from chainrule.trees import flatten, paths, unflatten
from chainrule.user_constants import constants_of
from chainrule.user_source import bound_in_loop, counts_named, lengths_named, literals_of

__all__ = ["OPPOSITE", "Fixed", "Leaf", "Material", "constant_lines", "length_text", "material_of", "setting_check"]


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """An array or number in the arguments.

    Attributes:
        variable: its variable.
        name: the name it has in what is written.
        source: the expression that reads it from the parameter; the name itself for a bare argument.
        argument: the position of the argument.
        value: what it was in the example.
        primal: for a tangent, what it is the tangent of.
    """

    variable: Var
    name: str
    source: str
    argument: int
    value: Any
    primal: Leaf | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """What the lengths of the arguments must be for what is written to hold.

    Attributes:
        left: one side of a comparison, as it is written.
        sign: the comparison.
        right: its other side.
        said: whether it is said already, in the user's words.
    """

    left: str
    sign: str
    right: str
    said: bool = False

    def remark(self) -> str:
        """What is said above the code."""
        return "" if self.said else f"valid while {self.left} {self.sign} {self.right}"

    def check(self) -> list[str]:
        """The lines that refuse arguments of other lengths."""
        holds = f"{self.left} {self.sign} {self.right}"
        quote = "'" if '"' in holds else '"'
        return [
            f"if {self.left} {OPPOSITE[self.sign]} {self.right}:",
            f"    raise ValueError({quote}written for {holds}{quote})",
        ]


OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


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
        structure: of the result of the function.
        keywords: the parameters that are given by name only.
        defaults: the default values of parameters, as source.
        counts: how the lengths of lists in the arguments are written, by their numbers in sizes.
        remark: what is to be said above the code besides what the steps say.
        fixed: the lengths that it holds for alone.
        optional: the parameters that the call left out.
        whole: whole numbers among the arguments for all values of which the code holds, by name.
        apart: whether lines to paste must compute what they need of the arguments alone.
        owner: the class of the object whose method it is, if the arrays are its attributes.
        listed: the parameters that are arrays here and lists of whole numbers in the call.
        assume: facts about arrays, by name.
    """

    name: str
    parameters: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    settings: dict[str, Any]
    program: Program
    function: Callable[..., Any]
    structure: Any = field(default=None, kw_only=True)
    keywords: tuple[str, ...] = field(default=(), kw_only=True)
    defaults: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    counts: Mapping[int, str] = field(default_factory=dict, kw_only=True)
    remark: str = field(default="", kw_only=True)
    fixed: tuple[Fixed, ...] = field(default=(), kw_only=True)
    optional: frozenset[str] = field(default=frozenset(), kw_only=True)
    whole: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    apart: bool = field(default=False, kw_only=True)
    owner: str = field(default="", kw_only=True)
    listed: tuple[str, ...] = field(default=(), kw_only=True)
    assume: Facts = field(default_factory=dict, kw_only=True)

    def head(self, *extra: str) -> str:
        """The parameters as they are declared, with these behind the positional ones."""
        late = [p for p in self.parameters if p in self.keywords or (extra and p in self.optional)]
        plain = [p for p in self.parameters if p not in late]
        ending = len(plain)
        while not extra and ending and plain[ending - 1] in self.defaults:
            ending -= 1
        texts = [*plain[:ending], *(f"{p}={self.defaults[p]}" for p in plain[ending:]), *extra]
        if late:
            texts += ["*", *(f"{p}={self.defaults[p]}" if p in self.defaults else p for p in late)]
        return ", ".join(texts)

    def result_text(self, texts: Sequence[str]) -> str:
        """The result of the function, with these expressions for its arrays."""
        if self.structure is None or (len(texts) == 1 and self.structure.is_leaf()):
            return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
        text = _tree_text(unflatten(self.structure, [_Written(t) for t in texts]))
        return f"({', '.join(texts)})" if text is None else text

    def leaf_of(self, x: Var) -> Leaf:
        """The leaf that a variable is."""
        return next(leaf for leaf in (*self.leaves, *self.inner()) if leaf.variable is x)

    def inner(self) -> Sequence[Leaf]:
        """What is differentiated and is no argument; only scripts have that."""
        return ()

    def literals(self) -> dict[float, str]:
        """How the user wrote the floats of the function."""
        return self._in_files(literals_of)

    def constants(self) -> dict[float, str]:
        """What computes numbers of many digits in the function; not beside short floats, which that would promote."""
        short = (np.float16, np.float32, np.complex64)
        arrays = [x for s in self.program.steps for x in s.outputs] + list(self.program.inputs)
        return {} if any(x.dtype in short for x in arrays) else self._in_files(constants_of)

    def _in_files(self, read: Callable[[Position], Mapping[float, str]]) -> dict[float, str]:
        places = {s.position.filename: s.position for s in self.program.steps if s.position is not None}
        return {x: text for position in places.values() for x, text in read(position).items()}

    def lengths(self) -> dict[str, tuple[str, int | None, int]]:
        """The names that the user gave to lengths of arrays."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        return {} if code is None else lengths_named(code)

    def names_of_lengths(self) -> NamedLengths:
        """The names that the user gave to lengths of arrays, and to numbers computed from them."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        return NamedLengths(self.lengths(), {} if code is None else counts_named(code), self.whole)

    def user_names(self) -> tuple[str, ...]:
        """The names that the user's function uses."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        if code is None:
            return ()
        world = getattr(inspect.unwrap(self.function), "__globals__", {})
        names = [name for name in code.co_names if name in world]  # the others are names of attributes
        return (*code.co_varnames, *names, *code.co_freevars, *code.co_cellvars)

    def is_own(self, function: str) -> bool:
        """Whether a place in this function is one of the code that lines are pasted into."""
        code = getattr(self.function, "__code__", None)
        return code is None or function == code.co_qualname

    def path_of(self, leaf: Leaf) -> str:
        """How an array is reached where the code runs."""
        return leaf.source

    def still_there(self, forward: Sequence[Step]) -> dict[int, str]:
        """The variables that the user's own names refer to when the forward lines have run."""
        return {x.number: name for name, x in self._last(forward).items() if name and x is not None}

    def lost(self, forward: Sequence[Step]) -> dict[int, str]:
        """Arguments whose name the forward lines give to something else."""
        there = self.still_there(forward)
        kept = set(self._last(forward))
        return {
            leaf.variable.number: leaf.name
            for leaf in self.leaves
            if leaf.name == leaf.source and leaf.variable.number not in there and leaf.name in kept
        }

    def _last(self, forward: Sequence[Step]) -> dict[str, Var | None]:
        """What the locals of the user's function hold in the end; ``None`` where that is not known, behind a loop."""
        code = getattr(self.function, "__code__", None)
        names = () if code is None else (*code.co_varnames, *code.co_cellvars)
        last: dict[str, Var | None] = {leaf.name: leaf.variable for leaf in self.leaves if leaf.name == leaf.source}
        looped: set[str] = set()
        for step in forward:
            if step.position is None or (code is not None and step.position.function != code.co_qualname):
                continue
            loop = loop_in(step)
            if loop is not None:
                looped.update(bound_in_loop(step.position))
                last.update(dict.fromkeys(looped))
            for k, out in enumerate(step.outputs):
                known = loop is None or _is_last(loop, k, out.name, step.position.function)
                if out.name is not None and known and (code is None or out.name in names):
                    last[out.name] = out
        if code is not None and self.program.held is not None:
            variables = self.program.by_number()
            for name, number in self.program.held.items():
                held = variables.get(number)
                if name not in looped:  # of what is bound in loops it is known as much as they say
                    last[name] = held if isinstance(held, Var) else None
        return last


def _is_last(loop: Loop, k: int, name: str | None, function: str) -> bool:
    """Whether an output of a loop is what a local variable of a function holds when the loop has ended."""
    last = None
    for step in loop.program.steps[: loop.forward_steps]:
        for out in step.outputs:
            if out.name == name:
                own = step.position is not None and step.position.function == function and loop_in(step) is None
                last = out.number if own else None
    return loop.outs[k].kind == "final" and loop.outs[k].variable == last


def material_of(
    function: Callable[..., Any],
    args: Sequence[Any],
    program: Program,
    kwargs: Mapping[str, Any] | None = None,
    structure: Any = None,
    left_out: Collection[str] = (),
) -> Material:
    """What is known about a traced call; the call left out what has its default."""
    space = Namespace()
    named = kwargs or {}
    parameters = [space.claim(name) for name in (*argument_names(function, args, {}), *named)]
    inputs = iter(program.inputs)
    keys = own_keys(function, dict(zip(parameters, (*args, *named.values()), strict=True)))
    leaves: list[Leaf] = []
    settings: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    for position, (name, argument) in enumerate(zip(parameters, (*args, *named.values()), strict=True)):
        if type(argument) is list and argument and all(isinstance(x, int | np.integer) for x in argument):
            settings[name] = [int(x) for x in argument]  # said and checked as one
            continue
        if type(argument) is Members:
            settings.update(settings_read(argument, function, name))
        reached = paths(argument)
        words = [name + path for path in reached] if type(argument) is not Members else plain_names(reached)
        for leaf, path, word in zip(flatten(argument)[0], reached, words, strict=True):
            array = isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fciub"
            if is_size(leaf):
                whole[name + path] = leaf  # what is written is for all values of it
                continue
            if not (array or isinstance(leaf, float | complex | np.inexact)):
                settings[formatted_path(name + path)] = leaf
                continue
            variable = next(inputs)
            observed = variable.name if type(argument) is not Members or str(variable.name).isidentifier() else None
            key, free = keys.get(name + path, (observed, True))  # says more than the name that a helper has for it
            own = name if not path else space.claim((key if free or key == observed else None) or word)
            leaves.append(Leaf(variable, own, name + formatted_path(path), position, leaf))
    keywords = tuple(parameters[len(args) :])
    defaults = _defaults(function, parameters)
    # A setting has the value by default that it must have.
    defaults.update((n, _literal(x)) for n, x in settings.items() if n in defaults and isinstance(x, bool | int | str))
    counts = {number: f"len({formatted_path(path)})" for number, path, _ in lists_in(parameters[: len(args)], args)}
    return Material(
        program.name,
        tuple(parameters),
        tuple(leaves),
        settings,
        program,
        function,
        structure=structure,
        keywords=keywords,
        defaults=defaults,
        counts=counts,
        optional=frozenset(
            name
            for name, x in zip(parameters, (*args, *named.values()), strict=True)
            if is_size(x) and name in left_out and name in defaults
        ),
        whole=whole,
        owner=type(args[0].owner).__name__ if args and type(args[0]) is Members else "",
    )


def _defaults(function: Callable[..., Any], names: Sequence[str]) -> dict[str, str]:
    """The default values of these parameters that can be written down."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
    values = {name: parameters[name].default for name in names if name in parameters}
    plain = (bool, int, float, str, type(None))
    return {name: _literal(value) for name, value in values.items() if type(value) in plain}


def _literal(value: Any) -> str:
    return '"' + repr(value)[1:-1].replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)


def constant_lines(constants: Sequence[tuple[str, Const]]) -> list[str]:
    """Assignments of the plain arrays that a function used besides its arguments.

    Raises:
        ChainruleError: where one is too large to be written.
    """
    lines: list[str] = []
    for name, constant in constants:
        array = np.asarray(constant.value)
        if array.size > LARGEST or array.dtype.kind not in "fiubc":
            raise ChainruleError(
                message(
                    "{array} of shape {shape} is used by the function and is no argument of it; it has "
                    "{size} elements, too many to be written into source (at most {most}). Instead: "
                    "make it an argument of the function.",
                    array=constant.name or message("an array"),
                    shape=str(array.shape),
                    size=array.size,
                    most=LARGEST,
                )
            )
        default = array.dtype in (np.dtype(float), np.dtype(int), np.dtype(bool))
        dtype = "" if default else f", dtype=np.{array.dtype.name}"
        values = repr(array.tolist()).replace("inf", "np.inf").replace("nan", "np.nan")
        text = f"{name} = np.array({values}{dtype})"
        lines += textwrap.wrap(text, 112, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return lines


def length_text(leaf: Leaf, axis: int) -> str:
    """How the length of an argument is read."""
    return f"{leaf.source}.shape[{axis}]" if len(leaf.variable.shape) > 1 else f"len({leaf.source})"


def setting_check(name: str, value: Any) -> list[str]:
    """The lines that refuse another value of an argument that is no array."""
    if isinstance(value, bool | np.bool):
        return [f"if {'not ' * bool(value)}{name}:", f'    raise ValueError("written for {name}={bool(value)}")']
    if type(value) is list:
        return [f"if list({name}) != {value}:", f'    raise ValueError("written for {name}={value}")']
    if not isinstance(value, int | np.integer | str) or (isinstance(value, str) and not value.isprintable()):
        return []
    text = _literal(value.item() if isinstance(value, np.integer) else value)
    quote = "'" if '"' in name + text and "'" not in name + text else '"'
    said = f"written for {name}={text}" if quote not in name + text else f"written for another {name}"
    return [f"if {name} != {text}:", f"    raise ValueError({quote}{said}{quote})"]


class _Written(str):
    """The expression of an array."""


def _tree_text(tree: Any) -> str | None:
    if isinstance(tree, _Written):
        return str(tree)
    if type(tree) is dict:
        parts = {k: _tree_text(v) for k, v in tree.items()}
        if None in parts.values() or not all(isinstance(k, str | int) for k in tree):
            return None
        quoted = {k: f'"{k}"' if isinstance(k, str) else repr(k) for k in tree}
        return "{" + ", ".join(f"{quoted[k]}: {parts[k]}" for k in tree) + "}"
    if type(tree) in (tuple, list):
        texts = [_tree_text(x) for x in tree]
        if None in texts:
            return None
        inner = ", ".join(str(t) for t in texts)
        if type(tree) is list:
            return f"[{inner}]"
        return f"({inner},)" if len(texts) == 1 else f"({inner})"
    return "None" if tree is None else None
