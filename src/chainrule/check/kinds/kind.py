"""What is known about one kind of mistake."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.language import Message

__all__ = ["COMMON", "RARE", "SEEN", "VERY_COMMON", "Kind"]

VERY_COMMON, COMMON, SEEN, RARE = 3, 2, 1, 0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of mistake in a backward pass.

    Attributes:
        name: the word for it: ``missing_transpose``.
        group: what it is about: ``"matrix product"``.
        meaning: what went wrong, in one sentence without gaps.
        hint: a question that leads there and does not answer itself.
        relation: how it is proved; ``rule`` is the exact backward pass with one edit.
        often: how often it is met: ``VERY_COMMON``, ``COMMON``, ``SEEN`` or ``RARE``.
        details: the same sentence with gaps, the fullest first; the first one whose gaps can all be filled is used.
        near: other kinds that describe nearly the same, or the same seen from another side.
        synonyms: other words for it, which are no kinds of their own.
        convention: whether it is another choice and no mistake.
    """

    name: str
    group: str
    meaning: Message
    hint: Message
    relation: str
    often: int = SEEN
    details: tuple[Message, ...] = ()
    near: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    convention: bool = False
