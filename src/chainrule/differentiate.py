"""Reverse mode, as a pass over the tape.

The steps are walked backwards.  Each rule is run on stand-ins, so that the backward steps are written
on the same tape and can themselves be differentiated: orders and nestings need no mechanism of their own.
A cotangent may be *lazy*: of any shape that broadcasts to its variable's, a plain number included, so
that ``mean`` hands on ``1 / n`` and no array of ones is ever made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from chainrule.broadcasting import fitted, is_short, plain, shape_of, unbroadcast
from chainrule.errors import ChainruleError, NanError
from chainrule.handlers import create
from chainrule.indexing import Index, add_item, get_item, set_item
from chainrule.language import message, stated
from chainrule.ops import Operation
from chainrule.positions import locate
from chainrule.protocol import apply
from chainrule.sizes import is_size, written_number
from chainrule.tape import Tape
from chainrule.traced import Traced
from chainrule.writing import write_item

__all__ = ["differentiate", "full", "is_differentiable", "unbroadcast"]


def is_differentiable(value: Any) -> bool:
    """Whether a value has a derivative: it is of a floating or complex dtype."""
    dtype = getattr(value, "dtype", None)
    return isinstance(value, float | complex) if dtype is None else dtype.kind in "fc"


def full(tape: Tape, g: Any, value: Any, variable: int | None = None) -> Any:
    """The lazy cotangent ``g`` as a stand-in of the shape and dtype of ``value``, whose lengths ``variable`` has."""
    shape = np.shape(value)
    dtype = np.asarray(value).dtype
    if type(g) is not Traced:
        # A number that was computed from sizes stays one: what is written must not know the size of the example.
        size = g if is_size(g) and g.expression[0] != "number" else None
        constant = np.asarray(g if size is None else 1, dtype=dtype)
        g = Traced(tape, tape.constant(constant), constant if shape else constant[()], False)
        if size is not None:
            g = g * size
    if shape_of(g) == shape and not (variable is not None and is_short(tape, g, variable)):
        return g
    return apply(np.broadcast_to, g, shape if variable is None else Traced(tape, variable, value, False).shape)


def _is_number(g: Any, out: Any) -> bool:
    """Whether a cotangent is a plain number for one element."""
    return np.ndim(out.value) == 0 and (type(g) is float or is_size(g))


def _is_one(g: Any) -> bool:
    """Whether a lazy cotangent is 1, and not because some length happens to be 1."""
    return g == 1.0 and (not is_size(g) or g.expression[0] == "number")


def _times(g: Any, partial: Any) -> Any:
    """``g * partial``, without multiplications by one."""
    if type(partial) is int and partial == 1:
        return g
    if type(partial) is int and partial == -1:
        return -g
    if type(g) is not Traced and isinstance(g, float) and _is_one(g) and is_differentiable(plain(partial)):
        return written_number(partial) if type(partial) is float else partial
    return g * partial


def _unspoiled(contribution: Any, g: Any) -> Any:
    """The contribution, with zero in the place of NaN where no cotangent came in.

    ``np.where(x > 0, np.sqrt(x), 0)`` sends nothing to the square root at 0, whose slope is infinite there; zero times
    infinity must not turn that into NaN.
    """
    value = plain(contribution)
    if not isinstance(value, np.ndarray | np.floating) or not np.isnan(np.sum(value)):
        return contribution
    if not np.any(np.isnan(value) & (np.asarray(plain(g)) == 0)):
        return contribution
    return apply(np.where, apply(np.equal, g, 0), 0.0, contribution)


def _is_flip(index: Index) -> bool:
    """Whether an index turns axes around, as ``x[::-1]`` does: its inverse is itself."""
    slices = [p for p in index.parts if p is not Ellipsis]
    if not all(type(p) is slice and p.start is None and p.stop is None for p in slices):
        return False
    steps = [p.step for p in slices if p.step is not None]
    return bool(steps) and all(type(step) is int and step == -1 for step in steps)


class _Pass:
    """One walk backwards: the cotangents so far, and what is needed to add to them."""

    def __init__(
        self, tape: Tape, debug_nans: bool, on_contribution: Callable[[int, int, Any, Any], None] | None = None
    ) -> None:
        self.tape = tape
        self.number = -1  # of the forward step at hand
        self.on_contribution = on_contribution
        self.debug_nans = debug_nans
        self.cotangents: dict[int, Any] = {}
        # Cotangents held in an array of their own, into which further contributions may be written.
        self.buffers: set[int] = set()
        # What np.arange made; looked up once, as every write into an array asks for it.
        self.aranges: set[int] | None = None

    def stand_in(self, x: Any) -> Any:
        if type(x) is tuple:
            return x[0]
        value = self.tape.values[x]
        if type(value) is float or type(value) is complex:
            value = np.asarray(value)[()]  # Python's division by zero raises, NumPy's is infinite
        return Traced(self.tape, x, value, is_differentiable(value))

    def add(self, variable: int, contribution: Any) -> None:
        """Add a contribution to the cotangent of ``variable``."""
        value = self.tape.values[variable]
        if type(contribution) is Traced:
            dtype = getattr(value, "dtype", None)
            if dtype is None:
                dtype = np.dtype(type(value))
            if contribution.dtype != dtype:
                contribution = apply_cast(contribution, dtype)
        elif isinstance(contribution, complex) and not np.iscomplexobj(value):
            contribution = contribution.real
        present = self.cotangents.get(variable)
        if present is not None:
            whole = present + contribution
            self.buffers.discard(variable)
        else:
            whole = contribution
        self.cotangents[variable] = whole
        if self.on_contribution is not None:
            self.on_contribution(variable, self.number, contribution, whole)

    def buffer(self, variable: int) -> Any:
        """The cotangent of ``variable`` as an array that only it refers to."""
        value = self.tape.values[variable]
        present = self.cotangents.get(variable)
        if variable in self.buffers:
            return present
        if present is None:
            held = apply(np.zeros_like, self.stand_in(variable))
        else:
            present = full(self.tape, present, value, variable)
            if not isinstance(present.value, np.ndarray):
                present = apply(np.reshape, present, ())  # a NumPy scalar cannot be written into
            held = Traced(self.tape, present.variable, present.value, present.active)
        self.cotangents[variable] = held
        self.buffers.add(variable)
        return held

    def read(self, g: Any, operands: list[Any], inputs: Any, params: Any) -> None:
        """``out = x[index]``: the cotangent is added at the index."""
        index, arrays = params["index"], tuple(operands[1:])
        if _is_flip(index):
            self.add(inputs[0], g[index.key(())])
            return
        held = self.buffer(inputs[0])
        write_item(held, index, arrays, g, add=True)
        if self.on_contribution is not None:
            self.on_contribution(inputs[0], self.number, g, held)

    def written(self, output: int, operands: list[Any], inputs: Any, params: Any, wanted: Any) -> None:
        """``x[index] = value``: the value collects the cotangent at the index, the old array all the rest."""
        index, arrays = params["index"], tuple(operands[2:])
        g = self.buffer(output)
        key = index.key(arrays)
        value = operands[1]
        if wanted[1]:
            collected = g[key]
            collected.link = None  # what is there now: g is written below
            if not any(self._names_each_once(a) for a in inputs[2:]) and any(
                np.ndim(plain(a)) > 0 and np.asarray(plain(a)).dtype.kind != "b" for a in arrays
            ):
                collected = self._last_writes(g, collected, index, arrays)
            self.add(inputs[1], unbroadcast(collected, collected, value))
        if wanted[0]:
            write_item(g, index, arrays, 0.0)
            old = inputs[0]
            if self.cotangents.get(old) is None:
                del self.cotangents[output]
                self.buffers.discard(output)
                self.cotangents[old] = g
                self.buffers.add(old)
                if self.on_contribution is not None:
                    self.on_contribution(old, self.number, g, g)
            else:
                self.add(old, g)

    def _names_each_once(self, x: Any) -> bool:
        """Whether an array of positions is ``np.arange(n)`` by the record, so that no position comes twice."""
        if type(x) is not int:
            return False
        if self.aranges is None:
            self.aranges = {step[3] for step in self.tape.steps if step[0].name == "arange"}
        return x in self.aranges

    def _last_writes(self, g: Any, collected: Any, index: Any, arrays: tuple[Any, ...]) -> Any:
        """Where an index is repeated only the last write remains: the others get no cotangent."""
        order: Any = np.arange(collected.size)
        if self.tape.names is not None:
            order = create(np.arange, (collected.size,), {}, self.tape)  # a record for people keeps the length
        if len(shape_of(collected)) != 1:
            order = order.reshape(collected.shape)
        owner = apply(np.zeros_like, g, dtype=int)
        write_item(owner, index, arrays, order)
        return collected * (owner[index.key(arrays)] == order)

    def step(self, step: Any, depends: set[int]) -> None:
        """Pass the cotangent of a step's output on to its inputs."""
        operation, inputs, params, outputs, code, offset = step
        several = type(outputs) is tuple
        g: Any
        if several:
            g = tuple(self.cotangents.get(v) for v in outputs)
            if all(c is None for c in g):
                return
        else:
            g = self.cotangents.get(outputs)
            if g is None:
                return
        wanted = [type(x) is int and x in depends for x in inputs]
        if not any(wanted):
            return
        self.tape.origin = (code, offset)
        values = self.tape.values
        operands = [self.stand_in(x) for x in inputs]
        function = operation.function
        if function is set_item:
            self.written(outputs, operands, inputs, params, wanted)
            return
        out: Any = tuple(self.stand_in(v) for v in outputs) if several else self.stand_in(outputs)
        if several and not operation.lazy:
            g = tuple(None if c is None else full(self.tape, c, values[v], v) for c, v in zip(g, outputs, strict=True))
        elif (
            not several
            and not operation.lazy
            and operation.kind != "elementwise"
            and not (function is get_item and _is_number(g, out))
        ):
            g = full(self.tape, g, values[outputs], outputs)
        if function is get_item:
            self.read(g, operands, inputs, params)
            return
        if function is add_item:
            if wanted[0]:
                self.add(inputs[0], g)
            if wanted[1]:
                collected = g[params["index"].key(tuple(operands[2:]))]
                self.add(inputs[1], unbroadcast(collected, collected, operands[1]))
            return
        if operation.kind == "elementwise":
            for k, rule in enumerate(operation.rules):
                if k < len(inputs) and wanted[k] and rule is not None:
                    contribution = _unspoiled(_times(g, rule(out, *operands)), g)
                    self.checked(contribution, g, operation, operands, step)
                    self.add(inputs[k], unbroadcast(contribution, out, operands[k]))
        elif operation.kind == "variadic":
            (rule,) = operation.rules
            assert rule is not None
            for k, contribution in enumerate(rule(g, out, *operands, **params)):
                if wanted[k] and contribution is not None:
                    self.checked(contribution, g, operation, operands, step)
                    self.add(inputs[k], fitted(contribution, operands[k]))
        else:
            for k, rule in enumerate(operation.rules):
                if k < len(inputs) and wanted[k] and rule is not None:
                    contribution = rule(g, out, *operands, **params)
                    if contribution is not None:
                        self.checked(contribution, g, operation, operands, step)
                        self.add(inputs[k], fitted(contribution, operands[k]))

    def checked(self, contribution: Any, g: Any, operation: Operation, operands: list[Any], step: Any) -> None:
        """With ``debug_nans``: raise where a NaN appears that was not in the cotangent."""
        if not self.debug_nans or not is_differentiable(plain(contribution)):
            return
        incoming = g if isinstance(g, tuple) else (g,)
        if np.isnan(plain(contribution)).any() and not any(np.isnan(plain(c)).any() for c in incoming if c is not None):
            _, _, _, _, code, offset = step
            place = "" if code is None else "\n" + locate(code, offset).pointer()
            rows = [message("    operand {k} = {x}", k=k, x=_short(plain(x))) for k, x in enumerate(operands, 1)]
            described = reduce(lambda above, row: message("{above}\n{row}", above=above, row=row), rows)
            raise NanError(
                message(
                    "NaN appeared first in the backward pass of {function}.{place}\n  Operands:\n"
                    "{described}\n  Cotangent = {cotangent}\n  Why: the derivative is infinite or undefined here "
                    "(0/0, 0*inf, sqrt or norm at 0, log of 0).\n  Instead: keep the argument away from "
                    "the bad point before the operation: np.where(ok, f(np.where(ok, x, 1.0)), other).",
                    function=operation.spelling,
                    place=place,
                    described=described,
                    cotangent=_short(plain(g)),
                )
            )


