"""The chain rule for one element: over all elements of all statements that read it, worked out from their formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.explain.algebra import (
    ONE,
    add,
    free_letters,
    has_delta,
    is_number,
    mapped,
    multiply,
    number,
    power,
    substituted,
    summed,
    terms_of,
)
from chainrule.explain.deltas import collapsed, expanded, fixed, split_term
from chainrule.explain.differentiation import all_letters, bound_apart, derivative, relettered
from chainrule.explain.formula import (
    Add,
    Element,
    Formula,
    Index,
    Multiply,
    Number,
    Partial,
    Power,
    Sum,
)
from chainrule.explain.forward import Reading
from chainrule.explain.letters import Letters
from chainrule.explain.places import letters_in

__all__ = ["Chain", "LocalDerivative", "chain_of", "collected", "local_of"]


@dataclass(frozen=True, slots=True, eq=False)
class LocalDerivative:
    """The derivative of a statement's result with respect to one element of what it reads.

    Attributes:
        result: one element of the result.
        by: the element of the operand.
        formula: the derivative of one by the other.
        free: the letters that it depends on.
        whole: the derivative where the elements need not meet, with deltas; its letters are those of ``result_all`` and
            ``by_all``.
        result_all: one element of the result, in letters of its own.
        by_all: any element of the operand.
    """

    result: Element
    by: Element
    formula: Formula
    free: tuple[Index, ...]
    whole: Formula
    result_all: Element
    by_all: Element


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """The chain rule for one element.

    Attributes:
        element: the element, with a letter per axis.
        free: its letters.
        named: the sum over all paths with the derivatives named.
        worked: with the local derivatives worked out.
    """

    element: Element
    free: tuple[Index, ...]
    named: Formula
    worked: Formula


def _indices(element: Element) -> tuple[Index, ...]:
    return tuple(i for i in element.indices if isinstance(i, Index))


def _apart(element: Element, letters: Letters, scope: frozenset[str]) -> Element:
    """The same array's element with letters that are not in use."""
    used = set(scope)
    indices: list[Any] = []
    for i in element.indices:
        if isinstance(i, Index):
            new = letters.index(letters.owners[i.name], i.length, used)
            used.add(new.name)
            indices.append(new)
        else:
            indices.append(i)
    return Element(element.name, tuple(indices), element.variable)


def _known(form: Formula, result: Element) -> Mapping[Formula, Formula]:
    """The formula of a statement under the name of its result; also where a number stands in front of it."""
    known: dict[Formula, Formula] = {form: result}
    if isinstance(form, Multiply) and isinstance(form.factors[0], Number) and len(form.factors) == 2:
        known[form.factors[1]] = multiply(power(form.factors[0], number(-1)), result)
    return known


def _shortened(x: Formula, form: Formula, result: Element) -> Formula:
    """With ``A = 1/(1 + E)``: ``E·A²`` is ``A·(1 - A)``."""
    if not (isinstance(form, Power) and is_number(form.exponent, -1) and isinstance(form.base, Add)):
        return x
    ones = [t for t in form.base.terms if is_number(t, 1)]
    rest = [t for t in form.base.terms if not is_number(t, 1)]
    if len(ones) != 1 or len(rest) != 1:
        return x
    (e,) = rest
    terms = []
    for term in expanded(x):
        factors = list(term.factors) if isinstance(term, Multiply) else [term]
        squared = power(result, number(2))
        if e in factors and squared in factors:
            factors.remove(e)
            factors[factors.index(squared)] = multiply(result, add(ONE, multiply(number(-1), result)))
        terms.append(multiply(*factors))
    return add(*terms)


def local_of(reading: Reading, by: Element, letters: Letters) -> LocalDerivative:
    """The local derivative of a statement by one element of what it reads.

    Args:
        reading: the statement; it must have an index form.
        by: the element of the operand in its usual letters.
        letters: gives out indices.
    """
    form, result = reading.form, reading.element
    assert form is not None
    used = frozenset(i.name for i in _indices(result)) | all_letters(form)
    other = _apart(by, letters, used)
    whole = _shortened(derivative(form, other, _known(form, result)), form, result)
    # Where all terms meet the element at one place, that place is what one looks at.
    given = _common(whole, _indices(other))
    met = collapsed(substituted(whole, given))
    place = substituted(other, given)
    taken = frozenset(i.name for i in _indices(result)) | free_letters(place)
    # Letters of the operand that are left are its usual ones, where they are free.
    again: dict[str, Any] = {}
    for index in other.indices:
        if isinstance(index, Index) and index.name not in given and index.name in taken:
            new = letters.index(letters.owners[index.name], index.length, taken - {index.name})
            if new.name != index.name:
                again[index.name] = new
                taken = (taken - {index.name}) | {new.name}
    met, place = substituted(met, again), substituted(place, again)
    free = _free(result, place)
    formula = relettered(met, letters, frozenset(i.name for i in free))
    return LocalDerivative(result, place, formula, free, whole, result, other)


def _free(*elements: Element) -> tuple[Index, ...]:
    found: dict[str, Index] = {}
    for element in elements:
        for i in element.indices:
            for index in _all_indices(i):
                found.setdefault(index.name, index)
    return tuple(found.values())


def _all_indices(x: Any) -> list[Index]:
    if isinstance(x, Index):
        return [x]
    return [i for p in getattr(x, "parts", ()) for i in _all_indices(p)]


