import numpy as np


class LayerNorm:
    """layer_norm with its backward pass."""

    def forward(self, X, gain, bias):
        """The output of layer_norm."""
        mean = X.mean(axis=-1, keepdims=True)
        centred = X - mean
        std = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        ratio = centred / std
        output = gain * ratio + bias
        self.gain = gain
        self.std = std
        self.ratio = ratio
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        gain = self.gain
        std = self.std
        ratio = self.ratio
        # return gain * (centred / std) + bias                               line 153
        product = gain / std * grad_output
        grad_gain = np.einsum("ij,ij->j", grad_output, ratio)
        grad_bias = grad_output.sum(axis=0)
        # std = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)    line 152
        product2 = (ratio * product).mean(axis=1, keepdims=True) * ratio
        # mean = X.mean(axis=-1, keepdims=True)                              line 150
        grad_X = product - product2 - product.mean(axis=1, keepdims=True)
        return {"X": grad_X, "gain": grad_gain, "bias": grad_bias}
