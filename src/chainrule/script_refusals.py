"""What is said where a script or a function cannot be followed as it was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.language import Message, listed, message

__all__ = [
    "became_numbers",
    "candidates_among",
    "complex_result",
    "early_return",
    "has_arguments",
    "needs",
    "no_float_array",
    "no_function",
    "no_parameter",
    "no_such_result",
    "not_computed",
    "whole_array",
]


def no_function(path: str, name: str, own: Sequence[str]) -> Message:
    """That a file has no such function, and which it has."""
    if not own:
        return message("{file} defines no function {name}; it defines none.", file=path, name=name)
    return message("{file} defines no function {name}; it defines {own}.", file=path, name=name, own=listed(own))


def no_parameter(name: str, unknown: Sequence[str], own: Sequence[str]) -> Message:
    """That a function has no such parameters, and which it has."""
    return message(
        "{name} has no parameter {unknown}; it has {own}.", name=name, unknown=listed(unknown), own=listed(own)
    )


def has_arguments(name: str) -> Message:
    """That the variables of a function are only there where it needs no arguments."""
    return message(
        "{name} has arguments, and --of names one of its variables: that is for functions without arguments.\n"
        "  Leave --of out to get the gradient of what {name} returns.",
        name=name,
    )


def early_return(name: str) -> Message:
    """That a function may end before its last line."""
    return message("{name} has a return before its end, so that its lines cannot be followed one by one.", name=name)


def no_such_result(name: str, count: int, number: int) -> Message:
    """That a function has fewer results than the one that was asked for."""
    return message(
        "{name} returns {count} results that depend on its float arguments, and no number {number}.",
        name=name,
        count=count,
        number=number,
    )


def complex_result(name: str) -> Message:
    """That a result is complex."""
    return message("{name} is complex, which has no gradient: take np.abs({name}) ** 2 or {name}.real.", name=name)


def needs(name: str, missing: Sequence[str]) -> Message:
    """That a function needs values for some of its parameters."""
    return message(
        "{name} needs {missing}: give shapes ({shapes}) or values ({value}).",
        name=name,
        missing=listed(missing),
        shapes="--shapes " + ",".join(f"{n}=2x3" for n in missing),
        value=f"{missing[0]}:=3",
    )


def candidates_among(computed: Sequence[str]) -> Message:
    """What may be asked for in a script."""
    if not computed:
        return message("it computes no number")
    return message("the numbers that it computes: {names}", names=listed(computed))


def not_computed(name: str, kind: str | None, asked: bool, candidates: Message) -> Message:
    """That a result does not depend on the arrays that are differentiated; with its type where it is no array."""
    known = message("the arrays of --wrt") if asked else message("arrays that the script defines")
    gaps = {"name": name, "arrays": known, "candidates": candidates}
    if kind is None:
        return message("{name} was not computed from {arrays}; {candidates}.", **gaps)
    return message("{name} was not computed from {arrays}, it is of type {kind}; {candidates}.", kind=kind, **gaps)


def whole_array(name: str, shape: Sequence[int], candidates: Message) -> Message:
    """That the result is an array, and what to ask for instead."""
    return message(
        "{name} has the shape {shape}, and a gradient is that of one number: ask for an element with "
        "--of-index {index}, or compute {number} in the script; {candidates}.",
        name=name,
        shape=tuple(shape),
        index=",".join("0" * len(shape)),
        number=f"{name}.mean()" if int(np.prod(shape)) > 1 else f"{name}.sum()",
        candidates=candidates,
    )


def no_float_array(name: str, kind: Any, known: Sequence[str]) -> Message:
    """That a name is not that of an array that can be differentiated with respect to; with its type if it is there."""
    gaps = {"name": name, "arrays": listed(known) or message("none")}
    if kind is None:
        return message("there is no {name}. The float arrays of the script: {arrays}.", **gaps)
    return message(
        "{name} is no float array, it is of type {kind}. The float arrays of the script: {arrays}.", kind=kind, **gaps
    )


def became_numbers(names: Iterable[str], result: str) -> Message:
    """That the way from arrays to a result may lead through plain numbers, where it would be lost."""
    return message(
        "an array that depends on {names} may have become plain numbers before it had that name, and {result} "
        "may depend on them.\n  Instead: ask for the first name that it has at the top level of the script.",
        names=listed(names),
        result=result,
    )
