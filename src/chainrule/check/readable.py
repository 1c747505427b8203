"""A report as text, as Markdown, as JSON and as an error; at the level of detail that was chosen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chainrule.check.gradescope import results_of
from chainrule.check.levels import at_level
from chainrule.check.rendering import blocks_of, markdown_of, styled, text_of
from chainrule.check.structured import dictionary_of
from chainrule.check.verdicts import Feedback, GradientVerdict, Suspect
from chainrule.errors import NotJudgedError, WrongGradientError
from chainrule.language import Message

__all__ = ["Readable"]

_WIDEST = 100


class Readable:
    """What can be done with a report."""

    __slots__ = ()

    candidate: str
    forward: str
    ok: bool
    judged: bool
    gradients: Mapping[str, GradientVerdict]
    suspects: tuple[Suspect, ...]
    bound: Message | None
    notes: tuple[Message, ...]
    feedback: Feedback
    remarks: tuple[Message, ...]

    def __str__(self) -> str:
        return text_of(blocks_of(at_level(self)))

    def __repr__(self) -> str:
        # What an interactive session and a failing test show; it gives away no more than the text does.
        return str(self)

    def _repr_markdown_(self) -> str:
        return markdown_of(blocks_of(at_level(self)))

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        yield styled(blocks_of(at_level(self)), min(options.max_width, _WIDEST))

    def to_dict(self) -> dict[str, Any]:
        """The report as dictionaries, lists, texts and numbers; docs/check.md describes them."""
        return dictionary_of(at_level(self))

    def to_json(self, indent: int | None = 2) -> str:
        """The report as JSON; docs/check.md describes it."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def to_gradescope(self) -> str:
        """The report as a ``results.json`` of Gradescope: a test per gradient, with its points."""
        return json.dumps(results_of([at_level(self)]), indent=2, ensure_ascii=False)

    def raise_if_wrong(self) -> None:
        """Do nothing if everything is right.

        Raises:
            WrongGradientError: an ``AssertionError`` with the report, where something is wrong.
            NotJudgedError: where the candidate could not be judged.
        """
        __tracebackhide__ = True
        if not self.judged:
            raise NotJudgedError(str(self))
        if not self.ok:
            raise WrongGradientError(str(self))
