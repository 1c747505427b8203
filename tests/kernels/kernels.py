"""All kernels: unmodified scientific NumPy, most of it full of updates in place."""

from __future__ import annotations

from tests.kernels import learning, physics, products, signals, solvers, stencils
from tests.kernels.kernel import Kernel

__all__ = ["KERNELS"]

KERNELS: list[Kernel] = [
    *products.KERNELS,
    *solvers.KERNELS,
    *stencils.KERNELS,
    *physics.KERNELS,
    *learning.KERNELS,
    *signals.KERNELS,
]
