import numpy as np


class LayerNorm:
    """layer_norm with its backward pass."""

    def forward(self, X, gain, bias):
        """The output of layer_norm."""
        mean = X.mean(axis=-1, keepdims=True)
        centred = X - mean
        std = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        ratio = centred / std
        product = gain * ratio
        output = product + bias
        self.product = product
        self.ratio = ratio
        self.gain = gain
        self.std = std
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        product = self.product
        ratio = self.ratio
        gain = self.gain
        std = self.std
        # return gain * (centred / std) + bias                               line 153
        mean2 = (product * grad_output).mean(axis=1, keepdims=True)
        grad_gain = (ratio * grad_output).sum(axis=0)
        grad_bias = grad_output.sum(axis=0)
        # std = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)    line 152
        grad_centred = (gain * grad_output - mean2 * ratio) / std
        # mean = X.mean(axis=-1, keepdims=True)                              line 150
        grad_X = grad_centred - grad_centred.mean(axis=1, keepdims=True)
        return {"X": grad_X, "gain": grad_gain, "bias": grad_bias}
