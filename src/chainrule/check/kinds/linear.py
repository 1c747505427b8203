"""Mistakes at matrix products, at biases and wherever one array is stretched to the shape of another."""

from __future__ import annotations

from chainrule.check.kinds.kind import COMMON, RARE, SEEN, VERY_COMMON, Kind
from chainrule.check.kinds.questions import BROADCAST, COLLECT, MATRIX, RESULT, VALUES
from chainrule.language import message

__all__ = ["KINDS"]

_MATRIX = "matrix product"
_BROADCAST = "bias and broadcasting"

KINDS = (
    Kind(
        "missing_transpose",
        _MATRIX,
        message("An operand of the matrix product is not transposed."),
        MATRIX,
        "cand == rule with op.T -> op",
        VERY_COMMON,
        (
            message("At {statement}, {operand} is multiplied as it is, and must be transposed: {right}."),
            message("At {statement}, {operand} is multiplied as it is, and must be transposed."),
            message("At {statement}, an operand of the matrix product is not transposed."),
        ),
        ("transposed", "transposes_all_axes", "wrong_operand_order"),
        ("transpose_missing", "not_transposed", "extra_transpose"),
    ),
    Kind(
        "transposed",
        _MATRIX,
        message("The result is the transpose of the right one."),
        MATRIX,
        "cand.T == exact",
        COMMON,
        (
            message(
                "The gradient of {gradients} is the transpose of the right one: swap the two factors and "
                "transpose each."
            ),
        ),
        ("missing_transpose", "wrong_operand_order"),
        ("result_transposed",),
    ),
    Kind(
        "wrong_operand_order",
        _MATRIX,
        message("The two factors of the matrix product stand in the wrong order."),
        MATRIX,
        "cand == rule with a @ b -> b @ a",
        SEEN,
        (message("At {statement}, the two factors of the matrix product stand in the wrong order."),),
        ("missing_transpose", "transposed"),
        ("operands_swapped", "swapped_operands", "factors_swapped"),
    ),
    Kind(
        "wrong_operand",
        _MATRIX,
        message("The derivative of one step is multiplied by the wrong array."),
        VALUES,
        "cand == rule with an operand replaced by another value",
        COMMON,
        (
            message("At {statement}, {wrong} stands where {right} belongs."),
            message("At {statement}, the derivative is multiplied by the wrong array."),
        ),
        ("uses_post_activation_wrongly", "uses_pre_activation_wrongly", "off_by_one_index"),
        ("wrong_array", "wrong_cache", "wrong_saved_array", "wrong_cotangent"),
    ),
    Kind(
        "elementwise_instead_of_matmul",
        _MATRIX,
        message("Elements are multiplied one by one where a matrix product belongs."),
        MATRIX,
        "cand == rule with @ -> *",
        VERY_COMMON,
        (message("At {statement}, elements are multiplied one by one where a matrix product belongs."),),
        ("matmul_instead_of_elementwise",),
        ("star_instead_of_matmul", "hadamard_instead_of_matmul"),
    ),
    Kind(
        "matmul_instead_of_elementwise",
        _MATRIX,
        message("A matrix product is taken where elements are multiplied one by one."),
        MATRIX,
        "cand == rule with * -> @",
        COMMON,
        (message("At {statement}, a matrix product is taken where elements are multiplied one by one."),),
        ("elementwise_instead_of_matmul",),
        ("dot_instead_of_elementwise", "matmul_instead_of_star"),
    ),
    Kind(
        "reshape_instead_of_transpose",
        _MATRIX,
        message("Axes are moved with reshape, which keeps the order of the elements, and not with a transpose."),
        MATRIX,
        "cand == rule with transpose -> reshape",
        COMMON,
        (
            message(
                "At {statement}, axes are moved with reshape, which keeps the order of the elements: use a transpose."
            ),
        ),
        ("missing_transpose",),
        ("reshape_for_transpose",),
    ),
    Kind(
        "transposes_all_axes",
        _MATRIX,
        message("`.T` on a stack of matrices reverses all axes, and not only the last two."),
        MATRIX,
        "cand == rule with swapaxes(-1, -2) -> .T",
        SEEN,
        (
            message(
                "At {statement}, `.T` reverses all axes of {operand}: swap only the last two, "
                "`np.swapaxes({operand}, -1, -2)`."
            ),
            message("At {statement}, `.T` reverses all axes of a stack of matrices: swap only the last two."),
        ),
        ("missing_transpose",),
    ),
    Kind(
        "bias_times_input",
        _BROADCAST,
        message("The gradient of the bias is multiplied by the input, as if it were a weight."),
        BROADCAST,
        "cand == rule of the weight",
        RARE,
        (message("At {statement}, the gradient of {gradients} is multiplied by {wrong}, as if it were a weight."),),
        ("wrong_operand",),
        ("bias_multiplied_by_input", "bias_like_a_weight"),
    ),
    Kind(
        "bias_not_summed",
        _BROADCAST,
        message("The gradient of the bias is not summed over the axis that the bias was stretched along."),
        BROADCAST,
        "sum_over_broadcast_axes(cand) == exact",
        VERY_COMMON,
        (
            message(
                "{operand} is added to every row at {statement}, so its gradient is a sum over axis {axis}: {right}."
            ),
            message("{operand} is added to every row at {statement}, so its gradient is a sum over axis {axis}."),
            message(
                "At {statement}, the bias is stretched, so its gradient is a sum over the axis that it is "
                "stretched along."
            ),
        ),
        ("broadcast_not_reduced",),
        ("bias_sum_missing", "missing_bias_sum", "missing_sum"),
    ),
    Kind(
        "broadcast_not_reduced",
        _BROADCAST,
        message("The gradient of an array that was stretched has the shape that it was stretched to."),
        BROADCAST,
        "unbroadcast(cand) == exact",
        COMMON,
        (
            message("{operand} is stretched at {statement}, so its gradient is a sum over axis {axis}."),
            message(
                "An array is stretched at {statement}, so its gradient is a sum over the axes that it is "
                "stretched along."
            ),
        ),
        ("bias_not_summed",),
        ("unbroadcast_missing", "not_reduced"),
    ),
    Kind(
        "summed_all_axes",
        _BROADCAST,
        message("The sum runs over too many axes."),
        BROADCAST,
        "cand == exact.sum()",
        COMMON,
        (
            message(
                "The sum for the gradient of {gradients} runs over too many axes: it must run over axis {axis} alone."
            ),
            message("At {statement}, the sum runs over too many axes."),
        ),
        ("wrong_axis",),
        ("sum_without_axis", "too_many_axes_summed", "extra_sum"),
    ),
    Kind(
        "wrong_axis",
        _BROADCAST,
        message("A sum or a mean runs along the wrong axis."),
        COLLECT,
        "cand == rule with another axis",
        COMMON,
        (
            message("At {statement}, the backward pass reduces over axis {wrong}, and must over axis {right}."),
            message("At {statement}, a reduction in the backward pass runs along the wrong axis."),
        ),
        ("summed_all_axes", "missing_keepdims", "transposed"),
        ("axis_wrong", "wrong_sum_axis"),
    ),
    Kind(
        "missing_keepdims",
        _BROADCAST,
        message("A reduction lost its axis and was stretched again along another one."),
        COLLECT,
        "cand == rule with keepdims=False",
        SEEN,
        (
            message(
                "At {statement}, a reduction lost its axis and was stretched again along another one: use "
                "keepdims=True."
            ),
        ),
        ("wrong_axis", "accidental_outer_broadcast"),
        ("keepdims_missing",),
    ),
    Kind(
        "shape_keepdims",
        _BROADCAST,
        message("The numbers are right, and the shape has an axis of length 1 too many or too few."),
        RESULT,
        "cand.reshape(exact.shape) == exact",
        COMMON,
        (
            message(
                "The numbers of the gradient of {gradients} are right; its shape is {wrong} and must be "
                "{right}, that of the argument."
            ),
            message("The numbers of the gradient of {gradients} are right; its shape must be that of the argument."),
        ),
        ("wrong_shape",),
        ("extra_axis", "leftover_axis"),
    ),
    Kind(
        "accidental_outer_broadcast",
        _BROADCAST,
        message("A row met a column, and both were stretched to a whole matrix."),
        BROADCAST,
        "cand == rule with one operand given a trailing axis",
        COMMON,
        (
            message(
                "At {statement}, an array of shape (N,) meets one of shape (N, 1), and both are stretched to (N, N)."
            ),
        ),
        ("missing_keepdims", "broadcast_not_reduced"),
        ("outer_broadcast",),
    ),
)
