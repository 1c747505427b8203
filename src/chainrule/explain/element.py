"""One element through the network: the chain rule for it alone, with its own numbers, down to its gradient.

:func:`story_of_call` and :func:`story_of_followed` give a :class:`Story`: one :class:`ElementSum` per element that
the gradient leads through, from the result back to the element that was asked about.  Each is a line as on paper:

    dW3[2,1] = dZ3[0,1] · A2[0,2] + dZ3[1,1] · A2[1,2] = 0.31 · 0.5 + 0 · 0.2 = 0.155

``rows_of`` gives such lines as plain text, two per sum: with names, and with numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import TreeError
from chainrule.explain.why.hops import factor_reason
from chainrule.explain.why.labels import element_text, first_index, gradient_text, number_text
from chainrule.explain.why.request import question_of, result_asked
from chainrule.explain.why.scene import Scene, scene_of, scene_of_followed
from chainrule.explain.why.stages import Stage, stages_of
from chainrule.explain.why.trails import Index, Leg, children, uses_of
from chainrule.language import Message, message, plural
from chainrule.stretch import Followed

__all__ = ["ElementSum", "Story", "Term", "rows_of", "story_of_call", "story_of_followed"]

_MOST_TERMS, _MOST_SUMS, _FOLLOWED = 6, 24, 4


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the chain rule: the gradient of an element that is computed from this one, times the local derivative.

    Attributes:
        element: the later element: ``Z3[0,1]``.
        gradient: the gradient of the result with respect to it.
        factor: the local derivative of it with respect to this element.
        what: what the local derivative is: "A2[0,2]", "the ReLU is off"; ``None`` where no words are needed.
        named: whether ``what`` is an element, or a product of elements, that can stand in the formula.
        product: what the term adds.
    """

    element: str
    gradient: Any
    factor: Any
    what: Message | None
    named: bool
    product: Any


@dataclass(frozen=True, slots=True)
class ElementSum:
    """The gradient of one element, as the sum of the chain rule.

    Attributes:
        element: ``W3[2,1]``.
        value: its value.
        gradient: the gradient of the result with respect to it.
        terms: the terms, the largest first where there are more than are shown.
        more: how many terms are left out.
        rest: what those add up to.
        source: the statement that computes the later elements.
        line: its line.
    """

    element: str
    value: Any
    gradient: Any
    terms: tuple[Term, ...]
    more: int = 0
    rest: Any = 0.0
    source: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """One element through the network.

    Attributes:
        element: the element that was asked about.
        result: the name of the result.
        value: of the result.
        gradient: of the result with respect to the element.
        sums: from the result back to the element, whose own sum is the last.
        left: how many elements have no sum of their own here, because the terms that lead through them are small.
        notes: what else the reader should know.
    """

    element: str
    result: str
    value: Any
    gradient: Any
    sums: tuple[ElementSum, ...]
    left: int = 0
    notes: tuple[Message, ...] = ()


def story_of_call(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    element: str,
    result: int | str | None = None,
    *,
    most_terms: int = _MOST_TERMS,
    grad_output: Any = None,
) -> Story:
    """The story of one element in a call of a function.

    Args:
        f: the function.
        args: its arguments.
        kwargs: its keyword arguments.
        element: which one: ``"W3[2,1]"``.
        result: what is differentiated, as for :func:`chainrule.why`.
        most_terms: how many terms of a sum are shown.
        grad_output: the gradient with which it begins, where the result is an array; random if not given.

    Raises:
        ChainruleError: where something cannot be followed, or there is no such element.
    """
    return _story(scene_of(f, args, kwargs, *result_asked(result), grad_output), element, most_terms)


def story_of_followed(followed: Followed, element: str, *, most_terms: int = _MOST_TERMS) -> Story:
    """The same for a script's result, or a function's of a file, that has been followed."""
    return _story(scene_of_followed(followed), element, most_terms)


def _story(scene: Scene, text: str, most_terms: int) -> Story:
    question = question_of(scene, text)
    if scene.is_complex:
        raise TreeError(
            message(
                "complex numbers lie between {element} and {result}: one element is followed through real ones.",
                element=text,
                result=scene.title,
            )
        )
    if not question.single:
        shape = scene.shape(question.number)
        raise TreeError(
            message(
                "{array} is an array of shape {shape}: name one element of it, such as {example}.",
                array=text,
                shape=shape,
                example=f"{text}{[0] * len(shape)}",
            )
        )
    index = first_index(question.mask)
    uses = uses_of(stages_of(scene))
    pending: list[tuple[int, Index]] = [(question.number, index)]
    seen = {pending[0]}
    sums: list[tuple[int, Index, ElementSum]] = []
    left = 0
    while pending:
        v, at = pending.pop(0)
        if v == scene.result:
            continue
        if len(sums) >= _MOST_SUMS:
            left += 1
            continue
        found, onwards = _sum(scene, uses, v, at, most_terms)
        sums.append((v, at, found))
        for following in onwards:
            if following not in seen:
                seen.add(following)
                pending.append(following)
    sums.sort(key=lambda s: (-s[0], s[1]))
    return Story(
        element_text(scene.labels[question.number], index),
        scene.title,
        scene.values[scene.result],
        scene.gradient(question.number)[index],
        tuple(s for _, _, s in sums),
        left,
        (*question.notes, *scene.notes),
    )


