"""Normalisation and dropout: LayerNorm, BatchNorm and Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from chainrule.errors import ChainruleError
from chainrule.layers.layer import Array, Layer, Seed, parameter, require
from chainrule.layers.written import normalisation as written

__all__ = ["BatchNorm", "Dropout", "LayerNorm"]


class LayerNorm(Layer):
    """Each vector along the last axis with mean 0 and variance 1, then scaled and shifted.

    Args:
        n: the length of the vectors.
        gain: what they are multiplied with, ``(n,)``; ones if not given.
        bias: what is added, ``(n,)``; zeros if not given.
        epsilon: what is added to the variance.
        dtype: of what is made.
    """

    trained = ("gain", "bias")

    def __init__(
        self,
        n: int,
        *,
        gain: ArrayLike | None = None,
        bias: ArrayLike | None = None,
        epsilon: float = 1e-5,
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.gain = parameter(gain, lambda: np.ones(n, dtype), (n,), f"gain of {name}")
        self.bias = parameter(bias, lambda: np.zeros(n, dtype), (n,), f"bias of {name}")
        self.epsilon = epsilon

    def forward(self, x: ArrayLike) -> Array:
        """The output, for inputs of shape ``(…, n)``."""
        given = np.asarray(x)
        n = len(self.gain)
        require(given.ndim > 0 and given.shape[-1] == n, self, f"x has shape {given.shape}; (…, {n}) is needed")
        arguments = (given.reshape(-1, n), self.gain, self.bias, self.epsilon)
        return self._run(written.LayerNorm(), {"x": given}, arguments, given.shape)


class BatchNorm(Layer):
    """Each feature with mean 0 and variance 1 over the batch, then scaled and shifted.

    While ``training`` is true the statistics are those of the batch, and running ones are kept; afterwards the running
    ones are used.  Images ``(N, C, H, W)`` are normalised per channel.

    Args:
        n: the number of features or channels.
        gain: what they are multiplied with, ``(n,)``; ones if not given.
        bias: what is added, ``(n,)``; zeros if not given.
        epsilon: what is added to the variance.
        momentum: the share of the new batch in the running statistics; the running variance is the unbiased one.
        dtype: of what is made.

    Attributes:
        running_mean: ``(n,)``.
        running_variance: ``(n,)``.
    """

    trained = ("gain", "bias")

    def __init__(
        self,
        n: int,
        *,
        gain: ArrayLike | None = None,
        bias: ArrayLike | None = None,
        epsilon: float = 1e-5,
        momentum: float = 0.1,
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__()
        self.gain = parameter(gain, lambda: np.ones(n, dtype), (n,), "gain of BatchNorm")
        self.bias = parameter(bias, lambda: np.zeros(n, dtype), (n,), "bias of BatchNorm")
        self.epsilon = epsilon
        self.momentum = momentum
        self.running_mean: Array = np.zeros(n, self.gain.dtype)
        self.running_variance: Array = np.ones(n, self.gain.dtype)
        self._channels = False
        self._shape: tuple[int, ...] = ()

    def forward(self, x: ArrayLike) -> Array:
        """The output, for inputs of shape ``(N, n)`` or ``(N, n, H, W)``."""
        given = np.asarray(x)
        n = len(self.gain)
        fits = given.ndim in (2, 4) and given.shape[1] == n
        require(fits, self, f"x has shape {given.shape}; (N, {n}) or (N, {n}, H, W) is needed")
        self._channels = given.ndim == 4
        rows = given.transpose(0, 2, 3, 1).reshape(-1, n) if self._channels else given
        require(not self.training or len(rows) > 1, self, "one value per feature has no variance; a batch is needed")
        if self.training:
            mean, variance = rows.mean(axis=0), rows.var(axis=0, ddof=1)
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
            self.running_variance = (1 - self.momentum) * self.running_variance + self.momentum * variance
            step: Any = written.BatchNorm()
            arguments: tuple[Any, ...] = (rows, self.gain, self.bias, self.epsilon)
        else:
            step = written.BatchNormInference()
            arguments = (rows, self.gain, self.bias, self.running_mean, self.running_variance, self.epsilon)
        output: Array = self._run(step, {"x": rows}, arguments)
        return self._images(output, given.shape)

    def _images(self, rows: Array, shape: tuple[int, ...]) -> Array:
        """Rows per pixel as images again."""
        self._shape = shape
        if not self._channels:
            return rows
        N, C, H, W = shape
        return rows.reshape(N, H, W, C).transpose(0, 3, 1, 2)

    def backward(self, grad_output: ArrayLike) -> dict[str, Array]:
        """The gradients of ``x``, ``gain`` and ``bias``."""
        if self._step is None or not self._channels:
            return super().backward(grad_output)
        given = np.asarray(grad_output)
        fits = given.shape == self._shape
        require(fits, self, f"grad_output has shape {given.shape}, and the output had {self._shape}")
        gradients = super().backward(given.transpose(0, 2, 3, 1).reshape(-1, self._shape[1]))
        gradients["x"] = self._images(gradients["x"], self._shape)
        return gradients


class _Identity:
    """Nothing left out."""

    def forward(self, x_input: Array) -> Array:
        return x_input

    def backward(self, grad_output: Array) -> dict[str, Array]:
        return {"x_input": grad_output}


class Dropout(Layer):
    """A random part of the inputs left out, the others larger so that the mean stays; nothing once trained.

    Args:
        rate: the share that is left out.
        seed: a number or a generator to draw with.
    """

    def __init__(self, rate: float = 0.5, *, seed: Seed = None) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ChainruleError(f"rate={rate}: the share that is left out must be at least 0 and less than 1.")
        self.rate = rate
        self.generator = np.random.default_rng(seed)

    def forward(self, x: ArrayLike, keep: ArrayLike | None = None) -> Array:
        """The output, for inputs of any shape.

        Args:
            x: the input.
            keep: what to keep, as booleans of the shape of ``x``; drawn if not given.
        """
        given = np.asarray(x)
        if not self.training:
            return self._run(_Identity(), {"x": given}, (given,))
        mask = self.generator.random(given.shape) >= self.rate if keep is None else np.asarray(keep)
        require(mask.shape == given.shape, self, f"x has shape {given.shape} and keep has {mask.shape}; one is needed")
        return self._run(written.Dropout(), {"x": given}, (given, mask.astype(given.dtype, copy=False), self.rate))
