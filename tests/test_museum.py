"""The museum is itself checked, by differences and without ``check``: what is said of an exhibit is true."""

from __future__ import annotations

import numpy as np
import pytest

from tests.museum import held_out
from tests.museum.exhibit import answer_of, cotangent_for, differences, is_wrong
from tests.museum.rooms import EXHIBITS, RIGHT, WRONG
from tests.museum.scripts import SCRIPTS

ALL = EXHIBITS | {exhibit.name: exhibit for exhibit in held_out.room.exhibits}
_known = {}


def _differences(exhibit, cotangent):
    """Many exhibits share a forward function and its arguments, and differences take time."""
    key = (exhibit.forward, id(exhibit.args), exhibit.wrt)
    if key not in _known:
        _known[key] = differences(exhibit, exhibit.args, cotangent)
    return _known[key]


@pytest.mark.parametrize("name", ALL)
def test_what_is_said_of_an_exhibit_is_true(name):
    exhibit = ALL[name]
    cotangent = cotangent_for(exhibit, exhibit.args)
    exact = _differences(exhibit, cotangent)
    assert all(np.isfinite(gradient).all() for gradient in exact.values())
    with np.errstate(all="ignore"):
        try:
            found = answer_of(exhibit, exhibit.args, cotangent)
            wrong = {n for n in exhibit.wrt if is_wrong(found.get(n), exact[n])}
        except (ValueError, IndexError):  # the shapes do not fit, which is what is wrong
            assert exhibit.kinds
            wrong = set(exhibit.wrt)
    assert wrong == set(exhibit.wrong)
    assert bool(exhibit.kinds) == bool(wrong or exhibit.shown)
    if exhibit.shown is not None:
        assert exhibit.shown(exhibit)


def test_the_museum_is_large():
    assert len(WRONG) >= 150
    assert len(RIGHT) >= 40


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_what_is_said_of_a_script_is_true(script):
    given, exact = script.computed()
    assert {n for n in exact if is_wrong(given[n], exact[n])} == set(script.wrong)
    assert bool(script.kinds) == bool(script.wrong)
