"""``np.einsum``: every way of calling it as one, and its rule.

The derivative of an einsum with respect to one operand is an einsum of the cotangent with the other operands, whose
result has that operand's indices.
"""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from chainrule.rules.helpers import made

__all__ = ["einsum_rule", "normalise_einsum", "spelled_out"]


def normalise_einsum(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Any call of ``np.einsum`` as subscripts with an explicit output, the operands, and the other arguments.

    Both the form with a string, ``einsum("ij,j", A, x)``, and the one with lists of axes,
    ``einsum(A, [0, 1], x, [1])``, are understood.
    """
    if not isinstance(args[0], str):
        subscripts, operands = _from_sublists(args)
    else:
        subscripts, operands = args[0].replace(" ", ""), tuple(args[1:])
    if "->" not in subscripts:
        letters = subscripts.replace(".", "").replace(",", "")
        output = "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
        subscripts += "->" + ("..." if "..." in subscripts else "") + output
    return subscripts, operands, dict(kwargs)


def _from_sublists(args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The subscripts and the operands of the form ``operand, axes, operand, axes, …[, axes of the output]``."""
    lists = list(args[1::2]) + ([args[-1]] if len(args) % 2 else [])
    labels = sorted({label for axes in lists for label in axes if label is not Ellipsis})
    names = dict(zip(labels, string.ascii_uppercase + string.ascii_lowercase, strict=False))
    names[Ellipsis] = "..."
    terms = ["".join(names[label] for label in axes) for axes in lists]
    if len(args) % 2:
        return ",".join(terms[:-1]) + "->" + terms[-1], tuple(args[:-1:2])
    return ",".join(terms), tuple(args[::2])


def spelled_out(subscripts: str, dimensions: list[int]) -> tuple[list[str], str]:
    """The terms of the operands and of the output, with letters in the place of each ellipsis."""
    left, output = subscripts.split("->")
    terms = left.split(",")
    unused = [letter for letter in string.ascii_letters if letter not in subscripts]
    counts = [ndim - len(term.replace(".", "")) for term, ndim in zip(terms, dimensions, strict=True)]
    longest = max([count for count, term in zip(counts, terms, strict=True) if "..." in term], default=0)
    broadcast = "".join(unused[:longest])
    terms = [term.replace("...", broadcast[longest - count :]) for term, count in zip(terms, counts, strict=True)]
    return terms, output.replace("...", broadcast)


def einsum_rule(
    g: Any, out: Any, *operands: Any, subscripts: str, optimize: Any = False, dtype: Any = None
) -> tuple[Any, ...]:
    """The cotangent of every operand of ``np.einsum(subscripts, *operands)``."""
    terms, output = spelled_out(subscripts, [np.ndim(operand) for operand in operands])
    # A path of the caller's is one through the forward contractions; the way back needs its own.
    options = {"optimize": optimize if isinstance(optimize, bool | str) else True} if optimize else {}
    return tuple(_cotangent(g, output, operands, terms, position, options) for position in range(len(operands)))


def _cotangent(
    g: Any, output: str, operands: tuple[Any, ...], terms: list[str], position: int, options: dict[str, Any]
) -> Any:
    term = terms[position]
    factors = [g, *operands[:position], *operands[position + 1 :]]
    factor_terms = [output, *terms[:position], *terms[position + 1 :]]
    unused = (letter for letter in string.ascii_letters if not any(letter in t for t in (output, *terms)))
    wanted = ""
    for axis, letter in enumerate(term):
        if letter in wanted:
            # A diagonal was taken: only elements with equal indices move the result.
            twin = next(unused)
            factors.append(made(np.eye, np.shape(operands[position])[axis], dtype=g.dtype))
            factor_terms.append(letter + twin)
            letter = twin
        wanted += letter
    known = [letter for letter in wanted if any(letter in t for t in factor_terms)]
    result = np.einsum(",".join(factor_terms) + "->" + "".join(known), *factors, **options)
    # An index that was summed out of this operand alone: every element along it counts the same.
    summed = tuple(axis for axis, letter in enumerate(wanted) if letter not in known)
    return np.expand_dims(result, summed) if summed else result
