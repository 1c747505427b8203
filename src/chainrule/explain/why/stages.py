"""The stages of a forward pass: its steps, with chains of elementwise steps taken as one; and their local derivatives.

``1 / (1 + np.exp(-z))`` is one stage: its derivative at an element is what a reader thinks of, not that of each of the
four operations, of which one may overflow while another takes it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.calls import TracedCall
from chainrule.differentiate import is_differentiable
from chainrule.dispatch import evaluator
from chainrule.explain.why.scene import Scene
from chainrule.indexing import set_item
from chainrule.ir import Const, Step, Var
from chainrule.linear import LinearMap
from chainrule.run import resolved
from chainrule.tape import Tape, record
from chainrule.trees import LEAF

__all__ = ["LINEAR", "Stage", "is_pointwise", "stages_of"]

# Structural rules that work element by element all the same.
_POINTWISE = frozenset("absolute clip where conjugate real astype sign ldexp nan_to_num".split())
# A sum of products of an element of each operand: the local derivative is an element of the other operand.
BILINEAR = frozenset(
    "matmul linalg.matmul dot inner outer linalg.outer vdot vecdot linalg.vecdot tensordot "
    "linalg.tensordot kron convolve correlate einsum linalg.multi_dot matvec vecmat multiply.outer".split()
)
# Each element of the result is a sum of elements, each with a weight that is not negative and not zero.
LINEAR = frozenset(
    "sum mean average cumsum reshape ravel transpose permute_dims matrix_transpose "
    "linalg.matrix_transpose moveaxis rollaxis swapaxes squeeze expand_dims copy broadcast_to flip fliplr "
    "flipud roll rot90 tile repeat diag diagflat diagonal linalg.diagonal trace linalg.trace tril triu "
    "lib.stride_tricks.sliding_window_view sliding_window_view concatenate stack vstack hstack dstack "
    "column_stack block delete insert append take take_along_axis getitem setitem add.at split "
    "array_split hsplit vsplit dsplit atleast_1d atleast_2d atleast_3d add.reduce identity nansum nanmean "
    "unstack asarray array unique partition sort choose compress extract put put_along_axis".split()
)
_COPYING = frozenset("constant edge wrap reflect symmetric empty".split())  # what np.pad fills with copies
# One element of several is taken: which of them could have been is those that a sum adds up.
SELECTING = frozenset(
    "max min amax amin maximum.reduce minimum.reduce nanmax nanmin median percentile quantile prod std var ptp "
    "linalg.norm special.logsumexp linalg.vector_norm nanstd nanvar nanprod".split()
)


def is_pointwise(step: Step) -> bool:
    """Whether each element of the result is computed from one element of each operand."""
    return len(step.outputs) == 1 and (step.operation.kind == "elementwise" or step.operation.name in _POINTWISE)


class _StageCall(TracedCall):
    """The steps of a stage, recorded anew, as a traced call without arguments."""

    def __init__(self, tape: Tape, outputs: list[Any], wrt: list[Any]) -> None:
        self.function = record  # is not called
        self.tape = tape
        self.nested = self.copy = False
        self.args, self.kwargs, self.argnums = (), {}, ()
        self.start = 0
        self.outputs, self.structure, self.aux = outputs, LEAF, None
        self.wrt = [x.variable for x in wrt]
        self.wrt_values = [x.value for x in wrt]


@dataclass(eq=False)
class Stage:
    """Steps with one result that are looked at together.

    Attributes:
        scene: what it is a part of.
        steps: the steps, in order.
        inputs: the variables that it reads and that carry a derivative, by number.
        outputs: what it computes.
        pointwise: whether it works element by element.
    """

    scene: Scene
    steps: tuple[Step, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    pointwise: bool

    @property
    def output(self) -> int:
        """Its result; the first of several."""
        return self.outputs[0]

    @property
    def last(self) -> Step:
        """The step that makes the result."""
        return self.steps[-1]

    @property
    def name(self) -> str:
        """The name of its last operation."""
        return self.last.operation.name

    @property
    def constant(self) -> bool:
        """Whether no derivative passes it."""
        return all(s.operation.kind == "constant" for s in self.steps) or not any(
            is_differentiable(self.scene.values[v]) for v in self.outputs
        )

    def _linear(self, wrt: Sequence[int], replaced: Mapping[int, Any] | None = None) -> LinearMap:
        """The derivative with respect to some inputs, where others have the values in ``replaced``."""
        values = self.scene.values if replaced is None else {**self.scene.values, **replaced}
        with Tape() as tape, np.errstate(all="ignore"):
            held: dict[int, Any] = {}
            for v in wrt:
                value = values[v]
                if self.pointwise:
                    value = np.array(np.broadcast_to(value, np.shape(values[self.output])))
                held[v] = tape.input(np.asarray(value)[()], active=True)

            def operand(x: Var | Const) -> Any:
                if not isinstance(x, Var) and x.number < 0:
                    return self.scene.operand(x)
                if x.number not in held:
                    held[x.number] = tape.input(np.asarray(values[x.number])[()], active=False)
                return held[x.number]

            for step in self.steps:
                params = {k: resolved(v, values) for k, v in step.params.items()}
                made = record(step.operation, tuple(map(operand, step.inputs)), params, evaluator(step.operation))
                several = made if len(step.outputs) > 1 else (made,)
                held.update((out.number, x) for out, x in zip(step.outputs, several, strict=True))
            call = _StageCall(tape, [held[v] for v in self.outputs], [held[v] for v in wrt])
        return LinearMap(call)

    @cached_property
    def _maps(self) -> dict[tuple[int, str], LinearMap]:
        return {}

    def _map(self, v: int, direction: str) -> LinearMap:
        """The derivative with respect to one input, for one direction: each leaves its constants on the tape."""
        if (v, direction) not in self._maps:
            self._maps[v, direction] = self._linear([v])
        return self._maps[v, direction]

    @cached_property
    def _partials(self) -> dict[int, np.ndarray[Any, Any]]:
        return {}

    def partial(self, v: int) -> np.ndarray[Any, Any]:
        """Of a pointwise stage: the derivative of each element of the result with respect to its element of ``v``."""
        if v not in self._partials:
            like = np.asarray(self.scene.values[self.output])
            with np.errstate(all="ignore"):
                (found,) = self._map(v, "pull").pull([np.ones(like.shape, like.dtype)[()]])
            self._partials[v] = np.asarray(found)
        return self._partials[v]

    def spread(self, x: Any) -> np.ndarray[Any, Any]:
        """An array of the shape of an input, broadcast to the shape of a pointwise stage's result."""
        return np.broadcast_to(x, self.scene.shape(self.output))

    def gathered(self, v: int, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """An array of the shape of a pointwise stage's result, summed to the shape of input ``v``."""
        shape = self.scene.shape(v)
        extra = x.ndim - len(shape)
        x = x.sum(axis=tuple(range(extra)))
        axes = tuple(k for k, n in enumerate(shape) if n == 1 and x.shape[k] != 1)
        return np.asarray(x.sum(axis=axes, keepdims=True) if axes else x)

    def push(self, v: int, tangent: Any, replaced: Mapping[int, Any] | None = None) -> list[np.ndarray[Any, Any]]:
        """The tangents of the outputs, where input ``v`` has this one."""
        if self.pointwise and replaced is None:
            with np.errstate(all="ignore"):
                spread = self.spread(tangent)
                return [np.where(spread == 0, 0, self.partial(v) * spread)]
        linear = self._map(v, "push") if replaced is None else self._linear([v], replaced)
        value = np.asarray(self.scene.values[v])
        with np.errstate(all="ignore"):
            pushed = linear.push([np.asarray(tangent).astype(value.dtype)[()]])
        shapes = [self.scene.shape(o) for o in self.outputs]
        return [np.zeros(s) if p is None else np.asarray(p) for p, s in zip(pushed, shapes, strict=True)]

    def pull(
        self, v: int, cotangents: Sequence[Any], replaced: Mapping[int, Any] | None = None
    ) -> np.ndarray[Any, Any]:
        """The cotangent of input ``v``, where the outputs have these."""
        if self.pointwise and replaced is None:
            with np.errstate(all="ignore"):
                g = np.asarray(cotangents[0])
                return self.gathered(v, np.where(g == 0, 0, self.partial(v) * g))
        linear = self._map(v, "pull") if replaced is None else self._linear([v], replaced)
        given = []
        for g, o in zip(cotangents, self.outputs, strict=True):
            like = np.asarray(self.scene.values[o])
            kind = like.dtype if like.dtype.kind in "fc" else np.dtype(float)
            given.append((np.zeros(like.shape, kind) if g is None else np.asarray(g).astype(kind))[()])
        with np.errstate(all="ignore"):
            pulled = linear.pull(given)
        found: np.ndarray[Any, Any] = np.asarray(pulled[0])
        if self.pointwise and found.shape != self.scene.shape(v):
            found = self.gathered(v, found)
        return found

    # ---- which elements hang together
    @property
    def family(self) -> str:
        """How its elements hang together: pointwise, bilinear, linear, selecting, or another."""
        if self.pointwise:
            return "pointwise"
        if self.name in BILINEAR:
            return "bilinear"
        if self.name in SELECTING:
            return "selecting"
        if self.name == "pad":
            params = self.last.params
            odd = params.get("reflect_type", "even") != "even"
            return "linear" if params.get("mode", "constant") in _COPYING and not odd else "other"
        return "linear" if self.name in LINEAR else "other"

    def ones_in_place(self, v: int) -> dict[int, Any]:
        """All other floating operands filled with ones, so that nothing is hidden by a zero."""
        numbers = [x.number for s in self.steps for x in s.inputs if isinstance(x, Var) or x.number >= 0]
        return {
            n: np.ones_like(self.scene.values[n])
            for n in numbers
            if n != v and n in self.scene.values and is_differentiable(self.scene.values[n])
        }

    def reach(self, v: int, mask: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        """The elements of each output that hang on the elements of ``v`` in a mask, whatever the numbers are."""
        if self.pointwise:
            return [np.array(self.spread(mask))]
        if self.family == "bilinear":
            return [np.asarray(t) != 0 for t in self.push(v, mask, self.ones_in_place(v))]
        if self.family == "selecting":
            summed = self._reduced(mask)
            if summed is not None:
                return [summed]
        if self.name == "setitem":
            return [self._written(v, mask)]
        return [np.asarray(t) != 0 for t in self.push(v, _drawn(mask, self.scene.values[v]))]

    def _reduced(self, mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
        """Where a reduction over the axes of this one meets the mask."""
        shape = self.scene.shape(self.output)
        step = self.last
        axis = step.params.get("axis")
        keep = bool(step.params.get("keepdims", False))
        axes = tuple(map(int, axis)) if isinstance(axis, tuple | list) else None if axis is None else int(axis)
        found = np.any(mask, axis=axes, keepdims=keep)
        return np.asarray(found) if np.shape(found) == shape else None

    def _written(self, v: int, mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Where the array of ``x[index] = value`` is, or would have been, what it was before."""
        step = self.last
        if isinstance(step.inputs[0], Var) and step.inputs[0].number == v:
            return np.array(mask)
        return np.array(self.push(v, _drawn(mask, self.scene.values[v]))[0] != 0)

    def live(self, v: int, mask: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        """The elements of each output that change with the elements of ``v`` in a mask."""
        if self.pointwise:
            return [self.spread(mask) & (self.partial(v) != 0)]
        found = []
        for tangent in self.push(v, _drawn(mask, self.scene.values[v])):
            with np.errstate(all="ignore"):
                found.append(~(tangent == 0))
        return found


def _drawn(mask: np.ndarray[Any, Any], like: Any) -> np.ndarray[Any, Any]:
    """Numbers that nothing cancels, at the elements of a mask."""
    drawn = np.random.default_rng(7).uniform(0.5, 1.5, np.shape(like))
    return np.where(mask, drawn, 0.0)


def stages_of(scene: Scene) -> list[Stage]:
    """The stages of a forward pass, in order."""
    carrying = set(scene.inputs.values())
    uses: dict[int, list[Step]] = {}
    for step in scene.program.steps:
        for x in step.inputs:
            if isinstance(x, Var):
                uses.setdefault(x.number, []).append(step)
    groups: dict[int, list[Step]] = {}  # by the output, the steps of a chain that may still be continued
    stages: list[Stage] = []
    for step in scene.program.steps:
        steps: list[Step] = []
        if is_pointwise(step) and step.operation.function is not set_item:
            for x in step.inputs:
                if isinstance(x, Var) and x.number in groups:
                    steps += groups.pop(x.number)
        steps.append(step)
        (out, *others) = step.outputs
        # It may be continued where it has no name, and is used in one step that works element by element too.
        following = uses.get(out.number, [])
        inner = (
            not others
            and is_pointwise(step)
            and out.number not in scene.named
            and len({id(s) for s in following}) == 1
            and is_pointwise(following[0])
            and is_differentiable(scene.values[out.number])
        )
        if inner:
            groups[out.number] = steps
            continue
        stages.append(_stage(scene, steps, carrying))
        carrying.update(stages[-1].outputs if stages[-1].inputs and not stages[-1].constant else ())
    return stages


def _stage(scene: Scene, steps: list[Step], carrying: set[int]) -> Stage:
    order = scene.order
    ordered = tuple(sorted({id(s): s for s in steps}.values(), key=lambda s: order[id(s)]))
    made = {o.number for s in ordered for o in s.outputs}
    inputs = [
        x.number
        for s in ordered
        for x in s.inputs
        if isinstance(x, Var) and x.number not in made and x.number in carrying
    ]
    outputs = tuple(o.number for o in ordered[-1].outputs)
    return Stage(scene, ordered, tuple(dict.fromkeys(inputs)), outputs, is_pointwise(ordered[-1]))
