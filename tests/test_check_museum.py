"""What ``check`` says of the museum: each wrong one is found, named and placed; no right one is called wrong.

``CHAINRULE_ALL_SEEDS=1`` judges every exhibit, and the right ones with twenty seeds each, not a part of them.
"""

from __future__ import annotations

import os

import pytest

from tests.museum import held_out
from tests.museum.rooms import RIGHT, WRONG
from tests.museum.scoring import judged, judged_script, not_named, score, score_script
from tests.museum.scripts import SCRIPTS

ALL = bool(os.environ.get("CHAINRULE_ALL_SEEDS"))
# The search for a mistake in many turns of a loop takes seconds; a part of the rest is enough for every day.
QUICK = [name for name in WRONG if not name.startswith(("convolution/", "recurrence/"))]
CHOSEN = list(WRONG) if ALL else QUICK[::11]
SEEDS = range(20) if ALL else range(1)
NOT_NAMED = not_named()
HELD_OUT = {exhibit.name: exhibit for exhibit in held_out.room.exhibits if not exhibit.kinds}


@pytest.mark.parametrize("name", CHOSEN)
def test_a_mistake_is_found_and_named(name):
    exhibit = WRONG[name]
    report = judged(exhibit)
    _assert_good(name, report, score(exhibit, report))


@pytest.mark.parametrize("script", SCRIPTS[:: 1 if ALL else 3], ids=lambda script: script.name)
def test_a_script(script, tmp_path):
    report = judged_script(script, tmp_path)
    _assert_good(f"scripts/{script.name}", report, score_script(script, report))


def _assert_good(name, report, result):
    assert result.found, report
    good = result.named and result.placed
    if name in NOT_NAMED:
        assert not good, f"{name} is named now: run `python -m tests.museum.scoring --write`"
    else:
        assert good, f"{report}\n{[(s.kind, s.step) for s in report.suspects]}"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [*RIGHT, *HELD_OUT])
def test_no_false_alarm(name, seed):
    report = judged((RIGHT | HELD_OUT)[name], seed)
    assert report.ok, report
    assert report.judged


def test_the_table_holds_exhibits():
    assert set(NOT_NAMED) <= {*WRONG, *(f"scripts/{script.name}" for script in SCRIPTS)}
