import numpy as np


def attention_backward(Q, K, V, grad_output):
    """The gradients of attention with respect to Q, K, V."""
    scores = Q @ K.T / np.sqrt(K.shape[1])
    E = np.exp(scores - scores.max(axis=-1, keepdims=True))
    E_sum = E.sum(axis=-1, keepdims=True)
    ratio = E / E_sum

    # return E / E.sum(axis=-1, keepdims=True) @ V               line 200
    dratio = grad_output @ V.T
    dE = (dratio - (ratio * dratio).sum(axis=1, keepdims=True)) / E_sum
    dV = ratio.T @ grad_output
    # E = np.exp(scores - scores.max(axis=-1, keepdims=True))    line 199
    dQKT = E / np.sqrt(K.shape[1]) * dE
    # scores = Q @ K.T / np.sqrt(K.shape[1])                     line 198
    dK = dQKT.T @ Q
    dQ = dQKT @ K

    return dQ, dK, dV