def _common(x: Formula, targets: Sequence[Index]) -> dict[str, Any]:
    """What each of these indices must be for any term of a formula not to vanish, as far as all terms say the same."""
    found: dict[str, Any] = {}
    terms = expanded(x)
    for index in targets:
        solutions = []
        for term in terms:
            deltas, _ = split_term(term)
            own = [s for d in deltas if (s := fixed(d, index)) is not None and not s[1]]
            own = [s for s in own if not letters_in(s[0]) & {t.name for t in targets}]
            solutions.append(own[0][0] if own else None)
        if solutions and solutions[0] is not None and all(s == solutions[0] for s in solutions):
            found[index.name] = solutions[0]
    return found


def chain_of(
    element: Element, result: Element, consumers: Sequence[Reading], letters: Letters, given: Formula | None = None
) -> Chain:
    """The derivative of the result of all by one element, summed over every statement that reads it.

    Args:
        element: one element of an array, with its usual letters.
        result: the result of all.
        consumers: the statements that read the array; each must have an index form.
        letters: gives out indices.
        given: where the array is an output itself, the gradient that is handed in for it.
    """
    own = frozenset(i.name for i in _indices(element))
    named: list[Formula] = [] if given is None else [given]
    worked: list[Formula] = [] if given is None else [given]
    for reading in consumers:
        form = reading.form
        assert form is not None
        over_element = _apart(reading.element, letters, own)
        renaming = {
            a.name: b
            for a, b in zip(reading.element.indices, over_element.indices, strict=True)
            if isinstance(a, Index) and a.name != b.name
        }
        moved = substituted(form, renaming)
        clear = bound_apart(moved, own)
        local = derivative(clear, element, _known(clear, over_element))
        local = _shortened(local, clear, over_element)
        over = _indices(over_element)
        met = _common(local, over)
        outer = Partial(result, over_element)
        inner: Formula = Partial(over_element, element)
        rest = tuple(i for i in over if i.name not in met)
        direct = over_element.variable == result.variable
        start: Formula = ONE if direct else outer
        worked.append(_worked(over, start, local, met))
        # Along a direct way the derivative has no other name than that of the whole, which it is only a part of.
        alone = direct and (len(consumers) > 1 or given is not None)
        named.append(worked[-1] if alone else summed(rest, substituted(multiply(start, inner), met)))
    scope = own
    return Chain(
        element,
        _indices(element),
        relettered(add(*named), letters, scope),
        relettered(add(*worked), letters, scope),
    )


def _worked(over: tuple[Index, ...], outer: Formula, local: Formula, given: Mapping[str, Any]) -> Formula:
    body = collapsed(substituted(multiply(outer, local), given)) if given else multiply(outer, local)
    rest = tuple(i for i in over if i.name not in given)
    if not rest:
        return body
    return collapsed(summed(rest, body)) if has_delta(body) else summed(rest, body)


def collected(chain: Chain, result: Element, formed: Mapping[str, str]) -> Formula | None:
    """The worked-out sum with gradients under the names that the code has for them, in the order of a matrix product.

    Args:
        chain: the chain rule for one element.
        result: the result of all.
        formed: the names of gradients, by the names of what they are the gradients of.

    Returns:
        The formula; nothing where the code has no such gradients.
    """
    missing: set[str] = set()

    def named(x: Any) -> Any:
        if isinstance(x, Partial):
            if x.of.name != result.name or x.by.name not in formed:
                missing.add(x.by.name)
                return x
            return Element(formed[x.by.name], x.by.indices)
        return mapped(x, named)

    found = named(chain.worked)
    if missing or found == chain.worked:
        return None
    return add(*(_as_product(term, chain.free) for term in terms_of(found)))


def _as_product(term: Formula, free: Sequence[Index]) -> Formula:
    """``Σ_j W[k,j]·dZ[n,j]`` as ``Σ_j dZ[n,j]·Wᵀ[j,k]``: the sum runs over the last index, then over the first."""
    if not (isinstance(term, Sum) and term.kind == "sum" and len(term.over) == 1 and isinstance(term.body, Multiply)):
        return term
    (over,), factors = term.over, term.body.factors
    if len(factors) != 2 or len(free) > 2 or not all(isinstance(f, Element) for f in factors):
        return term
    for left, right in (factors, factors[::-1]):
        assert isinstance(left, Element)
        assert isinstance(right, Element)
        turned_left = _with_last(left, over)
        turned_right = _with_first(right, over)
        if turned_left is None or turned_right is None:
            continue
        if (*turned_left.indices[:-1], *turned_right.indices[1:]) == tuple(free):
            return Sum(term.over, Multiply((turned_left, turned_right)))
    return term


def _with_last(x: Element, over: Index) -> Element | None:
    if x.indices == (over,) or (len(x.indices) == 2 and x.indices[1] == over != x.indices[0]):
        return x
    if len(x.indices) == 2 and x.indices[0] == over != x.indices[1]:
        return Element(x.name, x.indices[::-1], x.variable, True)
    return None


def _with_first(x: Element, over: Index) -> Element | None:
    if x.indices == (over,) or (len(x.indices) == 2 and x.indices[0] == over != x.indices[1]):
        return x
    if len(x.indices) == 2 and x.indices[1] == over != x.indices[0]:
        return Element(x.name, x.indices[::-1], x.variable, True)
    return None
