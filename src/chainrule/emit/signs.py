"""Minus signs in expressions: where they stand so that no array is negated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.emit.operands import outer_operands
from chainrule.emit.spelling import BINARY, Spelling
from chainrule.emit.text import ATOM, SIGN, Mask, Text, join, tight, with_sign
from chainrule.emit.values import Values, has_lengths
from chainrule.ir import Const, Step, Var
from chainrule.sizes import is_size, plain_number
from chainrule.statements.statement import Statements

__all__ = ["LINEAR", "Signs"]

LINEAR = frozenset({"sum", "mean"})


def _unit(x: Var | Const) -> float:
    """1 or -1 where an operand is that number, and 0 else."""
    if not isinstance(x, Const) or x.number >= 0 or (is_size(x.value) and has_lengths(x.value)):
        return 0.0
    value = plain_number(x.value) if is_size(x.value) else x.value
    return float(value) if type(value) in (int, float) and abs(value) == 1 else 0.0


class Signs(Values):
    """Writes sums, products and quotients of the backward pass with their signs."""

    def __init__(
        self,
        statements: Statements,
        literals: Mapping[float, str],
        variables: Mapping[int, Var | Const],
        lengths: Mapping[tuple[int, int | None], str],
        forward: Sequence[Step],
    ) -> None:
        super().__init__(statements, literals, variables, lengths)
        self.folded = statements.folded
        self.forward: set[int] = {id(s) for s in forward}
        # What was written for each folded variable, where it is known to stay as it is.
        self.texts: dict[int, Text] | None = None
        self.signed_texts: dict[int, tuple[bool, Text]] = {}

    def keep(self) -> None:
        """Keep what is written from now on: of deep expressions each part is asked for again and again."""
        self.texts, self.signed_texts = {}, {}

    def operand(self, x: Var | Const) -> Text:
        """An operand: a name, a literal, or the expression of what is folded in."""
        raise NotImplementedError("the printer of expressions says how")

    def step(self, step: Step) -> Text:
        """The expression of a step."""
        raise NotImplementedError("the printer of expressions says how")

    def call(self, step: Step, spelling: Spelling, first: Text | None = None) -> str:
        """A call of the function of a step."""
        raise NotImplementedError("the printer of expressions says how")

    def sum_of(self, left: Var | Const, right: Var | Const, symbol: str) -> Text:
        """A sum or difference: x + -y, and -x + y, are differences, to the last bit."""
        minus, first = self.signed(left)
        other, second = self.signed(right)
        if minus and not other and symbol == "+":
            return join(second, "-", first)
        return join(with_sign(minus, first), "-" if other is (symbol == "+") else "+", second)

    def below(self, step: Step) -> Text | None:
        """``x / -n`` where ``-x / n`` would be one array operation more."""
        left, right = step.inputs
        if not step.outputs[0].shape:
            return None
        first_step = self.folded.get(left.number) if isinstance(left, Var) else None
        if first_step is not None and id(first_step) not in self.forward and not self.signed(right)[0]:
            inner = self.below(first_step) if first_step.operation.name in ("multiply", "divide") else None
            if inner is not None:
                return join(inner, BINARY[step.operation.name], self.signed(right)[1])
        pairs = ((left, right), (right, left)) if step.operation.name == "multiply" else ((left, right),)
        for x, scalar in pairs:
            if not isinstance(scalar, Const) or scalar.number >= 0 or not is_size(scalar.value):
                continue
            head, first, *rest = scalar.value.expression
            if head != ("truediv" if step.operation.name == "multiply" else "mul") or has_lengths(first):
                continue
            minus, text = self.signed(x)
            number = plain_number(first)
            if number == -1 and not minus:
                return join(text, "/", (f"-{tight(self.static(rest[0]))}", SIGN))
            if head == "mul" and number < 0 and not minus and not self._begins_with_scalar(x):
                whole = int(number) if number == int(number) else number
                return join(text, "/", join((f"{whole}", SIGN), "*", self.static(rest[0])))
        return None

    def absorbed(self, step: Step) -> Text | None:
        """``x / -s`` with a scalar s for ``-x / s``, and ``x * (b - a)`` for ``-x * (a - b)``: no array is negated."""
        left, right = step.inputs
        symbol = BINARY[step.operation.name]
        if not step.outputs[0].shape or self._begins_with_scalar(left):
            return None
        (minus, first), (other, second) = self.signed(left), self.signed(right)
        for x, turned in ((right, True), (left, False)):
            if self._is_difference(x):
                opposite, text = self._opposite(x)
                if not opposite:
                    return join(first, symbol, text) if turned else join(text, symbol, second)
        if symbol == "/" and isinstance(right, Var) and not right.shape and minus is not other:
            return join(first, "/", (f"-{tight(second)}", SIGN))
        return None

    def _begins_with_scalar(self, x: Var | Const) -> bool:
        """Whether an operand is written with a number in front, which a minus sign costs nothing."""
        while isinstance(x, Var) and x.shape:
            step = self.folded.get(x.number)
            if step is None or step.operation.name not in ("multiply", "divide", "matmul"):
                return False
            x = step.inputs[0]
        return True

    def _begins_with_array(self, x: Var | Const) -> bool:
        """Whether a number is written as a product of arrays, which a minus sign in front would negate."""
        while isinstance(x, Var) and (step := self.folded.get(x.number)) is not None:
            if step.operation.name not in ("multiply", "divide", "matmul", "dot"):
                return False
            x = step.inputs[0]
        return isinstance(x, Var) and bool(x.shape)

    def signed(self, x: Var | Const) -> tuple[bool, Text]:
        """An operand without the minus signs in front of it, which products, quotients and sums hand on exactly."""
        step = self.folded.get(x.number) if isinstance(x, Var) else None
        if step is not None and id(step) not in self.forward and len(step.outputs) == 1:
            found = self.signed_texts.get(x.number)
            if found is None:
                found = self.signed_step(step)
                if self.texts is not None:
                    self.signed_texts[x.number] = found
            return found
        head = x.value.expression[0] if isinstance(x, Const) and x.number < 0 and is_size(x.value) else ""
        if isinstance(x, Const) and head == "neg":
            minus, whole_text = self.signed(Const(x.value.expression[1]))
            return not minus, whole_text
        if isinstance(x, Const) and head == "mul" and _unit(Const(x.value.expression[1])) < 0:
            minus, whole_text = self.signed(Const(x.value.expression[2]))  # -dt for -1 * dt
            return not minus, whole_text
        if isinstance(x, Const) and head == "truediv":
            top, bottom = x.value.expression[1:]
            if not has_lengths(top):
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
            if name == "multiply" and (vectors := outer_operands(left, right, self.folded)):
                return False, (f"np.outer({', '.join(self.operand(x)[0] for x in vectors)})", ATOM)
            if name == "multiply":
                for one, x in ((left, right), (right, left)):
                    unit = _unit(one)
                    if (
                        unit
                        and isinstance(x, Var)
                        and (x.shape, x.dtype) == (step.outputs[0].shape, step.outputs[0].dtype)
                    ):
                        return self._opposite(x) if unit < 0 else self.signed(x)  # -1 / x for -1.0 * (1 / x)
            divided = self._divided(left, right) if name == "divide" else self._scaled(left, right)
            scaled = divided or (self._scaled(right, left) if name == "multiply" else None)
            if scaled is not None:
                return scaled
            minus, first = self.signed(left)
            other, second = self.signed(right)
            return minus is not other, join(first, "*" if name == "multiply" else "/", second)
        if name in LINEAR and len(step.inputs) == 1:
            minus, text = self.signed(step.inputs[0])
            return minus, (self.call(step, Spelling(), text), ATOM)
        text = self.step(step)
        masked = step.outputs[0].dtype.kind in "bu"
        return False, (Mask(text[0]), text[1]) if masked else text

    def _is_difference(self, x: Var | Const) -> bool:
        step = self.folded.get(x.number) if isinstance(x, Var) else None
        return step is not None and step.operation.name == "subtract" and id(step) not in self.forward

    def _opposite(self, x: Var | Const) -> tuple[bool, Text]:
        """``-x``: of a difference, the difference the other way round."""
        step = self.folded.get(x.number) if isinstance(x, Var) else None
        if step is not None and step.operation.name == "subtract" and not step.params:
            (minus, left), (other, right) = map(self.signed, step.inputs)
            if not minus and not other:
                return False, join(right, "-", left)
        if step is not None and step.operation.name == "matmul" and not step.params and id(step) not in self.forward:
            for k in (0, 1):
                turned = [self._opposite(x) if n == k else (False, self.operand(x)) for n, x in enumerate(step.inputs)]
                if self._is_difference(step.inputs[k]) and not turned[k][0]:
                    return False, join(turned[0][1], "@", turned[1][1])
        minus, text = self.signed(x)
        if step is not None and not step.outputs[0].shape and not minus and self._begins_with_array(x):
            return True, (f"({text[0]})", ATOM)  # -a @ b negates all of a
        return not minus, text

    def _scaled(self, scale: Var | Const, x: Var | Const) -> tuple[bool, Text] | None:
        """``(c / n) * x`` with a size n, without its sign: ``c / n * x``, one array operation, or ``x / n``."""
        if not isinstance(scale, Const) or scale.number >= 0 or not is_size(scale.value):
            return None
        head, *operands = scale.value.expression
        if head != "truediv":
            return None
        numerator, denominator = operands
        negative = not has_lengths(numerator) and plain_number(numerator) < 0
        minus, text = self._opposite(x) if negative else self.signed(x)
        if not has_lengths(numerator):
            number = abs(plain_number(numerator))
            top = None if number == 1 else self.number(number)
        else:
            top = self.size(numerator)
        bottom = self.size(denominator) if is_size(denominator) else self.number(denominator)
        if top is None:
            return minus, join(text, "/", bottom)
        return minus, join(join(top, "/", bottom), "*", text)

    def _divided(self, x: Var | Const, divisor: Var | Const) -> tuple[bool, Text] | None:
        """``x / (0.5 * n)`` with a size n, as a person writes it: ``2 / n * x``; no sign stays below the line."""
        if not isinstance(divisor, Const) or divisor.number >= 0 or not is_size(divisor.value):
            return None
        head, *operands = divisor.value.expression
        if head != "mul" or has_lengths(operands[0]):
            return None
        factor, size = plain_number(operands[0]), self.static(operands[1])
        minus, text = self._opposite(x) if factor < 0 else self.signed(x)
        factor = abs(factor)
        if factor == 1:
            return minus, join(text, "/", size)
        if (1 / factor).is_integer():
            return minus, join(join(self.number(int(1 / factor)), "/", size), "*", text)
        whole = int(factor) if factor == int(factor) else factor
        return minus, join(text, "/", join(self.number(whole), "*", size))
