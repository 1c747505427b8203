import numpy as np


def svm_loss_and_grad(W, X, y, reg):
    """The value of svm_loss and its gradients by name."""
    num_train = X.shape[0]
    scores = X.dot(W)
    positions = np.arange(num_train)
    correct = scores[positions, y].reshape(-1, 1)
    total = scores - correct + 1
    margins = np.maximum(0, total)
    margins[np.arange(num_train), y] = 0
    loss = np.sum(margins) / num_train
    loss += reg * np.sum(W * W)

    # margins[np.arange(num_train), y] = 0                        line 113
    dmargins = np.full((num_train, W.shape[1]), 1 / num_train)
    dmargins[positions, y] = 0.0
    # margins = np.maximum(0, scores - correct + 1)               line 112
    dscores = dmargins * (total > 0)
    # correct = scores[np.arange(num_train), y].reshape(-1, 1)    line 111
    dscores[positions, y] -= dscores.sum(axis=1, keepdims=True).reshape(num_train)
    # scores = X.dot(W)                                           line 110
    dW = 2 * reg * W + X.T @ dscores

    return loss, {"W": dW}
