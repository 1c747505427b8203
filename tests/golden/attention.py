import numpy as np


def attention_backward(Q, K, V, grad_output):
    """The gradients of attention with respect to Q, K, V."""
    scores = Q @ K.T / np.sqrt(K.shape[1])
    E = np.exp(scores - scores.max(axis=-1, keepdims=True))
    ratio = E / E.sum(axis=-1, keepdims=True)

    # return E / E.sum(axis=-1, keepdims=True) @ V               line 200
    dratio = grad_output @ V.T
    dV = ratio.T @ grad_output
    # E = np.exp(scores - scores.max(axis=-1, keepdims=True))    line 199
    dQKT = ratio * (dratio - np.vecdot(ratio, dratio)[:, None]) / np.sqrt(K.shape[1])
    # scores = Q @ K.T / np.sqrt(K.shape[1])                     line 198
    dK = dQKT.T @ Q
    dQ = dQKT @ K

    return dQ, dK, dV
