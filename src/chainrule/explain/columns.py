"""Text in columns: how wide it is on a screen, and where it may be broken, in every language."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["padded", "wide", "wrapped"]

# What no line may begin with, and what none may end with, in Chinese and Japanese.
_CLOSING = frozenset("、。，．：；！？）」』】〉》”’…,.:;!?)]}")
_OPENING = frozenset("（「『【〈《“‘")


def wide(text: str) -> int:
    """How many columns a text takes: Chinese and Japanese characters take two."""
    total = 0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
            continue
        total += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return total


def padded(text: str, width: int) -> str:
    """A text with blanks up to a width."""
    return text + " " * (width - wide(text))


def wrapped(text: str, width: int) -> list[str]:
    """A text broken at blanks, and between characters of languages that write none."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and wide(line) + wide(piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()] if line.strip() else lines or [""]


def _pieces(text: str) -> list[str]:
    """The shortest parts that stay together."""
    found: list[str] = []
    for word in re.findall(r"\S+\s*", text):
        if any(unicodedata.east_asian_width(c) in "WF" for c in word):
            for piece in re.findall(r"[ -ɏ]+|.", word):
                joined = found and not found[-1].endswith(" ") and (piece[0] in _CLOSING or found[-1][-1] in _OPENING)
                if joined:
                    found[-1] += piece
                else:
                    found.append(piece)
        else:
            found.append(word)
    return found
