"""Normalisation and dropout.

Written by chainrule from the functions in ``chainrule/layers/forwards.py``: ``python -m chainrule.layers.generate``.
"""

import numpy as np

__all__ = [
    "BatchNorm",
    "BatchNormInference",
    "Dropout",
    "LayerNorm",
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_grad_bias",
    "batch_norm_grad_gain",
    "batch_norm_grad_input",
    "batch_norm_inference_backward",
    "batch_norm_inference_forward",
    "batch_norm_inference_grad_bias",
    "batch_norm_inference_grad_gain",
    "batch_norm_inference_grad_input",
    "dropout_forward",
    "dropout_grad_input",
    "layer_norm_backward",
    "layer_norm_forward",
    "layer_norm_grad_bias",
    "layer_norm_grad_gain",
    "layer_norm_grad_input",
]


def layer_norm_forward(x_input, gain, bias, epsilon):
    """Each row with mean 0 and variance 1, scaled and shifted by column (Ba, Kiros and Hinton, 2016)."""
    centred = x_input - x_input.mean(axis=1, keepdims=True)
    std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)
    return gain * (centred / std) + bias


def layer_norm_grad_input(x_input, grad_output, gain, bias, epsilon):
    """The gradient of layer_norm with respect to x_input."""
    centred = x_input - x_input.mean(axis=1, keepdims=True)
    std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)
    ratio = centred / std

    # return gain * (centred / std) + bias                                 line 111
    product = gain / std * grad_output
    # std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)    line 110
    product2 = (ratio * product).mean(axis=1, keepdims=True) * ratio
    # centred = x_input - x_input.mean(axis=1, keepdims=True)              line 109
    dx_input = product - product2 - product.mean(axis=1, keepdims=True)

    return dx_input


def layer_norm_grad_gain(x_input, grad_output, gain, bias, epsilon):
    """The gradient of layer_norm with respect to gain."""
    centred = x_input - x_input.mean(axis=1, keepdims=True)
    std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)

    # return gain * (centred / std) + bias    line 111
    dgain = np.einsum("ij,ij->j", grad_output, centred / std)

    return dgain


def layer_norm_grad_bias(x_input, grad_output, gain, bias, epsilon):
    """The gradient of layer_norm with respect to bias."""
    # return gain * (centred / std) + bias    line 111
    dbias = grad_output.sum(axis=0)

    return dbias


def layer_norm_backward(x_input, grad_output, gain, bias, epsilon):
    """The gradients of layer_norm with respect to x_input, gain, bias."""
    centred = x_input - x_input.mean(axis=1, keepdims=True)
    std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)
    ratio = centred / std

    # return gain * (centred / std) + bias                                 line 111
    product = gain / std * grad_output
    dgain = np.einsum("ij,ij->j", grad_output, ratio)
    dbias = grad_output.sum(axis=0)
    # std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)    line 110
    product2 = (ratio * product).mean(axis=1, keepdims=True) * ratio
    # centred = x_input - x_input.mean(axis=1, keepdims=True)              line 109
    dx_input = product - product2 - product.mean(axis=1, keepdims=True)

    return dx_input, dgain, dbias


class LayerNorm:
    """layer_norm with its backward pass."""

    def forward(self, x_input, gain, bias, epsilon):
        """The output of layer_norm."""
        centred = x_input - x_input.mean(axis=1, keepdims=True)
        std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)
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
        # return gain * (centred / std) + bias                                 line 111
        product = gain / std * grad_output
        dgain = np.einsum("ij,ij->j", grad_output, ratio)
        dbias = grad_output.sum(axis=0)
        # std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)    line 110
        product2 = (ratio * product).mean(axis=1, keepdims=True) * ratio
        # centred = x_input - x_input.mean(axis=1, keepdims=True)              line 109
        dx_input = product - product2 - product.mean(axis=1, keepdims=True)
        return {"x_input": dx_input, "gain": dgain, "bias": dbias}


def batch_norm_forward(x_input, gain, bias, epsilon):
    """Each column with mean 0 and variance 1, scaled and shifted (Ioffe and Szegedy, 2015)."""
    centred = x_input - x_input.mean(axis=0)
    std = np.sqrt((centred**2).mean(axis=0) + epsilon)
    return gain * (centred / std) + bias


def batch_norm_grad_input(x_input, grad_output, gain, bias, epsilon):
    """The gradient of batch_norm with respect to x_input."""
    centred = x_input - x_input.mean(axis=0)
    std = np.sqrt((centred**2).mean(axis=0) + epsilon)
    ratio = centred / std

    # std = np.sqrt((centred**2).mean(axis=0) + epsilon)    line 117
    product = (ratio * grad_output).mean(axis=0) * ratio
    # centred = x_input - x_input.mean(axis=0)              line 116
    dx_input = gain / std * (grad_output - (grad_output.mean(axis=0) + product))

    return dx_input


def batch_norm_grad_gain(x_input, grad_output, gain, bias, epsilon):
    """The gradient of batch_norm with respect to gain."""
    centred = x_input - x_input.mean(axis=0)
    std = np.sqrt((centred**2).mean(axis=0) + epsilon)

    # return gain * (centred / std) + bias    line 118
    dgain = np.einsum("ij,ij->j", grad_output, centred / std)

    return dgain


