"""Attention.

Written by chainrule from the functions in ``chainrule/layers/forwards.py``: ``python -m chainrule.layers.generate``.
"""

import numpy as np

__all__ = [
    "Attention",
    "MaskedAttention",
    "attention_backward",
    "attention_forward",
    "attention_grad_K",
    "attention_grad_Q",
    "attention_grad_V",
    "masked_attention_backward",
    "masked_attention_forward",
    "masked_attention_grad_K",
    "masked_attention_grad_Q",
    "masked_attention_grad_V",
]


def attention_forward(Q, K, V):
    """Means of the rows of ``V``, weighted by how well the rows of ``Q`` and ``K`` fit (Vaswani and others, 2017)."""
    scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2)
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)
    return P @ V


def attention_grad_Q(Q, grad_output, K, V):
    """The gradient of attention with respect to Q."""
    scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2)
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)

    # return P @ V                                             line 157
    dP = grad_output @ V.swapaxes(-1, -2)
    # scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2)    line 154
    dQ = P * (dP - np.vecdot(P, dP)[:, :, None]) / np.sqrt(K.shape[2]) @ K

    return dQ


def attention_grad_K(Q, grad_output, K, V):
    """The gradient of attention with respect to K."""
    ratio = Q / K.shape[2] ** 0.5
    scores = ratio @ np.swapaxes(K, 1, 2)
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)

    # return P @ V                                              line 157
    dP = grad_output @ V.swapaxes(-1, -2)
    # E = np.exp(scores - scores.max(axis=2, keepdims=True))    line 155
    dscores = P * (dP - np.vecdot(P, dP)[:, :, None])
    # scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2)     line 154
    dK = (ratio.swapaxes(-1, -2) @ dscores).swapaxes(-1, -2)

    return dK


def attention_grad_V(Q, grad_output, K, V):
    """The gradient of attention with respect to V."""
    scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2)
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)

    # return P @ V    line 157
    dV = P.swapaxes(-1, -2) @ grad_output

    return dV


def attention_backward(Q, grad_output, K, V):
    """The gradients of attention with respect to Q, K, V."""
    scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2)
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)

    # return P @ V                                              line 157
    dP = grad_output @ V.swapaxes(-1, -2)
    dV = P.swapaxes(-1, -2) @ grad_output
    # E = np.exp(scores - scores.max(axis=2, keepdims=True))    line 155
    ratio = P * (dP - np.vecdot(P, dP)[:, :, None]) / np.sqrt(K.shape[2])
    # scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2)     line 154
    dQ = ratio @ K
    dK = (Q.swapaxes(-1, -2) @ ratio).swapaxes(-1, -2)

    return dQ, dK, dV


class Attention:
    """attention with its backward pass."""

    def forward(self, Q, K, V):
        """The output of attention."""
        scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2)
        E = np.exp(scores - scores.max(axis=2, keepdims=True))
        P = E / E.sum(axis=2, keepdims=True)
        output = P @ V
        self.V = V
        self.P = P
        self.K = K
        self.Q = Q
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        V = self.V
        P = self.P
        K = self.K
        Q = self.Q
        # return P @ V                                              line 157
        dP = grad_output @ V.swapaxes(-1, -2)
        dV = P.swapaxes(-1, -2) @ grad_output
        # E = np.exp(scores - scores.max(axis=2, keepdims=True))    line 155
        ratio = P * (dP - np.vecdot(P, dP)[:, :, None]) / np.sqrt(K.shape[2])
        # scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2)     line 154
        dQ = ratio @ K
        dK = (Q.swapaxes(-1, -2) @ ratio).swapaxes(-1, -2)
        return {"Q": dQ, "K": dK, "V": dV}


def masked_attention_forward(Q, K, V, mask):
    """The same with ``mask`` added to the scores: 0 where a query may look, minus infinity where not."""
    scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2) + mask
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)
    return P @ V


def masked_attention_grad_Q(Q, grad_output, K, V, mask):
    """The gradient of masked_attention with respect to Q."""
    scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2) + mask
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)

    # return P @ V                                                    line 165
    dP = grad_output @ V.swapaxes(-1, -2)
    # scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2) + mask    line 162
    dQ = P * (dP - np.vecdot(P, dP)[:, :, None]) / np.sqrt(K.shape[2]) @ K

    return dQ


def masked_attention_grad_K(Q, grad_output, K, V, mask):
    """The gradient of masked_attention with respect to K."""
    ratio = Q / K.shape[2] ** 0.5
    scores = ratio @ np.swapaxes(K, 1, 2) + mask
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)

    # return P @ V                                                    line 165
    dP = grad_output @ V.swapaxes(-1, -2)
    # E = np.exp(scores - scores.max(axis=2, keepdims=True))          line 163
    dscores = P * (dP - np.vecdot(P, dP)[:, :, None])
    # scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2) + mask    line 162
    dK = (ratio.swapaxes(-1, -2) @ dscores).swapaxes(-1, -2)

    return dK


def masked_attention_grad_V(Q, grad_output, K, V, mask):
    """The gradient of masked_attention with respect to V."""
    scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2) + mask
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)

    # return P @ V    line 165
    dV = P.swapaxes(-1, -2) @ grad_output

    return dV


def masked_attention_backward(Q, grad_output, K, V, mask):
    """The gradients of masked_attention with respect to Q, K, V."""
    scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2) + mask
    E = np.exp(scores - scores.max(axis=2, keepdims=True))
    P = E / E.sum(axis=2, keepdims=True)

    # return P @ V                                                    line 165
    dP = grad_output @ V.swapaxes(-1, -2)
    dV = P.swapaxes(-1, -2) @ grad_output
    # E = np.exp(scores - scores.max(axis=2, keepdims=True))          line 163
    ratio = P * (dP - np.vecdot(P, dP)[:, :, None]) / np.sqrt(K.shape[2])
    # scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2) + mask    line 162
    dQ = ratio @ K
    dK = (Q.swapaxes(-1, -2) @ ratio).swapaxes(-1, -2)

    return dQ, dK, dV


class MaskedAttention:
    """masked_attention with its backward pass."""

    def forward(self, Q, K, V, mask):
        """The output of masked_attention."""
        scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2) + mask
        E = np.exp(scores - scores.max(axis=2, keepdims=True))
        P = E / E.sum(axis=2, keepdims=True)
        output = P @ V
        self.V = V
        self.P = P
        self.K = K
        self.Q = Q
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        V = self.V
        P = self.P
        K = self.K
        Q = self.Q
        # return P @ V                                                    line 165
        dP = grad_output @ V.swapaxes(-1, -2)
        dV = P.swapaxes(-1, -2) @ grad_output
        # E = np.exp(scores - scores.max(axis=2, keepdims=True))          line 163
        ratio = P * (dP - np.vecdot(P, dP)[:, :, None]) / np.sqrt(K.shape[2])
        # scores = Q / K.shape[2] ** 0.5 @ np.swapaxes(K, 1, 2) + mask    line 162
        dQ = ratio @ K
        dK = (Q.swapaxes(-1, -2) @ ratio).swapaxes(-1, -2)
        return {"Q": dQ, "K": dK, "V": dV}
