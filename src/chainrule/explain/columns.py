"""Text in columns: how wide it is on a screen, and where it may be broken, in every language."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["fitting", "padded", "wide", "wrapped"]

# Code between backticks is a part of its word, with its blanks; no line is broken at a no-break space, as in French.
_WORD = re.compile(r"(?:`[^`]*`|[\S\u00a0\u202f])+\s*")
# What no line may begin with, and what none may end with, in Chinese and Japanese.
_STOPS = "、。，．：；！？"
_CLOSING = "）」』】〉》”’…"
_MARKS = _STOPS + _CLOSING
_SMALL = "・ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
_ASCII = r",.:;!?)\]}"
_SIGN = re.compile(rf"[（「『【〈《“‘(\[{{]*(?:[ -ɏ]+|.)[{_MARKS}{_SMALL}{_ASCII}]*")
# A phrase of Japanese ends with its particles or its ending, which are written in hiragana, or with a stop.
_KANA = re.compile("[ぁ-ん]")
# What the first of two joined verbs ends with, mostly.
_STEMS = "しきりみびちぎえけせめれべ"
_PHRASE = re.compile(
    rf"(?:`[^`]*`|[^ぁ-ん{_MARKS}])*(?:[ぁ-ん{_CLOSING}]|[{_STOPS}](?=[{_MARKS}]))*[{_STOPS}]?"
    rf"(?:(?<=[ぁ-ん{_MARKS}])[{_ASCII}]+)?\s*"
)


def wide(text: str) -> int:
    """How many columns a text takes: Chinese and Japanese characters take two."""
    if text.isascii():
        return len(text)
    total = 0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
            continue
        total += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return total


def fitting(text: str, width: int) -> int:
    """How many of its first characters take no more columns than there are."""
    taken = 0
    for place, character in enumerate(text):
        taken += wide(character)
        if taken > width:
            return place
    return len(text)


def padded(text: str, width: int) -> str:
    """A text with blanks up to a width."""
    return text + " " * (width - wide(text))


def wrapped(text: str, width: int) -> list[str]:
    """A text broken at blanks, and where languages that write none allow it: in Japanese, between phrases."""
    lines, line = [], ""
    for piece in _pieces(text, width):
        if line and wide(line) + wide(piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()] if line.strip() else lines or [""]


def _pieces(text: str, width: int) -> list[str]:
    """The shortest parts that stay together."""
    japanese = _KANA.search(text) is not None
    found: list[str] = []
    for word in _WORD.findall(text):
        if all(unicodedata.east_asian_width(c) not in "WF" for c in word):
            found.append(word)
        elif not japanese:
            found += _SIGN.findall(word)
        else:
            for phrase in filter(None, _PHRASE.findall(word)):
                if found and _stays(found[-1], phrase):
                    found[-1] += phrase
                else:
                    found.append(phrase)
    return [part for piece in found for part in ([piece] if wide(piece.rstrip()) <= width else _SIGN.findall(piece))]


def _stays(before: str, phrase: str) -> bool:
    """Whether a phrase of Japanese stays with what is before it."""
    if before[-1] == " ":  # as particles do with code, and counters with a number
        return _KANA.match(phrase) is not None or before.rstrip()[-1:].isdigit()
    return before[-1] in _STEMS
