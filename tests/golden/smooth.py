import numpy as np


# valid while `x.sum() > 0` on line 40
def smooth_and_grad(x, decay, grad_output):
    """The output of smooth and its gradients by name."""
    x_sum = x.sum()
    if not x_sum > 0:
        raise ValueError("written for `x.sum() > 0` on line 40")
    x2 = x / x.sum()
    level = np.zeros(4)
    for t in range(1, 4):
        level[t] = decay * level[t - 1] + x2[t]

    # for t in range(1, 4):    line 43
    dx2 = np.zeros_like(x2)
    dlevel = grad_output.copy()
    ddecay = 0.0
    for t in reversed(range(1, 4)):
        # level[t] = decay * level[t - 1] + x[t]    line 44
        ddecay += dlevel[t] * level[t - 1]
        dlevel[t - 1] += dlevel[t] * decay
    dx2[1:4] = dlevel[1:4]
    # x = x / x.sum()          line 41
    dx = (dx2 - x @ dx2 / x_sum) / x_sum

    return level, {"x": dx, "decay": ddecay}
