"""Writes selected instances down as steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.ir import Const, Step, Var
from chainrule.ops import OPERATIONS
from chainrule.simplify.choices import Choice, Instance, size_of
from chainrule.simplify.free_steps import without_spare
from chainrule.simplify.read import Reader
from chainrule.simplify.repeats import frozen
from chainrule.simplify.scalars import UNIT, Coefficient, NoFormError, divided, is_plain, power_of, times
from chainrule.simplify.shapes import shape_of_call
from chainrule.simplify.values import Value
from chainrule.sizes import is_size, plain_number
from chainrule.writing import cast

__all__ = ["Emitter"]

_MINUS = Coefficient(Fraction(-1))
_BROADCASTING = (np.multiply, np.divide, np.add, np.subtract)
Operand = Var | Const


class Emitter:
    """Steps for instances, in the order in which they are asked for."""

    def __init__(self, reader: Reader, names: Mapping[Instance, Var], first: int, one_by_one: bool = False) -> None:
        self.reader = reader
        self._one_by_one = one_by_one  # whether arrays are divided by scalars, whose product may be zero, in turn
        self._several: dict[Any, list[Var]] = {}  # the outputs of operations that have several
        self.steps: list[Step] = []
        self.made: dict[Instance, Var] = {}
        self._names = names
        self._next = first
        self._scalars: dict[Coefficient, Operand] = {}
        self._rescaled: dict[int, tuple[Var, Coefficient]] = {}  # by scalar, what it is a multiple of
        self._spare: set[int] = set()
        self._unsqueezed: dict[int, Var] = {}  # what lost leading axes of length 1, by what is left
        self._known: dict[Any, Var] = {}
        self._last: Any = None  # the key of the last step, if it can be known again
        self._position: Any = None

    def emit(self, instance: Instance, choice: Choice) -> Var:
        """Write the steps of one instance; its operands have been written before."""
        value = self.reader.table.values[instance[0]]
        self._last = None
        self._position = self.reader.positions.get(instance[0])
        children = [self.made[c] for c in choice.children]
        wanted = self._names.get(instance)
        start = len(self.steps)
        var: Var = getattr(self, f"_emit_{choice.kind}")(value, choice, children)
        if choice.kind == "scale" and not value.dims and instance[1] == UNIT:
            self._combine(value, choice.payload, start)
        made = len(self.steps) > start and self.steps[-1].outputs == (var,)
        if made and wanted is not None and wanted.shape == var.shape and wanted.dtype == var.dtype:
            step = self.steps.pop()
            self.steps.append(Step(step.operation, step.inputs, step.params, (wanted,), step.position))
            if self._last is not None:
                self._known[self._last] = wanted
            var = wanted
        self.made[instance] = var
        return var

    def _emit_leaf(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        var: Var = choice.payload
        return var

    def _emit_scale(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        scale, var = choice.payload
        return self.scaled(scale, var if var is not None else children[0])

    def _emit_rescaled(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        inner, scale = choice.payload
        made: Var = getattr(self, f"_emit_{inner.kind}")(value, inner, children[: len(inner.children)])
        start = len(self.steps)
        result = self.scaled(scale, made)
        self._combine(value, (scale, made), start)
        return result

    def _combine(self, value: Value, multiple: tuple[Coefficient, Var | None], start: int) -> None:
        """A scalar that is a multiple of another is combined with others as such: ``s * s * x / s`` is ``s * x``."""
        if (x := multiple[1]) is not None:
            self._rescaled[value.number] = x, multiple[0]
            self._spare |= {out.number for step in self.steps[start:] for out in step.outputs}

    def without_spare(self, results: Sequence[Operand]) -> list[Step]:
        """The steps, but for scalars that were combined with others, and views, which are not needed by themselves."""
        kept = without_spare(self.steps, results, self._spare)
        left = {out.number for step in kept for out in step.outputs}
        self.removed = {out.number for step in self.steps for out in step.outputs} - left
        return kept

    def _emit_prod(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        scale, powers = choice.payload
        factors = list(zip(children[: len(powers)], powers, strict=True))
        if len(factors) == 1:
            return self._single(scale, *factors[0])
        # Integers are multiplied one after another into a float: a power of theirs may leave their range.
        factors = [
            (x if whole or abs(p) == 1 else self._raised(x, abs(p)), 1 if p > 0 else -1)
            for x, p in factors
            for whole in [x.dtype.kind == "i"]
            for _ in range(abs(p) if whole else 1)
        ]
        # Small arrays first; among equals numerators first, so that a division comes last.
        factors.sort(key=lambda e: (size_of(e[0].shape), e[1] < 0, e[0].dtype.kind in "bi", e[0].number))
        above = next((k for k, (x, p) in enumerate(factors) if p > 0 and x.dtype.kind not in "bi"), None)
        if above is None:
            above = next((k for k, (_, p) in enumerate(factors) if p > 0), None)
        if above is None:
            x, _ = factors.pop(0)
            result = self._step(np.divide, (self.scalar(scale), x))
        else:
            x, _ = factors.pop(above)
            if scale == UNIT and not any(y.dtype == self.reader.dtype for y, _ in [(x, 1), *factors]):
                result = self._step(cast, (x,), {"dtype": self.reader.dtype})
            else:
                result = self.scaled(scale, x)
        for x, p in factors:
            result = self._step(np.multiply if p > 0 else np.divide, (result, x))
        return result

    def _single(self, scale: Coefficient, x: Var, p: Any) -> Var:
        if p == 1:
            return self.scaled(scale, x)
        if p == -1:
            return self._step(np.divide, (self.scalar(scale), x))
        if x.dtype.kind == "i":
            x = self._step(cast, (x,), {"dtype": self.reader.dtype})
        return self.scaled(scale, self._raised(x, p))

    def _raised(self, x: Var, p: Any) -> Var:
        if p == Fraction(1, 2):
            return self._step(np.sqrt, (x,))
        return self._step(np.power, (x, Const(int(p) if Fraction(p).denominator == 1 else float(p))))

    def _emit_sum(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        signs, constants = choice.payload
        given = zip(children[: len(signs)], signs, strict=True)
        terms: list[tuple[Operand, int]] = [*sorted(given, key=lambda e: (e[0].dtype.kind in "bi", e[0].number))]
        if terms and all(x.dtype.kind in "bi" for x, _ in terms if isinstance(x, Var)):
            terms[0] = (self._step(cast, (terms[0][0],), {"dtype": self.reader.dtype}), terms[0][1])
        if constants:
            # All scalars together are one term; in front where it is the only positive one, 1 - p, or all are negative.
            lead = -1 if constants[0].number < 0 and any(sign > 0 for _, sign in terms) else 1
            total = self.scalar(constants[0] if lead > 0 else times(_MINUS, constants[0]))
            for c in constants[1:]:
                sign = -lead if c.number < 0 else lead
                amount = self.scalar(times(_MINUS, c) if c.number < 0 else c)
                total = self._step(np.add if sign > 0 else np.subtract, (total, amount))
            terms.append((total, lead))
        first = next((k for k, (_, sign) in enumerate(terms) if sign > 0), None)
        if first is None:
            x, _ = terms.pop(0)
            result: Operand = self._step(np.negative, (x,))
        else:
            result, _ = terms.pop(first)
        for x, sign in terms:
            result = self._step(np.add if sign > 0 else np.subtract, (result, x))
        if not isinstance(result, Var):
            raise NoFormError("a sum of numbers only")
        return result

    def _emit_reduce(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        details, operands = choice.payload
        axes, mapping = details[:2]
        mean = len(details) == 3
        x = children[0]
        rank = len(operands[0][1].dims)
        if len(x.shape) != rank:
            raise NoFormError("an operand of a sum is not of its full shape")
        params: dict[str, Any] = {}
        if len(axes) != rank or mapping is not None:
            params["axis"] = axes[0] if len(axes) == 1 else tuple(axes)
        kept = [k for k in range(rank) if k not in axes]
        whole = [kept.index(k) if k in kept else None for k in range(rank)]
        while whole and whole[0] is None:
            whole.pop(0)
        # Leading axes are not kept: the value has none of length 1.
        if mapping is not None and list(mapping) == whole and len(whole) == rank:
            params["keepdims"] = True
            if x.dtype.kind in "bi":
                params["dtype"] = self.reader.dtype
            return self._step(np.mean if mean else np.sum, (x,), params)
        if mapping is not None and list(mapping) == list(range(len(kept))):
            mapping = None
        if x.dtype.kind in "bi":
            params["dtype"] = self.reader.dtype
        result = self._step(np.mean if mean else np.sum, (x,), params)
        return result if mapping is None else self._viewed(result, mapping)

    def _emit_matmul(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        return self._step(np.matmul, tuple(children))

    def _emit_view(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        mapping, operands = choice.payload
        x = children[0]
        missing = len(x.shape) - len(operands[0][1].dims)
        if missing:
            mapping = [None if a is None else a + missing for a in mapping]
        return self._viewed(x, mapping)

    def _emit_cut(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        (x,) = self._operands(choice.payload[1], children)
        if not isinstance(x, Var):
            raise NoFormError("a number in place of an array")
        return x

    def _emit_where(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        return self._step(np.where, tuple(self._operands(choice.payload[1], children)))

    def _emit_scatter(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        step, operands = choice.payload
        base, *others = self._operands(operands, children)
        base = self._start(value, operands, base)
        out = self._new(value.shape, self.reader.dtype)
        self.steps.append(Step(step.operation, (base, *others), self._statics(step), (out,), self._position))
        self._last = None
        return out

    def _start(self, value: Value, operands: Sequence[Any], base: Operand) -> Operand:
        """The array that something is added to, in its full shape and dtype."""
        if not isinstance(base, Var):
            return base
        if base.shape != value.shape:
            return self._full(value, operands[0], [base])
        return base if base.dtype == self.reader.dtype else self._step(cast, (base,), {"dtype": self.reader.dtype})

    def _emit_subtracted(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        """A scatter of minus an amount, which is written as a subtraction in place."""
        details, operands = choice.payload
        step = details[1] if isinstance(details, tuple) else details
        base, amount, *arrays = self._operands(operands, children)
        base = self._start(value, operands, base)
        if isinstance(amount, Var):
            if amount.dtype.kind in "bi":
                amount = self._step(cast, (amount,), {"dtype": self.reader.dtype})
            # Never shared: each is the sign of its own subtraction.
            minus = self._new(amount.shape, amount.dtype)
            self.steps.append(Step(OPERATIONS[np.negative], (amount,), {}, (minus,), self._position))
            amount = minus
        else:
            amount = Const(-amount.value)
        out = self._new(value.shape, self.reader.dtype)
        inputs = (base, amount, *arrays)
        self.steps.append(Step(step.operation, inputs, self._statics(step), (out,), self._position))
        self._last = None
        return out

    def _emit_joined(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        """Arrays side by side, each in its full shape."""
        axis, operands = choice.payload
        out, parts = self._new(value.shape, self.reader.dtype), tuple(self._operands(operands, children))
        self.steps.append(Step(OPERATIONS[np.concatenate], parts, {"axis": axis}, (out,), self._position))
        self._last = None
        return out

    def _statics(self, step: Step) -> dict[str, Any]:
        """The static arguments of a step, with sizes that refer to what is there still."""
        return {name: self.reader.lengths.rewritten(p) for name, p in step.params.items()}

    def _emit_op(self, value: Value, choice: Choice, children: Sequence[Var]) -> Var:
        details, operands = choice.payload
        operation, step, k, _ = details
        if operation == "full":
            lazy = operands[0][1].kind == "one"
            return self._full(value, operands[0], [] if lazy else children)
        inputs = tuple(self._operands(operands, children))
        key = (id(step), tuple(x.number if isinstance(x, Var) or x.number >= 0 else repr(x.value) for x in inputs))
        if key in self._several:
            known: Var = self._several[key][k]
            return known
        outputs: list[Var] = [self._new(out.shape, out.dtype) for out in step.outputs]
        if len(outputs) > 1:
            self._several[key] = outputs
        self.steps.append(Step(operation, inputs, self._statics(step), tuple(outputs), self._position))
        self._last = None
        made: Var = outputs[k]
        return made

    def _full(self, value: Value, ref: Any, children: Sequence[Var]) -> Var:
        """A lazy value in its full shape and dtype."""
        coefficient, inner = ref
        x: Operand = children[0] if children else self.scalar(coefficient)
        shape = tuple(self._length(d) for d in value.dims)
        if value.floating and isinstance(x, Var) and x.dtype != self.reader.dtype:
            x = self._step(cast, (x,), {"dtype": self.reader.dtype})
        if value.floating and not isinstance(x, Var) and not isinstance(plain_number(x.value), float):
            x = Const(1.0 * x.value if is_size(x.value) else float(x.value))
        if isinstance(x, Var) and x.shape == value.shape:
            return x
        return self._step(np.broadcast_to, (x,), {"shape": shape}, value.shape)

    def _length(self, dim: Any) -> Any:
        if dim.one:
            return 1
        return self.reader.lengths.number(dim.count(), True)

    def _operands(self, operands: Sequence[Any], children: Sequence[Var]) -> list[Operand]:
        arrays = iter(children)
        result: list[Operand] = []
        for r in operands:
            if isinstance(r, Const):
                result.append(r)
            elif isinstance(r[1], Value):
                result.append(next(arrays) if r[1].kind != "one" else self.scalar(r[0]))
            else:
                raise NoFormError("an operand has no value")
        return result

    # ---- pieces

    def _viewed(self, x: Var, mapping: Sequence[int | None]) -> Var:
        mapping = list(mapping)
        used = [a for a in mapping if a is not None]
        result = x
        dropped = tuple(a for a in range(len(x.shape)) if a not in used)
        if dropped:
            result = self._step(np.squeeze, (result,), {"axis": dropped[0] if len(dropped) == 1 else dropped})
            if used == mapping == list(range(len(dropped), len(x.shape))):
                self._unsqueezed[result.number] = x
                self._spare.add(result.number)
            used = [a - sum(d < a for d in dropped) for a in used]
        if used != list(range(len(used))):
            if len(used) == 2:
                result = self._step(np.transpose, (result,))
            else:
                result = self._step(np.transpose, (result,), {"axes": tuple(used)})
        inserted = tuple(k for k, a in enumerate(mapping) if a is None)
        if inserted:
            result = self._step(np.expand_dims, (result,), {"axis": inserted[0] if len(inserted) == 1 else inserted})
        return result

    def aligned(self, x: Var, rank: int, value: int) -> Var:
        """The array of a value with leading axes of length 1 added or dropped."""
        self._position = self.reader.positions.get(value)
        more = rank - len(x.shape)
        if more > 0 and x.shape:
            return self._step(np.expand_dims, (x,), {"axis": tuple(range(more)) if more > 1 else 0})
        if more < 0 and all(n == 1 for n in x.shape[:-rank]) and rank:
            return self._step(np.squeeze, (x,), {"axis": tuple(range(-more)) if more < -1 else 0})
        return x

    def scaled(self, scale: Coefficient, x: Var) -> Var:
        """``scale * x``; divided by a length or a whole number where that is what it is."""
        if scale == UNIT:
            return x
        if x.dtype.kind in "bi" and (scale == _MINUS or self.reader.dtype.char == "f"):
            x = self._step(cast, (x,), {"dtype": self.reader.dtype})
        if scale == _MINUS:
            return self._step(np.negative, (x,))
        inverse = power_of(scale, -1)
        assert inverse is not None
        if self._one_by_one and x.shape and (parts := divided(scale)):
            return self.scaled(parts[0], self.scaled(parts[1], x))
        if is_plain(inverse) and not is_plain(scale):
            return self._step(np.divide, (x, self.scalar(inverse)))
        minus = times(_MINUS, inverse)
        if scale.atoms and is_plain(minus) and not is_plain(scale) and minus.number == 1:
            return self._step(np.divide, (x, self.scalar(inverse)))
        return self._step(np.multiply, (self.scalar(scale), x))

    def scalar(self, coefficient: Coefficient) -> Operand:
        """A scalar as an operand: a literal, a size, or a variable of the forward pass or made here."""
        found = self._scalars.get(coefficient)
        if found is None:
            found = self._scalars[coefficient] = self._new_scalar(coefficient)
        return found

    def _new_scalar(self, coefficient: Coefficient) -> Operand:
        held = self.reader.scalars.get(coefficient)
        if held is not None:
            return held
        for key, p in coefficient.atoms:
            if key[0] == "v" and key[1] in self._rescaled and type(p) is int:
                scale = power_of(self._rescaled[key[1]][1], p)
                other = times(coefficient, Coefficient(Fraction(1), ((key, -p),)))
                if scale is not None:
                    return self._with_power(times(other, scale), self._rescaled[key[1]][0], p)
        runtime = [(k[1], p) for k, p in coefficient.atoms if k[0] == "v"]
        fixed = Coefficient(coefficient.number, tuple((k, p) for k, p in coefficient.atoms if k[0] != "v"))
        number = self.reader.lengths.number(fixed, self.reader.dtype is not None and self.reader.dtype.char == "d")
        if not runtime:
            return Const(number)
        above = [x for n, p in runtime if p > 0 for x in self._repeated(self.made[n, UNIT], p)]
        below = [x for n, p in runtime if p < 0 for x in self._repeated(self.made[n, UNIT], -p)]
        result: Operand | None = None if fixed in (UNIT, _MINUS) and above else Const(number)
        for x in above:
            result = x if result is None else self._step(np.multiply, (result, x))
        assert result is not None
        for x in below:
            result = self._step(np.divide, (result, x))
        return self._step(np.negative, (result,)) if fixed == _MINUS and above else result

    def _with_power(self, coefficient: Coefficient, x: Var, p: int) -> Operand:
        """A scalar times a power of another."""
        if coefficient == UNIT and p == 1:
            return x
        raised = x if abs(p) == 1 else self._raised(x, abs(p))
        if coefficient == _MINUS and p > 0:
            return self._step(np.negative, (raised,))
        return self._step(np.multiply if p > 0 else np.divide, (self.scalar(coefficient), raised))

    def _repeated(self, x: Var, p: Any) -> list[Var]:
        """The factors of a power: small ones one after another, as a square overflows where its root does not."""
        if p in (1, 2, 3):
            return [x] * int(p)
        return [self._raised(x, p)]

    def _new(self, shape: tuple[int, ...], dtype: Any) -> Var:
        self._next += 1
        return Var(shape, dtype, None, self._next)

    def _step(
        self,
        function: Any,
        inputs: tuple[Operand, ...],
        params: Mapping[str, Any] | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> Var:
        """A step, with the shape and dtype that NumPy gives."""
        params = params or {}
        if function in _BROADCASTING:
            # Among arrays of more axes, leading ones of length 1 may stay.
            rank = max((len(x.shape) for x in inputs if isinstance(x, Var)), default=0)
            whole = {x.number: y for x in inputs if (y := self._unsqueezed.get(x.number)) and len(y.shape) <= rank}
            inputs = tuple(whole.get(x.number, x) for x in inputs)
        if shape is None:
            shape = shape_of_call(function, inputs, params)
        operands = tuple(x.number if isinstance(x, Var) or x.number >= 0 else frozen(x.value) for x in inputs)
        key = (function, operands, frozen(tuple(params.items())))
        if key in self._known:
            return self._known[key]
        dtype = self._dtype_of(function, inputs, params)
        out = self._new(shape, dtype)
        self.steps.append(Step(OPERATIONS[function], inputs, params, (out,), self._position))
        self._known[key] = out
        self._last = key
        return out

    def _dtype_of(self, function: Any, inputs: tuple[Operand, ...], params: Mapping[str, Any]) -> Any:
        if function in (np.transpose, np.expand_dims, np.squeeze, np.broadcast_to) and isinstance(inputs[0], Var):
            return inputs[0].dtype
        return params.get("dtype", self.reader.dtype)
