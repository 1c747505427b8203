"""A network with its backward lines, one of which is wrong."""

import numpy as np

rng = np.random.default_rng(1)
X = rng.normal(size=(8, 4))
T = rng.normal(size=(8, 2))
W1, B1 = rng.normal(size=(4, 5)), np.zeros(5)
W2, B2 = rng.normal(size=(5, 2)), np.zeros(2)

for _ in range(100):
    Z1 = X.dot(W1) + B1
    A1 = np.tanh(Z1)
    Y = A1.dot(W2) + B2
    err = ((Y - T) ** 2).mean()

    delta2 = 2 * (Y - T) / Y.size
    dW2 = A1.T.dot(delta2)
    dB2 = delta2.sum(axis=0)
    delta1 = delta2.dot(W2.T) * (1 - np.tanh(A1) ** 2)
    dW1 = X.T.dot(delta1)
    dB1 = delta1.sum(axis=0)

    W1 -= 0.1 * dW1
    B1 -= 0.1 * dB1
    W2 -= 0.1 * dW2
    B2 -= 0.1 * dB2
