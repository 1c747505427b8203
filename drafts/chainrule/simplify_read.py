"""Reads the steps of a program as values in normal form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule.backward import Backward
from chainrule.calls import identity
from chainrule.indexing import Index, add_item, get_item
from chainrule.simplify_functions import ScatterAt, merge_factors, note_share, scatter, sum_of_scatter, tied_share
from chainrule.ir import Const, Step, Var
from chainrule.normal_form import Recipe, Ref, Table, Value
from chainrule.ops import Operation
from chainrule.rules.helpers import normalise_axes
from chainrule.simplify_choices import is_fresh
from chainrule.simplify_lengths import join_lengths
from chainrule.simplify_scalars import UNIT, ZERO, Coefficient, Lengths, power_of, times
from chainrule.sizes import is_size
from chainrule.writing import cast

__all__ = ["LINEAR", "Reader"]

# Operations that are linear in some operands: scalar factors go through them.
LINEAR: dict[Any, tuple[int, ...]] = {
    get_item: (0,), np.reshape: (0,), np.ravel: (0,), np.transpose: (0,), np.broadcast_to: (0,), np.flip: (0,),
    np.diagonal: (0,), np.diag: (0,), np.trace: (0,), np.tril: (0,), np.triu: (0,), np.cumsum: (0,), np.roll: (0,),
    np.einsum: (0, 1, 2, 3), np.tensordot: (0, 1), np.kron: (0, 1), np.convolve: (0, 1), np.linalg.solve: (1,),
    np.repeat: (0,), np.tile: (0,), np.moveaxis: (0,), np.swapaxes: (0,), np.expand_dims: (0,), np.squeeze: (0,),
    np.dot: (0, 1), np.inner: (0, 1), np.matmul: (0, 1), np.outer: (0, 1), np.sum: (0,), np.mean: (0,),
}  # fmt: skip

@dataclass(frozen=True, slots=True)
class _Literal:
    """A literal operand, compared with its type: 1 is not 1.0."""

    kind: type
    key: Any


_ZERO_LITERAL = _Literal(int, ("int", 0))


class Reader:
    """Values for the variables of a backward pass."""

    def __init__(self, backward: Backward) -> None:
        self.backward = backward
        self.program = backward.program
        self.lengths = Lengths()
        join_lengths(self.program, backward.links, self.lengths)
        forward = self.program.steps[: backward.forward_steps]
        self.lengths.available.update(x.number for x in (*self.program.inputs, *self.program.constants))
        self.lengths.available.update(out.number for step in forward for out in step.outputs)
        self.table = Table(self.lengths.one)
        self.table.merge_factors = merge_factors
        self.table.special_sum = sum_of_scatter
        self.refs: dict[int, Ref] = {}
        self.variables: dict[int, Var] = {}
        self.scalars: dict[Coefficient, Var] = {}  # held by variables of the forward pass
        self.positions: dict[int, Any] = {}  # by value, where it was first needed
        self.forward_values: set[int] = set()
        self.zeros: set[int] = set()  # variables of the backward pass that are proved to be zero
        self.unit_matrices: set[int] = set()
        self.zero_positions: dict[int, Any] = {}
        self.made_by: dict[int, int] = {}  # by value, the backward step that makes it
        dtypes = {
            x.dtype
            for x in (*self.program.inputs, *(o for s in self.program.steps for o in s.outputs))
            if x.dtype.kind in "fc" and x.shape
        }
        self.dtype: Any = next(iter(dtypes)) if len(dtypes) == 1 else None
        if self.dtype is not None and self.dtype.char not in "fd":
            self.dtype = None
        self.table.double = self.dtype is not None and self.dtype.char == "d"

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

    def _bind_leaf(self, x: Var) -> None:
        self.variables[x.number] = x
        value = self.table.leaf(x, self.lengths.dims(x.number), x.dtype == self.dtype)
        if not x.shape:
            self.scalars[self.table.ref(UNIT, value)[0]] = x
        self.refs[x.number] = self.table.ref(UNIT, value)

    def _forward(self, step: Step) -> None:
        found = self._algebra(step)
        for k, out in enumerate(step.outputs):
            self.variables[out.number] = out
            ref = found if found is not None else self._opaque(step, k)
            value = ref[1]
            if value.kind == "sum":
                leaf = self.table.leaf(out, self.lengths.dims(out.number), out.dtype == self.dtype)
                ref = self.table.define_sum(ref, leaf)
                if ref[1].kind != "leaf":
                    self._hold(ref, out)
            elif value is self.table.one and not out.shape:
                self._hold_scalar(ref[0], out)
            else:
                self._hold(ref, out)
            self.refs[out.number] = ref
            x = step.inputs[0] if step.inputs else None
            if step.operation.function is np.sqrt and isinstance(x, Var) and x.shape and ref[1].kind == "op":
                # The square of a root is what the root was taken of.
                self._hold(self.table.product(UNIT, ((ref[1], 2),)), x)

    def _hold_scalar(self, coefficient: Coefficient, out: Var) -> None:
        """Note that a forward variable holds a scalar."""
        self.scalars.setdefault(coefficient, out)
        runtime = [(k, p) for k, p in coefficient.atoms if k[0] == "v"]
        new = [e for e in runtime if e[1] == 1 and not self.table.values[e[0][1]].leaves]
        if len(runtime) == 1 and runtime[0][1] == 1 or len(new) == 1:
            runtime = new or runtime
            base = self.table.values[runtime[0][0][1]]
            base.leaves.append((times(coefficient, Coefficient(Fraction(1), ((runtime[0][0], -1),))), out))

    def _hold(self, ref: Ref, out: Var) -> None:
        """Note that a forward variable holds a value."""
        coefficient, value = ref
        if value.dims != self.lengths.dims(out.number) and value.shape != out.shape:
            return
        if value.floating == (out.dtype == self.dtype):
            value.leaves.append((coefficient, out))
        if value.kind == "view":
            inverse = [value.details.index(k) if k in value.details else None for k in range(len(value.parts[0][1].dims))]
            if None not in inverse and set(value.details) - {None} == set(range(len(inverse))):
                base = value.parts[0][1]
                base.recipes.append(Recipe("view", UNIT, ((UNIT, value),), tuple(inverse), "view of the forward pass"))

    def _backward(self, number: int, step: Step) -> None:
        found = self._algebra(step)
        for k, out in enumerate(step.outputs):
            self.variables[out.number] = out
            ref = found if found is not None else self._opaque(step, k)
            self.refs[out.number] = ref
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
        return self.refs[x.number] if dtype == self.dtype or dtype.kind in "bi" else None

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
        _, value = self.refs[x.number]
        key = ("full", x.number)
        made = self.table.make("op", key, ("full", None, 0, ()), (self.refs[x.number],), dims, x.dtype == self.dtype)
        return UNIT, made

    def _algebra(self, step: Step) -> Ref | None:
        """What a step computes, where it is arithmetic in the program's one floating dtype."""
        if self.dtype is None or len(step.outputs) != 1 or step.outputs[0].dtype != self.dtype:
            return None
        reading = _ALGEBRA.get(step.operation.function)
        return None if reading is None else reading(self, step)

    def is_proved_zero(self, x: Var | Const) -> bool:
        """Whether a variable of the backward pass is zero because its terms cancel; a literal 0 is not meant."""
        return x.number in self.zeros

    def is_unit_matrix(self, value: Value) -> bool:
        if value.kind == "op" and value.details[0] != "full" and value.details[0].function is cast:
            value = value.parts[0][1]
        return value.number in self.unit_matrices

    def whole(self, x: Var | Const) -> Any:
        return self.lengths.dims(x.number)

    # ---- everything else

    def _opaque(self, step: Step, k: int) -> Ref:
        """A step without structure: known again where operation and operands are the same."""
        out = step.outputs[k]
        function = step.operation.function
        linear = LINEAR.get(function, ()) if out.dtype == self.dtype else ()
        if any(n < len(step.inputs) and self.is_proved_zero(step.inputs[n]) for n in linear):
            return ZERO, self.table.one
        coefficient = UNIT
        refs: list[Any] = []
        for n, x in enumerate(step.inputs):
            if isinstance(x, Const) and x.number >= 0 and not np.shape(x.value):
                refs.append(_Literal(Const, x.number))
                continue
            ref = self.fitted(x) if isinstance(x, Var) or x.number >= 0 else None
            if ref is None:
                refs.append(self._raw(x))
            elif n in linear and ref[1] is not self.table.one and ref[1].floating:
                coefficient = times(coefficient, ref[0])
                refs.append((UNIT, ref[1]))
            else:
                refs.append(ref)
        if function is np.where and len(refs) == 3 and out.dtype == self.dtype:
            linear = tuple(n for n in (1, 2) if refs[3 - n] == _ZERO_LITERAL and type(refs[n]) is tuple)
            for n in linear:
                c, v = refs[n]
                coefficient, refs[n] = c, (UNIT, v)
            found = tied_share(self.table, step, refs)
            if found is not None:
                return found
        params = tuple((name, self._frozen(p)) for name, p in step.params.items())
        key = (id(step.operation), k, params, tuple((r[1].number, r[0]) if type(r) is tuple else r for r in refs))
        kept = [r if type(r) is tuple else (x if isinstance(x, Const) else r) for r, x in zip(refs, step.inputs, strict=True)]
        dims = self.lengths.dims(out.number)
        value = self.table.make("op", key, (step.operation, step, k, linear), tuple(kept), dims, out.dtype == self.dtype)
        if function is get_item and self.table.forward and type(refs[0]) is tuple:
            found = self.table.gathers.setdefault((params, key[3][1:]), [])
            found.append((self.refs[step.inputs[0].number], (coefficient, value)))
        note_share(self.table, value)
        return self.table.ref(coefficient, value)

    def scattered(self, step: Step) -> Ref | None:
        """What is added at an index of an array: the array and the same added to zeros."""
        base, amount, *arrays = step.inputs
        start, value = self.refs[base.number], self.operand(amount)
        picked = [self.fitted(x) for x in arrays]
        if value is None or any(p is None for p in picked) or self.variables[base.number].dtype != self.dtype:
            return None
        if self.starts_from_zero(start):
            zeros = start[1]
        else:
            found = self._zeros_in(start)
            if found is None:
                return None
            zeros = found
        params = tuple((name, self._frozen(p)) for name, p in step.params.items())
        ref = scatter(self.table, value, ScatterAt(step, params, zeros, tuple(p for p in picked if p is not None)))
        return ref if self.starts_from_zero(start) else self.table.add((start, ref))

    def _zeros_in(self, ref: Ref) -> Value | None:
        """The array of zeros that something was added to before."""
        for _, v in ref[1].terms:
            for f, _ in v.factors:
                if f.kind == "op" and isinstance(f.details[0], Operation) and len(f.parts) > 1:
                    if f.details[0].function is add_item and self.starts_from_zero(f.parts[0]):
                        start: Value = f.parts[0][1]
                        return start
        return None

    def starts_from_zero(self, ref: Any) -> bool:
        if type(ref) is not tuple or ref[1].kind != "op":
            return False
        operation, step, *_ = ref[1].details
        return operation != "full" and operation.name == "zeros_like" and is_fresh(step)

    def _raw(self, x: Var | Const) -> Any:
        """An operand that has no reference, as something that can be compared."""
        if isinstance(x, Const) and x.number < 0:
            return _Literal(type(x.value), self._frozen(x.value))
        return self.refs[x.number]

    def _frozen(self, p: Any) -> Any:
        if is_size(p):
            found = self.lengths.coefficient(p)
            return ("size", found) if found is not None else ("size", id(p))
        if isinstance(p, tuple | list):
            return (type(p).__name__, *(self._frozen(e) for e in p))
        if isinstance(p, slice):
            return ("slice", self._frozen(p.start), self._frozen(p.stop), self._frozen(p.step))
        if isinstance(p, float) and p != p:
            return "nan"
        try:
            hash(p)
        except TypeError:
            return ("object", id(p))
        return (type(p).__name__, p)

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
        refs = [self.operand(x) for x in step.inputs]
        if any(r is None or r[1] is value for r in refs):
            return
        known: list[Ref] = [r for r in refs if r is not None]
        recipe: Recipe | None = None
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
        if recipe is not None:
            value.recipes.append(recipe)

    def _mechanical_sum(self, step: Step, operand: Ref, inverse: Coefficient) -> Recipe | None:
        x = step.inputs[0]
        coefficient, value = operand
        whole = self.whole(x)
        axes = normalise_axes(step.params.get("axis"), len(whole))
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


