import numpy as np


def network_and_grad(X, T, W1, B1, W2, B2, W3, B3, W4, B4):
    """The value of network and its gradients by name."""
    Z1 = X.dot(W1) + B1
    A1 = np.maximum(0, Z1)
    Z2 = A1.dot(W2) + B2
    A2 = np.maximum(0, Z2)
    Z3 = A2.dot(W3) + B3
    A3 = np.maximum(0, Z3)
    Y = A3.dot(W4) + B4
    difference = Y - T
    err = (difference**2).mean()

    # err = ((Y - T) ** 2).mean()    line 23
    dY = 2 / Y.size * difference
    # Y = A3.dot(W4) + B4            line 22
    dA3 = dY @ W4.T
    dW4 = A3.T @ dY
    dB4 = dY.sum(axis=0)
    # A3 = np.maximum(0, Z3)         line 21
    dZ3 = dA3 * (Z3 > 0)
    # Z3 = A2.dot(W3) + B3           line 20
    dA2 = dZ3 @ W3.T
    dW3 = A2.T @ dZ3
    dB3 = dZ3.sum(axis=0)
    # A2 = np.maximum(0, Z2)         line 19
    dZ2 = dA2 * (Z2 > 0)
    # Z2 = A1.dot(W2) + B2           line 18
    dA1 = dZ2 @ W2.T
    dW2 = A1.T @ dZ2
    dB2 = dZ2.sum(axis=0)
    # A1 = np.maximum(0, Z1)         line 17
    dZ1 = dA1 * (Z1 > 0)
    # Z1 = X.dot(W1) + B1            line 16
    dW1 = X.T @ dZ1
    dB1 = dZ1.sum(axis=0)

    return err, {
        "W1": dW1,
        "B1": dB1,
        "W2": dW2,
        "B2": dB2,
        "W3": dW3,
        "B3": dB3,
        "W4": dW4,
        "B4": dB4,
    }
