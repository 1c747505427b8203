"""A candidate with a line replaced is made anew without running anything of its file again."""

from __future__ import annotations

import gc
import linecache

from chainrule.check.adapters.replacing import with_lines

_registered = []


def _register(function):
    _registered.append(function)
    return function


def _candidate_within(factor):
    @_register
    def backward(x, g=2.0):
        y = g * factor
        return y

    backward.__name__ = "renamed"
    return backward


def test_decorators_are_not_run_again_and_closures_and_defaults_are_kept():
    candidate = _candidate_within(3)
    count = len(_registered)
    line = candidate.__code__.co_firstlineno + 2
    made = with_lines(candidate, line, line, "y = g + factor")
    assert (made(0), candidate(0)) == (5.0, 6.0)
    assert made.__name__ == "renamed"
    assert len(_registered) == count


def test_what_reads_a_variable_that_the_function_does_not_hold_is_looked_up_among_globals():
    candidate = _candidate_within(3)
    line = candidate.__code__.co_firstlineno + 2
    assert with_lines(candidate, line, line, "y = g + len(_registered)")(0) == 2.0 + len(_registered)


def test_the_lines_of_what_was_tried_are_kept_no_longer_than_it_is():
    candidate = _candidate_within(3)
    line = candidate.__code__.co_firstlineno + 2
    made = with_lines(candidate, line, line, "y = 7 * g")
    file = made.__code__.co_filename
    assert linecache.getline(file, line).strip() == "y = 7 * g"
    del made
    gc.collect()
    assert not linecache.getline(file, line)
    assert with_lines(candidate, line, line, "y = (7") is None
    assert not any(name.startswith(f"{candidate.__code__.co_filename}#") for name in linecache.cache)
