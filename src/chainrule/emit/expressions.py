"""Steps as Python expressions: operators with the brackets they need, methods, calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.emit.operands import (
    USUAL,
    are_matrices,
    floating_choice,
    is_literal,
    is_plain_transpose,
    leading_operands,
    spelled_out,
)
from chainrule.emit.precision import strong_numbers
from chainrule.emit.signs import LINEAR, Signs
from chainrule.emit.spelling import BINARY, METHODS, UNARY, Spelling, nested, spelling_of
from chainrule.emit.text import ATOM, SIGN, Mask, Text, join, tight, with_sign
from chainrule.emit.values import is_plain_number
from chainrule.errors import NotDifferentiableError
from chainrule.indexing import HOLE, Index, get_item
from chainrule.ir import Const, Step, Var, shape_of, takes_separately
from chainrule.language import Message, message
from chainrule.sizes import is_size
from chainrule.statements.statement import Statements

__all__ = ["Printer"]

_KEEPING = frozenset("sum mean max min prod".split())  # reductions that can keep the axes they reduce
_TURNS = ("transpose", "swapaxes", "matrix_transpose", "linalg.matrix_transpose")
# Methods that work in place, or on their second operand: the functions of these names are what is meant.
_FUNCTIONS = frozenset(("sort", "partition", "compress"))


class Printer(Signs):
    """Writes the expressions of one set of statements.

    Args:
        statements: what to write.
        forward: the steps that are the user's own, which are spelled as in their source.
        literals: how the user wrote floats that Python would write otherwise.
        variables: shapes and dtypes, by number.
        lengths: the user's names for lengths of arrays.
        inputs: the arguments and cotangents.

    Attributes:
        unread: the arguments that have no name where this stands, as only loops read them, with how they are reached.
    """

    def __init__(
        self,
        statements: Statements,
        forward: Sequence[Step],
        literals: Mapping[float, str],
        variables: Mapping[int, Var | Const],
        lengths: Mapping[tuple[int, int | None], str],
        inputs: Sequence[Var] = (),
    ) -> None:
        super().__init__(statements, literals, variables, lengths, forward)
        self.inputs = [x for x in inputs if x.dtype.kind in "fc" and x.shape]
        self.made = [step for statement in statements.statements for step in statement.steps]
        self.strong = strong_numbers(self.made)
        self.modules: set[str] = set()
        self.unread: Mapping[int, str] = {}
        self.later: frozenset[int] = frozenset()  # what statements behind a loop read
        self.arrays: Mapping[str, str] = {}  # by name, plain arrays as lists of their numbers

    # Operands.

    def operand(self, x: Var | Const) -> Text:
        """An operand: a name, a literal, or the expression of what is folded in."""
        known = self.texts if x.number in self.folded else None
        if known is not None and x.number in known:
            return known[x.number]
        text = self._operand(x)
        text = (Mask(text[0]), text[1]) if isinstance(x, Var) and x.dtype.kind in "bu" else text
        if known is not None:
            known[x.number] = text
        return text

    def _operand(self, x: Var | Const) -> Text:
        if id(x) in self.strong:
            return f"np.{np.asarray(x.value).dtype.name}({self.number(np.asarray(x.value).item())[0]})", ATOM  # type: ignore[union-attr]
        if isinstance(x, Const) and x.number >= 0 and is_plain_number(x):
            return self.number(np.asarray(x.value).item())
        if isinstance(x, Var) or x.number >= 0:
            step = self.folded.get(x.number)
            if step is None:
                return self.names[x.number], ATOM
            text = self.step(step)
            if len(step.outputs) > 1:
                return f"{tight(text)}[{[out.number for out in step.outputs].index(x.number)}]", ATOM
            return text
        return self.static(x.value)

    # Steps.

    def _typed(self, step: Step) -> str:
        """A literal that is broadcast in a precision that is not NumPy's own; empty for all else."""
        x, dtype = step.inputs[0], step.outputs[0].dtype
        if dtype.kind != "f" or dtype.char == "d" or not self._is_literal(x):
            return ""
        return f"np.{dtype.name}({self.operand(x)[0]})"

    def _is_literal(self, x: Var | Const) -> bool:
        """Whether an operand is written with literals and lengths alone, and so has no precision of its own."""
        if isinstance(x, Const):
            return x.number < 0 or is_plain_number(x)
        step = self.folded.get(x.number)
        return step is not None and not x.shape and all(map(self._is_literal, step.inputs))

    def step(self, step: Step) -> Text:
        """The expression that computes a step."""
        spelling = spelling_of(step) if id(step) in self.forward else Spelling()
        name = step.operation.name
        if name == "where" and id(step) not in self.forward:
            step = floating_choice(step)
        if name in LINEAR and len(step.inputs) == 1 and id(step) not in self.forward:
            return with_sign(*self.signed_step(step))
        if step.operation.function is get_item:
            index: Index = step.params["index"]
            if self._is_number(step.inputs[0]) and all(p is None or p is Ellipsis for p in index.parts):
                return self.operand(step.inputs[0])  # a number, which broadcasts as it is
            if id(step) not in self.forward:
                index = spelled_out(index, step.inputs[0])
                new = {k for k, part in enumerate(index.parts) if part is None}
                if all(p is None or p == slice(None) for p in index.parts) and (kept := self._kept(step, new)):
                    return kept
            return f"{tight(self.operand(step.inputs[0]))}[{self.index(index, step.inputs[1:])}]", ATOM
        if name == "identity":
            return self.operand(step.inputs[0])
        if name == "broadcast_to" and (number := self._typed(step)):
            return f"np.broadcast_to({number}, {self.static(step.params['shape'])[0]})", ATOM
        if name == "astype" and not step.outputs[0].shape and id(step) not in self.forward:
            # It may be a number of Python's, which has no methods.
            return f"{self.static(step.params['dtype'])[0]}({self.operand(step.inputs[0])[0]})", ATOM
        if name == "astype":
            return f"{tight(self.operand(step.inputs[0]))}.astype({self.static(step.params['dtype'])[0]})", ATOM
        if not step.params and not spelling.called:
            if name in BINARY and len(step.inputs) == 2:
                return self.binary(step, BINARY[name])
            if name == "negative" and id(step) not in self.forward:
                return with_sign(*self.signed_step(step))
            if name in UNARY and len(step.inputs) == 1:
                operand = self.operand(step.inputs[0])
                return f"{UNARY[name]}{operand[0] if operand[1] >= SIGN else f'({operand[0]})'}", SIGN
        if name == "expand_dims":
            if self._is_number(step.inputs[0]):
                return self.operand(step.inputs[0])
            if (text := self._expanded(step, spelling)) is not None:
                return text, ATOM
        if name in _TURNS and (turned := self.transposed(step, spelling)) is not None:
            return turned
        if name == "dot" and not spelling.called and are_matrices(step):
            return self.binary(step, "@")
        return self.call(step, spelling), ATOM

    def _is_number(self, x: Var | Const) -> bool:
        """Whether an operand is written as arithmetic of literals, which gives a Python number."""
        inner = self.folded.get(x.number) if isinstance(x, Var) else None
        return is_literal(x) if inner is None else all(map(is_literal, inner.inputs)) and not inner.params

    def binary(self, step: Step, symbol: str) -> Text:
        left, right = step.inputs
        if id(step) not in self.forward:
            if symbol in "+-":
                return self.sum_of(left, right, symbol)
            if symbol in "*/":
                minus, text = self.signed_step(step)
                below = (self.below(step) or self.absorbed(step)) if minus else None
                return below or with_sign(minus, text)
        return join(self.operand(left), symbol, self.operand(right))

    def index(self, index: Index, arrays: tuple[Var | Const, ...]) -> str:
        """What stands between the brackets."""
        remaining = iter(arrays)

        def part(p: Any) -> str:
            if p is HOLE:
                return self.operand(next(remaining))[0]
            if type(p) is slice:
                start = None if p.start == 0 and p.step is None and not is_size(p.start) else p.start
                ends = ["" if e is None else self.static(e)[0] for e in (start, p.stop)]
                simple = all(e.isidentifier() or e.isdigit() or not e or e.lstrip("-").isdigit() for e in ends)
                # A complex end has spaces around the colon, as formatters write it.
                text = ":".join(ends) if simple else " : ".join(ends).strip()
                return text + ("" if p.step is None else f":{self.static(p.step)[0]}")
            return self.static(p)[0]

        if not index.parts:
            return "()"
        written = ", ".join(part(p) for p in index.parts)
        return written if index.single or len(index.parts) != 1 else written + ","

    def _expanded(self, step: Step, spelling: Spelling) -> str | None:
        """``np.expand_dims(x, 1)`` as ``x[:, None]``."""
        axes = step.params.get("axis", step.params.get("argument 1"))
        rank = len(step.outputs[0].shape)
        if spelling.called or rank > 4 or axes is None:
            return None
        new = {int(a) % rank for a in (axes if isinstance(axes, tuple) else (axes,))}
        kept = self._kept(step, new)
        if kept is not None:
            return kept[0]
        parts = ["None" if k in new else ":" for k in range(rank)]
        return f"{tight(self.operand(step.inputs[0]))}[{', '.join(parts)}]"

    def _kept(self, step: Step, new: set[int]) -> Text | None:
        """``x.sum(axis=1)[:, None]`` as ``x.sum(axis=1, keepdims=True)``, where the new axes are those summed over."""
        inner = self.folded.get(step.inputs[0].number) if isinstance(step.inputs[0], Var) else None
        if inner is None or id(inner) in self.forward or inner.operation.name not in _KEEPING or not new:
            return None
        rank, axis = len(shape_of(inner.inputs[0])), inner.params.get("axis")
        if axis is None or set(inner.params) != {"axis"} or {a % rank for a in np.atleast_1d(axis)} != new:
            return None
        params = {**inner.params, "keepdims": True}
        return self.step(Step(inner.operation, inner.inputs, params, step.outputs, inner.position))

    def transposed(self, step: Step, spelling: Spelling) -> Text | None:
        operand = step.inputs[0]
        if spelling.called and not spelling.attribute:
            return None
        if not is_plain_transpose(step):
            return None
        inner = self.folded.get(operand.number) if isinstance(operand, Var) else None
        if inner is not None and id(step) not in self.forward:
            if is_plain_transpose(inner):
                return self.operand(inner.inputs[0])
            if inner.operation.name == "matmul" and all(len(shape_of(x)) == 2 for x in inner.inputs):
                # (A.T @ B).T is B.T @ A.
                left, right = (self.turned(x) for x in inner.inputs)
                return join(right, "@", left)
        return f"{tight(self.operand(operand))}.T", ATOM

    def turned(self, x: Var | Const) -> Text:
        """A matrix with its axes exchanged."""
        step = self.folded.get(x.number) if isinstance(x, Var) else None
        if step is not None and is_plain_transpose(step):
            return self.operand(step.inputs[0])
        return f"{tight(self.operand(x))}.T", ATOM

    def call(self, step: Step, spelling: Spelling, first: Text | None = None) -> str:
        """A call: as the user spelled it where it is theirs, else as a method where that is usual.

        Args:
            step: the step.
            spelling: how the user wrote it.
            first: the first operand, if it is already written.
        """
        operation = step.operation
        name = operation.name
        operands = list(step.inputs)
        params = dict(step.params)
        if name == "copy" and params.get("order") in ("C", "K"):
            del params["order"]  # np.copy and the method differ in what they take by themselves
        like = operation.name.endswith("_like")  # whose second parameter is the dtype
        written = self._parameters(params, spelling, id(step) in self.forward, like)
        receiver = operands[0] if operands else None
        method = "" if name in _FUNCTIONS else spelling.method
        if not spelling.called and name in METHODS and isinstance(receiver, Var) and receiver.shape:
            method = METHODS[name]
        if method and receiver is not None and not is_literal(receiver):
            leading = max(1, leading_operands(operation))
            rest = [self.operand(x)[0] for x in operands[1:]]
            named = zip(operation.operands[leading:], rest[leading - 1 :], strict=False)
            written = _named(named, written)
            rest = rest[: leading - 1] if leading < len(operation.operands) else rest
            if name == "transpose" and not spelling.called:
                axes = next(iter(params.values()))
                rank = len(axes)
                swapped = tuple(a % rank for a in axes) == (*range(rank - 2), rank - 1, rank - 2)
                method, written = ("swapaxes", ["-1", "-2"]) if swapped else (method, [str(int(a)) for a in axes])
            elif name == "transpose" and params and not spelling.grouped:
                axes = next(iter(params.values()))
                written = written if axes is None else [self.static(a)[0] for a in axes]
            if name == "swapaxes" and not spelling.called:
                written = [self.static(a)[0] for a in params.values()]
            if name == "reshape" and len(written) == 1:
                shape = next(iter(params.values()))
                if isinstance(shape, tuple) and len(shape) and not spelling.grouped:
                    written = self._lengths_of_one([self.static(n)[0] for n in shape])
            return f"{tight(first or self.operand(receiver))}.{method}({', '.join([*rest, *written])})"
        texts = [(first if first and k == 0 else self.operand(x))[0] for k, x in enumerate(operands)]
        if name == "stack" and not params and id(step) in self.forward and nested(step.position):
            return f"np.array({self._rows(step)})"
        leading = leading_operands(operation)
        written = _named(zip(operation.operands[leading:], texts[leading:], strict=False), written)
        texts = texts[:leading] if leading < len(operation.operands) else texts
        if name == "einsum":
            subscripts = params.pop("subscripts")
            texts.insert(0, self.static(subscripts)[0])
            behind = replace(spelling, positional=0)  # but for the subscripts, which have been written
            written = self._parameters(params, behind, id(step) in self.forward)
        elif operation.kind == "variadic" and not takes_separately(operation):
            inner = ", ".join(texts)
            texts = [f"({inner})" if spelling.tupled and len(texts) > 1 else f"[{inner}]"]
        return f"{self._function(step, spelling)}({', '.join([*texts, *written])})"

    def _lengths_of_one(self, texts: list[str]) -> list[str]:
        """All lengths of one array, in their order, as its shape."""
        name = texts[0].removesuffix(".shape[0]")
        x = next((self.variables.get(n) for n, own in self.names.items() if own == name), None)
        whole = [f"{name}.shape[{k}]" for k in range(len(texts))]
        return [f"{name}.shape"] if texts == whole and x is not None and len(shape_of(x)) == len(texts) else texts

    def _rows(self, step: Step) -> str:
        """The rows of an array that is made of nested lists, as lists."""
        texts = []
        for x in step.inputs:
            inner = self.folded.get(x.number) if isinstance(x, Var) else None
            row = inner is not None and inner.operation is step.operation and inner.position == step.position
            text = self._rows(inner) if row and inner is not None else self.operand(x)[0]
            number = re.fullmatch(r"\((-?[\w.]+)\)", text)  # of a loop, where it may be anywhere
            texts.append(number[1] if number else self.arrays.get(text, text))
        return f"[{', '.join(texts)}]"

    def _parameters(
        self, params: Mapping[str, Any], spelling: Spelling, forward: bool, like: bool = False
    ) -> list[str]:
        written = []
        for k, (name, value) in enumerate(params.items()):
            text = self.static(value)[0] if forward or name != "dtype" else self._dtype(value)
            positional = (
                name.startswith("argument ") or k < spelling.positional or (name == "shape" and k == 0 and not like)
            )
            written.append(text if positional else f"{name}={text}")
        return written

    def _dtype(self, value: Any) -> str:
        """A dtype that a rule asks for: that of the arguments, so that what is written keeps float32 too."""
        same = [x for x in self.inputs if x.number in self.names and x.dtype == value]
        if same and len(same) == len(self.inputs):
            x = next((x for x in reversed(same) if x.number not in self.unread), same[-1])
            return f"{self.unread.get(x.number) or self.names[x.number]}.dtype"
        return self.static(value)[0]

    def _function(self, step: Step, spelling: Spelling) -> str:
        operation = step.operation
        text = spelling.function or USUAL.get(operation.spelling, operation.spelling)
        module = text.rpartition(".")[0]
        importable = module.split(".")[0] in ("np", "scipy", "math") and not any(
            p.startswith("_") for p in text.split(".")
        )
        if not importable and operation.function is not float:
            raise NotDifferentiableError(_nameless(step))
        if module.startswith("scipy") or module == "math":
            self.modules.add(module)
        return text


def _nameless(step: Step) -> Message:
    """Why a step of a function that cannot be imported is not written."""
    function, position = step.operation.spelling, step.position
    if position is None:
        return message(
            "{function} has no name that source could import. "
            "Instead: use NumPy functions there, or take the gradient as numbers with chainrule.grad.",
            function=function,
        )
    return message(
        "{function} has no name that source could import on line {line}: {text}. "
        "Instead: use NumPy functions there, or take the gradient as numbers with chainrule.grad.",
        function=function,
        line=position.line,
        text=position.text,
    )


def _named(operands: Iterable[tuple[str, str]], written: Sequence[str]) -> list[str]:
    """Operands that are given by name, behind the parameters that are given by position."""
    texts = [f"{name}={text}" for name, text in operands]
    by_name = (k for k, text in enumerate(written) if re.match(r"[^\W\d]\w*=(?!=)", text))
    behind = next(by_name, len(written)) if texts else 0
    return [*written[:behind], *texts, *written[behind:]]
