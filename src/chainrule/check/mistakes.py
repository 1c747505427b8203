"""What people get wrong at a step of a backward pass, by the operation of the step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.check.planting import Done, Draft, Edit, Operand, Pass
from chainrule.indexing import set_item
from chainrule.ir import Const, Step, Var
from chainrule.ops import OPERATIONS
from chainrule.sizes import is_size, plain_number

__all__ = ["edits_of"]

_PATH = (
    "missing_path missing_mean_path missing_var_path treats_stat_as_constant overwrites_instead_of_accumulates "
    "truncated_recurrence missing_reg_grad softmax_diag_only missing_label_term missing_branch missing_count_on_target"
)
_FACTOR = (
    "missing_activation_grad missing_inner_derivative missing_scale missing_weight missing_factor "
    "wrong_local_derivative"
)
_MASK = "missing_relu_mask missing_mask missing_activation_grad missing_branch"
_OPERAND = (
    "wrong_operand uses_pre_activation_wrongly uses_post_activation_wrongly mask_from_wrong_array off_by_one_index "
    "wrong_power wrong_local_derivative"
)
_MEAN = "missing_batch_mean missing_mean missing_scale extra_factor wrong_count"
_COUNT = "wrong_count extra_batch_mean extra_mean missing_mean extra_factor missing_batch_mean"
_AVERAGED = "extra_batch_mean extra_mean wrong_count extra_factor"
_CONSTANT = "factor_2_missing extra_factor missing_scale wrong_local_derivative wrong_power"
_SIGN = "sign_flipped sign_flipped_term"
_UNSUMMED = "bias_not_summed broadcast_not_reduced"


def edits_of(backward: Pass) -> Iterator[Edit]:
    """Every mistake that can be planted, in the order of the steps."""
    for index in range(backward.backward.forward_steps, len(backward.steps)):
        step = backward.steps[index]
        if len(step.outputs) != 1:
            continue
        place = backward.names_at(index)
        for kinds, text, do, *elsewhere in _at(backward, index, step):
            steps = (*place, *elsewhere[0]) if place and elsewhere else place
            line = None if step.position is None else step.position.line
            yield Edit(tuple(kinds.split()), tuple(steps), line, text, do)


def _at(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    name = step.operation.name
    out = step.outputs[0]
    if name in _MAKERS:
        yield from _MAKERS[name](backward, index, step)
    if out.number in backward.carrying and name != "negative":
        yield _SIGN, "sign flipped", _then(index, np.negative, lambda v: (v,))
    if out.number in backward.results:
        two = Const(2.0)
        yield "extra_factor", "a factor of two too many", _then(index, np.multiply, lambda v: (v, two))
        if len(out.shape) > 1:
            yield "transposed missing_transpose", "transposed", _then(index, np.transpose, lambda v: (v,))
        if out.shape and out.shape[0] > 1:
            yield "extra_batch_mean extra_mean wrong_count extra_factor", "averaged once too often", _averaged(index)


def _averaged(index: int) -> Done:
    """Divide by the number of rows of the first argument, which is the batch more often than not."""

    def do(draft: Draft) -> None:
        shapes = [x.shape for x in draft.program.inputs if x.shape]
        rows = shapes[0][0] if shapes and shapes[0][0] > 1 else draft.steps[index].outputs[0].shape[0]
        draft.after(index, np.divide, lambda v: (v, Const(float(rows))))

    return do


def _recounted(index: int, place: int, which: int, change: Callable[[float, int], float]) -> Done:
    """Change a number that a count is part of, whatever that count is for the sizes at hand."""

    def do(draft: Draft) -> None:
        inputs = list(draft.steps[index].inputs)
        constant = inputs[place]
        assert isinstance(constant, Const)
        inputs[place] = Const(change(float(constant.value), _sizes_in(constant.value)[which]))
        draft.put(index, inputs=tuple(inputs))

    return do


def _without(value: float, n: int) -> float:
    return value * n if abs(value) < 1 else value / n


def _one_less(value: float, n: int) -> float:
    return value * n / (n - 1) if abs(value) < 1 else value * (n - 1) / n


def _then(index: int, function: Any, make: Callable[[Var], tuple[Operand, ...]]) -> Done:
    return lambda draft: draft.after(index, function, make)


def _twice(index: int, factor: Operand) -> Done:
    return _then(index, np.multiply, lambda v: (v, factor))


def _instead(index: int, other: Operand) -> Done:
    return lambda draft: draft.instead(index, other)


def _operands(index: int, *inputs: Operand) -> Done:
    return lambda draft: draft.put(index, inputs=inputs)


def _operation(index: int, function: Any, **params: Any) -> Done:
    return lambda draft: draft.put(index, operation=OPERATIONS[function], params=params)


def _parameters(index: int, **params: Any) -> Done:
    return lambda draft: draft.put(index, params=params)


# ---- by operation
def _product(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    a, b = step.inputs
    for place, (carried, local) in enumerate(((a, b), (b, a))):
        if isinstance(local, Const):
            yield from _constant(index, step, 1 - place)
        elif backward.carries(carried) and not backward.carries(local):
            assert isinstance(local, Var)
            mask = local.dtype.kind == "b"
            yield _MASK if mask else _FACTOR, "a factor left out", _instead(index, carried)
            if mask:
                yield "inverted_mask swapped_branches", "the mask inverted", _inverted(index, 1 - place)
            else:
                kinds = "double_activation_grad extra_factor wrong_power wrong_local_derivative"
                yield kinds, "a factor applied twice", _twice(index, local)
            yield from _other_operand(backward, index, step, 1 - place)


def _inverted(index: int, place: int) -> Done:
    def do(draft: Draft) -> None:
        step = draft.steps[index]
        mask = step.inputs[place]
        assert isinstance(mask, Var)
        fresh = Var(mask.shape, mask.dtype, None, max(draft.values) + 2)
        inputs = tuple(fresh if k == place else x for k, x in enumerate(step.inputs))
        draft.steps[index] = replace(step, inputs=inputs)
        draft.steps.insert(index, Step(OPERATIONS[np.logical_not], (mask,), {}, (fresh,), step.position))

    return do


def _other_operand(backward: Pass, index: int, step: Step, place: int) -> Iterator[tuple[Any, ...]]:
    """Another value of the forward pass of the same shape, also behind a transposition."""
    operand = step.inputs[place]
    assert isinstance(operand, Var)
    maker = backward.makers.get(operand.number)
    if operand.number in backward.forward:
        for other in backward.like(operand)[:2]:
            inputs = tuple(other if k == place else x for k, x in enumerate(step.inputs))
            yield _OPERAND, "another array in its place", _operands(index, *inputs)
    elif maker is not None and maker.operation.name == "transpose" and not backward.carries(operand):
        source = maker.inputs[0]
        if isinstance(source, Var) and source.number in backward.forward:
            at = backward.steps.index(maker)
            for other in backward.like(source)[:2]:
                yield _OPERAND, "another array in its place", _operands(at, other)


def _constant(index: int, step: Step, place: int) -> Iterator[tuple[Any, ...]]:
    constant = step.inputs[place]
    if not isinstance(constant, Const):
        return
    value = plain_number(constant.value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return

    def with_value(new: float) -> Done:
        inputs = tuple(Const(new) if k == place else x for k, x in enumerate(step.inputs))
        return _operands(index, *inputs)

    if is_size(constant.value):
        for which, n in enumerate(_sizes_in(constant.value)):
            if n > 1:
                yield _MEAN, "divided by no count", _recounted(index, place, which, _without)
                yield _COUNT, "divided by another count", _recounted(index, place, which, _one_less)
    elif value not in (0, 1, -1):
        yield _CONSTANT, f"without the factor {value:g}", with_value(1.0 if value > 0 else -1.0)


def _sizes_in(size: Any) -> list[int]:
    """The lengths and counts in an expression of sizes."""
    head, *operands = size.expression
    if head in ("length", "size"):
        return [int(plain_number(size))]
    return [n for operand in operands if is_size(operand) for n in _sizes_in(operand)]


def _quotient(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    a, b = step.inputs
    if isinstance(b, Const):
        if is_size(b.value):
            for which, n in enumerate(_sizes_in(b.value)):
                if n > 1:
                    yield _MEAN, "divided by no count", _instead(index, a)
                    yield _COUNT, "divided by another count", _recounted(index, 1, which, _one_less)
        else:
            yield from _constant(index, step, 1)
    elif backward.carries(a):
        yield _FACTOR, "a division left out", _instead(index, a)
        yield from _other_operand(backward, index, step, 1)


def _sum_of_two(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    a, b = step.inputs
    if not (backward.carries(a) and backward.carries(b)):
        return
    whole = step.outputs[0].shape
    for kept, lost in ((a, b), (b, a)):
        elsewhere = _names_behind(backward, lost)
        if isinstance(kept, Var) and kept.shape == whole:
            yield _PATH, "one of two routes left out", _instead(index, kept), elsewhere
    minus = "sign_flipped_term"
    yield minus, "one of two terms with the wrong sign", _operation(index, np.subtract), _names_behind(backward, b)


def _names_behind(backward: Pass, x: Operand) -> tuple[str, ...]:
    """The names of the lines that a contribution came through."""
    names: list[str] = []
    waiting, seen = [x], set[int]()
    while waiting and len(seen) < 40:
        y = waiting.pop()
        if not backward.carries(y) or y.number in seen or y.number not in backward.makers:
            continue
        seen.add(y.number)
        step = backward.makers[y.number]
        names += backward.names_at(backward.steps.index(step))
        if y.number not in set(backward.backward.links.values()):
            waiting += step.inputs
    return tuple(names)


def _sum_over(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    x = step.inputs[0]
    if not backward.carries(x) or not isinstance(x, Var):
        return
    params, out = dict(step.params), step.outputs[0]
    result = out.number in backward.results
    if result:
        yield _UNSUMMED, "not summed", _instead(index, x)
        if out.shape:
            yield "shape_keepdims", "a left-over axis", _parameters(index, **params | {"keepdims": True})
    if out.shape:
        whole = {k: v for k, v in params.items() if k != "axis"}
        yield "summed_all_axes wrong_axis", "summed over all axes", _parameters(index, **whole)
    axis = params.get("axis")
    if isinstance(axis, int) and len(x.shape) > 1:
        other = (axis + 1) % len(x.shape)
        yield "wrong_axis", "summed over another axis", _parameters(index, **params | {"axis": other})
    if params.get("keepdims") and isinstance(axis, int):
        lost = {k: v for k, v in params.items() if k != "keepdims"}
        kinds = "missing_keepdims wrong_axis accidental_outer_broadcast"
        yield kinds, "the axis not kept", _parameters(index, **lost)
    mean = {k: v for k, v in params.items() if k in ("axis", "keepdims")}
    yield (
        "extra_batch_mean extra_mean wrong_count extra_factor",
        "averaged, not summed",
        _operation(index, np.mean, **mean),
    )


def _matmul(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    for place, x in enumerate(step.inputs):
        if isinstance(x, Var) and not backward.carries(x):
            yield from _other_operand(backward, index, step, place)
    a, b = step.inputs
    if isinstance(a, Var) and isinstance(b, Var) and a.shape == b.shape == step.outputs[0].shape:
        yield "elementwise_instead_of_matmul", "* for @", _operation(index, np.multiply)


def _transposed(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    x, out = step.inputs[0], step.outputs[0]
    if not isinstance(x, Var):
        return
    square = "missing_transpose transposed transposes_all_axes permutation_not_inverted"
    yield square, "a transposition left out", _instead(index, x)
    text = "reshaped, not transposed"
    yield (
        "reshape_instead_of_transpose",
        text,
        lambda draft: draft.put(index, operation=OPERATIONS[np.reshape], params={"shape": out.shape}),
    )
    if len(out.shape) > 2:
        yield "transposes_all_axes", "all axes reversed", _operation(index, np.transpose)


def _raised(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    x, exponent = step.inputs
    value = plain_number(exponent.value) if isinstance(exponent, Const) else None
    if isinstance(value, int | float) and value != 1:
        for new in (value - 1, value + 1):
            kinds = "wrong_power wrong_local_derivative missing_activation_grad"
            yield kinds, "another power", _operands(index, x, Const(new))


def _negated(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    yield _SIGN, "a minus left out", _instead(index, step.inputs[0])


def _less(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    a, b = step.inputs
    if backward.carries(a) or backward.carries(b):
        yield _SIGN, "a minus for a plus", _operation(index, np.add)
    elif isinstance(b, Var) and isinstance(a, Const):
        yield "wrong_local_derivative missing_term missing_path", "a term of a derivative left out", _instead(index, b)


def _scattered(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    kinds = "duplicate_index_overwrite overwrites_instead_of_accumulates missing_path"
    yield kinds, "= for +=", lambda draft: draft.put(index, operation=OPERATIONS[set_item])


def _chosen(backward: Pass, index: int, step: Step) -> Iterator[tuple[Any, ...]]:
    mask, a, b = step.inputs
    yield "swapped_branches inverted_mask", "the branches exchanged", _operands(index, mask, b, a)
    for place, x in ((1, a), (2, b)):
        if isinstance(x, Const) and plain_number(x.value) == 0:
            other = b if place == 1 else a
            yield _MASK, "the mask left out", _operands(index, mask, other, other)


_MAKERS: dict[str, Callable[[Pass, int, Step], Iterator[tuple[Any, ...]]]] = {
    "multiply": _product,
    "divide": _quotient,
    "add": _sum_of_two,
    "subtract": _less,
    "sum": _sum_over,
    "matmul": _matmul,
    "dot": _matmul,
    "transpose": _transposed,
    "swapaxes": _transposed,
    "power": _raised,
    "negative": _negated,
    "where": _chosen,
    "add.at": _scattered,
}
