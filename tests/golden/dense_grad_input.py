def dense_grad_x_input(x_input, W, b, grad_output):
    """The gradient of dense with respect to x_input."""
    # return x_input @ W + b    line 28
    dx_input = grad_output @ W.T

    return dx_input