# ---- how arithmetic is read


def _read_multiply(reader: Reader, step: Step) -> Ref | None:
    a, b = (reader.operand(x) for x in step.inputs)
    if any(reader.is_proved_zero(x) for x in step.inputs):
        return ZERO, reader.table.one
    if a is None or b is None or not a[0].number or not b[0].number:
        return None
    return reader.table.multiply(a, b)


def _read_divide(reader: Reader, step: Step) -> Ref | None:
    a, b = (reader.operand(x) for x in step.inputs)
    below = None if b is None else reader.table.power(b, -1)
    if reader.is_proved_zero(step.inputs[0]):
        return ZERO, reader.table.one
    if a is None or below is None or not a[0].number:
        return None
    return reader.table.multiply(a, below)


def _read_add(reader: Reader, step: Step) -> Ref | None:
    a, b = (reader.operand(x) for x in step.inputs)
    return None if a is None or b is None else reader.table.add((a, b))


def _read_subtract(reader: Reader, step: Step) -> Ref | None:
    a, b = (reader.operand(x) for x in step.inputs)
    if a is None or b is None:
        return None
    return reader.table.add((a, (times(Coefficient(Fraction(-1)), b[0]), b[1])))


def _read_negative(reader: Reader, step: Step) -> Ref | None:
    a = reader.operand(step.inputs[0])
    return None if a is None else (times(Coefficient(Fraction(-1)), a[0]), a[1])