def batch_norm_grad_bias(x_input, grad_output, gain, bias, epsilon):
    """The gradient of batch_norm with respect to bias."""
    # return gain * (centred / std) + bias    line 118
    dbias = grad_output.sum(axis=0)

    return dbias


def batch_norm_backward(x_input, grad_output, gain, bias, epsilon):
    """The gradients of batch_norm with respect to x_input, gain, bias."""
    centred = x_input - x_input.mean(axis=0)
    std = np.sqrt((centred**2).mean(axis=0) + epsilon)
    ratio = centred / std

    # return gain * (centred / std) + bias        line 118
    dgain = np.einsum("ij,ij->j", grad_output, ratio)
    dbias = grad_output.sum(axis=0)
    # centred = x_input - x_input.mean(axis=0)    line 116
    dx_input = gain / std * (grad_output - (dbias + dgain * ratio) / centred.shape[0])

    return dx_input, dgain, dbias


class BatchNorm:
    """batch_norm with its backward pass."""

    def forward(self, x_input, gain, bias, epsilon):
        """The output of batch_norm."""
        centred = x_input - x_input.mean(axis=0)
        std = np.sqrt((centred**2).mean(axis=0) + epsilon)
        ratio = centred / std
        output = gain * ratio + bias
        self.ratio = ratio
        self.gain = gain
        self.std = std
        self.centred = centred
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        ratio = self.ratio
        gain = self.gain
        std = self.std
        centred = self.centred
        # return gain * (centred / std) + bias        line 118
        dgain = np.einsum("ij,ij->j", grad_output, ratio)
        dbias = grad_output.sum(axis=0)
        # centred = x_input - x_input.mean(axis=0)    line 116
        dx_input = gain / std * (grad_output - (dbias + dgain * ratio) / centred.shape[0])
        return {"x_input": dx_input, "gain": dgain, "bias": dbias}


def batch_norm_inference_forward(x_input, gain, bias, mean, variance, epsilon):
    """The same with a mean and a variance that were found before."""
    std = np.sqrt(variance + epsilon)
    return gain * ((x_input - mean) / std) + bias


def batch_norm_inference_grad_input(x_input, grad_output, gain, bias, mean, variance, epsilon):
    """The gradient of batch_norm_inference with respect to x_input."""
    std = np.sqrt(variance + epsilon)

    # return gain * ((x_input - mean) / std) + bias    line 124
    dx_input = gain / std * grad_output

    return dx_input


def batch_norm_inference_grad_gain(x_input, grad_output, gain, bias, mean, variance, epsilon):
    """The gradient of batch_norm_inference with respect to gain."""
    std = np.sqrt(variance + epsilon)

    # return gain * ((x_input - mean) / std) + bias    line 124
    dgain = np.einsum("ij,ij->j", grad_output, (x_input - mean) / std)

    return dgain


def batch_norm_inference_grad_bias(x_input, grad_output, gain, bias, mean, variance, epsilon):
    """The gradient of batch_norm_inference with respect to bias."""
    # return gain * ((x_input - mean) / std) + bias    line 124
    dbias = grad_output.sum(axis=0)

    return dbias


def batch_norm_inference_backward(x_input, grad_output, gain, bias, mean, variance, epsilon):
    """The gradients of batch_norm_inference with respect to x_input, gain, bias."""
    std = np.sqrt(variance + epsilon)

    # return gain * ((x_input - mean) / std) + bias    line 124
    dx_input = gain / std * grad_output
    dgain = np.einsum("ij,ij->j", grad_output, (x_input - mean) / std)
    dbias = grad_output.sum(axis=0)

    return dx_input, dgain, dbias


class BatchNormInference:
    """batch_norm_inference with its backward pass."""

    def forward(self, x_input, gain, bias, mean, variance, epsilon):
        """The output of batch_norm_inference."""
        std = np.sqrt(variance + epsilon)
        ratio = (x_input - mean) / std
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
        # return gain * ((x_input - mean) / std) + bias    line 124
        dx_input = gain / std * grad_output
        dgain = np.einsum("ij,ij->j", grad_output, ratio)
        dbias = grad_output.sum(axis=0)
        return {"x_input": dx_input, "gain": dgain, "bias": dbias}


def dropout_forward(x_input, keep, rate):
    """What is kept, larger by as much as is expected to be missing (Srivastava and others, 2014)."""
    scale = keep / (1 - rate)
    return x_input * scale


def dropout_grad_input(x_input, grad_output, keep, rate):
    """The gradient of dropout with respect to x_input."""
    scale = keep / (1 - rate)

    # return x_input * scale    line 130
    dx_input = grad_output * scale

    return dx_input


class Dropout:
    """dropout with its backward pass."""

    def forward(self, x_input, keep, rate):
        """The output of dropout."""
        scale = keep / (1 - rate)
        output = x_input * scale
        self.scale = scale
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        scale = self.scale
        # return x_input * scale    line 130
        dx_input = grad_output * scale
        return {"x_input": dx_input}
