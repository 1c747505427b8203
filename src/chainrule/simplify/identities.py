"""The identities by which a backward pass is rewritten, as a table that is tested row by row.

Classes, by what happens numerically: A is exact to the bit; B rounds differently; C is defined, or more accurate, at
more points than the form it replaces.  Nothing else is used: no ``x * 0 = 0``, no ``x / x = 1`` on the user's data,
nothing that changes a shape or a dtype.  Wherever the form before is finite, so is the form after.
"""

from __future__ import annotations

import numpy as np

from chainrule.simplify.fact_identities import FACT_IDENTITIES
from chainrule.simplify.identity import Identity
from chainrule.simplify.index_identities import INDEX_IDENTITIES
from chainrule.simplify.mechanical_forms import added_at, softmax, through_factor

__all__ = ["IDENTITIES"]


IDENTITIES: tuple[Identity, ...] = (
    *FACT_IDENTITIES,
    Identity(
        "repeated", "A", "computed once",
        lambda x, y, s, m: x * y + x * y,
        lambda x, y, s, m: (t := x * y) + t,
    ),
    Identity(
        "scalars collected", "B", "scalars and signs collected in one factor",
        lambda x, y, s, m: 0.5 * (2 * x) * (-1.0 / 3.0),
        lambda x, y, s, m: x / -3.0,
    ),
    Identity(
        "powers merged", "C", "powers of the same factor merged",
        lambda x, y, s, m: x * s / s,
        lambda x, y, s, m: x * 1,
    ),
    Identity(
        "common factor", "B", "a common factor taken out",
        lambda x, y, s, m: x * y - x * s,
        lambda x, y, s, m: x * (y - s),
    ),
    Identity(
        "difference of squares", "C", "1 - x**2 is (1 + x) * (1 - x), of which the forward pass holds one",
        lambda x, y, s, m: (u := 1 + (t := np.tanh(x)), u * y + (1 - t**2) * s)[-1],
        lambda x, y, s, m: (u := 1 + (t := np.tanh(x)), u * (y + (1 - t) * s))[-1],
    ),
    Identity(
        "common side of products", "B", "a common side of matrix products taken out",
        lambda x, y, s, m: (x @ m + y @ m, m - 0.5 * m @ m),
        lambda x, y, s, m: ((x + y) @ m, (np.eye(len(m)) - 0.5 * m) @ m),
    ),
    Identity(
        "sum of the forward pass opened", "B", "a sum of the forward pass written out, so that terms cancel",
        lambda x, y, s, m: x * (1 - y) + x * y,
        lambda x, y, s, m: x * 1,
    ),
    Identity(
        "product of the forward pass", "B", "a product that the forward pass holds is used",
        lambda x, y, s, m: y * x / s,
        lambda x, y, s, m: y * (x / s),
    ),
    Identity(
        "shared product", "B", "a product that is needed elsewhere too is used",
        lambda x, y, s, m: (x * y * s, y * s),
        lambda x, y, s, m: (x * (t := y * s), t),
    ),
    Identity(
        "shared sum", "B", "a sum that is needed elsewhere too is used",
        lambda x, y, s, m: (x + y - s, x - s),
        lambda x, y, s, m: ((t := x - s) + y, t),
    ),
    Identity(
        "view of a product", "A", "the view of a product is the product of the views",
        lambda x, y, s, m: x.T * y.T,
        lambda x, y, s, m: (x * y).T,
    ),
    Identity(
        "view of the forward pass", "A", "a view of what the forward pass holds",
        lambda x, y, s, m: x.sum(1),
        lambda x, y, s, m: x.sum(1, keepdims=True)[:, 0],
    ),
    Identity(
        "small factors first", "B", "factors of a smaller shape are multiplied first",
        lambda x, y, s, m: x * s * s,
        lambda x, y, s, m: x * (s * s),
    ),
    Identity(
        "factor moved into a sum", "B", "a factor that is constant along a sum moves into it",
        lambda x, y, s, m: (x * y).sum(1, keepdims=True) / s,
        lambda x, y, s, m: (x * (y / s)).sum(1, keepdims=True),
    ),
    Identity(
        "factor out of a sum", "B", "a factor that is constant along a sum comes out of it",
        lambda x, y, s, m: (x * s).sum(1, keepdims=True),
        lambda x, y, s, m: x.sum(1, keepdims=True) * s,
    ),
    Identity(
        "sum of a sum", "B", "the order of two sums is exchanged",
        lambda x, y, s, m: x.sum(0).sum(),
        lambda x, y, s, m: x.sum(1).sum(),
    ),
    Identity(
        "sums along an axis merged", "B", "what is summed along the same axis is added first",
        lambda x, y, s, m: (x.sum(0) - y.sum(0), s * x.sum(1, keepdims=True) - y.sum(1, keepdims=True)),
        lambda x, y, s, m: ((x - y).sum(0), (s * x - y).sum(1, keepdims=True)),
    ),
    Identity(
        "sums along two axes merged", "B", "a matrix and the transpose of another are added before they are summed",
        lambda x, y, s, m: (
            x.sum(0) - y.T.sum(1),
            (d := x[:, None] - x[None], w := (x @ y.T)[:, :, None], (w * d).sum(1) - (w * d).sum(0))[-1],
        ),
        lambda x, y, s, m: ((x - y).sum(0), np.einsum("ij,ijk->ik", (w := x @ y.T) + w.T, x[:, None] - x[None])),
    ),
    Identity(
        "sums of what is the same", "B", "with axes exchanged it is the same or its opposite, and so is its sum",
        lambda x, y, s, m: (x[:, None] - x[None]).sum(0),
        lambda x, y, s, m: -(x[:, None] - x[None]).sum(1),
    ),
    Identity(
        "mean", "B", "a sum divided by the number of its terms is a mean",
        lambda x, y, s, m: x.sum(0) / x.shape[0],
        lambda x, y, s, m: x.mean(0),
    ),
    Identity(
        "terms cancel", "C", "all terms cancel",
        lambda x, y, s, m: (p := softmax(x)) * 0 + ((y * p).sum(1, keepdims=True) * (1 - p.sum(1, keepdims=True))),
        lambda x, y, s, m: np.zeros_like(x),
    ),
    Identity(
        "centred values", "C", "centred values add up to zero",
        lambda x, y, s, m: (x - x.mean(0)).sum(0),
        lambda x, y, s, m: np.zeros_like(x[0]),
    ),
    Identity(
        "transposes through a product", "B", "the transpose of a matrix product",
        lambda x, y, s, m: (x @ m).T,
        lambda x, y, s, m: m.T @ x.T,
    ),
    Identity(
        "symmetric matrices", "B", "a matrix that is symmetric by how it is made is its own transpose",
        lambda x, y, s, m: (x @ x.T + np.eye(len(x))).T @ x + (x @ x.T + np.eye(len(x))) @ x,
        lambda x, y, s, m: 2 * (x @ x.T + np.eye(len(x))) @ x,
    ),
    Identity(
        "through the factor of Cholesky", "B", "a sum of logarithms of the diagonal of a factor gives an inverse",
        lambda x, y, s, m: through_factor(x @ x.T + np.eye(len(x))),
        lambda x, y, s, m: np.linalg.inv(x @ x.T + np.eye(len(x))),
    ),
    Identity(
        "symmetric gradient", "B", "with a symmetric matrix, the lower triangle of X + X.T is half of X + X.T",
        lambda x, y, s, m: ((x @ x.T) * (np.tri(len(x)) - 0.5 * np.eye(len(x))) * (y @ y.T)).sum(),
        lambda x, y, s, m: (0.5 * (x @ x.T) * (y @ y.T)).sum(),
    ),
    Identity(
        "products in another order", "B", "a matrix product that is known is used in a longer one",
        lambda x, y, s, m: (x @ m) @ m,
        lambda x, y, s, m: x @ (m @ m),
    ),
    Identity(
        "product with an outer product", "B", "a matrix times an outer product is an outer product",
        lambda x, y, s, m: y.T @ (s * x[0]),
        lambda x, y, s, m: (y.T @ s[:, 0])[:, None] * x[0],
    ),
    Identity(
        "trace", "B", "the sum of a matrix times the identity matrix is its trace",
        lambda x, y, s, m: (np.eye(len(m)) * m).sum(),
        lambda x, y, s, m: np.trace(m),
    ),
    Identity(
        "solved instead of inverted", "C", "a product with an inverse is the solution of a system of equations",
        lambda x, y, s, m: x @ np.linalg.inv(m),
        lambda x, y, s, m: np.linalg.solve(m.T, x.T).T,
    ),
    Identity(
        "solved for an identity matrix", "B", "the solution of a system for an identity matrix is the inverse",
        lambda x, y, s, m: np.linalg.solve(m, np.eye(len(m))),
        lambda x, y, s, m: np.linalg.inv(m),
    ),
    Identity(
        "outer product", "A", "an outer product is a product with a column",
        lambda x, y, s, m: np.outer(s[:, 0], x[0]),
        lambda x, y, s, m: s * x[0],
    ),
    *INDEX_IDENTITIES,
    Identity(
        "choices merged", "A", "two choices by one condition are one choice",
        lambda x, y, s, m: np.where(x > 0, y, 0) + np.where(x > 0, 0, s),
        lambda x, y, s, m: np.where(x > 0, y, s),
    ),
    Identity(
        "number by cases", "C", "a number that is added where a condition holds gives a choice of two numbers",
        lambda x, y, s, m: (0.25 - 1.5 * (x > 0), 3.0 - 2.0 * np.where(x == y, 0.5, x > y)),
        lambda x, y, s, m: (np.where(x > 0, -1.25, 0.25), np.where(x == y, 2.0, np.where(x > y, 1.0, 3.0))),
    ),
    Identity(
        "number from a multiple", "B", "a sum of a multiple of an array, divided by the scalar, is the sum",
        lambda x, y, s, m: np.vdot(x, y),
        lambda x, y, s, m: np.vdot(x / 7.0, y) * 7.0,
    ),
    Identity(
        "shares of a tie", "C", "the shares of two operands add up to one",
        lambda x, y, s, m: np.where(np.isnan(x + y), np.nan, np.where(x == y, 0.5, y > x)),
        lambda x, y, s, m: np.where(np.isnan(x + y), np.nan, 1 - np.where(x == y, 0.5, x > y)),
    ),
    Identity(
        "hyperbolic tangent", "C", "sinh / cosh is tanh",
        lambda x, y, s, m: np.sinh(x) / np.cosh(x),
        lambda x, y, s, m: np.tanh(x),
    ),
    Identity(
        "softmax by its logarithm", "B", "exp(x - log(s)) is exp(x) / s",
        lambda x, y, s, m: np.exp(x - np.log(s)),
        lambda x, y, s, m: np.exp(x) / s,
    ),
    Identity(
        "power of a power", "B", "a power of a power that the forward pass holds",
        lambda x, y, s, m: s**-1.5,
        lambda x, y, s, m: (s**-0.5) ** 3,
    ),
    Identity(
        "quotient of powers", "C", "x**(p - 1) / x**p is 1 / x",
        lambda x, y, s, m: s ** (1.7 - 1) / s**1.7,
        lambda x, y, s, m: 1 / s,
    ),
    Identity(
        "guard of a power", "C", "p * x**(p - 1) is zero where p is, so that its guard need not look at x",
        lambda x, y, s, m: [p * x ** np.where((x == 0) & (p == 0), 1, p - 1) for p in (0.0, 1.0, 3.0)],
        lambda x, y, s, m: [p * x ** np.where(p == 0, 0, p - 1) for p in (0.0, 1.0, 3.0)],
    ),
    Identity(
        "root of a factor", "C", "x / sqrt(x) is sqrt(x), and x / sqrt(x)**2 is 1",
        lambda x, y, s, m: (y * s / np.sqrt(s), y * s / np.sqrt(s) ** 2),
        lambda x, y, s, m: (y * np.sqrt(s), y * 1),
    ),
    Identity(
        "sum of a difference", "C", "a difference in which all but one term cancel is that term",
        lambda x, y, s, m: (y + x * s) - y,
        lambda x, y, s, m: x * s,
    ),
    Identity(
        "related exponentials", "C", "an exponential is another one times what its exponent has a logarithm of",
        lambda x, y, s, m: (d := (np.log(s) + 0.245) / 0.7, x * np.exp(-0.5 * (d - 0.7) ** 2))[-1],
        lambda x, y, s, m: (d := (np.log(s) + 0.245) / 0.7, x * (s * np.exp(-0.5 * d**2)))[-1],
    ),
    Identity(
        "power taken up", "C", "x * x**(p - 1) is x**p",
        lambda x, y, s, m: s * s ** (1.7 - 1),
        lambda x, y, s, m: s**1.7,
    ),
    Identity(
        "logistic without overflow", "C", "e / (1 + e)**2 is s * (1 - s)",
        lambda x, y, s, m: s / (1 + s) ** 2,
        lambda x, y, s, m: (p := 1 / (1 + s)) * (1 - p),
    ),
    Identity(
        "logistic", "C", "1 - 1 / (1 + e) is e / (1 + e)",
        lambda x, y, s, m: 1 - 1 / (1 + s),
        lambda x, y, s, m: s / (1 + s),
    ),
    Identity(
        "sum of matrix products", "B", "the sum of products in a group is one product of what is put below each other",
        lambda x, y, s, m: (x.reshape(6, 2, 2).swapaxes(1, 2) @ y.reshape(6, 2, 2)).reshape(3, 2, 2, 2).sum(1),
        lambda x, y, s, m: x.reshape(3, -1, 2).swapaxes(1, 2) @ y.reshape(3, -1, 2),
    ),
    Identity(
        "multiple of a denominator", "C", "x / (1 - x) + 1 is 1 / (1 - x), and 1 - (1 - x**2) / (1 - x) is -x",
        lambda x, y, s, m: (x / (1 - x) + 1, 1 - (1 - x**2) / (1 - x)),
        lambda x, y, s, m: (1 / (1 - x), -x),
    ),
    Identity(
        "tie with what is clipped", "B", "a tie between a product and the clipped product, within the bounds",
        lambda x, y, s, m: (
            c := np.clip(y, -0.5, 0.5), a := y * s, b := c * s, t := np.where(a == b, 0.5, a < b),
            np.where(np.isfinite(a), (y == c) * s + t * s - (y == c) * t * s, 0),
        )[-1],
        lambda x, y, s, m: np.where(np.isfinite(a := y * s), (a <= np.clip(y, -0.5, 0.5) * s) * s, 0),
    ),
    Identity(
        "clipped", "A", "a value within bounds and its sign times the bound beyond them is the value clipped",
        lambda x, y, s, m: np.where(np.abs(x) <= 1.5, x, 1.5 * np.sign(x)),
        lambda x, y, s, m: np.clip(x, -1.5, 1.5),
    ),
    Identity(
        "size", "A", "sign(x) * x is abs(x)",
        lambda x, y, s, m: np.sign(x) * x,
        lambda x, y, s, m: np.abs(x),
    ),
    Identity(
        "size with its sign", "A", "sign(x) * abs(x) is x",
        lambda x, y, s, m: np.sign(x) * np.abs(x) * y,
        lambda x, y, s, m: x * y,
    ),
    Identity(
        "odd function", "A", "an odd function of what changes its sign where two axes are exchanged does so, too",
        lambda x, y, s, m: np.sign(x[:, :, None] - x[:, None, :]).sum(1),
        lambda x, y, s, m: -np.sign(x[:, :, None] - x[:, None, :]).sum(2),
    ),
    Identity(
        "turned around twice", "A", "what is turned around twice is what it was",
        lambda x, y, s, m: np.flip(x[::-1] * y, 0)[::-1],
        lambda x, y, s, m: x[::-1] * y,
    ),
    Identity(
        "sum of what is accumulated", "C", "the sum of e * cumsum(g) is that of g times e accumulated from its end",
        lambda x, y, s, m: (s[:, 0] * np.cumsum(1 / np.cumsum(s[::-1, 0])[::-1])).sum() * x,
        lambda x, y, s, m: len(s) * x,
    ),
    Identity(
        "signed reciprocal", "C", "sign(x) / abs(x) is 1 / x, and t / sqrt(t)**2 is 1, for numbers too",
        lambda x, y, s, m: np.sign(x) / np.abs(x) * (np.sign(t := s.sum()) / np.abs(t)) * (t / np.sqrt(t) ** 2),
        lambda x, y, s, m: 1 / x / s.sum(),
    ),
    Identity(
        "element of what was added", "C", "the sum of a product with what was added at one element",
        lambda x, y, s, m: (x * (added_at(np.zeros_like(x), 1) * (np.arange(len(x)) == 2)[:, None])).sum(),
        lambda x, y, s, m: x[2, 2] * 1,
    ),
    Identity(
        "zero anyway", "C", "x is zero already where it is masked for being zero",
        lambda x, y, s, m: (x * (x != 0), y * np.where(y == 0, 0.0, 1.0)),
        lambda x, y, s, m: (x * 1, y * 1),
    ),
    Identity(
        "mask of a maximum", "C", "maximum(x, 0) is zero already where x is not positive",
        lambda x, y, s, m: np.maximum(x, 0) * (x > 0),
        lambda x, y, s, m: np.maximum(x, 0),
    ),
    Identity(
        "guard of a norm", "B", "s / (s + (s == 0)) * x is x where s is the norm of x",
        lambda x, y, s, m: (
            (n := np.linalg.norm(x, axis=1, keepdims=True)) / (n + (n == 0)) * x,
            (w := np.linalg.norm(y)) / (w + (w == 0)) * y,
            m / (v := np.linalg.norm(m)) / (v + (v == 0)),
        ),
        lambda x, y, s, m: (x * 1, y * 1, m / (v := np.linalg.norm(m)) / v),
    ),
    Identity(
        "guard by a maximum", "C", "s + (s == 0) is maximum(s, c) where only what is above c counts, divided by it too",
        lambda x, y, s, m: (
            n := np.linalg.norm(x, axis=1, keepdims=True), g := n + (n == 0), p := n * s,
            (y * (n > 0.5) / g / np.maximum(n, 0.5), y * (p > 0.5) / g / np.maximum(p, 0.5)),
        )[-1],
        lambda x, y, s, m: (
            n := np.linalg.norm(x, axis=1, keepdims=True), p := n * s, y * (n > 0.5) / np.maximum(n, 0.5) ** 2,
            y * (p > 0.5) * s / np.maximum(p, 0.5) ** 2,
        )[-2:],
    ),
    Identity(
        "guard of a logarithm", "C", "log(where(x == 0, 1, x)) is log(x) where the result has that too",
        lambda x, y, s, m: np.log(np.where(s == 0, 1, s)) * y + np.log(s),
        lambda x, y, s, m: (t := np.log(s)) * y + t,
    ),
    Identity(
        "zeros and ones", "A", "the square of an array of zeros and ones is that array",
        lambda x, y, s, m: (x > 0) * (1 - np.eye(6, 4)) ** 2 * (x > 0),
        lambda x, y, s, m: (x > 0) * (1 - np.eye(6, 4)),
    ),
    Identity(
        "rows of a matrix product", "C", "the sum over the rows of a product is zero where that of its first matrix is",
        lambda x, y, s, m: ((x - x.mean(0)) @ m).sum(0),
        lambda x, y, s, m: np.zeros_like(x[0]),
    ),
    Identity(
        "mask of an exponential", "B", "exp is zero already where its argument was set to minus infinity",
        lambda x, y, s, m: np.where(x > 0, np.exp(np.where(x > 0, y, -np.inf)) * s, 0),
        lambda x, y, s, m: np.exp(np.where(x > 0, y, -np.inf)) * s,
    ),
    Identity(
        "guard of a divisor", "C", "s + (s == 0), or 1 where s is 0, is s where the whole is divided by s as well",
        lambda x, y, s, m: (x / s / (s + (s == 0)), x / s / np.where(s == 0, 1, s)),
        lambda x, y, s, m: (t := x / s / s, t),
    ),
    Identity(
        "sum of a product", "B", "a sum of a product is a product of vectors or matrices",
        lambda x, y, s, m: ((x * y).sum(), (x * s).sum(0), (x * m[0]).sum(1), (x * y).sum(0)),
        lambda x, y, s, m: (np.vdot(x, y), s[:, 0] @ x, x @ m[0], np.einsum("ij,ij->j", x, y)),
    ),
    Identity(
        "sum of a product in parts", "B", "of a sum of a product of several arrays, two are summed first",
        lambda x, y, s, m: np.einsum("ij,kj,jl->il", x, y, m),
        lambda x, y, s, m: np.einsum("ij,j,jl->il", x, np.einsum("kj->j", y), m),
    ),
    Identity(
        "sum of a product with a matrix product", "B", "a product that is known takes the place of another in a sum",
        lambda x, y, s, m: ((x * (y @ m)).sum(1), (x * (y @ m)).sum()),
        lambda x, y, s, m: ((y * (x @ m.T)).sum(1), ((y.T @ x) * m).sum()),
    ),
    Identity(
        "factor out of a matrix product", "B", "a factor that is constant along the sum of a matrix product comes out",
        lambda x, y, s, m: (x * s) @ m,
        lambda x, y, s, m: (x @ m) * s,
    ),
    Identity(
        "logistic by cases", "C", "the logistic function, which is smooth at 0 although its pieces are not",
        lambda x, y, s, m: (x > 0) - (e := np.exp(-np.abs(x))) * np.sign(x) / (1 + e),
        lambda x, y, s, m: np.where(x > 0, 1, e := np.exp(-np.abs(x))) / (1 + e),
    ),
)  # fmt: skip