def _read_same(reader: Reader, step: Step) -> Ref | None:
    return reader.operand(step.inputs[0]) if reader.variables[step.inputs[0].number].dtype == reader.dtype else None


def _read_cast(reader: Reader, step: Step) -> Ref | None:
    return _read_same(reader, step) if isinstance(step.inputs[0], Var) else None


def _read_power(reader: Reader, step: Step) -> Ref | None:
    base, exponent = step.inputs
    if not (isinstance(exponent, Const) and exponent.number < 0 and type(exponent.value) in (int, float)):
        return None
    a = reader.operand(base)
    p = exponent.value
    if a is None or p == 0 or p != int(p) or abs(p) > 8:
        return None
    return reader.table.power(a, int(p))


def _read_fixed_power(p: int) -> Callable[[Reader, Step], Ref | None]:
    def read(reader: Reader, step: Step) -> Ref | None:
        a = reader.operand(step.inputs[0])
        return None if a is None else reader.table.power(a, p)

    return read


def _read_sum(reader: Reader, step: Step) -> Ref | None:
    x = step.inputs[0]
    if len(step.inputs) != 1 or not set(step.params) <= {"axis", "keepdims"} or not isinstance(x, Var):
        return None
    ref = reader.operand(x)
    if ref is None or reader.variables[x.number].dtype != reader.dtype:
        return None
    whole = reader.whole(x)
    rank = len(whole)
    axes = normalise_axes(step.params.get("axis"), rank)
    coefficient, value = reader.table.reduce(ref, [a - rank for a in axes], whole)
    if step.operation.function is np.mean:
        for a in axes:
            below = power_of(whole[a].count(), -1)
            assert below is not None
            coefficient = times(coefficient, below)
    if step.params.get("keepdims"):
        return coefficient, value
    return reader.table.view((coefficient, value), [k for k in range(rank) if k not in axes], rank)


