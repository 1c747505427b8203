"""The process that runs somebody's code: it gives up what it does not need, loads the file, and answers requests."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.check.adapters.adapter import Adapter, Task
from chainrule.check.adapters.forwards import Facts, ForwardValues
from chainrule.check.adapters.observing import observe
from chainrule.check.adapters.plain_runs import plain_gradients
from chainrule.check.adapters.script_traces import traced_script
from chainrule.check.candidate import Answer, CandidateError
from chainrule.check.candidates import adapter_of, expects_cache
from chainrule.check.isolation.confining import confine
from chainrule.check.isolation.finding import load, selected
from chainrule.check.isolation.programs import packed
from chainrule.check.isolation.wire import Ended, read, write
from chainrule.errors import ChainruleError
from chainrule.language import message, stated
from chainrule.script import ScriptError

__all__ = ["main"]


def main(requests: int, answers: int) -> None:
    """Answer what comes through one pipe into another one."""
    begin = read(requests)
    sys.path[:] = [p for p in sys.path if p]
    for name in begin["preload"]:
        _preloaded(name)
    sys.dont_write_bytecode = True
    missing = confine(begin["scratch"], begin["memory"], landlock=begin["landlock"])
    write(answers, {"number": begin["number"], "missing": list(missing)})
    worker = _Worker()
    while True:
        try:
            request = read(requests)
        except Ended:
            return
        reply = worker.reply(request)
        try:
            write(answers, {"number": request["number"], **reply})
        except ChainruleError as error:
            write(answers, {"number": request["number"], "refused": stated(error)})


def _preloaded(name: str) -> None:
    """Import an installed package before files and processes are out of reach."""
    try:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
    except Exception:  # the file itself will say what is wrong with it
        return


class _Worker:
    """What has been loaded so far."""

    def __init__(self) -> None:
        self.module: Any = None
        self.candidate: Any = None
        self.adapter: Adapter | None = None
        self.task: Task | None = None
        self.path, self.pattern = "", ""
        self.changed: dict[int, Adapter] = {}  # made from other text than that of the file

    def reply(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request; what goes wrong is part of it."""
        kinds = {
            "load": self.load,
            "adapt": self.adapt,
            "answer": self.answer,
            "again": self.again,
            "replace": self.replace,
            "trace": self.trace,
            "plain": self.plain,
        }
        handle = kinds[request["kind"]]
        done = observe(lambda: handle(request), frozenset(), False)
        if done.error is None:
            found: dict[str, Any] = done.result
            return found
        if isinstance(done.error, ChainruleError):
            return {"refused": stated(done.error), "failed": isinstance(done.error, ScriptError)}
        return {"refused": f"{type(done.error).__name__}: {_text(done.error)}"}

    def load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run the file and find the candidate in it."""
        self.path, self.pattern = request["path"], request["pattern"]
        self.module = load(self.path)
        self.candidate = selected(self.module, request["pattern"], facts_in(request["facts"]))
        return {"cached": expects_cache(self.candidate)}

    def adapt(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Find out how the candidate is called."""
        _draw_from(request["random"])
        wrt = request["wrt"]
        example = ForwardValues(*request["example"])
        self.task = Task(facts_in(request["facts"]), example, None if wrt is None else tuple(wrt), request["names"])
        self.adapter = adapter_of(self.candidate, self.task)
        return self._described(self.adapter)

    def replace(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make the candidate anew from another text of its file."""
        if self.task is None:
            raise CandidateError(message("nothing has been loaded."))
        version = len(self.changed) + 1
        module = load(self.path, request["text"], f"{self.path}#{version}")
        self.changed[version] = adapter_of(selected(module, self.pattern, self.task.facts), self.task)
        return {"version": version, **self._described(self.changed[version])}

    def _described(self, a: Adapter) -> dict[str, Any]:
        return {
            "name": a.name,
            "style": a.style,
            "wrt": a.wrt,
            "origin": (a.origin.file, a.origin.source, a.origin.first_line),
            "takes_cotangent": a.takes_cotangent,
            "needs_forward": a.needs_forward,
            "notes": a.notes,
        }

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run the candidate once."""
        adapter = self._meant(request)
        _draw_from(request["random"])
        values = ForwardValues(*request["values"])
        return {"answers": [_sent(adapter.answer(values, request["cotangent"], request["look"]))]}

    def again(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run the candidate twice on the same state."""
        adapter = self._meant(request)
        _draw_from(request["random"])
        both = adapter.again(ForwardValues(*request["values"]), request["cotangent"])
        return {"answers": [_sent(a) for a in both]}

    def _meant(self, request: Mapping[str, Any]) -> Adapter:
        """The candidate, or what was made of it with another text."""
        found = self.changed.get(request["version"], self.adapter)
        if found is None:
            raise CandidateError(message("nothing has been loaded."))
        return found

    def trace(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run a script, and hand over what it computed as a program."""
        wrt, index = request["wrt"], request["index"]
        found = traced_script(request["path"], request["of"], wrt, index=index, look=bool(request["look"]))
        return {
            "title": found.title,
            "program": packed(found.program),
            "names": found.names,
            "values": found.values,
            "gradients": [(n, c.name, c.line, c.number) for n, c in found.gradients.items()],
            "seen": [(c.name, c.line, c.number, c.value, c.frame, c.given) for c in found.seen],
            "notes": found.notes,
            "failed": found.failed,
        }

    def plain(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run a script as it is, and hand over what holds its gradients."""
        return {"values": plain_gradients(request["path"], request["of"], dict(request["gradients"]))}


def facts_in(parts: Any) -> Facts:
    """The facts about a forward function, as they were sent."""
    name, arguments, floats, arrays, outputs, of, local, inner = parts
    return Facts(name, tuple(arguments), tuple(floats), tuple(arrays), tuple(outputs), of, tuple(local), tuple(inner))


def _draw_from(state: Any) -> None:
    keys, position = state
    np.random.set_state(("MT19937", keys, position, 0, 0.0))


def _sent(answer: Answer) -> dict[str, Any]:
    error = None
    if answer.error is not None:
        own = stated(answer.error) if isinstance(answer.error, CandidateError) else None
        error = (type(answer.error).__name__, own or _text(answer.error))
    return {
        "gradients": dict(answer.gradients),
        "seen": list(answer.seen),
        "error": error,
        "error_line": answer.error_line,
        "changed": tuple(answer.changed),
        "notes": tuple(answer.notes),
        "output": answer.output,
    }


def _text(error: BaseException) -> str:
    try:
        return str(error)[:4000]
    except Exception:  # somebody's own exception may do anything
        return ""


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
    os._exit(0)  # threads of the candidate's are not waited for
