"""Runs the examples of the pages listed below and writes what they print under each: ``python -m docs.guide``.

Each block marked ``python`` is run as a file of its own, all of them on the same variables; a block marked
``text`` after it holds what it printed.  ``tests/test_docs.py`` fails where the page shows anything else.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import re
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
PAGES = [
    _FOLDER.parent / "README.md",
    _FOLDER / "guide.md",
    _FOLDER / "write.md",
    _FOLDER / "layers.md",
    _FOLDER / "check.md",
    _FOLDER / "why.md",
]
_EXAMPLE = re.compile(r"```python\n(?P<source>.*?)```\n(?P<printed>\n```text\n.*?```\n)?", re.DOTALL)


def refreshed(text: str) -> str:
    """The page with what its examples really print."""
    variables: dict[str, Any] = {"__name__": "guide"}
    count = 0

    def run(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        source, filename = match["source"], f"example{count}.py"
        # So that tracebacks, and chainrule itself, find the source.
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, filename, "exec"), variables)
        block = f"```python\n{source}```\n"
        return f"{block}\n```text\n{printed.getvalue()}```\n" if printed.getvalue() else block

    return _EXAMPLE.sub(run, text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(refreshed(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"wrote {page}")
