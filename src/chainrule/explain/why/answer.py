"""The answer as an object: text, JSON, a page in a notebook."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.explain.why.page import page_of
from chainrule.explain.why.record import Why
from chainrule.explain.why.text import text_of
from chainrule.language import Message

__all__ = ["Answer"]


class Answer:
    """Why a gradient is what it is: ``str`` is the text, and in a notebook it shows as a page.

    Attributes:
        record: what it says, as a record.
    """

    def __init__(self, record: Why) -> None:
        self.record = record

    def __str__(self) -> str:
        return text_of(self.record)

    def __repr__(self) -> str:
        return text_of(self.record)

    def text(self, width: int = 80) -> str:
        """The text, with lines of at most this width where they can be broken."""
        return text_of(self.record, width)

    def html(self) -> str:
        """The same as HTML."""
        return page_of(self.record)

    _repr_html_ = html

    def to_dict(self) -> dict[str, Any]:
        """The record as dictionaries, lists, texts and numbers; what JSON has no number for as text."""
        found: dict[str, Any] = _plain(self.record)
        return found

    def to_json(self, indent: int | None = 2) -> str:
        """The record as JSON."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)


def _plain(x: Any) -> Any:
    if isinstance(x, Message):
        return str(x)
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return {f.name: _plain(getattr(x, f.name)) for f in dataclasses.fields(x)}
    if isinstance(x, Mapping):
        return {str(k): _plain(v) for k, v in x.items()}
    if isinstance(x, np.ndarray | np.generic):
        return _plain(x.tolist())
    if isinstance(x, tuple | list):
        return [_plain(e) for e in x]
    if isinstance(x, complex):
        return [_plain(x.real), _plain(x.imag)]
    if isinstance(x, float) and not np.isfinite(x):
        return str(x)
    return x
