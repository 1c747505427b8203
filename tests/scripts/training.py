import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
y = rng.normal(size=20)
W1 = 0.5 * rng.normal(size=(3, 4))
b1 = np.zeros(4)
w2 = 0.5 * rng.normal(size=4)
reg = 1e-3

for _ in range(3):
    h = np.tanh(X @ W1 + b1)
    z = h @ w2
    loss = np.mean((z - y) ** 2) + reg * np.sum(W1**2)
    # the questioner's own attempt
    dz = z - y
    dw2 = h.T @ dz
    dh = np.outer(dz, w2)
    dW1 = X.T @ (dh * (1 - h**2))
    db1 = dh.sum(axis=0)
    W1 -= 0.1 * dW1
    b1 -= 0.1 * db1
    w2 -= 0.1 * dw2
