"""Mistakes with indices, order, accumulation, memory, state and numbers, and with what is returned."""

from __future__ import annotations

from chainrule.check.kinds.kind import COMMON, RARE, SEEN, VERY_COMMON, Kind
from chainrule.check.kinds.questions import (
    ACCUMULATE,
    ARGUMENTS,
    DTYPE,
    INDICES,
    KERNEL,
    LARGE,
    MEMORY,
    ORDER,
    RANDOM,
    RESULT,
    STATE,
    STEPS,
    TIME,
    TURNS,
)
from chainrule.language import message

__all__ = ["KINDS"]

_ORDER = "indices and order"
_WINDOW = "convolution and pooling"
_TIME = "recurrence"
_RESULT = "what is returned"
_NUMBER = "numbers"
_MEMORY = "memory and state"

KINDS = (
    Kind(
        "overwrites_instead_of_accumulates",
        _ORDER,
        message("`=` stands where `+=` is needed: only the last share of the gradient is kept."),
        ACCUMULATE,
        "cand == the last share only",
        VERY_COMMON,
        (
            message("The gradient of {operand} is written anew at {statement}, and what was there is lost: add to it."),
            message("At {statement}, only the last share of the gradient is kept: use `+=`, not `=`."),
        ),
        ("missing_path", "duplicate_index_overwrite", "truncated_recurrence"),
        ("assigns_instead_of_accumulates", "not_accumulated"),
    ),
    Kind(
        "accumulates_instead_of_overwrites",
        _ORDER,
        message("`+=` stands where `=` is needed: what an earlier turn left is counted again."),
        ACCUMULATE,
        "cand == rule with the shares of all turns so far",
        SEEN,
        (
            message("At {statement}, what one turn of the loop hands to the next is added up and never cleared."),
            message("What one turn of the loop hands to the next is added up and never cleared."),
        ),
        ("state_leak", "doubled_path", "extra_term"),
        ("carry_not_cleared", "accumulates_over_turns"),
    ),
    Kind(
        "kernel_not_flipped",
        _WINDOW,
        message("The kernel is not turned around, or the two arguments of the correlation are exchanged."),
        KERNEL,
        "cand == rule with w[::-1] -> w",
        COMMON,
        (message("At {statement}, the kernel is not turned around."),),
        ("not_reversed",),
        ("kernel_unflipped",),
    ),
    Kind(
        "stride_ignored",
        _WINDOW,
        message("The start of each window is not multiplied by the stride."),
        KERNEL,
        "cand == rule with stride -> 1",
        VERY_COMMON,
        (message("At {statement}, the start of each window is not multiplied by the stride."),),
        ("off_by_one_index",),
        ("missing_stride",),
    ),
    Kind(
        "padding_offset",
        _WINDOW,
        message("The padding is cut off in the wrong place."),
        KERNEL,
        "cand is exact shifted by the padding",
        COMMON,
        (message("At {statement}, the padding is cut off in the wrong place."),),
        ("off_by_one_index",),
        ("padding_not_stripped",),
    ),
    Kind(
        "index_order_swapped",
        _WINDOW,
        message("The row and the column of an index are exchanged."),
        INDICES,
        "cand is exact with two axes exchanged inside each window",
        SEEN,
        (message("At {statement}, the row and the column of an index are exchanged."),),
        ("transposed",),
        ("row_column_swapped",),
    ),
    Kind(
        "truncated_recurrence",
        _TIME,
        message("The gradient is not carried to the step before."),
        TIME,
        "cand == the sum of one-step gradients",
        VERY_COMMON,
        (
            message("The gradient is not carried from one turn of the loop at {statement} to the turn before."),
            message("The gradient is not carried from {statement} to the step before."),
        ),
        ("missing_path", "overwrites_instead_of_accumulates"),
        ("recurrence_truncated", "missing_dh_next"),
    ),
    Kind(
        "off_by_one_index",
        _TIME,
        message("The neighbouring slice or time step is used."),
        INDICES,
        "cand == rule with t - 1 -> t",
        SEEN,
        (
            message("At {statement}, {wrong} stands where {right} belongs: the neighbouring step."),
            message("At {statement}, the neighbouring slice or time step is used."),
        ),
        ("wrong_operand",),
        ("index_off_by_one",),
    ),
    Kind(
        "wrong_loop_range",
        _TIME,
        message("The loop takes other turns than it should: one is left out, or one too many is taken."),
        TURNS,
        "cand == the exact sum without a turn, or with one more",
        COMMON,
        (message("The loop over what {statement} computes takes other turns than it should."),),
        ("off_by_one_index", "truncated_recurrence", "missing_path"),
        ("loop_range_wrong", "missing_turn"),
    ),
    Kind(
        "wrong_block",
        _TIME,
        message("A line stands inside of a loop and belongs behind it, or the other way round."),
        TURNS,
        "cand == exact with the line in the other block",
        COMMON,
        (message("The line for what {statement} computes stands in another block than it should."),),
        ("wrong_loop_range", "wrong_count"),
        ("wrong_indentation",),
    ),
    Kind(
        "swapped_parts",
        _ORDER,
        message("Two parts that are joined stand in each other's place."),
        ORDER,
        "cand == rule with two parts exchanged",
        SEEN,
        (message("At {statement}, two parts that are joined stand in each other's place."),),
        ("swapped_outputs", "wrong_operand"),
        ("parts_swapped",),
    ),
    Kind(
        "wrong_index",
        _ORDER,
        message("The gradient is written to other elements than those that were read."),
        INDICES,
        "cand == rule with another index",
        SEEN,
        (message("At {statement}, the gradient is written to other elements than those that were read."),),
        ("off_by_one_index", "missing_label_term"),
        ("index_wrong",),
    ),
    Kind(
        "duplicate_index_overwrite",
        _ORDER,
        message("Indices that occur twice count only once: `d[idx] += g` keeps the last one."),
        ACCUMULATE,
        "cand == exact on the rows that are used once",
        VERY_COMMON,
        (
            message(
                "{statement} reads some rows more than once, and `d[idx] += g` adds only the last share to "
                "each: use `np.add.at`."
            ),
        ),
        ("overwrites_instead_of_accumulates",),
        ("duplicate_indices", "repeated_index_lost"),
    ),
    Kind(
        "permutation_not_inverted",
        _ORDER,
        message("The reordering of the forward pass is applied again, and not its inverse."),
        ORDER,
        "cand[perm][perm] == exact",
        SEEN,
        (message("At {statement}, the reordering is applied again, and its inverse is needed."),),
        ("not_reversed", "wrong_operand"),
    ),
    Kind(
        "not_reversed",
        _ORDER,
        message("The direction of a running sum, a shift or a loop is not reversed."),
        ORDER,
        "cand == rule with g -> g[::-1]",
        SEEN,
        (message("At {statement}, the backward pass must run in the other direction."),),
        ("permutation_not_inverted", "kernel_not_flipped"),
        ("direction_not_reversed",),
    ),
    Kind(
        "swapped_outputs",
        _RESULT,
        message("Two gradients are returned in each other's place."),
        RESULT,
        "cand[a] == exact[b]",
        COMMON,
        (message("The gradients of {gradients} are returned in each other's place."),),
        ("swapped_branches",),
        ("outputs_swapped",),
    ),
    Kind(
        "missing_gradient",
        _RESULT,
        message("No gradient is given for an array that the result depends on."),
        RESULT,
        "cand is missing",
        COMMON,
        (message("No gradient is given for {gradients}."),),
        ("missing_path",),
        ("gradient_missing", "none_returned"),
    ),
    Kind(
        "zero_gradient",
        _RESULT,
        message("The gradient is zero everywhere, although the result depends on the array."),
        STEPS,
        "cand == 0",
        SEEN,
        (message("The gradient of {gradients} is zero everywhere, although the result depends on it."),),
        ("int_truncation", "missing_path"),
    ),
    Kind(
        "wrong_shape",
        _RESULT,
        message("The gradient has another shape than the array that it belongs to."),
        RESULT,
        "cand.shape != exact.shape",
        COMMON,
        (
            message("The gradient of {gradients} has the shape {wrong}, and must have that of the argument, {right}."),
            message("The gradient of {gradients} has another shape than the argument."),
        ),
        ("shape_keepdims", "broadcast_not_reduced", "transposed"),
    ),
    Kind(
        "raises_error",
        _RESULT,
        message("The backward pass ends with an error."),
        ARGUMENTS,
        "cand raises",
        COMMON,
        (
            message("The backward pass ends with {error} on its line {candidate_line}."),
            message("The backward pass ends with {error}."),
            message("The backward pass could not be judged: {unread}"),
        ),
        ("missing_transpose", "wrong_shape"),
    ),
    Kind(
        "fixed_sizes",
        _RESULT,
        message("The gradient is right for the sizes of the example, and for no others."),
        ARGUMENTS,
        "cand == exact for the sizes of the example alone",
        SEEN,
        (
            message(
                "The gradient of {gradients} is right for the sizes of your example alone: is a length written "
                "as a number, {wrong}?"
            ),
            message("The gradient of {gradients} is right for the sizes of your example alone."),
        ),
        ("wrong_count",),
        ("size_hard_coded",),
    ),
    Kind(
        "int_truncation",
        _NUMBER,
        message("The gradient is kept in an array of whole numbers, which cuts off all decimals."),
        DTYPE,
        "cand == trunc(exact)",
        COMMON,
        (message("The gradient of {gradients} is kept in an array of whole numbers: make it with `dtype=float`."),),
        ("zero_gradient",),
        ("integer_buffer",),
    ),
    Kind(
        "low_precision",
        _NUMBER,
        message("The gradient is right up to about the precision of a difference quotient or of small floats."),
        DTYPE,
        "cand is close to exact, with an error of another size than rounding",
        SEEN,
        (
            message("The gradient of {gradients} is rounded: it is {wrong}."),
            message(
                "The gradient of {gradients} is right to {count} digits only: is it a difference quotient, or "
                "in small floats?"
            ),
            message("The gradient of {gradients} is right to few digits only."),
        ),
        ("eps_inconsistent",),
        ("imprecise", "rounded"),
    ),
    Kind(
        "overflow_unstable",
        _NUMBER,
        message("The backward pass is not finite where the forward pass is."),
        LARGE,
        "cand has nan or inf, exact is finite",
        SEEN,
        (
            message(
                "For large inputs the forward pass is finite at {statement}, and the gradient of {gradients} is not."
            ),
            message("For large inputs the forward pass is finite, and the gradient of {gradients} is not."),
        ),
        ("not_finite",),
        ("overflows", "unstable"),
    ),
    Kind(
        "not_finite",
        _NUMBER,
        message("The gradient holds nan or inf."),
        LARGE,
        "cand has nan or inf",
        SEEN,
        (message("The gradient of {gradients} holds nan or inf."),),
        ("overflow_unstable",),
    ),
    Kind(
        "mutates_upstream",
        _MEMORY,
        message("The backward pass writes into the incoming gradient."),
        MEMORY,
        "g differs after the call",
        COMMON,
        (
            message(
                "Line {candidate_line} of the backward pass writes into the incoming gradient, which others "
                "still read: work on a copy."
            ),
            message("The backward pass writes into the incoming gradient, which others still read: work on a copy."),
        ),
        ("mutates_input",),
    ),
    Kind(
        "mutates_input",
        _MEMORY,
        message("The backward pass writes into an array of the forward pass."),
        MEMORY,
        "an input differs after the call",
        COMMON,
        (
            message("Line {candidate_line} of the backward pass writes into {operand}: work on a copy."),
            message("The backward pass writes into {operand}: work on a copy."),
        ),
        ("aliased_cache", "mutates_upstream"),
    ),
    Kind(
        "aliased_cache",
        _MEMORY,
        message("A saved array is changed in place and then read again."),
        MEMORY,
        "cand == rule with the changed array",
        COMMON,
        (
            message("{operand} is changed in place, and then read again at {statement}."),
            message("A saved array is changed in place, and then read again at {statement}."),
        ),
        ("mutates_input", "wrong_operand"),
        ("stale_cache",),
    ),
    Kind(
        "state_leak",
        _MEMORY,
        message("Something is kept from one call to the next: the second call gives another answer."),
        STATE,
        "second call == 2 * first",
        COMMON,
        (
            message(
                "A second call with the same inputs gives {factor} times the gradient of {gradients}: "
                "something is not reset."
            ),
            message(
                "A second call with the same inputs gives another gradient of {gradients}: something is not reset."
            ),
        ),
        ("resampled_mask",),
        ("not_idempotent", "buffers_not_cleared"),
    ),
    Kind(
        "uses_updated_weights",
        _MEMORY,
        message("The weights are updated before they are used to go further back."),
        MEMORY,
        "cand == rule with W -> W - lr * dW",
        SEEN,
        (
            message("{operand} is updated before it is used to go further back at {statement}."),
            message("A weight is updated before it is used to go further back at {statement}."),
        ),
        ("wrong_operand", "aliased_cache"),
        ("weights_updated_first",),
    ),
    Kind(
        "resampled_mask",
        _MEMORY,
        message("The backward pass draws random numbers anew."),
        RANDOM,
        "cand == rule with another mask",
        SEEN,
        (
            message(
                "The backward pass draws random numbers anew, and not those that the forward pass used at {statement}."
            ),
            message("The backward pass draws random numbers anew."),
        ),
        ("state_leak",),
        ("mask_drawn_again", "nondeterministic"),
    ),
    Kind(
        "unknown",
        _RESULT,
        message("The cause was not found."),
        STEPS,
        "",
        RARE,
        (
            message("No known mistake explains the gradient of {gradients}, which goes wrong at {statement}."),
            message("No known mistake explains the gradient of {gradients}."),
        ),
    ),
)
