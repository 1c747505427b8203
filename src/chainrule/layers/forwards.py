"""The layers, each as one plain forward function; their backward passes are written from these.

Nothing here knows of derivatives.  ``python -m chainrule.layers.generate`` reads these functions and writes the
modules in ``chainrule/layers/written``.
"""

import numpy as np

__all__ = [
    "attention",
    "batch_norm",
    "batch_norm_inference",
    "conv2d",
    "dense",
    "dot",
    "dropout",
    "embedding",
    "gelu",
    "hinge",
    "hinge_binary",
    "layer_norm",
    "leaky_relu",
    "lstm_cell",
    "masked_attention",
    "matmul",
    "max_pool2d",
    "mse",
    "relu",
    "rnn_cell",
    "sigmoid",
    "sigmoid_cross_entropy",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_onehot",
    "tanh",
]


def dot(x1, x2):
    """The inner product of each row of ``x1`` with the same row of ``x2``."""
    return (x1 * x2).sum(axis=1)


def matmul(x1, x2):
    """The product of two matrices."""
    return x1 @ x2


def dense(x_input, W, b):
    """Each row times ``W``, and ``b``."""
    return x_input @ W + b


def embedding(indices, W):
    """The rows of ``W`` at ``indices``."""
    return W[indices]


def conv2d(x_input, W, b, stride, padding):
    """Images ``(N, C, H, W)`` correlated with the kernels ``W``, a pixel's channels in a row."""
    padded = np.pad(x_input, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rows = np.arange(0, padded.shape[2] - W.shape[2] + 1, stride)[:, None] + np.arange(W.shape[2])
    columns = np.arange(0, padded.shape[3] - W.shape[3] + 1, stride)[:, None] + np.arange(W.shape[3])
    windows = padded[:, :, rows[:, :, None, None], columns]
    output = np.tensordot(windows, W, axes=((1, 3, 5), (1, 2, 3))) + b
    return output.transpose(0, 3, 1, 2)


def max_pool2d(x_input, size):
    """The largest pixel of each square of ``size`` by ``size``."""
    N, C, H, W = x_input.shape
    return x_input.reshape(N, C, H // size, size, W // size, size).max(axis=(3, 5))


def relu(x_input):
    """The positive part."""
    return np.maximum(0, x_input)


def leaky_relu(x_input, slope):
    """The identity where it is positive, ``slope`` times it elsewhere."""
    return np.where(x_input > 0, x_input, slope * x_input)


def sigmoid(x_input):
    """The logistic function."""
    return 1 / (1 + np.exp(-x_input))


def tanh(x_input):
    """The hyperbolic tangent."""
    return np.tanh(x_input)


def gelu(x_input):
    """The Gaussian error linear unit, in the form with the hyperbolic tangent (Hendrycks and Gimpel, 2016)."""
    t = np.tanh(0.7978845608028654 * (x_input + 0.044715 * x_input**3))
    return x_input * (0.5 * (1 + t))


def softmax(x_input):
    """Exponentials that add up to 1 in each row."""
    E = np.exp(x_input - x_input.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def layer_norm(x_input, gain, bias, epsilon):
    """Each row with mean 0 and variance 1, scaled and shifted by column (Ba, Kiros and Hinton, 2016)."""
    centred = x_input - x_input.mean(axis=1, keepdims=True)
    std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)
    return gain * (centred / std) + bias


def batch_norm(x_input, gain, bias, epsilon):
    """Each column with mean 0 and variance 1, scaled and shifted (Ioffe and Szegedy, 2015)."""
    centred = x_input - x_input.mean(axis=0)
    std = np.sqrt((centred**2).mean(axis=0) + epsilon)
    return gain * (centred / std) + bias


def batch_norm_inference(x_input, gain, bias, mean, variance, epsilon):
    """The same with a mean and a variance that were found before."""
    std = np.sqrt(variance + epsilon)
    return gain * ((x_input - mean) / std) + bias


def dropout(x_input, keep, rate):
    """What is kept, larger by as much as is expected to be missing (Srivastava and others, 2014)."""
    scale = keep / (1 - rate)
    return x_input * scale


def rnn_cell(x_input, h, Wx, Wh, b):
    """One step of a recurrent network."""
    return np.tanh(x_input @ Wx + h @ Wh + b)


def lstm_cell(x_input, h, c, Wx, Wh, b):
    """One step of a long short-term memory; the columns of ``Wx`` and ``Wh`` are input, forget, output, candidate."""
    n = h.shape[1]
    total = x_input @ Wx + h @ Wh + b
    gates = 0.5 + 0.5 * np.tanh(0.5 * total[:, : 3 * n])
    i = gates[:, :n]
    f = gates[:, n : 2 * n]
    o = gates[:, 2 * n :]
    g = np.tanh(total[:, 3 * n :])
    c_next = f * c + i * g
    h_next = o * np.tanh(c_next)
    return h_next, c_next


def attention(Q, K, V):
    """Means of the rows of ``V``, weighted by how well the rows of ``Q`` and ``K`` fit (Vaswani and others, 2017)."""
    scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2)
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)
    return P @ V


def masked_attention(Q, K, V, mask):
    """The same with ``mask`` added to the scores: 0 where a query may look, minus infinity where not."""
    scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2) + mask
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)
    return P @ V


def mse(prediction, target):
    """The mean of the squared differences."""
    return ((prediction - target) ** 2).mean()


def sigmoid_cross_entropy(logits, targets):
    """The mean negative log-likelihood of ``targets``, each a probability, under the sigmoid of ``logits``."""
    return (np.logaddexp(0, logits) - targets * logits).mean()


def softmax_cross_entropy(logits, labels):
    """The mean negative log-likelihood of the class numbers in ``labels`` under the softmax of ``logits``."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_P = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_P[np.arange(len(logits)), labels].mean()


def softmax_cross_entropy_onehot(logits, targets):
    """The same where each row of ``targets`` has the probabilities of the classes."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_P = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(targets * log_P).sum() / len(logits)


def hinge(scores, labels, margin):
    """By how much the other classes come closer than ``margin`` to the right one (Weston and Watkins, 1999)."""
    rows = np.arange(len(scores))
    margins = np.maximum(0, scores - scores[rows, labels][:, None] + margin)
    return margins.sum() / len(scores) - margin


def hinge_binary(scores, labels, margin):
    """By how much scores fall short of ``margin`` on the side of their label, which is 1 or -1."""
    return np.maximum(0, margin - labels * scores).mean()