def _short(value: Any) -> str:
    return (
        np.array2string(np.asarray(value), threshold=12, precision=6).replace("\n", " ") if value is not None else "-"
    )


def apply_cast(x: Any, dtype: np.dtype[Any]) -> Any:
    """The cotangent in the dtype of its variable; the real part where that is real."""
    if dtype.kind != "c" and x.dtype.kind == "c":
        x = apply(np.real, x)
        if x.dtype == dtype:
            return x
    return x.astype(dtype)


def _locate_error(error: Exception, step: Any) -> None:
    """Add the forward operation and its place to what a rule raised."""
    operation, _, _, _, code, offset = step
    if code is not None and 'File "' not in str(error):
        place = locate(code, offset).pointer()
        error.args = (
            message(
                "{error}\n{place}\n  In the backward pass of {function}.",
                error=stated(error),
                place=place,
                function=operation.spelling,
            ),
        )


def differentiate(
    tape: Tape,
    cotangents: Mapping[int, Any],
    wrt: Iterable[int],
    *,
    start: int = 0,
    stop: int | None = None,
    debug_nans: bool = False,
    on_contribution: Callable[[int, int, Any, Any], None] | None = None,
) -> dict[int, Any]:
    """The cotangents of the variables ``wrt``, given those of some outputs.

    Args:
        tape: where the forward steps stand, and where the backward steps are written.
        cotangents: lazy cotangents by variable.
        wrt: the variables whose cotangents are wanted.
        start: the first step to look at; earlier ones cannot depend on ``wrt``.
        stop: the step to begin behind; later ones do not lead to the outputs.
        debug_nans: raise :class:`NanError` where a NaN appears first.
        on_contribution: called for each share of a cotangent with the variable, the number of the forward step that it
            came through, the share, and the cotangent with it.

    Returns:
        The cotangent of each variable of ``wrt`` that the outputs depend on; lazy, as described above.
    """
    wanted = tuple(wrt)
    if stop is None:
        stop = len(tape.steps)
    values = tape.values
    depends = set(wanted)
    for operation, inputs, _, outputs, _, _ in tape.steps[start:stop]:
        if operation.kind == "constant":
            continue
        for x in inputs:
            if type(x) is int and x in depends:
                for v in outputs if type(outputs) is tuple else (outputs,):
                    if is_differentiable(values[v]):
                        depends.add(v)
                break
    walk = _Pass(tape, debug_nans, on_contribution)
    for variable, g in cotangents.items():
        if variable in depends:
            walk.add(variable, g)
    origin = tape.origin
    # Cotangents that are no longer needed are dropped, so that their arrays can be freed or written in place.
    keep = set(wanted)
    try:
        # Infinite slopes are the user's business (debug_nans tells), but not warnings about code they never wrote.
        with np.errstate(all="ignore"):
            for number in range(stop - 1, start - 1, -1):
                step = tape.steps[number]
                walk.number = number
                try:
                    walk.step(step, depends)
                except (ChainruleError, np.linalg.LinAlgError) as error:
                    _locate_error(error, step)
                    raise
                for v in step[3] if type(step[3]) is tuple else (step[3],):
                    if v not in keep:
                        walk.cotangents.pop(v, None)
    finally:
        tape.origin = origin
    return {v: walk.cotangents[v] for v in wanted if v in walk.cotangents}
