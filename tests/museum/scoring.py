"""What ``check`` says of an exhibit, compared with what is known about it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import chainrule as cr
from chainrule.check.adapters.script_traces import traced_script
from chainrule.check.adapters.scripts import ScriptCandidate
from chainrule.check.checking import judge
from chainrule.check.report import Report
from chainrule.check.vocabulary import kind_named
from chainrule.errors import ChainruleError
from tests.museum.exhibit import Exhibit
from tests.museum.rooms import EXHIBITS
from tests.museum.scripts import SCRIPTS, Script

Kinds = Sequence[frozenset[str]]

__all__ = ["Score", "judged", "judged_script", "not_named", "score", "score_script"]


@dataclass(frozen=True)
class Score:
    """How well an exhibit was judged.

    Attributes:
        found: whether the verdict is what it has to be, gradient by gradient.
        first: whether the likeliest suspect is what is wrong; of several faults, any of them.
        named: whether each fault is among the first suspects, as many as are read (three, and one for each fault more).
        placed: whether each is at the step where it sits.
    """

    found: bool
    first: bool
    named: bool
    placed: bool


def judged(exhibit: Exhibit, seed: int = 0) -> Report:
    """The report of ``check`` on an exhibit."""
    args = {k: v.copy() if hasattr(v, "copy") else v for k, v in exhibit.args.items()}
    return cr.check(exhibit.candidate, exhibit.forward, args, exhibit.asked(), seed=seed)


def judged_script(script: Script, folder: Path) -> Report:
    """The report of ``check`` on a script."""
    path = folder / "post.py"
    path.write_text(script.text, encoding="utf-8")
    candidate = ScriptCandidate(traced_script(str(path), script.of, None))
    return judge(candidate, candidate.forward, candidate.args)


def score(exhibit: Exhibit, report: Report) -> Score:
    """Compare a report with what is known about the exhibit."""
    wrong = None if exhibit.shown is not None else exhibit.wrong
    return _compared(report, exhibit.kinds, exhibit.steps or ((),) * len(exhibit.kinds), wrong)


def score_script(script: Script, report: Report) -> Score:
    """Compare a report with what is known about a script."""
    kinds, steps = ((script.kinds,), (script.steps,)) if script.kinds else ((), ())
    return _compared(report, kinds, steps, script.wrong)


def _compared(report: Report, kinds: Kinds, steps: Sequence[Sequence[str]], expected: Sequence[str] | None) -> Score:
    wrong = {name for name, verdict in report.gradients.items() if not verdict.ok}
    found = report.judged and report.ok == (not kinds) and (expected is None or wrong == set(expected))
    seen = report.suspects[: 2 + max(1, len(kinds))]
    first = bool(seen) and any(_is(seen[0], words) for words in kinds)
    named = all(any(_is(suspect, words) for suspect in seen) for words in kinds)
    placed = all(
        any(_is(suspect, words) and (not places or suspect.step in places) for suspect in seen)
        for words, places in zip(kinds, steps, strict=True)
    )
    return Score(found, first, named, placed)


def _is(suspect: Any, kinds: frozenset[str]) -> bool:
    return suspect.kind in kinds or _name(suspect.kind) in {_name(kind) for kind in kinds}


def _name(word: str) -> str:
    try:
        return kind_named(word).name
    except ChainruleError:
        return word


# ---- the table of what is not named yet
TABLE = Path(__file__).with_name("not_named.txt")
_HEAD = """\
# The exhibits whose mistake is found, and not yet named at its place: what was said, and what should have been.
# Written by `python -m tests.museum.scoring --write`; a test fails where one of them is named and still stands here.
"""


def not_named() -> dict[str, str]:
    """The exhibits that are not named yet, with what was said of them."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split(": ", 1) for line in lines)


def _line(name: str, report: Report, kinds: Kinds, steps: Sequence[Sequence[str]]) -> str:
    said = ", ".join(f"{s.kind} at {s.step}" if s.step else s.kind for s in report.suspects[:3]) or "nothing"
    wanted = " and ".join(
        "/".join(sorted(words)[:3]) + (f" at {'/'.join(places[:3])}" if places else "")
        for words, places in zip(kinds, steps, strict=True)
    )
    return f"{name}: said {said}; wanted {wanted}"


def _judged_all(rooms: Sequence[str]) -> Iterator[tuple[str, Report, Score, Kinds, Sequence[Sequence[str]]]]:
    for exhibit in EXHIBITS.values():
        if not rooms or exhibit.name.partition("/")[0] in rooms:
            try:
                report = judged(exhibit)
            except Exception as error:
                report = Report(exhibit.name, "", False, judged=False)
                print(f"CRASH {exhibit.name}: {error!r}")
            yield exhibit.name, report, score(exhibit, report), exhibit.kinds, exhibit.steps
    if not rooms or "scripts" in rooms:
        with TemporaryDirectory() as folder:
            for script in SCRIPTS:
                report = judged_script(script, Path(folder))
                faults = ((script.kinds,), (script.steps,)) if script.kinds else ((), ())
                yield f"scripts/{script.name}", report, score_script(script, report), *faults


def main(rooms: Sequence[str], write: bool) -> None:
    """Judge the museum, and print how well each room is judged; write the table anew if asked to."""
    lines: list[str] = []
    counts: dict[str, Counter[str]] = {}
    for name, report, result, kinds, steps in _judged_all(rooms):
        room = counts.setdefault(name.partition("/")[0], Counter())
        if not kinds:
            room.update(right=1, alarms=not result.found)
        else:
            room.update(wrong=1, found=result.found, named=result.named, placed=result.placed, first=result.first)
        if not result.found:
            print(f"{'MISSED' if kinds else 'FALSE ALARM'} {name}", flush=True)
        if not (result.named and result.placed):
            lines.append(_line(name, report, kinds, steps))
            print(f"  {lines[-1]}", flush=True)
    for room, found in counts.items():
        print(room, dict(found))
    print("all", dict(sum(counts.values(), Counter())))
    if write and not rooms:
        TABLE.write_text(_HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main([a for a in sys.argv[1:] if not a.startswith("-")], "--write" in sys.argv)
