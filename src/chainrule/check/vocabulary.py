"""The vocabulary of mistakes: what ``Suspect.kind`` can be, what each word means, and what is said about it."""

from __future__ import annotations

import ast
import string
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from chainrule.check.kinds import activations, constants, linear, structure
from chainrule.check.kinds.kind import Kind
from chainrule.check.verdicts import Suspect
from chainrule.errors import ChainruleError
from chainrule.language import Message, listed, message

__all__ = ["GROUPS", "KINDS", "explanation", "kind_named", "names_text", "place", "same_kind", "suspect"]

KINDS: Mapping[str, Kind] = {
    kind.name: kind for module in (linear, activations, constants, structure) for kind in module.KINDS
}
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(kind.group for kind in KINDS.values()))


@cache
def _words() -> Mapping[str, str]:
    found = {name: name for name in KINDS}
    for kind in KINDS.values():
        found.update((word, kind.name) for word in kind.synonyms)
    return found


def kind_named(word: str) -> Kind:
    """The kind of a word of the vocabulary, or of a synonym of one.

    Raises:
        ChainruleError: where there is no such word.
    """
    name = _words().get(word.strip().lower().replace("-", "_").replace(" ", "_"))
    if name is None:
        raise ChainruleError(
            message(
                "{word} is no kind of mistake in chainrule's vocabulary. Instead: one of {kinds}.",
                word=repr(word),
                kinds=listed(KINDS),
            )
        )
    return KINDS[name]


def same_kind(word: str, other: str) -> bool:
    """Whether two words mean the same kind of mistake, or kinds that are near each other."""
    a, b = kind_named(word), kind_named(other)
    return a.name == b.name or b.name in a.near or a.name in b.near


def place(step: str | None, line: int | None, source: str = "") -> Message:
    """A place in the forward code, as it stands in sentences: its line and number, or as much as is known."""
    text = " ".join(source.split()) or step
    if not text:
        return message("the forward pass")
    if line is None:
        return message("`{source}`", source=text)
    return message("`{source}` (line {line})", source=text, line=line)


def names_text(names: Sequence[str]) -> Message | str:
    """Names in a row: ``W3, B3``."""
    return listed(names)


def _as_code(name: str, value: Any) -> Any:
    """A detail that is an expression, marked as code, which is never broken into lines."""
    if name not in ("factor", "wrong", "right", "operand") or not isinstance(value, str) or "`" in value:
        return value
    try:
        node = ast.parse(value, mode="eval").body
    except (SyntaxError, ValueError):
        return value
    return value if isinstance(node, ast.Name | ast.Constant | ast.Tuple) else f"`{value}`"


def explanation(kind: str, **details: Any) -> Message:
    """What a mistake amounts to, with as many of the details as are known.

    Args:
        kind: a word of the vocabulary.
        details: what fills the gaps, as texts or messages: ``statement`` (see :func:`place`), ``gradients``,
            ``operand``, ``wrong``, ``right``, ``factor``, ``count``, ``axis``, ``condition``, ``error``,
            ``candidate_line``; those that are ``None`` are not known.
    """
    found = kind_named(kind)
    known = {name: _as_code(name, value) for name, value in details.items() if value is not None and value != ""}
    for sentence in found.details:
        gaps = {name for _, name, _, _ in string.Formatter().parse(sentence.template) if name is not None}
        if gaps <= known.keys():
            return Message(sentence.template, {name: known[name] for name in sorted(gaps)})
    return found.meaning


def suspect(
    kind: str,
    *,
    step: str | None = None,
    line: int | None = None,
    source: str = "",
    gradients: Sequence[str] = (),
    fix: str | None = None,
    proof: Message | None = None,
    rank: float = 0.0,
    candidate_line: int | None = None,
    **details: Any,
) -> Suspect:
    """A suspect with its explanation and its hint.

    Args:
        kind: a word of the vocabulary, or a synonym of one.
        step: the name that the forward code assigns where the fault sits.
        line: the line of that statement.
        source: its text.
        gradients: the wrong gradients that it explains.
        fix: the backward line to write instead.
        proof: the relation that was tested, and how well it holds.
        rank: smaller is likelier.
        candidate_line: the line of the candidate where it goes wrong.
        details: what else is known, as for :func:`explanation`.
    """
    found = kind_named(kind)
    known = {
        "statement": place(step, line, source),
        "gradients": names_text(gradients),
        "candidate_line": candidate_line,
        **details,
    }
    return Suspect(
        found.name,
        step,
        line,
        explanation(found.name, **known),
        fix,
        found.hint,
        tuple(gradients),
        candidate_line,
        proof,
        rank,
        source,
    )
