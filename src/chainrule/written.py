"""Source code that was written for somebody: text that can be read, run and saved."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.language import message

__all__ = ["Source"]


class Source:
    """Source code that was written for somebody: text that can be read, run and saved."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._function: Callable[..., Any] | None = None

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._text

    def _repr_markdown_(self) -> str:
        return f"```python\n{self._text}```"

    @property
    def function(self) -> Any:
        """The function or class that the source defines, ready to be called.

        Raises:
            ChainruleError: where the source is lines to paste, which define none.
        """
        if not self._name:
            raise ChainruleError(
                message(
                    "these are lines to paste under the forward lines, and no function. Instead: "
                    'write(..., style="function").function.'
                )
            )
        if self._function is None:
            filename = f"<chainrule {self._name} {abs(hash(self._text))}>"
            namespace: dict[str, Any] = {"__name__": f"chainrule_written_{self._name}"}
            exec(compile(self._text, filename, "exec"), namespace)
            # Tracebacks, and tracing the function again, read its lines from here.
            linecache.cache[filename] = (len(self._text), None, self._text.splitlines(keepends=True), filename)
            self._function = namespace[self._name]
        return self._function

    def save(self, path: str | PathLike[str]) -> None:
        """Write the source to a file."""
        Path(path).write_text(self._text, encoding="utf-8")
