"""The README prints what it says it prints, and the commands it names exist."""

from __future__ import annotations

import re
from pathlib import Path

from docs import guide

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_examples_print_what_stands_below_them():
    assert README.count("```python") >= 2
    assert guide.refreshed(README) == README, "run `python -m docs.guide`"


def test_the_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake ([a-z-]+)", README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert {"demo", "test"} <= targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_the_links_lead_somewhere():
    targets = [target for target in re.findall(r"\]\(([^)#]+)", README) if not target.startswith("http")]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