def view_mapping(step: Step, rank: int) -> list[int | None] | None:
    """The axes that a step permutes, inserts or drops; ``None`` where it is no such step."""
    function, params = step.operation.function, step.params
    if any(is_size(e) for p in params.values() for e in (p if isinstance(p, tuple) else (p,))):
        return None
    if function is np.transpose:
        axes = params.get("axes")
        return list(range(rank))[::-1] if axes is None else [int(a) % rank for a in axes]
    if function is np.swapaxes and set(params) == {"axis1", "axis2"}:
        mapping: list[int | None] = list(range(rank))
        a, b = params["axis1"], params["axis2"]
        mapping[a], mapping[b] = mapping[b], mapping[a]
        return mapping
    if function is np.expand_dims:
        axis = params.get("axis")
        axes = axis if isinstance(axis, tuple) else (axis,)
        inserted = {a % (rank + len(axes)) for a in axes}
        rest = iter(range(rank))
        return [None if k in inserted else next(rest) for k in range(rank + len(axes))]
    return None


def _index_mapping(step: Step, dims: Sequence[Any]) -> list[int | None] | None:
    index: Index = step.params["index"]
    if not index.basic:
        return None
    mapping: list[int | None] = []
    axis = 0
    for part in index.parts:
        if part is None:
            mapping.append(None)
        elif part is Ellipsis:
            taken = sum(1 for p in index.parts if p is not None and p is not Ellipsis)
            mapping += range(axis, len(dims) - taken + axis)
            axis += len(dims) - taken
        elif type(part) is slice:
            if (part.start, part.stop, part.step) != (None, None, None):
                return None
            mapping.append(axis)
            axis += 1
        else:
            if not dims[axis].one or is_size(part):
                return None
            axis += 1
    return mapping + list(range(axis, len(dims)))


