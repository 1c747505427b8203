"""What is asked for where something is to be written: which arguments, which arrays in them, which names stay."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from chainrule.backward import Backward
from chainrule.calls import argument_names
from chainrule.emit.material import Leaf, Material
from chainrule.errors import TreeError
from chainrule.ir import Var
from chainrule.language import listed, message, plural
from chainrule.linear import floating_arguments
from chainrule.sizes import named_number
from chainrule.whole_numbers import lengths_given

__all__ = ["by_position", "chosen_inputs", "defaults_of", "positions_of", "whole_numbers_of", "with_defaults"]


def whole_numbers_of(f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> frozenset[str]:
    """The whole numbers that only say how long something is: what is written has their names, and holds for all values.

    Of other numbers it says for which it holds.
    """
    given = {**dict(zip(argument_names(f, args, {}), args, strict=True)), **kwargs}
    given = {**{p.name: p.default for p in _parameters(f)}, **given}
    return lengths_given(f, [name for name, x in given.items() if type(x) is int])


def _parameters(f: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return []


def defaults_of(
    f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], wrt: Any, whole: Collection[str]
) -> dict[str, float]:
    """The numbers that a function has by default: ``dt`` is written by its name, and not as 0.05.

    They are floats, and those of its whole numbers that stay names.
    """
    wanted = {wrt} if isinstance(wrt, int | str) else set(wrt or ())
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        p.name: p.default
        for p in _parameters(f)[len(args) :]
        if p.name not in (*kwargs, *wanted) and p.kind in kinds
        if type(p.default) is float or (type(p.default) is int and p.name in whole)
    }


def with_defaults(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    named: Mapping[str, float],
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments with these defaults behind them, by position as far as they follow them."""
    found, rest = list(args), dict(named)
    for p in _parameters(f)[len(args) :] if named and not kwargs else []:
        if p.name not in rest or p.kind is inspect.Parameter.KEYWORD_ONLY:
            break
        found.append(named_number(rest.pop(p.name), p.name))
    return tuple(found), {**kwargs, **{n: named_number(v, n) for n, v in rest.items()}}


def by_position(
    f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments of a call, by position as far as the function takes them so."""
    if not kwargs:
        return tuple(args), kwargs
    try:
        bound = inspect.signature(f).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return tuple(args), kwargs
    return bound.args, bound.kwargs


def positions_of(
    f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], wanted: Sequence[int | str] | None
) -> list[int | str] | None:
    """The arguments that hold what is wanted; all if one of the names is none of an argument."""
    if wanted is None:
        return None
    names = argument_names(f, args, {})
    found: set[int | str] = set()
    for x in wanted:
        if isinstance(x, int):
            if not -len(args) <= x < len(args):
                raise TreeError(
                    plural(
                        "wrt={position}: the call has {count} argument.",
                        "wrt={position}: the call has {count} arguments.",
                        len(args),
                        position=x,
                    )
                )
            found.add(x % len(args))
        elif x in names:
            found.add(names.index(x))
        elif x in kwargs:
            found.add(x)
        else:
            found.update(floating_arguments(args, kwargs))
    return [x for x in (*range(len(args)), *kwargs) if x in found]


def chosen_inputs(material: Material, backward: Backward, wanted: Sequence[int | str] | None, count: int) -> list[Var]:
    """The inputs whose gradients are wanted, in the order in which they were asked for."""
    if wanted is None:
        return list(backward.wrt)
    held = {x.number for x in backward.wrt}
    leaves = [leaf for leaf in material.leaves if leaf.variable.number in held]
    found: list[Var] = []
    for x in wanted:
        if isinstance(x, str) and x not in material.parameters:
            fitting = [leaf for leaf in leaves if x in _names_of(leaf)]
        else:
            position = x % count if isinstance(x, int) else material.parameters.index(x)
            fitting = [leaf for leaf in leaves if leaf.argument == position]
        if not fitting:
            raise TreeError(
                message(
                    "wrt={asked} names no floating argument of {function}. The arrays are: {names}.",
                    asked=repr(x),
                    function=material.name,
                    names=listed(leaf.name for leaf in leaves),
                )
            )
        found += [leaf.variable for leaf in fitting]
    return list({v.number: v for v in found}.values())


def _names_of(leaf: Leaf) -> tuple[str | None, ...]:
    """What an array can be asked for by: ``W1``, ``params["W1"]``, ``params_W1``."""
    return leaf.name, leaf.variable.name, leaf.source, re.sub(r"\W+", "_", leaf.source).strip("_")
