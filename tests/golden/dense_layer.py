class Dense:
    """dense with its backward pass."""

    def forward(self, x_input, W, b):
        """The output of dense."""
        output = x_input @ W + b
        self.W = W
        self.x_input = x_input
        return output

    def backward(self, grad_output):
        """The gradients by name."""
        W = self.W
        x_input = self.x_input
        # return x_input @ W + b    line 28
        dx_input = grad_output @ W.T
        dW = x_input.T @ grad_output
        db = grad_output.sum(axis=0)
        return {"x_input": dx_input, "W": dW, "b": db}
