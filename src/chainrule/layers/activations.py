"""Activations: ReLU, LeakyReLU, Sigmoid, Tanh, GELU and Softmax."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from chainrule.layers.layer import Array, Layer, require
from chainrule.layers.written import activations as written

__all__ = ["GELU", "LeakyReLU", "ReLU", "Sigmoid", "Softmax", "Tanh"]


class ReLU(Layer):
    """The rectifier ``max(0, x)``; its derivative at 0 is 0."""

    def forward(self, x: ArrayLike) -> Array:
        """The positive part, for inputs of any shape."""
        given = np.asarray(x)
        return self._run(written.ReLU(), {"x": given}, (given,))


class LeakyReLU(Layer):
    """``x`` where it is positive, ``slope * x`` elsewhere."""

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: ArrayLike) -> Array:
        """The output, for inputs of any shape."""
        given = np.asarray(x)
        return self._run(written.LeakyReLU(), {"x": given}, (given, self.slope))


class Sigmoid(Layer):
    """The logistic function ``1 / (1 + exp(-x))``."""

    def forward(self, x: ArrayLike) -> Array:
        """The output, between 0 and 1, for inputs of any shape."""
        given = np.asarray(x)
        with np.errstate(over="ignore"):  # 1 / (1 + inf) is the 0 that is meant
            return self._run(written.Sigmoid(), {"x": given}, (given,))


class Tanh(Layer):
    """The hyperbolic tangent."""

    def forward(self, x: ArrayLike) -> Array:
        """The output, between -1 and 1, for inputs of any shape."""
        given = np.asarray(x)
        return self._run(written.Tanh(), {"x": given}, (given,))


class GELU(Layer):
    """The Gaussian error linear unit, in the form with the hyperbolic tangent."""

    def forward(self, x: ArrayLike) -> Array:
        """The output, for inputs of any shape."""
        given = np.asarray(x)
        return self._run(written.GELU(), {"x": given}, (given,))


class Softmax(Layer):
    """Exponentials divided by their sum along the last axis; no input is too large for it."""

    def forward(self, x: ArrayLike) -> Array:
        """The probabilities, for inputs of shape ``(…, classes)``."""
        given = np.asarray(x)
        require(given.ndim > 0, self, "x has shape (); (…, classes) is needed")
        return self._run(written.Softmax(), {"x": given}, (given.reshape(-1, given.shape[-1]),), given.shape)
