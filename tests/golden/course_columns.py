import numpy as np


def course_columns_backward(W1, b1, W2, b2, X, Y):
    """The gradients of course_columns with respect to W1, b1, W2, b2."""
    m = Y.shape[1]
    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    A2 = 1.0 / (1.0 + np.exp(-Z2))

    # return 1.0 / (1.0 + np.exp(-z))    line 45, in sigmoid
    dZ2 = (A2 - Y) / m
    # Z2 = np.dot(W2, A1) + b2           line 97
    dW2 = dZ2 @ A1.T
    dA1 = W2.T @ dZ2
    db2 = dZ2.sum(axis=1, keepdims=True)
    # A1 = np.tanh(Z1)                   line 96
    dZ1 = dA1 * (1 - A1**2)
    # Z1 = np.dot(W1, X) + b1            line 95
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)

    return dW1, db1, dW2, db2
