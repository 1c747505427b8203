"""The language of messages: what ``explain`` and ``check`` say is looked up in gettext catalogues when it is read.

A :class:`Message` holds the English sentence and what stands in its gaps, and becomes text in the language of the
moment.  So a report is made once and can be read in each of the four languages.
"""

from __future__ import annotations

import gettext
import locale
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from string import Formatter
from typing import Any
from unicodedata import east_asian_width

from chainrule.errors import ChainruleError

__all__ = [
    "LANGUAGES",
    "Message",
    "current_language",
    "in_language",
    "language_named",
    "listed",
    "message",
    "plural",
    "stated",
]

LANGUAGES = ("en", "fr", "ja", "zh")
_FOLDER = os.path.join(os.path.dirname(__file__), "locale")  # pathlib would be loaded with every import of chainrule
_DOMAIN = "chainrule"
_current: ContextVar[str | None] = ContextVar("chainrule_language", default=None)


# Languages that put blanks around code and numbers, and none between their own characters.
_WITHOUT_BLANKS = ("ja", "zh")
_formatter = Formatter()


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence that is put into a language when it is read.

    Attributes:
        template: the English sentence, with ``{name}`` for each gap; what the catalogues are searched for.
        values: what stands in the gaps; messages among them are put into the same language.
        plural_template: the sentence for several things.
        count: how many things there are, where there is a sentence for several.
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    plural_template: str | None = None
    count: int = 1

    def __str__(self) -> str:
        language = current_language()
        catalogue = _catalogue(language)
        if self.plural_template is None:
            template = catalogue.gettext(self.template)
        else:
            template = catalogue.ngettext(self.template, self.plural_template, self.count)
        if language in _WITHOUT_BLANKS:
            return _fitted(template, self.values)
        return template.format(**self.values)

    def text(self, language: str) -> str:
        """The sentence in a language."""
        with in_language(language):
            return str(self)


def _fitted(template: str, values: Mapping[str, Any]) -> str:
    """A template with its gaps filled, less the blanks around a gap that turn out to stand between wide characters.

    ``在 {statement} 处`` needs its blanks around code, and none where the statement ends with ``（第 3 行）``.
    """
    text = ""
    filled = False
    for literal, name, specification, conversion in _formatter.parse(template):
        if filled and literal.startswith(" ") and _is_wide(text[-1:]) and _is_wide(literal[1:2]):
            literal = literal[1:]
        text += literal
        filled = name is not None
        if name is not None:
            value = _formatter.convert_field(_formatter.get_field(name, (), values)[0], conversion)
            words = str(_formatter.format_field(value, specification or ""))
            if text.endswith(" ") and _is_wide(text[-2:-1]) and _is_wide(words[:1]):
                text = text[:-1]
            text += words
    return text


def _is_wide(character: str) -> bool:
    return character != "" and east_asian_width(character) in "WF"


def message(template: str, /, **values: Any) -> Message:
    """A sentence with gaps, and what stands in them: ``message("line {line} is right", line=3)``.

    The template must be a literal, so that it is found by what collects the catalogues.
    """
    return Message(template, values)


def plural(one: str, several: str, count: int, /, **values: Any) -> Message:
    """A sentence about one thing or several: ``plural("{count} gradient", "{count} gradients", 2)``."""
    return Message(one, {"count": count, **values}, several, count)


def listed(parts: Iterable[Message | str]) -> Message | str:
    """Things in a row, with what the language writes between them: ``W3, B3``."""
    found = list(parts)
    while len(found) > 1:  # in pairs, and these in pairs: a long list is no deep tree
        last = found[len(found) // 2 * 2 :]
        pairs = zip(found[::2], found[1::2], strict=False)
        found = [*(message("{some}, {other}", some=some, other=other) for some, other in pairs), *last]
    return found[0] if found else ""


def stated(error: BaseException) -> Message | str:
    """What an error says: the message that it was raised with, if it was, and else its text."""
    held = error.args[0] if len(error.args) == 1 else None
    return held if isinstance(held, Message) else str(error)


def current_language() -> str:
    """The language in which messages are read: the one chosen by :func:`in_language`, or the locale's."""
    return _current.get() or _of_locale()


@contextmanager
def in_language(language: str | None) -> Iterator[None]:
    """Read messages in a language; in that of the locale if ``None``.

    Raises:
        ChainruleError: where there are no messages in that language.
    """
    token = _current.set(_of_locale() if language is None else language_named(language))
    try:
        yield
    finally:
        _current.reset(token)


def language_named(name: str) -> str:
    """The language of a name such as ``fr``, ``fr_CA.UTF-8`` or ``zh-Hans``.

    Raises:
        ChainruleError: where there are no messages in that language.
    """
    short = name.replace("-", "_").partition(".")[0].partition("_")[0].lower()
    if short not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        text = message(
            "there are no messages in the language {name}; there are: {known}.", name=repr(name), known=known
        )
        raise ChainruleError(text)
    return short


def _of_locale() -> str:
    names = [os.environ.get(name) for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")]
    chosen = next((name for name in names if name), None) or locale.getlocale()[0] or "en"
    try:
        return language_named(chosen.partition(":")[0])
    except ChainruleError:
        return "en"


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation(_DOMAIN, _FOLDER, [language], fallback=True)
