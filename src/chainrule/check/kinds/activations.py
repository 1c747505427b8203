"""Mistakes at activations, at masks and at kinks, and at the softmax."""

from __future__ import annotations

from chainrule.check.kinds.kind import COMMON, RARE, SEEN, VERY_COMMON, Kind
from chainrule.check.kinds.questions import (
    ACCUMULATE,
    ACTIVATION,
    BRANCHES,
    KINKS,
    LOSS,
    MASK,
    SOFTMAX,
    STEPS,
    UPSTREAM,
    VALUES,
)
from chainrule.language import message

__all__ = ["KINDS"]

_ACTIVATION = "activation"
_MASK = "masks and branches"
_KINK = "kinks and ties"
_SOFTMAX = "softmax and cross-entropy"

KINDS = (
    Kind(
        "missing_relu_mask",
        _ACTIVATION,
        message("The derivative of the ReLU, 1 where its input is positive and 0 elsewhere, is left out."),
        MASK,
        "cand == rule with the mask -> 1",
        VERY_COMMON,
        (
            message("The gradient passes {statement} unchanged: the mask {factor} is left out."),
            message("The gradient passes {statement} unchanged: the derivative of the ReLU is left out."),
        ),
        ("missing_activation_grad", "missing_mask"),
        ("relu_mask_missing", "no_relu_mask"),
    ),
    Kind(
        "missing_activation_grad",
        _ACTIVATION,
        message("The derivative of the activation is left out."),
        ACTIVATION,
        "cand == rule with the local factor -> 1",
        VERY_COMMON,
        (
            message("The gradient passes {statement} unchanged: the local derivative {factor} is left out."),
            message("The gradient passes {statement} unchanged: its local derivative is left out."),
        ),
        ("missing_relu_mask", "missing_mask", "missing_inner_derivative", "missing_local_derivative"),
        ("activation_grad_missing", "no_activation_derivative"),
    ),
    Kind(
        "missing_local_derivative",
        _ACTIVATION,
        message("The derivative of one step is left out."),
        STEPS,
        "cand == rule with the local factor -> 1",
        COMMON,
        (
            message("The gradient passes {statement} without its local derivative {factor}."),
            message("The gradient passes {statement} without its local derivative."),
        ),
        ("missing_activation_grad", "missing_scale", "missing_inner_derivative"),
        ("missing_factor", "factor_dropped"),
    ),
    Kind(
        "missing_mask",
        _MASK,
        message("The mask of a step that lets only some elements through is left out."),
        MASK,
        "cand == rule with the mask -> 1",
        COMMON,
        (
            message("The gradient passes {statement} for every element: the mask {factor} is left out."),
            message("The gradient passes {statement} for every element: the mask is left out."),
        ),
        ("missing_relu_mask", "missing_activation_grad"),
        ("mask_missing",),
    ),
    Kind(
        "inverted_mask",
        _MASK,
        message("The mask lets through what it must stop, and stops what it must let through."),
        MASK,
        "cand + exact == rule with the mask -> 1",
        SEEN,
        (message("At {statement}, the mask lets through what it must stop, and stops what it must let through."),),
        ("swapped_branches", "mask_from_wrong_array"),
        ("mask_inverted",),
    ),
    Kind(
        "mask_from_wrong_array",
        _MASK,
        message("The mask is computed from the wrong array."),
        MASK,
        "cand == rule with mask(other)",
        SEEN,
        (
            message("At {statement}, the mask is computed from {wrong}, and must be from {right}."),
            message("At {statement}, the mask is computed from the wrong array."),
        ),
        ("wrong_operand", "inverted_mask"),
    ),
    Kind(
        "swapped_branches",
        _MASK,
        message("The two branches of a choice are exchanged."),
        BRANCHES,
        "cand_a + cand_b == g, with the masks exchanged",
        SEEN,
        (message("At {statement}, each branch receives the gradient of the other."),),
        ("inverted_mask", "swapped_outputs"),
        ("branches_swapped",),
    ),
    Kind(
        "missing_branch",
        _MASK,
        message("One side of a piecewise function is forgotten."),
        BRANCHES,
        "differs only on one side of the breakpoint",
        SEEN,
        (
            message("At {statement}, the gradient is wrong only where {condition}."),
            message("At {statement}, one side of the piecewise function is forgotten."),
        ),
        ("missing_mask", "wrong_local_derivative", "missing_path"),
    ),
    Kind(
        "mask_uses_ge",
        _KINK,
        message("`>=` stands for `>`: the gradient differs exactly at 0, where both are allowed."),
        KINKS,
        "differs only where x == 0",
        VERY_COMMON,
        (
            message(
                "At {statement}, the gradient differs only where the input is exactly 0, and is a valid choice there."
            ),
        ),
        ("tie_split", "abs_at_zero"),
        ("ge_instead_of_gt",),
        convention=True,
    ),
    Kind(
        "tie_split",
        _KINK,
        message("At ties, the gradient is shared out in another way that is allowed too."),
        KINKS,
        "differs only at ties; inside the subdifferential",
        COMMON,
        (message("At {statement}, the gradient differs only at ties, and is a valid choice there."),),
        ("mask_uses_ge",),
        convention=True,
    ),
    Kind(
        "abs_at_zero",
        _KINK,
        message("At 0, where the absolute value has no derivative, another number between -1 and 1 is used."),
        KINKS,
        "differs only where x == 0",
        SEEN,
        (
            message(
                "At {statement}, the gradient differs only where the input is exactly 0, and is a valid choice there."
            ),
        ),
        ("mask_uses_ge",),
        convention=True,
    ),
    Kind(
        "tie_double_count",
        _KINK,
        message("Every one of several equal maxima receives the whole gradient."),
        ACCUMULATE,
        "the sum over a window exceeds the incoming gradient",
        COMMON,
        (
            message(
                "At {statement}, every one of several equal maxima receives the whole gradient, which is then "
                "counted more than once."
            ),
        ),
        ("tie_split",),
        ("ties_counted_twice",),
    ),
    Kind(
        "uses_post_activation_wrongly",
        _ACTIVATION,
        message("The derivative of the activation is taken at its result, and must be at its input."),
        ACTIVATION,
        "cand == rule with z -> a",
        VERY_COMMON,
        (
            message(
                "At {statement}, the derivative is taken at {wrong}, the result, and must be at {right}, the input."
            ),
            message("At {statement}, the derivative is taken at the result, and must be at the input."),
        ),
        ("wrong_operand", "uses_pre_activation_wrongly", "wrong_local_derivative"),
    ),
    Kind(
        "uses_pre_activation_wrongly",
        _ACTIVATION,
        message("The formula for the derivative expects the result of the activation, and is given its input."),
        ACTIVATION,
        "cand == rule with a -> z",
        COMMON,
        (
            message(
                "At {statement}, the formula for the derivative is given {wrong}, the input, and expects "
                "{right}, the result."
            ),
            message("At {statement}, the formula for the derivative is given the input, and expects the result."),
        ),
        ("wrong_operand", "uses_post_activation_wrongly", "wrong_local_derivative"),
    ),
    Kind(
        "wrong_local_derivative",
        _ACTIVATION,
        message("The formula for the derivative of one step is wrong."),
        STEPS,
        "the error lies in the local factor of one step",
        COMMON,
        (
            message("At {statement}, the local derivative used is {wrong}; it is {right}."),
            message("At {statement}, the formula for the local derivative is wrong; it is {right}."),
            message("At {statement}, the formula for the local derivative is wrong."),
        ),
        ("wrong_power", "uses_post_activation_wrongly", "uses_pre_activation_wrongly", "activation_for_derivative"),
        ("wrong_derivative", "wrong_formula"),
    ),
    Kind(
        "activation_for_derivative",
        _ACTIVATION,
        message("The gradient is multiplied by the activation itself, and not by its derivative."),
        ACTIVATION,
        "cand == rule with f' -> f",
        SEEN,
        (message("At {statement}, the gradient is multiplied by the activation itself, and not by its derivative."),),
        ("wrong_local_derivative", "wrong_operand"),
        ("uses_value_for_derivative",),
    ),
    Kind(
        "double_activation_grad",
        _ACTIVATION,
        message(
            "The derivative of the activation is applied although it is already in the gradient of the loss, or twice."
        ),
        STEPS,
        "cand == exact * f'",
        VERY_COMMON,
        (
            message("The derivative of {statement}, {factor}, is multiplied in twice."),
            message("The derivative of {statement} is multiplied in twice."),
        ),
        ("extra_factor",),
        ("activation_grad_twice", "double_local_derivative"),
    ),
    Kind(
        "missing_inner_derivative",
        _ACTIVATION,
        message("The derivative of the outer function is there, and that of the inner one is left out."),
        STEPS,
        "cand * inner' == exact",
        COMMON,
        (
            message("At {statement}, the derivative of what stands inside, {factor}, is left out."),
            message("At {statement}, the derivative of what stands inside is left out."),
        ),
        ("missing_local_derivative", "missing_activation_grad", "missing_scale"),
        ("inner_derivative_missing", "chain_rule_incomplete"),
    ),
    Kind(
        "missing_upstream",
        _ACTIVATION,
        message("The incoming gradient is not multiplied in."),
        UPSTREAM,
        "cand does not depend on g; exact == cand * g",
        COMMON,
        (
            message(
                "What is returned for {gradients} does not depend on {operand}: multiply the local derivative by it."
            ),
            message(
                "What is returned for {gradients} does not depend on the incoming gradient: multiply the local "
                "derivative by it."
            ),
        ),
        ("assumes_unit_upstream",),
        ("upstream_missing", "ignores_upstream"),
    ),
    Kind(
        "assumes_unit_upstream",
        _ACTIVATION,
        message("The formula holds only if the incoming gradient sums to 1."),
        UPSTREAM,
        "cand is not linear in g",
        SEEN,
        (message("At {statement}, the formula holds only if the incoming gradient sums to 1."),),
        ("missing_upstream",),
    ),
    Kind(
        "softmax_diag_only",
        _SOFTMAX,
        message(
            "The derivative of the softmax is reduced to p * (1 - p): how each score changes the other "
            "probabilities is left out."
        ),
        SOFTMAX,
        "cand == g * p * (1 - p)",
        VERY_COMMON,
        (
            message(
                "At {statement}, the derivative of the softmax is reduced to p * (1 - p): how each score "
                "changes the other probabilities is left out."
            ),
        ),
        ("missing_path", "treats_stat_as_constant", "broadcast_not_reduced"),
        ("softmax_diagonal_only",),
    ),
    Kind(
        "missing_label_term",
        _SOFTMAX,
        message("The labels are not subtracted: p stands for p - onehot(y)."),
        LOSS,
        "exact - cand is supported on the labels",
        COMMON,
        (message("At {statement}, the labels are not subtracted: p stands for p - onehot(y)."),),
        ("missing_path", "missing_term"),
        ("labels_not_subtracted",),
    ),
    Kind(
        "missing_log_derivative",
        _SOFTMAX,
        message("The derivative of the logarithm, 1 / p, is left out."),
        VALUES,
        "cand == rule with 1 / p -> 1",
        RARE,
        (message("At {statement}, the derivative of the logarithm, one over its input, is left out."),),
        ("missing_local_derivative", "missing_activation_grad"),
    ),
)
