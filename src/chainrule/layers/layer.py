"""What all layers have in common: parameters, gradients by name, and errors that name the shapes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chainrule.errors import ChainruleError, ShapeError

__all__ = ["Array", "Layer", "Seed", "drawn", "parameter", "require"]

Array = NDArray[Any]
Seed = int | np.random.Generator | None


def require(holds: bool, layer: Layer, message: str) -> None:
    """Raise where the shapes of a layer's arguments do not fit.

    Raises:
        ShapeError: with ``message`` behind the layer's name.
    """
    if not holds:
        raise ShapeError(f"{type(layer).__name__}: {message}.")


def drawn(seed: Seed, shape: tuple[int, ...], variance: float, dtype: DTypeLike) -> Array:
    """Normal random numbers with mean 0."""
    numbers: Array = np.random.default_rng(seed).standard_normal(shape) * np.sqrt(variance)
    return numbers.astype(dtype)


def parameter(given: ArrayLike | None, made: Callable[[], Array], shape: tuple[int | None, ...], what: str) -> Array:
    """The array that was given, itself and no copy, or else the one that is made.

    Raises:
        ShapeError: where the given array has another shape.
    """
    if given is None:
        return made()
    array = np.asarray(given)
    if len(array.shape) != len(shape) or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ShapeError(f"{what} has shape {array.shape}, and was expected to have ({wanted}).")
    return array


class Layer:
    """A forward pass that can be taken back.

    Attributes:
        gradients: what the last ``backward`` returned: the gradient of each input and parameter, by name.
        training: whether the layer is being trained; batch normalisation and dropout do something else where it is not.
    """

    #: The names of the attributes that are trained.
    trained: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.gradients: dict[str, Array] = {}
        self.training = True
        self._step: Any = None
        self._inputs: dict[str, Array] = {}
        self._outputs: tuple[tuple[tuple[int, ...], Array], ...] = ()

    def parameters(self) -> dict[str, Array]:
        """The arrays that are trained, by name; updated in place, they are those of the layer: ``W -= 0.1 * dW``."""
        return {name: getattr(self, name) for name in self.trained}

    def shared(self) -> Self:
        """A layer with the same parameters, in the same memory, and a memory of its own for ``backward``.

        A layer that is used several times in one pass, as a cell is at every time step, needs one for each.
        """
        twin = copy.copy(self)
        twin._step, twin.gradients = None, {}
        return twin

    def forward(self, x: ArrayLike) -> Any:
        """The output; what ``backward`` needs is kept."""
        raise NotImplementedError(f"{type(self).__name__} has no forward pass.")

    def __call__(self, *inputs: Any) -> Any:
        """The same as ``forward``."""
        return self.forward(*inputs)

    def backward(self, grad_output: ArrayLike) -> dict[str, Array]:
        """The gradients of the inputs and the parameters.

        Args:
            grad_output: the gradient of the loss with respect to the output of the last ``forward``.

        Returns:
            The gradient of each input and each parameter by name, also kept as ``gradients``.
        """
        return self._back((grad_output,))

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {' × '.join(map(str, x.shape))}" for name, x in self.parameters().items())
        return f"{type(self).__name__}({shapes})"

    # What layers are made with.

    def _run(
        self,
        step: Any,
        inputs: Mapping[str, Array],
        arguments: Sequence[Any],
        shape: tuple[int, ...] | None = None,
    ) -> Array:
        """As ``_run_all``, for one output."""
        return self._run_all(step, inputs, arguments, (shape,))[0]

    def _run_all(
        self,
        step: Any,
        inputs: Mapping[str, Array],
        arguments: Sequence[Any],
        shapes: Sequence[tuple[int, ...] | None],
    ) -> tuple[Array, ...]:
        """Run a written layer and keep it.

        Args:
            step: the written layer.
            inputs: what was given to ``forward``, by name, in the shapes that it came in.
            arguments: the same and the parameters as the written layer takes them.
            shapes: the shape of each output; ``None`` for the one in which it is written.
        """
        result = step.forward(*arguments)
        self._step, self._inputs = step, dict(inputs)
        made = result if isinstance(result, tuple) else (result,)
        self._outputs = tuple(
            (np.shape(x) if shape is None else shape, x) for x, shape in zip(made, shapes, strict=True)
        )
        return tuple(np.reshape(x, shape)[()] for shape, x in self._outputs)

    def _back(self, cotangents: Sequence[ArrayLike]) -> dict[str, Array]:
        """Take the last pass back."""
        if self._step is None:
            raise ChainruleError(
                f"{type(self).__name__}.backward was called before forward: there is no pass to be taken back. "
                "Instead: call forward first."
            )
        arrived = []
        for g, (shape, output) in zip(cotangents, self._outputs, strict=True):
            array = np.asarray(g, dtype=output.dtype)
            require(
                array.shape == shape,
                self,
                f"grad_output has shape {array.shape}, and the output had {shape}; they must be the same",
            )
            arrived.append(array.reshape(output.shape))
        found = self._step.backward(tuple(arrived) if len(arrived) > 1 else arrived[0])
        self.gradients = self._named(found)
        return self.gradients

    def _named(self, found: Mapping[str, Array]) -> dict[str, Array]:
        """Gradients in the shape and dtype of what they belong to."""
        gradients = {}
        for written, gradient in found.items():
            name = "x" if written == "x_input" else written
            own = self._inputs[name] if name in self._inputs else getattr(self, name)
            gradients[name] = np.reshape(gradient, own.shape).astype(own.dtype, copy=False)
        return gradients