def _sum(
    scene: Scene, uses: Mapping[int, list[Stage]], v: int, index: Index, most: int
) -> tuple[ElementSum, list[tuple[int, Index]]]:
    """The sum of one element, and the elements that its terms lead to."""
    found: list[tuple[Leg, list[Leg], Any]] = []
    for stage in uses.get(v, []):
        for end, at, factor in children(stage, v, index):
            if end in scene.cotangents:
                legs = _onwards(scene, uses, Leg(stage, v, index, end, at, factor))
                found.append((legs[-1], legs, _product(legs)))

    def weight(entry: tuple[Leg, list[Leg], Any]) -> float:
        last, _, factor = entry
        size = abs(_times(scene.gradient(last.end)[last.end_index], factor))
        return float(size) if np.isfinite(size) else np.inf

    shown = found if len(found) <= most else sorted(found, key=weight, reverse=True)[:most]
    terms = []
    for last, legs, factor in shown:
        gradient = scene.gradient(last.end)[last.end_index]
        telling = next((leg for leg in legs if leg.factor != 1), last)
        what = factor_reason(scene, telling, True) if factor != 1 else None
        named = telling.stage.family == "bilinear" or telling.stage.name == "multiply"
        name = element_text(scene.labels[last.end], last.end_index)
        terms.append(Term(name, gradient, factor, what, named and what is not None, _times(gradient, factor)))
    # Where all of them are 0, two show how.
    ends = [(leg.end, leg.end_index) for leg, _, _ in shown]
    heavy = sorted((k for k, term in enumerate(terms) if term.product != 0), key=lambda k: -weight(shown[k]))
    onwards = [ends[k] for k in heavy[:_FOLLOWED]] or ends[:2]
    kept = {id(entry) for entry in shown}
    rest = sum(_times(scene.gradient(e[0].end)[e[0].end_index], e[2]) for e in found if id(e) not in kept)
    first = shown[0][0] if shown else None
    return ElementSum(
        element_text(scene.labels[v], index),
        np.asarray(scene.values[v])[index],
        scene.gradient(v)[index],
        tuple(terms),
        len(found) - len(shown),
        rest,
        "" if first is None else scene.source(first.end),
        None if first is None else scene.line(first.end),
    ), onwards


def _onwards(scene: Scene, uses: Mapping[int, list[Stage]], leg: Leg) -> list[Leg]:
    """A leg, and those behind it as far as they lead from one element without a name to one other."""
    legs = [leg]
    while legs[-1].end not in scene.named:
        last = legs[-1]
        following = [
            Leg(stage, last.end, last.end_index, end, at, factor)
            for stage in uses.get(last.end, [])
            for end, at, factor in children(stage, last.end, last.end_index)
            if end in scene.cotangents
        ]
        telling = [x for x in legs if x.factor != 1]
        if len(following) != 1 or (telling and following[0].factor != 1):
            break
        legs.append(following[0])
    return legs


def _product(legs: Sequence[Leg]) -> Any:
    product: Any = legs[-1].factor
    with np.errstate(all="ignore"):
        for leg in reversed(legs[:-1]):
            product = _times(product, leg.factor)
    return product


def _times(gradient: Any, factor: Any) -> Any:
    """A product in which nothing comes of a gradient of 0, whatever the factor is."""
    with np.errstate(all="ignore"):
        return gradient * factor if gradient != 0 else gradient


def rows_of(story: Story) -> list[tuple[str, str]]:
    """Per sum a line with names and one with numbers: ``dW3[2,1] = dZ3[0,1] · A2[0,2]``, ``= 0.31 · 0.5 = 0.155``."""
    return [(_named(s), _numbered(s)) for s in story.sums]


def _named(s: ElementSum) -> str:
    parts = []
    for term in s.terms:
        factor = str(term.what) if term.named else f"∂{term.element}/∂{s.element}"
        gradient = gradient_text(term.element)
        parts.append(gradient if term.factor == 1 and not term.named else f"{gradient} · {factor}")
    return f"{gradient_text(s.element)} = {' + '.join([*parts, *_more(s)]) or '0'}"


def _numbered(s: ElementSum) -> str:
    parts = []
    for term in s.terms:
        gradient, factor = (
            f"({t})" if t.startswith("-") else t for t in map(number_text, (term.gradient, term.factor))
        )
        parts.append(gradient if term.factor == 1 and not term.named else f"{gradient} · {factor}")
    more = [f"({t})" if t.startswith("-") else t for t in [number_text(s.rest)] if s.more]
    total = number_text(s.gradient)
    whole = " + ".join([*parts, *more])
    return f"= {total}" if whole in ("", total, f"({total})") else f"= {whole} = {total}"


def _more(s: ElementSum) -> list[str]:
    return [str(plural("… {count} more term", "… {count} more terms", s.more))] if s.more else []
