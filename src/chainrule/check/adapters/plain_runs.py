"""A script run as it is, without a trace, up to where its gradients are there: what a changed line gives, quickly.

Hundreds of changes of a line are tried, and most of them mend nothing.  That shows in the numbers of one plain run;
only what remains is traced.
"""

from __future__ import annotations

import builtins
import re
import warnings
from collections.abc import Iterator, Mapping, MutableMapping
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.check.adapters.naming import gradient_target, short_name
from chainrule.running import as_main

__all__ = ["plain_gradients"]


class _Names(MutableMapping[str, Any]):
    """The names of a script's top level, which ends where its result would be computed again."""

    def __init__(self, held: dict[str, Any], result: str) -> None:
        self.held = held
        self.root = re.split(r"[\[.]", result)[0]
        self.before = dict[str, None]()  # what was there before the result was
        self.since: dict[str, None] | None = None

    def __getitem__(self, name: str) -> Any:
        return self.held[name]

    def __delitem__(self, name: str) -> None:
        del self.held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)

    def __setitem__(self, name: str, value: Any) -> None:
        if name == self.root and self._is_enough():
            raise SystemExit(0)
        self.held[name] = value
        if self.since is not None:
            self.since[name] = None
        elif name == self.root and isinstance(value, np.ndarray | np.generic):
            self.since = {}
        else:
            self.before[name] = None

    def _is_enough(self) -> bool:
        """Whether gradients have been computed since the result was."""
        targets = list(self.before)
        return any(gradient_target(short_name(n), targets, strict=True, similar=False) for n in self.since or ())


def plain_gradients(path: str, of: str, gradients: Mapping[str, str]) -> dict[str, Any]:
    """What some of a script's names hold where a training loop would compute its result again.

    Args:
        path: the file.
        of: the name of the result.
        gradients: per array the name that holds its gradient.

    Raises:
        Exception: whatever the script ends with before its gradients are there.
    """
    with open(path, encoding="utf-8") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    module = ModuleType("__main__")
    held = module.__dict__
    held.update(__file__=path, __builtins__=builtins)
    try:
        with as_main(path, module), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            exec(code, held, _Names(held, of))
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    return {name: np.array(_reached(held, path)) for name, path in gradients.items()}


def _reached(held: Mapping[str, Any], path: str) -> Any:
    """What ``dW``, ``dW[0]``, ``grads['W']`` or ``net.dW`` holds."""
    name, *parts = re.findall(r"\w+|\[[^\]]*\]|\.\w+", path)
    value = held[name]
    for part in parts:
        if part.startswith("["):
            key = part[1:-1]
            value = value[int(key)] if key.isdigit() else value[key.strip("'\"")]
        else:
            value = getattr(value, part[1:])
    return value
