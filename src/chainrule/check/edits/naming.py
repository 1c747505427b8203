"""Which word of the vocabulary an edit of the backward pass is, and what its sentence wants to know."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.check.edits.base import Base, Edit, axes_of
from chainrule.check.edits.context import ACTIVATIONS, COMPARISONS, Context, picks_by_labels
from chainrule.check.edits.turns import Turns
from chainrule.check.edits.wrong_operands import other_operand
from chainrule.check.findings import Place, part_of, place_of
from chainrule.ir import Const, Step
from chainrule.sizes import is_size

__all__ = ["named_edit"]

_RELU = frozenset("maximum minimum clip fmax fmin where abs absolute".split())
_REDUCED_MAX = frozenset("max min amax amin".split())
_STATISTICS = frozenset("mean sum var std max min amax amin median".split())
_THROUGH = frozenset(("missing_path", "sign_flipped_term", "doubled_path"))
_POWERS = frozenset("divide sqrt power square reciprocal cbrt norm linalg.norm".split())


def named_edit(base: Base, edit: Edit, batch: str) -> tuple[str, Place, dict[str, Any]]:
    """The word for an edit, the statement of the forward pass that it belongs to, and details for its sentence."""
    c = Context(base, edit)
    place = place_of(base.wiring.backward.program, base.wiring.first, c.owner)
    details: dict[str, Any] = dict(edit.details)
    kind = edit.kind or _kind(c, details, batch)
    if kind == "wrong_axis":
        _note_axes(c, details)
    if c.moved_to is not None:
        place = place_of(base.wiring.backward.program, base.wiring.first, c.moved_to)
    if kind in _THROUGH:  # of a statement with several routes, the part that is meant
        owner = c.owner if c.moved_to is None else c.moved_to
        details["statement"] = part_of(base.wiring.backward.program, base.wiring.first, owner)
    return kind, place, details


def _kind(c: Context, details: dict[str, Any], batch: str) -> str:
    word, n = c.edit.word, c.edit.operand
    if c.of == "pad" and word in ("not indexed", "off by one", "from the start"):
        return "padding_offset"
    if word == "no transpose" and _beside_reshape(c):
        return "reshape_instead_of_transpose"
    simple = _SIMPLE.get(word)
    if simple is not None:
        return simple
    if word == "drop":
        if c.operand(n).number in c.wiring.flow:
            return _dropped_before(c, n, details)
        return _dropped(c, n, details, batch)
    if word in ("drop term", "negate term", "zero", "detach", "leave one out", "keep one", "double term", "halve term"):
        return _route(c, word, n, details)
    if word == "other operand":
        return other_operand(c, n, details)
    if word in ("no sum", "all axes", "axis", "keepdims", "mean", "sum", "one row"):
        return _axes(c, word, details, batch)
    if word in (
        "no count",
        "other count",
        "no number",
        "number times",
        "number plus",
        "one less",
        "count twice",
        "scale",
    ):
        return _number(c, word, n, details, batch)
    if word.startswith(("transposed", "swapped", "elementwise")):
        return _matrix(c, word, details)
    if word.startswith("local"):
        return _local(c, word, details)
    if word in ("complement", "invert mask"):
        mask = word == "invert mask" or c.is_mask(n)
        return "inverted_mask" if mask else "wrong_local_derivative"
    if word == "axes exchanged":
        return "index_order_swapped" if c.is_mask(n) else "missing_transpose"
    if word == "square":
        return _squared(c, n)
    if word == "flipped":
        return "kernel_not_flipped"
    return "wrong_local_derivative"


def _beside_reshape(c: Context) -> bool:
    """Whether the axes are moved next to a reshape, which can hide that they are not."""
    near = [x for out in c.step.outputs for k in c.wiring.used_by.get(out.number, ()) for x in [c.wiring.steps[k]]]
    makers = [m for x in c.step.inputs if (m := c.maker(x)) is not None]
    return any(s.operation.name == "reshape" for s in (*near, *makers))


def _dropped_before(c: Context, n: int, details: dict[str, Any]) -> str:
    """What came in is left out: the derivative of the step before, in backward order."""
    maker = c.wiring.made_by.get(c.operand(n).number, -1)
    owner = c.wiring.owner.get(maker, -1)
    if owner < 0:
        return "missing_upstream"
    c.moved_to = owner
    name = c.wiring.steps[owner].operation.name
    return "missing_activation_grad" if name in ACTIVATIONS | _POWERS else "missing_local_derivative"


def _squared(c: Context, n: int) -> str:
    if _is_constant(c, n):
        return "extra_factor"
    if np.all(np.abs(np.asarray(c.value(n), float)) == 1):
        return "missing_local_derivative"
    if c.of in _POWERS:
        return "wrong_power"
    if c.of in ACTIVATIONS or c.of in _RELU:
        return "double_activation_grad"
    return "wrong_power"


_SIMPLE = {
    "no transpose": "missing_transpose",
    "reshape": "reshape_instead_of_transpose",
    "other order": "reshape_instead_of_transpose",
    "turned": "reshape_instead_of_transpose",
    "axes": "transposed",
    "matmul": "matmul_instead_of_elementwise",
    "swap branches": "swapped_branches",
    "one branch": "missing_branch",
    "zero branch": "missing_branch",
    "overwrites": "overwrites_instead_of_accumulates",
    "adds once": "duplicate_index_overwrite",
    "read instead": "permutation_not_inverted",
    "stride ignored": "stride_ignored",
    "off by one": "off_by_one_index",
    "from the end": "off_by_one_index",
    "from the start": "padding_offset",
    "not reversed": "not_reversed",
    "reversed": "not_reversed",
    "drop sign": "sign_flipped_term",
    "negate": "sign_flipped_term",
    "negate one": "sign_flipped_term",
    "power": "wrong_power",
    "root": "wrong_power",
    "diagonal": "softmax_diag_only",
    "last only": "overwrites_instead_of_accumulates",
    "first only": "overwrites_instead_of_accumulates",
    "all true": "missing_mask",
    "other side": "wrong_local_derivative",
    "last axis": "accidental_outer_broadcast",
    "everywhere": "missing_mask",
    "every row": "wrong_index",
    "target once": "missing_count_on_target",
    "counted once": "missing_count_on_target",
    "one side": "missing_branch",
    "averaged": "wrong_count",
    "exchanged operands": "kernel_not_flipped",
}


def _is_constant(c: Context, n: int) -> bool:
    return isinstance(c.operand(n), Const) and c.operand(n).number < 0


def _dropped(c: Context, n: int, details: dict[str, Any], batch: str) -> str:
    x = c.operand(n)
    if c.name == "matmul":
        return "missing_local_derivative"
    details["factor"] = c.text(n) or None
    if not c.carries and not _is_constant(c, n) and c.name == "divide" and n == 1 and c.of in _POWERS:
        return "wrong_power"
    if _is_constant(c, n):
        return _number(c, "no count" if is_size(getattr(x, "value", None)) else "no number", n, details, batch)
    if c.is_mask(n):
        maker = c.maker(x)
        if c.of in ("maximum", "fmax") or (c.of == "where" and maker is not None):
            return "missing_relu_mask"
        return "missing_mask"
    if c.of in ACTIVATIONS:
        return "missing_activation_grad"
    if c.of == "log":
        return "missing_log_derivative"
    if c.of in ("power", "square", "sqrt", "abs", "absolute"):
        return "missing_local_derivative"
    if c.of in ("multiply", "divide"):
        own = c.operand(n)
        argument = own.number >= 0 and own.number not in c.wiring.made_by
        return (
            "missing_scale" if argument or np.ndim(c.value(n)) < np.ndim(c.value(1 - n)) else "missing_local_derivative"
        )
    return "missing_local_derivative"


def _route(c: Context, word: str, n: int, details: dict[str, Any]) -> str:
    if word in ("drop term", "double term", "halve term") and not c.carries:
        to_one = any(isinstance(x, Const) for x in c.step.inputs)
        return "missing_activation_grad" if to_one and c.of in ACTIVATIONS else "wrong_local_derivative"
    if word == "drop term" and c.is_one_per_row(n):
        _route_of(c, word, n)
        return "missing_label_term"
    if word == "drop term" and len(c.step.inputs) == 2 and _is_repeated(c):
        return "overwrites_instead_of_accumulates"
    if word in ("negate term", "double term", "halve term"):
        _route_of(c, "drop term", n)
    if word == "negate term":
        return "sign_flipped_term"
    if word in ("double term", "halve term"):
        return "doubled_path" if word == "double term" else "extra_factor"
    if word == "keep one":
        return "overwrites_instead_of_accumulates" if n == c.edit.other - 1 or n == 0 else "missing_path"
    through = c.forward if word == "detach" else _route_of(c, word, n)
    if through is not None and through.operation.name in ("getitem", "take_along_axis") and picks_by_labels(through):
        return "missing_label_term"
    if through is not None:
        name = through.operation.name
        if name == "mean":
            squared = any(
                (m := c.maker(x)) is not None and m.operation.name in ("power", "multiply", "square")
                for x in through.inputs
            )
            return "missing_var_path" if squared else "missing_mean_path"
        if name in ("var", "std"):
            return "missing_var_path"
        if name in _STATISTICS:
            return "treats_stat_as_constant"
        if word == "detach" and np.ndim(c.base.values[through.outputs[0].number]) < 2 and _from_statistic(c, through):
            return "missing_var_path" if _squares(c, through) else "treats_stat_as_constant"
    return "truncated_recurrence" if word == "drop term" and _is_whole_carry(c, n) else "missing_path"


def _is_whole_carry(c: Context, n: int) -> bool:
    """Whether a share that is left out in every turn of a loop is all that comes from the turn behind."""
    if len(c.edit.changes) < 2 or not 0 <= n < len(c.step.inputs):
        return False
    through = _owner_of_share(c, c.operand(n).number)
    whose = next((c.wiring.whose[o.number] for o in c.step.outputs if o.number in c.wiring.whose), None)
    return through >= 0 and whose is not None and Turns(c.wiring).carries_alone(through, whose)


def _is_repeated(c: Context) -> bool:
    """Whether both shares are the same step of two turns of a loop."""
    last = c.wiring.steps[max(c.edit.changes)]
    whose = next((c.wiring.whose[o.number] for o in last.outputs if o.number in c.wiring.whose), None)
    shares = c.wiring.backward.contributions.get(whose, ()) if whose is not None else ()
    places = {c.wiring.steps[owner].position for owner, _ in shares if owner >= 0}
    return len(shares) > 1 and len(places) == 1 and None not in places


def _route_of(c: Context, word: str, n: int) -> Step | None:
    """The forward step that a dropped share came through: the one at the place where the share was made."""
    if word == "drop term" and 0 <= n < len(c.step.inputs):
        maker = c.wiring.made_by.get(c.operand(n).number)
        owner = _owner_of_share(c, c.operand(n).number)
        if owner >= 0:
            c.moved_to = owner
            return c.wiring.steps[owner]
        if maker is None:
            numbers = _numeric_shares(c)
            if numbers:
                c.moved_to = numbers[0]
                return c.wiring.steps[numbers[0]]
        if maker is not None and c.wiring.owner.get(maker, -1) >= 0:
            c.moved_to = c.wiring.owner[maker]
            return c.wiring.steps[c.moved_to]
    if word == "leave one out" and c.edit.owner >= 0:
        return c.wiring.steps[c.edit.owner]
    return c.forward


def _owner_of_share(c: Context, number: int) -> int:
    """The forward step through which a share of the cotangent that a step makes came; -1 where it is none."""
    whose = [c.wiring.whose[o.number] for o in c.step.outputs if o.number in c.wiring.whose]
    shares = c.wiring.backward.contributions.get(whose[0], ()) if whose else ()
    return next((owner for owner, g in shares if type(g) is int and g == number and owner >= 0), -1)


def _numeric_shares(c: Context) -> list[int]:
    """The forward steps through which a plain number is added to the cotangent that a step makes."""
    whose = next((c.wiring.whose[o.number] for o in c.step.outputs if o.number in c.wiring.whose), None)
    shares = c.wiring.backward.contributions.get(whose, ()) if whose is not None else ()
    return [owner for owner, g in shares if type(g) is not int and owner >= 0]


def _from_statistic(c: Context, step: Step, depth: int = 4) -> bool:
    if step.operation.name in _STATISTICS:
        return True
    makers = [m for x in step.inputs if (m := c.maker(x)) is not None]
    return depth > 0 and any(_from_statistic(c, m, depth - 1) for m in makers)


def _squares(c: Context, step: Step, depth: int = 5) -> bool:
    if step.operation.name in ("power", "square", "var", "std"):
        return True
    makers = [m for x in step.inputs if (m := c.maker(x)) is not None]
    return depth > 0 and any(_squares(c, m, depth - 1) for m in makers)


def _axes(c: Context, word: str, details: dict[str, Any], batch: str) -> str:
    step = c.forward
    if word == "keepdims":
        return "missing_keepdims"
    if word == "mean":
        return "extra_batch_mean"
    if word == "sum":
        return "missing_mean"
    if word == "one row":
        return "overwrites_instead_of_accumulates"
    if word == "all axes":
        return "summed_all_axes" if c.name == "sum" else "transposes_all_axes"
    if word == "no sum":
        axes = c.edit.other
        details["axis"] = axes[0] if isinstance(axes, tuple) and len(axes) == 1 else axes
        if step is not None and c.of in ("add", "subtract"):
            details["operand"] = next((n for out in c.step.outputs if (n := (out.name or "").removeprefix("d"))), None)
            arguments = [out.number in c.wiring.targets for out in c.step.outputs]
            return "bias_not_summed" if any(arguments) else "broadcast_not_reduced"
        if step is not None and c.of in ("divide", "multiply"):
            return "broadcast_not_reduced"
        return "broadcast_not_reduced"
    return "wrong_axis"


def _note_axes(c: Context, details: dict[str, Any]) -> None:
    """Along which axes a reduction runs, and along which it must."""
    wrong, right = c.edit.other, None
    if isinstance(wrong, tuple) and wrong and isinstance(wrong[0], tuple):
        wrong, right = wrong[0], wrong[1]
    elif c.name in ("sum", "mean"):
        right = axes_of(c.base.params(c.edit.step), np.ndim(c.value(0)))
    if isinstance(wrong, tuple) and right is not None:
        details["wrong"] = wrong[0] if len(wrong) == 1 else wrong
        details["right"] = right[0] if len(right) == 1 else right


def _number(c: Context, word: str, n: int, details: dict[str, Any], batch: str) -> str:
    if word in ("no count", "other count", "one less", "count twice", "number times") and is_size(_value(c, n)):
        c.moved_to = _where_counted(c)
    if word == "no count":
        counts = _count_text(c, n)
        details["count"] = details["factor"] = counts
        if "sqrt" in str(counts):
            return "missing_scale"
        value = float(np.abs(c.value(n)))
        count = 1 / value if 0 < value < 1 else value
        batches = _length(c, batch)
        if (c.of in ("mean", "average") and _over_all(c)) or (batches and abs(count - batches) < 1e-9):
            return "missing_batch_mean"
        return "missing_mean"
    if word in ("other count", "one less"):
        details["wrong"] = c.edit.other
        right = _count_text(c, n)
        details["right"] = str(right).removesuffix(" - 0") if right and "/" not in str(right) else None
        return "wrong_count"
    if word == "count twice":
        return "extra_batch_mean"
    if c.name in COMPARISONS:
        return "mask_from_wrong_array"
    if word == "no number":
        value = np.abs(c.value(n)) if n >= 0 else 0
        if value == 2:
            return "factor_2_missing"
        return "missing_scale"
    if word == "scale":
        text = str(c.edit.other)
        details["factor"] = text
        if text == "-1":
            return "sign_flipped_term"
        if text.startswith("1 / ") and "shape" in text:
            return "extra_batch_mean" if text[4:] == batch else "wrong_count"
        if "shape" in text:
            return "missing_batch_mean" if text == batch else "missing_mean"
        return "factor_2_missing" if text == "1 / 2" else "extra_factor"
    if word == "number times" and c.edit.other == 0.5:
        return "factor_2_missing"
    if word == "number times" and c.edit.other == -1.0:
        return "sign_flipped_term"
    if c.of == "power" and word == "number plus":
        return "wrong_power"
    details["factor"] = c.edit.other
    return "extra_factor" if word == "number times" else "wrong_constant_value"


def _value(c: Context, n: int) -> Any:
    x = c.step.inputs[n] if 0 <= n < len(c.step.inputs) else None
    return x.value if isinstance(x, Const) else None


def _where_counted(c: Context) -> int | None:
    """The forward step that a count in a cotangent comes from, where that is a number which later steps take over."""
    if c.of in ("mean", "average", "divide", "var", "std"):
        return None
    numbers = [
        (owner, g)
        for shares in c.wiring.backward.contributions.values()
        for owner, g in shares
        if is_size(g) and owner >= 0
    ]
    counted = [owner for owner, _ in numbers if c.wiring.steps[owner].operation.name in ("mean", "average", "divide")]
    return max(counted, default=None)


def _count_text(c: Context, n: int) -> Any:
    text = c.text(n)
    return text or None


def _length(c: Context, text: str) -> int:
    """The length that a text such as ``X.shape[0]`` stands for; 0 where it is none."""
    name, _, rest = text.partition(".shape[")
    for x in c.wiring.backward.program.inputs:
        if x.name == name and rest:
            return int(np.shape(c.base.values[x.number])[int(rest.rstrip("]"))])
    return 0


def _over_all(c: Context) -> bool:
    """Whether a mean is over the whole array or over its first axis."""
    if c.forward is None:
        return False
    axis = c.forward.params.get("axis", c.forward.params.get("argument 1"))
    axes = axis if isinstance(axis, tuple) else (axis,)
    return axis is None or 0 in axes


def _matrix(c: Context, word: str, details: dict[str, Any]) -> str:
    if word.startswith("elementwise"):
        return "elementwise_instead_of_matmul"
    if word.startswith("transposed"):
        if "all" in word:
            return "transposes_all_axes"
        return "missing_transpose"
    return "wrong_operand_order" if word == "swapped - -" else "missing_transpose"


def _local(c: Context, word: str, details: dict[str, Any]) -> str:
    relu = _is_relu(c)
    if word == "local dropped":
        return "missing_relu_mask" if relu else "missing_activation_grad"
    if word in ("local twice", "local again"):
        details["factor"] = c.edit.other if "(z)" not in str(c.edit.other) else None
        return "double_activation_grad"
    details["wrong"] = c.edit.other
    if word == "local at end":
        return "uses_post_activation_wrongly"
    return "wrong_local_derivative"


def _is_relu(c: Context) -> bool:
    return c.forward is not None and c.of in ("maximum", "fmax", "where")
