"""Steps as Python expressions: operators with the brackets they need, methods, calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.emit.spelling import BINARY, METHODS, UNARY, Spelling, spelling_of
from chainrule.emit.text import ATOM, SIGN, Mask, Text, join, tight, with_sign
from chainrule.emit.values import Values, shape_of
from chainrule.errors import NotDifferentiableError
from chainrule.indexing import HOLE, Index, add_item, get_item, set_item
from chainrule.ir import Const, Step, Var
from chainrule.ops import signature
from chainrule.sizes import is_size, plain_number
from chainrule.statements.request import sizes_in
from chainrule.statements.statement import Statement, Statements

__all__ = ["Printer"]

_LINEAR = frozenset({"sum", "mean"})


class Printer(Values):
    """Writes the expressions of one set of statements.

    Args:
        statements: what to write.
        forward: the steps that are the user's own, which are spelled as in their source.
        literals: how the user wrote floats that Python would write otherwise.
        variables: shapes and dtypes, by number.
        lengths: the user's names for lengths of arrays.
    """

    def __init__(
        self,
        statements: Statements,
        forward: Sequence[Step],
        literals: Mapping[float, str],
        variables: Mapping[int, Var | Const],
        lengths: Mapping[tuple[int, int | None], str],
    ) -> None:
        super().__init__(statements, literals, variables, lengths)
        self.folded = statements.folded
        self.forward: set[int] = {id(s) for s in forward}
        self.modules: set[str] = set()

    # Operands.

    def operand(self, x: Var | Const) -> Text:
        """An operand: a name, a literal, or the expression of what is folded in."""
        text = self._operand(x)
        return (Mask(text[0]), text[1]) if isinstance(x, Var) and x.dtype.kind in "bu" else text

    def _operand(self, x: Var | Const) -> Text:
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

    def step(self, step: Step) -> Text:
        """The expression that computes a step."""
        spelling = spelling_of(step) if id(step) in self.forward else Spelling()
        name = step.operation.name
        if name in _LINEAR and len(step.inputs) == 1 and id(step) not in self.forward:
            return with_sign(*self.signed_step(step))
        if step.operation.function is get_item:
            index: Index = step.params["index"]
            if id(step) not in self.forward:
                index = _spelled_out(index, step.inputs[0])
            return f"{tight(self.operand(step.inputs[0]))}[{self.index(index, step.inputs[1:])}]", ATOM
        if name == "identity":
            return self.operand(step.inputs[0])
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
            text = self._expanded(step, spelling)
            if text is not None:
                return text, ATOM
        if name in ("transpose", "swapaxes", "matrix_transpose", "linalg.matrix_transpose"):
            turned = self.transposed(step, spelling)
            if turned is not None:
                return turned
        if name == "dot" and not spelling.called and self._matrices(step):
            return self.binary(step, "@")
        return self.call(step, spelling), ATOM

    @staticmethod
    def _matrices(step: Step) -> bool:
        return all(isinstance(x, Var) and 0 < len(x.shape) <= 2 for x in step.inputs)

    def binary(self, step: Step, symbol: str) -> Text:
        left, right = step.inputs
        if id(step) not in self.forward:
            if symbol in "+-":
                return self._sum(left, right, symbol)
            if symbol in "*/":
                return with_sign(*self.signed_step(step))
        return join(self.operand(left), symbol, self.operand(right))

    def _sum(self, left: Var | Const, right: Var | Const, symbol: str) -> Text:
        """A sum or difference: x + -y, and -x + y, are differences, to the last bit."""
        minus, first = self.signed(left)
        other, second = self.signed(right)
        if minus and not other and symbol == "+":
            return join(second, "-", first)
        return join(with_sign(minus, first), "-" if other is (symbol == "+") else "+", second)

    def signed(self, x: Var | Const) -> tuple[bool, Text]:
        """An operand without the minus signs in front of it, which products, quotients and sums hand on exactly."""
        step = self.folded.get(x.number) if isinstance(x, Var) else None
        if step is not None and id(step) not in self.forward and len(step.outputs) == 1:
            return self.signed_step(step)
        if isinstance(x, Const) and x.number < 0 and is_size(x.value) and x.value.expression[0] == "truediv":
            top, bottom = x.value.expression[1:]
            if not list(sizes_in(top)):
                number = plain_number(top)
                whole = int(number) if number == int(number) else number
                return whole < 0, join(self.number(abs(whole)), "/", self.static(bottom))
        text, level = self.operand(x)
        if level == SIGN and text.startswith("-"):
            return True, (text[1:], ATOM)
        return False, (text, level)

    def signed_step(self, step: Step) -> tuple[bool, Text]:
        """A backward step without its sign, and whether that is a minus."""
        name = step.operation.name
        if name == "negative":
            return self._opposite(step.inputs[0])
        if name in ("multiply", "divide") and len(step.inputs) == 2 and not step.params:
            left, right = step.inputs
            if name == "multiply":
                scaled = self._scaled(left, right) or self._scaled(right, left)
                if scaled is not None:
                    return scaled
            else:
                divided = self._divided(left, right)
                if divided is not None:
                    return divided
            minus, first = self.signed(left)
            other, second = self.signed(right)
            return minus is not other, join(first, "*" if name == "multiply" else "/", second)
        if name in _LINEAR and len(step.inputs) == 1:
            minus, text = self.signed(step.inputs[0])
            return minus, (self.call(step, Spelling(), text), ATOM)
        text = self.step(step)
        masked = step.outputs[0].dtype.kind in "bu"
        return False, (Mask(text[0]), text[1]) if masked else text

    def _opposite(self, x: Var | Const) -> tuple[bool, Text]:
        """``-x``: of a difference, the difference the other way round."""
        step = self.folded.get(x.number) if isinstance(x, Var) else None
        if step is not None and step.operation.name == "subtract" and not step.params:
            (minus, left), (other, right) = map(self.signed, step.inputs)
            if not minus and not other:
                return False, join(right, "-", left)
        minus, text = self.signed(x)
        return not minus, text

    def _scaled(self, scale: Var | Const, x: Var | Const) -> tuple[bool, Text] | None:
        """``(c / n) * x`` with a size n, as a person writes it: ``c * x / n``."""
        if not isinstance(scale, Const) or scale.number >= 0 or not is_size(scale.value):
            return None
        head, *operands = scale.value.expression
        if head != "truediv":
            return None
        numerator, denominator = operands
        negative = not list(sizes_in(numerator)) and plain_number(numerator) < 0
        minus, text = self._opposite(x) if negative else self.signed(x)
        if not list(sizes_in(numerator)):
            number = abs(plain_number(numerator))
            top = None if number == 1 else self.number(number)
        else:
            top = self.size(numerator)
        if top is not None:
            text = join(top, "*", text)
        bottom = self.size(denominator) if is_size(denominator) else self.number(denominator)
        return minus, join(text, "/", bottom)

    def _divided(self, x: Var | Const, divisor: Var | Const) -> tuple[bool, Text] | None:
        """``x / (0.5 * n)`` with a size n, as a person writes it: ``2 * x / n``; no sign stays below the line."""
        if not isinstance(divisor, Const) or divisor.number >= 0 or not is_size(divisor.value):
            return None
        head, *operands = divisor.value.expression
        if head != "mul" or list(sizes_in(operands[0])):
            return None
        factor, size = plain_number(operands[0]), self.static(operands[1])
        minus, text = self._opposite(x) if factor < 0 else self.signed(x)
        factor = abs(factor)
        if factor == 1:
            return minus, join(text, "/", size)
        if (1 / factor).is_integer():
            return minus, join(join(self.number(int(1 / factor)), "*", text), "/", size)
        whole = int(factor) if factor == int(factor) else factor
        return minus, join(text, "/", join(self.number(whole), "*", size))

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

        written = ", ".join(part(p) for p in index.parts)
        return written if index.single or len(index.parts) != 1 else written + ","

    def _expanded(self, step: Step, spelling: Spelling) -> str | None:
        """``np.expand_dims(x, 1)`` as ``x[:, None]``."""
        axes = step.params.get("axis", step.params.get("argument 1"))
        rank = len(step.outputs[0].shape)
        if spelling.called or rank > 4 or axes is None:
            return None
        new = {int(a) % rank for a in (axes if isinstance(axes, tuple) else (axes,))}
        parts = ["None" if k in new else ":" for k in range(rank)]
        return f"{tight(self.operand(step.inputs[0]))}[{', '.join(parts)}]"

    def transposed(self, step: Step, spelling: Spelling) -> Text | None:
        operand = step.inputs[0]
        if spelling.called and not spelling.attribute:
            return None
        if not _is_plain_transpose(step):
            return None
        inner = self.folded.get(operand.number) if isinstance(operand, Var) else None
        if inner is not None and id(step) not in self.forward:
            if _is_plain_transpose(inner):
                return self.operand(inner.inputs[0])
            if inner.operation.name == "matmul" and all(len(shape_of(x)) == 2 for x in inner.inputs):
                # (A.T @ B).T is B.T @ A.
                left, right = (self._turned(x) for x in inner.inputs)
                return join(right, "@", left)
        return f"{tight(self.operand(operand))}.T", ATOM

    def _turned(self, x: Var | Const) -> Text:
        """A matrix with its axes exchanged."""
        step = self.folded.get(x.number) if isinstance(x, Var) else None
        if step is not None and _is_plain_transpose(step):
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
        written = self._parameters(params, spelling)
        receiver = operands[0] if operands else None
        method = spelling.method
        if not spelling.called and name in METHODS and isinstance(receiver, Var) and receiver.shape:
            method = METHODS[name]
        if method and receiver is not None and not (isinstance(receiver, Const) and receiver.number < 0):
            rest = [self.operand(x)[0] for x in operands[1:]]
            if name == "transpose" and not spelling.called:
                axes = next(iter(params.values()))
                rank = len(axes)
                swapped = tuple(a % rank for a in axes) == (*range(rank - 2), rank - 1, rank - 2)
                method, written = ("swapaxes", ["-1", "-2"]) if swapped else (method, [str(int(a)) for a in axes])
            if name == "swapaxes" and not spelling.called:
                written = [self.static(a)[0] for a in params.values()]
            if name == "reshape" and len(written) == 1:
                shape = next(iter(params.values()))
                if isinstance(shape, tuple) and len(shape) and not spelling.grouped:
                    written = [self.static(n)[0] for n in shape]
            return f"{tight(first or self.operand(receiver))}.{method}({', '.join([*rest, *written])})"
        texts = [(first if first and k == 0 else self.operand(x))[0] for k, x in enumerate(operands)]
        if name == "einsum":
            subscripts = params.pop("subscripts")
            texts.insert(0, self.static(subscripts)[0])
            written = self._parameters(params, spelling)
        elif operation.kind == "variadic" and not _takes_separately(step):
            texts = [f"[{', '.join(texts)}]"]
        return f"{self._function(step, spelling)}({', '.join([*texts, *written])})"

    def _parameters(self, params: Mapping[str, Any], spelling: Spelling) -> list[str]:
        written = []
        for k, (name, value) in enumerate(params.items()):
            text = self.static(value)[0]
            positional = name.startswith("argument ") or k < spelling.positional or (name == "shape" and k == 0)
            written.append(text if positional else f"{name}={text}")
        return written

    def _function(self, step: Step, spelling: Spelling) -> str:
        operation = step.operation
        text = spelling.function or _USUAL.get(operation.spelling, operation.spelling)
        module = text.rpartition(".")[0]
        importable = module.split(".")[0] in ("np", "scipy") and not any(p.startswith("_") for p in text.split("."))
        if not importable:
            where = f" on line {step.position.line}: {step.position.text}" if step.position is not None else ""
            raise NotDifferentiableError(
                f"{operation.spelling} has no name that source could import{where}. "
                "Instead: use NumPy functions there, or take the gradient as numbers with chainrule.grad."
            )
        if module.startswith("scipy"):
            self.modules.add(module)
        return text

    # Statements.

    def statement(self, statement: Statement) -> list[str]:
        """The lines of a statement."""
        step = statement.step
        (target, *others) = statement.targets
        function = step.operation.function
        if function is set_item or function is add_item:
            return self._write(statement, step, target)
        text = self.step(step)
        value = f"{tight(text)}.copy()" if statement.copied else text[0]
        return [f"{', '.join([target, *others])} = {value}"]

    def _write(self, statement: Statement, step: Step, target: str) -> list[str]:
        base, value, *arrays = step.inputs
        lines = []
        if not statement.in_place:
            ranked = len(step.outputs[0].shape) > 0
            text = self.operand(base)
            lines.append(f"{target} = {tight(text)}.copy()" if ranked else f"{target} = np.array({text[0]})")
        index: Index = step.params["index"]
        key = self.index(index, tuple(arrays))
        if step.operation.function is set_item:
            return [*lines, f"{target}[{key}] = {self.operand(value)[0]}"]
        repeats = any(not _once(a) for a in arrays)
        if not repeats:
            minus, text = self.signed(value)
            return [*lines, f"{target}[{key}] {'-' if minus else '+'}= {text[0]}"]
        where = key if index.single else f"({key})"
        if any(type(p) is slice or p is Ellipsis for p in index.parts):
            where = self._tuple_key(index, tuple(arrays))
        return [*lines, f"np.add.at({target}, {where}, {self.operand(value)[0]})"]

    def _tuple_key(self, index: Index, arrays: tuple[Var | Const, ...]) -> str:
        remaining = iter(arrays)
        parts = [self.operand(next(remaining))[0] if p is HOLE else self.static(p)[0] for p in index.parts]
        return parts[0] if index.single else f"({', '.join(parts)})"


def _once(x: Var | Const) -> bool:
    """Whether an index names no element twice."""
    dtype: Any = x.dtype if isinstance(x, Var) else np.asarray(x.value).dtype
    shape = x.shape if isinstance(x, Var) else np.shape(x.value)
    return not shape or dtype.kind == "b"


def _is_plain_transpose(step: Step) -> bool:
    """Whether a step turns around the order of all axes, as ``x.T`` does."""
    values = list(step.params.values())
    if step.operation.name == "transpose":
        return not values or values == [None]
    if step.operation.name not in ("swapaxes", "matrix_transpose", "linalg.matrix_transpose"):
        return False
    return len(shape_of(step.inputs[0])) == 2 and (not values or sorted(int(v) % 2 for v in values) == [0, 1])


def _spelled_out(index: Index, x: Var | Const) -> Index:
    """``x[..., None]`` of a vector as people write it: ``x[:, None]``."""
    rank = len(shape_of(x))
    if rank > 3 or Ellipsis not in index.parts or not index.basic:
        return index
    colons = rank - sum(p is not None and p is not Ellipsis for p in index.parts)
    k = index.parts.index(Ellipsis)
    parts = (*index.parts[:k], *(slice(None),) * colons, *index.parts[k + 1 :])
    return Index(parts, len(parts) == 1)


_USUAL = {"np.absolute": "np.abs", "np.conjugate": "np.conj"}


def _takes_separately(step: Step) -> bool:
    """Whether a variadic function is written ``f(a, b)`` and not ``f([a, b])``."""
    operation = step.operation
    parameter = signature(operation.function).parameters.get(operation.operands[0])
    return parameter is None or parameter.kind is parameter.VAR_POSITIONAL
