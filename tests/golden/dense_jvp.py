def dense_jvp(x_input, W, b, dx_input, dW, db):
    """The output of dense and its tangent, from those of x_input, W, b."""
    output = x_input @ W + b

    # return x_input @ W + b    line 28
    doutput = x_input @ dW + dx_input @ W + db

    return output, doutput
