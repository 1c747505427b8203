"""Writes what the commands and examples of ``explain.md`` print: ``python -m docs.explanations``."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from docs.guide import refreshed

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).with_name("explain.md")


def with_output(page: str) -> str:
    """The page with what its commands really print."""
    environment = {**os.environ, "LANGUAGE": "en", "PYTHONIOENCODING": "utf-8"}
    environment.pop("COLUMNS", None)

    def printed(match: re.Match[str]) -> str:
        command = [sys.executable, "-m", "chainrule", *shlex.split(match[1])[1:]]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, cwd=ROOT, check=False)
        return f"```console\n$ {match[1]}\n{done.stdout}{done.stderr}```\n"

    return re.sub(r"```console\n\$ (chainrule .*)\n(?:.*\n)*?```\n", printed, page)


if __name__ == "__main__":
    os.environ["LANGUAGE"] = "en"
    PAGE.write_text(with_output(refreshed(PAGE.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"wrote {PAGE}")
