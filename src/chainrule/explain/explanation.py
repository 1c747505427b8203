"""An explanation: a derivation that can be read as text, as a page, as Markdown and in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from os import PathLike
from pathlib import Path

from chainrule.errors import ChainruleError
from chainrule.explain.derivation import Derivation
from chainrule.explain.element import Story
from chainrule.explain.following import story_html, story_lines, story_markdown
from chainrule.explain.html.page import page
from chainrule.explain.markdown import markdown
from chainrule.explain.outline import DEPTHS, Depth, title
from chainrule.explain.terminal import Styled, derivation_lines, plain
from chainrule.language import in_language, language_named, listed, message

__all__ = ["Explanation"]


@dataclass(frozen=True, eq=False)
class Explanation:
    """How gradients are found, step by step.

    ``print`` shows it as text; a notebook shows it as a page.

    Attributes:
        derivation: the steps as records.
        depth: how much is said: ``"brief"``, ``"default"`` or ``"full"``.
        language: ``"en"``, ``"fr"``, ``"ja"`` or ``"zh"``; the locale's if ``None``.
        story_of: what follows an element that is named.
        story: an element that is followed.
    """

    derivation: Derivation
    depth: Depth = "default"
    language: str | None = None
    story_of: Callable[[str], Story] | None = None
    story: Story | None = None

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise ChainruleError(
                message(
                    "{depth}: an explanation is one of {depths}.",
                    depth=f"depth={self.depth!r}",
                    depths=listed(map(repr, DEPTHS)),
                )
            )
        if self.language is not None:
            language_named(self.language)

    # ---- the same, said otherwise
    def brief(self) -> Explanation:
        """The same in one line per gradient."""
        return replace(self, depth="brief")

    def full(self) -> Explanation:
        """The same with every number."""
        return replace(self, depth="full")

    def in_language(self, language: str) -> Explanation:
        """The same in another language: ``"en"``, ``"fr"``, ``"ja"`` or ``"zh"``."""
        return replace(self, language=language)

    def element(self, name: str) -> Explanation:
        """The same for one element: ``explanation.element("W3[2,1]")`` follows it through the network.

        Raises:
            ChainruleError: where there is no such element.
        """
        if self.story_of is None:
            raise ChainruleError(
                message("this explanation was put together without a function: no element can be followed.")
            )
        return replace(self, story=self.story_of(name))

    # ---- renderings
    def lines(self, width: int = 80) -> list[Styled]:
        """The lines for a terminal, as pieces of text with styles."""
        with self._spoken():
            if self.story is not None:
                return story_lines(self.story, width)
            return derivation_lines(self.derivation, self.depth, width)

    def text(self, width: int = 80) -> str:
        """The text for a terminal, without colours."""
        return plain(self.lines(width))

    def markdown(self) -> str:
        """Markdown with LaTeX."""
        with self._spoken():
            if self.story is not None:
                return story_markdown(self.story)
            return markdown(self.derivation, self.depth)

    def html(self) -> str:
        """A page that needs nothing but a browser."""
        with self._spoken():
            return page(self.derivation, self.depth, "" if self.story is None else story_html(self.story))

    def save(self, path: str | PathLike[str]) -> None:
        """Write a page, Markdown or text, by the ending of the name: ``.html``, ``.md`` or ``.txt``."""
        ending = Path(path).suffix.lower()
        writers = {".html": self.html, ".htm": self.html, ".md": self.markdown, ".txt": self.text}
        if ending not in writers:
            raise ChainruleError(
                message(
                    "an explanation cannot be saved as {file}. Instead: end the name in .html, .md or .txt.",
                    file=Path(path).name,
                )
            )
        Path(path).write_text(writers[ending](), encoding="utf-8")

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        # A frame of its own: the page's style and script do not meet those of the notebook.
        with self._spoken():
            heading = str(title(self.derivation))
        return (
            f'<iframe title="{escape(heading)}" srcdoc="{escape(self.html())}" loading="lazy" '
            'style="width:100%;height:760px;border:1px solid #8888;border-radius:8px"></iframe>'
            # Where a notebook is not trusted, frames and styles are taken out: what is left is the text.
            f'<style>.chainrule-text{{display:none}}</style><pre class="chainrule-text">{escape(self.text())}</pre>'
        )

    def _repr_markdown_(self) -> str:
        return self.markdown()

    @contextmanager
    def _spoken(self) -> Iterator[None]:
        """Read messages in the explanation's language; in that of the moment where it has none."""
        if self.language is None:
            yield
        else:
            with in_language(self.language):
                yield
