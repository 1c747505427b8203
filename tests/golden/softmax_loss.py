import numpy as np


def softmax_loss_and_grad(params, X, labels):
    """The value of softmax_loss and its gradients by name."""
    params_W = params["W"]
    params_b = params["b"]
    n = X.shape[0]
    scores = X @ params_W + params_b
    E = np.exp(scores - scores.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    positions = np.arange(n)
    loss = -np.log(P[positions, labels]).sum() / n + 1e-3 * np.sum(params_W**2)

    # P = E / E.sum(axis=1, keepdims=True)                      line 35
    dscores = P / n
    # E = np.exp(scores - scores.max(axis=1, keepdims=True))    line 34
    dscores[positions, labels] -= 1 / n
    # scores = X @ params["W"] + params["b"]                    line 33
    dparams_W = 0.002 * params_W + X.T @ dscores
    dparams_b = dscores.sum(axis=0)

    return loss, {"params_W": dparams_W, "params_b": dparams_b}
