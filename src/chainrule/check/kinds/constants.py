"""Mistakes with averages, constants, signs, terms of a loss, and statistics."""

from __future__ import annotations

from chainrule.check.kinds.kind import COMMON, RARE, SEEN, VERY_COMMON, Kind
from chainrule.check.kinds.questions import AVERAGE, CONSTANTS, LOSS, ROUTES, SIGN, STATISTICS, STEPS
from chainrule.language import message

__all__ = ["KINDS"]

_AVERAGE = "averages"
_CONSTANT = "constants and signs"
_TERM = "terms of the loss"
_ROUTE = "routes"
_STATISTIC = "normalisation"

KINDS = (
    Kind(
        "sign_flipped",
        _CONSTANT,
        message("The sign of the whole gradient is wrong."),
        SIGN,
        "cand == -exact",
        COMMON,
        (
            message("The gradient of {gradients} has the wrong sign, from {statement} on."),
            message("The gradient of {gradients} has the wrong sign."),
        ),
        ("sign_flipped_term",),
        ("wrong_sign", "negated"),
    ),
    Kind(
        "sign_flipped_term",
        _CONSTANT,
        message("One term of the gradient has the wrong sign."),
        SIGN,
        "cand == the sum of all routes with one negated",
        COMMON,
        (message("The share of the gradient that comes through {statement} has the wrong sign."),),
        ("sign_flipped", "missing_path"),
        ("wrong_sign_of_term", "path_negated"),
    ),
    Kind(
        "missing_batch_mean",
        _AVERAGE,
        message("The 1/N of the mean over the batch is left out."),
        AVERAGE,
        "cand == N * exact",
        VERY_COMMON,
        (
            message(
                "{statement} takes a mean over the batch, and its 1/N is left out: what you have is {factor} "
                "times too large, and {count} is your batch size."
            ),
            message("{statement} takes a mean over the batch, and its 1/N is left out."),
        ),
        ("missing_mean", "wrong_count", "extra_factor"),
        ("batch_mean_missing", "missing_average"),
    ),
    Kind(
        "extra_batch_mean",
        _AVERAGE,
        message("The gradient is divided by the size of the batch, once more than the loss asks for."),
        AVERAGE,
        "cand * N == exact",
        VERY_COMMON,
        (
            message(
                "The gradient of {gradients} is divided by {count}, your batch size, once more than "
                "{statement} asks for."
            ),
            message(
                "The gradient of {gradients} is divided by {count}, your batch size, and the forward pass "
                "takes no such mean."
            ),
            message(
                "The gradient of {gradients} is divided by the size of the batch, once more than the forward "
                "pass asks for."
            ),
        ),
        ("wrong_count", "extra_factor", "missing_mean"),
        ("batch_mean_twice", "extra_mean"),
    ),
    Kind(
        "missing_mean",
        _AVERAGE,
        message("The 1/k of a mean is left out."),
        AVERAGE,
        "cand == k * exact",
        COMMON,
        (
            message("{statement} takes a mean of {count} values, and its 1/{count} is left out."),
            message("{statement} takes a mean, and its division by the count is left out."),
        ),
        ("missing_batch_mean", "wrong_count"),
        ("mean_missing",),
    ),
    Kind(
        "wrong_count",
        _AVERAGE,
        message("The gradient is divided by the wrong count."),
        AVERAGE,
        "cand / exact is a ratio of lengths",
        VERY_COMMON,
        (
            message("At {statement}, the gradient is divided by {wrong}, and must be by {right}."),
            message("At {statement}, the gradient is divided by the wrong count."),
        ),
        ("missing_batch_mean", "extra_batch_mean", "missing_mean", "extra_factor"),
        ("count_wrong", "wrong_ddof", "wrong_divisor"),
    ),
    Kind(
        "factor_2_missing",
        _CONSTANT,
        message("The 2 from the derivative of a square is left out."),
        CONSTANTS,
        "2 * cand == exact",
        VERY_COMMON,
        (message("At {statement}, the 2 from the derivative of the square is left out."),),
        ("extra_factor", "wrong_power", "missing_scale"),
        ("missing_factor_2", "missing_2"),
    ),
    Kind(
        "extra_factor",
        _CONSTANT,
        message("A constant factor is wrong."),
        CONSTANTS,
        "cand == c * exact",
        COMMON,
        (
            message("At {statement}, the gradient is {factor} times what it must be."),
            message("The gradient of {gradients} is {factor} times what it must be."),
            message("The gradient of {gradients} is a constant times what it must be."),
        ),
        ("factor_2_missing", "wrong_count", "missing_scale", "extra_batch_mean", "missing_batch_mean"),
        ("wrong_constant", "stray_constant", "constant_factor"),
    ),
    Kind(
        "missing_scale",
        _CONSTANT,
        message("A quantity that the forward pass multiplies by is left out."),
        STEPS,
        "cand * s == exact",
        COMMON,
        (
            message("{statement} multiplies by {factor}, and so must the gradient."),
            message("{statement} multiplies by a quantity, and so must the gradient."),
        ),
        ("missing_local_derivative", "missing_weight", "extra_factor"),
        ("scale_missing", "missing_gamma", "missing_temperature"),
    ),
    Kind(
        "misplaced_factor",
        _CONSTANT,
        message("A factor stands after a sum, and belongs before it."),
        STEPS,
        "cand == rule with a factor applied further back",
        SEEN,
        (message("The factor of {statement} is multiplied in after the sums further back, and belongs before them."),),
        ("missing_scale", "wrong_local_derivative"),
        ("factor_misplaced", "wrong_order"),
    ),
    Kind(
        "missing_weight",
        _TERM,
        message("The weight that each sample has in the loss is left out."),
        LOSS,
        "cand * w == exact, row by row",
        SEEN,
        (
            message("{statement} weights each sample by {factor}, and so must the gradient."),
            message("{statement} weights each sample, and so must the gradient."),
        ),
        ("missing_scale",),
        ("sample_weight_missing",),
    ),
    Kind(
        "missing_reg_grad",
        _TERM,
        message("The gradient of the regulariser is left out."),
        LOSS,
        "exact - cand == the gradient of the regulariser",
        COMMON,
        (
            message(
                "The gradient of {gradients} is short of {right}, which comes from the regulariser at {statement}."
            ),
            message("The gradient of {gradients} is short of what comes from the regulariser at {statement}."),
        ),
        ("missing_path", "missing_term"),
        ("regulariser_missing", "missing_weight_decay"),
    ),
    Kind(
        "missing_term",
        _TERM,
        message("A term of the derivative is left out."),
        LOSS,
        "exact - cand == a known term",
        COMMON,
        (
            message("The gradient of {gradients} is short of {right}."),
            message("At {statement}, a term of the derivative is left out."),
        ),
        ("missing_path", "missing_reg_grad", "missing_label_term"),
        ("term_missing",),
    ),
    Kind(
        "extra_term",
        _TERM,
        message("The gradient holds a term that the loss does not."),
        LOSS,
        "cand - exact == a known term",
        SEEN,
        (
            message("The gradient of {gradients} holds {wrong} besides what it must hold."),
            message("The gradient of {gradients} holds a term that does not come from the forward pass."),
        ),
        ("doubled_path",),
        ("term_too_many",),
    ),
    Kind(
        "missing_count_on_target",
        _TERM,
        message("The score of the right class collects minus the number of margins that are violated, and not -1."),
        LOSS,
        "differs only on the target columns",
        COMMON,
        (
            message(
                "At {statement}, the score of the right class collects minus the number of margins that are violated."
            ),
        ),
        ("missing_path", "overwrites_instead_of_accumulates"),
    ),
    Kind(
        "missing_path",
        _ROUTE,
        message("One of several routes from the array to the result is left out."),
        ROUTES,
        "cand == the sum of all routes but one",
        VERY_COMMON,
        (
            message(
                "{operand} is also read at {statement}, and the share of the gradient that comes through there "
                "is left out."
            ),
            message("The share of the gradient that comes through {statement} is left out."),
        ),
        ("truncated_recurrence", "treats_stat_as_constant", "overwrites_instead_of_accumulates", "missing_term"),
        ("path_missing", "contribution_missing", "product_rule_half"),
    ),
    Kind(
        "doubled_path",
        _ROUTE,
        message("One of several routes from the array to the result is counted twice."),
        ROUTES,
        "cand == the sum of all routes and one again",
        SEEN,
        (message("The share of the gradient that comes through {statement} is counted twice."),),
        ("extra_term", "extra_factor"),
        ("path_doubled", "path_counted_twice"),
    ),
    Kind(
        "missing_mean_path",
        _STATISTIC,
        message("The route through the mean is left out."),
        STATISTICS,
        "cand == the sum of the routes without that through the mean",
        COMMON,
        (
            message(
                "{statement} is a mean of the input, and the share of the gradient that comes through it is left out."
            ),
        ),
        ("missing_path", "treats_stat_as_constant", "missing_var_path"),
        ("mean_path_missing",),
    ),
    Kind(
        "missing_var_path",
        _STATISTIC,
        message("The route through the variance is left out."),
        STATISTICS,
        "cand == the sum of the routes without that through the variance",
        COMMON,
        (
            message(
                "{statement} is a spread of the input, and the share of the gradient that comes through it is left out."
            ),
        ),
        ("missing_path", "treats_stat_as_constant", "missing_mean_path"),
        ("var_path_missing", "missing_std_path"),
    ),
    Kind(
        "treats_stat_as_constant",
        _STATISTIC,
        message("A value that is computed from the input is treated as a constant."),
        STATISTICS,
        "cand == rule with the statistic detached",
        COMMON,
        (message("{statement} is computed from the input, and is treated as a constant."),),
        ("missing_path", "missing_mean_path", "missing_var_path", "softmax_diag_only"),
        ("statistic_detached", "stats_detached"),
    ),
    Kind(
        "wrong_power",
        _CONSTANT,
        message("An exponent is wrong."),
        CONSTANTS,
        "cand / exact is a power of a forward value",
        SEEN,
        (
            message("At {statement}, the gradient is off by a factor {factor}: check the exponent."),
            message("At {statement}, an exponent of the derivative is wrong."),
        ),
        ("wrong_local_derivative", "factor_2_missing"),
        ("exponent_wrong",),
    ),
    Kind(
        "eps_inconsistent",
        _STATISTIC,
        message("The small constant stands in another place than in the forward pass, or is left out."),
        CONSTANTS,
        "cand -> exact as eps -> 0",
        COMMON,
        (
            message(
                "At {statement}, the small constant stands in another place than in the forward pass, or is left out."
            ),
        ),
        ("wrong_constant_value",),
        ("epsilon_inconsistent", "eps_missing"),
    ),
    Kind(
        "wrong_constant_value",
        _CONSTANT,
        message("A constant of the forward pass has another value in the backward pass."),
        CONSTANTS,
        "cand == rule with another constant",
        RARE,
        (
            message("At {statement}, the backward pass uses {wrong} where the forward pass has {right}."),
            message("At {statement}, a constant of the forward pass has another value in the backward pass."),
        ),
        ("extra_factor", "eps_inconsistent"),
    ),
)