def _read_view(reader: Reader, step: Step) -> Ref | None:
    x = step.inputs[0]
    if not isinstance(x, Var) or len(step.inputs) != 1:
        return None
    ref = reader.operand(x)
    dims = reader.whole(x)
    mapping = _index_mapping(step, dims) if step.operation.function is get_item else view_mapping(step, len(dims))
    return None if ref is None or mapping is None else reader.table.view(ref, mapping, len(dims))


def _read_added(reader: Reader, step: Step) -> Ref | None:
    """``x[:, None]`` and ``x[:, 0]`` of a kept axis are views of all of ``x``: what is added there is added to ``x``."""
    base, amount, *arrays = step.inputs
    if not isinstance(base, Var):
        return None
    dims = reader.whole(base)
    if arrays or _index_mapping(step, dims) is None:
        return reader.scattered(step)
    mapping = _index_mapping(step, dims)
    a, b = reader.refs[base.number], reader.operand(amount)
    if mapping is None or b is None:
        return None
    rank = len(mapping)
    inverse = [mapping.index(k) if k in mapping else None for k in range(len(dims))]
    moved = reader.table.view(b, inverse, rank)
    return moved if reader.starts_from_zero(a) else reader.table.add((a, moved))


def _read_broadcast(reader: Reader, step: Step) -> Ref | None:
    return reader.operand(step.inputs[0])


def _read_matmul(reader: Reader, step: Step) -> Ref | None:
    a, b = (reader.fitted(x) for x in step.inputs)
    if a is None or b is None or step.params or not a[1].dims or not b[1].dims:
        return None
    if step.operation.function is np.dot and (len(a[1].dims) > 2 or len(b[1].dims) > 2):
        return None
    for k, other in ((0, b), (1, a)):
        unit = reader.operand(step.inputs[k])
        if unit is not None and reader.is_unit_matrix(unit[1]) and len(other[1].dims) <= 2:
            return times(unit[0], other[0]), other[1]
    if not (a[1].floating and b[1].floating):
        return None
    return reader.table.matmul(a, b, reader.lengths.dims(step.outputs[0].number))


def _read_outer(reader: Reader, step: Step) -> Ref | None:
    a, b = (reader.fitted(x) for x in step.inputs)
    if a is None or b is None or len(a[1].dims) != 1 or len(b[1].dims) != 1:
        return None
    return reader.table.multiply(reader.table.view(a, [0, None], 1), b)


_ALGEBRA: dict[Any, Callable[[Reader, Step], Ref | None]] = {
    np.multiply: _read_multiply, np.divide: _read_divide, np.add: _read_add, np.subtract: _read_subtract,
    np.negative: _read_negative, np.positive: _read_same, identity: _read_same, cast: _read_cast,
    np.power: _read_power, np.square: _read_fixed_power(2), np.reciprocal: _read_fixed_power(-1),
    np.sum: _read_sum, np.mean: _read_sum, np.transpose: _read_view, np.swapaxes: _read_view,
    np.expand_dims: _read_view, get_item: _read_view, np.broadcast_to: _read_broadcast,
    np.matmul: _read_matmul, np.dot: _read_matmul, np.outer: _read_outer, add_item: _read_added,
}  # fmt: skip
