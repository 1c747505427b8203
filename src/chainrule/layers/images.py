"""Convolution and pooling of images ``(N, C, H, W)``: Conv2D and MaxPool2D."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from chainrule.errors import ChainruleError
from chainrule.layers.layer import Array, Layer, Seed, drawn, parameter, require
from chainrule.layers.linear import Initialisation, initial_variance
from chainrule.layers.written import images as written

__all__ = ["Conv2D", "MaxPool2D"]


class Conv2D(Layer):
    """Images correlated with kernels, as deep learning understands convolution.

    Args:
        channels_in: the number of channels of the images.
        channels_out: the number of kernels.
        size: the height and width of the kernels.
        stride: by how many pixels a kernel moves.
        padding: how many rows and columns of zeros stand around the images.
        W: the kernels, ``(channels_out, channels_in, height, width)``; drawn if not given.
        b: the bias, ``(channels_out,)``; zeros if not given.
        init: ``"he"``, normal with variance 2 / (channels_in * size ** 2), or ``"glorot"``.
        seed: a number or a generator to draw with.
        dtype: of what is drawn.
    """

    trained = ("W", "b")

    def __init__(
        self,
        channels_in: int | None = None,
        channels_out: int | None = None,
        size: int | None = None,
        *,
        stride: int = 1,
        padding: int = 0,
        W: ArrayLike | None = None,
        b: ArrayLike | None = None,
        init: Initialisation = "he",
        seed: Seed = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__()
        if W is None and (channels_in is None or channels_out is None or size is None):
            raise ChainruleError("Conv2D needs its sizes or its kernels: Conv2D(3, 16, 5) or Conv2D(W=W, b=b).")
        if stride < 1 or padding < 0:
            raise ChainruleError(f"stride={stride}, padding={padding}: at least 1 and at least 0 are needed.")

        def kernels() -> Array:
            assert channels_in is not None
            assert channels_out is not None
            assert size is not None
            variance = initial_variance(init, channels_in * size**2, channels_out * size**2)
            return drawn(seed, (channels_out, channels_in, size, size), variance, dtype)

        self.W = parameter(W, kernels, (channels_out, channels_in, size, size), "W of Conv2D")
        kernel_count = len(self.W)
        self.b = parameter(b, lambda: np.zeros(kernel_count, self.W.dtype), (kernel_count,), "b of Conv2D")
        self.stride = stride
        self.padding = padding

    def forward(self, x: ArrayLike) -> Array:
        """The output, ``(N, channels_out, H_out, W_out)``, for images of shape ``(N, channels_in, H, W)``.

        ``H_out`` is ``(H + 2 * padding - height) // stride + 1``, and ``W_out`` likewise.
        """
        given = np.asarray(x)
        _, channels, height, width = self.W.shape
        fits = given.ndim == 4 and given.shape[1] == channels
        require(fits, self, f"x has shape {given.shape} and W has {self.W.shape}; (N, {channels}, H, W) is needed")
        large = given.shape[2] + 2 * self.padding >= height and given.shape[3] + 2 * self.padding >= width
        require(large, self, f"x has shape {given.shape}, which is smaller than a kernel of {height} × {width}")
        arguments = (given, self.W, self.b, self.stride, self.padding)
        return self._run(written.Conv2D(), {"x": given}, arguments)


class MaxPool2D(Layer):
    """The largest pixel of each square; where several are equally large, they share the gradient evenly.

    Args:
        size: the height and width of the squares, which do not overlap.
    """

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        if size < 1:
            raise ChainruleError(f"size={size}: at least 1 is needed.")
        self.size = size

    def forward(self, x: ArrayLike) -> Array:
        """The output, ``(N, C, H // size, W // size)``, for images whose height and width ``size`` divides."""
        given = np.asarray(x)
        fits = given.ndim == 4 and given.shape[2] % self.size == 0 and given.shape[3] % self.size == 0
        require(fits, self, f"x has shape {given.shape}; (N, C, H, W) with multiples of {self.size} is needed")
        return self._run(written.MaxPool2D(), {"x": given}, (given, self.size))
