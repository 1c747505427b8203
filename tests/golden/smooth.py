import numpy as np


# valid while `x.sum() > 0` on line 40
def smooth_and_grad(x, decay, grad_output):
    """The output of smooth and its gradients by name."""
    x_sum = x.sum()
    x2 = x / x.sum()
    level = np.zeros(4)
    level_parts = []
    for t in range(1, 4):
        level_part = level[t - 1]
        level[t] = decay * level_part + x2[t]
        level_parts.append(level_part)

    # for t in range(1, 4):    line 43
    dlevel = grad_output.copy()
    ddecay = 0.0
    dx2 = np.zeros_like(x2)
    for t in reversed(range(1, 4)):
        # level[t] = decay * level[t - 1] + x[t]    line 44
        dtotal = dlevel[t]
        dlevel[t] = 0.0
        ddecay += dtotal * level_parts[t - 1]
        d_level_part = dtotal * decay
        dlevel[t - 1] += d_level_part
        dx2[t] += dtotal
    # x = x / x.sum()          line 41
    dx = dx2 / x_sum - x @ dx2 / x_sum / x_sum

    return level, {"x": dx, "decay": ddecay}
