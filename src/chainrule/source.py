"""``write``: the backward pass of a function as source that a person would write."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from chainrule.backward import Backward, backward_of
from chainrule.calls import argument_names
from chainrule.emit.material import Material, material_of
from chainrule.emit.numpy_source import (
    forward_source,
    function_source,
    layer_source,
    lines_source,
    pullback_source,
)
from chainrule.errors import ChainruleError, TreeError
from chainrule.ir import Var
from chainrule.linear import is_floating
from chainrule.simplify.rewriting import simplify
from chainrule.trace import trace

__all__ = ["Source", "write"]

Style = Literal["function", "lines", "pullback", "layer"]
_STYLES = {"function": function_source, "pullback": pullback_source, "layer": layer_source}
_PREFIXES = ("d", "D", "grad_")


class Source:
    """Source code that was written for somebody: text that can be read, run and saved."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._function: Callable[..., Any] | None = None

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._text

    def _repr_markdown_(self) -> str:
        return f"```python\n{self._text}```"

    @property
    def function(self) -> Any:
        """The function or class that the source defines, ready to be called.

        Raises:
            ChainruleError: where the source is lines to paste, which define none.
        """
        if not self._name:
            raise ChainruleError(
                "these are lines to paste under the forward lines, and no function. "
                'Instead: write(..., style="function").function.'
            )
        if self._function is None:
            filename = f"<chainrule {self._name} {abs(hash(self._text))}>"
            namespace: dict[str, Any] = {"__name__": f"chainrule_written_{self._name}"}
            exec(compile(self._text, filename, "exec"), namespace)
            # Tracebacks, and tracing the function again, read its lines from here.
            linecache.cache[filename] = (len(self._text), None, self._text.splitlines(keepends=True), filename)
            self._function = namespace[self._name]
        return self._function

    def save(self, path: str | PathLike[str]) -> None:
        """Write the source to a file."""
        Path(path).write_text(self._text, encoding="utf-8")


def write(
    f: Callable[..., Any],
    *args: Any,
    wrt: int | str | Sequence[int | str] | None = None,
    style: Style = "function",
    prefix: str = "d",
    what: Literal["backward", "forward"] = "backward",
) -> Source:
    """The backward pass of ``f`` as NumPy source.

    Args:
        f: a function of arrays, numbers and trees of them.
        args: its arguments, with concrete values; what is written runs for other sizes, of the same ranks.
        wrt: what to differentiate: names or positions of arguments, or names that arrays in a tree are unpacked to;
            all floating arrays if not given.
        style: ``"function"``: forward and backward, returns ``(output, {name: gradient})``; ``"lines"``: the backward
            lines alone, for under the forward lines; ``"pullback"``: a function of the inputs and ``grad_output`` that
            returns the gradients; ``"layer"``: a class with ``forward`` and ``backward``.
        prefix: what stands in front of a name in the name of its gradient: ``"d"``, ``"D"`` or ``"grad_"``.
        what: ``"backward"``, or ``"forward"`` for the function itself, statement for statement.

    Returns:
        A :class:`Source`: ``str`` is the text, ``.function`` runs it, ``.save(path)`` keeps it.

    Raises:
        ChainruleError: where something cannot be followed or written.
    """
    if what == "forward":
        program = trace(f, *args)
        return Source(*forward_source(material_of(f, args, program), args))
    if what != "backward":
        raise ChainruleError(f'what={what!r}: write can write "backward" and "forward".')
    if prefix not in _PREFIXES:
        raise ChainruleError(f'prefix={prefix!r}: gradients can be named with "d", "D" or "grad_".')
    if style != "lines" and style not in _STYLES:
        raise ChainruleError(f'style={style!r}: the styles are "function", "lines", "pullback" and "layer".')
    wanted = None if wrt is None else [wrt] if isinstance(wrt, int | str) else list(wrt)
    backward = simplify(backward_of(f, args, _positions(f, args, wanted)))
    material = material_of(f, args, backward.program)
    chosen = _chosen(material, backward, wanted, len(args))
    if style == "lines":
        return Source(lines_source(material, backward, chosen, prefix), "")
    return Source(*_STYLES[style](material, backward, chosen, prefix, args))


def _positions(f: Callable[..., Any], args: Sequence[Any], wanted: Sequence[int | str] | None) -> list[int] | None:
    """The arguments that hold what is wanted; all if one of the names is none of an argument."""
    if wanted is None:
        return None
    names = argument_names(f, args, {})
    found: list[int] = []
    for x in wanted:
        if isinstance(x, int):
            if not -len(args) <= x < len(args):
                raise TreeError(f"wrt={x}: the call has {len(args)} arguments.")
            found.append(x % len(args))
        elif x in names:
            found.append(names.index(x))
        else:
            found += [k for k, argument in enumerate(args) if is_floating(argument)]
    return sorted(set(found))


def _chosen(material: Material, backward: Backward, wanted: Sequence[int | str] | None, count: int) -> list[Var]:
    """The inputs whose gradients are wanted, in the order in which they were asked for."""
    if wanted is None:
        return list(backward.wrt)
    held = {x.number for x in backward.wrt}
    leaves = [leaf for leaf in material.leaves if leaf.variable.number in held]
    found: list[Var] = []
    for x in wanted:
        if isinstance(x, str) and x not in material.parameters:
            fitting = [leaf for leaf in leaves if x in (leaf.name, leaf.variable.name, leaf.source)]
        else:
            position = x % count if isinstance(x, int) else material.parameters.index(x)
            fitting = [leaf for leaf in leaves if leaf.argument == position]
        if not fitting:
            known = ", ".join(leaf.name for leaf in leaves)
            raise TreeError(f"wrt={x!r} names no floating argument of {material.name}. The arrays are: {known}.")
        found += [leaf.variable for leaf in fitting]
    return list({v.number: v for v in found}.values())
