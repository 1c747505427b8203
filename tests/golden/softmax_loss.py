import numpy as np


def softmax_loss_and_grad(params, X, labels):
    """The value of softmax_loss and its gradients by name."""
    W = params["W"]
    b = params["b"]
    n = X.shape[0]
    scores = X @ W + b
    E = np.exp(scores - scores.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    positions = np.arange(n)
    loss = -np.log(P[positions, labels]).sum() / n + 1e-3 * np.sum(W**2)

    # P = E / E.sum(axis=1, keepdims=True)                      line 35
    dscores = P / n
    # E = np.exp(scores - scores.max(axis=1, keepdims=True))    line 34
    dscores[positions, labels] -= 1 / n
    # scores = X @ params["W"] + params["b"]                    line 33
    dW = 0.002 * W + X.T @ dscores
    db = dscores.sum(axis=0)

    return loss, {"W": dW, "b": db}
