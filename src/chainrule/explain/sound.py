"""What each identity that shortens a backward pass is called, and why it is sound, for the reader."""

from __future__ import annotations

from chainrule.language import Message, message

__all__ = ["sound"]

# The name of an identity: what it is called, and a sentence.
_SOUND: dict[str, tuple[Message, Message]] = {
    "terms cancel": (
        message("terms cancel"),
        message("All terms along one path cancel exactly, so that path adds nothing to the gradient."),
    ),
    "centred values": (
        message("centred values"),
        message("Values minus their mean add up to zero, so the sum over them drops out."),
    ),
    "mean": (
        message("mean"),
        message("A sum divided by the number of its terms is a mean."),
    ),
    "logistic": (
        message("logistic"),
        message("1 - 1/(1 + e) is e/(1 + e): the same number, from what the forward pass holds."),
    ),
    "logistic without overflow": (
        message("logistic without overflow"),
        message("With s = 1/(1 + e), e/(1 + e)² is s·(1 - s), which cannot overflow because s lies between 0 and 1."),
    ),
    "logistic by cases": (
        message("logistic by cases"),
        message("Both pieces of the logistic function are the same function, which is smooth at 0."),
    ),
    "hyperbolic tangent": (
        message("hyperbolic tangent"),
        message("sinh/cosh is tanh by definition."),
    ),
    "sum of the forward pass opened": (
        message("sum of the forward pass opened"),
        message("A sum of the forward pass is written out, because its terms cancel against others."),
    ),
    "product of the forward pass": (
        message("product of the forward pass"),
        message("The forward pass holds this product already."),
    ),
    "view of the forward pass": (
        message("view of the forward pass"),
        message("The forward pass holds this already, in another arrangement."),
    ),
    "power of a power": (
        message("power of a power"),
        message("The forward pass holds this power already."),
    ),
    "shared product": (
        message("shared product"),
        message("This product is needed elsewhere too, and is computed once."),
    ),
    "shared sum": (
        message("shared sum"),
        message("This sum is needed elsewhere too, and is computed once."),
    ),
    "common factor": (
        message("common factor"),
        message("A factor that all terms have is taken out of the sum: a·x + a·y = a·(x + y)."),
    ),
    "common side of products": (
        message("common side of products"),
        message("A matrix that all products have is taken out: A·X + A·Y = A·(X + Y)."),
    ),
    "factor out of a sum": (
        message("factor out of a sum"),
        message("A factor that does not change along the sum comes out of it."),
    ),
    "factor moved into a sum": (
        message("factor moved into a sum"),
        message("A factor that does not change along the sum moves into it."),
    ),
    "factor out of a matrix product": (
        message("factor out of a matrix product"),
        message("A factor that does not change along the index that the matrix product sums over comes out of it."),
    ),
    "powers merged": (
        message("powers merged"),
        message("Powers of the same factor are one power: x·x² = x³."),
    ),
    "power taken up": (
        message("power taken up"),
        message("x·xᵖ⁻¹ is xᵖ, and the forward pass holds that."),
    ),
    "sum of a sum": (
        message("sum of a sum"),
        message("The order of two sums does not matter for the result."),
    ),
    "sums along an axis merged": (
        message("sums along an axis merged"),
        message("What is summed along the same axis is added first, and summed once."),
    ),
    "sum of a product": (
        message("sum of a product"),
        message("A sum of products is a product of vectors or matrices."),
    ),
    "transposes through a product": (
        message("transposes through a product"),
        message("The transpose of a matrix product is the product of the transposes in turned order: (A·B)ᵀ = Bᵀ·Aᵀ."),
    ),
    "symmetric matrices": (
        message("symmetric matrices"),
        message("The matrix is its own transpose, by how it is made."),
    ),
    "symmetric gradient": (
        message("symmetric gradient"),
        message("The matrix is symmetric, so its lower triangle says everything."),
    ),
    "trace": (
        message("trace"),
        message("Times the identity matrix and summed, only the diagonal is left: that is the trace."),
    ),
    "solved instead of inverted": (
        message("solved instead of inverted"),
        message("A product with an inverse is the solution of a system of equations, which loses fewer digits."),
    ),
    "outer product": (
        message("outer product"),
        message("A column times a row is an outer product."),
    ),
    "product with an outer product": (
        message("product with an outer product"),
        message("A matrix times an outer product is an outer product: A·(u·vᵀ) = (A·u)·vᵀ."),
    ),
    "products in another order": (
        message("products in another order"),
        message("Matrix products may be bracketed in any way: (A·B)·C = A·(B·C)."),
    ),
    "added in place": (
        message("added in place"),
        message("What is added at an index is added onto the other terms; everything else stays as it is."),
    ),
    "added at the same place": (
        message("added at the same place"),
        message("What goes to the same place is added up first."),
    ),
    "slices that tile an array": (
        message("slices that tile an array"),
        message("Parts that follow one another make up the whole array."),
    ),
    "product with what was added at an index": (
        message("product with what was added at an index"),
        message("Everywhere but at the index there is a zero, so only what stands there is multiplied."),
    ),
    "element of what was added": (
        message("element of what was added"),
        message("Everywhere but at the index there is a zero, so only one term of the sum is left."),
    ),
    "choices merged": (
        message("choices merged"),
        message("Two choices by one condition are one choice."),
    ),
    "number by cases": (
        message("number by cases"),
        message("A number that is added where a condition holds gives a choice of two numbers."),
    ),
    "related exponentials": (
        message("related exponentials"),
        message(
            "The exponents differ by a logarithm, so one exponential is the other times what it is the logarithm of."
        ),
    ),
    "shares of a tie": (
        message("shares of a tie"),
        message("Where two operands tie each has half, and both halves add up to one."),
    ),
    "softmax by its logarithm": (
        message("softmax by its logarithm"),
        message("exp(x - log(s)) is exp(x)/s, which the forward pass holds."),
    ),
    "tie with what is clipped": (
        message("tie with what is clipped"),
        message("Within the bounds the clipped value is the value itself."),
    ),
    "clipped": (
        message("clipping"),
        message("A value within its bounds and the bound beyond them is the value clipped."),
    ),
    "size": (
        message("absolute value"),
        message("sign(x)·x is |x|."),
    ),
    "signed reciprocal": (
        message("sign and reciprocal"),
        message("sign(x)/|x| is 1/x."),
    ),
    "mask of a maximum": (
        message("mask of a maximum"),
        message("max(x, 0) is zero already where x is not positive, so the mask changes nothing."),
    ),
    "guard of a norm": (
        message("guard of a norm"),
        message("Where the norm is zero, so is the vector; elsewhere the guard adds nothing."),
    ),
    "through the factor of Cholesky": (
        message("through the factor of Cholesky"),
        message(
            "The sum of the logarithms on the diagonal is half the log-determinant, and its gradient is the inverse."
        ),
    ),
}


def sound(identity: str) -> tuple[Message, Message] | None:
    """What an identity is called and why it is sound; nothing where it is bookkeeping that a reader need not follow."""
    return _SOUND.get(identity)
