"""Losses: MSE, SigmoidCrossEntropy, SoftmaxCrossEntropy and Hinge.

Each gives one number, the mean over the batch, and the gradient of its first argument; what that is compared with is
data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.layers.layer import Array, Layer, require
from chainrule.layers.written import losses as written

__all__ = ["MSE", "Hinge", "SigmoidCrossEntropy", "SoftmaxCrossEntropy"]


class _Loss(Layer):
    """One number."""

    def backward(self, grad_output: ArrayLike = 1.0) -> dict[str, Array]:
        """The gradient of the loss with respect to the first argument of ``forward``.

        Args:
            grad_output: what it is multiplied with.
        """
        return self._back((grad_output,))


class _Once:
    """A written loss, whose backward pass takes no cotangent, as one that takes it."""

    def __init__(self, step: Any) -> None:
        self.step = step

    def forward(self, *arguments: Any) -> Array:
        return np.asarray(self.step.forward(*arguments))[()]

    def backward(self, grad_output: Array) -> dict[str, Array]:
        found: dict[str, Array] = self.step.backward()
        return found if grad_output == 1 else {name: grad_output * gradient for name, gradient in found.items()}


def _labels(layer: Layer, given: Array, labels: Array) -> None:
    require(labels.shape == given.shape[:1], layer, f"there are {len(given)} rows, and labels of shape {labels.shape}")
    inside = labels.size == 0 or (labels.min() >= 0 and labels.max() < given.shape[1])
    require(inside, layer, f"a label is outside of the {given.shape[1]} classes")


class MSE(_Loss):
    """The mean squared error."""

    def forward(self, prediction: ArrayLike, target: ArrayLike) -> Array:  # type: ignore[override]
        """The mean of ``(prediction - target) ** 2`` over all elements."""
        given, wanted = np.asarray(prediction), np.asarray(target)
        fits = given.shape == wanted.shape
        require(fits, self, f"the prediction has shape {given.shape} and the target {wanted.shape}; one is needed")
        return self._run(_Once(written.MSE()), {"prediction": given}, (given, wanted))


class SigmoidCrossEntropy(_Loss):
    """The cross-entropy of independent yes-or-no answers, from logits."""

    def forward(self, logits: ArrayLike, targets: ArrayLike) -> Array:  # type: ignore[override]
        """The mean over all elements; targets are 0, 1 or a probability, in the shape of the logits."""
        given, wanted = np.asarray(logits), np.asarray(targets)
        fits = given.shape == wanted.shape
        require(fits, self, f"the logits have shape {given.shape} and the targets {wanted.shape}; one is needed")
        arguments = (given, wanted.astype(given.dtype, copy=False))
        return self._run(_Once(written.SigmoidCrossEntropy()), {"logits": given}, arguments)


class SoftmaxCrossEntropy(_Loss):
    """The cross-entropy of one of several classes, from logits."""

    def forward(self, logits: ArrayLike, targets: ArrayLike) -> Array:  # type: ignore[override]
        """The mean over the batch.

        Args:
            logits: ``(N, classes)``.
            targets: the numbers of the classes, ``(N,)``, or their probabilities, ``(N, classes)`` (one-hot rows).
        """
        given, wanted = np.asarray(logits), np.asarray(targets)
        require(given.ndim == 2, self, f"the logits have shape {given.shape}; (N, classes) is needed")
        if wanted.ndim == 1 and wanted.dtype.kind in "iu":
            _labels(self, given, wanted)
            return self._run(_Once(written.SoftmaxCrossEntropy()), {"logits": given}, (given, wanted))
        require(
            wanted.shape == given.shape,
            self,
            f"the logits have shape {given.shape} and the targets {wanted.shape} of {wanted.dtype}; "
            f"integers ({given.shape[0]},) or rows {given.shape} are needed",
        )
        arguments = (given, wanted.astype(given.dtype, copy=False))
        return self._run(_Once(written.SoftmaxCrossEntropyOneHot()), {"logits": given}, arguments)


class Hinge(_Loss):
    """The loss of support vector machines.

    With scores ``(N, classes)`` and labels from 0 on, it is the sum over the wrong classes of
    ``max(0, score - right score + margin)``, as Weston and Watkins have it; with scores ``(N,)`` and labels 1 or -1,
    ``max(0, margin - label * score)``.  Either is the mean over the batch.

    Args:
        margin: by how much a score is to be better.
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, scores: ArrayLike, labels: ArrayLike) -> Array:  # type: ignore[override]
        """The loss, a number."""
        given, wanted = np.asarray(scores), np.asarray(labels)
        require(given.ndim in (1, 2), self, f"the scores have shape {given.shape}; (N,) or (N, classes) is needed")
        if given.ndim == 1:
            fits = wanted.shape == given.shape and bool(np.isin(wanted, (-1, 1)).all())
            require(fits, self, f"labels of shape {given.shape}, each 1 or -1, are needed for scores of that shape")
            arguments = (given, wanted.astype(given.dtype, copy=False), self.margin)
            return self._run(_Once(written.HingeBinary()), {"scores": given}, arguments)
        require(wanted.dtype.kind in "iu", self, f"the labels are of type {wanted.dtype}; integers are needed")
        _labels(self, given, wanted)
        return self._run(_Once(written.Hinge()), {"scores": given}, (given, wanted, self.margin))
