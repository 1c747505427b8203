"""Products and look-ups: Dot, MatMul, Dense and Embedding."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from chainrule.errors import ChainruleError
from chainrule.layers.layer import Array, Layer, Seed, drawn, parameter, require
from chainrule.layers.written import linear as written

__all__ = ["Dense", "Dot", "Embedding", "MatMul", "initial_variance"]

Initialisation = Literal["glorot", "he"]


def initial_variance(how: str, inputs: int, outputs: int) -> float:
    """The variance of initial weights: 2 / (inputs + outputs) for ``"glorot"``, 2 / inputs for ``"he"``.

    Raises:
        ChainruleError: where ``how`` is neither.
    """
    if how not in ("glorot", "he"):
        raise ChainruleError(f'init={how!r}: weights can be drawn with "glorot" or "he", or given as arrays.')
    return 2 / (inputs + outputs) if how == "glorot" else 2 / inputs


class Dot(Layer):
    """The inner product of two vectors, or of each pair of rows of two matrices."""

    def forward(self, x1: ArrayLike, x2: ArrayLike) -> Array:  # type: ignore[override]
        """The products: a number for vectors of shape ``(n,)``, shape ``(…,)`` for ``(…, n)``."""
        a, b = np.asarray(x1), np.asarray(x2)
        require(a.shape == b.shape and a.ndim > 0, self, f"x1 has shape {a.shape} and x2 has {b.shape}; one is needed")
        n = a.shape[-1]
        return self._run(written.Dot(), {"x1": a, "x2": b}, (a.reshape(-1, n), b.reshape(-1, n)), a.shape[:-1])


class MatMul(Layer):
    """The product of two matrices."""

    def forward(self, x1: ArrayLike, x2: ArrayLike) -> Array:  # type: ignore[override]
        """``x1 @ x2`` of shapes ``(m, k)`` and ``(k, n)``."""
        a, b = np.asarray(x1), np.asarray(x2)
        fits = a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]
        require(fits, self, f"x1 has shape {a.shape} and x2 has {b.shape}; (m, k) and (k, n) are needed")
        return self._run(written.MatMul(), {"x1": a, "x2": b}, (a, b))


class Dense(Layer):
    """A fully connected layer, ``x @ W + b``.

    Args:
        n_in: the number of features.
        n_out: the number of outputs.
        W: the weights, ``(n_in, n_out)``; drawn if not given.
        b: the bias, ``(n_out,)``; zeros if not given.
        init: how weights are drawn: ``"glorot"``, normal with variance 2 / (n_in + n_out), or ``"he"``, 2 / n_in, for
            layers before a rectifier.
        seed: a number or a generator to draw with.
        dtype: of what is drawn.
    """

    trained = ("W", "b")

    def __init__(
        self,
        n_in: int | None = None,
        n_out: int | None = None,
        *,
        W: ArrayLike | None = None,
        b: ArrayLike | None = None,
        init: Initialisation = "glorot",
        seed: Seed = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__()
        if W is None and (n_in is None or n_out is None):
            raise ChainruleError("Dense needs its sizes or its weights: Dense(18, 5) or Dense(W=W, b=b).")

        def weights() -> Array:
            assert n_in is not None
            assert n_out is not None
            return drawn(seed, (n_in, n_out), initial_variance(init, n_in, n_out), dtype)

        self.W = parameter(W, weights, (n_in, n_out), "W of Dense")
        outputs = self.W.shape[1]
        self.b = parameter(b, lambda: np.zeros(outputs, self.W.dtype), (outputs,), "b of Dense")

    def forward(self, x: ArrayLike) -> Array:
        """The outputs, ``(…, n_out)``, for inputs of shape ``(…, n_in)``."""
        given = np.asarray(x)
        n_in, n_out = self.W.shape
        fits = given.ndim > 0 and given.shape[-1] == n_in
        require(fits, self, f"x has shape {given.shape} and W has {self.W.shape}; (…, {n_in}) is needed")
        flat = given.reshape(-1, n_in)
        return self._run(written.Dense(), {"x": given}, (flat, self.W, self.b), (*given.shape[:-1], n_out))


class Embedding(Layer):
    """A table of vectors that is looked up by integers.

    Args:
        count: the number of vectors.
        n_out: the length of each.
        W: the table, ``(count, n_out)``; drawn from the standard normal distribution if not given.
        seed: a number or a generator to draw with.
        dtype: of what is drawn.
    """

    trained = ("W",)

    def __init__(
        self,
        count: int | None = None,
        n_out: int | None = None,
        *,
        W: ArrayLike | None = None,
        seed: Seed = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__()
        if W is None and (count is None or n_out is None):
            raise ChainruleError("Embedding needs its sizes or its table: Embedding(1000, 64) or Embedding(W=W).")
        self.W = parameter(
            W, lambda: drawn(seed, (count or 0, n_out or 0), 1.0, dtype), (count, n_out), "W of Embedding"
        )

    def forward(self, indices: ArrayLike) -> Array:
        """The vectors, ``(…, n_out)``, for integers of shape ``(…)``; what is looked up twice gets both gradients."""
        given = np.asarray(indices)
        integers = given.dtype.kind in "iu"
        require(integers, self, f"the indices are of type {given.dtype}; integers are needed")
        count, n_out = self.W.shape
        inside = given.size == 0 or (given.min() >= 0 and given.max() < count)
        require(inside, self, f"an index is outside of the table, which has {count} rows")
        return self._run(written.Embedding(), {}, (given.ravel(), self.W), (*given.shape, n_out))
