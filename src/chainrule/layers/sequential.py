"""Layers one after the other."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from chainrule.errors import ChainruleError
from chainrule.layers.layer import Array, Layer

__all__ = ["Sequential"]


class Sequential(Layer):
    """Layers with one input and one output each, run forward in their order and backward in reverse.

    Parameters and gradients are named after the place of their layer: ``"0.W"``, ``"2.b"``.
    """

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers
        super().__init__()

    @property
    def training(self) -> bool:
        """Whether the layers are being trained; setting it sets it for all of them."""
        return self._training

    @training.setter
    def training(self, training: bool) -> None:
        self._training = training
        for layer in self.layers:
            layer.training = training

    def parameters(self) -> dict[str, Array]:
        """The parameters of all layers, by place and name."""
        return {f"{k}.{name}": x for k, layer in enumerate(self.layers) for name, x in layer.parameters().items()}

    def forward(self, x: ArrayLike) -> Any:
        """The output of the last layer."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad_output: ArrayLike) -> dict[str, Array]:
        """The gradients of the parameters of all layers, by place and name, and of the input, as ``"x"``.

        Raises:
            ChainruleError: where there was no ``forward``, or where a layer but the first has no input ``x``.
        """
        gradients: dict[str, Array] = {}
        g: Any = grad_output
        for k in reversed(range(len(self.layers))):
            if g is None:
                raise ChainruleError(
                    f"layer {k + 1}, {type(self.layers[k + 1]).__name__}, has no gradient for one input x to hand on. "
                    "Instead: let it be the first, or call the layers one by one."
                )
            found = self.layers[k].backward(g)
            g = found.get("x")
            own = self.layers[k].parameters()
            gradients = {**{f"{k}.{name}": d for name, d in found.items() if name in own}, **gradients}
        self.gradients = {"x": g, **gradients} if g is not None else gradients
        return self.gradients

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"
