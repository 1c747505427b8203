"""A candidate in a file, in a process of its own wherever the system has what that takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from chainrule.check.adapters.adapter import Task
from chainrule.check.adapters.forwards import Forward
from chainrule.check.adapters.script_traces import traced_script
from chainrule.check.adapters.scripts import ScriptCandidate
from chainrule.check.candidate import Candidate
from chainrule.check.candidates import AdaptedCandidate, adapter_of, expects_cache, wanted_of
from chainrule.check.isolation.finding import load, selected
from chainrule.check.isolation.remote import Limits, RemoteCandidate
from chainrule.check.isolation.scripts import RemoteTracer
from chainrule.language import message

__all__ = ["opened", "opened_script"]


def opened_script(
    path: str,
    of: str | None = None,
    wrt: Sequence[str] | None = None,
    *,
    index: Sequence[int] | None = None,
    limits: Limits | None = None,
    isolated: bool = os.name == "posix",
) -> ScriptCandidate:
    """The gradients that a script computes, as a candidate.

    Args:
        path: the file.
        of: the name of the result.
        wrt: as for :func:`chainrule.check.adapters.scripts.traced_script`.
        index: as for :func:`chainrule.check.adapters.scripts.traced_script`.
        limits: what the script may use.
        isolated: whether it runs in a process of its own; in this one there are no limits.

    Raises:
        ScriptError: where the script fails; the message is its own traceback.
        ChainruleError: where it computes no gradients, or cannot be followed.
    """
    if isolated:
        tracer = RemoteTracer(limits)
        return ScriptCandidate(tracer(path, of, wrt, index=index), tracer)
    return ScriptCandidate(traced_script(path, of, wrt, index=index))


@contextmanager
def opened(
    path: str,
    pattern: str,
    forward: Callable[..., Any],
    args: Mapping[str, Any] | Sequence[Any],
    wrt: str | Sequence[str] | None = None,
    *,
    names: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    isolated: bool = os.name == "posix",
) -> Iterator[Candidate]:
    """A candidate in a file, for as long as it is needed.

    Args:
        path: the file.
        pattern: which of the things in it; see :func:`chainrule.check.isolation.finding.selected`.
        forward: the forward function.
        args: an example of its arguments.
        wrt: as for :func:`chainrule.check.candidates.candidate_of`.
        names: as for :func:`chainrule.check.candidates.candidate_of`.
        limits: what it may use.
        isolated: whether it runs in a process of its own; in this one there are no limits.

    Raises:
        ScriptError: where the file fails; the message is its own traceback.
        CandidateError: where it cannot be told how it is meant.
    """
    if isolated:
        with RemoteCandidate(path, pattern, forward, args, wrt, names=names, limits=limits) as candidate:
            yield candidate
        return
    plain = Forward(forward, args, False)
    found = selected(load(path), pattern, plain.facts)
    run = Forward(forward, args, True) if expects_cache(found) else plain
    task = Task(run.facts, run.example, wanted_of(wrt, run), dict(names or {}))
    local = AdaptedCandidate(adapter_of(found, task), run, found, task)
    local.notes += (message("The candidate ran in the checker's own process, without limits."),)
    yield local
