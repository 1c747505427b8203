"""Steps of recurrent networks: RNNCell and LSTMCell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from chainrule.layers.layer import Array, Layer, Seed, drawn, parameter, require
from chainrule.layers.linear import initial_variance
from chainrule.layers.written.lstm import LSTMCell as WrittenLSTMCell
from chainrule.layers.written.rnn import RNNCell as WrittenRNNCell

__all__ = ["LSTMCell", "RNNCell"]


class RNNCell(Layer):
    """One step of a recurrent network, ``tanh(x @ Wx + h @ Wh + b)``.

    ``shared()`` gives a cell for each further time step, with the same parameters.

    Args:
        n_in: the number of features.
        n_hidden: the length of the state.
        Wx: ``(n_in, n_hidden)``; drawn with Glorot's variance if not given.
        Wh: ``(n_hidden, n_hidden)``; likewise.
        b: ``(n_hidden,)``; zeros if not given.
        seed: a number or a generator to draw with.
        dtype: of what is drawn.
    """

    trained = ("Wx", "Wh", "b")
    _gates = 1

    def __init__(
        self,
        n_in: int,
        n_hidden: int,
        *,
        Wx: ArrayLike | None = None,
        Wh: ArrayLike | None = None,
        b: ArrayLike | None = None,
        seed: Seed = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__()
        generator = np.random.default_rng(seed)
        width = self._gates * n_hidden
        name = type(self).__name__

        def weights(n: int) -> Array:
            return drawn(generator, (n, width), initial_variance("glorot", n, n_hidden), dtype)

        self.Wx = parameter(Wx, lambda: weights(n_in), (n_in, width), f"Wx of {name}")
        self.Wh = parameter(Wh, lambda: weights(n_hidden), (n_hidden, width), f"Wh of {name}")
        self.b = parameter(b, lambda: self._bias(n_hidden, dtype), (width,), f"b of {name}")

    def _bias(self, n_hidden: int, dtype: DTypeLike) -> Array:
        return np.zeros(n_hidden, dtype)

    def _state(self, x: ArrayLike, state: ArrayLike | None, name: str) -> tuple[Array, Array]:
        """The input and a state that fits it; zeros if none is given."""
        given = np.asarray(x)
        n_in, n_hidden = len(self.Wx), len(self.Wh)
        require(given.ndim == 2 and given.shape[1] == n_in, self, f"x has shape {given.shape}; (N, {n_in}) is needed")
        wanted = (len(given), n_hidden)
        held = np.zeros(wanted, self.Wh.dtype) if state is None else np.asarray(state)
        require(held.shape == wanted, self, f"{name} has shape {held.shape}; {wanted} is needed")
        return given, held

    def forward(self, x: ArrayLike, h: ArrayLike | None = None) -> Array:
        """The next state, ``(N, n_hidden)``.

        Args:
            x: the inputs, ``(N, n_in)``.
            h: the state, ``(N, n_hidden)``; zeros if not given.
        """
        given, state = self._state(x, h, "h")
        return self._run(WrittenRNNCell(), {"x": given, "h": state}, (given, state, self.Wx, self.Wh, self.b))


class LSTMCell(RNNCell):
    """One step of a long short-term memory.

    Its gates stand side by side in the columns of the weights: input, forget, output, candidate.  Arguments as those
    of :class:`RNNCell`, with ``4 * n_hidden`` columns; the bias of the forget gate starts at 1.
    """

    _gates = 4

    def _bias(self, n_hidden: int, dtype: DTypeLike) -> Array:
        bias = np.zeros(4 * n_hidden, dtype)
        bias[n_hidden : 2 * n_hidden] = 1
        return bias

    def forward(  # type: ignore[override]
        self, x: ArrayLike, h: ArrayLike | None = None, c: ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """The next state and the next memory, each ``(N, n_hidden)``.

        Args:
            x: the inputs, ``(N, n_in)``.
            h: the state, ``(N, n_hidden)``; zeros if not given.
            c: the memory, ``(N, n_hidden)``; zeros if not given.
        """
        given, state = self._state(x, h, "h")
        _, memory = self._state(x, c, "c")
        inputs = {"x": given, "h": state, "c": memory}
        arguments = (given, state, memory, self.Wx, self.Wh, self.b)
        h_next, c_next = self._run_all(WrittenLSTMCell(), inputs, arguments, (None, None))
        return h_next, c_next

    def backward(self, grad_output: ArrayLike, grad_c: ArrayLike | None = None) -> dict[str, Array]:
        """The gradients of ``x``, ``h``, ``c``, ``Wx``, ``Wh`` and ``b``.

        Args:
            grad_output: the gradient of the loss with respect to the next state.
            grad_c: the same with respect to the next memory; zeros if not given, as at the last step.
        """
        return self._back((grad_output, np.zeros(np.shape(grad_output)) if grad_c is None else grad_c))
