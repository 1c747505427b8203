import numpy as np


def svm_loss_and_grad(W, X, y, reg):
    """The value of svm_loss and its gradients by name."""
    num_train = X.shape[0]
    scores = X.dot(W)
    positions = np.arange(num_train)
    correct = scores[positions, y].reshape(-1, 1)
    margins = np.maximum(0, scores - correct + 1)
    margins[np.arange(num_train), y] = 0
    loss = np.sum(margins) / num_train
    loss += reg * np.sum(W * W)

    # margins = np.maximum(0, scores - correct + 1)               line 112
    dscores = (margins > 0) / num_train
    # correct = scores[np.arange(num_train), y].reshape(-1, 1)    line 111
    dscores[positions, y] -= dscores.sum(axis=1)
    # scores = X.dot(W)                                           line 110
    dW = 2 * reg * W + X.T @ dscores

    return loss, {"W": dW}
