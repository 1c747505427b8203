"""Reads the steps of a program as values in normal form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.indexing import get_item
from chainrule.ir import Const, Step, Var
from chainrule.rules.helpers import normalise_axes
from chainrule.simplify.exponents import Exponents
from chainrule.simplify.free_steps import WRITTEN, linear_operands
from chainrule.simplify.functions import merge_factors, note_share, settled, special_sum, tied_share
from chainrule.simplify.lengths import join_lengths
from chainrule.simplify.linear_algebra import inner_product, is_identity, product_with_vectors, trace
from chainrule.simplify.literals import WHOLE, Literal, frozen, frozen_params, is_exact, is_zero
from chainrule.simplify.normal_form import Table
from chainrule.simplify.powers import Powers
from chainrule.simplify.properties import decided, suppose
from chainrule.simplify.scalars import UNIT, Coefficient, Lengths, power_of, times
from chainrule.simplify.structure import is_long
from chainrule.simplify.symmetry import is_symmetric, same_sum
from chainrule.simplify.values import Power, Recipe, Ref, Value
from chainrule.writing import cast

__all__ = ["Algebra", "Reader"]


# How a step is read, by the function of its operation; the table itself is :mod:`chainrule.simplify.algebra`.
Algebra = Mapping[Any, "Callable[[Reader, Step], Ref | None]"]


class Reader:
    """Values for the variables of a backward pass."""

    def __init__(self, backward: Backward, algebra: Algebra) -> None:
        self.backward = backward
        self.algebra = algebra
        self.program = program = backward.program
        self.lengths = Lengths()
        join_lengths(self.program, backward.links, self.lengths, backward.likes)
        forward = self.program.steps[: backward.forward_steps]
        self.lengths.available.update(x.number for x in program.inputs)
        self.lengths.available.update(c.number for c in program.constants)
        self.lengths.available.update(out.number for step in forward for out in step.outputs)
        self.table = Table(self.lengths.one)
        self.table.merge_factors = self._merge_factors
        self.table.settled = settled
        self.table.is_symmetric, self.table.same_sum = is_symmetric, same_sum
        self.table.summands = self.lengths.summands
        self.table.special_matmul = product_with_vectors
        self.table.special_sum = lambda table, inner, axes: special_sum(table, inner, axes, self.dtype)
        self.refs: dict[int, Ref] = {}
        self.variables: dict[int, Var] = {}
        self.scalars: dict[Coefficient, Var] = {}  # held by variables of the forward pass
        self.positions: dict[int, Any] = {}  # by value, where it was first needed
        self.forward_values: set[int] = set()
        self.written: set[int] = set(backward.added_up)
        self.zeros: set[int] = set()  # variables of the backward pass that are proved to be zero
        self.unit_matrices: set[int] = set()
        self.producers: dict[int, Step] = {out.number: s for s in self.program.steps for out in s.outputs}
        self.powers = Powers(producers=self.producers)
        self.exponents = Exponents()
        self.primals: dict[int, Var] = {}  # by cotangent
        variables = self.program.by_number()
        for v, shares in (*backward.contributions.items(), *((v, ((0, g),)) for v, g in backward.links.items())):
            primal = variables.get(v)
            for _, g in shares:
                if type(g) is int and isinstance(primal, Var):
                    self.primals.setdefault(g, primal)
        self.symmetric_totals: set[int] = set()
        self.inverses: dict[int, Value] = {}  # by matrix, its inverse as the solution for an identity matrix
        self.solved: set[int] = set()  # matrices of systems that the forward pass solves
        self.diagonals: dict[int, Ref] = {}  # matrices of which the diagonal is taken, times the identity matrix
        self.zero_positions: dict[int, Any] = {}
        self.wholes = {g for g in backward.links.values() if type(g) is int}
        self.made_by: dict[int, int] = {}  # by value, the backward step that makes it
        dtypes = {
            x.dtype
            for x in (*self.program.inputs, *(o for s in self.program.steps for o in s.outputs))
            if x.dtype.kind in "fc" and x.shape
        }
        # What is complex has no structure here, as functions of it are not polynomials of it alone.
        real = [dtype for dtype in dtypes if dtype.kind == "f"]
        self.dtype: Any = real[0] if len(real) == 1 and real[0].char in "fd" else None
        self.table.steps = len(self.program.steps) - len(forward)
        self.table.double = self.dtype is not None and self.dtype.char == "d"

    def _merge_factors(self, table: Table, powers: dict[Value, Power]) -> Ref | None:
        return self.powers.merge(table, powers) or merge_factors(table, powers)

    def read(self) -> None:
        for x in self.program.inputs:
            self._bind_leaf(x)
        for c in self.program.constants:
            array = np.asarray(c.value)
            var = Var(array.shape, array.dtype, c.name, c.number)
            known = self.lengths.coefficient(array.item()) if not array.shape and c.name is None else None
            if known is not None:
                self.variables[var.number] = var
                self.refs[c.number] = (known, self.table.one)
            else:
                self._bind_leaf(var)
                if c.name is None and array.ndim == 2 and np.array_equal(array, np.eye(len(array))):
                    self.unit_matrices.add(self.refs[c.number][1].number)  # a rule's, so nobody writes into it
        for number, step in enumerate(self.program.steps):
            self.table.forward = number < self.backward.forward_steps
            before = len(self.table.values)
            if number == self.backward.forward_steps:
                self.forward_values.update(range(before))
            if self.table.forward:
                self._forward(step)
            else:
                self._backward(number, step)
            for value in self.table.values[before:]:
                self.positions[value.number] = step.position
            if not self.table.forward and step.operation.name in WRITTEN:
                self.positions[self.refs[step.outputs[0].number][1].number] = step.position

    def _bind_leaf(self, x: Var) -> None:
        self.variables[x.number] = x
        value = self.table.leaf(x, self.lengths.dims(x.number), x.dtype == self.dtype)
        if not x.shape:
            self.scalars[self.table.ref(UNIT, value)[0]] = x
        self.refs[x.number] = self.table.ref(UNIT, value)
        self._suppose(x)

    def _suppose(self, x: Var) -> None:
        """Take up what the reader assumes of a variable."""
        if facts := self.program.facts.get(x.number):
            suppose(self.table, self.refs[x.number], self.producers.get(x.number), x.shape, facts)

    def _forward(self, step: Step) -> None:
        found = self._algebra(step)
        for k, out in enumerate(step.outputs):
            self.variables[out.number] = out
            ref = found if found is not None else self.opaque(step, k)
            value = ref[1]
            if value.kind != "sum" and is_long(self.table, ref, True):
                self._bind_leaf(out)  # a product of many factors is an atom, as sums are
                continue
            if value.kind == "sum":
                leaf = self.table.leaf(out, self.lengths.dims(out.number), out.dtype == self.dtype)
                ref = self.table.define_sum(ref, leaf)
                if ref[1].kind != "leaf":
                    self._hold(ref, out)
            elif value is self.table.one and not out.shape:
                self._hold_scalar(ref[0], out)
            elif step.operation.name not in WRITTEN:  # the user's np.zeros_like is for them to write into
                self._hold(ref, out)
            self.refs[out.number] = ref
            self._suppose(out)
            x = step.inputs[0] if step.inputs else None
            if step.operation.function is np.sqrt and isinstance(x, Var) and x.shape and ref[1].kind == "op":
                # The square of a root is what the root was taken of.
                self._hold(self.table.product(UNIT, ((ref[1], 2),)), x)

    def _hold_scalar(self, coefficient: Coefficient, out: Var) -> None:
        """Note that a forward variable holds a scalar."""
        self.scalars.setdefault(coefficient, out)
        runtime = [(k, p) for k, p in coefficient.atoms if k[0] == "v"]
        new = [e for e in runtime if e[1] == 1 and not self.table.values[e[0][1]].leaves]
        if (len(runtime) == 1 and runtime[0][1] == 1) or len(new) == 1:
            runtime = new or runtime
            base = self.table.values[runtime[0][0][1]]
            base.leaves.append((times(coefficient, Coefficient(Fraction(1), ((runtime[0][0], -1),))), out))

    def _hold(self, ref: Ref, out: Var) -> None:
        """Note that a forward variable holds a value."""
        coefficient, value = ref
        if value.dims != self.lengths.dims(out.number) and value.shape != out.shape:
            self._hold_kept(ref, out)
            return
        if value.floating == (out.dtype == self.dtype):
            value.leaves.append((coefficient, out))
        if value.kind == "view":
            inverse = [
                value.details.index(k) if k in value.details else None for k in range(len(value.parts[0][1].dims))
            ]
            if None not in inverse and set(value.details) - {None} == set(range(len(inverse))):
                base = value.parts[0][1]
                base.recipes.append(Recipe("view", UNIT, ((UNIT, value),), tuple(inverse), "view of the forward pass"))

    def _hold_kept(self, ref: Ref, out: Var) -> None:
        """Note that a forward variable holds a value with leading axes of length 1 kept."""
        coefficient, value = ref
        if value.dims:
            self._hold_leading(ref, out)
            return
        atoms = [(k, p) for k, p in coefficient.atoms if k[0] == "v"]
        if value is not self.table.one or len(atoms) != 1 or atoms[0][1] != 1 or out.dtype != self.dtype:
            return
        below = power_of(times(coefficient, Coefficient(Fraction(1), ((atoms[0][0], -1),))), -1)
        scalar = self.table.values[atoms[0][0][1]]
        if below is not None and not scalar.leaves:
            leaf = self.table.leaf(out, self.lengths.dims(out.number), True)
            scalar.recipes.append(Recipe("view", below, ((UNIT, leaf),), (), "view of the forward pass"))

    def _hold_leading(self, ref: Ref, out: Var) -> None:
        """Note what a forward variable holds behind its axes of length 1: ``E.sum(axis=0, keepdims=True)``."""
        value = ref[1]
        kept = tuple(range(len(out.shape) - len(value.dims), len(out.shape)))
        below = None if value.leaves or not value.floating or out.dtype != self.dtype else power_of(ref[0], -1)
        if (1,) * kept[0] + value.shape == out.shape and below is not None:
            leaf = self.table.leaf(out, self.lengths.dims(out.number), True)
            value.recipes.append(Recipe("view", below, ((UNIT, leaf),), kept, "view of the forward pass"))

    def _backward(self, number: int, step: Step) -> None:
        found = self._algebra(step)
        for k, out in enumerate(step.outputs):
            self.variables[out.number] = out
            ref = found if found is not None else self.opaque(step, k)
            self.refs[out.number] = self.table.cut(ref) if is_long(self.table, ref, out.number in self.wholes) else ref
            if not ref[0].number and step.inputs:
                self.zeros.add(out.number)
                self.zero_positions[out.number] = step.position
            if found is not None:
                self._mechanical(step, ref)
            self.made_by.setdefault(ref[1].number, number)

    # ---- algebra

    def operand(self, x: Var | Const) -> Ref | None:
        """An operand of an operation that broadcasts."""
        if isinstance(x, Const) and x.number < 0:
            known = self.lengths.coefficient(x.value)
            return None if known is None else (known, self.table.one)
        if self.dtype is None:
            return None
        dtype = self.variables[x.number].dtype
        return self.refs[x.number] if dtype == self.dtype or is_exact(dtype) else None

    def fitted(self, x: Var | Const) -> Ref | None:
        """An operand in its full shape and dtype."""
        ref = self.operand(x)
        if ref is None or isinstance(x, Const):
            return ref
        var = self.variables[x.number]
        coefficient, value = ref
        if not var.shape:
            return ref
        if value.floating != (var.dtype == self.dtype) or value.shape != var.shape:
            return self.leaf_of(x)
        return ref

    def leaf_of(self, x: Var) -> Ref:
        """A variable as it is, made by its own step."""
        dims = self.lengths.dims(x.number)
        coefficient, value = self.refs[x.number]
        key = ("full", value.number, coefficient, tuple(d.number for d in dims), x.dtype == self.dtype)
        made = self.table.make("op", key, ("full", None, 0, ()), (self.refs[x.number],), dims, x.dtype == self.dtype)
        return UNIT, made

    def opaque_weights(self, step: Step) -> Ref | None:
        """What a step computes, as something that products are not multiplied out over."""
        a, b = (self.operand(x) for x in step.inputs)
        if a is None or b is None:
            return None
        whole = self.table.add((a, (Coefficient(b[0].number * -1, b[0].atoms), b[1])))
        dims = self.lengths.dims(step.outputs[0].number)
        return UNIT, self.table.make("op", ("full", whole[1].number), ("full", None, 0, ()), (whole,), dims)

    def _algebra(self, step: Step) -> Ref | None:
        """What a step computes, where it is arithmetic in the program's one floating dtype."""
        if self.dtype is None or len(step.outputs) != 1:
            return None
        function, dtype = step.operation.function, step.outputs[0].dtype
        # Labels that are integers: 1 - y is opened as it would be for floats.
        whole = self.table.forward and function in WHOLE and is_exact(dtype) and dtype.kind == "i"
        if dtype != self.dtype and not whole:
            return None
        reading = self.algebra.get(function)
        return None if reading is None else reading(self, step)

    def is_proved_zero(self, x: Var | Const) -> bool:
        """Whether a variable of the backward pass is zero because its terms cancel; a literal 0 is not meant."""
        return x.number in self.zeros

    def is_unit_matrix(self, value: Value) -> bool:
        if value.kind == "op" and value.details[0] != "full" and value.details[0].function is cast:
            value = value.parts[0][1]
        return value.number in self.unit_matrices or is_identity(value)

    def whole(self, x: Var | Const) -> Any:
        return self.lengths.dims(x.number)

    # ---- everything else

    def opaque(self, step: Step, k: int) -> Ref:
        """A step without structure: known again where operation and operands are the same."""
        out = step.outputs[k]
        function = step.operation.function
        linear = linear_operands(step) if out.dtype == self.dtype else ()
        if (known := decided(self, step, linear)) is not None:
            return known
        coefficient = UNIT
        refs: list[Any] = []
        for n, x in enumerate(step.inputs):
            if isinstance(x, Const) and x.number >= 0 and not np.shape(x.value):
                refs.append(Literal(Const, x.number))
                continue
            ref = self.fitted(x) if isinstance(x, Var) or x.number >= 0 else None
            if ref is None:
                refs.append(self._raw(x))
            elif self.table.forward and function is np.cross and any(key[0] == "v" for key, _ in ref[0].atoms):
                refs.append(ref)  # what the forward pass holds is not computed again without the scalar
            elif n in linear and ref[1] is not self.table.one and ref[1].floating:
                coefficient = times(coefficient, ref[0])
                refs.append((UNIT, ref[1]))
            else:
                refs.append(ref)
        if function is np.where and len(refs) == 3 and out.dtype == self.dtype:
            for n in (1, 2):
                number = self.operand(step.inputs[n]) if is_zero(refs[3 - n]) else None
                if number is not None and number[1] is self.table.one and number[0].number:
                    refs[n] = number
            if is_zero(refs[2]) and type(refs[1]) is tuple and refs[1][1] is self.table.one and refs[0][1].mask:
                return self.table.multiply(refs[1], refs[0])
            linear = tuple(n for n in (1, 2) if is_zero(refs[3 - n]) and type(refs[n]) is tuple)
            for n in linear:
                coefficient, refs[n] = refs[n][0], (UNIT, refs[n][1])
            found = tied_share(self.table, step, refs)
            if found is not None:
                return found
        params = frozen_params(step, self.lengths)
        key = (id(step.operation), k, params, tuple((r[1].number, r[0]) if type(r) is tuple else r for r in refs))
        kept = [
            r if type(r) is tuple else (x if isinstance(x, Const) else r)
            for r, x in zip(refs, step.inputs, strict=True)
        ]
        dims = self.lengths.dims(out.number)
        value = self.table.make(
            "op", key, (step.operation, step, k, linear), tuple(kept), dims, out.dtype == self.dtype
        )
        if function is get_item and self.table.forward and type(refs[0]) is tuple:
            gathered = self.table.gathers.setdefault((params, key[3][1:]), [])
            gathered.append((self.refs[step.inputs[0].number], (coefficient, value)))
        note_share(self.table, value)
        if function in (np.exp, np.power):
            base = self.operand(step.inputs[0])
            self.powers.note(step, base, (coefficient, value), self.table.forward)
            if function is np.power and not self.table.forward:
                self.powers.note_guarded(self.table, step, base, (coefficient, value), self.refs, self.dtype)
        return self.table.ref(coefficient, value)

    def _raw(self, x: Var | Const) -> Any:
        """An operand that has no reference, as something that can be compared."""
        if isinstance(x, Const) and x.number < 0:
            return Literal(type(x.value), self.frozen(x.value))
        return self.refs[x.number]

    def frozen(self, p: Any) -> Any:
        """A static argument as something that can be compared."""
        return frozen(p, self.lengths)

    # ---- the mechanical way of computing a value

    def _mechanical(self, step: Step, ref: Ref) -> None:
        """Keep the step as it stands as one way of computing its value."""
        coefficient, value = ref
        if value is self.table.one:
            runtime = [(k, p) for k, p in coefficient.atoms if k[0] == "v"]
            if len(runtime) != 1 or runtime[0][1] != 1:
                return
            value = self.table.values[runtime[0][0][1]]
            coefficient = times(coefficient, Coefficient(Fraction(1), ((runtime[0][0], -1),)))
        inverse = power_of(coefficient, -1)
        if inverse is None or len(value.recipes) > 12:
            return
        function = step.operation.function
        if function in (np.matmul, np.dot) and value.kind != "matmul":
            sides = [self.fitted(x) for x in step.inputs]
            if all(r is not None and r[1].dims and r[1].floating for r in sides):
                (a, u), (b, v) = (r for r in sides if r is not None)
                value.recipes.append(Recipe("matmul", times(inverse, times(a, b)), ((UNIT, u), (UNIT, v)), None, ""))
            return
        refs = [self.operand(x) for x in step.inputs]
        if any(r is None or r[1] is value for r in refs):
            return
        known: list[Ref] = [r for r in refs if r is not None]
        recipe: Recipe | None = None
        if function is np.multiply and len(value.dims) == 2:
            for (_, v), (c, other) in (known, known[::-1]):
                if is_identity(v) and other.shape == value.shape:
                    self.diagonals[step.outputs[0].number] = (c, other)
        if function in (np.multiply, np.divide):
            if any(v is self.table.one for _, v in known):
                return
            (a, u), (b, v) = known
            p = 1 if function is np.multiply else -1
            below = power_of(b, p)
            if below is not None and (p == 1 or v.floating):
                scale = times(inverse, times(a, below))
                if u is v:
                    return
                recipe = Recipe("prod", scale, ((u, 1), (v, p)), None, "")
        elif function in (np.add, np.subtract):
            (a, u), (b, v) = known
            sign = UNIT if function is np.add else Coefficient(Fraction(-1))
            recipe = Recipe("sum", inverse, ((a, u), (times(sign, b), v)), None, "")
        elif function in (np.sum, np.mean) and set(step.params) <= {"axis", "keepdims"}:
            recipe = self._mechanical_sum(step, known[0], inverse)
            product = self.producers.get(step.inputs[0].number)
            if function is np.sum and not step.outputs[0].shape and product is not None:
                value.recipes += self._inner_product(product, inverse)
        if recipe is not None:
            value.recipes.append(recipe)

    def _inner_product(self, product: Step, inverse: Coefficient) -> list[Recipe]:
        """The sum of all elements of a product of two arrays as their inner product."""
        shape = product.outputs[0].shape
        if product.operation.function is not np.multiply or not shape:
            return []
        refs = [self.operand(x) for x in product.inputs]
        (a, u), (b, v) = ((UNIT, self.table.one) if r is None else r for r in refs)
        if any(r is None for r in refs) or any(x.shape != shape or not x.floating for x in (u, v)):
            return []
        return [Recipe(*inner_product(self.table, (times(inverse, times(a, b)), u), v, self.dtype), "sum of a product")]

    def _mechanical_sum(self, step: Step, operand: Ref, inverse: Coefficient) -> Recipe | None:
        x = step.inputs[0]
        coefficient, value = operand
        whole = self.whole(x)
        axes = normalise_axes(step.params.get("axis"), len(whole))
        masked = self.diagonals.get(x.number)
        if masked is not None and axes == (0, 1) and step.operation.function is np.sum and not step.outputs[0].shape:
            c, matrix = masked
            made = trace(self.table, matrix, self.dtype)
            return Recipe("prod", times(inverse, c), ((made, 1),), None, "trace")
        if value is self.table.one or value.shape != tuple(d.length for d in whole):
            return None
        if any(value.dims[a] is not whole[a] and whole[a].length == 1 for a in axes):
            return None
        if step.operation.function is np.mean:
            for a in axes:
                below = power_of(whole[a].count(), -1)
                assert below is not None
                coefficient = times(coefficient, below)
        mapping: list[int | None] | None = None
        if step.params.get("keepdims"):
            kept = [k for k in range(len(whole)) if k not in axes]
            mapping = [kept.index(k) if k in kept else None for k in range(len(whole))]
            while mapping and mapping[0] is None:
                mapping.pop(0)
        scale = times(inverse, coefficient)
        return Recipe("reduce", scale, ((UNIT, value),), (tuple(sorted(axes)), mapping), "")
