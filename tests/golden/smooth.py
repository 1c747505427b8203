import numpy as np


# valid while `x.sum() > 0` on line 39 is true
# the loop on line 42 is written out, 3 turns
def smooth_and_grad(x, decay, grad_output):
    """The output of smooth and its gradients by name."""
    x_sum = x.sum()
    x2 = x / x.sum()
    level = np.zeros(4)
    level[1] = decay * level[0] + x2[1]
    level[2] = decay * level[1] + x2[2]
    level[3] = decay * level[2] + x2[3]

    # level[t] = decay * level[t - 1] + x[t]    line 43
    dx2 = np.zeros_like(x2)
    dx2[3] += grad_output[3]
    dlevel = grad_output.copy()
    dlevel[3] = 0.0
    dlevel[2] += decay * grad_output[3]
    dlevel_part = dlevel[2]
    dx2[2] += dlevel_part
    dlevel[2] = 0.0
    dlevel[1] += decay * dlevel_part
    dx2[1] += dlevel[1]
    ddecay = level[0] * dlevel[1] + level[1] * dlevel_part + level[2] * grad_output[3]
    # x = x / x.sum()                           line 40
    dx = dx2 / x_sum - (x / x_sum**2 * dx2).sum()

    return level, {"x": dx, "decay": ddecay}
