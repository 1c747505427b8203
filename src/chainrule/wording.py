"""Names for values that the user left unnamed, said from what computes them: ``X_max``, ``exp_minus_z``, ``Xw``."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.ir import Const, Step, Var, is_zero
from chainrule.loops import loop_in
from chainrule.names import plural
from chainrule.sizes import is_size
from chainrule.user_source import result_of

__all__ = ["Describer", "invented_name", "several_names", "specific_name"]

_LONGEST = 16
_MOST_PASSED = 12  # steps to what a value goes into
# What an operation makes of x: a word in front of x's name, or behind it.
_BEFORE = {"negative": "minus", "exp": "exp", "log": "log", "sqrt": "sqrt", "tanh": "tanh", "absolute": "abs",
           "sin": "sin", "cos": "cos", "expm1": "expm1", "log1p": "log1p", "reciprocal": "inverse", "erf": "erf",
           "square": "squared", "sign": "sign", "log2": "log2", "log10": "log10", "arctan": "arctan", "cbrt": "cbrt",
           "special.expit": "sigmoid", "special.erf": "erf"}  # fmt: skip
_BEHIND = {"max": "max", "min": "min", "sum": "sum", "mean": "mean", "std": "std", "var": "var", "prod": "product",
           "linalg.norm": "norm", "linalg.inv": "inverse", "linalg.det": "det", "linalg.cholesky": "factor",
           "linalg.solve": "solution", "argmax": "argmax", "argsort": "order", "sort": "sorted", "cumsum": "cumsum",
           "trace": "trace", "getitem": "part", "reshape": "reshaped", "astype": "cast", "diagonal": "diagonal",
           "clip": "clipped", "concatenate": "joined", "stack": "stacked", "isnan": "is_nan", "all": "all",
           "any": "any", "lib.stride_tricks.sliding_window_view": "windows", "moveaxis": "turned"}  # fmt: skip
_PLAIN = {"sum": "total", "max": "largest", "min": "smallest", "sort": "ordered", "add": "total",
          "subtract": "difference", "multiply": "product", "divide": "ratio", "matmul": "product",
          "dot": "product", "einsum": "product", "outer": "outer", "where": "chosen", "maximum": "larger",
          "minimum": "smaller", "power": "power", "arange": "positions", "zeros": "zeros", "ones": "ones",
          "full": "filled", "eye": "identity", "greater": "mask", "greater_equal": "mask", "less": "mask",
          "less_equal": "mask", "equal": "matches", "not_equal": "mask", "logical_and": "mask",
          "logical_or": "mask", "logical_not": "mask", "broadcast_to": "expanded", "tril": "mask", "triu": "mask",
          "logaddexp": "log_total", "concatenate": "joined", "stack": "stacked", "setitem": "filled",
          "add.at": "collected", "zeros_like": "zeros", "linalg.solve": "solution", "moveaxis": "turned",
          "lib.stride_tricks.sliding_window_view": "windows"}  # fmt: skip
_SEVERAL = {"linalg.slogdet": ("sign", "logdet"), "linalg.svd": ("U", "s", "Vt"), "linalg.eigh": ("eigenvalues", "V"),
            "linalg.eig": ("eigenvalues", "V"), "linalg.qr": ("Q", "R")}  # fmt: skip
_POWERS = {2: "squared", 3: "cubed", -1: "inverse", 0.5: "root"}
_DIGITS = {1: "one", 2: "two", -1: "minus_one"}


def several_names(step: Step) -> tuple[str, ...]:
    """Names for the outputs of an operation that has several."""
    if loop_in(step) is not None:
        return tuple(_of_loop(step, k) for k in range(len(step.outputs)))
    own = _SEVERAL.get(step.operation.name, ())
    word = step.operation.name.rpartition(".")[2]
    count = len(step.outputs)
    return own if len(own) == count else tuple(f"{word}_{k}" for k in range(count))


def invented_name(step: Step, phrase_of: Callable[[Any], str], divides: bool = False) -> str:
    """A name for what a step computes.

    Args:
        step: the step.
        phrase_of: a name or a short description of an operand; empty where there is none.
        divides: whether the value is used as a denominator.
    """
    if loop_in(step) is not None:
        return _of_loop(step, 0)
    name = step.operation.name
    specific = specific_name(step, phrase_of)
    if specific:
        return specific
    if divides:
        return "denominator"
    behind = _BEHIND.get(name)
    word = _PLAIN.get(name) or behind or _BEFORE.get(name) or name.rpartition(".")[2].strip("_")
    return word


def _of_loop(step: Step, output: int) -> str:
    """A name for what a loop leaves: that of what makes it in a turn, for all turns where it is of all."""
    loop = loop_in(step)
    assert loop is not None
    out = loop.left()[output]
    held = out.variable if type(out.variable) is int else out.variable.following
    made = next((s for s in loop.program.steps if any(o.number == held for o in s.outputs)), None)
    if made is None or loop.backward:
        return f"loop_{output}" if len(step.outputs) > 1 else "loop"
    name = invented_name(made, lambda x: x.name or "")
    return name if out.kind in ("final", "next") else plural(name)


def specific_name(step: Step, phrase_of: Callable[[Any], str]) -> str:
    """What an operation makes of its operands; empty where that cannot be said shortly."""
    name = _specific(step, phrase_of)
    return name if len(name) <= _LONGEST else ""


def _specific(step: Step, phrase_of: Callable[[Any], str]) -> str:
    """The operation together with what it works on; empty where that cannot be said shortly."""
    name = step.operation.name
    operands = step.inputs
    phrases = [_literal(x) or phrase_of(x) for x in operands]
    if not phrases or not all(phrases[:2]):
        return ""
    first = phrases[0]
    if name in _BEFORE:
        return f"{_BEFORE[name]}_{first}"
    if name in _BEHIND and isinstance(first, str):
        return f"{first}_{_BEHIND[name]}"
    if name == "power" and isinstance(operands[1], Const) and operands[1].value in _POWERS:
        return f"{first}_{_POWERS[operands[1].value]}"
    if name in ("matmul", "dot"):
        short = all(len(p) <= 2 for p in phrases)
        return ("" if short else "_").join(phrases)
    if name in ("add", "subtract") and any(_literal(x) for x in operands):
        return f"{first}_{'plus' if name == 'add' else 'minus'}_{phrases[1]}"
    if name in ("greater", "greater_equal", "less", "less_equal") and is_zero(operands[1]):
        return f"{first}_{'positive' if name.startswith('greater') else 'negative'}"
    if name in ("transpose", "swapaxes", "identity"):
        return f"{first}T" if name != "identity" else first
    return ""


def _literal(x: Var | Const) -> str:
    if isinstance(x, Var) or x.number >= 0 or is_size(x.value):
        return ""
    try:
        return _DIGITS.get(x.value, "")
    except TypeError:
        return ""


class Describer:
    """Names that say where a value comes from, or what it goes into.

    Args:
        steps: the forward steps.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self.made = {out.number: k for k, step in enumerate(steps) for out in step.outputs}
        self.readers: dict[int, list[int]] = {}  # by value, the steps that read it
        for k, step in enumerate(steps):
            for x in step.inputs:
                self.readers.setdefault(x.number, []).append(k)

    def invented(self, number: int, phrase_of: Callable[[Any], str], divides: bool = False) -> str:
        """An invented name; ``sigmoid_z`` for what a function of the user's returns."""
        step = self.steps[self.made[number]]
        return self._of_call(step, phrase_of) or invented_name(step, phrase_of, divides)

    def _of_call(self, step: Step, phrase_of: Callable[[Any], str]) -> str:
        function = result_of(step.position).strip("_")
        if not function or step.position is None:
            return ""
        pending, arguments = [step], set()
        for _ in range(_MOST_PASSED):
            if not pending:
                break
            for x in pending.pop().inputs:
                k = self.made.get(x.number)
                at = None if k is None else self.steps[k].position
                if k is not None and at is not None and at.function == step.position.function:
                    pending.append(self.steps[k])
                elif isinstance(x, Var):
                    arguments.add(phrase_of(x))
        of = arguments.pop() if len(arguments) == 1 and not pending else ""
        named = [f"{function}_{of}" if of else "", function]
        return next((name for name in named if name and len(name) <= _LONGEST), "")

    def qualified(self, name: str, number: int) -> str:
        """With what a value goes into first in front: ``h1_total``; the same where that is unnamed, or long."""
        target = self._target(number)
        return f"{target}_{name}" if target and len(target) + len(name) < _LONGEST else name

    def _target(self, number: int) -> str:
        pending = list(self.readers.get(number, ()))
        for _ in range(_MOST_PASSED):
            if not pending:
                break
            k = heapq.heappop(pending)
            if loop_in(self.steps[k]) is not None:
                break
            for out in self.steps[k].outputs:
                if out.name is not None and out.name.isidentifier():
                    return out.name
                for reader in self.readers.get(out.number, ()):
                    heapq.heappush(pending, reader)
        return ""
